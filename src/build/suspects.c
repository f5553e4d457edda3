#include "build/suspects.h"

#include <stdlib.h>

#include "build/told.h"

void suspects_release(struct suspects *s)
{
	vec_release(&s->waiting);
	free(s->open);
}

/* NULL: it counts nowhere. */
static uint32_t *open_of(struct build *b, action_id id)
{
	const struct action *a = graph_action(b->graph, id);
	return a->kind == ACTION_COMPILE && a->system != NO_ID ? &b->suspects.open[b->family[a->system]] : NULL;
}

static void count_open(struct build *b, const U32Vec *open)
{
	size_t n = b->graph->systems.len + 1;
	if (!b->suspects.open)
		b->suspects.open = xmalloc(n * sizeof(*b->suspects.open));
	memset(b->suspects.open, 0, n * sizeof(*b->suspects.open));
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
	b->suspects.due = false;
}

void suspects_ended(struct build *b, action_id id)
{
	uint32_t *count = open_of(b, id);
	if (count && --*count == 0)
		b->suspects.due = b->suspects.waiting.len > 0;
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

/* True if the names that the unit missed are ordinary functions. */
static bool stands(struct judge *j, action_id id)
{
	struct build *b = j->b;
	uint32_t family = b->family[graph_action(b->graph, id)->system];
	if (j->read && j->family != family)
		judge_end(j);
	if (!j->read)
		told_read(&j->told, b, family);
	j->read = true;
	j->family = family;
	struct arena a = {0};
	struct sexp *names;
	bool ok = sexp_read_one(&a, b->units[id].undefined, &names) && sexp_is_list(names, 1);
	for (uint32_t i = 0; ok && i < names->len; i++)
		ok = told_has_for(&j->told, graph_action(b->graph, id), names->items[i]);
	arena_release(&a);
	return ok;
}

static bool is_ripe(struct build *b, action_id id, bool all)
{
	return all || *open_of(b, id) == 0;
}

void suspects_judge(struct build *b, bool all)
{
	struct judge j = {.b = b};
	U32Vec waiting = b->suspects.waiting, ripe = {0};
	b->suspects.waiting = (U32Vec){0};
	b->suspects.due = false;
	for (size_t i = 0; i < waiting.len; i++) {
		action_id id = waiting.ptr[i];
		if (is_ripe(b, id, all))
			vec_push(&ripe, id);
		else
			vec_push(&b->suspects.waiting, id);
	}
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
		stays[i] = is_ripe(b, aside.ptr[i], false) && stands(&j, aside.ptr[i]);
	judge_end(&j);
	for (size_t i = 0; ok && i < aside.len; i++) {
		action_id id = aside.ptr[i];
		bool hit = false;
		b->units[id].suspect = false;
		ok = !stays[i] || unit_place(b, id, &hit, err);
		if (ok && !stays[i] && is_ripe(b, id, false))
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
