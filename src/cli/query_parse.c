/* The words of a query, and its expressions. */
#include <stdlib.h>

#include "cli/query_impl.h"

#define MAX_NESTING 100

/* ---- words ---- */

enum token_kind { TOKEN_END, TOKEN_WORD, TOKEN_QUOTED, TOKEN_OPEN, TOKEN_CLOSE, TOKEN_COMMA, TOKEN_OPERATOR };

struct token {
	enum token_kind kind;
	struct str text; /* without quotes */
	size_t at;       /* byte in the query */
};

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
bool query_fail_at(struct err *err, struct str text, size_t at)
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
		query_fail_at(p->err, p->text, p->pos);
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

static struct expr *parse_chain(struct parser *p);

static struct expr *refuse(struct parser *p, size_t at)
{
	query_fail_at(p->err, p->text, at);
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

const struct expr *query_parse(struct str text, struct arena *a, struct err *err)
{
	struct parser p = {.text = text, .arena = a, .err = err};
	return parse(&p);
}
