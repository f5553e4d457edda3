#include "front/deps_members.h"

#include <stdlib.h>

#include "base/map.h"
#include "front/deps_impl.h"
#include "front/git.h"
#include "front/resolve.h"
#include "os/fs.h"
#include "wire/zip.h"

void deps_members_release(struct deps_project *d)
{
	for (size_t i = 0; i < d->members.len; i++) {
		deps_project_release(&d->members.ptr[i]->project);
		free(d->members.ptr[i]);
	}
	vec_release(&d->members);
}

static bool is_file(const char *dir, const char *name)
{
	struct arena a = {0};
	struct file_sig sig;
	bool ret = fs_stat(path_join(&a, dir, name), &sig, NULL) && fs_is_file(&sig);
	arena_release(&a);
	return ret;
}

/* Some projects have a deps.edn only so that tools find something there: no :paths, no :deps. */
static bool says_nothing(const char *dir)
{
	struct arena a = {0};
	struct buf text = {0};
	struct clj *list;
	bool nothing = fs_read(path_join(&a, dir, deps_file_name(DEPS_EDN)), &text, NULL) &&
	               clj_read_all(&a, STR("deps.edn"), buf_str(&text), CLJ_EDN, NULL, 0, &list, NULL) &&
	               list->len == 1 && list->items[0]->kind == CLJ_MAP && !clj_get(list->items[0], 0, "paths") &&
	               !clj_get(list->items[0], 0, "deps");
	buf_release(&text);
	arena_release(&a);
	return nothing;
}

bool deps_find_kind(const char *dir, enum deps_kind *ret)
{
	bool other = is_file(dir, deps_file_name(DEPS_LEIN));
	for (enum deps_kind k = DEPS_EDN; k <= DEPS_POM; k++)
		if (is_file(dir, deps_file_name(k)) && !(k == DEPS_EDN && other && says_nothing(dir))) {
			*ret = k;
			return true;
		}
	return false;
}

/* -- finding -- */

struct finding {
	struct deps_project *root;
	const struct deps_members_request *q;
	struct map by_lib; /* "group/artifact": index in members */
	struct map names;
	struct arena *arena;
};

/* Who mentions a library, and where. */
struct mention {
	struct deps_project *project;
	const char *dir; /* of the project */
	struct str lib;
	uint32_t line, col;
	enum deps_scope scope;
};

static bool fail_at(const struct mention *m, struct err *err)
{
	err_at(err, m->project->file, m->line, m->col, (struct str){0});
	return false;
}

/* "util" stands for util/util. */
static struct str full_name(struct arena *a, struct str lib)
{
	return str_find(lib, '/') < lib.len ? lib : str_fmt(a, "%.*s/%.*s", STR_ARG(lib), STR_ARG(lib));
}

static struct str make_name(struct finding *f, struct str lib)
{
	size_t slash = str_find(lib, '/');
	struct str artifact = str_drop(lib, MIN(slash + 1, lib.len));
	if (map_add(&f->names, artifact, 0, NULL))
		return artifact;
	return str_fmt(f->arena, "%.*s.%.*s", STR_ARG(str_slice(lib, 0, slash)), STR_ARG(artifact));
}

static struct deps_member *add_member(struct finding *f, const struct mention *m, enum deps_member_kind kind,
                                      char *path)
{
	struct deps_member *member = xcalloc(1, sizeof(*member));
	member->kind = kind;
	member->lib = full_name(f->arena, m->lib);
	member->name = make_name(f, member->lib);
	member->scope = m->scope;
	member->path = path;
	const struct deps_members_request *q = f->q;
	struct str below = q->workspace ? path_below(str_from(path), str_from(q->workspace)) : (struct str){0};
	if (kind == DEPS_MEMBER_JAR)
		member->label = str_fmt(f->arena, "//%.*s:local.%.*s", STR_ARG(q->jars), STR_ARG(member->name));
	else if (q->workspace)
		member->label = str_fmt(f->arena, "//%.*s:lib", STR_ARG(below));
	else
		member->label = str_fmt(f->arena, "//%.*s/%.*s:lib", STR_ARG(q->package), STR_ARG(member->name));
	map_put(&f->by_lib, member->lib, f->root->members.len);
	vec_push(&f->root->members, member);
	return member;
}

static struct deps_member *known(const struct finding *f, struct str lib)
{
	uint64_t at;
	struct arena a = {0};
	bool found = map_get(&f->by_lib, full_name(&a, lib), &at);
	arena_release(&a);
	return found ? f->root->members.ptr[at] : NULL;
}

