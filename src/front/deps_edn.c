/* deps.edn. https://clojure.org/reference/deps_edn describes it. */
#include "front/deps_impl.h"

#define DEFAULT_CLOJURE "1.11.1"

/* The value of `ns`/`name` in a map, also where the map is written #:ns{:name ...}. */
static const struct clj *get(const struct clj *map, const char *ns, const char *name)
{
	if (!map || map->kind != CLJ_MAP)
		return NULL;
	bool in_ns = map->text.len && str_eqc(str_drop(map->text, 1), ns);
	for (uint32_t i = 0; i + 1 < map->len; i += 2) {
		const struct clj *key = map->items[i];
		size_t slash = str_find(key->text, '/');
		if (key->kind != CLJ_KEYWORD)
			continue;
		if (in_ns ? str_eqc(key->text, name)
		          : str_eqc(str_slice(key->text, 0, slash), ns) && slash < key->text.len &&
		                    str_eqc(str_drop(key->text, slash + 1), name))
			return map->items[i + 1];
	}
	return NULL;
}

static bool add_exclusions(struct deps_project *d, const struct clj *list, struct deps_dep *dep, struct err *err)
{
	for (uint32_t i = 0; list && i < list->len; i++) {
		struct deps_dep name;
		if (!deps_lib(d, list->items[i], &name, err))
			return false;
		vec_push(&dep->exclusions, (struct deps_exclusion){name.group, name.artifact});
	}
	return true;
}

/* io.github.USER/PROJECT and its like say where they are. */
static struct str url_of(struct arena *a, const struct deps_dep *dep)
{
	static const struct {
		const char *group, *before, *between;
	} forges[] = {{"github.", "https://github.com/", "/"},
	              {"gitlab.", "https://gitlab.com/", "/"},
	              {"bitbucket.", "https://bitbucket.org/", "/"},
	              {"sr.", "https://git.sr.ht/~", "/"}};
	struct str group = dep->group, top;
	if (!str_cut(&group, '.', &top) ||
	    !(str_eqc(top, "io") || str_eqc(top, "com") || str_eqc(top, "org") || str_eqc(top, "ht")))
		return (struct str){0};
	for (size_t i = 0; i < ARRAY_LEN(forges); i++) {
		struct str user = str_drop(group, strlen(forges[i].group));
		if (str_has_prefix(group, str_from(forges[i].group)) && user.len)
			return str_fmt(a, "%s%.*s%s%.*s%s", forges[i].before, STR_ARG(user), forges[i].between,
			               STR_ARG(dep->artifact), str_eqc(top, "ht") ? "" : ".git");
	}
	return (struct str){0};
}

static bool add_local(struct deps_project *d, const struct clj *lib, const struct clj *path, const struct deps_dep *dep,
                      struct err *err)
{
	if (path->kind != CLJ_STRING)
		return deps_fail(d, path, err, ":local/root must be a string");
	vec_push(
	        &d->locals,
	        (struct deps_local){
	                .lib = lib->text, .path = path->text, .scope = dep->scope, .line = dep->line, .col = dep->col});
	return true;
}

/* :sha and :tag are how they were written before they had namespaces. */
static struct str git_text(const struct clj *coord, const char *name)
{
	struct str text = clj_text(get(coord, "git", name));
	return text.len ? text : clj_text(clj_get(coord, 0, name));
}

static bool is_git(const struct clj *coord)
{
	return get(coord, "git", "url") || get(coord, "git", "sha") || get(coord, "git", "tag") ||
	       clj_get(coord, 0, "sha");
}

static bool add_git(struct deps_project *d, const struct clj *lib, const struct clj *coord, const struct deps_dep *dep,
                    struct err *err)
{
	struct deps_git g = {.lib = lib->text,
	                     .url = clj_text(get(coord, "git", "url")),
	                     .tag = git_text(coord, "tag"),
	                     .sha = git_text(coord, "sha"),
	                     .root = clj_text(get(coord, "deps", "root")),
	                     .scope = dep->scope,
	                     .line = dep->line,
	                     .col = dep->col};
	if (!g.url.len)
		g.url = url_of(&d->arena, dep);
	if (!g.url.len) {
		deps_fail(d, lib, err, "where is the repository of %.*s?", STR_ARG(lib->text));
		err_note(err, "write :git/url, or name it as its forge does: io.github.USER/PROJECT");
		return false;
	}
	bool hex = true;
	for (size_t i = 0; i < g.sha.len; i++)
		hex = hex && strchr("0123456789abcdef", g.sha.ptr[i]);
	if (!g.sha.len || !hex || g.sha.len > 40 || g.sha.len < (g.tag.len ? 7 : 40)) {
		deps_fail(d, lib, err, "%.*s needs a :git/sha of %s", STR_ARG(lib->text),
		          g.tag.len ? "at least 7 hexadecimal digits beside its :git/tag" : "40 hexadecimal digits");
		err_note(err, "tags and branches may move; `git rev-parse %s` in the repository says which it is now",
		         g.tag.len ? str_fmt(&d->arena, "%.*s^{commit}", STR_ARG(g.tag)).ptr : "REVISION");
		return false;
	}
	vec_push(&d->gits, g);
	return true;
}

