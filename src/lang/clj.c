#include "lang/clj.h"

#include <stdarg.h>

#include "lang/clj_impl.h"

void clj_place(struct str text, size_t offset, uint32_t *ret_line, uint32_t *ret_col, struct str *ret_source_line)
{
	struct str before = str_slice(text, 0, offset);
	size_t start = str_rfind(before, '\n');
	uint32_t line = 1;
	start = start < before.len ? start + 1 : 0;
	if (!start && str_has_prefix(text, STR("\xef\xbb\xbf")))
		start = MIN((size_t)3, before.len);
	for (size_t i = 0; i < start; i++)
		line += text.ptr[i] == '\n';
	*ret_line = line;
	*ret_col = (uint32_t)str_characters(str_drop(before, start)) + 1;
	if (ret_source_line) {
		struct str rest = str_drop(text, start);
		*ret_source_line = str_slice(rest, 0, str_find(rest, '\n'));
	}
}

bool clj_err(const struct clj *c, struct str path, struct str text, struct err *err, const char *fmt, ...)
{
	struct buf message = {0};
	struct str source_line;
	uint32_t line, col;
	va_list ap;
	va_start(ap, fmt);
	buf_addv(&message, fmt, ap);
	va_end(ap);
	err_set(err, ERR_USER, "%s", buf_cstr(&message));
	buf_release(&message);
	clj_place(text, c->offset, &line, &col, &source_line);
	err_at(err, path, line, col, source_line);
	return false;
}

bool clj_is_symbol(const struct clj *c, const char *name)
{
	return c && c->kind == CLJ_SYMBOL && str_eqc(c->text, name);
}

bool clj_is_keyword(const struct clj *c, const char *name)
{
	return c && c->kind == CLJ_KEYWORD && !c->resolved && str_eqc(c->text, name);
}

bool clj_is_sequence(const struct clj *c)
{
	return c && (c->kind == CLJ_LIST || c->kind == CLJ_VECTOR);
}

const struct clj *clj_unquoted(const struct clj *c)
{
	if (c && c->kind == CLJ_QUOTE)
		return c->items[0];
	if (c && c->kind == CLJ_LIST && c->len == 2 && clj_is_symbol(c->items[0], "quote"))
		return c->items[1];
	return c;
}

const struct clj *clj_get(const struct clj *c, uint32_t from, const char *name)
{
	if (!c || !(c->kind == CLJ_MAP || clj_is_sequence(c)))
		return NULL;
	for (uint32_t i = from; i + 1 < c->len; i += 2)
		if (clj_is_keyword(c->items[i], name))
			return c->items[i + 1];
	return NULL;
}

struct str clj_text(const struct clj *c)
{
	if (c && (c->kind == CLJ_SYMBOL || c->kind == CLJ_KEYWORD || c->kind == CLJ_STRING))
		return c->text;
	return (struct str){0};
}

void clj_print_string(struct str s, struct buf *out)
{
	buf_addc(out, '"');
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.ptr[i];
		if (c == '"' || c == '\\')
			buf_addf(out, "\\%c", c);
		else if (c == '\n')
			buf_addz(out, "\\n");
		else if (c == '\t')
			buf_addz(out, "\\t");
		else if (c == '\r')
			buf_addz(out, "\\r");
		else if (c < 32)
			buf_addf(out, "\\u%04x", c);
		else
			buf_addc(out, (char)c);
	}
	buf_addc(out, '"');
}

static void print_opening(const struct clj *c, struct buf *out)
{
	static const char *const opening[] = {
	        [CLJ_LIST] = "(",   [CLJ_VECTOR] = "[",       [CLJ_SET] = "#{",    [CLJ_FN] = "#(",
	        [CLJ_TAGGED] = "#", [CLJ_QUOTE] = "'",        [CLJ_DEREF] = "@",   [CLJ_VAR] = "#'",
	        [CLJ_EVAL] = "#=",  [CLJ_SYNTAX_QUOTE] = "`", [CLJ_UNQUOTE] = "~", [CLJ_UNQUOTE_SPLICING] = "~@",
	};
	if (c->kind == CLJ_MAP) {
		buf_addz(out, c->text.len ? "#" : "");
		buf_adds(out, c->text);
		buf_addc(out, '{');
	} else {
		buf_addz(out, opening[c->kind]);
	}
}

/* True where it is a leaf. */
static bool print_leaf(const struct clj *c, struct buf *out)
{
	switch (c->kind) {
	case CLJ_KEYWORD:
		buf_addz(out, c->resolved ? "::" : ":");
		buf_adds(out, c->text);
		return true;
	case CLJ_SYMBOL:
	case CLJ_NUMBER:
		buf_adds(out, c->text);
		return true;
	case CLJ_CHAR:
		buf_addc(out, '\\');
		buf_adds(out, c->text);
		return true;
	case CLJ_REGEX:
		buf_addz(out, "#\"");
		buf_adds(out, c->text);
		buf_addc(out, '"');
		return true;
	case CLJ_STRING:
		clj_print_string(c->text, out);
		return true;
	default:
		return false;
	}
}

/* What is left to print, last first: a text, or a form (`bare`: its metadata is out already). */
struct work {
	const struct clj *form;
	bool bare;
	const char *text;
};
typedef Vec(struct work) WorkVec;

/* ^m1 ^m2 form */
static void push_with_meta(const struct clj *c, WorkVec *stack)
{
	Vec(const struct clj *) metas = {0};
	for (const struct clj *m = c->meta; m; m = m->next)
		vec_push(&metas, m);
	vec_push(stack, (struct work){.form = c, .bare = true});
	while (metas.len) {
		vec_push(stack, (struct work){.text = " "});
		vec_push(stack, (struct work){.form = vec_pop(&metas)});
		vec_push(stack, (struct work){.text = "^"});
	}
	vec_release(&metas);
}

static const char *closing(const struct clj *c)
{
	switch (c->kind) {
	case CLJ_LIST:
	case CLJ_FN:
		return ")";
	case CLJ_VECTOR:
		return "]";
	case CLJ_MAP:
	case CLJ_SET:
		return "}";
	default:
		return "";
	}
}

void clj_print(const struct clj *c, struct buf *out)
{
	WorkVec stack = {0};
	vec_push(&stack, (struct work){.form = c});
	while (stack.len) {
		struct work w = vec_pop(&stack);
		if (w.text) {
			buf_addz(out, w.text);
		} else if (w.form->meta && !w.bare) {
			push_with_meta(w.form, &stack);
		} else if (!print_leaf(w.form, out)) {
			print_opening(w.form, out);
			vec_push(&stack, (struct work){.text = closing(w.form)});
			for (uint32_t i = w.form->len; i > 0; i--) {
				vec_push(&stack, (struct work){.form = w.form->items[i - 1]});
				if (i > 1)
					vec_push(&stack, (struct work){.text = " "});
			}
		}
	}
	vec_release(&stack);
}