/* The pom.xml that Maven and others put into a jar; empty where there is none, or several, as in an uberjar, which has
 * what it needs. */
static bool read_jar_pom(struct arena *a, const char *path, struct str *ret, struct err *err)
{
	struct zip z;
	struct str bytes;
	struct buf text = {0};
	const struct zip_entry *found = NULL;
	size_t n = 0;
	if (!fs_map(path, &bytes, err))
		return false;
	if (!zip_open(str_from(path), bytes, &z, err)) {
		fs_unmap(bytes);
		return false;
	}
	for (size_t i = 0; i < z.entries.len; i++) {
		struct str name = z.entries.ptr[i].name;
		if (!str_has_prefix(name, STR("META-INF/maven/")) || !str_has_suffix(name, STR("/pom.xml")))
			continue;
		found = &z.entries.ptr[i];
		n++;
	}
	bool ok = n != 1 || zip_read(&z, found, &text, err);
	if (ok && n == 1)
		*ret = str_dup(a, buf_str(&text));
	buf_release(&text);
	zip_close(&z);
	fs_unmap(bytes);
	return ok;
}

/* What lies at the path decides what the member is. */
static bool open_member(struct finding *f, const struct mention *m, char *path, struct deps_member **ret,
                        struct err *err)
{
	struct file_sig sig;
	enum deps_kind kind;
	*ret = NULL;
	if (!fs_stat(path, &sig, err))
		return false;
	if (!sig.mode) {
		err_set(err, ERR_USER, "library %.*s: there is no \"%s\"", STR_ARG(m->lib), path);
		return fail_at(m, err);
	}
	if (fs_is_file(&sig)) {
		*ret = add_member(f, m, DEPS_MEMBER_JAR, path);
		return read_jar_pom(f->arena, path, &(*ret)->project.text, err) || fail_at(m, err);
	}
	if (strcmp(path, f->q->dir) == 0) {
		err_set(err, ERR_USER, "library %.*s is this project itself, \"%s\"", STR_ARG(m->lib), path);
		return fail_at(m, err);
	}
	if (deps_find_kind(path, &kind)) {
		*ret = add_member(f, m, DEPS_MEMBER_PROJECT, path);
		return deps_read(&(*ret)->project, kind, path, err);
	}
	if (is_file(path, "BUILD") || is_file(path, "CLJ")) {
		*ret = add_member(f, m, DEPS_MEMBER_TARGETS, path);
		return true;
	}
	err_set(err, ERR_USER, "library %.*s: \"%s\" has no deps.edn, project.clj, pom.xml or BUILD", STR_ARG(m->lib),
	        path);
	return fail_at(m, err);
}

static struct str locked_sha(const struct lock *l, const struct deps_git *g)
{
	for (size_t i = 0; l && i < l->gits.len; i++) {
		const struct lock_git *k = &l->gits.ptr[i];
		if (str_eq(k->lib, g->lib) && str_eq(k->url, g->url) && str_eq(k->tag, g->tag) &&
		    str_has_prefix(k->sha, g->sha))
			return k->sha;
	}
	return g->sha;
}

static bool find_git(struct finding *f, const struct mention *m, const struct deps_git *g, struct deps_member **ret,
                     struct err *err)
{
	const struct deps_members_request *q = f->q;
	struct git_request r = {.clones = q->clones,
	                        .folders = q->folders,
	                        .name = str_drop(g->lib, MIN(str_find(g->lib, '/') + 1, g->lib.len)),
	                        .url = g->url,
	                        .tag = g->tag,
	                        .sha = locked_sha(q->locked, g),
	                        .offline = q->offline};
	struct str sha;
	char *folder;
	if (!r.name.len)
		r.name = g->lib;
	if (!git_get(&r, f->arena, &sha, &folder, err))
		return err->kind == ERR_USER ? fail_at(m, err) : false;
	if (g->root.len)
		folder = path_absolute(f->arena, path_join(f->arena, folder, str_dupz(f->arena, g->root)));
	if (!open_member(f, m, folder, ret, err))
		return false;
	(*ret)->git = (struct lock_git){.lib = g->lib, .url = g->url, .tag = g->tag, .sha = sha};
	return true;
}

