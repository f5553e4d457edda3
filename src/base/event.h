/* event.h - what happens during a build, as typed values sent to sinks.
 *
 * The engine emits events and prints nothing; the terminal, the structured log, the Chrome trace and the history are
 * sinks. Every start has an id that its finish repeats. Times are monotonic nanoseconds. All strings are borrowed for
 * the time of the call. */
#ifndef TENON_BASE_EVENT_H
#define TENON_BASE_EVENT_H

#include "base/str.h"

enum event_kind {
	EVENT_BUILD_START,  /* label: what was asked for; total: actions planned (0 if not known yet) */
	EVENT_BUILD_FINISH, /* outcome, interrupted, memory; total: actions, where none was told of */
	EVENT_PHASE_START,  /* label: "describe", "plan", "base core", ... */
	EVENT_PHASE_FINISH,
	EVENT_TOTAL, /* total: actions that this build will look at; remaining_ns: estimate of the wall time left */
	EVENT_ACTION_START,  /* an action begins to execute; label, reason (why it runs) */
	EVENT_ACTION_FINISH, /* outcome, cpu_ns; also emitted, with no start and id 0, for cached ones */
	EVENT_STEP_START,    /* an image is extended (lane = process); label: for what; total: steps to carry out */
	EVENT_STEP_FINISH,   /* wall_ns, cpu_ns: of all these steps */
	EVENT_FORK,          /* label: of the image; id: the new process */
	EVENT_DIAGNOSTIC,    /* text: rendered later from `diagnostic` by the command line */
	EVENT_NOTE,          /* text: something the user should know; level */
};

enum outcome {
	OUTCOME_RAN,     /* executed, succeeded */
	OUTCOME_CACHED,  /* taken from the store */
	OUTCOME_CURRENT, /* nothing to do */
	OUTCOME_FAILED,
	OUTCOME_SKIPPED, /* not tried: a dependency failed */
};
/* "ran", "cached", ...: as logs and records have it. */
const char *outcome_name(enum outcome o);
enum note_level { NOTE_DEBUG, NOTE_INFO, NOTE_WARNING };

enum severity { SEVERITY_NOTE, SEVERITY_STYLE, SEVERITY_WARNING, SEVERITY_ERROR };

/* A compiler's (or our own) complaint about a place. All may be empty/0. */
struct diagnostic {
	enum severity severity;
	struct str kind;    /* "undefined-function", "reader", ...; see docs/DRIVER.md */
	struct str message; /* may have several lines */
	struct str path;
	uint32_t line, col, end_line; /* from 1; columns in characters */
	struct str form, context;
	struct str hint;  /* what to do */
	struct str label; /* the action */
	bool cached;      /* shown again from the store */
};

struct event {
	enum event_kind kind;
	uint64_t id;   /* pairs a start with its finish; unique in the build */
	int64_t at_ns; /* monotonic */
	uint32_t lane; /* which of the parallel slots or processes, from 0 */
	struct str label;
	struct str reason;
	struct str text;
	unsigned lax;      /* ACTION_FINISH: 1: with what precedes it in its system, 2: with all that precedes it */
	struct str missed; /* the names that it lacked without that, one a line */
	enum outcome outcome;
	enum note_level level;
	bool interrupted; /* BUILD_FINISH: by a signal */
	uint64_t memory;  /* BUILD_FINISH: the most that this process has had resident, in bytes */
	uint64_t total;
	uint64_t cpu_ns, wall_ns, remaining_ns;
	const struct diagnostic *diagnostic;
};

struct event_sink {
	void (*emit)(struct event_sink *self, const struct event *e);
};

/* Passes each event to every sink of a fixed list. */
struct event_fan {
	struct event_sink sink;
	struct event_sink *sinks[8];
	unsigned n;
};
void event_fan_init(struct event_fan *f);
void event_fan_add(struct event_fan *f, struct event_sink *s); /* NULL is ignored */

static inline void event_emit(struct event_sink *s, const struct event *e)
{
	if (s)
		s->emit(s, e);
}

#endif
