/* Rules of a workspace's own: their attributes, and what their functions give. */
#include <stdlib.h>

#include "front/buildfile_impl.h"
#include "lang/eval_impl.h"

#define MAX_NESTED_RULES 30

/* A workspace's own rule, with its attributes in the form that built-in rules have. */
struct custom_rule {
	const struct rule_value *rule;
	struct rule_schema schema;
};

static const char *const type_names[ATTR_TYPES] = {
        [ATTR_STRING] = "string",   [ATTR_STRINGS] = "strings",   [ATTR_BOOL] = "bool",     [ATTR_INT] = "int",
        [ATTR_MAP] = "map",         [ATTR_LABEL] = "label",       [ATTR_LABELS] = "labels", [ATTR_SOURCE] = "source",
        [ATTR_SOURCES] = "sources", [ATTR_COMMANDS] = "commands",
};

static bool parse_type(struct loader *l, struct value v, struct place p, enum attr_type *ret)
{
	struct nearest n;
	nearest_init(&n, v.kind == VALUE_KEYWORD ? v.text : STR(""));
	for (int i = 0; i < ATTR_TYPES; i++) {
		if (v.kind == VALUE_KEYWORD && str_eqc(v.text, type_names[i])) {
			*ret = (enum attr_type)i;
			return true;
		}
		nearest_offer(&n, str_from(type_names[i]));
	}
	draft_err(l, place_or(v, p), "expected the type of an attribute, such as :string");
	if (l->err)
		nearest_note(&n, l->err);
	return draft_note(l, "types are :string :strings :bool :int :map :label :labels :source :sources :commands");
}

static bool parse_custom_attr(struct loader *l, struct value name, struct value v, struct place p,
                              struct attr_schema *out)
{
	if (name.kind != VALUE_KEYWORD)
		return draft_err(l, place_or(name, p), "expected the name of an attribute, such as :srcs");
	*out = (struct attr_schema){.name = name.text};
	for (uint32_t i = 0; i < rule_common_len; i++)
		if (str_eq(rule_common[i].name, name.text))
			return draft_err(l, place_or(name, p), ":%.*s is an attribute of every rule",
			                 STR_ARG(name.text));
	if (v.kind != VALUE_MAP)
		return parse_type(l, v, p, &out->type);
	bool typed = false;
	for (size_t i = 0; i < v.len; i++) {
		struct value key = v.items[2 * i], value = v.items[2 * i + 1];
		struct str k = key.kind == VALUE_KEYWORD ? key.text : STR("");
		if (str_eqc(k, "type")) {
			typed = true;
			if (!parse_type(l, value, p, &out->type))
				return false;
		} else if (str_eqc(k, "required")) {
			out->flags = value_truthy(value) ? ATTR_REQUIRED : 0;
		} else if (str_eqc(k, "doc") && value.kind == VALUE_STRING) {
			out->doc = value.text;
		} else if (!str_eqc(k, "default")) {
			return draft_err(l, place_or(key, p),
			                 "expected {:type ... :required ... :default ... :doc ...}");
		}
	}
	return typed || draft_err(l, place_or(v, p), "attribute :%.*s has no :type", STR_ARG(name.text));
}

bool custom_rule_schema(struct loader *l, const struct rule_value *r, const struct rule_schema **ret)
{
	for (size_t i = 0; i < l->custom_rules.len; i++)
		if (l->custom_rules.ptr[i]->rule == r) {
			*ret = &l->custom_rules.ptr[i]->schema;
			return true;
		}
	struct custom_rule *c = arena_new(&l->t->arena, struct custom_rule);
	struct attr_schema *attrs = arena_new_n(&l->t->arena, struct attr_schema, r->attrs.len);
	for (size_t i = 0; i < r->attrs.len; i++)
		if (!parse_custom_attr(l, r->attrs.items[2 * i], r->attrs.items[2 * i + 1], r->place, &attrs[i]))
			return false;
	c->rule = r;
	c->schema = (struct rule_schema){.name = r->name, .attrs = attrs, .nattrs = r->attrs.len};
	vec_push(&l->custom_rules, c);
	*ret = &c->schema;
	return true;
}

/* What the function of the rule is given: the attributes as written, defaults, and nothing else. */
static bool custom_attrs(struct loader *l, const struct target_value *t, struct value *ret)
{
	struct eval *ev = &l->ev;
	*ret = value_at(value_map(t->pairs, t->npairs), t->place);
	for (size_t i = 0; i < t->rule->attrs.len; i++) {
		struct value key = t->rule->attrs.items[2 * i], v = t->rule->attrs.items[2 * i + 1];
		const struct value *otherwise = v.kind == VALUE_MAP ? value_map_getc(v, "default") : NULL;
		if (otherwise && !value_map_get(*ret, key) && !eval_map_put(ev, t->place, *ret, key, *otherwise, ret))
			return false;
	}
	return true;
}

static bool add_action(struct loader *l, struct draft *d, const struct target_value *t)
{
	struct rule_action *a = &d->b.actions[d->b.nactions];
	a->place = t->place;
	if (!attrs_convert(l, &rule_action_schema, t, &a->attrs, &a->nattrs, &d->action_raw[d->b.nactions]))
		return false;
	d->b.nactions++;
	return true;
}

/* What the function gave: actions, targets, lists of both; at most as many things as steps allowed. */
static bool take_results(struct loader *l, struct draft *d, struct value v, const struct target_value *from,
                         bool *ret_replaced)
{
	if (v.kind == VALUE_NIL)
		return true;
	if (v.kind == VALUE_LIST) {
		for (uint32_t i = 0; i < v.len; i++)
			if (!take_results(l, d, v.items[i], from, ret_replaced))
				return false;
		return true;
	}
	if (v.kind != VALUE_TARGET)
		return draft_err(l, place_or(v, from->place), "rule \"%.*s\" gave %s, not an action or a target",
		                 STR_ARG(from->rule->name), value_kind_name(v.kind));
	if (v.target->rule->schema == &rule_action_schema)
		return add_action(l, d, v.target);
	const struct value *name = value_map_getc(value_map(v.target->pairs, v.target->npairs), "name");
	if (name && name->kind == VALUE_STRING && str_eq(name->text, d->b.name))
		*ret_replaced = true;
	if (!draft_declare(l, v.target))
		return false;
	CHECK(name); /* what has none is not declared */
	struct str made = str_fmt(&l->t->arena, ":%.*s", STR_ARG(name->text));
	draft_refer(l, d, made, v.target->place);
	return true;
}

bool draft_declare_custom(struct loader *l, struct draft *d, const struct target_value *t, bool *ret_replaced)
{
	struct value attrs, v;
	if (l->nested_rules >= MAX_NESTED_RULES)
		return draft_err(l, t->place, "rules that give targets of rules, more than %d deep", MAX_NESTED_RULES);
	l->nested_rules++;
	bool ok = custom_attrs(l, t, &attrs) && eval_call_rule(&l->ev, t, attrs, &v, l->err);
	if (ok) {
		uint32_t most = v.kind == VALUE_LIST ? v.weight : 1;
		d->b.actions = arena_new_n(&l->t->arena, struct rule_action, most);
		d->action_raw = arena_new_n(&l->t->arena, struct value *, most);
		ok = take_results(l, d, v, t, ret_replaced);
	}
	l->nested_rules--;
	if (ok && *ret_replaced && d->b.nactions)
		ok = draft_err(l, t->place, "rule \"%.*s\" gave actions and a target of its own name",
		               STR_ARG(t->rule->name));
	if (*ret_replaced || !ok)
		vec_release(&d->references);
	return ok;
}
