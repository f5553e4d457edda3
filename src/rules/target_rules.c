#include "rules/target_rules.h"

#include <stdarg.h>
#include <stdlib.h>

#include "graph/rule.h"
#include "rules/target_impl.h"

static const struct {
	const char *name;
	rule_fn *fn;
} rules[] = {
        {"genrule", rule_genrule},
        {"export-file", rule_export_file},
        {"remote-file", rule_remote_file},
        {"zip-file", rule_zip_file},
        {"command-alias", rule_command_alias},
        {"worker-tool", rule_worker_tool},
        {"jar", rule_jar},
        {"prebuilt-jar", rule_jar},
        {"java-library", rule_java_library},
        {"java-binary", rule_java_binary},
        {"clj-lib", rule_clj_lib},
        {"clj-binary", rule_clj_binary},
        {"clj-test", rule_clj_test},
        {"lisp-library", rule_lisp_library},
        {"lisp-binary", rule_lisp_binary},
        {"lisp-test", rule_lisp_test},
        {"asdf-system", rule_asdf_system},
};

void target_analysis_init(struct target_analysis *an, const struct target_table *table, struct target_tools *tools)
{
	*an = (struct target_analysis){.table = table, .tools = tools};
	an->products = xcalloc(table->targets.len + 1, sizeof(*an->products));
}

void target_analysis_release(struct target_analysis *an)
{
	for (size_t i = 0; i < an->actions.len; i++)
		target_action_release(&an->actions.ptr[i]);
	for (size_t i = 0; an->products && i < an->table->targets.len; i++) {
		vec_release(&an->products[i].files);
		vec_release(&an->products[i].classpath);
		vec_release(&an->products[i].runtime);
		vec_release(&an->products[i].tests);
		vec_release(&an->products[i].lisp_definitions);
		target_command_release(&an->products[i].run);
	}
	free(an->products);
	target_clojure_free(an->clojure);
	vec_release(&an->actions);
	vec_release(&an->notes);
	vec_release(&an->analysed);
	arena_release(&an->arena);
}

static rule_fn *find_rule(const struct build_target *t)
{
	for (size_t i = 0; t->schema && i < ARRAY_LEN(rules); i++)
		if (str_eqc(t->schema->name, rules[i].name))
			return rules[i].fn;
	return t->schema ? NULL : rule_own;
}

static bool analyse_one(struct target_analysis *an, target_id id, struct err *err)
{
	struct rule_context c = {.an = an,
	                         .arena = &an->arena,
	                         .target = target_get(an->table, id),
	                         .id = id,
	                         .products = &an->products[id]};
	rule_fn *fn = find_rule(c.target);
	if (!fn)
		return rule_err(&c, NULL, err, "targets of the rule \"%.*s\" cannot be built yet",
		                STR_ARG(c.target->rule));
	if (!fn(&c, err))
		return false;
	c.products->ready = true;
	vec_push(&an->analysed, id);
	return true;
}

bool target_analyse(struct target_analysis *an, const target_id *targets, size_t n, struct err *err)
{
	const struct target_table *t = an->table;
	uint8_t *wanted = xcalloc(t->targets.len + 1, 1);
	for (size_t i = 0; i < n; i++)
		wanted[targets[i]] = 1;
	/* From dependents to dependencies, then back. */
	for (size_t i = t->by_order.len; i-- > 0;) {
		const struct build_target *b = target_get(t, t->by_order.ptr[i]);
		for (uint32_t d = 0; wanted[t->by_order.ptr[i]] && d < b->ndeps; d++)
			wanted[b->deps[d]] = 1;
	}
	bool ok = true;
	for (size_t i = 0; ok && i < t->by_order.len; i++)
		if (wanted[t->by_order.ptr[i]] && !an->products[t->by_order.ptr[i]].ready)
			ok = analyse_one(an, t->by_order.ptr[i], err);
	free(wanted);
	return ok;
}

/* -- for the rules -- */

