/* Why an action of targets runs, and why it does not though something below it was edited: in the words of people. */
#include <stdlib.h>

#include "build/target_build.h"

static struct target_why say(struct arena *a, const char *kind, struct str name, const char *fmt, ...)
        PRINTF_LIKE(4, 5);

static struct target_why say(struct arena *a, const char *kind, struct str name, const char *fmt, ...)
{
	struct buf b = {0};
	va_list ap;
	va_start(ap, fmt);
	buf_addv(&b, fmt, ap);
	va_end(ap);
	struct target_why why = {str_from(kind), str_dup(a, name), str_dup(a, buf_str(&b))};
	buf_release(&b);
	return why;
}

/* Paths as people know them, without the folder that only actions see; of classes the action that makes them. */
static struct str shown(const struct target_build *b, action_id id, struct str path)
{
	const struct target_action *t = target_build_action(b, id);
	if (str_has_prefix(path, STR("src/")))
		return str_drop(path, 4);
	if (!str_has_prefix(path, STR("gen/")))
		return path;
	path = str_drop(path, 4);
	for (size_t i = 0; i < t->inputs.len; i++)
		if (t->inputs.ptr[i].tree && t->inputs.ptr[i].producer != NO_ID && str_eq(t->inputs.ptr[i].path, path))
			return target_build_action(b, t->inputs.ptr[i].producer)->label;
	return path;
}

/* -- what changed in the definition -- */

static struct target_why say_part(struct target_build *b, struct str part, const char *how)
{
	struct arena *a = &b->arena;
	struct str rest = part, what;
	str_cut(&rest, ' ', &what);
	struct str first = str_slice(rest, 0, str_find(rest, ' ')), more = str_drop(rest, MIN(first.len + 1, rest.len));
	if (str_eqc(what, "tool"))
		return say(a, "tool", (struct str){0}, "the tools that it uses are other ones");
	if (str_eqc(what, "sandbox"))
		return say(a, "sandbox", (struct str){0}, "the sandbox was switched on or off");
	if (str_eqc(what, "env")) {
		struct str name = str_slice(rest, 0, str_find(rest, '='));
		return say(a, "environment", name, "the environment variable \"%.*s\" %s", STR_ARG(name), how);
	}
	if (str_eqc(what, "output"))
		return say(a, "output", rest, "its output \"%.*s\" %s", STR_ARG(rest), how);
	if (!str_eqc(what, "option"))
		return say(a, "command", rest, "its command changed: \"%.*s\" %s", STR_ARG(rest), how);
	if (str_eqc(first, "external"))
		return say(a, "namespace", more, "what it needs of libraries changed: \"%.*s\" %s", STR_ARG(more), how);
	if (str_eqc(first, "option"))
		first = str_slice(more, 0, str_find(more, ' '));
	return say(a, "option", first, "its option \"%.*s\" %s", STR_ARG(first), how);
}

/* The name that a part has beside its value: the same in both, it changed. */
static struct str part_name(struct str part)
{
	if (str_has_prefix(part, STR("env ")))
		return str_slice(part, 0, str_find(part, '='));
	if (str_has_prefix(part, STR("option option ")))
		return str_slice(part, 0, 14 + str_find(str_drop(part, 14), ' '));
	return part;
}

static void put_parts(struct map *m, const StrVec *parts, struct map *names)
{
	for (size_t i = 0; i < parts->len; i++) {
		map_put(m, parts->ptr[i], i);
		map_put(names, part_name(parts->ptr[i]), i);
	}
}

static struct target_why changed_part(struct target_build *b, action_id id, struct str facts)
{
	struct arena a = {0};
	StrVec now = {0}, then = {0};
	struct map in_now = {0}, in_then = {0}, names_now = {0}, names_then = {0};
	struct target_recorded f;
	struct target_why why = {0};
	target_parts(b, id, &a, &now);
	while (target_record_next(&facts, &f))
		if (f.kind == TARGET_FACT_PART)
			vec_push(&then, f.name);
	put_parts(&in_now, &now, &names_now);
	put_parts(&in_then, &then, &names_then);
	for (size_t i = 0; i < now.len && !why.kind.len; i++)
		if (!map_has(&in_then, now.ptr[i]))
			why = say_part(b, now.ptr[i],
			               map_has(&names_then, part_name(now.ptr[i])) ? "changed" : "is new");
	for (size_t i = 0; i < then.len && !why.kind.len; i++)
		if (!map_has(&in_now, then.ptr[i]))
			why = say_part(b, then.ptr[i], "is gone");
	map_release(&in_now);
	map_release(&in_then);
	map_release(&names_now);
	map_release(&names_then);
	vec_release(&now);
	vec_release(&then);
	arena_release(&a);
	return why;
}

