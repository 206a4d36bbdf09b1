/*
 * add.c - the numbers of a handle that has ended, added to a segment that lives on.
 */
#include "metrics/segment.h"

/* The slot in which a segment at `interval` keeps what another one, at `from`, has in `slot`. */
static unsigned slot_of(unsigned slot, uint64_t from, uint64_t interval) {
    uint64_t period;
    if (slot == LIFE_SLOT)
        return LIFE_SLOT;
    if (slot < MINUTE_SLOTS) {
        uint64_t at = from - (from + MINUTE_SLOTS - slot) % MINUTE_SLOTS;
        if (at > interval)
            at = interval;
        if (at + MINUTE_SLOTS > interval)
            return minute_slot(at);
        period = period_of(at);
    } else {
        uint64_t last = period_of(from);
        period = last - (last + HOUR_SLOTS - (slot - MINUTE_SLOTS)) % HOUR_SLOTS;
    }
    if (period > period_of(interval))
        period = period_of(interval);
    return period + HOUR_SLOTS > period_of(interval) ? hour_slot(period) : LIFE_SLOT;
}

static uint64_t octave_count(const struct octave *octave, unsigned slot, unsigned place) {
    return slot < LIFE_SLOT ? atomic_load(&octave->recent[slot][place])
                            : value_of(&octave->life[place]);
}

static void add_octave(struct segment *to, struct cell *cell, unsigned number,
                       const struct octave *from, const unsigned slots[SLOTS]) {
    struct octave *octave = segment_octave(to, cell, number);
    for (unsigned slot = 0; slot < SLOTS; slot++) {
        for (unsigned i = 0; i < OCTAVE_BUCKETS; i++) {
            uint64_t count = octave_count(from, slot, i);
            unsigned at = slots[slot];
            if (!octave)
                add_to(&cell->slots[at].untimed, count);
            else if (at < LIFE_SLOT)
                atomic_fetch_add(&octave->recent[at][i], (unsigned)count);
            else
                add_to(&octave->life[i], count);
        }
    }
}

static void add_cell(struct segment *to, unsigned number, const struct segment_copy *from,
                     const struct cell *source, const unsigned slots[SLOTS]) {
    struct cell *cell = segment_cell(to, number);
    if (!cell)
        return;
    for (unsigned i = 0; i < SLOTS; i++) {
        const struct cell_slot *slot = &source->slots[i];
        struct cell_slot *target = &cell->slots[slots[i]];
        add_to(&target->sum_ns, value_of(&slot->sum_ns));
        add_to(&target->errors, value_of(&slot->errors));
        add_to(&target->untimed, value_of(&slot->untimed));
        raise_to(&target->max_ns, value_of(&slot->max_ns));
    }
    for (unsigned i = 0; i < CODES; i++)
        add_to(&cell->codes[i], value_of(&source->codes[i]));
    for (unsigned i = 0; i < OCTAVES; i++) {
        const struct octave *octave = copy_octave(from, source, i);
        if (octave)
            add_octave(to, cell, i, octave, slots);
    }
}

static void add_shapes(struct segment *to, const struct segment_copy *from,
                       const unsigned slots[SLOTS]) {
    unsigned count = atomic_load(&from->head->shape_count);
    for (unsigned i = 0; i < count; i++) {
        const struct shape *shape = &from->head->shapes[i];
        const struct cell *cell = copy_cell(from, cell_of_shape(i));
        unsigned at = segment_shape(to, shape->text);
        add_to(&to->head->shapes[at].hits, value_of(&shape->hits));
        if (cell)
            add_cell(to, cell_of_shape(at), from, cell, slots);
    }
}

static void add_slow(struct segment *to, const struct segment_copy *from) {
    uint64_t count = value_of(&from->head->slow_count);
    for (uint64_t i = count > SLOW_ENTRIES ? count - SLOW_ENTRIES : 0; i < count; i++) {
        struct slow_entry entry = from->head->slow[i % SLOW_ENTRIES];
        if (slow_entry_is_whole(&entry))
            segment_note_slow(to, &entry);
    }
}

static double level_of(const struct segment_head *head, unsigned level) {
    uint64_t bits = value_of(&head->levels[level]);
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static void add_levels(struct segment_head *to, const struct segment_head *from) {
    for (unsigned i = 0; i < METER_LEVEL_COUNT; i++) {
        if (!level_is_set(from, i) || !meter_level_adds_up(i))
            continue;
        double sum = level_of(to, i) + level_of(from, i);
        uint64_t bits;
        memcpy(&bits, &sum, sizeof bits);
        atomic_store(&to->levels[i], bits);
        atomic_fetch_or(&to->levels_set[i / 64], UINT64_C(1) << i % 64);
    }
}

void segment_add(struct segment *to, const struct segment_copy *from, uint64_t interval) {
    unsigned slots[SLOTS];
    uint64_t theirs = value_of(&from->head->interval);
    segment_advance(to, interval);
    interval = value_of(&to->head->interval);
    for (unsigned i = 0; i < SLOTS; i++)
        slots[i] = slot_of(i, theirs, interval);
    for (unsigned operation = 0; operation < METER_OPERATION_COUNT; operation++) {
        for (unsigned stripe = 0; stripe < STRIPES; stripe++) {
            const struct cell *cell = copy_cell(from, cell_of_operation(operation, stripe));
            if (cell)
                add_cell(to, cell_of_operation(operation, 0), from, cell, slots);
        }
    }
    add_shapes(to, from, slots);
    add_slow(to, from);
    add_levels(to->head, from->head);
    if (from->head->since_us < to->head->since_us) {
        to->head->since_us = from->head->since_us;
        to->head->since_ns = from->head->since_ns;
    }
    to->head->ended += from->head->ended ? from->head->ended : 1;
}
