/* registry.h - where ASDF systems are found: an ASDF source registry form for the places that users have.
 *
 * In this order, the first definition of a name wins, as in ASDF:
 *   1. what the command line adds (--registry)
 *   2. the workspace: its own folder and what is below it, then .qlot and ocicl's folders in it
 *   3. the user's configuration: CL_SOURCE_REGISTRY, ASDF's configuration files and defaults (~/common-lisp,
 *      Debian's /usr/share/common-lisp), through :inherit-configuration
 *   4. ~/quicklisp: local-projects and the installed systems of every dist
 */
#ifndef TENON_FRONT_REGISTRY_H
#define TENON_FRONT_REGISTRY_H

#include "base/arena.h"
#include "base/err.h"
#include "base/vec.h"

struct registry_places {
	const char *workspace; /* absolute */
	const char *home;      /* NULL: none */
	const char *extra;     /* directives as text, or NULL */
};

struct registry {
	struct str form;  /* "(:source-registry ...)", in the arena */
	StrVec folders;   /* folders that were listed to find out, for the record of inputs; in the arena */
	StrVec described; /* one line a place, for `doctor` */
};
void registry_release(struct registry *r);
bool registry_find(struct arena *a, const struct registry_places *places, struct registry *ret, struct err *err);

#endif
