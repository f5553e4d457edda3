/* Names that were undefined when a unit was compiled: settled by later files, or told; and why units failed. */
#include <stdlib.h>
#include <strings.h>

#include "build/definers.h"
#include "build/told.h"
#include "graph/headers.h"

/* Enough to see what is wrong; a system whose every file fails has one cause. */
#define MAX_EXPLAINED 12

/* -- failures -- */

static bool explain_failure(struct build *b, action_id id, enum severity severity, struct err *err)
{
	struct str names = definers_of_failure(b, id);
	if (!names.len)
		return true;
	FindingVec found = {0};
	bool ok = definers_find(b, id, names, false, true, &found, err);
	if (ok && !found.len)
		ok = definers_find(b, id, names, true, true, &found, err);
	struct map told = {0};
	for (size_t i = 0; ok && i < found.len; i++)
		if (found.ptr[i].step != NO_ID && map_add(&told, found.ptr[i].name, 0, NULL))
			definers_tell(b, id, &found.ptr[i], severity);
	map_release(&told);
	vec_release(&found);
	return ok;
}

/* -- undefined names of units that compiled -- */

struct group {
	uint32_t family;
	U32Vec units;
	struct buf names; /* those that no unit's result tells of */
	FindingVec found; /* those that one does */
};

static bool is_in(struct str list, struct str name)
{
	return str_search(list, name) < list.len;
}

/* A name that the rest of its system does not define stays undefined: its warnings are shown after all. True if there
 * are any. */
static bool report_unsettled(struct build *b, action_id id, const FindingVec *found)
{
	struct arena a = {0};
	struct sexp *list;
	struct buf left = {0};
	buf_addc(&left, '(');
	if (sexp_read_one(&a, b->units[id].diagnostics, &list) && sexp_is_list(list, 1))
		for (uint32_t i = 0; i < list->len; i++) {
			const struct sexp *d = list->items[i];
			struct str kind = sexp_text(sexp_getf(d, 1, "kind"));
			if (kind.len < 10 || strncasecmp(kind.ptr, "undefined-", 10) != 0)
				continue;
			const struct sexp *name = sexp_getf(d, 1, "name");
			struct str text = name ? definers_print(b, name) : (struct str){0};
			bool settled = false;
			for (size_t f = 0; f < found->len; f++)
				settled |= str_eq(found->ptr[f].name, text);
			if (!settled)
				sexp_print(d, &left);
		}
	buf_addc(&left, ')');
	bool any = left.len > 2;
	b->units[id].ended = false; /* so that nothing is held back now */
	report_diagnostics(b, id, buf_str(&left), b->units[id].outcome != OUTCOME_RAN);
	b->units[id].ended = true;
	buf_release(&left);
	arena_release(&a);
	return any;
}

static void judge_unit(struct build *b, action_id id, const FindingVec *found)
{
	struct unit *u = &b->units[id];
	const struct action *a = graph_action(b->graph, id);
	bool failed = false;
	for (size_t i = 0; i < found->len; i++) {
		const struct finding *f = &found->ptr[i];
		if (f->step == NO_ID || definers_is_function(f->kind) || !is_in(u->undefined, f->name))
			continue;
		if (graph_action(b->graph, f->step)->order > a->order)
			continue; /* ASDF would have compiled it the same way */
		definers_tell(b, id, f, SEVERITY_ERROR);
		failed = true;
	}
	if (!failed && report_unsettled(b, id, found) && str_eqc(b->session->rules.warnings, "fail")) {
		report_failure(b, id, "warnings", "its warnings fail this build, as --warnings fail says");
		failed = true;
	}
	if (failed) {
		u->outcome = OUTCOME_FAILED;
		b->failed++;
	}
}

/* What the step `id` defines. Which names that are does not depend on bodies of functions: if its header is known, it
 * is what that shows. A header that nobody has needed shows what is in its file, and in the FASL where it used bodies
 * of others, among the headers that it depends on. */
