#include "lang/sexp.h"

#include <time.h>

#include "base/tap.h"

/* Reads `text` and compares what is printed of all its forms, as one list. */
static void reads(enum sexp_mode mode, struct str text, const char *want)
{
	struct arena a = {0};
	struct err err = {0};
	struct sexp *list;
	struct buf out = {0};
	if (sexp_read(&a, STR("f"), text, mode, &list, &err))
		sexp_print(list, &out);
	else
		err_format(&err, &out);
	tap_eq_str(buf_str(&out), str_from(want), "reads %.*s", STR_ARG(text));
	buf_release(&out);
	err_clear(&err);
	arena_release(&a);
}

/* Reading `text` fails with this error, as it is shown. */
static void fails(enum sexp_mode mode, struct str text, const char *want)
{
	struct arena a = {0};
	struct err err = {0};
	struct sexp *list = NULL;
	struct buf out = {0};
	bool ok = sexp_read(&a, STR("f"), text, mode, &list, &err);
	err_format(&err, &out);
	tap_ok(!ok && !list && err.kind == ERR_USER, "fails: %.*s", STR_ARG(text));
	tap_eq_str(buf_str(&out), str_from(want), "says why");
	buf_release(&out);
	err_clear(&err);
	arena_release(&a);
}

static void test_source(void)
{
	reads(SEXP_SOURCE, STR("#+sbcl (a) #-(and x y) b"), "((#+ sbcl) (a) (#- (and x y)) b)");
	reads(SEXP_SOURCE, STR("(:version #.(f \"x\") #p\"a/b\" #P\"c\" #(1 2) #'car #:foo #\\) #x1F #*01)"),
	      "((:version (#. (f \"x\")) (#p \"a/b\") (#p \"c\") (# (1 2)) (function car) #:foo #\\) #x1F #*01))");
	reads(SEXP_SOURCE, STR("#+sbcl ; why\n #| and |# :x"), "((#+ sbcl) :x)");
	reads(SEXP_SOURCE, STR("(:a #1=\"x\" :b #1# #12=(c #12#))"), "((:a (#= \"x\") :b #1# (#= (c #12#))))");
	fails(SEXP_SOURCE, STR("#1(a)"), "f:1:1: \"#1\" can't be used here\n#1(a)\n^\n");
	fails(SEXP_SOURCE, STR("(#1=)"), "f:1:2: nothing follows the quote\n(#1=)\n ^\n");
	fails(SEXP_SOURCE, STR("(#+)"), "f:1:2: nothing follows the quote\n(#+)\n ^\n");
}

static void test_lisp(void)
{
	reads(SEXP_LISP, (struct str){0}, "()");
	reads(SEXP_LISP, STR(" \t\r\n\f; only a comment"), "()");
	reads(SEXP_LISP, STR("\xef\xbb\xbf(a)"), "((a))");
	reads(SEXP_LISP, STR("()[]{}"), "(() [] {})");
	reads(SEXP_LISP, STR("(a(b)c)d"), "((a (b) c) d)");
	reads(SEXP_LISP, STR("(:a 1 :b \"x\") ; end"), "((:a 1 :b \"x\"))");
	reads(SEXP_LISP, STR("0 -0 +7 -1 007"), "(0 0 7 -1 7)");
	reads(SEXP_LISP, STR("9223372036854775807 -9223372036854775808"), "(9223372036854775807 -9223372036854775808)");
	reads(SEXP_LISP, STR("- + 1+ -a 1.5 1/2 ."), "(- + 1+ -a 1.5 1/2 .)");
	reads(SEXP_LISP, STR("asdf/lisp-action::compile-op SB-C::%FOO Nil"),
	      "(asdf/lisp-action::compile-op SB-C::%FOO Nil)");
	reads(SEXP_LISP, STR("|a b|c foo::|x\\|y| \\( a\\ b ||"), "(|a b|c foo::|x\\|y| \\( a\\ b ||)");
	reads(SEXP_LISP, STR(":|Weird Key| :: :"), "(:|Weird Key| :: :)");
	reads(SEXP_LISP, STR("\"a\\\"b\\\\c\\nd\" \"two\nlines\""), "(\"a\\\"b\\\\cnd\" \"two\nlines\")");
	reads(SEXP_LISP, STR("\"\"\"\"a\"\""), "(\"\" \"\" a \"\")");
	reads(SEXP_LISP, STR("'a `(b ,c ,@d) #'e '()"),
	      "((quote a) (quasiquote (b (unquote c) (unquote-splicing d))) (function e) (quote ()))");
	reads(SEXP_LISP, STR("''a'b"), "((quote (quote a)) (quote b))");
	reads(SEXP_LISP, STR("#\\a #\\( #\\) #\\Space #\\\" (#\\;) #\\\xc3\xa9"),
	      "(#\\a #\\( #\\) #\\Space #\\\" (#\\;) #\\\xc3\xa9)");
	reads(SEXP_LISP, STR("#:sym (#:|a b|)"), "(#:sym (#:|a b|))");
	reads(SEXP_LISP, STR("a#|b #| c |# d|#e #||# f#g"), "(a#|b #| c |# d|#e f#g)");
	reads(SEXP_LISP, STR("#| a #| b |# ( |# c"), "(c)");
	reads(SEXP_LISP, STR("na\xc3\xafve \"\xe2\x82\xac\""), "(na\xc3\xafve \"\xe2\x82\xac\")");
	reads(SEXP_LISP, STR("; a comment at the end\n;"), "()");
}

