#include "os/loop.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/tap.h"
#include "os/clock.h"

#define BOUND_MS 20000
#define BIG      ((size_t)50 << 20)

/* What a test sees of one connection. */
struct peer {
	struct conn *conn;
	struct buf frames; /* short bodies in brackets, long ones by length */
	unsigned n;
	bool closed, close_on_frame, echo;
	char reason[200];
};

static bool timed_out;

static void on_timeout(void *ctx)
{
	(void)ctx;
	timed_out = true;
}

static void on_frame(void *ctx, struct conn *c, struct str body)
{
	struct peer *p = ctx;
	p->n++;
	if (body.len < 100)
		buf_addf(&p->frames, "[%.*s]", STR_ARG(body));
	else
		buf_addf(&p->frames, "<%zu>", body.len);
	for (size_t i = 0; i < body.len && body.len >= 100; i++)
		if (body.ptr[i] != (char)(i * 7))
			BUG("byte %zu of a long frame is wrong", i);
	if (p->echo)
		conn_send(c, body);
	if (p->close_on_frame) {
		conn_close(c);
		p->conn = NULL;
	}
}

static void on_close(void *ctx, struct conn *c)
{
	struct peer *p = ctx;
	struct str why = conn_close_reason(c);
	snprintf(p->reason, sizeof(p->reason), "%.*s", STR_ARG(why));
	p->closed = true;
	p->conn = NULL;
}

static void on_accept(void *ctx, struct conn *c)
{
	struct peer *p = ctx;
	p->conn = c;
	conn_handle(c, on_frame, on_close, p);
}

struct fixture {
	struct loop *loop;
	struct listener *listener;
	char name[60];
	struct peer server;
};

static void setup(struct fixture *f)
{
	static unsigned serial;
	*f = (struct fixture){.loop = loop_new()};
	snprintf(f->name, sizeof(f->name), "tenon-loop-test-%ld-%u", (long)getpid(), serial++);
	CHECK(loop_listen_abstract(f->loop, f->name, on_accept, &f->server, &f->listener, NULL));
}

static void teardown(struct fixture *f)
{
	loop_free(f->loop);
	buf_release(&f->server.frames);
}

/* Runs the loop until the condition holds, within bounds. */
#define RUN_UNTIL(l, cond)                                                                                             \
	do {                                                                                                           \
		struct timer *t_ = loop_timer((l), BOUND_MS, on_timeout, NULL);                                        \
		timed_out = false;                                                                                     \
		while (!(cond) && !timed_out)                                                                          \
			loop_run_once((l), true);                                                                      \
		loop_timer_cancel(t_);                                                                                 \
	} while (0)

/* A plain blocking socket, so that the bytes on the wire are the test's own. */
static int raw_connect(const char *name)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	size_t n = strlen(name);
	memcpy(addr.sun_path + 1, name, n);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK(connect(fd, (struct sockaddr *)&addr, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + n)) == 0);
	return fd;
}

static void raw_write(int fd, struct str s)
{
	while (s.len) {
		ssize_t n = write(fd, s.ptr, s.len);
		CHECK(n > 0);
		s = str_drop(s, (size_t)n);
	}
}

static void test_both_ways(void)
{
	struct fixture f;
	struct peer client = {0};
	setup(&f);
	f.server.echo = true;
	tap_ok(loop_connect_abstract(f.loop, f.name, &client.conn, NULL), "connect");
	conn_handle(client.conn, on_frame, on_close, &client);
	conn_send(client.conn, STR("one"));
	conn_send(client.conn, STR(""));
	conn_send(client.conn, STR("three\n"));
	RUN_UNTIL(f.loop, client.n == 3);
	tap_eq_str(buf_str(&f.server.frames), STR("[one][][three\n]"), "frames arrive");
	tap_eq_str(buf_str(&client.frames), STR("[one][][three\n]"), "and come back");
	conn_close(client.conn);
	RUN_UNTIL(f.loop, f.server.closed);
	tap_ok(f.server.closed && !f.server.reason[0], "the peer's end is told, without a reason");
	tap_ok(!client.closed, "our own is not");
	buf_release(&client.frames);
	teardown(&f);
}

