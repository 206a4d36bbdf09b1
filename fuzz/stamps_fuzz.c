/*
 * stamps_fuzz.c - arbitrary bytes as the stamps of a body. What decodes is encoded and decoded
 * again, which must give the same bytes. The bytes are then the stamps of an episode too, which
 * must merge with a plain one in either order to the same, or be refused.
 */
#include <stdio.h>
#include <stdlib.h>

#include "codec/codec.h"
#include "sync/merge.h"
#include "sync/stamps.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FUZZ_BUF_MAX = 64 << 20 };

static void demand(bool holds, const char *what) {
    if (!holds) {
        fprintf(stderr, "stamps_fuzz: %s\n", what);
        abort();
    }
}

static void through_codec(const struct stamps *stamps, struct arena *arena) {
    AUTO_BUF struct buf once = BUF_INIT(FUZZ_BUF_MAX), twice = BUF_INIT(FUZZ_BUF_MAX);
    struct stamps again;
    demand(stamps_encode(stamps, &once) == 0, "what decodes must encode");
    demand(stamps_decode(buf_slice(&once), arena, &again, NULL) == 0, "and decode again");
    demand(stamps_encode(&again, &twice) == 0, "and encode again");
    demand(slice_equal(buf_slice(&once), buf_slice(&twice)), "to the same bytes");
}

/* A sealed episode with tags, metadata and steps, behind whose fields the stamps stand. */
static void through_merge(struct slice stamps, struct arena *arena) {
    static const mneme_text tags[] = {{"x", 1}, {"y", 1}, {"z", 1}};
    static const mneme_pair pairs[] = {{{"p", 1}, {"1", 1}}, {{"q", 1}, {"2", 1}}};
    static const mneme_step steps[] = {{.id = {{1}}, .number = 1, .time_us = 5},
                                       {.id = {{2}}, .number = 2, .time_us = 6}};
    static const mneme_episode episode = {.task = {"t", 1},
                                          .start_us = 5,
                                          .end_us = 9,
                                          .tags = {tags, 3},
                                          .metadata = {pairs, 2},
                                          .steps = {steps, 2}};
    const mneme_record record = {.kind = MNEME_EPISODE, .id = {{7}}, .as.episode = &episode};
    AUTO_BUF struct buf plain = BUF_INIT(FUZZ_BUF_MAX), stamped = BUF_INIT(FUZZ_BUF_MAX);
    const struct merge_side none = {NULL, {NULL, 0}};
    struct stored_record stored;
    struct merge_result one, two;
    demand(model_encode(&record, arena, &plain, &stored, NULL) == 0, "the episode must encode");
    stored.version = (mneme_version){1 << 20, 3};
    buf_append_slice(&stamped, buf_slice(&plain));
    wire_put_bytes_always(&stamped, STAMPS_FIELD, stamps);
    const struct merge_side a = {&stored, buf_slice(&plain)}, b = {&stored, buf_slice(&stamped)};
    int status = merge(&none, &a, &b, 0, arena, &one, NULL);
    demand(status == 0 || status == MNEME_CORRUPT, "damaged stamps are corrupt, nothing else");
    demand(merge(&none, &b, &a, 0, arena, &two, NULL) == status, "either way");
    if (status == 0 && one.outcome == MERGE_BOTH)
        demand(slice_equal(one.side.plain, two.side.plain), "merging must not ask who is who");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    AUTO_ARENA struct arena arena = {0};
    struct slice bytes = slice_of(data, size);
    struct stamps stamps;
    if (stamps_decode(bytes, &arena, &stamps, NULL) == 0)
        through_codec(&stamps, &arena);
    through_merge(bytes, &arena);
    return 0;
}
