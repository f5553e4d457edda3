/* targets.h - a workspace of targets: read, analysed, built.
 *
 *     struct targets t;
 *     targets_init(&t, &request, sink, err)       // paths and the request's digest
 *     if (session_unchanged(&t.session, ...)) ... // nothing to do
 *     targets_load(&t, err)                       // opens the session, reads BUILD files
 *     targets_analyse(&t, TARGETS_BUILD, err)     // actions of what was asked for
 *     targets_build(&t, &how, err)                // t.build says what came of it
 *     targets_close(&t)                           // always, after targets_init */
#ifndef TENON_BUILD_TARGETS_H
#define TENON_BUILD_TARGETS_H

#include "build/target_build.h"
#include "exec/jdk.h"
#include "front/buildfile.h"
#include "front/project.h"

struct targets_request {
	struct build_options options; /* `directory` is the workspace's root; `targets` are the patterns */
	struct str here;              /* the package that relative patterns start at */
	const char *verb;             /* "build", "test": a part of the request's digest */
	bool is_project;              /* the folder has no WORKSPACE but is a Clojure project (project.h) */
	enum deps_kind project_kind;
	bool offline;
	StrVec chosen;       /* aliases or profiles of the project; borrowed */
	bool tests_are_main; /* see struct deps_project */
	StrVec selectors;    /* see struct target_tools; borrowed */
	StrVec only_tests;   /* NAMESPACE or NAMESPACE/TEST; borrowed */
};

struct targets {
	struct targets_request request;
	struct arena arena;
	struct session session;
	struct project project;
	struct target_table table;
	struct target_tools tools;
	struct jdk jdk;
	struct target_analysis analysis;
	struct target_build build;
	struct loop *loop;
	bool loaded, analysed, built; /* how far it came */
};

bool targets_init(struct targets *t, const struct targets_request *request, struct event_sink *sink, struct err *err);
bool targets_load(struct targets *t, struct err *err);
enum targets_purpose { TARGETS_BUILD, TARGETS_TEST, TARGETS_PROMPT };
bool targets_analyse(struct targets *t, enum targets_purpose purpose, struct err *err);
struct targets_how {
	enum sched_strategy strategy;
	bool rerun_tests; /* though their results are known */
	bool audit;       /* every namespace of Clojure is compiled, twice, and compared */
};
bool targets_build(struct targets *t, const struct targets_how *how, struct err *err);
/* In place of targets_build: what the last one left of each action is there, target_record_previous(&t->build, ...). */
bool targets_recall(struct targets *t, struct err *err);
/* After a build with tests: how many there were, and a report where `junit_file` is not NULL. */
bool targets_report_tests(struct targets *t, const char *junit_file, struct err *err);
void targets_close(struct targets *t);
/* argv of what the target runs, and NAME=VALUE lines of its environment; in the arena, NULL-terminated. False: it is
 * nothing that can be run. */
bool targets_run_command(struct targets *t, target_id id, const char ***ret_argv, const char ***ret_env,
                         struct err *err);

/* argv of what an alias of deps.edn starts, from the project's sources, built with TARGETS_PROMPT: as above. ERR_USER:
 * it starts nothing. */
bool targets_alias_command(struct targets *t, struct str alias, const char ***ret_argv, struct err *err);

/* argv of a Clojure prompt over the targets' sources, built with TARGETS_PROMPT: as above. `port` 0: any. */
struct targets_prompt {
	bool headless;
	unsigned port;
};
bool targets_prompt_command(struct targets *t, const struct targets_prompt *p, const char ***ret_argv, struct err *err);

#endif
