/*
 * store_share.c - mutations of shared.h for tests.
 */
#include "support/store_share.h"

struct mutation state_of(const char *text, uint64_t fence) {
    return (struct mutation){
        .op = MUTATION_STATE, .record.body = slice_of_string(text), .shared.fence = fence};
}

struct mutation marked_as(struct mutation mutation, enum mark mark, uint64_t at) {
    mutation.shared = (struct shared_change){.mark = mark, .at = at};
    return mutation;
}

struct mutation with_body(struct mutation put, const char *text) {
    put.record.body = slice_of_string(text);
    put.record.plain_size = (uint32_t)strlen(text);
    return put;
}

struct mutation mark_of(enum mark mark, mneme_kind kind, unsigned n, uint64_t at) {
    struct mutation mutation = put_of(kind, n);
    mutation.op = MUTATION_MARK;
    if (mark == MARK_BASE)
        mutation = with_body(mutation, "base");
    return marked_as(mutation, mark, at);
}

struct mutation hold_of(mneme_kind kind, unsigned n, const char *reason) {
    struct mutation mutation = mark_of(MARK_HELD, kind, n, 0);
    mutation.shared.reason = slice_of_string(reason);
    return mutation;
}
