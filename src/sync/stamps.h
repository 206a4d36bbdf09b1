/*
 * stamps.h - what a body remembers of its elements' stamps, behind the model's fields.
 *
 * Format. Bare varints (codec/wire.h) behind one byte, STAMPS_FORMAT:
 *   devices   how many; each 8 bytes, big-endian, rising
 *   versions  how many; each: index of its device, its clock less the one before; rising
 *   birth     index of its version + 1; 0: the first life
 *   fallback  index of the stamp that everything has of which nothing else is said
 *   members   how many with another stamp; each: number less the one before, stamp
 *   lists     how many with anything to say; each: number less the one before, then
 *     values  how many runs of items with another stamp; each: items since the run before, items,
 * stamp places  how many runs of items with another place; each: the same, and index of the first
 *     gone    how many removed items; each: size of its key, key, stamp, place: stamp and index
 * All that is counted is in rising order and not empty, so nothing can be said twice.
 *
 * Ownership. What is decoded lives in the arena; keys point into the bytes.
 * Errors. MNEME_CORRUPT, MNEME_NO_MEMORY. Numbers of members and items are not checked: a reader
 * who knows them does that.
 */
#ifndef MNEME_SYNC_STAMPS_H
#define MNEME_SYNC_STAMPS_H

#include "base/base.h"

enum { STAMPS_FORMAT = 1 };

struct stamps_member {
    uint64_t number;
    mneme_version stamp;
};

/* Items `start` to `start + count - 1` of a list have this stamp; of places: the first of them has
 * this index, each one the next. */
struct stamps_run {
    uint64_t start, count;
    mneme_version stamp;
    uint64_t first;
};

struct stamps_gone {
    struct slice key;
    mneme_version stamp, place;
    uint64_t index;
};

struct stamps_list {
    uint64_t number;
    struct stamps_run *values;
    size_t value_count;
    struct stamps_run *places;
    size_t place_count;
    struct stamps_gone *gone;
    size_t gone_count;
};

struct stamps {
    mneme_version birth, fallback;
    struct stamps_member *members;
    size_t member_count;
    struct stamps_list *lists;
    size_t list_count;
};

/* Append them. MNEME_NO_MEMORY; the buffer's own status too. */
int stamps_encode(const struct stamps *stamps, struct buf *b);
int stamps_decode(struct slice bytes, struct arena *arena, struct stamps *out, mneme_error *error);

#endif
