/* source_path.h - for tests: where a file of the source tree is, from wherever the test is started. */
#ifndef TENON_CLI_SOURCE_PATH_H
#define TENON_CLI_SOURCE_PATH_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/arena.h"
#include "os/fs.h"

/* TENON_SOURCE_ROOT if set, else the folder three levels above the test's own source as the compiler was given it, else
 * the first folder at or above the current one that has `rel`. In `a`. Ends the program if there is none: a test must
 * not pass for want of its files. */
static inline char *source_path(struct arena *a, const char *test_file, const char *rel)
{
	const char *root = getenv("TENON_SOURCE_ROOT");
	char *from_test = path_join(a, str_dupz(a, path_dir(str_from(test_file))), "../..");
	const char *const tries[] = {root ? root : from_test, from_test, ".", "..", "../..", "../../.."};
	for (size_t i = 0; i < ARRAY_LEN(tries); i++) {
		char *path = path_join(a, tries[i], rel);
		if (access(path, R_OK) == 0)
			return path;
	}
	printf("Bail out! '%s' of the source tree was not found; set TENON_SOURCE_ROOT\n", rel);
	exit(99);
}

#endif
