/* Describing where systems have to be built for it: those that .asd files load while they are read, by
 * :defsystem-depends-on for the most part. ASDF would compile them one file after the other. */
#include "build/build.h"

/* Ids of events of such builds begin here, one such distance apart. */
#define PROVIDED_IDS ((uint64_t)1 << 48)

/* Events of such a build, among those of the build that it is for. */
struct provider_sink {
	struct event_sink base;
	struct session *session;
	uint64_t first_id;
};

static void pass_on(struct event_sink *self, const struct event *ev)
{
	struct provider_sink *p = (struct provider_sink *)self;
	struct event copy = *ev;
	if (ev->kind == EVENT_BUILD_START || ev->kind == EVENT_BUILD_FINISH)
		return;
	if (ev->kind == EVENT_ACTION_FINISH)
		map_add(&p->session->told, str_dup(&p->session->arena, ev->label), 0, NULL);
	if (copy.id)
		copy.id += p->first_id;
	event_emit(p->session->sink, &copy);
}

static bool run(struct session *s, struct graph *g, bool *ret_built, struct err *err)
{
	struct build b = {0};
	if (!session_open(s, err) || !session_toolchain(s, err) || !build_describe(s, g, err))
		return false;
	build_init(&b, s, g);
	bool ok = build_run_and_commit(&b, err);
	*ret_built = ok && build_succeeded(&b);
	build_release(&b);
	return ok;
}

/* Builds the system. What is wrong with it has been told if *ret_built is false. */
static bool provide(struct session *s, struct str system, bool *ret_built, struct err *err)
{
	struct provider_sink sink = {{pass_on}, s, s->provided.len * PROVIDED_IDS};
	struct build_options o = s->options;
	struct session inner = {.lock_fd = -1};
	struct graph g = {0};
	o.nested = true;
	o.targets = &system;
	o.ntargets = 1;
	o.keep_going = o.install_fasls = false;
	o.install = session_describe_cache(s, &s->arena);
	o.store_dir = s->store_dir;
	bool ok = session_init(&inner, &o, &sink.base, err);
	for (size_t i = 0; i < s->provided.len; i++)
		vec_push(&inner.provided, s->provided.ptr[i]);
	ok = ok && run(&inner, &g, ret_built, err);
	session_close(&inner);
	graph_release(&g);
	return ok;
}

/* With `keep_going` ASDF is left to find out what can't be described without the system. */
static bool provide_or_fail(struct session *s, struct str system, struct err *err)
{
	bool built = false;
	bool ok = provide(s, system, &built, err);
	if (built)
		return true;
	if (s->options.keep_going && (ok || err->kind == ERR_USER)) {
		err_clear(err);
		return true;
	}
	if (ok)
		err_set(err, ERR_ACTION, "system \"%.*s\" can't be built, and an .asd file loads it", STR_ARG(system));
	return false;
}

bool build_describe(struct session *s, struct graph *g, struct err *err)
{
	struct str wanted;
	while (session_describe(s, g, &wanted, err)) {
		if (!wanted.len)
			return true;
		session_note(s, NOTE_DEBUG, "system \"%.*s\" is built first: an .asd file loads it", STR_ARG(wanted));
		vec_push(&s->provided, wanted);
		if (!provide_or_fail(s, wanted, err))
			return false;
	}
	return false;
}