static void test_build(void)
{
	reads(SEXP_BUILD, STR("[a, b,c] {:k 1, :l 2}"), "([a b c] {:k 1 :l 2})");
	reads(SEXP_BUILD, STR("\"\\\"\\\\\\n\\t\\r\\u0041\\u00e9\\u20AC\""),
	      "(\"\\\"\\\\\n\t\rA\xc3\xa9\xe2\x82\xac\")");
	reads(SEXP_BUILD, STR("don't a|b"), "(don't a|b)");
	reads(SEXP_BUILD, STR("//dir:name ;c\n#| c |# :k"), "(//dir:name :k)");
	fails(SEXP_BUILD, STR("'a"), "f:1:1: unexpected ': nothing needs to be quoted here\n'a\n^\n");
	fails(SEXP_BUILD, STR("a #(1)"), "f:1:3: \"#(\" can't be used here\na #(1)\n  ^\n");
	fails(SEXP_BUILD, STR("\"a\\qb\""),
	      "f:1:3: unknown escape \"\\q\"\n\"a\\qb\"\n  ^\nnote: strings have the escapes \\\" \\\\ \\n \\t \\r "
	      "\\uXXXX\n");
	fails(SEXP_BUILD, STR("\"\\u12\""),
	      "f:1:2: \"\\u\" wants four hexadecimal digits that name a character\n\"\\u12\"\n ^\n");
	fails(SEXP_BUILD, STR("\"\\ud800\""),
	      "f:1:2: \"\\u\" wants four hexadecimal digits that name a character\n\"\\ud800\"\n ^\n");
	fails(SEXP_BUILD, STR("\"\\u0000\""),
	      "f:1:2: \"\\u\" wants four hexadecimal digits that name a character\n\"\\u0000\"\n ^\n");
	fails(SEXP_BUILD, STR("(a \"b\nc\")"), "f:1:4: string opened at 1:4 is not closed on its line\n(a \"b\n   ^\n");
}

