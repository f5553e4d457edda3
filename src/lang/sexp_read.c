#include <stdarg.h>
#include <stdlib.h>

#include "lang/sexp.h"

/* An open bracket: its items stand on the item stack from `first` on. */
struct open {
	uint8_t kind;
	char close; /* 0: 'x, which closes after one item, or the list of all forms */
	uint32_t line, col, offset;
	size_t first;
};

struct reader {
	struct arena *arena;
	struct str path, text;
	enum sexp_mode mode;
	size_t depth;  /* brackets inside so many others are not read */
	bool ascii;    /* all of the text: columns are differences of offsets */
	size_t at;     /* offset of the next byte */
	uint32_t line; /* of `at` */
	size_t col_at; /* an offset in that line, and its column: counting goes on from there */
	uint32_t col;
	Vec(struct open) open;
	Vec(struct sexp *) items;
	struct buf unescaped;
	struct err *err;
};

enum { SPACE = 1, ENDS = 2, MARK = 4, SPECIAL = 8 };

/* SPACE: white space. ENDS: ends a token in both modes, MARK: in Lisp mode only. SPECIAL: a token's scan looks at it.
 */
static const uint8_t classes[256] = {
        ['\t'] = SPACE | ENDS, ['\n'] = SPACE | ENDS, ['\v'] = SPACE | ENDS, ['\f'] = SPACE | ENDS,
        ['\r'] = SPACE | ENDS, [' '] = SPACE | ENDS,  ['('] = ENDS,          [')'] = ENDS,
        ['['] = ENDS,          [']'] = ENDS,          ['{'] = ENDS,          ['}'] = ENDS,
        ['"'] = ENDS,          [';'] = ENDS,          ['\''] = MARK,         ['`'] = MARK,
        [','] = MARK,          ['|'] = SPECIAL,       ['\\'] = SPECIAL,
};

static uint8_t class_of(char c)
{
	return classes[(unsigned char)c];
}

static bool is_lisp(const struct reader *r)
{
	return r->mode != SEXP_BUILD;
}

static char peek(const struct reader *r, size_t ahead)
{
	return r->at + ahead < r->text.len ? r->text.ptr[r->at + ahead] : 0;
}

/* Columns count characters: bytes that do not continue one. Offsets of one line are asked in rising order. */
static uint32_t column(struct reader *r, size_t offset)
{
	if (r->ascii)
		return r->col + (uint32_t)(offset - r->col_at);
	for (; r->col_at < offset; r->col_at++)
		r->col += ((unsigned char)r->text.ptr[r->col_at] & 0xc0) != 0x80;
	return r->col;
}

/* `at` stands on a newline. */
static void newline(struct reader *r)
{
	r->line++;
	r->col_at = r->at + 1;
	r->col = 1;
}

static size_t bom_length(struct str text)
{
	return str_has_prefix(text, STR("\xef\xbb\xbf")) ? 3 : 0;
}

/* Errors end the reading, so their place may be found from the start of the text. */
static bool fail(struct reader *r, size_t offset, const char *fmt, ...) PRINTF_LIKE(3, 4);
static bool fail(struct reader *r, size_t offset, const char *fmt, ...)
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
	start = start < before.len ? start + 1 : bom_length(before);
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
	return fail(r, start, "comment \"#|\" opened at %u:%u is never closed", line, col);
}

/* Leaves `at` on the next thing that means something, or at the end. */
static bool skip_space(struct reader *r)
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
		return fail(r, r->at - 1, "\"\\u\" wants four hexadecimal digits that name a character");
	} else {
		size_t n = str_utf8(str_drop(r->text, r->at));
		fail(r, r->at - 1, "unknown escape \"\\%.*s\"", (int)n, r->text.ptr + r->at);
		err_note(r->err, "strings have the escapes \\\" \\\\ \\n \\t \\r \\uXXXX");
		return false;
	}
	r->at++;
	return true;
}

