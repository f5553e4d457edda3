#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/embed.h"
#include "exec/driver.h"
#include "exec/jvm.h"
#include "os/clock.h"
#include "os/fs.h"
#include "os/process.h"
#include "wire/zip.h"

#define TOOL_TIMEOUT_MS 120000
#define DRIVER_PREFIX   "clojure/"
/* tools/compile-clojure-driver.py */
#define COMPILED        "compiled/clojure"
#define COMPILED_FOR    "META-INF/clojure"

static bool no_jdk(struct err *err, const char *what)
{
	err_set(err, ERR_ENVIRONMENT, "%s", what);
	err_note(err,
	         "install a JDK, version %d or newer (Debian: apt-get install openjdk-17-jdk-headless), or name it by "
	         "JAVA_HOME",
	         JVM_OLDEST_JAVA);
	return false;
}

/* -- finding -- */

static bool locate(struct jvm_toolchain *tc, const struct jvm_spec *spec, struct err *err)
{
	struct arena *a = tc->arena;
	const char *named = spec->java, *home = getenv("JAVA_HOME");
	char *java = named && strchr(named, '/') ? path_absolute(a, named)
	             : !named && home && *home
	                     ? path_join(a, home, "bin/java")
	                     : process_find(a, spec->search ? spec->search : "", named ? named : "java");
	char *real = java ? realpath(java, NULL) : NULL;
	if (!real)
		return no_jdk(err, java ? str_fmt(a, "there is no Java at \"%s\"", java).ptr
		                        : "no Java is installed: \"java\" is not in PATH");
	/* /usr/bin/java is a link to a link; HOME/bin/java is what it leads to. */
	tc->java = str_dupz(a, str_from(real));
	free(real);
	tc->home = str_dupz(a, path_dir(path_dir(str_from(tc->java))));
	tc->javac = path_join(a, tc->home, "bin/javac");
	if (access(tc->javac, X_OK) != 0)
		return no_jdk(
		        err,
		        str_fmt(a, "\"%s\" is a Java without a compiler: there is no \"%s\"", tc->java, tc->javac).ptr);
	return true;
}

/* JAVA_VERSION="17.0.15" in the file HOME/release. */
static bool read_version(struct jvm_toolchain *tc, struct err *err)
{
	char *path = path_join(tc->arena, tc->home, "release");
	struct buf text = {0};
	if (!fs_read(path, &text, err)) {
		buf_release(&text);
		return false;
	}
	struct str mark = STR("JAVA_VERSION=\""), s = buf_str(&text);
	size_t at = str_search(s, mark);
	struct str rest = str_drop(s, MIN(at + mark.len, s.len)), version = {0}, first = {0};
	str_cut(&rest, '"', &version);
	tc->version = str_dup(tc->arena, version);
	buf_release(&text);
	uint64_t major = 0;
	rest = tc->version;
	str_cut(&rest, '.', &first);
	if (!str_to_u64(first, &major) || major < JVM_OLDEST_JAVA)
		return no_jdk(
		        err, str_fmt(tc->arena, "\"%s\" is Java %.*s, which is too old", tc->java, STR_ARG(tc->version))
		                     .ptr);
	return true;
}

static bool add_file(struct filecache *files, struct hasher *h, const char *name, const char *path, struct err *err)
{
	struct digest d;
	bool exists;
	if (!filecache_digest(files, path, &d, NULL, &exists, err))
		return false;
	if (!exists)
		return err_set(err, ERR_ENVIRONMENT, "there is no \"%s\"", path);
	hasher_digest(h, name, &d);
	return true;
}

static bool digest_toolchain(struct jvm_toolchain *tc, struct filecache *files, struct err *err)
{
	/* The program, the virtual machine and the class library. */
	static const char *const parts[] = {"bin/java", "release", "lib/server/libjvm.so", "lib/modules"};
	struct hasher *h = hasher_new(STR("tenon-jvm-1"));
	bool ok = true;
	for (size_t i = 0; ok && i < ARRAY_LEN(parts); i++)
		ok = add_file(files, h, "jdk", path_join(tc->arena, tc->home, parts[i]), err);
	for (size_t i = 0; ok && i < tc->clojure.len; i++)
		ok = add_file(files, h, "clojure", tc->clojure.ptr[i].ptr, err);
	tc->digest = hasher_end(h);
	return ok;
}

