#include "base/event.h"

const char *outcome_name(enum outcome o)
{
	static const char *const names[] = {
	        [OUTCOME_RAN] = "ran",       [OUTCOME_CACHED] = "cached",   [OUTCOME_CURRENT] = "current",
	        [OUTCOME_FAILED] = "failed", [OUTCOME_SKIPPED] = "skipped",
	};
	return names[o];
}

static void fan_emit(struct event_sink *self, const struct event *e)
{
	struct event_fan *f = (struct event_fan *)self;
	for (unsigned i = 0; i < f->n; i++)
		f->sinks[i]->emit(f->sinks[i], e);
}

void event_fan_init(struct event_fan *f)
{
	*f = (struct event_fan){.sink = {fan_emit}};
}

void event_fan_add(struct event_fan *f, struct event_sink *s)
{
	if (!s)
		return;
	CHECK(f->n < ARRAY_LEN(f->sinks));
	f->sinks[f->n++] = s;
}
