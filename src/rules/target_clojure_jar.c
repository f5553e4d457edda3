/* The rules of Clojure: libraries, programs, tests. */
#include <stdlib.h>

#include "rules/target_clojure.h"

/* -- jars -- */

static void add_one(struct rule_context *c, action_id id, struct str root, struct str rel)
{
	struct target_action *t = rule_action_get(c, id);
	target_add_input(t,
	                 (struct target_file_ref){.path = clojure_file_path(c->arena, root, rel), .producer = NO_ID});
	vec_push(&t->argv, STR("--one"));
	vec_push(&t->argv, root.len ? str_fmt(c->arena, "src/%.*s", STR_ARG(root)) : STR("src"));
	vec_push(&t->argv, rel);
}

/* Classes and sources: whoever depends on the jar may need either. */
static void add_own(struct rule_context *c, action_id id, const struct target_file_ref *java)
{
	const struct target_clojure *cl = c->an->clojure;
	bool aot = target_bool(c->target, "aot", true);
	if (java)
		rule_jar_add(c, id, java);
	for (size_t i = 0; aot && i < cl->project.namespaces.len; i++)
		if (clojure_owner(cl, (uint32_t)i) == c->id && cl->project.namespaces.ptr[i].group == i &&
		    !cl->skipped[i])
			rule_jar_add(c, id,
			             &(struct target_file_ref){
			                     .path = cl->trees[i], .producer = cl->compiles[i], .tree = true});
	for (size_t i = 0; i < cl->project.files.len; i++) {
		const struct clojure_file *f = &cl->project.files.ptr[i];
		if (cl->file_owner[i] == c->id)
			add_one(c, id, str_slice(f->path, 0, f->path.len - MIN(f->rel.len + 1, f->path.len)), f->rel);
	}
	for (size_t i = 0; i < cl->resources.len; i++)
		if (cl->resources.ptr[i].owner == c->id)
			add_one(c, id, cl->resources.ptr[i].root, cl->resources.ptr[i].rel);
	rule_jar_add_made_resources(c, id);
}

/* Java sources first: namespaces may use their classes. *ret_java: their classes; NULL where there are none. */
static bool begin(struct rule_context *c, const struct target_file_ref **ret_java, struct err *err)
{
	const struct attr *java_srcs = target_attr(c->target, "java-srcs");
	struct target_file_ref *java = java_srcs && java_srcs->len ? arena_new(c->arena, struct target_file_ref) : NULL;
	if (!rule_find_jdk(c, err) || !clojure_have(c, err) || (java && !rule_javac(c, "java-srcs", java, err)) ||
	    (!c->an->tools->want_sources && !clojure_compile(c, java, err)))
		return false;
	if (java)
		rule_add_file(&c->products->runtime, *java);
	rule_add_runtime(c, "deps", &c->products->runtime);
	*ret_java = java;
	return true;
}

bool rule_clj_lib(struct rule_context *c, struct err *err)
{
	const struct target_file_ref *java;
	if (!begin(c, &java, err))
		return false;
	if (c->an->tools->want_sources)
		return true;
	action_id id = rule_jar_begin(c, "");
	add_own(c, id, java);
	rule_add_file(&c->products->files, rule_jar_product(c, id));
	rule_add_file(&c->products->classpath, rule_jar_product(c, id));
	rule_add_classpath(c, "deps", &c->products->classpath);
	return true;
}

/* A namespace that makes no class is started through clojure.main. */
static bool makes_class(struct rule_context *c, struct str ns)
{
	const struct target_clojure *cl = c->an->clojure;
	uint64_t id;
	if (!map_get(&cl->project.by_name, ns, &id))
		return clojure_may_have_class(c, &c->products->runtime, ns);
	const struct clojure_namespace *n = &cl->project.namespaces.ptr[id];
	struct str name = clojure_munge(c->arena, ns);
	if (cl->skipped[id] || !target_bool(target_get(c->an->table, clojure_owner(cl, (uint32_t)id)), "aot", true))
		return false;
	for (size_t i = 0; i <= n->parts.len; i++) {
		const struct clojure_file *f = &cl->project.files.ptr[i ? n->parts.ptr[i - 1] : n->file];
		for (size_t k = 0; k < f->gen_classes.len; k++)
			if (str_eq(f->gen_classes.ptr[k].name, name))
				return true;
	}
	return false;
}

