/* asd_edit.h - changes to the :depends-on lists in the text of an .asd file.
 *
 *     struct asd_source source = {.path = path, .text = text};
 *     struct asd_edit edits[] = {{.system = STR("app"), .component = path, .ncomponent = 2, .want = names,
 *                                 .nwant = 3}};
 *     asd_edit(&arena, &source, edits, 1, false, &new_text, &err);
 *
 * The text is never printed anew: names are taken out and put in, and all else stays, comments and layout included.
 * What is not plain text stays as it is: entries under #+ or in (:feature ...), lists made by #. or a backquote,
 * components that stand more than once and are read more than once. A component below ":serial t" depends on those
 * before it anyway, back to one that stands under :if-feature; in its own list they are left out. With `expand_serial`,
 * ":serial t" goes, and all components below it get lists. */
#ifndef TENON_FRONT_ASD_EDIT_H
#define TENON_FRONT_ASD_EDIT_H

#include "front/asd_place.h"

enum asd_edit_result {
	ASD_EDIT_SAME, /* the list says it already */
	ASD_EDIT_DONE,
	ASD_EDIT_PART, /* some of it; `why` says what not */
	ASD_EDIT_LEFT, /* none of it; `why` says why */
};

struct asd_edit {
	struct str system;
	const struct str *component; /* names below the system; none: the system's own list, which only gets more */
	uint32_t ncomponent;
	const struct str *want; /* names of siblings (of systems) that it is to depend on */
	size_t nwant;
	/* filled in: */
	enum asd_edit_result result;
	struct str why;
	bool serial;   /* it is below ":serial t", which stays: it depends on all before it anyway */
	uint32_t line; /* of the component in the old text; 0: not found */
};

/* False: the text can't be read as Lisp. */
bool asd_edit(struct arena *a, const struct asd_source *source, struct asd_edit *edits, size_t n, bool expand_serial,
              struct str *ret_text, struct err *err);

#endif
