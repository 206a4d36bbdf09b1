/*
 * followed.c - the decorator's table of operations: own commits, the changes from memory, opening.
 */
#include "store/followed/followed_impl.h"

/* The upper bits of the moment count how often the log was found to be another one. */
static const uint64_t MOMENT_OF_EPOCH = UINT64_C(1) << 48;

void followed_begin_anew(struct followed *f, uint64_t change) {
    f->epoch++;
    f->valid_from = UINT64_MAX;
    ring_restart(&f->ring, change);
    f->known = true;
    atomic_fetch_add(&f->moment, MOMENT_OF_EPOCH);
}

/* ---- Own commits ----------------------------------------------------------------------------- */

/* What is taken over from one call of store_apply. */
struct commit {
    bool known; /* what was so when it began … */
    uint64_t top, epoch;
    int64_t begun_us;
    uint64_t last;     /* its last change so far */
    uint64_t unknown;  /* its greatest change that only the log can tell; 0: none */
    bool done, unsure; /* something went in; something may have gone in */
};

static struct commit commit_begin(struct followed *f) {
    AUTO_LOCK(held, &f->lock);
    return (struct commit){
        .known = f->known, .top = f->ring.top, .epoch = f->epoch, .begun_us = clock_monotonic_us()};
}

/*
 * What a DELETE that comes right behind all that is known has left. A tombstone keeps the parent
 * and the time of what was there, which the mutation does not tell. A place tells that there is a
 * parent. False: only the log knows.
 */
static bool tombstone_find(const struct followed *f, const struct mutation *mutation,
                           struct stored_record *out) {
    const struct stored_record *record = &mutation->record;
    const struct stored_record *before = ring_find(&f->ring, record->kind, &record->id);
    if (before && before->place != record->place)
        before = NULL; /* purged, by another, and deleted again as a replica's */
    if (!before && (record->place || f->options.whole_changes))
        return false;
    *out = tombstone_of(mutation, before);
    out->place = record->place;
    out->change = record->change;
    return true;
}

static void take_write(struct followed *f, struct commit *c, const struct mutation *mutation) {
    struct stored_record record = mutation->record;
    uint64_t before = record.change ? record.change - 1 : 0;
    /* No number is given twice. */
    if (c->known && c->epoch == f->epoch && record.change <= c->top) {
        followed_begin_anew(f, before);
        c->epoch = f->epoch;
        c->top = 0;
    } else if (!f->known) {
        ring_restart(&f->ring, before);
        f->known = true;
    }
    c->last = record.change;
    if (record.change <= f->ring.top)
        return; /* a look has brought it */
    if (before == f->ring.top && c->epoch == f->epoch &&
        (mutation->op == MUTATION_PUT || tombstone_find(f, mutation, &record)))
        ring_append(&f->ring, &record);
    else
        c->unknown = record.change;
}

static void take_mutation(struct followed *f, struct commit *c, const struct mutation *mutation) {
    const struct stored_record *record = &mutation->record;
    if (!mutation->applied)
        return;
    if (mutation->op == MUTATION_PUT || mutation->op == MUTATION_DELETE)
        take_write(f, c, mutation);
    /* Later changes of this record may be known by now, which must stay. */
    if (mutation->op == MUTATION_PURGE && c->epoch == f->epoch)
        ring_forget(&f->ring, record->kind, &record->id, c->last > c->top ? c->last : c->top);
}

static void take_batches(struct followed *f, struct commit *c, struct batch *const *batches,
                         size_t count) {
    for (size_t i = 0; i < count; i++) {
        c->done |= batches[i]->status == 0;
        c->unsure |= batches[i]->status == MNEME_UNCERTAIN;
        for (size_t j = 0; batches[i]->status == 0 && j < batches[i]->count; j++)
            take_mutation(f, c, &batches[i]->mutations[j]);
    }
}

/* Take over what was committed, before it is acknowledged. */
static void commit_end(struct followed *f, struct commit *c, struct batch *const *batches,
                       size_t count) {
    AUTO_LOCK(held, &f->lock);
    take_batches(f, c, batches, count);
    uint64_t next = f->looks.begun + 1;
    if (c->unknown > f->ring.top) {
        f->needed = next;
        (void)looks_reach(f, next, c->unknown, NULL); /* a failure is left to store_changes */
    } else if (c->unsure) {
        f->needed = next;
    } else if (c->last) {
        f->looks.behind_us = c->begun_us;
    }
    if (c->done || c->unsure)
        followed_bump(f);
}

static int followed_apply(struct store *store, struct batch *const *batches, size_t count) {
    struct followed *f = followed_of(store);
    TRY(looks_start(f, NULL));
    struct commit commit = commit_begin(f);
    int status = store_apply(f->below, batches, count);
    commit.unsure = status == MNEME_UNCERTAIN;
    commit_end(f, &commit, batches, status ? 0 : count);
    return status;
}

/* ---- Reading --------------------------------------------------------------------------------- */

/* What was read shows this change: have it known. When that fails, what was read is good all the
 * same. */
static void show_change(struct followed *f, uint64_t change) {
    AUTO_LOCK(held, &f->lock);
    if (f->known && change > f->ring.top)
        (void)looks_try(f, f->looks.begun + 1, change, NULL);
}

static void show_records(struct followed *f, const struct record_set *set, size_t from) {
    uint64_t change = 0;
    for (size_t i = from; i < set->count; i++)
        if (set->records[i].change > change)
            change = set->records[i].change;
    show_change(f, change);
}

