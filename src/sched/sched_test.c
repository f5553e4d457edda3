#include "sched/sched.h"

#include "base/tap.h"
#include "graph/fake.h"

/* Runs everything with `slots` slots, one time unit of weight at a time; the order of starts as text. */
static void simulate(struct graph *g, const uint64_t *weight, enum sched_strategy strategy, size_t slots,
                     struct buf *out, uint64_t *ret_time)
{
	struct sched *s = sched_new(g, weight, strategy);
	Vec(struct {
		action_id id;
		uint64_t end;
	}) running = {0};
	uint64_t now = 0;
	buf_clear(out);
	while (!sched_finished(s)) {
		action_id id;
		while (running.len < slots && (id = sched_peek(s, 0)) != NO_ID) {
			sched_start(s, id);
			vec_reserve(&running, running.len + 1);
			running.ptr[running.len].id = id;
			running.ptr[running.len++].end = now + weight[id];
			buf_addf(out, "%.*s ", STR_ARG(graph_action(g, id)->label));
		}
		CHECK(running.ptr && running.len);
		size_t next = 0;
		for (size_t i = 1; i < running.len; i++)
			if (running.ptr[i].end < running.ptr[next].end)
				next = i;
		now = running.ptr[next].end;
		sched_done(s, running.ptr[next].id, true);
		running.ptr[next] = running.ptr[--running.len];
	}
	*ret_time = now;
	vec_release(&running);
	sched_free(s);
}

static void weigh(const struct graph *g, uint64_t *weight)
{
	for (size_t i = 0; i < g->actions.len; i++)
		weight[i] = g->actions.ptr[i].kind == ACTION_COMPILE;
}

/* A long chain and many short ones: whoever begins with the short ones loses. */
static void test_critical_path(void)
{
	struct graph g;
	uint64_t weight[16], time;
	struct buf order = {0};
	fake_graph(&g, "ta; tb; tc; td; t1; t2 t1; t3 t2", NULL);
	weigh(&g, weight);
	simulate(&g, weight, SCHED_EVENT, 2, &order, &time);
	tap_ok(str_has_prefix(buf_str(&order), STR("t1 ")), "the longest path goes first: %s", buf_cstr(&order));
	tap_eq_int(time, 4, "seven units on two slots take four");
	buf_release(&order);
	graph_release(&g);
}

/* While there is much to do, short paths can wait: the front end's order counts. In the end the longest goes first. */
static void test_short(void)
{
	struct graph g;
	uint64_t weight[16];
	fake_graph(&g, "ta; t1; t2 t1; tz", NULL);
	weigh(&g, weight);
	for (size_t i = 0; i < g.actions.len; i++)
		weight[i] *= 16;
	action_id ta = fake_id(&g, "ta"), t1 = fake_id(&g, "t1"), tz = fake_id(&g, "tz");
	weight[tz] = 1000;
	struct sched *s = sched_new(&g, weight, SCHED_EVENT);
	tap_ok(sched_peek(s, 0) == tz && sched_peek(s, 1) == t1, "every path counts");
	tap_ok(!sched_can_wait(s, t1), "none can wait");
	sched_jobs(s, 1);
	tap_ok(sched_peek(s, 0) == tz && sched_peek(s, 1) == ta && sched_peek(s, 2) == t1,
	       "short ones go in order, behind what is long");
	tap_ok(sched_can_wait(s, t1) && !sched_can_wait(s, tz), "they can wait");
	sched_refresh(s);
	tap_ok(sched_peek(s, 1) == ta, "after a refresh, too");
	sched_start(s, tz);
	sched_done(s, tz, true);
	tap_ok(sched_peek(s, 0) == t1 && sched_peek(s, 1) == ta, "nothing is short beside the rest");
	tap_ok(!sched_can_wait(s, t1), "and nothing can wait");
	sched_free(s);
	graph_release(&g);
}

/* What is said to be urgent goes first, with what it depends on; the times that are left stay as they are. */
static void test_urged(void)
{
	struct graph g;
	uint64_t weight[16];
	fake_graph(&g, "ta; tb; t1; t2 t1; tc", NULL);
	weigh(&g, weight);
	struct sched *s = sched_new(&g, weight, SCHED_EVENT);
	action_id t1 = fake_id(&g, "t1"), tc = fake_id(&g, "tc");
	uint64_t left = sched_remaining_ns(s), critical = sched_critical_ns(s);
	tap_ok(sched_peek(s, 0) == t1, "the longest path goes first");
	sched_urge(s, tc, 5);
	sched_refresh(s);
	tap_ok(sched_peek(s, 0) == tc && sched_peek(s, 1) == t1, "but behind what is more urgent");
	sched_urge(s, fake_id(&g, "t2"), 7);
	sched_refresh(s);
	tap_ok(sched_peek(s, 0) == t1 && sched_peek(s, 1) == tc, "and before it for the sake of what waits");
	tap_ok(sched_remaining_ns(s) == left && sched_critical_ns(s) == critical, "all takes as long as before");
	sched_weigh(s, fake_id(&g, "tb"), weight[fake_id(&g, "tb")] + 9);
	sched_refresh(s);
	tap_ok(sched_peek(s, 0) == fake_id(&g, "tb"), "what turns out to take longer goes first");
	tap_ok(sched_remaining_ns(s) == left + 9, "and more is left");
	sched_free(s);
	graph_release(&g);
}

