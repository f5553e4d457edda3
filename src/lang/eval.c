#include <stdarg.h>

#include "lang/eval_impl.h"

struct place eval_place(const struct eval *ev, const struct sexp *s)
{
	return (struct place){ev->file, s->line, s->col};
}

bool eval_fail(struct eval *ev, struct place p, const char *fmt, ...)
{
	struct buf message = {0};
	va_list ap;
	va_start(ap, fmt);
	buf_addv(&message, fmt, ap);
	va_end(ap);
	place_err(ev->files, p, ev->err, "%s", buf_cstr(&message));
	buf_release(&message);
	return false;
}

bool eval_note(struct eval *ev, const char *fmt, ...) PRINTF_LIKE(2, 3);
bool eval_note(struct eval *ev, const char *fmt, ...)
{
	struct buf note = {0};
	va_list ap;
	va_start(ap, fmt);
	buf_addv(&note, fmt, ap);
	va_end(ap);
	if (ev->err)
		err_note(ev->err, "%s", buf_cstr(&note));
	buf_release(&note);
	return false;
}

bool eval_charge(struct eval *ev, struct place p, uint64_t n)
{
	if (n <= ev->steps) {
		ev->steps -= n;
		return true;
	}
	ev->steps = 0;
	eval_fail(ev, p, "this file takes more than %llu steps to evaluate", (unsigned long long)ev->max_steps);
	return eval_note(ev, "a build file describes; what takes long to compute belongs into a genrule");
}

bool eval_wants(struct eval *ev, const struct call *c, struct value got, const char *what)
{
	struct buf shown = {0};
	value_print(got, &shown, 40);
	eval_fail(ev, got.line ? value_place(got) : c->place, "\"%s\" wants %s, not %s%s%s", c->name, what,
	          value_kind_name(got.kind), got.kind == VALUE_NIL ? "" : ": ",
	          got.kind == VALUE_NIL ? "" : buf_cstr(&shown));
	buf_release(&shown);
	return false;
}

static bool check_depth(struct eval *ev, struct place p, struct value v)
{
	if (v.depth > VALUE_MAX_DEPTH)
		return eval_fail(ev, p, "lists nested more than %d deep", VALUE_MAX_DEPTH);
	return v.weight <= VALUE_MAX_WEIGHT ||
	       eval_fail(ev, p, "a list with more than %u things in it", VALUE_MAX_WEIGHT);
}

bool eval_make_list(struct eval *ev, struct place p, const struct value *items, uint32_t n, struct value *ret)
{
	*ret = value_at(value_list(items, n), p);
	return check_depth(ev, p, *ret);
}

bool eval_make_map(struct eval *ev, struct place p, const struct value *pairs, uint32_t n, struct value *ret)
{
	*ret = value_at(value_map(pairs, n), p);
	return check_depth(ev, p, *ret);
}

bool eval_make_string(struct eval *ev, struct place p, struct str s, struct value *ret)
{
	if (!eval_charge(ev, p, s.len / 8))
		return false;
	*ret = value_at(value_string(str_dup(ev->arena, s)), p);
	return true;
}

bool eval_take_list(struct eval *ev, struct place p, const Values *items, struct value *ret)
{
	if (items->len > UINT32_MAX / 4 || !eval_charge(ev, p, items->len))
		return false;
	struct value *copy = arena_new_n(ev->arena, struct value, items->len);
	if (items->len)
		memcpy(copy, items->ptr, items->len * sizeof(*copy));
	return eval_make_list(ev, p, copy, (uint32_t)items->len, ret);
}

bool eval_check_key(struct eval *ev, struct place p, struct value key)
{
	if (key.kind == VALUE_STRING || key.kind == VALUE_KEYWORD || key.kind == VALUE_INT || key.kind == VALUE_BOOL)
		return true;
	return eval_fail(ev, key.line ? value_place(key) : p, "%s can't be the key of a map",
	                 value_kind_name(key.kind));
}

bool eval_map_put(struct eval *ev, struct place p, struct value map, struct value key, struct value value,
                  struct value *ret)
{
	if (!eval_charge(ev, p, (uint64_t)map.len * 2 + 2) || !eval_check_key(ev, p, key))
		return false;
	struct value *pairs = arena_new_n(ev->arena, struct value, ((size_t)map.len + 1) * 2);
	size_t at = 0;
	if (map.len)
		memcpy(pairs, map.items, (size_t)map.len * 2 * sizeof(*pairs));
	while (at < map.len && !value_eq(pairs[2 * at], key))
		at++;
	pairs[2 * at] = key;
	pairs[2 * at + 1] = value;
	return eval_make_map(ev, p, pairs, at < map.len ? map.len : map.len + 1, ret);
}

/* -- names -- */

