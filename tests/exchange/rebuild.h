/*
 * rebuild.h - foreign trajectories built again from the episodes that import made of them, by the
 * rules of docs/formats.md and without the library's own code: the proof that nothing was lost.
 */
#ifndef TESTS_EXCHANGE_REBUILD_H
#define TESTS_EXCHANGE_REBUILD_H

#include "exchange_fixture.h"

static inline void put_comma(struct buf *b) {
    uint8_t last = b->data[b->size - 1];
    if (last != '{' && last != '[')
        buf_append_byte(b, ',');
}

static inline void put_name(struct buf *b, const char *name) {
    put_comma(b);
    json_put_string(b, slice_of_string(name));
    buf_append_byte(b, ':');
}

static inline void put_text(struct buf *b, const char *name, mneme_text value) {
    put_name(b, name);
    json_put_string(b, slice_of_text(value));
}

static inline const struct json_node *parse_extra(mneme_text extra, struct arena *arena) {
    return parse_ok(extra.size ? slice_of_text(extra) : slice_of_string("{}"), arena);
}

static inline void put_members_but(struct buf *b, const struct json_node *object,
                                   const char *const *but) {
    for (const struct json_node *m = json_first(object); m; m = json_next(object, m)) {
        bool left_out = false;
        for (const char *const *name = but; *name; name++)
            left_out = left_out || slice_equal(m->key, slice_of_string(*name));
        if (left_out)
            continue;
        put_comma(b);
        json_put_string(b, m->key);
        buf_append_byte(b, ':');
        buf_append_slice(b, m->raw);
    }
}

static inline mneme_text metadata_of(const mneme_pair_list *pairs, const char *name) {
    for (size_t i = 0; i < pairs->count; i++)
        if (text_is(pairs->items[i].name, name))
            return pairs->items[i].value;
    return (mneme_text){NULL, 0};
}

/* The members of a message that its extra does not have, then those that it has. The message is
 * left open, for more members. */
static inline void put_message_open(struct buf *b, const mneme_message *message,
                                    const struct json_node *extra) {
    static const char *const marks[] = {"calls", "answers", NULL};
    put_comma(b);
    buf_append_byte(b, '{');
    put_text(b, "role", message->role);
    if (!json_member(extra, "content"))
        put_text(b, "content", message->text);
    put_members_but(b, extra, marks);
}

/* ---- tau-bench ---------------------------------------------------------------------------- */

struct rebuild {
    struct buf *b;
    struct arena *arena;
    const mneme_episode *e;
    bool *answered_elsewhere; /* of each step */
    size_t step, message;     /* the next ones */
};

static inline void put_call(struct rebuild *r, const mneme_step *step) {
    put_comma(r->b);
    buf_append_string(r->b, "{\"type\":\"function\",\"function\":{");
    put_text(r->b, "name", step->tool);
    put_text(r->b, "arguments", step->parameters);
    buf_append_byte(r->b, '}');
    put_text(r->b, "id", metadata_of(&step->metadata, "tool_call_id"));
    buf_append_byte(r->b, '}');
}

static inline void put_answers(struct rebuild *r, size_t count) {
    for (; count > 0; count--, r->step++) {
        const mneme_step *step = &r->e->steps.items[r->step];
        if (step->result == MNEME_RESULT_NONE || r->answered_elsewhere[r->step])
            continue;
        put_comma(r->b);
        buf_append_string(r->b, "{\"role\":\"tool\"");
        put_text(r->b, "tool_call_id", metadata_of(&step->metadata, "tool_call_id"));
        put_text(r->b, "name", step->tool);
        put_text(r->b, "content", step->output);
        buf_append_byte(r->b, '}');
    }
}

static inline uint64_t mark_of(const struct json_node *extra, const char *name) {
    const struct json_node *mark = json_member(extra, name);
    uint64_t value = 0;
    if (mark)
        assert_true(json_uint64(mark, &value));
    return value;
}

static inline void put_message(struct rebuild *r, const mneme_message *message) {
    const struct json_node *extra = parse_extra(message->extra, r->arena);
    const struct json_node *raw = json_member(extra, "raw");
    uint64_t calls = raw ? 0 : mark_of(extra, "calls");
    if (raw) {
        put_comma(r->b);
        buf_append_slice(r->b, raw->raw);
        return;
    }
    put_message_open(r->b, message, extra);
    if (calls && !json_member(extra, "tool_calls")) {
        put_name(r->b, "tool_calls");
        buf_append_byte(r->b, '[');
        for (size_t i = 0; i < calls; i++)
            put_call(r, &r->e->steps.items[r->step + i]);
        buf_append_byte(r->b, ']');
    }
    buf_append_byte(r->b, '}');
    put_answers(r, calls);
}

