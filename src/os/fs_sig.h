/* fs_sig.h - how a signature is taken; for the files of this folder that implement fs.h. */
#ifndef TENON_OS_FS_SIG_H
#define TENON_OS_FS_SIG_H

#include "os/fs.h"

/* As statx: false with errno, *ret untouched. `flags`: AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH. */
bool fs_sig_at(int dir, const char *path, int flags, struct file_sig *ret);

#endif
