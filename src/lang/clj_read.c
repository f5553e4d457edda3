/* Reading forms: frames of what is open stand on one stack, the items of all of them on another. */
#include <string.h>

#include "lang/clj_impl.h"

/* Frames beyond the kinds of nodes. */
enum { FRAME_META = CLJ_EVAL + 1, FRAME_DISCARD, FRAME_BRANCHES, FRAME_BRANCHES_SPLICE };

void clj_open(struct clj_reader *r, struct arena *a, struct str path, struct str text, unsigned flags,
              const struct str *features, size_t nfeatures)
{
	*r = (struct clj_reader){.path = path,
	                         .text = text,
	                         .arena = a,
	                         .flags = flags,
	                         .features = features,
	                         .nfeatures = nfeatures,
	                         .at = str_has_prefix(text, STR("\xef\xbb\xbf")) ? 3 : 0};
	CHECK(text.len < UINT32_MAX);
}

void clj_close(struct clj_reader *r)
{
	vec_release(&r->tags);
	vec_release(&r->open);
	vec_release(&r->items);
	vec_release(&r->depth);
	buf_release(&r->unescaped);
}

static void frame_push(struct clj_reader *r, unsigned frame, char close, uint32_t want, size_t offset, struct str text)
{
	vec_push(&r->open, (struct clj_open){.frame = (uint8_t)frame,
	                                     .close = close,
	                                     .offset = (uint32_t)offset,
	                                     .want = want,
	                                     .first = r->items.len,
	                                     .text = text});
}

/* -- what opens -- */

static bool not_edn(struct clj_reader *r, size_t n)
{
	if (!(r->flags & CLJ_EDN))
		return true;
	return clj_fail(r, r->at, "\"%.*s\" is not EDN", STR_ARG(str_slice(r->text, r->at, r->at + n)));
}

static bool open_conditional(struct clj_reader *r)
{
	size_t begin = r->at;
	bool splice = clj_byte(r, begin + 2) == '@';
	if (!not_edn(r, 2))
		return false;
	if (!(r->flags & CLJ_COND)) {
		clj_fail(r, begin, "reader conditional in a file that is not .cljc");
		err_note(r->err, "rename the file to .cljc, or write what the conditional gives on the JVM");
		return false;
	}
	if (splice && !r->open.len)
		return clj_fail(r, begin, "\"#?@\" has nothing to splice into at top level");
	r->at += splice ? 3 : 2;
	clj_space(r);
	if (clj_byte(r, r->at) != '(')
		return clj_fail(r, begin, "a list must follow \"#?%s\"", splice ? "@" : "");
	frame_push(r, splice ? FRAME_BRANCHES_SPLICE : FRAME_BRANCHES, ')', 0, r->at++, (struct str){0});
	return true;
}

/* #:ns{...}, #::{...}, #::alias{...} */
static bool open_namespaced_map(struct clj_reader *r)
{
	size_t begin = r->at, end = clj_token_end(r, begin + 1);
	struct str prefix = str_slice(r->text, begin + 1, end);
	bool just_colons = str_eqc(prefix, "::");
	r->at = end;
	clj_space(r);
	if (clj_byte(r, r->at) != '{' ||
	    (!just_colons && !clj_name_is_valid(str_drop(prefix, 1 + (prefix.ptr[1] == ':')))))
		return clj_fail(r, begin, "a namespace and a map must follow \"#:\"");
	frame_push(r, CLJ_MAP, '}', 0, r->at++, prefix);
	return true;
}

static bool open_tagged(struct clj_reader *r)
{
	size_t begin = r->at++;
	clj_space(r);
	frame_push(r, CLJ_TAGGED, 0, 2, begin, (struct str){0});
	return true;
}

static bool open_dispatch(struct clj_reader *r, struct clj **ret)
{
	size_t begin = r->at;
	char next = clj_byte(r, begin + 1);
	switch (next) {
	case '{':
		r->at += 2;
		frame_push(r, CLJ_SET, '}', 0, begin + 1, (struct str){0});
		return true;
	case '_':
		r->at += 2;
		frame_push(r, FRAME_DISCARD, 0, 1, begin, (struct str){0});
		return true;
	case '(':
		if (!not_edn(r, 2))
			return false;
		r->at += 2;
		frame_push(r, CLJ_FN, ')', 0, begin + 1, (struct str){0});
		return true;
	case '\'':
	case '=':
		if (!not_edn(r, 2))
			return false;
		r->at += 2;
		frame_push(r, next == '=' ? CLJ_EVAL : CLJ_VAR, 0, 1, begin, (struct str){0});
		return true;
	case '^':
		r->at += 2;
		frame_push(r, FRAME_META, 0, 2, begin, (struct str){0});
		return true;
	case '"':
		return not_edn(r, 2) && clj_read_regex(r, ret);
	case '?':
		return open_conditional(r);
	case ':':
		return open_namespaced_map(r);
	case '#': {
		size_t end = clj_token_end(r, begin + 2);
		struct str name = str_slice(r->text, begin, end);
		if (!str_eqc(name, "##Inf") && !str_eqc(name, "##-Inf") && !str_eqc(name, "##NaN"))
			return clj_fail(r, begin, "\"%.*s\" is none of ##Inf, ##-Inf and ##NaN", STR_ARG(name));
		r->at = end;
		*ret = clj_node(r, CLJ_NUMBER, begin);
		(*ret)->text = name;
		return true;
	}
	case '<':
		return clj_fail(r, begin, "\"#<\" begins what was printed and can't be read");
	default:
		if (!clj_is_tag_start(next))
			return clj_fail(r, begin, "nothing that can be read begins with this \"#\"");
		return open_tagged(r);
	}
}