static void test_errors(void)
{
	fails(SEXP_LISP, STR("\n\n      (a"), "f:3:7: '(' opened at 3:7 is never closed\n      (a\n      ^\n");
	fails(SEXP_LISP, STR("(a\n [b (c)"),
	      "f:2:2: '[' opened at 2:2 is never closed\n [b (c)\n ^\nnote: the form that it is in begins at 1:1\n");
	fails(SEXP_LISP, STR("a)"), "f:1:2: unexpected ')': no bracket is open\na)\n ^\n");
	fails(SEXP_LISP, STR("(a\n  ]"), "f:2:3: unexpected ']': '(' opened at 1:1 wants ')'\n  ]\n  ^\n");
	fails(SEXP_LISP, STR("(\xc3\xa9\xe2\x82\xac ]"),
	      "f:1:5: unexpected ']': '(' opened at 1:1 wants ')'\n(\xc3\xa9\xe2\x82\xac ]\n    ^\n");
	fails(SEXP_LISP, STR("(\xc3\xa9 (\xc3\xa9 ("),
	      "f:1:7: '(' opened at 1:7 is never closed\n(\xc3\xa9 (\xc3\xa9 (\n      ^\n"
	      "note: the form that it is in begins at 1:1\n");
	fails(SEXP_LISP, STR("a\n \"b\nc"), "f:2:2: string opened at 2:2 is never closed\n \"b\n ^\n");
	fails(SEXP_LISP, STR("\"b\\"), "f:1:1: string opened at 1:1 is never closed\n\"b\\\n^\n");
	fails(SEXP_LISP, STR("\"b\\\""), "f:1:1: string opened at 1:1 is never closed\n\"b\\\"\n^\n");
	fails(SEXP_LISP, STR(" #| #| |#\n"), "f:1:2: comment \"#|\" opened at 1:2 is never closed\n #| #| |#\n ^\n");
	fails(SEXP_LISP, STR("#|"), "f:1:1: comment \"#|\" opened at 1:1 is never closed\n#|\n^\n");
	fails(SEXP_LISP, STR("a |b\nc"), "f:1:3: symbol in \"|\" is never closed\na |b\n  ^\n");
	fails(SEXP_LISP, STR("abc\\"), "f:1:4: backslash with nothing behind it\nabc\\\n   ^\n");
	fails(SEXP_LISP, STR("(a ')"), "f:1:4: nothing follows the quote\n(a ')\n   ^\n");
	fails(SEXP_LISP, STR("'"), "f:1:1: nothing follows the quote\n'\n^\n");
	fails(SEXP_LISP, STR("#\\"), "f:1:1: no character follows \"#\\\"\n#\\\n^\n");
	fails(SEXP_LISP, STR("(#+sbcl a)"),
	      "f:1:2: \"#+\" can't be used here: conditions on features are not read\n(#+sbcl a)\n ^\n");
	fails(SEXP_LISP, STR("#.(evil)"),
	      "f:1:1: \"#.\" can't be used here: nothing is evaluated while reading\n#.(evil)\n^\n");
	fails(SEXP_LISP, STR("#<X>"), "f:1:1: \"#<\" can't be used here\n#<X>\n^\n");
	fails(SEXP_LISP, STR("a #"), "f:1:3: \"#\" can't be used here\na #\n  ^\n");
	fails(SEXP_LISP, STR("(9223372036854775808)"),
	      "f:1:2: integer of more than 64 bits\n(9223372036854775808)\n ^\n");
	fails(SEXP_LISP, STR("-9223372036854775809"), "f:1:1: integer of more than 64 bits\n-9223372036854775809\n^\n");
	fails(SEXP_LISP, STR("(a \"\0\")"), "f:1:5: a NUL byte in the text\n(a \"?\")\n    ^\n");
	fails(SEXP_LISP, STR("a\n\xc3\xa9\xff"), "f:2:2: byte 0xff is not UTF-8\n\xc3\xa9\xff\n ^\n");
	fails(SEXP_LISP, STR("a\xe2\x82"), "f:1:2: byte 0xe2 is not UTF-8\na\xe2\x82\n ^\n");
	fails(SEXP_LISP, STR("\xef\xbb\xbf a)"), "f:1:3: unexpected ')': no bracket is open\n a)\n  ^\n");
}

static void at(const struct sexp *s, uint32_t line, uint32_t col, uint32_t offset, uint32_t end, const char *name)
{
	tap_ok(s->line == line && s->col == col && s->offset == offset && s->end == end,
	       "%s stands at %u:%u, bytes %u to %u", name, s->line, s->col, s->offset, s->end);
}

static void test_places(void)
{
	struct arena a = {0};
	struct str text = STR("(\xc3\xa9 \"x\ny\" b\n  'c |d\ne| #\\\nf g)\nz");
	struct sexp *list;
	tap_ok(sexp_read(&a, STR("f"), text, SEXP_LISP, &list, NULL) && list->len == 2, "two forms");
	at(list, 1, 1, 0, 32, "the list of forms");
	struct sexp **in = list->items[0]->items;
	tap_eq_int(list->items[0]->len, 7, "seven items");
	at(list->items[0], 1, 1, 0, 30, "the first");
	at(in[0], 1, 2, 1, 3, "a symbol of two bytes");
	at(in[1], 1, 4, 4, 9, "a string over two lines");
	at(in[2], 2, 4, 10, 11, "what follows it");
	at(in[3], 3, 3, 14, 16, "a quote");
	at(in[3]->items[0], 3, 3, 14, 15, "its mark");
	at(in[3]->items[1], 3, 4, 15, 16, "the quoted");
	at(in[4], 3, 6, 17, 22, "a symbol over two lines");
	at(in[5], 4, 4, 23, 27, "a newline as a character");
	at(in[6], 5, 3, 28, 29, "what follows that");
	at(list->items[1], 6, 1, 31, 32, "the second form");
	arena_release(&a);
}

