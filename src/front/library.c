#include "front/library.h"

#include <stdlib.h>

#include "front/clojure.h"
#include "os/fs.h"

#define NO_LINK UINT32_MAX

/* -- what lies where -- */

static bool is_source(struct str name)
{
	return str_has_suffix(name, STR(".clj")) || str_has_suffix(name, STR(".cljc"));
}

static void add_package(struct library_survey *s, struct str folder, uint32_t place)
{
	char *name = str_dupz(&s->arena, folder);
	uint64_t first = NO_LINK;
	for (size_t i = 0; i < folder.len; i++)
		if (name[i] == '/')
			name[i] = '.';
	map_get(&s->packages, str_from(name), &first);
	if (first != NO_LINK && s->links.ptr[first].place == place)
		return;
	map_put(&s->packages, str_from(name), s->links.len);
	vec_push(&s->links, (struct library_package_link){place, (uint32_t)first});
}

static void read_directory(struct library_survey *s, uint32_t place)
{
	struct library_place *p = &s->places.ptr[place];
	struct str last = {0};
	for (size_t i = 0; i < p->zip.entries.len; i++) {
		struct str name = p->zip.entries.ptr[i].name;
		p->has_clojure |= is_source(name) || str_has_suffix(name, STR("__init.class"));
		size_t slash = str_rfind(name, '/');
		if (slash == name.len || !str_has_suffix(name, STR(".class")) || str_has_prefix(name, STR("META-INF/")))
			continue;
		struct str folder = str_slice(name, 0, slash);
		if (!str_eq(folder, last))
			add_package(s, folder, place);
		last = folder;
	}
}

static void open_place(struct library_survey *s, struct str path)
{
	struct library_place p = {.path = str_from(str_dupz(&s->arena, path))};
	struct file_sig sig;
	p.is_folder = fs_stat(p.path.ptr, &sig, NULL) && fs_is_dir(&sig);
	if (!p.is_folder && fs_is_file(&sig) && fs_map(p.path.ptr, &p.bytes, NULL) &&
	    !zip_open(p.path, p.bytes, &p.zip, NULL))
		p.zip = (struct zip){0};
	vec_push(&s->places, p);
	read_directory(s, (uint32_t)s->places.len - 1);
}

/* The first place that has the file. */
static uint32_t find(struct library_survey *s, struct str file)
{
	for (size_t i = 0; i < s->places.len; i++) {
		const struct library_place *p = &s->places.ptr[i];
		struct file_sig sig;
		if (p->is_folder ? fs_stat(path_join(&s->arena, p->path.ptr, str_dupz(&s->arena, file)), &sig, NULL) &&
		                           fs_is_file(&sig)
		                 : zip_find(&p->zip, file) != NULL)
			return (uint32_t)i;
	}
	return LIBRARY_NO_PLACE;
}

static uint32_t find_script(struct library_survey *s, struct str stem, struct str *ret_script)
{
	static const char *const endings[] = {"clj", "cljc"};
	uint32_t place = LIBRARY_NO_PLACE;
	for (size_t i = 0; place == LIBRARY_NO_PLACE && i < ARRAY_LEN(endings); i++) {
		*ret_script = str_fmt(&s->arena, "%.*s.%s", STR_ARG(stem), endings[i]);
		place = find(s, *ret_script);
	}
	return place;
}

static bool read_script(struct library_survey *s, uint32_t place, struct str script, struct buf *out)
{
	const struct library_place *p = &s->places.ptr[place];
	if (p->is_folder)
		return fs_read(path_join(&s->arena, p->path.ptr, str_dupz(&s->arena, script)), out, NULL);
	return zip_read(&p->zip, zip_find(&p->zip, script), out, NULL);
}

/* -- one namespace -- */

static void add_once(U32Vec *v, uint32_t x)
{
	for (size_t i = 0; i < v->len; i++)
		if (v->ptr[i] == x)
			return;
	vec_push(v, x);
}

static uint32_t namespace_of(struct library_survey *s, struct str name)
{
	uint64_t id;
	if (map_get(&s->by_name, name, &id))
		return (uint32_t)id;
	struct library_namespace n = {.name = str_dup(&s->arena, name), .place = LIBRARY_NO_PLACE};
	struct str stem = clojure_ns_path(&s->arena, n.name);
	uint32_t classes = find(s, str_fmt(&s->arena, "%.*s__init.class", STR_ARG(stem)));
	n.place = find_script(s, stem, &n.script);
	n.has_classes = classes != LIBRARY_NO_PLACE;
	if (n.place == LIBRARY_NO_PLACE) {
		n.script = (struct str){0};
		n.place = classes;
	}
	id = n.place == LIBRARY_NO_PLACE ? NO_NAMESPACE : s->namespaces.len;
	map_put(&s->by_name, n.name, id);
	if (id != NO_NAMESPACE)
		vec_push(&s->namespaces, n);
	return (uint32_t)id;
}

