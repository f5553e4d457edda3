/* render.h - diagnostics and errors as text for people.
 *
 *     struct render r = { .color = true, .cwd = STR("/home/me/project") };
 *     render_diagnostic(&r, d, &out);      // appends whole lines
 *     render_error(&r, &err, &out);
 *     render_release(&r);
 *
 * The form of both:
 *
 *     src/a.lisp:3:5: error: undefined variable: X
 *         3 |   (foo x)
 *           |        ^
 *       in: defun frob
 *     note: what to do about it
 *
 * Source lines are read from the named file, if it is a readable regular file; the last file read is kept, so that the
 * many complaints about one file read it once. What comes from a compiler may hold anything: control characters are
 * shown as ^X, bytes that are not UTF-8 as U+FFFD, so that no message can drive the terminal. */
#ifndef TENON_CLI_RENDER_H
#define TENON_CLI_RENDER_H

#include "base/err.h"
#include "base/event.h"

struct render {
	/* Set by the caller; borrowed. */
	bool color;
	struct str cwd;     /* absolute; paths below it are shown relative to it; empty: never */
	unsigned width;     /* columns for a source line; 0: 100 */
	size_t max_message; /* bytes of a message that are shown; 0: 4096 */
	unsigned max_lines; /* lines of a message that are shown; 0: 40 */
	/* private */
	struct buf path, source;
};

void render_diagnostic(struct render *r, const struct diagnostic *d, struct buf *out);
/* Takes the source line from the error's span if it has one. */
void render_error(struct render *r, const struct err *err, struct buf *out);
void render_release(struct render *r);

/* Columns that a UTF-8 text takes on a terminal: 0 for combining marks, 2 for wide characters. */
size_t render_columns(struct str text);
/* Appends as much of `text` as fits into `columns`; control characters and bad bytes made harmless. Returns the columns
 * taken. */
size_t render_cut(struct str text, size_t columns, struct buf *out);
/* "0.42", "9.8", "12", then "1m05s", "1h02m"; with the unit "s" where that is missing. */
void render_duration(uint64_t ns, struct buf *out);

#endif
