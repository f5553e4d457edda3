/* import.h - the BUILD files that stand for a project of deps.edn, project.clj or pom.xml.
 *
 * The project gets the targets `lib`, `main` (where a main namespace is named) and `test` (where there are tests); the
 * jars of its lock get one target each in a package of their own. All is text, made of the project, its lock, and the
 * names of the files that are there. */
#ifndef TENON_FRONT_IMPORT_H
#define TENON_FRONT_IMPORT_H

#include "front/deps_members.h"
#include "front/lock.h"

/* The first line of what is generated: a file that begins otherwise is the user's own. */
extern const struct str import_mark;

/* "clojure"; with its group where two libraries share the name. */
struct str import_target_name(struct arena *a, const struct lock *l, size_t jar);
/* "clojure-1.11.1.jar", next to the BUILD file of the jars. */
struct str import_jar_name(struct arena *a, const struct lock *l, size_t jar);
/* The BUILD file of the jars' package: those of the lock, and the project's members that are jars. */
void import_print_jars(const struct deps_project *d, const struct lock *l, struct buf *out);
/* The file, next to that BUILD file, that stands for a member that is a jar. */
struct str import_member_jar(struct arena *a, const struct deps_member *m);
/* The BUILD file of a member that is a project: its target "lib". */
bool import_print_member(const struct deps_member *m, const struct lock *l, struct str package, struct str jars,
                         struct buf *out, struct err *err);
/* The project's own. `package`: where the project lies in the workspace; `jars`: the package of the jars. Looks at the
 * project's folder `dir`. */
bool import_print_project(const struct deps_project *d, const struct lock *l, const char *dir, struct str package,
                          struct str jars, struct buf *out, struct err *err);

#endif
