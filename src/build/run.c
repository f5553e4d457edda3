/* The passes of a build: take what the store has, then run what is left, most urgent first. */
#include <stdlib.h>

#include "build/build.h"
#include "graph/headers.h"
#include "graph/spine.h"
#include "os/clock.h"
#include "os/fs.h"
#include "os/interrupt.h"

#define MAX_ATTEMPTS       5
#define HEADER_TIMEOUT_MS  120000
/* Jobs that wait for an image under construction are passed over; looking at many of them is a waste. */
#define LOOK_AHEAD         64
/* Likewise a header. */
#define HEADER_NS_PER_BYTE 1000
/* What a byte of source takes to compile where nothing is known: the mean over Debian's systems. */
#define NS_PER_BYTE        25000

void build_init(struct build *b, struct session *s, struct graph *g)
{
	*b = (struct build){.session = s, .graph = g};
	if (s->options.headers)
		CHECK(graph_add_headers(g, NULL));
	b->units = xcalloc(g->actions.len + 1, sizeof(*b->units));
	StrVec prefixes = {0};
	struct map seen = {0};
	for (size_t i = 0; i < g->systems.len; i++) {
		struct str name = g->systems.ptr[i].name;
		struct str primary = str_slice(name, 0, str_find(name, '/'));
		if (map_add(&seen, primary, 0, NULL))
			vec_push(&prefixes, primary);
	}
	history_load(s->history, &b->arena, prefixes.ptr, prefixes.len, &b->durations);
	vec_release(&prefixes);
	map_release(&seen);
	record_load(b);
	struct map asked = {0};
	for (size_t i = 0; i < g->targets.len; i++)
		map_add(&asked, g->targets.ptr[i].name, 0, NULL);
	for (size_t i = 0; i < g->actions.len; i++) {
		const struct action *a = &g->actions.ptr[i];
		struct unit *u = &b->units[i];
		u->build = b;
		u->outcome = OUTCOME_SKIPPED;
		if (a->system == NO_ID)
			continue;
		const struct system *sys = graph_system(g, a->system);
		u->foreign = !str_has_prefix(sys->dir, str_from(s->options.directory));
		u->external = !map_has(&asked, sys->name) && u->foreign;
	}
	map_release(&asked);
}

void build_release(struct build *b)
{
	sched_free(b->sched);
	if (b->have_images)
		image_tree_release(&b->images);
	for (size_t i = 0; b->units && i < b->graph->actions.len; i++)
		buf_release(&b->units[i].act);
	free(b->units);
	map_release(&b->durations);
	map_release(&b->previous);
	map_release(&b->step_failures);
	map_release(&b->rows);
	vec_release(&b->row_digests);
	vec_release(&b->edited);
	vec_release(&b->records);
	buf_release(&b->previous_text);
	buf_release(&b->replay);
	err_clear(&b->fatal);
	arena_release(&b->arena);
}

bool build_succeeded(const struct build *b)
{
	return !b->failed && !b->skipped && b->fatal.kind == ERR_NONE;
}

static bool all_known(const struct build *b, const struct action *a)
{
	for (uint32_t d = 0; d < a->ndeps; d++)
		if (!b->units[a->deps[d]].known)
			return false;
	return true;
}

static void count_end(struct build *b, struct unit *u)
{
	u->ended = true;
	switch (u->outcome) {
	case OUTCOME_RAN:
		b->ran++;
		break;
	case OUTCOME_CACHED:
		b->cached++;
		break;
	case OUTCOME_CURRENT:
		b->current++;
		break;
	case OUTCOME_FAILED:
		b->failed++;
		break;
	case OUTCOME_SKIPPED:
		b->skipped++;
		break;
	}
}

static void fail_unit(struct build *b, action_id id, struct err *err)
{
	struct unit *u = &b->units[id];
	struct buf text = {0};
	err_format(err, &text);
	report_failure(b, id, "other", "%.*s", (int)text.len, text.ptr);
	buf_release(&text);
	err_clear(err);
	u->outcome = OUTCOME_FAILED;
	b->stop |= !b->session->options.keep_going;
}

/* What is on record of this unit's failures, with the image that it has now. */
static bool recall(struct build *b, action_id id, struct err *err)
{
	return !lax_allowed(b, id) || lax_recall(b, id, err);
}

