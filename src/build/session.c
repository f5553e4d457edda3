#include "build/session.h"

#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/clock.h"
#include "os/fs.h"
#include "os/interrupt.h"
#include "store/lastbuild.h"

#define TICK_MS 100

static char *cache_home(struct arena *a)
{
	const char *xdg = getenv("XDG_CACHE_HOME");
	if (xdg && *xdg == '/')
		return path_join(a, xdg, "tenon");
	const char *home = getenv("HOME");
	return path_join(a, home && *home ? home : "/tmp", ".cache/tenon");
}

/* A project that can't be written to keeps its state below the user's cache, by the digest of its path. */
static bool choose_state_dir(struct session *s, struct err *err)
{
	struct arena *a = &s->arena;
	s->state_dir = path_join(a, s->options.directory, ".tenon");
	if (mkdir(s->state_dir, 0777) == 0) /* new: what is in it is nobody's source */
		fs_write_atomic(path_join(a, s->state_dir, ".gitignore"), STR("*\n"), 0644, false, NULL);
	if (fs_mkdirs(s->state_dir, NULL) && access(s->state_dir, W_OK) == 0)
		return true;
	struct digest d = digest_of(str_from(s->options.directory));
	char hex[DIGEST_HEX + 1];
	digest_hex(&d, hex);
	hex[16] = 0;
	s->state_dir = str_dupz(a, str_fmt(a, "%s/workspaces/%s", s->store_dir, hex));
	return fs_mkdirs(s->state_dir, err);
}

