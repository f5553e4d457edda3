#include "exec/jvm.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exec/jvm_libraries.h"
#include "lang/sexp.h"
#include "os/clock.h"
#include "os/fs.h"
#include "os/interrupt.h"
#include "os/process.h"

#define START_TIMEOUT_MS   60000
/* A session loads, and may compile, all that the project needs of others. */
#define SESSION_TIMEOUT_MS 600000
#define NO_PROCESS         UINT32_MAX
/* Of the machine's memory, for the heaps of all processes. */
#define HEAP_PERCENT       60.0
/* Likewise, at first: with Java's own 1.6 % a build spends a tenth of its time in collections. */
#define FIRST_HEAP_PERCENT 6.0
/* How long a worker may take to say that a job takes too long. */
#define GRACE_MS           3000
/* How long a process may stay when its connection is closed. */
#define SILENCE_MS         500
/* How long the end of a build waits for what was made of libraries. */
#define DRAIN_MS           20000
/* The number of the session's request; jobs count from the next. */
#define SESSION_ID         1

/* STARTING -> READY -> GONE, or any -> ENDING -> GONE. */
enum process_state {
	STARTING, /* executed, its session not yet answered */
	READY,
	ENDING, /* its connection closed, or it was killed: waiting to learn how it ended */
	GONE,
};

struct process {
	struct jvm_pool *pool;
	uint32_t id;
	enum process_state state;
	struct supervised tree;
	struct watch *reports;
	struct listener *listener;
	struct conn *conn;
	struct timer *timer; /* while STARTING */
	char *dir;           /* of its socket; removed once it has connected */
	int64_t started_ns;
	unsigned given;   /* jobs started in it so far */
	unsigned running; /* of them, under way */
	unsigned making;  /* jars of libraries that it will tell of */
	bool reserved;    /* for one job that wants to be alone */
};

struct jvm_pool {
	struct jvm_config config;
	struct arena arena;
	Vec(struct process *) processes;
	Vec(struct jvm_job *) waiting; /* in order */
	Vec(struct jvm_job *) running;
	uint64_t next_id;
	struct jvm_stats stats;
	struct buf scratch;
	bool freeing;
};

static void give_out(struct jvm_pool *p);

/* -- jobs -- */

static void finish_job(struct jvm_job *job, enum jvm_outcome outcome, struct str text)
{
	struct jvm_result r = {.outcome = outcome, .text = text, .doing = buf_str(&job->doing)};
	struct buf doing = job->doing;
	job->doing = (struct buf){0};
	r.wall_ns = job->started_ns ? (uint64_t)(clock_mono_ns() - job->started_ns) : 0;
	loop_timer_cancel(job->timer);
	job->timer = NULL;
	job->process = NO_PROCESS;
	job->done(job, &r);
	buf_release(&doing);
}

static void take_out(struct jvm_pool *p, struct jvm_job *job)
{
	for (size_t i = 0; i < p->running.len; i++)
		if (p->running.ptr[i] == job) {
			p->running.ptr[i] = vec_last(&p->running);
			p->running.len--;
			p->processes.ptr[job->process]->running--;
			return;
		}
	BUG("a job that does not run ended");
}

static void put_first(struct jvm_pool *p, struct jvm_job *job)
{
	vec_push(&p->waiting, job);
	memmove(p->waiting.ptr + 1, p->waiting.ptr, (p->waiting.len - 1) * sizeof(*p->waiting.ptr));
	p->waiting.ptr[0] = job;
}

static void repeat(struct jvm_job *job)
{
	struct jvm_pool *p = job->pool;
	loop_timer_cancel(job->timer);
	job->timer = NULL;
	job->process = NO_PROCESS;
	buf_clear(&job->doing);
	p->stats.repeated++;
	put_first(p, job);
}

/* Another job has ended their process: these run again. */
static void repeat_others(struct process *proc)
{
	struct jvm_pool *p = proc->pool;
	for (size_t i = p->running.len; i-- > 0;) {
		struct jvm_job *job = p->running.ptr[i];
		if (job->process != proc->id)
			continue;
		take_out(p, job);
		repeat(job);
	}
}

