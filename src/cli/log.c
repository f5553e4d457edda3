#include "cli/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "os/fs.h"
#include "wire/json.h"

#define FLUSH_BYTES (64u << 10)

/* One output file. After a failed write nothing more is written to it. */
struct stream {
	int fd; /* -1: not open */
	int errnum;
	char *path; /* owned */
	struct buf buf;
};

/* Process numbers in the trace. */
enum track { TRACK_BUILD = 1, TRACK_ACTIONS, TRACK_IMAGES };

/* A start that has had no finish. */
struct open_span {
	uint64_t id;
	enum track track;
	uint32_t lane;
};

struct log {
	struct event_sink sink;
	char id[48];
	struct stream lines, copy, trace;
	struct buf scratch;
	Vec(struct open_span) open;
	int64_t last_ns;
	bool trace_begun;
};

/* ---- files ---- */

static bool stream_open(struct stream *s, const char *path, struct err *err)
{
	s->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (s->fd < 0)
		return err_sys(err, ERR_ENVIRONMENT, "cannot write the log '%s'", path);
	s->path = xmalloc(strlen(path) + 1);
	memcpy(s->path, path, strlen(path) + 1);
	return true;
}

static void stream_flush(struct stream *s)
{
	struct str rest = buf_str(&s->buf);
	while (rest.len && s->fd >= 0 && !s->errnum) {
		ssize_t n = write(s->fd, rest.ptr, rest.len);
		if (n >= 0)
			rest = str_drop(rest, (size_t)n);
		else if (errno != EINTR)
			s->errnum = errno;
	}
	buf_clear(&s->buf);
}

static bool stream_close(struct stream *s, struct err *err)
{
	bool ok = true;
	if (s->fd >= 0) {
		stream_flush(s);
		if (close(s->fd) != 0 && !s->errnum)
			s->errnum = errno;
		errno = s->errnum;
		ok = !s->errnum || err_sys(err, ERR_ENVIRONMENT, "cannot write the log '%s'", s->path);
	}
	free(s->path);
	buf_release(&s->buf);
	return ok;
}

/* "20260131-235959-4242" and nothing else, so that no file of another making is ever removed. */
static bool is_log_name(struct str name)
{
	struct str rest = name, part;
	static const size_t digits[] = {8, 6, 0};
	for (size_t i = 0; i < ARRAY_LEN(digits); i++) {
		uint64_t n;
		part = str_slice(rest, 0, i < 2 ? str_find(rest, '-') : str_find(rest, '.'));
		if (!str_to_u64(part, &n) || (digits[i] && part.len != digits[i]) || part.len == rest.len)
			return false;
		rest = str_drop(rest, part.len + 1);
	}
	return str_eqc(rest, "jsonl") || str_eqc(rest, "trace.json");
}

/* Best effort: a log that can't be removed is no reason to fail. Names sort by time. */
static void prune(const char *folder)
{
	struct arena a = {0};
	StrVec names = {0};
	if (fs_list(&a, folder, &names, NULL)) {
		struct str last = {0};
		unsigned builds = 0;
		for (size_t i = names.len; i-- > 0;) {
			if (!is_log_name(names.ptr[i]))
				continue;
			struct str id = str_slice(names.ptr[i], 0, str_find(names.ptr[i], '.'));
			if (!str_eq(id, last))
				builds++;
			last = id;
			if (builds > LOG_KEEP)
				fs_remove(path_join(&a, folder, str_dupz(&a, names.ptr[i])), NULL);
		}
	}
	vec_release(&names);
	arena_release(&a);
}

/* ---- JSON lines ---- */

static const char *const event_names[] = {
        [EVENT_BUILD_START] = "build-start",
        [EVENT_BUILD_FINISH] = "build-finish",
        [EVENT_PHASE_START] = "phase-start",
        [EVENT_PHASE_FINISH] = "phase-finish",
        [EVENT_TOTAL] = "total",
        [EVENT_ACTION_START] = "action-start",
        [EVENT_ACTION_FINISH] = "action-finish",
        [EVENT_STEP_START] = "step-start",
        [EVENT_STEP_FINISH] = "step-finish",
        [EVENT_FORK] = "fork",
        [EVENT_DIAGNOSTIC] = "diagnostic",
        [EVENT_NOTE] = "note",
};
static const char *const severity_names[] = {
        [SEVERITY_NOTE] = "note",
        [SEVERITY_STYLE] = "style-warning",
        [SEVERITY_WARNING] = "warning",
        [SEVERITY_ERROR] = "error",
};
static const char *const level_names[] = {
        [NOTE_DEBUG] = "debug",
        [NOTE_INFO] = "info",
        [NOTE_WARNING] = "warning",
};

