/*
 * log_impl.h - between the parts of the log: specs (log_spec.c), lines (log_line.c), and who
 * decides and writes (log.c).
 */
#ifndef MNEME_OS_LOG_IMPL_H
#define MNEME_OS_LOG_IMPL_H

#include "os/log.h"
#include "os/os.h"

/* PIPE_BUF: the most that a pipe takes as a whole, so that lines of several processes stay whole,
 * too. The line end is in it. */
enum { LOG_LINE_MAX = 4096 };

const char *log_layer_name(enum log_layer layer);
const char *log_level_name(mneme_log_level level);

/* The levels that a spec means. MNEME_INVALID; levels are left alone, then. */
int log_spec_parse(const char *spec, uint8_t levels[LOG_LAYER_COUNT], mneme_error *error);

/* What is in a line before its fields. */
struct log_head {
    int64_t time_us;
    mneme_log_level level;
    enum log_layer layer;
    const char *message;
    long pid, tid;
    struct log_scope scope;
    uint64_t dropped; /* lines before it that nobody took */
};

/* Write a line with its line end and a NUL to `text`; returns its size without the NUL. What has no
 * room is left out, and the line says so. */
size_t log_line_write(mneme_log_format format, const struct log_head *head,
                      const struct log_field *fields, char text[LOG_LINE_MAX + 1]);

#endif