/* What an estimate is made of falls as work is done. */
static void test_left(void)
{
	struct graph g;
	uint64_t weight[16];
	fake_graph(&g, "ta; tb ta; tc tb; td", NULL);
	weigh(&g, weight);
	struct sched *s = sched_new(&g, weight, SCHED_EVENT);
	action_id a = fake_id(&g, "ta"), d = fake_id(&g, "td");
	tap_eq_int((int64_t)sched_ready_critical_ns(s), 3, "three in a row are ahead");
	sched_start(s, a);
	sched_start(s, d);
	tap_ok(sched_running(s) == 2 && sched_running_at(s, 0) == a && sched_running_at(s, 1) == d, "two run");
	sched_done(s, a, true);
	tap_ok(sched_running(s) == 1 && sched_running_at(s, 0) == d, "one is done");
	tap_eq_int((int64_t)sched_ready_critical_ns(s), 2, "two in a row are left");
	tap_eq_int((int64_t)sched_remaining_ns(s), 3, "three in all");
	tap_eq_int((int64_t)sched_weight(s, d), 1, "one of them runs");
	sched_free(s);
	graph_release(&g);
}

/* The sample of the level strategy: two jars, one that needs both, a library, a program. */
static const char sample[] = "tspecs; tspec; tclojure tspecs tspec; tlib tclojure; tmain tlib";

static void test_strategies(void)
{
	struct graph g;
	uint64_t weight[16], time;
	struct buf order = {0};
	fake_graph(&g, sample, NULL);
	weigh(&g, weight);
	simulate(&g, weight, SCHED_SERIAL, 4, &order, &time);
	tap_eq_int(time, 5, "serial: one at a time");
	tap_ok(strcmp(buf_cstr(&order), "tspecs tspec tclojure tlib tmain ") == 0, "in order: %s", buf_cstr(&order));
	simulate(&g, weight, SCHED_LEVEL, 4, &order, &time);
	tap_eq_int(time, 4, "level: the two jars together");
	graph_release(&g);

	fake_graph(&g, "ta; tb ta; tc; td tc", NULL);
	for (size_t i = 0; i < 4; i++)
		weight[i] = i == 2 ? 5 : 1;
	simulate(&g, weight, SCHED_LEVEL, 2, &order, &time);
	tap_ok(strcmp(buf_cstr(&order), "ta tc tb td ") == 0, "level: tb waits for tc, its neighbour: %s",
	       buf_cstr(&order));
	struct sched *s = sched_new(&g, weight, SCHED_LEVEL);
	sched_start(s, 0);
	sched_start(s, 2);
	sched_done(s, 0, true);
	tap_ok(sched_peek(s, 0) == NO_ID, "a level begins when the last one is done");
	sched_free(s);
	s = sched_new(&g, weight, SCHED_EVENT);
	sched_start(s, 0);
	sched_start(s, 2);
	sched_done(s, 0, true);
	tap_eq_int(sched_peek(s, 0), 1, "event: what is ready may start");
	sched_free(s);
	buf_release(&order);
	graph_release(&g);
}

static void test_failure(void)
{
	struct graph g;
	uint64_t weight[16];
	fake_graph(&g, "ta; tb ta; c tb; td c; te", NULL);
	weigh(&g, weight);
	struct sched *s = sched_new(&g, weight, SCHED_EVENT);
	sched_start(s, 0);
	sched_done(s, 0, false);
	tap_eq_int(sched_state(s, 1), SCHED_SKIPPED, "what depends on a failure is skipped");
	tap_eq_int(sched_state(s, 3), SCHED_SKIPPED, "at any depth");
	tap_eq_int(sched_peek(s, 0), 4, "what does not goes on");
	sched_start(s, 4);
	sched_done(s, 4, true);
	tap_ok(sched_finished(s), "then all is over");
	tap_eq_int(sched_remaining_ns(s), 0, "and nothing remains");
	sched_free(s);
	graph_release(&g);
}

static void test_waiting(void)
{
	struct graph g;
	uint64_t weight[16];
	fake_graph(&g, "ta; tb; tc tb", NULL);
	weigh(&g, weight);
	struct sched *s = sched_new(&g, weight, SCHED_EVENT);
	sched_start(s, 1);
	sched_again(s, 1);
	tap_eq_int(sched_state(s, 1), SCHED_READY, "a running action can go back");
	sched_start(s, 1);
	/* tb turns out to need ta. */
	struct action *b = graph_action(&g, 1), *a = graph_action(&g, 0);
	action_id dep = 0, rdep = 1;
	b->deps = &dep;
	b->ndeps = 1;
	a->rdeps = &rdep;
	a->nrdeps = 1;
	tap_ok(sched_wait(s, 1), "it can wait");
	tap_eq_int(sched_state(s, 1), SCHED_BLOCKED, "for what it did not know");
	sched_start(s, 0);
	sched_done(s, 0, true);
	tap_eq_int(sched_state(s, 1), SCHED_READY, "and is ready when that is done");
	sched_start(s, 1);
	sched_done(s, 1, true);
	tap_eq_int(sched_state(s, 2), SCHED_READY, "its dependents were not harmed");
	sched_free(s);
	graph_release(&g);
}

static void test_wide(void)
{
	struct buf text = {0};
	struct graph g;
	buf_addz(&text, "t0");
	for (int i = 1; i < 1500; i++)
		buf_addf(&text, "; t%d t%d", i, i % 2 ? 0 : i / 2);
	fake_graph(&g, buf_cstr(&text), NULL);
	uint64_t *weight = xcalloc(g.actions.len, sizeof(*weight)), time;
	weigh(&g, weight);
	struct buf order = {0};
	simulate(&g, weight, SCHED_EVENT, 8, &order, &time);
	tap_ok(time >= 1500 / 8 && time <= 1500 / 8 + 12, "1500 units on 8 slots take %d", (int)time);
	buf_release(&order);
	buf_release(&text);
	free(weight);
	graph_release(&g);
}

int main(void)
{
	test_critical_path();
	test_short();
	test_urged();
	test_left();
	test_strategies();
	test_failure();
	test_waiting();
	test_wide();
	return tap_done();
}
