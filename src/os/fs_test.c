#include "os/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/tap.h"
#include "os/clock.h"
#include "os/landlock.h"

/* Everything happens in a folder of its own, which is the working directory. */
static char *make_home(struct arena *a)
{
	char *dir;
	const char *tmp = getenv("TMPDIR");
	CHECK(fs_mkdtemp(a, tmp ? tmp : "/tmp", "fs-test-", &dir, NULL));
	CHECK(chdir(dir) == 0);
	return dir;
}

static size_t count_names(const char *dir)
{
	struct arena a = {0};
	StrVec names = {0};
	CHECK(fs_list(&a, dir, &names, NULL));
	size_t n = names.len;
	vec_release(&names);
	arena_release(&a);
	return n;
}

static void test_paths(struct arena *a)
{
	static const char *const absolute[][2] = {
	        {"/a/b", "/a/b"}, {"/a/./b//c/", "/a/b/c"}, {"/a/b/../c", "/a/c"}, {"/../..", "/"},
	        {"/", "/"},       {"/a/../../b", "/b"},
	};
	for (size_t i = 0; i < ARRAY_LEN(absolute); i++)
		tap_eq_str(str_from(path_absolute(a, absolute[i][0])), str_from(absolute[i][1]), "path_absolute");
	char *cwd = getcwd(NULL, 0);
	tap_eq_str(str_from(path_absolute(a, "x/../y")), str_fmt(a, "%s/y", cwd), "path_absolute of a relative path");
	free(cwd);
	tap_eq_str(str_from(path_join(a, "a", "b")), STR("a/b"), "path_join");
	tap_eq_str(str_from(path_join(a, "a/", "b")), STR("a/b"), "path_join with a slash");
	tap_eq_str(str_from(path_join(a, "a", "/b")), STR("/b"), "path_join with an absolute path");
	tap_eq_str(path_dir(STR("a/b")), STR("a"), "path_dir a/b");
	tap_eq_str(path_dir(STR("a")), STR("."), "path_dir a");
	tap_eq_str(path_dir(STR("/a")), STR("/"), "path_dir /a");
	tap_eq_str(path_dir(STR("/")), STR("/"), "path_dir /");
	tap_eq_str(path_dir(STR("a//b/")), STR("a"), "path_dir a//b/");
	tap_eq_str(path_base(STR("a/b.c")), STR("b.c"), "path_base");
	tap_eq_str(path_base(STR("/")), STR("/"), "path_base /");
	tap_eq_str(path_ext(STR("a.b/c")), STR(""), "no extension");
	tap_eq_str(path_ext(STR("a/c.d.lisp")), STR("lisp"), "extension");
	tap_eq_str(path_ext(STR("a/.profile")), STR(""), "a hidden file has no extension");
	tap_eq_str(path_below(STR("/a/b/c"), STR("/a")), STR("b/c"), "path_below");
	tap_eq_str(path_below(STR("/ab/c"), STR("/a")), STR("/ab/c"), "path_below is by whole names");
	tap_eq_str(path_below(STR("/a/b"), STR("/")), STR("a/b"), "path_below /");
}

