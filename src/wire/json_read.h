/* json_read.h - reading JSON (RFC 8259): one text into a tree in an arena.
 *
 *     struct json_value *v;
 *     if (json_read(&arena, text, &v, &err)) ... json_member(v, "exitCode") ...
 *
 * Strict: one value with nothing but white space around it, valid UTF-8, no name twice in an object, at most
 * JSON_DEPTH open brackets. Pure; not recursive. (json.h writes.) */
#ifndef TENON_WIRE_JSON_READ_H
#define TENON_WIRE_JSON_READ_H

#include "base/arena.h"
#include "base/err.h"

#define JSON_DEPTH 200

enum json_kind { JSON_NULL, JSON_FALSE, JSON_TRUE, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json_value {
	enum json_kind kind;
	struct str text; /* STRING: unescaped; NUMBER: as written */
	struct str name; /* in an object: the member's */
	struct json_value *first, *next;
};

/* ERR_USER: "... at byte N". Strings live in `a`, or point into `text`. */
bool json_read(struct arena *a, struct str text, struct json_value **ret, struct err *err);

/* NULL-tolerant. NULL if it is no object or has no such member. */
const struct json_value *json_member(const struct json_value *v, const char *name);
/* False if it is no integer of 64 bits. */
bool json_integer(const struct json_value *v, int64_t *ret);

#endif
