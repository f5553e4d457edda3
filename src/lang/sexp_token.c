/* Tokens: strings, numbers, keywords, symbols, characters, and what stands between them. */
#include <stdarg.h>

#include "lang/sexp_impl.h"

const uint8_t sexp_classes[256] = {
        ['\t'] = SPACE | ENDS, ['\n'] = SPACE | ENDS, ['\v'] = SPACE | ENDS, ['\f'] = SPACE | ENDS,
        ['\r'] = SPACE | ENDS, [' '] = SPACE | ENDS,  ['('] = ENDS,          [')'] = ENDS,
        ['['] = ENDS,          [']'] = ENDS,          ['{'] = ENDS,          ['}'] = ENDS,
        ['"'] = ENDS,          [';'] = ENDS,          ['\''] = MARK,         ['`'] = MARK,
        [','] = MARK,          ['|'] = SPECIAL,       ['\\'] = SPECIAL,
};

/* `at` stands on a newline. */
static void newline(struct reader *r)
{
	r->line++;
	r->col_at = r->at + 1;
	r->col = 1;
}

size_t token_bom(struct str text)
{
	return str_has_prefix(text, STR("\xef\xbb\xbf")) ? 3 : 0;
}

/* Errors end the reading, so their place may be found from the start of the text. */
bool token_fail(struct reader *r, size_t offset, const char *fmt, ...)
{
	struct buf message = {0};
	va_list ap;
	va_start(ap, fmt);
	buf_addv(&message, fmt, ap);
	va_end(ap);
	err_set(r->err, ERR_USER, "%s", buf_cstr(&message));
	buf_release(&message);

	struct str before = str_slice(r->text, 0, offset), rest;
	uint32_t line = 1, col = 1;
	size_t start = str_rfind(before, '\n');
	start = start < before.len ? start + 1 : token_bom(before);
	for (size_t i = 0; i < start; i++)
		line += r->text.ptr[i] == '\n';
	for (size_t i = start; i < offset; i++)
		col += ((unsigned char)r->text.ptr[i] & 0xc0) != 0x80;
	rest = str_drop(r->text, start);
	err_at(r->err, r->path, line, col, str_slice(rest, 0, str_find(rest, '\n')));
	return false;
}

static bool skip_block_comment(struct reader *r)
{
	size_t start = r->at;
	uint32_t line = r->line, col = column(r, r->at), depth = 0;
	while (r->at < r->text.len) {
		char c = r->text.ptr[r->at], next = peek(r, 1);
		if (c == '\n')
			newline(r);
		if ((c == '#' && next == '|') || (c == '|' && next == '#')) {
			r->at += 2;
			if (c == '#')
				depth++;
			else if (--depth == 0)
				return true;
		} else {
			r->at++;
		}
	}
	return token_fail(r, start, "comment \"#|\" opened at %u:%u is never closed", line, col);
}

/* Leaves `at` on the next thing that means something, or at the end. */
bool token_skip_space(struct reader *r)
{
	while (r->at < r->text.len) {
		char c = r->text.ptr[r->at];
		if (class_of(c) & SPACE || (c == ',' && r->mode == SEXP_BUILD)) {
			if (c == '\n')
				newline(r);
			r->at++;
		} else if (c == ';') {
			r->at += str_find(str_drop(r->text, r->at), '\n');
		} else if (c == '#' && peek(r, 1) == '|') {
			if (!skip_block_comment(r))
				return false;
		} else {
			break;
		}
	}
	return true;
}

static bool hex4(struct str s, uint32_t *ret)
{
	uint32_t v = 0;
	if (s.len < 4)
		return false;
	for (size_t i = 0; i < 4; i++) {
		char c = s.ptr[i];
		uint32_t digit;
		if (c >= '0' && c <= '9')
			digit = (uint32_t)(c - '0');
		else if ((c | 32) >= 'a' && (c | 32) <= 'f')
			digit = (uint32_t)((c | 32) - 'a' + 10);
		else
			return false;
		v = v << 4 | digit;
	}
	*ret = v;
	return v && (v < 0xd800 || v > 0xdfff);
}

/* `at` stands on a backslash that is not the last byte; leaves it behind the escape. */
static bool read_escape(struct reader *r)
{
	char c = peek(r, 1);
	struct buf *b = &r->unescaped;
	uint32_t code;
	r->at++;
	if (is_lisp(r) || c == '"' || c == '\\') {
		if (c == '\n')
			newline(r);
		buf_addc(b, c);
	} else if (c == 'n') {
		buf_addc(b, '\n');
	} else if (c == 't') {
		buf_addc(b, '\t');
	} else if (c == 'r') {
		buf_addc(b, '\r');
	} else if (c == 'u' && hex4(str_drop(r->text, r->at + 1), &code)) {
		buf_add_utf8(b, code);
		r->at += 4;
	} else if (c == 'u') {
		return token_fail(r, r->at - 1, "\"\\u\" wants four hexadecimal digits that name a character");
	} else {
		size_t n = str_utf8(str_drop(r->text, r->at));
		token_fail(r, r->at - 1, "unknown escape \"\\%.*s\"", (int)n, r->text.ptr + r->at);
		err_note(r->err, "strings have the escapes \\\" \\\\ \\n \\t \\r \\uXXXX");
		return false;
	}
	r->at++;
	return true;
}

struct sexp *token_node(struct reader *r, uint8_t kind, size_t offset, uint32_t line, uint32_t col)
{
	struct sexp *s = arena_new(r->arena, struct sexp);
	s->kind = kind;
	s->line = line;
	s->col = col;
	s->offset = (uint32_t)offset;
	s->end = (uint32_t)r->at;
	return s;
}

