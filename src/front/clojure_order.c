/* From files to namespaces, from names to edges, and an order. */
#include "front/clojure.h"
#include "os/fs.h"

static void hide(struct clojure_project *p, struct str path, struct str why)
{
	vec_push(&p->hidden, str_fmt(&p->arena, "%.*s: %.*s", STR_ARG(path), STR_ARG(why)));
}

/* "a/b_c.clj" -> "a/b_c" */
static struct str stem(struct str rel)
{
	struct str ext = path_ext(rel);
	return ext.len ? str_slice(rel, 0, rel.len - ext.len - 1) : rel;
}

/* Which file the class path gives for each stem: .clj of the first root that has it, then .cljc. */
static void find_visible(struct clojure_project *p, struct map *by_stem)
{
	for (int cljc = 0; cljc < 2; cljc++) {
		for (uint32_t i = 0; i < p->files.len; i++) {
			const struct clojure_file *f = &p->files.ptr[i];
			uint64_t there;
			if (str_eqc(path_ext(f->rel), "cljc") != (cljc == 1) ||
			    map_add(by_stem, stem(f->rel), i, &there))
				continue;
			hide(p, f->path,
			     str_fmt(&p->arena, "the class path gives %.*s", STR_ARG(p->files.ptr[there].path)));
		}
	}
}

static void make_namespaces(struct clojure_project *p, const struct map *by_stem)
{
	for (uint32_t i = 0; i < p->files.len; i++) {
		const struct clojure_file *f = &p->files.ptr[i];
		uint64_t visible = UINT64_MAX;
		map_get(by_stem, stem(f->rel), &visible);
		if (visible != i || !f->ns.len || f->part)
			continue;
		if (!str_eq(clojure_ns_path(&p->arena, f->ns), stem(f->rel))) {
			hide(p, f->path,
			     str_fmt(&p->arena, "namespace %.*s can't be required from there", STR_ARG(f->ns)));
			continue;
		}
		uint32_t id = (uint32_t)p->namespaces.len;
		if (map_add(&p->by_name, f->ns, id, NULL))
			vec_push(&p->namespaces, (struct clojure_namespace){.name = f->ns, .file = i, .group = id});
	}
}

/* -- parts -- */

static void add_need(struct clojure_namespace *n, struct map *seen, struct clojure_need need)
{
	uint64_t at;
	if (str_eq(need.name, n->name))
		return;
	if (map_add(seen, need.name, n->needs.len, &at)) {
		vec_push(&n->needs, need);
	} else if (n->needs.ptr[at].optional && !need.optional) {
		n->needs.ptr[at] = need;
	}
}

static void add_needs_of_file(struct clojure_project *p, struct clojure_namespace *n, struct map *seen, uint32_t file)
{
	ClojureNeedVec *needs = &p->files.ptr[file].needs;
	for (size_t i = 0; i < needs->len; i++) {
		uint64_t target;
		struct clojure_need need = needs->ptr[i];
		need.file = file;
		need.target = map_get(&p->by_name, need.name, &target) ? (uint32_t)target : NO_NAMESPACE;
		add_need(n, seen, need);
	}
}

/* The file and what it loads, and so on: each once. A loaded file that is a namespace of its own is required by it. */
static void gather(struct clojure_project *p, const struct map *by_stem, struct clojure_namespace *n, struct map *seen)
{
	struct map loaded = {0};
	U32Vec todo = {0};
	vec_push(&todo, n->file);
	map_put(&loaded, stem(p->files.ptr[n->file].rel), 0);
	for (size_t k = 0; k < todo.len; k++) {
		uint32_t file = todo.ptr[k];
		struct clojure_file *f = &p->files.ptr[file];
		if (k)
			vec_push(&n->parts, file);
		add_needs_of_file(p, n, seen, file);
		for (size_t i = 0; i < f->loads.len; i++) {
			uint64_t part, target;
			if (!map_add(&loaded, f->loads.ptr[i], 0, NULL))
				continue;
			if (!map_get(by_stem, f->loads.ptr[i], &part)) {
				vec_push(&f->notes, str_fmt(&p->arena, "%u:%u: loads \"%.*s\", which is not here",
				                            f->line, f->col, STR_ARG(f->loads.ptr[i])));
				continue;
			}
			const struct clojure_file *loads = &p->files.ptr[part];
			if (loads->part || !map_get(&p->by_name, loads->ns, &target))
				vec_push(&todo, (uint32_t)part);
			else
				add_need(n, seen,
				         (struct clojure_need){.name = loads->ns,
				                               .kind = CLOJURE_LOAD,
				                               .optional = true,
				                               .line = f->line,
				                               .col = f->col,
				                               .file = file,
				                               .target = (uint32_t)target});
		}
	}
	vec_release(&todo);
	map_release(&loaded);
}

