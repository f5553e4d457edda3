#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/tap.h"
#include "os/clock.h"

static struct store *open_store(const char *root)
{
	struct store *s;
	struct err err = {0};
	if (!store_open(root, &s, &err))
		BUG("%s", buf_cstr(&err.message));
	return s;
}

static struct store_stats stats(struct store *s)
{
	struct store_stats st;
	CHECK(store_stat(s, &st, NULL));
	return st;
}

static void put_file(const char *path, struct str bytes, unsigned mode)
{
	CHECK(fs_write_atomic(path, bytes, mode, false, NULL));
}

/* Changes a blob behind the store's back. */
static void damage(struct store *s, const struct digest *d, struct str bytes)
{
	struct arena a = {0};
	char *path = store_blob_path(s, &a, d);
	CHECK(chmod(path, 0644) == 0);
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	CHECK(fd >= 0 && write(fd, bytes.ptr, bytes.len) == (ssize_t)bytes.len);
	close(fd);
	arena_release(&a);
}

static bool file_is(const char *path, struct str want, unsigned mode)
{
	struct buf b = {0};
	struct file_sig sig;
	bool same = fs_read(path, &b, NULL) && str_eq(buf_str(&b), want) && fs_stat(path, &sig, NULL) &&
	            (sig.mode & 07777) == mode;
	buf_release(&b);
	return same;
}

static void test_content(struct store *s)
{
	struct digest d, e, want = digest_of(STR("content"));
	uint64_t size;
	struct arena a = {0};
	put_file("f", STR("content"), 0644);
	tap_ok(store_put_file(s, "f", false, &d, &size, NULL) && digest_eq(&d, &want) && size == 7, "put a copy");
	tap_ok(access("f", F_OK) == 0 && store_has(s, &d, 7) && !store_has(s, &d, 8) && store_check(s, &d),
	       "it is there");
	tap_ok(store_put_file(s, "f", true, &e, &size, NULL) && digest_eq(&d, &e) && access("f", F_OK) != 0,
	       "move what is there already");
	put_file("g", STR("moved"), 0755);
	tap_ok(store_put_file(s, "g", true, &e, NULL, NULL) && access("g", F_OK) != 0, "move something new");
	tap_ok(file_is(store_blob_path(s, &a, &d), STR("content"), 0444), "blobs are read-only");
	tap_ok(file_is(store_blob_path(s, &a, &e), STR("moved"), 0555), "and executable when the file was");
	tap_ok(store_materialize(s, &d, "out", NULL) && file_is("out", STR("content"), 0444), "materialize");
	tap_ok(store_materialize(s, &e, "out", NULL) && file_is("out", STR("moved"), 0555), "over another file");
	struct buf b = {0};
	tap_ok(store_read(s, &d, &b, NULL) && store_read(s, &e, &b, NULL) && str_eq(buf_str(&b), STR("contentmoved")),
	       "read appends");
	tap_ok(store_put_bytes(s, STR("bytes"), &e, NULL) && store_check(s, &e), "put bytes");
	put_file("h", STR("two names"), 0644);
	CHECK(link("h", "i") == 0);
	tap_ok(store_put_file(s, "h", true, &e, NULL, NULL) && access("h", F_OK) != 0, "move a file with two names");
	put_file("i", STR("TWO NAMES"), 0644);
	tap_ok(store_check(s, &e), "the other name does not lead to the blob");
	struct err err = {0};
	tap_ok(!store_put_file(s, "missing", false, &e, NULL, &err) && err.kind == ERR_USER, "put a missing file");
	tap_ok(!store_put_file(s, "/", false, &e, NULL, &err) && err.kind == ERR_USER, "put a folder");
	tap_ok(!store_materialize(s, &d, "no/folder", &err) && err.kind == ERR_ENVIRONMENT, "no folder to put it");
	want = digest_of(STR("never seen"));
	tap_ok(!store_materialize(s, &want, "out", &err) && err.kind == ERR_TRANSIENT, "materialize an absent blob");
	tap_ok(!store_read(s, &want, &b, &err) && err.kind == ERR_TRANSIENT, "read an absent blob");
	tap_eq_int((int64_t)stats(s).tmp_files, 0, "no temporary file is left");
	err_clear(&err);
	buf_release(&b);
	arena_release(&a);
}

