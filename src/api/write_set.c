/*
 * write_set.c - building the mutations of one batch, and sending it.
 */
#include <stdlib.h>

#include "api/handle.h"
#include "api/sync.h"

void write_set_fini(struct write_set *set) {
    mem_free(set->mutations);
    arena_fini(&set->arena);
    *set = (struct write_set){0};
}

static int no_memory(mneme_error *error) {
    return error_set(error, MNEME_NO_MEMORY, "no memory for a write");
}

struct mutation *write_set_add(struct write_set *set, enum mutation_op op, enum condition condition,
                               mneme_kind kind, const mneme_id *id) {
    if (set->count == set->capacity) {
        size_t capacity = set->capacity ? set->capacity * 2 : 8;
        struct mutation *grown = mem_resize(set->mutations, capacity * sizeof *grown);
        if (!grown)
            return NULL;
        set->mutations = grown;
        set->capacity = capacity;
    }
    struct mutation *m = &set->mutations[set->count++];
    *m = (struct mutation){.op = op, .condition = condition, .record = {.kind = kind, .id = *id}};
    return m;
}

/* Compress a plain body into memory of the set. */
static int pack_body(mneme *m, struct write_set *set, mneme_kind kind, struct slice plain,
                     struct slice *out, mneme_error *error) {
    struct dictionary *dictionary = dictionaries_current(m, kind);
    AUTO_BUF struct buf packed = BUF_INIT(STORE_BODY_MAX + 64);
    int status = pack(m->packer, dictionary, plain, &packed, error);
    dictionary_drop(dictionary);
    TRY(status);
    return arena_copy(&set->arena, buf_slice(&packed), out) ? no_memory(error) : 0;
}

int write_set_put(mneme *m, struct write_set *set, const mneme_record *filled,
                  struct mutation **put, mneme_error *error) {
    TRY(model_validate(filled, error));
    AUTO_BUF struct buf body = BUF_INIT(STORE_BODY_MAX);
    struct stored_record stored = {0};
    TRY(model_encode(filled, &set->arena, &body, &stored, error));
    stored.version = filled->version;
    stored.flags |= filled->flags & MNEME_FLAG_LOCAL;
    TRY(pack_body(m, set, filled->kind, buf_slice(&body), &stored.body, error));
    struct mutation *mutation =
        write_set_add(set, MUTATION_PUT, CONDITION_NONE, filled->kind, &filled->id);
    if (!mutation)
        return no_memory(error);
    mutation->record = stored;
    set->plain_bytes[filled->kind] += body.size;
    *put = mutation;
    return 0;
}

static int name_compare(const void *a, const void *b) {
    const struct record_name *left = a, *right = b;
    if (left->kind != right->kind)
        return left->kind < right->kind ? -1 : 1;
    return memcmp(&left->id, &right->id, sizeof left->id);
}

int known_look(mneme *m, struct known *known, bool *twice, mneme_error *error) {
    qsort(known->names, known->count, sizeof *known->names, name_compare);
    for (size_t i = 1; twice && i < known->count; i++)
        *twice |= name_compare(&known->names[i - 1], &known->names[i]) == 0;
    return store_get(m->store, known->names, known->count, &known->set, known->found, error);
}

int write_set_look(mneme *m, const struct write_set *set, const struct record_name *name,
                   struct record_set *own, const struct stored_record **out, bool *was_known,
                   mneme_error *error) {
    const struct known *known = set->known;
    const struct record_set *from = known ? &known->set : NULL;
    const struct record_name *at = NULL;
    size_t found;
    if (known && known->count)
        at = bsearch(name, known->names, known->count, sizeof *name, name_compare);
    *was_known = at;
    if (at) {
        found = known->found[at - known->names];
    } else {
        TRY(store_get(m->store, name, 1, own, &found, error));
        from = own;
    }
    *out = found == SIZE_MAX ? NULL : &from->records[found];
    return 0;
}

