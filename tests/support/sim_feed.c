/*
 * sim_feed.c - an exchange, line by line as feed.h tells it.
 */
#include "support/sim_feed.h"

#include <inttypes.h>
#include <stdio.h>

#include "store/mem.h"
#include "store/store_impl.h"
#include "support/store_records.h"

enum { PAGE_BYTES = 4 << 20, REMOTE_DEVICE = 0x5e12 };

/* ---- Databases --------------------------------------------------------------------------- */

void sim_remote_fini(struct sim_remote *remote) {
    store_close(remote->store);
    *remote = (struct sim_remote){0};
}

int sim_remote_copy(const struct sim_remote *from, struct sim_remote *out, mneme_error *error) {
    struct sim_remote copy = *from;
    TRY(mem_store_clone(from->store, &copy.store, error));
    *out = copy;
    return 0;
}

static int remote_make(struct sim_server *server, struct sim_remote *out, mneme_error *error) {
    struct test_random random = {server->seed};
    struct sim_remote made = {0};
    TRY(mem_store_open(REMOTE_DEVICE, &made.store, error));
    uint64_t high = test_random_next(&random), low = test_random_next(&random);
    server->seed = test_random_next(&random);
    snprintf(made.epoch, sizeof made.epoch, "%016" PRIx64 "%016" PRIx64, high, low);
    *out = made;
    return 0;
}

int sim_server_open(struct sim_server *server, uint64_t seed, mneme_error *error) {
    struct sim_server opened = {.seed = seed};
    TRY(remote_make(&opened, &opened.primary, error));
    *server = opened;
    return 0;
}

void sim_server_fini(struct sim_server *server) {
    sim_remote_fini(&server->primary);
    sim_remote_fini(&server->replica);
    server->has_replica = false;
}

/* Take `made` for the primary, and for the replica if there is one. */
static int server_switch(struct sim_server *server, struct sim_remote *made, mneme_error *error) {
    sim_remote_fini(&server->primary);
    server->primary = *made;
    server->was_turned = true;
    return server->has_replica ? sim_server_feed_replica(server, error) : 0;
}

int sim_server_restore(struct sim_server *server, const struct sim_remote *copy,
                       mneme_error *error) {
    struct sim_remote made;
    TRY(sim_remote_copy(copy, &made, error));
    return server_switch(server, &made, error);
}

int sim_server_replace(struct sim_server *server, mneme_error *error) {
    struct sim_remote made;
    TRY(remote_make(server, &made, error));
    return server_switch(server, &made, error);
}

int sim_server_feed_replica(struct sim_server *server, mneme_error *error) {
    struct sim_remote fed;
    TRY(sim_remote_copy(&server->primary, &fed, error));
    sim_remote_fini(&server->replica);
    server->replica = fed;
    server->has_replica = true;
    return 0;
}

void sim_server_drop_replica(struct sim_server *server) {
    sim_remote_fini(&server->replica);
    server->has_replica = false;
}

static struct sim_peer *peer_find(struct sim_remote *remote, uint64_t peer) {
    for (size_t i = 0; i < remote->peer_count; i++)
        if (remote->peers[i].peer == peer)
            return &remote->peers[i];
    return NULL;
}

/* ---- An exchange ------------------------------------------------------------------------- */

struct sim_feed {
    struct feed base;
    struct sim_server *server;
    struct sim_feed_hooks hooks;
    enum sim_fault fault;
};

static struct sim_feed *sim_of(struct feed *feed) { return (struct sim_feed *)(void *)feed; }

static enum feed_verdict judge(struct sim_remote *remote, const struct feed_request *request) {
    const struct sim_peer *row = peer_find(remote, request->peer);
    if (request->epoch[0] && strcmp(request->epoch, remote->epoch) != 0)
        return FEED_OTHER_EPOCH;
    if (!row)
        return request->epoch[0] ? FEED_UNKNOWN : FEED_OK;
    if (row->tag != request->tag && row->tag != request->next_tag)
        return FEED_OTHER_TAG;
    return row->fence > request->fence ? FEED_FENCED : FEED_OK;
}

static struct mutation mutation_of(const struct feed_push *push) {
    struct mutation mutation = {.condition = CONDITION_CHANGE,
                                .expect_change = push->expect,
                                .exact = true,
                                .op = push->op == FEED_PUT      ? MUTATION_PUT
                                      : push->op == FEED_DELETE ? MUTATION_DELETE
                                                                : MUTATION_PURGE};
    if (push->op == FEED_PURGE) {
        mutation.exact = false;
        mutation.record.kind = push->record->kind;
        mutation.record.id = push->record->id;
    } else {
        mutation.record = *push->record;
    }
    return mutation;
}

