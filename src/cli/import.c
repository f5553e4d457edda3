/* `tenon import`: from a project's own description of its dependencies to BUILD files and a lock. */
#include <stdio.h>

#include "cli/commands.h"
#include "front/import.h"
#include "front/project.h"
#include "front/resolve.h"
#include "os/fs.h"

struct import {
	struct cli *cli;
	const char *dir;
	char *root; /* of the workspace */
	struct str package, jars_package;
	struct deps_project project;
	struct lock old, lock;
	bool has_old, keep_old;
};

static bool find_root(struct import *im, struct err *err)
{
	struct arena *a = &im->cli->arena;
	struct str at = str_from(im->dir);
	im->root = (char *)(uintptr_t)im->dir;
	for (;;) {
		struct file_sig sig;
		char *dir = str_dupz(a, at);
		if (!fs_stat(path_join(a, dir, "WORKSPACE"), &sig, err))
			return false;
		if (fs_is_file(&sig)) {
			im->root = dir;
			break;
		}
		if (at.len <= 1)
			break;
		at = path_dir(at);
	}
	im->package = str_from(im->dir);
	im->package = str_drop(im->package, MIN(im->package.len, strlen(im->root) + 1));
	im->jars_package = im->package.len ? str_fmt(a, "%.*s/lib", STR_ARG(im->package)) : STR("lib");
	return true;
}

/* A lock that was made from the project as it is now is kept to. */
static bool read_lock(struct import *im, enum deps_kind kind, struct err *err)
{
	struct arena *a = &im->cli->arena;
	struct digest now = deps_digest(&im->project);
	if (!lock_read(&im->old, path_join(a, im->dir, "deps.lock"), &im->has_old, err))
		return false;
	im->keep_old =
	        im->has_old && str_eqc(im->old.from, deps_file_name(kind)) && digest_eq(&im->old.from_sha256, &now);
	im->lock.from = str_from(deps_file_name(kind));
	im->lock.from_sha256 = now;
	return true;
}

/* `text` goes to `path` unless someone else wrote what is there. */
static bool write_generated(struct cli *cli, const char *path, const struct buf *text, struct err *err)
{
	struct file_sig sig;
	struct buf old = {0};
	bool ok = fs_stat(path, &sig, err) && (!sig.mode || fs_read(path, &old, err));
	if (ok && old.len && !str_has_prefix(buf_str(&old), import_mark)) {
		ok = err_set(err, ERR_USER, "%s was not written by `tenon import`, so it is left alone",
		             path_below(str_from(path), str_from(cli->directory)).ptr);
		err_note(err, "move it away to have it written");
	}
	ok = ok && (str_eq(buf_str(&old), buf_str(text)) || fs_write_atomic(path, buf_str(text), 0644, false, err));
	buf_release(&old);
	return ok;
}

static bool write_jars(struct import *im, const char *lib, struct err *err)
{
	struct arena *a = &im->cli->arena;
	struct buf text = {0};
	bool ok = project_place_jars(&im->lock, lib, err);
	import_print_jars(&im->project, &im->lock, &text);
	ok = ok && write_generated(im->cli, path_join(a, lib, "BUILD"), &text, err);
	buf_release(&text);
	return ok;
}

static bool write_workspace(struct import *im, struct err *err)
{
	struct file_sig sig;
	char *path = path_join(&im->cli->arena, im->root, "WORKSPACE");
	if (!fs_stat(path, &sig, err))
		return false;
	return sig.mode || fs_write_atomic(path, STR(";; The root of a workspace of tenon.\n"), 0644, false, err);
}

/* The libraries of Git repositories: packages beside the jars. */
static bool write_members(struct import *im, struct err *err)
{
	struct arena *a = &im->cli->arena;
	bool ok = true;
	for (size_t i = 0; ok && i < im->project.members.len; i++) {
		const struct deps_member *m = im->project.members.ptr[i];
		struct buf text = {0};
		if (m->kind != DEPS_MEMBER_PROJECT)
			continue;
		struct str package = path_below(str_from(m->path), str_from(im->root));
		ok = import_print_member(m, &im->lock, package, im->jars_package, &text, err) &&
		     write_generated(im->cli, path_join(a, m->path, "BUILD"), &text, err);
		buf_release(&text);
	}
	return ok;
}

static bool write_all(struct import *im, struct err *err)
{
	struct arena *a = &im->cli->arena;
	struct buf build = {0}, lock = {0};
	bool ok = import_print_project(&im->project, &im->lock, im->dir, im->package, im->jars_package, &build, err) &&
	          write_generated(im->cli, path_join(a, im->dir, "BUILD"), &build, err) &&
	          write_jars(im, path_join(a, im->dir, "lib"), err) && write_members(im, err) &&
	          write_workspace(im, err);
	lock_print(&im->lock, &lock);
	ok = ok && fs_write_atomic(path_join(a, im->dir, "deps.lock"), buf_str(&lock), 0644, true, err);
	buf_release(&build);
	buf_release(&lock);
	return ok;
}

/* Revisions that a lock has are kept to. */
static bool find_members(struct import *im, struct err *err)
{
	struct arena *a = &im->cli->arena;
	struct lock kept = {0};
	bool exists;
	struct deps_members_request q = {.dir = im->dir,
	                                 .clones = session_clones(a, &im->cli->build),
	                                 .folders = path_join(a, im->dir, "lib/git"),
	                                 .jars = im->jars_package,
	                                 .workspace = im->root,
	                                 .locked = &kept,
	                                 .offline = im->cli->options.offline};
	bool ok = !im->project.gits.len || (lock_read(&kept, path_join(a, im->dir, "deps.lock"), &exists, err) &&
	                                    deps_find_members(&im->project, &q, err));
	lock_release(&kept);
	return ok;
}

static bool import_run(struct import *im, enum deps_kind kind, struct err *err)
{
	for (size_t i = 0; i < im->cli->chosen.len; i++)
		vec_push(&im->project.chosen, im->cli->chosen.ptr[i]);
	if (!find_root(im, err) || !deps_read(&im->project, kind, im->dir, err) || !find_members(im, err) ||
	    !read_lock(im, kind, err))
		return false;
	struct resolve_request q = {
	        .project = &im->project, .locked = im->keep_old ? &im->old : NULL, .offline = im->cli->options.offline};
	if ((!im->keep_old && !deps_add_libraries(&im->project, &q, err)) || !resolve(&q, &im->lock, err))
		return false;
	deps_lock_members(&im->project, &im->lock);
	return project_check_clojure(&im->project, &im->lock, err) && write_all(im, err);
}

int command_import(struct cli *cli)
{
	static const struct {
		const char *word;
		enum deps_kind kind;
	} kinds[] = {{"deps", DEPS_EDN}, {"lein", DEPS_LEIN}, {"pom", DEPS_POM}};
	struct import im = {.cli = cli, .dir = cli->directory};
	struct err err = {0};
	int code = 0;
	enum deps_kind kind = DEPS_EDN;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (str_eqc(cli->options.args.ptr[0], kinds[i].word))
			kind = kinds[i].kind;
	if (!import_run(&im, kind, &err))
		code = cli_fail(cli, &err);
	else if (!cli->options.quiet)
		printf("%s: %zu libraries %s; BUILD, lib/BUILD and deps.lock are written\n", deps_file_name(kind),
		       im.lock.jars.len, im.keep_old ? "as deps.lock says" : "resolved");
	lock_release(&im.lock);
	lock_release(&im.old);
	deps_project_release(&im.project);
	return code;
}
