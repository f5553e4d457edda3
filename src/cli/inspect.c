/* plan, query: looking at a graph without building it. */
#include <stdio.h>
#include <stdlib.h>

#include "cli/commands.h"
#include "cli/query_lang.h"
#include "wire/json.h"

static void take_targets(struct cli *cli, size_t from)
{
	for (size_t i = from; i < cli->options.args.len; i++)
		vec_push(&cli->targets, cli->options.args.ptr[i]);
	cli->build.targets = cli->targets.ptr;
	cli->build.ntargets = cli->targets.len;
}

static int finish(struct cli *cli, bool ok, struct err *err, struct buf *out)
{
	int code = 0;
	if (ok)
		fwrite(out->ptr, 1, out->len, stdout);
	else
		code = cli_fail(cli, err);
	buf_release(out);
	return code;
}

/* -- plan -- */

static int by_order(const void *pa, const void *pb, void *graph)
{
	uint32_t a = graph_action(graph, *(const action_id *)pa)->order;
	uint32_t b = graph_action(graph, *(const action_id *)pb)->order;
	return a < b ? -1 : a > b;
}

static void ordered(struct graph *g, U32Vec *out)
{
	for (size_t i = 0; i < g->actions.len; i++)
		vec_push(out, (uint32_t)i);
	if (out->len)
		qsort_r(out->ptr, out->len, sizeof(*out->ptr), by_order, g);
}

static void json_labels(struct json *j, const char *key, struct graph *g, U32Vec *ids)
{
	if (ids->len)
		qsort_r(ids->ptr, ids->len, sizeof(*ids->ptr), by_order, g);
	json_key(j, key);
	json_array(j);
	for (size_t i = 0; i < ids->len; i++)
		json_str(j, graph_action(g, ids->ptr[i])->label);
	json_end(j);
}

/* The tasks that `id` waits for: through steps, not through other tasks. `seen` is by action; `round` is new each
 * time. */
static void awaited_tasks(const struct graph *g, action_id id, uint32_t *seen, uint32_t round, U32Vec *stack,
                          U32Vec *out)
{
	vec_clear(out);
	vec_clear(stack);
	vec_push(stack, id);
	while (stack->len) {
		const struct action *a = graph_action(g, vec_pop(stack));
		for (uint32_t d = 0; d < a->ndeps; d++) {
			if (seen[a->deps[d]] == round)
				continue;
			seen[a->deps[d]] = round;
			U32Vec *to = action_kind_is_task(graph_action(g, a->deps[d])->kind) ? out : stack;
			vec_push(to, a->deps[d]);
		}
	}
}

/* A list of the tasks in order; of each what it reads, makes, waits for and has in its image, and how long it took the
 * last time (null: never built here). */
static void plan_json(const struct build *b, struct graph *g, const U32Vec *order, struct buf *out)
{
	struct json j = {.out = out};
	struct closure c;
	U32Vec steps = {0}, deps = {0}, stack = {0};
	uint32_t *seen = xcalloc(g->actions.len + 1, sizeof(*seen));
	closure_init(&c, g);
	json_array(&j);
	for (size_t i = 0; i < order->len; i++) {
		const struct action *a = graph_action(g, order->ptr[i]);
		uint64_t ns;
		if (!action_kind_is_task(a->kind))
			continue;
		json_object(&j);
		json_key(&j, "label");
		json_str(&j, a->label);
		json_key(&j, "kind");
		json_strz(&j, action_kind_name(a->kind));
		json_key(&j, "system");
		if (a->system == NO_ID)
			json_null(&j);
		else
			json_str(&j, graph_system(g, a->system)->name);
		json_key(&j, "duration_ns");
		if (map_get(&b->durations, a->label, &ns))
			json_int(&j, (int64_t)ns);
		else
			json_null(&j);
		json_key(&j, "inputs");
		json_array(&j);
		for (uint32_t k = 0; k < a->ninputs; k++)
			json_str(&j, a->inputs[k].path);
		json_end(&j);
		json_key(&j, "outputs");
		json_array(&j);
		for (uint32_t k = 0; k < a->noutputs; k++)
			json_str(&j, a->outputs[k]);
		json_end(&j);
		awaited_tasks(g, order->ptr[i], seen, (uint32_t)i + 1, &stack, &deps);
		json_labels(&j, "deps", g, &deps);
		vec_clear(&steps);
		closure_of(&c, order->ptr[i], action_kind_is_step, &steps);
		json_labels(&j, "image", g, &steps);
		json_key(&j, "whole");
		if (a->kind == ACTION_WHOLE && a->system != NO_ID)
			json_str(&j, graph_system(g, a->system)->whole);
		else
			json_null(&j);
		json_end(&j);
	}
	json_end(&j);
	buf_addc(out, '\n');
	vec_release(&steps);
	vec_release(&deps);
	vec_release(&stack);
	free(seen);
	closure_release(&c);
}

