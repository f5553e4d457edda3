#include "cli/query_lang.h"

#include <stdlib.h>

#include "base/map.h"
#include "wire/json.h"

#define MAX_NESTING 100

/* ---- words ---- */

enum token_kind { TOKEN_END, TOKEN_WORD, TOKEN_QUOTED, TOKEN_OPEN, TOKEN_CLOSE, TOKEN_COMMA, TOKEN_OPERATOR };

struct token {
	enum token_kind kind;
	struct str text; /* without quotes */
	size_t at;       /* byte in the query */
};

enum operation { OP_UNION, OP_EXCEPT, OP_INTERSECT };

struct parser {
	struct str text;
	size_t pos;
	struct token token; /* the one to be looked at next */
	bool failed;
	unsigned depth;
	struct arena *arena;
	struct err *err;
};

/* The place is the query itself, so that the caret stands below the word in question. */
static bool fail_at(struct err *err, struct str text, size_t at)
{
	uint32_t col = 1;
	for (size_t i = 0; i < at && i < text.len; i++)
		col += ((unsigned char)text.ptr[i] & 0xc0) != 0x80;
	err_at(err, STR("query"), 1, col, text);
	return false;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool ends_word(char c)
{
	return is_space(c) || strchr("(),'\"", c) != NULL;
}

static void lex_quoted(struct parser *p, char quote)
{
	size_t from = p->pos + 1, len = str_find(str_drop(p->text, from), quote);
	if (from + len >= p->text.len) {
		err_set(p->err, ERR_USER, "the quote is never closed");
		fail_at(p->err, p->text, p->pos);
		p->failed = true;
	}
	p->token = (struct token){TOKEN_QUOTED, str_slice(p->text, from, from + len), p->pos};
	p->pos = MIN(from + len + 1, p->text.len);
}

static void advance(struct parser *p)
{
	while (p->pos < p->text.len && is_space(p->text.ptr[p->pos]))
		p->pos++;
	p->token = (struct token){TOKEN_END, {0}, p->pos};
	if (p->pos >= p->text.len)
		return;
	char c = p->text.ptr[p->pos];
	if (c == '\'' || c == '"') {
		lex_quoted(p, c);
		return;
	}
	size_t len = 1;
	if (c == '(' || c == ')' || c == ',') {
		p->token.kind = c == '(' ? TOKEN_OPEN : c == ')' ? TOKEN_CLOSE : TOKEN_COMMA;
	} else if (c == '+' || c == '-' || c == '^') {
		p->token.kind = TOKEN_OPERATOR;
	} else {
		p->token.kind = TOKEN_WORD;
		while (p->pos + len < p->text.len && !ends_word(p->text.ptr[p->pos + len]))
			len++;
	}
	p->token.text = str_slice(p->text, p->pos, p->pos + len);
	p->pos += len;
}

/* ---- expressions ---- */

enum function { FN_DEPS, FN_RDEPS, FN_SOMEPATH, FN_ALLPATHS, FN_CYCLES, FN_FILES, FN_KIND, FN_COUNT };

static const struct {
	const char *name;
	unsigned min, max;
	const char *usage;
} functions[FN_COUNT] = {
        [FN_DEPS] = {"deps", 1, 2, "deps(X) or deps(X, DEPTH)"},
        [FN_RDEPS] = {"rdeps", 1, 3, "rdeps(X), rdeps(X, DEPTH), rdeps(UNIVERSE, X) or rdeps(UNIVERSE, X, DEPTH)"},
        [FN_SOMEPATH] = {"somepath", 2, 2, "somepath(FROM, TO)"},
        [FN_ALLPATHS] = {"allpaths", 2, 2, "allpaths(FROM, TO)"},
        [FN_CYCLES] = {"cycles", 1, 1, "cycles(X)"},
        [FN_FILES] = {"files", 1, 1, "files(X)"},
        [FN_KIND] = {"kind", 2, 2, "kind(NAME, X)"},
};

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

static struct expr *parse_chain(struct parser *p);

static struct expr *refuse(struct parser *p, size_t at)
{
	fail_at(p->err, p->text, at);
	p->failed = true;
	return NULL;
}

static struct expr *unexpected(struct parser *p, const char *wanted)
{
	if (p->failed)
		return NULL;
	if (p->token.kind == TOKEN_END)
		err_set(p->err, ERR_USER, "the query ends where %s is expected", wanted);
	else
		err_set(p->err, ERR_USER, "'%.*s' where %s is expected", STR_ARG(p->token.text), wanted);
	if (p->token.kind == TOKEN_OPERATOR)
		err_note(p->err, "quote a name that begins with '%.*s'", STR_ARG(p->token.text));
	return refuse(p, p->token.at);
}

static struct expr *unknown_function(struct parser *p, struct token name)
{
	size_t best = 4;
	const char *near = NULL;
	for (unsigned f = 0; f < FN_COUNT; f++) {
		size_t d = str_distance(name.text, str_from(functions[f].name), best);
		if (d < best) {
			best = d;
			near = functions[f].name;
		}
	}
	err_set(p->err, ERR_USER, "unknown function '%.*s'", STR_ARG(name.text));
	if (near)
		err_note(p->err, "did you mean '%s'?", near);
	else
		err_note(p->err, "the functions are deps, rdeps, somepath, allpaths, cycles, files and kind");
	return refuse(p, name.at);
}

/* The token is "(". */
static struct expr *parse_call(struct parser *p, struct token name)
{
	struct expr *e = arena_new(p->arena, struct expr);
	e->kind = EXPR_CALL;
	e->at = name.at;
	while (e->function < FN_COUNT && !str_eqc(name.text, functions[e->function].name))
		e->function++;
	if (e->function == FN_COUNT)
		return unknown_function(p, name);
	size_t open = p->token.at;
	do {
		advance(p);
		if (e->nargs == functions[e->function].max) {
			err_set(p->err, ERR_USER, "'%.*s' has too many arguments", STR_ARG(name.text));
			err_note(p->err, "write %s", functions[e->function].usage);
			return refuse(p, p->token.at);
		}
		e->args[e->nargs] = parse_chain(p);
		if (!e->args[e->nargs++])
			return NULL;
	} while (p->token.kind == TOKEN_COMMA);
	if (p->token.kind == TOKEN_END && !p->failed) {
		err_set(p->err, ERR_USER, "this parenthesis is never closed");
		return refuse(p, open);
	}
	if (p->token.kind != TOKEN_CLOSE)
		return unexpected(p, "an operator, ',' or ')'");
	if (e->nargs < functions[e->function].min) {
		err_set(p->err, ERR_USER, "'%.*s' has too few arguments", STR_ARG(name.text));
		err_note(p->err, "write %s", functions[e->function].usage);
		return refuse(p, p->token.at);
	}
	advance(p);
	return e;
}

static struct expr *parse_group(struct parser *p)
{
	size_t open = p->token.at;
	advance(p);
	struct expr *e = parse_chain(p);
	if (!e)
		return NULL;
	if (p->token.kind == TOKEN_END && !p->failed) {
		err_set(p->err, ERR_USER, "this parenthesis is never closed");
		return refuse(p, open);
	}
	if (p->token.kind != TOKEN_CLOSE)
		return unexpected(p, "an operator or ')'");
	advance(p);
	return e;
}

static struct expr *parse_operand(struct parser *p)
{
	struct token t = p->token;
	if (p->failed)
		return NULL;
	if (t.kind == TOKEN_OPEN)
		return parse_group(p);
	if (t.kind != TOKEN_WORD && t.kind != TOKEN_QUOTED)
		return unexpected(p, "a name or '('");
	advance(p);
	if (p->failed)
		return NULL;
	if (t.kind == TOKEN_WORD && p->token.kind == TOKEN_OPEN)
		return parse_call(p, t);
	struct expr *e = arena_new(p->arena, struct expr);
	e->kind = EXPR_NAME;
	e->at = t.at;
	e->name = t.text;
	e->quoted = t.kind == TOKEN_QUOTED;
	return e;
}

static bool operator_of(struct token t, enum operation *ret)
{
	static const char *const names[][2] = {
	        [OP_UNION] = {"+", "union"},
	        [OP_EXCEPT] = {"-", "except"},
	        [OP_INTERSECT] = {"^", "intersect"},
	};
	for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
		if ((t.kind == TOKEN_OPERATOR && str_eqc(t.text, names[i][0])) ||
		    (t.kind == TOKEN_WORD && str_eqc(t.text, names[i][1]))) {
			*ret = (enum operation)i;
			return true;
		}
	}
	return false;
}

