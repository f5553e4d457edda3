/* What one Clojure source says of itself: the `ns` form, and the top-level forms that load. */
#include <stdarg.h>
#include <string.h>

#include "front/clojure.h"
#include "lang/clj.h"
#include "os/fs.h"

struct scan {
	struct arena *arena, *scratch; /* of what is kept; of the nodes */
	struct str path, text;
	struct clojure_file *file;
	struct err *err;
	bool outside; /* of the ns form */
	/* lines are counted forward from here */
	size_t at, line_start;
	uint32_t line;
};

static const struct str jvm_features[] = {STR("clj")};

struct str clojure_munge(struct arena *a, struct str ns)
{
	struct str s = str_dup(a, ns);
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] == '-')
			((char *)(uintptr_t)s.ptr)[i] = '_';
	return s;
}

struct str clojure_ns_path(struct arena *a, struct str ns)
{
	struct str s = clojure_munge(a, ns);
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] == '.')
			((char *)(uintptr_t)s.ptr)[i] = '/';
	return s;
}

void clojure_file_release(struct clojure_file *f)
{
	vec_release(&f->needs);
	vec_release(&f->imports);
	vec_release(&f->makes);
	vec_release(&f->gen_classes);
	vec_release(&f->loads);
	vec_release(&f->tags);
	vec_release(&f->notes);
}

/* Offsets come in rising order, nearly: forms are read from the start to the end of the file. */
static void place(struct scan *s, uint32_t offset, uint32_t *ret_line, uint32_t *ret_col)
{
	const char *p = s->text.ptr, *eol;
	if (offset < s->at) {
		clj_place(s->text, offset, ret_line, ret_col, NULL);
		return;
	}
	while (s->at < offset && (eol = memchr(p + s->at, '\n', offset - s->at))) {
		s->line++;
		s->at = s->line_start = (size_t)(eol - p) + 1;
	}
	s->at = offset;
	*ret_line = s->line;
	*ret_col = (uint32_t)str_characters(str_slice(s->text, s->line_start, offset)) + 1;
}

static void note(struct scan *s, const struct clj *at, const char *fmt, ...) PRINTF_LIKE(3, 4);
static void note(struct scan *s, const struct clj *at, const char *fmt, ...)
{
	struct buf b = {0};
	uint32_t line, col;
	va_list ap;
	place(s, at->offset, &line, &col);
	buf_addf(&b, "%u:%u: ", line, col);
	va_start(ap, fmt);
	buf_addv(&b, fmt, ap);
	va_end(ap);
	vec_push(&s->file->notes, str_dup(s->arena, buf_str(&b)));
	buf_release(&b);
}

static bool fail(struct scan *s, const struct clj *at, const char *what)
{
	clj_err(at, s->path, s->text, s->err, "%s", what);
	err_note(s->err, "tenon reads `ns` forms without running them: write the names out");
	return false;
}

static void add_class(struct scan *s, ClojureClassVec *v, const struct clj *at, struct str package, struct str name)
{
	struct clojure_class c = {0};
	c.name =
	        package.len ? str_fmt(s->arena, "%.*s.%.*s", STR_ARG(package), STR_ARG(name)) : str_dup(s->arena, name);
	place(s, at->offset, &c.line, &c.col);
	vec_push(v, c);
}

static void add_need(struct scan *s, const struct clj *lib, struct str prefix, enum clojure_need_kind kind,
                     bool optional)
{
	struct clojure_need n = {.kind = kind, .optional = optional, .outside = s->outside, .target = NO_NAMESPACE};
	n.name = prefix.len ? str_fmt(s->arena, "%.*s.%.*s", STR_ARG(prefix), STR_ARG(lib->text))
	                    : str_dup(s->arena, lib->text);
	place(s, lib->offset, &n.line, &n.col);
	vec_push(&s->file->needs, n);
}

/* [lib :as-alias x] makes a name and loads nothing, unless another option needs what is in it. */
static bool only_alias(const struct clj *spec)
{
	return clj_get(spec, 1, "as-alias") && !clj_get(spec, 1, "as") && !clj_get(spec, 1, "refer") &&
	       !clj_get(spec, 1, "use");
}

/* [lib], [lib :option value ...]; anything else that begins with a symbol is a prefix with libs behind it. */
static bool is_libspec(const struct clj *c)
{
	return c->kind == CLJ_VECTOR && (c->len == 1 || c->items[1]->kind == CLJ_KEYWORD);
}

