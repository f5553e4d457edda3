/* log.h - the structured log of a build: JSON lines, and a Chrome trace of the same events.
 *
 *     struct log_config c = { .folder = ".tenon/log", .real_ns = clock_real_ns(), .pid = getpid(), ... };
 *     struct log *l = log_open(&c, &err);
 *     event_fan_add(&fan, log_sink(l));
 *     log_close(l, &err);
 *
 * FOLDER/ID.jsonl has one object a line: "event", "ns" (monotonic nanoseconds), and what the event carries; a start and
 * its finish have the same "id". The first line, "event":"log", tells the real time that belongs to a monotonic one.
 * FOLDER/ID.trace.json is for chrome://tracing and Perfetto: B and E events, microseconds with three decimals, process
 * 1 the build and its phases, 2 the actions by slot, 3 the Lisp images by process. A trace without its closing bracket
 * (a build that was killed) is still one that these programs read.
 *
 * ID is the build's time (UTC) and process, so names sort by age; the newest 20 are kept. Lines are buffered and
 * written out whenever an action starts or ends. A full disk never fails a build: writing stops, log_close tells. */
#ifndef TENON_CLI_LOG_H
#define TENON_CLI_LOG_H

#include "base/err.h"
#include "base/event.h"

#define LOG_KEEP 20

struct log_config {
	const char *folder; /* made if absent; NULL: no log but `file` */
	const char *file;   /* a further copy of the JSON lines; NULL: none */
	int64_t real_ns;    /* time of day, now */
	int64_t mono_ns;    /* monotonic, now */
	int pid;
	struct str version;      /* of tenon */
	const char *const *argv; /* the command line, for the first line; NULL-terminated; may be NULL */
};

struct log;
/* NULL: nothing could be opened. */
struct log *log_open(const struct log_config *config, struct err *err);
struct event_sink *log_sink(struct log *l);
/* "20260131-235959-4242"; the build's name in messages. Owned by the log. */
const char *log_id(const struct log *l);
/* Closes what is open in the trace, flushes, frees in any case. False: something could not be written. NULL is fine. */
bool log_close(struct log *l, struct err *err);

#endif
