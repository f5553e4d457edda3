/* jdk.h - the Java development kit on this machine. */
#ifndef TENON_EXEC_JDK_H
#define TENON_EXEC_JDK_H

#include "base/arena.h"
#include "base/err.h"
#include "store/filecache.h"

struct jdk {
	char *home, *java, *javac;
	struct digest digest; /* of the programs and of the library: equal ones compile to equal classes */
	StrVec files;         /* that the digest was made of */
};

/* `java_home` (the variable's value, or NULL), else the one that `javac` in `search` (the value of PATH) belongs to.
 * Strings live in `a`. ERR_ENVIRONMENT with a note where there is none. */
bool jdk_find(struct jdk *ret, struct arena *a, const char *java_home, const char *search, struct filecache *files,
              struct err *err);
void jdk_release(struct jdk *j);

#endif