/* `at` stands on the opening quote; leaves it behind the closing one. Counts lines, but collects only what has escapes:
 * other strings are a slice of the text. */
bool token_string(struct reader *r, struct sexp **ret)
{
	size_t start = r->at, run = ++r->at;
	uint32_t line = r->line, col = column(r, start);
	buf_clear(&r->unescaped);
	bool escaped = false;
	for (;;) {
		char c = 0;
		while (r->at < r->text.len && (c = r->text.ptr[r->at]) != '"' && c != '\\' && c != '\n')
			r->at++;
		if (r->at >= r->text.len || (c == '\\' && r->at + 1 == r->text.len))
			return token_fail(r, start, "string opened at %u:%u is never closed", line, col);
		if (c == '"')
			break;
		if (c == '\n') {
			if (r->mode == SEXP_BUILD)
				return token_fail(r, start, "string opened at %u:%u is not closed on its line", line,
				                  col);
			newline(r);
			r->at++;
			continue;
		}
		escaped = true;
		buf_add(&r->unescaped, r->text.ptr + run, r->at - run);
		if (!read_escape(r))
			return false;
		run = r->at;
	}
	struct str text = str_slice(r->text, run, r->at);
	if (escaped) {
		buf_adds(&r->unescaped, text);
		text = str_dup(r->arena, buf_str(&r->unescaped));
	}
	r->at++;
	*ret = token_node(r, SEXP_STRING, start, line, col);
	(*ret)->text = text;
	return true;
}

/* Leaves `at` behind the token. In Lisp mode "|" and "\" make any character part of it. */
bool token_skip(struct reader *r)
{
	uint8_t ends = is_lisp(r) ? ENDS | MARK : ENDS;
	size_t start = r->at, bar = start;
	bool bars = false;
	for (; r->at < r->text.len; r->at++) {
		char c = r->text.ptr[r->at];
		uint8_t class = class_of(c);
		if (!class && !bars)
			continue;
		if (is_lisp(r) && c == '|') {
			bars = !bars;
			bar = r->at;
		} else if (is_lisp(r) && c == '\\') {
			if (++r->at == r->text.len)
				return token_fail(r, r->at - 1, "backslash with nothing behind it");
			c = r->text.ptr[r->at];
		} else if (!bars && (class & ends || c == ',')) {
			return true;
		}
		if (c == '\n')
			newline(r);
	}
	return bars ? token_fail(r, bar, "symbol in \"|\" is never closed") : true;
}

/* Decimal digits with a sign or none: false if it is something else. Sets *ret_fits to whether it has 64 bits. */
static bool parse_integer(struct str s, int64_t *ret, bool *ret_fits)
{
	bool negative = s.len && s.ptr[0] == '-';
	uint64_t v = 0;
	if (s.len && (s.ptr[0] == '-' || s.ptr[0] == '+'))
		s = str_drop(s, 1);
	if (!s.len || s.ptr[0] < '0' || s.ptr[0] > '9')
		return false;
	for (size_t i = 1; i < s.len; i++)
		if (s.ptr[i] < '0' || s.ptr[i] > '9')
			return false;
	*ret_fits = str_to_u64(s, &v) && v <= (uint64_t)INT64_MAX + negative;
	*ret = negative ? (int64_t)(0 - v) : (int64_t)v;
	return true;
}

bool token_read(struct reader *r, struct sexp **ret)
{
	size_t start = r->at;
	uint32_t col = column(r, start), line = r->line;
	if (!token_skip(r))
		return false;
	struct str text = str_slice(r->text, start, r->at);
	int64_t integer;
	bool fits;
	if (parse_integer(text, &integer, &fits)) {
		if (!fits)
			return token_fail(r, start, "integer of more than 64 bits");
		*ret = token_node(r, SEXP_INT, start, line, col);
		(*ret)->integer = integer;
	} else if (text.len > 1 && text.ptr[0] == ':') {
		*ret = token_node(r, SEXP_KEYWORD, start, line, col);
		(*ret)->text = str_drop(text, 1);
	} else {
		*ret = token_node(r, SEXP_SYMBOL, start, line, col);
		(*ret)->text = text;
	}
	return true;
}

/* Leaves `at`, which stands on "#\", behind the name: the first character may be one that ends tokens. */
bool token_skip_character(struct reader *r)
{
	size_t n = str_utf8(str_drop(r->text, r->at + 2));
	if (!n)
		return token_fail(r, r->at, "no character follows \"#\\\"");
	r->at += 2;
	if (peek(r, 0) == '\n')
		newline(r);
	r->at += n;
	while (r->at < r->text.len && !(class_of(r->text.ptr[r->at]) & (ENDS | MARK)))
		r->at++;
	return true;
}

/* #\x and #\Space are symbols, as written. */
bool token_character(struct reader *r, struct sexp **ret)
{
	size_t start = r->at;
	uint32_t line = r->line, col = column(r, start);
	if (!token_skip_character(r))
		return false;
	*ret = token_node(r, SEXP_SYMBOL, start, line, col);
	(*ret)->text = str_slice(r->text, start, r->at);
	return true;
}

/* `at` stands on the opening quote; leaves it behind the closing one. */
bool token_skip_string(struct reader *r)
{
	size_t start = r->at++;
	uint32_t line = r->line, col = column(r, start);
	for (; r->at < r->text.len; r->at++) {
		char c = r->text.ptr[r->at];
		if (c == '"') {
			r->at++;
			return true;
		}
		if (c == '\\' && r->at + 1 < r->text.len)
			c = r->text.ptr[++r->at];
		if (c == '\n')
			newline(r);
	}
	return token_fail(r, start, "string opened at %u:%u is never closed", line, col);
}
