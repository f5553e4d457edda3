/* What the last build knew of each action, so that this one can say why it runs again, and `explain` why it did or did
 * not. A record is lines of text; DIGEST is the beginning of one:
 *
 *     action KEY DEFINITION OUTCOME LABEL
 *     why KIND<tab>NAME<tab>TEXT      if there is something to say
 *     part TEXT                       any number
 *     use KIND DIGEST NAME            any number
 *     input DIGEST PATH               any number */
#include <stdlib.h>

#include "build/target_build.h"
#include "os/fs.h"

#define RECORD_MAGIC "tenon-target-actions-2\n"

static const char *const use_names[] = {[TARGET_USE_VAR] = "var",
                                        [TARGET_USE_CLASS] = "class",
                                        [TARGET_USE_ALL_VARS] = "all",
                                        [TARGET_USE_CODE] = "code",
                                        [TARGET_USE_RESOURCE] = "resource"};

static char *record_path(const struct target_build *b, struct arena *a)
{
	return path_join(a, b->session->config_dir, "target-actions");
}

struct str target_record_state(const struct digest *d, char ret[DIGEST_HEX + 1])
{
	digest_hex(d, ret);
	return str_n(ret, TARGET_RECORD_DIGITS);
}

/* -- reading -- */

static bool read_digest(struct str *line, struct digest *ret)
{
	struct str hex;
	return str_cut(line, ' ', &hex) && digest_parse(hex, ret);
}

static bool read_head(struct str line, struct target_record *ret, struct str *ret_label)
{
	if (!str_has_prefix(line, STR("action ")))
		return false;
	line = str_drop(line, 7);
	if (!read_digest(&line, &ret->key) || !read_digest(&line, &ret->definition) ||
	    !str_cut(&line, ' ', &ret->outcome))
		return false;
	*ret_label = line;
	return true;
}

/* Where the first record behind `text`'s first line begins, or its end. */
static size_t record_end(struct str text)
{
	size_t at = str_search(text, STR("\naction "));
	return MIN(at + 1, text.len);
}

void target_record_load(struct target_build *b)
{
	struct arena a = {0};
	if (fs_read(record_path(b, &a), &b->previous_text, NULL) &&
	    str_has_prefix(buf_str(&b->previous_text), STR(RECORD_MAGIC))) {
		struct str all = buf_str(&b->previous_text), rest = str_drop(all, sizeof(RECORD_MAGIC) - 1);
		while (rest.len) {
			struct target_record r;
			struct str line = str_slice(rest, 0, str_find(rest, '\n')), label;
			if (read_head(line, &r, &label))
				map_put(&b->previous, label, (uint64_t)(rest.ptr - all.ptr));
			rest = str_drop(rest, record_end(rest));
		}
	}
	arena_release(&a);
}

/* The text of a record: its lines, the last one ended. */
static bool record_text(const struct target_build *b, struct str label, struct str *ret)
{
	uint64_t at;
	if (!map_get(&b->previous, label, &at))
		return false;
	struct str rest = str_drop(buf_str(&b->previous_text), at);
	*ret = str_slice(rest, 0, record_end(rest));
	return true;
}

bool target_record_previous(const struct target_build *b, struct str label, struct target_record *ret)
{
	struct str text, line, same;
	struct target_record r = {0};
	if (!record_text(b, label, &text) || !str_cut(&text, '\n', &line) || !read_head(line, &r, &same))
		return false;
	if (str_has_prefix(text, STR("why ")) && str_cut(&text, '\n', &line)) {
		line = str_drop(line, 4);
		if (str_cut(&line, '\t', &r.why.kind) && str_cut(&line, '\t', &r.why.name))
			r.why.text = line;
	}
	r.facts = text;
	*ret = r;
	return true;
}

static bool read_use(struct str line, struct target_recorded *ret)
{
	struct str kind;
	if (!str_cut(&line, ' ', &kind) || !str_cut(&line, ' ', &ret->state))
		return false;
	ret->name = line;
	for (size_t i = 0; i < ARRAY_LEN(use_names); i++)
		if (str_eqc(kind, use_names[i])) {
			ret->use = (enum target_use)i;
			return true;
		}
	return false;
}

