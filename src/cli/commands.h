/* commands.h - one function a command; each returns the process's exit code. */
#ifndef TENON_CLI_COMMANDS_H
#define TENON_CLI_COMMANDS_H

#include "build/build.h"
#include "cli/options.h"

/* What every command needs, made once by main. */
struct cli {
	struct options options;
	struct arena arena;
	char *directory; /* absolute */
	StrVec targets;  /* as the user named them */
	StrVec chosen;   /* aliases and profiles, one each */
	struct event_fan events;
	struct build_options build;
	bool color; /* on standard error */
};

int command_build(struct cli *cli);
/* `build --verify-headers`. */
int cli_verify_headers(struct cli *cli);
/* With targets of a workspace: targets.c. */
int command_test(struct cli *cli);
int command_run(struct cli *cli);
int command_targets(struct cli *cli);
int command_eval(struct cli *cli);
int command_repl(struct cli *cli);
int command_load_list(struct cli *cli);
int command_plan(struct cli *cli);
int command_query(struct cli *cli);
int command_explain(struct cli *cli);
int command_deps(struct cli *cli);
int command_doctor(struct cli *cli);
int command_clean(struct cli *cli);
int command_cache(struct cli *cli);
int command_import(struct cli *cli);

/* True if the arguments, from the `from`-th on, are labels, or there are none and the directory lies in a workspace. */
bool cli_means_targets(struct cli *cli, size_t from);
int cli_build_targets(struct cli *cli);
int cli_repl_targets(struct cli *cli);
int cli_query_targets(struct cli *cli);

/* Prints the error to standard error, in tenon's style; its exit code. Releases it. */
int cli_fail(const struct cli *cli, struct err *err);
/* Opens a session and describes the targets (all of the directory where there are none). */
bool cli_describe(struct cli *cli, struct session *s, struct graph *g, struct err *err);
/* Builds the targets, with progress; false: failed, *ret_code is the exit code (everything was told). */
bool cli_build(struct cli *cli, struct session *s, struct graph *g, struct build *b, int *ret_code);

#endif
