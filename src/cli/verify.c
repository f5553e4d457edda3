/* build --verify-headers: the same systems among headers and among FASLs, compared byte for byte. */
#include <stdio.h>
#include <stdlib.h>

#include "base/map.h"
#include "cli/commands.h"

struct pass {
	struct session session;
	struct graph graph;
	struct build build;
};

static void pass_release(struct pass *p)
{
	build_release(&p->build);
	session_close(&p->session);
	graph_release(&p->graph);
}

static const struct unit *same_unit(const struct pass *p, const struct map *by_label, struct str label)
{
	uint64_t id;
	return map_get(by_label, label, &id) ? &p->build.units[id] : NULL;
}

/* Compares, and has what differs compiled among FASLs from now on. *ret_differ: how many did. */
static bool compare(struct pass *headers, const struct pass *fasls, size_t *ret_differ, struct err *err)
{
	struct map by_label = {0};
	size_t all = 0, fallen = 0;
	bool ok = true;
	*ret_differ = 0;
	for (size_t i = 0; i < fasls->graph.actions.len; i++)
		map_put(&by_label, fasls->graph.actions.ptr[i].label, i);
	for (size_t i = 0; ok && i < headers->graph.actions.len; i++) {
		const struct action *a = &headers->graph.actions.ptr[i];
		const struct unit *u = &headers->build.units[i];
		const struct unit *other = a->kind == ACTION_COMPILE ? same_unit(fasls, &by_label, a->label) : NULL;
		if (!other)
			continue;
		all++;
		fallen += !a->classic_deps;
		if (unit_same_outputs(u, other))
			continue;
		++*ret_differ;
		printf("%.*s: its FASL differs\n", STR_ARG(a->label));
		if (!a->classic_deps)
			continue;
		header_want_fasls(&headers->build, (action_id)i);
		ok = header_note_classic(&headers->build, (action_id)i, err);
	}
	printf("%zu of %zu FASLs are the same among headers and among FASLs (%zu have no headers in their images)\n",
	       all - *ret_differ, all, fallen);
	if (*ret_differ)
		printf("those that differ are compiled among FASLs from now on\n");
	map_release(&by_label);
	return ok;
}

int cli_verify_headers(struct cli *cli)
{
	struct pass headers = {.session = {.lock_fd = -1}}, fasls = {.session = {.lock_fd = -1}};
	struct err err = {0};
	size_t differ = 0;
	int code;
	bool ok = cli_build(cli, &headers.session, &headers.graph, &headers.build, &code);
	session_unlock(&headers.session);
	if (ok) {
		cli->build.headers = false;
		cli->build.place = str_fmt(&cli->arena, "%s.fasls", cli->build.config).ptr;
		ok = cli_build(cli, &fasls.session, &fasls.graph, &fasls.build, &code);
	}
	if (ok && !compare(&headers, &fasls, &differ, &err))
		code = cli_fail(cli, &err);
	pass_release(&fasls);
	pass_release(&headers);
	return code ? code : differ > 0;
}