static bool add_lib(struct scan *s, const struct clj *spec, struct str prefix, enum clojure_need_kind kind,
                    bool optional)
{
	if (spec->kind == CLJ_SYMBOL) {
		add_need(s, spec, prefix, kind, optional);
		return true;
	}
	/* (lib :as x) is written by mistake often enough; Clojure takes it for a prefix without libs and loads nothing,
	 * other tools take it as meant. */
	if (!clj_is_sequence(spec) || !spec->len || spec->items[0]->kind != CLJ_SYMBOL)
		return fail(s, spec, "not a namespace that can be read statically");
	if (!only_alias(spec))
		add_need(s, spec->items[0], prefix, kind, optional);
	return true;
}

static bool add_libs(struct scan *s, const struct clj *spec, enum clojure_need_kind kind, bool optional)
{
	bool prefix_list = clj_is_sequence(spec) && spec->len > 1 && spec->items[0]->kind == CLJ_SYMBOL &&
	                   spec->items[1]->kind != CLJ_KEYWORD && !is_libspec(spec);
	if (spec->kind == CLJ_KEYWORD)
		return true; /* :reload, :verbose */
	if (!prefix_list)
		return add_lib(s, spec, (struct str){0}, kind, optional);
	for (uint32_t i = 1; i < spec->len; i++)
		if (!add_lib(s, spec->items[i], spec->items[0]->text, kind, optional))
			return false;
	return true;
}

static bool add_import(struct scan *s, const struct clj *spec)
{
	if (spec->kind == CLJ_SYMBOL) {
		add_class(s, &s->file->imports, spec, (struct str){0}, spec->text);
		return true;
	}
	if (!clj_is_sequence(spec) || (spec->len && spec->items[0]->kind != CLJ_SYMBOL))
		return fail(s, spec, "not a class that can be read statically");
	for (uint32_t i = 1; i < spec->len; i++) {
		const struct clj *name = clj_unquoted(spec->items[i]);
		if (name->kind != CLJ_SYMBOL)
			return fail(s, name, "not a class that can be read statically");
		add_class(s, &s->file->imports, name, spec->items[0]->text, name->text);
	}
	return true;
}

/* A path without a slash at its start is below the folder of the namespace's own file. */
static void add_load(struct scan *s, struct str path)
{
	struct str ns_path = clojure_ns_path(s->scratch, s->file->ns), load;
	size_t slash = str_rfind(ns_path, '/');
	struct str dir = slash < ns_path.len ? str_slice(ns_path, 0, slash) : (struct str){0};
	if (str_has_prefix(path, STR("/")))
		load = str_dup(s->arena, str_drop(path, 1));
	else
		load = str_fmt(s->arena, "%.*s%s%.*s", STR_ARG(dir), dir.len ? "/" : "", STR_ARG(path));
	vec_push(&s->file->loads, load);
}

static void add_loads(struct scan *s, const struct clj *form)
{
	for (uint32_t i = 1; i < form->len; i++) {
		if (form->items[i]->kind == CLJ_STRING)
			add_load(s, form->items[i]->text);
		else
			note(s, form->items[i], "what this loads is computed");
	}
}

/* From item 1 on, a plist. */
static void add_gen_class(struct scan *s, const struct clj *form)
{
	const struct clj *name = clj_unquoted(clj_get(form, 1, "name"));
	if (clj_text(name).len)
		add_class(s, &s->file->gen_classes, form, (struct str){0}, clj_text(name));
	else
		add_class(s, &s->file->gen_classes, form, (struct str){0}, clojure_munge(s->scratch, s->file->ns));
}

static bool ns_clause(struct scan *s, const struct clj *clause)
{
	if (!clj_is_sequence(clause) || !clause->len)
		return fail(s, clause, "a clause of `ns` must be a list such as (:require ...)");
	const struct clj *head = clause->items[0];
	struct str name = clj_text(head);
	bool use = str_eqc(name, "use"), import = str_eqc(name, "import");
	if (str_eqc(name, "gen-class")) {
		add_gen_class(s, clause);
	} else if (str_eqc(name, "load")) {
		add_loads(s, clause);
	} else if (use || import || str_eqc(name, "require")) {
		for (uint32_t i = 1; i < clause->len; i++)
			if (!(import ? add_import(s, clause->items[i])
			             : add_libs(s, clause->items[i], use ? CLOJURE_USE : CLOJURE_REQUIRE, false)))
				return false;
	}
	return true; /* :refer-clojure; :require-macros and :use-macros, which are ClojureScript's */
}

