#include "exec/jvm_libraries.h"

#include "front/clojure.h"
#include "lang/sexp.h"
#include "os/fs.h"

#define JAR  "libraries.jar"
#define LEFT "tenon/left"
#define NONE UINT32_MAX

static StrVec copy_of(struct arena *a, const StrVec *v)
{
	StrVec ret = {0};
	for (size_t i = 0; i < v->len; i++)
		vec_push(&ret, str_from(str_dupz(a, v->ptr[i])));
	return ret;
}

bool jvm_libraries_open(struct jvm_libraries *l, struct arena *a, const struct jvm_toolchain *tc, struct store *store,
                        struct filecache *files, const StrVec *class_path, const StrVec *names, unsigned threads,
                        struct err *err)
{
	*l = (struct jvm_libraries){.arena = a, .toolchain = tc, .store = store, .files = files, .threads = threads};
	l->class_path = copy_of(a, class_path);
	l->names = copy_of(a, names);
	return store_scratch(store, a, &l->folder, err);
}

static void release_jars(struct jvm_libraries *l)
{
	for (size_t i = 0; i < l->jars.len; i++) {
		map_release(&l->jars.ptr[i].left);
		map_release(&l->jars.ptr[i].has);
	}
	vec_release(&l->jars);
}

void jvm_libraries_close(struct jvm_libraries *l)
{
	if (l->folder)
		fs_remove_tree(l->folder, NULL);
	release_jars(l);
	vec_release(&l->class_path);
	vec_release(&l->names);
	library_survey_release(&l->survey);
	*l = (struct jvm_libraries){0};
}

/* -- keys -- */

/* What reader tags stand for, wherever they are declared, in the order of the class path. */
static struct digest readers_digest(const struct library_survey *s)
{
	static const char *const names[] = {"data_readers.clj", "data_readers.cljc"};
	struct hasher *h = hasher_new(STR("tenon-clojure-readers-1"));
	struct buf text = {0};
	for (size_t i = 0; i < s->places.len; i++)
		for (size_t k = 0; k < ARRAY_LEN(names); k++) {
			const struct zip_entry *e = zip_find(&s->places.ptr[i].zip, str_from(names[k]));
			buf_clear(&text);
			if (e && zip_read(&s->places.ptr[i].zip, e, &text, NULL))
				hasher_str(h, names[k], buf_str(&text));
		}
	buf_release(&text);
	return hasher_end(h);
}

static bool digest_key(struct jvm_libraries *l, uint32_t place, const struct digest *readers, struct digest *ret,
                       struct err *err)
{
	const struct library_survey *s = &l->survey;
	struct library_basis b;
	struct hasher *h = hasher_new(STR("tenon-clojure-libraries-2"));
	bool ok = true;
	library_basis(s, place, &b);
	hasher_digest(h, "base", &l->toolchain->base);
	hasher_digest(h, "readers", readers);
	for (size_t i = 0; ok && i < s->places.len; i++) {
		struct digest d;
		bool exists;
		if (s->places.ptr[i].is_folder || (!b.places[i] && !b.all))
			continue;
		ok = filecache_digest(l->files, s->places.ptr[i].path.ptr, &d, NULL, &exists, err);
		if (ok && exists)
			hasher_digest(h, i == place ? "own" : "jar", &d);
	}
	for (size_t i = 0; i < b.absent.len; i++)
		hasher_str(h, "absent", b.absent.ptr[i]);
	*ret = hasher_end(h);
	library_basis_release(&b);
	return ok;
}

/* -- what the store has -- */

static void read_left(struct jvm_libraries *l, const struct zip *z, struct map *ret)
{
	struct buf text = {0};
	const struct zip_entry *e = zip_find(z, STR(LEFT));
	if (e && zip_read(z, e, &text, NULL)) {
		struct str rest = str_dup(l->arena, buf_str(&text)), line;
		while (str_cut(&rest, '\n', &line))
			if (line.len)
				map_add(ret, line, 0, NULL);
	}
	buf_release(&text);
}

static void look_into(struct jvm_libraries *l, struct jvm_library *j)
{
	struct str bytes;
	struct zip z;
	if (!fs_map(j->made, &bytes, NULL))
		return;
	if (zip_open(str_from(j->made), bytes, &z, NULL)) {
		for (size_t i = 0; i < z.entries.len; i++)
			if (str_has_suffix(z.entries.ptr[i].name, STR("__init.class")))
				map_add(&j->has, str_dup(l->arena, z.entries.ptr[i].name), 0, NULL);
		read_left(l, &z, &j->left);
		zip_close(&z);
	}
	fs_unmap(bytes);
}

static bool add_jar(struct jvm_libraries *l, uint32_t place, const struct digest *readers, struct err *err)
{
	struct jvm_library j = {.place = place};
	struct action_result r;
	bool found = false;
	for (size_t i = 0; i < l->jars.len; i++)
		if (l->jars.ptr[i].place == place)
			return true;
	if (!digest_key(l, place, readers, &j.key, err) ||
	    !store_get_action(l->store, l->arena, &j.key, true, &r, &found, err))
		return false;
	if (found && r.noutputs == 1) {
		j.made = store_blob_path(l->store, l->arena, &r.outputs[0].digest);
		look_into(l, &j);
	}
	vec_push(&l->jars, j);
	return true;
}

