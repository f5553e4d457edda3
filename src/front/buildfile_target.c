/* A target is declared: its name, its attributes, what it writes, who may see it. */
#include <stdlib.h>

#include "front/buildfile_impl.h"
#include "store/digest.h"

/* -- what a target writes -- */

static bool add_out(struct loader *l, struct str dir, struct str out, struct place p, StrVec *outs)
{
	struct str rest = out, part;
	bool ok = out.len && out.ptr[0] != '/' && out.ptr[out.len - 1] != '/';
	while (ok && str_cut(&rest, '/', &part))
		ok = part.len && !str_eqc(part, ".") && !str_eqc(part, "..");
	if (!ok)
		return draft_err(l, p, "\"%.*s\" is no path of a file below the package", STR_ARG(out));
	vec_push(outs, path_below_dir(&l->t->arena, dir, out));
	return true;
}

static bool add_attr_outs(struct loader *l, struct str dir, const struct rule_schema *schema, const struct attr *attrs,
                          uint32_t n, StrVec *outs)
{
	for (uint32_t i = 0; i < n; i++) {
		const struct attr *a = &attrs[i];
		const struct attr_schema *s = rule_attr(schema, a->name);
		if (!(s->flags & ATTR_OUTPUT))
			continue;
		if (a->type == ATTR_STRING && !add_out(l, dir, a->string, a->place, outs))
			return false;
		for (uint32_t k = 0; a->type == ATTR_STRINGS && k < a->len; k++)
			if (!add_out(l, dir, a->strings[k], a->place, outs))
				return false;
		if (a->type == ATTR_STRINGS && !a->len)
			return draft_err(l, a->place, ":%.*s names no file", STR_ARG(a->name));
	}
	return true;
}

static bool fill_outs(struct loader *l, struct draft *d, const struct rule_schema *schema)
{
	struct arena *a = &l->t->arena;
	struct build_target *b = &d->b;
	struct str dir = l->t->packages.ptr[d->package].dir;
	StrVec outs = {0};
	bool ok = add_attr_outs(l, dir, schema, b->attrs, b->nattrs, &outs);
	for (uint32_t i = 0; i < b->nactions && ok; i++)
		ok = add_attr_outs(l, dir, &rule_action_schema, b->actions[i].attrs, b->actions[i].nattrs, &outs);
	const struct attr *src = str_eqc(b->rule, "export-file") ? target_attr(b, "src") : NULL;
	if (ok && !outs.len && src && !label_looks_like(d->raw[src - b->attrs].text))
		ok = add_out(l, dir, d->raw[src - b->attrs].text, src->place, &outs);
	else if (ok && !outs.len && schema->default_out.ptr)
		ok = add_out(l, dir, str_fmt(a, "%.*s%.*s", STR_ARG(b->name), STR_ARG(schema->default_out)), b->place,
		             &outs);
	b->nouts = (uint32_t)outs.len;
	b->outs = arena_new_n(a, struct str, outs.len);
	if (outs.len)
		memcpy(b->outs, outs.ptr, outs.len * sizeof(*outs.ptr));
	vec_release(&outs);
	return ok;
}

/* -- declaring -- */

static bool fill_visibility(struct loader *l, struct draft *d)
{
	const struct attr *a = target_attr(&d->b, "visibility");
	if (!a)
		return true;
	struct str here = l->t->packages.ptr[d->package].dir;
	d->b.visibility = arena_new_n(&l->t->arena, struct target_pattern, a->len);
	for (uint32_t i = 0; i < a->len; i++) {
		struct str s = a->strings[i], text = s;
		struct target_pattern *p = &d->b.visibility[d->b.nvisibility];
		struct err why = {0};
		if (str_eqc(s, "PUBLIC")) {
			d->b.is_public = true;
			continue;
		}
		if (str_eqc(s, "PRIVATE"))
			continue;
		/* Bazel's names for the same. */
		if (str_has_suffix(s, STR(":__pkg__")))
			text = str_fmt(&l->t->arena, "%.*s:all", STR_ARG(str_slice(s, 0, s.len - 8)));
		else if (str_has_suffix(s, STR(":__subpackages__")))
			text = str_fmt(&l->t->arena, "%.*s/...", STR_ARG(str_slice(s, 0, s.len - 16)));
		if (str_eqc(text, "///..."))
			text = STR("//...");
		bool ok = label_looks_like(s) && target_pattern_parse(&l->t->arena, text, here, p, &why) &&
		          p->kind != PATTERN_TARGET;
		err_clear(&why);
		if (!ok) {
			const struct value *items = NULL;
			uint32_t n = 0;
			value_as_list(&d->raw[a - d->b.attrs], &items, &n);
			CHECK(i < n);
			draft_err(l, place_or(items[i], a->place), "\"%.*s\" is no visibility", STR_ARG(s));
			return draft_note(l, "write \"PUBLIC\", \"PRIVATE\", \"//dir/...\" (a folder and all below) or "
			                     "\"//dir:__pkg__\" (one package)");
		}
		d->b.nvisibility++;
	}
	return true;
}

