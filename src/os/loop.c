#include "os/loop.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

#include "wire/frame.h"

#define BACKLOG 1024

/* Every object begins with its libuv handle, and is freed when libuv has done with that. */
#define NEST_MS 50

struct loop {
	uv_loop_t uv;
};

struct listener {
	uv_pipe_t uv;
	struct loop *loop;
	void (*on_accept)(void *ctx, struct conn *c);
	void *ctx;
};

struct conn {
	uv_pipe_t uv;
	struct frame_decoder decoder;
	void (*on_frame)(void *ctx, struct conn *c, struct str body);
	void (*on_close)(void *ctx, struct conn *c);
	void *ctx;
	const char *reason;
	bool closing;
};

struct timer {
	uv_timer_t uv;
	void (*cb)(void *ctx);
	void *ctx;
};

struct watch {
	uv_poll_t uv;
	int fd;
	void (*cb)(void *ctx, int fd);
	void *ctx;
};

/* A frame on its way out. */
struct sending {
	uv_write_t uv;
	char bytes[];
};

static void free_handle(uv_handle_t *h)
{
	free(h);
}

static void free_conn(uv_handle_t *h)
{
	struct conn *c = (struct conn *)h;
	frame_release(&c->decoder);
	free(c);
}

/* -- the loop -- */

struct loop *loop_new(void)
{
	struct loop *l = xcalloc(1, sizeof(*l));
	int rc = uv_loop_init(&l->uv);
	if (rc != 0)
		BUG("no event loop: %s", uv_strerror(rc));
	signal(SIGPIPE, SIG_IGN);
	return l;
}

static void close_any(uv_handle_t *h, void *ctx)
{
	(void)ctx;
	if (uv_is_closing(h))
		return;
	/* Only a connection's handle carries data. */
	if (h->data)
		conn_close(h->data);
	else
		uv_close(h, free_handle);
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	uv_walk(&l->uv, close_any, l);
	uv_run(&l->uv, UV_RUN_DEFAULT);
	CHECK(uv_loop_close(&l->uv) == 0);
	free(l);
}

void loop_run_once(struct loop *l, bool block)
{
	uv_run(&l->uv, block ? UV_RUN_ONCE : UV_RUN_NOWAIT);
}

/* What a callback adds is polled for from the next run on: hence two. */
static void run_other(void *ctx)
{
	struct loop *other = ctx;
	uv_run(&other->uv, UV_RUN_NOWAIT);
	uv_run(&other->uv, UV_RUN_NOWAIT);
}

static void run_other_fd(void *ctx, int fd)
{
	(void)fd;
	run_other(ctx);
}

void loop_nest(struct loop *l, struct loop *other)
{
	loop_watch_fd(l, uv_backend_fd(&other->uv), run_other_fd, other);
	loop_ticker(l, NEST_MS, run_other, other);
	run_other(other);
}

/* -- connections -- */

static void fail_conn(struct conn *c, const char *reason)
{
	if (c->closing)
		return;
	c->closing = true;
	c->reason = reason;
	if (c->on_close)
		c->on_close(c->ctx, c);
	uv_close((uv_handle_t *)&c->uv, free_conn);
}

void conn_close(struct conn *c)
{
	if (!c || c->closing)
		return;
	c->closing = true;
	uv_close((uv_handle_t *)&c->uv, free_conn);
}

struct str conn_close_reason(const struct conn *c)
{
	return str_from(c->reason);
}

void conn_handle(struct conn *c, void (*on_frame)(void *ctx, struct conn *c, struct str body),
                 void (*on_close)(void *ctx, struct conn *c), void *ctx)
{
	c->on_frame = on_frame;
	c->on_close = on_close;
	c->ctx = ctx;
}

static void alloc_space(uv_handle_t *h, size_t suggested, uv_buf_t *ret)
{
	(void)suggested;
	struct conn *c = (struct conn *)h;
	size_t room;
	ret->base = frame_space(&c->decoder, &room);
	ret->len = room;
}

