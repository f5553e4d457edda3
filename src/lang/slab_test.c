#include "lang/slab.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/tap.h"
#include "os/fs.h"

#define FILES 300

static size_t size_of(size_t i)
{
	/* Empty, at the edges of headers, pages and slabs, and larger than a slab. */
	static const size_t edges[] = {
	        0, 1, 63, 64, 65, 4031, 4032, 4095, 4096, SLAB_SIZE - 65, SLAB_SIZE - 64, SLAB_SIZE, SLAB_SIZE + 1};
	return i < ARRAY_LEN(edges) ? edges[i] : i * 37;
}

static void fill(struct buf *b, size_t i)
{
	buf_clear(b);
	buf_reserve(b, size_of(i) + 1);
	while (b->len < size_of(i))
		buf_addc(b, (char)('a' + (b->len * 7 + i) % 26));
}

struct seen {
	atomic_size_t count, bytes;
};

static void scan(void *ctx, unsigned thread, size_t index, struct slab_entry *e)
{
	struct seen *s = ctx;
	CHECK(thread < SLAB_THREADS && index < FILES);
	atomic_fetch_add(&s->count, 1);
	atomic_fetch_add(&s->bytes, e->text.len);
}

static bool right(const struct slab_entry *e, size_t i, struct buf *want)
{
	fill(want, i);
	struct digest d = digest_of(buf_str(want));
	return !e->errnum && str_eq(e->text, buf_str(want)) && digest_eq(e->digest, &d) &&
	       e->text.ptr[e->text.len] == 0;
}

static void test_read(struct arena *a, const char *dir, unsigned threads)
{
	struct slab_entry *entries = calloc(FILES, sizeof(*entries));
	struct slab_set set = {0};
	struct seen seen = {0};
	struct buf want = {0};
	size_t bytes = 0, good = 0;
	for (size_t i = 0; i < FILES; i++) {
		entries[i].path = str_fmt(a, "%s/%zu", dir, i).ptr;
		bytes += size_of(i);
	}
	slab_read(&set, entries, FILES / 2, threads, scan, &seen);
	slab_read(&set, entries + FILES / 2, FILES - FILES / 2, threads, scan, &seen);
	for (size_t i = 0; i < FILES; i++)
		good += right(&entries[i], i, &want);
	tap_eq_int(good, FILES, "every text and digest, with %u threads", threads);
	tap_ok(seen.count == FILES && seen.bytes == bytes, "every file is scanned once");
	size_t frames = 0, pages = 0, matching = 0;
	for (size_t s = 0; s < set.slabs.len; s++) {
		size_t at = 0;
		struct str text;
		const struct digest *d;
		pages += set.slabs.ptr[s].size % SLAB_PAGE != 0;
		while (slab_next(&set.slabs.ptr[s], &at, &text, &d)) {
			struct digest of = digest_of(text);
			frames++;
			matching += digest_eq(&of, d);
		}
	}
	tap_eq_int(pages, 0, "slabs are whole pages");
	tap_eq_int(frames, FILES, "every frame is found by its length");
	tap_eq_int(matching, FILES, "and holds its digest");
	slab_set_release(&set);
	buf_release(&want);
	free(entries);
}

static void test_missing(struct arena *a, const char *dir)
{
	struct slab_set set = {0};
	struct slab_entry e[4] = {{.path = str_fmt(a, "%s/none", dir).ptr},
	                          {.path = dir},
	                          {.path = str_fmt(a, "%s/2", dir).ptr},
	                          {.path = "/proc/self/status"}};
	slab_read(&set, e, 4, 1, NULL, NULL);
	tap_eq_int(e[0].errnum, ENOENT, "a missing file");
	tap_eq_int(e[1].errnum, EISDIR, "a folder");
	tap_ok(!e[2].errnum && e[2].text.len == size_of(2), "does not keep the others from being read");
	tap_ok(!e[3].errnum && e[3].text.len > 100, "a file whose size stat does not know");
	slab_set_release(&set);
}

int main(void)
{
	struct arena a = {0};
	struct err err = {0};
	struct buf text = {0};
	char *dir;
	CHECK(fs_mkdtemp(&a, "/tmp", "slab-", &dir, &err));
	for (size_t i = 0; i < FILES; i++) {
		fill(&text, i);
		CHECK(fs_write_atomic(str_fmt(&a, "%s/%zu", dir, i).ptr, buf_str(&text), 0644, false, &err));
	}
	test_read(&a, dir, 1);
	test_read(&a, dir, 3);
	test_read(&a, dir, 0);
	test_missing(&a, dir);
	CHECK(fs_remove_tree(dir, &err));
	buf_release(&text);
	arena_release(&a);
	return tap_done();
}
