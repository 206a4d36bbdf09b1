/*
 * outbox.c - what goes out with an exchange, and what its fate means here.
 */
#include <stdio.h>

#include "sync/sync_impl.h"

void outgoing_fini(struct outgoing *out) {
    record_set_fini(&out->set);
    record_set_fini(&out->bases);
    arena_fini(&out->arena);
    *out = (struct outgoing){0};
}

static int no_memory(mneme_error *error) {
    return error_set(error, MNEME_NO_MEMORY, "no memory to sync");
}

/* ---- Preparing a record ---------------------------------------------------------------------- */

/* The greatest clock that a version may leave this machine with. */
static uint64_t clock_limit(const struct sync *s) {
    int64_t remote_us = wall_us(s) + s->state.skew_us + s->options.ahead_us;
    return s->state.skew_known && remote_us > 0 ? (uint64_t)(remote_us / 1000) << 16 : UINT64_MAX;
}

/* A version from the future comes back, but stays greater than that of the base. */
mneme_version bound_version(const struct sync *s, const struct stored_record *mine,
                            const struct stored_record *base) {
    mneme_version version = mine->version;
    uint64_t limit = clock_limit(s);
    uint64_t least = base ? base->version.clock + 1 : 0;
    if (version.clock > limit)
        version.clock = least > limit ? least : limit;
    return version.clock < mine->version.clock ? version : mine->version;
}

static int open_body(struct sync *s, const struct stored_record *r, struct arena *arena,
                     struct merge_side *out, mneme_error *error) {
    *out = (struct merge_side){.record = r};
    if (!record_is_live(r))
        return 0;
    return s->options.bodies.open(s->options.bodies.context, r, arena, &out->plain, error);
}

int body_close(struct sync *s, const struct merge_side *side, struct arena *arena,
               struct stored_record *out, mneme_error *error) {
    *out = *side->record;
    if (!record_is_live(out))
        return 0;
    out->plain_size = (uint32_t)side->plain.size;
    return s->options.bodies.close(s->options.bodies.context, out->kind, side->plain, arena,
                                   &out->body, error);
}

static const struct stored_record *base_of(const struct outgoing *out,
                                           const struct shared_mark *mark) {
    return mark->mark == MARK_BASE ? &out->bases.records[mark->base] : NULL;
}

/* What is sent for ours[i]: *sent is another record than `mine` when it gets stamps. */
static int prepare(struct sync *s, struct outgoing *out, const struct stored_record *mine,
                   const struct shared_mark *mark, struct stored_record *sent, mneme_error *error) {
    const struct stored_record *base = base_of(out, mark);
    struct merge_side ours, shared = {0}, stamped;
    *sent = *mine;
    if (!base || mine->kind == MNEME_DICTIONARY)
        return 0;
    TRY(open_body(s, mine, &out->arena, &ours, error));
    TRY(open_body(s, base, &out->arena, &shared, error));
    TRY(merge_stamp(&shared, &ours, &out->arena, &stamped, error));
    if (stamped.plain.data == ours.plain.data && stamped.plain.size == ours.plain.size) {
        *sent = *stamped.record;
        sent->body = mine->body;
        return 0;
    }
    return body_close(s, &stamped, &out->arena, sent, error);
}

/* ---- Gathering ------------------------------------------------------------------------------- */

static int marks_of(struct sync *s, struct outgoing *out, mneme_error *error) {
    size_t count = out->set.count;
    struct record_name *names = arena_zalloc(&out->arena, count + 1, sizeof *names);
    out->marks = arena_zalloc(&out->arena, count + 1, sizeof *out->marks);
    if (!names || !out->marks)
        return no_memory(error);
    for (size_t i = 0; i < count; i++)
        names[i] = (struct record_name){out->set.records[i].kind, out->set.records[i].id};
    return shared_marks(s->options.local, names, count, out->marks, &out->bases, error);
}

static void add_push(struct outgoing *out, enum feed_op op, const struct stored_record *ours,
                     uint64_t expect) {
    out->pushes[out->count] =
        (struct feed_push){.op = op, .record = &out->sent[out->count], .expect = expect};
    out->ours[out->count++] = ours;
}

/* What becomes there of a step that has gone here, by the episode it went into. */
enum gone_fate { GONE_WAITS, GONE_PURGE, GONE_DELETE };

/* The episode is completed, and so it is there: the step is in it, and goes without a trace. It has
 * yet to go there: the step stays till then. It is open again, or deleted: then the step was
 * removed, and all have to hear of it. */
