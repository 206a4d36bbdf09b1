/*
 * remote_cases.h - the parts of `mneme bench remote`; docs/bench.md explains each row.
 */
#ifndef MNEME_BENCH_REMOTE_CASES_H
#define MNEME_BENCH_REMOTE_CASES_H

#include "bench/remote_server.h"

/* remote_batch.c: episodes stored in groups, and one at a time. */
int remote_batches(struct remote *r, mneme_error *error);

/* remote_wire.c: how many bytes travel, against plain columns. */
int remote_wire(struct remote *r, mneme_error *error);

/* Bytes, both ways, that store `count` episodes and read them back: ours in either encoding, and
 * the same as plain columns; and those of the dictionary, once a handle. Needs the proxy. */
struct wire_bytes {
    uint64_t json, protobuf, plain, dictionary;
};
int remote_wire_count(struct remote *r, size_t count, struct wire_bytes *out, mneme_error *error);

/* remote_point.c: one record over a kept connection, a new one, and curl alone. */
int remote_points(struct remote *r, mneme_error *error);

/* remote_cached.c: what the caches spare. */
int remote_cached(struct remote *r, mneme_error *error);

/* remote_threads.c: many threads that share few connections. */
int remote_threads(struct remote *r, mneme_error *error);

/* remote_prepared.c: what an SQLite file's prepared statements spare. Needs no server. */
int remote_prepared(struct kit *kit, mneme_error *error);

#endif
