/* build --verify-headers: the same systems among headers and among FASLs, compared byte for byte. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "cli/commands.h"
#include "os/fs.h"

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

/* -- outputs that name the folder they were made in -- */

static struct str place_of(const struct pass *p)
{
	const char *out = p->session.out_dir;
	const char *slash = strrchr(out, '/');
	return str_from(slash ? slash + 1 : out);
}

/* Where the word ends that begins at most its own length before `at`, which is in it; 0 if there is none. */
static size_t word_end(struct str text, struct str word, size_t at)
{
	for (size_t back = 0; back < word.len && back <= at; back++) {
		struct str rest = str_drop(text, at - back);
		if (str_has_prefix(rest, word))
			return at - back + word.len;
	}
	return 0;
}

/* True if `a` and `b` differ in nothing but the words `in_a` and `in_b`, which are as long as each other. */
static bool same_but_for(struct str a, struct str b, struct str in_a, struct str in_b)
{
	if (a.len != b.len || in_a.len != in_b.len)
		return false;
	for (size_t i = 0; i < a.len;) {
		if (a.ptr[i] == b.ptr[i]) {
			i++;
			continue;
		}
		size_t end = word_end(a, in_a, i);
		if (!end || end != word_end(b, in_b, i))
			return false;
		i = end;
	}
	return true;
}

static bool file_same_but_for_place(const struct pass *p, const struct pass *q, struct str rel, bool *ret,
                                    struct err *err)
{
	struct arena tmp = {0};
	struct str a = {0}, b = {0};
	bool ok = fs_map(session_out_path(&p->session, &tmp, rel), &a, err) &&
	          fs_map(session_out_path(&q->session, &tmp, rel), &b, err);
	if (ok)
		*ret = same_but_for(a, b, place_of(p), place_of(q));
	fs_unmap(a);
	fs_unmap(b);
	arena_release(&tmp);
	return ok;
}

/* *ret: the outputs of `u` and `v` differ only in the names of the passes' folders. */
static bool same_but_for_place(const struct pass *p, const struct unit *u, const struct pass *q, const struct unit *v,
                               bool *ret, struct err *err)
{
	bool same = u->facts.noutputs == v->facts.noutputs;
	for (size_t i = 0; same && i < u->facts.noutputs; i++) {
		struct str rel = u->facts.outputs[i].path;
		same = str_eq(rel, v->facts.outputs[i].path);
		if (same && !file_same_but_for_place(p, q, rel, &same, err))
			return false;
	}
	*ret = same;
	return true;
}

/* -- the comparison -- */

struct tally {
	size_t all, differ, placed, fallen;
};

static bool was_built(const struct unit *u)
{
	return u->outcome != OUTCOME_FAILED && u->outcome != OUTCOME_SKIPPED;
}

static bool compare_unit(struct pass *headers, action_id id, const struct pass *fasls, const struct unit *other,
                         struct tally *t, struct err *err)
{
	const struct action *a = &headers->graph.actions.ptr[id];
	const struct unit *u = &headers->build.units[id];
	bool placed;
	if (!was_built(u) || !was_built(other))
		return true;
	t->all++;
	t->fallen += !a->classic_deps;
	if (unit_same_outputs(u, other))
		return true;
	if (!same_but_for_place(headers, u, fasls, other, &placed, err))
		return false;
	if (placed) {
		t->placed++;
		printf("%.*s: its FASL holds the name of the folder it is built in, and differs in nothing else\n",
		       STR_ARG(a->label));
		return true;
	}
	t->differ++;
	printf("%.*s: its FASL differs\n", STR_ARG(a->label));
	return !a->classic_deps || header_note_classic(&headers->build, id, err);
}

/* Compares, and has what differs compiled among FASLs from now on. *ret_differ: how many did. */
static bool compare(struct pass *headers, const struct pass *fasls, size_t *ret_differ, struct err *err)
{
	struct map by_label = {0};
	struct tally t = {0};
	bool ok = true;
	for (size_t i = 0; i < fasls->graph.actions.len; i++)
		map_put(&by_label, fasls->graph.actions.ptr[i].label, i);
	for (size_t i = 0; ok && i < headers->graph.actions.len; i++) {
		const struct action *a = &headers->graph.actions.ptr[i];
		const struct unit *other = a->kind == ACTION_COMPILE ? same_unit(fasls, &by_label, a->label) : NULL;
		if (other)
			ok = compare_unit(headers, (action_id)i, fasls, other, &t, err);
	}
	printf("%zu of %zu FASLs are the same among headers and among FASLs (%zu have no headers in their images)\n",
	       t.all - t.differ, t.all, t.fallen);
	if (t.differ)
		printf("those that differ are compiled among FASLs from now on\n");
	map_release(&by_label);
	*ret_differ = t.differ;
	return ok;
}

/* The folder of the second pass. Its name is as long as that of the first's, for outputs that hold it, and none that a
 * configuration can have. */
static const char *other_place(struct arena *a, const char *config)
{
	char *place = str_dupz(a, str_from(config));
	place[strlen(place) - 1] = '~';
	return place;
}

/* True if there is something to compare: with --keep-going, whatever was built. *code: of the first failure. */
static bool run_pass(struct cli *cli, struct pass *p, int *code)
{
	int own = 0;
	bool good = cli_build(cli, &p->session, &p->graph, &p->build, &own);
	if (!*code)
		*code = own;
	return good || (cli->build.keep_going && p->build.units);
}

int cli_verify_headers(struct cli *cli)
{
	struct pass headers = {.session = {.lock_fd = -1}}, fasls = {.session = {.lock_fd = -1}};
	struct err err = {0};
	size_t differ = 0;
	int code = 0;
	bool ok = run_pass(cli, &headers, &code);
	session_unlock(&headers.session);
	if (ok) {
		cli->build.headers = false;
		cli->build.place = other_place(&cli->arena, cli->build.config);
		ok = run_pass(cli, &fasls, &code);
	}
	if (ok && !compare(&headers, &fasls, &differ, &err))
		code = cli_fail(cli, &err);
	pass_release(&fasls);
	pass_release(&headers);
	return code ? code : differ > 0;
}
