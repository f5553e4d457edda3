#include "store/history.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/tap.h"
#include "os/fs.h"

static uint64_t look(const char *path, struct str prefix, struct str label, size_t *ret_n)
{
	struct arena a = {0};
	struct map m = {0};
	uint64_t ns = 0;
	struct history *h = history_open(path);
	history_load(h, &a, &prefix, 1, &m);
	map_get(&m, label, &ns);
	*ret_n = m.entries.len;
	history_close(h);
	map_release(&m);
	arena_release(&a);
	return ns;
}

static void note(const char *path, struct str label, uint64_t ns)
{
	struct history *h = history_open(path);
	history_note(h, label, 1);
	history_note(h, label, ns);
	history_close(h);
}

static void test_basic(void)
{
	size_t n;
	struct history *h = history_open("db");
	history_close(h);
	tap_ok(access("db", F_OK) != 0, "opening costs nothing");
	tap_ok(look("db", STR("a"), STR("a/b"), &n) == 0 && n == 0, "nothing known yet");
	note("db", STR("a/b"), 17);
	tap_eq_int((int64_t)look("db", STR("a/"), STR("a/b"), &n), 17, "noted; the last value counts");
	note("db", STR("a/b"), 18);
	note("db", STR("a/c"), 19);
	note("db", STR("b/c"), 20);
	note("db", STR("a0"), 21);
	tap_ok(look("db", STR("a/"), STR("a/b"), &n) == 18 && n == 2, "a prefix");
	tap_ok(look("db", STR(""), STR("b/c"), &n) == 20 && n == 4, "the empty prefix is all");
	tap_ok(look("db", STR("zz"), STR("b/c"), &n) == 0 && n == 0, "no such prefix");
	history_note(NULL, STR("x"), 1);
	history_close(NULL);
	h = history_open("no/such/folder/db");
	history_note(h, STR("x"), 1);
	struct map m = {0};
	struct arena a = {0};
	struct str prefix = STR("x");
	history_load(h, &a, &prefix, 1, &m);
	history_close(h);
	tap_ok(m.entries.len == 0, "a place that cannot be had is harmless");
	map_release(&m);
}

static void test_damage(void)
{
	size_t n;
	struct buf b = {0};
	CHECK(fs_write_atomic("bad",
	                      STR("this is no database, but it is long enough to be looked at as one ........."
	                          "......................................................................."),
	                      0644, false, NULL));
	tap_ok(look("bad", STR(""), STR("x"), &n) == 0 && n == 0, "a file that is none of ours");
	tap_ok(fs_read("bad.corrupt", &b, NULL) && str_has_prefix(buf_str(&b), STR("this is no")), "is set aside");
	note("bad", STR("x"), 5);
	tap_ok(look("bad", STR(""), STR("x"), &n) == 5, "and a new one works");
	/* A database whose pages are damaged behind the header. */
	struct arena a = {0};
	struct history *h = history_open("torn");
	for (int i = 0; i < 3000; i++)
		history_note(h, str_fmt(&a, "label/%d", i), (uint64_t)i);
	history_close(h);
	tap_ok(look("torn", STR("label/"), STR("label/2999"), &n) == 2999 && n == 3000, "3000 labels");
	buf_clear(&b);
	CHECK(fs_read("torn", &b, NULL) && b.len > 40000);
	memset(b.ptr + 4096, 0x5a, b.len - 4096);
	CHECK(fs_write_atomic("torn", buf_str(&b), 0644, false, NULL));
	look("torn", STR("label/"), STR("label/2999"), &n);
	tap_ok(access("torn.corrupt", F_OK) == 0, "a torn one is set aside");
	note("torn", STR("x"), 6);
	tap_ok(look("torn", STR(""), STR("x"), &n) == 6 && n == 1, "and begun anew");
	arena_release(&a);
	buf_release(&b);
}

static void test_processes(void)
{
	enum { PROCS = 6, EACH = 200 };
	for (int p = 0; p < PROCS; p++) {
		if (fork() != 0)
			continue;
		struct arena a = {0};
		for (int round = 0; round < 4; round++) {
			struct history *h = history_open("shared");
			for (int i = 0; i < EACH; i++)
				history_note(h, str_fmt(&a, "p%d/%d", p, round * EACH + i), 1);
			history_close(h);
		}
		arena_release(&a);
		_exit(0);
	}
	int bad = 0, status;
	for (int p = 0; p < PROCS; p++)
		bad += wait(&status) < 0 || status != 0;
	size_t n;
	look("shared", STR(""), STR("x"), &n);
	tap_ok(!bad && n == (size_t)PROCS * EACH * 4, "six processes at once lose nothing (%zu)", n);
}

int main(void)
{
	struct arena a = {0};
	char *home;
	CHECK(fs_mkdtemp(&a, "/tmp", "history-test-", &home, NULL) && chdir(home) == 0);
	test_basic();
	test_damage();
	test_processes();
	CHECK(chdir("/") == 0 && fs_remove_tree(home, NULL));
	arena_release(&a);
	return tap_done();
}
