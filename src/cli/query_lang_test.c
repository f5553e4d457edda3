/* The query language over small graphs made by hand, and over big ones for the walks. */
#include <stdlib.h>

#include "base/tap.h"
#include "cli/query_lang.h"

/* app -> web -> usocket -> base; app -> log -> base; cl+ssl <-> web-ssl cycle; self -> self; three-cycle a b c. */
enum { APP, WEB, USOCKET, LOG, BASE, CLSSL, WEBSSL, SELF, A, B, C, ODD, COUNT };
static const char *const names[COUNT] = {
        "asdf:app", "asdf:web", "asdf:cl-usocket", "asdf:log", "asdf:base", "cl+ssl", "web-ssl", "self", "a",
        "b",        "c",        "odd: load (x)"};
static const uint32_t edges[COUNT][4] = {{2, WEB, LOG}, {1, USOCKET}, {1, BASE}, {1, BASE}, {0},       {1, WEBSSL},
                                         {1, CLSSL},    {1, SELF},    {1, B},    {1, C},    {2, A, B}, {1, BASE}};

static struct str name_of(void *ctx UNUSED, uint32_t n)
{
	return str_from(names[n]);
}
static struct str alias_of(void *ctx UNUSED, uint32_t n)
{
	struct str s = str_from(names[n]);
	return str_has_prefix(s, STR("asdf:")) ? str_drop(s, 5) : (struct str){0};
}
static struct str kind_of(void *ctx UNUSED, uint32_t n)
{
	return n == ODD ? STR("load") : n >= A ? STR("compile") : STR("system");
}
static const uint32_t *edges_of(void *ctx UNUSED, uint32_t n, uint32_t *ret_n)
{
	*ret_n = edges[n][0];
	return edges[n] + 1;
}
static void files_of(void *ctx UNUSED, uint32_t n, StrVec *out)
{
	if (n == APP || n == WEB)
		vec_push(out, STR("shared.lisp"));
	if (n == APP)
		vec_push(out, STR("app.lisp"));
	if (n == WEB)
		vec_push(out, STR("web.lisp"));
}
static const struct query_graph graph = {NULL, COUNT, name_of, alias_of, kind_of, edges_of, files_of};

static void answers(const char *query, const char *want)
{
	struct query_result r = {0};
	struct err err = {0};
	struct buf out = {0};
	if (query_run(&graph, str_from(query), &r, &err))
		query_print(&graph, &r, QUERY_TEXT, &out);
	else
		buf_addf(&out, "error: %s", buf_cstr(&err.message));
	for (size_t i = 0; i < out.len; i++) {
		if (out.ptr[i] == '\n')
			out.ptr[i] = i + 1 < out.len ? '|' : ' ';
	}
	tap_eq_str(str_trim(buf_str(&out)), str_from(want), "%s", query);
	query_release(&r);
	err_clear(&err);
	buf_release(&out);
}

static void refuses(const char *query, uint32_t col, const char *message, const char *note)
{
	struct query_result r = {0};
	struct err err = {0};
	bool ok = query_run(&graph, str_from(query), &r, &err);
	tap_ok(!ok && err.kind == ERR_USER, "refused: %.60s", query);
	tap_eq_str(buf_str(&err.message), str_from(message), "message");
	tap_eq_int(err.span.col, col, "column");
	tap_eq_str(err.notes.len ? str_from(err.notes.ptr[0]) : STR(""), str_from(note), "note");
	query_release(&r);
	err_clear(&err);
}