bool jvm_find(struct jvm_toolchain *tc, struct arena *a, const struct jvm_spec *spec, struct err *err)
{
	*tc = (struct jvm_toolchain){.arena = a};
	if (!spec->nclojure)
		return err_set(err, ERR_USER, "no Clojure is among the dependencies");
	for (size_t i = 0; i < spec->nclojure; i++)
		vec_push(&tc->clojure, str_dup(a, str_from(spec->clojure[i])));
	if (!locate(tc, spec, err) || !read_version(tc, err) || !digest_toolchain(tc, spec->files, err)) {
		jvm_release(tc);
		return false;
	}
	tc->driver = driver_digest(STR("tenon-clojure-driver-1"), STR(DRIVER_PREFIX));
	tc->base = driver_base_digest(STR("tenon-clojure-base-1"), &tc->digest, &tc->driver);
	return true;
}

void jvm_release(struct jvm_toolchain *tc)
{
	vec_release(&tc->clojure);
}

const char **jvm_environment(const struct jvm_toolchain *tc, struct arena *a, const char *const *extra, size_t n)
{
	const char *own[] = {"TZ=UTC", str_fmt(a, "JAVA_HOME=%s", tc->home).ptr};
	return process_environment(a, own, ARRAY_LEN(own), extra, n);
}

/* -- the worker's jar -- */

struct making {
	const struct jvm_toolchain *tc;
	struct arena *a;
	const char *dir;
	StrVec java;   /* the driver's Java sources, as files */
	char *classes; /* folder, or jar, of what is compiled */
	char *sources; /* folder of the driver's Clojure sources */
	char *clojure; /* class path of Clojure's jars */
};

static bool run_tool(const struct making *m, const char *const *argv, const char *what, struct err *err)
{
	struct spawn_spec run = {.argv = argv,
	                         .envp = jvm_environment(m->tc, m->a, NULL, 0),
	                         .cwd = m->dir,
	                         .stdin_fd = -1,
	                         .stdout_fd = -1,
	                         .stderr_fd = -1};
	struct buf out = {0};
	int status;
	bool ok = process_run(&run, TOOL_TIMEOUT_MS, &out, &status, err);
	if (ok && status != 0) {
		struct buf how = {0};
		process_status_text(status, &how);
		err_set(err, ERR_ENVIRONMENT, "%s failed with \"%s\" and \"%s\" (%s)", what, m->tc->java,
		        m->tc->clojure.ptr[0].ptr, buf_cstr(&how));
		size_t tail = out.len > 1500 ? out.len - 1500 : 0;
		err_note(err, "it printed: %s", out.len ? out.ptr + tail : "nothing");
		buf_release(&how);
		ok = false;
	}
	buf_release(&out);
	return ok;
}

static bool write_driver(struct making *m, struct err *err)
{
	for (size_t i = 0; i < embedded_files_count; i++) {
		struct str name = str_from(embedded_files[i].path);
		if (!str_has_prefix(name, STR(DRIVER_PREFIX)))
			continue;
		name = str_drop(name, strlen(DRIVER_PREFIX));
		const char *path = str_fmt(m->a, "%s/tenon/%.*s", m->sources, STR_ARG(name)).ptr;
		struct str text = str_n((const char *)embedded_files[i].data, embedded_files[i].len);
		if (!fs_mkdirs_parent(path, err) || !fs_write_atomic(path, text, 0644, false, err))
			return false;
		if (str_has_suffix(name, STR(".java")))
			vec_push(&m->java, str_from(path));
	}
	return fs_mkdirs(m->classes, err);
}

static const struct embedded_file *find_embedded(const char *path)
{
	for (size_t i = 0; i < embedded_files_count; i++)
		if (strcmp(embedded_files[i].path, path) == 0)
			return &embedded_files[i];
	return NULL;
}

/* The driver was compiled when tenon was, if there was a JDK and a Clojure; with these very jars its classes serve. */
static bool is_for(const struct making *m, const struct zip *z, struct err *err)
{
	const struct zip_entry *e = zip_find(z, STR(COMPILED_FOR));
	struct buf want = {0}, have = {0};
	char hex[DIGEST_HEX + 1];
	bool ok = e && zip_read(z, e, &have, err);
	for (size_t i = 0; ok && i < m->tc->clojure.len; i++) {
		struct digest d;
		ok = digest_of_file(m->tc->clojure.ptr[i].ptr, &d, NULL, err);
		digest_hex(&d, hex);
		buf_addf(&want, "%s\n", hex);
	}
	ok = ok && str_eq(buf_str(&want), buf_str(&have));
	buf_release(&want);
	buf_release(&have);
	return ok;
}

