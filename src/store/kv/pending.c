/*
 * pending.c - index keys that wait to go in sorted.
 */
#include <errno.h>
#include <stdlib.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "store/kv/kv_impl.h"

enum { SEEN_BITS = 1024 * 64 };

void pending_fini(struct pending *pending) {
    mem_free(pending->keys);
    pending->keys = NULL;
    pending->count = pending->capacity = 0;
}

void pending_reset(struct pending *pending) {
    if (pending->count)
        memset(pending->seen, 0, sizeof pending->seen);
    pending->count = 0;
}

static uint64_t prefix_hash(const uint8_t *data, size_t size) { return XXH3_64bits(data, size); }

int pending_add(struct pending *pending, const struct kv_key *key, size_t prefix_size) {
    if (pending->count == pending->capacity) {
        size_t capacity = pending->capacity ? pending->capacity * 2 : 64;
        struct kv_key *grown = mem_resize(pending->keys, capacity * sizeof *grown);
        if (!grown)
            return MNEME_NO_MEMORY;
        pending->keys = grown;
        pending->capacity = capacity;
    }
    pending->keys[pending->count++] = *key;
    uint64_t hash = prefix_hash(key->data, prefix_size);
    uint64_t first = hash % SEEN_BITS, second = (hash >> 32) % SEEN_BITS;
    pending->seen[first / 64] |= UINT64_C(1) << first % 64;
    pending->seen[second / 64] |= UINT64_C(1) << second % 64;
    return 0;
}

bool pending_maybe(const struct pending *pending, const struct kv_key *prefix) {
    if (pending->count == 0)
        return false;
    uint64_t hash = prefix_hash(prefix->data, prefix->size);
    uint64_t first = hash % SEEN_BITS, second = (hash >> 32) % SEEN_BITS;
    return pending->seen[first / 64] >> first % 64 & 1 &&
           pending->seen[second / 64] >> second % 64 & 1;
}

/* ---- Sorting ------------------------------------------------------------------------------- */

static int entry_order(const void *left, const void *right) {
    const struct index_entry *a = left, *b = right;
    for (size_t i = 0; i < COUNT_OF(a->head); i++)
        if (a->head[i] != b->head[i])
            return a->head[i] < b->head[i] ? -1 : 1;
    return kv_key_compare(a->key, b->key);
}

/* Byte `at` of a key, one of the first 16. */
static uint8_t entry_byte(const struct index_entry *entry, size_t at) {
    return (uint8_t)(entry->head[at / 8] >> (56 - at % 8 * 8));
}

/* Into the order of one byte, entries of the same one staying in theirs. */
static void order_by_byte(const struct index_entry *from, struct index_entry *to, size_t count,
                          size_t byte) {
    size_t starts[256] = {0}, at = 0;
    for (size_t i = 0; i < count; i++)
        starts[entry_byte(&from[i], byte)]++;
    for (size_t i = 0; i < COUNT_OF(starts); i++) {
        size_t many = starts[i];
        starts[i] = at;
        at += many;
    }
    for (size_t i = 0; i < count; i++)
        to[starts[entry_byte(&from[i], byte)]++] = from[i];
}

/* By the bytes of `head`, from the last to the first. `spare`: room for as many. Returns the one of
 * both that has them in order. */
static struct index_entry *order_by_head(struct index_entry *entries, struct index_entry *spare,
                                         size_t count) {
    struct index_entry differs = {.key = NULL}; /* a byte that is 0 is the same in all */
    for (size_t i = 1; i < count; i++) {
        differs.head[0] |= entries[i].head[0] ^ entries[0].head[0];
        differs.head[1] |= entries[i].head[1] ^ entries[0].head[1];
    }
    for (size_t byte = sizeof differs.head; byte-- > 0;) {
        if (entry_byte(&differs, byte) == 0)
            continue;
        order_by_byte(entries, spare, count, byte);
        struct index_entry *ordered = spare;
        spare = entries;
        entries = ordered;
    }
    return entries;
}

/*
 * Few are compared. Many, as a page of sync or an import brings, go byte by byte: a comparison of
 * keys that come in no order is a branch that nobody can predict. What then has the same head
 * (children of one parent) is compared. `spare`, and what is returned: as above.
 */
static struct index_entry *sort(struct index_entry *entries, struct index_entry *spare,
                                size_t count) {
    enum { MANY = 200 };
    if (count < MANY) {
        qsort(entries, count, sizeof *entries, entry_order);
        return entries;
    }
    entries = order_by_head(entries, spare, count);
    for (size_t i = 0, end; i < count; i = end) {
        for (end = i + 1; end < count; end++)
            if (memcmp(entries[end].head, entries[i].head, sizeof entries->head) != 0)
                break;
        if (end - i > 1)
            qsort(entries + i, end - i, sizeof *entries, entry_order);
    }
    return entries;
}

int pending_flush(struct pending *pending, MDB_txn *txn, MDB_dbi table) {
    size_t count = pending->count;
    if (count == 0)
        return 0;
    AUTO_FREE struct index_entry *entries = mem_alloc(2 * count * sizeof *entries);
    if (!entries)
        return ENOMEM;
    for (size_t i = 0; i < count; i++) {
        const struct kv_key *key = &pending->keys[i];
        entries[i] = (struct index_entry){{get_be64(key->data), get_be64(key->data + 8)}, key};
    }
    int rc = index_add_sorted(txn, table, sort(entries, entries + count, count), count);
    pending_reset(pending);
    return rc;
}
