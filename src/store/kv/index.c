/*
 * index.c - the index as a sorted set of keys, kept in blocks.
 *
 * A block is an LMDB entry: its key is the first key of the block, its value the tails (time or
 * place, form, id) of the others, in order. All keys of a block have one prefix. Blocks do not
 * overlap: the keys of one are less than the first key of the next.
 */
#include "store/kv/kv_impl.h"

enum { TAILS_MAX = (KV_BLOCK_KEYS - 1) * (8 + 1 + 16) };

/* ---- Blocks ------------------------------------------------------------------------------- */

static int block_read(MDB_val key, MDB_val value, struct index_block *block) {
    size_t prefix_size = kv_index_prefix_size(key.mv_data, key.mv_size);
    if (prefix_size == 0 || key.mv_size <= prefix_size || key.mv_size > KV_KEY_MAX)
        return MDB_CORRUPTED;
    struct kv_key *first = &block->keys[0];
    memcpy(first->data, key.mv_data, key.mv_size);
    first->size = (uint32_t)key.mv_size;
    block->count = 1;
    const uint8_t *at = value.mv_data;
    size_t left = value.mv_size;
    while (left) {
        size_t size = kv_index_tail_size(at, left);
        if (size == 0 || block->count == KV_BLOCK_KEYS)
            return MDB_CORRUPTED;
        struct kv_key *next = &block->keys[block->count++];
        memcpy(next->data, first->data, prefix_size);
        memcpy(next->data + prefix_size, at, size);
        next->size = (uint32_t)(prefix_size + size);
        at += size;
        left -= size;
    }
    return 0;
}

/* Write `count` keys, which share a prefix, as one block. */
static int block_write(MDB_cursor *cursor, const struct kv_key *keys, size_t count,
                       unsigned flags) {
    uint8_t tails[TAILS_MAX];
    size_t prefix_size = kv_index_prefix_size(keys[0].data, keys[0].size), size = 0;
    for (size_t i = 1; i < count; i++) {
        memcpy(tails + size, keys[i].data + prefix_size, keys[i].size - prefix_size);
        size += keys[i].size - prefix_size;
    }
    MDB_val key = kv_val(&keys[0]), value = {size, tails};
    return mdb_cursor_put(cursor, &key, &value, flags);
}

/* Read the block with the greatest first key not greater than `key`; MDB_NOTFOUND: there is none.
 * *at_end: there is no block behind it either. */
static int block_find(MDB_cursor *cursor, const struct kv_key *key, struct index_block *block,
                      bool *at_end) {
    MDB_val k = kv_val(key), value;
    int rc = mdb_cursor_get(cursor, &k, &value, MDB_SET_RANGE);
    *at_end = rc == MDB_NOTFOUND;
    if (rc == MDB_NOTFOUND)
        rc = mdb_cursor_get(cursor, &k, &value, MDB_LAST);
    else if (rc == 0 && (k.mv_size != key->size || memcmp(k.mv_data, key->data, k.mv_size) != 0))
        rc = mdb_cursor_get(cursor, &k, &value, MDB_PREV);
    return rc ? rc : block_read(k, value, block);
}

/* The first key of the block behind the one that begins with `first` (NULL: that would hold
 * `key`); MDB_NOTFOUND at the end. */
static int block_after(MDB_cursor *cursor, const struct kv_key *first, const struct kv_key *key,
                       struct kv_key *out) {
    MDB_val k = kv_val(first ? first : key), value;
    int rc = mdb_cursor_get(cursor, &k, &value, MDB_SET_RANGE);
    if (rc == 0 && first)
        rc = mdb_cursor_get(cursor, &k, &value, MDB_NEXT);
    if (rc)
        return rc;
    if (k.mv_size > KV_KEY_MAX)
        return MDB_CORRUPTED;
    memcpy(out->data, k.mv_data, k.mv_size);
    out->size = (uint32_t)k.mv_size;
    return 0;
}

static bool same_prefix(const struct kv_key *a, const struct kv_key *b) {
    size_t size = kv_index_prefix_size(a->data, a->size);
    return a->size >= size && b->size >= size && memcmp(a->data, b->data, size) == 0;
}

/* ---- Adding ------------------------------------------------------------------------------- */

/* Takes keys in order and writes a block whenever it holds `fill` of them. */
struct block_writer {
    MDB_cursor *cursor;
    unsigned flags;
    size_t fill;
    struct index_block block;
};

static int writer_flush(struct block_writer *w) {
    int rc = w->block.count ? block_write(w->cursor, w->block.keys, w->block.count, w->flags) : 0;
    w->block.count = 0;
    return rc;
}

static int writer_take(struct block_writer *w, const struct kv_key *key) {
    if (w->block.count && kv_key_compare(&w->block.keys[w->block.count - 1], key) == 0)
        return 0;
    int rc = w->block.count == w->fill ? writer_flush(w) : 0;
    w->block.keys[w->block.count++] = *key;
    return rc;
}

/* Keys that come behind a block leave full blocks; ones that come into the middle leave even
 * ones, with room for those that are likely to follow. */
static size_t choose_fill(const struct index_block *old, const struct kv_key *first, size_t count) {
    bool behind = old->count == 0 || kv_key_compare(&old->keys[old->count - 1], first) < 0;
    size_t total = old->count + count;
    size_t blocks = (total + KV_BLOCK_KEYS - 1) / KV_BLOCK_KEYS;
    return behind ? KV_BLOCK_KEYS : (total + blocks - 1) / blocks;
}

