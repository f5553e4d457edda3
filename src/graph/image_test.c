#include "graph/image.h"

#include "base/tap.h"
#include "graph/fake.h"

static void path_text(const struct image_tree *t, const struct graph *g, action_id id, struct buf *out)
{
	U32Vec path = {0};
	image_tree_path(t, 0, t->node_of[id], &path);
	buf_clear(out);
	for (size_t i = 0; i < path.len; i++)
		buf_addf(out, "%.*s", STR_ARG(graph_action(g, t->nodes.ptr[path.ptr[i]].step)->label));
	vec_release(&path);
}

static void expect_path(const struct image_tree *t, const struct graph *g, const char *task, const char *path)
{
	struct buf text = {0};
	path_text(t, g, fake_id(g, task), &text);
	tap_ok(strcmp(buf_cstr(&text), path) == 0, "image of %s is %s: %s", task, path, buf_cstr(&text));
	buf_release(&text);
}

static void build(struct image_tree *t, struct graph *g, const char *text)
{
	U32Vec tasks = {0};
	fake_graph(g, text, NULL);
	for (size_t i = 0; i < g->actions.len; i++)
		if (g->actions.ptr[i].kind == ACTION_COMPILE)
			vec_push(&tasks, (uint32_t)i);
	image_tree_build(t, g, tasks.ptr, tasks.len);
	vec_release(&tasks);
}

static void test_sharing(void)
{
	struct graph g;
	struct image_tree t;
	/* x comes first in order, but more images hold y. */
	build(&t, &g, "x; y; t1 x y; t2 y; t3 y; t4");
	expect_path(&t, &g, "t1", "yx");
	expect_path(&t, &g, "t2", "y");
	expect_path(&t, &g, "t4", "");
	tap_eq_int(t.nodes.len, 3, "prefixes are shared: root, y, yx");
	tap_eq_int(t.nodes.ptr[0].live, 4, "four actions are pending below the root");
	tap_eq_int(t.nodes.ptr[0].pending, 1, "one of them at the root itself");
	node_id y = t.node_of[fake_id(&g, "t2")];
	tap_eq_int(t.nodes.ptr[y].pending, 2, "two of them stand at y");
	tap_eq_int(t.nodes.ptr[y].live_children, 1, "and one behind it");
	image_tree_settle(&t, t.node_of[fake_id(&g, "t1")]);
	tap_eq_int(t.nodes.ptr[y].live_children, 0, "until it is settled");
	tap_eq_int(t.nodes.ptr[y].live, 2, "which counts all the way up");
	image_tree_release(&t);
	graph_release(&g);
}

static void test_order_is_topological(void)
{
	struct graph g;
	struct image_tree t;
	build(&t, &g, "a; b a; c b; t1 c; t2 b; t3 a; d; t4 d c");
	expect_path(&t, &g, "t1", "abc");
	expect_path(&t, &g, "t4", "abcd");
	image_tree_release(&t);
	graph_release(&g);
}

static bool all_pending(void *ctx, action_id id)
{
	(void)ctx;
	(void)id;
	return true;
}

static void add_dep(struct graph *g, const char *from, const char *to)
{
	struct action *a = graph_action(g, fake_id(g, from)), *d = graph_action(g, fake_id(g, to));
	action_id *deps = arena_new_n(&g->arena, action_id, a->ndeps + 1);
	if (a->ndeps)
		memcpy(deps, a->deps, a->ndeps * sizeof(*deps));
	deps[a->ndeps++] = fake_id(g, to);
	a->deps = deps;
	action_id *rdeps = arena_new_n(&g->arena, action_id, d->nrdeps + 1);
	if (d->nrdeps)
		memcpy(rdeps, d->rdeps, d->nrdeps * sizeof(*rdeps));
	rdeps[d->nrdeps++] = fake_id(g, from);
	d->rdeps = rdeps;
}

/* tp is the compile of p; many images hold p, few hold a; then tp turns out to need a. */
static void test_widening(void)
{
	struct graph g;
	struct image_tree t;
	build(&t, &g, "a; tp; p tp; t1 p; t2 p; t3 a; q p; t4 q");
	expect_path(&t, &g, "t1", "p");
	image_tree_settle(&t, t.node_of[fake_id(&g, "tp")]);
	add_dep(&g, "tp", "a");
	image_tree_widen(&t, fake_id(&g, "tp"), all_pending, NULL);
	expect_path(&t, &g, "tp", "a");
	expect_path(&t, &g, "t1", "ap");
	expect_path(&t, &g, "t3", "a");
	expect_path(&t, &g, "t4", "apq");
	tap_eq_int(t.nodes.ptr[0].live, 5, "as many are pending as before");
	image_tree_release(&t);
	graph_release(&g);
}

/* What a late step needs may itself be late. Images without either stay where they are. */
static void test_late_below_late(void)
{
	struct graph g;
	struct image_tree t;
	build(&t, &g, "tp; p tp; ta; a ta; z; t1 p; t2 p; t3 a; t4 z; t5 z");
	expect_path(&t, &g, "t1", "p");
	image_tree_settle(&t, t.node_of[fake_id(&g, "tp")]);
	add_dep(&g, "tp", "a");
	image_tree_widen(&t, fake_id(&g, "tp"), all_pending, NULL);
	image_tree_settle(&t, t.node_of[fake_id(&g, "ta")]);
	add_dep(&g, "ta", "z");
	image_tree_widen(&t, fake_id(&g, "ta"), all_pending, NULL);
	expect_path(&t, &g, "t3", "za");
	expect_path(&t, &g, "t1", "zap");
	expect_path(&t, &g, "tp", "za");
	expect_path(&t, &g, "t4", "z");
	image_tree_release(&t);
	graph_release(&g);
}

static void make_twin(struct graph *g, const char *fasl, const char *header)
{
	action_id f = fake_id(g, fasl), h = fake_id(g, header);
	graph_action(g, f)->twin = h;
	graph_action(g, h)->load_of = f;
	graph_action(g, h)->header_side = true;
}

/* p is a package's file, q uses it; P and Q are their headers. Many images hold headers, one holds the FASL of p; then
 * tx turns out to need FASLs. */
static void test_both_kinds(void)
{
	struct graph g;
	struct image_tree t;
	U32Vec tasks = {0};
	CHECK(fake_graph(&g, "p; q p; P; Q P; t1 Q; t2 Q; t3 p; t4 P; tx Q", NULL));
	make_twin(&g, "p", "P");
	make_twin(&g, "q", "Q");
	for (size_t i = 0; i < g.actions.len; i++)
		if (g.actions.ptr[i].kind == ACTION_COMPILE)
			vec_push(&tasks, (uint32_t)i);
	image_tree_build(&t, &g, tasks.ptr, tasks.len);
	vec_release(&tasks);
	expect_path(&t, &g, "tx", "PQ");
	image_tree_settle(&t, t.node_of[fake_id(&g, "tx")]);
	graph_action(&g, fake_id(&g, "tx"))->ndeps = 0;
	add_dep(&g, "tx", "q");
	image_tree_widen(&t, fake_id(&g, "tx"), all_pending, NULL);
	expect_path(&t, &g, "tx", "pq");
	image_tree_release(&t);
	graph_release(&g);
}

int main(void)
{
	test_sharing();
	test_order_is_topological();
	test_widening();
	test_late_below_late();
	test_both_kinds();
	return tap_done();
}
