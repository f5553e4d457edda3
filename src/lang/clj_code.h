/* clj_code.h - a source of Clojure without what its reader passes over.
 *
 * Two sources with the same digest are read as the same forms, each at the same line and column, which is all that the
 * compiler sees of a source: their classes are the same. They may differ in comments that begin with ";", and in spaces
 * that move nothing. Forms behind "#_", strings and the branches of reader conditionals all count.
 *
 *     struct digest d;
 *     if (!clj_code_digest(text, &d))
 *             d = digest_of(text);     // its bytes count, one and all
 */
#ifndef TENON_LANG_CLJ_CODE_H
#define TENON_LANG_CLJ_CODE_H

#include "store/digest.h"

/* False: it is doubtful where comments and strings of the text begin and end. */
bool clj_code_digest(struct str text, struct digest *ret);

#endif
