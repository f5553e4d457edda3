#include "exec/pool.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "exec/pool_impl.h"
#include "lang/sexp.h"
#include "os/clock.h"
#include "os/fs.h"

/* A process that has come so far from the last copy of itself leaves another one. */
#define CHECKPOINT_NS  100000000
/* How long a process has been parked when its memory is counted; and how often one is. */
#define COUNT_AFTER_NS 300000000
#define COUNT_EVERY_NS 400000000

/* -- starting -- */

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
static struct proc *leave_copy(struct pool *p, struct proc *proc, node_id ahead)
{
	struct proc *copy = proc_new(p, proc->id, proc->node, PROC_PARKED, NULL);
	struct arena a = {0};
	copy->used = ++p->ticks;
	copy->ahead = ahead;
	proc_set_timer(copy, HELLO_TIMEOUT_MS, proc_on_hello_timeout);
	conn_send(proc->conn, str_fmt(&a, "(:fork \"%s\")", copy->token));
	p->stats.forks++;
	arena_release(&a);
	return copy;
}

static struct proc *nearest_above(const struct pool *p, const struct proc *proc)
{
	return proc && proc->node ? pool_nearest(p, p->images->nodes.ptr[proc->node].parent) : NULL;
}

/* A step that fails takes its process along: one that has come far leaves a copy behind, which replaces the one before
 * the last. The last one stays: it may be the step before this copy that turns out to be done in another way. */
static void leave_checkpoint(struct pool *p, struct proc *proc, const struct pool_job *job)
{
	struct proc *last = nearest_above(p, proc), *before = nearest_above(p, last);
	if (last && last->checkpoint && before && before->checkpoint && before->state == PROC_PARKED &&
	    !wants_parking(p, before->node, job->node))
		proc_drop(before);
	leave_copy(p, proc, 0)->checkpoint = true;
	proc->unsaved_ns = 0;
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
		proc = proc_new(p, from->id, to, leaf ? PROC_LEAF : PROC_EXTENDING, job);
		buf_addf(b, "(:fork \"%s\" ", proc->token);
		p->stats.forks++;
	}
	proc->from = from->node;
	proc->in_steps = nsteps > 0;
	proc_said_begin(proc);
	if (nsteps)
		add_steps(p, b, path, nsteps);
	if (itself) {
		proc->job = job;
		job->proc = proc->id;
		proc_set_state(proc, PROC_LEAF);
		proc->node = to;
		if (!leaf)
			proc_set_state(proc, PROC_EXTENDING);
		if (nsteps) {
			proc->ahead = 0; /* that was where it came from */
			conn_send(proc->conn, buf_str(b));
			buf_clear(b);
		}
		proc_set_timer(proc, job->timeout_ms, proc_on_act_timeout);
	}
	if (leaf)
		buf_adds(b, job->act);
	if (!itself)
		buf_addc(b, ')');
	proc->since_ns = clock_mono_ns();
	if (b->len)
		conn_send(from->conn, buf_str(b));
	if (nsteps)
		proc_emit_step(p, proc, (struct event){.kind = EVENT_STEP_START, .total = nsteps});
	if (leaf)
		pool_settle_job(p, job);
}

