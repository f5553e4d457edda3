/* target_build.h - one build of targets: which of their actions are current, running the others, what came of it.
 *
 *     struct target_build b;
 *     target_build_init(&b, session, table, analysis);
 *     target_build_add(&b, command_executor_new(&place));      // and the other executors; they are released with it
 *     target_build_run(&b, strategy, err);      // failures are told and counted; err is for what ends a build
 *     target_build_commit(&b, err);             // records for the next build
 *     target_build_release(&b);
 *
 * An action's life: its inputs become known, so its key is; the key is in the store (CACHED, or CURRENT where even the
 * files lie there already) or it runs (RAN, FAILED). Only after its dependencies have ended is a key known, so an
 * action whose dependencies ran but gave what they had given is found in the store: a change ends there. */
#ifndef TENON_BUILD_TARGET_BUILD_H
#define TENON_BUILD_TARGET_BUILD_H

#include "build/session.h"
#include "exec/executor.h"
#include "rules/target_rules.h"
#include "sched/sched.h"

struct target_build;

/* Why an action ran, or why it did not though something changed: in words, and for programs. */
struct target_why {
	struct str kind; /* a word: "input", "var", "option", "new", ...; empty: there is nothing to say */
	struct str name; /* of what changed: a path, a var, a namespace, an option */
	struct str text; /* "\"a.txt\" changed" */
};

struct target_unit {
	struct unit_trace *trace;      /* target_trace.c: what it shows to others, once somebody asked */
	struct digest first_key;       /* of all but the contents of traced inputs, and comments */
	bool has_first_key;            /* made when it was asked for */
	struct digest key, definition; /* the latter: of all that is in the key but the inputs' contents */
	struct exec_input *inputs;
	size_t ninputs;
	struct result_output *outputs;
	size_t noutputs;
	bool known;   /* the outputs are */
	bool ended;   /* known, failed or skipped */
	bool repeats; /* failed, and will again as long as nothing changes */
	uint8_t attempts;
	enum outcome outcome;
	struct target_why why;
	bool by_use;            /* found under the key of what it used the last time */
	struct str diagnostics; /* forms: (:diag ...) */
	struct str facts;
	struct str failure; /* why it failed, in one line */
	uint64_t wall_ns, cpu_ns, event_id;
	int64_t started_ns;
	struct exec_job job;
	struct arena arena; /* for the time of one execution */
	struct target_build *build;
};

struct target_build {
	struct session *session;
	const struct target_table *table;
	const struct target_analysis *analysis;
	struct graph
	        graph; /* the actions as the scheduler sees them: labels and edges; ids are those of the analysis */
	struct target_unit *units; /* by action */
	struct sched *sched;
	struct map resources; /* path to an index in resource_inputs: traced sources that were looked at */
	Vec(struct exec_input) resource_inputs;
	Vec(struct executor *) executors;
	struct arena arena;
	struct map durations; /* label -> ns, from the history */
	struct map previous;  /* label -> offset of its record in previous_text */
	struct buf previous_text;
	const char *real_directory; /* of the workspace, without links */
	bool stop;                  /* a failure, and not --keep-going */
	bool audit;                 /* namespaces are compiled though their results are known */
	bool rerun_tests;           /* tests are executed though their results are known */
	struct err fatal;           /* what ended the whole build */
	uint32_t running;
	bool blocked;   /* an executor carries out an action within its start function */
	bool meanwhile; /* others are being started beside that one */
	uint64_t ran, cached, current, failed, skipped;
	struct buf replay; /* diagnostics to show again when nothing has changed: see report_replay */
	struct buf errors; /* likewise, those of actions that failed */
	int64_t began_ns;  /* CLOCK_REALTIME */
};

/* Makes the graph. False: the actions wait for each other in a circle. */
bool target_build_init(struct target_build *b, struct session *s, const struct target_analysis *analysis,
                       struct err *err);
void target_build_add(struct target_build *b, struct executor *e);
bool target_build_run(struct target_build *b, enum sched_strategy strategy, struct err *err);
bool target_build_commit(struct target_build *b, struct err *err);
bool target_build_succeeded(const struct target_build *b);
void target_build_release(struct target_build *b);

static inline const struct target_action *target_build_action(const struct target_build *b, action_id id)
{
	return &b->analysis->actions.ptr[id];
}

