/*
 * sim_schedule.c - makes, plays and shrinks schedules.
 */
#include "support/sim_schedule.h"

#include <inttypes.h>
#include <stdio.h>

enum { OPS_MIN = 20, OPS_RANGE = 41, MEANWHILE_PERCENT = 6 };

struct play;
/* What an action is done to. */
struct scene {
    struct play *play;
    const struct sim_op *op;
    struct sim_device *device;
    struct sim_process *process;
    struct test_random random;
};
struct action {
    const char *name;
    unsigned weight;
    bool (*play)(struct scene *scene); /* true: a rule is broken */
};
static const struct action actions[SIM_ACTIONS];

static const char *const deeds[SIM_DEEDS] = {
    [SIM_PUT] = "put",         [SIM_EDIT] = "edit",         [SIM_TAG] = "tag",
    [SIM_STEP] = "step",       [SIM_COMPLETE] = "complete", [SIM_DELETE] = "delete",
    [SIM_REPLACE] = "replace", [SIM_POISON] = "poison",     [SIM_TITLE] = "title",
    [SIM_ADD_TAG] = "add tag", [SIM_DROP_TAG] = "drop tag"};

const unsigned sim_all_actions = (1u << SIM_ACTIONS) - 1;

/* ---- Making ------------------------------------------------------------------------------ */

static enum sim_action choose_action(struct test_random *random, unsigned allowed) {
    unsigned sum = 0;
    for (unsigned i = 0; i < SIM_ACTIONS; i++)
        sum += allowed >> i & 1 ? actions[i].weight : 0;
    unsigned choice = test_random_below(random, sum);
    for (unsigned i = 0; i < SIM_ACTIONS; i++) {
        unsigned weight = allowed >> i & 1 ? actions[i].weight : 0;
        if (choice < weight)
            return (enum sim_action)i;
        choice -= weight;
    }
    return SIM_WORK;
}

static enum sim_deed choose_deed(struct test_random *random) {
    static const uint8_t weights[SIM_DEEDS] = {
        [SIM_PUT] = 25,     [SIM_EDIT] = 20,  [SIM_TAG] = 15,    [SIM_STEP] = 20,
        [SIM_COMPLETE] = 7, [SIM_DELETE] = 6, [SIM_REPLACE] = 4, [SIM_POISON] = 3};
    unsigned choice = test_random_below(random, 100);
    for (unsigned i = 0; i < SIM_DEEDS; i++) {
        if (choice < weights[i])
            return (enum sim_deed)i;
        choice -= weights[i];
    }
    return SIM_PUT;
}

void sim_schedule_make(struct sim_schedule *schedule, uint64_t seed, unsigned allowed) {
    struct test_random random = {seed};
    *schedule = (struct sim_schedule){.seed = seed};
    schedule->device_count = 2 + test_random_below(&random, SIM_DEVICES_MAX - 1);
    schedule->count = OPS_MIN + test_random_below(&random, OPS_RANGE);
    unsigned slots = 2 + test_random_below(&random, SIM_SLOTS - 1);
    for (size_t i = 0; i < schedule->count; i++) {
        struct sim_op *op = &schedule->ops[i];
        op->action = choose_action(&random, allowed);
        op->device = test_random_below(&random, schedule->device_count);
        op->process = test_random_below(&random, 5) == 0;
        op->slot = test_random_below(&random, slots) * 7 % SIM_SLOTS;
        op->deed = choose_deed(&random);
        op->seed = test_random_next(&random);
    }
}

/* ---- Playing ----------------------------------------------------------------------------- */

struct play {
    struct sim_world world;
    struct sim_ledger ledger;
    struct sim_remote remote_copy;
    struct test_random meanwhile;
};

static bool refuses_poison(void *context, const struct stored_record *record) {
    size_t size = strlen(sim_poison);
    (void)context;
    for (size_t i = 0; i + size <= record->body.size; i++)
        if (memcmp(record->body.data + i, sim_poison, size) == 0)
            return true;
    return false;
}

