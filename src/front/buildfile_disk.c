/* The workspace on the disk. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "front/buildfile.h"
#include "lang/slab.h"
#include "os/fs.h"

struct disk {
	struct arena arena;
	struct slab_set slabs;
	char *root;
	Vec(struct buildfile_alias) aliases;
};

struct scan {
	struct view_file *files;
	view_scan *scan;
	void *ctx;
};
_Static_assert(VIEW_THREADS >= SLAB_THREADS, "every thread that reads has a number");

static void scan_one(void *ctx, unsigned thread, size_t i, struct slab_entry *e)
{
	struct scan *s = ctx;
	s->files[i].text = e->text;
	if (s->scan)
		s->scan(s->ctx, thread, i, &s->files[i]);
}

static const struct buildfile_alias *find_alias(const struct disk *d, struct str path)
{
	for (size_t i = 0; i < d->aliases.len; i++)
		if (str_eq(d->aliases.ptr[i].path, path))
			return &d->aliases.ptr[i];
	return NULL;
}

static void disk_read(void *ctx, struct view_file *files, size_t n, view_scan *scan, void *scan_ctx)
{
	struct disk *d = ctx;
	struct slab_entry *entries = xcalloc(n ? n : 1, sizeof(*entries));
	struct scan s = {.files = files, .scan = scan, .ctx = scan_ctx};
	for (size_t i = 0; i < n; i++) {
		const struct buildfile_alias *alias = find_alias(d, files[i].path);
		files[i].made_from = alias ? alias->made_from : (struct str){0};
		entries[i].path =
		        path_join(&d->arena, d->root, str_dupz(&d->arena, alias ? alias->text : files[i].path));
	}
	slab_read(&d->slabs, entries, n, 0, scan_one, &s);
	for (size_t i = 0; i < n; i++)
		files[i].errnum = entries[i].errnum;
	free(entries);
}

static int by_name(const void *a, const void *b)
{
	return str_cmp(((const struct view_entry *)a)->name, ((const struct view_entry *)b)->name);
}

/* What readdir leaves open is asked of stat: where a link leads to, and file systems without types. */
static bool entry_type(DIR *dir, const struct dirent *de, struct view_entry *e)
{
	struct stat st;
	if (de->d_type == DT_REG || de->d_type == DT_DIR) {
		e->is_dir = de->d_type == DT_DIR;
		return true;
	}
	if (de->d_type != DT_LNK && de->d_type != DT_UNKNOWN)
		return false;
	e->is_link = de->d_type == DT_LNK;
	if (de->d_type == DT_UNKNOWN && fstatat(dirfd(dir), de->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		e->is_link = S_ISLNK(st.st_mode);
	if (fstatat(dirfd(dir), de->d_name, &st, 0) < 0)
		return false;
	e->is_dir = S_ISDIR(st.st_mode);
	return e->is_dir || S_ISREG(st.st_mode);
}

/* "." is the root. */
static bool is_in(struct str path, struct str dir)
{
	return str_eq(path_dir(path), dir.len ? dir : STR("."));
}

typedef Vec(struct view_entry) EntryVec;

static void add_aliases(const struct disk *d, struct str dir, EntryVec *out)
{
	for (size_t i = 0; i < d->aliases.len; i++) {
		struct str path = d->aliases.ptr[i].path;
		bool there = !is_in(path, dir);
		for (size_t k = 0; !there && k < out->len; k++)
			there = str_eq(out->ptr[k].name, path_base(path));
		if (!there)
			vec_push(out, (struct view_entry){.name = path_base(path)});
	}
}

static bool disk_list(void *ctx, struct arena *a, struct str dir, struct view_listing *ret, struct err *err)
{
	struct disk *d = ctx;
	EntryVec entries = {0};
	const char *path = dir.len ? path_join(&d->arena, d->root, str_dupz(&d->arena, dir)) : d->root;
	DIR *open = opendir(path);
	if (!open && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP)) {
		*ret = (struct view_listing){.absent = true};
		return true;
	}
	if (!open)
		return err_sys(err, ERR_USER, "cannot list \"%s\"", path);
	errno = 0;
	for (struct dirent *de; (de = readdir(open)); errno = 0) {
		struct view_entry e = {0};
		if (str_eqc(STR("."), de->d_name) || str_eqc(STR(".."), de->d_name) || !entry_type(open, de, &e))
			continue;
		e.name = str_dup(a, str_from(de->d_name));
		vec_push(&entries, e);
	}
	bool ok = errno == 0 || err_sys(err, ERR_USER, "cannot list \"%s\"", path);
	closedir(open);
	add_aliases(d, dir, &entries);
	if (ok) {
		*ret = (struct view_listing){.n = entries.len};
		ret->entries = arena_new_n(a, struct view_entry, entries.len);
		if (entries.len) {
			qsort(entries.ptr, entries.len, sizeof(*entries.ptr), by_name);
			memcpy(ret->entries, entries.ptr, entries.len * sizeof(*entries.ptr));
		}
	}
	vec_release(&entries);
	return ok;
}

static void disk_release(void *ctx)
{
	struct disk *d = ctx;
	slab_set_release(&d->slabs);
	vec_release(&d->aliases);
	arena_release(&d->arena);
	free(d);
}

void buildfile_disk_view(const char *root, const struct buildfile_alias *aliases, size_t n, struct file_view *ret)
{
	struct disk *d = xcalloc(1, sizeof(*d));
	for (size_t i = 0; i < n; i++)
		vec_push(&d->aliases,
		         ((struct buildfile_alias){.path = str_dup(&d->arena, aliases[i].path),
		                                   .text = str_dup(&d->arena, aliases[i].text),
		                                   .made_from = str_dup(&d->arena, aliases[i].made_from)}));
	d->root = str_dupz(&d->arena, str_from(root));
	*ret = (struct file_view){.ctx = d, .list = disk_list, .read = disk_read, .release = disk_release};
}

bool buildfile_find_root(struct arena *a, const char *dir, struct str *ret_root, struct str *ret_here)
{
	struct str at = str_from(path_absolute(a, dir)), whole = at;
	for (;;) {
		struct file_sig sig;
		if (fs_stat(path_join(a, str_dupz(a, at), "WORKSPACE"), &sig, NULL) && fs_is_file(&sig)) {
			*ret_root = at;
			*ret_here = at.len == whole.len ? STR("") : str_drop(whole, at.len + (at.len > 1));
			return true;
		}
		if (at.len <= 1)
			return false;
		at = path_dir(at);
	}
}

struct buildfile_machine buildfile_machine_settings(struct arena *a)
{
	struct buildfile_machine m = {.settings = {{STR("os"), STR("")}, {STR("arch"), STR("")}}};
	struct utsname u;
	if (uname(&u) < 0)
		return m;
	struct str os = str_dup(a, str_from(u.sysname));
	for (size_t i = 0; i < os.len; i++)
		if (os.ptr[i] >= 'A' && os.ptr[i] <= 'Z')
			((char *)(uintptr_t)os.ptr)[i] = (char)(os.ptr[i] | 32);
	m.settings[0].value = os;
	m.settings[1].value = str_dup(a, str_from(u.machine));
	return m;
}
