/*
 * table_test.c - the hash table of a shard: collisions, overflow into later buckets, a full table.
 */
#include "cache_fixture.h"

/* ---- Fixture -------------------------------------------------------------------------------- */

enum { ITEMS = 400 };

struct fixture {
    struct table table;
    struct cache_item items[ITEMS];
};

static void fixture_init(struct fixture *f, size_t entries) {
    assert_int_equal(table_init(&f->table, entries), 0);
}

static void fixture_fini(struct fixture *f) { table_fini(&f->table); }
#define FIXTURE(name) CLEANUP(fixture_fini) struct fixture name

static uint64_t hash_of(uint64_t tag, uint64_t bucket) { return tag << 56 | bucket << 8; }

/* Item `i`, with a key of its own and the hash given. */
static struct cache_item *item_at(struct fixture *f, size_t i, uint64_t hash) {
    struct cache_key key = key_of(i);
    cache_item_init(&f->items[i], &key, (mneme_version){0}, 1, NULL);
    f->items[i].node.hash = hash;
    return &f->items[i];
}

static struct cache_item *find(const struct fixture *f, size_t i) {
    return table_find(&f->table, &f->items[i].key, f->items[i].node.hash);
}

static uint64_t overflow_of(const struct fixture *f, size_t bucket) {
    return atomic_load(&f->table.buckets[bucket].head) >> 56;
}

static void assert_found(const struct fixture *f, size_t from, size_t to) {
    for (size_t i = from; i < to; i++)
        assert_ptr_equal(find(f, i), &f->items[i]);
}

static void assert_empty(const struct fixture *f) {
    for (size_t i = 0; i <= f->table.mask; i++) {
        assert_true(atomic_load(&f->table.buckets[i].head) == 0);
        for (int slot = 0; slot < TABLE_SLOTS; slot++)
            assert_null(atomic_load(&f->table.buckets[i].slots[slot]));
    }
}

/* ---- Finding -------------------------------------------------------------------------------- */

static void table_find__finds_what_was_added_and_nothing_else(void **state) {
    (void)state;
    FIXTURE(f);
    fixture_init(&f, 100);
    for (size_t i = 0; i < 50; i++)
        assert_true(table_put(&f.table, item_at(&f, i, i * UINT64_C(0x9e3779b97f4a7c15))));
    assert_found(&f, 0, 50);
    for (size_t i = 50; i < 100; i++) {
        item_at(&f, i, i * UINT64_C(0x9e3779b97f4a7c15));
        assert_null(find(&f, i));
    }
}

static void table_find__tells_keys_of_one_hash_apart(void **state) {
    (void)state;
    FIXTURE(f);
    fixture_init(&f, 100);
    for (size_t i = 0; i < TABLE_SLOTS; i++)
        assert_true(table_put(&f.table, item_at(&f, i, hash_of(77, 3))));
    assert_found(&f, 0, TABLE_SLOTS);
    item_at(&f, TABLE_SLOTS, hash_of(77, 3));
    assert_null(find(&f, TABLE_SLOTS));
}

static void table_find__tells_keys_apart_that_differ_in_one_bit(void **state) {
    (void)state;
    FIXTURE(f);
    fixture_init(&f, 100);
    assert_true(table_put(&f.table, item_at(&f, 5, hash_of(9, 0))));
    for (size_t bit = 0; bit < 160; bit++) {
        struct cache_key key = f.items[5].key;
        if (bit < 128)
            key.id.bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
        else
            key.space ^= UINT32_C(1) << (bit - 128);
        assert_null(table_find(&f.table, &key, hash_of(9, 0)));
    }
}

static void table_find__is_right_for_every_pair_of_tags(void **state) {
    (void)state;
    for (uint64_t a = 0; a < 256; a++) {
        FIXTURE(f);
        fixture_init(&f, 1);
        assert_true(table_put(&f.table, item_at(&f, 0, hash_of(a, 0))));
        for (uint64_t b = 0; b < 256; b++) {
            assert_true(table_put(&f.table, item_at(&f, 1, hash_of(b, 0))));
            assert_found(&f, 0, 2);
            item_at(&f, 2, hash_of(b, 0));
            assert_null(find(&f, 2));
            table_remove(&f.table, &f.items[1]);
            assert_null(find(&f, 1));
        }
    }
}

