/*
 * soak_check.c - when all is over: every record against the ledgers, store against server, and
 * whether the files are sound.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "bench/soak_look.h"
#include "bench/soak_stage.h"

enum { PAGE = 200, TOLD_MAX = 20, SETTLE_SECONDS = 180 };

struct check {
    struct soak_stage *stage;
    struct soak_verdict *verdict;
    struct soak_eye here;                             /* the store, in step with … */
    mneme *there;                                     /* … the server */
    struct soak_ledger *ledgers;                      /* by writer */
    uint8_t *seen[SOAK_SLOTS_MAX * SOAK_THREADS_MAX]; /* objects that were listed */
    struct arena arena;
};

static const mneme_kind kinds[] = {MNEME_EPISODE, MNEME_PATTERN, MNEME_HEURISTIC, MNEME_RELATION};

PRINTF_LIKE(2, 3) static void wrong(struct check *c, const char *format, ...) {
    if (c->verdict->wrong++ >= TOLD_MAX)
        return;
    va_list args;
    va_start(args, format);
    fputs("mneme bench soak: WRONG: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
}

static void tell_finding(void *context, const char *text) { wrong(context, "%s", text); }

/* ---- In step -------------------------------------------------------------------------------- */

static bool is_settled(const mneme_sync_report *report, const mneme_sync_status *status) {
    return !report->pushed && !report->pulled && !report->merged && !report->superseded &&
           !status->pending && status->cursor >= status->head;
}

/* Who was killed with the lease is for some time taken for one that works. */
static int come_into_step(struct check *c, mneme_error *error) {
    double begin = seconds_now();
    for (;;) {
        mneme_sync_report report = {.size = sizeof report};
        mneme_sync_status now = {.size = sizeof now};
        TRY(interrupt_check(error));
        int status = mneme_sync(c->here.m, NULL, &report, error);
        TRY(mneme_sync_status_get(c->here.m, &now, status ? NULL : error));
        if (status == 0 && is_settled(&report, &now)) {
            if (now.held_refused)
                wrong(c, "the server refused %llu records", (unsigned long long)now.held_refused);
            c->verdict->peers = now.peer_count;
            c->verdict->settle_seconds = seconds_now() - begin;
            return 0;
        }
        if (seconds_now() - begin > SETTLE_SECONDS) {
            wrong(c, "store and server do not come into step: %s",
                  status ? error->message : "something is left to send or to take each time");
            return 0;
        }
        struct timespec pause = {.tv_nsec = 20 * 1000 * 1000};
        nanosleep(&pause, NULL);
    }
}

/* ---- Objects -------------------------------------------------------------------------------- */

static int read_ledgers(struct check *c, mneme_error *error) {
    const struct soak_stage *stage = c->stage;
    for (unsigned slot = 0; slot < stage->slots; slot++)
        for (unsigned thread = 0; thread < stage->threads; thread++) {
            unsigned writer = soak_writer(slot, thread);
            struct soak_ledger *l = &c->ledgers[writer];
            struct soak_path path = soak_ledger_path(stage->scratch.directory, writer);
            TRY(ledger_open(path.text, writer, false, l, error));
            c->seen[writer] = arena_zalloc(&c->arena, l->count + 1, 1);
            if (!c->seen[writer])
                return error_set(error, MNEME_NO_MEMORY, "no memory for the last check");
            if (soak_settle_all(&c->here, l, false, error))
                wrong(c, "%s", error->message);
        }
    return 0;
}

static void look_at_objects(struct check *c) {
    mneme_error error;
    for (unsigned writer = 0; writer < COUNT_OF(c->seen); writer++) {
        const struct soak_ledger *l = &c->ledgers[writer];
        for (uint32_t i = 0; i < l->count; i++) {
            uint32_t states;
            if (l->objects[i].kind == MNEME_KIND_NONE)
                continue;
            c->verdict->checked++;
            c->verdict->live += l->objects[i].now.life == LIFE_LIVE;
            if (soak_look(&c->here, l, i, &states, &error))
                wrong(c, "%s", error.message);
        }
    }
}

/* ---- Lists ---------------------------------------------------------------------------------- */

/* Call `take` for every record of a kind. */
static int for_each(mneme *m, mneme_kind kind, void (*take)(struct check *, const mneme_record *),
                    struct check *c, mneme_error *error) {
    AUTO_ARENA struct arena arena = {0};
    mneme_query query = {.kind = kind, .limit = PAGE};
    do {
        const mneme_page *page;
        struct slice next = {0};
        TRY(mneme_list(m, &query, &page, error));
        for (size_t i = 0; i < page->count; i++)
            take(c, page->records[i]);
        int status = arena_copy(&arena, slice_of_text(page->next), &next);
        mneme_page_release(m, page);
        if (status)
            return error_set(error, MNEME_NO_MEMORY, "no memory for a list");
        query.after = text_of_slice(next);
    } while (query.after.size);
    return 0;
}

/* The object of a name, if there may be one. */
static struct soak_object *object_of(struct check *c, const struct soak_name *name) {
    if (name->class != SOAK_OBJECT || name->writer >= COUNT_OF(c->seen))
        return NULL;
    const struct soak_ledger *l = &c->ledgers[name->writer];
    return name->number < l->count ? &l->objects[name->number] : NULL;
}

static void take_here(struct check *c, const mneme_record *record) {
    char text[MNEME_ID_TEXT_SIZE];
    struct soak_name name = {0};
    bool named = soak_name_of(&record->id, &name);
    const struct soak_object *o = object_of(c, &name);
    mneme_id_format(&record->id, text);
    if (named && (name.class == SOAK_RACE || name.class == SOAK_BOARD))
        return;
    if (!named || !o)
        wrong(c, "nobody ever wrote the %s %s, which is listed", mneme_kind_name(record->kind),
              text);
    else if (o->now.life != LIFE_LIVE || o->kind != record->kind)
        wrong(c, "the %s %s is listed, and was deleted, or refused", mneme_kind_name(record->kind),
              text);
    else if (c->seen[name.writer][name.number]++)
        wrong(c, "the %s %s is listed twice", mneme_kind_name(record->kind), text);
}

static void check_listed(struct check *c) {
    for (unsigned writer = 0; writer < COUNT_OF(c->seen); writer++)
        for (uint32_t i = 0; i < c->ledgers[writer].count; i++)
            if (c->ledgers[writer].objects[i].now.life == LIFE_LIVE && !c->seen[writer][i])
                wrong(c, "writer %u: object %u (%s) is missing in a list of all", writer, i,
                      mneme_kind_name(c->ledgers[writer].objects[i].kind));
}

/* Whether one writer alone wrote to a record: to an object, or to a step that is in none of the
 * episodes of all. */
static bool is_of_one(const struct check *c, const struct soak_name *name) {
    if (name->writer >= COUNT_OF(c->seen) || name->class != SOAK_STEP)
        return name->class == SOAK_OBJECT;
    const struct soak_ledger *l = &c->ledgers[name->writer];
    for (uint32_t i = 0; i < l->race_count; i++)
        if (l->race_steps[i].write == name->number)
            return false;
    return true;
}

/* An edit that sync overruled: of what one alone wrote there is none. */
static void take_conflict(struct check *c, const mneme_record *record) {
    const mneme_superseded *lost = record->as.superseded;
    struct soak_name name = {0};
    if (!soak_name_of(&lost->subject, &name) || !is_of_one(c, &name)) {
        c->verdict->conflicts++;
        return;
    }
    wrong(c, "sync tells of a conflict where one alone wrote: writer %u, %s %u: %.*s: %.300s",
          name.writer, mneme_kind_name(lost->subject_kind), name.number, (int)lost->reason.size,
          lost->reason.data, lost->lost.data);
}

/* Steps of their own belong to open episodes. */
static void take_step(struct check *c, const mneme_record *record) {
    struct soak_name name;
    const mneme_record *episode;
    char text[MNEME_ID_TEXT_SIZE];
    mneme_id_format(&record->id, text);
    c->verdict->checked++;
    if (!soak_name_of(&record->id, &name) || name.class != SOAK_STEP) {
        wrong(c, "nobody ever wrote the step %s", text);
    } else if (mneme_acquire(c->here.m, MNEME_EPISODE, &record->parent, &episode, NULL)) {
        wrong(c, "the step %s has no episode", text);
    } else {
        if (episode->flags & MNEME_FLAG_SEALED)
            wrong(c, "the step %s is left of an episode that is completed", text);
        mneme_release(c->here.m, episode);
    }
}

static int look_at_lists(struct check *c, mneme_error *error) {
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        TRY(for_each(c->here.m, kinds[i], take_here, c, error));
    check_listed(c);
    TRY(for_each(c->here.m, MNEME_SUPERSEDED, take_conflict, c, error));
    return for_each(c->here.m, MNEME_STEP, take_step, c, error);
}

/* ---- What all wrote to ---------------------------------------------------------------------- */

/* How often a step is in an episode. */
static unsigned count_step(const mneme_step_list *steps, const mneme_id *id,
                           const mneme_step **at) {
    unsigned count = 0;
    for (size_t i = 0; i < steps->count; i++)
        if (id_equal(&steps->items[i].id, id)) {
            count++;
            *at = &steps->items[i];
        }
    return count;
}

static void check_race_step(struct check *c, const struct soak_ledger *l,
                            const struct soak_race_step *s, const mneme_step_list *steps) {
    AUTO_ARENA struct arena arena = {0};
    mneme_id id = soak_id((struct soak_name){SOAK_STEP, l->writer, s->write, 0});
    const mneme_step *found = NULL;
    mneme_step wanted;
    unsigned count = count_step(steps, &id, &found);
    c->verdict->checked++;
    if ((s->fate == FATE_DONE && count != 1) || (s->fate == FATE_FAILED && count) || count > 1)
        wrong(c,
              "episode %u of all: the step of write %u of writer %u, which %s, is there %u times",
              s->race, s->write, l->writer,
              s->fate == FATE_DONE     ? "was acknowledged"
              : s->fate == FATE_FAILED ? "was refused"
                                       : "nobody knows of",
              count);
    else if (count &&
             (soak_step(c->here.seed, l->writer, s->write, 0, &arena, &wanted) ||
              !text_equal(wanted.output, found->output) || wanted.latency_ms != found->latency_ms))
        wrong(c, "episode %u of all: the step of write %u of writer %u is another", s->race,
              s->write, l->writer);
}

/* Each of its steps is one that somebody meant to write to this episode. */
static void check_race_strangers(struct check *c, uint32_t race, const mneme_step_list *steps) {
    for (size_t i = 0; i < steps->count; i++) {
        struct soak_name name;
        bool known = soak_name_of(&steps->items[i].id, &name) && name.class == SOAK_STEP &&
                     name.writer < COUNT_OF(c->seen);
        const struct soak_ledger *l = known ? &c->ledgers[name.writer] : NULL;
        bool meant = false;
        for (uint32_t s = 0; l && s < l->race_count && !meant; s++)
            meant = l->race_steps[s].write == name.number && l->race_steps[s].race == race;
        if (!meant)
            wrong(c, "episode %u of all has a step that nobody wrote to it, at %zu", race, i);
    }
}

static void look_at_race(struct check *c, uint32_t race) {
    mneme_id id = soak_id((struct soak_name){.class = SOAK_RACE, .number = race});
    const mneme_record *record = NULL;
    mneme_error error;
    static const mneme_step_list none;
    int status = mneme_acquire(c->here.m, MNEME_EPISODE, &id, &record, &error);
    if (status && status != MNEME_NOT_FOUND)
        wrong(c, "episode %u of all: %s", race, error.message);
    const mneme_step_list *steps = record ? &record->as.episode->steps : &none;
    for (unsigned writer = 0; writer < COUNT_OF(c->seen); writer++)
        for (uint32_t i = 0; i < c->ledgers[writer].race_count; i++)
            if (c->ledgers[writer].race_steps[i].race == race)
                check_race_step(c, &c->ledgers[writer], &c->ledgers[writer].race_steps[i], steps);
    check_race_strangers(c, race, steps);
    if (record)
        mneme_release(c->here.m, record);
}

static bool list_has(const mneme_text_list *list, const char *word) {
    for (size_t i = 0; i < list->count; i++)
        if (text_is(list->items[i], word))
            return true;
    return false;
}

static void look_at_shared(struct check *c, uint32_t number) {
    mneme_id id = soak_id((struct soak_name){.class = SOAK_BOARD, .number = number});
    const mneme_record *record;
    mneme_error error;
    char tag[SOAK_WORD_SIZE];
    if (mneme_acquire(c->here.m, MNEME_PATTERN, &id, &record, &error)) {
        wrong(c, "the pattern %u of all: %s", number, error.message);
        return;
    }
    const mneme_text_list *found = &record->as.pattern->tags;
    size_t wanted = 0;
    for (unsigned writer = 0; writer < COUNT_OF(c->seen); writer++) {
        const struct soak_shared_tags *tags = &c->ledgers[writer].shared[number];
        for (unsigned i = 0; i < SOAK_TAGS; i++) {
            soak_tag(writer, i, tag);
            bool has = list_has(found, tag), sure = !(tags->unsure >> i & 1);
            c->verdict->checked += sure && tags->set >> i & 1;
            wanted += has;
            if (sure && has != (tags->set >> i & 1))
                wrong(c, "the pattern %u of all %s the tag %s", number, has ? "has" : "lacks", tag);
        }
    }
    if (wanted != found->count)
        wrong(c, "the pattern %u of all has %zu tags, of which %zu are known", number, found->count,
              wanted);
    mneme_release(c->here.m, record);
}

static void look_at_common(struct check *c) {
    uint32_t races = 0;
    for (unsigned writer = 0; writer < COUNT_OF(c->seen); writer++)
        for (uint32_t i = 0; i < c->ledgers[writer].race_count; i++)
            if (c->ledgers[writer].race_steps[i].race >= races)
                races = c->ledgers[writer].race_steps[i].race + 1;
    for (uint32_t race = 0; race < races; race++)
        look_at_race(c, race);
    for (uint32_t i = 0; i < SOAK_SHARED; i++)
        look_at_shared(c, i);
}

/* ---- Store and server ----------------------------------------------------------------------- */

static void compare_both(struct check *c, const mneme_record *there) {
    const mneme_record *here = NULL, *whole = NULL;
    mneme_bytes texts[2] = {{0}};
    char id[MNEME_ID_TEXT_SIZE];
    mneme_error error = {0};
    int status = mneme_acquire(c->here.m, there->kind, &there->id, &here, &error);
    if (status == 0)
        status = mneme_acquire(c->there, there->kind, &there->id, &whole, &error);
    if (status == 0)
        status = mneme_record_to_json(here, &texts[0], &error);
    if (status == 0)
        status = mneme_record_to_json(whole, &texts[1], &error);
    mneme_id_format(&there->id, id);
    c->verdict->checked++;
    if (status)
        wrong(c, "the %s %s, which the server has: %s", mneme_kind_name(there->kind), id,
              error.message);
    else if (!slice_equal(slice_of(texts[0].data, texts[0].size),
                          slice_of(texts[1].data, texts[1].size)))
        wrong(c, "the %s %s\n  is here       %.500s\n  on the server %.500s",
              mneme_kind_name(there->kind), id, texts[0].data, texts[1].data);
    if (here)
        mneme_release(c->here.m, here);
    if (whole)
        mneme_release(c->there, whole);
    mneme_bytes_free(&texts[0]);
    mneme_bytes_free(&texts[1]);
}

/* Marks what the server has with a second bit. */
static void take_there(struct check *c, const mneme_record *record) {
    struct soak_name name = {0};
    (void)soak_name_of(&record->id, &name);
    const struct soak_object *o = object_of(c, &name);
    compare_both(c, record);
    if (!o)
        return;
    if (o->local)
        wrong(c, "writer %u: object %u must not leave this machine, and the server has it",
              name.writer, name.number);
    if (c->seen[name.writer][name.number] & 0x80)
        wrong(c, "writer %u: the server lists object %u twice", name.writer, name.number);
    c->seen[name.writer][name.number] |= 0x80;
}

static int compare_with_server(struct check *c, mneme_error *error) {
    const mneme_options options = {.size = sizeof options, .no_training = true, .cache.off = true};
    mneme_verify_report report;
    TRY(mneme_open(c->stage->server.url, &options, &c->there, error));
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        TRY(for_each(c->there, kinds[i], take_there, c, error));
    for (unsigned writer = 0; writer < COUNT_OF(c->seen); writer++)
        for (uint32_t i = 0; i < c->ledgers[writer].count; i++) {
            const struct soak_object *o = &c->ledgers[writer].objects[i];
            if (o->now.life == LIFE_LIVE && !o->local && !(c->seen[writer][i] & 0x80))
                wrong(c, "writer %u: object %u (%s) is not on the server", writer, i,
                      mneme_kind_name(o->kind));
        }
    int status = mneme_verify_records(c->there, tell_finding, c, &report, error);
    return status == MNEME_CORRUPT ? 0 : status;
}

/* ---- Files ---------------------------------------------------------------------------------- */

static int measure_file(struct check *c, mneme_error *error) {
    mneme_stats stats = {.size = sizeof stats};
    TRY(mneme_stats_get(c->here.m, &stats, error));
    c->verdict->file_bytes = stats.file_bytes;
    c->verdict->used_bytes = stats.used_bytes;
    for (unsigned i = 0; i < MNEME_KIND_COUNT; i++)
        c->verdict->live_bytes += stats.kinds[i].stored_bytes;
    return 0;
}

/* A damaged file is told by the findings. */
static int verify(struct check *c, const char *path, mneme_error *error) {
    mneme_verify_report report;
    int status = mneme_verify(path, tell_finding, c, &report, error);
    return status == MNEME_CORRUPT ? 0 : status;
}

static int verify_files(struct check *c, mneme_error *error) {
    struct soak_path path = soak_store_path(c->stage->scratch.directory);
    TRY(verify(c, path.text, error));
    for (unsigned slot = 0; slot < c->stage->slots; slot++) {
        path = soak_backup_path(c->stage->scratch.directory, slot);
        if (access(path.text, F_OK) == 0)
            TRY(verify(c, path.text, error));
    }
    return 0;
}

static int check_all(struct check *c, mneme_error *error) {
    struct soak_path path = soak_store_path(c->stage->scratch.directory);
    const mneme_options options = {
        .size = sizeof options,
        .no_training = true,
        .sync = {.url = proxy_url(c->stage->proxy), .mode = MNEME_SYNC_MANUAL}};
    TRY(mneme_open(path.text, &options, &c->here.m, error));
    TRY(come_into_step(c, error));
    TRY(read_ledgers(c, error));
    look_at_objects(c);
    TRY(look_at_lists(c, error));
    look_at_common(c);
    TRY(compare_with_server(c, error));
    TRY(measure_file(c, error));
    TRY(mneme_close(TAKE(c->here.m), error));
    return verify_files(c, error);
}

int soak_check(struct soak_stage *stage, struct soak_verdict *out, mneme_error *error) {
    struct check c = {.stage = stage, .verdict = out, .here.seed = stage->seed};
    *out = (struct soak_verdict){0};
    c.ledgers = mem_zalloc(COUNT_OF(c.seen), sizeof *c.ledgers);
    if (!c.ledgers)
        return error_set(error, MNEME_NO_MEMORY, "no memory for the last check");
    for (size_t i = 0; i < COUNT_OF(c.seen); i++)
        c.ledgers[i].fd = -1;
    int status = check_all(&c, error);
    for (size_t i = 0; i < COUNT_OF(c.seen); i++)
        ledger_close(&c.ledgers[i]);
    (void)mneme_close(c.here.m, NULL);
    (void)mneme_close(c.there, NULL);
    mem_free(c.ledgers);
    arena_fini(&c.arena);
    return status;
}
