#include "cli/reporter.h"

#include <unistd.h>

#include "cli/version.h"
#include "os/clock.h"
#include "os/fs.h"

void reporter_open(struct reporter *r, struct cli *cli, const char *state_dir)
{
	const struct options *o = &cli->options;
	r->render = (struct render){.color = cli->color, .cwd = str_from(cli->directory)};
	struct progress_config config = {.fd = 2,
	                                 .tty = progress_is_terminal(2),
	                                 .color = cli->color,
	                                 .verbosity = o->quiet     ? VERBOSITY_QUIET
	                                              : o->verbose ? VERBOSITY_VERBOSE
	                                                           : VERBOSITY_NORMAL,
	                                 .render = &r->render};
	r->progress = progress_new(&config);
	event_fan_add(&cli->events, progress_sink(r->progress));
	char *folder = path_join(&cli->arena, state_dir, "log");
	struct log_config log = {.folder = folder,
	                         .file = o->log_file,
	                         .real_ns = clock_real_ns(),
	                         .mono_ns = clock_mono_ns(),
	                         .pid = (int)getpid(),
	                         .version = STR(TENON_VERSION)};
	struct err err = {0};
	r->log = log_open(&log, &err);
	if (r->log)
		event_fan_add(&cli->events, log_sink(r->log));
	else
		cli_fail(cli, &err);
}

static void tick(void *ctx)
{
	progress_tick(ctx);
}

void reporter_tick(struct reporter *r, struct build_options *ret)
{
	if (!progress_is_terminal(2))
		return;
	ret->tick = tick;
	ret->tick_ctx = r->progress;
}

void reporter_close(struct reporter *r, struct cli *cli)
{
	struct err err = {0};
	progress_free(r->progress);
	if (r->log && !log_close(r->log, &err))
		cli_fail(cli, &err);
	render_release(&r->render);
	event_fan_init(&cli->events);
}