static bool fail_unknown(struct eval *ev, const struct scope *scope, const struct sexp *s)
{
	struct nearest n;
	nearest_init(&n, s->text);
	for (; scope; scope = scope->up)
		nearest_offer(&n, scope->name);
	for (size_t i = 0; i < ev->module->bindings.len; i++)
		nearest_offer(&n, ev->module->bindings.ptr[i].name);
	for (size_t i = 0; i < ev->builtins.entries.len; i++)
		nearest_offer(&n, ev->builtins.entries.ptr[i].key);
	for (const char *const *name = eval_special_names(); *name; name++)
		nearest_offer(&n, str_from(*name));
	eval_fail(ev, eval_place(ev, s), "\"%.*s\" is not defined", STR_ARG(s->text));
	if (ev->err)
		nearest_note(&n, ev->err);
	return false;
}

static bool lookup(struct eval *ev, const struct scope *scope, const struct sexp *s, struct value *ret)
{
	uint64_t i;
	for (const struct scope *at = scope; at; at = at->up) {
		if (str_eq(at->name, s->text)) {
			*ret = at->value;
			return true;
		}
	}
	if (map_get(&ev->module->names, s->text, &i)) {
		*ret = ev->module->bindings.ptr[i].value;
		return true;
	}
	if (map_get(&ev->builtins, s->text, &i)) {
		*ret = value_at(ev->builtin_values.ptr[i], eval_place(ev, s));
		return true;
	}
	if (str_eqc(s->text, "true") || str_eqc(s->text, "false")) {
		*ret = value_at(value_bool(s->text.ptr[0] == 't'), eval_place(ev, s));
		return true;
	}
	if (str_eqc(s->text, "nil")) {
		*ret = value_at(value_nil(), eval_place(ev, s));
		return true;
	}
	if (eval_find_special(s->text))
		return eval_fail(ev, eval_place(ev, s), "\"%.*s\" is a special form, not a value", STR_ARG(s->text));
	return fail_unknown(ev, scope, s);
}

/* -- calls -- */

/* Who called, for the reader of the error; a recursion says it once. */
static void note_call(struct eval *ev, const struct function *f, struct place p)
{
	struct buf note = {0};
	if (!ev->err || ev->err->notes.len >= 6)
		return;
	buf_addf(&note, "in a call of \"%.*s\" at ", STR_ARG(f->name));
	place_name(ev->files, p, &note);
	if (!ev->err->notes.len || !str_eqc(buf_str(&note), vec_last(&ev->err->notes)))
		eval_note(ev, "%s", buf_cstr(&note));
	buf_release(&note);
}

static bool call_function(struct eval *ev, const struct function *f, const struct value *args, uint32_t n,
                          struct place p, struct value *ret)
{
	const struct scope *scope = f->scope;
	struct module *module = ev->module;
	uint32_t file = ev->file;
	/* Wrong arguments are the caller's; but patterns stand in the function's file. */
	ev->module = f->module;
	ev->file = f->file;
	bool ok = eval_bind_vector(ev, &scope, f->params, args, n, p, f->name) &&
	          eval_body(ev, scope, f->body, f->nbody, p, ret);
	ev->module = module;
	ev->file = file;
	if (!ok && p.line)
		note_call(ev, f, p);
	return ok;
}

static bool add_pair(struct eval *ev, struct target_value *t, struct value *pairs, struct value key, struct value v)
{
	if (key.kind != VALUE_KEYWORD) {
		struct buf shown = {0};
		value_print(key, &shown, 40);
		eval_fail(ev, key.line ? value_place(key) : t->place, "expected an attribute such as :name, not %s: %s",
		          value_kind_name(key.kind), buf_cstr(&shown));
		buf_release(&shown);
		return false;
	}
	for (size_t i = 0; i < t->npairs; i++)
		if (str_eq(pairs[2 * i].text, key.text))
			return eval_fail(ev, value_place(key), ":%.*s is given twice", STR_ARG(key.text));
	/* nil is "not given", so that (if test value) can stand behind an attribute. */
	if (v.kind != VALUE_NIL) {
		struct value *end = pairs + 2 * (size_t)t->npairs++;
		end[0] = key;
		end[1] = v;
	}
	return true;
}

