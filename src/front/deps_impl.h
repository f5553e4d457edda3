/* deps_impl.h - the readers behind deps.h: each fills a project whose text is set. */
#ifndef TENON_FRONT_DEPS_IMPL_H
#define TENON_FRONT_DEPS_IMPL_H

#include "front/deps.h"
#include "lang/clj.h"

bool deps_read_edn(struct deps_project *d, struct err *err);
bool deps_read_lein(struct deps_project *d, struct err *err);
bool deps_read_pom(struct deps_project *d, struct err *err);

/* Of deps.edn. Libraries of a map, paths of a vector (a keyword among them is an alias whose value is a list of paths);
 * NULL is an empty one. */
bool deps_edn_add(struct deps_project *d, const struct clj *map, enum deps_scope scope, struct err *err);
bool deps_edn_paths(struct deps_project *d, const struct clj *paths, const struct clj *aliases, StrVec *ret,
                    struct err *err);
struct str deps_edn_version(const struct clj *coord); /* empty: it is no library of Maven's */
bool deps_edn_aliases(struct deps_project *d, const struct clj *aliases, struct err *err);

/* "group/artifact", or "name" for both, with "$classifier" behind it. */
bool deps_lib(struct deps_project *d, const struct clj *c, struct deps_dep *ret, struct err *err);
bool deps_fail(const struct deps_project *d, const struct clj *at, struct err *err, const char *fmt, ...)
        PRINTF_LIKE(4, 5);
/* A list of strings; what is none is an error. NULL gives none. */
bool deps_strings(struct deps_project *d, const struct clj *c, StrVec *ret, struct err *err);
void deps_note(struct deps_project *d, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
