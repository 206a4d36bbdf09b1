/*
 * kv_impl.h - inside the LMDB store: the environment, the keys, the record format.
 *
 * docs/format.md describes the file, README.md of this folder has the reasons. Invariants, named in
 * the code:
 *  (1) A record (kind, id) has chunk 0 if and only if it exists; chunks 1…n-1 if its blob needs n.
 *  (2) Every live record has one time entry, and one attribute entry for each attribute.
 *  (3) Every record with a parent, tombstones included, has one child entry.
 *  (4) Every record has exactly one entry in `changes`, at its change number.
 *  (5) The counters in `state` equal what a walk over the records counts.
 *  (6) A name has at most one of the marks clean, base and gone. Clean and base are of records or
 *      tombstones, gone is of what is not there, held of either. Without sharing there is no mark.
 * kv_store_check recomputes all six.
 */
#ifndef MNEME_KV_IMPL_H
#define MNEME_KV_IMPL_H

#include <lmdb.h>
#include <stdatomic.h>

#include "os/os.h"
#include "store/kv.h"
#include "store/place.h"
#include "store/store_impl.h"

enum {
    KV_FORMAT = 2,  /* of the file; a greater one is refused, a lesser one raised (upgrade.c) */
    KV_CHUNK = 651, /* bytes of a blob in one value: six of them fill a page */
    KV_BLOB_MAX = STORE_BODY_MAX + (8 << 20), /* body, header and attributes */
    KV_READERS = 1024,
    KV_SCAN_SLICE = 4096, /* index entries looked at in one read transaction */
    KV_TABLES_MAX = 8,    /* named ones that LMDB makes room for */
    KV_KEY_MAX = 44 /* of an index key, 18 + 25 bytes, and one behind it to seek by */
};

/* ---- Environment (env.c) ------------------------------------------------------------------ */

/*
 * One per file and process, shared by its handles. `gate` is held for reading around every
 * transaction, and for writing to resize the map or reopen, when no transaction may be running.
 */
struct kv_env {
    MDB_env *mdb;                          /* NULL after a reopen that failed; gate */
    MDB_dbi records, index, changes, main; /* gate */
    struct kv_mark_tables {
        MDB_dbi clean, base, gone, held;
    } marks;         /* gate; with format 2 */
    uint32_t format; /* of the file when it was opened; gate */
    struct shared_lock gate;
    struct lock turn; /* see turn.c */
    struct lock pool_lock;
    MDB_txn *pool[16]; /* reset read transactions, ready to renew; pool_lock */
    size_t pooled;     /* pool_lock */
    char *path;
    uint64_t device_number, inode; /* of the file */
    unsigned generation;           /* process_generation() of the opener */
    unsigned handles;              /* registry lock */
    struct kv_env *next;           /* registry lock */
    bool no_write;                 /* the file could only be opened for reading */
    uint64_t device;               /* device id of versions given here */
    uint64_t map_bytes;            /* gate */
    uint64_t max_stale_bytes;
    const atomic_uint_fast64_t *moment; /* see store_moment; NULL: none */
    uint8_t *lock_map;                  /* NULL: none */
    int lock_fd;                        /* -1: none */
    uint64_t stale_checked_pages;       /* last page when stale readers were last looked for; txn */
    int64_t readers_checked_us; /* txn: only the holder of the write transaction touches it */
    bool stale;                 /* the last look found too much pinned; txn */
};

struct kv_store {
    struct store base;
    struct kv_env *env;
    bool read_only;
    int64_t clock_skew_us;
};

int kv_env_open(const char *path, const struct kv_options *options, struct kv_env **out,
                mneme_error *error);
void kv_env_close(struct kv_env *env);
/* Raise a file of an older format to KV_FORMAT (upgrade.c). Nobody may be opening the file. */
int kv_env_upgrade(struct kv_env *env, mneme_error *error);
/* Open, or make, the tables of marks: with `flags` of mdb_dbi_open. LMDB's code. */
int kv_open_marks(MDB_txn *txn, unsigned flags, struct kv_mark_tables *out);