/* Without a header in the image that it declares, a lax unit's is tried in a wider one. */
static bool resolve_header(struct build *b, action_id id, U32Vec *ret_open, bool *ret_changed, struct err *err)
{
	enum header_found found;
	if (!header_lookup(b, id, &found, err))
		return false;
	if (found == HEADER_UNKNOWN)
		vec_push(ret_open, id);
	if (found == HEADER_REFUSED || found == HEADER_SLOW) {
		if (found == HEADER_SLOW || !lax_widen_header(b, id))
			graph_refuse_header(b->graph, id, found == HEADER_SLOW);
		*ret_changed = true;
	}
	return true;
}

/* Takes from the store what it has, dependencies first; what it lacks, and all behind that, stays unknown.
 * *ret_changed: edges were added on the way. */
static bool resolve(struct build *b, U32Vec *ret_open, bool *ret_changed, struct err *err)
{
	for (size_t i = 0; i < b->graph->by_order.len; i++) {
		action_id id = b->graph->by_order.ptr[i];
		const struct action *a = graph_action(b->graph, id);
		struct unit *u = &b->units[id];
		if (u->ended)
			continue;
		bool task = action_kind_is_task(a->kind), hit = false;
		if (!all_known(b, a)) {
			if (action_kind_runs(a->kind))
				vec_push(ret_open, id);
			continue;
		}
		if (a->kind == ACTION_HEADER) {
			if (!resolve_header(b, id, ret_open, ret_changed, err))
				return false;
			continue;
		}
		struct err why = {0};
		if (!task && unit_inputs(b, id, &why)) {
			unit_contribute(b, id);
			continue;
		}
		if (why.kind == ERR_NONE && unit_lookup(b, id, &hit, &why) && hit) {
			if (lax_suspects(b, id, u->undefined)) {
				u->known = false;
				if (!lax_note(b, id, false, err))
					return false;
				vec_push(ret_open, id);
				continue;
			}
			count_end(b, u);
			report_finish(b, id);
			continue;
		}
		/* A missing source is told when its turn comes; anything else ends the build. */
		if (why.kind != ERR_NONE && why.kind != ERR_USER) {
			err_move(err, &why);
			return false;
		}
		if (why.kind == ERR_NONE && !recall(b, id, err))
			return false;
		err_clear(&why);
		vec_push(ret_open, id);
	}
	return true;
}

static bool is_pending(void *ctx, action_id id)
{
	const struct build *b = ctx;
	enum sched_state state = sched_state(b->sched, id);
	return state == SCHED_BLOCKED || state == SCHED_READY;
}

/* Units that are known to need more than they declare get it at once. */
static bool resolve_all(struct build *b, U32Vec *ret_open, struct err *err)
{
	for (bool changed = true; changed;) {
		vec_clear(ret_open);
		changed = false;
		if (!resolve(b, ret_open, &changed, err))
			return false;
		for (size_t i = 0; i < ret_open->len; i++) {
			bool widened = false;
			struct unit *u = &b->units[ret_open->ptr[i]];
			if (u->wants_fasls && graph_use_fasls(b->graph, ret_open->ptr[i])) {
				unit_try_again(b, ret_open->ptr[i]);
				changed = true;
			} else if (u->wants_lax) {
				lax_widen(b, ret_open->ptr[i], &widened);
				/* What it lacks has come with something else that was widened: its result will do. */
				if (!widened && u->ended) {
					unit_try_again(b, ret_open->ptr[i]);
					changed = true;
				}
			}
			changed |= widened;
		}
		if (changed && !graph_reorder(b->graph, err))
			return false;
	}
	return true;
}

static uint64_t expected_ns(struct build *b, action_id id)
{
	const struct action *a = graph_action(b->graph, id);
	uint64_t ns;
	if (map_get(&b->durations, a->label, &ns))
		return MAX(ns, 1);
	struct file_sig sig = {0};
	if (a->ninputs && a->inputs[0].producer == NO_ID)
		fs_stat(str_dupz(&b->arena, a->inputs[0].path), &sig, NULL);
	return a->kind == ACTION_HEADER ? 1000000 + sig.size * HEADER_NS_PER_BYTE : 5000000 + sig.size * NS_PER_BYTE;
}

