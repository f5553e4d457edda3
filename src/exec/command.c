#include "exec/command.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/clock.h"
#include "os/process.h"

struct command {
	struct loop *loop;
	struct supervised tree;
	struct watch *reports, *output;
	struct timer *timer;
	int from;
	size_t output_max;
	struct buf text;
	struct command_result result;
	int64_t started_ns;
	void (*on_end)(void *ctx, const struct command_result *r);
	void *ctx;
};

/* Of all children that were waited for. Taken before and after a supervisor is, the difference is what its tree took:
 * this process has one thread. */
static uint64_t children_cpu_ns(void)
{
	struct rusage u;
	getrusage(RUSAGE_CHILDREN, &u);
	return (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000000 +
	       (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1000;
}

/* Takes what is there. At the end of the stream, or where nothing more may come, the descriptor is closed. */
static void drain(struct command *c, bool last)
{
	char chunk[16384];
	for (;;) {
		ssize_t n = c->from >= 0 ? read(c->from, chunk, sizeof(chunk)) : 0;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN && !last)
			return;
		if (n <= 0)
			break;
		size_t keep = MIN((size_t)n, c->output_max - MIN(c->text.len, c->output_max));
		buf_add(&c->text, chunk, keep);
		c->result.dropped += (size_t)n - keep;
	}
	loop_unwatch(c->output);
	c->output = NULL;
	if (c->from >= 0)
		close(c->from);
	c->from = -1;
}

static void kill_tree(struct command *c)
{
	loop_unwatch(c->reports);
	loop_timer_cancel(c->timer);
	c->reports = NULL;
	c->timer = NULL;
	if (c->tree.pid > 0) {
		uint64_t before = children_cpu_ns();
		process_kill_supervised(&c->tree);
		c->result.cpu_ns = children_cpu_ns() - before;
	}
}

static void finish(struct command *c)
{
	kill_tree(c);
	drain(c, true);
	c->result.output = buf_str(&c->text);
	c->result.wall_ns = (uint64_t)(clock_mono_ns() - c->started_ns);
	c->on_end(c->ctx, &c->result);
}

static void on_report(void *ctx, int fd)
{
	struct command *c = ctx;
	struct exit_report reports[16];
	int n;
	(void)fd;
	while ((n = process_read_reports(&c->tree, reports, ARRAY_LEN(reports))) > 0)
		for (int i = 0; i < n; i++)
			if (reports[i].main) {
				c->result.status = reports[i].status;
				finish(c);
				return;
			}
	if (n < 0) {
		/* The supervisor was killed: so is all below it. */
		c->result.status = SIGKILL;
		finish(c);
	}
}

static void on_output(void *ctx, int fd)
{
	(void)fd;
	drain(ctx, false);
}

static void on_timeout(void *ctx)
{
	struct command *c = ctx;
	c->result.timed_out = true;
	c->result.status = SIGKILL;
	finish(c);
}

static bool spawn(struct command *c, const struct command_spec *spec, struct err *err)
{
	int fds[2];
	struct arena a = {0};
	if (pipe2(fds, O_CLOEXEC) != 0)
		return err_sys(err, ERR_ENVIRONMENT, "cannot make a pipe");
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	struct spawn_spec s = {.argv = spec->sandbox ? confine_argv(&a, &spec->confinement, spec->argv) : spec->argv,
	                       .envp = spec->envp,
	                       .cwd = spec->cwd,
	                       .stdin_fd = -1,
	                       .stdout_fd = fds[1],
	                       .stderr_fd = fds[1]};
	bool ok = process_spawn_supervised(&s, &c->tree, err);
	arena_release(&a);
	close(fds[1]);
	if (!ok) {
		close(fds[0]);
		return false;
	}
	c->from = fds[0];
	return true;
}

struct command *command_start(struct loop *l, const struct command_spec *spec,
                              void (*on_end)(void *ctx, const struct command_result *r), void *ctx, struct err *err)
{
	struct command *c = xcalloc(1, sizeof(*c));
	*c = (struct command){.loop = l, .tree = {.pid = -1}, .from = -1, .on_end = on_end, .ctx = ctx};
	c->output_max = spec->output_max ? spec->output_max : COMMAND_OUTPUT_MAX;
	c->started_ns = clock_mono_ns();
	if (!spawn(c, spec, err)) {
		free(c);
		return NULL;
	}
	c->reports = loop_watch_fd(l, c->tree.report_fd, on_report, c);
	c->output = loop_watch_fd(l, c->from, on_output, c);
	if (spec->timeout_ms)
		c->timer = loop_timer(l, spec->timeout_ms, on_timeout, c);
	return c;
}

void command_free(struct command *c)
{
	if (!c)
		return;
	kill_tree(c);
	loop_unwatch(c->output);
	if (c->from >= 0)
		close(c->from);
	buf_release(&c->text);
	free(c);
}

void command_failure_text(const struct command_result *r, unsigned timeout_ms, struct buf *out)
{
	if (r->timed_out) {
		buf_addf(out, "it took longer than %u s and was ended", timeout_ms / 1000);
	} else if (r->status != 0) {
		buf_addz(out, "it ended with ");
		process_status_text(r->status, out);
	}
}