static void test_answers(void)
{
	answers("app", "asdf:app");
	answers("deps(app)", "asdf:app|asdf:base|asdf:cl-usocket|asdf:log|asdf:web");
	answers("deps(asdf:app, 1)", "asdf:app|asdf:log|asdf:web");
	answers("deps(app,0)", "asdf:app");
	answers("deps(app) - app", "asdf:base|asdf:cl-usocket|asdf:log|asdf:web");
	answers("deps(app)-app", "asdf:base|asdf:cl-usocket|asdf:log|asdf:web");
	answers("deps(web) ^ deps(log)", "asdf:base");
	answers("deps(web) intersect deps(log) union a", "a|asdf:base");
	answers("web + log + a - web", "a|asdf:log");
	answers("web except (web + log)", "");
	answers("rdeps(base)", "asdf:app|asdf:base|asdf:cl-usocket|asdf:log|asdf:web|odd: load (x)");
	answers("rdeps(base, 1)", "asdf:base|asdf:cl-usocket|asdf:log|odd: load (x)");
	answers("rdeps(web, base)", "asdf:base|asdf:cl-usocket|asdf:web");
	answers("rdeps(app, base, 1)", "asdf:base|asdf:cl-usocket|asdf:log");
	answers("rdeps(log, web)", "");
	answers("somepath(app, base)", "asdf:app|asdf:log|asdf:base");
	answers("somepath(app, app)", "asdf:app");
	answers("somepath(base, app)", "");
	answers("allpaths(web, base)", "asdf:base|asdf:cl-usocket|asdf:web");
	answers("cycles(app)", "");
	answers("cycles(a)", "a -> b -> c -> a");
	answers("cycles(* - a)", "a -> b -> c -> a|cl+ssl -> web-ssl -> cl+ssl|self -> self");
	answers("cycles(self) + base", "asdf:base|self");
	answers("files(app + web)", "app.lisp|shared.lisp|web.lisp");
	answers("files(app) - files(web)", "app.lisp");
	answers("files(base)", "");
	answers("kind(system, *ba?e)", "asdf:base");
	answers("kind(l*, *)", "odd: load (x)");
	answers("'odd: load (x)'", "odd: load (x)");
	answers("deps(\"odd: load (x)\")", "asdf:base|odd: load (x)");
	answers("cl+ssl + cl-usocket", "asdf:cl-usocket|cl+ssl");
	answers("asdf:cl-*", "asdf:cl-usocket");
	answers(" ( ( base ) ) ", "asdf:base");
}

static void test_errors(void)
{
	refuses("", 1, "the query is empty", "");
	refuses("deps(ap)", 6, "nothing is called 'ap'", "did you mean 'app'?");
	refuses("web - asdf:bse", 7, "nothing is called 'asdf:bse'", "did you mean 'asdf:base'?");
	refuses("zz*", 1, "nothing matches 'zz*'", "");
	refuses("dep(app)", 1, "unknown function 'dep'", "did you mean 'deps'?");
	refuses("deps(app", 5, "this parenthesis is never closed", "");
	refuses("(app + (web)", 1, "this parenthesis is never closed", "");
	refuses("deps()", 6, "')' where a name or '(' is expected", "");
	refuses("deps(app, x)", 11, "the depth must be a number", "");
	refuses("deps(app, 1, 2)", 14, "'deps' has too many arguments", "write deps(X) or deps(X, DEPTH)");
	refuses("somepath(app)", 13, "'somepath' has too few arguments", "write somepath(FROM, TO)");
	refuses("app web", 5, "'web' where an operator or the end is expected", "");
	refuses("app +", 6, "the query ends where a name or '(' is expected", "");
	refuses("app + - web", 7, "'-' where a name or '(' is expected", "quote a name that begins with '-'");
	refuses("'app", 1, "the quote is never closed", "");
	refuses("app + \"web", 7, "the quote is never closed", "");
	refuses("app)", 4, "')' where an operator or the end is expected", "");
	refuses("deps(files(app))", 6, "a set of files where a set of nodes is expected",
	        "files() must be outermost, or combined with other files()");
	refuses("app + files(app)", 5, "files and nodes cannot be combined", "");
	refuses("kind(deps(a), a)", 6, "the first argument of 'kind' must be the name of a kind", "");
	refuses("\xc3\xa4 + b", 1, "nothing is called '\xc3\xa4'", "");
	refuses("b + \xc3\xa4\xc3\xa4 ( ", 5, "unknown function '\xc3\xa4\xc3\xa4'",
	        "the functions are deps, rdeps, somepath, allpaths, cycles, files and kind");
}

