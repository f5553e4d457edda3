#include "graph/weight.h"

#include <stdlib.h>

struct edge {
	uint32_t from, to; /* groups: `from` depends on `to` */
};

struct groups {
	uint32_t *of; /* by action */
	uint32_t n;
	Vec(struct edge) edges; /* each once; those of an action before those of what it depends on */
};

static int by_ends(const void *pa, const void *pb)
{
	const struct edge *a = pa, *b = pb;
	if (a->from != b->from)
		return a->from < b->from ? -1 : 1;
	return a->to < b->to ? -1 : a->to > b->to;
}

static void add_edges(struct groups *s, action_id from, const action_id *deps, uint32_t n)
{
	for (uint32_t d = 0; d < n; d++) {
		struct edge e = {s->of[from], s->of[deps[d]]};
		if (e.from != e.to && !(s->edges.len && by_ends(&e, &vec_last(&s->edges)) == 0))
			vec_push(&s->edges, e);
	}
}

/* Groups are numbered by the order of their first actions, so that sorted edges come nearly as they are needed. */
static void collect(struct groups *s, const struct graph *g)
{
	uint32_t *of_system = xmalloc((g->systems.len + 1) * sizeof(*of_system));
	memset(of_system, 0xff, (g->systems.len + 1) * sizeof(*of_system));
	s->of = xmalloc((g->actions.len + 1) * sizeof(*s->of));
	for (size_t i = g->by_order.len; i-- > 0;) {
		action_id id = g->by_order.ptr[i];
		system_id system = graph_action(g, id)->system;
		uint32_t *group = system == NO_ID ? NULL : &of_system[system];
		if (group && *group == UINT32_MAX)
			*group = s->n++;
		s->of[id] = group ? *group : s->n++;
	}
	for (size_t i = 0; i < g->actions.len; i++) {
		const struct action *a = graph_action(g, (action_id)i);
		add_edges(s, (action_id)i, a->deps, a->ndeps);
		if (a->classic_deps)
			add_edges(s, (action_id)i, a->classic_deps, a->nclassic_deps);
	}
	size_t kept = 0;
	if (s->edges.len)
		qsort(s->edges.ptr, s->edges.len, sizeof(*s->edges.ptr), by_ends);
	for (size_t i = 0; i < s->edges.len; i++)
		if (!kept || by_ends(&s->edges.ptr[i], &s->edges.ptr[kept - 1]) != 0)
			s->edges.ptr[kept++] = s->edges.ptr[i];
	s->edges.len = kept;
	free(of_system);
}

/* True if a group came to be reached by others than before. */
static bool pass(const struct groups *s, uint64_t *reached_by)
{
	bool changed = false;
	for (size_t i = 0; i < s->edges.len; i++) {
		const struct edge *e = &s->edges.ptr[i];
		uint64_t more = reached_by[e->from] & ~reached_by[e->to];
		reached_by[e->to] |= more;
		changed |= more != 0;
	}
	return changed;
}

uint32_t *graph_weights(const struct graph *g)
{
	struct groups s = {0};
	collect(&s, g);
	uint32_t *of_group = xcalloc(s.n + 1, sizeof(*of_group));
	uint64_t *reached_by = xmalloc((s.n + 1) * sizeof(*reached_by));
	/* 64 groups at a time: who depends on each group is a word. */
	for (uint32_t first = 0; first < s.n; first += 64) {
		memset(reached_by, 0, s.n * sizeof(*reached_by));
		for (uint32_t k = first; k < s.n && k < first + 64; k++)
			reached_by[k] = UINT64_C(1) << (k - first);
		while (pass(&s, reached_by))
			;
		for (uint32_t k = 0; k < s.n; k++)
			of_group[k] += (uint32_t)__builtin_popcountll(reached_by[k]);
	}
	uint32_t *weights = xcalloc(g->actions.len + 1, sizeof(*weights));
	for (size_t i = 0; i < g->actions.len; i++)
		weights[i] = of_group[s.of[i]];
	free(of_group);
	free(reached_by);
	free(s.of);
	vec_release(&s.edges);
	return weights;
}
