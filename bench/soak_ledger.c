/*
 * soak_ledger.c - lines of intent and outcome, and the states that follow from them.
 */
#include "bench/soak_ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "bench/soak_record.h"

/* ---- Growing -------------------------------------------------------------------------------- */

/* Room for `count` elements; *block moves. */
static int make_room(void **block, uint32_t *room, uint32_t count, size_t size,
                     mneme_error *error) {
    if (count <= *room)
        return 0;
    uint32_t wanted = count < 512 ? 1024 : count * 2;
    void *grown = mem_resize(*block, wanted * size);
    if (!grown)
        return error_set(error, MNEME_NO_MEMORY, "no memory for a ledger");
    memset((uint8_t *)grown + *room * size, 0, (wanted - *room) * size);
    *block = grown;
    *room = wanted;
    return 0;
}

static int objects_reach(struct soak_ledger *l, uint32_t count, mneme_error *error) {
    void *objects = l->objects;
    int status = make_room(&objects, &l->room, count, sizeof *l->objects, error);
    l->objects = objects;
    if (status == 0 && count > l->count)
        l->count = count;
    return status;
}

static int live_add(struct soak_ledger *l, uint32_t object, mneme_error *error) {
    void *live = l->live;
    int status = make_room(&live, &l->live_room, l->live_count + 1, sizeof *l->live, error);
    l->live = live;
    TRY(status);
    l->objects[object].live_at = l->live_count;
    l->live[l->live_count++] = object;
    return 0;
}

static void live_remove(struct soak_ledger *l, uint32_t object) {
    uint32_t at = l->objects[object].live_at, last = l->live[--l->live_count];
    l->live[at] = last;
    l->objects[last].live_at = at;
}

static int step_add(struct soak_object *o, uint32_t write, mneme_error *error) {
    if (o->step_count % 16 == 0) {
        uint32_t *steps = mem_resize(o->steps, (o->step_count + 16) * sizeof *steps);
        if (!steps)
            return error_set(error, MNEME_NO_MEMORY, "no memory for a ledger");
        o->steps = steps;
    }
    o->steps[o->step_count++] = write;
    return 0;
}

static void step_remove(struct soak_object *o, uint32_t write) {
    uint32_t at = 0;
    while (at < o->step_count && o->steps[at] != write)
        at++;
    if (at < o->step_count)
        memmove(o->steps + at, o->steps + at + 1, (--o->step_count - at) * sizeof *o->steps);
}

/* ---- States --------------------------------------------------------------------------------- */

static void state_apply(struct soak_state *state, const struct soak_write *w) {
    switch (w->verb) {
    case VERB_PUT:
    case VERB_START:
        *state = (struct soak_state){.life = LIFE_LIVE, .content = w->number};
        break;
    case VERB_WHOLE:
        *state = (struct soak_state){.life = LIFE_LIVE, .content = w->number, .end = w->number};
        break;
    case VERB_TAG:
        state->tags |= UINT32_C(1) << w->extra;
        break;
    case VERB_UNTAG:
        state->tags &= ~(UINT32_C(1) << w->extra);
        break;
    case VERB_DELETE:
        state->life = LIFE_DELETED;
        break;
    case VERB_STEP:
        state->steps++;
        break;
    case VERB_COMPLETE:
        state->end = w->number;
        break;
    case VERB_RACE_STEP:
    case VERB_RACE_TAG:
    case VERB_RACE_UNTAG:
    case VERBS:
        break;
    }
}

const struct soak_write *ledger_pending(const struct soak_ledger *l, uint32_t number) {
    for (uint32_t i = 0; i < l->pending_count; i++)
        if (l->pending[i].number == number)
            return &l->pending[i];
    return NULL;
}

struct soak_state ledger_state(const struct soak_ledger *l, uint32_t object, uint32_t count) {
    const struct soak_object *o = &l->objects[object];
    struct soak_state state = o->now;
    for (uint32_t i = 0; i < count && i < o->pending_count; i++)
        state_apply(&state, ledger_pending(l, o->pending[i]));
    return state;
}

