#include "graph/image.h"

#include <stdlib.h>

#include "graph/weight.h"

struct rank {
	uint32_t shift;  /* how often it was moved back */
	uint32_t weight; /* how widely its system is used */
	uint32_t order;  /* the front end's order */
	action_id step;
};

static int by_rank(const void *pa, const void *pb)
{
	const struct rank *a = pa, *b = pb;
	if (a->shift != b->shift)
		return a->shift < b->shift ? -1 : 1;
	if (a->weight != b->weight)
		return a->weight > b->weight ? -1 : 1;
	if (a->order != b->order)
		return a->order < b->order ? -1 : 1;
	return a->step < b->step ? -1 : a->step > b->step;
}

/* What has the same effect in images of the other kind: the header of a FASL, the FASL of a header. */
static action_id counterpart(const struct image_tree *t, action_id step)
{
	const struct action *a = graph_action(t->graph, step);
	return a->twin != NO_ID ? a->twin : a->load_of;
}

static uint32_t shift_of(const struct image_tree *t, action_id step)
{
	action_id other = counterpart(t, step);
	return MAX(t->shift[step], other == NO_ID ? 0 : t->shift[other]);
}

/* A FASL stands where the header stands that it takes the place of. */
static struct rank rank_of(const struct image_tree *t, action_id step)
{
	return (struct rank){shift_of(t, step), t->weight[step], graph_action(t->graph, step)->order, step};
}

int image_step_compare(const struct image_tree *t, action_id a, action_id b)
{
	struct rank ra = rank_of(t, a), rb = rank_of(t, b);
	return by_rank(&ra, &rb);
}

static node_id add_node(struct image_tree *t, node_id parent, action_id step)
{
	node_id id = (node_id)t->nodes.len;
	struct image_node n = {.parent = parent, .step = step};
	if (id) {
		n.depth = t->nodes.ptr[parent].depth + 1;
		n.next_sibling = t->nodes.ptr[parent].first_child;
		t->nodes.ptr[parent].first_child = id;
	}
	vec_push(&t->nodes, n);
	return id;
}

/* Children are few where images share well; the newest comes first, which is where the next image mostly goes on. */
node_id image_tree_child(struct image_tree *t, node_id parent, action_id step)
{
	for (node_id c = t->nodes.ptr[parent].first_child; c; c = t->nodes.ptr[c].next_sibling)
		if (t->nodes.ptr[c].step == step)
			return c;
	return add_node(t, parent, step);
}

struct placer {
	struct closure closure;
	U32Vec steps;
	Vec(struct rank) ranks;
};

static void placer_release(struct placer *p)
{
	closure_release(&p->closure);
	vec_release(&p->steps);
	vec_release(&p->ranks);
}

/* Of the steps that the last closure appended to `out` at `from`, headers whose FASL is among them are dropped. */
static void drop_replaced(const struct closure *c, size_t from, U32Vec *out)
{
	size_t kept = from;
	for (size_t i = from; i < out->len; i++) {
		const struct action *a = graph_action(c->graph, out->ptr[i]);
		if (!a->header_side || a->load_of == NO_ID || c->mark[a->load_of] != c->epoch)
			out->ptr[kept++] = out->ptr[i];
	}
	out->len = kept;
}

void image_steps(struct closure *c, action_id id, U32Vec *out)
{
	size_t from = out->len;
	closure_of(c, id, action_kind_is_step, out);
	drop_replaced(c, from, out);
}

static void place(struct image_tree *t, struct placer *p, action_id id)
{
	vec_clear(&p->steps);
	vec_clear(&p->ranks);
	closure_of(&p->closure, id, action_kind_is_step, &p->steps);
	for (size_t s = 0; s < p->steps.len; s++)
		t->needed[p->steps.ptr[s]] = 1;
	drop_replaced(&p->closure, 0, &p->steps);
	for (size_t s = 0; s < p->steps.len; s++)
		vec_push(&p->ranks, rank_of(t, p->steps.ptr[s]));
	if (p->ranks.len)
		qsort(p->ranks.ptr, p->ranks.len, sizeof(*p->ranks.ptr), by_rank);
	node_id at = 0;
	for (size_t s = 0; s < p->ranks.len; s++)
		at = image_tree_child(t, at, p->ranks.ptr[s].step);
	t->node_of[id] = at;
	image_tree_unsettle(t, at);
}

void image_tree_bare(struct image_tree *t)
{
	*t = (struct image_tree){0};
	add_node(t, 0, NO_ID);
}

void image_tree_build(struct image_tree *t, const struct graph *g, const action_id *ids, size_t n)
{
	*t = (struct image_tree){.graph = g};
	t->node_of = xmalloc((g->actions.len + 1) * sizeof(*t->node_of));
	t->shift = xcalloc(g->actions.len + 1, sizeof(*t->shift));
	t->needed = xcalloc(g->actions.len + 1, 1);
	t->weight = graph_weights(g);
	for (size_t i = 0; i < g->actions.len; i++)
		t->node_of[i] = UINT32_MAX;
	add_node(t, 0, NO_ID);
	struct placer p = {0};
	closure_init(&p.closure, g);
	for (size_t i = 0; i < n; i++)
		place(t, &p, ids[i]);
	placer_release(&p);
}