/* False: there are none for this Clojure. */
static bool take_compiled(struct making *m)
{
	const struct embedded_file *f = find_embedded(COMPILED);
	struct err err = {0};
	struct zip z;
	if (!f)
		return false;
	struct str bytes = str_n((const char *)f->data, f->len);
	char *path = path_join(m->a, m->dir, "driver.zip");
	bool ok = zip_open(STR(COMPILED), bytes, &z, &err);
	if (ok) {
		ok = is_for(m, &z, &err) && fs_write_atomic(path, bytes, 0644, false, &err);
		zip_close(&z);
	}
	err_clear(&err);
	if (ok)
		m->classes = path;
	return ok;
}

static bool run_javac(const struct making *m, struct err *err)
{
	Vec(const char *) argv = {0};
	const char *const first[] = {m->tc->javac, "-J-XX:TieredStopAtLevel=1",
	                             "-nowarn",    "-proc:none",
	                             "-encoding",  "UTF-8",
	                             "-d",         m->classes,
	                             "-cp",        m->clojure};
	for (size_t i = 0; i < ARRAY_LEN(first); i++)
		vec_push(&argv, first[i]);
	for (size_t i = 0; i < m->java.len; i++)
		vec_push(&argv, m->java.ptr[i].ptr);
	vec_push(&argv, NULL);
	bool ok = run_tool(m, argv.ptr, "compiling the Clojure driver", err);
	vec_release(&argv);
	return ok;
}

static bool run_aot(const struct making *m, struct err *err)
{
	struct str cp = str_fmt(m->a, "%s:%s:%s", m->sources, m->classes, m->clojure);
	const char *argv[] = {m->tc->java,
	                      "-XX:TieredStopAtLevel=1",
	                      "-cp",
	                      cp.ptr,
	                      "clojure.main",
	                      "-m",
	                      "tenon.aot",
	                      m->classes,
	                      "tenon.worker",
	                      "tenon.tests",
	                      NULL};
	return run_tool(m, argv, "compiling the Clojure driver", err);
}

static bool run_patch(const struct making *m, const char *jar, struct err *err)
{
	struct str cp = str_fmt(m->a, "%s:%s", m->classes, m->clojure);
	Vec(const char *) argv = {0};
	const char *const first[] = {m->tc->java, "-XX:TieredStopAtLevel=1", "-cp", cp.ptr, "tenon.Patch", jar,
	                             m->classes};
	for (size_t i = 0; i < ARRAY_LEN(first); i++)
		vec_push(&argv, first[i]);
	for (size_t i = 0; i < m->tc->clojure.len; i++)
		vec_push(&argv, m->tc->clojure.ptr[i].ptr);
	vec_push(&argv, NULL);
	bool ok = run_tool(m, argv.ptr, "making the worker's jar", err);
	vec_release(&argv);
	return ok;
}

static bool keep(struct store *store, const char *path, const char *name, struct result_output *ret, struct err *err)
{
	*ret = (struct result_output){.path = str_from(name), .mode = 0444};
	return store_put_file(store, path, true, &ret->digest, &ret->size, err);
}

/* In the order of names, as the store gives them back. */
static const char *const kept[] = {"exec.clj", "repl.clj", "resolve.clj", "worker.jar", "worker.jsa"};
enum { EXEC, REPL, RESOLVER, JAR, ARCHIVE, NKEPT };

static bool make_all(struct making *m, struct store *store, struct result_output out[NKEPT], struct err *err)
{
	char *jar = path_join(m->a, m->dir, kept[JAR]), *archive = path_join(m->a, m->dir, kept[ARCHIVE]);
	if (!write_driver(m, err) || (!take_compiled(m) && (!run_javac(m, err) || !run_aot(m, err))) ||
	    !run_patch(m, jar, err))
		return false;
	for (int i = EXEC; i <= RESOLVER; i++)
		if (!keep(store, str_fmt(m->a, "%s/tenon/%s", m->sources, kept[i]).ptr, kept[i], &out[i], err))
			return false;
	/* The archive holds for the jar at the path where it will be used. */
	if (!keep(store, jar, kept[JAR], &out[JAR], err))
		return false;
	const char *argv[] = {m->tc->java,
	                      "-XX:TieredStopAtLevel=1",
	                      str_fmt(m->a, "-XX:ArchiveClassesAtExit=%s", archive).ptr,
	                      "-cp",
	                      store_blob_path(store, m->a, &out[JAR].digest),
	                      "tenon.Main",
	                      str_fmt(m->a, "%s/tenon/practice.clj", m->sources).ptr,
	                      path_join(m->a, m->dir, "practice"),
	                      NULL};
	return run_tool(m, argv, "making the archive of the worker's classes", err) &&
	       keep(store, archive, kept[ARCHIVE], &out[ARCHIVE], err);
}

