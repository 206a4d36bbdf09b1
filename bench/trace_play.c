/*
 * trace_play.c - LRU and Belady's optimum over a trace.
 */
#include "bench/trace_play.h"

static int no_memory(mneme_error *error) {
    return error_set(error, MNEME_NO_MEMORY, "no memory to play a trace");
}

/* ---- LRU ---------------------------------------------------------------------------------- */

/* A ring of keys, the latest behind its head. Key k is element k + 1, the head is element 0; an
 * element that points to itself is in no ring. */
struct ring {
    uint32_t *next, *previous;
};

static void ring_unlink(struct ring *ring, uint32_t element) {
    ring->next[ring->previous[element]] = ring->next[element];
    ring->previous[ring->next[element]] = ring->previous[element];
    ring->next[element] = element;
}

static void ring_put_first(struct ring *ring, uint32_t element) {
    uint32_t second = ring->next[0];
    ring->next[element] = second;
    ring->previous[element] = 0;
    ring->previous[second] = element;
    ring->next[0] = element;
}

int trace_play_lru(const struct trace *trace, size_t capacity, size_t *hits, mneme_error *error) {
    AUTO_FREE uint32_t *next = mem_zalloc(trace->distinct + 1, sizeof *next);
    AUTO_FREE uint32_t *previous = mem_zalloc(trace->distinct + 1, sizeof *previous);
    if (!next || !previous)
        return no_memory(error);
    struct ring ring = {next, previous};
    size_t used = 0;
    for (uint32_t i = 0; i <= trace->distinct; i++)
        next[i] = i;
    *hits = 0;
    for (size_t t = 0; t < trace->count; t++) {
        uint32_t element = trace->keys[t] + 1;
        bool hit = next[element] != element;
        *hits += hit;
        used += !hit;
        if (hit)
            ring_unlink(&ring, element);
        ring_put_first(&ring, element);
        if (used > capacity) {
            ring_unlink(&ring, previous[0]);
            used--;
        }
    }
    return 0;
}

/* ---- The optimum -------------------------------------------------------------------------- */

/*
 * A set of times, whose greatest is found at once: a bit a time, and above it a bit for each word
 * that is not 0, and so on. What lies in the cache is known by the time of its next use alone:
 * at time t the cache has the key that is asked for if and only if t is in the set.
 */
enum { LEVELS = 5 }; /* 64^5 times */
struct time_set {
    uint64_t *levels[LEVELS];
    uint64_t *words; /* of all levels */
};

static int time_set_init(struct time_set *set, size_t times, mneme_error *error) {
    size_t sizes[LEVELS], total = 0;
    for (size_t level = 0; level < LEVELS; level++) {
        times = times / 64 + 1;
        sizes[level] = times;
        total += times;
    }
    set->words = mem_zalloc(total, sizeof *set->words);
    if (!set->words)
        return no_memory(error);
    uint64_t *at = set->words;
    for (size_t level = 0; level < LEVELS; at += sizes[level++])
        set->levels[level] = at;
    return 0;
}

static void time_set_fini(struct time_set *set) { mem_free(set->words); }

static void time_set_add(struct time_set *set, size_t time) {
    for (size_t level = 0; level < LEVELS; level++, time /= 64)
        set->levels[level][time / 64] |= UINT64_C(1) << time % 64;
}

/* Whether it was there. */
static bool time_set_remove(struct time_set *set, size_t time) {
    bool was_there = set->levels[0][time / 64] >> time % 64 & 1;
    for (size_t level = 0; was_there && level < LEVELS; level++, time /= 64) {
        set->levels[level][time / 64] &= ~(UINT64_C(1) << time % 64);
        if (set->levels[level][time / 64])
            break;
    }
    return was_there;
}

/* Of a set that is not empty. */
static size_t time_set_greatest(const struct time_set *set) {
    size_t time = 0;
    for (size_t level = LEVELS; level-- > 0;)
        time = time * 64 + 63 - (size_t)__builtin_clzll(set->levels[level][time]);
    return time;
}

/* For each request, the time of the next one for the same key; trace->count: there is none. */
static uint32_t *next_uses(const struct trace *trace) {
    uint32_t *next = mem_zalloc(trace->count, sizeof *next);
    AUTO_FREE uint32_t *seen = mem_zalloc(trace->distinct, sizeof *seen); /* of each key */
    if (!next || !seen) {
        mem_free(next);
        return NULL;
    }
    for (size_t key = 0; key < trace->distinct; key++)
        seen[key] = (uint32_t)trace->count;
    for (size_t t = trace->count; t-- > 0;) {
        next[t] = seen[trace->keys[t]];
        seen[trace->keys[t]] = (uint32_t)t;
    }
    return next;
}

int trace_play_optimum(const struct trace *trace, size_t capacity, size_t *hits,
                       mneme_error *error) {
    CLEANUP(time_set_fini) struct time_set set = {0};
    AUTO_FREE uint32_t *next = next_uses(trace);
    size_t used = 0;
    if (!next)
        return no_memory(error);
    TRY(time_set_init(&set, trace->count, error));
    *hits = 0;
    for (size_t t = 0; t < trace->count; t++) {
        bool hit = time_set_remove(&set, t);
        *hits += hit;
        used -= hit;
        if (next[t] == trace->count)
            continue; /* never asked for again */
        if (used == capacity) {
            size_t farthest = capacity ? time_set_greatest(&set) : 0;
            if (farthest <= next[t])
                continue;
            (void)time_set_remove(&set, farthest);
            used--;
        }
        time_set_add(&set, next[t]);
        used++;
    }
    return 0;
}