/* A library of the tests that can't be had is left out. */
static bool leave_out(struct finding *f, const struct mention *m, struct err *err)
{
	struct buf why = {0};
	if (m->scope != DEPS_TEST || err->kind != ERR_ENVIRONMENT)
		return false;
	err_format(err, &why);
	struct str first = str_slice(buf_str(&why), 0, str_find(buf_str(&why), '\n'));
	deps_note(f->root, "library %.*s of the tests: %.*s", STR_ARG(m->lib), STR_ARG(first));
	buf_release(&why);
	err_clear(err);
	return true;
}

/* What `project`, in `dir`, names with this scope; as members they have the scope `as`. */
static bool find_of(struct finding *f, struct deps_project *project, const char *dir, enum deps_scope scope,
                    enum deps_scope as, struct err *err)
{
	struct deps_member *member;
	for (size_t i = 0; i < project->locals.len; i++) {
		struct deps_local *l = &project->locals.ptr[i];
		struct mention m = {project, dir, l->lib, l->line, l->col, as};
		if (l->scope != scope || (f->q->workspace && project == f->root))
			continue;
		char *path = path_absolute(f->arena, path_join(f->arena, dir, str_dupz(f->arena, l->path)));
		if (!(member = known(f, l->lib)) && !open_member(f, &m, path, &member, err))
			return false;
		l->label = member->label;
	}
	for (size_t i = 0; i < project->gits.len; i++) {
		struct deps_git *g = &project->gits.ptr[i];
		struct mention m = {project, dir, g->lib, g->line, g->col, as};
		if (g->scope != scope)
			continue;
		if (!(member = known(f, g->lib)) && !find_git(f, &m, g, &member, err) && !leave_out(f, &m, err))
			return false;
		if (member)
			g->label = member->label;
	}
	return true;
}

static bool find_below(struct finding *f, size_t from, enum deps_scope as, struct err *err)
{
	for (size_t i = from; i < f->root->members.len; i++) {
		struct deps_member *m = f->root->members.ptr[i];
		if (m->kind == DEPS_MEMBER_PROJECT && !find_of(f, &m->project, m->path, DEPS_MAIN, as, err))
			return false;
	}
	return true;
}

bool deps_find_members(struct deps_project *d, const struct deps_members_request *q, struct err *err)
{
	struct finding f = {.root = d, .q = q, .arena = &d->arena};
	bool ok = find_of(&f, d, q->dir, DEPS_MAIN, DEPS_MAIN, err) && find_below(&f, 0, DEPS_MAIN, err);
	size_t main = d->members.len;
	ok = ok && find_of(&f, d, q->dir, DEPS_TEST, DEPS_TEST, err) && find_below(&f, main, DEPS_TEST, err);
	map_release(&f.by_lib);
	map_release(&f.names);
	return ok;
}

/* -- what they need of Maven -- */

struct digest deps_digest(const struct deps_project *d)
{
	struct buf all = {0};
	buf_adds(&all, d->text);
	for (size_t i = 0; i < d->members.len; i++) {
		const struct deps_member *m = d->members.ptr[i];
		if (!m->git.url.len && m->project.text.len)
			buf_addf(&all, "\n;; %.*s\n%.*s", STR_ARG(m->lib), STR_ARG(m->project.text));
	}
	for (size_t i = 0; i < d->chosen.len; i++)
		buf_addf(&all, "\n;; with %.*s%s", STR_ARG(d->chosen.ptr[i]),
		         d->tests_are_main ? " for a program" : "");
	struct digest ret = digest_of(buf_str(&all));
	buf_release(&all);
	return ret;
}

static bool has_dep(const struct deps_project *d, const struct deps_dep *dep, enum deps_scope scope)
{
	for (size_t i = 0; i < d->deps.len; i++) {
		const struct deps_dep *o = &d->deps.ptr[i];
		if ((o->scope == DEPS_MAIN || scope == DEPS_TEST) && str_eq(o->group, dep->group) &&
		    str_eq(o->artifact, dep->artifact) && str_eq(o->classifier, dep->classifier))
			return true;
	}
	return false;
}

static void add_dep(struct deps_project *d, const struct deps_dep *from, enum deps_scope scope)
{
	struct deps_dep dep = {.group = from->group,
	                       .artifact = from->artifact,
	                       .version = from->version,
	                       .classifier = from->classifier,
	                       .scope = scope};
	for (size_t i = 0; i < from->exclusions.len; i++)
		vec_push(&dep.exclusions, from->exclusions.ptr[i]);
	vec_push(&d->deps, dep);
}

