#include "store/snapshots.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/store_impl.h"

#define UNFIT          ".unfit"
/* Refusals cost next to nothing: they are only kept from becoming many. */
#define REFUSALS_LIMIT 256

static char *folder(struct store *s, struct arena *a)
{
	return path_join(a, s->root, "snapshots");
}

static char *mark_of(struct store *s, struct arena *a, const struct digest *key)
{
	char hex[DIGEST_HEX + 1];
	digest_hex(key, hex);
	return path_join(a, folder(s, a), hex);
}

static const char *refusal_of(struct store *s, struct arena *a, const struct digest *key)
{
	return str_fmt(a, "%s" UNFIT, mark_of(s, a, key)).ptr;
}

/* -- the text under the key -- */

struct core {
	struct digest digest;
	struct file_sig sig; /* size, inode and time of the blob's file when it had that digest */
};

static void print_core(const struct core *c, struct buf *out)
{
	char hex[DIGEST_HEX + 1];
	digest_hex(&c->digest, hex);
	buf_addf(out, "core %s\nsize %llu\ninode %llu\nmtime %lld\n", hex, (unsigned long long)c->sig.size,
	         (unsigned long long)c->sig.ino, (long long)c->sig.mtime_ns);
}

static bool read_core(const struct buf *text, struct core *ret)
{
	char hex[DIGEST_HEX + 1];
	unsigned long long size, ino;
	long long mtime;
	*ret = (struct core){0};
	if (!text->len ||
	    sscanf(text->ptr, "core %64[0-9a-f]\nsize %llu\ninode %llu\nmtime %lld\n", hex, &size, &ino, &mtime) != 4)
		return false;
	ret->sig.size = size;
	ret->sig.ino = ino;
	ret->sig.mtime_ns = mtime;
	return digest_parse(str_from(hex), &ret->digest);
}

static bool is_untouched(const char *path, const struct core *c)
{
	struct file_sig now;
	return fs_stat(path, &now, NULL) && fs_is_file(&now) && now.size == c->sig.size && now.ino == c->sig.ino &&
	       now.mtime_ns == c->sig.mtime_ns;
}

static bool put_core(struct store *s, struct arena *a, const struct digest *key, struct core *c, struct err *err)
{
	struct buf text = {0};
	bool ok = fs_stat(store_blob_path(s, a, &c->digest), &c->sig, err);
	print_core(c, &text);
	ok = ok && store_put_text(s, key, buf_str(&text), err);
	buf_release(&text);
	return ok;
}

static bool get_core(struct store *s, const struct digest *key, struct core *ret)
{
	struct buf text = {0};
	bool found;
	bool ok = store_get_text(s, key, &text, &found, NULL) && found && read_core(&text, ret);
	buf_release(&text);
	return ok;
}

/* -- those that were used last -- */

struct mark {
	struct digest key;
	int64_t used_ns;
};

static int latest_first(const void *x, const void *y)
{
	const struct mark *a = x, *b = y;
	if (a->used_ns != b->used_ns)
		return a->used_ns > b->used_ns ? -1 : 1;
	return memcmp(&a->key, &b->key, sizeof(a->key));
}

static bool trim(struct store *s, struct arena *a, size_t limit, struct err *err)
{
	DigestVec keys = {0};
	Vec(struct mark) marks = {0};
	bool ok = snapshots_list(s, &keys, err);
	for (size_t i = 0; i < keys.len; i++) {
		struct file_sig sig;
		if (fs_stat(mark_of(s, a, &keys.ptr[i]), &sig, NULL) && sig.mode)
			vec_push(&marks, (struct mark){keys.ptr[i], sig.mtime_ns});
	}
	if (marks.len)
		qsort(marks.ptr, marks.len, sizeof(*marks.ptr), latest_first);
	for (size_t i = limit; i < marks.len; i++)
		snapshots_remove(s, &marks.ptr[i].key);
	vec_release(&marks);
	vec_release(&keys);
	return ok;
}

bool snapshots_keep(struct store *s, const struct digest *key, const char *core, size_t limit, struct err *err)
{
	struct arena a = {0};
	struct core c = {0};
	bool ok = fs_mkdirs(folder(s, &a), err);
	/* Somebody else may have been first. */
	if (ok && snapshots_find(s, &a, key))
		ok = fs_remove(core, err);
	else
		ok = ok && store_put_file(s, core, true, &c.digest, NULL, err) && put_core(s, &a, key, &c, err);
	ok = ok && fs_write_atomic(mark_of(s, &a, key), (struct str){0}, 0644, false, err) && trim(s, &a, limit, err);
	arena_release(&a);
	return ok;
}

bool snapshots_list(struct store *s, DigestVec *ret, struct err *err)
{
	struct arena a = {0};
	StrVec names = {0};
	struct file_sig sig;
	bool ok = !fs_stat(folder(s, &a), &sig, NULL) || !fs_is_dir(&sig) || fs_list(&a, folder(s, &a), &names, err);
	for (size_t i = 0; i < names.len; i++) {
		struct digest key;
		if (digest_parse(names.ptr[i], &key))
			vec_push(ret, key);
	}
	vec_release(&names);
	arena_release(&a);
	return ok;
}

char *snapshots_find(struct store *s, struct arena *a, const struct digest *key)
{
	struct core c;
	char *path = NULL;
	bool found = get_core(s, key, &c);
	if (found) {
		path = store_blob_path(s, a, &c.digest);
		/* Moved or restored, the file may still be right. */
		found = is_untouched(path, &c) || (store_check(s, &c.digest) && put_core(s, a, key, &c, NULL));
	}
	if (!found) {
		snapshots_remove(s, key);
		return NULL;
	}
	utimensat(AT_FDCWD, mark_of(s, a, key), NULL, 0);
	return path;
}

/* The blob last: what names it goes first. */
void snapshots_remove(struct store *s, const struct digest *key)
{
	struct arena a = {0};
	struct core c;
	char name[ENTRY_NAME];
	bool known = get_core(s, key, &c);
	fs_remove(mark_of(s, &a, key), NULL);
	entry_name(key, name);
	unlinkat(s->ac, name, 0);
	if (known)
		fs_remove(store_blob_path(s, &a, &c.digest), NULL);
	arena_release(&a);
}

bool snapshots_refuse(struct store *s, const struct digest *key, struct err *err)
{
	struct arena a = {0};
	StrVec names = {0};
	bool ok = fs_mkdirs(folder(s, &a), err) && fs_list(&a, folder(s, &a), &names, err);
	size_t refusals = 0;
	for (size_t i = 0; i < names.len; i++)
		if (str_has_suffix(names.ptr[i], STR(UNFIT)) && ++refusals >= REFUSALS_LIMIT)
			fs_remove(path_join(&a, folder(s, &a), names.ptr[i].ptr), NULL);
	ok = ok && fs_write_atomic(refusal_of(s, &a, key), (struct str){0}, 0644, false, err);
	vec_release(&names);
	arena_release(&a);
	return ok;
}

bool snapshots_refused(struct store *s, const struct digest *key)
{
	struct arena a = {0};
	struct file_sig sig;
	bool there = fs_stat(refusal_of(s, &a, key), &sig, NULL) && sig.mode;
	arena_release(&a);
	return there;
}
