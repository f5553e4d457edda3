/* told.h - the functions that a system's files define, as their results tell.
 *
 * A result names the ordinary functions of its file: those that nobody expands or opens while compiling a call. Whoever
 * was compiled without them was compiled as if they had been there.
 *
 *     struct told t;
 *     told_read(&t, b, b->family[system]);
 *     if (told_has(&t, name)) ...
 *     told_release(&t);
 */
#ifndef TENON_BUILD_TOLD_H
#define TENON_BUILD_TOLD_H

#include "build/build.h"

struct told {
	struct map names;
	struct arena arena;
};

/* Of all results that are there, in the system of that family and its secondary ones. */
void told_read(struct told *t, const struct build *b, uint32_t family);
/* `name`: as the driver writes it, a form. */
bool told_has(const struct told *t, const struct sexp *name);
void told_release(struct told *t);

#endif