/* Each job under way in a process that is gone: the one that is to blame fails, others run again. */
static void settle_jobs(struct process *proc, struct str how)
{
	struct jvm_pool *p = proc->pool;
	bool alone = proc->running == 1;
	for (size_t i = p->running.len; i-- > 0;) {
		struct jvm_job *job = p->running.ptr[i];
		if (job->process != proc->id)
			continue;
		take_out(p, job);
		if (alone) {
			p->stats.crashed++;
			finish_job(job, JVM_CRASHED, how);
			return;
		}
		job->alone = true;
		repeat(job);
	}
}

/* -- processes -- */

static void drop_socket(struct process *proc)
{
	loop_unlisten(proc->listener);
	proc->listener = NULL;
	if (proc->dir)
		fs_remove_tree(proc->dir, NULL);
	proc->dir = NULL;
}

static void end_process(struct process *proc)
{
	if (proc->state == GONE)
		return;
	proc->state = GONE;
	drop_socket(proc);
	loop_timer_cancel(proc->timer);
	proc->timer = NULL;
	loop_unwatch(proc->reports);
	proc->reports = NULL;
	conn_close(proc->conn);
	proc->conn = NULL;
	process_kill_supervised(&proc->tree);
}

/* No process comes up: nothing that waits has a chance. */
static void fail_waiting(struct jvm_pool *p, struct str why)
{
	while (p->waiting.len) {
		struct jvm_job *job = p->waiting.ptr[0];
		memmove(p->waiting.ptr, p->waiting.ptr + 1, --p->waiting.len * sizeof(*p->waiting.ptr));
		finish_job(job, JVM_NO_START, why);
	}
}

static void died(struct process *proc, struct str how)
{
	struct jvm_pool *p = proc->pool;
	bool came_up = proc->state != STARTING;
	end_process(proc);
	if (came_up)
		settle_jobs(proc, how);
	else
		fail_waiting(p, how);
	give_out(p);
}

static void on_reports(void *ctx, int fd)
{
	struct process *proc = ctx;
	struct exit_report reports[16];
	int n;
	(void)fd;
	while ((n = process_read_reports(&proc->tree, reports, ARRAY_LEN(reports))) > 0)
		for (int i = 0; i < n; i++)
			if (reports[i].main) {
				struct buf how = {0};
				process_status_text(reports[i].status, &how);
				died(proc, buf_str(&how));
				buf_release(&how);
				return;
			}
	if (n < 0)
		died(proc, STR("it ended without a word"));
}

static void on_silence(void *ctx)
{
	died(ctx, STR("it closed its connection"));
}

static void on_close(void *ctx, struct conn *c)
{
	struct process *proc = ctx;
	(void)c;
	proc->conn = NULL;
	if (proc->state != READY)
		return;
	/* Its end is reported next. */
	proc->state = ENDING;
	proc->timer = loop_timer(proc->pool->config.loop, SILENCE_MS, on_silence, proc);
}

static void on_start_timeout(void *ctx)
{
	died(ctx, STR("it did not come up in time"));
}

static void on_timeout(void *ctx)
{
	struct jvm_job *job = ctx;
	struct jvm_pool *p = job->pool;
	struct process *proc = p->processes.ptr[job->process];
	take_out(p, job);
	/* A thread can't be stopped from outside: its process goes. */
	end_process(proc);
	repeat_others(proc);
	finish_job(job, JVM_TIMED_OUT, STR("it took too long"));
	give_out(p);
}

/* -- messages -- */

enum message { ANSWER, EXITED, PROGRESS, MADE };

/* (:answer ID ...), (:exited ID ...) from a job that has ended the process, (:progress ID "..."), (:made JAR ...) */
static bool read_head(struct str text, enum message *ret, uint64_t *ret_id)
{
	static const char *const heads[] = {"(:answer", "(:exited", "(:progress", "(:made"};
	struct str head = {0}, id = {0}, rest = text;
	str_cut(&rest, ' ', &head);
	for (size_t i = 0; i < ARRAY_LEN(heads); i++)
		if (str_eqc(head, heads[i])) {
			*ret = (enum message)i;
			return str_cut(&rest, ' ', &id) && str_to_u64(id, ret_id);
		}
	return false;
}

