#include "front/asdf.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

struct reader {
	struct graph *graph;
	const struct sexp *plan;
	struct map ids;      /* the driver's action number, as text -> action_id */
	struct map labels;   /* to keep them unique */
	struct map product;  /* path below the output root -> action_id */
	U32Vec asd_actions;  /* by the driver's asd number */
	struct map interned; /* -> index into strings */
	StrVec strings;
	struct err *err;
};

void description_inputs_release(struct description_inputs *in)
{
	vec_release(&in->read);
	vec_release(&in->absent);
	vec_release(&in->folders);
}

static bool sexp_name_eq(struct str name, const char *other)
{
	return name.len == strlen(other) && strncasecmp(name.ptr, other, name.len) == 0;
}

static bool bad(struct reader *r, const struct sexp *at, const char *what)
{
	return err_set(r->err, ERR_BUG, "the driver's plan, line %u column %u: %s", at ? at->line : 0, at ? at->col : 0,
	               what);
}

static const struct sexp *list_of(const struct sexp *plist, uint32_t from, const char *key)
{
	const struct sexp *s = sexp_getf(plist, from, key);
	return s && s->kind == SEXP_LIST ? s : NULL;
}

static uint32_t list_len(const struct sexp *s)
{
	return s ? s->len : 0;
}

/* In the graph's arena. Names of operations, classes and files come up again and again. */
static struct str intern(struct reader *r, struct str s)
{
	uint64_t at;
	if (!s.len)
		return (struct str){0};
	if (map_get(&r->interned, s, &at))
		return r->strings.ptr[at];
	struct str copy = str_dup(&r->graph->arena, s);
	map_put(&r->interned, copy, r->strings.len);
	vec_push(&r->strings, copy);
	return copy;
}

static struct str *copy_strings(struct reader *r, const struct sexp *list, uint32_t *ret_n)
{
	*ret_n = list_len(list);
	struct str *strs = arena_new_n(&r->graph->arena, struct str, *ret_n);
	for (uint32_t i = 0; i < *ret_n; i++)
		strs[i] = intern(r, sexp_text(list->items[i]));
	return strs;
}

static struct str get_text(struct reader *r, const struct sexp *plist, const char *key)
{
	return intern(r, sexp_text(sexp_getf(plist, 0, key)));
}

static enum action_kind kind_of(struct str name)
{
	static const enum action_kind kinds[] = {ACTION_NONE, ACTION_COMPILE, ACTION_OPAQUE, ACTION_WHOLE,
	                                         ACTION_LOAD, ACTION_EFFECT,  ACTION_REQUIRE};
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (sexp_name_eq(name, action_kind_name(kinds[i])))
			return kinds[i];
	return ACTION_NONE;
}

static struct str unique_label(struct reader *r, struct str label)
{
	struct str unique = label;
	for (unsigned n = 2; !map_add(&r->labels, unique, 0, NULL); n++)
		unique = str_fmt(&r->graph->arena, "%.*s#%u", STR_ARG(label), n);
	return unique;
}

/* "ASDF/LISP-ACTION:COMPILE-OP" without its package, in lower case. */
static struct str op_name(struct arena *a, struct str op)
{
	size_t colon = str_rfind(op, ':');
	struct str name = str_dup(a, colon < op.len ? str_drop(op, colon + 1) : op);
	for (size_t i = 0; i < name.len; i++)
		if (name.ptr[i] >= 'A' && name.ptr[i] <= 'Z')
			((char *)(uintptr_t)name.ptr)[i] += 'a' - 'A';
	return name;
}

static struct str make_label(struct reader *r, const struct action *a)
{
	struct arena *arena = &r->graph->arena;
	if (a->kind == ACTION_REQUIRE)
		return unique_label(r, str_fmt(arena, "require %.*s", STR_ARG(a->path)));
	struct str system = a->system == NO_ID ? STR("?") : graph_system(r->graph, a->system)->name;
	if (a->kind == ACTION_COMPILE)
		return unique_label(r, str_dup(arena, a->logical));
	struct buf b = {0};
	buf_adds(&b, system);
	for (uint32_t i = 0; i < a->ncomponent; i++)
		buf_addf(&b, "%c%.*s", i ? '/' : ':', STR_ARG(a->component[i]));
	buf_addf(&b, " (%.*s)", STR_ARG(op_name(arena, a->op)));
	struct str label = unique_label(r, str_dup(arena, buf_str(&b)));
	buf_release(&b);
	return label;
}

