#include "build/scratch.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "os/fs.h"

/* More than this deep, or this much in all, and it is quicker removed. */
#define MAX_DEPTH   48
#define MAX_ENTRIES 256

bool scratch_take(struct scratches *s, struct store *store, struct arena *a, char **ret, struct err *err)
{
	if (!s->spare.len && !s->none_aside) {
		char *path = store_take_aside(store, a);
		if (path)
			vec_push(&s->spare, path);
		s->none_aside = !path;
	}
	if (!s->spare.len)
		return store_scratch(store, a, ret, err);
	*ret = s->spare.ptr[--s->spare.len];
	return true;
}

static bool is_dots(const char *name)
{
	return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

/* True if below the folder are none but folders; in the topmost, the driver's own as well. */
static bool is_bare(int parent, const char *name, unsigned depth, unsigned *entries)
{
	bool bare = true;
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	for (struct dirent *e; bare && (e = readdir(dir));) {
		if (is_dots(e->d_name))
			continue;
		if (depth == 0 && e->d_type == DT_REG && strcmp(e->d_name, SCRATCH_OUTPUT) == 0)
			continue;
		bool temporary = depth == 0 && strcmp(e->d_name, SCRATCH_TEMP) == 0;
		bare = e->d_type == DT_DIR && depth < MAX_DEPTH && ++*entries < MAX_ENTRIES &&
		       is_bare(dirfd(dir), e->d_name, temporary ? MAX_DEPTH : depth + 1, entries);
	}
	closedir(dir);
	return bare;
}

void scratch_give_back(struct scratches *s, char *path, bool reusable)
{
	unsigned entries = 0;
	if (reusable && is_bare(AT_FDCWD, path, 0, &entries))
		vec_push(&s->spare, path);
	else
		fs_remove_tree(path, NULL);
}

void scratches_release(struct scratches *s, struct store *store)
{
	for (size_t i = 0; i < s->spare.len; i++)
		store_put_aside(store, s->spare.ptr[i]);
	vec_release(&s->spare);
}
