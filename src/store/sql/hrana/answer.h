/*
 * answer.h - what a server answered to a program, read from either form.
 *
 * Limits. Nothing an answer says is believed before it is checked: its results are as many as the
 * program has steps, its rows as wide as they have columns, and what they take in memory is a fixed
 * multiple of its bytes.
 */
#ifndef MNEME_STORE_SQL_HRANA_ANSWER_H
#define MNEME_STORE_SQL_HRANA_ANSWER_H

#include "store/sql/driver.h"
#include "store/sql/hrana/meaning.h"

struct hrana_answer {
    struct sql_results *results; /* filled in; its arena holds the texts here */
    uint64_t replication_index;  /* 0: not said */
    struct slice baton;          /* of the stream that was left open, at this server; empty: none */

    /* The first error that is not a step's own (see hrana_reach), or of the request as a whole.
     * `meaning` is NULL when there is none. */
    const struct hrana_meaning *meaning;
    const char *message, *code;
    bool refused; /* the request as a whole: nothing is said of its steps */
};

/* Read a body. `results` is empty; texts, blobs and the baton may lie in the body, which must live
 * as long. MNEME_CORRUPT: it breaks the protocol, and the text says how and shows the place.
 * MNEME_NO_MEMORY. */
int hrana_decode_json(struct slice body, size_t steps, struct hrana_answer *answer,
                      mneme_error *error);
int hrana_decode_proto(struct slice body, size_t steps, struct hrana_answer *answer,
                       mneme_error *error);

/* ---- For the decoders: MNEME_NO_MEMORY -------------------------------------------------- */

/* `steps` results, all skipped. */
int hrana_answer_init(struct hrana_answer *answer, size_t steps);
/* A step failed; or, with the step HRANA_REQUEST, the request as a whole. */
static const size_t HRANA_REQUEST = SIZE_MAX;
int hrana_answer_failed(struct hrana_answer *answer, size_t step, struct slice code,
                        struct slice message);

/* Text of others for an error of ours: at most size - 1 bytes, cut between characters, without
 * control characters, and "?" for what is not UTF-8. Returns `out`. */
const char *hrana_excerpt(struct slice text, char *out, size_t size);

#endif
