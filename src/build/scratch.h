/* scratch.h - the folders that actions write in.
 *
 * Making a folder and removing it again costs a file system more than all else that an action of a few milliseconds
 * asks of it. So a folder that an action left as it got it, but for empty folders, goes to the next, and at the end to
 * the next build. */
#ifndef TENON_BUILD_SCRATCH_H
#define TENON_BUILD_SCRATCH_H

#include "base/arena.h"
#include "base/err.h"
#include "base/vec.h"
#include "store/store.h"

/* Zero is one that has not looked for any yet. */
struct scratches {
	Vec(char *) spare;
	bool none_aside; /* the store has no more */
};

/* The file, and the folder, that the driver makes in a scratch folder and that may be there already. */
#define SCRATCH_OUTPUT ".output"
#define SCRATCH_TEMP   ".tmp"

/* A folder on the store's file system, below its ROOT/tmp, with nothing in it but empty folders and the driver's own:
 * in `a`, which lives as long as `s`. Give it back with scratch_give_back(). */
bool scratch_take(struct scratches *s, struct store *store, struct arena *a, char **ret, struct err *err);
/* The action is over. `reusable`: its process ended by itself; the folder is kept if it is as scratch_take() gives
 * it, else removed. */
void scratch_give_back(struct scratches *s, char *path, bool reusable);
/* Leaves the spare ones to the builds that follow. */
void scratches_release(struct scratches *s, struct store *store);

#endif