static void hash_definitions(const struct build *b, action_id id, struct hasher *h)
{
	action_id twin = graph_action(b->graph, id)->twin;
	const struct action *header = twin == NO_ID ? NULL : graph_action(b->graph, twin);
	if (header && b->units[twin].known) {
		hasher_digest(h, "shows", &b->units[twin].contribution);
		hasher_digest(h, "heads", &b->units[twin].heads);
	} else if (header && header->kind == ACTION_HEADER && !digest_is_zero(&b->units[twin].key)) {
		const struct action_facts *made = &b->units[header->header_of].facts;
		hasher_digest(h, "header", &b->units[twin].key);
		for (size_t i = 0; i < made->noutputs; i++)
			hasher_digest(h, "output", &made->outputs[i].digest);
	} else {
		hasher_digest(h, "step", &b->units[id].contribution);
	}
}

/* What the group's names depend on: the image that is asked, and all that may define them. */
static struct digest question_key(struct build *b, const struct query *q)
{
	const struct action *unit = graph_action(b->graph, q->unit);
	struct hasher *h = hasher_new(STR("tenon-settle-4"));
	hasher_digest(h, "base", &b->session->rules.base);
	hasher_str(h, "environment", b->session->rules.environment);
	hasher_str(h, "unit", unit->label);
	for (uint32_t d = 0; d < unit->ndeps; d++)
		hash_definitions(b, unit->deps[d], h);
	hasher_str(h, "heads", row_digest(b, q->unit, STR(""), STR(ROW_ALL_HEADS)));
	hasher_str(h, "names", q->names);
	for (size_t i = 0; i < q->steps.len; i++)
		hash_definitions(b, q->steps.ptr[i], h);
	return hasher_end(h);
}

/* In whose image the group's question is asked. */
static action_id group_unit(const struct group *g)
{
	return g->units.ptr[0];
}

/* True if no image has to be asked for the name: whoever misses it would do so with ASDF, too. */
static bool is_told(const struct build *b, const struct group *g, const struct told *told, const struct sexp *form,
                    struct str name)
{
	uint64_t first;
	bool settled = told_first(told, form, &first);
	if (told_is_function(form)) {
		if (settled)
			return true;
		settled = told_first_open(told, form, &first);
	}
	for (size_t i = 0; settled && i < g->units.len; i++) {
		action_id unit = g->units.ptr[i];
		settled = graph_action(b->graph, unit)->order <= first || !is_in(b->units[unit].undefined, name);
	}
	return settled;
}

/* Takes out what the results of the system's files tell: functions, and what files define that come later. */
static void settle_told(struct build *b, struct group *g)
{
	struct arena a = {0};
	struct sexp *names;
	struct told told;
	struct buf left = {0};
	told_read(&told, b, g->family, NULL);
	if (sexp_read(&a, STR("<names>"), buf_str(&g->names), SEXP_LISP, &names, NULL)) {
		for (uint32_t i = 0; i < names->len; i++) {
			struct str name = definers_print(b, names->items[i]);
			if (is_told(b, g, &told, names->items[i], name)) {
				struct finding f = {.name = name, .kind = STR("TOLD"), .step = NO_ID};
				vec_push(&g->found, f);
			} else {
				buf_adds(&left, name);
				buf_addc(&left, ' ');
			}
		}
		buf_clear(&g->names);
		buf_adds(&g->names, buf_str(&left));
	}
	told_release(&told);
	buf_release(&left);
	arena_release(&a);
}

static bool prepare_query(struct build *b, const struct group *g, struct query *q, struct err *err)
{
	*q = (struct query){.build = b, .unit = group_unit(g), .names = buf_str(&g->names)};
	if (!g->names.len) {
		q->done = q->cached = true;
		return true;
	}
	definers_candidates(b, q->unit, false, false, &q->steps);
	struct digest key = question_key(b, q);
	struct buf text = {0};
	bool hit, ok = store_get_text(b->session->store, &key, &text, &hit, err);
	q->done = q->cached = (ok && hit) || !q->steps.len;
	q->answer = str_dup(&b->arena, buf_str(&text));
	buf_release(&text);
	return ok;
}

static bool all_known(const struct build *b, const struct action *a)
{
	for (uint32_t d = 0; d < a->ndeps; d++)
		if (!b->units[a->deps[d]].known)
			return false;
	return true;
}

