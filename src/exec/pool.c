#include "exec/pool.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "lang/sexp.h"
#include "os/clock.h"
#include "os/process.h"

#define HELLO_TIMEOUT_MS 30000
/* A process's connection closes a moment before it can be reaped: its parent is asked so often, so many times. */
#define STATUS_POLL_MS   20
#define STATUS_POLLS     100
#define CHECKPOINT_NS    100000000
/* How long a process has been parked when its memory is counted. */
#define COUNT_AFTER_NS   300000000
/* Forked, and not heard of: so often its parent is asked whether it lives. */
#define START_POLL_MS    500
/* Whoever was to fork it is gone. */
#define ORPHAN_MS        5000
/* Address space for a Lisp's heap; only what is used takes memory. Debian's default of 1 GB is too small for some. */
#define LISP_HEAP        "4GB"
#define NO_PROC          UINT32_MAX

/* STARTING -> EXTENDING -> PARKED -> (EXTENDING again | LEAF); STARTING -> LEAF; any -> ENDING -> GONE. Every change
 * goes through set_state(). */
enum proc_state {
	PROC_STARTING,  /* forked, not heard of yet */
	PROC_EXTENDING, /* carries out steps, will park at `node` */
	PROC_PARKED,
	PROC_LEAF,   /* carries out (steps and) the act of a job, then ends */
	PROC_ENDING, /* its connection closed before it answered; waiting to learn how it ended */
	PROC_GONE,
};

struct proc {
	struct pool *pool;
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
	bool lingers;    /* GONE, but its connection stays until they are: it may not have read of them */
	bool has_status; /* it was reaped before its connection closed */
	int32_t status;
	char token[40];
	int64_t since_ns;
	uint64_t memory; /* bytes of its own after it had parked; 0 until they are counted */
	int64_t parked_ns;
	uint64_t unsaved_ns; /* spent on steps since it left a checkpoint */
	node_id ahead; /* below `node`: where the process went that this one is a copy of; 0: it is needed there */
	uint64_t used; /* for the choice of what to evict */
};

struct pool {
	struct pool_config config;
	struct supervised tree;
	bool have_tree;
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
	struct watch *reports;
	struct arena arena;
	uint32_t checkpoint; /* the process that stays behind on the way of a visit, or NO_PROC */
	U32Vec parked;       /* those in state PARKED, in no order */
	uint64_t ticks, memory;
	unsigned starting; /* processes in that state */
	uint64_t next_event;
	struct pool_stats stats;
	struct str last_answer; /* to the steps that brought a process where it stands; while it is being handled */
	struct buf scratch;
};

static void advance(struct pool *p, struct pool_job *job, struct proc *from);

static void random_word(char *out, size_t n)
{
	static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";
	unsigned char bytes[64];
	CHECK(n < sizeof(bytes) && getrandom(bytes, n, 0) == (ssize_t)n);
	for (size_t i = 0; i + 1 < n; i++)
		out[i] = alphabet[bytes[i] % 32];
	out[n - 1] = 0;
}

static struct proc *proc_get(const struct pool *p, uint32_t id)
{
	return id < p->procs.len ? p->procs.ptr[id] : NULL;
}

static void set_timer(struct proc *proc, unsigned ms, void (*cb)(void *))
{
	loop_timer_cancel(proc->timer);
	proc->timer = ms ? loop_timer(proc->pool->config.loop, ms, cb, proc) : NULL;
}

static void leave_node(struct proc *proc)
{
	struct pool *p = proc->pool;
	if (proc->node < p->nnodes && p->proc_at[proc->node] == proc->id)
		p->proc_at[proc->node] = NO_PROC;
}

static void leave_parked(struct proc *proc)
{
	struct pool *p = proc->pool;
	p->memory -= proc->memory;
	proc->memory = 0;
	for (size_t i = 0; i < p->parked.len; i++) {
		if (p->parked.ptr[i] != proc->id)
			continue;
		p->parked.ptr[i] = p->parked.ptr[p->parked.len - 1];
		p->parked.len--;
		return;
	}
	BUG("process %u is not parked", proc->id);
}

static void heard_of_child(struct proc *parent)
{
	if (--parent->unborn || !parent->lingers)
		return;
	parent->lingers = false;
	if (parent->conn)
		conn_close(parent->conn);
	parent->conn = NULL;
}

