#include "graph/image.h"

#include <stdlib.h>

#include "graph/precedence.h"

static int compare(const struct image_tree *t, action_id a, action_id b)
{
	uint32_t order_a = graph_action(t->graph, a)->order, order_b = graph_action(t->graph, b)->order;
	if (t->precedence[a] != t->precedence[b])
		return t->precedence[a] < t->precedence[b] ? -1 : 1;
	if (order_a != order_b)
		return order_a < order_b ? -1 : 1;
	return a < b ? -1 : a > b;
}

static int by_rank(const void *pa, const void *pb, void *tree)
{
	return compare(tree, *(const action_id *)pa, *(const action_id *)pb);
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
};

static void placer_release(struct placer *p)
{
	closure_release(&p->closure);
	vec_release(&p->steps);
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

/* -- the order of steps -- */

enum { STEP_ABSENT, STEP_PRESENT, STEP_PLACED };

/* Steps that are being put in order. */
struct sorter {
	const struct image_tree *tree;
	struct closure *closure;
	uint8_t *state; /* by action */
	U32Vec *out;
};

static void put(struct sorter *s, action_id step);

/* What a late step depends on comes before it, wherever it would have stood. */
static void put_below(struct sorter *s, action_id late)
{
	U32Vec below = {0};
	closure_of(s->closure, late, action_kind_is_step, &below);
	for (size_t i = 0; i < below.len; i++) {
		action_id fasl = graph_action(s->tree->graph, below.ptr[i])->load_of;
		if (s->state[below.ptr[i]] == STEP_ABSENT && fasl != NO_ID)
			below.ptr[i] = fasl;
	}
	if (below.len)
		qsort_r(below.ptr, below.len, sizeof(*below.ptr), by_rank, (void *)(uintptr_t)s->tree);
	for (size_t i = 0; i < below.len; i++)
		put(s, below.ptr[i]);
	vec_release(&below);
}

static void put(struct sorter *s, action_id step)
{
	if (s->state[step] != STEP_PRESENT)
		return;
	s->state[step] = STEP_PLACED;
	if (s->tree->late[step])
		put_below(s, step);
	vec_push(s->out, step);
}

void image_sort(const struct image_tree *t, struct closure *c, U32Vec *steps)
{
	bool late = false;
	if (steps->len)
		qsort_r(steps->ptr, steps->len, sizeof(*steps->ptr), by_rank, (void *)(uintptr_t)t);
	for (size_t i = 0; i < steps->len; i++)
		late |= t->late[steps->ptr[i]];
	if (!late)
		return;
	U32Vec sorted = {0};
	struct sorter s = {.tree = t, .closure = c, .out = &sorted};
	s.state = xcalloc(t->graph->actions.len + 1, 1);
	for (size_t i = 0; i < steps->len; i++)
		s.state[steps->ptr[i]] = STEP_PRESENT;
	for (size_t i = 0; i < steps->len; i++)
		put(&s, steps->ptr[i]);
	CHECK(sorted.len == steps->len);
	free(s.state);
	vec_release(steps);
	*steps = sorted;
}

/* -- places -- */

static void place(struct image_tree *t, struct placer *p, action_id id)
{
	vec_clear(&p->steps);
	closure_of(&p->closure, id, action_kind_is_step, &p->steps);
	for (size_t s = 0; s < p->steps.len; s++)
		t->needed[p->steps.ptr[s]] = 1;
	drop_replaced(&p->closure, 0, &p->steps);
	image_sort(t, &p->closure, &p->steps);
	node_id at = 0;
	for (size_t s = 0; s < p->steps.len; s++)
		at = image_tree_child(t, at, p->steps.ptr[s]);
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
	t->late = xcalloc(g->actions.len + 1, 1);
	t->needed = xcalloc(g->actions.len + 1, 1);
	t->precedence = graph_precedence(g);
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

/* The last of all that came to stand below `behind`; what stands before it there is late. */
static void mark_late(struct image_tree *t, const U32Vec *below, const U32Vec *behind)
{
	action_id last = NO_ID;
	for (size_t i = 0; i < below->len; i++)
		if (last == NO_ID || compare(t, last, below->ptr[i]) < 0)
			last = below->ptr[i];
	for (size_t i = 0; last != NO_ID && i < behind->len; i++)
		if (action_kind_is_step(graph_action(t->graph, behind->ptr[i])->kind) &&
		    compare(t, behind->ptr[i], last) < 0)
			t->late[behind->ptr[i]] = 1;
}

void image_tree_widen(struct image_tree *t, action_id id, bool (*pending)(void *ctx, action_id action), void *ctx)
{
	struct placer p = {0};
	U32Vec behind = {0};
	closure_init(&p.closure, t->graph);
	closure_of(&p.closure, id, action_kind_is_step, &p.steps);
	dependents(t->graph, id, &behind);
	mark_late(t, &p.steps, &behind);
	place_again(t, &p, &behind, id, pending, ctx);
	vec_release(&behind);
	placer_release(&p);
}

void image_tree_release(struct image_tree *t)
{
	vec_release(&t->nodes);
	free(t->node_of);
	free(t->late);
	free(t->needed);
	free(t->precedence);
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
