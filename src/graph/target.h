/* target.h - build targets "//dir:name" with typed attributes, as BUILD files declare them.
 *
 * (The `struct target` of graph.h is something else: a name that the user asked for, with the actions that finish it.)
 *
 * A front end (front/buildfile.h) fills a table and resolves it; then it is read only. Targets, packages and files
 * refer to each other by dense ids. All strings are borrowed from the table: its arena, and the texts of the files,
 * which it holds for the sake of strings and of messages.
 *
 *     struct target_table t = {0};
 *     buildfile_load(..., &t, &inputs, err);
 *     for (target_id id = 0; id < t.targets.len; id++) {
 *             const struct build_target *b = target_get(&t, id);
 *             const struct attr *main = target_attr(b, "main");
 *     }
 *     target_table_release(&t);
 */
#ifndef TENON_GRAPH_TARGET_H
#define TENON_GRAPH_TARGET_H

#include "base/arena.h"
#include "base/err.h"
#include "base/map.h"
#include "lang/place.h"

typedef uint32_t target_id;
typedef uint32_t package_id;
#define NO_TARGET  UINT32_MAX
#define NO_PACKAGE UINT32_MAX

/* -- labels -- */

/* "//package:name"; the root package is "". */
struct label {
	struct str package, name;
};
/* Reads "//dir:name", "//dir" (= "//dir:dir"), "//:name" and ":name" (in package `here`). False: `err` says what is
 * wrong with it, without a place. The slices point into `text`. */
bool label_parse(struct str text, struct str here, struct label *ret, struct err *err);
bool label_looks_like(struct str text); /* begins with "//" or ":": meant as a label and not as a file's name */
struct str label_str(struct arena *a, struct label l);

/* What is asked for on a command line, or in :visibility: a label, or with "..." every target in a folder and below. */
enum pattern_kind { PATTERN_TARGET, PATTERN_PACKAGE, PATTERN_BELOW };
struct target_pattern {
	enum pattern_kind kind;
	struct label label; /* PATTERN_PACKAGE, PATTERN_BELOW: only the package */
};
/* As label_parse, and: "//dir:all" (PATTERN_PACKAGE), "//dir/...", "//...", "..." (below `here`), and without "//"
 * relative to `here`: "dir:name", "dir/...". A folder that is joined to `here` lives in `a`. */
bool target_pattern_parse(struct arena *a, struct str text, struct str here, struct target_pattern *ret,
                          struct err *err);
/* Tells a pattern from the name of a system: has "//" or ":" in it, or ends in "...". */
bool target_pattern_looks_like(struct str text);
bool target_pattern_matches(const struct target_pattern *p, struct label l);

/* -- attributes -- */

enum attr_type {
	ATTR_STRING,
	ATTR_STRINGS,  /* a list; one string may be written without the brackets */
	ATTR_BOOL,     /* true, false */
	ATTR_INT,      /* 64 bit */
	ATTR_MAP,      /* keys (strings or keywords) to strings */
	ATTR_LABEL,    /* another target */
	ATTR_LABELS,   /* a list of them */
	ATTR_SOURCE,   /* a file, or a target that makes one */
	ATTR_SOURCES,  /* files, patterns of files, targets; as a list or one */
	ATTR_COMMANDS, /* a list of commands, each a list of strings: program and arguments */
};
#define ATTR_TYPES (ATTR_COMMANDS + 1)
const char *attr_type_name(enum attr_type t); /* "a string", "a list of labels", ... for messages */

