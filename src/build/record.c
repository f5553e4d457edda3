/* What each build leaves of each unit for the next one: the digests that its key was made of. Why a unit runs, and why
 * not, follows from the difference (why.c). */
#include "build/build.h"
#include "lang/sexp.h"
#include "os/fs.h"

/* Then a line for each digest that keys of many units share; then a line for each unit, which names one by its number:
 * "0 INPUTS OWN KEY OUTCOME LABEL REASON ROWS", with tabs. */
#define RECORD_MAGIC "tenon-units-3\n"
#define BASE         "base "
#define NO_DIGEST    "-"

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

/* Loads of what other actions make say nothing that these don't. */
bool record_is_kept(const struct action *a)
{
	if (a->kind == ACTION_NONE)
		return false;
	for (uint32_t i = 0; a->kind == ACTION_LOAD && i < a->ninputs; i++)
		if (a->inputs[i].producer == NO_ID)
			return true;
	return a->kind != ACTION_LOAD || !a->ninputs;
}

static bool cut_digest(struct str *line, struct digest *ret)
{
	struct str part;
	*ret = (struct digest){{0}};
	return str_cut(line, '\t', &part) && (str_eqc(part, NO_DIGEST) || digest_parse(part, ret));
}

static bool read_line(const struct build *b, struct str line, struct unit_record *r)
{
	struct str part;
	uint64_t base;
	if (!str_cut(&line, '\t', &part) || !str_to_u64(part, &base) || base >= b->bases.len)
		return false;
	*r = (struct unit_record){.base = b->bases.ptr[base]};
	if (!cut_digest(&line, &r->inputs) || !cut_digest(&line, &r->own) || !cut_digest(&line, &r->key) ||
	    !str_cut(&line, '\t', &r->outcome) || !str_cut(&line, '\t', &r->label))
		return false;
	str_cut(&line, '\t', &r->reason);
	r->rows = line;
	return true;
}

static struct str line_at(const struct build *b, uint64_t offset)
{
	struct str rest = str_drop(buf_str(&b->previous_text), offset);
	return str_slice(rest, 0, str_find(rest, '\n'));
}

/* Lines are read when somebody asks for them. */
void record_load(struct build *b)
{
	struct arena a = {0};
	if (fs_read(record_path(b, &a), &b->previous_text, NULL) &&
	    str_has_prefix(buf_str(&b->previous_text), STR(RECORD_MAGIC))) {
		struct str all = buf_str(&b->previous_text);
		struct str rest = str_drop(all, sizeof(RECORD_MAGIC) - 1), line, from;
		for (from = rest; str_cut(&rest, '\n', &line); from = rest) {
			struct unit_record r;
			struct digest base;
			if (str_has_prefix(line, STR(BASE)) && digest_parse(str_drop(line, sizeof(BASE) - 1), &base))
				vec_push(&b->bases, base);
			else if (read_line(b, line, &r))
				map_put(&b->previous, r.label, (uint64_t)(from.ptr - all.ptr));
		}
	}
	arena_release(&a);
}

bool record_previous(const struct build *b, struct str label, struct unit_record *ret)
{
	uint64_t offset;
	return map_get(&b->previous, label, &offset) && read_line(b, line_at(b, offset), ret);
}

static void add_digest(struct buf *out, const struct digest *d)
{
	char hex[DIGEST_HEX + 1];
	digest_hex(d, hex);
	buf_addz(out, digest_is_zero(d) ? NO_DIGEST : hex);
	buf_addc(out, '\t');
}

static void add_row(struct buf *out, struct str unit, struct str row, struct str digest)
{
	buf_addf(out, "%.*s\x1f%.*s\x1f%.*s\x1e", STR_ARG(unit), STR_ARG(row), STR_ARG(digest));
}

/* The rows of a header, and those that it or a compile used, each as "unit\x1frow\x1fdigest\x1e". Which heads were
 * looked up is in the store, and nobody asks twice. */
static void add_rows(struct build *b, action_id id, struct buf *out)
{
	const struct unit *u = &b->units[id];
	const struct action *a = graph_action(b->graph, id);
	struct str text = u->record.len ? u->record : u->uses;
	struct arena tmp = {0};
	struct sexp *form;
	if (sexp_read_one(&tmp, text, &form)) {
		const struct sexp *rows = u->record.len ? sexp_getf(form, 1, "rows") : NULL;
		const struct sexp *uses = u->record.len ? sexp_getf(form, 1, "uses") : form;
		for (uint32_t i = 0; i < sexp_list_len(rows); i++)
			add_row(out, graph_action(b->graph, a->header_of)->label, sexp_text(rows->items[i]->items[0]),
			        sexp_text(rows->items[i]->items[1]));
		for (uint32_t i = 0; i < sexp_list_len(uses); i++)
			for (uint32_t k = 1; k < uses->items[i]->len; k++) {
				struct str unit = sexp_text(uses->items[i]->items[0]);
				struct str row = sexp_text(uses->items[i]->items[k]);
				if (!row_is_head(row))
					add_row(out, unit, row, row_digest(b, id, unit, row));
			}
	}
	arena_release(&tmp);
}

