/* What people see of an action: its start and end, what tools said, why it failed. */
#include <stdlib.h>

#include "build/target_build.h"
#include "lang/sexp.h"
#include "os/clock.h"

/* -- from a tool's text to diagnostics -- */

/* "dir/A.java:3: error: ..." as javac writes it. */
struct complaint {
	struct str path, message;
	uint64_t line;
	bool is_error;
};

static bool read_complaint(struct str text, struct complaint *ret)
{
	size_t at = str_search(text, STR(".java:"));
	if (at == text.len)
		return false;
	ret->path = str_slice(text, 0, at + 5);
	struct str rest = str_drop(text, at + 6), number;
	if (!str_cut(&rest, ':', &number) || !str_to_u64(number, &ret->line))
		return false;
	rest = str_trim(rest);
	ret->is_error = str_has_prefix(rest, STR("error: "));
	if (!ret->is_error && !str_has_prefix(rest, STR("warning: ")))
		return false;
	ret->message = str_drop(rest, ret->is_error ? 7 : 9);
	return true;
}

static bool is_caret(struct str line)
{
	return str_eq(str_trim(line), STR("^"));
}

static void add_form(struct buf *out, const char *severity, const char *kind, struct str message)
{
	buf_addf(out, "(:diag :severity :%s :kind \"%s\" :message ", severity, kind);
	sexp_print_string(message, out);
}

/* "2 errors", the last line of javac. */
static bool is_count(struct str line)
{
	struct str number;
	uint64_t n;
	return str_cut(&line, ' ', &number) && str_to_u64(number, &n) &&
	       (str_has_prefix(line, STR("error")) || str_has_prefix(line, STR("warning")));
}

/* The lines that follow a complaint: the source line, a caret below its column, and perhaps more of the message. */
static void add_complaint(const struct complaint *c, struct str *rest, struct buf *out)
{
	struct buf message = {0};
	struct str line, ahead = *rest;
	size_t column = 0, lines = 0;
	struct complaint next;
	buf_adds(&message, c->message);
	while (str_cut(&ahead, '\n', &line) && !read_complaint(line, &next)) {
		if (is_caret(line))
			column = str_find(line, '^') + 1;
		else if (lines++ > 0 && !is_count(line))
			buf_addf(&message, "\n%.*s", STR_ARG(line));
		*rest = ahead;
	}
	add_form(out, c->is_error ? "error" : "warning", "javac", buf_str(&message));
	buf_addz(out, " :file ");
	sexp_print_string(c->path, out);
	buf_addf(out, " :line %llu :column %zu)\n", (unsigned long long)c->line, column);
	buf_release(&message);
}

/* Complaints with a place become diagnostics of their own; what stands before the first is one too. */
static void add_places(const char *kind, const char *severity, struct str text, struct buf *out)
{
	struct buf loose = {0};
	struct complaint c;
	struct str line;
	while (str_cut(&text, '\n', &line)) {
		if (read_complaint(line, &c))
			add_complaint(&c, &text, out);
		else
			buf_addf(&loose, "%.*s\n", STR_ARG(line));
	}
	if (str_trim(buf_str(&loose)).len) {
		add_form(out, severity, kind, str_trim(buf_str(&loose)));
		buf_addz(out, ")\n");
	}
	buf_release(&loose);
}

void target_report_forms(const struct target_action *t, struct str output, struct buf *out)
{
	if (str_trim(output).len)
		add_places(t->mnemonic, t->output_is_warning ? "warning" : "note", output, out);
}

/* -- to the sinks -- */

static void record_text(struct buf *out, const char *name, struct str text)
{
	if (!text.len)
		return;
	buf_addf(out, " :%s ", name);
	sexp_print_string(text, out);
}

/* As report_replay reads it. */
static void record_error(struct buf *out, const struct diagnostic *d)
{
	sexp_print_string(d->label, out);
	buf_addz(out, "(:diag :severity :error");
	record_text(out, "kind", d->kind);
	record_text(out, "message", d->message);
	record_text(out, "file", d->path);
	buf_addf(out, " :line %u :column %u", d->line, d->col);
	record_text(out, "form", d->form);
	record_text(out, "context", d->context);
	record_text(out, "hint", d->hint);
	buf_addz(out, ")\n");
}

static void emit_diagnostic(struct target_build *b, const struct diagnostic *d)
{
	if (d->severity == SEVERITY_ERROR)
		record_error(&b->errors, d);
	struct event e = {.kind = EVENT_DIAGNOSTIC, .at_ns = clock_mono_ns(), .label = d->label, .diagnostic = d};
	event_emit(b->session->sink, &e);
}

/* What lies behind a link of ours (front/project.h) is known to people by its own place. */
static struct str place_of(const struct target_build *b, struct arena *a, struct str path)
{
	char *absolute = path_join(a, b->session->options.directory, str_dupz(a, path));
	char *real = str_has_prefix(path, STR(".tenon/")) ? realpath(absolute, NULL) : NULL;
	struct str ret = str_dup(a, str_from(real ? real : absolute));
	free(real);
	return ret;
}