/* Moves the job on from a process that stands above its node or at it. */
void pool_advance(struct pool *p, struct pool_job *job, struct proc *from)
{
	CHECK(from);
	from->used = ++p->ticks;
	if (job->visit && from->node == job->node) {
		pool_finish_job(p, job,
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

bool pool_is_doomed(const struct pool *p, node_id node)
{
	node_id at;
	return p->failed_steps.entries.len && failure_above(p, node, &at);
}

struct proc *pool_nearest(const struct pool *p, node_id node)
{
	for (node_id at = node;; at = p->images->nodes.ptr[at].parent) {
		if (p->proc_at[at] != NO_PROC)
			return pool_proc(p, p->proc_at[at]);
		if (at == 0)
			return NULL;
	}
}

bool pool_can_start(const struct pool *p, node_id node)
{
	const struct proc *from = pool_nearest(p, node);
	return !from || from->state == PROC_PARKED;
}

bool pool_lacks_root(const struct pool *p, node_id node)
{
	return !pool_nearest(p, node);
}

size_t pool_parked(const struct pool *p)
{
	return p ? p->parked.len : 0;
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
		pool_finish_job(p, job,
		                (struct pool_result){.outcome = POOL_STEP_FAILED,
		                                     .step = p->images->nodes.ptr[at].step,
		                                     .text = str_from(failure)});
		return POOL_STARTED;
	}
	struct proc *from = pool_nearest(p, job->node);
	if (!from) {
		pool_finish_job(p, job,
		                (struct pool_result){.outcome = POOL_CRASHED,
		                                     .step = NO_ID,
		                                     .text = STR("the Lisp process at the root of all images ended")});
		return POOL_STARTED;
	}
	if (from->state != PROC_PARKED)
		return POOL_BUSY;
	job->active = true;
	pool_advance(p, job, from);
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
	struct proc *proc = pool_proc(p, job->proc);
	if (!job->active || !proc)
		return;
	proc_kill(proc);
	proc_fail(proc, POOL_CRASHED, STR("cancelled"));
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
		proc_drop(oldest);
		p->stats.evicted++;
	}
}

/* Most go on at once; counting the pages of these would take longer than all else that is done for them here. Of many
 * that stay, one in a while is counted, and the others are taken for like it. */
static void count_memory(struct pool *p, struct proc *proc)
{
	int64_t now = clock_mono_ns();
	if (proc->memory || now - proc->parked_ns < COUNT_AFTER_NS)
		return;
	if (!p->typical_memory || now - p->counted_ns >= COUNT_EVERY_NS) {
		p->typical_memory = private_bytes(proc->pid);
		p->counted_ns = now;
	}
	proc->memory = p->typical_memory;
	p->memory += proc->memory;
	p->stats.memory_peak = MAX(p->stats.memory_peak, p->memory);
}

void pool_trim(struct pool *p)
{
	pool_said_trim(p);
	for (size_t i = p->parked.len; i-- > 0;) {
		struct proc *proc = p->procs.ptr[p->parked.ptr[i]];
		if (proc->node != 0 && p->images->nodes.ptr[proc->node].live == 0)
			proc_drop(proc);
		else if (proc->node != 0)
			count_memory(p, proc);
	}
	evict(p);
}

void pool_park(struct proc *proc)
{
	struct pool *p = proc->pool;
	struct pool_job *job = proc->job;
	proc->job = NULL;
	proc_set_timer(proc, 0, NULL);
	proc_set_state(proc, PROC_PARKED);
	proc->parked_ns = clock_mono_ns();
	proc->used = ++p->ticks;
	p->stats.parked_peak = MAX(p->stats.parked_peak, (uint64_t)p->parked.len);
	if (job)
		pool_advance(p, job, proc);
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
	struct proc *root = pool_proc(p, p->proc_at[0]);
	for (size_t i = 0; i < p->procs.len; i++)
		if (p->procs.ptr[i] != root && p->procs.ptr[i]->state != PROC_GONE)
			proc_drop(p->procs.ptr[i]);
	if (!pool_keeps(&p->snapshot))
		pool_end_tree(&p->snapshot);
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

bool pool_new(const struct pool_config *config, struct pool **ret, struct err *err)
{
	struct pool *p = xcalloc(1, sizeof(*p));
	p->config = *config;
	p->base.pool = p->snapshot.pool = p;
	image_tree_bare(&p->bare);
	p->images = &p->bare;
	make_tables(p);
	memcpy(p->socket_name, "tenon-", 6);
	pool_random_word(p->socket_name + 6, 25);
	if (!pool_said_open(p, err) ||
	    !loop_listen_abstract(config->loop, p->socket_name, pool_on_accept, p, &p->listener, err)) {
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
			proc_drop(p->procs.ptr[i]);
	}
	pool_end_tree(&p->snapshot);
	pool_end_tree(&p->base);
	for (size_t i = 0; i < p->procs.len; i++)
		free(p->procs.ptr[i]);
	loop_unlisten(p->listener);
	if (p->said_fd >= 0)
		close(p->said_fd);
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
