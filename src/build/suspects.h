/* suspects.h - results that wait for the rest of their system.
 *
 * A compile that knows no function of some name may have met the call of a macro: one that a file defines which
 * precedes it and which nobody declared. ASDF would have loaded that first. The results of the system's other files
 * tell: if all such names are ordinary functions there, the result stands; files that wait for its FASL have no say.
 * Otherwise the file is compiled once more, with what precedes it in its image (lax.c). So it depends on sources alone
 * what comes of it, not on what happened to be there first. */
#ifndef TENON_BUILD_SUSPECTS_H
#define TENON_BUILD_SUSPECTS_H

#include "base/vec.h"
#include "graph/graph.h"

struct build;

struct suspects {
	U32Vec waiting;
	uint32_t *open; /* by family: compiles that have not ended and don't wait here */
	uint8_t *due;   /* by family: something has ended, or waits here, since it was looked at */
	bool any_due;
};

void suspects_release(struct suspects *s);
/* A pass begins, in which these actions are open. */
void suspects_expect(struct build *b, const U32Vec *open);
/* The unit has its result. True: it waits here; suspects_judge() ends it. */
bool suspects_hold(struct build *b, action_id id);
/* The unit has ended. */
void suspects_ended(struct build *b, action_id id);
/* Those whose systems are there come to their end, or are tried again; with `all` the others, too, which nothing will
 * tell any more of. */
void suspects_judge(struct build *b, bool all);

/* While results are looked up, before anything runs. The unit's result was found: it is set aside. */
void suspects_set_aside(struct build *b, action_id id);
/* Ends those whose systems are there, or has them widened; others join the open ones. *ret_changed: `open` is to be
 * found out anew. */
bool suspects_resolve(struct build *b, U32Vec *open, bool *ret_changed, struct err *err);

#endif
