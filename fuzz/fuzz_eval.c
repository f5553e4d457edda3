/* fuzz_eval.c - any text, evaluated without a host: the same result twice, what is printed can be read, and errors have
 * a place. */
#include "lang/eval.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool print(void *ctx, struct value v, struct err *err)
{
	struct buf *out = ctx;
	(void)err;
	value_print(v, out, 2000);
	buf_addc(out, '\n');
	return true;
}

static void evaluate(struct str text, struct buf *out)
{
	struct arena a = {0};
	struct eval ev;
	struct err err = {0};
	struct module m = {0};
	struct sexp *forms;
	SourceTexts files = {0};
	vec_push(&files, (struct source_text){.path = STR("input"), .text = text});
	eval_init(&ev, &a, &files, NULL);
	ev.max_steps = 20000;
	eval_define_rule(&ev, STR("rule"), &ev);
	if (sexp_read(&a, STR("input"), text, SEXP_BUILD, &forms, &err) &&
	    eval_file(&ev, &m, 0, forms, print, out, &err)) {
		CHECK(err.kind == ERR_NONE);
	} else {
		CHECK(err.kind == ERR_USER && err.message.len && err.span.line && err.span.col);
		err_format(&err, out);
	}
	module_release(&m);
	eval_release(&ev);
	vec_release(&files);
	err_clear(&err);
	arena_release(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf once = {0}, twice = {0};
	struct str text = str_n((const char *)data, size);
	evaluate(text, &once);
	evaluate(text, &twice);
	CHECK(str_eq(buf_str(&once), buf_str(&twice)));
	buf_release(&once);
	buf_release(&twice);
	return 0;
}
