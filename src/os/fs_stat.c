#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "os/fs.h"
#include "os/fs_sig.h"

#define WANTED            (STATX_TYPE | STATX_MODE | STATX_NLINK | STATX_INO | STATX_SIZE | STATX_MTIME | STATX_CTIME)
/* What a worker takes at a time: enough that the counter is not contended, little enough that the last one to finish
 * keeps nobody waiting (about 0.2 ms). */
#define CHUNK             256
/* Below this number of paths for each, a thread costs more than it brings. */
#define PATHS_PER_THREAD  1024
#define MAX_THREADS       16
/* A folder is opened when this many paths that follow lie in it too. */
#define RUN_WORTH_OPENING 3

static int64_t ns(struct statx_timestamp t)
{
	return t.tv_sec * 1000000000 + t.tv_nsec;
}

bool fs_sig_at(int dir, const char *path, int flags, struct file_sig *ret)
{
	struct statx st;
	if (statx(dir, path, flags | AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, WANTED, &st) != 0)
		return false;
	*ret = (struct file_sig){.size = st.stx_size,
	                         .ino = st.stx_ino,
	                         .dev = makedev(st.stx_dev_major, st.stx_dev_minor),
	                         .mtime_ns = ns(st.stx_mtime),
	                         .ctime_ns = ns(st.stx_ctime),
	                         .mode = st.stx_mode};
	if (S_ISREG(st.stx_mode) && st.stx_nlink > 1 && !(st.stx_mode & 0222))
		ret->ctime_ns = 0;
	return true;
}

struct stat_job {
	const char *const *paths;
	const struct file_sig *want;
	size_t n;
	atomic_size_t next;
	atomic_bool differs;
};

/* The folder that a worker has open. */
struct folder {
	const char *path; /* not NUL-terminated; NULL: none */
	size_t len;       /* with the last "/" */
	int fd;
};

static size_t dir_len(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? (size_t)(slash - path) + 1 : 0;
}

static bool is_in(const char *path, const char *dir, size_t len)
{
	return strncmp(path, dir, len) == 0 && path[len] && !strchr(path + len, '/');
}

static void folder_leave(struct folder *f)
{
	if (f->path && f->fd >= 0)
		close(f->fd);
	f->path = NULL;
}

/* Opens the folder of `path`, if paths[ahead] says that it will be used often enough. */
static void folder_enter(struct folder *f, const char *path, const char *ahead)
{
	folder_leave(f);
	size_t len = dir_len(path);
	if (!len || !path[len] || !ahead || !is_in(ahead, path, len))
		return;
	char dir[4096];
	if (len >= sizeof(dir))
		return;
	memcpy(dir, path, len);
	dir[len] = 0;
	int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		*f = (struct folder){path, len, fd};
}

static void stat_in(struct folder *f, const char *path, const char *ahead, struct file_sig *ret)
{
	if (!f->path || !is_in(path, f->path, f->len))
		folder_enter(f, path, ahead);
	bool ok = f->path ? fs_sig_at(f->fd, path + f->len, 0, ret) : fs_sig_at(AT_FDCWD, path, 0, ret);
	if (!ok)
		memset(ret, 0, sizeof(*ret));
}

static void *work(void *arg)
{
	struct stat_job *job = arg;
	struct folder folder = {0};
	size_t from;
	while ((from = atomic_fetch_add_explicit(&job->next, CHUNK, memory_order_relaxed)) < job->n) {
		size_t to = MIN(from + CHUNK, job->n);
		for (size_t i = from; i < to; i++) {
			const char *ahead = i + RUN_WORTH_OPENING < job->n ? job->paths[i + RUN_WORTH_OPENING] : NULL;
			struct file_sig found;
			stat_in(&folder, job->paths[i], ahead, &found);
			if (!fs_sig_eq(&found, &job->want[i]))
				atomic_store_explicit(&job->differs, true, memory_order_relaxed);
			if (atomic_load_explicit(&job->differs, memory_order_relaxed))
				goto out;
		}
	}
out:
	folder_leave(&folder);
	return NULL;
}

static unsigned good_number(size_t n)
{
	cpu_set_t set;
	unsigned cpus = sched_getaffinity(0, sizeof(set), &set) == 0 ? (unsigned)CPU_COUNT(&set) : 1;
	size_t useful = 1 + n / PATHS_PER_THREAD;
	return (unsigned)MIN(MIN(useful, cpus), MAX_THREADS);
}

static void run(struct stat_job *job, unsigned threads)
{
	pthread_t ids[MAX_THREADS];
	unsigned started = 0;
	threads = threads ? MIN(threads, MAX_THREADS) : good_number(job->n);
	while (started + 1 < threads && pthread_create(&ids[started], NULL, work, job) == 0)
		started++;
	work(job);
	for (unsigned i = 0; i < started; i++)
		pthread_join(ids[i], NULL);
}

bool fs_unchanged(const char *const *paths, const struct file_sig *want, size_t n, unsigned threads)
{
	struct stat_job job = {.paths = paths, .want = want, .n = n};
	run(&job, threads);
	return !atomic_load(&job.differs);
}
