/*
 * sim_work.c - writes as src/api makes them: reads, then one batch with conditions.
 */
#include "support/sim_work.h"

#include <stdio.h>
#include <stdlib.h>

enum { BATCH_MAX = 128, TAGS_MAX = 64, PAIRS_MAX = 8, TEXT_SIZE = 48, METAS = 3 };

const char sim_poison[] = "poison";

/* ---- Batches ----------------------------------------------------------------------------- */

struct work {
    struct sim_device *device;
    struct test_random *random;
    unsigned slot;
    unsigned *token;
    struct sim_seen seen;
    struct arena arena;
    struct mutation mutations[BATCH_MAX];
    size_t count;
};

static void work_fini(struct work *work) {
    sim_seen_fini(&work->seen);
    arena_fini(&work->arena);
}

static struct mutation *add(struct work *work, enum mutation_op op, enum condition condition,
                            mneme_kind kind, mneme_id id) {
    if (work->count == BATCH_MAX)
        abort();
    struct mutation *m = &work->mutations[work->count++];
    *m = (struct mutation){.op = op, .condition = condition, .record = {.kind = kind, .id = id}};
    return m;
}

static mneme_id work_id(const struct work *work) {
    return sim_slot_id(work->slot, work->device->number);
}

static int64_t work_now(const struct work *work) {
    return work->device->world->now_us + work->device->skew_us;
}

/* A text with a token of its own. */
static mneme_text text_new(struct work *work, const char *what) {
    char *text = arena_alloc(&work->arena, TEXT_SIZE);
    if (!text)
        abort();
    int size = snprintf(text, TEXT_SIZE, "%s w%u;", what, (*work->token)++);
    return (mneme_text){text, (size_t)size};
}

static mneme_text text_same(const char *text) { return (mneme_text){text, strlen(text)}; }

static int add_put(struct work *work, const mneme_record *record, struct mutation **out,
                   mneme_error *error) {
    AUTO_BUF struct buf body = BUF_INIT(1 << 20);
    struct stored_record stored = {0};
    struct slice packed;
    TRY(model_validate(record, error));
    TRY(model_encode(record, &work->arena, &body, &stored, error));
    TRY(sim_bodies.close(NULL, record->kind, buf_slice(&body), (struct slice){0}, &work->arena,
                         &packed, error));
    struct mutation *put = add(work, MUTATION_PUT, CONDITION_NONE, record->kind, record->id);
    put->record = stored;
    put->record.body = packed;
    if (sim_slots[work->slot].local && record->kind != MNEME_STEP)
        put->record.flags |= MNEME_FLAG_LOCAL;
    *out = put;
    return 0;
}

/* Take away the children of an episode that were read, and have the batch fail if there are others.
 */
static int drop_children(struct work *work, mneme_kind kind, enum mutation_op op,
                         mneme_error *error) {
    AUTO_RECORDS struct record_set children = {0};
    struct store_query query = {.kind = kind,
                                .has_parent = true,
                                .parent = work_id(work),
                                .order = ORDER_OLDEST_FIRST,
                                .limit = STORE_PAGE_MAX,
                                .without_bodies = true};
    bool more;
    TRY(store_query(work->device->store, &query, &children, &more, error));
    struct mutation *guard =
        add(work, MUTATION_CHECK, CONDITION_CHILDREN, MNEME_EPISODE, work_id(work));
    guard->expect_kind = kind;
    guard->expect_count = children.count;
    guard->expect_place = children.count ? children.records[children.count - 1].place : 0;
    for (size_t i = 0; i < children.count; i++) {
        struct mutation *drop = add(work, op, CONDITION_VERSION, kind, children.records[i].id);
        drop->expect_version = children.records[i].version;
    }
    return 0;
}

static int commit(struct work *work, bool *done, mneme_error *error) {
    struct batch batch = {.mutations = work->mutations, .count = work->count};
    struct batch *only = &batch;
    sim_tell_time(work->device);
    int status = store_apply(work->device->store, &only, 1);
    *done = true;
    if (status == 0)
        status = batch.status;
    return status ? error_set(error, status, "a local write: %s", batch.error.message) : 0;
}

