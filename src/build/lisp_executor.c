#include "build/lisp_executor.h"

#include <stdlib.h>

#include "build/lisp_session.h"
#include "os/fs.h"
#include "os/process.h"

/* Ids of events of inner builds begin here, one such distance apart. */
#define INNER_IDS ((uint64_t)1 << 32)
/* What a session file refers to by the folder of the workspace. */
#define NO_FORM   STR("@FORM@")

struct lisp_executor {
	struct executor base;
	struct session *outer;
	uint64_t inner;         /* builds so far */
	uint64_t actions, more; /* of the outer build, and of inner ones so far */
	struct arena arena;
	struct map said;
};

/* Events of an inner build, among those of the outer. */
struct inner_sink {
	struct event_sink base;
	struct lisp_executor *executor;
	uint64_t first_id;
};

/* The systems that several targets rest on say the same to each. */
static bool said_before(struct lisp_executor *e, const struct event *ev)
{
	const struct diagnostic *d = ev->diagnostic;
	struct str text =
	        d ? str_fmt(&e->arena, "%.*s:%u:%u: %.*s", STR_ARG(d->path), d->line, d->col, STR_ARG(d->message))
	          : str_dup(&e->arena, ev->text);
	return !map_add(&e->said, text, 0, NULL);
}

static void count_in(struct lisp_executor *e, const struct event *ev)
{
	struct event total = {.kind = EVENT_TOTAL, .at_ns = ev->at_ns, .total = e->actions + ++e->more};
	event_emit(e->outer->sink, &total);
}

static void pass_on(struct event_sink *self, const struct event *ev)
{
	struct inner_sink *s = (struct inner_sink *)self;
	struct lisp_executor *e = s->executor;
	struct event copy = *ev;
	switch (ev->kind) {
	case EVENT_TOTAL: /* how much there is to do in all is the outer build's to say */
	case EVENT_BUILD_START:
	case EVENT_BUILD_FINISH:
		return;
	case EVENT_ACTION_START:
		count_in(e, ev);
		break;
	case EVENT_ACTION_FINISH:
		if (ev->outcome == OUTCOME_CURRENT)
			return;
		if (!ev->id)
			count_in(e, ev);
		break;
	case EVENT_DIAGNOSTIC:
	case EVENT_NOTE:
		if (said_before(e, ev))
			return;
		break;
	default:
		break;
	}
	if (copy.id)
		copy.id += s->first_id;
	event_emit(e->outer->sink, &copy);
}

struct inner {
	struct inner_sink sink;
	struct session session;
	struct graph graph;
	struct build build;
	bool opened, described;
};

static void inner_release(struct inner *in)
{
	if (in->described)
		build_release(&in->build);
	if (in->opened)
		session_close(&in->session);
	graph_release(&in->graph);
}

static struct str with_folders(struct arena *a, const struct session *outer, struct str text)
{
	struct buf b = {0};
	while (text.len) {
		if (str_has_prefix(text, STR("@ROOT@"))) {
			buf_addz(&b, outer->options.directory);
			text = str_drop(text, 6);
		} else if (str_has_prefix(text, STR("@OUT@"))) {
			buf_adds(&b, path_below(str_from(outer->out_dir), str_from(outer->options.directory)));
			text = str_drop(text, 5);
		} else {
			buf_addc(&b, text.ptr[0]);
			text = str_drop(text, 1);
		}
	}
	struct str ret = str_dup(a, buf_str(&b));
	buf_release(&b);
	return ret;
}

/* Writes the .asd files, each into a folder that is named by its content: a description of systems is remembered by the
 * places where they were looked for. `out` gets directives of a source registry. */
static bool write_definitions(const struct lisp_executor *e, struct exec_job *job, struct buf *out, struct err *err)
{
	const StrVec *argv = &job->action->argv;
	bool ok = true;
	for (size_t i = 2; ok && str_eqc(argv->ptr[0], "build") && i + 1 < argv->len; i += 2) {
		struct str text = with_folders(job->arena, e->outer, argv->ptr[i + 1]);
		struct digest d = digest_of(text);
		char hex[DIGEST_HEX + 1];
		digest_hex(&d, hex);
		hex[16] = 0;
		char *dir = path_join(job->arena, e->outer->state_dir, str_fmt(job->arena, "lisp/%s", hex).ptr);
		char *path = path_join(job->arena, dir, str_fmt(job->arena, "%.*s.asd", STR_ARG(argv->ptr[i])).ptr);
		struct file_sig sig;
		ok = fs_stat(path, &sig, err) &&
		     (sig.mode || (fs_mkdirs(dir, err) && fs_write_atomic(path, text, 0644, false, err)));
		buf_addf(out, "(:directory \"%s/\") ", dir);
	}
	return ok;
}

