/*
 * dictionaries.c - the compression dictionaries of a store: finding and choosing them.
 *
 * A dictionary is a record like any other: kind MNEME_DICTIONARY, its id the front of its SHA-256,
 * its body the dictionary. It is never deleted, for bodies refer to it for ever.
 *
 * A store behind a server (m->far) is asked less often: each look is a round trip. And no lock is
 * held over a look, so that who has his dictionaries waits for nobody.
 */
#include "api/dictionaries.h"

enum {
    REFRESH_US = 10 * 1000 * 1000, /* how long another process's new dictionary may go unused */
    FAR_REFRESH_US = 300 * 1000 * 1000
};

int dictionaries_create(mneme *m, struct dictionaries **out, mneme_error *error) {
    struct dictionaries *d = mem_zalloc(1, sizeof *d);
    if (!d)
        return error_set(error, MNEME_NO_MEMORY, "no memory for dictionaries");
    d->m = m;
    lock_init(&d->lock, RANK_API);
    *out = d;
    return 0;
}

/* ---- Finding ------------------------------------------------------------------------------ */

mneme_id dictionary_id(const uint8_t sha[PACK_SHA256_SIZE]) {
    mneme_id id = {{0}};
    memcpy(id.bytes + 1, sha, sizeof id.bytes - 1);
    return id;
}

int dictionary_open(struct packer *packer, int level, const struct stored_record *record,
                    struct dictionary **out, mneme_error *error) {
    AUTO_ARENA struct arena arena = {0};
    struct slice plain;
    struct dictionary *d;
    TRY(unpack(packer, record->body, NULL, NULL, &arena, &plain, error));
    TRY(dictionary_create(plain, level, &d, error));
    mneme_id id = dictionary_id(dictionary_sha256(d));
    if (!id_equal(&id, &record->id)) {
        dictionary_drop(d);
        return error_set(error, MNEME_CORRUPT,
                         "a compression dictionary does not match its SHA-256; restore the store "
                         "from a backup");
    }
    *out = d;
    return 0;
}

static struct dictionary *known_find(struct dictionaries *d, const uint8_t *ref, size_t size) {
    for (size_t i = 0; i < d->known_count; i++)
        if (memcmp(dictionary_sha256(d->known[i]), ref, size) == 0)
            return d->known[i];
    return NULL;
}

/* Open a dictionary record, or find that it is open already. Borrowed from `known`. Called with the
 * lock. */
static int known_open(struct dictionaries *d, const struct stored_record *record,
                      struct dictionary **out, mneme_error *error) {
    *out = known_find(d, record->id.bytes + 1, sizeof record->id.bytes - 1);
    if (*out)
        return 0;
    if (d->known_count == d->known_capacity) {
        size_t capacity = d->known_capacity ? d->known_capacity * 2 : 8;
        struct dictionary **grown = mem_resize(d->known, capacity * sizeof *grown);
        if (!grown)
            return error_set(error, MNEME_NO_MEMORY, "no memory for a dictionary");
        d->known = grown;
        d->known_capacity = capacity;
    }
    TRY(dictionary_open(d->m->packer, dictionary_level(d->m), record, out, error));
    d->known[d->known_count++] = *out;
    return 0;
}

/* Fetch those whose id begins like the reference. */
static int known_fetch(struct dictionaries *d, const uint8_t ref[PACK_REF_SIZE],
                       mneme_error *error) {
    AUTO_RECORDS struct record_set stored = {0};
    uint8_t prefix[1 + PACK_REF_SIZE] = {0};
    memcpy(prefix + 1, ref, PACK_REF_SIZE);
    struct store_query query = {
        .kind = MNEME_DICTIONARY, .id_prefix = slice_of(prefix, sizeof prefix), .limit = 16};
    struct dictionary *opened;
    bool more;
    TRY(store_query(d->m->store, &query, &stored, &more, error));
    AUTO_LOCK(held, &d->lock);
    for (size_t i = 0; i < stored.count; i++)
        if (stored.records[i].body.size)
            TRY(known_open(d, &stored.records[i], &opened, error));
    return 0;
}

static struct dictionary *known_hold(struct dictionaries *d, const uint8_t ref[PACK_REF_SIZE]) {
    AUTO_LOCK(held, &d->lock);
    struct dictionary *found = known_find(d, ref, PACK_REF_SIZE);
    return found ? dictionary_hold(found) : NULL;
}

int dictionaries_find(void *context, const uint8_t ref[PACK_REF_SIZE], struct dictionary **out,
                      mneme_error *error) {
    mneme *m = context;
    struct dictionary *found = known_hold(m->dictionaries, ref);
    if (!found) {
        TRY(known_fetch(m->dictionaries, ref, error));
        found = known_hold(m->dictionaries, ref);
    }
    if (!found)
        return error_set(error, MNEME_CORRUPT,
                         "the dictionary %02x%02x%02x%02x that a record was compressed with is "
                         "missing; restore the store from a backup",
                         ref[0], ref[1], ref[2], ref[3]);
    *out = found;
    return 0;
}

/* The newest dictionary of a kind. A failure is no reason to fail a write: it goes without. */
static void current_look(struct dictionaries *d, mneme_kind kind) {
    AUTO_RECORDS struct record_set stored = {0};
    struct attribute type = {slice_of_string("type"), slice_of_string(kind_name(kind))};
    struct store_query query = {
        .kind = MNEME_DICTIONARY, .filters = &type, .filter_count = 1, .limit = 1};
    bool more;
    struct dictionary *found;
    if (store_query(d->m->store, &query, &stored, &more, NULL) || stored.count == 0)
        return;
    AUTO_LOCK(held, &d->lock);
    if (known_open(d, &stored.records[0], &found, NULL) == 0)
        d->current[kind] = found;
}

/* Whether it is this caller's turn to look. */
static bool look_is_due(struct dictionaries *d, mneme_kind kind) {
    int64_t refresh_us = d->m->far ? FAR_REFRESH_US : REFRESH_US;
    int64_t now = clock_monotonic_us();
    AUTO_LOCK(held, &d->lock);
    bool due = d->looked_us[kind] == 0 || now - d->looked_us[kind] > refresh_us;
    if (due)
        d->looked_us[kind] = now;
    return due;
}

struct dictionary *dictionaries_current(mneme *m, mneme_kind kind) {
    struct dictionaries *d = m->dictionaries;
    if (m->options.compression != MNEME_COMPRESS_DEFAULT || !kind_is_trained(kind))
        return NULL;
    if (look_is_due(d, kind))
        current_look(d, kind);
    AUTO_LOCK(held, &d->lock);
    return d->current[kind] ? dictionary_hold(d->current[kind]) : NULL;
}

void dictionaries_destroy(struct dictionaries *d) {
    if (!d)
        return;
    for (size_t i = 0; i < d->known_count; i++)
        dictionary_drop(d->known[i]);
    mem_free(d->known);
    lock_fini(&d->lock);
    mem_free(d);
}
