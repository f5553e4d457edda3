/* The executor "command": argv is that of a program. */
#include <stdlib.h>

#include "exec/job_command.h"
#include "os/fs.h"

struct command_executor {
	struct executor base;
	struct exec_place place;
};

static void judge(struct exec_job *job, const struct command_result *c, struct exec_result *ret)
{
	struct buf output = {0};
	buf_adds(&output, c->output);
	if (c->dropped)
		buf_addf(&output, "\n(%llu more bytes of output were dropped)\n", (unsigned long long)c->dropped);
	ret->output = str_dup(job->arena, buf_str(&output));
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
	struct command_spec spec = {.argv = flat(a, &job->action->argv),
	                            .envp = environment(job),
	                            .cwd = path_join(a, job->root, str_dupz(a, job->action->cwd))};
	job_command_confine(job, &e->place, &spec);
	if (job->action->reads_anywhere)
		spec.confinement.nhidden = 0;
	return job_command_start(job, e->place.loop, &spec, judge, err);
}

static void cancel(struct executor *self, struct exec_job *job)
{
	(void)self;
	job_command_cancel(job);
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
