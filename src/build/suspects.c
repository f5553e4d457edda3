#include "build/suspects.h"

#include <stdlib.h>

#include "build/told.h"

void suspects_release(struct suspects *s)
{
	vec_release(&s->waiting);
	free(s->open);
	free(s->due);
}

/* NULL: it counts nowhere. */
static uint32_t *open_of(struct build *b, action_id id)
{
	const struct action *a = graph_action(b->graph, id);
	return a->kind == ACTION_COMPILE && a->system != NO_ID ? &b->suspects.open[b->family[a->system]] : NULL;
}

static void count_open(struct build *b, const U32Vec *open)
{
	struct suspects *s = &b->suspects;
	size_t n = b->graph->systems.len + 1;
	if (!s->open) {
		s->open = xmalloc(n * sizeof(*s->open));
		s->due = xmalloc(n);
	}
	memset(s->open, 0, n * sizeof(*s->open));
	memset(s->due, 0, n);
	s->any_due = false;
	for (size_t i = 0; i < open->len; i++) {
		uint32_t *count = open_of(b, open->ptr[i]);
		if (count)
			++*count;
	}
}

void suspects_expect(struct build *b, const U32Vec *open)
{
	count_open(b, open);
	vec_clear(&b->suspects.waiting);
}

void suspects_ended(struct build *b, action_id id)
{
	uint32_t *count = open_of(b, id);
	if (!count)
		return;
	--*count;
	b->suspects.due[count - b->suspects.open] = 1;
	b->suspects.any_due = b->suspects.waiting.len > 0;
}

bool suspects_hold(struct build *b, action_id id)
{
	struct unit *u = &b->units[id];
	if (!lax_suspects(b, id, u->undefined))
		return false;
	u->suspect = true;
	vec_push(&b->suspects.waiting, id);
	suspects_ended(b, id);
	return true;
}

/* Marks in *ret what waits for the FASL of `id`, in its family; NULL: nothing does. Returns how many have not ended. */
static uint32_t find_behind(const struct build *b, action_id id, uint8_t **ret)
{
	const struct graph *g = b->graph;
	uint32_t family = b->family[graph_action(g, id)->system], open = 0;
	uint8_t *seen = xcalloc(g->actions.len + 1, 1), *behind = NULL;
	U32Vec stack = {0};
	vec_push(&stack, id);
	seen[id] = 1;
	while (stack.len) {
		const struct action *at = graph_action(g, vec_pop(&stack));
		for (uint32_t r = 0; r < at->nrdeps; r++) {
			action_id next = at->rdeps[r];
			const struct action *a = graph_action(g, next);
			if (seen[next])
				continue;
			seen[next] = 1;
			vec_push(&stack, next);
			if (a->kind != ACTION_COMPILE || a->system == NO_ID || b->family[a->system] != family)
				continue;
			if (!behind)
				behind = xcalloc(g->actions.len + 1, 1);
			behind[next] = 1;
			open += !b->units[next].ended && !b->units[next].suspect;
		}
	}
	free(seen);
	vec_release(&stack);
	*ret = behind;
	return open;
}

/* Units of one family at a time: what its results tell is read once. */
struct judge {
	struct build *b;
	struct told told;
	uint32_t family;
	bool read;
};

static void judge_end(struct judge *j)
{
	if (j->read)
		told_release(&j->told);
	j->read = false;
}

static bool explains(const struct build *b, const struct told *told, action_id id)
{
	struct arena a = {0};
	struct sexp *names;
	bool ok = sexp_read_one(&a, b->units[id].undefined, &names) && sexp_is_list(names, 1);
	for (uint32_t i = 0; ok && i < names->len; i++)
		ok = told_has_for(told, graph_action(b->graph, id), names->items[i]);
	arena_release(&a);
	return ok;
}

