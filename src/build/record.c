/* What each build leaves of each unit for the next one: the digests that its key was made of. Why a unit runs, and why
 * not, follows from the difference (why.c). */
#include "build/build.h"
#include "lang/sexp.h"
#include "os/fs.h"

#define RECORD_MAGIC "tenon-units-2\n"

static char *record_path(const struct build *b, struct arena *a)
{
	return path_join(a, b->session->config_dir, "units");
}

/* Everything in the key that is the same for all units of a build. */
struct digest record_base(const struct build *b)
{
	const struct lisp_rules *r = &b->session->rules;
	struct hasher *h = hasher_new(STR("tenon-record-base-1"));
	hasher_digest(h, "base", &r->base);
	hasher_str(h, "policy", r->policy);
	hasher_str(h, "environment", r->environment);
	hasher_str(h, "warnings", r->warnings);
	return hasher_end(h);
}

struct digest record_inputs(const struct build *b, action_id id)
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
struct digest record_own(const struct build *b, action_id id)
{
	const struct unit *u = &b->units[id];
	struct hasher *h = hasher_new(STR("tenon-record-own-1"));
	for (size_t i = 0; i < u->facts.noutputs; i++)
		hasher_digest(h, "output", &u->facts.outputs[i].digest);
	if (graph_action(b->graph, id)->kind == ACTION_HEADER)
		hasher_digest(h, "surface", &u->facts.header);
	return hasher_end(h);
}

static bool read_line(struct str line, struct unit_record *r)
{
	struct digest *const digests[] = {&r->base, &r->inputs, &r->own, &r->key};
	struct str part;
	for (size_t i = 0; i < ARRAY_LEN(digests); i++)
		if (!str_cut(&line, '\t', &part) || !digest_parse(part, digests[i]))
			return false;
	if (!str_cut(&line, '\t', &r->outcome) || !str_cut(&line, '\t', &r->label))
		return false;
	str_cut(&line, '\t', &r->reason);
	r->rows = line;
	return true;
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

const struct unit_record *record_previous(const struct build *b, struct str label)
{
	uint64_t index;
	return map_get(&b->previous, label, &index) ? &b->records.ptr[index] : NULL;
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

static void add_row(struct buf *out, struct str unit, struct str row, struct str digest)
{
	buf_addf(out, "%.*s\x1f%.*s\x1f%.*s\x1e", STR_ARG(unit), STR_ARG(row), STR_ARG(digest));
}

/* The rows of a header, and those that it or a compile used, each as "unit\x1frow\x1fdigest\x1e". */
static void add_rows(const struct build *b, action_id id, struct buf *out)
{
	const struct unit *u = &b->units[id];
	const struct action *a = graph_action(b->graph, id);
	struct str text = u->record.len ? u->record : u->uses;
	struct arena tmp = {0};
	struct sexp *list;
	if (text.len && sexp_read(&tmp, STR("<record>"), text, SEXP_LISP, &list, NULL) && list->len == 1) {
		const struct sexp *form = list->items[0];
		const struct sexp *rows = u->record.len ? sexp_getf(form, 1, "rows") : NULL;
		const struct sexp *uses = u->record.len ? sexp_getf(form, 1, "uses") : form;
		for (uint32_t i = 0; rows && rows->kind == SEXP_LIST && i < rows->len; i++)
			add_row(out, graph_action(b->graph, a->header_of)->label, sexp_text(rows->items[i]->items[0]),
			        sexp_text(rows->items[i]->items[1]));
		for (uint32_t i = 0; uses && uses->kind == SEXP_LIST && i < uses->len; i++)
			for (uint32_t k = 1; k < uses->items[i]->len; k++) {
				struct str unit = sexp_text(uses->items[i]->items[0]);
				struct str row = sexp_text(uses->items[i]->items[k]);
				add_row(out, unit, row, header_row(b, unit, row));
			}
	}
	arena_release(&tmp);
}

static void save_unit(struct build *b, const struct digest *base, action_id id, struct buf *out)
{
	const struct action *a = graph_action(b->graph, id);
	struct unit *u = &b->units[id];
	struct digest inputs = record_inputs(b, id), own = record_own(b, id);
	if (!u->reason.len && (u->outcome == OUTCOME_CURRENT || u->outcome == OUTCOME_CACHED))
		u->reason = why_not(b, id);
	add_digest(out, base);
	add_digest(out, &inputs);
	add_digest(out, &own);
	add_digest(out, &u->key);
	buf_addf(out, "%s\t%.*s\t%.*s\t", outcome_name(u->outcome), STR_ARG(a->label), STR_ARG(u->reason));
	add_rows(b, id, out);
	buf_addc(out, '\n');
}

/* Units of other requests in this configuration keep their records. */
bool record_save(struct build *b, struct err *err)
{
	struct buf out = {0};
	struct map now = {0};
	struct arena a = {0};
	buf_addz(&out, RECORD_MAGIC);
	struct digest base = record_base(b);
	why_find_edits(b);
	for (size_t i = 0; i < b->graph->actions.len; i++) {
		if (b->graph->actions.ptr[i].kind == ACTION_NONE)
			continue;
		map_put(&now, b->graph->actions.ptr[i].label, 0);
		if (b->units[i].outcome == OUTCOME_SKIPPED && action_kind_is_task(b->graph->actions.ptr[i].kind))
			continue;
		save_unit(b, &base, (action_id)i, &out);
	}
	for (size_t i = 0; i < b->records.len; i++) {
		const struct unit_record *r = &b->records.ptr[i];
		if (map_has(&now, r->label))
			continue;
		add_digest(&out, &r->base);
		add_digest(&out, &r->inputs);
		add_digest(&out, &r->own);
		add_digest(&out, &r->key);
		buf_addf(&out, "%.*s\t%.*s\t%.*s\t%.*s\n", STR_ARG(r->outcome), STR_ARG(r->label), STR_ARG(r->reason),
		         STR_ARG(r->rows));
	}
	bool ok = fs_write_atomic(record_path(b, &a), buf_str(&out), 0644, false, err);
	buf_release(&out);
	map_release(&now);
	arena_release(&a);
	return ok;
}
