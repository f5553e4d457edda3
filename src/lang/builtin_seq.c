/* Lists and maps. nil counts as an empty one. */
#include <stdlib.h>

#include "lang/eval_impl.h"

static bool want_list(struct eval *ev, const struct call *c, struct value *v)
{
	if (v->kind == VALUE_NIL)
		*v = value_at(value_list(NULL, 0), value_place(*v));
	return v->kind == VALUE_LIST || eval_wants(ev, c, *v, "a list");
}

static bool want_map(struct eval *ev, const struct call *c, struct value *v)
{
	if (v->kind == VALUE_NIL)
		*v = value_at(value_map(NULL, 0), value_place(*v));
	return v->kind == VALUE_MAP || eval_wants(ev, c, *v, "a map");
}

/* Room for `n` values in the arena; NULL when steps are used up. */
static struct value *room(struct eval *ev, const struct call *c, uint64_t n)
{
	if (n > UINT32_MAX / 4 || !eval_charge(ev, c->place, n))
		return NULL;
	return arena_new_n(ev->arena, struct value, n);
}

static bool copy_list(struct eval *ev, const struct call *c, const struct value *items, uint32_t n, struct value *ret)
{
	struct value *copy = room(ev, c, n);
	if (!copy)
		return false;
	if (n)
		memcpy(copy, items, n * sizeof(*copy));
	return eval_make_list(ev, c->place, copy, n, ret);
}

static bool slice(struct eval *ev, const struct call *c, struct value list, uint32_t from, uint32_t to,
                  struct value *ret)
{
	return eval_make_list(ev, c->place, list.items + from, to - from, ret);
}

static bool list(struct eval *ev, const struct call *c, const struct value *args, uint32_t n, struct value *ret)
{
	return copy_list(ev, c, args, n, ret);
}

static bool hash_map(struct eval *ev, const struct call *c, const struct value *args, uint32_t n, struct value *ret)
{
	if (n % 2)
		return eval_fail(ev, c->place, "\"hash-map\" wants a value for each key");
	*ret = value_map(NULL, 0);
	for (uint32_t i = 0; i < n; i += 2)
		if (!eval_map_put(ev, c->place, *ret, args[i], args[i + 1], ret))
			return false;
	return true;
}

static bool count(struct eval *ev, const struct call *c, const struct value *args, uint32_t n, struct value *ret)
{
	struct value v = args[0];
	(void)n;
	int64_t length = 0;
	if (v.kind == VALUE_LIST || v.kind == VALUE_MAP)
		length = v.len;
	else if (v.kind == VALUE_STRING)
		length = (int64_t)str_characters(v.text);
	else if (v.kind != VALUE_NIL)
		return eval_wants(ev, c, v, "a list, a map or a string");
	*ret = c->name[0] == 'e' ? value_bool(!length) : value_int(length);
	return eval_charge(ev, c->place, v.kind == VALUE_STRING ? v.text.len / 8 : 0);
}

static bool first(struct eval *ev, const struct call *c, const struct value *args, uint32_t n, struct value *ret)
{
	struct value v = args[0];
	(void)n;
	if (!want_list(ev, c, &v))
		return false;
	if (v.len)
		*ret = v.items[c->name[0] == 'f' ? 0 : v.len - 1];
	return true;
}

static bool rest(struct eval *ev, const struct call *c, const struct value *args, uint32_t n, struct value *ret)
{
	struct value v = args[0];
	(void)n;
	return want_list(ev, c, &v) && slice(ev, c, v, MIN(1, v.len), v.len, ret);
}

/* (take 2 list), (drop 2 list) */
static bool take_drop(struct eval *ev, const struct call *c, const struct value *args, uint32_t n, struct value *ret)
{
	struct value v = args[1];
	(void)n;
	if (args[0].kind != VALUE_INT || args[0].integer < 0)
		return eval_wants(ev, c, args[0], "a number from 0");
	if (!want_list(ev, c, &v))
		return false;
	uint32_t at = (uint32_t)MIN((uint64_t)args[0].integer, v.len);
	return c->name[0] == 't' ? slice(ev, c, v, 0, at, ret) : slice(ev, c, v, at, v.len, ret);
}

