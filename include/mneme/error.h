/*
 * error.h - the status codes of mneme and the caller-owned error text.
 *
 * Every call that can fail returns 0 or one negative code of the table below and, when the
 * caller passes a `mneme_error`, fills it with one sentence that names the thing that is wrong
 * and the next step. Nothing is kept per thread or inside a handle.
 */
#ifndef MNEME_ERROR_H
#define MNEME_ERROR_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define MNEME_API __attribute__((visibility("default")))
#else
#define MNEME_API
#endif

/*
 * The one table of status codes: X(name, value, exit code of the command line, retryable, text).
 * "Retryable" means that the same call may succeed later without the caller changing anything.
 */
#define MNEME_STATUS_TABLE(X)                                                                      \
    X(MNEME_OK, 0, 0, 0, "ok")                                                                     \
    X(MNEME_FAILURE, -1, 1, 0, "unexpected failure")                                               \
    X(MNEME_INVALID, -2, 2, 0, "invalid argument")                                                 \
    X(MNEME_TOO_LARGE, -3, 2, 0, "too large")                                                      \
    X(MNEME_UNSUPPORTED, -4, 2, 0, "not supported by this store")                                  \
    X(MNEME_NOT_FOUND, -5, 3, 0, "not found")                                                      \
    X(MNEME_CONFLICT, -6, 4, 0, "conflicts with what is stored")                                   \
    X(MNEME_LOCKED, -7, 4, 1, "locked or busy")                                                    \
    X(MNEME_PERMISSION, -8, 4, 0, "permission denied")                                             \
    X(MNEME_CORRUPT, -9, 5, 0, "damaged data")                                                     \
    X(MNEME_NEWER_FORMAT, -10, 5, 0, "written by a newer version")                                 \
    X(MNEME_NO_SPACE, -11, 6, 1, "no space left")                                                  \
    X(MNEME_IO, -12, 1, 1, "input/output error")                                                   \
    X(MNEME_NO_MEMORY, -13, 1, 1, "out of memory")                                                 \
    X(MNEME_FORKED, -14, 1, 0, "handle used after fork")                                           \
    X(MNEME_PARTIAL, -15, 9, 0, "done in part")                                                    \
    X(MNEME_CANCELLED, -16, 1, 0, "cancelled by the caller")                                       \
    X(MNEME_UNAVAILABLE, -17, 7, 1, "the remote store cannot be reached; nothing was written")     \
    X(MNEME_UNAUTHORIZED, -18, 8, 0, "the remote store refuses the credentials")                   \
    X(MNEME_UNCERTAIN, -19, 7, 0, "no answer came: the write may or may not have gone in")

typedef enum mneme_status {
#define MNEME_STATUS_ENUM(name, value, exit_code, retryable, text) name = value,
    MNEME_STATUS_TABLE(MNEME_STATUS_ENUM)
#undef MNEME_STATUS_ENUM
} mneme_status;

/* Room for one error message, its NUL included; longer texts are cut. */
#define MNEME_ERROR_TEXT_MAX 512

/*
 * What went wrong, for people. Owned by the caller, on the stack as a rule; zero it or not, a
 * failing call overwrites it and a successful one leaves it alone. The last parameter of every
 * call that can fail; NULL is allowed.
 */
typedef struct mneme_error {
    int code; /* a mneme_status */
    char message[MNEME_ERROR_TEXT_MAX];
} mneme_error;

/* The name of a code ("MNEME_NOT_FOUND"), its short text ("not found"). Never NULL; thread-safe. */
MNEME_API const char *mneme_status_name(int code);
MNEME_API const char *mneme_status_text(int code);

/* Non-zero when the same call may succeed later (see MNEME_STATUS_TABLE). */
MNEME_API int mneme_status_retryable(int code);

/* The exit code with which the command line reports `code` (0 to 9). */
MNEME_API int mneme_status_exit_code(int code);

#ifdef __cplusplus
}
#endif
#endif
