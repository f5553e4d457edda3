#include "build/survey.h"

#include <stdlib.h>

#include "os/fs.h"
#include "os/interrupt.h"

/* One question to one process. */
struct question {
	struct build *build;
	struct pool_job job;
	node_id node;
	struct buf act;
	struct str label;  /* what is asked about */
	struct digest key; /* of the answer, in the store */
	struct str answer; /* empty: none yet */
	char *scratch;
	bool started, done;
};

static void on_answer(struct pool_job *job, const struct pool_result *r)
{
	struct question *q = job->ctx;
	q->done = true;
	if (r->outcome == POOL_ANSWERED)
		q->answer = str_dup(&q->build->arena, r->text);
	else
		session_note(q->build->session, NOTE_DEBUG, "\"%.*s\" could not be surveyed: %.*s", STR_ARG(q->label),
		             STR_ARG(r->text));
	if (q->scratch)
		fs_remove_tree(q->scratch, NULL);
}

static bool recall(struct question *q, struct err *err)
{
	struct buf text = {0};
	bool found, ok = store_get_text(q->build->session->store, &q->key, &text, &found, err);
	q->done = ok && found;
	if (q->done)
		q->answer = str_dup(&q->build->arena, buf_str(&text));
	buf_release(&text);
	return ok;
}

static void start(struct question *q)
{
	struct session *s = q->build->session;
	q->job = (struct pool_job){.node = q->node,
	                           .act = buf_str(&q->act),
	                           .label = STR("survey"),
	                           .timeout_ms = s->options.timeout_s * 1000,
	                           .alone = true,
	                           .done = on_answer,
	                           .ctx = q};
	q->started = true;
	pool_start(s->pool, &q->job); /* may answer at once */
}

/* Starts what can start. True while answers are to come. */
static bool keep_asking(struct question *qs, size_t n)
{
	const struct session *s = qs[0].build->session;
	size_t open = 0, running = 0;
	for (size_t i = 0; i < n; i++)
		running += qs[i].started && !qs[i].done;
	for (size_t i = 0; i < n; i++) {
		struct question *q = &qs[i];
		if (!q->started && !q->done && running < s->options.jobs && pool_can_start(s->pool, q->node)) {
			start(q);
			running += !q->done;
		}
		open += !q->done;
	}
	return open > 0;
}

/* Asks those that have no answer yet, in images of `tree`, and keeps the answers. */
static bool ask(struct build *b, struct question *qs, size_t n, struct image_tree *tree, struct err *err)
{
	struct session *s = b->session;
	bool all = true, ok = true;
	for (size_t i = 0; i < n; i++)
		all &= qs[i].done;
	if (all)
		return true;
	if (!session_pool(s, err))
		return false;
	*s->pool_graph = b->graph;
	for (size_t i = 0; i < n; i++)
		if (!qs[i].done)
			image_tree_unsettle(tree, qs[i].node);
	pool_set_tree(s->pool, tree, b->graph);
	while (ok && keep_asking(qs, n)) {
		loop_run_once(s->loop, true);
		ok = interrupt_check(err);
	}
	pool_set_tree(s->pool, NULL, NULL);
	for (size_t i = 0; ok && i < n; i++)
		if (qs[i].started && qs[i].answer.len)
			ok = store_put_text(s->store, &qs[i].key, qs[i].answer, err);
	return ok;
}

static void release_questions(struct question *qs, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_release(&qs[i].act);
	free(qs);
}

/* -- images: one chain of all steps -- */

struct chain {
	U32Vec steps;           /* in ASDF's order */
	node_id *nodes;         /* after each step */
	struct digest *digests; /* of the steps up to each */
};

static int by_order(const void *pa, const void *pb, void *graph)
{
	action_id ia = *(const action_id *)pa, ib = *(const action_id *)pb;
	uint32_t a = graph_action(graph, ia)->order, b = graph_action(graph, ib)->order;
	return a != b ? (a < b ? -1 : 1) : (ia < ib ? -1 : ia > ib);
}

