/*
 * error.c - the status table and the error setter.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/base.h"

struct status_row {
    int code;
    int exit_code;
    int retryable;
    const char *name;
    const char *text;
};

static const struct status_row status_rows[] = {
#define STATUS_ROW(name, value, exit_code, retryable, text)                                        \
    {value, exit_code, retryable, #name, text},
    MNEME_STATUS_TABLE(STATUS_ROW)
#undef STATUS_ROW
};

static const struct status_row *status_find(int code) {
    for (size_t i = 0; i < COUNT_OF(status_rows); i++)
        if (status_rows[i].code == code)
            return &status_rows[i];
    return &status_rows[1]; /* MNEME_FAILURE: no code of ours */
}

const char *mneme_status_name(int code) { return status_find(code)->name; }
const char *mneme_status_text(int code) { return status_find(code)->text; }
int mneme_status_retryable(int code) { return status_find(code)->retryable; }
int mneme_status_exit_code(int code) { return status_find(code)->exit_code; }

int error_set(mneme_error *error, int code, const char *format, ...) {
    if (error) {
        va_list args;
        va_start(args, format);
        error->code = code;
        vsnprintf(error->message, sizeof error->message, format, args);
        va_end(args);
    }
    return code;
}

int error_set_errno(mneme_error *error, int errno_value, const char *format, ...) {
    int code = status_from_errno(errno_value);
    if (error) {
        char reason[128];
        va_list args;
        va_start(args, format);
        error->code = code;
        int n = vsnprintf(error->message, sizeof error->message, format, args);
        va_end(args);
        size_t used = n < 0 ? 0 : size_min((size_t)n, sizeof error->message - 1);
        snprintf(error->message + used, sizeof error->message - used, ": %s",
                 strerror_r(errno_value, reason, sizeof reason));
    }
    return code;
}

int error_prefix(mneme_error *error, int code, const char *format, ...) {
    if (error) {
        char old[MNEME_ERROR_TEXT_MAX];
        memcpy(old, error->message, sizeof old);
        old[sizeof old - 1] = 0;
        va_list args;
        va_start(args, format);
        int n = vsnprintf(error->message, sizeof error->message, format, args);
        va_end(args);
        size_t used = n < 0 ? 0 : size_min((size_t)n, sizeof error->message - 1);
        snprintf(error->message + used, sizeof error->message - used, ": %s", old);
    }
    return code;
}

int status_from_errno(int errno_value) {
    switch (errno_value) {
    case ENOMEM:
        return MNEME_NO_MEMORY;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return MNEME_NO_SPACE;
    case ENOENT:
        return MNEME_NOT_FOUND;
    case EACCES:
    case EPERM:
    case EROFS:
        return MNEME_PERMISSION;
    case EEXIST:
        return MNEME_CONFLICT;
    case EAGAIN:
    case EBUSY:
        return MNEME_LOCKED;
    case EISDIR:
    case ENOTDIR:
    case ELOOP:
    case ENAMETOOLONG:
    case EINVAL:
        return MNEME_INVALID;
    default:
        return MNEME_IO;
    }
}

#ifdef MNEME_ASSERTS
void assert_failed(const char *expression, const char *file, int line) {
    fprintf(stderr, "%s:%d: a bug in mneme: %s does not hold\n", file, line, expression);
    abort();
}
#endif