/* ---- Making records ---------------------------------------------------------------------- */

/* The members that all kinds have, to be edited in the copy of a struct. */
struct members {
    mneme_text *title;
    mneme_text *domain;
    mneme_text_list *tags;
    mneme_pair_list *metadata;
};

/* A copy of the record's struct that may be changed, and where its members are. */
static struct members edit_copy(struct work *work, mneme_record *record) {
    struct members members = {0};
    if (record->kind == MNEME_EPISODE) {
        mneme_episode *e = arena_alloc(&work->arena, sizeof *e);
        if (!e)
            abort();
        *e = *record->as.episode;
        record->as.episode = e;
        members = (struct members){&e->task, &e->context.domain, &e->tags, &e->metadata};
    } else if (record->kind == MNEME_PATTERN) {
        mneme_pattern *p = arena_alloc(&work->arena, sizeof *p);
        if (!p)
            abort();
        *p = *record->as.pattern;
        record->as.pattern = p;
        members = (struct members){&p->name, &p->context.domain, &p->tags, &p->metadata};
    } else {
        mneme_checkpoint *c = arena_alloc(&work->arena, sizeof *c);
        if (!c)
            abort();
        *c = *record->as.checkpoint;
        record->as.checkpoint = c;
        members = (struct members){&c->note, NULL, NULL, &c->metadata};
    }
    return members;
}

static void set_pair(struct work *work, mneme_pair_list *list, const char *name, mneme_text value) {
    mneme_pair *pairs = arena_zalloc(&work->arena, list->count + 1, sizeof *pairs);
    size_t count = 0;
    if (!pairs)
        abort();
    for (size_t i = 0; i < list->count; i++)
        if (!text_is(list->items[i].name, name))
            pairs[count++] = list->items[i];
    if (value.size)
        pairs[count++] = (mneme_pair){text_same(name), value};
    *list = (mneme_pair_list){pairs, count};
}

static void edit_tag(struct work *work, mneme_text_list *list, mneme_text tag, size_t without) {
    mneme_text *tags = arena_zalloc(&work->arena, list->count + 1, sizeof *tags);
    size_t count = 0;
    if (!tags)
        abort();
    for (size_t i = 0; i < list->count; i++)
        if (i != without)
            tags[count++] = list->items[i];
    if (tag.size)
        tags[count++] = tag;
    *list = (mneme_text_list){tags, count};
}

static const char *const meta_names[METAS] = {"m0", "m1", "m2"};

/* A new record of the slot, with some of its members. */
static void make_record(struct work *work, mneme_record *out) {
    static const mneme_episode no_episode;
    static const mneme_pattern no_pattern;
    static const mneme_checkpoint no_checkpoint;
    const struct sim_slot *slot = &sim_slots[work->slot];
    *out = (mneme_record){.kind = slot->kind, .id = work_id(work), .time_us = work_now(work)};
    if (slot->kind == MNEME_EPISODE)
        out->as.episode = &no_episode;
    else if (slot->kind == MNEME_PATTERN)
        out->as.pattern = &no_pattern;
    else
        out->as.checkpoint = &no_checkpoint;
    struct members members = edit_copy(work, out);
    *members.title = text_new(work, "title");
    if (members.domain && test_random_below(work->random, 2))
        *members.domain = text_new(work, "domain");
    if (members.tags && test_random_below(work->random, 2))
        edit_tag(work, members.tags, text_new(work, "tag"), SIZE_MAX);
    if (test_random_below(work->random, 2))
        set_pair(work, members.metadata, meta_names[0], text_new(work, "meta"));
}

