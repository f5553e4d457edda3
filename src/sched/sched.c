#include "sched/sched.h"

#include <stdlib.h>

struct node {
	uint8_t state;
	uint32_t open;  /* dependencies that are not done */
	uint32_t level; /* longest chain of time-taking dependencies below it */
	uint64_t weight;
	uint64_t priority; /* its weight and the longest path behind it */
	uint64_t floor;    /* see sched_urge() */
	uint64_t urgency;
};

struct sched {
	const struct graph *graph;
	enum sched_strategy strategy;
	struct node *nodes;
	U32Vec ready; /* sorted, most urgent last */
	U32Vec running;
	size_t unfinished;
	uint32_t *level_open; /* actions not ended, by level */
	uint32_t nlevels, level;
	uint64_t remaining, critical;
	uint32_t jobs;
	uint64_t short_path; /* of this urgency or less: all the same */
};

/* Paths up to this part of what is left for each job are short. */
#define SHORT_PART 16

static bool more_urgent(const struct sched *s, action_id a, action_id b)
{
	uint64_t ua = MAX(s->nodes[a].urgency, s->short_path), ub = MAX(s->nodes[b].urgency, s->short_path);
	if (s->strategy == SCHED_EVENT && ua != ub)
		return ua > ub;
	if (s->strategy == SCHED_LEVEL && s->nodes[a].level != s->nodes[b].level)
		return s->nodes[a].level < s->nodes[b].level;
	return graph_action(s->graph, a)->order < graph_action(s->graph, b)->order;
}

static void make_ready(struct sched *s, action_id id)
{
	s->nodes[id].state = SCHED_READY;
	size_t lo = 0, hi = s->ready.len;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (more_urgent(s, id, s->ready.ptr[mid]))
			lo = mid + 1;
		else
			hi = mid;
	}
	vec_push(&s->ready, id);
	memmove(&s->ready.ptr[lo + 1], &s->ready.ptr[lo], (s->ready.len - 1 - lo) * sizeof(*s->ready.ptr));
	s->ready.ptr[lo] = id;
}

static int by_urgency(const void *pa, const void *pb, void *s)
{
	action_id a = *(const action_id *)pa, b = *(const action_id *)pb;
	return more_urgent(s, a, b) ? 1 : more_urgent(s, b, a) ? -1 : 0;
}

static void sort_ready(struct sched *s)
{
	if (s->ready.len)
		qsort_r(s->ready.ptr, s->ready.len, sizeof(*s->ready.ptr), by_urgency, s);
}

/* Looked at again whenever it has fallen by an eighth: that is often enough, and costs little. */
static void shorten(struct sched *s)
{
	uint64_t now = s->jobs ? s->remaining / s->jobs / SHORT_PART : 0;
	if (now <= s->short_path - s->short_path / 8 && now != s->short_path) {
		s->short_path = now;
		sort_ready(s);
	}
}

void sched_jobs(struct sched *s, uint32_t jobs)
{
	s->jobs = jobs;
	s->short_path = jobs ? s->remaining / jobs / SHORT_PART : 0;
	sort_ready(s);
}

static void compute_priorities(struct sched *s)
{
	const struct graph *g = s->graph;
	for (size_t i = g->by_order.len; i-- > 0;) {
		action_id id = g->by_order.ptr[i];
		const struct action *a = graph_action(g, id);
		struct node *n = &s->nodes[id];
		uint64_t behind = 0, urgent = 0;
		for (uint32_t r = 0; r < a->nrdeps; r++) {
			behind = MAX(behind, s->nodes[a->rdeps[r]].priority);
			urgent = MAX(urgent, s->nodes[a->rdeps[r]].urgency);
		}
		n->priority = behind + n->weight;
		n->urgency = MAX(urgent + n->weight, n->floor);
		s->critical = MAX(s->critical, n->priority);
	}
}

