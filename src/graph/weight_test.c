#include "graph/weight.h"

#include "base/tap.h"
#include "graph/fake.h"

static void expect(const char *text, const char *const *systems, const char *name, uint32_t weight)
{
	struct graph g;
	CHECK(fake_graph(&g, text, NULL));
	for (uint32_t s = 0; systems && systems[s]; s++) {
		vec_push(&g.systems, (struct system){.name = str_from(systems[s])});
		struct str rest = str_from(systems[s]), word;
		while (str_cut(&rest, ' ', &word))
			graph_action(&g, fake_id(&g, str_dupz(&g.arena, word)))->system = s;
	}
	uint32_t *weights = graph_weights(&g);
	tap_eq_int(weights[fake_id(&g, name)], weight, "in \"%s\" the weight of %s is %u", text, name, weight);
	free(weights);
	graph_release(&g);
}

int main(void)
{
	expect("x; y; t1 x y; t2 y; t3 y; t4", NULL, "y", 4);
	expect("x; y; t1 x y; t2 y; t3 y; t4", NULL, "x", 2);
	expect("x; y; t1 x y; t2 y; t3 y; t4", NULL, "t4", 1);
	expect("a; b a; c b; d c", NULL, "a", 4);
	/* Files of one system weigh the same, however many others use them. */
	static const char *const two[] = {"a b", "c d", NULL};
	expect("a; b a; c b; d b; e b", two, "a", 3);
	expect("a; b a; c b; d b; e b", two, "b", 3);
	expect("a; b a; c b; d b; e b", two, "d", 1);
	/* Systems may need each other's files. */
	static const char *const mutual[] = {"a d", "b c", NULL};
	expect("a; b a; c b; d c; e d", mutual, "a", 3);
	expect("a; b a; c b; d c; e d", mutual, "b", 3);
	expect("a; b a; c b; d c; e d", mutual, "e", 1);
	return tap_done();
}