/* ---- Beginning ------------------------------------------------------------------------------ */

static bool is_shared(enum soak_verb verb) { return verb >= VERB_RACE_STEP; }

static int begin_object(struct soak_ledger *l, const struct soak_write *w, uint32_t object,
                        mneme_error *error) {
    TRY(objects_reach(l, object + 1, error));
    struct soak_object *o = &l->objects[object];
    if (o->pending_count == SOAK_OBJECT_PENDING_MAX)
        return error_set(error, MNEME_CORRUPT, "too many writes to object %u", object);
    if (o->kind == MNEME_KIND_NONE) {
        bool episode = w->verb == VERB_START || w->verb == VERB_WHOLE;
        o->kind = episode ? MNEME_EPISODE : soak_plain_kind(object);
        o->local = w->local;
        TRY(live_add(l, object, error));
    }
    if (w->verb == VERB_STEP)
        TRY(step_add(o, w->number, error));
    o->pending[o->pending_count++] = w->number;
    return 0;
}

static int begin_shared(struct soak_ledger *l, const struct soak_write *w, mneme_error *error) {
    if (w->verb != VERB_RACE_STEP) {
        l->shared[w->object].unsure |= UINT32_C(1) << w->extra;
        return 0;
    }
    void *steps = l->race_steps;
    int status = make_room(&steps, &l->race_room, l->race_count + 1, sizeof *l->race_steps, error);
    l->race_steps = steps;
    TRY(status);
    l->race_steps[l->race_count++] = (struct soak_race_step){.race = w->object, .write = w->number};
    return 0;
}

static int take_begin(struct soak_ledger *l, const struct soak_write *w, mneme_error *error) {
    /* Of a process that was killed many may be left that nobody can settle. */
    if (l->pending_count == SOAK_PENDING_MAX)
        return error_set(error, MNEME_CORRUPT, "writer %u: too many writes are pending", l->writer);
    if (is_shared(w->verb))
        TRY(begin_shared(l, w, error));
    else
        for (uint32_t i = 0; i < w->count; i++)
            TRY(begin_object(l, w, w->object + i, error));
    l->pending[l->pending_count++] = *w;
    l->next = w->number + 1;
    return 0;
}

/* ---- Ending --------------------------------------------------------------------------------- */

static void end_object(struct soak_ledger *l, const struct soak_write *w, uint32_t object,
                       bool done) {
    struct soak_object *o = &l->objects[object];
    enum soak_life life = o->now.life;
    uint32_t at = 0;
    while (at < o->pending_count && o->pending[at] != w->number)
        at++;
    if (at == o->pending_count)
        return;
    memmove(o->pending + at, o->pending + at + 1, (--o->pending_count - at) * sizeof *o->pending);
    if (done)
        state_apply(&o->now, w);
    else if (w->verb == VERB_STEP)
        step_remove(o, w->number);
    bool ends = o->now.life == LIFE_DELETED && life == LIFE_LIVE;
    bool never_was = o->now.life == LIFE_NONE && o->pending_count == 0;
    if (ends || never_was)
        live_remove(l, object);
}

static void end_shared(struct soak_ledger *l, const struct soak_write *w, int status) {
    if (w->verb == VERB_RACE_STEP) {
        for (uint32_t i = l->race_count; i-- > 0;)
            if (l->race_steps[i].write == w->number) {
                l->race_steps[i].fate = status == 0                 ? FATE_DONE
                                        : status == MNEME_UNCERTAIN ? FATE_PENDING
                                                                    : FATE_FAILED;
                break;
            }
        return;
    }
    struct soak_shared_tags *tags = &l->shared[w->object];
    uint32_t bit = UINT32_C(1) << w->extra;
    if (status == MNEME_UNCERTAIN)
        return;
    tags->unsure &= ~bit;
    if (status == 0)
        tags->set = w->verb == VERB_RACE_TAG ? tags->set | bit : tags->set & ~bit;
}

