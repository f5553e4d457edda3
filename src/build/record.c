/* Why a unit is not what it was: each build leaves for each unit the digests that its key was made of. */
#include <stdlib.h>

#include "build/build.h"
#include "os/fs.h"

#define RECORD_MAGIC "tenon-units-1\n"

static char *record_path(const struct build *b, struct arena *a)
{
	return path_join(a, b->session->config_dir, "units");
}

/* Everything in the key that is the same for all units of a build. */
static struct digest base_of(const struct build *b)
{
	const struct lisp_rules *r = &b->session->rules;
	struct hasher *h = hasher_new(STR("tenon-record-base-1"));
	hasher_digest(h, "base", &r->base);
	hasher_str(h, "policy", r->policy);
	hasher_str(h, "environment", r->environment);
	hasher_str(h, "warnings", r->warnings);
	return hasher_end(h);
}

static struct digest inputs_of(const struct build *b, action_id id)
{
	const struct action *a = graph_action(b->graph, id);
	struct hasher *h = hasher_new(STR("tenon-record-inputs-1"));
	for (uint32_t i = 0; i < a->ninputs && b->units[id].facts.inputs; i++)
		hasher_digest(h, "input", &b->units[id].facts.inputs[i]);
	hasher_str(h, "definition", a->definition);
	hasher_str(h, "features", a->features);
	return hasher_end(h);
}

/* What it leaves in images by itself, apart from what it rests on. */
static struct digest own_of(const struct build *b, action_id id)
{
	const struct unit *u = &b->units[id];
	struct hasher *h = hasher_new(STR("tenon-record-own-1"));
	for (size_t i = 0; i < u->facts.noutputs; i++)
		hasher_digest(h, "output", &u->facts.outputs[i].digest);
	return hasher_end(h);
}

static bool read_line(struct str line, struct unit_record *r)
{
	struct digest *const digests[] = {&r->base, &r->inputs, &r->own, &r->key};
	struct str part;
	for (size_t i = 0; i < ARRAY_LEN(digests); i++)
		if (!str_cut(&line, '\t', &part) || !digest_parse(part, digests[i]))
			return false;
	return str_cut(&line, '\t', &r->outcome) && str_cut(&line, '\t', &r->label) &&
	       (str_cut(&line, '\t', &r->reason) || true);
}

void record_load(struct build *b)
{
	struct arena a = {0};
	if (fs_read(record_path(b, &a), &b->previous_text, NULL) &&
	    str_has_prefix(buf_str(&b->previous_text), STR(RECORD_MAGIC))) {
		struct str rest = str_drop(buf_str(&b->previous_text), sizeof(RECORD_MAGIC) - 1), line;
		while (str_cut(&rest, '\n', &line)) {
			struct unit_record r = {0};
			if (!read_line(line, &r))
				continue;
			map_put(&b->previous, r.label, b->records.len);
			vec_push(&b->records, r);
		}
	}
	arena_release(&a);
}

static const struct unit_record *previous(const struct build *b, struct str label)
{
	uint64_t index;
	return map_get(&b->previous, label, &index) ? &b->records.ptr[index] : NULL;
}

/* The first thing below `id`, in the order of building, that is new or not what it was. */
static struct str changed_below(struct build *b, action_id id)
{
	struct closure c;
	U32Vec below = {0};
	closure_init(&c, b->graph);
	closure_of(&c, id, action_kind_any, &below);
	action_id first = NO_ID;
	bool is_new = false;
	for (size_t i = 0; i < below.len; i++) {
		const struct action *a = graph_action(b->graph, below.ptr[i]);
		if (a->kind == ACTION_NONE || (first != NO_ID && graph_action(b->graph, first)->order < a->order))
			continue;
		const struct unit_record *r = previous(b, a->label);
		struct digest own = own_of(b, below.ptr[i]), inputs = inputs_of(b, below.ptr[i]);
		bool task = action_kind_is_task(a->kind);
		if (r && digest_eq(&r->own, &own) && (task || digest_eq(&r->inputs, &inputs)))
			continue;
		first = below.ptr[i];
		is_new = !r;
	}
	closure_release(&c);
	vec_release(&below);
	if (first == NO_ID)
		return STR("its declared dependencies changed");
	struct str label = graph_action(b->graph, first)->label;
	return is_new ? str_fmt(&b->arena, "\"%.*s\" is new in its image", STR_ARG(label))
	              : str_fmt(&b->arena, "\"%.*s\", which is in its image, changed", STR_ARG(label));
}

struct str record_reason(struct build *b, action_id id)
{
	const struct action *a = graph_action(b->graph, id);
	const struct unit_record *r = previous(b, a->label);
	if (!r)
		return STR("it was never built here");
	struct digest base = base_of(b), inputs = inputs_of(b, id);
	if (!digest_eq(&r->base, &base))
		return STR("the Lisp, the configuration or the declared environment changed");
	if (!digest_eq(&r->inputs, &inputs))
		return a->ninputs ? str_fmt(&b->arena, "\"%.*s\" changed", STR_ARG(a->inputs[0].path))
		                  : STR("its description changed");
	if (digest_eq(&r->key, &b->units[id].key))
		return str_eqc(r->outcome, "failed") ? STR("it failed the last time")
		                                     : STR("its result is gone from the store");
	return changed_below(b, id);
}

static const char *outcome_name(enum outcome o)
{
	static const char *const names[] = {"ran", "cached", "current", "failed", "skipped"};
	return names[o];
}

static void add_digest(struct buf *out, const struct digest *d)
{
	char hex[DIGEST_HEX + 1];
	digest_hex(d, hex);
	buf_addf(out, "%s\t", hex);
}

static void save_unit(const struct build *b, action_id id, struct buf *out)
{
	const struct action *a = graph_action(b->graph, id);
	struct digest base = base_of(b), inputs = inputs_of(b, id), own = own_of(b, id);
	add_digest(out, &base);
	add_digest(out, &inputs);
	add_digest(out, &own);
	add_digest(out, &b->units[id].key);
	buf_addf(out, "%s\t%.*s\t%.*s\n", outcome_name(b->units[id].outcome), STR_ARG(a->label),
	         STR_ARG(b->units[id].reason));
}

/* Units of other requests in this configuration keep their records. */
bool record_save(struct build *b, struct err *err)
{
	struct buf out = {0};
	struct map now = {0};
	struct arena a = {0};
	buf_addz(&out, RECORD_MAGIC);
	for (size_t i = 0; i < b->graph->actions.len; i++) {
		if (b->graph->actions.ptr[i].kind == ACTION_NONE)
			continue;
		map_put(&now, b->graph->actions.ptr[i].label, 0);
		if (b->units[i].outcome == OUTCOME_SKIPPED && action_kind_is_task(b->graph->actions.ptr[i].kind))
			continue;
		save_unit(b, (action_id)i, &out);
	}
	for (size_t i = 0; i < b->records.len; i++) {
		const struct unit_record *r = &b->records.ptr[i];
		if (map_has(&now, r->label))
			continue;
		add_digest(&out, &r->base);
		add_digest(&out, &r->inputs);
		add_digest(&out, &r->own);
		add_digest(&out, &r->key);
		buf_addf(&out, "%.*s\t%.*s\t%.*s\n", STR_ARG(r->outcome), STR_ARG(r->label), STR_ARG(r->reason));
	}
	bool ok = fs_write_atomic(record_path(b, &a), buf_str(&out), 0644, false, err);
	buf_release(&out);
	map_release(&now);
	arena_release(&a);
	return ok;
}
