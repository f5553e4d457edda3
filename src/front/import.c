#include "front/import.h"

#include "base/map.h"
#include "front/clojure.h"
#include "lang/clj.h"
#include "os/fs.h"

const struct str import_mark = STR(";; Written by `tenon import`");

static bool shares_artifact(const struct lock *l, size_t jar)
{
	for (size_t i = 0; i < l->jars.len; i++)
		if (i != jar && str_eq(l->jars.ptr[i].artifact, l->jars.ptr[jar].artifact) &&
		    str_eq(l->jars.ptr[i].classifier, l->jars.ptr[jar].classifier))
			return true;
	return false;
}

struct str import_target_name(struct arena *a, const struct lock *l, size_t jar)
{
	const struct lock_jar *j = &l->jars.ptr[jar];
	bool shared = shares_artifact(l, jar);
	return str_fmt(a, "%.*s%s%.*s%s%.*s", shared ? (int)j->group.len : 0, j->group.ptr, shared ? "." : "",
	               STR_ARG(j->artifact), j->classifier.len ? "-" : "", STR_ARG(j->classifier));
}

struct str import_jar_name(struct arena *a, const struct lock *l, size_t jar)
{
	const struct lock_jar *j = &l->jars.ptr[jar];
	bool shared = shares_artifact(l, jar);
	return str_fmt(a, "%.*s%s%.*s-%.*s%s%.*s.jar", shared ? (int)j->group.len : 0, j->group.ptr, shared ? "." : "",
	               STR_ARG(j->artifact), STR_ARG(j->version), j->classifier.len ? "-" : "", STR_ARG(j->classifier));
}

struct str import_member_jar(struct arena *a, const struct deps_member *m)
{
	return str_fmt(a, "local.%.*s.jar", STR_ARG(m->name));
}

void import_print_jars(const struct deps_project *d, const struct lock *l, struct buf *out)
{
	struct arena a = {0};
	buf_adds(out, import_mark);
	buf_addz(out, " from deps.lock: the libraries, one target each.\n");
	for (size_t i = 0; i < l->jars.len; i++) {
		const struct lock_jar *j = &l->jars.ptr[i];
		char hex[DIGEST_HEX + 1];
		digest_hex(&j->sha256, hex);
		buf_addf(out, "\n;; SHA-256 %s\n(jar :name ", hex);
		clj_print_string(import_target_name(&a, l, i), out);
		buf_addz(out, "\n     :jar ");
		clj_print_string(import_jar_name(&a, l, i), out);
		buf_addz(out, "\n     :maven ");
		clj_print_string(
		        str_fmt(&a, "%.*s:%.*s:%.*s", STR_ARG(j->group), STR_ARG(j->artifact), STR_ARG(j->version)),
		        out);
		buf_addz(out, "\n     :visibility [\"PUBLIC\"])\n");
	}
	for (size_t i = 0; i < d->members.len; i++) {
		const struct deps_member *m = d->members.ptr[i];
		if (m->kind != DEPS_MEMBER_JAR)
			continue;
		buf_addf(out, "\n(jar :name \"local.%.*s\"\n     :jar ", STR_ARG(m->name));
		clj_print_string(import_member_jar(&a, m), out);
		buf_addz(out, "\n     :visibility [\"PUBLIC\"])\n");
	}
	arena_release(&a);
}

/* -- which files there are: a pattern that matches nothing is an error in a BUILD file -- */

enum files { CLOJURE_FILES, JAVA_FILES, OTHER_FILES };
struct patterns {
	struct arena *arena;
	struct str root; /* relative to the project */
	struct map seen;
	StrVec of[OTHER_FILES + 1];
	const char *dir;
	StrVec mains; /* namespaces with a -main */
};

