/* project.h - a Clojure project without BUILD files: its deps.edn, project.clj or pom.xml stands for them.
 *
 *     enum deps_kind kind;
 *     if (project_find(dir, &kind)) {
 *             struct project p = {0};
 *             struct project_request q = {.dir = dir, .kind = kind, .clones = ...};
 *             if (!project_load(&p, &q, err)) ...
 *             buildfile_disk_view(dir, p.aliases.ptr, p.aliases.len, &view);
 *     }
 *     project_release(&p);
 *
 * The targets are those that `tenon import` writes, in files below DIR/.tenon/deps: the project's own BUILD file, a
 * package of the jars, and one for each project in another folder that it rests on (:local/root, Git libraries), which
 * a link in DIR/.tenon/deps/local leads to. With aliases that change the project another folder stands for .tenon/deps.
 * A deps.lock in the project is kept to; without one, versions are chosen when the description changes, and kept beside
 * the jars. */
#ifndef TENON_FRONT_PROJECT_H
#define TENON_FRONT_PROJECT_H

#include "front/buildfile.h"
#include "front/deps.h"
#include "front/lock.h"

struct project {
	struct str place; /* the package of the jars: ".tenon/deps", or with aliases one of their own */
	struct deps_project deps;
	struct lock lock;
	struct arena arena;
	Vec(struct buildfile_alias) aliases; /* where the texts of BUILD files are; relative to the folder */
	StrVec seen;                         /* files and folders that the targets rest on, present or not; relative */
};

/* What describes the folder, if it is a Clojure project: the first of deps.edn, project.clj, pom.xml. */
bool project_find(const char *dir, enum deps_kind *ret);

struct project_request {
	const char *dir; /* absolute */
	enum deps_kind kind;
	const char *clones;  /* where clones of Git repositories are kept */
	bool offline;        /* fetches nothing */
	StrVec chosen;       /* aliases of deps.edn, profiles of project.clj; borrowed */
	bool tests_are_main; /* see struct deps_project */
};
/* Reads, resolves where need be (some seconds), and writes the files. */
bool project_load(struct project *p, const struct project_request *q, struct err *err);
/* Would project_load have to resolve? */
bool project_is_resolved(const struct project_request *q);
void project_release(struct project *p);

/* Puts the jars of a lock that was just resolved into a folder, under the names of their targets. */
bool project_place_jars(const struct lock *l, const char *folder, struct err *err);
/* False, with what to write: no library of the lock is Clojure itself. */
bool project_check_clojure(const struct deps_project *d, const struct lock *l, struct err *err);

#endif