/* What the library fills in. */
static void fill_in(struct work *work, mneme_record *record) {
    if (record->kind == MNEME_EPISODE) {
        mneme_episode *e = arena_alloc(&work->arena, sizeof *e);
        if (!e)
            abort();
        *e = *record->as.episode;
        e->id = record->id;
        e->task_type = e->task_type.size ? e->task_type : text_same("other");
        e->start_us = e->start_us ? e->start_us : record->time_us;
        record->as.episode = e;
    } else if (record->kind == MNEME_PATTERN) {
        mneme_pattern *p = arena_alloc(&work->arena, sizeof *p);
        if (!p)
            abort();
        *p = *record->as.pattern;
        p->id = record->id;
        p->type = p->type.size ? p->type : text_same("context");
        p->created_us = p->created_us ? p->created_us : record->time_us;
        record->as.pattern = p;
    } else {
        mneme_checkpoint *c = arena_alloc(&work->arena, sizeof *c);
        if (!c)
            abort();
        *c = *record->as.checkpoint;
        c->id = record->id;
        c->episode = record->parent;
        c->created_us = c->created_us ? c->created_us : record->time_us;
        record->as.checkpoint = c;
    }
}

/* ---- Deeds ------------------------------------------------------------------------------- */

/* Put the edited record over the one that was read. */
static int put_back(struct work *work, const mneme_record *record, bool *done, mneme_error *error) {
    mneme_record edited = *record;
    struct mutation *put;
    edited.version = (mneme_version){0};
    TRY(add_put(work, &edited, &put, error));
    put->condition = CONDITION_VERSION;
    put->expect_version = record->version;
    return commit(work, done, error);
}

static int work_make(struct work *work, bool *done, mneme_error *error) {
    const struct sim_slot *slot = &sim_slots[work->slot];
    mneme_record record;
    struct mutation *put;
    size_t owner = work->slot % work->device->world->device_count;
    if (!slot->everywhere && !slot->local && !slot->parent && !work->seen.stored &&
        owner + 1 != work->device->number)
        return 0;
    make_record(work, &record);
    if (slot->parent) {
        AUTO_SEEN struct sim_seen parent = {0};
        record.parent = sim_slot_id(slot->parent - 1, work->device->number);
        TRY(sim_see(work->device->store, slot->parent - 1, work->device->number, &parent, error));
        if (!parent.live)
            return 0;
        add(work, MUTATION_CHECK, CONDITION_LIVE, MNEME_EPISODE, record.parent);
    }
    fill_in(work, &record);
    TRY(add_put(work, &record, &put, error));
    put->condition = CONDITION_ABSENT;
    return commit(work, done, error);
}

static int work_edit(struct work *work, enum sim_deed deed, bool *done, mneme_error *error) {
    mneme_record record = work->seen.record;
    struct members members = edit_copy(work, &record);
    bool poison = deed == SIM_POISON;
    unsigned choice = poison ? 2 : deed == SIM_TITLE ? 0 : test_random_below(work->random, 6);
    const char *name = meta_names[test_random_below(work->random, METAS)];
    if (choice == 0)
        *members.title = text_new(work, "title");
    else if (choice == 1 && members.domain)
        *members.domain = text_new(work, "domain");
    else if (choice <= 4)
        set_pair(work, members.metadata, name, text_new(work, poison ? sim_poison : "meta"));
    else
        set_pair(work, members.metadata, name, (mneme_text){NULL, 0});
    return put_back(work, &record, done, error);
}

static int work_tag(struct work *work, enum sim_deed deed, bool *done, mneme_error *error) {
    static const char *const pool[] = {"red", "green", "blue"};
    mneme_record record = work->seen.record;
    struct members members = edit_copy(work, &record);
    if (!members.tags)
        return 0;
    size_t count = members.tags->count;
    unsigned choice = deed == SIM_ADD_TAG    ? 0
                      : deed == SIM_DROP_TAG ? 2
                                             : test_random_below(work->random, 4);
    if (choice < 2 || count >= TAGS_MAX / 2) {
        edit_tag(work, members.tags, text_new(work, "tag"), SIZE_MAX);
    } else if (choice == 2 && count) {
        edit_tag(work, members.tags, (mneme_text){NULL, 0},
                 deed == SIM_DROP_TAG ? 0 : test_random_below(work->random, (unsigned)count));
    } else {
        mneme_text tag = text_same(pool[test_random_below(work->random, COUNT_OF(pool))]);
        size_t at = 0;
        while (at < count && !text_equal(members.tags->items[at], tag))
            at++;
        edit_tag(work, members.tags, at < count ? (mneme_text){NULL, 0} : tag, at);
    }
    return put_back(work, &record, done, error);
}

