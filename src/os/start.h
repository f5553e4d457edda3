/* start.h - starting a process the quick way, whatever the size of ours; for the files of this folder that implement
 * process.h. */
#ifndef TENON_OS_START_H
#define TENON_OS_START_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum start_stage { START_FORK, START_FDS, START_CHDIR, START_EXEC };

struct start {
	const char *const *argv, *const *envp;
	const char *cwd;  /* NULL: ours */
	const int *fds;   /* becomes descriptor i; -1: /dev/null */
	size_t nfds;      /* at most START_MAX_FDS */
	int death_signal; /* sent when the thread that calls start_process ends; 0: none */
	/* where it failed, when it did */
	enum start_stage failed;
};
#define START_MAX_FDS 5

/* The child leads a session of its own (no terminal, no share in our signals), has default signal dispositions, an
 * empty mask, and no descriptor but those given. Returns its pid, or -1 with errno and s->failed. */
pid_t start_process(struct start *s);

#endif
