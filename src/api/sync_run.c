/*
 * sync_run.c - mneme_sync: steps of the engine in the caller's thread, until nothing is left.
 *
 * Another worker may have the store, in this process or another one. It does the same work; so who
 * is ready to wait is done, too, when everything has gone out and the worker is in step.
 */
#include <stdio.h>

#include "api/calls.h"
#include "api/sync.h"

enum { LOOK_US = 50 * 1000 };
#define WAIT_MAX_MS (INT64_C(1000) * 86400 * 36500) /* as good as for ever */

enum action { ACTION_RETRY, ACTION_STEP, ACTION_COLLECT };

struct run {
    struct syncer *s;
    const mneme_sync_run *how;
    mneme_sync_report report;
    int64_t deadline_us; /* of waiting for others, monotonic; < 0: none */
    bool more;
};

static int tell(struct run *run, mneme_error *error) {
    if (run->how->progress && run->how->progress(run->how->context, &run->report) != 0)
        return error_set(error, MNEME_CANCELLED, "the sync was stopped; what went out stays");
    return 0;
}

static void add(struct run *run, const struct sync_progress *did) {
    mneme_sync_report *report = &run->report;
    report->pushed += did->pushed;
    report->pulled += did->pulled;
    report->merged += did->merged;
    report->superseded += did->superseded;
    report->held += did->held;
    report->cursor = did->cursor;
    report->head = did->head;
    run->more = did->more;
}

static int act_once(struct run *run, enum action action, mneme_error *error) {
    struct syncer *s = run->s;
    struct sync_progress did = {0};
    uint64_t collected = 0;
    size_t freed = 0;
    int status;
    syncer_enter(s);
    if (action == ACTION_STEP)
        status = sync_step(s->engine, false, &did, error);
    else if (action == ACTION_RETRY)
        status = sync_retry_held(s->engine, &freed, error);
    else
        status = sync_collect(s->engine, &collected, error);
    if (status == MNEME_UNAUTHORIZED && !s->has_thread)
        late_feed_forget(s->feed);
    syncer_leave(s);
    if (status == 0 && action == ACTION_STEP)
        add(run, &did);
    run->report.freed += freed;
    run->report.collected += collected;
    return status;
}

/* Whether the process that has the lease is known to have ended: then nobody goes on for us until
 * the lease has ended, too. */
static bool worker_is_gone(const struct sync_status *now) {
    long pid = 0;
    return sscanf(now->worker, "process %ld", &pid) == 1 && process_has_ended(pid);
}

/* Whether the other worker has sent what this run would send, and is in step with the remote as
 * far as it knows; it goes on looking for what is new there. */
static bool other_did_it(struct run *run) {
    struct sync_status now;
    if (run->how->collect || run->how->retry_held || sync_status(run->s->local, NULL, &now, NULL))
        return false;
    return now.pending == 0 && now.error_us == 0 && now.pull_us && now.cursor >= now.head &&
           now.worker[0] && !worker_is_gone(&now);
}

static void sleep_until(struct run *run, int64_t until_us) {
    AUTO_LOCK(held, &run->s->lock);
    while (clock_monotonic_us() < until_us)
        (void)signal_wait(&run->s->moved, &run->s->lock, until_us);
}

/* The same, waiting for another worker as long as the caller said. */
static int act(struct run *run, enum action action, mneme_error *error) {
    for (;;) {
        int status = act_once(run, action, error);
        int64_t now = clock_monotonic_us();
        run->report.waiting = false;
        if (status != MNEME_LOCKED || (run->deadline_us >= 0 && now >= run->deadline_us))
            return status;
        if (other_did_it(run)) {
            run->report.by_other = true;
            run->more = false;
            return 0;
        }
        run->report.waiting = true;
        TRY(tell(run, error));
        sleep_until(run, now + LOOK_US);
    }
}

static int run_all(struct run *run, mneme_error *error) {
    if (run->how->retry_held)
        TRY(act(run, ACTION_RETRY, error));
    do {
        TRY(act(run, ACTION_STEP, error));
        TRY(tell(run, error));
    } while (run->more);
    return run->how->collect ? act(run, ACTION_COLLECT, error) : 0;
}

static int take_run(const mneme_sync_run *given, mneme_sync_run *out, mneme_error *error) {
    *out = (mneme_sync_run){.size = sizeof *out};
    if (given && (given->size == 0 || given->size > sizeof *out))
        return error_set(error, MNEME_INVALID,
                         "mneme_sync_run.size is %zu; set it to sizeof(mneme_sync_run), and use "
                         "the header of this library",
                         given->size);
    if (given)
        memcpy(out, given, given->size);
    return 0;
}

static int check_handle(const mneme *m, const mneme_sync_report *report, mneme_error *error) {
    TRY(handle_check(m, error));
    if (report && report->size != sizeof *report)
        return error_set(error, MNEME_INVALID,
                         "mneme_sync_report.size is not sizeof(mneme_sync_report); set it before "
                         "the call");
    if (m->options.read_only)
        return error_set(error, MNEME_PERMISSION, "%s was opened for reading only", m->path);
    if (!m->syncer)
        return error_set(error, MNEME_INVALID,
                         "%s was opened without a remote to sync with; name one in "
                         "mneme_options.sync.url",
                         m->path);
    return 0;
}

/* A store that was never synced has all its records to send. */
static int count_pending(mneme *m, uint64_t *out, mneme_error *error) {
    struct sync_status now;
    struct store_stats stats;
    TRY(sync_status(m->bottom, NULL, &now, error));
    TRY(store_stats(m->bottom, &stats, error));
    *out = now.pending;
    for (size_t i = 0; !now.shared && i < MNEME_KIND_COUNT; i++)
        *out += stats.kinds[i].records;
    return 0;
}

int call_sync(mneme *m, const mneme_sync_run *how, mneme_sync_report *report, mneme_error *error) {
    mneme_sync_run taken;
    uint64_t pending;
    TRY(check_handle(m, report, error));
    TRY(take_run(how, &taken, error));
    batched_drain(m->queue); /* what was queued goes with it */
    TRY(count_pending(m, &pending, error));
    struct run run = {.s = m->syncer,
                      .how = &taken,
                      .report = {.size = sizeof run.report, .pending = pending},
                      .deadline_us = -1};
    if (taken.wait_ms >= 0 && taken.wait_ms < WAIT_MAX_MS)
        run.deadline_us = clock_monotonic_us() + taken.wait_ms * 1000;
    int status = run_all(&run, error);
    if (report)
        *report = run.report;
    return status;
}
