/* Reading the namespaces of all targets: which file is whose, and what is a source at all. */
#include "rules/target_clojure.h"

#include <stdlib.h>

#include "os/fs.h"

void target_clojure_free(struct target_clojure *cl)
{
	if (!cl)
		return;
	for (size_t i = 0; i < cl->runtimes.len; i++) {
		vec_release(&cl->runtimes.ptr[i]->class_path);
		vec_release(&cl->runtimes.ptr[i]->roots);
		vec_release(&cl->runtimes.ptr[i]->project);
		vec_release(&cl->runtimes.ptr[i]->preload);
		vec_release(&cl->runtimes.ptr[i]->env);
		vec_release(&cl->runtimes.ptr[i]->jvm_options);
	}
	vec_release(&cl->runtimes);
	vec_release(&cl->resources);
	free(cl->file_owner);
	free(cl->compiles);
	free(cl->trees);
	free(cl->skipped);
	free(cl->unnamed);
	clojure_jars_release(cl);
	clojure_project_release(&cl->project);
	free(cl);
}

target_id clojure_owner(const struct target_clojure *cl, uint32_t ns)
{
	return cl->file_owner[cl->project.namespaces.ptr[ns].file];
}

bool clojure_is_test(const struct target_analysis *an, target_id id)
{
	return str_eqc(target_get(an->table, id)->rule, "clj-test");
}

void clojure_mark_deps(const struct target_analysis *an, target_id id, bool *in)
{
	U32Vec stack = {0};
	in[id] = true;
	vec_push(&stack, id);
	while (stack.len) {
		const struct build_target *t = target_get(an->table, vec_pop(&stack));
		for (uint32_t d = 0; d < t->ndeps; d++)
			if (!in[t->deps[d]]) {
				in[t->deps[d]] = true;
				vec_push(&stack, t->deps[d]);
			}
	}
	vec_release(&stack);
}

struct str clojure_file_path(struct arena *a, struct str root, struct str rel)
{
	return root.len ? str_fmt(a, "%.*s/%.*s", STR_ARG(root), STR_ARG(rel)) : rel;
}

/* -- which files -- */

struct reading {
	struct target_analysis *an;
	struct target_clojure *cl;
	StrVec roots; /* of all targets so far */
	Vec(target_id) owners;
};

static bool is_data_readers(struct str path)
{
	struct str base = path_base(path);
	return str_eqc(base, "data_readers.clj") || str_eqc(base, "data_readers.cljc");
}

/* What a REPL loads by itself, and no build. */
static bool is_user(struct str path)
{
	return str_eqc(path_base(path), "user.clj");
}

static bool is_source(struct str path)
{
	return str_has_suffix(path, STR(".clj")) || str_has_suffix(path, STR(".cljc"));
}

static void add_root(StrVec *roots, struct str root)
{
	for (size_t i = 0; i < roots->len; i++)
		if (str_eq(roots->ptr[i], root))
			return;
	vec_push(roots, root);
}

/* The longest of the target's declared roots that the path lies below. False: it declares none, or none fits. */
static bool declared_root(const struct reading *r, target_id owner, struct str path, struct str *ret)
{
	struct arena *a = &r->an->arena;
	const struct attr *roots = target_attr(target_get(r->an->table, owner), "source-roots");
	struct str dir = target_dir(r->an->table, owner);
	bool found = false;
	for (uint32_t i = 0; roots && i < roots->len; i++) {
		struct str root = clojure_file_path(a, dir, roots->strings[i]);
		if (str_eqc(roots->strings[i], "."))
			root = dir;
		while (str_has_suffix(root, STR("/")))
			root.len--;
		bool below = !root.len || !str_eq(path_below(path, root), path);
		if (below && (!found || root.len > ret->len)) {
			*ret = root;
			found = true;
		}
	}
	return found;
}

/* "src/a/b_c.clj" of a.b-c lies below the root "src". False: the path is not that of the namespace. */
static bool split_path(struct arena *a, struct str path, struct str ns, struct str *ret_root, struct str *ret_rel)
{
	struct str rel = str_fmt(a, "%.*s.%.*s", STR_ARG(clojure_ns_path(a, ns)), STR_ARG(path_ext(path)));
	if (str_eq(path, rel)) {
		*ret_root = (struct str){0};
	} else {
		if (!str_has_suffix(path, str_fmt(a, "/%.*s", STR_ARG(rel))))
			return false;
		*ret_root = str_slice(path, 0, path.len - rel.len - 1);
	}
	*ret_rel = rel;
	return true;
}

/* The part of a namespace that is in a file of its own is found below a root that is known by others. */
static struct str rel_of_part(const struct reading *r, struct str path)
{
	struct str best = path;
	for (size_t i = 0; i < r->roots.len; i++) {
		struct str rel = path_below(path, r->roots.ptr[i]);
		if (rel.len < best.len)
			best = rel;
	}
	return best;
}

