#include "build/build.h"

#include "base/tap.h"
#include "graph/fake.h"

struct listener {
	struct event_sink sink;
	unsigned errors;
	char labels[64];
};

static void listen(struct event_sink *self, const struct event *e)
{
	struct listener *l = (struct listener *)self;
	if (e->kind != EVENT_DIAGNOSTIC || e->diagnostic->severity != SEVERITY_ERROR)
		return;
	l->errors++;
	size_t n = strlen(l->labels);
	snprintf(l->labels + n, sizeof(l->labels) - n, "%.*s ", STR_ARG(e->diagnostic->label));
}

/* A build of five compiles, of which `known` are built. */
static void run(struct listener *l, struct build *b, struct session *s, struct graph *g, size_t known)
{
	*l = (struct listener){.sink = {.emit = listen}};
	*s = (struct session){.sink = &l->sink};
	CHECK(fake_graph(g, "t1; t2 t1; t3 t2; t4 t3; t5 t4", NULL));
	*b = (struct build){.session = s, .graph = g, .skipped = g->actions.len - known};
	b->units = xcalloc(g->actions.len, sizeof(*b->units));
	for (size_t i = 0; i < known; i++)
		b->units[i].known = true;
}

static void end(struct build *b, struct graph *g)
{
	free(b->units);
	arena_release(&b->arena);
	graph_release(g);
}

static void test_silence(void)
{
	struct listener l;
	struct session s;
	struct graph g;
	struct build b;
	run(&l, &b, &s, &g, 2);
	report_silence(&b);
	tap_eq_int(l.errors, 3, "a build that failed without an error tells what was not built");
	tap_ok(strcmp(l.labels, "t3 t4 t5 ") == 0, "from where it begins: %s", l.labels);
	report_silence(&b);
	tap_eq_int(l.errors, 3, "once");
	end(&b, &g);

	run(&l, &b, &s, &g, 2);
	report_failure(&b, 2, "other", "it is wrong");
	report_silence(&b);
	tap_eq_int(l.errors, 1, "where an error was told nothing is added");
	end(&b, &g);

	run(&l, &b, &s, &g, 5);
	report_silence(&b);
	tap_eq_int(l.errors, 0, "a build that did well is no matter");
	end(&b, &g);
}

int main(void)
{
	test_silence();
	return tap_done();
}
