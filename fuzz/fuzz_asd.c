/* fuzz_asd.c - edits of any text that reads as Lisp: no crash, and what comes out reads as Lisp, too. */
#include "front/asd_edit.h"
#include "lang/sexp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct str names[] = {{"a", 1}, {"b", 1}, {"m", 1}, {"X.y", 3}};
	static const struct str in_module[] = {{"m", 1}, {"a", 1}};
	struct str text = str_n((const char *)data, size);
	for (int expand = 0; expand < 2; expand++) {
		struct arena a = {0};
		struct err err = {0};
		struct str out;
		struct sexp *forms;
		struct asd_edit edits[] = {
		        {.system = STR("s"), .component = &names[1], .ncomponent = 1, .want = names, .nwant = 1},
		        {.system = STR("s"), .component = &names[2], .ncomponent = 1},
		        {.system = STR("s"), .component = in_module, .ncomponent = 2, .want = names + 1, .nwant = 3},
		        {.system = STR("s"), .want = names + 3, .nwant = 1},
		};
		struct asd_source source = {STR("fuzz"), text, expand ? STR("(\":X\")") : STR("")};
		if (asd_edit(&a, &source, edits, ARRAY_LEN(edits), expand, &out, &err) &&
		    !sexp_read(&a, STR("edited"), out, SEXP_SOURCE, &forms, &err))
			BUG("what was edited can't be read: %s", buf_cstr(&err.message));
		err_clear(&err);
		arena_release(&a);
	}
	return 0;
}
