/*
 * write_impl.h - inside the LMDB store's write side: the transaction that batches go into.
 */
#ifndef MNEME_KV_WRITE_IMPL_H
#define MNEME_KV_WRITE_IMPL_H

#include "store/kv/kv_impl.h"

struct writer {
    struct kv_env *env;
    MDB_txn *txn;
    struct kv_state state;
    mneme_version last_version;
    int64_t skew_us; /* added to the clock */
    uint64_t now_ms;
    struct pending pending; /* index entries of this transaction */
    struct buf blob;        /* scratch */
    int lmdb_code;          /* of the operation that failed; 0: the failure was not LMDB's */
};

/* Keep the code of a failed LMDB call for the decision how to recover. */
int writer_fail(struct writer *w, int rc, mneme_error *error);
int writer_put(struct writer *w, MDB_dbi table, const struct kv_key *key, struct slice value,
               mneme_error *error);
/* The same, of a key that is likely to lie behind all others of the table: there LMDB fills pages
 * to the brim. */
int writer_put_last(struct writer *w, MDB_dbi table, const struct kv_key *key, struct slice value,
                    mneme_error *error);
/* No error when it is not there. */
int writer_del(struct writer *w, MDB_dbi table, const struct kv_key *key, mneme_error *error);

/* ---- Marks (write_marks.c): the rules of shared.h ------------------------------------------- */

/* Whether the mutation may be: mark_test. `present`: the record of its name; NULL: none. */
int marks_test(struct writer *w, const struct mutation *m, const struct stored_record *present,
               mneme_error *error);
/* What a PUT, DELETE, PURGE or MARK that is not late does to the marks of its name. */
int marks_change(struct writer *w, const struct mutation *m, const struct stored_record *present,
                 mneme_error *error);
int marks_set_state(struct writer *w, const struct mutation *m, mneme_error *error);

#endif