static void test_write(void)
{
	struct buf b = {0};
	struct file_sig one, two;
	struct err err = {0};
	tap_ok(fs_write_atomic("f", STR("hello"), 0640, false, NULL), "write");
	tap_ok(fs_stat("f", &one, NULL) && one.size == 5 && (one.mode & 0777) == 0640 && fs_is_file(&one), "its state");
	tap_ok(fs_write_atomic("f", STR("world!"), 0444, true, NULL), "write over it, durably");
	tap_ok(fs_stat("f", &two, NULL) && two.ino != one.ino && !fs_sig_eq(&one, &two), "it is another file");
	struct file_sig there = fs_sig_only_exists(one), gone = {0};
	tap_ok(fs_sig_eq(&there, &two) && fs_sig_eq(&two, &there) && !fs_sig_eq(&there, &gone),
	       "where only that it is there counts it is the same");
	tap_ok(fs_read("f", &b, NULL) && fs_read("f", &b, NULL), "read twice");
	tap_eq_str(buf_str(&b), STR("world!world!"), "reading appends");
	tap_ok(!fs_write_atomic("missing/f", STR("x"), 0644, false, &err) && err.errnum == ENOENT, "no such folder");
	tap_ok(!fs_read("missing", &b, &err) && err.errnum == ENOENT, "no such file");
	tap_ok(fs_read("/proc/self/status", &b, NULL) && b.len > 500, "a file that tells no size");
	struct str map;
	tap_ok(fs_map("f", &map, NULL) && str_eq(map, STR("world!")), "map");
	fs_unmap(map);
	tap_ok(fs_write_atomic("empty", STR(""), 0644, false, NULL) && fs_map("empty", &map, NULL) && !map.ptr,
	       "map of an empty file");
	tap_ok(!fs_map(".", &map, NULL), "a folder cannot be mapped");
	tap_eq_int((int64_t)count_names("."), 2, "no temporary file is left");
	err_clear(&err);
	buf_release(&b);
}

/* The limit on file sizes is a full disk that any user can have. */
static void test_full_disk(void)
{
	struct rlimit old, small;
	struct err err = {0};
	char *big = calloc(1, 100000);
	CHECK(getrlimit(RLIMIT_FSIZE, &old) == 0);
	small = old;
	small.rlim_cur = 4096;
	signal(SIGXFSZ, SIG_IGN);
	CHECK(setrlimit(RLIMIT_FSIZE, &small) == 0);
	size_t before = count_names(".");
	bool ok = fs_write_atomic("f", str_n(big, 100000), 0644, false, &err);
	CHECK(setrlimit(RLIMIT_FSIZE, &old) == 0);
	tap_ok(!ok && err.kind == ERR_ENVIRONMENT, "a write that does not fit fails");
	tap_eq_int((int64_t)count_names("."), (int64_t)before, "and leaves nothing");
	struct buf b = {0};
	tap_ok(fs_read("f", &b, NULL) && str_eq(buf_str(&b), STR("world!")), "and the old content stays");
	free(big);
	buf_release(&b);
	err_clear(&err);
}

static void test_link(void)
{
	struct file_sig a, b;
	struct err err = {0};
	CHECK(fs_write_atomic("src", STR("source"), 0444, false, NULL));
	fs_stat("src", &a, NULL);
	tap_ok(fs_link("src", "dst", NULL) && fs_stat("dst", &b, NULL) && a.ino == b.ino, "link");
	size_t n = count_names(".");
	tap_ok(fs_link("src", "dst", NULL) && count_names(".") == n, "link over itself leaves no temporary name");
	tap_ok(fs_sig_eq(&a, &b), "a link more does not change the signature of a read-only file");
	CHECK(fs_write_atomic("dst", STR("other"), 0644, false, NULL));
	tap_ok(fs_link("src", "dst", NULL) && fs_stat("dst", &b, NULL) && a.ino == b.ino, "link over another file");
	CHECK(fs_remove("dst", NULL));
	tap_ok(fs_stat("src", &a, NULL) && fs_sig_eq(&a, &b), "nor does one less");
	chmod("src", 0644);
	fs_stat("src", &b, NULL);
	tap_ok(!fs_sig_eq(&a, &b), "its mode does");
	chmod("src", 0444);
	tap_ok(fs_copy("src", "dst", 0600, NULL) && fs_stat("dst", &b, NULL) && a.ino != b.ino && b.size == 6 &&
	               (b.mode & 0777) == 0600,
	       "copy");
	tap_ok(fs_copy("/proc/self/cmdline", "cmd", 0600, NULL) && fs_stat("cmd", &b, NULL) && b.size > 0,
	       "copy of a file that tells no size");
	tap_ok(!fs_link("missing", "dst2", &err) && err.kind == ERR_USER, "link of a missing file");
	tap_ok(!fs_copy("missing", "dst2", 0644, &err), "copy of a missing file");
	/* Another file system, where there is one. */
	char shm[] = "/dev/shm/fs-test-XXXXXX";
	struct file_sig s1, s2;
	int fd = mkstemp(shm);
	tap_ok(fd >= 0, "needs /dev/shm, a file system of its own");
	fs_stat(shm, &s1, NULL);
	fs_stat("src", &s2, NULL);
	tap_ok(s1.dev != s2.dev, "/dev/shm is another file system than TMPDIR");
	tap_ok(fs_link("src", shm, NULL) && fs_stat(shm, &b, NULL) && b.size == 6 && (b.mode & 0777) == 0444,
	       "a link to another file system is a copy");
	close(fd);
	unlink(shm);
	err_clear(&err);
}

