/* From what was looked up, and what changed it, to who uses what. */
#include <limits.h>
#include <stdlib.h>
#include <strings.h>

#include "build/survey.h"

static int by_order(const void *pa, const void *pb, void *graph)
{
	action_id ia = *(const action_id *)pa, ib = *(const action_id *)pb;
	uint32_t a = graph_action(graph, ia)->order, b = graph_action(graph, ib)->order;
	return a != b ? (a < b ? -1 : 1) : (ia < ib ? -1 : ia > ib);
}

struct change {
	action_id step;
	struct str what;
	struct str name; /* for people */
};

struct changes {
	Vec(struct change) all;
	struct map first; /* name -> index into `all`; those of one name stand together and end where `name` differs */
	U32Vec ends;      /* by index of a name's first change: the index behind its last */
};

static struct str name_for_people(struct arena *a, const struct sexp *name)
{
	struct str package = sexp_text(name->items[1]), text = sexp_text(name->items[2]);
	if (sexp_is_keyword(name->items[0], "package"))
		return str_dup(a, package);
	return str_fmt(a, "%.*s::%.*s", STR_ARG(package), STR_ARG(text));
}

static void read_changes(struct survey *s, const struct sexp *form, const U32Vec *steps, struct changes *out)
{
	struct buf text = {0};
	for (uint32_t i = 2; form && i < form->len; i++) {
		const struct sexp *entry = form->items[i];
		if (entry->kind != SEXP_LIST || entry->len < 2 || entry->items[0]->kind != SEXP_LIST ||
		    entry->items[0]->len < 3)
			continue;
		buf_clear(&text);
		sexp_print(entry->items[0], &text);
		size_t first = out->all.len;
		for (uint32_t k = 1; k < entry->len; k++) {
			const struct sexp *change = entry->items[k];
			int64_t index =
			        change->kind == SEXP_LIST && change->len == 2 ? sexp_int(change->items[0], -1) : -1;
			if (index < 0 || (size_t)index >= steps->len)
				continue;
			vec_push(&out->all, (struct change){.step = steps->ptr[index],
			                                    .what = str_dup(&s->arena, sexp_text(change->items[1])),
			                                    .name = name_for_people(&s->arena, entry->items[0])});
		}
		if (out->all.len == first)
			continue;
		map_put(&out->first, str_dup(&s->arena, buf_str(&text)), first);
		while (out->ends.len < out->all.len)
			vec_push(&out->ends, 0);
		out->ends.ptr[first] = (uint32_t)out->all.len;
	}
	buf_release(&text);
}

static bool word_is(struct str word, const char *other)
{
	return word.len == strlen(other) && strncasecmp(word.ptr, other, word.len) == 0;
}

/* What says most about a use comes first: how much the change means to a compile. */
static unsigned weight(struct str what)
{
	static const char *const words[] = {"function", "generic", "internal", "external", "package"};
	for (unsigned i = 0; i < ARRAY_LEN(words); i++)
		if (word_is(what, words[i]))
			return i;
	return ARRAY_LEN(words);
}

struct tally {
	struct survey_file *file;
	/* By step: it is in the file's declared image. NULL: the file did not compile there. Where it did, it needs no
	 * more, whatever was looked up: CLOS asks for the classes of all methods that there are. */
	uint8_t *in_image;
	uint32_t *at;      /* by step: index into file->uses + 1 */
	unsigned *weights; /* by step */
};

static void add_use(struct tally *t, action_id step, bool needed, unsigned how_telling, struct str why)
{
	if (!t->at[step]) {
		vec_push(&t->file->uses, (struct survey_use){.step = step});
		t->at[step] = (uint32_t)t->file->uses.len;
		t->weights[step] = 0;
	}
	struct survey_use *u = &t->file->uses.ptr[t->at[step] - 1];
	u->needed |= needed;
	if (!u->why.len || how_telling > t->weights[step]) {
		u->why = why;
		t->weights[step] = how_telling;
	}
}

static struct str lower(struct arena *a, struct str s)
{
	struct buf b = {0};
	for (size_t i = 0; i < s.len; i++)
		buf_addc(&b,
		         s.ptr[i] == '-' ? ' ' : (char)(s.ptr[i] | ((s.ptr[i] >= 'A' && s.ptr[i] <= 'Z') ? 32 : 0)));
	struct str text = str_dup(a, buf_str(&b));
	buf_release(&b);
	return text;
}

