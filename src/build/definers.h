/* definers.h - who defines a name.
 *
 * A unit is compiled with what it declares and no more. What it then misses is one of these: a function that a later
 * file defines (fine: it is settled when the system is loaded), a name that nobody defines (the warning stays), or
 * something that an earlier file would have provided had it been declared. To tell them apart, an image with the unit's
 * own steps carries out the other steps one by one and says after which of them the name is there. */
#ifndef TENON_BUILD_DEFINERS_H
#define TENON_BUILD_DEFINERS_H

#include "build/build.h"

struct finding {
	struct str name; /* as the driver writes it: the form's text */
	struct str kind; /* how it is defined */
	action_id step;  /* what defines it; NO_ID: it was there before all candidates */
};
typedef Vec(struct finding) FindingVec;

struct query {
	struct build *build;
	struct pool_job job;
	struct buf act;
	struct str names; /* forms */
	action_id unit;   /* in whose image to ask */
	U32Vec steps;     /* candidates, in order */
	bool done, cached;
	struct str answer;
};

/* The names in the errors of a failed unit, as text of forms. */
struct str definers_of_failure(struct build *b, action_id id);
/* Who defines `names` (text of forms) that `id` misses: steps of its own system or of `all`, those `before` it in the
 * front end's order or any. */
bool definers_find(struct build *b, action_id id, struct str names, bool all, bool before, FindingVec *out,
                   struct err *err);
/* Tells people which declaration is missing. */
void definers_tell(struct build *b, action_id id, const struct finding *f, enum severity severity);

/* -- many questions at once -- */
/* The steps outside the unit's image that can be carried out, in order. */
void definers_candidates(struct build *b, action_id id, bool all, bool before, U32Vec *out);
/* Asks all that are not done, each in the image of its unit. */
bool definers_ask(struct build *b, struct query *queries, size_t n, struct err *err);
void definers_read(struct query *q, FindingVec *out);

/* -- words -- */
/* "PKG::NAME" in quotes, or package "NAME", out of the driver's (KIND PACKAGE NAME). */
struct str definers_display(struct build *b, struct str form);
/* The text of a form, in the build's arena. */
struct str definers_print(struct build *b, const struct sexp *form);
/* True for the kinds of names that may be defined after their use was compiled. */
bool definers_is_function(struct str kind);
/* Parts of one system file. */
bool definers_same_system(const struct build *b, system_id a, system_id c);
/* True if images of `unit` may hold `step`, as far as it is a header or a FASL. */
bool definers_same_side(const struct action *unit, const struct action *step);

#endif
