/* Files are read, parsed and evaluated: packages, and what they load. */
#include <errno.h>
#include <stdlib.h>

#include "front/buildfile_impl.h"
#include "lang/sexp.h"

#define MAX_NESTED_LOADS 50

/* -- reading and parsing -- */

struct parsed {
	struct sexp *forms;
	struct err err;
	bool ok;
};
struct parse_job {
	struct texts *texts;
	struct parsed *parsed;
};

static void parse_one(void *ctx, unsigned thread, size_t i, struct view_file *f)
{
	struct parse_job *job = ctx;
	struct parsed *p = &job->parsed[i];
	p->ok = sexp_read(&job->texts->arenas[thread], f->path, f->text, SEXP_BUILD, &p->forms, &p->err);
}

/* Reads the files and parses them; the first that fails is the error. ret_first: the number of the first one. */
static bool read_and_parse(struct loader *l, struct view_file *files, size_t n, struct parsed *parsed,
                           uint32_t *ret_first)
{
	struct parse_job job = {.texts = l->texts, .parsed = parsed};
	bool ok = true;
	*ret_first = (uint32_t)l->t->files.len;
	l->view.read(l->view.ctx, files, n, parse_one, &job);
	for (size_t i = 0; i < n; i++) {
		vec_push(&l->t->files, (struct source_text){.path = files[i].path,
		                                            .text = files[i].text,
		                                            .made_from = files[i].made_from});
		vec_push(&l->in->read, str_dup(&l->in->arena, files[i].path));
	}
	for (size_t i = 0; i < n; i++) {
		if (ok && files[i].errnum) {
			errno = files[i].errnum;
			ok = err_sys(l->err, ERR_USER, "cannot read \"%.*s\"", STR_ARG(files[i].path));
		} else if (ok && !parsed[i].ok) {
			ok = false;
			if (l->err)
				err_move(l->err, &parsed[i].err);
		}
		err_clear(&parsed[i].err);
	}
	return ok;
}

/* -- what evaluation asks for -- */

static struct str host_setting(void *ctx, struct str name)
{
	struct loader *l = ctx;
	if (!map_has(&l->settings_seen, name)) {
		struct str copy = str_dup(&l->in->arena, name);
		map_put(&l->settings_seen, copy, 0);
		vec_push(&l->in->settings, copy);
	}
	for (size_t i = 0; i < l->q->nsettings; i++)
		if (str_eq(l->q->settings[i].name, name))
			return l->q->settings[i].value;
	return STR("");
}

static bool host_package(void *ctx, struct str *ret)
{
	struct loader *l = ctx;
	if (l->current == NO_PACKAGE)
		return false;
	*ret = l->t->packages.ptr[l->current].dir;
	return true;
}

static bool declare(void *ctx, struct value v, struct err *err)
{
	struct loader *l = ctx;
	if (v.kind == VALUE_NIL)
		return true;
	if (v.kind == VALUE_LIST) {
		for (uint32_t i = 0; i < v.len; i++)
			if (!declare(ctx, v.items[i], err))
				return false;
		return true;
	}
	if (v.kind == VALUE_TARGET)
		return draft_declare(l, v.target);
	struct buf shown = {0};
	value_print(v, &shown, 60);
	draft_err(l, value_place(v), "expected a target, not %s: %s", value_kind_name(v.kind), buf_cstr(&shown));
	buf_release(&shown);
	return false;
}

/* "//dir:file", or a path relative to the folder of the file that loads. */
static bool load_path(struct loader *l, uint32_t from, struct str text, struct str *ret, struct err *err)
{
	struct str here = l->t->files.ptr[from].path, rest, part;
	size_t slash = str_rfind(here, '/');
	here = slash < here.len ? str_slice(here, 0, slash) : STR("");
	if (label_looks_like(text)) {
		struct label label;
		if (!label_parse(text, here, &label, err))
			return false;
		*ret = path_below_dir(&l->t->arena, label.package, label.name);
		return true;
	}
	rest = text;
	bool ok = text.len && text.ptr[0] != '/';
	while (ok && str_cut(&rest, '/', &part))
		ok = part.len && !str_eqc(part, ".") && !str_eqc(part, "..");
	if (!ok) {
		err_set(err, ERR_USER, "\"%.*s\" is no path of a file that can be loaded", STR_ARG(text));
		if (err)
			err_note(err, "write \"//dir:file\", or a path below the folder of this file");
		return false;
	}
	*ret = path_below_dir(&l->t->arena, here, text);
	return true;
}

static bool fail_load_cycle(struct loader *l, struct str path, struct err *err)
{
	struct buf line = {0};
	bool in = false;
	for (size_t i = 0; i < l->modules.len; i++) {
		const struct loaded_module *m = l->modules.ptr[i];
		in |= str_eq(m->path, path);
		if (in && !m->done)
			buf_addf(&line, "%.*s → ", STR_ARG(m->path));
	}
	buf_adds(&line, path);
	err_set(err, ERR_USER, "these files load each other: %s", buf_cstr(&line));
	buf_release(&line);
	return false;
}

