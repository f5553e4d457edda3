/* jar_merge.c - texts that several inputs of a jar contribute to; manifests. */
#include <strings.h>

#include "base/map.h"
#include "rules/jar.h"

/* -- manifests: attributes are lines, continued by lines that begin with a space -- */

#define LINE 70 /* and two bytes of CR LF: some readers count them among the 72 */

static bool next_line(struct str *rest, struct str *ret)
{
	if (!str_cut(rest, '\n', ret))
		return false;
	if (ret->len && ret->ptr[ret->len - 1] == '\r')
		ret->len--;
	return true;
}

struct str manifest_get(struct arena *a, struct str manifest, struct str name)
{
	struct str rest = manifest, line;
	struct buf value = {0};
	bool found = false;
	while (next_line(&rest, &line) && line.len) {
		if (*line.ptr == ' ' && found) {
			buf_adds(&value, str_drop(line, 1));
			continue;
		}
		if (found)
			break;
		size_t colon = str_find(line, ':');
		found = colon == name.len && colon < line.len && strncasecmp(line.ptr, name.ptr, name.len) == 0;
		if (found)
			buf_adds(&value, str_trim(str_drop(line, colon + 1)));
	}
	struct str ret = found ? str_dup(a, buf_str(&value)) : (struct str){0};
	buf_release(&value);
	return ret;
}

void manifest_put(struct buf *out, struct str name, struct str value)
{
	struct buf line = {0};
	buf_adds(&line, name);
	buf_addz(&line, ": ");
	buf_adds(&line, value);
	struct str rest = buf_str(&line);
	size_t room = LINE;
	while (rest.len > room) {
		size_t n = room;
		while (n > 1 && ((unsigned char)rest.ptr[n] & 0xc0) == 0x80)
			n--;
		buf_adds(out, str_slice(rest, 0, n));
		buf_addz(out, "\r\n ");
		rest = str_drop(rest, n);
		room = LINE - 1;
	}
	buf_adds(out, rest);
	buf_addz(out, "\r\n");
	buf_release(&line);
}

/* -- services and licences -- */

void jar_join_services(const struct jar_part *parts, size_t n, struct buf *out)
{
	struct map seen = {0};
	for (size_t i = 0; i < n; i++) {
		struct str rest = parts[i].text, line;
		while (str_cut(&rest, '\n', &line)) {
			line = str_trim(str_slice(line, 0, str_find(line, '#')));
			if (!line.len || !map_add(&seen, line, 0, NULL))
				continue;
			buf_adds(out, line);
			buf_addc(out, '\n');
		}
	}
	map_release(&seen);
}

#define BETWEEN "\n\n-------- and: --------\n\n"

void jar_join_texts(const struct jar_part *parts, size_t n, struct buf *out)
{
	struct map seen = {0};
	for (size_t i = 0; i < n; i++) {
		struct str rest = parts[i].text;
		while (rest.len) {
			size_t end = str_search(rest, STR(BETWEEN));
			struct str text = str_slice(rest, 0, end);
			if (map_add(&seen, str_trim(text), 0, NULL)) {
				if (seen.entries.len > 1)
					buf_addz(out, BETWEEN);
				buf_adds(out, text);
			}
			rest = str_drop(rest, MIN(rest.len, end + sizeof(BETWEEN) - 1));
		}
	}
	map_release(&seen);
}

/* -- data readers: {tag/name var/name ...} -- */

static size_t skip_blank(struct str s, size_t i)
{
	while (i < s.len) {
		if (s.ptr[i] == ';')
			i += str_find(str_drop(s, i), '\n');
		else if (strchr(" \t\r\n,\f", s.ptr[i]))
			i++;
		else
			break;
	}
	return MIN(i, s.len);
}

static size_t skip_string(struct str s, size_t i)
{
	for (i++; i < s.len && s.ptr[i] != '"'; i++)
		if (s.ptr[i] == '\\')
			i++;
	return MIN(i + 1, s.len);
}

static bool ends_token(char c)
{
	return c == 0 || strchr(" \t\r\n,\f\"()[]{};", c);
}

