/* jvm_libraries.h - the classes of others' namespaces, compiled once for a class path and kept in the store.
 *
 *     struct jvm_libraries l;
 *     jvm_libraries_open(&l, arena, &toolchain, store, files, &class_path, threads, err)
 *     config.libraries = &l;                        // of a jvm_pool, whose processes then load them
 *     jvm_libraries_close(&l);                      // after the pool
 *
 * The first process of a pool that needs namespaces which the jar in the store does not have compiles them while it
 * loads them; the jar with these replaces the old one, and later processes take their classes from it. The key is made
 * of Clojure and the driver, and of the jars on the class path in their order: what the jar holds may grow, but a class
 * in it never changes. Namespaces that lie in folders, or rest on such, are never in it. */
#ifndef TENON_EXEC_JVM_LIBRARIES_H
#define TENON_EXEC_JVM_LIBRARIES_H

#include "exec/jvm.h"

struct jvm_libraries {
	struct arena *arena; /* borrowed */
	struct store *store; /* borrowed */
	struct digest key;
	char *made;   /* the jar in the store, or NULL */
	char *folder; /* where a new one is made */
	unsigned threads;
};

/* CLASS_PATH as in the session's request. */
bool jvm_libraries_open(struct jvm_libraries *l, struct arena *a, const struct jvm_toolchain *tc, struct store *store,
                        struct filecache *files, const StrVec *class_path, unsigned threads, struct err *err);
void jvm_libraries_close(struct jvm_libraries *l); /* zeroed is fine */

/* -- for the pool -- */
/* The part " :libraries (...)" of the request for the session of a process, which has a number of its own. */
void jvm_libraries_request(const struct jvm_libraries *l, uint32_t process, struct buf *out);
/* What the session answered: a new jar goes to the store. */
bool jvm_libraries_keep(struct jvm_libraries *l, struct str answer, struct err *err);

#endif
