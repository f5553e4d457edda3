/* Early cutoff by recorded use: a namespace is compiled again only if something changed that its last compile used.
 *
 * The result of a compile holds *facts* (docs/CLOJURE.md): a row for each var and class that it shows to others, and
 * what it used of others. An action whose closure is *traced* has two keys beside the exact one. The first is made of
 * all but the closure's contents, and of its own sources without comments (lang/clj_code.h); under it stands what the
 * last compile used. The second adds to it what that stands for now: the rows of the vars and classes used; the classes
 * of those namespaces whose macros and inline functions ran meanwhile, and of what these rest on; the resources read.
 */
#include <stdlib.h>

#include "build/target_build.h"
#include "lang/clj_code.h"
#include "lang/sexp.h"
#include "os/fs.h"

struct unit_trace {
	struct map vars; /* "ns/name" and class names, to an index in rows */
	Vec(struct str) rows;
	struct map by_ns; /* namespace to the digest (index in sums) of all its rows */
	Vec(struct digest) sums;
	struct digest tree; /* of its outputs */
};

/* -- what a unit shows -- */

static void add_rows(struct unit_trace *t, struct arena *a, const struct sexp *of_ns)
{
	if (of_ns->kind != SEXP_LIST || of_ns->len != 2 || of_ns->items[1]->kind != SEXP_LIST)
		return;
	struct str ns = sexp_text(of_ns->items[0]);
	struct hasher *h = hasher_new(STR("tenon-clojure-rows-1"));
	for (uint32_t i = 0; i < of_ns->items[1]->len; i++) {
		const struct sexp *row = of_ns->items[1]->items[i];
		if (row->kind != SEXP_LIST || row->len != 3)
			continue;
		struct str name = sexp_text(row->items[0]), digest = sexp_text(row->items[2]);
		bool is_class = sexp_is_keyword(row->items[1], "class");
		struct str key = is_class ? name : str_fmt(a, "%.*s/%.*s", STR_ARG(ns), STR_ARG(name));
		map_put(&t->vars, key, t->rows.len);
		vec_push(&t->rows, digest);
		hasher_str(h, "name", name);
		hasher_str(h, "row", digest);
	}
	map_put(&t->by_ns, ns, t->sums.len);
	vec_push(&t->sums, hasher_end(h));
}

static const struct unit_trace *trace_of(struct target_build *b, action_id id)
{
	struct target_unit *u = &b->units[id];
	struct sexp *list;
	if (u->trace)
		return u->trace;
	struct unit_trace *t = u->trace = arena_new(&b->arena, struct unit_trace);
	if (u->facts.len && sexp_read(&b->arena, STR("<facts>"), u->facts, SEXP_LISP, &list, NULL) && list->len) {
		const struct sexp *rows = sexp_getf(list->items[0], 0, "rows");
		for (uint32_t i = 0; i < sexp_list_len(rows); i++)
			add_rows(t, &b->arena, rows->items[i]);
	}
	struct hasher *h = hasher_new(STR("tenon-clojure-tree-1"));
	for (size_t i = 0; i < u->noutputs; i++) {
		hasher_str(h, "path", u->outputs[i].path);
		hasher_digest(h, "content", &u->outputs[i].digest);
	}
	t->tree = hasher_end(h);
	return t;
}

struct digest target_trace_tree(struct target_build *b, action_id id)
{
	return trace_of(b, id)->tree;
}

void target_trace_release(struct target_unit *u)
{
	if (!u->trace)
		return;
	map_release(&u->trace->vars);
	vec_release(&u->trace->rows);
	map_release(&u->trace->by_ns);
	vec_release(&u->trace->sums);
	u->trace = NULL;
}

/* -- what a compile sees -- */

struct seen {
	struct target_build *build;
	struct map units; /* namespace to the action that compiles it */
};

static void see_closure(struct target_build *b, action_id id, struct seen *ret)
{
	const struct target_action *t = target_build_action(b, id);
	*ret = (struct seen){.build = b};
	for (size_t i = 0; i < t->inputs.len; i++) {
		const struct target_file_ref *f = &t->inputs.ptr[i];
		if (!f->traced || f->producer == NO_ID)
			continue;
		const struct unit_trace *shown = trace_of(b, f->producer);
		for (size_t k = 0; k < shown->by_ns.entries.len; k++)
			map_put(&ret->units, shown->by_ns.entries.ptr[k].key, f->producer);
	}
}

static struct str row_of(const struct seen *s, struct str ns, struct str key)
{
	uint64_t unit, row;
	if (!map_get(&s->units, ns, &unit))
		return STR("none");
	const struct unit_trace *t = trace_of(s->build, (action_id)unit);
	return map_get(&t->vars, key, &row) ? t->rows.ptr[row] : STR("none");
}

