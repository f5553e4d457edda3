/* What the expressions of a query stand for. */
#include <stdlib.h>

#include "cli/query_impl.h"

struct str query_name_of(const struct query_graph *g, uint32_t node)
{
	return g->name(g->ctx, node);
}

int query_compare_names(const void *a, const void *b, void *g)
{
	return str_cmp(query_name_of(g, *(const uint32_t *)a), query_name_of(g, *(const uint32_t *)b));
}

/* ---- names ---- */

/* `*` any characters, `?` one byte. Goes back to the last star only, so it takes at most len(pattern) * len(s). */
static bool matches(struct str pattern, struct str s)
{
	size_t p = 0, i = 0, star = SIZE_MAX, mark = 0;
	while (i < s.len) {
		if (p < pattern.len && pattern.ptr[p] == '*') {
			star = p++;
			mark = i;
		} else if (p < pattern.len && (pattern.ptr[p] == '?' || pattern.ptr[p] == s.ptr[i])) {
			p++;
			i++;
		} else if (star != SIZE_MAX) {
			p = star + 1;
			i = ++mark;
		} else {
			return false;
		}
	}
	while (p < pattern.len && pattern.ptr[p] == '*')
		p++;
	return p == pattern.len;
}

static bool is_pattern(const struct expr *e)
{
	return !e->quoted && (str_find(e->name, '*') < e->name.len || str_find(e->name, '?') < e->name.len);
}

static struct str alias_of(const struct query_graph *g, uint32_t node)
{
	return g->alias ? g->alias(g->ctx, node) : (struct str){0};
}

static void need_names(struct eval *ev)
{
	if (ev->have_names)
		return;
	ev->have_names = true;
	for (uint32_t i = 0; i < ev->g->count; i++)
		map_add(&ev->names, ev->g->name(ev->g->ctx, i), i, NULL);
	/* A name beats an alias, whatever their order. */
	for (uint32_t i = 0; i < ev->g->count; i++) {
		struct str alias = alias_of(ev->g, i);
		if (alias.len)
			map_add(&ev->names, alias, i, NULL);
	}
}

static void offer_near(struct eval *ev, struct str name)
{
	size_t limit = MIN(MIN(name.len / 3, 3) + 1, name.len - 1), best = 2 * limit + 1;
	struct str near = {0};
	for (size_t i = 0; i < ev->names.entries.len; i++) {
		struct str s = ev->names.entries.ptr[i].key;
		size_t d = str_distance(name, s, limit);
		if (d > limit)
			continue;
		/* Among equals one that was not typed to its end. */
		size_t score = 2 * d - (d && str_has_prefix(s, name));
		if (score < best || (score == best && near.len && str_cmp(s, near) < 0)) {
			best = score;
			near = s;
		}
	}
	if (near.len)
		err_note(ev->err, "did you mean '%.*s'?", STR_ARG(near));
}

static bool eval_name(struct eval *ev, const struct expr *e, struct value *ret)
{
	uint64_t id;
	if (is_pattern(e)) {
		for (uint32_t i = 0; i < ev->g->count; i++) {
			struct str alias = alias_of(ev->g, i);
			if (matches(e->name, ev->g->name(ev->g->ctx, i)) || (alias.len && matches(e->name, alias)))
				vec_push(&ret->set, i);
		}
		if (ret->set.len)
			return true;
		err_set(ev->err, ERR_USER, "nothing matches '%.*s'", STR_ARG(e->name));
		return query_fail_at(ev->err, ev->text, e->at);
	}
	need_names(ev);
	if (map_get(&ev->names, e->name, &id)) {
		vec_push(&ret->set, (uint32_t)id);
		return true;
	}
	err_set(ev->err, ERR_USER, "nothing is called '%.*s'", STR_ARG(e->name));
	offer_near(ev, e->name);
	return query_fail_at(ev->err, ev->text, e->at);
}

/* ---- evaluation; its recursion is bounded by the parser's limit on nesting ---- */

static bool eval_expr(struct eval *ev, const struct expr *e, struct value *ret);

static bool eval_nodes(struct eval *ev, const struct expr *e, struct value *ret)
{
	if (!eval_expr(ev, e, ret))
		return false;
	if (ret->kind != QUERY_FILES)
		return true;
	err_set(ev->err, ERR_USER, "a set of files where a set of nodes is expected");
	err_note(ev->err, "files() must be outermost, or combined with other files()");
	return query_fail_at(ev->err, ev->text, e->at);
}

