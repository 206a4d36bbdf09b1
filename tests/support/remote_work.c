/*
 * remote_work.c - see remote_work.h.
 */
#include "support/remote_work.h"

#include <stdio.h>

enum { LARGE_BODY = 2600000, LARGE_RECORD = 60 };

const char *const remote_op_names[REMOTE_OPS] = {
    [REMOTE_PUT] = "put",         [REMOTE_REPLACE] = "replace", [REMOTE_DELETE] = "delete",
    [REMOTE_MIXED] = "mixed",     [REMOTE_APPEND] = "append",   [REMOTE_EPISODE] = "episode",
    [REMOTE_VERSION] = "version", [REMOTE_STALE] = "stale",     [REMOTE_MISSING] = "missing",
    [REMOTE_BATCHES] = "batches", [REMOTE_MANY] = "many",       [REMOTE_REPLICA] = "replica",
    [REMOTE_LARGE] = "large"};

/* The records there are, by number. Those up to 7 are there in the beginning. */
enum {
    EPISODE = 1,
    FIRST_STEP = 2,
    LAST_STEP = 3,
    PATTERN = 4,
    OTHER_PATTERN = 5,
    HEURISTIC = 6,
    CHECKPOINT = 7,
    NEW_PATTERN = 20,
    NEW_RELATION = 21,
    NEW_STEP = 22,
    NEW_EPISODE = 23,
    NEW_STEPS = 24, /* and the next three */
    FROM_BATCHES = 28,
    FROM_MANY = 30, /* and the next 23 */
    FROM_REPLICA = 54
};

static const struct {
    mneme_kind kind;
    unsigned first, last;
} all_records[] = {
    {MNEME_EPISODE, EPISODE, EPISODE},
    {MNEME_STEP, FIRST_STEP, LAST_STEP},
    {MNEME_PATTERN, PATTERN, OTHER_PATTERN},
    {MNEME_HEURISTIC, HEURISTIC, HEURISTIC},
    {MNEME_CHECKPOINT, CHECKPOINT, CHECKPOINT},
    {MNEME_PATTERN, NEW_PATTERN, NEW_PATTERN},
    {MNEME_RELATION, NEW_RELATION, NEW_RELATION},
    {MNEME_STEP, NEW_STEP, NEW_STEP},
    {MNEME_EPISODE, NEW_EPISODE, NEW_EPISODE},
    {MNEME_STEP, NEW_STEPS, NEW_STEPS + 3},
    {MNEME_PATTERN, FROM_BATCHES, FROM_REPLICA},
    {MNEME_PATTERN, LARGE_RECORD, LARGE_RECORD},
};

/* ---- Putting batches together ------------------------------------------------------------------
 */

static void begin_batch(struct remote_work *work) {
    work->batches[work->count++] =
        (struct batch){.mutations = &work->mutations[work->mutation_count]};
}

static struct mutation *add(struct remote_work *work, struct mutation mutation) {
    struct mutation *added = &work->mutations[work->mutation_count++];
    *added = mutation;
    work->batches[work->count - 1].count++;
    return added;
}

/* A put with a body and two attributes, all of them from `seed`. */
static struct mutation *add_put(struct remote_work *work, mneme_kind kind, unsigned n,
                                unsigned seed) {
    static const char *const values[] = {"red", "green", "blue"};
    size_t at = work->mutation_count;
    struct mutation *put = add(work, put_of(kind, n));
    uint8_t *body = work->small_body[at];
    test_random_fill(seed, body, sizeof work->small_body[at]);
    work->attributes[at][0] = attribute_of("colour", values[seed % 3]);
    work->attributes[at][1] = attribute_of("tag", seed % 2 ? "odd" : "even");
    put->record.attributes = work->attributes[at];
    put->record.attribute_count = 2;
    put->record.body = slice_of(body, 10 + seed % 50);
    put->record.plain_size = 100 + seed;
    return put;
}

static struct mutation *add_step(struct remote_work *work, unsigned n, unsigned parent) {
    struct mutation *put = add_put(work, MNEME_STEP, n, n);
    put->record.parent = numbered_id(parent);
    return put;
}

/* ---- Operations --------------------------------------------------------------------------------
 */

static void make_mixed(struct remote_work *work) {
    begin_batch(work);
    add_put(work, MNEME_RELATION, NEW_RELATION, 1);
    add(work, delete_of(MNEME_PATTERN, OTHER_PATTERN));
    add_put(work, MNEME_HEURISTIC, HEURISTIC, 2)->condition = CONDITION_LIVE;
    add(work, purge_of(MNEME_STEP, FIRST_STEP));
    add(work, check_of(MNEME_EPISODE, EPISODE, CONDITION_OPEN));
    struct mutation *check = add(work, check_of(MNEME_PATTERN, PATTERN, CONDITION_NO_ATTRIBUTE));
    check->expect_attribute = attribute_of("colour", "violet");
}

static void make_append(struct remote_work *work) {
    begin_batch(work);
    struct mutation *check = add(work, check_of(MNEME_EPISODE, EPISODE, CONDITION_CHILDREN));
    check->expect_kind = MNEME_STEP;
    check->expect_place = check->expect_count = 2;
    add(work, check_of(MNEME_EPISODE, EPISODE, CONDITION_OPEN));
    add_step(work, NEW_STEP, EPISODE);
}