static void note_progress(struct jvm_job *job, struct str text)
{
	struct arena a = {0};
	struct sexp *list;
	if (sexp_read(&a, STR("<worker>"), text, SEXP_LISP, &list, NULL) && list->len == 1) {
		buf_clear(&job->doing);
		buf_adds(&job->doing, sexp_text(sexp_getf(list->items[0], 2, "current")));
	}
	arena_release(&a);
}

static bool status_is_ok(struct str text)
{
	struct arena a = {0};
	struct sexp *list;
	bool ok = sexp_read(&a, STR("<worker>"), text, SEXP_LISP, &list, NULL) && list->len == 1 &&
	          sexp_is_keyword(sexp_getf(list->items[0], 2, "status"), "ok");
	arena_release(&a);
	return ok;
}

static void on_session(struct process *proc, struct str text)
{
	struct jvm_pool *p = proc->pool;
	if (!status_is_ok(text)) {
		died(proc, text);
		return;
	}
	loop_timer_cancel(proc->timer);
	proc->timer = NULL;
	proc->state = READY;
	p->stats.start_ns = (uint64_t)(clock_mono_ns() - proc->started_ns);
	give_out(p);
}

static void on_frame(void *ctx, struct conn *c, struct str text)
{
	struct process *proc = ctx;
	struct jvm_pool *p = proc->pool;
	uint64_t id;
	enum message message;
	(void)c;
	if (proc->state == STARTING && str_has_prefix(text, STR("(:hello "))) {
		drop_socket(proc);
		struct buf *b = &p->scratch;
		buf_clear(b);
		buf_addf(b, "(:session %d %.*s", SESSION_ID, STR_ARG(p->config.session));
		if (p->config.libraries)
			jvm_libraries_request(p->config.libraries, proc->id, b, &proc->making);
		buf_addc(b, ')');
		conn_send(proc->conn, buf_str(b));
		loop_timer_cancel(proc->timer);
		proc->timer = loop_timer(p->config.loop, SESSION_TIMEOUT_MS, on_start_timeout, proc);
		return;
	}
	if (!read_head(text, &message, &id)) {
		died(proc, STR("it sent what is not a message"));
		return;
	}
	if (message == MADE) {
		/* What can't be kept is made again by the next. */
		if (p->config.libraries)
			jvm_libraries_keep(p->config.libraries, text, NULL);
		proc->making -= MIN(proc->making, 1U);
		return;
	}
	if (proc->state == STARTING && id == SESSION_ID) {
		on_session(proc, text);
		return;
	}
	for (size_t i = 0; i < p->running.len; i++) {
		struct jvm_job *job = p->running.ptr[i];
		if (job->id != id || job->process != proc->id)
			continue;
		if (message == PROGRESS) {
			note_progress(job, text);
			return;
		}
		take_out(p, job);
		bool worn = proc->reserved || ((str_has_suffix(text, STR(":worn t)")) ||
		                                (p->config.recycle && proc->given >= p->config.recycle)) &&
		                               !proc->running);
		if (worn || message == EXITED)
			end_process(proc);
		if (message == EXITED)
			repeat_others(proc);
		finish_job(job, JVM_ANSWERED, text);
		if (!p->freeing)
			give_out(p);
		return;
	}
}

static void on_accept(void *ctx, struct conn *c)
{
	struct process *proc = ctx;
	if (proc->conn || proc->state != STARTING) {
		conn_close(c);
		return;
	}
	proc->conn = c;
	conn_handle(c, on_frame, on_close, proc);
}

/* -- starting -- */

