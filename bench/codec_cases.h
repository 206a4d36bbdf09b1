/*
 * codec_cases.h - the parts of `mneme bench codec`; docs/bench.md explains each row.
 */
#ifndef MNEME_BENCH_CODEC_CASES_H
#define MNEME_BENCH_CODEC_CASES_H

#include "bench/kit.h"

/* The fresh records of one kind, in every form. */
struct forms {
    const struct record_list *records;
    struct slice *plain; /* encoded bodies */
    struct stored_record *headers;
    size_t json_bytes, plain_bytes;
    size_t largest;                /* plain body */
    struct dictionary *dictionary; /* of the kind; NULL: none */
    size_t passes;                 /* over all of them, in one run */
};

/* codec.c: "no memory for records". */
int forms_no_memory(mneme_error *error);

/* codec_speed.c: packing and unpacking, encoding and decoding. */
int codec_speeds(struct kit *kit, const struct forms *episodes, const struct forms *steps,
                 mneme_error *error);

#endif
