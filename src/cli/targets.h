/* targets.h - what the commands that work on targets share. */
#ifndef TENON_CLI_TARGETS_H
#define TENON_CLI_TARGETS_H

#include "build/targets.h"
#include "cli/commands.h"

/* Opens what the patterns say, or everything if there are none. `verb` is a part of the request. After it, whatever it
 * returned, comes targets_close. */
bool cli_open_targets(struct cli *cli, struct targets *t, const StrVec *patterns, const char *verb, struct err *err);
/* Is the folder in a workspace, or a Clojure project, and has no ASDF systems? */
bool cli_is_among_targets(struct cli *cli);

#endif
