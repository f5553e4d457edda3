#include "wire/json.h"

#include "base/tap.h"

static void expect_string(struct str text, const char *want, const char *name)
{
	struct buf b = {0};
	struct json j = {.out = &b};
	json_str(&j, text);
	tap_eq_str(buf_str(&b), str_from(want), "%s", name);
	buf_release(&b);
}

static void test_strings(void)
{
	expect_string((struct str){0}, "\"\"", "nothing");
	expect_string(STR("a\"b\\c/"), "\"a\\\"b\\\\c/\"", "quotes and backslashes");
	expect_string(STR("\n\r\t\b\f\0\x1f\x7f"), "\"\\n\\r\\t\\u0008\\u000c\\u0000\\u001f\\u007f\"",
	              "control characters");
	expect_string(STR("\xc3\xa9\xf0\x9f\x98\x80"), "\"\xc3\xa9\xf0\x9f\x98\x80\"", "UTF-8 as it is");
	expect_string(STR("a\xff"
	                  "b"),
	              "\"a\xef\xbf\xbd"
	              "b\"",
	              "a bad byte");
	expect_string(STR("\xe2\x82"), "\"\xef\xbf\xbd\xef\xbf\xbd\"", "a cut sequence");
	expect_string(STR("\xed\xa0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"", "a surrogate");
}

static void test_structure(void)
{
	struct buf b = {0};
	struct json j = {.out = &b};
	json_object(&j);
	json_key(&j, "a");
	json_int(&j, INT64_MIN);
	json_key(&j, "b\"");
	json_array(&j);
	json_null(&j);
	json_bool(&j, true);
	json_object(&j);
	json_end(&j);
	json_array(&j);
	json_end(&j);
	json_strz(&j, NULL);
	json_bool(&j, false);
	json_end(&j);
	json_key(&j, "c");
	json_object(&j);
	json_key(&j, "d");
	json_int(&j, 0);
	json_end(&j);
	json_end(&j);
	tap_eq_str(buf_str(&b),
	           STR("{\"a\":-9223372036854775808,\"b\\\"\":[null,true,{},[],\"\",false],\"c\":{\"d\":0}}"),
	           "objects and arrays in one another");
	buf_addc(&b, '\n');
	buf_clear(&b);
	json_array(&j);
	json_end(&j);
	tap_eq_str(buf_str(&b), STR("[]"), "a second text begins without a comma");
	buf_clear(&b);
	for (int i = 0; i < 60; i++)
		json_array(&j);
	for (int i = 0; i < 60; i++)
		json_end(&j);
	tap_eq_int(b.len, 120, "60 levels");
	tap_eq_int(j.depth, 0, "all closed");
	buf_release(&b);
}

int main(void)
{
	test_strings();
	test_structure();
	return tap_done();
}