/* Maven alone understands a pom.xml: what it resolves to is what is needed. */
static bool read_pom_deps(struct deps_member *m, const struct resolve_request *q, struct err *err)
{
	struct resolve_request of = {.project = &m->project, .offline = q->offline};
	struct lock l = {0};
	bool ok = resolve(&of, &l, err);
	for (size_t i = 0; ok && i < l.jars.len; i++) {
		const struct lock_jar *j = &l.jars.ptr[i];
		struct arena *a = &m->project.arena;
		struct deps_dep dep = {.group = str_dup(a, j->group),
		                       .artifact = str_dup(a, j->artifact),
		                       .version = str_dup(a, j->version),
		                       .classifier = str_dup(a, j->classifier),
		                       .scope = j->scope};
		vec_push(&m->project.deps, dep);
	}
	lock_release(&l);
	return ok;
}

/* A jar in a folder needs what the pom.xml in it says. */
static bool read_jar_deps(struct deps_member *m, const struct resolve_request *q, struct err *err)
{
	struct arena *a = &m->project.arena;
	const char *tmp = getenv("TMPDIR");
	char *dir;
	if (!m->project.text.len)
		return true;
	if (!fs_mkdtemp(a, tmp && *tmp ? tmp : "/tmp", "tenon-pom-", &dir, err))
		return false;
	m->project.kind = DEPS_POM;
	m->project.file = str_from(path_join(a, dir, "pom.xml"));
	bool ok = fs_write_atomic(m->project.file.ptr, m->project.text, 0644, false, err) && read_pom_deps(m, q, err);
	if (!ok)
		err_note(err, "the jar %s names what it needs in the pom.xml in it", m->path);
	fs_remove_tree(dir, NULL);
	return ok;
}

/* A library that is a member is no library of Maven's, whoever asks for it. */
static bool is_member(const struct deps_project *d, const struct deps_dep *dep)
{
	for (size_t i = 0; i < d->members.len; i++) {
		struct str lib = d->members.ptr[i]->lib;
		size_t slash = str_find(lib, '/');
		if (str_eq(str_slice(lib, 0, slash), dep->group) && str_eq(str_drop(lib, slash + 1), dep->artifact))
			return true;
	}
	return false;
}

static void drop_members(struct deps_project *d)
{
	size_t kept = 0;
	for (size_t i = 0; i < d->deps.len; i++) {
		struct deps_dep dep = d->deps.ptr[i];
		if (is_member(d, &dep))
			vec_release(&dep.exclusions);
		else
			d->deps.ptr[kept++] = dep;
	}
	d->deps.len = kept;
	for (size_t i = 0; i < d->deps.len; i++)
		for (size_t k = 0; k < d->members.len; k++) {
			struct str lib = d->members.ptr[k]->lib;
			size_t slash = str_find(lib, '/');
			vec_push(&d->deps.ptr[i].exclusions,
			         (struct deps_exclusion){str_slice(lib, 0, slash), str_drop(lib, slash + 1)});
		}
}

bool deps_add_libraries(struct deps_project *d, const struct resolve_request *q, struct err *err)
{
	for (size_t i = 0; i < d->members.len; i++) {
		struct deps_member *m = d->members.ptr[i];
		if (m->kind == DEPS_MEMBER_JAR && !read_jar_deps(m, q, err))
			return false;
		if (m->kind == DEPS_MEMBER_PROJECT && m->project.kind == DEPS_POM && !read_pom_deps(m, q, err))
			return false;
		for (size_t k = 0; k < m->project.deps.len; k++) {
			const struct deps_dep *dep = &m->project.deps.ptr[k];
			if (dep->scope == DEPS_MAIN && !has_dep(d, dep, m->scope))
				add_dep(d, dep, m->scope);
		}
		for (size_t k = 0; k < m->project.repositories.len; k++)
			vec_push(&d->repositories, m->project.repositories.ptr[k]);
	}
	if (d->members.len)
		drop_members(d);
	return true;
}

void deps_lock_members(const struct deps_project *d, struct lock *l)
{
	for (size_t i = 0; i < d->members.len; i++) {
		const struct lock_git *g = &d->members.ptr[i]->git;
		if (g->url.len)
			vec_push(&l->gits, (struct lock_git){.lib = str_dup(&l->arena, g->lib),
			                                     .url = str_dup(&l->arena, g->url),
			                                     .tag = str_dup(&l->arena, g->tag),
			                                     .sha = str_dup(&l->arena, g->sha)});
	}
	lock_sort(l);
}
