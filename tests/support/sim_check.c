/*
 * sim_check.c - rest and equality.
 */
#include "support/sim_check.h"

#include <stdlib.h>

#include "os/os.h"

enum { ROUNDS = 60 };

/* ---- Rest -------------------------------------------------------------------------------- */

static bool sync_device(struct sim_world *world, struct sim_device *device, bool *moved) {
    struct sync_progress progress = {.more = true};
    for (unsigned i = 0; progress.more; i++) {
        mneme_error error = {0};
        bool killed;
        progress = (struct sync_progress){0};
        int status = sim_step(&device->processes[0], false, &progress, &killed, &error);
        if (status == MNEME_LOCKED && i < 3) {
            sim_pass(world, SIM_HOUR);
            progress.more = true;
            continue;
        }
        if (status)
            return sim_fails(world, "device %u at rest: %s: %s", device->number,
                             mneme_status_name(status), error.message);
        if (i == 300)
            return sim_fails(world, "device %u says after 300 steps that there is more",
                             device->number);
        *moved =
            *moved || progress.pushed || progress.pulled || progress.merged || progress.superseded;
    }
    return false;
}

/* Nothing stands in the way any more. */
static bool make_peace(struct sim_world *world) {
    mneme_error error = {0};
    size_t freed;
    world->meanwhile = NULL;
    world->server.refuses = NULL;
    sim_server_drop_replica(&world->server);
    for (size_t i = 0; i < world->device_count; i++) {
        struct sim_device *device = &world->devices[i];
        device->offline = false;
        for (size_t k = 0; k < SIM_PROCESSES; k++)
            sim_stop(&device->processes[k], true);
    }
    sim_pass(world, SIM_HOUR); /* leases of the dead */
    for (size_t i = 0; i < world->device_count; i++) {
        struct sim_process *process = &world->devices[i].processes[0];
        if (sim_start(process, &error) || sync_retry_held(process->sync, &freed, &error))
            return sim_fails(world, "device %zu at rest: %s", i + 1, error.message);
    }
    return false;
}

bool sim_rest(struct sim_world *world, struct sim_ledger *ledger) {
    bool moved = true, failed = make_peace(world);
    for (unsigned round = 0; moved && !failed; round++) {
        moved = false;
        if (round == ROUNDS)
            return sim_fails(world, "after %u rounds there is still something to sync", round);
        for (size_t i = 0; i < world->device_count && !failed; i++) {
            struct sim_device *device = &world->devices[i];
            failed =
                sync_device(world, device, &moved) || (ledger && sim_ledger_look(ledger, device));
            sim_pass(world, SIM_SECOND);
        }
    }
    return failed;
}

/* ---- Equality ---------------------------------------------------------------------------- */

static int compare_names(const void *a, const void *b) {
    const struct stored_record *left = a, *right = b;
    if (left->kind != right->kind)
        return left->kind < right->kind ? -1 : 1;
    return memcmp(&left->id, &right->id, sizeof left->id);
}

/* All records of a store by their names. */
static bool take_all(struct sim_world *world, struct store *store, struct record_set *out) {
    mneme_error error = {0};
    if (store_changes(store, 0, STORE_PAGE_MAX, false, out, &error))
        return sim_fails(world, "a store cannot be listed: %s", error.message);
    if (out->count)
        qsort(out->records, out->count, sizeof *out->records, compare_names);
    return false;
}

static const struct stored_record *find(const struct record_set *set,
                                        const struct stored_record *name) {
    return set->count ? bsearch(name, set->records, set->count, sizeof *set->records, compare_names)
                      : NULL;
}

static const struct stored_record *find_parent(const struct record_set *set,
                                               const struct stored_record *child) {
    struct stored_record parent = {.kind = MNEME_EPISODE, .id = child->parent};
    return find(set, &parent);
}

static bool stays_here(const struct record_set *set, const struct stored_record *record) {
    const struct stored_record *parent = find_parent(set, record);
    return record->flags & MNEME_FLAG_LOCAL || (parent && parent->flags & MNEME_FLAG_LOCAL);
}

static bool is_dead(const struct stored_record *record) {
    return !record || record->flags & MNEME_FLAG_DELETED;
}

/* A tombstone may be missing on one side: what was never shared leaves one, and they are collected
 * at different times. And its time is that of what was there before it, if anything was. */