/* All actions that depend on `id`, itself last in no order that matters. */
static void dependents(const struct graph *g, action_id id, U32Vec *out)
{
	uint8_t *seen = xcalloc(g->actions.len + 1, 1);
	U32Vec stack = {0};
	vec_push(&stack, id);
	seen[id] = 1;
	while (stack.len) {
		action_id at = vec_pop(&stack);
		const struct action *a = graph_action(g, at);
		vec_push(out, at);
		for (uint32_t r = 0; r < a->nrdeps; r++) {
			if (seen[a->rdeps[r]])
				continue;
			seen[a->rdeps[r]] = 1;
			vec_push(&stack, a->rdeps[r]);
		}
	}
	free(seen);
	vec_release(&stack);
}

/* Those of `ids` that are pending tasks; `id`, if it is one, is settled already. */
static void place_again(struct image_tree *t, struct placer *p, const U32Vec *ids, action_id id,
                        bool (*pending)(void *ctx, action_id action), void *ctx)
{
	for (size_t i = 0; i < ids->len; i++) {
		action_id at = ids->ptr[i];
		if (!action_kind_is_task(graph_action(t->graph, at)->kind))
			continue;
		if (at == id) {
			place(t, p, at);
		} else if (t->node_of[at] != UINT32_MAX && pending(ctx, at)) {
			image_tree_settle(t, t->node_of[at]);
			place(t, p, at);
		}
	}
}

void image_tree_replace(struct image_tree *t, action_id id, bool (*pending)(void *ctx, action_id action), void *ctx)
{
	struct placer p = {0};
	U32Vec behind = {0};
	closure_init(&p.closure, t->graph);
	dependents(t->graph, id, &behind);
	place_again(t, &p, &behind, id, pending, ctx);
	vec_release(&behind);
	placer_release(&p);
}

/* The step that comes first (sign > 0) or last (sign < 0); NO_ID if there is none. */
static action_id extreme(const struct image_tree *t, const U32Vec *ids, int sign)
{
	action_id found = NO_ID;
	for (size_t i = 0; i < ids->len; i++)
		if (action_kind_is_step(graph_action(t->graph, ids->ptr[i])->kind) &&
		    (found == NO_ID || image_step_compare(t, found, ids->ptr[i]) * sign > 0))
			found = ids->ptr[i];
	return found;
}

/* Each order makes images of its own, so it is changed only where it must be: those of `below` that stand behind
 * `first` move before it, and nothing else. */
static void move_before(struct image_tree *t, action_id first, const U32Vec *below)
{
	const struct graph *g = t->graph;
	action_id last = extreme(t, below, -1);
	if (first == NO_ID || last == NO_ID || image_step_compare(t, last, first) < 0)
		return;
	uint32_t by = rank_of(t, last).shift + 1 - rank_of(t, first).shift;
	uint8_t *stays = xcalloc(g->actions.len + 1, 1);
	for (size_t i = 0; i < below->len; i++) {
		const struct action *a = graph_action(g, below->ptr[i]);
		stays[below->ptr[i]] = 1;
		if (a->twin != NO_ID)
			stays[a->twin] = 1;
		if (a->load_of != NO_ID)
			stays[a->load_of] = 1;
	}
	for (size_t i = 0; i < g->actions.len; i++)
		stays[i] |= image_step_compare(t, (action_id)i, first) < 0;
	for (size_t i = 0; i < g->actions.len; i++)
		if (!stays[i])
			t->shift[i] += by;
	free(stays);
}

void image_tree_widen(struct image_tree *t, action_id id, bool (*pending)(void *ctx, action_id action), void *ctx)
{
	struct placer p = {0};
	U32Vec behind = {0};
	closure_init(&p.closure, t->graph);
	closure_of(&p.closure, id, action_kind_is_step, &p.steps);
	dependents(t->graph, id, &behind);
	move_before(t, extreme(t, &behind, 1), &p.steps);
	place_again(t, &p, &behind, id, pending, ctx);
	vec_release(&behind);
	placer_release(&p);
}

void image_tree_release(struct image_tree *t)
{
	vec_release(&t->nodes);
	free(t->node_of);
	free(t->shift);
	free(t->needed);
	free(t->weight);
	*t = (struct image_tree){0};
}

void image_tree_settle(struct image_tree *t, node_id node)
{
	CHECK(t->nodes.ptr[node].pending > 0);
	t->nodes.ptr[node].pending--;
	for (node_id at = node;; at = t->nodes.ptr[at].parent) {
		struct image_node *n = &t->nodes.ptr[at];
		n->live--;
		if (at == 0)
			break;
		if (n->live == 0)
			t->nodes.ptr[n->parent].live_children--;
	}
}

void image_tree_unsettle(struct image_tree *t, node_id node)
{
	t->nodes.ptr[node].pending++;
	for (node_id at = node;; at = t->nodes.ptr[at].parent) {
		struct image_node *n = &t->nodes.ptr[at];
		n->live++;
		if (at == 0)
			break;
		if (n->live == 1)
			t->nodes.ptr[n->parent].live_children++;
	}
}

void image_tree_path(const struct image_tree *t, node_id from, node_id to, U32Vec *ret_nodes)
{
	vec_clear(ret_nodes);
	for (node_id at = to; at != from; at = t->nodes.ptr[at].parent) {
		CHECK(at != 0);
		vec_push(ret_nodes, at);
	}
	for (size_t i = 0, j = ret_nodes->len; i + 1 < j; i++) {
		j--;
		uint32_t tmp = ret_nodes->ptr[i];
		ret_nodes->ptr[i] = ret_nodes->ptr[j];
		ret_nodes->ptr[j] = tmp;
	}
}
