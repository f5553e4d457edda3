/* The executor "local": what takes less time than starting a process.
 *
 *     copy            the input becomes the output
 *     write TEXT      the output holds TEXT */
#include <stdlib.h>

#include "exec/executor.h"
#include "os/fs.h"

static bool carry_out(const struct exec_job *job, struct err *err)
{
	const struct target_action *t = job->action;
	char *out =
	        str_dupz(job->arena, str_fmt(job->arena, "%s/out/%.*s", job->root, STR_ARG(t->outputs.ptr[0].path)));
	if (str_eqc(t->argv.ptr[0], "copy"))
		return fs_copy(job->inputs[0].file, out, job->inputs[0].executable ? 0755 : 0644, err);
	if (str_eqc(t->argv.ptr[0], "write"))
		return fs_write_atomic(out, t->argv.ptr[1], 0644, false, err);
	BUG("unknown local action");
}

static bool start(struct executor *self, struct exec_job *job, struct err *err)
{
	(void)self;
	if (!carry_out(job, err))
		return false;
	job->done(job, &(struct exec_result){.ok = true});
	return true;
}

static void cancel(struct executor *self, struct exec_job *job)
{
	(void)self;
	(void)job;
}

static void release(struct executor *self)
{
	free(self);
}

struct executor *local_executor_new(void)
{
	struct executor *e = xcalloc(1, sizeof(*e));
	*e = (struct executor){
	        .name = "local", .without_tree = true, .start = start, .cancel = cancel, .release = release};
	return e;
}
