/* Rows: what of a file counts only for those who use it. A body counts for those who called it while something was
 * compiled. The head of a function, its name and its lambda list, counts for those who looked the function up, whether
 * it was there or not: its name leads to all headers that have one, and those that are below the action count. */
#include <ctype.h>
#include <stdlib.h>

#include "build/build.h"
#include "lang/sexp.h"

#define HEAD_DIGITS 16

static struct str row_name(struct arena *a, struct str unit, struct str row)
{
	return str_fmt(a, "%.*s\n%.*s", STR_ARG(unit), STR_ARG(row));
}

bool row_is_head(struct str row)
{
	if (str_eqc(row, ROW_ALL_HEADS))
		return true;
	if (row.len < 1 + HEAD_DIGITS || (row.ptr[0] != ROW_ASKED && row.ptr[0] != ROW_WANTED))
		return false;
	for (size_t i = 1; i <= HEAD_DIGITS; i++)
		if (!isxdigit((unsigned char)row.ptr[i]))
			return false;
	return row.len == 1 + HEAD_DIGITS || row.ptr[1 + HEAD_DIGITS] == ' ';
}

struct str row_head_name(struct str row)
{
	return str_drop(row, MIN(row.len, 2 + HEAD_DIGITS));
}

bool row_looks_up(struct str uses, struct str row)
{
	struct str digits = str_slice(row, 1, 1 + HEAD_DIGITS);
	return digits.len == HEAD_DIGITS && str_search(uses, digits) < uses.len;
}

static void keep_head(struct build *b, action_id header, struct str unit, struct str row, struct str digest)
{
	struct str digits = str_slice(row, 1, 1 + HEAD_DIGITS);
	uint64_t first = 0;
	bool known = map_get(&b->heads, digits, &first);
	for (uint64_t i = first; i; i = b->all_heads.ptr[i - 1].next)
		if (b->all_heads.ptr[i - 1].header == header) {
			b->all_heads.ptr[i - 1].digest = str_dup(&b->arena, digest);
			return;
		}
	vec_push(&b->all_heads, (struct head){.header = header,
	                                      .unit = unit,
	                                      .digest = str_dup(&b->arena, digest),
	                                      .next = (uint32_t)first});
	map_put(&b->heads, known ? digits : str_dup(&b->arena, digits), b->all_heads.len);
}

static struct digest digest_of_heads(const struct sexp *rows)
{
	struct hasher *h = hasher_new(STR("tenon-heads-1"));
	for (uint32_t i = 0; i < sexp_list_len(rows); i++)
		if (sexp_is_list(rows->items[i], 2) && row_is_head(sexp_text(rows->items[i]->items[0]))) {
			hasher_str(h, "head", sexp_text(rows->items[i]->items[0]));
			hasher_str(h, "digest", sexp_text(rows->items[i]->items[1]));
		}
	return hasher_end(h);
}

void rows_keep(struct build *b, action_id header, struct str unit, const struct sexp *rows)
{
	b->units[header].heads = digest_of_heads(rows);
	for (uint32_t i = 0; i < sexp_list_len(rows); i++) {
		const struct sexp *row = rows->items[i];
		if (row->kind != SEXP_LIST || row->len != 2)
			continue;
		struct str name = sexp_text(row->items[0]), digest = sexp_text(row->items[1]);
		if (row_is_head(name)) {
			keep_head(b, header, unit, name, digest);
			continue;
		}
		map_put(&b->rows, row_name(&b->arena, unit, name), b->row_digests.len);
		vec_push(&b->row_digests, str_dup(&b->arena, digest));
	}
}

/* -- as an action sees them -- */

/* What is known, while rows of one action are looked at, of what is in its image. */
struct view {
	struct build *build;
	action_id id;
	U32Vec below; /* the headers in the action's image, in the order of building */
	bool known;
};

static int by_order(const void *pa, const void *pb, void *graph)
{
	uint32_t a = graph_action(graph, *(const uint32_t *)pa)->order;
	uint32_t b = graph_action(graph, *(const uint32_t *)pb)->order;
	return a < b ? -1 : a > b;
}

static const U32Vec *headers_below(struct view *v)
{
	if (v->known)
		return &v->below;
	struct closure c;
	size_t n = 0;
	closure_init(&c, v->build->graph);
	closure_of(&c, v->id, action_kind_is_step, &v->below);
	closure_release(&c);
	for (size_t i = 0; i < v->below.len; i++)
		if (action_is_header(v->build, v->below.ptr[i]))
			v->below.ptr[n++] = v->below.ptr[i];
	v->below.len = n;
	if (n)
		qsort_r(v->below.ptr, n, sizeof(*v->below.ptr), by_order, v->build->graph);
	v->known = true;
	return &v->below;
}

static bool is_below(struct view *v, action_id header)
{
	if (graph_action(v->build->graph, header)->order >= graph_action(v->build->graph, v->id)->order)
		return false;
	const U32Vec *below = headers_below(v);
	for (size_t i = 0; i < below->len; i++)
		if (below->ptr[i] == header)
			return true;
	return false;
}

