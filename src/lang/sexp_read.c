#include "lang/sexp_impl.h"

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
	struct sexp *s = token_node(r, o.kind, o.offset, o.line, o.col);
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
	return token_fail(r, o->offset, "nothing follows the quote");
}

static bool read_close(struct reader *r, char c)
{
	if (!r->open.len)
		return token_fail(r, r->at, "unexpected '%c': no bracket is open", c);
	const struct open *o = &vec_last(&r->open);
	if (!o->close)
		return fail_empty_quote(r, o);
	if (o->close != c)
		return token_fail(r, r->at, "unexpected '%c': '%c' opened at %u:%u wants '%c'", c,
		                  r->text.ptr[o->offset], o->line, o->col, o->close);
	r->at++;
	close_list(r);
	return value_done(r);
}

/* 'x is read as (quote x). */
static bool open_quote(struct reader *r, struct str name, size_t length)
{
	push_open(r, SEXP_LIST, 0);
	struct sexp *s = token_node(r, SEXP_SYMBOL, r->at, r->line, column(r, r->at));
	s->text = name;
	s->end = (uint32_t)(r->at + length);
	vec_push(&r->items, s);
	r->at += length;
	return true;
}

static bool fail_hash(struct reader *r)
{
	char c = peek(r, 1);
	if (c == '+' || c == '-')
		return token_fail(r, r->at, "\"#%c\" can't be used here: conditions on features are not read", c);
	if (c == '.')
		return token_fail(r, r->at, "\"#.\" can't be used here: nothing is evaluated while reading");
	size_t n = str_utf8(str_drop(r->text, r->at + 1));
	return token_fail(r, r->at, "\"#%.*s\" can't be used here", (int)n, r->text.ptr + r->at + 1);
}

/* The length of "#1=" or "#1#"; 0: `at` stands on something else. */
static size_t label_length(const struct reader *r)
{
	size_t n = 1;
	while (peek(r, n) >= '0' && peek(r, n) <= '9')
		n++;
	return n > 1 && (peek(r, n) == '=' || peek(r, n) == '#') ? n + 1 : 0;
}

/* "#1#". */
static bool read_reference(struct reader *r, size_t length)
{
	struct sexp *s = token_node(r, SEXP_SYMBOL, r->at, r->line, column(r, r->at));
	s->text = str_slice(r->text, r->at, r->at + length);
	s->end = (uint32_t)(r->at + length);
	r->at += length;
	vec_push(&r->items, s);
	return value_done(r);
}

static bool read_atom(struct reader *r)
{
	char c = r->text.ptr[r->at], next = peek(r, 1);
	struct sexp *s = NULL;
	bool ok;
	if (c == '"')
		ok = token_string(r, &s);
	else if (c != '#')
		ok = token_read(r, &s);
	else if (is_lisp(r) && next == '\\')
		ok = token_character(r, &s);
	else if (is_lisp(r) && next == ':')
		ok = token_read(r, &s);
	else if (r->mode == SEXP_SOURCE && next && strchr("bBoOxX*", next))
		ok = token_read(r, &s);
	else
		ok = fail_hash(r);
	if (!ok)
		return false;
	vec_push(&r->items, s);
	return value_done(r);
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
			return token_fail(r, start, "'%c' opened at %u:%u is never closed", r->text.ptr[start], line,
			                  col);
		if (c == '"')
			ok = token_skip_string(r);
		else if (class_of(c) & (ENDS | MARK))
			r->at++;
		else if (is_lisp(r) && c == '#' && peek(r, 1) == '\\')
			ok = token_skip_character(r);
		else
			ok = token_skip(r);
		if (c == '(' || c == '[' || c == '{')
			depth++;
		else if (c == ')' || c == ']' || c == '}')
			depth--;
		if (!ok || (depth && !token_skip_space(r)))
			return false;
	} while (depth);
	struct sexp *s = token_node(r, SEXP_UNREAD, start, line, col);
	s->text = str_slice(r->text, start, r->at);
	vec_push(&r->items, s);
	return value_done(r);
}

/* One bracket, one quote or one atom. `at` stands on its first byte. */
static bool read_one(struct reader *r)
{
	char c = r->text.ptr[r->at], next = peek(r, 1);
	size_t label = r->mode == SEXP_SOURCE && c == '#' ? label_length(r) : 0;
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
	if (label)
		return peek(r, label - 1) == '=' ? open_quote(r, STR("#="), label) : read_reference(r, label);
	if (r->mode == SEXP_BUILD && (c == '\'' || c == '`'))
		return token_fail(r, r->at, "unexpected %c: nothing needs to be quoted here", c);
	return read_atom(r);
}

static bool check_closed(struct reader *r)
{
	if (!r->open.len)
		return true;
	const struct open *first = &r->open.ptr[0], *last = &vec_last(&r->open);
	if (!last->close)
		return fail_empty_quote(r, last);
	token_fail(r, last->offset, "'%c' opened at %u:%u is never closed", r->text.ptr[last->offset], last->line,
	           last->col);
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
		return token_fail(r, nul, "a NUL byte in the text");
	if (valid < r->text.len)
		return token_fail(r, valid, "byte 0x%02x is not UTF-8", (unsigned char)r->text.ptr[valid]);
	return true;
}

static bool read_all(struct reader *r)
{
	if (r->text.len >= UINT32_MAX)
		return err_set(r->err, ERR_USER, "\"%.*s\" has more than 4 GiB", STR_ARG(r->path));
	if (!check_encoding(r))
		return false;
	r->at = r->col_at = token_bom(r->text);
	for (;;) {
		if (!token_skip_space(r))
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

bool sexp_read_one(struct arena *a, struct str text, struct sexp **ret)
{
	struct sexp *list;
	if (!text.len || !sexp_read(a, STR("<form>"), text, SEXP_LISP, &list, NULL) || list->len != 1)
		return false;
	*ret = list->items[0];
	return true;
}
