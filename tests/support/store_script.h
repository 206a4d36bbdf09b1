/*
 * store_script.h - random sequences of store operations, as data: made from a seed, played on
 * any store, printed for people.
 *
 * A script says everything in small numbers (record 3, body of 1330 bytes from seed 7), so that
 * names, times and attributes collide often, and any part of it can be left out.
 */
#ifndef MNEME_TESTS_STORE_SCRIPT_H
#define MNEME_TESTS_STORE_SCRIPT_H

#include "support/store_records.h"

enum {
    SCRIPT_OPS = 100,
    SCRIPT_BATCHES = 3, /* of one apply */
    SCRIPT_WRITES = 4,  /* of one batch */
    SCRIPT_NAMES = 12,  /* of one get */
    SCRIPT_RECORDS = 9, /* record numbers are 1 to this; the first SCRIPT_PARENTS are parents */
    SCRIPT_PARENTS = 3,
    SCRIPT_ATTRIBUTES = 8, /* bits of a set of attributes */
    SCRIPT_BODY_MAX = 9000
};

enum script_action {
    SCRIPT_APPLY,
    SCRIPT_GET,
    SCRIPT_QUERY,
    SCRIPT_CHANGES,
    SCRIPT_STATS,
    SCRIPT_REOPEN,
    SCRIPT_CRASH
};

/* A mutation. */
struct script_write {
    enum mutation_op op;
    enum condition condition;
    mneme_kind kind, expect_kind;
    unsigned record, parent, attributes; /* numbers, 0 for none; a set of bits */
    unsigned body_size, body_seed;
    bool sealed;
    bool expect_true; /* VERSION, LAST_PLACE: expect what the store has when the apply begins */
    unsigned expect_attribute;
    uint64_t place, expect_place, expect_count;
    int64_t time_us;
    mneme_version version, expect_version;
};

struct script_batch {
    size_t count;
    struct script_write writes[SCRIPT_WRITES];
};

struct script_query {
    mneme_kind kind;
    bool has_since, has_until, without_bodies;
    unsigned parent, prefix_record, prefix_size, filters;
    int64_t since_us, until_us;
    enum query_order order;
    size_t limit;
};

struct script_op {
    enum script_action action;
    size_t count; /* of batches or names */
    union {
        struct script_batch batches[SCRIPT_BATCHES];
        struct {
            mneme_kind kind;
            unsigned record;
        } names[SCRIPT_NAMES];
        struct script_query query;
        struct {
            uint64_t since;
            size_t limit;
        } changes;
    } as;
};

struct script {
    size_t count;
    struct script_op ops[SCRIPT_OPS];
};

/* The script of a seed. A script with `reopens` has reopening and crashes in it. */
void script_make(struct script *script, uint64_t seed, bool reopens);
/* The operation as one line of text, or for an apply a line a mutation. */
void script_print_op(const struct script_op *op, struct buf *out);

/* ---- Playing ----------------------------------------------------------------------------- */

mneme_id script_id(unsigned record);

/* The mutations of one batch, with all they point to. */
struct script_mutations {
    size_t count;
    struct mutation mutations[SCRIPT_WRITES];
    struct attribute attributes[SCRIPT_WRITES][SCRIPT_ATTRIBUTES];
    uint8_t bodies[SCRIPT_WRITES][SCRIPT_BODY_MAX];
};
/* Write a batch out as it is to be given to this store. */
int script_batch_fill(const struct script_batch *batch, struct store *store,
                      struct script_mutations *out);

/* A query with all it points to. */
struct script_filled_query {
    struct store_query query;
    struct attribute filters[SCRIPT_ATTRIBUTES];
    mneme_id prefix;
};
void script_query_fill(const struct script_query *query, struct script_filled_query *out);

#endif
