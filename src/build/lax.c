/* Units that lack declarations: what ASDF would have loaded before them comes into their images. */
#include <stdlib.h>

#include "build/definers.h"
#include "graph/headers.h"

static bool is_strict(const struct build *b, system_id system)
{
	const struct build_options *o = &b->session->options;
	for (size_t i = 0; system != NO_ID && i < o->nstrict; i++)
		if (str_eq(o->strict[i], graph_system(b->graph, system)->name))
			return true;
	return false;
}

/* Of systems that have nothing to do with each other, one may fail while the other goes on. */
static enum lax furthest(const struct build *b)
{
	return b->session->options.keep_going ? LAX_RELATED : LAX_ALL;
}

bool lax_allowed(const struct build *b, action_id id)
{
	const struct unit *u = &b->units[id];
	const struct action *a = graph_action(b->graph, id);
	return u->lax < furthest(b) && a->kind == ACTION_COMPILE &&
	       (u->foreign || (b->session->options.lax && !is_strict(b, a->system)));
}

static struct digest failure_key(const struct unit *u)
{
	struct hasher *h = hasher_new(STR("tenon-undeclared-2"));
	hasher_digest(h, "key", &u->key);
	return hasher_end(h);
}

bool lax_misses_names(struct build *b, action_id id)
{
	return definers_of_failure(b, id).len > 0;
}

/* "failed" or "undefined", and the names. */
static bool put_note(struct build *b, const struct unit *u, const struct digest *key, struct err *err)
{
	struct buf text = {0};
	buf_addf(&text, "%s %.*s", u->lax_failed ? "failed" : "undefined", STR_ARG(u->missed));
	bool ok = store_put_text(b->session->store, key, buf_str(&text), err);
	buf_release(&text);
	return ok;
}

bool lax_note(struct build *b, action_id id, bool failed, struct err *err)
{
	struct unit *u = &b->units[id];
	struct digest key = failure_key(u);
	/* What was learned of the names stays: it is learned where the unit runs, and its result may be in the store.
	 */
	if (!failed && !u->lax) {
		if (!lax_recall(b, id, err))
			return false;
		if (u->wants_lax)
			return true;
	}
	u->wants_lax = true;
	if (!u->lax) {
		u->lax_failed = failed;
		u->lax_note = key;
		if (failed)
			u->missed = definers_of_failure(b, id);
	}
	return put_note(b, u, &key, err);
}

bool lax_recall(struct build *b, action_id id, struct err *err)
{
	if (!lax_allowed(b, id))
		return true;
	struct unit *u = &b->units[id];
	struct digest key = failure_key(u);
	struct buf text = {0};
	bool ok = store_get_text(b->session->store, &key, &text, &u->wants_lax, err);
	if (ok && u->wants_lax && !u->lax) {
		struct str rest = str_dup(&b->arena, buf_str(&text)), word;
		str_cut(&rest, ' ', &word);
		u->lax_failed = str_eqc(word, "failed");
		u->missed = rest;
		u->lax_note = key;
	}
	buf_release(&text);
	return ok;
}

/* A function that is called before its file is loaded is no missing declaration: it is there when the caller runs. */
static bool counts(struct str kind)
{
	return kind.len && !definers_is_function(kind);
}

bool lax_learn(struct build *b, action_id id, const struct sexp *kinds, struct err *err)
{
	struct unit *u = &b->units[id];
	struct buf names = {0};
	for (uint32_t i = 0; i < sexp_list_len(kinds); i++) {
		const struct sexp *pair = kinds->items[i];
		if (pair->kind != SEXP_LIST || pair->len != 2 || !counts(sexp_text(pair->items[1])))
			continue;
		sexp_print(pair->items[0], &names);
		buf_addc(&names, ' ');
	}
	/* A failure that none of its names explains stays with all of them. */
	if (names.len || !u->lax_failed)
		u->missed = str_dup(&b->arena, buf_str(&names));
	buf_release(&names);
	return put_note(b, u, &u->lax_note, err);
}