static int gone_fate(struct sync *s, const mneme_id *episode, enum gone_fate *out,
                     mneme_version *version, mneme_error *error) {
    enum { FLAG_LOOSE = 4 }; /* as in fold.c */
    AUTO_RECORDS struct record_set set = {0}, bases = {0};
    struct record_name name = {MNEME_EPISODE, *episode};
    struct shared_mark mark;
    size_t found;
    *out = GONE_DELETE;
    *version = (mneme_version){.clock = 1, .device = 1};
    TRY(store_get(s->options.local, &name, 1, &set, &found, error));
    if (found == SIZE_MAX)
        return 0;
    const struct stored_record *r = &set.records[found];
    TRY(shared_marks(s->options.local, &name, 1, &mark, &bases, error));
    *version = r->version;
    if (record_is_live(r) && r->flags & MNEME_FLAG_SEALED && !(r->flags & FLAG_LOOSE))
        *out = mark.mark == MARK_CLEAN ? GONE_PURGE : GONE_WAITS;
    return 0;
}

static int gather_one_gone(struct sync *s, struct outgoing *out, const struct record_name *name,
                           uint64_t at, struct slice parent, mneme_error *error) {
    struct stored_record *sent = &out->sent[out->count];
    enum gone_fate fate;
    *sent = (struct stored_record){.kind = name->kind, .id = name->id};
    memcpy(sent->parent.bytes, parent.data, sizeof sent->parent.bytes);
    TRY(gone_fate(s, &sent->parent, &fate, &sent->version, error));
    sent->flags = fate == GONE_DELETE ? MNEME_FLAG_DELETED : 0;
    if (fate != GONE_WAITS)
        add_push(out, fate == GONE_PURGE ? FEED_PURGE : FEED_DELETE, NULL, at);
    return 0;
}

/* Steps that went into their episodes here are removed there, once the episodes are there. */
static int gather_gone(struct sync *s, struct outgoing *out, mneme_error *error) {
    enum { SOME = 100 };
    struct record_name names[SOME];
    struct slice parents[SOME];
    uint64_t at[SOME];
    size_t count, room = size_min(SOME, s->options.push_max - out->count);
    struct shared_counts counts;
    TRY(shared_state(s->options.local, &out->arena, NULL, NULL, &counts, error));
    if (counts.gone == 0 || room == 0)
        return 0;
    TRY(shared_names(s->options.local, MARK_GONE, s->gone_from_set ? &s->gone_from : NULL, room,
                     names, at, parents, &out->arena, &count, error));
    for (size_t i = 0; i < count; i++)
        TRY(gather_one_gone(s, out, &names[i], at[i], parents[i], error));
    /* The next look goes on behind those that wait. */
    s->gone_from_set = count == room;
    if (count)
        s->gone_from = names[count - 1];
    return 0;
}

static int gather_record(struct sync *s, struct outgoing *out, size_t i, struct writes *w,
                         mneme_error *error) {
    const struct stored_record *mine = &out->set.records[i];
    const struct shared_mark *mark = &out->marks[i];
    const char *reason;
    TRY(scope_of_outgoing(s, mine, mark, &reason, error));
    if (reason) {
        struct mutation *m = writes_mark(w, MARK_HELD, mine->kind, &mine->id, 0, NULL);
        writes_expect(m, mine->change);
        if (m)
            m->shared.reason = slice_of_string(reason);
        out->held++;
        return 0;
    }
    struct stored_record dated = *mine;
    dated.version = bound_version(s, mine, base_of(out, mark));
    if (version_compare(dated.version, mine->version) != 0) {
        /* It gets its date here before it goes, so that it has one whatever becomes of the sending;
         * and goes with the next step. */
        writes_expect(writes_record(w, &dated, MARK_NONE, 0), mine->change);
        out->more = true;
        return 0;
    }
    TRY(prepare(s, out, mine, mark, &out->sent[out->count], error));
    add_push(out, record_is_live(mine) ? FEED_PUT : FEED_DELETE, mine,
             mark->mark == MARK_BASE ? mark->at : 0);
    out->plain_bytes += mine->plain_size;
    return 0;
}

