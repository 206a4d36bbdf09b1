/*
 * dictionaries.h - inside the dictionaries of a handle: what finding and training share.
 */
#ifndef MNEME_API_DICTIONARIES_H
#define MNEME_API_DICTIONARIES_H

#include "api/handle.h"

enum { DICTIONARY_LEVEL = 3 };

struct dictionaries {
    mneme *m;
    struct lock lock;          /* guards all that follows */
    struct dictionary **known; /* every one that was opened */
    size_t known_count, known_capacity;
    struct dictionary *current[MNEME_KIND_COUNT]; /* among `known`; NULL: none */
    int64_t looked_us[MNEME_KIND_COUNT];          /* when `current` was last looked up; 0: never */
    size_t noticed[MNEME_KIND_COUNT];             /* plain bytes written since the last look */
    size_t notice[MNEME_KIND_COUNT];              /* … at which the next is due; 0: the least */
    bool thread_runs, thread_ended, closing;
    pthread_t thread;
};

static inline int dictionary_level(const mneme *m) {
    return m->options.compression_level ? m->options.compression_level : DICTIONARY_LEVEL;
}

/* Vectors do not compress; dictionaries are compressed without one. */
static inline bool kind_is_trained(mneme_kind kind) {
    return kind_is_public(kind) && kind != MNEME_EMBEDDING;
}

/* Samples to train a kind from (samples.c): plain bodies, newest first, in the arena. */
int samples_read(mneme *m, mneme_kind kind, struct arena *arena, struct slice **samples,
                 size_t *count, mneme_error *error);

/* The id of the record of a dictionary. */
mneme_id dictionary_id(const uint8_t sha[PACK_SHA256_SIZE]);

#endif
