#include "build/targets.h"

#include <stdlib.h>

#include "base/embed.h"
#include "build/junit.h"
#include "build/lisp_executor.h"
#include "exec/jvm_executor.h"
#include "os/clock.h"
#include "os/fs.h"
#include "os/landlock.h"
#include "wire/zip.h"

/* What was asked for, as the request's digest and the log see it. */
static void name_request(struct targets *t)
{
	struct build_options *o = &t->request.options;
	struct str *names = arena_new_n(&t->arena, struct str, o->ntargets + 1);
	names[0] = str_fmt(&t->arena, "%s in //%.*s", t->request.verb, STR_ARG(t->request.here));
	for (size_t i = 0; i < o->ntargets; i++)
		names[i + 1] = o->targets[i];
	o->targets = names;
	o->ntargets++;
}

bool targets_init(struct targets *t, const struct targets_request *request, struct event_sink *sink, struct err *err)
{
	*t = (struct targets){.request = *request, .session = {.lock_fd = -1}};
	name_request(t);
	return session_init(&t->session, &t->request.options, sink, err);
}

static void see(struct session *s, struct str path)
{
	struct file_sig sig;
	char *absolute = path_join(&s->arena, s->options.directory, str_dupz(&s->arena, path));
	fs_stat(absolute, &sig, NULL);
	vec_push(&s->seen, (struct seen_file){str_from(absolute), sig});
}

static void see_all(struct session *s, const StrVec *paths)
{
	for (size_t i = 0; i < paths->len; i++)
		see(s, paths->ptr[i]);
}

/* The targets of a Clojure project that has no BUILD files. */
static bool load_project(struct targets *t, struct err *err)
{
	const struct project_request q = {.dir = t->request.options.directory,
	                                  .kind = t->request.project_kind,
	                                  .clones = session_clones(&t->arena, &t->request.options),
	                                  .offline = t->request.offline,
	                                  .chosen = t->request.chosen,
	                                  .tests_are_main = t->request.tests_are_main};
	struct event e = {.kind = EVENT_PHASE_START, .id = 2, .label = STR("dependencies"), .at_ns = clock_mono_ns()};
	bool slow = !project_is_resolved(&q);
	if (slow)
		event_emit(t->session.sink, &e);
	bool ok = project_load(&t->project, &q, err);
	e.kind = EVENT_PHASE_FINISH;
	e.outcome = ok ? OUTCOME_RAN : OUTCOME_FAILED;
	e.at_ns = clock_mono_ns();
	if (slow)
		event_emit(t->session.sink, &e);
	if (slow && ok && t->project.lock.left_out.len)
		session_note(&t->session, NOTE_WARNING, "libraries of the tests are left out: %.*s",
		             STR_ARG(t->project.lock.left_out));
	for (size_t i = 0; slow && ok && i < t->project.deps.notes.len; i++)
		session_note(&t->session, NOTE_INFO, "%.*s", STR_ARG(t->project.deps.notes.ptr[i]));
	see_all(&t->session, &t->project.seen);
	return ok;
}

bool targets_load(struct targets *t, struct err *err)
{
	struct file_view view;
	struct buildfile_inputs in = {0};
	const struct build_options *o = &t->request.options;
	if (!session_open(&t->session, err) || (t->request.is_project && !load_project(t, err)))
		return false;
	struct buildfile_machine machine = buildfile_machine_settings(&t->arena);
	struct buildfile_setting settings[ARRAY_LEN(machine.settings) + 1];
	for (size_t i = 0; i < ARRAY_LEN(machine.settings); i++)
		settings[i] = machine.settings[i];
	settings[ARRAY_LEN(machine.settings)] = (struct buildfile_setting){STR("config"), str_from(o->config)};
	struct buildfile_request q = {.here = t->request.here,
	                              .patterns = o->targets + 1,
	                              .npatterns = o->ntargets - 1,
	                              .settings = settings,
	                              .nsettings = ARRAY_LEN(settings)};
	buildfile_disk_view(o->directory, t->project.aliases.ptr, t->project.aliases.len, &view);
	t->loaded = true;
	bool ok = buildfile_load(&view, &q, &t->table, &in, err);
	see(&t->session, STR("WORKSPACE"));
	see_all(&t->session, &in.read);
	see_all(&t->session, &in.absent);
	see_all(&t->session, &in.folders);
	buildfile_inputs_release(&in);
	return ok;
}

