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

/* What a byte of source takes to compile where nothing is known. That is much for most files; but what others wait for
 * must not be taken lightly. */
#define NS_PER_BYTE        25000
/* Likewise a cons of an inline function's code, each time that it is called. */
#define NS_PER_INLINED     100000
/* Likewise a byte of a header's source. */
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

uint64_t build_expected_ns(struct build *b, action_id id)
{
	const struct action *a = graph_action(b->graph, id);
	uint64_t ns;
	if (map_get(&b->durations, a->label, &ns))
		return MAX(ns, 1);
	struct file_sig sig = {0};
	if (a->ninputs && a->inputs[0].producer == NO_ID)
		fs_stat(str_dupz(&b->arena, a->inputs[0].path), &sig, NULL);
	if (a->kind == ACTION_HEADER)
		return 1000000 + sig.size * HEADER_NS_PER_BYTE;
	uint64_t inlined = a->header != NO_ID ? b->units[a->header].inlined : 0;
	return 5000000 + sig.size * NS_PER_BYTE + inlined * NS_PER_INLINED;
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

static bool is_finished(struct build *b)
{
	action_id id;
	for (size_t i = 0; (id = sched_peek(b->sched, i)) != NO_ID; i++)
		if (!start_is_unneeded(b, id))
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
		if (!start_ready(b, err))
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
		weights[open->ptr[i]] = start_is_unneeded(b, open->ptr[i]) ? 1 : build_expected_ns(b, open->ptr[i]);
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

bool build_run(struct build *b, struct err *err)
{
	bool ok = run_pass(b, err) && graph_reorder(b->graph, err) && resolve_rest(b, err) && settle_names(b, err);
	if (ok)
		report_silence(b);
	return ok;
}
