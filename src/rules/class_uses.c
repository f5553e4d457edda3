#include "rules/class_uses.h"

#include "os/fs.h"
#include "wire/classfile.h"
#include "wire/zip.h"

#define CLASS STR(".class")

void class_munge(struct str name, struct buf *out)
{
	/* clojure.lang.Compiler's CHAR_MAP. */
	static const struct {
		char c;
		const char *text;
	} table[] = {
	        {'-', "_"},         {':', "_COLON_"},  {'+', "_PLUS_"},         {'>', "_GT_"},
	        {'<', "_LT_"},      {'=', "_EQ_"},     {'~', "_TILDE_"},        {'!', "_BANG_"},
	        {'@', "_CIRCA_"},   {'#', "_SHARP_"},  {'\'', "_SINGLEQUOTE_"}, {'"', "_DOUBLEQUOTE_"},
	        {'%', "_PERCENT_"}, {'^', "_CARET_"},  {'&', "_AMPERSAND_"},    {'*', "_STAR_"},
	        {'|', "_BAR_"},     {'{', "_LBRACE_"}, {'}', "_RBRACE_"},       {'[', "_LBRACK_"},
	        {']', "_RBRACK_"},  {'/', "_SLASH_"},  {'\\', "_BSLASH_"},      {'?', "_QMARK_"},
	};
	for (size_t i = 0; i < name.len; i++) {
		size_t k = 0;
		while (k < ARRAY_LEN(table) && table[k].c != name.ptr[i])
			k++;
		if (k < ARRAY_LEN(table))
			buf_addz(out, table[k].text);
		else
			buf_addc(out, name.ptr[i]);
	}
}

static struct str with_slashes(struct arena *a, struct str s)
{
	char *copy = str_dupz(a, s);
	for (char *c = copy; *c; c++)
		*c = *c == '.' ? '/' : *c;
	return str_n(copy, s.len);
}

void class_scope_namespace(struct class_scope *s, struct str name)
{
	struct buf munged = {0};
	class_munge(name, &munged);
	map_put(&s->namespaces, str_dup(s->arena, name), 0);
	map_put(&s->munged, with_slashes(s->arena, buf_str(&munged)), 0);
	buf_release(&munged);
}

void class_scope_class(struct class_scope *s, struct str name)
{
	map_put(&s->classes, str_dup(s->arena, name), 0);
}

void class_scope_package(struct class_scope *s, struct str name)
{
	map_put(&s->packages, str_dup(s->arena, name), 0);
}

void class_scope_archive(struct class_scope *s, const struct zip *z)
{
	for (size_t i = 0; i < z->entries.len; i++) {
		struct str name = z->entries.ptr[i].name;
		if (!str_has_suffix(name, CLASS))
			continue;
		name.len -= CLASS.len;
		if (str_has_prefix(name, STR("META-INF/versions/"))) {
			name = str_drop(name, STR("META-INF/versions/").len);
			name = str_drop(name, MIN(name.len, str_find(name, '/') + 1));
		}
		class_scope_class(s, name);
	}
}

void class_scope_release(struct class_scope *s)
{
	map_release(&s->namespaces);
	map_release(&s->munged);
	map_release(&s->classes);
	map_release(&s->packages);
}

static bool allows_class(const struct class_scope *s, const struct map *own, struct str name)
{
	struct str package = str_slice(name, 0, MIN(str_rfind(name, '/'), name.len));
	if (str_has_prefix(name, STR("java/")) || map_has(own, name) || map_has(&s->classes, name) ||
	    map_has(&s->packages, package))
		return true;
	size_t dollar = str_find(name, '$');
	struct str outer = str_slice(name, 0, dollar);
	if (str_has_suffix(outer, STR("__init")))
		outer.len -= 6;
	if (dollar < name.len || outer.len < name.len)
		return map_has(&s->munged, outer);
	return map_has(&s->munged, package);
}

struct check {
	struct class_scope *scope;
	const char *dir;
	struct map own;  /* the folder's classes */
	struct map seen; /* owner and name: index into uses */
	ClassUses *uses;
};

