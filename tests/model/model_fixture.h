/*
 * model_fixture.h - what the tests of the model layer share: C strings as texts, one record there
 * and back, and small records to change a member of.
 */
#ifndef TESTS_MODEL_MODEL_FIXTURE_H
#define TESTS_MODEL_MODEL_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/base.h"
#include "model/model.h"
#include "support/random_record.h"

enum { FIXTURE_BUF_MAX = 64 << 20 };
static const int64_t FIXTURE_TIME = INT64_C(1763712120000001); /* 2025-11-21T08:02:00.000001Z */

static inline mneme_text text_of(const char *s) { return (mneme_text){s, strlen(s)}; }
static inline mneme_id id_of(uint8_t last) {
    return (mneme_id){
        {1, 0x89, 0x0a, 0x5d, 0xac, 0x96, 0x77, 0x4b, 0xbc, 0xce, 0, 0, 0, 0, 0, last}};
}

/* A record of one kind around its struct, its header left blank. */
#define RECORD(kind_, member_, pointer_) ((mneme_record){.kind = (kind_), .as.member_ = (pointer_)})

/* Decode what model_encode made, with the header that a store would give back. */
static inline int decode_stored(const struct stored_record *stored, const struct buf *body,
                                mneme_version version, struct arena *arena, mneme_record *out,
                                mneme_error *error) {
    struct stored_record read = *stored;
    read.version = version;
    return model_decode(&read, buf_slice(body), arena, out, error);
}

/* Fails the test unless `status` is `code` and the message is exactly this. */
static inline void assert_refused(int status, int code, const mneme_error *error,
                                  const char *message) {
    assert_int_equal(status, code);
    assert_int_equal(error->code, code);
    assert_string_equal(error->message, message);
}

static inline void assert_text(mneme_text text, const char *expected) {
    assert_int_equal(text.size, strlen(expected));
    assert_memory_equal(text.size ? text.data : "", expected, text.size);
}

#endif
