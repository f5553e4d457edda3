#include "exec/toolchain.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/embed.h"
#include "exec/driver.h"
#include "lang/sexp.h"
#include "os/clock.h"
#include "os/fs.h"
#include "os/process.h"

#define PROBE_TIMEOUT_MS     30000
#define BASE_CORE_TIMEOUT_MS 180000

static const char probe_form[] = "(progn (format t \"~&tenon|~a|~a|~a|~a~%\" (lisp-implementation-version)"
                                 " (sb-ext:native-namestring (pathname sb-ext:*runtime-pathname*))"
                                 " (sb-ext:native-namestring sb-ext:*core-pathname*)"
                                 " (sb-ext:native-namestring (sb-int:sbcl-homedir-pathname))) (finish-output))";

static bool no_lisp(struct err *err, const char *what)
{
	err_set(err, ERR_ENVIRONMENT, "%s", what);
	err_note(err, "install SBCL %s or newer (Debian: apt-get install sbcl) or name it with --lisp PATH",
	         TOOLCHAIN_OLDEST_SBCL);
	return false;
}

static bool locate(struct arena *a, const struct toolchain_spec *spec, char **ret, struct err *err)
{
	const char *name = spec->lisp ? spec->lisp : "sbcl";
	if (strchr(name, '/'))
		*ret = access(name, X_OK) == 0 ? path_absolute(a, name) : NULL;
	else
		*ret = process_find(a, spec->search ? spec->search : "", name);
	if (*ret)
		return true;
	struct str what = spec->lisp ? str_fmt(a, "Lisp \"%s\" is not an executable program", name)
	                             : STR("no Lisp is installed: \"sbcl\" is not in PATH");
	return no_lisp(err, what.ptr);
}

/* "2.2.9.debian" against "2.2.6": by numbers. */
static bool version_at_least(struct str version, struct str wanted)
{
	struct str want;
	while (str_cut(&wanted, '.', &want)) {
		struct str have = {0};
		uint64_t h = 0, w = 0;
		if (!str_cut(&version, '.', &have))
			return false;
		size_t digits = 0;
		while (digits < have.len && have.ptr[digits] >= '0' && have.ptr[digits] <= '9')
			digits++;
		if (!str_to_u64(str_n(have.ptr, digits), &h))
			return false;
		str_to_u64(want, &w);
		if (h != w)
			return h > w;
	}
	return true;
}

/* Takes apart what the Lisp says of itself: "version|runtime|core|home". */
static bool read_answer(struct str text, struct str part[4])
{
	size_t n = 0;
	for (struct str one; n < 4 && str_cut(&text, '|', &one); n++)
		part[n] = one;
	return n == 4 && !text.len && part[0].len && str_has_prefix(part[1], STR("/")) &&
	       str_has_prefix(part[2], STR("/")) && str_has_prefix(part[3], STR("/"));
}

/* Asks the Lisp. Cached by the digest of the program, since asking costs a start: what is no answer is neither put
 * into the store nor taken from there. */
static bool ask(struct toolchain *tc, const struct toolchain_spec *spec, const char *program, struct buf *out,
                struct err *err)
{
	struct digest program_digest;
	struct file_sig sig;
	bool exists;
	if (!filecache_digest(spec->files, program, &program_digest, &sig, &exists, err))
		return false;
	struct hasher *h = hasher_new(STR("tenon-toolchain-probe-1"));
	hasher_str(h, "program", str_from(program));
	hasher_digest(h, "digest", &program_digest);
	struct digest key = hasher_end(h);
	bool found;
	if (!store_get_text(spec->store, &key, out, &found, err))
		return false;
	struct str part[4];
	if (found && read_answer(buf_str(out), part))
		return true;
	buf_clear(out);