uint64_t build_left_ns(const struct build *b)
{
	if (!b->sched)
		return 0;
	int64_t now = clock_mono_ns();
	uint64_t all = sched_remaining_ns(b->sched), longest = sched_ready_critical_ns(b->sched);
	for (size_t i = 0; i < sched_running(b->sched); i++) {
		action_id id = sched_running_at(b->sched, i);
		int64_t started = b->units[id].started_ns;
		uint64_t gone = started && now > started ? (uint64_t)(now - started) : 0;
		gone = MIN(gone, sched_weight(b->sched, id));
		all -= gone;
		longest = MAX(longest, sched_priority(b->sched, id) - gone);
	}
	return MAX(all / MAX(b->session->options.jobs, 1), longest);
}

static void emit_total(struct build *b)
{
	struct event e = {.kind = EVENT_TOTAL, .at_ns = clock_mono_ns()};
	for (size_t i = 0; i < b->graph->actions.len; i++)
		e.total += action_kind_is_task(b->graph->actions.ptr[i].kind);
	e.remaining_ns = build_left_ns(b);
	event_emit(b->session->sink, &e);
}

static void end_in_sched(struct build *b, action_id id, bool ok)
{
	struct unit *u = &b->units[id];
	sched_done(b->sched, id, ok);
	count_end(b, u);
	report_finish(b, id);
	if (u->scratch)
		fs_remove_tree(u->scratch, NULL);
	u->scratch = NULL;
}

/* A header's record is there, or it has become a load. Nobody waits to hear of it. */
static void end_quietly(struct build *b, action_id id, bool ok)
{
	b->units[id].ended = true;
	sched_done(b->sched, id, ok);
}

static bool is_ok(const struct sexp *acted)
{
	return sexp_is_keyword(sexp_getf(acted, 1, "status"), "ok");
}

/* Headers whose way has changed get their new places: those behind a file that gets no header leave the spine. */
static void move_headers(struct build *b)
{
	U32Vec headers = {0};
	CHECK(graph_reorder(b->graph, NULL));
	sched_refresh(b->sched);
	for (size_t i = 0; i < b->graph->actions.len; i++)
		if (b->graph->actions.ptr[i].kind == ACTION_HEADER && is_pending(b, (action_id)i) &&
		    b->images.needed[i]) {
			vec_push(&headers, (uint32_t)i);
			b->units[i].prepared = false;
		}
	spine_place(&b->images, headers.ptr, headers.len);
	pool_tree_grew(b->session->pool);
	vec_release(&headers);
}

/* The unit waits for what precedes it, and gets it into its image. */
static bool widen(struct build *b, action_id id)
{
	bool changed;
	lax_widen(b, id, &changed);
	if (!changed)
		return false;
	if (!sched_wait(b->sched, id)) {
		b->units[id].outcome = OUTCOME_SKIPPED;
		return true;
	}
	action_id header = graph_header_of(b->graph, id);
	if (header != NO_ID && is_pending(b, graph_action(b->graph, header)->load_of))
		sched_wait(b->sched, graph_action(b->graph, header)->load_of);
	image_tree_widen(&b->images, id, is_pending, b);
	move_headers(b);
	return true;
}

/* The unit waits for the FASLs that it needs, and for an image of these. */
static bool use_fasls(struct build *b, action_id id)
{
	if (!graph_use_fasls(b->graph, id))
		return false;
	unit_try_again(b, id);
	if (sched_wait(b->sched, id)) {
		image_tree_widen(&b->images, id, is_pending, b);
		move_headers(b);
	} else {
		b->units[id].outcome = OUTCOME_SKIPPED;
	}
	return true;
}

/* What the Lisp said of it; that may be less than an error. */
static void tell_failure(struct build *b, action_id id)
{
	uint64_t told = b->errors;
	report_diagnostics(b, id, b->units[id].diagnostics, false);
	if (b->errors == told)
		report_failure(b, id, "other", "it failed, and the Lisp gives no error");
}

enum verdict { VERDICT_DONE, VERDICT_FAILED, VERDICT_AGAIN, VERDICT_WIDEN, VERDICT_FASLS };