static void set_state(struct proc *proc, enum proc_state state)
{
	struct pool *p = proc->pool;
	p->starting -= proc->state == PROC_STARTING;
	p->starting += state == PROC_STARTING;
	if (proc->state == PROC_STARTING && state != PROC_STARTING && proc->parent != NO_PROC)
		heard_of_child(proc_get(p, proc->parent));
	if (proc->state == PROC_PARKED && state != PROC_PARKED)
		leave_parked(proc);
	if (proc->state != PROC_PARKED && state == PROC_PARKED)
		vec_push(&p->parked, proc->id);
	bool held = proc->state == PROC_PARKED || proc->state == PROC_EXTENDING || proc->state == PROC_STARTING;
	bool holds =
	        state == PROC_PARKED || state == PROC_EXTENDING || (state == PROC_STARTING && proc->after != PROC_LEAF);
	if (held && !holds)
		leave_node(proc);
	if (holds)
		p->proc_at[proc->node] = proc->id;
	proc->state = state;
}

static void kill_proc(struct proc *proc)
{
	if (proc->pid > 0) {
		kill(-proc->pid, SIGKILL);
		kill(proc->pid, SIGKILL);
	}
}

/* Done with this process: it may exit by itself (a parked one does when its connection closes). */
static void drop_proc(struct proc *proc)
{
	set_state(proc, PROC_GONE);
	loop_timer_cancel(proc->timer);
	proc->timer = NULL;
	proc->lingers = proc->conn && proc->unborn;
	if (proc->conn && !proc->lingers)
		conn_close(proc->conn);
	if (!proc->lingers)
		proc->conn = NULL;
	proc->job = NULL;
}

static void emit_step(struct pool *p, struct proc *proc, enum event_kind kind, uint64_t wall_ns, enum outcome outcome)
{
	struct event e = {.kind = kind, .id = ((uint64_t)proc->id << 32) | (uint32_t)proc->since_ns, .lane = proc->id};
	e.at_ns = clock_mono_ns();
	e.label = proc->job ? proc->job->label : STR("image");
	e.wall_ns = wall_ns;
	e.outcome = outcome;
	event_emit(p->config.sink, &e);
}

/* Its node won't be needed for it any more. */
static void settle_job(struct pool *p, struct pool_job *job)
{
	if (!job->settled)
		image_tree_settle(p->images, job->node);
	job->settled = true;
}

static void finish_job(struct pool *p, struct pool_job *job, struct pool_result result)
{
	settle_job(p, job);
	result.wall_ns = (uint64_t)(clock_mono_ns() - job->started_ns);
	result.step_ns = (uint64_t)job->step_ns;
	job->active = false;
	job->proc = NO_PROC;
	job->done(job, &result);
}

static void fail_proc(struct proc *proc, enum pool_outcome outcome, struct str text)
{
	struct pool_job *job = proc->job;
	struct pool *p = proc->pool;
	drop_proc(proc);
	if (job)
		finish_job(p, job, (struct pool_result){.outcome = outcome, .text = text, .step = NO_ID});
}

/* -- starting -- */

static void on_hello_timeout(void *ctx)
{
	struct proc *proc = ctx;
	set_timer(proc, 0, NULL);
	kill_proc(proc);
	fail_proc(proc, POOL_CRASHED, STR("it did not come up"));
}

static struct proc *new_proc(struct pool *p, uint32_t parent, node_id node, enum proc_state after, struct pool_job *job)
{
	struct proc *proc = xcalloc(1, sizeof(*proc));
	proc->pool = p;
	proc->id = (uint32_t)p->procs.len;
	proc->parent = parent;
	proc->node = node;
	proc->after = after;
	proc->job = job;
	proc->since_ns = clock_mono_ns();
	proc->state = PROC_GONE;
	int n = snprintf(proc->token, sizeof(proc->token), "p%u-", proc->id);
	random_word(proc->token + n, sizeof(proc->token) - (size_t)n - 1);
	vec_push(&p->procs, proc);
	set_state(proc, PROC_STARTING);
	if (parent != NO_PROC)
		proc_get(p, parent)->unborn++;
	if (job) {
		job->proc = proc->id;
		unsigned limit = MAX(job->timeout_ms, (unsigned)HELLO_TIMEOUT_MS);
		set_timer(proc, limit, on_hello_timeout);
	}
	return proc;
}