	const char *argv[] = {program,         "--noinform",         "--no-sysinit",
	                      "--no-userinit", "--disable-debugger", "--non-interactive",
	                      "--eval",        probe_form,           NULL};
	struct spawn_spec run = {.argv = argv,
	                         .envp = toolchain_environment(tc, tc->arena, NULL, 0),
	                         .stdin_fd = -1,
	                         .stdout_fd = -1,
	                         .stderr_fd = -1};
	struct buf text = {0};
	int status;
	bool ok = process_run(&run, PROBE_TIMEOUT_MS, &text, &status, err);
	size_t at = str_search(buf_str(&text), STR("tenon|"));
	if (ok && (status != 0 || at == text.len)) {
		struct buf how = {0};
		process_status_text(status, &how);
		err_set(err, ERR_ENVIRONMENT, "\"%s\" does not work as an SBCL (%s)", program, buf_cstr(&how));
		err_note(err, "it printed: %.*s", (int)MIN(text.len, 400), text.ptr ? text.ptr : "");
		buf_release(&how);
		ok = false;
	}
	if (ok) {
		struct str rest = str_drop(buf_str(&text), at + 6), line;
		str_cut(&rest, '\n', &line);
		buf_adds(out, line);
		ok = read_answer(line, part) ||
		     err_set(err, ERR_ENVIRONMENT, "\"%s\" does not say what it is", program);
		ok = ok && store_put_text(spec->store, &key, buf_str(out), err);
	}
	buf_release(&text);
	return ok;
}

static bool add_file(struct toolchain *tc, struct filecache *files, struct hasher *h, const char *path, struct err *err)
{
	struct digest d;
	bool exists;
	if (!filecache_digest(files, path, &d, NULL, &exists, err))
		return false;
	struct str name = path_base(str_from(path));
	hasher_str(h, "file", name);
	hasher_digest(h, "content", &d);
	vec_push(&tc->files, str_dup(tc->arena, str_from(path)));
	return true;
}

static bool digest_toolchain(struct toolchain *tc, struct filecache *files, struct err *err)
{
	struct hasher *h = hasher_new(STR("tenon-toolchain-1"));
	hasher_str(h, "version", tc->version);
	bool ok = add_file(tc, files, h, tc->program, err) && add_file(tc, files, h, tc->core, err);
	char *contrib = path_join(tc->arena, tc->home, "contrib");
	StrVec names = {0};
	struct file_sig sig;
	if (ok && fs_stat(contrib, &sig, NULL) && fs_is_dir(&sig))
		ok = fs_list(tc->arena, contrib, &names, err);
	for (size_t i = 0; ok && i < names.len; i++)
		if (str_has_suffix(names.ptr[i], STR(".fasl")))
			ok = add_file(tc, files, h, path_join(tc->arena, contrib, names.ptr[i].ptr), err);
	vec_release(&names);
	tc->digest = hasher_end(h);
	return ok;
}

bool toolchain_find(struct toolchain *tc, struct arena *a, const struct toolchain_spec *spec, struct err *err)
{
	*tc = (struct toolchain){.arena = a};
	char *program;
	if (!locate(a, spec, &program, err))
		return false;
	struct buf text = {0};
	bool ok = ask(tc, spec, program, &text, err);
	struct str part[4] = {{0}};
	CHECK(!ok || read_answer(buf_str(&text), part));
	if (ok && !version_at_least(part[0], STR(TOOLCHAIN_OLDEST_SBCL)))
		ok = no_lisp(err, str_fmt(a, "\"%s\" is SBCL %.*s, which is too old", program, STR_ARG(part[0])).ptr);
	if (ok) {
		tc->version = str_dup(a, part[0]);
		tc->program = str_dupz(a, part[1]);
		tc->core = str_dupz(a, part[2]);
		tc->home = str_dupz(a, part[3]);
		vec_push(&tc->files, str_dup(a, str_from(program)));
		ok = digest_toolchain(tc, spec->files, err);
	}
	buf_release(&text);
	if (ok)
		tc->driver = driver_digest(STR("tenon-driver-1"), STR("sbcl/"));
	tc->base = driver_base_digest(STR("tenon-base-1"), &tc->digest, &tc->driver);
	return ok;
}

void toolchain_release(struct toolchain *tc)
{
	vec_release(&tc->files);
}

