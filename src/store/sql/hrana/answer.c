/*
 * answer.c - what the decoders of both forms share.
 */
#include "store/sql/hrana/answer.h"

int hrana_answer_init(struct hrana_answer *answer, size_t steps) {
    struct sql_results *results = answer->results;
    results->steps = arena_zalloc(&results->arena, steps, sizeof *results->steps);
    if (!results->steps)
        return MNEME_NO_MEMORY;
    results->count = steps;
    return 0;
}

static char *copy_text(struct arena *arena, struct slice text) {
    enum { TEXT_MAX = 1000 };
    size_t size = size_min(text.size, TEXT_MAX) + 1;
    char *copy = arena_alloc(arena, size);
    if (copy)
        hrana_excerpt(text, copy, size);
    return copy;
}

int hrana_answer_failed(struct hrana_answer *answer, size_t step, struct slice code,
                        struct slice message) {
    const struct hrana_meaning *meaning = hrana_meaning_of(code, message);
    struct arena *arena = &answer->results->arena;
    const char *text = copy_text(arena, message);
    if (!text)
        return MNEME_NO_MEMORY;
    if (step != HRANA_REQUEST) {
        struct sql_step_result *result = &answer->results->steps[step];
        result->outcome = SQL_FAILED;
        result->status = meaning->status;
        result->message = text;
    }
    bool of_request = step == HRANA_REQUEST;
    if (answer->meaning || (!of_request && meaning->reach == HRANA_STEP))
        return 0;
    answer->code = copy_text(arena, code);
    if (!answer->code)
        return MNEME_NO_MEMORY;
    answer->meaning = meaning;
    answer->message = text;
    answer->refused = of_request;
    return 0;
}

/* Bytes of the character at text[i] that can be shown as it is; 0: none. */
static size_t character(struct slice text, size_t i) {
    uint8_t first = text.data[i];
    if (first < 0x80)
        return first >= 0x20 && first != 0x7f;
    for (size_t size = 2; size <= 4 && size <= text.size - i; size++)
        if (utf8_valid(slice_of(text.data + i, size)))
            return size;
    return 0;
}

const char *hrana_excerpt(struct slice text, char *out, size_t size) {
    size_t used = 0;
    for (size_t i = 0; i < text.size;) {
        size_t step = character(text, i);
        if (used + size_max(step, 1) >= size)
            break;
        if (step)
            memcpy(out + used, text.data + i, step);
        else
            out[used] = text.data[i] < 0x80 ? ' ' : '?';
        used += size_max(step, 1);
        i += size_max(step, 1);
    }
    out[used] = 0;
    return out;
}