/* By action: loads of FASLs that stand below a file which has no header. What computes too much for an interpreter is
 * not to be loaded among headers either. */
static uint8_t *below_fasls(const struct graph *g)
{
	uint8_t *below = xcalloc(g->actions.len + 1, 1);
	struct closure c;
	U32Vec steps = {0};
	closure_init(&c, g);
	for (size_t i = 0; i < g->actions.len; i++)
		if (g->actions.ptr[i].header_side && g->actions.ptr[i].kind == ACTION_LOAD)
			closure_of(&c, (action_id)i, action_kind_is_step, &steps);
	for (size_t i = 0; i < steps.len; i++)
		below[steps.ptr[i]] = 1;
	vec_release(&steps);
	closure_release(&c);
	return below;
}

/* All steps, with headers where files have them, or with nothing but FASLs. */
static void chain_build(struct chain *c, const struct build *b, bool headers, struct image_tree *tree)
{
	const struct graph *g = b->graph;
	uint8_t *fasl = below_fasls(g);
	for (size_t i = 0; i < g->actions.len; i++) {
		const struct action *a = &g->actions.ptr[i];
		if (action_kind_is_step(a->kind) && (headers ? a->twin == NO_ID : !a->header_side))
			vec_push(&c->steps,
			         headers && a->load_of != NO_ID && fasl[a->load_of] ? a->load_of : (uint32_t)i);
	}
	free(fasl);
	if (c->steps.len)
		qsort_r(c->steps.ptr, c->steps.len, sizeof(*c->steps.ptr), by_order, b->graph);
	c->nodes = xcalloc(c->steps.len + 1, sizeof(*c->nodes));
	c->digests = xcalloc(c->steps.len + 1, sizeof(*c->digests));
	node_id at = 0;
	struct digest d = {{0}};
	for (size_t i = 0; i < c->steps.len; i++) {
		action_id step = c->steps.ptr[i], load = graph_action(g, step)->load_of;
		struct hasher *h = hasher_new(STR("tenon-chain-1"));
		hasher_digest(h, "before", &d);
		hasher_digest(h, "step", &b->units[load == NO_ID ? step : load].contribution);
		d = hasher_end(h);
		at = image_tree_child(tree, at, step);
		c->nodes[i] = at;
		c->digests[i] = d;
	}
}

static void chain_release(struct chain *c)
{
	vec_release(&c->steps);
	free(c->nodes);
	free(c->digests);
}

/* How many steps precede the action. */
static size_t chain_before(const struct chain *c, const struct graph *g, action_id id)
{
	size_t n = 0;
	while (n < c->steps.len && graph_action(g, c->steps.ptr[n])->order < graph_action(g, id)->order)
		n++;
	return n;
}

/* -- files -- */

static bool prepare_file(struct question *q, struct build *b, const struct chain *c, action_id id, struct err *err)
{
	struct session *s = b->session;
	size_t n = chain_before(c, b->graph, id);
	*q = (struct question){.build = b, .node = n ? c->nodes[n - 1] : 0, .label = graph_action(b->graph, id)->label};
	struct hasher *h = hasher_new(STR("tenon-survey-1"));
	hasher_digest(h, "key", &b->units[id].key);
	if (n)
		hasher_digest(h, "image", &c->digests[n - 1]);
	for (uint32_t i = 0; i < graph_action(b->graph, id)->ninputs; i++)
		hasher_digest(h, "input", &b->units[id].facts.inputs[i]);
	q->key = hasher_end(h);
	if (!recall(q, err))
		return false;
	if (q->done)
		return true;
	if (!store_scratch(s->store, &b->arena, &q->scratch, err))
		return false;
	struct buf act = {0};
	struct lisp_act how = {.out_root = s->out_dir, .scratch = q->scratch};
	lisp_act_text(&s->rules, b->graph, graph_action(b->graph, id), &how, &act);
	buf_addz(&q->act, "(:survey");
	buf_adds(&q->act, str_drop(buf_str(&act), strlen("(:act")));
	buf_release(&act);
	return true;
}

