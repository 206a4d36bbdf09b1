/*
 * store_property.h - holds a store equal to the mem store over random scripts, and shrinks what
 * shows a difference.
 *
 * Both stores play each operation, and everything they answer is compared: statuses and texts of
 * batches, results written into mutations, records of reads field by field and page by page,
 * counts. Only versions that the stores give themselves may differ, because they come from the
 * clock; those must be in the same order among all versions seen.
 */
#ifndef MNEME_TESTS_STORE_PROPERTY_H
#define MNEME_TESTS_STORE_PROPERTY_H

#include "support/store_maker.h"
#include "support/store_script.h"

/* A script on which a store differs from mem, and how. */
struct property_failure {
    uint64_t seed;
    unsigned plays; /* made while shrinking */
    struct script script;
    size_t at; /* the operation that showed it; script.count: the look at the end */
    char text[512];
};

/* Play the script of one seed; true when the store differs. The script found is the whole one. */
bool property_differs(const struct store_maker *maker, uint64_t seed,
                      struct property_failure *failure);

/* Leave out of the script all that is not needed to show a difference. */
void property_shrink(const struct store_maker *maker, struct property_failure *failure);

/* The failure as text: what differs, the script, and how to run it again. */
void property_print(const struct store_maker *maker, const struct property_failure *failure,
                    struct buf *out);

/*
 * In a child process that is killed at some moment, play the batches of a seed on a store; then
 * open it here. It must be as mem after the batches that were acknowledged, or after one more.
 * Only of a persistent store. True when it is not so; failure->text says how.
 */
bool property_killed_differs(const struct store_maker *maker, uint64_t seed,
                             struct property_failure *failure);

#endif