/* Begin a transaction, after clearing dead readers where their slots are needed. LMDB's code. */
int kv_env_begin(struct kv_env *env, unsigned flags, MDB_txn **txn);
/* Close and open again; the gate is held for writing. */
int kv_env_reopen(struct kv_env *env, mneme_error *error);
/* Give the map another size (0: the one that another process has set). Takes the gate for
 * writing; LMDB's code. */
int kv_env_resize(struct kv_env *env, uint64_t bytes);
/* The error of a store whose file is no longer the one at its path. */
int kv_env_gone(const struct kv_env *env, mneme_error *error);

/* Find the number of the last commit (moment.c); close only behind mdb_env_close. */
void kv_moment_open(struct kv_env *env);
void kv_moment_close(struct kv_env *env);

/* The one border for LMDB's codes (negative ones, or errno values). */
int kv_fail(mneme_error *error, int lmdb_code, const char *doing);

/* ---- Transactions (txn.c) ------------------------------------------------------------------ */

/* A read transaction: begin takes the gate, end gives it back. */
int kv_read_begin(struct kv_env *env, MDB_txn **txn, mneme_error *error);
void kv_read_end(struct kv_env *env, MDB_txn *txn);

/* A write transaction. Both ends take it; commit returns LMDB's code. After a failure, of a put
 * or of the commit, and the end of the transaction, kv_write_recover gets the environment into
 * working order, and tells whether to try the whole transaction again. */
int kv_write_begin(struct kv_env *env, MDB_txn **txn, mneme_error *error);
void kv_write_abort(struct kv_env *env, MDB_txn *txn);
int kv_write_commit(struct kv_env *env, MDB_txn *txn);
bool kv_write_recover(struct kv_env *env, int lmdb_code, mneme_error *error);

/* Wait for the turn to write, among threads and processes (turn.c); the gate is held. */
void kv_turn_take(struct kv_env *env);
void kv_turn_give(struct kv_env *env);

/* ---- Readers (readers.c) ------------------------------------------------------------------- */

/* Clear dead readers now and then, and refuse to write while a live one pins too much. Within a
 * write transaction. */
int kv_readers_check(struct kv_env *env, mneme_error *error);
/* How many commits ago the oldest read began that is under way, in any process. */
uint64_t kv_oldest_reader(struct kv_env *env);

/* ---- Before opening (preflight.c, make.c) ------------------------------------------------- */

/* Read every value of every table, so that a missing page shows. LMDB's code. */
int kv_walk_pages(MDB_txn *txn);

/* Make a new store at the path; no error when somebody else was first. */
int kv_make(const char *path, mneme_error *error);

/* Look at the file without LMDB: plain file, LMDB's magic, not truncated. */
int kv_preflight(const char *path, const struct path_info *info, mneme_error *error);

/* ---- Format (format.c) -------------------------------------------------------------------- */

struct kv_key {
    uint8_t data[KV_KEY_MAX];
    uint32_t size;
};
static inline MDB_val kv_val(const struct kv_key *key) {
    return (MDB_val){key->size, (void *)(uintptr_t)key->data};
}

/* The id comes first: new records of all kinds then lie at the end of the table, where pages are
 * filled to the brim. */
struct kv_key kv_record_key(mneme_kind kind, const mneme_id *id, size_t chunk);
bool kv_record_parse(MDB_val key, mneme_kind *kind, mneme_id *id, bool *first_chunk);
struct kv_key kv_time_prefix(mneme_kind kind);
struct kv_key kv_attribute_prefix(mneme_kind kind, const struct attribute *attribute);
struct kv_key kv_child_prefix(const mneme_id *parent, mneme_kind kind);
struct kv_key kv_change_key(uint64_t change);
/* An index key: a prefix, the sort key (time or place) and the id. */
struct kv_key kv_index_key(struct kv_key prefix, int64_t sort, const mneme_id *id);
/* MDB_CORRUPTED: longer than any key of ours. */
static inline int kv_key_from(MDB_val from, struct kv_key *out) {
    if (from.mv_size >= sizeof out->data)
        return MDB_CORRUPTED;
    memcpy(out->data, from.mv_data, from.mv_size);
    out->size = (uint32_t)from.mv_size;
    return 0;
}
static inline bool kv_has_prefix(const struct kv_key *key, const struct kv_key *prefix) {
    return key->size >= prefix->size && memcmp(key->data, prefix->data, prefix->size) == 0;
}
static inline int kv_key_compare(const struct kv_key *a, const struct kv_key *b) {
    return slice_compare(slice_of(a->data, a->size), slice_of(b->data, b->size));
}
/* The bytes of an index key that say what it indexes; 0: it is no index key. */
size_t kv_index_prefix_size(const uint8_t *key, size_t size);
/* The bytes of the rest of one (time or place, form, id), from its first ones; 0: damaged. */
size_t kv_index_tail_size(const uint8_t *tail, size_t size);
/* The sort key and id at the end of an index key. */
bool kv_index_parse(const struct kv_key *key, size_t prefix_size, int64_t *sort, mneme_id *id);