int outbox_gather(struct sync *s, struct outgoing *out, mneme_error *error) {
    AUTO_SYNC_WRITES struct writes w = {0};
    size_t most = s->options.push_max;
    uint64_t since = s->rescan ? 0 : s->scanned;
    bool raced = false;
    TRY(shared_outbox(s->options.local, since, most, s->options.push_bytes, &out->set, &out->upto,
                      &out->more, error));
    out->pushes = arena_zalloc(&out->arena, most, sizeof *out->pushes);
    out->ours = arena_zalloc(&out->arena, most, sizeof *out->ours);
    out->sent = arena_zalloc(&out->arena, most, sizeof *out->sent);
    if (!out->pushes || !out->ours || !out->sent)
        return no_memory(error);
    TRY(marks_of(s, out, error));
    for (size_t i = 0; i < out->set.count; i++)
        TRY(gather_record(s, out, i, &w, error));
    if (w.count) /* a record that was changed meanwhile is in the outbox anew */
        TRY(writes_apply(s, &w, NULL, &raced, error));
    /* Up to here nothing is left but what is about to go; what was dated lies behind. */
    s->scanned = raced ? since : out->count ? out->ours[0]->change - 1 : out->upto;
    s->rescan = false;
    return gather_gone(s, out, error);
}

/* ---- Fates ----------------------------------------------------------------------------------- */

/* It is there. Here it is clean, or, changed meanwhile (`now` is its change number here), it has
 * what went as its base; or it has gone into its episode. */
static void settle_taken(const struct feed_push *push, const struct stored_record *ours,
                         uint64_t now, struct writes *w) {
    const struct stored_record *sent = push->record;
    if (now == 0) {
        struct mutation *gone =
            writes_mark(w, MARK_GONE, sent->kind, &sent->id, push->change, NULL);
        writes_expect(gone, 0);
        if (gone)
            gone->record.parent = sent->parent;
    } else if (now != ours->change) {
        writes_expect(writes_mark(w, MARK_BASE, sent->kind, &sent->id, push->change, sent), now);
    } else if (version_compare(sent->version, ours->version) == 0 &&
               slice_equal(sent->body, ours->body)) {
        writes_expect(writes_mark(w, MARK_CLEAN, sent->kind, &sent->id, push->change, NULL),
                      ours->change);
    } else {
        writes_expect(writes_record(w, sent, MARK_CLEAN, push->change), ours->change);
    }
}

static bool was_pulled(const struct feed_answer *answer, const struct stored_record *r) {
    for (size_t i = 0; i < answer->records.count; i++)
        if (answer->records.records[i].kind == r->kind &&
            id_equal(&answer->records.records[i].id, &r->id))
            return true;
    return false;
}

/* The remote holds another change of it, which comes with the feed, or has come with this answer.
 * All of the feed was read, and it did not: then the remote holds nothing, for it was purged or
 * collected there. So it goes as a new record next time. */
static void settle_stale(const struct feed_push *push, const struct feed_answer *answer,
                         const struct stored_record *ours, struct writes *w) {
    const struct stored_record *sent = push->record;
    if (answer->more || push->expect == 0 || was_pulled(answer, sent))
        return;
    writes_expect(writes_mark(w, MARK_NONE, sent->kind, &sent->id, 0, NULL), ours->change);
}

static int settle_refused(const struct feed_push *push, const struct stored_record *ours,
                          struct writes *w, mneme_error *error) {
    const struct stored_record *sent = push->record;
    char text[SHARED_REASON_MAX];
    struct slice reason;
    snprintf(text, sizeof text, "%s%s", held_refused, push->error.message);
    if (arena_copy(&w->arena, slice_of_string(text), &reason))
        return no_memory(error);
    struct mutation *m = writes_mark(w, MARK_HELD, sent->kind, &sent->id, 0, NULL);
    writes_expect(m, ours->change);
    if (m)
        m->shared.reason = reason;
    return 0;
}

/* The change number that a record has here now; 0: it is not there. */
static int change_now(struct sync *s, const struct stored_record *r, uint64_t *out,
                      mneme_error *error) {
    AUTO_RECORDS struct record_set now = {0};
    struct record_name name = {r->kind, r->id};
    size_t found;
    TRY(store_get(s->options.local, &name, 1, &now, &found, error));
    *out = found == SIZE_MAX ? 0 : now.records[found].change;
    return 0;
}

static int settle_one(struct sync *s, const struct feed_push *push,
                      const struct stored_record *ours, const struct feed_answer *answer,
                      struct writes *w, mneme_error *error) {
    uint64_t now;
    if (!ours) { /* of a gone one nobody asks again, whatever came of it */
        (void)writes_mark(w, MARK_NONE, push->record->kind, &push->record->id, 0, NULL);
        return 0;
    }
    TRY(change_now(s, ours, &now, error));
    if (push->fate == FEED_TAKEN)
        settle_taken(push, ours, now, w);
    else if (now == ours->change && push->fate == FEED_STALE)
        settle_stale(push, answer, ours, w);
    else if (now == ours->change)
        return settle_refused(push, ours, w, error);
    return 0;
}

