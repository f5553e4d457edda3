/* sexp_impl.h - what the files that implement the reader of sexp.h share: sexp_token.c is the lexer, sexp_read.c makes
 * trees of what it gives. */
#ifndef TENON_LANG_SEXP_IMPL_H
#define TENON_LANG_SEXP_IMPL_H

#include "lang/sexp.h"

/* An open bracket: its items stand on the item stack from `first` on. */
struct sexp_open {
	uint8_t kind;
	char close; /* 0: 'x, which closes after one item, or the list of all forms */
	uint32_t line, col, offset;
	size_t first;
};

struct sexp_reader {
	struct arena *arena;
	struct str path, text;
	enum sexp_mode mode;
	bool ascii;    /* all of the text: columns are differences of offsets */
	size_t at;     /* offset of the next byte */
	uint32_t line; /* of `at` */
	size_t col_at; /* an offset in that line, and its column: counting goes on from there */
	uint32_t col;
	Vec(struct sexp_open) open;
	Vec(struct sexp *) items;
	struct buf unescaped;
	struct err *err;
};

static inline bool sexp_is_lisp(const struct sexp_reader *r)
{
	return r->mode != SEXP_BUILD;
}

static inline char sexp_peek(const struct sexp_reader *r, size_t ahead)
{
	return r->at + ahead < r->text.len ? r->text.ptr[r->at + ahead] : 0;
}

/* Errors end the reading. */
bool sexp_fail(struct sexp_reader *r, size_t offset, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Columns count characters: bytes that do not continue one. Offsets of one line are asked in rising order. */
uint32_t sexp_column(struct sexp_reader *r, size_t offset);
size_t sexp_bom_length(struct str text);
/* Leaves `at` on the next thing that means something, or at the end. */
bool sexp_skip_space(struct sexp_reader *r);
/* A node of the text from `offset` to `at`. */
struct sexp *sexp_node(struct sexp_reader *r, uint8_t kind, size_t offset, uint32_t line, uint32_t col);
/* What is no bracket and no quote; `at` stands on its first byte, and is left behind it. */
bool sexp_read_atom(struct sexp_reader *r, struct sexp **ret);

#endif
