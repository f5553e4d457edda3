/* jvm_libraries.h - the classes of others' namespaces, compiled once and kept in the store, for each jar.
 *
 *     struct jvm_libraries l;
 *     jvm_libraries_open(&l, arena, &toolchain, store, files, &class_path, &names, threads);
 *     config.libraries = &l;                        // of a jvm_pool, whose processes then load them
 *     jvm_libraries_close(&l);                      // after the pool
 *
 * A process loads the namespaces NAMES, and all that they need, while it carries out requests already. Those that no
 * jar in the store has are compiled on the way; what is new of each jar of the class path goes into a jar of its own
 * that replaces the old one, and later processes take their classes from it. The key of such a jar is made of Clojure
 * and the driver, of the jar whose sources they are, and of those that their compile may see (front/library.h): what it
 * holds may grow, but a class in it never changes. Namespaces that lie in folders, or rest on such, are never in one.
 *
 * Which namespaces there are, is looked up while the first process starts. */
#ifndef TENON_EXEC_JVM_LIBRARIES_H
#define TENON_EXEC_JVM_LIBRARIES_H

#include "exec/jvm.h"
#include "front/library.h"

/* What was made of the sources in one jar of the class path. */
struct jvm_library {
	uint32_t place; /* in the survey */
	struct digest key;
	char *made;      /* the jar in the store, or NULL */
	struct map left; /* namespaces that don't compile */
	struct map has;  /* files in it */
};

struct jvm_libraries {
	struct arena *arena; /* borrowed, as all that follows */
	const struct jvm_toolchain *toolchain;
	struct store *store;
	struct filecache *files;
	StrVec class_path, names; /* of `arena` */
	unsigned threads;
	char *folder; /* where new ones are made */
	bool surveyed;
	struct library_survey survey;
	Vec(struct jvm_library) jars;
};

/* CLASS_PATH as in the session's request. */
bool jvm_libraries_open(struct jvm_libraries *l, struct arena *a, const struct jvm_toolchain *tc, struct store *store,
                        struct filecache *files, const StrVec *class_path, const StrVec *names, unsigned threads,
                        struct err *err);
void jvm_libraries_close(struct jvm_libraries *l); /* zeroed is fine */

/* A jar at `path` of the classes of those namespaces that NAMES are and need. *ret_ready false, and no jar: some of
 * them are not compiled yet. Equal libraries give equal bytes. */
bool jvm_libraries_write(const struct jvm_libraries *l, const StrVec *names, const char *path, bool *ret_ready,
                         struct err *err);

/* -- for the pool -- */
/* Once; worth doing while a process starts. */
bool jvm_libraries_survey(struct jvm_libraries *l, struct err *err);
/* The part " :libraries (...)" of the request for the session of a process, which has a number of its own. *ret_making:
 * how many jars the process will tell of. */
void jvm_libraries_request(const struct jvm_libraries *l, uint32_t process, struct buf *out, unsigned *ret_making);
/* (:made JAR PATH): a jar of the request is done; a new one goes to the store. */
bool jvm_libraries_keep(struct jvm_libraries *l, struct str message, struct err *err);

#endif