/* The name of a source that is the same wherever its system lies: "system:path/below/it". */
static struct str logical_name(struct reader *r, const struct action *a)
{
	if (a->system == NO_ID || !a->ninputs)
		return (struct str){0};
	const struct system *s = graph_system(r->graph, a->system);
	struct str path = a->inputs[0].path;
	if (str_has_prefix(path, s->dir))
		path = str_drop(path, s->dir.len);
	return str_fmt(&r->graph->arena, "%.*s:%.*s", STR_ARG(s->name), STR_ARG(path));
}

static bool read_systems(struct reader *r)
{
	const struct sexp *list = list_of(r->plan, 1, "systems");
	for (uint32_t i = 0; i < list_len(list); i++) {
		const struct sexp *p = list->items[i];
		struct system s = {.final = NO_ID, .asd_action = NO_ID};
		s.name = get_text(r, p, "name");
		s.version = get_text(r, p, "version");
		s.dir = get_text(r, p, "directory");
		s.whole = get_text(r, p, "whole");
		if (str_eqc(s.whole, "nil") || str_eqc(s.whole, "NIL"))
			s.whole = (struct str){0};
		s.depends_on = copy_strings(r, list_of(p, 0, "depends-on"), &s.ndepends_on);
		int64_t asd = sexp_int(sexp_getf(p, 0, "asd"), -1);
		if (asd >= 0 && (size_t)asd < r->asd_actions.len && r->asd_actions.ptr[asd] != NO_ID) {
			s.asd_action = r->asd_actions.ptr[asd];
			s.asd = graph_action(r->graph, s.asd_action)->path;
		}
		if (!s.name.len)
			return bad(r, p, "a system without a name");
		map_put(&r->graph->system_by_name, s.name, r->graph->systems.len);
		vec_push(&r->graph->systems, s);
	}
	return true;
}

/* The strings of a list, one a line. */
static struct str joined(struct reader *r, const struct sexp *list)
{
	struct buf lines = {0};
	for (uint32_t i = 0; i < list_len(list); i++)
		buf_addf(&lines, "%.*s\n", STR_ARG(sexp_text(list->items[i])));
	struct str text = str_dup(&r->graph->arena, buf_str(&lines));
	buf_release(&lines);
	return text;
}

static bool read_asds(struct reader *r)
{
	const struct sexp *list = list_of(r->plan, 1, "asds");
	for (uint32_t i = 0; i < list_len(list); i++)
		vec_push(&r->asd_actions, NO_ID);
	for (uint32_t i = 0; i < list_len(list); i++) {
		const struct sexp *p = list->items[i];
		int64_t id = sexp_int(sexp_getf(p, 0, "id"), -1);
		if (id < 0 || (size_t)id >= r->asd_actions.len)
			return bad(r, p, "an asd without an id among those of the others");
		if (r->asd_actions.ptr[id] != NO_ID)
			return bad(r, p, "an asd with the id of another one");
		struct action a = {
		        .kind = ACTION_ASD, .system = NO_ID, .header_of = NO_ID, .load_of = NO_ID, .twin = NO_ID};
		a.path = get_text(r, p, "path");
		struct buf features = {0};
		const struct sexp *f = list_of(p, 0, "features-before");
		for (uint32_t k = 0; k < list_len(f); k++) {
			buf_addc(&features, k ? ' ' : '(');
			sexp_print_string(sexp_text(f->items[k]), &features);
		}
		buf_addz(&features, list_len(f) ? ")" : "nil");
		a.features = str_dup(&r->graph->arena, buf_str(&features));
		buf_release(&features);
		a.definition = joined(r, list_of(p, 0, "versions"));
		a.inputs = arena_new(&r->graph->arena, struct input);
		a.inputs[0] = (struct input){a.path, NO_ID};
		a.ninputs = 1;
		a.label = unique_label(r, str_fmt(&r->graph->arena, "asd %.*s", STR_ARG(a.path)));
		r->asd_actions.ptr[id] = (uint32_t)r->graph->actions.len;
		vec_push(&r->graph->actions, a);
	}
	return true;
}

static void read_inputs(struct reader *r, const struct sexp *p, struct action *a)
{
	const struct sexp *list = list_of(p, 0, "inputs");
	a->ninputs = list_len(list);
	a->inputs = arena_new_n(&r->graph->arena, struct input, a->ninputs);
	for (uint32_t i = 0; i < a->ninputs; i++)
		a->inputs[i] = (struct input){intern(r, sexp_text(list->items[i])), NO_ID};
}

