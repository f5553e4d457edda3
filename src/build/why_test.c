/* Records of units and what they explain: record.c and why.c, on a graph of files a, b, c. */
#include "base/tap.h"
#include "build/build.h"
#include "graph/fake.h"
#include "graph/headers.h"
#include "os/fs.h"

struct place {
	struct arena arena;
	struct session session;
	struct graph graph;
	struct build build;
};

static const char *const graph_text = "ta; la ta; tb la; lb tb la; tc lb la";

static void begin(struct place *p, char *dir)
{
	*p = (struct place){0};
	p->session.config_dir = dir;
	fake_files(&p->graph, graph_text);
	CHECK(graph_add_headers(&p->graph, NULL));
	struct build *b = &p->build;
	*b = (struct build){.session = &p->session, .graph = &p->graph};
	b->units = xcalloc(p->graph.actions.len, sizeof(*b->units));
	for (size_t i = 0; i < p->graph.actions.len; i++) {
		b->units[i].known = true;
		b->units[i].key = digest_of(p->graph.actions.ptr[i].label);
	}
	record_load(b);
}

static void end(struct place *p)
{
	struct build *b = &p->build;
	free(b->units);
	map_release(&b->previous);
	rows_release(b);
	vec_release(&b->bases);
	vec_release(&b->edited);
	buf_release(&b->previous_text);
	arena_release(&b->arena);
	graph_release(&p->graph);
	arena_release(&p->arena);
}

static struct unit *unit(struct place *p, const char *label)
{
	return &p->build.units[fake_id(&p->graph, label)];
}

/* The source of the file has this text. */
static void source(struct place *p, const char *label, const char *text)
{
	struct action *a = graph_action(&p->graph, fake_id(&p->graph, label));
	if (!a->ninputs) {
		a->inputs = arena_new(&p->arena, struct input);
		a->inputs[0] = (struct input){str_fmt(&p->arena, "/w/%s.lisp", label), NO_ID};
		a->ninputs = 1;
	}
	struct digest *digest = arena_new(&p->arena, struct digest);
	*digest = digest_of(str_from(text));
	unit(p, label)->facts.inputs = digest;
}

/* The build knows what the header tells. */
static void keep_rows(struct place *p, struct unit *header)
{
	struct sexp *record;
	CHECK(sexp_read_one(&p->arena, header->record, &record));
	rows_keep(&p->build, fake_id(&p->graph, "la (header)"), STR("ta"), sexp_getf(record, 1, "rows"));
}

/* The header of `ta` shows `rest` and has the rows of f and m. */
static void header(struct place *p, const char *text, const char *rest, const char *f, const char *m)
{
	struct unit *u = unit(p, "la (header)");
	source(p, "ta", text);
	source(p, "la (header)", text);
	u->facts.header = digest_of(str_from(rest));
	u->record = str_fmt(&p->arena,
	                    "(:header :unit \"ta\" :rows ((\"defun f\" \"%s\") (\"defmacro m\" \"%s\") (\"docstrings\" "
	                    "\"d\")))",
	                    f, m);
	keep_rows(p, u);
}

static void usual(struct place *p)
{
	header(p, "a1", "rest1", "f1", "m1");
	source(p, "tb", "b1");
	source(p, "tc", "c1");
	unit(p, "tc")->uses = STR("((\"ta\" \"defmacro m\"))");
}

static void because(struct place *p, const char *label, const char *want)
{
	struct str got = record_reason(&p->build, fake_id(&p->graph, label));
	tap_ok(str_eqc(got, want), "%s: %s: %.*s", label, want, STR_ARG(got));
}

static void not_because(struct place *p, const char *label, const char *want)
{
	why_find_edits(&p->build);
	struct str got = why_not(&p->build, fake_id(&p->graph, label));
	tap_ok(str_eqc(got, want), "%s: \"%s\": %.*s", label, want, STR_ARG(got));
}

static void first_build(char *dir)
{
	struct place p;
	struct err err = {0};
	begin(&p, dir);
	usual(&p);
	because(&p, "tb", "it was never built here");
	not_because(&p, "tb", "");
	unit(&p, "tb")->outcome = OUTCOME_RAN;
	unit(&p, "tb")->reason = STR("it was never built here");
	unit(&p, "tc")->outcome = OUTCOME_FAILED;
	unit(&p, "ta")->outcome = OUTCOME_RAN;
	tap_ok(record_save(&p.build, &err), "records are written");
	end(&p);
}

static const struct unit_record *previous(const struct build *b, struct str label, struct unit_record *ret)
{
	return record_previous(b, label, ret) ? ret : NULL;
}

