/* Moving over source without reading it: white space, tokens, whole forms. */
#include <stdarg.h>
#include <string.h>

#include "lang/clj_impl.h"

const uint8_t clj_classes[256] = {
        ['\t'] = CLJ_SPACE,
        ['\n'] = CLJ_SPACE,
        ['\v'] = CLJ_SPACE,
        ['\f'] = CLJ_SPACE,
        ['\r'] = CLJ_SPACE,
        [28] = CLJ_SPACE,
        [29] = CLJ_SPACE,
        [30] = CLJ_SPACE,
        [31] = CLJ_SPACE,
        [' '] = CLJ_SPACE,
        [','] = CLJ_SPACE,
        ['\''] = CLJ_MACRO,
        ['%'] = CLJ_MACRO,
        ['#'] = CLJ_MACRO,

        ['"'] = CLJ_MACRO | CLJ_TERMINATES,
        [';'] = CLJ_MACRO | CLJ_TERMINATES,
        ['@'] = CLJ_MACRO | CLJ_TERMINATES,
        ['^'] = CLJ_MACRO | CLJ_TERMINATES,
        ['`'] = CLJ_MACRO | CLJ_TERMINATES,
        ['~'] = CLJ_MACRO | CLJ_TERMINATES,
        ['('] = CLJ_MACRO | CLJ_TERMINATES,
        [')'] = CLJ_MACRO | CLJ_TERMINATES,
        ['['] = CLJ_MACRO | CLJ_TERMINATES,
        [']'] = CLJ_MACRO | CLJ_TERMINATES,
        ['{'] = CLJ_MACRO | CLJ_TERMINATES,
        ['}'] = CLJ_MACRO | CLJ_TERMINATES,
        ['\\'] = CLJ_MACRO | CLJ_TERMINATES,
};

bool clj_fail(struct clj_reader *r, size_t offset, const char *fmt, ...)
{
	struct clj at = {.offset = (uint32_t)offset};
	struct buf message = {0};
	va_list ap;
	va_start(ap, fmt);
	buf_addv(&message, fmt, ap);
	va_end(ap);
	clj_err(&at, r->path, r->text, r->err, "%s", buf_cstr(&message));
	buf_release(&message);
	return false;
}

bool clj_unclosed(struct clj_reader *r, size_t offset, const char *what)
{
	clj_fail(r, offset, "\"%s\" is never closed", what);
	err_note(r->err, "the text ends before what closes it");
	return false;
}

bool clj_mismatch(struct clj_reader *r, size_t at, size_t opened)
{
	uint32_t line, col;
	char open = r->text.ptr[opened];
	clj_place(r->text, opened, &line, &col, NULL);
	clj_fail(r, at, "\"%c\" where \"%c\" must come: \"%c\" was opened at %u:%u", r->text.ptr[at], clj_closer(open),
	         open, line, col);
	return false;
}

void clj_space(struct clj_reader *r)
{
	const char *p = r->text.ptr;
	size_t at = r->at, len = r->text.len;
	while (at < len) {
		if (clj_class(p[at]) & CLJ_SPACE) {
			at++;
		} else if (p[at] == ';' || (p[at] == '#' && at + 1 < len && p[at + 1] == '!')) {
			const char *eol = memchr(p + at, '\n', len - at);
			at = eol ? (size_t)(eol - p) : len;
		} else {
			break;
		}
	}
	r->at = at;
}

size_t clj_token_end(const struct clj_reader *r, size_t at)
{
	while (at < r->text.len && !(clj_class(r->text.ptr[at]) & (CLJ_SPACE | CLJ_TERMINATES)))
		at++;
	return at;
}

size_t clj_number_end(const struct clj_reader *r, size_t at)
{
	while (at < r->text.len && !(clj_class(r->text.ptr[at]) & (CLJ_SPACE | CLJ_MACRO)))
		at++;
	return at;
}

bool clj_string_end(const struct clj_reader *r, size_t at, size_t *ret)
{
	const char *p = r->text.ptr;
	for (at++; at < r->text.len; at++) {
		if (p[at] == '"') {
			*ret = at + 1;
			return true;
		}
		if (p[at] == '\\')
			at++;
	}
	return false;
}

void clj_note_tag(struct clj_reader *r, struct str tag)
{
	for (size_t i = 0; i < r->tags.len; i++)
		if (str_eq(r->tags.ptr[i], tag))
			return;
	vec_push(&r->tags, tag);
}

/* Bytes that matter between the brackets of a form that is passed over. */
static const bool matters[256] = {
        ['('] = 1, [')'] = 1, ['['] = 1, [']'] = 1, ['{'] = 1, ['}'] = 1, ['"'] = 1, [';'] = 1, ['\\'] = 1, ['#'] = 1,
};

/* A character literal: what follows the backslash belongs to it, whatever it is. */
static size_t char_end(const struct clj_reader *r, size_t at)
{
	size_t n = str_utf8(str_drop(r->text, at + 1));
	return clj_token_end(r, MIN(at + 1 + MAX(n, (size_t)1), r->text.len));
}

/* A "#" within a token (x#) is part of it. */
static bool begins_token(const struct clj_reader *r, size_t at)
{
	return at == 0 || clj_class(r->text.ptr[at - 1]) & (CLJ_SPACE | CLJ_TERMINATES) || r->text.ptr[at - 1] == '\'';
}

bool clj_is_tag_start(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (unsigned char)c >= 0x80 ||
	       (c && strchr("*+-.$&|", c));
}