static struct sexp *new_node(struct reader *r, uint8_t kind, size_t offset, uint32_t line, uint32_t col)
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
static bool read_string(struct reader *r, struct sexp **ret)
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
			return fail(r, start, "string opened at %u:%u is never closed", line, col);
		if (c == '"')
			break;
		if (c == '\n') {
			if (r->mode == SEXP_BUILD)
				return fail(r, start, "string opened at %u:%u is not closed on its line", line, col);
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
	*ret = new_node(r, SEXP_STRING, start, line, col);
	(*ret)->text = text;
	return true;
}

/* Leaves `at` behind the token. In Lisp mode "|" and "\" make any character part of it. */
static bool scan_token(struct reader *r)
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
				return fail(r, r->at - 1, "backslash with nothing behind it");
			c = r->text.ptr[r->at];
		} else if (!bars && (class & ends || c == ',')) {
			return true;
		}
		if (c == '\n')
			newline(r);
	}
	return bars ? fail(r, bar, "symbol in \"|\" is never closed") : true;
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

static bool read_token(struct reader *r, struct sexp **ret)
{
	size_t start = r->at;
	uint32_t col = column(r, start), line = r->line;
	if (!scan_token(r))
		return false;
	struct str text = str_slice(r->text, start, r->at);
	int64_t integer;
	bool fits;
	if (parse_integer(text, &integer, &fits)) {
		if (!fits)
			return fail(r, start, "integer of more than 64 bits");
		*ret = new_node(r, SEXP_INT, start, line, col);
		(*ret)->integer = integer;
	} else if (text.len > 1 && text.ptr[0] == ':') {
		*ret = new_node(r, SEXP_KEYWORD, start, line, col);
		(*ret)->text = str_drop(text, 1);
	} else {
		*ret = new_node(r, SEXP_SYMBOL, start, line, col);
		(*ret)->text = text;
	}
	return true;
}

static void push_open(struct reader *r, enum sexp_kind kind, char close)
{
	vec_push(&r->open, (struct open){.kind = (uint8_t)kind,
	                                 .close = close,
	                                 .line = r->line,
	                                 .col = column(r, r->at),
	                                 .offset = (uint32_t)r->at,
	                                 .first = r->items.len});
}

static void close_list(struct reader *r)
{
	struct open o = vec_pop(&r->open);
	struct sexp *s = new_node(r, o.kind, o.offset, o.line, o.col);
	s->len = (uint32_t)(r->items.len - o.first);
	s->items = arena_new_n(r->arena, struct sexp *, s->len);
	if (s->len)
		memcpy(s->items, r->items.ptr + o.first, s->len * sizeof(struct sexp *));
	r->items.len = o.first;
	vec_push(&r->items, s);
}

/* A value is complete and stands on the item stack: quotes that waited for it close. */
static bool value_done(struct reader *r)
{
	while (r->open.len && !vec_last(&r->open).close)
		close_list(r);
	return true;
}

static bool fail_empty_quote(struct reader *r, const struct open *o)
{
	return fail(r, o->offset, "nothing follows the quote");
}

static bool read_close(struct reader *r, char c)
{
	if (!r->open.len)
		return fail(r, r->at, "unexpected '%c': no bracket is open", c);
	const struct open *o = &vec_last(&r->open);
	if (!o->close)
		return fail_empty_quote(r, o);
	if (o->close != c)
		return fail(r, r->at, "unexpected '%c': '%c' opened at %u:%u wants '%c'", c, r->text.ptr[o->offset],
		            o->line, o->col, o->close);
	r->at++;
	close_list(r);
	return value_done(r);
}

/* 'x is read as (quote x). */
static bool open_quote(struct reader *r, struct str name, size_t length)
{
	push_open(r, SEXP_LIST, 0);
	struct sexp *s = new_node(r, SEXP_SYMBOL, r->at, r->line, column(r, r->at));
	s->text = name;
	s->end = (uint32_t)(r->at + length);
	vec_push(&r->items, s);
	r->at += length;
	return true;
}

