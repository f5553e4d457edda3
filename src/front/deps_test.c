#include "front/deps.h"

#include "base/tap.h"

#define SHA "0123456789abcdef0123456789abcdef01234567"

static void add_list(struct buf *b, const char *title, const StrVec *v)
{
	for (size_t i = 0; i < v->len; i++)
		buf_addf(b, "%s%.*s", i ? " " : title, STR_ARG(v->ptr[i]));
}

/* group/artifact$classifier=version(-exclusions) ... | src ... | test ... | note ..., or the error */
static void says_with(enum deps_kind kind, const char *text, const char *chosen, bool whole, const char *want,
                      const char *name)
{
	struct deps_project d = {.tests_are_main = whole};
	struct str rest = str_from(chosen), alias;
	struct err err = {0};
	struct buf b = {0};
	while (str_cut(&rest, ' ', &alias))
		vec_push(&d.chosen, alias);
	if (deps_read_text(&d, kind, str_from(deps_file_name(kind)), str_from(text), &err)) {
		if (d.name.len)
			buf_addf(&b, "%.*s/%.*s=%.*s: ", STR_ARG(d.group), STR_ARG(d.name), STR_ARG(d.version));
		for (size_t i = 0; i < d.deps.len; i++) {
			const struct deps_dep *dep = &d.deps.ptr[i];
			buf_addf(&b, "%s%s%.*s/%.*s%s%.*s=%.*s", i ? " " : "", dep->scope == DEPS_TEST ? "t:" : "",
			         STR_ARG(dep->group), STR_ARG(dep->artifact), dep->classifier.len ? "$" : "",
			         STR_ARG(dep->classifier), STR_ARG(dep->version));
			for (size_t k = 0; k < dep->exclusions.len; k++)
				buf_addf(&b, "-%.*s/%.*s", STR_ARG(dep->exclusions.ptr[k].group),
				         STR_ARG(dep->exclusions.ptr[k].artifact));
		}
		for (size_t i = 0; i < d.locals.len; i++)
			buf_addf(&b, " | local %.*s", STR_ARG(d.locals.ptr[i].path));
		for (size_t i = 0; i < d.gits.len; i++)
			buf_addf(&b, " | git %.*s %.*s %.*s %.*s %.*s", STR_ARG(d.gits.ptr[i].lib),
			         STR_ARG(d.gits.ptr[i].url), STR_ARG(d.gits.ptr[i].tag), STR_ARG(d.gits.ptr[i].sha),
			         STR_ARG(d.gits.ptr[i].root));
		add_list(&b, " | src ", &d.sources);
		add_list(&b, " | test ", &d.tests);
		add_list(&b, " | java ", &d.java);
		add_list(&b, " | resources ", &d.resources);
		add_list(&b, " | jvm ", &d.jvm_options);
		add_list(&b, " | test-jvm ", &d.test_jvm_options);
		for (size_t i = 0; i < d.repositories.len; i++)
			buf_addf(&b, " | repository %.*s=%.*s", STR_ARG(d.repositories.ptr[i].id),
			         STR_ARG(d.repositories.ptr[i].url));
		for (size_t i = 0; i < d.starts.len; i++)
			buf_addf(&b, " | start %.*s %.*s%.*s %zu%s", STR_ARG(d.starts.ptr[i].name),
			         STR_ARG(d.starts.ptr[i].ns), STR_ARG(d.starts.ptr[i].exec), d.starts.ptr[i].args.len,
			         d.starts.ptr[i].has_extras ? " more" : "");
		for (size_t i = 0; i < d.selectors.len; i++)
			buf_addf(&b, " | select %.*s %.*s", STR_ARG(d.selectors.ptr[i].name),
			         STR_ARG(d.selectors.ptr[i].text));
		for (size_t i = 0; i < d.managed.len; i++)
			buf_addf(&b, " | managed %.*s/%.*s=%.*s", STR_ARG(d.managed.ptr[i].group),
			         STR_ARG(d.managed.ptr[i].artifact), STR_ARG(d.managed.ptr[i].version));
		if (d.main.len)
			buf_addf(&b, " | main %.*s", STR_ARG(d.main));
		add_list(&b, " | aot ", &d.aot);
		for (size_t i = 0; i < d.notes.len; i++)
			buf_addf(&b, " | %.*s", STR_ARG(d.notes.ptr[i]));
	} else {
		err_format(&err, &b);
	}
	tap_eq_str(buf_str(&b), str_from(want), "%s", name);
	buf_release(&b);
	err_clear(&err);
	deps_project_release(&d);
}

static void says(enum deps_kind kind, const char *text, const char *want, const char *name)
{
	says_with(kind, text, "", false, want, name);
}

