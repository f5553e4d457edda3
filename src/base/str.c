#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"

struct str str_from(const char *cstr)
{
	return cstr ? (struct str){cstr, strlen(cstr)} : (struct str){0};
}

struct str str_n(const char *ptr, size_t len)
{
	return (struct str){ptr, len};
}

bool str_eq(struct str a, struct str b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

bool str_eqc(struct str a, const char *b)
{
	return str_eq(a, str_from(b));
}

int str_cmp(struct str a, struct str b)
{
	size_t n = MIN(a.len, b.len);
	int c = n ? memcmp(a.ptr, b.ptr, n) : 0;
	return c ? c : (a.len > b.len) - (a.len < b.len);
}

bool str_has_prefix(struct str s, struct str prefix)
{
	return s.len >= prefix.len && str_eq(str_n(s.ptr, prefix.len), prefix);
}

bool str_has_suffix(struct str s, struct str suffix)
{
	return s.len >= suffix.len && str_eq(str_drop(s, s.len - suffix.len), suffix);
}

size_t str_find(struct str s, char c)
{
	const char *p = s.len ? memchr(s.ptr, c, s.len) : NULL;
	return p ? (size_t)(p - s.ptr) : s.len;
}

size_t str_rfind(struct str s, char c)
{
	const char *p = s.len ? memrchr(s.ptr, c, s.len) : NULL;
	return p ? (size_t)(p - s.ptr) : s.len;
}

size_t str_search(struct str s, struct str needle)
{
	if (!needle.len)
		return 0;
	const char *p = s.len ? memmem(s.ptr, s.len, needle.ptr, needle.len) : NULL;
	return p ? (size_t)(p - s.ptr) : s.len;
}

struct str str_drop(struct str s, size_t n)
{
	n = MIN(n, s.len);
	return n ? str_n(s.ptr + n, s.len - n) : s;
}

struct str str_slice(struct str s, size_t from, size_t to)
{
	to = MIN(to, s.len);
	return from < to ? str_n(s.ptr + from, to - from) : str_n(s.ptr, 0);
}

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

struct str str_trim(struct str s)
{
	while (s.len && is_space(s.ptr[s.len - 1]))
		s.len--;
	while (s.len && is_space(*s.ptr))
		s = str_drop(s, 1);
	return s;
}

bool str_cut(struct str *rest, char sep, struct str *ret_part)
{
	if (!rest->len)
		return false;
	size_t at = str_find(*rest, sep);
	*ret_part = str_n(rest->ptr, at);
	*rest = str_drop(*rest, at + 1);
	return true;
}

bool str_to_u64(struct str s, uint64_t *ret)
{
	uint64_t v = 0;
	for (size_t i = 0; i < s.len; i++) {
		unsigned digit = (unsigned)s.ptr[i] - '0';
		if (digit > 9 || __builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, digit, &v))
			return false;
	}
	if (s.len)
		*ret = v;
	return s.len > 0;
}

size_t str_utf8(struct str s)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	if (!s.len)
		return 0;
	unsigned char lead = (unsigned char)s.ptr[0];
	size_t n = lead < 0x80 ? 1 : lead >= 0xc0 && lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
	if (n == 1)
		return 1;
	if (lead < 0xc0 || lead >= 0xf8 || s.len < n)
		return 0;
	uint32_t c = lead & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if (((unsigned char)s.ptr[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | ((unsigned char)s.ptr[i] & 0x3f);
	}
	return c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff) ? 0 : n;
}

size_t str_ascii_prefix(struct str s)
{
	size_t i = 0;
	for (; i + 8 <= s.len; i += 8) {
		uint64_t w;
		memcpy(&w, s.ptr + i, 8);
		if (w & 0x8080808080808080u)
			break;
	}
	while (i < s.len && (unsigned char)s.ptr[i] < 0x80)
		i++;
	return i;
}

size_t str_characters(struct str s)
{
	size_t n = 0;
	for (size_t i = 0; i < s.len; i++)
		n += ((unsigned char)s.ptr[i] & 0xc0) != 0x80;
	return n;
}

size_t str_utf8_prefix(struct str s)
{
	size_t at = 0;
	while (at < s.len) {
		at += str_ascii_prefix(str_drop(s, at));
		size_t n = str_utf8(str_drop(s, at));
		if (!n)
			break;
		at += n;
	}
	return at;
}

static uint64_t mix(uint64_t a, uint64_t b)
{
	__uint128_t m = (__uint128_t)a * b;
	return (uint64_t)m ^ (uint64_t)(m >> 64);
}

/* Multiply and fold, eight bytes at a time: quick and well spread; no promise against an adversary. */
uint64_t str_hash(struct str s)
{
	uint64_t h = 0x9e3779b97f4a7c15u ^ s.len;
	size_t i = 0;
	for (; i + 8 <= s.len; i += 8) {
		uint64_t w;
		memcpy(&w, s.ptr + i, 8);
		h = mix(h ^ w, 0xa0761d6478bd642fu);
	}
	uint64_t tail = 0;
	if (i < s.len)
		memcpy(&tail, s.ptr + i, s.len - i);
	return mix(h ^ tail, 0xe7037ed1a0b428dbu);
}

