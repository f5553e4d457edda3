#include "graph/headers.h"

#include <stdlib.h>

static bool same_component(const struct action *a, const struct action *b)
{
	if (a->system != b->system || a->ncomponent != b->ncomponent)
		return false;
	for (uint32_t i = 0; i < a->ncomponent; i++)
		if (!str_eq(a->component[i], b->component[i]))
			return false;
	return true;
}

/* The compile whose FASL the load `a` is about, if it loads that and nothing else. */
static action_id compile_of(const struct graph *g, const struct action *a)
{
	action_id found = NO_ID;
	if (a->kind != ACTION_LOAD || a->ninputs != 1 || a->inputs[0].producer == NO_ID)
		return NO_ID;
	for (uint32_t d = 0; d < a->ndeps; d++)
		if (a->deps[d] == a->inputs[0].producer)
			found = a->deps[d];
	if (found == NO_ID)
		return NO_ID;
	const struct action *c = graph_action(g, found);
	return c->kind == ACTION_COMPILE && same_component(a, c) ? found : NO_ID;
}

/* Nodes that only carry a few dependencies get no twin: who depends on one depends on what that would carry. A count
 * that depends on the node alone, so that keys do not depend on what else is built. */
#define CARRIED_THROUGH 4

struct through {
	action_id *deps;
	uint32_t n;
};

struct mapper {
	struct graph *graph;
	struct through *through; /* by action */
	U32Vec deps;
	uint32_t *mark;
	uint32_t epoch;
};

static void add_mapped(struct mapper *m, action_id to)
{
	if (m->mark[to] == m->epoch)
		return;
	m->mark[to] = m->epoch;
	vec_push(&m->deps, to);
}

static void map_deps(struct mapper *m, const action_id *deps, uint32_t n, action_id except)
{
	for (uint32_t d = 0; d < n; d++) {
		action_id to = deps[d], twin = graph_action(m->graph, to)->twin;
		if (to == except)
			continue;
		const struct through *t = &m->through[to];
		if (t->deps)
			for (uint32_t i = 0; i < t->n; i++)
				add_mapped(m, t->deps[i]);
		else
			add_mapped(m, twin == NO_ID ? to : twin);
	}
}

static void set_deps(struct mapper *m, action_id id)
{
	struct action *a = graph_action(m->graph, id);
	a->ndeps = (uint32_t)m->deps.len;
	a->deps = arena_new_n(&m->graph->arena, action_id, m->deps.len);
	if (m->deps.len)
		memcpy(a->deps, m->deps.ptr, m->deps.len * sizeof(*a->deps));
}

/* True if what `a` carries is another thing where images hold headers. */
static bool any_twin(const struct mapper *m, const struct action *a)
{
	const struct graph *g = m->graph;
	for (uint32_t d = 0; d < a->ndeps; d++) {
		const struct action *dep = graph_action(g, a->deps[d]);
		if (dep->twin != NO_ID || m->through[a->deps[d]].deps ||
		    (a->kind == ACTION_NONE && dep->kind == ACTION_COMPILE))
			return true;
	}
	return false;
}

static void add_twin(struct mapper *m, action_id id, enum action_kind kind, const char *what)
{
	struct graph *g = m->graph;
	action_id twin = (action_id)g->actions.len;
	struct action a = *graph_action(g, id);
	a.kind = kind;
	a.label = str_fmt(&g->arena, "%.*s (%s)", STR_ARG(a.label), what);
	a.header_side = true;
	a.load_of = id;
	vec_push(&g->actions, a);
	graph_action(g, id)->twin = twin;
	set_deps(m, twin);
}

static void carry_through(struct mapper *m, action_id id)
{
	struct through *t = &m->through[id];
	t->n = (uint32_t)m->deps.len;
	t->deps = arena_new_n(&m->graph->arena, action_id, m->deps.len + 1);
	if (t->n)
		memcpy(t->deps, m->deps.ptr, t->n * sizeof(*t->deps));
}

static void drop_compiles(struct mapper *m)
{
	size_t kept = 0;
	for (size_t i = 0; i < m->deps.len; i++)
		if (graph_action(m->graph, m->deps.ptr[i])->kind != ACTION_COMPILE)
			m->deps.ptr[kept++] = m->deps.ptr[i];
	m->deps.len = kept;
}

