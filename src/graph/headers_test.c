#include "graph/headers.h"

#include "base/tap.h"
#include "graph/fake.h"
#include "graph/image.h"

static struct action *get(const struct graph *g, const char *label)
{
	action_id id = fake_id(g, label);
	return id == NO_ID ? NULL : graph_action(g, id);
}

/* The labels of all dependencies, in one word each, sorted by id. */
static void expect_deps(const struct graph *g, const char *label, const char *want)
{
	const struct action *a = get(g, label);
	struct buf text = {0};
	for (uint32_t i = 0; a && i < a->ndeps; i++)
		buf_addf(&text, "%s%.*s", i ? ", " : "", STR_ARG(graph_action(g, a->deps[i])->label));
	tap_ok(a && str_eqc(buf_str(&text), want), "%s depends on %s: %s", label, want, buf_cstr(&text));
	buf_release(&text);
}

static void test_series(void)
{
	struct graph g;
	fake_files(&g, "ta; la ta; tb la; lb tb la; tc lb la");
	tap_ok(graph_add_headers(&g, NULL), "headers are added");
	tap_eq_int(g.actions.len, 7, "one for each load of a FASL");
	expect_deps(&g, "la (header)", "");
	expect_deps(&g, "tb", "la (header)");
	expect_deps(&g, "lb (header)", "la (header)");
	expect_deps(&g, "tc", "lb (header), la (header)");
	expect_deps(&g, "lb", "tb, la");
	const struct action *h = get(&g, "lb (header)");
	tap_ok(h && h->kind == ACTION_HEADER && h->header_side && h->header_of == fake_id(&g, "tb") &&
	               h->load_of == fake_id(&g, "lb") && get(&g, "lb")->twin == fake_id(&g, "lb (header)"),
	       "the header knows what it stands for");
	tap_eq_int(graph_action(&g, fake_id(&g, "tb"))->header, fake_id(&g, "lb (header)"),
	           "and is found by its compile");
	tap_eq_int(graph_action(&g, fake_id(&g, "tc"))->header, NO_ID, "what nobody loads has none");
	tap_ok(!get(&g, "ta")->classic_deps, "a compile that depends on nothing has one way only");
	graph_release(&g);
}

static void test_back_to_fasls(void)
{
	struct graph g;
	fake_files(&g, "ta; la ta; tb la; lb tb la; tc lb la");
	CHECK(graph_add_headers(&g, NULL));
	tap_ok(graph_use_fasls(&g, fake_id(&g, "tc")), "a compile goes back to FASLs");
	expect_deps(&g, "tc", "lb, la");
	tap_ok(!graph_use_fasls(&g, fake_id(&g, "tc")), "once");
	tap_ok(graph_reorder(&g, NULL), "that makes no circle");
	tap_eq_int(get(&g, "la (header)")->nrdeps, 2, "others stay with headers");
	graph_release(&g);
}

static void test_refusal(void)
{
	struct graph g;
	struct closure c;
	U32Vec steps = {0};
	fake_files(&g, "ta; la ta; tb la; lb tb la; tc lb la");
	CHECK(graph_add_headers(&g, NULL));
	graph_refuse_header(&g, fake_id(&g, "lb (header)"), false);
	tap_ok(get(&g, "lb (header)")->kind == ACTION_LOAD, "a refused header is a load");
	expect_deps(&g, "lb (header)", "la (header), tb");
	tap_ok(graph_reorder(&g, NULL), "that makes no circle");
	closure_init(&c, &g);
	closure_of(&c, fake_id(&g, "tc"), action_kind_is_step, &steps);
	tap_eq_int(steps.len, 2, "what depends on it has it and the other header, and no FASL of that");
	tap_eq_int(graph_action(&g, fake_id(&g, "tb"))->header, fake_id(&g, "lb (header)"), "it is still found");
	graph_refuse_header(&g, fake_id(&g, "la (header)"), true);
	expect_deps(&g, "la (header)", "la");
	tap_ok(graph_reorder(&g, NULL), "with all FASLs below it, too");
	closure_release(&c);
	vec_release(&steps);
	graph_release(&g);
}

/* o is a task that is no compile: it wants FASLs, and who depends on it has them, too. That is nothing to others. */
static void test_other_tasks(void)
{
	struct graph g;
	fake_files(&g, "ta; la ta; tb la; lb tb la; to lb; x to; tc lb; td lb x");
	get(&g, "to")->kind = ACTION_OPAQUE;
	CHECK(graph_add_headers(&g, NULL));
	expect_deps(&g, "to", "lb");
	expect_deps(&g, "tb", "la (header)");
	expect_deps(&g, "tc", "lb (header)");
	expect_deps(&g, "td", "lb (header), x");
	struct closure c;
	U32Vec steps = {0};
	closure_init(&c, &g);
	image_steps(&c, fake_id(&g, "td"), &steps);
	bool fasls = steps.len == 3;
	for (size_t i = 0; i < steps.len; i++)
		fasls &= !graph_action(&g, steps.ptr[i])->header_side;
	tap_ok(fasls, "what the task needs is in images above it once, as FASLs");
	closure_release(&c);
	vec_release(&steps);
	graph_release(&g);
}

/* n carries dependencies, e has an effect of its own; this has a twin where its dependencies do, that only if it
 * carries many. */
static void test_carriers(void)
{
	struct graph g;
	fake_files(&g, "ta; la ta; n ta la; e la; tb n e; m; tc m");
	get(&g, "n")->kind = get(&g, "m")->kind = ACTION_NONE;
	get(&g, "e")->kind = ACTION_EFFECT;
	CHECK(graph_add_headers(&g, NULL));
	expect_deps(&g, "tb", "la (header), e (with headers)");
	tap_ok(!get(&g, "n (with headers)"), "who carries little has no twin");
	expect_deps(&g, "e (with headers)", "la (header)");
	expect_deps(&g, "tc", "m");
	graph_release(&g);
	fake_files(&g, "ta; la ta; tb; lb tb; tc; lc tc; td; ld td; te; le te; n la lb lc ld le; k n; tz k");
	get(&g, "n")->kind = get(&g, "k")->kind = ACTION_NONE;
	CHECK(graph_add_headers(&g, NULL));
	expect_deps(&g, "n (with headers)", "la (header), lb (header), lc (header), ld (header), le (header)");
	expect_deps(&g, "tz", "n (with headers)");
	graph_release(&g);
}

static void test_more_dependencies(void)
{
	struct graph g;
	fake_files(&g, "tx; lx tx; ta; la ta; tb la; lb tb la");
	CHECK(graph_add_headers(&g, NULL));
	action_id step = fake_id(&g, "lx (header)");
	graph_depend_on_twins(&g, fake_id(&g, "tb"), &step, 1);
	expect_deps(&g, "tb", "la (header), lx (header)");
	expect_deps(&g, "lb (header)", "la (header)");
	expect_deps(&g, "lb", "tb, la, lx");
	tap_ok(graph_use_fasls(&g, fake_id(&g, "tb")), "among FASLs");
	expect_deps(&g, "tb", "la, lx");
	tap_ok(graph_reorder(&g, NULL), "that makes no circle");
	graph_release(&g);
}

int main(void)
{
	test_series();
	test_back_to_fasls();
	test_refusal();
	test_other_tasks();
	test_carriers();
	test_more_dependencies();
	return tap_done();
}
