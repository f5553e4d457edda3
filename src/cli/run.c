/* eval, repl, load-list: a system that is built, in use. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "build/lisp_session.h"
#include "cli/commands.h"
#include "os/fs.h"

struct built {
	struct session session;
	struct graph graph;
	struct build build;
};

static void built_release(struct built *x)
{
	build_release(&x->build);
	session_close(&x->session);
	graph_release(&x->graph);
}

int command_load_list(struct cli *cli)
{
	struct built x = {.session = {.lock_fd = -1}};
	struct err err = {0};
	int code;
	for (size_t i = 0; i < cli->options.args.len; i++)
		vec_push(&cli->targets, cli->options.args.ptr[i]);
	if (!cli->targets.len) {
		err_set(&err, ERR_USER, "which system's load list?");
		err_note(&err, "`tenon load-list SYSTEM`");
		return cli_fail(cli, &err);
	}
	cli->build.targets = cli->targets.ptr;
	cli->build.ntargets = cli->targets.len;
	if (cli_build(cli, &x.session, &x.graph, &x.build, &code)) {
		U32Vec steps = {0};
		lisp_session_steps(&x.graph, &steps);
		for (size_t i = 0; i < steps.len; i++) {
			const struct action *a = graph_action(&x.graph, steps.ptr[i]);
			for (uint32_t k = 0; k < a->ninputs && a->kind == ACTION_LOAD; k++)
				if (a->inputs[k].producer != NO_ID)
					puts(session_out_path(&x.session, &cli->arena, a->inputs[k].path));
		}
		vec_release(&steps);
	}
	built_release(&x);
	return code;
}

/* Replaces this process by the Lisp: the user's environment, terminal and signals are its own. */
static int become_lisp(struct cli *cli, struct built *x, struct str form, bool user_init)
{
	struct session *s = &x->session;
	struct err err = {0};
	if (!toolchain_base_core(&s->toolchain, s->store, false, NULL, &err))
		return cli_fail(cli, &err);
	struct buf text = {0};
	lisp_session_text(&x->session, &x->graph, form, user_init, &text);
	char *file = str_dupz(&cli->arena, str_fmt(&cli->arena, "%s/session-%d", s->config_dir, (int)getpid()));
	bool ok = fs_write_atomic(file, buf_str(&text), 0600, false, &err);
	buf_release(&text);
	if (!ok)
		return cli_fail(cli, &err);
	setenv("TENON_REGISTRY", str_dupz(&cli->arena, s->registry.form), 1);
	setenv("TENON_SESSION", file, 1);
	setenv("SBCL_HOME", s->toolchain.home, 1);
	char *program = str_dupz(&cli->arena, str_from(s->toolchain.program));
	char *core = str_dupz(&cli->arena, str_from(s->toolchain.base_core));
	built_release(x);
	char *argv[] = {program, "--core", core, "--noinform", "--no-sysinit", "--no-userinit", NULL};
	execv(program, argv);
	err_sys(&err, ERR_ENVIRONMENT, "\"%s\" cannot be started", program);
	return cli_fail(cli, &err);
}

static int run_session(struct cli *cli, struct str form, bool user_init)
{
	struct built x = {.session = {.lock_fd = -1}};
	int code;
	cli->build.targets = cli->targets.ptr;
	cli->build.ntargets = cli->targets.len;
	if (cli_build(cli, &x.session, &x.graph, &x.build, &code))
		return become_lisp(cli, &x, form, user_init);
	built_release(&x);
	return code;
}

int command_eval(struct cli *cli)
{
	struct err err = {0};
	if (cli->options.args.len != 1) {
		err_set(&err, ERR_USER, "eval takes one form");
		err_note(&err, "`tenon eval --module SYSTEM '(form)'`");
		return cli_fail(cli, &err);
	}
	for (size_t i = 0; i < cli->options.modules.len; i++)
		vec_push(&cli->targets, cli->options.modules.ptr[i]);
	cli->options.quiet = !cli->options.verbose;
	return run_session(cli, cli->options.args.ptr[0], false);
}

int command_repl(struct cli *cli)
{
	if (cli_means_targets(cli, 0))
		return cli_repl_targets(cli);
	for (size_t i = 0; i < cli->options.args.len; i++)
		vec_push(&cli->targets, cli->options.args.ptr[i]);
	return run_session(cli, (struct str){0}, true);
}
