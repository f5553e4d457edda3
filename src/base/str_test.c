#include "base/str.h"

#include "base/tap.h"

static void test_compare(void)
{
	struct str null = {0};
	tap_ok(str_eq(null, STR("")), "the empty slices are equal");
	tap_ok(str_eq(str_from(NULL), null), "NULL is the empty slice");
	tap_ok(str_eqc(STR("abc"), "abc") && !str_eqc(STR("abc"), "abcd"), "str_eqc");
	tap_ok(str_eq(STR("a\0b"), str_n("a\0b", 3)) && !str_eq(STR("a\0b"), STR("a\0c")), "NUL is a byte like others");
	tap_ok(str_cmp(STR("a"), STR("ab")) < 0 && str_cmp(STR("b"), STR("ab")) > 0, "shorter first on a tie");
	tap_ok(str_cmp(STR("\xff"), STR("a")) > 0, "bytes are unsigned");
	tap_ok(str_cmp(null, STR("")) == 0 && str_cmp(null, STR("a")) < 0, "empty compares");
}

static void test_find(void)
{
	struct str null = {0}, s = STR("a/b/c");
	tap_ok(str_has_prefix(s, STR("a/")) && str_has_prefix(s, null) && !str_has_prefix(s, STR("b")), "prefix");
	tap_ok(str_has_suffix(s, STR("/c")) && str_has_suffix(s, null) && !str_has_suffix(null, s), "suffix");
	tap_eq_int(str_find(s, '/'), 1, "first");
	tap_eq_int(str_rfind(s, '/'), 3, "last");
	tap_eq_int(str_find(s, 'x'), 5, "absent");
	tap_eq_int(str_rfind(null, 'x'), 0, "absent in nothing");
	tap_eq_int(str_search(s, STR("b/")), 2, "search");
	tap_eq_int(str_search(s, STR("b/c/d")), 5, "search for what is not there");
	tap_eq_int(str_search(null, STR("x")), 0, "search in nothing");
	tap_eq_int(str_search(s, null), 0, "search for nothing");
}

static void test_cut(void)
{
	struct str null = {0}, rest = STR("a,,b"), part;
	tap_ok(str_cut(&rest, ',', &part) && str_eqc(part, "a"), "cut: first");
	tap_ok(str_cut(&rest, ',', &part) && str_eqc(part, ""), "cut: empty part");
	tap_ok(str_cut(&rest, ',', &part) && str_eqc(part, "b"), "cut: last");
	tap_ok(!str_cut(&rest, ',', &part), "cut: end");
	rest = null;
	tap_ok(!str_cut(&rest, ',', &part), "cut: nothing has no parts");
	tap_eq_str(str_slice(STR("abc"), 1, 100), STR("bc"), "slice is clamped");
	tap_eq_str(str_slice(STR("abc"), 3, 1), STR(""), "slice backwards is empty");
	tap_eq_str(str_slice(null, 0, 5), STR(""), "slice of nothing");
	tap_eq_str(str_drop(STR("abc"), 100), STR(""), "drop is clamped");
	tap_eq_str(str_trim(STR(" \t\r\n\v\fa b\n ")), STR("a b"), "trim");
	tap_eq_str(str_trim(STR(" \n ")), STR(""), "trim of white space");
	tap_eq_str(str_trim(null), STR(""), "trim of nothing");
}

static void test_numbers(void)
{
	uint64_t v = 7;
	tap_ok(str_to_u64(STR("18446744073709551615"), &v) && v == UINT64_MAX, "the largest");
	v = 7;
	tap_ok(!str_to_u64(STR("18446744073709551616"), &v), "one more");
	tap_ok(!str_to_u64(STR("184467440737095516150"), &v), "a digit more");
	tap_ok(!str_to_u64(STR(""), &v) && !str_to_u64(STR("-1"), &v) && !str_to_u64(STR("1 "), &v) &&
	               !str_to_u64(STR("0x1"), &v) && !str_to_u64(STR("\xb1"), &v),
	       "digits only");
	tap_eq_int(v, 7, "a failure leaves the result alone");
	tap_ok(str_to_u64(STR("007"), &v) && v == 7, "leading zeros");
}

