#include <stdlib.h>

#include "lang/sexp_impl.h"

static void push_open(struct sexp_reader *r, enum sexp_kind kind, char close)
{
	vec_push(&r->open, (struct sexp_open){.kind = (uint8_t)kind,
	                                      .close = close,
	                                      .line = r->line,
	                                      .col = sexp_column(r, r->at),
	                                      .offset = (uint32_t)r->at,
	                                      .first = r->items.len});
}

static void close_list(struct sexp_reader *r)
{
	struct sexp_open o = vec_pop(&r->open);
	struct sexp *s = sexp_node(r, o.kind, o.offset, o.line, o.col);
	s->len = (uint32_t)(r->items.len - o.first);
	s->items = arena_new_n(r->arena, struct sexp *, s->len);
	if (s->len)
		memcpy(s->items, r->items.ptr + o.first, s->len * sizeof(struct sexp *));
	r->items.len = o.first;
	vec_push(&r->items, s);
}

/* A value is complete and stands on the item stack: quotes that waited for it close. */
static bool value_done(struct sexp_reader *r)
{
	while (r->open.len && !vec_last(&r->open).close)
		close_list(r);
	return true;
}

static bool fail_empty_quote(struct sexp_reader *r, const struct sexp_open *o)
{
	return sexp_fail(r, o->offset, "nothing follows the quote");
}

static bool read_close(struct sexp_reader *r, char c)
{
	if (!r->open.len)
		return sexp_fail(r, r->at, "unexpected '%c': no bracket is open", c);
	const struct sexp_open *o = &vec_last(&r->open);
	if (!o->close)
		return fail_empty_quote(r, o);
	if (o->close != c)
		return sexp_fail(r, r->at, "unexpected '%c': '%c' opened at %u:%u wants '%c'", c,
		                 r->text.ptr[o->offset], o->line, o->col, o->close);
	r->at++;
	close_list(r);
	return value_done(r);
}

/* 'x is read as (quote x). */
static bool open_quote(struct sexp_reader *r, struct str name, size_t length)
{
	push_open(r, SEXP_LIST, 0);
	struct sexp *s = sexp_node(r, SEXP_SYMBOL, r->at, r->line, sexp_column(r, r->at));
	s->text = name;
	s->end = (uint32_t)(r->at + length);
	vec_push(&r->items, s);
	r->at += length;
	return true;
}

/* One bracket, one quote or one atom. `at` stands on its first byte. */
static bool read_one(struct sexp_reader *r)
{
	char c = r->text.ptr[r->at], next = sexp_peek(r, 1);
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
	if (sexp_is_lisp(r) && c == '\'')
		return open_quote(r, STR("quote"), 1);
	if (sexp_is_lisp(r) && c == '`')
		return open_quote(r, STR("quasiquote"), 1);
	if (sexp_is_lisp(r) && c == ',')
		return next == '@' ? open_quote(r, STR("unquote-splicing"), 2) : open_quote(r, STR("unquote"), 1);
	if (sexp_is_lisp(r) && c == '#' && next == '\'')
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
		return sexp_fail(r, r->at, "unexpected %c: nothing needs to be quoted here", c);
	struct sexp *atom;
	if (!sexp_read_atom(r, &atom))
		return false;
	vec_push(&r->items, atom);
	return value_done(r);
}

static bool check_closed(struct sexp_reader *r)
{
	if (!r->open.len)
		return true;
	const struct sexp_open *first = &r->open.ptr[0], *last = &vec_last(&r->open);
	if (!last->close)
		return fail_empty_quote(r, last);
	sexp_fail(r, last->offset, "'%c' opened at %u:%u is never closed", r->text.ptr[last->offset], last->line,
	          last->col);
	if (first != last)
		err_note(r->err, "the form that it is in begins at %u:%u", first->line, first->col);
	return false;
}

static bool check_encoding(struct sexp_reader *r)
{
	size_t ascii = str_ascii_prefix(r->text), valid = r->text.len, nul = str_find(r->text, 0);
	r->ascii = ascii == r->text.len;
	if (!r->ascii)
		valid = ascii + str_utf8_prefix(str_drop(r->text, ascii));
	if (nul < valid)
		return sexp_fail(r, nul, "a NUL byte in the text");
	if (valid < r->text.len)
		return sexp_fail(r, valid, "byte 0x%02x is not UTF-8", (unsigned char)r->text.ptr[valid]);
	return true;
}

static bool read_all(struct sexp_reader *r)
{
	if (r->text.len >= UINT32_MAX)
		return err_set(r->err, ERR_USER, "\"%.*s\" has more than 4 GiB", STR_ARG(r->path));
	if (!check_encoding(r))
		return false;
	r->at = r->col_at = sexp_bom_length(r->text);
	for (;;) {
		if (!sexp_skip_space(r))
			return false;
		if (r->at == r->text.len)
			return check_closed(r);
		if (!read_one(r))
			return false;
	}
}

bool sexp_read(struct arena *a, struct str path, struct str text, enum sexp_mode mode, struct sexp **ret_list,
               struct err *err)
{
	struct sexp_reader r = {.arena = a, .path = path, .text = text, .mode = mode, .line = 1, .col = 1, .err = err};
	bool ok = read_all(&r);
	if (ok) {
		vec_push(&r.open, (struct sexp_open){.kind = SEXP_LIST, .line = 1, .col = 1});
		close_list(&r);
		*ret_list = r.items.ptr[0];
	}
	vec_release(&r.open);
	vec_release(&r.items);
	buf_release(&r.unescaped);
	return ok;
}