static bool check_sha256(struct loader *l, const struct attr *a)
{
	struct digest d;
	if (a->string.len == DIGEST_HEX && digest_parse(a->string, &d))
		return true;
	return draft_err(l, a->place, ":sha256 wants 64 hexadecimal digits");
}

/* An export-file without :src exports the file that has its name. */
static void add_default_src(struct draft *d, struct value name)
{
	uint32_t n = d->b.nattrs;
	if (!str_eqc(d->b.rule, "export-file") || target_attr(&d->b, "src"))
		return;
	d->raw[n] = name;
	d->b.attrs[n] = (struct attr){.name = STR("src"), .type = ATTR_SOURCE, .place = value_place(name), .len = 1};
	d->b.nattrs++;
}

static bool check_name(struct loader *l, struct value name, struct place p)
{
	struct err why = {0};
	struct label ignored;
	struct str text = str_fmt(&l->t->arena, ":%.*s", STR_ARG(name.text));
	if (label_parse(text, STR(""), &ignored, &why)) {
		err_clear(&why);
		return true;
	}
	draft_err(l, place_or(name, p), "\"%.*s\" can't be the name of a target", STR_ARG(name.text));
	err_clear(&why);
	return draft_note(l, "names have no white space and none of : * \" \\ in them, and stay below the package");
}

static bool name_draft(struct loader *l, struct draft *d, const struct target_value *t, struct value *ret_name)
{
	const struct value *name = value_map_getc(value_map(t->pairs, t->npairs), "name");
	if (!name) {
		draft_err(l, t->place, "\"%.*s\" wants :name", STR_ARG(t->rule->name));
		return draft_note(l, "a target is known by its name: //dir:name");
	}
	if (name->kind != VALUE_STRING)
		return draft_err(l, place_or(*name, t->place), ":name wants a string, not %s",
		                 value_kind_name(name->kind));
	if (!check_name(l, *name, t->place))
		return false;
	d->b.name = name->text;
	d->b.label = label_str(&l->t->arena, (struct label){l->t->packages.ptr[d->package].dir, name->text});
	*ret_name = *name;
	return true;
}

static bool add_draft(struct loader *l, struct draft *d)
{
	uint64_t old;
	if (!map_add(&l->draft_by_label, d->b.label, l->drafts.len, &old)) {
		const struct draft *first = l->drafts.ptr[old];
		struct buf where = {0};
		place_name(&l->t->files, first->b.place, &where);
		draft_err(l, d->b.place, "there are two targets \"%.*s\"", STR_ARG(d->b.label));
		if (l->err)
			err_note(l->err, "the other one is at %s", buf_cstr(&where));
		buf_release(&where);
		return false;
	}
	vec_push(&l->drafts, d);
	return true;
}

bool draft_declare(struct loader *l, const struct target_value *t)
{
	const struct rule_schema *schema = t->rule->schema;
	struct value name = value_nil();
	bool replaced = false;
	if (schema == &rule_action_schema) {
		draft_err(l, t->place, "an action stands in a rule only");
		return draft_note(l, "return it from the function of a defrule; or declare a genrule");
	}
	if (l->current == NO_PACKAGE) {
		draft_err(l, t->place, "a file that is loaded can't declare targets");
		return draft_note(l, "put it into a function, and call that in a BUILD file");
	}
	struct draft *d = arena_new(&l->t->arena, struct draft);
	d->package = l->current;
	d->b.package = l->current;
	d->b.rule = t->rule->name;
	d->b.schema = schema;
	d->b.place = t->place;
	if (!schema && !custom_rule_schema(l, t->rule, &schema))
		return false;
	if (!name_draft(l, d, t, &name) || !attrs_convert(l, schema, t, &d->b.attrs, &d->b.nattrs, &d->raw))
		return false;
	add_default_src(d, name);
	const struct attr *sha256 = target_attr(&d->b, "sha256");
	if (sha256 && d->b.schema && !check_sha256(l, sha256))
		return false;
	if (!d->b.schema && !draft_declare_custom(l, d, t, &replaced))
		return false;
	return replaced || (fill_visibility(l, d) && fill_outs(l, d, schema) && add_draft(l, d));
}
