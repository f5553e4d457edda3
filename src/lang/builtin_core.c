/* Numbers, comparison, kinds of values; what asks the host. */
#include "lang/eval_impl.h"

static bool arith(struct eval *ev, const struct call *c, const struct value *args, uint32_t n, struct value *ret)
{
	char op = c->name[0];
	int64_t sum = op == '*';
	bool over = false;
	for (uint32_t i = 0; i < n; i++) {
		if (args[i].kind != VALUE_INT)
			return eval_wants(ev, c, args[i], "integers");
		int64_t x = args[i].integer;
		if (op == '*')
			over |= __builtin_mul_overflow(sum, x, &sum);
		else if (op == '+' || (i == 0 && n > 1))
			over |= __builtin_add_overflow(sum, x, &sum);
		else
			over |= __builtin_sub_overflow(sum, x, &sum);
	}
	*ret = value_int(sum);
	return !over || eval_fail(ev, c->place, "the result of \"%s\" does not fit 64 bits", c->name);
}

static bool divide(struct eval *ev, const struct call *c, const struct value *args, uint32_t n, struct value *ret)
{
	(void)n;
	for (int i = 0; i < 2; i++)
		if (args[i].kind != VALUE_INT)
			return eval_wants(ev, c, args[i], "integers");
	int64_t a = args[0].integer, b = args[1].integer;
	if (!b)
		return eval_fail(ev, c->place, "division by zero");
	if (a == INT64_MIN && b == -1)
		return eval_fail(ev, c->place, "the result of \"%s\" does not fit 64 bits", c->name);
	if (str_eqc(STR("quot"), c->name))
		*ret = value_int(a / b);
	else
		*ret = value_int(a % b + (a % b && (a < 0) != (b < 0) ? b : 0));
	return true;
}

static bool equal(struct eval *ev, const struct call *c, const struct value *args, uint32_t n, struct value *ret)
{
	bool all = true;
	for (uint32_t i = 0; i + 1 < n && all; i++) {
		if (!eval_charge(ev, c->place, args[i].weight))
			return false;
		all = value_eq(args[i], args[i + 1]);
	}
	*ret = value_bool(all == (c->name[0] == '='));
	return true;
}

static bool compare(struct eval *ev, const struct call *c, const struct value *args, uint32_t n, struct value *ret)
{
	bool less = c->name[0] == '<', or_equal = c->name[1] == '=', all = true;
	for (uint32_t i = 0; i < n; i++)
		if (args[i].kind != VALUE_INT && args[i].kind != VALUE_STRING)
			return eval_wants(ev, c, args[i], "integers or strings");
	for (uint32_t i = 0; i + 1 < n; i++) {
		int order = value_cmp(args[i], args[i + 1]);
		if (order == -2)
			return eval_wants(ev, c, args[i + 1], value_kind_name(args[i].kind));
		all &= order == 0 ? or_equal : (order < 0) == less;
	}
	*ret = value_bool(all);
	return true;
}

static bool min_max(struct eval *ev, const struct call *c, const struct value *args, uint32_t n, struct value *ret)
{
	*ret = args[0];
	for (uint32_t i = 0; i < n; i++) {
		if (args[i].kind != VALUE_INT)
			return eval_wants(ev, c, args[i], "integers");
		if (c->name[1] == 'a' ? args[i].integer > ret->integer : args[i].integer < ret->integer)
			*ret = args[i];
	}
	return true;
}

static bool logical_not(struct eval *ev, const struct call *c, const struct value *args, uint32_t n, struct value *ret)
{
	(void)ev, (void)c, (void)n;
	*ret = value_bool(!value_truthy(args[0]));
	return true;
}

static bool is_kind(struct eval *ev, const struct call *c, const struct value *args, uint32_t n, struct value *ret)
{
	static const struct {
		const char *name;
		uint8_t kind;
	} kinds[] = {{"nil?", VALUE_NIL},         {"string?", VALUE_STRING}, {"int?", VALUE_INT},
	             {"keyword?", VALUE_KEYWORD}, {"list?", VALUE_LIST},     {"map?", VALUE_MAP},
	             {"boolean?", VALUE_BOOL},    {"target?", VALUE_TARGET}};
	(void)ev, (void)n;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (str_eqc(str_from(kinds[i].name), c->name))
			*ret = value_bool(args[0].kind == kinds[i].kind);
	return true;
}

const struct builtin builtins_core[] = {
        {"+", 0, -1, arith},
        {"-", 1, -1, arith},
        {"*", 0, -1, arith},
        {"quot", 2, 2, divide},
        {"mod", 2, 2, divide},
        {"=", 1, -1, equal},
        {"not=", 1, -1, equal},
        {"<", 1, -1, compare},
        {"<=", 1, -1, compare},
        {">", 1, -1, compare},
        {">=", 1, -1, compare},
        {"min", 1, -1, min_max},
        {"max", 1, -1, min_max},
        {"not", 1, 1, logical_not},
        {"nil?", 1, 1, is_kind},
        {"string?", 1, 1, is_kind},
        {"int?", 1, 1, is_kind},
        {"keyword?", 1, 1, is_kind},
        {"list?", 1, 1, is_kind},
        {"map?", 1, 1, is_kind},
        {"boolean?", 1, 1, is_kind},
        {"target?", 1, 1, is_kind},
        {0},
};

