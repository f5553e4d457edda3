#include "front/project.h"

#include <unistd.h>

#include "front/deps_members.h"
#include "front/import.h"
#include "front/resolve.h"
#include "os/fs.h"

/* ".tenon/deps", or ".tenon/with/a+b". */
static struct str place_of(struct arena *a, const struct project_request *q)
{
	struct buf b = {0};
	if (!q->chosen.len)
		return STR(".tenon/deps");
	buf_addz(&b, ".tenon/with/");
	for (size_t i = 0; i < q->chosen.len; i++) {
		struct str name = q->chosen.ptr[i];
		if (i)
			buf_addc(&b, '+');
		for (size_t k = 0; k < name.len; k++)
			buf_addc(&b, strchr("/:*\"\\ ", name.ptr[k]) ? '_' : name.ptr[k]);
	}
	struct str ret = str_dup(a, buf_str(&b));
	buf_release(&b);
	return ret;
}

static struct str below(struct arena *a, struct str place, const char *name)
{
	return str_fmt(a, "%.*s/%s", STR_ARG(place), name);
}

void project_release(struct project *p)
{
	vec_release(&p->seen);
	vec_release(&p->aliases);
	arena_release(&p->arena);
	lock_release(&p->lock);
	deps_project_release(&p->deps);
}

static bool is_folder(const char *dir, const char *name)
{
	struct arena a = {0};
	struct file_sig sig;
	bool ret = fs_stat(path_join(&a, dir, name), &sig, NULL) && fs_is_dir(&sig);
	arena_release(&a);
	return ret;
}

bool project_find(const char *dir, enum deps_kind *ret)
{
	/* A pom.xml is mostly Java's. */
	return deps_find_kind(dir, ret) && (*ret != DEPS_POM || is_folder(dir, "src/main/clojure"));
}

bool project_check_clojure(const struct deps_project *d, const struct lock *l, struct err *err)
{
	for (size_t i = 0; i < l->jars.len; i++)
		if (str_eqc(l->jars.ptr[i].artifact, "clojure") && str_eqc(l->jars.ptr[i].group, "org.clojure"))
			return true;
	err_set(err, ERR_USER, "%.*s: nothing here asks for Clojure itself", STR_ARG(d->file));
	err_note(err, "name org.clojure/clojure and a version among the dependencies");
	return false;
}

bool project_place_jars(const struct lock *l, const char *folder, struct err *err)
{
	struct arena a = {0};
	bool ok = fs_mkdirs(folder, err);
	for (size_t i = 0; ok && i < l->jars.len; i++) {
		const struct lock_jar *j = &l->jars.ptr[i];
		char *path = path_join(&a, folder, import_jar_name(&a, l, i).ptr);
		struct digest there = {0};
		if (!digest_of_file(path, &there, NULL, NULL) || !digest_eq(&there, &j->sha256))
			ok = fs_copy(str_dupz(&a, j->path), path, 0644, err);
	}
	arena_release(&a);
	return ok;
}

/* Are the jars in their folder? Their contents were checked when they came there, and are a part of every key. */
static bool jars_are_there(const struct lock *l, const char *folder)
{
	struct arena a = {0};
	bool all = true;
	for (size_t i = 0; all && i < l->jars.len; i++) {
		struct file_sig sig;
		all = fs_stat(path_join(&a, folder, import_jar_name(&a, l, i).ptr), &sig, NULL) && fs_is_file(&sig) &&
		      sig.size == l->jars.ptr[i].size;
	}
	arena_release(&a);
	return all;
}

/* A lock that was made from the description as it is now. */
static bool read_current_lock(const struct deps_project *d, const char *path, struct lock *ret, bool *ret_found,
                              struct err *err)
{
	struct digest now = deps_digest(d);
	bool exists;
	*ret_found = false;
	if (!lock_read(ret, path, &exists, err))
		return false;
	*ret_found = exists && str_eqc(ret->from, deps_file_name(d->kind)) && digest_eq(&ret->from_sha256, &now);
	if (!*ret_found)
		lock_release(ret);
	return true;
}

/* The project's own lock comes first. */
static bool read_locks(const struct deps_project *d, const struct project_request *q, struct lock *ret, bool *ret_found,
                       struct err *err)
{
	struct arena a = {0};
	const char *own = path_join(&a, q->dir, below(&a, place_of(&a, q), "deps.lock").ptr);
	bool ok = read_current_lock(d, path_join(&a, q->dir, "deps.lock"), ret, ret_found, err) &&
	          (*ret_found || read_current_lock(d, own, ret, ret_found, err));
	arena_release(&a);
	return ok;
}

