#include "exec/job_command.h"

#include <stdlib.h>

#include "os/fs.h"

struct running {
	struct exec_job *job;
	struct command *command;
	job_command_judge *judge;
};

void job_command_confine(const struct exec_job *job, const struct exec_place *place, struct command_spec *spec)
{
	const char **writable = arena_new_n(job->arena, const char *, 2);
	writable[0] = path_join(job->arena, job->root, "out");
	writable[1] = path_join(job->arena, job->root, "tmp");
	spec->timeout_ms = job->timeout_ms;
	spec->sandbox = place->sandbox;
	spec->confinement = (struct confinement){.writable = writable,
	                                         .nwritable = 2,
	                                         .hidden = place->hidden,
	                                         .nhidden = place->nhidden,
	                                         .readable = &job->root,
	                                         .nreadable = 1};
}

static void on_end(void *ctx, const struct command_result *c)
{
	struct running *r = ctx;
	struct exec_job *job = r->job;
	struct buf failure = {0};
	command_failure_text(c, job->timeout_ms, &failure);
	struct exec_result result = {
	        .ok = !failure.len, .failure = str_dup(job->arena, buf_str(&failure)), .cpu_ns = c->cpu_ns};
	buf_release(&failure);
	r->judge(job, c, &result);
	job_command_cancel(job);
	job->done(job, &result);
}

bool job_command_start(struct exec_job *job, struct loop *loop, const struct command_spec *spec,
                       job_command_judge *judge, struct err *err)
{
	struct running *r = xcalloc(1, sizeof(*r));
	r->job = job;
	r->judge = judge;
	r->command = command_start(loop, spec, on_end, r, err);
	if (!r->command) {
		free(r);
		return false;
	}
	job->private = r;
	return true;
}

void job_command_cancel(struct exec_job *job)
{
	struct running *r = job->private;
	if (!r)
		return;
	command_free(r->command);
	free(r);
	job->private = NULL;
}
