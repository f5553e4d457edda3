/* targets.c - how long it takes to read sources and to load targets.
 *
 *     bench-targets FOLDER        (must not exist; is removed at the end)
 *
 * Writes 1,000 source files of 12,000 bytes, and a workspace of 10,000 targets in 500 packages: each target has a
 * source file, three dependencies in its package and one in another. Prints the median and the best of 15 runs, with
 * the files in the page cache, of:
 *
 *     scan     all sources into slabs, with their SHA-256
 *     load     //...: list folders, read, parse, evaluate, find files, resolve labels, order
 */
#include <stdio.h>
#include <stdlib.h>

#include "front/buildfile.h"
#include "lang/slab.h"
#include "os/clock.h"
#include "os/fs.h"

#define SOURCES      1000
#define SOURCE_BYTES 12000
#define PACKAGES     500
#define TARGETS      20 /* of each package */
#define RUNS         15

static void must(bool ok, struct err *err)
{
	struct buf text = {0};
	if (ok)
		return;
	err_format(err, &text);
	fputs(buf_cstr(&text), stderr);
	exit(3);
}

static void put(const char *path, struct str text)
{
	struct err err = {0};
	must(fs_mkdirs_parent(path, &err) && fs_write_atomic(path, text, 0644, false, &err), &err);
}

static void generate(struct arena *a, const char *dir)
{
	struct buf text = {0};
	for (unsigned i = 0; i < SOURCES; i++) {
		buf_clear(&text);
		buf_addf(&text, "(ns source%u)\n", i);
		while (text.len < SOURCE_BYTES)
			buf_addf(&text, "(defn f%zu [x y] (+ x (* y %u)))\n", text.len, i);
		put(str_fmt(a, "%s/src/%u.clj", dir, i).ptr, str_slice(buf_str(&text), 0, SOURCE_BYTES));
	}
	put(str_fmt(a, "%s/WORKSPACE", dir).ptr, STR(""));
	for (unsigned p = 0; p < PACKAGES; p++) {
		buf_clear(&text);
		for (unsigned t = 0; t < TARGETS; t++) {
			buf_addf(&text, "(clj-lib :name \"t%u\"\n         :srcs [\"t%u.clj\"]\n         :deps [", t, t);
			for (unsigned d = 1; d <= 3 && d <= t; d++)
				buf_addf(&text, "\":t%u\" ", t - d);
			if (p)
				buf_addf(&text, "\"//p%u:t%u\"", p / 2, t);
			buf_addf(&text, "]\n         :visibility [\"PUBLIC\"])\n\n");
			put(str_fmt(a, "%s/p%u/t%u.clj", dir, p, t).ptr, STR("(ns x)\n"));
		}
		put(str_fmt(a, "%s/p%u/BUILD", dir, p).ptr, buf_str(&text));
	}
	buf_release(&text);
}

static void scan(struct arena *a, const char *dir)
{
	static struct slab_entry entries[SOURCES];
	struct slab_set set = {0};
	size_t bytes = 0;
	for (unsigned i = 0; i < SOURCES; i++)
		entries[i].path = str_fmt(a, "%s/src/%u.clj", dir, i).ptr;
	slab_read(&set, entries, SOURCES, 0, NULL, NULL);
	for (unsigned i = 0; i < SOURCES; i++)
		bytes += entries[i].text.len;
	CHECK(bytes == (size_t)SOURCES * SOURCE_BYTES);
	slab_set_release(&set);
}

static void load(struct arena *a, const char *dir)
{
	struct err err = {0};
	struct file_view view;
	struct target_table t = {0};
	struct buildfile_inputs in = {0};
	struct str all = STR("//...");
	struct buildfile_request q = {.patterns = &all, .npatterns = 1};
	(void)a;
	buildfile_disk_view(dir, NULL, 0, &view);
	must(buildfile_load(&view, &q, &t, &in, &err), &err);
	CHECK(t.targets.len == (size_t)PACKAGES * TARGETS);
	buildfile_inputs_release(&in);
	target_table_release(&t);
}

static int by_time(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

static void measure(const char *name, void (*f)(struct arena *, const char *), const char *dir)
{
	int64_t times[RUNS];
	for (int i = 0; i < RUNS; i++) {
		struct arena a = {0};
		int64_t start = clock_mono_ns();
		f(&a, dir);
		times[i] = clock_mono_ns() - start;
		arena_release(&a);
	}
	qsort(times, RUNS, sizeof(*times), by_time);
	printf("%-6s median %7.1f ms   best %7.1f ms\n", name, (double)times[RUNS / 2] / 1e6, (double)times[0] / 1e6);
}

int main(int argc, char **argv)
{
	struct arena a = {0};
	struct err err = {0};
	struct file_sig sig;
	if (argc != 2 || !fs_stat(argv[1], &sig, &err) || sig.mode) {
		fprintf(stderr, "usage: bench-targets FOLDER, which must not exist\n");
		return 2;
	}
	generate(&a, argv[1]);
	measure("scan", scan, argv[1]);
	measure("load", load, argv[1]);
	must(fs_remove_tree(argv[1], &err), &err);
	arena_release(&a);
	return 0;
}