/* Opens a frame, or reads a leaf into *ret. */
static bool begin_form(struct clj_reader *r, struct clj **ret)
{
	size_t begin = r->at;
	char c = r->text.ptr[begin], next = clj_byte(r, begin + 1);
	switch (c) {
	case '(':
	case '[':
	case '{':
		r->at++;
		frame_push(r,
		           c == '('   ? CLJ_LIST
		           : c == '[' ? CLJ_VECTOR
		                      : CLJ_MAP,
		           clj_closer(c), 0, begin, (struct str){0});
		return true;
	case '^':
		r->at++;
		frame_push(r, FRAME_META, 0, 2, begin, (struct str){0});
		return true;
	case '\'':
	case '`':
	case '@':
		if (!not_edn(r, 1))
			return false;
		r->at++;
		frame_push(r,
		           c == '\''  ? CLJ_QUOTE
		           : c == '`' ? CLJ_SYNTAX_QUOTE
		                      : CLJ_DEREF,
		           0, 1, begin, (struct str){0});
		return true;
	case '~':
		if (!not_edn(r, 1))
			return false;
		r->at += next == '@' ? 2 : 1;
		frame_push(r, next == '@' ? CLJ_UNQUOTE_SPLICING : CLJ_UNQUOTE, 0, 1, begin, (struct str){0});
		return true;
	case '#':
		return open_dispatch(r, ret);
	case '"':
		return clj_read_string(r, ret);
	case '\\':
		return clj_read_char(r, ret);
	default:
		if (clj_is_digit(c) || ((c == '+' || c == '-') && clj_is_digit(next)))
			return clj_read_number(r, ret);
		return clj_read_token(r, ret);
	}
}

/* -- what closes -- */

static bool feature_taken(const struct clj_reader *r, const struct clj *feature)
{
	if (clj_is_keyword(feature, "default"))
		return true;
	for (size_t i = 0; i < r->nfeatures; i++)
		if (feature->kind == CLJ_KEYWORD && str_eq(feature->text, r->features[i]))
			return true;
	return false;
}

/* Replaces the branches on the item stack by what they give: nothing, one form, or the items of one. */
static bool end_conditional(struct clj_reader *r, struct clj_open f)
{
	size_t n = r->items.len - f.first;
	struct clj **items = n ? r->items.ptr + f.first : NULL, *taken = NULL;
	for (size_t i = 0; i < n; i += 2)
		if (items[i]->kind != CLJ_KEYWORD)
			return clj_fail(r, items[i]->offset, "a feature such as :clj must stand here");
	if (n % 2)
		return clj_fail(r, items[n - 1]->offset, "no form follows this feature");
	for (size_t i = 0; i < n && !taken; i += 2)
		if (feature_taken(r, items[i]))
			taken = items[i + 1];
	r->items.len = f.first;
	if (!taken)
		return true;
	if (f.frame == FRAME_BRANCHES) {
		vec_push(&r->items, taken);
		return true;
	}
	if (!clj_is_sequence(taken))
		return clj_fail(r, taken->offset, "what \"#?@\" splices must be a list or a vector");
	for (uint32_t i = 0; i < taken->len; i++)
		vec_push(&r->items, taken->items[i]);
	return true;
}

/* The items of a frame, without more than it wants: those a conditional spliced behind them belong to the outer one. */
static size_t frame_items(const struct clj_reader *r, const struct clj_open *f)
{
	size_t n = r->items.len - f->first;
	return f->close ? n : MIN(n, (size_t)f->want);
}

/* Puts `c` (NULL: nothing) in the place of the frame's items. */
static void replace_items(struct clj_reader *r, const struct clj_open *f, size_t n, struct clj *c)
{
	if (!n) {
		if (c)
			vec_push(&r->items, c); /* an empty list: nothing stands behind it */
		return;
	}
	size_t behind = r->items.len - f->first - n, kept = c ? 1 : 0;
	struct clj **items = r->items.ptr + f->first;
	if (c)
		items[0] = c;
	memmove(items + kept, items + n, behind * sizeof(*items));
	r->items.len = f->first + kept + behind;
}