static void on_read(uv_stream_t *h, ssize_t n, const uv_buf_t *buf)
{
	struct conn *c = (struct conn *)h;
	(void)buf;
	if (n == UV_EOF) {
		fail_conn(c, frame_is_idle(&c->decoder) ? NULL : "the connection ended within a frame");
		return;
	}
	if (n < 0) {
		fail_conn(c, uv_strerror((int)n));
		return;
	}
	frame_fed(&c->decoder, (size_t)n);
	struct str body;
	enum frame_status s = FRAME_MORE;
	while (!c->closing && (s = frame_next(&c->decoder, &body)) == FRAME_READY)
		if (c->on_frame)
			c->on_frame(c->ctx, c, body);
	if (s == FRAME_BAD)
		fail_conn(c, c->decoder.error);
}

static void on_sent(uv_write_t *req, int status)
{
	struct conn *c = (struct conn *)req->handle;
	free(req);
	if (status < 0 && status != UV_ECANCELED)
		fail_conn(c, uv_strerror(status));
}

void conn_send(struct conn *c, struct str body)
{
	char head[FRAME_HEAD_MAX];
	size_t n = frame_head(head, body.len);
	struct sending *s = xmalloc(sizeof(*s) + n + body.len);
	memcpy(s->bytes, head, n);
	if (body.len)
		memcpy(s->bytes + n, body.ptr, body.len);
	/* A length above 4 GiB, which libuv could not take, is above FRAME_MAX. */
	uv_buf_t buf = uv_buf_init(s->bytes, (unsigned)(n + body.len));
	/* Refused only for a connection that is closing or broken, of which on_close tells. */
	if (c->closing || uv_write(&s->uv, (uv_stream_t *)&c->uv, &buf, 1, on_sent) != 0)
		free(s);
}

static struct conn *new_conn(struct loop *l)
{
	struct conn *c = xcalloc(1, sizeof(*c));
	CHECK(uv_pipe_init(&l->uv, &c->uv, 0) == 0);
	c->uv.data = c;
	return c;
}

static bool is_ours(const struct conn *c)
{
	int fd;
	struct ucred peer;
	socklen_t len = sizeof(peer);
	return uv_fileno((const uv_handle_t *)&c->uv, &fd) == 0 &&
	       getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 && peer.uid == geteuid();
}

static void on_connection(uv_stream_t *h, int status)
{
	struct listener *l = (struct listener *)h;
	if (status < 0)
		return;
	struct conn *c = new_conn(l->loop);
	if (uv_accept(h, (uv_stream_t *)&c->uv) != 0 || !is_ours(c)) {
		conn_close(c);
		return;
	}
	uv_read_start((uv_stream_t *)&c->uv, alloc_space, on_read);
	l->on_accept(l->ctx, c);
}

static bool abstract_address(const char *name, struct sockaddr_un *ret, socklen_t *ret_len, struct err *err)
{
	size_t n = strlen(name);
	*ret = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (n + 1 > sizeof(ret->sun_path))
		return err_set(err, ERR_USER, "the socket name \"%s\" is too long", name);
	memcpy(ret->sun_path + 1, name, n);
	*ret_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + n);
	return true;
}

/* A socket that is bound (or connected) to the name; -1 with *err. */
static int open_abstract(const char *name, bool to_listen, struct err *err)
{
	struct sockaddr_un addr;
	socklen_t len = 0;
	if (!abstract_address(name, &addr, &len, err))
		return -1;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int rc = fd < 0      ? -1
	         : to_listen ? bind(fd, (struct sockaddr *)&addr, len)
	                     : connect(fd, (struct sockaddr *)&addr, len);
	if (rc == 0)
		return fd;
	err_sys(err, ERR_ENVIRONMENT, "cannot %s the socket \"@%s\"", to_listen ? "listen on" : "connect to", name);
	if (fd >= 0)
		close(fd);
	return -1;
}

/* Takes the descriptor, a bound socket. `shown`: its name, for people. */
static bool listen_on(struct loop *l, int fd, const char *shown, void (*on_accept)(void *ctx, struct conn *c),
                      void *ctx, struct listener **ret, struct err *err)
{
	struct listener *li = xcalloc(1, sizeof(*li));
	li->loop = l;
	li->on_accept = on_accept;
	li->ctx = ctx;
	CHECK(uv_pipe_init(&l->uv, &li->uv, 0) == 0);
	int rc = uv_pipe_open(&li->uv, fd);
	if (rc != 0)
		close(fd);
	else
		rc = uv_listen((uv_stream_t *)&li->uv, BACKLOG, on_connection);
	if (rc != 0) {
		loop_unlisten(li);
		return err_set(err, ERR_ENVIRONMENT, "cannot listen on the socket \"%s\": %s", shown, uv_strerror(rc));
	}
	*ret = li;
	return true;
}