/* A program can be made of a namespace that has a -main. What can't be read is told of when it is built. */
static void look_for_main(struct patterns *p, const char *rel)
{
	struct str path = str_fmt(p->arena, "%.*s/%s", STR_ARG(p->root), rel);
	struct buf text = {0};
	struct clojure_file f = {0};
	if (fs_read(path_join(p->arena, p->dir, path.ptr), &text, NULL) &&
	    str_search(buf_str(&text), STR("(defn -main")) < text.len) {
		struct str kept = str_dup(p->arena, buf_str(&text));
		if (clojure_read_file(p->arena, path, str_from(rel), kept, &f, NULL)) {
			if (f.ns.len && !f.part)
				vec_push(&p->mains, f.ns);
			clojure_file_release(&f);
		}
	}
	buf_release(&text);
}

static bool look(void *ctx, const char *rel, const struct file_sig *sig, struct err *err)
{
	struct patterns *p = ctx;
	struct str ext = path_ext(str_from(rel)), base = path_base(str_from(rel));
	enum files kind = OTHER_FILES;
	(void)sig;
	(void)err;
	if (str_eqc(ext, "cljs") || str_has_prefix(base, STR(".")) || str_eqc(str_from(rel), "user.clj"))
		return true;
	if (str_eqc(ext, "clj") || str_eqc(ext, "cljc"))
		kind = CLOJURE_FILES;
	if (kind == CLOJURE_FILES)
		look_for_main(p, rel);
	else if (str_eqc(ext, "java"))
		kind = JAVA_FILES;
	struct str pattern = ext.len ? str_fmt(p->arena, "%.*s/**/*.%.*s", STR_ARG(p->root), STR_ARG(ext))
	                             : str_fmt(p->arena, "%.*s/**/%.*s", STR_ARG(p->root), STR_ARG(base));
	if (map_add(&p->seen, pattern, 0, NULL))
		vec_push(&p->of[kind], pattern);
	return true;
}

/* The roots that are there. */
static bool look_below(struct patterns *p, const char *dir, const StrVec *roots, StrVec *ret_roots, struct err *err)
{
	for (size_t i = 0; i < roots->len; i++) {
		struct file_sig sig;
		struct str root = roots->ptr[i];
		while (str_has_suffix(root, STR("/")))
			root.len--;
		if (str_has_prefix(root, STR("./")))
			root = str_drop(root, 2);
		char *path = path_join(p->arena, dir, str_dupz(p->arena, root));
		if (!root.len || str_has_prefix(root, STR("/")) || str_has_prefix(root, STR("..")))
			return err_set(err, ERR_USER, "the folder \"%.*s\" is not below the project",
			               STR_ARG(roots->ptr[i]));
		if (!fs_stat(path, &sig, err))
			return false;
		p->root = root;
		if (!fs_is_dir(&sig) || !map_add(&p->seen, root, 0, NULL))
			continue;
		vec_push(ret_roots, root);
		if (!fs_walk(path, look, p, err))
			return false;
	}
	return true;
}

/* -- text -- */

static void add_list(struct buf *out, const char *name, const StrVec *v)
{
	if (!v->len)
		return;
	buf_addf(out, "\n  :%s [", name);
	for (size_t i = 0; i < v->len; i++) {
		if (i)
			buf_addz(out, v->len > 3 ? "\n    " : " ");
		clj_print_string(v->ptr[i], out);
	}
	buf_addc(out, ']');
}

/* "../util" in package "app" is "//util:lib". */
static struct str local_label(struct arena *a, struct str package, struct str path)
{
	char *at = path_absolute(a, str_fmt(a, "/%.*s/%.*s", STR_ARG(package), STR_ARG(path)).ptr);
	return str_fmt(a, "//%s:lib", at + 1);
}

static void add_deps(struct arena *a, const struct deps_project *d, const struct lock *l, enum deps_scope scope,
                     struct str package, struct str jars, StrVec *ret)
{
	for (size_t i = 0; i < d->locals.len; i++)
		if (d->locals.ptr[i].scope == scope)
			vec_push(ret, d->locals.ptr[i].label.len ? d->locals.ptr[i].label
			                                         : local_label(a, package, d->locals.ptr[i].path));
	for (size_t i = 0; i < d->gits.len; i++)
		if (d->gits.ptr[i].scope == scope && d->gits.ptr[i].label.len)
			vec_push(ret, d->gits.ptr[i].label);
	for (size_t i = 0; i < l->jars.len; i++)
		if (l->jars.ptr[i].scope == scope)
			vec_push(ret, str_fmt(a, "//%.*s:%.*s", STR_ARG(jars), STR_ARG(import_target_name(a, l, i))));
}

