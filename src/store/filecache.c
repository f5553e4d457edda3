#include "store/filecache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/map.h"
#include "os/clock.h"

#define MAGIC   0x31434c464e4f4e54u
#define VERSION 1
#define TRIES   3

/* The file: header, entries, paths one after another without separators. */
struct header {
	uint64_t magic, version;
	uint64_t checksum; /* of all that follows it */
	uint64_t count;
};
#define CHECKED_FROM offsetof(struct header, count)

struct entry {
	struct file_sig sig;
	struct digest digest;
	uint32_t path_len, pad;
};

struct filecache {
	struct map by_path; /* -> index in entries */
	Vec(struct entry) entries;
	struct buf loaded;  /* the file as it was read: keys point into it */
	struct arena added; /* other keys */
	bool changed;
};

static bool parse(struct filecache *fc)
{
	struct str all = buf_str(&fc->loaded);
	struct header h;
	if (all.len < sizeof(h))
		return false;
	memcpy(&h, all.ptr, sizeof(h));
	if (h.magic != MAGIC || h.version != VERSION || h.count > (all.len - sizeof(h)) / sizeof(struct entry) ||
	    checksum64(all.ptr + CHECKED_FROM, all.len - CHECKED_FROM) != h.checksum)
		return false;
	if (!h.count)
		return all.len == sizeof(h);
	vec_reserve(&fc->entries, h.count);
	vec_reserve(&fc->by_path.entries, h.count);
	memcpy(fc->entries.ptr, all.ptr + sizeof(h), h.count * sizeof(struct entry));
	struct str paths = str_drop(all, sizeof(h) + h.count * sizeof(struct entry));
	for (; fc->entries.len < h.count; fc->entries.len++) {
		size_t n = fc->entries.ptr[fc->entries.len].path_len;
		if (n > paths.len)
			return false;
		map_put(&fc->by_path, str_n(paths.ptr, n), fc->entries.len);
		paths = str_drop(paths, n);
	}
	return paths.len == 0;
}

struct filecache *filecache_load(const char *path)
{
	struct filecache *fc = xcalloc(1, sizeof(*fc));
	if (fs_read(path, &fc->loaded, NULL) && !parse(fc)) {
		map_release(&fc->by_path);
		vec_clear(&fc->entries);
		/* The bad file is to be replaced. */
		fc->changed = true;
	}
	return fc;
}

void filecache_free(struct filecache *fc)
{
	if (!fc)
		return;
	map_release(&fc->by_path);
	vec_release(&fc->entries);
	buf_release(&fc->loaded);
	arena_release(&fc->added);
	free(fc);
}

bool filecache_save(struct filecache *fc, const char *path, struct err *err)
{
	if (!fc->changed)
		return true;
	struct buf out = {0};
	struct header h = {.magic = MAGIC, .version = VERSION, .count = fc->entries.len};
	buf_add(&out, &h, sizeof(h));
	if (fc->entries.len)
		buf_add(&out, fc->entries.ptr, fc->entries.len * sizeof(*fc->entries.ptr));
	for (size_t i = 0; i < fc->entries.len; i++)
		buf_adds(&out, fc->by_path.entries.ptr[i].key);
	uint64_t sum = checksum64(out.ptr + CHECKED_FROM, out.len - CHECKED_FROM);
	memcpy(out.ptr + offsetof(struct header, checksum), &sum, sizeof(sum));
	bool ok = fs_write_atomic(path, buf_str(&out), 0644, false, err);
	buf_release(&out);
	fc->changed = !ok;
	return ok;
}

static void remember(struct filecache *fc, const char *path, const struct file_sig *sig, const struct digest *d)
{
	struct str key = str_from(path);
	struct entry e = {.sig = *sig, .digest = *d, .path_len = (uint32_t)key.len};
	uint64_t at;
	if (map_get(&fc->by_path, key, &at)) {
		fc->entries.ptr[at] = e;
	} else {
		/* Entries and the map's own list grow in step: index i of one is index i of the other. */
		map_put(&fc->by_path, str_dup(&fc->added, key), fc->entries.len);
		vec_push(&fc->entries, e);
	}
	fc->changed = true;
}

static bool digest_folder(const char *path, struct digest *ret, struct err *err)
{
	struct arena a = {0};
	StrVec names = {0};
	bool ok = fs_list(&a, path, &names, err);
	if (ok) {
		struct hasher *h = hasher_new(STR("tenon-folder-1"));
		for (size_t i = 0; i < names.len; i++)
			hasher_str(h, "name", names.ptr[i]);
		*ret = hasher_end(h);
	}
	vec_release(&names);
	arena_release(&a);
	return ok;
}

/* Reads the file once. *ret_stable: it was the same before and after. */
static bool digest_once(const char *path, const struct file_sig *before, struct digest *ret, bool *ret_stable,
                        struct err *err)
{
	struct err why = {0};
	bool ok = fs_is_dir(before) ? digest_folder(path, ret, &why) : digest_of_file(path, ret, NULL, &why);
	struct file_sig after;
	if (!ok && (why.errnum == ENOENT || why.errnum == ENOTDIR || why.errnum == EISDIR)) {
		/* It was replaced between the look and the reading. */
		err_clear(&why);
		*ret_stable = false;
		return true;
	}
	if (!ok) {
		if (err)
			err_move(err, &why);
		err_clear(&why);
		return false;
	}
	if (!fs_stat(path, &after, err))
		return false;
	*ret_stable = fs_sig_eq(before, &after);
	return true;
}

bool filecache_digest(struct filecache *fc, const char *path, struct digest *ret, struct file_sig *ret_sig,
                      bool *ret_exists, struct err *err)
{
	for (int i = 0; i < TRIES; i++) {
		struct file_sig sig;
		struct digest d = {0};
		int64_t now = clock_real_ns();
		uint64_t at;
		bool stable = true, known = false;
		if (!fs_stat(path, &sig, err))
			return false;
		if (sig.mode && !fs_is_dir(&sig) && !fs_is_file(&sig))
			return err_set(err, ERR_USER, "\"%s\" is neither a file nor a folder", path);
		if (map_get(&fc->by_path, str_from(path), &at) && fs_sig_eq(&sig, &fc->entries.ptr[at].sig)) {
			d = fc->entries.ptr[at].digest;
			known = true;
		} else if (sig.mode && !digest_once(path, &sig, &d, &stable, err)) {
			return false;
		}
		if (!stable)
			continue;
		if (sig.mode && !known && !fs_sig_racy(&sig, now))
			remember(fc, path, &sig, &d);
		*ret = d;
		*ret_exists = sig.mode != 0;
		if (ret_sig)
			*ret_sig = sig;
		return true;
	}
	return err_set(err, ERR_TRANSIENT, "\"%s\" changes while it is read", path);
}