/* ---- A record with all that belongs to it ------------------------------------------------- */

/* The records under an episode as they are now are the ones that the batch deals with: nothing
 * joins them between this read and the commit. */
static int guard_children(struct write_set *set, const mneme_id *parent, mneme_kind kind,
                          const struct record_set *children, mneme_error *error) {
    struct mutation *guard =
        write_set_add(set, MUTATION_CHECK, CONDITION_CHILDREN, MNEME_EPISODE, parent);
    if (!guard)
        return no_memory(error);
    guard->expect_kind = kind;
    guard->expect_place = children->count ? children->records[children->count - 1].place : 0;
    guard->expect_count = children->count;
    return 0;
}

int write_set_drop(struct write_set *set, const mneme_id *parent, mneme_kind kind,
                   enum mutation_op op, const struct record_set *children, mneme_error *error) {
    TRY(guard_children(set, parent, kind, children, error));
    for (size_t i = 0; i < children->count; i++) {
        struct mutation *drop =
            write_set_add(set, op, CONDITION_CHANGE, kind, &children->records[i].id);
        if (!drop)
            return no_memory(error);
        drop->expect_change = children->records[i].change;
    }
    return 0;
}

int write_set_drop_children(mneme *m, struct write_set *set, const mneme_id *parent,
                            mneme_kind kind, enum mutation_op op, mneme_error *error) {
    AUTO_RECORDS struct record_set children = {0};
    batched_drain(m->queue); /* what was queued before is part of what is read */
    TRY(children_get(m, kind, parent, true, &children, error));
    return write_set_drop(set, parent, kind, op, &children, error);
}

/* Steps of an open episode become records of their own, with the episode's version if it has one.
 */
static int put_steps(mneme *m, struct write_set *set, const mneme_record *episode,
                     const mneme_step_list *steps, mneme_error *error) {
    for (size_t i = 0; i < steps->count; i++) {
        mneme_record step = {.kind = MNEME_STEP,
                             .id = steps->items[i].id,
                             .parent = episode->id,
                             .version = episode->version,
                             .time_us = steps->items[i].time_us,
                             .as.step = &steps->items[i]};
        struct mutation *put;
        TRY(write_set_put(m, set, &step, &put, error));
        put->record.place = steps->items[i].number;
        if (version_is_zero(episode->version))
            put->condition = CONDITION_PARENT;
    }
    return 0;
}

static bool how_keeps(const mneme_write *how) { return how && how->keep_versions; }
static bool how_only_new(const mneme_write *how) { return how && how->only_new; }
static bool how_is_local(const mneme_write *how) { return how && how->local_only; }

/*
 * What a replica of an episode does to the steps here depends on what is here, which must not
 * change until the commit. A late one (*late) will be passed over, so its steps must not go in; one
 * that is completed has its steps inside, so those of an open one here go.
 */
static int guard_replica(mneme *m, struct write_set *set, const mneme_record *filled, bool *late,
                         mneme_error *error) {
    AUTO_RECORDS struct record_set own = {0};
    struct record_name name = {MNEME_EPISODE, filled->id};
    struct stored_record stored = {.flags = MNEME_FLAG_DELETED};
    const struct stored_record *present;
    bool was_known;
    TRY(write_set_look(m, set, &name, &own, &present, &was_known, error));
    if (present)
        stored = *present;
    *late = version_compare(filled->version, stored.version) <= 0;
    if (*late)
        return 0;
    bool live = !(stored.flags & MNEME_FLAG_DELETED);
    struct mutation *guard =
        write_set_add(set, MUTATION_CHECK, live ? CONDITION_CHANGE : CONDITION_ABSENT,
                      MNEME_EPISODE, &filled->id);
    if (!guard)
        return no_memory(error);
    guard->expect_change = stored.change;
    bool outside = !flags_hold_steps(stored.flags);
    bool steps_go = live && outside && filled->as.episode->end_us != 0;
    return steps_go
               ? write_set_drop_children(m, set, &filled->id, MNEME_STEP, MUTATION_PURGE, error)
               : 0;
}

