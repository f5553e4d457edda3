#include "cli/progress.h"

#include <stdlib.h>
#include <unistd.h>

#include "cli/progress_impl.h"

/* ---- what runs ---- */

static void running_add(RunningVec *v, const struct event *e)
{
	char *label = xmalloc(e->label.len + 1);
	if (e->label.len)
		memcpy(label, e->label.ptr, e->label.len);
	label[e->label.len] = 0;
	vec_push(v, (struct running){.id = e->id, .since_ns = e->at_ns, .label = label});
}

/* Takes out the one with that id; its label is the caller's then. */
static bool running_take(RunningVec *v, uint64_t id, struct running *ret)
{
	for (size_t i = 0; id && i < v->len; i++) {
		if (v->ptr[i].id != id)
			continue;
		*ret = v->ptr[i];
		memmove(v->ptr + i, v->ptr + i + 1, (v->len - i - 1) * sizeof(*v->ptr));
		v->len--;
		return true;
	}
	return false;
}

static void running_clear(RunningVec *v)
{
	for (size_t i = 0; i < v->len; i++)
		free(v->ptr[i].label);
	vec_clear(v);
}

/* ---- events ---- */

static void line_for_finish(struct progress *p, const struct event *e, const char *label, uint64_t wall)
{
	static const char *const words[] = {
	        [OUTCOME_RAN] = "",           [OUTCOME_CACHED] = " cached",   [OUTCOME_CURRENT] = " current",
	        [OUTCOME_FAILED] = " failed", [OUTCOME_SKIPPED] = " skipped",
	};
	bool verbose = p->config.verbosity == VERBOSITY_VERBOSE;
	bool wanted = e->outcome == OUTCOME_FAILED || verbose ||
	              (e->outcome == OUTCOME_RAN && !p->config.tty && p->config.verbosity == VERBOSITY_NORMAL);
	if (!wanted)
		return;
	progress_add_count(p, &p->lines);
	if (p->config.color && e->outcome == OUTCOME_FAILED)
		buf_addf(&p->lines, "\033[1;31m%s\033[0m ", words[e->outcome]);
	else
		buf_addf(&p->lines, "%s ", words[e->outcome]);
	render_cut(str_from(label), SIZE_MAX, &p->lines);
	if (wall) {
		buf_addc(&p->lines, ' ');
		render_duration(wall, &p->lines);
	}
	buf_addc(&p->lines, '\n');
}

static void action_start(struct progress *p, const struct event *e)
{
	running_add(&p->actions, e);
	if (p->config.verbosity != VERBOSITY_VERBOSE)
		return;
	buf_addz(&p->lines, "start ");
	render_cut(e->label, SIZE_MAX, &p->lines);
	if (e->reason.len) {
		buf_addz(&p->lines, ": ");
		render_cut(e->reason, SIZE_MAX, &p->lines);
	}
	buf_addc(&p->lines, '\n');
}

static void note_work(struct progress *p, const struct event *e)
{
	p->work_ns = e->remaining_ns;
	p->work_at_ns = e->at_ns;
}

static void action_finish(struct progress *p, const struct event *e)
{
	struct progress_counts *c = &p->counts;
	uint64_t *const counter[] = {
	        [OUTCOME_RAN] = &c->ran,       [OUTCOME_CACHED] = &c->cached,   [OUTCOME_CURRENT] = &c->current,
	        [OUTCOME_FAILED] = &c->failed, [OUTCOME_SKIPPED] = &c->skipped,
	};
	struct running r = {0};
	bool started = running_take(&p->actions, e->id, &r);
	++*counter[e->outcome];
	if (e->remaining_ns)
		note_work(p, e);
	struct buf label = {0};
	buf_adds(&label, e->label.len ? e->label : str_from(r.label));
	line_for_finish(p, e, buf_cstr(&label),
	                e->wall_ns ? e->wall_ns
	                : started  ? progress_elapsed(r.since_ns, e->at_ns)
	                           : 0);
	buf_release(&label);
	free(r.label);
}

static void phase_finish(struct progress *p, const struct event *e)
{
	struct running r;
	if (!running_take(&p->phases, e->id, &r))
		return;
	if (p->config.verbosity == VERBOSITY_VERBOSE) {
		buf_addf(&p->lines, "%s ", r.label);
		render_duration(progress_elapsed(r.since_ns, e->at_ns), &p->lines);
		buf_addc(&p->lines, '\n');
	}
	free(r.label);
}

static void diagnostic(struct progress *p, const struct diagnostic *d)
{
	static const enum severity least[] = {
	        [VERBOSITY_QUIET] = SEVERITY_WARNING,
	        [VERBOSITY_NORMAL] = SEVERITY_STYLE,
	        [VERBOSITY_VERBOSE] = SEVERITY_NOTE,
	};
	p->counts.errors += d->severity == SEVERITY_ERROR;
	p->counts.warnings += d->severity == SEVERITY_WARNING;
	p->counts.style_warnings += d->severity == SEVERITY_STYLE;
	if (d->severity >= least[p->config.verbosity])
		render_diagnostic(p->config.render, d, &p->lines);
}

static void note(struct progress *p, const struct event *e)
{
	static const enum note_level least[] = {
	        [VERBOSITY_QUIET] = NOTE_WARNING,
	        [VERBOSITY_NORMAL] = NOTE_INFO,
	        [VERBOSITY_VERBOSE] = NOTE_DEBUG,
	};
	if (e->level < least[p->config.verbosity])
		return;
	/* Rendered as a diagnostic without a place, so that it is as harmless and as readable as one. */
	struct diagnostic d = {.severity = e->level == NOTE_WARNING ? SEVERITY_WARNING : SEVERITY_NOTE,
	                       .message = e->text,
	                       .label = STR("tenon")};
	render_diagnostic(p->config.render, &d, &p->lines);
}

