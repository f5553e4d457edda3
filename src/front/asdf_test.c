#include "front/asdf.h"

#include <stdlib.h>

#include "base/tap.h"

/* Two files in a series and the system's own load, as the driver tells of them. */
#define ASDS    ":asds ((:id 0 :path \"/w/s.asd\" :features-before (\":A\" \":B\") :needs () :defines (\"s\")))"
#define SYSTEMS ":systems ((:name \"s\" :asd 0 :version \"1.2\" :depends-on (\"t\") :directory \"/w/\"))"
#define COMPILE_A                                                                                                      \
	"(:id 1 :op \"ASDF/LISP-ACTION:COMPILE-OP\" :system \"s\" :component (\"a\") :kind :compile :inputs "          \
	"(\"/w/a.lisp\")"                                                                                              \
	" :outputs (\"w/a.fasl\") :user-outputs (\"/c/a.fasl\") :deps () :asd 0 :class \"C\" :encoding \"utf-8\")"
#define LOAD_A                                                                                                         \
	"(:id 2 :op \"ASDF/LISP-ACTION:LOAD-OP\" :system \"s\" :component (\"a\") :kind :load :inputs (\"@w/a.fasl\")" \
	" :deps (1) :asd 0)"
#define COMPILE_B                                                                                                      \
	"(:id 7 :op \"ASDF/LISP-ACTION:COMPILE-OP\" :system \"s\" :component (\"sub\" \"b\") :kind :compile"           \
	" :inputs (\"/w/sub/b.lisp\") :outputs (\"w/sub/b.fasl\") :deps (2) :asd 0)"
#define LOAD_S                                                                                                         \
	"(:id 9 :op \"ASDF/LISP-ACTION:LOAD-OP\" :system \"s\" :component () :kind :none :inputs () :deps (7 2) :asd " \
	"0)"
#define TARGETS ":targets ((\"s\" 9))"
#define PLAN(systems, actions, targets)                                                                                \
	"(:plan :read (\"/w/s.asd\") :absent (\"/w/none\") :folders (\"/w/\") " ASDS " " systems " :actions (" actions \
	") " targets ")"

static bool reads(struct graph *g, const char *text, struct err *err)
{
	*g = (struct graph){0};
	struct description_findings findings = {0};
	bool ok = front_asdf_read(g, str_from(text), &findings, err);
	description_findings_release(&findings);
	return ok;
}

static void refuses(const char *text, const char *what, enum err_kind kind)
{
	struct graph g;
	struct err err = {0};
	bool ok = reads(&g, text, &err);
	tap_ok(!ok && err.kind == kind, "refused: %s: %s", what, ok ? "no" : buf_cstr(&err.message));
	tap_ok(!ok && strstr(buf_cstr(&err.message), what) != NULL, "and says so: %s", what);
	err_clear(&err);
	graph_release(&g);
}

static const struct action *by_label(const struct graph *g, const char *label)
{
	for (size_t i = 0; i < g->actions.len; i++)
		if (str_eqc(g->actions.ptr[i].label, label))
			return &g->actions.ptr[i];
	return NULL;
}

static bool depends_on(const struct graph *g, const struct action *a, const char *label)
{
	const struct action *dep = by_label(g, label);
	for (uint32_t i = 0; a && dep && i < a->ndeps; i++)
		if (graph_action(g, a->deps[i]) == dep)
			return true;
	return false;
}

static void test_plan(void)
{
	struct graph g;
	struct err err = {0};
	if (!tap_ok(reads(&g, PLAN(SYSTEMS, COMPILE_A LOAD_A COMPILE_B LOAD_S, TARGETS), &err), "a plan is read: %s",
	            buf_cstr(&err.message)))
		return;
	tap_eq_int(g.actions.len, 5, "four actions, and one for the .asd file");
	const struct action *a = by_label(&g, "s:a.lisp"), *load = by_label(&g, "s:a (load-op)");
	const struct action *b = by_label(&g, "s:sub/b.lisp"), *asd = by_label(&g, "asd /w/s.asd");
	tap_ok(a && load && b && asd, "they are labelled by system and file");
	tap_ok(a && a->kind == ACTION_COMPILE && str_eqc(a->logical, "s:a.lisp"), "a compile has a logical name");
	tap_ok(depends_on(&g, a, "asd /w/s.asd"), "all depend on the .asd file");
	tap_ok(asd && str_eqc(asd->features, "(\":A\" \":B\")"), "which is read with features");
	tap_ok(load && load->inputs[0].producer != NO_ID && graph_action(&g, load->inputs[0].producer) == a,
	       "a product is known by who makes it");
	tap_ok(load && str_eqc(load->inputs[0].path, "w/a.fasl"), "without its mark");
	tap_ok(depends_on(&g, b, "s:a (load-op)") && !depends_on(&g, b, "s:a.lisp"), "dependencies are as given");
	tap_ok(asd && a && load && b && asd->order < a->order && a->order < load->order && load->order < b->order,
	       "the order is ASDF's, and the .asd comes where it is needed");
	tap_ok(g.targets.len == 1 && g.targets.ptr[0].nfinals == 1, "there is one target");
	system_id s = graph_find_system(&g, STR("s"));
	tap_ok(s != NO_ID && graph_system(&g, s)->final == g.targets.ptr[0].finals[0], "the load of the system");
	tap_ok(s != NO_ID && str_eqc(graph_system(&g, s)->version, "1.2") && graph_system(&g, s)->ndepends_on == 1,
	       "the system is described");
	graph_release(&g);
}

