/* Replays: a compile whose key is another one only because bodies changed that its macros call. Where the calls that it
 * made are on record, they are made again in its image, which takes no compiler; if the same comes of all of them, the
 * compile would do what it did, and its result is that of the new key, too (docs/DRIVER.md). */
#include "build/build.h"
#include "lang/sexp.h"

#define REPLAY_TIMEOUT_MS 30000

/* The key of the record, under which lies a form: (:calls :rows ((UNIT ROW DIGEST)...) :settings TEXT :recorded
 * ((UNIT ROW RESULT CALL...)...)). ROWS: all that the compile used, with their digests then. */
static struct digest calls_key(const struct digest *key)
{
	struct hasher *h = hasher_new(STR("tenon-calls-1"));
	hasher_digest(h, "key", key);
	return hasher_end(h);
}

/* The record's form: a list. */
static bool read_form(struct arena *a, struct str text, struct sexp **ret)
{
	return sexp_read_one(a, text, ret) && sexp_is_list(*ret, 1);
}

/* Every row in `uses`, a list of (unit row...), with its digest as it is now. */
static void print_rows(struct build *b, action_id id, const struct sexp *uses, struct buf *out)
{
	buf_addc(out, '(');
	for (uint32_t i = 0; sexp_is_list(uses, 1) && i < uses->len; i++) {
		const struct sexp *use = uses->items[i];
		for (uint32_t k = 1; sexp_is_list(use, 2) && k < use->len; k++) {
			struct str unit = sexp_text(use->items[0]), row = sexp_text(use->items[k]);
			buf_addc(out, '(');
			sexp_print_string(unit, out);
			buf_addc(out, ' ');
			sexp_print_string(row, out);
			buf_addc(out, ' ');
			sexp_print_string(row_digest(b, id, unit, row), out);
			buf_addc(out, ')');
		}
	}
	buf_addc(out, ')');
}

static bool keep_calls(struct build *b, action_id id, const struct sexp *uses, struct str settings, struct str recorded,
                       struct err *err)
{
	struct buf text = {0};
	struct digest key = calls_key(&b->units[id].key);
	buf_addz(&text, "(:calls :rows ");
	print_rows(b, id, uses, &text);
	buf_addz(&text, " :settings ");
	sexp_print_string(settings, &text);
	buf_addf(&text, " :recorded (%.*s))", STR_ARG(recorded));
	bool ok = store_put_text(b->session->store, &key, buf_str(&text), err);
	buf_release(&text);
	return ok;
}

bool replay_record(struct build *b, action_id id, const struct sexp *acted, struct err *err)
{
	const struct sexp *calls = sexp_getf(acted, 1, "calls");
	if (!sexp_is_list(calls, 2))
		return true;
	struct buf recorded = {0};
	for (uint32_t i = 1; i < calls->len; i++)
		sexp_print(calls->items[i], &recorded);
	bool ok = keep_calls(b, id, sexp_getf(acted, 1, "uses"), sexp_text(calls->items[0]), buf_str(&recorded), err);
	buf_release(&recorded);
	return ok;
}

/* The record of the unit's calls; NULL if there is none, or one of a result that is gone. */
static bool find_record(struct build *b, action_id id, struct arena *a, const struct sexp **ret, struct err *err)
{
	struct digest key = calls_key(&b->units[id].key);
	struct buf text = {0};
	struct sexp *form;
	bool found, there = false;
	*ret = NULL;
	bool ok = store_get_text(b->session->store, &key, &text, &found, err);
	if (ok && found && read_form(a, str_dup(a, buf_str(&text)), &form)) {
		ok = unit_result_before(b, id, sexp_getf(form, 1, "rows"), &there, err);
		if (ok && there)
			*ret = form;
	}
	buf_release(&text);
	return ok;
}

/* What is to be replayed: the calls of all rows that changed. Empty if there are none, or they are not on record. */
static void request_text(struct build *b, action_id id, const struct sexp *record, struct buf *out)
{
	const struct sexp *rows = sexp_getf(record, 1, "rows"), *recorded = sexp_getf(record, 1, "recorded");
	bool any = false;
	buf_addz(out, "(:replay ");
	sexp_print_string(sexp_text(sexp_getf(record, 1, "settings")), out);
	for (uint32_t i = 0; sexp_is_list(rows, 1) && i < rows->len; i++) {
		const struct sexp *row = rows->items[i];
		struct str unit = sexp_text(row->items[0]), name = sexp_text(row->items[1]);
		if (str_eq(row_digest(b, id, unit, name), sexp_text(row->items[2])))
			continue;
		const struct sexp *calls = row_item(recorded, unit, name);
		if (!calls) {
			any = false;
			break;
		}
		any = true;
		buf_addc(out, '\n');
		sexp_print(calls, out);
	}
	buf_addc(out, ')');
	if (!any)
		buf_clear(out);
}

bool replay_prepare(struct build *b, action_id id, struct err *err)
{
	struct unit *u = &b->units[id];
	struct arena a = {0};
	const struct sexp *record;
	if (u->replayed || !u->uses.len)
		return true;
	bool ok = find_record(b, id, &a, &record, err);
	if (ok && record) {
		struct buf text = {0};
		request_text(b, id, record, &text);
		if (text.len) {
			u->request->job.act = str_dup(&b->arena, buf_str(&text));
			u->request->job.timeout_ms = REPLAY_TIMEOUT_MS;
			u->request->job.done = answer_replay;
			u->replayed = true;
		}
		buf_release(&text);
	}
	arena_release(&a);
	return ok;
}

