/* image.h - images as paths in one tree of steps.
 *
 * The image of an action is the set of steps in its transitive dependencies. A tree holds the images of many actions so
 * that they share prefixes: the steps of an image are sorted by the precedence of their systems (precedence.h), and
 * within a system as in the front end's order. That order is topological by itself, it shares nearly as well as any,
 * and it depends on the graph alone: where files that don't depend on each other act on the same thing, a table say, an
 * image has it in the same state whatever else is built.
 *
 *     struct image_tree t;
 *     image_tree_build(&t, g, tasks, ntasks);
 *     t.node_of[action] ...
 */
#ifndef TENON_GRAPH_IMAGE_H
#define TENON_GRAPH_IMAGE_H

#include "graph/graph.h"

typedef uint32_t node_id; /* 0 is the root: the bare toolchain */

struct image_node {
	node_id parent;
	action_id step;         /* NO_ID for the root */
	node_id first_child;    /* 0: none */
	node_id next_sibling;   /* 0: none */
	uint32_t depth;         /* number of steps */
	uint32_t pending;       /* actions at this very node that may still have to run */
	uint32_t live;          /* pending actions in the whole subtree */
	uint32_t live_children; /* children with live > 0 */
};

struct image_tree {
	const struct graph *graph;
	Vec(struct image_node) nodes;
	node_id *node_of;     /* by action id; UINT32_MAX: not in the tree */
	uint32_t *precedence; /* by action id: see precedence.h */
	uint8_t *late;        /* by action id: the step depends on some that stand behind it by precedence and order */
	uint8_t *needed;      /* by action id: some image held the step, or its FASL in its place, at some time */
};

/* The tree of the images of `ids` (each counted as pending). */
void image_tree_build(struct image_tree *t, const struct graph *g, const action_id *ids, size_t n);
/* The action `id` has got more dependencies in the graph. Where these stand behind what depends on `id`, images that
 * hold that one have them before it, so that the order of steps stays topological; others stay as they are. Every
 * pending image that holds it gets its new place: `pending(ctx, action)` tells which of the actions in the tree are
 * still counted as pending. `id` itself, a task that must be settled, is placed anew and counts as pending. Headers
 * have to be placed by spine_place() afterwards. */
void image_tree_widen(struct image_tree *t, action_id id, bool (*pending)(void *ctx, action_id action), void *ctx);
/* Puts steps in the order of images. For each of them, all that it depends on must be there. */
void image_sort(const struct image_tree *t, struct closure *c, U32Vec *steps);
/* The node that `step` leads to from `parent`; it is added if it isn't there. */
node_id image_tree_child(struct image_tree *t, node_id parent, action_id step);
/* The steps of images that hold `id` are others now: every pending task that depends on it gets its new place. */
void image_tree_replace(struct image_tree *t, action_id id, bool (*pending)(void *ctx, action_id action), void *ctx);
/* Appends the steps of the image of `id`, in no particular order. Where the FASL of a file is among them, its header is
 * not. */
void image_steps(struct closure *c, action_id id, U32Vec *out);
/* A tree with nothing but its root. */
void image_tree_bare(struct image_tree *t);
void image_tree_release(struct image_tree *t);
/* One pending action of `node` is settled (it ran, or needn't). */
void image_tree_settle(struct image_tree *t, node_id node);
/* One more action will run at `node`. */
void image_tree_unsettle(struct image_tree *t, node_id node);
/* The steps from `from` (an ancestor, exclusive) to `to` (inclusive), root side first. */
void image_tree_path(const struct image_tree *t, node_id from, node_id to, U32Vec *ret_nodes);

#endif
