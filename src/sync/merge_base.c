/*
 * merge_base.c - a base that has seen more than was shared.
 *
 * A record that was merged and is not shared yet may be written again, by a write that knows
 * nothing of stamps. What it changed shows by comparing with the merged state; what would be lost
 * if the remote's next state beat it shows by comparing with the state that was shared last. So the
 * base of such a record is the merged state, with the shared one in a field behind it
 * (SHARED_FIELD), which the model skips: a message of live (1), time in microseconds (2), place (3)
 * and plain body (4).
 */
#include "codec/wire.h"
#include "sync/merge_impl.h"

enum { SHARED_LIVE = 1, SHARED_TIME = 2, SHARED_PLACE = 3, SHARED_PLAIN = 4 };

static bool find_shared(struct slice plain, struct slice *out) {
    struct wire_reader r = wire_reader_of(plain);
    struct wire_field f;
    bool found = false;
    while (wire_next(&r, &f)) {
        if (f.number != SHARED_FIELD || f.type != WIRE_BYTES)
            continue;
        *out = f.bytes;
        found = true;
    }
    return found && !r.bad;
}

/* What was shared of a base that may have a state inside. The record is in the arena. */
int merge_shared_of(const struct merge_side *base, struct arena *arena, struct merge_side *out,
                    mneme_error *error) {
    struct slice bytes;
    *out = *base;
    if (!base->record || !find_shared(base->plain, &bytes))
        return 0;
    struct stored_record *record = arena_alloc(arena, sizeof *record);
    if (!record)
        return error_set(error, MNEME_NO_MEMORY, "no memory to merge records");
    struct wire_reader r = wire_reader_of(bytes);
    struct wire_field f;
    *record = *base->record;
    *out = (struct merge_side){0};
    while (wire_next(&r, &f)) {
        if (f.number == SHARED_LIVE && f.value)
            out->record = record;
        else if (f.number == SHARED_TIME)
            record->time_us = unzigzag(f.value);
        else if (f.number == SHARED_PLACE)
            record->place = f.value;
        else if (f.number == SHARED_PLAIN)
            out->plain = f.bytes;
    }
    return r.bad
               ? error_set(error, MNEME_CORRUPT, "a base of sync does not decode; run mneme verify")
               : 0;
}

int merge_base(const struct merge_side *state, const struct merge_side *shared, struct arena *arena,
               struct merge_side *out, mneme_error *error) {
    AUTO_BUF struct buf b = BUF_INIT((size_t)STORE_BODY_MAX * 2);
    struct merge_side inner = {0};
    if (!merge_is_live(state)) {
        *out = *state;
        return 0;
    }
    TRY(merge_shared_of(shared, arena, &inner, error));
    buf_append_slice(&b, state->plain);
    size_t mark = wire_begin(&b, SHARED_FIELD);
    if (merge_is_live(&inner)) {
        wire_put_uint(&b, SHARED_LIVE, 1);
        wire_put_int(&b, SHARED_TIME, inner.record->time_us);
        wire_put_uint(&b, SHARED_PLACE, inner.record->place);
        wire_put_bytes(&b, SHARED_PLAIN, inner.plain);
    }
    wire_end(&b, mark);
    *out = *state;
    if (b.status || arena_copy(arena, buf_slice(&b), &out->plain))
        return error_set(error, b.status ? b.status : MNEME_NO_MEMORY,
                         "no memory to merge records");
    /* Too large for a base: losses are told by the merged state alone. */
    if (out->plain.size > STORE_BODY_MAX)
        out->plain = state->plain;
    return 0;
}
