/* Headers in a build: their records, and what happens when there is no header.
 *
 * The record of a header tells its surface: a digest of what counts for every dependent, and the rows, digests of what
 * counts only for those who use it (rows.c, docs/DRIVER.md). A record, and the result of a compile, is kept under a
 * first key that holds the surfaces below it; there it names the rows that were used, and lies under a second key that
 * holds their digests. So a change in a body is seen by those who used it, and by nobody else. */
#include <stdlib.h>

#include "build/build.h"
#include "lang/sexp.h"

#define MOST_INLINED 1000000

/* The unit is what the record says; its dependencies are known. */
static void adopt(struct build *b, action_id id, const struct sexp *record, struct str text)
{
	struct unit *u = &b->units[id];
	struct str unit = graph_action(b->graph, graph_action(b->graph, id)->header_of)->label;
	struct hasher *h = hasher_new(STR("tenon-surface-1"));
	hasher_str(h, "rest", sexp_text(sexp_getf(record, 1, "rest")));
	/* What came of the bodies that it used stands for them, where that is known: of all, or of some. */
	struct str results = sexp_text(sexp_getf(record, 1, "results"));
	const struct sexp *uses = sexp_getf(record, 1, "uses");
	if (results.len)
		hasher_str(h, "results", results);
	else
		rows_hash(b, id, ROWS_BODIES, uses, sexp_getf(record, 1, "calls"), h);
	rows_hash(b, id, ROWS_FOUND, uses, NULL, h);
	rows_hash(b, id, ROWS_ALL, sexp_getf(record, 1, "others"), NULL, h);
	u->facts.header = hasher_end(h);
	u->record = str_dup(&b->arena, text);
	const struct sexp *outside = sexp_getf(record, 1, "outside");
	u->outside = outside && !sexp_is_nil(outside);
	u->inlined = (uint32_t)MIN((uint64_t)sexp_int(sexp_getf(record, 1, "inlined"), 0), MOST_INLINED);
	graph_action(b->graph, id)->used = str_dup(&b->arena, sexp_text(sexp_getf(record, 1, "used")));
	rows_keep(b, id, unit, sexp_getf(record, 1, "rows"));
	u->reads = list_text(b, sexp_getf(record, 1, "reads"));
	unit_contribute(b, id);
}

static bool head_is(const struct sexp *form, const char *keyword)
{
	return form->kind == SEXP_LIST && form->len && sexp_is_keyword(form->items[0], keyword);
}

/* `form`: a record, or what lies in its place; both name what it used and what was read. */
static struct digest second_key(struct build *b, action_id id, const struct sexp *form)
{
	struct hasher *h = hasher_new(STR("tenon-header-2"));
	hasher_digest(h, "key", &b->units[id].key);
	rows_hash(b, id, ROWS_ALL, sexp_getf(form, 1, "uses"), NULL, h);
	reads_hash(b, sexp_getf(form, 1, "reads"), h);
	return hasher_end(h);
}

static bool first_key(struct build *b, action_id id, struct err *err)
{
	const struct action *a = graph_action(b->graph, id);
	struct unit *u = &b->units[id];
	if (!unit_inputs(b, id, err))
		return false;
	struct digest *deps = xmalloc((a->ndeps + 1) * sizeof(*deps));
	for (uint32_t d = 0; d < a->ndeps; d++)
		deps[d] = b->units[a->deps[d]].contribution;
	u->key = lisp_header_key(&b->session->rules, b->graph, a, &u->facts, deps);
	free(deps);
	return true;
}

bool header_lookup(struct build *b, action_id id, enum header_found *ret, struct err *err)
{
	struct unit *u = &b->units[id];
	struct store *store = b->session->store;
	struct arena a = {0};
	struct buf text = {0};
	struct sexp *form;
	bool found;
	*ret = HEADER_UNKNOWN;
	bool ok = first_key(b, id, err) && store_get_text(store, &u->key, &text, &found, err);
	if (ok && found && sexp_read_one(&a, buf_str(&text), &form) && head_is(form, "indirect")) {
		struct digest second = second_key(b, id, form);
		buf_clear(&text);
		ok = store_get_text(store, &second, &text, &found, err);
	}
	if (ok && found && sexp_read_one(&a, buf_str(&text), &form)) {
		if (head_is(form, "header")) {
			adopt(b, id, form, buf_str(&text));
			*ret = HEADER_KNOWN;
		} else if (head_is(form, "no-header")) {
			*ret = HEADER_REFUSED;
		} else if (head_is(form, "slow-header")) {
			*ret = HEADER_SLOW;
		}
	}
	buf_release(&text);
	arena_release(&a);
	return ok;
}

static bool has_items(const struct sexp *list)
{
	return list && list->kind == SEXP_LIST && list->len;
}

static bool keep(struct build *b, action_id id, const struct sexp *record, struct str text, struct err *err)
{
	struct store *store = b->session->store;
	const struct digest *key = &b->units[id].key;
	const struct sexp *uses = sexp_getf(record, 1, "uses"), *reads = sexp_getf(record, 1, "reads");
	if (!has_items(uses) && !has_items(reads))
		return store_put_text(store, key, text, err);
	struct buf first = {0};
	buf_addf(&first, "(:indirect :uses %.*s", STR_ARG(has_items(uses) ? list_text(b, uses) : STR("nil")));
	if (has_items(reads))
		buf_addf(&first, " :reads %.*s", STR_ARG(list_text(b, reads)));
	buf_addc(&first, ')');
	struct digest second = second_key(b, id, record);
	bool ok = store_put_text(store, &second, text, err) && store_put_text(store, key, buf_str(&first), err);
	buf_release(&first);
	return ok;
}

