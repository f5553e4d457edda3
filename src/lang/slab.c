#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lang/slab.h"

/* One for each thread: its own slabs, so that nothing is shared but the number of the next file. */
struct reader {
	struct job *job;
	unsigned number;
	struct slab_set set;
	EVP_MD_CTX *hash;
};

struct job {
	struct slab_entry *entries;
	size_t n;
	atomic_size_t next;
	slab_scan *scan;
	void *ctx;
	EVP_MD *sha256; /* fetched once: a fetch costs more than to digest a small file */
};

static size_t round_up(size_t n, size_t to)
{
	return (n + to - 1) / to * to;
}

/* Room for a source of `len` bytes and its header: in the last slab, or a new one. */
static unsigned char *frame_space(struct slab_set *set, size_t len, size_t *ret_room)
{
	size_t need = SLAB_HEADER + round_up(len + 1, SLAB_HEADER);
	struct slab *s = set->slabs.len ? &vec_last(&set->slabs) : NULL;
	if (!s || s->size - s->used < need) {
		size_t size = MAX(round_up(need, SLAB_PAGE), SLAB_SIZE);
		void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (p == MAP_FAILED)
			BUG("no memory for %zu bytes of sources", size);
		vec_push(&set->slabs, (struct slab){.bytes = p, .size = size});
		s = &vec_last(&set->slabs);
	}
	*ret_room = s->size - s->used - SLAB_HEADER;
	return s->bytes + s->used;
}

static void put_u32(unsigned char *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (unsigned char)(v >> (8 * i));
}

static uint32_t get_u32(const unsigned char *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* Completes the frame whose source was read to behind its header. */
static void frame_close(struct slab_set *set, size_t len, struct slab_entry *e)
{
	struct slab *s = &vec_last(&set->slabs);
	unsigned char *frame = s->bytes + s->used;
	size_t padded = round_up(len + 1, SLAB_HEADER);
	memset(frame + SLAB_HEADER + len, 0, padded - len);
	put_u32(frame, (uint32_t)padded);
	put_u32(frame + 4, (uint32_t)len);
	s->used += SLAB_HEADER + padded;
	e->text = str_n((const char *)frame + SLAB_HEADER, len);
	e->digest = (const struct digest *)(frame + 8);
}

static int read_open(struct reader *r, int fd, struct slab_entry *e)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return errno;
	if (!S_ISREG(st.st_mode))
		return EISDIR;
	size_t room, len = 0, expected = (size_t)st.st_size;
	if (expected >= UINT32_MAX - SLAB_PAGE)
		return EFBIG;
	unsigned char *frame = frame_space(&r->set, expected, &room);
	EVP_DigestInit_ex2(r->hash, r->job->sha256, NULL);
	for (;;) {
		/* One byte of room stays, for the zero; a read that asks for more than is there finds the end. */
		ssize_t n = read(fd, frame + SLAB_HEADER + len, room - len - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno;
		if (n == 0)
			break;
		EVP_DigestUpdate(r->hash, frame + SLAB_HEADER + len, (size_t)n);
		len += (size_t)n;
		if (len >= UINT32_MAX - SLAB_PAGE)
			return EFBIG;
		/* The size that stat told is read in one go; one more read would only say that this was the end. */
		if (len == expected)
			break;
		if (room - len <= 1) {
			/* It grew: all of it once more, in a larger frame. */
			expected = len * 2;
			frame = frame_space(&r->set, expected, &room);
			EVP_DigestInit_ex2(r->hash, r->job->sha256, NULL);
			if (lseek(fd, 0, SEEK_SET) < 0)
				return errno;
			len = 0;
		}
	}
	memset(frame, 0, SLAB_HEADER);
	EVP_DigestFinal_ex(r->hash, frame + 8, NULL);
	frame_close(&r->set, len, e);
	return 0;
}

static void *read_files(void *arg)
{
	struct reader *r = arg;
	struct job *job = r->job;
	r->hash = EVP_MD_CTX_new();
	CHECK(r->hash);
	for (size_t i; (i = atomic_fetch_add(&job->next, 1)) < job->n;) {
		struct slab_entry *e = &job->entries[i];
		int fd = open(e->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
		e->errnum = fd < 0 ? errno : read_open(r, fd, e);
		if (fd >= 0)
			close(fd);
		if (!e->errnum && job->scan)
			job->scan(job->ctx, r->number, i, e);
	}
	EVP_MD_CTX_free(r->hash);
	return NULL;
}

/* A thread costs as much as a few files. */
static unsigned useful_threads(size_t n)
{
	cpu_set_t set;
	int cpus = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
	return (unsigned)MAX(1, MIN(MIN(n / 8, (size_t)cpus), SLAB_THREADS));
}

void slab_read(struct slab_set *set, struct slab_entry *entries, size_t n, unsigned threads, slab_scan *scan, void *ctx)
{
	struct job job = {.entries = entries, .n = n, .scan = scan, .ctx = ctx};
	struct reader readers[SLAB_THREADS] = {0};
	pthread_t ids[SLAB_THREADS];
	bool started[SLAB_THREADS] = {false};
	if (!n)
		return;
	job.sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	CHECK(job.sha256);
	threads = MIN(threads ? threads : useful_threads(n), SLAB_THREADS);
	/* This thread reads too. It goes on adding to the last slab of the set. */
	if (set->slabs.len)
		vec_push(&readers[0].set.slabs, vec_pop(&set->slabs));
	for (unsigned i = 0; i < threads; i++) {
		readers[i].job = &job;
		readers[i].number = i;
		if (i)
			started[i] = pthread_create(&ids[i], NULL, read_files, &readers[i]) == 0;
	}
	read_files(&readers[0]);
	for (unsigned i = 0; i < threads; i++) {
		if (started[i])
			pthread_join(ids[i], NULL);
		for (size_t j = 0; j < readers[i].set.slabs.len; j++)
			vec_push(&set->slabs, readers[i].set.slabs.ptr[j]);
		vec_release(&readers[i].set.slabs);
	}
	EVP_MD_free(job.sha256);
}

void slab_set_release(struct slab_set *set)
{
	for (size_t i = 0; i < set->slabs.len; i++)
		munmap(set->slabs.ptr[i].bytes, set->slabs.ptr[i].size);
	vec_release(&set->slabs);
}

bool slab_next(const struct slab *s, size_t *at, struct str *ret_text, const struct digest **ret_digest)
{
	if (*at + SLAB_HEADER > s->used)
		return false;
	const unsigned char *frame = s->bytes + *at;
	*ret_text = str_n((const char *)frame + SLAB_HEADER, get_u32(frame + 4));
	*ret_digest = (const struct digest *)(frame + 8);
	*at += SLAB_HEADER + get_u32(frame);
	return true;
}
