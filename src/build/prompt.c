/* A prompt over Clojure targets: their sources, what they need, and nREPL where it can be found. */
#include <glob.h>
#include <stdlib.h>

#include "build/targets.h"
#include "exec/jvm.h"
#include "os/fs.h"

typedef Vec(const char *) WordVec;

static void add_path(StrVec *paths, struct str path)
{
	for (size_t i = 0; i < paths->len; i++)
		if (str_eq(paths->ptr[i], path))
			return;
	vec_push(paths, path);
}

static void add_libraries(struct targets *t, StrVec *paths)
{
	struct session *s = &t->session;
	for (size_t i = 0; i < t->table.requested.len; i++) {
		const FileRefVec *files = &t->analysis.products[t->table.requested.ptr[i]].runtime;
		for (size_t k = 0; k < files->len; k++) {
			const struct target_file_ref *f = &files->ptr[k];
			const char *dir = f->producer == NO_ID ? s->options.directory : s->out_dir;
			add_path(paths, str_from(path_join(&t->arena, dir, str_dupz(&t->arena, f->path))));
		}
	}
}

/* The newest that Maven has fetched for anybody, or Debian's. */
static bool find_nrepl(struct targets *t, struct str *ret)
{
	const char *home = getenv("HOME");
	glob_t found = {0};
	bool ok = false;
	struct str pattern = str_fmt(&t->arena, "%s/.m2/repository/nrepl/nrepl/*/nrepl-*.jar", home ? home : "");
	if (glob(pattern.ptr, 0, NULL, &found) == 0 && found.gl_pathc) {
		*ret = str_dup(&t->arena, str_from(found.gl_pathv[found.gl_pathc - 1]));
		ok = true;
	}
	globfree(&found);
	struct file_sig sig;
	if (!ok && fs_stat("/usr/share/java/nrepl.jar", &sig, NULL) && fs_is_file(&sig)) {
		*ret = STR("/usr/share/java/nrepl.jar");
		ok = true;
	}
	return ok;
}

static bool prepare(struct targets *t, const StrVec *libraries, struct jvm_toolchain *tc, struct err *err)
{
	const char *clojure[JVM_CLOJURE_JARS];
	size_t n;
	struct session *s = &t->session;
	if (!jvm_clojure_in(libraries, clojure, &n, err))
		return false;
	struct jvm_spec spec = {
	        .search = getenv("PATH"), .clojure = clojure, .nclojure = n, .store = s->store, .files = s->files};
	return jvm_find(tc, &t->arena, &spec, err) && jvm_prepare(tc, s->store, false, s->sink, err);
}

static struct str joined(struct targets *t, const StrVec *paths)
{
	struct buf b = {0};
	for (size_t i = 0; i < paths->len; i++)
		buf_addf(&b, "%s%.*s", i ? ":" : "", STR_ARG(paths->ptr[i]));
	struct str ret = str_dup(&t->arena, buf_str(&b));
	buf_release(&b);
	return ret;
}

/* Folders of sources and resources, then libraries. False: the JVM's side can't be made ready. */
static bool make_class_path(struct targets *t, StrVec *ret, StrVec *ret_libraries, struct jvm_toolchain *tc,
                            struct err *err)
{
	StrVec roots = {0};
	target_clojure_roots(&t->analysis, t->table.requested.ptr, t->table.requested.len, &roots);
	for (size_t i = 0; i < roots.len; i++)
		add_path(ret, str_from(path_join(&t->arena, t->session.options.directory,
		                                 str_dupz(&t->arena, roots.ptr[i]))));
	vec_release(&roots);
	add_libraries(t, ret_libraries);
	for (size_t i = 0; i < ret_libraries->len; i++)
		add_path(ret, ret_libraries->ptr[i]);
	return prepare(t, ret_libraries, tc, err);
}

static void add_words(struct targets *t, WordVec *argv, const StrVec *words)
{
	for (size_t i = 0; i < words->len; i++)
		vec_push(argv, str_dupz(&t->arena, words->ptr[i]));
}

static const char **kept(struct targets *t, const WordVec *argv)
{
	const char **ret = arena_new_n(&t->arena, const char *, argv->len + 1);
	for (size_t i = 0; i < argv->len; i++)
		ret[i] = argv->ptr[i];
	return ret;
}

bool targets_prompt_command(struct targets *t, const struct targets_prompt *p, const char ***ret_argv, struct err *err)
{
	struct jvm_toolchain tc = {0};
	StrVec paths = {0}, libraries = {0};
	WordVec argv = {0};
	struct str nrepl;
	bool ok = make_class_path(t, &paths, &libraries, &tc, err);
	if (ok) {
		if (!jvm_class_path_has(&libraries, "nrepl/server.clj") && find_nrepl(t, &nrepl))
			add_path(&paths, nrepl);
		const char *words[] = {tc.java, "-cp", joined(t, &paths).ptr, "clojure.main", tc.repl};
		for (size_t i = 0; i < ARRAY_LEN(words); i++)
			vec_push(&argv, str_dupz(&t->arena, str_from(words[i])));
		if (p->headless)
			vec_push(&argv, "--headless");
		if (p->port) {
			vec_push(&argv, "--port");
			vec_push(&argv, str_fmt(&t->arena, "%u", p->port).ptr);
		}
		*ret_argv = kept(t, &argv);
	}
	jvm_release(&tc);
	vec_release(&argv);
	vec_release(&paths);
	vec_release(&libraries);
	return ok;
}

static const struct deps_start *find_start(const struct targets *t, struct str alias)
{
	const struct deps_project *d = &t->project.deps;
	for (size_t i = 0; i < d->starts.len; i++)
		if (str_eq(d->starts.ptr[i].name, alias))
			return &d->starts.ptr[i];
	return NULL;
}

bool targets_alias_command(struct targets *t, struct str alias, const char ***ret_argv, struct err *err)
{
	const struct deps_start *s = find_start(t, alias);
	struct jvm_toolchain tc = {0};
	StrVec paths = {0}, libraries = {0};
	WordVec argv = {0};
	if (!s) {
		err_set(err, ERR_USER, "alias :%.*s of %.*s starts nothing", STR_ARG(alias),
		        STR_ARG(t->project.deps.file));
		err_note(err, "what can be run has :main-opts, :exec-fn or :ns-default");
		return false;
	}
	bool ok = make_class_path(t, &paths, &libraries, &tc, err);
	if (ok) {
		vec_push(&argv, str_dupz(&t->arena, str_from(tc.java)));
		/* Those of the alias are the project's as well where it was chosen. */
		add_words(t, &argv, &t->project.deps.jvm_options);
		if (!s->has_extras && !t->request.chosen.len)
			add_words(t, &argv, &s->jvm);
		vec_push(&argv, "-cp");
		vec_push(&argv, joined(t, &paths).ptr);
		vec_push(&argv, "clojure.main");
		if (s->exec.len) {
			vec_push(&argv, str_dupz(&t->arena, str_from(tc.exec)));
			vec_push(&argv, str_dupz(&t->arena, s->exec));
		} else if (s->ns.len) {
			vec_push(&argv, "-m");
			vec_push(&argv, str_dupz(&t->arena, s->ns));
		}
		add_words(t, &argv, &s->args);
		*ret_argv = kept(t, &argv);
	}
	jvm_release(&tc);
	vec_release(&argv);
	vec_release(&paths);
	vec_release(&libraries);
	return ok;
}
