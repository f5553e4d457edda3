#include "graph/graph.h"

#include <stdlib.h>

bool action_kind_is_task(enum action_kind k)
{
	return k == ACTION_COMPILE || k == ACTION_OPAQUE || k == ACTION_WHOLE;
}

bool action_kind_is_step(enum action_kind k)
{
	return k == ACTION_LOAD || k == ACTION_EFFECT || k == ACTION_REQUIRE || k == ACTION_ASD || k == ACTION_HEADER;
}

bool action_kind_runs(enum action_kind k)
{
	return action_kind_is_task(k) || k == ACTION_HEADER;
}

bool action_kind_any(enum action_kind k)
{
	(void)k;
	return true;
}

const char *action_kind_name(enum action_kind k)
{
	static const char *const names[] = {
	        [ACTION_NONE] = "none",       [ACTION_COMPILE] = "compile", [ACTION_OPAQUE] = "opaque",
	        [ACTION_WHOLE] = "whole",     [ACTION_LOAD] = "load",       [ACTION_EFFECT] = "effect",
	        [ACTION_REQUIRE] = "require", [ACTION_ASD] = "asd",         [ACTION_HEADER] = "header",
	};
	return names[k];
}

struct action action_new(enum action_kind kind)
{
	return (struct action){
	        .kind = kind, .system = NO_ID, .header_of = NO_ID, .header = NO_ID, .twin = NO_ID, .load_of = NO_ID};
}

void graph_release(struct graph *g)
{
	vec_release(&g->actions);
	vec_release(&g->systems);
	vec_release(&g->targets);
	vec_release(&g->by_order);
	map_release(&g->system_by_name);
	arena_release(&g->arena);
}

struct action *graph_action(const struct graph *g, action_id id)
{
	CHECK(id < g->actions.len);
	return &g->actions.ptr[id];
}

struct system *graph_system(const struct graph *g, system_id id)
{
	CHECK(id < g->systems.len);
	return &g->systems.ptr[id];
}

system_id graph_find_system(const struct graph *g, struct str name)
{
	uint64_t id;
	return map_get(&g->system_by_name, name, &id) ? (system_id)id : NO_ID;
}

static void fill_reverse_edges(struct graph *g)
{
	for (size_t i = 0; i < g->actions.len; i++)
		g->actions.ptr[i].nrdeps = 0;
	for (size_t i = 0; i < g->actions.len; i++)
		for (uint32_t d = 0; d < g->actions.ptr[i].ndeps; d++)
			graph_action(g, g->actions.ptr[i].deps[d])->nrdeps++;
	for (size_t i = 0; i < g->actions.len; i++) {
		struct action *a = &g->actions.ptr[i];
		a->rdeps = arena_new_n(&g->arena, action_id, a->nrdeps);
		a->nrdeps = 0;
	}
	for (size_t i = 0; i < g->actions.len; i++)
		for (uint32_t d = 0; d < g->actions.ptr[i].ndeps; d++) {
			struct action *dep = graph_action(g, g->actions.ptr[i].deps[d]);
			dep->rdeps[dep->nrdeps++] = (action_id)i;
		}
}

/* What people call it: its description's file, its system where the cycle leads through several, or its own file. */
static struct str cycle_name(const struct graph *g, const struct action *a, bool several)
{
	if (a->kind == ACTION_ASD)
		return a->path;
	if (several && a->system != NO_ID)
		return graph_system(g, a->system)->name;
	for (uint32_t i = 0; i < a->ninputs; i++)
		if (a->inputs[i].producer == NO_ID)
			return a->inputs[i].path;
	return a->ncomponent ? a->component[a->ncomponent - 1] : a->label;
}

/* Several actions of one file or system count once. */
static void name_cycle(const struct graph *g, const action_id *ids, size_t n, struct err *err)
{
	bool several = false;
	StrVec names = {0};
	struct buf text = {0};
	CHECK(n);
	for (size_t i = 1; i < n; i++)
		several |= graph_action(g, ids[i])->system != graph_action(g, ids[0])->system;
	for (size_t i = 0; i < n; i++) {
		struct str name = cycle_name(g, graph_action(g, ids[i]), several);
		if (!names.len || !str_eq(vec_last(&names), name))
			vec_push(&names, name);
	}
	while (names.len > 1 && str_eq(names.ptr[0], vec_last(&names)))
		names.len--;
	for (size_t i = 0; i < names.len; i++)
		buf_addf(&text, "%.*s → ", STR_ARG(names.ptr[i]));
	buf_adds(&text, names.ptr[0]);
	err_set(err, ERR_USER, "circular dependency: %s", buf_cstr(&text));
	buf_release(&text);
	vec_release(&names);
}

