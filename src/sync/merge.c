/*
 * merge.c - two states of one record become one: which life it is, and what is in it.
 */
#include "sync/merge.h"

#include "codec/codec.h"
#include "model/member.h"
#include "sync/merge_impl.h"

static int no_memory(mneme_error *error) {
    return error_set(error, MNEME_NO_MEMORY, "no memory to merge records");
}

/* ---- One side as it is ------------------------------------------------------------------- */

static const uint32_t OF_CONTENT = MNEME_FLAG_DELETED | MNEME_FLAG_SEALED;

/* The result is this side, with the flags that have to be kept of the other. */
static int take_side(enum merge_outcome outcome, const struct merge_side *side, uint32_t flags,
                     struct arena *arena, struct merge_result *out, mneme_error *error) {
    out->outcome = outcome;
    out->side = *side;
    if (side->record->flags == flags)
        return 0;
    struct stored_record *copy = arena_alloc(arena, sizeof *copy);
    if (!copy)
        return no_memory(error);
    *copy = *side->record;
    copy->flags = flags;
    out->side.record = copy;
    return 0;
}

static int compare_numbers(uint64_t a, uint64_t b) { return a == b ? 0 : a < b ? -1 : 1; }

/* Records as registers: by version, then a tombstone before what lives, then by all that they have.
 */
static int compare_whole(const struct merge_side *a, const struct merge_side *b) {
    const struct stored_record *x = a->record, *y = b->record;
    int order = version_compare(x->version, y->version);
    if (order == 0)
        order = compare_numbers(merge_is_live(a), merge_is_live(b));
    if (order == 0)
        order = slice_compare(a->plain, b->plain);
    if (order == 0)
        order = memcmp(&x->parent, &y->parent, sizeof x->parent);
    if (order == 0)
        order = compare_numbers(x->place, y->place);
    if (order == 0)
        order = compare_numbers((uint64_t)x->time_us, (uint64_t)y->time_us);
    return order;
}

static int take_greater(const struct merge_side *mine, const struct merge_side *theirs,
                        struct merge_result *out) {
    int order = compare_whole(mine, theirs);
    out->outcome = order == 0 ? MERGE_EQUAL : order > 0 ? MERGE_MINE : MERGE_THEIRS;
    out->side = order >= 0 ? *mine : *theirs;
    return 0;
}

/* ---- Lives ------------------------------------------------------------------------------- */

/* All that merging two sides looks at. States of what lives only. */
struct meeting {
    const struct merge_side *base, *mine, *theirs;
    uint64_t self;
    struct arena *arena;
    struct merge_state old, ours, other; /* of what was shared, mine and theirs */
    struct merge_side shared;
};

/* When a side's life began, or its tombstone ended one: a life comes behind the tombstone it was
 * written over. -1, 0 or 1. */
static int compare_lives(const struct meeting *m) {
    bool mine = merge_is_live(m->mine), theirs = merge_is_live(m->theirs);
    int order = version_compare(mine ? m->ours.birth : m->mine->record->version,
                                theirs ? m->other.birth : m->theirs->record->version);
    return order ? order : compare_numbers(mine, theirs);
}

/* Whether a live side says something that the base did not. Of theirs this machine's own earlier
 * writes say nothing new: a push of them may have been done, and its answer lost. */
static bool has_edit(const struct meeting *m, bool theirs) {
    bool has_base = merge_is_live(&m->shared);
    if (has_base && merge_same_content(&m->old, theirs ? &m->other : &m->ours))
        return false;
    return !theirs || m->self == 0 ||
           merge_has_news(has_base ? &m->old : NULL, &m->other, m->self, m->mine->record->version);
}

/* Mine with its stamps. */
static int stamped_mine(const struct meeting *m, struct merge_side *out, mneme_error *error) {
    if ((!m->base->record && !m->self) || !merge_is_live(m->mine)) {
        *out = *m->mine;
        return 0;
    }
    TRY(merge_state_write(&m->ours, m->arena, out, error));
    if (slice_equal(out->plain, m->mine->plain))
        *out = *m->mine;
    return 0;
}

