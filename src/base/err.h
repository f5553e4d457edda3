/* err.h - errors as values: made low, printed only by the command line.
 *
 *     bool f(..., struct err *err);     // false means: *err is filled
 *
 * A caller passes a zeroed struct err, may add notes on the way up, and
 * releases it. err may be NULL where the caller does not care. An error that
 * is filled already is replaced by the next err_set. */
#ifndef TENON_BASE_ERR_H
#define TENON_BASE_ERR_H

#include "base/str.h"
#include "base/vec.h"

enum err_kind {
	ERR_NONE = 0,
	ERR_USER,        /* what the user wrote or asked for is wrong; exit code 2 */
	ERR_ACTION,      /* an action ran and failed; exit code 1 */
	ERR_ENVIRONMENT, /* a tool is missing, a disk is full, no permission; exit code 3 */
	ERR_TRANSIENT,   /* may work the next time; never cached; exit code 4 */
	ERR_BUG,         /* tenon itself is wrong; exit code 70 */
};

/* A place in a text; all counts from 1, 0 is unknown. Columns count characters (UTF-8 code points). */
struct span {
	struct str path; /* owned by the error */
	uint32_t line, col;
	struct str source_line; /* the text of that line, for the caret; may be empty; owned by the error */
};

struct err {
	enum err_kind kind;
	int errnum; /* errno, or 0 */
	struct span span;
	struct buf message;
	Vec(char *) notes; /* what to do about it, one sentence each; owned */
};

/* Message style: lower case, no full stop, names in quotes, what failed first. All return false, so
 * that a function can end with `return err_set(...)`. */
bool err_set(struct err *err, enum err_kind kind, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* As err_set, and appends ": " with errno's text; keeps errno. ENOSPC, EDQUOT, EACCES, EROFS, EMFILE and the like
 * give ERR_ENVIRONMENT whatever `kind` says. */
bool err_sys(struct err *err, enum err_kind kind, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Copies path and source line. */
void err_at(struct err *err, struct str path, uint32_t line, uint32_t col, struct str source_line);
void err_note(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);
void err_clear(struct err *err); /* frees; usable again */
void err_move(struct err *dst, struct err *src);
int err_exit_code(enum err_kind kind);
const char *err_kind_name(enum err_kind kind);
/* "path:line:col: message", the source line, a caret, then "note: ..." lines, into `out`. No colours. */
void err_format(const struct err *err, struct buf *out);

#endif
