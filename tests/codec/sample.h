/*
 * sample.h - what the tests of the codec share: a small random generator and records to pack.
 */
#ifndef TESTS_CODEC_SAMPLE_H
#define TESTS_CODEC_SAMPLE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "codec/codec.h"

/* xorshift64; never zero. */
struct random {
    uint64_t state;
};

static inline uint64_t random_next(struct random *r) {
    r->state ^= r->state << 13;
    r->state ^= r->state >> 7;
    r->state ^= r->state << 17;
    return r->state;
}

static inline uint64_t random_below(struct random *r, uint64_t limit) {
    return (random_next(r) >> 11) % limit;
}

/* Append something like a step of an agent: the same field names and tools, other values. */
static inline void sample_append(struct buf *b, struct random *r) {
    static const char *const tools[] = {"search_direct_flight", "get_user_details",
                                        "update_reservation_baggages", "think"};
    static const char *const words[] = {"reservation", "passenger",  "departure", "economy",
                                        "insurance",   "nonstop",    "baggage",   "refund",
                                        "certificate", "membership", "gold",      "weather"};
    buf_printf(b, "{\"tool\":\"%s\",\"parameters\":{\"user_id\":\"u%u\",\"flight\":\"HAT%03u\"},",
               tools[random_below(r, COUNT_OF(tools))], (unsigned)random_below(r, 9999),
               (unsigned)random_below(r, 300));
    buf_append_string(b, "\"result\":{\"kind\":\"success\",\"output\":\"");
    for (uint64_t i = 0, n = 5 + random_below(r, 40); i < n; i++)
        buf_printf(b, "%s %u ", words[random_below(r, COUNT_OF(words))],
                   (unsigned)random_below(r, 1000));
    buf_append_string(b, "\"}}");
}

/* Run `statement` (an int expression) with the first allocation failing, then the second, and so
 * on until it succeeds; every failure is MNEME_NO_MEMORY. */
#define ASSERT_SURVIVES_NO_MEMORY(statement)                                                       \
    do {                                                                                           \
        int status_;                                                                               \
        uint64_t k_ = 0;                                                                           \
        do {                                                                                       \
            mem_fail_after(++k_);                                                                  \
            status_ = (statement);                                                                 \
            mem_fail_after(0);                                                                     \
            assert_true(status_ == 0 || status_ == MNEME_NO_MEMORY);                               \
        } while (status_ != 0);                                                                    \
        assert_true(k_ > 1);                                                                       \
    } while (0)

#endif
