#include "store/snapshots.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/tap.h"

static struct arena arena;
static struct store *store;
static char *folder;

static struct digest key_of(unsigned n)
{
	return digest_of(str_fmt(&arena, "image %u", n));
}

static struct str text_of(unsigned n)
{
	return str_fmt(&arena, "core of image %u", n);
}

static bool keep(unsigned n, size_t limit)
{
	struct digest key = key_of(n);
	char *path = path_join(&arena, folder, "image.core");
	CHECK(fs_write_atomic(path, text_of(n), 0644, false, NULL));
	return snapshots_keep(store, &key, path, limit, NULL) && access(path, F_OK) != 0;
}

/* Sets when it was last used, to `n` seconds of 2001. */
static void use_at(unsigned n, long seconds)
{
	struct digest key = key_of(n);
	char hex[DIGEST_HEX + 1];
	digest_hex(&key, hex);
	struct timespec times[2] = {{.tv_sec = 978307200 + seconds}, {.tv_sec = 978307200 + seconds}};
	CHECK(utimensat(AT_FDCWD, str_fmt(&arena, "%s/snapshots/%s", store_root(store), hex).ptr, times, 0) == 0);
}

static char *find(unsigned n)
{
	struct digest key = key_of(n);
	return snapshots_find(store, &arena, &key);
}

static bool is_there(unsigned n)
{
	struct buf text = {0};
	char *path = find(n);
	bool there = path && fs_read(path, &text, NULL) && str_eq(buf_str(&text), text_of(n));
	buf_release(&text);
	return there;
}

static size_t listed(void)
{
	DigestVec keys = {0};
	CHECK(snapshots_list(store, &keys, NULL));
	size_t n = keys.len;
	vec_release(&keys);
	return n;
}

static void test_limit(void)
{
	tap_ok(listed() == 0 && !find(1), "none at first");
	for (unsigned n = 1; n <= 3; n++) {
		tap_ok(keep(n, 3), "image %u is kept", n);
		use_at(n, n);
	}
	tap_ok(listed() == 3 && is_there(1), "the first is used");
	tap_ok(keep(4, 3) && listed() == 3, "no more than the limit");
	tap_ok(is_there(1) && !find(2) && is_there(3) && is_there(4), "the one that was not used for longest went");
	tap_ok(keep(3, 3) && is_there(3) && listed() == 3, "one that is there is kept");
	struct store_stats st;
	tap_ok(store_stat(store, &st, NULL) && st.blobs == 3 && st.actions == 3, "nothing else stays of the others");
}

static void test_gc(void)
{
	struct store_stats removed;
	tap_ok(store_gc(store, UINT64_MAX, 0, &removed, NULL) && !removed.blobs && is_there(1), "gc knows the cores");
	tap_ok(store_gc(store, 0, 0, &removed, NULL) && removed.blobs == 3, "and removes them where it must");
	tap_ok(!find(1) && !find(3) && !find(4) && listed() == 0, "none is found then, nor listed");
}

static void write_over(const char *path, struct str bytes)
{
	CHECK(chmod(path, 0644) == 0 && truncate(path, 0) == 0);
	FILE *f = fopen(path, "we");
	CHECK(f && fwrite(bytes.ptr, 1, bytes.len, f) == bytes.len && fclose(f) == 0);
}

static void test_damage(void)
{
	CHECK(keep(1, 3) && keep(2, 3) && keep(3, 3));
	write_over(find(1), STR("core of imagX 1"));
	tap_ok(!find(1) && listed() == 2, "a core with other bytes is none");
	write_over(find(2), STR("core"));
	tap_ok(!find(2), "one that was cut short is none");
	char *path = find(3), *moved = path_join(&arena, folder, "moved");
	CHECK(fs_copy(path, moved, 0444, NULL) && rename(moved, path) == 0);
	tap_ok(is_there(3), "another file with the same bytes is one");
	CHECK(unlink(path) == 0);
	tap_ok(!find(3) && listed() == 0, "one whose file is gone is none");
}

static void test_refusals(void)
{
	struct digest key = key_of(7);
	tap_ok(!snapshots_refused(store, &key), "nothing is refused at first");
	tap_ok(snapshots_refuse(store, &key, NULL) && snapshots_refused(store, &key), "an image that can't be saved");
	tap_ok(listed() == 0 && !find(7), "is no snapshot");
	for (unsigned n = 100; n < 500; n++) {
		struct digest other = key_of(n);
		CHECK(snapshots_refuse(store, &other, NULL));
	}
	StrVec names = {0};
	CHECK(fs_list(&arena, str_fmt(&arena, "%s/snapshots", store_root(store)).ptr, &names, NULL));
	tap_ok(names.len <= 256, "of many refusals some are forgotten");
	vec_release(&names);
}

int main(void)
{
	CHECK(fs_mkdtemp(&arena, "/tmp", "tenon-snapshots-", &folder, NULL));
	CHECK(store_open(path_join(&arena, folder, "store"), &store, NULL));
	test_limit();
	test_gc();
	test_damage();
	test_refusals();
	store_close(store);
	fs_remove_tree(folder, NULL);
	arena_release(&arena);
	return tap_done();
}
