/* jvm.h - JVM workers: processes that each hold one Clojure runtime and answer requests, several at a time.
 *
 *     struct jvm_toolchain tc;
 *     jvm_find(&tc, arena, &spec, err)               // which JDK and Clojure, what their digest is
 *     jvm_prepare(&tc, store, false, sink, err)      // the worker's jar, from the store or made now
 *     struct jvm_pool *p = jvm_pool_new(&config);
 *     jvm_submit(p, &job) ...                        // job.done() is called from loop_run_once()
 *     jvm_pool_free(p);                              // ends every process
 *
 * A pool's processes all have the same session. Requests are whole in themselves, so that each can carry out any; what
 * requests and answers mean is written in docs/CLOJURE.md and known to the callers only.
 *
 * A process that dies costs the job that killed it and no other: when several were under way, each of them runs again,
 * alone. A job that takes too long ends with its process, the others under way in it run again. */
#ifndef TENON_EXEC_JVM_H
#define TENON_EXEC_JVM_H

#include "base/arena.h"
#include "base/event.h"
#include "os/confine.h"
#include "os/loop.h"
#include "store/filecache.h"
#include "store/store.h"

/* The worker's sockets are addressed by path, which Java knows since 16. */
#define JVM_OLDEST_JAVA 17

struct jvm_toolchain {
	struct arena *arena;          /* borrowed; holds all strings */
	char *java, *javac;           /* absolute paths */
	char *home;                   /* of the JDK */
	StrVec clojure;               /* the jars of Clojure itself: clojure, spec.alpha, core.specs.alpha */
	struct str version;           /* as the JDK's file `release` says: "17.0.15" */
	struct digest digest;         /* JDK and Clojure */
	struct digest driver;         /* the Clojure side of tenon */
	struct digest base;           /* both: part of every key */
	char *jar, *archive;          /* of the worker, in the store; NULL until jvm_prepare */
	char *repl, *exec, *resolver; /* scripts for clojure.main, in the store; NULL until jvm_prepare */
};

struct jvm_spec {
	const char *java;           /* what the user named, or NULL: $JAVA_HOME's, then "java" in `search` */
	const char *search;         /* PATH */
	const char *const *clojure; /* absolute paths, Clojure's own jar first */
	size_t nclojure;
	struct store *store;
	struct filecache *files;
};
/* ERR_ENVIRONMENT where there is no JDK or it is too old, with a note that says what to install. */
bool jvm_find(struct jvm_toolchain *tc, struct arena *a, const struct jvm_spec *spec, struct err *err);
void jvm_release(struct jvm_toolchain *tc);
/* Which of these files are Clojure's own jars, its core first; folders are passed over. ERR_USER: none is its core. The
 * strings are those of `class_path`, NUL-terminated there. */
#define JVM_CLOJURE_JARS 3
bool jvm_clojure_in(const StrVec *class_path, const char *ret[JVM_CLOJURE_JARS], size_t *ret_n, struct err *err);
/* Does any of them hold the entry? */
bool jvm_class_path_has(const StrVec *class_path, const char *entry);
/* Takes the worker's jar and the archive of its classes (AppCDS) from the store, or makes them: some seconds. `again`:
 * what the store holds does not start. */
bool jvm_prepare(struct jvm_toolchain *tc, struct store *store, bool again, struct event_sink *sink, struct err *err);
/* The environment of every JVM, whatever the user's is: NULL-terminated, in `a`. */
const char **jvm_environment(const struct jvm_toolchain *tc, struct arena *a, const char *const *extra, size_t n);

/* -- workers -- */

struct jvm_pool;
struct jvm_libraries; /* jvm_libraries.h */

struct jvm_config {
	struct loop *loop;                     /* borrowed */
	const struct jvm_toolchain *toolchain; /* prepared; borrowed */
	struct str session;                    /* the parts of the (:session ...) request, as text; borrowed */
	const char *const *extra_env;          /* NAME=VALUE; borrowed for the pool's life */
	size_t nextra_env;
	const struct str *options; /* of the JVM, behind our own; borrowed for the pool's life */
	size_t noptions;
	const char *cwd;    /* NULL: "/" */
	unsigned processes; /* at most so many at a time; at least 1 */
	unsigned threads;   /* jobs at a time in each; at least 1 */
	unsigned recycle;   /* a process ends after so many jobs; 0: it lives as long as the pool */
	uint64_t heap;      /* bytes of Java heap for each; 0: all of them together 60 % of what there is */
	const struct confinement *confinement; /* NULL: none; borrowed for the pool's life */
	struct jvm_libraries *libraries;       /* NULL: those on the class path are loaded as they are; borrowed */
};

enum jvm_outcome {
	JVM_ANSWERED, /* text: the answer, one form */
	JVM_CRASHED,  /* text: how the process ended, for people: "signal 9 (killed)" */
	JVM_TIMED_OUT,
	JVM_NO_START, /* no process came up, or its session failed; text: why, or the session's answer */
};
struct jvm_result {
	enum jvm_outcome outcome;
	struct str text;  /* for the time of the call */
	struct str doing; /* not JVM_ANSWERED: what it did last, as far as it told (the name of a test); likewise */
	uint64_t wall_ns; /* from its start in a process to its end */
};

/* Lives with the caller until done() was called. */
struct jvm_job {
	struct str kind;    /* "compile"; borrowed until done */
	struct str request; /* the parts of the request behind its number, as text; borrowed until done */
	struct str label;
	/* From its start in a process; 0: none. The worker gives up by itself and answers (:exited ...) with what it
	 * was doing; one that does not even do that is ended soon after, JVM_TIMED_OUT. */
	unsigned timeout_ms;
	bool fresh; /* in a process of its own that has done nothing else: audits */
	void (*done)(struct jvm_job *job, const struct jvm_result *result);
	void *ctx;
	/* private */
	struct jvm_pool *pool;
	struct timer *timer;
	uint64_t id;
	int64_t started_ns;
	uint32_t process;
	struct buf doing;
	bool alone; /* was under way when a process died */
};

struct jvm_pool *jvm_pool_new(const struct jvm_config *config);
void jvm_pool_free(struct jvm_pool *p); /* NULL is fine; jobs are dropped without done() */
/* Runs the loop until the processes have told what they made of libraries, for some seconds at most. No job runs. */
void jvm_pool_drain(struct jvm_pool *p);
/* Jobs start in the order in which they were submitted, as soon as a process has room. */
void jvm_submit(struct jvm_pool *p, struct jvm_job *job);

struct jvm_stats {
	uint64_t processes, jobs, repeated, crashed;
	uint64_t start_ns; /* of the last process, until its session was answered */
};
struct jvm_stats jvm_pool_stats(const struct jvm_pool *p);
#endif