/* A step that no message speaks of: a call alone in its message. */
static inline void put_lone_call(struct rebuild *r) {
    put_comma(r->b);
    buf_append_string(r->b, "{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[");
    put_call(r, &r->e->steps.items[r->step]);
    buf_append_string(r->b, "]}");
    put_answers(r, 1);
}

static inline void find_answers(struct rebuild *r) {
    r->answered_elsewhere = arena_zalloc(r->arena, r->e->steps.count, sizeof(bool));
    assert_non_null(r->answered_elsewhere);
    for (size_t i = 0; i < r->e->message_count; i++) {
        const struct json_node *extra = parse_extra(r->e->messages[i].extra, r->arena);
        uint64_t step = json_member(extra, "answers") ? mark_of(extra, "answers") : 0;
        assert_true(step <= r->e->steps.count);
        if (step)
            r->answered_elsewhere[step - 1] = true;
    }
}

static inline void rebuild_tau_bench(const mneme_episode *e, struct arena *arena, struct buf *b) {
    static const char *const nothing[] = {NULL};
    struct rebuild r = {.b = b, .arena = arena, .e = e};
    const struct json_node *extra = parse_extra(e->extra, arena);
    buf_append_byte(b, '{');
    put_members_but(b, extra, nothing);
    for (int i = 0; i < 2; i++) {
        const char *name = i ? "trial" : "task_id";
        mneme_text digits = metadata_of(&e->metadata, name);
        if (digits.size && !json_member(extra, name)) {
            put_name(b, name);
            buf_append_slice(b, slice_of_text(digits));
        }
    }
    put_name(b, "reward");
    json_put_double(b, e->reward.total);
    put_name(b, "traj");
    buf_append_byte(b, '[');
    find_answers(&r);
    while (r.step < e->steps.count || r.message < e->message_count) {
        bool speaks = r.message < e->message_count && e->messages[r.message].after_step <= r.step;
        if (speaks)
            put_message(&r, &e->messages[r.message++]);
        else
            put_lone_call(&r);
    }
    buf_append_string(b, "]}");
}

/* ---- SWE-agent ---------------------------------------------------------------------------- */

static inline void put_turn(struct buf *b, const mneme_step *step, const struct json_node *rest) {
    static const char *const nothing[] = {NULL};
    put_comma(b);
    buf_append_byte(b, '{');
    if (!json_member(rest, "action") && !json_member(rest, "observation") &&
        step->result != MNEME_RESULT_NONE) {
        put_text(b, "action", step->action);
        put_text(b, "observation", step->output);
    }
    for (size_t i = 0; i < step->metadata.count; i++) {
        put_comma(b);
        json_put_string(b, slice_of_text(step->metadata.items[i].name));
        buf_append_byte(b, ':');
        json_put_string(b, slice_of_text(step->metadata.items[i].value));
    }
    put_members_but(b, rest, nothing);
    buf_append_byte(b, '}');
}

static inline void rebuild_swe_agent(const mneme_episode *e, struct arena *arena, struct buf *b) {
    static const char *const trajectory[] = {"trajectory", NULL}, *const nothing[] = {NULL};
    const struct json_node *extra = parse_extra(e->extra, arena);
    const struct json_node *turns = json_member(extra, "trajectory");
    buf_append_byte(b, '{');
    put_members_but(b, extra, turns && turns->type == JSON_ARRAY ? trajectory : nothing);
    if (turns && turns->type == JSON_ARRAY) {
        const struct json_node *turn = json_first(turns);
        put_name(b, "trajectory");
        buf_append_byte(b, '[');
        for (size_t i = 0; turn; turn = json_next(turns, turn), i++)
            put_turn(b, &e->steps.items[i], turn);
        buf_append_byte(b, ']');
    }
    if (e->message_count) {
        put_name(b, "history");
        buf_append_byte(b, '[');
        for (size_t i = 0; i < e->message_count; i++) {
            const struct json_node *rest = parse_extra(e->messages[i].extra, arena);
            const struct json_node *raw = json_member(rest, "raw");
            if (raw) {
                put_comma(b);
                buf_append_slice(b, raw->raw);
                continue;
            }
            put_message_open(b, &e->messages[i], rest);
            buf_append_byte(b, '}');
        }
        buf_append_byte(b, ']');
    }
    buf_append_byte(b, '}');
}

#endif
