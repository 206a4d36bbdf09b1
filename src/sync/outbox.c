/*
 * outbox.c - what goes out with an exchange.
 */
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

int body_open(struct sync *s, const struct stored_record *r, struct arena *arena,
              struct merge_side *out, mneme_error *error) {
    *out = (struct merge_side){.record = r};
    if (!record_is_live(r))
        return 0;
    return s->options.bodies.open(s->options.bodies.context, r, arena, &out->plain, error);
}

static int close_like(struct sync *s, const struct merge_side *side, struct slice like,
                      struct arena *arena, struct stored_record *out, mneme_error *error) {
    *out = *side->record;
    if (!record_is_live(out))
        return 0;
    out->plain_size = (uint32_t)side->plain.size;
    return s->options.bodies.close(s->options.bodies.context, out->kind, side->plain, like, arena,
                                   &out->body, error);
}

int body_close(struct sync *s, const struct merge_side *side, struct arena *arena,
               struct stored_record *out, mneme_error *error) {
    return close_like(s, side, (struct slice){0}, arena, out, error);
}

/* What is sent for ours[i]: *sent is another record than `mine` when it gets stamps. */
static int prepare(struct sync *s, struct outgoing *out, const struct stored_record *mine,
                   const struct shared_mark *mark, struct stored_record *sent, mneme_error *error) {
    const struct stored_record *base = outgoing_base(out, mark);
    struct merge_side ours, shared = {0}, stamped;
    *sent = *mine;
    if (!base || mine->kind == MNEME_DICTIONARY)
        return 0;
    TRY(body_open(s, mine, &out->arena, &ours, error));
    TRY(body_open(s, base, &out->arena, &shared, error));
    TRY(merge_stamp(&shared, &ours, &out->arena, &stamped, error));
    if (stamped.plain.data == ours.plain.data && stamped.plain.size == ours.plain.size) {
        *sent = *stamped.record;
        sent->body = mine->body;
        return 0;
    }
    return close_like(s, &stamped, mine->body, &out->arena, sent, error);
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
    if (record_is_live(r) && flags_hold_steps(r->flags))
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

/*
 * A record of the future gets its date here before it goes, so that it has one whatever becomes of
 * the sending; and goes with the next step. But not by what was known of the remote's clock before
 * ours may have been set, and not behind what this machine has sent and does not know of:
 *   1. the clock is hours ahead; a record is pushed, and the process dies;
 *   2. a tag is removed from it here;
 *   3. dated back, that would be older than what was pushed, which then brings the tag back.
 * So the remote is heard first, and all that it has taken in.
 */
static void date_back(struct sync *s, struct outgoing *out, const struct stored_record *mine,
                      mneme_version version, struct writes *w) {
    enum { CURRENT_US = 10 * 1000000 };
    struct stored_record dated = *mine;
    dated.version = version;
    if (!out->is_ahead && s->current_us && boot_us(s) - s->current_us < CURRENT_US)
        writes_expect(writes_record(w, &dated, MARK_NONE, 0), mine->change);
    else
        out->left = true;
    out->more = true;
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
        LOG(DEBUG, SYNC, "a record stays here", LOG_STRING("kind", kind_name(mine->kind)),
            LOG_ID("id", &mine->id), LOG_STRING("why", reason));
        return 0;
    }
    mneme_version version = bound_version(s, mine, outgoing_base(out, mark));
    if (version_compare(version, mine->version) != 0) {
        date_back(s, out, mine, version, w);
        return 0;
    }
    TRY(prepare(s, out, mine, mark, &out->sent[out->count], error));
    add_push(out, record_is_live(mine) ? FEED_PUT : FEED_DELETE, mine,
             mark->mark == MARK_BASE ? mark->at : 0);
    out->plain_bytes += mine->plain_size;
    return 0;
}

static bool is_among(const struct outgoing *out, const struct stored_record *r) {
    for (size_t i = 0; i < out->count; i++)
        if (out->sent[i].kind == r->kind && id_equal(&out->sent[i].id, &r->id))
            return true;
    return false;
}

int outbox_gather(struct sync *s, const struct outgoing *behind, struct outgoing *out,
                  mneme_error *error) {
    AUTO_SYNC_WRITES struct writes w = {0};
    size_t most = s->options.push_max;
    bool raced = false;
    if (!behind && s->rescan)
        s->scanned = 0;
    s->rescan = s->rescan && behind;
    out->is_ahead = behind != NULL;
    out->since = behind ? behind->upto : s->scanned;
    TRY(shared_outbox(s->options.local, out->since, most, s->options.push_bytes, &out->set,
                      &out->upto, &out->more, error));
    out->pushes = arena_zalloc(&out->arena, most, sizeof *out->pushes);
    out->ours = arena_zalloc(&out->arena, most, sizeof *out->ours);
    out->sent = arena_zalloc(&out->arena, most, sizeof *out->sent);
    if (!out->pushes || !out->ours || !out->sent)
        return no_memory(error);
    TRY(marks_of(s, out, error));
    for (size_t i = 0; i < out->set.count; i++) {
        if (behind && is_among(behind, &out->set.records[i]))
            out->left = true; /* what becomes of it depends on what became of that */
        else
            TRY(gather_record(s, out, i, &w, error));
    }
    if (w.count) /* a record that was changed meanwhile is in the outbox anew */
        TRY(writes_apply(s, &w, NULL, &raced, error));
    out->left = out->left || raced;
    if (behind)
        return 0;
    TRY(gather_gone(s, out, error));
    if (out->count == 0)
        outbox_settled(s, out);
    return 0;
}

void outbox_settled(struct sync *s, const struct outgoing *out) {
    bool left = out->left;
    for (size_t i = 0; i < out->count; i++)
        left = left || (out->ours[i] && out->pushes[i].fate == FEED_STALE);
    if (!left && out->since <= s->scanned && out->upto > s->scanned)
        s->scanned = out->upto;
}
