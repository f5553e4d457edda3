/* Values of options, and the nearest of the words that would have been right. */
#include <stdlib.h>

#include "cli/options_table.h"

/* ---- nearest names ---- */

struct near_word near_word_to(struct str wanted)
{
	return (struct near_word){.wanted = wanted, .distance = MIN(wanted.len / 3, 2) + 2};
}

void near_word_offer(struct near_word *n, const char *name)
{
	struct str s = str_from(name);
	size_t d = str_distance(n->wanted, s, n->distance);
	if (n->wanted.len >= 2 && str_has_prefix(s, n->wanted))
		d = MIN(d, (size_t)1);
	if (d < n->distance) {
		n->distance = d;
		n->best = name;
	}
}

/* "asdf, fail or ignore" */
static void add_words(struct buf *out, const char *const *words)
{
	for (size_t i = 0; i < MAX_WORDS && words[i]; i++) {
		bool last = i + 1 == MAX_WORDS || !words[i + 1];
		buf_addf(out, "%s'%s'", i == 0 ? "" : last ? " or " : ", ", words[i]);
	}
}

bool options_bad_word(struct str got, const char *const *words, const char *what, struct err *err)
{
	struct near_word n = near_word_to(got);
	for (size_t i = 0; i < MAX_WORDS && words[i]; i++)
		near_word_offer(&n, words[i]);
	err_set(err, ERR_USER, "unknown %s '%.*s'", what, STR_ARG(got));
	if (n.best)
		err_note(err, "did you mean '%s'?", n.best);
	struct buf b = {0};
	add_words(&b, words);
	err_note(err, "it must be %s", buf_cstr(&b));
	buf_release(&b);
	return false;
}

/* ---- values ---- */

static bool bad_value(const struct option_spec *s, const char *value, const char *wants, struct err *err)
{
	return err_set(err, ERR_USER, "option '--%s': '%s' is not %s", s->name, value, wants);
}

/* Digits and one letter of `units`, each worth what `worth` says at its place; no letter: worth[0]. */
static bool parse_scaled(struct str s, const char *units, const uint64_t *worth, uint64_t *ret)
{
	uint64_t factor = worth[0], n;
	const char *unit = s.len ? strchr(units, s.ptr[s.len - 1]) : NULL;
	if (unit) {
		factor = worth[unit - units];
		s.len--;
	}
	if (!str_to_u64(s, &n) || (n && factor > UINT64_MAX / n))
		return false;
	*ret = n * factor;
	return true;
}

static bool parse_size(struct str s, uint64_t *ret)
{
	static const uint64_t worth[] = {1,          1ull << 10, 1ull << 20, 1ull << 30, 1ull << 40,
	                                 1ull << 10, 1ull << 20, 1ull << 30, 1ull << 40};
	if (s.len > 3 && str_has_suffix(s, STR("iB")))
		s.len -= 2;
	return parse_scaled(s, "BKMGTkmgt", worth, ret) && *ret;
}

static bool parse_age(struct str s, uint64_t *ret)
{
	static const uint64_t worth[] = {1, 60, 3600, 86400, UINT64_C(7) * 86400};
	return parse_scaled(s, "smhdw", worth, ret) && *ret;
}

static bool is_name(const char *s)
{
	if (*s == 0 || *s == '.' || *s == '-')
		return false;
	for (; *s; s++) {
		bool ok = (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || (*s >= '0' && *s <= '9') ||
		          *s == '-' || *s == '_' || *s == '.';
		if (!ok)
			return false;
	}
	return true;
}

static bool set_word(const struct option_spec *s, void *at, const char *value, struct err *err)
{
	for (unsigned i = 0; i < MAX_WORDS && s->words[i]; i++) {
		if (strcmp(value, s->words[i]) != 0)
			continue;
		if (s->type == TYPE_CHOICE)
			*(unsigned *)at = i;
		else
			*(const char **)at = s->words[i];
		return true;
	}
	struct buf what = {0};
	buf_addf(&what, "value for '--%s'", s->name);
	options_bad_word(str_from(value), s->words, buf_cstr(&what), err);
	buf_release(&what);
	return false;
}

static bool set_count(const struct option_spec *s, unsigned *at, const char *value, struct err *err)
{
	uint64_t n;
	if (!str_to_u64(str_from(value), &n) || n > 1000000 || n < s->least)
		return bad_value(s, value, s->least ? "a number from 1 on" : "a number", err);
	*at = (unsigned)n;
	return true;
}

bool option_set_value(struct options *o, const struct option_spec *s, const char *value, struct err *err)
{
	void *at = (char *)o + s->offset;
	switch (s->type) {
	case TYPE_TRUE:
		*(bool *)at = true;
		return true;
	case TYPE_FALSE:
		*(bool *)at = false;
		return true;
	case TYPE_STRING:
	case TYPE_NAME:
		if (s->type == TYPE_NAME && !is_name(value))
			return bad_value(s, value, "a name of letters, digits, '-', '_' and '.'", err);
		if (!*value)
			return err_set(err, ERR_USER, "option '--%s' needs a value that is not empty", s->name);
		*(const char **)at = value;
		return true;
	case TYPE_WORD:
	case TYPE_CHOICE:
		return set_word(s, at, value, err);
	case TYPE_COUNT:
		return set_count(s, at, value, err);
	case TYPE_SIZE:
		return parse_size(str_from(value), at) || bad_value(s, value, "a size such as 512M or 2G", err);
	case TYPE_AGE:
		return parse_age(str_from(value), at) || bad_value(s, value, "an age such as 12h or 30d", err);
	case TYPE_LIST:
		if (!*value)
			return err_set(err, ERR_USER, "option '--%s' needs a value that is not empty", s->name);
		vec_push((StrVec *)at, str_from(value));
		return true;
	}
	BUG("option type %d", (int)s->type);
}

bool option_takes_value(const struct option_spec *s)
{
	return s->type != TYPE_TRUE && s->type != TYPE_FALSE;
}
