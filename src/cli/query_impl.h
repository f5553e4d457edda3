/* query_impl.h - what the parts of the query language share: expressions, values, walks. For query_*.c only. */
#ifndef TENON_CLI_QUERY_IMPL_H
#define TENON_CLI_QUERY_IMPL_H

#include "base/map.h"
#include "cli/query_lang.h"

enum operation { OP_UNION, OP_EXCEPT, OP_INTERSECT };
enum function { FN_DEPS, FN_RDEPS, FN_SOMEPATH, FN_ALLPATHS, FN_CYCLES, FN_FILES, FN_KIND, FN_COUNT };
enum expr_kind { EXPR_NAME, EXPR_CALL, EXPR_CHAIN };

struct term;

struct expr {
	enum expr_kind kind;
	size_t at;
	struct str name; /* EXPR_NAME */
	bool quoted;
	enum function function; /* EXPR_CALL */
	struct expr *args[3];
	unsigned nargs;
	struct expr *first; /* EXPR_CHAIN */
	struct term *terms; /* a list, so that a long chain is not a deep tree */
};

struct term {
	enum operation op;
	size_t at;
	struct expr *operand;
	struct term *next;
};

/* A set of nodes, or of files (ids of `eval.files`), ascending; or a path or cycles, which are kept beside the set. */
struct value {
	enum query_result_kind kind;
	U32Vec set;
	U32Vec path;
	PathVec cycles;
};

struct eval {
	const struct query_graph *g;
	struct str text;
	struct arena arena;
	struct map files; /* each file's number in order of finding; keys are the graph's own */
	struct map names; /* name or alias -> node; filled when first needed */
	bool have_names;
	uint32_t *rstart, *redges; /* reverse edges, by node; made when first needed */
	struct err *err;
};

/* -- query_parse.c -- */
/* NULL: err says where it is wrong. The expression lives in `a`. */
const struct expr *query_parse(struct str text, struct arena *a, struct err *err);
/* Gives the error its place, the byte `at` of the query; returns false. */
bool query_fail_at(struct err *err, struct str text, size_t at);

/* -- query_walk.c -- */
void query_value_release(struct value *v);
void query_set_sort(U32Vec *v); /* ascending, each once */
U32Vec query_set_combine(enum operation op, const U32Vec *a, const U32Vec *b);
/* By node: whether it is in the set. The caller frees it. */
uint8_t *query_set_flags(const struct eval *ev, const U32Vec *set);
/* All nodes within `depth` edges of `from`, inside `universe` (NULL: everywhere). */
U32Vec query_reach(struct eval *ev, const U32Vec *from, bool reverse, uint64_t depth, const uint8_t *universe);
/* A shortest way from `from` to `to` with at least `least` edges (0 or 1), inside `inside`; empty if there is none. */
U32Vec query_shortest(struct eval *ev, const U32Vec *from, const uint8_t *to, unsigned least, const uint8_t *inside);
/* One cycle for each knot of the graph among `in`. */
void query_find_cycles(struct eval *ev, const U32Vec *in, struct value *ret);

/* -- query_lang.c -- */
struct str query_name_of(const struct query_graph *g, uint32_t node);
/* For qsort_r: two node numbers, by name. */
int query_compare_names(const void *a, const void *b, void *graph);
void query_sort_by_name(const struct query_graph *g, uint32_t *nodes, size_t n);

#endif
