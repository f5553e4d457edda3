/* Answers as text, JSON and dot. */
#include <stdlib.h>

#include "cli/query_impl.h"
#include "wire/json.h"

static void add_name(struct str s, struct buf *out)
{
	buf_adds(out, s);
	buf_addc(out, '\n');
}

static void print_text(const struct query_graph *g, const struct query_result *r, struct buf *out)
{
	for (size_t i = 0; i < r->nodes.len; i++)
		add_name(query_name_of(g, r->nodes.ptr[i]), out);
	for (size_t i = 0; i < r->files.len; i++)
		add_name(r->files.ptr[i], out);
	for (size_t i = 0; i < r->paths.len; i++) {
		const U32Vec *p = &r->paths.ptr[i];
		for (size_t k = 0; k < p->len; k++) {
			buf_adds(out, query_name_of(g, p->ptr[k]));
			buf_addz(out, " -> ");
		}
		add_name(query_name_of(g, p->ptr[0]), out);
	}
}

/* The node's edges to other nodes of the result, sorted by name. */
static U32Vec edges_within(const struct query_graph *g, uint32_t node, const uint8_t *inside)
{
	U32Vec out = {0};
	uint32_t n;
	const uint32_t *to = g->edges(g->ctx, node, &n);
	for (uint32_t k = 0; k < n; k++) {
		if (inside[to[k]])
			vec_push(&out, to[k]);
	}
	query_set_sort(&out);
	query_sort_by_name(g, out.ptr, out.len);
	return out;
}

static uint8_t *inside_result(const struct query_graph *g, const struct query_result *r)
{
	uint8_t *f = xcalloc((size_t)g->count + 1, 1);
	for (size_t i = 0; i < r->nodes.len; i++)
		f[r->nodes.ptr[i]] = 1;
	return f;
}

static void json_nodes(struct json *j, const struct query_graph *g, const struct query_result *r)
{
	uint8_t *inside = inside_result(g, r);
	json_key(j, "nodes");
	json_array(j);
	for (size_t i = 0; i < r->nodes.len; i++) {
		uint32_t node = r->nodes.ptr[i];
		U32Vec deps = edges_within(g, node, inside);
		json_object(j);
		json_key(j, "name");
		json_str(j, query_name_of(g, node));
		json_key(j, "kind");
		json_str(j, g->kind(g->ctx, node));
		json_key(j, "deps");
		json_array(j);
		for (size_t k = 0; k < deps.len; k++)
			json_str(j, query_name_of(g, deps.ptr[k]));
		json_end(j);
		json_end(j);
		vec_release(&deps);
	}
	json_end(j);
	free(inside);
}

static void print_json(const struct query_graph *g, const struct query_result *r, struct buf *out)
{
	static const char *const kinds[] = {
	        [QUERY_NODES] = "nodes",
	        [QUERY_FILES] = "files",
	        [QUERY_PATH] = "path",
	        [QUERY_CYCLES] = "cycles",
	};
	struct json j = {.out = out};
	json_object(&j);
	json_key(&j, "result");
	json_strz(&j, kinds[r->kind]);
	if (r->kind == QUERY_FILES) {
		json_key(&j, "files");
		json_array(&j);
		for (size_t i = 0; i < r->files.len; i++)
			json_str(&j, r->files.ptr[i]);
		json_end(&j);
	} else if (r->kind == QUERY_CYCLES) {
		json_key(&j, "cycles");
		json_array(&j);
		for (size_t i = 0; i < r->paths.len; i++) {
			json_array(&j);
			for (size_t k = 0; k < r->paths.ptr[i].len; k++)
				json_str(&j, query_name_of(g, r->paths.ptr[i].ptr[k]));
			json_end(&j);
		}
		json_end(&j);
	} else {
		json_nodes(&j, g, r);
	}
	json_end(&j);
	buf_addc(out, '\n');
}

/* A quoted identifier of the DOT language: only the quote is special, and a backslash before it. */
static void add_dot_id(struct str s, struct buf *out)
{
	buf_addc(out, '"');
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] == '"' || s.ptr[i] == '\\')
			buf_addc(out, '\\');
		buf_addc(out, s.ptr[i]);
	}
	buf_addc(out, '"');
}

static void add_dot_edge(const struct query_graph *g, uint32_t from, uint32_t to, struct buf *out)
{
	buf_addz(out, "  ");
	add_dot_id(query_name_of(g, from), out);
	buf_addz(out, " -> ");
	add_dot_id(query_name_of(g, to), out);
	buf_addz(out, ";\n");
}

static void add_dot_node(struct str name, struct buf *out)
{
	buf_addz(out, "  ");
	add_dot_id(name, out);
	buf_addz(out, ";\n");
}

static void print_dot(const struct query_graph *g, const struct query_result *r, struct buf *out)
{
	uint8_t *inside = inside_result(g, r);
	buf_addz(out, "digraph tenon {\n  node [shape=box];\n");
	for (size_t i = 0; i < r->files.len; i++)
		add_dot_node(r->files.ptr[i], out);
	for (size_t i = 0; i < r->nodes.len; i++)
		add_dot_node(query_name_of(g, r->nodes.ptr[i]), out);
	for (size_t i = 0; r->kind == QUERY_PATH && i + 1 < r->nodes.len; i++)
		add_dot_edge(g, r->nodes.ptr[i], r->nodes.ptr[i + 1], out);
	for (size_t i = 0; r->kind == QUERY_NODES && i < r->nodes.len; i++) {
		U32Vec deps = edges_within(g, r->nodes.ptr[i], inside);
		for (size_t k = 0; k < deps.len; k++)
			add_dot_edge(g, r->nodes.ptr[i], deps.ptr[k], out);
		vec_release(&deps);
	}
	for (size_t i = 0; i < r->paths.len; i++) {
		const U32Vec *p = &r->paths.ptr[i];
		for (size_t k = 0; k < p->len; k++)
			add_dot_edge(g, p->ptr[k], p->ptr[(k + 1) % p->len], out);
	}
	buf_addz(out, "}\n");
	free(inside);
}

void query_print(const struct query_graph *g, const struct query_result *r, enum query_format format, struct buf *out)
{
	switch (format) {
	case QUERY_TEXT:
		print_text(g, r, out);
		return;
	case QUERY_JSON:
		print_json(g, r, out);
		return;
	case QUERY_DOT:
		print_dot(g, r, out);
		return;
	}
}
