/* target_rules.h - from targets to actions: one function for each built-in rule, and one for the workspaces' own.
 *
 *     struct target_analysis an;
 *     target_analysis_init(&an, table, &tools);
 *     target_analyse(&an, requested, n, err);     // these and all they depend on
 *     ... an.actions, target_products(&an, id) ...
 *     target_analysis_release(&an);
 *
 * A rule sees the products of the targets that its own one depends on, never their attributes. */
#ifndef TENON_RULES_TARGET_RULES_H
#define TENON_RULES_TARGET_RULES_H

#include "rules/target_action.h"

/* What rules need to know of this machine. Each is looked for when a rule asks: *found is how. */
struct target_tools {
	/* Fills java, javac and jdk; false: there is none, and how to get one. */
	bool (*find_jdk)(struct target_tools *t, struct err *err);
	void *ctx;
	struct str java, javac; /* absolute */
	struct digest jdk;
	const char *directory;    /* the workspace */
	struct digest jvm_driver; /* of the Clojure side of tenon */
	const char *packer;       /* what the bytes of archives depend on: zip_packer() */
	bool want_tests;          /* tests get actions */
	bool want_sources;        /* for a prompt: Clojure is loaded from its sources, nothing of it is compiled */
	StrVec only_tests;        /* NAMESPACE or NAMESPACE/TEST; none: all */
	StrVec selectors;         /* names of :selectors, or keys of metadata; none: "default" */
};

/* What a target gives to those that depend on it. */
struct target_products {
	bool ready;
	FileRefVec files;          /* what it makes: its outputs, or the file it stands for */
	FileRefVec classpath;      /* jars to compile against and to run with: its own first, then what they need */
	FileRefVec runtime;        /* of these, what is not compiled from Clojure here; and folders of Java classes */
	struct target_command run; /* no words: it can't be run */
	bool is_worker;            /* what `run` starts speaks the worker protocol */
	unsigned max_workers;
	struct str lisp_system;  /* the name by which ASDF knows it; empty: it is none of Lisp's */
	action_id lisp_build;    /* what builds it */
	StrVec lisp_definitions; /* of it and of those that it rests on, where targets define them: name, text, ... */
	U32Vec tests;            /* actions that `test` needs and `build` does not */
};

struct target_clojure;

struct target_analysis {
	const struct target_table *table;
	struct target_tools *tools;
	struct arena arena;
	Vec(struct target_action) actions; /* ids are indices */
	struct target_products *products;  /* by target */
	Vec(target_id) analysed;           /* in order of analysis */
	StrVec notes;                      /* what people should know, with its place */
	struct target_clojure *clojure;    /* the namespaces of all targets; made when the first rule asks */
};

void target_analysis_init(struct target_analysis *an, const struct target_table *table, struct target_tools *tools);
void target_analysis_release(struct target_analysis *an);
/* Folders of sources and resources of Clojure targets and of those that they depend on, in order; relative to the
 * workspace, in the analysis's arena. */
void target_clojure_roots(struct target_analysis *an, const target_id *targets, size_t n, StrVec *out);
/* Names of namespaces of tests, for a message. */
struct nearest;
void target_clojure_offer_tests(const struct target_analysis *an, struct nearest *n);
bool target_analyse(struct target_analysis *an, const target_id *targets, size_t n, struct err *err);

#endif
