/* fake.h - graphs for tests, written as text: "a; b a; c a b" are three actions, b depends on a, c on both. */
#ifndef TENON_GRAPH_FAKE_H
#define TENON_GRAPH_FAKE_H

#include <stdlib.h>

#include "graph/graph.h"

/* Every action is a step whose compile is left out, unless its name begins with "t": then it is a task. */
static inline action_id fake_id(const struct graph *g, const char *name)
{
	for (size_t i = 0; i < g->actions.len; i++)
		if (str_eqc(g->actions.ptr[i].label, name))
			return (action_id)i;
	return NO_ID;
}

static inline bool fake_graph(struct graph *g, const char *text, struct err *err)
{
	struct str rest = str_from(text), line;
	*g = (struct graph){0};
	for (int pass = 0; pass < 2; pass++) {
		rest = str_from(text);
		for (uint32_t order = 0; str_cut(&rest, ';', &line); order++) {
			struct str words = str_trim(line), word;
			str_cut(&words, ' ', &word);
			if (pass == 0) {
				struct action a = action_new(word.ptr[0] == 't' ? ACTION_COMPILE : ACTION_LOAD);
				a.label = str_dup(&g->arena, word);
				a.order = order;
				vec_push(&g->actions, a);
				continue;
			}
			U32Vec deps = {0};
			while (str_cut(&words, ' ', &word))
				vec_push(&deps, fake_id(g, str_dupz(&g->arena, word)));
			CHECK(order < g->actions.len);
			struct action *a = &g->actions.ptr[order];
			a->ndeps = (uint32_t)deps.len;
			a->deps = arena_new_n(&g->arena, action_id, deps.len);
			if (deps.len)
				memcpy(a->deps, deps.ptr, deps.len * sizeof(*deps.ptr));
			vec_release(&deps);
		}
	}
	return graph_finish(g, err);
}

/* Files as ASDF has them: "la" loads the FASL that "ta" compiles. A compile depends on the loads of what its file
 * depends on, a load on its compile and on these. */
static inline void fake_files(struct graph *g, const char *text)
{
	CHECK(fake_graph(g, text, NULL));
	for (size_t i = 0; i < g->actions.len; i++) {
		struct action *load = &g->actions.ptr[i];
		if (load->label.ptr[0] != 'l')
			continue;
		char name[] = {'t', load->label.ptr[1], 0};
		action_id compile = fake_id(g, name);
		struct str *component = arena_new(&g->arena, struct str);
		*component = str_drop(load->label, 1);
		load->inputs = arena_new(&g->arena, struct input);
		load->inputs[0] = (struct input){STR("x.fasl"), compile};
		load->ninputs = load->ncomponent = graph_action(g, compile)->ncomponent = 1;
		load->component = graph_action(g, compile)->component = component;
	}
}

#endif
