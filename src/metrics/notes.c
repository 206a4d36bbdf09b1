/*
 * notes.c - the texts of a segment: forms of queries, and slow operations.
 */
#include <stdio.h>
#include <xxhash.h>

#include "metrics/segment.h"

_Static_assert(sizeof(struct slow_entry) == 256 && sizeof(struct shape) % 8 == 0 &&
                   sizeof(struct segment_head) % 8 == 0,
               "they are copied by words");

/* Readers in this process copy by words, too, and so see each as it was, or as it is. */
static void store_words(void *to, const void *from, size_t size) {
    atomic_uint_fast64_t *words = to;
    for (size_t i = 0; i < size / sizeof *words; i++) {
        uint64_t word;
        memcpy(&word, (const uint8_t *)from + i * sizeof word, sizeof word);
        atomic_store_explicit(&words[i], word, memory_order_relaxed);
    }
}

/* ---- Shapes ---------------------------------------------------------------------------------- */

static unsigned find_shape(const struct segment_head *head, uint64_t hash, const char *text,
                           unsigned from, unsigned to) {
    while (from < to &&
           (head->shapes[from].hash != hash || strcmp(head->shapes[from].text, text) != 0))
        from++;
    return from;
}

unsigned segment_shape(struct segment *segment, const char text[SHAPE_TEXT]) {
    struct segment_head *head = segment->head;
    uint64_t hash = XXH3_64bits(text, strlen(text));
    unsigned count = atomic_load_explicit(&head->shape_count, memory_order_acquire);
    unsigned at = find_shape(head, hash, text, 0, count);
    if (LIKELY(at < count))
        return at;
    AUTO_LOCK(held, &segment->lock);
    unsigned now = atomic_load_explicit(&head->shape_count, memory_order_relaxed);
    at = find_shape(head, hash, text, at, now);
    if (at < now || now == SHAPES)
        return at < SHAPES ? at : SHAPES - 1;
    struct shape shape = {.hash = hash};
    snprintf(shape.text, sizeof shape.text, "%s", now == SHAPES - 1 ? "other" : text);
    store_words(&head->shapes[now], &shape, sizeof shape);
    atomic_store_explicit(&head->shape_count, now + 1, memory_order_release);
    return now;
}

/* ---- Slow operations ------------------------------------------------------------------------- */

static uint64_t check_of(const struct slow_entry *entry) {
    size_t skip = sizeof entry->check;
    return XXH3_64bits((const uint8_t *)entry + skip, sizeof *entry - skip) | 1;
}

bool slow_entry_is_whole(const struct slow_entry *entry) {
    return entry->check != 0 && entry->check == check_of(entry) && entry->operation >= 0 &&
           entry->operation < METER_OPERATION_COUNT;
}

void segment_note_slow(struct segment *segment, struct slow_entry *entry) {
    uint64_t number =
        atomic_fetch_add_explicit(&segment->head->slow_count, 1, memory_order_relaxed);
    entry->check = check_of(entry);
    store_words(&segment->head->slow[number % SLOW_ENTRIES], entry, sizeof *entry);
}