/* -- what changed of the inputs -- */

/* The inputs of then, by path: index in `states`. */
struct inputs_then {
	struct map by_path;
	StrVec states;
};

static void read_inputs(struct str facts, struct inputs_then *ret)
{
	struct target_recorded f;
	*ret = (struct inputs_then){0};
	while (target_record_next(&facts, &f))
		if (f.kind == TARGET_FACT_INPUT) {
			map_put(&ret->by_path, f.name, ret->states.len);
			vec_push(&ret->states, f.state);
		}
}

static void release_inputs(struct inputs_then *then)
{
	map_release(&then->by_path);
	vec_release(&then->states);
}

/* The first input that is new or another one; `traced`: of those whose content counts only where it was used. */
static struct target_why changed_input(struct target_build *b, action_id id, const struct inputs_then *then,
                                       bool traced)
{
	const struct target_unit *u = &b->units[id];
	char hex[DIGEST_HEX + 1];
	uint64_t at;
	for (size_t i = 0; i < u->ninputs; i++) {
		const struct exec_input *in = &u->inputs[i];
		if (in->traced != traced)
			continue;
		struct str name = shown(b, id, in->path);
		if (!map_get(&then->by_path, in->path, &at))
			return say(&b->arena, "input", name, "\"%.*s\" is a new input", STR_ARG(name));
		CHECK(at < then->states.len);
		if (str_eq(then->states.ptr[at], target_record_state(&in->digest, hex)))
			continue;
		if (in->code && u->by_use)
			return say(&b->arena, "comment", name, "only comments or spaces of \"%.*s\" changed",
			           STR_ARG(name));
		return say(&b->arena, "input", name, "\"%.*s\" changed", STR_ARG(name));
	}
	return (struct target_why){0};
}

static struct target_why gone_input(struct target_build *b, action_id id, const struct inputs_then *then)
{
	const struct target_unit *u = &b->units[id];
	struct map now = {0};
	struct target_why why = {0};
	for (size_t i = 0; i < u->ninputs; i++)
		map_put(&now, u->inputs[i].path, i);
	for (size_t i = 0; i < then->by_path.entries.len && !why.kind.len; i++) {
		struct str path = then->by_path.entries.ptr[i].key, name = shown(b, id, path);
		if (!map_has(&now, path))
			why = say(&b->arena, "input", name, "the input \"%.*s\" is gone", STR_ARG(name));
	}
	map_release(&now);
	return why;
}

/* -- what it had used and is another one now -- */

struct comparing {
	struct target_build *build;
	struct map then; /* KIND NAME to an index in states */
	StrVec states;
	struct target_why why;
	struct arena arena;
};

static struct str use_key(struct arena *a, enum target_use kind, struct str name)
{
	return str_fmt(a, "%d %.*s", (int)kind, STR_ARG(name));
}

static struct target_why say_use(struct arena *a, const struct target_used *u, bool gone)
{
	switch (u->kind) {
	case TARGET_USE_VAR:
		return say(a, "var", u->name, "\"%.*s\", which it uses, %s", STR_ARG(u->name),
		           gone ? "is gone" : "changed");
	case TARGET_USE_CLASS:
		return say(a, "class", u->name, "the class \"%.*s\", which it uses, %s", STR_ARG(u->name),
		           gone ? "is gone" : "changed");
	case TARGET_USE_ALL_VARS:
		return say(a, "namespace", u->name, "it refers all vars of \"%.*s\", and these changed",
		           STR_ARG(u->name));
	case TARGET_USE_CODE:
		return say(a, "code", u->name, "the code of \"%.*s\", or below it, changed, and compiling this runs it",
		           STR_ARG(u->name));
	case TARGET_USE_RESOURCE:
		break;
	}
	return say(a, "resource", u->name, "the resource \"%.*s\", which compiling this reads, changed",
	           STR_ARG(u->name));
}

