/* clock.h - time. Monotonic nanoseconds for durations and logs, real-time nanoseconds against file times. */
#ifndef TENON_OS_CLOCK_H
#define TENON_OS_CLOCK_H

#include "base/base.h"

int64_t clock_mono_ns(void);
int64_t clock_real_ns(void);

#endif
