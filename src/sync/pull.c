/*
 * pull.c - a page of the feed: what each record of it means for what is here.
 *
 * A record that was not changed here since it was last shared is replaced by what came, without
 * being opened. One that was is merged: the result goes in here, what came is its base, and so it
 * is in the outbox again, to be pushed over what it was merged with. Marks at 0 belong to a meeting
 * (meet.c): what was clean is merged too, for a remote that was set back may hold an older state.
 */
#include <stdlib.h>

#include "sync/plan.h"

static int no_memory(mneme_error *error) {
    return error_set(error, MNEME_NO_MEMORY, "no memory to sync");
}

int plan_open(struct plan *plan, const struct stored_record *record, struct merge_side *out,
              mneme_error *error) {
    return body_open(plan->sync, record, &plan->arena, out, error);
}

/* ---- Items ----------------------------------------------------------------------------------- */

/* Sets move their records as they grow; what these point to stays. */
static int pin(struct plan *plan, const struct record_set *set, size_t index,
               const struct stored_record **out, mneme_error *error) {
    struct stored_record *copy;
    *out = NULL;
    if (index == SIZE_MAX)
        return 0;
    copy = arena_alloc(&plan->arena, sizeof *copy);
    if (!copy)
        return no_memory(error);
    *copy = set->records[index];
    *out = copy;
    return 0;
}

/* Fill in what is here of items[from…]. */
static int look(struct plan *plan, size_t from, mneme_error *error) {
    size_t count = plan->count - from;
    struct store *local = plan->sync->options.local;
    struct record_name *names = arena_zalloc(&plan->arena, count + 1, sizeof *names);
    struct shared_mark *marks = arena_zalloc(&plan->arena, count + 1, sizeof *marks);
    size_t *found = arena_zalloc(&plan->arena, count + 1, sizeof *found);
    if (!names || !marks || !found)
        return no_memory(error);
    for (size_t i = 0; i < count; i++)
        names[i] = (struct record_name){plan->items[from + i].kind, plan->items[from + i].id};
    TRY(store_get(local, names, count, &plan->mine, found, error));
    TRY(shared_marks(local, names, count, marks, &plan->bases, error));
    for (size_t i = 0; i < count; i++) {
        struct item *item = &plan->items[from + i];
        item->mark = marks[i];
        TRY(pin(plan, &plan->mine, found[i], &item->mine, error));
        TRY(pin(plan, &plan->bases, marks[i].mark == MARK_BASE ? marks[i].base : SIZE_MAX,
                &item->base, error));
    }
    return 0;
}

int plan_item(struct plan *plan, mneme_kind kind, const mneme_id *id, struct item **out,
              mneme_error *error) {
    *out = plan_find(plan, kind, id);
    if (*out || plan->count == plan->capacity)
        return 0;
    struct item new = {.kind = kind, .id = *id}, *item = &plan->items[plan->count];
    TRY(plan_add(plan, &new, 1, error));
    TRY(look(plan, plan->count - 1, error));
    if (item->mine) {
        item->result = (struct merge_side){.record = item->mine};
        *out = item;
    } else {
        item->ignored = true;
    }
    return 0;
}

int plan_name(struct plan *plan, mneme_kind kind, const mneme_id *id, struct item **out,
              mneme_error *error) {
    const struct item blank = {.kind = kind, .id = *id};
    *out = plan_find(plan, kind, id);
    if (*out)
        return 0;
    TRY(plan_add(plan, &blank, 1, error));
    TRY(look(plan, plan->count - 1, error));
    *out = &plan->items[plan->count - 1];
    (*out)->result.record = (*out)->mine;
    return 0;
}

/* ---- Decisions ------------------------------------------------------------------------------- */

static bool same_bytes(const struct stored_record *a, const struct stored_record *b) {
    return a && version_compare(a->version, b->version) == 0 && a->flags == b->flags &&
           slice_equal(a->body, b->body);
}

