/* Why a unit runs, and why it doesn't although something below it was edited: in the words of people. */
#include "build/build.h"

struct row {
	struct str unit, name, digest;
};

/* Cuts the next row off the text that record.c writes. */
static bool next_row(struct str *rest, struct row *ret)
{
	struct str line;
	if (!rest->len || !str_cut(rest, '\x1e', &line))
		return false;
	return str_cut(&line, '\x1f', &ret->unit) && str_cut(&line, '\x1f', &ret->name) &&
	       (str_cut(&line, '\x1f', &ret->digest), true);
}

/* The file of a unit's label, "system:path". */
static struct str file_of(struct str label)
{
	size_t colon = str_find(label, ':');
	return colon < label.len ? str_drop(label, colon + 1) : label;
}

/* The row that stands for the docstrings of all functions of a file. */
static bool is_docstrings(struct str row)
{
	return str_eqc(row, "docstrings");
}

/* The row that stands for a file which was read, see record.c. */
static bool is_read(struct str unit)
{
	return str_eqc(unit, RECORD_READ);
}

/* The state of a file when it was read the last time, or an empty string. */
static struct str recorded_state(struct build *b, const struct unit_record *r, const struct read_file *f)
{
	struct str rest = r->rows, name = str_fmt(&b->arena, "%.*s:%.*s", STR_ARG(f->root), STR_ARG(f->rel));
	struct row row;
	while (next_row(&rest, &row))
		if (is_read(row.unit) && str_eq(row.name, name))
			return row.digest;
	return (struct str){0};
}

/* The first file that was read while the unit was compiled the last time and that is another one now. */
static struct str changed_read(struct build *b, action_id id, const struct unit_record *r)
{
	struct str why = {0};
	struct arena tmp = {0};
	struct sexp *list;
	struct read_file f;
	if (sexp_read_one(&tmp, b->units[id].reads, &list))
		for (uint32_t at = 0; reads_next(b, list, &at, &f);) {
			if (why.len && !f.own)
				continue;
			char hex[DIGEST_HEX + 1];
			digest_hex(&f.state, hex);
			struct str was = recorded_state(b, r, &f);
			if (was.len && !str_eqc(was, hex))
				why = str_fmt(&b->arena, "\"%.*s\", which %s%s %s, %s", STR_ARG(f.rel),
				              f.own ? "it " : "was ", f.probed ? "looked for" : "read",
				              f.own ? "while compiling" : "while its image was made",
				              f.probed ? "came or went" : "changed");
		}
	arena_release(&tmp);
	return why;
}

static struct str row_words(struct build *b, struct str name)
{
	size_t space = str_find(name, ' ');
	struct str operator= str_slice(name, 0, space), what = str_drop(name, MIN(space + 1, name.len));
	if (is_docstrings(name))
		return STR("docstrings");
	if (str_eqc(operator, "defmacro"))
		return str_fmt(&b->arena, "macro \"%.*s\"", STR_ARG(what));
	if (str_eqc(operator, "defun"))
		return str_fmt(&b->arena, "function \"%.*s\"", STR_ARG(what));
	if (str_eqc(operator, "defmethod"))
		return str_fmt(&b->arena, "method \"%.*s\"", STR_ARG(what));
	return str_fmt(&b->arena, "(%.*s ...)", STR_ARG(name));
}

/* The first row that the unit used the last time and that is another one now. */
static struct str changed_use(struct build *b, action_id id, const struct unit_record *r)
{
	struct str rest = r->rows;
	struct row row;
	while (next_row(&rest, &row)) {
		if (is_read(row.unit) || str_eq(row_digest(b, id, row.unit, row.name), row.digest))
			continue;
		bool macro = str_has_prefix(row.name, STR("defmacro "));
		if (is_docstrings(row.name))
			return str_fmt(&b->arena, "docstrings in \"%.*s\" changed and compiling this file reads them",
			               STR_ARG(file_of(row.unit)));
		return str_fmt(&b->arena, "%.*s in \"%.*s\" changed and %s", STR_ARG(row_words(b, row.name)),
		               STR_ARG(file_of(row.unit)),
		               macro ? "this file expands it" : "compiling this file calls it");
	}
	return (struct str){0};
}

/* -- functions that came, went, or take other arguments -- */

/* The function of a head, and what became of it. */
struct head_change {
	struct str name; /* of the row */
	const char *what;
};

static bool has_row(struct str rows, struct str name)
{
	struct row row;
	while (next_row(&rows, &row))
		if (str_eq(row.name, name))
			return true;
	return false;
}