/* `looked_up`: by the compiler, the loader or the reader; else merely mentioned. */
static void tally_names(struct survey *s, struct tally *t, const struct sexp *names, bool looked_up,
                        const struct changes *changes)
{
	const struct graph *g = s->build->graph;
	const struct action *self = graph_action(g, t->file->compile);
	struct buf text = {0};
	for (uint32_t i = 0; i < sexp_list_len(names); i++) {
		uint64_t first;
		buf_clear(&text);
		sexp_print(names->items[i], &text);
		if (!map_get(&changes->first, buf_str(&text), &first))
			continue;
		CHECK(changes->ends.ptr);
		for (size_t k = first; k < changes->ends.ptr[first]; k++) {
			const struct change *c = &changes->all.ptr[k];
			const struct action *step = graph_action(g, c->step);
			if (step->order >= self->order || step->kind == ACTION_ASD)
				continue;
			unsigned w = weight(c->what);
			bool enough = t->in_image && !t->in_image[c->step];
			add_use(t, c->step, looked_up && w > 1 && !enough, looked_up ? w + 1 : 0,
			        str_fmt(&s->arena, "%s%.*s %.*s", looked_up ? "" : "mentions ",
			                STR_ARG(lower(&s->arena, c->what)), STR_ARG(c->name)));
		}
	}
	buf_release(&text);
}

/* What was called while the file was compiled or loaded. */
static void tally_rows(struct survey *s, struct tally *t, const struct sexp *uses, const struct map *loads)
{
	for (uint32_t i = 0; i < sexp_list_len(uses); i++) {
		const struct sexp *use = uses->items[i];
		uint64_t load;
		if (use->kind != SEXP_LIST || use->len < 2 || !map_get(loads, sexp_text(use->items[0]), &load))
			continue;
		if (graph_action(s->build->graph, (action_id)load)->order >=
		    graph_action(s->build->graph, t->file->compile)->order)
			continue;
		add_use(t, (action_id)load, true, UINT_MAX, str_dup(&s->arena, sexp_text(use->items[1])));
	}
}

static int by_step(const void *pa, const void *pb, void *graph)
{
	const struct survey_use *a = pa, *b = pb;
	return by_order(&a->step, &b->step, graph);
}

static uint8_t *declared_image(const struct build *b, action_id id)
{
	if (b->units[id].lax)
		return NULL;
	uint8_t *in_image = xcalloc(b->graph->actions.len + 1, 1);
	struct closure c;
	U32Vec steps = {0};
	closure_init(&c, b->graph);
	closure_of(&c, id, action_kind_is_step, &steps);
	for (size_t i = 0; i < steps.len; i++) {
		action_id load = graph_action(b->graph, steps.ptr[i])->load_of;
		in_image[load == NO_ID ? steps.ptr[i] : load] = 1;
	}
	vec_release(&steps);
	closure_release(&c);
	return in_image;
}

static void tally_files(struct survey *s, const struct sexp *const *forms, const struct changes *changes)
{
	const struct graph *g = s->build->graph;
	struct map loads = {0};
	struct tally t = {.at = xcalloc(g->actions.len + 1, sizeof(*t.at)),
	                  .weights = xcalloc(g->actions.len + 1, sizeof(*t.weights))};
	for (size_t i = 0; i < g->actions.len; i++)
		if (g->actions.ptr[i].header_of != NO_ID && g->actions.ptr[i].load_of != NO_ID)
			map_put(&loads, graph_action(g, g->actions.ptr[i].header_of)->label, g->actions.ptr[i].load_of);
	for (size_t i = 0; i < s->files.len; i++) {
		t.file = &s->files.ptr[i];
		t.file->ok = forms[i] != NULL;
		if (!forms[i])
			continue;
		t.in_image = declared_image(s->build, t.file->compile);
		tally_names(s, &t, sexp_getf(forms[i], 1, "names"), true, changes);
		tally_names(s, &t, sexp_getf(forms[i], 1, "mentions"), false, changes);
		tally_rows(s, &t, sexp_getf(forms[i], 1, "uses"), &loads);
		free(t.in_image);
		for (size_t u = 0; u < t.file->uses.len; u++)
			t.at[t.file->uses.ptr[u].step] = 0;
		if (t.file->uses.len)
			qsort_r(t.file->uses.ptr, t.file->uses.len, sizeof(*t.file->uses.ptr), by_step,
			        s->build->graph);
	}
	map_release(&loads);
	free(t.at);
	free(t.weights);
}

void survey_read_uses(struct survey *s, const struct sexp *const *forms, const struct sexp *changers,
                      const U32Vec *steps)
{
	struct changes changes = {0};
	read_changes(s, changers, steps, &changes);
	tally_files(s, forms, &changes);
	map_release(&changes.first);
	vec_release(&changes.all);
	vec_release(&changes.ends);
}