static void add_steps(struct pool *p, struct buf *out, const U32Vec *path, size_t n)
{
	buf_addz(out, "(:steps ");
	sexp_print_string(str_from(p->config.out), out);
	for (size_t i = 0; i < n; i++) {
		buf_addc(out, '\n');
		p->config.step_text(p->config.ctx, p->images->nodes.ptr[path->ptr[i]].step, out);
	}
	buf_addc(out, ')');
	p->stats.steps += n;
}

static bool wants_parking(const struct pool *p, node_id at, node_id target)
{
	const struct image_node *n = &p->images->nodes.ptr[at];
	if (at == target)
		return n->pending > 1 || n->live_children > 0;
	return n->pending > 0 || n->live_children > 1;
}

static void on_act_timeout(void *ctx)
{
	struct proc *proc = ctx;
	set_timer(proc, 0, NULL);
	kill_proc(proc);
	fail_proc(proc, POOL_TIMED_OUT, STR("it took too long"));
}

/* A process goes on itself where nobody else will need it: all that is pending lies where this job goes. */
static bool goes_on_itself(const struct pool *p, const struct proc *proc, const struct pool_job *job)
{
	const struct image_node *n = &p->images->nodes.ptr[proc->node];
	if (proc->node == 0 || job->alone)
		return false;
	if (proc->node != job->node)
		return n->pending == 0 && n->live_children == 1;
	return n->pending == 1 && n->live_children == (proc->ahead && p->images->nodes.ptr[proc->ahead].live > 0);
}

/* The process is about to go on to `ahead`. A copy of it stays, parked where it stands. */
static void leave_copy(struct pool *p, struct proc *proc, node_id ahead)
{
	struct proc *copy = new_proc(p, proc->id, proc->node, PROC_PARKED, NULL);
	struct arena a = {0};
	copy->used = ++p->ticks;
	copy->ahead = ahead;
	set_timer(copy, HELLO_TIMEOUT_MS, on_hello_timeout);
	conn_send(proc->conn, str_fmt(&a, "(:fork \"%s\")", copy->token));
	p->stats.forks++;
	arena_release(&a);
}

/* A step that fails takes its process along: one that has come far leaves a copy behind, which the next replaces. */
static void leave_checkpoint(struct pool *p, struct proc *proc, const struct pool_job *job)
{
	struct proc *last = proc_get(p, p->checkpoint);
	if (last && last != proc && last->state == PROC_PARKED && !wants_parking(p, last->node, job->node))
		drop_proc(last);
	leave_copy(p, proc, 0);
	proc->unsaved_ns = 0;
	p->checkpoint = (uint32_t)p->procs.len - 1;
}

static void launch(struct pool *p, struct pool_job *job, struct proc *from, const U32Vec *path, size_t nsteps,
                   bool leaf)
{
	struct buf *b = &p->scratch;
	buf_clear(b);
	node_id to = nsteps ? path->ptr[nsteps - 1] : from->node;
	bool itself = goes_on_itself(p, from, job);
	struct proc *proc = from;
	if (!leaf && from->node != 0) {
		/* Forks of forks of forks get slower and slower: what goes far is no descendant of what stays. */
		if (job->visit && from->unsaved_ns >= CHECKPOINT_NS)
			leave_checkpoint(p, from, job);
		else if (!itself)
			leave_copy(p, from, path->ptr[0]);
		itself = true;
	}
	if (!itself) {
		proc = new_proc(p, from->id, to, leaf ? PROC_LEAF : PROC_EXTENDING, job);
		buf_addf(b, "(:fork \"%s\" ", proc->token);
		p->stats.forks++;
	}
	proc->from = from->node;
	if (nsteps)
		add_steps(p, b, path, nsteps);
	if (itself) {
		proc->job = job;
		job->proc = proc->id;
		set_state(proc, PROC_LEAF);
		proc->node = to;
		if (!leaf)
			set_state(proc, PROC_EXTENDING);
		if (nsteps) {
			conn_send(proc->conn, buf_str(b));
			buf_clear(b);
		}
		set_timer(proc, job->timeout_ms, on_act_timeout);
	}
	if (leaf)
		buf_adds(b, job->act);
	if (!itself)
		buf_addc(b, ')');
	proc->since_ns = clock_mono_ns();
	if (b->len)
		conn_send(from->conn, buf_str(b));
	if (nsteps)
		emit_step(p, proc, EVENT_STEP_START, 0, OUTCOME_RAN);
	if (leaf)
		settle_job(p, job);
}

