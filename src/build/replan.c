/* Actions that turn out to need another image than was planned: they wait for more, and get new places in the tree. */
#include <stdlib.h>

#include "build/standby.h"
#include "build/urgency.h"
#include "graph/headers.h"
#include "graph/spine.h"

/* Steps that are made again rather than making a header apart: so many, and so many for each header that is left. */
#define FAR      32
#define FAR_EACH 8

bool replan_pending(void *ctx, action_id id)
{
	const struct build *b = ctx;
	enum sched_state state = sched_state(b->sched, id);
	return state == SCHED_BLOCKED || state == SCHED_READY;
}

/* Headers whose way has changed get their new places: those behind a file that gets no header leave the spine. */
static void move_headers(struct build *b)
{
	U32Vec headers = {0};
	CHECK(graph_reorder(b->graph, NULL));
	for (size_t i = 0; i < b->graph->actions.len; i++)
		if (b->graph->actions.ptr[i].kind == ACTION_HEADER && replan_pending(b, (action_id)i) &&
		    b->images.needed[i]) {
			vec_push(&headers, (uint32_t)i);
			b->units[i].prepared = false;
		}
	spine_place(&b->images, headers.ptr, headers.len);
	pool_tree_grew(b->session->pool);
	urgency_tell(b);
	vec_release(&headers);
}

/* The unit waits for what precedes it, and gets it into its image. */
bool replan_widen(struct build *b, action_id id)
{
	bool changed;
	lax_widen(b, id, &changed);
	if (!changed)
		return false;
	if (!sched_wait(b->sched, id)) {
		b->units[id].outcome = OUTCOME_SKIPPED;
		return true;
	}
	action_id header = graph_action(b->graph, id)->header;
	if (header != NO_ID && replan_pending(b, graph_action(b->graph, header)->load_of))
		sched_wait(b->sched, graph_action(b->graph, header)->load_of);
	image_tree_widen(&b->images, id, replan_pending, b);
	standby_release(b, id);
	move_headers(b);
	return true;
}

/* The unit waits for the FASLs that it needs, and for an image of these. */
bool replan_fasls(struct build *b, action_id id)
{
	if (!graph_use_fasls(b->graph, id))
		return false;
	unit_try_again(b, id);
	if (sched_wait(b->sched, id)) {
		image_tree_widen(&b->images, id, replan_pending, b);
		move_headers(b);
	} else {
		b->units[id].outcome = OUTCOME_SKIPPED;
	}
	return true;
}

/* The header, which has a place in the tree, waits for what it lacks. */
bool replan_widen_header(struct build *b, action_id id)
{
	if (!lax_widen_header(b, id))
		return false;
	b->units[id].prepared = false;
	pool_forget_failures(b->session->pool);
	if (!sched_wait(b->sched, id))
		b->units[id].ended = true;
	image_tree_widen(&b->images, id, replan_pending, b);
	move_headers(b);
	return true;
}

/* The file gets no header: its FASL takes the header's place. */
void replan_refuse_header(struct build *b, action_id id, bool slow)
{
	b->units[id].prepared = false;
	graph_refuse_header(b->graph, id, slow);
	pool_forget_failures(b->session->pool);
	if (!sched_wait(b->sched, id))
		b->units[id].ended = true;
	if (slow)
		image_tree_replace(&b->images, id, replan_pending, b);
	move_headers(b);
}

/* Steps that stand between a header's place on the spine and the next image above it. */
static uint32_t way_to(const struct build *b, action_id id)
{
	uint32_t n = 0;
	for (node_id at = b->images.node_of[id]; at && !pool_has_image(b->session->pool, at);
	     at = b->images.nodes.ptr[at].parent)
		n++;
	return n;
}

/* The image that `at` grows from. `known`: by node, what was found out before, and 1; 0: nothing yet. */
static node_id image_above(const struct build *b, node_id at, node_id *known)
{
	const struct image_node *nodes = b->images.nodes.ptr;
	node_id top = at;
	while (top && !known[top] && !pool_has_image(b->session->pool, top))
		top = nodes[top].parent;
	node_id image = known[top] ? known[top] - 1 : top;
	for (; at != top; at = nodes[at].parent)
		known[at] = image + 1;
	known[top] = image + 1;
	return image;
}

/* True if at least `n` headers of the spine are still to be made from the same image as `id`, which is among them: what
 * is made on the way to it serves them as well. */
static bool any_alike(struct build *b, action_id id, uint32_t n)
{
	node_id *known = xcalloc(b->images.nodes.len, sizeof(*known));
	node_id image = image_above(b, b->images.node_of[id], known);
	for (size_t i = 0; n && i < b->graph->actions.len; i++) {
		const struct action *other = &b->graph->actions.ptr[i];
		n -= other->kind == ACTION_HEADER && !other->apart && b->images.needed[i] && !b->units[i].known &&
		     replan_pending(b, (action_id)i) && b->images.node_of[i] != UINT32_MAX &&
		     image_above(b, b->images.node_of[i], known) == image;
	}
	free(known);
	return n == 0;
}

/* Where the spine has gone by, and few headers are left that need it, all that it holds would be made once more for
 * their sake. True: the header has got a place of its own. */
bool replan_stray(struct build *b, action_id id)
{
	struct action *a = graph_action(b->graph, id);
	uint32_t far = a->apart ? 0 : way_to(b, id);
	if (far < FAR || any_alike(b, id, far / FAR_EACH + 1))
		return false;
	a->apart = true;
	move_headers(b);
	return true;
}

/* What failed on the spine may do well where less is in the image. */
void replan_apart(struct build *b, action_id id, const struct pool_result *r)
{
	struct action *a = graph_action(b->graph, id);
	struct str step = r->step == NO_ID ? a->label : graph_action(b->graph, r->step)->label;
	session_note(b->session, NOTE_DEBUG, "\"%.*s\" failed among all headers; \"%.*s\" is made apart", STR_ARG(step),
	             STR_ARG(a->label));
	a->apart = true;
	image_tree_unsettle(&b->images, b->images.node_of[id]);
	sched_again(b->sched, id);
	move_headers(b);
}