bool target_record_next(struct str *facts, struct target_recorded *ret)
{
	struct str line;
	while (str_cut(facts, '\n', &line)) {
		*ret = (struct target_recorded){0};
		if (str_has_prefix(line, STR("part "))) {
			ret->kind = TARGET_FACT_PART;
			ret->name = str_drop(line, 5);
			return true;
		}
		if (str_has_prefix(line, STR("use "))) {
			ret->kind = TARGET_FACT_USE;
			if (read_use(str_drop(line, 4), ret))
				return true;
		} else if (str_has_prefix(line, STR("input "))) {
			line = str_drop(line, 6);
			ret->kind = TARGET_FACT_INPUT;
			if (str_cut(&line, ' ', &ret->state)) {
				ret->name = line;
				return true;
			}
		}
	}
	return false;
}

/* -- the parts of a definition -- */

/* One line, and no long one: what is behind that is told by its digest. */
static void add_part(struct arena *a, StrVec *out, const char *name, struct str text)
{
	struct buf b = {0};
	char hex[DIGEST_HEX + 1];
	buf_addf(&b, "%s ", name);
	for (size_t i = 0; i < MIN(text.len, (size_t)200); i++)
		buf_addc(&b, (unsigned char)text.ptr[i] < ' ' ? ' ' : text.ptr[i]);
	if (text.len > 200) {
		struct digest d = digest_of(text);
		buf_addf(&b, "... (%.*s)", STR_ARG(target_record_state(&d, hex)));
	}
	vec_push(out, str_dup(a, buf_str(&b)));
	buf_release(&b);
}

/* Words of "jvm" actions that repeat what the inputs say. */
static bool is_in_inputs(struct str option)
{
	return str_eqc(option, "--closure") || str_eqc(option, "--source") || str_eqc(option, "--one");
}

/* Options are parts with their values; other words are told by their order. */
static void add_words(const struct target_action *t, struct arena *a, StrVec *out)
{
	bool has_options = strcmp(t->executor, "jvm") == 0;
	for (size_t i = 0; i < t->argv.len;) {
		size_t end = i + 1;
		if (!has_options || !str_has_prefix(t->argv.ptr[i], STR("--"))) {
			add_part(a, out, "word", t->argv.ptr[i++]);
			continue;
		}
		struct buf b = {0};
		buf_adds(&b, str_drop(t->argv.ptr[i], 2));
		for (; end < t->argv.len && !str_has_prefix(t->argv.ptr[end], STR("--")); end++)
			buf_addf(&b, " %.*s", STR_ARG(t->argv.ptr[end]));
		if (!is_in_inputs(t->argv.ptr[i]))
			add_part(a, out, "option", buf_str(&b));
		buf_release(&b);
		i = end;
	}
}

void target_parts(const struct target_build *b, action_id id, struct arena *a, StrVec *out)
{
	const struct target_action *t = target_build_action(b, id);
	char hex[DIGEST_HEX + 1];
	add_part(a, out, "tool", target_record_state(&t->toolchain, hex));
	add_part(a, out, "folder", t->cwd);
	for (size_t i = 0; i < t->env.len; i++)
		add_part(a, out, "env", t->env.ptr[i]);
	for (size_t i = 0; i < b->session->environment.len; i++)
		add_part(a, out, "env", b->session->environment.ptr[i]);
	if (!b->session->options.sandbox)
		add_part(a, out, "sandbox", STR("off"));
	for (size_t i = 0; t->worker && i < t->worker->words.len; i++)
		add_part(a, out, "worker", t->worker->words.ptr[i]);
	for (size_t i = 0; i < t->outputs.len; i++)
		add_part(a, out, "output", t->outputs.ptr[i].path);
	add_words(t, a, out);
}

/* -- writing -- */

static void add_digest(struct buf *out, const struct digest *d)
{
	char hex[DIGEST_HEX + 1];
	digest_hex(d, hex);
	buf_addf(out, "%s ", hex);
}

