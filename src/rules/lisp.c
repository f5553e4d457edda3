#include "rules/lisp.h"

#include <stdlib.h>

#include "lang/sexp.h"

static int by_bytes(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct digest));
}

static void add_deps(struct hasher *h, const struct digest *deps, size_t n)
{
	struct digest *sorted = xmalloc((n + 1) * sizeof(*sorted));
	if (n)
		memcpy(sorted, deps, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), by_bytes);
	for (size_t i = 0; i < n; i++)
		if (i == 0 || !digest_eq(&sorted[i], &sorted[i - 1]))
			hasher_digest(h, "dep", &sorted[i]);
	free(sorted);
}

static void add_name(struct hasher *h, const struct action *a)
{
	hasher_str(h, "op", a->op);
	for (uint32_t i = 0; i < a->ncomponent; i++)
		hasher_str(h, "component", a->component[i]);
	hasher_str(h, "definition", a->definition);
}

struct digest lisp_contribution(const struct action *a, const struct action_facts *facts, const struct digest *deps)
{
	struct hasher *h = hasher_new(STR("tenon-contribution-1"));
	hasher_str(h, "kind", str_from(action_kind_name(a->kind)));
	switch (a->kind) {
	case ACTION_NONE:
		break;
	case ACTION_REQUIRE:
		hasher_str(h, "module", a->path);
		break;
	case ACTION_ASD:
		hasher_str(h, "features", a->features);
		hasher_str(h, "versions", a->definition);
		hasher_digest(h, "content", &facts->inputs[0]);
		break;
	case ACTION_LOAD:
	case ACTION_EFFECT:
		add_name(h, a);
		/* A source that is loaded as it is counts by content; a FASL is the contribution of its compile. */
		for (uint32_t i = 0; i < a->ninputs; i++)
			hasher_digest(h, "input", &facts->inputs[i]);
		break;
	case ACTION_HEADER:
		hasher_digest(h, "surface", &facts->header);
		break;
	case ACTION_COMPILE:
	case ACTION_OPAQUE:
	case ACTION_WHOLE:
		for (size_t i = 0; i < facts->noutputs; i++) {
			hasher_str(h, "output", path_base(facts->outputs[i].path));
			hasher_digest(h, "content", &facts->outputs[i].digest);
		}
		break;
	}
	add_deps(h, deps, a->ndeps);
	return hasher_end(h);
}

struct digest lisp_key(const struct lisp_rules *rules, const struct action *a, const struct action_facts *facts,
                       const struct digest *deps, const struct digest *extra)
{
	struct hasher *h = hasher_new(STR("tenon-action-1"));
	hasher_digest(h, "base", &rules->base);
	hasher_str(h, "config", rules->policy);
	hasher_str(h, "environment", rules->environment);
	hasher_str(h, "warnings", rules->warnings);
	hasher_str(h, "kind", str_from(action_kind_name(a->kind)));
	hasher_str(h, "logical", a->logical);
	add_name(h, a);
	for (uint32_t i = 0; i < a->ninputs; i++) {
		hasher_str(h, "input", path_base(a->inputs[i].path));
		hasher_digest(h, "content", &facts->inputs[i]);
	}
	hasher_digest(h, "extra", extra);
	add_deps(h, deps, a->ndeps);
	return hasher_end(h);
}

struct digest lisp_header_key(const struct lisp_rules *rules, const struct graph *g, const struct action *a,
                              const struct action_facts *facts, const struct digest *deps)
{
	struct hasher *h = hasher_new(STR("tenon-header-1"));
	hasher_digest(h, "base", &rules->base);
	hasher_str(h, "environment", rules->environment);
	hasher_str(h, "unit", graph_action(g, a->header_of)->label);
	add_name(h, graph_action(g, a->header_of));
	add_name(h, a);
	hasher_str(h, "input", path_base(a->inputs[0].path));
	hasher_digest(h, "content", &facts->inputs[0]);
	add_deps(h, deps, a->ndeps);
	return hasher_end(h);
}

struct str lisp_config_policy(struct str config)
{
	if (str_eqc(config, "debug"))
		return STR("((debug 3) (safety 3) (speed 0))");
	if (str_eqc(config, "release"))
		return STR("((debug 1) (safety 1) (speed 2))");
	return STR("");
}

static void add_strings(struct buf *out, const struct str *items, uint32_t n)
{
	buf_addc(out, '(');
	for (uint32_t i = 0; i < n; i++) {
		if (i)
			buf_addc(out, ' ');
		sexp_print_string(items[i], out);
	}
	buf_addc(out, ')');
}

static void add_string(struct buf *out, const char *key, struct str value)
{
	buf_addf(out, " :%s ", key);
	sexp_print_string(value, out);
}

void lisp_step_text(const struct graph *g, const struct action *a, struct buf *out)
{
	if (a->kind == ACTION_REQUIRE) {
		buf_addz(out, "(:require ");
		sexp_print_string(a->path, out);
	} else if (a->kind == ACTION_ASD) {
		buf_addz(out, "(:asd ");
		sexp_print_string(a->path, out);
		buf_addf(out, " %.*s", STR_ARG(a->features));
	} else {
		const struct action *op = a;
		if (a->kind == ACTION_HEADER) {
			op = graph_action(g, a->header_of);
			buf_addz(out, "(:header ");
			sexp_print_string(op->label, out);
			buf_addc(out, ' ');
		} else {
			buf_addz(out, "(:perform ");
		}
		sexp_print_string(op->op, out);
		buf_addc(out, ' ');
		sexp_print_string(graph_system(g, a->system)->name, out);
		buf_addc(out, ' ');
		add_strings(out, a->component, a->ncomponent);
		if (a->kind == ACTION_HEADER && a->used.len) {
			buf_addc(out, ' ');
			sexp_print_string(a->used, out);
		}
	}
	buf_addc(out, ')');
}

static const char *warnings_policy(struct str name)
{
	return str_eqc(name, "fail") ? "error" : str_eqc(name, "ignore") ? "ignore" : "default";
}

void lisp_act_text(const struct lisp_rules *rules, const struct graph *g, const struct action *a,
                   const struct lisp_act *act, struct buf *out)
{
	buf_addz(out, "(:act");
	add_string(out, "op", a->op);
	add_string(out, "system", graph_system(g, a->system)->name);
	buf_addz(out, " :component ");
	add_strings(out, a->component, a->ncomponent);
	add_string(out, "out", str_from(act->out_root));
	add_string(out, "scratch", str_from(act->scratch));
	add_string(out, "logical", a->logical);
	add_string(out, "policy", rules->policy);
	add_string(out, "seed", a->logical);
	buf_addf(out, " :warnings :%s", warnings_policy(rules->warnings));
	if (a->kind == ACTION_WHOLE)
		buf_addz(out, " :whole t");
	if (act->plain)
		buf_addz(out, " :plain t");
	if (act->names.len)
		buf_addf(out, " :names (%.*s)", STR_ARG(act->names));
	if (rules->sandbox) {
		buf_addz(out, " :sandbox (");
		sexp_print_string(str_from(act->scratch), out);
		buf_addc(out, ')');
	}
	buf_addc(out, ')');
}