static int by_str(const void *a, const void *b)
{
	return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static void collect_environment(struct session *s)
{
	for (size_t i = 0; i < s->options.nenv; i++) {
		const char *value = getenv(str_dupz(&s->arena, s->options.env[i]));
		vec_push(&s->environment,
		         str_fmt(&s->arena, "%.*s=%s", STR_ARG(s->options.env[i]), value ? value : ""));
	}
	if (s->environment.len)
		qsort(s->environment.ptr, s->environment.len, sizeof(struct str), by_str);
	struct buf b = {0};
	for (size_t i = 0; i < s->environment.len; i++)
		buf_addf(&b, "%.*s\n", STR_ARG(s->environment.ptr[i]));
	s->rules.environment = str_dup(&s->arena, buf_str(&b));
	buf_release(&b);
}

/* Variables that say where systems lie; a change of one makes another request. */
static const char *const place_variables[] = {"PATH",
                                              "HOME",
                                              "CL_SOURCE_REGISTRY",
                                              "XDG_CONFIG_HOME",
                                              "XDG_DATA_HOME",
                                              "XDG_CONFIG_DIRS",
                                              "XDG_DATA_DIRS",
                                              "XDG_CACHE_HOME",
                                              "ASDF_OUTPUT_TRANSLATIONS"};

static void digest_request(struct session *s)
{
	const struct build_options *o = &s->options;
	struct hasher *h = hasher_new(STR("tenon-request-1"));
	hasher_str(h, "directory", str_from(o->directory));
	for (size_t i = 0; i < o->ntargets; i++)
		hasher_str(h, "target", o->targets[i]);
	hasher_u64(h, "lax", o->lax);
	for (size_t i = 0; i < o->nstrict; i++)
		hasher_str(h, "strict", o->strict[i]);
	hasher_u64(h, "headers", o->headers);
	hasher_u64(h, "install", o->install_fasls);
	hasher_str(h, "install below", str_from(o->install));
	hasher_u64(h, "sandbox", o->sandbox);
	hasher_str(h, "config", str_from(o->config));
	hasher_str(h, "warnings", str_from(o->warnings));
	hasher_str(h, "lisp", str_from(o->lisp));
	hasher_str(h, "store", str_from(s->store_dir));
	hasher_str(h, "registry", str_from(o->registry));
	hasher_str(h, "environment", s->rules.environment);
	for (size_t i = 0; i < ARRAY_LEN(place_variables); i++)
		hasher_str(h, place_variables[i], str_from(getenv(place_variables[i])));
	s->request = hasher_end(h);
	char hex[DIGEST_HEX + 1];
	digest_hex(&s->request, hex);
	hex[24] = 0;
	s->last_file = path_join(&s->arena, s->config_dir, str_dupz(&s->arena, str_fmt(&s->arena, "last-%s", hex)));
}

char *session_store_dir(struct arena *a, const struct build_options *options)
{
	return options->store_dir ? path_absolute(a, options->store_dir) : cache_home(a);
}

char *session_clones(struct arena *a, const struct build_options *options)
{
	return path_join(a, session_store_dir(a, options), "git");
}

bool session_init(struct session *s, const struct build_options *options, struct event_sink *sink, struct err *err)
{
	*s = (struct session){.options = *options, .sink = sink, .lock_fd = -1, .next_id = 16};
	struct arena *a = &s->arena;
	s->store_dir = session_store_dir(a, options);
	if (!choose_state_dir(s, err))
		return false;
	const char *place = options->place ? options->place : options->config;
	s->out_dir = str_dupz(a, str_fmt(a, "%s/out/%s", s->state_dir, place));
	s->config_dir = str_dupz(a, str_fmt(a, "%s/state/%s", s->state_dir, place));
	collect_environment(s);
	s->rules.config = str_from(options->config);
	s->rules.policy = lisp_config_policy(s->rules.config);
	s->rules.warnings = str_from(options->warnings);
	s->rules.sandbox = options->sandbox;
	digest_request(s);
	return true;
}

bool session_unchanged(struct session *s, struct buf *text, size_t *ret_files)
{
	return lastbuild_unchanged(s->last_file, &s->request, text, ret_files);
}

enum severity session_severity(const struct sexp *keyword)
{
	if (sexp_is_keyword(keyword, "error"))
		return SEVERITY_ERROR;
	if (sexp_is_keyword(keyword, "warning"))
		return SEVERITY_WARNING;
	if (sexp_is_keyword(keyword, "style-warning"))
		return SEVERITY_STYLE;
	return SEVERITY_NOTE;
}

void session_note(struct session *s, enum note_level level, const char *fmt, ...)
{
	struct buf b = {0};
	va_list ap;
	va_start(ap, fmt);
	buf_addv(&b, fmt, ap);
	va_end(ap);
	struct event e = {.kind = EVENT_NOTE, .level = level, .text = buf_str(&b), .at_ns = clock_mono_ns()};
	event_emit(s->sink, &e);
	buf_release(&b);
}

void session_tell_change(struct session *s)
{
	struct buf path = {0};
	if (lastbuild_first_change(s->last_file, &s->request, &path))
		session_note(s, NOTE_DEBUG, "\"%s\" is not what the last build saw", buf_cstr(&path));
	buf_release(&path);
}

bool session_open(struct session *s, struct err *err)
{
	struct arena *a = &s->arena;
	if (!fs_mkdirs(s->config_dir, err) || !fs_mkdirs(s->out_dir, err))
		return false;
	char *lock = path_join(a, s->state_dir, "lock");
	if (!s->options.nested && !fs_lock(lock, false, &s->lock_fd, err))
		return false;
	if (!s->options.nested && s->lock_fd < 0) {
		session_note(s, NOTE_INFO, "waiting for another tenon in this workspace");
		if (!fs_lock(lock, true, &s->lock_fd, err))
			return false;
	}
	if (!store_open(s->store_dir, &s->store, err))
		return false;
	s->files = filecache_load(path_join(a, s->state_dir, "files"));
	s->history = history_open(path_join(a, s->store_dir, "history.db"));
	return true;
}

bool session_toolchain(struct session *s, struct err *err)
{
	if (s->toolchain.program)
		return true;
	/* A Lisp is large, and the same for all workspaces. */
	char *known = path_join(&s->arena, s->store_dir, "toolchains");
	struct toolchain_spec spec = {
	        .lisp = s->options.lisp, .search = getenv("PATH"), .store = s->store, .files = filecache_load(known)};
	bool found = toolchain_find(&s->toolchain, &s->arena, &spec, err);
	if (found)
		filecache_save(spec.files, known, NULL);
	filecache_free(spec.files);
	if (!found)
		return false;
	s->rules.base = s->toolchain.base;
	struct registry_places places = {
	        .workspace = s->options.directory, .home = getenv("HOME"), .extra = s->options.registry};
	return registry_find(&s->arena, &places, &s->registry, err);
}

static void step_text(void *ctx, action_id step, struct buf *out)
{
	const struct graph *g = *(const struct graph **)ctx;
	lisp_step_text(g, graph_action(g, step), out);
}

/* The Lisp's own environment: what the user declared, and what tells ASDF where things are. */
static bool make_pool(struct session *s, struct err *err)
{
	StrVec env = {0};
	for (size_t i = 0; i < s->environment.len; i++)
		vec_push(&env, s->environment.ptr[i]);
	for (size_t i = 0; i < ARRAY_LEN(place_variables); i++) {
		const char *value = getenv(place_variables[i]);
		if (value && strcmp(place_variables[i], "PATH") != 0 && strcmp(place_variables[i], "HOME") != 0)
			vec_push(&env, str_fmt(&s->arena, "%s=%s", place_variables[i], value));
	}
	if (s->options.sandbox)
		vec_push(&env, str_fmt(&s->arena, "TENON_WRITABLE=%s/tmp", store_root(s->store)));
	vec_push(&env, str_fmt(&s->arena, "TENON_REGISTRY=%.*s", STR_ARG(s->registry.form)));
	const char **flat = arena_new_n(&s->arena, const char *, env.len + 1);
	for (size_t i = 0; i < env.len; i++)
		flat[i] = env.ptr[i].ptr;
	struct pool_config config = {.loop = s->loop,
	                             .toolchain = &s->toolchain,
	                             .extra_env = flat,
	                             .nextra_env = env.len,
	                             .out = s->out_dir,
	                             .image_memory = s->options.image_memory,
	                             .heap = s->options.heap,
	                             .step_text = step_text,
	                             .sink = s->sink};
	config.ctx = arena_new(&s->arena, const struct graph *);
	s->pool_graph = config.ctx;
	struct buf text = {0};
	for (size_t i = 0; i < env.len; i++)
		buf_addf(&text, "%.*s\n", STR_ARG(env.ptr[i]));
	s->lisp_environment = str_dup(&s->arena, buf_str(&text));
	buf_release(&text);
	bool ok = pool_new(&config, &s->pool, err);
	vec_release(&env);
	return ok;
}

/* Those that run the loop look for a signal themselves: it only has to wake them. */
static void on_interrupt(void *ctx, int fd)
{
	struct session *s = ctx;
	(void)fd;
	loop_unwatch(s->interrupt);
	s->interrupt = NULL;
}

struct loop *session_loop(struct session *s)
{
	if (s->loop)
		return s->loop;
	s->loop = loop_new();
	if (interrupt_fd() >= 0)
		s->interrupt = loop_watch_fd(s->loop, interrupt_fd(), on_interrupt, s);
	if (s->options.tick)
		s->ticker = loop_ticker(s->loop, TICK_MS, s->options.tick, s->options.tick_ctx);
	return s->loop;
}

bool session_bare_pool(struct session *s, struct err *err)
{
	session_loop(s);
	return s->pool || make_pool(s, err);
}

/* Where no base core is there yet, the process that is to make one builds first. *ret_started false: there is one, it
 * is not to be made behind the build, or the Lisp does not load the driver as it is. */
static bool start_fresh(struct session *s, bool *ret_started, struct err *err)
{
	struct toolchain *tc = &s->toolchain;
	*ret_started = false;
	if (!toolchain_find_base_core(tc, s->store, err))
		return false;
	if (tc->base_core || !s->options.snapshots)
		return true;
	if (!store_scratch(s->store, &s->arena, &s->fresh_dir, err))
		return false;
	tc->fresh = toolchain_fresh_arguments(tc, &s->arena, s->fresh_dir, "start-fresh", err);
	if (!tc->fresh)
		return false;
	struct event e = {.kind = EVENT_PHASE_START, .id = s->next_id++, .label = STR("driver")};
	struct err why = {0};
	e.at_ns = clock_mono_ns();
	event_emit(s->sink, &e);
	*ret_started = pool_start_root(s->pool, &why);
	e.kind = EVENT_PHASE_FINISH;
	e.outcome = *ret_started ? OUTCOME_RAN : OUTCOME_FAILED;
	e.at_ns = clock_mono_ns();
	event_emit(s->sink, &e);
	tc->from_sources = !*ret_started;
	err_clear(&why);
	return true;
}

bool session_pool(struct session *s, struct err *err)
{
	if (!session_bare_pool(s, err))
		return false;
	if (pool_has_root(s->pool))
		return true;
	bool started;
	if (!start_fresh(s, &started, err))
		return false;
	if (started)
		return true;
	if (!toolchain_base_core(&s->toolchain, s->store, false, s->sink, err))
		return false;
	if (pool_start_root(s->pool, err))
		return true;
	/* The stored core may be damaged: if it is, make it anew, once. */
	if (store_check(s->store, &s->toolchain.core_blob))
		return false;
	err_clear(err);
	return toolchain_base_core(&s->toolchain, s->store, true, s->sink, err) && pool_start_root(s->pool, err);
}

void session_unlock(struct session *s)
{
	if (s->lock_fd >= 0)
		fs_unlock(s->lock_fd);
	s->lock_fd = -1;
}

/* The root saves the base core behind the build; where it can't, the driver's files have to go. */
static void leave_root(struct session *s)
{
	if (!s->fresh_dir)
		return;
	const struct toolchain *tc = &s->toolchain;
	char hex[DIGEST_HEX + 1];
	const char *core = path_join(&s->arena, s->fresh_dir, "base.core");
	digest_hex(&tc->base, hex);
	const char *then[] = {BASE_CORE_ARG, store_root(s->store), hex, tc->program, core, NULL};
	if (!s->pool || tc->base_core || interrupt_signal() || !pool_keep_root(s->pool, core, then))
		fs_remove_tree(s->fresh_dir, NULL);
}

void session_close(struct session *s)
{
	leave_root(s);
	pool_free(s->pool);
	if (s->loop)
		loop_free(s->loop);
	if (s->files) {
		filecache_save(s->files, path_join(&s->arena, s->state_dir, "files"), NULL);
		filecache_free(s->files);
	}
	history_close(s->history);
	store_close(s->store);
	session_unlock(s);
	toolchain_release(&s->toolchain);
	registry_release(&s->registry);
	description_findings_release(&s->findings);
	vec_release(&s->environment);
	vec_release(&s->provided);
	map_release(&s->told);
	vec_release(&s->seen);
	map_release(&s->seen_index);
	arena_release(&s->arena);
}

bool session_digest(struct session *s, struct str path, struct digest *ret, bool *ret_exists, struct err *err)
{
	struct file_sig sig;
	uint64_t at;
	bool again = map_get(&s->seen_index, path, &at);
	const char *pathz = again ? s->seen.ptr[at].path.ptr : str_dupz(&s->arena, path);
	if (!filecache_digest(s->files, pathz, ret, &sig, ret_exists, err))
		return false;
	if (again && fs_sig_eq(&s->seen.ptr[at].sig, &sig))
		return true;
	map_put(&s->seen_index, str_from(pathz), s->seen.len);
	vec_push(&s->seen, (struct seen_file){str_from(pathz), sig});
	return true;
}

const struct file_sig *session_seen(const struct session *s, struct str path)
{
	uint64_t at;
	return map_get(&s->seen_index, path, &at) ? &s->seen.ptr[at].sig : NULL;
}

char *session_out_path(const struct session *s, struct arena *a, struct str rel)
{
	return str_dupz(a, str_fmt(a, "%s/%.*s", s->out_dir, STR_ARG(rel)));
}

/* True if the file in the out folder is what it should be already. */
static bool lies_there(struct session *s, const char *path, const struct digest *want)
{
	struct digest have;
	bool exists;
	return filecache_digest(s->files, path, &have, NULL, &exists, NULL) && exists && digest_eq(&have, want);
}

bool session_place_outputs(struct session *s, struct arena *a, const struct result_output *outputs, size_t n,
                           bool *ret_changed, struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		char *path = session_out_path(s, a, outputs[i].path);
		if (lies_there(s, path, &outputs[i].digest))
			continue;
		*ret_changed = true;
		if (!fs_mkdirs_parent(path, err) || !store_materialize(s->store, &outputs[i].digest, path, err))
			return false;
	}
	return true;
}
