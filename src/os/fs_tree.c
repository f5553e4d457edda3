#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/fs.h"

/* Removing a tree holds one folder open at a time and goes up by "..", so neither depth nor length of paths has a
 * limit. Every folder's identity is checked when it is come back to: nothing outside the tree is ever entered. */
struct level {
	struct str name; /* in its parent */
	dev_t dev;
	ino_t ino;
};

struct removal {
	struct arena names;
	Vec(struct level) levels; /* the folders between the tree's root and the one that is open, root first */
	DIR *dir;
};

/* Makes the folder `name` the open one. */
static bool enter(struct removal *r, int at, const char *name)
{
	int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(at, name, flags);
	if (fd < 0 && errno == EACCES && fchmodat(at, name, 0700, 0) == 0)
		fd = openat(at, name, flags);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) != 0 || ((st.st_mode & 0700) != 0700 && fchmod(fd, 0700) != 0)) {
		int e = errno;
		if (fd >= 0)
			close(fd);
		errno = e;
		return false;
	}
	/* `name` may lie in the buffer of the folder that is closed here. */
	vec_push(&r->levels, (struct level){str_dup(&r->names, str_from(name)), st.st_dev, st.st_ino});
	if (r->dir)
		closedir(r->dir);
	r->dir = fdopendir(fd);
	CHECK(r->dir);
	return true;
}

/* The open folder is empty: goes up and removes it. */
static bool leave(struct removal *r)
{
	struct level done = vec_pop(&r->levels), up = vec_last(&r->levels);
	int fd = openat(dirfd(r->dir), "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return false;
	closedir(r->dir);
	r->dir = fdopendir(fd);
	CHECK(r->dir);
	struct stat st;
	if (fstat(fd, &st) != 0)
		return false;
	if (st.st_dev != up.dev || st.st_ino != up.ino) {
		errno = EBUSY;
		return false;
	}
	return unlinkat(fd, done.name.ptr, AT_REMOVEDIR) == 0 || errno == ENOENT;
}

static bool remove_file(int at, const char *name, bool *ret_is_dir)
{
	*ret_is_dir = false;
	if (unlinkat(at, name, 0) == 0 || errno == ENOENT)
		return true;
	int e = errno;
	struct stat st;
	if ((e == EISDIR || e == EPERM) && fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode)) {
		*ret_is_dir = true;
		return true;
	}
	errno = e;
	return false;
}

/* Removes files of the open folder until it is empty (*ret_entered false) or has entered a folder in it. */
static bool sweep(struct removal *r, bool *ret_entered)
{
	struct dirent *e;
	*ret_entered = false;
	while ((errno = 0, e = readdir(r->dir))) {
		const char *n = e->d_name;
		if (n[0] == '.' && (!n[1] || (n[1] == '.' && !n[2])))
			continue;
		bool is_dir = e->d_type == DT_DIR;
		if (!is_dir && !remove_file(dirfd(r->dir), n, &is_dir))
			return false;
		if (is_dir) {
			*ret_entered = true;
			return enter(r, dirfd(r->dir), n);
		}
	}
	return errno == 0;
}

static bool remove_below(struct removal *r)
{
	for (;;) {
		bool entered;
		if (!sweep(r, &entered))
			return false;
		if (entered)
			continue;
		if (r->levels.len == 1)
			return true;
		if (!leave(r))
			return false;
	}
}

bool fs_remove_tree(const char *path, struct err *err)
{
	bool is_dir;
	if (!remove_file(AT_FDCWD, path, &is_dir))
		return errno == ENOTDIR || err_sys(err, ERR_ENVIRONMENT, "cannot remove \"%s\"", path);
	if (!is_dir)
		return true;
	struct removal r = {0};
	bool ok = enter(&r, AT_FDCWD, path) && remove_below(&r) && (rmdir(path) == 0 || errno == ENOENT);
	if (!ok) {
		int e = errno;
		struct buf where = {0};
		for (size_t i = 0; i < r.levels.len; i++)
			buf_addf(&where, "%s%.*s", i ? "/" : "", STR_ARG(r.levels.ptr[i].name));
		errno = e;
		err_sys(err, ERR_ENVIRONMENT, "cannot remove what is in \"%s\"", where.len ? buf_cstr(&where) : path);
		buf_release(&where);
	}
	if (r.dir)
		closedir(r.dir);
	vec_release(&r.levels);
	arena_release(&r.names);
	return ok;
}