/* ---- the summary ---- */

static void add_part(struct buf *out, const char **sep, uint64_t n, const char *word)
{
	if (!n)
		return;
	buf_addf(out, "%s%llu %s", *sep, (unsigned long long)n, word);
	*sep = ", ";
}

static void add_plural(struct buf *out, uint64_t n, const char *word)
{
	if (n)
		buf_addf(out, ", %llu %s%s", (unsigned long long)n, word, n == 1 ? "" : "s");
}

static void add_seconds(struct buf *out, uint64_t ns)
{
	uint64_t tenths = (ns + 50000000) / 100000000;
	if (ns < 995000000)
		buf_addf(out, "0.%02u s", (unsigned)((ns + 5000000) / 10000000));
	else if (tenths < 600)
		buf_addf(out, "%llu.%llu s", (unsigned long long)(tenths / 10), (unsigned long long)(tenths % 10));
	else
		buf_addf(out, "%llu min %llu s", (unsigned long long)(tenths / 600),
		         (unsigned long long)(tenths % 600 / 10));
}

static void summary(struct progress *p, const struct event *e)
{
	const struct progress_counts *c = &p->counts;
	struct buf *out = &p->lines;
	const char *target = p->target && *p->target ? p->target : NULL;
	bool failed = e->outcome == OUTCOME_FAILED;
	if (p->config.verbosity == VERBOSITY_QUIET)
		return;
	if (e->text.len) {
		render_cut(e->text, SIZE_MAX, out);
		buf_addc(out, '\n');
		return;
	}
	bool idle = !failed && progress_done(p) == c->current;
	uint64_t actions = progress_done(p) ? progress_done(p) : e->total;
	if (p->config.color && failed)
		buf_addz(out, "\033[1;31m");
	if (idle)
		buf_addf(out, "%s is up to date", target ? target : "everything");
	else
		buf_addf(out, "%s%s%s",
		         e->interrupted ? "interrupted"
		         : failed       ? "failed"
		                        : "built",
		         target ? " " : "", target ? target : "");
	if (p->config.color && failed)
		buf_addz(out, "\033[0m");
	if (e->interrupted && p->total)
		buf_addf(out, ": %llu of %llu actions done", (unsigned long long)actions, (unsigned long long)p->total);
	else if (!e->interrupted)
		buf_addf(out, ": %llu action%s", (unsigned long long)actions, actions == 1 ? "" : "s");
	const char *sep = " (";
	if (!idle) {
		add_part(out, &sep, c->ran, "compiled");
		add_part(out, &sep, c->cached, "cached");
		add_part(out, &sep, c->current, "current");
		add_part(out, &sep, c->failed, "failed");
		add_part(out, &sep, c->skipped, "skipped");
		if (sep[0] == ',')
			buf_addc(out, ')');
	}
	buf_addz(out, " in ");
	add_seconds(out, progress_elapsed(p->build_since_ns, e->at_ns));
	add_plural(out, c->errors, "error");
	add_plural(out, c->warnings, "warning");
	add_plural(out, c->style_warnings, "style-warning");
	buf_addc(out, '\n');
}

static void build_start(struct progress *p, const struct event *e)
{
	free(p->target);
	p->target = xmalloc(e->label.len + 1);
	if (e->label.len)
		memcpy(p->target, e->label.ptr, e->label.len);
	p->target[e->label.len] = 0;
	p->total = e->total;
	p->build_since_ns = e->at_ns;
	p->building = true;
}

static void build_finish(struct progress *p, const struct event *e)
{
	running_clear(&p->actions);
	running_clear(&p->phases);
	p->building = false;
	summary(p, e);
}

static void emit(struct event_sink *self, const struct event *e)
{
	struct progress *p = (struct progress *)self;
	switch (e->kind) {
	case EVENT_BUILD_START:
		build_start(p, e);
		break;
	case EVENT_BUILD_FINISH:
		build_finish(p, e);
		break;
	case EVENT_PHASE_START:
		running_add(&p->phases, e);
		break;
	case EVENT_PHASE_FINISH:
		phase_finish(p, e);
		break;
	case EVENT_TOTAL:
		p->total = e->total;
		note_work(p, e);
		break;
	case EVENT_ACTION_START:
		action_start(p, e);
		break;
	case EVENT_ACTION_FINISH:
		action_finish(p, e);
		break;
	case EVENT_DIAGNOSTIC:
		diagnostic(p, e->diagnostic);
		break;
	case EVENT_NOTE:
		note(p, e);
		break;
	case EVENT_STEP_START:
	case EVENT_STEP_FINISH:
	case EVENT_FORK:
		return;
	}
	if (!p->building && p->drawn && !progress_shows_status(p) && !p->lines.len)
		progress_hide(p);
	else
		progress_show(p);
}

/* ---- life ---- */

struct progress *progress_new(const struct progress_config *config)
{
	struct progress *p = xcalloc(1, sizeof(*p));
	p->sink.emit = emit;
	p->config = *config;
	return p;
}

void progress_free(struct progress *p)
{
	if (!p)
		return;
	progress_hide(p);
	running_clear(&p->actions);
	running_clear(&p->phases);
	vec_release(&p->actions);
	vec_release(&p->phases);
	buf_release(&p->lines);
	buf_release(&p->out);
	free(p->target);
	free(p);
}

struct event_sink *progress_sink(struct progress *p)
{
	return &p->sink;
}

struct progress_counts progress_counts(const struct progress *p)
{
	return p->counts;
}

bool progress_is_terminal(int fd)
{
	const char *term = getenv("TERM");
	return isatty(fd) && term && *term && strcmp(term, "dumb") != 0;
}
