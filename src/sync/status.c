/*
 * status.c - how sync stands, from the local store alone; and the collection of tombstones.
 */
#include <stdio.h>

#include "sync/sync_impl.h"

/* ---- Status ---------------------------------------------------------------------------------- */

static const char *phase_name(const struct sync_state *state) {
    static const char *const names[] = {[PHASE_MEETING] = "meeting anew",
                                        [PHASE_COMPARING] = "comparing names",
                                        [PHASE_IN_STEP] = "in step"};
    bool first = state->phase == PHASE_MEETING && state->pulled == 0 && state->pushed == 0;
    return first ? "first meeting" : names[state->phase];
}

static int status_outbox(struct store *local, struct sync_status *out, mneme_error *error) {
    enum { LOOKED_AT = 10000, PAGE = 500 };
    uint64_t since = 0;
    bool more = true;
    for (size_t seen = 0; more && seen < LOOKED_AT;) {
        AUTO_RECORDS struct record_set page = {0};
        TRY(shared_outbox(local, since, PAGE, 16 << 20, &page, &since, &more, error));
        for (size_t i = 0; i < page.count; i++) {
            int64_t written_us = (int64_t)(page.records[i].version.clock >> 16) * 1000;
            if (out->oldest_us == 0)
                out->oldest_us = written_us;
            out->pending_bytes += page.records[i].body.size;
        }
        seen += page.count;
    }
    return 0;
}

static int status_held(struct store *local, struct sync_status *out, mneme_error *error) {
    enum { PAGE = 500 };
    AUTO_FREE struct record_name *names = mem_zalloc(PAGE, sizeof *names);
    AUTO_FREE struct slice *reasons = mem_zalloc(PAGE, sizeof *reasons);
    AUTO_FREE uint64_t *at = mem_zalloc(PAGE, sizeof *at);
    struct record_name after;
    bool begun = false;
    if (!names || !reasons || !at)
        return error_set(error, MNEME_NO_MEMORY, "no memory for the status of sync");
    for (size_t count = PAGE; count == PAGE; begun = true) {
        AUTO_ARENA struct arena arena = {0};
        TRY(shared_names(local, MARK_HELD, begun ? &after : NULL, PAGE, names, at, reasons, &arena,
                         &count, error));
        for (size_t i = 0; i < count; i++) {
            size_t size = strlen(held_refused);
            out->held_refused +=
                reasons[i].size >= size && memcmp(reasons[i].data, held_refused, size) == 0;
        }
        if (count)
            after = names[count - 1];
    }
    return 0;
}

static void status_of_state(const struct sync_state *state, int64_t boot_now_us,
                            struct sync_status *out) {
    int64_t left = state->lease_until_us - boot_now_us;
    snprintf(out->remote, sizeof out->remote, "%s", state->remote);
    snprintf(out->phase, sizeof out->phase, "%s", phase_name(state));
    snprintf(out->error_text, sizeof out->error_text, "%s", state->error_text);
    if (state->holder && left > 0)
        snprintf(out->worker, sizeof out->worker, "%s", state->worker);
    out->cursor = state->cursor;
    out->head = state->head;
    out->push_us = state->push_us;
    out->pull_us = state->pull_us;
    out->error_us = state->error_us;
    out->error_code = state->error_code;
    out->next_us = state->next_us;
    out->skew_us = state->skew_us;
    out->pushed = state->pushed;
    out->pulled = state->pulled;
    out->merged = state->merged;
    out->bytes_up = state->bytes_up;
    out->bytes_down = state->bytes_down;
    out->plain_bytes = state->plain_bytes;
    out->peer_count = state->peer_count;
    memcpy(out->peers, state->peers, sizeof out->peers);
}

int sync_status(struct store *local, const struct sync_world *world, struct sync_status *out,
                mneme_error *error) {
    AUTO_ARENA struct arena arena = {0};
    struct sync_world clocks = world_or_machine(world);
    struct shared_counts counts;
    struct store_stats stats;
    struct sync_state state;
    struct slice bytes;
    uint64_t all = 0;
    *out = (struct sync_status){0};
    TRY(shared_state(local, &arena, &bytes, NULL, &counts, error));
    TRY(state_decode(bytes, &state, error));
    out->shared = bytes.size != 0;
    TRY(store_stats(local, &stats, error));
    for (size_t i = 0; i < MNEME_KIND_COUNT; i++)
        all += stats.kinds[i].records + stats.kinds[i].tombstones;
    out->superseded = stats.kinds[MNEME_SUPERSEDED].records;
    if (!out->shared)
        return 0;
    status_of_state(&state, clocks.boot_us(clocks.context), out);
    out->held = counts.held;
    out->pending = all > counts.clean + counts.held ? all - counts.clean - counts.held : 0;
    TRY(status_held(local, out, error));
    return status_outbox(local, out, error);
}

/* ---- Tombstones ------------------------------------------------------------------------------ */

/* Of a page of clean names, purge the tombstones that the remote has collected. */
static int purge_page(struct sync *s, const struct record_name *names, const uint64_t *at,
                      size_t count, uint64_t *collected, mneme_error *error) {
    AUTO_RECORDS struct record_set set = {0};
    AUTO_SYNC_WRITES struct writes w = {0};
    AUTO_FREE size_t *found = mem_zalloc(count, sizeof *found);
    int64_t old_us = wall_us(s) + s->state.skew_us - s->options.keep_us;
    size_t before = w.count;
    bool raced;
    if (!found)
        return error_set(error, MNEME_NO_MEMORY, "no memory to sync");
    TRY(store_get(s->options.local, names, count, &set, found, error));
    for (size_t i = 0; i < count; i++) {
        const struct stored_record *r = found[i] == SIZE_MAX ? NULL : &set.records[found[i]];
        if (!r || record_is_live(r) || at[i] == 0 || at[i] > s->state.floor ||
            (int64_t)(r->version.clock >> 16) * 1000 >= old_us)
            continue;
        struct mutation *purge = writes_add(&w, MUTATION_PURGE, r->kind, &r->id);
        writes_expect(purge, r->change);
        if (purge)
            purge->shared.mark = MARK_CLEAN;
    }
    *collected += w.count - before;
    return w.count ? writes_apply(s, &w, NULL, &raced, error) : 0;
}

int sync_collect(struct sync *s, uint64_t *collected, mneme_error *error) {
    enum { PAGE = 500 };
    AUTO_FREE struct record_name *names = mem_zalloc(PAGE, sizeof *names);
    AUTO_FREE uint64_t *at = mem_zalloc(PAGE, sizeof *at);
    struct record_name after;
    bool begun = false;
    *collected = 0;
    if (!names || !at)
        return error_set(error, MNEME_NO_MEMORY, "no memory to sync");
    TRY(lease_hold(s, error));
    TRY(feed_collect(s->options.feed, s->options.keep_us, collected, error));
    for (size_t count = PAGE; count == PAGE; begun = true) {
        AUTO_ARENA struct arena arena = {0};
        TRY(shared_names(s->options.local, MARK_CLEAN, begun ? &after : NULL, PAGE, names, at, NULL,
                         &arena, &count, error));
        TRY(purge_page(s, names, at, count, collected, error));
        if (count)
            after = names[count - 1];
    }
    return 0;
}
