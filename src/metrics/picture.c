/*
 * picture.c - the picture: copies of all segments of a store, told by process and as a whole.
 */
#include <stdlib.h>
#include <unistd.h>

#include "metrics/meter_impl.h"
#include "metrics/picture_impl.h"

/* What a picture is made of. Copies of one process follow each other, the oldest process first. */
struct scene {
    struct segment_copy *copies; /* all, that of `ended` first */
    size_t count;
    const struct segment_copy **living; /* those but `ended`, sorted */
    size_t living_count;
    const struct segment_copy *ended;
    uint64_t now_ns, interval;
};

static void scene_fini(struct scene *scene) {
    for (size_t i = 0; i < scene->count; i++)
        segment_copy_fini(&scene->copies[i]);
    mem_free(scene->copies);
    mem_free(scene->living);
}

/* ---- Gathering ------------------------------------------------------------------------------- */

static bool is_mate(const struct meter *meter, const struct meter *other) {
    if (meter == other)
        return true;
    return meter->shelf.store[0] && other->generation == process_generation() &&
           strcmp(meter->shelf.store, other->shelf.store) == 0 &&
           strcmp(meter->shelf.root, other->shelf.root) == 0;
}

/* Of this process's own meters, while none can be closed. */
static int copy_own(struct meter *meter, struct scene *scene) {
    size_t room = 1;
    int status = 0;
    registry_lock();
    for (struct meter *m = registry_first(); m; m = m->next)
        room += is_mate(meter, m);
    struct segment_copy *more =
        mem_resize(scene->copies, (scene->count + room) * sizeof *scene->copies);
    if (!more)
        status = MNEME_NO_MEMORY;
    else
        scene->copies = more;
    for (struct meter *m = registry_first(); status == 0 && m; m = m->next) {
        if (!is_mate(meter, m))
            continue;
        scene->copies[scene->count] = (struct segment_copy){0};
        status = segment_copy_mapped(&scene->copies[scene->count], &m->segment);
        scene->count += status == 0;
    }
    registry_unlock();
    return status;
}

static int older_first(const void *a, const void *b) {
    const struct segment_head *x = (*(const struct segment_copy *const *)a)->head;
    const struct segment_head *y = (*(const struct segment_copy *const *)b)->head;
    if (x->since_ns != y->since_ns)
        return x->since_ns < y->since_ns ? -1 : 1;
    return x->pid < y->pid ? -1 : x->pid > y->pid;
}

/* Bring the other handles of each process behind its oldest. */
static void gather_processes(struct scene *scene) {
    const struct segment_copy **list = scene->living;
    for (size_t i = 0; i + 1 < scene->living_count; i++) {
        size_t next = i + 1;
        for (size_t j = next; j < scene->living_count; j++) {
            const struct segment_copy *other = list[j];
            if (other->head->pid != list[i]->head->pid)
                continue;
            memmove(&list[next + 1], &list[next], (j - next) * sizeof *list);
            list[next] = other;
            break;
        }
    }
}

static int scene_init(struct meter *meter, struct scene *scene) {
    struct shelf_copies others = {0};
    if (!meter->observes)
        meter_advance(meter);
    if (meter->shelf.store[0])
        TRY(shelf_read(&meter->shelf, &others));
    *scene = (struct scene){.copies = others.copies, .count = others.count};
    int status = copy_own(meter, scene);
    scene->living = mem_zalloc(scene->count, sizeof(struct segment_copy *));
    if (status || !scene->living)
        return MNEME_NO_MEMORY;
    scene->now_ns = clock_monotonic_ns();
    scene->interval = interval_of(scene->now_ns);
    scene->ended = others.has_ended ? &scene->copies[0] : NULL;
    for (size_t i = others.has_ended; i < scene->count; i++)
        scene->living[scene->living_count++] = &scene->copies[i];
    qsort(scene->living, scene->living_count, sizeof *scene->living, older_first);
    gather_processes(scene);
    return 0;
}

/* ---- Processes ------------------------------------------------------------------------------- */

/* How long each window is for somebody who has measured since then. */
static void set_spans(const struct scene *scene, uint64_t since_ns, double spans[]) {
    uint64_t epoch = scene->now_ns - scene->now_ns % INTERVAL_NS;
    uint64_t hour = PERIOD_INTERVALS * INTERVAL_NS;
    uint64_t begins[MNEME_WINDOW_COUNT] = {
        [MNEME_WINDOW_MINUTE] = epoch - (MINUTE_SLOTS - 1) * INTERVAL_NS,
        [MNEME_WINDOW_HOUR] = scene->now_ns - scene->now_ns % hour - (HOUR_SLOTS - 1) * hour,
        [MNEME_WINDOW_LIFE] = 0,
    };
    for (unsigned w = 0; w < MNEME_WINDOW_COUNT; w++) {
        /* A machine that is younger than the window: its beginning lies before 0. */
        bool before = begins[w] > scene->now_ns || begins[w] < since_ns;
        uint64_t begin = before ? since_ns : begins[w];
        spans[w] = scene->now_ns > begin ? (double)(scene->now_ns - begin) / 1e9 : 0;
    }
}

