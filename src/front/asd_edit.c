#include "front/asd_edit.h"

#include <stdlib.h>

#include "base/map.h"
#include "front/asd_place.h"

#define WIDTH 100

/* Bytes [from, to) of the text become `with`. */
struct splice {
	uint32_t from, to;
	struct str with;
};

struct editor {
	struct asd_text asd;
	Vec(struct splice) splices;
	/* Names put into lists of components below ":serial t": what they bring to those behind them. */
	struct map given;
	bool expand_serial;
};

/* -- writing -- */

static bool is_blank(struct str s)
{
	return str_trim(s).len == 0;
}

static struct str gap(const struct editor *e, uint32_t from, uint32_t to)
{
	return str_slice(e->asd.text, from, to);
}

static void splice(struct editor *e, uint32_t from, uint32_t to, struct str with)
{
	vec_push(&e->splices, (struct splice){from, to, with});
}

/* Takes key and value out of a plist, with the white space before them. */
static void drop_property(struct editor *e, const struct sexp *form, const struct asd_property *p)
{
	uint32_t from = p->key->offset;
	for (uint32_t i = 1; i < form->len; i++)
		if (form->items[i] == p->key && is_blank(gap(e, form->items[i - 1]->end, from)))
			from = form->items[i - 1]->end;
	splice(e, from, p->value->end, (struct str){0});
}

static bool is_wanted(const struct asd_edit *edit, struct str name)
{
	for (size_t i = 0; i < edit->nwant; i++)
		if (str_eq(edit->want[i], name))
			return true;
	return false;
}

