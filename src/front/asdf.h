/* asdf.h - the plan that ASDF made, read into a graph.
 *
 * The driver describes systems in one form (docs/DRIVER.md, "Describing"); this reads that form. Asd files become
 * actions of their own, so that an image is a set of actions and nothing else. */
#ifndef TENON_FRONT_ASDF_H
#define TENON_FRONT_ASDF_H

#include "graph/graph.h"
#include "lang/sexp.h"

/* What a description rests on: it stays true as long as all of these are what they were. */
struct description_inputs {
	StrVec read;    /* files */
	StrVec absent;  /* files that were looked for */
	StrVec folders; /* folders whose listing was used */
};
void description_inputs_release(struct description_inputs *in);

/* What a description has to say beside the plan. */
struct description_findings {
	StrVec notes;             /* what people should know, a line each; in the graph's arena */
	Vec(struct err) failures; /* a system each that is left out, because the request was to keep going; owned */
};
void description_findings_release(struct description_findings *f);

/* Fills an empty graph from `text`, a (:plan ...) form, and finishes it. Strings are copied into the graph's arena.
 * ERR_BUG where the form is not what the driver promises; ERR_USER for a cycle. */
bool front_asdf_read(struct graph *g, struct str text, struct description_findings *ret, struct err *err);
/* The inputs alone; strings point into the arena `a`. */
bool front_asdf_inputs(struct arena *a, struct str text, struct description_inputs *ret, struct err *err);
/* Fills `err` from a (:describe-failed ...) form, with the message, who asked, the nearest names. Returns false. */
bool front_asdf_failure(const struct sexp *form, struct err *err);

#endif
