#include "exec/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "os/process.h"
#include "wire/json.h"
#include "wire/json_read.h"

/* The longest answer that is believed, and how much of standard error and of rubbish is shown. */
#define ANSWER_MAX    ((size_t)16 << 20)
#define STDERR_MAX    4096
#define QUOTE_MAX     200
/* The loop has no watch for room in a pipe; a request of over 64 KiB may need several tries. */
#define SEND_AGAIN_MS 2

struct worker {
	struct loop *loop;
	struct supervised tree;
	struct str label;
	int to, from, complaints; /* its standard input, output and error; -1: closed */
	struct watch *watch_from, *watch_complaints, *watch_reports;
	struct timer *timer, *send_timer;
	unsigned timeout_ms;
	struct buf in, out, said; /* what it answers; what is still to be sent; the end of its standard error */
	size_t sent;
	bool busy, dead;
	void (*on_answer)(void *ctx, const struct worker_answer *a);
	void *ctx;
	struct arena arena;
};

static void close_fd(int *fd, struct watch **watch)
{
	loop_unwatch(*watch);
	*watch = NULL;
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void end_process(struct worker *w)
{
	if (w->dead)
		return;
	w->dead = true;
	loop_timer_cancel(w->timer);
	w->timer = NULL;
	loop_unwatch(w->watch_reports);
	w->watch_reports = NULL;
	process_kill_supervised(&w->tree);
}

static void answer(struct worker *w, const struct worker_answer *a)
{
	w->busy = false;
	loop_timer_cancel(w->timer);
	w->timer = NULL;
	w->on_answer(w->ctx, a);
}

/* Takes what is there; keeps the last STDERR_MAX bytes. False at the end. */
static bool drain_complaints(struct worker *w)
{
	char chunk[4096];
	for (;;) {
		ssize_t n = w->complaints >= 0 ? read(w->complaints, chunk, sizeof(chunk)) : 0;
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 && errno == EAGAIN;
		buf_add(&w->said, chunk, (size_t)n);
		if (w->said.len > (size_t)2 * STDERR_MAX) {
			size_t keep = STDERR_MAX;
			memmove(w->said.ptr, w->said.ptr + w->said.len - keep, keep);
			w->said.len = keep;
		}
	}
}

static void fail(struct worker *w, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void fail(struct worker *w, const char *fmt, ...)
{
	struct buf text = {0};
	va_list ap;
	bool had_request = w->busy;
	end_process(w);
	drain_complaints(w);
	buf_addf(&text, "the worker \"%.*s\" ", STR_ARG(w->label));
	va_start(ap, fmt);
	buf_addv(&text, fmt, ap);
	va_end(ap);
	if (had_request)
		answer(w, &(struct worker_answer){.failure = buf_str(&text), .output = str_trim(buf_str(&w->said))});
	buf_release(&text);
}

static void fail_with_rubbish(struct worker *w, struct str line)
{
	struct buf quoted = {0};
	for (size_t i = 0; i < MIN(line.len, (size_t)QUOTE_MAX); i++)
		buf_addc(&quoted, line.ptr[i] >= 32 && line.ptr[i] < 127 ? line.ptr[i] : '?');
	fail(w,
	     "wrote to its standard output what is no answer to a request: \"%s\"%s; it must write there nothing else, "
	     "and "
	     "speak to people on standard error",
	     buf_cstr(&quoted), line.len > QUOTE_MAX ? "..." : "");
	buf_release(&quoted);
}

/* Fields that have their default may be left out. */
static bool integer_field(const struct json_value *object, const char *name, int64_t *ret)
{
	const struct json_value *v = json_member(object, name);
	*ret = 0;
	return !v || json_integer(v, ret);
}

static void take_line(struct worker *w, struct str line)
{
	struct arena a = {0};
	struct json_value *v = NULL;
	int64_t code, id;
	bool good = json_read(&a, line, &v, NULL) && v->kind == JSON_OBJECT;
	const struct json_value *output = json_member(v, "output");
	good = good && integer_field(v, "exitCode", &code) && integer_field(v, "requestId", &id) && id == 0 &&
	       (!output || output->kind == JSON_STRING);
	if (!good)
		fail_with_rubbish(w, line);
	else if (!w->busy)
		fail(w, "answered without having been asked");
	else
		answer(w, &(struct worker_answer){.exit_code = (int)code,
		                                  .output = output ? output->text : (struct str){0}});
	arena_release(&a);
}

static void take_lines(struct worker *w)
{
	struct buf rest = w->in;
	struct str text = buf_str(&rest);
	w->in = (struct buf){0};
	while (!w->dead) {
		size_t end = str_find(text, '\n');
		if (end == text.len)
			break;
		struct str line = str_trim(str_slice(text, 0, end));
		text = str_drop(text, end + 1);
		if (line.len)
			take_line(w, line);
	}
	buf_adds(&w->in, text);
	buf_release(&rest);
	if (!w->dead && w->in.len > ANSWER_MAX)
		fail_with_rubbish(w, buf_str(&w->in));
}

static void on_answer_bytes(void *ctx, int fd)
{
	struct worker *w = ctx;
	char chunk[65536];
	ssize_t n = read(fd, chunk, sizeof(chunk));
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n > 0) {
		buf_add(&w->in, chunk, (size_t)n);
		take_lines(w);
		return;
	}
	close_fd(&w->from, &w->watch_from);
	if (str_trim(buf_str(&w->in)).len)
		fail_with_rubbish(w, str_trim(buf_str(&w->in)));
}

static void on_complaint(void *ctx, int fd)
{
	struct worker *w = ctx;
	(void)fd;
	if (!drain_complaints(w))
		close_fd(&w->complaints, &w->watch_complaints);
}

static void on_report(void *ctx, int fd)
{
	struct worker *w = ctx;
	struct exit_report reports[16];
	int n;
	(void)fd;
	while ((n = process_read_reports(&w->tree, reports, ARRAY_LEN(reports))) > 0)
		for (int i = 0; i < n; i++) {
			if (!reports[i].main)
				continue;
			struct buf text = {0};
			process_status_text(reports[i].status, &text);
			/* An answer may stand before the end. */
			if (w->from >= 0)
				on_answer_bytes(w, w->from);
			if (!w->dead)
				fail(w, "ended with %s", buf_cstr(&text));
			buf_release(&text);
			return;
		}
	if (n < 0)
		fail(w, "was killed");
}

static void on_timeout(void *ctx)
{
	struct worker *w = ctx;
	fail(w, "took longer than %u s for a request and was ended", w->timeout_ms / 1000);
}

static bool make_pipes(int in[2], int out[2], int errs[2], struct err *err)
{
	int *const pipes[] = {in, out, errs};
	for (size_t i = 0; i < ARRAY_LEN(pipes); i++)
		if (pipe2(pipes[i], O_CLOEXEC) != 0) {
			while (i-- > 0) {
				close(pipes[i][0]);
				close(pipes[i][1]);
			}
			return err_sys(err, ERR_ENVIRONMENT, "cannot make a pipe");
		}
	fcntl(in[1], F_SETFL, O_NONBLOCK);
	fcntl(out[0], F_SETFL, O_NONBLOCK);
	fcntl(errs[0], F_SETFL, O_NONBLOCK);
	return true;
}

static const char *const *persistent(struct arena *a, const struct worker_spec *spec)
{
	size_t n = 0;
	while (spec->argv[n])
		n++;
	const char **argv = arena_new_n(a, const char *, n + 2);
	memcpy(argv, spec->argv, n * sizeof(*argv));
	argv[n] = "--persistent_worker";
	return spec->sandbox ? confine_argv(a, &spec->confinement, argv) : argv;
}

static bool spawn(struct worker *w, const struct worker_spec *spec, struct err *err)
{
	int in[2] = {-1, -1}, out[2] = {-1, -1}, errs[2] = {-1, -1};
	if (!make_pipes(in, out, errs, err))
		return false;
	struct spawn_spec s = {.argv = persistent(&w->arena, spec),
	                       .envp = spec->envp,
	                       .cwd = spec->cwd,
	                       .stdin_fd = in[0],
	                       .stdout_fd = out[1],
	                       .stderr_fd = errs[1]};
	bool ok = process_spawn_supervised(&s, &w->tree, err);
	close(in[0]);
	close(out[1]);
	close(errs[1]);
	w->to = in[1];
	w->from = out[0];
	w->complaints = errs[0];
	return ok;
}

struct worker *worker_start(struct loop *l, const struct worker_spec *spec, struct err *err)
{
	struct worker *w = xcalloc(1, sizeof(*w));
	*w = (struct worker){.loop = l, .tree = {.pid = -1}, .to = -1, .from = -1, .complaints = -1};
	w->label = str_dup(&w->arena, spec->label);
	if (!spawn(w, spec, err)) {
		w->dead = true;
		worker_free(w);
		return NULL;
	}
	w->watch_from = loop_watch_fd(l, w->from, on_answer_bytes, w);
	w->watch_complaints = loop_watch_fd(l, w->complaints, on_complaint, w);
	w->watch_reports = loop_watch_fd(l, w->tree.report_fd, on_report, w);
	return w;
}

/* Sends what the pipe takes; the rest when there is room again. */
static void send_more(void *ctx)
{
	struct worker *w = ctx;
	loop_timer_cancel(w->send_timer);
	w->send_timer = NULL;
	while (!w->dead && w->sent < w->out.len) {
		ssize_t n = write(w->to, w->out.ptr + w->sent, w->out.len - w->sent);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			w->send_timer = loop_timer(w->loop, SEND_AGAIN_MS, send_more, w);
			return;
		}
		/* A worker that is gone tells by its end. */
		if (n < 0)
			return;
		w->sent += (size_t)n;
	}
}

