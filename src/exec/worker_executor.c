/* The executor "worker": an action's words go to a program that stays. Each worker has a folder of its own, in which
 * the program was started and which it alone may read and write as an action may; for the time of a request, what lies
 * in the action's folder is moved there. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "exec/worker.h"
#include "os/fs.h"

struct slot {
	struct worker *worker;
	struct worker_executor *executor;
	char *root;
	struct str identity; /* of the program: its words and files */
	struct exec_job *job;
};

struct worker_executor {
	struct executor base;
	struct exec_place place;
	struct arena arena;
	Vec(struct slot *) slots;
	Vec(struct exec_job *) waiting;
};

/* -- moving an action's folder to the worker and back -- */

static bool move(struct arena *a, const char *from, const char *to, const char *name, struct err *err)
{
	const char *src = path_join(a, from, name), *dst = path_join(a, to, name);
	if (rename(src, dst) == 0 || errno == ENOENT)
		return true;
	return err_sys(err, ERR_ENVIRONMENT, "cannot move \"%s\" to \"%s\"", src, dst);
}

/* The folder out itself stays where it is: the worker's right to write is tied to it. */
static bool move_outputs(struct arena *a, const char *from, const char *to, struct err *err)
{
	char *src = path_join(a, from, "out"), *dst = path_join(a, to, "out");
	StrVec names = {0};
	bool ok = fs_list(a, src, &names, err);
	for (size_t i = 0; ok && i < names.len; i++)
		ok = move(a, src, dst, str_dupz(a, names.ptr[i]), err);
	vec_release(&names);
	return ok;
}

static bool move_all(struct arena *a, const char *from, const char *to, struct err *err)
{
	return move(a, from, to, "src", err) && move(a, from, to, "gen", err) && move_outputs(a, from, to, err);
}

/* -- workers -- */

static struct str lasting_name(void *ctx, struct arena *a, const struct target_file_ref *f)
{
	const struct exec_place *p = ctx;
	return str_from(path_join(a, f->producer == NO_ID ? p->directory : p->out_dir, str_dupz(a, f->path)));
}

/* The program's words, and the digests of its files: with another one of these it is another program. */
static struct str identity_of(struct arena *a, const struct exec_job *job)
{
	const struct target_command *c = job->action->worker;
	struct buf b = {0};
	for (size_t i = 0; i < c->words.len; i++)
		buf_addf(&b, "%.*s\n", STR_ARG(c->words.ptr[i]));
	for (size_t i = 0; i < c->env.len; i++)
		buf_addf(&b, "%.*s\n", STR_ARG(c->env.ptr[i]));
	for (size_t f = 0; f < c->files.len; f++) {
		struct str path = target_root_path(a, &c->files.ptr[f]);
		for (size_t i = 0; i < job->ninputs; i++) {
			char hex[DIGEST_HEX + 1];
			digest_hex(&job->inputs[i].digest, hex);
			if (str_eq(job->inputs[i].path, path))
				buf_addf(&b, "%.*s %s\n", STR_ARG(path), hex);
		}
	}
	struct str ret = str_dup(a, buf_str(&b));
	buf_release(&b);
	return ret;
}

static bool make_folder(struct worker_executor *e, struct slot *s, struct err *err)
{
	return fs_mkdtemp(&e->arena, e->place.scratch, "worker-", &s->root, err) &&
	       fs_mkdirs(path_join(&e->arena, s->root, "out"), err) &&
	       fs_mkdirs(path_join(&e->arena, s->root, "tmp"), err);
}

static const char *const *environment(struct arena *a, const struct slot *s, const struct target_command *c)
{
	const char **env = arena_new_n(a, const char *, c->env.len + 8);
	size_t n = 0;
	env[n++] = "PATH=/usr/local/bin:/usr/bin:/bin";
	env[n++] = "LC_ALL=C.UTF-8";
	env[n++] = "TZ=UTC";
	env[n++] = str_dupz(a, str_fmt(a, "TMPDIR=%s/tmp", s->root));
	env[n++] = str_dupz(a, str_fmt(a, "HOME=%s/tmp", s->root));
	for (size_t i = 0; i < c->env.len; i++)
		env[n++] = str_dupz(a, c->env.ptr[i]);
	return env;
}