static bool ns_form(struct scan *s, const struct clj *form)
{
	const struct clj *name = form->len > 1 ? form->items[1] : form;
	uint32_t at = 2;
	if (name->kind != CLJ_SYMBOL)
		return fail(s, name, "the name of this namespace can't be read statically");
	if (s->file->ns.len) {
		note(s, form, "a second `ns` form in one file; what it needs counts for the first");
	} else {
		s->file->ns = str_dup(s->arena, name->text);
		place(s, name->offset, &s->file->line, &s->file->col);
	}
	if (at < form->len && form->items[at]->kind == CLJ_STRING)
		at++;
	if (at < form->len && form->items[at]->kind == CLJ_MAP)
		at++;
	for (; at < form->len; at++)
		if (!ns_clause(s, form->items[at]))
			return false;
	return true;
}

static bool is_computed(const struct clj *c)
{
	return c->kind != CLJ_QUOTE && c->kind != CLJ_KEYWORD &&
	       !(c->kind == CLJ_LIST && c->len == 2 && clj_is_symbol(c->items[0], "quote"));
}

/* The quoted part of [(quote a.b) :as c] is what names the namespace; that is computed, but plain to see. */
static const struct clj *required(struct scan *s, const struct clj *arg)
{
	if (!is_computed(arg))
		return clj_unquoted(arg);
	note(s, arg, "which namespace this loads is computed: it is not known to the build");
	return NULL;
}

static bool call_require(struct scan *s, const struct clj *form, enum clojure_need_kind kind, bool optional)
{
	for (uint32_t i = 1; i < form->len; i++) {
		const struct clj *spec = required(s, form->items[i]);
		if (spec && !add_libs(s, spec, kind, optional))
			return false;
	}
	return true;
}

static bool call_import(struct scan *s, const struct clj *form)
{
	for (uint32_t i = 1; i < form->len; i++) {
		const struct clj *spec = clj_unquoted(form->items[i]);
		if ((spec->kind == CLJ_SYMBOL || clj_is_sequence(spec)) && !add_import(s, spec))
			return false;
	}
	return true;
}

enum head {
	HEAD_OTHER,
	HEAD_NS,
	HEAD_IN_NS,
	HEAD_REQUIRE,
	HEAD_USE,
	HEAD_IMPORT,
	HEAD_LOAD,
	HEAD_GEN_CLASS,
	HEAD_TYPE,
	HEAD_DO,
	HEAD_CONDITION, /* what is below may or may not be carried out */
	HEAD_READ,      /* a reader conditional */
};

static enum head head_kind(struct str head)
{
	static const struct {
		struct str name;
		enum head kind;
	} table[] = {
	        {STR("ns"), HEAD_NS},
	        {STR("in-ns"), HEAD_IN_NS},
	        {STR("require"), HEAD_REQUIRE},
	        {STR("use"), HEAD_USE},
	        {STR("import"), HEAD_IMPORT},
	        {STR("load"), HEAD_LOAD},
	        {STR("gen-class"), HEAD_GEN_CLASS},
	        {STR("deftype"), HEAD_TYPE},
	        {STR("defrecord"), HEAD_TYPE},
	        {STR("defprotocol"), HEAD_TYPE},
	        {STR("definterface"), HEAD_TYPE},
	        {STR("do"), HEAD_DO},
	        {STR("when"), HEAD_CONDITION},
	        {STR("when-not"), HEAD_CONDITION},
	        {STR("if"), HEAD_CONDITION},
	        {STR("if-not"), HEAD_CONDITION},
	        {STR("let"), HEAD_CONDITION},
	        {STR("cond"), HEAD_CONDITION},
	        {STR("try"), HEAD_CONDITION},
	        {STR("catch"), HEAD_CONDITION},
	        {STR("finally"), HEAD_CONDITION},
	        {STR("#?"), HEAD_READ},
	};
	if (str_has_prefix(head, STR("clojure.core/")))
		head = str_drop(head, sizeof("clojure.core/") - 1);
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (str_eq(head, table[i].name))
			return table[i].kind;
	return HEAD_OTHER;
}

struct pending {
	const struct clj *form;
	bool optional;
};
typedef Vec(struct pending) PendingVec;

static void begin_part(struct scan *s, const struct clj *form)
{
	const struct clj *name = form->len > 1 ? clj_unquoted(form->items[1]) : NULL;
	if (s->file->ns.len || !name || name->kind != CLJ_SYMBOL)
		return;
	s->file->ns = str_dup(s->arena, name->text);
	s->file->part = true;
	place(s, name->offset, &s->file->line, &s->file->col);
}

