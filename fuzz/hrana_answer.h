/*
 * hrana_answer.h - what holds of every answer that a decoder takes, and of every one it refuses.
 */
#ifndef MNEME_FUZZ_HRANA_ANSWER_H
#define MNEME_FUZZ_HRANA_ANSWER_H

#include <stdlib.h>

#include "store/sql/hrana/answer.h"

static void require(bool condition) {
    if (!condition)
        abort();
}

static void check_value(const struct sql_value *value) {
    require(value->type <= SQL_BLOB);
    require(value->type != SQL_TEXT || utf8_valid(value->bytes));
    if (value->bytes.size) { /* a sanitizer sees a read of what is not there */
        uint8_t *copy = mem_alloc(value->bytes.size);
        require(copy != NULL);
        memcpy(copy, value->bytes.data, value->bytes.size);
        mem_free(copy);
    }
}

static void check_step(const struct sql_step_result *step) {
    require(step->outcome == SQL_SKIPPED || step->outcome == SQL_DONE ||
            step->outcome == SQL_FAILED);
    require((step->outcome == SQL_FAILED) == (step->status != 0));
    require((step->outcome == SQL_FAILED) == (step->message != NULL));
    require(step->outcome == SQL_DONE || (step->rows == 0 && step->columns == 0));
    require(!step->message || utf8_valid(slice_of_string(step->message)));
    if (step->columns == 0)
        return; /* rows of nothing may be many */
    for (size_t i = 0; i < step->rows * step->columns; i++)
        check_value(&step->values[i]);
}

static void decode_and_check(int (*decode)(struct slice, size_t, struct hrana_answer *,
                                           mneme_error *),
                             const uint8_t *data, size_t size) {
    if (size == 0)
        return;
    AUTO_RESULTS struct sql_results results = {0};
    struct hrana_answer answer = {.results = &results};
    mneme_error error = {0};
    size_t steps = data[0] % 8;
    int status = decode(slice_of(data + 1, size - 1), steps, &answer, &error);
    if (status) {
        require(status == MNEME_CORRUPT || status == MNEME_TOO_LARGE);
        require(error.code == status && utf8_valid(slice_of_string(error.message)));
        return;
    }
    require(results.count == steps);
    require(!answer.meaning || (answer.message && answer.code));
    for (size_t i = 0; i < steps; i++)
        check_step(&results.steps[i]);
}

#endif
