/* query_lang.h - `tenon query`: a small language of sets of nodes, over any graph.
 *
 *     struct query_result r = { 0 };
 *     if (!query_run(&graph, STR("deps(asdf:a) - asdf:cl-*"), &r, &err)) ...
 *     query_print(&graph, &r, QUERY_JSON, &out);
 *     query_release(&r);
 *
 * Grammar, operators from left to right with one precedence:
 *
 *     expression = operand { ("+" | "union" | "-" | "except" | "^" | "intersect") operand }
 *     operand    = "(" expression ")" | NAME | 'QUOTED' | "QUOTED"
 *                | deps(X) | deps(X, DEPTH) | rdeps(X) | rdeps(UNIVERSE, X) | rdeps(X, DEPTH)
 *                | rdeps(UNIVERSE, X, DEPTH) | somepath(A, B) | allpaths(A, B) | cycles(X) | files(X)
 *                | kind(NAME, X)
 *
 * A NAME may hold any characters but white space, quotes, parentheses and commas; + - ^ are operators only where a word
 * begins, so cl-ppcre and cl+ssl are names. In a NAME `*` stands for any characters and `?` for one; a quoted name
 * stands for itself. A name must match something.
 *
 * deps and rdeps hold X itself. files() gives a set of files, which only combines with other sets of files. somepath is
 * a shortest path, in order; cycles gives one cycle (a shortest through its first name) for each knot of the graph.
 * Inside an expression both are plain sets of their nodes.
 *
 * Pure. Walks of the graph are iterative; nesting of parentheses is limited to 100. Errors are ERR_USER with the place
 * in the query. */
#ifndef TENON_CLI_QUERY_LANG_H
#define TENON_CLI_QUERY_LANG_H

#include "base/arena.h"
#include "base/err.h"
#include "base/vec.h"

/* The graph: nodes 0 to count-1. All strings and arrays stay valid while the query runs and its result is used. */
struct query_graph {
	void *ctx;
	uint32_t count;
	struct str (*name)(void *ctx, uint32_t node); /* unique */
	/* A second name that also stands for the node ("ironclad" for "asdf:ironclad"), or empty. May be NULL. */
	struct str (*alias)(void *ctx, uint32_t node);
	struct str (*kind)(void *ctx, uint32_t node);
	/* What the node depends on. */
	const uint32_t *(*edges)(void *ctx, uint32_t node, uint32_t *ret_n);
	void (*files)(void *ctx, uint32_t node, StrVec *out);
};

enum query_result_kind { QUERY_NODES, QUERY_FILES, QUERY_PATH, QUERY_CYCLES };
enum query_format { QUERY_TEXT, QUERY_JSON, QUERY_DOT };

typedef Vec(U32Vec) PathVec;

struct query_result {
	enum query_result_kind kind;
	U32Vec nodes;  /* QUERY_NODES: sorted by name; QUERY_PATH: in order */
	StrVec files;  /* QUERY_FILES: sorted by bytes; in the graph's memory */
	PathVec paths; /* QUERY_CYCLES: each without its first node repeated; sorted by first name */
};

/* *ret is zeroed before, and released after, by the caller; untouched on failure. */
bool query_run(const struct query_graph *g, struct str text, struct query_result *ret, struct err *err);
void query_print(const struct query_graph *g, const struct query_result *r, enum query_format format, struct buf *out);
void query_release(struct query_result *r);

#endif