static void test_utf8(void)
{
	static const struct {
		struct str text;
		size_t want;
	} cases[] = {
	        {STR(""), 0},
	        {STR("a"), 1},
	        {STR("\0"), 1},
	        {STR("\xc3\xa9"), 2},
	        {STR("\xe2\x82\xac!"), 3},
	        {STR("\xf0\x9f\x98\x80"), 4},
	        {STR("\xf4\x8f\xbf\xbf"), 4}, /* U+10FFFF */
	        {STR("\xf4\x90\x80\x80"), 0}, /* one more */
	        {STR("\xc0\x80"), 0},         /* overlong */
	        {STR("\xe0\x80\xaf"), 0},
	        {STR("\xf0\x80\x80\xaf"), 0},
	        {STR("\xed\xa0\x80"), 0}, /* a surrogate */
	        {STR("\x80"), 0},
	        {STR("\xbf"
	             "a"),
	         0},
	        {STR("\xc3"), 0}, /* cut */
	        {STR("\xf0\x9f\x98"), 0},
	        {STR("\xc3("), 0},
	        {STR("\xf8\x88\x80\x80\x80"), 0},
	        {STR("\xff"), 0},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		tap_eq_int(str_utf8(cases[i].text), cases[i].want, "utf8 case %zu", i);
	char text[64];
	bool ok = true;
	for (size_t bad = 0; bad < sizeof(text); bad++) {
		memset(text, 'x', sizeof(text));
		text[bad] = (char)0xff;
		ok &= str_utf8_prefix(str_n(text, sizeof(text))) == bad;
		ok &= str_ascii_prefix(str_n(text, sizeof(text))) == bad;
	}
	tap_ok(ok, "a bad byte is found at any offset");
	tap_eq_int(str_utf8_prefix(STR("na\xc3\xafve \xe2\x82\xac")), 10, "all valid");
	tap_eq_int(str_utf8_prefix(STR("na\xc3\xafve \xe2\x82")), 7, "cut at the end");
	tap_eq_int(str_characters(STR("na\xc3\xafve \xe2\x82\xac")), 7, "characters");
}

static void test_distance(void)
{
	tap_eq_int(str_distance(STR("ironclad"), STR("ironclad"), 3), 0, "equal");
	tap_eq_int(str_distance(STR("ironcald"), STR("ironclad"), 3), 1, "neighbours swapped");
	tap_eq_int(str_distance(STR("ironclda"), STR("ronclad"), 3), 2, "dropped and swapped");
	tap_eq_int(str_distance(STR("kitten"), STR("sitting"), 5), 3, "the classic");
	tap_eq_int(str_distance(STR("kitten"), STR("sitting"), 2), 3, "capped at max + 1");
	tap_eq_int(str_distance(STR(""), STR("abc"), 5), 3, "from nothing");
	tap_eq_int(str_distance(STR("abc"), STR(""), 1), 2, "to nothing, capped");
	tap_eq_int(str_distance((struct str){0}, (struct str){0}, 0), 0, "nothing and nothing");
}

static void test_buf(void)
{
	struct buf b = {0};
	tap_eq_str(str_from(buf_cstr(&b)), STR(""), "an empty builder is a C string");
	tap_eq_str(buf_str(&b), STR(""), "an empty builder is an empty slice");
	buf_clear(&b);
	buf_adds(&b, (struct str){0});
	buf_add(&b, NULL, 0);
	tap_eq_int(buf_cstr(&b)[0], 0, "adding nothing");
	buf_addf(&b, "%s", "");
	for (int i = 0; i < 300; i++)
		buf_addf(&b, "%d,", i);
	tap_eq_int(b.len, 10 * 2 + 90 * 3 + 200 * 4, "formats of many lengths");
	tap_ok(strlen(buf_cstr(&b)) == b.len, "always ends with NUL");
	buf_clear(&b);
	size_t cap = b.cap;
	buf_addc(&b, 'x');
	tap_ok(b.cap == cap && str_eqc(buf_str(&b), "x"), "clear keeps the memory");
	buf_clear(&b);
	bool terminated = true;
	for (size_t i = 0; i < 100000; i++) {
		buf_addc(&b, (char)('a' + i % 26));
		terminated &= b.ptr[b.len] == 0;
	}
	tap_ok(terminated && b.len == 100000 && b.ptr[99999] == 'a' + 99999 % 26, "100,000 single bytes");
	/* The length of a formatted text that just fits, and just does not. */
	bool fits = true;
	for (int n = 60; n < 200; n++) {
		struct buf exact = {0};
		buf_addf(&exact, "%*s", n, "e");
		fits &= exact.len == (size_t)n && exact.ptr[n - 1] == 'e' && !exact.ptr[n];
		buf_release(&exact);
	}
	tap_ok(fits, "formats around the size of the first block");
	buf_release(&b);
	tap_ok(!b.ptr && !b.len && !b.cap, "release leaves a usable builder");
}

static void test_add_utf8(void)
{
	struct buf b = {0};
	const uint32_t codes[] = {0x7f, 0x80, 0x7ff, 0x800, 0xffff, 0x10000, 0x10ffff};
	for (size_t i = 0; i < ARRAY_LEN(codes); i++)
		buf_add_utf8(&b, codes[i]);
	tap_eq_str(buf_str(&b), STR("\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"),
	           "the first and the last of each length");
	buf_release(&b);
}

int main(void)
{
	test_compare();
	test_find();
	test_cut();
	test_numbers();
	test_utf8();
	test_distance();
	test_buf();
	test_add_utf8();
	return tap_done();
}
