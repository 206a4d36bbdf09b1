/*
 * ticks.h - a clock for what takes nanoseconds: the processor's own counter, read without a call.
 *
 * What it is. A number that rises evenly, in a unit of its own; differences become nanoseconds with
 * ticks_ns. Where the processor has no counter that runs at one rate on all cores and through all
 * of its states, or the kernel has found it wrong, a tick is a nanosecond of CLOCK_MONOTONIC.
 *
 * Right for durations. The rate is measured against CLOCK_MONOTONIC once a process, in a tenth of a
 * millisecond, which leaves an error under 0.1 %; what must hold over hours asks
 * clock_monotonic_us. The counter is not a barrier: up to some tens of instructions beside the
 * reading may fall on its other side. Threads. Any, after ticks_prepare.
 */
#ifndef MNEME_OS_TICKS_H
#define MNEME_OS_TICKS_H

#include "base/base.h"

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

/* Ticks to nanoseconds: ticks x ticks_ratio / 2^TICKS_SHIFT. 0: there is no counter to read. */
enum { TICKS_SHIFT = 22 };
extern uint64_t ticks_ratio;

/* Measure the rate, once a process. Before this ticks are nanoseconds of CLOCK_MONOTONIC, and no
 * difference may be taken between one read before and one read after. */
void ticks_prepare(void);

/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t clock_monotonic_ns(void);

static inline uint64_t ticks_now(void) {
#if defined(__x86_64__)
    if (LIKELY(ticks_ratio != 0))
        return __rdtsc();
#endif
    return clock_monotonic_ns();
}

/* Of a duration. One that went backwards (a thread that was moved between cores whose counters are
 * some nanoseconds apart) is 0; one over TICKS_NS_MAX, more than four minutes, is that. */
#define TICKS_NS_MAX (UINT64_C(1) << 38)
static inline uint64_t ticks_ns(uint64_t ticks) {
    if (UNLIKELY(ticks >= UINT64_C(1) << 40))
        return (int64_t)ticks < 0 ? 0 : TICKS_NS_MAX;
    uint64_t ns = LIKELY(ticks_ratio != 0) ? ticks * ticks_ratio >> TICKS_SHIFT : ticks;
    return LIKELY(ns < TICKS_NS_MAX) ? ns : TICKS_NS_MAX;
}

#endif
