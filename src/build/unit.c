/* Keys of units, and their way to and from the store. */
#include <stdlib.h>

#include "build/build.h"
#include "os/clock.h"
#include "os/fs.h"

static bool missing_source(struct build *b, const struct action *a, struct str path, struct err *err)
{
	(void)b;
	err_set(err, ERR_USER, "file \"%.*s\" does not exist, but \"%.*s\" names it", STR_ARG(path), STR_ARG(a->label));
	if (a->system != NO_ID)
		err_note(err, "create it, or remove it from \"%.*s\"", STR_ARG(graph_system(b->graph, a->system)->asd));
	return false;
}

static const struct result_output *find_output(const struct unit *u, struct str rel)
{
	for (size_t i = 0; i < u->facts.noutputs; i++)
		if (str_eq(u->facts.outputs[i].path, rel))
			return &u->facts.outputs[i];
	return NULL;
}

bool unit_inputs(struct build *b, action_id id, struct err *err)
{
	struct action *a = graph_action(b->graph, id);
	struct unit *u = &b->units[id];
	if (!u->facts.inputs)
		u->facts.inputs = arena_new_n(&b->arena, struct digest, a->ninputs);
	for (uint32_t i = 0; i < a->ninputs; i++) {
		const struct input *in = &a->inputs[i];
		if (in->producer != NO_ID) {
			const struct result_output *out = find_output(&b->units[in->producer], in->path);
			u->facts.inputs[i] = out ? out->digest : (struct digest){{0}};
			continue;
		}
		bool exists;
		if (!session_digest(b->session, in->path, &u->facts.inputs[i], &exists, err))
			return false;
		if (!exists && action_kind_is_task(a->kind))
			return missing_source(b, a, in->path, err);
		const struct file_sig *sig = session_seen(b->session, in->path);
		if (a->kind == ACTION_COMPILE && sig && fs_is_dir(sig))
			return err_set(err, ERR_USER, "\"%.*s\" is a folder, but \"%.*s\" is to be a file",
			               STR_ARG(in->path), STR_ARG(a->label));
	}
	return true;
}

void unit_contribute(struct build *b, action_id id)
{
	const struct action *a = graph_action(b->graph, id);
	struct unit *u = &b->units[id];
	struct digest *deps = xmalloc((a->ndeps + 1) * sizeof(*deps));
	for (uint32_t d = 0; d < a->ndeps; d++)
		deps[d] = b->units[a->deps[d]].contribution;
	u->contribution = lisp_contribution(a, &u->facts, deps);
	u->known = u->ended = true;
	free(deps);
}

bool unit_same_outputs(const struct unit *a, const struct unit *b)
{
	if (a->facts.noutputs != b->facts.noutputs)
		return false;
	for (size_t i = 0; i < a->facts.noutputs; i++)
		if (!digest_eq(&a->facts.outputs[i].digest, &b->facts.outputs[i].digest))
			return false;
	return true;
}

void unit_try_again(struct build *b, action_id id)
{
	struct unit *u = &b->units[id];
	u->ended = u->known = u->prepared = u->reported = u->wants_lax = u->wants_fasls = u->replayed = false;
	u->outcome = OUTCOME_SKIPPED;
	u->attempts = 0;
	u->event_id = 0;
}

/* Everything below `id` has ended well; what is not known yet are steps and nodes that only carry dependencies. */
bool unit_dependencies(struct build *b, action_id id, struct err *err)
{
	U32Vec stack = {0};
	bool ok = true;
	vec_push(&stack, id);
	while (ok && stack.len) {
		action_id at = vec_last(&stack);
		const struct action *a = graph_action(b->graph, at);
		size_t before = stack.len;
		for (uint32_t d = 0; d < a->ndeps; d++)
			if (!b->units[a->deps[d]].known)
				vec_push(&stack, a->deps[d]);
		if (stack.len > before)
			continue;
		stack.len--;
		if (at == id || b->units[at].known)
			continue;
		if (action_kind_runs(a->kind))
			BUG("\"%.*s\" is used before it ended", STR_ARG(a->label));
		ok = unit_inputs(b, at, err);
		if (ok)
			unit_contribute(b, at);
	}
	vec_release(&stack);
	return ok;
}

