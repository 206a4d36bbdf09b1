/*
 * meet.c - meetings: with a remote for the first time, with one that was replaced or set back, and
 * after a time away that was longer than tombstones are kept.
 *
 * All three begin by taking back what the marks say: a clean record is marked clean at 0, a base is
 * a base at 0: "so it was; to be confirmed". Then the whole feed is pulled, and nothing is pushed.
 * A record that comes is compared as always, and its mark gets the number of this remote. At the
 * end, what is still at 0 the remote does not hold:
 *   - at a meeting it was lost there, or has never been there: the record goes out again;
 *   - after a long time away it was deleted there, and the tombstone has been collected: the record
 * is deleted here. What was changed here meanwhile lost against that delete, and is kept as
 *     superseded.
 * Marks are taken back in parts, and the state says so only behind the last one. The peer's number
 * is a new one before the first: so whatever remote is there after a crash in between does not know
 * us, and the rest follows; be it the one that the marks were of. People write meanwhile, and what
 * they write of a clean record makes it one with a base, with the number it had. So the clean ones
 * come first: else such a record would be met by neither look, and its number of another remote be
 * taken for one of this. At the end that does no harm: a base at 0 never counts as shared (pull.c).
 */
#include "sync/sync_impl.h"

enum { PAGE = 500 };

/* A page of marked names, with their records and bases. */
struct marked {
    struct record_name names[PAGE];
    uint64_t at[PAGE];
    struct shared_mark marks[PAGE];
    size_t found[PAGE];
    const struct record_set *records, *bases;
    size_t count;
};

static const struct stored_record *marked_record(const struct marked *page, size_t i) {
    return page->found[i] == SIZE_MAX ? NULL : &page->records->records[page->found[i]];
}

static const struct stored_record *marked_base(const struct marked *page, size_t i) {
    return page->marks[i].mark == MARK_BASE ? &page->bases->records[page->marks[i].base] : NULL;
}

typedef int marked_visit(struct sync *s, struct marked *page, struct writes *w,
                         struct sync_progress *progress, mneme_error *error);

/* The next page of names, without those that are no concern of the visit: at the end of a meeting
 * what was confirmed, which may be nearly all. */
static int read_page(struct sync *s, enum mark mark, bool confirmed,
                     const struct record_name *after, struct marked *page, struct record_name *last,
                     bool *more, struct arena *arena, mneme_error *error) {
    size_t count, kept = 0;
    TRY(shared_names(s->options.local, mark, after, PAGE, page->names, page->at, NULL, arena,
                     &count, error));
    *more = count == PAGE;
    if (count)
        *last = page->names[count - 1];
    for (size_t i = 0; i < count; i++) {
        if ((page->at[i] != 0) != confirmed && mark != MARK_GONE)
            continue;
        page->names[kept] = page->names[i];
        page->at[kept++] = page->at[i];
    }
    page->count = kept;
    return 0;
}

static int visit_page(struct sync *s, struct marked *page, marked_visit *visit,
                      struct sync_progress *progress, bool *raced, mneme_error *error) {
    AUTO_RECORDS struct record_set records = {0}, bases = {0};
    AUTO_SYNC_WRITES struct writes w = {0};
    struct store *local = s->options.local;
    *raced = false;
    TRY(store_get(local, page->names, page->count, &records, page->found, error));
    TRY(shared_marks(local, page->names, page->count, page->marks, &bases, error));
    page->records = &records;
    page->bases = &bases;
    TRY(visit(s, page, &w, progress, error));
    return w.count ? writes_apply(s, &w, NULL, raced, error) : 0;
}

