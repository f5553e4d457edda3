/* embed.h - files that are part of the program: the Lisp drivers.
 *
 * The table is generated at build time by tools/embed.c, in order of path. `path` is relative to drivers/, such as
 * "sbcl/10-package.lisp". "compiled/sbcl", where it is there, is the driver compiled for one version of SBCL, which is
 * its first line (tools/compile-driver.lisp); "compiled/clojure" is a zip of the classes of the driver for one Clojure
 * (tools/compile-clojure-driver.py). `data` has a NUL byte behind its end that `len` does not count. */
#ifndef TENON_BASE_EMBED_H
#define TENON_BASE_EMBED_H

#include <stddef.h>

struct embedded_file {
	const char *path;
	const unsigned char *data;
	size_t len;
};

extern const struct embedded_file embedded_files[];
extern const size_t embedded_files_count;

#endif
