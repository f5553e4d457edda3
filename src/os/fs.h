/* fs.h - files: reading, atomic writing, linking, stat signatures.
 *
 * Paths are NUL-terminated byte strings. Every function that can fail takes a
 * struct err and names the path in it. */
#ifndef TENON_OS_FS_H
#define TENON_OS_FS_H

#include "base/arena.h"
#include "base/err.h"

/* What stat says of a file, enough to tell that it was not touched: size, times in nanoseconds, inode, device and
 * type. Two equal signatures of one path mean: the same content, unless the file was written within FS_RACY_NS of the
 * moment when it was read (kernel clocks tick slower than programs write): see fs_sig_racy.
 *
 * A read-only file with several names has ctime_ns 0: its links are made and removed elsewhere (the store's blobs are
 * linked into any number of workspaces), and each of them changes the inode's ctime. */
struct file_sig {
	uint64_t size, ino, dev;
	int64_t mtime_ns, ctime_ns;
	uint32_t mode;        /* type and permission bits; 0: the file does not exist */
	uint32_t only_exists; /* 1: nothing of this counts but whether the file is there; see fs_sig_only_exists */
};
#define FS_RACY_NS 20000000
/* Follows links. A missing file (ENOENT, ENOTDIR, ELOOP) is no error: mode is 0. On failure *ret is as for a missing
 * file. */
bool fs_stat(const char *path, struct file_sig *ret, struct err *err);
bool fs_sig_eq(const struct file_sig *a, const struct file_sig *b);
/* The signature of which only this much counts when it is compared. */
struct file_sig fs_sig_only_exists(struct file_sig sig);
/* True where the file was changed so shortly before `now_ns` (CLOCK_REALTIME) that its signature proves nothing. */
bool fs_sig_racy(const struct file_sig *sig, int64_t now_ns);
/* For a directory only what it lists counts: type, inode, mtime. */
bool fs_is_dir(const struct file_sig *sig);
bool fs_is_file(const struct file_sig *sig);
/* True if each of `n` paths has the signature want[i] now; stops at the first that has not. Looks with up to `threads`
 * threads (0: a good number for n); a path that cannot be read counts as missing. Fastest where paths of one folder
 * stand together. */
bool fs_unchanged(const char *const *paths, const struct file_sig *want, size_t n, unsigned threads);

/* Appends the file's bytes to `out`. */
bool fs_read(const char *path, struct buf *out, struct err *err);
/* A private read-only mapping; {NULL,0} for an empty file. */
bool fs_map(const char *path, struct str *ret, struct err *err);
void fs_unmap(struct str map);
/* Writes to a temporary name in the same folder and renames: readers see the old bytes or the new. `durable` adds fsync
 * of file and folder. Leaves nothing behind on failure. */
bool fs_write_atomic(const char *path, struct str bytes, unsigned mode, bool durable, struct err *err);
/* Makes `dst` a hard link to `src`, replacing what is there atomically; copies (reflink where possible) where linking
 * cannot work (other file system, no links). */
bool fs_link(const char *src, const char *dst, struct err *err);
/* As fs_link, but always an independent copy with mode `mode`; its time is now. */
bool fs_copy(const char *src, const char *dst, unsigned mode, struct err *err);
bool fs_mkdirs(const char *path, struct err *err);        /* with all parents; fine if there */
bool fs_mkdirs_parent(const char *path, struct err *err); /* the folder that holds `path` */
bool fs_remove(const char *path, struct err *err);        /* a file; fine if absent */
/* A symbolic link to `target`, in place of whatever link or file `path` is. */
bool fs_symlink(const char *target, const char *path, struct err *err);
bool fs_remove_tree(const char *path,
                    struct err *err); /* iterative; makes read-only folders writable; fine if absent */
/* A new empty folder `dir`/`prefix`XXXXXX, mode 0700; its path, in `a`. */
bool fs_mkdtemp(struct arena *a, const char *dir, const char *prefix, char **ret, struct err *err);
/* Names in a folder, sorted by bytes, without "." and "..". */
bool fs_list(struct arena *a, const char *path, StrVec *ret, struct err *err);
/* Calls `visit` for every regular file below `path`, iteratively, sorted; paths relative to `path`.
 * Links are neither followed nor visited; what vanishes meanwhile is passed over. */
bool fs_walk(const char *path, bool (*visit)(void *ctx, const char *rel, const struct file_sig *sig, struct err *err),
             void *ctx, struct err *err);

/* An advisory lock on a file, made if absent: flock, gone with the process. `wait` false: returns true with *ret_fd -1
 * when another process holds it. A signal (interrupt.h) ends the wait with an error. */
bool fs_lock(const char *path, bool wait, int *ret_fd, struct err *err);
void fs_unlock(int fd);

/* Pure path functions; results in `a`. */
char *path_join(struct arena *a, const char *dir, const char *rel); /* rel absolute: rel itself */
char *path_absolute(struct arena *a, const char *path);             /* against the cwd; "." ".." "//" removed by text */
struct str path_dir(struct str path);                               /* "a/b" gives "a"; "a" gives "."; "/a" gives "/" */
struct str path_base(struct str path);
struct str path_ext(struct str path); /* without the dot; "" if none */
/* `path` relative to `root` if it lies below it, else `path`. */
struct str path_below(struct str path, struct str root);

#endif
