/*
 * tally.c - histograms added up, and what is told of them.
 */
#include "metrics/picture_impl.h"

struct operation_row {
    const char *layer, *name, *gen_ai;
    uint32_t sample;
};

static const struct operation_row rows[METER_OPERATION_COUNT] = {
#define TALLY_ROW(id, layer, text, gen_ai, sample) [METER_##id] = {layer, text, gen_ai, sample},
    METER_OPERATION_TABLE(TALLY_ROW)};

void tally_clear(struct tally *tally) {
    if (tally->any)
        *tally = (struct tally){0};
}

/* ---- Adding up ------------------------------------------------------------------------------- */

/* Which windows a slot of a segment at interval `from` belongs to now, as bits of mneme_window. */
static unsigned windows_of(unsigned slot, uint64_t from, uint64_t now) {
    unsigned life = 1u << MNEME_WINDOW_LIFE;
    uint64_t period;
    if (slot == LIFE_SLOT)
        return life;
    if (slot < MINUTE_SLOTS) {
        uint64_t interval = from - (from + MINUTE_SLOTS - slot) % MINUTE_SLOTS;
        period = period_of(interval);
        if (interval + MINUTE_SLOTS > now)
            life |= 1u << MNEME_WINDOW_MINUTE;
    } else {
        uint64_t last = period_of(from);
        period = last - (last + HOUR_SLOTS - (slot - MINUTE_SLOTS)) % HOUR_SLOTS;
    }
    return period + HOUR_SLOTS > period_of(now) ? life | 1u << MNEME_WINDOW_HOUR : life;
}

static void add_slot(struct tally *tally, const struct cell_slot *slot, unsigned windows) {
    for (unsigned w = 0; w < MNEME_WINDOW_COUNT; w++) {
        struct window_tally *window = &tally->windows[w];
        uint64_t max = value_of(&slot->max_ns);
        if (!(windows >> w & 1))
            continue;
        window->sum_ns += value_of(&slot->sum_ns);
        window->errors += value_of(&slot->errors);
        window->untimed += value_of(&slot->untimed);
        window->max_ns = max > window->max_ns ? max : window->max_ns;
    }
}

static void add_octave(struct tally *tally, const struct octave *octave, unsigned number,
                       const unsigned windows[SLOTS]) {
    for (unsigned slot = 0; slot < SLOTS; slot++) {
        for (unsigned i = 0; i < OCTAVE_BUCKETS; i++) {
            uint64_t count = slot < LIFE_SLOT ? atomic_load(&octave->recent[slot][i])
                                              : value_of(&octave->life[i]);
            for (unsigned w = 0; count && w < MNEME_WINDOW_COUNT; w++)
                if (windows[slot] >> w & 1)
                    tally->windows[w].buckets[number * OCTAVE_BUCKETS + i] += count;
        }
    }
}

void tally_add(struct tally *tally, const struct segment_copy *copy, const struct cell *cell,
               uint64_t interval) {
    unsigned windows[SLOTS];
    uint64_t from = value_of(&copy->head->interval);
    if (!cell)
        return;
    tally->any = true;
    for (unsigned slot = 0; slot < SLOTS; slot++) {
        windows[slot] = windows_of(slot, from, interval);
        add_slot(tally, &cell->slots[slot], windows[slot]);
    }
    for (unsigned i = 0; i < CODES; i++)
        tally->codes[i] += value_of(&cell->codes[i]);
    for (unsigned i = 0; i < OCTAVES; i++) {
        const struct octave *octave = copy_octave(copy, cell, i);
        if (octave)
            add_octave(tally, octave, i, windows);
    }
}

void tally_add_operation(struct tally *tally, const struct segment_copy *copy,
                         enum meter_operation operation, uint64_t interval) {
    for (unsigned stripe = 0; stripe < STRIPES; stripe++)
        tally_add(tally, copy, copy_cell(copy, cell_of_operation(operation, stripe)), interval);
}

