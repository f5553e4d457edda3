#include "os/landlock.h"

#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

/* From the kernel's interface; not every libc's headers have them. */
#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#endif
#define CREATE_RULESET_VERSION 1U

int landlock_abi(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, (size_t)0, CREATE_RULESET_VERSION);
	return abi > 0 ? (int)abi : 0;
}