static bool add_dep(struct deps_project *d, const struct clj *lib, const struct clj *coord, enum deps_scope scope,
                    struct err *err)
{
	struct deps_dep dep;
	const struct clj *version = get(coord, "mvn", "version"), *local = get(coord, "local", "root");
	if (!deps_lib(d, lib, &dep, err))
		return false;
	dep.scope = scope;
	if (coord->kind != CLJ_MAP)
		return deps_fail(d, coord, err, "a coordinate must be a map such as {:mvn/version \"1.0\"}");
	if (local)
		return add_local(d, lib, local, &dep, err);
	if (is_git(coord))
		return add_git(d, lib, coord, &dep, err);
	if (!version || version->kind != CLJ_STRING)
		return deps_fail(d, coord, err, "library %.*s has no :mvn/version", STR_ARG(lib->text));
	dep.version = version->text;
	if (!add_exclusions(d, clj_get(coord, 0, "exclusions"), &dep, err)) {
		vec_release(&dep.exclusions);
		return false;
	}
	vec_push(&d->deps, dep);
	return true;
}

bool deps_edn_add(struct deps_project *d, const struct clj *map, enum deps_scope scope, struct err *err)
{
	if (map && map->kind != CLJ_MAP)
		return deps_fail(d, map, err, "dependencies must be a map of libraries to coordinates");
	for (uint32_t i = 0; map && i + 1 < map->len; i += 2)
		if (!add_dep(d, map->items[i], map->items[i + 1], scope, err))
			return false;
	return true;
}

struct str deps_edn_version(const struct clj *coord)
{
	return clj_text(get(coord, "mvn", "version"));
}

bool deps_edn_paths(struct deps_project *d, const struct clj *paths, const struct clj *aliases, StrVec *ret,
                    struct err *err)
{
	if (paths && !clj_is_sequence(paths))
		return deps_fail(d, paths, err, "paths must be a vector of strings");
	for (uint32_t i = 0; paths && i < paths->len; i++) {
		const struct clj *p = paths->items[i];
		if (p->kind == CLJ_STRING) {
			vec_push(ret, p->text);
		} else if (p->kind == CLJ_KEYWORD) {
			const struct clj *named = clj_get(aliases, 0, str_dupz(&d->arena, p->text));
			if (!named)
				return deps_fail(d, p, err, "there is no alias :%.*s", STR_ARG(p->text));
			if (!deps_strings(d, named, ret, err))
				return false;
		} else {
			return deps_fail(d, p, err, "a path must be a string");
		}
	}
	return true;
}

static void add_repositories(struct deps_project *d, const struct clj *map)
{
	for (uint32_t i = 0; map && map->kind == CLJ_MAP && i + 1 < map->len; i += 2) {
		struct str url = clj_text(clj_get(map->items[i + 1], 0, "url"));
		if (url.len)
			vec_push(&d->repositories, (struct deps_repository){.id = clj_text(map->items[i]), .url = url});
	}
}

/* Clojure's own tools add it where a project does not name it. */
static void add_clojure(struct deps_project *d)
{
	for (size_t i = 0; i < d->deps.len; i++)
		if (str_eqc(d->deps.ptr[i].group, "org.clojure") && str_eqc(d->deps.ptr[i].artifact, "clojure") &&
		    d->deps.ptr[i].scope == DEPS_MAIN)
			return;
	vec_push(&d->deps, (struct deps_dep){.group = STR("org.clojure"),
	                                     .artifact = STR("clojure"),
	                                     .version = STR(DEFAULT_CLOJURE),
	                                     .scope = DEPS_MAIN});
}

bool deps_read_edn(struct deps_project *d, struct err *err)
{
	struct clj *list;
	if (!clj_read_all(&d->arena, d->file, d->text, CLJ_EDN, NULL, 0, &list, err))
		return false;
	if (list->len != 1 || list->items[0]->kind != CLJ_MAP)
		return deps_fail(d, list->len ? list->items[0] : list, err, "deps.edn must hold one map");
	const struct clj *map = list->items[0], *aliases = clj_get(map, 0, "aliases");
	if (!clj_get(map, 0, "paths"))
		vec_push(&d->sources, STR("src"));
	if (!deps_edn_paths(d, clj_get(map, 0, "paths"), aliases, &d->sources, err) ||
	    !deps_edn_add(d, clj_get(map, 0, "deps"), DEPS_MAIN, err) || !deps_edn_aliases(d, aliases, err))
		return false;
	/* Where nothing says otherwise. */
	vec_push(&d->tests, STR("test"));
	vec_push(&d->tests, STR("src/test/clojure"));
	add_repositories(d, get(map, "mvn", "repos"));
	add_clojure(d);
	return true;
}