/* Merge `count` new keys with those of a block, and write what comes of it. */
static int merge(struct block_writer *w, const struct index_block *old,
                 const struct index_entry *entries, size_t count) {
    size_t i = 0, j = 0;
    int rc = 0;
    while (rc == 0 && (i < old->count || j < count)) {
        bool take_old =
            j == count || (i < old->count && kv_key_compare(&old->keys[i], entries[j].key) <= 0);
        rc = writer_take(w, take_old ? &old->keys[i++] : entries[j++].key);
    }
    return rc ? rc : writer_flush(w);
}

/* Add the keys at the front that go into, or behind, one block; *done: how many these are. */
static int add_run(MDB_cursor *cursor, const struct index_entry *entries, size_t count,
                   size_t *done) {
    const struct kv_key *front = entries[0].key;
    struct index_block old;
    struct kv_key limit;
    bool at_end;
    int rc = block_find(cursor, front, &old, &at_end);
    if (rc && rc != MDB_NOTFOUND)
        return rc;
    bool mine = rc == 0 && same_prefix(&old.keys[0], front);
    if (!mine)
        old.count = 0;
    rc = at_end ? MDB_NOTFOUND : block_after(cursor, mine ? &old.keys[0] : NULL, front, &limit);
    if (rc && rc != MDB_NOTFOUND)
        return rc;
    bool limited = rc == 0;
    size_t n = 1;
    while (n < count && same_prefix(entries[n].key, front) &&
           !(limited && kv_key_compare(entries[n].key, &limit) >= 0))
        n++;
    *done = n;
    /* Behind the last key of the table LMDB fills pages to the brim when it is told so. */
    struct block_writer w;
    w.cursor = cursor;
    w.flags = at_end && !mine ? MDB_APPEND : 0;
    w.fill = choose_fill(&old, front, n);
    w.block.count = 0;
    return merge(&w, &old, entries, n);
}

int index_add_sorted(MDB_txn *txn, MDB_dbi table, const struct index_entry *entries, size_t count) {
    MDB_cursor *cursor = NULL;
    int rc = mdb_cursor_open(txn, table, &cursor);
    if (rc)
        return rc;
    for (size_t done = 0; rc == 0 && count; entries += done, count -= done)
        rc = add_run(cursor, entries, count, &done);
    mdb_cursor_close(cursor);
    return rc;
}

/* ---- Removing ----------------------------------------------------------------------------- */

static int remove_from(MDB_cursor *cursor, const struct kv_key *key) {
    struct index_block block;
    bool at_end;
    int rc = block_find(cursor, key, &block, &at_end);
    if (rc)
        return rc;
    size_t i = 0;
    while (i < block.count && kv_key_compare(&block.keys[i], key) != 0)
        i++;
    if (i == block.count)
        return MDB_NOTFOUND;
    if (i == 0) /* the entry's key goes, and with it the entry; the cursor stands on it */
        rc = mdb_cursor_del(cursor, 0);
    block.count--;
    memmove(&block.keys[i], &block.keys[i + 1], (block.count - i) * sizeof block.keys[0]);
    return rc || block.count == 0 ? rc : block_write(cursor, block.keys, block.count, 0);
}

int index_remove(MDB_txn *txn, MDB_dbi table, const struct kv_key *key) {
    MDB_cursor *cursor = NULL;
    int rc = mdb_cursor_open(txn, table, &cursor);
    if (rc)
        return rc;
    rc = remove_from(cursor, key);
    mdb_cursor_close(cursor);
    return rc;
}

/* ---- Walking ------------------------------------------------------------------------------ */

int index_open(struct index_walk *walk, MDB_txn *txn, MDB_dbi table) {
    return mdb_cursor_open(txn, table, &walk->cursor);
}

void index_close(struct index_walk *walk) {
    if (walk->cursor)
        mdb_cursor_close(walk->cursor);
    walk->cursor = NULL;
}

/* Go to the block that `how` says, and stand on its first or last key. */
static int walk_to(struct index_walk *walk, MDB_cursor_op how, bool last) {
    MDB_val key, value;
    int rc = mdb_cursor_get(walk->cursor, &key, &value, how);
    if (rc == 0)
        rc = block_read(key, value, &walk->block);
    walk->at = last ? walk->block.count - 1 : 0;
    return rc;
}

/* In a damaged page LMDB may go round for ever (see check.c): keys that do not go on in their
 * order end a walk. */
int index_next(struct index_walk *walk) {
    if (++walk->at < walk->block.count)
        return 0;
    struct kv_key last = walk->block.keys[walk->block.count - 1];
    int rc = walk_to(walk, MDB_NEXT, false);
    return rc == 0 && kv_key_compare(&last, index_key(walk)) >= 0 ? MDB_CORRUPTED : rc;
}

int index_previous(struct index_walk *walk) {
    if (walk->at > 0) {
        walk->at--;
        return 0;
    }
    struct kv_key first = walk->block.keys[0];
    int rc = walk_to(walk, MDB_PREV, true);
    return rc == 0 && kv_key_compare(&first, index_key(walk)) <= 0 ? MDB_CORRUPTED : rc;
}

int index_seek(struct index_walk *walk, const struct kv_key *key) {
    bool at_end;
    int rc = block_find(walk->cursor, key, &walk->block, &at_end);
    if (rc == MDB_NOTFOUND)
        return walk_to(walk, MDB_FIRST, false);
    walk->at = 0;
    while (rc == 0 && kv_key_compare(index_key(walk), key) < 0)
        rc = index_next(walk);
    return rc;
}

int index_seek_before(struct index_walk *walk, const struct kv_key *key) {
    int rc = index_seek(walk, key);
    return rc == MDB_NOTFOUND ? walk_to(walk, MDB_LAST, true) : rc ? rc : index_previous(walk);
}