/* ---- Overflow ------------------------------------------------------------------------------- */

static void table_add__goes_on_to_the_next_bucket_and_comes_back(void **state) {
    (void)state;
    FIXTURE(f);
    fixture_init(&f, 15);
    assert_int_equal(f.table.mask, 3);
    for (size_t i = 0; i < TABLE_SLOTS + 2; i++) /* the last bucket's next one is the first */
        assert_true(table_put(&f.table, item_at(&f, i, hash_of(5, 3))));
    assert_found(&f, 0, TABLE_SLOTS + 2);
    assert_int_equal(overflow_of(&f, 3), 2);
    assert_int_equal(overflow_of(&f, 0), 0);
    table_remove(&f.table, &f.items[2]); /* in the bucket they had to pass */
    assert_null(find(&f, 2));
    assert_found(&f, 3, TABLE_SLOTS + 2);
    assert_int_equal(overflow_of(&f, 3), 2);
    table_remove(&f.table, &f.items[TABLE_SLOTS]);
    table_remove(&f.table, &f.items[TABLE_SLOTS + 1]);
    assert_int_equal(overflow_of(&f, 3), 0);
    assert_true(table_put(&f.table, item_at(&f, 2, hash_of(5, 3))));
    assert_int_equal(overflow_of(&f, 3), 0);
    assert_found(&f, 0, TABLE_SLOTS);
}

static void table_add__counts_in_every_bucket_it_passes(void **state) {
    (void)state;
    FIXTURE(f);
    fixture_init(&f, 15);
    size_t n = 0;
    for (uint64_t bucket = 0; bucket < 2; bucket++)
        for (int slot = 0; slot < TABLE_SLOTS; slot++)
            assert_true(table_put(&f.table, item_at(&f, n++, hash_of(5, bucket))));
    assert_true(table_put(&f.table, item_at(&f, n, hash_of(6, 0))));
    assert_int_equal(overflow_of(&f, 0), 1);
    assert_int_equal(overflow_of(&f, 1), 1);
    assert_int_equal(overflow_of(&f, 2), 0);
    assert_found(&f, 0, n + 1);
    while (n < SIZE_MAX)
        table_remove(&f.table, &f.items[n--]);
    assert_empty(&f);
}

static void table_add__of_a_full_table_says_no(void **state) {
    (void)state;
    for (size_t entries = 1; entries <= 40; entries *= 2) {
        FIXTURE(f);
        fixture_init(&f, entries);
        size_t room = (f.table.mask + 1) * TABLE_SLOTS;
        assert_true(room > entries); /* one more than there are, before one is evicted */
        for (size_t i = 0; i < room; i++)
            assert_true(table_put(&f.table, item_at(&f, i, hash_of(i, i * i))));
        for (uint64_t bucket = 0; bucket <= f.table.mask; bucket++) {
            assert_false(table_put(&f.table, item_at(&f, room, hash_of(1, bucket))));
            assert_null(find(&f, room)); /* and the search ends */
        }
        assert_found(&f, 0, room);
        table_remove(&f.table, &f.items[room / 2]);
        assert_true(table_put(&f.table, item_at(&f, room, hash_of(200, room))));
        assert_ptr_equal(find(&f, room), &f.items[room]);
    }
}

static void table_overflow__sticks_at_its_greatest_count(void **state) {
    (void)state;
    enum { MANY = 7 + 300 };
    FIXTURE(f);
    fixture_init(&f, 300);
    assert_int_equal(f.table.mask, 63);
    for (size_t i = 0; i < MANY; i++)
        assert_true(table_put(&f.table, item_at(&f, i, hash_of(i, 0))));
    assert_int_equal(overflow_of(&f, 0), 255);
    assert_int_equal(overflow_of(&f, 10), MANY - 11 * TABLE_SLOTS);
    assert_found(&f, 0, MANY);
    for (size_t i = MANY - 1; i >= 20; i--)
        table_remove(&f.table, &f.items[i]);
    assert_int_equal(overflow_of(&f, 0), 255); /* nobody knows how many there were */
    assert_int_equal(overflow_of(&f, 10), 0);
    assert_found(&f, 0, 20);
    item_at(&f, MANY, hash_of(1, 0));
    assert_null(find(&f, MANY));
}

