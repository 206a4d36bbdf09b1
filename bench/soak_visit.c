/*
 * soak_visit.c - a hand looks at what the store shows: one record, a list, a copy, a long read, and
 * that what must be refused is.
 */
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "bench/soak_hand.h"

enum { PAGE = 50, HELD = 12, COPIES_LOOKED_AT = 40, HOLD_US = 700 * 1000 };

static mneme_id own_id(const struct soak_hand *h, uint32_t object) {
    return soak_id(
        (struct soak_name){.class = SOAK_OBJECT, .writer = h->ledger.writer, .number = object});
}

/* ---- One record ----------------------------------------------------------------------------- */

int soak_visit_one(struct soak_hand *h, uint32_t object, mneme_error *error) {
    uint32_t states;
    mneme_error said;
    int64_t begin_ns = soak_now_ns();
    int status = soak_look(&h->eye, &h->ledger, object, &states, &said);
    if (status == 0) {
        soak_times_add(soak_times_of(h, CALL_GET), soak_now_ns() - begin_ns);
        soak_count(h->crew->board, COUNT_CHECKED);
    }
    if (status == 0 || soak_is_outage(h, status))
        return 0;
    return error_set(error, MNEME_FAILURE, "read: %s: %.400s", mneme_status_name(status),
                     said.message);
}

/* ---- A list --------------------------------------------------------------------------------- */

static int take_listed(struct soak_hand *h, const mneme_record *record, uint8_t *seen,
                       mneme_error *error) {
    struct soak_name name;
    char why[SOAK_WHY_SIZE] = "no such record was written";
    const struct soak_ledger *l = &h->ledger;
    bool ours = soak_name_of(&record->id, &name) && name.class == SOAK_OBJECT &&
                name.writer == l->writer && name.number < l->count;
    bool fits = false;
    if (ours && seen[name.number]++)
        return error_set(error, MNEME_FAILURE, "writer %u: object %u is listed twice", l->writer,
                         name.number);
    for (uint32_t i = 0; ours && !fits && i <= l->objects[name.number].pending_count; i++) {
        struct soak_state state = ledger_state(l, name.number, i);
        fits = record->kind == MNEME_EPISODE
                   ? state.life == LIFE_LIVE
                   : soak_matches(h->eye.seed, l, name.number, &state, record, why);
    }
    soak_count(h->crew->board, COUNT_CHECKED);
    return fits ? 0
                : error_set(error, MNEME_FAILURE, "writer %u: a list has object %u: %.300s",
                            l->writer, name.number, why);
}

static int check_none_missing(struct soak_hand *h, mneme_kind kind, const uint8_t *seen,
                              mneme_error *error) {
    const struct soak_ledger *l = &h->ledger;
    for (uint32_t i = 0; i < l->live_count; i++) {
        const struct soak_object *o = &l->objects[l->live[i]];
        if (o->kind == kind && !o->pending_count && !seen[l->live[i]])
            return error_set(error, MNEME_FAILURE,
                             "writer %u: object %u (%s) is missing in a list of them all",
                             l->writer, l->live[i], mneme_kind_name(kind));
    }
    soak_count(h->crew->board, COUNT_LISTED);
    return 0;
}

static int take_page(struct soak_hand *h, const mneme_query *query, uint8_t *seen,
                     mneme_text *after, struct arena *arena, mneme_error *error) {
    const mneme_page *page;
    struct slice next = {0};
    int status = 0;
    int64_t begin_ns = soak_now_ns();
    TRY(mneme_list(h->crew->m, query, &page, error));
    soak_times_add(soak_times_of(h, CALL_LIST), soak_now_ns() - begin_ns);
    for (size_t i = 0; i < page->count && status == 0; i++)
        status = take_listed(h, page->records[i], seen, error);
    if (status == 0 && arena_copy(arena, slice_of_text(page->next), &next))
        status = error_set(error, MNEME_NO_MEMORY, "no memory for a list");
    *after = text_of_slice(next);
    mneme_page_release(h->crew->m, page);
    return status;
}

