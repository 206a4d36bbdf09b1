/*
 * scratch.h - the directory in which a bench makes its stores.
 */
#ifndef MNEME_BENCH_SCRATCH_H
#define MNEME_BENCH_SCRATCH_H

#include "bench/options.h"

enum { SCRATCH_PATH_MAX = 4096 };

struct scratch {
    char directory[SCRATCH_PATH_MAX]; /* empty: none */
    char file_system[32];             /* "ext4" */
};

/*
 * Make a directory under options->directory, else $TMPDIR, else the current one. tmpfs is passed
 * over when nobody asked for it, and warned of when there is nothing else: what is written there
 * never reaches a disk, so that durable writes look better than they are. MNEME_IO.
 */
int scratch_create(struct scratch *scratch, const struct bench_options *options,
                   mneme_error *error);
/* Remove the directory with all its files; tolerant of {0}. */
void scratch_remove(struct scratch *scratch);
#define AUTO_SCRATCH CLEANUP(scratch_remove)

struct scratch_path {
    char text[SCRATCH_PATH_MAX + 64];
};
/* The path of a file in it. */
struct scratch_path scratch_path_of(const struct scratch *scratch, const char *name);
/* Remove a file, the lock file beside it, and SQLite's two. */
void scratch_remove_file(const struct scratch_path *path);
int scratch_copy_file(const struct scratch_path *from, const struct scratch_path *to,
                      mneme_error *error);
int scratch_file_size(const struct scratch_path *path, uint64_t *size, mneme_error *error);

#endif
