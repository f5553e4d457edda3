/* str.h - strings: a slice that borrows (struct str) and a builder that owns
 * (struct buf).
 *
 * A slice is passed by value and never owns its bytes. A builder is always
 * NUL-terminated behind its length, so buf.ptr is usable as a C string once
 * anything was appended; buf_str() gives the slice.
 *
 *     struct buf b = {0};
 *     buf_addf(&b, "%s:%d", file, line);
 *     use(buf_str(&b));
 *     buf_release(&b);
 */
#ifndef TENON_BASE_STR_H
#define TENON_BASE_STR_H

#include <stdarg.h>
#include <string.h>

#include "base/base.h"

struct arena;

struct str {
	const char *ptr;
	size_t len;
};

/* A slice of a string literal; usable in initialisers. */
#define STR(lit)   ((struct str){"" lit, sizeof(lit) - 1})
/* The two arguments of a "%.*s" conversion. */
#define STR_ARG(s) (int)(s).len, (s).ptr

struct str str_from(const char *cstr); /* NULL gives the empty slice */
struct str str_n(const char *ptr, size_t len);
bool str_eq(struct str a, struct str b);
bool str_eqc(struct str a, const char *b);
int str_cmp(struct str a, struct str b); /* by bytes; shorter first on a tie */
bool str_has_prefix(struct str s, struct str prefix);
bool str_has_suffix(struct str s, struct str suffix);
/* First index of byte `c`, or s.len. */
size_t str_find(struct str s, char c);
/* Last index of byte `c`, or s.len. */
size_t str_rfind(struct str s, char c);
/* First index of `needle`, or s.len. */
size_t str_search(struct str s, struct str needle);
struct str str_drop(struct str s, size_t n);                /* without its first n bytes */
struct str str_slice(struct str s, size_t from, size_t to); /* bytes [from, to), clamped */
struct str str_trim(struct str s);                          /* without ASCII white space at both ends */
/* Cuts *rest at the first `sep`: returns the part before, leaves the part
 * after. At the end returns false. "a,,b" gives "a", "", "b"; "" gives none. */
bool str_cut(struct str *rest, char sep, struct str *ret_part);
bool str_to_u64(struct str s, uint64_t *ret); /* decimal digits only, no overflow */
/* Bytes of the UTF-8 character that `s` begins with: 1 to 4, or 0 if there is none (nothing there, a stray or cut
 * sequence, an overlong form, a surrogate, beyond U+10FFFF). */
size_t str_utf8(struct str s);
/* Bytes at the start of `s` that are valid UTF-8; s.len when all is. */
size_t str_utf8_prefix(struct str s);
/* UTF-8 characters in `s`: bytes that do not continue one. */
size_t str_characters(struct str s);
/* Bytes at the start of `s` below 128. */
size_t str_ascii_prefix(struct str s);
uint64_t str_hash(struct str s);
/* Edit distance (Damerau-Levenshtein, restricted), capped at `max` + 1. */
size_t str_distance(struct str a, struct str b, size_t max);

/* Copies in an arena, NUL-terminated behind the slice's end. */
struct str str_dup(struct arena *a, struct str s);
char *str_dupz(struct arena *a, struct str s);
struct str str_fmt(struct arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3);

struct buf {
	char *ptr;
	size_t len;
	size_t cap;
};

void buf_release(struct buf *b); /* frees; the builder is empty and usable again */
void buf_clear(struct buf *b);   /* length 0, keeps the memory */
void buf_reserve(struct buf *b, size_t extra);
void buf_add(struct buf *b, const void *p, size_t n);
void buf_addc(struct buf *b, char c);
/* `c`, at most 0x10ffff, as UTF-8; a surrogate as the three bytes that the same rule gives. */
void buf_add_utf8(struct buf *b, uint32_t c);
void buf_adds(struct buf *b, struct str s);
void buf_addz(struct buf *b, const char *cstr);
void buf_addf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
void buf_addv(struct buf *b, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);
/* A C string of what the builder holds ("" when empty); owned by the builder. */
const char *buf_cstr(struct buf *b);
struct str buf_str(const struct buf *b);

#endif
