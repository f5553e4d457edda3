#include "lang/clj.h"

#include "base/tap.h"

static const struct str clj_features[] = {STR("clj")};

static bool read_all(struct arena *a, const char *text, unsigned flags, struct clj **ret, struct err *err)
{
	return clj_read_all(a, STR("x.clj"), str_from(text), flags, clj_features, 1, ret, err);
}

/* What is read, printed. */
static void reads(const char *text, unsigned flags, const char *want)
{
	struct arena a = {0};
	struct buf out = {0};
	struct err err = {0};
	struct clj *list;
	if (read_all(&a, text, flags, &list, &err)) {
		for (uint32_t i = 0; i < list->len; i++) {
			if (i)
				buf_addc(&out, ' ');
			clj_print(list->items[i], &out);
		}
	} else {
		err_format(&err, &out);
	}
	tap_eq_str(buf_str(&out), str_from(want), "reads %s", text);
	buf_release(&out);
	err_clear(&err);
	arena_release(&a);
}

/* The whole message, with place, line and caret. */
static void refuses(const char *text, unsigned flags, const char *want)
{
	struct arena a = {0};
	struct buf out = {0};
	struct err err = {0};
	struct clj *list = NULL;
	if (tap_ok(!read_all(&a, text, flags, &list, &err), "refuses %s", text)) {
		err_format(&err, &out);
		tap_eq_str(buf_str(&out), str_from(want), "says why: %s", text);
	}
	buf_release(&out);
	err_clear(&err);
	arena_release(&a);
}

static void test_reading(void)
{
	reads("(a b) [c] {d e} #{f} #(g %1)", 0, "(a b) [c] {d e} #{f} #(g %1)");
	reads("'a `(b ~c ~@d) @e #'f #=(g)", 0, "'a `(b ~c ~@d) @e #'f #=(g)");
	reads("a' a# x'y :k ::r ::r/s :a.b/c / a// clojure.core// nil", 0,
	      "a' a# x'y :k ::r ::r/s :a.b/c / a// clojure.core// nil");
	reads("1 -1 +1 0x1F 017 36rZz 1/2 1N 1.5M 1. 1e3 -0.5E-3 ##Inf ##-Inf ##NaN", 0,
	      "1 -1 +1 0x1F 017 36rZz 1/2 1N 1.5M 1. 1e3 -0.5E-3 ##Inf ##-Inf ##NaN");
	reads("\\a \\newline \\u0041 \\o101 \\( \\; \\\" \\\\ \\é [\\a]", 0,
	      "\\a \\newline \\u0041 \\o101 \\( \\; \\\" \\\\ \\é [\\a]");
	reads("\"a\\tb\\n\\\"\\\\ \\u00e9 \\101\"", 0, "\"a\\tb\\n\\\"\\\\ é A\"");
	reads("#\"a\\\"(b\\d\"", 0, "#\"a\\\"(b\\d\"");
	reads("^:a ^{:b 1} ^String x ^[int] (y) #^z w", 0, "^:a ^{:b 1} ^String x ^[int] (y) ^z w");
	reads("^ ^:m {:a 1} x", 0, "^^:m {:a 1} x");
	reads("#:a{:b 1} #::{:c 2} #::d{:e 3}", 0, "#:a{:b 1} #::{:c 2} #::d{:e 3}");
	reads("#inst \"2020\" #a.b/c [1] #x #y z", 0, "#inst \"2020\" #a.b/c [1] #x #y z");
	reads("a, ; comment ( \n b #! also ]\n c", 0, "a b c");
	reads("#_a b #_ #_ c d e #_(f) [g #_h]", 0, "b e [g]");
	reads("#_#inst \"x\" ^:a #_b c", 0, "^:a c");
	reads("\xef\xbb\xbf(a)", 0, "(a)");
	reads("()[]{}#{}", 0, "() [] {} #{}");
	reads("", 0, "");
}

