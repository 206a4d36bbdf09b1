/*
 * sim_shrink.c - leaves out of a schedule what is not needed to fail in the same way.
 */
#include "support/sim_schedule.h"

enum { SHRINK_PLAYS = 600 };

bool sim_failures_alike(const char *a, const char *b) {
    static const char digits[] = "0123456789abcdef-";
    for (;; a++, b++) {
        a += strspn(a, digits);
        b += strspn(b, digits);
        if (*a != *b)
            return false;
        if (*a == 0)
            return true;
    }
}

/* Leave out each run of `chunk` operations that is not needed; whether there was one. */
static bool leave_out(struct sim_schedule *schedule, char failure[SIM_FAILURE_SIZE], size_t chunk,
                      unsigned *plays) {
    bool shrunk = false;
    for (size_t start = 0; start < schedule->count && *plays < SHRINK_PLAYS;) {
        struct sim_schedule candidate = *schedule;
        char text[SIM_FAILURE_SIZE];
        size_t end = size_min(start + chunk, candidate.count);
        memmove(candidate.ops + start, candidate.ops + end,
                (candidate.count - end) * sizeof *candidate.ops);
        candidate.count -= end - start;
        ++*plays;
        if (sim_schedule_fails(&candidate, text, NULL) && sim_failures_alike(text, failure)) {
            *schedule = candidate;
            memcpy(failure, text, sizeof text);
            shrunk = true;
        } else {
            start += chunk;
        }
    }
    return shrunk;
}

void sim_schedule_shrink(struct sim_schedule *schedule, char failure[SIM_FAILURE_SIZE]) {
    unsigned plays = 0;
    for (size_t chunk = schedule->count / 2; chunk > 1; chunk /= 2)
        (void)leave_out(schedule, failure, chunk, &plays);
    while (leave_out(schedule, failure, 1, &plays))
        continue;
}