static bool spawn(struct process *proc, const char *socket, struct err *err)
{
	struct jvm_pool *p = proc->pool;
	const struct jvm_toolchain *tc = p->config.toolchain;
	struct arena a = {0};
	Vec(const char *) extra = {0}, argv = {0};
	for (size_t i = 0; i < p->config.nextra_env; i++)
		vec_push(&extra, p->config.extra_env[i]);
	vec_push(&extra, str_fmt(&a, "TENON_SOCKET=%s", socket).ptr);
	/* The first compiler alone: a compile ends before the second would pay, which costs two to three times the CPU.
	 */
	const char *const first[] = {
	        tc->java, "-XX:TieredStopAtLevel=1", "-XX:ReservedCodeCacheSize=512m", "-XX:+UseParallelGC",
	        /* Else each step of its growth to the usual 200 MB is a full collection. */
	        "-XX:MetaspaceSize=512m", "-XX:-UsePerfData", str_fmt(&a, "-XX:SharedArchiveFile=%s", tc->archive).ptr,
	        "-Djava.awt.headless=true", "-Dfile.encoding=UTF-8"};
	for (size_t i = 0; i < ARRAY_LEN(first); i++)
		vec_push(&argv, first[i]);
	vec_push(&argv, p->config.heap
	                        ? str_fmt(&a, "-Xmx%llu", (unsigned long long)p->config.heap).ptr
	                        : str_fmt(&a, "-XX:MaxRAMPercentage=%.1f", HEAP_PERCENT / p->config.processes).ptr);
	if (!p->config.heap)
		vec_push(&argv,
		         str_fmt(&a, "-XX:InitialRAMPercentage=%.1f", FIRST_HEAP_PERCENT / p->config.processes).ptr);
	for (size_t i = 0; i < p->config.noptions; i++)
		vec_push(&argv, str_dupz(&a, p->config.options[i]));
	vec_push(&argv, "-cp");
	vec_push(&argv, tc->jar);
	vec_push(&argv, "tenon.Main");
	vec_push(&argv, NULL);
	const char *const *command = argv.ptr;
	if (p->config.confinement)
		command = confine_argv(&a, p->config.confinement, command);
	struct spawn_spec spec = {.argv = command,
	                          .envp = jvm_environment(tc, &a, extra.ptr, extra.len),
	                          .cwd = p->config.cwd ? p->config.cwd : "/",
	                          .stdin_fd = -1,
	                          .stdout_fd = -1,
	                          .stderr_fd = getenv("TENON_DEBUG") ? 2 : -1};
	bool ok = process_spawn_supervised(&spec, &proc->tree, err);
	vec_release(&extra);
	vec_release(&argv);
	arena_release(&a);
	return ok;
}

static bool start_process(struct jvm_pool *p, bool reserved, struct err *err)
{
	const char *tmp = getenv("TMPDIR");
	char *dir;
	/* A socket's path is short or not at all. */
	if (!tmp || tmp[0] != '/' || strlen(tmp) > 60)
		tmp = "/tmp";
	if (!fs_mkdtemp(&p->arena, tmp, "tenon-", &dir, err))
		return false;
	struct process *proc = xcalloc(1, sizeof(*proc));
	proc->pool = p;
	proc->id = (uint32_t)p->processes.len;
	proc->dir = dir;
	proc->reserved = reserved;
	proc->started_ns = clock_mono_ns();
	vec_push(&p->processes, proc);
	const char *socket = path_join(&p->arena, dir, "socket");
	if (!loop_listen_path(p->config.loop, socket, on_accept, proc, &proc->listener, err) ||
	    !spawn(proc, socket, err)) {
		proc->state = GONE;
		drop_socket(proc);
		return false;
	}
	p->stats.processes++;
	proc->reports = loop_watch_fd(p->config.loop, proc->tree.report_fd, on_reports, proc);
	proc->timer = loop_timer(p->config.loop, START_TIMEOUT_MS, on_start_timeout, proc);
	/* While it starts. */
	if (p->config.libraries && !jvm_libraries_survey(p->config.libraries, err)) {
		end_process(proc);
		return false;
	}
	return true;
}

static void begin(struct process *proc, struct jvm_job *job)
{
	struct jvm_pool *p = proc->pool;
	struct buf *b = &p->scratch;
	job->id = p->next_id++;
	job->process = proc->id;
	job->started_ns = clock_mono_ns();
	proc->given++;
	proc->running++;
	vec_push(&p->running, job);
	buf_clear(b);
	buf_addf(b, "(:%.*s %llu ", STR_ARG(job->kind), (unsigned long long)job->id);
	buf_adds(b, job->request);
	if (job->timeout_ms)
		buf_addf(b, " :timeout-ms %u", job->timeout_ms);
	buf_addc(b, ')');
	conn_send(proc->conn, buf_str(b));
	if (job->timeout_ms)
		job->timer = loop_timer(p->config.loop, job->timeout_ms + GRACE_MS, on_timeout, job);
}

