/* A prompt over Clojure targets: their sources, what they need, and nREPL where it can be found. */
#include <glob.h>
#include <stdlib.h>

#include "build/targets.h"
#include "exec/jvm.h"
#include "os/fs.h"

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

bool targets_prompt_command(struct targets *t, const struct targets_prompt *p, const char ***ret_argv, struct err *err)
{
	struct jvm_toolchain tc = {0};
	StrVec roots = {0}, paths = {0}, libraries = {0};
	struct str nrepl;
	target_clojure_roots(&t->analysis, t->table.requested.ptr, t->table.requested.len, &roots);
	for (size_t i = 0; i < roots.len; i++)
		add_path(&paths, str_from(path_join(&t->arena, t->session.options.directory,
		                                    str_dupz(&t->arena, roots.ptr[i]))));
	add_libraries(t, &libraries);
	bool ok = prepare(t, &libraries, &tc, err);
	if (ok) {
		for (size_t i = 0; i < libraries.len; i++)
			add_path(&paths, libraries.ptr[i]);
		if (!jvm_class_path_has(&libraries, "nrepl/server.clj") && find_nrepl(t, &nrepl))
			add_path(&paths, nrepl);
		const char *words[] = {tc.java, "-cp", joined(t, &paths).ptr, "clojure.main", tc.repl};
		const char **argv = arena_new_n(&t->arena, const char *, ARRAY_LEN(words) + 4);
		size_t n = 0;
		for (; n < ARRAY_LEN(words); n++)
			argv[n] = str_dupz(&t->arena, str_from(words[n]));
		if (p->headless)
			argv[n++] = "--headless";
		if (p->port) {
			argv[n++] = "--port";
			argv[n++] = str_fmt(&t->arena, "%u", p->port).ptr;
		}
		*ret_argv = argv;
	}
	jvm_release(&tc);
	vec_release(&roots);
	vec_release(&paths);
	vec_release(&libraries);
	return ok;
}
