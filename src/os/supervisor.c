#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/str.h"
#include "os/clock.h"
#include "os/process.h"
#include "os/start.h"

/* The descriptors that process_spawn_supervised arranges. */
#define CONTROL_FD 3
#define REPORT_FD  4

/* How often the process that we were left with is looked at. */
#define LEFT_POLL_MS 20

struct supervisor {
	pid_t main;
	int signals;
};

/* False when the host has gone. */
static bool report(pid_t pid, int status, int is_main)
{
	struct exit_report r = {.pid = pid, .status = status, .main = is_main};
	ssize_t n;
	while ((n = write(REPORT_FD, &r, sizeof(r))) < 0 && errno == EINTR)
		continue;
	return n == sizeof(r);
}

enum left { LEFT_SOME, LEFT_NONE, LEFT_HOST_GONE };

/* Reaps all that ended. */
static enum left reap(const struct supervisor *s)
{
	for (;;) {
		int status;
		pid_t pid = waitpid(-1, &status, WNOHANG);
		if (pid == 0)
			return LEFT_SOME;
		if (pid < 0 && errno == EINTR)
			continue;
		if (pid < 0)
			return LEFT_NONE;
		if (!report(pid, status, pid == s->main))
			return LEFT_HOST_GONE;
	}
}

/* Kills those that the kernel lists as children of this (single-threaded) process, but `keep`. Returns how many, -1
 * where the kernel has no such list. */
static int kill_listed(pid_t keep)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/self/task/%ld/children", (long)getpid());
	FILE *f = fopen(path, "re");
	if (!f)
		return -1;
	int n = 0;
	long pid;
	while (fscanf(f, "%ld", &pid) == 1) {
		if (pid == keep)
			continue;
		kill((pid_t)pid, SIGKILL);
		n++;
	}
	fclose(f);
	return n;
}

static bool is_child(const char *pid)
{
	char path[300], text[512];
	snprintf(path, sizeof(path), "/proc/%s/stat", pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return false;
	text[n] = 0;
	/* "pid (name) state ppid": the name may hold anything, the last ")" ends it. */
	const char *end = strrchr(text, ')');
	long ppid;
	return end && sscanf(end + 1, " %*c %ld", &ppid) == 1 && ppid == (long)getpid();
}

static int kill_found(pid_t keep)
{
	DIR *d = opendir("/proc");
	int n = 0;
	struct dirent *e;
	while (d && (e = readdir(d))) {
		uint64_t pid;
		if (!str_to_u64(str_from(e->d_name), &pid) || (pid_t)pid == keep || !is_child(e->d_name))
			continue;
		kill((pid_t)pid, SIGKILL);
		n++;
	}
	if (d)
		closedir(d);
	return n;
}

static int kill_children(pid_t keep)
{
	int killed = kill_listed(keep);
	return killed < 0 ? kill_found(keep) : killed;
}

/* Kills and reaps until no descendant is left. Whatever a killed process had started becomes a child of ours, whether
 * it called setsid or not, and is met in the next round. */
NORETURN static void end_tree(void)
{
	for (;;) {
		int killed = kill_children(0);
		/* Only where a child was killed is it sure that one will end. */
		pid_t pid = waitpid(-1, NULL, killed > 0 ? 0 : WNOHANG);
		if (pid < 0 && errno == ECHILD)
			_exit(0);
		while (pid > 0)
			pid = waitpid(-1, NULL, WNOHANG);
		if (!killed)
			sched_yield();
	}
}

/* -- left with one process -- */

/* The others are killed, and what they had started becomes ours in their place, until only `keep` is left: it comes to
 * us itself then, if it was a child of one of them. Its wait status, or -1. */
static int wait_for(pid_t keep, int64_t deadline_ns)
{
	for (;;) {
		int status;
		pid_t pid;
		int killed = kill_children(keep);
		while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
			if (pid == keep)
				return status;
		if ((pid < 0 && errno == ECHILD) || clock_mono_ns() > deadline_ns)
			return -1;
		poll(NULL, 0, killed ? 1 : LEFT_POLL_MS);
	}
}

/* Reads an order of process_leave_supervised into `order`, which ends with a NUL then. False: the host is gone. */
static bool read_order(char order[PROCESS_ORDER_MAX + 1])
{
	ssize_t n;
	while ((n = read(CONTROL_FD, order, PROCESS_ORDER_MAX)) < 0 && errno == EINTR)
		continue;
	if (n <= 0)
		return false;
	order[n] = 0;
	return true;
}

NORETURN static void carry_out_order(char *order)
{
	long keep = 0;
	unsigned limit_s = 0;
	const char *argv[16] = {"/proc/self/exe"};
	size_t n = 1;
	if (sscanf(order, "%ld %u", &keep, &limit_s) != 2)
		end_tree();
	for (char *at = order + strlen(order) + 1; *at && n + 1 < ARRAY_LEN(argv); at += strlen(at) + 1)
		argv[n++] = at;
	if (wait_for((pid_t)keep, clock_mono_ns() + (int64_t)limit_s * 1000000000) == 0 && n > 1) {
		sigset_t none;
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		execve(argv[0], (char *const *)(uintptr_t)argv, environ);
	}
	end_tree();
}

static int block_signals(void)
{
	sigset_t set;
	sigfillset(&set);
	sigprocmask(SIG_SETMASK, &set, NULL);
	sigemptyset(&set);
	const int wanted[] = {SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGQUIT};
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
		sigaddset(&set, wanted[i]);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* True if we were told to end. */
static bool take_signals(int fd)
{
	struct signalfd_siginfo info;
	bool end = false;
	while (read(fd, &info, sizeof(info)) == sizeof(info))
		end |= info.ssi_signo != SIGCHLD;
	return end;
}

/* Keeps our copies of the command's descriptors from holding its pipes open. */
static void drop_stdio(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int fd = 0; fd < 3; fd++)
		if (null < 0 || dup2(null, fd) < 0)
			close(fd);
	if (null > 2)
		close(null);
}

static void start_command(struct supervisor *s, char **argv)
{
	const int fds[] = {0, 1, 2};
	struct start start = {.argv = (const char *const *)argv,
	                      .envp = (const char *const *)environ,
	                      .fds = fds,
	                      .nfds = 3,
	                      .death_signal = SIGKILL};
	s->main = start_process(&start);
	if (!report(s->main, s->main < 0 ? errno : 0, 1) || s->main < 0)
		end_tree();
}

void process_supervisor_main(int argc, char **argv)
{
	struct supervisor s = {.main = -1};
	if (argc < 3 || prctl(PR_SET_CHILD_SUBREAPER, 1) != 0)
		_exit(70);
	fcntl(CONTROL_FD, F_SETFD, FD_CLOEXEC);
	fcntl(REPORT_FD, F_SETFD, FD_CLOEXEC);
	s.signals = block_signals();
	if (s.signals < 0)
		_exit(70);
	start_command(&s, argv + 2);
	drop_stdio();
	struct pollfd fds[] = {{.fd = CONTROL_FD, .events = POLLIN}, {.fd = s.signals, .events = POLLIN}};
	for (;;) {
		if (poll(fds, ARRAY_LEN(fds), -1) < 0)
			continue;
		if (fds[1].revents && take_signals(s.signals))
			end_tree();
		if (fds[0].revents) {
			char order[PROCESS_ORDER_MAX + 2] = {0};
			if (read_order(order))
				carry_out_order(order);
			end_tree();
		}
		enum left left = reap(&s);
		if (left == LEFT_NONE)
			_exit(0);
		if (left == LEFT_HOST_GONE)
			end_tree();
	}
}
