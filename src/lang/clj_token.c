/* Leaves: numbers, symbols, keywords, characters, strings, regular expressions. */
#include <string.h>

#include "lang/clj_impl.h"

struct clj *clj_node(struct clj_reader *r, enum clj_kind kind, size_t offset)
{
	struct clj *c = arena_new(r->arena, struct clj);
	c->kind = (uint8_t)kind;
	c->offset = (uint32_t)offset;
	c->end = (uint32_t)r->at;
	return c;
}

bool clj_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static int digit_value(char c)
{
	if (clj_is_digit(c))
		return c - '0';
	c |= 32;
	return c >= 'a' && c <= 'z' ? c - 'a' + 10 : 99;
}

/* Digits of `base` at the start of `s`. */
static size_t digits(struct str s, int base)
{
	size_t n = 0;
	while (n < s.len && digit_value(s.ptr[n]) < base)
		n++;
	return n;
}

/* Clojure's: integers (0x, 0 octal, 36rXYZ, N), ratios, decimals (M). */
static bool number_is_valid(struct str s)
{
	if (s.len && (s.ptr[0] == '+' || s.ptr[0] == '-'))
		s = str_drop(s, 1);
	size_t n = digits(s, 10);
	struct str rest = str_drop(s, n);
	if (!n)
		return false;
	if (!rest.len || str_eqc(rest, "N"))
		return s.ptr[0] != '0' || digits(s, 8) == n;
	if (n == 1 && s.ptr[0] == '0' && (rest.ptr[0] | 32) == 'x') {
		size_t hex = digits(str_drop(rest, 1), 16);
		rest = str_drop(rest, 1 + hex);
		return hex && (!rest.len || str_eqc(rest, "N"));
	}
	if ((rest.ptr[0] | 32) == 'r') {
		uint64_t base;
		return str_to_u64(str_slice(s, 0, n), &base) && base >= 2 && base <= 36 && rest.len > 1 &&
		       digits(str_drop(rest, 1), (int)base) == rest.len - 1;
	}
	if (rest.ptr[0] == '/')
		return rest.len > 1 && digits(str_drop(rest, 1), 10) == rest.len - 1;
	if (rest.ptr[0] == '.')
		rest = str_drop(rest, 1 + digits(str_drop(rest, 1), 10));
	if (rest.len && (rest.ptr[0] | 32) == 'e') {
		rest = str_drop(rest, 1);
		if (rest.len && (rest.ptr[0] == '+' || rest.ptr[0] == '-'))
			rest = str_drop(rest, 1);
		n = digits(rest, 10);
		if (!n)
			return false;
		rest = str_drop(rest, n);
	}
	return !rest.len || str_eqc(rest, "M");
}

bool clj_read_number(struct clj_reader *r, struct clj **ret)
{
	size_t begin = r->at;
	r->at = clj_number_end(r, begin);
	struct str text = str_slice(r->text, begin, r->at);
	if (!number_is_valid(text))
		return clj_fail(r, begin, "\"%.*s\" is not a number", STR_ARG(text));
	*ret = clj_node(r, CLJ_NUMBER, begin);
	(*ret)->text = text;
	return true;
}

/* What stands in a symbol or keyword, without leading colons. */
bool clj_name_is_valid(struct str s)
{
	if (!s.len || s.ptr[s.len - 1] == ':')
		return false;
	if (str_search(s, STR("::")) < s.len || str_search(s, STR(":/")) < s.len)
		return false;
	if (str_eqc(s, "/"))
		return true;
	if (s.ptr[0] == '/')
		return false;
	return s.ptr[s.len - 1] != '/' || str_has_suffix(s, STR("//"));
}

bool clj_read_token(struct clj_reader *r, struct clj **ret)
{
	size_t begin = r->at;
	r->at = MAX(clj_token_end(r, begin), begin + 1);
	struct str whole = str_slice(r->text, begin, r->at), text = whole;
	bool keyword = text.ptr[0] == ':';
	bool resolved = keyword && text.len > 1 && text.ptr[1] == ':';
	text = str_drop(text, resolved ? 2 : keyword ? 1 : 0);
	if (!clj_name_is_valid(text) || (resolved && r->flags & CLJ_EDN))
		return clj_fail(r, begin, "\"%.*s\" is neither symbol nor keyword", STR_ARG(whole));
	*ret = clj_node(r, keyword ? CLJ_KEYWORD : CLJ_SYMBOL, begin);
	(*ret)->resolved = resolved;
	(*ret)->text = text;
	return true;
}