/* The description, and those of the projects that it rests on. Revisions that a lock has are kept to, whatever it was
 * made from: a tag that moved meanwhile is no reason to build something else. */
static bool read_descriptions(struct deps_project *d, const struct project_request *q, bool offline, struct err *err)
{
	struct arena a = {0};
	struct lock own = {0}, kept = {0};
	bool has_own, has_kept;
	/* The project keeps it: labels and members name it. */
	struct str place = place_of(&d->arena, q);
	struct deps_members_request m = {.dir = q->dir,
	                                 .clones = q->clones,
	                                 .folders = path_join(&a, q->dir, below(&a, place, "git").ptr),
	                                 .package = below(&d->arena, place, "local"),
	                                 .jars = place,
	                                 .offline = offline};
	for (size_t i = 0; i < q->chosen.len; i++)
		vec_push(&d->chosen, q->chosen.ptr[i]);
	d->tests_are_main = q->tests_are_main;
	bool ok = deps_read(d, q->kind, q->dir, err);
	if (ok && (d->locals.len || d->gits.len)) {
		ok = lock_read(&own, path_join(&a, q->dir, "deps.lock"), &has_own, err) &&
		     lock_read(&kept, path_join(&a, q->dir, below(&a, place, "deps.lock").ptr), &has_kept, err);
		m.locked = ok && has_own ? &own : &kept;
		ok = ok && deps_find_members(d, &m, err);
	}
	lock_release(&own);
	lock_release(&kept);
	arena_release(&a);
	return ok;
}

bool project_is_resolved(const struct project_request *q)
{
	struct arena a = {0};
	struct deps_project d = {0};
	struct lock l = {0};
	struct err why = {0};
	bool found = false;
	bool ok = read_descriptions(&d, q, true, &why) && read_locks(&d, q, &l, &found, &why) && found &&
	          jars_are_there(&l, path_join(&a, q->dir, place_of(&a, q).ptr));
	err_clear(&why);
	lock_release(&l);
	deps_project_release(&d);
	arena_release(&a);
	return ok;
}

static bool write_text(struct arena *a, const char *dir, struct str rel, const struct buf *text, struct err *err)
{
	const char *path = path_join(a, dir, str_dupz(a, rel));
	struct buf old = {0};
	struct file_sig sig;
	bool ok = fs_stat(path, &sig, err) && (!sig.mode || fs_read(path, &old, err));
	ok = ok && ((sig.mode && str_eq(buf_str(&old), buf_str(text))) ||
	            fs_write_atomic(path, buf_str(text), 0644, false, err));
	buf_release(&old);
	return ok;
}

static bool settle_libraries(struct project *p, const struct project_request *q, struct err *err)
{
	struct arena *a = &p->arena;
	const char *folder = path_join(a, q->dir, p->place.ptr);
	struct lock old = {0};
	bool found;
	if (!read_locks(&p->deps, q, &old, &found, err))
		return false;
	if (found && jars_are_there(&old, folder)) {
		p->lock = old;
		return true;
	}
	struct resolve_request r = {.project = &p->deps, .locked = found ? &old : NULL, .offline = q->offline};
	p->lock.from = str_from(deps_file_name(p->deps.kind));
	p->lock.from_sha256 = deps_digest(&p->deps);
	struct buf text = {0};
	bool ok = (found || deps_add_libraries(&p->deps, &r, err)) && resolve(&r, &p->lock, err) &&
	          project_place_jars(&p->lock, folder, err);
	deps_lock_members(&p->deps, &p->lock);
	lock_print(&p->lock, &text);
	ok = ok && write_text(a, q->dir, below(a, p->place, "deps.lock"), &text, err);
	buf_release(&text);
	lock_release(&old);
	return ok;
}

/* -- members: each is reached through a link, and has the text of its BUILD file here -- */

static bool link_to(const char *target, const char *path, struct err *err)
{
	char there[4096];
	ssize_t n = readlink(path, there, sizeof(there));
	if (n > 0 && str_eq(str_n(there, (size_t)n), str_from(target)))
		return true;
	return fs_mkdirs_parent(path, err) && fs_symlink(target, path, err);
}