static struct sexp *parse_answer(struct arena *a, struct str text, const char *head)
{
	struct sexp *form;
	if (!sexp_read_one(a, text, &form) || !sexp_is_list(form, 1) || !sexp_is_keyword(form->items[0], head))
		return NULL;
	return form;
}

/* The answer, if the file was compiled and loaded. */
static const struct sexp *surveyed(struct arena *a, struct str text)
{
	const struct sexp *form = parse_answer(a, text, "surveyed");
	return form && sexp_is_keyword(sexp_getf(form, 1, "status"), "ok") && !sexp_is_nil(sexp_getf(form, 1, "loaded"))
	               ? form
	               : NULL;
}

/* Surveys the files that have no answer: among headers, or among FASLs. */
static bool ask_files(struct survey *s, bool headers, struct str *answers, struct err *err)
{
	struct build *b = s->build;
	struct image_tree tree;
	struct chain chain = {0};
	struct question *qs = xcalloc(s->files.len + 1, sizeof(*qs));
	uint32_t *file_of = xcalloc(s->files.len + 1, sizeof(*file_of));
	size_t n = 0;
	bool ok = true;
	image_tree_bare(&tree);
	tree.graph = b->graph;
	chain_build(&chain, b, headers, &tree);
	for (size_t i = 0; ok && i < s->files.len; i++) {
		struct arena a = {0};
		if (!surveyed(&a, answers[i])) {
			file_of[n] = (uint32_t)i;
			ok = prepare_file(&qs[n++], b, &chain, s->files.ptr[i].compile, err);
		}
		arena_release(&a);
	}
	ok = ok && ask(b, qs, n, &tree, err);
	for (size_t i = 0; i < n; i++)
		answers[file_of[i]] = qs[i].answer;
	release_questions(qs, n);
	free(file_of);
	chain_release(&chain);
	image_tree_release(&tree);
	return ok;
}

/* -- changers -- */

/* All names that were looked up or mentioned, each once. */
static void collect_names(struct survey *s, const struct sexp **forms, const char *key, struct map *names)
{
	struct buf text = {0};
	for (size_t i = 0; i < s->files.len; i++) {
		const struct sexp *list = forms[i] ? sexp_getf(forms[i], 1, key) : NULL;
		for (uint32_t k = 0; list && list->kind == SEXP_LIST && k < list->len; k++) {
			buf_clear(&text);
			sexp_print(list->items[k], &text);
			if (!map_has(names, buf_str(&text)))
				map_put(names, str_dup(&s->arena, buf_str(&text)), 0);
		}
	}
	buf_release(&text);
}

static bool ask_changers(struct build *b, const struct map *names, U32Vec *ret_steps, struct str *ret, struct err *err)
{
	struct image_tree tree;
	struct chain chain = {0};
	struct question *q = xcalloc(1, sizeof(*q));
	image_tree_bare(&tree);
	tree.graph = b->graph;
	chain_build(&chain, b, false, &tree);
	*q = (struct question){.build = b, .label = STR("all")};
	struct hasher *h = hasher_new(STR("tenon-changers-1"));
	if (chain.steps.len)
		hasher_digest(h, "steps", &chain.digests[chain.steps.len - 1]);
	buf_addz(&q->act, "(:changers ");
	sexp_print_string(str_from(b->session->out_dir), &q->act);
	buf_addz(&q->act, " (");
	for (size_t i = 0; i < names->entries.len; i++) {
		hasher_str(h, "name", names->entries.ptr[i].key);
		buf_adds(&q->act, names->entries.ptr[i].key);
		buf_addc(&q->act, '\n');
	}
	buf_addc(&q->act, ')');
	for (size_t i = 0; i < chain.steps.len; i++) {
		buf_addc(&q->act, '\n');
		lisp_step_text(b->graph, graph_action(b->graph, chain.steps.ptr[i]), &q->act);
		vec_push(ret_steps, chain.steps.ptr[i]);
	}
	buf_addc(&q->act, ')');
	hasher_digest(h, "base", &b->session->rules.base);
	q->key = hasher_end(h);
	bool ok = recall(q, err) && ask(b, q, 1, &tree, err);
	*ret = q->answer;
	release_questions(q, 1);
	chain_release(&chain);
	image_tree_release(&tree);
	return ok;
}