static void test_edn_aliases(void)
{
	static const char text[] =
	        "{:deps {x/y {:mvn/version \"1\"} z {:mvn/version \"1\"}} :aliases {"
	        ":a {:extra-paths [\"a\"] :extra-deps {x/y {:mvn/version \"2\"} p/q {:mvn/version \"3\"}} :jvm-opts "
	        "[\"-Da\"]} :b {:replace-paths [\"b\"] :replace-deps {r {:mvn/version \"4\"}}} :c {:override-deps "
	        "{org.clojure/clojure {:mvn/version \"9\"} t {:mvn/version \"8\"}}} :test {:extra-paths [\"t\"] "
	        ":extra-deps {u {:mvn/version \"5\"}}} :list [\"l\"] :e {:exec-fn f/g :exec-args {:a [1 #{2}]}} :m "
	        "{:main-opts [\"-e\" \"1\"] :extra-paths [:list]}}}";
#define STARTS " | start e {:exec-fn f/g :exec-args {:a [1 #{2}]}} 0 | start m  2 more"
#define BASE   "t:u/u=5 org.clojure/clojure=1.11.1 | src src"
	says(DEPS_EDN, text, "x/y=1 z/z=1 " BASE " | test t test src/test/clojure" STARTS,
	     "aliases that nobody chose change nothing");
	says_with(DEPS_EDN, text, "a", false,
	          "z/z=1 x/y=2 p/q=3 " BASE " a | test t test src/test/clojure | jvm -Da" STARTS,
	          "paths and libraries");
	says_with(DEPS_EDN, text, "b", false,
	          "r/r=4 t:u/u=5 org.clojure/clojure=1.11.1 | src b | test t test src/test/clojure" STARTS, "others");
	says_with(DEPS_EDN, text, "c", false,
	          "x/y=1 z/z=1 org.clojure/clojure=9 t:u/u=5 | src src | test t test src/test/clojure" STARTS
	          " | managed org.clojure/clojure=9 | managed t/t=8",
	          "versions");
	says_with(DEPS_EDN, text, "test m", false, "x/y=1 z/z=1 " BASE " l | test t test src/test/clojure" STARTS,
	          "that of the tests is theirs");
	says_with(DEPS_EDN, text, "test m", true,
	          "x/y=1 z/z=1 u/u=5 org.clojure/clojure=1.11.1 | src src t l | test test src/test/clojure" STARTS,
	          "but for a program");
	says_with(DEPS_EDN, text, "tset", false, "deps.edn has no alias :tset\nnote: did you mean \"test\"?\n",
	          "an alias that is not there");
}

