/* tap.h - unit tests that speak TAP (testanything.org), for x_test.c files only.
 *
 *     int main(void)
 *     {
 *             tap_ok(cond, "the name of case %d", i);
 *             tap_eq_int(got, want, "name");
 *             tap_eq_str(got, want, "name");
 *             return tap_done();
 *     }
 *
 * Each test prints one line when it ends; the plan comes last, so a test that dies early is seen as broken. A program
 * that ran no test fails. Each check returns whether it held. Not thread safe. */
#ifndef TENON_BASE_TAP_H
#define TENON_BASE_TAP_H

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/str.h"

struct tap_state {
	unsigned run, failed;
};

/* One state per test program: its one translation unit includes this header. */
static struct tap_state tap_state;

/* A name or value in a TAP line must not hold a newline, and '#' would begin a directive. */
static inline void tap_put_quoted(FILE *f, struct str s)
{
	for (size_t i = 0; i < s.len && i < 4000; i++) {
		unsigned char c = (unsigned char)s.ptr[i];
		if (c == '\n')
			fputs("\\n", f);
		else if (c < 32 || c == 127)
			fprintf(f, "\\x%02x", c);
		else
			fputc(c, f);
	}
	if (s.len > 4000)
		fprintf(f, "... (%zu bytes)", s.len);
}

PRINTF_LIKE(3, 0)
static inline bool tap_result_v(const char *where, bool ok, const char *fmt, va_list ap)
{
	char name[512];
	vsnprintf(name, sizeof(name), fmt, ap);
	for (char *p = name; *p; p++)
		if (*p == '#' || *p == '\n')
			*p = ' ';
	tap_state.run++;
	tap_state.failed += !ok;
	printf("%sok %u - %s\n", ok ? "" : "not ", tap_state.run, name);
	if (!ok)
		printf("#   failed at %s\n", where);
	fflush(stdout);
	return ok;
}

PRINTF_LIKE(3, 4)
static inline bool tap_ok_at(const char *where, bool ok, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	tap_result_v(where, ok, fmt, ap);
	va_end(ap);
	return ok;
}

PRINTF_LIKE(4, 5)
static inline bool tap_eq_int_at(const char *where, int64_t got, int64_t want, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	if (!tap_result_v(where, got == want, fmt, ap))
		printf("#   got %" PRId64 ", want %" PRId64 "\n", got, want);
	va_end(ap);
	return got == want;
}

PRINTF_LIKE(4, 5)
static inline bool tap_eq_str_at(const char *where, struct str got, struct str want, const char *fmt, ...)
{
	bool ok = str_eq(got, want);
	va_list ap;
	va_start(ap, fmt);
	if (!tap_result_v(where, ok, fmt, ap)) {
		printf("#   got  \"");
		tap_put_quoted(stdout, got);
		printf("\"\n#   want \"");
		tap_put_quoted(stdout, want);
		printf("\"\n");
	}
	va_end(ap);
	return ok;
}

/* A line of commentary in the output. */
PRINTF_LIKE(1, 2)
static inline void tap_note(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	fputs("# ", stdout);
	vprintf(fmt, ap);
	fputc('\n', stdout);
	va_end(ap);
}

/* Prints the plan; the exit code of main. */
static inline int tap_done(void)
{
	printf("1..%u\n", tap_state.run);
	if (!tap_state.run)
		printf("# no test was run\n");
	return tap_state.failed || !tap_state.run;
}

#define TAP_STRINGIFY_(x) #x
#define TAP_STRINGIFY(x)  TAP_STRINGIFY_(x)
#define TAP_WHERE         __FILE__ ":" TAP_STRINGIFY(__LINE__)

/* The last arguments are a printf format and its values: the name of the test. */
#define tap_ok(cond, ...)          tap_ok_at(TAP_WHERE, (cond), __VA_ARGS__)
#define tap_eq_int(got, want, ...) tap_eq_int_at(TAP_WHERE, (int64_t)(got), (int64_t)(want), __VA_ARGS__)
#define tap_eq_str(got, want, ...) tap_eq_str_at(TAP_WHERE, (got), (want), __VA_ARGS__)

#endif