static void compute_levels(struct sched *s)
{
	const struct graph *g = s->graph;
	uint32_t top = 0;
	for (size_t i = 0; i < g->by_order.len; i++) {
		action_id id = g->by_order.ptr[i];
		const struct action *a = graph_action(g, id);
		uint32_t level = 0;
		for (uint32_t d = 0; d < a->ndeps; d++) {
			const struct node *dep = &s->nodes[a->deps[d]];
			level = MAX(level, dep->level + (dep->weight > 0));
		}
		s->nodes[id].level = level;
		top = MAX(top, level);
	}
	s->nlevels = top + 1;
	s->level_open = xcalloc(s->nlevels, sizeof(*s->level_open));
	for (size_t i = 0; i < g->actions.len; i++)
		s->level_open[s->nodes[i].level]++;
}

static void end(struct sched *s, action_id id, enum sched_state state)
{
	struct node *n = &s->nodes[id];
	n->state = (uint8_t)state;
	s->remaining -= n->weight;
	s->unfinished--;
	s->level_open[n->level]--;
	while (s->level + 1 < s->nlevels && s->level_open[s->level] == 0)
		s->level++;
	shorten(s);
}

/* Takes the actions in `open`, whose last dependency has ended: those that take time become ready, the others are done
 * at once and open more. */
static void release(struct sched *s, U32Vec *open)
{
	while (open->len) {
		action_id id = vec_pop(open);
		if (s->nodes[id].weight) {
			make_ready(s, id);
			continue;
		}
		end(s, id, SCHED_DONE);
		const struct action *a = graph_action(s->graph, id);
		for (uint32_t r = 0; r < a->nrdeps; r++) {
			struct node *dep = &s->nodes[a->rdeps[r]];
			if (--dep->open == 0 && dep->state == SCHED_BLOCKED)
				vec_push(open, a->rdeps[r]);
		}
	}
}

struct sched *sched_new(const struct graph *g, const uint64_t *weight_ns, enum sched_strategy strategy)
{
	struct sched *s = xcalloc(1, sizeof(*s));
	s->graph = g;
	s->strategy = strategy;
	s->nodes = xcalloc(g->actions.len + 1, sizeof(*s->nodes));
	s->unfinished = g->actions.len;
	for (size_t i = 0; i < g->actions.len; i++) {
		s->nodes[i].weight = weight_ns[i];
		s->nodes[i].open = g->actions.ptr[i].ndeps;
		s->remaining += weight_ns[i];
	}
	compute_priorities(s);
	compute_levels(s);
	U32Vec open = {0};
	for (size_t i = 0; i < g->actions.len; i++)
		if (!s->nodes[i].open)
			vec_push(&open, (uint32_t)i);
	release(s, &open);
	vec_release(&open);
	return s;
}

void sched_free(struct sched *s)
{
	if (!s)
		return;
	free(s->nodes);
	free(s->level_open);
	vec_release(&s->ready);
	vec_release(&s->running);
	free(s);
}

static bool may_start(const struct sched *s, action_id id)
{
	if (s->strategy == SCHED_SERIAL)
		return s->running.len == 0;
	return s->strategy != SCHED_LEVEL || s->nodes[id].level <= s->level;
}

action_id sched_peek(struct sched *s, size_t i)
{
	if (i >= s->ready.len)
		return NO_ID;
	action_id id = s->ready.ptr[s->ready.len - 1 - i];
	return may_start(s, id) ? id : NO_ID;
}

static void take_from_ready(struct sched *s, action_id id)
{
	for (size_t i = s->ready.len; i-- > 0;) {
		if (s->ready.ptr[i] != id)
			continue;
		memmove(&s->ready.ptr[i], &s->ready.ptr[i + 1], (s->ready.len - 1 - i) * sizeof(*s->ready.ptr));
		s->ready.len--;
		return;
	}
	BUG("action %u is not ready", id);
}

static void stop_running(struct sched *s, action_id id)
{
	for (size_t i = 0; i < s->running.len; i++)
		if (s->running.ptr[i] == id) {
			s->running.ptr[i] = vec_last(&s->running);
			s->running.len--;
			return;
		}
	BUG("action %u does not run", id);
}

void sched_start(struct sched *s, action_id id)
{
	CHECK(s->nodes[id].state == SCHED_READY);
	take_from_ready(s, id);
	s->nodes[id].state = SCHED_RUNNING;
	vec_push(&s->running, id);
}

void sched_again(struct sched *s, action_id id)
{
	CHECK(s->nodes[id].state == SCHED_RUNNING);
	stop_running(s, id);
	make_ready(s, id);
}