static bool nth(struct eval *ev, const struct call *c, const struct value *args, uint32_t n, struct value *ret)
{
	struct value v = args[0];
	if (!want_list(ev, c, &v))
		return false;
	if (args[1].kind != VALUE_INT)
		return eval_wants(ev, c, args[1], "an integer");
	if (args[1].integer >= 0 && args[1].integer < v.len)
		*ret = v.items[args[1].integer];
	else if (n == 3)
		*ret = args[2];
	else
		return eval_fail(ev, c->place, "there is no item %lld in a list of %u", (long long)args[1].integer,
		                 v.len);
	return true;
}

/* (get map key otherwise); of a list, by position. */
static bool get(struct eval *ev, const struct call *c, const struct value *args, uint32_t n, struct value *ret)
{
	struct value v = args[0];
	const struct value *found = NULL;
	if (v.kind == VALUE_LIST && args[1].kind == VALUE_INT) {
		if (args[1].integer >= 0 && args[1].integer < v.len)
			found = &v.items[args[1].integer];
	} else if (!want_map(ev, c, &v) || !eval_charge(ev, c->place, v.len)) {
		return false;
	} else {
		found = value_map_get(v, args[1]);
	}
	if (found)
		*ret = *found;
	else if (n == 3)
		*ret = args[2];
	return true;
}

/* (contains? map key), (contains? list value) */
static bool contains(struct eval *ev, const struct call *c, const struct value *args, uint32_t n, struct value *ret)
{
	struct value v = args[0];
	bool found = false;
	(void)n;
	if (v.kind == VALUE_STRING)
		return eval_fail(ev, c->place,
		                 "\"contains?\" looks into lists and maps; for strings take \"includes?\"");
	if (!eval_charge(ev, c->place, v.weight))
		return false;
	if (v.kind == VALUE_LIST) {
		for (uint32_t i = 0; i < v.len && !found; i++)
			found = value_eq(v.items[i], args[1]);
	} else if (want_map(ev, c, &v)) {
		found = value_map_get(v, args[1]);
	} else {
		return false;
	}
	*ret = value_bool(found);
	return true;
}

static bool assoc(struct eval *ev, const struct call *c, const struct value *args, uint32_t n, struct value *ret)
{
	*ret = args[0];
	if (!want_map(ev, c, ret))
		return false;
	if (n % 2 == 0)
		return eval_fail(ev, c->place, "\"assoc\" wants a value for each key");
	for (uint32_t i = 1; i < n; i += 2)
		if (!eval_map_put(ev, c->place, *ret, args[i], args[i + 1], ret))
			return false;
	return true;
}

static bool dissoc(struct eval *ev, const struct call *c, const struct value *args, uint32_t n, struct value *ret)
{
	struct value m = args[0];
	uint32_t kept = 0;
	if (!want_map(ev, c, &m) || !eval_charge(ev, c->place, (uint64_t)m.len * n))
		return false;
	struct value *pairs = room(ev, c, 2 * (uint64_t)m.len);
	if (!pairs)
		return false;
	for (size_t i = 0; i < m.len; i++) {
		bool drop = false;
		for (uint32_t k = 1; k < n; k++)
			drop |= value_eq(m.items[2 * i], args[k]);
		if (drop)
			continue;
		memcpy(pairs + 2 * (size_t)kept++, m.items + 2 * i, 2 * sizeof(*pairs));
	}
	return eval_make_map(ev, c->place, pairs, kept, ret);
}

