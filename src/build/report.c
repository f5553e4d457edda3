/* From the driver's forms to diagnostics that sinks can show. */
#include <stdarg.h>
#include <stdlib.h>
#include <strings.h>

#include "build/build.h"
#include "os/clock.h"

/* Enough to see where it begins. */
#define MAX_SILENT 3

static struct diagnostic read_diagnostic(const struct sexp *form)
{
	struct diagnostic d = {0};
	d.severity = session_severity(sexp_getf(form, 1, "severity"));
	d.kind = sexp_text(sexp_getf(form, 1, "kind"));
	d.message = sexp_text(sexp_getf(form, 1, "message"));
	d.path = sexp_text(sexp_getf(form, 1, "file"));
	d.line = (uint32_t)sexp_int(sexp_getf(form, 1, "line"), 0);
	d.col = (uint32_t)sexp_int(sexp_getf(form, 1, "column"), 0);
	d.end_line = (uint32_t)sexp_int(sexp_getf(form, 1, "end-line"), 0);
	d.form = sexp_text(sexp_getf(form, 1, "form"));
	d.context = sexp_text(sexp_getf(form, 1, "context"));
	d.hint = sexp_text(sexp_getf(form, 1, "hint"));
	return d;
}

static void emit(struct event_sink *sink, const struct diagnostic *d)
{
	struct event e = {.kind = EVENT_DIAGNOSTIC, .at_ns = clock_mono_ns(), .label = d->label, .diagnostic = d};
	event_emit(sink, &e);
}

void report_emit(struct build *b, const struct diagnostic *d)
{
	b->errors += d->severity == SEVERITY_ERROR;
	emit(b->session->sink, d);
}

static bool is_undefined(const struct diagnostic *d)
{
	static const char prefix[] = "UNDEFINED-";
	return d->kind.len > sizeof(prefix) - 1 && strncasecmp(d->kind.ptr, prefix, sizeof(prefix) - 1) == 0;
}

/* True for what systems may keep to themselves that the user only depends on. Warnings make a compile fail, though. */
static bool is_hidden(const struct unit *u, const struct diagnostic *d)
{
	return u->external && (u->outcome != OUTCOME_FAILED || d->severity != SEVERITY_WARNING);
}

/* What later files may settle is kept back until they had their say. Notes are for --verbose. */
static void report_one(struct build *b, action_id id, const struct sexp *form, bool cached)
{
	struct diagnostic d = read_diagnostic(form);
	d.label = graph_action(b->graph, id)->label;
	d.cached = cached;
	bool task = action_kind_is_task(graph_action(b->graph, id)->kind);
	if (task && b->units[id].ended && is_undefined(&d))
		return;
	if (d.severity == SEVERITY_NOTE)
		return;
	if (d.severity != SEVERITY_ERROR) {
		b->warnings++;
		if (is_hidden(&b->units[id], &d)) {
			b->hidden_warnings++;
			return;
		}
		sexp_print_string(d.label, &b->replay);
		sexp_print(form, &b->replay);
		buf_addc(&b->replay, '\n');
	}
	report_emit(b, &d);
}

void report_diagnostics(struct build *b, action_id id, struct str forms, bool cached)
{
	struct arena a = {0};
	struct sexp *list;
	if (sexp_read_one(&a, forms, &list) && sexp_is_list(list, 1))
		for (uint32_t i = 0; i < list->len; i++)
			if (list->items[i]->kind == SEXP_LIST)
				report_one(b, id, list->items[i], cached);
	arena_release(&a);
}

/* The source of an action, or of what it loads; empty if it has none. */
static struct str source_of(const struct build *b, action_id id)
{
	const struct action *a = graph_action(b->graph, id);
	if (a->ninputs && a->inputs[0].producer != NO_ID)
		a = graph_action(b->graph, a->inputs[0].producer);
	return a->ninputs && a->inputs[0].producer == NO_ID ? a->inputs[0].path : STR("");
}

void report_hinted(struct build *b, action_id id, const char *kind, struct str message, const char *hint)
{
	struct diagnostic d = {.severity = SEVERITY_ERROR, .kind = str_from(kind), .message = message};
	d.label = graph_action(b->graph, id)->label;
	d.hint = str_from(hint);
	d.path = source_of(b, id);
	report_emit(b, &d);
}

void report_failure(struct build *b, action_id id, const char *kind, const char *fmt, ...)
{
	struct buf text = {0};
	va_list ap;
	va_start(ap, fmt);
	buf_addv(&text, fmt, ap);
	va_end(ap);
	report_hinted(b, id, kind, buf_str(&text), "");
	buf_release(&text);
}

void report_silence(struct build *b)
{
	size_t told = 0;
	if (build_succeeded(b) || b->errors || b->fatal.kind != ERR_NONE)
		return;
	for (size_t i = 0; i < b->graph->by_order.len && told < MAX_SILENT; i++) {
		action_id id = b->graph->by_order.ptr[i];
		const struct unit *u = &b->units[id];
		if (!action_kind_is_task(graph_action(b->graph, id)->kind) || u->known)
			continue;
		told++;
		report_diagnostics(b, id, u->diagnostics, false);
		report_failure(b, id, "other",
		               "it was not built, and nothing says why: this is a bug in tenon. "
		               "`tenon build --verbose` shows what was tried; --no-headers may build it");
	}
}

/* What was built for the description's sake was told of then. */
static bool was_told(const struct build *b, action_id id)
{
	uint64_t any;
	return b->units[id].outcome == OUTCOME_CURRENT &&
	       map_get(&b->session->told, graph_action(b->graph, id)->label, &any);
}

void report_finish(struct build *b, action_id id)
{
	const struct unit *u = &b->units[id];
	if (was_told(b, id))
		return;
	if (u->known && !u->event_id)
		report_diagnostics(b, id, u->diagnostics, true);
	struct event e = {.kind = EVENT_ACTION_FINISH,
	                  .id = u->event_id,
	                  .at_ns = clock_mono_ns(),
	                  .label = graph_action(b->graph, id)->label,
	                  .outcome = u->outcome,
	                  .reason = u->reason,
	                  .remaining_ns = build_left_ns(b)};
	if (lax_lacks(u)) {
		e.lax = u->lax;
		e.missed = lax_names(b, id);
	}
	if (u->event_id) {
		e.wall_ns = (uint64_t)(e.at_ns - u->started_ns);
		e.cpu_ns = u->cpu_ns;
		b->cpu_ns += u->cpu_ns;
		if (u->outcome == OUTCOME_RAN)
			history_note(b->session->history, e.label, u->wall_ns - MIN(u->step_ns, u->wall_ns));
	}
	event_emit(b->session->sink, &e);
}

void report_replay(struct event_sink *sink, struct str forms)
{
	struct arena a = {0};
	struct sexp *list;
	if (sexp_read(&a, STR("<record>"), forms, SEXP_LISP, &list, NULL))
		for (uint32_t i = 0; i + 1 < list->len; i += 2) {
			struct diagnostic d = read_diagnostic(list->items[i + 1]);
			d.label = sexp_text(list->items[i]);
			d.cached = true;
			emit(sink, &d);
		}
	arena_release(&a);
}