/* The version that mine would have gone out with. What it has instead of theirs was written knowing
 * theirs, if that is of this machine: so it stays behind theirs if it was, though both be from the
 * future. */
static mneme_version dated(const struct plan *plan, const struct item *item) {
    mneme_version was = item->mine->version, theirs = item->theirs->version;
    mneme_version version = bound_version(plan->sync, item->mine, item->base);
    if (version_compare(was, theirs) > 0 && version.clock <= theirs.clock)
        version.clock = was.clock > theirs.clock ? theirs.clock + 1 : was.clock;
    return version;
}

/* The device whose earlier writes mine knows of. Not at a meeting: then this memory may have been
 * set back, and its own later writes be news to it. */
static int own_device(struct sync *s, uint64_t *out, mneme_error *error) {
    struct store_stats stats;
    *out = 0;
    if (s->state.phase != PHASE_IN_STEP)
        return 0;
    TRY(store_stats(s->options.local, &stats, error));
    *out = stats.device;
    return 0;
}

static int decide_by_merging(struct plan *plan, struct item *item, mneme_error *error) {
    struct stored_record *own = arena_alloc(&plan->arena, sizeof *own);
    struct merge_side base = {0}, mine, theirs;
    struct merge_result merged;
    uint64_t self;
    if (!own)
        return no_memory(error);
    *own = *item->mine; /* as it would have gone out, or has */
    own->version = dated(plan, item);
    TRY(plan_open(plan, own, &mine, error));
    TRY(plan_open(plan, item->theirs, &theirs, error));
    if (item->base)
        TRY(plan_open(plan, item->base, &base, error));
    if (item->mark.mark == MARK_CLEAN)
        base = mine; /* nothing was written since */
    if (base.record && item->mark.at == 0) {
        /* It was shared with another remote, or before this one was set back, or never was. */
        struct merge_side nothing = {0}, was = base;
        TRY(merge_base(&was, &nothing, &plan->arena, &base, error));
    }
    TRY(own_device(plan->sync, &self, error));
    TRY(merge(&base, &mine, &theirs, self, &plan->arena, &merged, error));
    item->losses[0] = merged.loss;
    item->losses[1] = merged.also;
    for (size_t i = 0; i < COUNT_OF(item->losses); i++) {
        item->lost[i] = item->losses[i].mine ? mine : theirs;
    }
    if (merged.outcome == MERGE_MINE || merged.outcome == MERGE_BOTH) {
        item->result = merged.side;
        item->changed = true;
    }
    item->kept = item->result.record->version;
    return 0;
}

static int decide(struct plan *plan, struct item *item, mneme_error *error) {
    const struct stored_record *mine = item->mine;
    bool takes = true;
    item->result = (struct merge_side){.record = item->theirs};
    if (mine && mine->flags & MNEME_FLAG_LOCAL) {
        item->ignored = true;
    } else if (item->mark.mark == MARK_GONE) {
        /* A step that lies in its episode here: news only if it was changed there. */
        item->ignored = !record_is_live(item->theirs) || item->theirs->change == item->mark.at;
    } else if (!mine) {
        TRY(scope_takes(plan->sync, item->theirs, &plan->answer->records, &takes, error));
        item->ignored = !takes;
    } else if (!same_bytes(mine, item->theirs) &&
               (item->mark.mark != MARK_CLEAN || item->mark.at == 0)) {
        return decide_by_merging(plan, item, error);
    }
    return 0;
}

int plan_make(struct plan *plan, mneme_error *error) {
    const struct record_set *page = &plan->answer->records;
    /* Behind those of the page there is room for a parent of each. */
    TRY(plan_reserve(plan, page->count * 2 + 1, error));
    for (size_t i = 0; i < page->count; i++) {
        const struct stored_record *theirs = &page->records[i];
        struct item item = {.kind = theirs->kind, .id = theirs->id, .theirs = theirs};
        TRY(plan_add(plan, &item, 1, error));
    }
    TRY(look(plan, 0, error));
    for (size_t i = 0; i < page->count; i++)
        TRY(decide(plan, &plan->items[i], error));
    return 0;
}

