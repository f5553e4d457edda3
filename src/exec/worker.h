/* worker.h - a program that stays and takes one request after the other: Bazel's JSON worker protocol.
 *
 * https://bazel.build/remote/creating: the program is started with --persistent_worker; a request is one JSON object on
 * a line of its standard input, {"arguments": [...], "inputs": [{"path": ..., "digest": ...}], "requestId": 0}; the
 * answer one on its standard output, {"exitCode": 0, "output": "...", "requestId": 0}. It has one request at a time.
 *
 *     struct worker *w = worker_start(loop, &spec, err);
 *     worker_ask(w, &request, on_answer, ctx);      // when worker_idle(w)
 *     worker_free(w);
 *
 * What is no answer ends the worker: what it wrote is quoted in the failure, with the end of what it said on standard
 * error. So does a request that takes too long, and the worker's own end. */
#ifndef TENON_EXEC_WORKER_H
#define TENON_EXEC_WORKER_H

#include "exec/executor.h"
#include "os/confine.h"

/* Borrowed for the call of worker_start. */
struct worker_spec {
	struct str label;        /* for errors */
	const char *const *argv; /* without --persistent_worker; NULL-terminated */
	const char *const *envp;
	const char *cwd;
	bool sandbox;
	struct confinement confinement;
};

struct worker_request {
	const StrVec *arguments;
	const struct exec_input *inputs;
	size_t ninputs;
	unsigned timeout_ms; /* 0: none */
};

/* Valid for the time of the call. */
struct worker_answer {
	int exit_code;
	struct str output;
	struct str failure; /* not empty: there was no answer, and the worker is dead */
};

struct worker;
struct worker *worker_start(struct loop *l, const struct worker_spec *spec, struct err *err);
void worker_ask(struct worker *w, const struct worker_request *r,
                void (*on_answer)(void *ctx, const struct worker_answer *a), void *ctx);
bool worker_idle(const struct worker *w); /* alive and without a request */
bool worker_dead(const struct worker *w);
void worker_free(struct worker *w); /* ends it; NULL is fine; not from within on_answer */

#endif
