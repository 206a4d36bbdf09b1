/*
 * settle.c - writes of which nobody knows whether they went in.
 *
 * A request that was given up may still be on its way, and arrive late:
 *   1. A's put of a record gets no answer, and A hears MNEME_UNCERTAIN;
 *   2. A reads, finds the record as it was, and puts another version of it;
 *   3. the first request leaves whatever held it up, and reaches the server.
 * Then the older version would replace the newer one. So before this store asks the server anything
 * else, it inserts the ids of such transactions itself (at 2, before the read). A transaction whose
 * id is there does nothing. What A reads at 2 is what became of the first put, for good.
 *
 * Not settled is what a process leaves behind that ends in between.
 */
#include "os/log.h"
#include "store/sql/sql_impl.h"

void settle_later(struct sql *s, const uint8_t id[SQL_TRANSACTION_ID]) {
    AUTO_LOCK(held, &s->lock);
    size_t count = atomic_load_explicit(&s->unsettled_count, memory_order_relaxed);
    if (count == SQL_UNSETTLED_MAX) /* the oldest is the least likely to be on its way still */
        memmove(s->unsettled[0], s->unsettled[1], (--count) * sizeof s->unsettled[0]);
    memcpy(s->unsettled[count], id, SQL_TRANSACTION_ID);
    LOG(WARN, STORE, "a write got no answer", LOG_WHOLE("unsettled", count + 1));
    atomic_store_explicit(&s->unsettled_count, count + 1, memory_order_release);
}

/* What was settled comes first; more may have been added since. */
static void forget(struct sql *s, uint8_t (*ids)[SQL_TRANSACTION_ID], size_t count) {
    AUTO_LOCK(held, &s->lock);
    size_t left = 0, all = atomic_load_explicit(&s->unsettled_count, memory_order_relaxed);
    for (size_t i = 0; i < all; i++) {
        bool settled = false;
        for (size_t j = 0; j < count && !settled; j++)
            settled = memcmp(s->unsettled[i], ids[j], SQL_TRANSACTION_ID) == 0;
        if (!settled)
            memmove(s->unsettled[left++], s->unsettled[i], SQL_TRANSACTION_ID);
    }
    atomic_store_explicit(&s->unsettled_count, left, memory_order_release);
}

static size_t copy_ids(struct sql *s, uint8_t (*ids)[SQL_TRANSACTION_ID]) {
    AUTO_LOCK(held, &s->lock);
    size_t count = atomic_load_explicit(&s->unsettled_count, memory_order_relaxed);
    memcpy(ids, s->unsettled, count * sizeof ids[0]);
    return count;
}

static int run(struct sql *s, uint8_t (*ids)[SQL_TRANSACTION_ID], size_t count,
               mneme_error *error) {
    AUTO_ARENA struct arena arena = {0};
    AUTO_RESULTS struct sql_results results = {0};
    struct program p = {.arena = &arena};
    program_add(&p, "BEGIN IMMEDIATE", NULL, 0);
    for (size_t i = 0; i < count; i++) {
        struct sql_value values[] = {sql_blob(slice_of(ids[i], SQL_TRANSACTION_ID)),
                                     sql_integer(clock_wall_us())};
        program_then(&p, "INSERT OR IGNORE INTO mneme_transaction(id, time_us) VALUES (?, ?)",
                     program_values(&p, values, COUNT_OF(values)), COUNT_OF(values));
    }
    size_t commit = program_then(&p, "COMMIT", NULL, 0);
    program_guarded(&p, "ROLLBACK", NULL, 0, SQL_IF_NOT_DONE, commit);
    TRY(program_run(&p, s->driver, true, &results, error));
    for (size_t i = 0; i < commit; i++)
        if (results.steps[i].outcome == SQL_FAILED)
            return step_check(&results, i, "the database refuses", error);
    return step_check(&results, commit, "the database refuses", error);
}

int settle(struct sql *s, mneme_error *error) {
    uint8_t ids[SQL_UNSETTLED_MAX][SQL_TRANSACTION_ID];
    if (LIKELY(atomic_load_explicit(&s->unsettled_count, memory_order_acquire) == 0))
        return 0;
    size_t count = copy_ids(s, ids);
    int status = run(s, ids, count, error);
    LOG(WARN, STORE, "writes without an answer are settled", LOG_WHOLE("writes", count),
        LOG_ERROR_TYPE(status));
    if (status == 0) {
        forget(s, ids, count);
        return 0;
    }
    /* Of what the caller asks for nothing was begun. */
    if (status == MNEME_UNCERTAIN || status == MNEME_NOT_FOUND)
        status = MNEME_UNAVAILABLE;
    return error_prefix(error, status, "an earlier write is not settled yet");
}
