/*
 * meter.c - counting: what is called for each operation, and the list of a process's meters.
 */
#include <stdio.h>
#include <unistd.h>

#include "metrics/meter_impl.h"

enum { LEVELS_EVERY_NS = 1000000000 };

THREAD_LOCAL struct meter_sampler meter_hits, meter_gets;
static THREAD_LOCAL uint32_t random_state;
static THREAD_LOCAL unsigned stripe_number; /* of this thread, from 1 on; 0: none yet */
static atomic_uint stripes_given;

static pthread_mutex_t registry_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct meter *registry; /* registry_mutex */

/* ---- Tables ---------------------------------------------------------------------------------- */

struct operation_row {
    const char *layer, *name;
};

static const struct operation_row operations[METER_OPERATION_COUNT] = {
#define OPERATION_ROW(id, layer, text, gen_ai, sample) [METER_##id] = {layer, text},
    METER_OPERATION_TABLE(OPERATION_ROW)};

const char *meter_operation_layer(enum meter_operation operation) {
    return operations[operation].layer;
}
const char *meter_operation_name(enum meter_operation operation) {
    return operations[operation].name;
}

/* ---- The list -------------------------------------------------------------------------------- */

/* A fork() on another thread must not leave it locked for ever. */
static void registry_after_fork(void) { pthread_mutex_unlock(&registry_mutex); }
static void registry_prepare(void) {
    pthread_atfork(registry_lock, registry_after_fork, registry_after_fork);
}

void registry_lock(void) { pthread_mutex_lock(&registry_mutex); }
void registry_unlock(void) { pthread_mutex_unlock(&registry_mutex); }
struct meter *registry_first(void) {
    return registry;
}

static void registry_add(struct meter *meter) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, registry_prepare);
    registry_lock();
    meter->next = registry;
    registry = meter;
    registry_unlock();
}

static void registry_remove(struct meter *meter) {
    registry_lock();
    struct meter **at = &registry;
    while (*at && *at != meter)
        at = &(*at)->next;
    if (*at)
        *at = meter->next;
    registry_unlock();
}

/* ---- Opening and closing --------------------------------------------------------------------- */

/* More than one only where threads run at once. */
static unsigned stripe_mask(void) {
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    return cores >= STRIPES ? STRIPES - 1 : cores > 1 ? 1 : 0;
}

static int join(struct meter *meter, const struct meter_options *options, mneme_error *error) {
    mneme_error why;
    if (!options->store) {
        snprintf(meter->alone, sizeof meter->alone, "no other process can have this store open");
    } else if (shelf_join(meter, options, &why) == 0) {
        return 0;
    } else {
        snprintf(meter->alone, sizeof meter->alone, "%.*s", METER_ALONE_TEXT - 1, why.message);
    }
    meter->shelf.store[0] = 0;
    return segment_open(&meter->segment, -1, true, error);
}

static void observe(struct meter *meter, const struct meter_options *options) {
    mneme_error why;
    if (!options->store)
        snprintf(meter->alone, sizeof meter->alone, "no other process can have this store open");
    else if (shelf_find(&meter->shelf, options, &why)) {
        snprintf(meter->alone, sizeof meter->alone, "%.*s", METER_ALONE_TEXT - 1, why.message);
        meter->shelf.store[0] = 0;
    }
}

int meter_open(const struct meter_options *options, struct meter **out, mneme_error *error) {
    struct meter *meter = mem_zalloc(1, sizeof *meter);
    if (!meter)
        return error_set(error, MNEME_NO_MEMORY, "no memory to measure");
    ticks_prepare();
    meter->generation = process_generation();
    meter->stripe_mask = stripe_mask();
    meter->slow_ns = options->slow_ns ? options->slow_ns : 100000000;
    atomic_flag_clear(&meter->moving);
    meter->observes = options->observes;
    if (meter->observes) {
        observe(meter, options);
        *out = meter;
        return 0;
    }
    int status = join(meter, options, error);
    if (status) {
        mem_free(meter);
        return status;
    }
    atomic_store(&meter->next_levels_ns, clock_monotonic_ns() + LEVELS_EVERY_NS);
    meter_advance(meter);
    registry_add(meter);
    *out = meter;
    return 0;
}

void meter_close(struct meter *meter) {
    if (!meter)
        return;
    if (!meter->observes)
        registry_remove(meter);
    if (!meter->observes && meter->shelf.store[0])
        shelf_leave(meter);
    segment_close(&meter->segment);
    mem_free(meter);
}

const char *meter_alone(const struct meter *meter) { return meter->alone; }

/* ---- Time ------------------------------------------------------------------------------------ */

