/* place.h - where something stands in a source text, and errors that show it.
 *
 * A place names its file by an index, so that every value of the build language can carry one. */
#ifndef TENON_LANG_PLACE_H
#define TENON_LANG_PLACE_H

#include "base/err.h"
#include "base/vec.h"

struct place {
	uint32_t file;      /* index in the list of texts */
	uint32_t line, col; /* from 1, in characters; line 0: nowhere */
};

struct source_text {
	struct str path; /* as messages show it */
	struct str text;
	struct str made_from; /* not empty: what people wrote, of which the text was made; messages name that file */
};
typedef Vec(struct source_text) SourceTexts;

/* An error of the user's at a place, with the line that it is in. Always false. */
bool place_err(const SourceTexts *files, struct place p, struct err *err, const char *fmt, ...) PRINTF_LIKE(4, 5);
/* Gives an error that has no place yet this one. */
void place_add(const SourceTexts *files, struct place p, struct err *err);
/* "path:line:col", in a buffer; of a text that was made the name of what it was made from. */
void place_name(const SourceTexts *files, struct place p, struct buf *out);

/* The best of several names for one that is unknown: offer them all, then take the answer. */
struct nearest {
	struct str wanted, best;
	size_t distance, limit;
};
void nearest_init(struct nearest *n, struct str wanted);
void nearest_offer(struct nearest *n, struct str name);
/* Adds the note "did you mean ...?" if anything was near. */
void nearest_note(const struct nearest *n, struct err *err);

#endif
