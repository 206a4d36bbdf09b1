/*
 * meter_impl.h - inside metrics: the meter, and the directory that it shares with others.
 */
#ifndef MNEME_METRICS_METER_IMPL_H
#define MNEME_METRICS_METER_IMPL_H

#include "metrics/segment.h"

enum { SHELF_TEXT = 200, SHELF_STORE = 64, SHELF_FILE = 64, METER_ALONE_TEXT = 300 };

/* The directory of a store's segments: ROOT/STORE. */
struct shelf {
    char root[SHELF_TEXT];   /* DIRECTORY/mneme-UID */
    char store[SHELF_STORE]; /* "": there is none */
    char file[SHELF_FILE];   /* the meter's own */
};

struct meter {
    struct segment segment;
    struct shelf shelf;
    bool observes; /* has no segment, and is in no list */
    unsigned generation;
    unsigned stripe_mask;
    uint64_t slow_ns;
    atomic_uint slot;                    /* of the current interval */
    atomic_uint_fast64_t next_ticks;     /* when it ends, or the levels are due */
    atomic_uint_fast64_t next_levels_ns; /* of CLOCK_MONOTONIC */
    atomic_flag moving;                  /* somebody moves the windows on */
    char alone[METER_ALONE_TEXT];
    struct meter *next; /* of this process's meters (registry_lock) */
};

/* ---- The process's meters (meter.c) ---------------------------------------------------------- */

/* Held while the list is walked, and nothing but RANK_LEAF locks under it. */
void registry_lock(void);
void registry_unlock(void);
struct meter *registry_first(void);

/* Move the windows on to now, if nobody does. */
void meter_advance(struct meter *meter);

/* ---- The directory (shelf.c) ----------------------------------------------------------------- */

/* Where the shelf is, or would be; nothing is made. Errors: text for people. */
int shelf_find(struct shelf *shelf, const struct meter_options *options, mneme_error *error);
/*
 * Make the meter's file there, locked, and map it. A failure (its text is for people) leaves
 * nothing: the caller then uses memory of its own.
 */
int shelf_join(struct meter *meter, const struct meter_options *options, mneme_error *error);
/* Add the meter's numbers to `ended`, and remove its file; what is left empty goes, too. */
void shelf_leave(struct meter *meter);

/* What others have there: copies of their segments, that of `ended` first if there is one. */
struct shelf_copies {
    struct segment_copy *copies;
    size_t count;
    bool has_ended;
};
void shelf_copies_fini(struct shelf_copies *copies);
/* MNEME_NO_MEMORY. What cannot be read is left out. */
int shelf_read(const struct shelf *shelf, struct shelf_copies *out);

#endif