/* Moves the job on from a process that stands above its node or at it. */
static void advance(struct pool *p, struct pool_job *job, struct proc *from)
{
	CHECK(from);
	from->used = ++p->ticks;
	if (job->visit && from->node == job->node) {
		finish_job(p, job,
		           (struct pool_result){.outcome = POOL_ANSWERED, .text = p->last_answer, .step = NO_ID});
		return;
	}
	U32Vec path = {0};
	image_tree_path(p->images, from->node, job->node, &path);
	for (size_t i = 0; i < path.len; i++) {
		if (p->solo[path.ptr[i]])
			break;
		if (!wants_parking(p, path.ptr[i], job->node) && !(job->visit && i + 1 == path.len))
			continue;
		launch(p, job, from, &path, i + 1, false);
		vec_release(&path);
		return;
	}
	launch(p, job, from, &path, path.len, true);
	vec_release(&path);
}

static const char *failure_above(const struct pool *p, node_id node, node_id *ret_at)
{
	for (node_id at = node; at; at = p->images->nodes.ptr[at].parent) {
		uint64_t index;
		if (map_get(&p->failed_steps, str_n((const char *)&at, sizeof(at)), &index)) {
			*ret_at = at;
			return p->failures.ptr[index];
		}
	}
	return NULL;
}

static struct proc *nearest(const struct pool *p, node_id node)
{
	for (node_id at = node;; at = p->images->nodes.ptr[at].parent) {
		if (p->proc_at[at] != NO_PROC)
			return proc_get(p, p->proc_at[at]);
		if (at == 0)
			return NULL;
	}
}

bool pool_can_start(const struct pool *p, node_id node)
{
	const struct proc *from = nearest(p, node);
	return !from || from->state == PROC_PARKED;
}

bool pool_has_image(const struct pool *p, node_id node)
{
	return p->proc_at[node] != NO_PROC;
}

enum pool_start pool_start(struct pool *p, struct pool_job *job)
{
	node_id at;
	const char *failure = p->failed_steps.entries.len ? failure_above(p, job->node, &at) : NULL;
	job->started_ns = clock_mono_ns();
	job->step_ns = 0;
	job->settled = false;
	if (failure) {
		finish_job(p, job,
		           (struct pool_result){.outcome = POOL_STEP_FAILED,
		                                .step = p->images->nodes.ptr[at].step,
		                                .text = str_from(failure)});
		return POOL_STARTED;
	}
	struct proc *from = nearest(p, job->node);
	if (!from) {
		finish_job(p, job,
		           (struct pool_result){.outcome = POOL_CRASHED,
		                                .step = NO_ID,
		                                .text = STR("the Lisp process at the root of all images ended")});
		return POOL_STARTED;
	}
	if (from->state != PROC_PARKED)
		return POOL_BUSY;
	job->active = true;
	advance(p, job, from);
	return POOL_STARTED;
}

bool pool_starts(const struct pool *p)
{
	return p->starting > 0;
}

void pool_forget_failures(struct pool *p)
{
	map_release(&p->failed_steps);
}

void pool_expect(struct pool *p, node_id node)
{
	image_tree_unsettle(p->images, node);
}

void pool_cancel(struct pool *p, struct pool_job *job)
{
	struct proc *proc = proc_get(p, job->proc);
	if (!job->active || !proc)
		return;
	kill_proc(proc);
	fail_proc(proc, POOL_CRASHED, STR("cancelled"));
}

/* -- memory -- */

/* Pages that only this process has written, from the kernel's own sum: what evicting it would free. */
static uint64_t private_bytes(pid_t pid)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
	struct buf text = {0};
	uint64_t kib = 0;
	if (fs_read(path, &text, NULL)) {
		size_t at = str_search(buf_str(&text), STR("Private_Dirty:"));
		if (at < text.len)
			kib = strtoull(text.ptr + at + 14, NULL, 10);
	}
	buf_release(&text);
	return kib * 1024;
}

static void evict(struct pool *p)
{
	while (p->memory > p->config.image_memory) {
		struct proc *oldest = NULL;
		for (size_t i = 0; i < p->parked.len; i++) {
			struct proc *c = p->procs.ptr[p->parked.ptr[i]];
			if (c->memory && (!oldest || c->used < oldest->used))
				oldest = c;
		}
		if (!oldest)
			return;
		drop_proc(oldest);
		p->stats.evicted++;
	}
}

/* Most go on at once; counting the pages of these would take longer than all else that is done for them here. */
static void count_memory(struct pool *p, struct proc *proc)
{
	if (proc->memory || clock_mono_ns() - proc->parked_ns < COUNT_AFTER_NS)
		return;
	proc->memory = private_bytes(proc->pid);
	p->memory += proc->memory;
	p->stats.memory_peak = MAX(p->stats.memory_peak, p->memory);
}

