/* The executor "jvm": a namespace is compiled in a runtime that others share. */
#include <stdlib.h>

#include "exec/jvm_executor.h"
#include "exec/jvm_libraries.h"
#include "exec/jvm_text.h"
#include "lang/sexp.h"
#include "os/fs.h"

/* One runtime's processes, for actions with the same class path. */
struct runtime {
	const struct target_runtime *spec;
	struct jvm_toolchain toolchain;
	struct jvm_pool *pool;
	struct jvm_libraries libraries;
	struct buf session;
	struct confinement confinement;
	const char *writable[1];
	Vec(const char *) readable;
};

/* A process ends after tests in so many namespaces: what they load and leave behind would fill it. */
#define TESTS_PER_PROCESS 64

struct running;

struct jvm_executor {
	struct executor base;
	struct jvm_executor_config config;
	struct arena arena;
	Vec(struct runtime *) runtimes;
	Vec(struct running *) running; /* and those that have ended */
};

struct running {
	struct jvm_executor *executor;
	struct exec_job *job; /* NULL: ended or cancelled */
	struct jvm_pool *pool;
	struct jvm_job request;
	struct buf text;
	struct runtime *runtime;
	struct timer *timer; /* until libraries are compiled */
	unsigned waited;     /* times */
	bool auditing;       /* the second time, alone; the first answer waits in `answer` */
	struct buf answer;
};

static char *place_of(struct jvm_executor *e, struct arena *a, const struct target_file_ref *f)
{
	const struct exec_place *p = &e->config.place;
	return path_join(a, f->producer == NO_ID ? p->directory : p->out_dir, str_dupz(a, f->path));
}

static void add_list(struct buf *out, const char *name, const StrVec *items)
{
	buf_addf(out, " :%s (", name);
	for (size_t i = 0; i < items->len; i++) {
		sexp_print_string(items->ptr[i], out);
		buf_addc(out, ' ');
	}
	buf_addc(out, ')');
}

static void write_session(struct jvm_executor *e, struct runtime *rt, const StrVec *paths)
{
	StrVec roots = {0};
	for (size_t i = 0; i < rt->spec->roots.len; i++)
		vec_push(&roots, str_from(path_join(&e->arena, e->config.place.directory,
		                                    str_dupz(&e->arena, rt->spec->roots.ptr[i]))));
	add_list(&rt->session, "class-path", paths);
	add_list(&rt->session, "preload", &rt->spec->preload);
	add_list(&rt->session, "roots", &roots);
	add_list(&rt->session, "project", &rt->spec->project);
	vec_release(&roots);
}

/* Reading: what is on the class path, sources and resources, and what the first action declares besides, as all of the
 * runtime's do; tests their package too, in which they run. Writing: temporary files and outputs, which are moved to
 * their places by us. */
static void confine(struct jvm_executor *e, struct runtime *rt, const struct exec_job *first, const StrVec *class_path)
{
	const struct exec_place *p = &e->config.place;
	const struct target_runtime *t = rt->spec;
	struct arena *a = &e->arena;
	for (size_t i = 0; i < class_path->len; i++)
		vec_push(&rt->readable, class_path->ptr[i].ptr);
	for (size_t i = 0; i < t->roots.len; i++)
		vec_push(&rt->readable, path_join(a, p->directory, str_dupz(a, t->roots.ptr[i])));
	for (size_t i = 0; i < first->ninputs; i++)
		if (str_has_prefix(first->inputs[i].path, STR("src/")))
			vec_push(&rt->readable, str_dupz(a, str_from(first->inputs[i].file)));
	if (t->is_test)
		vec_push(&rt->readable, path_join(a, p->directory, str_dupz(a, t->cwd)));
	vec_push(&rt->readable, p->out_dir);
	vec_push(&rt->readable, store_root(e->config.store));
	rt->writable[0] = p->scratch;
	rt->confinement = (struct confinement){.writable = rt->writable,
	                                       .nwritable = ARRAY_LEN(rt->writable),
	                                       .hidden = p->hidden,
	                                       .nhidden = p->nhidden,
	                                       .readable = rt->readable.ptr,
	                                       .nreadable = rt->readable.len};
}

