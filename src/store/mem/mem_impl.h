/*
 * mem_impl.h - inside the mem store: what its files share.
 */
#ifndef MNEME_STORE_MEM_IMPL_H
#define MNEME_STORE_MEM_IMPL_H

#include "os/os.h"
#include "store/mem.h"
#include "store/mem/mem_marks.h"
#include "store/mem/mem_table.h"
#include "store/store_impl.h"

struct mem_store {
    struct store base;
    struct lock lock; /* guards everything below */
    struct mem_table table;
    struct mem_marks marks;
    struct mem_state *state; /* NULL: sharing is off */
    struct mem_counters {
        uint64_t last_change, commits;
        mneme_version last_version; /* the greatest ever stored */
    } counters;
    uint64_t device;
    int64_t skew_us;             /* see mem_store_skew */
    atomic_uint_fast64_t moment; /* how often something was committed */
};

static inline struct mem_store *mem_of(struct store *store) {
    return (struct mem_store *)(void *)store;
}

static inline uint64_t mem_fence(const struct mem_store *m) {
    return m->state ? m->state->fence : 0;
}

/* The calls of shared.h (mem_shared.c). */
extern const struct shared_operations mem_shared_operations;

#endif
