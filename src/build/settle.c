/* Names that were undefined, and dependencies that were not declared.
 *
 * A unit is compiled with what it declares and no more. What it then misses is one of these: a function that a later
 * file defines (fine: it is settled when the system is loaded), a name that nobody defines (the warning stays), or
 * something that an earlier file would have provided had it been declared. To tell them apart, an image with the unit's
 * own steps carries out the other steps one by one and says after which of them the name is there. */
#include <stdlib.h>
#include <strings.h>

#include "build/build.h"
#include "graph/headers.h"
#include "os/clock.h"
#include "os/interrupt.h"

/* Enough to see what is wrong; a system whose every file fails has one cause. */
#define MAX_EXPLAINED 12

struct finding {
	struct str name; /* as the driver writes it: the form's text */
	struct str kind; /* how it is defined */
	action_id step;  /* what defines it; NO_ID: it was there before all candidates */
};
typedef Vec(struct finding) FindingVec;

struct query {
	struct build *build;
	struct pool_job job;
	struct buf act;
	struct str names; /* forms */
	action_id unit;   /* in whose image to ask */
	U32Vec steps;     /* candidates, in order */
	bool done, cached;
	struct str answer;
};

static void on_answer(struct pool_job *job, const struct pool_result *r)
{
	struct query *q = job->ctx;
	q->done = true;
	if (r->outcome == POOL_ANSWERED)
		q->answer = str_dup(&q->build->arena, r->text);
}

static bool same_primary(const struct build *b, system_id a, system_id c)
{
	if (a == NO_ID || c == NO_ID)
		return false;
	struct str x = graph_system(b->graph, a)->name, y = graph_system(b->graph, c)->name;
	return str_eq(str_slice(x, 0, str_find(x, '/')), str_slice(y, 0, str_find(y, '/')));
}

static int by_order(const void *pa, const void *pb, void *graph)
{
	uint32_t a = graph_action(graph, *(const action_id *)pa)->order;
	uint32_t b = graph_action(graph, *(const action_id *)pb)->order;
	return a < b ? -1 : a > b;
}

/* Where images hold headers, a step that has a twin is not one of theirs; where they hold FASLs, no twin is. */
static bool same_side(const struct action *unit, const struct action *step)
{
	return unit->classic_deps || unit->header_side ? step->twin == NO_ID : !step->header_side;
}

/* By action: everything that it rests on is built. */
static uint8_t *ready_actions(const struct build *b)
{
	uint8_t *ready = xcalloc(b->graph->actions.len + 1, 1);
	for (size_t i = 0; i < b->graph->by_order.len; i++) {
		action_id id = b->graph->by_order.ptr[i];
		const struct action *a = graph_action(b->graph, id);
		ready[id] = !action_kind_runs(a->kind) || b->units[id].known;
		for (uint32_t d = 0; d < a->ndeps; d++)
			ready[id] &= ready[a->deps[d]];
	}
	return ready;
}

/* The steps outside the unit's image that can be carried out: of its own system or of all, `before` it in the front
 * end's order or anywhere. */
static void candidates(struct build *b, action_id id, bool all, bool before, U32Vec *out)
{
	struct closure c;
	U32Vec have = {0};
	closure_init(&c, b->graph);
	closure_of(&c, id, action_kind_is_step, &have);
	uint8_t *ready = ready_actions(b);
	for (size_t i = 0; i < have.len; i++)
		ready[have.ptr[i]] = 0;
	const struct action *unit = graph_action(b->graph, id);
	for (size_t i = 0; i < b->graph->actions.len; i++) {
		const struct action *a = &b->graph->actions.ptr[i];
		if (action_kind_is_step(a->kind) && ready[i] && (!before || a->order < unit->order) &&
		    same_side(unit, a) && (all || same_primary(b, a->system, unit->system)))
			vec_push(out, (uint32_t)i);
	}
	if (out->len)
		qsort_r(out->ptr, out->len, sizeof(*out->ptr), by_order, b->graph);
	free(ready);
	vec_release(&have);
	closure_release(&c);
}

static void question(struct query *q)
{
	const struct build *b = q->build;
	buf_addz(&q->act, "(:definers ");
	sexp_print_string(str_from(b->session->out_dir), &q->act);
	buf_addf(&q->act, " (%.*s)", STR_ARG(q->names));
	for (size_t i = 0; i < q->steps.len; i++) {
		buf_addc(&q->act, '\n');
		lisp_step_text(b->graph, graph_action(b->graph, q->steps.ptr[i]), &q->act);
	}
	buf_addc(&q->act, ')');
}

