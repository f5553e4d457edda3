/* project.clj, read as data. What Leiningen would have to evaluate is an error. */
#include "front/deps_impl.h"
#include "lang/place.h"
#include "os/fs.h"

/* The first form below `c` that only a running Leiningen knows the value of; NULL if there is none. */
static const struct clj *computed(const struct clj *c)
{
	Vec(const struct clj *) stack = {0};
	const struct clj *found = NULL;
	vec_push(&stack, c);
	while (stack.len && !found) {
		const struct clj *at = vec_pop(&stack);
		if (at->kind == CLJ_UNQUOTE || at->kind == CLJ_UNQUOTE_SPLICING || at->kind == CLJ_EVAL)
			found = at;
		for (uint32_t i = at->len; i > 0; i--)
			vec_push(&stack, at->items[i - 1]);
	}
	vec_release(&stack);
	return found;
}

/* The value behind :name in the project or a profile; an error where it is computed. */
static bool value(struct deps_project *d, const struct clj *c, uint32_t from, const char *name, const struct clj **ret,
                  struct err *err)
{
	const struct clj *v = clj_get(c, from, name), *at = v ? computed(v) : NULL;
	*ret = v;
	if (!at)
		return true;
	deps_fail(d, at, err, "the value of :%s is computed when Leiningen runs", name);
	err_note(err, "run `lein pom`, then `tenon import pom`; or write the value out");
	return false;
}

static bool add_exclusions(struct deps_project *d, const struct clj *list, struct deps_dep *dep, struct err *err)
{
	for (uint32_t i = 0; list && i < list->len; i++) {
		const struct clj *c = list->items[i];
		struct deps_dep name;
		if (!deps_lib(d, c->kind == CLJ_VECTOR && c->len ? c->items[0] : c, &name, err))
			return false;
		vec_push(&dep->exclusions, (struct deps_exclusion){name.group, name.artifact});
	}
	return true;
}

static bool same_lib(const struct deps_dep *a, const struct deps_dep *b)
{
	return str_eq(a->group, b->group) && str_eq(a->artifact, b->artifact) && str_eq(a->classifier, b->classifier);
}

static struct str managed_version(const struct deps_project *d, const struct deps_dep *dep)
{
	for (size_t i = 0; i < d->managed.len; i++)
		if (same_lib(&d->managed.ptr[i], dep))
			return d->managed.ptr[i].version;
	return (struct str){0};
}

/* `in_place`: of what is there already. */
static bool add_dep(struct deps_project *d, const struct clj *c, const struct clj *all_exclude, enum deps_scope scope,
                    bool in_place, struct err *err)
{
	struct deps_dep dep;
	if (c->kind != CLJ_VECTOR || !c->len)
		return deps_fail(d, c, err, "a dependency must be a vector such as [org.clojure/clojure \"1.11.1\"]");
	if (!deps_lib(d, c->items[0], &dep, err))
		return false;
	bool versioned = c->len > 1 && c->items[1]->kind == CLJ_STRING;
	uint32_t options = versioned || (c->len > 1 && clj_is_symbol(c->items[1], "nil")) ? 2 : 1;
	dep.version = versioned ? c->items[1]->text : managed_version(d, &dep);
	if (!dep.version.len) {
		deps_fail(d, c, err, "dependency %.*s has no version", STR_ARG(c->items[0]->text));
		err_note(err, "write it behind the name; :managed-dependencies has none either");
		return false;
	}
	struct str classifier = clj_text(clj_get(c, options, "classifier"));
	struct str of = clj_text(clj_get(c, options, "scope"));
	dep.scope = str_eqc(of, "test") ? DEPS_TEST : scope;
	if (classifier.len)
		dep.classifier = classifier;
	if (!add_exclusions(d, clj_get(c, options, "exclusions"), &dep, err) ||
	    !add_exclusions(d, all_exclude, &dep, err)) {
		vec_release(&dep.exclusions);
		return false;
	}
	/* Of a profile that was chosen the version counts. */
	for (size_t i = 0; i < d->deps.len; i++)
		if (in_place && same_lib(&d->deps.ptr[i], &dep)) {
			vec_release(&d->deps.ptr[i].exclusions);
			d->deps.ptr[i] = dep;
			return true;
		}
	vec_push(&d->deps, dep);
	return true;
}