static bool inner_open(struct lisp_executor *e, struct inner *in, struct exec_job *job, const struct str *system,
                       struct err *err)
{
	const struct session *outer = e->outer;
	struct build_options o = outer->options;
	in->sink = (struct inner_sink){.base = {.emit = pass_on}, .executor = e, .first_id = ++e->inner * INNER_IDS};
	struct arena *a = job->arena;
	struct buf places = {0};
	if (!write_definitions(e, job, &places, err)) {
		buf_release(&places);
		return false;
	}
	o.nested = true;
	o.targets = system;
	o.ntargets = 1;
	o.install_fasls = false;
	o.place = str_fmt(a, "lisp-%s", outer->options.config).ptr;
	o.store_dir = outer->store_dir;
	buf_addz(&places, outer->options.registry ? outer->options.registry : "");
	o.registry = places.len ? str_dupz(a, buf_str(&places)) : NULL;
	buf_release(&places);
	in->opened = true;
	return session_init(&in->session, &o, &in->sink.base, err) && session_open(&in->session, err) &&
	       session_toolchain(&in->session, err);
}

/* What the inner build saw, the outer one rests on. */
static void take_seen(struct session *outer, const struct session *inner)
{
	for (size_t i = 0; i < inner->seen.len; i++) {
		struct seen_file f = inner->seen.ptr[i];
		f.path = str_dup(&outer->arena, f.path);
		vec_push(&outer->seen, f);
	}
}

/* -- build -- */

/* The session, with the digest of everything that it loads: equal texts load equal code. */
static bool write_session(struct exec_job *job, struct inner *in, struct err *err)
{
	struct buf text = {0};
	U32Vec steps = {0};
	lisp_session_steps(&in->graph, &steps);
	for (size_t i = 0; i < steps.len; i++) {
		char hex[DIGEST_HEX + 1];
		digest_hex(&in->build.units[steps.ptr[i]].contribution, hex);
		buf_addf(&text, ";; %s\n", hex);
	}
	vec_release(&steps);
	lisp_session_text(&in->session, &in->graph, NO_FORM, false, &text);
	const char *out = str_fmt(job->arena, "%s/out/%.*s", job->root, STR_ARG(job->action->outputs.ptr[0].path)).ptr;
	bool ok = fs_write_atomic(out, buf_str(&text), 0644, false, err);
	buf_release(&text);
	return ok;
}

static bool build_system(struct lisp_executor *e, struct exec_job *job, struct exec_result *r, struct err *err)
{
	struct inner *in = arena_new(job->arena, struct inner);
	uint64_t more = e->more;
	bool ok = inner_open(e, in, job, &job->action->argv.ptr[1], err) &&
	          session_describe(&in->session, &in->graph, err);
	if (ok) {
		build_init(&in->build, &in->session, &in->graph);
		in->described = true;
		ok = build_run(&in->build, err);
		struct err late = {0};
		ok = build_commit(&in->build, ok ? err : &late) && ok;
		err_clear(&late);
	}
	if (ok && build_succeeded(&in->build)) {
		ok = write_session(job, in, err);
		r->ok = ok;
		r->current = e->more == more;
	} else if (ok) {
		r->failure = STR("it does not compile");
	}
	if (in->opened)
		take_seen(e->outer, &in->session);
	inner_release(in);
	return ok;
}

/* -- programs and tests -- */

static struct str save_form(struct arena *a, const struct target_action *t, const char *root)
{
	bool compress = t->argv.len > 3;
	return str_fmt(
	        a,
	        "(let* ((name \"%.*s\") (colon (position #\\: name)) (package (string-upcase (subseq name 0 (or "
	        "colon 0)))) (function (string-upcase (string-left-trim \":\" (subseq name (or colon 0)))))"
	        "(symbol (or (and (find-package (if colon package \"COMMON-LISP-USER\")) (find-symbol function (if "
	        "colon package \"COMMON-LISP-USER\"))) (error \"there is no ~A\" name))))"
	        "(unless (fboundp symbol) (error \"~A is no function\" name))"
	        "(sb-ext:disable-debugger) (sb-ext:save-lisp-and-die \"%s/out/%.*s\" :executable t "
	        ":save-runtime-options t %s :toplevel (lambda () (let ((code (funcall symbol))) (finish-output) "
	        "(sb-ext:exit :code (if (typep code '(unsigned-byte 8)) code 0) :abort nil)))))",
	        STR_ARG(t->argv.ptr[1]), root, STR_ARG(t->argv.ptr[2]), compress ? ":compression t" : "");
}

static struct str test_form(struct arena *a, const struct target_action *t)
{
	return str_fmt(
	        a,
	        "(unless %.*s (format t \"~&the tests gave NIL~%%\") (finish-output) (sb-ext:exit :code 1 :abort t))",
	        STR_ARG(t->argv.ptr[1]));
}

