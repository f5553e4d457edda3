/* jvm_text.h - an action of the executor "jvm" as a worker's request, and the worker's answer as a result.
 *
 * Words of actions: rules/target_clojure_compile.c, target_clojure_jar.c. Requests and answers: docs/CLOJURE.md. */
#ifndef TENON_EXEC_JVM_TEXT_H
#define TENON_EXEC_JVM_TEXT_H

#include "exec/executor.h"

/* The parts of the request behind its number. `out_dir`: where a compile writes, absolute. */
void jvm_text_request(const struct exec_place *p, const struct exec_job *job, const char *out_dir, struct buf *out);
/* Reads an answer, and calls job->done. */
void jvm_text_answer(const struct exec_place *p, struct exec_job *job, struct str text);

#endif