static void test_formats(void)
{
	static const struct {
		const char *query;
		enum query_format format;
		const char *want;
	} cases[] = {
	        {"web + cl-usocket", QUERY_JSON,
	         "{\"result\":\"nodes\",\"nodes\":[{\"name\":\"asdf:cl-usocket\",\"kind\":\"system\",\"deps\":[]},"
	         "{\"name\":\"asdf:web\",\"kind\":\"system\",\"deps\":[\"asdf:cl-usocket\"]}]}\n"},
	        {"files(web)", QUERY_JSON, "{\"result\":\"files\",\"files\":[\"shared.lisp\",\"web.lisp\"]}\n"},
	        {"cycles(b)", QUERY_JSON, "{\"result\":\"cycles\",\"cycles\":[[\"a\",\"b\",\"c\"]]}\n"},
	        {"web + cl-usocket", QUERY_DOT,
	         "digraph tenon {\n  node [shape=box];\n  \"asdf:cl-usocket\";\n  \"asdf:web\";\n"
	         "  \"asdf:web\" -> \"asdf:cl-usocket\";\n}\n"},
	        {"cycles(b)", QUERY_DOT,
	         "digraph tenon {\n  node [shape=box];\n  \"a\" -> \"b\";\n  \"b\" -> \"c\";\n  \"c\" -> \"a\";\n}\n"},
	        {"somepath(web, cl-usocket)", QUERY_DOT,
	         "digraph tenon {\n  node [shape=box];\n  \"asdf:web\";\n  \"asdf:cl-usocket\";\n"
	         "  \"asdf:web\" -> \"asdf:cl-usocket\";\n}\n"},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct query_result r = {0};
		struct buf out = {0};
		tap_ok(query_run(&graph, str_from(cases[i].query), &r, NULL), "%s", cases[i].query);
		query_print(&graph, &r, cases[i].format, &out);
		tap_eq_str(buf_str(&out), str_from(cases[i].want), "%s, format %d", cases[i].query, cases[i].format);
		query_release(&r);
		buf_release(&out);
	}
}

/* A chain of a million nodes: each depends on the next, the last on the first when the graph is a ring. */
struct chain {
	struct arena arena;
	uint32_t n, *next;
	struct str *names;
	bool ring;
};

static struct str chain_name(void *ctx, uint32_t n)
{
	return ((struct chain *)ctx)->names[n];
}
static const uint32_t *chain_edges(void *ctx, uint32_t n, uint32_t *ret_n)
{
	struct chain *c = ctx;
	*ret_n = n + 1 < c->n || c->ring;
	return &c->next[n];
}

static void test_depth(void)
{
	struct chain c = {.n = 1000000};
	c.next = arena_new_n(&c.arena, uint32_t, c.n);
	c.names = arena_new_n(&c.arena, struct str, c.n);
	for (uint32_t i = 0; i < c.n; i++) {
		c.next[i] = (i + 1) % c.n;
		c.names[i] = str_fmt(&c.arena, "n%07u", i);
	}
	struct query_graph g = {.ctx = &c, .count = c.n, .name = chain_name, .kind = chain_name, .edges = chain_edges};
	static const struct {
		const char *query;
		size_t nodes, paths;
		bool ring;
	} cases[] = {
	        {"deps(n0000000)", 1000000, 0, false},
	        {"rdeps(n0999999)", 1000000, 0, false},
	        {"rdeps(n0999999, 5)", 6, 0, false},
	        {"somepath(n0000000, n0999999)", 1000000, 0, false},
	        {"cycles(n0000000)", 0, 0, false},
	        {"cycles(n0000000)", 0, 1, true},
	        {"allpaths(n0000010, n0000012)", 3, 0, false},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct query_result r = {0};
		c.ring = cases[i].ring;
		tap_ok(query_run(&g, str_from(cases[i].query), &r, NULL), "a million nodes: %s", cases[i].query);
		tap_eq_int((int64_t)r.nodes.len, (int64_t)cases[i].nodes, "nodes");
		tap_eq_int((int64_t)r.paths.len, (int64_t)cases[i].paths, "cycles");
		query_release(&r);
	}
	arena_release(&c.arena);
}

static void test_long_queries(void)
{
	struct buf b = {0};
	struct query_result r = {0};
	struct err err = {0};
	for (int i = 0; i < 200000; i++)
		buf_addz(&b, "(");
	tap_ok(!query_run(&graph, buf_str(&b), &r, &err) && err.kind == ERR_USER, "deep nesting is refused");
	tap_eq_str(buf_str(&err.message), STR("more than 100 parentheses inside each other"), "its message");
	err_clear(&err);
	buf_clear(&b);
	for (int i = 0; i < 100000; i++)
		buf_addz(&b, "a + ");
	buf_addz(&b, "b");
	tap_ok(query_run(&graph, buf_str(&b), &r, &err) && r.nodes.len == 2, "a long chain is fine");
	query_release(&r);
	err_clear(&err);
	buf_release(&b);
}

int main(void)
{
	test_answers();
	test_errors();
	test_formats();
	test_depth();
	test_long_queries();
	return tap_done();
}