/* Every node that a topological sort leaves over lies on a cycle or behind one: following unfinished dependencies from
 * any of them must come back to a node seen before. */
static bool report_cycle(const struct graph *g, const uint32_t *waiting, struct err *err)
{
	action_id at = 0;
	while (!waiting[at])
		at++;
	uint32_t *seen = xcalloc(g->actions.len, sizeof(*seen));
	U32Vec path = {0};
	do {
		vec_push(&path, at);
		seen[at] = (uint32_t)path.len;
		const struct action *a = graph_action(g, at);
		uint32_t d = 0;
		while (!waiting[a->deps[d]])
			d++;
		at = a->deps[d];
	} while (!seen[at]);
	name_cycle(g, path.ptr + seen[at] - 1, path.len + 1 - seen[at], err);
	vec_release(&path);
	free(seen);
	return false;
}

bool graph_reorder(struct graph *g, struct err *err)
{
	vec_clear(&g->by_order);
	uint32_t *waiting = xcalloc(g->actions.len + 1, sizeof(*waiting));
	vec_reserve(&g->by_order, g->actions.len);
	for (size_t i = 0; i < g->actions.len; i++) {
		waiting[i] = g->actions.ptr[i].ndeps;
		if (!waiting[i])
			vec_push(&g->by_order, (uint32_t)i);
	}
	for (size_t head = 0; head < g->by_order.len; head++) {
		const struct action *a = graph_action(g, g->by_order.ptr[head]);
		for (uint32_t r = 0; r < a->nrdeps; r++)
			if (!--waiting[a->rdeps[r]])
				vec_push(&g->by_order, a->rdeps[r]);
	}
	bool ok = g->by_order.len == g->actions.len || report_cycle(g, waiting, err);
	free(waiting);
	return ok;
}

static action_id *joined(struct graph *g, const action_id *a, size_t na, const action_id *b, size_t nb)
{
	action_id *all = arena_new_n(&g->arena, action_id, na + nb);
	if (na)
		memcpy(all, a, na * sizeof(*all));
	if (nb)
		memcpy(all + na, b, nb * sizeof(*all));
	return all;
}

void graph_depend(struct graph *g, action_id id, const action_id *deps, size_t n)
{
	struct action *a = graph_action(g, id);
	a->deps = joined(g, a->deps, a->ndeps, deps, n);
	a->ndeps += (uint32_t)n;
	for (size_t i = 0; i < n; i++) {
		struct action *dep = graph_action(g, deps[i]);
		dep->rdeps = joined(g, dep->rdeps, dep->nrdeps, &id, 1);
		dep->nrdeps++;
	}
}

bool graph_finish(struct graph *g, struct err *err)
{
	fill_reverse_edges(g);
	return graph_reorder(g, err);
}

void closure_init(struct closure *c, const struct graph *g)
{
	*c = (struct closure){.graph = g, .mark = xcalloc(g->actions.len + 1, sizeof(uint32_t))};
}

void closure_release(struct closure *c)
{
	free(c->mark);
	vec_release(&c->stack);
	*c = (struct closure){0};
}

void closure_of(struct closure *c, action_id id, bool (*want)(enum action_kind), U32Vec *out)
{
	if (++c->epoch == 0)
		BUG("too many closures of one graph");
	c->mark[id] = c->epoch;
	vec_clear(&c->stack);
	vec_push(&c->stack, id);
	while (c->stack.len) {
		action_id at = vec_pop(&c->stack);
		const struct action *a = graph_action(c->graph, at);
		/* A compile below a load is the one that made its FASL; it is reached from where there are no headers.
		 */
		bool classic = at != id && a->classic_deps;
		const action_id *deps = classic ? a->classic_deps : a->deps;
		for (uint32_t d = 0; d < (classic ? a->nclassic_deps : a->ndeps); d++) {
			action_id dep = deps[d];
			/* A load that was to be a header waits for the compile, but its image is one of headers. */
			if (c->mark[dep] == c->epoch || (a->header_side && dep == a->header_of))
				continue;
			c->mark[dep] = c->epoch;
			if (want(graph_action(c->graph, dep)->kind))
				vec_push(out, dep);
			vec_push(&c->stack, dep);
		}
	}
}
