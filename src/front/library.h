/* library.h - the namespaces of Clojure libraries: where they lie on a class path, what they need, and which jars the
 * compile of a jar's namespaces rests on.
 *
 *     struct library_survey s = {0};
 *     library_survey(&s, &class_path, &names);         // never fails: what can't be read is told by who loads it
 *     library_survey_release(&s);
 *
 * It goes from the names over what their sources say (clojure.h). As for Clojure, the first jar or folder that has a
 * file wins, classes before sources, .clj before .cljc.
 *
 * What a compile of a jar's namespaces can see of other jars: namespaces that are required there, directly or not, also
 * below a condition; classes of packages that a source there writes out, in code or in a string. Where a source
 * computes what it loads, that can be any jar. */
#ifndef TENON_FRONT_LIBRARY_H
#define TENON_FRONT_LIBRARY_H

#include "base/arena.h"
#include "base/map.h"
#include "wire/zip.h"

#define LIBRARY_NO_PLACE UINT32_MAX

/* A jar or folder of the class path. */
struct library_place {
	struct str path;
	bool is_folder;
	bool has_clojure; /* of a jar: sources or classes of namespaces */
	struct zip zip;   /* of a jar that can be read */
	struct str bytes;
};

struct library_namespace {
	struct str name;
	struct str script; /* "a/b.clj"; empty: classes only */
	uint32_t place;    /* of the script; of the classes, if there is no script */
	bool has_classes;  /* somewhere on the class path */
	bool wanted;       /* must be loaded; else it is needed below a condition */
	bool on_folder;    /* it lies in a folder, or needs what does: another time it may be another one */
	bool computes;     /* what it loads can't be told */
	U32Vec needs;      /* namespaces, each once */
	U32Vec may_need;   /* below a condition */
	StrVec absent;     /* needed, and nowhere on the class path */
	U32Vec mentions;   /* places with classes of packages that it names */
	uint64_t weight;   /* characters of source of the longest chain of needs that begins here and goes upwards */
};

struct library_package_link {
	uint32_t place, next;
};

struct library_survey {
	struct arena arena;
	Vec(struct library_place) places;
	Vec(struct library_namespace) namespaces;
	struct map by_name;
	/* private */
	struct map packages; /* "a.b" to the first of its links */
	Vec(struct library_package_link) links;
};

void library_survey(struct library_survey *s, const StrVec *class_path, const StrVec *names);
void library_survey_release(struct library_survey *s);
/* What the compile of the wanted namespaces in `place` rests on. */
struct library_basis {
	bool *places; /* by place; `place` itself among them */
	bool all;     /* whatever is on the class path */
	StrVec absent;
};
void library_basis(const struct library_survey *s, uint32_t place, struct library_basis *ret);
void library_basis_release(struct library_basis *b);

#endif