/* Programs that are named without a folder are looked for where actions find theirs. */
static const char *program(struct arena *a, struct str word)
{
	static const char *const places[] = {"/usr/local/bin", "/usr/bin", "/bin"};
	struct file_sig sig;
	for (size_t i = 0; i < ARRAY_LEN(places) && str_find(word, '/') == word.len; i++) {
		char *path = path_join(a, places[i], str_dupz(a, word));
		if (fs_stat(path, &sig, NULL) && fs_is_file(&sig))
			return path;
	}
	return str_dupz(a, word);
}

static bool start_worker(struct worker_executor *e, struct slot *s, const struct exec_job *job, struct err *err)
{
	struct arena *a = &e->arena;
	const struct target_command *c = job->action->worker;
	const char **argv = arena_new_n(a, const char *, c->words.len + 1);
	for (size_t i = 0; i < c->words.len; i++)
		argv[i] = str_dupz(a, target_command_word(a, c, c->words.ptr[i], lasting_name, &e->place));
	argv[0] = program(a, str_from(argv[0]));
	const char **readable = arena_new_n(a, const char *, c->files.len + 1);
	size_t n = 0;
	readable[n++] = s->root;
	for (size_t i = 0; i < c->files.len; i++)
		readable[n++] = str_dupz(a, lasting_name(&e->place, a, &c->files.ptr[i]));
	const char *writable[] = {path_join(a, s->root, "out"), path_join(a, s->root, "tmp")};
	struct worker_spec spec = {.label = job->action->worker_label,
	                           .argv = argv,
	                           .envp = environment(a, s, c),
	                           .cwd = s->root,
	                           .sandbox = e->place.sandbox,
	                           .confinement = {.writable = writable,
	                                           .nwritable = ARRAY_LEN(writable),
	                                           .hidden = e->place.hidden,
	                                           .nhidden = e->place.nhidden,
	                                           .readable = readable,
	                                           .nreadable = n}};
	s->worker = worker_start(e->place.loop, &spec, err);
	return s->worker != NULL;
}

static void drop_slot(struct worker_executor *e, size_t index)
{
	struct slot *s = e->slots.ptr[index];
	worker_free(s->worker);
	if (s->root)
		fs_remove_tree(s->root, NULL);
	free(s);
	memmove(&e->slots.ptr[index], &e->slots.ptr[index + 1], (e->slots.len - index - 1) * sizeof(struct slot *));
	e->slots.len--;
}

/* A free worker of that program, a new one if there may be more, or none: *ret is NULL then. */
static bool take_slot(struct worker_executor *e, const struct exec_job *job, struct slot **ret, struct err *err)
{
	struct str identity = identity_of(&e->arena, job);
	unsigned alive = 0;
	*ret = NULL;
	for (size_t i = 0; i < e->slots.len; i++) {
		struct slot *s = e->slots.ptr[i];
		if (worker_dead(s->worker) || !str_eq(s->identity, identity))
			continue;
		alive++;
		if (worker_idle(s->worker)) {
			*ret = s;
			return true;
		}
	}
	if (alive >= MAX(job->action->max_workers, 1U))
		return true;
	struct slot *s = xcalloc(1, sizeof(*s));
	*s = (struct slot){.executor = e, .identity = identity};
	if (!make_folder(e, s, err) || !start_worker(e, s, job, err)) {
		if (s->root)
			fs_remove_tree(s->root, NULL);
		free(s);
		return false;
	}
	vec_push(&e->slots, s);
	*ret = s;
	return true;
}

/* -- requests -- */

static bool try_start(struct worker_executor *e, struct exec_job *job, bool *ret_started, struct err *err);

