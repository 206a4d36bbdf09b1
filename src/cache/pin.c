/*
 * pin.c - the list of threads that have read, and of items that wait for them.
 */
#include "cache/pin.h"

#include <stdlib.h>

#include "cache/cache.h"
#include "os/os.h"

THREAD_LOCAL struct pin_thread *pin_mine;
bool pin_needs_fence = true; /* until the kernel has said that it has the barrier */

static _Atomic(struct pin_thread *) threads; /* only grows */
static atomic_uint thread_count;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t at_thread_end;

static pthread_mutex_t waiting_mutex = PTHREAD_MUTEX_INITIALIZER; /* for a few instructions */
static struct cache_item *waiting;                                /* waiting_mutex */
static atomic_size_t waiting_count;

/* ---- Threads ------------------------------------------------------------------------------ */

static void thread_ended(void *mine) {
    struct pin_thread *self = mine;
    pin_mine = NULL;
    atomic_store_explicit(&self->taken, false, memory_order_release);
}

/* A fork() on another thread must not leave the child with the mutex locked for ever. Nor will the
 * threads that are not there ever give back their slots. */
static void before_fork(void) { pthread_mutex_lock(&waiting_mutex); }
static void after_fork(void) { pthread_mutex_unlock(&waiting_mutex); }
static void in_child(void) {
    pthread_mutex_unlock(&waiting_mutex);
    for (struct pin_thread *t = atomic_load(&threads); t; t = t->next) {
        if (t == pin_mine)
            continue;
        pin_clear(&t->probing);
        for (unsigned i = 0; i < PIN_SLOTS; i++)
            pin_clear(&t->slots[i]);
        atomic_store(&t->taken, false);
    }
}

static void prepare(void) {
    pin_needs_fence = !barrier_register();
    pthread_key_create(&at_thread_end, thread_ended);
    pthread_atfork(before_fork, after_fork, in_child);
}

static struct pin_thread *take_left_one(void) {
    for (struct pin_thread *t = atomic_load(&threads); t; t = t->next) {
        bool taken = false;
        if (atomic_compare_exchange_strong(&t->taken, &taken, true))
            return t;
    }
    return NULL;
}

static struct pin_thread *make_one(void) {
    uintptr_t align = _Alignof(struct pin_thread);
    uint8_t *block = mem_zalloc(1, sizeof(struct pin_thread) + align); /* kept for good */
    if (!block)
        return NULL;
    struct pin_thread *t = (void *)(((uintptr_t)block + align - 1) & ~(align - 1));
    atomic_init(&t->taken, true);
    t->probing.mark = PIN_SLOT_MARK;
    for (unsigned i = 0; i < PIN_SLOTS; i++)
        t->slots[i].mark = PIN_SLOT_MARK;
    t->number = atomic_fetch_add(&thread_count, 1);
    t->next = atomic_load(&threads);
    while (!atomic_compare_exchange_weak(&threads, &t->next, t))
        ;
    return t;
}

struct pin_thread *pin_join(void) {
    pthread_once(&once, prepare);
    struct pin_thread *self = take_left_one();
    if (!self)
        self = make_one();
    if (!self)
        return NULL;
    if (pthread_setspecific(at_thread_end, self) != 0) {
        atomic_store(&self->taken, false);
        return NULL;
    }
    pin_mine = self;
    return self;
}

/* ---- Letting go ---------------------------------------------------------------------------- */

static bool is_in(struct pin_slot *slot, const struct cache_item *item) {
    /* Acquire: the reads of who has just given it back come before it is freed. */
    return atomic_load_explicit(&slot->item, memory_order_acquire) == item;
}

static bool is_pinned(const struct cache_item *item) {
    for (struct pin_thread *t = atomic_load(&threads); t; t = t->next) {
        if (is_in(&t->probing, item))
            return true;
        for (unsigned i = 0; i < PIN_SLOTS; i++)
            if (is_in(&t->slots[i], item))
                return true;
    }
    return false;
}

static struct cache_item *list_next(const struct cache_item *item) {
    return item->node.next ? cache_item_of(item->node.next) : NULL;
}

static void list_push(struct cache_item **list, struct cache_item *item) {
    item->node.next = *list ? &(*list)->node : NULL;
    *list = item;
}

static void wait_on(struct cache_item *list) {
    pthread_mutex_lock(&waiting_mutex);
    while (list) {
        struct cache_item *item = list;
        list = list_next(item);
        list_push(&waiting, item);
        atomic_fetch_add(&waiting_count, 1);
    }
    pthread_mutex_unlock(&waiting_mutex);
}

static struct cache_item *take_waiting(void) {
    pthread_mutex_lock(&waiting_mutex);
    struct cache_item *list = TAKE(waiting);
    atomic_store(&waiting_count, 0);
    pthread_mutex_unlock(&waiting_mutex);
    return list;
}

static struct cache_item *let_go(struct cache_item *list) {
    struct cache_item *kept = NULL;
    while (list) {
        struct cache_item *item = list;
        list = list_next(item);
        if (is_pinned(item))
            list_push(&kept, item);
        else
            cache_item_release(item);
    }
    return kept;
}

void pin_retire(struct cache_item *list) {
    pthread_once(&once, prepare);
    struct cache_item *old = pin_waiting() ? take_waiting() : NULL;
    if (!list && !old)
        return;
    bool fenced = true;
    if (pin_needs_fence)
        FULL_BARRIER();
    else
        fenced = barrier_everywhere(); /* without it nobody knows what is pinned */
    wait_on(fenced ? let_go(list) : list);
    wait_on(fenced ? let_go(old) : old);
}

size_t pin_waiting(void) { return atomic_load(&waiting_count); }
