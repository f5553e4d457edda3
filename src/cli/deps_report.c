/* The report of `tenon deps`, for people and for programs. */
#include "cli/deps.h"
#include "wire/json.h"

/* -- text -- */

static void add_line(struct buf *out, const char *head, const struct buf *rest)
{
	if (rest->len)
		buf_addf(out, "  %-12s %.*s\n", head, (int)rest->len, rest->ptr);
}

static void add_item(struct buf *b, struct str name, struct str note)
{
	buf_addf(b, "%s%.*s", b->len ? ", " : "", STR_ARG(name));
	if (note.len)
		buf_addf(b, " (%.*s)", STR_ARG(note));
}

struct lines {
	struct buf declares, uses, calls, missing, superfluous, minimal;
};

static void put_lines(struct lines *l, struct buf *out)
{
	add_line(out, "declares", &l->declares);
	add_line(out, "uses", &l->uses);
	add_line(out, "calls", &l->calls);
	add_line(out, "missing", &l->missing);
	add_line(out, "superfluous", &l->superfluous);
	add_line(out, "minimal", &l->minimal);
	struct buf *all[] = {&l->declares, &l->uses, &l->calls, &l->missing, &l->superfluous, &l->minimal};
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		buf_clear(all[i]);
}

static void lines_release(struct lines *l)
{
	struct buf *all[] = {&l->declares, &l->uses, &l->calls, &l->missing, &l->superfluous, &l->minimal};
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		buf_release(all[i]);
}

static void component_text(const struct deps *d, const struct component *c, struct lines *l, struct buf *out)
{
	for (size_t i = 0; i < c->deps.len; i++) {
		const struct dep *dep = &c->deps.ptr[i];
		struct str name = d->components.ptr[dep->on].name;
		if (dep->declared)
			add_item(&l->declares, name, (struct str){0});
		if (dep->needed)
			add_item(&l->uses, name, dep->why);
		else if (dep->called)
			add_item(&l->calls, name, dep->why);
		if (dep_is_missing(dep))
			add_item(&l->missing, name, (struct str){0});
		if (dep_is_superfluous(dep))
			add_item(&l->superfluous, name, dep->note);
		if (dep->minimal && c->changes)
			add_item(&l->minimal, name, (struct str){0});
	}
	if (c->changes && !l->minimal.len)
		buf_addz(&l->minimal, "nothing");
	buf_addf(out, "%.*s:%.*s%s\n", STR_ARG(graph_system(d->graph, c->system)->name), STR_ARG(c->path),
	         c->surveyed ? "" : "  (holds what can't be judged: what it declares stays)");
	put_lines(l, out);
}

static void system_text(const struct deps *d, const struct system_deps *s, struct lines *l, struct buf *out)
{
	for (size_t i = 0; i < s->deps.len; i++) {
		const struct system_dep *dep = &s->deps.ptr[i];
		if (dep->declared)
			add_item(&l->declares, dep->name, (struct str){0});
		if (dep->needed)
			add_item(&l->uses, dep->name, dep->why);
		else if (dep->called && dep->why.len)
			add_item(&l->calls, dep->name, dep->why);
		if (system_dep_is_missing(dep))
			add_item(&l->missing, dep->name, (struct str){0});
		if (system_dep_is_superfluous(dep))
			add_item(&l->superfluous, dep->name, dep->note);
	}
	buf_addf(out, "system %.*s%s\n", STR_ARG(graph_system(d->graph, s->system)->name),
	         s->inferred ? "  (its dependencies are inferred from its source)" : "");
	put_lines(l, out);
}

struct deps_counts deps_count(const struct deps *d)
{
	struct deps_counts n = {.files = d->survey->files.len};
	for (size_t i = 0; i < d->components.len; i++)
		for (size_t k = 0; k < d->components.ptr[i].deps.len; k++) {
			n.missing += dep_is_missing(&d->components.ptr[i].deps.ptr[k]);
			n.superfluous += dep_is_superfluous(&d->components.ptr[i].deps.ptr[k]);
		}
	for (size_t i = 0; i < d->systems.len; i++)
		for (size_t k = 0; k < d->systems.ptr[i].deps.len; k++) {
			n.missing += system_dep_is_missing(&d->systems.ptr[i].deps.ptr[k]);
			n.superfluous += system_dep_is_superfluous(&d->systems.ptr[i].deps.ptr[k]);
		}
	return n;
}