/* Visit what has this mark: what is `confirmed`, at a number of this remote, or what is not. */
static int each_page(struct sync *s, enum mark mark, bool confirmed, marked_visit *visit,
                     struct sync_progress *progress, mneme_error *error) {
    AUTO_FREE struct marked *page = mem_zalloc(1, sizeof *page);
    struct record_name after, last;
    bool begun = false, more = true;
    if (!page)
        return error_set(error, MNEME_NO_MEMORY, "no memory to sync");
    while (more) {
        AUTO_ARENA struct arena arena = {0};
        bool raced = false;
        TRY(read_page(s, mark, confirmed, begun ? &after : NULL, page, &last, &more, &arena,
                      error));
        if (page->count)
            TRY(visit_page(s, page, visit, progress, &raced, error));
        if (raced) { /* the page is looked at again */
            more = true;
            continue;
        }
        after = last;
        begun = true;
    }
    return 0;
}

/* ---- The beginning --------------------------------------------------------------------------- */

static int take_back(struct sync *s, struct marked *page, struct writes *w,
                     struct sync_progress *progress, mneme_error *error) {
    (void)s, (void)progress, (void)error;
    for (size_t i = 0; i < page->count; i++) {
        const struct record_name *n = &page->names[i];
        const struct shared_mark *mark = &page->marks[i];
        const struct stored_record *mine = marked_record(page, i);
        if (mark->mark == MARK_GONE)
            (void)writes_mark(w, MARK_NONE, n->kind, &n->id, 0, NULL);
        else if (!mine || mark->at == 0)
            continue;
        else if (mark->mark == MARK_CLEAN)
            writes_expect(writes_mark(w, MARK_CLEAN, n->kind, &n->id, 0, NULL), mine->change);
        else if (mark->mark == MARK_BASE)
            writes_expect(
                writes_mark(w, MARK_BASE, n->kind, &n->id, 0, &page->bases->records[mark->base]),
                mine->change);
    }
    return 0;
}

static const char *verdict_name(enum feed_verdict verdict) {
    static const char *const names[] = {[FEED_OK] = "ok",
                                        [FEED_OTHER_EPOCH] = "made anew",
                                        [FEED_UNKNOWN] = "does not know us",
                                        [FEED_OTHER_TAG] = "set back",
                                        [FEED_FENCED] = "we were set back"};
    return names[verdict];
}

int meet_begin(struct sync *s, const struct feed_answer *answer, mneme_error *error) {
    AUTO_SYNC_WRITES struct writes w = {0};
    bool away = answer->verdict == FEED_UNKNOWN && s->state.cursor < answer->floor;
    struct sync_state next = s->state;
    bool raced;
    next.peer = chance(s) | 1;
    TRY(writes_apply(s, &w, &next, &raced, error));
    /* The way of a mark by local writes: clean, changed, gone, and changed again. */
    TRY(each_page(s, MARK_CLEAN, true, take_back, NULL, error));
    TRY(each_page(s, MARK_BASE, true, take_back, NULL, error));
    TRY(each_page(s, MARK_GONE, true, take_back, NULL, error));
    TRY(each_page(s, MARK_BASE, true, take_back, NULL, error));
    next.phase = away ? PHASE_COMPARING : PHASE_MEETING;
    sync_tags_make(s, &next);
    next.epoch[0] = 0;
    next.cursor = next.told_cursor = 0;
    next.told_us = 0;
    TRY(writes_apply(s, &w, &next, &raced, error));
    LOG(WARN, SYNC, "the remote is not as it was left: all is compared",
        LOG_STRING("why", verdict_name(answer->verdict)), LOG_BOOL("away_too_long", away));
    s->unsure = false; /* these tags were never sent */
    s->current_us = 0;
    return 0;
}

/* ---- The end --------------------------------------------------------------------------------- */

/* What the remote has not is to go there again. It is its own base, or keeps the one it has: so
 * what is changed of it later is told from what was there before. But that counts as shared no
 * longer. */
