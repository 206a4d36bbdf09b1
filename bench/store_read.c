/*
 * store_read.c - reading records that lie in memory, against the least that must be done: an LMDB
 * transaction, a get for each chunk, and one call to zstd.
 */
#include "bench/generate.h"
#include "bench/reference_lmdb.h"
#include "bench/reference_zstd.h"
#include "bench/store_cases.h"
#include "store/kv/kv_impl.h"

/* Where a record's compressed bytes lie in its blob; found out before anything is measured. */
struct bare_record {
    struct kv_key keys[32];
    size_t key_count;
    size_t frame_at, frame_size; /* within the blob */
    size_t plain_size;
};

struct reads {
    struct kit *kit;
    struct scratch_path path, copy;
    mneme *m;
    mneme_id *ids; /* in the order in which they are read */
    size_t count, passes;
    struct lmdb_file file; /* the copy */
    MDB_txn *txn;
    struct zstd_reference zstd;
    struct bare_record *bare;
    uint8_t *blob, *plain; /* large enough for each */
};

static double per_read(const struct reads *r, double seconds) {
    return seconds * 1e6 / (double)(r->count * r->passes);
}

static int run_acquire(void *context, double *value, mneme_error *error) {
    struct reads *r = context;
    double start = seconds_now();
    for (size_t i = 0; i < r->count * r->passes; i++) {
        const mneme_record *record;
        TRY(mneme_acquire(r->m, MNEME_EPISODE, &r->ids[i % r->count], &record, error));
        mneme_release(r->m, record);
    }
    *value = per_read(r, seconds_now() - start);
    return 0;
}

/* Without decoding: the plain body, as a cache or a sync would want it. */
static int run_get(void *context, double *value, mneme_error *error) {
    struct reads *r = context;
    double start = seconds_now();
    for (size_t i = 0; i < r->count * r->passes; i++) {
        AUTO_RECORDS struct record_set set = {0};
        struct slice plain;
        TRY(store_get_one(r->m->store, MNEME_EPISODE, &r->ids[i % r->count], &set, error));
        TRY(unpack(r->m->packer, set.records[0].body, dictionaries_find, r->m, &set.arena, &plain,
                   error));
    }
    *value = per_read(r, seconds_now() - start);
    return 0;
}

static int read_bare(struct reads *r, const struct bare_record *bare, mneme_error *error) {
    size_t size = 0;
    int rc = mdb_txn_renew(r->txn);
    for (size_t i = 0; i < bare->key_count && rc == 0; i++) {
        MDB_val key = kv_val(&bare->keys[i]), value;
        rc = mdb_get(r->txn, r->file.tables[LMDB_RECORDS], &key, &value);
        if (rc == 0) {
            memcpy(r->blob + size, value.mv_data, value.mv_size);
            size += value.mv_size;
        }
    }
    mdb_txn_reset(r->txn);
    if (rc)
        return lmdb_fail(error, rc, "LMDB cannot get");
    return zstd_reference_decompress(&r->zstd, slice_of(r->blob + bare->frame_at, bare->frame_size),
                                     r->plain, bare->plain_size, error);
}

static int run_bare(void *context, double *value, mneme_error *error) {
    struct reads *r = context;
    double start = seconds_now();
    for (size_t i = 0; i < r->count * r->passes; i++)
        TRY(read_bare(r, &r->bare[i % r->count], error));
    *value = per_read(r, seconds_now() - start);
    return 0;
}

/* ---- Setting up --------------------------------------------------------------------------- */

static int put_all(struct reads *r, const struct record_list *records, mneme_error *error) {
    for (size_t i = 0; i < records->count; i++)
        TRY(mneme_put(r->m, records->items[i], 1, NULL, NULL, error));
    return 0;
}

/* The ids of the fresh episodes, in an order that has nothing to do with where they lie. */
static int choose_ids(struct reads *r, struct arena *arena, mneme_error *error) {
    const struct record_list *fresh = &r->kit->corpus.fresh;
    r->count = fresh->count;
    r->ids = arena_zalloc(arena, r->count, sizeof *r->ids);
    r->bare = arena_zalloc(arena, r->count, sizeof *r->bare);
    if (!r->ids || !r->bare)
        return error_set(error, MNEME_NO_MEMORY, "no memory for %zu records", r->count);
    for (size_t i = 0; i < r->count; i++)
        r->ids[i] = fresh->items[i]->id;
    for (size_t i = r->count; i > 1; i--) {
        size_t other = (size_t)(mix(1, i) % i);
        mneme_id id = r->ids[i - 1];
        r->ids[i - 1] = r->ids[other];
        r->ids[other] = id;
    }
    return 0;
}

static size_t varint_size(uint64_t value) {
    size_t size = 1;
    while (value >>= 7)
        size++;
    return size;
}