int base_of_unshared(struct sync *s, const struct stored_record *record,
                     const struct stored_record *sent, const struct stored_record *shared,
                     uint64_t at, uint64_t now, struct writes *w, mneme_error *error) {
    struct merge_side state, before = {0}, base;
    struct stored_record *whole = arena_alloc(&w->arena, sizeof *whole);
    if (!whole)
        return no_memory(error);
    *whole = *sent;
    if (record_is_live(sent) && sent->kind != MNEME_DICTIONARY) {
        TRY(open_body(s, sent, &w->arena, &state, error));
        if (shared)
            TRY(open_body(s, shared, &w->arena, &before, error));
        TRY(merge_base(&state, &before, &w->arena, &base, error));
        TRY(body_close(s, &base, &w->arena, whole, error));
    }
    writes_expect(writes_mark(w, MARK_BASE, record->kind, &record->id, at, whole), now);
    return 0;
}

int outbox_suspect(struct sync *s, const struct outgoing *out, mneme_error *error) {
    AUTO_SYNC_WRITES struct writes w = {0};
    bool raced;
    for (size_t i = 0; i < out->count; i++) {
        const struct feed_push *push = &out->pushes[i];
        const struct shared_mark *mark;
        uint64_t now;
        if (push->op != FEED_PUT)
            continue;
        TRY(change_now(s, push->record, &now, error));
        mark = &out->marks[out->ours[i] - out->set.records];
        if (now)
            TRY(base_of_unshared(s, push->record, push->record,
                                 mark->mark == MARK_BASE ? &out->bases.records[mark->base] : NULL,
                                 push->expect, now, &w, error));
    }
    return writes_apply(s, &w, NULL, &raced, error);
}

/* What was held because its head was not shared may go now. */
static int free_family(struct sync *s, const struct stored_record *head, struct writes *w,
                       mneme_error *error) {
    const struct attribute subject = {slice_of_string("subject"),
                                      slice_of(head->id.bytes, sizeof head->id.bytes)};
    const struct store_query queries[] = {
        {.kind = MNEME_STEP, .has_parent = true, .parent = head->id},
        {.kind = MNEME_CHECKPOINT, .has_parent = true, .parent = head->id},
        {.kind = MNEME_EMBEDDING, .filters = &subject, .filter_count = 1}};
    for (size_t i = 0; i < COUNT_OF(queries); i++) {
        struct store_query query = queries[i];
        bool more = true;
        query.without_bodies = true;
        query.limit = STORE_PAGE_MAX;
        while (more) {
            AUTO_RECORDS struct record_set page = {0};
            TRY(store_query(s->options.local, &query, &page, &more, error));
            for (size_t k = 0; k < page.count; k++)
                writes_expect(
                    writes_mark(w, MARK_FREE, page.records[k].kind, &page.records[k].id, 0, NULL),
                    page.records[k].change);
            if (page.count)
                query.after = position_after(&query, &page.records[page.count - 1]);
        }
    }
    s->rescan = true;
    return 0;
}

static int free_families(struct sync *s, const struct outgoing *out, struct writes *w,
                         mneme_error *error) {
    struct shared_counts counts;
    TRY(shared_state(s->options.local, &w->arena, NULL, NULL, &counts, error));
    for (size_t i = 0; i < out->count && counts.held; i++) {
        const struct feed_push *push = &out->pushes[i];
        if (push->fate == FEED_TAKEN && push->op == FEED_PUT && id_is_zero(&push->record->parent))
            TRY(free_family(s, push->record, w, error));
    }
    return 0;
}

int outbox_settle(struct sync *s, const struct outgoing *out, const struct feed_answer *answer,
                  struct writes *w, struct sync_progress *progress, mneme_error *error) {
    TRY(free_families(s, out, w, error)); /* before their change numbers move */
    for (size_t i = 0; i < out->count; i++) {
        const struct feed_push *push = &out->pushes[i];
        progress->pushed += push->fate == FEED_TAKEN && out->ours[i];
        progress->held += push->fate == FEED_REFUSED;
        TRY(settle_one(s, push, out->ours[i], answer, w, error));
    }
    return 0;
}