struct walked {
	struct buf text;
};

static bool note_file(void *ctx, const char *rel, const struct file_sig *sig, struct err *err)
{
	struct walked *w = ctx;
	(void)err;
	buf_addf(&w->text, "%s:%llu ", rel, (unsigned long long)sig->size);
	return true;
}

static void test_folders(void)
{
	struct err err = {0};
	struct walked w = {0};
	tap_ok(fs_mkdirs("t/a/b/c", NULL) && fs_mkdirs("t/a/b/c", NULL) && fs_mkdirs("t//a/", NULL), "mkdirs");
	tap_ok(fs_mkdirs_parent("t/p/q/file", NULL) && access("t/p/q", F_OK) == 0, "mkdirs_parent");
	fs_write_atomic("t/a/z", STR("1"), 0644, false, NULL);
	fs_write_atomic("t/a/b/y", STR("22"), 0644, false, NULL);
	fs_write_atomic("t/a.x", STR("333"), 0644, false, NULL);
	tap_ok(!fs_mkdirs("t/a/z/no", &err) && err.errnum == ENOTDIR, "a file in the way");
	CHECK(symlink("/", "t/root") == 0);
	tap_ok(fs_walk("t", note_file, &w, NULL), "walk");
	tap_eq_str(buf_str(&w.text), STR("a/b/y:2 a/z:1 a.x:3 "), "walk visits files, sorted, and follows no link");
	chmod("t/a/b", 0500);
	tap_ok(fs_remove_tree("t", NULL) && access("t", F_OK) != 0, "remove a tree with a read-only folder and a link");
	tap_ok(access("/etc", F_OK) == 0, "what the link named is still there");
	tap_ok(fs_remove_tree("t", NULL), "removing what is absent is fine");
	tap_ok(fs_remove("nothing", NULL) && fs_remove("nothing/below", NULL), "so for a file");
	buf_release(&w.text);
	err_clear(&err);
}

/* Deeper than any path or table of descriptors allows. */
static void test_deep_tree(void)
{
	CHECK(mkdir("deep", 0700) == 0);
	int home = open(".", O_RDONLY | O_DIRECTORY), at = open("deep", O_RDONLY | O_DIRECTORY);
	char name[101];
	memset(name, 'x', 100);
	name[100] = 0;
	for (int i = 0; i < 2000; i++) {
		CHECK(mkdirat(at, name, 0700) == 0);
		int down = openat(at, name, O_RDONLY | O_DIRECTORY);
		int fd = openat(at, "file", O_CREAT | O_WRONLY, 0600);
		CHECK(down >= 0 && fd >= 0);
		close(fd);
		close(at);
		at = down;
	}
	close(at);
	tap_ok(fs_remove_tree("deep", NULL) && access("deep", F_OK) != 0, "remove a tree of 2000 levels");
	close(home);
}