/* Leaves `at`, which stands on "#\", behind the name: the first character may be one that ends tokens. */
static bool scan_character(struct reader *r)
{
	size_t n = str_utf8(str_drop(r->text, r->at + 2));
	if (!n)
		return fail(r, r->at, "no character follows \"#\\\"");
	r->at += 2;
	if (peek(r, 0) == '\n')
		newline(r);
	r->at += n;
	while (r->at < r->text.len && !(class_of(r->text.ptr[r->at]) & (ENDS | MARK)))
		r->at++;
	return true;
}

/* #\x and #\Space are symbols, as written. */
static bool read_character(struct reader *r, struct sexp **ret)
{
	size_t start = r->at;
	uint32_t line = r->line, col = column(r, start);
	if (!scan_character(r))
		return false;
	*ret = new_node(r, SEXP_SYMBOL, start, line, col);
	(*ret)->text = str_slice(r->text, start, r->at);
	return true;
}

static bool fail_hash(struct reader *r)
{
	char c = peek(r, 1);
	if (c == '+' || c == '-')
		return fail(r, r->at, "\"#%c\" can't be used here: conditions on features are not read", c);
	if (c == '.')
		return fail(r, r->at, "\"#.\" can't be used here: nothing is evaluated while reading");
	size_t n = str_utf8(str_drop(r->text, r->at + 1));
	return fail(r, r->at, "\"#%.*s\" can't be used here", (int)n, r->text.ptr + r->at + 1);
}

static bool read_atom(struct reader *r)
{
	char c = r->text.ptr[r->at], next = peek(r, 1);
	struct sexp *s = NULL;
	bool ok;
	if (c == '"')
		ok = read_string(r, &s);
	else if (c != '#')
		ok = read_token(r, &s);
	else if (is_lisp(r) && next == '\\')
		ok = read_character(r, &s);
	else if (is_lisp(r) && next == ':')
		ok = read_token(r, &s);
	else if (r->mode == SEXP_SOURCE && next && strchr("bBoOxX*", next))
		ok = read_token(r, &s);
	else
		ok = fail_hash(r);
	if (!ok)
		return false;
	vec_push(&r->items, s);
	return value_done(r);
}

/* `at` stands on the opening quote; leaves it behind the closing one. */
static bool skip_string(struct reader *r)
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
	return fail(r, start, "string opened at %u:%u is never closed", line, col);
}

/* `at` stands on an opening bracket; leaves it behind the one that closes it. */
static bool read_unread(struct reader *r)
{
	size_t start = r->at, depth = 0;
	uint32_t line = r->line, col = column(r, start);
	do {
		char c = peek(r, 0);
		bool ok = true;
		if (r->at == r->text.len)
			return fail(r, start, "'%c' opened at %u:%u is never closed", r->text.ptr[start], line, col);
		if (c == '"')
			ok = skip_string(r);
		else if (class_of(c) & (ENDS | MARK))
			r->at++;
		else if (is_lisp(r) && c == '#' && peek(r, 1) == '\\')
			ok = scan_character(r);
		else
			ok = scan_token(r);
		if (c == '(' || c == '[' || c == '{')
			depth++;
		else if (c == ')' || c == ']' || c == '}')
			depth--;
		if (!ok || (depth && !skip_space(r)))
			return false;
	} while (depth);
	struct sexp *s = new_node(r, SEXP_UNREAD, start, line, col);
	s->text = str_slice(r->text, start, r->at);
	vec_push(&r->items, s);
	return value_done(r);
}

