/*
 * kit.h - what every bench needs: the report, a directory, episodes, and stores with dictionaries.
 *
 * Model. The dictionaries are trained once, in a store in memory, by the code that ships; a store
 * that kit_open makes has them from its start, and trains no others, so that what is measured is a
 * store in its usual state.
 */
#ifndef MNEME_BENCH_KIT_H
#define MNEME_BENCH_KIT_H

#include "api/handle.h"
#include "bench/corpus.h"
#include "bench/report.h"
#include "bench/scratch.h"

struct kit {
    const struct bench_options *options;
    struct report report;
    struct scratch scratch;
    struct corpus corpus;
    struct record_list steps; /* of the fresh episodes */
    struct arena arena;
    mneme *encoder; /* a store in memory that has the dictionaries */
    struct record_set dictionaries;
};

/* Start from {0}; prints the table's head. */
int kit_init(struct kit *kit, const struct bench_options *options, mneme_error *error);
/* Print what stands below the table. */
int kit_end(struct kit *kit, mneme_error *error);
void kit_fini(struct kit *kit);
#define AUTO_KIT CLEANUP(kit_fini)

/* The dictionary of a kind, held for the caller; NULL when training found that none pays. */
static inline struct dictionary *kit_dictionary(struct kit *kit, mneme_kind kind) {
    return dictionaries_current(kit->encoder, kind);
}

/* Make a new store; a file of that name is removed first. */
int kit_open(struct kit *kit, const struct scratch_path *path, mneme **out, mneme_error *error);
/* The same without caches: what is read comes from the store each time. */
int kit_open_uncached(struct kit *kit, const struct scratch_path *path, mneme **out,
                      mneme_error *error);

/* Append to `set` the PUT of one record, encoded and packed as mneme_put would. */
int kit_encode(struct kit *kit, const mneme_record *record, struct write_set *set,
               mneme_error *error);

/* Plain bodies of records, in the arena; headers[i] (may be NULL) is what else is stored. */
int kit_bodies(const struct record_list *records, struct arena *arena, struct slice *bodies,
               struct stored_record *headers, mneme_error *error);

/* A row of two contestants: value and reference. */
int kit_compare(struct kit *kit, const char *name, const char *unit, struct contestant ours,
                const char *reference, struct contestant theirs, struct goal goal,
                mneme_error *error);

/* The handle, closed when it goes out of scope; a failure to close is a failure to clean up only.
 */
static inline void handle_close_cleanup(mneme **m) { (void)mneme_close(*m, NULL); }
#define AUTO_HANDLE CLEANUP(handle_close_cleanup)

#endif
