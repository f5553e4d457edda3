#include "build/urgency.h"

#include <stdlib.h>

/* What a step takes that is not a header yet to be made. */
#define STEP_NS    3000000
/* What waits for images had better be early than late. */
#define MARGIN     2
/* Before all else. */
#define AT_ONCE_NS (UINT64_MAX / 4)

struct look {
	struct build *build;
	uint64_t *behind;    /* by node: the longest way from there to the end of an action below it */
	uint64_t *apart;     /* by node: what its image takes from where it leaves the spine */
	uint64_t *held;      /* by node: what the last steps of its image take that are of one family */
	uint32_t *last;      /* by node: that family */
	uint8_t *spine;      /* by node: a header is made there, or further down */
	uint64_t *preceding; /* by action: the headers of all that stands before it */
	uint64_t *akin;      /* likewise: of those of its own family */
};

static uint64_t step_ns(const struct build *b, action_id step)
{
	if (action_is_header(b, step) && b->units[step].wall_ns)
		return b->units[step].wall_ns;
	uint64_t weight = action_is_header(b, step) ? sched_weight(b->sched, step) : 0;
	return weight ? weight : STEP_NS;
}

static bool is_open(const struct build *b, action_id id)
{
	return b->images.node_of[id] != UINT32_MAX && sched_weight(b->sched, id) > 0 && !b->units[id].ended;
}

/* In the front end's order. */
static void look_at_order(struct look *l)
{
	struct build *b = l->build;
	const struct graph *g = b->graph;
	uint64_t headers = 0, *of_family = xcalloc(g->systems.len + 1, sizeof(*of_family));
	for (size_t i = 0; i < g->by_order.len; i++) {
		action_id id = g->by_order.ptr[i];
		const struct action *a = graph_action(g, id);
		if (a->system == NO_ID)
			continue;
		uint64_t *family = &of_family[l->build->family[a->system]];
		l->preceding[id] = headers;
		l->akin[id] = *family;
		if (a->kind == ACTION_HEADER) {
			headers += step_ns(b, id);
			*family += step_ns(b, id);
		}
	}
	free(of_family);
}

/* The file's header could not be made with what it declares. Its compile will fail alike, soon, and what it needs then
 * is what else its system lacks. */
static bool lacks_for_sure(const struct build *b, action_id id)
{
	action_id header = graph_action(b->graph, id)->header;
	return header != NO_ID && b->units[header].lax && !b->units[id].lax && lax_allowed(b, id);
}

static bool holds_own_system(const struct build *b, action_id id)
{
	system_id system = graph_action(b->graph, id)->system;
	for (node_id n = b->images.node_of[id]; n; n = b->images.nodes.ptr[n].parent)
		if (graph_action(b->graph, b->images.nodes.ptr[n].step)->system == system)
			return true;
	return false;
}

/* A file that turns out to lack declarations is compiled once more, in an image with what precedes it; none that
 * declares all of that. One that depends on none of its own system, and is not the first one there, nearly always lacks
 * its package; and what it gets then brings along all that the others depend on. */
static uint64_t second_try_ns(const struct look *l, action_id id)
{
	const struct build *b = l->build;
	node_id n = b->images.node_of[id];
	if (b->units[id].lax || !lax_allowed(b, id))
		return 0;
	uint64_t held = l->last[n] == l->build->family[graph_action(b->graph, id)->system] ? l->held[n] : 0;
	if (held >= l->akin[id])
		return 0;
	return holds_own_system(b, id) ? l->akin[id] - held : l->preceding[id];
}

/* Nodes are numbered after their parents. */
static void look_down(struct look *l)
{
	const struct build *b = l->build;
	const struct image_node *nodes = b->images.nodes.ptr;
	l->last[0] = UINT32_MAX;
	for (node_id n = 1; n < b->images.nodes.len; n++) {
		node_id parent = nodes[n].parent;
		system_id system = graph_action(b->graph, nodes[n].step)->system;
		uint64_t ns = step_ns(b, nodes[n].step);
		if (!l->spine[n])
			l->apart[n] = l->apart[parent] + ns;
		l->last[n] = system == NO_ID ? l->last[parent] : l->build->family[system];
		l->held[n] = l->last[n] == l->last[parent] ? l->held[parent] : 0;
		if (system != NO_ID)
			l->held[n] += ns;
	}
}

static void look_up(struct look *l)
{
	const struct build *b = l->build;
	const struct image_node *nodes = b->images.nodes.ptr;
	for (node_id n = (node_id)b->images.nodes.len; n-- > 1;) {
		uint64_t way = l->behind[n] ? l->behind[n] + step_ns(b, nodes[n].step) * MARGIN : 0;
		l->behind[nodes[n].parent] = MAX(l->behind[nodes[n].parent], way);
		l->spine[nodes[n].parent] |= l->spine[n];
	}
}

void urgency_tell(struct build *b)
{
	const struct graph *g = b->graph;
	size_t nnodes = b->images.nodes.len;
	struct look l = {.build = b};
	b->urgency_stale = false;
	l.behind = xcalloc(nnodes, sizeof(*l.behind));
	l.apart = xcalloc(nnodes, sizeof(*l.apart));
	l.held = xcalloc(nnodes, sizeof(*l.held));
	l.last = xcalloc(nnodes, sizeof(*l.last));
	l.spine = xcalloc(nnodes, 1);
	l.preceding = xcalloc(g->actions.len + 1, sizeof(*l.preceding));
	l.akin = xcalloc(g->actions.len + 1, sizeof(*l.akin));
	look_at_order(&l);
	for (size_t i = 0; i < g->actions.len; i++) {
		node_id n = is_open(b, (action_id)i) ? b->images.node_of[i] : 0;
		if (!n)
			continue;
		if (action_is_header(b, (action_id)i))
			l.spine[n] = 1;
		else
			l.behind[n] = MAX(l.behind[n], sched_weight(b->sched, (action_id)i));
	}
	look_up(&l);
	look_down(&l);
	for (size_t i = 0; i < g->actions.len; i++) {
		action_id id = (action_id)i;
		if (!is_open(b, id))
			continue;
		node_id n = b->images.node_of[id];
		/* If it was tried before, it is known what it takes. */
		uint64_t ns = MAX(sched_weight(b->sched, id), b->units[id].wall_ns);
		if (action_is_header(b, id))
			ns = ns * MARGIN + l.behind[n];
		else
			ns += l.apart[n] * MARGIN + second_try_ns(&l, id);
		if (lacks_for_sure(b, id))
			ns = AT_ONCE_NS;
		/* A second try comes where the first one was. */
		if (b->units[id].lax)
			ns = MAX(ns, b->units[id].urgency_ns);
		b->units[id].urgency_ns = ns;
		sched_urge(b->sched, id, ns);
	}
	sched_refresh(b->sched);
	free(l.behind);
	free(l.apart);
	free(l.held);
	free(l.last);
	free(l.spine);
	free(l.preceding);
	free(l.akin);
}
