/*
 * model_test.c - random operations on a cache, against what must be true of it.
 *
 * The model knows the latest version of every record, and every change is noted. So whatever the
 * cache hands out must be the latest: never older, never of another key, never "there is no such
 * record" of one that is there. What the cache may forget, the model does not predict; but it
 * counts, and every item that was kept must be there or have left for one counted reason.
 *
 * Operations happen between the begin and the end of loads and guards, too. The seed is printed;
 * MNEME_SEED repeats a run.
 */
#include <time.h>

#include "cache_fixture.h"

/* ---- The model ------------------------------------------------------------------------------ */

enum {
    KEYS = 60,
    GUARDS = 3,
    HELD = 6,
    SLOTS = PIN_SLOTS - 2,
    DEPTH = 3,
    STEPS = SANITIZED ? 15000 : 200000
};

struct record {
    uint64_t latest; /* version */
    bool absent;
};

/* A load or a write that is under way. */
struct pending {
    bool open;
    uint64_t number;
    bool detached; /* something was noted: others begin loads of their own */
    bool outrun;   /* something newer was noted */
    struct cache_guard guard;
};

struct model {
    struct scene scene;
    const struct cache_options *options;
    struct random random;
    uint32_t now;
    struct record records[KEYS];
    struct pending guards[GUARDS], loads[DEPTH];
    int depth; /* of loads in loads */
    struct cache_item *held[HELD];
    uint64_t held_numbers[HELD];
    struct pin_slot *slots[SLOTS];
    uint64_t slot_numbers[SLOTS];
    uint64_t hits, negative_hits, misses, kept, not_kept;
};

static void model_step(struct model *m);

static uint64_t pick(struct model *m) { return random_below(&m->random, KEYS); }

static size_t pick_size(struct model *m) {
    return random_below(&m->random, 20) ? 100 + random_below(&m->random, 500) : 1500;
}

static size_t share_of_shard(const struct model *m) {
    return m->options->bytes / m->options->shards;
}

/* ---- What must be true ---------------------------------------------------------------------- */

/* Of every item that the cache hands out. */
static void assert_latest(const struct model *m, const struct cache_item *item, uint64_t number) {
    const struct record *record = &m->records[number];
    assert_true(m->now < item->loaded + m->options->ttl_max);
    if (item->negative) {
        assert_true(record->absent);
        struct cache_key key = key_of(number);
        assert_true(cache_key_equal(&item->key, &key));
    } else {
        assert_false(record->absent);
        assert_int_equal(value_version(item, number), record->latest);
    }
}

struct sums {
    uint64_t bytes, entries, values;
};

static void add_to_sums(void *context, struct shard *shard, struct cache_item *item) {
    struct sums *sums = context;
    (void)shard;
    sums->bytes += item->node.size;
    sums->entries++;
    sums->values += !item->negative;
}

static uint64_t retired_values(const struct shard *shard) {
    uint64_t values = 0;
    for (const struct cache_item *item = shard->retired; item;) {
        values += !item->negative;
        const struct policy_node *next = item->node.next;
        item =
            next ? (const void *)((const uint8_t *)next - offsetof(struct cache_item, node)) : NULL;
    }
    return values;
}

/* The invariants of cache_impl.h, and that every value lives for a reason. */
static void assert_shards(struct model *m) {
    struct cache *cache = m->scene.cache;
    uint64_t live = ledger_live(&m->scene.ledger), reasons = 0;
    for (size_t i = 0; i <= cache->shard_mask; i++) {
        struct shard *shard = &cache->shards[i];
        struct sums sums = {0};
        shard_walk(shard, 0, shard->table.mask + 1, add_to_sums, &sums);
        assert_int_equal(sums.bytes, shard->bytes);
        assert_int_equal(sums.entries, shard->entries);
        assert_true(shard->bytes <= shard->bytes_max);
        assert_true(shard->entries <= shard->entries_max);
        reasons += sums.values + retired_values(shard);
    }
    assert_in_range(live, reasons, reasons + HELD + pin_waiting());
    assert_in_range(pin_waiting(), 0, SLOTS);
}

