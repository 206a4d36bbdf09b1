/*
 * sim_world.h - a server and some machines that share its records, in one thread and in a time of
 * their own: what happens, and when, is chosen by the test alone.
 *
 * Model. A device is a mem store, a wall clock that may be wrong, and up to two processes, each
 * with an engine (sync.h). A process does its work at *points*: before and after each exchange, and
 * before and after each batch that it writes to its store. At each of them it may be killed, and
 * others may do something (`meanwhile`): write to the device's store, sync other devices, let time
 * pass.
 *
 * The stores take time from the machine's clock, so each is told its difference before it writes;
 * the simulated time stands in the middle of a millisecond, and versions have no finer time.
 */
#ifndef MNEME_TESTS_SIM_WORLD_H
#define MNEME_TESTS_SIM_WORLD_H

#include "support/sim_feed.h"
#include "support/store_records.h"
#include "sync/sync.h"

enum { SIM_DEVICES_MAX = 5, SIM_PROCESSES = 2, SIM_FAILURE_SIZE = 1500 };

#define SIM_SECOND INT64_C(1000000)
#define SIM_HOUR (3600 * SIM_SECOND)
#define SIM_DAY (24 * SIM_HOUR)

struct sim_device;

/* One process that has the device's store open. */
struct sim_process {
    struct sim_device *device;
    struct store *shim;
    struct feed *feed;
    struct sync *sync; /* NULL: it does not run */
    bool dead;
    unsigned dies_at;     /* the point at which it is killed, counted from 1; 0: not */
    enum sim_fault fault; /* of its next exchange */
    int64_t exchange_us;  /* how long its exchanges take */
    struct sync_world clocks;
    char name[FEED_NAME_MAX];
};

struct sim_device {
    struct sim_world *world;
    unsigned number; /* 1, 2, … */
    struct store *store;
    struct store *copy; /* an old state of the store, or NULL */
    int64_t skew_us;
    bool offline;
    struct sim_process processes[SIM_PROCESSES];
};

struct sim_world {
    int64_t now_us;
    struct test_random random; /* what engines are given for chance */
    struct sim_server server;
    struct sim_device devices[SIM_DEVICES_MAX];
    size_t device_count;
    struct sync_options settings; /* of engines that are opened: sizes, times, filter */
    /* Called at every point of every process; NULL: nothing happens. Not called within itself. */
    void (*meanwhile)(struct sim_world *world, struct sim_process *process, void *context);
    void *meanwhile_context;
    bool in_meanwhile;
    uint64_t points;
    bool trace;                     /* print every exchange */
    char failure[SIM_FAILURE_SIZE]; /* what went wrong first; empty: nothing */
};

/* 0, or a failure of the simulation itself. */
int sim_world_make(struct sim_world *world, uint64_t seed, size_t devices);
void sim_world_fini(struct sim_world *world);

/* Note what is wrong, unless something was noted before. Returns true. */
bool sim_fails(struct sim_world *world, const char *format, ...) PRINTF_LIKE(2, 3);

void sim_pass(struct sim_world *world, int64_t us);
/* Tell the device's store what time it is; before whatever writes to it. */
void sim_tell_time(struct sim_device *device);

/* Start a process's engine, if it does not run. 0 or what sync_open says. */
int sim_start(struct sim_process *process, mneme_error *error);
/* End it in order, or kill it: then nothing of what ending does reaches the store. */
void sim_stop(struct sim_process *process, bool kill);
/* One step of a process; it is started when it does not run, and is gone when it was killed (then
 * *killed, and the status is of no interest). `progress` may be NULL. */
int sim_step(struct sim_process *process, bool quiet, struct sync_progress *progress, bool *killed,
             mneme_error *error);
/* Step until there is nothing more to do, at most 200 times. */
int sim_drain(struct sim_process *process, mneme_error *error);

/* Keep the device's store as it is now, to come back to; and come back to it: its processes are
 * killed first. */
int sim_keep_copy(struct sim_device *device);
int sim_restore_copy(struct sim_device *device);

/* Bodies are stored behind one byte, so that a packed one is never taken for a plain one. */
extern const struct sync_bodies sim_bodies;
int sim_body_open(const struct stored_record *stored, struct slice *plain, mneme_error *error);

#endif