static void put_str(struct json *j, const char *key, struct str s)
{
	if (!s.len)
		return;
	json_key(j, key);
	json_str(j, s);
}

static void put_int(struct json *j, const char *key, uint64_t v)
{
	json_key(j, key);
	json_int(j, (int64_t)v);
}

static void put_count(struct json *j, const char *key, uint64_t v)
{
	if (v)
		put_int(j, key, v);
}

static void put_diagnostic(struct json *j, const struct diagnostic *d)
{
	json_key(j, "severity");
	json_strz(j, severity_names[d->severity]);
	put_str(j, "kind", d->kind);
	put_str(j, "message", d->message);
	put_str(j, "path", d->path);
	put_count(j, "line", d->line);
	put_count(j, "column", d->col);
	put_count(j, "end_line", d->end_line);
	put_str(j, "form", d->form);
	put_str(j, "context", d->context);
	put_str(j, "hint", d->hint);
	put_str(j, "action", d->label);
	if (d->cached) {
		json_key(j, "cached");
		json_bool(j, true);
	}
}

static void put_lines(struct json *j, const char *key, struct str lines)
{
	struct str line;
	json_key(j, key);
	json_array(j);
	while (str_cut(&lines, '\n', &line))
		json_str(j, line);
	json_end(j);
}

static bool has_outcome(enum event_kind k)
{
	return k == EVENT_BUILD_FINISH || k == EVENT_ACTION_FINISH;
}

static bool has_lane(enum event_kind k)
{
	return k == EVENT_ACTION_START || k == EVENT_ACTION_FINISH || k == EVENT_STEP_START || k == EVENT_STEP_FINISH ||
	       k == EVENT_FORK;
}

static void put_line(const struct event *e, struct buf *out)
{
	struct json j = {.out = out};
	json_object(&j);
	json_key(&j, "event");
	json_strz(&j, event_names[e->kind]);
	json_key(&j, "ns");
	json_int(&j, e->at_ns);
	put_count(&j, "id", e->id);
	put_str(&j, "label", e->label);
	if (has_lane(e->kind))
		put_int(&j, "lane", e->lane);
	if (has_outcome(e->kind)) {
		json_key(&j, "outcome");
		json_strz(&j, outcome_name(e->outcome));
	}
	if (e->kind == EVENT_NOTE) {
		json_key(&j, "level");
		json_strz(&j, level_names[e->level]);
	}
	put_str(&j, "reason", e->reason);
	put_str(&j, "text", e->text);
	put_count(&j, "total", e->total);
	put_count(&j, "wall_ns", e->wall_ns);
	put_count(&j, "cpu_ns", e->cpu_ns);
	put_count(&j, "remaining_ns", e->remaining_ns);
	if (e->interrupted) {
		json_key(&j, "interrupted");
		json_bool(&j, true);
	}
	put_count(&j, "memory", e->memory);
	put_count(&j, "lax", e->lax);
	if (e->lax)
		put_lines(&j, "missed", e->missed);
	if (e->diagnostic)
		put_diagnostic(&j, e->diagnostic);
	json_end(&j);
	buf_addc(out, '\n');
}

static void put_first_line(const struct log_config *c, const char *id, struct buf *out)
{
	struct json j = {.out = out};
	json_object(&j);
	json_key(&j, "event");
	json_strz(&j, "log");
	json_key(&j, "ns");
	json_int(&j, c->mono_ns);
	json_key(&j, "real_ns");
	json_int(&j, c->real_ns);
	json_key(&j, "format");
	json_int(&j, 1);
	json_key(&j, "log");
	json_strz(&j, id);
	put_str(&j, "version", c->version);
	json_key(&j, "pid");
	json_int(&j, c->pid);
	json_key(&j, "command");
	json_array(&j);
	for (size_t i = 0; c->argv && c->argv[i]; i++)
		json_strz(&j, c->argv[i]);
	json_end(&j);
	json_end(&j);
	buf_addc(out, '\n');
}

/* ---- the trace ---- */

/* Opens an event: everything but its args and closing brace. A JSON writer can't write decimals, so the outer object is
 * put together here. */
