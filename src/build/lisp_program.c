#include "build/lisp_program.h"

#include "exec/job_command.h"
#include "lang/sexp.h"
#include "os/fs.h"

#define SOURCE_MARK STR(";; reads ")

void lisp_program_sources(const struct graph *g, const char *directory, struct buf *out)
{
	struct map seen = {0};
	for (size_t i = 0; i < g->by_order.len; i++) {
		const struct action *a = graph_action(g, g->by_order.ptr[i]);
		for (uint32_t k = 0; k < a->ninputs; k++) {
			struct str path = a->inputs[k].path, below = path_below(path, str_from(directory));
			if (a->inputs[k].producer == NO_ID && !str_eq(path, below) && map_add(&seen, path, 0, NULL))
				buf_addf(out, "%.*s%.*s\n", STR_ARG(SOURCE_MARK), STR_ARG(below));
		}
	}
	map_release(&seen);
}

/* -- the forms -- */

/* Without compression where the Lisp has none: an error says so before anything is written. */
static struct str save_form(struct arena *a, const struct target_action *t, const char *root)
{
	bool compress = t->argv.len > 3;
	return str_fmt(
	        a,
	        "(let* ((name \"%.*s\") (colon (position #\\: name)) (package (string-upcase (subseq name 0 (or "
	        "colon 0)))) (function (string-upcase (string-left-trim \":\" (subseq name (or colon 0)))))"
	        "(symbol (or (and (find-package (if colon package \"COMMON-LISP-USER\")) (find-symbol function (if "
	        "colon package \"COMMON-LISP-USER\"))) (error \"there is no ~A\" name))))"
	        "(unless (fboundp symbol) (error \"~A is no function\" name))%s"
	        "(sb-ext:disable-debugger) (sb-ext:save-lisp-and-die \"%s/out/%.*s\" :executable t "
	        ":save-runtime-options t %s :toplevel (lambda () (let ((code (funcall symbol))) (finish-output) "
	        "(sb-ext:exit :code (if (typep code '(unsigned-byte 8)) code 0) :abort nil)))))",
	        STR_ARG(t->argv.ptr[1]),
	        compress ? "#-sb-core-compression (error \"this SBCL (~A) was made without core compression: leave "
	                   "out :compression, or use one that has the feature :sb-core-compression\" "
	                   "(lisp-implementation-version))"
	                 : "",
	        root, STR_ARG(t->argv.ptr[2]),
	        compress ? "#+sb-core-compression :compression #+sb-core-compression t" : "");
}

static struct str test_form(struct arena *a, const struct target_action *t)
{
	return str_fmt(
	        a,
	        "(unless %.*s (format t \"~&the tests gave NIL~%%\") (finish-output) (sb-ext:exit :code 1 :abort t))",
	        STR_ARG(t->argv.ptr[1]));
}

/* -- the session -- */

typedef Vec(const char *) PathVec;

/* Drops the comments: digests, which are for the key, and names of sources, which go to `ret`, absolute. */
static struct str take_comments(struct arena *a, const char *directory, struct str text, PathVec *ret)
{
	struct str line, rest = text;
	while (str_has_prefix(rest, STR(";; ")) && str_cut(&rest, '\n', &line))
		if (str_has_prefix(line, SOURCE_MARK))
			vec_push(ret, path_join(a, directory, str_dupz(a, str_drop(line, SOURCE_MARK.len))));
	return rest;
}

/* The session as it was built, with what to do in it. */
static bool write_session(struct exec_job *job, const char *directory, struct str form, const char *path,
                          PathVec *ret_sources, struct err *err)
{
	struct buf old = {0}, text = {0}, mark = {0};
	bool ok = fs_read(job->inputs[0].file, &old, err);
	if (ok) {
		sexp_print_string(LISP_PROGRAM_FORM, &mark);
		struct str all = take_comments(job->arena, directory, buf_str(&old), ret_sources);
		size_t at = str_search(all, buf_str(&mark));
		buf_adds(&text, str_slice(all, 0, at));
		sexp_print_string(form, &text);
		buf_adds(&text, str_drop(all, at + mark.len));
		ok = fs_write_atomic(path, buf_str(&text), 0600, false, err);
	}
	buf_release(&old);
	buf_release(&text);
	buf_release(&mark);
	return ok;
}

/* -- running -- */

static void judge(struct exec_job *job, const struct command_result *c, struct exec_result *ret)
{
	bool saves = str_eqc(job->action->argv.ptr[0], "save");
	/* What the Lisp says while it saves itself, and a test that passes, is no news. */
	if (ret->ok)
		return;
	ret->output = str_dup(job->arena, c->output);
	ret->failure = str_fmt(job->arena, "%s (%.*s)", saves ? "the program could not be saved" : "its tests failed",
	                       STR_ARG(ret->failure));
}

static const char *const *environment(const struct lisp_program *p, struct exec_job *job, const char *session)
{
	struct arena *a = job->arena;
	const StrVec *own = &job->action->env;
	const char **env = arena_new_n(a, const char *, own->len + 9);
	size_t n = 0;
	env[n++] = str_fmt(a, "TENON_REGISTRY=%s", p->registry).ptr;
	env[n++] = str_fmt(a, "TENON_SESSION=%s", session).ptr;
	env[n++] = str_fmt(a, "SBCL_HOME=%s", p->home).ptr;
	env[n++] = "PATH=/usr/local/bin:/usr/bin:/bin";
	env[n++] = "LC_ALL=C.UTF-8";
	env[n++] = str_fmt(a, "HOME=%s/tmp", job->root).ptr;
	env[n++] = str_fmt(a, "TMPDIR=%s/tmp", job->root).ptr;
	for (size_t i = 0; i < own->len; i++)
		env[n++] = str_dupz(a, own->ptr[i]);
	env[n] = NULL;
	return env;
}

bool lisp_program_start(const struct lisp_program *p, struct exec_job *job, struct err *err)
{
	struct arena *a = job->arena;
	const struct exec_place *place = p->place;
	char *session = path_join(a, job->root, "session");
	struct str form = str_eqc(job->action->argv.ptr[0], "save") ? save_form(a, job->action, job->root)
	                                                            : test_form(a, job->action);
	PathVec readable = {0};
	if (!write_session(job, place->directory, form, session, &readable, err)) {
		vec_release(&readable);
		return false;
	}
	vec_push(&readable, job->root);
	vec_push(&readable, p->core);
	vec_push(&readable, p->fasls);
	vec_push(&readable, p->definitions);
	for (size_t i = 1; i < job->ninputs; i++)
		vec_push(&readable, job->inputs[i].file);
	const char *argv[] = {p->program, "--core", p->core, "--noinform", "--no-sysinit", "--no-userinit", NULL};
	struct command_spec spec = {.argv = argv, .envp = environment(p, job, session), .cwd = place->directory};
	job_command_confine(job, place, &spec);
	spec.confinement.readable = readable.ptr;
	spec.confinement.nreadable = readable.len;
	bool ok = job_command_start(job, place->loop, &spec, judge, err);
	vec_release(&readable);
	return ok;
}
