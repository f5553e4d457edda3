/* deps.h - the parts of `tenon deps`: what it looked at, the report, the fix. */
#ifndef TENON_CLI_DEPS_H
#define TENON_CLI_DEPS_H

#include "build/deps.h"
#include "cli/commands.h"

/* A built and surveyed request. */
struct looked {
	struct session session;
	struct graph graph;
	struct build build;
	struct survey survey;
	struct deps deps;
	U32Vec systems; /* those that are reported on */
};

struct deps_counts {
	size_t files, missing, superfluous;
};
struct deps_counts deps_count(const struct deps *d);
/* `changed`: only components whose list is to change. */
void deps_report_text(const struct deps *d, bool changed, struct buf *out);
void deps_report_json(const struct deps *d, struct buf *out);

/* Reads in the .asd files which components, and which of their dependencies, stand under conditions (#+, :if-feature,
 * (:feature ...)). What can't be read there has none. */
void deps_read_conditions(struct deps *d);

/* Writes minimal lists into the .asd files and verifies them by a build; else takes them back. Tells what came of it in
 * `out`. The exit code. */
int deps_fix(struct cli *cli, struct looked *x, struct buf *out);

#endif
