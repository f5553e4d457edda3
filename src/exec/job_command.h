/* job_command.h - a job that is one command: started, judged when it has ended, or cancelled. For executors.
 *
 *     static void judge(struct exec_job *job, const struct command_result *c, struct exec_result *ret) {...}
 *
 *     struct command_spec spec = {.argv = ..., .envp = ..., .cwd = ...};
 *     job_command_confine(job, place, &spec);   // it may write the job's out and tmp, and read nothing hidden
 *     return job_command_start(job, place->loop, &spec, judge, err);
 *
 * Uses job->private. */
#ifndef TENON_EXEC_JOB_COMMAND_H
#define TENON_EXEC_JOB_COMMAND_H

#include "exec/command.h"
#include "exec/executor.h"

/* Called once, before job->done. `ret` comes with failure (in the job's arena; empty: none), ok and cpu_ns; what is
 * added must live as long as the job. */
typedef void job_command_judge(struct exec_job *job, const struct command_result *c, struct exec_result *ret);

/* Sandbox, confinement and time limit. Of hidden folders the job's root may be read; add what else may be. */
void job_command_confine(const struct exec_job *job, const struct exec_place *place, struct command_spec *spec);
/* False: it could not be started. */
bool job_command_start(struct exec_job *job, struct loop *loop, const struct command_spec *spec,
                       job_command_judge *judge, struct err *err);
/* Ends it, if it runs; job->done is not called. */
void job_command_cancel(struct exec_job *job);

#endif