static void test_notes(void)
{
	struct graph g = {0};
	struct description_findings findings = {0};
	tap_ok(front_asdf_read(&g, STR("(:plan :notes (\"one\" \"two\"))"), &findings, NULL) &&
	               findings.notes.len == 2 && str_eqc(findings.notes.ptr[1], "two"),
	       "what people should know is told");
	description_findings_release(&findings);
	graph_release(&g);
	tap_ok(front_asdf_read(
	               &g,
	               STR("(:plan :systems ((:name \"s\" :directory \"/\") (:name \"t\" :directory \"/\")) :actions"
	                   " ((:id 0 :system \"s\" :kind :compile :outputs (\"x\" \"y\"))"
	                   "  (:id 1 :system \"t\" :kind :compile :outputs (\"x\" \"y\"))))"),
	               &findings, NULL) &&
	               findings.notes.len == 1 &&
	               str_search(findings.notes.ptr[0], STR("\"s\" and \"t\" both make \"/x\"")) <
	                       findings.notes.ptr[0].len,
	       "so is who makes the same files, once");
	description_findings_release(&findings);
	graph_release(&g);
	tap_ok(front_asdf_read(&g,
	                       STR("(:plan :failures ((:describe-failed :kind :missing-system :message \"m\""
	                           " :name \"gone\" :required-by (\"here\"))))"),
	                       &findings, NULL) &&
	               findings.failures.len == 1 && findings.failures.ptr[0].kind == ERR_USER &&
	               strstr(buf_cstr(&findings.failures.ptr[0].message), "gone"),
	       "what is left out is told as an error");
	description_findings_release(&findings);
	graph_release(&g);
}

static void test_labels_are_unique(void)
{
	struct graph g;
	struct err err = {0};
	tap_ok(reads(&g, PLAN(SYSTEMS, COMPILE_A COMPILE_A, ""), &err), "two actions may look alike: %s",
	       err.kind == ERR_NONE ? "" : buf_cstr(&err.message));
	tap_ok(by_label(&g, "s:a.lisp") && by_label(&g, "s:a.lisp#2"), "their labels don't");
	err_clear(&err);
	graph_release(&g);
}

/* ASDF does not mind when two systems hold one file; both then have the same FASL. */
static void test_shared_file(void)
{
	struct graph g;
	struct err err = {0};
	if (!tap_ok(reads(&g,
	                  PLAN(SYSTEMS,
	                       COMPILE_A LOAD_A
	                       "(:id 3 :op \"C\" :system \"s\" :component (\"z\") :kind :compile :inputs"
	                       " (\"/w/a.lisp\") :outputs (\"w/a.fasl\") :asd 0)"
	                       "(:id 4 :op \"L\" :system \"s\" :component (\"z\") :kind :load"
	                       " :inputs (\"@w/a.fasl\") :deps (3))",
	                       ""),
	                  &err),
	            "two actions that make the same file: %s", buf_cstr(&err.message)))
		return;
	const struct action *a = by_label(&g, "s:a (load-op)"), *z = by_label(&g, "s:z (l)");
	tap_ok(a && str_eqc(graph_action(&g, a->inputs[0].producer)->component[0], "a"), "who loads it has it from");
	tap_ok(z && str_eqc(graph_action(&g, z->inputs[0].producer)->component[0], "z"), "what it depends on");
	graph_release(&g);
}

