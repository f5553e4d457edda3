#include "build/deps.h"

#include <stdlib.h>

bool dep_is_missing(const struct dep *d)
{
	return d->needed && !d->reached;
}

bool dep_is_superfluous(const struct dep *d)
{
	return d->declared && !d->minimal;
}

bool system_dep_is_missing(const struct system_dep *d)
{
	return d->needed && !d->reached;
}

bool system_dep_is_superfluous(const struct system_dep *d)
{
	return d->declared && !d->needed && !d->called;
}

/* -- components -- */

static struct str key_of(struct arena *a, system_id system, struct str path)
{
	return str_fmt(a, "%u\n%.*s", system, STR_ARG(path));
}

component_id deps_find(const struct deps *d, system_id system, struct str path)
{
	struct arena a = {0};
	uint64_t id;
	bool found = map_get(&d->index, key_of(&a, system, path), &id);
	arena_release(&a);
	return found ? (component_id)id : NO_ID;
}

struct str *deps_names(const struct deps *d, struct arena *a, const struct component *c, uint32_t *ret_n)
{
	const struct component *all = d->components.ptr;
	uint32_t n = 0;
	for (const struct component *at = c; at; at = at->parent == NO_ID ? NULL : &all[at->parent])
		n++;
	struct str *names = arena_new_n(a, struct str, n);
	*ret_n = n;
	for (const struct component *at = c; at; at = at->parent == NO_ID ? NULL : &all[at->parent])
		names[--n] = at->name;
	return names;
}

static struct component *component(const struct deps *d, component_id id)
{
	CHECK(id < d->components.len);
	return &d->components.ptr[id];
}

static struct str join(struct arena *a, const struct str *names, uint32_t n)
{
	struct buf b = {0};
	for (uint32_t i = 0; i < n; i++)
		buf_addf(&b, "%s%.*s", i ? "/" : "", STR_ARG(names[i]));
	struct str text = str_dup(a, buf_str(&b));
	buf_release(&b);
	return text;
}

/* The component that the first `n` names of the action lead to; made if it is new. NO_ID: the system itself. */
static component_id ensure(struct deps *d, const struct action *a, uint32_t n)
{
	component_id parent = NO_ID;
	for (uint32_t i = 1; i <= n; i++) {
		struct str path = join(&d->arena, a->component, i);
		component_id id = deps_find(d, a->system, path);
		if (id == NO_ID) {
			id = (component_id)d->components.len;
			map_put(&d->index, key_of(&d->arena, a->system, path), id);
			vec_push(&d->components, (struct component){.system = a->system,
			                                            .parent = parent,
			                                            .name = a->component[i - 1],
			                                            .path = path,
			                                            .compile = NO_ID,
			                                            .surveyed = true,
			                                            .opaque = true});
		}
		parent = id;
	}
	return parent;
}

/* Marks a component and what holds it. */
static void for_all_above(struct deps *d, component_id id, void (*f)(struct component *c))
{
	for (; id != NO_ID; id = component(d, id)->parent)
		f(component(d, id));
}

static void mark_unsurveyed(struct component *c)
{
	c->surveyed = false;
}

static void mark_loading(struct component *c)
{
	c->opaque = false;
}

static bool in_systems(const system_id *systems, size_t n, system_id system)
{
	for (size_t i = 0; i < n; i++)
		if (systems[i] == system)
			return true;
	return false;
}

static int by_order(const void *pa, const void *pb, void *graph)
{
	uint32_t a = graph_action(graph, *(const action_id *)pa)->order;
	uint32_t b = graph_action(graph, *(const action_id *)pb)->order;
	return a < b ? -1 : a > b;
}

