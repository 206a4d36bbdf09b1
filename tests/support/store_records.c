/*
 * store_records.c - records and mutations for tests.
 */
#include "support/store_records.h"

uint64_t test_random_next(struct test_random *random) {
    uint64_t z = random->state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

unsigned test_random_below(struct test_random *random, unsigned below) {
    return (unsigned)(test_random_next(random) % below);
}

void test_random_fill(uint64_t seed, uint8_t *out, size_t size) {
    struct test_random random = {seed};
    for (size_t i = 0; i < size; i++)
        out[i] = (uint8_t)test_random_next(&random);
}

mneme_id numbered_id(unsigned n) {
    mneme_id id = {{0}};
    if (n) {
        put_be32(id.bytes, 0x01890a5d);
        put_be32(id.bytes + 12, n);
    }
    return id;
}

struct attribute attribute_of(const char *name, const char *value) {
    return (struct attribute){slice_of_string(name), slice_of_string(value)};
}

static struct mutation mutation_of(enum mutation_op op, mneme_kind kind, unsigned n) {
    return (struct mutation){.op = op, .record = {.kind = kind, .id = numbered_id(n)}};
}

struct mutation put_of(mneme_kind kind, unsigned n) {
    struct mutation put = mutation_of(MUTATION_PUT, kind, n);
    put.record.time_us = (int64_t)n * 1000;
    return put;
}

struct mutation delete_of(mneme_kind kind, unsigned n) {
    return mutation_of(MUTATION_DELETE, kind, n);
}

struct mutation purge_of(mneme_kind kind, unsigned n) {
    return mutation_of(MUTATION_PURGE, kind, n);
}

struct mutation check_of(mneme_kind kind, unsigned n, enum condition condition) {
    struct mutation check = mutation_of(MUTATION_CHECK, kind, n);
    check.condition = condition;
    return check;
}

int apply_mutations(struct store *store, struct mutation *mutations, size_t count,
                    struct batch *batch) {
    struct batch own;
    struct batch *used = batch ? batch : &own;
    *used = (struct batch){.mutations = mutations, .count = count};
    struct batch *const list[] = {used};
    int status = store_apply(store, list, 1);
    return status ? status : used->status;
}

int apply_one(struct store *store, struct mutation *mutation) {
    return apply_mutations(store, mutation, 1, NULL);
}

static const char *attributes_difference(const struct stored_record *a,
                                         const struct stored_record *b) {
    if (a->attribute_count != b->attribute_count)
        return "number of attributes";
    for (size_t i = 0; i < a->attribute_count; i++)
        if (!slice_equal(a->attributes[i].name, b->attributes[i].name) ||
            !slice_equal(a->attributes[i].value, b->attributes[i].value))
            return "attributes";
    return NULL;
}

const char *record_difference(const struct stored_record *a, const struct stored_record *b) {
    const struct {
        const char *field;
        bool equal;
    } fields[] = {
        {"kind", a->kind == b->kind},
        {"id", id_equal(&a->id, &b->id)},
        {"flags", a->flags == b->flags},
        {"parent", id_equal(&a->parent, &b->parent)},
        {"place", a->place == b->place},
        {"version", version_compare(a->version, b->version) == 0},
        {"time", a->time_us == b->time_us},
        {"change", a->change == b->change},
        {"size of the body", a->body.size == b->body.size},
        {"bytes of the body", slice_equal(a->body, b->body)},
        {"plain size", a->plain_size == b->plain_size},
    };
    for (size_t i = 0; i < COUNT_OF(fields); i++)
        if (!fields[i].equal)
            return fields[i].field;
    return attributes_difference(a, b);
}

int store_dump_take(struct store *store, struct store_dump *dump, mneme_error *error) {
    struct record_set *set = &dump->set;
    *dump = (struct store_dump){0};
    TRY(store_stats(store, &dump->stats, error));
    size_t before;
    do {
        before = set->count;
        uint64_t since = before ? set->records[before - 1].change : 0;
        TRY(store_changes(store, since, STORE_PAGE_MAX, false, set, error));
        if (set->count > before && set->records[before].change <= since)
            return error_set(error, MNEME_FAILURE, "changes do not go on behind %llu",
                             (unsigned long long)since);
    } while (set->count > before);
    return 0;
}

void store_dump_fini(struct store_dump *dump) { record_set_fini(&dump->set); }

bool store_dump_equal(const struct store_dump *a, const struct store_dump *b) {
    if (a->set.count != b->set.count || a->stats.changes != b->stats.changes ||
        memcmp(a->stats.kinds, b->stats.kinds, sizeof a->stats.kinds) != 0)
        return false;
    for (size_t i = 0; i < a->set.count; i++)
        if (record_difference(&a->set.records[i], &b->set.records[i]))
            return false;
    return true;
}
