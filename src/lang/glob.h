/* glob.h - patterns of paths: "*" and "?" within a name, "**" for any number of folders, {a,b} for either.
 *
 * Pure text. A name that begins with a dot is matched only by a part that begins with one; "**" passes such folders
 * by. */
#ifndef TENON_LANG_GLOB_H
#define TENON_LANG_GLOB_H

#include "base/arena.h"
#include "base/err.h"
#include "base/vec.h"

#define GLOB_ALTERNATIVES 256 /* of one pattern, at most */

bool glob_has_magic(struct str pattern); /* has one of * ? { in it */
/* Appends the pattern without braces: one for each alternative. Refuses what could match nothing or leave the folder:
 * empty, absolute, with "." or ".." or an empty part, "**" beside other letters, braces that do not pair. */
bool glob_expand(struct arena *a, struct str pattern, StrVec *out, struct err *err);
/* One part of a path against one part of a pattern without braces, which is UTF-8; the path need not be. */
bool glob_name_matches(struct str pattern, struct str name);
/* A whole path against a whole pattern without braces. */
bool glob_matches(struct str pattern, struct str path);

#endif
