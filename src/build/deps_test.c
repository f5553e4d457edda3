#include "build/deps.h"

#include "base/tap.h"

/* A system as text: components, each "name: declared! needed! called", separated by ";". A "~" in front of a name:
 * the file could not be surveyed; a "?": it is no file that is loaded. Order is that of the text. */
struct world {
	struct graph graph;
	struct survey survey;
	struct deps deps;
};

static action_id add_action(struct graph *g, enum action_kind kind, struct str path, const char *op)
{
	struct action a = action_new(kind);
	a.system = 0;
	a.op = str_from(op);
	struct str rest = path, part;
	a.component = arena_new_n(&g->arena, struct str, 4);
	while (str_cut(&rest, '/', &part))
		a.component[a.ncomponent++] = part;
	a.label = str_fmt(&g->arena, "%.*s %s", STR_ARG(path), op);
	a.order = (uint32_t)g->actions.len;
	a.inputs = arena_new(&g->arena, struct input);
	a.inputs[0] = (struct input){path, NO_ID};
	a.ninputs = kind == ACTION_COMPILE;
	vec_push(&g->actions, a);
	return (action_id)g->actions.len - 1;
}

static action_id find(const struct graph *g, struct str name, const char *op)
{
	struct arena a = {0};
	struct str label = str_fmt(&a, "%.*s %s", STR_ARG(name), op);
	action_id found = NO_ID;
	for (size_t i = 0; i < g->actions.len; i++)
		if (str_eq(g->actions.ptr[i].label, label))
			found = (action_id)i;
	arena_release(&a);
	return found;
}

/* Splits "name: declared! needed! called" into its four parts. */
static void split(struct str line, struct str part[4])
{
	struct str rest = str_trim(line), lists;
	str_cut(&rest, ':', &part[0]);
	part[0] = str_trim(part[0]);
	lists = rest;
	for (unsigned i = 1; i < 4; i++) {
		part[i] = (struct str){0};
		str_cut(&lists, '!', &part[i]);
		part[i] = str_trim(part[i]);
	}
}

static void declare(struct graph *g, struct str name, struct str names)
{
	U32Vec deps = {0};
	struct str word;
	while (str_cut(&names, ' ', &word))
		vec_push(&deps, find(g, word, "load"));
	struct action *a = graph_action(g, find(g, name, "prepare"));
	a->ndeps = (uint32_t)deps.len;
	a->deps = arena_new_n(&g->arena, action_id, deps.len);
	if (deps.len)
		memcpy(a->deps, deps.ptr, deps.len * sizeof(*deps.ptr));
	vec_release(&deps);
}

static void use(const struct graph *g, struct survey_file *f, struct str names, bool needed)
{
	struct str word;
	while (str_cut(&names, ' ', &word))
		vec_push(&f->uses, (struct survey_use){.step = find(g, word, "load"), .needed = needed, .why = word});
}

static bool is_module(struct str text, struct str name)
{
	struct arena a = {0};
	bool holds = str_search(text, str_fmt(&a, "%.*s/", STR_ARG(name))) < text.len;
	arena_release(&a);
	return holds;
}