static void patterns_release(struct patterns *p)
{
	map_release(&p->seen);
	for (size_t i = 0; i < ARRAY_LEN(p->of); i++)
		vec_release(&p->of[i]);
	vec_release(&p->mains);
}

static void print_program(const struct deps_project *d, struct str name, struct str main, struct buf *out)
{
	buf_addz(out, "\n(clj-binary :name ");
	clj_print_string(name, out);
	buf_addz(out, "\n  :main ");
	clj_print_string(main, out);
	add_list(out, "jvm-options", &d->jvm_options);
	buf_addz(out, "\n  :deps [\":lib\"])\n");
}

static void print_alias(const struct deps_start *s, struct str program, struct buf *out)
{
	buf_addz(out, "\n(command-alias :name ");
	clj_print_string(s->name, out);
	buf_addf(out, "\n  :exe \":%.*s\"", STR_ARG(program));
	add_list(out, "args", &s->args);
	buf_addz(out, ")\n");
}

/* The one that the description names; otherwise every namespace that could be started, by the last part of its name. */
static void print_programs(struct arena *a, const struct deps_project *d, const StrVec *mains, struct buf *out)
{
	struct map names = {0}, programs = {0}; /* of programs: the names of namespaces to indices in `names` */
	map_put(&names, STR("lib"), 0);
	map_put(&names, STR("test"), 0);
	for (size_t i = 0; i < (d->main.len ? 1 : mains->len); i++) {
		struct str ns = d->main.len ? d->main : mains->ptr[i];
		struct str last = str_drop(ns, MIN(str_rfind(ns, '.') + 1, ns.len));
		if (d->main.len || mains->len == 1)
			last = STR("main");
		if (!last.len || map_has(&names, last))
			last = str_fmt(a, "%.*s-main", STR_ARG(ns));
		map_put(&programs, ns, names.entries.len);
		map_put(&names, last, 0);
		print_program(d, last, ns, out);
	}
	for (size_t i = 0; i < d->starts.len; i++) {
		const struct deps_start *s = &d->starts.ptr[i];
		uint64_t at;
		if (s->has_extras || s->jvm.len || !map_get(&programs, s->ns, &at) ||
		    !map_add(&names, s->name, 0, NULL))
			continue;
		print_alias(s, names.entries.ptr[at].key, out);
	}
	map_release(&names);
	map_release(&programs);
}

/* `with_tests`: the library itself is only the tests', and so may be what it needs. */
static bool print_library(struct arena *a, const struct deps_project *d, const struct lock *l, const char *dir,
                          struct str package, struct str jars, bool with_tests, StrVec *ret_mains, struct buf *out,
                          struct err *err)
{
	struct patterns p = {.arena = a, .dir = dir};
	StrVec roots = {0}, deps = {0};
	bool ok = look_below(&p, dir, &d->sources, &roots, err) && look_below(&p, dir, &d->java, &roots, err) &&
	          look_below(&p, dir, &d->resources, &roots, err);
	if (ok) {
		add_deps(a, d, l, DEPS_MAIN, package, jars, &deps);
		for (size_t i = 0; i < l->jars.len && with_tests; i++)
			if (l->jars.ptr[i].scope == DEPS_TEST)
				vec_push(&deps, str_fmt(a, "//%.*s:%.*s", STR_ARG(jars),
				                        STR_ARG(import_target_name(a, l, i))));
		buf_addz(out, "\n(clj-lib :name \"lib\"");
		add_list(out, "srcs", &p.of[CLOJURE_FILES]);
		add_list(out, "java-srcs", &p.of[JAVA_FILES]);
		add_list(out, "resources", &p.of[OTHER_FILES]);
		add_list(out, "source-roots", &roots);
		add_list(out, "deps", &deps);
		buf_addz(out, "\n  :skip-incomplete true\n  :visibility [\"PUBLIC\"])\n");
		for (size_t i = 0; ret_mains && i < p.mains.len; i++)
			vec_push(ret_mains, p.mains.ptr[i]);
	}
	patterns_release(&p);
	vec_release(&roots);
	vec_release(&deps);
	return ok;
}

