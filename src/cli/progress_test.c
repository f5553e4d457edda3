/* The progress display with a clock, a width and a screen of the test's own; then on a real pseudo-terminal. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/tap.h"
#include "cli/progress.h"

#define MS 1000000ll

struct fake {
	int64_t now;
	unsigned width;
	unsigned writes;
	struct buf out;
	struct render render;
	struct progress *p;
};

static int64_t fake_now(void *ctx)
{
	return ((struct fake *)ctx)->now;
}
static unsigned fake_width(void *ctx)
{
	return ((struct fake *)ctx)->width;
}
static void fake_write(void *ctx, struct str s)
{
	struct fake *f = ctx;
	f->writes++;
	buf_adds(&f->out, s);
}

static void begin(struct fake *f, bool tty, enum verbosity v)
{
	*f = (struct fake){.now = 1000 * MS, .width = 80};
	struct progress_config c = {.fd = -1,
	                            .tty = tty,
	                            .verbosity = v,
	                            .render = &f->render,
	                            .ctx = f,
	                            .now = fake_now,
	                            .width = fake_width,
	                            .write = fake_write};
	f->p = progress_new(&c);
}

static void end(struct fake *f)
{
	progress_free(f->p);
	buf_release(&f->out);
	render_release(&f->render);
}

static void send(struct fake *f, struct event e)
{
	e.at_ns = f->now;
	event_emit(progress_sink(f->p), &e);
}

/* What was written since the last look. */
static void saw(struct fake *f, const char *want, const char *name)
{
	tap_eq_str(buf_str(&f->out), str_from(want), "%s", name);
	buf_clear(&f->out);
}

static void start(struct fake *f, uint64_t id, const char *label)
{
	send(f, (struct event){.kind = EVENT_ACTION_START,
	                       .id = id,
	                       .label = str_from(label),
	                       .reason = STR("no result in the store")});
}
static void finish(struct fake *f, uint64_t id, const char *label, enum outcome o)
{
	send(f, (struct event){.kind = EVENT_ACTION_FINISH, .id = id, .label = str_from(label), .outcome = o});
}
static void complain(struct fake *f, enum severity s, const char *message)
{
	struct diagnostic d = {.severity = s, .label = STR("a.lisp"), .message = str_from(message)};
	send(f, (struct event){.kind = EVENT_DIAGNOSTIC, .diagnostic = &d});
}

static void test_terminal(void)
{
	struct fake f;
	begin(&f, true, VERBOSITY_NORMAL);
	send(&f, (struct event){.kind = EVENT_BUILD_START, .label = STR("ironclad")});
	saw(&f, "[0]", "the line appears at once");
	send(&f, (struct event){.kind = EVENT_PHASE_START, .id = 1, .label = STR("describe")});
	saw(&f, "", "no redraw within 50 ms");
	f.now += 60 * MS;
	progress_tick(f.p);
	saw(&f, "\r\033[K[0] describe 0.06s", "a phase");
	send(&f, (struct event){.kind = EVENT_PHASE_FINISH, .id = 1});
	send(&f, (struct event){.kind = EVENT_TOTAL, .total = 134, .remaining_ns = 12000 * MS});
	start(&f, 2, "ironclad/src/aes.lisp");
	f.now += 1700 * MS;
	start(&f, 3, "ironclad/src/sha.lisp");
	saw(&f, "\r\033[K[  0/134] ironclad/src/aes.lisp 1.7s, ironclad/src/sha.lisp 0.00s ~10s left",
	    "running, longest first, and the estimate");
	f.width = 60;
	f.now += 100 * MS;
	progress_tick(f.p);
	saw(&f, "\033[1A\r\033[J[  0/134] ironclad/src/aes.lisp 1.8s +1 ~10s left",
	    "narrower: the broken line is erased");
	f.width = 20;
	f.now += 100 * MS;
	progress_tick(f.p);
	tap_ok(f.out.len < 40, "a very narrow terminal");
	buf_clear(&f.out);
	f.width = 80;
	f.now += 100 * MS;
	finish(&f, 2, "ironclad/src/aes.lisp", OUTCOME_RAN);
	saw(&f, "\r\033[K[  1/134] ironclad/src/sha.lisp 0.30s ~10s left", "done, no line for it");
	complain(&f, SEVERITY_WARNING, "odd\nvery");
	saw(&f, "\r\033[Ka.lisp: warning: odd\n    very\n", "a diagnostic in one write, the line not redrawn yet");
	f.now += 50 * MS;
	progress_tick(f.p);
	saw(&f, "[  1/134] ironclad/src/sha.lisp 0.35s ~9s left", "the line comes back");
	f.now += 50 * MS;
	finish(&f, 3, "ironclad/src/sha.lisp", OUTCOME_FAILED);
	saw(&f, "\r\033[K[  2/134] failed ironclad/src/sha.lisp 0.40s\n[  2/134] 1 failed ~9s left", "a failure");
	f.now += 10000 * MS;
	progress_tick(f.p);
	saw(&f, "\r\033[K[  2/134] 1 failed", "an estimate that was wrong is not shown");
	send(&f, (struct event){.kind = EVENT_BUILD_FINISH, .outcome = OUTCOME_FAILED});
	saw(&f, "\r\033[Kfailed ironclad: 2 actions (1 compiled, 1 failed) in 12.2 s, 1 warning\n", "summary");
	f.now += 1000 * MS;
	progress_tick(f.p);
	saw(&f, "", "nothing after the end");
	end(&f);
}

