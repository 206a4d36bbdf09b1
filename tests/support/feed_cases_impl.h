/*
 * feed_cases_impl.h - inside the cases of feed_cases.h: what they share.
 */
#ifndef MNEME_TESTS_FEED_CASES_IMPL_H
#define MNEME_TESTS_FEED_CASES_IMPL_H

/* cmocka.h needs these three before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "support/feed_cases.h"
#include "support/store_records.h"

enum { CASE_PUSHES_MAX = 16, CASE_NAME_SIZE = 160 };

/* A peer as a syncer remembers it between exchanges. */
struct case_peer {
    struct feed *feed;
    struct feed_request request;
    struct feed_push pushes[CASE_PUSHES_MAX];
    struct stored_record records[CASE_PUSHES_MAX];
};

struct case_run {
    const struct feed_maker *maker;
    void (*run)(struct case_run *run);
    struct feed_place place;
    char name[CASE_NAME_SIZE];
};

struct feed_case {
    const char *name;
    void (*run)(struct case_run *run);
};
#define FEED_CASE(function)                                                                        \
    { #function, function }
struct feed_case_list {
    const struct feed_case *cases;
    size_t count;
};
extern const struct feed_case_list feed_meet_cases, feed_push_cases, feed_pull_cases;

/* A peer of this number, at one of the place's feeds. */
struct case_peer case_peer_of(const struct case_run *run, size_t feed, uint64_t number);

/* A version of the year 2001: older than any that a clock gives today. */
mneme_version case_version(unsigned n);
struct stored_record case_record(mneme_kind kind, unsigned n, const char *body);
struct stored_record case_tombstone(mneme_kind kind, unsigned n);

/* Add a push to the peer's next exchange. */
struct feed_push *case_push(struct case_peer *peer, enum feed_op op, struct stored_record record,
                            uint64_t expect);
/* Exchange; what a syncer does when it was acknowledged; both, and it must be FEED_OK. */
int case_exchange(struct case_peer *peer, struct feed_answer *answer);
void case_acknowledge(struct case_peer *peer, const struct feed_answer *answer);
void case_must_exchange(struct case_peer *peer, struct feed_answer *answer);
/* Push one record, which must be taken. Returns its change number. */
uint64_t case_push_as(struct case_peer *peer, enum feed_op op, struct stored_record record,
                      uint64_t expect);
/* Push patterns first to first + count - 1, and pull nothing. */
void case_fill(struct case_peer *writer, unsigned first, unsigned count);
/* Push a record with this request; it must be refused with the verdict, and nothing be done. */
void case_verdict(struct case_run *run, struct case_peer peer, enum feed_verdict verdict);

/* The index of a record in the remote's store, or SIZE_MAX; and its last change number. */
size_t case_look(struct case_run *run, mneme_kind kind, unsigned n, struct record_set *set);
bool case_is_there(struct case_run *run, mneme_kind kind, unsigned n);
uint64_t case_head(struct case_run *run);

#endif