static bool find_jdk(struct target_tools *tools, struct err *err)
{
	struct targets *t = tools->ctx;
	struct session *s = &t->session;
	if (t->jdk.home)
		return true;
	if (!jdk_find(&t->jdk, &t->arena, getenv("JAVA_HOME"), getenv("PATH"), s->files, err))
		return false;
	tools->java = str_from(t->jdk.java);
	tools->javac = str_from(t->jdk.javac);
	tools->jdk = t->jdk.digest;
	for (size_t i = 0; i < t->jdk.files.len; i++) {
		struct file_sig sig;
		fs_stat(t->jdk.files.ptr[i].ptr, &sig, NULL);
		vec_push(&s->seen, (struct seen_file){t->jdk.files.ptr[i], sig});
	}
	return true;
}

/* The Clojure side of tenon: part of the keys of what it compiles. */
static struct digest jvm_driver(void)
{
	struct hasher *h = hasher_new(STR("tenon-jvm-driver-1"));
	for (size_t i = 0; i < embedded_files_count; i++) {
		struct str path = str_from(embedded_files[i].path);
		if (str_has_prefix(path, STR("clojure/")))
			hasher_str(h, embedded_files[i].path,
			           str_n((const char *)embedded_files[i].data, embedded_files[i].len));
	}
	return hasher_end(h);
}

/* Every namespace that was asked for must be one that has tests here. */
static bool check_only(struct targets *t, struct err *err)
{
	const StrVec *only = &t->request.only_tests;
	for (size_t i = 0; i < only->len; i++) {
		struct str ns = str_slice(only->ptr[i], 0, str_find(only->ptr[i], '/'));
		struct nearest n;
		bool found = false;
		for (size_t k = 0; k < t->analysis.actions.len && !found; k++) {
			const struct target_action *a = &t->analysis.actions.ptr[k];
			found = a->is_test && a->argv.len > 1 && str_eq(a->argv.ptr[1], ns);
		}
		if (found)
			continue;
		err_set(err, ERR_USER, "none of the targets has tests in a namespace %.*s", STR_ARG(ns));
		nearest_init(&n, ns);
		target_clojure_offer_tests(&t->analysis, &n);
		nearest_note(&n, err);
		return false;
	}
	return true;
}

bool targets_analyse(struct targets *t, enum targets_purpose purpose, struct err *err)
{
	t->tools = (struct target_tools){.want_tests = purpose == TARGETS_TEST,
	                                 .want_sources = purpose == TARGETS_PROMPT,
	                                 .only_tests = t->request.only_tests,
	                                 .selectors = t->request.selectors,
	                                 .find_jdk = find_jdk,
	                                 .ctx = t,
	                                 .packer = zip_packer(),
	                                 .directory = t->request.options.directory,
	                                 .jvm_driver = jvm_driver()};
	target_analysis_init(&t->analysis, &t->table, &t->tools);
	t->analysed = true;
	bool ok = target_analyse(&t->analysis, t->table.requested.ptr, t->table.requested.len, err);
	for (size_t i = 0; i < t->analysis.notes.len; i++)
		session_note(&t->session, NOTE_INFO, "%.*s", STR_ARG(t->analysis.notes.ptr[i]));
	return ok && (!t->request.only_tests.len || check_only(t, err));
}

/* A path with links followed; where that cannot be, as it is. */
static const char *real_path(struct arena *a, const char *path)
{
	char *real = realpath(path, NULL);
	const char *ret = real ? str_dupz(a, str_from(real)) : path;
	free(real);
	return ret;
}

static void add_executors(struct targets *t)
{
	struct session *s = &t->session;
	const char **hidden = arena_new_n(&t->arena, const char *, 2);
	hidden[0] = real_path(&t->arena, s->options.directory);
	hidden[1] = real_path(&t->arena, s->store_dir);
	struct exec_place place = {.loop = s->loop,
	                           .sandbox = s->options.sandbox,
	                           .hidden = hidden,
	                           .nhidden = 2,
	                           .directory = s->options.directory,
	                           .out_dir = s->out_dir,
	                           .scratch = path_join(&t->arena, s->store_dir, "tmp")};
	target_build_add(&t->build, command_executor_new(&place));
	target_build_add(&t->build, worker_executor_new(&place));
	target_build_add(&t->build, local_executor_new());
	target_build_add(&t->build, lisp_executor_new(s, &place, t->analysis.actions.len));
	struct jvm_executor_config jvm = {.place = place,
	                                  .store = s->store,
	                                  .files = s->files,
	                                  .sink = s->sink,
	                                  .threads = s->options.jobs,
	                                  .audit = t->build.audit};
	target_build_add(&t->build, jvm_executor_new(&jvm));
}

