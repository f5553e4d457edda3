/* Folders, listed once each, and the files that patterns match in them. */
#include <stdlib.h>

#include "front/buildfile_impl.h"
#include "lang/glob.h"

#define MAX_FOLDERS_DEEP 100

struct str path_below_dir(struct arena *a, struct str dir, struct str rel)
{
	if (!dir.len || !rel.len)
		return dir.len ? dir : rel;
	char *p = arena_bytes(a, dir.len + rel.len + 2);
	memcpy(p, dir.ptr, dir.len);
	p[dir.len] = '/';
	memcpy(p + dir.len + 1, rel.ptr, rel.len);
	p[dir.len + 1 + rel.len] = 0;
	return str_n(p, dir.len + 1 + rel.len);
}

static int by_bytes(const void *a, const void *b)
{
	return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

void strings_sort_unique(StrVec *v, size_t from)
{
	size_t at = from;
	if (v->len - from < 2)
		return;
	qsort(v->ptr + from, v->len - from, sizeof(*v->ptr), by_bytes);
	for (size_t i = from; i < v->len; i++)
		if (i == from || !str_eq(v->ptr[i], v->ptr[at - 1]))
			v->ptr[at++] = v->ptr[i];
	v->len = at;
}

const struct view_entry *folder_entry(const struct folder *f, struct str name)
{
	size_t low = 0, high = f->listing.n;
	while (low < high) {
		size_t mid = (low + high) / 2;
		int c = str_cmp(f->listing.entries[mid].name, name);
		if (c == 0)
			return &f->listing.entries[mid];
		if (c < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

struct folder *folder_get(struct loader *l, struct str path)
{
	uint64_t i;
	if (map_get(&l->folder_by_path, path, &i))
		return l->folders.ptr[i];
	struct folder *f = arena_new(&l->t->arena, struct folder);
	f->path = str_dup(&l->t->arena, path);
	if (!l->view.list(l->view.ctx, &l->t->arena, f->path, &f->listing, l->err))
		return NULL;
	struct str note = str_dup(&l->in->arena, path);
	if (f->listing.absent)
		vec_push(&l->in->absent, note);
	else
		vec_push(&l->in->folders, note);
	const struct view_entry *build = folder_entry(f, STR("BUILD")), *clj = folder_entry(f, STR("CLJ"));
	bool has_build = build && !build->is_dir, has_clj = clj && !clj->is_dir;
	f->two_build_files = has_build && has_clj;
	f->build_file = has_build ? STR("BUILD") : has_clj ? STR("CLJ") : STR("");
	map_put(&l->folder_by_path, f->path, l->folders.len);
	vec_push(&l->folders, f);
	return f;
}

bool folder_packages(struct loader *l, struct str dir, StrVec *out)
{
	StrVec todo = {0};
	bool ok = true;
	vec_push(&todo, dir);
	while (todo.len && ok) {
		struct folder *f = folder_get(l, vec_pop(&todo));
		if (!(ok = f != NULL))
			break;
		/* A workspace in the workspace is another's. */
		const struct view_entry *w = f->path.len ? folder_entry(f, STR("WORKSPACE")) : NULL;
		if (w && !w->is_dir && !str_eq(f->path, dir))
			continue;
		if (f->build_file.len)
			vec_push(out, f->path);
		for (size_t i = 0; i < f->listing.n; i++) {
			const struct view_entry *e = &f->listing.entries[i];
			if (e->is_dir && !e->is_link && e->name.ptr[0] != '.')
				vec_push(&todo, path_below_dir(&l->t->arena, f->path, e->name));
		}
	}
	vec_release(&todo);
	strings_sort_unique(out, 0);
	return ok;
}

struct walk {
	struct loader *l;
	struct str dir; /* of the package */
	struct place place;
	StrVec *out;
};

/* NULL with *ret_ok: what is there does not belong to the package. */
static struct folder *enter(struct walk *w, struct str rel, bool *ret_ok)
{
	struct folder *f = folder_get(w->l, path_below_dir(&w->l->t->arena, w->dir, rel));
	*ret_ok = f != NULL;
	if (f && (f->listing.absent || (rel.len && f->build_file.len)))
		return NULL;
	return f;
}

static bool walk(struct walk *w, struct str rel, struct str pattern, uint32_t depth)
{
	struct arena *a = &w->l->t->arena;
	struct str rest = pattern, part, next;
	bool ok;
	if (depth > MAX_FOLDERS_DEEP)
		return draft_err(w->l, w->place, "folders nested more than %d deep: \"%.*s\"", MAX_FOLDERS_DEEP,
		                 STR_ARG(rel));
	struct folder *f = enter(w, rel, &ok);
	if (!f)
		return ok;
	str_cut(&rest, '/', &part);
	bool any_depth = str_eqc(part, "**");
	if (any_depth) {
		/* Two in a row say no more than one. */
		while (next = rest, str_cut(&next, '/', &part) && str_eqc(part, "**"))
			rest = next;
		if (!walk(w, rel, rest.len ? rest : STR("*"), depth))
			return false;
	}
	for (size_t i = 0; i < f->listing.n && ok; i++) {
		const struct view_entry *e = &f->listing.entries[i];
		if (any_depth) {
			if (e->is_dir && !e->is_link && e->name.ptr[0] != '.')
				ok = walk(w, path_below_dir(a, rel, e->name), pattern, depth + 1);
		} else if (e->is_dir == (rest.len > 0) && glob_name_matches(part, e->name)) {
			if (rest.len)
				ok = walk(w, path_below_dir(a, rel, e->name), rest, depth + 1);
			else
				vec_push(w->out, path_below_dir(a, rel, e->name));
		}
	}
	return ok;
}

/* Folders that are written out are not listed but for what is in them: only the last one is. */
static size_t literal_folders(struct str pattern)
{
	size_t end = 0;
	for (size_t slash; (slash = str_find(str_drop(pattern, end), '/')) < pattern.len - end; end += slash + 1)
		if (glob_has_magic(str_slice(pattern, end, end + slash)))
			break;
	return end;
}

/* False, with *ret_inside false, when a folder on the way from `dir` to `path` is a package of its own. */
static bool check_inside(struct loader *l, struct str dir, struct str path, struct str *ret_package)
{
	*ret_package = STR("");
	for (size_t i = 0; i < path.len; i++) {
		if (path.ptr[i] != '/')
			continue;
		struct folder *f = folder_get(l, path_below_dir(&l->t->arena, dir, str_slice(path, 0, i)));
		if (!f)
			return false;
		if (f->build_file.len) {
			*ret_package = f->path;
			return true;
		}
	}
	return true;
}

bool glob_files(struct loader *l, struct str dir, struct str pattern, struct place p, StrVec *out)
{
	struct walk w = {.l = l, .dir = dir, .place = p, .out = out};
	size_t literal = literal_folders(pattern);
	struct str package;
	if (!check_inside(l, dir, str_slice(pattern, 0, literal), &package))
		return false;
	if (package.len)
		return true;
	return walk(&w, str_slice(pattern, 0, literal ? literal - 1 : 0), str_drop(pattern, literal), 0);
}

static bool fail_missing(struct loader *l, struct folder *f, struct str dir, struct str path, struct place p)
{
	struct nearest n;
	struct str base = str_drop(path, str_rfind(path, '/') < path.len ? str_rfind(path, '/') + 1 : 0);
	nearest_init(&n, base);
	for (size_t i = 0; i < f->listing.n; i++)
		if (!f->listing.entries[i].is_dir)
			nearest_offer(&n, f->listing.entries[i].name);
	struct str whole = path_below_dir(&l->t->arena, dir, path);
	draft_err(l, p, "there is no file \"%.*s\"", STR_ARG(whole));
	if (l->err) {
		nearest_note(&n, l->err);
		if (!n.best.len)
			err_note(l->err, "paths are relative to the package; what another target makes is named by its "
			                 "label, \":name\"");
	}
	return false;
}

bool file_check(struct loader *l, struct str dir, struct str path, struct place p)
{
	struct str package, rest = path, part;
	if (!path.len || path.ptr[0] == '/' || path.ptr[path.len - 1] == '/')
		return draft_err(l, p, "\"%.*s\" is no path of a file below the package", STR_ARG(path));
	while (str_cut(&rest, '/', &part))
		if (!part.len || str_eqc(part, ".") || str_eqc(part, ".."))
			return draft_err(l, p, "\"%.*s\" has \"%.*s\" as a part of the path", STR_ARG(path),
			                 STR_ARG(part));
	if (!check_inside(l, dir, path, &package))
		return false;
	if (package.len) {
		draft_err(l, p, "\"%.*s\" belongs to another package, \"//%.*s\"", STR_ARG(path), STR_ARG(package));
		if (l->err)
			err_note(l->err, "name a target of that package, such as an export-file");
		return false;
	}
	size_t slash = str_rfind(path, '/');
	bool has = slash < path.len;
	struct folder *f = folder_get(l, has ? path_below_dir(&l->t->arena, dir, str_slice(path, 0, slash)) : dir);
	if (!f)
		return false;
	const struct view_entry *e = folder_entry(f, has ? str_drop(path, slash + 1) : path);
	if (e && e->is_dir)
		return draft_err(l, p, "\"%.*s\" is a folder; its files are \"%.*s/**\"", STR_ARG(path), STR_ARG(path));
	return e || fail_missing(l, f, dir, path, p);
}

bool glob_host(void *ctx, const struct glob_query *q, struct value *ret, struct err *err)
{
	struct loader *l = ctx;
	struct arena *a = &l->t->arena;
	StrVec found = {0}, patterns = {0}, exclude = {0};
	bool ok = true;
	size_t kept = 0;
	if (l->current == NO_PACKAGE) {
		err_set(err, ERR_USER, "a file that is loaded has no package to look for files in");
		if (err)
			err_note(err, "call glob in a function, or in the BUILD file");
		return false;
	}
	struct str dir = l->t->packages.ptr[l->current].dir;
	struct err why = {0};
	for (uint32_t i = 0; i < q->exclude.len && ok; i++)
		if (!(ok = glob_expand(a, q->exclude.items[i].text, &exclude, &why)))
			draft_err(l, value_place(q->exclude.items[i]), "%s", buf_cstr(&why.message));
	for (uint32_t i = 0; i < q->include.len && ok; i++) {
		size_t before = found.len;
		struct place p = value_place(q->include.items[i]);
		vec_clear(&patterns);
		if (!(ok = glob_expand(a, q->include.items[i].text, &patterns, &why))) {
			draft_err(l, p, "%s", buf_cstr(&why.message));
			break;
		}
		for (size_t k = 0; k < patterns.len && ok; k++)
			ok = glob_files(l, dir, patterns.ptr[k], p, &found);
		if (ok && found.len == before && !q->allow_empty) {
			ok = draft_err(l, p, "\"%.*s\" matches no file", STR_ARG(q->include.items[i].text));
			if (l->err)
				err_note(l->err, "if that is right, add :allow-empty true");
		}
	}
	err_clear(&why);
	if (ok)
		strings_sort_unique(&found, 0);
	for (size_t i = 0; i < found.len && ok; i++) {
		bool drop = false;
		for (size_t k = 0; k < exclude.len && !drop; k++)
			drop = glob_matches(exclude.ptr[k], found.ptr[i]);
		if (!drop)
			found.ptr[kept++] = found.ptr[i];
	}
	if (ok && !kept && !q->allow_empty) {
		ok = draft_err(l, q->place, "all %zu files that this matches are excluded", found.len);
		if (l->err)
			err_note(l->err, "if that is right, add :allow-empty true");
	}
	if (ok) {
		struct value *items = arena_new_n(a, struct value, kept);
		for (size_t i = 0; i < kept; i++)
			items[i] = value_at(value_string(found.ptr[i]), q->place);
		*ret = value_at(value_list(items, (uint32_t)kept), q->place);
	}
	vec_release(&found);
	vec_release(&patterns);
	vec_release(&exclude);
	return ok;
}