static void test_rate(void)
{
	struct fake f;
	begin(&f, true, VERBOSITY_NORMAL);
	send(&f, (struct event){.kind = EVENT_BUILD_START, .label = STR("x"), .total = 10000});
	for (unsigned i = 0; i < 10000; i++) {
		f.now += MS / 10;
		start(&f, i + 2, "a");
		finish(&f, i + 2, "a", OUTCOME_RAN);
	}
	tap_ok(f.writes <= 21 && f.writes >= 19, "%u redraws in a second with 10,000 actions", f.writes);
	end(&f);
}

static void test_plain(void)
{
	struct fake f;
	begin(&f, false, VERBOSITY_NORMAL);
	send(&f, (struct event){.kind = EVENT_BUILD_START, .label = STR("ironclad"), .total = 134});
	start(&f, 2, "aes.lisp");
	f.now += 2100 * MS;
	progress_tick(f.p);
	saw(&f, "", "nothing while it runs");
	finish(&f, 2, "aes.lisp", OUTCOME_RAN);
	saw(&f, "[  1/134] aes.lisp 2.1s\n", "a line when it ends");
	for (int i = 0; i < 14; i++)
		finish(&f, 0, "old.lisp", OUTCOME_CACHED);
	saw(&f, "", "cached ones are only counted");
	for (unsigned i = 0; i < 119; i++)
		finish(&f, 0, "more.lisp", OUTCOME_RAN);
	buf_clear(&f.out);
	complain(&f, SEVERITY_NOTE, "cannot inline");
	saw(&f, "", "the compiler's notes are for verbose");
	for (int i = 0; i < 3; i++)
		complain(&f, SEVERITY_WARNING, "odd");
	complain(&f, SEVERITY_STYLE, "meh");
	buf_clear(&f.out);
	send(&f, (struct event){.kind = EVENT_NOTE, .level = NOTE_INFO, .text = STR("waiting \033[2J")});
	saw(&f, "tenon: note: waiting ^[[2J\n", "a note, made harmless");
	f.now += 9500 * MS;
	send(&f, (struct event){.kind = EVENT_BUILD_FINISH});
	saw(&f, "built ironclad: 134 actions (120 compiled, 14 cached) in 11.6 s, 3 warnings, 1 style-warning\n",
	    "summary");
	struct progress_counts c = progress_counts(f.p);
	tap_eq_int((int64_t)c.ran, 120, "counted: ran");
	tap_eq_int((int64_t)c.warnings, 3, "counted: warnings");
	end(&f);
}

