/* docs/TARGETS.md is held to the program: its files load, its expressions have the results that it says, and its list
 * of rules is the table of rules.
 *
 *     test-front-manual          run from the root of the source tree
 *     test-front-manual rules    prints the list of rules, to be put into the manual */
#include <stdio.h>

#include "base/tap.h"
#include "front/buildfile.h"
#include "front/fake_view.h"
#include "lang/eval.h"
#include "os/fs.h"

static void print_attrs(const struct attr_schema *attrs, uint32_t n, struct buf *out)
{
	static const char *const types[ATTR_TYPES] = {"string", "strings", "bool",   "int",     "map",
	                                              "label",  "labels",  "source", "sources", "commands"};
	buf_addz(out, "| attribute | type | |\n|---|---|---|\n");
	for (uint32_t i = 0; i < n; i++) {
		const struct attr_schema *a = &attrs[i];
		buf_addf(out, "| `:%.*s` | %s | %.*s%s |\n", STR_ARG(a->name), types[a->type], STR_ARG(a->doc),
		         a->flags & ATTR_REQUIRED                  ? " **(required)**"
		         : a->flags & (ATTR_ONE_OF | ATTR_ONE_OUT) ? " (one of its kind)"
		                                                   : "");
	}
}

static void print_rules(struct buf *out)
{
	for (uint32_t i = 0; i < rule_table_len; i++) {
		const struct rule_schema *r = &rule_table[i];
		buf_addf(out, "### `%.*s`\n%.*s", STR_ARG(r->name), STR_ARG(r->doc));
		if (r->default_out.ptr)
			buf_addf(out, " Writes `NAME%.*s` where `:out` says nothing else.", STR_ARG(r->default_out));
		buf_addz(out, "\n\n");
		print_attrs(r->attrs, r->nattrs, out);
		buf_addc(out, '\n');
	}
}

struct manual {
	Vec(struct fake_file) files;
	Vec(struct str) expressions;
};

/* A fenced block: "; path" on its first line makes it a file, "text" a list of further files; in the others lines
 * "form ; => result". */
static void take_block(struct arena *a, struct manual *m, struct str kind, struct str body)
{
	struct str rest = body, line;
	if (str_eqc(kind, "text")) {
		while (str_cut(&rest, '\n', &line))
			vec_push(&m->files, (struct fake_file){str_dupz(a, line), ""});
	} else if (str_has_prefix(body, STR("; ")) && str_cut(&rest, '\n', &line)) {
		vec_push(&m->files, (struct fake_file){str_dupz(a, str_drop(line, 2)), str_dupz(a, rest)});
	} else {
		while (str_cut(&rest, '\n', &line))
			vec_push(&m->expressions, line);
	}
}

static void read_manual(struct arena *a, struct str text, struct manual *m)
{
	struct str rest = text, line, kind = {0};
	const char *start = NULL;
	while (str_cut(&rest, '\n', &line)) {
		if (!str_has_prefix(line, STR("```")))
			continue;
		if (!start) {
			kind = str_drop(line, 3);
			start = rest.ptr;
		} else {
			if (str_eqc(kind, "text") || str_eqc(kind, "clojure"))
				take_block(a, m, kind, str_n(start, (size_t)(line.ptr - start)));
			start = NULL;
		}
	}
	vec_push(&m->files, (struct fake_file){0});
}

static void test_workspace(struct manual *m)
{
	static const struct buildfile_setting settings[] = {{{"os", 2}, {"linux", 5}}};
	struct file_view view;
	struct str all = STR("//...");
	struct buildfile_request q = {.patterns = &all, .npatterns = 1, .settings = settings, .nsettings = 1};
	struct target_table t = {0};
	struct buildfile_inputs in = {0};
	struct err err = {0};
	struct buf out = {0};
	fake_view(m->files.ptr, &view);
	if (!tap_ok(buildfile_load(&view, &q, &t, &in, &err), "the manual's workspace loads")) {
		err_format(&err, &out);
		tap_note("%s", buf_cstr(&out));
	}
	for (uint32_t i = 0; i < rule_table_len; i++) {
		bool used = false;
		for (target_id k = 0; k < t.targets.len; k++)
			used |= str_eq(t.targets.ptr[k].rule, rule_table[i].name);
		tap_ok(used, "it has an example of %.*s", STR_ARG(rule_table[i].name));
	}
	buf_release(&out);
	err_clear(&err);
	buildfile_inputs_release(&in);
	target_table_release(&t);
}

