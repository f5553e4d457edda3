#include "graph/spine.h"

#include "base/tap.h"
#include "graph/fake.h"

/* In these graphs "t..." are compiles; A, B, ... are the headers of files whose FASLs are loaded by a, b, ... */
static void build(struct graph *g, const char *text)
{
	CHECK(fake_graph(g, text, NULL));
	for (size_t i = 0; i < g->actions.len; i++) {
		struct action *h = &g->actions.ptr[i];
		if (h->label.len != 1 || h->label.ptr[0] < 'A' || h->label.ptr[0] > 'Z')
			continue;
		char name[] = {(char)(h->label.ptr[0] - 'A' + 'a'), 0};
		action_id load = fake_id(g, name);
		h->kind = ACTION_HEADER;
		h->header_side = true;
		h->load_of = load;
		if (load != NO_ID)
			graph_action(g, load)->twin = (action_id)i;
	}
}

static void place(struct image_tree *t, struct graph *g)
{
	U32Vec tasks = {0}, headers = {0};
	for (size_t i = 0; i < g->actions.len; i++) {
		enum action_kind kind = g->actions.ptr[i].kind;
		if (kind == ACTION_COMPILE)
			vec_push(&tasks, (uint32_t)i);
		else if (kind == ACTION_HEADER)
			vec_push(&headers, (uint32_t)i);
	}
	image_tree_build(t, g, tasks.ptr, tasks.len);
	spine_place(t, headers.ptr, headers.len);
	vec_release(&tasks);
	vec_release(&headers);
}

static void expect(const struct image_tree *t, const struct graph *g, const char *label, const char *want)
{
	struct buf text = {0};
	U32Vec path = {0};
	node_id node = t->node_of[fake_id(g, label)];
	if (node != UINT32_MAX)
		image_tree_path(t, 0, node, &path);
	for (size_t i = 0; i < path.len; i++)
		buf_adds(&text, graph_action(g, t->nodes.ptr[path.ptr[i]].step)->label);
	tap_ok(node != UINT32_MAX && str_eqc(buf_str(&text), want), "%s is at %s: %s", label, want, buf_cstr(&text));
	vec_release(&path);
	buf_release(&text);
}

static void test_one_chain(void)
{
	struct graph g;
	struct image_tree t;
	build(&g, "A; B; C A; t1 A; t2 B; t3 C A; t4 A B");
	place(&t, &g);
	expect(&t, &g, "A", "A");
	expect(&t, &g, "B", "AB");
	expect(&t, &g, "C", "ABC");
	expect(&t, &g, "t1", "A");
	expect(&t, &g, "t2", "B");
	expect(&t, &g, "t3", "AC");
	expect(&t, &g, "t4", "AB");
	tap_eq_int(t.nodes.ptr[0].live, 7, "headers are pending as compiles are");
	action_id header = fake_id(&g, "B");
	spine_place(&t, &header, 1);
	tap_eq_int(t.nodes.ptr[0].live, 7, "placed again, one counts once");
	expect(&t, &g, "B", "AB");
	image_tree_release(&t);
	graph_release(&g);
}

/* B has become the load of its FASL, which a compile makes: what depends on it waits in a branch, the others don't. */
static void test_branches(void)
{
	struct graph g;
	struct image_tree t;
	build(&g, "A; tb A; B A tb; C A; D B; E; t1 A; t3 C; t4 D; t5 E A");
	struct action *b = graph_action(&g, fake_id(&g, "B"));
	b->kind = ACTION_LOAD;
	b->header_of = fake_id(&g, "tb");
	place(&t, &g);
	expect(&t, &g, "A", "A");
	expect(&t, &g, "E", "AE");
	expect(&t, &g, "C", "AEC");
	expect(&t, &g, "D", "ABD");
	expect(&t, &g, "t4", "ABD");
	image_tree_release(&t);
	graph_release(&g);
}

/* Headers of which no image has any use are on no way; steps without headers are. */
static void test_other_steps(void)
{
	struct graph g;
	struct image_tree t;
	build(&g, "x; A x; y; B; t1 A; t2 A B");
	place(&t, &g);
	expect(&t, &g, "A", "xA");
	expect(&t, &g, "B", "xAB");
	expect(&t, &g, "t2", "xAB");
	image_tree_release(&t);
	graph_release(&g);
}

int main(void)
{
	test_one_chain();
	test_branches();
	test_other_steps();
	return tap_done();
}
