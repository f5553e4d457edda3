/* Aliases of deps.edn: those of the tests are the tests' own, those that were chosen change the project, and any may be
 * a way to start something. https://clojure.org/reference/deps_edn describes them. */
#include "front/deps_impl.h"
#include "lang/place.h"
#include "os/fs.h"

/* Aliases that people run their tests with; others are tools and other ways to start. */
static bool is_test_alias(struct str name)
{
	return str_eqc(name, "test") || str_eqc(name, "dev") || str_has_prefix(name, STR("test-")) ||
	       str_has_suffix(name, STR("-test"));
}

/* What changes the class path. */
static bool has_extras(const struct clj *alias)
{
	static const char *const names[] = {"extra-deps", "extra-paths",   "replace-deps", "replace-paths",      "deps",
	                                    "paths",      "override-deps", "default-deps", "classpath-overrides"};
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (clj_get(alias, 0, names[i]))
			return true;
	return false;
}

static const struct clj *either(const struct clj *alias, const char *name, const char *other)
{
	const struct clj *v = clj_get(alias, 0, name);
	return v ? v : clj_get(alias, 0, other);
}

/* -- ways to start -- */

/* The part of the alias that says which function is called, and how, as one map of EDN. */
static struct str exec_text(struct deps_project *d, const struct clj *alias)
{
	static const char *const names[] = {"exec-fn", "exec-args", "ns-default", "ns-aliases"};
	struct buf b = {0};
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const struct clj *v = clj_get(alias, 0, names[i]);
		if (!v)
			continue;
		buf_addf(&b, "%s:%s ", b.len ? " " : "{", names[i]);
		clj_print(v, &b);
	}
	struct str ret = b.len ? str_fmt(&d->arena, "%s}", buf_cstr(&b)) : (struct str){0};
	buf_release(&b);
	return ret;
}

static bool add_start(struct deps_project *d, const struct clj *name, const struct clj *alias, struct err *err)
{
	const struct clj *opts = clj_get(alias, 0, "main-opts"), *fn = clj_get(alias, 0, "exec-fn");
	const struct clj *ns_default = clj_get(alias, 0, "ns-default");
	struct deps_start s = {.name = name->text, .has_extras = has_extras(alias)};
	if (!opts && !fn && !ns_default)
		return true;
	s.exec = opts ? STR("") : exec_text(d, alias);
	s.fn = clj_text(fn);
	StrVec words = {0};
	bool ok = deps_strings(d, opts, &words, err) && deps_strings(d, clj_get(alias, 0, "jvm-opts"), &s.jvm, err);
	bool is_main = words.len >= 2 && (str_eqc(words.ptr[0], "-m") || str_eqc(words.ptr[0], "--main"));
	if (is_main)
		s.ns = words.ptr[1];
	for (size_t i = is_main ? 2 : 0; i < words.len; i++)
		vec_push(&s.args, words.ptr[i]);
	vec_release(&words);
	vec_push(&d->starts, s);
	return ok;
}

/* -- what a chosen alias does -- */

static bool same_lib(const struct deps_dep *a, const struct deps_dep *b)
{
	return str_eq(a->group, b->group) && str_eq(a->artifact, b->artifact) && str_eq(a->classifier, b->classifier);
}

/* The alias brings its own. */
static void drop_all(struct deps_project *d)
{
	for (size_t i = 0; i < d->deps.len; i++)
		vec_release(&d->deps.ptr[i].exclusions);
	vec_clear(&d->deps);
	vec_clear(&d->locals);
	vec_clear(&d->gits);
}

static void drop_lib(struct deps_project *d, struct str lib, const struct deps_dep *dep)
{
	size_t kept = 0;
	for (size_t i = 0; i < d->deps.len; i++)
		if (same_lib(&d->deps.ptr[i], dep))
			vec_release(&d->deps.ptr[i].exclusions);
		else
			d->deps.ptr[kept++] = d->deps.ptr[i];
	d->deps.len = kept;
	kept = 0;
	for (size_t i = 0; i < d->locals.len; i++)
		if (!str_eq(d->locals.ptr[i].lib, lib))
			d->locals.ptr[kept++] = d->locals.ptr[i];
	d->locals.len = kept;
	kept = 0;
	for (size_t i = 0; i < d->gits.len; i++)
		if (!str_eq(d->gits.ptr[i].lib, lib))
			d->gits.ptr[kept++] = d->gits.ptr[i];
	d->gits.len = kept;
}

static bool add_in_place(struct deps_project *d, const struct clj *map, struct err *err)
{
	struct deps_dep dep;
	for (uint32_t i = 0; map && map->kind == CLJ_MAP && i + 1 < map->len; i += 2) {
		if (!deps_lib(d, map->items[i], &dep, err))
			return false;
		drop_lib(d, map->items[i]->text, &dep);
	}
	return deps_edn_add(d, map, DEPS_MAIN, err);
}

