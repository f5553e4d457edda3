/* The course of a build of targets: what the store has is taken, what is left runs, most urgent first. */
#include <stdlib.h>

#include "build/outputs.h"
#include "build/target_build.h"
#include "os/clock.h"
#include "os/fs.h"
#include "os/interrupt.h"
#include "store/lastbuild.h"

#define MAX_ATTEMPTS 5
/* Where nothing is known of an action. */
#define GUESS_NS     500000000

/* The scheduler's view: an action for each, with edges to the producers of its inputs. */
static void make_graph(struct target_build *b)
{
	struct graph *g = &b->graph;
	U32Vec deps = {0};
	for (size_t i = 0; i < b->analysis->actions.len; i++) {
		const struct target_action *t = &b->analysis->actions.ptr[i];
		vec_clear(&deps);
		for (size_t k = 0; k < t->inputs.len + t->after.len; k++) {
			action_id dep = k < t->inputs.len ? t->inputs.ptr[k].producer : t->after.ptr[k - t->inputs.len];
			bool there = dep == NO_ID;
			for (size_t d = 0; d < deps.len; d++)
				there |= deps.ptr[d] == dep;
			if (!there)
				vec_push(&deps, dep);
		}
		struct action a = {.kind = ACTION_OPAQUE, .label = t->label, .op = str_from(t->mnemonic)};
		a.system = NO_ID;
		a.ndeps = (uint32_t)deps.len;
		a.deps = arena_new_n(&g->arena, action_id, deps.len);
		if (deps.len)
			memcpy(a.deps, deps.ptr, deps.len * sizeof(*deps.ptr));
		vec_push(&g->actions, a);
	}
	vec_release(&deps);
}

bool target_build_init(struct target_build *b, struct session *s, const struct target_analysis *analysis,
                       struct err *err)
{
	*b = (struct target_build){.session = s, .table = analysis->table, .analysis = analysis};
	b->began_ns = clock_real_ns();
	make_graph(b);
	b->units = xcalloc(analysis->actions.len + 1, sizeof(*b->units));
	for (size_t i = 0; i < analysis->actions.len; i++) {
		b->units[i].build = b;
		b->units[i].outcome = OUTCOME_SKIPPED;
	}
	const struct str prefix = STR("//");
	history_load(s->history, &b->arena, &prefix, 1, &b->durations);
	target_record_load(b);
	return graph_finish(&b->graph, err);
}

void target_build_add(struct target_build *b, struct executor *e)
{
	vec_push(&b->executors, e);
}

static struct executor *executor_of(const struct target_build *b, action_id id)
{
	const char *name = target_build_action(b, id)->executor;
	for (size_t i = 0; i < b->executors.len; i++)
		if (strcmp(b->executors.ptr[i]->name, name) == 0)
			return b->executors.ptr[i];
	BUG("no executor \"%s\"", name);
}

void target_build_release(struct target_build *b)
{
	for (size_t i = 0; b->units && i < b->analysis->actions.len; i++) {
		if (b->units[i].job.root) {
			struct executor *e = executor_of(b, (action_id)i);
			e->cancel(e, &b->units[i].job);
			target_unit_clean(b, (action_id)i);
		}
	}
	for (size_t i = 0; b->units && i < b->analysis->actions.len; i++)
		target_trace_release(&b->units[i]);
	for (size_t i = 0; i < b->executors.len; i++)
		b->executors.ptr[i]->release(b->executors.ptr[i]);
	vec_release(&b->executors);
	sched_free(b->sched);
	free(b->units);
	map_release(&b->resources);
	vec_release(&b->resource_inputs);
	map_release(&b->durations);
	map_release(&b->previous);
	buf_release(&b->previous_text);
	buf_release(&b->replay);
	buf_release(&b->errors);
	err_clear(&b->fatal);
	graph_release(&b->graph);
	arena_release(&b->arena);
}

bool target_build_succeeded(const struct target_build *b)
{
	return !b->failed && !b->skipped && b->fatal.kind == ERR_NONE;
}

static void count_end(struct target_build *b, struct target_unit *u)
{
	uint64_t *const counts[] = {[OUTCOME_RAN] = &b->ran,
	                            [OUTCOME_CACHED] = &b->cached,
	                            [OUTCOME_CURRENT] = &b->current,
	                            [OUTCOME_FAILED] = &b->failed,
	                            [OUTCOME_SKIPPED] = &b->skipped};
	u->ended = true;
	++*counts[u->outcome];
}

