/* confine.h - a command that may touch only what it was given (Landlock).
 *
 * Nothing of this can be done between vfork and exec of a large program, so it is done by a small one: this same
 * program, executed with the hidden first argument CONFINE_ARG, which restricts itself and then becomes the command.
 * main() must call confine_main() first of all when argv[1] is that argument.
 *
 *     struct confinement c = {.writable = w, .nwritable = 2, .hidden = h, .nhidden = 1, .readable = r, .nreadable = 1};
 *     confine_argv(&arena, &c, argv)      // the argv to start instead
 *
 * Writing is possible below `writable` and to the usual devices. Reading is possible everywhere but below `hidden`;
 * what lies there and below `readable` too can be read. A rule can only allow, so hiding a folder means to allow what
 * lies beside the path to it: a file that appears beside that path later cannot be read by the command.
 *
 * Where the kernel has no Landlock the command runs unrestricted (landlock_abi() tells). */
#ifndef TENON_OS_CONFINE_H
#define TENON_OS_CONFINE_H

#include "base/arena.h"
#include "base/str.h"

#define CONFINE_ARG "--tenon-confined"

/* Absolute paths without "." and "..". */
struct confinement {
	const char *const *writable, *const *hidden, *const *readable;
	size_t nwritable, nhidden, nreadable;
};

/* argv is NULL-terminated, argv[0] absolute; the result borrows its strings. */
const char *const *confine_argv(struct arena *a, const struct confinement *c, const char *const *argv);

/* Restricts and executes. Returns only by _exit: 126 if it could not be restricted, 127 if it could not be executed,
 * after a line on standard error. */
NORETURN void confine_main(int argc, char **argv);

#endif
