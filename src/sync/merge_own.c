/*
 * merge_own.c - what theirs has of this machine's own earlier writes.
 *
 * A push whose answer was lost may be on the remote while nothing here says so: mine has no base,
 * or an older one, and was written on since:
 *   1. this machine pushes a record with the tag "a"; the remote takes it, the answer is lost;
 *   2. here the tag is removed, by a write that knows no stamps;
 *   3. the record comes with the feed. "a" is in it, and not in mine: was it removed, or never
 * seen? An element that this machine wrote, and at an earlier version than mine, it has seen: the
 * writes of one machine follow each other. So what mine has instead is newer: it gets mine's
 * version.
 */
#include "sync/merge_impl.h"

static bool is_known(mneme_version stamp, uint64_t self, mneme_version mine) {
    return stamp.device == self && version_compare(stamp, mine) < 0;
}

static bool is_behind(mneme_version ours, mneme_version theirs) {
    return version_compare(ours, theirs) < 0;
}

static int know_items(struct merge_row *ours, const struct merge_row *other, uint64_t self,
                      mneme_version version, struct arena *arena) {
    struct merge_item *items = arena_zalloc(arena, ours->count + other->count, sizeof *items);
    if (!items)
        return MNEME_NO_MEMORY;
    if (ours->count)
        memcpy(items, ours->items, ours->count * sizeof *items);
    ours->items = items;
    size_t had = ours->count;
    for (size_t i = 0; i < other->count; i++) {
        const struct merge_item *theirs = &other->items[i];
        struct merge_row before = {.items = items, .count = had};
        struct merge_item *own = merge_find_item(&before, theirs->key);
        if (!is_known(theirs->stamp, self, version))
            continue;
        if (own && !merge_same_value(own, theirs) && is_behind(own->stamp, theirs->stamp))
            own->stamp = version;
        if (!own && theirs->at)
            items[ours->count++] =
                (struct merge_item){.key = theirs->key, .stamp = version, .place = theirs->place};
    }
    merge_sort_items(ours);
    return 0;
}

int merge_know_own(struct merge_state *ours, const struct merge_state *other, uint64_t self,
                   struct arena *arena) {
    mneme_version version = ours->header.version;
    if (self == 0 || ours->carried)
        return 0;
    bool open = !(ours->header.flags & MNEME_FLAG_SEALED); /* then its steps are not in it */
    for (uint32_t i = 0; i < ours->kind->schema->count; i++) {
        if (open && ours->kind->schema->fields[i].schema == &step_schema)
            continue;
        struct merge_row *row = &ours->rows[i];
        const struct merge_row *theirs = &other->rows[i];
        if (is_known(theirs->stamp, self, version) && !slice_equal(row->value, theirs->value) &&
            is_behind(row->stamp, theirs->stamp))
            row->stamp = version;
        if (theirs->count)
            TRY(know_items(row, theirs, self, version, arena));
    }
    return 0;
}

/* ---- What is no news ------------------------------------------------------------------------ */

static bool is_news(mneme_version stamp, uint64_t self, mneme_version mine) {
    return !version_is_zero(stamp) && !is_known(stamp, self, mine);
}

bool merge_has_news(const struct merge_state *base, const struct merge_state *theirs, uint64_t self,
                    mneme_version mine) {
    static const struct merge_item nothing;
    for (uint32_t i = 0; i < theirs->kind->schema->count; i++) {
        const struct merge_row *row = &theirs->rows[i], *old = base ? &base->rows[i] : NULL;
        if (is_news(row->stamp, self, mine) && !(old && slice_equal(old->value, row->value)))
            return true;
        for (size_t k = 0; k < row->count; k++) {
            const struct merge_item *item = &row->items[k];
            const struct merge_item *was = old ? merge_find_item(old, item->key) : NULL;
            if (is_news(item->stamp, self, mine) &&
                !(old && merge_same_value(item, was ? was : &nothing)))
                return true;
        }
    }
    return false;
}