static void test_damage(struct store *s)
{
	static const char *const bad[] = {"", "conten", "CONTENT", "content and more"};
	struct digest d;
	struct buf b = {0};
	struct err err = {0};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		CHECK(store_put_bytes(s, STR("content"), &d, NULL));
		damage(s, &d, str_from(bad[i]));
		tap_ok(!store_check(s, &d) && !store_has(s, &d, 7), "damage %zu is found and removed by check", i);
		CHECK(store_put_bytes(s, STR("content"), &d, NULL));
		damage(s, &d, str_from(bad[i]));
		tap_ok(!store_materialize(s, &d, "damaged", &err) && err.kind == ERR_TRANSIENT &&
		               access("damaged", F_OK) != 0 && !store_has(s, &d, 7),
		       "by materialize");
		CHECK(store_put_bytes(s, STR("content"), &d, NULL));
		damage(s, &d, str_from(bad[i]));
		tap_ok(!store_read(s, &d, &b, &err) && err.kind == ERR_TRANSIENT && b.len == 0, "by read");
		CHECK(store_put_bytes(s, STR("content"), &d, NULL));
		damage(s, &d, str_from(bad[i]));
		tap_ok(store_put_bytes(s, STR("content"), &d, NULL) && store_check(s, &d), "and healed by a put");
		damage(s, &d, str_from(bad[i]));
		put_file("heal", STR("content"), 0644);
		tap_ok(store_put_file(s, "heal", true, &d, NULL, NULL) && store_check(s, &d), "of a file too");
	}
	err_clear(&err);
	buf_release(&b);
}

static struct action_result sample(struct store *s, struct result_output out[2])
{
	out[0] = (struct result_output){.path = STR("z/b.fasl"), .size = 7, .mode = 0444};
	out[1] = (struct result_output){.path = STR("a\nb"), .size = 5, .mode = 0555};
	CHECK(store_put_bytes(s, STR("content"), &out[0].digest, NULL));
	CHECK(store_put_bytes(s, STR("other"), &out[1].digest, NULL));
	return (struct action_result){.outputs = out,
	                              .noutputs = 2,
	                              .diagnostics = STR("(:diag\n \"sum x\")"),
	                              .facts = STR("output 7\n"),
	                              .cpu_ns = UINT64_MAX,
	                              .wall_ns = 12,
	                              .label = STR("sys/file.lisp")};
}

static bool found(struct store *s, const struct digest *key, bool require, struct action_result *ret, struct arena *a)
{
	bool yes;
	CHECK(store_get_action(s, a, key, require, ret, &yes, NULL));
	return yes;
}

static char *action_path(struct store *s, struct arena *a, const struct digest *key)
{
	char hex[DIGEST_HEX + 1];
	digest_hex(key, hex);
	return str_dupz(a, str_fmt(a, "%s/ac/%.2s/%s", store_root(s), hex, hex));
}

static void test_actions(struct store *s)
{
	struct arena a = {0};
	struct result_output out[2];
	struct action_result r = sample(s, out), got;
	struct digest key = digest_of(STR("key")), other = digest_of(STR("other key"));
	tap_ok(!found(s, &key, false, &got, &a), "no result");
	tap_ok(store_put_action(s, &key, &r, NULL) && found(s, &key, true, &got, &a), "put and get");
	tap_ok(got.noutputs == 2 && str_eq(got.outputs[0].path, STR("a\nb")) &&
	               str_eq(got.outputs[1].path, STR("z/b.fasl")),
	       "outputs are sorted");
	tap_ok(digest_eq(&got.outputs[1].digest, &out[0].digest) && got.outputs[1].size == 7 &&
	               got.outputs[0].mode == 0555,
	       "digest, size, mode");
	tap_ok(str_eq(got.diagnostics, r.diagnostics) && str_eq(got.facts, r.facts) && str_eq(got.label, r.label) &&
	               got.cpu_ns == r.cpu_ns && got.wall_ns == 12,
	       "the rest");
	damage(s, &out[0].digest, STR("short"));
	tap_ok(!found(s, &key, true, &got, &a) && found(s, &key, false, &got, &a), "an output of another size");
	CHECK(!store_check(s, &out[0].digest));
	tap_ok(!found(s, &key, true, &got, &a), "an output that is gone");
	CHECK(store_put_bytes(s, STR("content"), &out[0].digest, NULL));
	tap_ok(found(s, &key, true, &got, &a), "and is there again");
	/* Under another key's name it is no result. */
	char *from = action_path(s, &a, &key), *to = action_path(s, &a, &other);
	CHECK(fs_mkdirs_parent(to, NULL) && fs_copy(from, to, 0644, NULL));
	tap_ok(!found(s, &other, false, &got, &a) && access(to, F_OK) != 0, "a file of another key is removed");
	struct buf good = {0}, text = {0};
	CHECK(fs_read(from, &good, NULL));
	int believed = 0, kept = 0;
	for (size_t i = 0; i < good.len; i++) {
		put_file(from, str_n(good.ptr, i), 0644);
		believed += found(s, &key, false, &got, &a);
		good.ptr[i] ^= 1;
		put_file(from, buf_str(&good), 0644);
		believed += found(s, &key, false, &got, &a);
		kept += access(from, F_OK) == 0;
		good.ptr[i] ^= 1;
	}
	tap_ok(good.len > 300 && !believed && !kept, "no damaged result is believed or kept");
	r = (struct action_result){0};
	tap_ok(store_put_action(s, &key, &r, NULL) && found(s, &key, true, &got, &a) && got.noutputs == 0 &&
	               got.facts.len == 0,
	       "an empty result");
	bool yes;
	tap_ok(store_put_text(s, &other, STR("some\ntext"), NULL) && store_get_text(s, &other, &text, &yes, NULL) &&
	               yes && str_eq(buf_str(&text), STR("some\ntext")),
	       "a text");
	tap_ok(store_get_text(s, &out[0].digest, &text, &yes, NULL) && !yes, "no text");
	buf_release(&good);
	buf_release(&text);
	arena_release(&a);
}

