/*
 * store_share.h - short ways to write mutations of shared.h in tests, and to look at marks.
 */
#ifndef MNEME_TESTS_STORE_SHARE_H
#define MNEME_TESTS_STORE_SHARE_H

#include "store/shared.h"
#include "support/store_records.h"

/* Set the state to a text, and the fence. */
struct mutation state_of(const char *text, uint64_t fence);
/* Mark record n. A BASE has the record `put_of` makes, with a body of the bytes "base". */
struct mutation mark_of(enum mark mark, mneme_kind kind, unsigned n, uint64_t at);
/* Hold record n, for a reason. */
struct mutation hold_of(mneme_kind kind, unsigned n, const char *reason);
/* The same mutation, with a mark. */
struct mutation marked_as(struct mutation mutation, enum mark mark, uint64_t at);
/* The same put, with a body of text. */
struct mutation with_body(struct mutation put, const char *text);

#endif