/* True if the same came of all calls: `answer` is (:replayed (UNIT ROW RESULT USES)...). */
static bool is_same(const struct sexp *answer, const struct sexp *record)
{
	const struct sexp *recorded = sexp_getf(record, 1, "recorded");
	if (!sexp_is_list(answer, 2) || !sexp_is_keyword(answer->items[0], "replayed"))
		return false;
	for (uint32_t i = 1; i < answer->len; i++) {
		const struct sexp *row = answer->items[i];
		if (!sexp_is_list(row, 4) || !sexp_text(row->items[2]).len)
			return false;
		const struct sexp *calls = row_item(recorded, sexp_text(row->items[0]), sexp_text(row->items[1]));
		if (!calls || !str_eq(sexp_text(calls->items[2]), sexp_text(row->items[2])))
			return false;
	}
	return true;
}

static bool uses_row(const struct sexp *uses, struct str unit, struct str row)
{
	for (uint32_t i = 0; sexp_is_list(uses, 1) && i < uses->len; i++) {
		const struct sexp *use = uses->items[i];
		if (!sexp_is_list(use, 2) || !str_eq(sexp_text(use->items[0]), unit))
			continue;
		for (uint32_t k = 1; k < use->len; k++)
			if (str_eq(sexp_text(use->items[k]), row))
				return true;
	}
	return false;
}

/* True if the replay of another row called the row: with what, is not on record. */
static bool is_called(const struct sexp *answer, struct str unit, struct str row)
{
	for (uint32_t i = 1; i < answer->len; i++) {
		const struct sexp *item = answer->items[i];
		bool itself = str_eq(sexp_text(item->items[0]), unit) && str_eq(sexp_text(item->items[1]), row);
		if (!itself && uses_row(item->items[3], unit, row))
			return true;
	}
	return false;
}

/* The rows that the result rests on from now on: those in `uses`, and all that the replay called. */
static void merge_uses(const struct sexp *uses, const struct sexp *answer, struct buf *out)
{
	buf_addc(out, '(');
	for (uint32_t i = 0; sexp_is_list(uses, 1) && i < uses->len; i++)
		sexp_print(uses->items[i], out);
	for (uint32_t i = 1; i < answer->len; i++) {
		const struct sexp *more = answer->items[i]->items[3];
		for (uint32_t u = 0; sexp_is_list(more, 1) && u < more->len; u++)
			for (uint32_t k = 1; sexp_is_list(more->items[u], 2) && k < more->items[u]->len; k++) {
				struct str unit = sexp_text(more->items[u]->items[0]);
				struct str row = sexp_text(more->items[u]->items[k]);
				if (uses_row(uses, unit, row))
					continue;
				buf_addc(out, '(');
				sexp_print_string(unit, out);
				buf_addc(out, ' ');
				sexp_print_string(row, out);
				buf_addc(out, ')');
			}
	}
	buf_addc(out, ')');
}

/* The result of before is that of the unit as it is now. */
static bool accept(struct build *b, action_id id, const struct sexp *record, const struct sexp *answer, struct err *err)
{
	struct arena a = {0};
	struct buf uses = {0}, kept = {0};
	struct sexp *before, *now;
	const struct sexp *recorded = sexp_getf(record, 1, "recorded");
	CHECK(read_form(&a, b->units[id].uses, &before));
	merge_uses(before, answer, &uses);
	CHECK(read_form(&a, buf_str(&uses), &now));
	for (uint32_t i = 0; sexp_is_list(recorded, 1) && i < recorded->len; i++) {
		const struct sexp *item = recorded->items[i];
		if (sexp_is_list(item, 3) && !is_called(answer, sexp_text(item->items[0]), sexp_text(item->items[1])))
			sexp_print(item, &kept);
	}
	bool ok = unit_adopt_before(b, id, sexp_getf(record, 1, "rows"), buf_str(&uses), err) &&
	          keep_calls(b, id, now, sexp_text(sexp_getf(record, 1, "settings")), buf_str(&kept), err);
	buf_release(&uses);
	buf_release(&kept);
	arena_release(&a);
	return ok;
}

static bool take_answer(struct build *b, action_id id, struct str text, bool *ret_hit, struct err *err)
{
	struct arena a = {0};
	struct sexp *answer;
	const struct sexp *record;
	bool ok = find_record(b, id, &a, &record, err);
	*ret_hit = false;
	if (ok && record && read_form(&a, text, &answer) && is_same(answer, record))
		ok = accept(b, id, record, answer, err) && unit_lookup(b, id, ret_hit, err);
	arena_release(&a);
	return ok;
}

void answer_replay(struct pool_job *job, const struct pool_result *r)
{
	struct unit *u = job->ctx;
	struct build *b = u->build;
	action_id id = (action_id)(u - b->units);
	bool hit = false;
	b->running--;
	b->step_ns += r->wall_ns;
	if (r->outcome == POOL_ANSWERED &&
	    (!take_answer(b, id, r->text, &hit, &b->fatal) || (hit && !header_note_classic(b, id, &b->fatal))))
		return;
	if (hit) {
		if (!suspects_hold(b, id))
			answer_judged(b, id, true);
		return;
	}
	u->prepared = false;
	image_tree_unsettle(&b->images, b->images.node_of[id]);
	sched_again(b->sched, id);
}