/* One life is over: the other side is the result. */
static int outlive(const struct meeting *m, bool mine_wins, struct merge_result *out,
                   mneme_error *error) {
    const struct merge_side *loser = mine_wins ? m->theirs : m->mine;
    if (merge_is_live(loser) && loser->record->kind != MNEME_SUPERSEDED && has_edit(m, mine_wins))
        out->loss = (struct merge_loss){.any = true, .by_delete = true, .mine = !mine_wins};
    struct merge_side winner = *m->theirs;
    if (mine_wins)
        TRY(stamped_mine(m, &winner, error));
    uint32_t flags = winner.record->flags;
    if (merge_is_live(&winner) && !mine_wins)
        flags |= m->mine->record->flags & MNEME_FLAG_LOCAL;
    return take_side(mine_wins ? MERGE_MINE : MERGE_THEIRS, &winner, flags, m->arena, out, error);
}

/* ---- One life ---------------------------------------------------------------------------- */

static bool same_record(const struct merge_side *a, const struct merge_side *b) {
    const struct stored_record *x = a->record, *y = b->record;
    return version_compare(x->version, y->version) == 0 && x->time_us == y->time_us &&
           id_equal(&x->parent, &y->parent) && x->place == y->place &&
           !((x->flags ^ y->flags) & OF_CONTENT) && slice_equal(a->plain, b->plain);
}

/* Whether mine was written since its base, by a memory that may have been set back meanwhile. */
static bool is_unaware(const struct meeting *m, mneme_version *base) {
    *base = m->base->record ? m->base->record->version : (mneme_version){0};
    return m->self == 0 && !m->ours.carried &&
           version_compare(*base, m->mine->record->version) != 0;
}

static int join_lives(struct meeting *m, struct merge_result *out, mneme_error *error) {
    struct merge_state joined;
    struct merge_side made, mine;
    mneme_version base;
    const mneme_version *unaware = is_unaware(m, &base) ? &base : NULL;
    const struct merge_state *old = merge_is_live(&m->shared) ? &m->old : NULL;
    if (merge_join(&m->ours, &m->other, m->arena, &joined))
        return no_memory(error);
    TRY(merge_state_write(&joined, m->arena, &made, error));
    TRY(stamped_mine(m, &mine, error));
    if (m->mine->record->kind != MNEME_SUPERSEDED &&
        merge_find_losses(old, &m->ours, &m->other, m->self, unaware, m->arena, out))
        return no_memory(error);
    bool is_mine = same_record(&made, &mine), is_theirs = same_record(&made, m->theirs);
    uint32_t flags = made.record->flags;
    if (is_mine)
        return take_side(is_theirs ? MERGE_EQUAL : MERGE_MINE, &mine, flags, m->arena, out, error);
    return take_side(is_theirs ? MERGE_THEIRS : MERGE_BOTH, is_theirs ? m->theirs : &made, flags,
                     m->arena, out, error);
}

/* ---- Records ----------------------------------------------------------------------------- */

static int read_states(struct meeting *m, mneme_error *error) {
    if (merge_is_live(m->mine))
        TRY(merge_stamp_state(m->base, m->mine, m->arena, &m->ours, error));
    if (merge_is_live(m->theirs))
        TRY(merge_state_read(m->theirs, m->arena, &m->other, error));
    TRY(merge_shared_of(m->base, m->arena, &m->shared, error));
    if (merge_is_live(&m->shared))
        TRY(merge_state_read(&m->shared, m->arena, &m->old, error));
    return 0;
}

static int merge_present(struct meeting *m, struct merge_result *out, mneme_error *error) {
    bool dead = !merge_is_live(m->mine) && !merge_is_live(m->theirs);
    if (dead || !kind_find(m->mine->record->kind))
        return take_greater(m->mine, m->theirs, out);
    TRY(read_states(m, error));
    if (merge_is_live(m->mine) && merge_is_live(m->theirs) &&
        merge_know_own(&m->ours, &m->other, m->self, m->arena))
        return no_memory(error);
    int order = compare_lives(m);
    return order ? outlive(m, order > 0, out, error) : join_lives(m, out, error);
}

int merge(const struct merge_side *base, const struct merge_side *mine,
          const struct merge_side *theirs, uint64_t self, struct arena *arena,
          struct merge_result *out, mneme_error *error) {
    struct meeting m = {base, mine, theirs, self, arena, {0}, {0}, {0}, {0}};
    struct merge_result made = {0};
    if (!mine->record || !theirs->record) {
        made.outcome = mine->record ? MERGE_MINE : MERGE_THEIRS;
        made.side = mine->record ? *mine : *theirs;
    } else {
        TRY(merge_present(&m, &made, error));
    }
    *out = made;
    return 0;
}

