#include "front/buildfile.h"

#include "base/tap.h"
#include "front/fake_view.h"

struct loaded {
	struct target_table t;
	struct buildfile_inputs in;
	struct err err;
	bool ok;
};

static const struct buildfile_setting settings[] = {{{"os", 2}, {"linux", 5}}};

static struct loaded load(struct fake_file *files, const char *pattern)
{
	struct loaded r = {0};
	struct file_view view;
	struct str patterns[] = {str_from(pattern)};
	struct buildfile_request q = {
	        .patterns = patterns, .npatterns = 1, .settings = settings, .nsettings = ARRAY_LEN(settings)};
	fake_view(files, &view);
	r.ok = buildfile_load(&view, &q, &r.t, &r.in, &r.err);
	if (!r.ok)
		tap_note("%s", buf_cstr(&r.err.message));
	return r;
}

static void done(struct loaded *r)
{
	target_table_release(&r->t);
	buildfile_inputs_release(&r->in);
	err_clear(&r->err);
}

/* The listing of cljbuck's README, as it is. */
static struct fake_file sample[] = {
        {"WORKSPACE", ""},
        {"lib/CLJ", "(jar :name \"clojure1.9\"\n"
                    "     :jar \"clojure-1.9.0-beta1.jar\"\n"
                    "     :deps [\":core.specs.alpha\", \":spec.alpha\"]\n"
                    "     :visibility [\"PUBLIC\"])\n"
                    "(jar :name \"spec.alpha\"\n"
                    "     :jar \"spec.alpha-0.1.123.jar\")\n"
                    "(jar :name \"core.specs.alpha\"\n"
                    "     :jar \"core.specs.alpha-0.1.24.jar\")\n"},
        {"lib/clojure-1.9.0-beta1.jar", ""},
        {"lib/spec.alpha-0.1.123.jar", ""},
        {"lib/core.specs.alpha-0.1.24.jar", ""},
        {"jbx/CLJ", "(clj-lib :name \"lib\"\n"
                    "         :ns \"jbx.core\"\n"
                    "         :srcs [\"src/clj/**/*.clj\", \"src/cljc/**/*.cljc\"]\n"
                    "         :deps [\"//lib:clojure1.9\"])\n"
                    "(clj-binary :name \"main\"\n"
                    "            :main \"jbx.core\"\n"
                    "            :deps [\":lib\"])\n"
                    "(clj-test :name \"test\"\n"
                    "          :srcs [\"test/clj/**/*.clj\"]\n"
                    "          :deps [\"//lib:clojure1.9\", \":lib\"])\n"},
        {"jbx/src/clj/jbx/core.clj", "(ns jbx.core)"},
        {"jbx/src/clj/jbx/a/b.clj", "(ns jbx.a.b)"},
        {"jbx/src/clj/jbx/.hidden/c.clj", ""},
        {"jbx/src/cljc/x.cljc", ""},
        {"jbx/test/clj/t.clj", ""},
        {"other/CLJ", "(broken"},
        {0},
};