static void make_components(struct deps *d, const system_id *systems, size_t n)
{
	const struct graph *g = d->graph;
	U32Vec actions = {0};
	for (size_t i = 0; i < g->actions.len; i++)
		if (!g->actions.ptr[i].header_side && in_systems(systems, n, g->actions.ptr[i].system))
			vec_push(&actions, (uint32_t)i);
	if (actions.len)
		qsort_r(actions.ptr, actions.len, sizeof(*actions.ptr), by_order, (void *)(uintptr_t)g);
	for (size_t i = 0; i < actions.len; i++) {
		const struct action *a = graph_action(g, actions.ptr[i]);
		component_id id = ensure(d, a, a->ncomponent);
		if (id == NO_ID)
			continue;
		if (a->kind == ACTION_COMPILE) {
			component(d, id)->compile = actions.ptr[i];
			component(d, id)->file = a->inputs[0].path;
		} else if (a->kind == ACTION_LOAD) {
			for_all_above(d, id, mark_loading);
		}
	}
	vec_release(&actions);
}

/* What can't be judged: operations that are neither compiles nor loads, and files that were not surveyed. */
static void mark_components(struct deps *d)
{
	const struct graph *g = d->graph;
	for (size_t i = 0; i < g->actions.len; i++) {
		const struct action *a = &g->actions.ptr[i];
		if (a->header_side || (a->kind != ACTION_OPAQUE && a->kind != ACTION_EFFECT && a->kind != ACTION_WHOLE))
			continue;
		component_id id = deps_find(d, a->system, join(&d->arena, a->component, a->ncomponent));
		for (component_id at = id; at != NO_ID; at = component(d, at)->parent) {
			component(d, at)->surveyed = false;
			component(d, at)->opaque = true;
		}
	}
	for (size_t i = 0; i < d->survey->files.len; i++) {
		const struct survey_file *f = &d->survey->files.ptr[i];
		const struct action *a = graph_action(g, f->compile);
		if (!f->ok)
			for_all_above(d, deps_find(d, a->system, join(&d->arena, a->component, a->ncomponent)),
			              mark_unsurveyed);
	}
}

static struct dep *ensure_dep(struct component *c, component_id on)
{
	for (size_t i = 0; i < c->deps.len; i++)
		if (c->deps.ptr[i].on == on)
			return &c->deps.ptr[i];
	vec_push(&c->deps, (struct dep){.on = on});
	return &vec_last(&c->deps);
}

/* ASDF's prepare-op of a component depends on the loads of those that it declares. It does nothing, but where the
 * system has a method for all operations. */
static bool is_prepare(const struct action *a)
{
	return a->kind == ACTION_NONE || (a->kind == ACTION_EFFECT && str_has_suffix(a->op, STR("PREPARE-OP")));
}

static void read_declared(struct deps *d)
{
	const struct graph *g = d->graph;
	for (size_t i = 0; i < g->actions.len; i++) {
		const struct action *a = &g->actions.ptr[i];
		if (!is_prepare(a) || a->header_side || !a->ncomponent)
			continue;
		component_id id = deps_find(d, a->system, join(&d->arena, a->component, a->ncomponent));
		for (uint32_t k = 0; id != NO_ID && k < a->ndeps; k++) {
			const struct action *to = graph_action(g, a->deps[k]);
			if (to->system != a->system)
				continue;
			component_id on = deps_find(d, to->system, join(&d->arena, to->component, to->ncomponent));
			if (on != NO_ID && on != id && component(d, on)->parent == component(d, id)->parent)
				ensure_dep(component(d, id), on)->declared = true;
		}
	}
}

/* The siblings that hold a file and what it uses. */
static bool lift(const struct deps *d, const struct action *file, const struct action *used, component_id *ret_from,
                 component_id *ret_to)
{
	struct arena a = {0};
	uint32_t same = 0;
	while (same < file->ncomponent && same < used->ncomponent &&
	       str_eq(file->component[same], used->component[same]))
		same++;
	bool apart = same < file->ncomponent && same < used->ncomponent;
	if (apart) {
		*ret_from = deps_find(d, file->system, join(&a, file->component, same + 1));
		*ret_to = deps_find(d, used->system, join(&a, used->component, same + 1));
	}
	arena_release(&a);
	return apart && *ret_from != NO_ID && *ret_to != NO_ID;
}

