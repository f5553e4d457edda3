/* An action for each namespace, which sees what its ns form says and nothing else. Words, read by exec/jvm_executor.c:
 *
 *     compile NS [--also NS]... [--source REL PATH]... [--external NS]... [--closure NS TREE]...
 *             [--option NAME VALUE]...
 *     libraries PACKER [--external NS]... */
#include <stdlib.h>

#include "rules/target_clojure.h"

/* -- the runtime that a target's namespaces are compiled in -- */

static bool same_files(const FileRefVec *a, const FileRefVec *b)
{
	bool same = a->len == b->len;
	for (size_t i = 0; same && i < a->len; i++)
		same = str_eq(a->ptr[i].path, b->ptr[i].path) && a->ptr[i].producer == b->ptr[i].producer;
	return same;
}

static void add_name(StrVec *names, struct str name)
{
	for (size_t i = 0; i < names->len; i++)
		if (str_eq(names->ptr[i], name))
			return;
	vec_push(names, name);
}

static void runtime_files(struct rule_context *c, const struct target_file_ref *java, FileRefVec *out)
{
	if (java)
		rule_add_file(out, *java);
	rule_add_runtime(c, "deps", out);
	rule_add_runtime(c, "provided-deps", out);
}

/* Resources of the target and of those that it depends on can be read. */
static void add_roots(struct rule_context *c, struct target_runtime *rt)
{
	const struct target_clojure *cl = c->an->clojure;
	bool *in = xcalloc(c->an->table->targets.len + 1, sizeof(*in));
	clojure_mark_deps(c->an, c->id, in);
	for (size_t i = 0; i < cl->resources.len; i++)
		if (in[cl->resources.ptr[i].owner])
			add_name(&rt->roots, cl->resources.ptr[i].root);
	free(in);
}

struct target_runtime *clojure_own_runtime(struct rule_context *c, const struct target_file_ref *java)
{
	struct target_runtime *rt = arena_new(c->arena, struct target_runtime);
	runtime_files(c, java, &rt->class_path);
	vec_push(&c->an->clojure->runtimes, rt);
	add_roots(c, rt);
	return rt;
}

struct target_runtime *clojure_runtime(struct rule_context *c, const struct target_file_ref *java)
{
	struct target_clojure *cl = c->an->clojure;
	FileRefVec files = {0};
	runtime_files(c, java, &files);
	struct target_runtime *found = NULL;
	for (size_t i = 0; !found && i < cl->runtimes.len; i++)
		if (!cl->runtimes.ptr[i]->is_test && same_files(&cl->runtimes.ptr[i]->class_path, &files))
			found = cl->runtimes.ptr[i];
	vec_release(&files);
	if (!found)
		return clojure_own_runtime(c, java);
	add_roots(c, found);
	return found;
}

/* -- namespaces -- */

bool clojure_check_needs(struct rule_context *c, uint32_t ns, struct err *err)
{
	const struct target_clojure *cl = c->an->clojure;
	const struct clojure_namespace *n = &cl->project.namespaces.ptr[ns];
	struct str leader = cl->project.namespaces.ptr[n->group].name;
	if (clojure_owner(cl, n->group) != c->id) {
		err_set(err, ERR_USER, "%.*s can't be separated from %.*s, which belongs to another target, \"%.*s\"",
		        STR_ARG(n->name), STR_ARG(leader),
		        STR_ARG(target_get(c->an->table, clojure_owner(cl, n->group))->label));
		err_note(err, "%.*s loads what needs it: put both into one target", STR_ARG(leader));
		return false;
	}
	bool *in = xcalloc(c->an->table->targets.len + 1, sizeof(*in)), ok = true;
	clojure_mark_deps(c->an, c->id, in);
	for (size_t i = 0; ok && i < n->needs.len; i++) {
		const struct clojure_need *need = &n->needs.ptr[i];
		if (need->target == NO_NAMESPACE || in[clojure_owner(cl, need->target)])
			continue;
		struct str owner = target_get(c->an->table, clojure_owner(cl, need->target))->label;
		ok = err_set(err, ERR_USER, "%.*s needs %.*s, which belongs to \"%.*s\"", STR_ARG(n->name),
		             STR_ARG(need->name), STR_ARG(owner));
		err_at(err, cl->project.files.ptr[need->file].path, need->line, need->col, (struct str){0});
		err_note(err, "add \"%.*s\" to :deps of \"%.*s\"", STR_ARG(owner), STR_ARG(c->target->label));
	}
	free(in);
	return ok;
}