void tally_join(struct tally *to, const struct tally *from) {
    if (!from->any)
        return;
    to->any = true;
    for (unsigned w = 0; w < MNEME_WINDOW_COUNT; w++) {
        struct window_tally *a = &to->windows[w];
        const struct window_tally *b = &from->windows[w];
        for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
            a->buckets[i] += b->buckets[i];
        a->sum_ns += b->sum_ns;
        a->errors += b->errors;
        a->untimed += b->untimed;
        a->max_ns = a->max_ns > b->max_ns ? a->max_ns : b->max_ns;
    }
    for (unsigned i = 0; i < CODES; i++)
        to->codes[i] += from->codes[i];
}

/* ---- Telling --------------------------------------------------------------------------------- */

static uint64_t timed_count(const struct window_tally *window) {
    uint64_t count = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        count += window->buckets[i];
    return count;
}

uint64_t tally_count(const struct window_tally *window) {
    return timed_count(window) + window->untimed;
}

/*
 * The value at rank ceil(q x count), the "nearest rank" percentile: the greatest of its bucket, and
 * never more than the greatest there was. `parts`: q in thousandths.
 */
static uint64_t percentile(const struct window_tally *window, uint64_t count, uint64_t parts) {
    uint64_t rank = count / 1000 * parts + (count % 1000 * parts + 999) / 1000, seen = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += window->buckets[i];
        if (seen >= rank && seen)
            return histogram_most(i) < window->max_ns ? histogram_most(i) : window->max_ns;
    }
    return window->max_ns;
}

mneme_latency tally_latency(const struct window_tally *window) {
    uint64_t count = timed_count(window);
    if (count == 0)
        return (mneme_latency){0};
    return (mneme_latency){.count = count,
                           .sum_ns = window->sum_ns,
                           .p50_ns = percentile(window, count, 500),
                           .p95_ns = percentile(window, count, 950),
                           .p99_ns = percentile(window, count, 990),
                           .p999_ns = percentile(window, count, 999),
                           .max_ns = window->max_ns};
}

static int list_errors(const struct tally *tally, struct arena *arena, mneme_operation *out) {
    size_t count = 0;
    for (unsigned i = 0; i < CODES; i++)
        count += tally->codes[i] > 0;
    mneme_error_count *list = arena_zalloc(arena, count, sizeof *list);
    if (!list)
        return MNEME_NO_MEMORY;
    out->errors = list;
    for (unsigned i = 0; i < CODES; i++)
        if (tally->codes[i])
            list[out->error_count++] = (mneme_error_count){-(int)i, tally->codes[i]};
    return 0;
}

static int list_buckets(const struct window_tally *life, struct arena *arena,
                        mneme_operation *out) {
    size_t count = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        count += life->buckets[i] > 0;
    mneme_latency_bucket *list = arena_zalloc(arena, count, sizeof *list);
    if (!list)
        return MNEME_NO_MEMORY;
    out->buckets = list;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        if (life->buckets[i])
            list[out->bucket_count++] = (mneme_latency_bucket){histogram_most(i), life->buckets[i]};
    return 0;
}

int tally_operation(const struct tally *tally, enum meter_operation operation,
                    const double spans[MNEME_WINDOW_COUNT], struct arena *arena,
                    mneme_operation *out) {
    const struct operation_row *row = &rows[operation];
    *out = (mneme_operation){
        .layer = row->layer, .name = row->name, .gen_ai = row->gen_ai, .sample = row->sample};
    for (unsigned w = 0; w < MNEME_WINDOW_COUNT; w++) {
        const struct window_tally *window = &tally->windows[w];
        out->windows[w] = (mneme_operation_window){.span_s = spans[w],
                                                   .count = tally_count(window),
                                                   .errors = window->errors,
                                                   .latency = tally_latency(window)};
    }
    TRY(list_errors(tally, arena, out));
    return list_buckets(&tally->windows[MNEME_WINDOW_LIFE], arena, out);
}