static struct str source_dir(const struct build *b, const struct action *a)
{
	return a->system == NO_ID ? str_n(NULL, 0) : graph_system(b->graph, a->system)->dir;
}

/* -- names of outputs: below the out folder they hold the folder of their source, which is another one elsewhere -- */

#define BELOW_SOURCE "./"

/* The name in the store: below the system's own folder, or as it is. */
static struct str portable_output(struct build *b, const struct action *a, struct str rel)
{
	struct str dir = source_dir(b, a), root = dir.len ? str_drop(dir, 1) : dir;
	if (!root.len || !str_has_prefix(rel, root))
		return rel;
	return str_fmt(&b->arena, BELOW_SOURCE "%.*s", STR_ARG(str_drop(rel, root.len)));
}

static struct str local_output(struct build *b, const struct action *a, struct str name)
{
	if (!str_has_prefix(name, STR(BELOW_SOURCE)))
		return name;
	struct str root = str_drop(source_dir(b, a), 1), rest = str_drop(name, sizeof(BELOW_SOURCE) - 1);
	return str_fmt(&b->arena, "%.*s%.*s", STR_ARG(root), STR_ARG(rest));
}

static struct digest output_names(struct build *b, const struct action *a)
{
	struct hasher *h = hasher_new(STR("tenon-outputs-1"));
	for (uint32_t i = 0; i < a->noutputs; i++)
		hasher_str(h, "output", portable_output(b, a, a->outputs[i]));
	return hasher_end(h);
}

static struct digest task_key(struct build *b, action_id id)
{
	const struct action *a = graph_action(b->graph, id);
	struct digest *deps = xmalloc((a->ndeps + 1) * sizeof(*deps));
	for (uint32_t d = 0; d < a->ndeps; d++)
		deps[d] = b->units[a->deps[d]].contribution;
	struct digest names = output_names(b, a);
	struct digest key = lisp_key(&b->session->rules, a, &b->units[id].facts, deps, &names);
	free(deps);
	return key;
}

struct str list_text(struct build *b, const struct sexp *list)
{
	struct buf text = {0};
	if (list && list->kind == SEXP_LIST && list->len)
		sexp_print(list, &text);
	struct str s = str_dup(&b->arena, buf_str(&text));
	buf_release(&text);
	return s;
}

/* -- results that rest on more than their key -- */

/* The key below the key: for a result that holds the folder of its source or of the outputs, that read files which
 * nobody declared, or that used bodies of functions and macros. `before`: see rows_hash(). */
static struct digest second_key(struct build *b, action_id id, const struct sexp *indirect, const struct sexp *before)
{
	const struct action *a = graph_action(b->graph, id);
	struct hasher *h = hasher_new(STR("tenon-action-2"));
	hasher_digest(h, "key", &b->units[id].key);
	if (sexp_getf(indirect, 1, "embeds-path"))
		hasher_str(h, "folder", source_dir(b, a));
	if (sexp_getf(indirect, 1, "embeds-out"))
		hasher_str(h, "out", str_from(b->session->out_dir));
	rows_hash(b, id, ROWS_ALL, sexp_getf(indirect, 1, "uses"), before, h);
	reads_hash(b, sexp_getf(indirect, 1, "reads"), h);
	return hasher_end(h);
}

static bool is_true(const struct sexp *e)
{
	return e && !sexp_is_nil(e);
}

/* Text of the (:indirect ...) form that a result needs; empty if its key says it all. The items of `facts` from `at` on
 * tell what the result holds. */
