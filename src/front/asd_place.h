/* asd_place.h - where things stand in the text of an .asd file: systems, components, properties.
 *
 *     struct asd_source source = {.path = path, .text = text};
 *     struct asd_text t;
 *     if (!asd_read(&arena, &source, &t, err)) return false;
 *     struct asd_place place;
 *     const char *why;
 *     if (asd_find_place(&t, STR("app"), path, npath, &place, &why)) ... asd_property(place.form, 2, "depends-on") ...
 *
 * Pure. Conditions (#+, #-) are items of their own in the lists: marks. Of what stands more than once, that counts
 * whose conditions hold with the features. Nothing is owned: nodes and texts are those of the forms, names in lower
 * case lie in the arena. */
#ifndef TENON_FRONT_ASD_PLACE_H
#define TENON_FRONT_ASD_PLACE_H

#include "lang/sexp.h"

struct asd_source {
	struct str path; /* for errors */
	struct str text;
	struct str features; /* that the file is read with: a list of strings, (":SBCL"), as text; empty: not known */
};

struct asd_text {
	struct arena *arena;
	struct str text;
	const struct sexp *forms;    /* of the text */
	const struct sexp *features; /* a list of strings, ":SBCL"; NULL: not known */
};

/* False: it can't be read as Lisp. The text stays borrowed. */
bool asd_read(struct arena *a, const struct asd_source *source, struct asd_text *ret, struct err *err);

bool asd_is_mark(const struct sexp *s);
/* A list that is written as one, not made by a reader macro. */
bool asd_is_plain_list(const struct asd_text *t, const struct sexp *s);
/* What ASDF takes for a name: a string as it is, a symbol's name in lower case. Empty: it is none. */
struct str asd_name(struct arena *a, const struct sexp *s);

struct asd_property {
	const struct sexp *key, *value; /* of the last one; NULL: there is none */
	bool conditional;
	unsigned count; /* how often the key stands in the plist */
};
/* The property of the plist that begins at item `from`. */
struct asd_property asd_property(const struct sexp *form, uint32_t from, const char *key);
bool asd_is_serial(const struct sexp *form);

struct asd_place {
	const struct sexp *form, *parent; /* parent: what holds it, a module's or the system's form */
	const struct sexp *siblings;      /* the list that it stands in */
	uint32_t index;                   /* in that list */
};

/* Finds a system's form, or with `component`, its names from the system down, that of a component. False: *ret_why says
 * why not, a constant. */
bool asd_find_place(const struct asd_text *t, struct str system, const struct str *component, uint32_t ncomponent,
                    struct asd_place *ret, const char **ret_why);
bool asd_is_component(const struct asd_text *t, const struct sexp *form);
/* The index of the component in the list; the list's length if there is none, or more than one that counts. */
uint32_t asd_find_component(const struct asd_text *t, const struct sexp *list, struct str name, const char **ret_why);
/* The condition that the item of the list stands under, as text; empty if none. */
struct str asd_condition(const struct asd_text *t, const struct sexp *list, uint32_t index);
/* The conditions, marks and :if-feature, that the component stands under among its siblings. */
struct str asd_place_condition(const struct asd_text *t, const struct asd_place *place);
/* True if the component's :depends-on names its sibling, and only under a condition. */
bool asd_depends_optionally(const struct asd_text *t, const struct asd_place *place, struct str name);

#endif
