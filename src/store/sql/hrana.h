/*
 * hrana.h - the driver for servers that speak Hrana over HTTP: Turso Cloud, sqld.
 *
 * A program is one request: POST /v3/pipeline with one `batch` and one `close`, in JSON; on a
 * server that has no v3 /v2/pipeline; in protobuf where GET /v3-protobuf is answered with 200 and
 * the options allow it. Facts of the protocol are cited where they are used:
 * github.com/tursodatabase/libsql, docs/HRANA_3_SPEC.md, and what sqld 0.24 was seen to do.
 *
 * Streams. Reads that follow each other go over streams that the server keeps open, as many as
 * reads run at once, but few: so it does not open its database anew for each (stream.h).
 *
 * Replicas. With a replica_url programs that only read go there. They carry the greatest
 * replication index that this driver was answered with, so they see its writes, and what it read
 * does not go back; both servers are then spoken to in JSON, as protobuf does not tell the index. A
 * replica that does not catch up within replica_wait_ms is left for the primary, and so is one that
 * fails in any other way. An index that is less than one seen before its write began (the server's
 * log was rebuilt) replaces it. Writes go in JSON then, since answers in protobuf do not say the
 * index; to ask for it beside would cost more than it saves, but for large batches.
 */
#ifndef MNEME_STORE_SQL_HRANA_H
#define MNEME_STORE_SQL_HRANA_H

#include "store/sql/driver.h"

enum hrana_encoding { HRANA_AUTO, HRANA_JSON, HRANA_PROTOBUF }; /* AUTO: protobuf if offered */

struct hrana_options {
    struct net_options net;  /* net.url: as the user wrote it (libsql://, https://, http://), with a
                                path in front of /v3 where there is one */
    const char *replica_url; /* NULL: none */
    const char *name_space;  /* NULL: what the server makes of the host name (sqld: what stands
                                before the first dot, so 127.0.0.1 is "127"), then of the path */
    enum hrana_encoding encoding;
    bool no_streams;          /* the server keeps nothing open for us between reads */
    uint32_t replica_wait_ms; /* 0: 500 */
};

/* No request is made yet. MNEME_INVALID: URL, or namespace. */
int hrana_driver_open(const struct hrana_options *options, struct sql_driver **out,
                      mneme_error *error);

/* What a look at the server found; for `mneme doctor`. */
struct hrana_probe {
    char server[64];       /* its /version text; "" when it does not say */
    bool v2, v3, protobuf; /* what it speaks */
    int64_t connect_us;    /* to connect anew, TLS too; 0 when a kept connection was there */
    int64_t latency_us;    /* median of some kept-connection round trips of a SELECT */
    int64_t skew_us;       /* its clock minus ours; known to half a round trip */
    bool skew_known;
    bool reads, writes; /* what the token allows; writes are tried in a transaction that
                           is rolled back */
    bool replica_ok;    /* the replica answers, when there is one */
};
/* Errors as `run`. *out tells what was found before one. */
int hrana_probe(struct sql_driver *driver, struct hrana_probe *out, mneme_error *error);

#endif
