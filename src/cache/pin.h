/*
 * pin.h - what keeps an item from being freed while a reader has it.
 *
 * Two kinds of pins. A counted one is a count in the item: it can be taken and given back by
 * anybody, and costs a locked instruction on a line that all readers of the item share. A slot is a
 * hazard pointer (Michael, 2004): the thread that takes it writes the item's address into a place
 * of its own, which costs a plain store. Slots are few a thread; who finds none free counts.
 *
 * Why a slot holds. The reader R finds an item, and a writer W takes it out:
 *   1. R loads the item's address from the table, and stores it in its slot.
 *   2. R loads the address again. When it has changed, R begins anew: nothing was touched.
 *   3. W takes the address out of the table, and executes a barrier on every thread (os.h).
 *   4. W looks into all slots, and frees the item only when it is in none.
 * Was R's second load before its barrier in 3, then so was its store, and W sees it in 4. Was it
 * after, then R finds the address gone in 2. Where the kernel has no such barrier, R executes one
 * between its store and its second load.
 *
 * A slot has a view: room for the caller's copy of what it hands out. The view's address is the
 * pin's identity: whoever has it gives back just this pin, from any thread, with one store. What is
 * unlinked while it is in a slot waits on a list, and is freed by a later call of pin_retire, of
 * whatever cache.
 *
 * Threads. A thread takes slots of its own only. Everything else may be called by any thread.
 */
#ifndef MNEME_CACHE_PIN_H
#define MNEME_CACHE_PIN_H

#include <stdatomic.h>

#include "base/base.h"

struct cache_item;

enum { PIN_SLOTS = 8, PIN_VIEW = 80 };
#define PIN_SLOT_MARK UINT64_C(0x746f6c732d6e6970)

struct pin_slot {
    _Alignas(128) _Atomic(struct cache_item *) item; /* NULL: free */
    uint64_t mark;                                   /* PIN_SLOT_MARK: right before the view */
    _Alignas(8) unsigned char view[PIN_VIEW];        /* the caller's own */
};

/* A thread that has read. Lives as long as the process; a thread that ends leaves it to the next.
 */
struct pin_thread {
    struct pin_slot probing; /* for the moment in which an item is found and counted */
    struct pin_slot slots[PIN_SLOTS];
    unsigned number; /* 0, 1, …: small numbers come first */
    struct pin_thread *next;
    atomic_bool taken;
};

/* Declared here for the inline functions only. */
extern THREAD_LOCAL struct pin_thread *pin_mine;
extern bool pin_needs_fence;
struct pin_thread *pin_join(void);

/* This thread's; NULL: no memory, and the caller does without. */
static inline struct pin_thread *pin_self(void) {
    return LIKELY(pin_mine != NULL) ? pin_mine : pin_join();
}

/* A free slot of a thread, or NULL. Acquire: who gave it back has done with what it held. */
static inline struct pin_slot *pin_free_slot(struct pin_thread *self) {
    for (unsigned i = 0; i < PIN_SLOTS; i++)
        if (atomic_load_explicit(&self->slots[i].item, memory_order_acquire) == NULL)
            return &self->slots[i];
    return NULL;
}

/* Step 1; the caller then does step 2. Release: who sees this store sees that the reads of what
 * was in the slot before have ended. */
static inline void pin_set(struct pin_slot *slot, struct cache_item *item) {
    atomic_store_explicit(&slot->item, item, memory_order_release);
    if (UNLIKELY(pin_needs_fence))
        FULL_BARRIER();
    atomic_signal_fence(memory_order_seq_cst); /* the compiler must keep the order too */
}

/* What is in a slot that the caller has taken. */
static inline struct cache_item *pin_item(const struct pin_slot *slot) {
    return atomic_load_explicit(&slot->item, memory_order_relaxed);
}

static inline void pin_clear(struct pin_slot *slot) {
    atomic_store_explicit(&slot->item, NULL, memory_order_release);
}

/*
 * Let go of items that are out of every table, a list by node.next, each with the table's pin:
 * those that are in no slot now, the others in a later call. NULL: only those that were left over.
 * No lock of a cache is held.
 */
void pin_retire(struct cache_item *list);

/* How many wait to be let go. */
size_t pin_waiting(void);

#endif
