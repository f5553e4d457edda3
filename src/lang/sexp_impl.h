/* sexp_impl.h - between the two halves of the reader: sexp_token.c makes tokens of text, sexp_read.c lists of tokens.
 *
 * All move `at` on. What returns false has set the error. */
#ifndef TENON_LANG_SEXP_IMPL_H
#define TENON_LANG_SEXP_IMPL_H

#include "lang/sexp.h"

/* An open bracket: its items stand on the item stack from `first` on. */
struct open {
	uint8_t kind;
	char close; /* 0: 'x, which closes after one item, or the list of all forms */
	uint32_t line, col, offset;
	size_t first;
};

struct reader {
	struct arena *arena;
	struct str path, text;
	enum sexp_mode mode;
	size_t depth;  /* brackets inside so many others are not read */
	bool ascii;    /* all of the text: columns are differences of offsets */
	size_t at;     /* offset of the next byte */
	uint32_t line; /* of `at` */
	size_t col_at; /* an offset in that line, and its column: counting goes on from there */
	uint32_t col;
	Vec(struct open) open;
	Vec(struct sexp *) items;
	struct buf unescaped;
	struct err *err;
};

enum { SPACE = 1, ENDS = 2, MARK = 4, SPECIAL = 8 };

/* SPACE: white space. ENDS: ends a token in both modes, MARK: in Lisp mode only. SPECIAL: a token's scan looks at it.
 */
extern const uint8_t sexp_classes[256];

static inline uint8_t class_of(char c)
{
	return sexp_classes[(unsigned char)c];
}

static inline bool is_lisp(const struct reader *r)
{
	return r->mode != SEXP_BUILD;
}

static inline char peek(const struct reader *r, size_t ahead)
{
	return r->at + ahead < r->text.len ? r->text.ptr[r->at + ahead] : 0;
}

/* Columns count characters: bytes that do not continue one. Offsets of one line are asked in rising order. */
static inline uint32_t column(struct reader *r, size_t offset)
{
	if (r->ascii)
		return r->col + (uint32_t)(offset - r->col_at);
	for (; r->col_at < offset; r->col_at++)
		r->col += ((unsigned char)r->text.ptr[r->col_at] & 0xc0) != 0x80;
	return r->col;
}

/* The length of a byte order mark at the beginning. */
size_t token_bom(struct str text);
/* Points the error at `offset`. Returns false. */
bool token_fail(struct reader *r, size_t offset, const char *fmt, ...) PRINTF_LIKE(3, 4);
struct sexp *token_node(struct reader *r, uint8_t kind, size_t offset, uint32_t line, uint32_t col);

/* Each of these stands on the first byte of what it is named after, and leaves it behind. */
/* White space and comments, if there are any. */
bool token_skip_space(struct reader *r);
bool token_string(struct reader *r, struct sexp **ret);
bool token_skip_string(struct reader *r);
/* A number, a keyword or a symbol. */
bool token_read(struct reader *r, struct sexp **ret);
bool token_skip(struct reader *r);
/* #\x and #\Space are symbols, as written. */
bool token_character(struct reader *r, struct sexp **ret);
bool token_skip_character(struct reader *r);

#endif
