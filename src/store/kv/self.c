/*
 * self.c - the values in which a store describes itself: identity, state, and the state of sync.
 */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "store/kv/kv_impl.h"

static const char identity_key[] = "mneme";
static const char state_key[] = "mneme state";
static const char shared_key[] = "mneme shared";
static const char identity_magic[] = "mneme store";

/* Identity: 11 bytes of magic, one 0, format (4 bytes), device (8 bytes), checksum of all that. The
 * front, up to the format, is the same in every format. */
enum {
    IDENTITY_FORMAT_AT = 12,
    IDENTITY_DEVICE_AT = 16,
    IDENTITY_CHECKSUM_AT = 24,
    IDENTITY_SIZE = 32
};

static MDB_val val_of(const void *data, size_t size) {
    return (MDB_val){size, (void *)(uintptr_t)data};
}

int kv_identity_get(MDB_txn *txn, MDB_dbi main, struct kv_identity *out, mneme_error *error) {
    MDB_val key = val_of(identity_key, sizeof identity_key - 1), value;
    int rc = mdb_get(txn, main, &key, &value);
    if (rc == MDB_NOTFOUND)
        return error_set(error, MNEME_CORRUPT, "not a mneme store: it holds other data");
    if (rc)
        return kv_fail(error, rc, "cannot read the identity of the store");
    const uint8_t *at = value.mv_data;
    bool named = value.mv_size >= IDENTITY_DEVICE_AT &&
                 memcmp(at, identity_magic, sizeof identity_magic) == 0;
    if (named && get_be32(at + IDENTITY_FORMAT_AT) > KV_FORMAT)
        return error_set(error, MNEME_NEWER_FORMAT,
                         "the store has format %u, and this mneme knows formats up to %d; use a "
                         "newer mneme",
                         get_be32(at + IDENTITY_FORMAT_AT), KV_FORMAT);
    if (!named || value.mv_size != IDENTITY_SIZE ||
        XXH3_64bits(at, IDENTITY_CHECKSUM_AT) != get_be64(at + IDENTITY_CHECKSUM_AT))
        return error_set(error, MNEME_CORRUPT,
                         "the store's identity record is damaged; restore it from a backup");
    out->format = get_be32(at + IDENTITY_FORMAT_AT);
    out->device = get_be64(at + IDENTITY_DEVICE_AT);
    return 0;
}

int kv_identity_put(MDB_txn *txn, MDB_dbi main, uint64_t device) {
    uint8_t bytes[IDENTITY_SIZE];
    memcpy(bytes, identity_magic, sizeof identity_magic);
    put_be32(bytes + IDENTITY_FORMAT_AT, KV_FORMAT);
    put_be64(bytes + IDENTITY_DEVICE_AT, device);
    put_be64(bytes + IDENTITY_CHECKSUM_AT, XXH3_64bits(bytes, IDENTITY_CHECKSUM_AT));
    MDB_val key = val_of(identity_key, sizeof identity_key - 1);
    MDB_val value = val_of(bytes, sizeof bytes);
    return mdb_put(txn, main, &key, &value, 0);
}

/*
 * State: a row of big-endian 64-bit numbers, and their checksum in the last one. Two counters, four
 * of each kind, and behind them what was added in format 2: sharing, and its fence. Format 1 had
 * one kind less.
 */
enum {
    STATE_NUMBERS_OF_1 = 2 + 4 * (MNEME_KIND_COUNT - 1),
    STATE_NUMBERS = 2 + 4 * MNEME_KIND_COUNT + 2,
    STATE_SIZE = 8 * (STATE_NUMBERS + 1)
};
_Static_assert(MNEME_KIND_COUNT == 10, "another kind needs another format");

