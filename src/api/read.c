/*
 * read.c - the public calls that read, and how a stored record becomes a public one.
 */
#define XXH_STATIC_LINKING_ONLY /* for a state on the stack */
#include <xxhash.h>

#include "api/calls.h"
#include "api/handle.h"

enum { LIST_DEFAULT = 100, CHILDREN_PAGE = 1000 };

/* ---- Records ------------------------------------------------------------------------------ */

int children_get(mneme *m, mneme_kind kind, const mneme_id *parent, bool without_bodies,
                 struct record_set *out, mneme_error *error) {
    struct store_query query = {.kind = kind,
                                .has_parent = true,
                                .parent = *parent,
                                .order = ORDER_OLDEST_FIRST,
                                .limit = CHILDREN_PAGE,
                                .without_bodies = without_bodies};
    bool more = true;
    while (more) {
        TRY(store_query(m->store, &query, out, &more, error));
        if (more)
            query.after = position_after(&query, &out->records[out->count - 1]);
    }
    return 0;
}

static int decode(mneme *m, const struct stored_record *stored, struct arena *arena,
                  mneme_record *out, mneme_error *error) {
    struct slice packed = stored->body, plain = {0};
    if (!(stored->flags & MNEME_FLAG_DELETED)) {
        TRY(unpack(m->packer, packed, dictionaries_find, m, arena, &plain, error));
        /* A raw body lies in the store's buffer, which will not live as long as the record. */
        if (plain.data == packed.data + 1 && arena_copy(arena, plain, &plain))
            return error_set(error, MNEME_NO_MEMORY, "no memory for a record");
    }
    return model_decode(stored, plain, arena, out, error);
}

/* Decode steps and put them into their episode. */
static int attach_steps(mneme *m, mneme_record *episode, const struct record_set *stored,
                        struct arena *arena, mneme_error *error) {
    if (stored->count == 0)
        return 0;
    mneme_step *steps = arena_zalloc(arena, stored->count, sizeof *steps);
    if (!steps)
        return error_set(error, MNEME_NO_MEMORY, "no memory for %zu steps", stored->count);
    for (size_t i = 0; i < stored->count; i++) {
        mneme_record step;
        TRY(decode(m, &stored->records[i], arena, &step, error));
        steps[i] = *step.as.step;
    }
    if (model_attach_steps(episode, steps, stored->count, arena))
        return error_set(error, MNEME_NO_MEMORY, "no memory for %zu steps", stored->count);
    return 0;
}

static int read_steps(mneme *m, mneme_record *episode, struct arena *arena, mneme_error *error) {
    AUTO_RECORDS struct record_set stored = {0};
    TRY(children_get(m, MNEME_STEP, &episode->id, false, &stored, error));
    return attach_steps(m, episode, &stored, arena, error);
}

int record_open_with(mneme *m, const struct stored_record *stored, const struct record_set *steps,
                     struct arena *arena, mneme_record *out, mneme_error *error) {
    TRY(decode(m, stored, arena, out, error));
    if (steps)
        TRY(attach_steps(m, out, steps, arena, error));
    out->flags &= ~(uint32_t)FLAG_LOOSE;
    return 0;
}

/* Whether a record is an episode whose steps are records of their own. */
static bool has_own_steps(const mneme_record *record) {
    bool inside = flags_hold_steps(record->flags);
    return record->kind == MNEME_EPISODE && !inside && !(record->flags & MNEME_FLAG_DELETED);
}

/* Whether a record still has the version that was read. */
static int is_current(mneme *m, const mneme_record *record, bool *current, mneme_error *error) {
    AUTO_RECORDS struct record_set now = {0};
    struct record_name name = {record->kind, record->id};
    size_t found;
    TRY(store_get(m->store, &name, 1, &now, &found, error));
    *current =
        found != SIZE_MAX && version_compare(now.records[found].version, record->version) == 0;
    return 0;
}

/*
 * An open episode and its steps are read one after the other. Between them another writer may
 * complete the episode, and its steps would seem to be gone:
 *   1. A reads the open episode.  2. B seals it: the steps move into it and are purged.
 *   3. A reads no steps.  4. A asks whether the episode is still the version of 1, sees that it
 * is not, and reads it afresh.
 */