static void assert_counted(struct model *m) {
    struct cache_stats stats = scene_stats(&m->scene);
    assert_int_equal(stats.hits, m->hits);
    assert_int_equal(stats.negative_hits, m->negative_hits);
    assert_int_equal(stats.misses, m->misses);
    assert_int_equal(stats.joins, 0);
    assert_int_equal(stats.kept, m->kept);
    assert_int_equal(stats.not_kept, m->not_kept);
    uint64_t left = stats.expired + stats.evicted_bytes_full + stats.evicted_entries_full;
    for (size_t cause = 0; cause < CACHE_CAUSES; cause++)
        left += stats.dropped[cause];
    assert_int_equal(stats.kept, stats.entries + left);
}

/* ---- Operations ----------------------------------------------------------------------------- */

static void was_noted(struct model *m, uint64_t number, bool newer) {
    for (int i = 0; i < GUARDS; i++)
        if (m->guards[i].number == number)
            m->guards[i].outrun |= newer;
    for (int i = 0; i < m->depth; i++)
        if (m->loads[i].number == number) {
            m->loads[i].outrun |= newer;
            m->loads[i].detached = true;
        }
}

static void count_kept(struct model *m, bool kept) {
    m->kept += kept;
    m->not_kept += !kept;
}

static void do_acquire(struct model *m) {
    uint64_t number = pick(m);
    struct cache_key key = key_of(number);
    const struct cache_item *there = scene_peek(&m->scene, number);
    bool usable = there && m->now < atomic_load(&there->expires);
    struct cache_item *item = cache_acquire(m->scene.cache, &key);
    assert_ptr_equal(item, usable ? there : NULL);
    if (!item)
        return;
    assert_latest(m, item, number);
    m->hits++;
    m->negative_hits += item->negative;
    size_t slot = random_below(&m->random, HELD);
    if (item->negative || random_below(&m->random, 3)) {
        cache_item_release(item);
        return;
    }
    if (m->held[slot])
        (void)value_version(m->held[slot], m->held_numbers[slot]); /* is whole yet */
    cache_item_release(m->held[slot]);
    m->held[slot] = item;
    m->held_numbers[slot] = number;
}

/* The same in a slot, which is kept for a while. */
static void do_acquire_slot(struct model *m) {
    uint64_t number = pick(m);
    struct cache_key key = key_of(number);
    const struct cache_item *there = scene_peek(&m->scene, number);
    bool usable = there && m->now < atomic_load(&there->expires);
    struct pin_slot *slot = cache_acquire_slot(m->scene.cache, &key);
    assert_ptr_equal(slot ? pin_item(slot) : NULL, usable ? there : NULL);
    if (!slot)
        return;
    assert_latest(m, pin_item(slot), number);
    m->hits++;
    m->negative_hits += pin_item(slot)->negative;
    size_t i = random_below(&m->random, SLOTS);
    if (m->slots[i]) {
        if (!pin_item(m->slots[i])->negative)
            (void)value_version(pin_item(m->slots[i]), m->slot_numbers[i]);
        pin_clear(m->slots[i]);
    }
    m->slots[i] = slot;
    m->slot_numbers[i] = number;
}

/* The record changes, and that is noted in one way or another. */
static void do_change(struct model *m) {
    uint64_t number = pick(m);
    struct record *record = &m->records[number];
    struct cache_key key = key_of(number);
    record->latest++;
    record->absent = random_below(&m->random, 5) == 0;
    mneme_version version = {record->latest, 0};
    bool unknown = random_below(&m->random, 8) == 0;
    cache_note(m->scene.cache, &key, unknown ? NULL : &version, CACHE_CHANGED);
    was_noted(m, number, true);
    if (record->absent || random_below(&m->random, 3))
        return;
    size_t size = pick_size(m); /* the writer keeps what it has written */
    cache_keep(m->scene.cache, value_make(&m->scene.ledger, number, record->latest, size));
    count_kept(m, size <= share_of_shard(m));
}

