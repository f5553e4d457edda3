/* lisp.h - Common Lisp: the keys of actions and the requests that carry them out.
 *
 * The digest of an image is a Merkle digest over the graph: every action has a digest of what it leaves in an image,
 * made from its own effect and the digests of its dependencies. It does not depend on the order in which an image is
 * put together. An action's key is the digest of its image, its inputs and everything else that its result rests on. */
#ifndef TENON_RULES_LISP_H
#define TENON_RULES_LISP_H

#include "graph/graph.h"
#include "store/digest.h"
#include "store/store.h"

struct lisp_rules {
	struct digest base;     /* toolchain and driver */
	struct str config;      /* name of the configuration */
	struct str policy;      /* a form's text, or empty */
	struct str environment; /* declared variables, "NAME=VALUE\n" sorted */
	struct str warnings;    /* "asdf", "fail", "ignore" */
	bool sandbox;
	struct str registry; /* the source registry form, for code that searches */
};

/* What is known of an action while a build goes on. */
struct action_facts {
	struct digest *inputs; /* by input: content; a product's content for inputs with a producer */
	struct result_output *outputs;
	size_t noutputs;
	struct digest header; /* of a header: its surface, without the rows; see docs/DRIVER.md */
};

/* The digest of what `a` contributes to the images of its dependents. `deps`: the contributions of a->deps, in that
 * order (sorted here). */
struct digest lisp_contribution(const struct action *a, const struct action_facts *facts, const struct digest *deps);
/* Key of a task. `extra`: what else must be in it (the names of outputs), or a zero digest. */
struct digest lisp_key(const struct lisp_rules *rules, const struct action *a, const struct action_facts *facts,
                       const struct digest *deps, const struct digest *extra);
/* Key of the record of a header: what its pass says of its surface. */
struct digest lisp_header_key(const struct lisp_rules *rules, const struct graph *g, const struct action *a,
                              const struct action_facts *facts, const struct digest *deps);
/* The policy of a named configuration: true if it is known. Any other name is a configuration of its own with no
 * policy. */
struct str lisp_config_policy(struct str config);

/* The text of a step, for the driver. */
void lisp_step_text(const struct graph *g, const struct action *a, struct buf *out);
/* How an action is to be carried out. */
struct lisp_act {
	const char *out_root;
	const char *scratch; /* absolute folder for its outputs */
	struct str names;    /* forms of names to ask of */
	bool plain;          /* nothing is put off */
};
/* The text of the (:act ...) request. */
void lisp_act_text(const struct lisp_rules *rules, const struct graph *g, const struct action *a,
                   const struct lisp_act *act, struct buf *out);

#endif
