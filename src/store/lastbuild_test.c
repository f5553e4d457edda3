#include "store/lastbuild.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/tap.h"

#define N 300

static bool unchanged(const struct digest *request, const char *want_text)
{
	struct buf text = {0};
	size_t n = 0;
	bool same = lastbuild_unchanged("last", request, &text, &n);
	bool ok = same && n == N + 1 && str_eq(buf_str(&text), str_from(want_text));
	if (!same)
		CHECK(text.len == 0);
	buf_release(&text);
	return ok;
}

static void record(struct arena *a, const struct digest *request)
{
	struct lastbuild_writer *w = lastbuild_begin(request);
	struct file_sig sig;
	for (int i = 0; i < N; i++) {
		const char *path = str_fmt(a, "d%d/f%d", i / 50, i).ptr;
		fs_stat(path, &sig, NULL);
		lastbuild_add(w, path, &sig);
		sig.size++;
		lastbuild_add(w, path, &sig);
	}
	fs_stat("missing", &sig, NULL);
	lastbuild_add(w, "missing", &sig);
	CHECK(lastbuild_commit(w, "last", STR("warnings\n"), NULL));
}

/* Every cut and a flipped bit in every byte of the record. */
static void test_damage(const struct digest *request)
{
	struct buf good = {0};
	int believed = 0, tried = 0;
	CHECK(fs_read("last", &good, NULL));
	for (size_t i = 0; i < good.len; i += i < 400 ? 1 : 37) {
		CHECK(fs_write_atomic("last", str_n(good.ptr, i), 0644, false, NULL));
		believed += unchanged(request, "warnings\n");
		good.ptr[i] ^= 4;
		CHECK(fs_write_atomic("last", buf_str(&good), 0644, false, NULL));
		believed += unchanged(request, "warnings\n");
		good.ptr[i] ^= 4;
		tried++;
	}
	tap_ok(tried > 100 && believed == 0, "no damaged record is believed (%d places)", tried);
	CHECK(fs_write_atomic("last", buf_str(&good), 0644, false, NULL));
	tap_ok(unchanged(request, "warnings\n"), "the sound one is");
	buf_release(&good);
}

static void test_looked_for(const struct digest *request)
{
	struct lastbuild_writer *w = lastbuild_begin(request);
	struct file_sig sig;
	const char *const twice[] = {"d0/f1", "d0/f2", "d0/f1"};
	for (size_t i = 0; i < ARRAY_LEN(twice); i++) {
		CHECK(fs_stat(twice[i], &sig, NULL));
		if (i < 2)
			sig = fs_sig_only_exists(sig);
		lastbuild_add(w, twice[i], &sig);
	}
	size_t n;
	struct buf text = {0};
	CHECK(lastbuild_commit(w, "looked-for", STR(""), NULL));
	CHECK(fs_write_atomic("d0/f2", STR("z"), 0644, false, NULL));
	tap_ok(lastbuild_unchanged("looked-for", request, &text, &n) && n == 2, "a file that was only looked for");
	CHECK(fs_write_atomic("d0/f1", STR("z"), 0644, false, NULL));
	tap_ok(!lastbuild_unchanged("looked-for", request, &text, &n), "one that was read, too");
	buf_release(&text);
}

int main(void)
{
	struct arena a = {0};
	char *home;
	CHECK(fs_mkdtemp(&a, "/tmp", "lastbuild-test-", &home, NULL) && chdir(home) == 0);
	for (int i = 0; i < N; i++) {
		const char *path = str_fmt(&a, "d%d/f%d", i / 50, i).ptr;
		CHECK(fs_mkdirs_parent(path, NULL) && fs_write_atomic(path, STR("x"), 0644, false, NULL));
	}
	struct digest request = digest_of(STR("request")), other = digest_of(STR("other"));
	tap_ok(!unchanged(&request, ""), "no record");
	record(&a, &request);
	tap_ok(unchanged(&request, "warnings\n"), "nothing changed; of duplicates the first counts");
	tap_ok(!unchanged(&other, "warnings\n"), "another request");
	test_damage(&request);
	test_looked_for(&request);
	record(&a, &request);
	CHECK(fs_write_atomic("d3/f170", STR("y"), 0644, false, NULL));
	tap_ok(!unchanged(&request, "warnings\n"), "a file changed");
	record(&a, &request);
	tap_ok(unchanged(&request, "warnings\n"), "recorded again");
	CHECK(fs_write_atomic("missing", STR("y"), 0644, false, NULL));
	tap_ok(!unchanged(&request, "warnings\n"), "a file came to be");
	CHECK(fs_remove("missing", NULL));
	tap_ok(unchanged(&request, "warnings\n"), "and went");
	CHECK(fs_remove("d0/f0", NULL));
	tap_ok(!unchanged(&request, "warnings\n"), "a file is gone");
	struct lastbuild_writer *w = lastbuild_begin(&request);
	CHECK(lastbuild_commit(w, "last", STR(""), NULL));
	size_t n = 1;
	struct buf text = {0};
	tap_ok(lastbuild_unchanged("last", &request, &text, &n) && n == 0, "a record of nothing");
	buf_release(&text);
	w = lastbuild_begin(&request);
	struct err err = {0};
	tap_ok(!lastbuild_commit(w, "nowhere/last", STR(""), &err) && err.kind == ERR_ENVIRONMENT, "no folder for it");
	err_clear(&err);
	lastbuild_abandon(lastbuild_begin(&request));
	CHECK(chdir("/") == 0 && fs_remove_tree(home, NULL));
	arena_release(&a);
	return tap_done();
}
