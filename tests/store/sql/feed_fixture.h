/*
 * feed_fixture.h - a remote and its peers, for the tests of the feed of the sql store: on an SQLite
 * file, or on a real server.
 */
#ifndef MNEME_TESTS_STORE_SQL_FEED_FIXTURE_H
#define MNEME_TESTS_STORE_SQL_FEED_FIXTURE_H

#include "os/os.h"
#include "sql_fixture.h"
#include "store/sql/hrana.h"
#include "store/sql/sql_impl.h"
#include "store/sql_feed.h"
#include "support/server_database.h"

/* A driver before the remote's, that does what the net does to an exchange. */
struct meddler {
    struct sql_driver base;
    struct sql_driver *below;
    bool twice;              /* run what writes twice, and answer with the second time */
    void (*before)(void *);  /* called once before the next program that reads */
    void (*between)(void *); /* … between the two times of one that writes */
    void *context;
    size_t rows_max; /* steps with more rows fail with MNEME_TOO_LARGE; 0: no limit */
    size_t writes, reads;
};

struct remote {
    struct scene *scene; /* of a file; NULL on a server */
    struct meddler meddler;
    struct store *store;
    struct feed *feed;
};

/* What a machine that syncs remembers. */
struct peer {
    struct feed *feed;
    struct feed_request request;
    struct feed_push pushes[64];
    struct stored_record records[64];
    struct feed_answer answer;
};

/* ---- The meddler ----------------------------------------------------------------------------- */

static inline int meddler_run(struct sql_driver *driver, const struct sql_program *program,
                              struct sql_results *results, mneme_error *error) {
    struct meddler *m = (struct meddler *)(void *)driver;
    void (*hook)(void *) = program->writes ? m->between : m->before;
    m->writes += program->writes;
    m->reads += !program->writes;
    if (program->writes && m->twice) {
        AUTO_RESULTS struct sql_results lost = {0};
        TRY(sql_run(m->below, program, &lost, error));
    }
    if (hook && (m->twice || !program->writes)) {
        m->between = m->before = NULL;
        m->twice = false;
        hook(m->context);
    }
    TRY(sql_run(m->below, program, results, error));
    for (size_t i = 0; i < results->count && m->rows_max; i++)
        if (results->steps[i].rows > m->rows_max)
            results->steps[i] = (struct sql_step_result){
                .outcome = SQL_FAILED, .status = MNEME_TOO_LARGE, .message = "too large"};
    return 0;
}

static inline void meddler_counters(struct sql_driver *driver, struct sql_counters *out) {
    struct sql_driver *below = ((struct meddler *)(void *)driver)->below;
    below->operations->counters(below, out);
}

/* ---- The remote ------------------------------------------------------------------------------ */

static const struct sql_driver_operations meddler_operations = {
    .name = "meddler", .rows_max = 500, .run = meddler_run, .counters = meddler_counters};

static inline void meddle(struct remote *remote) {
    struct sql *s = sql_of(remote->store);
    remote->meddler =
        (struct meddler){.base = {.operations = &meddler_operations}, .below = s->driver};
    s->driver = &remote->meddler.base;
}

static inline void remote_feed(struct remote *remote, struct feed **out) {
    mneme_error error = {0};
    if (sql_feed_open(remote->store, out, &error))
        fail_msg("%s", error.message);
}

static inline int file_setup(void **state) {
    struct remote *remote = calloc(1, sizeof *remote);
    void *scene = NULL;
    assert_non_null(remote);
    assert_int_equal(scene_setup(&scene), 0);
    remote->scene = scene;
    remote->store = remote->scene->store;
    meddle(remote);
    remote_feed(remote, &remote->feed);
    *state = remote;
    return 0;
}

static inline struct store *server_store(const struct server_database *database) {
    struct hrana_options options = {.net = {.url = database->origin}, .name_space = database->name};
    struct sql_driver *driver = NULL;
    struct store *store = NULL;
    mneme_error error = {0};
    if (hrana_driver_open(&options, &driver, &error) ||
        sql_store_open(driver, NULL, &store, &error))
        fail_msg("%s", error.message);
    return store;
}

static inline int server_setup(void **state) {
    struct remote *remote = calloc(1, sizeof *remote);
    struct server_database database;
    mneme_error error = {0};
    assert_non_null(remote);
    if (server_database_make(&database, &error))
        fail_msg("%s", error.message);
    remote->store = server_store(&database);
    meddle(remote);
    remote_feed(remote, &remote->feed);
    *state = remote;
    return 0;
}

