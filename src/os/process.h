/* process.h - child processes that cannot outlive us.
 *
 * A process tree (a Lisp and all that it forks or runs) is started below a
 * supervisor: this same program, executed with the hidden first argument
 * PROCESS_SUPERVISOR_ARG, which becomes a subreaper, starts the command and
 * waits. When the host ends, in whatever way, the supervisor sees its pipe
 * close, kills every descendant it has (those that called setsid included) and
 * exits. main() must call process_supervisor_main() first of all when argv[1]
 * is that argument.
 *
 *     struct supervised s;
 *     if (!process_spawn_supervised(&spec, &s, err)) ...
 *     ... s.report_fd becomes readable: process_read_reports() ...
 *     process_kill_supervised(&s);   // all of the tree, waits until it is gone
 *
 * Some processes of a tree may be left to finish: process_leave_supervised().
 */
#ifndef TENON_OS_PROCESS_H
#define TENON_OS_PROCESS_H

#include <sys/types.h>

#include "base/arena.h"
#include "base/err.h"

#define PROCESS_SUPERVISOR_ARG "--tenon-supervisor"
/* Bytes of arguments that a supervisor can be left with; such a message is written and read in one piece. */
#define PROCESS_ORDER_MAX      4096

struct spawn_spec {
	const char *const *argv;            /* argv[0] is an absolute path; NULL-terminated */
	const char *const *envp;            /* the whole environment; NULL-terminated */
	const char *cwd;                    /* NULL: ours */
	int stdin_fd, stdout_fd, stderr_fd; /* -1: /dev/null */
};

/* The absolute path, in `a`, of the program `name` in the first folder of `search`, a list as in PATH, that has it;
 * NULL if none has. `search` NULL: the environment's PATH, or a system's usual one. Empty parts of the list are no
 * folder. */
char *process_find(struct arena *a, const char *search, const char *name);

/* Runs to its end, at most `timeout_ms` (0: no limit); its process group is killed on time-out. Not supervised: for
 * short probes ("sbcl --version"). `out` (may be NULL) receives standard output and standard error, at most 1 MiB.
 * *ret_status is as waitpid's; -1 on time-out and when a signal came (interrupt.h). False only where it could not be
 * started. */
bool process_run(const struct spawn_spec *spec, unsigned timeout_ms, struct buf *out, int *ret_status, struct err *err);

/* An environment for programs whose results must not depend on whose machine it is: PATH and HOME as they are, a
 * locale, a dumb terminal; then `own`, then `extra` (NAME=VALUE, borrowed). NULL-terminated, in the arena. */
const char **process_environment(struct arena *a, const char *const *own, size_t nown, const char *const *extra,
                                 size_t nextra);

/* The most memory that this process has had resident, in bytes; 0 if the kernel does not tell. */
uint64_t process_peak_memory(void);

struct supervised {
	pid_t pid;      /* the supervisor's */
	int control_fd; /* closing it ends the tree */
	int report_fd;  /* readable, non-blocking: a record for each process that the supervisor reaps */
};
struct exit_report {
	int32_t pid;
	int32_t status; /* as waitpid's */
	int32_t main;   /* 1: the command itself, 0: an orphan of it */
};
bool process_spawn_supervised(const struct spawn_spec *spec, struct supervised *ret, struct err *err);
/* Reads what has come; returns how many records were stored in `ret` (at most `max`), 0 if none now, -1 at the end of
 * the tree. */
int process_read_reports(struct supervised *s, struct exit_report *ret, int max);
void process_kill_supervised(struct supervised *s);
/* Ends all of the tree but `n` processes, and does not wait: the supervisor stays with these, for at most `limit_s`
 * seconds, also when we are gone. They get processor time that nobody else wants, after a twelfth of the limit as
 * others do. When one has ended, or is killed at the limit, the supervisor runs this program with the arguments `then`
 * and one more: its wait status, -1 where that is not known. False: there is no supervisor that could be told. */
struct left_behind {
	pid_t pid;
	const char *const *then; /* NULL-terminated, not empty, no empty one; argv[0] left out */
};
#define PROCESS_LEFT_MAX 4
bool process_leave_supervised(struct supervised *s, const struct left_behind *left, size_t n, unsigned limit_s);
/* Text for a wait status: "exit code 3", "signal 11 (segmentation fault)". In `out`. */
void process_status_text(int status, struct buf *out);

/* The supervisor itself. Never returns. argv: as given to main. */
NORETURN void process_supervisor_main(int argc, char **argv);

#endif
