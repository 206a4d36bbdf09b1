/*
 * store_script.c - scripts: made from a seed, and filled in for a store.
 */
#include "support/store_script.h"

/* In the order of attributes, so that every subset is in order too. */
static struct attribute pool_attribute(unsigned i) {
    static const uint8_t bytes[STORE_ATTRIBUTE_VALUE_MAX] = {0, 0xff, 0, 1};
    const struct attribute pool[SCRIPT_ATTRIBUTES] = {
        attribute_of("a", ""),
        attribute_of("a", "1"),
        attribute_of("ab", "1"),
        {slice_of_string("b"), slice_of(bytes, 2)},
        {slice_of_string("b"), slice_of(bytes, sizeof bytes)},
        attribute_of("meta.x", "y"),
        attribute_of("tag", "p"),
        attribute_of("tag", "q"),
    };
    return pool[i];
}

static size_t pool_subset(unsigned bits, struct attribute *out) {
    size_t count = 0;
    for (unsigned i = 0; i < SCRIPT_ATTRIBUTES; i++)
        if (bits >> i & 1)
            out[count++] = pool_attribute(i);
    return count;
}

mneme_id script_id(unsigned record) {
    mneme_id id = numbered_id(record);
    if (record)
        id.bytes[0] = (uint8_t)(record % 3 * 0x7f + 1); /* so that id prefixes tell some apart */
    return id;
}

/* ---- Making ------------------------------------------------------------------------------ */

static bool chance(struct test_random *random, unsigned percent) {
    return test_random_below(random, 100) < percent;
}

static mneme_kind some_kind(struct test_random *random) {
    static const mneme_kind kinds[] = {MNEME_EPISODE, MNEME_STEP, MNEME_STEP, MNEME_PATTERN};
    return kinds[test_random_below(random, COUNT_OF(kinds))];
}

static unsigned some_record(struct test_random *random) {
    return 1 + test_random_below(random, SCRIPT_RECORDS);
}

static unsigned some_parent(struct test_random *random) {
    return 1 + test_random_below(random, SCRIPT_PARENTS);
}

static int64_t some_time(struct test_random *random) {
    static const int64_t far[] = {INT64_MIN, INT64_MIN + 1, INT64_MAX - 1, INT64_MAX, -1};
    if (chance(random, 20))
        return far[test_random_below(random, COUNT_OF(far))];
    return test_random_below(random, 6);
}

static unsigned some_attributes(struct test_random *random, unsigned most) {
    unsigned bits = 0;
    for (unsigned i = test_random_below(random, most + 1); i > 0; i--)
        bits |= 1u << test_random_below(random, SCRIPT_ATTRIBUTES);
    return bits;
}

static unsigned some_body_size(struct test_random *random) {
    static const unsigned edges[] = {0, 1, 1329, 1330, 1331, 1990, 2660, SCRIPT_BODY_MAX};
    if (chance(random, 50))
        return edges[test_random_below(random, COUNT_OF(edges))];
    return test_random_below(random, 3000);
}

/* Of a replica: mostly from long ago, so that they meet; now and then from far ahead. */
static mneme_version some_version(struct test_random *random) {
    uint64_t clock = test_random_below(random, 12);
    if (chance(random, 5))
        clock += (uint64_t)1 << 60;
    return (mneme_version){clock, 1 + test_random_below(random, 3)};
}

static void make_condition(struct test_random *random, struct script_write *write) {
    static const enum condition conditions[] = {
        CONDITION_ABSENT,   CONDITION_LIVE,         CONDITION_OPEN,  CONDITION_VERSION,
        CONDITION_CHILDREN, CONDITION_NO_ATTRIBUTE, CONDITION_PARENT};
    if (write->op != MUTATION_CHECK && chance(random, 60))
        return;
    write->condition = conditions[test_random_below(random, COUNT_OF(conditions))];
    write->expect_true = chance(random, 80);
    write->expect_kind = some_kind(random);
    write->expect_version = some_version(random);
    write->expect_place = test_random_below(random, 4);
    write->expect_count = test_random_below(random, 3);
    write->expect_attribute = test_random_below(random, SCRIPT_ATTRIBUTES);
}

