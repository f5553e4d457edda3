/* history.h - how long things took, by label: for the critical path and for what remains (SQLite; per user).
 *
 * Loss of the history is harmless: a file that cannot be opened or is corrupt is set aside, and every look-up finds
 * nothing. All SQL of the program is in history.c. Safe for several processes at once. */
#ifndef TENON_STORE_HISTORY_H
#define TENON_STORE_HISTORY_H

#include "base/map.h"
#include "base/str.h"

struct history;
/* Touches nothing: the file is opened at the first load, or at the close of a history that noted something. Never
 * fails; every call below takes NULL too. */
struct history *history_open(const char *path);
void history_close(struct history *h);
/* Loads the durations (wall nanoseconds, last seen) of all labels that begin with one of the `n` prefixes into `ret`
 * (label -> ns); keys live in `a`. */
struct arena;
void history_load(struct history *h, struct arena *a, const struct str *prefixes, size_t n, struct map *ret);
/* Collected in memory; one transaction at history_close. */
void history_note(struct history *h, struct str label, uint64_t wall_ns);

#endif
