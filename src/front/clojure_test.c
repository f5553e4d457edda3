/* Without arguments, the tests. For scripts that compare and measure:
 *
 *     test-front-clojure --needs ROOT...    a line for each file: path, namespace, what its ns form needs, tab
 * separated; what other forms need has a "+" before it test-front-clojure --order ROOT...    the namespaces,
 * dependencies first test-front-clojure --time N ROOT...   the fastest of N scans: files, bytes, milliseconds */
#include "front/clojure.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/tap.h"
#include "os/clock.h"
#include "os/fs.h"

/* -- one file -- */

static void add_needs(struct buf *b, const ClojureNeedVec *needs)
{
	for (size_t i = 0; i < needs->len; i++)
		buf_addf(b, "%s%.*s%s", i ? " " : "", STR_ARG(needs->ptr[i].name), needs->ptr[i].optional ? "?" : "");
}

static void add_classes(struct buf *b, const char *title, const ClojureClassVec *v)
{
	for (size_t i = 0; i < v->len; i++)
		buf_addf(b, "%s%.*s", i ? " " : title, STR_ARG(v->ptr[i].name));
}

/* NS: needs | import ... | makes ... | gen ... | load ... | note ..., or the error */
static void says(const char *rel, const char *text, const char *want)
{
	struct arena a = {0};
	struct clojure_file f = {0};
	struct err err = {0};
	struct buf b = {0};
	if (clojure_read_file(&a, str_from(rel), str_from(rel), str_from(text), &f, &err)) {
		buf_addf(&b, "%.*s%s: ", STR_ARG(f.ns), f.part ? " (part)" : "");
		add_needs(&b, &f.needs);
		add_classes(&b, " | import ", &f.imports);
		add_classes(&b, " | makes ", &f.makes);
		add_classes(&b, " | gen ", &f.gen_classes);
		for (size_t i = 0; i < f.loads.len; i++)
			buf_addf(&b, " | load %.*s", STR_ARG(f.loads.ptr[i]));
		for (size_t i = 0; i < f.notes.len; i++)
			buf_addf(&b, " | %.*s", STR_ARG(f.notes.ptr[i]));
		clojure_file_release(&f);
	} else {
		err_format(&err, &b);
	}
	tap_eq_str(buf_str(&b), str_from(want), "%s", text);
	buf_release(&b);
	err_clear(&err);
	arena_release(&a);
}

static void computes(bool want, const char *text)
{
	struct arena a = {0};
	struct clojure_file f = {0};
	struct err err = {0};
	CHECK(clojure_read_file(&a, STR("a.clj"), STR("a.clj"), str_from(text), &f, &err));
	tap_ok(f.loads_computed == want, "%s", text);
	clojure_file_release(&f);
	arena_release(&a);
}

static void test_computed(void)
{
	computes(false, "(ns a (:require b) (:require-macros c))\n(require 'd '[e :as f])\n(def required 1)");
	computes(true, "(ns a)\n(require (symbol \"b\"))");
	computes(true, "(ns a)\n(require d)");
	computes(true, "(ns a)\n(defn f [] (require 'b))");
	computes(true, "(ns a)\n(defn f [x] (apply require x))");
	computes(true, "(ns a)\n(defn f [x] ((requiring-resolve 'b/c) x))");
	computes(true, "(ns a)\n(run! clojure.core/require libs)");
	computes(true, "(ns a)\n(run! #'require libs)");
	computes(false, "(ns a)\n(requires x) (my-require 'b) {:require 1} (require/x)");
}

