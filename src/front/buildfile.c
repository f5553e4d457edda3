/* Loading: packages wave by wave, then targets, then the table. */
#include <stdlib.h>

#include "front/buildfile_impl.h"

static void texts_release(void *ctx)
{
	struct texts *t = ctx;
	for (size_t i = 0; i < VIEW_THREADS; i++)
		arena_release(&t->arenas[i]);
	t->view.release(t->view.ctx);
	free(t);
}

void buildfile_inputs_release(struct buildfile_inputs *in)
{
	vec_release(&in->read);
	vec_release(&in->absent);
	vec_release(&in->folders);
	vec_release(&in->settings);
	arena_release(&in->arena);
	*in = (struct buildfile_inputs){0};
}

/* -- targets -- */

static bool package_known(struct loader *l, struct str dir)
{
	return map_has(&l->t->package_by_dir, dir);
}

struct pending {
	draft_id from;
	uint32_t reference;
};
struct closure_of_drafts {
	Vec(draft_id) todo;
	Vec(struct pending) pending; /* references into packages that are not loaded yet */
	StrVec wave;
	Vec(struct place) wave_places;
	struct map wave_seen;
};

static bool fail_unknown_target(struct loader *l, const struct label *label, struct str text, struct place p)
{
	struct nearest n;
	struct str same = {0}, best = {0}, prefix;
	uint64_t package = NO_PACKAGE;
	map_get(&l->t->package_by_dir, label->package, &package);
	nearest_init(&n, label->name);
	for (size_t i = 0; i < l->drafts.len; i++) {
		const struct draft *d = l->drafts.ptr[i];
		if (d->package == package) {
			size_t before = n.distance;
			nearest_offer(&n, d->b.name);
			if (n.distance < before)
				best = d->b.label;
		} else if (!same.len && str_eq(d->b.name, label->name)) {
			same = d->b.label;
		}
	}
	prefix = STR("BUILD");
	if (package != NO_PACKAGE) {
		const struct source_text *file = &l->t->files.ptr[l->t->packages.ptr[package].file];
		prefix = file->made_from.len ? file->made_from : file->path;
	}
	draft_err(l, p, "there is no target \"%.*s\": %.*s does not declare it", STR_ARG(text), STR_ARG(prefix));
	if (!best.len)
		best = same;
	if (l->err && best.len)
		err_note(l->err, "did you mean \"%.*s\"?", STR_ARG(best));
	return false;
}

static bool check_visible(struct loader *l, const struct draft *from, const struct draft *to, struct place p)
{
	struct str dir = l->t->packages.ptr[from->package].dir;
	bool ok = to->b.is_public || to->package == from->package;
	for (uint32_t i = 0; i < to->b.nvisibility && !ok; i++)
		ok = target_pattern_matches(&to->b.visibility[i], (struct label){.package = dir});
	if (ok)
		return true;
	struct buf where = {0};
	struct str owner = l->t->packages.ptr[to->package].dir;
	place_name(&l->t->files, to->b.place, &where);
	draft_err(l, p, "\"%.*s\" is not visible from package \"//%.*s\"", STR_ARG(to->b.label), STR_ARG(dir));
	if (l->err) {
		err_note(l->err, "package \"//%.*s\" owns it: %s", STR_ARG(owner), buf_cstr(&where));
		err_note(l->err, "its owner can let you in with :visibility [\"//%.*s:__pkg__\"], or [\"PUBLIC\"]",
		         STR_ARG(dir));
	}
	buf_release(&where);
	return false;
}

static void need(struct loader *l, struct closure_of_drafts *c, draft_id id)
{
	if (l->drafts.ptr[id]->needed)
		return;
	l->drafts.ptr[id]->needed = true;
	vec_push(&c->todo, id);
}

