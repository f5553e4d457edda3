#include "base/arena.h"

#include "base/str.h"
#include "base/tap.h"

static bool all_zero(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i])
			return false;
	return true;
}

static void test_alignment_and_zero(void)
{
	struct arena a = {0};
	bool aligned = true, zero = true;
	size_t sum = 0;
	for (size_t i = 0; i < 20000; i++) {
		size_t n = i * 7919 % 300;
		char *odd = arena_bytes(&a, i % 5);
		memset(odd, 0xff, i % 5);
		char *p = arena_alloc(&a, n);
		aligned &= (uintptr_t)p % _Alignof(max_align_t) == 0;
		zero &= all_zero(p, n);
		memset(p, 0xff, n);
		sum += n + i % 5;
	}
	tap_ok(aligned, "blocks are aligned after odd byte counts");
	tap_ok(zero, "blocks are zero and overlap none");
	tap_eq_int(a.used, sum, "used counts what was asked for");
	arena_release(&a);
	tap_ok(!a.head && !a.used, "release leaves a zeroed arena");
	arena_release(&a);
}

static void test_sizes(void)
{
	struct arena a = {0};
	tap_ok(arena_alloc(&a, 0) != NULL, "size 0 as the first allocation is a valid pointer");
	tap_ok(arena_bytes(&a, 0) != NULL, "no bytes are a valid pointer");
	char *small = arena_bytes(&a, 10);
	char *large = arena_alloc(&a, 64u << 20);
	char *next = arena_bytes(&a, 10);
	tap_ok(all_zero(large, 64u << 20), "64 MiB in one piece are zero");
	tap_eq_int(next - small, 10, "a large block does not waste the chunk in use");
	arena_release(&a);
	large = arena_alloc(&a, 5000);
	memset(large, 1, 5000);
	tap_ok(all_zero(arena_alloc(&a, 5000), 5000), "a first block larger than a chunk");
	tap_ok(arena_new_n(&a, uint64_t, 0) != NULL, "an array of none");
	arena_release(&a);
}

static void test_strings(void)
{
	struct arena a = {0};
	struct str s = str_dup(&a, STR("abc"));
	tap_eq_str(s, STR("abc"), "str_dup copies");
	tap_eq_int(s.ptr[3], 0, "str_dup ends with NUL");
	tap_eq_str(str_dup(&a, (struct str){0}), STR(""), "str_dup of nothing");
	tap_eq_int(str_dup(&a, (struct str){0}).ptr[0], 0, "str_dup of nothing is a C string");
	tap_eq_str(str_fmt(&a, "%s-%d", "x", 42), STR("x-42"), "str_fmt");
	tap_eq_str(str_from(str_dupz(&a, STR("zero"))), STR("zero"), "str_dupz");
	tap_eq_int(str_fmt(&a, "%*s", 100000, "x").len, 100000, "str_fmt of a long text");
	arena_release(&a);
}

int main(void)
{
	test_alignment_and_zero();
	test_sizes();
	test_strings();
	return tap_done();
}