static void test_sample(void)
{
	struct loaded r = load(sample, "//jbx:main");
	tap_ok(r.ok, "the sample of cljbuck loads as it is written");
	if (r.ok) {
		tap_eq_int(r.t.targets.len, 5, "what main needs, and no more");
		target_id main_id = target_find(&r.t, STR("//jbx:main"));
		const struct build_target *main = target_get(&r.t, main_id);
		tap_eq_int(r.t.requested.len, 1, "one was asked for");
		tap_eq_int(r.t.requested.ptr[0], main_id, "which is main");
		tap_eq_str(target_string(main, "main", STR("")), STR("jbx.core"), "an attribute");
		tap_eq_str(main->outs[0], STR("jbx/main.jar"), "what it writes");
		const struct build_target *lib = target_get(&r.t, main->deps[0]);
		tap_eq_str(lib->label, STR("//jbx:lib"), "its dependency");
		const struct attr *ns = target_attr(lib, "ns"), *srcs = target_attr(lib, "srcs");
		tap_eq_int(ns->len, 1, "one string stands for a list");
		tap_eq_int(srcs->len, 3, "patterns are expanded, without hidden folders");
		tap_eq_str(srcs->sources[0].path, STR("jbx/src/clj/jbx/a/b.clj"), "sorted, below the root");
		tap_eq_str(srcs->sources[2].path, STR("jbx/src/cljc/x.cljc"), "of all patterns");
		const struct build_target *clojure = target_get(&r.t, lib->deps[0]);
		tap_eq_int(clojure->ndeps, 2, "//lib:clojure1.9 has two");
		tap_ok(clojure->is_public, "it is public");
		tap_ok(target_visible_from(&r.t, lib->deps[0], STR("jbx")), "so it is visible");
		tap_ok(!target_visible_from(&r.t, clojure->deps[0], STR("jbx")), "the others are not");
		tap_eq_int(r.t.by_order.ptr[r.t.by_order.len - 1], main_id, "dependencies come first");
		tap_eq_int(r.in.read.len, 2, "two files were read");
		tap_eq_str(r.in.read.ptr[0], STR("jbx/CLJ"), "this");
		tap_eq_str(r.in.read.ptr[1], STR("lib/CLJ"), "and this");
		tap_ok(r.in.folders.len >= 7, "folders that were listed: %zu", r.in.folders.len);
	}
	done(&r);
	r = load(sample, "//jbx/...");
	tap_ok(r.ok && r.t.requested.len == 3 && r.t.targets.len == 6, "a folder and what is below");
	done(&r);
	r = load(sample, "//lib");
	tap_ok(!r.ok && strstr(buf_cstr(&r.err.message), "there is no target \"//lib:lib\""), "//lib is //lib:lib");
	done(&r);
	r = load(sample, "//...");
	tap_ok(!r.ok && str_eqc(r.err.span.path, "other/CLJ"), "everything: then what is broken is told");
	done(&r);
}

static void test_language(void)
{
	struct fake_file files[] = {
	        {"build/defs.clj", "(def version \"1.2\")\n"
	                           "(defn lib [name & {:keys [deps] :or {deps []}}]\n"
	                           "  [(genrule :name name :out (str name \"-\" version) :cmd \"x\" :deps deps)\n"
	                           "   (command-alias :name (str name \"-run\") :exe (str \":\" name))])\n"
	                           "(defrule shout \"Makes it louder.\"\n"
	                           "  {:srcs {:type :sources :required true}, :level {:type :int :default 3}}\n"
	                           "  [{:keys [name srcs level]}]\n"
	                           "  (for [i (range level)]\n"
	                           "    (action :srcs srcs :out (str name i) :cmds [[\"shout\" (str i)]])))\n"
	                           "(defrule pair {} [{:keys [name]}]\n"
	                           "  [(lib (str name \"-a\")) (lib name :deps [(str \":\" name \"-a\")])])\n"},
	        {"p/BUILD",
	         "(load \"//build:defs.clj\")\n"
	         "(lib \"one\" :deps [\":files\"])\n"
	         "(for [n [\"x\" \"y\"]] (lib n))\n"
	         "(export-file :name \"files\" :src (first (glob \"**/*.txt\" :exclude [\"b/**\"])))\n"
	         "(shout :name \"loud\" :srcs [\"*.txt\" \":one\"])\n"
	         "(pair :name \"two\")\n"
	         "(genrule :name \"os\" :out \"os\" :cmd (select :os {\"linux\" \"l\" :default (error \"no\")}))\n"
	         "(when (= (setting :os) \"plan9\") (error \"never\"))\n"
	         "(genrule {:name \"map\" :out \"map\" :cmd (package-name) :deps nil})\n"},
	        {"p/a.txt", ""},
	        {"p/b/c.txt", ""},
	        {"p/sub/BUILD", ""},
	        {"p/sub/d.txt", ""},
	        {0}};
	struct loaded r = load(files, "//p:all");
	tap_ok(r.ok, "functions, rules, load, for, glob, select");
	if (r.ok) {
		tap_eq_int(r.t.requested.len, 14, "targets of one package");
		const struct build_target *loud = target_get(&r.t, target_find(&r.t, STR("//p:loud")));
		tap_eq_str(loud->rule, STR("shout"), "a rule of the workspace's own");
		tap_eq_int(loud->nactions, 3, "gives three actions, by a default");
		const struct rule_action *a = &loud->actions[1];
		tap_eq_str(attr_find(a->attrs, a->nattrs, "cmds")->commands[0].argv[1], STR("1"), "with commands");
		const struct attr *srcs = attr_find(a->attrs, a->nattrs, "srcs");
		tap_eq_str(srcs->sources[0].path, STR("p/a.txt"), "files");
		tap_eq_str(target_get(&r.t, srcs->sources[1].target)->label, STR("//p:one"), "and targets");
		tap_eq_int(loud->nouts, 3, "that write three files");
		tap_eq_str(loud->outs[2], STR("p/loud2"), "such as this");
		const struct build_target *two = target_get(&r.t, target_find(&r.t, STR("//p:two")));
		tap_eq_str(two->rule, STR("genrule"), "a rule may give a target in its own place");
		tap_eq_str(target_get(&r.t, two->deps[0])->label, STR("//p:two-a"), "and others");
		const struct build_target *os = target_get(&r.t, target_find(&r.t, STR("//p:os")));
		tap_eq_str(target_string(os, "cmd", STR("")), STR("l"), "only the case that is chosen is evaluated");
		tap_eq_int(r.in.settings.len, 1, "settings that were asked for are known");
		const struct build_target *map = target_get(&r.t, target_find(&r.t, STR("//p:map")));
		tap_eq_str(target_string(map, "cmd", STR("")), STR("p"), "attributes may come as a map");
		tap_ok(!target_attr(map, "deps"), "nil is not written at all");
	}
	done(&r);
}

