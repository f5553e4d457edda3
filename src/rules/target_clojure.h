/* target_clojure.h - what the files that implement the rules of Clojure share: the namespaces of all targets.
 *
 * They are read at once, when the first rule asks: an edge may lead from one target to another. */
#ifndef TENON_RULES_TARGET_CLOJURE_H
#define TENON_RULES_TARGET_CLOJURE_H

#include "front/clojure.h"
#include "rules/target_impl.h"

/* A file of a target that is on its class path as it is. */
struct clojure_resource {
	target_id owner;
	struct str root, rel; /* path: root, "/", rel */
};

struct clojure_jar;

struct target_clojure {
	struct clojure_project project;
	target_id *file_owner;          /* by file of the project */
	action_id *compiles;            /* by namespace; NO_ID where it has none yet */
	struct str *trees;              /* by namespace: its folder of classes */
	bool *skipped;                  /* by namespace: it is left as source */
	bool *unnamed;                  /* by namespace: that is so because :ns does not name it */
	Vec(struct clojure_jar *) jars; /* target_clojure_libs.c */
	Vec(struct clojure_resource) resources;
	Vec(struct target_runtime *) runtimes;
};

/* -- target_clojure.c: reading -- */

/* Reads them if that was not done yet. */
bool clojure_have(struct rule_context *c, struct err *err);
target_id clojure_owner(const struct target_clojure *cl, uint32_t ns);
/* Is it a target whose namespaces are loaded from their sources: tests? */
bool clojure_is_test(const struct target_analysis *an, target_id id);
/* Marks targets that `id` depends on, directly or not, and itself. */
void clojure_mark_deps(const struct target_analysis *an, target_id id, bool *in);
struct str clojure_file_path(struct arena *a, struct str root, struct str rel);

/* -- target_clojure_libs.c -- */

/* Marks the target's namespaces that need what no library has, and those that need them, where the target says that
 * they are to be left as sources. */
void clojure_skip_incomplete(struct rule_context *c, const struct target_runtime *rt);
/* Is it a namespace of tests that needs ClojureScript, which no library has, and that the target leaves out then? */
bool clojure_skip_test(struct rule_context *c, const struct target_runtime *rt, uint32_t ns);
/* Does one of the files have the namespace, or a class of its name? False only where that is certain. */
bool clojure_may_have(struct rule_context *c, const FileRefVec *class_path, struct str ns);
/* Does one of them have a class of the namespace's own name, as gen-class makes? True where that is not known. */
bool clojure_may_have_class(struct rule_context *c, const FileRefVec *class_path, struct str ns);
void clojure_jars_release(struct target_clojure *cl);

/* -- target_clojure_compile.c -- */

/* Every name of :ns must be a namespace of the target's own. */
bool clojure_check_ns(struct rule_context *c, struct err *err);
/* An action for each namespace of the target, dependencies first. `java`: folder of its Java classes, or NULL. */
bool clojure_compile(struct rule_context *c, const struct target_file_ref *java, struct err *err);
/* Every need of the namespace must be of the target's own or of one that it depends on. */
bool clojure_check_needs(struct rule_context *c, uint32_t ns, struct err *err);
/* The runtime of the target's dependencies, shared by those that have the same. */
struct target_runtime *clojure_runtime(struct rule_context *c, const struct target_file_ref *java);
/* A runtime for this target alone. */
struct target_runtime *clojure_own_runtime(struct rule_context *c, const struct target_file_ref *java);
/* Words and inputs for what the namespace needs: libraries, then the project's namespaces in order. */
void clojure_add_closure(struct rule_context *c, action_id id, uint32_t ns, struct target_runtime *rt);
/* A jar of the classes of those libraries' namespaces that come as source and that the target, those that it depends
 * on, or `main` need. */
struct target_file_ref clojure_libraries(struct rule_context *c, const struct target_file_ref *java, struct str main);
void clojure_add_words(struct target_action *t, const char *option, struct str a, struct str b);
/* The JVM that carries the action out. */
void clojure_set_toolchain(struct rule_context *c, action_id id);

#endif
