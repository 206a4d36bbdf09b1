/*
 * feed_pack.c - the order of plain pushes that takes the fewest pages.
 *
 * Rows of mneme_record are written in the order of their change numbers, and a row that does not
 * fit on the last page begins another. A compressed episode is often about half a page, so that in
 * any order a quarter of what is written is empty; and pages are what a server spends most on. Put
 * together by size (largest first, each on the fullest page that has room), they fill pages.
 *
 * Only records of one kind without parents change places, and only next to each other: nothing
 * that another record needs comes behind it. All of them go in at once or not at all.
 */
#include <stdlib.h>

#include "store/sql/feed_impl.h"

enum {
    PAGE = 4096,       /* SQLite's default, and what servers have */
    USABLE = PAGE - 8, /* without the head of a leaf */
    LOCAL_MAX = PAGE - 35,
    LOCAL_MIN = (PAGE - 12) * 32 / 255 - 23,
    TOGETHER_MAX = 256, /* rows; the work grows with its square */
    WORTH_BYTES = 8 * PAGE,
    ROW_BYTES = 100 /* of the small columns, about */
};

struct item {
    size_t from, size, page;
};

/* What a row takes of a leaf; the rest of a longer one has pages of its own. */
static size_t leaf_bytes(const struct stored_record *record) {
    size_t size = ROW_BYTES + record->body.size;
    for (size_t i = 0; i < record->attribute_count; i++)
        size += 6 + record->attributes[i].name.size + record->attributes[i].value.size;
    if (size <= LOCAL_MAX)
        return size;
    size = LOCAL_MIN + (size - LOCAL_MIN) % (PAGE - 4);
    return size <= LOCAL_MAX ? size : LOCAL_MIN;
}

static int by_size(const void *a, const void *b) {
    const struct item *x = a, *y = b;
    if (x->size != y->size)
        return x->size > y->size ? -1 : 1;
    return x->from < y->from ? -1 : 1;
}

static int by_page(const void *a, const void *b) {
    const struct item *x = a, *y = b;
    if (x->page != y->page)
        return x->page < y->page ? -1 : 1;
    return by_size(a, b);
}

static void assign_pages(struct item *items, size_t count) {
    size_t left[TOGETHER_MAX], pages = 0;
    qsort(items, count, sizeof *items, by_size);
    for (size_t i = 0; i < count; i++) {
        size_t best = pages;
        for (size_t p = 0; p < pages; p++)
            if (left[p] >= items[i].size && (best == pages || left[p] < left[best]))
                best = p;
        if (best == pages)
            left[pages++] = USABLE;
        left[best] -= items[i].size;
        items[i].page = best;
    }
    qsort(items, count, sizeof *items, by_page);
}

static void pack(struct mutation *mutations, struct feed_push **pushes, size_t count,
                 struct mutation *spare) {
    struct item items[TOGETHER_MAX];
    struct feed_push *spare_pushes[TOGETHER_MAX];
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        items[i] = (struct item){.from = i, .size = leaf_bytes(&mutations[i].record)};
        bytes += items[i].size;
    }
    if (bytes < WORTH_BYTES)
        return;
    assign_pages(items, count);
    memcpy(spare, mutations, count * sizeof *spare);
    memcpy(spare_pushes, pushes, count * sizeof *pushes);
    for (size_t i = 0; i < count; i++) {
        mutations[i] = spare[items[i].from];
        pushes[i] = spare_pushes[items[i].from];
    }
}

static bool may_swap(const struct mutation *a, const struct mutation *b) {
    return a->record.kind == b->record.kind && id_is_zero(&a->record.parent) &&
           id_is_zero(&b->record.parent);
}

void feed_pack(struct arena *arena, struct mutation *mutations, struct feed_push **pushes,
               size_t count) {
    struct mutation *spare = arena_zalloc(arena, TOGETHER_MAX, sizeof *spare);
    size_t from = 0, alike;
    for (; spare && from < count; from += alike) {
        alike = 1;
        while (from + alike < count && alike < TOGETHER_MAX &&
               may_swap(&mutations[from], &mutations[from + alike]))
            alike++;
        pack(mutations + from, pushes + from, alike, spare);
    }
}
