/*
 * ring.c - the newest changes of a log, in memory: in the order of their numbers, and by name.
 */
#include "store/followed/followed_impl.h"

/* ---- By name --------------------------------------------------------------------------------- */

/* Ids are UUIDs as a rule: what they begin with is alike, what they end with is random. */
static size_t bucket_of(mneme_kind kind, const mneme_id *id) {
    uint64_t hash = get_be64(id->bytes) * 31 + get_be64(id->bytes + 8) + (uint64_t)kind;
    return (hash * UINT64_C(0x9e3779b97f4a7c15) >> 32) % RING_BUCKETS;
}

/* Where the change of a record hangs, or would. */
static struct known_change **link_of(const struct change_ring *ring, mneme_kind kind,
                                     const mneme_id *id) {
    struct known_change **link = &ring->buckets[bucket_of(kind, id)];
    while (*link && ((*link)->record.kind != kind || !id_equal(&(*link)->record.id, id)))
        link = &(*link)->next;
    return link;
}

const struct stored_record *ring_find(const struct change_ring *ring, mneme_kind kind,
                                      const mneme_id *id) {
    const struct known_change *known = *link_of(ring, kind, id);
    return known ? &known->record : NULL;
}

/* ---- One change ------------------------------------------------------------------------------ */

static struct known_change *known_create(const struct stored_record *record, bool with_body) {
    AUTO_ARENA struct arena arena = {.first_size = sizeof(struct known_change) + 64};
    struct known_change *known = arena_zalloc(&arena, 1, sizeof *known);
    if (!known || record_copy(&arena, record, !with_body, &known->record))
        return NULL;
    known->bytes = arena_size(&arena);
    return arena_take(&arena);
}

/* Unlink what hangs there, and free it. */
static void drop(struct change_ring *ring, struct known_change **link) {
    struct known_change *known = *link;
    *link = known->next;
    ring->slots[known->slot].known = NULL;
    ring->count--;
    ring->bytes -= known->bytes;
    arena_free_taken(known);
}

void ring_forget(struct change_ring *ring, mneme_kind kind, const mneme_id *id, uint64_t until) {
    struct known_change **link = link_of(ring, kind, id);
    if (*link && (*link)->record.change <= until)
        drop(ring, link);
}

/* The first slot goes; whoever asks since before it is to be answered by the log itself. */
static void drop_oldest(struct change_ring *ring) {
    struct known_change *known = ring->slots[ring->begin].known;
    ring->floor = ring->slots[ring->begin].change;
    if (known)
        drop(ring, link_of(ring, known->record.kind, &known->record.id));
    ring->begin++;
}

/* Move the slots that are not empty together at the front: one time in RING_SLOTS / 2 at most. */
static void compact(struct change_ring *ring) {
    size_t to = 0;
    for (size_t i = ring->begin; i < ring->end; i++) {
        if (!ring->slots[i].known)
            continue;
        ring->slots[to] = ring->slots[i];
        ring->slots[to].known->slot = to;
        to++;
    }
    ring->begin = 0;
    ring->end = to;
}

void ring_append(struct change_ring *ring, const struct stored_record *record) {
    ASSERT(record->change > ring->top);
    struct known_change *known = known_create(record, ring->with_bodies);
    if (!known) {
        ring_restart(ring, record->change);
        return;
    }
    ring_forget(ring, record->kind, &record->id, UINT64_MAX);
    if (ring->end == RING_SLOTS)
        compact(ring);
    struct known_change **link = link_of(ring, record->kind, &record->id);
    *link = known;
    known->slot = ring->end;
    ring->slots[ring->end++] = (struct ring_slot){record->change, known};
    ring->count++;
    ring->bytes += known->bytes;
    ring->top = record->change;
    while (ring->count > FOLLOWED_CHANGES || ring->bytes > FOLLOWED_BYTES)
        drop_oldest(ring);
}

/* ---- All changes ----------------------------------------------------------------------------- */

const struct stored_record *ring_newest(const struct change_ring *ring) {
    for (size_t i = ring->end; i-- > ring->begin;)
        if (ring->slots[i].known)
            return &ring->slots[i].known->record;
    return NULL;
}

static size_t first_behind(const struct change_ring *ring, uint64_t since) {
    size_t low = ring->begin, high = ring->end;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (ring->slots[middle].change > since)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

int ring_copy(const struct change_ring *ring, uint64_t since, size_t limit, bool without_bodies,
              struct record_set *out) {
    ASSERT(since >= ring->floor);
    for (size_t i = first_behind(ring, since); i < ring->end && limit; i++) {
        if (!ring->slots[i].known)
            continue;
        TRY(record_set_copy(out, &ring->slots[i].known->record, without_bodies));
        limit--;
    }
    return 0;
}

void ring_restart(struct change_ring *ring, uint64_t change) {
    while (ring->begin < ring->end)
        drop_oldest(ring);
    ring->begin = ring->end = 0;
    ring->floor = ring->top = change;
}

int ring_init(struct change_ring *ring, bool with_bodies) {
    *ring = (struct change_ring){.with_bodies = with_bodies};
    ring->slots = mem_zalloc(RING_SLOTS, sizeof *ring->slots);
    ring->buckets = mem_zalloc(RING_BUCKETS, sizeof(struct known_change *));
    return ring->slots && ring->buckets ? 0 : MNEME_NO_MEMORY;
}

void ring_fini(struct change_ring *ring) {
    ring_restart(ring, 0);
    mem_free(ring->slots);
    mem_free(ring->buckets);
    *ring = (struct change_ring){0};
}