static void test_upkeep(void)
{
	struct arena a = {0};
	struct store *s = open_store("upkeep"), *second;
	struct store_stats removed;
	struct store_verify_report rep;
	struct digest d[10], key[10], loose;
	char bytes[1000] = {0};
	for (int i = 0; i < 10; i++) {
		bytes[0] = (char)i;
		CHECK(store_put_bytes(s, str_n(bytes, sizeof(bytes)), &d[i], NULL));
		struct result_output o = {.path = STR("x"), .digest = d[i], .size = sizeof(bytes), .mode = 0444};
		struct action_result r = {.outputs = &o, .noutputs = 1};
		key[i] = digest_of(str_n(bytes, 1));
		CHECK(store_put_action(s, &key[i], &r, NULL));
		struct timespec used[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = time(NULL) - (10L - i) * 86400 - 43200}};
		CHECK(utimensat(AT_FDCWD, action_path(s, &a, &key[i]), used, 0) == 0);
	}
	CHECK(store_put_bytes(s, STR("no action names it"), &loose, NULL));
	struct buf text = {0};
	struct digest named, text_key = digest_of(STR("text"));
	char hex[DIGEST_HEX + 1];
	CHECK(store_put_bytes(s, STR("a text names it"), &named, NULL));
	digest_hex(&named, hex);
	buf_addf(&text, "(:plan \"%s\")", hex);
	CHECK(store_put_text(s, &text_key, buf_str(&text), NULL));
	tap_ok(stats(s).blobs == 12 && stats(s).actions == 11 && stats(s).blob_bytes == 10033, "stat");
	tap_ok(store_verify(s, &a, &rep, NULL) && rep.checked == 23 && !rep.corrupt && !rep.dangling &&
	               rep.problems.len == 0,
	       "verify a sound store");
	/* Use makes the oldest one the youngest. */
	struct action_result got;
	CHECK(found(s, &key[0], true, &got, &a));
	second = open_store("upkeep");
	struct err err = {0};
	tap_ok(!store_gc(s, 0, 0, &removed, &err) && err.kind == ERR_TRANSIENT, "no gc while another has it open");
	store_close(second);
	tap_ok(store_gc(s, UINT64_MAX, 0, &removed, NULL) && removed.blobs == 1 && removed.actions == 0 &&
	               !store_check(s, &loose) && store_check(s, &named),
	       "gc removes blobs that nothing names");
	tap_ok(store_gc(s, UINT64_MAX, 8, &removed, NULL) && removed.actions == 2 && removed.blobs == 2 &&
	               !store_check(s, &d[1]) && !store_check(s, &d[2]) && store_check(s, &d[0]),
	       "gc by age; what was used today stays");
	struct store_stats st = stats(s);
	uint64_t limit = st.blob_bytes + st.action_bytes - 3500;
	tap_ok(store_gc(s, limit, 0, &removed, NULL) && removed.actions == 3 && !store_check(s, &d[5]) &&
	               store_check(s, &d[6]) && store_check(s, &d[0]),
	       "gc by size, least recently used first");
	st = stats(s);
	tap_ok(st.blob_bytes + st.action_bytes <= limit, "it fits");
	damage(s, &d[6], STR("bad"));
	CHECK(fs_remove(store_blob_path(s, &a, &d[7]), NULL));
	put_file(action_path(s, &a, &key[8]), STR("bad"), 0644);
	put_file("upkeep/cas/strange", STR(""), 0644);
	CHECK(fs_remove("upkeep/cas/strange", NULL) && fs_mkdirs("upkeep/cas/zz", NULL));
	put_file("upkeep/cas/zz/strange", STR("?"), 0644);
	tap_ok(store_verify(s, &a, &rep, NULL) && rep.corrupt == 2 && rep.dangling == 2 && rep.problems.len == 5,
	       "verify finds a bad blob, a bad result, two results without output, and a strange file");
	vec_release(&rep.problems);
	tap_ok(store_gc(s, 0, 0, &removed, NULL) && stats(s).actions == 0 && stats(s).blobs == 1, "gc of all");
	/* What a killed process left in ROOT/tmp. */
	char *scratch, *young;
	CHECK(store_scratch(s, &a, &scratch, NULL) && store_scratch(s, &a, &young, NULL));
	put_file(path_join(&a, scratch, "file"), STR("x"), 0644);
	struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
	CHECK(utimensat(AT_FDCWD, scratch, old, 0) == 0);
	store_close(open_store("upkeep"));
	tap_ok(access(scratch, F_OK) != 0 && access(young, F_OK) == 0, "old leavings are removed at the next opening");
	err_clear(&err);
	store_close(s);
	buf_release(&text);
	arena_release(&a);
}

