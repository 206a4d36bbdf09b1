/*
 * fold.c - families: steps that came late to an episode that is completed, and children of an
 * episode that is deleted.
 *
 * Two machines, one open episode:
 *   1. A completes it: its steps move into its record. B, which does not know, appends a step.
 *   2. Whoever hears of the other first has both a sealed episode and a step beside it: on B, when
 *      the sealed episode comes; on A, when the step comes.
 *   3. There the step is put into the episode, which goes out again. Should both do so, they make
 *      the same record (merge.h), and the second to push finds that there is nothing to do.
 * A step that was deleted on one machine while another completed the episode: its tombstone takes
 * it out again if it is newer than what wrote the sealed record, and with it its steps, last before
 * it was shared. A deleted episode takes with it what is under it, also what its deleter had not
 * seen: a child whose author did not know of the delete gets a tombstone with the episode's
 * version, so that it is the same wherever it is made, and is kept as superseded.
 */
#include "sync/plan.h"

static int no_memory(mneme_error *error) {
    return error_set(error, MNEME_NO_MEMORY, "no memory to sync");
}

static bool takes_steps_in(const struct item *item) {
    return item->kind == MNEME_EPISODE && record_is_live(item->result.record) &&
           flags_hold_steps(item->result.record->flags);
}

static bool is_child(mneme_kind kind) { return kind == MNEME_STEP || kind == MNEME_CHECKPOINT; }

/* The live children here, or the tombstones of others, that are no items of the plan, as items of
 * their own array. */
static int children_look(struct plan *plan, const mneme_id *parent, mneme_kind kind, bool dead,
                         struct item **out, size_t *count, mneme_error *error) {
    struct store_query query = {.kind = kind,
                                .dead = dead,
                                .has_parent = true,
                                .parent = *parent,
                                .order = ORDER_OLDEST_FIRST,
                                .limit = STORE_PAGE_MAX};
    struct store *local = plan->sync->options.local;
    struct record_set *set = &plan->children;
    const struct kind_stats *there = &plan->stats.kinds[kind];
    size_t first = set->count;
    /* A machine that takes in all there is asks this for every episode. What joins while we look
     * is met by the guard. */
    bool more = dead ? there->tombstones > 0 : there->records > 0;
    while (more) {
        size_t before = set->count;
        TRY(store_query(local, &query, set, &more, error));
        if (set->count > before)
            query.after = position_after(&query, &set->records[set->count - 1]);
    }
    *count = 0;
    *out = NULL;
    if (set->count == first)
        return 0;
    *out = arena_zalloc(&plan->arena, set->count - first, sizeof **out);
    struct stored_record *pinned = arena_zalloc(&plan->arena, set->count - first, sizeof *pinned);
    struct record_name *names = arena_zalloc(&plan->arena, set->count - first, sizeof *names);
    struct shared_mark *marks = arena_zalloc(&plan->arena, set->count - first, sizeof *marks);
    if (!*out || !pinned || !names || !marks)
        return no_memory(error);
    for (size_t i = first; i < set->count; i++) {
        if (plan_find(plan, kind, &set->records[i].id))
            continue;
        pinned[*count] = set->records[i];
        names[*count] = (struct record_name){kind, set->records[i].id};
        (*out)[*count] = (struct item){.kind = kind,
                                       .id = set->records[i].id,
                                       .mine = &pinned[*count],
                                       .result.record = &pinned[*count]};
        ++*count;
    }
    TRY(shared_marks(local, names, *count, marks, &plan->bases, error));
    for (size_t i = 0; i < *count; i++)
        (*out)[i].mark = marks[i];
    return 0;
}

static void count_child(struct children_guard *guard, const struct stored_record *child) {
    guard->count++;
    if (child->place > guard->last_place)
        guard->last_place = child->place;
}

/* An open episode is completed, or one deleted, by what came: a step that joins it meanwhile, as it
 * may here until then, would be in neither; nor would a checkpoint. `children` are those that are
 * no items of the plan. */
static void guard_children(struct plan *plan, struct item *episode, mneme_kind kind,
                           const struct item *children, size_t count) {
    const struct stored_record *mine = episode->mine;
    struct children_guard *guard = &episode->guards[kind == MNEME_CHECKPOINT];
    if (!record_is_live(mine) || (kind == MNEME_STEP && mine->flags & MNEME_FLAG_SEALED))
        return;
    guard->set = true;
    for (size_t i = 0; i < count; i++)
        count_child(guard, children[i].mine);
    for (size_t i = 0; i < plan->count; i++) {
        const struct stored_record *child = plan->items[i].mine;
        if (plan->items[i].kind == kind && record_is_live(child) &&
            id_equal(&child->parent, &episode->id))
            count_child(guard, child);
    }
}

/* What a live item will be, with its stamps: those of a local write come of its base. */
static int result_open(struct plan *plan, const struct item *item, struct merge_side *out,
                       mneme_error *error) {
    struct merge_side base, own;
    *out = item->result;
    if (item->changed)
        return 0;
    TRY(plan_open(plan, item->result.record, &own, error));
    *out = own;
    if (!item->base || item->result.record != item->mine)
        return 0;
    TRY(plan_open(plan, item->base, &base, error));
    return merge_stamp(&base, &own, &plan->arena, out, error);
}