/* Starts what can start. True while some have no answer. */
static bool keep_asking(struct query *queries, size_t n, const struct image_tree *tree)
{
	bool open = false;
	for (size_t i = 0; i < n; i++) {
		struct query *q = &queries[i];
		struct session *s = q->build->session;
		open |= !q->done;
		if (q->done || q->act.len || !pool_can_start(s->pool, tree->node_of[q->unit]))
			continue;
		question(q);
		q->job = (struct pool_job){.node = tree->node_of[q->unit],
		                           .act = buf_str(&q->act),
		                           .label = STR("settle"),
		                           .timeout_ms = s->options.timeout_s * 1000,
		                           .done = on_answer,
		                           .ctx = q};
		pool_start(s->pool, &q->job);
	}
	return open;
}

/* Asks all at once, each in the image of its unit. */
static bool ask(struct build *b, struct query *queries, size_t n, struct err *err)
{
	struct session *s = b->session;
	U32Vec units = {0};
	struct image_tree tree;
	for (size_t i = 0; i < n; i++)
		if (!queries[i].done)
			vec_push(&units, queries[i].unit);
	if (!units.len || !session_pool(s, err)) {
		bool nothing = !units.len;
		vec_release(&units);
		return nothing;
	}
	*s->pool_graph = b->graph;
	image_tree_build(&tree, b->graph, units.ptr, units.len);
	pool_set_tree(s->pool, &tree, b->graph);
	bool interrupted = false;
	while (keep_asking(queries, n, &tree) && !interrupted) {
		loop_run_once(s->loop, true);
		interrupted = interrupt_signal() != 0;
	}
	pool_set_tree(s->pool, NULL, NULL);
	image_tree_release(&tree);
	vec_release(&units);
	for (size_t i = 0; i < n; i++)
		buf_release(&queries[i].act);
	return !interrupted || err_set(err, ERR_TRANSIENT, "interrupted");
}

static struct str print_dup(struct build *b, const struct sexp *s)
{
	struct buf text = {0};
	sexp_print(s, &text);
	struct str dup = str_dup(&b->arena, buf_str(&text));
	buf_release(&text);
	return dup;
}

static void read_findings(struct query *q, FindingVec *out)
{
	struct arena a = {0};
	struct sexp *list;
	if (q->answer.len && sexp_read(&a, STR("<driver>"), q->answer, SEXP_LISP, &list, NULL) && list->len == 1 &&
	    list->items[0]->kind == SEXP_LIST)
		for (uint32_t i = 1; i < list->items[0]->len; i++) {
			const struct sexp *f = list->items[0]->items[i];
			if (f->kind != SEXP_LIST || f->len < 3)
				continue;
			int64_t index = sexp_int(f->items[1], -1);
			struct finding finding = {.name = print_dup(q->build, f->items[0]), .step = NO_ID};
			finding.kind = str_dup(&q->build->arena, sexp_text(f->items[2]));
			if (index >= 0 && (size_t)index < q->steps.len)
				finding.step = q->steps.ptr[index];
			vec_push(out, finding);
		}
	arena_release(&a);
}

/* "PKG::NAME" out of the driver's (KIND PACKAGE NAME). */
static struct str display_name(struct build *b, struct str form)
{
	struct arena a = {0};
	struct sexp *list;
	struct str text = form;
	if (sexp_read(&a, STR("<driver>"), form, SEXP_LISP, &list, NULL) && list->len == 1 &&
	    list->items[0]->kind == SEXP_LIST && list->items[0]->len >= 3) {
		const struct sexp *n = list->items[0];
		struct str package = sexp_text(n->items[1]), name = sexp_text(n->items[2]);
		text = sexp_is_keyword(n->items[0], "package")
		               ? str_fmt(&b->arena, "package \"%.*s\"", STR_ARG(package))
		               : str_fmt(&b->arena, "\"%.*s::%.*s\"", STR_ARG(package), STR_ARG(name));
	}
	arena_release(&a);
	return text;
}

static struct str component_name(struct build *b, const struct action *a)
{
	struct buf text = {0};
	for (uint32_t i = 0; i < a->ncomponent; i++)
		buf_addf(&text, "%s%.*s", i ? "/" : "", STR_ARG(a->component[i]));
	struct str name = str_dup(&b->arena, buf_str(&text));
	buf_release(&text);
	return name;
}

static bool is_function_kind(struct str kind)
{
	return (kind.len == 8 && !strncasecmp(kind.ptr, "FUNCTION", 8)) ||
	       (kind.len == 7 && !strncasecmp(kind.ptr, "GENERIC", 7));
}