int soak_visit_list(struct soak_hand *h, mneme_kind kind, mneme_error *error) {
    AUTO_ARENA struct arena arena = {0};
    char word[SOAK_WORD_SIZE];
    uint8_t *seen = arena_zalloc(&arena, h->ledger.count + 1, 1);
    mneme_error said;
    if (!seen)
        return error_set(error, MNEME_NO_MEMORY, "no memory for a list");
    soak_word(h->ledger.writer, word);
    const mneme_pair where = {mneme_text_of(kind == MNEME_HEURISTIC ? "tag" : "type"),
                              mneme_text_of(word)};
    mneme_query query = {.kind = kind, .where = &where, .where_count = 1, .limit = PAGE};
    do {
        int status = take_page(h, &query, seen, &query.after, &arena, &said);
        if (soak_is_outage(h, status))
            return 0;
        if (status)
            return error_set(error, MNEME_FAILURE, "list: %s: %.400s", mneme_status_name(status),
                             said.message);
    } while (query.after.size);
    return check_none_missing(h, kind, seen, error);
}

/* ---- A copy --------------------------------------------------------------------------------- */

static void tell_finding(void *context, const char *text) {
    const struct soak_hand *h = context;
    fprintf(stderr, "writer %u: %s\n", h->ledger.writer, text);
}

static int look_into_copy(struct soak_hand *h, const char *path, mneme_error *error) {
    const mneme_options options = {.size = sizeof options, .read_only = true, .no_training = true};
    mneme_verify_report report;
    mneme *copy = NULL;
    uint32_t states;
    TRY(mneme_verify(path, tell_finding, h, &report, error));
    TRY(mneme_open(path, &options, &copy, error));
    struct soak_eye eye = {copy, h->eye.seed};
    int status = 0;
    for (size_t i = 0; i < COPIES_LOOKED_AT && status == 0 && h->ledger.count; i++) {
        status = soak_look(&eye, &h->ledger, soak_pick(h, h->ledger.count), &states, error);
        soak_count(h->crew->board, COUNT_CHECKED);
    }
    (void)mneme_close(copy, NULL);
    return status;
}

/* Nothing is queued, and nobody else writes to our records: they are in the copy as they are. */
int soak_visit_backup(struct soak_hand *h, mneme_error *error) {
    struct soak_path path = soak_backup_path(h->crew->post.directory, h->crew->post.slot);
    struct soak_path lock;
    mneme_error said;
    TRY(soak_drain(h, error));
    snprintf(lock.text, sizeof lock.text, "%.4100s-lock", path.text);
    unlink(path.text);
    unlink(lock.text);
    int64_t begin_ns = soak_now_ns();
    int status = mneme_backup(h->crew->m, path.text, &said);
    soak_times_add(soak_times_of(h, CALL_BACKUP), soak_now_ns() - begin_ns);
    if (soak_is_full(h, status, begin_ns))
        return 0;
    if (status == 0)
        status = look_into_copy(h, path.text, &said);
    if (status)
        return error_set(error, MNEME_FAILURE, "backup: %s: %.400s", mneme_status_name(status),
                         said.message);
    soak_count(h->crew->board, COUNT_BACKUPS);
    return 0;
}

/* ---- A long read ---------------------------------------------------------------------------- */

struct long_read {
    struct soak_hand *hand;
    int64_t until_us;
};

static int slow_sink(void *context, const char *data, size_t size) {
    const struct long_read *read = context;
    (void)data, (void)size;
    struct timespec time = {.tv_nsec = 1000 * 1000};
    nanosleep(&time, NULL);
    return soak_now_ns() / 1000 > read->until_us || atomic_load(&read->hand->crew->stop);
}

