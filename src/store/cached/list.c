/*
 * list.c - what queries found, kept as ids; and the pages that come from them.
 *
 * A list is kept under a hash of its query, and has the query itself: two queries of one hash are
 * told apart. It knows one id more than it shows, if there is one: were that record to go, there
 * might be no more behind the page.
 */
#define XXH_STATIC_LINKING_ONLY /* for a state on the stack */
#include <xxhash.h>

#include "store/cached/cached_impl.h"

enum { ATTEMPTS = 3, LIST_SPACE = 0x6c697374, SIEVE_WORDS = 8 };

struct list {
    struct cache_item item;
    struct store_query query;
    mneme_id *ids;
    size_t count; /* of the page */
    bool more;    /* then ids[count] is the first behind the page */
    struct position last;
    uint64_t sieve[SIEVE_WORDS]; /* a Bloom filter of the ids, with two hashes */
};

static const struct list *list_of(const struct cache_item *item) {
    return (const struct list *)(const void *)item;
}

/* ---- Queries as keys ----------------------------------------------------------------------- */

static void hash_slice(XXH3_state_t *state, struct slice s) {
    XXH3_128bits_update(state, &s.size, sizeof s.size);
    XXH3_128bits_update(state, s.data, s.size);
}

static struct cache_key query_key(const struct store_query *q) {
    uint64_t numbers[] = {(uint64_t)q->kind,       q->has_since,          q->has_until,
                          q->has_parent,           (uint64_t)q->since_us, (uint64_t)q->until_us,
                          q->filter_count,         (uint64_t)q->order,    q->limit,
                          (uint64_t)q->after.sort, q->after.set};
    XXH3_state_t state;
    XXH3_128bits_reset(&state);
    XXH3_128bits_update(&state, numbers, sizeof numbers);
    XXH3_128bits_update(&state, q->parent.bytes, sizeof q->parent.bytes);
    XXH3_128bits_update(&state, q->after.id.bytes, sizeof q->after.id.bytes);
    hash_slice(&state, q->id_prefix);
    for (size_t i = 0; i < q->filter_count; i++) {
        hash_slice(&state, q->filters[i].name);
        hash_slice(&state, q->filters[i].value);
    }
    XXH128_canonical_t digest;
    XXH128_canonicalFromHash(&digest, XXH3_128bits_digest(&state));
    struct cache_key key = {.space = LIST_SPACE};
    memcpy(key.id.bytes, digest.digest, sizeof key.id.bytes);
    return key;
}

static bool position_equal(const struct position *a, const struct position *b) {
    return a->set == b->set && (!a->set || (a->sort == b->sort && id_equal(&a->id, &b->id)));
}

/* Whether two queries list the same. Bodies are no part of a list. */
static bool query_equal(const struct store_query *a, const struct store_query *b) {
    if (a->kind != b->kind || a->has_since != b->has_since || a->has_until != b->has_until ||
        a->has_parent != b->has_parent || a->order != b->order || a->limit != b->limit ||
        a->filter_count != b->filter_count || !position_equal(&a->after, &b->after) ||
        !slice_equal(a->id_prefix, b->id_prefix))
        return false;
    if ((a->has_since && a->since_us != b->since_us) ||
        (a->has_until && a->until_us != b->until_us) ||
        (a->has_parent && !id_equal(&a->parent, &b->parent)))
        return false;
    for (size_t i = 0; i < a->filter_count; i++)
        if (attribute_compare(&a->filters[i], &b->filters[i]) != 0)
            return false;
    return true;
}

/* The same query in the same key: what does not matter is cleared. */
static struct store_query query_plain(const struct store_query *query) {
    struct store_query plain = *query;
    plain.since_us = query->has_since ? query->since_us : 0;
    plain.until_us = query->has_until ? query->until_us : 0;
    if (!query->has_parent)
        plain.parent = (mneme_id){0};
    if (!query->after.set)
        plain.after = (struct position){0};
    return plain;
}

static int query_copy(struct arena *arena, const struct store_query *from, struct store_query *to) {
    struct attribute *filters = arena_zalloc(arena, from->filter_count, sizeof *filters);
    *to = *from;
    to->filters = filters;
    if (!filters || arena_copy(arena, from->id_prefix, &to->id_prefix))
        return MNEME_NO_MEMORY;
    for (size_t i = 0; i < from->filter_count; i++)
        if (arena_copy(arena, from->filters[i].name, &filters[i].name) ||
            arena_copy(arena, from->filters[i].value, &filters[i].value))
            return MNEME_NO_MEMORY;
    return 0;
}

/* ---- Lists --------------------------------------------------------------------------------- */

static void sieve_bits(const mneme_id *id, unsigned *first, unsigned *second) {
    uint64_t hash = XXH3_64bits(id->bytes, sizeof id->bytes);
    *first = hash % (64 * SIEVE_WORDS);
    *second = (hash >> 32) % (64 * SIEVE_WORDS);
}

