/* fuzz_sexp.c - the reader in all modes on any bytes: no crash, places inside the text, and what is printed reads back
 * as the same tree. */
#include "lang/sexp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_places(const struct sexp *list, struct str text)
{
	/* Depth is as the input has it, so the walk keeps its own stack. */
	Vec(const struct sexp *) stack = {0};
	vec_push(&stack, list);
	while (stack.len) {
		const struct sexp *s = vec_pop(&stack);
		CHECK(s->offset <= s->end && s->end <= text.len);
		CHECK(s->line >= 1 && s->col >= 1);
		for (uint32_t i = 0; s->kind <= SEXP_MAP && i < s->len; i++)
			vec_push(&stack, s->items[i]);
	}
	vec_release(&stack);
}

/* Prints in Lisp syntax; read back in Lisp mode and printed again it must be the same. */
static void check_round_trip(const struct sexp *list)
{
	struct arena a = {0};
	struct buf once = {0}, twice = {0};
	struct err err = {0};
	struct sexp *again;
	sexp_print(list, &once);
	if (!sexp_read(&a, STR("printed"), buf_str(&once), SEXP_LISP, &again, &err))
		BUG("what was printed can't be read: %s", buf_cstr(&err.message));
	CHECK(again->len == 1);
	sexp_print(again->items[0], &twice);
	CHECK(str_eq(buf_str(&once), buf_str(&twice)));
	buf_release(&once);
	buf_release(&twice);
	arena_release(&a);
}

/* Where the whole can be read, so can an outline and each of its parts, which are as many. */
static void check_outline(const struct sexp *whole, struct str text, enum sexp_mode mode)
{
	struct arena a = {0};
	struct sexp *list, *part;
	CHECK(sexp_read_outline(&a, STR("input"), text, mode, 0, &list, NULL));
	CHECK(list->len == whole->len);
	for (uint32_t i = 0; i < list->len; i++)
		if (list->items[i]->kind == SEXP_UNREAD)
			CHECK(sexp_read(&a, STR("part"), list->items[i]->text, mode, &part, NULL) && part->len == 1);
	arena_release(&a);
}

static void read_as(struct str text, enum sexp_mode mode)
{
	struct arena a = {0};
	struct err err = {0};
	struct buf out = {0};
	struct sexp *list = NULL;
	if (sexp_read(&a, STR("input"), text, mode, &list, &err)) {
		CHECK(err.kind == ERR_NONE);
		check_places(list, text);
		check_outline(list, text, mode);
		if (mode == SEXP_LISP)
			check_round_trip(list);
	} else {
		CHECK(!list && err.kind == ERR_USER && err.message.len && err.span.line && err.span.col);
		err_format(&err, &out);
	}
	buf_release(&out);
	err_clear(&err);
	arena_release(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = str_n((const char *)data, size);
	read_as(text, SEXP_LISP);
	read_as(text, SEXP_BUILD);
	read_as(text, SEXP_SOURCE);
	return 0;
}
