/*
 * benches.h - the benches, each of which prints its table. Exit status as everywhere: 0 when it
 * ran.
 */
#ifndef MNEME_BENCH_BENCHES_H
#define MNEME_BENCH_BENCHES_H

#include "bench/options.h"

struct bench {
    const char *name;
    int (*run)(const struct bench_options *options, mneme_error *error);
    const char *about; /* what it measures, for the report; NULL: it is no part of that */
};

/* A new bench is one line of this table, in benches.c. */
extern const struct bench benches[];
extern const size_t bench_count;

/* NULL: there is none of that name. */
const struct bench *bench_find(struct slice name);

/* "store, codec and import": of all, or of those that the report runs. */
struct bench_names {
    char text[256];
};
struct bench_names bench_names(bool reported);

int store_bench(const struct bench_options *options, mneme_error *error);
int codec_bench(const struct bench_options *options, mneme_error *error);
int import_bench(const struct bench_options *options, mneme_error *error);
int remote_bench(const struct bench_options *options, mneme_error *error);
int sync_bench(const struct bench_options *options, mneme_error *error);
int cache_bench(const struct bench_options *options, mneme_error *error);
int metrics_bench(const struct bench_options *options, mneme_error *error);
int targets_bench(const struct bench_options *options, mneme_error *error);
int soak_bench(const struct bench_options *options, mneme_error *error);
/* Runs those that are part of it, and writes two files. MNEME_PARTIAL: one of them failed. */
int report_bench(const struct bench_options *options, mneme_error *error);
/* options->count episodes as jsonl on standard output. */
int generate_bench(const struct bench_options *options, mneme_error *error);

#endif
