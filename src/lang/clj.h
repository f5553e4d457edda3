/* clj.h - Clojure and EDN source as data: a reader that evaluates nothing.
 *
 * Reads one top-level form at a time, so that who wants only the `ns` form of a file pays for that form; what is of no
 * interest is skipped at the speed of a scan for brackets.
 *
 *     struct clj_reader r;
 *     clj_open(&r, &arena, path, text, CLJ_COND, features, nfeatures);
 *     while (ok = clj_peek(&r, &head, err), ok && !r.ended) {
 *             if (str_eqc(head, "ns")) ok = clj_read(&r, &form, err);   // form NULL: a conditional gave nothing
 *             else ok = clj_skip(&r, err);
 *             ...
 *     }
 *     clj_close(&r);
 *
 * All syntax of Clojure 1.12: reader conditionals, with the branch of the first of `features` (and :default) taken;
 * tagged literals, #_, #(), #"", #', #=, metadata, namespaced maps, auto-resolved keywords, characters, ratios, ##Inf.
 * Nothing is recursive: depth costs memory, never stack. Nodes live in the arena; strings without escapes point into
 * `text`, which must live as long. Errors are ERR_USER with place and source line. */
#ifndef TENON_LANG_CLJ_H
#define TENON_LANG_CLJ_H

#include "base/arena.h"
#include "base/err.h"
#include "base/vec.h"

enum clj_kind {
	CLJ_LIST,
	CLJ_VECTOR,
	CLJ_MAP, /* items: key, value, key, ...; `text`: what stood between # and {, such as ":a" or "::b" */
	CLJ_SET,
	CLJ_FN,      /* #(...) */
	CLJ_SYMBOL,  /* nil, true and false too */
	CLJ_KEYWORD, /* without the colons; `resolved` for ::x */
	CLJ_STRING,
	CLJ_REGEX, /* as written between the quotes */
	CLJ_CHAR,  /* as written behind the backslash */
	CLJ_NUMBER,
	CLJ_TAGGED, /* items: the tag, the form */
	/* one item: */
	CLJ_QUOTE,
	CLJ_SYNTAX_QUOTE,
	CLJ_UNQUOTE,
	CLJ_UNQUOTE_SPLICING,
	CLJ_DEREF,
	CLJ_VAR,
	CLJ_EVAL, /* #=form; never evaluated here */
};

/* A form. Immutable once read. Places are offsets; clj_place turns them into lines. */
struct clj {
	uint8_t kind;
	bool resolved;
	uint32_t offset, end; /* bytes in the text */
	uint32_t len;         /* number of items */
	struct clj **items;
	struct str text;
	struct clj *meta; /* the metadata forms before it, outermost first, linked by `next`; NULL: none */
	struct clj *next;
};

enum clj_flags {
	CLJ_COND = 1, /* #? is allowed: a .cljc file */
	CLJ_EDN = 2,  /* only what EDN has */
};

struct clj_open {
	uint8_t frame;
	char close; /* 0: closes by itself after `want` items */
	uint32_t offset, want;
	size_t first;
	struct str text;
};

struct clj_reader {
	struct str path, text;
	bool ended;   /* set by clj_peek: there are no more forms */
	StrVec tags;  /* tags of literals met so far, each once, those of skipped forms too */
	size_t start; /* set by clj_peek: where the next form begins */
	/* the rest is the reader's own */
	struct arena *arena;
	unsigned flags;
	const struct str *features;
	size_t nfeatures, at;
	Vec(struct clj_open) open;
	Vec(struct clj *) items;
	U32Vec depth; /* brackets open while skipping */
	struct buf unescaped;
	struct err *err;
};

/* `features` as keywords without the colon: {"clj"}. Borrows everything. */
void clj_open(struct clj_reader *r, struct arena *a, struct str path, struct str text, unsigned flags,
              const struct str *features, size_t nfeatures);
void clj_close(struct clj_reader *r);
/* Moves to the next top-level form. *ret_head is the symbol it begins with if it is a list that begins with one, "#?"
 * for a reader conditional, otherwise empty. At the end: r->ended. */
bool clj_peek(struct clj_reader *r, struct str *ret_head, struct err *err);
/* Reads the form that clj_peek found. *ret is NULL for a conditional without a branch for us. */
bool clj_read(struct clj_reader *r, struct clj **ret, struct err *err);
/* Passes over it. Brackets and strings are checked, tokens are not. */
bool clj_skip(struct clj_reader *r, struct err *err);
/* All forms of a text, as the items of a list. */
bool clj_read_all(struct arena *a, struct str path, struct str text, unsigned flags, const struct str *features,
                  size_t nfeatures, struct clj **ret, struct err *err);

/* Line and column (in characters), from 1, of a byte of the text; the line itself where ret_line is given. */
void clj_place(struct str text, size_t offset, uint32_t *ret_line, uint32_t *ret_col, struct str *ret_source_line);
/* Fills `err` (ERR_USER) and points it at the form. Always false. */
bool clj_err(const struct clj *c, struct str path, struct str text, struct err *err, const char *fmt, ...)
        PRINTF_LIKE(5, 6);

bool clj_is_symbol(const struct clj *c, const char *name);  /* c may be NULL, here and below */
bool clj_is_keyword(const struct clj *c, const char *name); /* not ::name */
bool clj_is_sequence(const struct clj *c);                  /* a list or a vector */
const struct clj *clj_unquoted(const struct clj *c);        /* X of 'X and (quote X), else c itself */
/* The value behind keyword `name` in a map, or in a list or vector as a plist from item `from`; NULL if absent. */
const struct clj *clj_get(const struct clj *c, uint32_t from, const char *name);
struct str clj_text(const struct clj *c); /* of a symbol, keyword or string; else {NULL, 0} */
/* Prints on one line; what is printed reads back as the same. Discarded forms and branches not taken are gone. */
void clj_print(const struct clj *c, struct buf *out);
/* A string literal, with the quotes; the escapes that Clojure, EDN and BUILD files share. */
void clj_print_string(struct str s, struct buf *out);

#endif
