/* fuzz_clj.c - the Clojure reader on any bytes: no crash, places inside the text, what is read can be skipped and ends
 * at the same place, and what is printed reads back as the same. */
#include "lang/clj.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct str taken[] = {STR("clj")};

static void check_places(const struct clj *form, struct str text)
{
	Vec(const struct clj *) stack = {0};
	vec_push(&stack, form);
	while (stack.len) {
		const struct clj *c = vec_pop(&stack);
		CHECK(c->offset <= c->end && c->end <= text.len);
		for (uint32_t i = 0; i < c->len; i++)
			vec_push(&stack, c->items[i]);
		for (const struct clj *m = c->meta; m; m = m->next)
			vec_push(&stack, m);
	}
	vec_release(&stack);
}

static void check_round_trip(const struct clj *form, unsigned flags)
{
	struct arena a = {0};
	struct buf once = {0}, twice = {0};
	struct err err = {0};
	struct clj *again;
	/* A symbol may begin with the bytes of a byte order mark. */
	buf_addc(&once, ' ');
	clj_print(form, &once);
	if (!clj_read_all(&a, STR("printed"), buf_str(&once), flags, taken, 1, &again, &err))
		BUG("what was printed can't be read: %s: %s", buf_cstr(&err.message), buf_cstr(&once));
	CHECK(again->len == 1);
	buf_addc(&twice, ' ');
	clj_print(again->items[0], &twice);
	CHECK(str_eq(buf_str(&once), buf_str(&twice)));
	buf_release(&once);
	buf_release(&twice);
	arena_release(&a);
}

/* Reads all, or skips all; where a form ended is recorded. */
static bool go_through(struct str text, unsigned flags, bool skip, U32Vec *ends)
{
	struct arena a = {0};
	struct clj_reader r;
	struct err err = {0};
	struct buf out = {0};
	struct str head;
	bool ok;
	clj_open(&r, &a, STR("input"), text, flags, taken, 1);
	while ((ok = clj_peek(&r, &head, &err)) && !r.ended) {
		struct clj *form = NULL;
		ok = skip ? clj_skip(&r, &err) : clj_read(&r, &form, &err);
		if (!ok)
			break;
		if (form) {
			check_places(form, text);
			check_round_trip(form, flags);
		}
		vec_push(ends, (uint32_t)r.at);
	}
	if (!ok) {
		CHECK(err.kind == ERR_USER && err.message.len && err.span.line && err.span.col);
		err_format(&err, &out);
	}
	err_clear(&err);
	buf_release(&out);
	clj_close(&r);
	arena_release(&a);
	return ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = str_n((const char *)data, size);
	static const unsigned ways[] = {CLJ_COND, 0, CLJ_EDN};
	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		U32Vec read = {0}, skipped = {0};
		if (go_through(text, ways[i], false, &read)) {
			go_through(text, ways[i], true, &skipped);
			/* A conditional that gives nothing behind a prefix moves the prefix to the next form. */
			if (!(ways[i] & CLJ_COND)) {
				CHECK(read.len == skipped.len);
				for (size_t k = 0; k < read.len; k++)
					CHECK(read.ptr[k] == skipped.ptr[k]);
			}
		}
		vec_release(&read);
		vec_release(&skipped);
	}
	return 0;
}
