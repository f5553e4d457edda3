/* What stands at top level: forms that make names. */
#include "lang/eval_impl.h"

static bool add_binding(struct eval *ev, struct str name, struct value v, struct place p, bool imported)
{
	uint64_t i;
	if (map_has(&ev->builtins, name))
		return eval_fail(ev, p, "\"%.*s\" is built in and can't be defined again", STR_ARG(name));
	if (map_get(&ev->module->names, name, &i)) {
		const struct binding *old = &ev->module->bindings.ptr[i];
		struct buf where = {0};
		/* A file that is loaded twice brings what is there already. */
		if (imported && old->imported && value_eq(old->value, v))
			return true;
		place_name(ev->files, old->place, &where);
		eval_fail(ev, p, "\"%.*s\" is defined already, at %s", STR_ARG(name), buf_cstr(&where));
		buf_release(&where);
		return false;
	}
	map_put(&ev->module->names, name, ev->module->bindings.len);
	vec_push(&ev->module->bindings, (struct binding){.name = name, .value = v, .place = p, .imported = imported});
	return true;
}

/* The index of the item behind an optional documentation string. */
static uint32_t skip_doc(const struct sexp *s, uint32_t at)
{
	return at + 1 < s->len && s->items[at]->kind == SEXP_STRING ? at + 1 : at;
}

static bool top_def(struct eval *ev, const struct sexp *s)
{
	struct value v;
	uint32_t at = skip_doc(s, 2);
	if (s->len != at + 1)
		return eval_wants_form(ev, s, "(def name value)");
	return eval_check_name(ev, s->items[1], "what is defined") && eval_form(ev, NULL, s->items[at], &v) &&
	       add_binding(ev, s->items[1]->text, v, eval_place(ev, s->items[1]), false);
}

static bool top_defn(struct eval *ev, const struct sexp *s)
{
	struct value v;
	uint32_t at = skip_doc(s, 2);
	if (s->len < at + 2 || s->items[at]->kind != SEXP_VECTOR)
		return eval_wants_form(ev, s, "(defn name [parameters] form ...)");
	return eval_check_name(ev, s->items[1], "what is defined") &&
	       eval_make_function(ev, NULL, s->items[1]->text, s, at, &v) &&
	       add_binding(ev, s->items[1]->text, v, eval_place(ev, s->items[1]), false);
}

/* (defrule name "doc" {:attr {:type :string}} [attributes] form ...) */
static bool top_defrule(struct eval *ev, const struct sexp *s)
{
	struct value attrs, f;
	uint32_t at = skip_doc(s, 2);
	if (s->len < at + 3 || s->items[at + 1]->kind != SEXP_VECTOR || s->items[at + 1]->len != 1)
		return eval_wants_form(ev, s, "(defrule name {:attribute {:type :string}} [attributes] form ...)");
	if (!eval_check_name(ev, s->items[1], "what is defined") || !eval_form(ev, NULL, s->items[at], &attrs))
		return false;
	if (attrs.kind != VALUE_MAP)
		return eval_wants(ev, &(struct call){"defrule", eval_place(ev, s)}, attrs, "a map of attributes");
	struct rule_value *r = arena_new(ev->arena, struct rule_value);
	*r = (struct rule_value){.name = s->items[1]->text, .attrs = attrs, .place = eval_place(ev, s->items[1])};
	if (!eval_make_function(ev, NULL, r->name, s, at + 1, &f))
		return false;
	r->function = f.function;
	struct value v = value_at((struct value){.kind = VALUE_RULE, .rule = r}, r->place);
	return add_binding(ev, r->name, v, r->place, false);
}

/* (load "//dir:file" ...): all that those files define. */
static bool top_load(struct eval *ev, const struct sexp *s)
{
	if (s->len < 2)
		return eval_wants_form(ev, s, "(load \"//dir:file\")");
	for (uint32_t i = 1; i < s->len; i++) {
		const struct module *loaded = NULL;
		const struct sexp *path = s->items[i];
		struct place p = eval_place(ev, path);
		if (path->kind != SEXP_STRING)
			return eval_wants_form(ev, path, "the name of a file, as a string");
		if (!ev->host.load)
			return eval_fail(ev, p, "files can't be loaded here");
		if (!ev->host.load(ev->host.ctx, ev->file, path->text, p, &loaded, ev->err)) {
			if (ev->err)
				place_add(ev->files, p, ev->err);
			return false;
		}
		for (size_t k = 0; k < loaded->bindings.len; k++) {
			const struct binding *b = &loaded->bindings.ptr[k];
			if (b->imported)
				continue;
			uint64_t old;
			if (map_get(&ev->module->names, b->name, &old) &&
			    !value_eq(ev->module->bindings.ptr[old].value, b->value)) {
				struct buf where = {0}, there = {0};
				place_name(ev->files, ev->module->bindings.ptr[old].place, &where);
				place_name(ev->files, b->place, &there);
				eval_fail(ev, p, "\"%.*s\" would be defined twice: at %s and at %s", STR_ARG(b->name),
				          buf_cstr(&where), buf_cstr(&there));
				buf_release(&where);
				buf_release(&there);
				return false;
			}
			if (!add_binding(ev, b->name, b->value, b->place, true))
				return false;
		}
	}
	return true;
}

bool eval_top(struct eval *ev, const struct sexp *s, eval_declare *declare, void *ctx)
{
	static const struct {
		const char *name;
		bool (*f)(struct eval *ev, const struct sexp *s);
	} tops[] = {{"def", top_def}, {"defn", top_defn}, {"defrule", top_defrule}, {"load", top_load}};
	if (s->kind == SEXP_LIST && s->len && s->items[0]->kind == SEXP_SYMBOL)
		for (size_t i = 0; i < ARRAY_LEN(tops); i++)
			if (str_eqc(s->items[0]->text, tops[i].name))
				return tops[i].f(ev, s);
	struct value v;
	if (!eval_form(ev, NULL, s, &v))
		return false;
	return v.kind == VALUE_NIL || !declare || declare(ctx, v, ev->err);
}
