#include "graph/graph.h"

#include "base/tap.h"
#include "graph/fake.h"

static void test_order(void)
{
	struct graph g;
	tap_ok(fake_graph(&g, "a; b a; c a b; d", NULL), "a graph without a cycle is finished");
	tap_eq_int(g.by_order.len, 4, "every action has a place in the order");
	size_t place[4];
	for (size_t i = 0; i < 4; i++)
		place[g.by_order.ptr[i]] = i;
	tap_ok(place[0] < place[1] && place[1] < place[2], "dependencies come first");
	tap_eq_int(g.actions.ptr[0].nrdeps, 2, "reverse edges are there");
	graph_release(&g);
}

static void test_cycle(void)
{
	struct graph g;
	struct err err = {0};
	tap_ok(!fake_graph(&g, "a c; b a; c b; d c", &err), "a cycle is an error");
	tap_eq_int(err.kind, ERR_USER, "of the user's");
	tap_ok(strstr(buf_cstr(&err.message), "a → c → b → a") != NULL, "that names its members: %s",
	       buf_cstr(&err.message));
	err_clear(&err);
	graph_release(&g);
}

static void test_closure(void)
{
	struct graph g;
	struct closure c;
	U32Vec out = {0};
	fake_graph(&g, "a; b a; tc b; d tc; e", NULL);
	closure_init(&c, &g);
	closure_of(&c, fake_id(&g, "d"), action_kind_is_step, &out);
	tap_eq_int(out.len, 2, "steps below, through a task, without itself");
	vec_clear(&out);
	closure_of(&c, fake_id(&g, "d"), action_kind_is_task, &out);
	tap_eq_int(out.len, 1, "the task below");
	vec_clear(&out);
	closure_of(&c, fake_id(&g, "e"), action_kind_any, &out);
	tap_eq_int(out.len, 0, "nothing below a leaf");
	closure_release(&c);
	vec_release(&out);
	graph_release(&g);
}

static void test_depth(void)
{
	struct buf text = {0};
	struct graph g;
	struct closure c;
	U32Vec out = {0};
	buf_addz(&text, "n0");
	for (int i = 1; i < 2000; i++)
		buf_addf(&text, "; n%d n%d", i, i - 1);
	tap_ok(fake_graph(&g, buf_cstr(&text), NULL), "a long chain");
	closure_init(&c, &g);
	closure_of(&c, (action_id)g.actions.len - 1, action_kind_any, &out);
	tap_eq_int(out.len, 1999, "is walked without recursion");
	closure_release(&c);
	vec_release(&out);
	buf_release(&text);
	graph_release(&g);
}

int main(void)
{
	test_order();
	test_cycle();
	test_closure();
	test_depth();
	return tap_done();
}