/* Body: algorithm, plain size, four bytes of the dictionary's name, frame. */
static int find_frame(struct reads *r, const mneme_id *id, struct bare_record *bare,
                      size_t *blob_size, mneme_error *error) {
    AUTO_RECORDS struct record_set set = {0};
    TRY(store_get_one(r->m->store, MNEME_EPISODE, id, &set, error));
    struct slice body = set.records[0].body;
    TRY(packed_plain_size(body, &bare->plain_size, error));
    bool with_dictionary = body.data[0] == PACK_ZSTD_DICTIONARY;
    if (!with_dictionary && body.data[0] != PACK_ZSTD)
        return error_set(error, MNEME_UNSUPPORTED, "a record to be read is not compressed");
    size_t head = 1 + varint_size(bare->plain_size) + (with_dictionary ? PACK_REF_SIZE : 0);
    bare->frame_size = body.size - head;
    AUTO_BUF struct buf blob = BUF_INIT(KV_BLOB_MAX);
    TRY(kv_blob_write(&blob, &set.records[0], set.records[0].version.device, error));
    *blob_size = blob.size;
    bare->frame_at = blob.size - bare->frame_size;
    bare->key_count = (blob.size + KV_CHUNK - 1) / KV_CHUNK;
    if (bare->key_count > COUNT_OF(bare->keys))
        return error_set(error, MNEME_TOO_LARGE, "a record to be read is too large");
    for (size_t i = 0; i < bare->key_count; i++)
        bare->keys[i] = kv_record_key(MNEME_EPISODE, id, i);
    return 0;
}

static int find_frames(struct reads *r, struct arena *arena, mneme_error *error) {
    size_t largest_blob = 0, largest_plain = 0, blob = 0;
    for (size_t i = 0; i < r->count; i++) {
        TRY(find_frame(r, &r->ids[i], &r->bare[i], &blob, error));
        largest_blob = size_max(largest_blob, blob);
        largest_plain = size_max(largest_plain, r->bare[i].plain_size);
    }
    r->blob = arena_alloc(arena, largest_blob);
    r->plain = arena_alloc(arena, largest_plain);
    return r->blob && r->plain ? 0 : error_set(error, MNEME_NO_MEMORY, "no memory for a record");
}

/* LMDB must not have one file open twice in a process, so the reference reads a copy. */
static int open_copy(struct reads *r, mneme_error *error) {
    TRY(scratch_copy_file(&r->path, &r->copy, error));
    TRY(lmdb_file_open(&r->file, &r->copy, error));
    int rc = mdb_txn_begin(r->file.env, NULL, MDB_RDONLY, &r->txn);
    if (rc)
        return lmdb_fail(error, rc, "LMDB cannot read");
    mdb_txn_reset(r->txn);
    struct dictionary *dictionary = kit_dictionary(r->kit, MNEME_EPISODE);
    struct slice bytes = dictionary ? dictionary_bytes(dictionary) : (struct slice){0};
    int status = zstd_reference_init(&r->zstd, bytes, 3, error);
    dictionary_drop(dictionary);
    return status;
}

/* What the reference reads must be what the store reads. */
static int check_bare(struct reads *r, mneme_error *error) {
    for (size_t i = 0; i < r->count; i++) {
        AUTO_RECORDS struct record_set set = {0};
        struct slice plain;
        TRY(store_get_one(r->m->store, MNEME_EPISODE, &r->ids[i], &set, error));
        TRY(unpack(r->m->packer, set.records[0].body, dictionaries_find, r->m, &set.arena, &plain,
                   error));
        TRY(read_bare(r, &r->bare[i], error));
        if (!slice_equal(plain, slice_of(r->plain, r->bare[i].plain_size)))
            return error_set(error, MNEME_FAILURE, "the reference reads another record");
    }
    return 0;
}

static int reads_init(struct reads *r, struct arena *arena, mneme_error *error) {
    TRY(kit_open_uncached(r->kit, &r->path, &r->m, error));
    TRY(put_all(r, &r->kit->corpus.trained, error));
    TRY(put_all(r, &r->kit->corpus.fresh, error));
    TRY(choose_ids(r, arena, error));
    TRY(find_frames(r, arena, error));
    TRY(open_copy(r, error));
    return check_bare(r, error);
}

static void reads_fini(struct reads *r) {
    mdb_txn_abort(r->txn);
    lmdb_file_close(&r->file);
    zstd_reference_fini(&r->zstd);
    (void)mneme_close(r->m, NULL);
}

int store_reads(struct kit *kit, mneme_error *error) {
    AUTO_ARENA struct arena arena = {0};
    CLEANUP(reads_fini)
    struct reads r = {.kit = kit,
                      .path = scratch_path_of(&kit->scratch, "reads.mdb"),
                      .copy = scratch_path_of(&kit->scratch, "bare.mdb"),
                      .passes = bench_size(kit->options, 1, 50, 200)};
    const struct contestant contestants[] = {{run_acquire, &r}, {run_get, &r}, {run_bare, &r}};
    struct measured results[COUNT_OF(contestants)];
    report_heading(&kit->report, "reads of episodes that lie in memory");
    TRY(reads_init(&r, &arena, error));
    TRY(measure(kit->options, contestants, COUNT_OF(contestants), results, error));
    struct row row = {.name = "warm read: mneme_acquire",
                      .unit = "us",
                      .reference = "LMDB get + zstd",
                      .value = results[0],
                      .reference_value = results[2],
                      .goal = AT_MOST(1.25)};
    report_row(&kit->report, &row);
    row.name = "warm read: store get + unpack";
    row.value = results[1];
    report_row(&kit->report, &row);
    return 0;
}
