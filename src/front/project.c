#include "front/project.h"

#include "front/import.h"
#include "front/resolve.h"
#include "os/fs.h"

static const struct str own_lock = STR(PROJECT_JARS "/deps.lock");

void project_release(struct project *p)
{
	vec_release(&p->seen);
	lock_release(&p->lock);
	deps_project_release(&p->deps);
}

static bool is_there(const char *dir, const char *name, bool folder)
{
	struct arena a = {0};
	struct file_sig sig;
	bool ret = fs_stat(path_join(&a, dir, name), &sig, NULL) && (folder ? fs_is_dir(&sig) : fs_is_file(&sig));
	arena_release(&a);
	return ret;
}

bool project_find(const char *dir, enum deps_kind *ret)
{
	static const enum deps_kind kinds[] = {DEPS_EDN, DEPS_LEIN, DEPS_POM};
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (!is_there(dir, deps_file_name(kinds[i]), false))
			continue;
		/* A pom.xml is mostly Java's. */
		if (kinds[i] == DEPS_POM && !is_there(dir, "src/main/clojure", true))
			continue;
		*ret = kinds[i];
		return true;
	}
	return false;
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
	struct digest now = digest_of(d->text);
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
static bool read_locks(const struct deps_project *d, const char *dir, struct lock *ret, bool *ret_found,
                       struct err *err)
{
	struct arena a = {0};
	bool ok = read_current_lock(d, path_join(&a, dir, "deps.lock"), ret, ret_found, err) &&
	          (*ret_found || read_current_lock(d, path_join(&a, dir, str_dupz(&a, own_lock)), ret, ret_found, err));
	arena_release(&a);
	return ok;
}

bool project_is_resolved(const char *dir, enum deps_kind kind)
{
	struct arena a = {0};
	struct deps_project d = {0};
	struct lock l = {0};
	bool found = false;
	bool ok = deps_read(&d, kind, dir, NULL) && read_locks(&d, dir, &l, &found, NULL) && found &&
	          jars_are_there(&l, path_join(&a, dir, PROJECT_JARS));
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

static bool settle_libraries(struct project *p, struct arena *a, const char *dir, bool offline, struct err *err)
{
	const char *folder = path_join(a, dir, PROJECT_JARS);
	struct lock old = {0};
	bool found;
	if (!read_locks(&p->deps, dir, &old, &found, err))
		return false;
	if (found && jars_are_there(&old, folder)) {
		p->lock = old;
		return true;
	}
	struct resolve_request q = {.project = &p->deps, .locked = found ? &old : NULL, .offline = offline};
	p->lock.from = str_from(deps_file_name(p->deps.kind));
	p->lock.from_sha256 = digest_of(p->deps.text);
	struct buf text = {0};
	bool ok = resolve(&q, &p->lock, err) && project_place_jars(&p->lock, folder, err);
	lock_print(&p->lock, &text);
	ok = ok && write_text(a, dir, own_lock, &text, err);
	buf_release(&text);
	lock_release(&old);
	return ok;
}

/* Projects in other folders would be packages of a workspace that holds both. */
static bool check_locals(const struct deps_project *d, struct err *err)
{
	if (!d->locals.len)
		return true;
	const struct deps_local *l = &d->locals.ptr[0];
	err_set(err, ERR_USER, "%.*s: library %.*s is the project in the folder \"%.*s\", which needs a workspace",
	        STR_ARG(d->file), STR_ARG(l->lib), STR_ARG(l->path));
	err_note(err, "make an empty file WORKSPACE in the folder above both, and run `tenon import` in each");
	return false;
}

static void see_roots(struct project *p, const StrVec *roots)
{
	for (size_t i = 0; i < roots->len; i++)
		vec_push(&p->seen, roots->ptr[i]);
}

static void see_all(struct project *p)
{
	for (enum deps_kind k = DEPS_EDN; k <= DEPS_POM; k++)
		vec_push(&p->seen, str_from(deps_file_name(k)));
	vec_push(&p->seen, STR("deps.lock"));
	vec_push(&p->seen, own_lock);
	see_roots(p, &p->deps.sources);
	see_roots(p, &p->deps.tests);
	see_roots(p, &p->deps.java);
	see_roots(p, &p->deps.resources);
}

bool project_load(struct project *p, const char *dir, enum deps_kind kind, bool offline, struct err *err)
{
	struct arena a = {0};
	struct buf build = {0}, jars = {0};
	p->build_file = STR(PROJECT_JARS "/PROJECT");
	bool ok = deps_read(&p->deps, kind, dir, err);
	see_all(p);
	ok = ok && check_locals(&p->deps, err) && settle_libraries(p, &a, dir, offline, err) &&
	     project_check_clojure(&p->deps, &p->lock, err) &&
	     import_print_project(&p->deps, &p->lock, dir, STR(""), STR(PROJECT_JARS), &build, err);
	if (ok)
		import_print_jars(&p->lock, &jars);
	ok = ok && write_text(&a, dir, STR(PROJECT_JARS "/BUILD"), &jars, err) &&
	     write_text(&a, dir, p->build_file, &build, err);
	buf_release(&build);
	buf_release(&jars);
	arena_release(&a);
	return ok;
}