/* A step may fail as the world has it; anything else is a fault of the engine. */
static bool is_bad(struct sim_world *world, const struct sim_process *process, int status,
                   bool killed, const mneme_error *error) {
    if (killed || status == 0 || status == MNEME_UNAVAILABLE || status == MNEME_UNCERTAIN ||
        status == MNEME_LOCKED)
        return false;
    return sim_fails(world, "a step of device %u fails: %s: %s", process->device->number,
                     mneme_status_name(status), error->message);
}

static bool step(struct play *play, struct sim_process *process, bool quiet, bool *more) {
    struct sync_progress progress = {0};
    mneme_error error = {0};
    bool killed;
    int status = sim_step(process, quiet, &progress, &killed, &error);
    *more = !status && progress.more;
    if (killed || status == MNEME_UNCERTAIN || (status == 0 && !*more))
        sim_ledger_stepped(&play->ledger, process->device, status == 0 && !killed);
    return is_bad(&play->world, process, status, killed, &error) ||
           sim_ledger_look(&play->ledger, process->device);
}

static bool steps(struct play *play, struct sim_process *process, unsigned limit) {
    bool more = true;
    for (unsigned i = 0; more && i < limit; i++)
        if (step(play, process, false, &more))
            return true;
    return false;
}

/* Something happens while a process is at work: a write to its store, a step of another. */
static void meanwhile(struct sim_world *world, struct sim_process *process, void *context) {
    struct play *play = context;
    struct test_random *random = &play->meanwhile;
    bool more;
    if (test_random_below(random, 100) >= MEANWHILE_PERCENT)
        return;
    sim_pass(world, (int64_t)(10 + test_random_below(random, 500)) * 1000);
    if (test_random_below(random, 3)) {
        (void)sim_ledger_work(&play->ledger, process->device, test_random_below(random, SIM_SLOTS),
                              choose_deed(random), random);
        return;
    }
    struct sim_device *device =
        &world->devices[test_random_below(random, (unsigned)world->device_count)];
    struct sim_process *other = &device->processes[test_random_below(random, SIM_PROCESSES)];
    if (other != process)
        (void)step(play, other, false, &more);
}

static bool play_work(struct scene *scene) {
    return sim_ledger_work(&scene->play->ledger, scene->device, scene->op->slot, scene->op->deed,
                           &scene->random);
}

static bool play_sync(struct scene *scene) {
    bool more;
    return step(scene->play, scene->process, test_random_below(&scene->random, 4) == 0, &more);
}

static bool play_sync_all(struct scene *scene) { return steps(scene->play, scene->process, 30); }

static bool play_sync_killed(struct scene *scene) {
    if (sim_start(scene->process, NULL))
        return false;
    scene->process->dies_at = 1 + test_random_below(&scene->random, 9);
    bool failed = steps(scene->play, scene->process, 3);
    scene->process->dies_at = 0;
    return failed;
}

static bool play_sync_lost(struct scene *scene) {
    if (sim_start(scene->process, NULL))
        return false;
    scene->process->fault = test_random_below(&scene->random, 4) ? SIM_LOST_AFTER : SIM_LOST_BEFORE;
    return steps(scene->play, scene->process, 2);
}

/* Each way takes so long that the lease ends, and another may take over. */
static bool play_sync_slow(struct scene *scene) {
    bool more;
    scene->process->exchange_us = 40 * SIM_SECOND;
    bool failed = step(scene->play, scene->process, false, &more);
    scene->process->exchange_us = 0;
    return failed;
}

static bool play_end(struct scene *scene) {
    sim_stop(scene->process, false);
    return false;
}

static bool play_online(struct scene *scene) {
    scene->device->offline = !scene->device->offline;
    return false;
}

static bool play_clock(struct scene *scene) {
    int64_t sign = (int64_t)test_random_below(&scene->random, 3) - 1;
    scene->device->skew_us = sign * test_random_below(&scene->random, 8) * SIM_HOUR;
    return false;
}

