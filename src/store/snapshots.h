/* snapshots.h - images of processes, saved as cores, by key: the few that were used last.
 *
 *     ROOT/snapshots/abcdef...     one empty file for each, named by its key; its time is when it was last used
 *
 * A core is a blob of the store (store.h), and a text under the key names it: so `verify`, `stat` and `gc` know them as
 * they know all else. A core is too large to be digested each time that it is used: the text also has the signature
 * that the blob's file had when it was digested, and only a file with another one is digested again.
 *
 * Of an image that can't be saved, ROOT/snapshots/abcdef....unfit tells the next build.
 *
 * Several processes may keep, use and trim at the same time: whoever finds a part missing finds no snapshot. */
#ifndef TENON_STORE_SNAPSHOTS_H
#define TENON_STORE_SNAPSHOTS_H

#include "store/store.h"

/* Takes the file `core` into the store under `key`, and forgets the least recently used beyond `limit`. */
bool snapshots_keep(struct store *s, const struct digest *key, const char *core, size_t limit, struct err *err);
/* The keys of all snapshots, in no order. */
bool snapshots_list(struct store *s, DigestVec *ret, struct err *err);
/* The path of the core, in `a`; NULL if there is none, or a damaged one, which is removed. Notes the use. */
char *snapshots_find(struct store *s, struct arena *a, const struct digest *key);
/* Forgets the snapshot: it does not work. */
void snapshots_remove(struct store *s, const struct digest *key);
/* The image with this key can't be saved. */
bool snapshots_refuse(struct store *s, const struct digest *key, struct err *err);
bool snapshots_refused(struct store *s, const struct digest *key);

#endif
