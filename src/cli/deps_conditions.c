/* deps: what stands under conditions in .asd files. */
#include "cli/deps.h"
#include "front/asd_place.h"
#include "os/fs.h"

static bool read_asd(struct deps *d, const struct system *system, struct asd_text *ret)
{
	struct buf text = {0};
	struct err err = {0};
	struct asd_source source = {.path = system->asd};
	bool ok = fs_read(str_dupz(&d->arena, system->asd), &text, NULL);
	source.text = str_dup(&d->arena, buf_str(&text));
	buf_release(&text);
	if (system->asd_action != NO_ID)
		source.features = graph_action(d->graph, system->asd_action)->features;
	ok = ok && asd_read(&d->arena, &source, ret, &err);
	err_clear(&err);
	return ok;
}

static void read_component(struct deps *d, const struct asd_text *t, struct component *c)
{
	struct asd_place place;
	const char *ignored;
	uint32_t n;
	const struct str *names = deps_names(d, &d->arena, c, &n);
	if (!asd_find_place(t, graph_system(d->graph, c->system)->name, names, n, &place, &ignored))
		return;
	c->condition = asd_place_condition(t, &place);
	for (size_t i = 0; i < c->deps.len; i++)
		c->deps.ptr[i].optional = asd_depends_optionally(t, &place, d->components.ptr[c->deps.ptr[i].on].name);
}

void deps_read_conditions(struct deps *d)
{
	struct asd_text t;
	struct str path = {0}; /* of the text: systems of one file stand behind each other */
	bool ok = false;
	for (size_t s = 0; s < d->systems.len; s++) {
		const struct system *system = graph_system(d->graph, d->systems.ptr[s].system);
		if (d->systems.ptr[s].inferred)
			continue;
		if (!str_eq(system->asd, path))
			ok = read_asd(d, system, &t);
		path = system->asd;
		for (size_t i = 0; ok && i < d->components.len; i++)
			if (d->components.ptr[i].system == d->systems.ptr[s].system)
				read_component(d, &t, &d->components.ptr[i]);
	}
	deps_conditions_known(d);
}
