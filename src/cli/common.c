/* What several commands share: telling errors, describing, building with progress. */
#include <stdio.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/reporter.h"
#include "os/clock.h"
#include "os/interrupt.h"
#include "os/process.h"

int cli_fail(const struct cli *cli, struct err *err)
{
	/* Who pressed Ctrl-C knows; and what failed on the way out failed for that. */
	if (interrupt_signal()) {
		err_clear(err);
		return 128 + interrupt_signal();
	}
	struct buf out = {0};
	struct render render = {.color = cli->color, .cwd = str_from(cli->directory)};
	if (err->span.path.len) {
		render_error(&render, err, &out);
	} else {
		buf_addz(&out, "tenon: ");
		err_format(err, &out);
	}
	fwrite(out.ptr, 1, out.len, stderr);
	render_release(&render);
	buf_release(&out);
	int code = err_exit_code(err->kind);
	err_clear(err);
	return code;
}

bool cli_describe(struct cli *cli, struct session *s, struct graph *g, struct err *err)
{
	if (!session_init(s, &cli->build, &cli->events.sink, err))
		return false;
	return session_open(s, err) && session_toolchain(s, err) && session_describe(s, g, NULL, err);
}

static struct str request_name(struct cli *cli)
{
	struct buf b = {0};
	for (size_t i = 0; i < cli->targets.len; i++)
		buf_addf(&b, "%s%.*s", i ? " " : "", STR_ARG(cli->targets.ptr[i]));
	if (!b.len)
		buf_adds(&b, path_base(str_from(cli->directory)));
	struct str name = str_dup(&cli->arena, buf_str(&b));
	buf_release(&b);
	return name;
}

void cli_emit_build(struct cli *cli, enum event_kind kind, enum outcome outcome, uint64_t total)
{
	struct event e = {.kind = kind, .id = 1, .at_ns = clock_mono_ns(), .label = request_name(cli)};
	e.outcome = outcome;
	e.total = total;
	e.interrupted = kind == EVENT_BUILD_FINISH && interrupt_signal() != 0;
	if (kind == EVENT_BUILD_FINISH)
		e.memory = process_peak_memory();
	event_emit(&cli->events.sink, &e);
}

uint64_t cli_tell_unchanged(struct cli *cli, struct str text)
{
	struct str line;
	uint64_t total = 0;
	if (str_cut(&text, '\n', &line) && line.len > 2)
		str_to_u64(str_slice(line, 1, str_find(line, ' ')), &total);
	report_replay(&cli->events.sink, text);
	struct event e = {.kind = EVENT_NOTE,
	                  .level = NOTE_DEBUG,
	                  .at_ns = clock_mono_ns(),
	                  .text = STR("nothing has changed since the last build")};
	event_emit(&cli->events.sink, &e);
	return total;
}

static bool build_in_session(struct session *s, struct graph *g, struct build *b, struct err *err)
{
	if (!session_open(s, err))
		return false;
	if (!session_toolchain(s, err) || !build_describe(s, g, err))
		return false;
	build_init(b, s, g);
	return build_run_and_commit(b, err);
}

bool cli_build(struct cli *cli, struct session *s, struct graph *g, struct build *b, int *ret_code)
{
	struct err err = {0};
	struct reporter reporter = {0};
	if (!session_init(s, &cli->build, &cli->events.sink, &err)) {
		*ret_code = cli_fail(cli, &err);
		return false;
	}
	reporter_open(&reporter, cli, s->state_dir);
	reporter_tick(&reporter, &s->options);
	cli_emit_build(cli, EVENT_BUILD_START, OUTCOME_RAN, 0);
	session_tell_change(s);
	bool ok = build_in_session(s, g, b, &err);
	bool good = ok && build_succeeded(b);
	cli_emit_build(cli, EVENT_BUILD_FINISH, good ? OUTCOME_RAN : OUTCOME_FAILED, 0);
	progress_hide(reporter.progress);
	*ret_code = good ? 0 : build_exit_code(b);
	for (size_t i = 0; i < s->findings.failures.len; i++)
		cli_fail(cli, &s->findings.failures.ptr[i]);
	if (!ok)
		*ret_code = cli_fail(cli, &err);
	err_clear(&err);
	reporter_close(&reporter, cli);
	return good;
}

/* The quick way: nothing to do. */
static bool try_unchanged(struct cli *cli)
{
	struct session s;
	struct buf text = {0};
	struct err err = {0};
	size_t files;
	bool same = session_init(&s, &cli->build, NULL, &err) && session_unchanged(&s, &text, &files);
	if (same) {
		struct reporter reporter = {0};
		reporter_open(&reporter, cli, s.state_dir);
		cli_emit_build(cli, EVENT_BUILD_START, OUTCOME_CURRENT, 0);
		uint64_t total = cli_tell_unchanged(cli, buf_str(&text));
		cli_emit_build(cli, EVENT_BUILD_FINISH, OUTCOME_CURRENT, total);
		reporter_close(&reporter, cli);
	}
	err_clear(&err);
	buf_release(&text);
	session_close(&s);
	return same;
}

int command_build(struct cli *cli)
{
	if (cli_means_targets(cli, 0))
		return cli_build_targets(cli);
	for (size_t i = 0; i < cli->options.args.len; i++)
		vec_push(&cli->targets, cli->options.args.ptr[i]);
	cli->build.targets = cli->targets.ptr;
	cli->build.ntargets = cli->targets.len;
	if (cli->options.verify_headers)
		return cli_verify_headers(cli);
	if (try_unchanged(cli))
		return 0;
	struct session s = {.lock_fd = -1};
	struct graph g = {0};
	struct build b = {0};
	int code;
	cli_build(cli, &s, &g, &b, &code);
	build_release(&b);
	session_close(&s);
	graph_release(&g);
	return code;
}