static struct script_write make_write(struct test_random *random, unsigned replica_percent) {
    static const enum mutation_op ops[] = {
        MUTATION_PUT, MUTATION_PUT,    MUTATION_PUT,    MUTATION_PUT,   MUTATION_PUT,
        MUTATION_PUT, MUTATION_DELETE, MUTATION_DELETE, MUTATION_PURGE, MUTATION_CHECK};
    struct script_write write = {.op = ops[test_random_below(random, COUNT_OF(ops))],
                                 .kind = some_kind(random),
                                 .record = some_record(random)};
    make_condition(random, &write);
    if (chance(random, replica_percent))
        write.version = some_version(random);
    if (write.op != MUTATION_PUT)
        return write;
    write.parent = chance(random, 60) ? some_parent(random) : 0;
    if (write.parent && chance(random, 20))
        write.place = chance(random, 90) ? 1 + test_random_below(random, 6) : (uint64_t)1 << 33;
    write.time_us = some_time(random);
    write.attributes = some_attributes(random, 4);
    write.body_size = some_body_size(random);
    write.body_seed = test_random_below(random, 1000);
    write.sealed = chance(random, 20);
    return write;
}

static void make_apply(struct test_random *random, unsigned replica_percent, struct script_op *op) {
    op->count = chance(random, 70) ? 1 : 1 + test_random_below(random, SCRIPT_BATCHES);
    for (size_t i = 0; i < op->count; i++) {
        struct script_batch *batch = &op->as.batches[i];
        batch->count = chance(random, 50) ? 1 : 1 + test_random_below(random, SCRIPT_WRITES);
        for (size_t j = 0; j < batch->count; j++)
            batch->writes[j] = make_write(random, replica_percent);
    }
}

static struct script_query make_query(struct test_random *random) {
    static const size_t limits[] = {1, 2, 3, 7, 100};
    struct script_query query = {.kind = some_kind(random),
                                 .has_since = chance(random, 25),
                                 .has_until = chance(random, 25),
                                 .without_bodies = chance(random, 30),
                                 .since_us = some_time(random),
                                 .until_us = some_time(random),
                                 .order =
                                     chance(random, 50) ? ORDER_NEWEST_FIRST : ORDER_OLDEST_FIRST,
                                 .limit = limits[test_random_below(random, COUNT_OF(limits))]};
    if (chance(random, 40))
        query.parent = some_parent(random);
    else if (chance(random, 40)) {
        query.prefix_record = some_record(random);
        query.prefix_size = chance(random, 70) ? 1 : 1 + test_random_below(random, 16);
    }
    if (chance(random, 50))
        query.filters = some_attributes(random, 3);
    return query;
}

static struct script_op make_op(struct test_random *random, unsigned replica_percent,
                                bool reopens) {
    struct script_op op = {.action = SCRIPT_STATS};
    unsigned dice = test_random_below(random, 100);
    if (dice < 50) {
        op.action = SCRIPT_APPLY;
        make_apply(random, replica_percent, &op);
    } else if (dice < 78) {
        op.action = SCRIPT_QUERY;
        op.as.query = make_query(random);
    } else if (dice < 86) {
        op.action = SCRIPT_GET;
        op.count = 1 + test_random_below(random, SCRIPT_NAMES);
        for (size_t i = 0; i < op.count; i++) {
            op.as.names[i].kind = some_kind(random);
            op.as.names[i].record = some_record(random);
        }
    } else if (dice < 93) {
        op.action = SCRIPT_CHANGES;
        op.as.changes.since = chance(random, 30) ? 0 : test_random_below(random, 60);
        op.as.changes.limit = chance(random, 50) ? 100 : 1 + test_random_below(random, 5);
    } else if (dice >= 96 && reopens) {
        op.action = dice < 98 ? SCRIPT_REOPEN : SCRIPT_CRASH;
    }
    return op;
}