static bool add_managed(struct deps_project *d, const struct clj *project, struct err *err)
{
	const struct clj *list;
	struct deps_dep dep;
	if (!value(d, project, 3, "managed-dependencies", &list, err))
		return false;
	for (uint32_t i = 0; list && clj_is_sequence(list) && i < list->len; i++) {
		const struct clj *c = list->items[i];
		if (c->kind != CLJ_VECTOR || c->len < 2 || c->items[1]->kind != CLJ_STRING)
			continue;
		if (!deps_lib(d, c->items[0], &dep, err))
			return false;
		dep.version = c->items[1]->text;
		vec_push(&d->managed, dep);
	}
	return true;
}

static bool add_deps(struct deps_project *d, const struct clj *c, uint32_t from, enum deps_scope scope,
                     const struct clj *all_exclude, bool in_place, struct err *err)
{
	const struct clj *list;
	if (!value(d, c, from, "dependencies", &list, err))
		return false;
	if (list && !clj_is_sequence(list))
		return deps_fail(d, list, err, ":dependencies must be a vector");
	for (uint32_t i = 0; list && i < list->len; i++)
		if (!add_dep(d, list->items[i], all_exclude, scope, in_place, err))
			return false;
	return true;
}

static bool add_paths(struct deps_project *d, const struct clj *c, uint32_t from, const char *name,
                      const char *otherwise, StrVec *ret, struct err *err)
{
	const struct clj *list;
	if (!value(d, c, from, name, &list, err) || !deps_strings(d, list, ret, err))
		return false;
	if (!list && otherwise)
		vec_push(ret, str_from(otherwise));
	return true;
}

static bool is_chosen(const struct deps_project *d, struct str name)
{
	for (size_t i = 0; i < d->chosen.len; i++)
		if (str_eq(d->chosen.ptr[i], name))
			return true;
	return false;
}

static const struct clj *find_profile(const struct clj *profiles, struct str name)
{
	for (uint32_t i = 0; profiles && profiles->kind == CLJ_MAP && i + 1 < profiles->len; i += 2)
		if (profiles->items[i]->kind == CLJ_KEYWORD && str_eq(profiles->items[i]->text, name))
			return profiles->items[i + 1];
	return NULL;
}

static bool add_profile(struct deps_project *d, const struct clj *profile, const struct clj *all_exclude,
                        enum deps_scope scope, bool in_place, struct err *err)
{
	bool main = scope == DEPS_MAIN;
	return add_deps(d, profile, 0, scope, all_exclude, in_place, err) &&
	       add_paths(d, profile, 0, "source-paths", NULL, main ? &d->sources : &d->tests, err) &&
	       add_paths(d, profile, 0, "java-source-paths", NULL, &d->java, err) &&
	       add_paths(d, profile, 0, "test-paths", NULL, &d->tests, err) &&
	       add_paths(d, profile, 0, "resource-paths", NULL, main ? &d->resources : &d->tests, err) &&
	       add_paths(d, profile, 0, "jvm-opts", NULL, main ? &d->jvm_options : &d->test_jvm_options, err);
}

/* A profile, or those that it is made of: {:dev [:project/dev :profiles/dev]}. */
static bool add_named(struct deps_project *d, const struct clj *profiles, struct str name,
                      const struct clj *all_exclude, enum deps_scope scope, bool in_place, unsigned depth,
                      struct err *err)
{
	const struct clj *profile = find_profile(profiles, name);
	if (!profile)
		return true;
	if (profile->kind == CLJ_MAP)
		return add_profile(d, profile, all_exclude, scope, in_place, err);
	if (!clj_is_sequence(profile) || depth > 16)
		return deps_fail(d, profile, err, "profile :%.*s is neither a map nor made of others", STR_ARG(name));
	for (uint32_t i = 0; i < profile->len; i++) {
		const struct clj *part = profile->items[i];
		bool ok = part->kind == CLJ_MAP ? add_profile(d, part, all_exclude, scope, in_place, err)
		                                : add_named(d, profiles, clj_text(part), all_exclude, scope, in_place,
		                                            depth + 1, err);
		if (!ok)
			return false;
	}
	return true;
}

static bool fail_unknown(const struct deps_project *d, const struct clj *profiles, struct str name, struct err *err)
{
	struct nearest n;
	err_set(err, ERR_USER, "%.*s has no profile :%.*s", STR_ARG(path_base(d->file)), STR_ARG(name));
	nearest_init(&n, name);
	for (uint32_t i = 0; profiles && profiles->kind == CLJ_MAP && i + 1 < profiles->len; i += 2)
		nearest_offer(&n, clj_text(profiles->items[i]));
	nearest_note(&n, err);
	return false;
}

