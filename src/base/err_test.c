#include "base/err.h"

#include <errno.h>

#include "base/tap.h"

static void expect(const struct err *err, const char *want, const char *name)
{
	struct buf out = {0};
	err_format(err, &out);
	tap_eq_str(buf_str(&out), str_from(want), "%s", name);
	buf_release(&out);
}

static void test_format(void)
{
	struct err err = {0};
	tap_ok(!err_set(&err, ERR_USER, "no target \"%s\"", "foo"), "err_set is false");
	expect(&err, "no target \"foo\"\n", "a message alone");
	err_note(&err, "did you mean \"%s\"?", "food");
	err_note(&err, "see tenon help");
	expect(&err, "no target \"foo\"\nnote: did you mean \"food\"?\nnote: see tenon help\n", "notes");
	err_at(&err, STR("a.lisp"), 3, 7, STR("\t(foo bar)"));
	expect(&err,
	       "a.lisp:3:7: no target \"foo\"\n\t(foo bar)\n\t     ^\nnote: did you mean \"food\"?\n"
	       "note: see tenon help\n",
	       "a place; tabs stay tabs");
	err_at(&err, STR("a.lisp"), 3, 0, STR("(foo)"));
	expect(&err, "a.lisp:3: no target \"foo\"\n(foo)\nnote: did you mean \"food\"?\nnote: see tenon help\n",
	       "no column, no caret");
	err_set(&err, ERR_USER, "again");
	err_at(&err, STR("b"), 0, 0, STR(""));
	expect(&err, "b: again\n", "a path alone; a new error drops the notes");
	err_at(&err, STR("b"), 1, 3, STR(""));
	expect(&err, "b:1:3: again\n", "an empty source line is not shown");
	err_clear(&err);
}

static void test_source_lines(void)
{
	struct err err = {0};
	err_set(&err, ERR_USER, "m");
	err_at(&err, STR("f"), 1, 5, STR("h\xc3\xa9 \xe2\x82\xac x"));
	expect(&err, "f:1:5: m\nh\xc3\xa9 \xe2\x82\xac x\n    ^\n", "columns are characters");
	err_at(&err, STR("f"), 1, 6, STR("abc\r"));
	expect(&err, "f:1:6: m\nabc\n     ^\n", "a column behind the end; no carriage return");
	err_at(&err, STR("f"), 1, 2, STR("a\x1b[2Jb"));
	expect(&err, "f:1:2: m\na?[2Jb\n ^\n", "control characters do not reach the terminal");

	struct buf line = {0}, want = {0};
	for (int i = 0; i < 1000000; i++)
		buf_addc(&line, (char)('0' + i % 10));
	err_at(&err, STR("f"), 1, 500001, buf_str(&line));
	buf_addz(&want, "f:1:500001: m\n...");
	for (int i = 0; i < 160; i++)
		buf_addc(&want, (char)('0' + i % 10));
	buf_addf(&want, "...\n%*s^\n", 83, "");
	expect(&err, buf_cstr(&want), "of a line of a megabyte the part around the column is shown");
	buf_release(&line);
	buf_release(&want);
	err_clear(&err);
}

static void test_sys(void)
{
	struct err err = {0};
	errno = ENOENT;
	tap_ok(!err_sys(&err, ERR_USER, "can't open \"%s\"", "x"), "err_sys is false");
	expect(&err, "can't open \"x\": No such file or directory\n", "errno's text");
	tap_ok(err.kind == ERR_USER && err.errnum == ENOENT, "kind and errno");
	static const int environment[] = {ENOSPC, EDQUOT, EACCES, EROFS, EMFILE};
	for (size_t i = 0; i < ARRAY_LEN(environment); i++) {
		errno = environment[i];
		err_sys(&err, ERR_ACTION, "x");
		tap_eq_int(err.kind, ERR_ENVIRONMENT, "errno %d is the environment's", environment[i]);
	}
	err_clear(&err);
}

static void test_ownership(void)
{
	struct err a = {0}, b = {0};
	tap_ok(!err_set(NULL, ERR_USER, "x") && !err_sys(NULL, ERR_USER, "x"), "nobody asks");
	err_at(NULL, STR("x"), 1, 1, STR(""));
	err_note(NULL, "x");
	err_clear(NULL);
	char path[] = "path";
	err_set(&a, ERR_USER, "one");
	err_at(&a, str_from(path), 1, 1, STR("line"));
	path[0] = 'P';
	tap_eq_str(a.span.path, STR("path"), "the path is copied");
	err_set(&a, ERR_ACTION, "two, after %s", buf_cstr(&a.message));
	expect(&a, "two, after one\n", "a message may speak of the one it replaces");
	err_at(&a, STR("p"), 1, 2, STR("line"));
	err_at(&a, a.span.path, 3, 4, a.span.source_line);
	expect(&a, "p:3:4: two, after one\nline\n   ^\n", "a place may be made of the one it replaces");
	err_set(&b, ERR_USER, "dropped");
	err_move(&b, &a);
	tap_ok(a.kind == ERR_NONE && !a.message.ptr && b.kind == ERR_ACTION, "move");
	err_move(NULL, &b);
	tap_ok(b.kind == ERR_NONE && !b.message.ptr, "move to nobody clears");
	err_clear(&a);
}

static void test_kinds(void)
{
	static const struct {
		enum err_kind kind;
		int code;
		const char *name;
	} kinds[] = {{ERR_NONE, 0, "none"},           {ERR_USER, 2, "user"},
	             {ERR_ACTION, 1, "action"},       {ERR_ENVIRONMENT, 3, "environment"},
	             {ERR_TRANSIENT, 4, "transient"}, {ERR_BUG, 70, "bug"}};
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		tap_eq_int(err_exit_code(kinds[i].kind), kinds[i].code, "exit code of %s", kinds[i].name);
		tap_eq_str(str_from(err_kind_name(kinds[i].kind)), str_from(kinds[i].name), "its name");
	}
}

int main(void)
{
	test_format();
	test_source_lines();
	test_sys();
	test_ownership();
	test_kinds();
	return tap_done();
}