/* The record as it is kept: what was read has names that hold in other places, too. */
static void portable_record(const struct sexp *record, struct str reads, struct buf *out)
{
	buf_addz(out, "(:header");
	for (uint32_t i = 1; i + 1 < record->len; i += 2) {
		if (sexp_is_keyword(record->items[i], "reads"))
			continue;
		buf_addc(out, ' ');
		sexp_print(record->items[i], out);
		buf_addc(out, ' ');
		sexp_print(record->items[i + 1], out);
	}
	if (reads.len)
		buf_addf(out, " :reads %.*s", STR_ARG(reads));
	buf_addc(out, ')');
}

/* True if the source, or something that was read with it, is not what the image got. */
static bool changed_meanwhile(struct build *b, action_id id, bool read_changed, struct err *err)
{
	const struct action *a = graph_action(b->graph, id);
	struct digest now;
	bool exists;
	if (a->inputs[0].producer != NO_ID)
		now = b->units[id].facts.inputs[0];
	else if (!session_digest(b->session, a->inputs[0].path, &now, &exists, err))
		return true;
	if (!read_changed && digest_eq(&now, &b->units[id].facts.inputs[0]))
		return false;
	err_set(err, ERR_TRANSIENT, "\"%.*s\"%s changed while the build looked at it", STR_ARG(a->inputs[0].path),
	        read_changed ? ", or a file that it reads while it is compiled," : "");
	err_note(err, "build again");
	return true;
}

bool header_accept(struct build *b, action_id id, struct str answer, bool *ret_accepted, struct err *err)
{
	struct arena a = {0};
	struct sexp *form;
	bool ok = true;
	*ret_accepted = false;
	if (sexp_read_one(&a, answer, &form) && head_is(form, "steps-done") && form->len > 3 &&
	    head_is(form->items[3], "header")) {
		struct buf text = {0};
		bool changed;
		portable_record(form->items[3], reads_take(b, id, sexp_getf(form->items[3], 1, "reads"), &changed),
		                &text);
		ok = !changed_meanwhile(b, id, changed, err) && sexp_read_one(&a, buf_str(&text), &form) &&
		     keep(b, id, form, buf_str(&text), err);
		if (ok)
			adopt(b, id, form, buf_str(&text));
		*ret_accepted = ok;
		buf_release(&text);
	}
	arena_release(&a);
	return ok;
}

/* Where there is no header, a function that was missing may be why: a new one is a reason to try again. */
#define REFUSED "(:indirect :uses ((\"\" \"" ROW_ALL_HEADS "\")))"

/* The name of the condition that the driver gave for a header that it could not make. */
static struct str reason_in(struct arena *a, struct str answer)
{
	struct sexp *form;
	if (!sexp_read_one(a, answer, &form) || form->kind != SEXP_LIST)
		return (struct str){0};
	for (uint32_t i = 1; i < form->len; i++) {
		struct str message = sexp_text(sexp_getf(form->items[i], 1, "message"));
		if (message.len && sexp_is_keyword(sexp_getf(form->items[i], 1, "severity"), "error"))
			return str_slice(message, 0, str_find(message, '\n'));
	}
	return (struct str){0};
}

bool header_note_refused(struct build *b, action_id id, bool slow, struct str answer, const char *why, struct err *err)
{
	struct arena a = {0};
	struct buf text = {0};
	struct sexp *indirect;
	struct str reason = reason_in(&a, answer);
	const struct action *compile = graph_action(b->graph, graph_action(b->graph, id)->header_of);
	if (!reason.len)
		reason = str_from(why);
	buf_addz(&text, slow ? "(:slow-header " : "(:no-header ");
	sexp_print_string(reason, &text);
	buf_addc(&text, ')');
	session_note(b->session, NOTE_DEBUG, "\"%.*s\" gets no header: %.*s; files that depend on it wait for its FASL",
	             STR_ARG(compile->label), STR_ARG(reason));
	CHECK(sexp_read_one(&a, STR(REFUSED), &indirect));
	struct digest second = second_key(b, id, indirect);
	bool ok = store_put_text(b->session->store, &second, buf_str(&text), err) &&
	          store_put_text(b->session->store, &b->units[id].key, STR(REFUSED), err);
	buf_release(&text);
	arena_release(&a);
	return ok;
}

/* -- compiles that need FASLs -- */

void header_try_fasls(struct build *b, action_id id)
{
	b->units[id].wants_fasls = true;
	b->units[id].header_key = b->units[id].key;
}

bool header_note_classic(struct build *b, action_id id, struct err *err)
{
	const struct unit *u = &b->units[id];
	struct action_result r = {.facts = STR("(:needs-fasls)"), .label = graph_action(b->graph, id)->label};
	return digest_is_zero(&u->header_key) || store_put_action(b->session->store, &u->header_key, &r, err);
}

bool header_may_use_fasls(const struct build *b, action_id id)
{
	return graph_action(b->graph, id)->classic_deps != NULL;
}