/* Leiningen builds with :base and :provided too; :dev, :user and :test are there when tests run. Others must be
 * chosen. */
static bool add_profiles(struct deps_project *d, const struct clj *project, const struct clj *all_exclude,
                         struct err *err)
{
	static const struct {
		struct str name;
		enum deps_scope scope;
	} usual[] = {{STR("base"), DEPS_MAIN},
	             {STR("provided"), DEPS_MAIN},
	             {STR("dev"), DEPS_TEST},
	             {STR("user"), DEPS_TEST},
	             {STR("test"), DEPS_TEST}};
	const struct clj *profiles = clj_get(project, 3, "profiles");
	/* Leiningen's own :dev profile. */
	vec_push(&d->tests, STR("dev-resources"));
	for (size_t i = 0; i < d->chosen.len; i++)
		if (!find_profile(profiles, d->chosen.ptr[i]))
			return fail_unknown(d, profiles, d->chosen.ptr[i], err);
	for (size_t i = 0; i < ARRAY_LEN(usual); i++)
		if (!is_chosen(d, usual[i].name) &&
		    !add_named(d, profiles, usual[i].name, all_exclude, usual[i].scope, false, 0, err))
			return false;
	for (size_t i = 0; i < d->chosen.len; i++)
		if (!add_named(d, profiles, d->chosen.ptr[i], all_exclude, DEPS_MAIN, true, 0, err))
			return false;
	return true;
}

/* {:default (complement :slow) :slow :slow}: functions of a test's metadata; of [OF-NAMESPACE OF-TEST] the latter. */
static bool add_selectors(struct deps_project *d, const struct clj *project, struct err *err)
{
	const struct clj *map;
	if (!value(d, project, 3, "test-selectors", &map, err))
		return false;
	for (uint32_t i = 0; map && map->kind == CLJ_MAP && i + 1 < map->len; i += 2) {
		const struct clj *name = map->items[i], *v = map->items[i + 1];
		struct buf text = {0};
		clj_print(v->kind == CLJ_VECTOR && v->len == 2 ? v->items[1] : v, &text);
		vec_push(&d->selectors, (struct deps_selector){clj_text(name), str_dup(&d->arena, buf_str(&text))});
		buf_release(&text);
	}
	return true;
}

/* {"bench" ["run" "-m" "app.bench" "9"]}: one that only starts a namespace. */
static void add_starts(struct deps_project *d, const struct clj *project)
{
	const struct clj *aliases = clj_get(project, 3, "aliases");
	for (uint32_t i = 0; aliases && aliases->kind == CLJ_MAP && i + 1 < aliases->len; i += 2) {
		const struct clj *v = aliases->items[i + 1];
		struct deps_start s = {.name = clj_text(aliases->items[i])};
		if (!s.name.len || !clj_is_sequence(v) || v->len < 3 || !str_eqc(clj_text(v->items[0]), "run") ||
		    !str_eqc(clj_text(v->items[1]), "-m") || computed(v))
			continue;
		s.ns = clj_text(v->items[2]);
		for (uint32_t k = 3; k < v->len; k++)
			vec_push(&s.args, clj_text(v->items[k]));
		vec_push(&d->starts, s);
	}
}

/* What Leiningen would do and nothing here does. */
static void note_unused(struct deps_project *d, const struct clj *project)
{
	static const struct {
		const char *name, *why;
	} unused[] = {{"plugins", "they run in Leiningen"},
	              {"prep-tasks", "Java and Clojure are compiled, nothing else is done before"},
	              {"injections", "nothing is evaluated before programs, tests and prompts"},
	              {"global-vars", "*assert*, *warn-on-reflection* and others have Clojure's values"},
	              {"parent-project", "write out what it gives"},
	              {"sub", "import each project"}};
	for (size_t i = 0; i < ARRAY_LEN(unused); i++) {
		const struct clj *v = clj_get(project, 3, unused[i].name);
		struct buf names = {0};
		/* [[lein-ring "0.12.5"] ...] */
		for (uint32_t k = 0; v && clj_is_sequence(v) && k < v->len; k++) {
			const struct clj *c = v->items[k];
			struct str name = clj_text(clj_is_sequence(c) && c->len ? c->items[0] : c);
			if (name.len && !i)
				buf_addf(&names, "%s%.*s", names.len ? ", " : " (", STR_ARG(name));
		}
		if (v)
			deps_note(d, ":%s is not used%s%s: %s", unused[i].name, buf_cstr(&names), names.len ? ")" : "",
			          unused[i].why);
		buf_release(&names);
	}
}