struct held {
    const mneme_record *record;
    mneme_bytes before, after;
};

static int hold(struct soak_hand *h, struct held *held, mneme_error *error) {
    for (size_t i = 0; i < HELD && h->ledger.live_count; i++) {
        uint32_t object = h->ledger.live[soak_pick(h, h->ledger.live_count)];
        mneme_id id = own_id(h, object);
        int status =
            mneme_acquire(h->crew->m, h->ledger.objects[object].kind, &id, &held[i].record, error);
        if (status && status != MNEME_NOT_FOUND)
            return status;
        if (status == 0)
            TRY(mneme_record_to_json(held[i].record, &held[i].before, error));
    }
    return 0;
}

static int compare_held(struct soak_hand *h, struct held *held, mneme_error *error) {
    for (size_t i = 0; i < HELD; i++) {
        if (!held[i].record)
            continue;
        TRY(mneme_record_to_json(held[i].record, &held[i].after, error));
        if (!slice_equal(slice_of(held[i].before.data, held[i].before.size),
                         slice_of(held[i].after.data, held[i].after.size)))
            return error_set(error, MNEME_FAILURE,
                             "writer %u: a record changed while it was held: %.300s",
                             h->ledger.writer, held[i].before.data);
    }
    return 0;
}

int soak_visit_long(struct soak_hand *h, mneme_error *error) {
    struct held held[HELD] = {{0}};
    mneme_error said;
    struct long_read read = {h, soak_now_ns() / 1000 + HOLD_US};
    int status = hold(h, held, &said);
    if (status == 0) {
        status = mneme_export(h->crew->m, MNEME_KIND_NONE, slow_sink, &read, NULL, &said);
        status = status == MNEME_CANCELLED ? 0 : status;
    }
    if (status == 0)
        status = compare_held(h, held, &said);
    for (size_t i = 0; i < HELD; i++) {
        if (held[i].record)
            mneme_release(h->crew->m, held[i].record);
        mneme_bytes_free(&held[i].before);
        mneme_bytes_free(&held[i].after);
    }
    if (status == 0)
        soak_count(h->crew->board, COUNT_HELD);
    if (status == 0 || soak_is_outage(h, status))
        return 0;
    return error_set(error, MNEME_FAILURE, "long read: %s: %.400s", mneme_status_name(status),
                     said.message);
}

/* ---- What must be refused ------------------------------------------------------------------- */

/* A live object without pending writes, of this kind; UINT32_MAX: none was found. */
static uint32_t quiet_object(struct soak_hand *h, mneme_kind kind, bool sealed) {
    for (unsigned i = 0; i < 30 && h->ledger.live_count; i++) {
        uint32_t object = h->ledger.live[soak_pick(h, h->ledger.live_count)];
        const struct soak_object *o = &h->ledger.objects[object];
        if (o->kind == kind && !o->pending_count && o->now.life == LIFE_LIVE &&
            (!sealed || o->now.end))
            return object;
    }
    return UINT32_MAX;
}

/* A new record and one that is there, in one batch of new ones. */
static int put_over(struct soak_hand *h, uint32_t object, struct arena *arena, int *wanted,
                    mneme_error *error) {
    const mneme_write how = {.only_new = true};
    mneme_record records[2];
    *wanted = MNEME_CONFLICT;
    if (soak_plain(h->eye.seed, h->ledger.writer, h->ledger.count, 0, arena, &records[0]) ||
        soak_plain(h->eye.seed, h->ledger.writer, object, 0, arena, &records[1]))
        return *wanted;
    return mneme_put(h->crew->m, records, 2, &how, NULL, error);
}

/* One that is there, and one that is not. */
static int delete_more(struct soak_hand *h, uint32_t object, int *wanted, mneme_error *error) {
    mneme_id ids[2] = {own_id(h, object), own_id(h, h->ledger.count)};
    *wanted = MNEME_NOT_FOUND;
    return mneme_delete(h->crew->m, MNEME_PATTERN, ids, 2, NULL, error);
}