static void indirect_text(const struct unit *u, const struct sexp *facts, uint32_t at, struct buf *out)
{
	bool told = facts && facts->kind == SEXP_LIST;
	bool embeds_path = told && is_true(sexp_getf(facts, at, "embeds-path"));
	bool embeds_out = told && is_true(sexp_getf(facts, at, "embeds-out"));
	if (!embeds_path && !embeds_out && !u->reads.len && !u->uses.len)
		return;
	buf_addz(out, "(:indirect");
	if (u->uses.len)
		buf_addf(out, " :uses %.*s", STR_ARG(u->uses));
	if (embeds_path)
		buf_addz(out, " :embeds-path t");
	if (embeds_out)
		buf_addz(out, " :embeds-out t");
	if (u->reads.len)
		buf_addf(out, " :reads %.*s", STR_ARG(u->reads));
	buf_addc(out, ')');
}

static bool get_result(struct build *b, action_id id, struct action_result *r, bool *ret_found, struct err *err)
{
	struct session *s = b->session;
	struct unit *u = &b->units[id];
	if (!store_get_action(s->store, &b->arena, &u->key, true, r, ret_found, err) || !*ret_found)
		return !err || err->kind == ERR_NONE;
	if (str_has_prefix(r->facts, STR("(:needs-fasls"))) {
		u->wants_fasls = true;
		*ret_found = false;
		return true;
	}
	struct sexp *indirect;
	if (!str_has_prefix(r->facts, STR("(:indirect")) || !sexp_read_one(&b->arena, r->facts, &indirect))
		return true;
	u->uses = list_text(b, sexp_getf(indirect, 1, "uses"));
	u->reads = list_text(b, sexp_getf(indirect, 1, "reads"));
	struct digest second = second_key(b, id, indirect, NULL);
	*ret_found = false;
	return store_get_action(s->store, &b->arena, &second, true, r, ret_found, err);
}

/* The form that lies under the unit's key, if it points to its result. */
static bool get_indirect(struct build *b, action_id id, struct sexp **ret, bool *ret_found, struct err *err)
{
	struct action_result r;
	if (!store_get_action(b->session->store, &b->arena, &b->units[id].key, true, &r, ret_found, err)) {
		*ret_found = false;
		return !err || err->kind == ERR_NONE;
	}
	*ret_found = *ret_found && str_has_prefix(r.facts, STR("(:indirect")) && sexp_read_one(&b->arena, r.facts, ret);
	return true;
}

/* The result that the unit had with other bodies, and what points to it. */
static bool get_before(struct build *b, action_id id, const struct sexp *rows, struct sexp **ret_indirect,
                       struct action_result *r, bool *ret_found, struct err *err)
{
	if (!get_indirect(b, id, ret_indirect, ret_found, err) || !*ret_found)
		return !err || err->kind == ERR_NONE;
	struct digest second = second_key(b, id, *ret_indirect, rows);
	*ret_found = false;
	return store_get_action(b->session->store, &b->arena, &second, true, r, ret_found, err) || !err ||
	       err->kind == ERR_NONE;
}

bool unit_result_before(struct build *b, action_id id, const struct sexp *rows, bool *ret_found, struct err *err)
{
	struct action_result r;
	struct sexp *indirect;
	return get_before(b, id, rows, &indirect, &r, ret_found, err);
}

/* -- files -- */

static void localize_outputs(struct build *b, action_id id)
{
	const struct action_facts *facts = &b->units[id].facts;
	for (size_t i = 0; i < facts->noutputs; i++)
		facts->outputs[i].path = local_output(b, graph_action(b->graph, id), facts->outputs[i].path);
}

static bool place_outputs(struct build *b, const struct unit *u, bool *ret_changed, struct err *err)
{
	return session_place_outputs(b->session, &b->arena, u->facts.outputs, u->facts.noutputs, ret_changed, err);
}