/* A variable or a type is no function: whoever misses one need not wait to hear of these. */
static bool misses_more_than_functions(const struct build *b, action_id id)
{
	struct arena a = {0};
	struct sexp *names;
	bool more = false;
	if (sexp_read_one(&a, b->units[id].undefined, &names))
		for (uint32_t i = 0; i < sexp_list_len(names); i++)
			more |= !told_is_function(names->items[i]);
	arena_release(&a);
	return more;
}

/* True if the names that the unit missed are ordinary functions. */
static bool stands(struct judge *j, action_id id)
{
	struct build *b = j->b;
	uint32_t family = b->family[graph_action(b->graph, id)->system];
	uint8_t *behind;
	find_behind(b, id, &behind);
	if (behind) {
		struct told told;
		told_read(&told, b, family, behind);
		bool ok = explains(b, &told, id);
		told_release(&told);
		free(behind);
		return ok;
	}
	if (j->read && j->family != family)
		judge_end(j);
	if (!j->read)
		told_read(&j->told, b, family, NULL);
	j->read = true;
	j->family = family;
	return explains(b, &j->told, id);
}

/* Nothing more will be told that counts for the unit. */
static bool is_ripe(struct build *b, action_id id)
{
	uint32_t open = *open_of(b, id);
	uint8_t *behind = NULL;
	bool ripe = open == 0 || misses_more_than_functions(b, id) || find_behind(b, id, &behind) == open;
	free(behind);
	return ripe;
}

void suspects_judge(struct build *b, bool all)
{
	struct judge j = {.b = b};
	U32Vec waiting = b->suspects.waiting, ripe = {0};
	b->suspects.waiting = (U32Vec){0};
	b->suspects.any_due = false;
	for (size_t i = 0; i < waiting.len; i++) {
		action_id id = waiting.ptr[i];
		bool due = b->suspects.due[b->family[graph_action(b->graph, id)->system]];
		if (all || (due && is_ripe(b, id)))
			vec_push(&ripe, id);
		else
			vec_push(&b->suspects.waiting, id);
	}
	memset(b->suspects.due, 0, b->graph->systems.len + 1);
	/* All are judged before anything comes of it: what is tried again tells nothing meanwhile. */
	uint8_t *stays = xmalloc(ripe.len + 1);
	for (size_t i = 0; i < ripe.len; i++)
		stays[i] = stands(&j, ripe.ptr[i]);
	judge_end(&j);
	for (size_t i = 0; i < ripe.len; i++) {
		b->units[ripe.ptr[i]].suspect = false;
		++*open_of(b, ripe.ptr[i]);
		answer_judged(b, ripe.ptr[i], stays[i]);
	}
	free(stays);
	vec_release(&ripe);
	vec_release(&waiting);
}

void suspects_set_aside(struct build *b, action_id id)
{
	b->units[id].suspect = true;
	vec_push(&b->suspects.waiting, id);
}

bool suspects_resolve(struct build *b, U32Vec *open, bool *ret_changed, struct err *err)
{
	struct judge j = {.b = b};
	U32Vec aside = b->suspects.waiting;
	uint8_t *stays = xmalloc(aside.len + 1);
	bool ok = true;
	b->suspects.waiting = (U32Vec){0};
	count_open(b, open);
	for (size_t i = 0; i < aside.len; i++)
		stays[i] = *open_of(b, aside.ptr[i]) == 0 && stands(&j, aside.ptr[i]);
	judge_end(&j);
	for (size_t i = 0; ok && i < aside.len; i++) {
		action_id id = aside.ptr[i];
		bool hit = false;
		b->units[id].suspect = false;
		ok = !stays[i] || unit_place(b, id, &hit, err);
		if (ok && !stays[i] && (*open_of(b, id) == 0 || misses_more_than_functions(b, id)))
			ok = lax_note(b, id, false, err);
		if (hit)
			run_end_known(b, id);
		else
			vec_push(open, id);
	}
	/* What waits for a FASL of theirs is found out now. */
	for (size_t i = 0; i < aside.len; i++)
		*ret_changed |= open->len && b->units[aside.ptr[i]].ended;
	free(stays);
	vec_release(&aside);
	return ok;
}