/* The heads of the header that are not what they were in its record; the arrays are `tmp`'s. */
static size_t changed_heads(struct build *b, action_id header, const struct unit_record *r, struct arena *tmp,
                            struct head_change **ret)
{
	Vec(struct head_change) changes = {0};
	struct str rest = r->rows, unit = graph_action(b->graph, graph_action(b->graph, header)->header_of)->label;
	struct row row;
	struct sexp *record;
	while (next_row(&rest, &row)) {
		struct str now;
		if (!row_is_head(row.name) || !str_eq(row.unit, unit) ||
		    str_eq(now = row_own_digest(b, header, unit, row.name), row.digest))
			continue;
		vec_push(&changes, (struct head_change){row.name, now.len ? "is another one" : "is gone"});
	}
	if (sexp_read_one(tmp, b->units[header].record, &record)) {
		const struct sexp *rows = sexp_getf(record, 1, "rows");
		for (uint32_t i = 0; i < sexp_list_len(rows); i++) {
			struct str name =
			        sexp_is_list(rows->items[i], 2) ? sexp_text(rows->items[i]->items[0]) : (struct str){0};
			if (row_is_head(name) && !has_row(r->rows, name))
				vec_push(&changes, (struct head_change){name, "is new"});
		}
	}
	*ret = arena_new_n(tmp, struct head_change, changes.len + 1);
	for (size_t i = 0; i < changes.len; i++)
		(*ret)[i] = changes.ptr[i];
	size_t n = changes.len;
	vec_release(&changes);
	return n;
}

/* function "foo" in "bar.lisp" is new */
static struct str head_words(struct arena *a, struct str file, const struct head_change *c)
{
	return str_fmt(a, "function \"%.*s\" in \"%.*s\" %s", STR_ARG(row_head_name(c->name)), STR_ARG(file), c->what);
}

/* The first function that the unit looked up the last time, whether it was there or not, and that is another one now.
 */
static struct str changed_head(struct build *b, action_id id)
{
	struct closure c;
	U32Vec below = {0};
	struct str why = {0};
	closure_init(&c, b->graph);
	closure_of(&c, id, action_kind_is_step, &below);
	for (size_t i = 0; i < below.len && !why.len; i++) {
		const struct action *a = graph_action(b->graph, below.ptr[i]);
		struct unit_record r;
		struct digest inputs;
		if (a->kind != ACTION_HEADER || !record_previous(b, a->label, &r))
			continue;
		inputs = record_inputs(b, below.ptr[i]);
		if (digest_eq(&r.inputs, &inputs))
			continue;
		struct arena tmp = {0};
		struct head_change *changes;
		size_t n = changed_heads(b, below.ptr[i], &r, &tmp, &changes);
		for (size_t k = 0; k < n && !why.len; k++)
			if (row_looks_up(b->units[id].uses, changes[k].name)) {
				struct str file = file_of(graph_action(b->graph, a->header_of)->label);
				struct str words = head_words(&tmp, file, &changes[k]);
				why = str_fmt(&b->arena, "%.*s and this file looks it up", STR_ARG(words));
			}
		arena_release(&tmp);
	}
	closure_release(&c);
	vec_release(&below);
	return why;
}

/* True if what the action leaves in images by itself is what it was. */
static bool is_same(struct build *b, action_id id, const struct unit_record *r)
{
	const struct action *a = graph_action(b->graph, id);
	struct digest own = record_own(b, id), inputs = record_inputs(b, id);
	return digest_eq(&r->own, &own) && (action_kind_runs(a->kind) || digest_eq(&r->inputs, &inputs));
}

/* The first row of another file that the header used and that is another one now, in words; empty where the header's
 * own source changed. */
static struct str changed_call(struct build *b, action_id header)
{
	const struct action *a = graph_action(b->graph, header);
	struct unit_record r;
	struct digest inputs = record_inputs(b, header);
	if (!record_previous(b, a->label, &r) || !digest_eq(&r.inputs, &inputs))
		return (struct str){0};
	struct str rest = r.rows, unit = graph_action(b->graph, a->header_of)->label;
	struct row row;
	while (next_row(&rest, &row))
		if (!is_read(row.unit) && !str_eq(row.unit, unit) &&
		    !str_eq(row_digest(b, header, row.unit, row.name), row.digest))
			return str_fmt(&b->arena, "%.*s in \"%.*s\"", STR_ARG(row_words(b, row.name)),
			               STR_ARG(file_of(row.unit)));
	return (struct str){0};
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
		if (!record_is_kept(a) || (first != NO_ID && graph_action(b->graph, first)->order < a->order))
			continue;
		struct unit_record r;
		bool known = record_previous(b, a->label, &r);
		if (known && is_same(b, below.ptr[i], &r))
			continue;
		first = below.ptr[i];
		is_new = !known;
	}
	closure_release(&c);
	vec_release(&below);
	if (first == NO_ID)
		return STR("its declared dependencies changed");
	const struct action *a = graph_action(b->graph, first);
	struct str since = a->kind == ACTION_HEADER && !is_new ? changed_call(b, first) : (struct str){0};
	if (since.len)
		return str_fmt(&b->arena, "\"%.*s\" shows something else since %.*s changed",
		               STR_ARG(file_of(graph_action(b->graph, a->header_of)->label)), STR_ARG(since));
	if (a->kind == ACTION_HEADER && !is_new)
		return str_fmt(&b->arena, "\"%.*s\" shows something else to the files that depend on it",
		               STR_ARG(file_of(graph_action(b->graph, a->header_of)->label)));
	return is_new ? str_fmt(&b->arena, "\"%.*s\" is new in its image", STR_ARG(a->label))
	              : str_fmt(&b->arena, "\"%.*s\", which is in its image, changed", STR_ARG(a->label));
}