static void make_episode(struct remote_work *work) {
    begin_batch(work);
    add_put(work, MNEME_EPISODE, NEW_EPISODE, 3)->condition = CONDITION_ABSENT;
    for (unsigned i = 0; i < 4; i++)
        add_step(work, NEW_STEPS + i, NEW_EPISODE);
}

static int make_version(struct remote_work *work, struct store *store, bool stale,
                        mneme_error *error) {
    AUTO_RECORDS struct record_set set = {0};
    mneme_id id = numbered_id(PATTERN);
    TRY(store_get_one(store, MNEME_PATTERN, &id, &set, error));
    begin_batch(work);
    struct mutation *put = add_put(work, MNEME_PATTERN, PATTERN, 4);
    put->condition = CONDITION_VERSION;
    put->expect_version = set.records[0].version;
    put->expect_version.clock += stale;
    return 0;
}

static void make_batches(struct remote_work *work) {
    begin_batch(work);
    add_put(work, MNEME_PATTERN, FROM_BATCHES, 5);
    begin_batch(work);
    add_put(work, MNEME_PATTERN, FROM_BATCHES + 2, 6);
    add_put(work, MNEME_PATTERN, PATTERN, 6)->condition = CONDITION_ABSENT;
    begin_batch(work);
    add_put(work, MNEME_PATTERN, FROM_BATCHES + 1, 7);
    add(work, delete_of(MNEME_PATTERN, PATTERN));
}

static void make_many(struct remote_work *work) {
    for (unsigned i = 0; i < REMOTE_BATCHES_MAX; i++) {
        begin_batch(work);
        add_put(work, MNEME_PATTERN, FROM_MANY + 2 * i, 8 + i);
        add_put(work, MNEME_PATTERN, FROM_MANY + 2 * i + 1, 9 + i);
    }
}

static void make_replica(struct remote_work *work) {
    begin_batch(work);
    add_put(work, MNEME_PATTERN, PATTERN, 10)->record.version = (mneme_version){1, 9};
    add_put(work, MNEME_PATTERN, FROM_REPLICA, 11)->record.version = (mneme_version){5, 9};
}

static int make_large(struct remote_work *work, mneme_error *error) {
    work->large_body = mem_alloc(LARGE_BODY);
    if (!work->large_body)
        return error_set(error, MNEME_NO_MEMORY, "no memory for a large body");
    test_random_fill(12, work->large_body, LARGE_BODY);
    begin_batch(work);
    struct mutation *put = add_put(work, MNEME_PATTERN, LARGE_RECORD, 12);
    put->record.body = slice_of(work->large_body, LARGE_BODY);
    return 0;
}

static void make_one(struct remote_work *work, enum remote_op op) {
    begin_batch(work);
    if (op == REMOTE_PUT)
        add_put(work, MNEME_PATTERN, NEW_PATTERN, 13)->condition = CONDITION_ABSENT;
    else if (op == REMOTE_REPLACE)
        add_put(work, MNEME_PATTERN, PATTERN, 14)->condition = CONDITION_LIVE;
    else
        add(work, delete_of(MNEME_PATTERN, op == REMOTE_DELETE ? PATTERN : NEW_PATTERN));
}

int remote_work_make(enum remote_op op, struct store *store, struct remote_work *work,
                     mneme_error *error) {
    int status = 0;
    if (op == REMOTE_MIXED)
        make_mixed(work);
    else if (op == REMOTE_APPEND)
        make_append(work);
    else if (op == REMOTE_EPISODE)
        make_episode(work);
    else if (op == REMOTE_VERSION || op == REMOTE_STALE)
        status = make_version(work, store, op == REMOTE_STALE, error);
    else if (op == REMOTE_BATCHES)
        make_batches(work);
    else if (op == REMOTE_MANY)
        make_many(work);
    else if (op == REMOTE_REPLICA)
        make_replica(work);
    else if (op == REMOTE_LARGE)
        status = make_large(work, error);
    else
        make_one(work, op);
    memcpy(work->before, work->mutations, sizeof work->before);
    return status;
}

int remote_work_prepare(struct remote_work *work, mneme_error *error) {
    begin_batch(work);
    for (size_t i = 0; i < COUNT_OF(all_records); i++)
        for (unsigned n = all_records[i].first; n <= all_records[i].last; n++)
            add(work, purge_of(all_records[i].kind, n));
    begin_batch(work);
    add_put(work, MNEME_EPISODE, EPISODE, 20);
    add_step(work, FIRST_STEP, EPISODE);
    add_step(work, LAST_STEP, EPISODE);
    add_put(work, MNEME_PATTERN, PATTERN, 21);
    add_put(work, MNEME_PATTERN, OTHER_PATTERN, 22);
    add_put(work, MNEME_HEURISTIC, HEURISTIC, 23);
    add_put(work, MNEME_CHECKPOINT, CHECKPOINT, 24)->record.parent = numbered_id(EPISODE);
    memcpy(work->before, work->mutations, sizeof work->before);
    return work->mutation_count <= REMOTE_MUTATIONS_MAX
               ? 0
               : error_set(error, MNEME_TOO_LARGE, "more mutations than there is room for");
}

void remote_work_fini(struct remote_work *work) {
    mem_free(work->large_body);
    work->large_body = NULL;
}

int remote_work_apply(struct remote_work *work, unsigned wanted, struct store *store) {
    struct batch *list[REMOTE_BATCHES_MAX];
    size_t count = 0;
    for (size_t i = 0; i < work->count; i++)
        if (wanted & 1U << i)
            list[count++] = &work->batches[i];
    return count ? store_apply(store, list, count) : 0;
}