void script_make(struct script *script, uint64_t seed, bool reopens) {
    static const unsigned replica_percents[] = {0, 10, 90};
    struct test_random random = {seed};
    unsigned percent = replica_percents[test_random_below(&random, COUNT_OF(replica_percents))];
    script->count = SCRIPT_OPS;
    for (size_t i = 0; i < script->count; i++)
        script->ops[i] = make_op(&random, percent, reopens);
}

/* ---- Filling in -------------------------------------------------------------------------- */

/* The version a record has now; zero when there is none. */
static int current_version(struct store *store, const struct stored_record *record,
                           mneme_version *out) {
    AUTO_RECORDS struct record_set set = {0};
    struct record_name name = {record->kind, record->id};
    size_t found;
    TRY(store_get(store, &name, 1, &set, &found, NULL));
    *out = found == SIZE_MAX ? (mneme_version){0} : set.records[found].version;
    return 0;
}

static int current_children(struct store *store, const mneme_id *parent, mneme_kind kind,
                            uint64_t *last_place, uint64_t *count) {
    AUTO_RECORDS struct record_set set = {0};
    struct store_query query = {
        .kind = kind, .has_parent = true, .parent = *parent, .limit = STORE_PAGE_MAX};
    bool more;
    TRY(store_query(store, &query, &set, &more, NULL));
    *last_place = set.count ? set.records[0].place : 0;
    *count = set.count;
    return 0;
}

static int write_fill(const struct script_write *write, struct store *store,
                      struct attribute *attributes, uint8_t *body, struct mutation *out) {
    *out = (struct mutation){
        .op = write->op,
        .condition = write->condition,
        .record = {.kind = write->kind, .id = script_id(write->record), .version = write->version},
        .expect_version = write->expect_version,
        .expect_kind = write->expect_kind,
        .expect_place = write->expect_place,
        .expect_count = write->expect_count,
        .expect_attribute = pool_attribute(write->expect_attribute)};
    if (write->op == MUTATION_PUT) {
        struct stored_record *record = &out->record;
        record->flags = write->sealed ? MNEME_FLAG_SEALED : 0;
        record->parent = script_id(write->parent);
        record->place = write->place;
        record->time_us = write->time_us;
        record->attributes = attributes;
        record->attribute_count = pool_subset(write->attributes, attributes);
        test_random_fill(write->body_seed, body, write->body_size);
        record->body = slice_of(body, write->body_size);
        record->plain_size = write->body_size * 3 + write->body_seed;
    }
    if (write->expect_true && write->condition == CONDITION_VERSION)
        return current_version(store, &out->record, &out->expect_version);
    if (write->expect_true && write->condition == CONDITION_CHILDREN)
        return current_children(store, &out->record.id, write->expect_kind, &out->expect_place,
                                &out->expect_count);
    return 0;
}

int script_batch_fill(const struct script_batch *batch, struct store *store,
                      struct script_mutations *out) {
    out->count = batch->count;
    for (size_t i = 0; i < batch->count; i++)
        TRY(write_fill(&batch->writes[i], store, out->attributes[i], out->bodies[i],
                       &out->mutations[i]));
    return 0;
}

void script_query_fill(const struct script_query *query, struct script_filled_query *out) {
    out->prefix = script_id(query->prefix_record);
    out->query = (struct store_query){.kind = query->kind,
                                      .has_since = query->has_since,
                                      .has_until = query->has_until,
                                      .has_parent = query->parent != 0,
                                      .since_us = query->since_us,
                                      .until_us = query->until_us,
                                      .parent = script_id(query->parent),
                                      .id_prefix = slice_of(&out->prefix, query->prefix_size),
                                      .filters = out->filters,
                                      .filter_count = pool_subset(query->filters, out->filters),
                                      .order = query->order,
                                      .limit = query->limit,
                                      .without_bodies = query->without_bodies};
}