struct str record_reason(struct build *b, action_id id)
{
	const struct action *a = graph_action(b->graph, id);
	struct unit_record record, *r = &record;
	if (!record_previous(b, a->label, r))
		return STR("it was never built here");
	struct digest base = record_base(b), inputs = record_inputs(b, id);
	if (!digest_eq(&r->base, &base))
		return STR("the Lisp, the configuration or the declared environment changed");
	if (!digest_eq(&r->inputs, &inputs))
		return a->ninputs ? str_fmt(&b->arena, "\"%.*s\" changed", STR_ARG(a->inputs[0].path))
		                  : STR("its description changed");
	struct str use = changed_use(b, id, r), read = changed_read(b, id, r);
	if (use.len || read.len)
		return use.len ? use : read;
	struct str head = digest_eq(&r->key, &b->units[id].key) ? changed_head(b, id) : (struct str){0};
	if (head.len)
		return head;
	if (digest_eq(&r->key, &b->units[id].key))
		return str_eqc(r->outcome, "failed") ? STR("it failed the last time")
		                                     : STR("its result is gone from the store");
	return changed_below(b, id);
}

/* What of a header's rows is not what it was: up to three of them by name. */
static struct str changed_rows(struct build *b, action_id header, const struct unit_record *r)
{
	struct arena tmp = {0};
	struct buf bodies = {0}, heads = {0};
	struct str rest = r->rows, unit = graph_action(b->graph, graph_action(b->graph, header)->header_of)->label;
	struct str file = file_of(unit);
	struct row row;
	struct head_change *changes;
	unsigned n = 0;
	while (next_row(&rest, &row)) {
		if (is_read(row.unit) || is_docstrings(row.name) || row_is_head(row.name) || !str_eq(row.unit, unit) ||
		    str_eq(row_own_digest(b, header, unit, row.name), row.digest))
			continue;
		if (n++ < 3)
			buf_addf(&bodies, "%s%.*s", n > 1 ? ", " : "", STR_ARG(row_words(b, row.name)));
	}
	size_t nheads = changed_heads(b, header, r, &tmp, &changes);
	for (size_t i = 0; i < nheads && i < 3; i++)
		buf_addf(&heads, "%s%.*s", i ? ", " : "", STR_ARG(head_words(&tmp, file, &changes[i])));
	struct str why;
	if (nheads)
		why = str_fmt(&b->arena, "not recompiled: %.*s%s, and this file looks up %s", (int)heads.len, heads.ptr,
		              nheads > 3 ? ", others too" : "", nheads > 1 ? "none of them" : "no such function");
	else if (n)
		why = str_fmt(&b->arena, "not recompiled: only the bod%s of %.*s%s in \"%.*s\" changed",
		              n > 1 ? "ies" : "y", (int)bodies.len, bodies.ptr, n > 3 ? " and others" : "",
		              STR_ARG(file));
	else
		why = str_fmt(&b->arena, "not recompiled: only comments or docstrings in \"%.*s\" changed",
		              STR_ARG(file));
	buf_release(&bodies);
	buf_release(&heads);
	arena_release(&tmp);
	return why;
}

struct str why_not(struct build *b, action_id id)
{
	if (graph_action(b->graph, id)->kind != ACTION_COMPILE || !b->edited.len)
		return (struct str){0};
	struct closure c;
	U32Vec below = {0};
	struct str why = {0};
	closure_init(&c, b->graph);
	closure_of(&c, id, action_kind_is_step, &below);
	for (size_t e = 0; e < b->edited.len && !why.len; e++)
		for (size_t i = 0; i < below.len && !why.len; i++) {
			struct unit_record r;
			if (below.ptr[i] == b->edited.ptr[e] &&
			    record_previous(b, graph_action(b->graph, below.ptr[i])->label, &r))
				why = changed_rows(b, below.ptr[i], &r);
		}
	closure_release(&c);
	vec_release(&below);
	return why;
}

void why_find_edits(struct build *b)
{
	vec_clear(&b->edited);
	for (size_t i = 0; i < b->graph->actions.len; i++) {
		const struct action *a = &b->graph->actions.ptr[i];
		struct unit_record r;
		if (a->kind != ACTION_HEADER || !b->units[i].known || !record_previous(b, a->label, &r) ||
		    !is_same(b, (action_id)i, &r))
			continue;
		struct digest inputs = record_inputs(b, (action_id)i);
		if (!digest_eq(&r.inputs, &inputs))
			vec_push(&b->edited, (uint32_t)i);
	}
}
