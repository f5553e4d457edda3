/* From the classes that the store has of libraries to a jar of those that a program needs.
 *
 * What the store has grows with each project that needs more of a library; the jar must not depend on that. So each
 * class is taken for the namespace whose it is, by its name: "a/b__init.class" and "a/b$f.class" are a.b's where there
 * is such a namespace, "a/b/Type.class" (deftype, defrecord, defprotocol) too. */
#include <stdlib.h>

#include "exec/jvm_libraries.h"
#include "front/clojure.h"
#include "os/fs.h"

#define INIT "__init.class"

struct packing {
	const struct jvm_libraries *libraries;
	struct arena arena;
	bool *in; /* by namespace of the survey */
	Vec(const struct zip_entry *) entries;
};

static void mark(struct packing *p, const StrVec *names)
{
	const struct library_survey *s = &p->libraries->survey;
	U32Vec stack = {0};
	uint64_t at;
	for (size_t i = 0; i < names->len; i++)
		if (map_get(&s->by_name, names->ptr[i], &at))
			vec_push(&stack, (uint32_t)at);
	while (stack.len) {
		uint32_t n = vec_pop(&stack);
		const U32Vec *needs = &s->namespaces.ptr[n].needs;
		if (p->in[n])
			continue;
		p->in[n] = true;
		for (size_t i = 0; i < needs->len; i++)
			vec_push(&stack, needs->ptr[i]);
	}
	vec_release(&stack);
}

static struct str init_of(struct arena *a, struct str stem)
{
	return str_fmt(a, "%.*s" INIT, STR_ARG(stem));
}

/* The __init class of the namespace that the class belongs to; empty: of none that is there. */
static struct str owner(struct packing *p, const struct jvm_library *j, struct str class)
{
	struct str stem = str_has_suffix(class, STR(INIT)) ? str_slice(class, 0, class.len - strlen(INIT))
	                                                   : str_slice(class, 0, class.len - strlen(".class"));
	size_t slash = str_rfind(stem, '/');
	struct str dir = slash < stem.len ? str_slice(stem, 0, slash) : (struct str){0};
	struct str base = str_drop(stem, dir.len);
	stem.len = dir.len + str_find(base, '$');
	struct str own = init_of(&p->arena, stem), around = init_of(&p->arena, dir);
	return map_has(&j->has, own) ? own : map_has(&j->has, around) ? around : (struct str){0};
}

/* *ret_ready false: a namespace is neither compiled nor known not to compile. */
static void check(struct packing *p, bool *ret_ready)
{
	const struct jvm_libraries *l = p->libraries;
	for (size_t i = 0; i < l->jars.len; i++)
		for (size_t k = 0; k < l->survey.namespaces.len; k++) {
			const struct library_namespace *n = &l->survey.namespaces.ptr[k];
			if (!p->in[k] || n->place != l->jars.ptr[i].place || n->has_classes || n->on_folder ||
			    map_has(&l->jars.ptr[i].left, n->name))
				continue;
			struct str init = init_of(&p->arena, clojure_ns_path(&p->arena, n->name));
			*ret_ready = *ret_ready && map_has(&l->jars.ptr[i].has, init);
		}
}

static void take(struct packing *p, const struct jvm_library *j, const struct zip *z, const struct map *wanted)
{
	for (size_t i = 0; i < z->entries.len; i++) {
		struct str name = z->entries.ptr[i].name;
		if (str_has_suffix(name, STR(".class")) && map_has(wanted, owner(p, j, name)))
			vec_push(&p->entries, &z->entries.ptr[i]);
	}
}

static int by_name(const void *a, const void *b)
{
	return str_cmp((*(const struct zip_entry *const *)a)->name, (*(const struct zip_entry *const *)b)->name);
}

static bool write_entries(struct packing *p, const char *path, struct err *err)
{
	struct buf out = {0};
	struct zip_writer w = {.sink = zip_sink_buf(&out)};
	bool ok = true;
	if (p->entries.len)
		qsort(p->entries.ptr, p->entries.len, sizeof(*p->entries.ptr), by_name);
	for (size_t i = 0; ok && i < p->entries.len; i++) {
		const struct zip_entry *e = p->entries.ptr[i];
		if (i && str_eq(e->name, p->entries.ptr[i - 1]->name))
			continue;
		ok = zip_put(&w, e->name, &(struct zip_piece){e->packed, e->size, e->crc, e->method}, err);
	}
	ok = ok && zip_finish(&w, err) && fs_write_atomic(path, buf_str(&out), 0644, false, err);
	zip_writer_release(&w);
	buf_release(&out);
	return ok;
}

static bool collect(struct packing *p, size_t i, const struct map *wanted, const char *path, struct err *err)
{
	const struct jvm_libraries *l = p->libraries;
	if (i == l->jars.len)
		return write_entries(p, path, err);
	const struct jvm_library *j = &l->jars.ptr[i];
	struct str bytes;
	struct zip z;
	if (!j->made)
		return collect(p, i + 1, wanted, path, err);
	if (!fs_map(j->made, &bytes, err))
		return false;
	bool ok = zip_open(str_from(j->made), bytes, &z, err);
	if (ok) {
		take(p, j, &z, wanted);
		ok = collect(p, i + 1, wanted, path, err);
		zip_close(&z);
	}
	fs_unmap(bytes);
	return ok;
}

bool jvm_libraries_write(const struct jvm_libraries *l, const StrVec *names, const char *path, bool *ret_ready,
                         struct err *err)
{
	struct packing p = {.libraries = l};
	struct map wanted = {0};
	p.in = xcalloc(l->survey.namespaces.len + 1, sizeof(*p.in));
	mark(&p, names);
	*ret_ready = true;
	check(&p, ret_ready);
	for (size_t i = 0; i < l->survey.namespaces.len; i++)
		if (p.in[i])
			map_put(&wanted, init_of(&p.arena, clojure_ns_path(&p.arena, l->survey.namespaces.ptr[i].name)),
			        0);
	bool ok = !*ret_ready || collect(&p, 0, &wanted, path, err);
	map_release(&wanted);
	vec_release(&p.entries);
	free(p.in);
	arena_release(&p.arena);
	return ok;
}