static uint64_t since_ns_of(const struct source *source) {
    uint64_t since = source->ended ? source->ended->head->since_ns : UINT64_MAX;
    for (size_t i = 0; i < source->count; i++)
        if (source->copies[i]->head->since_ns < since)
            since = source->copies[i]->head->since_ns;
    return since;
}

static int list_operations(const struct scene *scene, const struct source *source,
                           struct tally *tally, struct arena *arena, mneme_process *out) {
    double spans[MNEME_WINDOW_COUNT];
    mneme_operation *list = arena_zalloc(arena, METER_OPERATION_COUNT, sizeof *list);
    if (!list)
        return MNEME_NO_MEMORY;
    set_spans(scene, since_ns_of(source), spans);
    out->operations = list;
    for (unsigned i = 0; i < METER_OPERATION_COUNT; i++) {
        enum meter_operation operation = (enum meter_operation)i;
        tally_clear(tally);
        for (size_t j = 0; j < source->count; j++)
            tally_add_operation(tally, source->copies[j], operation, scene->interval);
        if (source->ended)
            tally_add_operation(tally, source->ended, operation, scene->interval);
        if (tally->any && tally_count(&tally->windows[MNEME_WINDOW_LIFE]))
            TRY(tally_operation(tally, operation, spans, arena, &list[out->operation_count++]));
    }
    return 0;
}

static int tell_source(const struct scene *scene, const struct source *source, struct arena *arena,
                       mneme_process *out) {
    AUTO_FREE struct tally *tally = mem_zalloc(1, sizeof *tally);
    if (!tally)
        return MNEME_NO_MEMORY;
    TRY(list_operations(scene, source, tally, arena, out));
    TRY(source_levels(source, arena, out));
    return source_shapes(source, scene->interval, arena, out);
}

static int tell_process(const struct scene *scene, const struct source *source, int64_t self,
                        struct arena *arena, mneme_process *out) {
    const struct segment_head *oldest = source->copies[0]->head;
    struct slice command = slice_of(oldest->command, strlen(oldest->command) + 1);
    TRY(arena_copy(arena, command, &command));
    *out = (mneme_process){.pid = oldest->pid,
                           .command = (const char *)command.data,
                           .since_us = oldest->since_us,
                           .self = oldest->pid == self};
    return tell_source(scene, source, arena, out);
}

static int tell_processes(const struct scene *scene, int64_t self, struct arena *arena,
                          mneme_metrics *out) {
    mneme_process *list = arena_zalloc(arena, scene->living_count, sizeof *list);
    if (!list)
        return MNEME_NO_MEMORY;
    out->processes = list;
    for (size_t i = 0, count; i < scene->living_count; i += count) {
        for (count = 1; i + count < scene->living_count; count++)
            if (scene->living[i + count]->head->pid != scene->living[i]->head->pid)
                break;
        struct source source = {&scene->living[i], count, NULL};
        TRY(tell_process(scene, &source, self, arena, &list[out->process_count++]));
    }
    return 0;
}

static int tell(struct meter *meter, const struct scene *scene, struct arena *arena,
                mneme_metrics *out) {
    struct source all = {scene->living, scene->living_count, scene->ended};
    *out = (mneme_metrics){.size = sizeof *out,
                           .at_us = clock_wall_us(),
                           .store = "",
                           .on = !meter->observes,
                           .alone = meter->alone,
                           .ended = scene->ended ? scene->ended->head->ended : 0,
                           .total.command = ""};
    if (all.count || all.ended)
        out->total.since_us = out->at_us - (int64_t)((scene->now_ns - since_ns_of(&all)) / 1000);
    TRY(tell_source(scene, &all, arena, &out->total));
    TRY(tell_processes(scene, getpid(), arena, out));
    return copies_slow(scene->copies, scene->count, arena, out);
}

int meter_read(struct meter *meter, struct arena *arena, mneme_metrics *out, mneme_error *error) {
    CLEANUP(scene_fini) struct scene scene = {0};
    mneme_metrics told;
    if (!meter) {
        *out = (mneme_metrics){.size = sizeof *out,
                               .at_us = clock_wall_us(),
                               .store = "",
                               .alone = "nothing is measured",
                               .total.command = ""};
        return 0;
    }
    int status = scene_init(meter, &scene);
    status = status ? status : tell(meter, &scene, arena, &told);
    if (status)
        return error_set(error, status, "no memory for a picture of the metrics");
    struct slice alone = slice_of(meter->alone, strlen(meter->alone) + 1);
    if (arena_copy(arena, alone, &alone))
        return error_set(error, MNEME_NO_MEMORY, "no memory for a picture of the metrics");
    told.alone = (const char *)alone.data;
    *out = told;
    return 0;
}
