/*
 * ticks.c - whether the processor's counter can be trusted, and how fast it runs.
 */
#include "os/ticks.h"

#include <fcntl.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

uint64_t ticks_ratio;

uint64_t clock_monotonic_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

#if defined(__x86_64__)

/* Both clocks at one moment: of some readings the one that took the shortest. */
static void read_both(uint64_t *ticks, uint64_t *ns) {
    uint64_t shortest = UINT64_MAX;
    for (int i = 0; i < 5; i++) {
        uint64_t before = __rdtsc(), at = clock_monotonic_ns(), after = __rdtsc();
        if (after - before < shortest) {
            shortest = after - before;
            *ticks = before + shortest / 2;
            *ns = at;
        }
    }
}

/* Invariant TSC (Intel SDM, CPUID leaf 80000007H, EDX bit 8): one rate in all states. */
static bool runs_evenly(void) {
    unsigned a, b, c, d;
    return __get_cpuid(0x80000007, &a, &b, &c, &d) && (d & 1u << 8);
}

/* The kernel strikes a counter from this list when it has seen cores disagree. Where the list
 * cannot be read, as in some sandboxes, the processor's word has to do. */
static bool kernel_has_struck_it(void) {
    static const char path[] = "/sys/devices/system/clocksource/clocksource0/available_clocksource";
    char text[256];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    if (size <= 0)
        return false;
    text[size] = 0;
    return strstr(text, "tsc") == NULL;
}

static void prepare(void) {
    enum { MEASURE_NS = 100000 };
    uint64_t ticks, ns, ticks_later, ns_later;
    if (!runs_evenly() || kernel_has_struck_it())
        return;
    read_both(&ticks, &ns);
    while (clock_monotonic_ns() - ns < MEASURE_NS)
        ;
    read_both(&ticks_later, &ns_later);
    if (ticks_later > ticks && ns_later > ns)
        ticks_ratio = ((ns_later - ns) << TICKS_SHIFT) / (ticks_later - ticks);
    if (ticks_ratio > UINT64_C(1) << TICKS_SHIFT)
        ticks_ratio = 0; /* under 1 GHz: a tick would be coarser than the clock is */
}

#else

static void prepare(void) {}

#endif

void ticks_prepare(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, prepare);
}