static void trace_begin(struct log *l, char phase, enum track track, uint32_t lane, int64_t ns, struct str name)
{
	struct buf *out = &l->trace.buf;
	buf_addz(out, l->trace_begun ? ",\n" : "[\n");
	l->trace_begun = true;
	if (ns < 0)
		ns = 0;
	buf_addf(out, "{\"ph\":\"%c\",\"pid\":%d,\"tid\":%" PRIu32 ",\"ts\":%" PRId64 ".%03d", phase, (int)track, lane,
	         ns / 1000, (int)(ns % 1000));
	if (name.len) {
		struct json j = {.out = out};
		buf_addz(out, ",\"name\":");
		json_str(&j, name);
	}
}

static void trace_end(struct log *l)
{
	buf_addc(&l->trace.buf, '}');
}

static void trace_meta(struct log *l, enum track track, const char *name)
{
	trace_begin(l, 'M', track, 0, 0, STR("process_name"));
	buf_addf(&l->trace.buf, ",\"args\":{\"name\":\"%s\"}", name);
	trace_end(l);
}

static void trace_start(struct log *l, const struct event *e, enum track track, uint32_t lane, const char *category)
{
	trace_begin(l, 'B', track, lane, e->at_ns, e->label.len ? e->label : STR("?"));
	buf_addf(&l->trace.buf, ",\"cat\":\"%s\",\"args\":{\"id\":%" PRIu64, category, e->id);
	if (e->reason.len) {
		struct json j = {.out = &l->trace.buf};
		buf_addz(&l->trace.buf, ",\"reason\":");
		json_str(&j, e->reason);
	}
	buf_addc(&l->trace.buf, '}');
	trace_end(l);
	vec_push(&l->open, (struct open_span){.id = e->id, .track = track, .lane = lane});
}

/* The finish goes to the track where its start is. One without a start is a moment. */
static void trace_finish(struct log *l, const struct event *e, enum track track, uint32_t lane)
{
	size_t i = l->open.len;
	while (i > 0 && !(l->open.ptr[i - 1].id == e->id && l->open.ptr[i - 1].track == track))
		i--;
	if (i > 0) {
		lane = l->open.ptr[i - 1].lane;
		memmove(l->open.ptr + i - 1, l->open.ptr + i, (l->open.len - i) * sizeof(*l->open.ptr));
		l->open.len--;
		trace_begin(l, 'E', track, lane, e->at_ns, (struct str){0});
	} else {
		trace_begin(l, 'i', track, lane, e->at_ns, e->label.len ? e->label : STR("?"));
		buf_addz(&l->trace.buf, ",\"s\":\"t\"");
	}
	buf_addf(&l->trace.buf, ",\"args\":{\"cpu_ms\":%" PRIu64, e->cpu_ns / 1000000);
	if (has_outcome(e->kind))
		buf_addf(&l->trace.buf, ",\"outcome\":\"%s\"", outcome_name(e->outcome));
	buf_addc(&l->trace.buf, '}');
	trace_end(l);
}

static void trace_moment(struct log *l, const struct event *e, enum track track, struct str name, struct str detail)
{
	trace_begin(l, 'i', track, track == TRACK_BUILD ? 0 : e->lane, e->at_ns, name.len ? name : STR("?"));
	buf_addz(&l->trace.buf, ",\"s\":\"t\"");
	if (detail.len) {
		struct json j = {.out = &l->trace.buf};
		buf_addz(&l->trace.buf, ",\"args\":{\"text\":");
		json_str(&j, detail);
		buf_addc(&l->trace.buf, '}');
	}
	trace_end(l);
}

static void trace_event(struct log *l, const struct event *e)
{
	switch (e->kind) {
	case EVENT_BUILD_START:
		trace_start(l, e, TRACK_BUILD, 0, "build");
		break;
	case EVENT_BUILD_FINISH:
		trace_finish(l, e, TRACK_BUILD, 0);
		break;
	case EVENT_PHASE_START:
		trace_start(l, e, TRACK_BUILD, 1, "phase");
		break;
	case EVENT_PHASE_FINISH:
		trace_finish(l, e, TRACK_BUILD, 1);
		break;
	case EVENT_ACTION_START:
		trace_start(l, e, TRACK_ACTIONS, e->lane, "action");
		break;
	case EVENT_ACTION_FINISH:
		/* What needed nothing would only hide what did. */
		if (e->outcome != OUTCOME_CURRENT)
			trace_finish(l, e, TRACK_ACTIONS, e->lane);
		break;
	case EVENT_STEP_START:
		trace_start(l, e, TRACK_IMAGES, e->lane, "step");
		break;
	case EVENT_STEP_FINISH:
		trace_finish(l, e, TRACK_IMAGES, e->lane);
		break;
	case EVENT_FORK:
		trace_moment(l, e, TRACK_IMAGES, STR("fork"), e->label);
		break;
	case EVENT_DIAGNOSTIC:
		trace_moment(l, e, TRACK_BUILD, STR("diagnostic"), e->diagnostic->message);
		break;
	case EVENT_NOTE:
		trace_moment(l, e, TRACK_BUILD, STR("note"), e->text);
		break;
	case EVENT_TOTAL:
		break;
	}
}

