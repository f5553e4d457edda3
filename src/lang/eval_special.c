/* Special forms: their arguments are evaluated when the form wants them. */
#include "lang/eval_impl.h"

static special_form special_and, special_cond, special_def, special_fn, special_for, special_if, special_let,
        special_or, special_select, special_when;

/* In order of name. */
static const struct special specials[] = {
        {"and", special_and},     {"cond", special_cond}, {"def", special_def}, {"defn", special_def},
        {"defrule", special_def}, {"fn", special_fn},     {"for", special_for}, {"if", special_if},
        {"let", special_let},     {"load", special_def},  {"or", special_or},   {"select", special_select},
        {"when", special_when},
};

const struct special *eval_find_special(struct str name)
{
	for (size_t i = 0; name.len <= 7 && i < ARRAY_LEN(specials); i++)
		if (specials[i].name[0] == name.ptr[0] && str_eqc(name, specials[i].name))
			return &specials[i];
	return NULL;
}

const char *const *eval_special_names(void)
{
	static const char *const names[] = {"and", "cond", "def",  "defn", "defrule", "fn",   "for",
	                                    "if",  "let",  "load", "or",   "select",  "when", NULL};
	return names;
}

bool eval_wants_form(struct eval *ev, const struct sexp *s, const char *shape)
{
	return eval_fail(ev, eval_place(ev, s), "expected %s", shape);
}

bool eval_body(struct eval *ev, const struct scope *scope, struct sexp *const *forms, uint32_t n, struct place p,
               struct value *ret)
{
	*ret = value_at(value_nil(), p);
	for (uint32_t i = 0; i < n; i++)
		if (!eval_form(ev, scope, forms[i], ret))
			return false;
	return true;
}

static bool special_if(struct eval *ev, const struct scope *scope, const struct sexp *s, struct value *ret)
{
	struct value test;
	if (s->len != 3 && s->len != 4)
		return eval_wants_form(ev, s, "(if test then else)");
	if (!eval_form(ev, scope, s->items[1], &test))
		return false;
	if (value_truthy(test))
		return eval_form(ev, scope, s->items[2], ret);
	return eval_body(ev, scope, s->items + 3, s->len - 3, eval_place(ev, s), ret);
}

static bool special_when(struct eval *ev, const struct scope *scope, const struct sexp *s, struct value *ret)
{
	struct value test;
	if (s->len < 3)
		return eval_wants_form(ev, s, "(when test form ...)");
	if (!eval_form(ev, scope, s->items[1], &test))
		return false;
	return eval_body(ev, scope, s->items + 2, value_truthy(test) ? s->len - 2 : 0, eval_place(ev, s), ret);
}

static bool special_cond(struct eval *ev, const struct scope *scope, const struct sexp *s, struct value *ret)
{
	if (s->len % 2 == 0)
		return eval_wants_form(ev, s, "(cond test value ... :else value)");
	for (uint32_t i = 1; i < s->len; i += 2) {
		struct value test;
		if (!eval_form(ev, scope, s->items[i], &test))
			return false;
		if (value_truthy(test))
			return eval_form(ev, scope, s->items[i + 1], ret);
	}
	*ret = value_at(value_nil(), eval_place(ev, s));
	return true;
}

static bool junction(struct eval *ev, const struct scope *scope, const struct sexp *s, bool stop, struct value *ret)
{
	*ret = value_at(stop ? value_nil() : value_bool(true), eval_place(ev, s));
	for (uint32_t i = 1; i < s->len; i++) {
		if (!eval_form(ev, scope, s->items[i], ret))
			return false;
		if (value_truthy(*ret) == stop)
			break;
	}
	return true;
}

static bool special_and(struct eval *ev, const struct scope *scope, const struct sexp *s, struct value *ret)
{
	return junction(ev, scope, s, false, ret);
}

static bool special_or(struct eval *ev, const struct scope *scope, const struct sexp *s, struct value *ret)
{
	return junction(ev, scope, s, true, ret);
}

static bool special_let(struct eval *ev, const struct scope *scope, const struct sexp *s, struct value *ret)
{
	if (s->len < 3 || s->items[1]->kind != SEXP_VECTOR || s->items[1]->len % 2)
		return eval_wants_form(ev, s, "(let [name value ...] form ...)");
	const struct sexp *names = s->items[1];
	for (uint32_t i = 0; i < names->len; i += 2) {
		struct value v;
		if (!eval_form(ev, scope, names->items[i + 1], &v) || !eval_bind(ev, &scope, names->items[i], v))
			return false;
	}
	return eval_body(ev, scope, s->items + 2, s->len - 2, eval_place(ev, s), ret);
}

bool eval_make_function(struct eval *ev, const struct scope *scope, struct str name, const struct sexp *s,
                        uint32_t params, struct value *ret)
{
	struct function *f = arena_new(ev->arena, struct function);
	*f = (struct function){.name = name,
	                       .params = s->items[params],
	                       .body = s->items + params + 1,
	                       .nbody = s->len - params - 1,
	                       .scope = scope,
	                       .module = ev->module,
	                       .file = ev->file,
	                       .place = eval_place(ev, s)};
	*ret = value_at((struct value){.kind = VALUE_FUNCTION, .function = f}, f->place);
	return true;
}

