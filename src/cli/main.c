/* tenon: a build system for Lisps. */
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "build/snapshots.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/render.h"
#include "cli/version.h"
#include "exec/tool.h"
#include "os/confine.h"
#include "os/fs.h"
#include "os/interrupt.h"
#include "os/process.h"

static uint64_t default_image_memory(void)
{
	long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
	uint64_t quarter = pages > 0 && size > 0 ? (uint64_t)pages * (uint64_t)size / 4 : (uint64_t)1 << 30;
	return MIN(quarter, (uint64_t)4 << 30);
}

static void fill_build_options(struct cli *cli)
{
	const struct options *o = &cli->options;
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	cli->build = (struct build_options){
	        .directory = cli->directory,
	        .targets = cli->targets.ptr,
	        .ntargets = cli->targets.len,
	        .jobs = o->jobs ? o->jobs : (unsigned)MAX(cores, 1L),
	        .keep_going = o->keep_going,
	        .lax = o->lax,
	        .headers = o->headers,
	        .snapshots = o->snapshots,
	        .install_fasls = o->install_fasls,
	        .sandbox = o->sandbox,
	        .config = o->config,
	        .warnings = o->warnings,
	        .timeout_s = o->timeout_s,
	        .image_memory = o->image_memory ? o->image_memory : default_image_memory(),
	        .heap = o->heap,
	        .lisp = o->lisp,
	        .store_dir = o->store_dir,
	        .registry = o->registry,
	        .env = o->env.ptr,
	        .nenv = o->env.len,
	};
}

/* ":one:two" and "one,two" are two names. */
static void split_names(struct str text, StrVec *ret)
{
	struct str part, name;
	while (str_cut(&text, ',', &part))
		while (str_cut(&part, ':', &name))
			if (name.len)
				vec_push(ret, name);
}

static bool prepare(struct cli *cli, struct err *err)
{
	struct file_sig sig;
	const char *dir = cli->options.directory ? cli->options.directory : ".";
	cli->directory = path_absolute(&cli->arena, dir);
	if (!fs_stat(cli->directory, &sig, err))
		return false;
	if (!fs_is_dir(&sig))
		return err_set(err, ERR_USER, "directory \"%s\" does not exist", dir);
	for (size_t i = 0; i < cli->options.chosen.len; i++)
		split_names(cli->options.chosen.ptr[i], &cli->chosen);
	event_fan_init(&cli->events);
	cli->color = color_wanted(cli->options.color, isatty(2), getenv("NO_COLOR"), getenv("TERM"));
	fill_build_options(cli);
	return true;
}

static int print(const struct buf *text)
{
	fwrite(text->ptr, 1, text->len, stdout);
	return fflush(stdout) == 0 ? 0 : err_exit_code(ERR_ENVIRONMENT);
}

static int command_help(struct cli *cli)
{
	struct buf text = {0};
	struct err err = {0};
	enum command about = COMMAND_COUNT;
	if (cli->options.man) {
		options_man(&text);
	} else {
		if (cli->options.args.len)
			about = command_find(cli->options.args.ptr[0]);
		if (cli->options.args.len && about == COMMAND_COUNT) {
			err_set(&err, ERR_USER, "there is no command \"%.*s\"", STR_ARG(cli->options.args.ptr[0]));
			err_note(&err, "`tenon help` lists the commands");
			return cli_fail(cli, &err);
		}
		options_help(about, &text);
	}
	int code = print(&text);
	buf_release(&text);
	return code;
}

static int command_completions(struct cli *cli)
{
	struct buf text = {0};
	struct err err = {0};
	if (!cli->options.args.len) {
		err_set(&err, ERR_USER, "which shell?");
		err_note(&err, "`tenon completions bash`, zsh or fish");
		return cli_fail(cli, &err);
	}
	if (!options_completions(cli->options.args.ptr[0], &text, &err))
		return cli_fail(cli, &err);
	int code = print(&text);
	buf_release(&text);
	return code;
}

static int command_version(struct cli *cli)
{
	(void)cli;
	printf("tenon %s\n", TENON_VERSION);
	return 0;
}

static int dispatch(struct cli *cli)
{
	static int (*const commands[COMMAND_COUNT])(struct cli *) = {
	        [COMMAND_HELP] = command_help,
	        [COMMAND_BUILD] = command_build,
	        [COMMAND_TEST] = command_test,
	        [COMMAND_RUN] = command_run,
	        [COMMAND_TARGETS] = command_targets,
	        [COMMAND_EVAL] = command_eval,
	        [COMMAND_REPL] = command_repl,
	        [COMMAND_LOAD_LIST] = command_load_list,
	        [COMMAND_PLAN] = command_plan,
	        [COMMAND_QUERY] = command_query,
	        [COMMAND_EXPLAIN] = command_explain,
	        [COMMAND_DOCTOR] = command_doctor,
	        [COMMAND_CLEAN] = command_clean,
	        [COMMAND_CACHE] = command_cache,
	        [COMMAND_COMPLETIONS] = command_completions,
	        [COMMAND_VERSION] = command_version,
	        [COMMAND_IMPORT] = command_import,
	        [COMMAND_DEPS] = command_deps,
	};
	return commands[cli->options.command](cli);
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], PROCESS_SUPERVISOR_ARG) == 0)
		process_supervisor_main(argc, argv);
	if (argc > 1 && strcmp(argv[1], SNAPSHOT_ARG) == 0)
		return snapshot_main(argc, argv);
	if (argc > 1 && strcmp(argv[1], BASE_CORE_ARG) == 0)
		return base_core_main(argc, argv);
	if (argc > 1 && strcmp(argv[1], CONFINE_ARG) == 0)
		confine_main(argc, argv);
	if (argc > 1 && strcmp(argv[1], TOOL_ARG) == 0)
		return tool_main(argc, argv);
	/* What is freed goes back to the system: a plan of thousands of files is read and thrown away. */
	mallopt(M_MMAP_THRESHOLD, 256 * 1024);
	struct cli cli = {0};
	struct err err = {0};
	if (!options_parse(&cli.options, argc, argv, &err))
		return cli_fail(&cli, &err);
	interrupt_install();
	signal(SIGPIPE, SIG_IGN);
	int code = prepare(&cli, &err) ? dispatch(&cli) : cli_fail(&cli, &err);
	vec_release(&cli.targets);
	vec_release(&cli.chosen);
	options_release(&cli.options);
	arena_release(&cli.arena);
	return code;
}
