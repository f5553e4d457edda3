/* pool.h - the image tree at work: Lisp processes that hold prefixes of images, fork, and act in leaves.
 *
 * One pool is one toolchain and configuration. Its root process is the base core; a parked process stands at a node of
 * the image tree, having carried out the node's steps; a job forks from the deepest process above its node, which
 * carries out the missing steps (parking where other images branch off) and acts in a leaf that then exits. Where a
 * process has only one use left, it goes on itself instead of forking.
 *
 *     struct pool *p = pool_new(&config, err);
 *     pool_start_root(p, err);
 *     pool_set_tree(p, &tree);
 *     switch (pool_start(p, &job)) ...     // job.done() is called from loop_run_once()
 *     pool_free(p);                         // ends every process
 *
 * A process that dies, hangs or refuses to fork costs its own job at most. Nothing here knows what a step or an act
 * means: their texts come from the caller. */
#ifndef TENON_EXEC_POOL_H
#define TENON_EXEC_POOL_H

#include "base/event.h"
#include "exec/toolchain.h"
#include "graph/image.h"
#include "os/loop.h"

struct pool;
struct pool_job;

struct pool_config {
	struct loop *loop;                 /* borrowed */
	const struct toolchain *toolchain; /* borrowed */
	const char *const *extra_env;      /* NAME=VALUE, for all processes; borrowed for pool_new only */
	size_t nextra_env;
	const char *out;       /* the folder of built files, absolute, ends without "/" */
	uint64_t image_memory; /* bytes that parked processes may hold for themselves */
	uint64_t heap;         /* bytes that the heap of each Lisp may grow to */
	/* Appends the text of a step, as the driver reads it. */
	void (*step_text)(void *ctx, action_id step, struct buf *out);
	void *ctx;
	struct event_sink *sink;
	const struct graph *graph; /* for labels in events; may be NULL until pool_set_tree */
};

enum pool_outcome {
	POOL_ANSWERED,    /* text: the leaf's answer, one form */
	POOL_STEP_FAILED, /* step: which; text: the (:steps-failed ...) form */
	POOL_CRASHED,     /* text: how it ended, for people: "exit code 3", "signal 9 (killed)" */
	POOL_TIMED_OUT,
};

struct pool_result {
	enum pool_outcome outcome;
	action_id step;   /* CRASHED and TIMED_OUT: the one under way, NO_ID if there is none */
	struct str text;  /* for the time of the call */
	struct str said;  /* CRASHED: what was written past Lisp to standard error, by this process or by others
	                     meanwhile;  for the time of the call */
	uint64_t wall_ns; /* from start to answer */
	uint64_t step_ns; /* of it, carrying out steps */
};

/* Lives with the caller until done() was called. */
struct pool_job {
	node_id node;
	struct str act; /* the request to carry out in the leaf; borrowed until done */
	struct str label;
	unsigned timeout_ms; /* for steps and act each; 0: none */
	bool alone;          /* the act wants a fresh leaf even where the process has no other use */
	bool visit;          /* nothing to act: a process is to stand at the node; the answer is that of its steps */
	void (*done)(struct pool_job *job, const struct pool_result *result);
	void *ctx;
	/* private */
	uint32_t proc;
	int64_t started_ns, step_ns;
	bool active, settled;
};

/* A pool without any process. */
bool pool_new(const struct pool_config *config, struct pool **ret, struct err *err);
void pool_free(struct pool *p); /* NULL is fine; running jobs are dropped without done() */
/* Starts the root process from the toolchain's base core, or as its `fresh` says, and waits until it answers.
 * ERR_ENVIRONMENT when it does not. */
bool pool_start_root(struct pool *p, struct err *err);
bool pool_has_root(const struct pool *p);
/* Starts a process from a snapshot, the core of an image that was saved: it will stand at `node` of the tree, which was
 * set before, and stays until another tree is set. Does not wait. False: it could not be started. */
bool pool_start_snapshot(struct pool *p, node_id node, const char *core, struct err *err);
/* A snapshot's process was started, and is gone without having come up: it can't be used. */
bool pool_snapshot_failed(const struct pool *p);
/* If a process is parked at `node`, it stays there beyond all trees. When the pool is released it saves its image to
 * the file `core`, and behind it, if that went well, this program is run with the arguments `then` (NULL-terminated):
 * all that without us. */
bool pool_keep(struct pool *p, node_id node, const char *core, const char *const *then);
/* The same of the root, which was started without a base core, for that one. It is of no use to the pool any more. */
bool pool_keep_root(struct pool *p, const char *core, const char *const *then);
/* The processor time that the steps of the image at `node` have taken since a core was started, in ns; 0: no process is
 * parked there. */
uint64_t pool_image_ns(const struct pool *p, node_id node);
/* Parked processes of the old tree end. The tree is borrowed and changed: jobs are settled in it as they start. NULL:
 * the root alone. */
void pool_set_tree(struct pool *p, struct image_tree *tree, const struct graph *graph);

/* Nodes were added to the tree. */
void pool_tree_grew(struct pool *p);

/* True while processes come up: images may be free soon though no job runs. */
bool pool_starts(const struct pool *p);
/* A step that failed is another one now. */
void pool_forget_failures(struct pool *p);

/* Counts one job that will start at `node` beyond those that the tree was built for. */
void pool_expect(struct pool *p, node_id node);

/* True if a job at `node` can start now: the process that it would grow from is not at work for another one. */
bool pool_can_start(const struct pool *p, node_id node);
/* True if a job at `node` fails as it starts: a step on the way to it has failed. */
bool pool_is_doomed(const struct pool *p, node_id node);

/* How many processes are parked. NULL: none. */
size_t pool_parked(const struct pool *p);

/* True if there is no process to grow the image at `node` from. */
bool pool_lacks_root(const struct pool *p, node_id node);

/* True if a process stands at `node`, or is on its way there. */
bool pool_has_image(const struct pool *p, node_id node);

enum pool_start { POOL_STARTED, POOL_BUSY };
/* POOL_BUSY: the process that it must grow from is at work for another job; try again after the next event. The job's
 * node must be pending in the tree; it is settled by starting. */
enum pool_start pool_start(struct pool *p, struct pool_job *job);
/* Ends the parked processes that no pending image needs. Call after settling nodes in the tree. */
void pool_trim(struct pool *p);
/* Kills what runs for this job; done() is called with POOL_CRASHED. */
void pool_cancel(struct pool *p, struct pool_job *job);

struct pool_stats {
	uint64_t forks, steps, step_ns, parked_peak, memory_peak, evicted;
};
struct pool_stats pool_stats(const struct pool *p);
#endif