static void tell_missing(struct build *b, action_id id, const struct finding *f, enum severity severity)
{
	const struct action *unit = graph_action(b->graph, id), *step = graph_action(b->graph, f->step);
	struct buf message = {0}, hint = {0};
	struct str definer = step->kind == ACTION_REQUIRE ? step->path : component_name(b, step);
	bool here = step->system != NO_ID && step->system == unit->system;
	buf_addf(&message, "undeclared dependency: %.*s is defined by ", STR_ARG(display_name(b, f->name)));
	if (here)
		buf_addf(&message, "file \"%.*s\"", STR_ARG(definer));
	else if (step->system != NO_ID)
		buf_addf(&message, "system \"%.*s\"", STR_ARG(graph_system(b->graph, step->system)->name));
	else
		buf_addf(&message, "module \"%.*s\"", STR_ARG(definer));
	buf_addf(&message, ", which \"%.*s\" does not declare", STR_ARG(unit->label));
	uint32_t level = 0;
	while (here && level < unit->ncomponent && level < step->ncomponent &&
	       str_eq(unit->component[level], step->component[level]))
		level++;
	if (here && level < unit->ncomponent && level < step->ncomponent) {
		/* Components depend on their siblings: what is to be declared may be a module of a module. */
		struct action holder = *unit;
		holder.ncomponent = level + 1;
		buf_addf(&hint, "add :depends-on (\"%.*s\") to component \"%.*s\" in \"%.*s\"",
		         STR_ARG(step->component[level]), STR_ARG(component_name(b, &holder)),
		         STR_ARG(graph_system(b->graph, unit->system)->asd));
	} else
		buf_addf(&hint, "add \"%.*s\" to :depends-on of system \"%.*s\" in \"%.*s\"",
		         STR_ARG(step->system == NO_ID ? definer : graph_system(b->graph, step->system)->name),
		         STR_ARG(graph_system(b->graph, unit->system)->name),
		         STR_ARG(graph_system(b->graph, unit->system)->asd));
	if (severity == SEVERITY_ERROR)
		buf_addz(&hint, "; --lax builds it as ASDF would");
	struct diagnostic d = {.severity = severity,
	                       .kind = STR("undeclared"),
	                       .message = buf_str(&message),
	                       .hint = buf_str(&hint),
	                       .label = unit->label};
	if (unit->ninputs)
		d.path = unit->inputs[0].path;
	struct event e = {.kind = EVENT_DIAGNOSTIC, .at_ns = clock_mono_ns(), .label = d.label, .diagnostic = &d};
	event_emit(b->session->sink, &e);
	buf_release(&message);
	buf_release(&hint);
}

/* The names that a failed unit's errors are about, as text of forms. */
static struct str names_of_failure(struct build *b, action_id id)
{
	struct arena a = {0};
	struct sexp *list;
	struct buf names = {0};
	struct str forms = b->units[id].diagnostics;
	if (forms.len && sexp_read(&a, STR("<driver>"), forms, SEXP_LISP, &list, NULL) && list->len == 1 &&
	    list->items[0]->kind == SEXP_LIST)
		for (uint32_t i = 0; i < list->items[0]->len; i++) {
			const struct sexp *name = sexp_getf(list->items[0]->items[i], 1, "name");
			if (!name || name->kind != SEXP_LIST)
				continue;
			sexp_print(name, &names);
			buf_addc(&names, ' ');
		}
	struct str text = str_dup(&b->arena, buf_str(&names));
	buf_release(&names);
	arena_release(&a);
	return text;
}

static bool definers(struct build *b, action_id id, struct str names, bool all, bool before, FindingVec *out,
                     struct err *err)
{
	struct query q = {.build = b, .unit = id, .names = names};
	candidates(b, id, all, before, &q.steps);
	bool ok = !q.steps.len || ask(b, &q, 1, err);
	if (ok)
		read_findings(&q, out);
	vec_release(&q.steps);
	return ok;
}

/* -- failures -- */

static bool explain_failure(struct build *b, action_id id, enum severity severity, struct err *err)
{
	struct str names = names_of_failure(b, id);
	if (!names.len)
		return true;
	FindingVec found = {0};
	bool ok = definers(b, id, names, false, true, &found, err);
	if (ok && !found.len)
		ok = definers(b, id, names, true, true, &found, err);
	struct map told = {0};
	for (size_t i = 0; ok && i < found.len; i++)
		if (found.ptr[i].step != NO_ID && map_add(&told, found.ptr[i].name, 0, NULL))
			tell_missing(b, id, &found.ptr[i], severity);
	map_release(&told);
	vec_release(&found);
	return ok;
}

