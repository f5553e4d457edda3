#include "front/lock.h"

#include "lang/clj.h"
#include "os/fs.h"

void lock_release(struct lock *l)
{
	vec_release(&l->jars);
	vec_release(&l->gits);
	arena_release(&l->arena);
	*l = (struct lock){0};
}

static int compare(const void *a, const void *b)
{
	const struct lock_jar *x = a, *y = b;
	int c = str_cmp(x->group, y->group);
	c = c ? c : str_cmp(x->artifact, y->artifact);
	return c ? c : str_cmp(x->classifier, y->classifier);
}

static int compare_gits(const void *a, const void *b)
{
	return str_cmp(((const struct lock_git *)a)->lib, ((const struct lock_git *)b)->lib);
}

void lock_sort(struct lock *l)
{
	if (l->gits.len)
		qsort(l->gits.ptr, l->gits.len, sizeof(*l->gits.ptr), compare_gits);
	if (l->jars.len)
		qsort(l->jars.ptr, l->jars.len, sizeof(*l->jars.ptr), compare);
}

void lock_print(const struct lock *l, struct buf *out)
{
	char hex[DIGEST_HEX + 1];
	digest_hex(&l->from_sha256, hex);
	buf_addz(out,
	         ";; The libraries of this project, by coordinates and SHA-256. `tenon import` wrote it and keeps to\n"
	         ";; it; remove it to have versions chosen anew. Keep it under version control.\n");
	buf_addz(out, "{:version 1\n :from ");
	clj_print_string(l->from, out);
	buf_addf(out, "\n :from-sha256 \"%s\"", hex);
	if (l->left_out.len) {
		buf_addz(out, "\n :left-out ");
		clj_print_string(l->left_out, out);
	}
	for (size_t i = 0; i < l->gits.len; i++) {
		const struct lock_git *g = &l->gits.ptr[i];
		buf_addf(out, "%s{:lib %.*s :git/url ", i ? "\n  " : "\n :git\n [", STR_ARG(g->lib));
		clj_print_string(g->url, out);
		if (g->tag.len) {
			buf_addz(out, " :git/tag ");
			clj_print_string(g->tag, out);
		}
		buf_addf(out, " :git/sha \"%.*s\"}%s", STR_ARG(g->sha), i + 1 == l->gits.len ? "]" : "");
	}
	buf_addz(out, "\n :jars\n [");
	for (size_t i = 0; i < l->jars.len; i++) {
		const struct lock_jar *j = &l->jars.ptr[i];
		digest_hex(&j->sha256, hex);
		buf_addf(out, "%s{:lib %.*s/%.*s", i ? "\n  " : "", STR_ARG(j->group), STR_ARG(j->artifact));
		if (j->classifier.len)
			buf_addf(out, "$%.*s", STR_ARG(j->classifier));
		buf_addz(out, " :mvn/version ");
		clj_print_string(j->version, out);
		buf_addf(out, " :scope %s :size %ju :sha256 \"%s\"}", j->scope == DEPS_TEST ? ":test" : ":main",
		         (uintmax_t)j->size, hex);
	}
	buf_addz(out, "]}\n");
}

struct reading {
	struct lock *l;
	struct str path, text;
	struct err *err;
};

static bool fail(const struct reading *r, const struct clj *at, const char *what)
{
	clj_err(at, r->path, r->text, r->err, "%s", what);
	err_note(r->err, "`tenon import` writes this file; remove it to have versions chosen anew");
	return false;
}

static bool read_jar(const struct reading *r, const struct clj *c)
{
	struct lock_jar j = {0};
	const struct clj *lib = clj_get(c, 0, "lib"), *size = clj_get(c, 0, "size"), *scope = clj_get(c, 0, "scope");
	if (c->kind != CLJ_MAP || !lib || lib->kind != CLJ_SYMBOL || str_find(lib->text, '/') == lib->text.len)
		return fail(r, c, "not a library: {:lib group/artifact ...}");
	size_t slash = str_find(lib->text, '/'), dollar = str_find(lib->text, '$');
	j.group = str_slice(lib->text, 0, slash);
	j.artifact = str_slice(lib->text, slash + 1, dollar);
	j.classifier = str_drop(lib->text, MIN(dollar + 1, lib->text.len));
	j.version = clj_text(clj_get(c, 0, "mvn/version"));
	j.scope = clj_is_keyword(scope, "test") ? DEPS_TEST : DEPS_MAIN;
	if (!j.version.len)
		return fail(r, c, "this library has no :mvn/version");
	if (!digest_parse(clj_text(clj_get(c, 0, "sha256")), &j.sha256))
		return fail(r, c, "this library has no :sha256 of 64 hexadecimal digits");
	if (size && (size->kind != CLJ_NUMBER || !str_to_u64(size->text, &j.size)))
		return fail(r, size, "a size must be a number of bytes");
	vec_push(&r->l->jars, j);
	return true;
}