/* So many nanoseconds from now, in ticks. */
static uint64_t ticks_after(uint64_t ns) {
    uint64_t ticks = ticks_ratio ? (ns << TICKS_SHIFT) / ticks_ratio : ns;
    return ticks_now() + ticks;
}

/* `next_ticks` is only when to look again; the time itself is CLOCK_MONOTONIC's. */
void meter_advance(struct meter *meter) {
    if (atomic_flag_test_and_set_explicit(&meter->moving, memory_order_acquire))
        return;
    uint64_t now = clock_monotonic_ns(), interval = interval_of(now);
    uint64_t levels = value_of(&meter->next_levels_ns);
    uint64_t left = INTERVAL_NS - now % INTERVAL_NS;
    segment_advance(&meter->segment, interval);
    atomic_store_explicit(&meter->slot, minute_slot(interval), memory_order_relaxed);
    if (levels < now + left) /* or at once, until somebody has told them who can */
        left = levels > now ? levels - now : 0;
    atomic_store_explicit(&meter->next_ticks, ticks_after(left), memory_order_relaxed);
    atomic_flag_clear_explicit(&meter->moving, memory_order_release);
}

/* Only the outermost operations are told that levels are due: no lock is held at their end. */
static bool is_outermost(enum meter_operation operation) {
    return operation < METER_KV_APPLY || operation == METER_SYNC_STEP;
}

/* It may be time for the next interval, or for the levels, which one caller is told. */
static unsigned look_at_time(struct meter *meter, enum meter_operation operation) {
    uint64_t now = clock_monotonic_ns(), due = value_of(&meter->next_levels_ns);
    bool tell = now >= due && is_outermost(operation) &&
                atomic_compare_exchange_strong(&meter->next_levels_ns, &due, now + LEVELS_EVERY_NS);
    meter_advance(meter);
    return tell ? METER_DUE : 0;
}

/* ---- Counting -------------------------------------------------------------------------------- */

static unsigned stripe_of_thread(const struct meter *meter) {
    if (UNLIKELY(stripe_number == 0))
        stripe_number = atomic_fetch_add(&stripes_given, 1) + 1;
    return stripe_number & meter->stripe_mask;
}

static struct cell *cell_of(struct meter *meter, enum meter_operation operation) {
    unsigned number = cell_of_operation(operation, stripe_of_thread(meter));
    return segment_cell(&meter->segment, number);
}

static void count_error(struct cell *cell, unsigned slot, int status) {
    unsigned code = status < 0 && status > -CODES ? (unsigned)-status : CODES - 1;
    add_to(&cell->slots[slot].errors, 1);
    add_to(&cell->codes[code], 1);
}

static void count(struct meter *meter, struct cell *cell, uint64_t ns, uint32_t weight,
                  int status) {
    unsigned slot = atomic_load_explicit(&meter->slot, memory_order_relaxed);
    if (UNLIKELY(!cell)) {
        add_to(&meter->segment.head->lost, weight);
        return;
    }
    segment_count(&meter->segment, cell, slot, ns, weight);
    if (UNLIKELY(status != 0))
        count_error(cell, slot, status);
}

unsigned meter_end(struct meter *meter, enum meter_operation operation, uint64_t begun,
                   int status) {
    if (!meter)
        return 0;
    uint64_t now = ticks_now(), ns = ticks_ns(now - begun);
    unsigned told = 0;
    if (UNLIKELY(now >= value_of(&meter->next_ticks)))
        told = look_at_time(meter, operation);
    count(meter, cell_of(meter, operation), ns, 1, status);
    return told | (UNLIKELY(ns >= meter->slow_ns) ? METER_SLOW : 0);
}

void meter_add(struct meter *meter, enum meter_operation operation, uint64_t ns, uint32_t weight) {
    if (meter)
        count(meter, cell_of(meter, operation), ns, weight, 0);
}

/* ---- Sampling ---------------------------------------------------------------------------------
 */

/* How many the one that is due stands for. The next is half to one and a half times `mean` away,
 * each distance as likely. */
static uint32_t take_sample(struct meter_sampler *sampler, uint32_t mean) {
    uint32_t weight = sampler->period + 1;
    uint32_t x = random_state ? random_state : (uint32_t)ticks_now() | 1;
    x ^= x << 13; /* Marsaglia, "Xorshift RNGs", 2003 */
    x ^= x >> 17;
    x ^= x << 5;
    random_state = x;
    sampler->period = sampler->left = mean / 2 - 1 + (x >> 8) % mean;
    return weight;
}

