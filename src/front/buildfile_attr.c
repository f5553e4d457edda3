/* Attributes: what was written, checked against the rule, becomes typed. */
#include <stdarg.h>
#include <stdlib.h>

#include "front/buildfile_impl.h"

bool draft_err(struct loader *l, struct place p, const char *fmt, ...)
{
	struct buf message = {0};
	va_list ap;
	va_start(ap, fmt);
	buf_addv(&message, fmt, ap);
	va_end(ap);
	place_err(&l->t->files, p, l->err, "%s", buf_cstr(&message));
	buf_release(&message);
	return false;
}

bool draft_note(struct loader *l, const char *text)
{
	if (l->err)
		err_note(l->err, "%s", text);
	return false;
}

struct place place_or(struct value v, struct place otherwise)
{
	return v.line ? value_place(v) : otherwise;
}

static bool wrong_type(struct loader *l, const struct attr_schema *s, struct value v, struct place p)
{
	struct buf shown = {0};
	value_print(v, &shown, 60);
	draft_err(l, place_or(v, p), ":%.*s wants %s, not %s", STR_ARG(s->name), attr_type_name(s->type),
	          buf_cstr(&shown));
	buf_release(&shown);
	return false;
}

/* One value stands for a list of one. */
void value_as_list(struct value *v, const struct value **items, uint32_t *n)
{
	*items = v->kind == VALUE_LIST ? v->items : v;
	*n = v->kind == VALUE_LIST ? v->len : 1;
}

static bool check_label(struct loader *l, struct value v, struct place p)
{
	struct label ignored;
	struct err why = {0};
	if (label_parse(v.text, STR(""), &ignored, &why)) {
		err_clear(&why);
		return true;
	}
	draft_err(l, place_or(v, p), "%s", buf_cstr(&why.message));
	for (size_t i = 0; l->err && i < why.notes.len; i++)
		err_note(l->err, "%s", why.notes.ptr[i]);
	err_clear(&why);
	return false;
}

static bool convert_strings(struct loader *l, const struct attr_schema *s, struct value *v, struct place p,
                            struct attr *out)
{
	const struct value *items;
	bool one = s->type == ATTR_LABEL || s->type == ATTR_SOURCE;
	bool labels = s->type == ATTR_LABEL || s->type == ATTR_LABELS;
	if (one && v->kind != VALUE_STRING)
		return wrong_type(l, s, *v, p);
	value_as_list(v, &items, &out->len);
	struct str *strings = s->type == ATTR_STRINGS ? arena_new_n(&l->t->arena, struct str, out->len) : NULL;
	for (uint32_t i = 0; i < out->len; i++) {
		if (items[i].kind != VALUE_STRING)
			return wrong_type(l, s, items[i], p);
		if ((labels || (!strings && label_looks_like(items[i].text))) && !check_label(l, items[i], p))
			return false;
		if (strings)
			strings[i] = items[i].text;
	}
	if (strings)
		out->strings = strings;
	return true;
}

static int by_key(const void *a, const void *b)
{
	return str_cmp(((const struct attr_pair *)a)->key, ((const struct attr_pair *)b)->key);
}

static bool convert_map(struct loader *l, const struct attr_schema *s, struct value v, struct place p, struct attr *out)
{
	if (v.kind != VALUE_MAP)
		return wrong_type(l, s, v, p);
	out->len = v.len;
	out->pairs = arena_new_n(&l->t->arena, struct attr_pair, v.len);
	for (size_t i = 0; i < v.len; i++) {
		struct value key = v.items[2 * i], value = v.items[2 * i + 1];
		if (key.kind != VALUE_STRING && key.kind != VALUE_KEYWORD)
			return wrong_type(l, s, key, p);
		if (value.kind != VALUE_STRING)
			return wrong_type(l, s, value, p);
		out->pairs[i] = (struct attr_pair){.key = key.text, .value = value.text};
	}
	if (v.len)
		qsort(out->pairs, v.len, sizeof(*out->pairs), by_key);
	return true;
}

static bool convert_commands(struct loader *l, const struct attr_schema *s, struct value v, struct place p,
                             struct attr *out)
{
	if (v.kind != VALUE_LIST)
		return wrong_type(l, s, v, p);
	out->len = v.len;
	out->commands = arena_new_n(&l->t->arena, struct attr_command, v.len);
	for (uint32_t i = 0; i < v.len; i++) {
		struct value c = v.items[i];
		if (c.kind != VALUE_LIST || !c.len)
			return wrong_type(l, s, c, p);
		out->commands[i].argc = c.len;
		out->commands[i].argv = arena_new_n(&l->t->arena, struct str, c.len);
		for (uint32_t k = 0; k < c.len; k++) {
			if (c.items[k].kind != VALUE_STRING)
				return wrong_type(l, s, c.items[k], p);
			out->commands[i].argv[k] = c.items[k].text;
		}
	}
	return true;
}