/* Whether an episode is known not to be there, so that it has no steps to drop; then that is a
 * condition of the batch (*absent). */
static int guard_absent(mneme *m, struct write_set *set, const mneme_record *filled, bool *absent,
                        mneme_error *error) {
    AUTO_RECORDS struct record_set own = {0};
    struct record_name name = {MNEME_EPISODE, filled->id};
    const struct stored_record *present;
    *absent = false;
    if (!set->known)
        return 0;
    TRY(write_set_look(m, set, &name, &own, &present, absent, error));
    *absent = *absent && (!present || present->flags & MNEME_FLAG_DELETED);
    if (*absent &&
        !write_set_add(set, MUTATION_CHECK, CONDITION_ABSENT, MNEME_EPISODE, &filled->id))
        return no_memory(error);
    return 0;
}

static bool has_step(const mneme_episode *episode, const mneme_id *id) {
    for (size_t i = 0; i < episode->steps.count; i++)
        if (id_equal(&episode->steps.items[i].id, id))
            return true;
    return false;
}

/* The steps that a replaced open episode had and has no longer. Those that it has again are put
 * over what they were: to delete them first would begin a new life, and set machines at odds. */
static int drop_other_steps(mneme *m, struct write_set *set, const mneme_record *filled,
                            mneme_error *error) {
    AUTO_RECORDS struct record_set children = {0};
    batched_drain(m->queue);
    TRY(children_get(m, MNEME_STEP, &filled->id, true, &children, error));
    TRY(guard_children(set, &filled->id, MNEME_STEP, &children, error));
    for (size_t i = 0; i < children.count; i++) {
        const struct stored_record *child = &children.records[i];
        if (has_step(filled->as.episode, &child->id))
            continue;
        struct mutation *drop =
            write_set_add(set, MUTATION_DELETE, CONDITION_CHANGE, MNEME_STEP, &child->id);
        if (!drop)
            return no_memory(error);
        drop->expect_change = child->change;
    }
    return 0;
}

/* What of an episode goes in besides its own record. `given` says whether its id came from the
 * caller, so that it may be there already. */
static int put_episode(mneme *m, struct write_set *set, const mneme_record *filled, bool given,
                       const mneme_write *how, mneme_error *error) {
    bool replica = how_keeps(how) && !version_is_zero(filled->version);
    struct mutation *put;
    if (given && !replica && !how_only_new(how)) {
        bool absent, sealed = filled->as.episode->end_us != 0;
        TRY(guard_absent(m, set, filled, &absent, error));
        if (!absent)
            TRY(sealed ? write_set_drop_children(m, set, &filled->id, MNEME_STEP, MUTATION_PURGE,
                                                 error)
                       : drop_other_steps(m, set, filled, error));
    }
    bool late = false;
    if (replica)
        TRY(guard_replica(m, set, filled, &late, error));
    TRY(write_set_put(m, set, filled, &put, error));
    if (how_only_new(how))
        put->condition = CONDITION_ABSENT;
    if (late || put->record.flags & MNEME_FLAG_SEALED)
        return 0;
    return put_steps(m, set, filled, &filled->as.episode->steps, error);
}

static int check_parent(struct write_set *set, const mneme_record *filled, mneme_error *error) {
    enum condition condition = filled->kind == MNEME_STEP ? CONDITION_OPEN : CONDITION_LIVE;
    if (id_is_zero(&filled->parent))
        return error_set(error, MNEME_INVALID, "%s: parent: name the episode it belongs to",
                         kind_name(filled->kind));
    return write_set_add(set, MUTATION_CHECK, condition, MNEME_EPISODE, &filled->parent)
               ? 0
               : no_memory(error);
}