/* The session as it was built, with what to do in it. */
static bool write_with_form(struct exec_job *job, struct str form, const char *path, struct err *err)
{
	struct buf old = {0}, text = {0}, quoted = {0};
	bool ok = fs_read(job->inputs[0].file, &old, err);
	struct buf mark = {0};
	sexp_print_string(NO_FORM, &mark);
	sexp_print_string(form, &quoted);
	if (ok) {
		struct str all = buf_str(&old);
		size_t at = str_search(all, buf_str(&mark));
		buf_adds(&text, str_slice(all, 0, at));
		buf_adds(&text, buf_str(&quoted));
		buf_adds(&text, str_drop(all, at + mark.len));
		/* The digests are for the key. */
		struct str rest = buf_str(&text);
		while (str_has_prefix(rest, STR(";; ")))
			rest = str_drop(rest, str_find(rest, '\n') + 1);
		ok = fs_write_atomic(path, rest, 0600, false, err);
	}
	buf_release(&old);
	buf_release(&text);
	buf_release(&mark);
	buf_release(&quoted);
	return ok;
}

static bool run_form(struct lisp_executor *e, struct exec_job *job, struct str form, struct buf *output,
                     int *ret_status, struct err *err)
{
	struct inner *in = arena_new(job->arena, struct inner);
	const struct str none = STR("none");
	char *file = path_join(job->arena, job->root, "session");
	bool ok = inner_open(e, in, job, &none, err) &&
	          toolchain_base_core(&in->session.toolchain, in->session.store, false, e->outer->sink, err) &&
	          write_with_form(job, form, file, err);
	if (ok) {
		const struct toolchain *tc = &in->session.toolchain;
		const char *argv[] = {tc->program,    "--core",        tc->base_core, "--noinform",
		                      "--no-sysinit", "--no-userinit", NULL};
		Vec(const char *) env = {0};
		vec_push(&env,
		         str_fmt(job->arena, "TENON_REGISTRY=%s", str_dupz(job->arena, in->session.registry.form)).ptr);
		vec_push(&env, str_fmt(job->arena, "TENON_SESSION=%s", file).ptr);
		vec_push(&env, str_fmt(job->arena, "SBCL_HOME=%s", tc->home).ptr);
		vec_push(&env, "PATH=/usr/local/bin:/usr/bin:/bin");
		vec_push(&env, "LC_ALL=C.UTF-8");
		vec_push(&env, str_fmt(job->arena, "HOME=%s/tmp", job->root).ptr);
		for (size_t i = 0; i < job->action->env.len; i++)
			vec_push(&env, str_dupz(job->arena, job->action->env.ptr[i]));
		vec_push(&env, NULL);
		struct spawn_spec spec = {
		        .argv = argv, .envp = env.ptr, .cwd = e->outer->options.directory, .stdin_fd = -1};
		ok = process_run(&spec, job->timeout_ms, output, ret_status, err);
		vec_release(&env);
	}
	inner_release(in);
	return ok;
}

static bool run_in_lisp(struct lisp_executor *e, struct exec_job *job, struct exec_result *r, struct buf *output,
                        struct err *err)
{
	const struct target_action *t = job->action;
	bool saves = str_eqc(t->argv.ptr[0], "save");
	int status = 0;
	struct str form = saves ? save_form(job->arena, t, job->root) : test_form(job->arena, t);
	if (!run_form(e, job, form, output, &status, err))
		return false;
	r->output = buf_str(output);
	r->ok = status == 0;
	if (r->ok) {
		/* What the Lisp says while it saves itself is no warning. */
		r->output = (struct str){0};
		return true;
	}
	struct buf how = {0};
	process_status_text(status, &how);
	r->failure = str_fmt(job->arena, "%s (%s)", saves ? "the program could not be saved" : "its tests failed",
	                     buf_cstr(&how));
	buf_release(&how);
	return true;
}

static bool start(struct executor *self, struct exec_job *job, struct err *err)
{
	struct lisp_executor *e = (struct lisp_executor *)self;
	struct exec_result r = {0};
	struct buf output = {0};
	bool ok = str_eqc(job->action->argv.ptr[0], "build") ? build_system(e, job, &r, err)
	                                                     : run_in_lisp(e, job, &r, &output, err);
	if (ok)
		job->done(job, &r);
	buf_release(&output);
	return ok;
}

static void cancel(struct executor *self, struct exec_job *job)
{
	(void)self;
	(void)job;
}

static void release(struct executor *self)
{
	struct lisp_executor *e = (struct lisp_executor *)self;
	map_release(&e->said);
	arena_release(&e->arena);
	free(e);
}

struct executor *lisp_executor_new(struct session *outer, uint64_t actions)
{
	struct lisp_executor *e = xcalloc(1, sizeof(*e));
	e->base = (struct executor){
	        .name = "lisp", .without_tree = true, .start = start, .cancel = cancel, .release = release};
	e->outer = outer;
	e->actions = actions;
	return &e->base;
}