/* Can classes of it be kept? */
static bool is_compiled(const struct library_namespace *n)
{
	return n->wanted && !n->has_classes && !n->on_folder;
}

bool jvm_libraries_survey(struct jvm_libraries *l, struct err *err)
{
	if (l->surveyed)
		return true;
	l->surveyed = true;
	library_survey(&l->survey, &l->class_path, &l->names);
	struct digest readers = readers_digest(&l->survey);
	for (size_t i = 0; i < l->survey.namespaces.len; i++)
		if (is_compiled(&l->survey.namespaces.ptr[i]) &&
		    !add_jar(l, l->survey.namespaces.ptr[i].place, &readers, err))
			return false;
	return true;
}

/* -- the request -- */

static uint32_t jar_of(const struct jvm_libraries *l, const struct library_namespace *n)
{
	for (size_t i = 0; is_compiled(n) && i < l->jars.len; i++)
		if (l->jars.ptr[i].place == n->place)
			return (uint32_t)i;
	return NONE;
}

/* Is it to be compiled? */
static bool is_new(const struct jvm_libraries *l, const struct library_namespace *n, uint32_t jar, struct arena *a)
{
	if (jar == NONE || map_has(&l->jars.ptr[jar].left, n->name))
		return false;
	struct str stem = clojure_ns_path(a, n->name);
	return !map_has(&l->jars.ptr[jar].has, str_fmt(a, "%.*s__init.class", STR_ARG(stem)));
}

/* (NAME SCRIPT JAR WEIGHT (NEED...)) */
static void add_namespace(const struct jvm_libraries *l, const struct library_namespace *n, uint32_t jar,
                          struct buf *out)
{
	buf_addz(out, " (");
	sexp_print_string(n->name, out);
	buf_addc(out, ' ');
	sexp_print_string(n->script, out);
	if (jar == NONE)
		buf_addz(out, " nil");
	else
		buf_addf(out, " %u", jar);
	buf_addf(out, " %llu (", (unsigned long long)n->weight);
	for (size_t i = 0; i < n->needs.len; i++) {
		buf_addz(out, i ? " " : "");
		sexp_print_string(l->survey.namespaces.ptr[n->needs.ptr[i]].name, out);
	}
	buf_addz(out, "))");
}

void jvm_libraries_request(const struct jvm_libraries *l, uint32_t process, struct buf *out, unsigned *ret_making)
{
	struct arena a = {0};
	bool *grows = xcalloc(l->jars.len + 1, sizeof(*grows));
	buf_addf(out, " :libraries (:threads %u :namespaces (", l->threads);
	for (size_t i = 0; i < l->survey.namespaces.len; i++) {
		const struct library_namespace *n = &l->survey.namespaces.ptr[i];
		uint32_t jar = jar_of(l, n);
		bool compile = is_new(l, n, jar, &a);
		if (!n->wanted)
			continue;
		add_namespace(l, n, compile ? jar : NONE, out);
		if (compile)
			grows[jar] = true;
	}
	buf_addz(out, ") :jars (");
	*ret_making = 0;
	for (size_t i = 0; i < l->jars.len; i++) {
		buf_addz(out, " (");
		sexp_print_string(str_fmt(&a, "%s/%u-%zu.jar", l->folder, process, i), out);
		buf_addc(out, ' ');
		if (l->jars.ptr[i].made)
			sexp_print_string(str_from(l->jars.ptr[i].made), out);
		else
			buf_addz(out, "nil");
		buf_addc(out, ')');
		*ret_making += grows[i];
	}
	buf_addz(out, "))");
	free(grows);
	arena_release(&a);
}

bool jvm_libraries_keep(struct jvm_libraries *l, struct str message, struct err *err)
{
	struct arena a = {0};
	struct sexp *list;
	bool ok = sexp_read(&a, STR("<worker>"), message, SEXP_LISP, &list, err);
	const struct sexp *m = ok && list->len == 1 && list->items[0]->len == 3 ? list->items[0] : NULL;
	int64_t at = m ? sexp_int(m->items[1], -1) : -1;
	struct str path = m ? sexp_text(m->items[2]) : (struct str){0};
	if (at >= 0 && (size_t)at < l->jars.len && path.len) {
		struct jvm_library *j = &l->jars.ptr[at];
		struct result_output out = {.path = STR(JAR), .mode = 0444};
		struct action_result r = {.outputs = &out, .noutputs = 1};
		struct str jar = l->survey.places.ptr[j->place].path;
		r.label = str_fmt(&a, "classes of Clojure libraries: %.*s",
		                  STR_ARG(str_drop(jar, str_rfind(jar, '/') + 1)));
		ok = store_put_file(l->store, str_dupz(&a, path), true, &out.digest, &out.size, err) &&
		     store_put_action(l->store, &j->key, &r, err);
		if (ok) {
			j->made = store_blob_path(l->store, l->arena, &out.digest);
			look_into(l, j);
		}
	}
	arena_release(&a);
	return ok;
}