static bool all_known(const struct target_build *b, const struct action *a)
{
	for (uint32_t d = 0; d < a->ndeps; d++)
		if (!b->units[a->deps[d]].known)
			return false;
	return true;
}

/* Errors that end the build rather than one action. */
static bool ends_build(const struct err *err)
{
	return err->kind == ERR_ENVIRONMENT || err->kind == ERR_BUG;
}

/* Takes from the store what it has, dependencies first; the rest is open. */
static bool resolve(struct target_build *b, U32Vec *ret_open, struct err *err)
{
	for (size_t i = 0; i < b->graph.by_order.len; i++) {
		action_id id = b->graph.by_order.ptr[i];
		struct err why = {0};
		bool hit = false;
		if (all_known(b, graph_action(&b->graph, id)) && !target_unit_lookup(b, id, &hit, &why) &&
		    ends_build(&why)) {
			err_move(err, &why);
			return false;
		}
		/* A missing source is told when its turn comes. */
		err_clear(&why);
		if (!hit) {
			vec_push(ret_open, id);
			continue;
		}
		count_end(b, &b->units[id]);
		target_report_diagnostics(b, id, true);
		target_report_finish(b, id);
	}
	return true;
}

static void end_action(struct target_build *b, action_id id, bool ok)
{
	struct target_unit *u = &b->units[id];
	if (!ok)
		u->outcome = OUTCOME_FAILED;
	count_end(b, u);
	target_unit_clean(b, id);
	target_report_finish(b, id);
	sched_done(b->sched, id, ok);
	/* Nothing depends on a test: the others run all the same. */
	b->stop |= !ok && !b->session->options.keep_going && !b->analysis->actions.ptr[id].is_test;
}

/* An error while an action was begun or ended: its own, or the end of the build. */
static void on_error(struct target_build *b, action_id id, struct err *err)
{
	if (ends_build(err)) {
		err_move(&b->fatal, err);
		return;
	}
	target_report_error(b, id, err);
	err_clear(err);
	end_action(b, id, false);
}

static void take_result(struct exec_job *job, const struct exec_result *r)
{
	struct target_unit *u = job->ctx;
	struct target_build *b = u->build;
	action_id id = (action_id)(u - b->units);
	struct err err = {0};
	bool again = false;
	b->running--;
	u->wall_ns = r->wall_ns ? r->wall_ns : (uint64_t)(clock_mono_ns() - u->started_ns);
	u->cpu_ns = r->cpu_ns;
	if (!r->ok) {
		u->repeats = r->repeats;
		u->facts = str_dup(&b->arena, r->facts);
		u->failure = str_dup(&b->arena, r->failure);
		target_report_failure(b, id, r);
		end_action(b, id, false);
		return;
	}
	if (!target_unit_accept(b, id, r, &again, &err)) {
		on_error(b, id, &err);
		return;
	}
	if (again && ++u->attempts < MAX_ATTEMPTS) {
		target_unit_clean(b, id);
		sched_again(b->sched, id);
		return;
	}
	if (again) {
		err_set(&err, ERR_ACTION, "its sources change faster than it can be built");
		on_error(b, id, &err);
		return;
	}
	target_report_diagnostics(b, id, false);
	end_action(b, id, true);
}

static void fill_slots(struct target_build *b);

/* While an executor carries out an action within its start function, the loop is there: what can go on beside it is
 * started before it, and whenever something ends. */
static void fill_meanwhile(struct target_build *b)
{
	if (!b->blocked || b->meanwhile)
		return;
	b->meanwhile = true;
	fill_slots(b);
	b->meanwhile = false;
}

static void on_done(struct exec_job *job, const struct exec_result *r)
{
	struct target_build *b = ((struct target_unit *)job->ctx)->build;
	take_result(job, r);
	fill_meanwhile(b);
}

static bool blocks(const struct target_build *b, action_id id)
{
	const struct executor *e = executor_of(b, id);
	return e->blocks && e->blocks(target_build_action(b, id));
}