static void add_repositories(struct deps_project *d, const struct clj *list)
{
	for (uint32_t i = 0; list && clj_is_sequence(list) && i < list->len; i++) {
		const struct clj *c = list->items[i];
		if (c->kind != CLJ_VECTOR || c->len != 2)
			continue;
		struct str url =
		        c->items[1]->kind == CLJ_STRING ? c->items[1]->text : clj_text(clj_get(c->items[1], 0, "url"));
		if (url.len)
			vec_push(&d->repositories, (struct deps_repository){.id = clj_text(c->items[0]), .url = url});
	}
}

/* A library that leaves the version of Clojure to those who use it names one for its own work: it compiles with that.
 */
static void promote_clojure(struct deps_project *d)
{
	struct deps_dep *of_tests = NULL;
	for (size_t i = 0; i < d->deps.len; i++) {
		struct deps_dep *dep = &d->deps.ptr[i];
		if (!str_eqc(dep->group, "org.clojure") || !str_eqc(dep->artifact, "clojure"))
			continue;
		if (dep->scope == DEPS_MAIN)
			return;
		if (!of_tests)
			of_tests = dep;
	}
	if (of_tests)
		of_tests->scope = DEPS_MAIN;
}

static bool add_main(struct deps_project *d, const struct clj *project, struct err *err)
{
	const struct clj *main, *aot;
	if (!value(d, project, 3, "main", &main, err) || !value(d, project, 3, "aot", &aot, err))
		return false;
	if (main && main->kind == CLJ_SYMBOL && !clj_is_symbol(main, "nil"))
		d->main = main->text;
	if (aot && aot->kind == CLJ_KEYWORD)
		vec_push(&d->aot, aot->text);
	for (uint32_t i = 0; aot && clj_is_sequence(aot) && i < aot->len; i++)
		if (clj_text(aot->items[i]).len)
			vec_push(&d->aot, clj_text(aot->items[i]));
	return true;
}

static bool read_project(struct deps_project *d, const struct clj *project, struct err *err)
{
	const struct clj *all_exclude, *repositories;
	struct deps_dep name;
	if (project->len < 3 || !deps_lib(d, project->items[1], &name, err))
		return project->len < 3 ? deps_fail(d, project, err, "defproject needs a name and a version") : false;
	d->group = name.group;
	d->name = name.artifact;
	d->version = clj_text(project->items[2]);
	if (!value(d, project, 3, "exclusions", &all_exclude, err) ||
	    !value(d, project, 3, "repositories", &repositories, err))
		return false;
	add_repositories(d, repositories);
	note_unused(d, project);
	add_starts(d, project);
	bool ok = add_managed(d, project, err) && add_deps(d, project, 3, DEPS_MAIN, all_exclude, false, err) &&
	          add_paths(d, project, 3, "source-paths", "src", &d->sources, err) &&
	          add_paths(d, project, 3, "java-source-paths", NULL, &d->java, err) &&
	          add_paths(d, project, 3, "resource-paths", "resources", &d->resources, err) &&
	          add_paths(d, project, 3, "test-paths", "test", &d->tests, err) &&
	          add_paths(d, project, 3, "jvm-opts", NULL, &d->jvm_options, err) &&
	          add_profiles(d, project, all_exclude, err) && add_selectors(d, project, err) &&
	          add_main(d, project, err);
	promote_clojure(d);
	return ok;
}

bool deps_read_lein(struct deps_project *d, struct err *err)
{
	struct clj *list;
	if (!clj_read_all(&d->arena, d->file, d->text, 0, NULL, 0, &list, err))
		return false;
	for (uint32_t i = 0; i < list->len; i++)
		if (list->items[i]->kind == CLJ_LIST && list->items[i]->len &&
		    clj_is_symbol(list->items[i]->items[0], "defproject"))
			return read_project(d, list->items[i], err);
	return deps_fail(d, list, err, "there is no defproject form");
}
