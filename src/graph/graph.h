/* graph.h - what is to be built: systems, and the actions that build them.
 *
 * Built once by a front end (front/), then read only. Everything lives in
 * graph.arena; actions, systems and descriptions refer to each other by dense
 * ids. Edges go from an action to what must be done before it.
 *
 *     struct graph g = {0};
 *     front_asdf_read(&g, ...);
 *     graph_finish(&g, err);        // reverse edges, order, cycles
 *     ...
 *     graph_release(&g);
 */
#ifndef TENON_GRAPH_GRAPH_H
#define TENON_GRAPH_GRAPH_H

#include "base/arena.h"
#include "base/err.h"
#include "base/map.h"

typedef uint32_t action_id;
typedef uint32_t system_id;
#define NO_ID UINT32_MAX

enum action_kind {
	ACTION_NONE,    /* only carries dependencies */
	ACTION_COMPILE, /* one source file to one FASL, in an image that holds what it declares */
	ACTION_OPAQUE,  /* any other operation with outputs, in a process of its own */
	ACTION_WHOLE,   /* a system that can't be taken apart, built by ASDF in one go */
	ACTION_LOAD,    /* a step: a component is loaded */
	ACTION_EFFECT,  /* a step: an operation without outputs that changes the image */
	ACTION_REQUIRE, /* a step: a module of the Lisp itself */
	ACTION_ASD,     /* a step: an .asd file is loaded */
	ACTION_HEADER, /* a step: what compiling and loading a file does to an image, without its FASL; see headers.h */
};
/* Executed in a leaf, has outputs and a key. */
bool action_kind_is_task(enum action_kind k);
/* A task, or a header: the image that has it for the first time tells what it is worth. */
bool action_kind_runs(enum action_kind k);
/* Carried out in the images of what depends on it. */
bool action_kind_is_step(enum action_kind k);
bool action_kind_any(enum action_kind k); /* true */
const char *action_kind_name(enum action_kind k);

struct input {
	struct str path;    /* absolute; for a product of another action: relative to the output root */
	action_id producer; /* NO_ID for a source file */
};

struct action {
	enum action_kind kind;
	struct str label;      /* "ironclad/src/ciphers/aes.lisp" or "ironclad: load-op src/ciphers/aes"; unique */
	struct str op;         /* the operation as the driver names it */
	system_id system;      /* NO_ID for a require */
	struct str *component; /* names below the system */
	uint32_t ncomponent;
	struct str definition; /* what its description says of it beyond names: class, encoding, hooks */
	struct input *inputs;
	uint32_t ninputs;
	struct str *outputs; /* relative to the output root */
	uint32_t noutputs;
	struct str *user_outputs; /* where ASDF would write them for the user; parallel to outputs, or none */
	uint32_t nuser_outputs;
	action_id *deps;
	uint32_t ndeps;
	action_id *rdeps; /* filled by graph_finish */
	uint32_t nrdeps;
	uint32_t order;      /* place in the front end's own order: a topological order */
	struct str path;     /* ACTION_ASD: the file; ACTION_REQUIRE: the module's name */
	struct str features; /* ACTION_ASD: the features to read it with, as text */
	struct str logical;  /* source name for debug information: path below the system's folder */
	bool exempt;         /* ASDF itself: provided by every image */
	/* Where images may hold headers (headers.h), else NO_ID and nothing: */
	action_id header_of;     /* ACTION_HEADER, and a load that was one: the compile whose effect it has */
	action_id header;        /* a compile's: the header that has its effect, also when it has become a load */
	action_id twin;          /* what stands for this action where images hold headers */
	struct str used;         /* ACTION_HEADER: digest of what it used, as its record tells; empty while unknown */
	bool header_side;        /* it is such a twin, */
	action_id load_of;       /* of this action */
	bool apart;              /* a header, or a load that was one: not to be on the spine, see spine.h */
	action_id *classic_deps; /* a compile's dependencies without headers; `deps` are those with them */
	uint32_t nclassic_deps;
	bool either_side; /* a compile whose dependencies have no twins: its image is the same both ways */
};

/* An action that refers to no other one, and to no system, yet. */
struct action action_new(enum action_kind kind);

struct system {
	struct str name;
	struct str version;
	struct str dir;       /* absolute, ends in "/" */
	struct str asd;       /* path of the .asd file */
	action_id asd_action; /* its step */
	struct str *depends_on;
	uint32_t ndepends_on;
	struct str whole; /* why it can't be taken apart; empty if it can */
	action_id final;  /* its load; NO_ID if not part of the request */
};

struct target {
	struct str name;
	action_id *finals;
	uint32_t nfinals;
};

struct graph {
	struct arena arena;
	Vec(struct action) actions;
	Vec(struct system) systems;
	Vec(struct target) targets;
	struct map system_by_name;
	U32Vec by_order; /* action ids in topological order; filled by graph_finish */
};

void graph_release(struct graph *g);
/* Fills rdeps, order and by_order. False: a cycle; the error names its members in a line "a -> b -> a". */
bool graph_finish(struct graph *g, struct err *err);
/* `id` depends on `dep` as well: both directions. graph_reorder is due afterwards. */
void graph_depend(struct graph *g, action_id id, const action_id *deps, size_t n);
/* Fills by_order anew after edges were added (deps and rdeps both). */
bool graph_reorder(struct graph *g, struct err *err);
struct action *graph_action(const struct graph *g, action_id id);
struct system *graph_system(const struct graph *g, system_id id);
system_id graph_find_system(const struct graph *g, struct str name); /* NO_ID if unknown */

/* Transitive dependencies. A walker holds the marks of one graph; reuse it. */
struct closure {
	const struct graph *graph;
	uint32_t *mark;
	uint32_t epoch;
	U32Vec stack;
};
void closure_init(struct closure *c, const struct graph *g);
void closure_release(struct closure *c);
/* Appends to `out` all actions that `id` depends on, directly or not, for which `want` holds; not `id` itself; in no
 * particular order. */
void closure_of(struct closure *c, action_id id, bool (*want)(enum action_kind), U32Vec *out);

#endif
