/* Early cutoff by recorded use: a namespace is compiled again only if something changed that its last compile used.
 *
 * The result of a compile holds *facts* (docs/CLOJURE.md): a row for each var and class that it shows to others, and
 * what it used of others. An action whose closure is *traced* has two keys beside the exact one. The first is made of
 * all but the closure's contents; under it stands what the last compile used. The second adds to it what that stands
 * for now: the rows of the vars and classes used; the classes of those namespaces whose macros and inline functions ran
 * meanwhile, and of what these rest on; the resources read. */
#include <stdlib.h>

#include "build/target_build.h"
#include "lang/sexp.h"

struct unit_trace {
	struct map vars; /* "ns/name" and class names, to an index in rows */
	Vec(struct str) rows;
	struct map by_ns; /* namespace to the digest (index in sums) of all its rows */
	Vec(struct digest) sums;
	struct digest tree; /* of its outputs */
};

/* -- what a unit shows -- */

static void add_rows(struct unit_trace *t, struct arena *a, const struct sexp *of_ns)
{
	if (of_ns->kind != SEXP_LIST || of_ns->len != 2 || of_ns->items[1]->kind != SEXP_LIST)
		return;
	struct str ns = sexp_text(of_ns->items[0]);
	struct hasher *h = hasher_new(STR("tenon-clojure-rows-1"));
	for (uint32_t i = 0; i < of_ns->items[1]->len; i++) {
		const struct sexp *row = of_ns->items[1]->items[i];
		if (row->kind != SEXP_LIST || row->len != 3)
			continue;
		struct str name = sexp_text(row->items[0]), digest = sexp_text(row->items[2]);
		bool is_class = sexp_is_keyword(row->items[1], "class");
		struct str key = is_class ? name : str_fmt(a, "%.*s/%.*s", STR_ARG(ns), STR_ARG(name));
		map_put(&t->vars, key, t->rows.len);
		vec_push(&t->rows, digest);
		hasher_str(h, "name", name);
		hasher_str(h, "row", digest);
	}
	map_put(&t->by_ns, ns, t->sums.len);
	vec_push(&t->sums, hasher_end(h));
}

static const struct unit_trace *trace_of(struct target_build *b, action_id id)
{
	struct target_unit *u = &b->units[id];
	struct sexp *list;
	if (u->trace)
		return u->trace;
	struct unit_trace *t = u->trace = arena_new(&b->arena, struct unit_trace);
	if (u->facts.len && sexp_read(&b->arena, STR("<facts>"), u->facts, SEXP_LISP, &list, NULL) && list->len) {
		const struct sexp *rows = sexp_getf(list->items[0], 0, "rows");
		for (uint32_t i = 0; rows && rows->kind == SEXP_LIST && i < rows->len; i++)
			add_rows(t, &b->arena, rows->items[i]);
	}
	struct hasher *h = hasher_new(STR("tenon-clojure-tree-1"));
	for (size_t i = 0; i < u->noutputs; i++) {
		hasher_str(h, "path", u->outputs[i].path);
		hasher_digest(h, "content", &u->outputs[i].digest);
	}
	t->tree = hasher_end(h);
	return t;
}

struct digest target_trace_tree(struct target_build *b, action_id id)
{
	return trace_of(b, id)->tree;
}

void target_trace_release(struct target_unit *u)
{
	if (!u->trace)
		return;
	map_release(&u->trace->vars);
	vec_release(&u->trace->rows);
	map_release(&u->trace->by_ns);
	vec_release(&u->trace->sums);
	u->trace = NULL;
}

/* -- what a compile sees -- */

struct seen {
	struct target_build *build;
	struct map units; /* namespace to the action that compiles it */
};

static void see_closure(struct target_build *b, action_id id, struct seen *ret)
{
	const struct target_action *t = target_build_action(b, id);
	*ret = (struct seen){.build = b};
	for (size_t i = 0; i < t->inputs.len; i++) {
		const struct target_file_ref *f = &t->inputs.ptr[i];
		if (!f->traced || f->producer == NO_ID)
			continue;
		const struct unit_trace *shown = trace_of(b, f->producer);
		for (size_t k = 0; k < shown->by_ns.entries.len; k++)
			map_put(&ret->units, shown->by_ns.entries.ptr[k].key, f->producer);
	}
}

static struct str row_of(const struct seen *s, struct str ns, struct str key)
{
	uint64_t unit, row;
	if (!map_get(&s->units, ns, &unit))
		return STR("none");
	const struct unit_trace *t = trace_of(s->build, (action_id)unit);
	return map_get(&t->vars, key, &row) ? t->rows.ptr[row] : STR("none");
}

/* A class is somebody's of the closure, if it is anybody's of the project. */
static struct str class_row(const struct seen *s, struct str name)
{
	uint64_t row;
	for (size_t i = 0; i < s->units.entries.len; i++) {
		const struct unit_trace *t = trace_of(s->build, (action_id)s->units.entries.ptr[i].value);
		if (map_get(&t->vars, name, &row))
			return t->rows.ptr[row];
	}
	return STR("none");
}

