/* deps: what files declare, what they use, and descriptions that say just that. */
#include "cli/deps.h"

#include <stdio.h>
#include <stdlib.h>

static void looked_release(struct looked *x)
{
	deps_release(&x->deps);
	survey_release(&x->survey);
	build_release(&x->build);
	session_close(&x->session);
	graph_release(&x->graph);
	vec_release(&x->systems);
}

/* The targets, and the systems of the same .asd files that they bring along. */
static void choose_systems(struct looked *x)
{
	const struct graph *g = &x->graph;
	struct map asds = {0};
	for (size_t t = 0; t < g->targets.len; t++) {
		system_id id = graph_find_system(g, g->targets.ptr[t].name);
		if (id != NO_ID && graph_system(g, id)->asd.len)
			map_put(&asds, graph_system(g, id)->asd, 0);
	}
	for (size_t i = 0; i < g->systems.len; i++)
		if (map_has(&asds, g->systems.ptr[i].asd))
			vec_push(&x->systems, (uint32_t)i);
	map_release(&asds);
}

/* Everything is built as ASDF would, and then looked at. False: *ret_code is the exit code. */
static bool look(struct cli *cli, struct looked *x, int *ret_code)
{
	struct err err = {0};
	x->session.lock_fd = -1;
	cli->build.lax = true;
	if (!cli_build(cli, &x->session, &x->graph, &x->build, ret_code))
		return false;
	choose_systems(x);
	if (!survey_run(&x->survey, &x->build, x->systems.ptr, x->systems.len, &err)) {
		*ret_code = cli_fail(cli, &err);
		return false;
	}
	deps_judge(&x->deps, &x->graph, &x->survey, x->systems.ptr, x->systems.len);
	deps_read_conditions(&x->deps);
	return true;
}

int command_deps(struct cli *cli)
{
	struct looked x = {0};
	struct buf out = {0}, fixed = {0};
	int code = 0;
	for (size_t i = 0; i < cli->options.args.len; i++)
		vec_push(&cli->targets, cli->options.args.ptr[i]);
	cli->build.targets = cli->targets.ptr;
	cli->build.ntargets = cli->targets.len;
	if (look(cli, &x, &code)) {
		bool json = cli->options.format == FORMAT_JSON;
		if (json)
			deps_report_json(&x.deps, &out);
		else
			deps_report_text(&x.deps, cli->options.fix, &out);
		fwrite(out.ptr, 1, out.len, stdout);
		fflush(stdout);
		code = cli->options.fix ? deps_fix(cli, &x, &fixed) : deps_count(&x.deps).missing > 0;
		fwrite(buf_cstr(&fixed), 1, fixed.len, json ? stderr : stdout);
	}
	buf_release(&out);
	buf_release(&fixed);
	looked_release(&x);
	return code;
}