static bool merge(struct eval *ev, const struct call *c, const struct value *args, uint32_t n, struct value *ret)
{
	*ret = value_at(value_map(NULL, 0), c->place);
	for (uint32_t i = 0; i < n; i++) {
		struct value m = args[i];
		if (!want_map(ev, c, &m))
			return false;
		for (size_t k = 0; k < m.len; k++)
			if (!eval_map_put(ev, c->place, *ret, m.items[2 * k], m.items[2 * k + 1], ret))
				return false;
	}
	return true;
}

static bool keys_vals(struct eval *ev, const struct call *c, const struct value *args, uint32_t n, struct value *ret)
{
	struct value m = args[0];
	(void)n;
	if (!want_map(ev, c, &m))
		return false;
	struct value *items = room(ev, c, m.len);
	for (uint32_t i = 0; items && i < m.len; i++)
		items[i] = m.items[2 * i + (c->name[0] == 'v')];
	return items && eval_make_list(ev, c->place, items, m.len, ret);
}

static bool concat(struct eval *ev, const struct call *c, const struct value *args, uint32_t n, struct value *ret)
{
	uint64_t total = 0;
	uint32_t at = 0;
	for (uint32_t i = 0; i < n; i++) {
		struct value v = args[i];
		if (!want_list(ev, c, &v))
			return false;
		total += v.len;
	}
	struct value *items = room(ev, c, total);
	if (!items)
		return false;
	for (uint32_t i = 0; i < n; i++)
		for (uint32_t k = 0; args[i].kind == VALUE_LIST && k < args[i].len; k++)
			items[at++] = args[i].items[k];
	return eval_make_list(ev, c->place, items, at, ret);
}

/* (conj list a b), (cons a list) */
static bool append(struct eval *ev, const struct call *c, const struct value *args, uint32_t n, struct value *ret)
{
	bool front = str_eqc(STR("cons"), c->name);
	struct value v = args[front];
	if (!want_list(ev, c, &v))
		return false;
	struct value *items = room(ev, c, (uint64_t)v.len + n - 1);
	if (!items)
		return false;
	if (v.len)
		memcpy(items + front, v.items, v.len * sizeof(*items));
	if (front)
		items[0] = args[0];
	for (uint32_t i = 1; !front && i < n; i++)
		items[v.len + i - 1] = args[i];
	return eval_make_list(ev, c->place, items, v.len + n - 1, ret);
}

/* (map f list ...): as long as the shortest. */
static bool map(struct eval *ev, const struct call *c, const struct value *args, uint32_t n, struct value *ret)
{
	uint32_t length = UINT32_MAX, lists = n - 1;
	struct value *out, *in = room(ev, c, 2 * (uint64_t)lists);
	if (!in)
		return false;
	for (uint32_t i = 0; i < lists; i++) {
		in[i] = args[i + 1];
		if (!want_list(ev, c, &in[i]))
			return false;
		length = MIN(length, in[i].len);
	}
	if (!(out = room(ev, c, length)))
		return false;
	for (uint32_t i = 0; i < length; i++) {
		/* The function may keep its arguments. */
		struct value *row = lists == 1 ? NULL : room(ev, c, lists);
		if (lists != 1 && !row)
			return false;
		for (uint32_t k = 0; row && k < lists; k++)
			row[k] = in[k].items[i];
		if (!eval_apply(ev, args[0], row ? row : in[0].items + i, lists, c->place, &out[i]))
			return false;
	}
	return eval_make_list(ev, c->place, out, length, ret);
}

static bool mapcat(struct eval *ev, const struct call *c, const struct value *args, uint32_t n, struct value *ret)
{
	struct value lists;
	return map(ev, c, args, n, &lists) && concat(ev, c, lists.items, lists.len, ret);
}

