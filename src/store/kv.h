/*
 * kv.h - the embedded store on LMDB, for its callers. docs/format.md has the format.
 */
#ifndef MNEME_STORE_KV_H
#define MNEME_STORE_KV_H

#include "store/store.h"

struct kv_options {
    bool must_exist;
    bool read_only;
    bool allow_network_filesystem;
    uint64_t max_stale_bytes; /* 0: 1 GiB */
    uint64_t map_bytes;       /* first size of the map; 0: 16 GiB. Grown when full */
    int64_t clock_skew_us;    /* for tests: added to the wall clock where versions are given */
};

/* Errors as mneme_open. */
int kv_store_open(const char *path, const struct kv_options *options, struct store **out,
                  mneme_error *error);

/* Deep check of a file in this process; call it in a child (a damaged tree can end the process).
 * `decode` is called for each live record, in the order of ids, inside a read transaction: it must
 * not call the store. What it returns non-zero is a finding, its text in *error. */
struct kv_check {
    void (*finding)(void *context, const char *text);
    int (*decode)(void *context, const struct stored_record *record, mneme_error *error);
    void *context;
    uint64_t records, bytes, findings;
};
int kv_store_check(const char *path, struct kv_check *check, mneme_error *error);

#endif
