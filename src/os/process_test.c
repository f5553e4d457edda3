#include "os/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/tap.h"
#include "os/clock.h"
#include "os/fs.h"

#define BOUND_MS 20000

static const char *const env[] = {"PATH=/usr/bin:/bin", "MARK=1", NULL};

static struct spawn_spec shell(const char *const argv[4], int out)
{
	return (struct spawn_spec){.argv = argv, .envp = env, .stdin_fd = -1, .stdout_fd = out, .stderr_fd = -1};
}

#define SH(script) ((const char *const[4]){"/bin/sh", "-c", (script), NULL})

static void test_run(void)
{
	struct buf out = {0};
	struct err err = {0};
	int status;
	struct spawn_spec s = shell(SH("echo out; echo err >&2; echo $MARK$HOME; pwd; exit 3"), -1);
	s.cwd = "/usr";
	tap_ok(process_run(&s, 0, &out, &status, NULL) && WIFEXITED(status) && WEXITSTATUS(status) == 3, "run");
	tap_eq_str(buf_str(&out), STR("out\nerr\n1\n/usr\n"), "output, environment and folder");
	buf_clear(&out);
	s = shell(SH("sleep 1000"), -1);
	tap_ok(process_run(&s, 50, &out, &status, NULL) && status == -1, "time-out");
	s = shell(SH("head -c 3000000 /dev/zero"), -1);
	tap_ok(process_run(&s, BOUND_MS, &out, &status, NULL) && status == 0 && out.len == 1 << 20,
	       "output beyond the limit is read and dropped");
	/* The inner one holds the pipe for 1000 s; its end is not waited for. */
	s = shell(SH("sleep 1000 & echo $!"), -1);
	buf_clear(&out);
	tap_ok(process_run(&s, BOUND_MS, &out, &status, NULL) && status == 0, "a background process is not waited for");
	uint64_t pid = 0;
	tap_ok(str_to_u64(str_trim(buf_str(&out)), &pid) && kill((pid_t)pid, SIGKILL) == 0, "it was there");
	s = shell((const char *const[4]){"/nonexistent/program", NULL}, -1);
	tap_ok(!process_run(&s, 0, NULL, &status, &err) && err.kind == ERR_ENVIRONMENT && err.errnum == ENOENT,
	       "no such program");
	s = shell(SH("true"), -1);
	s.cwd = "/proc/nonexistent";
	tap_ok(!process_run(&s, 0, NULL, &status, &err) &&
	               str_search(buf_str(&err.message), STR("/proc/nonexistent")) < err.message.len,
	       "no such folder");
	err_clear(&err);
	buf_release(&out);
}

static void test_clean_start(void)
{
	struct buf out = {0};
	int status;
	int leak = open("/dev/null", O_RDONLY); /* not close-on-exec */
	sigset_t set, old;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, &old);
	signal(SIGPIPE, SIG_IGN);
	/* Signals 32 and 33 are the C library's own: no program can set them back, so what started us decides. */
	struct spawn_spec s = shell(SH("ls /proc/self/fd | tr '\\n' ' '; grep -E 'Sig(Blk|Ign)' /proc/self/status |"
	                               " sed 's/[01]80000000$/000000000/'"),
	                            -1);
	tap_ok(process_run(&s, BOUND_MS, &out, &status, NULL) && status == 0, "look at a fresh child");
	tap_eq_str(buf_str(&out), STR("0 1 2 3 SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n"),
	           "no descriptor, no mask and no ignored signal is inherited (3 is ls's own)");
	signal(SIGPIPE, SIG_DFL);
	sigprocmask(SIG_SETMASK, &old, NULL);
	close(leak);
	buf_release(&out);
}