/* A class is somebody's of the closure, if it is anybody's of the project. */
static struct str class_row(const struct seen *s, struct str name)
{
	uint64_t row;
	for (size_t i = 0; i < s->units.entries.len; i++) {
		const struct unit_trace *t = trace_of(s->build, (action_id)s->units.entries.ptr[i].value);
		if (map_get(&t->vars, name, &row))
			return t->rows.ptr[row];
	}
	return STR("none");
}

/* All that the namespace's code may have run: its classes, and those of its own closure. */
static struct digest code_of(const struct seen *s, uint64_t unit)
{
	struct target_build *b = s->build;
	const struct target_action *t = target_build_action(b, (action_id)unit);
	struct hasher *h = hasher_new(STR("tenon-clojure-code-1"));
	hasher_digest(h, "tree", &trace_of(b, (action_id)unit)->tree);
	for (size_t i = 0; i < t->inputs.len; i++) {
		const struct target_file_ref *f = &t->inputs.ptr[i];
		if (f->traced && f->producer != NO_ID) {
			hasher_str(h, "below", f->path);
			hasher_digest(h, "tree", &trace_of(b, f->producer)->tree);
		}
	}
	return hasher_end(h);
}

static const struct sexp *list_of(const struct sexp *facts, const char *name)
{
	const struct sexp *v = sexp_getf(facts, 0, name);
	return v && v->kind == SEXP_LIST ? v : NULL;
}

static bool ends_in(struct str path, struct str name)
{
	return path.len > name.len && str_has_suffix(path, name) && path.ptr[path.len - name.len - 1] == '/';
}

/* -- each thing used, and what it is now -- */

struct telling {
	struct target_build *build;
	struct seen seen;
	target_use_fn *fn;
	void *ctx;
};

static void tell(const struct telling *t, enum target_use kind, struct str name, struct str state)
{
	t->fn(t->ctx, &(struct target_used){kind, name, state});
}

static void tell_digest(const struct telling *t, enum target_use kind, struct str name, const struct digest *d)
{
	char hex[DIGEST_HEX + 1];
	digest_hex(d, hex);
	tell(t, kind, name, str_from(hex));
}

static void tell_resources(const struct telling *t, const struct target_unit *u, const struct sexp *names)
{
	for (uint32_t i = 0; names && i < names->len; i++)
		for (size_t k = 0; k < u->ninputs; k++) {
			const struct exec_input *in = &u->inputs[k];
			if ((in->traced || in->code) && str_has_prefix(in->path, STR("src/")) &&
			    ends_in(in->path, sexp_text(names->items[i])))
				tell_digest(t, TARGET_USE_RESOURCE, str_drop(in->path, 4), &in->digest);
		}
}

/* Namespaces of which every var is referred. */
static void tell_refers(const struct telling *t, const struct sexp *names)
{
	uint64_t unit, sum;
	for (uint32_t i = 0; names && i < names->len; i++) {
		struct str ns = sexp_text(names->items[i]);
		if (!map_get(&t->seen.units, ns, &unit))
			continue;
		const struct unit_trace *shown = trace_of(t->build, (action_id)unit);
		if (map_get(&shown->by_ns, ns, &sum))
			tell_digest(t, TARGET_USE_ALL_VARS, ns, &shown->sums.ptr[sum]);
	}
}

/* Namespaces whose macros and inline functions ran. */
static void tell_code(const struct telling *t, const struct sexp *expanded)
{
	struct map done = {0};
	uint64_t unit;
	for (uint32_t i = 0; expanded && i < expanded->len; i++) {
		struct str name = sexp_text(expanded->items[i]), ns = str_slice(name, 0, str_find(name, '/'));
		if (!map_get(&t->seen.units, ns, &unit) || !map_add(&done, ns, 0, NULL))
			continue;
		struct digest d = code_of(&t->seen, unit);
		tell_digest(t, TARGET_USE_CODE, ns, &d);
	}
	map_release(&done);
}

/* Whatever lies below. */
static void tell_trees(const struct telling *t, action_id id)
{
	const struct target_action *a = target_build_action(t->build, id);
	for (size_t i = 0; i < a->inputs.len; i++) {
		const struct target_file_ref *f = &a->inputs.ptr[i];
		if (f->traced && f->producer != NO_ID)
			tell_digest(t, TARGET_USE_CODE, target_build_action(t->build, f->producer)->label,
			            &trace_of(t->build, f->producer)->tree);
	}
}