/* What is wrong, and all that is said about it. */
static const struct wrong {
	const char *text, *says;
} wrongs[] = {
        {"(jar :name \"a\" :jar \"a.jar\" :dpes [])", "p/BUILD:1:29: \"jar\" has no attribute :dpes\n"
                                                      "(jar :name \"a\" :jar \"a.jar\" :dpes [])\n"
                                                      "                            ^\n"
                                                      "note: did you mean \":deps\"?\n"},
        {"(jar :name \"a\")", "p/BUILD:1:1: \"jar\" wants :jar"},
        {"(jra :name \"a\")", "1:2: \"jra\" is not defined\n(jra :name \"a\")\n ^\nnote: did you mean \"jar\"?"},
        {"(jar :jar \"a.jar\")", "1:1: \"jar\" wants :name"},
        {"(jar :name 1 :jar \"a.jar\")", "1:12: :name wants a string, not an integer"},
        {"(jar :name \"a b\" :jar \"a.jar\")", "1:12: \"a b\" can't be the name of a target"},
        {"(jar :name \"a\" :jar [\"a.jar\"])", "1:21: :jar wants a file or a label, not [\"a.jar\"]"},
        {"(jar :name \"a\" :jar \"a.jar\" :deps [:b])", "1:36: :deps wants a list of labels, not :b"},
        {"(jar :name \"a\" :jar \"a.jar\" :deps [\"b\"])", "1:36: \"b\" is no label"},
        {"(jar :name \"a\" :jar \"a.jra\")", "1:21: there is no file \"p/a.jra\"\n"},
        {"(jar :name \"a\" :jar \"../a.jar\")", "1:21: \"../a.jar\" has \"..\" as a part of the path"},
        {"(jar :name \"a\" :jar \"d\")", "1:21: \"d\" is a folder; its files are \"d/**\""},
        {"(jar :name \"a\" :jar \"sub/x.jar\")", "1:21: \"sub/x.jar\" belongs to another package, \"//p/sub\""},
        {"(jar :name \"a\" :jar \"a.jar\" :name \"b\")", "1:29: :name is given twice"},
        {"(jar :name \"a\" :jar)", "1:16: this attribute has no value behind it"},
        {"(jar :name \"a\" :jar \"a.jar\")\n(jar :name \"a\" :jar \"a.jar\")",
         "p/BUILD:2:1: there are two targets \"//p:a\"\n(jar :name \"a\" :jar \"a.jar\")\n^\n"
         "note: the other one is at p/BUILD:1:1\n"},
        {"(jar :name \"a\" :jar \"a.jar\" :deps [\":bee\"])\n(jar :name \"be\" :jar \"a.jar\")",
         "1:36: there is no target \"//p:bee\": p/BUILD does not declare it\n"},
        {"(jar :name \"a\" :jar \"a.jar\" :deps [\":bee\"])\n(jar :name \"be\" :jar \"a.jar\")",
         "note: did you mean \"//p:be\"?"},
        {"(jar :name \"a\" :jar \"a.jar\" :deps [\"//q:private\"])",
         "1:36: \"//q:private\" is not visible from package \"//p\""},
        {"(jar :name \"a\" :jar \"a.jar\" :deps [\"//q:private\"])", "note: package \"//q\" owns it: q/BUILD:1:1\n"},
        {"(jar :name \"a\" :jar \"a.jar\" :deps [\"//qq:private\"])", "1:36: there is no folder \"qq\""},
        {"(jar :name \"a\" :jar \"a.jar\" :deps [\"//qq:private\"])", "note: did you mean \"//q\"?"},
        {"(jar :name \"a\" :jar \"a.jar\" :deps [\"//p/d:x\"])", "1:36: \"p/d\" is no package: it has no file BUILD or "
                                                                 "CLJ"},
        {"(jar :name \"a\" :jar \"a.jar\" :deps [\":b\"])\n(jar :name \"b\" :jar \"a.jar\" :deps [\":a\"])",
         "p/BUILD:1:1: these targets depend on each other: //p:a → //p:b → //p:a\n"},
        {"(jar :name \"a\" :jar \"a.jar\" :deps [\":a\"])", "//p:a → //p:a"},
        {"(genrule :name \"a\" :out \"o\" :cmd \"\")\n(genrule :name \"b\" :outs [\"x\" \"o\"] :cmd \"\")",
         "p/BUILD:2:1: two targets write \"p/o\": \"//p:a\" and \"//p:b\"\n"},
        {"(genrule :name \"a\" :out \"o/p/q\" :cmd \"\")\n(genrule :name \"b\" :out \"o\" :cmd \"\")",
         "p/BUILD:1:1: \"//p:a\" writes \"p/o/p/q\", but \"p/o\" is a file of \"//p:b\"\n"},
        {"(genrule :name \"a\" :out \"../o\" :cmd \"\")", "1:25: \"../o\" is no path of a file below the package"},
        {"(genrule :name \"a\" :out \"o\")", "1:1: \"genrule\" wants :cmd or :cmds"},
        {"(genrule :name \"a\" :out \"o\" :cmd \"\" :cmds [])", "1:1: \"genrule\" wants :cmd or :cmds, not both"},
        {"(genrule :name \"a\" :out \"o\" :cmds [\"x\"])",
         ":cmds wants a list of commands, each a list of strings, not "
         "\"x\""},
        {"(genrule :name \"a\" :out \"o\" :cmd \"\" :srcs [\"*.zip\"])", "1:44: \"*.zip\" matches no file"},
        {"(genrule :name \"a\" :out \"o\" :cmd \"\" :srcs (glob \"*.zip\"))", "1:49: \"*.zip\" matches no file\n"},
        {"(genrule :name \"a\" :out \"o\" :cmd \"\" :srcs (glob \"*.jar\" :exclude \"a*\"))",
         "1:43: all 1 files that this matches are excluded"},
        {"(genrule :name \"a\" :out \"o\" :cmd \"\" :srcs [\"a**/x\"])", "1:44: \"a**/x\": \"**\" stands for folders"},
        {"(remote-file :name \"a\" :url \"http://x\" :sha256 \"12\")", "1:48: :sha256 wants 64 hexadecimal digits"},
        {"(jar :name \"a\" :jar \"a.jar\" :visibility [\"all\"])", "1:42: \"all\" is no visibility"},
        {"\"text\"", "1:1: expected a target, not a string: \"text\""},
        {"(action :out \"x\" :cmd \"y\")", "1:1: an action stands in a rule only"},
        {"(load \"//p:none.clj\")", "1:7: there is no file \"p/none.clj\" to load"},
        {"(load \"//c:a.clj\")", "c/b.clj:1:7: these files load each other: c/a.clj → c/b.clj → c/a.clj"},
        {"(load \"//c:t.clj\")", "c/t.clj:1:1: a file that is loaded can't declare targets"},
        {"(load \"//c:g.clj\")", "c/g.clj:1:8: a file that is loaded has no package to look for files in"},
        {"(defrule r {:x {:type :strang}} [a] nil)\n(r :name \"a\" :x \"\")",
         "1:23: expected the type of an attribute"},
        {"(defrule r {:x :string} [a] 5)\n(r :name \"a\" :x \"\")",
         "1:29: rule \"r\" gave an integer, not an action or "
         "a target"},
        {"(defrule r {:x :string} [a] nil)\n(r :name \"a\" :y \"\")", "2:14: \"r\" has no attribute :y"},
        {"(select :os {\"mac\" 1})", "1:1: no case of this select is for :os \"linux\""},
        {"(jar :name \"a\" :jar \"a.jar\"", "1:1: '(' opened at 1:1 is never closed"},
};

