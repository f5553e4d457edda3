/* Ready actions: looked up once more, and started where their images are or can be made. */
#include "build/build.h"
#include "os/clock.h"

#define HEADER_TIMEOUT_MS 120000
/* Jobs that wait for an image under construction are passed over; looking at many of them is a waste. */
#define LOOK_AHEAD        64
/* Images that stand ready for leaves. */
#define MANY_PARKED       32

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
	struct lisp_act act = {.out_root = s->out_dir,
	                       .scratch = u->scratch,
	                       .names = u->lax ? u->missed : STR(""),
	                       .plain = u->plain};
	lisp_act_text(&s->rules, b->graph, graph_action(b->graph, id), &act, &u->request->act);
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

bool start_is_unneeded(const struct build *b, action_id id)
{
	return graph_action(b->graph, id)->header_side && !b->images.needed[id];
}

/* A load that was to be a header: it will be carried out where it is needed. */
static bool end_load(struct build *b, action_id id, struct err *err)
{
	if (!unit_dependencies(b, id, err) || !unit_inputs(b, id, err))
		return false;
	unit_contribute(b, id);
	run_end_quietly(b, id, true);
	return true;
}

/* *ret_done: there is nothing to start, its record is there or it has become something else. */
static bool look_up_header(struct build *b, action_id id, bool *ret_done, struct err *err)
{
	enum header_found found;
	if (!unit_dependencies(b, id, err) || !header_lookup(b, id, &found, err))
		return false;
	*ret_done = true;
	if (found == HEADER_REFUSED && replan_widen_header(b, id))
		return true;
	if (found == HEADER_UNKNOWN) {
		*ret_done = false;
		return prepare(b, id, err);
	}
	image_tree_settle(&b->images, b->images.node_of[id]);
	if (found == HEADER_KNOWN)
		run_end_quietly(b, id, true);
	else
		replan_refuse_header(b, id, found == HEADER_SLOW);
	return true;
}

/* The store has the result: another one came to the same image meanwhile. */
static bool end_found(struct build *b, action_id id, struct err *err)
{
	if (!header_note_classic(b, id, err))
		return false;
	image_tree_settle(&b->images, b->images.node_of[id]);
	if (suspects_hold(b, id))
		sched_start(b->sched, id);
	else
		answer_judged(b, id, true);
	return true;
}

/* Likewise of a compile. */
static bool look_up_compile(struct build *b, action_id id, bool *ret_done, struct err *err)
{
	struct unit *u = &b->units[id];
	struct err why = {0};
	bool hit = false;
	*ret_done = true;
	if (!unit_dependencies(b, id, &why) || !unit_lookup(b, id, &hit, &why) || (!hit && !prepare(b, id, &why))) {
		if (why.kind == ERR_ENVIRONMENT || why.kind == ERR_BUG) {
			err_move(err, &why);
			return false;
		}
		image_tree_settle(&b->images, b->images.node_of[id]);
		run_fail(b, id, &why);
		run_end(b, id, false);
		return true;
	}
	if (hit)
		return end_found(b, id, err);
	if (!lax_recall(b, id, err))
		return false;
	if (u->wants_lax || u->wants_fasls) {
		image_tree_settle(&b->images, b->images.node_of[id]);
		if (u->wants_fasls ? replan_fasls(b, id) : replan_widen(b, id))
			return true;
		image_tree_unsettle(&b->images, b->images.node_of[id]);
	}
	*ret_done = false;
	return replay_prepare(b, id, err);
}

static bool start_one(struct build *b, action_id id, bool *ret_moved, struct err *err);

/* Sends what is prepared to its image. *ret_moved false: it waits for that. */
static bool send(struct build *b, action_id id, bool *ret_moved, struct err *err)
{
	struct pool *pool = b->session->pool;
	struct unit *u = &b->units[id];
	node_id node = b->images.node_of[id]; /* it may have moved since it was prepared */
	action_id missing = missing_on_way(b, id);
	if (action_is_header(b, missing) && sched_state(b->sched, missing) == SCHED_READY)
		return start_one(b, missing, ret_moved, err); /* as urgent as what waits for it */
	if (missing == NO_ID && pool_lacks_root(pool, node))
		return session_pool(b->session, err); /* and looked at again: things may have happened meanwhile */
	*ret_moved = (missing == NO_ID && pool_can_start(pool, node)) || pool_is_doomed(pool, node);
	if (!*ret_moved)
		return true;
	sched_start(b->sched, id);
	b->running++;
	u->request->job.node = node;
	if (!u->event_id && u->request->job.done == answer_compile)
		emit_start(b, id);
	if (pool_start(pool, &u->request->job) == POOL_BUSY)
		BUG("an image that was free is busy");
	return true;
}

/* Takes a ready action as far as it goes now. *ret_moved false: it waits for an image, or for one that needs it. */
static bool start_one(struct build *b, action_id id, bool *ret_moved, struct err *err)
{
	struct unit *u = &b->units[id];
	bool header = action_is_header(b, id), done = false;
	*ret_moved = !start_is_unneeded(b, id);
	if (!*ret_moved)
		return true;
	if (!action_kind_runs(graph_action(b->graph, id)->kind))
		return end_load(b, id, err);
	if (!u->prepared) {
		if (!(header ? look_up_header : look_up_compile)(b, id, &done, err))
			return false;
		if (done)
			return true;
		u->prepared = true;
	}
	if (header && b->session->pool && replan_stray(b, id))
		return true;
	return send(b, id, ret_moved, err);
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
		bool moved;
		if (b->graph->actions.ptr[i].kind == ACTION_COMPILE && node != UINT32_MAX &&
		    sched_state(b->sched, (action_id)i) == SCHED_READY && pool_is_doomed(b->session->pool, node) &&
		    !start_one(b, (action_id)i, &moved, err))
			return false;
	}
	return true;
}

bool start_ready(struct build *b, struct err *err)
{
	if (b->any_doomed && !start_doomed(b, err))
		return false;
	size_t i = 0, seen = 0;
	while (b->running <= b->session->options.jobs && seen < LOOK_AHEAD && !b->stop && b->fatal.kind == ERR_NONE) {
		action_id id = sched_peek(b->sched, i);
		if (id == NO_ID)
			return true;
		bool moved = false;
		if (has_slot(b, id) && !start_one(b, id, &moved, err))
			return false;
		/* Any number of headers that nobody needs may stand before one that somebody waits for. */
		seen = moved ? 0 : seen + !start_is_unneeded(b, id);
		i = moved ? 0 : i + 1;
	}
	return true;
}
