/*
 * check_impl.h - inside the deep check: what its files share.
 */
#ifndef MNEME_KV_CHECK_IMPL_H
#define MNEME_KV_CHECK_IMPL_H

#include "store/kv/kv_impl.h"

/*
 * LMDB trusts the counts in a page's header. One that is too small makes it take a page for
 * endless, and a walk would go round in it for ever. So a walk holds each key to be greater than
 * the one before it: whatever a file is like, that ends. Keys of LMDB's own table (0) are numbers.
 */
struct key_order {
    bool numbers;
    size_t size;
    uint8_t last[KV_KEY_MAX];
};
bool key_rises(struct key_order *order, MDB_val key);

/* Count a finding, and tell it. */
void check_finding(struct kv_check *check, const char *format, ...) PRINTF_LIKE(2, 3);

/* Invariant (6), and the state of who syncs (check_marks.c). */
int check_marks(struct kv_env *env, MDB_txn *txn, const struct kv_state *state,
                struct kv_check *check, mneme_error *error);

#endif