static void test_records(char *dir)
{
	struct place p;
	begin(&p, dir);
	usual(&p);
	struct unit_record record;
	const struct unit_record *r = previous(&p.build, STR("tb"), &record);
	tap_ok(r && str_eqc(r->outcome, "ran") && str_eqc(r->reason, "it was never built here"), "a record is read");
	tap_ok(r && r->rows.len == 0, "what used nothing has no rows");
	r = previous(&p.build, STR("tc"), &record);
	tap_ok(r && str_eqc(r->rows, "ta\x1f"
	                             "defmacro m\x1fm1\x1e"),
	       "what was used is there with its digest");
	r = previous(&p.build, STR("la (header)"), &record);
	tap_ok(r && str_search(r->rows, STR("defun f\x1f"
	                                    "f1")) < r->rows.len,
	       "a header has its own rows");
	tap_ok(!previous(&p.build, STR("tz"), &record), "what was never built has no record");
	because(&p, "tb", "its result is gone from the store");
	because(&p, "tc", "it failed the last time");
	not_because(&p, "tb", "");
	end(&p);
}

static void test_reasons(char *dir)
{
	struct place p;
	begin(&p, dir);
	usual(&p);
	source(&p, "tb", "b2");
	because(&p, "tb", "\"/w/tb.lisp\" changed");
	p.session.rules.policy = STR("((speed 3))");
	because(&p, "tb", "the Lisp, the configuration or the declared environment changed");
	end(&p);

	begin(&p, dir);
	usual(&p);
	header(&p, "a2", "rest1", "f1", "m2");
	unit(&p, "tc")->key = digest_of(STR("another"));
	because(&p, "tc", "macro \"m\" in \"ta\" changed and this file expands it");
	not_because(&p, "tb", "not recompiled: only the body of macro \"m\" in \"ta\" changed");
	end(&p);

	begin(&p, dir);
	usual(&p);
	header(&p, "a2", "rest1", "f2", "m2");
	not_because(&p, "tb", "not recompiled: only the bodies of function \"f\", macro \"m\" in \"ta\" changed");
	end(&p);

	begin(&p, dir);
	usual(&p);
	header(&p, "a2", "rest1", "f1", "m1");
	not_because(&p, "tb", "not recompiled: only comments or docstrings in \"ta\" changed");
	not_because(&p, "ta", "");
	end(&p);

	begin(&p, dir);
	usual(&p);
	header(&p, "a2", "rest2", "f1", "m1");
	unit(&p, "tb")->key = digest_of(STR("another"));
	because(&p, "tb", "\"ta\" shows something else to the files that depend on it");
	not_because(&p, "tb", "");
	end(&p);
}

/* Units of other requests keep their records; what is no record is passed over. */
static void test_files(char *dir)
{
	struct place p;
	struct unit_record record;
	struct err err = {0};
	struct buf text = {0};
	begin(&p, dir);
	usual(&p);
	for (size_t i = 0; i < p.graph.actions.len; i++)
		p.graph.actions.ptr[i].label = str_fmt(&p.arena, "other %zu", i);
	tap_ok(record_save(&p.build, &err), "another request is recorded");
	end(&p);
	begin(&p, dir);
	tap_ok(previous(&p.build, STR("tb"), &record) && previous(&p.build, STR("la (header)"), &record),
	       "the first one's records are still there");
	char *path = path_join(&p.arena, dir, "units");
	CHECK(fs_read(path, &text, NULL));
	buf_addz(&text, "rubbish\n\n\t\t\t\t\nabc\tdef\n");
	CHECK(fs_write_atomic(path, buf_str(&text), 0644, false, NULL));
	end(&p);
	begin(&p, dir);
	const struct unit_record *r = previous(&p.build, STR("tb"), &record);
	tap_ok(r && str_eqc(r->outcome, "ran"), "lines that are no records are passed over");
	CHECK(fs_write_atomic(path_join(&p.arena, dir, "units"), STR("tenon-units-1\nold"), 0644, false, NULL));
	end(&p);
	begin(&p, dir);
	tap_ok(!previous(&p.build, STR("tb"), &record), "a file of another format counts as none");
	end(&p);
	buf_release(&text);
}

int main(void)
{
	struct arena a = {0};
	char *dir;
	CHECK(fs_mkdtemp(&a, "/tmp", "tenon-why-", &dir, NULL));
	first_build(dir);
	test_records(dir);
	test_reasons(dir);
	test_files(dir);
	CHECK(fs_remove_tree(dir, NULL));
	arena_release(&a);
	return tap_done();
}
