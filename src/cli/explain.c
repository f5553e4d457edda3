/* explain: why each action ran in the last build, or why it did not. */
#include <stdio.h>

#include "cli/targets.h"
#include "wire/json.h"

/* What is said of one action. */
struct told {
	struct str label, outcome;          /* outcome: empty, it was not built yet */
	struct str target;                  /* empty: it is no target's */
	struct str kind, name, reason;      /* kind and name: of targets only */
	const char *ran_verb, *failed_verb; /* "compiled", "failed; it was compiled" */
};

static void tell_text(const struct told *t, struct buf *out)
{
	buf_addf(out, "%.*s: ", STR_ARG(t->label));
	if (!t->outcome.len)
		buf_addz(out, "was not built yet\n");
	else if (str_eqc(t->outcome, "ran") || str_eqc(t->outcome, "failed"))
		buf_addf(out, "%s because %.*s\n", str_eqc(t->outcome, "ran") ? t->ran_verb : t->failed_verb,
		         STR_ARG(t->reason));
	else if (str_eqc(t->outcome, "skipped"))
		buf_addf(out, "did not run: %.*s\n", STR_ARG(t->reason));
	else if (t->reason.len)
		buf_addf(out, "%.*s\n", STR_ARG(t->reason));
	else
		buf_addz(out, "taken from the store: its key was built before\n");
}

/* Nothing changed, so nothing happened: such actions are counted, not listed. */
static bool is_silent(const struct told *t)
{
	return str_eqc(t->outcome, "current") && !t->reason.len;
}

static void json_text(struct json *j, const char *key, struct str s)
{
	json_key(j, key);
	if (s.len)
		json_str(j, s);
	else
		json_null(j);
}

static void tell_json(const struct told *t, struct json *j)
{
	json_object(j);
	json_text(j, "label", t->label);
	json_text(j, "target", t->target);
	json_text(j, "outcome", t->outcome);
	json_text(j, "cause", t->kind);
	json_text(j, "name", t->name);
	json_text(j, "reason", t->reason);
	json_end(j);
}

struct explanation {
	struct buf *out;
	struct json json;
	bool is_json;
	size_t silent;
};

static void begin(struct explanation *x, const struct cli *cli, struct buf *out)
{
	*x = (struct explanation){.out = out, .is_json = cli->options.format == FORMAT_JSON};
	x->json.out = out;
	if (x->is_json)
		json_array(&x->json);
}

static void add(struct explanation *x, const struct told *t)
{
	if (x->is_json)
		tell_json(t, &x->json);
	else if (is_silent(t))
		x->silent++;
	else
		tell_text(t, x->out);
}

static void end(struct explanation *x)
{
	const char *s = x->silent == 1 ? "" : "s";
	if (x->is_json) {
		json_end(&x->json);
		buf_addc(x->out, '\n');
	} else if (x->silent) {
		buf_addf(x->out, "%zu action%s did not run: nothing in %s key%s changed\n", x->silent, s,
		         x->silent == 1 ? "its" : "their", s);
	}
}

/* -- units of ASDF systems -- */

static void explain_units(const struct build *b, const struct graph *g, struct explanation *x)
{
	for (size_t i = 0; i < g->by_order.len; i++) {
		const struct action *a = graph_action(g, g->by_order.ptr[i]);
		struct told t = {.label = a->label, .ran_verb = "compiled", .failed_verb = "failed; it was compiled"};
		struct unit_record r;
		if (!action_kind_is_task(a->kind))
			continue;
		if (record_previous(b, a->label, &r)) {
			t.outcome = r.outcome;
			t.reason = r.reason;
		}
		add(x, &t);
	}
}

static int explain_systems(struct cli *cli)
{
	struct session s = {.lock_fd = -1};
	struct graph g = {0};
	struct build b = {0};
	struct err err = {0};
	struct buf out = {0};
	struct explanation x;
	int code = 0;
	for (size_t i = 0; i < cli->options.args.len; i++)
		vec_push(&cli->targets, cli->options.args.ptr[i]);
	cli->build.targets = cli->targets.ptr;
	cli->build.ntargets = cli->targets.len;
	if (cli_describe(cli, &s, &g, &err)) {
		build_init(&b, &s, &g);
		begin(&x, cli, &out);
		explain_units(&b, &g, &x);
		end(&x);
		fwrite(buf_cstr(&out), 1, out.len, stdout);
	} else {
		code = cli_fail(cli, &err);
	}
	buf_release(&out);
	build_release(&b);
	session_close(&s);
	graph_release(&g);
	return code;
}

