/* Processes of a pool that are started from cores: the root, and one from a snapshot; and the one that is left behind
 * to save its image. */
#include <stdlib.h>
#include <sys/wait.h>

#include "exec/pool_impl.h"
#include "lang/sexp.h"

/* For a Lisp that loads the driver, from its sources perhaps. */
#define LOAD_TIMEOUT_MS 180000
/* Seconds that the saving of an image may take, behind the build. */
#define SAVE_LIMIT_S    120

typedef Vec(const char *) ArgVec;

/* How a Lisp is started from `core`; NULL: the bare Lisp loads the driver. Only what is used of the heap takes memory.
 */
static void add_command(const struct pool_config *config, const char *core, struct arena *a, ArgVec *argv)
{
	const struct toolchain *tc = config->toolchain;
	const char *const runtime[] = {tc->program,
	                               "--core",
	                               core ? core : tc->core,
	                               "--noinform",
	                               "--disable-ldb",
	                               "--dynamic-space-size",
	                               str_fmt(a, "%lluMB", (unsigned long long)(config->heap >> 20)).ptr};
	const char *const from_core[] = {"--no-sysinit", "--no-userinit", NULL};
	for (size_t i = 0; i < ARRAY_LEN(runtime); i++)
		vec_push(argv, runtime[i]);
	const char *const *rest = core ? from_core : tc->fresh;
	for (size_t i = 0; rest[i]; i++)
		vec_push(argv, rest[i]);
	vec_push(argv, NULL);
}

static bool spawn(struct pool_tree *tree, struct proc *first, const char *core, struct err *err)
{
	struct pool *p = tree->pool;
	const struct toolchain *tc = p->config.toolchain;
	struct arena a = {0};
	Vec(const char *) extra = {0};
	for (size_t i = 0; i < p->config.nextra_env; i++)
		vec_push(&extra, p->config.extra_env[i]);
	vec_push(&extra, str_fmt(&a, "TENON_SOCKET=%s", p->socket_name).ptr);
	vec_push(&extra, str_fmt(&a, "TENON_TOKEN=%s", first->token).ptr);
	ArgVec argv = {0};
	add_command(&p->config, core, &a, &argv);
	struct spawn_spec spec = {.argv = argv.ptr,
	                          .envp = toolchain_environment(tc, &a, extra.ptr, extra.len),
	                          .cwd = "/",
	                          .stdin_fd = -1,
	                          .stdout_fd = -1,
	                          .stderr_fd = getenv("TENON_DEBUG") ? 2 : p->said_fd};
	tree->alive = process_spawn_supervised(&spec, &tree->supervised, err);
	bool ok = tree->alive;
	vec_release(&argv);
	vec_release(&extra);
	arena_release(&a);
	if (!ok) {
		proc_drop(first);
		return false;
	}
	tree->reports = loop_watch_fd(p->config.loop, tree->supervised.report_fd, pool_on_reports, tree);
	return true;
}

/* What the Lisp prints that did not come up from the base core: it is started once more, for itself. With nobody to
 * talk to, one that comes up ends as well, with the code of the driver's own errors. */
static void note_why(const struct pool_config *config, struct err *err)
{
	const struct toolchain *tc = config->toolchain;
	struct arena a = {0};
	struct buf out = {0};
	ArgVec argv = {0};
	int status = 0;
	add_command(config, tc->base_core, &a, &argv);
	struct spawn_spec spec = {.argv = argv.ptr,
	                          .envp = toolchain_environment(tc, &a, NULL, 0),
	                          .cwd = "/",
	                          .stdin_fd = -1,
	                          .stdout_fd = -1,
	                          .stderr_fd = -1};
	if (process_run(&spec, HELLO_TIMEOUT_MS, &out, &status, NULL) && out.len &&
	    !(WIFEXITED(status) && WEXITSTATUS(status) == err_exit_code(ERR_BUG)))
		err_note(err, "it printed: %.*s", STR_ARG(str_trim(str_slice(buf_str(&out), 0, MIN(out.len, 400)))));
	buf_release(&out);
	vec_release(&argv);
	arena_release(&a);
}

static struct proc *start(struct pool_tree *tree, node_id node, const char *core, struct err *err)
{
	CHECK(!tree->alive);
	struct proc *first = proc_new(tree->pool, NO_PROC, node, PROC_PARKED, NULL);
	first->tree = tree;
	tree->first = first->id;
	if (!spawn(tree, first, core, err))
		return NULL;
	proc_set_timer(first, core ? HELLO_TIMEOUT_MS : LOAD_TIMEOUT_MS, proc_on_hello_timeout);
	return first;
}

