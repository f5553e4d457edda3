#include "rules/lisp.h"

#include "base/tap.h"

/* One action with everything that a key is made of. */
struct fixture {
	struct lisp_rules rules;
	struct action action;
	struct action_facts facts;
	struct input input;
	struct digest content, deps[2], extra;
	struct str component[2];
};

static void setup(struct fixture *f)
{
	*f = (struct fixture){
	        .rules = {.base = digest_of(STR("base")), .warnings = STR("asdf"), .config = STR("default")},
	        .input = {STR("/home/one/demo/a.lisp"), NO_ID},
	        .content = digest_of(STR("(defun a ())")),
	        .deps = {digest_of(STR("x")), digest_of(STR("y"))},
	        .component = {STR("src"), STR("a")},
	};
	f->action = (struct action){.kind = ACTION_COMPILE,
	                            .op = STR("asdf/lisp-action:compile-op"),
	                            .label = STR("demo:a.lisp"),
	                            .logical = STR("demo/src/a.lisp"),
	                            .component = f->component,
	                            .ncomponent = 2,
	                            .inputs = &f->input,
	                            .ninputs = 1,
	                            .ndeps = 2};
	f->facts.inputs = &f->content;
}

static struct digest key_of(const struct fixture *f)
{
	return lisp_key(&f->rules, &f->action, &f->facts, f->deps, &f->extra);
}

#define DIFFERS(change)                                                                                                \
	do {                                                                                                           \
		struct fixture f;                                                                                      \
		setup(&f);                                                                                             \
		struct digest before = key_of(&f);                                                                     \
		change;                                                                                                \
		struct digest after = key_of(&f);                                                                      \
		tap_ok(!digest_eq(&before, &after), "another key: %s", #change);                                       \
	} while (0)
#define SAME(change)                                                                                                   \
	do {                                                                                                           \
		struct fixture f;                                                                                      \
		setup(&f);                                                                                             \
		struct digest before = key_of(&f);                                                                     \
		change;                                                                                                \
		struct digest after = key_of(&f);                                                                      \
		tap_ok(digest_eq(&before, &after), "the same key: %s", #change);                                       \
	} while (0)

static void test_key(void)
{
	DIFFERS(f.content = digest_of(STR("(defun b ())")));
	DIFFERS(f.rules.base = digest_of(STR("another Lisp")));
	DIFFERS(f.rules.policy = lisp_config_policy(STR("debug")));
	DIFFERS(f.rules.environment = STR("A=1\n"));
	DIFFERS(f.rules.warnings = STR("fail"));
	DIFFERS(f.deps[1] = digest_of(STR("z")));
	DIFFERS(f.action.ndeps = 1);
	DIFFERS(f.extra = digest_of(STR("a lax image")));
	DIFFERS(f.action.kind = ACTION_OPAQUE);
	DIFFERS(f.action.op = STR("another-op"));
	DIFFERS(f.action.logical = STR("demo/lib/a.lisp"));
	DIFFERS(f.action.definition = STR("(:encoding :latin-1)"));
	DIFFERS(f.component[1] = STR("b"));
	DIFFERS((f.component[0] = STR("sr"), f.component[1] = STR("ca")));
	DIFFERS(f.input.path = STR("/home/one/demo/b.lisp"));
	SAME(f.input.path = STR("/home/two/demo/a.lisp"));
	SAME(f.rules.config = STR("a name without a policy"));
	SAME(f.action.label = STR("a label is for people"));
	SAME(f.action.order = 7);
	SAME((f.deps[0] = digest_of(STR("y")), f.deps[1] = digest_of(STR("x"))));
}

static void test_contribution(void)
{
	struct fixture f;
	setup(&f);
	struct result_output out = {.path = STR("/out/a.fasl"), .digest = digest_of(STR("fasl"))};
	f.facts.outputs = &out;
	f.facts.noutputs = 1;
	struct digest first = lisp_contribution(&f.action, &f.facts, f.deps);
	f.content = digest_of(STR("; a comment more, the same fasl"));
	struct digest cut_off = lisp_contribution(&f.action, &f.facts, f.deps);
	tap_ok(digest_eq(&first, &cut_off), "an edit that leaves the product alone stops there");
	out.digest = digest_of(STR("another fasl"));
	struct digest changed = lisp_contribution(&f.action, &f.facts, f.deps);
	tap_ok(!digest_eq(&first, &changed), "another product goes on");
	struct digest swapped[] = {f.deps[1], f.deps[0], f.deps[1]};
	struct digest other = lisp_contribution(&f.action, &f.facts, swapped);
	tap_ok(digest_eq(&changed, &other), "the order of dependencies is nothing");
	f.action.ndeps = 3;
	other = lisp_contribution(&f.action, &f.facts, swapped);
	tap_ok(digest_eq(&changed, &other), "nor is one that comes twice");
}

int main(void)
{
	test_key();
	test_contribution();
	return tap_done();
}