static bool place_member(struct project *p, const struct deps_member *m, const char *dir, struct err *err)
{
	struct arena *a = &p->arena;
	if (m->kind == DEPS_MEMBER_JAR)
		return link_to(m->path, path_join(a, dir, below(a, p->place, import_member_jar(a, m).ptr).ptr), err);
	struct str package = str_fmt(a, "%.*s/local/%.*s", STR_ARG(p->place), STR_ARG(m->name));
	if (!link_to(m->path, path_join(a, dir, package.ptr), err))
		return false;
	if (m->kind == DEPS_MEMBER_TARGETS)
		return true;
	struct buf text = {0};
	struct str place = str_fmt(a, "%.*s/members/%.*s", STR_ARG(p->place), STR_ARG(m->name));
	bool ok = fs_mkdirs_parent(path_join(a, dir, place.ptr), err) &&
	          import_print_member(m, &p->lock, package, p->place, &text, err) &&
	          write_text(a, dir, place, &text, err);
	vec_push(&p->aliases, (struct buildfile_alias){.path = str_fmt(a, "%.*s/BUILD", STR_ARG(package)),
	                                               .text = place,
	                                               .made_from = m->project.file});
	buf_release(&text);
	return ok;
}

static bool place_members(struct project *p, const char *dir, struct err *err)
{
	for (size_t i = 0; i < p->deps.members.len; i++)
		if (!place_member(p, p->deps.members.ptr[i], dir, err))
			return false;
	return true;
}

static void see_roots(struct project *p, struct str package, const StrVec *roots)
{
	for (size_t i = 0; i < roots->len; i++)
		vec_push(&p->seen, package.len
		                           ? str_fmt(&p->arena, "%.*s/%.*s", STR_ARG(package), STR_ARG(roots->ptr[i]))
		                           : roots->ptr[i]);
}

static void see_project(struct project *p, struct str package, const struct deps_project *d)
{
	for (enum deps_kind k = DEPS_EDN; k <= DEPS_POM; k++)
		vec_push(&p->seen, package.len ? str_fmt(&p->arena, "%.*s/%s", STR_ARG(package), deps_file_name(k))
		                               : str_from(deps_file_name(k)));
	see_roots(p, package, &d->sources);
	see_roots(p, package, &d->tests);
	see_roots(p, package, &d->java);
	see_roots(p, package, &d->resources);
}

static void see_all(struct project *p)
{
	vec_push(&p->seen, STR("deps.lock"));
	vec_push(&p->seen, below(&p->arena, p->place, "deps.lock"));
	see_project(p, (struct str){0}, &p->deps);
	for (size_t i = 0; i < p->deps.members.len; i++) {
		const struct deps_member *m = p->deps.members.ptr[i];
		if (m->kind == DEPS_MEMBER_PROJECT)
			see_project(p, str_fmt(&p->arena, "%.*s/local/%.*s", STR_ARG(p->place), STR_ARG(m->name)),
			            &m->project);
	}
}

bool project_load(struct project *p, const struct project_request *q, struct err *err)
{
	struct buf build = {0}, jars = {0};
	struct str description = str_from(deps_file_name(q->kind));
	p->place = place_of(&p->arena, q);
	struct str build_file = below(&p->arena, p->place, "PROJECT"), jars_file = below(&p->arena, p->place, "BUILD");
	vec_push(&p->aliases,
	         (struct buildfile_alias){.path = STR("BUILD"), .text = build_file, .made_from = description});
	vec_push(&p->aliases, (struct buildfile_alias){.path = jars_file, .text = jars_file, .made_from = description});
	/* What is settled is not asked for again: a repository that can't be had least of all. */
	bool ok = read_descriptions(&p->deps, q, q->offline || project_is_resolved(q), err);
	see_all(p);
	ok = ok && settle_libraries(p, q, err) && project_check_clojure(&p->deps, &p->lock, err) &&
	     import_print_project(&p->deps, &p->lock, q->dir, STR(""), p->place, &build, err) &&
	     place_members(p, q->dir, err);
	if (ok)
		import_print_jars(&p->deps, &p->lock, &jars);
	ok = ok && write_text(&p->arena, q->dir, jars_file, &jars, err) &&
	     write_text(&p->arena, q->dir, build_file, &build, err);
	buf_release(&build);
	buf_release(&jars);
	return ok;
}