/* `at` stands on "#" between brackets. */
static bool skip_dispatch(struct clj_reader *r)
{
	char next = clj_byte(r, r->at + 1);
	if (next == '!' && begins_token(r, r->at)) {
		clj_space(r);
	} else if (clj_is_tag_start(next) && begins_token(r, r->at)) {
		size_t end = clj_token_end(r, r->at + 1);
		clj_note_tag(r, str_slice(r->text, r->at + 1, end));
		r->at = end;
	} else {
		r->at++;
	}
	return true;
}

/* `at` stands on an opening bracket. Leaves it behind its end. */
static bool skip_brackets(struct clj_reader *r)
{
	const char *p = r->text.ptr;
	size_t len = r->text.len;
	U32Vec *open = &r->depth;
	vec_clear(open);
	for (;;) {
		while (r->at < len && !matters[(unsigned char)p[r->at]])
			r->at++;
		if (r->at >= len) {
			size_t opened = vec_last(open);
			return clj_unclosed(r, opened, (char[2]){p[opened], 0});
		}
		switch (p[r->at]) {
		case '(':
		case '[':
		case '{':
			vec_push(open, (uint32_t)r->at++);
			break;
		case ')':
		case ']':
		case '}':
			if (p[r->at] != clj_closer(p[vec_last(open)]))
				return clj_mismatch(r, r->at, vec_last(open));
			(void)vec_pop(open);
			r->at++;
			if (!open->len)
				return true;
			break;
		case '"': {
			size_t opened = r->at;
			if (!clj_string_end(r, opened, &r->at))
				return clj_unclosed(r, opened, "\"");
			break;
		}
		case '\\':
			r->at = char_end(r, r->at);
			break;
		case ';':
			clj_space(r);
			break;
		default:
			skip_dispatch(r);
			break;
		}
	}
}

/* Passes over what stands before a form: quotes, "#" and its letter. *ret_need grows by the forms that belong to it. */
static bool skip_prefix(struct clj_reader *r, size_t *ret_need, bool *ret_was_prefix)
{
	char c = clj_byte(r, r->at), next = clj_byte(r, r->at + 1);
	size_t n = 0, more = 0;
	if (c == '\'' || c == '`' || c == '@') {
		n = 1;
	} else if (c == '~') {
		n = next == '@' ? 2 : 1;
	} else if (c == '^') {
		n = 1, more = 1;
	} else if (c == '#') {
		if (next == '^' || next == '_')
			n = 2, more = 1;
		else if (next == '?')
			n = clj_byte(r, r->at + 2) == '@' ? 3 : 2;
		else if (next == '\'' || next == '=')
			n = 2;
		else if (next == '(' || next == '{' || next == '"')
			n = 1;
		else if (next == ':' || next == '#')
			n = next == ':' ? clj_token_end(r, r->at + 1) - r->at : 2;
		else if (clj_is_tag_start(next)) {
			n = clj_token_end(r, r->at + 1) - r->at;
			clj_note_tag(r, str_slice(r->text, r->at + 1, r->at + n));
		}
	}
	r->at += n;
	*ret_need += more;
	*ret_was_prefix = n > 0;
	return true;
}

static size_t leaf_end(const struct clj_reader *r, size_t at)
{
	char c = r->text.ptr[at], digit = c == '+' || c == '-' ? clj_byte(r, at + 1) : c;
	return digit >= '0' && digit <= '9' ? clj_number_end(r, at) : clj_token_end(r, at);
}

bool clj_skip_form(struct clj_reader *r)
{
	for (size_t need = 1; need;) {
		bool prefix;
		clj_space(r);
		if (r->at >= r->text.len)
			return clj_fail(r, r->start, "the text ends before this form does");
		if (!skip_prefix(r, &need, &prefix))
			return false;
		if (prefix)
			continue;
		char c = r->text.ptr[r->at];
		if (c == '(' || c == '[' || c == '{') {
			if (!skip_brackets(r))
				return false;
		} else if (c == ')' || c == ']' || c == '}') {
			return clj_fail(r, r->at, "\"%c\" closes nothing", c);
		} else if (c == '"') {
			size_t opened = r->at;
			if (!clj_string_end(r, opened, &r->at))
				return clj_unclosed(r, opened, "\"");
		} else if (c == '\\') {
			r->at = char_end(r, r->at);
		} else {
			r->at = MAX(leaf_end(r, r->at), r->at + 1);
		}
		need--;
	}
	return true;
}

/* The symbol behind the bracket at `at`. */
static struct str head_of(const struct clj_reader *r, size_t at)
{
	size_t from = at + 1;
	while (from < r->text.len && clj_class(r->text.ptr[from]) & CLJ_SPACE)
		from++;
	if (from >= r->text.len || clj_class(r->text.ptr[from]) & CLJ_MACRO || r->text.ptr[from] == ':')
		return (struct str){0};
	return str_slice(r->text, from, clj_token_end(r, from));
}

bool clj_peek(struct clj_reader *r, struct str *ret_head, struct err *err)
{
	r->err = err;
	*ret_head = (struct str){0};
	for (;;) {
		clj_space(r);
		r->start = r->at;
		if (r->at >= r->text.len) {
			r->ended = true;
			return true;
		}
		if (r->text.ptr[r->at] != '#' || clj_byte(r, r->at + 1) != '_')
			break;
		r->at += 2;
		if (!clj_skip_form(r))
			return false;
	}
	if (r->text.ptr[r->at] == '(')
		*ret_head = head_of(r, r->at);
	else if (r->text.ptr[r->at] == '#' && clj_byte(r, r->at + 1) == '?')
		*ret_head = STR("#?");
	return true;
}

bool clj_skip(struct clj_reader *r, struct err *err)
{
	r->err = err;
	return clj_skip_form(r);
}
