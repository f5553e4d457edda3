/* fuzz_build.c - any text as a BUILD file: it loads, or there is an error of the user's; never a crash, never endless.
 *
 * The text is one package of a small workspace, and is also what another file loads. */
#include "front/buildfile.h"
#include "front/fake_view.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_table(const struct target_table *t)
{
	CHECK(t->by_order.len == t->targets.len);
	for (target_id i = 0; i < t->targets.len; i++) {
		const struct build_target *b = target_get(t, i);
		CHECK(target_find(t, b->label) == i);
		CHECK(b->package < t->packages.len);
		CHECK(i >= t->packages.ptr[b->package].first && i < t->packages.ptr[b->package].end);
		for (uint32_t k = 0; k < b->ndeps; k++)
			CHECK(b->deps[k] < t->targets.len && b->deps[k] != i);
	}
}

static void load(struct fake_file *files)
{
	static const struct buildfile_setting settings[] = {{{"os", 2}, {"linux", 5}}};
	struct file_view view;
	struct str all = STR("//...");
	struct buildfile_request q = {
	        .patterns = &all, .npatterns = 1, .settings = settings, .nsettings = 1, .max_steps = 20000};
	struct target_table t = {0};
	struct buildfile_inputs in = {0};
	struct err err = {0};
	struct buf out = {0};
	fake_view(files, &view);
	if (buildfile_load(&view, &q, &t, &in, &err)) {
		CHECK(err.kind == ERR_NONE);
		check_table(&t);
	} else {
		CHECK(err.kind == ERR_USER && err.message.len);
		err_format(&err, &out);
	}
	buf_release(&out);
	err_clear(&err);
	buildfile_inputs_release(&in);
	target_table_release(&t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf text = {0};
	buf_add(&text, data, size);
	/* The fake files are C strings. */
	if (str_find(buf_str(&text), 0) == size) {
		struct fake_file files[] = {{"p/BUILD", buf_cstr(&text)},
		                            {"p/a.clj", "(ns a)"},
		                            {"p/src/b/c.clj", "(ns b.c)"},
		                            {"p/x.jar", ""},
		                            {"lib/CLJ", "(jar :name \"j\" :jar \"j.jar\" :visibility \"PUBLIC\")"},
		                            {"lib/j.jar", ""},
		                            {"defs.clj", buf_cstr(&text)},
		                            {0}};
		struct fake_file loads[] = {{"BUILD", "(load \"//:defs.clj\")"}, {"defs.clj", buf_cstr(&text)}, {0}};
		load(files);
		load(loads);
	}
	buf_release(&text);
	return 0;
}