size_t str_distance(struct str a, struct str b, size_t max)
{
	size_t gap = a.len > b.len ? a.len - b.len : b.len - a.len;
	if (gap > max)
		return max + 1;
	size_t width = b.len + 1;
	size_t *rows = xcalloc(3 * width, sizeof(*rows));
	size_t *before = rows, *last = rows + width, *now = rows + 2 * width;
	for (size_t j = 0; j < width; j++)
		last[j] = j;
	for (size_t i = 1; i <= a.len; i++) {
		now[0] = i;
		for (size_t j = 1; j <= b.len; j++) {
			size_t cost = a.ptr[i - 1] != b.ptr[j - 1];
			size_t best = MIN(last[j - 1] + cost, MIN(last[j], now[j - 1]) + 1);
			if (i > 1 && j > 1 && a.ptr[i - 1] == b.ptr[j - 2] && a.ptr[i - 2] == b.ptr[j - 1])
				best = MIN(best, before[j - 2] + 1);
			now[j] = best;
		}
		size_t *recycled = before;
		before = last;
		last = now;
		now = recycled;
	}
	size_t distance = MIN(last[b.len], max + 1);
	free(rows);
	return distance;
}

struct str str_dup(struct arena *a, struct str s)
{
	char *p = arena_bytes(a, s.len + 1);
	if (s.len) {
		CHECK(s.ptr);
		memcpy(p, s.ptr, s.len);
	}
	p[s.len] = 0;
	return str_n(p, s.len);
}

char *str_dupz(struct arena *a, struct str s)
{
	return (char *)(uintptr_t)str_dup(a, s).ptr;
}

struct str str_fmt(struct arena *a, const char *fmt, ...)
{
	struct buf b = {0};
	va_list ap;
	va_start(ap, fmt);
	buf_addv(&b, fmt, ap);
	va_end(ap);
	struct str s = str_dup(a, buf_str(&b));
	buf_release(&b);
	return s;
}

void buf_release(struct buf *b)
{
	free(b->ptr);
	*b = (struct buf){0};
}

void buf_clear(struct buf *b)
{
	b->len = 0;
	if (b->ptr)
		b->ptr[0] = 0;
}

void buf_reserve(struct buf *b, size_t extra)
{
	size_t need;
	if (__builtin_add_overflow(b->len, extra, &need) || __builtin_add_overflow(need, 1, &need))
		BUG("a text of more than the address space");
	if (need <= b->cap)
		return;
	size_t cap = MAX(need, b->cap + b->cap / 2);
	b->ptr = xrealloc(b->ptr, MAX(cap, (size_t)32));
	b->cap = MAX(cap, (size_t)32);
}

void buf_add(struct buf *b, const void *p, size_t n)
{
	buf_reserve(b, n);
	if (n)
		memcpy(b->ptr + b->len, p, n);
	b->len += n;
	b->ptr[b->len] = 0;
}

void buf_addc(struct buf *b, char c)
{
	buf_reserve(b, 1);
	b->ptr[b->len++] = c;
	b->ptr[b->len] = 0;
}

void buf_add_utf8(struct buf *b, uint32_t c)
{
	if (c < 0x80) {
		buf_addc(b, (char)c);
		return;
	}
	if (c < 0x800) {
		buf_addc(b, (char)(0xc0 | c >> 6));
	} else {
		if (c < 0x10000) {
			buf_addc(b, (char)(0xe0 | c >> 12));
		} else {
			buf_addc(b, (char)(0xf0 | c >> 18));
			buf_addc(b, (char)(0x80 | (c >> 12 & 0x3f)));
		}
		buf_addc(b, (char)(0x80 | (c >> 6 & 0x3f)));
	}
	buf_addc(b, (char)(0x80 | (c & 0x3f)));
}

void buf_adds(struct buf *b, struct str s)
{
	buf_add(b, s.ptr, s.len);
}

void buf_addz(struct buf *b, const char *cstr)
{
	buf_adds(b, str_from(cstr));
}

void buf_addv(struct buf *b, const char *fmt, va_list ap)
{
	va_list again;
	va_copy(again, ap);
	buf_reserve(b, 80);
	int n = vsnprintf(b->ptr + b->len, b->cap - b->len, fmt, ap);
	CHECK(n >= 0);
	if ((size_t)n >= b->cap - b->len) {
		buf_reserve(b, (size_t)n);
		vsnprintf(b->ptr + b->len, b->cap - b->len, fmt, again);
	}
	va_end(again);
	b->len += (size_t)n;
}

void buf_addf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	buf_addv(b, fmt, ap);
	va_end(ap);
}

const char *buf_cstr(struct buf *b)
{
	return b->ptr ? b->ptr : "";
}

struct str buf_str(const struct buf *b)
{
	return str_n(b->ptr, b->len);
}