static void read_used(struct deps *d)
{
	const struct graph *g = d->graph;
	for (size_t i = 0; i < d->survey->files.len; i++) {
		const struct survey_file *f = &d->survey->files.ptr[i];
		const struct action *file = graph_action(g, f->compile);
		for (size_t k = 0; k < f->uses.len; k++) {
			const struct survey_use *use = &f->uses.ptr[k];
			const struct action *step = graph_action(g, use->step);
			component_id from, to;
			if (step->system != file->system || !lift(d, file, step, &from, &to))
				continue;
			struct dep *dep = ensure_dep(component(d, from), to);
			if (!dep->why.len || (use->needed && !dep->needed))
				dep->why = use->why;
			dep->needed |= use->needed;
			dep->called |= !use->needed;
		}
	}
}

/* -- closures -- */

/* How one looks for a component: along the edges of some kind. */
struct search {
	const struct deps *deps;
	component_id from, to; /* to: NO_ID for all that are there */
	bool (*edge)(const struct search *s, const struct dep *edge);
};

static bool is_declared(const struct search *s, const struct dep *edge)
{
	(void)s;
	return edge->declared;
}

static bool is_wanted(const struct dep *d)
{
	return !d->impossible && (d->keep || d->needed || (d->called && d->reached));
}

/* Wanted, and there whenever the component is that the search began with; where what is looked for is away itself,
 * nothing has to bring it along. */
static bool is_relied_on(const struct search *s, const struct dep *edge)
{
	struct str condition = component(s->deps, edge->on)->condition;
	return is_wanted(edge) && !edge->optional &&
	       (edge->on == s->to || !condition.len || str_eq(condition, component(s->deps, s->from)->condition));
}

/* Marks in `seen` all that `at` reaches, not itself. */
static void reach(const struct search *s, component_id at, uint8_t *seen)
{
	U32Vec stack = {0};
	memset(seen, 0, s->deps->components.len);
	vec_push(&stack, at);
	while (stack.len) {
		const struct component *c = component(s->deps, vec_pop(&stack));
		for (size_t i = 0; i < c->deps.len; i++) {
			const struct dep *dep = &c->deps.ptr[i];
			if (!s->edge(s, dep) || seen[dep->on])
				continue;
			seen[dep->on] = 1;
			vec_push(&stack, dep->on);
		}
	}
	vec_release(&stack);
}

/* All that it declares, directly or not. */
static void reach_declared(const struct deps *d, component_id id, uint8_t *seen)
{
	const struct search s = {d, id, NO_ID, is_declared};
	reach(&s, id, seen);
}

static int by_component(const void *pa, const void *pb)
{
	component_id a = ((const struct dep *)pa)->on, b = ((const struct dep *)pb)->on;
	return a < b ? -1 : a > b;
}

static void mark_reached(struct deps *d)
{
	uint8_t *seen = xcalloc(d->components.len + 1, 1);
	for (size_t i = 0; i < d->components.len; i++) {
		struct component *c = &d->components.ptr[i];
		reach_declared(d, (component_id)i, seen);
		for (size_t k = 0; k < c->deps.len; k++) {
			struct dep *dep = &c->deps.ptr[k];
			dep->reached = seen[dep->on];
			dep->keep = dep->declared && (!c->surveyed || component(d, dep->on)->opaque);
		}
	}
	free(seen);
}

/* What is wanted, but for what others that are wanted bring along. */
static void reduce(struct deps *d, component_id id, uint8_t *seen)
{
	struct component *c = component(d, id);
	for (size_t k = 0; k < c->deps.len; k++) {
		struct dep *dep = &c->deps.ptr[k];
		const struct search s = {d, id, dep->on, is_relied_on};
		dep->minimal = is_wanted(dep);
		for (size_t o = 0; dep->minimal && o < c->deps.len; o++) {
			const struct dep *other = &c->deps.ptr[o];
			if (o == k || !is_relied_on(&s, other))
				continue;
			reach(&s, other->on, seen);
			if (seen[dep->on]) {
				dep->minimal = false;
				dep->note = str_fmt(&d->arena, "\"%.*s\" brings it along",
				                    STR_ARG(component(d, other->on)->name));
			}
		}
		if (dep->declared && !dep->minimal && !dep->note.len)
			dep->note = STR("not used");
		c->changes |= dep->minimal != dep->declared;
	}
}

