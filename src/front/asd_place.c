#include "front/asd_place.h"

#include <strings.h>

#include "base/vec.h"

/* Inside one another, in a feature expression. */
#define MAX_CONDITIONS 64

bool asd_read(struct arena *a, const struct asd_source *source, struct asd_text *ret, struct err *err)
{
	struct sexp *forms, *features;
	*ret = (struct asd_text){.arena = a, .text = source->text};
	if (!sexp_read(a, source->path, source->text, SEXP_SOURCE, &forms, err))
		return false;
	ret->forms = forms;
	if (source->features.len && sexp_read_one(a, source->features, &features))
		ret->features = features;
	return true;
}

bool asd_is_mark(const struct sexp *s)
{
	return s->kind == SEXP_LIST && s->len == 2 &&
	       (sexp_is_symbol(s->items[0], "#+") || sexp_is_symbol(s->items[0], "#-"));
}

static struct str lower(struct arena *a, struct str s)
{
	char *text = str_dupz(a, s);
	for (size_t i = 0; i < s.len; i++)
		if (text[i] >= 'A' && text[i] <= 'Z')
			text[i] = (char)(text[i] + 32);
	return str_n(text, s.len);
}

struct str asd_name(struct arena *a, const struct sexp *s)
{
	struct str text = sexp_text(s);
	if (s->kind == SEXP_STRING)
		return text;
	if (s->kind != SEXP_SYMBOL && s->kind != SEXP_KEYWORD)
		return (struct str){0};
	size_t colon = str_rfind(text, ':');
	return lower(a, colon < text.len ? str_drop(text, colon + 1) : text);
}

static bool has_feature(const struct asd_text *t, struct str name)
{
	for (uint32_t i = 0; i < sexp_list_len(t->features); i++)
		if (str_eq(lower(t->arena, sexp_text(t->features->items[i])), name))
			return true;
	return false;
}

/* False too for what is no condition, or holds too many others. */
static bool condition_holds(const struct asd_text *t, const struct sexp *condition, unsigned depth)
{
	if (condition->kind == SEXP_KEYWORD || condition->kind == SEXP_SYMBOL) {
		struct str name = lower(t->arena, sexp_text(condition));
		return has_feature(t,
		                   name.len && name.ptr[0] == ':' ? name : str_fmt(t->arena, ":%.*s", STR_ARG(name)));
	}
	if (!sexp_is_list(condition, 1) || depth == 0)
		return false;
	struct str op = asd_name(t->arena, condition->items[0]);
	if (str_eq(op, STR("not")))
		return condition->len == 2 && !condition_holds(t, condition->items[1], depth - 1);
	bool all = str_eq(op, STR("and")), any = false;
	for (uint32_t i = 1; i < condition->len; i++) {
		bool holds = condition_holds(t, condition->items[i], depth - 1);
		all &= holds;
		any |= holds;
	}
	return str_eq(op, STR("or")) ? any : all;
}

/* True unless a mark before the item of the list keeps it from being read. */
static bool is_read(const struct asd_text *t, const struct sexp *list, uint32_t index)
{
	while (t->features && index && asd_is_mark(list->items[index - 1])) {
		const struct sexp *mark = list->items[--index];
		if (condition_holds(t, mark->items[1], MAX_CONDITIONS) != sexp_is_symbol(mark->items[0], "#+"))
			return false;
	}
	return true;
}

bool asd_is_plain_list(const struct asd_text *t, const struct sexp *s)
{
	return s->kind == SEXP_LIST && t->text.ptr[s->offset] == '(';
}

struct asd_property asd_property(const struct sexp *form, uint32_t from, const char *key)
{
	struct asd_property p = {0};
	bool conditional = false;
	for (uint32_t i = from; i < form->len;) {
		if (asd_is_mark(form->items[i])) {
			conditional = true;
			i++;
			continue;
		}
		uint32_t at = i++;
		while (i < form->len && asd_is_mark(form->items[i])) {
			conditional = true;
			i++;
		}
		if (sexp_is_keyword(form->items[at], key)) {
			p.count++;
			p.key = form->items[at];
			p.value = i < form->len ? form->items[i] : NULL;
			p.conditional = conditional;
		}
		i++;
		conditional = false;
		/* A second value under another condition: key #+a x #-a y. */
		while (i + 1 < form->len && asd_is_mark(form->items[i]) && form->items[i + 1]->kind != SEXP_KEYWORD) {
			p.conditional |= p.key == form->items[at];
			i += 2;
		}
	}
	return p;
}

bool asd_is_serial(const struct sexp *form)
{
	struct asd_property p = asd_property(form, 2, "serial");
	return p.value && !sexp_is_nil(p.value);
}

/* One of those that have the same name. */
struct choice {
	const struct sexp *form; /* NULL: none was found yet */
	uint32_t index;
	bool read, several; /* several: others are as good */
};

static bool is_defsystem(const struct sexp *form)
{
	return form->kind == SEXP_LIST && form->len >= 2 && form->items[0]->kind == SEXP_SYMBOL &&
	       (sexp_is_symbol(form->items[0], "defsystem") ||
	        (form->items[0]->text.len > 10 &&
	         !strncasecmp(form->items[0]->text.ptr + form->items[0]->text.len - 10, ":defsystem", 10)));
}