/* Whether the caller named the record, in its header or in its body. */
static bool id_given(const mneme_record *record) {
    return !id_is_zero(&record->id) ||
           (record->kind == MNEME_EPISODE && !id_is_zero(&record->as.episode->id));
}

int write_set_put_whole(mneme *m, struct write_set *set, const mneme_record *record,
                        const mneme_write *how, int64_t now_us, mneme_id *id, mneme_error *error) {
    mneme_record filled;
    struct mutation *put;
    TRY(model_fill(record, now_us, &set->arena, &filled, error));
    bool given = id_given(record);
    bool child = filled.kind == MNEME_STEP || filled.kind == MNEME_CHECKPOINT;
    bool local = how_is_local(how) || set->local_only || record->flags & MNEME_FLAG_LOCAL;
    if (local && !child) /* children go by their episode */
        filled.flags |= MNEME_FLAG_LOCAL;
    if (!how_keeps(how))
        filled.version = (mneme_version){0};
    if (filled.kind == MNEME_EPISODE) {
        TRY(put_episode(m, set, &filled, given, how, error));
    } else {
        if (child)
            TRY(check_parent(set, &filled, error));
        TRY(write_set_put(m, set, &filled, &put, error));
        /* Were it to leave another episode, nothing would tell who has that one in a cache. */
        if (child && version_is_zero(filled.version))
            put->condition = CONDITION_PARENT;
        if (how_only_new(how))
            put->condition = CONDITION_ABSENT;
        if (filled.kind == MNEME_STEP)
            put->record.place = filled.as.step->number;
    }
    *id = filled.id;
    return 0;
}

/* ---- Sending ------------------------------------------------------------------------------ */

/* Whether a failed condition says that what had been read was changed meanwhile. */
static bool mutation_raced(const struct mutation *failed) {
    return failed->condition == CONDITION_CHILDREN || failed->condition == CONDITION_CHANGE ||
           (failed->op == MUTATION_CHECK && failed->condition == CONDITION_ABSENT);
}

static int commit_sync(mneme *m, struct write_set *set, mneme_error *error) {
    struct batch batch = {.mutations = set->mutations, .count = set->count};
    struct batch *only = &batch;
    int status = store_apply(m->store, &only, 1);
    if (status == 0)
        status = batch.status;
    if (status && error)
        *error = batch.error;
    const struct mutation *failed =
        status && batch.failed < batch.count ? &set->mutations[batch.failed] : NULL;
    set->raced = failed && mutation_raced(failed);
    return status;
}

/* What it writes: checks only look. */
static size_t writes_in(const struct write_set *set) {
    size_t writes = 0;
    for (size_t i = 0; i < set->count; i++)
        writes += set->mutations[i].op != MUTATION_CHECK;
    return writes;
}

int write_set_commit(mneme *m, struct write_set *set, const mneme_write *how, mneme_error *error) {
    mneme_durability durability = how ? how->durability : MNEME_SYNC;
    if (set->count == 0 && durability == MNEME_SYNC)
        return 0;
    if (durability == MNEME_SYNC) {
        TRY(commit_sync(m, set, error));
    } else {
        struct batch batch = {.mutations = set->mutations, .count = set->count};
        bool ticketed = durability == MNEME_BATCH;
        uint64_t ticket = 0;
        TRY(batched_enqueue(m->queue, &batch, ticketed, &ticket, error));
        if (ticketed)
            *how->ticket = ticket;
    }
    if (m->syncer)
        syncer_wrote(m->syncer, writes_in(set));
    for (size_t kind = 1; kind < MNEME_KIND_COUNT; kind++)
        if (set->plain_bytes[kind])
            dictionaries_wrote(m, (mneme_kind)kind, set->plain_bytes[kind]);
    return 0;
}

bool write_set_again(const struct write_set *set, unsigned attempt) {
    return set->raced && attempt < API_RETRIES;
}
