/* json.h - writing JSON (RFC 8259) into a builder. Strings that are not UTF-8 get U+FFFD for bad bytes.
 *
 *     struct json j = { .out = &buf };
 *     json_object(&j); json_key(&j, "name"); json_str(&j, s); json_end(&j);
 */
#ifndef TENON_WIRE_JSON_H
#define TENON_WIRE_JSON_H

#include "base/str.h"

struct json {
	struct buf *out;
	bool need_comma, after_key;
	uint64_t kinds; /* bit stack: 1 object, 0 array */
	unsigned depth; /* at most 60 */
};
void json_object(struct json *j);
void json_array(struct json *j);
void json_end(struct json *j);
void json_key(struct json *j, const char *key);
void json_str(struct json *j, struct str s);
void json_strz(struct json *j, const char *s);
void json_int(struct json *j, int64_t v);
void json_bool(struct json *j, bool v);
void json_null(struct json *j);

#endif