static void test_status_text(void)
{
	struct buf b = {0};
	process_status_text(3 << 8, &b);
	buf_addc(&b, ',');
	process_status_text(SIGSEGV, &b);
	buf_addc(&b, ',');
	process_status_text(SIGKILL, &b);
	tap_eq_str(buf_str(&b), STR("exit code 3,signal 11 (segmentation fault),signal 9 (killed)"), "status texts");
	buf_release(&b);
}

/* Reads until the end of the tree; notes the status of the command and how many orphans there were. */
static bool collect(struct supervised *s, int *ret_status, int *ret_orphans)
{
	struct pollfd p = {.fd = s->report_fd, .events = POLLIN};
	struct exit_report r[4];
	int64_t deadline = clock_mono_ns() + (int64_t)BOUND_MS * 1000000;
	*ret_status = -1;
	*ret_orphans = 0;
	while (clock_mono_ns() < deadline) {
		int n = process_read_reports(s, r, (int)ARRAY_LEN(r));
		if (n < 0)
			return true;
		for (int i = 0; i < n; i++) {
			if (r[i].main)
				*ret_status = r[i].status;
			else
				++*ret_orphans;
		}
		if (n == 0)
			poll(&p, 1, 100);
	}
	return false;
}

static void test_reports(void)
{
	struct supervised s;
	struct err err = {0};
	int status, orphans;
	struct spawn_spec spec = shell(SH("(sleep 0.05; exit 7) & setsid sh -c 'exit 0' & exit 5"), -1);
	tap_ok(process_spawn_supervised(&spec, &s, NULL), "supervised");
	tap_ok(collect(&s, &status, &orphans) && WIFEXITED(status) && WEXITSTATUS(status) == 5, "the command's status");
	tap_ok(orphans >= 1, "orphans are reaped after the command's end");
	process_kill_supervised(&s);
	process_kill_supervised(&s);
	tap_ok(process_read_reports(&s, NULL, 1) == -1, "after the end there are no reports");
	spec = shell((const char *const[4]){"/nonexistent/program", NULL}, -1);
	tap_ok(!process_spawn_supervised(&spec, &s, &err) && err.errnum == ENOENT && err.kind == ERR_ENVIRONMENT,
	       "no such program");
	spec = shell(SH("true"), -1);
	spec.cwd = "/proc/nonexistent";
	tap_ok(!process_spawn_supervised(&spec, &s, &err) && err.errnum == ENOENT, "no such folder");
	err_clear(&err);
	/* Thousands of reports that nobody reads must not keep it from ending. */
	spec = shell(
	        SH("for i in 1 2 3 4 5 6 7; do (for j in `seq 1000`; do (true &) ; done) & done; wait; sleep 1000"),
	        -1);
	tap_ok(process_spawn_supervised(&spec, &s, NULL), "a tree with many orphans");
	process_kill_supervised(&s);
	tap_ok(s.pid == -1, "ends");
}

/* True when the pipe that every process of a tree holds is closed by all of them: no fixed waiting. */
static bool all_gone(int fd, int ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int64_t deadline = clock_mono_ns() + (int64_t)ms * 1000000;
	char chunk[4096];
	for (;;) {
		int left = (int)((deadline - clock_mono_ns()) / 1000000);
		if (left <= 0 || poll(&p, 1, left) <= 0)
			return false;
		if (read(fd, chunk, sizeof(chunk)) == 0)
			return true;
	}
}

/* Waits until the tree has written `n` lines: then each of its processes is up. */
static bool lines_come(int fd, int n)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char c;
	while (n > 0 && poll(&p, 1, BOUND_MS) > 0 && read(fd, &c, 1) == 1)
		n -= c == '\n';
	return n == 0;
}

static const char *const trees[] = {
        /* four processes that left the session, one behind a double fork */
        ("setsid sh -c 'echo; sleep 1000' & (setsid sh -c 'echo; sleep 1000' &); (sh -c 'echo; sleep 1000' &) ;"
         " trap '' TERM HUP INT; sh -c 'trap \"\" TERM HUP INT; echo; sleep 1000; sleep 1000'"),
        /* one that goes on forking: at any time another pid */
        "f='(setsid sh -c \"eval \\\"\\$F\\\"\" &)'; export F=\"$f\"; echo; echo; echo; echo; eval \"$F\"; sleep 1000",
        /* a wide one */
        "for i in `seq 60`; do setsid sh -c 'sleep 1000 & sleep 1000' & done; echo; echo; echo; echo; wait",
};