static bool read_action(struct reader *r, const struct sexp *p)
{
	struct graph *g = r->graph;
	const struct sexp *id = sexp_getf(p, 0, "id");
	if (!id || id->kind != SEXP_INT)
		return bad(r, p, "an action without an id");
	struct action a = {.kind = kind_of(sexp_text(sexp_getf(p, 0, "kind"))),
	                   .header_of = NO_ID,
	                   .load_of = NO_ID,
	                   .twin = NO_ID};
	a.op = get_text(r, p, "op");
	struct str system = sexp_text(sexp_getf(p, 0, "system"));
	a.system = graph_find_system(g, system);
	a.component = copy_strings(r, list_of(p, 0, "component"), &a.ncomponent);
	read_inputs(r, p, &a);
	a.outputs = copy_strings(r, list_of(p, 0, "outputs"), &a.noutputs);
	a.user_outputs = copy_strings(r, list_of(p, 0, "user-outputs"), &a.nuser_outputs);
	struct buf definition = {0};
	buf_addf(&definition, "%.*s %.*s", STR_ARG(sexp_text(sexp_getf(p, 0, "class"))),
	         STR_ARG(sexp_text(sexp_getf(p, 0, "encoding"))));
	a.definition = intern(r, buf_str(&definition));
	buf_release(&definition);
	if (a.kind == ACTION_REQUIRE)
		a.path = str_dup(&g->arena, system);
	else if (a.system == NO_ID)
		return bad(r, p, "an action of an unknown system");
	a.logical = logical_name(r, &a);
	a.label = make_label(r, &a);
	action_id self = (action_id)g->actions.len;
	map_put(&r->ids, str_fmt(&g->arena, "%lld", (long long)id->integer), self);
	for (uint32_t i = 0; i < a.noutputs; i++)
		map_add(&r->product, a.outputs[i], self, NULL);
	vec_push(&g->actions, a);
	return true;
}

static action_id action_of(const struct reader *r, const struct sexp *number)
{
	char text[24];
	int n = snprintf(text, sizeof(text), "%lld", (long long)sexp_int(number, -1));
	uint64_t id;
	return map_get(&r->ids, str_n(text, (size_t)n), &id) ? (action_id)id : NO_ID;
}

static void add_dep(U32Vec *deps, action_id id)
{
	for (size_t i = 0; i < deps->len; i++)
		if (deps->ptr[i] == id)
			return;
	vec_push(deps, id);
}

static bool resolve_list(struct reader *r, const struct sexp *at, const struct sexp *list, U32Vec *deps)
{
	for (uint32_t i = 0; i < list_len(list); i++) {
		action_id id = action_of(r, list->items[i]);
		if (id == NO_ID)
			return bad(r, at, "a dependency on an unknown action");
		vec_push(deps, id);
	}
	return true;
}

static void store_deps(struct reader *r, struct action *a, const U32Vec *deps)
{
	a->ndeps = (uint32_t)deps->len;
	a->deps = arena_new_n(&r->graph->arena, action_id, deps->len);
	if (deps->len)
		memcpy(a->deps, deps->ptr, deps->len * sizeof(*a->deps));
}

/* An input that begins with "@" is a product of another action. */
static bool resolve_inputs(struct reader *r, const struct sexp *p, struct action *a, action_id self, U32Vec *deps)
{
	for (uint32_t i = 0; i < a->ninputs; i++) {
		struct input *in = &a->inputs[i];
		if (!str_has_prefix(in->path, STR("@")))
			continue;
		in->path = str_drop(in->path, 1);
		uint64_t producer;
		if (!map_get(&r->product, in->path, &producer))
			return bad(r, p, "an input that no action makes");
		in->producer = (action_id)producer;
		if (in->producer != self)
			add_dep(deps, in->producer);
	}
	return true;
}

static bool resolve_action(struct reader *r, const struct sexp *p, action_id self, U32Vec *deps)
{
	struct action *a = graph_action(r->graph, self);
	vec_clear(deps);
	if (!resolve_list(r, p, list_of(p, 0, "deps"), deps) || !resolve_inputs(r, p, a, self, deps))
		return false;
	int64_t asd = sexp_int(sexp_getf(p, 0, "asd"), -1);
	if (a->kind != ACTION_REQUIRE && asd >= 0 && (size_t)asd < r->asd_actions.len &&
	    r->asd_actions.ptr[asd] != NO_ID)
		add_dep(deps, r->asd_actions.ptr[asd]);
	store_deps(r, a, deps);
	return true;
}