static bool asks_for(const struct deps_project *d, struct str lib, const struct deps_dep *dep)
{
	for (size_t i = 0; i < d->deps.len; i++)
		if (same_lib(&d->deps.ptr[i], dep))
			return true;
	for (size_t i = 0; i < d->locals.len; i++)
		if (str_eq(d->locals.ptr[i].lib, lib))
			return true;
	for (size_t i = 0; i < d->gits.len; i++)
		if (str_eq(d->gits.ptr[i].lib, lib))
			return true;
	return false;
}

/* Of what is asked for the version becomes this one, and of what that asks for in turn. */
static bool override(struct deps_project *d, const struct clj *map, struct err *err)
{
	if (map && map->kind != CLJ_MAP)
		return deps_fail(d, map, err, ":override-deps must be a map of libraries to coordinates");
	for (uint32_t i = 0; map && i + 1 < map->len; i += 2) {
		struct str lib = map->items[i]->text;
		struct clj one = {.kind = CLJ_MAP, .len = 2, .items = &map->items[i], .offset = map->offset};
		struct deps_dep dep;
		if (!deps_lib(d, map->items[i], &dep, err))
			return false;
		bool clojure = str_eqc(dep.group, "org.clojure") && str_eqc(dep.artifact, "clojure");
		if ((clojure || asks_for(d, lib, &dep)) && !add_in_place(d, &one, err))
			return false;
		dep.version = deps_edn_version(map->items[i + 1]);
		if (dep.version.len)
			vec_push(&d->managed, dep);
	}
	return true;
}

static bool apply(struct deps_project *d, const struct clj *alias, const struct clj *aliases, struct err *err)
{
	const struct clj *deps = either(alias, "replace-deps", "deps");
	const struct clj *paths = either(alias, "replace-paths", "paths");
	if (deps)
		drop_all(d);
	if (paths)
		vec_clear(&d->sources);
	if (clj_get(alias, 0, "classpath-overrides"))
		deps_note(d, ":classpath-overrides is not used");
	return add_in_place(d, deps, err) && deps_edn_paths(d, paths, aliases, &d->sources, err) &&
	       add_in_place(d, clj_get(alias, 0, "extra-deps"), err) &&
	       deps_edn_paths(d, clj_get(alias, 0, "extra-paths"), aliases, &d->sources, err) &&
	       override(d, clj_get(alias, 0, "override-deps"), err) &&
	       deps_strings(d, clj_get(alias, 0, "jvm-opts"), &d->jvm_options, err);
}

/* -- all of them -- */

static const struct clj *find(const struct clj *aliases, struct str name)
{
	for (uint32_t i = 0; aliases && aliases->kind == CLJ_MAP && i + 1 < aliases->len; i += 2)
		if (aliases->items[i]->kind == CLJ_KEYWORD && str_eq(aliases->items[i]->text, name))
			return aliases->items[i + 1];
	return NULL;
}

static bool fail_unknown(const struct deps_project *d, const struct clj *aliases, struct str name, struct err *err)
{
	struct nearest n;
	err_set(err, ERR_USER, "%.*s has no alias :%.*s", STR_ARG(path_base(d->file)), STR_ARG(name));
	nearest_init(&n, name);
	for (uint32_t i = 0; aliases && aliases->kind == CLJ_MAP && i + 1 < aliases->len; i += 2)
		nearest_offer(&n, clj_text(aliases->items[i]));
	nearest_note(&n, err);
	return false;
}

static bool is_chosen(const struct deps_project *d, struct str name)
{
	for (size_t i = 0; i < d->chosen.len; i++)
		if (str_eq(d->chosen.ptr[i], name))
			return true;
	return false;
}

bool deps_edn_aliases(struct deps_project *d, const struct clj *aliases, struct err *err)
{
	for (size_t i = 0; i < d->chosen.len; i++) {
		struct str name = d->chosen.ptr[i];
		const struct clj *alias = find(aliases, name);
		if (!alias)
			return fail_unknown(d, aliases, name, err);
		/* Some stand for paths, or options, that others name. */
		if (alias->kind != CLJ_MAP)
			continue;
		if ((d->tests_are_main || !is_test_alias(name)) && !apply(d, alias, aliases, err))
			return false;
	}
	for (uint32_t i = 0; aliases && aliases->kind == CLJ_MAP && i + 1 < aliases->len; i += 2) {
		const struct clj *name = aliases->items[i], *alias = aliases->items[i + 1];
		if (name->kind != CLJ_KEYWORD || alias->kind != CLJ_MAP)
			continue;
		if (!add_start(d, name, alias, err))
			return false;
		if (!is_test_alias(name->text) || (d->tests_are_main && is_chosen(d, name->text)))
			continue;
		if (!deps_strings(d, clj_get(alias, 0, "jvm-opts"), &d->test_jvm_options, err) ||
		    !deps_edn_paths(d, clj_get(alias, 0, "extra-paths"), aliases, &d->tests, err) ||
		    !deps_edn_add(d, clj_get(alias, 0, "extra-deps"), DEPS_TEST, err))
			return false;
	}
	return true;
}
