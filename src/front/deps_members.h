/* deps_members.h - the projects and jars in folders that a project of deps.edn rests on (:local/root, Git libraries),
 * and those that they rest on in turn.
 *
 *     struct deps_members_request q = {.dir = dir, .clones = ..., .folders = ...};
 *     ok = deps_find_members(&project, &q, err);      // project.members, dependencies before those that need them not
 *     deps_add_libraries(&project, &resolve, err)     // what they need of Maven joins what the project needs
 *
 * The project's own mention of a library counts, then the nearest. What only the tests need has that scope, with all
 * that it needs. */
#ifndef TENON_FRONT_DEPS_MEMBERS_H
#define TENON_FRONT_DEPS_MEMBERS_H

#include "front/deps.h"
#include "front/lock.h"

enum deps_member_kind {
	DEPS_MEMBER_PROJECT, /* a folder with deps.edn, project.clj or pom.xml */
	DEPS_MEMBER_TARGETS, /* a folder with a BUILD or CLJ file: its target "lib" */
	DEPS_MEMBER_JAR,
};
struct deps_member {
	enum deps_member_kind kind;
	struct str lib;  /* "group/artifact" */
	struct str name; /* no other member's; without slashes */
	char *path;      /* of the folder or the jar, absolute */
	enum deps_scope scope;
	struct deps_project project; /* DEPS_MEMBER_PROJECT; of a jar the `text` of the pom.xml in it, if it has one */
	struct lock_git git;         /* url: empty for what is a local folder */
	struct str label;            /* of its target */
};

struct deps_members_request {
	const char *dir;    /* of the project, absolute */
	const char *clones; /* see git.h */
	const char *folders;
	struct str package; /* labels are //PACKAGE/NAME:lib, and //JARS:local.NAME of jars */
	struct str jars;
	/* Of a workspace that holds all folders: labels are //FOLDER:lib, and the project's own :local/root are
	 * packages that somebody else looks after. NULL: there is none. */
	const char *workspace;
	const struct lock *locked; /* revisions of tags; or NULL */
	bool offline;
};
/* Libraries of the tests that can't be had are left out; a note in the project says so. */
bool deps_find_members(struct deps_project *d, const struct deps_members_request *q, struct err *err);
void deps_members_release(struct deps_project *d);
/* Digest of the project's text, and of those of members that may change while it does not. */
struct digest deps_digest(const struct deps_project *d);
/* Adds what members need of Maven to the project's `deps`. A pom.xml among them is resolved here. */
struct resolve_request;
bool deps_add_libraries(struct deps_project *d, const struct resolve_request *q, struct err *err);
/* Fills the lock's `gits`. */
void deps_lock_members(const struct deps_project *d, struct lock *l);
/* The kind of description that a folder has: deps.edn, unless it names neither paths nor libraries and there is a
 * project.clj; that one; pom.xml. False: none. */
bool deps_find_kind(const char *dir, enum deps_kind *ret);

#endif
