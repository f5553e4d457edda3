#include "front/asd_edit.h"

#include "base/tap.h"

#define MOST 6

/* One change: the component's path and the names that it is to depend on, each separated by spaces. */
struct change {
	const char *component, *want;
};

static size_t words(const char *text, struct str *out)
{
	struct str rest = str_from(text), word;
	size_t n = 0;
	while (n < MOST && str_cut(&rest, ' ', &word))
		out[n++] = word;
	return n;
}

/* Makes the changes to system "s" in `text`; what comes of it, or the error. `ret` gets the edits' results. */
static void check(const char *text, bool expand, const struct change *changes, size_t n, const char *want,
                  enum asd_edit_result *ret)
{
	struct arena a = {0};
	struct err err = {0};
	struct asd_edit edits[MOST] = {0};
	struct str components[MOST][MOST], names[MOST][MOST], out = {0};
	for (size_t i = 0; i < n; i++) {
		edits[i].system = STR("s");
		edits[i].component = components[i];
		edits[i].ncomponent = (uint32_t)words(changes[i].component, components[i]);
		edits[i].want = names[i];
		edits[i].nwant = words(changes[i].want, names[i]);
	}
	struct buf message = {0};
	struct asd_source source = {STR("s.asd"), str_from(text), STR("(\":Y\" \":SBCL\" \":X86-64\")")};
	if (!asd_edit(&a, &source, edits, n, expand, &out, &err)) {
		err_format(&err, &message);
		out = buf_str(&message);
	}
	tap_eq_str(out, str_from(want), "%s of %s", n ? changes[0].component : "nothing", text);
	for (size_t i = 0; i < n; i++)
		ret[i] = edits[i].result;
	buf_release(&message);
	err_clear(&err);
	arena_release(&a);
}

static void one(const char *text, const char *component, const char *names, const char *want,
                enum asd_edit_result result)
{
	struct change change = {component, names};
	enum asd_edit_result got = ASD_EDIT_SAME;
	check(text, false, &change, 1, want, &got);
	tap_eq_int(got, result, "its result");
}

static void test_lists(void)
{
	one("(defsystem \"s\" :components ((:file \"a\") (:file \"b\" :depends-on (\"a\"))))", "b", "a",
	    "(defsystem \"s\" :components ((:file \"a\") (:file \"b\" :depends-on (\"a\"))))", ASD_EDIT_SAME);
	one("(defsystem \"s\" :components ((:file \"a\") (:file \"b\")))", "b", "a",
	    "(defsystem \"s\" :components ((:file \"a\") (:file \"b\" :depends-on (\"a\"))))", ASD_EDIT_DONE);
	one("(defsystem \"s\" :components ((:file \"a\") (:file \"b\" :depends-on (\"a\") :if-feature :x)))", "b", "",
	    "(defsystem \"s\" :components ((:file \"a\") (:file \"b\" :if-feature :x)))", ASD_EDIT_DONE);
	one("(defsystem s :components ((:file a) (:file b) (:file c :depends-on (a b))))", "c", "b",
	    "(defsystem s :components ((:file a) (:file b) (:file c :depends-on (b))))", ASD_EDIT_DONE);
	one("(asdf:defsystem #:s :components ((:file #:a) (:file :b) (:file #:c :depends-on (#:a))))", "c", "a b",
	    "(asdf:defsystem #:s :components ((:file #:a) (:file :b) (:file #:c :depends-on (#:a #:b))))",
	    ASD_EDIT_DONE);
	one("(defsystem \"s\" :components ((:file \"a\") (:file \"B.x\") (:file \"c\" :depends-on (:a))))", "c",
	    "a B.x",
	    "(defsystem \"s\" :components ((:file \"a\") (:file \"B.x\") (:file \"c\" :depends-on (:a \"B.x\"))))",
	    ASD_EDIT_DONE);
	one("(defsystem \"s\" :components ((:module \"m\" :components ((:file \"a\") (:file \"b\")))))", "m b", "a",
	    "(defsystem \"s\" :components ((:module \"m\" :components ((:file \"a\") (:file \"b\" :depends-on "
	    "(\"a\"))))))",
	    ASD_EDIT_DONE);
	one("(defsystem s :components ((:file x) (:module m ; mine\n  :components ((:file a)))))", "m", "x",
	    "(defsystem s :components ((:file x) (:module m\n  :depends-on (\"x\") ; mine\n  :components ((:file "
	    "a)))))",
	    ASD_EDIT_DONE);
	one("(defsystem \"s\" :depends-on () :components ((:file \"a\")))", "", "x",
	    "(defsystem \"s\" :depends-on (\"x\") :components ((:file \"a\")))", ASD_EDIT_DONE);
	one("(defsystem \"s\" :depends-on (:y) :components ((:file \"a\")))", "", "x",
	    "(defsystem \"s\" :depends-on (:y :x) :components ((:file \"a\")))", ASD_EDIT_DONE);
}