static void start_waiting(struct worker_executor *e)
{
	for (size_t i = 0; i < e->waiting.len;) {
		struct exec_job *job = e->waiting.ptr[i];
		struct err err = {0};
		bool started;
		if (try_start(e, job, &started, &err) && !started) {
			i++;
			continue;
		}
		memmove(&e->waiting.ptr[i], &e->waiting.ptr[i + 1],
		        (e->waiting.len - i - 1) * sizeof(struct exec_job *));
		e->waiting.len--;
		if (err.kind != ERR_NONE)
			job->done(job, &(struct exec_result){.failure = buf_str(&err.message)});
		err_clear(&err);
	}
}

static void on_answer(void *ctx, const struct worker_answer *a)
{
	struct slot *s = ctx;
	struct worker_executor *e = s->executor;
	struct exec_job *job = s->job;
	struct err err = {0};
	struct buf failure = {0};
	if (a->failure.len)
		buf_adds(&failure, a->failure);
	else if (a->exit_code)
		buf_addf(&failure, "the worker \"%.*s\" says exit code %d", STR_ARG(job->action->worker_label),
		         a->exit_code);
	if (!move_all(job->arena, s->root, job->root, &err))
		buf_adds(&failure, buf_str(&err.message));
	s->job = NULL;
	job->private = NULL;
	struct exec_result r = {.ok = !failure.len, .failure = buf_str(&failure), .output = a->output};
	job->done(job, &r);
	buf_release(&failure);
	err_clear(&err);
	start_waiting(e);
}

static bool try_start(struct worker_executor *e, struct exec_job *job, bool *ret_started, struct err *err)
{
	struct slot *s;
	*ret_started = false;
	if (!take_slot(e, job, &s, err))
		return false;
	if (!s)
		return true;
	if (!move_all(job->arena, job->root, s->root, err))
		return false;
	*ret_started = true;
	s->job = job;
	job->private = s;
	struct worker_request r = {.arguments = &job->action->argv,
	                           .inputs = job->inputs,
	                           .ninputs = job->ninputs,
	                           .timeout_ms = job->timeout_ms};
	worker_ask(s->worker, &r, on_answer, s);
	return true;
}

static bool start(struct executor *self, struct exec_job *job, struct err *err)
{
	struct worker_executor *e = (struct worker_executor *)self;
	bool started;
	/* Not where an answer is taken: the worker that failed is still at work there. */
	for (size_t i = e->slots.len; i-- > 0;)
		if (worker_dead(e->slots.ptr[i]->worker) && !e->slots.ptr[i]->job)
			drop_slot(e, i);
	if (!try_start(e, job, &started, err))
		return false;
	if (!started)
		vec_push(&e->waiting, job);
	return true;
}

static void cancel(struct executor *self, struct exec_job *job)
{
	struct worker_executor *e = (struct worker_executor *)self;
	for (size_t i = e->slots.len; i-- > 0;)
		if (e->slots.ptr[i]->job == job)
			drop_slot(e, i);
	for (size_t i = e->waiting.len; i-- > 0;)
		if (e->waiting.ptr[i] == job) {
			memmove(&e->waiting.ptr[i], &e->waiting.ptr[i + 1],
			        (e->waiting.len - i - 1) * sizeof(struct exec_job *));
			e->waiting.len--;
		}
}

static void release(struct executor *self)
{
	struct worker_executor *e = (struct worker_executor *)self;
	while (e->slots.len)
		drop_slot(e, e->slots.len - 1);
	vec_release(&e->slots);
	vec_release(&e->waiting);
	arena_release(&e->arena);
	free(e);
}

struct executor *worker_executor_new(const struct exec_place *place)
{
	struct worker_executor *e = xcalloc(1, sizeof(*e));
	e->base = (struct executor){.name = "worker", .start = start, .cancel = cancel, .release = release};
	e->place = *place;
	return &e->base;
}