/* (rule :name "x" ... more) where `more`, a map, is optional. */
static bool call_rule(struct eval *ev, const struct rule_value *rule, const struct value *args, uint32_t n,
                      struct place p, struct value *ret)
{
	struct value more = {.kind = VALUE_NIL};
	if (n % 2) {
		more = args[--n];
		if (more.kind != VALUE_MAP && more.kind != VALUE_NIL)
			return eval_fail(ev, more.line ? value_place(more) : p, "this %s has no value behind it",
			                 more.kind == VALUE_KEYWORD ? "attribute" : "argument");
	}
	uint32_t extra = more.kind == VALUE_MAP ? more.len : 0;
	if (!eval_charge(ev, p, n + 2 * (uint64_t)extra))
		return false;
	struct target_value *t = arena_new(ev->arena, struct target_value);
	struct value *pairs = arena_new_n(ev->arena, struct value, n + 2 * (size_t)extra);
	*t = (struct target_value){.rule = rule, .pairs = pairs, .place = p};
	for (uint32_t i = 0; i < n; i += 2)
		if (!add_pair(ev, t, pairs, args[i], args[i + 1]))
			return false;
	for (size_t i = 0; i < extra; i++)
		if (!add_pair(ev, t, pairs, more.items[2 * i], more.items[2 * i + 1]))
			return false;
	*ret = value_at(value_target(t), p);
	return check_depth(ev, p, *ret);
}

static bool call_builtin(struct eval *ev, const struct builtin *b, const struct value *args, uint32_t n, struct place p,
                         struct value *ret)
{
	struct call c = {.name = b->name, .place = p};
	if (n < (uint32_t)b->min || (b->max >= 0 && n > (uint32_t)b->max)) {
		if (b->max == b->min)
			return eval_fail(ev, p, "\"%s\" wants %d argument%s, not %u", b->name, b->min,
			                 b->min == 1 ? "" : "s", n);
		if (b->max < 0)
			return eval_fail(ev, p, "\"%s\" wants at least %d argument%s, not %u", b->name, b->min,
			                 b->min == 1 ? "" : "s", n);
		return eval_fail(ev, p, "\"%s\" wants %d to %d arguments, not %u", b->name, b->min, b->max, n);
	}
	*ret = value_nil();
	if (!b->f(ev, &c, args, n, ret))
		return false;
	/* What was picked out of something keeps its place; what is new is from here. */
	if (!ret->line)
		*ret = value_at(*ret, p);
	return true;
}

bool eval_apply(struct eval *ev, struct value f, const struct value *args, uint32_t n, struct place p,
                struct value *ret)
{
	if (!eval_charge(ev, p, 1))
		return false;
	if (ev->depth >= ev->max_depth)
		return eval_fail(ev, p, "calls nested more than %u deep", ev->max_depth);
	bool ok;
	ev->depth++;
	switch (f.kind) {
	case VALUE_FUNCTION:
		ok = call_function(ev, f.function, args, n, p, ret);
		break;
	case VALUE_BUILTIN:
		ok = call_builtin(ev, f.builtin, args, n, p, ret);
		break;
	case VALUE_RULE:
		ok = call_rule(ev, f.rule, args, n, p, ret);
		break;
	case VALUE_KEYWORD:
		/* (:key map) */
		if (n == 1 && (args[0].kind == VALUE_MAP || args[0].kind == VALUE_NIL)) {
			const struct value *v = args[0].kind == VALUE_MAP ? value_map_get(args[0], f) : NULL;
			*ret = v ? *v : value_at(value_nil(), p);
			ok = true;
			break;
		}
		ok = eval_fail(ev, p, "a keyword is called with one map");
		break;
	default:
		ok = eval_fail(ev, p, "%s can't be called", value_kind_name(f.kind));
		if (f.kind == VALUE_STRING || f.kind == VALUE_INT)
			eval_note(ev, "a list of values is written [a b], or (list a b)");
	}
	ev->depth--;
	return ok;
}

static bool eval_call(struct eval *ev, const struct scope *scope, const struct sexp *s, struct value *ret)
{
	struct place p = eval_place(ev, s);
	struct value f;
	if (!s->len)
		return eval_make_list(ev, p, NULL, 0, ret);
	if (s->items[0]->kind == SEXP_SYMBOL) {
		const struct special *special = eval_find_special(s->items[0]->text);
		if (special)
			return special->f(ev, scope, s, ret);
	}
	if (!eval_form(ev, scope, s->items[0], &f) || !eval_charge(ev, p, s->len))
		return false;
	struct value *args = arena_new_n(ev->arena, struct value, s->len - 1);
	for (uint32_t i = 1; i < s->len; i++)
		if (!eval_form(ev, scope, s->items[i], &args[i - 1]))
			return false;
	return eval_apply(ev, f, args, s->len - 1, p, ret);
}

static bool eval_vector(struct eval *ev, const struct scope *scope, const struct sexp *s, struct value *ret)
{
	if (!eval_charge(ev, eval_place(ev, s), s->len))
		return false;
	struct value *items = arena_new_n(ev->arena, struct value, s->len);
	for (uint32_t i = 0; i < s->len; i++)
		if (!eval_form(ev, scope, s->items[i], &items[i]))
			return false;
	return eval_make_list(ev, eval_place(ev, s), items, s->len, ret);
}

