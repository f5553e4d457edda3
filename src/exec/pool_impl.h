/* pool_impl.h - processes of a pool, for the files that are the pool: pool.c (jobs, images, memory, its life),
 * pool_proc.c (states of a process), pool_said.c (what they say past Lisp), pool_answer.c (connections, answers, ends)
 * and pool_start.c (processes that are started from cores). */
#ifndef TENON_EXEC_POOL_IMPL_H
#define TENON_EXEC_POOL_IMPL_H

#include "exec/pool.h"
#include "os/process.h"

#define HELLO_TIMEOUT_MS 30000
#define NO_PROC          UINT32_MAX

/* STARTING -> EXTENDING -> PARKED -> (EXTENDING again | LEAF); STARTING -> LEAF; any -> ENDING -> GONE. Every change
 * goes through proc_set_state(). */
enum proc_state {
	PROC_STARTING,  /* forked, not heard of yet */
	PROC_EXTENDING, /* carries out steps, will park at `node` */
	PROC_PARKED,
	PROC_LEAF,   /* carries out (steps and) the act of a job, then ends */
	PROC_ENDING, /* its connection closed before it answered; waiting to learn how it ended */
	PROC_GONE,
};

/* The processes that come from one that was started from a core, below a supervisor of their own. */
struct pool_tree {
	struct pool *pool;
	struct supervised supervised;
	bool alive;            /* there is a supervisor */
	struct watch *reports; /* NULL once all its processes have ended */
	uint32_t first;        /* the process that was started; all others are forks */
};

struct proc {
	struct pool *pool;
	struct pool_tree *tree;
	uint32_t id;
	uint32_t parent; /* the process that forked it */
	pid_t pid;
	struct conn *conn;
	enum proc_state state;
	node_id node;          /* where it stands, or will stand */
	node_id from;          /* where it stood before the steps under way */
	enum proc_state after; /* STARTING: what it becomes */
	struct pool_job *job;  /* on whose behalf it works */
	struct timer *timer;
	unsigned polls;  /* times that its status was asked for */
	unsigned unborn; /* children that it was told to fork, and that are not heard of yet */
	bool checkpoint; /* it stayed behind on the way of a visit */
	bool lingers;    /* GONE, but its connection stays until they are: it may not have read of them */
	bool in_steps;   /* it was told to carry out steps, and has not answered */
	bool has_status; /* it was reaped before its connection closed */
	int32_t status;
	char token[40];
	int64_t since_ns;
	off_t said_from; /* how much all had said when it was sent to work */
	uint64_t memory; /* bytes of its own after it had parked; 0 until they are counted, or taken for typical */
	int64_t parked_ns;
	uint64_t unsaved_ns; /* spent on steps since it left a checkpoint */
	uint64_t image_ns; /* of processor time, spent on steps since a process was started from a core, its ancestors'
	                      included */
	node_id ahead;     /* below `node`: where the process went that this one is a copy of; 0: it is needed there */
	uint64_t used;     /* for the choice of what to evict */
};

/* A process that is gone to the pool, and whose connection stays open until it is told what to save. */
struct kept {
	uint32_t proc;
	char *order;
	const char **then;
};

struct pool {
	struct pool_config config;
	struct pool_tree base, snapshot;
	struct image_tree *images;
	struct image_tree bare; /* the root alone, until pool_set_tree */
	Vec(struct proc *) procs;
	uint32_t *proc_at; /* by node: the process parked there or on its way, NO_PROC */
	uint8_t *solo;     /* by node: can't fork */
	size_t nnodes;
	struct map failed_steps; /* node number as bytes -> index into failures */
	Vec(char *) failures;
	char socket_name[64];
	struct listener *listener;
	int said_fd; /* standard error of all processes */
	struct arena arena;
	U32Vec parked;                      /* those in state PARKED, in no order */
	struct kept kept[PROCESS_LEFT_MAX]; /* processes whose images are to be saved when the pool is released */
	size_t nkept;
	uint64_t ticks, memory;
	uint64_t typical_memory; /* of the process counted last, at counted_ns */
	int64_t counted_ns;
	unsigned starting; /* processes in that state */
	uint64_t next_event;
	struct pool_stats stats;
	struct str last_answer; /* to the steps that brought a process where it stands; while it is being handled */
	struct buf scratch;
};

/* -- pool_proc.c -- */
void pool_random_word(char *out, size_t n);
struct proc *pool_proc(const struct pool *p, uint32_t id);
/* Replaces the process's timer; 0 ms: none. */
void proc_set_timer(struct proc *proc, unsigned ms, void (*cb)(void *));
void proc_set_state(struct proc *proc, enum proc_state state);
void proc_kill(struct proc *proc);
/* Done with this process: it may exit by itself (a parked one does when its connection closes). */
void proc_drop(struct proc *proc);
/* Drops it; its job, if any, ends like that. */
void proc_fail(struct proc *proc, enum pool_outcome outcome, struct str text);
/* The node to which the step of that index leads, of those that it was told to carry out last. */
node_id proc_step_node(const struct proc *proc, size_t index);
/* A process that is going to be forked; `after` is what it becomes when it is heard of. Owned by the pool. */
struct proc *proc_new(struct pool *p, uint32_t parent, node_id node, enum proc_state after, struct pool_job *job);
void proc_on_hello_timeout(void *proc);
void proc_on_act_timeout(void *proc);
void proc_emit_step(struct pool *p, const struct proc *proc, struct event e);
void pool_settle_job(struct pool *p, struct pool_job *job);
void pool_finish_job(struct pool *p, struct pool_job *job, struct pool_result result);

/* -- pool_said.c -- */
bool pool_said_open(struct pool *p, struct err *err);
/* What was said so far is of no use any more when it has become much. */
void pool_said_trim(struct pool *p);
/* The process is about to be sent to work. */
void proc_said_begin(struct proc *proc);
/* Appends what was said since then, or since the step under way began; the index of that step among those it was told
 * of, 0 if it tells of none. */
size_t proc_said(const struct proc *proc, struct buf *out);

/* -- pool.c -- */
/* Moves the job on from a process that stands above its node or at it. */
void pool_advance(struct pool *p, struct pool_job *job, struct proc *from);
/* The process at `node` or the deepest above it; NULL when even the root is gone. */
struct proc *pool_nearest(const struct pool *p, node_id node);
/* The process has carried out its steps and stays; its job goes on from there. */
void pool_park(struct proc *proc);

/* -- pool_answer.c -- */
void pool_on_accept(void *pool, struct conn *c);
void pool_on_reports(void *tree, int fd);
void proc_expect_children(struct proc *parent);

/* -- pool_start.c -- */
/* True if an image of this tree is to be saved. */
bool pool_keeps(const struct pool_tree *tree);
/* Ends all processes of a tree; those that are to save their images stay and are told so. */
void pool_end_tree(struct pool_tree *tree);

#endif