static void push_one(struct sim_server *server, struct feed_push *push) {
    struct mutation mutation = mutation_of(push);
    struct batch batch = {.mutations = &mutation, .count = 1};
    struct batch *only = &batch;
    push->change = 0;
    if (push->op == FEED_PURGE && push->expect == 0) {
        push->fate = FEED_STALE;
        return;
    }
    if (push->op == FEED_PUT && server->refuses &&
        server->refuses(server->refuses_context, push->record)) {
        error_set(&push->error, MNEME_TOO_LARGE, "the simulated server will not have this one");
        push->fate = FEED_REFUSED;
        return;
    }
    bool drops = server->lie == SIM_DROPS_PUTS && server->taken % 5 == 4 && push->op == FEED_PUT;
    int status = drops ? 0 : store_apply(server->primary.store, &only, 1);
    if (status == 0)
        status = batch.status;
    push->fate = status == 0 ? FEED_TAKEN : status == MNEME_CONFLICT ? FEED_STALE : FEED_REFUSED;
    if (push->fate == FEED_REFUSED)
        push->error = batch.error;
    if (push->fate == FEED_TAKEN && push->op != FEED_PURGE)
        push->change = mutation.record.change;
}

static void push_all(struct sim_server *server, struct feed_request *request) {
    for (size_t i = 0; i < request->push_count; i++) {
        struct feed_push *push = &request->pushes[i];
        push_one(server, push);
        server->taken += push->fate == FEED_TAKEN;
        server->stale += push->fate == FEED_STALE;
        server->refused += push->fate == FEED_REFUSED;
    }
}

static int note_peer(struct sim_server *server, const struct feed_request *request,
                     mneme_error *error) {
    struct sim_remote *remote = &server->primary;
    struct sim_peer *row = peer_find(remote, request->peer);
    if (!row && remote->peer_count == FEED_PEERS_MAX)
        return error_set(error, MNEME_TOO_LARGE, "the simulated server has no row left for a peer");
    if (!row)
        row = &remote->peers[remote->peer_count++];
    *row = (struct sim_peer){.peer = request->peer,
                             .cursor = request->cursor,
                             .tag = request->next_tag,
                             .fence = request->fence,
                             .seen_us = server->now_us};
    memcpy(row->name, request->name, sizeof row->name);
    return 0;
}

static bool pushed_now(const struct feed_request *request, uint64_t change) {
    for (size_t i = 0; i < request->push_count; i++)
        if (request->pushes[i].change == change && request->pushes[i].fate == FEED_TAKEN)
            return true;
    return false;
}

static int pull(const struct sim_server *server, const struct sim_remote *remote,
                const struct feed_request *request, struct feed_answer *answer,
                mneme_error *error) {
    AUTO_RECORDS struct record_set set = {0};
    size_t page_bytes = server->page_bytes ? server->page_bytes : PAGE_BYTES, bytes = 0;
    size_t limit = size_min(request->pull_max, FEED_PULL_MAX);
    TRY(store_changes(remote->store, feed_from(request),
                      size_min(limit + request->push_count + 1, STORE_PAGE_MAX), false, &set,
                      error));
    answer->cursor = feed_from(request);
    for (size_t i = 0; i < set.count && !answer->more; i++) {
        if (pushed_now(request, set.records[i].change))
            continue;
        if (answer->records.count == limit || (answer->records.count && bytes > page_bytes)) {
            answer->more = true;
        } else {
            if (record_set_copy(&answer->records, &set.records[i], false))
                return error_set(error, MNEME_NO_MEMORY, "no memory for an answer");
            answer->cursor = set.records[i].change;
            bytes += set.records[i].body.size;
        }
    }
    if (server->lie == SIM_SKIPS_PAGES && answer->records.count > 1)
        answer->records.count--;
    if (!answer->more && limit && answer->head > answer->cursor)
        answer->cursor = answer->head;
    answer->bytes_down = bytes;
    return 0;
}

static int exchange_at(struct sim_server *server, struct sim_remote *remote, bool writes,
                       struct feed_request *request, struct feed_answer *answer,
                       mneme_error *error) {
    struct store_stats stats;
    answer->verdict = judge(remote, request);
    if (server->lie == SIM_IGNORES_TAGS && answer->verdict != FEED_FENCED)
        answer->verdict = FEED_OK;
    if (answer->verdict == FEED_OK && writes) {
        TRY(note_peer(server, request, error));
        push_all(server, request);
    }
    TRY(store_stats(remote->store, &stats, error));
    memcpy(answer->epoch, remote->epoch, sizeof answer->epoch);
    answer->head = stats.changes;
    answer->floor = remote->floor;
    answer->time_us = server->now_us;
    answer->cursor = feed_from(request);
    return answer->verdict == FEED_OK ? pull(server, remote, request, answer, error) : 0;
}

static int lost(enum sim_fault fault, mneme_error *error) {
    if (fault == SIM_DOWN)
        return error_set(error, MNEME_UNAVAILABLE, "the simulated server is down");
    return error_set(error, MNEME_UNCERTAIN, "the answer of the simulated server was lost");
}

