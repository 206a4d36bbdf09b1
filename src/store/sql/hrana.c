/*
 * hrana.c - the driver: which server a program goes to, and the replica's rules.
 */
#include "os/log.h"
#include "store/sql/hrana/hrana_impl.h"

static struct hrana *hrana_of(struct sql_driver *driver) { return (struct hrana *)(void *)driver; }

/* ---- Replication ----------------------------------------------------------------------------- */

static uint64_t seen_index(struct hrana *hrana) {
    AUTO_LOCK(held, &hrana->lock);
    return hrana->index;
}

/*
 * What was asked for was answered with `index`; it began when `before` was the greatest one.
 * Answers overtake each other, so an index below the greatest one is no news, and the greatest
 * stays. But what the primary does is behind all that was answered when it began: an index below
 * `before` says that the server's log was rebuilt, and that a replica would wait for the old one
 * for ever.
 */
static void note_index(struct hrana *hrana, uint64_t before, uint64_t index) {
    AUTO_LOCK(held, &hrana->lock);
    if (index && (index > hrana->index || index < before))
        hrana->index = index;
}

/* ---- Running --------------------------------------------------------------------------------- */

/* Who has read of one replica may be led to another by its address, so reads carry the index of
 * what was read, too: what was read does not go back. */
static bool run_on_replica(struct hrana *hrana, const struct sql_program *program,
                           struct sql_results *results) {
    uint64_t seen = seen_index(hrana);
    struct hrana_call call = {.program = program,
                              .replication_index = seen,
                              .wants_index = true,
                              .total_ms = hrana->replica_wait_ms,
                              .attempts_max = 1,
                              .answer.results = results};
    int status = hrana_server_run(&hrana->replica, &call, NULL);
    bool done = status == 0;
    if (done)
        note_index(hrana, 0, call.answer.replication_index);
    else
        LOG(WARN, STORE, "the replica does not answer: the primary is asked",
            LOG_ERROR_TYPE(status));
    AUTO_LOCK(held, &hrana->lock);
    hrana->counters.replica_reads += done;
    hrana->counters.replica_fallbacks += !done;
    return done;
}

static int run_on_primary(struct hrana *hrana, const struct sql_program *program,
                          struct sql_results *results, mneme_error *error) {
    bool wants_index = hrana->has_replica;
    uint64_t before = wants_index ? seen_index(hrana) : 0;
    struct hrana_call call = {
        .program = program, .wants_index = wants_index, .answer.results = results};
    int status = hrana_server_run(&hrana->primary, &call, error);
    if (status == 0 && wants_index)
        note_index(hrana, before, call.answer.replication_index);
    AUTO_LOCK(held, &hrana->lock);
    hrana->counters.repeats += call.repeats;
    return status;
}

static int hrana_run(struct sql_driver *driver, const struct sql_program *program,
                     struct sql_results *results, mneme_error *error) {
    struct hrana *hrana = hrana_of(driver);
    {
        AUTO_LOCK(held, &hrana->lock);
        hrana->counters.programs++;
    }
    if (hrana->has_replica && !program->writes && run_on_replica(hrana, program, results))
        return 0;
    sql_results_fini(results);
    return run_on_primary(hrana, program, results, error);
}

/* ---- The rest -------------------------------------------------------------------------------- */

static int hrana_backup(struct sql_driver *driver, const char *path, mneme_error *error) {
    (void)driver;
    (void)path;
    return error_set(error, MNEME_UNSUPPORTED,
                     "a remote store has no file to copy; export it, or use the server's backups");
}

static void counters_add(struct net_counters *sum, struct net_counters c) {
    sum->calls += c.calls;
    sum->attempts += c.attempts;
    sum->retries += c.retries;
    sum->failures += c.failures;
    sum->retries_refused += c.retries_refused;
    sum->bytes_up += c.bytes_up;
    sum->bytes_down += c.bytes_down;
    sum->connects += c.connects;
    sum->reuses += c.reuses;
    sum->closed_by_idle += c.closed_by_idle;
    sum->closed_by_age += c.closed_by_age;
    sum->closed_by_failure += c.closed_by_failure;
    sum->acquire_timeouts += c.acquire_timeouts;
    sum->waits += c.waits;
    sum->wait_us += c.wait_us;
    sum->open += c.open;
    sum->idle += c.idle;
    sum->waiting += c.waiting;
    sum->target += c.target;
    sum->breaker_opened += c.breaker_opened;
    sum->breaker_half_opened += c.breaker_half_opened;
    sum->breaker_closed += c.breaker_closed;
    sum->breaker_refused += c.breaker_refused;
}

/* The breaker's state is the primary's: without it nothing is written. */
static void hrana_counters(struct sql_driver *driver, struct sql_counters *out) {
    struct hrana *hrana = hrana_of(driver);
    {
        AUTO_LOCK(held, &hrana->lock);
        *out = hrana->counters;
    }
    out->net = net_client_counters(hrana->primary.client);
    if (hrana->has_replica)
        counters_add(&out->net, net_client_counters(hrana->replica.client));
}

static void hrana_close(struct sql_driver *driver) {
    struct hrana *hrana = hrana_of(driver);
    hrana_server_fini(&hrana->replica);
    hrana_server_fini(&hrana->primary);
    lock_fini(&hrana->lock);
    mem_free(hrana);
}

/* Each statement of a request is parsed and prepared anew: few long ones are the fastest. */
static const struct sql_driver_operations operations = {.name = "hrana",
                                                        .rows_max = 500,
                                                        .run = hrana_run,
                                                        .backup = hrana_backup,
                                                        .counters = hrana_counters,
                                                        .close = hrana_close};

int hrana_driver_open(const struct hrana_options *options, struct sql_driver **out,
                      mneme_error *error) {
    enum { REPLICA_WAIT_MS = 500 };
    struct hrana *hrana = mem_zalloc(1, sizeof *hrana);
    if (!hrana)
        return error_set(error, MNEME_NO_MEMORY, "no memory for a remote store");
    hrana->base.operations = &operations;
    hrana->replica_wait_ms =
        options->replica_wait_ms ? options->replica_wait_ms : (uint32_t)REPLICA_WAIT_MS;
    hrana->has_replica = options->replica_url != NULL;
    lock_init(&hrana->lock, RANK_SQL);
    int status = hrana_server_init(&hrana->primary, options, options->net.url, error);
    if (status == 0 && hrana->has_replica)
        status = hrana_server_init(&hrana->replica, options, options->replica_url, error);
    if (status) {
        hrana_close(&hrana->base);
        return status;
    }
    *out = &hrana->base;
    return 0;
}
