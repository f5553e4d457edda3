#include "wire/json_read.h"

struct reader {
	struct arena *arena;
	struct str text;
	size_t at;
	struct err *err;
	/* The open arrays and objects, and the last member of each. */
	struct json_value *open[JSON_DEPTH], *last[JSON_DEPTH];
	unsigned depth;
};

static bool bad(struct reader *r, const char *what)
{
	return err_set(r->err, ERR_USER, "bad JSON at byte %zu: %s", r->at, what);
}

static char peek(const struct reader *r)
{
	return r->at < r->text.len ? r->text.ptr[r->at] : 0;
}

static void skip_space(struct reader *r)
{
	while (r->at < r->text.len && strchr(" \t\r\n", r->text.ptr[r->at]) && r->text.ptr[r->at])
		r->at++;
}

static bool take_word(struct reader *r, struct str word)
{
	if (!str_has_prefix(str_drop(r->text, r->at), word))
		return false;
	r->at += word.len;
	return true;
}

static size_t take_digits(struct reader *r)
{
	size_t from = r->at;
	while (peek(r) >= '0' && peek(r) <= '9')
		r->at++;
	return r->at - from;
}

static bool read_number(struct reader *r, struct json_value *v)
{
	size_t from = r->at;
	if (peek(r) == '-')
		r->at++;
	bool zero = peek(r) == '0';
	size_t digits = take_digits(r);
	if (!digits || (zero && digits > 1))
		return bad(r, "no number");
	if (peek(r) == '.') {
		r->at++;
		if (!take_digits(r))
			return bad(r, "no digit after the point");
	}
	if (peek(r) == 'e' || peek(r) == 'E') {
		r->at++;
		if (peek(r) == '+' || peek(r) == '-')
			r->at++;
		if (!take_digits(r))
			return bad(r, "no digit in the exponent");
	}
	v->kind = JSON_NUMBER;
	v->text = str_slice(r->text, from, r->at);
	return true;
}

static bool take_hex(struct reader *r, uint32_t *ret)
{
	*ret = 0;
	for (int i = 0; i < 4; i++, r->at++) {
		char c = peek(r);
		if (c >= '0' && c <= '9')
			*ret = *ret * 16 + (uint32_t)(c - '0');
		else if ((c | 32) >= 'a' && (c | 32) <= 'f')
			*ret = *ret * 16 + (uint32_t)((c | 32) - 'a') + 10;
		else
			return bad(r, "no hexadecimal digit");
	}
	return true;
}

/* Behind "\u". A pair of surrogates is one character. */
static bool read_unicode(struct reader *r, struct buf *out)
{
	uint32_t c, low;
	if (!take_hex(r, &c))
		return false;
	if (c >= 0xdc00 && c < 0xe000)
		return bad(r, "half a surrogate pair");
	if (c >= 0xd800 && c < 0xdc00) {
		if (!take_word(r, STR("\\u")) || !take_hex(r, &low) || low < 0xdc00 || low >= 0xe000)
			return bad(r, "half a surrogate pair");
		c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
	}
	buf_add_utf8(out, c);
	return true;
}