static void test_unchanged(struct arena *a)
{
	enum { DIRS = 40, FILES = 200, N = DIRS * FILES };
	const char **paths = arena_new_n(a, const char *, N);
	struct file_sig *sigs = arena_new_n(a, struct file_sig, N);
	for (int d = 0; d < DIRS; d++) {
		CHECK(fs_mkdirs(str_fmt(a, "many/d%d", d).ptr, NULL));
		for (int f = 0; f < FILES; f++) {
			int i = d * FILES + f;
			paths[i] = str_fmt(a, "many/d%d/f%d", d, f).ptr;
			if (i % 7)
				CHECK(fs_write_atomic(paths[i], str_n("xxxxxxxx", (size_t)(i % 9)), 0644, false, NULL));
		}
	}
	for (int i = 0; i < N; i++)
		CHECK(fs_stat(paths[i], &sigs[i], NULL));
	for (unsigned threads = 0; threads < 6; threads++) {
		tap_ok(fs_unchanged(paths, sigs, N, threads), "%u threads see what stat saw", threads);
		int missed = 0;
		for (int i = 0; i < N; i += 997) {
			uint64_t ino = sigs[i].ino++;
			missed += fs_unchanged(paths, sigs, N, threads);
			sigs[i].ino = ino;
		}
		tap_eq_int(missed, 0, "%u threads see each that is another one", threads);
	}
	CHECK(fs_write_atomic(paths[N - 1], STR("new"), 0644, false, NULL));
	tap_ok(!fs_unchanged(paths, sigs, N, 0) && !fs_unchanged(paths, sigs, N, 1), "the last one changed");
	CHECK(fs_write_atomic(paths[7], STR("new"), 0644, false, NULL));
	tap_ok(!fs_unchanged(paths, sigs, 8, 0), "one that was missing is there");
	tap_ok(fs_unchanged(paths, sigs, 0, 0), "no paths: unchanged");
	tap_ok(fs_remove_tree("many", NULL), "remove 8000 files");
}

static void test_sigs(void)
{
	struct file_sig a, b;
	tap_ok(fs_stat("missing", &a, NULL) && a.mode == 0, "a missing file is no error");
	tap_ok(fs_stat("f/below", &a, NULL) && a.mode == 0, "nor is one below a file");
	CHECK(symlink("loop", "loop") == 0);
	tap_ok(fs_stat("loop", &a, NULL) && a.mode == 0, "nor is a link to itself");
	CHECK(fs_write_atomic("young", STR("x"), 0644, false, NULL));
	fs_stat("young", &a, NULL);
	tap_ok(fs_sig_racy(&a, clock_real_ns()), "a file just written is racy");
	tap_ok(!fs_sig_racy(&a, a.ctime_ns + FS_RACY_NS + 1), "one written before is not");
	CHECK(mkdir("dir", 0755) == 0);
	fs_stat("dir", &a, NULL);
	chmod("dir", 0700);
	fs_stat("dir", &b, NULL);
	tap_ok(fs_sig_eq(&a, &b) == ((a.mode & S_IFMT) == (b.mode & S_IFMT)), "a folder's mode does not count");
	CHECK(mkdir("dir/new", 0755) == 0);
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = 1}};
	CHECK(utimensat(AT_FDCWD, "dir", times, 0) == 0);
	fs_stat("dir", &b, NULL);
	tap_ok(!fs_sig_eq(&a, &b), "its time does");
}

static void test_lock(void)
{
	int one, two;
	tap_ok(fs_lock("lock", true, &one, NULL) && one >= 0, "lock");
	tap_ok(fs_lock("lock", false, &two, NULL) && two == -1, "held by someone else");
	fs_unlock(one);
	tap_ok(fs_lock("lock", false, &two, NULL) && two >= 0, "free again");
	fs_unlock(two);
}

int main(void)
{
	struct arena a = {0};
	char *home = make_home(&a);
	test_paths(&a);
	test_write();
	test_full_disk();
	test_link();
	test_folders();
	test_deep_tree();
	test_unchanged(&a);
	test_sigs();
	test_lock();
	int64_t t = clock_mono_ns();
	tap_ok(clock_mono_ns() >= t && clock_real_ns() > INT64_C(1600000000000000000), "clocks");
	tap_ok(landlock_abi() >= 0 && landlock_abi() < 1000, "landlock's version is a small number");
	CHECK(chdir("/") == 0);
	tap_ok(fs_remove_tree(home, NULL), "clean up");
	arena_release(&a);
	return tap_done();
}
