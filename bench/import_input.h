/*
 * import_input.h - the files that `mneme bench import` imports, and their records one by one.
 */
#ifndef MNEME_BENCH_IMPORT_INPUT_H
#define MNEME_BENCH_IMPORT_INPUT_H

#include "bench/kit.h"

/* A file to import, and what the reference compresses: the same texts, one a record. */
struct input {
    struct scratch_path path;
    const char *format;
    struct buf text;      /* the whole file */
    struct slice *pieces; /* its records */
    size_t count;
    size_t bytes; /* of all pieces */
};
void input_fini(struct input *input);
#define AUTO_INPUT CLEANUP(input_fini)

/* Variations of the fresh episodes as an export would write them, with versions. */
int input_make_jsonl(struct input *input, struct kit *kit, size_t count, mneme_error *error);

/* The real file as it is. */
int input_read_real(struct input *real, struct kit *kit, mneme_error *error);

/* At least `count` trajectories in its form: those of odd tasks, again and again, each time with
 * other numbers of trials. */
int input_make_trials(struct input *input, struct kit *kit, const struct input *real, size_t count,
                      mneme_error *error);

/* The records of even tasks among the real ones, which have room in `samples`. Returns how many. */
size_t input_even_tasks(const struct input *real, struct slice *samples);

#endif
