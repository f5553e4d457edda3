#include "os/start.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/base.h"

/* Descriptors are first moved above all targets, so that none is overwritten before it is used. */
#define FIRST_SPARE 16

struct shared {
	struct start *start;
	int spare[START_MAX_FDS];
	pid_t parent;
	/* Written by the child, in our memory; no compiler can see that, since the child's path never returns. */
	volatile int failed_errno;
	volatile enum start_stage failed;
};

NORETURN static void fail(struct shared *sh, enum start_stage stage)
{
	sh->failed_errno = errno ? errno : EINVAL;
	sh->failed = stage;
	_exit(127);
}

/* Runs in the child, which shares our memory (vfork): changes nothing but *sh, calls nothing but the kernel. */
NORETURN static void in_child(struct shared *sh)
{
	struct start *s = sh->start;
	struct sigaction dfl = {.sa_handler = SIG_DFL};
	/* Before the mask is opened: no handler of ours may run here. */
	for (int sig = 1; sig < NSIG; sig++)
		sigaction(sig, &dfl, NULL);
	setsid();
	if (s->death_signal) {
		prctl(PR_SET_PDEATHSIG, s->death_signal);
		if (getppid() != sh->parent)
			_exit(127);
	}
	for (size_t i = 0; i < s->nfds; i++)
		if (dup2(sh->spare[i], (int)i) < 0)
			fail(sh, START_FDS);
	if (close_range((unsigned)s->nfds, ~0U, CLOSE_RANGE_CLOEXEC) != 0)
		for (int fd = (int)s->nfds; fd < 4096; fd++)
			fcntl(fd, F_SETFD, FD_CLOEXEC);
	if (s->cwd && chdir(s->cwd) != 0)
		fail(sh, START_CHDIR);
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execve(s->argv[0], (char *const *)(uintptr_t)s->argv, (char *const *)(uintptr_t)s->envp);
	fail(sh, START_EXEC);
}

/* In a frame of its own, so that nothing of the caller's lives in registers over vfork's two returns. */
__attribute__((noinline)) static pid_t vfork_child(struct shared *sh)
{
	/* posix_spawn has no death signal; fork copies the page tables of a process that may be large. in_child makes
	 * system calls only and never returns. */
	pid_t pid = vfork(); /* NOLINT(clang-analyzer-security.insecureAPI.vfork) */
	if (pid == 0)
		in_child(sh); /* NOLINT(clang-analyzer-unix.Vfork) */
	return pid;
}

static bool make_spares(struct shared *sh)
{
	const struct start *s = sh->start;
	for (size_t i = 0; i < s->nfds; i++) {
		int fd = s->fds[i] >= 0 ? s->fds[i] : open("/dev/null", O_RDWR | O_CLOEXEC);
		sh->spare[i] = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, FIRST_SPARE) : -1;
		if (s->fds[i] < 0 && fd >= 0)
			close(fd);
		if (sh->spare[i] < 0)
			return false;
	}
	return true;
}

pid_t start_process(struct start *s)
{
	struct shared sh = {.start = s, .parent = getpid(), .failed = START_FORK};
	CHECK(s->nfds <= START_MAX_FDS);
	for (size_t i = 0; i < START_MAX_FDS; i++)
		sh.spare[i] = -1;
	pid_t pid = -1;
	if (make_spares(&sh)) {
		sigset_t all, old;
		sigfillset(&all);
		pthread_sigmask(SIG_SETMASK, &all, &old);
		pid = vfork_child(&sh);
		if (pid < 0)
			sh.failed_errno = errno;
		pthread_sigmask(SIG_SETMASK, &old, NULL);
	} else {
		sh.failed_errno = errno;
	}
	for (size_t i = 0; i < s->nfds; i++)
		if (sh.spare[i] >= 0)
			close(sh.spare[i]);
	if (pid > 0 && sh.failed_errno) {
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			continue;
		pid = -1;
	}
	s->failed = sh.failed;
	errno = sh.failed_errno;
	return pid;
}