void pool_trim(struct pool *p)
{
	for (size_t i = p->parked.len; i-- > 0;) {
		struct proc *proc = p->procs.ptr[p->parked.ptr[i]];
		if (proc->node != 0 && p->images->nodes.ptr[proc->node].live == 0)
			drop_proc(proc);
		else if (proc->node != 0)
			count_memory(p, proc);
	}
	evict(p);
}

static void park(struct proc *proc)
{
	struct pool *p = proc->pool;
	struct pool_job *job = proc->job;
	proc->job = NULL;
	set_timer(proc, 0, NULL);
	set_state(proc, PROC_PARKED);
	proc->parked_ns = clock_mono_ns();
	proc->used = ++p->ticks;
	p->stats.parked_peak = MAX(p->stats.parked_peak, (uint64_t)p->parked.len);
	if (job)
		advance(p, job, proc);
}

/* -- what processes say -- */

static void remember_failure(struct pool *p, node_id node, struct str text)
{
	node_id *key = arena_new(&p->arena, node_id);
	*key = node;
	if (map_add(&p->failed_steps, str_n((const char *)key, sizeof(*key)), p->failures.len, NULL))
		vec_push(&p->failures, str_dupz(&p->arena, text));
}

static void on_answer(struct proc *proc, struct str text)
{
	struct pool_job *job = proc->job;
	struct pool *p = proc->pool;
	drop_proc(proc);
	if (job)
		finish_job(p, job, (struct pool_result){.outcome = POOL_ANSWERED, .text = text, .step = NO_ID});
}

static void on_steps_done(struct proc *proc, const struct sexp *form, struct str text)
{
	uint64_t wall = form->len > 1 ? (uint64_t)sexp_int(form->items[1], 0) : 0;
	proc->pool->stats.step_ns += wall;
	proc->unsaved_ns += wall;
	if (proc->job)
		proc->job->step_ns += (int64_t)wall;
	emit_step(proc->pool, proc, EVENT_STEP_FINISH, wall, OUTCOME_RAN);
	proc->pool->last_answer = text;
	if (proc->state == PROC_EXTENDING)
		park(proc);
	else if (proc->job && proc->job->visit)
		on_answer(proc, text);
	else if (proc->job)
		set_timer(proc, proc->job->timeout_ms, on_act_timeout);
	proc->pool->last_answer = (struct str){0};
}

static void on_steps_failed(struct proc *proc, const struct sexp *form, struct str text)
{
	struct pool *p = proc->pool;
	emit_step(p, proc, EVENT_STEP_FINISH, 0, OUTCOME_FAILED);
	U32Vec path = {0};
	image_tree_path(p->images, proc->from, proc->node, &path);
	size_t index = form->len > 1 ? (size_t)sexp_int(form->items[1], 0) : 0;
	CHECK(path.len > 0);
	node_id at = path.ptr[MIN(index, path.len - 1)];
	vec_release(&path);
	struct pool_job *job = proc->job;
	remember_failure(p, at, text);
	kill_proc(proc);
	drop_proc(proc);
	if (!job)
		return;
	finish_job(
	        p, job,
	        (struct pool_result){.outcome = POOL_STEP_FAILED, .step = p->images->nodes.ptr[at].step, .text = text});
}

/* An image with several threads can't fork. It is given up, and what needs it runs from above it, in one go. */
static void on_fork_failed(struct proc *parent, struct str token)
{
	struct pool *p = parent->pool;
	for (size_t i = p->procs.len; i-- > 0;) {
		struct proc *child = p->procs.ptr[i];
		if (!str_eqc(token, child->token) || child->state == PROC_GONE)
			continue;
		struct pool_job *job = child->job;
		drop_proc(child);
		if (parent->node == 0) {
			if (job)
				finish_job(p, job,
				           (struct pool_result){.outcome = POOL_CRASHED,
				                                .step = NO_ID,
				                                .text = STR("the Lisp can't fork")});
			return;
		}
		p->solo[parent->node] = 1;
		if (parent->state == PROC_PARKED)
			drop_proc(parent);
		if (job) {
			if (job->settled)
				image_tree_unsettle(p->images, job->node);
			job->settled = false;
			struct proc *from = nearest(p, job->node);
			/* The nearest one may be busy for another; the root never is. */
			advance(p, job, from && from->state == PROC_PARKED ? from : proc_get(p, p->proc_at[0]));
		}
		return;
	}
}