static void add_resource(struct reading *r, target_id owner, struct str root, struct str path)
{
	struct clojure_resource res = {.owner = owner, .root = root, .rel = path_below(path, root)};
	for (size_t i = 0; i < r->cl->resources.len; i++) {
		const struct clojure_resource *o = &r->cl->resources.ptr[i];
		if (o->owner == owner && str_eq(o->root, res.root) && str_eq(o->rel, res.rel))
			return;
	}
	vec_push(&r->cl->resources, res);
}

/* -- reading them -- */

static bool fail_misplaced(const struct reading *r, const struct clojure_file *f, struct str path, struct err *err)
{
	err_set(err, ERR_USER, "the namespace %.*s does not belong in this file", STR_ARG(f->ns));
	err_at(err, path, f->line, f->col, (struct str){0});
	err_note(err, "it is looked for in \"%.*s.clj\"", STR_ARG(clojure_ns_path(&r->an->arena, f->ns)));
	return false;
}

static bool read_text(struct reading *r, struct str path, struct str *ret, struct err *err)
{
	struct arena *a = &r->an->arena;
	struct buf text = {0};
	if (!fs_read(path_join(a, r->an->tools->directory, str_dupz(a, path)), &text, err))
		return false;
	/* Names point into the text. */
	*ret = str_dup(a, buf_str(&text));
	buf_release(&text);
	return true;
}

static bool read_one(struct reading *r, target_id owner, struct str path, struct err *err)
{
	struct arena *a = &r->an->arena;
	struct clojure_file f = {0};
	struct str text, root, rel, declared = {0};
	bool has_root = declared_root(r, owner, path, &declared);
	if (!read_text(r, path, &text, err))
		return false;
	if (is_data_readers(path)) {
		add_resource(r, owner, has_root ? declared : path_dir(path), path);
		return clojure_add_readers(&r->cl->project, path, text, err);
	}
	if (!clojure_read_file(a, path, path_base(path), text, &f, err))
		return false;
	f.path = path;
	f.size = text.len;
	bool named = f.ns.len && !f.part;
	bool placed = named && split_path(a, path, f.ns, &root, &rel);
	if (has_root && named && (!placed || !str_eq(root, declared))) {
		/* Nobody can require it from there: it is there to be read. */
		add_resource(r, owner, declared, path);
		clojure_file_release(&f);
		return true;
	}
	if (named && !placed) {
		fail_misplaced(r, &f, path, err);
		clojure_file_release(&f);
		return false;
	}
	if (named) {
		f.rel = rel;
		add_root(&r->roots, root);
	} else if (has_root) {
		f.rel = path_below(path, declared);
		add_root(&r->roots, declared);
	}
	vec_push(&r->cl->project.files, f);
	vec_push(&r->owners, owner);
	return true;
}

static bool read_sources(struct reading *r, target_id id, struct err *err)
{
	const struct build_target *t = target_get(r->an->table, id);
	const struct attr *srcs = target_attr(t, "srcs");
	for (uint32_t i = 0; srcs && i < srcs->len; i++) {
		struct str path = srcs->sources[i].path;
		if (srcs->sources[i].target != NO_TARGET) {
			target_err(r->an->table, srcs->place, err,
			           "\"%.*s\" makes sources; only files that are there can be sources of Clojure",
			           STR_ARG(target_get(r->an->table, srcs->sources[i].target)->label));
			return false;
		}
		if (is_source(path) && !is_user(path) && !read_one(r, id, path, err))
			return false;
	}
	return true;
}

/* Where the class path begins that a resource lies on: a declared root, the usual folders, or the package. */
static struct str resource_root(struct reading *r, target_id owner, struct str path)
{
	static const struct str usual[] = {{"src/main/resources", 18}, {"src/test/resources", 18}, {"resources", 9}};
	struct str dir = target_dir(r->an->table, owner), root = {0};
	if (declared_root(r, owner, path, &root))
		return root;
	for (size_t i = 0; i < ARRAY_LEN(usual); i++) {
		root = clojure_file_path(&r->an->arena, dir, usual[i]);
		if (!str_eq(path_below(path, root), path))
			return root;
	}
	return dir;
}

static bool read_resources(struct reading *r, target_id id, struct err *err)
{
	const struct attr *files = target_attr(target_get(r->an->table, id), "resources");
	for (uint32_t i = 0; files && i < files->len; i++) {
		struct str path = files->sources[i].path;
		/* What another target makes goes into the jar; a compile does not see it. */
		if (files->sources[i].target != NO_TARGET)
			continue;
		add_resource(r, id, resource_root(r, id, path), path);
		struct str text;
		if (is_data_readers(path) &&
		    (!read_text(r, path, &text, err) || !clojure_add_readers(&r->cl->project, path, text, err)))
			return false;
	}
	return true;
}