static bool start_runtime(struct jvm_executor *e, struct runtime *rt, const struct exec_job *first, struct err *err)
{
	const char *jars[JVM_CLOJURE_JARS];
	size_t njars;
	const struct jvm_executor_config *c = &e->config;
	const struct target_runtime *t = rt->spec;
	StrVec paths = {0};
	for (size_t i = 0; i < t->class_path.len; i++)
		vec_push(&paths, str_from(place_of(e, &e->arena, &t->class_path.ptr[i])));
	if (!jvm_clojure_in(&paths, jars, &njars, err)) {
		vec_release(&paths);
		return false;
	}
	struct jvm_spec spec = {
	        .search = getenv("PATH"), .clojure = jars, .nclojure = njars, .store = c->store, .files = c->files};
	if (!jvm_find(&rt->toolchain, &e->arena, &spec, err) ||
	    !jvm_prepare(&rt->toolchain, c->store, false, c->sink, err)) {
		vec_release(&paths);
		return false;
	}
	write_session(e, rt, &paths);
	bool ok = jvm_libraries_open(&rt->libraries, &e->arena, &rt->toolchain, c->store, c->files, &paths, &t->preload,
	                             c->threads, err);
	confine(e, rt, first, &paths);
	vec_release(&paths);
	if (!ok)
		return false;
	const char **env = arena_new_n(&e->arena, const char *, t->env.len);
	for (size_t i = 0; i < t->env.len; i++)
		env[i] = str_dupz(&e->arena, t->env.ptr[i]);
	/* Tests may run long enough for the optimising compiler to pay; the last mention of an option counts. */
	struct str *options = arena_new_n(&e->arena, struct str, t->jvm_options.len + 2);
	size_t noptions = 0;
	options[noptions++] = str_fmt(&e->arena, "-Djava.io.tmpdir=%s", rt->libraries.folder);
	if (t->is_test)
		options[noptions++] = STR("-XX:TieredStopAtLevel=4");
	for (size_t i = 0; i < t->jvm_options.len; i++)
		options[noptions++] = t->jvm_options.ptr[i];
	/* Compiles share a runtime. Tests change what they load, so that one process has one of them at a time. */
	struct jvm_config config = {.loop = c->place.loop,
	                            .toolchain = &rt->toolchain,
	                            .session = buf_str(&rt->session),
	                            .cwd = path_join(&e->arena, c->place.directory, str_dupz(&e->arena, t->cwd)),
	                            .extra_env = env,
	                            .nextra_env = t->env.len,
	                            .libraries = &rt->libraries,
	                            .confinement = c->place.sandbox ? &rt->confinement : NULL,
	                            .recycle = t->is_test ? TESTS_PER_PROCESS : 0,
	                            .options = options,
	                            .noptions = noptions,
	                            .processes = t->is_test ? MAX(c->threads, 1U) : 1,
	                            .threads = t->is_test ? 1 : MAX(c->threads, 1U)};
	rt->pool = jvm_pool_new(&config);
	return true;
}

static bool runtime_of(struct jvm_executor *e, const struct exec_job *job, struct runtime **ret, struct err *err)
{
	const struct target_runtime *spec = job->action->runtime;
	for (size_t i = 0; i < e->runtimes.len; i++)
		if (e->runtimes.ptr[i]->spec == spec) {
			*ret = e->runtimes.ptr[i];
			return true;
		}
	struct runtime *rt = xcalloc(1, sizeof(*rt));
	rt->spec = spec;
	if (!start_runtime(e, rt, job, err)) {
		vec_release(&rt->readable);
		jvm_libraries_close(&rt->libraries);
		jvm_release(&rt->toolchain);
		buf_release(&rt->session);
		free(rt);
		return false;
	}
	vec_push(&e->runtimes, rt);
	*ret = rt;
	return true;
}

static const char *out_dir(const struct exec_job *job)
{
	const struct target_action *t = job->action;
	return t->is_test ? "" : str_fmt(job->arena, "%s/out/%.*s", job->root, STR_ARG(t->outputs.ptr[0].path)).ptr;
}