bool import_print_member(const struct deps_member *m, const struct lock *l, struct str package, struct str jars,
                         struct buf *out, struct err *err)
{
	struct arena a = {0};
	buf_adds(out, import_mark);
	buf_addf(out, ": the library %.*s.\n", STR_ARG(m->lib));
	bool ok = print_library(&a, &m->project, l, m->path, package, jars, m->scope == DEPS_TEST, NULL, out, err);
	arena_release(&a);
	return ok;
}

static void add_selectors(struct buf *out, const struct deps_project *d)
{
	for (size_t i = 0; i < d->selectors.len; i++) {
		buf_addz(out, i ? "\n    " : "\n  :selectors {");
		clj_print_string(d->selectors.ptr[i].name, out);
		buf_addc(out, ' ');
		clj_print_string(d->selectors.ptr[i].text, out);
	}
	if (d->selectors.len)
		buf_addc(out, '}');
}

static bool print_tests(struct arena *a, const struct deps_project *d, const struct lock *l, const char *dir,
                        struct str package, struct str jars, struct buf *out, struct err *err)
{
	struct patterns p = {.arena = a, .dir = dir};
	StrVec roots = {0}, deps = {0};
	bool ok = look_below(&p, dir, &d->tests, &roots, err);
	if (ok && p.of[CLOJURE_FILES].len) {
		vec_push(&deps, STR(":lib"));
		add_deps(a, d, l, DEPS_MAIN, package, jars, &deps);
		add_deps(a, d, l, DEPS_TEST, package, jars, &deps);
		StrVec options = {0};
		for (size_t i = 0; i < d->jvm_options.len; i++)
			vec_push(&options, d->jvm_options.ptr[i]);
		for (size_t i = 0; i < d->test_jvm_options.len; i++)
			vec_push(&options, d->test_jvm_options.ptr[i]);
		buf_addz(out, "\n(clj-test :name \"test\"");
		add_list(out, "jvm-options", &options);
		vec_release(&options);
		add_list(out, "srcs", &p.of[CLOJURE_FILES]);
		add_list(out, "resources", &p.of[OTHER_FILES]);
		add_list(out, "source-roots", &roots);
		add_list(out, "deps", &deps);
		add_selectors(out, d);
		buf_addz(out, "\n  :skip-incomplete true)\n");
	}
	patterns_release(&p);
	vec_release(&roots);
	vec_release(&deps);
	return ok;
}

bool import_print_project(const struct deps_project *d, const struct lock *l, const char *dir, struct str package,
                          struct str jars, struct buf *out, struct err *err)
{
	struct arena a = {0};
	buf_adds(out, import_mark);
	buf_addf(out, " from %s and deps.lock. Import again after a change there; to\n", deps_file_name(d->kind));
	buf_addz(out, ";; keep changes of your own in this file instead, remove these lines.\n");
	if (l->left_out.len)
		buf_addf(out, ";; Left out: libraries of the tests: %.*s.\n", STR_ARG(l->left_out));
	for (size_t i = 0; i < d->notes.len; i++)
		buf_addf(out, ";; Left out: %.*s.\n", STR_ARG(d->notes.ptr[i]));
	StrVec mains = {0};
	bool ok = print_library(&a, d, l, dir, package, jars, false, &mains, out, err);
	if (ok)
		print_programs(&a, d, &mains, out);
	ok = ok && print_tests(&a, d, l, dir, package, jars, out, err);
	vec_release(&mains);
	arena_release(&a);
	return ok;
}