void deps_report_text(const struct deps *d, bool changed, struct buf *out)
{
	struct lines l = {0};
	for (size_t i = 0; i < d->systems.len; i++) {
		system_text(d, &d->systems.ptr[i], &l, out);
		for (size_t k = 0; k < d->components.len; k++)
			if (d->components.ptr[k].system == d->systems.ptr[i].system &&
			    (d->components.ptr[k].changes ||
			     (!changed && (d->components.ptr[k].file.len || d->components.ptr[k].deps.len))))
				component_text(d, &d->components.ptr[k], &l, out);
	}
	struct deps_counts n = deps_count(d);
	buf_addf(out, "%zu files: %zu missing, %zu superfluous\n", n.files, n.missing, n.superfluous);
	lines_release(&l);
}

/* -- JSON -- */

static void json_pair(struct json *j, const char *key, struct str value)
{
	json_key(j, key);
	if (value.len)
		json_str(j, value);
	else
		json_null(j);
}

static void json_flag(struct json *j, const char *key, bool value)
{
	json_key(j, key);
	json_bool(j, value);
}

static const char *use_name(bool needed, bool called)
{
	return needed ? "needed" : called ? "called" : "none";
}

static void component_json(const struct deps *d, const struct component *c, struct json *j)
{
	json_object(j);
	json_pair(j, "name", c->path);
	json_pair(j, "file", c->file);
	json_flag(j, "surveyed", c->surveyed);
	json_key(j, "dependencies");
	json_array(j);
	for (size_t i = 0; i < c->deps.len; i++) {
		const struct dep *dep = &c->deps.ptr[i];
		json_object(j);
		json_pair(j, "on", d->components.ptr[dep->on].name);
		json_flag(j, "declared", dep->declared);
		json_key(j, "use");
		json_strz(j, use_name(dep->needed, dep->called));
		json_pair(j, "how", dep->why);
		json_flag(j, "missing", dep_is_missing(dep));
		json_flag(j, "superfluous", dep_is_superfluous(dep));
		json_pair(j, "reason", dep->note);
		json_flag(j, "minimal", dep->minimal);
		json_end(j);
	}
	json_end(j);
	json_end(j);
}

static void system_json(const struct deps *d, const struct system_deps *s, struct json *j)
{
	const struct system *sys = graph_system(d->graph, s->system);
	json_object(j);
	json_pair(j, "system", sys->name);
	json_pair(j, "asd", sys->asd);
	json_flag(j, "inferred", s->inferred);
	json_key(j, "dependencies");
	json_array(j);
	for (size_t i = 0; i < s->deps.len; i++) {
		const struct system_dep *dep = &s->deps.ptr[i];
		json_object(j);
		json_pair(j, "on", dep->name);
		json_flag(j, "declared", dep->declared);
		json_key(j, "use");
		json_strz(j, use_name(dep->needed, dep->called));
		json_pair(j, "how", dep->why);
		json_flag(j, "missing", system_dep_is_missing(dep));
		json_flag(j, "superfluous", system_dep_is_superfluous(dep));
		json_pair(j, "reason", dep->note);
		json_end(j);
	}
	json_end(j);
	json_key(j, "components");
	json_array(j);
	for (size_t i = 0; i < d->components.len; i++)
		if (d->components.ptr[i].system == s->system)
			component_json(d, &d->components.ptr[i], j);
	json_end(j);
	json_end(j);
}

void deps_report_json(const struct deps *d, struct buf *out)
{
	struct json j = {.out = out};
	json_array(&j);
	for (size_t i = 0; i < d->systems.len; i++)
		system_json(d, &d->systems.ptr[i], &j);
	json_end(&j);
	buf_addc(out, '\n');
}