static bool eval_map(struct eval *ev, const struct scope *scope, const struct sexp *s, struct value *ret)
{
	struct place p = eval_place(ev, s);
	if (s->len % 2)
		return eval_fail(ev, p, "a map wants a value for each key");
	if (!eval_charge(ev, p, s->len))
		return false;
	struct value *pairs = arena_new_n(ev->arena, struct value, s->len);
	for (uint32_t i = 0; i < s->len; i += 2) {
		if (!eval_form(ev, scope, s->items[i], &pairs[i]) || !eval_check_key(ev, p, pairs[i]) ||
		    !eval_form(ev, scope, s->items[i + 1], &pairs[i + 1]) || !eval_charge(ev, p, i / 2))
			return false;
		if (value_map_get(value_map(pairs, i / 2), pairs[i]))
			return eval_fail(ev, eval_place(ev, s->items[i]), "this key is in the map twice");
	}
	return eval_make_map(ev, p, pairs, s->len / 2, ret);
}

bool eval_form(struct eval *ev, const struct scope *scope, const struct sexp *s, struct value *ret)
{
	struct place p = eval_place(ev, s);
	if (!eval_charge(ev, p, 1))
		return false;
	if (ev->depth >= ev->max_depth)
		return eval_fail(ev, p, "forms nested more than %u deep", ev->max_depth);
	bool ok = true;
	ev->depth++;
	switch ((enum sexp_kind)s->kind) {
	case SEXP_LIST:
		ok = eval_call(ev, scope, s, ret);
		break;
	case SEXP_VECTOR:
		ok = eval_vector(ev, scope, s, ret);
		break;
	case SEXP_MAP:
		ok = eval_map(ev, scope, s, ret);
		break;
	case SEXP_STRING:
		*ret = value_at(value_string(s->text), p);
		break;
	case SEXP_INT:
		*ret = value_at(value_int(s->integer), p);
		break;
	case SEXP_KEYWORD:
		*ret = value_at(value_keyword(s->text), p);
		break;
	case SEXP_SYMBOL:
		ok = lookup(ev, scope, s, ret);
		break;
	case SEXP_UNREAD:
		BUG("an outline is evaluated");
	}
	ev->depth--;
	return ok;
}

/* -- files -- */

bool eval_file(struct eval *ev, struct module *m, uint32_t file, const struct sexp *forms, eval_declare *declare,
               void *ctx, struct err *err)
{
	/* Another file may be half way through: it waits in its load. */
	struct eval outer = *ev;
	ev->steps = ev->max_steps;
	ev->file = file;
	ev->module = m;
	ev->err = err;
	bool ok = true;
	for (uint32_t i = 0; i < forms->len && ok; i++)
		ok = eval_top(ev, forms->items[i], declare, ctx);
	ev->steps = outer.steps;
	ev->file = outer.file;
	ev->module = outer.module;
	ev->err = outer.err;
	ev->depth = outer.depth;
	return ok;
}

bool eval_call_rule(struct eval *ev, const struct target_value *t, struct value attrs, struct value *ret,
                    struct err *err)
{
	struct err *outer = ev->err;
	ev->err = err;
	struct value f = {.kind = VALUE_FUNCTION, .function = t->rule->function};
	bool ok = eval_apply(ev, f, &attrs, 1, t->place, ret);
	ev->err = outer;
	return ok;
}

void module_release(struct module *m)
{
	map_release(&m->names);
	vec_release(&m->bindings);
}

static void define(struct eval *ev, struct str name, struct value v)
{
	map_put(&ev->builtins, name, ev->builtin_values.len);
	vec_push(&ev->builtin_values, v);
}

void eval_init(struct eval *ev, struct arena *arena, const SourceTexts *files, const struct eval_host *host)
{
	static const struct builtin *const tables[] = {builtins_core, builtins_text, builtins_seq, builtins_build};
	*ev = (struct eval){.arena = arena, .files = files, .max_steps = EVAL_STEPS, .max_depth = EVAL_DEPTH};
	if (host)
		ev->host = *host;
	ev->steps = ev->max_steps;
	for (size_t i = 0; i < ARRAY_LEN(tables); i++)
		for (const struct builtin *b = tables[i]; b->name; b++)
			define(ev, str_from(b->name), (struct value){.kind = VALUE_BUILTIN, .builtin = b});
}

void eval_define_rule(struct eval *ev, struct str name, const void *schema)
{
	struct rule_value *r = arena_new(ev->arena, struct rule_value);
	*r = (struct rule_value){.name = name, .schema = schema};
	define(ev, name, (struct value){.kind = VALUE_RULE, .rule = r});
}

void eval_release(struct eval *ev)
{
	map_release(&ev->builtins);
	vec_release(&ev->builtin_values);
}
