/* jar.h - jars and uberjars from folders of classes, folders of sources, and other jars.
 *
 *     struct jar_input inputs[] = {{.path = "out/classes", .label = STR("//app:app")},
 *                                  {.path = "lib/clojure.jar", .archive = true, .label = STR("clojure.jar")}};
 *     struct jar_request r = {.inputs = inputs, .ninputs = 2, .main = STR("my-app.core"), .threads = 4};
 *     struct jar_report report;
 *     ok = jar_write(&arena, &r, "app.jar", &report, err);      // report lives in the arena
 *
 * Equal inputs give equal bytes: the manifest first, all else sorted by name, fixed times (wire/zip.h), an entry for
 * every folder that holds something. What two inputs hold differently the first one wins and the report tells, except:
 * - META-INF/services/X are joined, data_readers.clj and .cljc merged (one key with two values is an error),
 *   licences and notices put together, each text once;
 * - signatures, META-INF/INDEX.LIST, the manifests of inputs, and module-info.class of archives are left out;
 * - what `exclude` matches is left out of every input;
 * - META-INF/versions/ is kept of archives that say Multi-Release, unless another input won the class beneath.
 * One name that is a file here and a folder there is an error, and so are names of two inputs that differ in case only
 * (licences give way instead). An archive's classes of a Clojure namespace whose source an earlier input replaced lose
 * the __init class, so that the source counts.
 *
 * Entries of archives are copied packed as they are. So a big uberjar is rewritten quickly when its dependencies were
 * put into one jar before (jar_write of them alone, kept as any other output), which then stands as the last input:
 * merging in two steps gives the same bytes as merging in one. `trusted` spares reading what an earlier jar_write made;
 * of other archives every entry is unpacked once and checked.
 *
 * The bytes depend on zip_packer() besides: put it into keys. */
#ifndef TENON_RULES_JAR_H
#define TENON_RULES_JAR_H

#include "base/arena.h"
#include "base/err.h"
#include "base/vec.h"

struct jar_input {
	const char *path;
	struct str label;    /* how reports and errors call it; empty: the path */
	bool archive;        /* a jar or zip file, else a folder */
	bool trusted;        /* of archives: made by jar_write and known by its digest */
	struct str prefix;   /* of folders: put before all names, ends with '/', or empty */
	const StrVec *files; /* of folders: these files, relative; NULL: all regular files below (no links) */
};

struct jar_attribute {
	struct str name, value;
};

struct jar_request {
	const struct jar_input *inputs; /* in the order of precedence */
	size_t ninputs;
	struct str main;                        /* namespace or class for Main-Class, "-" becomes "_"; empty: none */
	bool launcher;                          /* `main` makes no class of its name: see jar_launcher.h */
	const StrVec *exclude;                  /* patterns without braces (lang/glob.h) of names left out; or NULL */
	const struct jar_attribute *attributes; /* of the manifest, in order */
	size_t nattributes;
	bool allow_case;  /* names that differ in case only are reported, not refused */
	unsigned threads; /* for packing; 0 is 1 */
};

enum jar_note_kind {
	JAR_CONFLICT,  /* `kept` and `lost` hold different things under this name */
	JAR_CASE,      /* two names that differ in case only; `other` is the second */
	JAR_RENAMED,   /* a licence is kept as `other` */
	JAR_STALE,     /* __init class of `lost` left out, since the source is that of `kept` */
	JAR_VERSION,   /* left out of META-INF/versions/: the class beneath is that of `kept` */
	JAR_CLASSPATH, /* the manifest of `lost` names further jars, in `other`, which are not in this one */
};
struct jar_note {
	enum jar_note_kind kind;
	struct str name, other, kept, lost;
};
struct jar_report {
	Vec(struct jar_note) notes;       /* sorted by name; memory of the caller: jar_report_release */
	uint64_t entries, copied, packed; /* numbers of entries: all, copied as they were, deflated here */
};
void jar_report_release(struct jar_report *r);
/* One line of text for a note. */
void jar_note_text(const struct jar_note *n, struct buf *out);

/* Writes to a temporary name beside `path` and renames. */
bool jar_write(struct arena *a, const struct jar_request *r, const char *path, struct jar_report *ret, struct err *err);

/* -- the parts, pure; for tests and other rules -- */

/* The value of attribute `name` in a manifest's main section, continued lines joined, in `a`; {NULL,0} if absent. */
struct str manifest_get(struct arena *a, struct str manifest, struct str name);
/* Appends "name: value", in lines of at most 72 bytes that break between characters. */
void manifest_put(struct buf *out, struct str name, struct str value);

struct jar_part {
	struct str label, text;
};
/* Lines of all parts without comments, each once, in order. */
void jar_join_services(const struct jar_part *parts, size_t n, struct buf *out);
/* Each text once; what was joined before is taken apart first. */
void jar_join_texts(const struct jar_part *parts, size_t n, struct buf *out);
/* Maps of data readers. What a reader conditional holds is passed on unread. */
bool jar_join_readers(struct arena *a, const struct jar_part *parts, size_t n, struct buf *out, struct err *err);

#endif
