/*
 * chat.c - messages of chat models become mneme_messages, and nothing of them is lost.
 */
#include "exchange/exchange_impl.h"

static bool is_mark(const struct json_node *member) {
    return key_is(member, "raw") || key_is(member, "calls") || key_is(member, "answers");
}

struct chat chat_of(const struct json_node *message) {
    struct chat chat = {.node = message, .irregular = true};
    bool has_role = false, marks = false;
    if (message->type != JSON_OBJECT)
        return chat;
    const struct json_node *member = json_first(message);
    for (; member; member = json_next(message, member)) {
        if (key_is(member, "role") && is_string(member)) {
            chat.role = text_of_slice(member->text);
            has_role = true;
        } else if (key_is(member, "content")) {
            chat.content = member;
        } else if (key_is(member, "tool_calls")) {
            chat.calls = member;
        } else if (key_is(member, "tool_call_id")) {
            chat.call_id = member;
        } else if (key_is(member, "name")) {
            chat.name = member;
        } else if (is_mark(member)) {
            marks = true;
        }
    }
    chat.irregular = !has_role || !chat.content || marks;
    return chat;
}

static void put_rest(const struct chat *chat, enum chat_mark mark, struct buf *b) {
    const struct json_node *member = json_first(chat->node);
    for (; member; member = json_next(chat->node, member)) {
        bool is_told = key_is(member, "role") || (member == chat->content && is_string(member)) ||
                       (member == chat->calls && mark == CHAT_CALLS);
        if (!is_told)
            object_member(b, member->key, member->raw);
    }
}

int chat_to_message(const struct chat *chat, enum chat_mark mark, uint64_t value,
                    uint64_t after_step, struct buf *scratch, struct arena *arena,
                    mneme_message *out) {
    mneme_message message = {.role = chat->role, .after_step = after_step};
    if (is_string(chat->content))
        message.text = text_of_slice(chat->content->text);
    object_begin(scratch);
    if (mark != CHAT_PLAIN)
        object_number(scratch, mark == CHAT_ANSWERS ? "answers" : "calls", value);
    if (chat->irregular)
        object_member(scratch, slice_of_string("raw"), chat->node->raw);
    else
        put_rest(chat, mark, scratch);
    TRY(object_end(scratch, arena, &message.extra));
    *out = message;
    return 0;
}