bool targets_build(struct targets *t, const struct targets_how *how, struct err *err)
{
	struct session *s = &t->session;
	session_loop(s);
	t->built = true;
	if (!target_build_init(&t->build, s, &t->analysis, err))
		return false;
	t->build.rerun_tests = how->rerun_tests;
	t->build.audit = how->audit;
	add_executors(t);
	bool ok = target_build_run(&t->build, how->strategy, err);
	struct err late = {0};
	if (!target_build_commit(&t->build, &late) && ok) {
		err_move(err, &late);
		ok = false;
	}
	err_clear(&late);
	return ok;
}

bool targets_recall(struct targets *t, struct err *err)
{
	t->built = true;
	return target_build_init(&t->build, &t->session, &t->analysis, err);
}

bool targets_report_tests(struct targets *t, const char *junit_file, struct err *err)
{
	struct junit x = {0};
	struct target_build *b = &t->build;
	uint64_t namespaces = 0;
	for (size_t i = 0; i < t->analysis.actions.len; i++) {
		const struct target_action *a = &t->analysis.actions.ptr[i];
		const struct target_unit *u = &b->units[i];
		if (!a->is_test || (u->outcome == OUTCOME_SKIPPED && !u->known))
			continue;
		struct str name = a->runtime ? a->argv.ptr[1] : target_get(&t->table, a->target)->label;
		namespaces++;
		junit_add(&x, name, target_get(&t->table, a->target)->label, u->facts, u->failure, u->wall_ns);
	}
	session_note(&t->session, NOTE_INFO,
	             "%llu tests in %llu namespaces, %llu assertions: %llu failures, %llu errors",
	             (unsigned long long)x.tests, (unsigned long long)namespaces, (unsigned long long)x.assertions,
	             (unsigned long long)x.failures, (unsigned long long)x.errors);
	if (x.errors && t->session.options.sandbox && landlock_abi() > 0)
		session_note(&t->session, NOTE_INFO,
		             "tests write to temporary folders only; --no-sandbox lets them write anywhere");
	/* Most likely a name that is misspelt. */
	const StrVec *asked = &t->request.selectors;
	if (asked->len && !x.tests) {
		junit_release(&x);
		return err_set(err, ERR_USER, "no test has \"%.*s\", as --select asks", STR_ARG(vec_last(asked)));
	}
	bool ok = !junit_file || junit_write(&x, junit_file, err);
	junit_release(&x);
	return ok;
}

void targets_close(struct targets *t)
{
	if (t->built)
		target_build_release(&t->build);
	if (t->analysed)
		target_analysis_release(&t->analysis);
	if (t->loaded)
		target_table_release(&t->table);
	jdk_release(&t->jdk);
	project_release(&t->project);
	session_close(&t->session);
	arena_release(&t->arena);
}

static struct str built_name(void *ctx, struct arena *a, const struct target_file_ref *f)
{
	const struct session *s = &((struct targets *)ctx)->session;
	const char *dir = f->producer == NO_ID ? s->options.directory : s->out_dir;
	return str_from(path_join(a, dir, str_dupz(a, f->path)));
}

static const char **in_place(struct targets *t, const struct target_command *c, const StrVec *words)
{
	const char **ret = arena_new_n(&t->arena, const char *, words->len + 1);
	for (size_t i = 0; i < words->len; i++)
		ret[i] = str_dupz(&t->arena, target_command_word(&t->arena, c, words->ptr[i], built_name, t));
	return ret;
}

bool targets_run_command(struct targets *t, target_id id, const char ***ret_argv, const char ***ret_env,
                         struct err *err)
{
	const struct target_command *c = &t->analysis.products[id].run;
	if (!c->words.len) {
		const struct build_target *b = target_get(&t->table, id);
		err_set(err, ERR_USER, "\"%.*s\" is nothing that can be run: its rule is %.*s", STR_ARG(b->label),
		        STR_ARG(b->rule));
		return false;
	}
	*ret_argv = in_place(t, c, &c->words);
	*ret_env = in_place(t, c, &c->env);
	return true;
}