static bool filter(struct eval *ev, const struct call *c, const struct value *args, uint32_t n, struct value *ret)
{
	struct value v = args[1], keep;
	uint32_t at = 0;
	(void)n;
	if (!want_list(ev, c, &v))
		return false;
	struct value *items = room(ev, c, v.len);
	if (!items)
		return false;
	for (uint32_t i = 0; i < v.len; i++) {
		if (!eval_apply(ev, args[0], v.items + i, 1, c->place, &keep))
			return false;
		if (value_truthy(keep) == (c->name[0] == 'f'))
			items[at++] = v.items[i];
	}
	return eval_make_list(ev, c->place, items, at, ret);
}

/* (some f list): the first result that is true, or nil; (every? f list) */
static bool some_every(struct eval *ev, const struct call *c, const struct value *args, uint32_t n, struct value *ret)
{
	struct value v = args[1], got;
	bool every = c->name[0] == 'e';
	(void)n;
	if (!want_list(ev, c, &v))
		return false;
	*ret = every ? value_bool(true) : value_nil();
	for (uint32_t i = 0; i < v.len; i++) {
		if (!eval_apply(ev, args[0], v.items + i, 1, c->place, &got))
			return false;
		if (value_truthy(got) != every) {
			*ret = every ? value_bool(false) : got;
			break;
		}
	}
	return true;
}

/* (reduce f start list) */
static bool reduce(struct eval *ev, const struct call *c, const struct value *args, uint32_t n, struct value *ret)
{
	struct value v = args[2];
	(void)n;
	if (!want_list(ev, c, &v))
		return false;
	*ret = args[1];
	for (uint32_t i = 0; i < v.len; i++) {
		struct value *pair = room(ev, c, 2);
		if (!pair)
			return false;
		pair[0] = *ret;
		pair[1] = v.items[i];
		if (!eval_apply(ev, args[0], pair, 2, c->place, ret))
			return false;
	}
	return true;
}

/* (apply f a b list) */
static bool apply(struct eval *ev, const struct call *c, const struct value *args, uint32_t n, struct value *ret)
{
	struct value last = args[n - 1];
	if (!want_list(ev, c, &last))
		return false;
	struct value *all = room(ev, c, (uint64_t)n - 2 + last.len);
	if (!all)
		return false;
	memcpy(all, args + 1, (n - 2) * sizeof(*all));
	if (last.len)
		memcpy(all + n - 2, last.items, last.len * sizeof(*all));
	return eval_apply(ev, args[0], all, n - 2 + last.len, c->place, ret);
}

/* (range 3) is [0 1 2]; (range 2 4) is [2 3] */
static bool range(struct eval *ev, const struct call *c, const struct value *args, uint32_t n, struct value *ret)
{
	for (uint32_t i = 0; i < n; i++)
		if (args[i].kind != VALUE_INT)
			return eval_wants(ev, c, args[i], "integers");
	int64_t from = n == 2 ? args[0].integer : 0, to = args[n - 1].integer, length;
	if (to <= from)
		length = 0;
	else if (__builtin_sub_overflow(to, from, &length))
		length = INT64_MAX;
	struct value *items = room(ev, c, (uint64_t)length);
	if (!items) /* room refuses what is no list's length without a message of its own */
		return eval_charge(ev, c->place, UINT64_MAX);
	for (int64_t i = 0; i < length; i++)
		items[i] = value_at(value_int(from + i), c->place);
	return eval_make_list(ev, c->place, items, (uint32_t)length, ret);
}

static bool reverse(struct eval *ev, const struct call *c, const struct value *args, uint32_t n, struct value *ret)
{
	struct value v = args[0];
	(void)n;
	struct value *items = want_list(ev, c, &v) ? room(ev, c, v.len) : NULL;
	for (uint32_t i = 0; items && i < v.len; i++)
		items[i] = v.items[v.len - 1 - i];
	return items && eval_make_list(ev, c->place, items, v.len, ret);
}

static int by_value(const void *a, const void *b)
{
	return value_cmp(*(const struct value *)a, *(const struct value *)b);
}

