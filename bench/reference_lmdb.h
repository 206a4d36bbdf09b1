/*
 * reference_lmdb.h - LMDB called directly: the same puts as a store has made, and bare reads.
 *
 * Model. A recording is taken batch by batch: after each the store is closed, its file read, and
 * what is new, changed or gone in each table noted. So it needs to know nothing of the format.
 * Replaying makes the same puts in a new file, one durable transaction a batch, sorted by key, and
 * appending where the store appends; it does nothing else.
 */
#ifndef MNEME_BENCH_REFERENCE_LMDB_H
#define MNEME_BENCH_REFERENCE_LMDB_H

#include <lmdb.h>

#include "bench/scratch.h"

enum lmdb_table { LMDB_MAIN, LMDB_RECORDS, LMDB_INDEX, LMDB_CHANGES, LMDB_TABLES };
extern const char *const lmdb_table_names[LMDB_TABLES]; /* "main" for the unnamed one */

/* An open file. Never one that a handle of mneme has open in this process. */
struct lmdb_file {
    MDB_env *env;
    MDB_dbi tables[LMDB_TABLES];
};
/* Start from {0}. */
int lmdb_file_open(struct lmdb_file *file, const struct scratch_path *path, mneme_error *error);
void lmdb_file_close(struct lmdb_file *file);
#define AUTO_LMDB CLEANUP(lmdb_file_close)

/* LMDB's code as ours. */
int lmdb_fail(mneme_error *error, int code, const char *doing);

struct lmdb_put {
    enum lmdb_table table;
    unsigned flags;
    bool is_deletion;
    MDB_val key, value;
};

/* Keys and values, sorted. */
struct lmdb_entries {
    struct lmdb_put *items;
    size_t count;
};

struct lmdb_recording {
    struct arena arena;
    struct lmdb_entries known[LMDB_TABLES]; /* all that was recorded so far */
    struct lmdb_put *puts;
    size_t count, capacity;
    size_t *ends; /* of each batch: where in `puts` the next begins */
    size_t batches;
};

/* Record a batch: how the tables of the closed store at `path` differ from the batch before. Start
 * from {0}. */
int lmdb_record(struct lmdb_recording *recording, const struct scratch_path *path,
                mneme_error *error);
void lmdb_recording_fini(struct lmdb_recording *recording);

/* Make the same puts in a new file; *seconds is from the first to the last commit. */
int lmdb_replay(const struct lmdb_recording *recording, const struct scratch_path *path,
                double *seconds, mneme_error *error);

/* Pages of each table, and those that are free. */
struct lmdb_usage {
    uint64_t page_bytes;
    uint64_t table_bytes[LMDB_TABLES];
    uint64_t free_bytes; /* free pages, and the table that lists them */
    uint64_t file_bytes;
};
int lmdb_usage(const struct scratch_path *path, struct lmdb_usage *usage, mneme_error *error);

#endif
