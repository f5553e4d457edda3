/* jvm_executor.h - the executor "jvm": namespaces of Clojure, compiled in runtimes that stay for the build.
 *
 * Actions with the same class path (target_action.runtime) share a runtime; it is started with the first of them. */
#ifndef TENON_EXEC_JVM_EXECUTOR_H
#define TENON_EXEC_JVM_EXECUTOR_H

#include "exec/executor.h"
#include "exec/jvm.h"

/* All of it is borrowed for the executor's life. */
struct jvm_executor_config {
	struct exec_place place;
	struct store *store;
	struct filecache *files;
	struct event_sink *sink;
	unsigned threads; /* compiles at a time in one runtime */
	bool audit;       /* each namespace a second time, alone, and the bytes compared */
};
struct executor *jvm_executor_new(const struct jvm_executor_config *config);

#endif