static void test_ns(void)
{
	says("a.clj", "(ns a)", "a: ");
	says("a.clj", "; x\n(ns ^{:doc \"d\"} a.b-c \"doc\" {:x 1} (:require b [c] [d :as e :refer [f]]))",
	     "a.b-c: b c d");
	says("a.clj", "(ns a (:require (b c [d :as e]) [f [g :as h] i] :reload))", "a: b.c b.d f.g f.i");
	says("a.clj", "(ns a (:use b [c :only [d]] (e f)))", "a: b c e.f");
	says("a.clj", "(ns a [:require b])", "a: b");
	says("a.clj", "(ns a (:require [b :as-alias c] [d :as-alias e :refer [f]]))", "a: d");
	says("a.cljc", "(ns a (:require #?(:clj b :cljs c) #?@(:clj [[d :as e] f])) #?(:cljs (:require-macros g)))",
	     "a: b d f");
	says("a.clj", "(ns a (:require-macros b) (:use-macros c) (:refer-clojure :exclude [d]))", "a: ");
	says("a.clj", "(ns a (:import java.util.Date (b.c D E) [f.g H] [i]))",
	     "a:  | import java.util.Date b.c.D b.c.E f.g.H");
	says("a.clj", "(ns a-b.c (:gen-class))", "a-b.c:  | gen a_b.c");
	says("a.clj", "(ns a (:gen-class :name b.C :extends d.E)) (gen-class :name f.G)", "a:  | gen b.C f.G");
	says("a.clj", "(ns a-b.c) (deftype T [x]) (defrecord A-B [y]) (defprotocol P) (definterface I)",
	     "a-b.c:  | makes a_b.c.T a_b.c.A_B a_b.c.P a_b.c.I");
	says("a.clj", "(ns a.b (:load \"x\")) (load \"y/z\" \"/w\")", "a.b:  | load a/x | load a/y/z | load w");
	says("a.clj", "#_(ns b) (ns a #_(:require c))", "a: ");
	says("a.clj", "(def x 1)", ": ");
}

static void test_top_level(void)
{
	says("a.clj", "(ns a) (require 'b '[c :as d] '(e f [g :as h])) (use 'i :reload) (import 'j.K '(l M))",
	     "a: b c e.f e.g i | import j.K l.M");
	says("a.clj", "(ns a) (when x (require 'b)) (if y (do (require '[c])) (use 'd)) (do (require 'e))",
	     "a: b? c? d? e");
	says("a.clj", "(ns a) (defn f [] (require 'b)) (comment (require 'c)) '(require d) #_(require 'e)", "a: ");
	says("a.clj", "(ns a)\n(require (symbol \"b\"))",
	     "a:  | 2:10: which namespace this loads is computed: it is not known to the build");
	says("a.clj", "(in-ns 'a.b)\n(require 'c)", "a.b (part): c");
	says("a.cljc", "(ns a) #?(:clj (require 'b) :cljs (require 'c))", "a: b");
	says("a.clj", "(clojure.core/ns a (:require b))", "a: b");
}

static void test_not_static(void)
{
	says("a.clj", "(ns ~name)",
	     "a.clj:1:5: the name of this namespace can't be read statically\n(ns ~name)\n    ^\nnote: tenon reads "
	     "`ns` "
	     "forms without running them: write the names out\n");
	says("a.clj", "(ns a\n (:require ~b))",
	     "a.clj:2:12: not a namespace that can be read statically\n (:require ~b))\n           ^\nnote: tenon "
	     "reads `ns` "
	     "forms without running them: write the names out\n");
	says("a.clj", "(ns a (:import \"b\"))",
	     "a.clj:1:16: not a class that can be read statically\n(ns a (:import \"b\"))\n               ^\nnote: "
	     "tenon "
	     "reads `ns` forms without running them: write the names out\n");
	says("a.clj", "(ns a)\n(def x [)",
	     "a.clj:2:9: \")\" where \"]\" must come: \"[\" was opened at 2:8\n(def x [)\n        ^\n");
}

/* -- a project, in a folder of its own -- */

struct project {
	struct arena arena;
	char *dir;
	struct clojure_project p;
	struct err err;
	bool ok;
};

/* `files`: path, text, path, text, ..., NULL. Roots "src" and "other". */
static void project_open(struct project *t, const char *const *files)
{
	*t = (struct project){0};
	const char *tmp = getenv("TMPDIR");
	CHECK(fs_mkdtemp(&t->arena, tmp ? tmp : "/tmp", "tenon-clojure-", &t->dir, &t->err));
	for (; *files; files += 2) {
		char *path = path_join(&t->arena, t->dir, files[0]);
		CHECK(fs_mkdirs_parent(path, &t->err) &&
		      fs_write_atomic(path, str_from(files[1]), 0644, false, &t->err));
	}
	struct str roots[] = {str_from(path_join(&t->arena, t->dir, "src")),
	                      str_from(path_join(&t->arena, t->dir, "other"))};
	t->ok = clojure_scan(&t->p, roots, ARRAY_LEN(roots), 2, &t->err) && clojure_order(&t->p, &t->err);
}