const char **toolchain_environment(const struct toolchain *tc, struct arena *a, const char *const *extra, size_t n)
{
	const char *own[] = {tc->home ? str_fmt(a, "SBCL_HOME=%s", tc->home).ptr : NULL};
	return process_environment(a, own, tc->home ? 1 : 0, extra, n);
}

/* The driver as it was compiled with this program, if that was for this version of the Lisp: a FASL. */
static struct str compiled_driver(const struct toolchain *tc)
{
	for (size_t i = 0; i < embedded_files_count; i++) {
		struct str line, all = str_n((const char *)embedded_files[i].data, embedded_files[i].len);
		if (str_eqc(str_from(embedded_files[i].path), "compiled/sbcl") && str_cut(&all, '\n', &line) &&
		    str_eq(line, tc->version))
			return all;
	}
	return (struct str){0};
}

static bool write_sources(struct arena *a, const char *dir, StrVec *paths, struct err *err)
{
	for (size_t i = 0; i < embedded_files_count; i++) {
		char *path = path_join(a, dir, embedded_files[i].path);
		if (!str_has_prefix(str_from(embedded_files[i].path), STR("sbcl/")))
			continue;
		struct str text = str_n((const char *)embedded_files[i].data, embedded_files[i].len);
		if (!fs_mkdirs_parent(path, err) || !fs_write_atomic(path, text, 0644, false, err))
			return false;
		vec_push(paths, str_from(path));
	}
	return true;
}

static bool write_driver(const struct toolchain *tc, struct arena *a, const char *dir, StrVec *paths, struct err *err)
{
	struct str fasl = tc->from_sources ? STR("") : compiled_driver(tc);
	if (!fasl.len)
		return write_sources(a, dir, paths, err);
	char *path = path_join(a, dir, "driver.fasl");
	vec_push(paths, str_from(path));
	return fs_write_atomic(path, fasl, 0644, false, err);
}

const char **toolchain_fresh_arguments(const struct toolchain *tc, struct arena *a, const char *dir,
                                       const char *function, struct err *err)
{
	struct buf form = {0};
	StrVec files = {0};
	if (!write_driver(tc, a, dir, &files, err)) {
		vec_release(&files);
		return NULL;
	}
	const char *const first[] = {"--no-sysinit", "--no-userinit", "--disable-debugger", "--eval",
	                             "(require :asdf)"};
	const char **argv = arena_new_n(a, const char *, ARRAY_LEN(first) + 2 * files.len + 3);
	size_t n = 0;
	for (size_t i = 0; i < ARRAY_LEN(first); i++)
		argv[n++] = first[i];
	for (size_t i = 0; i < files.len; i++) {
		argv[n++] = "--load";
		argv[n++] = files.ptr[i].ptr;
	}
	buf_addf(&form, "(tenon-driver:%s ", function);
	sexp_print_string(str_from(dir), &form);
	buf_addc(&form, ')');
	argv[n++] = "--eval";
	argv[n++] = str_dupz(a, buf_str(&form));
	argv[n] = NULL;
	buf_release(&form);
	vec_release(&files);
	return argv;
}

static bool run_core_build(const struct toolchain *tc, struct arena *a, const char *dir, const char *core,
                           struct err *err)
{
	Vec(const char *) argv = {0};
	const char **fresh = toolchain_fresh_arguments(tc, a, dir, "save-base", err);
	const char *const first[] = {tc->program, "--core", tc->core, "--noinform"};
	for (size_t i = 0; i < ARRAY_LEN(first); i++)
		vec_push(&argv, first[i]);
	for (size_t i = 0; fresh && fresh[i]; i++)
		vec_push(&argv, fresh[i]);
	vec_push(&argv, NULL);
	bool ok = fresh != NULL;
	struct spawn_spec run = {.argv = argv.ptr,
	                         .envp = toolchain_environment(tc, a, NULL, 0),
	                         .cwd = dir,
	                         .stdin_fd = -1,
	                         .stdout_fd = -1,
	                         .stderr_fd = -1};
	struct buf out = {0};
	int status = 0;
	ok = ok && process_run(&run, BASE_CORE_TIMEOUT_MS, &out, &status, err);
	struct file_sig sig = {0};
	if (ok && (status != 0 || !fs_stat(core, &sig, NULL) || !sig.mode)) {
		struct buf how = {0};
		process_status_text(status, &how);
		err_set(err, ERR_ENVIRONMENT, "the base core could not be made from \"%s\" (%s)", tc->program,
		        buf_cstr(&how));
		size_t tail = out.len > 1500 ? out.len - 1500 : 0;
		err_note(err, "it printed: %s", out.len ? out.ptr + tail : "nothing");
		buf_release(&how);
		ok = false;
	}
	buf_release(&out);
	vec_release(&argv);
	return ok;
}