/* A reference to a package that is loaded. */
static bool follow(struct loader *l, struct closure_of_drafts *c, draft_id from, uint32_t reference)
{
	const struct draft *d = l->drafts.ptr[from];
	const struct reference *r = &d->references.ptr[reference];
	uint64_t to;
	if (!map_get(&l->draft_by_label, r->label, &to))
		return fail_unknown_target(l, &r->parts, r->label, r->place);
	if (!check_visible(l, d, l->drafts.ptr[to], r->place))
		return false;
	need(l, c, (draft_id)to);
	return true;
}

static bool expand(struct loader *l, struct closure_of_drafts *c, draft_id id)
{
	struct draft *d = l->drafts.ptr[id];
	if (!draft_resolve(l, d))
		return false;
	for (uint32_t i = 0; i < d->references.len; i++) {
		const struct reference *r = &d->references.ptr[i];
		if (package_known(l, r->parts.package)) {
			if (!follow(l, c, id, i))
				return false;
			continue;
		}
		vec_push(&c->pending, (struct pending){id, i});
		if (map_add(&c->wave_seen, r->parts.package, 0, NULL)) {
			vec_push(&c->wave, r->parts.package);
			vec_push(&c->wave_places, r->place);
		}
	}
	return true;
}

static bool close_over(struct loader *l, struct closure_of_drafts *c)
{
	for (;;) {
		while (c->todo.len)
			if (!expand(l, c, vec_pop(&c->todo)))
				return false;
		if (!c->wave.len)
			return true;
		if (!load_packages(l, &c->wave, c->wave_places.ptr))
			return false;
		for (size_t i = 0; i < c->pending.len; i++)
			if (!follow(l, c, c->pending.ptr[i].from, c->pending.ptr[i].reference))
				return false;
		vec_clear(&c->wave);
		vec_clear(&c->wave_places);
		vec_clear(&c->pending);
	}
}

/* -- what was asked for -- */

typedef Vec(struct target_pattern) Patterns;

static bool read_patterns(struct loader *l, Patterns *out)
{
	for (size_t i = 0; i < l->q->npatterns; i++) {
		struct target_pattern p;
		if (!target_pattern_parse(&l->t->arena, str_dup(&l->t->arena, l->q->patterns[i]), l->q->here, &p,
		                          l->err))
			return false;
		vec_push(out, p);
	}
	return true;
}

static bool load_requested(struct loader *l, const Patterns *patterns)
{
	StrVec dirs = {0};
	bool ok = true;
	for (size_t i = 0; i < patterns->len && ok; i++) {
		StrVec found = {0};
		if (patterns->ptr[i].kind == PATTERN_BELOW)
			ok = folder_packages(l, patterns->ptr[i].label.package, &found);
		else
			vec_push(&found, patterns->ptr[i].label.package);
		for (size_t k = 0; k < found.len; k++)
			vec_push(&dirs, found.ptr[k]);
		vec_release(&found);
	}
	strings_sort_unique(&dirs, 0);
	ok = ok && load_packages(l, &dirs, NULL);
	vec_release(&dirs);
	return ok;
}

static bool match_requested(struct loader *l, const Patterns *patterns, struct closure_of_drafts *c, U32Vec *requested)
{
	size_t n = l->drafts.len;
	bool *taken = xcalloc(n + 1, sizeof(*taken));
	bool ok = true;
	for (size_t i = 0; i < patterns->len && ok; i++) {
		const struct target_pattern *p = &patterns->ptr[i];
		struct str text = l->q->patterns[i];
		bool any = false;
		for (size_t k = 0; k < n; k++) {
			const struct draft *d = l->drafts.ptr[k];
			struct label label = {l->t->packages.ptr[d->package].dir, d->b.name};
			if (!target_pattern_matches(p, label))
				continue;
			any = true;
			if (taken[k])
				continue;
			taken[k] = true;
			vec_push(requested, (uint32_t)k);
			need(l, c, (draft_id)k);
		}
		if (any)
			continue;
		struct place nowhere = {0};
		if (p->kind == PATTERN_TARGET)
			ok = fail_unknown_target(l, &p->label, label_str(&l->t->arena, p->label), nowhere);
		else
			ok = err_set(l->err, ERR_USER, "\"%.*s\" matches no target", STR_ARG(text));
	}
	free(taken);
	return ok;
}

