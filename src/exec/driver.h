/* driver.h - digests of drivers: the parts of tenon that run inside of other programs (a Lisp, a JVM). */
#ifndef TENON_EXEC_DRIVER_H
#define TENON_EXEC_DRIVER_H

#include "store/digest.h"

/* Of the names and texts of the embedded files (base/embed.h) whose path begins with `prefix`, such as "sbcl/". */
struct digest driver_digest(struct str domain, struct str prefix);
/* Of a toolchain together with its driver: what everything that they make rests on. */
struct digest driver_base_digest(struct str domain, const struct digest *toolchain, const struct digest *driver);

#endif