static void write_request(struct worker *w, const struct worker_request *r)
{
	struct json j = {.out = &w->out};
	buf_clear(&w->out);
	w->sent = 0;
	json_object(&j);
	json_key(&j, "arguments");
	json_array(&j);
	for (size_t i = 0; i < r->arguments->len; i++)
		json_str(&j, r->arguments->ptr[i]);
	json_end(&j);
	json_key(&j, "inputs");
	json_array(&j);
	for (size_t i = 0; i < r->ninputs; i++) {
		char hex[DIGEST_HEX + 1];
		digest_hex(&r->inputs[i].digest, hex);
		json_object(&j);
		json_key(&j, "path");
		json_str(&j, r->inputs[i].path);
		json_key(&j, "digest");
		json_strz(&j, hex);
		json_end(&j);
	}
	json_end(&j);
	json_key(&j, "requestId");
	json_int(&j, 0);
	json_end(&j);
	buf_addc(&w->out, '\n');
}

void worker_ask(struct worker *w, const struct worker_request *r,
                void (*on_answer)(void *ctx, const struct worker_answer *a), void *ctx)
{
	CHECK(worker_idle(w));
	w->busy = true;
	w->on_answer = on_answer;
	w->ctx = ctx;
	w->timeout_ms = r->timeout_ms;
	buf_clear(&w->said);
	write_request(w, r);
	if (r->timeout_ms)
		w->timer = loop_timer(w->loop, r->timeout_ms, on_timeout, w);
	send_more(w);
}

bool worker_idle(const struct worker *w)
{
	return !w->busy && !w->dead;
}

bool worker_dead(const struct worker *w)
{
	return w->dead;
}

void worker_free(struct worker *w)
{
	if (!w)
		return;
	end_process(w);
	loop_timer_cancel(w->send_timer);
	struct watch *none = NULL;
	close_fd(&w->to, &none);
	close_fd(&w->from, &w->watch_from);
	close_fd(&w->complaints, &w->watch_complaints);
	buf_release(&w->in);
	buf_release(&w->out);
	buf_release(&w->said);
	arena_release(&w->arena);
	free(w);
}