bool lax_lacks(const struct unit *u)
{
	return u->lax && u->known && (u->lax_failed || u->missed.len);
}

struct str lax_names(struct build *b, action_id id)
{
	struct arena a = {0};
	struct sexp *list;
	struct buf text = {0};
	if (sexp_read(&a, STR("<driver>"), b->units[id].missed, SEXP_LISP, &list, NULL))
		for (uint32_t i = 0; i < list->len; i++) {
			const struct sexp *name = list->items[i];
			if (name->kind != SEXP_LIST || name->len < 3)
				continue;
			struct str package = sexp_text(name->items[1]), symbol = sexp_text(name->items[2]);
			if (text.len)
				buf_addc(&text, '\n');
			if (sexp_is_keyword(name->items[0], "package"))
				buf_addf(&text, "package %.*s", STR_ARG(package));
			else
				buf_addf(&text, "%.*s::%.*s", STR_ARG(package), STR_ARG(symbol));
		}
	struct str names = str_dup(&b->arena, buf_str(&text));
	buf_release(&text);
	arena_release(&a);
	return names;
}

/* True if images of `unit` may hold `step`, as far as it is a header or a FASL. */
static bool suits(const struct action *unit, const struct action *step)
{
	return unit->either_side ? step->twin == NO_ID : definers_same_side(unit, step);
}

static void mark_reached(uint8_t *mark, U32Vec *reached, const action_id *ids, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (!mark[ids[i]]) {
			mark[ids[i]] = 1;
			vec_push(reached, ids[i]);
		}
}

/* Marks `id`, what depends on it, and what those depend on: what loading a system that needs `id` loads. */
static uint8_t *mark_related(const struct graph *g, action_id id)
{
	uint8_t *mark = xcalloc(g->actions.len + 1, 1);
	U32Vec reached = {0};
	mark_reached(mark, &reached, &id, 1);
	for (size_t i = 0; i < reached.len; i++) {
		const struct action *a = graph_action(g, reached.ptr[i]);
		mark_reached(mark, &reached, a->rdeps, a->nrdeps);
	}
	for (size_t i = 0; i < reached.len; i++) {
		const struct action *a = graph_action(g, reached.ptr[i]);
		mark_reached(mark, &reached, a->deps, a->ndeps);
	}
	vec_release(&reached);
	return mark;
}

static bool has_failed(const struct build *b, action_id id)
{
	enum sched_state state = b->sched ? sched_state(b->sched, id) : SCHED_BLOCKED;
	return state == SCHED_FAILED || state == SCHED_SKIPPED;
}

/* What ASDF would have loaded by then, as far as it is not in the image. */
static void preceding(struct build *b, action_id id, enum lax reach, U32Vec *out)
{
	struct closure c;
	U32Vec have = {0};
	closure_init(&c, b->graph);
	closure_of(&c, id, action_kind_is_step, &have);
	uint8_t *in_image = xcalloc(b->graph->actions.len + 1, 1);
	uint8_t *related = reach == LAX_RELATED ? mark_related(b->graph, id) : NULL;
	for (size_t i = 0; i < have.len; i++)
		in_image[have.ptr[i]] = 1;
	const struct action *unit = graph_action(b->graph, id);
	for (size_t i = 0; i < b->graph->actions.len; i++) {
		const struct action *a = &b->graph->actions.ptr[i];
		if (!action_kind_is_step(a->kind) || in_image[i] || a->order >= unit->order || !suits(unit, a) ||
		    has_failed(b, (action_id)i))
			continue;
		if (reach == LAX_ALL || (related && related[i]) || definers_same_system(b, a->system, unit->system))
			vec_push(out, (uint32_t)i);
	}
	free(in_image);
	free(related);
	vec_release(&have);
	closure_release(&c);
}