static struct str text_of(struct build *b, struct hasher *h)
{
	struct digest d = hasher_end(h);
	char hex[DIGEST_HEX + 1];
	digest_hex(&d, hex);
	return str_dup(&b->arena, str_from(hex));
}

static struct str all_heads(struct view *v)
{
	const U32Vec *below = headers_below(v);
	struct hasher *h = hasher_new(STR("tenon-all-heads-1"));
	for (size_t i = 0; i < below->len; i++)
		hasher_digest(h, "heads", &v->build->units[below->ptr[i]].heads);
	return text_of(v->build, h);
}

/* Most names have one head in all, and that is where it was found the last time: so nobody has to look what is below
 * the action. */
static struct str head_digest(struct view *v, struct str unit, struct str row)
{
	struct build *b = v->build;
	uint64_t first = 0;
	if (str_eqc(row, ROW_ALL_HEADS))
		return all_heads(v);
	map_get(&b->heads, str_slice(row, 1, 1 + HEAD_DIGITS), &first);
	U32Vec found = {0};
	for (uint64_t i = first; i; i = b->all_heads.ptr[i - 1].next) {
		const struct head *head = &b->all_heads.ptr[i - 1];
		if (str_eq(head->unit, unit) || is_below(v, head->header))
			vec_push(&found, (uint32_t)(i - 1));
	}
	struct str digest = {0};
	if (found.len == 1) {
		digest = b->all_heads.ptr[found.ptr[0]].digest;
	} else if (found.len) {
		struct hasher *h = hasher_new(STR("tenon-head-1"));
		const U32Vec *below = headers_below(v);
		for (size_t i = 0; i < below->len; i++)
			for (size_t k = 0; k < found.len; k++)
				if (b->all_heads.ptr[found.ptr[k]].header == below->ptr[i])
					hasher_str(h, "head", b->all_heads.ptr[found.ptr[k]].digest);
		digest = text_of(b, h);
	}
	vec_release(&found);
	return digest;
}

static struct str body_digest(const struct build *b, struct str unit, struct str row)
{
	struct arena a = {0};
	uint64_t at;
	bool known = map_get(&b->rows, row_name(&a, unit, row), &at);
	arena_release(&a);
	return known ? b->row_digests.ptr[at] : (struct str){0};
}

static struct str digest_now(struct view *v, struct str unit, struct str row)
{
	return row_is_head(row) ? head_digest(v, unit, row) : body_digest(v->build, unit, row);
}

struct str row_own_digest(const struct build *b, action_id header, struct str unit, struct str row)
{
	uint64_t at = 0;
	if (!row_is_head(row))
		return body_digest(b, unit, row);
	map_get(&b->heads, str_slice(row, 1, 1 + HEAD_DIGITS), &at);
	while (at && b->all_heads.ptr[at - 1].header != header)
		at = b->all_heads.ptr[at - 1].next;
	return at ? b->all_heads.ptr[at - 1].digest : (struct str){0};
}

struct str row_digest(struct build *b, action_id id, struct str unit, struct str row)
{
	struct view v = {.build = b, .id = id};
	struct str digest = digest_now(&v, unit, row);
	vec_release(&v.below);
	return digest;
}

static bool is_about(const struct sexp *item, struct str unit, struct str row)
{
	return sexp_is_list(item, 3) && str_eq(sexp_text(item->items[1]), row) &&
	       str_eq(sexp_text(item->items[0]), unit);
}

const struct sexp *row_item(const struct sexp *list, struct str unit, struct str row)
{
	for (uint32_t i = 0; i < sexp_list_len(list); i++)
		if (is_about(list->items[i], unit, row))
			return list->items[i];
	return NULL;
}

static bool counts(enum rows_counted counted, struct str row)
{
	switch (counted) {
	case ROWS_BODIES:
		return !row_is_head(row);
	case ROWS_FOUND:
		return row_is_head(row) && row.ptr[0] == ROW_ASKED;
	case ROWS_ALL:
		break;
	}
	return true;
}

void rows_hash(struct build *b, action_id id, enum rows_counted counted, const struct sexp *uses,
               const struct sexp *before, struct hasher *h)
{
	struct view v = {.build = b, .id = id};
	uint32_t at = 0; /* `before` has them in the same order, as a rule */
	for (uint32_t i = 0; i < sexp_list_len(uses); i++) {
		const struct sexp *use = uses->items[i];
		for (uint32_t k = 1; use->kind == SEXP_LIST && k < use->len; k++, at++) {
			struct str unit = sexp_text(use->items[0]), row = sexp_text(use->items[k]);
			if (!counts(counted, row))
				continue;
			const struct sexp *item = at < sexp_list_len(before) && is_about(before->items[at], unit, row)
			                                  ? before->items[at]
			                                  : row_item(before, unit, row);
			struct str digest = item ? sexp_text(item->items[2]) : digest_now(&v, unit, row);
			if (counted == ROWS_FOUND && !digest.len)
				continue;
			hasher_str(h, "unit", unit);
			hasher_str(h, "row", row);
			hasher_str(h, "digest", digest);
		}
	}
	vec_release(&v.below);
}

void rows_release(struct build *b)
{
	map_release(&b->rows);
	vec_release(&b->row_digests);
	map_release(&b->heads);
	vec_release(&b->all_heads);
}
