#include "wire/json_read.h"

#include "base/tap.h"

static void good(const char *text, const char *member, const char *want)
{
	struct arena a = {0};
	struct err err = {0};
	struct json_value *v;
	if (tap_ok(json_read(&a, str_from(text), &v, &err), "reads: %s", text) && member) {
		const struct json_value *m = json_member(v, member);
		tap_ok(m != NULL, "has %s", member);
		tap_eq_str(m ? m->text : (struct str){0}, str_from(want), "its text");
	}
	err_clear(&err);
	arena_release(&a);
}

static void bad(const char *text, const char *want)
{
	struct arena a = {0};
	struct err err = {0};
	struct json_value *v;
	tap_ok(!json_read(&a, str_from(text), &v, &err), "refuses: %s", text);
	tap_eq_str(buf_str(&err.message), str_from(want), "and says why");
	err_clear(&err);
	arena_release(&a);
}

int main(void)
{
	good(" {\"a\" : \"x\\ny\\u00e9\\ud83d\\ude00\"} ", "a", "x\ny\xc3\xa9\xf0\x9f\x98\x80");
	good("{\"exitCode\":-12,\"more\":[1,2,{\"b\":[]}],\"z\":null}", "exitCode", "-12");
	good("[]", NULL, NULL);
	good("{}", NULL, NULL);
	good("12.5e-3", NULL, NULL);
	good("[[[\"deep\"]],true,false]", NULL, NULL);
	bad("", "bad JSON at byte 0: no number");
	bad("{\"a\":1,\"a\":2}", "bad JSON at byte 10: a name stands twice in one object");
	bad("[1,]", "bad JSON at byte 3: no number");
	bad("[1 2]", "bad JSON at byte 3: ',' or a closing bracket is missing");
	bad("{\"a\" 1}", "bad JSON at byte 5: ':' is missing");
	bad("\"abc", "bad JSON at byte 4: the string has no end");
	bad("\"\\ud800\"", "bad JSON at byte 7: half a surrogate pair");
	bad("01", "bad JSON at byte 2: no number");
	bad("1 x", "bad JSON at byte 2: something follows the value");
	bad("hello", "bad JSON at byte 0: no number");
	char deep[JSON_DEPTH + 2];
	memset(deep, '[', sizeof(deep));
	struct arena a = {0};
	struct json_value *v;
	tap_ok(!json_read(&a, str_n(deep, sizeof(deep)), &v, NULL), "too deep");
	int64_t n;
	tap_ok(json_read(&a, STR("9223372036854775807"), &v, NULL) && json_integer(v, &n) && n == INT64_MAX,
	       "the greatest integer");
	tap_ok(json_read(&a, STR("1.0"), &v, NULL) && !json_integer(v, &n), "a fraction is no integer");
	arena_release(&a);
	return tap_done();
}
