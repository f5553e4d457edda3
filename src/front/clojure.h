/* clojure.h - a Clojure project's namespaces: read from its sources, without running any of them.
 *
 *     struct clojure_project p = {0};
 *     if (!clojure_scan(&p, roots, nroots, threads, err)) ...   // finds and reads files, on several threads
 *     if (!clojure_order(&p, err)) ...                          // a cycle is an error that shows the path
 *     clojure_project_release(&p);
 *
 * A namespace is a file that says so in its `ns` form, with the parts that it loads. What it needs is what its `ns`
 * form and its top-level calls of require, use, import, load say. A `require` below a condition is an optional edge: it
 * orders, and may be missing. `:as-alias` and `:require-macros` load nothing. As on the JVM's class path, the first
 * root that has a file wins, and .clj before .cljc. All strings live in the project. */
#ifndef TENON_FRONT_CLOJURE_H
#define TENON_FRONT_CLOJURE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/map.h"

#define NO_NAMESPACE UINT32_MAX

enum clojure_need_kind {
	CLOJURE_REQUIRE,
	CLOJURE_USE,
	CLOJURE_IMPORT, /* of a class that a namespace of this project makes; found by clojure_order */
	CLOJURE_READER, /* of a tag that data_readers gives to a function there */
	CLOJURE_LOAD,   /* (load "/a/b") of a file that is a namespace of its own */
};

/* A namespace that another one needs. */
struct clojure_need {
	struct str name;
	enum clojure_need_kind kind;
	bool optional;      /* below a condition */
	bool outside;       /* said in a form of its own, not in the `ns` form */
	bool dropped;       /* it would have closed a cycle that the others do not; never where it is a plain require */
	uint32_t line, col; /* where it is said */
	uint32_t file;      /* index in files */
	uint32_t target;    /* index in namespaces, or NO_NAMESPACE: of a library */
};
typedef Vec(struct clojure_need) ClojureNeedVec;

struct clojure_class {
	struct str name; /* "a.b_c.Rec" */
	uint32_t line, col;
};
typedef Vec(struct clojure_class) ClojureClassVec;

/* One source file. */
struct clojure_file {
	struct str path;      /* as found: root, "/", rel */
	struct str rel;       /* below its root: "a/b_c.clj" */
	struct str ns;        /* that it defines, or with `part` belongs to; empty: neither */
	uint32_t line, col;   /* of the name */
	bool part;            /* begins with in-ns */
	ClojureNeedVec needs; /* in order */
	ClojureClassVec imports;
	ClojureClassVec makes;       /* deftype, defrecord, definterface, defprotocol */
	ClojureClassVec gen_classes; /* named classes of gen-class */
	StrVec loads;                /* below a root, without suffix: "a/b_c/impl" */
	StrVec tags;                 /* of literals in it */
	StrVec notes;                /* "LINE:COL: ..." what can't be read statically */
	bool loads_computed;         /* it may load namespaces that only running it tells */
	uint64_t size;
};

struct clojure_namespace {
	struct str name;
	uint32_t file;        /* its own, in files */
	U32Vec parts;         /* files that it loads, and those that they load */
	ClojureNeedVec needs; /* of the file and its parts, each once, in order; not of itself */
	/* Mostly its own id. A namespace that another one loads, and that needs that one, can't be separated from it:
	 * both have the id of the one that loads, and so has what stands between them. */
	uint32_t group;
};

struct clojure_reader_tag {
	struct str tag, function; /* "foo/bar" -> "foo.readers/bar" */
};

struct clojure_project {
	struct arena arena;
	Vec(struct clojure_file) files; /* sorted by root, then path */
	Vec(struct clojure_namespace) namespaces;
	struct map by_name; /* of namespaces */
	Vec(struct clojure_reader_tag) readers;
	StrVec java;              /* Java sources found below the roots */
	StrVec hidden;            /* files that are not seen: "PATH: why" */
	Vec(struct arena) arenas; /* of the threads that read */
	U32Vec order;             /* namespaces, dependencies first */
	uint64_t bytes;           /* read */
};

void clojure_project_release(struct clojure_project *p);
/* Reads what one file says. Pure; strings in `a`. `rel` tells .clj from .cljc. False: it can't be read,
 * or its `ns` form is not static. */
bool clojure_read_file(struct arena *a, struct str path, struct str rel, struct str text, struct clojure_file *ret,
                       struct err *err);
/* Takes the reader tags of a data_readers.clj. */
bool clojure_add_readers(struct clojure_project *p, struct str path, struct str text, struct err *err);
void clojure_file_release(struct clojure_file *f);
/* Reads all sources below the roots with up to `threads` threads (0: as many as cores). The first file in order that is
 * wrong gives the error. user.clj at a root is for REPLs and is passed over. */
bool clojure_scan(struct clojure_project *p, const struct str *roots, size_t nroots, unsigned threads, struct err *err);
/* Settles which namespace each need means, and the order. */
bool clojure_order(struct clojure_project *p, struct err *err);

/* "a.b-c" -> "a/b_c"; and as the package of its classes, "a.b_c". */
struct str clojure_ns_path(struct arena *a, struct str ns);
struct str clojure_munge(struct arena *a, struct str ns);

#endif
