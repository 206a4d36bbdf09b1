/*
 * describe.h - what an operation was about, in words: for lists of slow operations and of queries.
 */
#ifndef MNEME_STORE_DESCRIBE_H
#define MNEME_STORE_DESCRIBE_H

#include "store/store.h"

enum { DESCRIBE_MAX = 480 }; /* bytes; what is longer is cut */

/* Text that is cut where it does not fit, between characters or not. Start from {0}. */
struct description {
    char text[DESCRIBE_MAX];
    size_t size;
};
static inline struct slice description_slice(const struct description *d) {
    return slice_of(d->text, d->size);
}

/*
 * The form of a query, without any value of it: "episode where outcome,type since newest". Names
 * that users make up are no part of it: those of metadata are "meta.*". `on`: it goes on from a
 * page before.
 */
void describe_form(const struct store_query *query, struct description *out);

/* The query with its values: "episode where type = debugging since 2026-11-21T… newest". */
void describe_query(const struct store_query *query, struct description *out);

/* "episode 01890a5d-… and 3 more". */
void describe_record(mneme_kind kind, const mneme_id *id, size_t count, struct description *out);

#endif