bool pool_start_root(struct pool *p, struct err *err)
{
	pool_end_tree(&p->base);
	struct proc *root = start(&p->base, 0, p->config.toolchain->base_core, err);
	if (!root)
		return false;
	while (root->state == PROC_STARTING)
		loop_run_once(p->config.loop, true);
	if (root->state == PROC_PARKED) {
		proc_set_timer(root, 0, NULL);
		return true;
	}
	const struct toolchain *tc = p->config.toolchain;
	if (!tc->base_core)
		return err_set(err, ERR_ENVIRONMENT, "\"%s\" does not load the driver", tc->program);
	err_set(err, ERR_ENVIRONMENT, "the base core \"%s\" does not start", tc->base_core);
	note_why(&p->config, err);
	return false;
}

bool pool_has_root(const struct pool *p)
{
	return p->proc_at[0] != NO_PROC;
}

bool pool_start_snapshot(struct pool *p, node_id node, const char *core, struct err *err)
{
	CHECK(node != 0);
	if (p->snapshot.alive)
		return err_set(err, ERR_TRANSIENT, "an image that was made from a snapshot is still to be saved");
	return start(&p->snapshot, node, core, err) != NULL;
}

bool pool_snapshot_failed(const struct pool *p)
{
	const struct proc *first = p->snapshot.alive ? pool_proc(p, p->snapshot.first) : NULL;
	return first && first->state == PROC_GONE && !first->parked_ns;
}

/* -- what is left to save its image -- */

static struct proc *parked_at(const struct pool *p, node_id node)
{
	struct proc *proc = node < p->nnodes ? pool_proc(p, p->proc_at[node]) : NULL;
	return proc && proc->state == PROC_PARKED && proc->conn ? proc : NULL;
}

uint64_t pool_image_ns(const struct pool *p, node_id node)
{
	const struct proc *proc = parked_at(p, node);
	return proc ? proc->image_ns : 0;
}

static void keep(struct pool *p, struct proc *proc, const char *request, const char *core, const char *const *then)
{
	struct buf order = {0};
	size_t n = 0;
	buf_addf(&order, "(:%s ", request);
	sexp_print_string(str_from(core), &order);
	buf_addc(&order, ')');
	while (then[n])
		n++;
	struct kept *k = &p->kept[p->nkept++];
	*k = (struct kept){.proc = proc->id, .order = str_dupz(&p->arena, buf_str(&order))};
	k->then = arena_new_n(&p->arena, const char *, n + 1);
	for (size_t i = 0; i < n; i++)
		k->then[i] = str_dupz(&p->arena, str_from(then[i]));
	buf_release(&order);
	/* To the pool it is gone; its connection stays open. */
	struct conn *conn = proc->conn;
	proc->conn = NULL;
	proc_drop(proc);
	proc->conn = conn;
}

bool pool_keep(struct pool *p, node_id node, const char *core, const char *const *then)
{
	struct proc *proc = parked_at(p, node);
	if (!proc || node == 0 || p->nkept == ARRAY_LEN(p->kept))
		return false;
	keep(p, proc, "snapshot", core, then);
	return true;
}

bool pool_keep_root(struct pool *p, const char *core, const char *const *then)
{
	struct proc *proc = parked_at(p, 0);
	if (!proc || p->nkept == ARRAY_LEN(p->kept))
		return false;
	keep(p, proc, "base-core", core, then);
	return true;
}

static bool is_kept(const struct pool_tree *tree, const struct kept *k)
{
	const struct proc *proc = pool_proc(tree->pool, k->proc);
	return proc->tree == tree && proc->conn;
}

bool pool_keeps(const struct pool_tree *tree)
{
	const struct pool *p = tree->pool;
	for (size_t i = 0; i < p->nkept; i++)
		if (is_kept(tree, &p->kept[i]))
			return true;
	return false;
}

static void leave(struct pool_tree *tree)
{
	struct pool *p = tree->pool;
	struct left_behind left[PROCESS_LEFT_MAX];
	size_t n = 0;
	for (size_t i = 0; i < p->nkept; i++) {
		struct proc *proc = pool_proc(p, p->kept[i].proc);
		if (!is_kept(tree, &p->kept[i]))
			continue;
		conn_send(proc->conn, str_from(p->kept[i].order));
		left[n++] = (struct left_behind){.pid = proc->pid, .then = p->kept[i].then};
	}
	process_leave_supervised(&tree->supervised, left, n, SAVE_LIMIT_S);
	for (size_t i = 0; i < p->nkept; i++) {
		struct proc *proc = pool_proc(p, p->kept[i].proc);
		if (!is_kept(tree, &p->kept[i]))
			continue;
		conn_close(proc->conn);
		proc->conn = NULL;
	}
}

void pool_end_tree(struct pool_tree *tree)
{
	if (!tree->alive)
		return;
	loop_unwatch(tree->reports);
	tree->reports = NULL;
	if (pool_keeps(tree))
		leave(tree);
	else
		process_kill_supervised(&tree->supervised);
	tree->alive = false;
}