static void reduce_all(struct deps *d)
{
	uint8_t *seen = xcalloc(d->components.len + 1, 1);
	for (size_t i = 0; i < d->components.len; i++) {
		struct component *c = &d->components.ptr[i];
		c->changes = false;
		for (size_t k = 0; k < c->deps.len; k++)
			c->deps.ptr[k].note = (struct str){0};
		reduce(d, (component_id)i, seen);
		if (c->deps.len)
			qsort(c->deps.ptr, c->deps.len, sizeof(*c->deps.ptr), by_component);
	}
	free(seen);
}

void deps_conditions_known(struct deps *d)
{
	reduce_all(d);
}

void deps_give_back(struct deps *d, component_id id)
{
	uint8_t *seen = xcalloc(d->components.len + 1, 1);
	for (; id != NO_ID; id = component(d, id)->parent) {
		reach_declared(d, id, seen);
		for (size_t i = 0; i < d->components.len; i++)
			if (seen[i]) {
				struct dep *dep = ensure_dep(component(d, id), (component_id)i);
				dep->keep = dep->reached = true;
			}
	}
	free(seen);
	reduce_all(d);
}

static void keep_declared(struct component *c)
{
	for (size_t i = 0; i < c->deps.len; i++)
		c->deps.ptr[i].keep |= c->deps.ptr[i].declared;
}

void deps_hold(struct deps *d, component_id id)
{
	uint8_t *seen = xcalloc(d->components.len + 1, 1);
	reach_declared(d, id, seen);
	seen[id] = 1;
	for (size_t i = 0; i < d->components.len; i++)
		if (seen[i])
			keep_declared(&d->components.ptr[i]);
	free(seen);
	struct component *c = component(d, id);
	for (size_t i = 0; i < c->deps.len; i++)
		c->deps.ptr[i].impossible |= !c->deps.ptr[i].declared;
	reduce_all(d);
}

/* -- systems -- */

static struct system_dep *ensure_system_dep(struct system_deps *s, struct str name)
{
	for (size_t i = 0; i < s->deps.len; i++)
		if (str_eq(s->deps.ptr[i].name, name))
			return &s->deps.ptr[i];
	vec_push(&s->deps, (struct system_dep){.name = name});
	return &vec_last(&s->deps);
}

/* Names of all systems and modules that the system `name` brings along. */
static void system_closure(const struct graph *g, struct str name, struct map *out)
{
	StrVec stack = {0};
	vec_push(&stack, name);
	while (stack.len) {
		system_id id = graph_find_system(g, vec_pop(&stack));
		for (uint32_t i = 0; id != NO_ID && i < graph_system(g, id)->ndepends_on; i++)
			if (map_add(out, graph_system(g, id)->depends_on[i], 0, NULL))
				vec_push(&stack, graph_system(g, id)->depends_on[i]);
	}
	vec_release(&stack);
}

/* True if something of the system itself is loaded, and not only what it depends on. ASDF's own systems are in every
 * image; they count as such that can't be judged. */
static bool has_steps(const struct graph *g, system_id id)
{
	for (size_t i = 0; i < g->actions.len; i++)
		if (g->actions.ptr[i].system == id && action_kind_is_step(g->actions.ptr[i].kind))
			return true;
	return false;
}

static bool is_module(const struct graph *g, struct str name)
{
	for (size_t i = 0; i < g->actions.len; i++)
		if (g->actions.ptr[i].kind == ACTION_REQUIRE && str_eq(g->actions.ptr[i].path, name))
			return true;
	return false;
}