/* Names are written as those beside them are: "x", :x or #:x. */
static void put_name(struct buf *out, struct str name, char style)
{
	bool plain = true;
	for (size_t i = 0; i < name.len; i++) {
		char c = name.ptr[i];
		plain &= (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '/' || c == '+' ||
		         c == '*';
	}
	if (!plain || style == '"')
		sexp_print_string(name, out);
	else
		buf_addf(out, "%s%.*s", style == '#' ? "#:" : ":", STR_ARG(name));
}

static char style_of(const struct editor *e, const struct sexp *name)
{
	char c = e->asd.text.ptr[name->offset];
	return c == ':' || c == '#' ? c : '"';
}

/* Columns before the offset, in bytes. */
static uint32_t column_at(const struct editor *e, uint32_t offset)
{
	uint32_t start = offset;
	while (start && e->asd.text.ptr[start - 1] != '\n')
		start--;
	return offset - start;
}

static void put_break(struct buf *out, uint32_t column)
{
	buf_addc(out, '\n');
	for (uint32_t i = 0; i < column; i++)
		buf_addc(out, ' ');
}

/* A new ":depends-on (...)" behind the last item of the form; on a line of its own where the form's last property has
 * one. */
static void add_property(struct editor *e, const struct sexp *form, const StrVec *names, char style)
{
	struct buf out = {0};
	const struct sexp *last = form->items[form->len - 1], *key = form->len > 3 ? form->items[form->len - 2] : last;
	struct asd_property components = asd_property(form, 2, "components");
	for (uint32_t i = 2; components.key && i < form->len; i++)
		if (form->items[i] == components.key && !asd_is_mark(form->items[i - 1])) {
			/* Where people look for it: before what may be long. */
			last = form->items[i - 1];
			key = components.key;
		}
	uint32_t column = column_at(e, key->offset), start = key->offset - column;
	if (key->kind == SEXP_KEYWORD && key->line > form->line && is_blank(gap(e, start, key->offset)))
		put_break(&out, column);
	else
		buf_addc(&out, ' ');
	buf_addz(&out, ":depends-on (");
	uint32_t at = (out.ptr[0] == '\n' ? column + 13 : column_at(e, last->end) + (uint32_t)out.len), open = at;
	for (size_t i = 0; i < names->len; i++) {
		if (i && at + names->ptr[i].len + 4 > WIDTH) {
			put_break(&out, open);
			at = open;
		} else if (i) {
			buf_addc(&out, ' ');
		}
		put_name(&out, names->ptr[i], style);
		at += (uint32_t)names->ptr[i].len + 3;
	}
	buf_addc(&out, ')');
	splice(e, last->end, last->end, str_dup(e->asd.arena, buf_str(&out)));
	buf_release(&out);
}

/* -- one list -- */

struct entries {
	uint8_t *drop;   /* by item */
	bool unreadable; /* something in it may be any name */
	bool any_dropped, any_kept;
	StrVec missing; /* wanted, and not there */
	char style;
};

static struct str given_key(struct editor *e, const struct asd_place *place, uint32_t index, struct str name)
{
	return str_fmt(e->asd.arena, "%u %u %.*s", place->siblings->offset, index, STR_ARG(name));
}

/* True if the component depends on its sibling `name` by ":serial t": that leads from each to the one before it. One
 * that stands under a feature may be away, and nothing leads past it then. */
static bool serial_brings(struct editor *e, const struct asd_place *place, struct str name)
{
	for (uint32_t i = place->index; i-- > 0;) {
		const struct sexp *sibling = place->siblings->items[i];
		if (!asd_is_component(&e->asd, sibling))
			continue;
		if (str_eq(asd_name(e->asd.arena, sibling->items[1]), name) ||
		    map_has(&e->given, given_key(e, place, i, name)))
			return true;
		if (asd_property(sibling, 2, "if-feature").count)
			return false;
	}
	return false;
}

/* Sorts out what is in the list. What isn't a plain name stays. */
static void sort_out(struct editor *e, const struct sexp *list, const struct asd_edit *edit,
                     const struct asd_place *place, bool serial, struct entries *ret)
{
	ret->style = 0;
	struct map there = {0};
	for (uint32_t i = 0; i < list->len; i++) {
		const struct sexp *item = list->items[i];
		struct str name = asd_name(e->asd.arena, item);
		bool conditional = i && asd_is_mark(list->items[i - 1]);
		ret->unreadable |= !name.len && !asd_is_mark(item) && !asd_is_plain_list(&e->asd, item);
		if (!name.len && item->kind == SEXP_LIST && !asd_is_mark(item))
			/* (:feature f "x"), (:version "x" "1"): the names in it count as there. */
			for (uint32_t k = 1; k < item->len; k++)
				map_put(&there, asd_name(e->asd.arena, item->items[k]), 0);
		bool editable = name.len && !conditional;
		if (editable && !ret->style)
			ret->style = style_of(e, item);
		bool before = serial && edit->ncomponent && serial_brings(e, place, name);
		ret->drop[i] =
		        editable && edit->ncomponent && (!is_wanted(edit, name) || before || map_has(&there, name));
		ret->any_dropped |= ret->drop[i];
		ret->any_kept |= !ret->drop[i];
		if (name.len && !ret->drop[i])
			map_put(&there, name, 0);
	}
	for (size_t i = 0; i < edit->nwant; i++) {
		bool before = serial && edit->ncomponent && serial_brings(e, place, edit->want[i]);
		if (map_has(&there, edit->want[i]) || before)
			continue;
		vec_push(&ret->missing, edit->want[i]);
		if (serial && edit->ncomponent)
			map_put(&e->given, given_key(e, place, place->index, edit->want[i]), 0);
	}
	map_release(&there);
}

/* Writes the list anew, out of its own pieces: each item comes with the text before it. */
static void rewrite(struct editor *e, const struct sexp *list, const struct entries *entries)
{
	struct buf out = {0};
	uint32_t at = list->offset + 1, end = list->end - 1;
	struct str first_gap = list->len ? gap(e, at, list->items[0]->offset) : (struct str){0};
	struct str between = STR(" ");
	bool any = false;
	for (uint32_t i = 0; i < list->len; i++) {
		const struct sexp *item = list->items[i];
		struct str before = gap(e, at, item->offset);
		at = item->end;
		if (i && is_blank(before) && str_find(before, '\n') < before.len)
			between = before;
		if (entries->drop[i]) {
			if (!is_blank(before))
				buf_adds(&out, before);
			continue;
		}
		/* What is first now stands where the first one stood. */
		bool moved = !any && i && is_blank(before) && !out.len;
		buf_adds(&out, moved && is_blank(first_gap) ? first_gap : before);
		buf_adds(&out, gap(e, item->offset, item->end));
		any = true;
	}
	for (size_t i = 0; i < entries->missing.len; i++) {
		if (any)
			buf_adds(&out, between);
		put_name(&out, entries->missing.ptr[i], entries->style ? entries->style : '"');
		any = true;
	}
	buf_adds(&out, gap(e, at, end));
	splice(e, list->offset + 1, end, str_dup(e->asd.arena, buf_str(&out)));
	buf_release(&out);
}

static bool has_comment(const struct editor *e, const struct sexp *list)
{
	uint32_t at = list->offset + 1;
	bool any = false;
	for (uint32_t i = 0; i < list->len; i++) {
		any |= !is_blank(gap(e, at, list->items[i]->offset));
		at = list->items[i]->end;
	}
	return any || !is_blank(gap(e, at, list->end - 1));
}

/* Components that stand under a condition can't be depended on without it. */
static void leave_conditional(struct editor *e, const struct asd_place *place, struct entries *entries, struct buf *why)
{
	size_t kept = 0;
	for (size_t i = 0; place->siblings && i < entries->missing.len; i++) {
		const char *ignored;
		struct str name = entries->missing.ptr[i];
		uint32_t at = asd_find_component(&e->asd, place->siblings, name, &ignored);
		struct str own = asd_condition(&e->asd, place->siblings, place->index);
		struct str other = at < place->siblings->len ? asd_condition(&e->asd, place->siblings, at) : STR("?");
		if (other.len && !str_eq(own, other))
			buf_addf(why, "%s\"%.*s\" is not there under all conditions", why->len ? ", " : "",
			         STR_ARG(name));
		else
			entries->missing.ptr[kept++] = name;
	}
	if (place->siblings)
		entries->missing.len = kept;
}

static void left(struct asd_edit *edit, const char *why)
{
	edit->result = ASD_EDIT_LEFT;
	edit->why = str_from(why);
}

static void edit_list(struct editor *e, struct asd_edit *edit, const struct asd_place *place, bool serial)
{
	struct asd_property p = asd_property(place->form, 2, "depends-on");
	bool none = p.value && sexp_is_nil(p.value) && p.value->kind != SEXP_LIST;
	static const struct sexp empty = {.kind = SEXP_LIST};
	if (p.key && (p.count > 1 || p.conditional || !p.value || (!none && !asd_is_plain_list(&e->asd, p.value)))) {
		left(edit, "its :depends-on is not plain text");
		return;
	}
	const struct sexp *list = p.key && !none ? p.value : &empty;
	struct entries entries = {.drop = xcalloc(list->len + 1, 1)};
	struct buf why = {0};
	sort_out(e, list, edit, place, serial, &entries);
	leave_conditional(e, place, &entries, &why);
	bool change = (entries.any_dropped || entries.missing.len) && !entries.unreadable;
	if (entries.unreadable && (entries.any_dropped || entries.missing.len))
		buf_addf(&why, "%sits :depends-on is not plain text", why.len ? ", " : "");
	edit->result = !change ? (why.len ? ASD_EDIT_LEFT : ASD_EDIT_SAME) : why.len ? ASD_EDIT_PART : ASD_EDIT_DONE;
	edit->why = str_dup(e->asd.arena, buf_str(&why));
	if (change && p.key && !entries.any_kept && !entries.missing.len && !has_comment(e, list))
		drop_property(e, place->form, &p);
	else if (change && list != &empty)
		rewrite(e, list, &entries);
	else if (change && p.key)
		left(edit, "its :depends-on is not plain text");
	else if (change)
		add_property(e, place->form, &entries.missing, '"');
	buf_release(&why);
	vec_release(&entries.missing);
	free(entries.drop);
}

/* -- :serial -- */

/* True if ":serial t" of the parent can go: all that stands below it is always there. */
static bool may_expand(const struct editor *e, const struct asd_place *place, const char **ret_why)
{
	struct asd_property p = asd_property(place->parent, 2, "serial");
	*ret_why = "it is :serial; --expand-serial writes lists in its place";
	if (!e->expand_serial)
		return false;
	*ret_why = "it is :serial, and components below it stand under conditions";
	for (uint32_t i = 0; i < place->siblings->len; i++)
		if (!asd_is_component(&e->asd, place->siblings->items[i]))
			return false;
	return p.count == 1 && !p.conditional;
}

static void expand_once(struct editor *e, const struct asd_place *place, struct map *expanded)
{
	struct str key = str_fmt(e->asd.arena, "%u", place->parent->offset);
	struct asd_property p = asd_property(place->parent, 2, "serial");
	if (map_add(expanded, key, 0, NULL))
		drop_property(e, place->parent, &p);
}

static void edit_one(struct editor *e, struct asd_edit *edit, struct map *expanded)
{
	struct asd_place place;
	const char *why;
	if (!asd_find_place(&e->asd, edit->system, edit->component, edit->ncomponent, &place, &why)) {
		left(edit, why);
		return;
	}
	edit->line = place.form->line;
	bool serial = place.parent && asd_is_serial(place.parent);
	if (serial && may_expand(e, &place, &why)) {
		expand_once(e, &place, expanded);
		serial = false;
	}
	edit->serial = serial;
	edit_list(e, edit, &place, serial);
	if (!serial)
		return;
	if (edit->result == ASD_EDIT_SAME)
		left(edit, why);
	else if (edit->result == ASD_EDIT_DONE) {
		edit->result = ASD_EDIT_PART;
		edit->why = str_from(why);
	}
}

static int by_place(const void *pa, const void *pb)
{
	const struct splice *a = pa, *b = pb;
	return a->from != b->from ? (a->from < b->from ? -1 : 1) : (a->to < b->to ? -1 : a->to > b->to);
}

static struct str apply(struct editor *e)
{
	struct buf out = {0};
	uint32_t at = 0;
	if (e->splices.len)
		qsort(e->splices.ptr, e->splices.len, sizeof(*e->splices.ptr), by_place);
	for (size_t i = 0; i < e->splices.len; i++) {
		const struct splice *s = &e->splices.ptr[i];
		CHECK(s->from >= at);
		buf_adds(&out, str_slice(e->asd.text, at, s->from));
		buf_adds(&out, s->with);
		at = s->to;
	}
	buf_adds(&out, str_drop(e->asd.text, at));
	struct str text = str_dup(e->asd.arena, buf_str(&out));
	buf_release(&out);
	return text;
}

bool asd_edit(struct arena *a, const struct asd_source *source, struct asd_edit *edits, size_t n, bool expand_serial,
              struct str *ret_text, struct err *err)
{
	struct editor e = {.expand_serial = expand_serial};
	struct map expanded = {0};
	if (!asd_read(a, source, &e.asd, err))
		return false;
	for (size_t i = 0; i < n; i++)
		edit_one(&e, &edits[i], &expanded);
	*ret_text = apply(&e);
	vec_release(&e.splices);
	map_release(&expanded);
	map_release(&e.given);
	return true;
}