/* Marks the namespaces of the group, and what they need, directly or not. */
static void mark_closure(const struct target_clojure *cl, uint32_t group, bool *in)
{
	U32Vec stack = {0};
	for (uint32_t i = 0; i < cl->project.namespaces.len; i++)
		if (cl->project.namespaces.ptr[i].group == group) {
			in[i] = true;
			vec_push(&stack, i);
		}
	while (stack.len) {
		const struct clojure_namespace *n = &cl->project.namespaces.ptr[vec_pop(&stack)];
		for (size_t i = 0; i < n->needs.len; i++) {
			uint32_t t = n->needs.ptr[i].target;
			if (t == NO_NAMESPACE || n->needs.ptr[i].dropped || in[t])
				continue;
			in[t] = true;
			vec_push(&stack, t);
		}
	}
	vec_release(&stack);
}

void clojure_add_words(struct target_action *t, const char *option, struct str a, struct str b)
{
	vec_push(&t->argv, str_from(option));
	vec_push(&t->argv, a);
	if (b.len)
		vec_push(&t->argv, b);
}

static void add_source(struct target_action *t, const struct clojure_file *f)
{
	clojure_add_words(t, "--source", f->rel, f->path);
	target_add_input(t, (struct target_file_ref){.path = f->path, .producer = NO_ID, .code = !t->is_test});
}

/* The namespace's file and its parts. */
static void add_sources(struct rule_context *c, action_id id, uint32_t ns, struct target_runtime *rt)
{
	const struct target_clojure *cl = c->an->clojure;
	const struct clojure_namespace *n = &cl->project.namespaces.ptr[ns];
	const struct clojure_file *own = &cl->project.files.ptr[n->file];
	struct target_action *t = rule_action_get(c, id);
	add_source(t, own);
	add_name(&rt->roots, str_slice(own->path, 0, own->path.len - MIN(own->rel.len + 1, own->path.len)));
	for (size_t i = 0; i < n->parts.len; i++)
		add_source(t, &cl->project.files.ptr[n->parts.ptr[i]]);
	add_name(&rt->project, n->name);
}

/* What the marked namespaces need of libraries. */
static void add_externals(struct rule_context *c, action_id id, const bool *in, struct target_runtime *rt)
{
	const struct target_clojure *cl = c->an->clojure;
	struct target_action *t = rule_action_get(c, id);
	StrVec externals = {0};
	for (size_t i = 0; i < cl->project.namespaces.len; i++) {
		const struct clojure_namespace *n = &cl->project.namespaces.ptr[i];
		for (size_t k = 0; in[i] && k < n->needs.len; k++)
			if (n->needs.ptr[k].target == NO_NAMESPACE && !n->needs.ptr[k].optional &&
			    n->needs.ptr[k].kind != CLOJURE_IMPORT)
				add_name(&externals, n->needs.ptr[k].name);
	}
	for (size_t i = 0; i < externals.len; i++) {
		clojure_add_words(t, "--external", externals.ptr[i], (struct str){0});
		add_name(&rt->preload, externals.ptr[i]);
	}
	vec_release(&externals);
}

static bool reads_tags(const struct target_clojure *cl, uint32_t group)
{
	for (size_t i = 0; i < cl->project.namespaces.len; i++) {
		const struct clojure_namespace *n = &cl->project.namespaces.ptr[i];
		for (size_t k = 0; n->group == group && k < n->needs.len; k++)
			if (n->needs.ptr[k].kind == CLOJURE_READER)
				return true;
	}
	return false;
}

static bool loads_computed(const struct target_clojure *cl, const bool *in)
{
	for (size_t i = 0; i < cl->project.namespaces.len; i++) {
		const struct clojure_namespace *n = &cl->project.namespaces.ptr[i];
		if (!in[i])
			continue;
		for (size_t k = 0; k <= n->parts.len; k++)
			if (cl->project.files.ptr[k ? n->parts.ptr[k - 1] : n->file].loads_computed)
				return true;
	}
	return false;
}

/* A test that loads namespaces whose names are computed finds all that its target may use, as sources. */
static void add_others(struct rule_context *c, action_id id, const bool *in, struct target_runtime *rt)
{
	const struct target_clojure *cl = c->an->clojure;
	bool *targets = xcalloc(c->an->table->targets.len + 1, sizeof(*targets));
	clojure_mark_deps(c->an, c->id, targets);
	for (uint32_t i = 0; i < cl->project.namespaces.len; i++)
		if (!in[i] && targets[clojure_owner(cl, i)])
			add_sources(c, id, i, rt);
	free(targets);
}