static enum verdict judge_failed(struct build *b, action_id id, const struct sexp *acted)
{
	struct unit *u = &b->units[id];
	struct buf diags = {0};
	const struct sexp *d = sexp_getf(acted, 1, "diagnostics");
	if (d)
		sexp_print(d, &diags);
	u->diagnostics = str_dup(&b->arena, buf_str(&diags));
	buf_release(&diags);
	if (str_search(u->diagnostics, STR("No space left on device")) < u->diagnostics.len) {
		err_set(&b->fatal, ERR_ENVIRONMENT, "no space left on device: \"%.*s\" could not be compiled",
		        STR_ARG(graph_action(b->graph, id)->label));
		err_note(&b->fatal, "free some space in \"%s\"; `tenon cache gc` removes what was not used for long",
		         b->session->store_dir);
		return VERDICT_FAILED;
	}
	/* What lacks names will lack them among FASLs, too. */
	if (header_may_use_fasls(b, id) && !(lax_allowed(b, id) && lax_misses_names(b, id)) &&
	    header_note_classic(b, id, &b->fatal))
		return VERDICT_FASLS;
	if (lax_allowed(b, id) && lax_note(b, id, true, &b->fatal))
		return VERDICT_WIDEN;
	tell_failure(b, id);
	return VERDICT_FAILED;
}

static struct str undefined_names(struct build *b, const struct sexp *acted)
{
	const struct sexp *list = sexp_getf(acted, 1, "undefined");
	struct buf text = {0};
	if (list && list->kind == SEXP_LIST)
		sexp_print(list, &text);
	struct str names = str_dup(&b->arena, buf_str(&text));
	buf_release(&text);
	return names;
}

static enum verdict judge_acted(struct build *b, action_id id, const struct sexp *acted)
{
	struct err err = {0};
	bool again = false;
	if (!is_ok(acted))
		return judge_failed(b, id, acted);
	struct str undefined = undefined_names(b, acted);
	if (lax_suspects(b, id, undefined) && lax_note(b, id, false, &b->fatal))
		return VERDICT_WIDEN;
	if (unit_accept(b, id, acted, &again, &err))
		return again ? VERDICT_AGAIN : VERDICT_DONE;
	if (err.kind == ERR_ENVIRONMENT || err.kind == ERR_BUG)
		err_move(&b->fatal, &err);
	else
		fail_unit(b, id, &err);
	return VERDICT_FAILED;
}

static enum verdict judge(struct build *b, action_id id, struct str text)
{
	struct arena a = {0};
	struct sexp *list;
	struct err err = {0};
	enum verdict v = VERDICT_FAILED;
	if (!sexp_read(&a, STR("<driver>"), text, SEXP_LISP, &list, &err))
		fail_unit(b, id, &err);
	else if (list->len == 1 && list->items[0]->len && sexp_is_keyword(list->items[0]->items[0], "acted"))
		v = judge_acted(b, id, list->items[0]);
	else
		report_failure(b, id, "other", "the driver's answer is not understood: %.*s",
		               (int)MIN(text.len, (size_t)300), text.ptr);
	arena_release(&a);
	return v;
}

static void on_acted(struct build *b, action_id id, const struct pool_result *r)
{
	struct unit *u = &b->units[id];
	enum verdict v = judge(b, id, r->text);
	b->running--;
	if (v == VERDICT_AGAIN && ++u->attempts < MAX_ATTEMPTS) {
		u->prepared = false;
		image_tree_unsettle(&b->images, b->images.node_of[id]);
		sched_again(b->sched, id);
		return;
	}
	if (v == VERDICT_FASLS) {
		if (use_fasls(b, id))
			return;
		tell_failure(b, id);
	}
	if (v == VERDICT_WIDEN) {
		if (widen(b, id) || use_fasls(b, id))
			return;
		tell_failure(b, id);
	}
	if (v == VERDICT_AGAIN)
		report_failure(b, id, "other", "its source changes faster than it can be compiled");
	if (v == VERDICT_DONE)
		report_diagnostics(b, id, u->diagnostics, false);
	else
		u->outcome = OUTCOME_FAILED;
	end_in_sched(b, id, v == VERDICT_DONE);
	b->stop |= v != VERDICT_DONE && !b->session->options.keep_going;
}

