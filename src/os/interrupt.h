/* interrupt.h - SIGINT, SIGTERM and SIGHUP, once for the process.
 *
 *     interrupt_install();                       // main, before anything that may wait
 *     poll({ ..., interrupt_fd() })              // whatever waits, waits for this as well
 *     if (interrupt_signal()) ...                // 0: none came
 *
 * The first signal is noted, and makes interrupt_fd() readable for good: it is never read, so that no wait misses it,
 * however early it came. A second signal of the same kind has its default action; supervisors (process.h) then end
 * what we started. SIGHUP stays ignored where it was (nohup). */
#ifndef TENON_OS_INTERRUPT_H
#define TENON_OS_INTERRUPT_H

#include "base/err.h"

void interrupt_install(void); /* at most once */
int interrupt_signal(void);
int interrupt_fd(void); /* -1 before interrupt_install: poll(2) passes over it */
/* False and "interrupted" if a signal came. */
bool interrupt_check(struct err *err);

#endif
