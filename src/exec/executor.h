/* executor.h - who carries out the actions of targets: one small table of functions for each way.
 *
 * The build prepares a job (a folder with the declared inputs, see rules/target_action.h), hands it to the executor
 * that the action names, and goes on; job->done is called from the loop when it has ended. Outputs are checked, stored
 * and put in place by the build, whoever made them. */
#ifndef TENON_EXEC_EXECUTOR_H
#define TENON_EXEC_EXECUTOR_H

#include "os/loop.h"
#include "rules/target_action.h"

/* An input as it is: `path` relative to the job's root, or absolute. A tree is given file by file. */
struct exec_input {
	struct str path;
	const char *file; /* where it lies, absolute */
	struct digest digest;
	bool executable;
	bool traced, code; /* see target_file_ref */
};

struct exec_result {
	bool ok;
	bool current;           /* nothing had to be done */
	bool repeats;           /* not ok, and the same inputs will fail in the same way */
	struct str failure;     /* what went wrong, in one line; empty: nothing */
	struct str output;      /* what the tool said */
	struct str diagnostics; /* what the tool said of places: (:diag ...) forms as of docs/DRIVER.md */
	struct str facts;       /* kept with the result, for whoever understands it */
	uint64_t cpu_ns;
	uint64_t wall_ns; /* of the work itself, where the executor let it wait for something; 0: since its start */
};

struct exec_job {
	/* Set by the build; all of it lives until `done` has returned. */
	const struct target_action *action;
	const char *root; /* absolute */
	const struct exec_input *inputs;
	size_t ninputs;
	unsigned timeout_ms;
	struct arena *arena;
	/* Called once, from the loop or from start. The result is valid for the time of the call. */
	void (*done)(struct exec_job *job, const struct exec_result *r);
	void *ctx;
	void *private; /* the executor's */
};

struct executor {
	const char *name;  /* as actions call it */
	bool without_tree; /* inputs need not be laid into the root: they are read where they are */
	/* Is such an action carried out within `start`, with the loop running there? NULL: none is. No two are at a
	 * time. */
	bool (*blocks)(const struct target_action *t);
	/* False: it could not even be started; `done` is not called. */
	bool (*start)(struct executor *self, struct exec_job *job, struct err *err);
	/* Ends a started job; `done` is not called. */
	void (*cancel)(struct executor *self, struct exec_job *job);
	void (*release)(struct executor *self); /* no job is running */
};

/* What executors of processes need to know of the build. */
struct exec_place {
	struct loop *loop;
	bool sandbox;
	const char *const *hidden; /* real paths of the folders whose undeclared files nothing may read */
	size_t nhidden;
	/* For programs that outlive an action: where files of the workspace and products lie, and where to make
	 * folders. */
	const char *directory, *out_dir, *scratch;
};

struct executor *command_executor_new(const struct exec_place *place); /* "command": argv is a program's */
struct executor *worker_executor_new(const struct exec_place *place);  /* "worker": see worker.h */
struct executor *local_executor_new(void);                             /* "local": in this process, see local.h */

#endif
