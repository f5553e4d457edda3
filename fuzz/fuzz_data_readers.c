/* fuzz_data_readers.c - merging of Clojure's data readers on any two texts (a byte 255 between them): no crash, and
 * what was merged is a map that merging leaves as it is. */
#include "rules/jar.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = str_n((const char *)data, size);
	size_t cut = str_find(text, (char)255);
	struct jar_part parts[] = {{STR("one"), str_slice(text, 0, cut)},
	                           {STR("two"), str_drop(text, MIN(cut + 1, size))}};
	struct arena a = {0};
	struct buf once = {0}, twice = {0};
	struct err err = {0};
	if (jar_join_readers(&a, parts, 2, &once, &err)) {
		struct jar_part merged = {STR("merged"), buf_str(&once)};
		if (!jar_join_readers(&a, &merged, 1, &twice, &err))
			BUG("what was merged can't be read: %s", buf_cstr(&err.message));
		CHECK(str_eq(buf_str(&once), buf_str(&twice)));
	} else {
		CHECK(err.kind == ERR_USER && err.message.len);
	}
	err_clear(&err);
	buf_release(&once);
	buf_release(&twice);
	arena_release(&a);
	return 0;
}