/* One bracket, one quote or one atom. `at` stands on its first byte. */
static bool read_one(struct reader *r)
{
	char c = r->text.ptr[r->at], next = peek(r, 1);
	if ((c == '(' || c == '[' || c == '{') && r->open.len >= r->depth)
		return read_unread(r);
	switch (c) {
	case '(':
		push_open(r, SEXP_LIST, ')');
		r->at++;
		return true;
	case '[':
		push_open(r, SEXP_VECTOR, ']');
		r->at++;
		return true;
	case '{':
		push_open(r, SEXP_MAP, '}');
		r->at++;
		return true;
	case ')':
	case ']':
	case '}':
		return read_close(r, c);
	}
	if (is_lisp(r) && c == '\'')
		return open_quote(r, STR("quote"), 1);
	if (is_lisp(r) && c == '`')
		return open_quote(r, STR("quasiquote"), 1);
	if (is_lisp(r) && c == ',')
		return next == '@' ? open_quote(r, STR("unquote-splicing"), 2) : open_quote(r, STR("unquote"), 1);
	if (is_lisp(r) && c == '#' && next == '\'')
		return open_quote(r, STR("function"), 2);
	if (r->mode == SEXP_SOURCE && c == '#')
		switch (next) {
		case '+':
			return open_quote(r, STR("#+"), 2);
		case '-':
			return open_quote(r, STR("#-"), 2);
		case '.':
			return open_quote(r, STR("#."), 2);
		case 'p':
		case 'P':
			return open_quote(r, STR("#p"), 2);
		case '(':
			return open_quote(r, STR("#"), 1);
		}
	if (r->mode == SEXP_BUILD && (c == '\'' || c == '`'))
		return fail(r, r->at, "unexpected %c: nothing needs to be quoted here", c);
	return read_atom(r);
}

static bool check_closed(struct reader *r)
{
	if (!r->open.len)
		return true;
	const struct open *first = &r->open.ptr[0], *last = &vec_last(&r->open);
	if (!last->close)
		return fail_empty_quote(r, last);
	fail(r, last->offset, "'%c' opened at %u:%u is never closed", r->text.ptr[last->offset], last->line, last->col);
	if (first != last)
		err_note(r->err, "the form that it is in begins at %u:%u", first->line, first->col);
	return false;
}

static bool check_encoding(struct reader *r)
{
	size_t ascii = str_ascii_prefix(r->text), valid = r->text.len, nul = str_find(r->text, 0);
	r->ascii = ascii == r->text.len;
	if (!r->ascii)
		valid = ascii + str_utf8_prefix(str_drop(r->text, ascii));
	if (nul < valid)
		return fail(r, nul, "a NUL byte in the text");
	if (valid < r->text.len)
		return fail(r, valid, "byte 0x%02x is not UTF-8", (unsigned char)r->text.ptr[valid]);
	return true;
}

static bool read_all(struct reader *r)
{
	if (r->text.len >= UINT32_MAX)
		return err_set(r->err, ERR_USER, "\"%.*s\" has more than 4 GiB", STR_ARG(r->path));
	if (!check_encoding(r))
		return false;
	r->at = r->col_at = bom_length(r->text);
	for (;;) {
		if (!skip_space(r))
			return false;
		if (r->at == r->text.len)
			return check_closed(r);
		if (!read_one(r))
			return false;
	}
}

static bool read_to_depth(struct arena *a, struct str path, struct str text, enum sexp_mode mode, size_t depth,
                          struct sexp **ret_list, struct err *err)
{
	struct reader r = {
	        .arena = a, .path = path, .text = text, .mode = mode, .depth = depth, .line = 1, .col = 1, .err = err};
	bool ok = read_all(&r);
	if (ok) {
		vec_push(&r.open, (struct open){.kind = SEXP_LIST, .line = 1, .col = 1});
		close_list(&r);
		*ret_list = r.items.ptr[0];
	}
	vec_release(&r.open);
	vec_release(&r.items);
	buf_release(&r.unescaped);
	return ok;
}

bool sexp_read(struct arena *a, struct str path, struct str text, enum sexp_mode mode, struct sexp **ret_list,
               struct err *err)
{
	return read_to_depth(a, path, text, mode, SIZE_MAX, ret_list, err);
}

bool sexp_read_outline(struct arena *a, struct str path, struct str text, enum sexp_mode mode, unsigned depth,
                       struct sexp **ret_list, struct err *err)
{
	return read_to_depth(a, path, text, mode, depth, ret_list, err);
}