static bool play_time(struct scene *scene) {
    bool season = test_random_below(&scene->random, 10) == 0;
    int64_t hours = test_random_below(&scene->random, 50);
    sim_pass(&scene->play->world, season ? 100 * SIM_DAY : hours * SIM_HOUR);
    return false;
}

static bool play_keep(struct scene *scene) {
    if (sim_ledger_look(&scene->play->ledger, scene->device) || sim_keep_copy(scene->device))
        return sim_fails(&scene->play->world, "no copy of a device");
    sim_ledger_kept(&scene->play->ledger, scene->device);
    return false;
}

static bool play_set_back(struct scene *scene) {
    if (!scene->device->copy)
        return false;
    if (sim_restore_copy(scene->device))
        return sim_fails(&scene->play->world, "a device cannot be set back");
    return sim_ledger_restored(&scene->play->ledger, scene->device);
}

static bool play_remote_keep(struct scene *scene) {
    struct play *play = scene->play;
    sim_remote_fini(&play->remote_copy);
    return sim_remote_copy(&play->world.server.primary, &play->remote_copy, NULL) &&
           sim_fails(&play->world, "no copy of the remote");
}

static bool play_remote_set_back(struct scene *scene) {
    struct play *play = scene->play;
    return play->remote_copy.store &&
           sim_server_restore(&play->world.server, &play->remote_copy, NULL) &&
           sim_fails(&play->world, "the remote cannot be set back");
}

static bool play_remote_replace(struct scene *scene) {
    return sim_server_replace(&scene->play->world.server, NULL) &&
           sim_fails(&scene->play->world, "the remote cannot be replaced");
}

static bool play_replica(struct scene *scene) {
    struct sim_server *server = &scene->play->world.server;
    if (server->has_replica && test_random_below(&scene->random, 3) == 0) {
        sim_server_drop_replica(server);
        return false;
    }
    return sim_server_feed_replica(server, NULL) &&
           sim_fails(&scene->play->world, "there is no replica");
}

static bool play_collect(struct scene *scene) {
    mneme_error error = {0};
    uint64_t collected;
    if (scene->device->offline || sim_start(scene->process, &error))
        return false;
    sim_tell_time(scene->device);
    int status = sync_collect(scene->process->sync, &collected, &error);
    return is_bad(&scene->play->world, scene->process, status, false, &error) ||
           sim_ledger_look(&scene->play->ledger, scene->device);
}

static const struct action actions[SIM_ACTIONS] = {
    [SIM_WORK] = {"work", 460, play_work},
    [SIM_SYNC] = {"sync a step", 200, play_sync},
    [SIM_SYNC_ALL] = {"sync all", 110, play_sync_all},
    [SIM_SYNC_KILLED] = {"sync, killed", 60, play_sync_killed},
    [SIM_SYNC_LOST] = {"sync, answer lost", 50, play_sync_lost},
    [SIM_SYNC_SLOW] = {"sync, slow", 15, play_sync_slow},
    [SIM_END] = {"end", 15, play_end},
    [SIM_ONLINE] = {"line", 25, play_online},
    [SIM_CLOCK] = {"clock", 20, play_clock},
    [SIM_TIME] = {"time", 25, play_time},
    [SIM_KEEP] = {"keep a copy", 10, play_keep},
    [SIM_SET_BACK] = {"set back", 6, play_set_back},
    [SIM_REMOTE_KEEP] = {"keep a copy of the remote", 10, play_remote_keep},
    [SIM_REMOTE_SET_BACK] = {"set the remote back", 6, play_remote_set_back},
    [SIM_REMOTE_REPLACE] = {"replace the remote", 2, play_remote_replace},
    [SIM_REPLICA] = {"replica", 15, play_replica},
    [SIM_COLLECT] = {"collect", 8, play_collect},
};