static int send_again(struct sync *s, struct marked *page, struct writes *w,
                      struct sync_progress *progress, mneme_error *error) {
    (void)progress;
    for (size_t i = 0; i < page->count; i++) {
        const struct stored_record *mine = marked_record(page, i);
        const struct shared_mark *mark = &page->marks[i];
        if (!mine || mark->at)
            continue;
        const struct stored_record *state =
            mark->mark == MARK_BASE ? &page->bases->records[mark->base] : mine;
        TRY(base_of_unshared(s, mine, state, NULL, 0, mine->change, w, error));
    }
    return 0;
}

/* What was changed here of a record that was deleted there. */
static int keep_lost(struct sync *s, const struct stored_record *mine, struct writes *w,
                     mneme_error *error) {
    static const struct merge_loss loss = {.any = true, .by_delete = true, .mine = true};
    struct merge_side side = {.record = mine}, made;
    struct stored_record superseded, *copy;
    if (mine->kind == MNEME_SUPERSEDED || mine->kind == MNEME_DICTIONARY)
        return 0;
    TRY(s->options.bodies.open(s->options.bodies.context, mine, &w->arena, &side.plain, error));
    TRY(merge_superseded(&side, mine->version, &loss, &w->arena, &superseded, &made.plain, error));
    made.record = &superseded;
    copy = arena_alloc(&w->arena, sizeof *copy);
    if (!copy)
        return error_set(error, MNEME_NO_MEMORY, "no memory to sync");
    TRY(body_close(s, &made, &w->arena, copy, error));
    struct mutation *put = writes_record(w, copy, MARK_NONE, 0);
    if (put)
        put->exact = false;
    return 0;
}

/* `base`: of one that was changed here; NULL: it was not. When it was deleted there is not known
 * any more, but that was of what was shared: so the tombstone has that version, and a later life
 * that somebody gives the record, knowing of the delete, stands against it. */
static int delete_one(struct sync *s, const struct stored_record *mine,
                      const struct stored_record *base, struct writes *w,
                      struct sync_progress *progress, mneme_error *error) {
    struct stored_record tombstone = {.kind = mine->kind,
                                      .flags = MNEME_FLAG_DELETED,
                                      .id = mine->id,
                                      .parent = mine->parent,
                                      .place = mine->place,
                                      .time_us = mine->time_us,
                                      .version = base ? base->version : mine->version};
    if (record_is_live(mine)) {
        if (base) {
            TRY(keep_lost(s, mine, w, error));
            progress->superseded++;
        }
        writes_expect(writes_record(w, &tombstone, MARK_NONE, 0), mine->change);
        progress->merged++;
        (void)writes_mark(w, MARK_NONE, mine->kind, &mine->id, 0, NULL);
    } else {
        writes_expect(writes_mark(w, MARK_NONE, mine->kind, &mine->id, 0, NULL), mine->change);
    }
    return 0;
}

static int delete_lacking(struct sync *s, struct marked *page, struct writes *w,
                          struct sync_progress *progress, mneme_error *error) {
    for (size_t i = 0; i < page->count; i++)
        if (page->marks[i].at == 0 && marked_record(page, i))
            TRY(delete_one(s, marked_record(page, i), marked_base(page, i), w, progress, error));
    return 0;
}

int meet_end(struct sync *s, struct sync_progress *progress, mneme_error *error) {
    AUTO_SYNC_WRITES struct writes w = {0};
    bool raced;
    if (s->state.phase == PHASE_COMPARING) {
        TRY(each_page(s, MARK_CLEAN, false, delete_lacking, progress, error));
        TRY(each_page(s, MARK_BASE, false, delete_lacking, progress, error));
    } else {
        TRY(each_page(s, MARK_BASE, false, send_again, progress, error));
        TRY(each_page(s, MARK_CLEAN, false, send_again, progress, error));
    }
    LOG(INFO, SYNC, "all was compared with the remote", LOG_WHOLE("merged", progress->merged),
        LOG_WHOLE("superseded", progress->superseded));
    struct sync_state next = s->state;
    next.phase = PHASE_IN_STEP;
    s->rescan = true;
    return writes_apply(s, &w, &next, &raced, error);
}
