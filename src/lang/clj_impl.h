/* clj_impl.h - what the files that implement clj.h share. */
#ifndef TENON_LANG_CLJ_IMPL_H
#define TENON_LANG_CLJ_IMPL_H

#include "lang/clj.h"

/* SPACE: white space, the comma too. MACRO: begins something when it stands first. TERMINATES: ends a token. */
enum { CLJ_SPACE = 1, CLJ_MACRO = 2, CLJ_TERMINATES = 4 };
extern const uint8_t clj_classes[256];

static inline uint8_t clj_class(char c)
{
	return clj_classes[(unsigned char)c];
}

static inline char clj_byte(const struct clj_reader *r, size_t at)
{
	return at < r->text.len ? r->text.ptr[at] : 0;
}

static inline char clj_closer(char open)
{
	return open == '(' ? ')' : open == '[' ? ']' : '}';
}

bool clj_fail(struct clj_reader *r, size_t offset, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Moves `at` over white space and comments. */
void clj_space(struct clj_reader *r);
/* The end of the token at `at`. */
size_t clj_token_end(const struct clj_reader *r, size_t at);
size_t clj_number_end(const struct clj_reader *r, size_t at); /* any macro character ends a number */
/* `at` stands on the opening quote: behind the closing one. False: there is none. */
bool clj_string_end(const struct clj_reader *r, size_t at, size_t *ret);
bool clj_is_tag_start(char c); /* behind "#" */
void clj_note_tag(struct clj_reader *r, struct str tag);
/* One form, and what belongs to it, from `at` on. */
bool clj_skip_form(struct clj_reader *r);
/* "(" opened at 3:7 is never closed */
bool clj_unclosed(struct clj_reader *r, size_t offset, const char *what);
/* `at` stands on a closing bracket that does not fit the opening one at `opened`. */
bool clj_mismatch(struct clj_reader *r, size_t at, size_t opened);

/* -- leaves: `at` stands on the first byte, and is left behind the last -- */
struct clj *clj_node(struct clj_reader *r, enum clj_kind kind, size_t offset);
bool clj_is_digit(char c);
bool clj_name_is_valid(struct str s); /* of a symbol or a keyword, without leading colons */
bool clj_read_number(struct clj_reader *r, struct clj **ret);
bool clj_read_token(struct clj_reader *r, struct clj **ret); /* a symbol or a keyword */
bool clj_read_char(struct clj_reader *r, struct clj **ret);
bool clj_read_string(struct clj_reader *r, struct clj **ret);
bool clj_read_regex(struct clj_reader *r, struct clj **ret);

#endif