static int sim_exchange(struct feed *feed, struct feed_request *request, struct feed_answer *answer,
                        mneme_error *error) {
    struct sim_feed *sim = sim_of(feed);
    struct sim_server *server = sim->server;
    enum sim_fault fault = sim->fault;
    if (sim->hooks.before) {
        enum sim_fault chosen = sim->hooks.before(sim->hooks.context, request);
        fault = chosen == SIM_FINE ? fault : chosen;
    }
    if (fault == SIM_DOWN || fault == SIM_LOST_BEFORE)
        return lost(fault, error);
    bool writes = request->push_count > 0 || !request->quiet;
    bool far = server->has_replica && !writes;
    AUTO_ANSWER struct feed_answer made = {0};
    server->exchanges++;
    server->quiet_exchanges += !writes;
    TRY(exchange_at(server, far ? &server->replica : &server->primary, writes, request, &made,
                    error));
    if (sim->hooks.after)
        sim->hooks.after(sim->hooks.context, request, &made);
    if (fault == SIM_LOST_AFTER)
        return lost(fault, error);
    *answer = made;
    made = (struct feed_answer){0};
    return 0;
}

/* ---- Peers, tombstones, waiting ---------------------------------------------------------- */

static int sim_peers(struct feed *feed, struct feed_peer *peers, size_t room, size_t *count,
                     mneme_error *error) {
    (void)error;
    const struct sim_remote *remote = &sim_of(feed)->server->primary;
    bool told[FEED_PEERS_MAX] = {false};
    size_t n = 0;
    for (; n < room && n < remote->peer_count; n++) {
        size_t latest = SIZE_MAX;
        for (size_t i = 0; i < remote->peer_count; i++)
            if (!told[i] &&
                (latest == SIZE_MAX || remote->peers[i].seen_us > remote->peers[latest].seen_us))
                latest = i;
        const struct sim_peer *row = &remote->peers[latest];
        told[latest] = true;
        peers[n] = (struct feed_peer){row->peer, row->cursor, row->seen_us, {0}};
        memcpy(peers[n].name, row->name, sizeof row->name);
    }
    *count = n;
    return 0;
}

/* Forget the peers that were not seen for so long; the least cursor of the others. */
static uint64_t drop_old_peers(struct sim_remote *remote, int64_t before_us) {
    uint64_t least = UINT64_MAX;
    size_t kept = 0;
    for (size_t i = 0; i < remote->peer_count; i++) {
        if (remote->peers[i].seen_us < before_us)
            continue;
        if (remote->peers[i].cursor < least)
            least = remote->peers[i].cursor;
        remote->peers[kept++] = remote->peers[i];
    }
    remote->peer_count = kept;
    return least;
}

static int purge(struct store *store, const struct stored_record *record, mneme_error *error) {
    struct mutation mutation = {.op = MUTATION_PURGE,
                                .record = {.kind = record->kind, .id = record->id}};
    struct batch batch = {.mutations = &mutation, .count = 1};
    struct batch *only = &batch;
    int status = store_apply(store, &only, 1);
    if (status == 0)
        status = batch.status;
    return status ? error_set(error, status, "%s", batch.error.message) : 0;
}

static int sim_collect(struct feed *feed, int64_t keep_us, uint64_t *collected,
                       mneme_error *error) {
    struct sim_server *server = sim_of(feed)->server;
    struct sim_remote *remote = &server->primary;
    int64_t before_us = server->now_us - keep_us;
    uint64_t upto = drop_old_peers(remote, before_us), count = 0, since = 0;
    for (bool more = true; more;) {
        AUTO_RECORDS struct record_set set = {0};
        TRY(store_changes(remote->store, since, 1000, true, &set, error));
        more = set.count > 0;
        for (size_t i = 0; i < set.count; i++) {
            const struct stored_record *record = &set.records[i];
            int64_t clock_us = (int64_t)(record->version.clock >> 16) * 1000;
            since = record->change;
            if (!(record->flags & MNEME_FLAG_DELETED) || clock_us >= before_us ||
                record->change > upto)
                continue;
            TRY(purge(remote->store, record, error));
            if (record->change > remote->floor)
                remote->floor = record->change;
            count++;
        }
    }
    *collected = count;
    return 0;
}

/* It gives no hints, and its time does not pass by itself. */
static int sim_wait(struct feed *feed, int64_t until_us, mneme_error *error) {
    (void)feed, (void)until_us, (void)error;
    return 0;
}

static void sim_wake(struct feed *feed) { (void)feed; }

static void sim_close(struct feed *feed) { mem_free(feed); }

/* ---- Life -------------------------------------------------------------------------------- */

int sim_feed_open(struct sim_server *server, const struct sim_feed_hooks *hooks, struct feed **out,
                  mneme_error *error) {
    static const struct feed_operations operations = {.exchange = sim_exchange,
                                                      .peers = sim_peers,
                                                      .collect = sim_collect,
                                                      .wait = sim_wait,
                                                      .wake = sim_wake,
                                                      .close = sim_close};
    struct sim_feed *sim = mem_zalloc(1, sizeof *sim);
    if (!sim)
        return error_set(error, MNEME_NO_MEMORY, "no memory for a feed");
    sim->base.operations = &operations;
    sim->server = server;
    if (hooks)
        sim->hooks = *hooks;
    *out = &sim->base;
    return 0;
}

void sim_feed_fault(struct feed *feed, enum sim_fault fault) { sim_of(feed)->fault = fault; }
