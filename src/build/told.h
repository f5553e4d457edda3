/* told.h - what a system's files define, as their results tell.
 *
 * A result names the ordinary functions of its file: those that nobody expands or opens while compiling a call. Whoever
 * was compiled without them was compiled as if they had been there. It names the functions that are opened (inline
 * ones, those of structures), variables and types as well: for them that holds where their file comes later.
 *
 *     struct told t;
 *     told_read(&t, b, b->family[system], NULL);
 *     if (told_first(&t, name, &order)) ...
 *     told_release(&t);
 */
#ifndef TENON_BUILD_TOLD_H
#define TENON_BUILD_TOLD_H

#include "build/build.h"

struct told {
	struct map first; /* name -> the place in the front end's order of the first file that defines it */
	struct map own;   /* the number of a system and a name that it defines */
	struct arena arena;
};

/* Of all results that are there, in the system of that family and its secondary ones, but for those of the actions that
 * `skip` marks; NULL: none. */
void told_read(struct told *t, const struct build *b, uint32_t family, const uint8_t *skip);
/* `name`, below: as the driver writes it, a form. True if it is that of a function. */
bool told_is_function(const struct sexp *name);
/* False: no file defines it. Else the place in the front end's order of the first one that does. */
bool told_first(const struct told *t, const struct sexp *name, uint64_t *ret_order);
/* The same for functions that the compiler opens. */
bool told_first_open(const struct told *t, const struct sexp *name, uint64_t *ret_order);
/* True if it is a function that the action can do without: of a file that precedes it, or is of its system (those are
 * there whatever else is built), or one that is opened, of a later file. */
bool told_has_for(const struct told *t, const struct action *a, const struct sexp *name);
void told_release(struct told *t);

#endif
