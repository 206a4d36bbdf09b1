/*
 * store_watched.c - the decorator of store_watched.h.
 */
#include "support/store_watched.h"

static struct watched *watched_of(struct store *store) { return (struct watched *)(void *)store; }

/* Below, every allocation is spared. */
static void memory_in(struct watched *w) {
    if (w->fails_outside == 0)
        return;
    uint64_t made = mem_fail_after(0);
    w->fails_outside -= size_min(made, w->fails_outside);
}

static void memory_out(struct watched *w) {
    if (w->fails_outside)
        mem_fail_after(w->fails_outside);
}

static int asked(atomic_uint *count, const atomic_int *status, mneme_error *error) {
    atomic_fetch_add(count, 1);
    int code = atomic_load(status);
    return code ? error_set(error, code, "the watched store fails as told") : 0;
}

/* Once for each time that calls_back is set, so that what is called may read the store itself. */
static void call_back(struct watched *w) {
    if (w->meanwhile && atomic_exchange(&w->calls_back, false))
        w->meanwhile(w->context);
}

static int watched_apply(struct store *store, struct batch *const *batches, size_t count) {
    struct watched *w = watched_of(store);
    atomic_fetch_add(&w->applies, 1);
    memory_in(w);
    int status = store_apply(w->below, batches, count);
    memory_out(w);
    call_back(w);
    return status;
}

static int watched_get(struct store *store, const struct record_name *names, size_t count,
                       struct record_set *out, size_t *found, mneme_error *error) {
    struct watched *w = watched_of(store);
    TRY(asked(&w->gets, &w->get_status, error));
    memory_in(w);
    int status = store_get(w->below, names, count, out, found, error);
    memory_out(w);
    call_back(w);
    return status;
}

static int watched_query(struct store *store, const struct store_query *query,
                         struct record_set *out, bool *more, mneme_error *error) {
    struct watched *w = watched_of(store);
    TRY(asked(&w->queries, &w->query_status, error));
    memory_in(w);
    int status = store_query(w->below, query, out, more, error);
    memory_out(w);
    call_back(w);
    return status;
}

static int watched_changes(struct store *store, uint64_t since, size_t limit, bool without_bodies,
                           struct record_set *out, mneme_error *error) {
    struct watched *w = watched_of(store);
    TRY(asked(&w->changes, &w->changes_status, error));
    memory_in(w);
    int status = store_changes(w->below, since, limit, without_bodies, out, error);
    memory_out(w);
    return status;
}

static int watched_stats(struct store *store, struct store_stats *out, mneme_error *error) {
    return store_stats(watched_of(store)->below, out, error);
}

static int watched_backup(struct store *store, const char *path, mneme_error *error) {
    return store_backup(watched_of(store)->below, path, error);
}

static void watched_close(struct store *store) {
    store_close(watched_of(store)->below);
    mem_free(store);
}

struct watched *watched_open(struct store *below) {
    static const struct store_operations operations = {.name = "watched",
                                                       .apply = watched_apply,
                                                       .get = watched_get,
                                                       .query = watched_query,
                                                       .changes = watched_changes,
                                                       .stats = watched_stats,
                                                       .backup = watched_backup,
                                                       .close = watched_close};
    struct watched *w = mem_zalloc(1, sizeof *w);
    if (w) {
        w->base = (struct store){&operations, store_moment(below)};
        w->below = below;
    }
    return w;
}

void watched_fail_outside(struct watched *w, uint64_t k) {
    w->fails_outside = k;
    mem_fail_after(k);
}

bool watched_has_failed(struct watched *w) {
    memory_in(w);
    bool failed = w->fails_outside == 0;
    w->fails_outside = 0;
    mem_fail_after(0);
    return failed;
}
