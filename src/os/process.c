#include "os/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/str.h"
#include "os/clock.h"
#include "os/fs.h"
#include "os/interrupt.h"
#include "os/start.h"

#define OUTPUT_MAX ((size_t)1 << 20)

static const char *env_or(const char *name, const char *otherwise)
{
	const char *value = getenv(name);
	return value && *value ? value : otherwise;
}

const char **process_environment(struct arena *a, const char *const *own, size_t nown, const char *const *extra,
                                 size_t nextra)
{
	const char **env = arena_new_n(a, const char *, nown + nextra + 6);
	size_t k = 0;
	env[k++] = str_fmt(a, "PATH=%s", env_or("PATH", "/usr/local/bin:/usr/bin:/bin")).ptr;
	env[k++] = "LANG=C.UTF-8";
	env[k++] = "LC_ALL=C.UTF-8";
	env[k++] = "TERM=dumb";
	env[k++] = str_fmt(a, "HOME=%s", env_or("HOME", "/")).ptr;
	for (size_t i = 0; i < nown; i++)
		env[k++] = own[i];
	for (size_t i = 0; i < nextra; i++)
		env[k++] = extra[i];
	env[k] = NULL;
	return env;
}

/* Not getrusage(): its high-water mark is that of what this process was before it executed this program, too. */
uint64_t process_peak_memory(void)
{
	FILE *f = fopen("/proc/self/status", "re");
	char line[128];
	unsigned long long kib = 0;
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "VmHWM: %llu kB", &kib) == 1)
			break;
	if (f)
		fclose(f);
	return (uint64_t)kib << 10;
}

/* -- a probe: one command, run to its end -- */

static bool pipe_cloexec(int ret[2], struct err *err)
{
	return pipe2(ret, O_CLOEXEC) == 0 || err_sys(err, ERR_ENVIRONMENT, "cannot make a pipe");
}

static void close_pair(const int fds[2])
{
	close(fds[0]);
	close(fds[1]);
}

static bool start_error(const struct spawn_spec *spec, enum start_stage stage, struct err *err)
{
	if (stage == START_CHDIR)
		return err_sys(err, ERR_ENVIRONMENT, "cannot start \"%s\" in \"%s\"", spec->argv[0], spec->cwd);
	return err_sys(err, ERR_ENVIRONMENT, "cannot start \"%s\"", spec->argv[0]);
}

/* Moves what is readable now to `out` (beyond the limit: away). False at the end of the stream. */
static bool drain(int fd, struct buf *out)
{
	char chunk[16384];
	for (;;) {
		ssize_t n = read(fd, chunk, sizeof(chunk));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN;
		if (n == 0)
			return false;
		if (out && out->len < OUTPUT_MAX)
			buf_add(out, chunk, MIN((size_t)n, OUTPUT_MAX - out->len));
	}
}

/* Waits for the process's end, reading its output meanwhile; -1 in *ret_status on time-out or interrupt. A background
 * process that keeps the pipe open is not waited for. */
static void run_to_end(pid_t pid, int pidfd, int from, unsigned timeout_ms, struct buf *out, int *ret_status)
{
	int64_t deadline = clock_mono_ns() + (int64_t)timeout_ms * 1000000;
	struct pollfd fds[3] = {{.fd = pidfd, .events = POLLIN},
	                        {.fd = from, .events = POLLIN},
	                        {.fd = interrupt_fd(), .events = POLLIN}};
	bool stopped = false;
	while (!fds[0].revents) {
		int64_t left = (deadline - clock_mono_ns() + 999999) / 1000000;
		if ((timeout_ms && left <= 0) || interrupt_signal()) {
			stopped = true;
			break;
		}
		int n = poll(fds, 3, timeout_ms ? (int)MIN(left, 1 << 30) : -1);
		if (n > 0 && fds[1].revents && !drain(from, out))
			fds[1].fd = -1;
	}
	if (stopped) {
		kill(-pid, SIGKILL);
		kill(pid, SIGKILL);
	}
	while (waitpid(pid, ret_status, 0) < 0 && errno == EINTR)
		continue;
	drain(from, out);
	if (stopped)
		*ret_status = -1;
}

char *process_find(struct arena *a, const char *search, const char *name)
{
	if (!search)
		search = getenv("PATH");
	struct str rest = str_from(search ? search : "/usr/local/bin:/usr/bin:/bin"), dir;
	while (str_cut(&rest, ':', &dir)) {
		if (!dir.len)
			continue;
		char *path = path_join(a, str_dupz(a, dir), name);
		if (access(path, X_OK) == 0)
			return path_absolute(a, path);
	}
	return NULL;
}

bool process_run(const struct spawn_spec *spec, unsigned timeout_ms, struct buf *out, int *ret_status, struct err *err)
{
	int fds[2];
	if (!pipe_cloexec(fds, err))
		return false;
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	const int stdio[] = {spec->stdin_fd, fds[1], fds[1]};
	struct start start = {.argv = spec->argv,
	                      .envp = spec->envp,
	                      .cwd = spec->cwd,
	                      .fds = stdio,
	                      .nfds = 3,
	                      .death_signal = SIGKILL};
	pid_t pid = start_process(&start);
	if (pid < 0) {
		start_error(spec, start.failed, err);
		close_pair(fds);
		return false;
	}
	close(fds[1]);
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (pidfd < 0) {
		int ignored;
		err_sys(err, ERR_ENVIRONMENT, "cannot watch a process");
		kill(pid, SIGKILL);
		waitpid(pid, &ignored, 0);
	} else {
		run_to_end(pid, pidfd, fds[0], timeout_ms, out, ret_status);
		close(pidfd);
	}
	close(fds[0]);
	return pidfd >= 0;
}