/* -- the host -- */

static bool strings_only(struct eval *ev, const struct call *c, struct value *v)
{
	if (v->kind == VALUE_STRING) {
		struct value *one = arena_new(ev->arena, struct value);
		*one = *v;
		*v = value_at(value_list(one, 1), value_place(*one));
	}
	if (v->kind != VALUE_LIST)
		return eval_wants(ev, c, *v, "a pattern or a list of them");
	for (uint32_t i = 0; i < v->len; i++)
		if (v->items[i].kind != VALUE_STRING)
			return eval_wants(ev, c, v->items[i], "patterns as strings");
	return true;
}

/* (glob "src/" ... :exclude [...] :allow-empty true) */
static bool glob(struct eval *ev, const struct call *c, const struct value *args, uint32_t n, struct value *ret)
{
	struct glob_query q = {.include = value_list(NULL, 0), .exclude = value_list(NULL, 0), .place = c->place};
	uint32_t fixed = 0;
	Values patterns = {0};
	while (fixed < n && args[fixed].kind != VALUE_KEYWORD)
		fixed++;
	for (uint32_t i = 0; i < fixed; i++) {
		struct value v = args[i];
		if (!strings_only(ev, c, &v)) {
			vec_release(&patterns);
			return false;
		}
		for (uint32_t k = 0; k < v.len; k++)
			vec_push(&patterns, v.items[k]);
	}
	bool ok = eval_take_list(ev, c->place, &patterns, &q.include);
	vec_release(&patterns);
	if (!ok)
		return false;
	if (!q.include.len)
		return eval_fail(ev, c->place, "\"glob\" wants a pattern such as \"src/**/*.clj\"");
	for (uint32_t i = fixed; i < n; i += 2) {
		if (i + 1 == n || args[i].kind != VALUE_KEYWORD)
			return eval_fail(ev, args[i].line ? value_place(args[i]) : c->place,
			                 "expected :exclude patterns or :allow-empty true");
		if (str_eqc(args[i].text, "exclude")) {
			q.exclude = args[i + 1];
			if (!strings_only(ev, c, &q.exclude))
				return false;
		} else if (str_eqc(args[i].text, "allow-empty")) {
			q.allow_empty = value_truthy(args[i + 1]);
		} else {
			return eval_fail(ev, value_place(args[i]), "\"glob\" has no argument :%.*s",
			                 STR_ARG(args[i].text));
		}
	}
	if (!ev->host.glob)
		return eval_fail(ev, c->place, "files can't be listed here");
	if (!ev->host.glob(ev->host.ctx, &q, ret, ev->err)) {
		if (ev->err)
			place_add(ev->files, c->place, ev->err);
		return false;
	}
	return eval_charge(ev, c->place, ret->len);
}

/* (setting :os "otherwise") */
static bool setting(struct eval *ev, const struct call *c, const struct value *args, uint32_t n, struct value *ret)
{
	if (args[0].kind != VALUE_KEYWORD)
		return eval_wants(ev, c, args[0], "a keyword");
	struct str s = ev->host.setting ? ev->host.setting(ev->host.ctx, args[0].text) : STR("");
	if (s.len)
		return eval_make_string(ev, c->place, s, ret);
	*ret = n == 2 ? args[1] : value_nil();
	return true;
}

static bool package_name(struct eval *ev, const struct call *c, const struct value *args, uint32_t n, struct value *ret)
{
	struct str s;
	(void)args, (void)n;
	if (!ev->host.package || !ev->host.package(ev->host.ctx, &s))
		return eval_fail(ev, c->place, "a file that is loaded has no package; call this in a function");
	return eval_make_string(ev, c->place, s, ret);
}

static bool error(struct eval *ev, const struct call *c, const struct value *args, uint32_t n, struct value *ret)
{
	struct buf message = {0};
	(void)ret;
	for (uint32_t i = 0; i < n; i++) {
		if (args[i].kind == VALUE_STRING)
			buf_adds(&message, str_slice(args[i].text, 0, 1000));
		else
			value_print(args[i], &message, 200);
	}
	eval_fail(ev, c->place, "%s", buf_cstr(&message));
	buf_release(&message);
	return false;
}

const struct builtin builtins_build[] = {
        {"glob", 1, -1, glob},
        {"setting", 1, 2, setting},
        {"package-name", 0, 0, package_name},
        {"error", 1, -1, error},
        {0},
};