/* The end of the form at `i`, or 0 if it has none. */
static size_t form_end(struct str s, size_t i)
{
	size_t depth = 0;
	for (;;) {
		bool prefix = false;
		i = skip_blank(s, i);
		if (i >= s.len)
			return 0;
		char c = s.ptr[i];
		if (c == '"') {
			i = skip_string(s, i);
		} else if (strchr("([{", c)) {
			depth++;
			i++;
		} else if (strchr(")]}", c)) {
			if (!depth--)
				return 0;
			i++;
		} else if (strchr("'@`~", c)) {
			prefix = true;
			i++;
		} else if (c == '#' && i + 1 < s.len && strchr("?@{(\"_", s.ptr[i + 1])) {
			prefix = true;
			i += s.ptr[i + 1] == '?' ? (i + 2 < s.len && s.ptr[i + 2] == '@' ? 3 : 2) : 1;
			if (i < s.len && s.ptr[i] == '_')
				i++;
		} else {
			i += c == '\\' ? MIN((size_t)2, s.len - i) : 1;
			while (i < s.len && !ends_token(s.ptr[i]))
				i++;
		}
		if (!depth && !prefix)
			return i;
	}
}

static bool bad_readers(const struct jar_part *p, const char *why, struct err *err)
{
	err_set(err, ERR_USER, "the data readers of \"%.*s\" can't be merged: %s", STR_ARG(p->label), why);
	return false;
}

/* The next form of the map's body, past discarded ones. {NULL,0} at the end. */
static bool next_form(struct str body, size_t *at, struct str *ret)
{
	for (;;) {
		size_t from = skip_blank(body, *at), end;
		if (from >= body.len) {
			*ret = (struct str){0};
			return true;
		}
		end = form_end(body, from);
		if (!end)
			return false;
		*at = end;
		*ret = str_slice(body, from, end);
		if (!str_has_prefix(*ret, STR("#_")))
			return true;
	}
}

struct reader {
	struct str value, label;
};

static bool add_readers(struct arena *a, const struct jar_part *p, struct map *keys, struct buf *out, struct err *err)
{
	size_t start = skip_blank(p->text, 0), end = form_end(p->text, start), at = 0;
	if (start >= p->text.len)
		return true; /* Clojure takes an empty file for an empty map */
	if (!end || p->text.ptr[start] != '{')
		return bad_readers(p, "they are not one map", err);
	struct str body = str_slice(p->text, start + 1, end - 1), key, value;
	for (;;) {
		if (!next_form(body, &at, &key))
			return bad_readers(p, "brackets don't match", err);
		if (!key.len)
			return true;
		bool conditional = str_has_prefix(key, STR("#?@"));
		value = (struct str){0};
		if (!conditional && (!next_form(body, &at, &value) || !value.len))
			return bad_readers(p, "a key has no value", err);
		uint64_t old;
		if (map_get(keys, key, &old)) {
			const struct reader *r = (const struct reader *)(uintptr_t)old;
			if (str_eq(r->value, value))
				continue;
			err_set(err, ERR_USER,
			        "the data reader \"%.*s\" is \"%.*s\" in \"%.*s\", but \"%.*s\" in \"%.*s\"",
			        STR_ARG(key), STR_ARG(r->value), STR_ARG(r->label), STR_ARG(value), STR_ARG(p->label));
			err_note(err, "Clojure would not start with both; leave one of the two out of this jar");
			return false;
		}
		struct reader *r = arena_new(a, struct reader);
		*r = (struct reader){value, p->label};
		map_put(keys, key, (uintptr_t)r);
		buf_addz(out, keys->entries.len > 1 ? "\n " : "");
		buf_adds(out, key);
		buf_addz(out, conditional ? "" : " ");
		buf_adds(out, value);
	}
}

bool jar_join_readers(struct arena *a, const struct jar_part *parts, size_t n, struct buf *out, struct err *err)
{
	struct map keys = {0};
	bool ok = true;
	buf_addc(out, '{');
	for (size_t i = 0; ok && i < n; i++)
		ok = add_readers(a, &parts[i], &keys, out, err);
	buf_addz(out, "}\n");
	map_release(&keys);
	return ok;
}
