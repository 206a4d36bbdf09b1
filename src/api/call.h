/*
 * call.h - a public call as the log sees it: its number, how long it took, and how it ended.
 */
#ifndef MNEME_API_CALL_H
#define MNEME_API_CALL_H

#include "os/log.h"
#include "os/os.h"

struct api_call {
    const char *name;
    int64_t begun_us; /* 0: nobody logs */
    bool outermost;   /* a call that a call makes is part of it */
};

struct api_call api_call_begin_logged(const char *name);
void api_call_end_logged(const struct api_call *call, int status);

static inline struct api_call api_call_begin(const char *name) {
    return log_is_on_anywhere() ? api_call_begin_logged(name) : (struct api_call){.begun_us = 0};
}
static inline int api_call_end(const struct api_call *call, int status) {
    if (UNLIKELY(call->begun_us))
        api_call_end_logged(call, status);
    return status;
}

/* The status of `expression`, which is the whole of the public function `name`: all that is logged
 * meanwhile on this thread carries the number of this call. */
#define API_CALL(name, expression)                                                                 \
    BLOCK_VALUE(struct api_call call_ = api_call_begin(name); api_call_end(&call_, (expression));)

#endif
