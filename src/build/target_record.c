/* What the last build knew of each action, so that this one can say why it runs again. A record is lines of text:
 *
 *     action KEY DEFINITION LABEL
 *     input DIGEST PATH               any number */
#include <stdlib.h>

#include "build/target_build.h"
#include "os/fs.h"

#define RECORD_MAGIC "tenon-target-actions-1\n"

static char *record_path(const struct target_build *b, struct arena *a)
{
	return path_join(a, b->session->config_dir, "target-actions");
}

struct record_head {
	struct digest key, definition;
	struct str label;
};

static bool read_digest_line(struct str *line, struct digest *ret)
{
	struct str hex;
	return str_cut(line, ' ', &hex) && digest_parse(hex, ret);
}

static bool read_head(struct str line, struct record_head *ret)
{
	if (!str_has_prefix(line, STR("action ")))
		return false;
	line = str_drop(line, 7);
	if (!read_digest_line(&line, &ret->key) || !read_digest_line(&line, &ret->definition))
		return false;
	ret->label = line;
	return true;
}

void target_record_load(struct target_build *b)
{
	struct arena a = {0};
	if (fs_read(record_path(b, &a), &b->previous_text, NULL) &&
	    str_has_prefix(buf_str(&b->previous_text), STR(RECORD_MAGIC))) {
		struct str all = buf_str(&b->previous_text), rest = all, line;
		struct record_head head;
		for (size_t at = 0; str_cut(&rest, '\n', &line); at = (size_t)(rest.ptr - all.ptr))
			if (read_head(line, &head))
				map_put(&b->previous, head.label, at);
	}
	arena_release(&a);
}

/* The recorded digest of an input; `rest` stands behind the head. */
static bool recorded_input(struct str rest, struct str path, struct digest *ret)
{
	struct str line;
	while (str_cut(&rest, '\n', &line) && str_has_prefix(line, STR("input "))) {
		line = str_drop(line, 6);
		if (read_digest_line(&line, ret) && str_eq(line, path))
			return true;
	}
	return false;
}

static size_t count_inputs(struct str rest)
{
	struct str line;
	size_t n = 0;
	while (str_cut(&rest, '\n', &line) && str_has_prefix(line, STR("input ")))
		n++;
	return n;
}

/* Paths as people know them: without the folder that only actions see. */
static struct str shown(struct str path)
{
	return str_has_prefix(path, STR("src/")) || str_has_prefix(path, STR("gen/")) ? str_drop(path, 4) : path;
}

struct str target_record_reason(struct target_build *b, action_id id)
{
	const struct target_unit *u = &b->units[id];
	uint64_t at;
	struct record_head head;
	if (!map_get(&b->previous, target_build_action(b, id)->label, &at))
		return STR("it was never built here");
	struct str rest = str_drop(buf_str(&b->previous_text), at), line;
	if (!str_cut(&rest, '\n', &line) || !read_head(line, &head))
		return STR("it was never built here");
	if (!digest_eq(&head.definition, &u->definition))
		return STR("its command, options or tools changed");
	for (size_t i = 0; i < u->ninputs; i++) {
		struct digest then;
		struct str path = shown(u->inputs[i].path);
		if (!recorded_input(rest, u->inputs[i].path, &then))
			return str_fmt(&b->arena, "\"%.*s\" is a new input", STR_ARG(path));
		if (!digest_eq(&then, &u->inputs[i].digest))
			return str_fmt(&b->arena, "\"%.*s\" changed", STR_ARG(path));
	}
	if (count_inputs(rest) != u->ninputs)
		return STR("an input is gone");
	if (digest_eq(&head.key, &u->key))
		return STR("its result is not in the store");
	return STR("the environment or the sandbox changed");
}

static void add_digest(struct buf *out, const struct digest *d)
{
	char hex[DIGEST_HEX + 1];
	digest_hex(d, hex);
	buf_addf(out, "%s ", hex);
}

static void save_unit(const struct target_build *b, action_id id, struct buf *out)
{
	const struct target_unit *u = &b->units[id];
	buf_addz(out, "action ");
	add_digest(out, &u->key);
	add_digest(out, &u->definition);
	buf_addf(out, "%.*s\n", STR_ARG(target_build_action(b, id)->label));
	for (size_t i = 0; i < u->ninputs; i++) {
		buf_addz(out, "input ");
		add_digest(out, &u->inputs[i].digest);
		buf_addf(out, "%.*s\n", STR_ARG(u->inputs[i].path));
	}
}

/* Actions of other requests keep their records. */
bool target_record_save(const struct target_build *b, struct err *err)
{
	struct buf out = {0};
	struct map now = {0};
	struct arena a = {0};
	buf_addz(&out, RECORD_MAGIC);
	for (size_t i = 0; i < b->analysis->actions.len; i++) {
		if (b->units[i].outcome == OUTCOME_SKIPPED)
			continue;
		map_put(&now, target_build_action(b, (action_id)i)->label, 0);
		save_unit(b, (action_id)i, &out);
	}
	struct str rest = str_drop(buf_str(&b->previous_text), MIN(sizeof(RECORD_MAGIC) - 1, b->previous_text.len));
	struct str line;
	struct record_head head;
	for (bool keep = false; str_cut(&rest, '\n', &line);) {
		if (str_has_prefix(line, STR("action ")))
			keep = read_head(line, &head) && !map_has(&now, head.label);
		if (keep)
			buf_addf(&out, "%.*s\n", STR_ARG(line));
	}
	bool ok = fs_write_atomic(record_path(b, &a), buf_str(&out), 0644, false, err);
	buf_release(&out);
	map_release(&now);
	arena_release(&a);
	return ok;
}
