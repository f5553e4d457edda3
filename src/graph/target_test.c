#include "graph/target.h"

#include "base/tap.h"
#include "graph/rule.h"

static void test_labels(void)
{
	static const struct {
		const char *text, *whole; /* NULL: refused */
	} cases[] = {
	        {"//a/b:c", "//a/b:c"},
	        {":c", "//here:c"},
	        {"//a/b", "//a/b:b"},
	        {"//a", "//a:a"},
	        {"//:c", "//:c"},
	        {"//a:b/c.txt", "//a:b/c.txt"},
	        {"//a:clojure1.9", "//a:clojure1.9"},
	        {"//", NULL},
	        {":", NULL},
	        {"//a:", NULL},
	        {"//a/:b", NULL},
	        {"//a//b:c", NULL},
	        {"//../a:b", NULL},
	        {"//a/./b:c", NULL},
	        {"a", NULL},
	        {"a:b", NULL},
	        {"///a:b", NULL},
	        {"//a:b:c", NULL},
	        {"//a:b c", NULL},
	        {"//a:../b", NULL},
	        {"//a:/b", NULL},
	        {"//a:b/", NULL},
	        {"//a/...", NULL},
	        {"//a:*", NULL},
	        {"", NULL},
	        {"//a:b//c", NULL},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena a = {0};
		struct label l;
		struct err err = {0};
		bool ok = label_parse(str_from(cases[i].text), STR("here"), &l, &err);
		if (cases[i].whole)
			tap_ok(ok && str_eqc(label_str(&a, l), cases[i].whole), "\"%s\" is %s", cases[i].text,
			       cases[i].whole);
		else
			tap_ok(!ok && err.kind == ERR_USER, "\"%s\" is no label: %s", cases[i].text,
			       buf_cstr(&err.message));
		err_clear(&err);
		arena_release(&a);
	}
}

static void test_patterns(void)
{
	static const struct {
		const char *pattern, *here, *package, *name;
		bool matches;
	} cases[] = {
	        {"//...", "", "a/b", "c", true},    {"//...", "x", "", "c", true},      {"//a/...", "", "a", "c", true},
	        {"//a/...", "", "a/b", "c", true},  {"//a/...", "", "ab", "c", false},  {"...", "a", "a/b", "c", true},
	        {"...", "a", "b", "c", false},      {"b/...", "a", "a/b/c", "d", true}, {"//a:all", "", "a", "c", true},
	        {"//a:all", "", "a/b", "c", false}, {":all", "a", "a", "c", true},      {"//a:c", "", "a", "c", true},
	        {"//a:c", "", "a", "d", false},     {":c", "a", "a", "c", true},        {"b:c", "a", "a/b", "c", true},
	        {"b:c", "", "b", "c", true},        {"//a", "", "a", "a", true},        {"//a/b", "", "a/b", "b", true},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena a = {0};
		struct target_pattern p;
		bool ok = target_pattern_parse(&a, str_from(cases[i].pattern), str_from(cases[i].here), &p, NULL);
		tap_ok(ok && target_pattern_matches(&p, (struct label){str_from(cases[i].package),
		                                                       str_from(cases[i].name)}) == cases[i].matches,
		       "\"%s\" in \"%s\": //%s:%s", cases[i].pattern, cases[i].here, cases[i].package, cases[i].name);
		arena_release(&a);
	}
	tap_ok(target_pattern_looks_like(STR("//a")) && target_pattern_looks_like(STR(":a")) &&
	               target_pattern_looks_like(STR("a/...")) && target_pattern_looks_like(STR("a:b")) &&
	               !target_pattern_looks_like(STR("cl-ppcre")) && !target_pattern_looks_like(STR("a/b")),
	       "patterns are told from names of systems");
	struct target_pattern p;
	struct err err = {0};
	tap_ok(!target_pattern_parse(NULL, STR("//a//..."), STR(""), &p, &err), "an empty folder: %s",
	       buf_cstr(&err.message));
	err_clear(&err);
}

static void test_order(void)
{
	struct target_table t = {0};
	struct err err = {0};
	enum { N = 200000 };
	/* A chain as long as this would overflow the stack of a recursive walk. */
	for (target_id i = 0; i < N; i++) {
		struct build_target b = {.label = STR("//x:y"), .ndeps = i + 1 < N};
		b.deps = arena_new(&t.arena, target_id);
		b.deps[0] = i + 1;
		vec_push(&t.targets, b);
	}
	tap_ok(target_table_order(&t, &err), "a chain of %d", N);
	tap_eq_int(t.by_order.ptr[0], N - 1, "its end comes first");
	t.targets.ptr[N - 1].ndeps = 1;
	t.targets.ptr[N - 1].deps[0] = N - 2;
	tap_ok(!target_table_order(&t, &err) && strstr(buf_cstr(&err.message), "depend on each other"), "a cycle");
	err_clear(&err);
	target_table_release(&t);
}

static void test_rules(void)
{
	bool sorted = true, documented = true, no_doubles = true;
	for (uint32_t i = 0; i < rule_table_len; i++) {
		const struct rule_schema *r = &rule_table[i];
		sorted &= i == 0 || str_cmp(rule_table[i - 1].name, r->name) < 0;
		documented &= r->doc.len > 0;
		for (uint32_t k = 0; k < r->nattrs; k++) {
			documented &= r->attrs[k].doc.len > 0;
			no_doubles &= rule_attr(r, r->attrs[k].name) == &r->attrs[k];
			for (uint32_t c = 0; c < rule_common_len; c++)
				no_doubles &= !str_eq(rule_common[c].name, r->attrs[k].name);
		}
	}
	tap_ok(sorted, "rules are in order of name");
	tap_ok(documented, "each rule and attribute has its line for the manual");
	tap_ok(no_doubles, "no attribute is there twice");
	tap_ok(rule_find(STR("clj-lib")) && !rule_find(STR("clj-libs")), "rules are found by name");
	const struct attr_schema *deps = rule_attr(rule_find(STR("jar")), STR("deps"));
	tap_ok(deps && deps->type == ATTR_LABELS, "every rule has :deps");
}

int main(void)
{
	test_labels();
	test_patterns();
	test_order();
	test_rules();
	return tap_done();
}