static void test_refusals(void)
{
	refuses("(:other)", "(:plan ...)", ERR_BUG);
	refuses("(:plan) (:plan)", "(:plan ...)", ERR_BUG);
	refuses("(:plan", "", ERR_USER);
	refuses(PLAN(SYSTEMS, LOAD_S, ""), "unknown action", ERR_BUG);
	refuses(PLAN("", COMPILE_A, ""), "unknown system", ERR_BUG);
	refuses(PLAN(SYSTEMS, LOAD_A, ""), "unknown action", ERR_BUG);
	refuses(PLAN(SYSTEMS, "(:id 1 :system \"s\" :kind :load :inputs (\"@x\") :deps ())", ""), "no action makes",
	        ERR_BUG);
	refuses(PLAN(SYSTEMS, "(:system \"s\" :kind :load)", ""), "without an id", ERR_BUG);
	refuses(PLAN(SYSTEMS, COMPILE_A, ":targets ((\"s\" 4))"), "unknown action", ERR_BUG);
	refuses(PLAN(SYSTEMS, COMPILE_A, ":targets (\"s\")"), "not a list", ERR_BUG);
	refuses(PLAN(SYSTEMS, COMPILE_A, ":targets (())"), "without a name", ERR_BUG);
	refuses(PLAN(SYSTEMS, "(:id 1 :op", ""), "never closed", ERR_USER);
	refuses(PLAN(SYSTEMS, "(:id [1))", ""), "wants ']'", ERR_USER);
	refuses(PLAN(SYSTEMS, "(:id 123456789 :system \"s\" :kind :load)", ""), "without an id", ERR_BUG);
	refuses(PLAN(":systems ((:asd 0))", "", ""), "without a name", ERR_BUG);
	refuses("(:plan :asds ((:id 900000 :path \"/w/s.asd\")))", "without an id", ERR_BUG);
	refuses("(:plan :asds ((:id -1 :path \"/w/s.asd\")))", "without an id", ERR_BUG);
	refuses("(:plan :asds ((:id 0 :path \"/a\") (:id 0 :path \"/b\")))", "of another one", ERR_BUG);
	refuses("(:plan :asds ((:id 0 :path \"/a\" :asds (7))))", "an unknown asd", ERR_BUG);
	refuses(PLAN(SYSTEMS,
	             "(:id 1 :op \"L\" :system \"s\" :component (\"x\") :kind :load :deps (2))"
	             "(:id 2 :op \"L\" :system \"s\" :component (\"y\") :kind :load :deps (1))",
	             ""),
	        "circular dependency: x → y → x", ERR_USER);
}

static void test_inputs(void)
{
	struct arena a = {0};
	struct description_inputs in = {0};
	struct err err = {0};
	tap_ok(front_asdf_inputs(&a, STR(PLAN(SYSTEMS, COMPILE_A, "")), &in, &err), "the inputs alone are read");
	tap_ok(in.read.len == 1 && str_eqc(in.read.ptr[0], "/w/s.asd"), "files");
	tap_ok(in.absent.len == 1 && str_eqc(in.absent.ptr[0], "/w/none"), "absent files");
	tap_ok(in.folders.len == 1 && str_eqc(in.folders.ptr[0], "/w/"), "folders");
	description_inputs_release(&in);
	tap_ok(!front_asdf_inputs(&a, STR("(:describe-failed)"), &in, &err), "another form has none");
	err_clear(&err);
	arena_release(&a);
}

static void failure(const char *text, enum err_kind kind, const char *what)
{
	struct arena a = {0};
	struct sexp *list;
	struct err err = {0};
	CHECK(sexp_read(&a, STR("test"), str_from(text), SEXP_LISP, &list, NULL) && list->len == 1);
	tap_ok(!front_asdf_failure(list->items[0], &err) && err.kind == kind, "\"%s\" has its kind", what);
	tap_ok(strstr(buf_cstr(&err.message), what) != NULL, "and says \"%s\": %s", what, buf_cstr(&err.message));
	err_clear(&err);
	arena_release(&a);
}

int main(void)
{
	test_plan();
	test_labels_are_unique();
	test_notes();
	test_shared_file();
	test_refusals();
	test_inputs();
	failure("(:describe-failed :kind :missing-system :message \"m\" :name \"foo\" :required-by (\"bar\"))",
	        ERR_USER, "foo");
	failure("(:describe-failed :kind :cycle :message \"m\" :cycle (\"a\" \"b\" \"a\"))", ERR_USER, "a → b → a");
	failure("(:describe-failed :kind :asd-error :message \"it broke\" :name \"foo\")", ERR_USER, "it broke");
	return tap_done();
}