void clojure_add_closure(struct rule_context *c, action_id id, uint32_t ns, struct target_runtime *rt)
{
	const struct target_clojure *cl = c->an->clojure;
	uint32_t group = cl->project.namespaces.ptr[ns].group;
	struct target_action *t = rule_action_get(c, id);
	bool *in = xcalloc(cl->project.namespaces.len + 1, sizeof(*in));
	mark_closure(cl, group, in);
	add_externals(c, id, in, rt);
	for (size_t i = 0; i < cl->project.order.len; i++) {
		uint32_t other = cl->project.order.ptr[i];
		if (!in[other] || cl->project.namespaces.ptr[other].group == group)
			continue;
		if (cl->skipped[other] || clojure_is_test(c->an, clojure_owner(cl, other))) {
			add_sources(c, id, other, rt);
			continue;
		}
		CHECK(cl->compiles[other] != NO_ID);
		add_name(&rt->project, cl->project.namespaces.ptr[other].name);
		/* Functions of reader tags run unseen. */
		clojure_add_words(t, "--closure", cl->project.namespaces.ptr[other].name, cl->trees[other]);
		target_add_input(t, (struct target_file_ref){.path = cl->trees[other],
		                                             .producer = cl->compiles[other],
		                                             .tree = true,
		                                             .traced = !reads_tags(cl, group)});
	}
	if (clojure_is_test(c->an, c->id)) {
		add_sources(c, id, ns, rt);
		if (loads_computed(cl, in))
			add_others(c, id, in, rt);
	}
	free(in);
}

void clojure_set_toolchain(struct rule_context *c, action_id id)
{
	struct hasher *h = hasher_new(STR("tenon-jvm-1"));
	hasher_digest(h, "jdk", &c->an->tools->jdk);
	hasher_digest(h, "driver", &c->an->tools->jvm_driver);
	rule_action_get(c, id)->toolchain = hasher_end(h);
}

static void add_options(struct rule_context *c, struct target_action *t)
{
	const struct attr *more = target_attr(c->target, "compiler-options");
	if (target_bool(c->target, "direct-linking", false))
		clojure_add_words(t, "--option", STR("direct-linking"), STR("t"));
	for (uint32_t i = 0; more && i < more->len; i++)
		clojure_add_words(t, "--option", more->pairs[i].key, more->pairs[i].value);
}

/* What can't be separated from the namespace is compiled with it. */
static void add_group(struct rule_context *c, action_id id, uint32_t leader, struct target_runtime *rt)
{
	struct target_clojure *cl = c->an->clojure;
	for (uint32_t i = 0; i < cl->project.namespaces.len; i++) {
		if (i == leader || cl->project.namespaces.ptr[i].group != leader)
			continue;
		clojure_add_words(rule_action_get(c, id), "--also", cl->project.namespaces.ptr[i].name,
		                  (struct str){0});
		add_sources(c, id, i, rt);
		cl->compiles[i] = id;
		cl->trees[i] = cl->trees[leader];
	}
}

/* Resources of the target and of those below it: a macro may read them. */
static void add_resources(struct rule_context *c, action_id id)
{
	const struct target_clojure *cl = c->an->clojure;
	bool *in = xcalloc(c->an->table->targets.len + 1, sizeof(*in));
	clojure_mark_deps(c->an, c->id, in);
	for (size_t i = 0; i < cl->resources.len; i++) {
		const struct clojure_resource *r = &cl->resources.ptr[i];
		if (in[r->owner])
			target_add_input(rule_action_get(c, id),
			                 (struct target_file_ref){.path = clojure_file_path(c->arena, r->root, r->rel),
			                                          .producer = NO_ID,
			                                          .traced = true});
	}
	free(in);
}

static void compile_namespace(struct rule_context *c, uint32_t ns, struct target_runtime *rt)
{
	struct target_clojure *cl = c->an->clojure;
	const struct clojure_namespace *n = &cl->project.namespaces.ptr[ns];
	struct str dir = target_dir(c->an->table, c->id);
	action_id id = rule_action_new(c, "clj-compile", "jvm", str_dupz(c->arena, n->name));
	struct target_action *t = rule_action_get(c, id);
	t->runtime = rt;
	t->output_is_warning = true;
	clojure_set_toolchain(c, id);
	cl->compiles[ns] = id;
	cl->trees[ns] = str_fmt(c->arena, "%.*s%s%.*s.classes/%.*s", STR_ARG(dir), dir.len ? "/" : "",
	                        STR_ARG(c->target->name), STR_ARG(n->name));
	vec_push(&t->argv, STR("compile"));
	vec_push(&t->argv, n->name);
	add_sources(c, id, ns, rt);
	add_group(c, id, ns, rt);
	add_options(c, t);
	clojure_add_closure(c, id, ns, rt);
	for (size_t i = 0; i < rt->class_path.len; i++)
		target_add_input(t, rt->class_path.ptr[i]);
	add_resources(c, id);
	rule_output(c, id, cl->trees[ns], true);
}