static void plan_dot(const struct graph *g, struct buf *out)
{
	buf_addz(out, "digraph plan {\n  rankdir=LR;\n");
	for (size_t i = 0; i < g->actions.len; i++) {
		const struct action *a = &g->actions.ptr[i];
		buf_addf(out, "  n%zu [label=\"%.*s\" shape=%s];\n", i, STR_ARG(a->label),
		         action_kind_is_task(a->kind) ? "box" : "ellipse");
		for (uint32_t d = 0; d < a->ndeps; d++)
			buf_addf(out, "  n%zu -> n%u;\n", i, a->deps[d]);
	}
	buf_addz(out, "}\n");
}

static void plan_text(struct graph *g, const U32Vec *order, struct buf *out)
{
	struct image_tree t;
	struct closure c;
	U32Vec tasks = {0}, steps = {0};
	for (size_t i = 0; i < order->len; i++)
		if (action_kind_is_task(graph_action(g, order->ptr[i])->kind))
			vec_push(&tasks, order->ptr[i]);
	image_tree_build(&t, g, tasks.ptr, tasks.len);
	closure_init(&c, g);
	for (size_t i = 0; i < tasks.len; i++) {
		const struct action *a = graph_action(g, tasks.ptr[i]);
		vec_clear(&steps);
		closure_of(&c, tasks.ptr[i], action_kind_is_step, &steps);
		buf_addf(out, "%-8s %.*s  (image of %zu step%s)\n", action_kind_name(a->kind), STR_ARG(a->label),
		         steps.len, steps.len == 1 ? "" : "s");
	}
	size_t nsteps = 0;
	for (size_t i = 0; i < g->actions.len; i++)
		nsteps += action_kind_is_step(g->actions.ptr[i].kind);
	buf_addf(out, "%zu action%s, %zu step%s, images in a tree of %zu node%s\n", tasks.len,
	         tasks.len == 1 ? "" : "s", nsteps, nsteps == 1 ? "" : "s", t.nodes.len, t.nodes.len == 1 ? "" : "s");
	vec_release(&tasks);
	vec_release(&steps);
	closure_release(&c);
	image_tree_release(&t);
}

int command_plan(struct cli *cli)
{
	struct session s = {.lock_fd = -1};
	struct graph g = {0};
	struct err err = {0};
	struct buf out = {0};
	take_targets(cli, 0);
	bool ok = cli_describe(cli, &s, &g, &err);
	if (ok) {
		U32Vec order = {0};
		ordered(&g, &order);
		if (cli->options.format == FORMAT_JSON) {
			struct build b = {0};
			build_init(&b, &s, &g); /* reads the history */
			plan_json(&b, &g, &order, &out);
			build_release(&b);
		} else if (cli->options.format == FORMAT_DOT)
			plan_dot(&g, &out);
		else
			plan_text(&g, &order, &out);
		vec_release(&order);
	}
	int code = finish(cli, ok, &err, &out);
	session_close(&s);
	graph_release(&g);
	return code;
}

/* -- query: systems and files as nodes -- */

struct node {
	struct str name, alias, kind;
	U32Vec edges;
	StrVec files;
};