static void test_big(void)
{
	struct fixture f;
	struct peer client = {0};
	setup(&f);
	f.server.echo = true;
	char *big = malloc(BIG);
	for (size_t i = 0; i < BIG; i++)
		big[i] = (char)(i * 7);
	CHECK(loop_connect_abstract(f.loop, f.name, &client.conn, NULL));
	conn_handle(client.conn, on_frame, on_close, &client);
	int64_t from = clock_mono_ns();
	conn_send(client.conn, str_n(big, BIG));
	conn_send(client.conn, str_n(big, 10u << 20));
	conn_send(client.conn, STR("end"));
	int64_t sent = clock_mono_ns();
	RUN_UNTIL(f.loop, client.n == 3);
	tap_eq_str(buf_str(&client.frames), STR("<52428800><10485760>[end]"), "50 MB and 10 MB there and back");
	tap_note("sent without blocking in %.1f ms, back after %.1f ms", (double)(sent - from) / 1e6,
	         (double)(clock_mono_ns() - from) / 1e6);
	free(big);
	buf_release(&client.frames);
	teardown(&f);
}

static void test_pieces(void)
{
	static const char text[] = "5\nhello0\n11\nhello\nworld";
	struct fixture f;
	setup(&f);
	int fd = raw_connect(f.name);
	for (size_t i = 0; i < sizeof(text) - 1; i++) {
		raw_write(fd, str_n(text + i, 1));
		loop_run_once(f.loop, false);
	}
	RUN_UNTIL(f.loop, f.server.n == 3);
	tap_eq_str(buf_str(&f.server.frames), STR("[hello][][hello\nworld]"), "byte by byte");
	conn_send(f.server.conn, STR("answer"));
	RUN_UNTIL(f.loop, true);
	char back[32];
	ssize_t n = read(fd, back, sizeof(back));
	tap_eq_str(str_n(back, (size_t)MAX(n, 0)), STR("6\nanswer"), "what goes out on the wire");
	close(fd);
	teardown(&f);
}

static void test_garbage(void)
{
	static const char *const texts[][2] = {
	        {"GET / HTTP/1.1\r\n", "a frame does not begin with its length"},
	        {"2\nok99999999999\n", "a frame is longer than 1 GiB"},
	        {"1073741825\n", "a frame is longer than 1 GiB"},
	        {"7\nshort", "the connection ended within a frame"},
	        {"7", "the connection ended within a frame"},
	};
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct fixture f;
		setup(&f);
		int fd = raw_connect(f.name);
		raw_write(fd, str_from(texts[i][0]));
		shutdown(fd, SHUT_WR);
		RUN_UNTIL(f.loop, f.server.closed);
		tap_eq_str(str_from(f.server.reason), str_from(texts[i][1]), "garbage %zu", i);
		char c;
		RUN_UNTIL(f.loop, true);
		tap_ok(read(fd, &c, 1) == 0, "and the connection is closed");
		close(fd);
		teardown(&f);
	}
}

static void test_close_in_frame(void)
{
	struct fixture f;
	setup(&f);
	f.server.close_on_frame = true;
	int fd = raw_connect(f.name);
	raw_write(fd, STR("1\na1\nb1\nc"));
	RUN_UNTIL(f.loop, f.server.n > 0);
	loop_run_once(f.loop, false);
	tap_eq_str(buf_str(&f.server.frames), STR("[a]"), "after conn_close no frame comes");
	tap_ok(!f.server.closed, "nor on_close");
	close(fd);
	teardown(&f);
}

/* A peer that never reads, then goes: sending neither blocks nor kills us. */
static void test_deaf_peer(void)
{
	struct fixture f;
	setup(&f);
	int fd = raw_connect(f.name);
	RUN_UNTIL(f.loop, f.server.conn);
	char *big = calloc(1, 4u << 20);
	for (int i = 0; i < 5; i++)
		conn_send(f.server.conn, str_n(big, 4u << 20));
	loop_run_once(f.loop, false);
	tap_ok(!f.server.closed, "20 MB wait for a deaf peer");
	close(fd);
	RUN_UNTIL(f.loop, f.server.closed);
	tap_ok(f.server.closed, "its end is told");
	free(big);
	teardown(&f);
}

