/* Strings. */
#include "lang/eval_impl.h"

static bool want_strings(struct eval *ev, const struct call *c, const struct value *args, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (args[i].kind != VALUE_STRING)
			return eval_wants(ev, c, args[i], n == 1 ? "a string" : "strings");
	return true;
}

/* Text as `str` makes it: strings as they are, nil as nothing, the rest as it is written. */
static bool add_text(struct eval *ev, const struct call *c, struct value v, struct buf *out)
{
	size_t before = out->len;
	if (v.kind == VALUE_STRING)
		buf_adds(out, v.text);
	else if (v.kind != VALUE_NIL)
		value_print(v, out, 1 << 20);
	return eval_charge(ev, c->place, (out->len - before) / 8 + 1);
}

static bool take(struct eval *ev, const struct call *c, struct buf *b, bool ok, struct value *ret)
{
	ok = ok && eval_make_string(ev, c->place, buf_str(b), ret);
	buf_release(b);
	return ok;
}

static bool text(struct eval *ev, const struct call *c, const struct value *args, uint32_t n, struct value *ret)
{
	struct buf b = {0};
	bool ok = true;
	for (uint32_t i = 0; i < n && ok; i++)
		ok = add_text(ev, c, args[i], &b);
	return take(ev, c, &b, ok, ret);
}

/* (join ", " list) or (join list) */
static bool join(struct eval *ev, const struct call *c, const struct value *args, uint32_t n, struct value *ret)
{
	struct str between = STR("");
	struct value list = args[n - 1];
	struct buf b = {0};
	bool ok = true;
	if (n == 2 && !want_strings(ev, c, args, 1))
		return false;
	if (n == 2)
		between = args[0].text;
	if (list.kind != VALUE_LIST)
		return eval_wants(ev, c, list, "a list");
	for (uint32_t i = 0; i < list.len && ok; i++) {
		if (i)
			buf_adds(&b, between);
		ok = eval_charge(ev, c->place, between.len / 8) && add_text(ev, c, list.items[i], &b);
	}
	return take(ev, c, &b, ok, ret);
}

static bool split(struct eval *ev, const struct call *c, const struct value *args, uint32_t n, struct value *ret)
{
	if (!want_strings(ev, c, args, n))
		return false;
	struct str rest = args[0].text, by = args[1].text;
	if (!by.len)
		return eval_fail(ev, c->place, "\"split\" wants something to split at");
	if (!eval_charge(ev, c->place, rest.len))
		return false;
	Values parts = {0};
	for (size_t at; (at = str_search(rest, by)) < rest.len; rest = str_drop(rest, at + by.len))
		vec_push(&parts, value_at(value_string(str_slice(rest, 0, at)), c->place));
	vec_push(&parts, value_at(value_string(rest), c->place));
	bool ok = eval_take_list(ev, c->place, &parts, ret);
	vec_release(&parts);
	return ok;
}

static bool replace(struct eval *ev, const struct call *c, const struct value *args, uint32_t n, struct value *ret)
{
	if (!want_strings(ev, c, args, n))
		return false;
	struct str rest = args[0].text, old = args[1].text, new = args[2].text;
	if (!old.len)
		return eval_fail(ev, c->place, "\"replace\" wants something to replace");
	struct buf b = {0};
	bool ok = eval_charge(ev, c->place, rest.len);
	for (size_t at; ok && (at = str_search(rest, old)) < rest.len; rest = str_drop(rest, at + old.len)) {
		buf_adds(&b, str_slice(rest, 0, at));
		buf_adds(&b, new);
		ok = eval_charge(ev, c->place, new.len / 8);
	}
	buf_adds(&b, rest);
	return take(ev, c, &b, ok, ret);
}

static bool test(struct eval *ev, const struct call *c, const struct value *args, uint32_t n, struct value *ret)
{
	if (!want_strings(ev, c, args, n) || !eval_charge(ev, c->place, args[0].text.len / 8))
		return false;
	struct str s = args[0].text, part = args[1].text;
	if (c->name[0] == 's')
		*ret = value_bool(str_has_prefix(s, part));
	else if (c->name[0] == 'e')
		*ret = value_bool(str_has_suffix(s, part));
	else
		*ret = value_bool(!part.len || str_search(s, part) < s.len);
	return true;
}

static bool strip(struct eval *ev, const struct call *c, const struct value *args, uint32_t n, struct value *ret)
{
	if (!want_strings(ev, c, args, n))
		return false;
	struct str s = args[0].text, part = args[1].text;
	if (c->name[6] == 'p' && str_has_prefix(s, part))
		s = str_drop(s, part.len);
	else if (c->name[6] == 's' && str_has_suffix(s, part))
		s = str_slice(s, 0, s.len - part.len);
	*ret = value_string(s);
	return true;
}

