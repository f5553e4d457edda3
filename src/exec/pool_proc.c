/* Processes of a pool: their states, and their jobs' ends. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "exec/pool_impl.h"
#include "os/clock.h"

void pool_random_word(char *out, size_t n)
{
	static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";
	unsigned char bytes[64];
	CHECK(n < sizeof(bytes) && getrandom(bytes, n, 0) == (ssize_t)n);
	for (size_t i = 0; i + 1 < n; i++)
		out[i] = alphabet[bytes[i] % 32];
	out[n - 1] = 0;
}

struct proc *pool_proc(const struct pool *p, uint32_t id)
{
	return id < p->procs.len ? p->procs.ptr[id] : NULL;
}

void proc_set_timer(struct proc *proc, unsigned ms, void (*cb)(void *))
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

void proc_set_state(struct proc *proc, enum proc_state state)
{
	struct pool *p = proc->pool;
	p->starting -= proc->state == PROC_STARTING;
	p->starting += state == PROC_STARTING;
	if (proc->state == PROC_STARTING && state != PROC_STARTING && proc->parent != NO_PROC)
		heard_of_child(pool_proc(p, proc->parent));
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

void proc_kill(struct proc *proc)
{
	if (proc->pid > 0) {
		kill(-proc->pid, SIGKILL);
		kill(proc->pid, SIGKILL);
	}
}

/* Done with this process: it may exit by itself (a parked one does when its connection closes). */
void proc_drop(struct proc *proc)
{
	proc_set_state(proc, PROC_GONE);
	loop_timer_cancel(proc->timer);
	proc->timer = NULL;
	proc->lingers = proc->conn && proc->unborn;
	if (proc->conn && !proc->lingers)
		conn_close(proc->conn);
	if (!proc->lingers)
		proc->conn = NULL;
	proc->job = NULL;
}

void proc_emit_step(struct pool *p, const struct proc *proc, struct event e)
{
	e.id = ((uint64_t)proc->id << 32) | (uint32_t)proc->since_ns;
	e.lane = proc->id;
	e.at_ns = clock_mono_ns();
	e.label = proc->job ? proc->job->label : STR("image");
	event_emit(p->config.sink, &e);
}

node_id proc_step_node(const struct proc *proc, size_t index)
{
	U32Vec path = {0};
	image_tree_path(proc->pool->images, proc->from, proc->node, &path);
	CHECK(path.len > 0);
	node_id at = path.ptr[MIN(index, path.len - 1)];
	vec_release(&path);
	return at;
}

/* Its node won't be needed for it any more. */
void pool_settle_job(struct pool *p, struct pool_job *job)
{
	if (!job->settled)
		image_tree_settle(p->images, job->node);
	job->settled = true;
}

void pool_finish_job(struct pool *p, struct pool_job *job, struct pool_result result)
{
	pool_settle_job(p, job);
	result.wall_ns = (uint64_t)(clock_mono_ns() - job->started_ns);
	result.step_ns = (uint64_t)job->step_ns;
	job->active = false;
	job->proc = NO_PROC;
	job->done(job, &result);
}

void proc_fail(struct proc *proc, enum pool_outcome outcome, struct str text)
{
	struct pool_job *job = proc->job;
	struct pool *p = proc->pool;
	struct buf said = {0};
	struct pool_result result = {.outcome = outcome, .text = text, .step = NO_ID};
	if (job) {
		size_t index = proc_said(proc, &said);
		result.said = buf_str(&said);
		if (proc->in_steps)
			result.step = p->images->nodes.ptr[proc_step_node(proc, index)].step;
	}
	proc_drop(proc);
	if (job)
		pool_finish_job(p, job, result);
	buf_release(&said);
}

void proc_on_hello_timeout(void *ctx)
{
	struct proc *proc = ctx;
	proc_set_timer(proc, 0, NULL);
	proc_kill(proc);
	proc_fail(proc, POOL_CRASHED, STR("it did not come up"));
}

struct proc *proc_new(struct pool *p, uint32_t parent, node_id node, enum proc_state after, struct pool_job *job)
{
	struct proc *proc = xcalloc(1, sizeof(*proc));
	proc->pool = p;
	proc->id = (uint32_t)p->procs.len;
	proc->parent = parent;
	if (parent != NO_PROC) {
		proc->tree = pool_proc(p, parent)->tree;
		proc->image_ns = pool_proc(p, parent)->image_ns;
	}
	proc->node = node;
	proc->after = after;
	proc->job = job;
	proc->since_ns = clock_mono_ns();
	proc->state = PROC_GONE;
	int n = snprintf(proc->token, sizeof(proc->token), "p%u-", proc->id);
	pool_random_word(proc->token + n, sizeof(proc->token) - (size_t)n - 1);
	vec_push(&p->procs, proc);
	proc_set_state(proc, PROC_STARTING);
	if (parent != NO_PROC)
		pool_proc(p, parent)->unborn++;
	if (job) {
		job->proc = proc->id;
		unsigned limit = MAX(job->timeout_ms, (unsigned)HELLO_TIMEOUT_MS);
		proc_set_timer(proc, limit, proc_on_hello_timeout);
	}
	return proc;
}

void proc_on_act_timeout(void *ctx)
{
	struct proc *proc = ctx;
	proc_set_timer(proc, 0, NULL);
	proc_kill(proc);
	proc_fail(proc, POOL_TIMED_OUT, STR("it took too long"));
}
