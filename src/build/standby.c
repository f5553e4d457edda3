#include "build/standby.h"

#include <stdlib.h>

#include "build/build.h"

/* What is made again sooner needs no process that waits. */
#define WORTH_NS 100000000

struct look {
	struct build *build;
	U32Vec *headers;     /* by family: its headers in the front end's order */
	uint64_t *preceding; /* by action: what the headers take that stand before it, in ns */
};

static uint32_t family_of(const struct build *b, action_id id)
{
	system_id system = graph_action(b->graph, id)->system;
	return system == NO_ID ? UINT32_MAX : b->family[system];
}

static void look_at_order(struct look *l)
{
	struct build *b = l->build;
	uint64_t ns = 0;
	for (size_t i = 0; i < b->graph->by_order.len; i++) {
		action_id id = b->graph->by_order.ptr[i];
		uint32_t family = family_of(b, id);
		l->preceding[id] = ns;
		if (graph_action(b->graph, id)->kind != ACTION_HEADER || family == UINT32_MAX)
			continue;
		ns += sched_weight(b->sched, id);
		vec_push(&l->headers[family], id);
	}
}

/* The image of the unit `id` without what stands, in the image with all that precedes it in its family, behind the
 * first header that it lacks. 0: it lacks none, or there is nothing before that. */
static node_id common_image(const struct look *l, action_id id, U32Vec *path)
{
	const struct build *b = l->build;
	const struct image_node *nodes = b->images.nodes.ptr;
	uint32_t family = family_of(b, id), order = graph_action(b->graph, id)->order;
	const U32Vec *all = &l->headers[family];
	size_t next = 0;
	vec_clear(path);
	for (node_id n = b->images.node_of[id]; n; n = nodes[n].parent)
		vec_push(path, n);
	for (size_t i = path->len; i-- > 0;) {
		action_id step = nodes[path->ptr[i]].step;
		if (graph_action(b->graph, step)->kind != ACTION_HEADER || family_of(b, step) != family)
			continue;
		if (next == all->len || all->ptr[next] != step)
			return nodes[path->ptr[i]].parent;
		next++;
	}
	bool lacks = next < all->len && graph_action(b->graph, all->ptr[next])->order < order;
	return lacks ? b->images.node_of[id] : 0;
}

void standby_expect(struct build *b, const U32Vec *open)
{
	struct look l = {.build = b};
	U32Vec path = {0};
	l.headers = xcalloc(b->graph->systems.len + 1, sizeof(*l.headers));
	l.preceding = xcalloc(b->graph->actions.len + 1, sizeof(*l.preceding));
	look_at_order(&l);
	for (size_t i = 0; i < open->len; i++) {
		action_id id = open->ptr[i];
		struct unit *u = &b->units[id];
		u->standby = 0; /* the tree is another one than before */
		if (u->lax || !lax_allowed(b, id) || b->images.node_of[id] == UINT32_MAX ||
		    l.preceding[id] < WORTH_NS || family_of(b, id) == UINT32_MAX)
			continue;
		u->standby = common_image(&l, id, &path);
		if (u->standby)
			image_tree_unsettle(&b->images, u->standby);
	}
	for (size_t i = 0; i < b->graph->systems.len; i++)
		vec_release(&l.headers[i]);
	free(l.headers);
	free(l.preceding);
	vec_release(&path);
}

void standby_release(struct build *b, action_id id)
{
	struct unit *u = &b->units[id];
	if (u->standby)
		image_tree_settle(&b->images, u->standby);
	u->standby = 0;
}
