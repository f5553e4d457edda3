#include "os/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/fs_sig.h"
#include "os/interrupt.h"

/* -- signatures -- */

static bool is_missing(int errnum)
{
	return errnum == ENOENT || errnum == ENOTDIR || errnum == ELOOP;
}

bool fs_stat(const char *path, struct file_sig *ret, struct err *err)
{
	if (fs_sig_at(AT_FDCWD, path, 0, ret))
		return true;
	memset(ret, 0, sizeof(*ret));
	return is_missing(errno) || err_sys(err, ERR_USER, "cannot look at \"%s\"", path);
}

struct file_sig fs_sig_only_exists(struct file_sig sig)
{
	sig.only_exists = 1;
	return sig;
}

bool fs_sig_eq(const struct file_sig *a, const struct file_sig *b)
{
	if (a->only_exists || b->only_exists)
		return !a->mode == !b->mode;
	if (fs_is_dir(a) && fs_is_dir(b))
		return a->ino == b->ino && a->dev == b->dev && a->mtime_ns == b->mtime_ns;
	struct file_sig other = *b;
	/* 0: read-only with several names, now or then (see fs.h). */
	if (!a->ctime_ns || !b->ctime_ns)
		other.ctime_ns = a->ctime_ns;
	return memcmp(a, &other, sizeof(*a)) == 0;
}

bool fs_sig_racy(const struct file_sig *sig, int64_t now_ns)
{
	return sig->mode && (sig->mtime_ns > now_ns - FS_RACY_NS || sig->ctime_ns > now_ns - FS_RACY_NS);
}

bool fs_is_dir(const struct file_sig *sig)
{
	return S_ISDIR(sig->mode);
}

bool fs_is_file(const struct file_sig *sig)
{
	return S_ISREG(sig->mode);
}

/* -- reading -- */

bool fs_read(const char *path, struct buf *out, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, ERR_USER, "cannot open \"%s\"", path);
	struct stat st;
	size_t room = 0;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		room = (size_t)st.st_size;
	/* One byte more than the size lets the read that finds the end need no further growth. */
	buf_reserve(out, room + 1);
	for (;;) {
		if (out->cap - out->len <= 1)
			buf_reserve(out, 65536);
		ssize_t n = read(fd, out->ptr + out->len, out->cap - out->len - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			err_sys(err, ERR_USER, "cannot read \"%s\"", path);
			close(fd);
			return false;
		}
		if (n == 0)
			break;
		out->len += (size_t)n;
	}
	out->ptr[out->len] = 0;
	close(fd);
	return true;
}

bool fs_map(const char *path, struct str *ret, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, ERR_USER, "cannot open \"%s\"", path);
	struct stat st;
	void *p = NULL;
	bool ok = fstat(fd, &st) == 0;
	if (ok && !S_ISREG(st.st_mode)) {
		errno = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
		ok = false;
	}
	if (ok && st.st_size > 0) {
		p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
		ok = p != MAP_FAILED;
	}
	if (ok)
		*ret = str_n(p, (size_t)st.st_size);
	else
		err_sys(err, ERR_USER, "cannot read \"%s\"", path);
	close(fd);
	return ok;
}

void fs_unmap(struct str map)
{
	if (map.ptr)
		munmap((void *)(uintptr_t)map.ptr, map.len);
}

/* -- writing -- */

/* A name in the folder of `path` that no other process or thread picks. */
static void temp_beside(struct buf *out, const char *path)
{
	uint64_t random;
	CHECK(getrandom(&random, sizeof(random), 0) == sizeof(random));
	buf_adds(out, path_dir(str_from(path)));
	buf_addf(out, "/.tenon-%ld-%016llx", (long)getpid(), (unsigned long long)random);
}

static bool write_all(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t k = write(fd, p, n);
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return false;
		p += k;
		n -= (size_t)k;
	}
	return true;
}

