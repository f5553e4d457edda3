/* The executor "command": argv is that of a program. */
#include <stdlib.h>

#include "exec/command.h"
#include "exec/executor.h"
#include "os/fs.h"

struct command_executor {
	struct executor base;
	struct exec_place place;
};

struct running {
	struct exec_job *job;
	struct command *command;
};

static void on_end(void *ctx, const struct command_result *c)
{
	struct running *r = ctx;
	struct exec_job *job = r->job;
	struct buf failure = {0}, output = {0};
	command_failure_text(c, job->timeout_ms, &failure);
	buf_adds(&output, c->output);
	if (c->dropped)
		buf_addf(&output, "\n(%llu more bytes of output were dropped)\n", (unsigned long long)c->dropped);
	struct exec_result result = {
	        .ok = !failure.len, .failure = buf_str(&failure), .output = buf_str(&output), .cpu_ns = c->cpu_ns};
	command_free(r->command);
	free(r);
	job->private = NULL;
	job->done(job, &result);
	buf_release(&failure);
	buf_release(&output);
}

static const char *const *flat(struct arena *a, const StrVec *v)
{
	const char **ret = arena_new_n(a, const char *, v->len + 1);
	for (size_t i = 0; i < v->len; i++)
		ret[i] = str_dupz(a, v->ptr[i]);
	return ret;
}

/* The declared environment, and where temporary files go: that is no part of a key, for it is another one each time. */
static const char *const *environment(struct exec_job *job)
{
	StrVec env = {0};
	for (size_t i = 0; i < job->action->env.len; i++)
		vec_push(&env, job->action->env.ptr[i]);
	static const char *const names[] = {"TMP", "TMPDIR", "HOME"};
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		vec_push(&env, str_fmt(job->arena, "%s=%s/tmp", names[i], job->root));
	const char *const *ret = flat(job->arena, &env);
	vec_release(&env);
	return ret;
}

static bool start(struct executor *self, struct exec_job *job, struct err *err)
{
	struct command_executor *e = (struct command_executor *)self;
	struct arena *a = job->arena;
	const char *writable[] = {path_join(a, job->root, "out"), path_join(a, job->root, "tmp")};
	struct command_spec spec = {.argv = flat(a, &job->action->argv),
	                            .envp = environment(job),
	                            .cwd = path_join(a, job->root, str_dupz(a, job->action->cwd)),
	                            .sandbox = e->place.sandbox,
	                            .timeout_ms = job->timeout_ms};
	spec.confinement = (struct confinement){.writable = writable,
	                                        .nwritable = ARRAY_LEN(writable),
	                                        .hidden = e->place.hidden,
	                                        .nhidden = job->action->reads_anywhere ? 0 : e->place.nhidden,
	                                        .readable = &job->root,
	                                        .nreadable = 1};
	struct running *r = xcalloc(1, sizeof(*r));
	r->job = job;
	r->command = command_start(e->place.loop, &spec, on_end, r, err);
	if (!r->command) {
		free(r);
		return false;
	}
	job->private = r;
	return true;
}

static void cancel(struct executor *self, struct exec_job *job)
{
	struct running *r = job->private;
	(void)self;
	if (!r)
		return;
	command_free(r->command);
	free(r);
	job->private = NULL;
}

static void release(struct executor *self)
{
	free(self);
}

struct executor *command_executor_new(const struct exec_place *place)
{
	struct command_executor *e = xcalloc(1, sizeof(*e));
	e->base = (struct executor){.name = "command", .start = start, .cancel = cancel, .release = release};
	e->place = *place;
	return &e->base;
}