static void add_use(struct check *k, const struct classfile *c, struct class_use use)
{
	struct arena *a = k->scope->arena;
	struct str name = use.kind == CLASS_USE_VAR ? use.name : (struct str){0};
	struct str key = str_fmt(a, "%d %.*s %.*s", (int)use.kind, STR_ARG(use.owner), STR_ARG(name));
	uint64_t at;
	bool is_new = map_add(&k->seen, key, k->uses->len, &at);
	if (!is_new && (k->uses->ptr[at].line || !use.line))
		return;
	use.owner = str_dup(a, use.owner);
	use.name = str_dup(a, use.name);
	use.by = str_dup(a, c->name);
	use.source = str_dup(a, c->source);
	if (is_new)
		vec_push(k->uses, use);
	else
		k->uses->ptr[at] = use;
}

static bool is_lookup(const struct class_call *call)
{
	return (str_eqc(call->owner, "java/lang/Class") && str_eqc(call->name, "forName")) ||
	       (str_eqc(call->owner, "clojure/lang/RT") && str_has_prefix(call->name, STR("classForName")));
}

static void check_class(struct check *k, const struct classfile *c)
{
	struct class_scope *s = k->scope;
	for (size_t i = 0; i < c->refs.len; i++) {
		const struct class_ref *r = &c->refs.ptr[i];
		if (!allows_class(s, &k->own, r->owner))
			add_use(k, c, (struct class_use){CLASS_USE_CLASS, r->owner, r->member, .line = r->line});
	}
	for (size_t i = 0; i < c->calls.len; i++) {
		const struct class_call *call = &c->calls.ptr[i];
		if (call->nargs == 2 && str_eqc(call->owner, "clojure/lang/RT") && str_eqc(call->name, "var")) {
			if (!map_has(&s->namespaces, call->args[0]))
				add_use(k, c,
				        (struct class_use){CLASS_USE_VAR, call->args[0], call->args[1],
				                           .line = call->line});
		} else if (is_lookup(call)) {
			struct str name = with_slashes(s->arena, call->args[call->nargs - 1]);
			/* An array's class: its element's descriptor. */
			while (name.len && *name.ptr == '[')
				name = str_drop(name, 1);
			if (name.len > 1 && name.ptr[name.len - 1] == ';')
				name = str_slice(name, 1, name.len - 1);
			if (name.len > 1 && !allows_class(s, &k->own, name))
				add_use(k, c, (struct class_use){CLASS_USE_CLASS, name, .line = call->line});
		}
	}
}

static bool add_own(void *ctx, const char *rel, const struct file_sig *sig, struct err *err)
{
	struct check *k = ctx;
	struct str name = str_from(rel);
	(void)sig;
	(void)err;
	if (str_has_suffix(name, CLASS))
		map_put(&k->own, str_dup(k->scope->arena, str_slice(name, 0, name.len - CLASS.len)), 0);
	return true;
}

static bool check_file(struct check *k, struct str name, struct err *err)
{
	struct arena scratch = {0};
	struct buf bytes = {0};
	struct classfile c = {0};
	const char *path = path_join(&scratch, k->dir, str_fmt(&scratch, "%.*s.class", STR_ARG(name)).ptr);
	bool ok = fs_read(path, &bytes, err) && classfile_parse(str_from(path), buf_str(&bytes), &c, err);
	if (ok)
		check_class(k, &c);
	classfile_release(&c);
	buf_release(&bytes);
	arena_release(&scratch);
	return ok;
}

bool class_uses_check(struct class_scope *s, const char *dir, ClassUses *ret, struct err *err)
{
	struct check k = {.scope = s, .dir = dir, .uses = ret};
	bool ok = fs_walk(dir, add_own, &k, err);
	for (size_t i = 0; ok && i < k.own.entries.len; i++)
		ok = check_file(&k, k.own.entries.ptr[i].key, err);
	map_release(&k.own);
	map_release(&k.seen);
	return ok;
}
