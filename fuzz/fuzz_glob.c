/* fuzz_glob.c - a pattern and a path, parted by a newline: the matcher says what a slow one says. Labels and patterns
 * of targets from the same text. */
#include "graph/target.h"
#include "lang/glob.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t character(struct str s)
{
	size_t n = str_utf8(s);
	return n ? n : 1;
}

static bool slow_name(struct str p, struct str n)
{
	if (!p.len)
		return !n.len;
	if (p.ptr[0] == '*')
		return slow_name(str_drop(p, 1), n) || (n.len && slow_name(p, str_drop(n, character(n))));
	if (!n.len)
		return false;
	size_t len = p.ptr[0] == '?' ? character(n) : p.ptr[0] == n.ptr[0];
	return len && slow_name(str_drop(p, 1), str_drop(n, len));
}

static bool slow(struct str p, struct str n)
{
	struct str p_rest = p, n_rest = n, part, name;
	bool more = str_cut(&p_rest, '/', &part);
	if (!more)
		return !n.len;
	if (str_eqc(part, "**")) {
		if (slow(p_rest, n))
			return true;
		return str_cut(&n_rest, '/', &name) && !(name.len && name.ptr[0] == '.') && slow(p, n_rest);
	}
	if (!str_cut(&n_rest, '/', &name))
		return false;
	bool hidden = name.len && name.ptr[0] == '.' && !(part.len && part.ptr[0] == '.');
	return !hidden && slow_name(part, name) && slow(p_rest, n_rest);
}

static void check_labels(struct str text)
{
	struct arena a = {0};
	struct label l, again;
	struct target_pattern p;
	struct err err = {0};
	if (label_parse(text, STR("here"), &l, &err)) {
		struct str whole = label_str(&a, l);
		CHECK(label_parse(whole, STR("elsewhere"), &again, NULL));
		CHECK(str_eq(l.package, again.package) && str_eq(l.name, again.name));
	} else {
		CHECK(err.kind == ERR_USER && err.message.len);
	}
	err_clear(&err);
	if (target_pattern_parse(&a, text, STR("here"), &p, &err) && p.kind == PATTERN_TARGET)
		CHECK(target_pattern_matches(&p, p.label));
	err_clear(&err);
	arena_release(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = str_n((const char *)data, size), path = text, pattern;
	struct arena a = {0};
	StrVec patterns = {0};
	if (size > 60 || !str_cut(&path, '\n', &pattern) || str_utf8_prefix(pattern) < pattern.len)
		return 0;
	if (glob_expand(&a, pattern, &patterns, NULL) && path.len && path.ptr[path.len - 1] != '/')
		for (size_t i = 0; i < patterns.len; i++)
			CHECK(glob_matches(patterns.ptr[i], path) == slow(patterns.ptr[i], path));
	vec_release(&patterns);
	arena_release(&a);
	check_labels(pattern);
	return 0;
}
