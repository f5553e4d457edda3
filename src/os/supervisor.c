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
#define KEPT_POLL_MS  20
/* They work only while nobody else wants the processor; but they have to end some day, also on a machine that never
 * rests: after this part of their time they are like others. */
#define KEPT_PATIENCE 12

#define KEPT_MAX_ARGS 8

/* What process_leave_supervised leaves to us. */
struct kept {
	size_t n;
	struct kept_process {
		pid_t pid; /* 0: ended */
		const char *args;
	} process[PROCESS_LEFT_MAX];
};

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

static bool is_kept(const struct kept *kept, pid_t pid)
{
	for (size_t i = 0; kept && i < kept->n; i++)
		if (kept->process[i].pid == pid)
			return true;
	return false;
}

/* Kills those that the kernel lists as children of this (single-threaded) process, but those that are left. Returns
 * how many, -1 where the kernel has no such list. */
static int kill_listed(const struct kept *kept)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/self/task/%ld/children", (long)getpid());
	FILE *f = fopen(path, "re");
	if (!f)
		return -1;
	int n = 0;
	long pid;
	while (fscanf(f, "%ld", &pid) == 1) {
		if (is_kept(kept, (pid_t)pid))
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

static int kill_found(const struct kept *kept)
{
	DIR *d = opendir("/proc");
	int n = 0;
	struct dirent *e;
	while (d && (e = readdir(d))) {
		uint64_t pid;
		if (!str_to_u64(str_from(e->d_name), &pid) || is_kept(kept, (pid_t)pid) || !is_child(e->d_name))
			continue;
		kill((pid_t)pid, SIGKILL);
		n++;
	}
	if (d)
		closedir(d);
	return n;
}

/* `kept` NULL: all. */
static int kill_children(const struct kept *kept)
{
	int killed = kill_listed(kept);
	return killed < 0 ? kill_found(kept) : killed;
}

/* Kills and reaps until no descendant is left. Whatever a killed process had started becomes a child of ours, whether
 * it called setsid or not, and is met in the next round. */
NORETURN static void end_tree(void)
{
	for (;;) {
		int killed = kill_children(NULL);
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

/* True if we were told to end. */
static bool take_signals(int fd)
{
	struct signalfd_siginfo info;
	bool end = false;
	while (read(fd, &info, sizeof(info)) == sizeof(info))
		end |= info.ssi_signo != SIGCHLD;
	return end;
}

/* -- left with some processes -- */

/* One of them has ended: what is to be run then. The order holds the strings. */
static void run_behind(const struct kept_process *l, int status)
{
	const char *argv[KEPT_MAX_ARGS + 3] = {"/proc/self/exe"};
	char number[16];
	size_t n = 1;
	for (const char *at = l->args; *at && n <= KEPT_MAX_ARGS; at += strlen(at) + 1)
		argv[n++] = at;
	snprintf(number, sizeof(number), "%d", status);
	argv[n] = number;
	const int fds[] = {-1, -1, -1};
	struct start start = {.argv = argv, .envp = (const char *const *)environ, .fds = fds, .nfds = 3};
	pid_t pid = start_process(&start);
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		continue;
}

static bool take_ended(struct kept *kept)
{
	int status;
	pid_t pid;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (size_t i = 0; i < kept->n; i++)
			if (kept->process[i].pid == pid) {
				kept->process[i].pid = 0;
				run_behind(&kept->process[i], status);
			}
	return pid < 0 && errno == ECHILD;
}

static void schedule(const struct kept *kept, int policy)
{
	const struct sched_param none = {0};
	for (size_t i = 0; i < kept->n; i++)
		if (kept->process[i].pid)
			sched_setscheduler(kept->process[i].pid, policy, &none);
}

/* The others are killed, and what they had started becomes ours in their place, until only those are left: they come to
 * us themselves then, if they were children of one of them. */
static void wait_for(struct kept *kept, int64_t limit_ns, int signals)
{
	int64_t begin_ns = clock_mono_ns();
	bool idle = true;
	struct pollfd end = {.fd = signals, .events = POLLIN};
	schedule(kept, SCHED_IDLE);
	for (;;) {
		int64_t spent_ns = clock_mono_ns() - begin_ns;
		if (idle && spent_ns > limit_ns / KEPT_PATIENCE) {
			schedule(kept, SCHED_OTHER);
			idle = false;
		}
		int killed = kill_children(kept);
		if (take_ended(kept) || spent_ns > limit_ns)
			break;
		if (poll(&end, 1, killed ? 1 : KEPT_POLL_MS) > 0 && take_signals(signals))
			break;
	}
	kill_children(NULL);
	for (size_t i = 0; i < kept->n; i++)
		if (kept->process[i].pid)
			run_behind(&kept->process[i], -1);
}

/* Reads an order of process_leave_supervised into `order`, which ends with two NULs then. False: the host is gone. */
static bool read_order(char order[PROCESS_ORDER_MAX + 2])
{
	ssize_t n;
	while ((n = read(CONTROL_FD, order, PROCESS_ORDER_MAX)) < 0 && errno == EINTR)
		continue;
	if (n <= 0)
		return false;
	order[n] = order[n + 1] = 0;
	return true;
}

/* "LIMIT", then for each process "PID", its arguments and an empty string. */
NORETURN static void carry_out_order(const char *order, int signals)
{
	struct kept kept = {.n = 0};
	uint64_t limit_s = 0, pid = 0;
	str_to_u64(str_from(order), &limit_s);
	const char *at = order + strlen(order) + 1;
	while (*at && kept.n < PROCESS_LEFT_MAX) {
		struct kept_process *l = &kept.process[kept.n++];
		str_to_u64(str_from(at), &pid);
		l->pid = (pid_t)pid;
		l->args = at + strlen(at) + 1;
		for (at = l->args; *at;)
			at += strlen(at) + 1;
		at++;
	}
	wait_for(&kept, (int64_t)limit_s * 1000000000, signals);
	end_tree();
}

/* The host is gone, or about to go. */
NORETURN static void take_last_word(int signals)
{
	char order[PROCESS_ORDER_MAX + 2] = {0};
	if (read_order(order))
		carry_out_order(order, signals);
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
		if (fds[0].revents)
			take_last_word(s.signals);
		enum left left = reap(&s);
		if (left == LEFT_NONE)
			_exit(0);
		/* It may have left an order since we looked. */
		if (left == LEFT_HOST_GONE)
			take_last_word(s.signals);
	}
}