/* -- those that end before they are heard of -- */

/* Its parent tells, if it lives; the supervisor tells of orphans by itself. */
static void ask_parent(struct proc *proc, unsigned ms, void (*next)(void *ctx))
{
	struct proc *parent = proc_get(proc->pool, proc->parent);
	set_timer(proc, ms, next);
	if (parent && parent != proc && parent->conn && (parent->state == PROC_PARKED || parent->lingers))
		conn_send(parent->conn, STR("(:reap)"));
}

static void on_silent_end(void *ctx)
{
	struct proc *proc = ctx;
	struct buf text = {0};
	set_timer(proc, 0, NULL);
	process_status_text(proc->status, &text);
	fail_proc(proc, POOL_CRASHED, buf_str(&text));
	buf_release(&text);
}

static void on_start_poll(void *ctx)
{
	struct proc *proc = ctx;
	unsigned limit = MAX(proc->job ? proc->job->timeout_ms : 0, (unsigned)HELLO_TIMEOUT_MS);
	if (++proc->polls * START_POLL_MS > limit)
		on_hello_timeout(proc);
	else
		ask_parent(proc, START_POLL_MS, on_start_poll);
}

static void on_forked(struct pool *p, const struct sexp *form)
{
	if (form->len < 3)
		return;
	for (size_t i = p->procs.len; i-- > 0;) {
		struct proc *proc = p->procs.ptr[i];
		if (proc->state != PROC_STARTING || !str_eqc(sexp_text(form->items[1]), proc->token))
			continue;
		proc->pid = (pid_t)sexp_int(form->items[2], 0);
		set_timer(proc, START_POLL_MS, on_start_poll);
		return;
	}
}

static void settle_status(struct pool *p, int32_t pid, int32_t status)
{
	for (size_t i = p->procs.len; i-- > 0;) {
		struct proc *proc = p->procs.ptr[i];
		if (proc->pid != pid || proc->state == PROC_GONE)
			continue;
		proc->has_status = true;
		proc->status = status;
		/* What it said before may be on its way. */
		if (proc->state == PROC_STARTING)
			set_timer(proc, START_POLL_MS, on_silent_end);
		if (proc->state != PROC_ENDING)
			return;
		struct buf text = {0};
		process_status_text(status, &text);
		fail_proc(proc, POOL_CRASHED, buf_str(&text));
		buf_release(&text);
		return;
	}
}

static void on_reaped(struct pool *p, const struct sexp *form)
{
	for (uint32_t i = 1; i < form->len; i++) {
		const struct sexp *pair = form->items[i];
		if (pair->kind == SEXP_LIST && pair->len == 2)
			settle_status(p, (int32_t)sexp_int(pair->items[0], 0), (int32_t)sexp_int(pair->items[1], 0));
	}
}

static bool head_is(struct str text, const char *head)
{
	size_t n = strlen(head);
	return text.len > n && memcmp(text.ptr, head, n) == 0 &&
	       (text.ptr[n] == ' ' || text.ptr[n] == ')' || text.ptr[n] == '\n');
}

static void on_frame(void *ctx, struct conn *c, struct str text)
{
	struct proc *proc = ctx;
	(void)c;
	if (proc->state == PROC_GONE && !proc->lingers)
		return;
	/* The answer of an act may be large and is the caller's to read. */
	bool small = head_is(text, "(:steps-done") || head_is(text, "(:steps-failed") || head_is(text, "(:forked") ||
	             head_is(text, "(:fork-failed") || head_is(text, "(:reaped");
	if (!small) {
		if (proc->state == PROC_LEAF)
			on_answer(proc, text);
		return;
	}
	struct arena a = {0};
	struct sexp *list;
	struct err err = {0};
	if (!sexp_read(&a, STR("<driver>"), text, SEXP_LISP, &list, &err) || list->len != 1) {
		kill_proc(proc);
		fail_proc(proc, POOL_CRASHED, STR("it sent what is not a message"));
	} else if (head_is(text, "(:steps-done")) {
		on_steps_done(proc, list->items[0], text);
	} else if (head_is(text, "(:steps-failed")) {
		on_steps_failed(proc, list->items[0], text);
	} else if (head_is(text, "(:forked")) {
		on_forked(proc->pool, list->items[0]);
	} else if (head_is(text, "(:fork-failed")) {
		on_fork_failed(proc, list->items[0]->len > 1 ? sexp_text(list->items[0]->items[1]) : (struct str){0});
	} else if (head_is(text, "(:reaped")) {
		on_reaped(proc->pool, list->items[0]);
	}
	err_clear(&err);
	arena_release(&a);
}