static bool sync_folder_of(const char *path)
{
	struct buf dir = {0};
	buf_adds(&dir, path_dir(str_from(path)));
	int fd = open(buf_cstr(&dir), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool ok = fd >= 0 && fsync(fd) == 0;
	int e = errno;
	if (fd >= 0)
		close(fd);
	buf_release(&dir);
	errno = e;
	return ok;
}

/* close() can be the first to tell that the disk is full. */
static bool close_checked(int fd)
{
	return close(fd) == 0 || errno == EINTR;
}

bool fs_write_atomic(const char *path, struct str bytes, unsigned mode, bool durable, struct err *err)
{
	struct buf temp = {0};
	temp_beside(&temp, path);
	int fd = open(buf_cstr(&temp), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0) {
		err_sys(err, ERR_ENVIRONMENT, "cannot write \"%s\"", path);
		buf_release(&temp);
		return false;
	}
	bool ok = write_all(fd, bytes.ptr, bytes.len) && fchmod(fd, (mode_t)mode) == 0 && (!durable || fsync(fd) == 0);
	if (!ok)
		err_sys(err, ERR_ENVIRONMENT, "cannot write \"%s\"", path);
	if (!close_checked(fd) && ok)
		ok = err_sys(err, ERR_ENVIRONMENT, "cannot write \"%s\"", path);
	if (ok && (rename(buf_cstr(&temp), path) != 0 || (durable && !sync_folder_of(path))))
		ok = err_sys(err, ERR_ENVIRONMENT, "cannot write \"%s\"", path);
	if (!ok)
		unlink(buf_cstr(&temp));
	buf_release(&temp);
	return ok;
}

/* Content from one descriptor to another: shared blocks where the file system can, else copied in the kernel, else by
 * hand. */
static bool copy_content(int from, int to)
{
	if (ioctl(to, FICLONE, from) == 0)
		return true;
	ssize_t n;
	while ((n = copy_file_range(from, NULL, to, NULL, (size_t)1 << 30, 0)) > 0)
		continue;
	if (n < 0 && errno != EXDEV && errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP && errno != EBADF &&
	    errno != EPERM)
		return false;
	/* Files without a size (in /proc) end at once above: the rest, mostly nothing, by hand. */
	char chunk[65536];
	while ((n = read(from, chunk, sizeof(chunk))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 || !write_all(to, chunk, (size_t)n))
			return false;
	}
	return true;
}

static bool copy_to_temp(int from, const char *temp, unsigned mode)
{
	int to = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (to < 0)
		return false;
	bool ok = copy_content(from, to) && fchmod(to, (mode_t)mode) == 0;
	int e = errno;
	if (!close_checked(to) && ok) {
		ok = false;
		e = errno;
	}
	errno = e;
	return ok;
}

bool fs_copy(const char *src, const char *dst, unsigned mode, struct err *err)
{
	int from = open(src, O_RDONLY | O_CLOEXEC);
	if (from < 0)
		return err_sys(err, ERR_USER, "cannot open \"%s\"", src);
	struct buf temp = {0};
	temp_beside(&temp, dst);
	bool ok = copy_to_temp(from, buf_cstr(&temp), mode) && rename(buf_cstr(&temp), dst) == 0;
	if (!ok) {
		err_sys(err, ERR_ENVIRONMENT, "cannot copy \"%s\" to \"%s\"", src, dst);
		unlink(buf_cstr(&temp));
	}
	close(from);
	buf_release(&temp);
	return ok;
}

bool fs_symlink(const char *target, const char *path, struct err *err)
{
	struct buf temp = {0};
	temp_beside(&temp, path);
	bool ok = symlink(target, buf_cstr(&temp)) == 0 && rename(buf_cstr(&temp), path) == 0;
	if (!ok) {
		err_sys(err, ERR_ENVIRONMENT, "cannot make the link \"%s\"", path);
		unlink(buf_cstr(&temp));
	}
	buf_release(&temp);
	return ok;
}

/* Replaces `dst`, which exists. */
static bool link_over(const char *src, const char *dst)
{
	struct buf temp = {0};
	temp_beside(&temp, dst);
	bool ok = link(src, buf_cstr(&temp)) == 0;
	if (ok) {
		ok = rename(buf_cstr(&temp), dst) == 0;
		int e = errno;
		/* rename does nothing, successfully, where both names are links to one file. */
		unlink(buf_cstr(&temp));
		errno = e;
	}
	buf_release(&temp);
	return ok;
}

bool fs_link(const char *src, const char *dst, struct err *err)
{
	if (link(src, dst) == 0 || (errno == EEXIST && link_over(src, dst)))
		return true;
	if (errno == EXDEV || errno == EMLINK || errno == EPERM || errno == EOPNOTSUPP || errno == ENOSYS) {
		struct file_sig sig;
		return fs_stat(src, &sig, err) && fs_copy(src, dst, sig.mode & 07777, err);
	}
	/* The caller wants to know whether it is the source or the target that is not as it should be. */
	int e = errno;
	bool gone = e == ENOENT && access(src, F_OK) != 0;
	errno = e;
	return gone ? err_sys(err, ERR_USER, "cannot link \"%s\"", src)
	            : err_sys(err, ERR_ENVIRONMENT, "cannot link \"%s\" to \"%s\"", src, dst);
}

/* -- folders -- */

static bool make_dir(char *path)
{
	if (mkdir(path, 0777) == 0)
		return true;
	struct stat st;
	if (errno != EEXIST)
		return false;
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return true;
	errno = ENOTDIR;
	return false;
}

bool fs_mkdirs(const char *path, struct err *err)
{
	struct buf b = {0};
	buf_addz(&b, path);
	bool ok = make_dir(b.ptr);
	if (!ok && errno == ENOENT) {
		ok = true;
		for (size_t i = 1; ok && i <= b.len; i++) {
			if (i < b.len && b.ptr[i] != '/')
				continue;
			char kept = b.ptr[i];
			b.ptr[i] = 0;
			ok = make_dir(b.ptr);
			b.ptr[i] = kept;
		}
	}
	if (!ok)
		err_sys(err, ERR_ENVIRONMENT, "cannot make the folder \"%s\"", path);
	buf_release(&b);
	return ok;
}

bool fs_mkdirs_parent(const char *path, struct err *err)
{
	struct buf b = {0};
	buf_adds(&b, path_dir(str_from(path)));
	bool ok = fs_mkdirs(buf_cstr(&b), err);
	buf_release(&b);
	return ok;
}

bool fs_remove(const char *path, struct err *err)
{
	return unlink(path) == 0 || is_missing(errno) || err_sys(err, ERR_ENVIRONMENT, "cannot remove \"%s\"", path);
}

bool fs_mkdtemp(struct arena *a, const char *dir, const char *prefix, char **ret, struct err *err)
{
	char *path = str_dupz(a, str_fmt(a, "%s/%sXXXXXX", dir, prefix));
	if (!mkdtemp(path))
		return err_sys(err, ERR_ENVIRONMENT, "cannot make a folder in \"%s\"", dir);
	*ret = path;
	return true;
}

static int by_bytes(const void *x, const void *y)
{
	return str_cmp(*(const struct str *)x, *(const struct str *)y);
}

static bool is_dot(const char *name)
{
	return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

bool fs_list(struct arena *a, const char *path, StrVec *ret, struct err *err)
{
	DIR *d = opendir(path);
	if (!d)
		return err_sys(err, ERR_USER, "cannot list \"%s\"", path);
	size_t first = ret->len;
	struct dirent *e;
	while ((errno = 0, e = readdir(d)))
		if (!is_dot(e->d_name))
			vec_push(ret, str_dup(a, str_from(e->d_name)));
	bool ok = errno == 0;
	if (!ok)
		err_sys(err, ERR_USER, "cannot list \"%s\"", path);
	closedir(d);
	if (ret->len > first)
		qsort(ret->ptr + first, ret->len - first, sizeof(struct str), by_bytes);
	return ok;
}

static bool push_children(struct arena *a, const char *path, struct str rel, StrVec *stack, struct err *err)
{
	StrVec names = {0};
	bool ok = fs_list(a, path, &names, err);
	for (size_t i = names.len; ok && i-- > 0;)
		vec_push(stack, rel.len ? str_fmt(a, "%.*s/%.*s", STR_ARG(rel), STR_ARG(names.ptr[i])) : names.ptr[i]);
	vec_release(&names);
	return ok;
}

bool fs_walk(const char *path, bool (*visit)(void *ctx, const char *rel, const struct file_sig *sig, struct err *err),
             void *ctx, struct err *err)
{
	struct arena a = {0};
	StrVec stack = {0};
	struct buf full = {0};
	bool ok = push_children(&a, path, STR(""), &stack, err);
	while (ok && stack.len) {
		struct str rel = vec_pop(&stack);
		buf_clear(&full);
		buf_addf(&full, "%s/%.*s", path, STR_ARG(rel));
		struct file_sig sig;
		if (!fs_sig_at(AT_FDCWD, buf_cstr(&full), AT_SYMLINK_NOFOLLOW, &sig))
			ok = errno == ENOENT || err_sys(err, ERR_USER, "cannot look at \"%s\"", buf_cstr(&full));
		else if (fs_is_dir(&sig))
			ok = push_children(&a, buf_cstr(&full), rel, &stack, err);
		else if (fs_is_file(&sig))
			ok = visit(ctx, rel.ptr, &sig, err);
	}
	buf_release(&full);
	vec_release(&stack);
	arena_release(&a);
	return ok;
}

/* -- locks -- */

#define LOCK_RETRY_MS 20

bool fs_lock(const char *path, bool wait, int *ret_fd, struct err *err)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	if (fd < 0)
		return err_sys(err, ERR_ENVIRONMENT, "cannot open the lock \"%s\"", path);
	int rc;
	/* flock itself cannot wait for a lock and a signal without a moment in which the signal is missed. */
	struct pollfd interrupt = {.fd = interrupt_fd(), .events = POLLIN};
	while ((rc = flock(fd, LOCK_EX | LOCK_NB)) != 0 && (errno == EINTR || (errno == EWOULDBLOCK && wait))) {
		if (wait && !interrupt_check(err)) {
			close(fd);
			return false;
		}
		poll(&interrupt, 1, LOCK_RETRY_MS);
	}
	if (rc == 0) {
		*ret_fd = fd;
		return true;
	}
	bool held = !wait && errno == EWOULDBLOCK;
	if (held)
		*ret_fd = -1;
	else
		err_sys(err, ERR_ENVIRONMENT, "cannot lock \"%s\"", path);
	close(fd);
	return held;
}

void fs_unlock(int fd)
{
	if (fd >= 0)
		close(fd);
}