bool unit_find(struct build *b, action_id id, bool *ret_found, struct err *err)
{
	struct unit *u = &b->units[id];
	*ret_found = false;
	if (!unit_inputs(b, id, err))
		return false;
	u->key = task_key(b, id);
	struct action_result r;
	if (!get_result(b, id, &r, ret_found, err))
		return false;
	if (!*ret_found)
		return true;
	u->facts.outputs = r.outputs;
	u->facts.noutputs = r.noutputs;
	localize_outputs(b, id);
	u->diagnostics = r.diagnostics;
	struct arena tmp = {0};
	struct sexp *facts;
	u->facts_text = r.facts;
	if (sexp_read_one(&tmp, r.facts, &facts))
		u->undefined = list_text(b, sexp_getf(facts, 0, "undefined"));
	arena_release(&tmp);
	u->wall_ns = r.wall_ns;
	return true;
}

bool unit_place(struct build *b, action_id id, bool *ret_hit, struct err *err)
{
	struct unit *u = &b->units[id];
	*ret_hit = false;
	bool changed = false;
	struct err why = {0};
	if (!place_outputs(b, u, &changed, &why)) {
		if (why.kind != ERR_TRANSIENT) {
			err_move(err, &why);
			return false;
		}
		err_clear(&why); /* a damaged entry counts as absent */
		return true;
	}
	u->outcome = changed ? OUTCOME_CACHED : OUTCOME_CURRENT;
	unit_contribute(b, id);
	*ret_hit = true;
	return true;
}

bool unit_lookup(struct build *b, action_id id, bool *ret_hit, struct err *err)
{
	bool found;
	*ret_hit = false;
	return unit_find(b, id, &found, err) && (!found || unit_place(b, id, ret_hit, err));
}

/* True if an input is not what the key was made of. */
static bool inputs_changed(struct build *b, action_id id, bool *ret, struct err *err)
{
	const struct action *a = graph_action(b->graph, id);
	*ret = false;
	for (uint32_t i = 0; i < a->ninputs; i++) {
		struct digest now;
		bool exists;
		if (a->inputs[i].producer != NO_ID)
			continue;
		if (!session_digest(b->session, a->inputs[i].path, &now, &exists, err))
			return false;
		*ret |= !digest_eq(&now, &b->units[id].facts.inputs[i]);
	}
	return true;
}

static int by_path(const void *a, const void *b)
{
	return str_cmp(((const struct result_output *)a)->path, ((const struct result_output *)b)->path);
}

/* Takes the files that the driver names into the store. Their paths are those in the store, in that order: an action
 * leaves the same in images wherever it ran. */
static bool take_outputs(struct build *b, action_id id, const struct sexp *outputs, struct err *err)
{
	struct unit *u = &b->units[id];
	uint32_t n = outputs && outputs->kind == SEXP_LIST ? outputs->len : 0;
	u->facts.outputs = arena_new_n(&b->arena, struct result_output, n);
	u->facts.noutputs = n;
	for (uint32_t i = 0; i < n; i++) {
		const struct sexp *pair = outputs->items[i];
		if (pair->kind != SEXP_LIST || !pair->len)
			return err_set(err, ERR_BUG, "the driver names an output that is no pair");
		struct result_output *o = &u->facts.outputs[i];
		struct str rel = str_dup(&b->arena, sexp_text(pair->items[0]));
		char *path = path_join(&b->arena, u->scratch, rel.ptr);
		o->path = portable_output(b, graph_action(b->graph, id), rel);
		struct file_sig sig;
		if (!fs_stat(path, &sig, err))
			return false;
		o->mode = (sig.mode & 0111) ? 0555 : 0444;
		if (!store_put_file(b->session->store, path, true, &o->digest, &o->size, err))
			return false;
	}
	if (n)
		qsort(u->facts.outputs, n, sizeof(*u->facts.outputs), by_path);
	return true;
}

static void add_names(struct buf *out, const struct sexp *acted, const char *key)
{
	const struct sexp *names = sexp_getf(acted, 1, key);
	if (!sexp_list_len(names))
		return;
	buf_addf(out, " :%s ", key);
	sexp_print(names, out);
}