static void compare_use(void *ctx, const struct target_used *u)
{
	struct comparing *c = ctx;
	uint64_t at;
	if (c->why.kind.len || !map_get(&c->then, use_key(&c->arena, u->kind, u->name), &at))
		return;
	if (str_eq(c->states.ptr[at], str_slice(u->state, 0, TARGET_RECORD_DIGITS)))
		return;
	c->why = say_use(&c->build->arena, u, str_eqc(u->state, "none"));
}

static struct target_why changed_use(struct target_build *b, action_id id, struct str facts)
{
	struct comparing c = {.build = b};
	struct target_recorded f;
	struct str used;
	bool known;
	struct err err = {0};
	while (target_record_next(&facts, &f))
		if (f.kind == TARGET_FACT_USE) {
			map_put(&c.then, use_key(&c.arena, f.use, f.name), c.states.len);
			vec_push(&c.states, f.state);
		}
	if (target_trace_has(b, id) && target_trace_facts(b, id, &used, &known, &err) && known)
		target_trace_uses(b, id, used, compare_use, &c);
	err_clear(&err);
	map_release(&c.then);
	vec_release(&c.states);
	arena_release(&c.arena);
	return c.why;
}

/* -- both ways -- */

/* The first difference to the last build. Empty: there is none. */
static struct target_why difference(struct target_build *b, action_id id, const struct target_record *r)
{
	const struct target_unit *u = &b->units[id];
	struct target_why why = {0};
	struct inputs_then then;
	read_inputs(r->facts, &then);
	if (!digest_eq(&r->definition, &u->definition))
		why = changed_part(b, id, r->facts);
	if (!why.kind.len)
		why = changed_input(b, id, &then, false);
	if (!why.kind.len)
		why = changed_use(b, id, r->facts);
	if (!why.kind.len)
		why = changed_input(b, id, &then, true);
	if (!why.kind.len)
		why = gone_input(b, id, &then);
	if (!why.kind.len && !digest_eq(&r->definition, &u->definition))
		why = say(&b->arena, "command", (struct str){0}, "its command, options or tools changed");
	if (!why.kind.len && !digest_eq(&r->key, &u->key))
		why = changed_part(b, id, r->facts); /* the environment and the sandbox are no part of a definition */
	release_inputs(&then);
	return why;
}

struct target_why target_why_run(struct target_build *b, action_id id)
{
	const struct target_action *t = target_build_action(b, id);
	struct target_record r;
	if (!target_record_previous(b, t->label, &r) || digest_is_zero(&r.key))
		return say(&b->arena, "new", (struct str){0}, "it was never built here");
	struct target_why why = difference(b, id, &r);
	if (why.kind.len)
		return why;
	if (t->always)
		return say(&b->arena, "always", (struct str){0}, "it finds out by itself what has changed");
	if (str_eqc(r.outcome, "failed"))
		return say(&b->arena, "failed", (struct str){0}, "it failed the last time");
	if ((b->rerun_tests && t->is_test) || (b->audit && t->runtime))
		return say(&b->arena, "asked", (struct str){0}, "this was asked for");
	return say(&b->arena, "store", (struct str){0}, "its result is not in the store");
}

struct target_why target_why_not(struct target_build *b, action_id id)
{
	const struct target_unit *u = &b->units[id];
	struct target_record r;
	bool cached = u->outcome == OUTCOME_CACHED;
	struct target_why why = {0};
	if (!target_record_previous(b, target_build_action(b, id)->label, &r) || digest_is_zero(&r.key))
		return say(&b->arena, "store", (struct str){0}, "taken from the store: this was built before");
	if (!digest_eq(&r.key, &u->key))
		why = difference(b, id, &r);
	if (!why.kind.len && cached)
		return say(&b->arena, "store", (struct str){0},
		           "taken from the store: its outputs were gone or edited");
	if (!why.kind.len)
		return why;
	if (str_eqc(why.kind, "comment"))
		why.text = str_fmt(&b->arena, "not run: %.*s", STR_ARG(why.text));
	else if (u->by_use)
		why.text = str_fmt(&b->arena, "not run: %.*s, but nothing in it that this uses", STR_ARG(why.text));
	else
		why.text =
		        str_fmt(&b->arena, "taken from the store: %.*s, and this was built before", STR_ARG(why.text));
	return why;
}