static struct expr *parse_chain(struct parser *p)
{
	if (++p->depth > MAX_NESTING) {
		err_set(p->err, ERR_USER, "more than %d parentheses inside each other", MAX_NESTING);
		return refuse(p, p->token.at);
	}
	struct expr *first = parse_operand(p), *chain = NULL;
	struct term **tail = NULL;
	enum operation op;
	while (first && !p->failed && operator_of(p->token, &op)) {
		struct term *t = arena_new(p->arena, struct term);
		*t = (struct term){.op = op, .at = p->token.at};
		advance(p);
		t->operand = parse_operand(p);
		if (!t->operand)
			return NULL;
		if (!chain) {
			chain = arena_new(p->arena, struct expr);
			*chain = (struct expr){.kind = EXPR_CHAIN, .at = first->at, .first = first};
			tail = &chain->terms;
		}
		*tail = t;
		tail = &t->next;
	}
	p->depth--;
	if (p->failed)
		return NULL;
	return chain ? chain : first;
}

static struct expr *parse(struct parser *p)
{
	advance(p);
	if (p->token.kind == TOKEN_END) {
		err_set(p->err, ERR_USER, "the query is empty");
		return refuse(p, 0);
	}
	struct expr *e = parse_chain(p);
	if (e && p->token.kind != TOKEN_END)
		return unexpected(p, "an operator or the end");
	return e;
}