static void report_step_failure(struct build *b, action_id id, const struct pool_result *r)
{
	action_id *key = arena_new(&b->arena, action_id);
	*key = r->step;
	struct str step = graph_action(b->graph, r->step)->label;
	struct arena a = {0};
	struct sexp *list;
	if (map_add(&b->step_failures, str_n((const char *)key, sizeof(*key)), 0, NULL) &&
	    sexp_read(&a, STR("<driver>"), r->text, SEXP_LISP, &list, NULL) && list->len == 1) {
		struct buf diags = {0};
		buf_addc(&diags, '(');
		for (uint32_t i = 2; i < list->items[0]->len; i++)
			sexp_print(list->items[0]->items[i], &diags);
		buf_addc(&diags, ')');
		report_diagnostics(b, r->step, str_dup(&b->arena, buf_str(&diags)), false);
		buf_release(&diags);
	}
	report_failure(b, id, "load", "\"%.*s\" could not be carried out in its image", STR_ARG(step));
	arena_release(&a);
}

/* The header, which has a place in the tree, waits for what it lacks. */
static bool widen_header(struct build *b, action_id id)
{
	if (!lax_widen_header(b, id))
		return false;
	b->units[id].prepared = false;
	pool_forget_failures(b->session->pool);
	if (!sched_wait(b->sched, id))
		b->units[id].ended = true;
	image_tree_widen(&b->images, id, is_pending, b);
	move_headers(b);
	return true;
}

/* The file gets no header: its FASL takes the header's place. */
static void refuse_header(struct build *b, action_id id, bool slow)
{
	b->units[id].prepared = false;
	graph_refuse_header(b->graph, id, slow);
	pool_forget_failures(b->session->pool);
	if (!sched_wait(b->sched, id))
		b->units[id].ended = true;
	if (slow)
		image_tree_replace(&b->images, id, is_pending, b);
	move_headers(b);
}

/* What failed on the spine may do well where less is in the image. */
static void set_apart(struct build *b, action_id id, const struct pool_result *r)
{
	struct action *a = graph_action(b->graph, id);
	struct str step = r->step == NO_ID ? a->label : graph_action(b->graph, r->step)->label;
	session_note(b->session, NOTE_DEBUG, "\"%.*s\" failed among all headers; \"%.*s\" is made apart", STR_ARG(step),
	             STR_ARG(a->label));
	a->apart = true;
	image_tree_unsettle(&b->images, b->images.node_of[id]);
	sched_again(b->sched, id);
	move_headers(b);
}

static void on_header_done(struct pool_job *job, const struct pool_result *r)
{
	struct unit *u = job->ctx;
	struct build *b = u->build;
	action_id id = (action_id)(u - b->units);
	bool accepted = false;
	b->running--;
	u->wall_ns = r->wall_ns;
	b->step_ns += r->wall_ns;
	if (r->outcome == POOL_ANSWERED && !header_accept(b, id, r->text, &accepted, &b->fatal))
		return;
	/* The driver lets the kernel end a header that computes for too long. */
	bool slow = r->outcome == POOL_TIMED_OUT ||
	            (r->outcome == POOL_CRASHED && str_search(r->text, STR("signal 26")) < r->text.len);
	/* Something that it depends on can't be had from headers. */
	bool below = r->outcome == POOL_STEP_FAILED && r->step != id;
	if (accepted) {
		history_note(b->session->history, graph_action(b->graph, id)->label, u->wall_ns);
		end_quietly(b, id, true);
	} else if (!slow && !graph_action(b->graph, id)->apart) {
		set_apart(b, id, r);
	} else {
		const char *why = slow                          ? "it computes for too long"
		                  : below                       ? "what it depends on gets none"
		                  : r->outcome == POOL_ANSWERED ? "the image tells nothing of it"
		                                                : "making it ends the process";
		if (!header_note_refused(b, id, slow || below, r->text, why, &b->fatal))
			return;
		image_tree_unsettle(&b->images, b->images.node_of[id]);
		if (slow || below || !widen_header(b, id)) {
			image_tree_settle(&b->images, b->images.node_of[id]);
			refuse_header(b, id, slow || below);
		}
	}
}

static bool is_header(const struct build *b, action_id id)
{
	return id != NO_ID && graph_action(b->graph, id)->kind == ACTION_HEADER;
}