static bool special_fn(struct eval *ev, const struct scope *scope, const struct sexp *s, struct value *ret)
{
	if (s->len < 3 || s->items[1]->kind != SEXP_VECTOR)
		return eval_wants_form(ev, s, "(fn [parameters] form ...)");
	return eval_make_function(ev, scope, STR("fn"), s, 1, ret);
}

/* (for [x xs, y ys, :let [z 1], :when test] form): the clauses from `at` on. */
static bool for_clauses(struct eval *ev, const struct scope *scope, const struct sexp *s, uint32_t at, Values *out)
{
	const struct sexp *clauses = s->items[1];
	struct value v;
	if (at == clauses->len) {
		if (!eval_form(ev, scope, s->items[2], &v))
			return false;
		vec_push(out, v);
		return true;
	}
	const struct sexp *name = clauses->items[at], *form = clauses->items[at + 1];
	if (sexp_is_keyword(name, "when"))
		return eval_form(ev, scope, form, &v) && (!value_truthy(v) || for_clauses(ev, scope, s, at + 2, out));
	if (sexp_is_keyword(name, "let")) {
		if (form->kind != SEXP_VECTOR || form->len % 2)
			return eval_wants_form(ev, form, ":let [name value ...]");
		for (uint32_t i = 0; i < form->len; i += 2)
			if (!eval_form(ev, scope, form->items[i + 1], &v) || !eval_bind(ev, &scope, form->items[i], v))
				return false;
		return for_clauses(ev, scope, s, at + 2, out);
	}
	if (!eval_form(ev, scope, form, &v))
		return false;
	if (v.kind == VALUE_NIL)
		return true;
	if (v.kind != VALUE_LIST)
		return eval_wants(ev, &(struct call){"for", eval_place(ev, form)}, v, "a list");
	if (ev->depth >= ev->max_depth)
		return eval_fail(ev, eval_place(ev, name), "forms nested more than %u deep", ev->max_depth);
	ev->depth++;
	bool ok = true;
	for (uint32_t i = 0; i < v.len && ok; i++) {
		const struct scope *inner = scope;
		ok = eval_charge(ev, eval_place(ev, name), 1) && eval_bind(ev, &inner, name, v.items[i]) &&
		     for_clauses(ev, inner, s, at + 2, out);
	}
	ev->depth--;
	return ok;
}

static bool special_for(struct eval *ev, const struct scope *scope, const struct sexp *s, struct value *ret)
{
	Values out = {0};
	if (s->len != 3 || s->items[1]->kind != SEXP_VECTOR || !s->items[1]->len || s->items[1]->len % 2 ||
	    s->items[1]->len > 64)
		return eval_wants_form(ev, s, "(for [name list ... :when test] form)");
	bool ok = for_clauses(ev, scope, s, 0, &out) && eval_take_list(ev, eval_place(ev, s), &out, ret);
	vec_release(&out);
	return ok;
}

static bool fail_select(struct eval *ev, const struct sexp *s, struct str key, struct str setting)
{
	const struct sexp *cases = s->items[2];
	struct buf known = {0};
	for (uint32_t i = 0; i < cases->len; i += 2) {
		struct str c = sexp_text(cases->items[i]);
		buf_addf(&known, "%s\"%.*s\"", i ? ", " : "", STR_ARG(c));
	}
	eval_fail(ev, eval_place(ev, s), "no case of this select is for :%.*s %s%.*s%s", STR_ARG(key),
	          setting.len ? "\"" : "", STR_ARG(setting.len ? setting : STR("which is not set")),
	          setting.len ? "\"" : "");
	eval_note(ev, "the cases are %s; add one, or :default", buf_cstr(&known));
	buf_release(&known);
	return false;
}

/* (select :os {"linux" form, :default form}): only the form that is chosen is evaluated. */
static bool special_select(struct eval *ev, const struct scope *scope, const struct sexp *s, struct value *ret)
{
	if (s->len != 3 || s->items[1]->kind != SEXP_KEYWORD || s->items[2]->kind != SEXP_MAP || s->items[2]->len % 2)
		return eval_wants_form(ev, s, "(select :setting {\"value\" form ... :default form})");
	const struct sexp *cases = s->items[2], *otherwise = NULL;
	struct str key = s->items[1]->text;
	struct str setting = ev->host.setting ? ev->host.setting(ev->host.ctx, key) : STR("");
	for (uint32_t i = 0; i < cases->len; i += 2) {
		const struct sexp *c = cases->items[i];
		if (sexp_is_keyword(c, "default"))
			otherwise = cases->items[i + 1];
		else if (c->kind != SEXP_STRING && c->kind != SEXP_KEYWORD && c->kind != SEXP_SYMBOL)
			return eval_wants_form(ev, c, "a string or :default");
		else if (setting.len && str_eq(c->text, setting))
			return eval_form(ev, scope, cases->items[i + 1], ret);
	}
	if (otherwise)
		return eval_form(ev, scope, otherwise, ret);
	return fail_select(ev, s, key, setting);
}

static bool special_def(struct eval *ev, const struct scope *scope, const struct sexp *s, struct value *ret)
{
	(void)scope;
	(void)ret;
	return eval_fail(ev, eval_place(ev, s), "\"%.*s\" stands at top level only", STR_ARG(s->items[0]->text));
}
