/*
 * sim_shim.c - forwards what it is asked while the process lives.
 */
#include "support/sim_shim.h"

#include "store/store_impl.h"

struct sim_shim {
    struct store base;
    struct store *below;
    struct sim_shim_hooks hooks;
};

static struct sim_shim *shim_of(struct store *store) { return (struct sim_shim *)(void *)store; }

static int shim_dead(mneme_error *error) {
    return error_set(error, MNEME_IO, "the simulated process is dead");
}

static bool lives(struct store *store, bool writes, bool after) {
    struct sim_shim *shim = shim_of(store);
    return shim->hooks.lives(shim->hooks.context, writes, after);
}

/* A batch that went in may be the last thing that the process did: it does not hear of it. */
static int shim_apply(struct store *store, struct batch *const *batches, size_t count) {
    if (!lives(store, true, false))
        return shim_dead(NULL);
    int status = store_apply(shim_of(store)->below, batches, count);
    return lives(store, true, true) ? status : shim_dead(NULL);
}

static int shim_get(struct store *store, const struct record_name *names, size_t count,
                    struct record_set *out, size_t *found, mneme_error *error) {
    return lives(store, false, false)
               ? store_get(shim_of(store)->below, names, count, out, found, error)
               : shim_dead(error);
}

static int shim_query(struct store *store, const struct store_query *query, struct record_set *out,
                      bool *more, mneme_error *error) {
    return lives(store, false, false) ? store_query(shim_of(store)->below, query, out, more, error)
                                      : shim_dead(error);
}

static int shim_changes(struct store *store, uint64_t since, size_t limit, bool without_bodies,
                        struct record_set *out, mneme_error *error) {
    return lives(store, false, false)
               ? store_changes(shim_of(store)->below, since, limit, without_bodies, out, error)
               : shim_dead(error);
}

static int shim_stats(struct store *store, struct store_stats *out, mneme_error *error) {
    return lives(store, false, false) ? store_stats(shim_of(store)->below, out, error)
                                      : shim_dead(error);
}

static int shim_backup(struct store *store, const char *path, mneme_error *error) {
    return lives(store, false, false) ? store_backup(shim_of(store)->below, path, error)
                                      : shim_dead(error);
}

static void shim_close(struct store *store) { mem_free(store); }

static int shim_state(struct store *store, struct arena *arena, struct slice *state,
                      uint64_t *fence, struct shared_counts *counts, mneme_error *error) {
    return lives(store, false, false)
               ? shared_state(shim_of(store)->below, arena, state, fence, counts, error)
               : shim_dead(error);
}

static int shim_marks(struct store *store, const struct record_name *names, size_t count,
                      struct shared_mark *marks, struct record_set *bases, mneme_error *error) {
    return lives(store, false, false)
               ? shared_marks(shim_of(store)->below, names, count, marks, bases, error)
               : shim_dead(error);
}

static int shim_outbox(struct store *store, uint64_t since, size_t limit, size_t bytes,
                       struct record_set *out, uint64_t *upto, bool *more, mneme_error *error) {
    return lives(store, false, false)
               ? shared_outbox(shim_of(store)->below, since, limit, bytes, out, upto, more, error)
               : shim_dead(error);
}

static int shim_names(struct store *store, enum mark mark, const struct record_name *after,
                      size_t limit, struct record_name *names, uint64_t *at, struct slice *reasons,
                      struct arena *arena, size_t *count, mneme_error *error) {
    return lives(store, false, false) ? shared_names(shim_of(store)->below, mark, after, limit,
                                                     names, at, reasons, arena, count, error)
                                      : shim_dead(error);
}

int sim_shim_open(struct store *below, const struct sim_shim_hooks *hooks, struct store **out,
                  mneme_error *error) {
    static const struct shared_operations shared = {
        .state = shim_state, .marks = shim_marks, .outbox = shim_outbox, .names = shim_names};
    static const struct store_operations operations = {.name = "sim",
                                                       .apply = shim_apply,
                                                       .get = shim_get,
                                                       .query = shim_query,
                                                       .changes = shim_changes,
                                                       .stats = shim_stats,
                                                       .backup = shim_backup,
                                                       .close = shim_close,
                                                       .shared = &shared};
    struct sim_shim *shim = mem_zalloc(1, sizeof *shim);
    if (!shim)
        return error_set(error, MNEME_NO_MEMORY, "no memory for a store");
    *shim = (struct sim_shim){{&operations, below->moment}, below, *hooks};
    *out = &shim->base;
    return 0;
}