static bool start_action(struct target_build *b, action_id id, struct err *err)
{
	struct target_unit *u = &b->units[id];
	struct executor *e = executor_of(b, id);
	if (!target_unit_prepare(b, id, !e->without_tree, err))
		return false;
	u->job.done = on_done;
	u->job.ctx = u;
	if (!u->event_id)
		target_report_start(b, id);
	b->running++;
	bool blocking = blocks(b, id);
	if (blocking) {
		b->blocked = true;
		fill_meanwhile(b);
	}
	bool ok = e->start(e, &u->job, err);
	if (blocking)
		b->blocked = false;
	b->running -= !ok;
	return ok;
}

static void begin(struct target_build *b, action_id id)
{
	struct err err = {0};
	bool hit = false;
	sched_start(b->sched, id);
	if (!target_unit_lookup(b, id, &hit, &err)) {
		on_error(b, id, &err);
	} else if (hit) {
		target_report_diagnostics(b, id, true);
		end_action(b, id, true);
	} else if (!start_action(b, id, &err)) {
		on_error(b, id, &err);
	}
}

/* The most urgent ready action that can start now. */
static action_id next_action(const struct target_build *b)
{
	action_id id = NO_ID;
	for (uint32_t i = 0; (id = sched_peek(b->sched, i)) != NO_ID; i++)
		if (!b->blocked || !blocks(b, id))
			break;
	return id;
}

static void fill_slots(struct target_build *b)
{
	while (b->running < b->session->options.jobs && !b->stop && b->fatal.kind == ERR_NONE) {
		action_id id = next_action(b);
		if (id == NO_ID)
			return;
		begin(b, id);
	}
}

static bool loop(struct target_build *b, struct err *err)
{
	struct session *s = b->session;
	for (;;) {
		if (!interrupt_check(err))
			return false;
		fill_slots(b);
		if (b->fatal.kind != ERR_NONE) {
			err_move(err, &b->fatal);
			return false;
		}
		if (!b->running && (b->stop || sched_finished(b->sched)))
			return true;
		if (!b->running)
			BUG("ready actions, and none of them can start");
		loop_run_once(s->loop, true);
	}
}

static uint64_t expected_ns(const struct target_build *b, action_id id)
{
	uint64_t ns;
	return map_get(&b->durations, target_build_action(b, id)->label, &ns) && ns ? ns : GUESS_NS;
}

static void emit_total(struct target_build *b)
{
	uint64_t open = sched_remaining_ns(b->sched);
	struct event e = {.kind = EVENT_TOTAL, .at_ns = clock_mono_ns(), .remaining_ns = open};
	e.total = b->analysis->actions.len;
	event_emit(b->session->sink, &e);
}

/* The chain of what ran that took longest: no number of workers is faster. */
static void tell_critical_path(struct target_build *b)
{
	size_t n = b->analysis->actions.len;
	uint64_t *until = xcalloc(n + 1, sizeof(*until));
	action_id *before = xcalloc(n + 1, sizeof(*before)), last = NO_ID;
	for (size_t i = 0; i < b->graph.by_order.len; i++) {
		action_id id = b->graph.by_order.ptr[i];
		const struct action *a = graph_action(&b->graph, id);
		before[id] = NO_ID;
		for (uint32_t d = 0; d < a->ndeps; d++)
			if (until[a->deps[d]] > until[id]) {
				until[id] = until[a->deps[d]];
				before[id] = a->deps[d];
			}
		until[id] += b->units[id].outcome == OUTCOME_RAN ? b->units[id].wall_ns : 0;
		if (last == NO_ID || until[id] > until[last])
			last = id;
	}
	struct buf text = {0};
	uint64_t longest = last == NO_ID ? 0 : until[last];
	for (; last != NO_ID; last = before[last])
		if (b->units[last].outcome == OUTCOME_RAN)
			buf_addf(&text, "%s%.*s", text.len ? " < " : "", STR_ARG(target_build_action(b, last)->label));
	if (longest)
		session_note(b->session, NOTE_DEBUG, "critical path %.3f s: %s", (double)longest / 1e9,
		             buf_cstr(&text));
	buf_release(&text);
	free(until);
	free(before);
}

