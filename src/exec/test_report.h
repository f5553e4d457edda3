/* test_report.h - a test worker's answer, for people and for the record.
 *
 * The answer is that of docs/CLOJURE.md, "(:test ...)". */
#ifndef TENON_EXEC_TEST_REPORT_H
#define TENON_EXEC_TEST_REPORT_H

#include "exec/executor.h"
#include "lang/sexp.h"

/* Adds a (:diag ...) form to `forms` for each assertion that failed, with its place below `directory`; fills r->failure
 * (text in `failure`) where the namespace failed, and r->facts (likewise in `facts`): the record that junit.h reads,
 *
 *     (:pass N :fail N :error N :vars ((:name ... :wall-ns ... :events (...) :output ...) ...)) */
void test_report(const struct sexp *answer, struct str directory, struct buf *forms, struct buf *failure,
                 struct buf *facts, struct exec_result *r);

#endif
