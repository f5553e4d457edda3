#include "lang/sexp.h"

#include <stdlib.h>
#include <strings.h>

static bool name_is(struct str text, const char *name)
{
	return text.len == strlen(name) && strncasecmp(text.ptr, name, text.len) == 0;
}

bool sexp_is_symbol(const struct sexp *s, const char *name)
{
	return s && s->kind == SEXP_SYMBOL && name_is(s->text, name);
}

bool sexp_is_keyword(const struct sexp *s, const char *name)
{
	return s && s->kind == SEXP_KEYWORD && name_is(s->text, name);
}

bool sexp_is_list(const struct sexp *s, uint32_t least)
{
	return s && s->kind == SEXP_LIST && s->len >= least;
}

bool sexp_is_nil(const struct sexp *s)
{
	return s && ((s->kind == SEXP_LIST && s->len == 0) || sexp_is_symbol(s, "nil"));
}

const struct sexp *sexp_getf(const struct sexp *s, uint32_t from, const char *name)
{
	if (!s || s->kind > SEXP_MAP)
		return NULL;
	for (uint32_t i = from; i + 1 < s->len; i += 2)
		if (sexp_is_keyword(s->items[i], name))
			return s->items[i + 1];
	return NULL;
}

struct str sexp_text(const struct sexp *s)
{
	if (!s || (s->kind != SEXP_STRING && s->kind != SEXP_KEYWORD && s->kind != SEXP_SYMBOL))
		return (struct str){0};
	return s->text;
}

int64_t sexp_int(const struct sexp *s, int64_t otherwise)
{
	return s && s->kind == SEXP_INT ? s->integer : otherwise;
}

void sexp_print_string(struct str s, struct buf *out)
{
	buf_addc(out, '"');
	while (s.len) {
		size_t n = 0;
		while (n < s.len && s.ptr[n] != '"' && s.ptr[n] != '\\')
			n++;
		buf_add(out, s.ptr, n);
		s = str_drop(s, n);
		if (!s.len)
			break;
		buf_addc(out, '\\');
		buf_addc(out, *s.ptr);
		s = str_drop(s, 1);
	}
	buf_addc(out, '"');
}

static void print_atom(const struct sexp *s, struct buf *out)
{
	if (s->kind == SEXP_STRING) {
		sexp_print_string(s->text, out);
	} else if (s->kind == SEXP_INT) {
		buf_addf(out, "%lld", (long long)s->integer);
	} else {
		if (s->kind == SEXP_KEYWORD)
			buf_addc(out, ':');
		buf_adds(out, s->text);
	}
}

void sexp_print(const struct sexp *s, struct buf *out)
{
	static const char brackets[][2] = {{'(', ')'}, {'[', ']'}, {'{', '}'}};
	struct place {
		const struct sexp *list;
		uint32_t next;
	};
	Vec(struct place) stack = {0};
	if (s->kind > SEXP_MAP) {
		print_atom(s, out);
		return;
	}
	buf_addc(out, brackets[s->kind][0]);
	vec_push(&stack, (struct place){s, 0});
	while (stack.len) {
		struct place *top = &vec_last(&stack);
		if (top->next == top->list->len) {
			buf_addc(out, brackets[top->list->kind][1]);
			stack.len--;
			continue;
		}
		if (top->next)
			buf_addc(out, ' ');
		const struct sexp *item = top->list->items[top->next++];
		if (item->kind > SEXP_MAP) {
			print_atom(item, out);
		} else {
			buf_addc(out, brackets[item->kind][0]);
			vec_push(&stack, (struct place){item, 0});
		}
	}
	vec_release(&stack);
}