static bool in_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
	       c == '$';
}

static void add_mentioned(struct library_survey *s, uint32_t ns, struct str package)
{
	uint64_t link;
	if (!map_get(&s->packages, package, &link))
		return;
	for (uint32_t i = (uint32_t)link; i != NO_LINK; i = s->links.ptr[i].next)
		add_once(&s->namespaces.ptr[ns].mentions, s->links.ptr[i].place);
}

/* Packages among the words of a source: "a.b" itself, and what stands before each dot of "a.b.C". */
static void find_mentioned(struct library_survey *s, uint32_t ns, struct str text)
{
	for (size_t at = 0; at < text.len;) {
		size_t end = at;
		for (; end < text.len && in_name(text.ptr[end]); end++)
			if (text.ptr[end] == '.' && end > at)
				add_mentioned(s, ns, str_slice(text, at, end));
		if (end > at)
			add_mentioned(s, ns, str_slice(text, at, end));
		at = end + 1;
	}
}

static void add_need(struct library_survey *s, uint32_t ns, const struct clojure_need *need)
{
	uint32_t other = namespace_of(s, need->name);
	struct library_namespace *n = &s->namespaces.ptr[ns];
	if (other == NO_NAMESPACE)
		vec_push(&n->absent, str_dup(&s->arena, need->name));
	else if (other != ns)
		add_once(need->optional ? &n->may_need : &n->needs, other);
}

/* A source and the parts that it loads. */
static void read_sources(struct library_survey *s, uint32_t ns)
{
	struct arena a = {0};
	StrVec stems = {0};
	struct buf text = {0};
	struct str script = s->namespaces.ptr[ns].script;
	uint32_t place = s->namespaces.ptr[ns].place;
	for (size_t i = 0;; i++) {
		struct clojure_file f = {0};
		buf_clear(&text);
		if (place == LIBRARY_NO_PLACE || !read_script(s, place, script, &text) ||
		    !clojure_read_file(&a, script, script, buf_str(&text), &f, NULL))
			s->namespaces.ptr[ns].computes = true;
		s->namespaces.ptr[ns].computes |= f.notes.len > 0;
		s->namespaces.ptr[ns].weight += text.len;
		find_mentioned(s, ns, buf_str(&text));
		for (size_t k = 0; k < f.needs.len; k++)
			add_need(s, ns, &f.needs.ptr[k]);
		for (size_t k = 0; k < f.loads.len; k++) {
			bool known = false;
			for (size_t j = 0; j < stems.len; j++)
				known |= str_eq(stems.ptr[j], f.loads.ptr[k]);
			if (!known)
				vec_push(&stems, f.loads.ptr[k]);
		}
		clojure_file_release(&f);
		if (i >= stems.len)
			break;
		place = find_script(s, stems.ptr[i], &script);
	}
	vec_release(&stems);
	buf_release(&text);
	arena_release(&a);
}

/* -- what follows -- */

static void mark_wanted(struct library_survey *s, const StrVec *names)
{
	U32Vec open = {0};
	for (size_t i = 0; i < names->len; i++) {
		uint32_t ns = namespace_of(s, names->ptr[i]);
		if (ns != NO_NAMESPACE)
			vec_push(&open, ns);
	}
	while (open.len) {
		struct library_namespace *n = &s->namespaces.ptr[vec_pop(&open)];
		if (n->wanted)
			continue;
		n->wanted = true;
		for (size_t i = 0; i < n->needs.len; i++)
			vec_push(&open, n->needs.ptr[i]);
	}
	vec_release(&open);
}

/* Namespaces, each after those that it needs (but for cycles). */
static void put_in_order(const struct library_survey *s, U32Vec *ret)
{
	struct frame {
		uint32_t ns, next;
	};
	Vec(struct frame) stack = {0};
	bool *seen = xcalloc(s->namespaces.len + 1, sizeof(*seen));
	for (uint32_t i = 0; i < s->namespaces.len; i++) {
		if (!seen[i])
			vec_push(&stack, (struct frame){i, 0});
		seen[i] = true;
		while (stack.len) {
			struct frame *f = &vec_last(&stack);
			const U32Vec *needs = &s->namespaces.ptr[f->ns].needs;
			if (f->next == needs->len) {
				vec_push(ret, f->ns);
				(void)vec_pop(&stack);
				continue;
			}
			uint32_t need = needs->ptr[f->next++];
			if (!seen[need])
				vec_push(&stack, (struct frame){need, 0});
			seen[need] = true;
		}
	}
	free(seen);
	vec_release(&stack);
}

