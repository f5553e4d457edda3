/* deps.h - declared dependencies against those that are used.
 *
 * Pure: from a graph and the survey of its files. A component (a file or a module) declares dependencies on its
 * siblings; what its files use of other files is lifted to the pair of siblings that hold both. A sibling is
 *
 * - needed, when some file in the component would compile to something else, fail, or not load without it,
 * - called, when only its functions are called at run time: their order does not matter, but where it is declared,
 *   directly or not, it stays so, and the compiler goes on checking these calls;
 * - unused otherwise.
 *
 * The dependencies to declare are the transitive reduction of these: what is needed, and what is called and declared,
 * without what another one brings along anyway: one that is always there when the component is. Where a component holds
 * what can't be surveyed (an operation that is no compile of Lisp, a file that did not compile), or a dependency has
 * effects that no name tells of, what is declared stays. */
#ifndef TENON_BUILD_DEPS_H
#define TENON_BUILD_DEPS_H

#include "build/survey.h"

typedef uint32_t component_id;

struct dep {
	component_id on; /* a sibling */
	bool declared;   /* in so many words, or by :serial */
	bool optional;   /* declared under a condition: it need not be there */
	bool reached;    /* by what is declared, directly or not */
	bool needed, called;
	bool keep;       /* it can't be judged, and stays */
	bool impossible; /* it can't be declared */
	bool minimal;    /* to be declared */
	struct str why;  /* how it is used */
	struct str note; /* of a superfluous one: why it is */
};
typedef Vec(struct dep) DepVec;

struct component {
	system_id system;
	component_id parent;  /* NO_ID: of the system itself */
	struct str name;      /* below its parent */
	struct str path;      /* names below the system, joined by "/" */
	struct str file;      /* the source, for a file that is compiled */
	struct str condition; /* that it stands under in the description, as text: without, it is away. Empty: none */
	action_id compile;    /* NO_ID: none */
	bool surveyed;        /* all that it holds was */
	bool opaque;          /* it has effects that no name tells of, or none at all */
	bool changes;         /* minimal is not what is declared */
	DepVec deps;          /* in the order of components */
};

struct system_dep {
	struct str name; /* of a system or a module */
	bool declared, reached, needed, called;
	struct str why;  /* how it is used */
	struct str note; /* of one that is declared and not used: what it brings along that is */
};

struct system_deps {
	system_id system;
	bool inferred; /* its dependencies stand in its sources */
	Vec(struct system_dep) deps;
};

struct deps {
	struct arena arena;
	const struct graph *graph;
	const struct survey *survey;
	Vec(struct component) components; /* a parent before its children, else in ASDF's order */
	Vec(struct system_deps) systems;
	struct map index; /* "system\npath" -> component */
};

void deps_judge(struct deps *d, const struct graph *g, const struct survey *s, const system_id *systems, size_t n);
void deps_release(struct deps *d);
/* Conditions have been filled in: all minimal lists are computed anew. */
void deps_conditions_known(struct deps *d);
/* The component, and what holds it, keep all that they depend on now, directly or not: without some of it they turned
 * out to be something else. All minimal lists are computed anew. */
void deps_give_back(struct deps *d, component_id id);
/* What the component declares can't be changed: all that it reaches goes on bringing along what it does. */
void deps_hold(struct deps *d, component_id id);
/* Needed, and neither declared nor brought along. */
bool dep_is_missing(const struct dep *d);
bool dep_is_superfluous(const struct dep *d);
bool system_dep_is_missing(const struct system_dep *d);
bool system_dep_is_superfluous(const struct system_dep *d);
/* The component of that path in the system, or NO_ID. */
component_id deps_find(const struct deps *d, system_id system, struct str path);
/* The component's names from the system down, in `a`. */
struct str *deps_names(const struct deps *d, struct arena *a, const struct component *c, uint32_t *ret_n);

#endif
