#include "build/lisp_executor.h"

#include <stdlib.h>

#include "build/lisp_program.h"
#include "build/lisp_session.h"
#include "exec/job_command.h"
#include "os/fs.h"

/* Ids of events of inner builds begin here, one such distance apart. */
#define INNER_IDS ((uint64_t)1 << 32)

struct lisp_executor {
	struct executor base;
	struct session *outer;
	struct exec_place place;
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
	if (!session_init(&in->session, &o, &in->sink.base, err) || !session_open(&in->session, err))
		return false;
	loop_nest(session_loop(&in->session), e->place.loop);
	return session_toolchain(&in->session, err);
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
	lisp_program_sources(&in->graph, in->session.options.directory, &text);
	lisp_session_text(&in->session, &in->graph, LISP_PROGRAM_FORM, false, &text);
	const char *out = str_fmt(job->arena, "%s/out/%.*s", job->root, STR_ARG(job->action->outputs.ptr[0].path)).ptr;
	bool ok = fs_write_atomic(out, buf_str(&text), 0644, false, err);
	buf_release(&text);
	return ok;
}

/* A program is not made of what could be described of it. */
static bool all_described(struct session *s, struct err *err)
{
	if (s->findings.failures.len)
		err_move(err, &s->findings.failures.ptr[0]);
	return !s->findings.failures.len;
}

static bool build_system(struct lisp_executor *e, struct exec_job *job, struct exec_result *r, struct err *err)
{
	struct inner *in = arena_new(job->arena, struct inner);
	uint64_t more = e->more;
	bool ok = inner_open(e, in, job, &job->action->argv.ptr[1], err) &&
	          build_describe(&in->session, &in->graph, err) && all_described(&in->session, err);
	if (ok) {
		build_init(&in->build, &in->session, &in->graph);
		in->described = true;
		ok = build_run_and_commit(&in->build, err);
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

/* -- programs and tests: a Lisp that loads the session, lisp_program.c -- */

static bool run_in_lisp(struct lisp_executor *e, struct exec_job *job, struct err *err)
{
	struct inner *in = arena_new(job->arena, struct inner);
	const struct str none = STR("none");
	struct lisp_program p = {.place = &e->place};
	struct toolchain *tc = &in->session.toolchain;
	struct arena *a = job->arena;
	bool ok = inner_open(e, in, job, &none, err) &&
	          toolchain_base_core(tc, in->session.store, false, e->outer->sink, err);
	if (ok) {
		p.program = str_dupz(a, str_from(tc->program));
		p.core = str_dupz(a, str_from(tc->base_core));
		p.home = str_dupz(a, str_from(tc->home));
		p.registry = str_dupz(a, in->session.registry.form);
		p.fasls = str_dupz(a, str_from(in->session.out_dir));
		p.definitions = path_join(a, e->outer->state_dir, "lisp");
		ok = lisp_program_start(&p, job, err);
	}
	inner_release(in);
	return ok;
}

/* The inner build's loop carries out what is ready in the outer's. */
static bool blocks(const struct target_action *t)
{
	return str_eqc(t->argv.ptr[0], "build");
}

static bool start(struct executor *self, struct exec_job *job, struct err *err)
{
	struct lisp_executor *e = (struct lisp_executor *)self;
	struct exec_result r = {0};
	if (!blocks(job->action))
		return run_in_lisp(e, job, err);
	if (!build_system(e, job, &r, err))
		return false;
	job->done(job, &r);
	return true;
}

static void cancel(struct executor *self, struct exec_job *job)
{
	(void)self;
	job_command_cancel(job);
}

static void release(struct executor *self)
{
	struct lisp_executor *e = (struct lisp_executor *)self;
	map_release(&e->said);
	arena_release(&e->arena);
	free(e);
}

struct executor *lisp_executor_new(struct session *outer, const struct exec_place *place, uint64_t actions)
{
	struct lisp_executor *e = xcalloc(1, sizeof(*e));
	e->base = (struct executor){.name = "lisp",
	                            .without_tree = true,
	                            .blocks = blocks,
	                            .start = start,
	                            .cancel = cancel,
	                            .release = release};
	e->outer = outer;
	e->place = *place;
	e->actions = actions;
	return &e->base;
}