static int work_step(struct work *work, bool *done, mneme_error *error) {
    unsigned token = *work->token;
    mneme_step step = {.id = numbered_id(10000 + token),
                       .time_us = work_now(work),
                       .tool = text_same("tool"),
                       .action = text_new(work, "step")};
    mneme_record record = {.kind = MNEME_STEP,
                           .id = step.id,
                           .parent = work->seen.record.id,
                           .time_us = step.time_us,
                           .as.step = &step};
    struct mutation *put;
    add(work, MUTATION_CHECK, CONDITION_OPEN, MNEME_EPISODE, record.parent);
    TRY(add_put(work, &record, &put, error));
    put->condition = CONDITION_PARENT;
    return commit(work, done, error);
}

static int work_complete(struct work *work, bool *done, mneme_error *error) {
    mneme_record record = work->seen.record;
    (void)edit_copy(work, &record);
    mneme_episode ended = *record.as.episode;
    int64_t now = work_now(work);
    ended.outcome.kind = MNEME_SUCCESS;
    ended.outcome.verdict = text_new(work, "verdict");
    ended.end_us = now > ended.start_us ? now : ended.start_us;
    record.as.episode = &ended;
    TRY(drop_children(work, MNEME_STEP, MUTATION_PURGE, error));
    return put_back(work, &record, done, error);
}

static int work_delete(struct work *work, bool *done, mneme_error *error) {
    add(work, MUTATION_DELETE, CONDITION_LIVE, work->seen.record.kind, work->seen.record.id);
    if (work->seen.record.kind == MNEME_EPISODE) {
        TRY(drop_children(work, MNEME_STEP, MUTATION_DELETE, error));
        TRY(drop_children(work, MNEME_CHECKPOINT, MUTATION_DELETE, error));
    }
    return commit(work, done, error);
}

/* As mneme_put of a record whose id was given: what is there is not looked at. */
static int work_replace(struct work *work, bool *done, mneme_error *error) {
    mneme_record record;
    struct mutation *put;
    /* To open a completed episode again is a limit that docs/sync.md names: what steps other
     * machines have of it is not settled. */
    if (work->seen.record.kind == MNEME_CHECKPOINT || work->seen.sealed)
        return 0;
    make_record(work, &record);
    fill_in(work, &record);
    if (record.kind == MNEME_EPISODE)
        TRY(drop_children(work, MNEME_STEP, MUTATION_DELETE, error));
    TRY(add_put(work, &record, &put, error));
    return commit(work, done, error);
}

static int work_do(struct work *work, enum sim_deed deed, bool *done, mneme_error *error) {
    bool open = work->seen.record.kind == MNEME_EPISODE && !work->seen.sealed;
    if (!work->seen.live)
        return deed == SIM_DELETE ? 0 : work_make(work, done, error);
    switch (deed) {
    case SIM_STEP:
        if (open)
            return work_step(work, done, error);
        break;
    case SIM_COMPLETE:
        if (open)
            return work_complete(work, done, error);
        break;
    case SIM_TAG:
    case SIM_ADD_TAG:
    case SIM_DROP_TAG:
        return work_tag(work, deed, done, error);
    case SIM_DELETE:
        return work_delete(work, done, error);
    case SIM_REPLACE:
        return work_replace(work, done, error);
    case SIM_PUT:
    case SIM_EDIT:
    case SIM_POISON:
    case SIM_TITLE:
    case SIM_DEEDS:
        break;
    }
    return work_edit(work, deed, done, error);
}

int sim_work(struct sim_device *device, unsigned slot, enum sim_deed deed,
             struct test_random *random, unsigned *token, bool *done, mneme_error *error) {
    CLEANUP(work_fini)
    struct work work = {.device = device, .random = random, .slot = slot, .token = token};
    *done = false;
    TRY(sim_see(device->store, slot, device->number, &work.seen, error));
    return work_do(&work, deed, done, error);
}
