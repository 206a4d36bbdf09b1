/*
 * state.c - the state of sync as bytes: a message of codec/wire.h.
 *
 * One table of fields serves both ways. A number is never used for anything else again; a reader
 * passes over those it does not know.
 */
#include "sync/state.h"

#include <stddef.h>

#include "codec/wire.h"

enum member_type { MEMBER_UINT, MEMBER_TIME, MEMBER_TEXT };

struct member {
    uint32_t number;
    enum member_type type;
    size_t at, size; /* offset; of a text, the room for it */
};

#define UINT(number, name)                                                                         \
    { number, MEMBER_UINT, offsetof(struct sync_state, name), sizeof(uint64_t) }
#define TIME(number, name)                                                                         \
    { number, MEMBER_TIME, offsetof(struct sync_state, name), sizeof(int64_t) }
#define TEXT(number, name)                                                                         \
    { number, MEMBER_TEXT, offsetof(struct sync_state, name), sizeof((struct sync_state *)0)->name }

static const struct member members[] = {
    UINT(1, holder),      TIME(2, lease_until_us), TEXT(3, worker),       UINT(4, peer),
    UINT(5, tag),         UINT(6, next_tag),       TEXT(7, epoch),        UINT(8, cursor),
    UINT(9, head),        UINT(10, floor),         UINT(11, told_cursor), TIME(12, told_us),
    UINT(13, filter),     TEXT(14, remote),        TIME(15, push_us),     TIME(16, pull_us),
    TIME(17, error_us),   TIME(18, next_us),       TIME(19, skew_us),     TIME(20, peers_us),
    TIME(21, collect_us), TEXT(22, error_text),    UINT(23, pushed),      UINT(24, pulled),
    UINT(25, merged),     UINT(26, bytes_up),      UINT(27, bytes_down),  UINT(28, plain_bytes),
    UINT(29, spare_tag),
};
enum { FIELD_PHASE = 40, FIELD_SKEW_KNOWN = 41, FIELD_ERROR_CODE = 42, FIELD_PEER = 43 };
enum { PEER_NAME = 1, PEER_SEEN = 2, PEER_BEHIND = 3, PEER_SELF = 4 };

/* ---- Writing ------------------------------------------------------------------------------- */

static void put_text(struct buf *out, uint32_t number, const char *text, size_t room) {
    wire_put_bytes(out, number, slice_of(text, strnlen(text, room)));
}

static void put_peer(struct buf *out, const struct sync_peer *peer) {
    size_t mark = wire_begin(out, FIELD_PEER);
    put_text(out, PEER_NAME, peer->name, sizeof peer->name);
    wire_put_int(out, PEER_SEEN, peer->seen_us);
    wire_put_uint(out, PEER_BEHIND, peer->behind);
    wire_put_uint(out, PEER_SELF, peer->self);
    wire_end(out, mark);
}

void state_encode(const struct sync_state *state, struct buf *out) {
    for (size_t i = 0; i < COUNT_OF(members); i++) {
        const struct member *m = &members[i];
        const uint8_t *at = (const uint8_t *)state + m->at;
        uint64_t number;
        int64_t time;
        if (m->type == MEMBER_TEXT) {
            put_text(out, m->number, (const char *)at, m->size);
        } else if (m->type == MEMBER_TIME) {
            memcpy(&time, at, sizeof time);
            wire_put_int(out, m->number, time);
        } else {
            memcpy(&number, at, sizeof number);
            wire_put_uint(out, m->number, number);
        }
    }
    wire_put_uint(out, FIELD_PHASE, state->phase);
    wire_put_uint(out, FIELD_SKEW_KNOWN, state->skew_known);
    wire_put_int(out, FIELD_ERROR_CODE, state->error_code);
    for (size_t i = 0; i < state->peer_count; i++)
        put_peer(out, &state->peers[i]);
}

/* ---- Reading ------------------------------------------------------------------------------- */

static void get_text(struct slice bytes, char *text, size_t room) {
    size_t size = size_min(bytes.size, room - 1);
    if (size)
        memcpy(text, bytes.data, size);
    text[size] = 0;
}

static void get_peer(struct wire_reader r, struct sync_peer *peer) {
    struct wire_field f;
    while (wire_next(&r, &f)) {
        if (f.number == PEER_NAME)
            get_text(f.bytes, peer->name, sizeof peer->name);
        else if (f.number == PEER_SEEN)
            peer->seen_us = unzigzag(f.value);
        else if (f.number == PEER_BEHIND)
            peer->behind = f.value;
        else if (f.number == PEER_SELF)
            peer->self = f.value != 0;
    }
}

static void get_member(const struct wire_field *f, struct sync_state *out) {
    for (size_t i = 0; i < COUNT_OF(members); i++) {
        const struct member *m = &members[i];
        uint8_t *at = (uint8_t *)out + m->at;
        if (m->number != f->number)
            continue;
        int64_t time = unzigzag(f->value);
        if (m->type == MEMBER_TEXT)
            get_text(f->bytes, (char *)at, m->size);
        else if (m->type == MEMBER_TIME)
            memcpy(at, &time, sizeof time);
        else
            memcpy(at, &f->value, sizeof f->value);
    }
}

int state_decode(struct slice bytes, struct sync_state *out, mneme_error *error) {
    struct wire_reader r = wire_reader_of(bytes);
    struct wire_field f;
    *out = (struct sync_state){0};
    while (wire_next(&r, &f)) {
        if (f.number == FIELD_PHASE && f.value <= PHASE_IN_STEP)
            out->phase = (enum sync_phase)f.value;
        else if (f.number == FIELD_SKEW_KNOWN)
            out->skew_known = f.value != 0;
        else if (f.number == FIELD_ERROR_CODE)
            out->error_code = (int)unzigzag(f.value);
        else if (f.number == FIELD_PEER && out->peer_count < FEED_PEERS_MAX)
            get_peer(wire_reader_of(f.bytes), &out->peers[out->peer_count++]);
        else
            get_member(&f, out);
    }
    return r.bad ? error_set(error, MNEME_CORRUPT,
                             "what this store remembers of sync does not decode; run mneme verify")
                 : 0;
}
