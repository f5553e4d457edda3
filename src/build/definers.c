#include "build/definers.h"

#include <stdlib.h>
#include <strings.h>

#include "graph/headers.h"
#include "os/clock.h"
#include "os/interrupt.h"

static void on_answer(struct pool_job *job, const struct pool_result *r)
{
	struct query *q = job->ctx;
	q->done = true;
	if (r->outcome == POOL_ANSWERED)
		q->answer = str_dup(&q->build->arena, r->text);
}

bool definers_same_system(const struct build *b, system_id a, system_id c)
{
	return a != NO_ID && c != NO_ID && b->family[a] == b->family[c];
}

static int by_order(const void *pa, const void *pb, void *graph)
{
	uint32_t a = graph_action(graph, *(const action_id *)pa)->order;
	uint32_t b = graph_action(graph, *(const action_id *)pb)->order;
	return a < b ? -1 : a > b;
}

/* Where images hold headers, a step that has a twin is not one of theirs; where they hold FASLs, no twin is. */
bool definers_same_side(const struct action *unit, const struct action *step)
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
void definers_candidates(struct build *b, action_id id, bool all, bool before, U32Vec *out)
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
		    definers_same_side(unit, a) && (all || definers_same_system(b, a->system, unit->system)))
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

/* Starts what can start. True while answers are to come. */
static bool keep_asking(struct query *queries, size_t n, const struct image_tree *tree)
{
	bool open = false;
	for (size_t i = 0; i < n; i++) {
		struct query *q = &queries[i];
		struct session *s = q->build->session;
		if (!q->done && !q->act.len && pool_can_start(s->pool, tree->node_of[q->unit])) {
			question(q);
			q->job = (struct pool_job){.node = tree->node_of[q->unit],
			                           .act = buf_str(&q->act),
			                           .label = STR("settle"),
			                           .timeout_ms = s->options.timeout_s * 1000,
			                           .done = on_answer,
			                           .ctx = q};
			pool_start(s->pool, &q->job); /* may answer at once, when a step above it has failed */
		}
		open |= !q->done;
	}
	return open;
}

/* Asks all at once, each in the image of its unit. */
bool definers_ask(struct build *b, struct query *queries, size_t n, struct err *err)
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

struct str definers_print(struct build *b, const struct sexp *s)
{
	struct buf text = {0};
	sexp_print(s, &text);
	struct str dup = str_dup(&b->arena, buf_str(&text));
	buf_release(&text);
	return dup;
}

void definers_read(struct query *q, FindingVec *out)
{
	struct arena a = {0};
	struct sexp *answer;
	if (sexp_read_one(&a, q->answer, &answer) && sexp_is_list(answer, 1))
		for (uint32_t i = 1; i < answer->len; i++) {
			const struct sexp *f = answer->items[i];
			if (f->kind != SEXP_LIST || f->len < 3)
				continue;
			int64_t index = sexp_int(f->items[1], -1);
			struct finding finding = {.name = definers_print(q->build, f->items[0]), .step = NO_ID};
			finding.kind = str_dup(&q->build->arena, sexp_text(f->items[2]));
			if (index >= 0 && (size_t)index < q->steps.len)
				finding.step = q->steps.ptr[index];
			vec_push(out, finding);
		}
	arena_release(&a);
}

/* "PKG::NAME" out of the driver's (KIND PACKAGE NAME). */
struct str definers_display(struct build *b, struct str form)
{
	struct arena a = {0};
	struct sexp *n;
	struct str text = form;
	if (sexp_read_one(&a, form, &n) && sexp_is_list(n, 3)) {
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

bool definers_is_function(struct str kind)
{
	return (kind.len == 8 && !strncasecmp(kind.ptr, "FUNCTION", 8)) ||
	       (kind.len == 7 && !strncasecmp(kind.ptr, "GENERIC", 7));
}

void definers_tell(struct build *b, action_id id, const struct finding *f, enum severity severity)
{
	const struct action *unit = graph_action(b->graph, id), *step = graph_action(b->graph, f->step);
	struct buf message = {0}, hint = {0};
	struct str definer = step->kind == ACTION_REQUIRE ? step->path : component_name(b, step);
	bool here = step->system != NO_ID && step->system == unit->system;
	buf_addf(&message, "undeclared dependency: %.*s is defined by ", STR_ARG(definers_display(b, f->name)));
	if (here)
		buf_addf(&message, "file \"%.*s\"", STR_ARG(definer));
	else if (step->system != NO_ID)
		buf_addf(&message, "system \"%.*s\"", STR_ARG(graph_system(b->graph, step->system)->name));
	else
		buf_addf(&message, "module \"%.*s\"", STR_ARG(definer));
	buf_addf(&message, ", which \"%.*s\" does not declare", STR_ARG(unit->label));
	/* Components depend on their siblings: what is to be declared may be a module of a module. */
	uint32_t level = 0;
	while (level + 1 < unit->ncomponent && level + 1 < step->ncomponent &&
	       str_eq(unit->component[level], step->component[level]))
		level++;
	struct action holder = *unit;
	holder.ncomponent = MIN(unit->ncomponent, level + 1);
	if (here)
		buf_addf(&hint, "add :depends-on (\"%.*s\") to component \"%.*s\" in \"%.*s\"",
		         STR_ARG(level < step->ncomponent ? step->component[level] : definer),
		         STR_ARG(component_name(b, &holder)), STR_ARG(graph_system(b->graph, unit->system)->asd));
	else
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
	report_emit(b, &d);
	buf_release(&message);
	buf_release(&hint);
}

/* The names that a failed unit's errors are about, as text of forms. */
struct str definers_of_failure(struct build *b, action_id id)
{
	struct arena a = {0};
	struct sexp *list;
	struct buf names = {0};
	if (sexp_read_one(&a, b->units[id].diagnostics, &list) && sexp_is_list(list, 1))
		for (uint32_t i = 0; i < list->len; i++) {
			const struct sexp *name = sexp_getf(list->items[i], 1, "name");
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

bool definers_find(struct build *b, action_id id, struct str names, bool all, bool before, FindingVec *out,
                   struct err *err)
{
	struct query q = {.build = b, .unit = id, .names = names};
	definers_candidates(b, id, all, before, &q.steps);
	bool ok = !q.steps.len || definers_ask(b, &q, 1, err);
	if (ok)
		definers_read(&q, out);
	vec_release(&q.steps);
	return ok;
}
