#include "graph/spine.h"

#include <stdlib.h>

/* It is, or something below it: */
#define LEAVES_WAITING 1 /* a FASL that takes a header's place, for its own sake or for an .asd file's or a task's */
#define LEAVES_APART   2 /* set apart */

struct spine {
	struct image_tree *tree;
	U32Vec order;    /* all steps where images hold headers, in the order of images */
	uint8_t *leaves; /* by action: why it isn't on the spine; bits */
	uint8_t *wanted; /* by action: a header that is to be placed */
	struct closure closure;
	U32Vec below;
};

static void mark_leaving(struct spine *s)
{
	const struct graph *g = s->tree->graph;
	for (size_t i = 0; i < g->by_order.len; i++) {
		action_id id = g->by_order.ptr[i];
		const struct action *a = graph_action(g, id);
		if (a->kind == ACTION_LOAD ? a->header_side || a->twin != NO_ID : a->classic_deps != NULL)
			s->leaves[id] |= LEAVES_WAITING;
		if (a->apart)
			s->leaves[id] |= LEAVES_APART;
		for (uint32_t d = 0; d < a->ndeps; d++)
			s->leaves[id] |= s->leaves[a->deps[d]] & (a->header_side ? 0xff : LEAVES_WAITING);
	}
}

/* Steps that some image of this tree needs. */
static void collect(struct spine *s)
{
	const struct graph *g = s->tree->graph;
	for (size_t i = 0; i < g->actions.len; i++) {
		const struct action *a = &g->actions.ptr[i];
		if (action_kind_is_step(a->kind) && a->twin == NO_ID && s->tree->needed[i])
			vec_push(&s->order, (uint32_t)i);
	}
	image_sort(s->tree, &s->closure, &s->order);
}

static void put(struct spine *s, action_id header, node_id node)
{
	struct image_tree *t = s->tree;
	if (t->node_of[header] != UINT32_MAX)
		image_tree_settle(t, t->node_of[header]);
	t->node_of[header] = node;
	image_tree_unsettle(t, node);
}

/* Only what it depends on: the images of compiles behind it hold the same. */
static node_id branch(struct spine *s, action_id header)
{
	node_id at = 0;
	vec_clear(&s->below);
	image_steps(&s->closure, header, &s->below);
	image_sort(s->tree, &s->closure, &s->below);
	for (size_t i = 0; i < s->below.len; i++)
		at = image_tree_child(s->tree, at, s->below.ptr[i]);
	return image_tree_child(s->tree, at, header);
}

void spine_place(struct image_tree *t, const action_id *headers, size_t n)
{
	size_t all = t->graph->actions.len + 1;
	struct spine s = {.tree = t};
	s.leaves = xcalloc(all, 1);
	s.wanted = xcalloc(all, 1);
	closure_init(&s.closure, t->graph);
	for (size_t i = 0; i < n; i++)
		s.wanted[headers[i]] = 1;
	mark_leaving(&s);
	collect(&s);
	node_id at = 0;
	for (size_t i = 0; i < s.order.len; i++) {
		action_id step = s.order.ptr[i];
		if (!s.leaves[step])
			at = image_tree_child(t, at, step);
		if (s.wanted[step])
			put(&s, step, s.leaves[step] ? branch(&s, step) : at);
	}
	closure_release(&s.closure);
	vec_release(&s.order);
	vec_release(&s.below);
	free(s.leaves);
	free(s.wanted);
}
