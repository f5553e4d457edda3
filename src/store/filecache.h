/* filecache.h - digests of source files, remembered by stat signature (per workspace; those of Lisps per store).
 *
 * A file whose signature is what it was is not read again. A signature is remembered only when the file was not changed
 * within FS_RACY_NS before it was read. Saved atomically; a corrupt cache file counts as empty. */
#ifndef TENON_STORE_FILECACHE_H
#define TENON_STORE_FILECACHE_H

#include "base/err.h"
#include "os/fs.h"
#include "store/digest.h"

struct filecache;

struct filecache *filecache_load(const char *path); /* never fails: at worst empty */
void filecache_free(struct filecache *fc);
bool filecache_save(struct filecache *fc, const char *path, struct err *err); /* only if something changed */
/* Digest of the file's content now. *ret_sig (may be NULL) is the signature it was read under: stat before and after
 * agree. A missing file: *ret_exists false, digest zero. A folder: the digest of its sorted names. */
bool filecache_digest(struct filecache *fc, const char *path, struct digest *ret, struct file_sig *ret_sig,
                      bool *ret_exists, struct err *err);

#endif
