#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/map.h"
#include "store/store_impl.h"

/* One file of ROOT/cas or ROOT/ac. */
struct entry {
	char *name; /* "ab/abcd..." */
	struct digest digest;
	bool strange; /* not named as an entry */
	uint64_t size;
	int64_t used_s;
	uint32_t refs; /* of a blob: actions that name it */
};
typedef Vec(struct entry) EntryVec;

static bool list_shard(struct arena *a, int dir, const char *path, struct str shard, EntryVec *ret, struct err *err)
{
	StrVec names = {0};
	bool ok = fs_list(a, path_join(a, path, shard.ptr), &names, err);
	for (size_t i = 0; ok && i < names.len; i++) {
		struct entry e = {.name = str_dupz(a, str_fmt(a, "%.*s/%.*s", STR_ARG(shard), STR_ARG(names.ptr[i])))};
		struct stat st;
		if (fstatat(dir, e.name, &st, AT_SYMLINK_NOFOLLOW) != 0)
			continue;
		e.strange = !S_ISREG(st.st_mode) || !digest_parse(names.ptr[i], &e.digest) ||
		            !str_has_prefix(names.ptr[i], shard);
		e.size = (uint64_t)st.st_size;
		e.used_s = st.st_mtime;
		vec_push(ret, e);
	}
	vec_release(&names);
	return ok;
}

/* Every entry, sorted by name. */
static bool list(struct store *s, struct arena *a, const char *which, int dir, EntryVec *ret, struct err *err)
{
	char *path = path_join(a, s->root, which);
	StrVec shards = {0};
	bool ok = fs_list(a, path, &shards, err);
	for (size_t i = 0; ok && i < shards.len; i++)
		ok = list_shard(a, dir, path, shards.ptr[i], ret, err);
	vec_release(&shards);
	return ok;
}

static void count(const EntryVec *v, uint64_t *ret_n, uint64_t *ret_bytes)
{
	for (size_t i = 0; i < v->len; i++) {
		*ret_n += 1;
		*ret_bytes += v->ptr[i].size;
	}
}

bool store_stat(struct store *s, struct store_stats *ret, struct err *err)
{
	struct arena a = {0};
	EntryVec blobs = {0}, actions = {0};
	StrVec temps = {0};
	bool ok = list(s, &a, "cas", s->cas, &blobs, err) && list(s, &a, "ac", s->ac, &actions, err) &&
	          fs_list(&a, path_join(&a, s->root, "tmp"), &temps, err);
	if (ok) {
		struct store_stats st = {.tmp_files = temps.len};
		count(&blobs, &st.blobs, &st.blob_bytes);
		count(&actions, &st.actions, &st.action_bytes);
		*ret = st;
	}
	vec_release(&temps);
	vec_release(&blobs);
	vec_release(&actions);
	arena_release(&a);
	return ok;
}

/* The bytes of an action cache file; empty if it went away. */
static void read_action(struct store *s, const struct entry *e, struct buf *out)
{
	struct buf path = {0};
	buf_clear(out);
	buf_addf(&path, "%s/ac/%s", s->root, e->name);
	fs_read(buf_cstr(&path), out, NULL);
	buf_release(&path);
}

/* -- verify -- */

static void verify_blob(struct store *s, struct arena *a, const struct entry *e, struct store_verify_report *r)
{
	if (e->strange) {
		vec_push(&r->problems, str_fmt(a, "cas/%s: not an entry of the store", e->name));
		return;
	}
	r->checked++;
	r->bytes += e->size;
	if (store_check(s, &e->digest) || faccessat(s->cas, e->name, F_OK, 0) == 0)
		return;
	r->corrupt++;
	vec_push(&r->problems, str_fmt(a, "cas/%s: corrupt, removed", e->name));
}

static void verify_action(struct store *s, struct arena *a, const struct entry *e, struct buf *text,
                          struct store_verify_report *r)
{
	struct str body;
	struct action_result result = {0};
	if (e->strange) {
		vec_push(&r->problems, str_fmt(a, "ac/%s: not an entry of the store", e->name));
		return;
	}
	r->checked++;
	r->bytes += e->size;
	read_action(s, e, text);
	enum entry_kind kind = entry_open(buf_str(text), &e->digest, &body);
	if (kind == ENTRY_BAD || (kind == ENTRY_RESULT && !result_parse(a, body, &result))) {
		unlinkat(s->ac, e->name, 0);
		r->corrupt++;
		vec_push(&r->problems, str_fmt(a, "ac/%s: corrupt, removed", e->name));
		return;
	}
	for (size_t i = 0; i < result.noutputs; i++) {
		if (store_has(s, &result.outputs[i].digest, result.outputs[i].size))
			continue;
		r->dangling++;
		vec_push(&r->problems, str_fmt(a, "ac/%s: output \"%.*s\" is not in the store", e->name,
		                               STR_ARG(result.outputs[i].path)));
		return;
	}
}

bool store_verify(struct store *s, struct arena *a, struct store_verify_report *ret, struct err *err)
{
	EntryVec blobs = {0}, actions = {0};
	struct buf text = {0};
	struct store_verify_report r = {0};
	bool ok = list(s, a, "cas", s->cas, &blobs, err) && list(s, a, "ac", s->ac, &actions, err);
	for (size_t i = 0; ok && i < blobs.len; i++)
		verify_blob(s, a, &blobs.ptr[i], &r);
	for (size_t i = 0; ok && i < actions.len; i++)
		verify_action(s, a, &actions.ptr[i], &text, &r);
	if (ok)
		*ret = r;
	else
		vec_release(&r.problems);
	buf_release(&text);
	vec_release(&blobs);
	vec_release(&actions);
	return ok;
}