static void test_layout(void)
{
	one("(defsystem \"s\"\n :components\n ((:file \"a\") ; first\n  (:file \"b\" ; second\n         :depends-on "
	    "(\"a\"   \"x\" ; odd\n                      \"y\"))))\n; end\n",
	    "b", "a",
	    "(defsystem \"s\"\n :components\n ((:file \"a\") ; first\n  (:file \"b\" ; second\n         :depends-on "
	    "(\"a\" ; odd\n                      ))))\n; end\n",
	    ASD_EDIT_DONE);
	one("(defsystem s :components ((:file \"c\" :depends-on (\"a\"\n  \"b\"\n  \"d\"))))", "c", "d",
	    "(defsystem s :components ((:file \"c\" :depends-on (\"d\"))))", ASD_EDIT_DONE);
	one("(defsystem s :components ((:file a) (:file b) (:file e)\n (:file \"c\" :depends-on (\"a\"\n  \"b\"))))",
	    "c", "a b e",
	    "(defsystem s :components ((:file a) (:file b) (:file e)\n (:file \"c\" :depends-on (\"a\"\n  \"b\"\n  "
	    "\"e\"))))",
	    ASD_EDIT_DONE);
	one("(defsystem s :components ((:file a)\n (:file \"c\"\n  :pathname \"d\") ; why\n ))", "c", "a",
	    "(defsystem s :components ((:file a)\n (:file \"c\"\n  :pathname \"d\"\n  :depends-on (\"a\")) ; why\n ))",
	    ASD_EDIT_DONE);
	one("(defsystem s :components ((:file a :depends-on ( ; b first\n \"b\"))))", "a", "",
	    "(defsystem s :components ((:file a :depends-on ( ; b first\n ))))", ASD_EDIT_DONE);
	one("(defsystem s :components ((:file a ; why not\n :depends-on (\"b\"))))", "a", "",
	    "(defsystem s :components ((:file a ; why not\n )))", ASD_EDIT_DONE);
}

static void test_left(void)
{
	const char *conditional = "(defsystem s :components ((:file a) #+x (:file b) (:file c :depends-on (#+x \"b\" "
	                          "(:feature :y \"a\")))))";
	one(conditional, "c", "", conditional, ASD_EDIT_SAME);
	one(conditional, "c", "a b", conditional, ASD_EDIT_SAME);
	one(conditional, "a", "b", conditional, ASD_EDIT_LEFT);
	one("(defsystem s :components ((:file a) #+x (:file b) #+x (:file c)))", "c", "b",
	    "(defsystem s :components ((:file a) #+x (:file b) #+x (:file c :depends-on (\"b\"))))", ASD_EDIT_DONE);
	one("(defsystem s :components (#-x (:file a) #-z (:file a :pathname \"b\") (:file c)))", "a", "c",
	    "(defsystem s :components (#-x (:file a) #-z (:file a :pathname \"b\") (:file c)))", ASD_EDIT_LEFT);
	one("(defsystem s :components #.(files))", "a", "c", "(defsystem s :components #.(files))", ASD_EDIT_LEFT);
	one("(defsystem s :components ((:file a :depends-on #+x (\"b\") #-x (\"c\"))))", "a", "",
	    "(defsystem s :components ((:file a :depends-on #+x (\"b\") #-x (\"c\"))))", ASD_EDIT_LEFT);
	one("(defsystem s :components ((:file a #+x :depends-on #+x (\"b\"))))", "a", "",
	    "(defsystem s :components ((:file a #+x :depends-on #+x (\"b\"))))", ASD_EDIT_LEFT);
	one("(defsystem s :components ((:file a) (:file b) (:file c :depends-on (#.x \"b\"))))", "c", "a",
	    "(defsystem s :components ((:file a) (:file b) (:file c :depends-on (#.x \"b\"))))", ASD_EDIT_LEFT);
	one("#+y (defsystem s) #-x (defsystem s)", "a", "b", "#+y (defsystem s) #-x (defsystem s)", ASD_EDIT_LEFT);
	one("(defsystem other)", "a", "b", "(defsystem other)", ASD_EDIT_LEFT);
	one("(progn (asdf:defsystem s :components ((:file a) (:file b))))", "b", "a",
	    "(progn (asdf:defsystem s :components ((:file a) (:file b :depends-on (\"a\")))))", ASD_EDIT_DONE);
	struct change change = {"a", "b"};
	enum asd_edit_result result;
	check("(defsystem s", false, &change, 1, "s.asd:1:1: '(' opened at 1:1 is never closed\n(defsystem s\n^\n",
	      &result);
}

