/* The passes of a build: take what the store has, then run what is left, most urgent first. */
#include <stdlib.h>

#include "build/build.h"
#include "build/snapshots.h"
#include "build/standby.h"
#include "build/urgency.h"
#include "graph/headers.h"
#include "graph/spine.h"
#include "os/clock.h"
#include "os/fs.h"
#include "os/interrupt.h"

#define HEADER_TIMEOUT_MS  120000
/* Jobs that wait for an image under construction are passed over; looking at many of them is a waste. */
#define LOOK_AHEAD         64
/* Images that stand ready for leaves. */
#define MANY_PARKED        32
/* What a byte of source takes to compile where nothing is known. That is much for most files; but what others wait for
 * must not be taken lightly. */
#define NS_PER_BYTE        25000
/* Likewise a header. */
#define HEADER_NS_PER_BYTE 1000

void build_init(struct build *b, struct session *s, struct graph *g)
{
	*b = (struct build){.session = s, .graph = g};
	if (s->options.headers)
		CHECK(graph_add_headers(g, NULL));
	b->units = xcalloc(g->actions.len + 1, sizeof(*b->units));
	b->family = xmalloc((g->systems.len + 1) * sizeof(*b->family));
	StrVec prefixes = {0};
	struct map seen = {0};
	for (size_t i = 0; i < g->systems.len; i++) {
		struct str name = g->systems.ptr[i].name;
		struct str primary = str_slice(name, 0, str_find(name, '/'));
		uint64_t number = i;
		if (map_add(&seen, primary, i, &number))
			vec_push(&prefixes, primary);
		b->family[i] = (uint32_t)number;
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
	if (b->session)
		scratches_release(&b->scratches, b->session->store);
	if (b->have_images)
		image_tree_release(&b->images);
	for (size_t i = 0; b->units && i < b->graph->actions.len; i++)
		if (b->units[i].request)
			buf_release(&b->units[i].request->act);
	free(b->units);
	free(b->family);
	suspects_release(&b->suspects);
	map_release(&b->durations);
	map_release(&b->previous);
	map_release(&b->step_failures);
	rows_release(b);
	vec_release(&b->edited);
	vec_release(&b->bases);
	buf_release(&b->previous_text);
	buf_release(&b->replay);
	err_clear(&b->fatal);
	arena_release(&b->arena);
}

bool build_succeeded(const struct build *b)
{
	return !b->failed && !b->skipped && b->fatal.kind == ERR_NONE && !b->session->findings.failures.len;
}

int build_exit_code(const struct build *b)
{
	return err_exit_code(b->wrong_input == b->failed ? ERR_USER : ERR_ACTION);
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

void run_fail(struct build *b, action_id id, struct err *err)
{
	struct unit *u = &b->units[id];
	struct buf text = {0};
	err_format(err, &text);
	report_failure(b, id, "other", "%.*s", (int)text.len, text.ptr);
	buf_release(&text);
	b->wrong_input += err->kind == ERR_USER;
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
		bool found = false;
		if (why.kind == ERR_NONE && unit_find(b, id, &found, &why) && found) {
			if (lax_suspects(b, id, u->undefined)) {
				suspects_set_aside(b, id);
				continue;
			}
			if (unit_place(b, id, &hit, &why) && hit) {
				run_end_known(b, id);
				continue;
			}
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

/* Units that are known to need more than they declare get it at once. */
static bool resolve_all(struct build *b, U32Vec *ret_open, struct err *err)
{
	for (bool changed = true; changed;) {
		vec_clear(ret_open);
		changed = false;
		if (!resolve(b, ret_open, &changed, err) || !suspects_resolve(b, ret_open, &changed, err))
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

uint64_t build_expected_ns(struct build *b, action_id id)
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

void run_emit_total(struct build *b)
{
	struct event e = {.kind = EVENT_TOTAL, .at_ns = clock_mono_ns(), .total = b->again};
	for (size_t i = 0; i < b->graph->actions.len; i++)
		e.total += action_kind_is_task(b->graph->actions.ptr[i].kind);
	e.remaining_ns = build_left_ns(b);
	event_emit(b->session->sink, &e);
}

void run_end(struct build *b, action_id id, bool ok)
{
	struct unit *u = &b->units[id];
	sched_done(b->sched, id, ok);
	suspects_ended(b, id);
	standby_release(b, id);
	count_end(b, u);
	if (!u->reported)
		report_finish(b, id);
	if (u->scratch)
		scratch_give_back(&b->scratches, u->scratch, ok && graph_action(b->graph, id)->kind == ACTION_COMPILE);
	u->scratch = NULL;
	if (u->request)
		buf_release(&u->request->act);
}

void run_end_known(struct build *b, action_id id)
{
	count_end(b, &b->units[id]);
	report_finish(b, id);
}

/* A header's record is there, or it has become a load. Nobody waits to hear of it. */
void run_end_quietly(struct build *b, action_id id, bool ok)
{
	b->units[id].ended = true;
	sched_done(b->sched, id, ok);
}

bool action_is_header(const struct build *b, action_id id)
{
	return id != NO_ID && graph_action(b->graph, id)->kind == ACTION_HEADER;
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
	if (!u->request)
		u->request = arena_new(&b->arena, struct unit_request);
	if (graph_action(b->graph, id)->kind == ACTION_HEADER) {
		u->request->job = (struct pool_job){.node = b->images.node_of[id],
		                                    .label = graph_action(b->graph, id)->label,
		                                    .timeout_ms = header_timeout_ms(s),
		                                    .visit = true,
		                                    .done = answer_header,
		                                    .ctx = u};
		return true;
	}
	if (!u->scratch && !scratch_take(&b->scratches, s->store, &b->arena, &u->scratch, err))
		return false;
	buf_clear(&u->request->act);
	lisp_act_text(&s->rules, b->graph, graph_action(b->graph, id), s->out_dir, u->scratch,
	              u->lax ? u->missed : STR(""), &u->request->act);
	u->request->job = (struct pool_job){.node = b->images.node_of[id],
	                                    .act = buf_str(&u->request->act),
	                                    .label = graph_action(b->graph, id)->label,
	                                    .timeout_ms = s->options.timeout_s * 1000,
	                                    .done = answer_compile,
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
	if (action_is_header(b, id))
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
		run_end_quietly(b, id, true);
		return true;
	}
	if (graph_action(b->graph, id)->kind == ACTION_HEADER && !u->prepared) {
		enum header_found found;
		if (!unit_dependencies(b, id, err) || !header_lookup(b, id, &found, err))
			return false;
		if (found == HEADER_REFUSED && replan_widen_header(b, id))
			return true;
		if (found != HEADER_UNKNOWN)
			image_tree_settle(&b->images, b->images.node_of[id]);
		if (found == HEADER_KNOWN) {
			run_end_quietly(b, id, true);
			return true;
		}
		if (found == HEADER_REFUSED || found == HEADER_SLOW) {
			replan_refuse_header(b, id, found == HEADER_SLOW);
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
		run_fail(b, id, &why);
		run_end(b, id, false);
		return true;
	}
	if (!hit && !u->prepared) {
		if (!recall(b, id, err))
			return false;
		if (u->wants_lax || u->wants_fasls) {
			image_tree_settle(&b->images, b->images.node_of[id]);
			if (u->wants_fasls ? replan_fasls(b, id) : replan_widen(b, id))
				return true;
			image_tree_unsettle(&b->images, b->images.node_of[id]);
		}
	}
	if (hit) {
		if (!header_note_classic(b, id, err))
			return false;
		image_tree_settle(&b->images, b->images.node_of[id]);
		if (suspects_hold(b, id))
			sched_start(b->sched, id);
		else
			answer_judged(b, id, true);
		return true;
	}
	if (!u->prepared && !replay_prepare(b, id, err))
		return false;
	u->prepared = true;
	if (action_is_header(b, id) && b->session->pool && replan_stray(b, id))
		return true;
	u->request->job.node = b->images.node_of[id]; /* it may have moved since it was prepared */
	action_id missing = missing_on_way(b, id);
	if (action_is_header(b, missing) && sched_state(b->sched, missing) == SCHED_READY)
		return start_one(b, missing, ret_started, err); /* as urgent as what waits for it */
	node_id node = u->request->job.node;
	if (missing == NO_ID && pool_lacks_root(b->session->pool, node))
		return session_pool(b->session, err); /* and looked at again: things may have happened meanwhile */
	*ret_started =
	        (missing == NO_ID && pool_can_start(b->session->pool, node)) || pool_is_doomed(b->session->pool, node);
	if (!*ret_started)
		return true;
	sched_start(b->sched, id);
	b->running++;
	if (!u->event_id && u->request->job.done == answer_compile)
		emit_start(b, id);
	if (pool_start(b->session->pool, &u->request->job) == POOL_BUSY)
		BUG("an image that was free is busy");
	return true;
}

/* A header may be on its way beside the jobs: the images that these wait for come from there, and half of the time it
 * waits for leaves to be forked from it. With one job there is nothing beside. Where many images stand already and it
 * can wait, it does: the more processes there are, the longer each fork takes. */
static bool has_slot(const struct build *b, action_id id)
{
	uint32_t jobs = b->session->options.jobs, beside = 0;
	for (size_t i = 0; jobs > 1 && !beside && i < sched_running(b->sched); i++)
		beside = action_is_header(b, sched_running_at(b->sched, i));
	if (b->running < jobs + beside)
		return true;
	return jobs > 1 && !beside && action_is_header(b, id) &&
	       !(sched_can_wait(b->sched, id) && pool_parked(b->session->pool) >= MANY_PARKED);
}

/* Where a step has failed, all that are ready with images that hold it fail now, and get other images together: one
 * after the other, each would make for itself what these have in common. */
static bool start_doomed(struct build *b, struct err *err)
{
	b->any_doomed = false;
	for (size_t i = 0; i < b->graph->actions.len && b->fatal.kind == ERR_NONE; i++) {
		node_id node = b->images.node_of[i];
		bool started;
		if (b->graph->actions.ptr[i].kind == ACTION_COMPILE && node != UINT32_MAX &&
		    sched_state(b->sched, (action_id)i) == SCHED_READY && pool_is_doomed(b->session->pool, node) &&
		    !start_one(b, (action_id)i, &started, err))
			return false;
	}
	return true;
}

static bool fill_slots(struct build *b, struct err *err)
{
	size_t i = 0, seen = 0;
	while (b->running <= b->session->options.jobs && seen < LOOK_AHEAD && !b->stop && b->fatal.kind == ERR_NONE) {
		action_id id = sched_peek(b->sched, i);
		if (id == NO_ID)
			return true;
		bool started = false;
		if (has_slot(b, id) && !start_one(b, id, &started, err))
			return false;
		/* Any number of headers that nobody needs may stand before what is to be started. */
		seen = started ? 0 : seen + !is_unneeded(b, id);
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
		if (b->urgency_stale)
			urgency_tell(b);
		if ((b->any_doomed && !start_doomed(b, err)) || !fill_slots(b, err))
			return false;
		if (b->suspects.any_due) {
			suspects_judge(b, false);
			continue;
		}
		if (b->fatal.kind != ERR_NONE) {
			err_move(err, &b->fatal);
			return false;
		}
		bool waits = b->running || pool_starts(s->pool), finished = !b->running && (b->stop || is_finished(b));
		if ((finished || !waits) && b->suspects.waiting.len) {
			suspects_judge(b, true);
			continue;
		}
		if (finished)
			return true;
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

static void make_images(struct build *b, const U32Vec *open)
{
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

/* What no image holds is never made: it takes no time in the estimates, and makes nothing urgent. */
static void make_sched(struct build *b, const U32Vec *open)
{
	uint64_t *weights = xcalloc(b->graph->actions.len + 1, sizeof(*weights));
	for (size_t i = 0; i < open->len; i++)
		weights[open->ptr[i]] = is_unneeded(b, open->ptr[i]) ? 1 : build_expected_ns(b, open->ptr[i]);
	sched_free(b->sched);
	b->sched = sched_new(b->graph, weights, SCHED_EVENT);
	sched_jobs(b->sched, b->session->options.jobs);
	urgency_tell(b);
	free(weights);
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
		make_images(b, &open);
		make_sched(b, &open);
		standby_expect(b, &open);
		suspects_expect(b, &open);
		run_emit_total(b);
		ok = session_bare_pool(b->session, err);
		if (ok) {
			struct snapshots snapshots = {.build = b};
			*b->session->pool_graph = b->graph;
			pool_set_tree(b->session->pool, &b->images, b->graph);
			snapshots_use(&snapshots);
			ok = loop(b, err);
			if (ok)
				snapshots_leave(&snapshots);
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
