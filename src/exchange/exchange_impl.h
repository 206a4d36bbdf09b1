/*
 * exchange_impl.h - for those who write a format: what formats share.
 */
#ifndef MNEME_EXCHANGE_IMPL_H
#define MNEME_EXCHANGE_IMPL_H

#include "codec/codec.h"
#include "exchange/exchange.h"
#include "mneme/mneme.h"
#include "model/model.h"

extern const struct format_operations jsonl_format, tau_bench_format, swe_agent_format,
    mcp_memory_format, do_memory_format, sqlite_format;

/* ---- Splitting and guessing (split.c, formats.c) ------------------------------------------ */

/* A record a line; blank lines and a carriage return at the end of a line do not count. */
enum split_result split_lines(struct splitter *s, struct piece *out, mneme_error *error);
/* An array of records, or one a line, or one after the other. */
enum split_result split_document(struct splitter *s, struct piece *out, mneme_error *error);

/* One object, of whose members those that are arrays hold the records; the others are passed
 * over. */
enum split_result split_lists(struct splitter *s, struct piece *out, mneme_error *error);
/* The name of the first member of the object that the text begins with, as it is written; empty
 * when it begins with something else. */
struct slice object_first_key(struct slice text);

bool outline_has(const struct outline *outline, const char *key);
bool path_ends_with(const char *path, const char *ending);
/* The file's name without its directories. */
const char *path_base(const char *path);

/* ---- Identity (formats.c) ---------------------------------------------------------------- */

/* "FORMAT:" and the 32 hex digits of the text's XXH3-128, in the arena. MNEME_NO_MEMORY. */
int origin_make(const char *format, struct slice text, struct arena *arena, mneme_text *out);
/* Metadata that tells which records an import made, so that they can be counted and deleted: for
 * formats whose records have ids, and no origin for that. */
#define IMPORTED_FROM "imported_from"
static inline mneme_pair imported_from(const struct format_operations *format) {
    return (mneme_pair){mneme_text_of(IMPORTED_FROM), mneme_text_of(format->name)};
}
/* A UUID of version 8 (RFC 9562, 5.8) from the same hash. */
mneme_id digest_id(struct slice text);

/* ---- JSON objects (object.c) ------------------------------------------------------------- */

/* An object that is being written: "{" and members; object_end closes it, or empties the buffer
 * when it has none. */
void object_begin(struct buf *b);
void object_key(struct buf *b, struct slice key);                      /* the value is to follow */
void object_member(struct buf *b, struct slice key, struct slice raw); /* white space removed */
void object_number(struct buf *b, const char *key, uint64_t value);
/* Into the arena. MNEME_NO_MEMORY, MNEME_TOO_LARGE. */
int object_end(struct buf *b, struct arena *arena, mneme_text *out);

static inline bool key_is(const struct json_node *member, const char *key) {
    return slice_equal(member->key, slice_of_string(key));
}
static inline bool is_string(const struct json_node *node) {
    return node && node->type == JSON_STRING;
}
/* The text of a string member; empty when there is none. */
mneme_text member_text(const struct json_node *object, const char *key);

/* Out of memory, in words. */
int exchange_no_memory(mneme_error *error);

/* ---- Chat messages (chat.c) --------------------------------------------------------------- */

/*
 * Messages of chat models, {role, content, …}, as both foreign formats have them. What
 * mneme_message has no member for goes to its `extra` under the source's own names, so that the
 * message can be built again:
 *   content: `text` when it is a string, else the value in extra;
 *   "calls": N in extra, the N steps that follow are this message's tool calls (which stand in
 *       extra too when a step cannot hold all of one);
 *   "answers": N in extra, this message answers the call of step N;
 *   "raw": the whole message, when it has no role or content, or uses one of these three names.
 */
struct chat {
    const struct json_node *node;
    const struct json_node *content, *calls, *call_id, *name; /* NULL: not there */
    mneme_text role;
    bool irregular; /* goes into extra as a whole */
};
struct chat chat_of(const struct json_node *message);

enum chat_mark {
    CHAT_PLAIN,
    CHAT_CALLS,      /* "calls", and without the member tool_calls: the steps tell it */
    CHAT_KEPT_CALLS, /* "calls", with that member */
    CHAT_ANSWERS     /* "answers" */
};

/* `value` is the number of the mark. `scratch` is overwritten. MNEME_NO_MEMORY, MNEME_TOO_LARGE. */
int chat_to_message(const struct chat *chat, enum chat_mark mark, uint64_t value,
                    uint64_t after_step, struct buf *scratch, struct arena *arena,
                    mneme_message *out);

#endif