/* ---- values ---- */

/* A set of nodes, or of files (ids of `eval.files`), ascending; or a path or cycles, which are kept beside the set. */
struct value {
	enum query_result_kind kind;
	U32Vec set;
	U32Vec path;
	PathVec cycles;
};

static void value_release(struct value *v)
{
	vec_release(&v->set);
	vec_release(&v->path);
	for (size_t i = 0; i < v->cycles.len; i++)
		vec_release(&v->cycles.ptr[i]);
	vec_release(&v->cycles);
}

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

static int by_id(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return x < y ? -1 : x > y;
}

static void sort_set(U32Vec *v)
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

static U32Vec combine(enum operation op, const U32Vec *a, const U32Vec *b)
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

static uint8_t *flags_of(const struct eval *ev, const U32Vec *set)
{
	uint8_t *f = xcalloc(ev->g->count + 1, 1);
	for (size_t i = 0; i < set->len; i++)
		f[set->ptr[i]] = 1;
	return f;
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
		return fail_at(ev->err, ev->text, e->at);
	}
	need_names(ev);
	if (map_get(&ev->names, e->name, &id)) {
		vec_push(&ret->set, (uint32_t)id);
		return true;
	}
	err_set(ev->err, ERR_USER, "nothing is called '%.*s'", STR_ARG(e->name));
	offer_near(ev, e->name);
	return fail_at(ev->err, ev->text, e->at);
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
static U32Vec reach(struct eval *ev, const U32Vec *from, bool reverse, uint64_t depth, const uint8_t *universe)
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
	sort_set(&out);
	return out;
}

/* A shortest way from `from` to `to` with at least `least` edges (0 or 1), inside `inside`; empty if there is none. */
static U32Vec shortest(struct eval *ev, const U32Vec *from, const uint8_t *to, unsigned least, const uint8_t *inside)
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