/* What later builds are to know of the result besides its files, as they find it in `facts_text`. */
static struct str facts_text(struct build *b, const struct unit *u, const struct sexp *acted)
{
	struct buf text = {0};
	buf_addf(&text, "(:undefined %.*s", STR_ARG(u->undefined.len ? u->undefined : STR("nil")));
	add_names(&text, acted, "functions");
	add_names(&text, acted, "others");
	buf_addc(&text, ')');
	struct str dup = str_dup(&b->arena, buf_str(&text));
	buf_release(&text);
	return dup;
}

/* Stores `r` under the key that (:indirect ...) says. */
static bool put_indirect(struct build *b, action_id id, struct str indirect, const struct action_result *r,
                         struct err *err)
{
	struct unit *u = &b->units[id];
	const struct action *a = graph_action(b->graph, id);
	struct arena tmp = {0};
	struct sexp *form;
	struct action_result pointer = {.facts = indirect, .label = a->label};
	CHECK(sexp_read_one(&tmp, indirect, &form));
	struct digest key = second_key(b, id, form, NULL);
	arena_release(&tmp);
	return store_put_action(b->session->store, &u->key, &pointer, err) &&
	       store_put_action(b->session->store, &key, r, err);
}

bool unit_adopt_before(struct build *b, action_id id, const struct sexp *rows, struct str uses, struct err *err)
{
	struct action_result r;
	struct sexp *indirect = NULL;
	struct buf text = {0};
	bool found;
	if (!get_before(b, id, rows, &indirect, &r, &found, err) || !found)
		return !err || err->kind == ERR_NONE;
	b->units[id].uses = str_dup(&b->arena, uses);
	indirect_text(&b->units[id], indirect, 1, &text);
	bool ok = put_indirect(b, id, buf_str(&text), &r, err);
	buf_release(&text);
	return ok;
}

static bool put_result(struct build *b, action_id id, const struct sexp *facts, struct err *err)
{
	struct unit *u = &b->units[id];
	const struct action *a = graph_action(b->graph, id);
	struct buf indirect = {0};
	struct action_result r = {.outputs = u->facts.outputs,
	                          .noutputs = u->facts.noutputs,
	                          .diagnostics = u->diagnostics,
	                          .facts = u->facts_text,
	                          .cpu_ns = u->cpu_ns,
	                          .wall_ns = u->wall_ns,
	                          .label = a->label};
	indirect_text(u, facts, 0, &indirect);
	bool ok = indirect.len ? put_indirect(b, id, buf_str(&indirect), &r, err)
	                       : store_put_action(b->session->store, &u->key, &r, err);
	buf_release(&indirect);
	return ok;
}

bool unit_accept(struct build *b, action_id id, const struct sexp *acted, bool *ret_again, struct err *err)
{
	struct unit *u = &b->units[id];
	if (!inputs_changed(b, id, ret_again, err))
		return false;
	bool read_changed;
	u->reads = reads_take(b, id, sexp_getf(acted, 1, "reads"), &read_changed);
	*ret_again |= read_changed;
	if (*ret_again)
		return true;
	u->diagnostics = list_text(b, sexp_getf(acted, 1, "diagnostics"));
	u->undefined = list_text(b, sexp_getf(acted, 1, "undefined"));
	u->facts_text = facts_text(b, u, acted);
	u->uses = list_text(b, sexp_getf(acted, 1, "uses"));
	u->cpu_ns = (uint64_t)sexp_int(sexp_getf(acted, 1, "cpu-ns"), 0);
	bool changed = false;
	if (!take_outputs(b, id, sexp_getf(acted, 1, "outputs"), err) ||
	    !put_result(b, id, sexp_getf(acted, 1, "facts"), err) || !replay_record(b, id, acted, err) ||
	    !header_note_classic(b, id, err))
		return false;
	localize_outputs(b, id);
	if (!place_outputs(b, u, &changed, err))
		return false;
	if (u->lax && !lax_learn(b, id, sexp_getf(acted, 1, "kinds"), err))
		return false;
	u->outcome = OUTCOME_RAN;
	unit_contribute(b, id);
	return true;
}