/* Headers that stand behind one that was made in this build, and that no image needed: the store may have them. */
static bool look_up_headers(struct build *b, struct err *err)
{
	for (size_t i = 0; i < b->graph->by_order.len; i++) {
		action_id id = b->graph->by_order.ptr[i];
		const struct action *a = graph_action(b->graph, id);
		enum header_found found;
		if (b->units[id].known || !a->header_side || !all_known(b, a))
			continue;
		if (a->kind == ACTION_HEADER ? !header_lookup(b, id, &found, err)
		                             : !action_kind_runs(a->kind) && !unit_inputs(b, id, err))
			return false;
		if (!action_kind_runs(a->kind))
			unit_contribute(b, id);
	}
	return true;
}

static bool settle_groups(struct build *b, struct group *groups, struct query *queries, size_t n, struct err *err)
{
	if (n && !look_up_headers(b, err))
		return false;
	/* Everything is built: FASLs are quicker to load than headers are to make. */
	for (size_t i = 0; i < n; i++) {
		settle_told(b, &groups[i]);
		if (groups[i].names.len)
			graph_use_fasls(b->graph, group_unit(&groups[i]));
	}
	if (!graph_reorder(b->graph, err))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!prepare_query(b, &groups[i], &queries[i], err))
			return false;
	if (!definers_ask(b, queries, n, err))
		return false;
	for (size_t i = 0; i < n; i++) {
		struct query *q = &queries[i];
		struct digest key = question_key(b, q);
		if (!q->cached && q->answer.len && !store_put_text(b->session->store, &key, q->answer, err))
			return false;
		definers_read(q, &groups[i].found);
		for (size_t k = 0; k < groups[i].units.len; k++)
			judge_unit(b, groups[i].units.ptr[k], &groups[i].found);
	}
	return true;
}

static void add_to_group(struct build *b, U32Vec *index, struct group **groups, size_t *ngroups, action_id id)
{
	uint32_t family = b->family[graph_action(b->graph, id)->system];
	CHECK(index->ptr && family < index->len);
	size_t at = index->ptr[family];
	if (at == NO_ID) {
		*groups = xrealloc(*groups, (*ngroups + 1) * sizeof(**groups));
		(*groups)[*ngroups] = (struct group){.family = family};
		at = (*ngroups)++;
		index->ptr[family] = (uint32_t)at;
	}
	CHECK(*groups && at < *ngroups);
	struct group *g = &(*groups)[at];
	vec_push(&g->units, id);
	/* The text of a list: its brackets are taken off. */
	buf_adds(&g->names, str_slice(b->units[id].undefined, 1, b->units[id].undefined.len - 1));
	buf_addc(&g->names, ' ');
}

static bool explain_failures(struct build *b, struct err *err)
{
	bool ok = true;
	size_t explained = 0;
	for (size_t i = 0; ok && i < b->graph->actions.len && explained < MAX_EXPLAINED; i++) {
		if (b->units[i].outcome != OUTCOME_FAILED || b->units[i].lax)
			continue;
		explained++;
		ok = explain_failure(b, (action_id)i, SEVERITY_ERROR, err);
	}
	return ok;
}

static bool settle_undefined(struct build *b, struct err *err)
{
	bool ok = true;
	size_t ngroups = 0;
	struct group *groups = NULL;
	U32Vec index = {0};
	for (size_t i = 0; i < b->graph->systems.len; i++)
		vec_push(&index, NO_ID);
	for (size_t i = 0; ok && i < b->graph->by_order.len; i++) {
		action_id id = b->graph->by_order.ptr[i];
		if (b->units[id].known && b->units[id].undefined.len > 2)
			add_to_group(b, &index, &groups, &ngroups, id);
	}
	struct query *queries = xcalloc(ngroups + 1, sizeof(*queries));
	ok = settle_groups(b, groups, queries, ngroups, err);
	for (size_t i = 0; i < ngroups; i++) {
		vec_release(&groups[i].units);
		buf_release(&groups[i].names);
		vec_release(&groups[i].found);
		vec_release(&queries[i].steps);
	}
	free(queries);
	free(groups);
	vec_release(&index);
	return ok;
}

bool settle_names(struct build *b, struct err *err)
{
	return explain_failures(b, err) && settle_undefined(b, err) && lax_tell(b, err);
}