static bool read_edges(struct reader *r, action_id first)
{
	U32Vec deps = {0};
	bool ok = true;
	const struct sexp *actions = list_of(r->plan, 1, "actions");
	for (uint32_t i = 0; ok && i < list_len(actions); i++)
		ok = resolve_action(r, actions->items[i], first + i, &deps);
	const struct sexp *asds = list_of(r->plan, 1, "asds");
	for (uint32_t i = 0; ok && i < list_len(asds); i++) {
		const struct sexp *p = asds->items[i];
		vec_clear(&deps);
		ok = resolve_list(r, p, list_of(p, 0, "needs"), &deps);
		const struct sexp *nested = list_of(p, 0, "asds");
		for (uint32_t k = 0; ok && k < list_len(nested); k++) {
			int64_t other = sexp_int(nested->items[k], -1);
			if (other < 0 || (size_t)other >= r->asd_actions.len || r->asd_actions.ptr[other] == NO_ID)
				ok = bad(r, p, "an asd that loads an unknown one");
			else
				add_dep(&deps, r->asd_actions.ptr[other]);
		}
		int64_t id = sexp_int(sexp_getf(p, 0, "id"), -1);
		CHECK(id >= 0 && (size_t)id < r->asd_actions.len);
		action_id self = r->asd_actions.ptr[id];
		store_deps(r, graph_action(r->graph, self), &deps);
	}
	vec_release(&deps);
	return ok;
}

static bool read_targets(struct reader *r)
{
	const struct sexp *list = list_of(r->plan, 1, "targets");
	for (uint32_t i = 0; i < list_len(list); i++) {
		const struct sexp *t = list->items[i];
		if (t->kind != SEXP_LIST || !t->len)
			return bad(r, t, "a target without a name");
		struct target target = {.name = str_dup(&r->graph->arena, sexp_text(t->items[0]))};
		target.finals = arena_new_n(&r->graph->arena, action_id, t->len);
		for (uint32_t k = 1; k < t->len; k++) {
			action_id id = action_of(r, t->items[k]);
			if (id == NO_ID)
				return bad(r, t, "a target of an unknown action");
			target.finals[target.nfinals++] = id;
		}
		vec_push(&r->graph->targets, target);
	}
	return true;
}

/* The load of a whole system is its action with no component whose operation is load-op. */
static void find_finals(struct graph *g)
{
	for (size_t i = 0; i < g->actions.len; i++) {
		struct action *a = &g->actions.ptr[i];
		if (a->system == NO_ID || a->ncomponent)
			continue;
		struct system *s = graph_system(g, a->system);
		if (a->kind == ACTION_WHOLE || (s->final == NO_ID && str_has_suffix(a->op, STR("LOAD-OP"))))
			s->final = (action_id)i;
	}
}

/* The front end's order puts an asd where it is first needed: just before the first action that depends on it. */
static void number_actions(struct graph *g)
{
	for (size_t i = 0; i < g->actions.len; i++)
		g->actions.ptr[i].order = g->actions.ptr[i].kind == ACTION_ASD ? UINT32_MAX : (uint32_t)(2 * i + 1);
	for (size_t i = 0; i < g->actions.len; i++)
		for (uint32_t d = 0; d < g->actions.ptr[i].ndeps; d++) {
			struct action *dep = graph_action(g, g->actions.ptr[i].deps[d]);
			if (dep->kind == ACTION_ASD)
				dep->order = MIN(dep->order, (uint32_t)(2 * i));
		}
}

static bool read_plan(struct reader *r)
{
	struct graph *g = r->graph;
	if (!read_asds(r) || !read_systems(r))
		return false;
	action_id first = (action_id)g->actions.len;
	const struct sexp *actions = list_of(r->plan, 1, "actions");
	for (uint32_t i = 0; i < list_len(actions); i++)
		if (!read_action(r, actions->items[i]))
			return false;
	if (!read_edges(r, first) || !read_targets(r))
		return false;
	find_finals(g);
	number_actions(g);
	return graph_finish(g, r->err);
}

static const struct sexp *parse(struct arena *a, struct str text, const char *head, struct err *err)
{
	struct sexp *list;
	if (!sexp_read(a, STR("<driver>"), text, SEXP_LISP, &list, err))
		return NULL;
	if (list->len != 1 || list->items[0]->kind != SEXP_LIST || !list->items[0]->len ||
	    !sexp_is_keyword(list->items[0]->items[0], head)) {
		err_set(err, ERR_BUG, "the driver did not answer with a (:%s ...) form", head);
		return NULL;
	}
	return list->items[0];
}

