/* Sets of nodes, walks of the graph, its cycles. All iterative. */
#include <stdlib.h>

#include "cli/query_impl.h"

/* ---- sets ---- */

void query_value_release(struct value *v)
{
	vec_release(&v->set);
	vec_release(&v->path);
	for (size_t i = 0; i < v->cycles.len; i++)
		vec_release(&v->cycles.ptr[i]);
	vec_release(&v->cycles);
}

static int by_id(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return x < y ? -1 : x > y;
}

void query_set_sort(U32Vec *v)
{
	if (!v->len)
		return;
	qsort(v->ptr, v->len, sizeof(uint32_t), by_id);
	size_t n = 1;
	for (size_t i = 1; i < v->len; i++) {
		if (v->ptr[i] != v->ptr[n - 1])
			v->ptr[n++] = v->ptr[i];
	}
	v->len = n;
}

U32Vec query_set_combine(enum operation op, const U32Vec *a, const U32Vec *b)
{
	U32Vec out = {0};
	size_t i = 0, k = 0;
	while (i < a->len || k < b->len) {
		bool left = i < a->len && (k == b->len || a->ptr[i] <= b->ptr[k]);
		bool right = k < b->len && (i == a->len || b->ptr[k] <= a->ptr[i]);
		uint32_t id = left ? a->ptr[i] : b->ptr[k];
		if (op == OP_UNION || (op == OP_EXCEPT && left && !right) || (op == OP_INTERSECT && left && right))
			vec_push(&out, id);
		i += left;
		k += right;
	}
	return out;
}

uint8_t *query_set_flags(const struct eval *ev, const U32Vec *set)
{
	uint8_t *f = xcalloc(ev->g->count + 1, 1);
	for (size_t i = 0; i < set->len; i++)
		f[set->ptr[i]] = 1;
	return f;
}

/* ---- walks ---- */

static void need_reverse(struct eval *ev)
{
	const struct query_graph *g = ev->g;
	if (ev->rstart)
		return;
	uint32_t *start = arena_new_n(&ev->arena, uint32_t, g->count + 2), n;
	for (uint32_t i = 0; i < g->count; i++) {
		const uint32_t *to = g->edges(g->ctx, i, &n);
		for (uint32_t k = 0; k < n; k++)
			start[to[k] + 2]++;
	}
	for (uint32_t i = 2; i <= g->count + 1; i++)
		start[i] += start[i - 1];
	ev->redges = arena_new_n(&ev->arena, uint32_t, (size_t)start[g->count + 1] + 1);
	/* start[i + 1] is where the next edge into i goes; when all are placed it is where i + 1 begins. */
	for (uint32_t i = 0; i < g->count; i++) {
		const uint32_t *to = g->edges(g->ctx, i, &n);
		for (uint32_t k = 0; k < n; k++)
			ev->redges[start[to[k] + 1]++] = i;
	}
	ev->rstart = start;
}

static const uint32_t *edges_of(struct eval *ev, uint32_t node, bool reverse, uint32_t *ret_n)
{
	if (!reverse)
		return ev->g->edges(ev->g->ctx, node, ret_n);
	*ret_n = ev->rstart[node + 1] - ev->rstart[node];
	return ev->redges + ev->rstart[node];
}

/* Breadth first: all nodes within `depth` edges of `from`, inside `universe` (NULL: everywhere). */
U32Vec query_reach(struct eval *ev, const U32Vec *from, bool reverse, uint64_t depth, const uint8_t *universe)
{
	uint8_t *seen = xcalloc(ev->g->count + 1, 1);
	U32Vec out = {0};
	if (reverse)
		need_reverse(ev);
	for (size_t i = 0; i < from->len; i++) {
		if (universe && !universe[from->ptr[i]])
			continue;
		seen[from->ptr[i]] = 1;
		vec_push(&out, from->ptr[i]);
	}
	for (size_t at = 0; depth > 0 && at < out.len; depth--) {
		for (size_t end = out.len; at < end; at++) {
			uint32_t n;
			const uint32_t *to = edges_of(ev, out.ptr[at], reverse, &n);
			for (uint32_t k = 0; k < n; k++) {
				if (seen[to[k]] || (universe && !universe[to[k]]))
					continue;
				seen[to[k]] = 1;
				vec_push(&out, to[k]);
			}
		}
	}
	free(seen);
	query_set_sort(&out);
	return out;
}

/* A shortest way from `from` to `to` with at least `least` edges (0 or 1), inside `inside`; empty if there is none. */
U32Vec query_shortest(struct eval *ev, const U32Vec *from, const uint8_t *to, unsigned least, const uint8_t *inside)
{
	uint32_t count = ev->g->count, end = count, *before = xmalloc((count + 1) * sizeof(*before)), n;
	U32Vec queue = {0}, path = {0};
	memset(before, 0xff, (count + 1) * sizeof(*before));
	/* A node's `before` is the one it was reached from; its own number at the start. */
	for (size_t i = 0; i < from->len && end == count; i++) {
		if (!least && to[from->ptr[i]])
			end = from->ptr[i];
		before[from->ptr[i]] = from->ptr[i];
		vec_push(&queue, from->ptr[i]);
	}
	uint32_t last = end;
	for (size_t at = 0; at < queue.len && end == count; at++) {
		const uint32_t *next = ev->g->edges(ev->g->ctx, queue.ptr[at], &n);
		for (uint32_t k = 0; k < n && end == count; k++) {
			if (inside && !inside[next[k]])
				continue;
			if (to[next[k]] && (before[next[k]] == UINT32_MAX || least)) {
				end = next[k];
				last = queue.ptr[at];
			}
			if (before[next[k]] == UINT32_MAX) {
				before[next[k]] = queue.ptr[at];
				vec_push(&queue, next[k]);
			}
		}
	}
	if (end < count) {
		if (last != end)
			vec_push(&path, end);
		for (uint32_t i = last;; i = before[i]) {
			vec_push(&path, i);
			if (before[i] == i)
				break;
		}
		for (size_t i = 0; i < path.len / 2; i++) {
			uint32_t t = path.ptr[i];
			path.ptr[i] = path.ptr[path.len - 1 - i];
			path.ptr[path.len - 1 - i] = t;
		}
	}
	free(before);
	vec_release(&queue);
	return path;
}