static void test_wrong(void)
{
	for (size_t i = 0; i < ARRAY_LEN(wrongs); i++) {
		struct fake_file files[] = {{"p/BUILD", wrongs[i].text},
		                            {"p/a.jar", ""},
		                            {"p/d/x", ""},
		                            {"p/sub/CLJ", ""},
		                            {"p/sub/x.jar", ""},
		                            {"c/a.clj", "(load \"b.clj\")"},
		                            {"c/b.clj", "(load \"//c:a.clj\")"},
		                            {"c/t.clj", "(jar :name \"a\" :jar \"a\")"},
		                            {"c/g.clj", "(def x (glob \"*\"))"},
		                            {"q/BUILD", "(genrule :name \"private\" :out \"x\" :cmd \"\")"},
		                            {0}};
		struct loaded r = load(files, "//p:all");
		struct buf out = {0};
		err_format(&r.err, &out);
		tap_ok(!r.ok && r.err.kind == ERR_USER && strstr(buf_cstr(&out), wrongs[i].says), "%s", wrongs[i].says);
		buf_release(&out);
		done(&r);
	}
}

static void test_visibility(void)
{
	static const struct {
		const char *visibility;
		bool sees;
	} cases[] = {{"[]", false},
	             {"[\"PUBLIC\"]", true},
	             {"[\"PRIVATE\"]", false},
	             {"\"//...\"", true},
	             {"\"//a/...\"", true},
	             {"\"//a/b/...\"", true},
	             {"\"//a/bb/...\"", false},
	             {"\"//a/b:__pkg__\"", true},
	             {"\"//a:__pkg__\"", false},
	             {"\"//a:__subpackages__\"", true},
	             {"\"//:__subpackages__\"", true}};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf text = {0};
		buf_addf(&text, "(genrule :name \"x\" :out \"x\" :cmd \"\" :visibility %s)", cases[i].visibility);
		struct fake_file files[] = {
		        {"q/BUILD", buf_cstr(&text)},
		        {"a/b/BUILD", "(genrule :name \"y\" :out \"y\" :cmd \"\" :srcs [\"//q:x\"])"},
		        {0}};
		struct loaded r = load(files, "//a/b:y");
		tap_ok(r.ok == cases[i].sees, "visibility %s", cases[i].visibility);
		done(&r);
		buf_release(&text);
	}
}

