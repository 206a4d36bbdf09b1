/*
 * benches.h - the benches, each of which prints its table. Exit status as everywhere: 0 when it
 * ran.
 */
#ifndef MNEME_BENCH_BENCHES_H
#define MNEME_BENCH_BENCHES_H

#include "bench/options.h"

int store_bench(const struct bench_options *options, mneme_error *error);
int codec_bench(const struct bench_options *options, mneme_error *error);
int import_bench(const struct bench_options *options, mneme_error *error);
int remote_bench(const struct bench_options *options, mneme_error *error);
int sync_bench(const struct bench_options *options, mneme_error *error);
int cache_bench(const struct bench_options *options, mneme_error *error);
int soak_bench(const struct bench_options *options, mneme_error *error);

#endif