bool clojure_check_ns(struct rule_context *c, struct err *err)
{
	const struct target_clojure *cl = c->an->clojure;
	const struct attr *names = target_attr(c->target, "ns");
	for (uint32_t i = 0; names && i < names->len; i++) {
		struct nearest n;
		uint64_t ns;
		if (map_get(&cl->project.by_name, names->strings[i], &ns) && clojure_owner(cl, (uint32_t)ns) == c->id)
			continue;
		rule_err(c, names, err, "%.*s is no namespace of \"%.*s\"", STR_ARG(names->strings[i]),
		         STR_ARG(c->target->label));
		nearest_init(&n, names->strings[i]);
		for (uint32_t k = 0; k < cl->project.namespaces.len; k++)
			if (clojure_owner(cl, k) == c->id)
				nearest_offer(&n, cl->project.namespaces.ptr[k].name);
		nearest_note(&n, err);
		return false;
	}
	return true;
}

/* Where :ns names namespaces, those that they do not need are left as sources. */
static void skip_unnamed(struct rule_context *c)
{
	struct target_clojure *cl = c->an->clojure;
	const struct attr *names = target_attr(c->target, "ns");
	bool *in = xcalloc(cl->project.namespaces.len + 1, sizeof(*in));
	uint64_t ns;
	for (uint32_t i = 0; names && i < names->len; i++)
		if (map_get(&cl->project.by_name, names->strings[i], &ns))
			mark_closure(cl, cl->project.namespaces.ptr[ns].group, in);
	for (uint32_t i = 0; names && i < cl->project.namespaces.len; i++)
		if (!in[i] && clojure_owner(cl, i) == c->id)
			cl->skipped[i] = cl->unnamed[i] = true;
	free(in);
}

bool clojure_compile(struct rule_context *c, const struct target_file_ref *java, struct err *err)
{
	struct target_clojure *cl = c->an->clojure;
	struct target_runtime *rt = clojure_runtime(c, java);
	if (!clojure_check_ns(c, err))
		return false;
	skip_unnamed(c);
	clojure_skip_incomplete(c, rt);
	for (size_t i = 0; i < cl->project.order.len; i++) {
		uint32_t ns = cl->project.order.ptr[i];
		if (clojure_owner(cl, ns) != c->id)
			continue;
		if (!clojure_check_needs(c, ns, err))
			return false;
		if (cl->project.namespaces.ptr[ns].group == ns && !cl->skipped[ns])
			compile_namespace(c, ns, rt);
	}
	return true;
}

struct target_file_ref clojure_libraries(struct rule_context *c, const struct target_file_ref *java, struct str main)
{
	const struct target_clojure *cl = c->an->clojure;
	struct target_runtime *rt = clojure_runtime(c, java);
	action_id id = rule_action_new(c, "clj-libraries", "jvm", "libraries");
	struct target_action *t = rule_action_get(c, id);
	struct str dir = target_dir(c->an->table, c->id);
	bool *targets = xcalloc(c->an->table->targets.len + 1, sizeof(*targets));
	bool *in = xcalloc(cl->project.namespaces.len + 1, sizeof(*in));
	t->runtime = rt;
	clojure_set_toolchain(c, id);
	vec_push(&t->argv, STR("libraries"));
	vec_push(&t->argv, str_from(c->an->tools->packer));
	clojure_mark_deps(c->an, c->id, targets);
	for (uint32_t i = 0; i < cl->project.namespaces.len; i++)
		in[i] = targets[clojure_owner(cl, i)];
	add_externals(c, id, in, rt);
	if (!map_has(&cl->project.by_name, main)) {
		clojure_add_words(t, "--external", main, (struct str){0});
		add_name(&rt->preload, main);
	}
	for (size_t i = 0; i < rt->class_path.len; i++)
		target_add_input(t, rt->class_path.ptr[i]);
	struct target_file_ref ret = {.producer = id};
	ret.path = str_fmt(c->arena, "%.*s%s%.*s.libraries.jar", STR_ARG(dir), dir.len ? "/" : "",
	                   STR_ARG(c->target->name));
	rule_output(c, id, ret.path, false);
	free(targets);
	free(in);
	return ret;
}