/* -- the table -- */

struct ordered {
	draft_id draft;
	struct str dir;
};

static int by_package(const void *a, const void *b)
{
	const struct ordered *x = a, *y = b;
	int c = str_cmp(x->dir, y->dir);
	return c ? c : (x->draft > y->draft) - (x->draft < y->draft);
}

static int by_dir(const void *a, const void *b)
{
	return str_cmp(((const struct target_package *)a)->dir, ((const struct target_package *)b)->dir);
}

/* Packages in order of folder, so that ids don't depend on the waves. */
static void sort_packages(struct loader *l)
{
	struct target_table *t = l->t;
	if (t->packages.len)
		qsort(t->packages.ptr, t->packages.len, sizeof(*t->packages.ptr), by_dir);
	for (size_t i = 0; i < t->packages.len; i++)
		map_put(&t->package_by_dir, t->packages.ptr[i].dir, i);
}

static void number_targets(struct loader *l)
{
	struct target_table *t = l->t;
	Vec(struct ordered) order = {0};
	for (size_t i = 0; i < l->drafts.len; i++)
		if (l->drafts.ptr[i]->needed)
			vec_push(&order, (struct ordered){(draft_id)i, t->packages.ptr[l->drafts.ptr[i]->package].dir});
	sort_packages(l);
	if (order.len)
		qsort(order.ptr, order.len, sizeof(*order.ptr), by_package);
	size_t package = 0;
	for (size_t i = 0; i < order.len; i++) {
		struct draft *d = l->drafts.ptr[order.ptr[i].draft];
		while (!str_eq(t->packages.ptr[package].dir, order.ptr[i].dir)) {
			t->packages.ptr[package++].end = (target_id)i;
			t->packages.ptr[package].first = (target_id)i;
		}
		d->id = (target_id)i;
		d->b.package = (package_id)package;
	}
	for (size_t i = package; i < t->packages.len; i++) {
		t->packages.ptr[i].end = (target_id)order.len;
		if (i > package)
			t->packages.ptr[i].first = (target_id)order.len;
	}
	vec_reserve(&t->targets, order.len);
	for (size_t i = 0; i < order.len; i++) {
		struct draft *d = l->drafts.ptr[order.ptr[i].draft];
		draft_finish(l, d);
		vec_push(&t->targets, d->b);
		map_put(&t->target_by_label, d->b.label, i);
	}
	vec_release(&order);
}

/* Of two targets, one writes a file and the other below a folder of that name. */
static bool check_folders(struct loader *l, const struct map *files, const struct build_target *b, struct str out)
{
	struct target_table *t = l->t;
	for (size_t i = 1; i < out.len; i++) {
		uint64_t other;
		if (out.ptr[i] != '/' || !map_get(files, str_slice(out, 0, i), &other))
			continue;
		struct buf where = {0};
		const struct build_target *file = target_get(t, (target_id)other);
		place_name(&t->files, file->place, &where);
		draft_err(l, b->place, "\"%.*s\" writes \"%.*s\", but \"%.*s\" is a file of \"%.*s\"",
		          STR_ARG(b->label), STR_ARG(out), (int)i, out.ptr, STR_ARG(file->label));
		if (l->err)
			err_note(l->err, "\"%.*s\" is at %s; give one of them another :out", STR_ARG(file->label),
			         buf_cstr(&where));
		buf_release(&where);
		return false;
	}
	return true;
}