/* ---- Late steps ------------------------------------------------------------------------------ */

/* Of a step: live ones go in, and tombstones may take one out. */
static bool is_step_of(const struct item *item, const mneme_id *episode) {
    return !item->ignored && item->result.record && id_equal(&item->result.record->parent, episode);
}

/* Those of the page, and those here, as sides. */
static int sides_of(struct plan *plan, const mneme_id *episode, const struct item *children,
                    size_t child_count, const struct item *dead, size_t dead_count,
                    struct merge_side **out, size_t *count, mneme_error *error) {
    size_t most = child_count + dead_count;
    for (size_t i = 0; i < plan->step_count; i++)
        most += is_step_of(&plan->items[plan->steps[i]], episode);
    *count = 0;
    if (most == 0)
        return 0;
    *out = arena_zalloc(&plan->arena, most, sizeof **out);
    if (!*out)
        return no_memory(error);
    for (size_t i = 0; i < plan->step_count; i++) {
        const struct item *item = &plan->items[plan->steps[i]];
        if (!is_step_of(item, episode))
            continue;
        if (item->changed)
            (*out)[(*count)++] = item->result;
        else
            TRY(plan_open(plan, item->result.record, &(*out)[(*count)++], error));
    }
    for (size_t i = 0; i < child_count; i++)
        TRY(plan_open(plan, children[i].mine, &(*out)[(*count)++], error));
    for (size_t i = 0; i < dead_count; i++)
        (*out)[(*count)++] = dead[i].result;
    return 0;
}

static int fold(struct plan *plan, size_t at, mneme_error *error) {
    struct item *episode = &plan->items[at], *children, *dead;
    struct merge_side side, folded, *steps;
    size_t child_count, dead_count, count;
    bool changed = false;
    /* Then all that is clean came just now, and who sealed the episode may have been set back. */
    bool meeting = plan->sync->state.phase != PHASE_IN_STEP;
    TRY(children_look(plan, &episode->id, MNEME_STEP, false, &children, &child_count, error));
    TRY(children_look(plan, &episode->id, MNEME_STEP, true, &dead, &dead_count, error));
    guard_children(plan, episode, MNEME_STEP, children, child_count);
    TRY(sides_of(plan, &episode->id, children, child_count, dead, dead_count, &steps, &count,
                 error));
    if (count == 0)
        return 0;
    TRY(result_open(plan, episode, &side, error));
    TRY(merge_fold(&side, steps, count, &plan->arena, &folded, &changed, error));
    if (changed) {
        episode->result = folded;
        episode->changed = true;
    }
    for (size_t i = 0; i < plan->step_count; i++) {
        struct item *step = &plan->items[plan->steps[i]];
        if (is_step_of(step, &episode->id))
            step->removed = record_is_live(step->result.record);
    }
    for (size_t i = 0; i < child_count; i++) {
        children[i].removed = true;
        if (!changed && !meeting) /* whoever sealed the episode removes them there */
            children[i].mark.at = 0;
    }
    return plan_add(plan, children, child_count, error);
}

/* ---- Children of the deleted ----------------------------------------------------------------- */

/*
 * Whether a child that comes from the remote, and is not here, was written by this machine before
 * it ended the episode's life: a push of it was done, its answer lost, the episode completed, which
 * purged the child, and deleted. So it was deleted knowingly, and nothing is lost.
 */
static int was_known(struct plan *plan, const struct item *child,
                     const struct stored_record *tombstone, bool *yes, mneme_error *error) {
    const struct merge_side none = {0}, dead = {.record = tombstone};
    struct merge_result result;
    uint64_t self = plan->stats.device;
    *yes = false;
    if (!child->theirs || child->mine || child->changed || tombstone->version.device != self ||
        plan->sync->state.phase != PHASE_IN_STEP)
        return 0;
    TRY(merge(&none, &dead, &child->lost[0], self, &plan->arena, &result, error));
    *yes = result.outcome == MERGE_MINE && !result.loss.any;
    return 0;
}

static int delete_child(struct plan *plan, struct item *child, mneme_version version,
                        mneme_error *error) {
    bool known;
    struct stored_record *tombstone = arena_alloc(&plan->arena, sizeof *tombstone);
    const struct stored_record *r = child->result.record;
    if (!tombstone)
        return no_memory(error);
    if (child->changed)
        child->lost[0] = child->result;
    else
        TRY(plan_open(plan, r, &child->lost[0], error));
    *tombstone = (struct stored_record){.kind = r->kind,
                                        .flags = MNEME_FLAG_DELETED,
                                        .id = r->id,
                                        .parent = r->parent,
                                        .place = r->place,
                                        .time_us = r->time_us,
                                        .version = version};
    TRY(was_known(plan, child, tombstone, &known, error));
    child->result = (struct merge_side){.record = tombstone};
    child->changed = true;
    child->kept = version;
    child->losses[0] = (struct merge_loss){.any = !known, .by_delete = true, .mine = true};
    return 0;
}