/* What is read is better than what is not. */
static void choose(const struct asd_text *t, const struct sexp *list, uint32_t index, struct choice *c)
{
	bool read = is_read(t, list, index);
	if (!c->form || (read && !c->read))
		*c = (struct choice){list->items[index], index, read, false};
	else if (read == c->read)
		c->several = true;
}

/* Definitions stand at top level, or in what does no more than hold forms. */
static const struct sexp *find_system(const struct asd_text *t, struct str name, const char **ret_why)
{
	struct choice found = {0};
	Vec(const struct sexp *) stack = {0};
	vec_push(&stack, t->forms);
	*ret_why = "its definition is not found in the text";
	while (stack.len) {
		const struct sexp *list = vec_pop(&stack);
		for (uint32_t i = 0; i < list->len; i++) {
			const struct sexp *form = list->items[i];
			if (form->kind == SEXP_LIST && form->len &&
			    (sexp_is_symbol(form->items[0], "progn") || sexp_is_symbol(form->items[0], "eval-when")))
				vec_push(&stack, form);
			if (!is_defsystem(form) || !asd_is_plain_list(t, form) ||
			    !str_eq(asd_name(t->arena, form->items[1]), name))
				continue;
			choose(t, list, i, &found);
		}
	}
	vec_release(&stack);
	if (found.several)
		*ret_why = "the system is defined more than once";
	return found.several ? NULL : found.form;
}

static const struct sexp *components(const struct asd_text *t, const struct sexp *form, const char **ret_why)
{
	struct asd_property p = asd_property(form, 2, "components");
	if (!p.value) {
		*ret_why = "it has no :components in the text";
		return NULL;
	}
	if (p.count > 1 || p.conditional || !asd_is_plain_list(t, p.value)) {
		*ret_why = "its :components are not plain text";
		return NULL;
	}
	return p.value;
}

bool asd_is_component(const struct asd_text *t, const struct sexp *form)
{
	return asd_is_plain_list(t, form) && form->len >= 2 && !asd_is_mark(form);
}

uint32_t asd_find_component(const struct asd_text *t, const struct sexp *list, struct str name, const char **ret_why)
{
	struct choice found = {0};
	for (uint32_t i = 0; i < list->len; i++)
		if (asd_is_component(t, list->items[i]) && str_eq(asd_name(t->arena, list->items[i]->items[1]), name))
			choose(t, list, i, &found);
	*ret_why = found.form ? "it stands more than once in the text" : "it is not found in the text";
	return found.form && !found.several ? found.index : list->len;
}

bool asd_find_place(const struct asd_text *t, struct str system, const struct str *component, uint32_t ncomponent,
                    struct asd_place *ret, const char **ret_why)
{
	const struct sexp *form = find_system(t, system, ret_why);
	*ret = (struct asd_place){.form = form};
	for (uint32_t i = 0; form && i < ncomponent; i++) {
		const struct sexp *list = components(t, form, ret_why);
		if (!list)
			return false;
		uint32_t at = asd_find_component(t, list, component[i], ret_why);
		if (at == list->len)
			return false;
		*ret = (struct asd_place){.form = list->items[at], .parent = form, .siblings = list, .index = at};
		form = ret->form;
	}
	return form != NULL;
}

struct str asd_condition(const struct asd_text *t, const struct sexp *list, uint32_t index)
{
	uint32_t first = index;
	while (first && asd_is_mark(list->items[first - 1]))
		first--;
	if (first == index)
		return (struct str){0};
	return str_slice(t->text, list->items[first]->offset, list->items[index - 1]->end);
}

struct str asd_place_condition(const struct asd_text *t, const struct asd_place *place)
{
	struct str marks = asd_condition(t, place->siblings, place->index);
	struct asd_property p = asd_property(place->form, 2, "if-feature");
	struct str feature = p.value ? str_slice(t->text, p.value->offset, p.value->end) : (struct str){0};
	return marks.len && feature.len ? str_fmt(t->arena, "%.*s %.*s", STR_ARG(marks), STR_ARG(feature))
	       : marks.len              ? marks
	                                : feature;
}

bool asd_depends_optionally(const struct asd_text *t, const struct asd_place *place, struct str name)
{
	const struct sexp *list = asd_property(place->form, 2, "depends-on").value;
	bool optionally = false;
	for (uint32_t i = 0; list && i < sexp_list_len(list); i++) {
		const struct sexp *item = list->items[i];
		bool marked = i && asd_is_mark(list->items[i - 1]);
		if (!marked && str_eq(asd_name(t->arena, item), name))
			return false;
		optionally |= marked && str_eq(asd_name(t->arena, item), name);
		for (uint32_t k = 2; sexp_list_len(item) && sexp_is_keyword(item->items[0], "feature") && k < item->len;
		     k++)
			optionally |= str_eq(asd_name(t->arena, item->items[k]), name);
	}
	return optionally;
}
