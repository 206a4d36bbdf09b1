/*
 * model_fuzz.c - decodes arbitrary bytes as the body of each kind. The first byte is the kind,
 * the second the place of a step. What decodes is encoded and decoded again, which must give the
 * same bytes; what is even valid must survive JSON too.
 */
#include <stdio.h>
#include <stdlib.h>

#include "model/model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FUZZ_BUF_MAX = 64 << 20 };

static void demand(bool holds, const char *what) {
    if (!holds) {
        fprintf(stderr, "model_fuzz: %s\n", what);
        abort();
    }
}

/* The body that the record has when it is encoded. */
static void encode(const mneme_record *record, struct arena *arena, struct buf *body,
                   struct stored_record *stored) {
    demand(model_encode(record, arena, body, stored, NULL) == 0, "what decodes must encode");
}

static void through_json(const mneme_record *record, struct slice body, struct arena *arena) {
    AUTO_BUF struct buf line = BUF_INIT(FUZZ_BUF_MAX), again = BUF_INIT(FUZZ_BUF_MAX);
    struct stored_record stored;
    mneme_record read;
    demand(model_to_json(record, &line, NULL) == 0, "a valid record must have a JSON form");
    demand(!line.size || !memchr(line.data, '\n', line.size), "a line must be one line");
    demand(model_from_json(buf_slice(&line), MNEME_KIND_NONE, arena, &read, NULL) == 0,
           "what was written must be read");
    encode(&read, arena, &again, &stored);
    demand(slice_equal(body, buf_slice(&again)), "JSON must keep everything");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    AUTO_ARENA struct arena arena = {0};
    AUTO_BUF struct buf body = BUF_INIT(FUZZ_BUF_MAX), again = BUF_INIT(FUZZ_BUF_MAX);
    if (size < 2)
        return 0;
    struct stored_record stored = {.kind = (mneme_kind)(data[0] % MNEME_KIND_COUNT),
                                   .id = {{1}},
                                   .place = data[1],
                                   .time_us = INT64_C(1700000000000000)};
    if (stored.kind == MNEME_STEP || stored.kind == MNEME_CHECKPOINT)
        stored.parent = (mneme_id){{2}};
    mneme_record record, decoded;
    if (model_decode(&stored, slice_of(data + 2, size - 2), &arena, &record, NULL) != 0)
        return 0;
    struct stored_record made;
    encode(&record, &arena, &body, &made);
    demand(model_decode(&made, buf_slice(&body), &arena, &decoded, NULL) == 0,
           "what was encoded must decode");
    encode(&decoded, &arena, &again, &made);
    demand(slice_equal(buf_slice(&body), buf_slice(&again)), "encoding must be stable");
    if (model_validate(&decoded, NULL) == 0)
        through_json(&decoded, buf_slice(&body), &arena);
    return 0;
}