static void on_done(struct pool_job *job, const struct pool_result *r)
{
	struct unit *u = job->ctx;
	struct build *b = u->build;
	action_id id = (action_id)(u - b->units);
	u->wall_ns = r->wall_ns;
	u->step_ns = r->step_ns;
	b->step_ns += r->step_ns;
	if (r->outcome == POOL_ANSWERED) {
		on_acted(b, id, r);
		return;
	}
	bool headers = r->outcome == POOL_CRASHED || r->outcome == POOL_STEP_FAILED;
	if (headers && header_may_use_fasls(b, id) && header_note_classic(b, id, &b->fatal)) {
		session_note(b->session, NOTE_DEBUG, "\"%.*s\" can't be compiled among headers; trying FASLs",
		             STR_ARG(graph_action(b->graph, id)->label));
		b->running--;
		use_fasls(b, id);
		return;
	}
	switch (r->outcome) {
	case POOL_STEP_FAILED:
		report_step_failure(b, id, r);
		break;
	case POOL_TIMED_OUT:
		report_failure(b, id, "timeout", "it did not end within %u s (--timeout gives it more)",
		               b->session->options.timeout_s);
		break;
	default:
		report_failure(b, id, "crash", "the Lisp process that compiled it died: %.*s", STR_ARG(r->text));
		break;
	}
	b->running--;
	u->outcome = OUTCOME_FAILED;
	end_in_sched(b, id, false);
	b->stop |= !b->session->options.keep_going;
}

/* The driver bounds what a header may compute, not how long it may wait: for input, for another process. */
static unsigned header_timeout_ms(const struct session *s)
{
	unsigned timeout = s->options.timeout_s * 1000;
	return timeout && timeout < HEADER_TIMEOUT_MS ? timeout : HEADER_TIMEOUT_MS;
}

static bool prepare(struct build *b, action_id id, struct err *err)
{
	struct unit *u = &b->units[id];
	struct session *s = b->session;
	if (graph_action(b->graph, id)->kind == ACTION_HEADER) {
		u->job = (struct pool_job){.node = b->images.node_of[id],
		                           .label = graph_action(b->graph, id)->label,
		                           .timeout_ms = header_timeout_ms(s),
		                           .visit = true,
		                           .done = on_header_done,
		                           .ctx = u};
		return true;
	}
	if (!u->scratch && !store_scratch(s->store, &b->arena, &u->scratch, err))
		return false;
	buf_clear(&u->act);
	lisp_act_text(&s->rules, b->graph, graph_action(b->graph, id), s->out_dir, u->scratch,
	              u->lax ? u->missed : STR(""), &u->act);
	u->job = (struct pool_job){.node = b->images.node_of[id],
	                           .act = buf_str(&u->act),
	                           .label = graph_action(b->graph, id)->label,
	                           .timeout_ms = s->options.timeout_s * 1000,
	                           .done = on_done,
	                           .ctx = u};
	return true;
}

static void emit_start(struct build *b, action_id id)
{
	struct unit *u = &b->units[id];
	u->started_ns = clock_mono_ns();
	u->event_id = b->session->next_id++;
	u->reason = record_reason(b, id);
	struct event e = {.kind = EVENT_ACTION_START,
	                  .id = u->event_id,
	                  .at_ns = u->started_ns,
	                  .label = graph_action(b->graph, id)->label,
	                  .reason = u->reason};
	event_emit(b->session->sink, &e);
}

/* True if the step can be carried out, or will never be. What a widened file got into its images beyond its
 * declarations is no dependency of what depends on that file: it may still be on its way. */
static bool step_is_there(const struct build *b, action_id step)
{
	const struct action *a = graph_action(b->graph, step);
	if (a->kind == ACTION_HEADER)
		return b->units[step].known || b->units[step].ended;
	for (uint32_t i = 0; a->kind == ACTION_LOAD && i < a->ninputs; i++)
		if (a->inputs[i].producer != NO_ID && !b->units[a->inputs[i].producer].ended)
			return false;
	return true;
}

/* A header's record is told by the first image that has it: the headers on the way to this action's image must have
 * told theirs. The first that has not, or NO_ID. */
