#include "build/told.h"

static void add(struct told *t, const struct sexp *functions)
{
	struct buf name = {0};
	for (uint32_t i = 0; functions && functions->kind == SEXP_LIST && i < functions->len; i++) {
		buf_clear(&name);
		sexp_print(functions->items[i], &name);
		if (!map_has(&t->names, buf_str(&name)))
			map_add(&t->names, str_dup(&t->arena, buf_str(&name)), 0, NULL);
	}
	buf_release(&name);
}

void told_read(struct told *t, const struct build *b, uint32_t family)
{
	*t = (struct told){0};
	for (size_t i = 0; i < b->graph->actions.len; i++) {
		const struct unit *u = &b->units[i];
		const struct action *a = graph_action(b->graph, (action_id)i);
		if (a->kind != ACTION_COMPILE || !(u->known || u->suspect) || !u->facts_text.len ||
		    a->system == NO_ID || b->family[a->system] != family)
			continue;
		struct arena tmp = {0};
		struct sexp *list;
		if (sexp_read(&tmp, STR("<store>"), u->facts_text, SEXP_LISP, &list, NULL) && list->len == 1)
			add(t, sexp_getf(list->items[0], 0, "functions"));
		arena_release(&tmp);
	}
}

bool told_has(const struct told *t, const struct sexp *name)
{
	struct buf text = {0};
	sexp_print(name, &text);
	bool has = map_has(&t->names, buf_str(&text));
	buf_release(&text);
	return has;
}

void told_release(struct told *t)
{
	map_release(&t->names);
	arena_release(&t->arena);
}