static struct digest base_core_key(const struct digest *base, const char *program)
{
	struct hasher *h = hasher_new(STR("tenon-base-core-1"));
	hasher_digest(h, "base", base);
	hasher_str(h, "program", str_from(program));
	return hasher_end(h);
}

static bool put_base_core(struct store *store, const struct digest *base, const char *program, const char *core,
                          struct digest *ret_blob, struct err *err)
{
	struct result_output out = {.path = STR("base.core"), .mode = 0444};
	struct action_result r = {.outputs = &out, .noutputs = 1, .label = STR("base core")};
	struct digest key = base_core_key(base, program);
	bool ok = store_put_file(store, core, true, &out.digest, &out.size, err) &&
	          store_put_action(store, &key, &r, err);
	*ret_blob = out.digest;
	return ok;
}

bool toolchain_keep_base_core(struct store *store, const struct digest *base, const char *program, const char *core,
                              struct err *err)
{
	struct arena a = {0};
	struct digest blob, key = base_core_key(base, program);
	struct action_result r;
	bool found = false;
	bool ok = store_get_action(store, &a, &key, true, &r, &found, err);
	arena_release(&a);
	if (!ok || found) /* somebody else was first */
		return ok;
	return put_base_core(store, base, program, core, &blob, err);
}

static bool make_core(struct toolchain *tc, struct store *store, struct err *err)
{
	struct arena a = {0};
	char *dir;
	bool ok = store_scratch(store, &a, &dir, err);
	if (ok) {
		char *core = path_join(&a, dir, "base.core");
		ok = run_core_build(tc, &a, dir, core, err) &&
		     put_base_core(store, &tc->base, tc->program, core, &tc->core_blob, err);
		fs_remove_tree(dir, NULL);
	}
	arena_release(&a);
	return ok;
}

bool toolchain_find_base_core(struct toolchain *tc, struct store *store, struct err *err)
{
	struct digest key = base_core_key(&tc->base, tc->program);
	struct action_result r = {0};
	bool found = false;
	if (!store_get_action(store, tc->arena, &key, true, &r, &found, err))
		return false;
	if (found && r.noutputs == 1) {
		tc->core_blob = r.outputs[0].digest;
		tc->base_core = store_blob_path(store, tc->arena, &tc->core_blob);
	}
	return true;
}

bool toolchain_base_core(struct toolchain *tc, struct store *store, bool again, struct event_sink *sink,
                         struct err *err)
{
	tc->base_core = NULL;
	if (!again && !toolchain_find_base_core(tc, store, err))
		return false;
	if (tc->base_core)
		return true;
	struct event e = {.kind = EVENT_PHASE_START, .id = 1, .label = STR("base core")};
	e.at_ns = clock_mono_ns();
	event_emit(sink, &e);
	bool ok = make_core(tc, store, err);
	e.kind = EVENT_PHASE_FINISH;
	e.outcome = ok ? OUTCOME_RAN : OUTCOME_FAILED;
	e.at_ns = clock_mono_ns();
	event_emit(sink, &e);
	if (ok)
		tc->base_core = store_blob_path(store, tc->arena, &tc->core_blob);
	return ok;
}