static bool convert(struct loader *l, const struct attr_schema *s, struct value *v, struct place p, struct attr *out)
{
	*out = (struct attr){.name = s->name, .type = s->type, .place = place_or(*v, p), .len = 1};
	switch (s->type) {
	case ATTR_STRING:
		if (v->kind != VALUE_STRING)
			return wrong_type(l, s, *v, p);
		out->string = v->text;
		return true;
	case ATTR_BOOL:
		if (v->kind != VALUE_BOOL)
			return wrong_type(l, s, *v, p);
		out->boolean = v->boolean;
		return true;
	case ATTR_INT:
		if (v->kind != VALUE_INT)
			return wrong_type(l, s, *v, p);
		out->integer = v->integer;
		return true;
	case ATTR_MAP:
		return convert_map(l, s, *v, p, out);
	case ATTR_COMMANDS:
		return convert_commands(l, s, *v, p, out);
	case ATTR_STRINGS:
	case ATTR_LABEL:
	case ATTR_LABELS:
	case ATTR_SOURCE:
	case ATTR_SOURCES:
		return convert_strings(l, s, v, p, out);
	}
	return false;
}

static bool unknown_attr(struct loader *l, const struct rule_schema *schema, struct value key, struct place p)
{
	struct nearest n;
	struct buf all = {0};
	nearest_init(&n, key.text);
	for (uint32_t i = 0; i < schema->nattrs; i++) {
		nearest_offer(&n, schema->attrs[i].name);
		buf_addf(&all, " :%.*s", STR_ARG(schema->attrs[i].name));
	}
	for (uint32_t i = 0; i < rule_common_len; i++) {
		nearest_offer(&n, rule_common[i].name);
		buf_addf(&all, " :%.*s", STR_ARG(rule_common[i].name));
	}
	draft_err(l, place_or(key, p), "\"%.*s\" has no attribute :%.*s", STR_ARG(schema->name), STR_ARG(key.text));
	if (l->err && n.best.len)
		err_note(l->err, "did you mean \":%.*s\"?", STR_ARG(n.best));
	else if (l->err)
		err_note(l->err, "it has%s", buf_cstr(&all));
	buf_release(&all);
	return false;
}

/* What must be there is there. */
static bool check_groups(struct loader *l, const struct rule_schema *schema, const struct target_value *t)
{
	static const unsigned groups[] = {ATTR_ONE_OF, ATTR_ONE_OUT};
	for (uint32_t i = 0; i < schema->nattrs; i++) {
		const struct attr_schema *s = &schema->attrs[i];
		bool there = false;
		for (size_t k = 0; k < t->npairs; k++)
			there |= str_eq(t->pairs[2 * k].text, s->name);
		if (s->flags & ATTR_REQUIRED && !there) {
			draft_err(l, t->place, "\"%.*s\" wants :%.*s", STR_ARG(schema->name), STR_ARG(s->name));
			if (l->err)
				err_note(l->err, "it is %s: %.*s", attr_type_name(s->type), STR_ARG(s->doc));
			return false;
		}
	}
	for (size_t g = 0; g < ARRAY_LEN(groups); g++) {
		struct buf names = {0};
		int count = 0;
		for (uint32_t i = 0; i < schema->nattrs; i++) {
			const struct attr_schema *s = &schema->attrs[i];
			if (!(s->flags & groups[g]))
				continue;
			buf_addf(&names, "%s:%.*s", names.len ? " or " : "", STR_ARG(s->name));
			for (size_t k = 0; k < t->npairs; k++)
				count += str_eq(t->pairs[2 * k].text, s->name);
		}
		bool ok = !names.len || count == 1;
		if (!ok)
			draft_err(l, t->place, "\"%.*s\" wants %s%s", STR_ARG(schema->name), buf_cstr(&names),
			          count ? ", not both" : "");
		buf_release(&names);
		if (!ok)
			return false;
	}
	return true;
}

/* All attributes but the name; `raw` keeps what labels and sources were written as. */
bool attrs_convert(struct loader *l, const struct rule_schema *schema, const struct target_value *t,
                   struct attr **ret_attrs, uint32_t *ret_n, struct value **ret_raw)
{
	struct attr *attrs = arena_new_n(&l->t->arena, struct attr, t->npairs + 1);
	struct value *raw = arena_new_n(&l->t->arena, struct value, t->npairs + 1);
	uint32_t n = 0;
	for (size_t i = 0; i < t->npairs; i++) {
		const struct attr_schema *s = rule_attr(schema, t->pairs[2 * i].text);
		raw[n] = t->pairs[2 * i + 1];
		if (!s)
			return unknown_attr(l, schema, t->pairs[2 * i], t->place);
		if (!convert(l, s, &raw[n], t->place, &attrs[n]))
			return false;
		n += schema == &rule_action_schema || !str_eqc(s->name, "name");
	}
	*ret_attrs = attrs;
	*ret_n = n;
	*ret_raw = raw;
	return check_groups(l, schema, t);
}