/* ---- Writing it down ------------------------------------------------------------------------- */

static int write_superseded(struct plan *plan, const struct item *item, size_t i, struct writes *w,
                            mneme_error *error) {
    struct stored_record head, *whole = arena_alloc(&plan->arena, sizeof *whole);
    struct merge_side made = {.record = &head};
    if (!whole)
        return no_memory(error);
    TRY(merge_superseded(&item->lost[i], item->kept, &item->losses[i], &plan->arena, &head,
                         &made.plain, error));
    if (plan_find(plan, head.kind,
                  &head.id)) /* another machine made it, and it comes with the page */
        return 0;
    TRY(body_close(plan->sync, &made, &plan->arena, whole, error));
    struct mutation *put = writes_record(w, whole, MARK_NONE, 0);
    if (put)
        put->exact = false; /* passed over when it is there, or was settled already */
    return 0;
}

/* The step lies in its episode now; the remote is told with the next exchange that has nothing
 * else. */
static void write_removed(const struct item *item, struct writes *w) {
    if (item->mine) {
        struct mutation *purge = writes_add(w, MUTATION_PURGE, item->kind, &item->id);
        writes_expect(purge, item->mine->change);
        if (purge)
            purge->shared.mark = MARK_CLEAN;
    }
    uint64_t at = item->theirs ? item->theirs->change : item->mark.at;
    struct mutation *gone = at ? writes_mark(w, MARK_GONE, item->kind, &item->id, at, NULL) : NULL;
    if (gone)
        gone->record.parent = item->result.record->parent;
}

/* The base of what was merged here; see merge_base. */
static int write_base(struct plan *plan, const struct item *item, struct writes *w,
                      mneme_error *error) {
    bool was_clean = item->mark.mark == MARK_CLEAN;
    const struct stored_record *shared = item->theirs ? item->theirs
                                         : was_clean  ? item->mine
                                                      : item->base;
    uint64_t at = item->theirs ? item->theirs->change : item->mark.at;
    struct merge_side side = {0}, base;
    struct stored_record *whole = arena_alloc(&plan->arena, sizeof *whole);
    if (!whole)
        return no_memory(error);
    if (!shared) /* it is new, and stays so */
        return 0;
    if (!record_is_live(item->result.record)) {
        (void)writes_mark(w, MARK_BASE, item->kind, &item->id, at, shared);
        return 0;
    }
    TRY(plan_open(plan, shared, &side, error));
    TRY(merge_base(&item->result, &side, &plan->arena, &base, error));
    TRY(body_close(plan->sync, &base, &plan->arena, whole, error));
    (void)writes_mark(w, MARK_BASE, item->kind, &item->id, at, whole);
    return 0;
}

static int write_changed(struct plan *plan, const struct item *item, struct writes *w,
                         mneme_error *error) {
    struct stored_record *whole = arena_alloc(&plan->arena, sizeof *whole);
    if (!whole)
        return no_memory(error);
    TRY(body_close(plan->sync, &item->result, &plan->arena, whole, error));
    writes_expect(writes_record(w, whole, MARK_NONE, 0), item->mine ? item->mine->change : 0);
    return write_base(plan, item, w, error);
}

/* One delete that two machines made may have two places: that of the remote stays. */
static bool is_there(const struct item *item) {
    return same_bytes(item->mine, item->theirs) && item->mine->place == item->theirs->place;
}

static int write_item(struct plan *plan, const struct item *item, struct writes *w,
                      struct sync_progress *progress, mneme_error *error) {
    uint64_t expect = item->mine ? item->mine->change : 0;
    bool unchanged = !item->theirs && !item->changed && !item->removed;
    if (item->ignored || unchanged)
        return 0;
    progress->pulled += item->theirs != NULL;
    progress->merged += item->changed || item->removed;
    if (item->removed)
        write_removed(item, w);
    else if (item->changed)
        TRY(write_changed(plan, item, w, error));
    else if (is_there(item))
        writes_expect(writes_mark(w, MARK_CLEAN, item->kind, &item->id, item->theirs->change, NULL),
                      expect);
    else
        writes_expect(writes_record(w, item->theirs, MARK_CLEAN, item->theirs->change), expect);
    return 0;
}