static void test_other_user(void)
{
	struct fixture f;
	setup(&f);
	if (geteuid() != 0) {
		tap_ok(false, "needs root, to connect as another user");
		teardown(&f);
		return;
	}
	pid_t pid = fork();
	if (pid == 0) {
		char c;
		if (setresuid(65534, 65534, 65534) != 0)
			_exit(2);
		int fd = raw_connect(f.name);
		_exit(read(fd, &c, 1) != 0 && errno != ECONNRESET);
	}
	int status = -1;
	int64_t deadline = clock_mono_ns() + (int64_t)BOUND_MS * 1000000;
	while (waitpid(pid, &status, WNOHANG) == 0 && clock_mono_ns() < deadline)
		loop_run_once(f.loop, false);
	tap_ok(status == 0 && !f.server.conn, "another user is turned away");
	teardown(&f);
}

static void count_call(void *ctx)
{
	++*(int *)ctx;
}

static void read_one(void *ctx, int fd)
{
	char c;
	*(ssize_t *)ctx = read(fd, &c, 1);
}

static void test_others(void)
{
	struct loop *l = loop_new();
	int calls = 0, fds[2];
	ssize_t n = -1;
	struct timer *never = loop_timer(l, 1000000, count_call, &calls), *soon = loop_timer(l, 1, count_call, &calls);
	RUN_UNTIL(l, calls > 0);
	tap_eq_int(calls, 1, "a timer fires once");
	loop_timer_cancel(soon);
	loop_timer_cancel(never);
	loop_timer_cancel(NULL);
	CHECK(pipe(fds) == 0);
	struct watch *w = loop_watch_fd(l, fds[0], read_one, &n);
	loop_run_once(l, false);
	tap_eq_int(n, -1, "nothing to read yet");
	CHECK(write(fds[1], "x", 1) == 1);
	RUN_UNTIL(l, n >= 0);
	tap_eq_int(n, 1, "readable");
	close(fds[1]);
	RUN_UNTIL(l, n == 0);
	tap_eq_int(n, 0, "at the end");
	loop_unwatch(w);
	loop_unwatch(NULL);
	close(fds[0]);
	struct loop *inner = loop_new();
	int fired = 0, piped[2];
	n = -1;
	CHECK(pipe(piped) == 0);
	struct watch *outer_watch = loop_watch_fd(l, piped[0], read_one, &n);
	loop_nest(inner, l);
	CHECK(write(piped[1], "x", 1) == 1);
	RUN_UNTIL(inner, n >= 0);
	tap_eq_int(n, 1, "a nested loop carries out what is ready in the other");
	struct timer *outer_timer = loop_timer(l, 1, count_call, &fired);
	RUN_UNTIL(inner, fired > 0);
	tap_eq_int(fired, 1, "and its timers");
	loop_free(inner);
	loop_unwatch(outer_watch);
	loop_timer_cancel(outer_timer);
	close(piped[0]);
	close(piped[1]);
	int ticks = 0;
	struct timer *ticker = loop_ticker(l, 1, count_call, &ticks),
	             *long_one = loop_timer(l, 1000000, count_call, &calls);
	RUN_UNTIL(l, ticks >= 3);
	tap_ok(ticks >= 3, "a ticker goes on");
	loop_timer_cancel(ticker);
	loop_timer_cancel(long_one);
	struct err err = {0};
	char name[200];
	struct listener *li;
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = 0;
	tap_ok(!loop_listen_abstract(l, name, on_accept, NULL, &li, &err) && err.kind == ERR_USER, "a name too long");
	struct conn *c;
	name[40] = 0;
	tap_ok(!loop_connect_abstract(l, name, &c, &err) && err.errnum == ECONNREFUSED, "nobody listens");
	tap_ok(loop_listen_abstract(l, name, on_accept, NULL, &li, NULL), "listen");
	struct listener *li2;
	tap_ok(!loop_listen_abstract(l, name, on_accept, NULL, &li2, &err) && err.errnum == EADDRINUSE, "twice");
	loop_unlisten(li);
	err_clear(&err);
	loop_free(l);
	loop_free(NULL);
}

int main(void)
{
	test_both_ways();
	test_big();
	test_pieces();
	test_garbage();
	test_close_in_frame();
	test_deaf_peer();
	test_other_user();
	test_others();
	return tap_done();
}
