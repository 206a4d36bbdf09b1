/*
 * record_json_fuzz.c - reads arbitrary bytes as the JSON of a record. What is read and valid is
 * written, and reading that must give the same line and the same body.
 */
#include <stdio.h>
#include <stdlib.h>

#include "model/model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FUZZ_BUF_MAX = 64 << 20 };

static void demand(bool holds, const char *what) {
    if (!holds) {
        fprintf(stderr, "record_json_fuzz: %s\n", what);
        abort();
    }
}

static void check_equal(const mneme_record *a, const mneme_record *b, struct arena *arena) {
    AUTO_BUF struct buf body_a = BUF_INIT(FUZZ_BUF_MAX), body_b = BUF_INIT(FUZZ_BUF_MAX);
    struct stored_record stored_a, stored_b;
    demand(model_encode(a, arena, &body_a, &stored_a, NULL) == 0, "a valid record must encode");
    demand(model_encode(b, arena, &body_b, &stored_b, NULL) == 0, "its copy must encode");
    demand(slice_equal(buf_slice(&body_a), buf_slice(&body_b)), "the bodies must be equal");
    mneme_record decoded;
    demand(model_decode(&stored_a, buf_slice(&body_a), arena, &decoded, NULL) == 0,
           "what was encoded must decode");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    AUTO_ARENA struct arena arena = {0};
    AUTO_BUF struct buf line = BUF_INIT(FUZZ_BUF_MAX), again = BUF_INIT(FUZZ_BUF_MAX);
    mneme_record record, read;
    mneme_error error = {0};
    if (model_from_json(slice_of(data, size), MNEME_EPISODE, &arena, &record, &error) != 0) {
        demand(error.code != 0 && error.message[0] != 0, "a refusal must say why");
        return 0;
    }
    if (model_to_json(&record, &line, &error) != 0)
        return 0; /* well-formed, but not valid */
    demand(!memchr(line.data, '\n', line.size), "a line must be one line");
    demand(model_from_json(buf_slice(&line), MNEME_KIND_NONE, &arena, &read, NULL) == 0,
           "what was written must be read");
    demand(model_to_json(&read, &again, NULL) == 0, "and written again");
    demand(slice_equal(buf_slice(&line), buf_slice(&again)), "as the same line");
    check_equal(&record, &read, &arena);
    return 0;
}
