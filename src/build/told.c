#include "build/told.h"

static struct str owned(struct arena *a, system_id system, struct str name)
{
	return str_fmt(a, "%u %.*s", system, STR_ARG(name));
}

static void add(struct told *t, const struct action *a, const struct sexp *names)
{
	struct buf text = {0};
	for (uint32_t i = 0; i < sexp_list_len(names); i++) {
		buf_clear(&text);
		sexp_print(names->items[i], &text);
		struct str name = str_dup(&t->arena, buf_str(&text));
		uint64_t first;
		if (!map_get(&t->first, name, &first) || a->order < first)
			map_put(&t->first, name, a->order);
		map_put(&t->own, owned(&t->arena, a->system, name), 0);
	}
	buf_release(&text);
}

void told_read(struct told *t, const struct build *b, uint32_t family, const uint8_t *skip)
{
	*t = (struct told){0};
	for (size_t i = 0; i < b->graph->actions.len; i++) {
		const struct unit *u = &b->units[i];
		const struct action *a = graph_action(b->graph, (action_id)i);
		if (a->kind != ACTION_COMPILE || !(u->known || u->suspect) || !u->facts_text.len ||
		    a->system == NO_ID || b->family[a->system] != family || (skip && skip[i]))
			continue;
		struct arena tmp = {0};
		struct sexp *facts;
		if (sexp_read_one(&tmp, u->facts_text, &facts)) {
			add(t, a, sexp_getf(facts, 0, "functions"));
			add(t, a, sexp_getf(facts, 0, "others"));
		}
		arena_release(&tmp);
	}
}

bool told_is_function(const struct sexp *name)
{
	return sexp_is_list(name, 1) && sexp_is_keyword(name->items[0], "function");
}

bool told_first(const struct told *t, const struct sexp *name, uint64_t *ret_order)
{
	struct buf text = {0};
	sexp_print(name, &text);
	bool has = map_get(&t->first, buf_str(&text), ret_order);
	buf_release(&text);
	return has;
}

bool told_first_open(const struct told *t, const struct sexp *name, uint64_t *ret_order)
{
	struct buf text = {0};
	buf_addz(&text, "(:open");
	for (uint32_t i = 1; i < name->len; i++) {
		buf_addc(&text, ' ');
		sexp_print(name->items[i], &text);
	}
	buf_addc(&text, ')');
	bool has = map_get(&t->first, buf_str(&text), ret_order);
	buf_release(&text);
	return has;
}

bool told_has_for(const struct told *t, const struct action *a, const struct sexp *name)
{
	struct arena tmp = {0};
	struct buf text = {0};
	uint64_t first;
	if (!told_is_function(name))
		return false;
	sexp_print(name, &text);
	bool has = (map_get(&t->first, buf_str(&text), &first) && first < a->order) ||
	           map_has(&t->own, owned(&tmp, a->system, buf_str(&text))) ||
	           (told_first_open(t, name, &first) && first > a->order);
	buf_release(&text);
	arena_release(&tmp);
	return has;
}

void told_release(struct told *t)
{
	map_release(&t->first);
	map_release(&t->own);
	arena_release(&t->arena);
}