static bool end_frame(struct clj_reader *r)
{
	struct clj_open f = vec_pop(&r->open);
	size_t n = frame_items(r, &f);
	CHECK(f.close || n == f.want); /* what closes by itself has what it wanted */
	struct clj **items = n ? r->items.ptr + f.first : NULL;
	if (f.frame == FRAME_DISCARD) {
		replace_items(r, &f, n, NULL);
		return true;
	}
	if (f.frame == FRAME_META) {
		CHECK(n == 2);
		struct clj *meta = items[0], *form = items[1];
		meta->next = form->meta;
		form->meta = meta;
		replace_items(r, &f, n, form);
		return true;
	}
	if (f.frame == FRAME_BRANCHES || f.frame == FRAME_BRANCHES_SPLICE)
		return end_conditional(r, f);
	if (f.frame == CLJ_MAP && n % 2)
		return clj_fail(r, f.offset, "a map needs an even number of forms, this has %zu", n);
	if (f.frame == CLJ_TAGGED) {
		CHECK(n == 2);
		if (items[0]->kind != CLJ_SYMBOL)
			return clj_fail(r, items[0]->offset, "a tag must be a symbol");
		clj_note_tag(r, items[0]->text);
	}
	struct clj *c = clj_node(r, (enum clj_kind)f.frame, f.offset);
	c->text = f.text;
	c->len = (uint32_t)n;
	c->items = arena_new_n(r->arena, struct clj *, n);
	if (n)
		memcpy(c->items, items, n * sizeof(*items));
	replace_items(r, &f, n, c);
	return true;
}

/* Frames that close by themselves, as soon as they have what they want. */
static bool end_complete(struct clj_reader *r)
{
	while (r->open.len) {
		struct clj_open *f = &vec_last(&r->open);
		if (f->close || r->items.len - f->first < f->want)
			return true;
		if (!end_frame(r))
			return false;
	}
	return true;
}

static bool close_bracket(struct clj_reader *r)
{
	char c = r->text.ptr[r->at];
	if (!r->open.len)
		return clj_fail(r, r->at, "\"%c\" closes nothing", c);
	struct clj_open *f = &vec_last(&r->open);
	if (!f->close)
		return clj_fail(r, f->offset, "nothing follows \"%.*s\" before the bracket closes",
		                STR_ARG(str_slice(r->text, f->offset, MIN(r->at, (size_t)f->offset + 1))));
	if (f->close != c)
		return clj_mismatch(r, r->at, f->offset);
	r->at++;
	return end_frame(r);
}

static bool text_ended(struct clj_reader *r)
{
	struct clj_open *f = &vec_last(&r->open);
	if (f->close)
		return clj_unclosed(r, f->offset, (char[2]){r->text.ptr[f->offset], 0});
	return clj_fail(r, f->offset, "the text ends before this form does");
}

bool clj_read(struct clj_reader *r, struct clj **ret, struct err *err)
{
	r->err = err;
	vec_clear(&r->open);
	vec_clear(&r->items);
	*ret = NULL;
	do {
		struct clj *leaf = NULL;
		clj_space(r);
		if (r->at >= r->text.len)
			return r->open.len ? text_ended(r) : true;
		char c = r->text.ptr[r->at];
		if (c == ')' || c == ']' || c == '}') {
			if (!close_bracket(r))
				return false;
		} else {
			if (!begin_form(r, &leaf))
				return false;
			if (leaf)
				vec_push(&r->items, leaf);
		}
		if (!end_complete(r))
			return false;
	} while (r->open.len);
	*ret = r->items.len ? r->items.ptr[0] : NULL;
	return true;
}

bool clj_read_all(struct arena *a, struct str path, struct str text, unsigned flags, const struct str *features,
                  size_t nfeatures, struct clj **ret, struct err *err)
{
	struct clj_reader r;
	Vec(struct clj *) forms = {0};
	struct str head;
	bool ok;
	clj_open(&r, a, path, text, flags, features, nfeatures);
	while ((ok = clj_peek(&r, &head, err)) && !r.ended) {
		struct clj *form;
		if (!(ok = clj_read(&r, &form, err)))
			break;
		if (form)
			vec_push(&forms, form);
	}
	if (ok) {
		struct clj *list = clj_node(&r, CLJ_LIST, 0);
		list->len = (uint32_t)forms.len;
		list->items = arena_new_n(a, struct clj *, forms.len);
		if (forms.len)
			memcpy(list->items, forms.ptr, forms.len * sizeof(*forms.ptr));
		*ret = list;
	}
	vec_release(&forms);
	clj_close(&r);
	return ok;
}
