/*
 * hrana_script.h - a transport that answers from a script, under the driver for Hrana.
 *
 * Model. Requests are kept as they came, and get the answers in their order; one that finds none
 * left fails the test. Pauses pass at once on a clock of its own.
 * Threads. One at a time.
 */
#ifndef MNEME_TESTS_HRANA_SCRIPT_H
#define MNEME_TESTS_HRANA_SCRIPT_H

#include "net/transport.h"
#include "store/sql/hrana.h"

enum { SCRIPT_MAX = 32 };

struct script_answer {
    int http;  /* 0: no answer comes */
    bool sent; /* … to a request that was sent */
    const char *type;
    const char *body;
    size_t size; /* 0: of a text */
};

struct script_request {
    char method[8], path[600], header[400], type[64];
    struct buf body;
    uint32_t timeout_ms;
    bool gzip;
};

struct hrana_script {
    struct net_transport transport;
    struct net_world world;
    int64_t now_us;
    struct script_answer answers[SCRIPT_MAX];
    size_t answer_count, used;
    struct script_request requests[SCRIPT_MAX];
    size_t request_count;
};

void script_init(struct hrana_script *script);
void script_fini(struct hrana_script *script);
#define AUTO_SCRIPT CLEANUP(script_fini)
void script_add(struct hrana_script *script, struct script_answer answer);
/* Answers of one kind. */
void script_add_json(struct hrana_script *script, int http, const char *body);
void script_add_text(struct hrana_script *script, int http, const char *body);
void script_add_lost(struct hrana_script *script, bool sent);

/* A driver over it, for http://127.0.0.1. The test's `options` may be {0}. */
struct sql_driver *script_driver(struct hrana_script *script, struct hrana_options options);

/* The answer to a program of one step, in JSON: a row with the integer 1. */
extern const char SCRIPT_ONE[];
/* The same with a replication index; it lives until the next call. */
const char *script_one_at(unsigned index);
/* The answer to a program of one step that failed so; it lives until the next call. */
const char *script_failed(const char *code, const char *message);

#endif
