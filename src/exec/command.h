/* command.h - one command run to its end: confined, bounded in time and output, gone when it is over.
 *
 *     struct command_spec spec = {.argv = argv, .envp = env, .cwd = dir, .timeout_ms = 60000, ...};
 *     struct command *c = command_start(loop, &spec, on_end, ctx, err);
 *     ... loop_run_once(): on_end(ctx, &result) is called once ...
 *     command_free(c);                  // before on_end: kills it and all that it started
 *
 * The command runs below a supervisor of os/process.h and, with `sandbox`, confined as os/confine.h says. It counts as
 * ended when its main process has; what it left behind is killed then. Standard output and standard error are one
 * stream, of which the first `output_max` bytes are kept. */
#ifndef TENON_EXEC_COMMAND_H
#define TENON_EXEC_COMMAND_H

#include "base/err.h"
#include "os/confine.h"
#include "os/loop.h"

#define COMMAND_OUTPUT_MAX ((size_t)1 << 20)

/* Borrowed for the call of command_start. */
struct command_spec {
	const char *const *argv; /* argv[0]: an absolute path; NULL-terminated */
	const char *const *envp; /* the whole environment; NULL-terminated */
	const char *cwd;
	bool sandbox;
	struct confinement confinement;
	unsigned timeout_ms; /* 0: none */
	size_t output_max;   /* 0: COMMAND_OUTPUT_MAX */
};

/* Valid for the time of the call. */
struct command_result {
	int status; /* as waitpid's */
	bool timed_out;
	struct str output;
	uint64_t dropped; /* bytes of output beyond the limit */
	uint64_t cpu_ns;  /* of the command and all that it waited for */
	uint64_t wall_ns;
};

struct command;
/* on_end may call command_free. NULL: it could not be started. */
struct command *command_start(struct loop *l, const struct command_spec *spec,
                              void (*on_end)(void *ctx, const struct command_result *r), void *ctx, struct err *err);
void command_free(struct command *c); /* NULL is fine */

/* What went wrong, for people: "ended with exit code 2", "took longer than 5 s and was ended"; empty: nothing. */
void command_failure_text(const struct command_result *r, unsigned timeout_ms, struct buf *out);

#endif