/* All that the namespace's code may have run: its classes, and those of its own closure. */
static void add_code(const struct seen *s, struct str ns, struct map *done, struct hasher *h)
{
	uint64_t unit;
	struct target_build *b = s->build;
	if (!map_get(&s->units, ns, &unit) || !map_add(done, ns, 0, NULL))
		return;
	const struct target_action *t = target_build_action(b, (action_id)unit);
	hasher_str(h, "code", ns);
	hasher_digest(h, "tree", &trace_of(b, (action_id)unit)->tree);
	for (size_t i = 0; i < t->inputs.len; i++) {
		const struct target_file_ref *f = &t->inputs.ptr[i];
		if (f->traced && f->producer != NO_ID) {
			hasher_str(h, "below", f->path);
			hasher_digest(h, "tree", &trace_of(b, f->producer)->tree);
		}
	}
}

static const struct sexp *list_of(const struct sexp *facts, const char *name)
{
	const struct sexp *v = sexp_getf(facts, 0, name);
	return v && v->kind == SEXP_LIST ? v : NULL;
}

static bool ends_in(struct str path, struct str name)
{
	return path.len > name.len && str_has_suffix(path, name) && path.ptr[path.len - name.len - 1] == '/';
}

static void add_resources(const struct target_unit *u, const struct sexp *names, struct hasher *h)
{
	for (uint32_t i = 0; names && i < names->len; i++) {
		struct str name = sexp_text(names->items[i]);
		for (size_t k = 0; k < u->ninputs; k++)
			if (u->inputs[k].traced && str_has_prefix(u->inputs[k].path, STR("src/")) &&
			    ends_in(u->inputs[k].path, name)) {
				hasher_str(h, "resource", u->inputs[k].path);
				hasher_digest(h, "content", &u->inputs[k].digest);
			}
	}
}

/* Vars, classes, namespaces of which every var is referred, and code that ran. */
static void add_uses(const struct seen *s, const struct sexp *f, struct hasher *h)
{
	const struct sexp *uses = list_of(f, "uses"), *classes = list_of(f, "classes");
	const struct sexp *expanded = list_of(f, "expanded"), *refers = list_of(f, "refers-all");
	struct map done = {0};
	uint64_t unit, sum;
	for (uint32_t i = 0; uses && i < uses->len; i++) {
		struct str name = sexp_text(uses->items[i]);
		hasher_str(h, "var", name);
		hasher_str(h, "row", row_of(s, str_slice(name, 0, str_find(name, '/')), name));
	}
	for (uint32_t i = 0; classes && i < classes->len; i++) {
		hasher_str(h, "class", sexp_text(classes->items[i]));
		hasher_str(h, "row", class_row(s, sexp_text(classes->items[i])));
	}
	for (uint32_t i = 0; refers && i < refers->len; i++) {
		struct str ns = sexp_text(refers->items[i]);
		if (!map_get(&s->units, ns, &unit))
			continue;
		const struct unit_trace *t = trace_of(s->build, (action_id)unit);
		if (map_get(&t->by_ns, ns, &sum))
			hasher_digest(h, "all", &t->sums.ptr[sum]);
	}
	for (uint32_t i = 0; expanded && i < expanded->len; i++) {
		struct str name = sexp_text(expanded->items[i]);
		add_code(s, str_slice(name, 0, str_find(name, '/')), &done, h);
	}
	map_release(&done);
}

/* Whatever lies below. */
static void add_trees(struct target_build *b, action_id id, struct hasher *h)
{
	const struct target_action *t = target_build_action(b, id);
	for (size_t i = 0; i < t->inputs.len; i++)
		if (t->inputs.ptr[i].traced && t->inputs.ptr[i].producer != NO_ID)
			hasher_digest(h, "tree", &trace_of(b, t->inputs.ptr[i].producer)->tree);
}

/* The key by what was used. False: the facts can't be read. */
static bool key_by_use(struct target_build *b, action_id id, struct str facts, struct digest *ret)
{
	struct arena a = {0};
	struct sexp *list;
	struct target_unit *u = &b->units[id];
	bool ok = sexp_read(&a, STR("<facts>"), facts, SEXP_LISP, &list, NULL) && list->len == 1 &&
	          sexp_getf(list->items[0], 0, "rows") != NULL;
	if (ok) {
		struct seen s;
		const struct sexp *f = list->items[0];
		struct hasher *h = hasher_new(STR("tenon-target-used-1"));
		see_closure(b, id, &s);
		hasher_digest(h, "first", &u->first_key);
		add_uses(&s, f, h);
		if (sexp_getf(f, 0, "all"))
			add_trees(b, id, h);
		add_resources(u, list_of(f, "resources"), h);
		*ret = hasher_end(h);
		map_release(&s.units);
	}
	arena_release(&a);
	return ok;
}

/* -- for target_unit.c -- */

bool target_trace_has(const struct target_build *b, action_id id)
{
	const struct target_unit *u = &b->units[id];
	for (size_t i = 0; i < u->ninputs; i++)
		if (u->inputs[i].traced)
			return true;
	return false;
}

bool target_trace_key(struct target_build *b, action_id id, struct digest *ret, bool *ret_known, struct err *err)
{
	struct action_result r;
	*ret_known = false;
	if (!store_get_action(b->session->store, &b->arena, &b->units[id].first_key, false, &r, ret_known, err))
		return false;
	*ret_known = *ret_known && key_by_use(b, id, r.facts, ret);
	return true;
}

bool target_trace_keep(struct target_build *b, action_id id, const struct action_result *result, struct err *err)
{
	const struct target_unit *u = &b->units[id];
	struct digest key;
	struct action_result used = {.facts = result->facts, .label = result->label};
	if (!key_by_use(b, id, result->facts, &key))
		return true;
	return store_put_action(b->session->store, &u->first_key, &used, err) &&
	       store_put_action(b->session->store, &key, result, err);
}