static bool make(const struct jvm_toolchain *tc, struct store *store, const struct digest *key,
                 struct result_output out[NKEPT], struct err *err)
{
	struct arena a = {0};
	struct making m = {.tc = tc, .a = &a};
	char *dir = NULL;
	int64_t start = clock_mono_ns();
	bool ok = store_scratch(store, &a, &dir, err);
	if (ok) {
		struct buf cp = {0};
		for (size_t i = 0; i < tc->clojure.len; i++)
			buf_addf(&cp, "%s%s", i ? ":" : "", tc->clojure.ptr[i].ptr);
		m.dir = dir;
		m.clojure = str_dupz(&a, buf_str(&cp));
		m.classes = path_join(&a, dir, "classes");
		m.sources = path_join(&a, dir, "sources");
		buf_release(&cp);
		ok = make_all(&m, store, out, err);
		struct action_result r = {.outputs = out, .noutputs = NKEPT, .label = STR("Clojure worker")};
		r.wall_ns = (uint64_t)(clock_mono_ns() - start);
		ok = ok && store_put_action(store, key, &r, err);
		fs_remove_tree(dir, NULL);
	}
	vec_release(&m.java);
	arena_release(&a);
	return ok;
}

static bool holds(const char *path, const char *entry, bool *ret, struct err *err)
{
	struct file_sig sig;
	struct zip z;
	struct str bytes;
	*ret = false;
	if (!fs_stat(path, &sig, err))
		return false;
	if (fs_is_dir(&sig))
		return true;
	if (!fs_map(path, &bytes, err))
		return false;
	bool ok = zip_open(str_from(path), bytes, &z, err);
	if (ok) {
		*ret = zip_find(&z, str_from(entry)) != NULL;
		zip_close(&z);
	}
	fs_unmap(bytes);
	return ok;
}

bool jvm_class_path_has(const StrVec *class_path, const char *entry)
{
	bool found = false;
	for (size_t i = 0; !found && i < class_path->len; i++)
		if (!holds(class_path->ptr[i].ptr, entry, &found, NULL))
			found = false;
	return found;
}

bool jvm_clojure_in(const StrVec *class_path, const char *ret[JVM_CLOJURE_JARS], size_t *ret_n, struct err *err)
{
	static const char *const marks[JVM_CLOJURE_JARS] = {"clojure/core.clj", "clojure/spec/alpha.clj",
	                                                    "clojure/core/specs/alpha.clj"};
	*ret_n = 0;
	for (size_t m = 0; m < ARRAY_LEN(marks); m++) {
		bool found = false;
		for (size_t i = 0; !found && i < class_path->len; i++) {
			if (!holds(class_path->ptr[i].ptr, marks[m], &found, err))
				return false;
			if (found)
				ret[(*ret_n)++] = class_path->ptr[i].ptr;
		}
		if (m == 0 && !found) {
			err_set(err, ERR_USER, "none of the jars that it depends on is Clojure's");
			err_note(err, "declare clojure.jar, spec.alpha and core.specs.alpha as jar targets, and depend "
			              "on them");
			return false;
		}
	}
	return true;
}

bool jvm_prepare(struct jvm_toolchain *tc, struct store *store, bool again, struct event_sink *sink, struct err *err)
{
	/* The archive is bound to the jar's path and to the JDK's. */
	struct hasher *h = hasher_new(STR("tenon-clojure-worker-1"));
	hasher_digest(h, "base", &tc->base);
	hasher_str(h, "java", str_from(tc->java));
	hasher_str(h, "store", str_from(store_root(store)));
	struct digest key = hasher_end(h);
	struct action_result r = {0};
	struct result_output made[NKEPT];
	bool found = false;
	if (!again && !store_get_action(store, tc->arena, &key, true, &r, &found, err))
		return false;
	const struct result_output *out = r.outputs;
	if (!found || r.noutputs != NKEPT) {
		struct event e = {.kind = EVENT_PHASE_START, .id = 1, .label = STR("Clojure worker")};
		e.at_ns = clock_mono_ns();
		event_emit(sink, &e);
		bool ok = make(tc, store, &key, made, err);
		e.kind = EVENT_PHASE_FINISH;
		e.outcome = ok ? OUTCOME_RAN : OUTCOME_FAILED;
		e.at_ns = clock_mono_ns();
		event_emit(sink, &e);
		if (!ok)
			return false;
		out = made;
	}
	tc->repl = store_blob_path(store, tc->arena, &out[REPL].digest);
	tc->exec = store_blob_path(store, tc->arena, &out[EXEC].digest);
	tc->resolver = store_blob_path(store, tc->arena, &out[RESOLVER].digest);
	tc->jar = store_blob_path(store, tc->arena, &out[JAR].digest);
	tc->archive = store_blob_path(store, tc->arena, &out[ARCHIVE].digest);
	return true;
}
