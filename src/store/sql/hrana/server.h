/*
 * server.h - one server, a primary or a replica, and programs that are run on it.
 *
 * It knows which of three ways of speaking the server understands, from the newest to the oldest,
 * and steps down when a request is answered so that it does not. What was learned is kept.
 */
#ifndef MNEME_STORE_SQL_HRANA_SERVER_H
#define MNEME_STORE_SQL_HRANA_SERVER_H

#include "os/os.h"
#include "store/sql/hrana.h"
#include "store/sql/hrana/answer.h"
#include "store/sql/hrana/stream.h"

enum hrana_speech { HRANA_V3_PROTO, HRANA_V3_JSON, HRANA_V2_JSON, HRANA_SPEECHES };

enum { HRANA_PATH_SIZE = 560 };

struct hrana_server {
    struct net_client *client;
    char database[512];   /* what stands before /v3 in paths, "" as a rule */
    char name_space[400]; /* the header that names it; "" for none */
    const char *headers[1];
    size_t header_count;
    char paths[HRANA_SPEECHES][HRANA_PATH_SIZE];
    bool gzip;
    bool may_step_down; /* from protobuf to JSON */
    uint32_t total_ms;
    bool no_streams;

    struct lock lock; /* of what follows */
    struct hrana_streams streams;
    enum hrana_speech speech;
    enum { HRANA_UNASKED, HRANA_ASKING, HRANA_ASKED } asked; /* whether it speaks protobuf */
};

/* `url`: options->net.url, or the replica's. Errors as hrana_driver_open. */
int hrana_server_init(struct hrana_server *server, const struct hrana_options *options,
                      const char *url, mneme_error *error);
/* Closes the streams that it kept, for which it waits half a second at most. Tolerant of {0}. */
void hrana_server_fini(struct hrana_server *server);

struct hrana_call {
    const struct sql_program *program;
    uint64_t replication_index; /* what the server must have seen; 0: nothing */
    bool wants_index;           /* the answer shall say its replication index: JSON does */
    uint32_t total_ms;          /* 0: the client's */
    uint32_t attempts_max;      /* 0: the client's */

    struct hrana_answer answer; /* out; answer.results is the caller's */
    uint64_t repeats;           /* out: attempts but the first */
};

/* Errors as sql_run. */
int hrana_server_run(struct hrana_server *server, struct hrana_call *call, mneme_error *error);

/* GET `path` (behind the database's) and give any answer back; errors as net_call. */
int hrana_server_get(struct hrana_server *server, const char *path, uint32_t total_ms,
                     uint32_t attempts_max, struct net_response *response, mneme_error *error);

/* ---- The judge --------------------------------------------------------------------------- */

/* The context of hrana_judge. */
struct hrana_exchange {
    struct hrana_server *server;
    struct hrana_call *call;
    enum hrana_speech speech;
    struct buf *body; /* encoded, … */
    size_t size;      /* … so long */
    unsigned attempts;
    struct hrana_stream stream; /* of the attempt under way */
    bool step_down;             /* out: the server does not speak so; ask it in the next way */
};

/* Reads the answer, and says by it whether the program is to be run again. */
net_judge hrana_judge;

#endif