static void project_close(struct project *t)
{
	err_clear(&t->err);
	fs_remove_tree(t->dir, NULL);
	clojure_project_release(&t->p);
	arena_release(&t->arena);
}

/* "ns(needs) ..." in order, or the error without the folder. */
static void project_is(const char *const *files, const char *want, const char *name)
{
	struct project t;
	struct buf b = {0}, plain = {0};
	project_open(&t, files);
	for (size_t i = 0; t.ok && i < t.p.order.len; i++) {
		const struct clojure_namespace *n = &t.p.namespaces.ptr[t.p.order.ptr[i]];
		buf_addf(&b, "%s%.*s(", i ? " " : "", STR_ARG(n->name));
		add_needs(&b, &n->needs);
		buf_addc(&b, ')');
		if (n->group != t.p.order.ptr[i])
			buf_addf(&b, "@%.*s", STR_ARG(t.p.namespaces.ptr[n->group].name));
		for (size_t k = 0; k < n->parts.len; k++)
			buf_addf(&b, "+%.*s", STR_ARG(t.p.files.ptr[n->parts.ptr[k]].rel));
	}
	for (size_t i = 0; t.ok && i < t.p.hidden.len; i++)
		buf_addf(&b, "\n%.*s", STR_ARG(t.p.hidden.ptr[i]));
	if (!t.ok)
		err_format(&t.err, &b);
	struct str rest = buf_str(&b), dir = str_fmt(&t.arena, "%s/", t.dir);
	while (rest.len) {
		size_t at = str_search(rest, dir);
		buf_adds(&plain, str_slice(rest, 0, at));
		rest = str_drop(rest, MIN(at + dir.len, rest.len));
	}
	tap_eq_str(buf_str(&plain), str_from(want), "%s", name);
	buf_release(&b);
	buf_release(&plain);
	project_close(&t);
}

#define FILES(...) ((const char *const[]){__VA_ARGS__, NULL})

