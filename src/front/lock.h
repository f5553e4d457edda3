/* lock.h - deps.lock: the libraries that a project's dependencies came out as, each with its SHA-256.
 *
 * An EDN map, sorted, one library a line, so that it is read, compared and merged as text:
 *
 *     {:version 1
 *      :from "deps.edn" :from-sha256 "..."
 *      :jars [{:lib org.clojure/clojure :mvn/version "1.11.1" :scope :main :size 4105010 :sha256 "..."} ...]}
 *
 * What comes from Git repositories stands before that, by the revisions that tags stood for:
 *
 *      :git [{:lib io.github.x/y :git/url "https://..." :git/tag "v1" :git/sha "..."} ...]
 *
 * Paths of this machine are not in it. Strings live in the lock. */
#ifndef TENON_FRONT_LOCK_H
#define TENON_FRONT_LOCK_H

#include "base/vec.h"
#include "front/deps.h"
#include "store/digest.h"

struct lock_jar {
	struct str group, artifact, version, classifier; /* classifier: mostly empty */
	enum deps_scope scope;
	struct digest sha256;
	uint64_t size;
	struct str path; /* absolute, where the resolver put it; not written */
};

struct lock_git {
	struct str lib, url, tag, sha; /* sha: all of it */
};

struct lock {
	struct arena arena;
	struct str from; /* the file that it was made from, and that file's digest then */
	struct digest from_sha256;
	struct str left_out;       /* why the libraries of the tests are not among them; mostly empty */
	Vec(struct lock_git) gits; /* sorted by lib */
	Vec(struct lock_jar) jars; /* sorted by group, artifact, classifier */
};

void lock_release(struct lock *l);
/* *ret_exists false: there is no such file, and the lock stays empty. */
bool lock_read(struct lock *l, const char *path, bool *ret_exists, struct err *err);
bool lock_read_text(struct lock *l, struct str path, struct str text, struct err *err);
void lock_print(const struct lock *l, struct buf *out);
void lock_sort(struct lock *l);
/* Do the files at `found` have the digests that `wanted` says, and is none missing or beyond them? */
bool lock_verify(const struct lock *wanted, const struct lock *found, struct err *err);

#endif
