/* buildfile_impl.h - what the parts of the reader of build files share. For src/front/buildfile*.c only. */
#ifndef TENON_FRONT_BUILDFILE_IMPL_H
#define TENON_FRONT_BUILDFILE_IMPL_H

#include "front/buildfile.h"
#include "lang/eval.h"

typedef uint32_t draft_id;

/* A folder that was listed. */
struct folder {
	struct str path;
	struct view_listing listing;
	struct str build_file; /* "BUILD", "CLJ", or empty */
	bool two_build_files;
};

/* A label that an attribute holds. */
struct reference {
	struct str label; /* whole: "//dir:name" */
	struct label parts;
	struct place place;
};

/* A target as its form says it: checked, but files and labels not looked for yet. */
struct draft {
	struct build_target b;
	package_id package;
	struct value *raw;                /* parallel to b.attrs: what was written, for labels and sources */
	struct value **action_raw;        /* of each action, likewise */
	Vec(struct reference) references; /* filled when it is needed */
	bool needed;
	target_id id; /* in the table, at last */
};

struct loaded_module {
	struct module module;
	struct str path;
	bool done;
};

/* What the table keeps: the view with the texts, and what was parsed out of them. */
struct texts {
	struct file_view view;
	struct arena arenas[VIEW_THREADS]; /* of the threads that parse */
};

struct loader {
	struct file_view view;
	const struct buildfile_request *q;
	struct target_table *t;
	struct buildfile_inputs *in;
	struct eval ev;
	struct err *err;
	struct map folder_by_path;
	Vec(struct folder *) folders;
	struct map module_by_path; /* loaded files */
	Vec(struct loaded_module *) modules;
	Vec(struct draft *) drafts;
	struct map draft_by_label;
	struct map settings_seen;
	Vec(struct custom_rule *) custom_rules;
	package_id current; /* being evaluated; NO_PACKAGE: a loaded file's top level */
	uint32_t nested_loads, nested_rules;
	struct texts *texts;
};

/* -- buildfile_glob.c -- */

/* NULL with an error; an absent folder is no error. */
struct folder *folder_get(struct loader *l, struct str path);
const struct view_entry *folder_entry(const struct folder *f, struct str name); /* NULL if it is not there */
/* All packages in a folder and below. */
bool folder_packages(struct loader *l, struct str dir, StrVec *out);
/* Files below package folder `dir` that `pattern` matches, as paths below `dir`, appended; sorted by the caller. */
bool glob_files(struct loader *l, struct str dir, struct str pattern, struct place p, StrVec *out);
/* One file below a package that must be there. */
bool file_check(struct loader *l, struct str dir, struct str path, struct place p);
struct str path_below_dir(struct arena *a, struct str dir, struct str rel); /* "dir/rel"; dir "" is the root */
bool glob_host(void *ctx, const struct glob_query *q, struct value *ret, struct err *err);
void strings_sort_unique(StrVec *v, size_t from);

/* -- buildfile_load.c -- */

/* Loads the packages in these folders, all of them new. `places` are where they were asked for, or NULL. */
bool load_packages(struct loader *l, const StrVec *dirs, const struct place *places);
struct eval_host loader_host(struct loader *l);

/* -- buildfile_attr.c -- */

/* All attributes but the name, in the loader's arena; *ret_raw keeps what labels and sources were written as. */
bool attrs_convert(struct loader *l, const struct rule_schema *schema, const struct target_value *t,
                   struct attr **ret_attrs, uint32_t *ret_n, struct value **ret_raw);
/* One value stands for a list of one. */
void value_as_list(struct value *v, const struct value **items, uint32_t *n);
struct place place_or(struct value v, struct place otherwise);
bool draft_err(struct loader *l, struct place p, const char *fmt, ...) PRINTF_LIKE(3, 4);
bool draft_note(struct loader *l, const char *text); /* false */

/* -- buildfile_target.c, buildfile_rule.c -- */

/* A target value becomes a draft of the current package. */
bool draft_declare(struct loader *l, const struct target_value *t);
/* The attributes of a workspace's own rule in the form that built-in rules have. */
bool custom_rule_schema(struct loader *l, const struct rule_value *r, const struct rule_schema **ret);
/* Calls the rule's function. *ret_replaced: it gave a target of the same name, which counts instead of this one. */
bool draft_declare_custom(struct loader *l, struct draft *d, const struct target_value *t, bool *ret_replaced);

/* -- buildfile_resolve.c -- */

/* Adds a reference to a label whose syntax was checked. */
void draft_refer(struct loader *l, struct draft *d, struct str text, struct place p);
/* Looks for its files, and fills in references. */
bool draft_resolve(struct loader *l, struct draft *d);
/* Fills in ids where attributes hold labels, and deps. All references are known. */
void draft_finish(struct loader *l, struct draft *d);

#endif
