/* What an action sees of the functions that headers show: rows.c, on a graph of files a, b, c, d. */
#include "base/tap.h"
#include "build/build.h"
#include "graph/fake.h"
#include "graph/headers.h"

#define FOO "0123456789abcdef"
#define BAR "fedcba9876543210"

struct place {
	struct arena arena;
	struct graph graph;
	struct build build;
};

/* c depends on a and b; d, which comes after b, on a alone. */
static const char *const graph_text = "ta; la ta; tb la; lb tb la; tc lb la; lc tc lb la; td la; ld td la";

static void begin(struct place *p)
{
	*p = (struct place){0};
	fake_files(&p->graph, graph_text);
	CHECK(graph_add_headers(&p->graph, NULL));
	p->build = (struct build){.graph = &p->graph};
	p->build.units = xcalloc(p->graph.actions.len, sizeof(*p->build.units));
}

static void end(struct place *p)
{
	rows_release(&p->build);
	free(p->build.units);
	arena_release(&p->build.arena);
	graph_release(&p->graph);
	arena_release(&p->arena);
}

static const struct sexp *read(struct place *p, const char *text)
{
	struct sexp *form;
	CHECK(sexp_read_one(&p->arena, str_from(text), &form));
	return form;
}

static void shows(struct place *p, const char *header, const char *unit, const char *rows)
{
	rows_keep(&p->build, fake_id(&p->graph, header), str_from(unit), read(p, rows));
}

static struct str sees(struct place *p, const char *action, const char *unit, const char *row)
{
	return row_digest(&p->build, fake_id(&p->graph, action), str_from(unit), str_from(row));
}

static void test_names(void)
{
	tap_ok(row_is_head(STR("=" FOO)) && row_is_head(STR("#" FOO)) && row_is_head(STR("=" FOO " foo")) &&
	               row_is_head(STR("=*")),
	       "heads");
	tap_ok(!row_is_head(STR("defun foo")) && !row_is_head(STR("=")) && !row_is_head(STR("= foo")) &&
	               !row_is_head(STR("=0123456789abcde")) && !row_is_head(STR("=" FOO "0")) &&
	               !row_is_head(STR("=define-something foo")),
	       "no heads");
	tap_ok(str_eqc(row_head_name(STR("=" FOO " (setf foo)")), "(setf foo)"), "a function's name");
	tap_ok(row_looks_up(STR("((\"\" \"=" FOO "\"))"), STR("=" FOO " foo")) &&
	               !row_looks_up(STR("((\"\" \"=" FOO "\"))"), STR("=" BAR " bar")),
	       "who looks it up");
}

static void test_sight(void)
{
	struct place p;
	begin(&p);
	shows(&p, "la (header)", "ta", "((\"defun foo\" \"body\") (\"=" FOO " foo\" \"one\"))");
	tap_ok(str_eqc(sees(&p, "tc", "ta", "defun foo"), "body"), "a body");
	tap_ok(str_eqc(sees(&p, "tc", "ta", "=" FOO), "one") && str_eqc(sees(&p, "tc", "ta", "#" FOO), "one"),
	       "a head where it was found");
	tap_ok(str_eqc(sees(&p, "tc", "", "=" FOO), "one"), "one that was missing, and is below now");
	tap_ok(!sees(&p, "ta", "", "=" FOO).len, "the file's own is not below it");
	tap_ok(!sees(&p, "tc", "", "=" BAR).len, "one that is nowhere");
	struct str all = sees(&p, "tc", "", "=*"), none = sees(&p, "ta", "", "=*");

	shows(&p, "lb (header)", "tb", "((\"=" BAR " bar\" \"two\"))");
	tap_ok(str_eqc(sees(&p, "tc", "", "=" BAR), "two"), "it comes");
	tap_ok(!sees(&p, "td", "", "=" BAR).len, "but not for a file that does not depend on that");
	tap_ok(!str_eq(sees(&p, "tc", "", "=*"), all), "all heads are others");
	tap_ok(str_eq(sees(&p, "ta", "", "=*"), none), "but not below the first file");

	shows(&p, "lb (header)", "tb", "((\"=" BAR " bar\" \"two\") (\"=" FOO " foo\" \"three\"))");
	struct str both = sees(&p, "tc", "ta", "=" FOO);
	tap_ok(both.len && !str_eqc(both, "one") && !str_eqc(both, "three"), "two of one name count both");
	tap_ok(str_eqc(sees(&p, "td", "ta", "=" FOO), "one"), "where both are below");
	tap_ok(str_eqc(row_own_digest(&p.build, fake_id(&p.graph, "lb (header)"), STR("tb"), STR("=" FOO)), "three"),
	       "a header's own");
	end(&p);
}

static struct digest hash(struct place *p, enum rows_counted counted, const char *uses, const char *before)
{
	struct hasher *h = hasher_new(STR("test"));
	rows_hash(&p->build, fake_id(&p->graph, "tc"), counted, read(p, uses), before ? read(p, before) : NULL, h);
	return hasher_end(h);
}

static bool same(struct digest a, struct digest b)
{
	return digest_eq(&a, &b);
}

static void test_hash(void)
{
	const char *uses = "((\"\" \"=" BAR "\") (\"ta\" \"#" FOO "\" \"defun foo\"))";
	const char *before = "((\"\" \"=" BAR "\" \"\") (\"ta\" \"#" FOO "\" \"one\") (\"ta\" \"defun foo\" \"body\"))";
	const char *turned = "((\"ta\" \"defun foo\" \"body\") (\"ta\" \"#" FOO "\" \"one\") (\"\" \"=" BAR "\" \"\"))";
	struct place p;
	begin(&p);
	shows(&p, "la (header)", "ta", "((\"defun foo\" \"body\") (\"=" FOO " foo\" \"one\"))");
	struct digest all = hash(&p, ROWS_ALL, uses, NULL), bodies = hash(&p, ROWS_BODIES, uses, NULL);
	struct digest found = hash(&p, ROWS_FOUND, uses, NULL);
	tap_ok(same(found, hash(&p, ROWS_FOUND, "()", NULL)), "what nobody has does not count as found");
	tap_ok(same(all, hash(&p, ROWS_ALL, uses, before)) && same(all, hash(&p, ROWS_ALL, uses, turned)),
	       "as it was before, in any order");

	shows(&p, "lb (header)", "tb", "((\"=" BAR " bar\" \"two\"))");
	tap_ok(!same(all, hash(&p, ROWS_ALL, uses, NULL)), "a function that was missing comes");
	tap_ok(!same(found, hash(&p, ROWS_FOUND, uses, NULL)), "and is found");
	tap_ok(same(bodies, hash(&p, ROWS_BODIES, uses, NULL)), "bodies are what they were");
	tap_ok(same(all, hash(&p, ROWS_ALL, uses, before)), "before, it was missing");
	end(&p);
}

int main(void)
{
	test_names();
	test_sight();
	test_hash();
	return tap_done();
}
