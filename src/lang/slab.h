/* slab.h - reading many source files at once: into slabs, digested on the way, by several threads.
 *
 * A slab is a run of whole pages (a multiple of 4,096 bytes). It holds frames, one for each file:
 *
 *     offset  0  u32  frame length: bytes of the frame behind this header; a multiple of 64
 *             4  u32  source length: bytes of the file
 *             8  32 bytes: SHA-256 of the source
 *            40  24 bytes: zero
 *            64  the source, then zeros: at least one, so that a scanner may look a byte ahead
 *
 * Numbers are little endian. A file that is larger than what is left of a slab gets a new one; most source files have
 * less than 12 KB, so that a slab holds dozens and the allocator is hardly asked.
 *
 *     struct slab_set set = {0};
 *     struct slab_entry *e = calloc(n, sizeof(*e));     // fill in path
 *     slab_read(&set, e, n, 0, scan, ctx);
 *     ...
 *     slab_set_release(&set);                           // texts and digests are gone
 *
 * A thread that has read a file scans it at once, while its bytes are in the cache: that is what `scan` is for. */
#ifndef TENON_LANG_SLAB_H
#define TENON_LANG_SLAB_H

#include "base/err.h"
#include "base/vec.h"
#include "store/digest.h"

#define SLAB_PAGE    ((size_t)4096)
#define SLAB_SIZE    (64 * SLAB_PAGE)
#define SLAB_HEADER  64
#define SLAB_THREADS 8 /* at most */

struct slab {
	unsigned char *bytes;
	size_t size, used; /* `used` is a multiple of 64 */
};
struct slab_set {
	Vec(struct slab) slabs;
};
struct slab_entry {
	const char *path;            /* set by the caller */
	int errnum;                  /* why it could not be read; EFBIG: 4 GiB or more; EISDIR: not a regular file */
	struct str text;             /* in the slab */
	const struct digest *digest; /* in the slab */
};

/* Called in a thread of its own choosing, numbered from 0 below SLAB_THREADS; for one `thread` never twice at once. */
typedef void slab_scan(void *ctx, unsigned thread, size_t index, struct slab_entry *e);

/* Fills in the entries; a file that can't be read is no failure here, but has errnum. May be called again: adds to the
 * set. threads 0: as many as are useful. `scan` may be NULL; it is called only for files that were read. */
void slab_read(struct slab_set *set, struct slab_entry *entries, size_t n, unsigned threads, slab_scan *scan,
               void *ctx);
void slab_set_release(struct slab_set *set);

/* The frames of one slab, in order: *at starts as 0. False at the end. */
bool slab_next(const struct slab *s, size_t *at, struct str *ret_text, const struct digest **ret_digest);

#endif
