/* store.h - the user's content-addressed store and action cache, shared by all workspaces.
 *
 *     ROOT/cas/ab/abcdef...     files by SHA-256, mode 0444 (0555 executable)
 *     ROOT/ac/ab/abcdef...      results of actions by key
 *     ROOT/tmp/                 files being written; what a killed process left there is removed once it is a day old
 *     ROOT/spare/               empty folders, put aside for the next build
 *     ROOT/toolchains           digests of the files of Lisps, by their stat signatures
 *     ROOT/version              the layout's number
 *
 * (The layout is that of Bazel's HTTP cache, so that a plain web server can serve it.)
 *
 * Any number of processes use one store at a time without locks: everything is written to a temporary name and renamed.
 * An entry is believed only after its digest was checked: a corrupt or truncated file counts as absent and is removed.
 * store_gc takes the lock ROOT/gc.lock exclusively; an open store holds it shared.
 *
 * Nothing is synced to the disk. A power loss can leave an entry of this store empty, short or of zeros, and a result
 * that names such a blob; but never unnoticed: a blob is used only after its digest was checked, a result only if its
 * checksum is right and (require_outputs) every blob has the size that it names. What was lost is built again.
 *
 * A result is text, so that people and other tools can read it. Lines end with "\n"; LEN counts bytes:
 *
 *     tenon-result 1
 *     key HEX                           the action's key, as in the file's name
 *     label LEN                         then LEN bytes and a newline; so too diagnostics and facts
 *     cpu-ns N
 *     wall-ns N
 *     output HEX SIZE MODE LEN PATH     any number, sorted by PATH; MODE in octal
 *     diagnostics LEN
 *     facts LEN
 *     sum HEX                           SHA-256 of all before this line
 *
 * A text has the first line "tenon-text 1", then key, text LEN, sum. store_gc takes any digest written in an entry for
 * a reference to that blob. */
#ifndef TENON_STORE_STORE_H
#define TENON_STORE_STORE_H

#include "base/arena.h"
#include "base/err.h"
#include "os/fs.h"
#include "store/digest.h"

struct store;

/* Opens, making what is missing. ERR_ENVIRONMENT when it cannot be written, with a note naming the option and the
 * variable that choose another place. */
bool store_open(const char *root, struct store **ret, struct err *err);
void store_close(struct store *s); /* NULL is fine */
const char *store_root(const struct store *s);
/* A new scratch folder below ROOT/tmp, on the store's file system; in `a`. */
bool store_scratch(struct store *s, struct arena *a, char **ret, struct err *err);
/* Puts a scratch folder aside, in which nothing is but empty folders, for a later build: there are file systems that
 * take milliseconds to remove one. If there are enough, it is removed. */
void store_put_aside(struct store *s, const char *scratch);
/* One that was put aside, as a scratch folder; NULL if there is none. In `a`. */
char *store_take_aside(struct store *s, struct arena *a);

/* -- content -- */
/* Takes the file at `path` into the store: renames it in where `move` and the file system allow it, else copies.
 * Idempotent. */
bool store_put_file(struct store *s, const char *path, bool move, struct digest *ret, uint64_t *ret_size,
                    struct err *err);
bool store_put_bytes(struct store *s, struct str bytes, struct digest *ret, struct err *err);
/* Path of a blob in the store (it may be absent); in `a`. */
char *store_blob_path(struct store *s, struct arena *a, const struct digest *d);
/* True if the blob is there and its bytes have that digest. A wrong one is removed. */
bool store_check(struct store *s, const struct digest *d);
/* True if a file of that size is there; does not read it. */
bool store_has(struct store *s, const struct digest *d, uint64_t size);
/* Hard-links (or copies) the blob to `dst`, checking its digest first. Absent or corrupt: false, err kind
 * ERR_TRANSIENT: the caller rebuilds. */
bool store_materialize(struct store *s, const struct digest *d, const char *dst, struct err *err);
bool store_read(struct store *s, const struct digest *d, struct buf *out, struct err *err);

/* -- action cache -- */
struct result_output {
	struct str path; /* relative to the output root */
	struct digest digest;
	uint64_t size;
	uint32_t mode;
};
struct action_result {
	struct result_output *outputs; /* sorted by path */
	size_t noutputs;
	struct str diagnostics; /* the driver's form, as text; shown again on every use */
	struct str facts;       /* more of the driver's findings, as text (undefined names, what was used, ...) */
	uint64_t cpu_ns, wall_ns;
	struct str label; /* what it was, for people */
};
/* *ret_found false: no valid entry. Strings live in `a`. An entry that does not parse, or whose own checksum is wrong,
 * is removed and counts as absent. `require_outputs`: every output must be there by name and size. */
bool store_get_action(struct store *s, struct arena *a, const struct digest *key, bool require_outputs,
                      struct action_result *ret, bool *ret_found, struct err *err);
bool store_put_action(struct store *s, const struct digest *key, const struct action_result *r, struct err *err);
/* The same files for small texts under a key of another kind (descriptions, decisions). */
bool store_get_text(struct store *s, const struct digest *key, struct buf *out, bool *ret_found, struct err *err);
bool store_put_text(struct store *s, const struct digest *key, struct str text, struct err *err);

/* -- upkeep -- */
struct store_stats {
	uint64_t blobs, blob_bytes, actions, action_bytes, tmp_files;
};
bool store_stat(struct store *s, struct store_stats *ret, struct err *err);
struct store_verify_report {
	uint64_t checked, bytes, corrupt,
	        dangling; /* corrupt ones are removed; dangling: actions whose outputs are gone */
	StrVec problems;  /* one line each, in the arena given */
};
bool store_verify(struct store *s, struct arena *a, struct store_verify_report *ret, struct err *err);
/* Removes every action not used for `max_age_days` (0: no limit), blobs that no action names, and the least recently
 * used actions with their blobs until at most `max_bytes` remain. Use is noted by the action file's time, to the hour.
 * ERR_TRANSIENT when another process has the store open. */
bool store_gc(struct store *s, uint64_t max_bytes, unsigned max_age_days, struct store_stats *ret_removed,
              struct err *err);

#endif