static action_id missing_on_way(const struct build *b, action_id id)
{
	node_id root = 0, at = b->images.node_of[id];
	action_id missing = NO_ID;
	if (b->stuck)
		return NO_ID;
	if (is_header(b, id))
		at = b->images.nodes.ptr[at].parent;
	for (; at != root && !pool_has_image(b->session->pool, at); at = b->images.nodes.ptr[at].parent)
		if (!step_is_there(b, b->images.nodes.ptr[at].step))
			missing = b->images.nodes.ptr[at].step;
	return missing;
}

/* A header that no image holds tells what nobody asks. */
static bool is_unneeded(const struct build *b, action_id id)
{
	return graph_action(b->graph, id)->header_side && !b->images.needed[id];
}

/* Starts one ready action. *ret_started false: it waits for an image, or for somebody who needs it. */
static bool start_one(struct build *b, action_id id, bool *ret_started, struct err *err)
{
	struct unit *u = &b->units[id];
	struct err why = {0};
	bool hit = false;
	*ret_started = !is_unneeded(b, id);
	if (!*ret_started)
		return true;
	if (!action_kind_runs(graph_action(b->graph, id)->kind)) {
		/* A load that was to be a header: it will be carried out where it is needed. */
		if (!unit_dependencies(b, id, err) || !unit_inputs(b, id, err))
			return false;
		unit_contribute(b, id);
		end_quietly(b, id, true);
		return true;
	}
	if (graph_action(b->graph, id)->kind == ACTION_HEADER && !u->prepared) {
		enum header_found found;
		if (!unit_dependencies(b, id, err) || !header_lookup(b, id, &found, err))
			return false;
		if (found == HEADER_REFUSED && widen_header(b, id))
			return true;
		if (found != HEADER_UNKNOWN)
			image_tree_settle(&b->images, b->images.node_of[id]);
		if (found == HEADER_KNOWN) {
			end_quietly(b, id, true);
			return true;
		}
		if (found == HEADER_REFUSED || found == HEADER_SLOW) {
			refuse_header(b, id, found == HEADER_SLOW);
			return true;
		}
		u->prepared = prepare(b, id, err);
	}
	if (!u->prepared &&
	    (!unit_dependencies(b, id, &why) || !unit_lookup(b, id, &hit, &why) || (!hit && !prepare(b, id, &why)))) {
		if (why.kind == ERR_ENVIRONMENT || why.kind == ERR_BUG) {
			err_move(err, &why);
			return false;
		}
		image_tree_settle(&b->images, b->images.node_of[id]);
		fail_unit(b, id, &why);
		end_in_sched(b, id, false);
		return true;
	}
	if (!hit && !u->prepared) {
		if (!recall(b, id, err))
			return false;
		if (u->wants_lax || u->wants_fasls) {
			image_tree_settle(&b->images, b->images.node_of[id]);
			if (u->wants_fasls ? use_fasls(b, id) : widen(b, id))
				return true;
			image_tree_unsettle(&b->images, b->images.node_of[id]);
		}
	}
	if (hit) {
		image_tree_settle(&b->images, b->images.node_of[id]);
		report_diagnostics(b, id, u->diagnostics, true);
		end_in_sched(b, id, true);
		return true;
	}
	u->prepared = true;
	u->job.node = b->images.node_of[id]; /* it may have moved since it was prepared */
	action_id missing = missing_on_way(b, id);
	if (is_header(b, missing) && sched_state(b->sched, missing) == SCHED_READY)
		return start_one(b, missing, ret_started, err); /* as urgent as what waits for it */
	*ret_started = missing == NO_ID && pool_can_start(b->session->pool, u->job.node);
	if (!*ret_started)
		return true;
	sched_start(b->sched, id);
	b->running++;
	if (!u->event_id && graph_action(b->graph, id)->kind != ACTION_HEADER)
		emit_start(b, id);
	if (pool_start(b->session->pool, &u->job) == POOL_BUSY)
		BUG("an image that was free is busy");
	return true;
}

static bool fill_slots(struct build *b, struct err *err)
{
	size_t i = 0;
	while (b->running < b->session->options.jobs && i < LOOK_AHEAD && !b->stop && b->fatal.kind == ERR_NONE) {
		action_id id = sched_peek(b->sched, i);
		if (id == NO_ID)
			return true;
		bool started;
		if (!start_one(b, id, &started, err))
			return false;
		i = started ? 0 : i + 1;
	}
	return true;
}