static void make(struct world *w, const char *text)
{
	struct graph *g = &w->graph;
	struct str rest = str_from(text), line, part[4];
	static const system_id systems[] = {0};
	*w = (struct world){0};
	vec_push(&g->systems, (struct system){.name = STR("s"), .final = NO_ID, .asd_action = NO_ID});
	map_put(&g->system_by_name, STR("s"), 0);
	while (str_cut(&rest, ';', &line)) {
		split(line, part);
		bool other = str_has_prefix(part[0], STR("?"));
		struct str name = str_drop(part[0], other || str_has_prefix(part[0], STR("~")));
		bool module = is_module(str_from(text), name);
		add_action(g, ACTION_NONE, name, "prepare");
		action_id compile = module || other ? NO_ID : add_action(g, ACTION_COMPILE, name, "compile");
		add_action(g, module || other ? ACTION_NONE : ACTION_LOAD, name, "load");
		if (compile != NO_ID)
			vec_push(&w->survey.files,
			         (struct survey_file){.compile = compile, .ok = !str_has_prefix(part[0], STR("~"))});
	}
	rest = str_from(text);
	for (size_t file = 0; str_cut(&rest, ';', &line);) {
		split(line, part);
		bool other = str_has_prefix(part[0], STR("?"));
		struct str name = str_drop(part[0], other || str_has_prefix(part[0], STR("~")));
		declare(g, name, part[1]);
		if (other || is_module(str_from(text), name))
			continue;
		use(g, &w->survey.files.ptr[file], part[2], true);
		use(g, &w->survey.files.ptr[file++], part[3], false);
	}
	CHECK(graph_finish(g, NULL));
	deps_judge(&w->deps, g, &w->survey, systems, 1);
}

static void release(struct world *w)
{
	deps_release(&w->deps);
	survey_release(&w->survey);
	graph_release(&w->graph);
}

static void add_deps(const struct world *w, const struct component *c, bool (*which)(const struct dep *),
                     struct buf *out)
{
	for (size_t i = 0; i < c->deps.len; i++)
		if (which(&c->deps.ptr[i]))
			buf_addf(out, " %.*s", STR_ARG(w->deps.components.ptr[c->deps.ptr[i].on].name));
}

static bool is_minimal(const struct dep *d)
{
	return d->minimal;
}

/* "minimal! missing" of a component. */
static void wants(const struct world *w, const char *path, const char *want)
{
	struct buf got = {0};
	component_id id = deps_find(&w->deps, 0, str_from(path));
	CHECK(id != NO_ID);
	add_deps(w, &w->deps.components.ptr[id], is_minimal, &got);
	buf_addc(&got, '!');
	add_deps(w, &w->deps.components.ptr[id], dep_is_missing, &got);
	tap_eq_str(buf_str(&got), str_from(want), "what \"%s\" wants", path);
	buf_release(&got);
}

static void test_kinds(void)
{
	struct world w;
	make(&w, "a:; b: a! a!; c: a b! a! b; d: a b! a!; e: c! a! b; f: ! a! b");
	wants(&w, "b", " a!");
	wants(&w, "c", " b!");   /* called and declared: stays; it brings "a" along */
	wants(&w, "d", " a!");   /* "b" is not used */
	wants(&w, "e", " b!");   /* called, and reached through "c", which is not used itself */
	wants(&w, "f", " a! a"); /* needed, not declared; called and not declared is no dependency */
	release(&w);
}

static void test_modules(void)
{
	struct world w;
	make(&w, "p:; m: p!; m/x:! p!; m/y:! m/x p!; n: m p!; n/z:! m/x!; q: n! m/x p!");
	wants(&w, "m", " p!");
	wants(&w, "m/x", "!");
	wants(&w, "m/y", " x! x");
	wants(&w, "n", " m!");
	wants(&w, "q", " m!");
	release(&w);
}

static void test_unjudged(void)
{
	struct world w;
	make(&w, "a:; ?text:; b: a! a!; ~c: a b! !; d: a text! a!");
	wants(&w, "c", " b!");      /* not surveyed: all stays, but for what "b" brings along */
	wants(&w, "d", " a text!"); /* nobody can tell what a text is good for */
	release(&w);
}

static void test_give_back(void)
{
	struct world w;
	make(&w, "a:; b: a! a!; c: b! a!; d: c! a!");
	wants(&w, "d", " a!");
	deps_give_back(&w.deps, deps_find(&w.deps, 0, STR("d")));
	wants(&w, "d", " b c!"); /* all that it depended on; "c" no longer brings "b" along */
	wants(&w, "c", " a!");
	release(&w);
}

int main(void)
{
	test_kinds();
	test_modules();
	test_unjudged();
	test_give_back();
	return tap_done();
}