/* Innermost first, as the format wants. */
static void trace_close_open(struct log *l)
{
	while (l->open.len) {
		struct open_span s = vec_pop(&l->open);
		trace_begin(l, 'E', s.track, s.lane, l->last_ns, (struct str){0});
		trace_end(l);
	}
}

/* ---- the sink ---- */

static void flush(struct log *l)
{
	stream_flush(&l->lines);
	stream_flush(&l->copy);
	stream_flush(&l->trace);
}

static bool is_urgent(const struct event *e)
{
	return ((e->kind == EVENT_ACTION_START || e->kind == EVENT_ACTION_FINISH) && e->id) ||
	       e->kind == EVENT_BUILD_START || e->kind == EVENT_BUILD_FINISH;
}

static void emit(struct event_sink *self, const struct event *e)
{
	struct log *l = (struct log *)self;
	buf_clear(&l->scratch);
	put_line(e, &l->scratch);
	if (l->lines.fd >= 0)
		buf_adds(&l->lines.buf, buf_str(&l->scratch));
	if (l->copy.fd >= 0)
		buf_adds(&l->copy.buf, buf_str(&l->scratch));
	if (l->trace.fd >= 0)
		trace_event(l, e);
	l->last_ns = MAX(l->last_ns, e->at_ns);
	if (is_urgent(e) || MAX(l->lines.buf.len, l->copy.buf.len) > FLUSH_BYTES)
		flush(l);
}

/* ---- life ---- */

static void make_id(struct log *l, const struct log_config *c)
{
	time_t s = (time_t)(c->real_ns / 1000000000);
	struct tm tm;
	gmtime_r(&s, &tm);
	size_t n = strftime(l->id, sizeof(l->id), "%Y%m%d-%H%M%S", &tm);
	snprintf(l->id + n, sizeof(l->id) - n, "-%d", c->pid);
}

static bool open_folder(struct log *l, const char *folder, struct err *err)
{
	struct arena a = {0};
	char *base = path_join(&a, folder, l->id);
	bool ok = fs_mkdirs(folder, err) && stream_open(&l->lines, str_dupz(&a, str_fmt(&a, "%s.jsonl", base)), err) &&
	          stream_open(&l->trace, str_dupz(&a, str_fmt(&a, "%s.trace.json", base)), err);
	arena_release(&a);
	if (ok) {
		prune(folder);
		trace_meta(l, TRACK_BUILD, "tenon");
		trace_meta(l, TRACK_ACTIONS, "actions");
		trace_meta(l, TRACK_IMAGES, "images");
	}
	return ok;
}

struct log *log_open(const struct log_config *config, struct err *err)
{
	struct log *l = xcalloc(1, sizeof(*l));
	l->sink.emit = emit;
	l->lines.fd = l->copy.fd = l->trace.fd = -1;
	make_id(l, config);
	if ((config->folder && !open_folder(l, config->folder, err)) ||
	    (config->file && !stream_open(&l->copy, config->file, err))) {
		log_close(l, NULL);
		return NULL;
	}
	put_first_line(config, l->id, &l->scratch);
	if (l->lines.fd >= 0)
		buf_adds(&l->lines.buf, buf_str(&l->scratch));
	if (l->copy.fd >= 0)
		buf_adds(&l->copy.buf, buf_str(&l->scratch));
	return l;
}

struct event_sink *log_sink(struct log *l)
{
	return &l->sink;
}

const char *log_id(const struct log *l)
{
	return l->id;
}

bool log_close(struct log *l, struct err *err)
{
	if (!l)
		return true;
	if (l->trace.fd >= 0) {
		trace_close_open(l);
		buf_addz(&l->trace.buf, l->trace_begun ? "\n]\n" : "[]\n");
	}
	bool ok = stream_close(&l->lines, err);
	ok = stream_close(&l->copy, ok ? err : NULL) && ok;
	ok = stream_close(&l->trace, ok ? err : NULL) && ok;
	vec_release(&l->open);
	buf_release(&l->scratch);
	free(l);
	return ok;
}
