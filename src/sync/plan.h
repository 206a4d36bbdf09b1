/*
 * plan.h - inside the engine: what becomes of the records of a page, decided before it is written
 * (pull.c, fold.c, bury.c).
 */
#ifndef MNEME_SYNC_PLAN_H
#define MNEME_SYNC_PLAN_H

#include "sync/sync_impl.h"

/* No child of a kind may join an episode before a batch goes in: so many live ones are here, and
 * this is their greatest place. */
struct children_guard {
    bool set;
    uint64_t count, last_place;
};

/* A record that is to change here: one of the page, or an episode whose steps came. */
struct item {
    mneme_kind kind;
    mneme_id id;
    const struct stored_record *theirs; /* of the page; NULL: it only has to do with one */
    const struct stored_record *mine;   /* here; NULL: none */
    struct shared_mark mark;
    const struct stored_record *base;
    struct merge_side result;        /* what it will be; record NULL: nothing */
    bool ignored;                    /* stays as it is, whatever theirs is */
    bool changed;                    /* the result is not `theirs`: it has to go out */
    bool relied;                     /* an episode that has to be as it is now when this goes in */
    struct children_guard guards[2]; /* of an episode: steps, checkpoints */
    bool removed;                    /* a step that went into its episode */
    struct merge_loss losses[2];     /* those that are any … */
    struct merge_side lost[2];       /* … with the side that lost */
    mneme_version kept;
};

struct plan {
    struct sync *sync;
    const struct feed_answer *answer;
    struct arena arena;
    struct record_set mine, bases, children;
    struct item *items;
    size_t count, capacity;
    size_t *steps, step_count; /* the items that are steps, as indexes */
    size_t *slots, slot_count; /* an index + 1, 0: free; a power of two, and half of it is free */
    struct store_stats stats;  /* of the local store: what kinds of records it has at all */
};
void plan_fini(struct plan *plan);
#define AUTO_PLAN CLEANUP(plan_fini)

/* Decide on every record of the page. */
int plan_make(struct plan *plan, mneme_error *error);
/* The same for episodes whose steps came late, and children of episodes that are deleted. */
int plan_families(struct plan *plan, mneme_error *error);
/* Append what was decided. */
int plan_write(struct plan *plan, struct writes *w, struct sync_progress *progress,
               mneme_error *error);

/* Make room for so many items (plan.c). */
int plan_reserve(struct plan *plan, size_t capacity, mneme_error *error);
/* Append items; where there is no room for them all of them move. */
int plan_add(struct plan *plan, const struct item *items, size_t count, mneme_error *error);
/* The first item of a name; NULL: there is none. */
struct item *plan_find(struct plan *plan, mneme_kind kind, const mneme_id *id);
/* The item of a name, made (with what is here of it) when there is none; NULL in *out: neither in
 * the plan nor here. */
int plan_item(struct plan *plan, mneme_kind kind, const mneme_id *id, struct item **out,
              mneme_error *error);
/* The same, made even when there is none; its result is what is here. */
int plan_name(struct plan *plan, mneme_kind kind, const mneme_id *id, struct item **out,
              mneme_error *error);
/* Tell what became of the steps of a completed life that a later one, items[at], beat (bury.c). */
int plan_bury(struct plan *plan, size_t at, mneme_error *error);
/* A side with its plain body, in the plan's arena. */
int plan_open(struct plan *plan, const struct stored_record *record, struct merge_side *out,
              mneme_error *error);

#endif
