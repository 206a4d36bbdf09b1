/*
 * told.c - levels, shapes and slow operations of some segments, as one.
 */
#include <stdlib.h>

#include "metrics/picture_impl.h"

/* ---- Levels ---------------------------------------------------------------------------------- */

enum total { SUM, MOST, LATEST };
enum { C = MNEME_LEVEL_COUNTER, G = MNEME_LEVEL_GAUGE };

struct level_row {
    mneme_level level;
    enum total total;
};

static const struct level_row rows[METER_LEVEL_COUNT] = {
#define LEVEL_ROW(id, text, unit_, label, value_, type_, total_, help_)                            \
    [METER_LEVEL_##id] = {{.name = text,                                                           \
                           .unit = unit_,                                                          \
                           .help = help_,                                                          \
                           .label_name = label,                                                    \
                           .label_value = value_,                                                  \
                           .type = (mneme_level_type)(type_)},                                     \
                          total_},
    METER_LEVEL_TABLE(LEVEL_ROW)};

bool meter_level_adds_up(unsigned level) {
    return rows[level].level.type == MNEME_LEVEL_COUNTER && rows[level].total == SUM;
}

static double value_in(const struct segment_copy *copy, unsigned level) {
    uint64_t bits = value_of(&copy->head->levels[level]);
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* False: nobody has told it. */
static bool level_of(const struct source *source, unsigned level, double *value) {
    uint64_t latest = 0;
    bool any = false;
    *value = 0;
    for (size_t i = 0; i < source->count; i++) {
        const struct segment_copy *copy = source->copies[i];
        uint64_t told = value_of(&copy->head->published_ns);
        if (!level_is_set(copy->head, level))
            continue;
        double one = value_in(copy, level);
        if (rows[level].total == SUM)
            *value += one;
        else if (rows[level].total == MOST ? !any || one > *value : !any || told >= latest)
            *value = one;
        latest = told > latest ? told : latest;
        any = true;
    }
    if (source->ended && level_is_set(source->ended->head, level) && meter_level_adds_up(level)) {
        *value += value_in(source->ended, level);
        any = true;
    }
    return any;
}

int source_levels(const struct source *source, struct arena *arena, mneme_process *out) {
    mneme_level *list = arena_zalloc(arena, METER_LEVEL_COUNT, sizeof *list);
    if (!list)
        return MNEME_NO_MEMORY;
    out->levels = list;
    for (unsigned i = 0; i < METER_LEVEL_COUNT; i++) {
        mneme_level level = rows[i].level;
        if (level_of(source, i, &level.value))
            list[out->level_count++] = level;
    }
    return 0;
}

/* ---- Shapes ---------------------------------------------------------------------------------- */

struct shape_sum {
    const char *text;
    uint64_t hits;
    struct tally *tally;
};

static int find_shape(struct shape_sum *sums, size_t *count, const char *text, struct arena *arena,
                      struct shape_sum **out) {
    size_t at = 0;
    struct slice copy;
    while (at < *count && strcmp(sums[at].text, text) != 0)
        at++;
    *out = &sums[at];
    if (at < *count)
        return 0;
    sums[at].tally = mem_zalloc(1, sizeof *sums[at].tally);
    if (!sums[at].tally || arena_copy(arena, slice_of(text, strlen(text) + 1), &copy))
        return MNEME_NO_MEMORY;
    sums[at].text = (const char *)copy.data;
    (*count)++;
    return 0;
}

static int add_shapes(const struct segment_copy *copy, uint64_t interval, struct shape_sum *sums,
                      size_t *count, struct arena *arena) {
    unsigned shapes = atomic_load(&copy->head->shape_count);
    for (unsigned i = 0; i < shapes; i++) {
        const struct shape *shape = &copy->head->shapes[i];
        struct shape_sum *sum;
        TRY(find_shape(sums, count, shape->text, arena, &sum));
        sum->hits += value_of(&shape->hits);
        tally_add(sum->tally, copy, copy_cell(copy, cell_of_shape(i)), interval);
    }
    return 0;
}

static int more_frequent(const void *a, const void *b) {
    const mneme_query_shape *x = a, *y = b;
    return x->count == y->count ? strcmp(x->text, y->text) : x->count < y->count ? 1 : -1;
}

static int show_shapes(const struct shape_sum *sums, size_t count, struct arena *arena,
                       mneme_process *out) {
    mneme_query_shape *list = arena_zalloc(arena, count, sizeof *list);
    if (!list)
        return MNEME_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        const struct window_tally *life = &sums[i].tally->windows[MNEME_WINDOW_LIFE];
        list[i] = (mneme_query_shape){.text = sums[i].text,
                                      .count = tally_count(life),
                                      .hits = sums[i].hits,
                                      .errors = life->errors,
                                      .latency = tally_latency(life)};
    }
    qsort(list, count, sizeof *list, more_frequent);
    out->shapes = list;
    out->shape_count = count;
    return 0;
}

int source_shapes(const struct source *source, uint64_t interval, struct arena *arena,
                  mneme_process *out) {
    size_t most = (source->count + 1) * SHAPES, count = 0;
    AUTO_FREE struct shape_sum *sums = mem_zalloc(most, sizeof *sums);
    int status = sums ? 0 : MNEME_NO_MEMORY;
    for (size_t i = 0; status == 0 && i < source->count; i++)
        status = add_shapes(source->copies[i], interval, sums, &count, arena);
    if (status == 0 && source->ended)
        status = add_shapes(source->ended, interval, sums, &count, arena);
    if (status == 0 && count)
        status = show_shapes(sums, count, arena, out);
    for (size_t i = 0; sums && i < most && sums[i].tally; i++)
        mem_free(sums[i].tally);
    return status;
}

/* ---- Slow operations ------------------------------------------------------------------------- */

static int later_first(const void *a, const void *b) {
    const mneme_slow_operation *x = a, *y = b;
    return x->at_us == y->at_us ? 0 : x->at_us < y->at_us ? 1 : -1;
}

static int add_slow(const struct segment_copy *copy, struct arena *arena,
                    mneme_slow_operation *list, size_t *count) {
    for (unsigned i = 0; i < SLOW_ENTRIES; i++) {
        const struct slow_entry *entry = &copy->head->slow[i];
        struct slice detail;
        if (!slow_entry_is_whole(entry))
            continue;
        TRY(arena_copy(arena, slice_of(entry->detail, strlen(entry->detail) + 1), &detail));
        enum meter_operation operation = (enum meter_operation)entry->operation;
        list[(*count)++] = (mneme_slow_operation){.at_us = entry->at_us,
                                                  .pid = entry->pid,
                                                  .layer = meter_operation_layer(operation),
                                                  .name = meter_operation_name(operation),
                                                  .duration_ns = entry->duration_ns,
                                                  .code = entry->code,
                                                  .records = entry->records,
                                                  .detail = (const char *)detail.data};
    }
    return 0;
}

int copies_slow(const struct segment_copy *copies, size_t count, struct arena *arena,
                mneme_metrics *out) {
    mneme_slow_operation *list = arena_zalloc(arena, count * SLOW_ENTRIES, sizeof *list);
    if (!list)
        return MNEME_NO_MEMORY;
    for (size_t i = 0; i < count; i++)
        TRY(add_slow(&copies[i], arena, list, &out->slow_count));
    qsort(list, out->slow_count, sizeof *list, later_first);
    out->slow = list;
    return 0;
}