static bool sort(struct eval *ev, const struct call *c, const struct value *args, uint32_t n, struct value *ret)
{
	struct value v = args[0];
	(void)n;
	if (!want_list(ev, c, &v))
		return false;
	for (uint32_t i = 0; i < v.len; i++)
		if (v.items[i].kind != v.items[0].kind || value_cmp(v.items[i], v.items[i]) != 0)
			return eval_wants(ev, c, v.items[i], "only strings, only keywords or only integers");
	struct value *items = eval_charge(ev, c->place, (uint64_t)v.len * 8) ? room(ev, c, v.len) : NULL;
	if (!items)
		return false;
	if (v.len) {
		memcpy(items, v.items, v.len * sizeof(*items));
		qsort(items, v.len, sizeof(*items), by_value);
	}
	return eval_make_list(ev, c->place, items, v.len, ret);
}

static bool distinct(struct eval *ev, const struct call *c, const struct value *args, uint32_t n, struct value *ret)
{
	struct value v = args[0];
	uint32_t at = 0;
	(void)n;
	struct value *items = want_list(ev, c, &v) ? room(ev, c, v.len) : NULL;
	if (!items)
		return false;
	for (uint32_t i = 0; i < v.len; i++) {
		bool seen = false;
		if (!eval_charge(ev, c->place, at / 4 + (v.items[i].weight ? v.weight : 0)))
			return false;
		for (uint32_t k = 0; k < at && !seen; k++)
			seen = value_eq(items[k], v.items[i]);
		if (!seen)
			items[at++] = v.items[i];
	}
	return eval_make_list(ev, c->place, items, at, ret);
}

/* Lists in lists become one list, however deep. */
static bool flatten_into(struct eval *ev, const struct call *c, struct value v, Values *out)
{
	for (uint32_t i = 0; i < v.len; i++) {
		if (!eval_charge(ev, c->place, 1))
			return false;
		if (v.items[i].kind != VALUE_LIST)
			vec_push(out, v.items[i]);
		else if (!flatten_into(ev, c, v.items[i], out))
			return false;
	}
	return true;
}

static bool flatten(struct eval *ev, const struct call *c, const struct value *args, uint32_t n, struct value *ret)
{
	struct value v = args[0];
	Values out = {0};
	(void)n;
	bool ok = want_list(ev, c, &v) && flatten_into(ev, c, v, &out) && eval_take_list(ev, c->place, &out, ret);
	vec_release(&out);
	return ok;
}

const struct builtin builtins_seq[] = {
        {"list", 0, -1, list},
        {"vector", 0, -1, list},
        {"hash-map", 0, -1, hash_map},
        {"count", 1, 1, count},
        {"empty?", 1, 1, count},
        {"first", 1, 1, first},
        {"last", 1, 1, first},
        {"rest", 1, 1, rest},
        {"take", 2, 2, take_drop},
        {"drop", 2, 2, take_drop},
        {"nth", 2, 3, nth},
        {"get", 2, 3, get},
        {"contains?", 2, 2, contains},
        {"assoc", 3, -1, assoc},
        {"dissoc", 2, -1, dissoc},
        {"merge", 0, -1, merge},
        {"keys", 1, 1, keys_vals},
        {"vals", 1, 1, keys_vals},
        {"concat", 0, -1, concat},
        {"conj", 1, -1, append},
        {"cons", 2, 2, append},
        {"map", 2, -1, map},
        {"mapcat", 2, -1, mapcat},
        {"filter", 2, 2, filter},
        {"remove", 2, 2, filter},
        {"some", 2, 2, some_every},
        {"every?", 2, 2, some_every},
        {"reduce", 3, 3, reduce},
        {"apply", 2, -1, apply},
        {"range", 1, 2, range},
        {"reverse", 1, 1, reverse},
        {"sort", 1, 1, sort},
        {"distinct", 1, 1, distinct},
        {"flatten", 1, 1, flatten},
        {0},
};