/* `n` digits of `base` make a character: its value. */
static bool char_code(struct str s, int base, uint32_t *ret)
{
	uint32_t v = 0;
	for (size_t i = 0; i < s.len; i++) {
		int d = digit_value(s.ptr[i]);
		if (d >= base)
			return false;
		v = v * (uint32_t)base + (uint32_t)d;
	}
	*ret = v;
	return s.len > 0;
}

static bool char_is_valid(struct str s)
{
	static const char *const names[] = {"newline", "space", "tab", "backspace", "formfeed", "return"};
	uint32_t code;
	if (s.len && str_characters(s) == 1)
		return true;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (str_eqc(s, names[i]))
			return true;
	if (s.len == 5 && s.ptr[0] == 'u')
		return char_code(str_drop(s, 1), 16, &code) && (code < 0xd800 || code > 0xdfff);
	return s.len >= 2 && s.len <= 4 && s.ptr[0] == 'o' && char_code(str_drop(s, 1), 8, &code) && code <= 0377;
}

bool clj_read_char(struct clj_reader *r, struct clj **ret)
{
	size_t begin = r->at, n;
	if (begin + 1 >= r->text.len)
		return clj_fail(r, begin, "a character must follow \"\\\"");
	n = MAX(str_utf8(str_drop(r->text, begin + 1)), (size_t)1);
	r->at = clj_token_end(r, begin + 1 + n);
	struct str text = str_slice(r->text, begin + 1, r->at);
	if (!char_is_valid(text))
		return clj_fail(r, begin, "\"\\%.*s\" is not a character", STR_ARG(text));
	*ret = clj_node(r, CLJ_CHAR, begin);
	(*ret)->text = text;
	return true;
}

/* `s` begins behind a backslash. Returns how many bytes belong to the escape, 0 for none that Clojure knows. */
static size_t unescape(struct str s, struct buf *b)
{
	static const char from[] = "tnrbf\"\\", to[] = "\t\n\r\b\f\"\\";
	const char *known = s.ptr[0] ? strchr(from, s.ptr[0]) : NULL;
	uint32_t code;
	if (known) {
		buf_addc(b, to[known - from]);
		return 1;
	}
	/* A surrogate stands for itself, as in Java: the pair comes as two escapes. Nothing here depends on it. */
	if (s.ptr[0] == 'u' && s.len >= 5 && char_code(str_slice(s, 1, 5), 16, &code)) {
		buf_add_utf8(b, code);
		return 5;
	}
	size_t octal = MIN(digits(s, 8), (size_t)3);
	if (octal && char_code(str_slice(s, 0, octal), 8, &code) && code <= 0377) {
		buf_add_utf8(b, code);
		return octal;
	}
	return 0;
}

bool clj_read_string(struct clj_reader *r, struct clj **ret)
{
	size_t begin = r->at;
	if (!clj_string_end(r, begin, &r->at))
		return clj_unclosed(r, begin, "\"");
	struct str raw = str_slice(r->text, begin + 1, r->at - 1);
	*ret = clj_node(r, CLJ_STRING, begin);
	(*ret)->text = raw;
	if (str_find(raw, '\\') == raw.len)
		return true;
	buf_clear(&r->unescaped);
	for (size_t i = 0; i < raw.len;) {
		if (raw.ptr[i] != '\\') {
			buf_addc(&r->unescaped, raw.ptr[i++]);
			continue;
		}
		size_t n = unescape(str_drop(raw, i + 1), &r->unescaped);
		if (!n)
			return clj_fail(r, begin + 1 + i, "\"\\%c\" is no escape in a string", raw.ptr[i + 1]);
		i += 1 + n;
	}
	(*ret)->text = str_dup(r->arena, buf_str(&r->unescaped));
	return true;
}

bool clj_read_regex(struct clj_reader *r, struct clj **ret)
{
	size_t begin = r->at;
	if (!clj_string_end(r, begin + 1, &r->at))
		return clj_unclosed(r, begin, "#\"");
	*ret = clj_node(r, CLJ_REGEX, begin);
	(*ret)->text = str_slice(r->text, begin + 2, r->at - 1);
	return true;
}