static void skip_dependents(struct sched *s, action_id failed)
{
	U32Vec stack = {0};
	vec_push(&stack, failed);
	while (stack.len) {
		const struct action *a = graph_action(s->graph, vec_pop(&stack));
		for (uint32_t r = 0; r < a->nrdeps; r++) {
			if (s->nodes[a->rdeps[r]].state != SCHED_BLOCKED)
				continue;
			end(s, a->rdeps[r], SCHED_SKIPPED);
			vec_push(&stack, a->rdeps[r]);
		}
	}
	vec_release(&stack);
}

void sched_done(struct sched *s, action_id id, bool ok)
{
	struct node *n = &s->nodes[id];
	if (n->state == SCHED_READY)
		take_from_ready(s, id);
	else if (n->state == SCHED_RUNNING)
		stop_running(s, id);
	else
		BUG("action %u ended in state %d", id, n->state);
	end(s, id, ok ? SCHED_DONE : SCHED_FAILED);
	if (!ok) {
		skip_dependents(s, id);
		return;
	}
	const struct action *a = graph_action(s->graph, id);
	U32Vec open = {0};
	for (uint32_t r = 0; r < a->nrdeps; r++) {
		struct node *dep = &s->nodes[a->rdeps[r]];
		if (--dep->open == 0 && dep->state == SCHED_BLOCKED)
			vec_push(&open, a->rdeps[r]);
	}
	release(s, &open);
	vec_release(&open);
}

bool sched_wait(struct sched *s, action_id id)
{
	struct node *n = &s->nodes[id];
	if (n->state == SCHED_READY)
		take_from_ready(s, id);
	else if (n->state == SCHED_RUNNING)
		stop_running(s, id);
	else if (n->state != SCHED_BLOCKED)
		BUG("action %u waits in state %d", id, n->state);
	n->state = SCHED_BLOCKED;
	n->open = 0;
	bool possible = true;
	const struct action *a = graph_action(s->graph, id);
	for (uint32_t d = 0; d < a->ndeps; d++) {
		uint8_t state = s->nodes[a->deps[d]].state;
		possible &= state != SCHED_FAILED && state != SCHED_SKIPPED;
		n->open += state != SCHED_DONE;
	}
	if (!possible) {
		end(s, id, SCHED_SKIPPED);
		skip_dependents(s, id);
	} else if (!n->open) {
		make_ready(s, id);
	}
	return possible;
}

void sched_urge(struct sched *s, action_id id, uint64_t ns)
{
	s->nodes[id].floor = ns;
}

void sched_weigh(struct sched *s, action_id id, uint64_t ns)
{
	struct node *n = &s->nodes[id];
	if (!n->weight || !ns || n->state >= SCHED_DONE)
		return;
	s->remaining += ns - n->weight;
	n->weight = ns;
}

void sched_refresh(struct sched *s)
{
	compute_priorities(s);
	sort_ready(s);
}

enum sched_state sched_state(const struct sched *s, action_id id)
{
	return s->nodes[id].state;
}

bool sched_finished(const struct sched *s)
{
	return s->running.len == 0 && s->ready.len == 0;
}

bool sched_can_wait(const struct sched *s, action_id id)
{
	return s->nodes[id].urgency <= s->short_path;
}

uint64_t sched_priority(const struct sched *s, action_id id)
{
	return s->nodes[id].priority;
}

uint64_t sched_remaining_ns(const struct sched *s)
{
	return s->remaining;
}

uint64_t sched_critical_ns(const struct sched *s)
{
	return s->critical;
}

action_id sched_running_at(const struct sched *s, size_t i)
{
	return s->running.ptr[i];
}

uint64_t sched_weight(const struct sched *s, action_id id)
{
	return s->nodes[id].weight;
}

uint64_t sched_ready_critical_ns(const struct sched *s)
{
	uint64_t longest = 0;
	/* The most urgent is the last; or all are short, and none of them counts. */
	size_t first = s->strategy == SCHED_EVENT && s->ready.len ? s->ready.len - 1 : 0;
	for (size_t i = first; i < s->ready.len; i++)
		longest = MAX(longest, s->nodes[s->ready.ptr[i]].priority);
	return longest;
}

size_t sched_running(const struct sched *s)
{
	return s->running.len;
}
