/* toolchain.h - a Lisp implementation on this machine, and the base core made from it.
 *
 *     struct toolchain tc = {0};
 *     toolchain_find(&tc, &spec, err)       // which Lisp, what version, its digest
 *     toolchain_base_core(&tc, ...)         // a core with ASDF and the driver, from the store or made now
 *
 * To make the base core takes a second and more. A process that has just loaded the driver is as good as one that was
 * started from that core, so who needs one at once may start it from the bare Lisp, with toolchain_fresh_arguments(),
 * and have it save the core when it has done its work. */
#ifndef TENON_EXEC_TOOLCHAIN_H
#define TENON_EXEC_TOOLCHAIN_H

#include "base/arena.h"
#include "base/event.h"
#include "store/filecache.h"
#include "store/store.h"

#define TOOLCHAIN_OLDEST_SBCL "2.2.6"

struct toolchain {
	struct arena *arena;  /* borrowed; holds all strings */
	char *program;        /* absolute path of the runtime */
	char *core;           /* its core file */
	char *home;           /* SBCL_HOME: where contrib/ is */
	struct str version;   /* "2.2.9.debian" */
	struct digest digest; /* runtime, core, contributed modules */
	struct digest driver; /* the Lisp side of tenon */
	struct digest base;   /* toolchain and driver together: the root of every image's digest */
	char *base_core;      /* path in the store; NULL until toolchain_base_core */
	struct digest core_blob;
	const char **fresh; /* while there is no base core: the arguments that make a root of the bare Lisp */
	bool from_sources;  /* the driver that was compiled with this program is not to be used */
	StrVec files;       /* what the digest was taken from: absolute paths */
};

struct toolchain_spec {
	const char *lisp;   /* what the user named, or NULL: "sbcl" in PATH */
	const char *search; /* PATH */
	struct store *store;
	struct filecache *files;
};
/* ERR_ENVIRONMENT where there is no SBCL or it is too old, with a note that says what to install. */
bool toolchain_find(struct toolchain *tc, struct arena *a, const struct toolchain_spec *spec, struct err *err);
/* Sets base_core if the store has it. */
bool toolchain_find_base_core(struct toolchain *tc, struct store *store, struct err *err);
/* The arguments of the Lisp, behind its program, that make it load the driver and call `function` with the name of the
 * folder `dir`; the driver's files are written there. NULL-terminated, in `a`. */
const char **toolchain_fresh_arguments(const struct toolchain *tc, struct arena *a, const char *dir,
                                       const char *function, struct err *err);
/* Takes a base core, saved by a process that had loaded the driver, into the store. `base`: of the toolchain's struct;
 * `program`: its path. */
bool toolchain_keep_base_core(struct store *store, const struct digest *base, const char *program, const char *core,
                              struct err *err);
/* Sets base_core. `again`: what the store holds does not start; make it anew. */
bool toolchain_base_core(struct toolchain *tc, struct store *store, bool again, struct event_sink *sink,
                         struct err *err);
void toolchain_release(struct toolchain *tc);
/* The environment every process of the Lisp gets, whatever the user's is: NULL-terminated, in `a`. `extra`: NAME=VALUE
 * settings on top. */
const char **toolchain_environment(const struct toolchain *tc, struct arena *a, const char *const *extra, size_t n);

#endif
