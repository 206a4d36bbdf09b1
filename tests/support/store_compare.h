/*
 * store_compare.h - inside the property checker: compares what two stores answer.
 */
#ifndef MNEME_TESTS_STORE_COMPARE_H
#define MNEME_TESTS_STORE_COMPARE_H

#include "support/store_records.h"

/* The store under test and the mem store, and what was found between them. */
struct comparison {
    struct store *store, *model;
    char text[512]; /* the difference, when a function below returned true */
    /* Versions seen together. Their order must be the same in both stores. */
    struct version_pair {
        mneme_version ours, models;
    } versions[4096];
    size_t version_count;
};

/* These return true, with a text, when there is a difference. */
bool differs_by(struct comparison *c, const char *format, ...) PRINTF_LIKE(2, 3);
bool record_differs(struct comparison *c, const struct stored_record *ours,
                    const struct stored_record *models);
bool set_differs(struct comparison *c, const struct record_set *ours,
                 const struct record_set *models);
bool batch_differs(struct comparison *c, const struct batch *ours, const struct mutation *before,
                   const struct batch *models);

/* Ask both stores the same. Queries are followed to their last page. */
bool query_differs(struct comparison *c, const struct store_query *query);
bool get_differs(struct comparison *c, const struct record_name *names, size_t count);
bool changes_differ(struct comparison *c, uint64_t since, size_t limit);
bool stats_differ(struct comparison *c);

#endif