/* -- classes and tags -- */

static void map_classes(struct clojure_project *p, struct map *classes)
{
	for (uint32_t id = 0; id < p->namespaces.len; id++) {
		const struct clojure_namespace *n = &p->namespaces.ptr[id];
		for (size_t k = 0; k <= n->parts.len; k++) {
			const struct clojure_file *f = &p->files.ptr[k ? n->parts.ptr[k - 1] : n->file];
			for (size_t i = 0; i < f->makes.len; i++)
				map_add(classes, f->makes.ptr[i].name, id, NULL);
			for (size_t i = 0; i < f->gen_classes.len; i++)
				map_add(classes, f->gen_classes.ptr[i].name, id, NULL);
		}
	}
}

static void add_indirect(struct clojure_project *p, uint32_t file, struct clojure_namespace *n, struct map *seen,
                         const struct map *classes)
{
	const struct clojure_file *f = &p->files.ptr[file];
	uint64_t id;
	for (size_t i = 0; i < f->imports.len; i++)
		if (map_get(classes, f->imports.ptr[i].name, &id))
			add_need(n, seen,
			         (struct clojure_need){.name = p->namespaces.ptr[id].name,
			                               .kind = CLOJURE_IMPORT,
			                               .optional = true,
			                               .line = f->imports.ptr[i].line,
			                               .col = f->imports.ptr[i].col,
			                               .file = file,
			                               .target = (uint32_t)id});
	for (size_t i = 0; i < f->tags.len; i++)
		for (size_t k = 0; k < p->readers.len; k++) {
			struct str function = p->readers.ptr[k].function;
			struct str ns = str_slice(function, 0, str_find(function, '/'));
			if (str_eq(p->readers.ptr[k].tag, f->tags.ptr[i]) && map_get(&p->by_name, ns, &id))
				add_need(n, seen,
				         (struct clojure_need){.name = p->namespaces.ptr[id].name,
				                               .kind = CLOJURE_READER,
				                               .optional = true,
				                               .line = f->line,
				                               .col = f->col,
				                               .file = file,
				                               .target = (uint32_t)id});
		}
}

/* -- order -- */

enum { WHITE, GREY, BLACK };
struct visit {
	uint32_t id;
	size_t next;
};
typedef Vec(struct visit) VisitVec;

static bool cycle(struct clojure_project *p, const VisitVec *stack, uint32_t again, struct err *err)
{
	struct buf path = {0};
	size_t first = stack->len;
	while (stack->ptr[--first].id != again)
		;
	for (size_t i = first; i < stack->len; i++)
		buf_addf(&path, "%.*s → ", STR_ARG(p->namespaces.ptr[stack->ptr[i].id].name));
	buf_adds(&path, p->namespaces.ptr[again].name);
	err_set(err, ERR_USER, "circular dependency: %s", buf_cstr(&path));
	buf_release(&path);
	for (size_t i = first; i < stack->len; i++) {
		const struct clojure_namespace *n = &p->namespaces.ptr[stack->ptr[i].id];
		const struct clojure_need *need = &n->needs.ptr[stack->ptr[i].next - 1];
		struct str file = p->files.ptr[need->file].path;
		if (i == first)
			err_at(err, file, need->line, need->col, (struct str){0});
		err_note(err, "%.*s:%u:%u: %.*s requires %.*s", STR_ARG(file), need->line, need->col, STR_ARG(n->name),
		         STR_ARG(need->name));
	}
	return false;
}

