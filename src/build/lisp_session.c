#include "build/lisp_session.h"

#include <stdlib.h>

static int by_order(const void *pa, const void *pb, void *graph)
{
	uint32_t a = graph_action(graph, *(const action_id *)pa)->order;
	uint32_t b = graph_action(graph, *(const action_id *)pb)->order;
	return a < b ? -1 : a > b;
}

/* Steps, and the loads of systems and modules: these do nothing, but ASDF then knows that they are loaded. */
static bool is_load(const struct action *a)
{
	return action_kind_is_step(a->kind) || (a->kind == ACTION_NONE && str_has_suffix(a->op, STR("LOAD-OP")));
}

/* What ASDF would do to load all targets, in its order. */
void lisp_session_steps(struct graph *g, U32Vec *out)
{
	struct closure c;
	uint8_t *seen = xcalloc(g->actions.len + 1, 1);
	U32Vec below = {0};
	closure_init(&c, g);
	for (size_t t = 0; t < g->targets.len; t++)
		for (uint32_t f = 0; f < g->targets.ptr[t].nfinals; f++) {
			action_id final = g->targets.ptr[t].finals[f];
			closure_of(&c, final, action_kind_any, &below);
			vec_push(&below, final);
		}
	for (size_t i = 0; i < below.len; i++) {
		if (!seen[below.ptr[i]] && is_load(graph_action(g, below.ptr[i])))
			vec_push(out, below.ptr[i]);
		seen[below.ptr[i]] = 1;
	}
	if (out->len)
		qsort_r(out->ptr, out->len, sizeof(*out->ptr), by_order, g);
	free(seen);
	vec_release(&below);
	closure_release(&c);
}

void lisp_session_text(const struct session *s, struct graph *g, struct str form, bool user_init, struct buf *out)
{
	U32Vec steps = {0};
	lisp_session_steps(g, &steps);
	buf_addz(out, "(:session :out ");
	sexp_print_string(str_from(s->out_dir), out);
	buf_addz(out, " :steps (");
	for (size_t i = 0; i < steps.len; i++) {
		lisp_step_text(g, graph_action(g, steps.ptr[i]), out);
		buf_addc(out, '\n');
	}
	buf_addz(out, ") :sources (");
	for (size_t i = 0; i < g->actions.len; i++) {
		const struct action *a = &g->actions.ptr[i];
		if (a->kind != ACTION_COMPILE)
			continue;
		buf_addc(out, '(');
		sexp_print_string(a->logical, out);
		buf_addc(out, ' ');
		sexp_print_string(a->inputs[0].path, out);
		buf_addz(out, ")\n");
	}
	buf_addz(out, ") :form ");
	if (form.len)
		sexp_print_string(form, out);
	else
		buf_addz(out, "nil");
	buf_addf(out, " :user-init %s)", user_init ? "t" : "nil");
	vec_release(&steps);
}