static bool is_finished(struct build *b)
{
	action_id id;
	for (size_t i = 0; (id = sched_peek(b->sched, i)) != NO_ID; i++)
		if (!is_unneeded(b, id))
			return false;
	return true;
}

static bool loop(struct build *b, struct err *err)
{
	struct session *s = b->session;
	for (;;) {
		if (!interrupt_check(err))
			return false;
		if (!fill_slots(b, err))
			return false;
		if (b->fatal.kind != ERR_NONE) {
			err_move(err, &b->fatal);
			return false;
		}
		if (!b->running && (b->stop || is_finished(b)))
			return true;
		bool waits = b->running || pool_starts(s->pool);
		if (!waits && !b->stuck) {
			/* Each waits for a record or a FASL that comes from another one: widened files can do that. The
			 * most urgent one goes without. */
			b->stuck = true;
			continue;
		}
		if (!waits)
			BUG("ready actions, and none of them can start");
		b->stuck = false;
		pool_trim(s->pool);
		loop_run_once(s->loop, true);
	}
}

static void make_sched(struct build *b, const U32Vec *open)
{
	uint64_t *weights = xcalloc(b->graph->actions.len + 1, sizeof(*weights));
	for (size_t i = 0; i < open->len; i++)
		weights[open->ptr[i]] = expected_ns(b, open->ptr[i]);
	sched_free(b->sched);
	b->sched = sched_new(b->graph, weights, SCHED_EVENT);
	free(weights);
	if (b->have_images)
		image_tree_release(&b->images);
	U32Vec tasks = {0}, headers = {0};
	for (size_t i = 0; i < open->len; i++)
		if (graph_action(b->graph, open->ptr[i])->kind != ACTION_HEADER)
			vec_push(&tasks, open->ptr[i]);
	image_tree_build(&b->images, b->graph, tasks.ptr, tasks.len);
	for (size_t i = 0; i < open->len; i++)
		if (graph_action(b->graph, open->ptr[i])->kind == ACTION_HEADER && b->images.needed[open->ptr[i]])
			vec_push(&headers, open->ptr[i]);
	spine_place(&b->images, headers.ptr, headers.len);
	b->have_images = true;
	vec_release(&tasks);
	vec_release(&headers);
}

/* `tell`: not where the build itself was ended. */
static void count_skipped(struct build *b, const U32Vec *open, bool tell)
{
	for (size_t i = 0; i < open->len; i++)
		if (!b->units[open->ptr[i]].ended && action_kind_is_task(graph_action(b->graph, open->ptr[i])->kind)) {
			count_end(b, &b->units[open->ptr[i]]);
			if (tell)
				report_finish(b, open->ptr[i]);
		}
}

/* One pass over what is not known yet. */
static bool run_pass(struct build *b, struct err *err)
{
	U32Vec open = {0};
	bool ok = resolve_all(b, &open, err), tasks = false;
	for (size_t i = 0; i < open.len; i++)
		tasks |= action_kind_is_task(graph_action(b->graph, open.ptr[i])->kind);
	if (ok && tasks) {
		make_sched(b, &open);
		emit_total(b);
		ok = session_pool(b->session, err);
		if (ok) {
			*b->session->pool_graph = b->graph;
			pool_set_tree(b->session->pool, &b->images, b->graph);
			ok = loop(b, err);
			pool_trim(b->session->pool);
		}
		count_skipped(b, &open, ok);
	}
	vec_release(&open);
	return ok;
}

/* Steps that no image of this build had. */
static bool contribute_rest(struct build *b, struct err *err)
{
	for (size_t i = 0; i < b->graph->by_order.len; i++) {
		action_id id = b->graph->by_order.ptr[i];
		const struct action *a = graph_action(b->graph, id);
		if (b->units[id].known || action_kind_runs(a->kind) || !all_known(b, a))
			continue;
		if (!unit_inputs(b, id, err))
			return false;
		unit_contribute(b, id);
	}
	return true;
}

bool build_run(struct build *b, struct err *err)
{
	bool ok = run_pass(b, err) && graph_reorder(b->graph, err) && contribute_rest(b, err) && settle_names(b, err);
	if (ok)
		report_silence(b);
	return ok;
}
