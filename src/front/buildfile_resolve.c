/* The files and targets that attributes name are looked for. */
#include <stdlib.h>

#include "front/buildfile_impl.h"
#include "lang/glob.h"

void draft_refer(struct loader *l, struct draft *d, struct str text, struct place p)
{
	struct reference r = {.place = p};
	/* Its syntax was checked when it was declared. */
	CHECK(label_parse(text, l->t->packages.ptr[d->package].dir, &r.parts, NULL));
	bool whole = text.ptr[0] == '/' && str_find(text, ':') < text.len;
	r.label = whole ? text : label_str(&l->t->arena, r.parts);
	vec_push(&d->references, r);
}

static bool add_files(struct loader *l, struct draft *d, struct value v, struct place p, StrVec *files)
{
	struct str dir = l->t->packages.ptr[d->package].dir;
	size_t before = files->len;
	StrVec patterns = {0};
	struct err why = {0};
	if (!glob_has_magic(v.text)) {
		if (!file_check(l, dir, v.text, place_or(v, p)))
			return false;
		vec_push(files, v.text);
		return true;
	}
	bool ok = glob_expand(&l->t->arena, v.text, &patterns, &why);
	if (!ok)
		draft_err(l, place_or(v, p), "%s", buf_cstr(&why.message));
	err_clear(&why);
	for (size_t i = 0; i < patterns.len && ok; i++)
		ok = glob_files(l, dir, patterns.ptr[i], place_or(v, p), files);
	vec_release(&patterns);
	if (ok && files->len == before) {
		draft_err(l, place_or(v, p), "\"%.*s\" matches no file", STR_ARG(v.text));
		return draft_note(l, "if that is right, write (glob ... :allow-empty true)");
	}
	return ok;
}

/* As written; what a pattern matches, in order of names; each file once. */
static bool resolve_sources(struct loader *l, struct draft *d, struct attr *a, struct value *raw)
{
	struct arena *arena = &l->t->arena;
	struct str dir = l->t->packages.ptr[d->package].dir;
	const struct value *items;
	uint32_t n;
	Vec(struct attr_source) sources = {0};
	StrVec files = {0};
	struct map seen = {0};
	bool ok = true;
	value_as_list(raw, &items, &n);
	for (uint32_t i = 0; i < n && ok; i++) {
		if (label_looks_like(items[i].text)) {
			/* For now with the number of its reference. */
			vec_push(&sources, ((struct attr_source){.target = (target_id)d->references.len}));
			draft_refer(l, d, items[i].text, place_or(items[i], a->place));
			continue;
		}
		vec_clear(&files);
		ok = add_files(l, d, items[i], a->place, &files);
		strings_sort_unique(&files, 0);
		for (size_t k = 0; k < files.len; k++)
			if (map_add(&seen, files.ptr[k], 0, NULL))
				vec_push(&sources,
				         ((struct attr_source){path_below_dir(arena, dir, files.ptr[k]), NO_TARGET}));
	}
	if (ok) {
		a->len = (uint32_t)sources.len;
		a->sources = arena_new_n(arena, struct attr_source, a->len);
		if (a->len)
			memcpy(a->sources, sources.ptr, a->len * sizeof(*a->sources));
	}
	vec_release(&sources);
	vec_release(&files);
	map_release(&seen);
	return ok;
}

static bool resolve_attrs(struct loader *l, struct draft *d, struct attr *attrs, uint32_t n, struct value *raw)
{
	for (uint32_t i = 0; i < n; i++) {
		struct attr *a = &attrs[i];
		if (a->type == ATTR_SOURCE || a->type == ATTR_SOURCES) {
			if (!resolve_sources(l, d, a, &raw[i]))
				return false;
			if (a->type == ATTR_SOURCE && a->len != 1)
				return draft_err(l, a->place, ":%.*s wants one file, not %u", STR_ARG(a->name), a->len);
		} else if (a->type == ATTR_LABEL || a->type == ATTR_LABELS) {
			const struct value *items;
			value_as_list(&raw[i], &items, &a->len);
			a->labels = arena_new_n(&l->t->arena, target_id, a->len);
			for (uint32_t k = 0; k < a->len; k++) {
				a->labels[k] = (target_id)d->references.len;
				draft_refer(l, d, items[k].text, place_or(items[k], a->place));
			}
		}
	}
	return true;
}

bool draft_resolve(struct loader *l, struct draft *d)
{
	if (!resolve_attrs(l, d, d->b.attrs, d->b.nattrs, d->raw))
		return false;
	for (uint32_t i = 0; i < d->b.nactions; i++)
		if (!resolve_attrs(l, d, d->b.actions[i].attrs, d->b.actions[i].nattrs, d->action_raw[i]))
			return false;
	return true;
}

static target_id id_of(struct loader *l, const struct draft *d, target_id reference)
{
	uint64_t i;
	CHECK(map_get(&l->draft_by_label, d->references.ptr[reference].label, &i));
	return l->drafts.ptr[i]->id;
}

static void finish_attrs(struct loader *l, struct draft *d, struct attr *attrs, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		struct attr *a = &attrs[i];
		for (uint32_t k = 0; k < a->len && (a->type == ATTR_LABEL || a->type == ATTR_LABELS); k++)
			a->labels[k] = id_of(l, d, a->labels[k]);
		for (uint32_t k = 0; k < a->len && (a->type == ATTR_SOURCE || a->type == ATTR_SOURCES); k++)
			if (a->sources[k].target != NO_TARGET)
				a->sources[k].target = id_of(l, d, a->sources[k].target);
	}
}

void draft_finish(struct loader *l, struct draft *d)
{
	struct build_target *b = &d->b;
	finish_attrs(l, d, b->attrs, b->nattrs);
	for (uint32_t i = 0; i < b->nactions; i++)
		finish_attrs(l, d, b->actions[i].attrs, b->actions[i].nattrs);
	b->deps = arena_new_n(&l->t->arena, target_id, d->references.len);
	for (size_t i = 0; i < d->references.len; i++) {
		target_id id = id_of(l, d, (target_id)i);
		bool seen = false;
		for (uint32_t k = 0; k < b->ndeps && !seen; k++)
			seen = b->deps[k] == id;
		if (!seen)
			b->deps[b->ndeps++] = id;
	}
}