int merge_birth(const struct merge_side *side, struct arena *arena, mneme_version *out,
                mneme_error *error) {
    struct merge_state state = {0};
    if (merge_is_live(side) && kind_find(side->record->kind))
        TRY(merge_state_read(side, arena, &state, error));
    *out = state.birth;
    return 0;
}

/* ---- Late steps -------------------------------------------------------------------------- */

static int read_step(const struct merge_side *step, const struct field *f, struct arena *arena,
                     struct merge_item *out, mneme_error *error) {
    const struct stored_record *record = step->record;
    *out = (struct merge_item){.key = slice_of(&record->id, sizeof record->id)};
    if (merge_is_live(step)) {
        void *body = NULL;
        int status = record_body_of(record, step->plain, arena, &body);
        if (status == MNEME_CORRUPT)
            return error_set(error, status,
                             "a step of the episode does not decode; run mneme verify");
        if (status || merge_read_item(f, body, arena, out))
            return no_memory(error);
    }
    out->stamp = record->version;
    return 0;
}

static uint32_t find_steps(const struct schema *schema) {
    uint32_t i = 0;
    while (i < schema->count && schema->fields[i].schema != &step_schema)
        i++;
    return i;
}

int merge_fold(const struct merge_side *episode, const struct merge_side *steps, size_t count,
               struct arena *arena, struct merge_side *out, bool *changed, mneme_error *error) {
    struct merge_state state, late, joined;
    struct merge_side made = *episode;
    bool news = false;
    const struct kind *kind = kind_find(episode->record->kind);
    uint32_t row = kind ? find_steps(kind->schema) : 0;
    if (!kind || row == kind->schema->count)
        return error_set(error, MNEME_INVALID, "a %s takes no steps",
                         store_kind_name(episode->record->kind));
    if (merge_is_live(episode)) {
        TRY(merge_state_read(episode, arena, &state, error));
        late = state;
        late.rows[row] = (struct merge_row){.stamp = state.rows[row].stamp, .count = count};
        late.rows[row].items = arena_zalloc(arena, count, sizeof *late.rows[row].items);
        if (!late.rows[row].items)
            return no_memory(error);
        for (size_t i = 0; i < count; i++) {
            struct merge_item *item = &late.rows[row].items[i];
            TRY(read_step(&steps[i], &kind->schema->fields[row], arena, item, error));
            const struct merge_item *known = merge_find_item(&state.rows[row], item->key);
            bool lacks = !known && merge_is_live(&steps[i]);
            news = news || lacks || (known && merge_compare_items(known, item) < 0);
        }
        merge_sort_items(&late.rows[row]);
    }
    if (news) {
        if (merge_join(&state, &late, arena, &joined))
            return no_memory(error);
        TRY(merge_state_write(&joined, arena, &made, error));
    }
    *out = made;
    *changed = news;
    return 0;
}

int merge_outlived_steps(const struct merge_side *winner, const struct merge_side *loser,
                         struct arena *arena, struct merge_step **out, size_t *count,
                         mneme_error *error) {
    struct merge_state state;
    mneme_version birth;
    *count = 0;
    *out = NULL;
    TRY(merge_birth(winner, arena, &birth, error));
    if (!merge_is_live(winner))
        birth = winner->record->version;
    TRY(merge_state_read(loser, arena, &state, error));
    if (version_compare(birth, state.birth) <= 0)
        return 0;
    const struct merge_row *steps = &state.rows[find_steps(state.kind->schema)];
    *out = arena_zalloc(arena, steps->count + 1, sizeof **out);
    if (!*out)
        return no_memory(error);
    for (size_t i = 0; i < steps->count; i++) {
        const struct merge_item *step = &steps->items[i];
        if (!step->at || version_compare(step->stamp, birth) < 0)
            continue;
        struct merge_step *found = &(*out)[(*count)++];
        memcpy(&found->id, step->key.data, sizeof found->id);
        found->stamp = step->stamp;
    }
    return 0;
}