static void test_kill(void)
{
	for (size_t i = 0; i < ARRAY_LEN(trees); i++) {
		int fds[2];
		CHECK(pipe2(fds, O_CLOEXEC) == 0);
		struct supervised s;
		struct spawn_spec spec = shell(SH(trees[i]), fds[1]);
		bool ok = process_spawn_supervised(&spec, &s, NULL);
		close(fds[1]);
		tap_ok(ok && lines_come(fds[0], 4), "tree %zu is up", i);
		process_kill_supervised(&s);
		tap_ok(all_gone(fds[0], 1000), "tree %zu: nobody is left when the kill returns", i);
		close(fds[0]);
	}
}

/* The host is killed; nobody is there to clean up but the supervisor. */
static void test_host_dies(int signum)
{
	for (size_t i = 0; i < ARRAY_LEN(trees); i++) {
		int fds[2];
		CHECK(pipe2(fds, O_CLOEXEC) == 0);
		pid_t host = fork();
		if (host == 0) {
			struct supervised s;
			struct spawn_spec spec = shell(SH(trees[i]), fds[1]);
			if (!process_spawn_supervised(&spec, &s, NULL))
				_exit(1);
			close(fds[0]);
			close(fds[1]);
			for (;;)
				pause();
		}
		close(fds[1]);
		tap_ok(lines_come(fds[0], 4), "tree %zu is up below a host", i);
		kill(host, signum);
		waitpid(host, NULL, 0);
		tap_ok(all_gone(fds[0], BOUND_MS), "tree %zu is gone after the host's signal %d", i, signum);
		close(fds[0]);
	}
}

/* The supervisor itself dies: the command goes with it. */
static void test_supervisor_dies(void)
{
	int fds[2];
	CHECK(pipe2(fds, O_CLOEXEC) == 0);
	struct supervised s;
	struct spawn_spec spec = shell(SH("echo; exec sleep 1000"), fds[1]);
	tap_ok(process_spawn_supervised(&spec, &s, NULL), "start");
	close(fds[1]);
	tap_ok(lines_come(fds[0], 1), "it is up");
	kill(s.pid, SIGKILL);
	tap_ok(all_gone(fds[0], BOUND_MS), "the command dies with its supervisor");
	int status, orphans;
	tap_ok(collect(&s, &status, &orphans), "and the host sees the end");
	process_kill_supervised(&s);
	close(fds[0]);
}

/* What the supervisor runs behind a process that was left: writes to the file argv[2] what it was told. */
#define BEHIND_ARG "--behind"

static int behind_main(int argc, char **argv)
{
	struct buf text = {0};
	for (int i = 3; i < argc; i++)
		buf_addf(&text, "%s ", argv[i]);
	bool ok = fs_write_atomic(argv[2], buf_str(&text), 0644, false, NULL);
	buf_release(&text);
	return ok ? 0 : 1;
}

static uint64_t read_pid(int fd)
{
	char line[32] = {0};
	for (size_t n = 0; n + 1 < sizeof(line) && read(fd, line + n, 1) == 1 && line[n] != '\n';)
		n++;
	uint64_t pid = 0;
	str_to_u64(str_trim(str_from(line)), &pid);
	return pid;
}

