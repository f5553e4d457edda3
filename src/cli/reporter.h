/* reporter.h - what a command that builds shows and logs: progress on the terminal, the structured log.
 *
 *     reporter_open(&r, cli, state_dir);      // sinks are added to cli->events
 *     cli_emit_build(cli, EVENT_BUILD_START, OUTCOME_RAN, 0);
 *     ...
 *     reporter_close(&r, cli);                // cli->events has no sinks then */
#ifndef TENON_CLI_REPORTER_H
#define TENON_CLI_REPORTER_H

#include "cli/commands.h"
#include "cli/log.h"
#include "cli/progress.h"

struct reporter {
	struct render render;
	struct progress *progress;
	struct log *log;
};

void reporter_open(struct reporter *r, struct cli *cli, const char *state_dir);
/* The options of a build whose status line is to move while nothing else happens. */
void reporter_tick(struct reporter *r, struct build_options *ret);
void reporter_close(struct reporter *r, struct cli *cli);
/* The start or the end of the build of cli->targets. */
void cli_emit_build(struct cli *cli, enum event_kind kind, enum outcome outcome, uint64_t total);
/* What the last build of this request had to say, with nothing to do now. `text` is that of lastbuild.h. Returns how
 * many actions it has. */
uint64_t cli_tell_unchanged(struct cli *cli, struct str text);

#endif