static void sieve_add(struct list *list, const mneme_id *id) {
    unsigned a, b;
    sieve_bits(id, &a, &b);
    list->sieve[a / 64] |= UINT64_C(1) << a % 64;
    list->sieve[b / 64] |= UINT64_C(1) << b % 64;
}

static bool list_has(const struct list *list, const mneme_id *id) {
    unsigned a, b;
    sieve_bits(id, &a, &b);
    if (!(list->sieve[a / 64] >> a % 64 & list->sieve[b / 64] >> b % 64 & 1))
        return false;
    for (size_t i = 0; i < list->count + list->more; i++)
        if (id_equal(&list->ids[i], id))
            return true;
    return false;
}

static void list_destroy(struct cache_item *item) { arena_free_taken(item); }

/* NULL: no memory, and the list is not kept. */
static struct cache_item *list_make(const struct store_query *query,
                                    const struct record_set *records, size_t count, bool more,
                                    const struct position *last) {
    AUTO_ARENA struct arena arena = {.first_size = sizeof(struct list) + 512 + count * 16};
    struct list *list = arena_zalloc(&arena, 1, sizeof *list);
    if (!list)
        return NULL;
    list->ids = arena_zalloc(&arena, count + more, sizeof *list->ids);
    if (!list->ids || query_copy(&arena, query, &list->query))
        return NULL;
    list->count = count;
    list->more = more;
    list->last = *last;
    for (size_t i = 0; i < count + more; i++) {
        list->ids[i] = records->records[i].id;
        sieve_add(list, &list->ids[i]);
    }
    struct cache_key key = query_key(query);
    cache_item_init(&list->item, &key, (mneme_version){0}, arena_size(&arena), list_destroy);
    return arena_take(&arena);
}

struct changes {
    const struct stored_record *records;
    size_t count;
};

/* Steps and checkpoints that are purged with their episode leave no change of their own. An open
 * episode may have been completed too, and opened again by a put, since the log was read last. */
static bool moves_children(const struct store_query *query, const struct stored_record *change) {
    bool of_children = query->kind == MNEME_STEP || query->kind == MNEME_CHECKPOINT;
    return change->kind == MNEME_EPISODE && of_children &&
           (!query->has_parent || id_equal(&query->parent, &change->id));
}

static bool list_is_touched(void *context, const struct cache_item *item) {
    const struct changes *changes = context;
    const struct list *list = list_of(item);
    for (size_t i = 0; i < changes->count; i++) {
        const struct stored_record *change = &changes->records[i];
        if (moves_children(&list->query, change))
            return true;
        if (change->kind == list->query.kind &&
            (list_has(list, &change->id) || query_matches(&list->query, change)))
            return true;
    }
    return false;
}

void lists_drop(struct cached *c, const struct stored_record *changes, size_t count) {
    struct changes all = {changes, count};
    if (c->parts[CACHED_QUERIES])
        cache_filter(c->parts[CACHED_QUERIES], list_is_touched, &all, CACHE_CHANGED);
}

/* ---- Pages --------------------------------------------------------------------------------- */

void cached_page_fini(struct cached_page *page) {
    for (size_t i = 0; i < page->count; i++)
        cache_item_release(page->items[i]);
    mem_free(page->items);
    *page = (struct cached_page){0};
}

static int page_init(struct cached_page *page, size_t count, mneme_error *error) {
    *page = (struct cached_page){0};
    page->items = mem_zalloc(count, sizeof(struct cache_item *));
    if (!page->items)
        return error_set(error, MNEME_NO_MEMORY, "no memory for a page of records");
    page->count = count;
    return 0;
}

/* The list of a query, pinned; NULL: none. */
static struct cache_item *list_acquire(struct cached *c, const struct store_query *query) {
    struct cache_key key = query_key(query);
    struct cache_item *item = cache_acquire(c->parts[CACHED_QUERIES], &key);
    if (item && !query_equal(&list_of(item)->query, query))
        cache_item_release(TAKE(item));
    return item;
}

/* Pin the records of a list. False: too many are not cached, or one is not there any more. */
static bool page_pin(struct cached *c, const struct list *list, struct cached_page *page) {
    struct cache *cache = cached_part_of(c, list->query.kind);
    size_t missing = 0, most = 1 + list->count / 8;
    for (size_t i = 0; i < list->count && missing <= most; i++) {
        struct cache_key key = cached_key(list->query.kind, &list->ids[i]);
        page->items[i] = cache_acquire(cache, &key);
        missing += page->items[i] == NULL;
        if (page->items[i] && page->items[i]->negative)
            return false;
    }
    if (missing > most)
        return false;
    for (size_t i = 0; i < list->count; i++)
        if (!page->items[i] &&
            cached_acquire(&c->base, list->query.kind, &list->ids[i], &page->items[i], NULL))
            return false;
    return true;
}

/* A page from the caches. It is of one moment: nothing was committed from before its list was found
 * until its last record was pinned. *found: false when there is no such page. */