static void test_access(void)
{
	struct arena a = {0};
	struct str text = STR("(:plan :Name \"x\" :n 42 :none nil :empty () :name \"second\" :odd) [1] a");
	struct sexp *list;
	tap_ok(sexp_read(&a, STR("f"), text, SEXP_LISP, &list, NULL) && list->len == 3, "reads");
	const struct sexp *plan = list->items[0];
	tap_ok(sexp_is_keyword(plan->items[0], "plan") && sexp_is_keyword(plan->items[0], "PLAN"), "keyword, any case");
	tap_ok(!sexp_is_symbol(plan->items[0], "plan") && !sexp_is_keyword(plan->items[0], "pla") &&
	               !sexp_is_keyword(NULL, "x") && !sexp_is_symbol(NULL, "x"),
	       "no other");
	tap_eq_str(sexp_text(sexp_getf(plan, 1, "name")), STR("x"), "getf takes the first, in any case");
	tap_eq_int(sexp_int(sexp_getf(plan, 1, "n"), -1), 42, "getf of an integer");
	tap_eq_int(sexp_int(sexp_getf(plan, 1, "name"), -1), -1, "a string is no integer");
	tap_eq_int(sexp_int(NULL, 5), 5, "nothing is no integer");
	tap_ok(sexp_is_nil(sexp_getf(plan, 1, "none")) && sexp_is_nil(sexp_getf(plan, 1, "empty")), "nil and ()");
	tap_ok(!sexp_is_nil(NULL) && !sexp_is_nil(list->items[1]), "others are not nil");
	tap_ok(!sexp_getf(plan, 1, "odd") && !sexp_getf(plan, 1, "missing"), "a keyword without a value is absent");
	tap_ok(!sexp_getf(plan, 100, "n") && !sexp_getf(NULL, 0, "n") && !sexp_getf(list->items[2], 0, "n"),
	       "getf of what is no list");
	tap_ok(!sexp_text(NULL).ptr && !sexp_text(plan).ptr, "no text");
	/* Values are not taken for keys. */
	struct sexp *plist;
	tap_ok(sexp_read(&a, STR("f"), STR(":a :b :b 2"), SEXP_LISP, &plist, NULL), "reads a plist");
	tap_eq_int(sexp_int(sexp_getf(plist, 0, "b"), -1), 2, "a value is not taken for a key");
	arena_release(&a);
}

static void add_many(struct buf *b, char c, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_addc(b, c);
}

static void test_deep(void)
{
	enum { DEPTH = 1000000 };
	struct arena a = {0};
	struct err err = {0};
	struct buf text = {0}, out = {0};
	struct sexp *list;
	add_many(&text, '(', DEPTH);
	tap_ok(!sexp_read(&a, STR("f"), buf_str(&text), SEXP_LISP, &list, &err), "a million open parentheses");
	tap_ok(err.span.line == 1 && err.span.col == DEPTH, "the innermost is named");
	add_many(&text, ')', DEPTH);
	tap_ok(sexp_read(&a, STR("f"), buf_str(&text), SEXP_LISP, &list, &err), "a million levels");
	sexp_print(list->items[0], &out);
	tap_ok(str_eq(buf_str(&out), buf_str(&text)), "a million levels are printed");
	buf_clear(&text);
	add_many(&text, '\'', DEPTH);
	buf_addc(&text, 'x');
	tap_ok(sexp_read(&a, STR("f"), buf_str(&text), SEXP_LISP, &list, &err), "a million quotes");
	buf_clear(&text);
	for (size_t i = 0; i < DEPTH; i++)
		buf_addz(&text, "#|");
	tap_ok(!sexp_read(&a, STR("f"), buf_str(&text), SEXP_LISP, &list, &err), "a million comments");
	buf_clear(&text);
	add_many(&text, '\n', DEPTH);
	buf_addc(&text, ')');
	sexp_read(&a, STR("f"), buf_str(&text), SEXP_LISP, &list, &err);
	tap_eq_int(err.span.line, DEPTH + 1, "a million lines");
	err_clear(&err);
	buf_release(&text);
	buf_release(&out);
	arena_release(&a);
}

/* A message as a driver sends it: the plan of many actions. */
static void add_message(struct buf *b, size_t bytes)
{
	buf_addz(b, "(:plan :asdf \"3.3.6\" :actions (");
	for (unsigned i = 0; b->len < bytes; i++)
		buf_addf(b,
		         "(:id %u :op \"ASDF/LISP-ACTION::COMPILE-OP\" :system \"ironclad/core\" :component (\"src\" "
		         "\"cipher-%u\") :kind :compile :inputs (\"/usr/share/common-lisp/source/ironclad/src/cipher-%u"
		         ".lisp\") :outputs (\"usr/share/common-lisp/source/ironclad/src/cipher-%u.fasl\") :deps (%u "
		         "%u) "
		         ":class nil :encoding :utf-8)\n",
		         i, i, i, i, i / 2, i / 3);
	buf_addz(b, "))");
}