/* Of what stands twice, that which the Lisp reads. */
static void test_conditions(void)
{
	one("#+x (defsystem s :components ((:file b)))\n#-x (defsystem s :components ((:file a) (:file b)))", "b", "a",
	    "#+x (defsystem s :components ((:file b)))\n#-x (defsystem s :components ((:file a) (:file b :depends-on "
	    "(\"a\"))))",
	    ASD_EDIT_DONE);
	one("(defsystem s :components (#+x (:file a) #-x (:file a :pathname \"b\" :depends-on (\"c\")) (:file c)))",
	    "a", "", "(defsystem s :components (#+x (:file a) #-x (:file a :pathname \"b\") (:file c)))",
	    ASD_EDIT_DONE);
	one("(progn #+(and y (not sbcl)) (defsystem s) #+(or x #:sbcl) #-(and) (defsystem s) "
	    "#+(or x :X86-64) (defsystem s :depends-on (:a)))",
	    "", "b",
	    "(progn #+(and y (not sbcl)) (defsystem s) #+(or x #:sbcl) #-(and) (defsystem s) "
	    "#+(or x :X86-64) (defsystem s :depends-on (:a :b)))",
	    ASD_EDIT_DONE);
	/* It may be the file itself that adds the feature. */
	one("#+x (defsystem s :components ((:file a) (:file b)))", "b", "a",
	    "#+x (defsystem s :components ((:file a) (:file b :depends-on (\"a\"))))", ASD_EDIT_DONE);
}

static void test_serial(void)
{
	const char *text =
	        "(defsystem s\n  :serial t ; as it was\n  :components ((:file a)\n               (:file b)\n      "
	        "         (:file c :depends-on (\"a\"))))";
	one(text, "b", "", text, ASD_EDIT_LEFT);
	one(text, "c", "a",
	    "(defsystem s\n  :serial t ; as it was\n  :components ((:file a)\n               (:file b)\n      "
	    "         (:file c)))",
	    ASD_EDIT_PART);
	struct change changes[] = {{"b", ""}, {"c", "a b"}};
	enum asd_edit_result results[2];
	check(text, true, changes, 2,
	      "(defsystem s ; as it was\n  :components ((:file a)\n               (:file b)\n      "
	      "         (:file c :depends-on (\"a\" \"b\"))))",
	      results);
	tap_eq_int(results[1], ASD_EDIT_DONE, "lists take the place of :serial");
	check("(defsystem s :serial t :components ((:file a) #+x (:file b) (:file c)))", true, changes + 1, 1,
	      "(defsystem s :serial t :components ((:file a) #+x (:file b) (:file c)))", results);
	tap_eq_int(results[0], ASD_EDIT_LEFT, "not where components stand under conditions");

	struct change past[] = {{"c", "a"}, {"d", "a c"}};
	check("(defsystem s :serial t :components ((:file a) (:file b :if-feature :no) (:file c) (:file d)))", false,
	      past, 2,
	      "(defsystem s :serial t :components ((:file a) (:file b :if-feature :no) (:file c :depends-on (\"a\")) "
	      "(:file "
	      "d)))",
	      results);
	tap_eq_int(results[0], ASD_EDIT_PART, ":serial does not lead past a component that may be away");
}

int main(void)
{
	test_lists();
	test_layout();
	test_left();
	test_conditions();
	test_serial();
	return tap_done();
}