static void emit_forms(struct target_build *b, action_id id, struct str forms, bool cached, struct buf *replay)
{
	struct arena a = {0};
	struct sexp *list;
	if (!forms.len || !sexp_read(&a, STR("<result>"), forms, SEXP_LISP, &list, NULL))
		list = NULL;
	for (uint32_t i = 0; list && i < list->len; i++) {
		const struct sexp *f = list->items[i];
		struct diagnostic d = {.severity = session_severity(sexp_getf(f, 1, "severity")),
		                       .kind = sexp_text(sexp_getf(f, 1, "kind")),
		                       .message = sexp_text(sexp_getf(f, 1, "message")),
		                       .path = sexp_text(sexp_getf(f, 1, "file")),
		                       .line = (uint32_t)sexp_int(sexp_getf(f, 1, "line"), 0),
		                       .col = (uint32_t)sexp_int(sexp_getf(f, 1, "column"), 0),
		                       .hint = sexp_text(sexp_getf(f, 1, "hint")),
		                       .form = sexp_text(sexp_getf(f, 1, "form")),
		                       .label = target_build_action(b, id)->label,
		                       .cached = cached};
		if (d.path.len)
			d.path = place_of(b, &a, d.path);
		if (replay && d.severity == SEVERITY_WARNING) {
			sexp_print_string(d.label, replay);
			sexp_print(f, replay);
			buf_addc(replay, '\n');
		}
		emit_diagnostic(b, &d);
	}
	arena_release(&a);
}

void target_report_diagnostics(struct target_build *b, action_id id, bool cached)
{
	emit_forms(b, id, b->units[id].diagnostics, cached, &b->replay);
}

static void tell(struct target_build *b, action_id id, struct str message, struct str hint)
{
	struct diagnostic d = {.severity = SEVERITY_ERROR,
	                       .kind = str_from(target_build_action(b, id)->mnemonic),
	                       .message = message,
	                       .hint = hint,
	                       .label = target_build_action(b, id)->label};
	const struct target_action *t = target_build_action(b, id);
	struct place at = target_get(b->table, t->target)->place;
	struct arena a = {0};
	if (at.line) {
		const struct source_text *file = &b->table->files.ptr[at.file];
		struct str path = file->made_from.len ? file->made_from : file->path;
		d.path = str_from(path_join(&a, b->session->options.directory, str_dupz(&a, path)));
		if (file->made_from.len)
			at.line = 0;
	}
	if (at.line) {
		d.line = at.line;
		d.col = at.col;
	}
	emit_diagnostic(b, &d);
	arena_release(&a);
}

void target_report_error(struct target_build *b, action_id id, const struct err *err)
{
	struct str label = target_build_action(b, id)->label;
	struct buf message = {0}, hint = {0};
	buf_addf(&message, "%.*s: %.*s", STR_ARG(label), STR_ARG(buf_str(&err->message)));
	for (size_t i = 0; i < err->notes.len; i++)
		buf_addf(&hint, "%s%s", i ? "; " : "", err->notes.ptr[i]);
	tell(b, id, buf_str(&message), buf_str(&hint));
	buf_release(&message);
	buf_release(&hint);
}

/* As the system and Java say it. */
static bool is_denied(struct str text)
{
	return str_search(text, STR("Permission denied")) < text.len ||
	       str_search(text, STR("AccessDeniedException")) < text.len;
}

void target_report_failure(struct target_build *b, action_id id, const struct exec_result *r)
{
	const struct target_action *t = target_build_action(b, id);
	struct buf forms = {0}, message = {0};
	struct str hint = {0};
	buf_adds(&forms, r->diagnostics);
	if (str_trim(r->output).len)
		add_places(t->mnemonic, "error", r->output, &forms);
	emit_forms(b, id, buf_str(&forms), false, NULL);
	buf_addf(&message, "%.*s failed: %.*s", STR_ARG(t->label), STR_ARG(r->failure));
	if (b->session->options.sandbox && (is_denied(r->output) || is_denied(r->diagnostics)))
		hint = t->runtime ? STR("in the sandbox a namespace writes temporary files (java.io.tmpdir) alone, and "
		                        "reads "
		                        "of the workspace what it declares; --no-sandbox switches that off")
		                  : STR("an action can write only to its outputs ($OUT, $TMP), and read of the "
		                        "workspace only what "
		                        "it declares");
	tell(b, id, buf_str(&message), hint);
	buf_release(&forms);
	buf_release(&message);
}

void target_report_start(struct target_build *b, action_id id)
{
	struct target_unit *u = &b->units[id];
	u->started_ns = clock_mono_ns();
	u->event_id = b->session->next_id++;
	u->why = target_why_run(b, id);
	struct event e = {.kind = EVENT_ACTION_START, .id = u->event_id, .at_ns = u->started_ns, .reason = u->why.text};
	e.label = target_build_action(b, id)->label;
	event_emit(b->session->sink, &e);
}

void target_report_finish(struct target_build *b, action_id id)
{
	const struct target_unit *u = &b->units[id];
	struct event e = {.kind = EVENT_ACTION_FINISH,
	                  .id = u->event_id,
	                  .at_ns = clock_mono_ns(),
	                  .label = target_build_action(b, id)->label,
	                  .outcome = u->outcome,
	                  .reason = u->why.text};
	if (u->event_id) {
		e.wall_ns = (uint64_t)(e.at_ns - u->started_ns);
		e.cpu_ns = u->cpu_ns;
		if (u->outcome == OUTCOME_RAN)
			history_note(b->session->history, e.label, u->wall_ns);
	}
	event_emit(b->session->sink, &e);
}