static void test_large(void)
{
	struct arena a = {0};
	struct buf text = {0}, out = {0};
	struct sexp *list;
	struct timespec from, to;
	add_message(&text, 10u << 20);
	clock_gettime(CLOCK_MONOTONIC, &from);
	bool ok = sexp_read(&a, STR("f"), buf_str(&text), SEXP_LISP, &list, NULL);
	clock_gettime(CLOCK_MONOTONIC, &to);
	double seconds = (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
	tap_ok(ok, "a message of 10 MB");
	tap_note("%.0f MB/s, %.1f bytes of memory for each of text", (double)text.len / 1e6 / seconds,
	         (double)a.used / (double)text.len);
	const struct sexp *actions = sexp_getf(list->items[0], 1, "actions");
	bool all = actions != NULL;
	for (uint32_t i = 0; all && i < actions->len; i++)
		all = sexp_int(sexp_getf(actions->items[i], 0, "id"), -1) == i;
	tap_ok(all && actions->len > 20000, "holds all of its actions");
	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] == '\n')
			text.ptr[i] = ' ';
	sexp_print(list->items[0], &out);
	text.ptr[text.len - 3] = ')';
	text.len--;
	tap_ok(str_eq(buf_str(&out), buf_str(&text)), "is printed as it was written");
	buf_release(&text);
	buf_release(&out);
	arena_release(&a);
}

static bool same(const struct sexp *a, const struct sexp *b)
{
	struct buf x = {0}, y = {0};
	sexp_print(a, &x);
	sexp_print(b, &y);
	bool equal = str_eq(buf_str(&x), buf_str(&y));
	buf_release(&x);
	buf_release(&y);
	return equal;
}

/* The parts of an outline are what the whole has in their place. */
static void test_outline(void)
{
	struct arena a = {0};
	struct err err = {0};
	struct sexp *whole, *list, *part;
	struct str text =
	        STR("(:plan (a \"b)\" \"\\\"(\") #|(|# ; (\n (#\\( |)(| \\( 'x `(y ,@z))\n [1 (2)] {} -3 \"s\" #'car)");
	if (!tap_ok(sexp_read(&a, STR("f"), text, SEXP_LISP, &whole, &err), "a text with brackets of all sorts"))
		return;
	tap_ok(sexp_read_outline(&a, STR("f"), text, SEXP_LISP, 9, &list, &err) && same(list, whole),
	       "an outline that is deep enough is all of it");
	for (unsigned depth = 0; depth < 2; depth++) {
		if (!tap_ok(sexp_read_outline(&a, STR("f"), text, SEXP_LISP, depth, &list, &err),
		            "an outline: depth %u", depth))
			continue;
		const struct sexp *from = depth ? whole->items[0] : whole, *to = depth ? list->items[0] : list;
		bool all = from->len == to->len, unread = false;
		for (uint32_t i = 0; all && i < to->len; i++) {
			const struct sexp *s = to->items[i];
			unread |= s->kind == SEXP_UNREAD;
			all = s->line == from->items[i]->line && s->col == from->items[i]->col &&
			      (s->kind != SEXP_UNREAD ? same(s, from->items[i])
			                              : sexp_read(&a, STR("f"), s->text, SEXP_LISP, &part, &err) &&
			                                        part->len == 1 && same(part->items[0], from->items[i]));
		}
		tap_ok(all && unread, "its parts are what they are in the whole, at the same places");
	}
	tap_ok(!sexp_read_outline(&a, STR("f"), STR("(a (b (c)"), SEXP_LISP, 1, &list, &err) && err.span.col == 4,
	       "a bracket that is never closed");
	err_clear(&err);
	tap_ok(!sexp_read_outline(&a, STR("f"), STR("((a \"b))"), SEXP_LISP, 1, &list, &err) && err.span.col == 5,
	       "a string that is never closed");
	err_clear(&err);
	arena_release(&a);
}

static void test_print_string(void)
{
	struct buf out = {0};
	sexp_print_string(STR(""), &out);
	sexp_print_string(STR("\\\"\n\t\xc3\xa9"), &out);
	tap_eq_str(buf_str(&out), STR("\"\"\"\\\\\\\"\n\t\xc3\xa9\""), "strings are printed with Lisp's escapes");
	buf_release(&out);
}

int main(void)
{
	test_lisp();
	test_source();
	test_build();
	test_errors();
	test_places();
	test_access();
	test_deep();
	test_large();
	test_outline();
	test_print_string();
	return tap_done();
}