/* -- a tree below a supervisor: the host's side -- */

/* argv of the supervisor: ourselves, the hidden argument, the command. */
static const char **supervisor_argv(const char *const *argv)
{
	size_t n = 0;
	while (argv[n])
		n++;
	const char **ret = xmalloc((n + 3) * sizeof(*ret));
	ret[0] = "/proc/self/exe";
	ret[1] = PROCESS_SUPERVISOR_ARG;
	memcpy(ret + 2, argv, (n + 1) * sizeof(*ret));
	return ret;
}

/* The supervisor's first record says whether the command could be executed: pid, or -1 and errno as the status. */
static bool read_start_record(struct supervised *s, const struct spawn_spec *spec, struct err *err)
{
	struct exit_report r;
	ssize_t n;
	while ((n = read(s->report_fd, &r, sizeof(r))) < 0 && errno == EINTR)
		continue;
	if (n != sizeof(r)) {
		process_kill_supervised(s);
		return err_set(err, ERR_TRANSIENT, "the supervisor of \"%s\" ended at once", spec->argv[0]);
	}
	if (r.pid < 0) {
		process_kill_supervised(s);
		errno = r.status;
		return start_error(spec, START_EXEC, err);
	}
	fcntl(s->report_fd, F_SETFL, O_NONBLOCK);
	return true;
}

bool process_spawn_supervised(const struct spawn_spec *spec, struct supervised *ret, struct err *err)
{
	int control[2], report[2];
	if (!pipe_cloexec(control, err))
		return false;
	if (!pipe_cloexec(report, err)) {
		close_pair(control);
		return false;
	}
	const char **argv = supervisor_argv(spec->argv);
	const int fds[] = {spec->stdin_fd, spec->stdout_fd, spec->stderr_fd, control[0], report[1]};
	struct start start = {.argv = argv, .envp = spec->envp, .cwd = spec->cwd, .fds = fds, .nfds = 5};
	pid_t pid = start_process(&start);
	if (pid < 0)
		start_error(spec, start.failed, err);
	free(argv);
	close(control[0]);
	close(report[1]);
	if (pid < 0) {
		close(control[1]);
		close(report[0]);
		return false;
	}
	struct supervised s = {.pid = pid, .control_fd = control[1], .report_fd = report[0]};
	if (!read_start_record(&s, spec, err))
		return false;
	*ret = s;
	return true;
}

int process_read_reports(struct supervised *s, struct exit_report *ret, int max)
{
	if (s->report_fd < 0)
		return -1;
	ssize_t n;
	/* Records are written whole (below PIPE_BUF), so they are read whole. */
	while ((n = read(s->report_fd, ret, (size_t)max * sizeof(*ret))) < 0 && errno == EINTR)
		continue;
	if (n < 0)
		return errno == EAGAIN ? 0 : -1;
	return n == 0 ? -1 : (int)((size_t)n / sizeof(*ret));
}

static void forget_supervised(struct supervised *s)
{
	/* The reports first: a supervisor that waits for room in that pipe would not see the other one close. */
	if (s->report_fd >= 0)
		close(s->report_fd);
	if (s->control_fd >= 0)
		close(s->control_fd);
	*s = (struct supervised){.pid = -1, .control_fd = -1, .report_fd = -1};
}

void process_kill_supervised(struct supervised *s)
{
	pid_t pid = s->pid;
	int status;
	forget_supervised(s);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
}

static void add_string(struct buf *order, const char *s)
{
	buf_addz(order, s);
	buf_addc(order, 0);
}

/* The supervisor reads the order in one piece; see there what is in it. */
bool process_leave_supervised(struct supervised *s, const struct left_behind *left, size_t n, unsigned limit_s)
{
	struct buf order = {0};
	char number[24];
	snprintf(number, sizeof(number), "%u", limit_s);
	add_string(&order, number);
	for (size_t i = 0; i < n; i++) {
		snprintf(number, sizeof(number), "%ld", (long)left[i].pid);
		add_string(&order, number);
		for (size_t k = 0; left[i].then[k]; k++)
			add_string(&order, left[i].then[k]);
		buf_addc(&order, 0);
	}
	bool ok = n <= PROCESS_LEFT_MAX && order.len <= PROCESS_ORDER_MAX && s->pid > 0 && s->control_fd >= 0;
	ssize_t written = -1;
	while (ok && (written = write(s->control_fd, order.ptr, order.len)) < 0 && errno == EINTR)
		continue;
	ok = ok && written == (ssize_t)order.len;
	buf_release(&order);
	if (ok)
		forget_supervised(s);
	else
		process_kill_supervised(s);
	return ok;
}

void process_status_text(int status, struct buf *out)
{
	if (WIFEXITED(status)) {
		buf_addf(out, "exit code %d", WEXITSTATUS(status));
		return;
	}
	if (!WIFSIGNALED(status)) {
		buf_addf(out, "wait status %d", status);
		return;
	}
	int sig = WTERMSIG(status);
	const char *text = sigdescr_np(sig);
	buf_addf(out, "signal %d", sig);
	if (text && text[0] >= 'A' && text[0] <= 'Z')
		buf_addf(out, " (%c%s)", text[0] - 'A' + 'a', text + 1);
	else if (text)
		buf_addf(out, " (%s)", text);
}
