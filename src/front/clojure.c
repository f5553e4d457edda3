/* Finding and reading the sources of a project. */
#include "front/clojure.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "lang/clj.h"
#include "os/fs.h"

#define MAX_THREADS 64

void clojure_project_release(struct clojure_project *p)
{
	for (size_t i = 0; i < p->files.len; i++)
		clojure_file_release(&p->files.ptr[i]);
	for (size_t i = 0; i < p->namespaces.len; i++) {
		vec_release(&p->namespaces.ptr[i].parts);
		vec_release(&p->namespaces.ptr[i].needs);
	}
	for (size_t i = 0; i < p->arenas.len; i++)
		arena_release(&p->arenas.ptr[i]);
	vec_release(&p->files);
	vec_release(&p->namespaces);
	vec_release(&p->readers);
	vec_release(&p->java);
	vec_release(&p->hidden);
	vec_release(&p->arenas);
	vec_release(&p->order);
	map_release(&p->by_name);
	arena_release(&p->arena);
	*p = (struct clojure_project){0};
}

/* -- finding -- */

struct finding {
	struct clojure_project *project;
	struct str root;
	StrVec data_readers; /* paths */
};

static void hide(struct clojure_project *p, struct str path, const char *why)
{
	vec_push(&p->hidden, str_fmt(&p->arena, "%.*s: %s", STR_ARG(path), why));
}

static bool found(void *ctx, const char *rel_z, const struct file_sig *sig, struct err *err)
{
	struct finding *f = ctx;
	struct clojure_project *p = f->project;
	struct str rel = str_from(rel_z), ext = path_ext(rel);
	bool clj = str_eqc(ext, "clj"), cljc = str_eqc(ext, "cljc");
	(void)err;
	if (!clj && !cljc && !str_eqc(ext, "java"))
		return true;
	struct str path = str_fmt(&p->arena, "%.*s/%s", STR_ARG(f->root), rel_z);
	if (!clj && !cljc)
		vec_push(&p->java, path);
	else if (str_eqc(rel, "data_readers.clj") || str_eqc(rel, "data_readers.cljc"))
		vec_push(&f->data_readers, path);
	else if (str_eqc(rel, "user.clj"))
		hide(p, path, "a REPL loads it, a build does not");
	else
		vec_push(&p->files, (struct clojure_file){
		                            .path = path, .rel = str_drop(path, f->root.len + 1), .size = sig->size});
	return true;
}

bool clojure_add_readers(struct clojure_project *p, struct str path, struct str text, struct err *err)
{
	static const struct str features[] = {STR("clj")};
	struct clj *list;
	unsigned flags = str_has_suffix(path, STR(".cljc")) ? CLJ_COND : 0;
	struct str kept = str_dup(&p->arena, text);
	if (!clj_read_all(&p->arena, path, kept, flags, features, 1, &list, err))
		return false;
	if (!list->len)
		return true;
	const struct clj *map = list->items[0];
	if (map->kind != CLJ_MAP)
		return clj_err(map, path, kept, err, "data readers must be a map of tags to functions");
	for (uint32_t i = 0; i + 1 < map->len; i += 2) {
		const struct clj *tag = map->items[i], *function = map->items[i + 1];
		if (tag->kind != CLJ_SYMBOL || function->kind != CLJ_SYMBOL)
			return clj_err(tag, path, kept, err, "a tag and the name of its function must be symbols");
		vec_push(&p->readers, (struct clojure_reader_tag){.tag = tag->text, .function = function->text});
	}
	return true;
}

static bool read_readers(struct clojure_project *p, struct str path, struct err *err)
{
	struct buf text = {0};
	bool ok = fs_read(path.ptr, &text, err) && clojure_add_readers(p, path, buf_str(&text), err);
	buf_release(&text);
	return ok;
}

/* -- reading, on several threads -- */

struct pass {
	struct clojure_project *project;
	struct err *errs; /* one for each file */
	atomic_size_t next, bytes;
};
struct worker {
	struct pass *pass;
	struct arena arena;
	pthread_t thread;
	bool running;
};

static void *work(void *arg)
{
	struct worker *w = arg;
	struct pass *pass = w->pass;
	struct buf text = {0};
	size_t i;
	while ((i = atomic_fetch_add(&pass->next, 1)) < pass->project->files.len) {
		struct clojure_file *f = &pass->project->files.ptr[i], read;
		buf_clear(&text);
		if (!fs_read(f->path.ptr, &text, &pass->errs[i]) ||
		    !clojure_read_file(&w->arena, f->path, f->rel, buf_str(&text), &read, &pass->errs[i]))
			continue;
		atomic_fetch_add(&pass->bytes, text.len);
		*f = read;
	}
	buf_release(&text);
	return NULL;
}

static void run_workers(struct pass *pass, unsigned threads)
{
	struct worker workers[MAX_THREADS] = {0};
	for (unsigned i = 0; i < threads; i++)
		workers[i].pass = pass;
	/* Where no thread can be had, this one does it all. */
	for (unsigned i = 1; i < threads; i++)
		workers[i].running = pthread_create(&workers[i].thread, NULL, work, &workers[i]) == 0;
	work(&workers[0]);
	for (unsigned i = 1; i < threads; i++)
		if (workers[i].running)
			pthread_join(workers[i].thread, NULL);
	for (unsigned i = 0; i < threads; i++)
		vec_push(&pass->project->arenas, workers[i].arena);
}

static bool read_files(struct clojure_project *p, unsigned threads, struct err *err)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	size_t n = p->files.len;
	unsigned wanted = threads ? threads : (unsigned)MAX(cores, 1L);
	struct pass pass = {.project = p, .errs = xcalloc(n + 1, sizeof(struct err))};
	bool ok = true;
	wanted = (unsigned)MIN((size_t)MIN(wanted, (unsigned)MAX_THREADS), MAX(n / 8, (size_t)1));
	run_workers(&pass, wanted);
	for (size_t i = 0; i < n; i++) {
		if (pass.errs[i].kind && ok) {
			err_move(err, &pass.errs[i]);
			ok = false;
		}
		err_clear(&pass.errs[i]);
	}
	free(pass.errs);
	p->bytes = atomic_load(&pass.bytes);
	return ok;
}

bool clojure_scan(struct clojure_project *p, const struct str *roots, size_t nroots, unsigned threads, struct err *err)
{
	struct finding f = {.project = p};
	bool ok = true;
	for (size_t i = 0; ok && i < nroots; i++) {
		struct file_sig sig;
		f.root = str_dup(&p->arena, roots[i]);
		/* A root that is not there is nothing bad: tools have defaults, such as "src". */
		ok = fs_stat(f.root.ptr, &sig, err) && (!fs_is_dir(&sig) || fs_walk(f.root.ptr, found, &f, err));
	}
	for (size_t i = 0; ok && i < f.data_readers.len; i++)
		ok = read_readers(p, f.data_readers.ptr[i], err);
	vec_release(&f.data_readers);
	return ok && read_files(p, threads, err);
}
