/*
 * log.h - events of the layers as lines of text: see include/mneme/log.h and docs/logging.md.
 *
 * Model. LOG(level, layer, message, fields…) tells of an event. It costs a relaxed load and a
 * branch as long as nobody asked for it, and its fields are not evaluated. A line says which public
 * call and which network request it belongs to: the scope of its thread.
 * Rules. A message is a constant. Fields never hold secrets or the contents of records: kinds, ids,
 * counts, sizes, codes and paths are what there is to say. An error's sentence goes into a line
 * only where it cannot quote such a content. Threads. Everything may be called from any thread,
 * with any lock held: a line takes no ranked lock. errno is left as it was.
 */
#ifndef MNEME_OS_LOG_H
#define MNEME_OS_LOG_H

#include <stdatomic.h>

#include "base/base.h"
#include "mneme/log.h"

/* As src/LAYERS has them, and the names in a spec. */
#define LOG_LAYERS(X)                                                                              \
    X(BASE, "base")                                                                                \
    X(OS, "os")                                                                                    \
    X(CODEC, "codec")                                                                              \
    X(METRICS, "metrics")                                                                          \
    X(NET, "net")                                                                                  \
    X(CACHE, "cache")                                                                              \
    X(STORE, "store")                                                                              \
    X(MODEL, "model")                                                                              \
    X(EXCHANGE, "exchange")                                                                        \
    X(SYNC, "sync")                                                                                \
    X(API, "api")

enum log_layer {
#define LOG_LAYER_ENUM(name, text) LOG_LAYER_##name,
    LOG_LAYERS(LOG_LAYER_ENUM)
#undef LOG_LAYER_ENUM
        LOG_LAYER_COUNT
};

/* ---- Events ------------------------------------------------------------------------------ */

enum log_field_type {
    LOG_END,
    LOG_TYPE_WHOLE,
    LOG_TYPE_TEXT,
    LOG_TYPE_BOOL,
    LOG_TYPE_ID,
    LOG_TYPE_MS
};

struct log_field {
    const char *name; /* as OpenTelemetry has it, where it has one; NULL: the field is left out */
    enum log_field_type type;
    union {
        int64_t whole; /* of LOG_TYPE_MS: microseconds */
        mneme_text text;
        const mneme_id *id;
    } as;
};

static inline mneme_text log_text_of(const char *s) { return (mneme_text){s, s ? strlen(s) : 0}; }

#define LOG_WHOLE(name_, value)                                                                    \
    { .name = (name_), .type = LOG_TYPE_WHOLE, .as.whole = (int64_t)(value) }
#define LOG_BOOL(name_, value)                                                                     \
    { .name = (name_), .type = LOG_TYPE_BOOL, .as.whole = (value) }
/* Microseconds, written as milliseconds with a fraction. */
#define LOG_MS(name_, microseconds)                                                                \
    { .name = (name_), .type = LOG_TYPE_MS, .as.whole = (int64_t)(microseconds) }
/* A text with its size; any bytes will do. */
#define LOG_TEXT(name_, value)                                                                     \
    { .name = (name_), .type = LOG_TYPE_TEXT, .as.text = (value) }
#define LOG_STRING(name_, value) LOG_TEXT(name_, log_text_of(value))
/* A const mneme_id *. */
#define LOG_ID(name_, value)                                                                       \
    { .name = (name_), .type = LOG_TYPE_ID, .as.id = (value) }
/* Left out where there is nothing to say: the number 0, NULL. */
#define LOG_WHOLE_IF(name_, value) LOG_WHOLE((value) ? (name_) : NULL, value)
#define LOG_STRING_IF(name_, value) LOG_STRING((value) ? (name_) : NULL, value)
/* The name of a mneme_status; left out for 0. */
#define LOG_ERROR_TYPE(status)                                                                     \
    LOG_STRING_IF("error.type", (status) ? mneme_status_name(status) : NULL)

/* The level of each layer, and behind them the highest of all. */
extern _Atomic(uint8_t) log_levels[LOG_LAYER_COUNT + 1];

/* Relaxed: a line more or less while levels change is nobody's harm. */
static inline bool log_is_on(enum log_layer layer, mneme_log_level level) {
    return UNLIKELY(atomic_load_explicit(&log_levels[layer], memory_order_relaxed) >= level);
}
/* Whether any layer logs at all. */
static inline bool log_is_on_anywhere(void) {
    return UNLIKELY(atomic_load_explicit(&log_levels[LOG_LAYER_COUNT], memory_order_relaxed));
}

/* Tell of an event: LOG(WARN, NET, "will try again", LOG_WHOLE("attempt", n), …); one field at
 * least. */
#define LOG(level, layer, message, ...)                                                            \
    do {                                                                                           \
        if (log_is_on(LOG_LAYER_##layer, MNEME_LOG_##level))                                       \
            log_emit(MNEME_LOG_##level, LOG_LAYER_##layer, (message),                              \
                     (const struct log_field[]){__VA_ARGS__, {.type = LOG_END}});                  \
    } while (0)

/* The same with a level that is known at run time; the fields are evaluated in any case. */
void log_emit(mneme_log_level level, enum log_layer layer, const char *message,
              const struct log_field *fields);

/* ---- Scopes ------------------------------------------------------------------------------ */

/* What a thread is at: the public call, and the request to a server; 0: none. */
struct log_scope {
    uint64_t op, req;
};
extern THREAD_LOCAL struct log_scope log_scope;

/* Numbers for them, each given once in a process. */
uint64_t log_next_op(void);
uint64_t log_next_req(void);

/* A round of background work is numbered like a call. Within a call it is part of that. */
static inline uint64_t log_op_begin(void) {
    uint64_t before = log_scope.op;
    if (log_is_on_anywhere() && before == 0)
        log_scope.op = log_next_op();
    return before;
}
static inline void log_op_end(uint64_t before) { log_scope.op = before; }

/* Put another request under way, and what was there back. Both are nothing while nobody logs. */
static inline uint64_t log_req_begin(void) {
    uint64_t before = log_scope.req;
    if (log_is_on_anywhere())
        log_scope.req = log_next_req();
    return before;
}
static inline void log_req_end(uint64_t before) { log_scope.req = before; }

enum { LOG_NUMBER_SIZE = 14 }; /* 13 digits and the NUL */
/* A number of a scope as it stands in lines: base 36. */
void log_number_text(uint64_t number, char text[LOG_NUMBER_SIZE]);

/* ---- Settings ---------------------------------------------------------------------------- */

/* As mneme_log_set. */
int log_configure(const mneme_log_options *options, mneme_error *error);
/* By the variables of the environment, unless that was done, or log_configure was called.
 * MNEME_INVALID names the variable. */
int log_configure_once(mneme_error *error);

#endif