static void ask_status(struct proc *proc);

static void on_status_timeout(void *ctx)
{
	struct proc *proc = ctx;
	set_timer(proc, 0, NULL);
	if (++proc->polls < STATUS_POLLS)
		ask_status(proc);
	else
		fail_proc(proc, POOL_CRASHED, STR("it ended without a word"));
}

static void ask_status(struct proc *proc)
{
	ask_parent(proc, STATUS_POLL_MS, on_status_timeout);
}

/* A process that ended may not have forked all that it was told to. */
static void expect_children_soon(struct proc *parent)
{
	struct pool *p = parent->pool;
	for (size_t i = 0; parent->unborn && i < p->procs.len; i++) {
		struct proc *child = p->procs.ptr[i];
		if (child->state == PROC_STARTING && child->parent == parent->id && child->job && !child->pid)
			set_timer(child, ORPHAN_MS, on_hello_timeout);
	}
}

static void on_close(void *ctx, struct conn *c)
{
	struct proc *proc = ctx;
	(void)c;
	proc->conn = NULL;
	expect_children_soon(proc);
	if (proc->state == PROC_GONE)
		return;
	set_state(proc, PROC_ENDING);
	if (!proc->job)
		drop_proc(proc);
	else if (proc->has_status)
		settle_status(proc->pool, proc->pid, proc->status);
	else
		ask_status(proc);
}

static void on_reports(void *ctx, int fd)
{
	struct pool *p = ctx;
	(void)fd;
	struct exit_report reports[16];
	int n;
	while ((n = process_read_reports(&p->tree, reports, ARRAY_LEN(reports))) > 0)
		for (int i = 0; i < n; i++)
			settle_status(p, reports[i].pid, reports[i].status);
	if (n < 0) {
		loop_unwatch(p->reports);
		p->reports = NULL;
	}
}

/* -- connections -- */

static void on_first_frame(void *ctx, struct conn *c, struct str text)
{
	struct pool *p = ctx;
	struct arena a = {0};
	struct sexp *list;
	struct err err = {0};
	struct proc *found = NULL;
	pid_t pid = 0;
	if (head_is(text, "(:hello") && sexp_read(&a, STR("<driver>"), text, SEXP_LISP, &list, &err) &&
	    list->len == 1 && list->items[0]->len == 3) {
		struct str token = sexp_text(list->items[0]->items[1]);
		pid = (pid_t)sexp_int(list->items[0]->items[2], 0);
		for (size_t i = p->procs.len; !found && i-- > 0;)
			if (p->procs.ptr[i]->state == PROC_STARTING && str_eqc(token, p->procs.ptr[i]->token))
				found = p->procs.ptr[i];
	}
	err_clear(&err);
	arena_release(&a);
	if (!found) {
		conn_close(c);
		return;
	}
	found->conn = c;
	found->pid = pid;
	found->polls = 0;
	conn_handle(c, on_frame, on_close, found);
	set_state(found, found->after);
	found->parked_ns = clock_mono_ns();
	set_timer(found, found->job ? found->job->timeout_ms : 0, on_act_timeout);
	struct event e = {.kind = EVENT_FORK, .id = found->id, .lane = found->id, .at_ns = clock_mono_ns()};
	e.label = found->job ? found->job->label : found->node ? STR("image") : STR("root");
	event_emit(p->config.sink, &e);
}

static void on_first_close(void *ctx, struct conn *c)
{
	(void)ctx;
	(void)c;
}

static void on_accept(void *ctx, struct conn *c)
{
	conn_handle(c, on_first_frame, on_first_close, ctx);
}

/* -- life of the pool -- */

static void fresh_tables(struct pool *p)
{
	free(p->proc_at);
	free(p->solo);
	p->nnodes = 0;
	p->proc_at = NULL;
	p->solo = NULL;
}

static void make_tables(struct pool *p)
{
	p->nnodes = p->images->nodes.len;
	p->proc_at = xmalloc(p->nnodes * sizeof(*p->proc_at));
	for (size_t i = 0; i < p->nnodes; i++)
		p->proc_at[i] = NO_PROC;
	p->solo = xcalloc(p->nnodes, 1);
}

