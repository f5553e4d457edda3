/* Libraries in jars made here: what each needs, and on which jars the classes of a jar rest. */
#include "front/library.h"

#include "base/tap.h"
#include "os/fs.h"
#include "wire/fake_zip.h"

static struct arena arena;
static const char *dir;

/* A jar of names and texts, in pairs, ended by NULL. */
static struct str jar(const char *name, const char *const *pairs)
{
	const char *path = path_join(&arena, dir, name);
	struct buf out = {0};
	fake_zip(pairs, &out);
	CHECK(fs_write_atomic(path, buf_str(&out), 0644, false, NULL));
	buf_release(&out);
	return str_from(path);
}

enum { BASE, MIDDLE, TOP, JAVA, OTHER_JAVA, APART, COMPUTES, NJARS };

static void make_jars(StrVec *ret)
{
	const char *const base[] = {"base/core.clj", "(ns base.core) (defmacro m [x] x)", NULL};
	const char *const middle[] = {"middle/core.cljc",
	                              "(ns middle.core (:require [base.core :as b]))\n(load \"core_more\")",
	                              "middle/core_more.clj",
	                              "(in-ns 'middle.core)\n(require 'apart.part)",
	                              "middle/unused.clj",
	                              "(ns middle.unused (:require top.core))",
	                              NULL};
	const char *const top[] = {
	        "top/core.clj", "(ns top.core (:require middle.core not.there) (:import [a.b Thing]))",
	        "top/optional.clj", "(ns top.optional)\n(when (resolve 'x) (require 'base.core))", NULL};
	const char *const java[] = {"a/b/Thing.class", "", NULL};
	const char *const other_java[] = {"c/Deep.class", "", NULL};
	const char *const apart[] = {"apart/part.clj", "(ns apart.part)", "apart/core.clj",
	                             "(ns apart.core) (def name \"a.bc\")", NULL};
	const char *const computes[] = {"computes/core.clj", "(ns computes.core)\n(require (symbol \"x\"))", NULL};
	vec_push(ret, jar("base.jar", base));
	vec_push(ret, jar("middle.jar", middle));
	vec_push(ret, jar("top.jar", top));
	vec_push(ret, jar("java.jar", java));
	vec_push(ret, jar("other-java.jar", other_java));
	vec_push(ret, jar("apart.jar", apart));
	vec_push(ret, jar("computes.jar", computes));
}

static const struct library_namespace *find(const struct library_survey *s, const char *name)
{
	uint64_t id;
	CHECK(map_get(&s->by_name, str_from(name), &id) && id < s->namespaces.len);
	return &s->namespaces.ptr[id];
}

/* The places as letters, "*" for all; then what is absent. */
static void basis_is(const struct library_survey *s, uint32_t place, const char *want, const char *name)
{
	static const char letters[] = "bmtjoac";
	struct library_basis b;
	struct buf got = {0};
	library_basis(s, place, &b);
	for (size_t i = 0; i < NJARS; i++)
		if (b.places[i])
			buf_addc(&got, letters[i]);
	if (b.all)
		buf_addc(&got, '*');
	for (size_t i = 0; i < b.absent.len; i++)
		buf_addf(&got, " %.*s", STR_ARG(b.absent.ptr[i]));
	tap_eq_str(buf_str(&got), str_from(want), "%s", name);
	library_basis_release(&b);
	buf_release(&got);
}

int main(void)
{
	char *folder;
	StrVec class_path = {0}, names = {0};
	struct library_survey s = {0};
	CHECK(fs_mkdtemp(&arena, "/tmp", "library-test-", &folder, NULL));
	dir = folder;
	make_jars(&class_path);
	const char *const wanted[] = {"top.core", "apart.core", "computes.core", "top.optional", "nowhere"};
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
		vec_push(&names, str_from(wanted[i]));
	library_survey(&s, &class_path, &names);

	const struct library_namespace *middle = find(&s, "middle.core"), *base = find(&s, "base.core");
	tap_eq_str(middle->script, STR("middle/core.cljc"), "a .cljc file");
	tap_eq_int((int64_t)middle->needs.len, 2, "what a part requires is the namespace's");
	tap_ok(find(&s, "apart.part")->wanted, "it is loaded");
	tap_ok(!map_has(&s.by_name, STR("middle.unused")), "nobody needs what nobody requires");
	tap_ok(base->weight > middle->weight && middle->weight > find(&s, "top.core")->weight,
	       "what many wait for weighs most");
	tap_eq_int((int64_t)find(&s, "top.optional")->may_need.len, 1, "below a condition");

	basis_is(&s, BASE, "b", "a jar that needs nothing rests on itself");
	basis_is(&s, MIDDLE, "bma", "on what is required, in parts too");
	basis_is(&s, TOP, "bmtjoa not.there", "on Java, of which all counts, and on what is absent");
	basis_is(&s, APART, "a", "on no package that only looks like one it names");
	basis_is(&s, COMPUTES, "c*", "on anything, where it computes what it loads");

	library_survey_release(&s);
	vec_release(&class_path);
	vec_release(&names);
	CHECK(fs_remove_tree(dir, NULL));
	arena_release(&arena);
	return tap_done();
}
