/*
 * options.h - what the user of `mneme bench` asked for.
 */
#ifndef MNEME_BENCH_OPTIONS_H
#define MNEME_BENCH_OPTIONS_H

#include <stdio.h>

#include "base/base.h"

enum { BENCH_ROUNDS_MAX = 99 };

struct bench_options {
    const char *name; /* one of the table's in benches.c */
    bool json;
    bool long_run;   /* larger sizes; may take more than three minutes */
    bool quick;      /* tiny sizes, for a test that everything runs; its figures mean nothing */
    unsigned rounds; /* 1 to BENCH_ROUNDS_MAX */
    const char *directory; /* where stores are made; NULL: $TMPDIR or the current directory */
    uint64_t count;        /* of generate: how many episodes */
    uint64_t seed;
    const char *trace;           /* of cache: a file to play instead of all else; NULL: none */
    const char *url;             /* of remote: the server to measure; NULL: one of our own */
    uint64_t capacity;           /* … in a cache of so many entries; 0: in several */
    double minutes;              /* of soak: how long; 0: 2, or with quick some seconds */
    unsigned processes, threads; /* … of each; 0: 4 */
    const char *output; /* of report: the directory that its two files go to; NULL: this one */
    const char *only;   /* of report: "codec,store"; NULL: every bench */
    char *const *words; /* the command line from "bench" on, for the report to show */
    int word_count;
    FILE *notes; /* where rows are written to besides the table (notes.h); NULL: nowhere */
};

/* One of three sizes. */
static inline size_t bench_size(const struct bench_options *options, size_t quick, size_t usual,
                                size_t longer) {
    return options->quick ? quick : options->long_run ? longer : usual;
}

#endif
