#include "graph/target.h"

#include <stdarg.h>
#include <stdlib.h>

const char *attr_type_name(enum attr_type t)
{
	static const char *const names[ATTR_TYPES] = {
	        [ATTR_STRING] = "a string",
	        [ATTR_STRINGS] = "a list of strings",
	        [ATTR_BOOL] = "true or false",
	        [ATTR_INT] = "an integer",
	        [ATTR_MAP] = "a map to strings",
	        [ATTR_LABEL] = "a label",
	        [ATTR_LABELS] = "a list of labels",
	        [ATTR_SOURCE] = "a file or a label",
	        [ATTR_SOURCES] = "a list of files, patterns and labels",
	        [ATTR_COMMANDS] = "a list of commands, each a list of strings",
	};
	return names[t];
}

void target_table_release(struct target_table *t)
{
	if (t->release_texts)
		t->release_texts(t->texts);
	vec_release(&t->targets);
	vec_release(&t->packages);
	vec_release(&t->files);
	vec_release(&t->requested);
	vec_release(&t->by_order);
	map_release(&t->target_by_label);
	map_release(&t->package_by_dir);
	arena_release(&t->arena);
	*t = (struct target_table){0};
}

const struct build_target *target_get(const struct target_table *t, target_id id)
{
	CHECK(id < t->targets.len);
	return &t->targets.ptr[id];
}

target_id target_find(const struct target_table *t, struct str label)
{
	uint64_t id;
	return map_get(&t->target_by_label, label, &id) ? (target_id)id : NO_TARGET;
}

struct str target_dir(const struct target_table *t, target_id id)
{
	return t->packages.ptr[target_get(t, id)->package].dir;
}

const struct attr *attr_find(const struct attr *attrs, uint32_t n, const char *name)
{
	for (uint32_t i = 0; i < n; i++)
		if (str_eqc(attrs[i].name, name))
			return &attrs[i];
	return NULL;
}

const struct attr *target_attr(const struct build_target *b, const char *name)
{
	return attr_find(b->attrs, b->nattrs, name);
}

static const struct attr *typed(const struct build_target *b, const char *name, enum attr_type type)
{
	const struct attr *a = target_attr(b, name);
	if (a && a->type != type)
		BUG("attribute %s of %.*s is %s, not %s", name, STR_ARG(b->rule), attr_type_name(a->type),
		    attr_type_name(type));
	return a;
}

struct str target_string(const struct build_target *b, const char *name, struct str otherwise)
{
	const struct attr *a = typed(b, name, ATTR_STRING);
	return a ? a->string : otherwise;
}

bool target_bool(const struct build_target *b, const char *name, bool otherwise)
{
	const struct attr *a = typed(b, name, ATTR_BOOL);
	return a ? a->boolean : otherwise;
}

int64_t target_int(const struct build_target *b, const char *name, int64_t otherwise)
{
	const struct attr *a = typed(b, name, ATTR_INT);
	return a ? a->integer : otherwise;
}

bool target_visible_from(const struct target_table *t, target_id id, struct str dir)
{
	const struct build_target *b = target_get(t, id);
	if (b->is_public || str_eq(target_dir(t, id), dir))
		return true;
	for (uint32_t i = 0; i < b->nvisibility; i++)
		if (target_pattern_matches(&b->visibility[i], (struct label){.package = dir}))
			return true;
	return false;
}

bool target_err(const struct target_table *t, struct place p, struct err *err, const char *fmt, ...)
{
	struct buf message = {0};
	va_list ap;
	va_start(ap, fmt);
	buf_addv(&message, fmt, ap);
	va_end(ap);
	place_err(&t->files, p, err, "%s", buf_cstr(&message));
	buf_release(&message);
	return false;
}

/* -- order -- */

enum { NEW, OPEN, DONE };

struct step {
	target_id id;
	uint32_t next; /* dependency to look at */
};
typedef Vec(struct step) Steps;

static bool fail_cycle(const struct target_table *t, const Steps *path, target_id again, struct err *err)
{
	size_t from = 0;
	struct buf line = {0};
	while (path->ptr[from].id != again)
		from++;
	for (size_t i = from; i < path->len; i++)
		buf_addf(&line, "%.*s → ", STR_ARG(target_get(t, path->ptr[i].id)->label));
	buf_adds(&line, target_get(t, again)->label);
	target_err(t, target_get(t, again)->place, err, "these targets depend on each other: %s", buf_cstr(&line));
	buf_release(&line);
	for (size_t i = from; err && i < path->len && i < from + 8; i++) {
		const struct build_target *b = target_get(t, path->ptr[i].id);
		struct buf where = {0};
		place_name(&t->files, b->place, &where);
		err_note(err, "\"%.*s\" is at %s", STR_ARG(b->label), buf_cstr(&where));
		buf_release(&where);
	}
	if (err)
		err_note(err, "take one of these dependencies out, or put what both need into a third target");
	return false;
}

bool target_table_order(struct target_table *t, struct err *err)
{
	uint8_t *state = xcalloc(t->targets.len + 1, 1);
	Steps path = {0};
	bool ok = true;
	vec_clear(&t->by_order);
	for (target_id root = 0; root < t->targets.len && ok; root++) {
		if (state[root] != NEW)
			continue;
		state[root] = OPEN;
		vec_push(&path, (struct step){.id = root});
		while (path.len && ok) {
			struct step *s = &vec_last(&path);
			const struct build_target *b = target_get(t, s->id);
			if (s->next == b->ndeps) {
				state[s->id] = DONE;
				vec_push(&t->by_order, s->id);
				path.len--;
				continue;
			}
			target_id dep = b->deps[s->next++];
			if (state[dep] == OPEN) {
				ok = fail_cycle(t, &path, dep, err);
			} else if (state[dep] == NEW) {
				state[dep] = OPEN;
				vec_push(&path, (struct step){.id = dep});
			}
		}
	}
	vec_release(&path);
	free(state);
	return ok;
}