/* Files that were read on the way stand behind the rows, in the same form; their unit is RECORD_READ. */
static void add_reads(struct build *b, action_id id, struct buf *out)
{
	struct arena tmp = {0};
	struct sexp *list;
	struct read_file f;
	if (sexp_read_one(&tmp, b->units[id].reads, &list))
		for (uint32_t at = 0; reads_next(b, list, &at, &f);) {
			char hex[DIGEST_HEX + 1];
			digest_hex(&f.state, hex);
			buf_addf(out, "%s\x1f%.*s:%.*s\x1f%s\x1e", RECORD_READ, STR_ARG(f.root), STR_ARG(f.rel), hex);
		}
	arena_release(&tmp);
}

/* The number of a base among those that are written. */
static size_t number_of(DigestVec *bases, const struct digest *base)
{
	size_t i = 0;
	while (i < bases->len && !digest_eq(&bases->ptr[i], base))
		i++;
	if (i == bases->len)
		vec_push(bases, *base);
	return i;
}

/* The head of the file: the bases of this build and of all others, should any of their lines stay. */
static void add_bases(const struct build *b, DigestVec *bases, struct buf *out)
{
	for (size_t i = 0; i < b->bases.len; i++)
		number_of(bases, &b->bases.ptr[i]);
	buf_addz(out, RECORD_MAGIC);
	for (size_t i = 0; i < bases->len; i++) {
		char hex[DIGEST_HEX + 1];
		digest_hex(&bases->ptr[i], hex);
		buf_addf(out, BASE "%s\n", hex);
	}
}

static void save_unit(struct build *b, size_t base, action_id id, struct buf *out)
{
	const struct action *a = graph_action(b->graph, id);
	struct unit *u = &b->units[id];
	struct digest inputs = record_inputs(b, id), own = record_own(b, id);
	if (!u->reason.len && (u->outcome == OUTCOME_CURRENT || u->outcome == OUTCOME_CACHED))
		u->reason = why_not(b, id);
	buf_addf(out, "%zu\t", base);
	add_digest(out, &inputs);
	add_digest(out, &own);
	add_digest(out, &u->key);
	buf_addf(out, "%s\t%.*s\t%.*s\t", outcome_name(u->outcome), STR_ARG(a->label), STR_ARG(u->reason));
	add_rows(b, id, out);
	add_reads(b, id, out);
	buf_addc(out, '\n');
}

/* Those of other requests in this configuration stay as they are. */
static void keep_others(struct build *b, const struct map *now, DigestVec *bases, struct buf *out)
{
	struct str all = buf_str(&b->previous_text), rest = all, line;
	while (str_cut(&rest, '\n', &line)) {
		struct unit_record r;
		uint64_t offset;
		if (!read_line(b, line, &r) || map_has(now, r.label) || !map_get(&b->previous, r.label, &offset) ||
		    offset != (uint64_t)(line.ptr - all.ptr))
			continue;
		buf_addf(out, "%zu%.*s\n", number_of(bases, &r.base), STR_ARG(str_drop(line, str_find(line, '\t'))));
	}
}

bool record_save(struct build *b, struct err *err)
{
	struct buf out = {0};
	struct map now = {0};
	struct arena a = {0};
	DigestVec bases = {0};
	struct digest base = record_base(b);
	size_t number = number_of(&bases, &base);
	why_find_edits(b);
	add_bases(b, &bases, &out);
	for (size_t i = 0; i < b->graph->actions.len; i++) {
		if (!record_is_kept(&b->graph->actions.ptr[i]))
			continue;
		map_put(&now, b->graph->actions.ptr[i].label, 0);
		if (b->units[i].outcome == OUTCOME_SKIPPED && action_kind_is_task(b->graph->actions.ptr[i].kind))
			continue;
		save_unit(b, number, (action_id)i, &out);
	}
	keep_others(b, &now, &bases, &out);
	map_release(&now);
	bool ok = fs_write_atomic(record_path(b, &a), buf_str(&out), 0644, false, err);
	buf_release(&out);
	vec_release(&bases);
	arena_release(&a);
	return ok;
}
