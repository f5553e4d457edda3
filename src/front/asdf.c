#include "front/asdf.h"

#include <stdlib.h>
#include <strings.h>

/* The numbers that one description gives others: a part of `numbers`. */
struct run {
	uint32_t first, n;
};

/* What an action or an asd depends on, kept until all have been read. */
struct edges {
	struct run deps; /* the driver's numbers of actions */
	struct run asds; /* and of asds */
};

struct reader {
	struct graph *graph;
	const struct sexp *plan; /* an outline: parts are read one at a time */
	struct str text;
	struct arena part; /* holds the part that is being read */
	U32Vec by_number;  /* by the driver's number of an action: action_id, or NO_ID */
	U32Vec numbers;
	Vec(struct edges) edges; /* by action_id */
	struct map labels;       /* to keep them unique */
	struct map product;      /* path below the output root -> action_id */
	U32Vec asd_actions;      /* by the driver's asd number */
	struct intern interned;  /* in the graph's arena */
	struct map clashes;      /* pairs of systems that were told of */
	struct description_findings *findings;
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

/* The i-th part of a list of the plan; it lives until the next one is asked for. NULL if it can't be read. */
static const struct sexp *read_part(struct reader *r, const struct sexp *list, uint32_t i)
{
	struct sexp *forms, *unread = list->items[i];
	arena_release(&r->part);
	if (!sexp_read(&r->part, STR("<driver>"), unread->text, SEXP_LISP, &forms, r->err))
		return NULL;
	if (unread->kind != SEXP_UNREAD || forms->len != 1 || forms->items[0]->kind != SEXP_LIST) {
		bad(r, unread, "not a list");
		return NULL;
	}
	forms->items[0]->line = unread->line;
	forms->items[0]->col = unread->col;
	return forms->items[0];
}

/* Keeps a list of the driver's numbers. One that no action can have becomes NO_ID. */
static struct run keep_numbers(struct reader *r, const struct sexp *list)
{
	struct run s = {(uint32_t)r->numbers.len, sexp_list_len(list)};
	for (uint32_t i = 0; i < s.n; i++) {
		int64_t number = sexp_int(list->items[i], -1);
		vec_push(&r->numbers, number >= 0 && number < NO_ID ? (uint32_t)number : NO_ID);
	}
	return s;
}

static uint32_t at_number(const U32Vec *ids, uint32_t number)
{
	return number < ids->len ? ids->ptr[number] : NO_ID;
}

/* In the graph's arena. Names of operations, classes and files come up again and again. */
static struct str intern(struct reader *r, struct str s)
{
	return s.len ? intern_str(&r->interned, intern_id(&r->interned, s)) : (struct str){0};
}

static struct str *copy_strings(struct reader *r, const struct sexp *list, uint32_t *ret_n)
{
	*ret_n = sexp_list_len(list);
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
	const struct sexp *list = sexp_getf(r->plan, 1, "systems");
	for (uint32_t i = 0; i < sexp_list_len(list); i++) {
		const struct sexp *p = read_part(r, list, i);
		if (!p)
			return false;
		struct system s = {.final = NO_ID, .asd_action = NO_ID};
		s.name = get_text(r, p, "name");
		s.version = get_text(r, p, "version");
		s.dir = get_text(r, p, "directory");
		s.whole = get_text(r, p, "whole");
		if (str_eqc(s.whole, "nil") || str_eqc(s.whole, "NIL"))
			s.whole = (struct str){0};
		s.depends_on = copy_strings(r, sexp_getf(p, 0, "depends-on"), &s.ndepends_on);
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
	for (uint32_t i = 0; i < sexp_list_len(list); i++)
		buf_addf(&lines, "%.*s\n", STR_ARG(sexp_text(list->items[i])));
	struct str text = str_dup(&r->graph->arena, buf_str(&lines));
	buf_release(&lines);
	return text;
}

static bool read_asds(struct reader *r)
{
	const struct sexp *list = sexp_getf(r->plan, 1, "asds");
	for (uint32_t i = 0; i < sexp_list_len(list); i++)
		vec_push(&r->asd_actions, NO_ID);
	for (uint32_t i = 0; i < sexp_list_len(list); i++) {
		const struct sexp *p = read_part(r, list, i);
		if (!p)
			return false;
		int64_t id = sexp_int(sexp_getf(p, 0, "id"), -1);
		if (id < 0 || (size_t)id >= r->asd_actions.len)
			return bad(r, p, "an asd without an id among those of the others");
		if (r->asd_actions.ptr[id] != NO_ID)
			return bad(r, p, "an asd with the id of another one");
		struct action a = action_new(ACTION_ASD);
		a.path = get_text(r, p, "path");
		struct buf features = {0};
		const struct sexp *f = sexp_getf(p, 0, "features-before");
		for (uint32_t k = 0; k < sexp_list_len(f); k++) {
			buf_addc(&features, k ? ' ' : '(');
			sexp_print_string(sexp_text(f->items[k]), &features);
		}
		buf_addz(&features, sexp_list_len(f) ? ")" : "nil");
		a.features = str_dup(&r->graph->arena, buf_str(&features));
		buf_release(&features);
		a.definition = joined(r, sexp_getf(p, 0, "versions"));
		a.inputs = arena_new(&r->graph->arena, struct input);
		a.inputs[0] = (struct input){a.path, NO_ID};
		a.ninputs = 1;
		a.label = unique_label(r, str_fmt(&r->graph->arena, "asd %.*s", STR_ARG(a.path)));
		r->asd_actions.ptr[id] = (uint32_t)r->graph->actions.len;
		vec_push(&r->graph->actions, a);
		struct run needs = keep_numbers(r, sexp_getf(p, 0, "needs"));
		vec_push(&r->edges, (struct edges){needs, keep_numbers(r, sexp_getf(p, 0, "asds"))});
	}
	return true;
}

static void read_inputs(struct reader *r, const struct sexp *p, struct action *a)
{
	const struct sexp *list = sexp_getf(p, 0, "inputs");
	a->ninputs = sexp_list_len(list);
	a->inputs = arena_new_n(&r->graph->arena, struct input, a->ninputs);
	for (uint32_t i = 0; i < a->ninputs; i++)
		a->inputs[i] = (struct input){intern(r, sexp_text(list->items[i])), NO_ID};
}

/* ASDF, too, gives systems that hold the same file one place for what it compiles to. */
static void add_product(struct reader *r, action_id self, const struct action *a, struct str path)
{
	uint64_t other;
	if (map_add(&r->product, path, self, &other))
		return;
	struct arena *arena = &r->graph->arena;
	system_id first = graph_action(r->graph, (action_id)other)->system;
	if (first == a->system || first == NO_ID || a->system == NO_ID)
		return;
	struct str one = graph_system(r->graph, first)->name, two = graph_system(r->graph, a->system)->name;
	if (map_add(&r->clashes, str_fmt(arena, "%.*s %.*s", STR_ARG(one), STR_ARG(two)), 0, NULL))
		vec_push(&r->findings->notes,
		         str_fmt(arena,
		                 "systems \"%.*s\" and \"%.*s\" both make \"/%.*s\": what the one makes "
		                 "that comes later in the build is there; build them apart from each other",
		                 STR_ARG(one), STR_ARG(two), STR_ARG(path)));
}

static bool read_action(struct reader *r, const struct sexp *p)
{
	struct graph *g = r->graph;
	const struct sexp *id = sexp_getf(p, 0, "id");
	/* Numbers are given one after the other. */
	if (!id || id->kind != SEXP_INT || id->integer < 0 || (uint64_t)id->integer >= r->text.len)
		return bad(r, p, "an action without an id");
	struct action a = action_new(kind_of(sexp_text(sexp_getf(p, 0, "kind"))));
	a.op = get_text(r, p, "op");
	struct str system = sexp_text(sexp_getf(p, 0, "system"));
	a.system = graph_find_system(g, system);
	a.component = copy_strings(r, sexp_getf(p, 0, "component"), &a.ncomponent);
	read_inputs(r, p, &a);
	a.outputs = copy_strings(r, sexp_getf(p, 0, "outputs"), &a.noutputs);
	a.user_outputs = copy_strings(r, sexp_getf(p, 0, "user-outputs"), &a.nuser_outputs);
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
	while (r->by_number.len <= (uint64_t)id->integer)
		vec_push(&r->by_number, NO_ID);
	r->by_number.ptr[id->integer] = self;
	for (uint32_t i = 0; i < a.noutputs; i++)
		add_product(r, self, &a, a.outputs[i]);
	vec_push(&g->actions, a);
	struct edges e = {.deps = keep_numbers(r, sexp_getf(p, 0, "deps"))};
	const struct sexp *asd = sexp_getf(p, 0, "asd");
	int64_t number = sexp_int(asd, -1);
	if (a.kind != ACTION_REQUIRE && number >= 0 && (uint64_t)number < r->asd_actions.len) {
		e.asds = (struct run){(uint32_t)r->numbers.len, 1};
		vec_push(&r->numbers, (uint32_t)number);
	}
	vec_push(&r->edges, e);
	return true;
}

static void add_dep(U32Vec *deps, action_id id)
{
	for (size_t i = 0; i < deps->len; i++)
		if (deps->ptr[i] == id)
			return;
	vec_push(deps, id);
}

static void store_deps(struct reader *r, struct action *a, const U32Vec *deps)
{
	a->ndeps = (uint32_t)deps->len;
	a->deps = arena_new_n(&r->graph->arena, action_id, deps->len);
	if (deps->len)
		memcpy(a->deps, deps->ptr, deps->len * sizeof(*a->deps));
}

/* Whoever of those that it depends on makes it; two systems may hold the same file. */
static action_id producer_of(const struct reader *r, struct str path, const U32Vec *deps)
{
	uint64_t any;
	for (size_t d = 0; d < deps->len; d++) {
		const struct action *dep = graph_action(r->graph, deps->ptr[d]);
		for (uint32_t i = 0; i < dep->noutputs; i++)
			if (str_eq(dep->outputs[i], path))
				return deps->ptr[d];
	}
	return map_get(&r->product, path, &any) ? (action_id)any : NO_ID;
}

/* An input that begins with "@" is a product of another action. */
static bool resolve_inputs(struct reader *r, struct action *a, action_id self, U32Vec *deps)
{
	for (uint32_t i = 0; i < a->ninputs; i++) {
		struct input *in = &a->inputs[i];
		if (!str_has_prefix(in->path, STR("@")))
			continue;
		in->path = str_drop(in->path, 1);
		in->producer = producer_of(r, in->path, deps);
		if (in->producer == NO_ID)
			return err_set(r->err, ERR_BUG, "the driver's plan: \"%.*s\" has an input that no action makes",
			               STR_ARG(a->label));
		if (in->producer != self)
			add_dep(deps, in->producer);
	}
	return true;
}

/* The actions that a run of numbers in `ids` means. */
static bool add_numbered(struct reader *r, const struct action *a, const U32Vec *ids, struct run run, const char *kind,
                         U32Vec *deps)
{
	for (uint32_t i = 0; i < run.n; i++) {
		action_id id = at_number(ids, r->numbers.ptr[run.first + i]);
		if (id == NO_ID)
			return err_set(r->err, ERR_BUG, "the driver's plan: \"%.*s\" depends on an unknown %s",
			               STR_ARG(a->label), kind);
		vec_push(deps, id);
	}
	return true;
}

static bool resolve_edges(struct reader *r, action_id self, U32Vec *deps)
{
	struct action *a = graph_action(r->graph, self);
	CHECK(self < r->edges.len);
	const struct edges *e = &r->edges.ptr[self];
	vec_clear(deps);
	if (!add_numbered(r, a, &r->by_number, e->deps, "action", deps) || !resolve_inputs(r, a, self, deps) ||
	    !add_numbered(r, a, &r->asd_actions, e->asds, "asd", deps))
		return false;
	store_deps(r, a, deps);
	return true;
}

static bool resolve_all(struct reader *r)
{
	U32Vec deps = {0};
	bool ok = true;
	for (size_t i = 0; ok && i < r->graph->actions.len; i++)
		ok = resolve_edges(r, (action_id)i, &deps);
	vec_release(&deps);
	return ok;
}

static bool read_targets(struct reader *r)
{
	const struct sexp *list = sexp_getf(r->plan, 1, "targets");
	for (uint32_t i = 0; i < sexp_list_len(list); i++) {
		const struct sexp *t = read_part(r, list, i);
		if (!t)
			return false;
		if (!t->len)
			return bad(r, t, "a target without a name");
		struct target target = {.name = str_dup(&r->graph->arena, sexp_text(t->items[0]))};
		target.finals = arena_new_n(&r->graph->arena, action_id, t->len);
		for (uint32_t k = 1; k < t->len; k++) {
			int64_t number = sexp_int(t->items[k], -1);
			action_id id =
			        number >= 0 && number < NO_ID ? at_number(&r->by_number, (uint32_t)number) : NO_ID;
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
	const struct sexp *actions = sexp_getf(r->plan, 1, "actions");
	for (uint32_t i = 0; i < sexp_list_len(actions); i++) {
		const struct sexp *p = read_part(r, actions, i);
		if (!p || !read_action(r, p))
			return false;
	}
	if (!resolve_all(r) || !read_targets(r))
		return false;
	find_finals(g);
	number_actions(g);
	return graph_finish(g, r->err);
}

/* The plan with its lists, the parts of these unread: all actions at once take five times as much as their text. */
static const struct sexp *outline(struct arena *a, struct str text, struct err *err)
{
	struct sexp *list;
	if (!sexp_read_outline(a, STR("<driver>"), text, SEXP_LISP, 2, &list, err))
		return NULL;
	if (list->len != 1 || list->items[0]->kind != SEXP_LIST || !list->items[0]->len ||
	    !sexp_is_keyword(list->items[0]->items[0], "plan")) {
		err_set(err, ERR_BUG, "the driver did not answer with a (:plan ...) form");
		return NULL;
	}
	return list->items[0];
}

static void add_strings(struct arena *a, const struct sexp *list, StrVec *out)
{
	for (uint32_t i = 0; i < sexp_list_len(list); i++)
		vec_push(out, str_dup(a, sexp_text(list->items[i])));
}

static bool add_failures(struct reader *r)
{
	const struct sexp *failures = sexp_getf(r->plan, 1, "failures");
	for (uint32_t i = 0; i < sexp_list_len(failures); i++) {
		const struct sexp *form = read_part(r, failures, i);
		struct err failure = {0};
		if (!form)
			return false;
		front_asdf_failure(form, &failure);
		vec_push(&r->findings->failures, failure);
	}
	return true;
}

void description_findings_release(struct description_findings *f)
{
	for (size_t i = 0; i < f->failures.len; i++)
		err_clear(&f->failures.ptr[i]);
	vec_release(&f->failures);
	vec_release(&f->notes);
}

bool front_asdf_read(struct graph *g, struct str text, struct description_findings *ret, struct err *err)
{
	struct arena forms = {0};
	struct reader r = {.graph = g, .text = text, .findings = ret, .err = err, .interned = {.arena = &g->arena}};
	r.plan = outline(&forms, text, err);
	bool ok = r.plan && read_plan(&r) && add_failures(&r);
	if (ok)
		add_strings(&g->arena, sexp_getf(r.plan, 1, "notes"), &ret->notes);
	vec_release(&r.by_number);
	vec_release(&r.numbers);
	vec_release(&r.edges);
	map_release(&r.labels);
	map_release(&r.product);
	intern_release(&r.interned);
	map_release(&r.clashes);
	vec_release(&r.asd_actions);
	arena_release(&r.part);
	arena_release(&forms);
	return ok;
}

bool front_asdf_inputs(struct arena *a, struct str text, struct description_inputs *ret, struct err *err)
{
	const struct sexp *plan = outline(a, text, err);
	if (!plan)
		return false;
	add_strings(a, sexp_getf(plan, 1, "read"), &ret->read);
	add_strings(a, sexp_getf(plan, 1, "absent"), &ret->absent);
	add_strings(a, sexp_getf(plan, 1, "folders"), &ret->folders);
	return true;
}