static void print_op(const struct sim_op *op, size_t i, struct buf *out) {
    buf_printf(out, "%3zu. device %u: %s", i + 1, op->device + 1, actions[op->action].name);
    if (op->action == SIM_WORK)
        buf_printf(out, " (%s slot %u)", deeds[op->deed], op->slot);
    else if (op->process)
        buf_printf(out, " (second process)");
    buf_printf(out, "\n");
}

static bool play_op(struct play *play, const struct sim_op *op) {
    struct sim_device *device = &play->world.devices[op->device];
    struct scene scene = {play, op, device, &device->processes[op->process], {op->seed}};
    play->meanwhile.state = op->seed ^ 0x6d65616e;
    sim_pass(&play->world, (int64_t)(20 + test_random_below(&scene.random, 20000)) * 1000);
    return actions[op->action].play(&scene);
}

static void trace_op(const struct sim_op *op, size_t i) {
    AUTO_BUF struct buf text = BUF_INIT(1 << 10);
    print_op(op, i, &text);
    fwrite(text.data, 1, text.size, stderr);
}

/* Sizes small enough that meetings take several exchanges, in some of the schedules. */
static void choose_settings(struct play *play, uint64_t seed) {
    static const size_t pushes[] = {1, 3, 100}, pulls[] = {1, 4, 1000};
    struct test_random random = {seed ^ 0x5e7};
    play->world.settings.push_max = pushes[test_random_below(&random, COUNT_OF(pushes))];
    play->world.settings.pull_max = pulls[test_random_below(&random, COUNT_OF(pulls))];
    play->world.server.page_bytes = test_random_below(&random, 3) ? 0 : 200;
    play->world.server.refuses = refuses_poison;
    play->world.meanwhile = test_random_below(&random, 3) ? meanwhile : NULL;
    play->world.meanwhile_context = play;
}

static void add_totals(const struct play *play, struct sim_totals *totals) {
    const struct sim_server *server = &play->world.server;
    struct store_stats stats;
    totals->writes += play->ledger.writes;
    totals->exchanges += server->exchanges;
    totals->taken += server->taken;
    totals->stale += server->stale;
    totals->refused += server->refused;
    totals->points += play->world.points;
    if (store_stats(server->primary.store, &stats, NULL) == 0)
        totals->superseded += stats.kinds[MNEME_SUPERSEDED].records;
}

bool sim_schedule_fails(const struct sim_schedule *schedule, char failure[SIM_FAILURE_SIZE],
                        struct sim_totals *totals) {
    AUTO_FREE struct play *play = mem_zalloc(1, sizeof *play);
    if (!play || sim_world_make(&play->world, schedule->seed, schedule->device_count)) {
        snprintf(failure, SIM_FAILURE_SIZE, "no memory for a world");
        return true;
    }
    sim_ledger_init(&play->ledger, &play->world);
    choose_settings(play, schedule->seed);
    play->world.trace = schedule->trace;
    play->world.server.lie = schedule->lie;
    bool failed = false;
    for (size_t i = 0; i < schedule->count && !failed; i++) {
        if (schedule->trace)
            trace_op(&schedule->ops[i], i);
        failed = play_op(play, &schedule->ops[i]) || play->world.failure[0];
    }
    failed = failed || sim_rest(&play->world, &play->ledger) || sim_unequal(&play->world) ||
             sim_unsettled(&play->world, &play->ledger);
    snprintf(failure, SIM_FAILURE_SIZE, "%s", play->world.failure);
    if (totals)
        add_totals(play, totals);
    sim_remote_fini(&play->remote_copy);
    sim_world_fini(&play->world);
    return failed;
}

void sim_schedule_print(const struct sim_schedule *schedule, struct buf *out) {
    buf_printf(out, "%u devices\n", schedule->device_count);
    for (size_t i = 0; i < schedule->count; i++)
        print_op(&schedule->ops[i], i, out);
    buf_append_byte(out, 0);
}
