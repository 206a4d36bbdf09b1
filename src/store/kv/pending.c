/*
 * pending.c - index keys that wait to go in sorted.
 */
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

static int key_order(const void *a, const void *b) { return kv_key_compare(a, b); }

int pending_flush(struct pending *pending, MDB_txn *txn, MDB_dbi table) {
    if (pending->count == 0)
        return 0;
    qsort(pending->keys, pending->count, sizeof *pending->keys, key_order);
    int rc = index_add_sorted(txn, table, pending->keys, pending->count);
    pending_reset(pending);
    return rc;
}