/* Loading a namespace costs something even where its source is short. */
#define BASE_WEIGHT 2000

static void weigh(struct library_survey *s, const U32Vec *order)
{
	uint64_t *above = xcalloc(s->namespaces.len + 1, sizeof(*above));
	for (size_t i = order->len; i-- > 0;) {
		struct library_namespace *n = &s->namespaces.ptr[order->ptr[i]];
		n->weight += BASE_WEIGHT + above[order->ptr[i]];
		for (size_t k = 0; n->wanted && k < n->needs.len; k++)
			above[n->needs.ptr[k]] = MAX(above[n->needs.ptr[k]], n->weight);
	}
	free(above);
}

/* Twice: a cycle may put a namespace before what it needs. */
static void mark_folders(struct library_survey *s, const U32Vec *order)
{
	for (size_t i = 0; i < order->len * 2; i++) {
		struct library_namespace *n = &s->namespaces.ptr[order->ptr[i % order->len]];
		n->on_folder |= s->places.ptr[n->place].is_folder;
		for (size_t k = 0; k < n->needs.len; k++)
			n->on_folder |= s->namespaces.ptr[n->needs.ptr[k]].on_folder;
	}
}

void library_survey(struct library_survey *s, const StrVec *class_path, const StrVec *names)
{
	U32Vec order = {0};
	for (size_t i = 0; i < class_path->len; i++)
		open_place(s, class_path->ptr[i]);
	for (size_t i = 0; i < names->len; i++)
		namespace_of(s, names->ptr[i]);
	/* Grows while it is read. */
	for (uint32_t i = 0; i < s->namespaces.len; i++)
		if (s->namespaces.ptr[i].script.len)
			read_sources(s, i);
		else
			s->namespaces.ptr[i].computes = true;
	mark_wanted(s, names);
	put_in_order(s, &order);
	weigh(s, &order);
	mark_folders(s, &order);
	vec_release(&order);
}

/* -- what a jar's classes rest on -- */

static void add_namespace(const struct library_survey *s, uint32_t ns, struct library_basis *b, bool *ret_java)
{
	const struct library_namespace *n = &s->namespaces.ptr[ns];
	b->places[n->place] = true;
	b->all |= n->computes || n->on_folder;
	for (size_t i = 0; i < n->absent.len; i++)
		vec_push(&b->absent, n->absent.ptr[i]);
	for (size_t i = 0; i < n->mentions.len; i++) {
		b->places[n->mentions.ptr[i]] = true;
		*ret_java |= !s->places.ptr[n->mentions.ptr[i]].has_clojure;
	}
}

void library_basis(const struct library_survey *s, uint32_t place, struct library_basis *ret)
{
	bool *seen = xcalloc(s->namespaces.len + 1, sizeof(*seen));
	bool java = false;
	U32Vec open = {0};
	*ret = (struct library_basis){.places = xcalloc(s->places.len + 1, sizeof(*ret->places))};
	for (uint32_t i = 0; i < s->namespaces.len; i++)
		if (s->namespaces.ptr[i].wanted && s->namespaces.ptr[i].place == place)
			vec_push(&open, i);
	while (open.len) {
		uint32_t ns = vec_pop(&open);
		const struct library_namespace *n = &s->namespaces.ptr[ns];
		if (seen[ns])
			continue;
		seen[ns] = true;
		add_namespace(s, ns, ret, &java);
		for (size_t i = 0; i < n->needs.len; i++)
			vec_push(&open, n->needs.ptr[i]);
		for (size_t i = 0; i < n->may_need.len; i++)
			vec_push(&open, n->may_need.ptr[i]);
	}
	/* A class of Java may be made of any other. */
	for (size_t i = 0; i < s->places.len; i++)
		ret->places[i] |= java && !s->places.ptr[i].has_clojure && !s->places.ptr[i].is_folder;
	vec_release(&open);
	free(seen);
}

void library_basis_release(struct library_basis *b)
{
	free(b->places);
	vec_release(&b->absent);
}

void library_survey_release(struct library_survey *s)
{
	for (size_t i = 0; i < s->places.len; i++) {
		zip_close(&s->places.ptr[i].zip);
		fs_unmap(s->places.ptr[i].bytes);
	}
	for (size_t i = 0; i < s->namespaces.len; i++) {
		struct library_namespace *n = &s->namespaces.ptr[i];
		vec_release(&n->needs);
		vec_release(&n->may_need);
		vec_release(&n->absent);
		vec_release(&n->mentions);
	}
	vec_release(&s->places);
	vec_release(&s->namespaces);
	map_release(&s->by_name);
	map_release(&s->packages);
	vec_release(&s->links);
	arena_release(&s->arena);
	*s = (struct library_survey){0};
}
