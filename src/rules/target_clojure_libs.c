/* Which namespaces libraries have, and what can't be compiled for want of one. */
#include "base/err.h"
#include "os/fs.h"
#include "rules/target_clojure.h"
#include "wire/zip.h"

/* A jar that is there, and what its names of files say. */
struct clojure_jar {
	struct str path;  /* of the workspace */
	struct map stems; /* "a/b_c"; of classes that are no function's also "a/b_c.class" */
	bool unreadable;  /* it may have anything: what is wrong with it is told where it is used */
};

void clojure_jars_release(struct target_clojure *cl)
{
	for (size_t i = 0; i < cl->jars.len; i++)
		map_release(&cl->jars.ptr[i]->stems);
	vec_release(&cl->jars);
}

static bool take_stem(struct str entry, struct str *ret)
{
	static const char *const endings[] = {"__init.class", ".clj", ".cljc", ".class"};
	for (size_t i = 0; i < ARRAY_LEN(endings); i++)
		if (str_has_suffix(entry, str_from(endings[i]))) {
			*ret = str_slice(entry, 0, entry.len - strlen(endings[i]));
			return true;
		}
	return false;
}

static bool read_jar(struct rule_context *c, struct clojure_jar *jar)
{
	struct zip z;
	struct str bytes, stem;
	char *path = path_join(c->arena, c->an->tools->directory, str_dupz(c->arena, jar->path));
	if (!fs_map(path, &bytes, NULL))
		return false;
	bool ok = zip_open(str_from(path), bytes, &z, NULL);
	if (ok) {
		for (size_t i = 0; i < z.entries.len; i++) {
			struct str name = z.entries.ptr[i].name;
			if (!take_stem(name, &stem))
				continue;
			map_add(&jar->stems, str_dup(c->arena, stem), 0, NULL);
			if (str_has_suffix(name, STR(".class")) && str_find(name, '$') == name.len)
				map_add(&jar->stems, str_dup(c->arena, name), 0, NULL);
		}
		zip_close(&z);
	}
	fs_unmap(bytes);
	return ok;
}

static const struct clojure_jar *jar_of(struct rule_context *c, struct str path)
{
	struct target_clojure *cl = c->an->clojure;
	for (size_t i = 0; i < cl->jars.len; i++)
		if (str_eq(cl->jars.ptr[i]->path, path))
			return cl->jars.ptr[i];
	struct clojure_jar *jar = arena_new(c->arena, struct clojure_jar);
	jar->path = path;
	jar->unreadable = !read_jar(c, jar);
	vec_push(&cl->jars, jar);
	return jar;
}

static bool may_have(struct rule_context *c, const FileRefVec *class_path, struct str stem)
{
	for (size_t i = 0; i < class_path->len; i++) {
		const struct target_file_ref *f = &class_path->ptr[i];
		if (f->producer != NO_ID && !f->tree)
			return true;
		if (f->tree)
			continue;
		const struct clojure_jar *jar = jar_of(c, f->path);
		if (jar->unreadable || map_has(&jar->stems, stem))
			return true;
	}
	return false;
}

bool clojure_may_have(struct rule_context *c, const FileRefVec *class_path, struct str ns)
{
	return may_have(c, class_path, clojure_ns_path(c->arena, ns));
}

bool clojure_may_have_class(struct rule_context *c, const FileRefVec *class_path, struct str ns)
{
	struct str path = clojure_ns_path(c->arena, ns);
	return may_have(c, class_path, str_fmt(c->arena, "%.*s.class", STR_ARG(path)));
}

/* The need that keeps the namespace from being compiled, or NULL. */
static const struct clojure_need *missing_need(struct rule_context *c, const struct target_runtime *rt, uint32_t ns)
{
	const struct target_clojure *cl = c->an->clojure;
	const struct clojure_namespace *n = &cl->project.namespaces.ptr[ns];
	for (size_t i = 0; i < n->needs.len; i++) {
		const struct clojure_need *need = &n->needs.ptr[i];
		if (need->dropped || need->optional)
			continue;
		if (need->target != NO_NAMESPACE
		            ? cl->skipped[need->target]
		            : need->kind != CLOJURE_IMPORT && !clojure_may_have(c, &rt->class_path, need->name))
			return need;
	}
	return NULL;
}

static void note_skipped(struct rule_context *c, uint32_t ns, const struct clojure_need *need)
{
	const struct target_clojure *cl = c->an->clojure;
	struct str file = cl->project.files.ptr[need->file].path;
	/* One note for each that lacks something itself. */
	if (need->target != NO_NAMESPACE)
		return;
	vec_push(&c->an->notes,
	         str_fmt(c->arena, "%.*s:%u:%u: %.*s is not compiled: it needs %.*s, which no library has",
	                 STR_ARG(file), need->line, need->col, STR_ARG(cl->project.namespaces.ptr[ns].name),
	                 STR_ARG(need->name)));
}

void clojure_skip_incomplete(struct rule_context *c, const struct target_runtime *rt)
{
	struct target_clojure *cl = c->an->clojure;
	if (!target_bool(c->target, "skip-incomplete", false))
		return;
	for (size_t i = 0; i < cl->project.order.len; i++) {
		uint32_t ns = cl->project.order.ptr[i];
		if (clojure_owner(cl, ns) != c->id || cl->skipped[ns])
			continue;
		const struct clojure_need *need = missing_need(c, rt, ns);
		if (!need)
			continue;
		uint32_t group = cl->project.namespaces.ptr[ns].group;
		for (uint32_t k = 0; k < cl->project.namespaces.len; k++)
			cl->skipped[k] |= cl->project.namespaces.ptr[k].group == group;
		note_skipped(c, ns, need);
	}
}

bool clojure_skip_test(struct rule_context *c, const struct target_runtime *rt, uint32_t ns)
{
	struct target_clojure *cl = c->an->clojure;
	if (!target_bool(c->target, "skip-incomplete", false))
		return false;
	const struct clojure_need *need = missing_need(c, rt, ns);
	if (!need || !str_has_prefix(need->name, STR("cljs.")))
		return false;
	vec_push(&c->an->notes, str_fmt(c->arena, "%.*s:%u:%u: %.*s is not tested: it needs %.*s, which no library has",
	                                STR_ARG(cl->project.files.ptr[need->file].path), need->line, need->col,
	                                STR_ARG(cl->project.namespaces.ptr[ns].name), STR_ARG(need->name)));
	return true;
}