bool target_trace_uses(struct target_build *b, action_id id, struct str facts, target_use_fn *fn, void *ctx)
{
	struct arena a = {0};
	struct sexp *list;
	bool ok = sexp_read(&a, STR("<facts>"), facts, SEXP_LISP, &list, NULL) && list->len == 1 &&
	          sexp_getf(list->items[0], 0, "rows") != NULL;
	if (ok) {
		struct telling t = {.build = b, .fn = fn, .ctx = ctx};
		const struct sexp *f = list->items[0];
		const struct sexp *uses = list_of(f, "uses"), *classes = list_of(f, "classes");
		see_closure(b, id, &t.seen);
		for (uint32_t i = 0; uses && i < uses->len; i++) {
			struct str name = sexp_text(uses->items[i]), ns = str_slice(name, 0, str_find(name, '/'));
			tell(&t, TARGET_USE_VAR, name, row_of(&t.seen, ns, name));
		}
		for (uint32_t i = 0; classes && i < classes->len; i++) {
			struct str name = sexp_text(classes->items[i]);
			tell(&t, TARGET_USE_CLASS, name, class_row(&t.seen, name));
		}
		tell_refers(&t, list_of(f, "refers-all"));
		tell_code(&t, list_of(f, "expanded"));
		if (sexp_getf(f, 0, "all"))
			tell_trees(&t, id);
		tell_resources(&t, &b->units[id], list_of(f, "resources"));
		map_release(&t.seen.units);
	}
	arena_release(&a);
	return ok;
}

/* -- the keys -- */

/* What the reader sees of it. False: that is doubtful, or it is not what was digested any more. */
static bool code_digest(const struct exec_input *in, struct digest *ret)
{
	struct str text;
	if (!fs_map(in->file, &text, NULL))
		return false;
	struct digest all = digest_of(text);
	bool ok = digest_eq(&all, &in->digest) && clj_code_digest(text, ret);
	fs_unmap(text);
	return ok;
}

const struct digest *target_trace_first_key(const struct target_build *b, struct target_unit *u)
{
	struct digest code;
	if (u->has_first_key)
		return &u->first_key;
	struct hasher *h = hasher_new(STR("tenon-target-first-1"));
	hasher_digest(h, "definition", &u->definition);
	for (size_t i = 0; i < b->session->environment.len; i++)
		hasher_str(h, "environment", b->session->environment.ptr[i]);
	for (size_t i = 0; i < u->ninputs; i++) {
		/* Of folders of classes the definition says which; files in them come and go. */
		if (u->inputs[i].traced && !str_has_prefix(u->inputs[i].path, STR("src/")))
			continue;
		hasher_str(h, "input", u->inputs[i].path);
		if (u->inputs[i].code && code_digest(&u->inputs[i], &code))
			hasher_digest(h, "code", &code);
		else if (!u->inputs[i].traced)
			hasher_digest(h, "content", &u->inputs[i].digest);
	}
	u->first_key = hasher_end(h);
	u->has_first_key = true;
	return &u->first_key;
}

static void hash_use(void *ctx, const struct target_used *u)
{
	hasher_u64(ctx, "kind", u->kind);
	hasher_str(ctx, "name", u->name);
	hasher_str(ctx, "state", u->state);
}

/* The key by what was used. False: the facts can't be read. */
static bool key_by_use(struct target_build *b, action_id id, struct str facts, struct digest *ret)
{
	struct hasher *h = hasher_new(STR("tenon-target-used-3"));
	hasher_digest(h, "first", target_trace_first_key(b, &b->units[id]));
	bool ok = target_trace_uses(b, id, facts, hash_use, h);
	*ret = hasher_end(h);
	return ok;
}

/* -- for target_unit.c -- */

bool target_trace_has(const struct target_build *b, action_id id)
{
	const struct target_unit *u = &b->units[id];
	for (size_t i = 0; i < u->ninputs; i++)
		if (u->inputs[i].traced || u->inputs[i].code)
			return true;
	return false;
}

bool target_trace_facts(struct target_build *b, action_id id, struct str *ret, bool *ret_known, struct err *err)
{
	struct action_result r;
	if (!store_get_action(b->session->store, &b->arena, target_trace_first_key(b, &b->units[id]), false, &r,
	                      ret_known, err))
		return false;
	if (*ret_known)
		*ret = r.facts;
	return true;
}

bool target_trace_key(struct target_build *b, action_id id, struct digest *ret, bool *ret_known, struct err *err)
{
	struct str facts;
	if (!target_trace_facts(b, id, &facts, ret_known, err))
		return false;
	*ret_known = *ret_known && key_by_use(b, id, facts, ret);
	return true;
}

bool target_trace_keep(struct target_build *b, action_id id, const struct action_result *result, struct err *err)
{
	struct digest key;
	struct action_result used = {.facts = result->facts, .label = result->label};
	if (!key_by_use(b, id, result->facts, &key))
		return true;
	return store_put_action(b->session->store, target_trace_first_key(b, &b->units[id]), &used, err) &&
	       store_put_action(b->session->store, &key, result, err);
}