static void test_conditionals(void)
{
	reads("#?(:clj a :cljs b) #?(:cljs b) #?(:cljs b :default c)", CLJ_COND, "a c");
	reads("[#?@(:clj [a b] :cljs c) d] [#?@(:cljs [x])]", CLJ_COND, "[a b d] []");
	reads("#?(:clj #?(:cljs x :default y))", CLJ_COND, "y");
	reads("{:a #?(:clj 1 :cljs 2) #?@(:clj [:b 2])}", CLJ_COND, "{:a 1 :b 2}");
	reads("[#_ #?(:cljs x) y z]", CLJ_COND, "[z]");
	reads("['#?@(:clj [a b]) c]", CLJ_COND, "['a b c]");
	reads("[()#_#?@(:clj [a b]) c]", CLJ_COND, "[() b c]");
	refuses("#?(:clj a)", 0,
	        "x.clj:1:1: reader conditional in a file that is not .cljc\n#?(:clj a)\n^\nnote: rename the file "
	        "to .cljc, or write what the conditional gives on the JVM\n");
	refuses("#?@(:clj [a])", CLJ_COND,
	        "x.clj:1:1: \"#?@\" has nothing to splice into at top level\n#?@(:clj [a])\n^\n");
	refuses("#?(:clj)", CLJ_COND, "x.clj:1:4: no form follows this feature\n#?(:clj)\n   ^\n");
	refuses("#?(clj a)", CLJ_COND, "x.clj:1:4: a feature such as :clj must stand here\n#?(clj a)\n   ^\n");
	refuses("[#?@(:clj a)]", CLJ_COND,
	        "x.clj:1:11: what \"#?@\" splices must be a list or a vector\n[#?@(:clj a)]\n          ^\n");
}

static void test_errors(void)
{
	refuses("(a\n  [b)", 0, "x.clj:2:5: \")\" where \"]\" must come: \"[\" was opened at 2:3\n  [b)\n    ^\n");
	refuses("(é (a", 0,
	        "x.clj:1:4: \"(\" is never closed\n(é (a\n   ^\nnote: the text ends before what closes it\n");
	refuses("a)", 0, "x.clj:1:2: \")\" closes nothing\na)\n ^\n");
	refuses("\"a\\qb\"", 0, "x.clj:1:3: \"\\q\" is no escape in a string\n\"a\\qb\"\n  ^\n");
	refuses(" \"ab", 0,
	        "x.clj:1:2: \"\"\" is never closed\n \"ab\n ^\nnote: the text ends before what closes it\n");
	refuses("{:a}", 0, "x.clj:1:1: a map needs an even number of forms, this has 1\n{:a}\n^\n");
	refuses("foo: x", 0, "x.clj:1:1: \"foo:\" is neither symbol nor keyword\nfoo: x\n^\n");
	refuses("1a", 0, "x.clj:1:1: \"1a\" is not a number\n1a\n^\n");
	refuses("089", 0, "x.clj:1:1: \"089\" is not a number\n089\n^\n");
	refuses("\\foo", 0, "x.clj:1:1: \"\\foo\" is not a character\n\\foo\n^\n");
	refuses("(')", 0, "x.clj:1:2: nothing follows \"'\" before the bracket closes\n(')\n ^\n");
	refuses("#_", 0, "x.clj:1:1: the text ends before this form does\n#_\n^\n");
	refuses("#<Obj>", 0, "x.clj:1:1: \"#<\" begins what was printed and can't be read\n#<Obj>\n^\n");
	refuses("~x", CLJ_EDN, "x.clj:1:1: \"~\" is not EDN\n~x\n^\n");
	refuses("[#(a)]", CLJ_EDN, "x.clj:1:2: \"#(\" is not EDN\n[#(a)]\n ^\n");
	refuses("##Foo", 0, "x.clj:1:1: \"##Foo\" is none of ##Inf, ##-Inf and ##NaN\n##Foo\n^\n");
	refuses("#:a [1]", 0, "x.clj:1:1: a namespace and a map must follow \"#:\"\n#:a [1]\n^\n");
}