/* Folders that are put aside come back as scratch folders, whoever asks; not more than a few wait. */
static void test_aside(void)
{
	struct store *s = open_store("aside"), *other = open_store("aside");
	struct arena a = {0};
	char *path, *again;
	tap_ok(!store_take_aside(s, &a), "nothing was put aside");
	CHECK(store_scratch(s, &a, &path, NULL) && fs_mkdirs(path_join(&a, path, "usr/share"), NULL));
	store_put_aside(s, path);
	tap_ok(access(path, F_OK) != 0 && stats(s).tmp_files == 0, "a scratch folder is put aside");
	again = store_take_aside(other, &a);
	tap_ok(again && access(path_join(&a, again, "usr/share"), W_OK) == 0 && stats(s).tmp_files == 1,
	       "and is one again, with the folders in it");
	tap_ok(!store_take_aside(s, &a), "once");
	store_put_aside(other, again);
	for (int i = 0; i < 100; i++) {
		CHECK(store_scratch(s, &a, &path, NULL));
		store_put_aside(s, path);
	}
	int n = 0;
	for (; n < 200 && (path = store_take_aside(s, &a)); n++)
		fs_remove_tree(path, NULL);
	tap_ok(n > 1 && n < 100 && stats(s).tmp_files == 0, "of a hundred some are kept: %d", n);
	store_close(other);
	store_close(s);
	arena_release(&a);
}

static void test_open(void)
{
	struct store *s;
	struct err err = {0};
	put_file("file", STR("x"), 0644);
	tap_ok(!store_open("file/store", &s, &err) && err.kind == ERR_ENVIRONMENT && err.notes.len == 1,
	       "a store where none can be, with a note");
	err_clear(&err);
	store_close(open_store("newer"));
	put_file("newer/version", STR("2\n"), 0644);
	tap_ok(!store_open("newer", &s, &err) && err.kind == ERR_ENVIRONMENT, "another layout is refused");
	put_file("newer/version", STR(""), 0644);
	tap_ok(store_open("newer", &s, NULL), "an empty version is what a power loss left");
	store_close(s);
	err_clear(&err);
}

/* -- several processes -- */

static void make_blob(char *bytes, size_t n, int seed)
{
	for (size_t i = 0; i < n; i++)
		bytes[i] = (char)(seed * 31 + (int)(i % 251));
	memcpy(bytes, &seed, sizeof(seed));
}

enum { PROCS = 8, ROUNDS = 60, BLOB = 20000 };

