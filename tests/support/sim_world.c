/*
 * sim_world.c - time, devices and processes.
 */
#include "support/sim_world.h"

#include <stdarg.h>
#include <stdio.h>

#include "store/mem.h"
#include "support/sim_shim.h"
#include "support/sim_trace.h"

enum { PACKED = 0x5a, DRAIN_STEPS = 200 };

/* 2026-07-01T00:00:00.0005Z */
static const int64_t BEGIN_US = INT64_C(1782864000000500);

/* ---- Failures, time ---------------------------------------------------------------------- */

bool sim_fails(struct sim_world *world, const char *format, ...) {
    va_list arguments;
    if (world->failure[0])
        return true;
    va_start(arguments, format);
    vsnprintf(world->failure, sizeof world->failure, format, arguments);
    va_end(arguments);
    return true;
}

void sim_pass(struct sim_world *world, int64_t us) {
    world->now_us += us / 1000 * 1000;
    world->server.now_us = world->now_us;
}

void sim_tell_time(struct sim_device *device) {
    mem_store_skew(device->store, device->world->now_us + device->skew_us - clock_wall_us());
}

static int64_t device_wall_us(void *context) {
    const struct sim_device *device = context;
    return device->world->now_us + device->skew_us;
}

static int64_t device_boot_us(void *context) {
    const struct sim_device *device = context;
    return device->world->now_us - BEGIN_US + SIM_DAY * device->number;
}

static uint64_t device_random(void *context) {
    struct sim_device *device = context;
    return test_random_next(&device->world->random);
}

/* ---- Bodies ------------------------------------------------------------------------------ */

int sim_body_open(const struct stored_record *stored, struct slice *plain, mneme_error *error) {
    if (stored->body.size == 0 || stored->body.data[0] != PACKED)
        return error_set(error, MNEME_CORRUPT, "a body is not packed");
    *plain = slice_of(stored->body.data + 1, stored->body.size - 1);
    return 0;
}

static int bodies_open(void *context, const struct stored_record *stored, struct arena *arena,
                       struct slice *plain, mneme_error *error) {
    (void)context, (void)arena;
    return sim_body_open(stored, plain, error);
}

static int bodies_close(void *context, mneme_kind kind, struct slice plain, struct slice like,
                        struct arena *arena, struct slice *packed, mneme_error *error) {
    (void)context, (void)kind, (void)like;
    uint8_t *bytes = arena_alloc(arena, plain.size + 1);
    if (!bytes)
        return error_set(error, MNEME_NO_MEMORY, "no memory for a body");
    bytes[0] = PACKED;
    if (plain.size)
        memcpy(bytes + 1, plain.data, plain.size);
    *packed = slice_of(bytes, plain.size + 1);
    return 0;
}

const struct sync_bodies sim_bodies = {.open = bodies_open, .close = bodies_close};

/* ---- Points ------------------------------------------------------------------------------ */

/* Whether the process comes past this point alive. */
static bool pass_point(struct sim_process *process) {
    struct sim_world *world = process->device->world;
    if (process->dead)
        return false;
    world->points++;
    if (process->dies_at && --process->dies_at == 0) {
        process->dead = true;
        return false;
    }
    if (world->meanwhile && !world->in_meanwhile) {
        world->in_meanwhile = true;
        world->meanwhile(world, process, world->meanwhile_context);
        world->in_meanwhile = false;
    }
    sim_tell_time(process->device);
    return true;
}

static bool shim_lives(void *context, bool writes, bool after) {
    struct sim_process *process = context;
    (void)after;
    return writes ? pass_point(process) : !process->dead;
}

static enum sim_fault before_exchange(void *context, const struct feed_request *request) {
    struct sim_process *process = context;
    struct sim_device *device = process->device;
    (void)request;
    if (!pass_point(process) || device->offline)
        return SIM_DOWN;
    sim_pass(device->world, process->exchange_us);
    enum sim_fault fault = process->fault;
    process->fault = SIM_FINE;
    return fault;
}

static void after_exchange(void *context, const struct feed_request *request,
                           const struct feed_answer *answer) {
    struct sim_process *process = context;
    if (process->device->world->trace)
        sim_trace_exchange(process->device->number, request, answer);
    sim_pass(process->device->world, process->exchange_us);
    (void)pass_point(process); /* the dead do not hear the answer, see the shim */
}

