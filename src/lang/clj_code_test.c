#include "lang/clj_code.h"

#include <stdio.h>

#include "base/arena.h"
#include "base/tap.h"
#include "os/fs.h"

static const char source[] = "(ns a.b) ; one\n(defn f [x]\n  (str x \"; none\\\"\" \\; \\\" #\"a;\\\"b\"))\n";

struct variant {
	const char *what, *text;
	bool same;
};

static void compare(const char *base, const struct variant *v)
{
	struct digest one, other;
	if (!clj_code_digest(str_from(base), &one) || !clj_code_digest(str_from(v->text), &other)) {
		tap_ok(false, "%s: it is clear", v->what);
		return;
	}
	tap_ok(digest_eq(&one, &other) == v->same, "%s: %s", v->what, v->same ? "the same" : "other");
}

static void test_variants(void)
{
	static const struct variant variants[] = {
	        {"another comment", "(ns a.b) ; two \"\n(defn f [x]\n  (str x \"; none\\\"\" \\; \\\" #\"a;\\\"b\"))\n",
	         true},
	        {"no comment", "(ns a.b)\n(defn f [x]\n  (str x \"; none\\\"\" \\; \\\" #\"a;\\\"b\"))\n", true},
	        {"more at the end",
	         "(ns a.b) ; one\n(defn f [x]\n  (str x \"; none\\\"\" \\; \\\" #\"a;\\\"b\"))\n\n;; end\n", true},
	        {"spaces at an end", "(ns a.b) ; one\n(defn f [x]   \n  (str x \"; none\\\"\" \\; \\\" #\"a;\\\"b\"))",
	         true},
	        {"another kind of space",
	         "(ns a.b) ; one\n(defn f [x]\n\t,(str x \"; none\\\"\" \\; \\\" #\"a;\\\"b\"))\n", true},
	        {"a line more", "(ns a.b) ; one\n\n(defn f [x]\n  (str x \"; none\\\"\" \\; \\\" #\"a;\\\"b\"))\n",
	         false},
	        {"a space more", "(ns a.b) ; one\n(defn f [x]\n   (str x \"; none\\\"\" \\; \\\" #\"a;\\\"b\"))\n",
	         false},
	        {"a space in a string",
	         "(ns a.b) ; one\n(defn f [x]\n  (str x \";  none\\\"\" \\; \\\" #\"a;\\\"b\"))\n", false},
	        {"what looks like a comment",
	         "(ns a.b) ; one\n(defn f [x]\n  (str x \"; some\\\"\" \\; \\\" #\"a;\\\"b\"))\n", false},
	        {"an expression", "(ns a.b) ; one\n(defn f [x]\n  (str x \"; none\\\"\" \\; \\\" #\"a;\\\"c\"))\n",
	         false},
	        {"behind a character", "(ns a.b) ; one\n(defn f [x]\n  (str x \"; none\\\"\" \\; \\' #\"a;\\\"b\"))\n",
	         false},
	};
	for (size_t i = 0; i < ARRAY_LEN(variants); i++)
		compare(source, &variants[i]);
}

static void test_forms(void)
{
	compare("(a) #_(b) c", &(struct variant){"what is discarded", "(a) #_(d) c", false});
	compare("a;x", &(struct variant){"a comment right behind a symbol", "a;y", true});
	compare("a b", &(struct variant){"two, and one", "ab ", false});
	compare("(a \nb)", &(struct variant){"a space at an end within a form", "(a\nb)", true});
	/* The reader has taken the newline when the compiler asks for the line. */
	compare("a \n(b)", &(struct variant){"a space behind a symbol at top level", "a\n(b)", false});
	compare("(a) \n(b)", &(struct variant){"a space behind a form", "(a)\n(b)", true});
	compare("\"a\n;b\" c ;d", &(struct variant){"behind a string of two lines", "\"a\n;b\" c ;e", true});
	compare("\"a\\\\\" ;c", &(struct variant){"behind a string that ends in a backslash", "\"a\\\\\" ;d", true});
	compare("\\\\;c", &(struct variant){"behind a backslash as a character", "\\\\;d", true});
	compare("\"\xc3\xa9\" ;c", &(struct variant){"behind other letters", "\"\xc3\xa9\" ;d", true});
	compare("(\\  ;c\n)", &(struct variant){"behind a space as a character", "(\\  ;d\n)", true});
	compare("(\\, ;c\n)", &(struct variant){"behind a comma as a character", "(\\, ;d\n)", true});
	compare("(a) ;c\r\n(b)", &(struct variant){"lines that end with a return and a newline", "(a)\r\n(b)", true});
	compare("(a)\r\n(b)", &(struct variant){"a return before a newline", "(a)\n(b)", true});
	compare("\"a\r\n\"", &(struct variant){"in a string", "\"a\n\"", false});
	compare("", &(struct variant){"nothing, and a comment", "; a", true});
}

static void test_doubtful(void)
{
	static const char *const texts[] = {"(a \"b)", "(a) ; b\r(c)", "(a)\r",  "#!/usr/bin/env clj\n(a)",
	                                    "a#!\"",   "\\",           "(\\\n)", "\"a\\"};
	struct digest d;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		tap_ok(!clj_code_digest(str_from(texts[i]), &d), "%zu is doubtful", i);
}

/* For t/0600-clojure-worker.sh: names the files of a folder that differ, or are doubtful, from those of the same names
 * in another. */
static int compare_files(const char *a, const char *b)
{
	struct arena arena = {0};
	struct buf one = {0}, other = {0};
	char line[4096];
	int differ = 0;
	while (fgets(line, sizeof(line), stdin)) {
		struct str name = str_slice(str_from(line), 0, str_find(str_from(line), '\n'));
		struct digest d1, d2;
		buf_clear(&one);
		buf_clear(&other);
		if (!fs_read(path_join(&arena, a, str_dupz(&arena, name)), &one, NULL) ||
		    !fs_read(path_join(&arena, b, str_dupz(&arena, name)), &other, NULL) ||
		    !clj_code_digest(buf_str(&one), &d1) || !clj_code_digest(buf_str(&other), &d2) ||
		    !digest_eq(&d1, &d2)) {
			printf("%.*s\n", STR_ARG(name));
			differ++;
		}
	}
	buf_release(&one);
	buf_release(&other);
	arena_release(&arena);
	return differ != 0;
}

int main(int argc, char **argv)
{
	if (argc == 3)
		return compare_files(argv[1], argv[2]);
	test_variants();
	test_forms();
	test_doubtful();
	return tap_done();
}
