#include "lang/value.h"

#include "lang/eval_impl.h"

struct place value_place(struct value v)
{
	return (struct place){v.file, v.line, v.col};
}

struct value value_at(struct value v, struct place p)
{
	v.file = p.file;
	v.line = p.line;
	v.col = p.col;
	return v;
}

struct value value_nil(void)
{
	return (struct value){.kind = VALUE_NIL};
}

struct value value_bool(bool b)
{
	return (struct value){.kind = VALUE_BOOL, .boolean = b};
}

struct value value_int(int64_t i)
{
	return (struct value){.kind = VALUE_INT, .integer = i};
}

struct value value_string(struct str s)
{
	return (struct value){.kind = VALUE_STRING, .text = s};
}

struct value value_keyword(struct str s)
{
	return (struct value){.kind = VALUE_KEYWORD, .text = s};
}

static uint16_t depth_over(const struct value *items, uint32_t n)
{
	uint16_t depth = 0;
	for (uint32_t i = 0; i < n; i++)
		depth = MAX(depth, items[i].depth);
	return (uint16_t)(depth + 1);
}

static uint32_t weight_of(const struct value *items, uint32_t n)
{
	uint64_t weight = 1;
	for (uint32_t i = 0; i < n; i++)
		weight += 1 + (uint64_t)items[i].weight;
	return (uint32_t)MIN(weight, VALUE_MAX_WEIGHT + 1);
}

struct value value_list(const struct value *items, uint32_t n)
{
	return (struct value){.kind = VALUE_LIST,
	                      .len = n,
	                      .items = items,
	                      .depth = depth_over(items, n),
	                      .weight = weight_of(items, n)};
}

struct value value_map(const struct value *pairs, uint32_t nentries)
{
	return (struct value){.kind = VALUE_MAP,
	                      .len = nentries,
	                      .items = pairs,
	                      .depth = depth_over(pairs, 2 * nentries),
	                      .weight = weight_of(pairs, 2 * nentries)};
}

struct value value_target(const struct target_value *t)
{
	return (struct value){.kind = VALUE_TARGET,
	                      .target = t,
	                      .depth = depth_over(t->pairs, 2 * t->npairs),
	                      .weight = weight_of(t->pairs, 2 * t->npairs)};
}

bool value_truthy(struct value v)
{
	return v.kind != VALUE_NIL && !(v.kind == VALUE_BOOL && !v.boolean);
}

static bool maps_eq(struct value a, struct value b)
{
	for (size_t i = 0; i < a.len; i++) {
		const struct value *other = value_map_get(b, a.items[2 * i]);
		if (!other || !value_eq(a.items[2 * i + 1], *other))
			return false;
	}
	return true;
}

bool value_eq(struct value a, struct value b)
{
	if (a.kind != b.kind)
		return false;
	switch ((enum value_kind)a.kind) {
	case VALUE_NIL:
		return true;
	case VALUE_BOOL:
		return a.boolean == b.boolean;
	case VALUE_INT:
		return a.integer == b.integer;
	case VALUE_STRING:
	case VALUE_KEYWORD:
		return str_eq(a.text, b.text);
	case VALUE_LIST:
		if (a.len != b.len || a.depth != b.depth || a.weight != b.weight)
			return false;
		for (uint32_t i = 0; i < a.len; i++)
			if (!value_eq(a.items[i], b.items[i]))
				return false;
		return true;
	case VALUE_MAP:
		return a.len == b.len && maps_eq(a, b);
	case VALUE_FUNCTION:
		return a.function == b.function;
	case VALUE_BUILTIN:
		return a.builtin == b.builtin;
	case VALUE_RULE:
		return a.rule == b.rule;
	case VALUE_TARGET:
		return a.target == b.target;
	}
	return false;
}

int value_cmp(struct value a, struct value b)
{
	if (a.kind != b.kind)
		return -2;
	if (a.kind == VALUE_INT)
		return (a.integer > b.integer) - (a.integer < b.integer);
	if (a.kind == VALUE_STRING || a.kind == VALUE_KEYWORD) {
		int c = str_cmp(a.text, b.text);
		return (c > 0) - (c < 0);
	}
	return -2;
}

