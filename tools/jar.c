/* jar.c - writes a jar with rules/jar.h, for measuring it alone (bench/jars.py). Not installed.
 *
 *     build/jar OUTPUT THREADS MAIN INPUT...
 *
 * An input is a folder, or an archive if its name ends in .jar; '+' before it says that an earlier run made it. Prints
 * the seconds that it took, and the numbers of entries: all, copied, packed. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "rules/jar.h"

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int main(int argc, char **argv)
{
	struct arena a = {0};
	struct err err = {0};
	struct buf text = {0};
	struct jar_report report;
	Vec(struct jar_input) inputs = {0};
	uint64_t threads;
	if (argc < 5 || !str_to_u64(str_from(argv[2]), &threads)) {
		fprintf(stderr, "usage: jar OUTPUT THREADS MAIN INPUT...\n");
		return 2;
	}
	for (int i = 4; i < argc; i++) {
		bool trusted = argv[i][0] == '+';
		struct str path = str_from(argv[i] + trusted);
		vec_push(&inputs, (struct jar_input){.path = path.ptr,
		                                     .trusted = trusted,
		                                     .archive = str_has_suffix(path, STR(".jar"))});
	}
	struct jar_request r = {
	        .inputs = inputs.ptr, .ninputs = inputs.len, .main = str_from(argv[3]), .threads = (unsigned)threads};
	double start = now();
	bool ok = jar_write(&a, &r, argv[1], &report, &err);
	if (ok) {
		printf("%.4f %llu %llu %llu\n", now() - start, (unsigned long long)report.entries,
		       (unsigned long long)report.copied, (unsigned long long)report.packed);
		jar_report_release(&report);
	} else {
		err_format(&err, &text);
		fprintf(stderr, "%s\n", buf_cstr(&text));
	}
	buf_release(&text);
	vec_release(&inputs);
	arena_release(&a);
	return ok ? 0 : err_exit_code(err.kind);
}