/* It must be a namespace that is compiled here, or a library's. */
static bool check_main(struct rule_context *c, struct str main, struct err *err)
{
	const struct target_clojure *cl = c->an->clojure;
	const struct attr *attr = target_attr(c->target, "main");
	struct nearest n;
	uint64_t ns;
	if (map_get(&cl->project.by_name, main, &ns) && cl->skipped[ns] && !cl->unnamed[ns])
		return rule_err(c, attr, err, "%.*s can't be compiled: it needs what no library has", STR_ARG(main));
	if (map_has(&cl->project.by_name, main) || clojure_may_have(c, &c->products->runtime, main))
		return true;
	rule_err(c, attr, err, "there is no namespace %.*s, here or in a library", STR_ARG(main));
	nearest_init(&n, main);
	for (size_t i = 0; i < cl->project.namespaces.len; i++)
		nearest_offer(&n, cl->project.namespaces.ptr[i].name);
	nearest_note(&n, err);
	return false;
}

bool rule_clj_binary(struct rule_context *c, struct err *err)
{
	const struct target_file_ref *java;
	if (!begin(c, &java, err))
		return false;
	if (c->an->tools->want_sources)
		return true;
	action_id id = rule_jar_begin(c, "");
	struct str main = target_string(c->target, "main", (struct str){0});
	if (!check_main(c, main, err))
		return false;
	if (!rule_jar_main(c, id, main, !makes_class(c, main), err))
		return false;
	add_own(c, id, java);
	if (target_bool(c->target, "aot-libraries", false)) {
		struct target_file_ref libraries = clojure_libraries(c, java, main);
		rule_jar_add(c, id, &libraries);
	}
	rule_jar_add_libraries(c, id);
	rule_add_file(&c->products->files, rule_jar_product(c, id));
	rule_run_jar(c, id);
	return true;
}

/* -- tests: an action for each namespace. Words: test NS [--var TEST]... [--select FUNCTION], and as for a compile --
 */

/* Does what was asked for on the command line name the namespace? Tests of it are added to the action. */
static bool is_wanted(const struct rule_context *c, struct str ns, StrVec *ret_vars)
{
	const StrVec *only = &c->an->tools->only_tests;
	bool wanted = !only->len, all = wanted;
	for (size_t i = 0; i < only->len; i++) {
		struct str asked = only->ptr[i];
		size_t slash = str_find(asked, '/');
		if (!str_eq(str_slice(asked, 0, slash), ns))
			continue;
		wanted = true;
		if (slash < asked.len)
			vec_push(ret_vars, str_drop(asked, slash + 1));
		else
			all = true;
	}
	if (all)
		vec_clear(ret_vars);
	return wanted;
}

static bool is_named(const struct rule_context *c, struct str ns)
{
	const struct attr *names = target_attr(c->target, "ns");
	for (uint32_t i = 0; names && i < names->len; i++)
		if (str_eq(names->strings[i], ns))
			return true;
	return !names;
}

static void add_files(struct rule_context *c, action_id id, const char *attr)
{
	FileRefVec files = {0};
	rule_files(c, target_attr(c->target, attr), &files);
	for (size_t i = 0; i < files.len; i++)
		target_add_input(rule_action_get(c, id), files.ptr[i]);
	vec_release(&files);
}

/* Where the program's working folder would be: the package. */
static struct target_runtime *test_runtime(struct rule_context *c)
{
	struct target_runtime *rt = clojure_own_runtime(c, NULL);
	const struct attr *options = target_attr(c->target, "jvm-options");
	rt->is_test = true;
	rt->cwd = target_dir(c->an->table, c->id);
	rule_environment_attr(c->arena, &rt->env, target_attr(c->target, "env"));
	for (uint32_t i = 0; options && i < options->len; i++)
		vec_push(&rt->jvm_options, options->strings[i]);
	return rt;
}