static struct str name_of(const struct query_graph *g, uint32_t node)
{
	return g->name(g->ctx, node);
}

static int by_name(const void *a, const void *b, void *g)
{
	return str_cmp(name_of(g, *(const uint32_t *)a), name_of(g, *(const uint32_t *)b));
}

static int by_first_name(const void *a, const void *b, void *g)
{
	return by_name(((const U32Vec *)a)->ptr, ((const U32Vec *)b)->ptr, g);
}

/* A shortest cycle through the component's first name. */
static U32Vec cycle_in(struct eval *ev, const U32Vec *component)
{
	uint8_t *inside = flags_of(ev, component), *to = xcalloc(ev->g->count + 1, 1);
	U32Vec from = {0};
	uint32_t first = component->ptr[0];
	for (size_t i = 1; i < component->len; i++) {
		if (str_cmp(name_of(ev->g, component->ptr[i]), name_of(ev->g, first)) < 0)
			first = component->ptr[i];
	}
	to[first] = 1;
	vec_push(&from, first);
	U32Vec path = shortest(ev, &from, to, 1, inside);
	/* It comes back to where it began. */
	if (path.len > 1)
		path.len--;
	vec_release(&from);
	free(inside);
	free(to);
	return path;
}

static void find_cycles(struct eval *ev, const U32Vec *in, struct value *ret)
{
	size_t n = (size_t)ev->g->count + 1;
	uint8_t *inside = flags_of(ev, in);
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
	sort_set(&ret->set);
	ret->kind = QUERY_CYCLES;
	vec_release(&t.found);
	vec_release(&t.stack);
	vec_release(&t.frames);
	free(t.index);
	free(t.low);
	free(t.on_stack);
	free(inside);
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
	return fail_at(ev->err, ev->text, e->at);
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
	return fail_at(ev->err, ev->text, e->at);
}

static bool eval_deps(struct eval *ev, const struct expr *e, struct value *ret)
{
	struct value x = {0};
	uint64_t depth = UINT64_MAX;
	bool ok = (e->nargs < 2 || eval_depth(ev, e->args[1], &depth)) && eval_nodes(ev, e->args[0], &x);
	if (ok)
		ret->set = reach(ev, &x.set, false, depth, NULL);
	value_release(&x);
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
			U32Vec all = reach(ev, &universe.set, false, UINT64_MAX, NULL);
			inside = flags_of(ev, &all);
			vec_release(&all);
		}
	}
	ok = ok && eval_nodes(ev, e->args[has_universe ? 1 : 0], &x);
	if (ok)
		ret->set = reach(ev, &x.set, true, depth, inside);
	free(inside);
	value_release(&universe);
	value_release(&x);
	return ok;
}

static bool eval_paths(struct eval *ev, const struct expr *e, struct value *ret)
{
	struct value from = {0}, to = {0};
	bool ok = eval_nodes(ev, e->args[0], &from) && eval_nodes(ev, e->args[1], &to);
	if (ok && e->function == FN_ALLPATHS) {
		U32Vec forth = reach(ev, &from.set, false, UINT64_MAX, NULL);
		U32Vec back = reach(ev, &to.set, true, UINT64_MAX, NULL);
		ret->set = combine(OP_INTERSECT, &forth, &back);
		vec_release(&forth);
		vec_release(&back);
	} else if (ok) {
		uint8_t *goal = flags_of(ev, &to.set);
		ret->kind = QUERY_PATH;
		ret->path = shortest(ev, &from.set, goal, 0, NULL);
		for (size_t i = 0; i < ret->path.len; i++)
			vec_push(&ret->set, ret->path.ptr[i]);
		sort_set(&ret->set);
		free(goal);
	}
	value_release(&from);
	value_release(&to);
	return ok;
}

