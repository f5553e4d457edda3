#include "wire/json.h"

#include <inttypes.h>

#define MAX_DEPTH 60

static void before_value(struct json *j)
{
	bool in_object = j->depth && (j->kinds & 1);
	CHECK(!in_object || j->after_key);
	/* Values on the top level stand apart: JSON lines. */
	if (j->depth && j->need_comma && !j->after_key)
		buf_addc(j->out, ',');
	j->need_comma = true;
	j->after_key = false;
}

static void begin(struct json *j, bool object)
{
	CHECK(j->depth < MAX_DEPTH);
	before_value(j);
	buf_addc(j->out, object ? '{' : '[');
	j->kinds = j->kinds << 1 | object;
	j->depth++;
	j->need_comma = false;
}

void json_object(struct json *j)
{
	begin(j, true);
}

void json_array(struct json *j)
{
	begin(j, false);
}

void json_end(struct json *j)
{
	CHECK(j->depth && !j->after_key);
	buf_addc(j->out, j->kinds & 1 ? '}' : ']');
	j->kinds >>= 1;
	j->depth--;
	j->need_comma = true;
}

static void add_byte(struct buf *out, unsigned char c)
{
	switch (c) {
	case '"':
		buf_addz(out, "\\\"");
		break;
	case '\\':
		buf_addz(out, "\\\\");
		break;
	case '\n':
		buf_addz(out, "\\n");
		break;
	case '\r':
		buf_addz(out, "\\r");
		break;
	case '\t':
		buf_addz(out, "\\t");
		break;
	default:
		buf_addf(out, "\\u%04x", c);
	}
}

static bool is_plain(unsigned char c)
{
	return c >= 32 && c < 127 && c != '"' && c != '\\';
}

static void add_string(struct buf *out, struct str s)
{
	buf_addc(out, '"');
	while (s.len) {
		size_t n = 0;
		while (n < s.len && is_plain((unsigned char)s.ptr[n]))
			n++;
		buf_add(out, s.ptr, n);
		s = str_drop(s, n);
		if (!s.len)
			break;
		if ((unsigned char)*s.ptr < 128) {
			add_byte(out, (unsigned char)*s.ptr);
			n = 1;
		} else {
			n = str_utf8(s);
			buf_adds(out, n ? str_slice(s, 0, n) : STR("\xef\xbf\xbd"));
			n = MAX(n, (size_t)1);
		}
		s = str_drop(s, n);
	}
	buf_addc(out, '"');
}

void json_key(struct json *j, const char *key)
{
	CHECK(j->depth && (j->kinds & 1) && !j->after_key);
	if (j->need_comma)
		buf_addc(j->out, ',');
	add_string(j->out, str_from(key));
	buf_addc(j->out, ':');
	j->after_key = true;
}

void json_str(struct json *j, struct str s)
{
	before_value(j);
	add_string(j->out, s);
}

void json_strz(struct json *j, const char *s)
{
	json_str(j, str_from(s));
}

void json_int(struct json *j, int64_t v)
{
	before_value(j);
	buf_addf(j->out, "%" PRId64, v);
}

void json_bool(struct json *j, bool v)
{
	before_value(j);
	buf_addz(j->out, v ? "true" : "false");
}

void json_null(struct json *j)
{
	before_value(j);
	buf_addz(j->out, "null");
}