static bool one_form(struct scan *s, struct pending p, PendingVec *stack)
{
	const struct clj *form = p.form;
	if (form->kind != CLJ_LIST || !form->len || form->items[0]->kind != CLJ_SYMBOL)
		return true;
	enum head kind = head_kind(form->items[0]->text);
	s->outside = kind != HEAD_NS;
	switch (kind) {
	case HEAD_NS:
		return ns_form(s, form);
	case HEAD_IN_NS:
		begin_part(s, form);
		return true;
	case HEAD_REQUIRE:
	case HEAD_USE:
		return call_require(s, form, kind == HEAD_USE ? CLOJURE_USE : CLOJURE_REQUIRE, p.optional);
	case HEAD_IMPORT:
		return call_import(s, form);
	case HEAD_LOAD:
		add_loads(s, form);
		return true;
	case HEAD_GEN_CLASS:
		add_gen_class(s, form);
		return true;
	case HEAD_TYPE:
		if (form->len > 1 && form->items[1]->kind == CLJ_SYMBOL)
			add_class(s, &s->file->makes, form, clojure_munge(s->scratch, s->file->ns),
			          clojure_munge(s->scratch, form->items[1]->text));
		return true;
	case HEAD_DO:
	case HEAD_CONDITION:
		for (uint32_t i = form->len; i > 1; i--)
			vec_push(stack, (struct pending){form->items[i - 1], p.optional || kind == HEAD_CONDITION});
		return true;
	default:
		return true;
	}
}

static bool top_form(struct scan *s, const struct clj *form)
{
	PendingVec stack = {0};
	bool ok = true;
	vec_push(&stack, (struct pending){.form = form});
	while (ok && stack.len) {
		struct pending p = vec_pop(&stack);
		ok = one_form(s, p, &stack);
	}
	vec_release(&stack);
	return ok;
}

static bool all_forms(struct scan *s, struct clj_reader *r)
{
	struct str head;
	for (;;) {
		struct clj *form;
		if (!clj_peek(r, &head, s->err))
			return false;
		if (r->ended)
			return true;
		if (head_kind(head) == HEAD_OTHER) {
			if (!clj_skip(r, s->err))
				return false;
			continue;
		}
		if (!clj_read(r, &form, s->err) || (form && !top_form(s, form)))
			return false;
	}
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == ',';
}

/* Is there a call of `require` or its like but for those that stand at the left margin with quoted names, which
 * call_require reads? Comments count as well: what is found here makes something coarser, never wrong. */
static bool loads_computed(struct str text)
{
	static const struct str word = STR("require"), resolve = STR("requiring-resolve");
	for (struct str rest = text;;) {
		size_t at = str_search(rest, STR("requir"));
		if (at == rest.len)
			return false;
		const char *p = rest.ptr + at;
		struct str from = str_drop(rest, at);
		bool begins = p == text.ptr || is_space(p[-1]) || strchr("('/`~", p[-1]);
		rest = str_drop(from, word.len - 1);
		if (!begins)
			continue;
		if (str_has_prefix(from, resolve))
			return true;
		struct str behind = str_drop(from, word.len);
		if (!str_has_prefix(from, word) || (behind.len && !is_space(*behind.ptr) && *behind.ptr != ')'))
			continue;
		bool margin = p - text.ptr >= 1 && p[-1] == '(' && (p - 1 == text.ptr || p[-2] == '\n');
		while (behind.len && is_space(*behind.ptr))
			behind = str_drop(behind, 1);
		if (!margin || !behind.len || *behind.ptr != '\'')
			return true;
	}
}

bool clojure_read_file(struct arena *a, struct str path, struct str rel, struct str text, struct clojure_file *ret,
                       struct err *err)
{
	struct arena scratch = {0};
	struct scan s = {
	        .arena = a, .scratch = &scratch, .path = path, .text = text, .file = ret, .err = err, .line = 1};
	struct clj_reader r;
	if (text.len >= UINT32_MAX)
		return err_set(err, ERR_USER, "%.*s: larger than 4 GiB", STR_ARG(path));
	*ret = (struct clojure_file){.path = str_dup(a, path), .rel = str_dup(a, rel), .size = text.len};
	ret->loads_computed = loads_computed(text);
	if (str_has_prefix(text, STR("\xef\xbb\xbf")))
		s.at = s.line_start = 3;
	clj_open(&r, &scratch, path, text, str_eqc(path_ext(rel), "cljc") ? CLJ_COND : 0, jvm_features,
	         ARRAY_LEN(jvm_features));
	bool ok = all_forms(&s, &r);
	for (size_t i = 0; ok && i < r.tags.len; i++)
		vec_push(&ret->tags, str_dup(a, r.tags.ptr[i]));
	clj_close(&r);
	arena_release(&scratch);
	if (!ok)
		clojure_file_release(ret);
	return ok;
}
