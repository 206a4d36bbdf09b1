/*
 * encode.h - a program as the body of a request.
 *
 * Both forms are written straight into one buffer: [batch, close], where a guard is the condition
 * "ok" of an earlier step or "not" of it. libsql holds a step that was skipped for one that was not
 * done, which is what sql_guard says too.
 */
#ifndef MNEME_STORE_SQL_HRANA_ENCODE_H
#define MNEME_STORE_SQL_HRANA_ENCODE_H

#include "store/sql/driver.h"

/* replication_index: what a replica must have seen before it answers; 0: nothing.
 * MNEME_TOO_LARGE: over the buffer's maximum. MNEME_NO_MEMORY. MNEME_INVALID: a real number that is
 * not finite, which JSON cannot say. */
int hrana_encode_json(struct buf *b, const struct sql_program *program, uint64_t replication_index,
                      mneme_error *error);
int hrana_encode_proto(struct buf *b, const struct sql_program *program, uint64_t replication_index,
                       mneme_error *error);

/* The error of a buffer that could not hold a request, and 0 when it could. */
int hrana_encode_status(const struct buf *b, mneme_error *error);

#endif
