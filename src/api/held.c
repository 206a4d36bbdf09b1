/*
 * held.c - what is handed out: records and pages that the caller gives back.
 *
 * A record that is handed out is an item of the caches, whether these keep it or not: one block of
 * memory with a count of its holders. So giving it back is the same in either case, and needs
 * neither the handle nor the cache it came from.
 */
#include "api/call.h"
#include "api/metrics.h"

struct held {
    struct cache_item item;
    uint64_t mark; /* HELD_MARK: right before the record, where a slot has PIN_SLOT_MARK */
    mneme_record record;
};

#define HELD_MARK UINT64_C(0x646c65682d6e6970)
_Static_assert(offsetof(struct held, record) == offsetof(struct held, mark) + sizeof(uint64_t) &&
                   offsetof(struct pin_slot, view) ==
                       offsetof(struct pin_slot, mark) + sizeof(uint64_t) &&
                   sizeof(mneme_record) <= PIN_VIEW,
               "mneme_release tells by the mark what it is given");

struct held_page {
    mneme_page page;
    struct cached_page items;
};

static const mneme_record *held_record(const struct cache_item *item) {
    return &((const struct held *)(const void *)item)->record;
}

static void held_destroy(struct cache_item *item) { arena_free_taken(item); }

int held_build(void *context, const struct cache_key *key, const struct stored_record *stored,
               struct cache_item **out, mneme_error *error) {
    mneme *m = context;
    /* Texts point into the plain body, which makes most of it: room for that and one struct, and
     * little blocks for lists. A cache is charged for all that is taken. */
    size_t most = sizeof(struct held) + sizeof(mneme_episode) + 64 + stored->plain_size;
    AUTO_ARENA struct arena arena = {.first_size = most,
                                     .later_size = size_max(1024, stored->plain_size / 8)};
    struct held *held = arena_zalloc(&arena, 1, sizeof *held);
    if (!held)
        return error_set(error, MNEME_NO_MEMORY, "no memory for a record");
    held->mark = HELD_MARK;
    TRY(record_open(m, stored, &arena, &held->record, error));
    cache_item_init(&held->item, key, cached_stamp(stored), arena_size(&arena), held_destroy);
    *out = arena_take(&arena);
    return 0;
}

/* ---- Records ------------------------------------------------------------------------------- */

static int build_alone(mneme *m, const struct stored_record *stored, struct cache_item **out,
                       mneme_error *error) {
    struct cache_key key = {.id = stored->id, .space = (uint32_t)stored->kind};
    return held_build(m, &key, stored, out, error);
}

static int acquire_uncached(mneme *m, mneme_kind kind, const mneme_id *id, struct cache_item **out,
                            mneme_error *error) {
    AUTO_RECORDS struct record_set stored = {.arena.first_size = 8192};
    TRY(store_get_one(m->store, kind, id, &stored, error));
    return build_alone(m, &stored.records[0], out, error);
}

static const mneme_record *slot_record(struct pin_slot *slot) {
    memcpy(slot->view, held_record(pin_item(slot)), sizeof(mneme_record));
    return (const mneme_record *)(const void *)slot->view;
}

static int acquire_held(mneme *m, mneme_kind kind, const mneme_id *id, const mneme_record **out,
                        mneme_error *error) {
    struct cache_item *item;
    TRY(handle_check(m, error));
    if (!id || !out)
        return error_set(error, MNEME_INVALID, "mneme_acquire: id or out is NULL");
    if (!kind_is_public(kind))
        return error_set(error, MNEME_INVALID, "there are no records of kind %d to read",
                         (int)kind);
    TRY(m->cached ? cached_acquire(m->cached, kind, id, &item, error)
                  : acquire_uncached(m, kind, id, &item, error));
    *out = held_record(item);
    return 0;
}

/* All but a hit, counted by itself. */
static int acquire_slowly(mneme *m, mneme_kind kind, const mneme_id *id, const mneme_record **out,
                          mneme_error *error) {
    meter_hit_take_back();
    uint64_t begun = measure_begin(m);
    int status = API_CALL("mneme_acquire", acquire_held(m, kind, id, out, error));
    struct subject what = {kind, id, 1, NULL};
    return measure_end(m, METER_API_ACQUIRE, begun, status, &what);
}

/* What is known not to be there. */
static int acquire_absent(mneme *m, struct pin_slot *slot, mneme_kind kind, const mneme_id *id,
                          mneme_error *error) {
    pin_clear(slot);
    meter_hit_take_back();
    uint64_t begun = measure_begin(m);
    return measure_end(m, METER_API_ACQUIRE, begun, cached_not_found(kind, id, error), NULL);
}