bool target_build_run(struct target_build *b, enum sched_strategy strategy, struct err *err)
{
	U32Vec open = {0};
	bool ok = resolve(b, &open, err);
	if (ok && open.len) {
		uint64_t *weights = xcalloc(b->analysis->actions.len + 1, sizeof(*weights));
		for (size_t i = 0; i < open.len; i++)
			weights[open.ptr[i]] = expected_ns(b, open.ptr[i]);
		b->sched = sched_new(&b->graph, weights, strategy);
		free(weights);
		emit_total(b);
		ok = loop(b, err);
		tell_critical_path(b);
		for (size_t i = 0; i < open.len; i++)
			if (!b->units[open.ptr[i]].ended) {
				count_end(b, &b->units[open.ptr[i]]);
				target_report_finish(b, open.ptr[i]);
			}
	}
	vec_release(&open);
	return ok;
}

/* Would a build of the same files fail in the same way? Then it can be told so at once. */
static bool fails_again(const struct target_build *b)
{
	if (b->fatal.kind != ERR_NONE || !b->failed)
		return false;
	for (size_t i = 0; i < b->analysis->actions.len; i++)
		if (b->units[i].outcome == OUTCOME_FAILED && !b->units[i].repeats)
			return false;
	return true;
}

/* The sources of what was not even tried. False: one was changed while the build ran. */
static bool add_untried(struct target_build *b, struct lastbuild_writer *w)
{
	for (size_t i = 0; i < b->analysis->actions.len; i++) {
		const struct target_action *t = &b->analysis->actions.ptr[i];
		for (size_t k = 0; b->units[i].outcome == OUTCOME_SKIPPED && k < t->inputs.len; k++) {
			struct file_sig sig;
			if (t->inputs.ptr[k].producer != NO_ID)
				continue;
			char *path = path_join(&b->arena, b->session->options.directory,
			                       str_dupz(&b->arena, t->inputs.ptr[k].path));
			if (!fs_stat(path, &sig, NULL) || sig.mtime_ns + FS_RACY_NS >= b->began_ns)
				return false;
			lastbuild_add(w, path, &sig);
		}
	}
	return true;
}

/* The quick way of the next build: every file that this one rests on, and every one that it made. */
static bool write_last(struct target_build *b, struct err *err)
{
	struct session *s = b->session;
	struct lastbuild_writer *w = lastbuild_begin(&s->request);
	struct file_sig sig;
	if (b->skipped && !add_untried(b, w)) {
		lastbuild_abandon(w);
		return fs_remove(s->last_file, err);
	}
	for (size_t i = 0; i < s->seen.len; i++)
		lastbuild_add(w, s->seen.ptr[i].path.ptr, &s->seen.ptr[i].sig);
	fs_stat("/proc/self/exe", &sig, NULL);
	lastbuild_add(w, "/proc/self/exe", &sig);
	for (size_t i = 0; i < b->analysis->actions.len; i++)
		for (size_t o = 0; o < b->units[i].noutputs; o++) {
			char *path = session_out_path(s, &b->arena, b->units[i].outputs[o].path);
			fs_stat(path, &sig, NULL);
			lastbuild_add(w, path, &sig);
		}
	struct buf text = {0};
	/* All actions, those that failed, and whether it went on after that. */
	buf_addf(&text, "(%zu %llu %u)\n", b->analysis->actions.len, (unsigned long long)b->failed,
	         b->session->options.keep_going);
	buf_adds(&text, buf_str(&b->replay));
	buf_adds(&text, buf_str(&b->errors));
	bool ok = lastbuild_commit(w, s->last_file, buf_str(&text), err);
	buf_release(&text);
	return ok;
}

static bool remove_stale_outputs(struct target_build *b, struct err *err)
{
	StrVec outputs = {0};
	for (size_t i = 0; i < b->analysis->actions.len; i++)
		for (size_t o = 0; o < b->units[i].noutputs; o++)
			vec_push(&outputs, b->units[i].outputs[o].path);
	bool ok = outputs_settle(b->session, &outputs, err);
	vec_release(&outputs);
	return ok;
}

bool target_build_commit(struct target_build *b, struct err *err)
{
	if (!target_record_save(b, err))
		return false;
	bool done = target_build_succeeded(b);
	if (!done && !fails_again(b))
		return fs_remove(b->session->last_file, err);
	return (!done || remove_stale_outputs(b, err)) && write_last(b, err);
}
