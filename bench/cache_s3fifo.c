/*
 * cache_s3fifo.c - S3-FIFO over numbered keys.
 */
#include "bench/cache_s3fifo.h"

enum { ASKED_MAX = 3, ASKED_TO_STAY = 2, SMALL_SHARE = 10 };

int s3fifo_init(struct s3fifo *s3, const uint32_t *sizes, size_t keys, size_t capacity,
                mneme_error *error) {
    *s3 = (struct s3fifo){.sizes = sizes, .capacity = capacity};
    s3->next = mem_zalloc(keys, sizeof *s3->next);
    s3->previous = mem_zalloc(keys, sizeof *s3->previous);
    s3->place = mem_zalloc(keys, 1);
    s3->asked = mem_zalloc(keys, 1);
    for (size_t i = 0; i < S3_PLACES; i++)
        s3->queues[i] = (struct s3_queue){S3_NONE, S3_NONE, 0};
    if (!s3->next || !s3->previous || !s3->place || !s3->asked)
        return error_set(error, MNEME_NO_MEMORY, "no memory to simulate S3-FIFO");
    return 0;
}

void s3fifo_fini(struct s3fifo *s3) {
    mem_free(s3->next);
    mem_free(s3->previous);
    mem_free(s3->place);
    mem_free(s3->asked);
    *s3 = (struct s3fifo){0};
}

static void put_last(struct s3fifo *s3, enum s3_place place, uint32_t key) {
    struct s3_queue *queue = &s3->queues[place];
    s3->next[key] = S3_NONE;
    s3->previous[key] = queue->last;
    *(queue->last == S3_NONE ? &queue->first : &s3->next[queue->last]) = key;
    queue->last = key;
    queue->bytes += s3->sizes[key];
    s3->place[key] = (uint8_t)place;
}

static void take_out(struct s3fifo *s3, uint32_t key) {
    struct s3_queue *queue = &s3->queues[s3->place[key]];
    uint32_t next = s3->next[key], previous = s3->previous[key];
    *(previous == S3_NONE ? &queue->first : &s3->next[previous]) = next;
    *(next == S3_NONE ? &queue->last : &s3->previous[next]) = previous;
    queue->bytes -= s3->sizes[key];
    s3->place[key] = S3_OUT;
}

/* The ghost remembers as many bytes as the main queue has. */
static void put_ghost(struct s3fifo *s3, uint32_t key) {
    struct s3_queue *ghost = &s3->queues[S3_GHOST];
    put_last(s3, S3_GHOST, key);
    while (ghost->bytes > s3->capacity - s3->capacity / SMALL_SHARE)
        take_out(s3, ghost->first);
}

static void shrink_small(struct s3fifo *s3) {
    uint32_t key = s3->queues[S3_SMALL].first;
    bool stays = s3->asked[key] >= ASKED_TO_STAY;
    take_out(s3, key);
    s3->asked[key] = 0;
    if (stays)
        put_last(s3, S3_MAIN, key);
    else
        put_ghost(s3, key);
}

static void shrink_main(struct s3fifo *s3) {
    uint32_t key = s3->queues[S3_MAIN].first;
    take_out(s3, key);
    if (s3->asked[key]) {
        s3->asked[key]--;
        put_last(s3, S3_MAIN, key);
    }
}

static void make_room(struct s3fifo *s3, size_t bytes) {
    const struct s3_queue *small = &s3->queues[S3_SMALL], *main_queue = &s3->queues[S3_MAIN];
    while (small->bytes + main_queue->bytes + bytes > s3->capacity) {
        bool from_small = small->bytes >= s3->capacity / SMALL_SHARE;
        if (main_queue->first == S3_NONE || (from_small && small->first != S3_NONE))
            shrink_small(s3);
        else
            shrink_main(s3);
    }
}

bool s3fifo_ask(struct s3fifo *s3, uint32_t key) {
    bool hit = s3->place[key] == S3_SMALL || s3->place[key] == S3_MAIN;
    if (hit) {
        s3->asked[key] = (uint8_t)(s3->asked[key] + (s3->asked[key] < ASKED_MAX));
        return true;
    }
    bool remembered = s3->place[key] == S3_GHOST;
    if (remembered)
        take_out(s3, key);
    if (s3->sizes[key] > s3->capacity)
        return false;
    make_room(s3, s3->sizes[key]);
    s3->asked[key] = 0;
    put_last(s3, remembered ? S3_MAIN : S3_SMALL, key);
    return false;
}