int record_open(mneme *m, const struct stored_record *stored, struct arena *arena,
                mneme_record *out, mneme_error *error) {
    TRY(decode(m, stored, arena, out, error));
    for (unsigned attempt = 0; has_own_steps(out) && attempt < API_RETRIES; attempt++) {
        bool current;
        TRY(read_steps(m, out, arena, error));
        TRY(is_current(m, out, &current, error));
        if (current)
            break;
        AUTO_RECORDS struct record_set now = {0};
        int status = store_get_one(m->store, out->kind, &out->id, &now, error);
        if (status == MNEME_NOT_FOUND)
            break; /* deleted meanwhile: what was read was true when the call began */
        TRY(status);
        TRY(decode(m, &now.records[0], arena, out, error));
    }
    out->flags &= ~(uint32_t)FLAG_LOOSE;
    return 0;
}

/* ---- Cursors ------------------------------------------------------------------------------ */

/*
 * A cursor is 64 hex digits: a hash (8 bytes), the sort key (8) and the id (16) of the last record.
 * The hash covers the other two and everything in the query but its limit, so that a cursor that
 * is damaged, or used with another query, is told from a good one.
 */
enum { CURSOR_BYTES = 32 };

static void hash_slice(XXH3_state_t *state, struct slice s) {
    XXH3_64bits_update(state, &s.size, sizeof s.size);
    XXH3_64bits_update(state, s.data, s.size);
}

/* No secret and no signature: a caller who makes cursors of his own fools himself only. */
static uint64_t cursor_hash(const struct store_query *query, const uint8_t *position) {
    int64_t numbers[] = {(int64_t)query->kind, (int64_t)query->order,
                         query->has_since,     query->since_us,
                         query->has_until,     query->until_us,
                         query->has_parent,    (int64_t)query->filter_count};
    XXH3_state_t state;
    XXH3_64bits_reset(&state);
    XXH3_64bits_update(&state, numbers, sizeof numbers);
    XXH3_64bits_update(&state, query->parent.bytes, sizeof query->parent.bytes);
    hash_slice(&state, query->id_prefix);
    for (size_t i = 0; i < query->filter_count; i++) {
        hash_slice(&state, query->filters[i].name);
        hash_slice(&state, query->filters[i].value);
    }
    XXH3_64bits_update(&state, position, CURSOR_BYTES - 8);
    return XXH3_64bits_digest(&state);
}

int cursor_write(const struct store_query *query, const struct position *at, struct arena *arena,
                 mneme_text *out) {
    static const char hex[] = "0123456789abcdef";
    uint8_t bytes[CURSOR_BYTES];
    put_be64(bytes + 8, (uint64_t)at->sort);
    memcpy(bytes + 16, at->id.bytes, sizeof at->id.bytes);
    put_be64(bytes, cursor_hash(query, bytes + 8));
    char *text = arena_alloc(arena, 2 * CURSOR_BYTES);
    if (!text)
        return MNEME_NO_MEMORY;
    for (size_t i = 0; i < CURSOR_BYTES; i++) {
        text[2 * i] = hex[bytes[i] >> 4];
        text[2 * i + 1] = hex[bytes[i] & 15];
    }
    *out = (mneme_text){text, 2 * CURSOR_BYTES};
    return 0;
}

static bool cursor_bytes(mneme_text text, uint8_t bytes[CURSOR_BYTES]) {
    if (text.size != 2 * CURSOR_BYTES)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (digit < 0)
            return false;
        bytes[i / 2] = (uint8_t)(i % 2 ? bytes[i / 2] << 4 | digit : digit);
    }
    return true;
}

int cursor_read(mneme_text text, const struct store_query *query, struct position *out,
                mneme_error *error) {
    uint8_t bytes[CURSOR_BYTES];
    if (!cursor_bytes(text, bytes) || get_be64(bytes) != cursor_hash(query, bytes + 8))
        return error_set(error, MNEME_INVALID,
                         "the cursor is damaged or belongs to another query; pass `next` of the "
                         "page before with the same conditions and order");
    *out = (struct position){.set = true, .sort = (int64_t)get_be64(bytes + 8)};
    memcpy(out->id.bytes, bytes + 16, sizeof out->id.bytes);
    return 0;
}