unsigned meter_hit_end(struct meter *meter, uint64_t begun) {
    uint32_t weight = take_sample(&meter_hits, METER_HIT_SAMPLE);
    if (!meter)
        return 0;
    uint64_t now = ticks_now(), ns = ticks_ns(now - begun);
    unsigned told = 0;
    if (UNLIKELY(now >= value_of(&meter->next_ticks)))
        told = look_at_time(meter, METER_API_ACQUIRE);
    count(meter, cell_of(meter, METER_CACHE_HIT), ns, weight, 0);
    count(meter, cell_of(meter, METER_API_ACQUIRE), ns, weight, 0);
    return told;
}

unsigned meter_get_end(struct meter *meter, enum meter_operation operation, uint64_t begun) {
    uint32_t weight = take_sample(&meter_gets, METER_GET_SAMPLE);
    uint64_t now = ticks_now(), ns = ticks_ns(now - begun);
    if (UNLIKELY(now >= value_of(&meter->next_ticks)))
        (void)look_at_time(meter, operation);
    count(meter, cell_of(meter, operation), ns, weight, 0);
    return UNLIKELY(ns >= meter->slow_ns) ? METER_SLOW : 0;
}

void meter_failed(struct meter *meter, enum meter_operation operation, int status) {
    struct cell *cell = meter ? cell_of(meter, operation) : NULL;
    if (!cell)
        return;
    unsigned slot = atomic_load_explicit(&meter->slot, memory_order_relaxed);
    add_to(&cell->slots[slot].untimed, 1);
    count_error(cell, slot, status);
}

/* ---- Levels, queries, slow operations -------------------------------------------------------- */

void meter_level(struct meter *meter, enum meter_level level, double value) {
    struct segment_head *head;
    uint64_t bits;
    if (!meter)
        return;
    head = meter->segment.head;
    memcpy(&bits, &value, sizeof bits);
    atomic_store_explicit(&head->levels[level], bits, memory_order_relaxed);
    uint64_t bit = UNLIKELY(!level_is_set(head, level)) ? UINT64_C(1) << level % 64 : 0;
    if (bit)
        atomic_fetch_or(&head->levels_set[level / 64], bit);
}

void meter_levels_told(struct meter *meter) {
    if (!meter)
        return;
    struct segment_head *head = meter->segment.head;
    size_t bytes = SEGMENT_BLOCKS_AT + atomic_load(&head->used) * sizeof(union block);
    if (meter->segment.fd >= 0)
        bytes = SEGMENT_BLOCKS_AT + atomic_load(&head->blocks) * sizeof(union block);
    meter_level(meter, METER_LEVEL_METRICS_BYTES, (double)bytes);
    meter_level(meter, METER_LEVEL_METRICS_LOST, (double)value_of(&head->lost));
    atomic_store_explicit(&head->published_ns, clock_monotonic_ns(), memory_order_relaxed);
}

/* At most `size - 1` bytes of valid UTF-8, one line, "…" where it was cut. */
static void shorten(char *to, size_t size, struct slice from) {
    static const char dots[] = "…";
    bool cut = from.size >= size;
    size_t keep = cut ? size - sizeof dots : from.size;
    while (cut && keep && (from.data[keep] & 0xc0) == 0x80)
        keep--; /* to the border of a character */
    memcpy(to, from.data ? (const char *)from.data : "", keep);
    for (size_t i = 0; i < keep; i++)
        if ((uint8_t)to[i] < ' ' || to[i] == 0x7f)
            to[i] = ' ';
    memcpy(to + keep, cut ? dots : "", cut ? sizeof dots : 1);
}

void meter_query(struct meter *meter, struct slice form, uint64_t begun, bool hit, int status) {
    char text[SHAPE_TEXT] = {0};
    if (!meter)
        return;
    uint64_t ns = ticks_ns(ticks_now() - begun);
    shorten(text, sizeof text, form);
    unsigned shape = segment_shape(&meter->segment, text);
    if (hit)
        add_to(&meter->segment.head->shapes[shape].hits, 1);
    count(meter, segment_cell(&meter->segment, cell_of_shape(shape)), ns, 1, status);
}

void meter_slow(struct meter *meter, const struct meter_slow *slow) {
    struct slow_entry entry = {.at_us = clock_wall_us(),
                               .duration_ns = ticks_ns(ticks_now() - slow->begun),
                               .records = slow->records,
                               .operation = (int32_t)slow->operation,
                               .code = slow->status,
                               .pid = getpid()};
    if (!meter)
        return;
    shorten(entry.detail, sizeof entry.detail, slow->detail);
    segment_note_slow(&meter->segment, &entry);
}
