/* lastbuild.h - what the last successful build of a request looked at: the way to say "nothing to do" in milliseconds.
 *
 * A record is a request digest (command line, environment, program), a list of paths with their stat signatures
 * (sources, descriptions, configuration files, folders searched, files that were looked for and absent, outputs,
 * toolchain) and a text to show again (cached warnings). If every signature is what it was, nothing needs to be done.
 *
 * The file: a header (magic, version, counts, checksum), then signatures, then path offsets, then NUL-terminated paths;
 * it is used where it is mapped, nothing is parsed. */
#ifndef TENON_STORE_LASTBUILD_H
#define TENON_STORE_LASTBUILD_H

#include "base/err.h"
#include "os/fs.h"
#include "store/digest.h"

struct lastbuild_writer;
struct lastbuild_writer *lastbuild_begin(const struct digest *request);
/* Copies the path. Duplicates are fine: the first one counts, unless only its existence did (fs_sig_only_exists). */
void lastbuild_add(struct lastbuild_writer *w, const char *path, const struct file_sig *sig);
/* Writes atomically; frees the writer in any case. */
bool lastbuild_commit(struct lastbuild_writer *w, const char *file, struct str text, struct err *err);
void lastbuild_abandon(struct lastbuild_writer *w);

/* True if the record is for `request` (NULL: whatever it is for) and every path has its signature; *text_out then gets
 * the text. Never fails: an absent or corrupt record is "not the same". *ret_count: paths looked at. */
bool lastbuild_unchanged(const char *file, const struct digest *request, struct buf *text_out, size_t *ret_count);

/* For people: the first path that is not what it was, appended to `path_out`. False: no record, or nothing changed. */
bool lastbuild_first_change(const char *file, const struct digest *request, struct buf *path_out);

#endif
