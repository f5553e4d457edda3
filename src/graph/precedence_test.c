#include "graph/precedence.h"

#include "base/tap.h"
#include "graph/fake.h"

/* "a b | c": a and b have one place, and c a later one. `systems`: their actions. */
static void expect(const char *text, const char *const *systems, const char *wanted)
{
	struct graph g;
	CHECK(fake_graph(&g, text, NULL));
	for (uint32_t s = 0; systems && systems[s]; s++) {
		vec_push(&g.systems, (struct system){.name = str_from(systems[s])});
		struct str rest = str_from(systems[s]), word;
		while (str_cut(&rest, ' ', &word))
			graph_action(&g, fake_id(&g, str_dupz(&g.arena, word)))->system = s;
	}
	uint32_t *precedence = graph_precedence(&g);
	struct buf got = {0};
	for (uint32_t place = 0, n = 0; n < g.actions.len; place++) {
		if (place)
			buf_addz(&got, " |");
		for (size_t i = 0; i < g.actions.len; i++)
			if (precedence[i] == place) {
				buf_addf(&got, "%s%.*s", n ? " " : "", STR_ARG(g.actions.ptr[i].label));
				n++;
			}
	}
	tap_eq_str(buf_str(&got), str_from(wanted), "steps of \"%s\"", text);
	buf_release(&got);
	free(precedence);
	graph_release(&g);
}

int main(void)
{
	expect("", NULL, "");
	expect("a; b; c", NULL, "a | b | c");
	expect("a; b a; c b; d c", NULL, "a | b | c | d");
	/* The largest image comes first, and in it the largest that it holds. */
	expect("x; y; z y; t x z", NULL, "y | z | x | t");
	expect("x; y; z y; t1 x; t2 x z", NULL, "y | z | x | t2 | t1");
	/* A system is as large as what it needs and its own actions. */
	static const char *const large[] = {"a b c", NULL};
	expect("x; y x; a; b; c; t y a", large, "a b c | x | y | t");
	/* Files of one system have one place; it stands behind what any of them needs. */
	static const char *const two[] = {"a b", "c d", NULL};
	expect("a; b a; c b; d b; e b", two, "a b | c d | e");
	/* Systems may need each other's files. */
	static const char *const mutual[] = {"a d", "b c", NULL};
	expect("a; b a; c b; d c; e d", mutual, "a b c d | e");
	expect("x; a; b a; c b x; d c; e d", mutual, "x | a b c d | e");
	return tap_done();
}