static bool evaluate_module(struct loader *l, struct loaded_module *m, struct place place, struct err *err)
{
	struct view_file f = {.path = m->path};
	struct parsed parsed = {0};
	uint32_t file;
	if (!read_and_parse(l, &f, 1, &parsed, &file)) {
		if (err && f.errnum == ENOENT) {
			draft_err(l, place, "there is no file \"%.*s\" to load", STR_ARG(m->path));
		} else if (err) {
			place_add(&l->t->files, place, err);
		}
		return false;
	}
	package_id package = l->current;
	l->current = NO_PACKAGE;
	l->nested_loads++;
	bool ok = eval_file(&l->ev, &m->module, file, parsed.forms, declare, l, err);
	l->nested_loads--;
	l->current = package;
	m->done = ok;
	return ok;
}

static bool host_load(void *ctx, uint32_t from, struct str text, struct place place, const struct module **ret,
                      struct err *err)
{
	struct loader *l = ctx;
	struct str path;
	uint64_t i;
	if (!load_path(l, from, text, &path, err))
		return false;
	if (map_get(&l->module_by_path, path, &i)) {
		if (!l->modules.ptr[i]->done)
			return fail_load_cycle(l, path, err);
		*ret = &l->modules.ptr[i]->module;
		return true;
	}
	if (l->nested_loads >= MAX_NESTED_LOADS)
		return err_set(err, ERR_USER, "files that load files, more than %d deep", MAX_NESTED_LOADS);
	struct loaded_module *m = arena_new(&l->t->arena, struct loaded_module);
	m->path = path;
	map_put(&l->module_by_path, path, l->modules.len);
	vec_push(&l->modules, m);
	if (!evaluate_module(l, m, place, err))
		return false;
	*ret = &m->module;
	return true;
}

/* -- packages -- */

static bool fail_no_package(struct loader *l, struct folder *f, struct place p)
{
	struct str dir = f->path;
	const char *root = dir.len ? "" : "the root of the workspace";
	if (f->listing.absent)
		draft_err(l, p, "there is no folder \"%.*s\"", STR_ARG(dir));
	else
		draft_err(l, p, "\"%.*s%s\" is no package: it has no file BUILD or CLJ", STR_ARG(dir), root);
	struct nearest n;
	nearest_init(&n, dir);
	for (size_t i = 0; i < l->t->packages.len; i++)
		nearest_offer(&n, l->t->packages.ptr[i].dir);
	/* Folders beside the one that is missing. */
	struct str up = str_slice(dir, 0, str_rfind(dir, '/') < dir.len ? str_rfind(dir, '/') : 0);
	struct err *err = l->err;
	l->err = NULL;
	struct folder *parent = dir.len ? folder_get(l, up) : NULL;
	l->err = err;
	for (size_t i = 0; parent && i < parent->listing.n; i++)
		if (parent->listing.entries[i].is_dir)
			nearest_offer(&n, path_below_dir(&l->t->arena, up, parent->listing.entries[i].name));
	if (err && n.best.len && !str_eq(n.best, dir))
		err_note(err, "did you mean \"//%.*s\"?", STR_ARG(n.best));
	return false;
}

/* Loads the packages in these folders, all of them new. `places` are where they were asked for. */
bool load_packages(struct loader *l, const StrVec *dirs, const struct place *places)
{
	struct arena *a = &l->t->arena;
	size_t n = dirs->len;
	struct view_file *files = arena_new_n(a, struct view_file, n);
	struct parsed *parsed = arena_new_n(a, struct parsed, n);
	struct place nowhere = {0};
	uint32_t file;
	for (size_t i = 0; i < n; i++) {
		struct folder *f = folder_get(l, dirs->ptr[i]);
		if (!f)
			return false;
		if (f->two_build_files) {
			err_set(l->err, ERR_USER, "\"%.*s\" has both a BUILD and a CLJ", STR_ARG(f->path));
			if (l->err)
				err_note(l->err, "they are read alike: put all targets into one of them");
			return false;
		}
		if (!f->build_file.len)
			return fail_no_package(l, f, places ? places[i] : nowhere);
		files[i].path = path_below_dir(a, f->path, f->build_file);
	}
	if (!read_and_parse(l, files, n, parsed, &file))
		return false;
	for (size_t i = 0; i < n; i++) {
		struct str dir = folder_get(l, dirs->ptr[i])->path;
		l->current = (package_id)l->t->packages.len;
		map_put(&l->t->package_by_dir, dir, l->current);
		vec_push(&l->t->packages, (struct target_package){.dir = dir, .file = file + (uint32_t)i});
		struct module *m = arena_new(a, struct module);
		bool ok = eval_file(&l->ev, m, file + (uint32_t)i, parsed[i].forms, declare, l, l->err);
		module_release(m);
		l->current = NO_PACKAGE;
		if (!ok)
			return false;
	}
	return true;
}

struct eval_host loader_host(struct loader *l)
{
	return (struct eval_host){
	        .ctx = l, .glob = glob_host, .setting = host_setting, .load = host_load, .package = host_package};
}