/* Waits until `pid` is a child of `parent`: whoever was its parent can't learn its status any more. */
static bool becomes_child(pid_t pid, pid_t parent)
{
	struct arena a = {0};
	int64_t deadline = clock_mono_ns() + (int64_t)BOUND_MS * 1000000;
	long found = 0;
	while (found != parent && clock_mono_ns() < deadline) {
		struct buf text = {0};
		if (fs_read(str_fmt(&a, "/proc/%ld/stat", (long)pid).ptr, &text, NULL) && text.len)
			sscanf(strrchr(buf_cstr(&text), ')') + 1, " %*c %ld", &found);
		buf_release(&text);
		poll(NULL, 0, 1);
	}
	arena_release(&a);
	return found == parent;
}

/* Waits until the kernel schedules `pid` like that. */
static bool becomes_scheduled(pid_t pid, int policy)
{
	int64_t deadline = clock_mono_ns() + (int64_t)BOUND_MS * 1000000;
	while (sched_getscheduler(pid) != policy && clock_mono_ns() < deadline)
		poll(NULL, 0, 1);
	return sched_getscheduler(pid) == policy;
}

/* Of a tree two processes stay, one of them the child of one that does not. */
static void test_leave(void)
{
	struct arena a = {0};
	char *dir;
	int fds[2];
	struct supervised s;
	struct buf text = {0};
	CHECK(fs_mkdtemp(&a, "/tmp", "tenon-process-", &dir, NULL) && pipe2(fds, O_CLOEXEC) == 0);
	struct spawn_spec spec = shell(SH("sh -c 'echo $$; exec sleep 1000' & sleep 0.01;"
	                                  " (sh -c 'sh -c \"echo \\$\\$; exec sleep 1000\"; :' &); sleep 1000"),
	                               fds[1]);
	tap_ok(process_spawn_supervised(&spec, &s, NULL), "a tree");
	close(fds[1]);
	pid_t first = (pid_t)read_pid(fds[0]), second = (pid_t)read_pid(fds[0]);
	char *one = path_join(&a, dir, "one"), *two = path_join(&a, dir, "two");
	const char *const then_one[] = {BEHIND_ARG, one, "a", "b c", NULL};
	const char *const then_two[] = {BEHIND_ARG, two, "d", NULL};
	struct left_behind left[] = {{.pid = first, .then = then_one}, {.pid = second, .then = then_two}};
	pid_t supervisor = s.pid;
	tap_ok(first > 0 && second > 0 && process_leave_supervised(&s, left, 2, 1000), "two processes are left");
	tap_ok(s.pid == -1 && kill(first, 0) == 0 && kill(second, 0) == 0, "and live on");
	tap_ok(becomes_child(first, supervisor) && becomes_child(second, supervisor), "as the supervisor's own");
	tap_ok(becomes_scheduled(first, SCHED_IDLE) && becomes_scheduled(second, SCHED_IDLE),
	       "and make way for all others");
	kill(first, SIGTERM);
	kill(second, SIGKILL);
	tap_ok(all_gone(fds[0], BOUND_MS), "when they have ended all of the tree has");
	waitpid(supervisor, NULL, 0);
	tap_ok(fs_read(one, &text, NULL) && fs_read(two, &text, NULL), "what was to be run behind them was");
	tap_eq_str(buf_str(&text), STR("a b c 15 d 9 "), "with their wait statuses");
	fs_remove_tree(dir, NULL);
	buf_release(&text);
	arena_release(&a);
	close(fds[0]);
}

static void test_leave_limit(void)
{
	struct arena a = {0};
	char *dir;
	int fds[2];
	struct supervised s;
	struct buf text = {0};
	CHECK(fs_mkdtemp(&a, "/tmp", "tenon-process-", &dir, NULL) && pipe2(fds, O_CLOEXEC) == 0);
	struct spawn_spec spec = shell(SH("echo $$; sleep 1000"), fds[1]);
	tap_ok(process_spawn_supervised(&spec, &s, NULL), "a tree with a process that does not end");
	close(fds[1]);
	char *file = path_join(&a, dir, "file");
	const char *const then[] = {BEHIND_ARG, file, NULL};
	struct left_behind left = {.pid = (pid_t)read_pid(fds[0]), .then = then};
	pid_t supervisor = s.pid;
	tap_ok(process_leave_supervised(&s, &left, 1, 0), "it is left, for no time at all");
	tap_ok(all_gone(fds[0], BOUND_MS), "then it is killed");
	waitpid(supervisor, NULL, 0);
	tap_ok(fs_read(file, &text, NULL) && str_eq(buf_str(&text), STR("-1 ")), "and that is told");
	fs_remove_tree(dir, NULL);
	buf_release(&text);
	arena_release(&a);
	close(fds[0]);
}