static int page_from_list(struct cached *c, const struct store_query *query,
                          struct cached_page *out, bool *found, mneme_error *error) {
    if (!cached_sync(c))
        return 0;
    uint64_t moment = atomic_load_explicit(&c->synced, memory_order_acquire);
    struct cache_item *item = list_acquire(c, query);
    if (!item)
        return 0;
    const struct list *list = list_of(item);
    struct cached_page page;
    int status = page_init(&page, list->count, error);
    if (status == 0 && page_pin(c, list, &page) && atomic_load(c->base.moment) == moment) {
        page.more = list->more;
        page.last = list->last;
        *out = page;
        *found = true;
    } else if (status == 0) {
        cached_page_fini(&page);
    }
    cache_item_release(item);
    return status;
}

/* The item of a record that was just read: the one that is cached, if the caches may be used and
 * it is of the same version, or a fresh one. */
static int item_for(struct cached *c, const struct stored_record *record, bool in_step,
                    struct cache_item **out, bool *fresh, mneme_error *error) {
    struct cache *cache = in_step ? cached_part_of(c, record->kind) : NULL;
    struct cache_key key = cached_key(record->kind, &record->id);
    struct cache_item *item = cache ? cache_acquire(cache, &key) : NULL;
    *fresh = !item || version_compare(item->version, cached_stamp(record)) != 0;
    if (!*fresh) {
        *out = item;
        return 0;
    }
    cache_item_release(item);
    TRY(c->options.build(c->options.context, &key, record, out, error));
    (*out)->group = record->parent;
    return 0;
}

/*
 * Keep what a query has read, unless a change was taken over meanwhile: what it named may be among
 * it. A change that comes to the log later will be taken over later, and drop what it must.
 */
static void page_keep(struct cached *c, const struct cached_page *page, const bool *fresh,
                      struct cache_item *list, uint64_t moment) {
    AUTO_LOCK(held, &c->lock);
    bool in_step = atomic_load_explicit(&c->synced, memory_order_relaxed) == moment;
    for (size_t i = 0; in_step && i < page->count; i++) {
        struct cache *cache = cached_part_of(c, (mneme_kind)page->items[i]->key.space);
        if (cache && fresh[i]) {
            cache_item_hold(page->items[i]);
            cache_keep(cache, page->items[i]);
        }
    }
    if (in_step && list)
        cache_keep(c->parts[CACHED_QUERIES], list);
    else
        cache_item_release(list);
}

static int page_build(struct cached *c, const struct record_set *records, bool in_step,
                      struct cached_page *page, bool *fresh, mneme_error *error) {
    for (size_t i = 0; i < page->count; i++)
        TRY(item_for(c, &records->records[i], in_step, &page->items[i], &fresh[i], error));
    return 0;
}

/* A page from what a query has read; the caches keep it. */
static int page_make(struct cached *c, const struct store_query *query,
                     const struct record_set *records, bool more, bool in_step, uint64_t moment,
                     struct cached_page *out, mneme_error *error) {
    struct cached_page page;
    size_t count = size_min(records->count, query->limit);
    AUTO_FREE bool *fresh = mem_zalloc(count, sizeof *fresh);
    if (!fresh)
        return error_set(error, MNEME_NO_MEMORY, "no memory for a page of records");
    TRY(page_init(&page, count, error));
    int status = page_build(c, records, in_step, &page, fresh, error);
    if (status) {
        cached_page_fini(&page);
        return status;
    }
    bool listable = in_step && c->parts[CACHED_QUERIES] && cached_part_of(c, query->kind) &&
                    query->limit < STORE_PAGE_MAX;
    page.more = more;
    if (count)
        page.last = position_after(query, &records->records[count - 1]);
    struct cache_item *list = listable ? list_make(query, records, count, more, &page.last) : NULL;
    if (in_step)
        page_keep(c, &page, fresh, list, moment);
    *out = page;
    return 0;
}

static int page_from_below(struct cached *c, const struct store_query *query,
                           struct cached_page *out, mneme_error *error) {
    AUTO_RECORDS struct record_set records = {0};
    struct store_query wider = *query;
    bool more = false;
    bool in_step = cached_sync(c);
    uint64_t moment = atomic_load_explicit(&c->synced, memory_order_acquire);
    wider.limit += query->limit < STORE_PAGE_MAX; /* one behind the page: see `more` of a list */
    wider.without_bodies = false;
    TRY(store_query(c->below, &wider, &records, &more, error));
    more |= records.count > query->limit;
    TRY(page_make(c, query, &records, more, in_step, moment, out, error));
    if (c->parts[CACHED_QUERIES])
        cache_missed(c->parts[CACHED_QUERIES]);
    keeper_need(c);
    return 0;
}

int cached_list(struct store *store, const struct store_query *query, struct cached_page *out,
                mneme_error *error) {
    struct cached *c = cached_of(store);
    TRY(query_validate(query, error));
    struct store_query plain = query_plain(query);
    bool found = false;
    if (c->parts[CACHED_QUERIES] && cached_part_of(c, plain.kind))
        TRY(page_from_list(c, &plain, out, &found, error));
    out->hit = found;
    return found ? 0 : page_from_below(c, &plain, out, error);
}
