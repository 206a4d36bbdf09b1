/*
 * sim_test.c - machines that work, sync, fail and meet again in thousands of random schedules end
 * with equal memories, and every acknowledged write is accounted for.
 *
 * MNEME_SIM_SCHEDULES sets how many; MNEME_SIM_SEED plays that seed and those after it. Without it
 * the seeds are the same in every run. MNEME_SIM_FAILURES goes on until there are so many failures,
 * MNEME_SIM_ACTIONS leaves out what has no bit in it (enum sim_action); MNEME_SIM_TRACE=1 plays
 * what was shrunk once more and prints what goes over the wire.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/sim_schedule.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SCHEDULES = 1500 };
#elif defined(NDEBUG)
enum { SCHEDULES = 10000 };
#else
enum { SCHEDULES = 2000 };
#endif

static uint64_t number_from_environment(const char *name, uint64_t otherwise) {
    const char *text = getenv(name);
    char *end;
    uint64_t number = text ? strtoull(text, &end, 0) : 0;
    return text && *text && !*end ? number : otherwise;
}

enum { KINDS_MAX = 24 };
static char kinds[KINDS_MAX][SIM_FAILURE_SIZE];
static size_t kind_count;

static bool is_known_kind(const char *failure) {
    for (size_t i = 0; i < kind_count; i++)
        if (sim_failures_alike(kinds[i], failure))
            return true;
    if (kind_count < KINDS_MAX)
        memcpy(kinds[kind_count++], failure, SIM_FAILURE_SIZE);
    return false;
}

/* The first failure of a kind is shrunk. */
static void report(struct sim_schedule *schedule, char failure[SIM_FAILURE_SIZE]) {
    AUTO_BUF struct buf text = BUF_INIT(1 << 20);
    print_error("seed %" PRIu64 ": %s\n", schedule->seed, failure);
    if (is_known_kind(failure))
        return;
    sim_schedule_shrink(schedule, failure);
    sim_schedule_print(schedule, &text);
    print_error("shrunk: %s\n%s", failure, text.data ? (const char *)text.data : "");
    schedule->trace = number_from_environment("MNEME_SIM_TRACE", 0);
    (void)(schedule->trace && sim_schedule_fails(schedule, failure, NULL));
    print_error("To see it again: MNEME_SIM_SEED=%" PRIu64 " MNEME_SIM_SCHEDULES=1\n",
                schedule->seed);
}

/* `allowed`: which actions may be in the schedules. */
static void play_all(unsigned allowed, uint64_t count) {
    uint64_t seed = number_from_environment("MNEME_SIM_SEED", 1), failures = 0;
    uint64_t tolerated = number_from_environment("MNEME_SIM_FAILURES", 1);
    struct sim_totals totals = {0};
    for (uint64_t i = 0; i < count && failures < tolerated; i++) {
        struct sim_schedule schedule;
        char failure[SIM_FAILURE_SIZE];
        sim_schedule_make(&schedule, seed + i, allowed);
        if (sim_schedule_fails(&schedule, failure, &totals)) {
            report(&schedule, failure);
            failures++;
        }
    }
    print_message("%" PRIu64 " schedules: %" PRIu64 " writes, %" PRIu64 " exchanges, %" PRIu64
                  " records taken, %" PRIu64 " stale, %" PRIu64 " refused, %" PRIu64
                  " superseded\n",
                  count, totals.writes, totals.exchanges, totals.taken, totals.stale,
                  totals.refused, totals.superseded);
    assert_int_equal(failures, 0);
    if (count >= 100) { /* they are about what they are meant to be about */
        assert_true(totals.superseded > count / 10);
        assert_true(totals.stale > count / 10);
        assert_true(totals.refused > 0);
    }
}

static void sim__any_schedule_ends_in_equal_memories(void **state) {
    (void)state;
    unsigned allowed =
        (unsigned)number_from_environment("MNEME_SIM_ACTIONS", sim_all_actions) & sim_all_actions;
    play_all(allowed, number_from_environment("MNEME_SIM_SCHEDULES", SCHEDULES));
}

/* The test of the test: schedules that end well with an honest server do not with one that lies. */
static void sim__lies_of_the_server_are_found(void **state) {
    enum { SEEDS = 300 };
    (void)state;
    for (int lie = SIM_HONEST + 1; lie < SIM_LIES; lie++) {
        unsigned found = 0;
        for (uint64_t seed = 1; seed <= SEEDS && !found; seed++) {
            struct sim_schedule schedule;
            char failure[SIM_FAILURE_SIZE];
            sim_schedule_make(&schedule, seed, sim_all_actions);
            if (sim_schedule_fails(&schedule, failure, NULL))
                continue;
            schedule.lie = (enum sim_lie)lie;
            found += sim_schedule_fails(&schedule, failure, NULL);
        }
        if (!found)
            fail_msg("lie %d was not found", lie);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sim__any_schedule_ends_in_equal_memories),
        cmocka_unit_test(sim__lies_of_the_server_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
