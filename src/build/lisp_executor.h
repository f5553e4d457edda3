/* lisp_executor.h - the executor "lisp": systems of ASDF's, built by the builder of systems within a build of targets.
 *
 * A build of its own runs in the same workspace, with outputs in a folder of their own (out/lisp), while others of the
 * outer build's actions go on in their processes. What it looks at, the outer build looks at. */
#ifndef TENON_BUILD_LISP_EXECUTOR_H
#define TENON_BUILD_LISP_EXECUTOR_H

#include "build/session.h"
#include "exec/executor.h"

/* `outer` and what `place` names are borrowed for the executor's life; `actions`: how many its build has. */
struct executor *lisp_executor_new(struct session *outer, const struct exec_place *place, uint64_t actions);

#endif
