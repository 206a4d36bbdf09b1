/*
 * lease.c - one worker at a time on a store, across processes, threads and crashes.
 *
 * The lease is in the shared state: a holder and an end by the boot clock, which all processes of
 * the machine read alike and nobody can set. A holder writes a new end when half of the time is
 * over. Who finds it ended, or free, takes the next fence number, on the condition that the fence
 * is still the one it saw, so of several only one succeeds; and then writes itself in.
 *
 * A worker that was stopped for long and wakes up late:
 *   1. A holds the lease with fence 7, and is stopped in the middle of a step;
 *   2. the lease ends; B takes it, with fence 8;
 *   3. A wakes up and goes on: its exchange carries fence 7, which the remote refuses once it has
 *      seen 8, and whose pushes before that were conditional on what the remote held;
 *   4. A applies its answer: each batch begins with CONDITION_FENCE 7, and fails.
 *
 * An end that is further away than a lease can be is of another boot: the machine was started anew.
 */
#include <stdio.h>
#include <unistd.h>

#include "sync/sync_impl.h"

static int read_state(struct sync *s, mneme_error *error) {
    AUTO_ARENA struct arena arena = {0};
    struct slice bytes;
    struct sync_state state;
    uint64_t fence;
    TRY(shared_state(s->options.local, &arena, &bytes, &fence, NULL, error));
    TRY(state_decode(bytes, &state, error));
    s->state = state;
    s->fence = fence;
    return 0;
}

/* Write the state (NULL: leave it as it is) with fence `next`, if it is still s->fence. *lost: it
 * is not. */
static int write_state(struct sync *s, const struct sync_state *state, uint64_t next, bool *lost,
                       mneme_error *error) {
    AUTO_BUF struct buf bytes = BUF_INIT(SHARED_STATE_MAX);
    struct mutation set = {.op = MUTATION_STATE,
                           .condition = CONDITION_FENCE,
                           .expect_change = s->fence,
                           .shared.fence = next};
    struct batch batch = {.mutations = &set, .count = 1}, *only = &batch;
    if (state)
        state_encode(state, &bytes);
    if (bytes.status)
        return error_set(error, bytes.status, "no memory for the state of sync");
    set.record.body = buf_slice(&bytes);
    int status = store_apply(s->options.local, &only, 1);
    if (status == 0)
        status = batch.status;
    *lost = status == MNEME_LOCKED && batch.failed == 0;
    if (*lost)
        return 0;
    if (status) {
        if (error)
            *error = batch.error;
        return status;
    }
    if (state)
        s->state = *state;
    s->fence = next;
    return 0;
}

static bool lease_runs(const struct sync *s, int64_t now_us) {
    int64_t left = s->state.lease_until_us - now_us;
    return s->state.holder != 0 && left > 0 && left <= s->options.lease_us;
}

static int taken(const struct sync *s, int64_t now_us, mneme_error *error) {
    int64_t left = (s->state.lease_until_us - now_us) / 1000;
    LOG(DEBUG, SYNC, "lease is held by another", LOG_STRING("worker", s->state.worker),
        LOG_MS("left_ms", s->state.lease_until_us - now_us));
    return error_set(error, MNEME_LOCKED,
                     "%s syncs this store; when it stops, another can begin in %lld ms",
                     s->state.worker[0] ? s->state.worker : "another process", (long long)left);
}

/* Who had the lease, this engine too, may store something as long as the fence is the old one, or
 * begin to take it anew. So that is ended first, and what is stored is read behind it. */
static int end_old_fence(struct sync *s, bool *lost, mneme_error *error) {
    *lost = false;
    if (s->state.peer == 0)
        return 0;
    TRY(write_state(s, NULL, s->fence + 1, lost, error));
    uint64_t fence = s->fence;
    if (*lost)
        return 0;
    TRY(read_state(s, error));
    *lost = s->fence != fence;
    return 0;
}

int lease_hold(struct sync *s, mneme_error *error) {
    enum { ROUNDS = 3 };
    for (int round = 0; round < ROUNDS; round++) {
        bool lost;
        TRY(read_state(s, error));
        int64_t now = boot_us(s);
        bool ours = s->state.holder == s->holder;
        if (lease_runs(s, now) && !ours)
            return taken(s, now, error);
        if (ours && lease_runs(s, now) && s->state.lease_until_us - now > s->options.lease_us / 2)
            return 0;
        lost = false;
        if (!lease_runs(s, now)) /* else it is ours, and nobody can take it yet */
            TRY(end_old_fence(s, &lost, error));
        if (lost)
            continue;
        if (lease_runs(s, now) && !ours) /* it was renewed in between */
            return taken(s, now, error);
        struct sync_state next = s->state;
        bool is_new = next.peer == 0;
        next.holder = s->holder;
        next.lease_until_us = now + s->options.lease_us;
        snprintf(next.worker, sizeof next.worker, "process %ld", (long)getpid());
        if (s->options.remote)
            snprintf(next.remote, sizeof next.remote, "%s", s->options.remote);
        if (is_new) {
            next.peer = chance(s) | 1;
            sync_tags_make(s, &next);
        }
        TRY(write_state(s, &next, is_new ? s->fence + 1 : s->fence, &lost, error));
        /* Who had it may have ended in an exchange. */
        s->unsure = s->unsure || (!ours && !is_new);
        if (lost)
            continue;
        if (ours)
            LOG(DEBUG, SYNC, "lease renewed", LOG_WHOLE("fence", s->fence));
        else
            LOG(INFO, SYNC, "lease taken", LOG_WHOLE("fence", s->fence), LOG_BOOL("first", is_new));
        return 0;
    }
    LOG(WARN, SYNC, "lease not taken: several processes want it", LOG_WHOLE("rounds", ROUNDS));
    return error_set(error, MNEME_LOCKED,
                     "several processes want to sync this store at once; the "
                     "next try will tell which of them does");
}

void lease_release(struct sync *s) {
    bool lost;
    if (read_state(s, NULL) || s->state.holder != s->holder)
        return;
    struct sync_state next = s->state;
    next.holder = 0;
    next.lease_until_us = 0;
    next.worker[0] = 0;
    (void)write_state(s, &next, s->fence, &lost, NULL);
    LOG(DEBUG, SYNC, "lease given back", LOG_WHOLE("fence", s->fence));
}