static void do_note_old(struct model *m) {
    uint64_t number = pick(m);
    struct cache_key key = key_of(number);
    uint64_t version = random_below(&m->random, m->records[number].latest) + 1;
    cache_note(m->scene.cache, &key, &(mneme_version){version, 0}, CACHE_CHANGED);
    /* To a load that found nothing every version is newer. */
    was_noted(m, number, m->records[number].absent);
}

static int model_load(void *context, const struct cache_key *key, struct cache_item **out,
                      mneme_error *error) {
    struct model *m = context;
    uint64_t number = get_be64(key->id.bytes);
    struct record read = m->records[number];
    for (uint64_t i = random_below(&m->random, 4); i; i--)
        model_step(m);
    if (random_below(&m->random, 10) == 0)
        return error_set(error, MNEME_IO, "a broken disk");
    if (read.absent)
        return error_set(error, MNEME_NOT_FOUND, "nothing");
    *out = value_make(&m->scene.ledger, number, read.latest, pick_size(m));
    return 0;
}

/* Whether a load by this thread would wait for one that this thread has begun. */
static bool would_join(const struct model *m, uint64_t number) {
    bool joins = false;
    for (int i = 0; i < m->depth; i++)
        joins |= m->loads[i].number == number && !m->loads[i].detached;
    return joins;
}

static void do_get(struct model *m) {
    uint64_t number = pick(m);
    if (m->depth == DEPTH || would_join(m, number))
        return;
    struct cache_key key = key_of(number);
    struct cache_loader loader = {model_load, m};
    const struct cache_item *there = scene_peek(&m->scene, number);
    bool hit = there && m->now < atomic_load(&there->expires);
    m->hits += hit;
    m->negative_hits += hit && there->negative;
    m->misses += !hit;
    struct pending *load = &m->loads[m->depth];
    *load = (struct pending){.open = true, .number = number};
    m->depth += !hit;
    struct cache_item *item = NULL;
    int status = cache_get(m->scene.cache, &key, &loader, &item, NULL);
    m->depth -= !hit;
    if (status == 0 && hit)
        assert_latest(m, item, number);
    else if (status == 0 && !load->outrun)
        assert_int_equal(value_version(item, number), m->records[number].latest);
    assert_true(status != MNEME_NOT_FOUND || load->outrun || m->records[number].absent);
    assert_true(!hit || status == (there->negative ? MNEME_NOT_FOUND : 0));
    if (!hit && status != MNEME_IO) {
        size_t size = item ? item->node.size : sizeof(struct cache_item);
        count_kept(m, !load->outrun && size <= share_of_shard(m));
    }
    cache_item_release(item);
}

/* Begin a guard, or end one with what was there at its begin. */
static void do_guard(struct model *m) {
    struct pending *p = &m->guards[random_below(&m->random, GUARDS)];
    if (!p->open) {
        *p = (struct pending){.open = true, .number = pick(m)};
        struct cache_key key = key_of(p->number);
        cache_guard_begin(m->scene.cache, &key, &p->guard);
        return;
    }
    p->open = false;
    const struct record *record = &m->records[p->number];
    if (record->absent || random_below(&m->random, 5) == 0) {
        cache_guard_end(m->scene.cache, &p->guard, NULL);
        return;
    }
    uint64_t version = p->outrun ? record->latest - 1 : record->latest;
    size_t size = pick_size(m);
    cache_guard_end(m->scene.cache, &p->guard,
                    value_make(&m->scene.ledger, p->number, version, size));
    count_kept(m, !p->outrun && size <= share_of_shard(m));
}

static bool is_unlucky(void *context, const struct cache_item *item) {
    (void)item;
    return random_below(context, 3) == 0;
}

static void do_clear(struct model *m) {
    if (random_below(&m->random, 3) == 0) {
        uint32_t space = key_of(pick(m)).space;
        cache_outrun(m->scene.cache, space);
        for (uint64_t number = 0; number < KEYS; number++)
            if (key_of(number).space == space)
                was_noted(m, number, true);
        return;
    }
    if (random_below(&m->random, 2)) {
        cache_filter(m->scene.cache, is_unlucky, &m->random, CACHE_FLOODED);
        return;
    }
    cache_clear(m->scene.cache, CACHE_FLOODED);
    assert_int_equal(scene_stats(&m->scene).entries, 0);
    for (uint64_t number = 0; number < KEYS; number++)
        was_noted(m, number, true);
}

