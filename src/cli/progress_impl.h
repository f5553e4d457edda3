/* progress_impl.h - what the parts of progress share: its state. For src/cli/progress*.c only. */
#ifndef TENON_CLI_PROGRESS_IMPL_H
#define TENON_CLI_PROGRESS_IMPL_H

#include "cli/progress.h"

struct running {
	uint64_t id;
	int64_t since_ns;
	char *label; /* owned */
};
typedef Vec(struct running) RunningVec;

struct progress {
	struct event_sink sink;
	struct progress_config config;
	RunningVec actions, phases; /* oldest first */
	struct progress_counts counts;
	uint64_t total;
	char *target; /* of the build; owned */
	int64_t build_since_ns;
	uint64_t work_ns; /* estimate of the wall time left, at work_at_ns */
	int64_t work_at_ns;
	bool building;
	/* the screen */
	bool drawn;
	bool dead; /* the stream can't be written to any more */
	int64_t drawn_at_ns;
	size_t drawn_columns;
	struct buf lines, out;
};

/* Actions that came to an end, of whatever kind. */
uint64_t progress_done(const struct progress *p);
uint64_t progress_elapsed(int64_t from, int64_t to); /* 0 where a clock went back */

/* progress_screen.c: "[ 34/134]", numbers right-aligned so that the line stands still. */
void progress_add_count(struct progress *p, struct buf *out);
bool progress_shows_status(const struct progress *p);
/* Sends the lines that have gathered, and the status line behind them if it is time to draw it. */
void progress_show(struct progress *p);

#endif
