/* jar_plan.h - which files go into a jar: the part of jar.h before anything is written. For rules/jar*.c only.
 *
 * A plan borrows the request, maps the archives, and owns what it collected: jar_plan_release. */
#ifndef TENON_RULES_JAR_PLAN_H
#define TENON_RULES_JAR_PLAN_H

#include "rules/jar.h"
#include "wire/zip.h"

/* Something that may become an entry. */
struct jar_member {
	struct str name;
	uint32_t input;                /* index into the request's inputs */
	const struct zip_entry *entry; /* in an archive; else */
	const char *path;              /* a file; else */
	struct str text;               /* made by merging, or a folder's nothing */
	bool dropped;
};

struct jar_source {
	const struct jar_input *input;
	struct str label, map; /* the mapped archive */
	struct zip zip;
	bool multi_release;
};

struct jar_plan {
	const struct jar_request *request;
	struct arena *arena;
	struct jar_report *report;
	Vec(struct jar_source) sources; /* by input */
	Vec(struct jar_member) members; /* once jar_plan is done: as they are written */
	struct map by_name;
	Vec(struct jar_member) merged; /* contributions to names that are merged, in order */
};

bool jar_plan(struct jar_plan *p, struct err *err);
void jar_plan_release(struct jar_plan *p);
/* Appends a member's bytes, unpacked. */
bool jar_member_read(const struct jar_plan *p, const struct jar_member *m, struct buf *out, struct err *err);

#endif