static void test_edn(void)
{
	says(DEPS_EDN, "{}", "org.clojure/clojure=1.11.1 | src src | test test src/test/clojure", "an empty deps.edn");
	says(DEPS_EDN, "{:paths [\"a\" \"b\"] :deps {x/y {:mvn/version \"1\"} z {:mvn/version \"2\"}}}",
	     "x/y=1 z/z=2 org.clojure/clojure=1.11.1 | src a b | test test src/test/clojure", "paths and libraries");
	says(DEPS_EDN, "{:deps {x/y$c #:mvn{:version \"1\"} p/q {:mvn/version \"2\" :exclusions [r/s t]}}}",
	     "x/y$c=1 p/q=2-r/s-t/t org.clojure/clojure=1.11.1 | src src | test test src/test/clojure",
	     "classifier, namespaced map, exclusions");
	says(DEPS_EDN, "{:paths [:all \"c\"] :aliases {:all [\"a\" \"b\"]}}",
	     "org.clojure/clojure=1.11.1 | src a b c | test test src/test/clojure", "an alias among the paths");
	says(DEPS_EDN,
	     "{:aliases {:test {:extra-paths [\"t\"] :extra-deps {x/y {:mvn/version \"1\"}}} :run {:main-opts "
	     "[\"-m\"]}}}",
	     "t:x/y=1 org.clojure/clojure=1.11.1 | src src | test t test src/test/clojure | start run  1",
	     "aliases of tests, and others");
	says(DEPS_EDN, "{:aliases {:run {:main-opts [\"-m\" \"a.b\" \"x\"]}}}",
	     "org.clojure/clojure=1.11.1 | src src | test test src/test/clojure | start run a.b 1",
	     "an alias that starts a namespace");
	says(DEPS_EDN, "{:deps {x/y {:local/root \"../y\"}} :mvn/repos {\"r\" {:url \"file:///r\"}}}",
	     "org.clojure/clojure=1.11.1 | local ../y | src src | test test src/test/clojure | repository r=file:///r",
	     "other projects and repositories");
	says(DEPS_EDN, "{:deps\n {x/y {:git/url \"u\" :git/sha \"0123456\"}}}",
	     "deps.edn:2:3: x/y needs a :git/sha of 40 hexadecimal digits\n {x/y {:git/url \"u\" :git/sha "
	     "\"0123456\"}}}\n  ^\nnote: tags and branches may move; `git rev-parse REVISION` in the repository says "
	     "which it is now\n",
	     "a Git dependency whose revision is not sure");
	says(DEPS_EDN,
	     "{:deps {io.github.u/p {:git/tag \"v1\" :git/sha \"0123456\" :deps/root \"r\"} "
	     "com.gitlab.u/p #:git{:sha \"" SHA "\"} ht.sr.u/p {:sha \"" SHA "\" :tag \"t\"}}}",
	     "org.clojure/clojure=1.11.1 | git io.github.u/p https://github.com/u/p.git v1 0123456 r | git "
	     "com.gitlab.u/p https://gitlab.com/u/p.git  " SHA "  | git ht.sr.u/p https://git.sr.ht/~u/p t " SHA
	     "  | src src | test test src/test/clojure",
	     "Git dependencies by the names of their forges");
	says(DEPS_EDN, "{:deps {x/y {:git/sha \"" SHA "\"}}}",
	     "deps.edn:1:9: where is the repository of x/y?\n{:deps {x/y {:git/sha \"" SHA "\"}}}\n        ^\nnote: "
	     "write :git/url, or name it as its forge does: io.github.USER/PROJECT\n",
	     "a Git dependency from nowhere");
	says(DEPS_EDN, "{:deps {x/y {}}}",
	     "deps.edn:1:13: library x/y has no :mvn/version\n{:deps {x/y {}}}\n            ^\n", "no version");
	says(DEPS_EDN, "{:deps {x/y \"1\"}}",
	     "deps.edn:1:13: a coordinate must be a map such as {:mvn/version \"1.0\"}\n{:deps {x/y \"1\"}}\n          "
	     "  ^\n",
	     "a coordinate that is none");
	says(DEPS_EDN, "{:paths [:no]}", "deps.edn:1:10: there is no alias :no\n{:paths [:no]}\n         ^\n",
	     "an alias that is not there");
	says(DEPS_EDN, "[]", "deps.edn:1:1: deps.edn must hold one map\n[]\n^\n", "no map");
	says(DEPS_EDN, "{:paths [\"a\"}",
	     "deps.edn:1:13: \"}\" where \"]\" must come: \"[\" was opened at 1:9\n{:paths [\"a\"}\n            ^\n",
	     "a bracket");
}

