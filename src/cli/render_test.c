/* Diagnostics as text, against the files in golden/. TENON_UPDATE_GOLDEN=1 rewrites them. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/tap.h"
#include "cli/render.h"
#include "cli/source_path.h"
#include "os/fs.h"

static const char source[] = "(defpackage :frob (:use :cl))\n"
                             "(in-package :frob)\n"
                             "(defun frob (x)\n"
                             "\t(list \"\xe6\x97\xa5\xe6\x9c\xac\" y x))\n"
                             "bad \xff\x1b[31m bytes\n"
                             "(defparameter *long* '(aaaaaaaaaa bbbbbbbbbb cccccccccc dddddddddd eeeeeeeeee ffffffffff "
                             "gggggggggg hhhhhhhhhh iiiiiiiiii jjjjjjjjjj kkkkkkkkkk))\n"
                             "last line without an end";

struct fixture {
	struct arena arena;
	char *dir, *file;
	struct render render;
	struct buf out;
};

static void golden(struct fixture *f, const char *name)
{
	struct buf want = {0};
	struct err err = {0};
	if (getenv("TENON_UPDATE_GOLDEN")) {
		char *dir = source_path(&f->arena, __FILE__, "src/cli/golden");
		fs_write_atomic(path_join(&f->arena, dir, name), buf_str(&f->out), 0644, false, &err);
	}
	char *rel = path_join(&f->arena, "src/cli/golden", name);
	tap_ok(fs_read(source_path(&f->arena, __FILE__, rel), &want, &err), "golden file for %s", name);
	tap_eq_str(buf_str(&f->out), buf_str(&want), "%s", name);
	err_clear(&err);
	buf_release(&want);
	buf_clear(&f->out);
}

static struct diagnostic at(struct fixture *f, enum severity s, uint32_t line, uint32_t col, struct str message)
{
	return (struct diagnostic){
	        .severity = s, .path = str_from(f->file), .line = line, .col = col, .message = message};
}

static void show(struct fixture *f, struct diagnostic d)
{
	render_diagnostic(&f->render, &d, &f->out);
}

static void test_places(struct fixture *f)
{
	struct diagnostic d = at(f, SEVERITY_WARNING, 4, 13, STR("undefined variable: Y"));
	d.context = STR("in: defun frob");
	d.hint = STR("did you mean X?");
	show(f, d);
	golden(f, "tab-and-wide.txt");
	f->render.color = true;
	show(f, d);
	f->render.color = false;
	golden(f, "colors.txt");
	show(f, at(f, SEVERITY_ERROR, 5, 6, STR("not UTF-8")));
	golden(f, "bad-bytes.txt");
	show(f, at(f, SEVERITY_STYLE, 6, 130, STR("far to the right")));
	show(f, at(f, SEVERITY_STYLE, 6, 2, STR("far to the left")));
	golden(f, "long-line.txt");
	show(f, at(f, SEVERITY_ERROR, 7, 25, STR("end of file: the form that opened here is never closed")));
	show(f, at(f, SEVERITY_ERROR, 99, 1, STR("a line that is not there")));
	show(f, at(f, SEVERITY_NOTE, 2, 0, STR("no column")));
	show(f, at(f, SEVERITY_NOTE, 0, 0, STR("no line")));
	golden(f, "partial-places.txt");
}

static void test_without_source(struct fixture *f)
{
	struct diagnostic d = {.severity = SEVERITY_ERROR,
	                       .label = STR("frob/src/a.lisp"),
	                       .message = STR("the compiler process ended with signal 9 (killed)")};
	show(f, d);
	d = (struct diagnostic){.severity = SEVERITY_ERROR,
	                        .path = STR("/nonexistent/a.lisp"),
	                        .line = 3,
	                        .col = 1,
	                        .message = STR("gone"),
	                        .form = STR("(defun gone ()\n  1)"),
	                        .context = STR("defun gone")};
	show(f, d);
	golden(f, "no-source.txt");
	char *pipe = path_join(&f->arena, f->dir, "pipe");
	tap_ok(mkfifo(pipe, 0600) == 0, "a pipe in place of a source");
	d = (struct diagnostic){.severity = SEVERITY_ERROR,
	                        .path = str_from(pipe),
	                        .line = 1,
	                        .col = 1,
	                        .message = STR("does not block")};
	show(f, d);
	golden(f, "pipe.txt");
}

static void test_messages(struct fixture *f)
{
	struct buf big = {0};
	show(f,
	     at(f, SEVERITY_WARNING, 0, 0, STR("first line\n  second\n\nlast \033]0;title\007 \xe2\x80\xae end\n\n")));
	golden(f, "many-lines.txt");
	for (int i = 0; i < 100; i++)
		buf_addf(&big, "line %d\n", i);
	show(f, at(f, SEVERITY_WARNING, 0, 0, buf_str(&big)));
	golden(f, "too-many-lines.txt");
	buf_clear(&big);
	while (big.len < 1 << 20)
		buf_addz(&big, "\xc3\xa4");
	show(f, at(f, SEVERITY_WARNING, 0, 0, buf_str(&big)));
	tap_ok(f->out.len < 9000, "a megabyte is cut to %zu bytes", f->out.len);
	tap_ok(str_search(buf_str(&f->out), STR("more bytes; the log has them all")) < f->out.len, "and it says so");
	buf_clear(&f->out);
	buf_release(&big);
}

static void test_errors(struct fixture *f)
{
	struct err err = {0};
	err_set(&err, ERR_USER, "nothing is called 'x'");
	err_at(&err, STR("query"), 1, 6, STR("deps(x)"));
	err_note(&err, "did you mean '%s'?", "y");
	render_error(&f->render, &err, &f->out);
	err_clear(&err);
	err_set(&err, ERR_ENVIRONMENT, "sbcl was not found");
	err_note(&err, "install it: apt-get install sbcl");
	render_error(&f->render, &err, &f->out);
	err_clear(&err);
	golden(f, "errors.txt");
}

static void duration(uint64_t ms, const char *want)
{
	struct buf b = {0};
	render_duration(ms * 1000000, &b);
	tap_eq_str(buf_str(&b), str_from(want), "%llu ms", (unsigned long long)ms);
	buf_release(&b);
}

static void test_measures(void)
{
	struct buf b = {0};
	tap_eq_int((int64_t)render_columns(STR("a\xe6\x97\xa5\xcc\x81z")), 4, "wide and combining characters");
	tap_eq_int((int64_t)render_cut(STR("ab\xe6\x97\xa5z"), 3, &b), 2, "a wide character is not cut in two");
	tap_eq_str(buf_str(&b), STR("ab"), "what fits");
	buf_release(&b);
	duration(420, "0.42s");
	duration(9800, "9.8s");
	duration(9990, "10s");
	duration(59700, "1m00s");
	duration(65000, "1m05s");
	duration(3720000, "1h02m");
}

int main(void)
{
	struct fixture f = {0};
	struct err err = {0};
	tap_ok(fs_mkdtemp(&f.arena, "/tmp", "tenon-render-", &f.dir, &err), "folder");
	f.file = path_join(&f.arena, f.dir, "src/a.lisp");
	tap_ok(fs_mkdirs_parent(f.file, &err) &&
	               fs_write_atomic(f.file, str_n(source, sizeof(source) - 1), 0600, false, &err),
	       "source");
	f.render = (struct render){.cwd = str_from(f.dir), .width = 80};
	test_places(&f);
	test_without_source(&f);
	test_messages(&f);
	test_errors(&f);
	test_measures();
	tap_ok(fs_remove_tree(f.dir, &err), "cleaned up");
	render_release(&f.render);
	buf_release(&f.out);
	err_clear(&err);
	arena_release(&f.arena);
	return tap_done();
}