static bool as_depth(const struct expr *e, uint64_t *ret)
{
	return e->kind == EXPR_NAME && !e->quoted && str_to_u64(e->name, ret);
}

static bool eval_depth(struct eval *ev, const struct expr *e, uint64_t *ret)
{
	if (as_depth(e, ret))
		return true;
	err_set(ev->err, ERR_USER, "the depth must be a number");
	return query_fail_at(ev->err, ev->text, e->at);
}

static bool eval_deps(struct eval *ev, const struct expr *e, struct value *ret)
{
	struct value x = {0};
	uint64_t depth = UINT64_MAX;
	bool ok = (e->nargs < 2 || eval_depth(ev, e->args[1], &depth)) && eval_nodes(ev, e->args[0], &x);
	if (ok)
		ret->set = query_reach(ev, &x.set, false, depth, NULL);
	query_value_release(&x);
	return ok;
}

static bool eval_rdeps(struct eval *ev, const struct expr *e, struct value *ret)
{
	struct value universe = {0}, x = {0};
	uint64_t depth = UINT64_MAX;
	uint8_t *inside = NULL;
	bool has_universe = e->nargs == 3 || (e->nargs == 2 && !as_depth(e->args[1], &depth)), ok = true;
	if (e->nargs == 3)
		ok = eval_depth(ev, e->args[2], &depth);
	if (ok && has_universe) {
		ok = eval_nodes(ev, e->args[0], &universe);
		if (ok) {
			U32Vec all = query_reach(ev, &universe.set, false, UINT64_MAX, NULL);
			inside = query_set_flags(ev, &all);
			vec_release(&all);
		}
	}
	ok = ok && eval_nodes(ev, e->args[has_universe ? 1 : 0], &x);
	if (ok)
		ret->set = query_reach(ev, &x.set, true, depth, inside);
	free(inside);
	query_value_release(&universe);
	query_value_release(&x);
	return ok;
}

static bool eval_paths(struct eval *ev, const struct expr *e, struct value *ret)
{
	struct value from = {0}, to = {0};
	bool ok = eval_nodes(ev, e->args[0], &from) && eval_nodes(ev, e->args[1], &to);
	if (ok && e->function == FN_ALLPATHS) {
		U32Vec forth = query_reach(ev, &from.set, false, UINT64_MAX, NULL);
		U32Vec back = query_reach(ev, &to.set, true, UINT64_MAX, NULL);
		ret->set = query_set_combine(OP_INTERSECT, &forth, &back);
		vec_release(&forth);
		vec_release(&back);
	} else if (ok) {
		uint8_t *goal = query_set_flags(ev, &to.set);
		ret->kind = QUERY_PATH;
		ret->path = query_shortest(ev, &from.set, goal, 0, NULL);
		for (size_t i = 0; i < ret->path.len; i++)
			vec_push(&ret->set, ret->path.ptr[i]);
		query_set_sort(&ret->set);
		free(goal);
	}
	query_value_release(&from);
	query_value_release(&to);
	return ok;
}

static bool eval_cycles(struct eval *ev, const struct expr *e, struct value *ret)
{
	struct value x = {0};
	bool ok = eval_nodes(ev, e->args[0], &x);
	if (ok) {
		U32Vec all = query_reach(ev, &x.set, false, UINT64_MAX, NULL);
		query_find_cycles(ev, &all, ret);
		vec_release(&all);
	}
	query_value_release(&x);
	return ok;
}

static bool eval_files(struct eval *ev, const struct expr *e, struct value *ret)
{
	struct value x = {0};
	StrVec names = {0};
	bool ok = eval_nodes(ev, e->args[0], &x);
	for (size_t i = 0; ok && i < x.set.len; i++)
		ev->g->files(ev->g->ctx, x.set.ptr[i], &names);
	for (size_t i = 0; i < names.len; i++) {
		uint64_t id = ev->files.entries.len;
		map_add(&ev->files, names.ptr[i], id, &id);
		vec_push(&ret->set, (uint32_t)id);
	}
	query_set_sort(&ret->set);
	ret->kind = QUERY_FILES;
	vec_release(&names);
	query_value_release(&x);
	return ok;
}

