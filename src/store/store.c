#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "store/store_impl.h"

#define LAYOUT     "1\n"
#define TMP_AGE_S  (24L * 3600)
#define LINK_TRIES 3
#define SPARE_MAX  64

/* -- names and placing -- */

void entry_name(const struct digest *d, char ret[ENTRY_NAME])
{
	digest_hex(d, ret + 3);
	ret[0] = ret[3];
	ret[1] = ret[4];
	ret[2] = '/';
}

void temp_name(char ret[TEMP_NAME])
{
	uint64_t random;
	CHECK(getrandom(&random, sizeof(random), 0) == sizeof(random));
	snprintf(ret, TEMP_NAME, "%ld-%016llx", (long)getpid(), (unsigned long long)random);
}

bool entry_place(struct store *s, const char *temp, int to, const char *name)
{
	if (renameat(s->tmp, temp, to, name) == 0)
		return true;
	if (errno != ENOENT)
		return false;
	char dir[3] = {name[0], name[1], 0};
	if (mkdirat(to, dir, 0777) != 0 && errno != EEXIST)
		return false;
	return renameat(s->tmp, temp, to, name) == 0;
}

static bool write_all(int fd, struct str bytes)
{
	while (bytes.len) {
		ssize_t n = write(fd, bytes.ptr, bytes.len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		bytes = str_drop(bytes, (size_t)n);
	}
	return true;
}

static int temp_open(struct store *s, const char *temp)
{
	return openat(s->tmp, temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
}

/* Gives the temporary file its mode, closes it and, where `ok`, places it; else, and on failure, removes it. */
static bool temp_finish(struct store *s, int fd, const char *temp, bool ok, int to, const char *name, unsigned mode)
{
	ok = ok && fchmod(fd, (mode_t)mode) == 0;
	int e = errno;
	if (close(fd) != 0 && ok && errno != EINTR) {
		ok = false;
		e = errno;
	}
	errno = e;
	if (ok && entry_place(s, temp, to, name))
		return true;
	e = errno;
	unlinkat(s->tmp, temp, 0);
	errno = e;
	return false;
}

bool entry_write(struct store *s, int to, const char *name, struct str bytes, unsigned mode)
{
	char temp[TEMP_NAME];
	temp_name(temp);
	int fd = temp_open(s, temp);
	return fd >= 0 && temp_finish(s, fd, temp, write_all(fd, bytes), to, name, mode);
}

/* -- opening -- */

static int open_folder(const char *root, const char *name)
{
	struct buf path = {0};
	buf_addf(&path, "%s/%s", root, name);
	int fd = -1;
	if (fs_mkdirs(buf_cstr(&path), NULL))
		fd = open(buf_cstr(&path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int e = errno;
	buf_release(&path);
	errno = e;
	return fd;
}

static bool check_version(struct store *s, struct err *err)
{
	struct buf path = {0}, text = {0};
	struct file_sig sig;
	buf_addf(&path, "%s/version", s->root);
	bool ok = fs_stat(buf_cstr(&path), &sig, err);
	if (ok && !sig.mode)
		ok = fs_write_atomic(path.ptr, STR(LAYOUT), 0644, false, err);
	ok = ok && fs_read(path.ptr, &text, err);
	/* An empty one is what a power loss left. */
	if (ok && text.len == 0)
		ok = fs_write_atomic(path.ptr, STR(LAYOUT), 0644, false, err);
	else if (ok && !str_eq(buf_str(&text), STR(LAYOUT)))
		ok = err_set(err, ERR_ENVIRONMENT, "the store \"%s\" has layout %.*s, not %.*s", s->root,
		             STR_ARG(str_trim(buf_str(&text))), STR_ARG(str_trim(STR(LAYOUT))));
	buf_release(&path);
	buf_release(&text);
	return ok;
}

static int open_lock(const char *root)
{
	struct buf path = {0};
	buf_addf(&path, "%s/gc.lock", root);
	int fd = open(buf_cstr(&path), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	while (fd >= 0 && flock(fd, LOCK_SH) != 0 && errno == EINTR)
		continue;
	int e = errno;
	buf_release(&path);
	errno = e;
	return fd;
}

static bool is_old(const struct stat *st)
{
	return st->st_mtime < time(NULL) - TMP_AGE_S;
}

uint64_t tmp_clean(struct store *s)
{
	uint64_t removed = 0;
	struct arena a = {0};
	StrVec names = {0};
	char *dir = path_join(&a, s->root, "tmp");
	fs_list(&a, dir, &names, NULL);
	for (size_t i = 0; i < names.len; i++) {
		struct stat st;
		if (fstatat(s->tmp, names.ptr[i].ptr, &st, AT_SYMLINK_NOFOLLOW) == 0 && is_old(&st))
			removed += fs_remove_tree(path_join(&a, dir, names.ptr[i].ptr), NULL);
	}
	vec_release(&names);
	arena_release(&a);
	return removed;
}

bool store_open(const char *root, struct store **ret, struct err *err)
{
	struct store *s = xcalloc(1, sizeof(*s));
	s->root = xmalloc(strlen(root) + 1);
	memcpy(s->root, root, strlen(root) + 1);
	s->cas = s->ac = s->tmp = s->lock = -1;
	bool ok = (s->cas = open_folder(root, "cas")) >= 0 && (s->ac = open_folder(root, "ac")) >= 0 &&
	          (s->tmp = open_folder(root, "tmp")) >= 0 && (s->lock = open_lock(root)) >= 0;
	if (ok && faccessat(s->tmp, ".", W_OK, AT_EACCESS) != 0)
		ok = false;
	if (!ok)
		err_sys(err, ERR_ENVIRONMENT, "cannot use the store \"%s\"", root);
	ok = ok && check_version(s, err);
	if (!ok) {
		if (err) {
			err->kind = ERR_ENVIRONMENT;
			err_note(err, "choose another place with the option --store or the variable XDG_CACHE_HOME");
		}
		store_close(s);
		return false;
	}
	tmp_clean(s);
	*ret = s;
	return true;
}

void store_close(struct store *s)
{
	if (!s)
		return;
	const int fds[] = {s->cas, s->ac, s->tmp, s->lock};
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	free(s->root);
	free(s);
}

const char *store_root(const struct store *s)
{
	return s->root;
}

bool store_scratch(struct store *s, struct arena *a, char **ret, struct err *err)
{
	char temp[TEMP_NAME];
	temp_name(temp);
	char *path = str_dupz(a, str_fmt(a, "%s/tmp/%s", s->root, temp));
	if (mkdir(path, 0700) != 0)
		return err_sys(err, ERR_ENVIRONMENT, "cannot make a folder in the store \"%s\"", s->root);
	*ret = path;
	return true;
}

/* ROOT/spare/NUMBER */
static char *spare_path(const struct store *s, struct arena *a, unsigned i)
{
	return str_dupz(a, str_fmt(a, "%s/spare/%u", s->root, i));
}

void store_put_aside(struct store *s, const char *scratch)
{
	struct arena a = {0};
	bool kept = false;
	mkdir(path_join(&a, s->root, "spare"), 0700);
	for (unsigned i = 0; i < SPARE_MAX && !kept; i++)
		kept = renameat2(AT_FDCWD, scratch, AT_FDCWD, spare_path(s, &a, i), RENAME_NOREPLACE) == 0;
	if (!kept)
		fs_remove_tree(scratch, NULL);
	arena_release(&a);
}

char *store_take_aside(struct store *s, struct arena *a)
{
	struct arena tmp = {0};
	char temp[TEMP_NAME], *path = NULL;
	temp_name(temp);
	for (unsigned i = 0; i < SPARE_MAX && !path; i++)
		if (renameat(AT_FDCWD, spare_path(s, &tmp, i), s->tmp, temp) == 0)
			path = str_dupz(a, str_fmt(a, "%s/tmp/%s", s->root, temp));
	arena_release(&tmp);
	return path;
}

/* -- looking -- */

char *store_blob_path(struct store *s, struct arena *a, const struct digest *d)
{
	char name[ENTRY_NAME];
	entry_name(d, name);
	return str_dupz(a, str_fmt(a, "%s/cas/%s", s->root, name));
}

/* 1: good; 0: absent, or wrong and removed; -1: cannot be read (errno). */
static int blob_state(struct store *s, const char *name, const struct digest *d)
{
	struct digest found;
	int fd = openat(s->cas, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return errno == ENOENT ? 0 : -1;
	bool read = digest_of_fd(fd, -1, &found, NULL);
	int e = errno;
	close(fd);
	errno = e;
	if (!read)
		return -1;
	if (digest_eq(&found, d))
		return 1;
	unlinkat(s->cas, name, 0);
	return 0;
}

bool store_check(struct store *s, const struct digest *d)
{
	char name[ENTRY_NAME];
	entry_name(d, name);
	return blob_state(s, name, d) > 0;
}

bool store_has(struct store *s, const struct digest *d, uint64_t size)
{
	char name[ENTRY_NAME];
	struct stat st;
	entry_name(d, name);
	return fstatat(s->cas, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
	       (uint64_t)st.st_size == size;
}

static bool absent(struct store *s, const char *name, struct err *err)
{
	return err_set(err, ERR_TRANSIENT, "the store \"%s\" has no sound copy of %s", s->root, name + 3);
}

static bool unreadable(struct store *s, const char *name, struct err *err)
{
	return err_sys(err, ERR_ENVIRONMENT, "cannot read \"%s/cas/%s\"", s->root, name);
}

bool store_materialize(struct store *s, const struct digest *d, const char *dst, struct err *err)
{
	char name[ENTRY_NAME];
	struct buf path = {0};
	struct err why = {0};
	bool ok = false;
	entry_name(d, name);
	buf_addf(&path, "%s/cas/%s", s->root, name);
	/* Between the look and the link others may remove the blob, and put it again. */
	for (int i = 0; i < LINK_TRIES && !ok; i++) {
		int state = blob_state(s, name, d);
		err_clear(&why);
		if (state < 0)
			unreadable(s, name, &why);
		else if (state == 0)
			absent(s, name, &why);
		else
			ok = fs_link(buf_cstr(&path), dst, &why);
		if (state <= 0 || (!ok && why.errnum != ENOENT))
			break;
	}
	if (!ok && err)
		err_move(err, &why);
	err_clear(&why);
	buf_release(&path);
	return ok;
}

bool store_read(struct store *s, const struct digest *d, struct buf *out, struct err *err)
{
	char name[ENTRY_NAME];
	entry_name(d, name);
	struct buf path = {0};
	struct err why = {0};
	size_t before = out->len;
	buf_addf(&path, "%s/cas/%s", s->root, name);
	bool ok = fs_read(buf_cstr(&path), out, &why);
	buf_release(&path);
	if (!ok) {
		int e = why.errnum;
		err_clear(&why);
		out->len = before;
		errno = e;
		return e == ENOENT ? absent(s, name, err) : unreadable(s, name, err);
	}
	struct digest found = digest_of(str_drop(buf_str(out), before));
	if (digest_eq(&found, d))
		return true;
	out->len = before;
	unlinkat(s->cas, name, 0);
	return absent(s, name, err);
}

/* -- putting -- */

/* True if a sound copy is there already; makes it executable if need be. */
static bool have_blob(struct store *s, const char *name, const struct digest *d, uint64_t size, bool executable)
{
	struct stat st;
	if (fstatat(s->cas, name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode) ||
	    (uint64_t)st.st_size != size || blob_state(s, name, d) <= 0)
		return false;
	if (executable && !(st.st_mode & 0111))
		fchmodat(s->cas, name, 0555, 0);
	return true;
}

bool store_put_bytes(struct store *s, struct str bytes, struct digest *ret, struct err *err)
{
	char name[ENTRY_NAME];
	struct digest d = digest_of(bytes);
	entry_name(&d, name);
	if (!have_blob(s, name, &d, bytes.len, false) && !entry_write(s, s->cas, name, bytes, 0444))
		return err_sys(err, ERR_ENVIRONMENT, "cannot write to the store \"%s\"", s->root);
	*ret = d;
	return true;
}

/* Copies from an open file; the digest is that of the bytes that were written. */
static bool put_copy(struct store *s, int from, bool executable, struct digest *ret, uint64_t *ret_size)
{
	char temp[TEMP_NAME], name[ENTRY_NAME];
	temp_name(temp);
	int fd = temp_open(s, temp);
	if (fd < 0)
		return false;
	bool ok = digest_of_fd(from, fd, ret, ret_size);
	if (ok)
		entry_name(ret, name);
	return temp_finish(s, fd, temp, ok, s->cas, name, executable ? 0555 : 0444);
}

/* Renames the file into the store. False with errno; then the file is still there. */
static bool put_move(struct store *s, int from, const char *path, bool executable, struct digest *ret,
                     uint64_t *ret_size)
{
	char temp[TEMP_NAME], name[ENTRY_NAME];
	if (!digest_of_fd(from, -1, ret, ret_size))
		return false;
	entry_name(ret, name);
	if (have_blob(s, name, ret, *ret_size, executable))
		return unlink(path) == 0 || errno == ENOENT;
	if (fchmod(from, executable ? 0555 : 0444) != 0)
		return false;
	temp_name(temp);
	if (renameat(AT_FDCWD, path, s->tmp, temp) != 0)
		return false;
	if (entry_place(s, temp, s->cas, name))
		return true;
	int e = errno;
	renameat(s->tmp, temp, AT_FDCWD, path);
	errno = e;
	return false;
}

static bool put_open_file(struct store *s, int from, const struct stat *st, const char *path, bool move,
                          struct digest *ret, uint64_t *ret_size)
{
	bool executable = st->st_mode & 0111;
	/* Another name of the file would let others change the blob. */
	if (move && st->st_nlink == 1) {
		if (put_move(s, from, path, executable, ret, ret_size))
			return true;
		if (errno != EXDEV && errno != EPERM && errno != EACCES)
			return false;
		if (lseek(from, 0, SEEK_SET) != 0)
			return false;
	}
	if (!put_copy(s, from, executable, ret, ret_size))
		return false;
	if (move)
		unlink(path);
	return true;
}

bool store_put_file(struct store *s, const char *path, bool move, struct digest *ret, uint64_t *ret_size,
                    struct err *err)
{
	struct stat st;
	struct digest d;
	uint64_t size;
	int fd = open(path, O_RDONLY | O_CLOEXEC | (move ? O_NOFOLLOW : 0));
	if (fd < 0)
		return err_sys(err, ERR_USER, "cannot open \"%s\"", path);
	bool ok = fstat(fd, &st) == 0;
	if (ok && !S_ISREG(st.st_mode)) {
		close(fd);
		return err_set(err, ERR_USER, "\"%s\" is not a file", path);
	}
	ok = ok && put_open_file(s, fd, &st, path, move, &d, &size);
	if (!ok)
		err_sys(err, ERR_ENVIRONMENT, "cannot take \"%s\" into the store \"%s\"", path, s->root);
	close(fd);
	if (!ok)
		return false;
	*ret = d;
	if (ret_size)
		*ret_size = size;
	return true;
}
