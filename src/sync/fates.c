/*
 * fates.c - what became of what went out, and what that means here.
 */
#include <stdio.h>

#include "sync/sync_impl.h"

static int no_memory(mneme_error *error) {
    return error_set(error, MNEME_NO_MEMORY, "no memory to sync");
}

/* ---- One by one ------------------------------------------------------------------------------ */

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
 * collected there. So it goes as new next time. But what was shared stays its base, by which its
 * stamps are told; and a tombstone still has to reach those who hold what was purged. */
static int settle_stale(struct sync *s, const struct outgoing *out, size_t i,
                        const struct feed_answer *answer, struct writes *w, mneme_error *error) {
    const struct feed_push *push = &out->pushes[i];
    const struct stored_record *ours = out->ours[i];
    const struct stored_record *base = outgoing_base(out, &out->marks[ours - out->set.records]);
    if (answer->more || push->expect == 0 || was_pulled(answer, push->record) || !base)
        return 0;
    return base_of_unshared(s, ours, base, NULL, 0, ours->change, w, error);
}

static int settle_refused(const struct feed_push *push, const struct stored_record *ours,
                          struct writes *w, mneme_error *error) {
    const struct stored_record *sent = push->record;
    char text[SHARED_REASON_MAX];
    struct slice reason;
    LOG(WARN, SYNC, "the remote refuses a record", LOG_STRING("kind", kind_name(sent->kind)),
        LOG_ID("id", &sent->id), LOG_ERROR_TYPE(push->error.code));
    snprintf(text, sizeof text, "%s%s", held_refused, push->error.message);
    if (arena_copy(&w->arena, slice_of_string(text), &reason))
        return no_memory(error);
    struct mutation *m = writes_mark(w, MARK_HELD, sent->kind, &sent->id, 0, NULL);
    writes_expect(m, ours->change);
    if (m)
        m->shared.reason = reason;
    return 0;
}

/* What is here now of what was sent: change[i], 0 when it is not there; and its mark. */
struct present {
    uint64_t *change;
    struct shared_mark *marks;
};

static int present_of(struct sync *s, const struct outgoing *out, struct arena *arena,
                      struct present *present, mneme_error *error) {
    AUTO_RECORDS struct record_set now = {0}, bases = {0};
    struct record_name *names = arena_zalloc(arena, out->count + 1, sizeof *names);
    size_t *found = arena_zalloc(arena, out->count + 1, sizeof *found);
    present->change = arena_zalloc(arena, out->count + 1, sizeof *present->change);
    present->marks = arena_zalloc(arena, out->count + 1, sizeof *present->marks);
    if (!names || !found || !present->change || !present->marks)
        return no_memory(error);
    for (size_t i = 0; i < out->count; i++)
        names[i] = (struct record_name){out->sent[i].kind, out->sent[i].id};
    TRY(store_get(s->options.local, names, out->count, &now, found, error));
    TRY(shared_marks(s->options.local, names, out->count, present->marks, &bases, error));
    for (size_t i = 0; i < out->count; i++)
        present->change[i] = found[i] == SIZE_MAX ? 0 : now.records[found[i]].change;
    return 0;
}

/* Whether it is marked as it was when it was gathered. A local write leaves the mark of what is in
 * the outbox; what came with the answer before this one may have changed it. */
static bool mark_stands(const struct outgoing *out, size_t i, const struct shared_mark *now) {
    const struct shared_mark *then = &out->marks[out->ours[i] - out->set.records];
    return then->mark == now->mark && then->at == now->at;
}

static int settle_one(struct sync *s, const struct outgoing *out, size_t i,
                      const struct present *present, const struct feed_answer *answer,
                      struct writes *w, mneme_error *error) {
    const struct feed_push *push = &out->pushes[i];
    const struct stored_record *ours = out->ours[i];
    uint64_t now = present->change[i];
    if (!ours) /* of a gone one nobody asks again, whatever came of it */
        (void)writes_mark(w, MARK_NONE, push->record->kind, &push->record->id, 0, NULL);
    else if (push->fate == FEED_TAKEN)
        settle_taken(push, ours, now, w);
    else if (now != ours->change)
        return 0;
    else if (push->fate == FEED_REFUSED)
        return settle_refused(push, ours, w, error);
    else if (mark_stands(out, i, &present->marks[i]))
        return settle_stale(s, out, i, answer, w, error);
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
        TRY(body_open(s, sent, &w->arena, &state, error));
        if (shared)
            TRY(body_open(s, shared, &w->arena, &before, error));
        TRY(merge_base(&state, &before, &w->arena, &base, error));
        TRY(body_close(s, &base, &w->arena, whole, error));
    }
    writes_expect(writes_mark(w, MARK_BASE, record->kind, &record->id, at, whole), now);
    return 0;
}

static int suspect_once(struct sync *s, const struct outgoing *out, bool *raced,
                        mneme_error *error) {
    AUTO_SYNC_WRITES struct writes w = {0};
    struct present present;
    TRY(present_of(s, out, &w.arena, &present, error));
    for (size_t i = 0; i < out->count; i++) {
        const struct feed_push *push = &out->pushes[i];
        if (push->op != FEED_PUT || present.change[i] == 0 ||
            !mark_stands(out, i, &present.marks[i]))
            continue;
        const struct shared_mark *mark = &out->marks[out->ours[i] - out->set.records];
        TRY(base_of_unshared(s, push->record, push->record, outgoing_base(out, mark), push->expect,
                             present.change[i], &w, error));
    }
    return writes_apply(s, &w, NULL, raced, error);
}

int outbox_suspect(struct sync *s, const struct outgoing *out, mneme_error *error) {
    enum { ATTEMPTS = 16 };
    bool raced = true;
    for (int attempt = 0; raced && attempt < ATTEMPTS; attempt++)
        TRY(suspect_once(s, out, &raced, error));
    return 0;
}

static int free_families(struct sync *s, const struct outgoing *out, struct writes *w,
                         mneme_error *error) {
    struct shared_counts counts;
    TRY(shared_state(s->options.local, &w->arena, NULL, NULL, &counts, error));
    for (size_t i = 0; i < out->count && counts.held; i++) {
        const struct feed_push *push = &out->pushes[i];
        if (push->fate == FEED_TAKEN && push->op == FEED_PUT && id_is_zero(&push->record->parent))
            TRY(scope_free_family(s, push->record, w, error));
    }
    return 0;
}

int outbox_settle(struct sync *s, const struct outgoing *out, const struct feed_answer *answer,
                  struct writes *w, struct sync_progress *progress, mneme_error *error) {
    struct present present;
    TRY(free_families(s, out, w, error)); /* before their change numbers move */
    TRY(present_of(s, out, &w->arena, &present, error));
    for (size_t i = 0; i < out->count; i++) {
        const struct feed_push *push = &out->pushes[i];
        progress->pushed += push->fate == FEED_TAKEN && out->ours[i];
        progress->held += push->fate == FEED_REFUSED;
        TRY(settle_one(s, out, i, &present, answer, w, error));
    }
    return 0;
}