static bool eval_kind(struct eval *ev, const struct expr *e, struct value *ret)
{
	struct value x = {0};
	const struct expr *name = e->args[0];
	if (name->kind != EXPR_NAME) {
		err_set(ev->err, ERR_USER, "the first argument of 'kind' must be the name of a kind");
		return query_fail_at(ev->err, ev->text, name->at);
	}
	bool ok = eval_nodes(ev, e->args[1], &x);
	for (size_t i = 0; ok && i < x.set.len; i++) {
		struct str kind = ev->g->kind(ev->g->ctx, x.set.ptr[i]);
		if (is_pattern(name) ? matches(name->name, kind) : str_eq(name->name, kind))
			vec_push(&ret->set, x.set.ptr[i]);
	}
	query_value_release(&x);
	return ok;
}

static bool eval_call(struct eval *ev, const struct expr *e, struct value *ret)
{
	switch (e->function) {
	case FN_DEPS:
		return eval_deps(ev, e, ret);
	case FN_RDEPS:
		return eval_rdeps(ev, e, ret);
	case FN_SOMEPATH:
	case FN_ALLPATHS:
		return eval_paths(ev, e, ret);
	case FN_CYCLES:
		return eval_cycles(ev, e, ret);
	case FN_FILES:
		return eval_files(ev, e, ret);
	case FN_KIND:
		return eval_kind(ev, e, ret);
	case FN_COUNT:
		break;
	}
	BUG("function %d", (int)e->function);
}

static bool eval_chain(struct eval *ev, const struct expr *e, struct value *ret)
{
	if (!eval_expr(ev, e->first, ret))
		return false;
	for (const struct term *t = e->terms; t; t = t->next) {
		struct value b = {0};
		bool ok = eval_expr(ev, t->operand, &b);
		if (ok && (ret->kind == QUERY_FILES) != (b.kind == QUERY_FILES)) {
			err_set(ev->err, ERR_USER, "files and nodes cannot be combined");
			ok = query_fail_at(ev->err, ev->text, t->at);
		}
		if (ok) {
			struct value both = {.kind = b.kind == QUERY_FILES ? QUERY_FILES : QUERY_NODES,
			                     .set = query_set_combine(t->op, &ret->set, &b.set)};
			query_value_release(ret);
			*ret = both;
		}
		query_value_release(&b);
		if (!ok)
			return false;
	}
	return true;
}

static bool eval_expr(struct eval *ev, const struct expr *e, struct value *ret)
{
	switch (e->kind) {
	case EXPR_NAME:
		return eval_name(ev, e, ret);
	case EXPR_CALL:
		return eval_call(ev, e, ret);
	case EXPR_CHAIN:
		return eval_chain(ev, e, ret);
	}
	BUG("expression %d", (int)e->kind);
}

/* ---- results ---- */

static int by_bytes(const void *a, const void *b)
{
	return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

void query_sort_by_name(const struct query_graph *g, uint32_t *nodes, size_t n)
{
	if (n)
		qsort_r(nodes, n, sizeof(uint32_t), query_compare_names, (void *)(uintptr_t)g);
}

/* Moves the value's arrays. */
static void take_result(struct eval *ev, struct value *v, struct query_result *ret)
{
	*ret = (struct query_result){.kind = v->kind};
	if (v->kind == QUERY_FILES) {
		for (size_t i = 0; i < v->set.len; i++)
			vec_push(&ret->files, ev->files.entries.ptr[v->set.ptr[i]].key);
		if (ret->files.len)
			qsort(ret->files.ptr, ret->files.len, sizeof(struct str), by_bytes);
	} else if (v->kind == QUERY_CYCLES) {
		ret->paths = v->cycles;
		v->cycles = (PathVec){0};
	} else {
		U32Vec *from = v->kind == QUERY_PATH ? &v->path : &v->set;
		ret->nodes = *from;
		*from = (U32Vec){0};
		if (v->kind == QUERY_NODES)
			query_sort_by_name(ev->g, ret->nodes.ptr, ret->nodes.len);
	}
}

bool query_run(const struct query_graph *g, struct str text, struct query_result *ret, struct err *err)
{
	struct err local = {0};
	struct eval ev = {.g = g, .text = text, .err = err ? err : &local};
	struct value v = {0};
	const struct expr *e = query_parse(text, &ev.arena, ev.err);
	bool ok = e && eval_expr(&ev, e, &v);
	if (ok)
		take_result(&ev, &v, ret);
	query_value_release(&v);
	map_release(&ev.files);
	map_release(&ev.names);
	arena_release(&ev.arena);
	err_clear(&local);
	return ok;
}

void query_release(struct query_result *r)
{
	vec_release(&r->nodes);
	vec_release(&r->files);
	for (size_t i = 0; i < r->paths.len; i++)
		vec_release(&r->paths.ptr[i]);
	vec_release(&r->paths);
}
