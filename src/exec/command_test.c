#include "exec/command.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/tap.h"
#include "os/fs.h"
#include "os/landlock.h"
#include "os/process.h"

static const char *const env[] = {"PATH=/usr/bin:/bin", NULL};

struct end {
	bool ended;
	struct command_result result;
	struct buf output;
};

static void on_end(void *ctx, const struct command_result *r)
{
	struct end *e = ctx;
	e->ended = true;
	e->result = *r;
	buf_adds(&e->output, r->output);
}

static void run(struct command_spec spec, const char *script, struct end *e)
{
	struct loop *l = loop_new();
	struct err err = {0};
	const char *const argv[] = {"/bin/sh", "-c", script, NULL};
	buf_release(&e->output);
	*e = (struct end){0};
	spec.argv = argv;
	spec.envp = env;
	struct command *c = command_start(l, &spec, on_end, e, &err);
	tap_ok(c != NULL, "starts: %s", script);
	while (c && !e->ended)
		loop_run_once(l, true);
	command_free(c);
	loop_free(l);
	err_clear(&err);
}

static void test_end(void)
{
	struct end e = {0};
	struct command_spec spec = {.cwd = "/usr"};
	run(spec, "echo out; echo err >&2; pwd; exit 3", &e);
	tap_ok(WIFEXITED(e.result.status) && WEXITSTATUS(e.result.status) == 3, "exit code");
	tap_eq_str(buf_str(&e.output), STR("out\nerr\n/usr\n"), "output and folder");
	spec.output_max = 10;
	run(spec, "head -c 300000 /dev/zero", &e);
	tap_ok(e.output.len == 10 && e.result.dropped == 299990, "output beyond the limit is counted and dropped");
	run(spec, "sleep 1000 & echo $!", &e);
	tap_ok(e.result.status == 0 && e.result.wall_ns < 20000000000ULL, "what it leaves behind is not waited for");
	spec.timeout_ms = 100;
	run(spec, "while :; do :; done", &e);
	tap_ok(e.result.timed_out, "a loop is ended");
	struct buf text = {0};
	command_failure_text(&e.result, 5000, &text);
	tap_eq_str(buf_str(&text), STR("it took longer than 5 s and was ended"), "and told");
	tap_ok(e.result.cpu_ns > 0, "its time is counted");
	buf_release(&text);
	buf_release(&e.output);
}

static void test_confined(void)
{
	struct arena a = {0};
	struct err err = {0};
	struct end e = {0};
	char *root;
	if (!tap_ok(landlock_abi() > 0, "the kernel has Landlock") ||
	    !tap_ok(fs_mkdtemp(&a, "/tmp", "command-", &root, &err), "a folder"))
		return;
	char *secret = path_join(&a, root, "secret"), *given = path_join(&a, root, "secret/given");
	char *out = path_join(&a, root, "out");
	fs_mkdirs(given, NULL);
	fs_mkdirs(out, NULL);
	fs_write_atomic(path_join(&a, secret, "hidden"), STR("h\n"), 0644, false, NULL);
	fs_write_atomic(path_join(&a, given, "input"), STR("i\n"), 0644, false, NULL);
	const char *writable[] = {out}, *hidden[] = {secret}, *readable[] = {given};
	struct command_spec spec = {.cwd = root, .sandbox = true, .confinement = {writable, hidden, readable, 1, 1, 1}};
	run(spec, "cat secret/given/input; echo x >out/made && cat out/made", &e);
	tap_eq_str(buf_str(&e.output), STR("i\nx\n"), "reads what it was given, writes where it may");
	run(spec, "cat secret/hidden 2>/dev/null || echo no; ls secret >/dev/null 2>&1 || echo no", &e);
	tap_eq_str(buf_str(&e.output), STR("no\nno\n"), "does not read what is hidden");
	run(spec, "(echo x >beside) 2>/dev/null || echo no; (echo x >secret/given/new) 2>/dev/null || echo no", &e);
	tap_eq_str(buf_str(&e.output), STR("no\nno\n"), "does not write elsewhere");
	fs_remove_tree(root, NULL);
	buf_release(&e.output);
	arena_release(&a);
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], PROCESS_SUPERVISOR_ARG) == 0)
		process_supervisor_main(argc, argv);
	if (argc > 1 && strcmp(argv[1], CONFINE_ARG) == 0)
		confine_main(argc, argv);
	test_end();
	test_confined();
	return tap_done();
}
