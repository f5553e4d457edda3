#include "exec/jvm_libraries.h"

#include "lang/sexp.h"
#include "os/fs.h"

#define JAR "libraries.jar"

static bool digest_key(struct jvm_libraries *l, const struct jvm_toolchain *tc, struct filecache *files,
                       const StrVec *class_path, struct err *err)
{
	struct hasher *h = hasher_new(STR("tenon-clojure-libraries-1"));
	bool ok = true;
	hasher_digest(h, "base", &tc->base);
	for (size_t i = 0; ok && i < class_path->len; i++) {
		struct digest d;
		bool exists;
		const char *path = str_dupz(l->arena, class_path->ptr[i]);
		struct file_sig sig;
		ok = fs_stat(path, &sig, err);
		if (!ok || fs_is_dir(&sig))
			continue;
		ok = filecache_digest(files, path, &d, NULL, &exists, err);
		if (ok && exists)
			hasher_digest(h, "jar", &d);
	}
	l->key = hasher_end(h);
	return ok;
}

bool jvm_libraries_open(struct jvm_libraries *l, struct arena *a, const struct jvm_toolchain *tc, struct store *store,
                        struct filecache *files, const StrVec *class_path, unsigned threads, struct err *err)
{
	*l = (struct jvm_libraries){.arena = a, .store = store, .threads = threads};
	struct action_result r;
	bool found = false;
	if (!digest_key(l, tc, files, class_path, err) || !store_get_action(store, a, &l->key, true, &r, &found, err) ||
	    !store_scratch(store, a, &l->folder, err))
		return false;
	if (found && r.noutputs == 1)
		l->made = store_blob_path(store, a, &r.outputs[0].digest);
	return true;
}

void jvm_libraries_close(struct jvm_libraries *l)
{
	if (l->folder)
		fs_remove_tree(l->folder, NULL);
	*l = (struct jvm_libraries){0};
}

void jvm_libraries_request(const struct jvm_libraries *l, uint32_t process, struct buf *out)
{
	struct arena a = {0};
	buf_addf(out, " :libraries (:threads %u :out ", l->threads);
	sexp_print_string(str_fmt(&a, "%s/%u.jar", l->folder, process), out);
	arena_release(&a);
	if (l->made) {
		buf_addz(out, " :made ");
		sexp_print_string(str_from(l->made), out);
	}
	buf_addc(out, ')');
}

bool jvm_libraries_keep(struct jvm_libraries *l, struct str answer, struct err *err)
{
	struct arena a = {0};
	struct sexp *list;
	bool ok = sexp_read(&a, STR("<worker>"), answer, SEXP_LISP, &list, err);
	struct str jar = ok && list->len == 1 ? sexp_text(sexp_getf(list->items[0], 2, "jar")) : (struct str){0};
	if (jar.len) {
		struct result_output out = {.path = STR(JAR), .mode = 0444};
		struct action_result r = {.outputs = &out, .noutputs = 1, .label = STR("classes of Clojure libraries")};
		r.wall_ns = (uint64_t)sexp_int(sexp_getf(list->items[0], 2, "wall-ns"), 0);
		ok = store_put_file(l->store, str_dupz(&a, jar), true, &out.digest, &out.size, err) &&
		     store_put_action(l->store, &l->key, &r, err);
		if (ok)
			l->made = store_blob_path(l->store, l->arena, &out.digest);
	}
	arena_release(&a);
	return ok;
}