static bool check_owners(struct reading *r, struct err *err)
{
	const struct clojure_project *p = &r->cl->project;
	struct map seen = {0};
	bool ok = true;
	for (size_t i = 0; ok && i < p->files.len; i++) {
		uint64_t other;
		if (p->files.ptr[i].part || !p->files.ptr[i].ns.len || map_add(&seen, p->files.ptr[i].rel, i, &other))
			continue;
		if (r->cl->file_owner[other] == r->cl->file_owner[i])
			continue;
		struct str a = target_get(r->an->table, r->cl->file_owner[other])->label;
		struct str b = target_get(r->an->table, r->cl->file_owner[i])->label;
		ok = err_set(err, ERR_USER, "two targets have the namespace %.*s: %.*s and %.*s",
		             STR_ARG(p->files.ptr[i].ns), STR_ARG(a), STR_ARG(b));
	}
	map_release(&seen);
	return ok;
}

static bool is_clojure(const struct target_analysis *an, target_id id)
{
	return str_has_prefix(target_get(an->table, id)->rule, STR("clj-"));
}

static struct target_clojure *read_all(struct target_analysis *an, struct err *err)
{
	struct target_clojure *cl = xcalloc(1, sizeof(*cl));
	struct reading r = {.an = an, .cl = cl};
	bool ok = true;
	for (target_id id = 0; ok && id < an->table->targets.len; id++)
		ok = !is_clojure(an, id) || (read_sources(&r, id, err) && read_resources(&r, id, err));
	for (size_t i = 0; i < cl->project.files.len; i++)
		if (!cl->project.files.ptr[i].rel.len)
			cl->project.files.ptr[i].rel = rel_of_part(&r, cl->project.files.ptr[i].path);
	cl->file_owner = xcalloc(r.owners.len + 1, sizeof(*cl->file_owner));
	if (r.owners.len)
		memcpy(cl->file_owner, r.owners.ptr, r.owners.len * sizeof(*r.owners.ptr));
	ok = ok && check_owners(&r, err) && clojure_order(&cl->project, err);
	cl->compiles = xcalloc(cl->project.namespaces.len + 1, sizeof(*cl->compiles));
	cl->trees = xcalloc(cl->project.namespaces.len + 1, sizeof(*cl->trees));
	cl->skipped = xcalloc(cl->project.namespaces.len + 1, sizeof(*cl->skipped));
	cl->unnamed = xcalloc(cl->project.namespaces.len + 1, sizeof(*cl->unnamed));
	for (size_t i = 0; i < cl->project.namespaces.len; i++)
		cl->compiles[i] = NO_ID;
	vec_release(&r.roots);
	vec_release(&r.owners);
	if (ok)
		return cl;
	target_clojure_free(cl);
	return NULL;
}

static void add_declared_roots(struct target_analysis *an, target_id id, StrVec *out)
{
	const struct attr *roots = target_attr(target_get(an->table, id), "source-roots");
	for (uint32_t i = 0; roots && i < roots->len; i++)
		add_root(out, clojure_file_path(&an->arena, target_dir(an->table, id), roots->strings[i]));
}

void target_clojure_roots(struct target_analysis *an, const target_id *targets, size_t n, StrVec *out)
{
	const struct target_clojure *cl = an->clojure;
	bool *in = xcalloc(an->table->targets.len + 1, sizeof(*in));
	for (size_t i = 0; i < n; i++)
		clojure_mark_deps(an, targets[i], in);
	for (target_id id = 0; id < an->table->targets.len; id++)
		if (in[id] && is_clojure(an, id))
			add_declared_roots(an, id, out);
	for (size_t i = 0; cl && i < cl->project.files.len; i++) {
		const struct clojure_file *f = &cl->project.files.ptr[i];
		if (in[cl->file_owner[i]])
			add_root(out, str_slice(f->path, 0, f->path.len - MIN(f->rel.len + 1, f->path.len)));
	}
	for (size_t i = 0; cl && i < cl->resources.len; i++)
		if (in[cl->resources.ptr[i].owner])
			add_root(out, cl->resources.ptr[i].root);
	free(in);
}

void target_clojure_offer_tests(const struct target_analysis *an, struct nearest *n)
{
	const struct target_clojure *cl = an->clojure;
	for (uint32_t i = 0; cl && i < cl->project.namespaces.len; i++)
		if (clojure_is_test(an, clojure_owner(cl, i)))
			nearest_offer(n, cl->project.namespaces.ptr[i].name);
}

bool clojure_have(struct rule_context *c, struct err *err)
{
	if (!c->an->clojure)
		c->an->clojure = read_all(c->an, err);
	return c->an->clojure != NULL;
}