/* Only ASCII letters change: the rest depends on a language. */
static bool change_case(struct eval *ev, const struct call *c, const struct value *args, uint32_t n, struct value *ret)
{
	if (!want_strings(ev, c, args, n))
		return false;
	bool up = c->name[0] == 'u';
	char from = up ? 'a' : 'A';
	struct buf b = {0};
	buf_adds(&b, args[0].text);
	for (size_t i = 0; i < b.len; i++)
		if (b.ptr[i] >= from && b.ptr[i] < from + 26)
			b.ptr[i] = (char)(b.ptr[i] ^ 32);
	return take(ev, c, &b, true, ret);
}

static bool trim(struct eval *ev, const struct call *c, const struct value *args, uint32_t n, struct value *ret)
{
	if (!want_strings(ev, c, args, n))
		return false;
	*ret = value_string(str_trim(args[0].text));
	return true;
}

/* The offset of character number `i`, or of the end. */
static size_t offset_of(struct str s, int64_t i)
{
	size_t at = 0;
	for (; i > 0 && at < s.len; i--)
		for (at++; at < s.len && ((unsigned char)s.ptr[at] & 0xc0) == 0x80;)
			at++;
	return at;
}

/* (subs s from to), in characters. */
static bool subs(struct eval *ev, const struct call *c, const struct value *args, uint32_t n, struct value *ret)
{
	if (!want_strings(ev, c, args, 1) || !eval_charge(ev, c->place, args[0].text.len / 4))
		return false;
	for (uint32_t i = 1; i < n; i++)
		if (args[i].kind != VALUE_INT || args[i].integer < 0)
			return eval_wants(ev, c, args[i], "positions from 0");
	struct str s = args[0].text;
	int64_t length = (int64_t)str_characters(s), to = n == 3 ? args[2].integer : length;
	if (args[1].integer > to || to > length)
		return eval_fail(ev, c->place, "\"subs\" from %lld to %lld of %lld characters",
		                 (long long)args[1].integer, (long long)to, (long long)length);
	*ret = value_string(str_slice(s, offset_of(s, args[1].integer), offset_of(s, to)));
	return true;
}

static bool name(struct eval *ev, const struct call *c, const struct value *args, uint32_t n, struct value *ret)
{
	(void)n;
	if (args[0].kind != VALUE_KEYWORD && args[0].kind != VALUE_STRING)
		return eval_wants(ev, c, args[0], "a keyword or a string");
	*ret = value_string(args[0].text);
	return true;
}

static bool keyword(struct eval *ev, const struct call *c, const struct value *args, uint32_t n, struct value *ret)
{
	if (!want_strings(ev, c, args, n))
		return false;
	*ret = value_keyword(args[0].text);
	return true;
}

static bool parse_int(struct eval *ev, const struct call *c, const struct value *args, uint32_t n, struct value *ret)
{
	uint64_t v;
	if (!want_strings(ev, c, args, n))
		return false;
	struct str s = args[0].text;
	bool negative = s.len && s.ptr[0] == '-';
	if (!str_to_u64(str_drop(s, negative), &v) || v > (uint64_t)INT64_MAX)
		return eval_wants(ev, c, args[0], "decimal digits");
	*ret = value_int(negative ? -(int64_t)v : (int64_t)v);
	return true;
}

/* (basename "a/b.c") is "b.c", (dirname "a/b.c") is "a", (dirname "b.c") is "". */
static bool path_part(struct eval *ev, const struct call *c, const struct value *args, uint32_t n, struct value *ret)
{
	if (!want_strings(ev, c, args, n))
		return false;
	struct str s = args[0].text;
	size_t slash = str_rfind(s, '/');
	bool has = slash < s.len;
	if (c->name[0] == 'b')
		*ret = value_string(has ? str_drop(s, slash + 1) : s);
	else
		*ret = value_string(has ? str_slice(s, 0, slash) : STR(""));
	return true;
}

const struct builtin builtins_text[] = {
        {"str", 0, -1, text},
        {"join", 1, 2, join},
        {"split", 2, 2, split},
        {"replace", 3, 3, replace},
        {"starts-with?", 2, 2, test},
        {"ends-with?", 2, 2, test},
        {"includes?", 2, 2, test},
        {"strip-prefix", 2, 2, strip},
        {"strip-suffix", 2, 2, strip},
        {"upper-case", 1, 1, change_case},
        {"lower-case", 1, 1, change_case},
        {"trim", 1, 1, trim},
        {"subs", 2, 3, subs},
        {"name", 1, 1, name},
        {"keyword", 1, 1, keyword},
        {"parse-int", 1, 1, parse_int},
        {"basename", 1, 1, path_part},
        {"dirname", 1, 1, path_part},
        {0},
};
