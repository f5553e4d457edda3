#include "graph/precedence.h"

#include <stdlib.h>

struct edge {
	uint32_t from, to; /* groups: `from` depends on `to` */
};

/* Systems, and actions without one. The earlier in the front end's order, the higher their numbers. */
struct groups {
	uint32_t *of; /* by action */
	uint32_t n;
	Vec(struct edge) edges; /* each once, those from a group in a row */
	uint32_t *first;        /* by group: its first edge; the end for one more */
	uint64_t *size;         /* by group: of its image, itself included */
	uint32_t *users;        /* by group: how many hold it */
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

/* Numbers go by what comes last of a group, so that sorted edges come nearly as they are needed. */
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

static void measure(struct groups *s, const struct graph *g)
{
	uint32_t *actions = xcalloc(s->n + 1, sizeof(*actions));
	uint64_t *reached_by = xmalloc((s->n + 1) * sizeof(*reached_by));
	s->size = xcalloc(s->n + 1, sizeof(*s->size));
	s->users = xcalloc(s->n + 1, sizeof(*s->users));
	for (size_t i = 0; i < g->actions.len; i++)
		actions[s->of[i]]++;
	/* 64 groups at a time: which of them reach a group is a word. */
	for (uint32_t first = 0; first < s->n; first += 64) {
		memset(reached_by, 0, s->n * sizeof(*reached_by));
		for (uint32_t k = first; k < s->n && k < first + 64; k++)
			reached_by[k] = UINT64_C(1) << (k - first);
		while (pass(s, reached_by))
			;
		for (uint32_t k = 0; k < s->n; k++)
			for (uint64_t by = reached_by[k]; by; by &= by - 1) {
				s->size[first + (uint32_t)__builtin_ctzll(by)] += actions[k];
				s->users[k]++;
			}
	}
	free(actions);
	free(reached_by);
}

/* Groups: the larger image first, then what is more widely used, then the front end's order. */
static int by_size(const void *pa, const void *pb, void *groups)
{
	const struct groups *s = groups;
	uint32_t a = *(const uint32_t *)pa, b = *(const uint32_t *)pb;
	if (s->size[a] != s->size[b])
		return s->size[a] > s->size[b] ? -1 : 1;
	if (s->users[a] != s->users[b])
		return s->users[a] > s->users[b] ? -1 : 1;
	return a > b ? -1 : a < b;
}

static int by_size_of_end(const void *pa, const void *pb, void *groups)
{
	const struct edge *a = pa, *b = pb;
	if (a->from != b->from)
		return a->from < b->from ? -1 : 1;
	return by_size(&a->to, &b->to, groups);
}

static void order_edges(struct groups *s)
{
	if (s->edges.len)
		qsort_r(s->edges.ptr, s->edges.len, sizeof(*s->edges.ptr), by_size_of_end, s);
	s->first = xcalloc(s->n + 2, sizeof(*s->first));
	for (size_t i = 0; i < s->edges.len; i++)
		s->first[s->edges.ptr[i].from + 1]++;
	for (uint32_t k = 0; k < s->n; k++)
		s->first[k + 1] += s->first[k];
}

/* Tarjan's search: circles are found when they are left, what they depend on before them. */
struct search {
	const struct groups *groups;
	uint32_t *found;  /* by group: when, from 1; 0: not yet */
	uint32_t *oldest; /* by group: the oldest one on the stack that it is known to lead to */
	uint32_t *place;  /* by group: what is asked for */
	uint32_t *edge;   /* by group: the next to follow */
	U32Vec path, stack;
	uint32_t nfound, nplaces;
};

static void enter(struct search *v, uint32_t k)
{
	v->found[k] = v->oldest[k] = ++v->nfound;
	v->edge[k] = v->groups->first[k];
	vec_push(&v->path, k);
	vec_push(&v->stack, k);
}

static void leave(struct search *v, uint32_t k)
{
	(void)vec_pop(&v->path);
	if (v->path.len) {
		uint32_t above = vec_last(&v->path);
		v->oldest[above] = MIN(v->oldest[above], v->oldest[k]);
	}
	if (v->oldest[k] != v->found[k])
		return;
	uint32_t member;
	do {
		member = vec_pop(&v->stack);
		v->place[member] = v->nplaces;
	} while (member != k);
	v->nplaces++;
}

static void visit(struct search *v, uint32_t start)
{
	const struct groups *s = v->groups;
	enter(v, start);
	while (v->path.len) {
		uint32_t k = vec_last(&v->path);
		if (v->edge[k] == s->first[k + 1]) {
			leave(v, k);
			continue;
		}
		uint32_t to = s->edges.ptr[v->edge[k]++].to;
		if (!v->found[to])
			enter(v, to);
		else if (v->place[to] == UINT32_MAX)
			v->oldest[k] = MIN(v->oldest[k], v->found[to]);
	}
}

static uint32_t *places(struct groups *s)
{
	struct search v = {.groups = s};
	uint32_t *roots = xmalloc((s->n + 1) * sizeof(*roots));
	v.found = xcalloc(s->n + 1, sizeof(*v.found));
	v.oldest = xcalloc(s->n + 1, sizeof(*v.oldest));
	v.edge = xcalloc(s->n + 1, sizeof(*v.edge));
	v.place = xmalloc((s->n + 1) * sizeof(*v.place));
	memset(v.place, 0xff, (s->n + 1) * sizeof(*v.place));
	for (uint32_t k = 0; k < s->n; k++)
		roots[k] = k;
	qsort_r(roots, s->n, sizeof(*roots), by_size, s);
	for (uint32_t k = 0; k < s->n; k++)
		if (!v.found[roots[k]])
			visit(&v, roots[k]);
	free(roots);
	free(v.found);
	free(v.oldest);
	free(v.edge);
	vec_release(&v.path);
	vec_release(&v.stack);
	return v.place;
}

uint32_t *graph_precedence(const struct graph *g)
{
	struct groups s = {0};
	collect(&s, g);
	measure(&s, g);
	order_edges(&s);
	uint32_t *place = places(&s);
	uint32_t *precedence = xcalloc(g->actions.len + 1, sizeof(*precedence));
	for (size_t i = 0; i < g->actions.len; i++)
		precedence[i] = place[s.of[i]];
	free(place);
	free(s.of);
	free(s.first);
	free(s.size);
	free(s.users);
	vec_release(&s.edges);
	return precedence;
}
