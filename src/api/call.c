/*
 * call.c - see call.h; and mneme_log_set.
 */
#include "api/call.h"

int mneme_log_set(const mneme_log_options *options, mneme_error *error) {
    return log_configure(options, error);
}

struct api_call api_call_begin_logged(const char *name) {
    struct api_call call = {
        .name = name, .begun_us = clock_monotonic_us(), .outermost = log_scope.op == 0};
    (void)log_op_begin();
    LOG(TRACE, API, "call begins", LOG_STRING("code.function.name", name));
    return call;
}

/* What the caller asked for cannot be, which is his affair; or something is wrong here, or with the
 * server. */
static mneme_log_level level_of(int status) {
    switch (status) {
    case MNEME_OK:
        return MNEME_LOG_DEBUG;
    case MNEME_INVALID:
    case MNEME_TOO_LARGE:
    case MNEME_UNSUPPORTED:
    case MNEME_NOT_FOUND:
    case MNEME_CONFLICT:
    case MNEME_CANCELLED:
        return MNEME_LOG_INFO;
    case MNEME_LOCKED:
    case MNEME_PARTIAL:
        return MNEME_LOG_WARN;
    default:
        return MNEME_LOG_ERROR;
    }
}

/* The sentence of the error stays out: it may quote what a record says. */
void api_call_end_logged(const struct api_call *call, int status) {
    mneme_log_level level = level_of(status);
    int64_t took_us = clock_monotonic_us() - call->begun_us;
    const struct log_field ends[] = {LOG_STRING("code.function.name", call->name),
                                     LOG_MS("duration_ms", took_us),
                                     {.type = LOG_END}};
    const struct log_field fails[] = {ends[0], ends[1], LOG_ERROR_TYPE(status), {.type = LOG_END}};
    if (log_is_on(LOG_LAYER_API, level))
        log_emit(level, LOG_LAYER_API, status ? "call failed" : "call ended",
                 status ? fails : ends);
    if (call->outermost)
        log_scope.op = 0;
}
