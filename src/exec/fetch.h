/* fetch.h - a file from elsewhere (libcurl: http, https, file), known beforehand by its SHA-256. */
#ifndef TENON_EXEC_FETCH_H
#define TENON_EXEC_FETCH_H

#include "base/err.h"
#include "store/digest.h"

/* Writes `out`. False: it cannot be had (ERR_TRANSIENT where another try may help), or is something else than what
 * `want` says; then `out` is not left behind. */
bool fetch_file(const char *url, const struct digest *want, const char *out, struct err *err);

#endif