static bool differs(struct sim_world *world, size_t device, const struct stored_record *here,
                    const struct stored_record *there) {
    const struct stored_record *any = here ? here : there;
    struct stored_record left, right;
    char id[ID_TEXT_SIZE];
    if (is_dead(here) && is_dead(there) && (!here || !there))
        return false;
    id_format(&any->id, id);
    if (!here || !there)
        return sim_fails(world, "%s %s is on %s and not on %s (device %zu)",
                         store_kind_name(any->kind), id, here ? "the device" : "the server",
                         here ? "the server" : "the device", device);
    left = *here, right = *there;
    left.flags &= ~(uint32_t)MNEME_FLAG_LOCAL, right.flags &= ~(uint32_t)MNEME_FLAG_LOCAL;
    left.change = right.change = 0;
    if (is_dead(here) && is_dead(there))
        left.time_us = right.time_us = 0;
    const char *what = record_difference(&left, &right);
    return what && sim_fails(world, "%s %s differs between device %zu and the server: %s",
                             store_kind_name(any->kind), id, device, what);
}

static bool device_differs(struct sim_world *world, size_t i, const struct record_set *server) {
    AUTO_RECORDS struct record_set here = {0};
    if (take_all(world, world->devices[i].store, &here))
        return true;
    for (size_t k = 0; k < here.count; k++) {
        const struct stored_record *record = &here.records[k];
        const struct stored_record *there = find(server, record);
        char id[ID_TEXT_SIZE];
        id_format(&record->id, id);
        if (stays_here(&here, record)) {
            if (there)
                return sim_fails(world, "%s %s of device %zu is local and on the server",
                                 store_kind_name(record->kind), id, i + 1);
        } else if (differs(world, i + 1, record, there)) {
            return true;
        }
    }
    for (size_t k = 0; k < server->count; k++)
        if (!find(&here, &server->records[k]) && differs(world, i + 1, NULL, &server->records[k]))
            return true;
    return false;
}

/* No step is a record of its own where its episode is sealed or is not there. */
static bool has_strays(struct sim_world *world, const struct record_set *server) {
    for (size_t i = 0; i < server->count; i++) {
        const struct stored_record *record = &server->records[i];
        const struct stored_record *parent = find_parent(server, record);
        char id[ID_TEXT_SIZE];
        if (is_dead(record) || id_is_zero(&record->parent))
            continue;
        id_format(&record->id, id);
        if (is_dead(parent))
            return sim_fails(world, "%s %s outlived its episode", store_kind_name(record->kind),
                             id);
        if (record->kind == MNEME_STEP && parent->flags & MNEME_FLAG_SEALED)
            return sim_fails(world, "step %s is not in its sealed episode", id);
    }
    return false;
}

bool sim_unequal(struct sim_world *world) {
    AUTO_RECORDS struct record_set server = {0};
    bool unequal = take_all(world, world->server.primary.store, &server);
    for (size_t i = 0; i < world->device_count && !unequal; i++)
        unequal = device_differs(world, i, &server);
    return unequal || has_strays(world, &server);
}

/* ---- The ledger's end -------------------------------------------------------------------- */

static bool note_superseded(struct sim_ledger *ledger, const struct stored_record *stored,
                            struct arena *arena) {
    mneme_error error = {0};
    mneme_record record;
    struct slice plain;
    size_t at = 0;
    if (sim_body_open(stored, &plain, &error) ||
        model_decode(stored, plain, arena, &record, &error))
        return sim_fails(ledger->world, "a superseded record cannot be read: %s", error.message);
    struct slice lost = slice_of_text(record.as.superseded->lost);
    for (unsigned token; (token = sim_token_next(lost, &at));)
        if (token < SIM_TOKENS_MAX)
            ledger->tokens[token].superseded = true;
    return false;
}

/* One edit is told of once. */
static bool told_twice(struct sim_world *world, const struct record_set *all) {
    for (size_t i = 0; i < all->count; i++)
        for (size_t k = 0; k < i; k++)
            if (all->records[i].kind == MNEME_SUPERSEDED && !is_dead(&all->records[i]) &&
                all->records[k].kind == MNEME_SUPERSEDED && !is_dead(&all->records[k]) &&
                slice_equal(all->records[i].body, all->records[k].body))
                return sim_fails(world, "two superseded records say the same");
    return false;
}

bool sim_unsettled(struct sim_world *world, struct sim_ledger *ledger) {
    AUTO_RECORDS struct record_set server = {0};
    AUTO_ARENA struct arena arena = {0};
    bool failed = take_all(world, world->server.primary.store, &server);
    for (size_t i = 0; i < server.count && !failed; i++)
        if (server.records[i].kind == MNEME_SUPERSEDED && !is_dead(&server.records[i]))
            failed = note_superseded(ledger, &server.records[i], &arena);
    for (size_t i = 0; i < world->device_count; i++) {
        const struct sim_shown *shown = &ledger->shown[i];
        for (unsigned slot = 0; slot < SIM_SLOTS; slot++)
            for (size_t k = 0; k < shown->count[slot]; k++)
                ledger->tokens[shown->elements[slot][k].token].shown = true;
    }
    return failed || told_twice(world, &server) || sim_ledger_settle(ledger);
}