/* ---- cycles ---- */

struct frame {
	uint32_t node, edge;
};

/* Tarjan's strongly connected components (SIAM J. Comput. 1, 1972), with a stack of frames of its own. */
struct tarjan {
	struct eval *ev;
	const uint8_t *inside;
	uint32_t *index, *low; /* 0: not seen */
	uint32_t counter;
	uint8_t *on_stack;
	U32Vec stack;
	Vec(struct frame) frames;
	PathVec found;
};

static bool has_self_edge(struct eval *ev, uint32_t node)
{
	uint32_t n;
	const uint32_t *to = ev->g->edges(ev->g->ctx, node, &n);
	for (uint32_t k = 0; k < n; k++) {
		if (to[k] == node)
			return true;
	}
	return false;
}

static void tarjan_enter(struct tarjan *t, uint32_t node)
{
	t->index[node] = t->low[node] = ++t->counter;
	t->on_stack[node] = 1;
	vec_push(&t->stack, node);
	vec_push(&t->frames, (struct frame){node, 0});
}

static void tarjan_component(struct tarjan *t, uint32_t root)
{
	U32Vec c = {0};
	uint32_t node;
	do {
		node = vec_pop(&t->stack);
		t->on_stack[node] = 0;
		vec_push(&c, node);
	} while (node != root);
	if (c.len > 1 || has_self_edge(t->ev, root))
		vec_push(&t->found, c);
	else
		vec_release(&c);
}

static void tarjan_from(struct tarjan *t, uint32_t start)
{
	tarjan_enter(t, start);
	while (t->frames.len) {
		struct frame *f = &vec_last(&t->frames);
		uint32_t n, node = f->node;
		const uint32_t *to = t->ev->g->edges(t->ev->g->ctx, node, &n);
		if (f->edge < n) {
			uint32_t next = to[f->edge++];
			if (!t->inside[next])
				continue;
			if (!t->index[next])
				tarjan_enter(t, next);
			else if (t->on_stack[next])
				t->low[node] = MIN(t->low[node], t->index[next]);
			continue;
		}
		if (t->low[node] == t->index[node])
			tarjan_component(t, node);
		(void)vec_pop(&t->frames);
		if (t->frames.len) {
			uint32_t parent = vec_last(&t->frames).node;
			t->low[parent] = MIN(t->low[parent], t->low[node]);
		}
	}
}

static int by_first_name(const void *a, const void *b, void *g)
{
	return query_compare_names(((const U32Vec *)a)->ptr, ((const U32Vec *)b)->ptr, g);
}

/* A shortest cycle through the component's first name. */
static U32Vec cycle_in(struct eval *ev, const U32Vec *component)
{
	uint8_t *inside = query_set_flags(ev, component), *to = xcalloc(ev->g->count + 1, 1);
	U32Vec from = {0};
	uint32_t first = component->ptr[0];
	for (size_t i = 1; i < component->len; i++) {
		if (str_cmp(query_name_of(ev->g, component->ptr[i]), query_name_of(ev->g, first)) < 0)
			first = component->ptr[i];
	}
	to[first] = 1;
	vec_push(&from, first);
	U32Vec path = query_shortest(ev, &from, to, 1, inside);
	/* It comes back to where it began. */
	if (path.len > 1)
		path.len--;
	vec_release(&from);
	free(inside);
	free(to);
	return path;
}

void query_find_cycles(struct eval *ev, const U32Vec *in, struct value *ret)
{
	size_t n = (size_t)ev->g->count + 1;
	uint8_t *inside = query_set_flags(ev, in);
	struct tarjan t = {.ev = ev, .inside = inside};
	t.index = xcalloc(n, sizeof(uint32_t));
	t.low = xcalloc(n, sizeof(uint32_t));
	t.on_stack = xcalloc(n, 1);
	for (size_t i = 0; i < in->len; i++) {
		if (!t.index[in->ptr[i]])
			tarjan_from(&t, in->ptr[i]);
	}
	for (size_t i = 0; i < t.found.len; i++) {
		U32Vec c = cycle_in(ev, &t.found.ptr[i]);
		for (size_t k = 0; k < c.len; k++)
			vec_push(&ret->set, c.ptr[k]);
		vec_push(&ret->cycles, c);
		vec_release(&t.found.ptr[i]);
	}
	if (ret->cycles.len)
		qsort_r(ret->cycles.ptr, ret->cycles.len, sizeof(U32Vec), by_first_name, (void *)(uintptr_t)ev->g);
	query_set_sort(&ret->set);
	ret->kind = QUERY_CYCLES;
	vec_release(&t.found);
	vec_release(&t.stack);
	vec_release(&t.frames);
	free(t.index);
	free(t.low);
	free(t.on_stack);
	free(inside);
}
