/*
 * sync_schedule_test.c - random schedules of devices that sync, with all that is real: files,
 * processes that are killed, a server, and a wire with faults. In the end all hold the same, and no
 * acknowledged write is lost. tests/sync/sim_test.c runs many more, of the engine alone.
 *
 * MNEME_SYNC_SCHEDULES sets how many; MNEME_SYNC_SEED plays that seed and those after it. A seed
 * repeats the plan, but not which process comes first. To narrow a failure down: MNEME_SYNC_FAULTS
 * and MNEME_SYNC_KILLS are the percents of faults and kills (0: none), MNEME_SYNC_AGENTS how many
 * processes a device has at once.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "os/os.h"
#include "support/random_record.h"
#include "support/server_database.h"
#include "support/sync_agent.h"
#include "support/sync_site.h"
#include "support/sync_wire.h"

enum { SCHEDULES = 200, ROUNDS_MAX = 3, AGENTS_MAX = 8, CALLS_MAX = 12 };
enum { DEVICE_AGENTS = 2, KILL_PERCENT = 30 };

struct world {
    struct sync_board *board;
    struct sync_wire wire;
    struct sync_site site;
    struct rng rng;
    mneme_options options;
    unsigned kill_percent, device_agents;
    unsigned agents, kills, deeds;
};

/* ---- A round: some processes on some devices ----------------------------------------------- */

struct round {
    unsigned count;
    struct sync_agent agents[AGENTS_MAX];
    pid_t children[AGENTS_MAX];
    bool doomed[AGENTS_MAX];
};

static uint64_t number_from_environment(const char *name, uint64_t otherwise) {
    const char *value = getenv(name);
    return value && *value ? strtoull(value, NULL, 0) : otherwise;
}

static void plan_round(struct world *w, struct round *round) {
    unsigned doom = rng_chance(&w->rng, 50) && w->kill_percent ? 2 : 0;
    round->count = 0;
    for (unsigned device = 1; device <= w->site.count; device++) {
        unsigned many = (unsigned)rng_below(&w->rng, w->device_agents + 1);
        for (unsigned i = 0; i < many; i++)
            round->agents[round->count++] =
                (struct sync_agent){.board = w->board,
                                    .path = w->site.paths[device - 1],
                                    .options = w->options,
                                    .number = ++w->agents,
                                    .device = device,
                                    .seed = rng_next(&w->rng),
                                    .calls = 1 + (unsigned)rng_below(&w->rng, CALLS_MAX),
                                    .doom = doom,
                                    .sync_percent = 25};
    }
}

static void end_child(struct world *w, struct round *round, unsigned i) {
    int code;
    if (sync_child_hangs(round->children[i], &code))
        fail_msg("agent %u hangs", round->agents[i].number);
    if (code == 1000 + SIGKILL)
        w->kills++;
    else
        assert_int_equal(code, 0);
    sync_board_reap(w->board, round->agents[i].number);
}

static void run_round(struct world *w) {
    struct round round;
    plan_round(w, &round);
    for (unsigned i = 0; i < round.count; i++)
        round.children[i] = child_start(sync_agent_run, &round.agents[i]);
    for (unsigned i = 0; i < round.count; i++) {
        if (!rng_chance(&w->rng, w->kill_percent))
            continue;
        usleep((useconds_t)rng_below(&w->rng, 40 * 1000 * SYNC_SLOWER));
        kill(round.children[i], SIGKILL);
    }
    for (unsigned i = 0; i < round.count; i++)
        end_child(w, &round, i);
}

/* ---- A schedule ---------------------------------------------------------------------------- */

static uint16_t port_of(const struct server_database *database) {
    return (uint16_t)strtoul(strrchr(database->origin, ':') + 1, NULL, 10);
}

static void plan_schedule(struct world *w, uint64_t seed) {
    static const unsigned percents[] = {0, 0, 5, 20};
    unsigned percent;
    struct server_database database;
    char url[160];
    mneme_error error;
    w->rng.state = seed;
    OK(server_database_make(&database, &error), &error);
    if (!w->wire.told)
        sync_wire_start(&w->wire, port_of(&database));
    snprintf(url, sizeof url, "http://localhost:%u/dev/%s", w->wire.port, database.name);
    sync_site_make(&w->site, 2 + (unsigned)rng_below(&w->rng, 3), url, database.url);
    sync_board_clear(w->board);
    w->agents = 0;
    w->options = sync_site_options(&w->site, MNEME_SYNC_MANUAL);
    w->options.sync.push_max = rng_chance(&w->rng, 50) ? 3 : 0;
    w->options.remote.attempts = 1 + (uint32_t)rng_below(&w->rng, 3);
    w->options.remote.breaker_failures = 1000;
    w->options.remote.stall_ms = 2000 * SYNC_SLOWER;
    percent = percents[rng_below(&w->rng, COUNT_OF(percents))];
    sync_wire_set(&w->wire, (unsigned)number_from_environment("MNEME_SYNC_FAULTS", percent));
}

static void play(struct world *w, uint64_t seed) {
    char problem[SYNC_PROBLEM];
    plan_schedule(w, seed);
    unsigned rounds = 1 + (unsigned)rng_below(&w->rng, ROUNDS_MAX);
    for (unsigned i = 0; i < rounds; i++)
        run_round(w);
    sync_wire_set(&w->wire, 0);
    w->deeds += w->board->next - 1;
    if (sync_site_differs(&w->site, w->board, problem)) {
        sync_board_print(w->board);
        fail_msg("%s\nThe files are in %s. To see it again, as far as it repeats: "
                 "MNEME_SYNC_SEED=%" PRIu64,
                 problem, w->site.home.directory, seed);
    }
    sync_site_remove(&w->site);
}

static void schedules__end_in_equal_memories(void **state) {
    struct world *w = *state;
    uint64_t count = number_from_environment("MNEME_SYNC_SCHEDULES", SCHEDULES / SYNC_SLOWER);
    uint64_t seed = number_from_environment("MNEME_SYNC_SEED", (uint64_t)clock_wall_us());
    print_message("seeds from %" PRIu64 "\n", seed);
    for (uint64_t i = 0; i < count; i++)
        play(w, seed + i);
    print_message("%" PRIu64 " schedules: %u deeds, %u processes killed, %" PRIu64
                  " requests, %" PRIu64 " faults\n",
                  count, w->deeds, w->kills, sync_wire_requests(&w->wire),
                  sync_wire_faults(&w->wire));
    if (count >= 20) { /* they are about what they are meant to be about */
        assert_true(w->kills > count / 10 || !w->kill_percent);
        assert_true(sync_wire_faults(&w->wire) > count / 10 || getenv("MNEME_SYNC_FAULTS"));
        assert_true(w->deeds > 10 * count);
    }
}

static int setup(void **state) {
    static struct world world;
    world.board = sync_board_make();
    world.kill_percent = (unsigned)number_from_environment("MNEME_SYNC_KILLS", KILL_PERCENT);
    world.device_agents = (unsigned)number_from_environment("MNEME_SYNC_AGENTS", DEVICE_AGENTS);
    *state = &world;
    return 0;
}

static int teardown(void **state) {
    struct world *w = *state;
    sync_wire_stop(&w->wire);
    sync_board_free(w->board);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(schedules__end_in_equal_memories, setup, teardown),
    };
    return cmocka_run_group_tests_name("reliability/sync_schedule", tests, NULL, NULL);
}
