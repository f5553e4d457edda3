#include "store/lastbuild.h"

#include <stddef.h>
#include <stdlib.h>

#include "base/map.h"

#define MAGIC   0x314c424e4f4e4554u /* "TENONBL1" */
#define VERSION 1

/* Little-endian machines and others do not share a workspace's file: the magic number tells. */
struct header {
	uint64_t magic, version;
	uint64_t checksum; /* of all that follows it */
	uint64_t count, paths_len, text_len;
	struct digest request;
};
#define CHECKED_FROM offsetof(struct header, count)

struct lastbuild_writer {
	struct header header;
	struct arena arena;
	struct map seen;
	Vec(struct file_sig) sigs;
	Vec(uint64_t) offsets;
	struct buf paths;
};

struct lastbuild_writer *lastbuild_begin(const struct digest *request)
{
	struct lastbuild_writer *w = xcalloc(1, sizeof(*w));
	w->header = (struct header){.magic = MAGIC, .version = VERSION, .request = *request};
	return w;
}

void lastbuild_add(struct lastbuild_writer *w, const char *path, const struct file_sig *sig)
{
	struct str p = str_from(path);
	uint64_t at;
	if (map_get(&w->seen, p, &at)) {
		if (w->sigs.ptr[at].only_exists)
			w->sigs.ptr[at] = *sig;
		return;
	}
	map_put(&w->seen, str_dup(&w->arena, p), w->sigs.len);
	vec_push(&w->sigs, *sig);
	vec_push(&w->offsets, w->paths.len);
	buf_add(&w->paths, path, p.len + 1);
}

void lastbuild_abandon(struct lastbuild_writer *w)
{
	if (!w)
		return;
	map_release(&w->seen);
	vec_release(&w->sigs);
	vec_release(&w->offsets);
	buf_release(&w->paths);
	arena_release(&w->arena);
	free(w);
}

bool lastbuild_commit(struct lastbuild_writer *w, const char *file, struct str text, struct err *err)
{
	struct buf out = {0};
	w->header.count = w->sigs.len;
	w->header.paths_len = w->paths.len;
	w->header.text_len = text.len;
	buf_reserve(&out, sizeof(w->header) + w->sigs.len * (sizeof(*w->sigs.ptr) + sizeof(*w->offsets.ptr)) +
	                          w->paths.len + text.len);
	buf_add(&out, &w->header, sizeof(w->header));
	if (w->sigs.len) {
		buf_add(&out, w->sigs.ptr, w->sigs.len * sizeof(*w->sigs.ptr));
		buf_add(&out, w->offsets.ptr, w->offsets.len * sizeof(*w->offsets.ptr));
		buf_add(&out, w->paths.ptr, w->paths.len);
	}
	buf_adds(&out, text);
	uint64_t sum = checksum64(out.ptr + CHECKED_FROM, out.len - CHECKED_FROM);
	memcpy(out.ptr + offsetof(struct header, checksum), &sum, sizeof(sum));
	bool ok = fs_write_atomic(file, buf_str(&out), 0644, false, err);
	buf_release(&out);
	lastbuild_abandon(w);
	return ok;
}

/* The parts of a mapped record. */
struct record {
	const struct header *header;
	const struct file_sig *sigs;
	const uint64_t *offsets;
	const char *paths;
	struct str text;
};

static bool record_parse(struct str map, struct record *ret)
{
	const struct header *h = (const struct header *)(const void *)map.ptr;
	if (map.len < sizeof(*h) || h->magic != MAGIC || h->version != VERSION)
		return false;
	uint64_t each = sizeof(struct file_sig) + sizeof(uint64_t), room = map.len - sizeof(*h);
	if (h->count > room / each || h->paths_len > room || h->text_len > room ||
	    h->count * each + h->paths_len + h->text_len != room)
		return false;
	if (checksum64(map.ptr + CHECKED_FROM, map.len - CHECKED_FROM) != h->checksum)
		return false;
	const char *p = map.ptr + sizeof(*h);
	ret->header = h;
	ret->sigs = (const struct file_sig *)(const void *)p;
	ret->offsets = (const uint64_t *)(const void *)(ret->sigs + h->count);
	ret->paths = (const char *)(ret->offsets + h->count);
	ret->text = str_n(ret->paths + h->paths_len, h->text_len);
	/* A file that is not ours but has the right checksum must not lead out of the mapping. */
	return h->count == 0 || (h->paths_len && ret->paths[h->paths_len - 1] == 0);
}

static bool all_unchanged(const struct record *r)
{
	size_t n = r->header->count;
	const char **paths = xmalloc(MAX(n, 1) * sizeof(*paths));
	bool same = true;
	for (size_t i = 0; same && i < n; i++) {
		same = r->offsets[i] < r->header->paths_len;
		paths[i] = r->paths + r->offsets[i];
	}
	same = same && fs_unchanged(paths, r->sigs, n, 0);
	free(paths);
	return same;
}

bool lastbuild_unchanged(const char *file, const struct digest *request, struct buf *text_out, size_t *ret_count)
{
	struct str map;
	struct record r;
	if (!fs_map(file, &map, NULL))
		return false;
	bool same = record_parse(map, &r) && (!request || digest_eq(&r.header->request, request)) && all_unchanged(&r);
	if (same) {
		buf_adds(text_out, r.text);
		*ret_count = r.header->count;
	}
	fs_unmap(map);
	return same;
}

bool lastbuild_first_change(const char *file, const struct digest *request, struct buf *path_out)
{
	struct str map;
	struct record r;
	bool found = false;
	if (!fs_map(file, &map, NULL))
		return false;
	if (record_parse(map, &r) && digest_eq(&r.header->request, request))
		for (size_t i = 0; i < r.header->count && !found; i++) {
			const char *path = r.offsets[i] < r.header->paths_len ? r.paths + r.offsets[i] : "";
			struct file_sig now;
			found = !fs_stat(path, &now, NULL) || !fs_sig_eq(&now, &r.sigs[i]);
			if (found)
				buf_addz(path_out, path);
		}
	fs_unmap(map);
	return found;
}
