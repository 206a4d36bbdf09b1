/*
 * feed_peers.c - the peers of a remote, and the tombstones that none of them needs any more.
 */
#include <stdio.h>

#include "store/sql/feed_impl.h"

static int not_a_peer(mneme_error *error) {
    return error_set(error, MNEME_CORRUPT,
                     "a row of mneme_peer is none that mneme wrote; delete it, and that machine "
                     "will introduce itself again");
}

static int peer_read(const struct sql_value *v, struct feed_peer *out, mneme_error *error) {
    struct feed_peer peer = {0};
    if (v[0].type != SQL_TEXT || !device_parse(v[0].bytes, &peer.peer) || v[1].type != SQL_TEXT ||
        v[2].type != SQL_INTEGER || v[2].integer < 0 || v[3].type != SQL_INTEGER)
        return not_a_peer(error);
    peer.cursor = (uint64_t)v[2].integer;
    peer.seen_us = v[3].integer;
    snprintf(peer.name, sizeof peer.name, "%.*s", (int)size_min(v[1].bytes.size, sizeof peer.name),
             (const char *)v[1].bytes.data);
    *out = peer;
    return 0;
}

int sql_feed_peers(struct feed *feed, struct feed_peer *peers, size_t room, size_t *count,
                   mneme_error *error) {
    struct sql *s = sql_feed_of(feed)->sql;
    AUTO_ARENA struct arena arena = {0};
    AUTO_RESULTS struct sql_results results = {0};
    struct program p = {.arena = &arena};
    struct sql_value limit = sql_integer((int64_t)size_min(room, FEED_PEERS_MAX));
    program_add(&p,
                "SELECT peer, name, cursor, seen_us FROM mneme_peer"
                " ORDER BY seen_us DESC, peer LIMIT ?",
                &limit, 1);
    TRY(settle(s, error));
    TRY(program_run(&p, s->driver, false, &results, error));
    TRY(step_check(&results, 0, "the peers could not be read", error));
    const struct sql_step_result *rows = &results.steps[0];
    if (rows->rows > room || (rows->rows && rows->columns != 4))
        return not_a_peer(error);
    for (size_t i = 0; i < rows->rows; i++)
        TRY(peer_read(rows->values + i * 4, &peers[i], error));
    *count = rows->rows;
    return 0;
}

/* ---- Collecting ------------------------------------------------------------------------------ */

/* Of mneme_record, with one parameter: keep_us. */
#define OLD_TOMBSTONES                                                                             \
    "live = 0 AND clock >> 16 < ((SELECT t FROM mneme_now) - ?) / 1000"                            \
    " AND change <= (SELECT ifnull((SELECT min(cursor) FROM mneme_peer), change) FROM "            \
    "mneme_store)"

/* Run again after a lost answer it finds nothing left: then *collected is 0. */
int sql_feed_collect(struct feed *feed, int64_t keep_us, uint64_t *collected, mneme_error *error) {
    struct sql *s = sql_feed_of(feed)->sql;
    AUTO_ARENA struct arena arena = {0};
    AUTO_RESULTS struct sql_results results = {0};
    struct program p = {.arena = &arena};
    struct sql_value keep = sql_integer(keep_us);
    if (s->read_only)
        return error_set(error, MNEME_PERMISSION, "the store was opened for reading only");
    program_add(&p, "BEGIN IMMEDIATE", NULL, 0);
    program_then(&p, "DELETE FROM mneme_peer WHERE seen_us < (SELECT t FROM mneme_now) - ?", &keep,
                 1);
    size_t found = program_then(
        &p, "SELECT count(*), max(change) FROM mneme_record WHERE " OLD_TOMBSTONES, &keep, 1);
    program_then(&p,
                 "UPDATE mneme_store SET floor = max(floor, ifnull((SELECT max(change) FROM"
                 " mneme_record WHERE " OLD_TOMBSTONES "), 0))",
                 &keep, 1);
    program_then(&p, "DELETE FROM mneme_record WHERE " OLD_TOMBSTONES, &keep, 1);
    size_t commit = program_then(&p, "COMMIT", NULL, 0);
    program_guarded(&p, "ROLLBACK", NULL, 0, SQL_IF_NOT_DONE, commit);
    TRY(settle(s, error));
    TRY(program_run(&p, s->driver, true, &results, error));
    for (size_t i = 0; i <= commit; i++)
        if (results.steps[i].outcome == SQL_FAILED)
            return step_check(&results, i, "nothing was collected", error);
    TRY(step_check(&results, commit, "nothing was collected", error));
    const struct sql_step_result *row = &results.steps[found];
    if (row->rows != 1 || row->columns != 2 || row->values[0].type != SQL_INTEGER)
        return error_set(error, MNEME_CORRUPT, "the tombstones could not be counted");
    *collected = (uint64_t)row->values[0].integer;
    return 0;
}