/* -- audits: the same compile in a process that has done nothing else must give the same bytes -- */

static const char *audit_dir(const struct exec_job *job)
{
	return path_join(job->arena, job->root, "tmp/audit");
}

struct comparison {
	struct exec_job *job;
	const char *other;
	struct str differs; /* the first file, in the job's arena */
};

static bool compare_file(void *ctx, const char *rel, const struct file_sig *sig, struct err *err)
{
	struct comparison *c = ctx;
	struct digest mine, theirs;
	(void)sig;
	(void)err;
	if (c->differs.len)
		return true;
	if (!digest_of_file(path_join(c->job->arena, out_dir(c->job), rel), &mine, NULL, NULL) ||
	    !digest_of_file(path_join(c->job->arena, c->other, rel), &theirs, NULL, NULL) || !digest_eq(&mine, &theirs))
		c->differs = str_dup(c->job->arena, str_from(rel));
	return true;
}

static void end_audit(struct running *r, const struct jvm_result *result)
{
	struct exec_job *job = r->job;
	const struct exec_place *p = &r->executor->config.place;
	struct comparison c = {.job = job, .other = audit_dir(job)};
	bool ok = result->outcome == JVM_ANSWERED && str_search(result->text, STR(":status :ok")) < result->text.len;
	r->job = NULL;
	job->private = NULL;
	if (!ok) {
		struct str failure =
		        STR("it compiles among others, but not alone: what it needs by effect is not declared");
		job->done(job, &(struct exec_result){.failure = failure, .output = result->text});
		return;
	}
	struct err err = {0};
	/* Both ways: a file that only one of them has. */
	if (!fs_walk(c.other, compare_file, &c, &err) || !fs_walk(out_dir(job), compare_file, &c, &err))
		c.differs = STR("?");
	err_clear(&err);
	if (c.differs.len) {
		struct str failure = str_fmt(job->arena, "compiled alone, %.*s has other bytes", STR_ARG(c.differs));
		job->done(job, &(struct exec_result){.failure = failure});
		return;
	}
	jvm_text_answer(p, job, buf_str(&r->answer));
}

static void begin_audit(struct running *r, struct str answer)
{
	struct exec_job *job = r->job;
	buf_adds(&r->answer, answer);
	buf_clear(&r->text);
	jvm_text_request(&r->executor->config.place, job, audit_dir(job), &r->text);
	r->auditing = true;
	r->request.request = buf_str(&r->text);
	r->request.fresh = true;
	jvm_submit(r->pool, &r->request);
}

/* -- classes of libraries: the processes make them, here they are put together -- */

#define LIBRARIES_WAIT_MS 50
#define LIBRARIES_WAITS   2400

static bool is_libraries(const struct exec_job *job)
{
	return str_eqc(job->action->argv.ptr[0], "libraries");
}

static void write_libraries(void *ctx)
{
	struct running *r = ctx;
	struct exec_job *job = r->job;
	const StrVec *argv = &job->action->argv;
	StrVec names = {0};
	struct err err = {0};
	bool ready = false;
	loop_timer_cancel(r->timer);
	r->timer = NULL;
	for (size_t i = 2; i + 1 < argv->len; i += 2)
		vec_push(&names, argv->ptr[i + 1]);
	const char *path = str_fmt(job->arena, "%s/out/%.*s", job->root, STR_ARG(job->action->outputs.ptr[0].path)).ptr;
	bool ok = jvm_libraries_write(&r->runtime->libraries, &names, path, &ready, &err);
	vec_release(&names);
	/* What is loaded is not written yet. */
	if (ok && !ready && r->waited++ < LIBRARIES_WAITS) {
		r->timer = loop_timer(r->executor->config.place.loop, LIBRARIES_WAIT_MS, write_libraries, r);
		return;
	}
	struct str failure = !ok     ? str_dup(job->arena, buf_str(&err.message))
	                     : ready ? STR("")
	                             : STR("the classes of its libraries were not made");
	err_clear(&err);
	r->job = NULL;
	job->private = NULL;
	job->done(job, &(struct exec_result){.ok = ok && ready, .failure = failure});
}