/* Append the blob of a record: checksum, header, body. `home` is the device left out. */
int kv_blob_write(struct buf *out, const struct stored_record *record, uint64_t home,
                  mneme_error *error);
/* The whole size of a blob, from its first chunk; 0 when that is damaged. */
size_t kv_blob_size(MDB_val first_chunk);
/* The flags of a blob, from its first chunk, unverified; 0 when that is damaged. */
uint32_t kv_blob_flags(MDB_val first_chunk);
/* Parse and verify a whole blob. Slices point into it, attributes into `arena`. */
int kv_blob_read(struct slice blob, mneme_kind kind, const mneme_id *id, uint64_t home,
                 struct arena *arena, struct stored_record *out, mneme_error *error);

/* What the store knows of itself: changed by every commit. */
struct kv_state {
    uint64_t last_change;
    uint64_t last_clock;
    struct kind_stats kinds[MNEME_KIND_COUNT];
    bool sharing; /* see shared.h */
    uint64_t fence;
};
struct kv_identity {
    uint32_t format;
    uint64_t device;
};
int kv_state_get(MDB_txn *txn, MDB_dbi main, struct kv_state *out, mneme_error *error);
int kv_state_put(MDB_txn *txn, MDB_dbi main, const struct kv_state *state);
/* MNEME_NEWER_FORMAT; MNEME_CORRUPT: damaged, or not a store. */
int kv_identity_get(MDB_txn *txn, MDB_dbi main, struct kv_identity *out, mneme_error *error);
/* With KV_FORMAT. */
int kv_identity_put(MDB_txn *txn, MDB_dbi main, uint64_t device);
/* The state of who syncs; it points into the map; empty: there is none. */
int kv_shared_get(MDB_txn *txn, MDB_dbi main, struct slice *out, mneme_error *error);
int kv_shared_put(MDB_txn *txn, MDB_dbi main, struct slice state);

/* ---- Marks (marks.c) ---------------------------------------------------------------------- */

/* What is marked of a name, or what one entry of a table of marks says. Slices point into the map.
 */
struct kv_mark {
    enum mark mark; /* NONE, CLEAN, BASE, GONE */
    uint64_t at;
    struct slice base; /* of BASE: its blob; of GONE: the id of the parent */
    bool held;
    struct slice reason; /* of held */
};
/* `key`: as of a record. LMDB's code. */
int kv_mark_get(struct kv_env *env, MDB_txn *txn, const struct kv_key *key, struct kv_mark *out);
/* An entry of the table of `mark` (CLEAN, BASE, GONE or HELD). False: it is damaged. */
bool kv_mark_parse(enum mark mark, MDB_val value, struct kv_mark *out);
MDB_dbi kv_mark_table(const struct kv_env *env, enum mark mark);
/* A base, copied into the arena. */
int kv_base_load(struct kv_env *env, const struct record_name *name, struct slice base,
                 struct arena *arena, struct stored_record *out, mneme_error *error);
/* False also when that cannot be told. */
bool kv_table_is_empty(MDB_txn *txn, MDB_dbi table);
extern const struct shared_operations kv_shared_operations; /* shared.c */

/* ---- The index (index.c) ------------------------------------------------------------------ */