/* -- undefined names of units that compiled -- */

struct group {
	struct str primary;
	U32Vec units;
	struct buf names;
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
	struct str forms = b->units[id].diagnostics;
	buf_addc(&left, '(');
	if (forms.len && sexp_read(&a, STR("<driver>"), forms, SEXP_LISP, &list, NULL) && list->len == 1 &&
	    list->items[0]->kind == SEXP_LIST)
		for (uint32_t i = 0; i < list->items[0]->len; i++) {
			const struct sexp *d = list->items[0]->items[i];
			struct str kind = sexp_text(sexp_getf(d, 1, "kind"));
			if (kind.len < 10 || strncasecmp(kind.ptr, "undefined-", 10) != 0)
				continue;
			const struct sexp *name = sexp_getf(d, 1, "name");
			struct str text = name ? print_dup(b, name) : (struct str){0};
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
		if (f->step == NO_ID || is_function_kind(f->kind) || !is_in(u->undefined, f->name))
			continue;
		if (graph_action(b->graph, f->step)->order > a->order)
			continue; /* ASDF would have compiled it the same way */
		tell_missing(b, id, f, SEVERITY_ERROR);
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

/* What the group's names depend on: its image, and all that may define them. */
static struct digest question_key(const struct build *b, const struct query *q)
{
	struct hasher *h = hasher_new(STR("tenon-settle-2"));
	hasher_digest(h, "image", &b->units[q->unit].key);
	hasher_str(h, "names", q->names);
	for (size_t i = 0; i < q->steps.len; i++)
		hasher_digest(h, "step", &b->units[q->steps.ptr[i]].contribution);
	return hasher_end(h);
}

/* Everything is built: FASLs are quicker to load than headers are to make. */
static bool prepare_query(struct build *b, const struct group *g, struct query *q, struct err *err)
{
	*q = (struct query){.build = b, .unit = g->units.ptr[0], .names = buf_str(&g->names)};
	graph_use_fasls(b->graph, q->unit);
	candidates(b, q->unit, false, false, &q->steps);
	struct digest key = question_key(b, q);
	struct buf text = {0};
	bool hit, ok = store_get_text(b->session->store, &key, &text, &hit, err);
	q->done = q->cached = (ok && hit) || !q->steps.len;
	q->answer = str_dup(&b->arena, buf_str(&text));
	buf_release(&text);
	return ok;
}

static bool settle_groups(struct build *b, struct group *groups, struct query *queries, size_t n, struct err *err)
{
	for (size_t i = 0; i < n; i++)
		if (!prepare_query(b, &groups[i], &queries[i], err))
			return false;
	if (!ask(b, queries, n, err))
		return false;
	for (size_t i = 0; i < n; i++) {
		struct query *q = &queries[i];
		struct digest key = question_key(b, q);
		if (!q->cached && q->answer.len && !store_put_text(b->session->store, &key, q->answer, err))
			return false;
		FindingVec found = {0};
		read_findings(q, &found);
		for (size_t k = 0; k < groups[i].units.len; k++)
			judge_unit(b, groups[i].units.ptr[k], &found);
		vec_release(&found);
	}
	return true;
}

static void add_to_group(struct build *b, struct map *index, struct group **groups, size_t *ngroups, action_id id)
{
	struct str name = graph_system(b->graph, graph_action(b->graph, id)->system)->name;
	struct str primary = str_slice(name, 0, str_find(name, '/'));
	uint64_t at;
	if (map_add(index, primary, *ngroups, &at)) {
		*groups = xrealloc(*groups, (*ngroups + 1) * sizeof(**groups));
		(*groups)[*ngroups] = (struct group){.primary = primary};
		at = (*ngroups)++;
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
	struct map index = {0};
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
		vec_release(&queries[i].steps);
	}
	free(queries);
	free(groups);
	map_release(&index);
	return ok;
}

/* -- lax -- */

bool settle_may_widen(const struct build *b, action_id id)
{
	const struct unit *u = &b->units[id];
	return u->lax < 2 && graph_action(b->graph, id)->kind == ACTION_COMPILE &&
	       (b->session->options.lax || u->foreign);
}

static struct digest failure_key(const struct unit *u)
{
	struct hasher *h = hasher_new(STR("tenon-undeclared-1"));
	hasher_digest(h, "key", &u->key);
	return hasher_end(h);
}

bool settle_misses_names(struct build *b, action_id id)
{
	return names_of_failure(b, id).len > 0;
}

bool settle_note_failure(struct build *b, action_id id, struct err *err)
{
	struct unit *u = &b->units[id];
	struct digest key = failure_key(u);
	u->wants_lax = true;
	if (!u->missed.len)
		u->missed = names_of_failure(b, id);
	return store_put_text(b->session->store, &key, u->missed, err);
}

bool settle_recall_failure(struct build *b, action_id id, struct err *err)
{
	struct unit *u = &b->units[id];
	struct digest key = failure_key(u);
	struct buf names = {0};
	bool ok = store_get_text(b->session->store, &key, &names, &u->wants_lax, err);
	if (ok && u->wants_lax && !u->missed.len)
		u->missed = str_dup(&b->arena, buf_str(&names));
	buf_release(&names);
	return ok;
}

/* What ASDF would have loaded by then, as far as it is not in the image: of its own system, then of all. */
static void preceding(struct build *b, action_id id, bool all, U32Vec *out)
{
	struct closure c;
	U32Vec have = {0};
	closure_init(&c, b->graph);
	closure_of(&c, id, action_kind_is_step, &have);
	uint8_t *in_image = xcalloc(b->graph->actions.len + 1, 1);
	for (size_t i = 0; i < have.len; i++)
		in_image[have.ptr[i]] = 1;
	const struct action *unit = graph_action(b->graph, id);
	for (size_t i = 0; i < b->graph->actions.len; i++) {
		const struct action *a = &b->graph->actions.ptr[i];
		if (action_kind_is_step(a->kind) && !in_image[i] && a->order < unit->order && same_side(unit, a) &&
		    (all || same_primary(b, a->system, unit->system)))
			vec_push(out, (uint32_t)i);
	}
	free(in_image);
	vec_release(&have);
	closure_release(&c);
}

void settle_widen(struct build *b, action_id id, bool *ret_changed)
{
	struct unit *u = &b->units[id];
	U32Vec steps = {0};
	if (!u->lax)
		u->declared = graph_action(b->graph, id)->ndeps;
	while (!steps.len && u->lax < 2)
		preceding(b, id, ++u->lax == 2, &steps);
	*ret_changed = steps.len > 0;
	if (steps.len) {
		/* A header that is being made right now goes without. */
		action_id header = graph_header_of(b->graph, id);
		bool busy = header != NO_ID && b->sched && sched_state(b->sched, header) == SCHED_RUNNING;
		graph_depend_on_twins(b->graph, id, steps.ptr, steps.len, !busy);
		unit_try_again(b, id);
	}
	u->wants_lax = false;
	vec_release(&steps);
}

bool settle_suspects(struct build *b, action_id id, struct str undefined)
{
	struct unit *u = &b->units[id];
	if (u->lax || !settle_may_widen(b, id) || undefined.len <= 2)
		return false;
	U32Vec steps = {0};
	preceding(b, id, false, &steps);
	bool any = steps.len > 0;
	vec_release(&steps);
	if (any)
		u->missed = str_slice(undefined, 1, undefined.len - 1);
	return any;
}

/* What the user should declare for the units that compiled only with more than they declare. */
static bool tell_widened(struct build *b, struct err *err)
{
	size_t foreign = 0;
	bool ok = true;
	for (size_t i = 0; ok && i < b->graph->actions.len; i++) {
		struct unit *u = &b->units[i];
		if (!u->lax || !u->known)
			continue;
		if (u->foreign) {
			foreign++;
			continue;
		}
		struct action *a = graph_action(b->graph, (action_id)i);
		uint32_t all = a->ndeps;
		a->ndeps = u->declared; /* to ask in the image as it is declared */
		FindingVec found = {0};
		ok = !u->missed.len || definers(b, (action_id)i, u->missed, true, true, &found, err);
		for (size_t f = 0; ok && f < found.len; f++)
			if (found.ptr[f].step != NO_ID)
				tell_missing(b, (action_id)i, &found.ptr[f], SEVERITY_WARNING);
		a->ndeps = all;
		vec_release(&found);
	}
	if (foreign)
		session_note(b->session, NOTE_INFO,
		             "%zu file%s of systems outside this workspace %s declarations; built as ASDF would",
		             foreign, foreign == 1 ? "" : "s", foreign == 1 ? "lacks" : "lack");
	return ok;
}

bool settle_names(struct build *b, struct err *err)
{
	return explain_failures(b, err) && settle_undefined(b, err) && tell_widened(b, err);
}