/* ---- Processes --------------------------------------------------------------------------- */

int sim_start(struct sim_process *process, mneme_error *error) {
    struct sim_device *device = process->device;
    if (process->sync)
        return 0;
    const struct sim_shim_hooks shim_hooks = {process, shim_lives};
    const struct sim_feed_hooks feed_hooks = {process, before_exchange, after_exchange};
    process->clocks = (struct sync_world){device, device_wall_us, device_boot_us, device_random};
    snprintf(process->name, sizeof process->name, "device %u", device->number);
    struct sync_options options = device->world->settings;
    process->dead = false;
    process->dies_at = 0;
    TRY(sim_shim_open(device->store, &shim_hooks, &process->shim, error));
    int status = sim_feed_open(&device->world->server, &feed_hooks, &process->feed, error);
    options.local = process->shim;
    options.feed = process->feed;
    options.bodies = sim_bodies;
    options.world = &process->clocks;
    options.no_threads = true;
    options.remote = "sim://server";
    options.name = process->name;
    sim_tell_time(device);
    if (!status)
        status = sync_open(&options, &process->sync, error);
    if (status)
        sim_stop(process, true);
    return status;
}

void sim_stop(struct sim_process *process, bool kill) {
    process->dead = process->dead || kill;
    sim_tell_time(process->device);
    sync_close(process->sync);
    feed_close(process->feed);
    store_close(process->shim);
    process->sync = NULL;
    process->feed = NULL;
    process->shim = NULL;
    process->dead = false;
    process->dies_at = 0;
    process->fault = SIM_FINE;
}

int sim_step(struct sim_process *process, bool quiet, struct sync_progress *progress, bool *killed,
             mneme_error *error) {
    struct sync_progress own = {0};
    int status = sim_start(process, error);
    if (!status) {
        sim_tell_time(process->device);
        status = sync_step(process->sync, quiet, progress ? progress : &own, error);
    }
    *killed = process->dead;
    if (*killed)
        sim_stop(process, true);
    return status;
}

int sim_drain(struct sim_process *process, mneme_error *error) {
    struct sync_progress progress = {.more = true};
    bool killed;
    for (unsigned i = 0; i < DRAIN_STEPS && progress.more; i++) {
        progress = (struct sync_progress){0};
        TRY(sim_step(process, false, &progress, &killed, error));
    }
    return progress.more
               ? error_set(error, MNEME_FAILURE, "after %d steps there is more", DRAIN_STEPS)
               : 0;
}

/* ---- Devices ----------------------------------------------------------------------------- */

int sim_keep_copy(struct sim_device *device) {
    store_close(device->copy);
    device->copy = NULL;
    return mem_store_clone(device->store, &device->copy, NULL);
}

int sim_restore_copy(struct sim_device *device) {
    struct store *again;
    TRY(mem_store_clone(device->copy, &again, NULL));
    for (size_t i = 0; i < SIM_PROCESSES; i++)
        sim_stop(&device->processes[i], true);
    store_close(device->store);
    device->store = again;
    return 0;
}

static int device_make(struct sim_world *world, struct sim_device *device, unsigned number) {
    *device = (struct sim_device){.world = world, .number = number};
    for (size_t i = 0; i < SIM_PROCESSES; i++)
        device->processes[i].device = device;
    return mem_store_open(100 + number, &device->store, NULL);
}

int sim_world_make(struct sim_world *world, uint64_t seed, size_t devices) {
    *world = (struct sim_world){.now_us = BEGIN_US, .random = {seed}};
    TRY(sim_server_open(&world->server, seed ^ 0x5e12e1, NULL));
    world->server.now_us = world->now_us;
    for (; world->device_count < devices; world->device_count++) {
        struct sim_device *device = &world->devices[world->device_count];
        TRY(device_make(world, device, (unsigned)world->device_count + 1));
    }
    return 0;
}

void sim_world_fini(struct sim_world *world) {
    for (size_t i = 0; i < world->device_count; i++) {
        struct sim_device *device = &world->devices[i];
        for (size_t k = 0; k < SIM_PROCESSES; k++)
            sim_stop(&device->processes[k], true);
        store_close(device->store);
        store_close(device->copy);
    }
    sim_server_fini(&world->server);
}
