/* The strategies on the sample of targets by which they were first described:
 *
 *     //jbx:main
 *     +- //jbx:lib
 *        +- //lib:clojure1.9
 *           +- //lib:core.specs.alpha
 *           +- //lib:spec.alpha
 */
#include "base/tap.h"
#include "graph/fake.h"
#include "sched/sched.h"

enum { CORE_SPECS, SPEC, CLOJURE, LIB, MAIN, OTHER, COUNT };

/* In the order of the front end: dependencies first. The last one stands beside the rest. */
static const char sample[] = "//lib:core.specs.alpha; //lib:spec.alpha; "
                             "//lib:clojure1.9 //lib:core.specs.alpha //lib:spec.alpha; "
                             "//jbx:lib //lib:clojure1.9; //jbx:main //jbx:lib; //doc:page";

/* Starts as time goes by, with as many slots as there are actions: "name@start". */
static void simulate(const struct graph *g, const uint64_t *weight, enum sched_strategy strategy, struct buf *out)
{
	struct sched *s = sched_new(g, weight, strategy);
	uint64_t end[COUNT] = {0}, now = 0;
	buf_clear(out);
	while (!sched_finished(s)) {
		action_id id;
		while ((id = sched_peek(s, 0)) != NO_ID) {
			struct str label = graph_action(g, id)->label;
			sched_start(s, id);
			end[id] = now + weight[id];
			buf_addf(out, "%.*s@%d ", STR_ARG(str_drop(label, str_find(label, ':') + 1)), (int)now);
		}
		action_id next = NO_ID;
		for (action_id i = 0; i < COUNT; i++)
			if (sched_state(s, i) == SCHED_RUNNING && (next == NO_ID || end[i] < end[next]))
				next = i;
		CHECK(next != NO_ID);
		now = end[next];
		sched_done(s, next, true);
	}
	sched_free(s);
}

static void test_sample(void)
{
	struct graph g;
	struct buf order = {0};
	uint64_t weight[COUNT] = {[CORE_SPECS] = 1, [SPEC] = 3, [CLOJURE] = 2, [LIB] = 2, [MAIN] = 1, [OTHER] = 5};
	tap_ok(fake_graph(&g, sample, NULL), "the sample");
	simulate(&g, weight, SCHED_SERIAL, &order);
	tap_eq_str(buf_str(&order), STR("core.specs.alpha@0 spec.alpha@1 clojure1.9@4 lib@6 main@8 page@9 "),
	           "serial: one after the other, from the leaves to the target");
	simulate(&g, weight, SCHED_LEVEL, &order);
	tap_eq_str(buf_str(&order), STR("core.specs.alpha@0 spec.alpha@0 page@0 clojure1.9@5 lib@7 main@9 "),
	           "level: the deepest first; the next waits until all of it is done, the page too");
	simulate(&g, weight, SCHED_EVENT, &order);
	tap_eq_str(buf_str(&order), STR("spec.alpha@0 core.specs.alpha@0 page@0 clojure1.9@3 lib@5 main@7 "),
	           "event: each as soon as what it needs is done, the longest way first");
	buf_release(&order);
	graph_release(&g);
}

int main(void)
{
	test_sample();
	return tap_done();
}