static void test_project(void)
{
	project_is(FILES("src/a.clj", "(ns a (:require b clojure.set))", "src/b.clj", "(ns b (:require c-d.e))",
	                 "src/c_d/e.cljc", "(ns c-d.e)", "src/F.java", "class F {}", "src/user.clj", "(ns user)"),
	           "c-d.e() b(c-d.e) a(b clojure.set)\nsrc/user.clj: a REPL loads it, a build does not",
	           "needs come first; user.clj is not seen");
	project_is(
	        FILES("src/a.clj", "(ns a)", "src/a.cljc", "(ns a (:require b))", "other/a.clj", "(ns a (:require c))"),
	        "a()\nother/a.clj: the class path gives src/a.clj\nsrc/a.cljc: the class path gives src/a.clj",
	        ".clj before .cljc, the first root before the others");
	project_is(FILES("src/a/b.clj", "(ns a.b) (load \"b_impl\") (load \"/x/y\")", "src/a/b_impl.clj",
	                 "(in-ns 'a.b) (require 'c) (load \"b_more\")", "src/a/b_more.clj", "(in-ns 'a.b)",
	                 "src/x/y.clj", "(ns x.y)", "src/c.clj", "(ns c)"),
	           "x.y() c() a.b(x.y? c)+a/b_impl.clj+a/b_more.clj", "parts belong to who loads them");
	project_is(FILES("src/a.clj", "(ns a) (load \"/c\")", "src/b.clj", "(ns b (:require a))", "src/c.clj",
	                 "(ns c (:require b d))", "src/d.clj", "(ns d)"),
	           "a(c?) b(a)@a d() c(b d)@a", "what loads a namespace that needs it is one group with it");
	project_is(FILES("src/a.clj", "(ns a (:require b))", "src/b.clj", "(ns b)\n(require '[c])", "src/c.clj",
	                 "(ns c\n  (:require a))"),
	           "src/a.clj:1:17: circular dependency: a → b → c → a\nnote: src/a.clj:1:17: a requires b\nnote: "
	           "src/b.clj:2:12: b requires c\nnote: src/c.clj:2:13: c requires a\n",
	           "a cycle is shown with its places");
	project_is(FILES("src/a.clj", "(ns a (:require b))", "src/b.clj", "(ns b) (when x (require 'a))", "src/c.clj",
	                 "(ns c) (when x (require 'd))", "src/d.clj", "(ns d)"),
	           "b(a?) a(b) d() c(d?)", "a conditional need orders, unless that makes a cycle");
	project_is(FILES("src/a.clj", "(ns a (:import b.c_d.R x.Gen))", "src/b/c_d.clj", "(ns b.c-d) (defrecord R [])",
	                 "src/g.clj", "(ns g (:gen-class :name x.Gen))"),
	           "b.c-d() g() a(b.c-d? g?)", "imports of classes made here");
	project_is(FILES("src/a.clj", "(ns a) (def x #my/tag 1)", "src/r.clj", "(ns r)", "src/data_readers.clj",
	                 "{my/tag r/read-it}"),
	           "r() a(r?)", "a tag needs the namespace of its reader");
	project_is(FILES("src/a.clj", "(ns wrong.place)"),
	           "\nsrc/a.clj: namespace wrong.place can't be required from there", "a namespace in a wrong file");
	project_is(
	        FILES("src/a.clj", "(ns a)", "src/b.clj", "(ns b\n (:require [c"),
	        "src/b.clj:2:12: \"[\" is never closed\n (:require [c\n           ^\nnote: the text ends before what "
	        "closes it\n",
	        "a file that can't be read");
	project_is(FILES("README", ""), "", "no roots, no sources");
}

/* -- for scripts -- */

static int complain(struct err *err)
{
	struct buf b = {0};
	err_format(err, &b);
	fwrite(b.ptr, 1, b.len, stderr);
	return 1;
}

static void print_needs(const struct clojure_project *p)
{
	for (size_t i = 0; i < p->files.len; i++) {
		const struct clojure_file *f = &p->files.ptr[i];
		printf("%.*s\t%.*s\t", STR_ARG(f->path), STR_ARG(f->part ? STR("") : f->ns));
		for (size_t k = 0; k < f->needs.len; k++)
			printf("%s%s%.*s", k ? " " : "", f->needs.ptr[k].outside ? "+" : "",
			       STR_ARG(f->needs.ptr[k].name));
		putchar('\n');
	}
}

static int tool(int argc, char **argv)
{
	bool time = strcmp(argv[1], "--time") == 0, order = strcmp(argv[1], "--order") == 0;
	int first = time ? 3 : 2;
	uint64_t runs = 1;
	int64_t best = INT64_MAX;
	if (time && !str_to_u64(str_from(argv[2]), &runs))
		return 2;
	for (uint64_t run = 0; run < runs; run++) {
		struct clojure_project p = {0};
		struct err err = {0};
		StrVec roots = {0};
		for (int i = first; i < argc; i++)
			vec_push(&roots, str_from(argv[i]));
		int64_t begin = clock_mono_ns();
		if (!clojure_scan(&p, roots.ptr, roots.len, 0, &err))
			return complain(&err);
		best = MIN(best, clock_mono_ns() - begin);
		if (order && !clojure_order(&p, &err))
			return complain(&err);
		if (order)
			for (size_t i = 0; i < p.order.len; i++)
				printf("%.*s\n", STR_ARG(p.namespaces.ptr[p.order.ptr[i]].name));
		else if (!time)
			print_needs(&p);
		else if (run + 1 == runs)
			printf("%zu files, %.1f MB, %.1f ms\n", p.files.len, (double)p.bytes / 1e6, (double)best / 1e6);
		vec_release(&roots);
		clojure_project_release(&p);
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc > 2)
		return tool(argc, argv);
	test_ns();
	test_computed();
	test_top_level();
	test_not_static();
	test_project();
	return tap_done();
}
