/* eval.h - the evaluator of the build language: pure, bounded, one file at a time.
 *
 *     struct eval ev;
 *     eval_init(&ev, arena, &files, &host);
 *     eval_define_rule(&ev, STR("jar"), schema);       // before the first file
 *     struct module m;
 *     eval_file(&ev, &m, file_index, forms, declare, ctx, err);
 *     eval_release(&ev);
 *
 * The forms of a file are evaluated in order. `def`, `defn`, `defrule` and `load` stand at top level and make names;
 * nothing else has an effect. What the other forms give is passed to `declare`: the file's targets are among it.
 *
 * The language can't read a clock, an environment, or a file; what it may know of the world (files that match a
 * pattern, settings, other files) it asks the host for. Equal answers, equal values.
 *
 * It always ends: every evaluation and every piece of memory counts as a step, and a file has so many of them; forms
 * and calls nest so deep and no deeper. */
#ifndef TENON_LANG_EVAL_H
#define TENON_LANG_EVAL_H

#include "base/map.h"
#include "lang/sexp.h"
#include "lang/value.h"

#define EVAL_STEPS 4000000 /* of one file: some tenths of a second */
#define EVAL_DEPTH 600     /* of forms in forms and calls in calls */

struct module;

struct glob_query {
	struct value include, exclude; /* lists of strings */
	bool allow_empty;
	struct place place;
};

/* What evaluation may ask for. Every function may be NULL: then it is an error to ask. They fill `err`, with a place or
 * without one. Results live in the evaluator's arena. */
struct eval_host {
	void *ctx;
	/* Files below the package that is being evaluated. */
	bool (*glob)(void *ctx, const struct glob_query *q, struct value *ret_list, struct err *err);
	/* The value of a setting; empty if there is none. */
	struct str (*setting)(void *ctx, struct str name);
	/* The file that `path` names in file `from`, evaluated. */
	bool (*load)(void *ctx, uint32_t from, struct str path, struct place place, const struct module **ret,
	             struct err *err);
	/* The package that is being evaluated; false at the top level of a loaded file. */
	bool (*package)(void *ctx, struct str *ret);
};

/* The names of one file: its own and those that it loaded. */
struct binding {
	struct str name;
	struct value value;
	struct place place;
	bool imported;
};
struct module {
	struct map names; /* to an index in bindings */
	Vec(struct binding) bindings;
};
void module_release(struct module *m);

struct eval {
	struct arena *arena;
	const SourceTexts *files;
	struct eval_host host;
	struct map builtins; /* name to index in builtin_values */
	Vec(struct value) builtin_values;
	uint64_t steps, max_steps;
	uint32_t depth, max_depth;
	uint32_t file;         /* whose forms are being evaluated */
	struct module *module; /* of that file */
	struct err *err;
};

void eval_init(struct eval *ev, struct arena *arena, const SourceTexts *files, const struct eval_host *host);
void eval_release(struct eval *ev);
/* A built-in rule: a call of `name` gives a target value with this schema. */
void eval_define_rule(struct eval *ev, struct str name, const void *schema);
/* Told of every top level form that gave something other than nil. */
typedef bool eval_declare(void *ctx, struct value v, struct err *err);
/* Evaluates the forms of file number `file` into `m`, which is zeroed and the caller's to release. May be called from
 * within eval_host.load. */
bool eval_file(struct eval *ev, struct module *m, uint32_t file, const struct sexp *forms, eval_declare *declare,
               void *ctx, struct err *err);
/* Calls the function of a workspace's own rule with a target's attributes, as a map. Steps count for the file. */
bool eval_call_rule(struct eval *ev, const struct target_value *t, struct value attrs, struct value *ret,
                    struct err *err);
/* Names of special forms and functions, sorted, for documentation and completion. */
const char *const *eval_special_names(void); /* ends in NULL */

#endif
