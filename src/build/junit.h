/* junit.h - the results of tests as the XML that continuous integration reads.
 *
 *     struct junit x = {0};
 *     junit_add(&x, "a.b-test", "//:test", facts, failure, wall_ns) ...   // facts as exec/test_report.h makes them
 *     ok = junit_write(&x, path, err);
 *     junit_release(&x); */
#ifndef TENON_BUILD_JUNIT_H
#define TENON_BUILD_JUNIT_H

#include "base/err.h"
#include "base/str.h"

struct junit {
	struct buf suites;
	uint64_t tests, failures, errors, assertions;
};
/* `failure` is what ended a namespace whose facts are empty; both empty: it passed. */
void junit_add(struct junit *x, struct str name, struct str label, struct str facts, struct str failure,
               uint64_t wall_ns);
void junit_text(const struct junit *x, struct buf *out);
bool junit_write(const struct junit *x, const char *path, struct err *err);
void junit_release(struct junit *x);

#endif
