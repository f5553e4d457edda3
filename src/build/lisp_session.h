/* lisp_session.h - what loads systems that were built into a Lisp of their own: for eval, repl, programs and tests. */
#ifndef TENON_BUILD_LISP_SESSION_H
#define TENON_BUILD_LISP_SESSION_H

#include "build/build.h"

/* What ASDF would do to load all targets of the graph, in its order: steps, and loads of systems and modules. */
void lisp_session_steps(struct graph *g, U32Vec *out);
/* The file that the driver reads by the name in TENON_SESSION (drivers/sbcl/80-session.lisp): it loads them, then
 * evaluates `form`, or gives the prompt where that is empty. */
void lisp_session_text(const struct session *s, struct graph *g, struct str form, bool user_init, struct buf *out);

#endif