action_id rule_action_new(struct rule_context *c, const char *mnemonic, const char *executor, const char *step)
{
	struct target_action t = {.mnemonic = mnemonic, .executor = executor, .target = c->id};
	t.label = *step ? str_fmt(c->arena, "%.*s (%s)", STR_ARG(c->target->label), step) : c->target->label;
	vec_push(&c->an->actions, t);
	return (action_id)(c->an->actions.len - 1);
}

struct target_action *rule_action_get(struct rule_context *c, action_id id)
{
	return &c->an->actions.ptr[id];
}

void rule_words(struct target_action *t, const char *const *words)
{
	for (size_t i = 0; words[i]; i++)
		vec_push(&t->argv, str_from(words[i]));
}

void rule_output(struct rule_context *c, action_id id, struct str path, bool tree)
{
	vec_push(&rule_action_get(c, id)->outputs, (struct target_output){.path = path, .tree = tree});
}

void rule_environment(struct target_action *t)
{
	vec_push(&t->env, STR("PATH=/usr/local/bin:/usr/bin:/bin"));
	vec_push(&t->env, STR("LC_ALL=C.UTF-8"));
	vec_push(&t->env, STR("TZ=UTC"));
}

void rule_environment_attr(struct arena *a, StrVec *env, const struct attr *attr)
{
	for (uint32_t i = 0; attr && i < attr->len; i++)
		vec_push(env, str_fmt(a, "%.*s=%.*s", STR_ARG(attr->pairs[i].key), STR_ARG(attr->pairs[i].value)));
}

const struct target_products *rule_products(const struct rule_context *c, target_id id)
{
	CHECK(c->an->products[id].ready);
	return &c->an->products[id];
}

void rule_add_file(FileRefVec *out, struct target_file_ref f)
{
	for (size_t i = 0; i < out->len; i++)
		if (out->ptr[i].producer == f.producer && str_eq(out->ptr[i].path, f.path))
			return;
	vec_push(out, f);
}

void rule_add_files(FileRefVec *out, const FileRefVec *from)
{
	for (size_t i = 0; i < from->len; i++)
		rule_add_file(out, from->ptr[i]);
}

void rule_files(const struct rule_context *c, const struct attr *attr, FileRefVec *out)
{
	if (!attr)
		return;
	bool labels = attr->type == ATTR_LABEL || attr->type == ATTR_LABELS;
	for (uint32_t i = 0; i < attr->len; i++) {
		target_id id = labels ? attr->labels[i] : attr->sources[i].target;
		if (id != NO_TARGET)
			rule_add_files(out, &rule_products(c, id)->files);
		else
			rule_add_file(out, (struct target_file_ref){.path = attr->sources[i].path, .producer = NO_ID});
	}
}

static struct str renumbered(void *ctx, struct arena *a, const struct target_file_ref *f)
{
	return target_command_file(a, ctx, *f);
}

void rule_add_command(struct target_command *out, const struct target_command *from, struct arena *a)
{
	for (size_t i = 0; i < from->words.len; i++)
		vec_push(&out->words, target_command_word(a, from, from->words.ptr[i], renumbered, out));
	for (size_t i = 0; i < from->env.len; i++)
		vec_push(&out->env, from->env.ptr[i]);
}

struct str rule_out(const struct rule_context *c, uint32_t i)
{
	CHECK(i < c->target->nouts);
	return c->target->outs[i];
}

bool rule_err(const struct rule_context *c, const struct attr *attr, struct err *err, const char *fmt, ...)
{
	struct buf text = {0};
	va_list ap;
	va_start(ap, fmt);
	buf_addv(&text, fmt, ap);
	va_end(ap);
	target_err(c->an->table, attr ? attr->place : c->target->place, err, "%s", buf_cstr(&text));
	buf_release(&text);
	return false;
}

void rule_tool(struct target_action *t, const char *tool)
{
	static const char *const self[] = {"/proc/self/exe", "--tenon-tool", NULL};
	rule_words(t, self);
	vec_push(&t->argv, str_from(tool));
}