/* Depth first along the needs that `follow` takes. False: there is a cycle among them. */
static bool walk(struct clojure_project *p, uint8_t *colors, uint32_t root, bool optional_too, U32Vec *order,
                 struct err *err)
{
	VisitVec stack = {0};
	bool ok = true;
	if (colors[root] != WHITE)
		return true;
	colors[root] = GREY;
	vec_push(&stack, (struct visit){.id = root});
	while (ok && stack.len) {
		struct visit *top = &vec_last(&stack);
		const struct clojure_namespace *n = &p->namespaces.ptr[top->id];
		if (top->next == n->needs.len) {
			colors[top->id] = BLACK;
			vec_push(order, top->id);
			(void)vec_pop(&stack);
			continue;
		}
		const struct clojure_need *need = &n->needs.ptr[top->next++];
		if (need->target == NO_NAMESPACE || need->dropped || (need->optional && !optional_too))
			continue;
		if (colors[need->target] == GREY) {
			ok = cycle(p, &stack, need->target, err);
		} else if (colors[need->target] == WHITE) {
			colors[need->target] = GREY;
			vec_push(&stack, (struct visit){.id = need->target});
		}
	}
	vec_release(&stack);
	return ok;
}

static bool order_all(struct clojure_project *p, bool optional_too, struct err *err)
{
	uint8_t *colors = xcalloc(p->namespaces.len + 1, 1);
	bool ok = true;
	vec_clear(&p->order);
	for (uint32_t i = 0; ok && i < p->namespaces.len; i++)
		ok = walk(p, colors, i, optional_too, &p->order, err);
	free(colors);
	return ok;
}

/* `loader` loads one of `reached`, which need it: all between them become one group. */
static void join(struct clojure_project *p, uint32_t loader, const U32Vec *reached)
{
	uint8_t *colors = xcalloc(p->namespaces.len + 1, 1);
	U32Vec beyond = {0};
	for (size_t i = 0; i < reached->len; i++) {
		uint32_t id = reached->ptr[i];
		vec_clear(&beyond);
		walk(p, colors, id, true, &beyond, NULL);
		if (colors[loader] != WHITE)
			p->namespaces.ptr[id].group = p->namespaces.ptr[loader].group;
		for (size_t k = 0; k < beyond.len; k++)
			colors[beyond.ptr[k]] = WHITE;
	}
	vec_release(&beyond);
	free(colors);
}

/* Optional needs come one after the other; one that would close a cycle is dropped. */
static void settle_optional(struct clojure_project *p)
{
	uint8_t *colors = xcalloc(p->namespaces.len + 1, 1);
	U32Vec reached = {0};
	for (size_t i = 0; i < p->namespaces.len; i++)
		for (size_t k = 0; k < p->namespaces.ptr[i].needs.len; k++)
			p->namespaces.ptr[i].needs.ptr[k].dropped = p->namespaces.ptr[i].needs.ptr[k].optional;
	for (uint32_t i = 0; i < p->namespaces.len; i++) {
		for (size_t k = 0; k < p->namespaces.ptr[i].needs.len; k++) {
			struct clojure_need *need = &p->namespaces.ptr[i].needs.ptr[k];
			if (!need->dropped || need->target == NO_NAMESPACE) {
				need->dropped = false;
				continue;
			}
			vec_clear(&reached);
			walk(p, colors, need->target, true, &reached, NULL);
			need->dropped = colors[i] != WHITE;
			if (need->dropped && need->kind == CLOJURE_LOAD)
				join(p, i, &reached);
			for (size_t r = 0; r < reached.len; r++)
				colors[reached.ptr[r]] = WHITE;
		}
	}
	vec_release(&reached);
	free(colors);
}

bool clojure_order(struct clojure_project *p, struct err *err)
{
	struct map by_stem = {0}, classes = {0};
	find_visible(p, &by_stem);
	make_namespaces(p, &by_stem);
	struct map *seen = xcalloc(p->namespaces.len + 1, sizeof(*seen));
	for (size_t i = 0; i < p->namespaces.len; i++)
		gather(p, &by_stem, &p->namespaces.ptr[i], &seen[i]);
	map_classes(p, &classes);
	for (size_t i = 0; i < p->namespaces.len; i++) {
		struct clojure_namespace *n = &p->namespaces.ptr[i];
		for (size_t k = 0; k <= n->parts.len; k++)
			add_indirect(p, k ? n->parts.ptr[k - 1] : n->file, n, &seen[i], &classes);
		map_release(&seen[i]);
	}
	free(seen);
	map_release(&by_stem);
	map_release(&classes);
	if (!order_all(p, false, err))
		return false;
	settle_optional(p);
	return order_all(p, true, err);
}