static inline int remote_teardown(void **state) {
    struct remote *remote = *state;
    feed_close(remote->feed);
    sql_of(remote->store)->driver = remote->meddler.below;
    if (remote->scene) {
        void *scene = remote->scene;
        assert_int_equal(scene_teardown(&scene), 0);
    } else {
        store_close(remote->store);
    }
    free(remote);
    return 0;
}

/* Run a statement on the remote, beside everybody. */
static inline void remote_do(struct remote *remote, const char *sql) {
    AUTO_RESULTS struct sql_results results = {0};
    struct sql_step steps[] = {
        {.sql = slice_of_string("BEGIN IMMEDIATE")},
        {.sql = slice_of_string(sql), .guard = SQL_IF_DONE, .guard_step = 0},
        {.sql = slice_of_string("COMMIT"), .guard = SQL_IF_DONE, .guard_step = 1}};
    struct sql_program program = {.steps = steps, .count = COUNT_OF(steps), .writes = true};
    assert_int_equal(sql_run(remote->meddler.below, &program, &results, NULL), 0);
    if (results.steps[2].outcome != SQL_DONE)
        fail_msg("%s", results.steps[1].message);
}

/* The number that a SELECT answers with. */
static inline int64_t remote_number(struct remote *remote, const char *sql) {
    AUTO_RESULTS struct sql_results results = {0};
    struct sql_step step = {.sql = slice_of_string(sql)};
    struct sql_program program = {.steps = &step, .count = 1};
    mneme_error error = {0};
    if (sql_run(remote->meddler.below, &program, &results, &error))
        fail_msg("%s", error.message);
    assert_int_equal(results.steps[0].rows, 1);
    assert_int_equal(results.steps[0].values[0].type, SQL_INTEGER);
    return results.steps[0].values[0].integer;
}

/* ---- Peers ----------------------------------------------------------------------------------- */

static inline void peer_init(struct peer *peer, struct feed *feed, unsigned number) {
    *peer = (struct peer){.feed = feed,
                          .request = {.peer = number,
                                      .fence = 1,
                                      .next_tag = number * 1000 + 1,
                                      .pull_max = 100,
                                      .pushes = peer->pushes}};
    snprintf(peer->request.name, sizeof peer->request.name, "machine %u", number);
}

static inline void peer_fini(struct peer *peer) { feed_answer_fini(&peer->answer); }
#define AUTO_PEER CLEANUP(peer_fini)

/* Add a push of record n; its version is (clock, 7). */
static inline struct feed_push *peer_push(struct peer *peer, enum feed_op op, unsigned n,
                                          uint64_t clock, uint64_t expect) {
    size_t at = peer->request.push_count++;
    assert_true(at < COUNT_OF(peer->pushes));
    peer->records[at] = put_of(MNEME_EPISODE, n).record;
    peer->records[at].version = (mneme_version){.clock = clock, .device = 7};
    peer->pushes[at] = (struct feed_push){.op = op, .record = &peer->records[at], .expect = expect};
    return &peer->pushes[at];
}

/* An exchange, whose result is in peer->answer. The pushes are forgotten at the next one. */
static inline int peer_try(struct peer *peer, mneme_error *error) {
    feed_answer_fini(&peer->answer);
    int status = feed_exchange(peer->feed, &peer->request, &peer->answer, error);
    peer->request.push_count = 0;
    if (status || peer->answer.verdict != FEED_OK)
        return status;
    memcpy(peer->request.epoch, peer->answer.epoch, sizeof peer->request.epoch);
    peer->request.cursor = peer->answer.cursor;
    if (!peer->request.quiet)
        peer->request.tag = peer->request.next_tag++;
    return 0;
}

static inline struct feed_answer *peer_exchange(struct peer *peer) {
    mneme_error error = {0};
    if (peer_try(peer, &error))
        fail_msg("%s", error.message);
    return &peer->answer;
}

static inline struct feed_answer *peer_look(struct peer *peer) {
    size_t pull_max = peer->request.pull_max;
    peer->request.quiet = true;
    peer->request.pull_max = 0;
    struct feed_answer *answer = peer_exchange(peer);
    peer->request.quiet = false;
    peer->request.pull_max = pull_max;
    return answer;
}

/* The number of the record that was pulled at a place; fails when there is none. */
static inline bool pulled_is(const struct peer *peer, size_t at, unsigned n) {
    mneme_id id = numbered_id(n);
    return at < peer->answer.records.count && id_equal(&peer->answer.records.records[at].id, &id);
}

#endif
