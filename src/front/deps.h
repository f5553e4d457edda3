/* deps.h - what a Clojure project says of itself in deps.edn, project.clj or pom.xml, read as data.
 *
 *     struct deps_project d = {0};
 *     vec_push(&d.chosen, STR("bench"));              // aliases or profiles to go by, if any
 *     if (!deps_read(&d, DEPS_EDN, dir, err)) ...
 *     deps_project_release(&d);
 *
 * Nothing is evaluated and nothing resolved: parents, properties and version conflicts are the resolver's business
 * (front/resolve.h). What can't be known from the text is an error that says what to do. Strings live in the arena. */
#ifndef TENON_FRONT_DEPS_H
#define TENON_FRONT_DEPS_H

#include "base/arena.h"
#include "base/err.h"
#include "base/vec.h"

enum deps_kind { DEPS_EDN, DEPS_LEIN, DEPS_POM };
const char *deps_file_name(enum deps_kind k); /* "deps.edn", "project.clj", "pom.xml" */

/* What is only for the tests (or for an alias that is not of the project's own build) is not for those who use it. */
enum deps_scope { DEPS_MAIN, DEPS_TEST };

struct deps_exclusion {
	struct str group, artifact;
};
/* A library that is asked for. */
struct deps_dep {
	struct str group, artifact, version, classifier;
	enum deps_scope scope;
	Vec(struct deps_exclusion) exclusions;
	uint32_t line, col;
};
/* Another project, or a jar, in a folder. */
struct deps_local {
	struct str lib, path; /* as written; relative to the project */
	enum deps_scope scope;
	uint32_t line, col;
	struct str label; /* of its target, once deps_find_members has found it */
};
/* A revision of a Git repository. */
struct deps_git {
	struct str lib, url, tag;
	struct str sha;  /* as written; with a tag its beginning may do */
	struct str root; /* the folder in it; mostly empty */
	enum deps_scope scope;
	uint32_t line, col;
	struct str label; /* as above */
};
struct deps_member; /* deps_members.h */
/* An alias that starts something: {:run {:main-opts ["-m" "app.main" "argument"]}}, {:doc {:exec-fn app.doc/write}}. */
struct deps_start {
	struct str name;
	struct str ns; /* whose -main is called with `args`; empty: `args` are for clojure.main, or it is a function */
	struct str exec; /* a map of :exec-fn, :exec-args, :ns-default and :ns-aliases, as EDN; empty: no function */
	struct str fn;   /* :exec-fn */
	StrVec args, jvm;
	bool has_extras; /* it has a class path of its own: it must be chosen */
};
/* A name for some tests: a function of their metadata, as Clojure's text. "default" is meant where none is named. */
struct deps_selector {
	struct str name, text;
};
struct deps_repository {
	struct str id, url;
};

struct deps_project {
	struct arena arena;
	StrVec chosen;       /* aliases or profiles to go by, in order */
	bool tests_are_main; /* chosen aliases of the tests are like any other, for a prompt or a program */
	enum deps_kind kind;
	struct str file; /* path */
	struct str text;
	struct str group, name, version;        /* empty where unknown */
	StrVec sources, tests, java, resources; /* folders, relative to the project */
	Vec(struct deps_dep) deps;              /* not for DEPS_POM, whose resolver reads it by itself */
	Vec(struct deps_dep) managed;           /* versions of libraries that others ask for */
	Vec(struct deps_local) locals;
	Vec(struct deps_git) gits;
	Vec(struct deps_member *) members; /* what these are, and what they need in turn: deps_find_members */
	Vec(struct deps_repository) repositories;
	struct str main; /* a namespace; empty: none */
	Vec(struct deps_start) starts;
	StrVec jvm_options, test_jvm_options; /* the latter: those that tests have besides */
	Vec(struct deps_selector) selectors;
	StrVec aot;   /* namespaces; "all" */
	StrVec notes; /* what was left out, and why */
};

void deps_project_release(struct deps_project *d);
/* Reads `dir`/deps.edn and so on. */
bool deps_read(struct deps_project *d, enum deps_kind kind, const char *dir, struct err *err);
/* The same of a text, for tests. */
bool deps_read_text(struct deps_project *d, enum deps_kind kind, struct str path, struct str text, struct err *err);

#endif
