/* Two namespaces compiled by Debian's Clojure; then one is judged without the other in its scope. */
#include "rules/class_uses.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/tap.h"
#include "os/fs.h"
#include "wire/classfile.h"
#include "wire/zip.h"

#define CLOJURE "/usr/share/java/clojure.jar"

static struct arena arena;
static const char *dir;

static const char *in_dir(const char *rel)
{
	return path_join(&arena, dir, rel);
}

static void file(const char *rel, const char *text)
{
	CHECK(fs_mkdirs_parent(in_dir(rel), NULL));
	CHECK(fs_write_atomic(in_dir(rel), str_from(text), 0644, false, NULL));
}

static bool compile(void)
{
	file("src/my_lib/core.clj", "(ns my-lib.core)\n"
	                            "(defn ok? [x] (inc x))\n"
	                            "(defrecord Point [x y])\n");
	file("src/app/main.clj", "(ns app.main\n"
	                         "  (:require [my-lib.core :as l] [clojure.string :as s])\n"
	                         "  (:import [my_lib.core Point] [javax.sql DataSource]))\n"
	                         "\n"
	                         "(defn area [p]\n"
	                         "  (* (.x ^Point p)\n"
	                         "     (l/ok? 1)))\n"
	                         "(defn other [] (s/trim \"x\"))\n");
	CHECK(fs_mkdirs(in_dir("out"), NULL));
	pid_t pid = fork();
	if (pid == 0) {
		CHECK(chdir(dir) == 0 && dup2(2, 1) >= 0);
		execlp("java", "java", "-XX:TieredStopAtLevel=1", "-cp", "src:out:" CLOJURE,
		       "-Dclojure.compile.path=out", "clojure.lang.Compile", "app.main", (char *)NULL);
		_exit(127);
	}
	int status = -1;
	CHECK(waitpid(pid, &status, 0) == pid);
	return tap_ok(status == 0, "Clojure compiles (needs java and Debian's libclojure-java)");
}

static void print(const ClassUses *uses, struct buf *out)
{
	for (size_t i = 0; i < uses->len; i++) {
		const struct class_use *u = &uses->ptr[i];
		buf_addf(out, "%.*s:%u: %s %.*s %.*s\n", STR_ARG(u->source), u->line,
		         u->kind == CLASS_USE_VAR ? "var" : "class", STR_ARG(u->owner), STR_ARG(u->name));
	}
}

static void test_scope(const struct zip *clojure)
{
	struct class_scope scope = {.arena = &arena};
	ClassUses uses = {0};
	struct buf text = {0};
	class_scope_archive(&scope, clojure);
	class_scope_namespace(&scope, STR("clojure.core"));
	class_scope_namespace(&scope, STR("clojure.string"));
	class_scope_namespace(&scope, STR("app.main"));
	tap_ok(class_uses_check(&scope, in_dir("out/app"), &uses, NULL), "classes are read");
	/* The folder given is not the root of the classes: all of them count as foreign but those of the namespace. */
	print(&uses, &text);
	tap_eq_str(buf_str(&text),
	           STR("main.clj:6: class my_lib/core/Point x\n"
	               "main.clj:6: var my-lib.core ok?\n"
	               "main.clj:1: class javax/sql/DataSource \n"),
	           "var, field and import, with their lines");
	buf_clear(&text);
	vec_clear(&uses);
	class_scope_namespace(&scope, STR("my-lib.core"));
	class_scope_package(&scope, STR("javax/sql"));
	tap_ok(class_uses_check(&scope, in_dir("out"), &uses, NULL), "classes are read again");
	print(&uses, &text);
	tap_eq_str(buf_str(&text), STR(""), "with all declared there is no false alarm");
	buf_release(&text);
	vec_release(&uses);
	class_scope_release(&scope);
}

static void test_clojure_itself(const struct zip *clojure)
{
	struct classfile c;
	struct err err = {0};
	struct buf bytes = {0};
	unsigned classes = 0, vars = 0, with_line = 0;
	for (size_t i = 0; i < clojure->entries.len; i++) {
		const struct zip_entry *e = &clojure->entries.ptr[i];
		if (!str_has_suffix(e->name, STR(".class")))
			continue;
		buf_clear(&bytes);
		CHECK(zip_read(clojure, e, &bytes, NULL));
		if (!classfile_parse(e->name, buf_str(&bytes), &c, &err)) {
			tap_ok(false, "%s", buf_cstr(&err.message));
			err_clear(&err);
			continue;
		}
		classes++;
		for (size_t k = 0; k < c.calls.len; k++)
			if (str_eqc(c.calls.ptr[k].name, "var")) {
				vars++;
				with_line += c.calls.ptr[k].line > 0;
			}
		classfile_release(&c);
	}
	tap_ok(classes > 3000 && vars > 3000, "all %u classes of Clojure are parsed, with %u vars", classes, vars);
	tap_ok(with_line > vars / 10 * 9, "%u of them have a line", with_line);

	/* The last one, cut anywhere. */
	unsigned accepted = 0;
	for (size_t n = 0; n < bytes.len; n++)
		accepted += classfile_parse(STR("cut"), str_n(bytes.ptr, n), &c, NULL);
	tap_eq_int(accepted, 0, "no cut class file is accepted");
	tap_ok(!classfile_parse(STR("cut.class"), str_n(bytes.ptr, 20), &c, &err), "it is an error");
	tap_ok(str_has_prefix(buf_str(&err.message), STR("\"cut.class\" is not a class file that can be read: ")),
	       "that names the file");
	err_clear(&err);
	buf_release(&bytes);
}

int main(void)
{
	char *made;
	const char *tmp = getenv("TMPDIR");
	struct buf munged = {0};
	struct str map;
	struct zip clojure;
	CHECK(fs_mkdtemp(&arena, tmp ? tmp : "/tmp", "class-uses-test", &made, NULL));
	dir = made;
	class_munge(STR("a-b.c*?"), &munged);
	tap_eq_str(buf_str(&munged), STR("a_b.c_STAR__QMARK_"), "munging");
	buf_release(&munged);
	if (compile()) {
		CHECK(fs_map(CLOJURE, &map, NULL) && zip_open(STR(CLOJURE), map, &clojure, NULL));
		test_scope(&clojure);
		test_clojure_itself(&clojure);
		zip_close(&clojure);
		fs_unmap(map);
	}
	CHECK(fs_remove_tree(dir, NULL));
	arena_release(&arena);
	return tap_done();
}