const struct value *value_map_get(struct value map, struct value key)
{
	for (size_t i = 0; i < map.len; i++)
		if (value_eq(map.items[2 * i], key))
			return map.items + 2 * i + 1;
	return NULL;
}

const struct value *value_map_getc(struct value map, const char *keyword)
{
	return value_map_get(map, value_keyword(str_from(keyword)));
}

const char *value_kind_name(uint8_t kind)
{
	static const char *const names[] = {
	        [VALUE_NIL] = "nil",         [VALUE_BOOL] = "a boolean",      [VALUE_INT] = "an integer",
	        [VALUE_STRING] = "a string", [VALUE_KEYWORD] = "a keyword",   [VALUE_LIST] = "a list",
	        [VALUE_MAP] = "a map",       [VALUE_FUNCTION] = "a function", [VALUE_BUILTIN] = "a function",
	        [VALUE_RULE] = "a rule",     [VALUE_TARGET] = "a target",
	};
	return names[kind];
}

static void print_string(struct str s, struct buf *out)
{
	buf_addc(out, '"');
	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];
		if (c == '"' || c == '\\')
			buf_addc(out, '\\');
		if (c == '\n')
			buf_addz(out, "\\n");
		else if (c == '\t')
			buf_addz(out, "\\t");
		else if (c == '\r')
			buf_addz(out, "\\r");
		else if ((unsigned char)c < 32)
			buf_addf(out, "\\u%04x", (unsigned)c);
		else
			buf_addc(out, c);
	}
	buf_addc(out, '"');
}

/* Cuts between characters. */
static struct str head(struct str s, size_t max)
{
	if (s.len <= max)
		return s;
	while (max && ((unsigned char)s.ptr[max] & 0xc0) == 0x80)
		max--;
	return str_slice(s, 0, max);
}

static void print_items(const struct value *items, uint32_t n, bool pairs, char close, struct buf *out, size_t end)
{
	for (uint32_t i = 0; i < n; i++) {
		if (i)
			buf_addz(out, pairs && i % 2 == 0 ? ", " : " ");
		if (out->len >= end) {
			buf_addz(out, "...");
			break;
		}
		value_print(items[i], out, end - out->len);
	}
	buf_addc(out, close);
}

void value_print(struct value v, struct buf *out, size_t max)
{
	size_t end = max > SIZE_MAX - out->len ? SIZE_MAX : out->len + max;
	switch ((enum value_kind)v.kind) {
	case VALUE_NIL:
		buf_addz(out, "nil");
		return;
	case VALUE_BOOL:
		buf_addz(out, v.boolean ? "true" : "false");
		return;
	case VALUE_INT:
		buf_addf(out, "%lld", (long long)v.integer);
		return;
	case VALUE_STRING:
		print_string(head(v.text, max), out);
		if (v.text.len > max)
			buf_addz(out, "...");
		return;
	case VALUE_KEYWORD:
		buf_addf(out, ":%.*s", STR_ARG(v.text));
		return;
	case VALUE_LIST:
		buf_addc(out, '[');
		print_items(v.items, v.len, false, ']', out, end);
		return;
	case VALUE_MAP:
		buf_addc(out, '{');
		print_items(v.items, 2 * v.len, true, '}', out, end);
		return;
	case VALUE_FUNCTION:
		buf_addf(out, "#<function %.*s>", STR_ARG(v.function->name));
		return;
	case VALUE_BUILTIN:
		buf_addf(out, "#<function %s>", v.builtin->name);
		return;
	case VALUE_RULE:
		buf_addf(out, "#<rule %.*s>", STR_ARG(v.rule->name));
		return;
	case VALUE_TARGET:
		buf_addf(out, "(%.*s", STR_ARG(v.target->rule->name));
		if (v.target->npairs)
			buf_addc(out, ' ');
		print_items(v.target->pairs, 2 * v.target->npairs, false, ')', out, end);
		return;
	}
}