static bool print(void *ctx, struct value v, struct err *err)
{
	(void)err;
	value_print(v, ctx, 1000);
	return true;
}

static void test_expression(struct str line)
{
	size_t arrow = str_search(line, STR("; => "));
	struct arena a = {0};
	struct eval ev;
	struct err err = {0};
	struct module m = {0};
	struct sexp *forms;
	struct buf out = {0};
	SourceTexts files = {0};
	struct str form = str_slice(line, 0, arrow), want = str_trim(str_drop(line, arrow + 5));
	vec_push(&files, (struct source_text){.path = STR("manual"), .text = form});
	eval_init(&ev, &a, &files, NULL);
	bool ok = arrow < line.len && sexp_read(&a, STR("manual"), form, SEXP_BUILD, &forms, &err) &&
	          eval_file(&ev, &m, 0, forms, print, &out, &err);
	tap_ok(ok, "%.*s", STR_ARG(line));
	tap_eq_str(out.len ? buf_str(&out) : STR("nil"), want, "its result");
	module_release(&m);
	eval_release(&ev);
	vec_release(&files);
	buf_release(&out);
	err_clear(&err);
	arena_release(&a);
}

static bool mentions(struct str text, const char *name)
{
	struct buf quoted = {0};
	buf_addf(&quoted, "(%s ", name);
	bool found = str_search(text, buf_str(&quoted)) < text.len;
	buf_clear(&quoted);
	buf_addf(&quoted, "(%s)", name);
	found |= str_search(text, buf_str(&quoted)) < text.len;
	buf_release(&quoted);
	return found;
}

static void test_names(struct str text)
{
	struct arena a = {0};
	struct eval ev;
	SourceTexts files = {0};
	for (const char *const *name = eval_special_names(); *name; name++)
		tap_ok(mentions(text, *name), "the manual tells of the form %s", *name);
	eval_init(&ev, &a, &files, NULL);
	for (size_t i = 0; i < ev.builtins.entries.len; i++) {
		const char *name = str_dupz(&a, ev.builtins.entries.ptr[i].key);
		tap_ok(mentions(text, name), "and of the function %s", name);
	}
	eval_release(&ev);
	arena_release(&a);
}

int main(int argc, char **argv)
{
	struct arena a = {0};
	struct err err = {0};
	struct buf text = {0}, rules = {0};
	struct manual m = {0};
	print_rules(&rules);
	if (argc == 2 && str_eqc(str_from(argv[1]), "rules")) {
		fputs(buf_cstr(&rules), stdout);
		return 0;
	}
	CHECK(fs_read("docs/TARGETS.md", &text, &err));
	read_manual(&a, buf_str(&text), &m);
	test_workspace(&m);
	for (size_t i = 0; i < m.expressions.len; i++)
		test_expression(m.expressions.ptr[i]);
	tap_ok(m.expressions.len > 30, "%zu expressions", m.expressions.len);
	test_names(buf_str(&text));
	tap_ok(str_search(buf_str(&text), buf_str(&rules)) < text.len,
	       "the list of rules is the table's (see the head of manual_test.c)");
	buf_clear(&rules);
	print_attrs(rule_common, rule_common_len, &rules);
	tap_ok(str_search(buf_str(&text), buf_str(&rules)) < text.len, "and the attributes of all rules");
	if (tap_state.failed)
		printf("# attributes of all rules:\n%s", buf_cstr(&rules));
	vec_release(&m.files);
	vec_release(&m.expressions);
	buf_release(&text);
	buf_release(&rules);
	arena_release(&a);
	return tap_done();
}
