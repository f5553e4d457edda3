/* loop.h - the event loop (libuv underneath): connections that carry frames, timers, descriptors.
 *
 *     struct loop *l = loop_new();
 *     loop_listen_abstract(l, "name", on_accept, ctx, &listener, err);   // on_accept calls conn_handle()
 *     while (...) loop_run_once(l, true);
 *     loop_free(l);                                                      // closes what is left
 *
 * One thread. Callbacks are called from loop_run_once only, and may call anything here but loop_run_once and loop_free.
 * loop_free ends all objects of the loop; none may be used after it.
 *
 * The process ignores SIGPIPE from loop_new on: a peer that is gone is told by on_close. (Children that process.h
 * starts have the default disposition again.) */
#ifndef TENON_OS_LOOP_H
#define TENON_OS_LOOP_H

#include "base/err.h"

struct loop;
struct listener;
struct conn;
struct timer;
struct watch;

struct loop *loop_new(void); /* aborts when the kernel gives no descriptors */
void loop_free(struct loop *l);
/* Carries out what is ready. `block`: waits until there is something, unless nothing can come. */
void loop_run_once(struct loop *l, bool block);
/* From now on running `l` also carries out what is ready in `other`, which must live longer; timers there may be late
 * by 50 ms. For a builder within another. */
void loop_nest(struct loop *l, struct loop *other);

/* -- connections: stream sockets that carry the frames of wire/frame.h -- */

/* A stream listener in the abstract Unix namespace; `name` without the leading NUL. A peer of another user is turned
 * away before it is heard of. on_accept gets each new connection and must call conn_handle or conn_close. */
bool loop_listen_abstract(struct loop *l, const char *name, void (*on_accept)(void *ctx, struct conn *c), void *ctx,
                          struct listener **ret, struct err *err);
/* The same at a path, for peers that know no abstract names. The file must not be there; it stays when the listener
 * ends. ERR_ENVIRONMENT also where the path is too long for a socket (107 bytes). */
bool loop_listen_path(struct loop *l, const char *path, void (*on_accept)(void *ctx, struct conn *c), void *ctx,
                      struct listener **ret, struct err *err);
void loop_unlisten(struct listener *l); /* NULL is fine */
/* The other side of it. */
bool loop_connect_abstract(struct loop *l, const char *name, struct conn **ret, struct err *err);

/* Sets, or changes, who is told. on_frame: `body` is valid for the time of the call. on_close: the peer closed, or the
 * stream broke: the connection is gone after the call. It is not called after conn_close. */
void conn_handle(struct conn *c, void (*on_frame)(void *ctx, struct conn *c, struct str body),
                 void (*on_close)(void *ctx, struct conn *c), void *ctx);
/* Sends one frame; copies the body; never blocks, whatever the peer does. */
void conn_send(struct conn *c, struct str body);
/* Ends the connection: what is not sent yet is dropped, no callback follows, `c` is gone. NULL is fine. */
void conn_close(struct conn *c);
/* In on_close: why, for people; empty where the peer just closed. */
struct str conn_close_reason(const struct conn *c);

/* -- the rest -- */

/* Calls `cb` once, after `ms` milliseconds. The timer is the caller's until loop_timer_cancel, also after it fired. */
struct timer *loop_timer(struct loop *l, unsigned ms, void (*cb)(void *ctx), void *ctx);
/* Calls `cb` every `ms` milliseconds. It alone does not keep loop_run_once blocked. */
struct timer *loop_ticker(struct loop *l, unsigned ms, void (*cb)(void *ctx), void *ctx);
void loop_timer_cancel(struct timer *t); /* NULL is fine */

/* Calls `cb` whenever `fd` (borrowed) is readable or at its end. Unwatch before closing the descriptor. */
struct watch *loop_watch_fd(struct loop *l, int fd, void (*cb)(void *ctx, int fd), void *ctx);
void loop_unwatch(struct watch *w); /* NULL is fine */

#endif
