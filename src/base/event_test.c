#include "base/event.h"

#include "base/tap.h"

struct recorder {
	struct event_sink sink;
	struct buf seen;
};

static void record(struct event_sink *self, const struct event *e)
{
	struct recorder *r = (struct recorder *)self;
	buf_addf(&r->seen, "%d:%.*s ", (int)e->kind, STR_ARG(e->label));
}

int main(void)
{
	struct recorder a = {.sink = {record}}, b = {.sink = {record}};
	struct event_fan fan;
	event_fan_init(&fan);
	event_emit(&fan.sink, &(struct event){.kind = EVENT_NOTE});
	event_fan_add(&fan, NULL);
	event_fan_add(&fan, &a.sink);
	event_emit(&fan.sink, &(struct event){.kind = EVENT_FORK, .label = STR("one")});
	event_fan_add(&fan, &b.sink);
	event_emit(&fan.sink, &(struct event){.kind = EVENT_TOTAL, .label = STR("two")});
	event_emit(NULL, &(struct event){.kind = EVENT_NOTE});
	struct buf want = {0};
	buf_addf(&want, "%d:one %d:two ", EVENT_FORK, EVENT_TOTAL);
	tap_eq_str(buf_str(&a.seen), buf_str(&want), "a sink sees events in order");
	buf_clear(&want);
	buf_addf(&want, "%d:two ", EVENT_TOTAL);
	tap_eq_str(buf_str(&b.seen), buf_str(&want), "a later sink sees later events");
	tap_eq_int(fan.n, 2, "no sink, no place in the list");
	buf_release(&want);
	buf_release(&a.seen);
	buf_release(&b.seen);
	return tap_done();
}
