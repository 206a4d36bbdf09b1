/*
 * samples.c - what a compression dictionary is trained from.
 *
 * A dictionary holds pieces of the texts it was trained from, and goes wherever the store is synced
 * to. So what must not leave this machine is no sample: records that are local only, steps and
 * checkpoints of such an episode, what sync holds back; and, where only some records are shared,
 * those that are not known to be shared already.
 */
#include "api/dictionaries.h"
#include "api/sync.h"

enum {
    SAMPLE_BYTES = 4 << 20,
    FAR_SAMPLE_BYTES = 1 << 20, /* less to fetch, and still enough to learn from */
    SAMPLE_PAGE = 256,
    SAMPLES_MAX = 20000
};

/* ---- What is left out ---------------------------------------------------------------------- */

static bool is_local(const struct stored_record *record) {
    return record->flags & MNEME_FLAG_LOCAL;
}

/* Children go by their episode, which is looked up once for those that stand together. */
static int leave_out_local(mneme *m, const struct record_set *page, bool *out, mneme_error *error) {
    mneme_id parent = {{0}};
    bool parent_is_local = false;
    for (size_t i = 0; i < page->count; i++) {
        const struct stored_record *record = &page->records[i];
        out[i] = is_local(record);
        if (id_is_zero(&record->parent))
            continue;
        if (!id_equal(&parent, &record->parent)) {
            AUTO_RECORDS struct record_set found = {0};
            struct record_name name = {MNEME_EPISODE, record->parent};
            size_t at;
            TRY(store_get(m->store, &name, 1, &found, &at, error));
            parent = record->parent;
            parent_is_local = at != SIZE_MAX && is_local(&found.records[at]);
        }
        out[i] = out[i] || parent_is_local;
    }
    return 0;
}

static int leave_out_unshared(mneme *m, const struct record_set *page, bool *out,
                              mneme_error *error) {
    AUTO_RECORDS struct record_set bases = {0};
    struct record_name names[SAMPLE_PAGE];
    struct shared_mark marks[SAMPLE_PAGE];
    bool only_some = m->syncer && m->syncer->settings.sync.only_count;
    for (size_t i = 0; i < page->count; i++)
        names[i] = (struct record_name){page->records[i].kind, page->records[i].id};
    int status = shared_marks(m->bottom, names, page->count, marks, &bases, error);
    if (status == MNEME_UNSUPPORTED)
        return 0; /* a store that is not synced */
    TRY(status);
    for (size_t i = 0; i < page->count; i++) {
        bool shared = marks[i].mark == MARK_CLEAN || marks[i].mark == MARK_BASE;
        out[i] = out[i] || marks[i].held || (only_some && !shared);
    }
    return 0;
}

/* ---- Reading ------------------------------------------------------------------------------- */

static int take_page(mneme *m, const struct record_set *page, struct arena *arena,
                     struct slice *samples, size_t *count, size_t *bytes, mneme_error *error) {
    bool out[SAMPLE_PAGE];
    TRY(leave_out_local(m, page, out, error));
    TRY(leave_out_unshared(m, page, out, error));
    for (size_t i = 0; i < page->count; i++) {
        struct slice plain, copy;
        if (out[i])
            continue;
        TRY(unpack(m->packer, page->records[i].body, dictionaries_find, m, arena, &plain, error));
        if (arena_copy(arena, plain, &copy))
            return error_set(error, MNEME_NO_MEMORY, "no memory for training");
        samples[(*count)++] = copy;
        *bytes += copy.size;
    }
    return 0;
}

int samples_read(mneme *m, mneme_kind kind, struct arena *arena, struct slice **samples,
                 size_t *count, mneme_error *error) {
    struct store_query query = {.kind = kind, .limit = SAMPLE_PAGE};
    size_t bytes = 0, enough = m->far ? FAR_SAMPLE_BYTES : SAMPLE_BYTES;
    bool more = true;
    *count = 0;
    *samples = arena_zalloc(arena, SAMPLES_MAX, sizeof **samples);
    if (!*samples)
        return error_set(error, MNEME_NO_MEMORY, "no memory for training");
    while (more && bytes < enough && *count + SAMPLE_PAGE <= SAMPLES_MAX) {
        AUTO_RECORDS struct record_set page = {0};
        TRY(store_query(m->store, &query, &page, &more, error));
        TRY(take_page(m, &page, arena, *samples, count, &bytes, error));
        if (more)
            query.after = position_after(&query, &page.records[page.count - 1]);
    }
    return 0;
}