/* 0 if all went as it must. */
static int putter(int p)
{
	struct store *s = open_store("shared");
	static char bytes[BLOB];
	struct arena a = {0};
	struct err err = {0};
	int bad = 0;
	for (int i = 0; i < ROUNDS; i++) {
		/* Even ones are the same for all. */
		make_blob(bytes, BLOB, i % 2 ? 1000 + p * ROUNDS + i : i);
		struct digest d, want = digest_of(str_n(bytes, BLOB)), key = want;
		const char *path = str_fmt(&a, "p%d-%d", p, i).ptr;
		put_file(path, str_n(bytes, BLOB), 0644);
		bad += !(i % 3 ? store_put_file(s, path, true, &d, NULL, &err)
		               : store_put_bytes(s, str_n(bytes, BLOB), &d, &err));
		bad += !digest_eq(&d, &want);
		struct result_output o = {.path = STR("x"), .digest = d, .size = BLOB, .mode = 0444};
		struct action_result r = {.outputs = &o, .noutputs = 1}, got;
		bad += !store_put_action(s, &key, &r, &err);
		bool yes;
		bad += !store_get_action(s, &a, &key, false, &got, &yes, &err);
		struct buf b = {0};
		/* Gone is fine, wrong is not. */
		if (store_read(s, &d, &b, &err))
			bad += !str_eq(buf_str(&b), str_n(bytes, BLOB));
		else
			bad += err.kind != ERR_TRANSIENT;
		buf_release(&b);
		if (!store_materialize(s, &d, path, &err))
			bad += err.kind != ERR_TRANSIENT;
		if (bad) {
			fprintf(stderr, "process %d, round %d: %s\n", p, i, buf_cstr(&err.message));
			break;
		}
	}
	err_clear(&err);
	arena_release(&a);
	store_close(s);
	return bad;
}

static void vandal(void)
{
	struct arena a = {0};
	struct store *s = open_store("shared");
	static char bytes[BLOB];
	for (unsigned n = 0;; n++) {
		make_blob(bytes, BLOB, (int)(n % ROUNDS) & ~1);
		struct digest d = digest_of(str_n(bytes, BLOB));
		char *path = store_blob_path(s, &a, &d);
		if (n % 2)
			unlink(path);
		else if (truncate(path, 100) != 0)
			unlink(action_path(s, &a, &d));
		arena_release(&a);
		a = (struct arena){0};
	}
}

static void test_processes(void)
{
	struct store *s = open_store("shared");
	pid_t bad_one = fork(), pids[PROCS];
	if (bad_one == 0)
		vandal();
	for (int p = 0; p < PROCS; p++) {
		pids[p] = fork();
		if (pids[p] == 0)
			_exit(putter(p) != 0);
	}
	int bad = 0, status;
	for (int p = 0; p < PROCS; p++)
		bad += waitpid(pids[p], &status, 0) < 0 || status != 0;
	kill(bad_one, SIGKILL);
	waitpid(bad_one, NULL, 0);
	tap_eq_int(bad, 0, "8 processes put, one removes and cuts: no call fails, nothing wrong is read");
	struct arena a = {0};
	struct store_verify_report rep;
	CHECK(store_verify(s, &a, &rep, NULL));
	vec_release(&rep.problems);
	CHECK(store_verify(s, &a, &rep, NULL));
	tap_ok(rep.corrupt == 0 && rep.checked > PROCS * ROUNDS / 2, "what verify leaves is sound");
	tap_eq_int((int64_t)stats(s).tmp_files, 0, "no temporary file is left");
	vec_release(&rep.problems);
	arena_release(&a);
	store_close(s);
}

/* Killed at any instant: the store stays sound. */
static void test_kills(void)
{
	struct store *s = open_store("killed");
	for (int round = 0; round < 30; round++) {
		int fds[2];
		CHECK(pipe(fds) == 0);
		pid_t pid = fork();
		if (pid == 0) {
			static char bytes[BLOB];
			struct store *mine = open_store("killed");
			struct digest d;
			for (int i = 0;; i++) {
				make_blob(bytes, BLOB, round * 1000 + i);
				CHECK(store_put_bytes(mine, str_n(bytes, BLOB), &d, NULL));
				CHECK(store_put_text(mine, &d, STR("text"), NULL));
				if (i == round && write(fds[1], "x", 1) != 1)
					_exit(1);
			}
		}
		char c;
		CHECK(read(fds[0], &c, 1) == 1);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		close(fds[0]);
		close(fds[1]);
	}
	struct arena a = {0};
	struct store_verify_report rep;
	tap_ok(store_verify(s, &a, &rep, NULL) && rep.corrupt == 0 && rep.checked > 500,
	       "30 killed writers: all is sound");
	vec_release(&rep.problems);
	arena_release(&a);
	store_close(s);
}

/* -- a full disk -- */