/* A process with room for the job; *ret_starting: one that suits will come up. */
static struct process *room_for(struct jvm_pool *p, const struct jvm_job *job, bool *ret_starting, unsigned *ret_live)
{
	bool reserved = job->alone || job->fresh;
	struct process *best = NULL;
	*ret_starting = false;
	*ret_live = 0;
	for (size_t i = 0; i < p->processes.len; i++) {
		struct process *proc = p->processes.ptr[i];
		if (proc->state == GONE)
			continue;
		++*ret_live;
		if (proc->reserved != reserved)
			continue;
		if (proc->state == STARTING)
			*ret_starting = true;
		unsigned room = reserved ? 1 : p->config.threads;
		bool worn = p->config.recycle && proc->given >= p->config.recycle;
		if (proc->state == READY && proc->running < room && !worn && !(reserved && proc->given) &&
		    (!best || proc->running < best->running))
			best = proc;
	}
	return best;
}

static void give_out(struct jvm_pool *p)
{
	while (p->waiting.len) {
		struct jvm_job *job = p->waiting.ptr[0];
		bool starting;
		unsigned live;
		struct process *proc = room_for(p, job, &starting, &live);
		if (proc) {
			memmove(p->waiting.ptr, p->waiting.ptr + 1, --p->waiting.len * sizeof(*p->waiting.ptr));
			begin(proc, job);
			continue;
		}
		/* One process beyond the number for a job that wants its own: the shared ones may be busy for long. */
		bool reserved = job->alone || job->fresh;
		if (starting || live >= p->config.processes + (reserved ? 1 : 0))
			return;
		struct err err = {0};
		if (!start_process(p, reserved, &err)) {
			struct buf text = {0};
			err_format(&err, &text);
			fail_waiting(p, buf_str(&text));
			buf_release(&text);
		}
		err_clear(&err);
		return;
	}
}

/* -- the pool -- */

struct jvm_pool *jvm_pool_new(const struct jvm_config *config)
{
	struct jvm_pool *p = xcalloc(1, sizeof(*p));
	p->config = *config;
	p->config.processes = MAX(config->processes, 1);
	p->config.threads = MAX(config->threads, 1);
	p->next_id = SESSION_ID + 1;
	return p;
}

void jvm_submit(struct jvm_pool *p, struct jvm_job *job)
{
	job->pool = p;
	job->timer = NULL;
	job->process = NO_PROCESS;
	job->started_ns = 0;
	job->doing = (struct buf){0};
	job->alone = false;
	p->stats.jobs++;
	vec_push(&p->waiting, job);
	give_out(p);
}

static bool is_making(const struct jvm_pool *p)
{
	for (size_t i = 0; i < p->processes.len; i++)
		if (p->processes.ptr[i]->state == READY && p->processes.ptr[i]->making)
			return true;
	return false;
}

static void on_drained(void *ctx)
{
	*(struct timer **)ctx = NULL;
}

void jvm_pool_drain(struct jvm_pool *p)
{
	struct timer *limit = NULL;
	if (!is_making(p))
		return;
	limit = loop_timer(p->config.loop, DRAIN_MS, on_drained, &limit);
	while (limit && is_making(p) && interrupt_check(NULL))
		loop_run_once(p->config.loop, true);
	loop_timer_cancel(limit);
}

void jvm_pool_free(struct jvm_pool *p)
{
	if (!p)
		return;
	p->freeing = true;
	for (size_t i = 0; i < p->running.len; i++) {
		loop_timer_cancel(p->running.ptr[i]->timer);
		buf_release(&p->running.ptr[i]->doing);
	}
	for (size_t i = 0; i < p->processes.len; i++) {
		end_process(p->processes.ptr[i]);
		free(p->processes.ptr[i]);
	}
	vec_release(&p->processes);
	vec_release(&p->waiting);
	vec_release(&p->running);
	buf_release(&p->scratch);
	arena_release(&p->arena);
	free(p);
}

struct jvm_stats jvm_pool_stats(const struct jvm_pool *p)
{
	return p->stats;
}