void pool_set_tree(struct pool *p, struct image_tree *tree, const struct graph *graph)
{
	struct proc *root = proc_get(p, p->proc_at[0]);
	for (size_t i = 0; i < p->procs.len; i++)
		if (p->procs.ptr[i] != root && p->procs.ptr[i]->state != PROC_GONE)
			drop_proc(p->procs.ptr[i]);
	map_release(&p->failed_steps);
	fresh_tables(p);
	p->images = tree ? tree : &p->bare;
	p->config.graph = graph;
	make_tables(p);
	if (root)
		p->proc_at[0] = root->id;
}

void pool_tree_grew(struct pool *p)
{
	size_t n = p->images->nodes.len;
	p->proc_at = xrealloc(p->proc_at, n * sizeof(*p->proc_at));
	p->solo = xrealloc(p->solo, n);
	for (size_t i = p->nnodes; i < n; i++) {
		p->proc_at[i] = NO_PROC;
		p->solo[i] = 0;
	}
	p->nnodes = n;
}

static bool spawn_root(struct pool *p, struct proc *root, struct err *err)
{
	const struct toolchain *tc = p->config.toolchain;
	struct arena a = {0};
	Vec(const char *) extra = {0};
	for (size_t i = 0; i < p->config.nextra_env; i++)
		vec_push(&extra, p->config.extra_env[i]);
	vec_push(&extra, str_fmt(&a, "TENON_SOCKET=%s", p->socket_name).ptr);
	vec_push(&extra, str_fmt(&a, "TENON_TOKEN=%s", root->token).ptr);
	const char *argv[] = {
	        tc->program, "--core",       tc->base_core,   "--noinform", "--disable-ldb", "--dynamic-space-size",
	        LISP_HEAP,   "--no-sysinit", "--no-userinit", NULL};
	struct spawn_spec spec = {.argv = argv,
	                          .envp = toolchain_environment(tc, &a, extra.ptr, extra.len),
	                          .cwd = "/",
	                          .stdin_fd = -1,
	                          .stdout_fd = -1,
	                          .stderr_fd = getenv("TENON_DEBUG") ? 2 : -1};
	bool ok = process_spawn_supervised(&spec, &p->tree, err);
	p->have_tree = ok;
	vec_release(&extra);
	arena_release(&a);
	return ok;
}

bool pool_new(const struct pool_config *config, struct pool **ret, struct err *err)
{
	struct pool *p = xcalloc(1, sizeof(*p));
	p->config = *config;
	p->checkpoint = NO_PROC;
	image_tree_bare(&p->bare);
	p->images = &p->bare;
	make_tables(p);
	memcpy(p->socket_name, "tenon-", 6);
	random_word(p->socket_name + 6, 25);
	if (!loop_listen_abstract(config->loop, p->socket_name, on_accept, p, &p->listener, err)) {
		pool_free(p);
		return false;
	}
	struct proc *root = new_proc(p, NO_PROC, 0, PROC_PARKED, NULL);
	if (!spawn_root(p, root, err)) {
		pool_free(p);
		return false;
	}
	p->reports = loop_watch_fd(config->loop, p->tree.report_fd, on_reports, p);
	set_timer(root, HELLO_TIMEOUT_MS, on_hello_timeout);
	while (root->state == PROC_STARTING && p->reports)
		loop_run_once(config->loop, true);
	set_timer(root, 0, NULL);
	if (root->state != PROC_PARKED) {
		err_set(err, ERR_ENVIRONMENT, "the base core \"%s\" does not start", config->toolchain->base_core);
		pool_free(p);
		return false;
	}
	*ret = p;
	return true;
}

void pool_free(struct pool *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->procs.len; i++) {
		if (p->procs.ptr[i]->state != PROC_GONE)
			drop_proc(p->procs.ptr[i]);
	}
	for (size_t i = 0; i < p->procs.len; i++)
		free(p->procs.ptr[i]);
	loop_unwatch(p->reports);
	if (p->have_tree)
		process_kill_supervised(&p->tree);
	loop_unlisten(p->listener);
	vec_release(&p->procs);
	vec_release(&p->parked);
	vec_release(&p->failures);
	map_release(&p->failed_steps);
	fresh_tables(p);
	image_tree_release(&p->bare);
	arena_release(&p->arena);
	buf_release(&p->scratch);
	free(p);
}

struct pool_stats pool_stats(const struct pool *p)
{
	return p->stats;
}