static bool eval_cycles(struct eval *ev, const struct expr *e, struct value *ret)
{
	struct value x = {0};
	bool ok = eval_nodes(ev, e->args[0], &x);
	if (ok) {
		U32Vec all = reach(ev, &x.set, false, UINT64_MAX, NULL);
		find_cycles(ev, &all, ret);
		vec_release(&all);
	}
	value_release(&x);
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
	sort_set(&ret->set);
	ret->kind = QUERY_FILES;
	vec_release(&names);
	value_release(&x);
	return ok;
}

static bool eval_kind(struct eval *ev, const struct expr *e, struct value *ret)
{
	struct value x = {0};
	const struct expr *name = e->args[0];
	if (name->kind != EXPR_NAME) {
		err_set(ev->err, ERR_USER, "the first argument of 'kind' must be the name of a kind");
		return fail_at(ev->err, ev->text, name->at);
	}
	bool ok = eval_nodes(ev, e->args[1], &x);
	for (size_t i = 0; ok && i < x.set.len; i++) {
		struct str kind = ev->g->kind(ev->g->ctx, x.set.ptr[i]);
		if (is_pattern(name) ? matches(name->name, kind) : str_eq(name->name, kind))
			vec_push(&ret->set, x.set.ptr[i]);
	}
	value_release(&x);
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
			ok = fail_at(ev->err, ev->text, t->at);
		}
		if (ok) {
			struct value both = {.kind = b.kind == QUERY_FILES ? QUERY_FILES : QUERY_NODES,
			                     .set = combine(t->op, &ret->set, &b.set)};
			value_release(ret);
			*ret = both;
		}
		value_release(&b);
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

static void sort_by_name(const struct query_graph *g, uint32_t *nodes, size_t n)
{
	if (n)
		qsort_r(nodes, n, sizeof(uint32_t), by_name, (void *)(uintptr_t)g);
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
			sort_by_name(ev->g, ret->nodes.ptr, ret->nodes.len);
	}
}

bool query_run(const struct query_graph *g, struct str text, struct query_result *ret, struct err *err)
{
	struct err local = {0};
	struct eval ev = {.g = g, .text = text, .err = err ? err : &local};
	struct parser p = {.text = text, .arena = &ev.arena, .err = ev.err};
	struct value v = {0};
	const struct expr *e = parse(&p);
	bool ok = e && eval_expr(&ev, e, &v);
	if (ok)
		take_result(&ev, &v, ret);
	value_release(&v);
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

/* ---- printing ---- */

static void add_name(struct str s, struct buf *out)
{
	buf_adds(out, s);
	buf_addc(out, '\n');
}

static void print_text(const struct query_graph *g, const struct query_result *r, struct buf *out)
{
	for (size_t i = 0; i < r->nodes.len; i++)
		add_name(name_of(g, r->nodes.ptr[i]), out);
	for (size_t i = 0; i < r->files.len; i++)
		add_name(r->files.ptr[i], out);
	for (size_t i = 0; i < r->paths.len; i++) {
		const U32Vec *p = &r->paths.ptr[i];
		for (size_t k = 0; k < p->len; k++) {
			buf_adds(out, name_of(g, p->ptr[k]));
			buf_addz(out, " -> ");
		}
		add_name(name_of(g, p->ptr[0]), out);
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
	sort_set(&out);
	sort_by_name(g, out.ptr, out.len);
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
		json_str(j, name_of(g, node));
		json_key(j, "kind");
		json_str(j, g->kind(g->ctx, node));
		json_key(j, "deps");
		json_array(j);
		for (size_t k = 0; k < deps.len; k++)
			json_str(j, name_of(g, deps.ptr[k]));
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
				json_str(&j, name_of(g, r->paths.ptr[i].ptr[k]));
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
	add_dot_id(name_of(g, from), out);
	buf_addz(out, " -> ");
	add_dot_id(name_of(g, to), out);
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
		add_dot_node(name_of(g, r->nodes.ptr[i]), out);
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