static void visit(struct mapper *m, action_id id)
{
	struct graph *g = m->graph;
	struct action *a = graph_action(g, id);
	action_id compile = compile_of(g, a);
	vec_clear(&m->deps);
	m->epoch++;
	if (compile != NO_ID) {
		const struct action *c = graph_action(g, compile);
		const action_id *deps = c->classic_deps ? c->classic_deps : c->deps;
		map_deps(m, deps, c->classic_deps ? c->nclassic_deps : c->ndeps, NO_ID);
		map_deps(m, a->deps, a->ndeps, compile);
		add_twin(m, id, ACTION_HEADER, "header");
		action_id header = graph_action(g, id)->twin;
		struct action *h = graph_action(g, header);
		if (graph_action(g, compile)->header == NO_ID)
			graph_action(g, compile)->header = header;
		h->header_of = compile;
		h->ninputs = 1;
		h->inputs = graph_action(g, compile)->inputs;
		h->noutputs = h->nuser_outputs = 0;
	} else if (any_twin(m, a) && a->kind == ACTION_COMPILE) {
		map_deps(m, a->deps, a->ndeps, NO_ID);
		a->classic_deps = a->deps;
		a->nclassic_deps = a->ndeps;
		set_deps(m, id);
	} else if (a->kind == ACTION_COMPILE) {
		a->either_side = true;
	} else if (any_twin(m, a) && !action_kind_is_task(a->kind) && a->kind != ACTION_ASD) {
		map_deps(m, a->deps, a->ndeps, NO_ID);
		/* A module's compile-op waits for the compiles in it; who needs their effects depends on their loads.
		 */
		if (a->kind == ACTION_NONE)
			drop_compiles(m);
		if (a->kind == ACTION_NONE && m->deps.len <= CARRIED_THROUGH)
			carry_through(m, id);
		else
			add_twin(m, id, a->kind, "with headers");
	}
}

/* About how many there will be. */
static size_t count_twins(const struct graph *g)
{
	size_t n = 0;
	for (size_t i = 0; i < g->actions.len; i++)
		n += g->actions.ptr[i].kind == ACTION_LOAD;
	return n + n / 8;
}

bool graph_add_headers(struct graph *g, struct err *err)
{
	struct mapper m = {.graph = g};
	/* At most one twin for each. */
	m.mark = xcalloc(2 * g->actions.len + 1, sizeof(*m.mark));
	m.through = xcalloc(g->actions.len + 1, sizeof(*m.through));
	vec_reserve(&g->actions, g->actions.len + count_twins(g));
	for (size_t i = 0; i < g->by_order.len; i++)
		visit(&m, g->by_order.ptr[i]);
	vec_release(&m.deps);
	free(m.through);
	free(m.mark);
	return graph_finish(g, err);
}

void graph_depend_on_twins(struct graph *g, action_id compile, const action_id *steps, size_t n)
{
	struct action *c = graph_action(g, compile);
	action_id header = c->header;
	if (c->either_side) {
		c->either_side = false;
		c->classic_deps = c->deps;
		c->nclassic_deps = c->ndeps;
	}
	graph_depend(g, compile, steps, n);
	if (!c->classic_deps)
		return;
	action_id *all = arena_new_n(&g->arena, action_id, c->nclassic_deps + n), *added = all + c->nclassic_deps;
	memcpy(all, c->classic_deps, c->nclassic_deps * sizeof(*all));
	for (size_t i = 0; i < n; i++) {
		action_id original = graph_action(g, steps[i])->load_of;
		added[i] = original == NO_ID ? steps[i] : original;
	}
	c->classic_deps = all;
	c->nclassic_deps += (uint32_t)n;
	if (header != NO_ID)
		graph_depend(g, graph_action(g, header)->load_of, added, n);
}

static void drop_reverse_edge(struct action *dep, action_id from)
{
	uint32_t kept = 0;
	for (uint32_t r = 0; r < dep->nrdeps; r++)
		if (dep->rdeps[r] != from)
			dep->rdeps[kept++] = dep->rdeps[r];
	dep->nrdeps = kept;
}

bool graph_use_fasls(struct graph *g, action_id id)
{
	struct action *a = graph_action(g, id);
	if (!a->classic_deps)
		return false;
	for (uint32_t d = 0; d < a->ndeps; d++)
		drop_reverse_edge(graph_action(g, a->deps[d]), id);
	a->ndeps = 0;
	graph_depend(g, id, a->classic_deps, a->nclassic_deps);
	a->classic_deps = NULL;
	return true;
}

void graph_refuse_header(struct graph *g, action_id id, bool throughout)
{
	struct action *a = graph_action(g, id);
	const struct action *load = graph_action(g, a->load_of);
	CHECK(a->kind == ACTION_HEADER);
	a->kind = ACTION_LOAD;
	a->inputs = load->inputs;
	a->ninputs = load->ninputs;
	graph_depend(g, id, throughout ? &a->load_of : &a->header_of, 1);
}