/* Whether whoever deleted the episode makes a tombstone for this child, if the remote still has it:
 * it was shared before the delete was. Not when it is the younger one: then the deleter did not
 * know of it, and may have put the episode again by the time that it does, so that the child lives.
 */
static bool goes_quietly(const struct item *child, const struct item *episode) {
    return child->mark.mark == MARK_CLEAN && child->mark.at &&
           child->mark.at < episode->theirs->change &&
           version_compare(child->mine->version, episode->result.record->version) < 0;
}

/* Those of the children here whose author did not know get tombstones. The others go without a
 * trace. */
static int delete_children(struct plan *plan, size_t at, mneme_kind kind, mneme_error *error) {
    struct item episode = plan->items[at], *children;
    size_t count, kept = 0;
    TRY(children_look(plan, &episode.id, kind, false, &children, &count, error));
    guard_children(plan, &plan->items[at], kind, children, count);
    for (size_t i = 0; i < count; i++) {
        if (goes_quietly(&children[i], &episode)) {
            children[i].removed = true;
            children[i].mark.at = 0;
        } else {
            TRY(delete_child(plan, &children[i], episode.result.record->version, error));
        }
        children[kept++] = children[i];
    }
    return plan_add(plan, children, kept, error);
}

/* A child of an earlier life of its episode, which was deleted and put again meanwhile: it went
 * with that life. */
static int outlived(struct plan *plan, struct item *parent, const struct stored_record *child,
                    bool *yes, mneme_version *birth, mneme_error *error) {
    struct merge_side side;
    *yes = false;
    TRY(result_open(plan, parent, &side, error));
    TRY(merge_birth(&side, &plan->arena, birth, error));
    *yes = version_compare(child->version, *birth) < 0;
    return 0;
}

/* A live child of the page, by what its episode is here. Should that be deleted before the child
 * goes in, nobody would delete the child. */
static int meet_parent(struct plan *plan, struct item *child, struct item *parent,
                       mneme_error *error) {
    const struct stored_record *head = parent->result.record;
    mneme_version version;
    bool over = true;
    if (parent->ignored || !head || !record_is_live(child->result.record))
        return 0;
    version = head->version;
    parent->relied = parent->mine != NULL;
    if (record_is_live(head))
        TRY(outlived(plan, parent, child->result.record, &over, &version, error));
    return over ? delete_child(plan, child, version, error) : 0;
}

/* Children here of an earlier life of an episode that comes with a new one. */
static int drop_outlived(struct plan *plan, size_t at, mneme_kind kind, mneme_error *error) {
    struct item episode = plan->items[at], *children;
    size_t count, kept = 0;
    TRY(children_look(plan, &episode.id, kind, false, &children, &count, error));
    for (size_t i = 0; i < count; i++) {
        mneme_version birth;
        bool over;
        TRY(outlived(plan, &episode, children[i].mine, &over, &birth, error));
        if (!over)
            continue;
        bool shared = children[i].mark.mark == MARK_CLEAN && children[i].mark.at;
        children[i].removed = shared; /* whoever ended that life has told the remote */
        children[i].mark.at = 0;
        if (!shared)
            TRY(delete_child(plan, &children[i], birth, error));
        children[kept++] = children[i];
    }
    return plan_add(plan, children, kept, error);
}

/* ---- Families -------------------------------------------------------------------------------- */

int plan_families(struct plan *plan, mneme_error *error) {
    size_t page = plan->count;
    TRY(store_stats(plan->sync->options.local, &plan->stats, error));
    for (size_t i = 0; i < page; i++) {
        struct item *parent, *item = &plan->items[i];
        if (item->ignored || !is_child(item->kind) || id_is_zero(&item->result.record->parent))
            continue;
        TRY(plan_item(plan, MNEME_EPISODE, &item->result.record->parent, &parent, error));
        if (parent)
            TRY(meet_parent(plan, item, parent, error));
    }
    size_t known = plan->count;
    for (size_t i = 0; i < known; i++) {
        const struct item *item = &plan->items[i];
        bool deleted = item->kind == MNEME_EPISODE && item->theirs && !item->ignored &&
                       !record_is_live(item->result.record);
        bool reborn = item->kind == MNEME_EPISODE && item->theirs && item->mine && !item->ignored &&
                      record_is_live(item->result.record);
        if (reborn) {
            TRY(drop_outlived(plan, i, MNEME_STEP, error));
            TRY(drop_outlived(plan, i, MNEME_CHECKPOINT, error));
        }
        if (item->theirs)
            TRY(plan_bury(plan, i, error));
        item = &plan->items[i];
        if (takes_steps_in(item) && !item->ignored)
            TRY(fold(plan, i, error));
        else if (deleted) {
            TRY(delete_children(plan, i, MNEME_STEP, error));
            TRY(delete_children(plan, i, MNEME_CHECKPOINT, error));
        }
    }
    return 0;
}