/* ---- Listing ------------------------------------------------------------------------------ */

static bool text_is_missing(mneme_text text) { return text.size && !text.data; }

static int query_check_texts(const mneme_query *query, mneme_error *error) {
    for (size_t i = 0; i < query->where_count; i++)
        if (text_is_missing(query->where[i].name) || text_is_missing(query->where[i].value))
            return error_set(error, MNEME_INVALID, "query.where[%zu]: has a size but no data", i);
    if (text_is_missing(query->after))
        return error_set(error, MNEME_INVALID, "query.after: has a size but no data");
    return 0;
}

static int query_check(const mneme_query *query, mneme_error *error) {
    if (!query)
        return error_set(error, MNEME_INVALID, "the query is NULL");
    if (!kind_is_public(query->kind))
        return error_set(error, MNEME_INVALID, "query.kind: there are no records of kind %d",
                         (int)query->kind);
    if ((int)query->order < 0 || query->order > MNEME_OLDEST_FIRST)
        return error_set(error, MNEME_INVALID, "query.order: there is no order %d",
                         (int)query->order);
    if (query->limit > STORE_PAGE_MAX)
        return error_set(error, MNEME_INVALID,
                         "query.limit: %zu is over %d; go on with `after` instead", query->limit,
                         STORE_PAGE_MAX);
    if (query->where_count > STORE_FILTERS_MAX || (query->where_count && !query->where))
        return error_set(error, MNEME_INVALID, "query.where: %zu conditions; at most %d",
                         query->where_count, STORE_FILTERS_MAX);
    if (query->parent && query->id_prefix_size)
        return error_set(error, MNEME_INVALID, "query: a parent and an id prefix exclude another");
    if (query->parent && query->kind != MNEME_STEP && query->kind != MNEME_CHECKPOINT)
        return error_set(error, MNEME_INVALID,
                         "query.parent: only steps and checkpoints have a parent");
    if (query->id_prefix_size > sizeof(mneme_id) || (query->id_prefix_size && !query->id_prefix))
        return error_set(error, MNEME_INVALID, "query.id_prefix: %zu bytes; at most 16",
                         query->id_prefix_size);
    return query_check_texts(query, error);
}

static int query_translate(const mneme_query *query, struct arena *arena, struct store_query *out,
                           mneme_error *error) {
    TRY(query_check(query, error));
    *out = (struct store_query){.kind = query->kind,
                                .has_since = query->since_us != 0,
                                .since_us = query->since_us,
                                .has_until = query->until_us != 0,
                                .until_us = query->until_us,
                                .has_parent = query->parent != NULL,
                                .id_prefix = slice_of(query->id_prefix, query->id_prefix_size),
                                .order = query->order == MNEME_OLDEST_FIRST ? ORDER_OLDEST_FIRST
                                                                            : ORDER_NEWEST_FIRST,
                                .limit = query->limit ? query->limit : LIST_DEFAULT};
    if (query->parent)
        out->parent = *query->parent;
    struct attribute *filters = arena_zalloc(arena, query->where_count, sizeof *filters);
    if (!filters)
        return error_set(error, MNEME_NO_MEMORY, "no memory for a query");
    for (size_t i = 0; i < query->where_count; i++)
        TRY(model_attribute(query->kind, &query->where[i], arena, &filters[i], error));
    out->filters = filters;
    out->filter_count = query->where_count;
    return query->after.size ? cursor_read(query->after, out, &out->after, error) : 0;
}

int call_list(mneme *m, const mneme_query *query, const mneme_page **out, mneme_error *error) {
    TRY(handle_check(m, error));
    if (!out)
        return error_set(error, MNEME_INVALID, "mneme_list: page is NULL");
    AUTO_ARENA struct arena scratch = {0};
    struct store_query translated;
    TRY(query_translate(query, &scratch, &translated, error));
    return held_list(m, &translated, out, error);
}
