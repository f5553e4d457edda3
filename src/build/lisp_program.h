/* lisp_program.h - what is done with a system that targets built: a program saved, tests run. A Lisp of its own loads
 * the session that the build wrote (lisp_session.h) and evaluates a form: confined like any command, beside whatever
 * else is going on. */
#ifndef TENON_BUILD_LISP_PROGRAM_H
#define TENON_BUILD_LISP_PROGRAM_H

#include "exec/executor.h"
#include "graph/graph.h"

/* Stands in the session for the form that is to be evaluated. */
#define LISP_PROGRAM_FORM STR("@FORM@")

/* Appends the files of the workspace that the systems are made of, as comments: what they may read when they run. */
void lisp_program_sources(const struct graph *g, const char *directory, struct buf *out);

/* Borrowed for the job's life. */
struct lisp_program {
	const struct exec_place *place;
	const char *program, *core, *home; /* of the Lisp; the core has ASDF and the driver */
	const char *registry;              /* directives of the source registry */
	const char *fasls, *definitions;   /* folders that the session loads from */
};
/* The job's first input is the session. Its words are "save" MAIN OUTPUT [--compress], or "test" FORM. It is cancelled
 * as job_command.h says. */
bool lisp_program_start(const struct lisp_program *p, struct exec_job *job, struct err *err);

#endif
