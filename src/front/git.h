/* git.h - revisions of Git repositories as folders, by the user's git (with his settings and keys).
 *
 *     struct git_request q = {.clones = ..., .folders = ..., .name = name, .url = url, .tag = tag, .sha = sha};
 *     ok = git_get(&q, arena, &sha, &folder, err);
 *
 * A repository is cloned once for all projects, without its files; what a project asks for is checked out beside its
 * jars. A revision is known by its hash, which git verifies; so one that lies there is right, whenever it came. */
#ifndef TENON_FRONT_GIT_H
#define TENON_FRONT_GIT_H

#include "base/arena.h"
#include "base/err.h"

#define GIT_SHA_LEN 40

struct git_request {
	const char *clones;  /* where bare clones are kept */
	const char *folders; /* where revisions are checked out */
	struct str name;     /* of the library, for the folder's name */
	struct str url, tag; /* tag: may be empty */
	struct str sha;      /* hexadecimal digits: all of them, or with a tag its beginning */
	bool offline;        /* take what is there */
};
/* The revision's whole hash, and the folder (absolute if `folders` is). ERR_USER: the tag is another revision, or there
 * is no such revision; ERR_ENVIRONMENT: the repository can't be had. */
bool git_get(const struct git_request *q, struct arena *a, struct str *ret_sha, char **ret_folder, struct err *err);

#endif