static void on_done(struct jvm_job *j, const struct jvm_result *result)
{
	struct running *r = j->ctx;
	struct exec_job *job = r->job;
	if (!job)
		return;
	if (r->auditing) {
		end_audit(r, result);
		return;
	}
	if (is_libraries(job) && result->outcome == JVM_ANSWERED) {
		write_libraries(r);
		return;
	}
	if (r->executor->config.audit && !job->action->is_test && result->outcome == JVM_ANSWERED &&
	    str_search(result->text, STR(":status :ok")) < result->text.len) {
		begin_audit(r, result->text);
		return;
	}
	r->job = NULL;
	job->private = NULL;
	if (result->outcome == JVM_ANSWERED) {
		jvm_text_answer(&r->executor->config.place, job, result->text);
		return;
	}
	struct buf failure = {0};
	if (result->outcome == JVM_TIMED_OUT)
		buf_addf(&failure, "it took longer than %u s and was ended", job->timeout_ms / 1000);
	else if (result->outcome == JVM_CRASHED)
		buf_addf(&failure, "the Java process that %s it died: %.*s", job->action->is_test ? "ran" : "compiled",
		         STR_ARG(result->text));
	else
		buf_addf(&failure, "no Java process came up: %.*s", STR_ARG(result->text));
	if (result->doing.len)
		buf_addf(&failure, " (in %.*s)", STR_ARG(result->doing));
	job->done(job, &(struct exec_result){.failure = buf_str(&failure)});
	buf_release(&failure);
}

static bool start(struct executor *self, struct exec_job *job, struct err *err)
{
	struct jvm_executor *e = (struct jvm_executor *)self;
	struct runtime *rt;
	if (!runtime_of(e, job, &rt, err))
		return false;
	struct running *r = xcalloc(1, sizeof(*r));
	r->job = job;
	r->executor = e;
	r->pool = rt->pool;
	r->runtime = rt;
	if (is_libraries(job))
		buf_addz(&r->text, " :namespaces () :closure ()");
	else
		jvm_text_request(&e->config.place, job, out_dir(job), &r->text);
	r->request = (struct jvm_job){.kind = job->action->is_test ? STR("test")
	                                      : is_libraries(job)  ? STR("load")
	                                                           : STR("compile"),
	                              .request = buf_str(&r->text),
	                              .label = job->action->label,
	                              .timeout_ms = job->timeout_ms,
	                              .done = on_done,
	                              .ctx = r};
	job->private = r;
	vec_push(&e->running, r);
	jvm_submit(rt->pool, &r->request);
	return true;
}

/* The request goes on; nobody waits for its answer. */
static void cancel(struct executor *self, struct exec_job *job)
{
	struct running *r = job->private;
	(void)self;
	if (r) {
		r->job = NULL;
		loop_timer_cancel(r->timer);
		r->timer = NULL;
	}
	job->private = NULL;
}

static void release(struct executor *self)
{
	struct jvm_executor *e = (struct jvm_executor *)self;
	for (size_t i = 0; i < e->runtimes.len; i++) {
		jvm_pool_drain(e->runtimes.ptr[i]->pool);
		jvm_pool_free(e->runtimes.ptr[i]->pool);
		jvm_libraries_close(&e->runtimes.ptr[i]->libraries);
		jvm_release(&e->runtimes.ptr[i]->toolchain);
		buf_release(&e->runtimes.ptr[i]->session);
		vec_release(&e->runtimes.ptr[i]->readable);
		free(e->runtimes.ptr[i]);
	}
	for (size_t i = 0; i < e->running.len; i++) {
		buf_release(&e->running.ptr[i]->text);
		buf_release(&e->running.ptr[i]->answer);
		free(e->running.ptr[i]);
	}
	vec_release(&e->runtimes);
	vec_release(&e->running);
	arena_release(&e->arena);
	free(e);
}

struct executor *jvm_executor_new(const struct jvm_executor_config *config)
{
	struct jvm_executor *e = xcalloc(1, sizeof(*e));
	e->base = (struct executor){
	        .name = "jvm", .without_tree = true, .start = start, .cancel = cancel, .release = release};
	e->config = *config;
	return &e->base;
}
