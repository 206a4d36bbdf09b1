/*
 * corpus.h - the episodes that are measured with: real ones, or made-up ones where there are none.
 *
 * Model. Episodes are split by the task that they work on: dictionaries are trained on those of
 * even tasks, and everything is measured on those of odd ones, which no dictionary has seen.
 * Ownership. Records live until corpus_fini; copies in the arena given.
 */
#ifndef MNEME_BENCH_CORPUS_H
#define MNEME_BENCH_CORPUS_H

#include "bench/options.h"
#include "mneme/mneme.h"

struct record_list {
    const mneme_record **items;
    size_t count;
};

struct corpus {
    bool real;
    char path[4096];        /* of the file with real episodes; it need not be there */
    mneme *source;          /* the store in memory that real ones were imported to */
    const mneme_page *page; /* what it gave out */
    struct arena arena;
    struct record_list trained; /* completed episodes of even tasks */
    struct record_list fresh;   /* … of odd tasks */
};

/* Start from {0}. A damaged data file is an error; an absent one is not. */
int corpus_load(struct corpus *corpus, mneme_error *error);
void corpus_fini(struct corpus *corpus);
#define AUTO_CORPUS CLEANUP(corpus_fini)

/*
 * A variation of fresh episode number % count, shallow where it is the same: another id, other
 * step ids and call ids, another origin, its times moved so that ids rise with `number`.
 */
int corpus_vary(const struct corpus *corpus, uint64_t number, struct arena *arena,
                mneme_record *out, mneme_error *error);

/* The same without an id, as an agent puts it: mneme_put makes one. */
int corpus_vary_new(const struct corpus *corpus, uint64_t number, struct arena *arena,
                    mneme_record *out, mneme_error *error);

/* The steps of some episodes as records of their own, in the arena; ids and parents as they are. */
int corpus_steps(const struct record_list *episodes, struct arena *arena, struct record_list *out,
                 mneme_error *error);

#endif