static void test_quiet_and_verbose(void)
{
	struct fake f;
	begin(&f, true, VERBOSITY_QUIET);
	send(&f, (struct event){.kind = EVENT_BUILD_START, .label = STR("x"), .total = 2});
	start(&f, 2, "a");
	finish(&f, 2, "a", OUTCOME_RAN);
	complain(&f, SEVERITY_STYLE, "meh");
	saw(&f, "", "quiet says nothing of what is well");
	complain(&f, SEVERITY_ERROR, "bad");
	send(&f, (struct event){.kind = EVENT_BUILD_FINISH, .outcome = OUTCOME_FAILED});
	saw(&f, "a.lisp: error: bad\n", "quiet shows errors");
	end(&f);

	begin(&f, false, VERBOSITY_VERBOSE);
	send(&f, (struct event){.kind = EVENT_BUILD_START, .label = STR("x"), .total = 2});
	start(&f, 2, "a");
	finish(&f, 2, "a", OUTCOME_RAN);
	finish(&f, 0, "b", OUTCOME_CACHED);
	complain(&f, SEVERITY_NOTE, "cannot inline");
	saw(&f, "start a: no result in the store\n[1/2] a\n[2/2] cached b\na.lisp: note: cannot inline\n", "verbose");
	end(&f);

	begin(&f, false, VERBOSITY_NORMAL);
	send(&f, (struct event){.kind = EVENT_BUILD_START, .label = STR("x"), .total = 1});
	finish(&f, 0, "a", OUTCOME_CURRENT);
	f.now += 8 * MS;
	send(&f, (struct event){.kind = EVENT_BUILD_FINISH});
	saw(&f, "x is up to date: 1 action in 0.01 s\n", "nothing to do");
	end(&f);
}

/* All that comes out of the terminal's other side within a second, up to `until`. */
static void read_terminal(int fd, const char *until, struct buf *out)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char bytes[4096];
	while (str_search(buf_str(out), str_from(until)) == out->len && poll(&p, 1, 1000) == 1) {
		ssize_t n = read(fd, bytes, sizeof(bytes));
		if (n <= 0)
			break;
		buf_add(out, bytes, (size_t)n);
	}
}

static void test_real_terminal(void)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY);
	bool ok = master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0;
	int slave = ok ? open(ptsname(master), O_RDWR | O_NOCTTY) : -1;
	struct winsize size = {.ws_row = 24, .ws_col = 40};
	if (!tap_ok(slave >= 0 && ioctl(slave, TIOCSWINSZ, &size) == 0, "a pseudo-terminal"))
		return;
	setenv("TERM", "xterm", 1);
	tap_ok(progress_is_terminal(slave), "it is a terminal");
	setenv("TERM", "dumb", 1);
	tap_ok(!progress_is_terminal(slave), "not with TERM=dumb");
	struct render r = {0};
	struct fake f = {.now = 1000 * MS};
	struct progress_config c = {.fd = slave,
	                            .tty = true,
	                            .render = &r,
	                            .verbosity = VERBOSITY_NORMAL,
	                            .ctx = &f,
	                            .now = fake_now,
	                            .color = true};
	struct buf out = {0};
	f.p = progress_new(&c);
	send(&f, (struct event){.kind = EVENT_BUILD_START, .label = STR("x"), .total = 2});
	f.now += 100 * MS;
	start(&f, 2, "a/quite/long/name/of/a/file/in/a/deep/folder.lisp");
	f.now += 100 * MS;
	progress_tick(f.p);
	finish(&f, 2, "", OUTCOME_RAN);
	send(&f, (struct event){.kind = EVENT_BUILD_FINISH});
	read_terminal(master, "0.20 s", &out);
	tap_ok(str_search(buf_str(&out), STR("\r\033[Kbuilt x: 1 action (1 compiled) in 0.20 s")) < out.len,
	       "the summary takes the place of the status line");
	size_t at = str_search(buf_str(&out), STR(".../a/deep/folder.lisp 0.10s"));
	if (!tap_ok(at < out.len, "a long label keeps its end"))
		tap_note("%.*s", STR_ARG(buf_str(&out)));
	struct str rest = buf_str(&out), line;
	size_t longest = 0;
	while (str_cut(&rest, '\r', &line))
		longest = MAX(longest, render_columns(line));
	/* 39 columns and the escape sequences for colour and erasing, counted as if shown. */
	tap_ok(longest <= 39 + 20, "the line fits the terminal's width (%zu)", longest);
	progress_free(f.p);
	close(slave);
	close(master);
	buf_release(&out);
	render_release(&r);
}

