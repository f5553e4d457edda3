/* class_uses.h - enforcement for compiled Clojure and Java: what do class files use that was not declared?
 *
 *     struct class_scope scope = {.arena = &arena};
 *     class_scope_package(&scope, STR("java/util"));              // of the Java runtime, exact; "java/..." is built in
 *     class_scope_archive(&scope, &zip);                          // each declared jar
 *     class_scope_class(&scope, STR("lib/core$helper"));          // each class in the outputs of the static closure
 *     class_scope_namespace(&scope, STR("lib.core"));             // each namespace of the static closure, and its own
 *     ok = class_uses_check(&scope, "out/app", &uses, err);
 *     class_scope_release(&scope);
 *
 * Lines are what the compiler put down: Clojure fetches a called var before it notes the line of the call, so a var's
 * line may be that of the form around it.
 *
 * A use is a var that the code fetches with RT.var, a class that it names, or one that it looks up by a constant name
 * (Class.forName, RT.classForName: what :import and class literals become). The folder's own classes are always
 * allowed. Macros and reader tags leave no trace in class files: those are other checks. Of a namespace in scope also
 * classes that nobody listed are allowed, since what is loaded from source has none: its functions (ns$f), ns__init,
 * and types right in it (ns.Type). */
#ifndef TENON_RULES_CLASS_USES_H
#define TENON_RULES_CLASS_USES_H

#include "base/arena.h"
#include "base/err.h"
#include "base/map.h"

struct zip;

struct class_scope {
	struct arena *arena; /* set by the caller; keeps all names */
	struct map namespaces, munged, classes, packages;
};
void class_scope_namespace(struct class_scope *s, struct str name);   /* "my-lib.core" */
void class_scope_class(struct class_scope *s, struct str name);       /* "my_lib/core$f" */
void class_scope_package(struct class_scope *s, struct str name);     /* "java/sql" */
void class_scope_archive(struct class_scope *s, const struct zip *z); /* all classes in it */
void class_scope_release(struct class_scope *s);

enum class_use_kind { CLASS_USE_VAR, CLASS_USE_CLASS };
struct class_use {
	enum class_use_kind kind;
	struct str owner;  /* "lib.core" of a var, "lib/core/Point" of a class */
	struct str name;   /* the var's, or the member that is used first, or empty */
	struct str by;     /* the class file's own class */
	struct str source; /* "main.clj", or empty */
	uint32_t line;     /* 0 if unknown */
};
typedef Vec(struct class_use) ClassUses;

/* Checks every .class file below `dir`, in order of name; each owner and name once, with the first place that has a
 * line. The vector is the caller's to release, the texts are in the scope's arena. */
bool class_uses_check(struct class_scope *s, const char *dir, ClassUses *ret, struct err *err);
/* Appends a class name's text for `name` as Clojure's compiler makes it: "a-b?" gives "a_b_QMARK_"; dots stay. */
void class_munge(struct str name, struct buf *out);

#endif