/* A declared system that no file uses: what it is good for, if that can be told. */
static void judge_unused(struct deps *d, struct system_deps *s, struct system_dep *dep)
{
	const struct graph *g = d->graph;
	struct map along = {0};
	struct buf names = {0};
	system_id id = graph_find_system(g, dep->name);
	system_closure(g, dep->name, &along);
	for (size_t i = 0; i < s->deps.len; i++) {
		const struct system_dep *other = &s->deps.ptr[i];
		if (!other->declared && (other->needed || other->called) && map_has(&along, other->name))
			buf_addf(&names, "%s\"%.*s\"", names.len ? ", " : "", STR_ARG(other->name));
	}
	if ((id == NO_ID && !is_module(g, dep->name)) || (id != NO_ID && !has_steps(g, id)))
		dep->called = true; /* it stands for what it brings along, or is there anyway */
	else if (names.len)
		dep->note = str_fmt(&d->arena, "not used itself; it brings along %.*s", (int)names.len, names.ptr);
	else
		dep->note = STR("not used");
	buf_release(&names);
	map_release(&along);
}

static void judge_system(struct deps *d, system_id id)
{
	const struct graph *g = d->graph;
	struct system_deps s = {.system = id};
	struct map along = {0};
	for (uint32_t i = 0; i < graph_system(g, id)->ndepends_on; i++)
		ensure_system_dep(&s, graph_system(g, id)->depends_on[i])->declared = true;
	for (size_t i = 0; i < d->survey->files.len; i++) {
		const struct survey_file *f = &d->survey->files.ptr[i];
		if (graph_action(g, f->compile)->system != id)
			continue;
		for (size_t k = 0; k < f->uses.len; k++) {
			const struct survey_use *use = &f->uses.ptr[k];
			const struct action *step = graph_action(g, use->step);
			if (step->system == id)
				continue;
			struct str name =
			        step->kind == ACTION_REQUIRE ? step->path : graph_system(g, step->system)->name;
			struct system_dep *dep = ensure_system_dep(&s, name);
			if (!dep->why.len || (use->needed && !dep->needed))
				dep->why = use->why;
			dep->needed |= use->needed;
			dep->called |= !use->needed;
		}
	}
	system_closure(g, graph_system(g, id)->name, &along);
	for (size_t i = 0; i < s.deps.len; i++)
		s.deps.ptr[i].reached = map_has(&along, s.deps.ptr[i].name);
	for (size_t i = 0; i < s.deps.len; i++)
		if (s.deps.ptr[i].declared && !s.deps.ptr[i].needed && !s.deps.ptr[i].called)
			judge_unused(d, &s, &s.deps.ptr[i]);
	for (size_t i = 0; i < g->actions.len; i++)
		s.inferred |= g->actions.ptr[i].system == id && !g->actions.ptr[i].ncomponent &&
		              str_search(g->actions.ptr[i].definition, STR("PACKAGE-INFERRED-SYSTEM")) <
		                      g->actions.ptr[i].definition.len;
	map_release(&along);
	vec_push(&d->systems, s);
}

void deps_judge(struct deps *d, const struct graph *g, const struct survey *s, const system_id *systems, size_t n)
{
	*d = (struct deps){.graph = g, .survey = s};
	make_components(d, systems, n);
	mark_components(d);
	read_declared(d);
	read_used(d);
	mark_reached(d);
	reduce_all(d);
	for (size_t i = 0; i < n; i++)
		judge_system(d, systems[i]);
}

void deps_release(struct deps *d)
{
	for (size_t i = 0; i < d->components.len; i++)
		vec_release(&d->components.ptr[i].deps);
	for (size_t i = 0; i < d->systems.len; i++)
		vec_release(&d->systems.ptr[i].deps);
	vec_release(&d->components);
	vec_release(&d->systems);
	map_release(&d->index);
	arena_release(&d->arena);
}
