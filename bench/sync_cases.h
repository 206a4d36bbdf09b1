/*
 * sync_cases.h - the parts of `mneme bench sync`; docs/bench.md explains each row.
 */
#ifndef MNEME_BENCH_SYNC_CASES_H
#define MNEME_BENCH_SYNC_CASES_H

#include "bench/sync_site.h"

/* sync_local.c: puts and gets while a thread syncs, or cannot. */
int sync_local(struct kit *kit, mneme_error *error);

/* sync_bulk.c: a full store to an empty remote, and back to an empty machine. */
int sync_bulk(struct kit *kit, mneme_error *error);

/* sync_watch.c: how soon a write is seen on another machine. */
int sync_watch(struct kit *kit, mneme_error *error);

/* sync_edit.c: the bytes that one more step makes travel. */
int sync_edit(struct kit *kit, mneme_error *error);

#endif