struct view {
	struct graph *graph;
	struct arena arena;
	Vec(struct node) nodes; /* systems by id, then compiled files, then modules of the Lisp */
	uint32_t *of_action;    /* node that an action belongs to; UINT32_MAX */
};

static struct str view_name(void *ctx, uint32_t n)
{
	return ((struct view *)ctx)->nodes.ptr[n].name;
}

static struct str view_alias(void *ctx, uint32_t n)
{
	return ((struct view *)ctx)->nodes.ptr[n].alias;
}

static struct str view_kind(void *ctx, uint32_t n)
{
	return ((struct view *)ctx)->nodes.ptr[n].kind;
}

static const uint32_t *view_edges(void *ctx, uint32_t n, uint32_t *ret_n)
{
	struct view *v = ctx;
	*ret_n = (uint32_t)v->nodes.ptr[n].edges.len;
	return v->nodes.ptr[n].edges.ptr;
}

static void view_files(void *ctx, uint32_t n, StrVec *out)
{
	struct view *v = ctx;
	for (size_t i = 0; i < v->nodes.ptr[n].files.len; i++)
		vec_push(out, v->nodes.ptr[n].files.ptr[i]);
}

static void add_edge(struct view *v, uint32_t from, uint32_t to)
{
	U32Vec *edges = &v->nodes.ptr[from].edges;
	for (size_t i = 0; i < edges->len; i++)
		if (edges->ptr[i] == to)
			return;
	vec_push(edges, to);
}

static void add_systems(struct view *v)
{
	const struct graph *g = v->graph;
	for (size_t i = 0; i < g->systems.len; i++) {
		const struct system *s = &g->systems.ptr[i];
		struct node n = {.alias = s->name, .kind = STR("system")};
		n.name = str_fmt(&v->arena, "asdf:%.*s", STR_ARG(s->name));
		if (s->asd.len)
			vec_push(&n.files, s->asd);
		vec_push(&v->nodes, n);
	}
	for (size_t i = 0; i < g->systems.len; i++)
		for (uint32_t d = 0; d < g->systems.ptr[i].ndepends_on; d++) {
			system_id dep = graph_find_system(g, g->systems.ptr[i].depends_on[d]);
			if (dep != NO_ID)
				add_edge(v, (uint32_t)i, dep);
		}
}

static void add_files(struct view *v)
{
	const struct graph *g = v->graph;
	for (size_t i = 0; i < g->actions.len; i++) {
		const struct action *a = &g->actions.ptr[i];
		v->of_action[i] = UINT32_MAX;
		if (a->kind == ACTION_REQUIRE) {
			v->of_action[i] = (uint32_t)v->nodes.len;
			vec_push(&v->nodes, (struct node){.name = a->label, .alias = a->path, .kind = STR("module")});
		}
		if (a->kind != ACTION_COMPILE && a->kind != ACTION_OPAQUE)
			continue;
		CHECK(v->nodes.ptr && a->system < v->nodes.len);
		struct node n = {.name = a->label, .kind = STR("file")};
		for (uint32_t k = 0; k < a->ninputs; k++)
			if (a->inputs[k].producer == NO_ID) {
				vec_push(&n.files, a->inputs[k].path);
				vec_push(&v->nodes.ptr[a->system].files, a->inputs[k].path);
			}
		v->of_action[i] = (uint32_t)v->nodes.len;
		vec_push(&v->nodes, n);
	}
}

/* A file depends on the files, modules and systems whose load it waits for: the nearest of them on each way down. */
static void add_file_edges(struct view *v)
{
	const struct graph *g = v->graph;
	uint32_t *mark = xcalloc(g->actions.len + 1, sizeof(*mark));
	U32Vec stack = {0};
	for (size_t i = 0; i < g->actions.len; i++) {
		const struct action *self = &g->actions.ptr[i];
		uint32_t node = v->of_action[i];
		if (node == UINT32_MAX || self->kind == ACTION_REQUIRE)
			continue;
		vec_clear(&stack);
		vec_push(&stack, (uint32_t)i);
		while (stack.len) {
			const struct action *a = graph_action(g, vec_pop(&stack));
			for (uint32_t d = 0; d < a->ndeps; d++) {
				action_id id = a->deps[d];
				const struct action *dep = graph_action(g, id);
				if (mark[id] == i + 1)
					continue;
				mark[id] = (uint32_t)i + 1;
				if (v->of_action[id] != UINT32_MAX)
					add_edge(v, node, v->of_action[id]);
				else if (dep->system != NO_ID && dep->system != self->system)
					add_edge(v, node, dep->system);
				else
					vec_push(&stack, id);
			}
		}
	}
	vec_release(&stack);
	free(mark);
}