static void add_head(const struct target_build *b, action_id id, const struct digest *key,
                     const struct digest *definition, struct buf *out)
{
	const struct target_unit *u = &b->units[id];
	buf_addz(out, "action ");
	add_digest(out, key);
	add_digest(out, definition);
	buf_addf(out, "%s %.*s\n", outcome_name(u->outcome), STR_ARG(target_build_action(b, id)->label));
	if (u->why.kind.len)
		buf_addf(out, "why %.*s\t%.*s\t%.*s\n", STR_ARG(u->why.kind), STR_ARG(u->why.name),
		         STR_ARG(u->why.text));
}

static void add_use(void *ctx, const struct target_used *u)
{
	buf_addf(ctx, "use %s %.*s %.*s\n", use_names[u->kind], (int)MIN(u->state.len, (size_t)TARGET_RECORD_DIGITS),
	         u->state.ptr, STR_ARG(u->name));
}

static void add_facts(struct target_build *b, action_id id, struct buf *out)
{
	const struct target_unit *u = &b->units[id];
	struct arena a = {0};
	StrVec parts = {0};
	char hex[DIGEST_HEX + 1];
	target_parts(b, id, &a, &parts);
	for (size_t i = 0; i < parts.len; i++)
		buf_addf(out, "part %.*s\n", STR_ARG(parts.ptr[i]));
	if (target_trace_has(b, id) && u->known)
		target_trace_uses(b, id, u->facts, add_use, out);
	for (size_t i = 0; i < u->ninputs; i++)
		buf_addf(out, "input %.*s %.*s\n", STR_ARG(target_record_state(&u->inputs[i].digest, hex)),
		         STR_ARG(u->inputs[i].path));
	vec_release(&parts);
	arena_release(&a);
}

/* The first of those that it waits for that failed, or was skipped itself. */
static struct target_why why_skipped(struct target_build *b, action_id id)
{
	const struct action *a = graph_action(&b->graph, id);
	for (uint32_t i = 0; i < a->ndeps; i++)
		if (b->units[a->deps[i]].outcome == OUTCOME_FAILED || b->units[a->deps[i]].outcome == OUTCOME_SKIPPED) {
			struct str label = target_build_action(b, a->deps[i])->label;
			return (struct target_why){STR("dependency"), label,
			                           str_fmt(&b->arena, "%.*s was not built", STR_ARG(label))};
		}
	return (struct target_why){STR("stopped"), {0}, STR("the build had stopped before its turn")};
}

/* What never ran, or not this time, keeps what it was made of. */
static void save_unit(struct target_build *b, action_id id, struct buf *out)
{
	static const struct digest none;
	struct target_unit *u = &b->units[id];
	struct target_record old = {0};
	bool known = target_record_previous(b, target_build_action(b, id)->label, &old);
	if (u->outcome == OUTCOME_SKIPPED) {
		u->why = why_skipped(b, id);
		add_head(b, id, known ? &old.key : &none, known ? &old.definition : &none, out);
		buf_adds(out, old.facts);
		return;
	}
	if (u->outcome == OUTCOME_CURRENT || u->outcome == OUTCOME_CACHED)
		u->why = target_why_not(b, id);
	add_head(b, id, &u->key, &u->definition, out);
	if (known && digest_eq(&old.key, &u->key) && u->outcome == OUTCOME_CURRENT)
		buf_adds(out, old.facts);
	else
		add_facts(b, id, out);
}

/* Actions of other requests keep their records. */
bool target_record_save(struct target_build *b, struct err *err)
{
	struct buf out = {0};
	struct map now = {0};
	struct arena a = {0};
	buf_addz(&out, RECORD_MAGIC);
	for (size_t i = 0; i < b->analysis->actions.len; i++) {
		map_put(&now, target_build_action(b, (action_id)i)->label, 0);
		save_unit(b, (action_id)i, &out);
	}
	for (size_t i = 0; i < b->previous.entries.len; i++) {
		struct str text, label = b->previous.entries.ptr[i].key;
		if (!map_has(&now, label) && record_text(b, label, &text))
			buf_adds(&out, text);
	}
	bool ok = fs_write_atomic(record_path(b, &a), buf_str(&out), 0644, false, err);
	buf_release(&out);
	map_release(&now);
	arena_release(&a);
	return ok;
}