static struct str selector(const struct rule_context *c, const char *name)
{
	const struct attr *map = target_attr(c->target, "selectors");
	for (uint32_t i = 0; map && i < map->len; i++)
		if (str_eqc(map->pairs[i].key, name))
			return map->pairs[i].value;
	return (struct str){0};
}

/* Which tests run, as a function of their metadata in Clojure; empty: all. */
static struct str selection(struct rule_context *c)
{
	const StrVec *asked = &c->an->tools->selectors;
	struct buf b = {0};
	if (!asked->len)
		return selector(c, "default");
	for (size_t i = 0; i < asked->len; i++) {
		struct str name = asked->ptr[i], text;
		if (str_has_prefix(name, STR(":")))
			name = str_drop(name, 1);
		text = selector(c, str_dupz(c->arena, name));
		if (text.len)
			buf_addf(&b, "%s%.*s", i ? " " : "(some-fn ", STR_ARG(text));
		else
			buf_addf(&b, "%s:%.*s", i ? " " : "(some-fn ", STR_ARG(name));
	}
	buf_addc(&b, ')');
	struct str ret = str_dup(c->arena, buf_str(&b));
	buf_release(&b);
	return ret;
}

static void test_namespace(struct rule_context *c, uint32_t ns, struct target_runtime *rt, const StrVec *vars)
{
	struct target_clojure *cl = c->an->clojure;
	const struct clojure_namespace *n = &cl->project.namespaces.ptr[ns];
	action_id id = rule_action_new(c, "clj-test", "jvm", str_dupz(c->arena, n->name));
	struct target_action *t = rule_action_get(c, id);
	t->runtime = rt;
	t->is_test = true;
	t->timeout_s = (unsigned)target_int(c->target, "timeout", 300);
	clojure_set_toolchain(c, id);
	t->cwd = rt->cwd;
	vec_push(&t->argv, STR("test"));
	vec_push(&t->argv, n->name);
	for (size_t i = 0; i < vars->len; i++)
		clojure_add_words(t, "--var", vars->ptr[i], (struct str){0});
	/* A test that is named runs. */
	struct str select = vars->len ? STR("") : selection(c);
	if (select.len)
		clojure_add_words(t, "--select", select, (struct str){0});
	for (size_t i = 0; i < rt->jvm_options.len; i++)
		clojure_add_words(t, "--jvm", rt->jvm_options.ptr[i], (struct str){0});
	for (size_t i = 0; i < rt->env.len; i++)
		vec_push(&t->env, rt->env.ptr[i]);
	clojure_add_closure(c, id, ns, rt);
	for (size_t i = 0; i < rt->class_path.len; i++)
		target_add_input(t, rt->class_path.ptr[i]);
	add_files(c, id, "resources");
	add_files(c, id, "data");
	/* What ran counts, not what it used: a test is run again when anything below it changed. */
	for (size_t i = 0; i < t->inputs.len; i++)
		t->inputs.ptr[i].traced = false;
	vec_push(&c->products->tests, id);
}

bool rule_clj_test(struct rule_context *c, struct err *err)
{
	if (!rule_find_jdk(c, err) || !clojure_have(c, err))
		return false;
	rule_add_runtime(c, "deps", &c->products->runtime);
	if (!c->an->tools->want_tests)
		return true;
	if (!clojure_check_ns(c, err))
		return false;
	struct target_clojure *cl = c->an->clojure;
	struct target_runtime *rt = test_runtime(c);
	StrVec vars = {0};
	bool ok = true;
	for (size_t i = 0; ok && i < cl->project.order.len; i++) {
		uint32_t ns = cl->project.order.ptr[i];
		struct str name = cl->project.namespaces.ptr[ns].name;
		if (clojure_owner(cl, ns) != c->id)
			continue;
		vec_clear(&vars);
		ok = clojure_check_needs(c, ns, err);
		if (ok && is_named(c, name) && is_wanted(c, name, &vars) && !clojure_skip_test(c, rt, ns))
			test_namespace(c, ns, rt, &vars);
	}
	vec_release(&vars);
	return ok;
}
