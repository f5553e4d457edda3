#include "store/filecache.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/tap.h"
#include "os/clock.h"

/* Puts the content in place under the time and size that the file had: only the digest can tell. */
static void swap_in_place(const char *path, struct str bytes)
{
	struct stat st;
	CHECK(stat(path, &st) == 0);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	CHECK(fd >= 0 && write(fd, bytes.ptr, bytes.len) == (ssize_t)bytes.len);
	const struct timespec times[2] = {st.st_atim, st.st_mtim};
	CHECK(futimens(fd, times) == 0);
	close(fd);
}

/* Waits for the clock, not for another process: until the file's signature proves something. */
static void let_age(const char *path)
{
	struct file_sig sig;
	do
		CHECK(fs_stat(path, &sig, NULL));
	while (fs_sig_racy(&sig, clock_real_ns()));
}

static struct digest get(struct filecache *fc, const char *path, bool want_exists)
{
	struct digest d = {0};
	bool exists;
	CHECK(filecache_digest(fc, path, &d, NULL, &exists, NULL));
	CHECK(exists == want_exists);
	return d;
}

static bool is(struct digest got, struct str content)
{
	struct digest want = digest_of(content);
	return digest_eq(&got, &want);
}

static void test_files(void)
{
	struct filecache *fc = filecache_load("cache");
	struct file_sig sig, now;
	bool exists;
	struct digest d;
	CHECK(fs_write_atomic("f", STR("one"), 0644, false, NULL));
	tap_ok(is(get(fc, "f", true), STR("one")), "a new file");
	tap_ok(filecache_save(fc, "cache", NULL) && access("cache", F_OK) != 0, "a racy signature is not remembered");
	let_age("f");
	tap_ok(filecache_digest(fc, "f", &d, &sig, &exists, NULL) && is(d, STR("one")) && fs_stat("f", &now, NULL) &&
	               fs_sig_eq(&sig, &now),
	       "digest and signature");
	tap_ok(filecache_save(fc, "cache", NULL) && access("cache", F_OK) == 0, "an old one is");
	CHECK(fs_remove("cache", NULL));
	tap_ok(filecache_save(fc, "cache", NULL) && access("cache", F_OK) != 0, "saved only if changed");
	CHECK(fs_write_atomic("f", STR("two"), 0644, false, NULL));
	tap_ok(is(get(fc, "f", true), STR("two")), "replaced");
	let_age("f");
	tap_ok(is(get(fc, "f", true), STR("two")), "remembered");
	swap_in_place("f", STR("six"));
	tap_ok(is(get(fc, "f", true), STR("six")), "same size and times: ctime tells");
	struct digest missing = get(fc, "missing", false);
	tap_ok(digest_is_zero(&missing), "missing");
	CHECK(filecache_save(fc, "cache", NULL));
	filecache_free(fc);
}

/* That the saved digest is used, not the file: a wrong one planted under the right signature comes back. */
static void test_reuse(void)
{
	struct filecache *fc = filecache_load("cache2");
	let_age("f");
	struct digest real = get(fc, "f", true), got;
	CHECK(filecache_save(fc, "cache2", NULL));
	filecache_free(fc);
	struct buf b = {0};
	CHECK(fs_read("cache2", &b, NULL));
	size_t at = str_search(buf_str(&b), str_n((const char *)real.bytes, 32));
	tap_ok(at < b.len, "the digest is in the file");
	b.ptr[at] ^= 1;
	CHECK(fs_write_atomic("cache2", buf_str(&b), 0644, false, NULL));
	fc = filecache_load("cache2");
	got = get(fc, "f", true);
	tap_ok(digest_eq(&got, &real), "a damaged cache counts as empty");
	filecache_free(fc);
	/* The checksum made right: the header's third word covers all from the fourth on. */
	uint64_t sum = checksum64(b.ptr + 24, b.len - 24);
	memcpy(b.ptr + 16, &sum, 8);
	CHECK(fs_write_atomic("cache2", buf_str(&b), 0644, false, NULL));
	fc = filecache_load("cache2");
	got = get(fc, "f", true);
	real.bytes[0] ^= 1;
	tap_ok(digest_eq(&got, &real), "what was saved is used while the signature holds");
	filecache_free(fc);
	int loaded = 0;
	for (size_t n = 0; n < b.len; n++) {
		CHECK(fs_write_atomic("cache2", str_n(b.ptr, n), 0644, false, NULL));
		fc = filecache_load("cache2");
		got = get(fc, "f", true);
		loaded += digest_eq(&got, &real);
		filecache_free(fc);
	}
	tap_eq_int(loaded, 0, "a truncated cache counts as empty");
	buf_release(&b);
}

static void test_folders(void)
{
	struct filecache *fc = filecache_load("cache3");
	CHECK(fs_mkdirs("dir/sub", NULL));
	struct digest one = get(fc, "dir", true), two;
	let_age("dir");
	two = get(fc, "dir", true);
	tap_ok(digest_eq(&one, &two), "a folder");
	CHECK(fs_write_atomic("dir/sub/file", STR("x"), 0644, false, NULL));
	two = get(fc, "dir", true);
	tap_ok(digest_eq(&one, &two), "what lies deeper does not count");
	CHECK(fs_write_atomic("dir/file", STR("x"), 0644, false, NULL));
	two = get(fc, "dir", true);
	tap_ok(!digest_eq(&one, &two), "a new name counts");
	CHECK(fs_write_atomic("dir/file", STR("other content"), 0644, false, NULL));
	one = get(fc, "dir", true);
	tap_ok(digest_eq(&one, &two), "the names, not what is in the files");
	CHECK(fs_remove("dir/file", NULL));
	one = get(fc, "dir", true);
	tap_ok(!digest_eq(&one, &two), "a name less counts");
	struct digest d;
	bool exists;
	struct err err = {0};
	tap_ok(!filecache_digest(fc, "/dev/null", &d, NULL, &exists, &err) && err.kind == ERR_USER, "a device");
	err_clear(&err);
	filecache_free(fc);
}

static void test_many(struct arena *a)
{
	enum { N = 10000 };
	struct filecache *fc = filecache_load("cache4");
	const char **paths = arena_new_n(a, const char *, N);
	CHECK(fs_mkdirs("many", NULL));
	for (int i = 0; i < N; i++) {
		paths[i] = str_fmt(a, "many/f%d", i).ptr;
		CHECK(fs_write_atomic(paths[i], str_from(paths[i]), 0644, false, NULL));
	}
	let_age(paths[N - 1]);
	for (int i = 0; i < N; i++)
		get(fc, paths[i], true);
	CHECK(filecache_save(fc, "cache4", NULL));
	filecache_free(fc);
	int64_t from = clock_mono_ns();
	fc = filecache_load("cache4");
	int64_t loaded = clock_mono_ns();
	int wrong = 0;
	for (int i = 0; i < N; i++)
		wrong += !is(get(fc, paths[i], true), str_from(paths[i]));
	tap_eq_int(wrong, 0, "10000 files");
	tap_note("loaded 10000 entries in %.2f ms", (double)(loaded - from) / 1e6);
	filecache_free(fc);
}

int main(void)
{
	struct arena a = {0};
	char *home;
	CHECK(fs_mkdtemp(&a, "/tmp", "filecache-test-", &home, NULL) && chdir(home) == 0);
	test_files();
	test_reuse();
	test_folders();
	test_many(&a);
	CHECK(chdir("/") == 0 && fs_remove_tree(home, NULL));
	arena_release(&a);
	return tap_done();
}