void lax_widen(struct build *b, action_id id, bool *ret_changed)
{
	struct unit *u = &b->units[id];
	U32Vec steps = {0};
	if (!u->lax)
		u->declared = graph_action(b->graph, id)->ndeps;
	while (!steps.len && u->lax < furthest(b))
		preceding(b, id, ++u->lax, &steps);
	*ret_changed = steps.len > 0;
	if (steps.len) {
		graph_depend_on_twins(b->graph, id, steps.ptr, steps.len);
		unit_try_again(b, id);
	}
	if (graph_action(b->graph, id)->ndeps == u->declared) {
		u->lax_failed = false;
		u->missed = STR("");
	}
	u->wants_lax = false;
	vec_release(&steps);
}

bool lax_widen_header(struct build *b, action_id id)
{
	struct unit *u = &b->units[id];
	U32Vec steps = {0};
	if (u->lax || !lax_allowed(b, graph_action(b->graph, id)->header_of))
		return false;
	u->lax = LAX_SYSTEM;
	preceding(b, id, LAX_SYSTEM, &steps);
	bool changed = steps.len > 0;
	if (changed)
		graph_depend(b->graph, id, steps.ptr, steps.len);
	vec_release(&steps);
	return changed;
}

bool lax_suspects(struct build *b, action_id id, struct str undefined)
{
	struct unit *u = &b->units[id];
	if (u->lax || !lax_allowed(b, id) || undefined.len <= 2)
		return false;
	U32Vec steps = {0};
	preceding(b, id, LAX_SYSTEM, &steps);
	bool any = steps.len > 0;
	vec_release(&steps);
	if (any)
		u->missed = str_slice(undefined, 1, undefined.len - 1);
	return any;
}

/* One name a line as one line. */
static struct str listed(struct build *b, struct str names)
{
	struct buf text = {0};
	for (size_t i = 0; i < names.len; i++)
		buf_adds(&text, names.ptr[i] == '\n' ? STR(", ") : str_n(names.ptr + i, 1));
	struct str line = str_dup(&b->arena, buf_str(&text));
	buf_release(&text);
	return line;
}

static void tell_foreign(struct build *b, action_id id)
{
	struct str names = listed(b, lax_names(b, id));
	session_note(b->session, NOTE_DEBUG, "\"%.*s\" lacks declarations: %.*s",
	             STR_ARG(graph_action(b->graph, id)->label),
	             STR_ARG(names.len ? names : STR("it can't be compiled with what it declares")));
}

static bool tell_own(struct build *b, action_id id, struct err *err)
{
	struct unit *u = &b->units[id];
	struct action *a = graph_action(b->graph, id);
	uint32_t all = a->ndeps;
	a->ndeps = u->declared; /* to ask in the image as it is declared */
	FindingVec found = {0};
	bool ok = !u->missed.len || definers_find(b, id, u->missed, true, true, &found, err);
	for (size_t f = 0; ok && f < found.len; f++)
		if (found.ptr[f].step != NO_ID)
			definers_tell(b, id, &found.ptr[f], SEVERITY_WARNING);
	a->ndeps = all;
	vec_release(&found);
	return ok;
}

bool lax_tell(struct build *b, struct err *err)
{
	size_t compiled = 0;
	bool ok = true;
	for (size_t i = 0; ok && i < b->graph->actions.len; i++) {
		const struct unit *u = &b->units[i];
		if (!lax_lacks(u))
			continue;
		if (u->foreign)
			tell_foreign(b, (action_id)i);
		else
			ok = tell_own(b, (action_id)i, err);
		compiled += u->foreign && u->outcome == OUTCOME_RAN;
	}
	if (compiled)
		session_note(b->session, NOTE_INFO,
		             "%zu file%s of systems outside this workspace %s declarations and %s built as ASDF would; "
		             "--verbose names them",
		             compiled, compiled == 1 ? "" : "s", compiled == 1 ? "lacks" : "lack",
		             compiled == 1 ? "was" : "were");
	return ok;
}
