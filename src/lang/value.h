/* value.h - values of the build language: immutable, in an arena, each with the place that it comes from.
 *
 * Values are passed by value. A list's items and a map's entries never change once made. Every list and map knows how
 * deep it is nested and how much is in it; the evaluator refuses what has too much of either, so that walks may recurse
 * and end. */
#ifndef TENON_LANG_VALUE_H
#define TENON_LANG_VALUE_H

#include "base/arena.h"
#include "lang/place.h"

enum value_kind {
	VALUE_NIL,
	VALUE_BOOL,
	VALUE_INT,
	VALUE_STRING,
	VALUE_KEYWORD,
	VALUE_LIST, /* (list ...) and [...] alike */
	VALUE_MAP,
	VALUE_FUNCTION, /* fn, defn */
	VALUE_BUILTIN,
	VALUE_RULE,
	VALUE_TARGET, /* what a call of a rule gives; `action` too */
};

#define VALUE_MAX_DEPTH  500
#define VALUE_MAX_WEIGHT (1u << 20)

struct value {
	uint8_t kind;
	uint16_t depth;  /* LIST, MAP, TARGET: one more than the deepest in it */
	uint32_t len;    /* LIST: items; MAP: entries */
	uint32_t weight; /* of all that is in it, a part counted wherever it is shared; one more at least */
	uint32_t file, line, col;
	union {
		bool boolean;
		int64_t integer;
		struct str text;           /* STRING; KEYWORD: without the colon */
		const struct value *items; /* LIST; MAP: key, value, key, value, ..., in order of insertion */
		const struct function *function;
		const struct builtin *builtin;
		const struct rule_value *rule;
		const struct target_value *target;
	};
};

/* A rule: an entry of the map of rules. */
struct rule_value {
	struct str name;
	const void *schema;              /* of a built-in rule, for who defined it; NULL for a workspace's own */
	const struct function *function; /* of a workspace's own: makes actions or targets of the attributes */
	struct value attrs;              /* of a workspace's own: {:name {:type ... :required ... :doc ...}} */
	struct place place;              /* of its definition */
};

/* A target that was written and not yet looked at. */
struct target_value {
	const struct rule_value *rule;
	const struct value *pairs; /* keyword, value, ...; no keyword twice */
	uint32_t npairs;
	struct place place;
};

struct place value_place(struct value v);
struct value value_at(struct value v, struct place p);
struct value value_nil(void);
struct value value_bool(bool b);
struct value value_int(int64_t i);
struct value value_string(struct str s);
struct value value_keyword(struct str s);
/* `items` are borrowed, in the arena. Depth and weight may come out above their limits: the evaluator
 * refuses that. */
struct value value_list(const struct value *items, uint32_t n);
struct value value_map(const struct value *pairs, uint32_t nentries);
struct value value_target(const struct target_value *t);

bool value_truthy(struct value v); /* all but nil and false */
bool value_eq(struct value a, struct value b);
/* -1, 0, 1 for two ints or two strings or keywords; -2 if they have no order. */
int value_cmp(struct value a, struct value b);
/* The value behind a key, or NULL. */
const struct value *value_map_get(struct value map, struct value key);
const struct value *value_map_getc(struct value map, const char *keyword);
const char *value_kind_name(uint8_t kind); /* "a string", "an integer", ... */
/* As the language writes it; cut after about `max` bytes. */
void value_print(struct value v, struct buf *out, size_t max);

#endif
