/* landlock.h - whether the kernel can confine processes to folders (the drivers apply it to themselves). */
#ifndef TENON_OS_LANDLOCK_H
#define TENON_OS_LANDLOCK_H

/* The Landlock ABI's version, from 1; 0 where the kernel has none or it is switched off. */
int landlock_abi(void);

#endif