static void test_lein(void)
{
	says(DEPS_LEIN, "(defproject a \"1\")", "a/a=1:  | src src | test test dev-resources | resources resources",
	     "the least");
	says(DEPS_LEIN,
	     "(defproject g/a \"1\" :dependencies [[x/y \"2\" :exclusions [p [q/r]]] [z \"3\" :classifier \"c\" :scope "
	     "\"test\"]] :exclusions [all/out])",
	     "g/a=1: x/y=2-p/p-q/r-all/out t:z/z$c=3-all/out | src src | test test dev-resources | resources resources",
	     "dependencies");
	says(DEPS_LEIN,
	     "(defproject a \"1\" :source-paths [\"s\"] :test-paths [] :java-source-paths [\"j\"] :resource-paths "
	     "[\"r\"] "
	     ":main ^:skip-aot a.core :aot [a.b #\"x\" c] :repositories [[\"r\" \"file:///r\"]])",
	     "a/a=1:  | src s | test dev-resources | java j | resources r | repository r=file:///r | main a.core | aot "
	     "a.b c",
	     "folders and main");
	says(DEPS_LEIN,
	     "(defproject a \"1\" :profiles {:dev {:dependencies [[x \"1\"]] :source-paths [\"dev\"]} :provided "
	     "{:dependencies [[y \"2\"]]} :uberjar {:aot :all}})",
	     "a/a=1: y/y=2 t:x/x=1 | src src | test test dev-resources dev | resources resources", "profiles");
	says(DEPS_LEIN, "(def v \"1\")\n(defproject a \"1\" :dependencies [[x ~v]])",
	     "project.clj:2:37: the value of :dependencies is computed when Leiningen runs\n(defproject a \"1\" "
	     ":dependencies [[x ~v]])\n                                    ^\nnote: run `lein pom`, then `tenon "
	     "import "
	     "pom`; or write the value out\n",
	     "what is computed");
	says(DEPS_LEIN, "(defproject a #=(slurp \"v\") :description ~d)",
	     "a/a=:  | src src | test test dev-resources | resources resources", "computed where it does not matter");
	says(DEPS_LEIN, "(defproject a \"1\" :dependencies [[x]])",
	     "project.clj:1:34: dependency x has no version\n(defproject a \"1\" :dependencies [[x]])\n"
	     "                                 ^\nnote: write it behind the name; "
	     ":managed-dependencies has none either\n",
	     "no version");
	says(DEPS_LEIN,
	     "(defproject a \"1\" :plugins [[lein-ring \"1\"] [b/c \"2\"]] :jvm-opts [\"-Da=1\"] :profiles {:test "
	     "{:jvm-opts "
	     "[\"-Db=1\"] :resource-paths [\"r\"]}})",
	     "a/a=1:  | src src | test test dev-resources r | resources resources | jvm -Da=1 | test-jvm -Db=1 | "
	     ":plugins is "
	     "not used (lein-ring, b/c): they run in Leiningen",
	     "options of the JVM, and what is not used");
	says(DEPS_LEIN,
	     "(defproject a \"1\" :exclusions [org.clojure/clojure] :dependencies [[x \"1\"]] :profiles {:dev "
	     "{:dependencies [[org.clojure/clojure \"2\"] [y \"1\"]]}})",
	     "a/a=1: x/x=1-org.clojure/clojure org.clojure/clojure=2-org.clojure/clojure t:y/y=1-org.clojure/clojure | "
	     "src src | test test dev-resources | resources resources",
	     "a library that has Clojure for its own work only compiles with that");
	says(DEPS_LEIN,
	     "(defproject a \"1\" :managed-dependencies [[x \"7\"] [y \"8\"]] :dependencies [[x] [z \"1\"]])",
	     "a/a=1: x/x=7 z/z=1 | src src | test test dev-resources | resources resources | managed x/x=7 | managed "
	     "y/y=8",
	     "managed versions");
	static const char profiles[] =
	        "(defproject a \"1\" :dependencies [[x \"1\"]] :profiles {:dev [:more {:test-paths [\"u\"]}] :more "
	        "{:dependencies [[m \"1\"]]} :base {:jvm-opts [\"-Db\"]} :two {:dependencies [[x \"2\"]] :source-paths "
	        "[\"s2\"]}})";
	says(DEPS_LEIN, profiles,
	     "a/a=1: x/x=1 t:m/m=1 | src src | test test dev-resources u | resources resources | jvm -Db",
	     "profiles that are made of others");
	says_with(DEPS_LEIN, profiles, "two", false,
	          "a/a=1: x/x=2 t:m/m=1 | src src s2 | test test dev-resources u | resources resources | jvm -Db",
	          "a profile that was chosen");
	says_with(DEPS_LEIN, profiles, "tow", false, "project.clj has no profile :tow\nnote: did you mean \"two\"?\n",
	          "a profile that is not there");
	says(DEPS_LEIN,
	     "(defproject a \"1\" :test-selectors {:default (complement :slow) :slow :slow :all [a (constantly true)] "
	     ":f "
	     "#(not (:g %))} :aliases {\"go\" [\"run\" \"-m\" \"a.b\" \"c\"] \"do\" [\"with-profile\" \"x\"]})",
	     "a/a=1:  | src src | test test dev-resources | resources resources | start go a.b 1 | select default "
	     "(complement :slow) | select slow :slow | select all (constantly true) | select f #(not (:g %))",
	     "selectors of tests, and aliases");
	says(DEPS_LEIN, "(ns x)", "project.clj:1:1: there is no defproject form\n(ns x)\n^\n", "no project");
}

static void test_pom(void)
{
	says(DEPS_POM,
	     "<project xmlns=\"x\"><parent><groupId>pg</groupId><version>7</version></parent><artifactId> a "
	     "</artifactId><build><sourceDirectory>s</sourceDirectory><testSourceDirectory>${t}</testSourceDirectory></"
	     "build>"
	     "<dependencies><dependency><groupId>no</groupId></dependency></dependencies></project>",
	     "pg/a=7:  | src s src/main/clojure | test src/test/clojure | java src/main/java | resources "
	     "src/main/resources "
	     "| the folder \"${t}\" depends on a property: left out",
	     "coordinates from the parent, folders");
	says(DEPS_POM, "<project>\n <a></b></project>", "pom.xml:2:7: mismatched tag\n <a></b></project>\n      ^\n",
	     "XML that is not well-formed");
	says(DEPS_POM, "<!DOCTYPE p [<!ENTITY a \"b\">]><project><artifactId>&a;</artifactId></project>",
	     "pom.xml:1:13: a document type has no place in pom.xml\n<!DOCTYPE p [<!ENTITY a "
	     "\"b\">]><project><artifactId>&a;</artifactId></project>\n            ^\n",
	     "no entities");
	says(DEPS_POM, "<project/>", "pom.xml: the project has no artifactId\n", "no name");
}

int main(void)
{
	test_edn();
	test_edn_aliases();
	test_lein();
	test_pom();
	return tap_done();
}