/*
 * The index is a sorted set of keys (kv_index_key). In LMDB they lie in blocks: one value holds up
 * to KV_BLOCK_KEYS neighbours of one prefix, its key is the first of them. That takes a third of
 * the bytes that an LMDB entry a key would, and pages split well. All calls return LMDB's code.
 */
enum { KV_BLOCK_KEYS = 16 };
struct index_block {
    struct kv_key keys[KV_BLOCK_KEYS];
    size_t count;
};

/* A key to be added, and its first 16 bytes as numbers: they order nearly all. */
struct index_entry {
    uint64_t head[2];
    const struct kv_key *key;
};
/* Add keys, in ascending order; those that are there already are passed over. */
int index_add_sorted(MDB_txn *txn, MDB_dbi table, const struct index_entry *entries, size_t count);
/* MDB_NOTFOUND: it is not there. */
int index_remove(MDB_txn *txn, MDB_dbi table, const struct kv_key *key);

/* A walk over single keys. After a code other than 0 only seek and close are allowed. */
struct index_walk {
    MDB_cursor *cursor;
    struct index_block block;
    size_t at; /* in the block */
};
int index_open(struct index_walk *walk, MDB_txn *txn, MDB_dbi table);
void index_close(struct index_walk *walk); /* tolerant of {0} */
/* Stand on the first key not less than `key`, or the last one less than it. */
int index_seek(struct index_walk *walk, const struct kv_key *key);
int index_seek_before(struct index_walk *walk, const struct kv_key *key);
int index_next(struct index_walk *walk);
int index_previous(struct index_walk *walk);
static inline const struct kv_key *index_key(const struct index_walk *walk) {
    return &walk->block.keys[walk->at];
}

/* ---- Index keys to be added (pending.c) ---------------------------------------------------- */

/*
 * Keys that a transaction will add, gathered so that they go in sorted: neighbours share a block,
 * and the tree is walked in order. Who looks the index up, or removes from it, flushes first;
 * `maybe` spares that look when nothing of a prefix is pending.
 */
struct pending {
    struct kv_key *keys;
    size_t count, capacity;
    uint64_t seen[1024]; /* a Bloom filter of prefixes, with two hashes */
};
void pending_fini(struct pending *pending);
void pending_reset(struct pending *pending);
/* `prefix_size`: of the part that lookups go by. MNEME_NO_MEMORY. */
int pending_add(struct pending *pending, const struct kv_key *key, size_t prefix_size);
bool pending_maybe(const struct pending *pending, const struct kv_key *prefix);
/* Put them all into `table` and forget them; LMDB's code. */
int pending_flush(struct pending *pending, MDB_txn *txn, MDB_dbi table);

/* ---- Reading (read.c, query.c) and writing (write.c) ----------------------------------------- */

/* Load a record within a transaction. False in *found when there is none. */
int kv_load(struct kv_env *env, MDB_txn *txn, mneme_kind kind, const mneme_id *id,
            struct arena *arena, struct stored_record *out, bool *found, mneme_error *error);

/* The greatest place among a parent's records of a kind, tombstones too; 0: it has none. How many
 * live ones there are, and their greatest place. Whether a live record of the kind has the
 * attribute. (lookup.c) */
int kv_last_place(struct kv_env *env, MDB_txn *txn, const mneme_id *parent, mneme_kind kind,
                  uint64_t *place, mneme_error *error);
int kv_children(struct kv_env *env, MDB_txn *txn, const mneme_id *parent, mneme_kind kind,
                uint64_t *count, uint64_t *last_place, mneme_error *error);
int kv_attribute_exists(struct kv_env *env, MDB_txn *txn, mneme_kind kind,
                        const struct attribute *attribute, bool *exists, mneme_error *error);

int kv_get(struct store *store, const struct record_name *names, size_t count,
           struct record_set *out, size_t *found, mneme_error *error);
int kv_query(struct store *store, const struct store_query *query, struct record_set *out,
             bool *more, mneme_error *error);
int kv_changes(struct store *store, uint64_t since, size_t limit, bool without_bodies,
               struct record_set *out, mneme_error *error);
int kv_apply(struct store *store, struct batch *const *batches, size_t count);

static inline struct kv_store *kv_of(struct store *store) {
    return (struct kv_store *)(void *)store;
}

#endif