/* One hit of many, which is timed. */
static int acquire_timed(mneme *m, mneme_kind kind, const mneme_id *id, const mneme_record **out,
                         mneme_error *error) {
    uint64_t begun = meter_begin(m->meter);
    struct pin_slot *slot = cached_acquire_slot(m->cached, kind, id);
    if (!slot)
        return acquire_slowly(m, kind, id, out, error);
    if (pin_item(slot)->negative)
        return acquire_absent(m, slot, kind, id, error);
    *out = slot_record(slot);
    measure_hit_end(m, begun);
    return 0;
}

int mneme_acquire(mneme *m, mneme_kind kind, const mneme_id *id, const mneme_record **out,
                  mneme_error *error) {
    bool ready = m && id && out && m->cached && m->generation == process_generation_again();
    if (meter_hit_is_due() && ready)
        return acquire_timed(m, kind, id, out, error);
    struct pin_slot *slot = LIKELY(ready) ? cached_acquire_slot(m->cached, kind, id) : NULL;
    if (UNLIKELY(!slot))
        return acquire_slowly(m, kind, id, out, error);
    if (UNLIKELY(pin_item(slot)->negative))
        return acquire_absent(m, slot, kind, id, error);
    *out = slot_record(slot);
    return 0;
}

void mneme_release(mneme *m, const mneme_record *record) {
    (void)m;
    if (!record)
        return;
    uintptr_t at = (uintptr_t)record;
    uint64_t mark;
    memcpy(&mark, (const void *)(at - sizeof mark), sizeof mark);
    if (LIKELY(mark == PIN_SLOT_MARK))
        pin_clear((struct pin_slot *)(at - offsetof(struct pin_slot, view)));
    else
        cache_item_release((struct cache_item *)(at - offsetof(struct held, record)));
}

/* ---- Pages --------------------------------------------------------------------------------- */

static int list_uncached(mneme *m, const struct store_query *query, struct cached_page *out,
                         mneme_error *error) {
    AUTO_RECORDS struct record_set stored = {0};
    TRY(store_query(m->store, query, &stored, &out->more, error));
    out->items = mem_zalloc(stored.count, sizeof(struct cache_item *));
    if (!out->items)
        return error_set(error, MNEME_NO_MEMORY, "no memory for a page of records");
    for (; out->count < stored.count; out->count++)
        TRY(build_alone(m, &stored.records[out->count], &out->items[out->count], error));
    if (stored.count)
        out->last = position_after(query, &stored.records[stored.count - 1]);
    return 0;
}

static int page_show(const struct store_query *query, struct held_page *held, struct arena *arena,
                     mneme_error *error) {
    size_t count = held->items.count;
    const mneme_record **list = arena_zalloc(arena, count, sizeof *list);
    if (!list)
        return error_set(error, MNEME_NO_MEMORY, "no memory for a page of records");
    for (size_t i = 0; i < count; i++)
        list[i] = held_record(held->items.items[i]);
    held->page.records = list;
    held->page.count = count;
    if (held->items.more && count &&
        cursor_write(query, &held->items.last, arena, &held->page.next))
        return error_set(error, MNEME_NO_MEMORY, "no memory for a cursor");
    return 0;
}

int held_list(mneme *m, const struct store_query *query, const mneme_page **out,
              mneme_error *error) {
    AUTO_ARENA struct arena arena = {0};
    struct held_page *held = arena_zalloc(&arena, 1, sizeof *held);
    if (!held)
        return error_set(error, MNEME_NO_MEMORY, "no memory for a page of records");
    uint64_t begun = meter_begin(m->meter);
    int status = m->cached ? cached_list(m->cached, query, &held->items, error)
                           : list_uncached(m, query, &held->items, error);
    if (status == 0)
        status = page_show(query, held, &arena, error);
    (void)measure_list_end(m, query, begun, held->items.hit, held->items.count, status);
    if (status) {
        cached_page_fini(&held->items);
        return status;
    }
    held = arena_take(&arena);
    *out = &held->page;
    return 0;
}

void mneme_page_release(mneme *m, const mneme_page *page) {
    (void)m;
    if (!page)
        return;
    struct held_page *held =
        (struct held_page *)((uintptr_t)page - offsetof(struct held_page, page));
    cached_page_fini(&held->items);
    arena_free_taken(held);
}