struct attr_pair {
	struct str key, value;
};
struct attr_source {
	struct str path;  /* of a file, relative to the workspace's root; empty where a target is meant */
	target_id target; /* NO_TARGET for a file */
};
struct attr_command {
	struct str *argv; /* argc > 0 */
	uint32_t argc;
};
struct attr {
	struct str name; /* without the colon */
	enum attr_type type;
	struct place place; /* of the value */
	uint32_t len;       /* STRINGS, MAP, LABELS, SOURCES, COMMANDS: how many; LABEL, SOURCE: 1 */
	union {
		struct str string;             /* STRING */
		bool boolean;                  /* BOOL */
		int64_t integer;               /* INT */
		struct str *strings;           /* STRINGS */
		struct attr_pair *pairs;       /* MAP, in order of key */
		target_id *labels;             /* LABEL, LABELS: as written */
		struct attr_source *sources;   /* SOURCE, SOURCES: patterns are expanded, files sorted, no file twice */
		struct attr_command *commands; /* COMMANDS */
	};
};

/* What the function of a workspace's own rule (defrule) returned: an action is a set of attributes, as those of a
 * genrule: srcs (sources), tools (labels), outs (strings), cmd (string) or cmds (commands), env (map). */
struct rule_action {
	struct attr *attrs;
	uint32_t nattrs;
	struct place place;
};

/* -- targets -- */

struct rule_schema; /* graph/rule.h */

struct build_target {
	struct str label;                 /* "//dir:name" */
	struct str name;                  /* "name" */
	package_id package;               /* where it was declared */
	struct str rule;                  /* "clj-lib", or a workspace's own */
	const struct rule_schema *schema; /* of a built-in rule; NULL for a workspace's own */
	struct place place;               /* of the form that declared it */
	struct attr *attrs;               /* as written, without name; the defaults are not filled in */
	uint32_t nattrs;
	target_id *deps; /* every target that an attribute names, each once, in order of first mention */
	uint32_t ndeps;
	struct target_pattern *visibility; /* who may depend on it besides its own package; see target_visible_from */
	uint32_t nvisibility;
	bool is_public;
	struct str *outs; /* files that it writes, relative to the root of outputs, such as "jbx/main.jar" */
	uint32_t nouts;
	struct rule_action *actions; /* of a workspace's own rule */
	uint32_t nactions;
};

struct target_package {
	struct str dir;       /* relative to the root, without a slash at the end; "" is the root */
	uint32_t file;        /* its BUILD or CLJ */
	target_id first, end; /* its targets have these ids: [first, end) */
};

struct target_table {
	struct arena arena;
	Vec(struct build_target) targets;
	Vec(struct target_package) packages;
	SourceTexts files;                /* paths relative to the root */
	struct map target_by_label;       /* "//dir:name" */
	struct map package_by_dir;        /* "dir" */
	Vec(target_id) requested;         /* what the patterns matched, in order of label, each once */
	Vec(target_id) by_order;          /* dependencies first */
	void (*release_texts)(void *ctx); /* how to give back the texts of `files`; NULL: they are in the arena */
	void *texts;
};

void target_table_release(struct target_table *t);
const struct build_target *target_get(const struct target_table *t, target_id id);
target_id target_find(const struct target_table *t, struct str label); /* NO_TARGET if unknown */
struct str target_dir(const struct target_table *t, target_id id);     /* of its package */
/* NULL if it was not written. */
const struct attr *target_attr(const struct build_target *b, const char *name);
const struct attr *attr_find(const struct attr *attrs, uint32_t n, const char *name);
/* The attribute's value, or what to take without it. BUG() if it has another type. */
struct str target_string(const struct build_target *b, const char *name, struct str otherwise);
bool target_bool(const struct build_target *b, const char *name, bool otherwise);
int64_t target_int(const struct build_target *b, const char *name, int64_t otherwise);

/* May targets of package `dir` depend on it? Its own package always may. */
bool target_visible_from(const struct target_table *t, target_id id, struct str dir);
/* Fills by_order. False: a cycle; the error names the path and the place of each target on it. */
bool target_table_order(struct target_table *t, struct err *err);
/* An error of the user's at a place, with the source line. Always false. */
bool target_err(const struct target_table *t, struct place p, struct err *err, const char *fmt, ...) PRINTF_LIKE(4, 5);

#endif
