/* target_impl.h - what the files that implement rules share. */
#ifndef TENON_RULES_TARGET_IMPL_H
#define TENON_RULES_TARGET_IMPL_H

#include "rules/target_rules.h"

/* One target being analysed. */
struct rule_context {
	struct target_analysis *an;
	struct arena *arena; /* the analysis's */
	const struct build_target *target;
	target_id id;
	struct target_products *products; /* its own */
};

/* A rule: gives products, and actions where something has to be done. */
typedef bool rule_fn(struct rule_context *c, struct err *err);
rule_fn rule_genrule, rule_export_file, rule_remote_file, rule_zip_file, rule_command_alias, rule_worker_tool, rule_own;
rule_fn rule_jar, rule_java_library, rule_java_binary;
rule_fn rule_clj_lib, rule_clj_binary, rule_clj_test;
rule_fn rule_lisp_library, rule_lisp_binary, rule_lisp_test, rule_asdf_system;
void target_clojure_free(struct target_clojure *cl); /* NULL is fine */

/* A new action of the target; `step` tells several apart ("" for the one that makes what the target is for). */
action_id rule_action_new(struct rule_context *c, const char *mnemonic, const char *executor, const char *step);
struct target_action *rule_action_get(struct rule_context *c, action_id id); /* valid until the next is made */
void rule_words(struct target_action *t, const char *const *words);          /* NULL-terminated; static */
void rule_output(struct rule_context *c, action_id id, struct str path, bool tree);
/* The environment that every command has: where programs are found, and how text is written. */
void rule_environment(struct target_action *t);
/* Adds NAME=VALUE for each pair of a map; attr may be NULL. */
void rule_environment_attr(struct arena *a, StrVec *env, const struct attr *attr);

const struct target_products *rule_products(const struct rule_context *c, target_id id);
/* The files that an attribute of sources or labels stands for; attr may be NULL. */
void rule_files(const struct rule_context *c, const struct attr *attr, FileRefVec *out);
void rule_add_file(FileRefVec *out, struct target_file_ref f); /* unless it is there */
void rule_add_files(FileRefVec *out, const FileRefVec *from);  /* likewise */
void rule_add_command(struct target_command *out, const struct target_command *from, struct arena *a);
/* The target's only output, or the i-th. */
struct str rule_out(const struct rule_context *c, uint32_t i);
/* An error at the target, or at one of its attributes. */
bool rule_err(const struct rule_context *c, const struct attr *attr, struct err *err, const char *fmt, ...)
        PRINTF_LIKE(4, 5);

/* -- Java: target_java.c -- */
bool rule_find_jdk(struct rule_context *c, struct err *err);
/* Adds the jars of the targets that an attribute names, and what these need. */
void rule_add_classpath(const struct rule_context *c, const char *attr, FileRefVec *out);
/* Adds what a Clojure runtime needs of them. */
void rule_add_runtime(const struct rule_context *c, const char *attr, FileRefVec *out);
/* Makes them inputs; their names with colons between. */
struct str rule_classpath_text(struct rule_context *c, action_id id, const FileRefVec *classpath);
/* An action that compiles the Java sources of an attribute; *ret is the folder of classes. */
bool rule_javac(struct rule_context *c, const char *srcs_attr, struct target_file_ref *ret, struct err *err);
/* An action that writes the target's jar, its parts, its Main-Class and manifest, and how `run` starts it. */
action_id rule_jar_begin(struct rule_context *c, const char *step);
void rule_jar_add(struct rule_context *c, action_id id, const struct target_file_ref *f);
void rule_jar_add_libraries(struct rule_context *c, action_id id);      /* the class paths of :deps */
void rule_jar_add_made_resources(struct rule_context *c, action_id id); /* those that other targets make, alone */
void rule_jar_add_resources(struct rule_context *c, action_id id);
/* Main-Class, other entries of the manifest, and what is left out. `main` empty: no Main-Class; `launcher`: it is a
 * namespace without a class. False: a pattern of :exclude is none. */
bool rule_jar_main(struct rule_context *c, action_id id, struct str main, bool launcher, struct err *err);
struct target_file_ref rule_jar_product(struct rule_context *c, action_id id);
void rule_run_jar(struct rule_context *c, action_id id); /* by java -jar */

/* The hidden program of exec/tool.h as an action's: argv[0] and the word that calls it. */
void rule_tool(struct target_action *t, const char *tool);

#endif
