/* target_action.h - what has to be done for a target: one command, one file to write, one namespace to compile.
 *
 * The rules (rules/target_rules.h) turn targets into these. Nothing in one says where it will be carried out: files are
 * named as in the folder that every action gets for itself, its root:
 *
 *     ROOT/src/...   the declared files of the workspace, by their paths there
 *     ROOT/gen/...   the declared files that other actions made, by their paths below the root of outputs
 *     ROOT/out/...   where its outputs go, likewise; the one place that it may write to, with
 *     ROOT/tmp/      for anything; removed with the rest
 *
 * `cwd` is relative to ROOT, and so are words of argv made by target_exec_path relative to `cwd`: equal actions have
 * equal words, on any machine. Files outside the workspace are named by their absolute paths and are not laid there. */
#ifndef TENON_RULES_TARGET_ACTION_H
#define TENON_RULES_TARGET_ACTION_H

#include "graph/graph.h"
#include "graph/target.h"
#include "store/digest.h"

/* A file that an action reads, or that a target gives to those that depend on it. */
struct target_file_ref {
	struct str path;    /* of the workspace, or below the root of outputs; absolute: elsewhere */
	action_id producer; /* the action that makes it; NO_ID for a file that is there */
	bool tree;          /* all files below it */
	/* Whether its content matters is told by what the action used the last time: rules/clojure_trace.h. */
	bool traced;
	bool code; /* Clojure that is compiled: comments don't matter */
};
typedef Vec(struct target_file_ref) FileRefVec;

struct target_output {
	struct str path; /* below the root of outputs */
	bool tree;       /* a folder: whatever the action writes into it */
	bool executable; /* it can be run, whatever mode it was written with */
};

/* A program with its arguments, wherever it is run. In words, "\1N\1" (N decimal) stands for the path of files[N]. */
struct target_command {
	StrVec words, env; /* env: NAME=VALUE */
	FileRefVec files;
};
void target_command_release(struct target_command *c);
/* Adds a file; the text that stands for it, in `a`. */
struct str target_command_file(struct arena *a, struct target_command *c, struct target_file_ref f);
/* The word with what `name` makes of each file in it; in `a`. */
struct str target_command_word(struct arena *a, const struct target_command *c, struct str word,
                               struct str (*name)(void *ctx, struct arena *a, const struct target_file_ref *f),
                               void *ctx);

/* What actions of the executor "jvm" have in common when one runtime may carry out all of them. */
struct target_runtime {
	FileRefVec class_path; /* jars of libraries, Clojure's own among them */
	StrVec roots;          /* folders of sources, relative to the workspace */
	StrVec project;        /* namespaces that have actions of their own */
	StrVec preload;        /* namespaces of libraries that these need */
	/* Tests have processes of their own, with one namespace at a time in each. */
	bool is_test;
	struct str cwd; /* relative to the workspace */
	StrVec env;     /* NAME=VALUE */
	StrVec jvm_options;
};

struct target_action {
	struct str label;     /* unique: "//dir:name", or "//dir:name (jar)" where a target needs several */
	const char *mnemonic; /* "genrule", "javac", "jar" */
	const char *executor; /* who carries it out: "command", "worker", "local", "jvm" */
	target_id target;
	FileRefVec inputs;
	Vec(struct target_output) outputs;
	StrVec argv;             /* what to do, in words; how they are read depends on the executor */
	StrVec env;              /* NAME=VALUE */
	struct str cwd;          /* relative to ROOT */
	struct digest toolchain; /* of what is used but not declared as an input: a JDK; zero: nothing */
	unsigned timeout_s;      /* 0: as the build has it */
	bool reads_anywhere;     /* also what is hidden: its result is checked otherwise */
	/* ROOT/src and ROOT/gen are links to where the files lie: nothing is laid there. For programs of ours, which
	 * read what they are told to and nothing else; cwd is ROOT. */
	bool in_place;
	/* executor "worker": the program that is asked; argv is what it is asked then */
	const struct target_command *worker;
	struct str worker_label; /* for errors */
	unsigned max_workers;
	bool always;  /* carried out in every build that does anything: it finds out by itself what has changed */
	bool is_test; /* an outcome that people may ask for again */
	bool output_is_warning;               /* what it says, though it succeeds, is meant for the user */
	const struct target_runtime *runtime; /* executor "jvm" */
	Vec(action_id) after;                 /* actions that it needs without reading their outputs */
};

/* The file's name for an action whose cwd is `cwd`: "../gen/lib/x.jar". In `a`. */
struct str target_exec_path(struct arena *a, struct str cwd, const struct target_file_ref *f);
struct str target_out_path(struct arena *a, struct str cwd, struct str output);
/* Relative to ROOT: "src/a.c", "gen/lib/x.jar"; an absolute one as it is. */
struct str target_root_path(struct arena *a, const struct target_file_ref *f);

/* Adds the file unless it is there. */
void target_add_input(struct target_action *t, struct target_file_ref f);
void target_action_release(struct target_action *t);

/* Digest of all that determines the action's outputs but its inputs' contents; the caller adds those and ends it. */
struct hasher *target_action_hasher(const struct target_action *t);

#endif