static void fill(const char *root, const char *how)
{
	struct store *s = open_store(root);
	struct err err = {0};
	struct digest small, d, key = digest_of(STR("key"));
	size_t n = 3u << 20;
	char *big = calloc(1, n);
	for (size_t i = 0; i < n; i++)
		big[i] = (char)(i * i >> 3);
	put_file("big", str_n(big, n), 0644);
	CHECK(store_put_bytes(s, STR("small"), &small, NULL));
	signal(SIGXFSZ, SIG_IGN);
	struct rlimit old, limit;
	CHECK(getrlimit(RLIMIT_FSIZE, &old) == 0);
	limit = old;
	limit.rlim_cur = 2u << 20;
	CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
	tap_ok(!store_put_bytes(s, str_n(big, n), &d, &err) && err.kind == ERR_ENVIRONMENT, "%s: bytes", how);
	tap_ok(!store_put_file(s, "big", false, &d, NULL, &err) && err.kind == ERR_ENVIRONMENT, "%s: a file", how);
	struct action_result r = {.facts = str_n(big, n)};
	tap_ok(!store_put_action(s, &key, &r, &err) && err.kind == ERR_ENVIRONMENT, "%s: a result", how);
	CHECK(setrlimit(RLIMIT_FSIZE, &old) == 0);
	tap_eq_int((int64_t)stats(s).tmp_files, 0, "%s: no temporary file is left", how);
	struct arena a = {0};
	struct store_verify_report rep;
	tap_ok(store_verify(s, &a, &rep, NULL) && rep.checked == 1 && !rep.corrupt && store_check(s, &small),
	       "%s: the store is sound", how);
	tap_ok(store_put_bytes(s, STR("another"), &d, NULL) && store_check(s, &d), "%s: and goes on working", how);
	vec_release(&rep.problems);
	arena_release(&a);
	err_clear(&err);
	free(big);
	store_close(s);
}

static void test_full_disk(void)
{
	/* A limit on file sizes works for everyone; a disk of 2 MiB needs the right to mount. */
	fill("limited", "file size limit");
	CHECK(mkdir("disk", 0700) == 0);
	if (mount("none", "disk", "tmpfs", 0, "size=2m") == 0) {
		fill("disk/store", "full disk");
		tap_ok(umount("disk") == 0, "unmount");
	} else {
		tap_note("no right to mount a tmpfs: the limit on file sizes stands for the full disk");
	}
}

/* -- speed, told, not judged: the machine is shared -- */

static void tell_speed(void)
{
	enum { N = 170, SIZE = 118000 };
	struct store *s = open_store("speed");
	struct arena a = {0};
	static struct digest d[N];
	static struct digest key[N];
	char *bytes = calloc(1, SIZE);
	for (int i = 0; i < N; i++) {
		memcpy(bytes, &i, sizeof(i));
		CHECK(store_put_bytes(s, str_n(bytes, SIZE), &d[i], NULL));
		struct result_output o = {.path = STR("a/b.fasl"), .digest = d[i], .size = SIZE, .mode = 0444};
		struct action_result r = {.outputs = &o, .noutputs = 1, .diagnostics = STR("()")};
		key[i] = digest_of(str_n(bytes, 8));
		CHECK(store_put_action(s, &key[i], &r, NULL));
	}
	CHECK(fs_mkdirs("speed-out", NULL));
	for (int round = 0; round < 3; round++) {
		struct action_result got;
		int64_t t0 = clock_mono_ns();
		for (int i = 0; i < N; i++)
			CHECK(found(s, &key[i], true, &got, &a));
		int64_t t1 = clock_mono_ns();
		for (int i = 0; i < N; i++)
			CHECK(store_materialize(s, &d[i], str_fmt(&a, "speed-out/%d-%d", round, i).ptr, NULL));
		int64_t t2 = clock_mono_ns();
		tap_note("170 results: %.2f ms; 170 blobs of 118 kB linked: %.2f ms", (double)(t1 - t0) / 1e6,
		         (double)(t2 - t1) / 1e6);
	}
	free(bytes);
	arena_release(&a);
	store_close(s);
}

int main(void)
{
	struct arena a = {0};
	char *home;
	CHECK(fs_mkdtemp(&a, "/tmp", "store-test-", &home, NULL) && chdir(home) == 0);
	struct store *s = open_store("store");
	test_content(s);
	test_damage(s);
	test_actions(s);
	store_close(s);
	test_aside();
	test_open();
	test_upkeep();
	test_processes();
	test_kills();
	test_full_disk();
	tell_speed();
	CHECK(chdir("/") == 0 && fs_remove_tree(home, NULL));
	arena_release(&a);
	return tap_done();
}