static struct kv_state state_parse(const uint8_t *at, bool of_1) {
    struct kv_state state = {.last_change = get_be64(at), .last_clock = get_be64(at + 8)};
    size_t kinds = of_1 ? MNEME_KIND_COUNT - 1 : MNEME_KIND_COUNT;
    for (size_t i = 0; i < kinds; i++) {
        const uint8_t *row = at + 16 + 32 * i;
        state.kinds[i] = (struct kind_stats){get_be64(row), get_be64(row + 8), get_be64(row + 16),
                                             get_be64(row + 24)};
    }
    if (!of_1) {
        const uint8_t *row = at + 16 + 32 * (size_t)MNEME_KIND_COUNT;
        state.sharing = get_be64(row) != 0;
        state.fence = get_be64(row + 8);
    }
    return state;
}

int kv_state_get(MDB_txn *txn, MDB_dbi main, struct kv_state *out, mneme_error *error) {
    MDB_val key = val_of(state_key, sizeof state_key - 1), value;
    int rc = mdb_get(txn, main, &key, &value);
    if (rc == MDB_NOTFOUND) {
        *out = (struct kv_state){0};
        return 0;
    }
    if (rc)
        return kv_fail(error, rc, "cannot read the state of the store");
    const uint8_t *at = value.mv_data;
    bool of_1 = value.mv_size == 8 * (STATE_NUMBERS_OF_1 + 1);
    if ((value.mv_size != STATE_SIZE && !of_1) ||
        XXH3_64bits(at, value.mv_size - 8) != get_be64(at + value.mv_size - 8))
        return error_set(error, MNEME_CORRUPT,
                         "the store's state record is damaged; run `mneme verify`");
    *out = state_parse(at, of_1);
    return 0;
}

int kv_state_put(MDB_txn *txn, MDB_dbi main, const struct kv_state *state) {
    uint8_t bytes[STATE_SIZE];
    put_be64(bytes, state->last_change);
    put_be64(bytes + 8, state->last_clock);
    for (size_t i = 0; i < MNEME_KIND_COUNT; i++) {
        uint8_t *row = bytes + 16 + 32 * i;
        put_be64(row, state->kinds[i].records);
        put_be64(row + 8, state->kinds[i].tombstones);
        put_be64(row + 16, state->kinds[i].stored_bytes);
        put_be64(row + 24, state->kinds[i].plain_bytes);
    }
    put_be64(bytes + STATE_SIZE - 24, state->sharing);
    put_be64(bytes + STATE_SIZE - 16, state->fence);
    put_be64(bytes + STATE_SIZE - 8, XXH3_64bits(bytes, STATE_SIZE - 8));
    MDB_val key = val_of(state_key, sizeof state_key - 1), value = val_of(bytes, sizeof bytes);
    return mdb_put(txn, main, &key, &value, 0);
}

/* ---- What is remembered of sharing -------------------------------------------------------- */

int kv_shared_get(MDB_txn *txn, MDB_dbi main, struct slice *out, mneme_error *error) {
    MDB_val key = val_of(shared_key, sizeof shared_key - 1), value;
    int rc = mdb_get(txn, main, &key, &value);
    *out = slice_of(NULL, 0);
    if (rc)
        return rc == MDB_NOTFOUND ? 0 : kv_fail(error, rc, "cannot read the state of sync");
    const uint8_t *at = value.mv_data;
    if (value.mv_size < 8 || XXH3_64bits(at + 8, value.mv_size - 8) != get_be64(at))
        return error_set(error, MNEME_CORRUPT,
                         "what the store remembers of sync is damaged; run `mneme verify`");
    *out = slice_of(at + 8, value.mv_size - 8);
    return 0;
}

int kv_shared_put(MDB_txn *txn, MDB_dbi main, struct slice state) {
    MDB_val key = val_of(shared_key, sizeof shared_key - 1), value = {state.size + 8, NULL};
    int rc = mdb_put(txn, main, &key, &value, MDB_RESERVE);
    if (rc)
        return rc;
    uint8_t *at = value.mv_data;
    if (state.size)
        memcpy(at + 8, state.data, state.size);
    put_be64(at, XXH3_64bits(at + 8, state.size));
    return 0;
}