bool front_asdf_read(struct graph *g, struct str text, struct err *err)
{
	struct arena forms = {0};
	struct reader r = {.graph = g, .err = err};
	r.plan = parse(&forms, text, "plan", err);
	bool ok = r.plan && read_plan(&r);
	map_release(&r.ids);
	map_release(&r.labels);
	map_release(&r.product);
	map_release(&r.interned);
	vec_release(&r.strings);
	vec_release(&r.asd_actions);
	arena_release(&forms);
	return ok;
}

static void add_strings(struct arena *a, const struct sexp *list, StrVec *out)
{
	for (uint32_t i = 0; i < list_len(list); i++)
		vec_push(out, str_dup(a, sexp_text(list->items[i])));
}

bool front_asdf_inputs(struct arena *a, struct str text, struct description_inputs *ret, struct err *err)
{
	const struct sexp *plan = parse(a, text, "plan", err);
	if (!plan)
		return false;
	add_strings(a, list_of(plan, 1, "read"), &ret->read);
	add_strings(a, list_of(plan, 1, "absent"), &ret->absent);
	add_strings(a, list_of(plan, 1, "folders"), &ret->folders);
	return true;
}

static void note_names(struct err *err, const char *intro, const char *between, const struct sexp *list)
{
	if (!list_len(list))
		return;
	struct buf b = {0};
	for (uint32_t i = 0; i < list->len; i++)
		buf_addf(&b, "%s\"%.*s\"", i ? between : "", STR_ARG(sexp_text(list->items[i])));
	err_note(err, "%s%s", intro, buf_cstr(&b));
	buf_release(&b);
}

bool front_asdf_failure(const struct sexp *form, struct err *err)
{
	struct str kind = sexp_text(sexp_getf(form, 1, "kind"));
	struct str message = sexp_text(sexp_getf(form, 1, "message"));
	const struct sexp *cycle = list_of(form, 1, "cycle");
	if (sexp_name_eq(kind, "missing-system")) {
		struct str name = sexp_text(sexp_getf(form, 1, "name"));
		err_set(err, ERR_USER, "system \"%.*s\" is not to be found", STR_ARG(name));
		note_names(err, "it is required by ", ", which is required by ", list_of(form, 1, "required-by"));
		note_names(err, "did you mean ", " or ", list_of(form, 1, "near"));
		err_note(err, "systems are looked for in this directory, CL_SOURCE_REGISTRY, ASDF's source registry, "
		              "quicklisp, qlot, ocicl and ~/common-lisp; `tenon doctor` lists the folders");
	} else if (sexp_name_eq(kind, "cycle") && list_len(cycle)) {
		struct buf b = {0};
		for (uint32_t i = 0; i < cycle->len; i++)
			buf_addf(&b, "%s%.*s", i ? " → " : "", STR_ARG(sexp_text(cycle->items[i])));
		err_set(err, ERR_USER, "circular dependency: %s", buf_cstr(&b));
		buf_release(&b);
		const struct sexp *files = list_of(form, 1, "files");
		for (uint32_t i = 0; i + 1 < cycle->len && i < list_len(files); i++)
			err_note(err, "\"%.*s\" depends on \"%.*s\": see \"%.*s\"", STR_ARG(sexp_text(cycle->items[i])),
			         STR_ARG(sexp_text(cycle->items[i + 1])), STR_ARG(sexp_text(files->items[i])));
	} else {
		err_set(err, ERR_USER, "%.*s", STR_ARG(message));
		note_names(err, "it is required by ", ", which is required by ", list_of(form, 1, "required-by"));
	}
	/* What only warned before lies somewhere else. */
	const struct sexp *diags = list_of(form, 1, "diagnostics");
	for (uint32_t i = 0; i < list_len(diags); i++) {
		const struct sexp *d = diags->items[i];
		if (!sexp_name_eq(sexp_text(sexp_getf(d, 1, "severity")), "error"))
			continue;
		err_at(err, sexp_text(sexp_getf(d, 1, "file")), (uint32_t)sexp_int(sexp_getf(d, 1, "line"), 0),
		       (uint32_t)sexp_int(sexp_getf(d, 1, "column"), 0), (struct str){0});
		break;
	}
	return false;
}