static bool read_git(const struct reading *r, const struct clj *c)
{
	struct lock_git g = {.lib = clj_text(clj_get(c, 0, "lib")),
	                     .url = clj_text(clj_get(c, 0, "git/url")),
	                     .tag = clj_text(clj_get(c, 0, "git/tag")),
	                     .sha = clj_text(clj_get(c, 0, "git/sha"))};
	if (c->kind != CLJ_MAP || !g.lib.len || !g.url.len || g.sha.len != 40)
		return fail(r, c, "not a library of a Git repository: {:lib x/y :git/url \"...\" :git/sha \"...\"}");
	vec_push(&r->l->gits, g);
	return true;
}

bool lock_read_text(struct lock *l, struct str path, struct str text, struct err *err)
{
	struct reading r = {.l = l, .path = path, .text = str_dup(&l->arena, text), .err = err};
	struct clj *list;
	if (!clj_read_all(&l->arena, path, r.text, CLJ_EDN, NULL, 0, &list, err))
		return false;
	const struct clj *map = list->len ? list->items[0] : list;
	const struct clj *version = clj_get(map, 0, "version"), *jars = clj_get(map, 0, "jars");
	const struct clj *gits = clj_get(map, 0, "git");
	if (map->kind != CLJ_MAP || !version || version->kind != CLJ_NUMBER)
		return fail(&r, map, "not a lock of dependencies");
	if (!str_eqc(version->text, "1"))
		return fail(&r, version, "a lock of another version of tenon");
	l->from = clj_text(clj_get(map, 0, "from"));
	l->left_out = clj_text(clj_get(map, 0, "left-out"));
	if (!digest_parse(clj_text(clj_get(map, 0, "from-sha256")), &l->from_sha256) || !jars ||
	    jars->kind != CLJ_VECTOR)
		return fail(&r, map, "this lock has no :from-sha256, or no :jars");
	for (uint32_t i = 0; gits && gits->kind == CLJ_VECTOR && i < gits->len; i++)
		if (!read_git(&r, gits->items[i]))
			return false;
	for (uint32_t i = 0; i < jars->len; i++)
		if (!read_jar(&r, jars->items[i]))
			return false;
	lock_sort(l);
	return true;
}

bool lock_read(struct lock *l, const char *path, bool *ret_exists, struct err *err)
{
	struct file_sig sig;
	struct buf text = {0};
	*ret_exists = false;
	if (!fs_stat(path, &sig, err))
		return false;
	if (!sig.mode)
		return true;
	*ret_exists = true;
	bool ok = fs_read(path, &text, err) && lock_read_text(l, str_from(path), buf_str(&text), err);
	buf_release(&text);
	return ok;
}

static bool differ(const struct lock_jar *j, const char *what, struct err *err)
{
	err_set(err, ERR_USER, "library %.*s/%.*s %.*s %s", STR_ARG(j->group), STR_ARG(j->artifact),
	        STR_ARG(j->version), what);
	return false;
}

bool lock_verify(const struct lock *wanted, const struct lock *found, struct err *err)
{
	size_t k = 0;
	for (size_t i = 0; i < wanted->jars.len; i++, k++) {
		const struct lock_jar *w = &wanted->jars.ptr[i];
		const struct lock_jar *f = k < found->jars.len ? &found->jars.ptr[k] : NULL;
		if (!f || compare(w, f) < 0)
			return differ(w, "is in deps.lock but was not found", err);
		if (compare(w, f) > 0)
			return differ(f, "was found but is not in deps.lock", err);
		if (!str_eq(w->version, f->version))
			return differ(w, "is in deps.lock, but another version was found", err);
		if (!digest_eq(&w->sha256, &f->sha256)) {
			char want[DIGEST_HEX + 1], have[DIGEST_HEX + 1];
			digest_hex(&w->sha256, want);
			digest_hex(&f->sha256, have);
			differ(w, "has another content than deps.lock says", err);
			err_note(err, "SHA-256 of %.*s is %s, deps.lock says %s", STR_ARG(f->path), have, want);
			err_note(err, "remove that file if it is damaged; remove deps.lock only if you trust it");
			return false;
		}
	}
	return k == found->jars.len || differ(&found->jars.ptr[k], "was found but is not in deps.lock", err);
}