static int followed_get(struct store *store, const struct record_name *names, size_t count,
                        struct record_set *out, size_t *found, mneme_error *error) {
    struct followed *f = followed_of(store);
    size_t before = out->count;
    TRY(looks_start(f, error));
    TRY(store_get(f->below, names, count, out, found, error));
    show_records(f, out, before);
    return 0;
}

static int followed_query(struct store *store, const struct store_query *query,
                          struct record_set *out, bool *more, mneme_error *error) {
    struct followed *f = followed_of(store);
    size_t before = out->count;
    TRY(looks_start(f, error));
    TRY(store_query(f->below, query, out, more, error));
    show_records(f, out, before);
    return 0;
}

static int refuse_since(uint64_t since, mneme_error *error) {
    return error_set(error, MNEME_CONFLICT,
                     "the database was replaced, and change %llu is not of its change log; read "
                     "everything anew, then the changes behind those that store_stats tells",
                     (unsigned long long)since);
}

static int since_check(const struct followed *f, uint64_t since, mneme_error *error) {
    return since && since < f->valid_from ? refuse_since(since, error) : 0;
}

/* From memory, unless *below. With the lock. */
static int changes_known(struct followed *f, uint64_t since, size_t limit, bool without_bodies,
                         struct record_set *out, bool *below, mneme_error *error) {
    struct looks *looks = &f->looks;
    TRY(since_check(f, since, error));
    if (looks->good < f->needed) {
        uint64_t number = f->needed > looks->ended ? f->needed : looks->ended + 1;
        TRY(looks_try(f, number, UINT64_MAX, error));
    }
    /* Who took his place from the statistics may be ahead of us. */
    if (f->known && since > f->ring.top)
        TRY(looks_try(f, looks->begun + 1, since, error));
    TRY(since_check(f, since, error));
    if (f->epoch && since > f->ring.top)
        return refuse_since(since, error);
    *below = !f->known || since < f->ring.floor || (!without_bodies && !f->ring.with_bodies);
    if (!*below && ring_copy(&f->ring, since, limit, without_bodies, out))
        return error_set(error, MNEME_NO_MEMORY, "no memory for a page of changes");
    return 0;
}

static int followed_changes(struct store *store, uint64_t since, size_t limit, bool without_bodies,
                            struct record_set *out, mneme_error *error) {
    struct followed *f = followed_of(store);
    size_t before = out->count;
    bool below = false;
    TRY(looks_start(f, error));
    lock_acquire(&f->lock);
    int status = changes_known(f, since, limit, without_bodies, out, &below, error);
    lock_release(&f->lock);
    if (status || !below)
        return status;
    TRY(store_changes(f->below, since, limit, without_bodies, out, error));
    show_records(f, out, before);
    return 0;
}

/* Statistics of a log that was found to be another one meanwhile are read again. */
static int followed_stats(struct store *store, struct store_stats *out, mneme_error *error) {
    struct followed *f = followed_of(store);
    TRY(looks_start(f, error));
    lock_acquire(&f->lock);
    uint64_t epoch = f->epoch;
    lock_release(&f->lock);
    TRY(store_stats(f->below, out, error));
    AUTO_LOCK(held, &f->lock);
    if (epoch != f->epoch)
        return error_set(error, MNEME_CONFLICT,
                         "the database was replaced while its statistics were read; read them "
                         "again");
    if (f->valid_from > out->changes)
        f->valid_from = out->changes;
    return 0;
}

static int followed_backup(struct store *store, const char *path, mneme_error *error) {
    return store_backup(followed_of(store)->below, path, error);
}

/* ---- Opening and closing --------------------------------------------------------------------- */

static void followed_destroy(struct followed *f) {
    ring_fini(&f->ring);
    signal_fini(&f->look_over);
    lock_fini(&f->lock);
    mem_free(f);
}

static void followed_close(struct store *store) {
    struct followed *f = followed_of(store);
    looks_stop(f);
    store_close(f->below);
    followed_destroy(f);
}

static struct store *followed_below(struct store *store) { return followed_of(store)->below; }

static const struct store_operations followed_operations = {
    .name = "followed",
    .apply = followed_apply,
    .get = followed_get,
    .query = followed_query,
    .changes = followed_changes,
    .stats = followed_stats,
    .backup = followed_backup,
    .close = followed_close,
    .below = followed_below,
};

int followed_look(struct store *store, mneme_error *error) {
    if (store->operations != &followed_operations)
        return error_set(error, MNEME_INVALID, "the %s store is not one that follows another",
                         store->operations->name);
    struct followed *f = followed_of(store);
    AUTO_LOCK(held, &f->lock);
    return looks_reach(f, f->looks.begun + 1, UINT64_MAX, error);
}

int followed_open(struct store *below, const struct followed_options *options, struct store **out,
                  mneme_error *error) {
    struct followed *f = mem_zalloc(1, sizeof *f);
    if (!f)
        return error_set(error, MNEME_NO_MEMORY, "no memory to follow a store");
    f->base = (struct store){&followed_operations, &f->moment};
    f->below = below;
    if (options)
        f->options = *options;
    f->options.interval_ms = f->options.interval_ms ? f->options.interval_ms : 1000;
    lock_init(&f->lock, RANK_FOLLOWED);
    signal_init(&f->look_over);
    if (ring_init(&f->ring, f->options.whole_changes)) {
        followed_destroy(f);
        return error_set(error, MNEME_NO_MEMORY, "no memory for the changes of a store");
    }
    *out = &f->base;
    return 0;
}