static bool read_escape(struct reader *r, struct buf *out)
{
	static const char letters[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
	char c = peek(r);
	const char *at = c ? strchr(letters, c) : NULL;
	if (c != 'u' && !at)
		return bad(r, "no such escape");
	r->at++;
	if (at)
		buf_addc(out, meant[at - letters]);
	return at || read_unicode(r, out);
}

/* Behind the opening quote. */
static bool read_string(struct reader *r, struct str *ret)
{
	struct buf b = {0};
	bool ok = true;
	for (;;) {
		char c = peek(r);
		size_t n = str_utf8(str_drop(r->text, r->at));
		if (r->at == r->text.len)
			ok = bad(r, "the string has no end");
		else if (c == '"')
			break;
		else if (!n || (unsigned char)c < 32)
			ok = bad(r, "a character that no string may have");
		if (!ok)
			break;
		if (c == '\\') {
			r->at++;
			ok = read_escape(r, &b);
			if (!ok)
				break;
			continue;
		}
		buf_add(&b, r->text.ptr + r->at, n);
		r->at += n;
	}
	if (ok) {
		r->at++;
		*ret = str_dup(r->arena, buf_str(&b));
	}
	buf_release(&b);
	return ok;
}

static bool has_member(const struct json_value *object, struct str name)
{
	for (const struct json_value *m = object->first; m; m = m->next)
		if (str_eq(m->name, name))
			return true;
	return false;
}

/* Hangs a new value into what is open. */
static bool new_value(struct reader *r, struct json_value **ret)
{
	struct json_value *v = arena_new(r->arena, struct json_value);
	*ret = v;
	if (!r->depth)
		return true;
	struct json_value *in = r->open[r->depth - 1], **last = &r->last[r->depth - 1];
	if (in->kind == JSON_OBJECT) {
		if (peek(r) != '"')
			return bad(r, "a member needs a name");
		r->at++;
		if (!read_string(r, &v->name))
			return false;
		if (has_member(in, v->name))
			return bad(r, "a name stands twice in one object");
		skip_space(r);
		if (!take_word(r, STR(":")))
			return bad(r, "':' is missing");
		skip_space(r);
	}
	*(*last ? &(*last)->next : &in->first) = v;
	*last = v;
	return true;
}

/* Reads a value that is not made of others, or opens one that is. */
static bool begin_value(struct reader *r, struct json_value **ret)
{
	struct json_value *v;
	if (!new_value(r, &v))
		return false;
	*ret = v;
	switch (peek(r)) {
	case '"':
		r->at++;
		v->kind = JSON_STRING;
		return read_string(r, &v->text);
	case '[':
	case '{':
		if (r->depth == JSON_DEPTH)
			return bad(r, "too many open brackets");
		v->kind = peek(r) == '[' ? JSON_ARRAY : JSON_OBJECT;
		r->open[r->depth] = v;
		r->last[r->depth++] = NULL;
		r->at++;
		return true;
	case 't':
		v->kind = JSON_TRUE;
		return take_word(r, STR("true")) || bad(r, "no value");
	case 'f':
		v->kind = JSON_FALSE;
		return take_word(r, STR("false")) || bad(r, "no value");
	case 'n':
		v->kind = JSON_NULL;
		return take_word(r, STR("null")) || bad(r, "no value");
	default:
		return read_number(r, v);
	}
}

/* After a value, or an opening bracket: closes what ends here. *ret_more: another value follows. */
static bool close_values(struct reader *r, bool just_opened, bool *ret_more)
{
	for (*ret_more = false; r->depth; just_opened = false) {
		struct json_value *in = r->open[r->depth - 1];
		skip_space(r);
		if (peek(r) == (in->kind == JSON_ARRAY ? ']' : '}')) {
			r->at++;
			r->depth--;
			continue;
		}
		if (!just_opened && !take_word(r, STR(",")))
			return bad(r, "',' or a closing bracket is missing");
		skip_space(r);
		*ret_more = true;
		return true;
	}
	return true;
}

bool json_read(struct arena *a, struct str text, struct json_value **ret, struct err *err)
{
	struct reader r = {.arena = a, .text = text, .err = err};
	struct json_value *root = NULL, *v;
	bool more = true;
	skip_space(&r);
	while (more) {
		unsigned before = r.depth;
		if (!begin_value(&r, &v))
			return false;
		root = root ? root : v;
		if (!close_values(&r, r.depth > before, &more))
			return false;
	}
	skip_space(&r);
	if (r.at != text.len)
		return bad(&r, "something follows the value");
	*ret = root;
	return true;
}

const struct json_value *json_member(const struct json_value *v, const char *name)
{
	for (const struct json_value *m = v && v->kind == JSON_OBJECT ? v->first : NULL; m; m = m->next)
		if (str_eqc(m->name, name))
			return m;
	return NULL;
}

bool json_integer(const struct json_value *v, int64_t *ret)
{
	if (!v || v->kind != JSON_NUMBER)
		return false;
	bool negative = v->text.ptr[0] == '-';
	uint64_t n;
	if (!str_to_u64(str_drop(v->text, negative), &n) || n > (uint64_t)INT64_MAX)
		return false;
	*ret = negative ? -(int64_t)n : (int64_t)n;
	return true;
}
