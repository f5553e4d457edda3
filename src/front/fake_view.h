/* fake_view.h - a workspace in memory, for tests and fuzzers of the build language.
 *
 *     struct fake_file files[] = {{"WORKSPACE", ""}, {"lib/BUILD", "(jar ...)"}, {"lib/a.jar", ""}, {0}};
 *     struct file_view view;
 *     fake_view(files, &view);
 *
 * Folders are there because files are. The files must outlive the view. */
#ifndef TENON_FRONT_FAKE_VIEW_H
#define TENON_FRONT_FAKE_VIEW_H

#include <errno.h>
#include <stdlib.h>

#include "front/buildfile.h"

struct fake_file {
	const char *path, *text;
};

static inline int fake_by_name(const void *a, const void *b)
{
	return str_cmp(((const struct view_entry *)a)->name, ((const struct view_entry *)b)->name);
}

static inline bool fake_list(void *ctx, struct arena *a, struct str dir, struct view_listing *ret, struct err *err)
{
	const struct fake_file *files = ctx;
	size_t n = 0;
	(void)err;
	while (files[n].path)
		n++;
	*ret = (struct view_listing){.entries = arena_new_n(a, struct view_entry, n), .absent = dir.len > 0};
	for (size_t i = 0; i < n; i++) {
		struct str path = str_from(files[i].path);
		if (dir.len) {
			if (!str_has_prefix(path, dir) || path.len <= dir.len || path.ptr[dir.len] != '/')
				continue;
			path = str_drop(path, dir.len + 1);
		}
		struct view_entry e = {.name = str_slice(path, 0, str_find(path, '/')),
		                       .is_dir = str_find(path, '/') < path.len};
		bool there = false;
		for (size_t k = 0; k < ret->n; k++)
			there |= str_eq(ret->entries[k].name, e.name);
		if (!there)
			ret->entries[ret->n++] = e;
		ret->absent = false;
	}
	if (ret->n)
		qsort(ret->entries, ret->n, sizeof(*ret->entries), fake_by_name);
	return true;
}

static inline void fake_read(void *ctx, struct view_file *read, size_t n, view_scan *scan, void *scan_ctx)
{
	const struct fake_file *files = ctx;
	for (size_t i = 0; i < n; i++) {
		read[i].errnum = ENOENT;
		for (const struct fake_file *f = files; f->path; f++) {
			if (!str_eqc(read[i].path, f->path))
				continue;
			read[i].errnum = 0;
			read[i].text = str_from(f->text);
			scan(scan_ctx, 0, i, &read[i]);
			break;
		}
	}
}

static inline void fake_release(void *ctx)
{
	(void)ctx;
}

static inline void fake_view(struct fake_file *files, struct file_view *ret)
{
	*ret = (struct file_view){.ctx = files, .list = fake_list, .read = fake_read, .release = fake_release};
}

#endif