static void test_leave_patience(void)
{
	struct arena a = {0};
	char *dir;
	int fds[2];
	struct supervised s;
	CHECK(fs_mkdtemp(&a, "/tmp", "tenon-process-", &dir, NULL) && pipe2(fds, O_CLOEXEC) == 0);
	struct spawn_spec spec = shell(SH("echo $$; exec sleep 1000"), fds[1]);
	tap_ok(process_spawn_supervised(&spec, &s, NULL), "a tree with a process that takes long");
	close(fds[1]);
	const char *const then[] = {BEHIND_ARG, path_join(&a, dir, "file"), NULL};
	struct left_behind left = {.pid = (pid_t)read_pid(fds[0]), .then = then};
	pid_t supervisor = s.pid;
	tap_ok(process_leave_supervised(&s, &left, 1, 4), "it is left");
	tap_ok(becomes_scheduled(left.pid, SCHED_IDLE), "it has to wait for others at first");
	tap_ok(becomes_scheduled(left.pid, SCHED_OTHER), "then not any more");
	kill(left.pid, SIGKILL);
	tap_ok(all_gone(fds[0], BOUND_MS), "and it ends");
	waitpid(supervisor, NULL, 0);
	fs_remove_tree(dir, NULL);
	arena_release(&a);
	close(fds[0]);
}

static void test_find(void)
{
	struct arena a = {0};
	struct err err = {0};
	char *dir;
	CHECK(fs_mkdtemp(&a, "/tmp", "process-find-", &dir, &err));
	char *program = path_join(&a, dir, "tool"), *plain = path_join(&a, dir, "plain");
	CHECK(fs_write_atomic(program, STR("#!/bin/sh\n"), 0755, false, &err));
	CHECK(fs_write_atomic(plain, STR("text"), 0644, false, &err));
	const char *search = str_fmt(&a, ":/nowhere::%s:/bin", dir).ptr;
	char *found = process_find(&a, search, "tool");
	tap_ok(found && strcmp(found, program) == 0, "a program is found in the folder that has it");
	tap_ok(!process_find(&a, search, "plain"), "a file that can't be executed is none");
	tap_ok(!process_find(&a, "", "sh"), "an empty list has nothing");
	CHECK(chdir(dir) == 0);
	found = process_find(&a, "nowhere:.", "tool");
	tap_ok(found && found[0] == '/' && access(found, X_OK) == 0, "its path is absolute wherever the list leads");
	CHECK(chdir("/") == 0);
	found = process_find(&a, NULL, "sh");
	tap_ok(found && found[0] == '/', "without a list it is the environment's");
	CHECK(fs_remove_tree(dir, &err));
	arena_release(&a);
}

int main(int argc, char **argv)
{
	if (argc > 3 && strcmp(argv[1], BEHIND_ARG) == 0)
		return behind_main(argc, argv);
	if (argc > 1 && strcmp(argv[1], PROCESS_SUPERVISOR_ARG) == 0)
		process_supervisor_main(argc, argv);
	test_find();
	test_run();
	test_clean_start();
	test_status_text();
	test_reports();
	test_kill();
	test_host_dies(SIGKILL);
	test_host_dies(SIGTERM);
	test_supervisor_dies();
	test_leave();
	test_leave_limit();
	test_leave_patience();
	return tap_done();
}