/* -- actions of targets -- */

/* The namespace that the action compiles or tests; empty: it is another kind of action. */
static struct str namespace_of(const struct target_action *a)
{
	return a->runtime && a->argv.len > 1 ? a->argv.ptr[1] : (struct str){0};
}

static bool is_among(const StrVec *names, struct str name)
{
	for (size_t i = 0; i < names->len; i++)
		if (str_eq(names->ptr[i], name))
			return true;
	return false;
}

static bool check_namespaces(const struct targets *t, const StrVec *names, struct err *err)
{
	for (size_t i = 0; i < names->len; i++) {
		struct nearest n;
		bool found = false;
		nearest_init(&n, names->ptr[i]);
		for (size_t k = 0; k < t->analysis.actions.len; k++) {
			struct str ns = namespace_of(&t->analysis.actions.ptr[k]);
			found |= str_eq(ns, names->ptr[i]);
			nearest_offer(&n, ns);
		}
		if (found)
			continue;
		err_set(err, ERR_USER, "no target compiles or tests a namespace %.*s", STR_ARG(names->ptr[i]));
		nearest_note(&n, err);
		return false;
	}
	return true;
}

static void explain_action(const struct targets *t, action_id id, struct explanation *x)
{
	const struct target_action *a = target_build_action(&t->build, id);
	struct told told = {.label = a->label, .ran_verb = "ran", .failed_verb = "failed; it ran"};
	struct target_record r;
	if (a->target != NO_TARGET)
		told.target = target_get(&t->table, a->target)->label;
	if (target_record_previous(&t->build, a->label, &r)) {
		told.outcome = r.outcome;
		told.kind = r.why.kind;
		told.name = r.why.name;
		told.reason = r.why.text;
	}
	add(x, &told);
}

/* Tests get actions too, so that what a `tenon test` did can be told. */
static bool explain_actions(struct cli *cli, struct targets *t, const StrVec *namespaces, struct buf *out,
                            bool *ret_systems, struct err *err)
{
	struct explanation x;
	if (!targets_load(t, err) || !targets_analyse(t, TARGETS_TEST, err))
		return false;
	*ret_systems = namespaces->len && !t->analysis.clojure;
	if (*ret_systems)
		return true;
	if (!check_namespaces(t, namespaces, err) || !targets_recall(t, err))
		return false;
	begin(&x, cli, out);
	for (size_t i = 0; i < t->build.graph.by_order.len; i++) {
		action_id id = t->build.graph.by_order.ptr[i];
		const struct target_action *a = target_build_action(&t->build, id);
		struct target_record r;
		if (namespaces->len && !is_among(namespaces, namespace_of(a)))
			continue;
		/* Nobody wonders why tests did not run that were never asked for. */
		if (a->is_test && !namespaces->len && !target_record_previous(&t->build, a->label, &r))
			continue;
		explain_action(t, id, &x);
	}
	end(&x);
	return true;
}

/* Arguments are targets and namespaces, in any order; systems, where no target is one of Clojure's (*ret_systems). */
static int explain_targets(struct cli *cli, bool *ret_systems)
{
	struct targets t = {.session = {.lock_fd = -1}};
	struct err err = {0};
	struct buf out = {0};
	const StrVec *args = &cli->options.args;
	StrVec patterns = {0}, namespaces = {0};
	for (size_t i = 0; i < args->len; i++) {
		StrVec *to = target_pattern_looks_like(args->ptr[i]) ? &patterns : &namespaces;
		vec_push(to, args->ptr[i]);
	}
	bool ok = cli_open_targets(cli, &t, &patterns, "explain", &err) &&
	          explain_actions(cli, &t, &namespaces, &out, ret_systems, &err);
	fwrite(buf_cstr(&out), 1, out.len, stdout);
	int code = ok ? 0 : cli_fail(cli, &err);
	vec_release(&patterns);
	vec_release(&namespaces);
	vec_clear(&cli->targets);
	buf_release(&out);
	targets_close(&t);
	return code;
}

int command_explain(struct cli *cli)
{
	bool systems = true;
	int code = 0;
	if (cli_means_targets(cli, 0) || cli_is_among_targets(cli))
		code = explain_targets(cli, &systems);
	return systems && !code ? explain_systems(cli) : code;
}