static void view_build(struct view *v, struct graph *g)
{
	*v = (struct view){.graph = g};
	v->of_action = xmalloc((g->actions.len + 1) * sizeof(*v->of_action));
	add_systems(v);
	add_files(v);
	add_file_edges(v);
	for (size_t i = 0; i < g->actions.len; i++) {
		const struct action *a = &g->actions.ptr[i];
		if (v->of_action[i] != UINT32_MAX && a->system != NO_ID)
			add_edge(v, a->system, v->of_action[i]);
	}
}

static void view_release(struct view *v)
{
	for (size_t i = 0; i < v->nodes.len; i++) {
		vec_release(&v->nodes.ptr[i].edges);
		vec_release(&v->nodes.ptr[i].files);
	}
	vec_release(&v->nodes);
	free(v->of_action);
	arena_release(&v->arena);
}

/* The systems that a query names must be described: every word in it that is not a function is tried as one. */
static void names_in_query(struct cli *cli, struct str text)
{
	static const char separators[] = " \t\n(),'\"";
	size_t at = 0;
	while (at < text.len) {
		size_t end = at;
		while (end < text.len && !strchr(separators, text.ptr[end]))
			end++;
		struct str word = str_slice(text, at, end);
		bool call = end < text.len && text.ptr[end] == '(';
		uint64_t number;
		if (str_has_prefix(word, STR("asdf:")))
			word = str_drop(word, 5);
		bool plain = word.len && !call && str_find(word, '*') == word.len && str_find(word, ':') == word.len &&
		             str_find(word, '?') == word.len && !str_to_u64(word, &number) && !str_eqc(word, "-") &&
		             !str_eqc(word, "+") && !str_eqc(word, "^");
		static const char *const words[] = {"union", "except", "intersect", "system", "file", "module"};
		for (size_t i = 0; i < ARRAY_LEN(words); i++)
			plain = plain && !str_eqc(word, words[i]);
		if (plain)
			vec_push(&cli->targets, str_dup(&cli->arena, word));
		at = end + 1;
	}
}

int command_query(struct cli *cli)
{
	struct session s = {.lock_fd = -1};
	struct graph g = {0};
	struct err err = {0};
	struct buf out = {0};
	if (!cli->options.args.len) {
		err_set(&err, ERR_USER, "what is the query?");
		err_note(&err, "for example: tenon query 'deps(ironclad)'");
		return cli_fail(cli, &err);
	}
	struct str text = cli->options.args.ptr[0];
	if (str_search(text, STR("//")) < text.len)
		return cli_query_targets(cli);
	take_targets(cli, 1);
	if (!cli->targets.len)
		names_in_query(cli, text);
	cli->build.targets = cli->targets.ptr;
	cli->build.ntargets = cli->targets.len;
	bool ok = cli_describe(cli, &s, &g, &err);
	if (ok) {
		struct view v;
		view_build(&v, &g);
		struct query_graph q = {.ctx = &v,
		                        .count = (uint32_t)v.nodes.len,
		                        .name = view_name,
		                        .alias = view_alias,
		                        .kind = view_kind,
		                        .edges = view_edges,
		                        .files = view_files};
		struct query_result r = {0};
		ok = query_run(&q, text, &r, &err);
		if (ok)
			query_print(&q, &r, (enum query_format)cli->options.format, &out);
		query_release(&r);
		view_release(&v);
	}
	int code = finish(cli, ok, &err, &out);
	session_close(&s);
	graph_release(&g);
	return code;
}