/* -- target_unit.c: keys, the store, files -- */
/* Digests the inputs and makes the key; all dependencies are known. False: an input is missing or cannot be read. */
bool target_unit_key(struct target_build *b, action_id id, struct err *err);
/* Looks the key up; on a hit the outputs lie in the out folder and the unit is known. */
bool target_unit_lookup(struct target_build *b, action_id id, bool *ret_hit, struct err *err);
/* Makes a folder with the inputs, and the job. */
bool target_unit_prepare(struct target_build *b, action_id id, bool with_tree, struct err *err);
/* Takes what was made: stores, links, makes the unit known. *ret_again: a source changed meanwhile. False: an output is
 * missing, or the store failed. */
bool target_unit_accept(struct target_build *b, action_id id, const struct exec_result *r, bool *ret_again,
                        struct err *err);
/* Removes the folder. */
void target_unit_clean(struct target_build *b, action_id id);

/* -- target_trace.c: keys by what was used -- */
bool target_trace_has(const struct target_build *b, action_id id);
/* The key of all but what the last execution may not have used. */
const struct digest *target_trace_first_key(const struct target_build *b, struct target_unit *u);
/* *ret_known: the last compile with the same first key said what it used; then the key for that. */
bool target_trace_key(struct target_build *b, action_id id, struct digest *ret, bool *ret_known, struct err *err);
/* Keeps a result under the key of what it used. */
bool target_trace_keep(struct target_build *b, action_id id, const struct action_result *result, struct err *err);
/* What an action with these facts used, one after the other, each with what it is now. False: the facts say nothing. */
enum target_use { TARGET_USE_VAR, TARGET_USE_CLASS, TARGET_USE_ALL_VARS, TARGET_USE_CODE, TARGET_USE_RESOURCE };
struct target_used {
	enum target_use kind;
	struct str name;  /* "ns/var", a class, a namespace, a path of the workspace */
	struct str state; /* a digest, or "none" */
};
typedef void target_use_fn(void *ctx, const struct target_used *u);
bool target_trace_uses(struct target_build *b, action_id id, struct str facts, target_use_fn *fn, void *ctx);
/* What it used when it last ran with the same first key. */
bool target_trace_facts(struct target_build *b, action_id id, struct str *ret, bool *ret_known, struct err *err);
/* Of all outputs. */
struct digest target_trace_tree(struct target_build *b, action_id id);
void target_trace_release(struct target_unit *u);

/* -- target_report.c: what people see, and why -- */
void target_report_start(struct target_build *b, action_id id);
void target_report_finish(struct target_build *b, action_id id);
void target_report_error(struct target_build *b, action_id id, const struct err *err);
void target_report_failure(struct target_build *b, action_id id, const struct exec_result *r);
/* What a tool said though it succeeded, as forms in `out`. */
void target_report_forms(const struct target_action *t, struct str output, struct buf *out);
void target_report_diagnostics(struct target_build *b, action_id id, bool cached);

/* -- target_record.c: what the last build knew of each action -- */
struct target_record {
	struct digest key, definition;
	struct str outcome; /* "ran", "cached", "current", "failed", "skipped" */
	struct target_why why;
	struct str facts; /* the lines behind that: see target_record_next */
};
enum target_fact { TARGET_FACT_INPUT, TARGET_FACT_PART, TARGET_FACT_USE };
struct target_recorded {
	enum target_fact kind;
	enum target_use use; /* TARGET_FACT_USE */
	struct str name;     /* of an input the path, of a part (see target_parts) all there is to say */
	struct str state;    /* the first digits of a digest; empty for a part */
};
void target_record_load(struct target_build *b);
bool target_record_save(struct target_build *b, struct err *err);
/* False: no build knew of it. */
bool target_record_previous(const struct target_build *b, struct str label, struct target_record *ret);
bool target_record_next(struct str *facts, struct target_recorded *ret);
/* The digest as records have it, in `ret`. */
#define TARGET_RECORD_DIGITS 16
struct str target_record_state(const struct digest *d, char ret[DIGEST_HEX + 1]);
/* The parts of what is in the key beside the inputs, each one line: "option NAME VALUE", "env NAME=VALUE", ... */
void target_parts(const struct target_build *b, action_id id, struct arena *a, StrVec *out);

/* -- target_why.c -- */
/* Why the action runs: what is another one than the last time. In the build's arena. */
struct target_why target_why_run(struct target_build *b, action_id id);
/* Of one that did not run: what changed all the same, and why that did not matter. */
struct target_why target_why_not(struct target_build *b, action_id id);

#endif
