/* Names in the place of values: what let, for and fn bind, and how they take lists and maps apart. */
#include "lang/eval_impl.h"

static const struct scope *bind(struct eval *ev, const struct scope *up, struct str name, struct value v)
{
	struct scope *s = arena_new(ev->arena, struct scope);
	*s = (struct scope){.up = up, .name = name, .value = v};
	return s;
}

bool eval_check_name(struct eval *ev, const struct sexp *s, const char *what)
{
	if (s->kind != SEXP_SYMBOL)
		return eval_fail(ev, eval_place(ev, s), "%s must be a symbol", what);
	if (eval_find_special(s->text) || str_eqc(s->text, "nil") || str_eqc(s->text, "true") ||
	    str_eqc(s->text, "false") || str_eqc(s->text, "&"))
		return eval_fail(ev, eval_place(ev, s), "\"%.*s\" can't be a name", STR_ARG(s->text));
	return true;
}

bool eval_bind(struct eval *ev, const struct scope **scope, const struct sexp *p, struct value v);

static bool check_keys(struct eval *ev, const struct sexp *keys, struct value map)
{
	for (size_t i = 0; i < map.len; i++) {
		struct value key = map.items[2 * i];
		bool known = false;
		struct nearest n;
		nearest_init(&n, key.kind == VALUE_KEYWORD ? key.text : STR(""));
		for (uint32_t k = 0; k < keys->len; k++) {
			known |= key.kind == VALUE_KEYWORD && str_eq(keys->items[k]->text, key.text);
			nearest_offer(&n, keys->items[k]->text);
		}
		if (known)
			continue;
		struct buf shown = {0};
		value_print(key, &shown, 40);
		eval_fail(ev, value_place(key), "unknown argument %s", buf_cstr(&shown));
		buf_release(&shown);
		if (ev->err)
			nearest_note(&n, ev->err);
		return false;
	}
	return true;
}

/* {:keys [a b] :or {b 1} :as m}. Without :as, a key that is not listed is an error: it is most likely misspelt. */
static bool bind_keys(struct eval *ev, const struct scope **scope, const struct sexp *p, struct value v)
{
	const struct sexp *keys = NULL, *defaults = NULL, *all = NULL;
	if (p->len % 2)
		return eval_fail(ev, eval_place(ev, p), "a map wants a value for each key");
	for (uint32_t i = 0; i < p->len; i += 2) {
		const struct sexp *key = p->items[i], *value = p->items[i + 1];
		if (sexp_is_keyword(key, "keys") && value->kind == SEXP_VECTOR)
			keys = value;
		else if (sexp_is_keyword(key, "or") && value->kind == SEXP_MAP && value->len % 2 == 0)
			defaults = value;
		else if (sexp_is_keyword(key, "as"))
			all = value;
		else
			return eval_fail(ev, eval_place(ev, key),
			                 "expected {:keys [names] :or {name default} :as name}");
	}
	if (v.kind != VALUE_MAP && v.kind != VALUE_NIL)
		return eval_fail(ev, eval_place(ev, p), "expected a map, not %s", value_kind_name(v.kind));
	for (uint32_t i = 0; keys && i < keys->len; i++)
		if (!eval_check_name(ev, keys->items[i], "a name"))
			return false;
	if (keys && !all && !check_keys(ev, keys, v))
		return false;
	for (uint32_t i = 0; keys && i < keys->len; i++) {
		struct str name = keys->items[i]->text;
		const struct value *found = v.kind == VALUE_MAP ? value_map_get(v, value_keyword(name)) : NULL;
		struct value value = found ? *found : value_at(value_nil(), eval_place(ev, keys->items[i]));
		for (uint32_t k = 0; !found && defaults && k < defaults->len; k += 2)
			if (defaults->items[k]->kind == SEXP_SYMBOL && str_eq(defaults->items[k]->text, name) &&
			    !eval_form(ev, *scope, defaults->items[k + 1], &value))
				return false;
		*scope = bind(ev, *scope, name, value);
	}
	if (all && !eval_check_name(ev, all, "what follows :as"))
		return false;
	if (all)
		*scope = bind(ev, *scope, all->text, v);
	return true;
}

/* What follows "&": a name for the rest as a list, or a map pattern for key and value arguments. */
static bool bind_rest(struct eval *ev, const struct scope **scope, const struct sexp *p, const struct value *items,
                      uint32_t n, struct place place)
{
	struct value rest;
	if (p->kind != SEXP_MAP)
		return eval_make_list(ev, place, items, n, &rest) && eval_bind(ev, scope, p, rest);
	if (n % 2)
		return eval_fail(ev, items[n - 1].line ? value_place(items[n - 1]) : place,
		                 "expected keys and values: this one has no value behind it");
	rest = value_at(value_map(NULL, 0), place);
	for (uint32_t i = 0; i < n; i += 2)
		if (!eval_map_put(ev, place, rest, items[i], items[i + 1], &rest))
			return false;
	return bind_keys(ev, scope, p, rest);
}

/* [a b & rest]. `what` is a function's name, or NULL for a list that is taken apart. */
bool eval_bind_vector(struct eval *ev, const struct scope **scope, const struct sexp *p, const struct value *items,
                      uint32_t n, struct place place, struct str what)
{
	uint32_t fixed = p->len;
	for (uint32_t i = 0; i < p->len; i++)
		if (p->items[i]->kind == SEXP_SYMBOL && str_eqc(p->items[i]->text, "&")) {
			if (i + 2 != p->len)
				return eval_fail(ev, eval_place(ev, p->items[i]), "one name must follow the \"&\"");
			fixed = i;
			break;
		}
	if (n < fixed || (n > fixed && fixed == p->len)) {
		const char *least = fixed == p->len ? "" : "at least ";
		if (what.len)
			return eval_fail(ev, place, "\"%.*s\" wants %s%u argument%s, not %u", STR_ARG(what), least,
			                 fixed, fixed == 1 ? "" : "s", n);
		return eval_fail(ev, place, "expected a list of %s%u, not of %u", least, fixed, n);
	}
	for (uint32_t i = 0; i < fixed; i++)
		if (!eval_bind(ev, scope, p->items[i], items[i]))
			return false;
	return fixed == p->len || bind_rest(ev, scope, p->items[fixed + 1], items + fixed, n - fixed, place);
}

bool eval_bind(struct eval *ev, const struct scope **scope, const struct sexp *p, struct value v)
{
	struct place place = eval_place(ev, p);
	if (!eval_charge(ev, place, 1))
		return false;
	if (ev->depth >= ev->max_depth)
		return eval_fail(ev, place, "calls nested more than %u deep", ev->max_depth);
	bool ok;
	ev->depth++;
	if (p->kind == SEXP_VECTOR && v.kind != VALUE_LIST)
		ok = eval_fail(ev, place, "expected a list, not %s", value_kind_name(v.kind));
	else if (p->kind == SEXP_VECTOR)
		ok = eval_bind_vector(ev, scope, p, v.items, v.len, place, STR(""));
	else if (p->kind == SEXP_MAP)
		ok = bind_keys(ev, scope, p, v);
	else
		ok = eval_check_name(ev, p, "a name");
	if (ok && p->kind == SEXP_SYMBOL)
		*scope = bind(ev, *scope, p->text, v);
	ev->depth--;
	return ok;
}