static bool check_outputs(struct loader *l)
{
	struct target_table *t = l->t;
	struct map seen = {0};
	bool ok = true;
	for (target_id i = 0; i < t->targets.len && ok; i++) {
		const struct build_target *b = &t->targets.ptr[i];
		for (uint32_t k = 0; k < b->nouts && ok; k++) {
			uint64_t other;
			if (map_add(&seen, b->outs[k], i, &other))
				continue;
			struct buf where = {0};
			const struct build_target *first = target_get(t, (target_id)other);
			place_name(&t->files, first->place, &where);
			ok = draft_err(l, b->place, "two targets write \"%.*s\": \"%.*s\" and \"%.*s\"",
			               STR_ARG(b->outs[k]), STR_ARG(first->label), STR_ARG(b->label));
			if (l->err)
				err_note(l->err, "\"%.*s\" is at %s; give one of them another :out",
				         STR_ARG(first->label), buf_cstr(&where));
			buf_release(&where);
		}
	}
	for (target_id i = 0; i < t->targets.len && ok; i++)
		for (uint32_t k = 0; k < t->targets.ptr[i].nouts && ok; k++)
			ok = check_folders(l, &seen, &t->targets.ptr[i], t->targets.ptr[i].outs[k]);
	map_release(&seen);
	return ok;
}

static int by_label(const void *a, const void *b, void *ctx)
{
	const struct target_table *t = ctx;
	return str_cmp(target_get(t, *(const target_id *)a)->label, target_get(t, *(const target_id *)b)->label);
}

static bool load(struct loader *l)
{
	Patterns patterns = {0};
	struct closure_of_drafts c = {0};
	U32Vec requested = {0};
	bool ok = read_patterns(l, &patterns) && load_requested(l, &patterns) &&
	          match_requested(l, &patterns, &c, &requested) && close_over(l, &c);
	if (ok) {
		number_targets(l);
		for (size_t i = 0; i < requested.len; i++)
			vec_push(&l->t->requested, l->drafts.ptr[requested.ptr[i]]->id);
		if (requested.len)
			qsort_r(l->t->requested.ptr, l->t->requested.len, sizeof(target_id), by_label, l->t);
		ok = target_table_order(l->t, l->err) && check_outputs(l);
	}
	vec_release(&patterns);
	vec_release(&requested);
	vec_release(&c.todo);
	vec_release(&c.pending);
	vec_release(&c.wave);
	vec_release(&c.wave_places);
	map_release(&c.wave_seen);
	return ok;
}

static void loader_release(struct loader *l)
{
	for (size_t i = 0; i < l->drafts.len; i++)
		vec_release(&l->drafts.ptr[i]->references);
	for (size_t i = 0; i < l->modules.len; i++)
		module_release(&l->modules.ptr[i]->module);
	vec_release(&l->folders);
	vec_release(&l->modules);
	vec_release(&l->drafts);
	vec_release(&l->custom_rules);
	map_release(&l->folder_by_path);
	map_release(&l->module_by_path);
	map_release(&l->draft_by_label);
	map_release(&l->settings_seen);
	eval_release(&l->ev);
}

bool buildfile_load(const struct file_view *view, const struct buildfile_request *q, struct target_table *ret,
                    struct buildfile_inputs *inputs, struct err *err)
{
	struct loader l = {.view = *view, .q = q, .t = ret, .in = inputs, .err = err, .current = NO_PACKAGE};
	l.texts = xcalloc(1, sizeof(*l.texts));
	l.texts->view = *view;
	ret->texts = l.texts;
	ret->release_texts = texts_release;
	eval_init(&l.ev, &ret->arena, &ret->files, NULL);
	l.ev.host = loader_host(&l);
	if (q->max_steps)
		l.ev.max_steps = q->max_steps;
	for (uint32_t i = 0; i < rule_table_len; i++)
		eval_define_rule(&l.ev, rule_table[i].name, &rule_table[i]);
	eval_define_rule(&l.ev, rule_action_schema.name, &rule_action_schema);
	bool ok = load(&l);
	loader_release(&l);
	strings_sort_unique(&inputs->read, 0);
	strings_sort_unique(&inputs->absent, 0);
	strings_sort_unique(&inputs->folders, 0);
	strings_sort_unique(&inputs->settings, 0);
	return ok;
}
