/* progress.h - a build as people see it: a status line on a terminal, plain lines elsewhere.
 *
 *     struct progress_config c = { .fd = 2, .tty = progress_is_terminal(2), .render = &render };
 *     struct progress *p = progress_new(&c);
 *     event_fan_add(&fan, progress_sink(p));
 *     ... progress_tick(p) a few times a second while nothing else happens ...
 *     progress_free(p);                     // erases the status line
 *
 * On a terminal one line is redrawn at most 20 times a second and erased at the end; all else (diagnostics, failures,
 * notes, the summary) is printed above it, each in one write, so nothing is ever interleaved. Elsewhere each action
 * that was executed gets a line when it ends; cached ones are only counted. Quiet: warnings and errors only. Verbose:
 * every action, why it ran, phases, and the compiler's notes.
 *
 * Anything printed by others to the same stream must come between progress_hide() and the next event or tick. */
#ifndef TENON_CLI_PROGRESS_H
#define TENON_CLI_PROGRESS_H

#include "base/event.h"
#include "cli/render.h"

enum verbosity { VERBOSITY_QUIET, VERBOSITY_NORMAL, VERBOSITY_VERBOSE };

struct progress_config {
	int fd;
	bool tty, color;
	enum verbosity verbosity;
	struct render *render; /* borrowed; for diagnostics */
	/* For tests; NULL: the monotonic clock, the terminal's width (then COLUMNS, then 80), write(2). `width` is
	 * asked at each redraw, so that a resized terminal needs no signal. */
	void *ctx;
	int64_t (*now)(void *ctx);
	unsigned (*width)(void *ctx);
	void (*write)(void *ctx, struct str bytes);
};

struct progress;
struct progress *progress_new(const struct progress_config *config);
void progress_free(struct progress *p); /* NULL is fine */
struct event_sink *progress_sink(struct progress *p);
/* Redraws the status line if it is time to. Cheap. */
void progress_tick(struct progress *p);
/* Erases the status line until the next redraw. */
void progress_hide(struct progress *p);
/* A terminal that can erase a line: not TERM=dumb. */
bool progress_is_terminal(int fd);

/* What was counted so far, for tests. */
struct progress_counts {
	uint64_t ran, cached, current, failed, skipped;
	uint64_t errors, warnings, style_warnings;
};
struct progress_counts progress_counts(const struct progress *p);

#endif