/* ---- Replacing, and no memory --------------------------------------------------------------- */

static void table_replace__puts_another_item_in_the_same_place(void **state) {
    (void)state;
    FIXTURE(f);
    fixture_init(&f, 15);
    for (size_t i = 0; i < TABLE_SLOTS + 1; i++)
        assert_true(table_put(&f.table, item_at(&f, i, hash_of(5, 1))));
    for (size_t i = 0; i < TABLE_SLOTS + 1; i++) {
        struct cache_item *newer = item_at(&f, 100 + i, hash_of(5, 1));
        newer->key = f.items[i].key;
        table_replace(&f.table, &f.items[i], newer);
        assert_ptr_equal(find(&f, i), newer);
    }
    for (size_t i = 0; i < TABLE_SLOTS + 1; i++) {
        table_remove(&f.table, &f.items[100 + i]);
        assert_null(find(&f, i));
    }
    assert_empty(&f);
}

static void table_init__without_memory_leaves_nothing(void **state) {
    (void)state;
    struct table table;
    mem_fail_after(1);
    assert_int_equal(table_init(&table, 100), MNEME_NO_MEMORY);
    mem_fail_after(0);
    table_fini(&table);
    if (SANITIZED) /* which call it an error to ask for so much */
        return;
    assert_int_equal(table_init(&table, SIZE_MAX), MNEME_NO_MEMORY);
    table_fini(&table);
}

/* ---- Against a plain map -------------------------------------------------------------------- */

/* Random operations; most hashes collide in tag, bucket or both. */
static void table_random__is_as_a_plain_map(void **state) {
    (void)state;
    enum { KEYS = 40 };
    static const size_t entries[] = {1, 6, 15, 30};
    for (size_t round = 0; round < COUNT_OF(entries); round++) {
        FIXTURE(f);
        fixture_init(&f, entries[round]);
        struct random r = {round + 1};
        struct cache_item *map[KEYS] = {NULL};
        size_t count = 0, room = (f.table.mask + 1) * TABLE_SLOTS;
        for (size_t i = 0; i < 2 * KEYS; i++) { /* two items for every key */
            uint64_t hash = hash_of(i % KEYS % 3, i % KEYS * 7);
            item_at(&f, i, hash)->key = key_of(i % KEYS);
        }
        for (int step = 0; step < (SANITIZED ? 20000 : 100000); step++) {
            size_t k = random_below(&r, KEYS);
            struct cache_item *item = &f.items[k + (map[k] == &f.items[k] ? KEYS : 0)];
            if (map[k] && random_below(&r, 3) == 0) {
                table_replace(&f.table, map[k], item);
                map[k] = item;
            } else if (map[k]) {
                table_remove(&f.table, map[k]);
                map[k] = NULL;
                count--;
            } else if (table_put(&f.table, item)) {
                map[k] = item;
                count++;
            } else {
                assert_int_equal(count, room);
            }
            for (size_t i = 0; i < KEYS; i++)
                assert_ptr_equal(find(&f, i), map[i]);
        }
        for (size_t i = 0; i < KEYS; i++)
            if (map[i])
                table_remove(&f.table, map[i]);
        assert_empty(&f);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_find__finds_what_was_added_and_nothing_else),
        cmocka_unit_test(table_find__tells_keys_of_one_hash_apart),
        cmocka_unit_test(table_find__tells_keys_apart_that_differ_in_one_bit),
        cmocka_unit_test(table_find__is_right_for_every_pair_of_tags),
        cmocka_unit_test(table_add__goes_on_to_the_next_bucket_and_comes_back),
        cmocka_unit_test(table_add__counts_in_every_bucket_it_passes),
        cmocka_unit_test(table_add__of_a_full_table_says_no),
        cmocka_unit_test(table_overflow__sticks_at_its_greatest_count),
        cmocka_unit_test(table_replace__puts_another_item_in_the_same_place),
        cmocka_unit_test(table_init__without_memory_leaves_nothing),
        cmocka_unit_test(table_random__is_as_a_plain_map),
    };
    return cmocka_run_group_tests_name("cache/table", tests, NULL, NULL);
}