static int write_losses(struct plan *plan, const struct item *item, struct writes *w,
                        struct sync_progress *progress, mneme_error *error) {
    for (size_t i = 0; i < COUNT_OF(item->losses); i++) {
        if (!item->losses[i].any || item->ignored)
            continue;
        progress->superseded++;
        LOG(WARN, SYNC, "an edit was overruled and is kept as a conflict",
            LOG_STRING("kind", kind_name(item->kind)), LOG_ID("id", &item->id),
            LOG_BOOL("ours", item->losses[i].mine));
        TRY(write_superseded(plan, item, i, w, error));
    }
    return 0;
}

/* Before anything else: what the batch itself does to children is no race. */
static void write_guards(const struct item *item, struct writes *w) {
    static const mneme_kind kinds[] = {MNEME_STEP, MNEME_CHECKPOINT};
    if (item->relied)
        writes_expect(writes_add(w, MUTATION_CHECK, item->kind, &item->id), item->mine->change);
    for (size_t i = 0; i < COUNT_OF(item->guards); i++) {
        const struct children_guard *g = &item->guards[i];
        struct mutation *guard =
            g->set ? writes_add(w, MUTATION_CHECK, item->kind, &item->id) : NULL;
        if (!guard)
            continue;
        guard->condition = CONDITION_CHILDREN;
        guard->expect_kind = kinds[i];
        guard->expect_count = g->count;
        guard->expect_place = g->last_place;
    }
}

/* Without a push of ours that was acknowledged: the remote refused it here, say, and another
 * machine has shared it. */
static bool begins_to_be_shared(const struct item *item) {
    bool is_new = item->mark.mark == MARK_NONE || item->mark.mark == MARK_BASE;
    return item->theirs && item->mine && is_new && item->mark.at == 0 && !item->ignored;
}

/* Dictionaries, which others are packed with, then by id; items of one id stay in the order of the
 * plan. */
static int item_order(const void *left, const void *right) {
    const struct item *a = *(const struct item *const *)left;
    const struct item *b = *(const struct item *const *)right;
    int first = (b->kind == MNEME_DICTIONARY) - (a->kind == MNEME_DICTIONARY);
    int order = first ? first : memcmp(a->id.bytes, b->id.bytes, sizeof a->id.bytes);
    return order ? order : (a > b) - (a < b);
}

/*
 * Records of several machines come in turns, and ids begin with the time: in the order of ids those
 * of a page lie behind all that is here, and are appended to it. In the order of the remote most
 * would go in between, and leave a file that is nearly a third larger.
 */
int plan_write(struct plan *plan, struct writes *w, struct sync_progress *progress,
               mneme_error *error) {
    const struct item **items = arena_alloc(&plan->arena, (plan->count + 1) * sizeof *items);
    struct shared_counts counts;
    if (!items)
        return no_memory(error);
    TRY(shared_state(plan->sync->options.local, NULL, NULL, NULL, &counts, error));
    for (size_t i = 0; i < plan->count; i++) {
        const struct item *item = items[i] = &plan->items[i];
        write_guards(item, w);
        if (begins_to_be_shared(item) && counts.held)
            TRY(scope_free_family(plan->sync, item->theirs, w, error));
    }
    /* What tells of a loss goes out before what caused it: should this store be lost in between, or
     * set back, then the remote would have the one without the other. */
    for (size_t i = 0; i < plan->count; i++)
        TRY(write_losses(plan, &plan->items[i], w, progress, error));
    qsort(items, plan->count, sizeof *items, item_order);
    for (size_t i = 0; i < plan->count; i++)
        TRY(write_item(plan, items[i], w, progress, error));
    return 0;
}
