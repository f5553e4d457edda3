/* banned.h - functions that can't be used safely or deterministically become compile errors.
 *
 * Force-included in every source file of the project. The system headers that declare these functions come first, so
 * that only calls in our own code are caught. */
#ifndef TENON_BASE_BANNED_H
#define TENON_BASE_BANNED_H

#include <alloca.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BANNED(function) the_function_##function##_is_banned

/* They write as far as the text goes. */
#undef strcpy
#define strcpy(...) BANNED(strcpy)
#undef stpcpy
#define stpcpy(...) BANNED(stpcpy)
#undef strcat
#define strcat(...) BANNED(strcat)
#undef sprintf
#define sprintf(...) BANNED(sprintf)
#undef vsprintf
#define vsprintf(...) BANNED(vsprintf)
#undef gets
#define gets(...) BANNED(gets)
/* They may leave a text without its end, or cut it silently. */
#undef strncpy
#define strncpy(...) BANNED(strncpy)
#undef strncat
#define strncat(...) BANNED(strncat)
/* They have a hidden state. */
#undef strtok
#define strtok(...) BANNED(strtok)
#undef asctime
#define asctime(...) BANNED(asctime)
#undef ctime
#define ctime(...) BANNED(ctime)
#undef gmtime
#define gmtime(...) BANNED(gmtime)
#undef localtime
#define localtime(...) BANNED(localtime)
#undef rand
#define rand(...) BANNED(rand)
/* They can't tell an error from a value; use str_to_u64. */
#undef atoi
#define atoi(...) BANNED(atoi)
#undef atol
#define atol(...) BANNED(atol)
#undef atoll
#define atoll(...) BANNED(atoll)
#undef atof
#define atof(...) BANNED(atof)
/* Between name and use anyone may come first; use mkstemp, mkdtemp or openat. */
#undef mktemp
#define mktemp(...) BANNED(mktemp)
#undef tmpnam
#define tmpnam(...) BANNED(tmpnam)
#undef tempnam
#define tempnam(...) BANNED(tempnam)
/* A shell reads the argument; use os/process.h. */
#undef system
#define system(...) BANNED(system)
#undef popen
#define popen(...) BANNED(popen)
/* The size of the stack frame must not depend on input. */
#undef alloca
#define alloca(...) BANNED(alloca)

#endif
