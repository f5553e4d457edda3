/* What the processes of a pool say, and how they end. */
#include <stdlib.h>

#include "exec/pool_impl.h"
#include "lang/sexp.h"
#include "os/clock.h"

/* A process's connection closes a moment before it can be reaped: its parent is asked so often, so many times. */
#define STATUS_POLL_MS 20
#define STATUS_POLLS   100
/* Forked, and not heard of: so often its parent is asked whether it lives. */
#define START_POLL_MS  500
/* Whoever was to fork it is gone. */
#define ORPHAN_MS      5000

static void ask_status(struct proc *proc);

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
	proc_drop(proc);
	if (job)
		pool_finish_job(p, job, (struct pool_result){.outcome = POOL_ANSWERED, .text = text, .step = NO_ID});
}

static void on_steps_done(struct proc *proc, const struct sexp *form, struct str text)
{
	uint64_t wall = form->len > 1 ? (uint64_t)sexp_int(form->items[1], 0) : 0;
	uint64_t cpu = form->len > 2 ? (uint64_t)sexp_int(form->items[2], 0) : 0;
	proc->in_steps = false;
	proc->pool->stats.step_ns += wall;
	proc->unsaved_ns += wall;
	proc->image_ns += cpu;
	if (proc->job)
		proc->job->step_ns += (int64_t)wall;
	proc_emit_step(proc->pool, proc, (struct event){.kind = EVENT_STEP_FINISH, .wall_ns = wall, .cpu_ns = cpu});
	proc->pool->last_answer = text;
	if (proc->state == PROC_EXTENDING)
		pool_park(proc);
	else if (proc->job && proc->job->visit)
		on_answer(proc, text);
	else if (proc->job)
		proc_set_timer(proc, proc->job->timeout_ms, proc_on_act_timeout);
	proc->pool->last_answer = (struct str){0};
}

static void on_steps_failed(struct proc *proc, const struct sexp *form, struct str text)
{
	struct pool *p = proc->pool;
	proc_emit_step(p, proc, (struct event){.kind = EVENT_STEP_FINISH, .outcome = OUTCOME_FAILED});
	node_id at = proc_step_node(proc, form->len > 1 ? (size_t)sexp_int(form->items[1], 0) : 0);
	struct pool_job *job = proc->job;
	remember_failure(p, at, text);
	proc_kill(proc);
	proc_drop(proc);
	if (!job)
		return;
	pool_finish_job(
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
		proc_drop(child);
		if (parent->node == 0) {
			if (job)
				pool_finish_job(p, job,
				                (struct pool_result){.outcome = POOL_CRASHED,
				                                     .step = NO_ID,
				                                     .text = STR("the Lisp can't fork")});
			return;
		}
		p->solo[parent->node] = 1;
		if (parent->state == PROC_PARKED)
			proc_drop(parent);
		if (job) {
			if (job->settled)
				image_tree_unsettle(p->images, job->node);
			job->settled = false;
			struct proc *from = pool_nearest(p, job->node);
			/* The nearest one may be busy for another; the root never is. */
			pool_advance(p, job, from && from->state == PROC_PARKED ? from : pool_proc(p, p->proc_at[0]));
		}
		return;
	}
}

/* Its parent tells, if it lives; the supervisor tells of orphans by itself. */
static void ask_parent(struct proc *proc, unsigned ms, void (*next)(void *ctx))
{
	struct proc *parent = pool_proc(proc->pool, proc->parent);
	proc_set_timer(proc, ms, next);
	if (parent && parent != proc && parent->conn && (parent->state == PROC_PARKED || parent->lingers))
		conn_send(parent->conn, STR("(:reap)"));
}

static void on_silent_end(void *ctx)
{
	struct proc *proc = ctx;
	struct buf text = {0};
	proc_set_timer(proc, 0, NULL);
	process_status_text(proc->status, &text);
	proc_fail(proc, POOL_CRASHED, buf_str(&text));
	buf_release(&text);
}

static void on_start_poll(void *ctx)
{
	struct proc *proc = ctx;
	unsigned limit = MAX(proc->job ? proc->job->timeout_ms : 0, (unsigned)HELLO_TIMEOUT_MS);
	if (++proc->polls * START_POLL_MS > limit)
		proc_on_hello_timeout(proc);
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
		proc_set_timer(proc, START_POLL_MS, on_start_poll);
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
			proc_set_timer(proc, START_POLL_MS, on_silent_end);
		if (proc->state != PROC_ENDING)
			return;
		struct buf text = {0};
		process_status_text(status, &text);
		proc_fail(proc, POOL_CRASHED, buf_str(&text));
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
		proc_kill(proc);
		proc_fail(proc, POOL_CRASHED, STR("it sent what is not a message"));
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

static void on_status_timeout(void *ctx)
{
	struct proc *proc = ctx;
	proc_set_timer(proc, 0, NULL);
	if (++proc->polls < STATUS_POLLS)
		ask_status(proc);
	else
		proc_fail(proc, POOL_CRASHED, STR("it ended without a word"));
}

static void ask_status(struct proc *proc)
{
	ask_parent(proc, STATUS_POLL_MS, on_status_timeout);
}

/* A process that ended may not have forked all that it was told to. */
void proc_expect_children(struct proc *parent)
{
	struct pool *p = parent->pool;
	for (size_t i = 0; parent->unborn && i < p->procs.len; i++) {
		struct proc *child = p->procs.ptr[i];
		if (child->state == PROC_STARTING && child->parent == parent->id && child->job && !child->pid)
			proc_set_timer(child, ORPHAN_MS, proc_on_hello_timeout);
	}
}

static void on_close(void *ctx, struct conn *c)
{
	struct proc *proc = ctx;
	(void)c;
	proc->conn = NULL;
	proc_expect_children(proc);
	if (proc->state == PROC_GONE)
		return;
	proc_set_state(proc, PROC_ENDING);
	if (!proc->job)
		proc_drop(proc);
	else if (proc->has_status)
		settle_status(proc->pool, proc->pid, proc->status);
	else
		ask_status(proc);
}

void pool_on_reports(void *ctx, int fd)
{
	struct pool_tree *tree = ctx;
	(void)fd;
	struct exit_report reports[16];
	int n;
	while ((n = process_read_reports(&tree->supervised, reports, ARRAY_LEN(reports))) > 0)
		for (int i = 0; i < n; i++)
			settle_status(tree->pool, reports[i].pid, reports[i].status);
	if (n >= 0)
		return;
	loop_unwatch(tree->reports);
	tree->reports = NULL;
	struct proc *first = pool_proc(tree->pool, tree->first);
	if (first->state == PROC_STARTING)
		proc_fail(first, POOL_CRASHED, STR("it did not come up"));
}

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
	proc_set_state(found, found->after);
	found->parked_ns = clock_mono_ns();
	proc_set_timer(found, found->job ? found->job->timeout_ms : 0, proc_on_act_timeout);
	struct event e = {.kind = EVENT_FORK, .id = found->id, .lane = found->id, .at_ns = clock_mono_ns()};
	e.label = found->job ? found->job->label : found->node ? STR("image") : STR("root");
	event_emit(p->config.sink, &e);
}

static void on_first_close(void *ctx, struct conn *c)
{
	(void)ctx;
	(void)c;
}

void pool_on_accept(void *ctx, struct conn *c)
{
	conn_handle(c, on_first_frame, on_first_close, ctx);
}
