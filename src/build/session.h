/* session.h - one workspace being worked on: where things are, the store, the Lisp, the process pool.
 *
 *     struct session s;
 *     session_open(&s, &options, sink, err)     // store, file cache, lock
 *     session_toolchain(&s, err)                // the Lisp
 *     session_describe(&s, &graph, err)         // from the cache, or by asking the Lisp
 *     ...
 *     session_close(&s)
 */
#ifndef TENON_BUILD_SESSION_H
#define TENON_BUILD_SESSION_H

#include "base/event.h"
#include "exec/pool.h"
#include "exec/toolchain.h"
#include "front/asdf.h"
#include "front/registry.h"
#include "lang/sexp.h"
#include "rules/lisp.h"
#include "store/filecache.h"
#include "store/history.h"
#include "store/store.h"

/* The hidden first argument of the program for what is to be done behind the saving of a base core: base_core_main(),
 * snapshots.h. */
#define BASE_CORE_ARG "--tenon-keep-base-core"

/* What the user asked for; strings are borrowed for the session's life. */
struct build_options {
	const char *directory; /* the workspace, absolute */
	const struct str *targets;
	size_t ntargets;
	unsigned jobs;
	bool keep_going, lax, install_fasls, sandbox;
	const struct str *strict; /* systems to which `lax` does not apply */
	size_t nstrict;
	const char *place;    /* name of the folders of outputs and state; NULL: the configuration's */
	bool nested;          /* within a session of this process, which holds the workspace's lock */
	const char *install;  /* folder below which built files are copied as they lie in the out folder, or NULL */
	bool snapshots;       /* images may be saved, and builds start from saved ones */
	bool headers;         /* images hold headers where they can, not FASLs */
	const char *config;   /* "default" */
	const char *warnings; /* "asdf" */
	unsigned timeout_s;
	uint64_t image_memory, heap; /* bytes: that parked images may hold, that each Lisp may use */
	const char *lisp;            /* NULL: sbcl in PATH */
	const char *store_dir;       /* NULL: $XDG_CACHE_HOME/tenon */
	const char *registry;        /* directives, or NULL */
	const struct str *env;       /* names of variables to pass */
	size_t nenv;
	void (*tick)(void *ctx); /* called ten times a second while the build waits; or NULL */
	void *tick_ctx;
};

struct seen_file {
	struct str path;
	struct file_sig sig;
};

struct session {
	struct build_options options;
	struct arena arena;
	struct event_sink *sink;
	char *state_dir;  /* DIR/.tenon, or below the user's cache where DIR is read-only */
	char *out_dir;    /* state_dir/out/CONFIG */
	char *config_dir; /* state_dir/state/CONFIG */
	char *store_dir;
	char *last_file; /* the record of the last build of this request */
	struct digest request;
	int lock_fd;
	struct store *store;
	struct filecache *files;
	struct toolchain toolchain;
	struct registry registry;
	struct description_findings findings;
	struct lisp_rules rules;
	struct loop *loop;
	struct pool *pool;
	const struct graph **pool_graph; /* the graph that steps are looked up in */
	char *fresh_dir;                 /* where the driver lies that the root has loaded: there was no base core */
	struct str lisp_environment;     /* what the pool's processes get beyond the fixed part: lines */
	struct history *history;
	StrVec environment;         /* NAME=VALUE, declared */
	StrVec provided;            /* systems that were built for the description's sake */
	struct map told;            /* labels of actions of such builds whose ends people have heard of */
	Vec(struct seen_file) seen; /* every file that this build rests on, as it was when it was read */
	struct map seen_index;      /* path -> the last of them in `seen` */
	uint64_t next_id;           /* of events */
	struct watch *interrupt;
	struct timer *ticker;
};

/* Where the shared store is, and the clones of Git repositories; absolute, in the arena. */
char *session_store_dir(struct arena *a, const struct build_options *options);
char *session_clones(struct arena *a, const struct build_options *options);

/* Computes paths and the request's digest; touches nothing but the state folder. */
bool session_init(struct session *s, const struct build_options *options, struct event_sink *sink, struct err *err);
/* True if the last build of this request is still right; `text` then gets what it had to say. */
bool session_unchanged(struct session *s, struct buf *text, size_t *ret_files);
/* Notes which file is the first that is not what the last build of this request saw, if there was one. */
void session_tell_change(struct session *s);
/* Takes the workspace's lock (waiting for another tenon, with a note), opens the store and the file cache. */
bool session_open(struct session *s, struct err *err);
bool session_toolchain(struct session *s, struct err *err);
/* What holds the processes of the Lisp; there may be none yet. */
bool session_bare_pool(struct session *s, struct err *err);
/* Starts the Lisp, if it is not running. */
bool session_pool(struct session *s, struct err *err);
/* The event loop, which signals wake; made when first asked for. */
struct loop *session_loop(struct session *s);
/* Reads the description of the targets into an empty graph. With `keep_going` what can't be described is left out:
 * findings.failures. Where `ret_wanted` isn't NULL, it may become the name of a system, in the session's arena, that
 * an .asd file loads while it is read and that isn't among s->provided: much of it is to be compiled yet. Then the
 * graph stays empty. */
bool session_describe(struct session *s, struct graph *g, struct str *ret_wanted, struct err *err);
/* Where ASDF, as it describes, has what it compiles; in `a`. */
char *session_describe_cache(const struct session *s, struct arena *a);
/* The version of ASDF that images hold, appended to `out`. */
bool session_asdf_version(struct session *s, struct buf *out, struct err *err);
/* Lets others work in the workspace; what is known stays. */
void session_unlock(struct session *s);
/* Saves caches, ends processes, releases everything. */
void session_close(struct session *s);

/* How bad a diagnostic of the driver's says that it is: its :severity, or NULL. */
enum severity session_severity(const struct sexp *keyword);
void session_note(struct session *s, enum note_level level, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Path in the folder of built files; in `a`. */
/* Digest of a file's content; the file counts as seen by this build. */
bool session_digest(struct session *s, struct str path, struct digest *ret, bool *ret_exists, struct err *err);
/* The signature under which session_digest read the file the last time; NULL if it never did. */
const struct file_sig *session_seen(const struct session *s, struct str path);
char *session_out_path(const struct session *s, struct arena *a, struct str rel);
/* Puts outputs into the out folder out of the store, where other files lie; *ret_changed, if any did, becomes true. An
 * error of kind ERR_TRANSIENT: the store has one no more, or a damaged one. */
bool session_place_outputs(struct session *s, struct arena *a, const struct result_output *outputs, size_t n,
                           bool *ret_changed, struct err *err);

#endif
