/* survey.h - what the files of a built system use of others.
 *
 *     build_run(&b, err)                      // everything is built, --lax if need be
 *     struct survey s;
 *     survey_run(&s, &b, systems, n, err);
 *     ... s.files ...
 *     survey_release(&s);
 *
 * Each file is compiled once more, in an image of everything that ASDF would have loaded before it, and loaded; the
 * driver notes every name that the compiler, the loader and the reader looked up. One more image carries out all steps
 * and says which of them changed what these names mean (docs/DRIVER.md, "Surveys"). A file uses a step if the step
 * changed a name that the file looked up, or made a function that was called while the file was compiled or loaded.
 * Answers are kept in the store. */
#ifndef TENON_BUILD_SURVEY_H
#define TENON_BUILD_SURVEY_H

#include "build/build.h"

struct survey_use {
	action_id step; /* a load, a require, any other step; never a header */
	/* False: nothing but functions that are called at run time. The file compiles to the same without the step,
	 * though with a warning that the next file may settle. */
	bool needed;
	struct str why; /* "macro \"FOO::WITH-BAR\""; the most telling one */
};
typedef Vec(struct survey_use) SurveyUseVec;

struct survey_file {
	action_id compile;
	bool ok;           /* false: the file could not be surveyed; `uses` holds nothing */
	SurveyUseVec uses; /* in the order of steps */
};

struct survey {
	struct arena arena;
	struct build *build;
	Vec(struct survey_file) files; /* in ASDF's order */
};

/* Surveys the compiles of these systems. */
bool survey_run(struct survey *s, struct build *b, const system_id *systems, size_t n, struct err *err);
void survey_release(struct survey *s);
/* uses.c: fills the files' uses. `forms`: by file, the driver's answer or NULL; `changers`: its answer about the steps.
 */
void survey_read_uses(struct survey *s, const struct sexp *const *forms, const struct sexp *changers,
                      const U32Vec *steps);
/* Loads everything that was built into one image, in ASDF's order. Appends the steps that failed. */
bool survey_load(struct build *b, U32Vec *ret_failed, struct err *err);

#endif