static int tag_too_long(struct soak_hand *h, uint32_t object, int *wanted, mneme_error *error) {
    char text[1025];
    mneme_id id = own_id(h, object);
    memset(text, 'a', sizeof text);
    *wanted = MNEME_TOO_LARGE;
    return mneme_tag_add(h->crew->m, MNEME_PATTERN, &id, (mneme_text){text, sizeof text}, NULL,
                         error);
}

static int put_too_large(struct soak_hand *h, uint32_t object, struct arena *arena, int *wanted,
                         mneme_error *error) {
    enum { TOO_MUCH = (16 << 20) + 1 };
    mneme_record record;
    mneme_pattern pattern;
    char *text = arena_alloc(arena, TOO_MUCH);
    *wanted = MNEME_TOO_LARGE;
    if (!text || soak_plain(h->eye.seed, h->ledger.writer, object, 0, arena, &record))
        return *wanted;
    memset(text, 'a', TOO_MUCH);
    pattern = *record.as.pattern;
    pattern.content = (mneme_text){text, TOO_MUCH};
    record.as.pattern = &pattern;
    return mneme_put(h->crew->m, &record, 1, NULL, NULL, error);
}

static int append_to_sealed(struct soak_hand *h, uint32_t object, struct arena *arena, int *wanted,
                            mneme_error *error) {
    mneme_step step;
    mneme_id id = own_id(h, object);
    *wanted = MNEME_CONFLICT;
    if (soak_step(h->eye.seed, h->ledger.writer, h->ledger.next, 255, arena, &step))
        return *wanted;
    return mneme_step_append(h->crew->m, &id, &step, NULL, NULL, NULL, error);
}

static int look_for_none(struct soak_hand *h, mneme_error *error) {
    const mneme_record *record;
    mneme_id id = own_id(h, h->ledger.count);
    int status = mneme_acquire(h->crew->m, soak_plain_kind(h->ledger.count), &id, &record, error);
    if (status)
        return status == MNEME_NOT_FOUND || soak_is_outage(h, status) ? 0 : status;
    mneme_release(h->crew->m, record);
    return error_set(error, MNEME_FAILURE,
                     "writer %u: a batch was refused, and its first record is there",
                     h->ledger.writer);
}

int soak_visit_refused(struct soak_hand *h, mneme_error *error) {
    AUTO_ARENA struct arena arena = {0};
    uint32_t what = soak_pick(h, 41) % 10;
    bool sealed = what >= 7;
    uint32_t object = quiet_object(h, sealed ? MNEME_EPISODE : MNEME_PATTERN, sealed);
    int status, wanted;
    mneme_error said = {0};
    int64_t begin_ns = soak_now_ns();
    if (object == UINT32_MAX)
        return 0;
    if (what == 0)
        status = put_too_large(h, object, &arena, &wanted, &said);
    else if (what < 4)
        status = put_over(h, object, &arena, &wanted, &said);
    else if (what < 6)
        status = delete_more(h, object, &wanted, &said);
    else if (what < 7)
        status = tag_too_long(h, object, &wanted, &said);
    else
        status = append_to_sealed(h, object, &arena, &wanted, &said);
    /* When the answer that says which condition failed is lost, there is a general one. */
    if (status == wanted || (soak_is_far(h) && status == MNEME_CONFLICT))
        soak_count(h->crew->board, COUNT_REFUSED);
    else if (!soak_is_outage(h, status) && !soak_is_full(h, status, begin_ns))
        return error_set(error, MNEME_FAILURE,
                         "writer %u, object %u: %s was wanted, and not %s: %.300s",
                         h->ledger.writer, object, mneme_status_name(wanted),
                         mneme_status_name(status), said.message);
    TRY(look_for_none(h, error));
    return soak_visit_one(h, object, error);
}