/* -- all together -- */

static void find_files(struct survey *s, const system_id *systems, size_t n)
{
	const struct graph *g = s->build->graph;
	U32Vec ids = {0};
	for (size_t i = 0; i < g->actions.len; i++)
		for (size_t k = 0; k < n; k++)
			if (g->actions.ptr[i].kind == ACTION_COMPILE && g->actions.ptr[i].system == systems[k])
				vec_push(&ids, (uint32_t)i);
	if (ids.len)
		qsort_r(ids.ptr, ids.len, sizeof(*ids.ptr), by_order, s->build->graph);
	for (size_t i = 0; i < ids.len; i++)
		vec_push(&s->files, (struct survey_file){.compile = ids.ptr[i]});
	vec_release(&ids);
}

bool survey_run(struct survey *s, struct build *b, const system_id *systems, size_t n, struct err *err)
{
	struct arena forms_arena = {0};
	struct map names = {0};
	U32Vec steps = {0};
	struct str answer = {0};
	*s = (struct survey){.build = b};
	find_files(s, systems, n);
	struct str *answers = xcalloc(s->files.len + 1, sizeof(*answers));
	const struct sexp **forms = xcalloc(s->files.len + 1, sizeof(struct sexp *));
	/* What can't be compiled among headers is surveyed among FASLs. */
	bool ok = ask_files(s, true, answers, err) && ask_files(s, false, answers, err);
	for (size_t i = 0; ok && i < s->files.len; i++)
		forms[i] = surveyed(&forms_arena, answers[i]);
	if (ok) {
		collect_names(s, forms, "names", &names);
		collect_names(s, forms, "mentions", &names);
	}
	ok = ok && ask_changers(b, &names, &steps, &answer, err);
	if (ok) {
		const struct sexp *form = parse_answer(&forms_arena, answer, "changers");
		if (form)
			survey_read_uses(s, forms, form, &steps);
		else
			ok = err_set(err, ERR_BUG, "the driver does not say where names come from");
	}
	free(answers);
	free(forms);
	map_release(&names);
	vec_release(&steps);
	arena_release(&forms_arena);
	return ok;
}

bool survey_load(struct build *b, U32Vec *ret_failed, struct err *err)
{
	struct arena a = {0};
	struct map names = {0};
	U32Vec steps = {0};
	struct str answer = {0};
	bool ok = ask_changers(b, &names, &steps, &answer, err);
	const struct sexp *form = ok ? parse_answer(&a, answer, "changers") : NULL;
	if (ok && (!form || form->len < 2))
		ok = err_set(err, ERR_ACTION, "the systems could not be loaded: the Lisp process died");
	for (uint32_t i = 0; ok && form->items[1]->kind == SEXP_LIST && i < form->items[1]->len; i++) {
		int64_t index = sexp_int(form->items[1]->items[i], -1);
		if (index >= 0 && (size_t)index < steps.len)
			vec_push(ret_failed, steps.ptr[index]);
	}
	vec_release(&steps);
	arena_release(&a);
	return ok;
}

void survey_release(struct survey *s)
{
	for (size_t i = 0; i < s->files.len; i++)
		vec_release(&s->files.ptr[i].uses);
	vec_release(&s->files);
	arena_release(&s->arena);
}
