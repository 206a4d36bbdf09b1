/*
 * reference_sqlite.h - SQLite in WAL mode with synchronous=FULL, and a schema that answers the same
 * queries as a store: by id, by time, by attribute, by order of change.
 */
#ifndef MNEME_BENCH_REFERENCE_SQLITE_H
#define MNEME_BENCH_REFERENCE_SQLITE_H

#include "bench/scratch.h"
#include "store/store.h"

/* Insert the records of these mutations into a new file, `batch_records` a transaction; *seconds
 * is from the first to the last commit. */
int sqlite_insert(const struct mutation *mutations, size_t count, size_t batch_records,
                  const struct scratch_path *path, double *seconds, mneme_error *error);

#endif