/* -- gc -- */

struct gc {
	struct store *s;
	struct arena arena;
	EntryVec blobs, actions; /* actions: least recently used first */
	struct map by_hex;       /* -> index in blobs */
	struct buf text;
	uint64_t kept_bytes; /* actions that stay, and blobs that they name */
	struct store_stats removed;
};

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

static void count_ref(struct gc *gc, struct str hex, int by)
{
	uint64_t at;
	if (!map_get(&gc->by_hex, hex, &at))
		return;
	struct entry *blob = &gc->blobs.ptr[at];
	if (by > 0 && blob->refs++ == 0)
		gc->kept_bytes += blob->size;
	if (by < 0 && --blob->refs == 0)
		gc->kept_bytes -= blob->size;
}

/* Every digest written in the action's file is a reference; one written twice counts twice, both ways. */
static void count_refs(struct gc *gc, const struct entry *action, int by)
{
	read_action(gc->s, action, &gc->text);
	struct str t = buf_str(&gc->text);
	for (size_t i = 0, run = 0; i <= t.len; i++) {
		if (i < t.len && is_hex(t.ptr[i])) {
			run++;
			continue;
		}
		if (run == DIGEST_HEX)
			count_ref(gc, str_n(t.ptr + i - run, run), by);
		run = 0;
	}
}

static bool remove_entry(struct gc *gc, int dir, const char *which, const struct entry *e, struct err *err)
{
	return unlinkat(dir, e->name, 0) == 0 || errno == ENOENT ||
	       err_sys(err, ERR_ENVIRONMENT, "cannot remove \"%s/%s/%s\"", gc->s->root, which, e->name);
}

static bool remove_actions(struct gc *gc, uint64_t max_bytes, int64_t oldest_s, struct err *err)
{
	for (size_t i = 0; i < gc->actions.len; i++) {
		const struct entry *e = &gc->actions.ptr[i];
		if (e->strange)
			continue;
		if (e->used_s >= oldest_s && gc->kept_bytes <= max_bytes)
			break;
		count_refs(gc, e, -1);
		if (!remove_entry(gc, gc->s->ac, "ac", e, err))
			return false;
		gc->kept_bytes -= e->size;
		gc->removed.actions++;
		gc->removed.action_bytes += e->size;
	}
	return true;
}

static bool remove_blobs(struct gc *gc, struct err *err)
{
	for (size_t i = 0; i < gc->blobs.len; i++) {
		const struct entry *e = &gc->blobs.ptr[i];
		if (e->refs || e->strange)
			continue;
		if (!remove_entry(gc, gc->s->cas, "cas", e, err))
			return false;
		gc->removed.blobs++;
		gc->removed.blob_bytes += e->size;
	}
	return true;
}

static int by_use(const void *x, const void *y)
{
	const struct entry *a = x, *b = y;
	if (a->used_s != b->used_s)
		return a->used_s < b->used_s ? -1 : 1;
	return strcmp(a->name, b->name);
}

static bool collect(struct gc *gc, struct err *err)
{
	struct store *s = gc->s;
	if (!list(s, &gc->arena, "cas", s->cas, &gc->blobs, err) ||
	    !list(s, &gc->arena, "ac", s->ac, &gc->actions, err))
		return false;
	for (size_t i = 0; i < gc->blobs.len; i++)
		if (!gc->blobs.ptr[i].strange)
			map_put(&gc->by_hex, str_from(gc->blobs.ptr[i].name + 3), i);
	for (size_t i = 0; i < gc->actions.len; i++) {
		if (gc->actions.ptr[i].strange)
			continue;
		gc->kept_bytes += gc->actions.ptr[i].size;
		count_refs(gc, &gc->actions.ptr[i], 1);
	}
	if (gc->actions.len)
		qsort(gc->actions.ptr, gc->actions.len, sizeof(*gc->actions.ptr), by_use);
	return true;
}

/* The shared lock becomes exclusive. flock drops the old one first, and keeps none when it fails. */
static bool lock_for_gc(struct store *s, struct err *err)
{
	if (flock(s->lock, LOCK_EX | LOCK_NB) == 0)
		return true;
	bool busy = errno == EWOULDBLOCK;
	if (!busy)
		err_sys(err, ERR_ENVIRONMENT, "cannot lock the store \"%s\"", s->root);
	flock(s->lock, LOCK_SH);
	if (busy && err) {
		err_set(err, ERR_TRANSIENT, "the store \"%s\" is in use", s->root);
		err_note(err, "try again when no build is running");
	}
	return false;
}

bool store_gc(struct store *s, uint64_t max_bytes, unsigned max_age_days, struct store_stats *ret_removed,
              struct err *err)
{
	struct gc gc = {.s = s};
	int64_t oldest_s = max_age_days ? time(NULL) - (int64_t)max_age_days * 24 * 3600 : INT64_MIN;
	if (!lock_for_gc(s, err))
		return false;
	gc.removed.tmp_files = tmp_clean(s);
	fs_remove_tree(path_join(&gc.arena, s->root, "spare"), NULL);
	bool ok = collect(&gc, err) && remove_actions(&gc, max_bytes, oldest_s, err) && remove_blobs(&gc, err);
	flock(s->lock, LOCK_SH);
	if (ok)
		*ret_removed = gc.removed;
	buf_release(&gc.text);
	map_release(&gc.by_hex);
	vec_release(&gc.blobs);
	vec_release(&gc.actions);
	arena_release(&gc.arena);
	return ok;
}