/* Nobody reads any more: the build goes on. */
static void test_closed_pipe(void)
{
	int fds[2];
	struct render r = {0};
	struct fake f = {.now = 1};
	tap_ok(pipe(fds) == 0, "a pipe");
	close(fds[0]);
	struct progress_config c = {
	        .fd = fds[1], .render = &r, .verbosity = VERBOSITY_VERBOSE, .ctx = &f, .now = fake_now};
	f.p = progress_new(&c);
	send(&f, (struct event){.kind = EVENT_BUILD_START, .label = STR("x"), .total = 2});
	start(&f, 2, "a");
	finish(&f, 2, "a", OUTCOME_RAN);
	tap_eq_int((int64_t)progress_counts(f.p).ran, 1, "a reader that left does no harm");
	progress_free(f.p);
	close(fds[1]);
	render_release(&r);
}

static void test_interrupted(void)
{
	struct fake f;
	begin(&f, false, VERBOSITY_NORMAL);
	send(&f, (struct event){.kind = EVENT_BUILD_START, .label = STR("ironclad")});
	send(&f, (struct event){.kind = EVENT_TOTAL, .total = 134});
	start(&f, 2, "aes.lisp");
	finish(&f, 2, "aes.lisp", OUTCOME_RAN);
	buf_clear(&f.out);
	send(&f, (struct event){.kind = EVENT_BUILD_FINISH, .outcome = OUTCOME_FAILED, .interrupted = true});
	saw(&f, "interrupted ironclad: 1 of 134 actions done (1 compiled) in 0.00 s\n",
	    "an interrupt, and what was done");
	end(&f);
	begin(&f, false, VERBOSITY_NORMAL);
	send(&f, (struct event){.kind = EVENT_BUILD_START, .label = STR("ironclad")});
	send(&f, (struct event){.kind = EVENT_BUILD_FINISH, .outcome = OUTCOME_FAILED, .interrupted = true});
	saw(&f, "interrupted ironclad in 0.00 s\n", "an interrupt before anything was to be done");
	end(&f);
	begin(&f, true, VERBOSITY_NORMAL);
	send(&f, (struct event){.kind = EVENT_BUILD_START, .label = STR("ironclad")});
	send(&f, (struct event){.kind = EVENT_PHASE_START, .id = 1, .label = STR("describe")});
	buf_clear(&f.out);
	f.now += 60 * MS;
	send(&f, (struct event){.kind = EVENT_PHASE_START, .id = 2, .label = STR("base core")});
	saw(&f, "\r\033[K[0] base core 0.00s", "of phases in phases the innermost is shown");
	f.now += 60 * MS;
	send(&f, (struct event){.kind = EVENT_PHASE_FINISH, .id = 2});
	saw(&f, "\r\033[K[0] describe 0.12s", "then the outer one again");
	end(&f);
	begin(&f, false, VERBOSITY_NORMAL);
	send(&f, (struct event){.kind = EVENT_BUILD_START, .label = STR("ironclad")});
	send(&f, (struct event){.kind = EVENT_BUILD_FINISH, .outcome = OUTCOME_CURRENT, .total = 134});
	saw(&f, "ironclad is up to date: 134 actions in 0.00 s\n", "nothing to do says of how much");
	end(&f);
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	test_terminal();
	test_rate();
	test_plain();
	test_quiet_and_verbose();
	test_real_terminal();
	test_closed_pipe();
	test_interrupted();
	return tap_done();
}
