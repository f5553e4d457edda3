/* buildfile.h - BUILD and CLJ files, read into a table of targets.
 *
 * A workspace is a folder with a file WORKSPACE in it, and what is below. A folder with a BUILD or a CLJ (read alike;
 * not both) is a package; what is below it belongs to it, up to the next package. docs/TARGETS.md is the manual.
 *
 *     struct file_view view;
 *     buildfile_disk_view("/home/me/project", &view);
 *     struct buildfile_request q = {.here = STR("jbx"), .patterns = &STR(":main"), .npatterns = 1};
 *     struct target_table t = {0};
 *     struct buildfile_inputs in = {0};
 *     bool ok = buildfile_load(&view, &q, &t, &in, err);
 *     ...
 *     buildfile_inputs_release(&in);
 *     target_table_release(&t);          // in any case; gives back the view too
 *
 * Only what is asked for and what it needs is loaded; the table holds exactly these targets, all of them resolved:
 * patterns of files expanded, files looked for, labels turned into ids, visibility and cycles checked. Files are read
 * and parsed in parallel, wave by wave: the packages asked for, those that they name, and so on. */
#ifndef TENON_FRONT_BUILDFILE_H
#define TENON_FRONT_BUILDFILE_H

#include "graph/rule.h"

/* -- the workspace as files; the disk, or memory in tests. All paths are relative to the root. -- */

struct view_entry {
	struct str name;
	bool is_dir;
	bool is_link; /* to a folder: "**" does not go through it */
};
struct view_listing {
	struct view_entry *entries; /* in order of name (bytes); what is neither file nor folder is left out */
	size_t n;
	bool absent; /* there is no such folder */
};
struct view_file {
	struct str path;
	int errnum; /* ENOENT, ...; 0: read */
	struct str text;
	struct str made_from; /* see place.h */
};
/* Called for each file that was read, in any thread, numbered below VIEW_THREADS. */
typedef void view_scan(void *ctx, unsigned thread, size_t index, struct view_file *f);
#define VIEW_THREADS 8
struct file_view {
	void *ctx;
	/* The root is "". Strings in `a`. */
	bool (*list)(void *ctx, struct arena *a, struct str dir, struct view_listing *ret, struct err *err);
	/* Texts live until `release`. */
	void (*read)(void *ctx, struct view_file *files, size_t n, view_scan *scan, void *scan_ctx);
	void (*release)(void *ctx);
};
/* A file that is read in another one's place, as if it lay there. */
struct buildfile_alias {
	struct str path, text; /* both relative to the root; text: where it is */
	struct str made_from;  /* what messages name in its place */
};
/* Borrows `root` and the aliases for the time of the call. */
void buildfile_disk_view(const char *root, const struct buildfile_alias *aliases, size_t n, struct file_view *ret);

/* -- loading -- */

struct buildfile_setting {
	struct str name, value; /* "os", "linux": what select and setting see */
};
struct buildfile_request {
	struct str here;            /* the package that relative patterns start at */
	const struct str *patterns; /* see target_pattern_parse */
	size_t npatterns;
	const struct buildfile_setting *settings;
	size_t nsettings;
	uint64_t max_steps; /* of one file's evaluation; 0: as many as usual */
};
/* What the table rests on; it stays true as long as all of these are what they were. Relative to the root; sorted. */
struct buildfile_inputs {
	struct arena arena;
	StrVec read;     /* files */
	StrVec absent;   /* folders that were looked for */
	StrVec folders;  /* folders whose listing was used */
	StrVec settings; /* names of settings that were asked for */
};
void buildfile_inputs_release(struct buildfile_inputs *in);

/* ERR_USER, with a place, for what is wrong in the files. `ret` must be zeroed; it takes the view over, also on
 * failure. `inputs` are filled in on failure too. */
bool buildfile_load(const struct file_view *view, const struct buildfile_request *q, struct target_table *ret,
                    struct buildfile_inputs *inputs, struct err *err);

/* Looks for WORKSPACE in `dir` (absolute) and above. False, and no error, if there is none. *ret_here is the path of
 * `dir` below the root. In `a`. */
bool buildfile_find_root(struct arena *a, const char *dir, struct str *ret_root, struct str *ret_here);
/* The settings of this machine: os ("linux"), arch ("x86_64"). Strings in `a`. */
struct buildfile_machine {
	struct buildfile_setting settings[2];
};
struct buildfile_machine buildfile_machine_settings(struct arena *a);

#endif
