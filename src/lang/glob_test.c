#include "lang/glob.h"

#include "base/tap.h"

static void test_match(void)
{
	static const struct {
		const char *pattern, *path;
		bool matches;
	} cases[] = {
	        {"a.clj", "a.clj", true},
	        {"a.clj", "b.clj", false},
	        {"*.clj", "a.clj", true},
	        {"*.clj", "x/a.clj", false},
	        {"*/*.clj", "x/a.clj", true},
	        {"**/*.clj", "a.clj", true},
	        {"**/*.clj", "x/y/a.clj", true},
	        {"src/**", "src/x/y", true},
	        {"src/**", "other/x", false},
	        {"src/**/*.clj", "src/.x/a.clj", false},
	        {"*", ".hidden", false},
	        {".*", ".hidden", true},
	        {"a?c", "abc", true},
	        {"a?c",
	         "a\xc3\xa9"
	         "c",
	         true},
	        {"a?c", "ac", false},
	        {"a*b*c", "a-b-b-c", true},
	        {"a*b*c", "a-c-b", false},
	        {"**/a/**/b", "a/b", true},
	        {"**/a/**/b", "x/a/y/z/b", true},
	        {"**/a/**/b", "x/b", false},
	        {"**", "x/y", true},
	        {"a/**/**/b", "a/b", true},
	        {"*a", "ba", true},
	        {"**/.x/*", "d/.x/y", true},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		tap_ok(glob_matches(str_from(cases[i].pattern), str_from(cases[i].path)) == cases[i].matches,
		       "\"%s\" %s \"%s\"", cases[i].pattern, cases[i].matches ? "matches" : "does not match",
		       cases[i].path);
}

static void test_expand(void)
{
	static const struct {
		const char *pattern, *gives; /* separated by spaces; NULL: an error */
	} cases[] = {
	        {"a", "a"},
	        {"*.{clj,cljc}", "*.clj *.cljc"},
	        {"{a,b}{c,d}", "ac ad bc bd"},
	        {"{a,b{c,d}}x", "ax bcx bdx"},
	        {"x{,y}", "x xy"},
	        {"{a}", "a"},
	        {"{a", NULL},
	        {"a}", NULL},
	        {"", NULL},
	        {"/a", NULL},
	        {"../a", NULL},
	        {"a/./b", NULL},
	        {"a//b", NULL},
	        {"a/", NULL},
	        {"a/b**", NULL},
	        {"{1,2}{1,2}{1,2}{1,2}{1,2}{1,2}{1,2}{1,2}{1,2}", NULL},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena a = {0};
		struct err err = {0};
		StrVec out = {0};
		struct buf got = {0};
		bool ok = glob_expand(&a, str_from(cases[i].pattern), &out, &err);
		for (size_t k = 0; k < out.len; k++)
			buf_addf(&got, "%s%.*s", k ? " " : "", STR_ARG(out.ptr[k]));
		if (cases[i].gives)
			tap_ok(ok && str_eqc(buf_str(&got), cases[i].gives), "\"%s\" is %s", cases[i].pattern,
			       cases[i].gives);
		else
			tap_ok(!ok && err.kind == ERR_USER, "\"%s\" is refused: %s", cases[i].pattern,
			       buf_cstr(&err.message));
		buf_release(&got);
		vec_release(&out);
		err_clear(&err);
		arena_release(&a);
	}
	tap_ok(glob_has_magic(STR("a*")) && glob_has_magic(STR("{a")) && !glob_has_magic(STR("a.b")),
	       "what is a pattern");
}

int main(void)
{
	test_match();
	test_expand();
	return tap_done();
}