bool loop_listen_abstract(struct loop *l, const char *name, void (*on_accept)(void *ctx, struct conn *c), void *ctx,
                          struct listener **ret, struct err *err)
{
	int fd = open_abstract(name, true, err);
	return fd >= 0 && listen_on(l, fd, name, on_accept, ctx, ret, err);
}

bool loop_listen_path(struct loop *l, const char *path, void (*on_accept)(void *ctx, struct conn *c), void *ctx,
                      struct listener **ret, struct err *err)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	size_t n = strlen(path);
	if (n >= sizeof(addr.sun_path))
		return err_set(err, ERR_ENVIRONMENT, "the path of the socket \"%s\" is too long", path);
	memcpy(addr.sun_path, path, n);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0) {
		err_sys(err, ERR_ENVIRONMENT, "cannot listen on the socket \"%s\"", path);
		if (fd >= 0)
			close(fd);
		return false;
	}
	return listen_on(l, fd, path, on_accept, ctx, ret, err);
}

void loop_unlisten(struct listener *l)
{
	if (l)
		uv_close((uv_handle_t *)&l->uv, free_handle);
}

bool loop_connect_abstract(struct loop *l, const char *name, struct conn **ret, struct err *err)
{
	int fd = open_abstract(name, false, err);
	if (fd < 0)
		return false;
	struct conn *c = new_conn(l);
	int rc = uv_pipe_open(&c->uv, fd);
	if (rc != 0) {
		close(fd);
		conn_close(c);
		return err_set(err, ERR_ENVIRONMENT, "cannot use the socket \"@%s\": %s", name, uv_strerror(rc));
	}
	uv_read_start((uv_stream_t *)&c->uv, alloc_space, on_read);
	*ret = c;
	return true;
}

/* -- timers, descriptors -- */

static void on_timer(uv_timer_t *h)
{
	struct timer *t = (struct timer *)h;
	t->cb(t->ctx);
}

static struct timer *start_timer(struct loop *l, unsigned ms, unsigned repeat, void (*cb)(void *ctx), void *ctx)
{
	struct timer *t = xcalloc(1, sizeof(*t));
	t->cb = cb;
	t->ctx = ctx;
	uv_timer_init(&l->uv, &t->uv);
	/* libuv counts from the loop's own clock, which stands still while the program works. */
	uv_update_time(&l->uv);
	uv_timer_start(&t->uv, on_timer, ms, repeat);
	return t;
}

struct timer *loop_timer(struct loop *l, unsigned ms, void (*cb)(void *ctx), void *ctx)
{
	return start_timer(l, ms, 0, cb, ctx);
}

struct timer *loop_ticker(struct loop *l, unsigned ms, void (*cb)(void *ctx), void *ctx)
{
	struct timer *t = start_timer(l, ms, ms, cb, ctx);
	uv_unref((uv_handle_t *)&t->uv);
	return t;
}

void loop_timer_cancel(struct timer *t)
{
	if (t)
		uv_close((uv_handle_t *)&t->uv, free_handle);
}

static void on_poll(uv_poll_t *h, int status, int events)
{
	struct watch *w = (struct watch *)h;
	(void)status;
	(void)events;
	w->cb(w->ctx, w->fd);
}

struct watch *loop_watch_fd(struct loop *l, int fd, void (*cb)(void *ctx, int fd), void *ctx)
{
	struct watch *w = xcalloc(1, sizeof(*w));
	w->fd = fd;
	w->cb = cb;
	w->ctx = ctx;
	int rc = uv_poll_init(&l->uv, &w->uv, fd);
	if (rc == 0)
		rc = uv_poll_start(&w->uv, UV_READABLE | UV_DISCONNECT, on_poll);
	if (rc != 0)
		BUG("cannot watch descriptor %d: %s", fd, uv_strerror(rc));
	return w;
}

void loop_unwatch(struct watch *w)
{
	if (w)
		uv_close((uv_handle_t *)&w->uv, free_handle);
}