static int take_end(struct soak_ledger *l, uint32_t number, int status, mneme_error *error) {
    const struct soak_write *found = ledger_pending(l, number);
    if (!found)
        return error_set(error, MNEME_CORRUPT, "writer %u: write %u ends, and has not begun",
                         l->writer, number);
    struct soak_write w = *found;
    size_t at = (size_t)(found - l->pending);
    if (is_shared(w.verb))
        end_shared(l, &w, status);
    else
        for (uint32_t i = 0; i < w.count; i++)
            end_object(l, &w, w.object + i, status == 0);
    memmove(l->pending + at, l->pending + at + 1, (--l->pending_count - at) * sizeof *l->pending);
    l->done += status == 0;
    return 0;
}

/* ---- Lines ---------------------------------------------------------------------------------- */

static int write_line(const struct soak_ledger *l, const char *line, int size, mneme_error *error) {
    if (l->fd < 0)
        return 0;
    ssize_t put = write(l->fd, line, (size_t)size);
    return put == size ? 0
                       : error_set_errno(error, put < 0 ? errno : ENOSPC,
                                         "cannot write the ledger of writer %u", l->writer);
}

int ledger_begin(struct soak_ledger *l, struct soak_write *w, mneme_error *error) {
    char line[128];
    w->number = l->next;
    int size = snprintf(line, sizeof line, "B %u %u %u %u %u %d %d\n", w->number, (unsigned)w->verb,
                        w->object, w->count, w->extra, w->queued, w->local);
    TRY(write_line(l, line, size, error));
    return take_begin(l, w, error);
}

int ledger_end(struct soak_ledger *l, uint32_t number, int status, mneme_error *error) {
    char line[64];
    int size = snprintf(line, sizeof line, "E %u %d\n", number, status);
    TRY(write_line(l, line, size, error));
    return take_end(l, number, status, error);
}

static int take_line(struct soak_ledger *l, const char *line, mneme_error *error) {
    struct soak_write w;
    unsigned verb;
    int status, queued, local;
    if (sscanf(line, "B %u %u %u %u %u %d %d", &w.number, &verb, &w.object, &w.count, &w.extra,
               &queued, &local) == 7 &&
        verb < VERBS && w.extra < 32) {
        w.verb = (enum soak_verb)verb;
        w.queued = queued != 0;
        w.local = local != 0;
        return take_begin(l, &w, error);
    }
    if (sscanf(line, "E %u %d", &w.number, &status) == 2)
        return take_end(l, w.number, status, error);
    return error_set(error, MNEME_CORRUPT, "the ledger of writer %u has the line %.60s", l->writer,
                     line);
}

/* What all write to is never settled: the process that knew is gone. */
static void forget_shared(struct soak_ledger *l) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < l->pending_count; i++)
        if (!is_shared(l->pending[i].verb))
            l->pending[kept++] = l->pending[i];
    l->pending_count = kept;
}

int ledger_open(const char *path, unsigned writer, bool writable, struct soak_ledger *out,
                mneme_error *error) {
    AUTO_LEDGER struct soak_ledger l = {.fd = -1, .writer = writer, .next = 1};
    char line[160];
    int status = 0;
    FILE *file = fopen(path, writable ? "a+e" : "re");
    if (!file)
        return error_set_errno(error, errno, "cannot open %s", path);
    rewind(file);
    while (status == 0 && fgets(line, sizeof line, file))
        if (line[0] == 'O') /* another process begins */
            forget_shared(&l);
        else
            status = take_line(&l, line, error);
    fclose(file);
    TRY(status);
    forget_shared(&l);
    if (writable && (l.fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC)) < 0)
        return error_set_errno(error, errno, "cannot open %s", path);
    TRY(write_line(&l, "O\n", 2, error));
    *out = l;
    l = (struct soak_ledger){.fd = -1};
    return 0;
}

void ledger_close(struct soak_ledger *l) {
    for (uint32_t i = 0; i < l->count; i++)
        mem_free(l->objects[i].steps);
    mem_free(l->objects);
    mem_free(l->live);
    mem_free(l->race_steps);
    if (l->fd >= 0)
        close(l->fd);
    *l = (struct soak_ledger){.fd = -1};
}
