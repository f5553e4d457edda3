/* resolve.h - which versions of which libraries, and where their jars are: Maven decides.
 *
 *     struct resolve_request q = {.project = &d, .offline = false};
 *     ok = resolve(&q, &lock, err);
 *
 * Runs `mvn` (in PATH, with the user's settings and local repository) over a temporary pom.xml that asks for what the
 * project asks for; a project that has a pom.xml is resolved by that. Conflicts are settled as Maven does: the nearest
 * wins, then the first. With a lock, its coordinates are asked for and nothing else, and digests must agree. */
#ifndef TENON_FRONT_RESOLVE_H
#define TENON_FRONT_RESOLVE_H

#include "front/lock.h"

struct resolve_request {
	const struct deps_project *project;
	const struct lock *locked; /* NULL: versions are chosen now */
	bool offline;              /* only what the local repository has */
	const bool *left_out;      /* by dependency of the project: not asked for; or NULL */
};

/* Fills an empty lock: jars with digests and paths. `from` is left to the caller. Asked are Central, the
 * repositories that the project names, and those of the user's settings. Libraries of the tests that can't be had are
 * left out; the lock's `left_out` names them. */
bool resolve(const struct resolve_request *q, struct lock *ret, struct err *err);
/* The pure halves: the pom.xml that is asked with, and what the answer says. */
void resolve_print_pom(const struct resolve_request *q, struct buf *out);
bool resolve_read_list(struct lock *l, struct str text, struct err *err);

#endif
