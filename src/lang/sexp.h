/* sexp.h - s-expressions with places: the hand-written lexer and reader.
 *
 * Reads the driver's messages, plists (module.lisp), and the build language. No
 * regular expressions, no recursion: an explicit stack keeps line and column of
 * every open bracket, so that an error says where it was opened.
 *
 * Syntax: ( ) lists; [ ] vectors; { } maps; strings with \" \\ \n \t \r \uXXXX
 * (Lisp mode: backslash quotes the next character, a newline may stand in the
 * string); integers (64 bit, sign); keywords :x; symbols (kept as written);
 * ; comments; #| |# nested; 'x `x ,x are (quote x) etc. only in Lisp mode;
 * commas are white space in build mode. */
#ifndef TENON_LANG_SEXP_H
#define TENON_LANG_SEXP_H

#include "base/arena.h"
#include "base/err.h"
#include "base/vec.h"

enum sexp_kind { SEXP_LIST, SEXP_VECTOR, SEXP_MAP, SEXP_STRING, SEXP_INT, SEXP_KEYWORD, SEXP_SYMBOL, SEXP_UNREAD };
/* SOURCE: Lisp as people write it. Conditions on features are items of their own, #+x is (#+ x), before what they are
 * about; likewise #.x is (#. x), #p"x" is (#p "x"), #(x) is (# (x)) and #1=x is (#= x); #1# is a symbol. Nothing is
 * evaluated or left out. */
enum sexp_mode { SEXP_LISP, SEXP_BUILD, SEXP_SOURCE };

/* A node of a tree in an arena. Immutable once read. */
struct sexp {
	uint8_t kind;
	uint32_t line, col;   /* from 1; column in characters */
	uint32_t offset, end; /* bytes in the text */
	uint32_t len;         /* LIST, VECTOR, MAP: number of items */
	union {
		struct sexp **items; /* LIST, VECTOR, MAP */
		struct str text;     /* STRING: unescaped; KEYWORD: without the colon; SYMBOL; UNREAD: all of it */
		int64_t integer;
	};
};

/* Reads all forms of `text` into a list node. `path` is for errors only. Nodes and strings live in `a`; strings without
 * escapes may point into `text`, which must live as long. Lisp mode keeps symbols' case as written. */
bool sexp_read(struct arena *a, struct str path, struct str text, enum sexp_mode mode, struct sexp **ret_list,
               struct err *err);

/* The form in a text that holds just one, as Lisp prints it. False: it holds none, or several, or can't be read. */
bool sexp_read_one(struct arena *a, struct str text, struct sexp **ret);

/* As sexp_read, but a bracket inside `depth` others is passed over: it is one node, UNREAD, whose text sexp_read takes.
 * So a long text, of which one part is wanted after the other, is never in memory as a whole tree. Brackets of other
 * kinds than those that were opened are told of when that part is read. */
bool sexp_read_outline(struct arena *a, struct str path, struct str text, enum sexp_mode mode, unsigned depth,
                       struct sexp **ret_list, struct err *err);

/* These take NULL, too. */
bool sexp_is_symbol(const struct sexp *s, const char *name);  /* ASCII case-insensitive in Lisp terms */
bool sexp_is_keyword(const struct sexp *s, const char *name); /* likewise; name without the colon */
bool sexp_is_list(const struct sexp *s, uint32_t least);      /* with so many items at least */
bool sexp_is_nil(const struct sexp *s);                       /* () or the symbol NIL */
/* 0 for what is no list. Here, so that who checks the code sees that a list with items is one. */
static inline uint32_t sexp_list_len(const struct sexp *s)
{
	return s && s->kind == SEXP_LIST ? s->len : 0;
}
/* The value behind keyword `name` in a plist starting at item `from` of list `s`; NULL if absent. */
const struct sexp *sexp_getf(const struct sexp *s, uint32_t from, const char *name);
/* The text of a string, symbol or keyword; {NULL,0} otherwise, or for NULL. */
struct str sexp_text(const struct sexp *s);
int64_t sexp_int(const struct sexp *s, int64_t otherwise);
/* Prints in Lisp syntax, on one line. */
void sexp_print(const struct sexp *s, struct buf *out);
void sexp_print_string(struct str s, struct buf *out); /* with the quotes, Lisp escapes */

#endif
