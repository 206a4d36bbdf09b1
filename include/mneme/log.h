/*
 * log.h - what mneme does, told while it happens: one line an event, by layer and level.
 *
 * Model. Each layer of the library (base, os, codec, metrics, net, cache, store, model, exchange,
 * sync, api) logs at its own level. A line has its time, level, layer, a constant message, process
 * and thread, the public call and the network request under way, and fields; docs/logging.md lists
 * all events and fields. Logging is off unless MNEME_LOG or mneme_log_set say otherwise.
 *
 * Secrets. No line holds a token, a password, the query of a URL, or what a record says (texts,
 * parameters, values); ids, kinds, counts and sizes of records it may hold, and paths of files.
 */
#ifndef MNEME_LOG_H
#define MNEME_LOG_H

#include <stddef.h>

#include "mneme/error.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A layer logs the events of its level and of all that stand above it here. */
typedef enum mneme_log_level {
    MNEME_LOG_OFF = 0,
    MNEME_LOG_ERROR = 1, /* something did not work, and someone should look */
    MNEME_LOG_WARN = 2,  /* it works, but not as it should: retries, refusals, things left behind */
    MNEME_LOG_INFO = 3,  /* what happens seldom: stores opened, exchanges of sync, trainings */
    MNEME_LOG_DEBUG = 4, /* what happens at each call: requests, commits, calls themselves */
    MNEME_LOG_TRACE = 5  /* steps on the way */
} mneme_log_level;

typedef enum mneme_log_format {
    MNEME_LOG_LOGFMT = 0, /* name=value name="a value" */
    MNEME_LOG_JSON = 1    /* one object a line */
} mneme_log_format;

/*
 * Takes one line, in UTF-8, without its line end, of `size` bytes and a NUL behind them; at most
 * 4,095. It is the sink's until it returns. Called by any thread, by several at once, at times with
 * locks of the store held: it must be quick, and must not call mneme, fork, or end its thread.
 */
typedef void mneme_log_sink(void *context, mneme_log_level level, const char *line, size_t size);

/* Zero-initialise, set `size` and what differs from the default. */
typedef struct mneme_log_options {
    size_t size;      /* sizeof(mneme_log_options) */
    const char *spec; /* "warn", "info,net=debug,sync=trace", "off"; NULL: off. Copied */
    mneme_log_format format;
    mneme_log_sink *sink; /* NULL: each line is one write to standard error */
    void *context;        /* for the sink */
} mneme_log_options;

/*
 * Log so from now on, in this whole process. NULL: off. Without a call, the first mneme_open looks
 * at the variables MNEME_LOG (a spec) and MNEME_LOG_FORMAT (logfmt or json); after a call nobody
 * looks at them.
 *
 * A spec is a level (off, error, warn, info, debug, trace) for all layers, or LAYER=LEVEL, or
 * several of these with commas between them; what is named wins over what is meant by "all".
 * Layers that it does not speak of are off.
 *
 * May be called at any time and by any thread, but not by a sink. When it returns, no thread is in
 * the sink of before, and none will be, so its context can go.
 *
 * MNEME_INVALID: a part of the spec is wrong, which the error names with what is allowed; a format
 * that is none; size; standard error is closed, and there is no sink. What was in force stays,
 * then.
 */
MNEME_API int mneme_log_set(const mneme_log_options *options, mneme_error *error);

#ifdef __cplusplus
}
#endif
#endif