/* Heads of top-level forms, each passed over. */
static void heads(const char *text, const char *want, const char *want_tags)
{
	struct arena a = {0};
	struct clj_reader r;
	struct buf out = {0}, tags = {0};
	struct err err = {0};
	struct str head;
	clj_open(&r, &a, STR("x.clj"), str_from(text), CLJ_COND, clj_features, 1);
	while (clj_peek(&r, &head, &err) && !r.ended && clj_skip(&r, &err))
		buf_addf(&out, "%.*s|", STR_ARG(head));
	for (size_t i = 0; i < r.tags.len; i++)
		buf_addf(&tags, "%.*s|", STR_ARG(r.tags.ptr[i]));
	if (err.kind)
		err_format(&err, &out);
	tap_eq_str(buf_str(&out), str_from(want), "heads of %s", text);
	tap_eq_str(buf_str(&tags), str_from(want_tags), "tags of %s", text);
	clj_close(&r);
	buf_release(&out);
	buf_release(&tags);
	err_clear(&err);
	arena_release(&a);
}

static void test_skipping(void)
{
	heads("(ns a) (def x \\) \\\") ;( \n (y \"(\\\"\" #\"[(\\\"]\") z", "ns|def|y||", "");
	heads("#_(a) #_ #_ (b) (c) (d) #?(:clj x) ^:m ^{:n 1} (e) (f)", "d|#?||f|", "");
	heads("(a #inst \"x\" #!\n b#) #foo/bar {:a \\newline} #'x @y ~@z #{a} #(b) #:n{:a 1} ##Inf", "a|||||||||",
	      "inst|foo/bar|");
	heads("(a #js {} x#y #js [])", "a|", "js|");
	heads("( a) ((b)) ('c) (:d) ([e])", "a|||||", "");
	heads("(a [b)) (c)", "x.clj:1:6: \")\" where \"]\" must come: \"[\" was opened at 1:4\n(a [b)) (c)\n     ^\n",
	      "");
	heads("(a) (b",
	      "a|x.clj:1:5: \"(\" is never closed\n(a) (b\n    ^\nnote: the text ends before what closes it\n", "");
}

/* Depth is bounded by memory and not by the stack. */
static void test_depth(void)
{
	enum { DEPTH = 200000 };
	struct buf text = {0}, out = {0};
	struct arena a = {0};
	struct err err = {0};
	struct clj *list;
	for (unsigned i = 0; i < DEPTH; i++)
		buf_addz(&text, "[^:a '");
	buf_addc(&text, 'x');
	for (unsigned i = 0; i < DEPTH; i++)
		buf_addc(&text, ']');
	tap_ok(read_all(&a, buf_cstr(&text), 0, &list, &err), "reads %d levels", DEPTH);
	clj_print(list->items[0], &out);
	tap_ok(str_eq(buf_str(&text), buf_str(&out)), "and prints them");
	buf_release(&text);
	buf_release(&out);
	arena_release(&a);
}

static void test_access(void)
{
	struct arena a = {0};
	struct err err = {0};
	struct clj *list;
	CHECK(read_all(&a, "{:a 1 ::a 2 :b \"x\"} [s :a t] 'q (quote q)", 0, &list, &err));
	struct clj **f = list->items;
	tap_eq_str(clj_text(clj_get(f[0], 0, "b")), STR("x"), "a map's value");
	tap_ok(!clj_get(f[0], 0, "c"), "a key that is not there");
	tap_eq_str(clj_text(clj_get(f[1], 1, "a")), STR("t"), "a plist's value");
	tap_ok(clj_is_symbol(clj_unquoted(f[2]), "q") && clj_is_symbol(clj_unquoted(f[3]), "q"), "both ways to quote");
	arena_release(&a);
}

int main(void)
{
	test_reading();
	test_conditionals();
	test_errors();
	test_skipping();
	test_depth();
	test_access();
	return tap_done();
}
