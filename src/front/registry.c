#include "front/registry.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "lang/sexp.h"
#include "os/fs.h"

struct finder {
	struct arena *arena;
	struct registry *out;
	struct buf form;
	struct err *err;
};

void registry_release(struct registry *r)
{
	vec_release(&r->folders);
	vec_release(&r->described);
}

static bool is_dir(const char *path)
{
	struct file_sig sig;
	return fs_stat(path, &sig, NULL) && fs_is_dir(&sig);
}

static void add(struct finder *f, const char *directive, const char *path)
{
	buf_addf(&f->form, " (:%s ", directive);
	struct str dir = str_fmt(f->arena, "%s/", path);
	sexp_print_string(dir, &f->form);
	buf_addc(&f->form, ')');
}

static void describe(struct finder *f, const char *path, const char *what)
{
	vec_push(&f->out->described, str_fmt(f->arena, "%s  (%s)", path, what));
}

/* A folder whose existence or listing decides; absent ones count, so that their appearance is noticed. */
static void depends_on(struct finder *f, const char *path)
{
	vec_push(&f->out->folders, str_dup(f->arena, str_from(path)));
}

static void add_tree_if_there(struct finder *f, const char *path, const char *what)
{
	depends_on(f, path);
	if (!is_dir(path))
		return;
	add(f, "tree", path);
	describe(f, path, what);
}

/* installed/systems/NAME.txt of a dist holds the path of one .asd file below the client's folder. */
static bool add_installed(struct finder *f, const char *base, const char *dist_dir, const char *what)
{
	char *systems = path_join(f->arena, dist_dir, "installed/systems");
	depends_on(f, systems);
	if (!is_dir(systems))
		return true;
	StrVec names = {0};
	struct buf line = {0};
	struct map seen = {0};
	bool ok = fs_list(f->arena, systems, &names, f->err);
	for (size_t i = 0; ok && i < names.len; i++) {
		if (!str_has_suffix(names.ptr[i], STR(".txt")))
			continue;
		buf_clear(&line);
		if (!fs_read(path_join(f->arena, systems, str_dupz(f->arena, names.ptr[i])), &line, NULL))
			continue;
		struct str rest = buf_str(&line), first;
		if (!str_cut(&rest, '\n', &first))
			continue;
		struct str dir = path_dir(str_trim(first));
		char *abs = path_join(f->arena, base, str_dupz(f->arena, dir));
		if (map_add(&seen, str_from(abs), 0, NULL))
			add(f, "directory", abs);
	}
	if (ok && seen.entries.len)
		describe(f, dist_dir, what);
	map_release(&seen);
	buf_release(&line);
	vec_release(&names);
	return ok;
}

static bool add_dists(struct finder *f, const char *base, const char *what)
{
	char *dists = path_join(f->arena, base, "dists");
	depends_on(f, dists);
	if (!is_dir(dists))
		return true;
	StrVec names = {0};
	bool ok = fs_list(f->arena, dists, &names, f->err);
	for (size_t i = 0; ok && i < names.len; i++)
		ok = add_installed(f, base, path_join(f->arena, dists, str_dupz(f->arena, names.ptr[i])), what);
	vec_release(&names);
	return ok;
}

/* Only a project is searched below its root: a home directory may hold anything. */
static bool is_project(struct finder *f, const char *root, bool *ret)
{
	depends_on(f, root);
	StrVec names = {0};
	bool ok = fs_list(f->arena, root, &names, f->err);
	*ret = false;
	for (size_t i = 0; ok && i < names.len; i++)
		*ret |= str_has_suffix(names.ptr[i], STR(".asd")) || str_eqc(names.ptr[i], ".git") ||
		        str_eqc(names.ptr[i], "WORKSPACE");
	vec_release(&names);
	return ok;
}

static bool add_workspace(struct finder *f, const char *root)
{
	struct arena *a = f->arena;
	const char *wild = strpbrk(root, "*?[");
	if (wild) {
		err_set(f->err, ERR_USER, "no systems can be built in \"%s\": '%c' is a wildcard in Lisp's pathnames",
		        root, *wild);
		err_note(f->err, "give the folder a name without '*', '?' and '['");
		return false;
	}
	buf_addz(&f->form, " (:also-exclude \".tenon\" \".qlot\" \"ocicl\" \"node_modules\")");
	add(f, "directory", root);
	add_tree_if_there(f, path_join(a, root, "ocicl"), "ocicl");
	if (!add_dists(f, path_join(a, root, ".qlot"), "qlot"))
		return false;
	add_tree_if_there(f, path_join(a, root, ".qlot/local-projects"), "qlot");
	bool project;
	if (!is_project(f, root, &project))
		return false;
	if (project)
		add(f, "tree", root);
	describe(f, root,
	         project ? "the workspace and all below it" : "this directory; no project, not searched below");
	return true;
}

bool registry_find(struct arena *a, const struct registry_places *places, struct registry *ret, struct err *err)
{
	struct finder f = {.arena = a, .out = ret, .err = err};
	buf_addz(&f.form, "(:source-registry");
	if (places->extra) {
		buf_addf(&f.form, " %s", places->extra);
		describe(&f, places->extra, "--registry");
	}
	bool ok = add_workspace(&f, places->workspace);
	if (ok && places->home) {
		char *quicklisp = path_join(a, places->home, "quicklisp");
		add_tree_if_there(&f, path_join(a, quicklisp, "local-projects"), "quicklisp");
		struct str early = str_dup(a, buf_str(&f.form));
		buf_clear(&f.form);
		ok = add_dists(&f, quicklisp, "quicklisp");
		struct str late = str_dup(a, buf_str(&f.form));
		buf_clear(&f.form);
		buf_addf(&f.form, "%.*s :inherit-configuration%.*s", STR_ARG(early), STR_ARG(late));
	} else {
		buf_addz(&f.form, " :inherit-configuration");
	}
	buf_addc(&f.form, ')');
	ret->form = str_dup(a, buf_str(&f.form));
	buf_release(&f.form);
	return ok;
}