static void do_tick(struct model *m) {
    static const uint32_t jumps[] = {0, 1, 1, 1, 2, 5, 9, 10, 30, 200};
    m->now += jumps[random_below(&m->random, COUNT_OF(jumps))];
    cache_tick(m->scene.cache, m->now);
}

static void model_step(struct model *m) {
    uint64_t dice = random_below(&m->random, 1000);
    if (dice < 200)
        do_acquire(m);
    else if (dice < 350)
        do_acquire_slot(m);
    else if (dice < 700)
        do_get(m);
    else if (dice < 800)
        do_change(m);
    else if (dice < 840)
        do_note_old(m);
    else if (dice < 940)
        do_guard(m);
    else if (dice < 995)
        do_tick(m);
    else
        do_clear(m);
}

/* ---- Runs ----------------------------------------------------------------------------------- */

static uint64_t seed;

static void model_fini(struct model *m) {
    for (int i = 0; i < GUARDS; i++)
        if (m->guards[i].open)
            cache_guard_end(m->scene.cache, &m->guards[i].guard, NULL);
    cache_destroy(m->scene.cache);
    for (int i = 0; i < SLOTS; i++)
        if (m->slots[i])
            pin_clear(m->slots[i]);
    pin_retire(NULL);
    assert_int_equal(pin_waiting(), 0);
    for (int i = 0; i < HELD; i++) {
        if (m->held[i])
            (void)value_version(m->held[i], m->held_numbers[i]);
        cache_item_release(m->held[i]);
    }
    assert_int_equal(ledger_live(&m->scene.ledger), 0);
}

static void run(const struct cache_options *options) {
    struct model m = {.options = options, .random = {seed}};
    scene_init(&m.scene, options);
    for (uint64_t number = 0; number < KEYS; number++)
        m.records[number].latest = 1;
    for (int step = 0; step < STEPS; step++) {
        model_step(&m);
        assert_shards(&m);
        assert_counted(&m);
    }
    /* Or the run has shown nothing. */
    struct cache_stats stats = scene_stats(&m.scene);
    assert_true(stats.hits && stats.negative_hits && stats.kept && stats.not_kept);
    assert_true(stats.expired && stats.dropped[CACHE_CHANGED] && stats.dropped[CACHE_FLOODED]);
    model_fini(&m);
}

#define TTLS .ttl_min = 5, .ttl_base = 20, .ttl_max = 100

static void cache_model__few_entries(void **state) {
    (void)state;
    run(&(const struct cache_options){.bytes = 1400, .entries = 3, .shards = 1, TTLS});
}

static void cache_model__few_bytes(void **state) {
    (void)state;
    run(&(const struct cache_options){.bytes = 1400, .entries = 1000, .shards = 1, TTLS});
}

static void cache_model__four_shards(void **state) {
    (void)state;
    run(&(const struct cache_options){.bytes = 5600, .entries = 24, .shards = 4, TTLS});
}

static void cache_model__one_entry_a_shard(void **state) {
    (void)state;
    run(&(const struct cache_options){.bytes = 16000, .entries = 16, .shards = 16, TTLS});
}

static void cache_model__room_for_all(void **state) {
    (void)state;
    run(&(const struct cache_options){.bytes = 1 << 20, .entries = 500, .shards = 4, TTLS});
}

int main(void) {
    const char *given = getenv("MNEME_SEED");
    seed = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    seed += seed == 0;
    print_message("MNEME_SEED=%llu\n", (unsigned long long)seed);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cache_model__few_entries),
        cmocka_unit_test(cache_model__few_bytes),
        cmocka_unit_test(cache_model__four_shards),
        cmocka_unit_test(cache_model__one_entry_a_shard),
        cmocka_unit_test(cache_model__room_for_all),
    };
    return cmocka_run_group_tests_name("cache/model", tests, NULL, NULL);
}