static void test_files(void)
{
	struct fake_file both[] = {{"p/BUILD", ""}, {"p/CLJ", ""}, {0}};
	struct loaded r = load(both, "//p:x");
	tap_ok(!r.ok && strstr(buf_cstr(&r.err.message), "\"p\" has both a BUILD and a CLJ"), "BUILD and CLJ");
	done(&r);
	r = load(both, "//none:x");
	tap_ok(!r.ok && r.in.absent.len == 1 && str_eqc(r.in.absent.ptr[0], "none"),
	       "a folder that is absent is known");
	done(&r);
	struct fake_file nested[] = {{"BUILD", "(genrule :name \"a\" :out \"a\" :cmd \"\")"},
	                             {"other/WORKSPACE", ""},
	                             {"other/BUILD", "(broken"},
	                             {0}};
	r = load(nested, "//...");
	tap_ok(r.ok && r.t.targets.len == 1, "a workspace in the workspace is another's");
	tap_eq_str(r.t.targets.ptr[0].label, STR("//:a"), "a target at the root");
	done(&r);
	r = load(nested, ":a");
	tap_ok(r.ok, "relative to the root");
	done(&r);
}

int main(void)
{
	test_sample();
	test_language();
	test_wrong();
	test_visibility();
	test_files();
	return tap_done();
}
