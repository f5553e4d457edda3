#include "store/history.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/arena.h"
#include "os/fs.h"

#define BUSY_MS 2000

struct history {
	char *path;
	sqlite3 *db; /* opened at the first use */
	bool failed; /* it cannot be had: every call does nothing from then on */
	struct arena arena;
	struct map noted; /* label -> wall ns */
};

struct history *history_open(const char *path)
{
	struct history *h = xcalloc(1, sizeof(*h));
	h->path = str_dupz(&h->arena, str_from(path));
	return h;
}

static bool is_damage(int rc)
{
	return (rc & 0xff) == SQLITE_CORRUPT || (rc & 0xff) == SQLITE_NOTADB;
}

static int prepare_db(sqlite3 *db)
{
	sqlite3_busy_timeout(db, BUSY_MS);
	/* Nothing here is worth an fsync: a history torn by a power cut is set aside. */
	return sqlite3_exec(db,
	                    "pragma journal_mode=wal; pragma synchronous=off; pragma auto_vacuum=none;"
	                    "create table if not exists duration_1"
	                    " (label text primary key, wall_ns integer not null, seen integer not null) without rowid;",
	                    NULL, NULL, NULL);
}

static int try_open(struct history *h)
{
	int rc = sqlite3_open_v2(h->path, &h->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
	if (rc == SQLITE_OK)
		rc = prepare_db(h->db);
	if (rc != SQLITE_OK) {
		sqlite3_close(h->db);
		h->db = NULL;
	}
	return rc;
}

/* Another process that switches to the log, or ends as its last user, makes calls fail that do not wait by themselves.
 */
static bool try_again(int rc, int *waited_ms)
{
	if ((rc & 0xff) != SQLITE_BUSY || *waited_ms >= BUSY_MS)
		return false;
	*waited_ms += sqlite3_sleep(5);
	return true;
}

static int open_db(struct history *h)
{
	int rc, waited_ms = 0;
	do
		rc = try_open(h);
	while (try_again(rc, &waited_ms));
	return rc;
}

/* Renames the damaged file, and removes what belongs to it. */
static void set_aside(struct history *h)
{
	struct arena a = {0};
	sqlite3_close(h->db);
	h->db = NULL;
	rename(h->path, str_fmt(&a, "%s.corrupt", h->path).ptr);
	fs_remove(str_fmt(&a, "%s-wal", h->path).ptr, NULL);
	fs_remove(str_fmt(&a, "%s-shm", h->path).ptr, NULL);
	arena_release(&a);
}

static bool ready(struct history *h)
{
	if (!h || h->failed)
		return false;
	if (h->db)
		return true;
	int rc = open_db(h);
	if (is_damage(rc)) {
		set_aside(h);
		rc = open_db(h);
	}
	h->failed = rc != SQLITE_OK;
	return !h->failed;
}

/* The least string that is greater than all that begin with `prefix`; empty where there is none. */
static struct str after_prefix(struct arena *a, struct str prefix)
{
	char *p = str_dupz(a, prefix);
	size_t n = prefix.len;
	while (n && (unsigned char)p[n - 1] == 0xff)
		n--;
	if (n)
		p[n - 1] = (char)(p[n - 1] + 1);
	return str_n(p, n);
}

static int load_prefix(sqlite3_stmt *q, struct arena *a, struct str prefix, struct map *ret)
{
	struct str after = after_prefix(a, prefix);
	sqlite3_reset(q);
	sqlite3_bind_text(q, 1, prefix.ptr ? prefix.ptr : "", (int)prefix.len, SQLITE_STATIC);
	sqlite3_bind_text(q, 2, after.ptr, (int)after.len, SQLITE_STATIC);
	sqlite3_bind_int(q, 3, after.len == 0);
	int rc;
	while ((rc = sqlite3_step(q)) == SQLITE_ROW) {
		struct str label = str_n((const char *)sqlite3_column_text(q, 0), (size_t)sqlite3_column_bytes(q, 0));
		map_put(ret, str_dup(a, label), (uint64_t)sqlite3_column_int64(q, 1));
	}
	return rc;
}

void history_load(struct history *h, struct arena *a, const struct str *prefixes, size_t n, struct map *ret)
{
	if (!n || !ready(h))
		return;
	sqlite3_stmt *q;
	int rc = sqlite3_prepare_v2(h->db,
	                            "select label, wall_ns from duration_1 where label >= ?1 and (?3 or label < ?2)"
	                            " order by label",
	                            -1, &q, NULL);
	for (size_t i = 0; q && i < n; i++)
		rc = load_prefix(q, a, prefixes[i], ret);
	sqlite3_finalize(q);
	if (is_damage(rc))
		set_aside(h);
}

void history_note(struct history *h, struct str label, uint64_t wall_ns)
{
	if (!h)
		return;
	if (map_has(&h->noted, label))
		map_put(&h->noted, label, wall_ns);
	else
		map_put(&h->noted, str_dup(&h->arena, label), wall_ns);
}

static int try_write(struct history *h)
{
	sqlite3_stmt *q = NULL;
	int rc = sqlite3_exec(h->db, "begin immediate", NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_prepare_v2(h->db,
		                        "insert into duration_1 (label, wall_ns, seen) values (?1, ?2, ?3)"
		                        " on conflict (label) do update set wall_ns = ?2, seen = ?3",
		                        -1, &q, NULL);
	for (size_t i = 0; rc == SQLITE_OK && i < h->noted.entries.len; i++) {
		struct map_entry *e = &h->noted.entries.ptr[i];
		sqlite3_bind_text(q, 1, e->key.ptr, (int)e->key.len, SQLITE_STATIC);
		sqlite3_bind_int64(q, 2, (sqlite3_int64)e->value);
		sqlite3_bind_int64(q, 3, (sqlite3_int64)time(NULL));
		rc = sqlite3_step(q) == SQLITE_DONE ? sqlite3_reset(q) : sqlite3_errcode(h->db);
	}
	sqlite3_finalize(q);
	int end = sqlite3_exec(h->db, rc == SQLITE_OK ? "commit" : "rollback", NULL, NULL, NULL);
	return rc == SQLITE_OK ? end : rc;
}

static int write_notes(struct history *h)
{
	int rc, waited_ms = 0;
	do
		rc = try_write(h);
	while (try_again(rc, &waited_ms));
	return rc;
}

void history_close(struct history *h)
{
	if (!h)
		return;
	if (h->noted.entries.len && ready(h) && is_damage(write_notes(h))) {
		set_aside(h);
		if (ready(h))
			write_notes(h);
	}
	sqlite3_close(h->db);
	map_release(&h->noted);
	arena_release(&h->arena);
	free(h);
}
