/*
 * log.c - who logs at which level, and how a line gets out.
 *
 * A line is made on the stack and goes out by one write, or one call of the sink, so lines of
 * threads never mix and nothing is allocated. Settings are read under a lock of their own, which
 * mneme_log_set takes alone: so when it returns nobody is in the old sink. The lock has no rank,
 * for lines are written with any lock held, and under it nothing of ours is taken.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "os/log_impl.h"

_Atomic(uint8_t) log_levels[LOG_LAYER_COUNT + 1];
THREAD_LOCAL struct log_scope log_scope;

/* Guards what follows. Who waits to change it goes before new lines, however many come. In a child
 * after fork() it may be held by a thread that is not there. */
#define FREE_LOCK PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP
static pthread_rwlock_t settings_lock = FREE_LOCK;
static mneme_log_format settings_format;
static mneme_log_sink *settings_sink;
static void *settings_context;

/* One thread at a time decides how to log. */
static pthread_mutex_t configure_mutex = PTHREAD_MUTEX_INITIALIZER;
static atomic_bool is_configured; /* written under the mutex */

static atomic_uint_fast64_t dropped_lines; /* since the last one that got out */

/* ---- Lines ------------------------------------------------------------------------------- */

static void write_line(const char *line, size_t size, uint64_t dropped) {
    ssize_t n;
    do
        n = write(STDERR_FILENO, line, size);
    while (n < 0 && errno == EINTR);
    /* A pipe that is full and does not block, a full disk: better a gap that is told than a wait.
     */
    if (n < 0)
        atomic_fetch_add_explicit(&dropped_lines, dropped + 1, memory_order_relaxed);
}

/* Under the lock, in shared mode. */
static void hand_out(const struct log_head *head, const struct log_field *fields) {
    char text[LOG_LINE_MAX + 1];
    size_t size = log_line_write(settings_format, head, fields, text);
    if (settings_sink) {
        text[--size] = 0; /* without the line end */
        settings_sink(settings_context, head->level, text, size);
    } else {
        write_line(text, size, head->dropped);
    }
}

void log_emit(mneme_log_level level, enum log_layer layer, const char *message,
              const struct log_field *fields) {
    int errno_before = errno;
    struct log_head head = {.time_us = clock_wall_us(),
                            .level = level,
                            .layer = layer,
                            .message = message,
                            .pid = (long)getpid(),
                            .tid = syscall(SYS_gettid),
                            .scope = log_scope};
    pthread_rwlock_rdlock(&settings_lock);
    /* Again, for the settings may have changed: a line that nobody wants now has no way out. */
    if (log_is_on(layer, level)) {
        head.dropped = atomic_exchange_explicit(&dropped_lines, 0, memory_order_relaxed);
        hand_out(&head, fields);
    }
    pthread_rwlock_unlock(&settings_lock);
    errno = errno_before;
}

/* ---- Scopes ------------------------------------------------------------------------------ */

uint64_t log_next_op(void) {
    static atomic_uint_fast64_t last;
    return atomic_fetch_add_explicit(&last, 1, memory_order_relaxed) + 1;
}

uint64_t log_next_req(void) {
    static atomic_uint_fast64_t last;
    return atomic_fetch_add_explicit(&last, 1, memory_order_relaxed) + 1;
}

void log_number_text(uint64_t number, char text[LOG_NUMBER_SIZE]) {
    char digits[LOG_NUMBER_SIZE];
    size_t at = sizeof digits - 1;
    digits[at] = 0;
    do
        digits[--at] = "0123456789abcdefghijklmnopqrstuvwxyz"[number % 36];
    while (number /= 36);
    memcpy(text, digits + at, sizeof digits - at);
}

/* ---- Settings ---------------------------------------------------------------------------- */

static void unlock_mutex(pthread_mutex_t **mutex) { pthread_mutex_unlock(*mutex); }
#define AUTO_CONFIGURE CLEANUP(unlock_mutex)

/* A fork waits for who is just changing the settings; the child then has both locks free. */
static void before_fork(void) { pthread_mutex_lock(&configure_mutex); }
static void in_parent(void) { pthread_mutex_unlock(&configure_mutex); }
static void in_child(void) {
    pthread_mutex_unlock(&configure_mutex);
    settings_lock = (pthread_rwlock_t)FREE_LOCK;
}
static void register_fork(void) { pthread_atfork(before_fork, in_parent, in_child); }

static int check_options(const mneme_log_options *options, mneme_error *error) {
    if (options->size != sizeof *options)
        return error_set(error, MNEME_INVALID,
                         "mneme_log_options.size is %zu; set it to sizeof(mneme_log_options), and "
                         "use the header of this library",
                         options->size);
    if (options->format != MNEME_LOG_LOGFMT && options->format != MNEME_LOG_JSON)
        return error_set(error, MNEME_INVALID, "there is no log format %d", (int)options->format);
    return 0;
}

/* Under the mutex. */
static int configure(const mneme_log_options *options, mneme_error *error) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    uint8_t levels[LOG_LAYER_COUNT], highest = 0;
    TRY(check_options(options, error));
    TRY(log_spec_parse(options->spec ? options->spec : "off", levels, error));
    for (size_t i = 0; i < LOG_LAYER_COUNT; i++)
        highest = levels[i] > highest ? levels[i] : highest;
    /* Its descriptor would be that of the next file which is opened: a store, say. */
    if (highest && !options->sink && fcntl(STDERR_FILENO, F_GETFD) < 0)
        return error_set(error, MNEME_INVALID,
                         "standard error is closed, so there is nowhere to log to; open it, or "
                         "give a sink");
    pthread_once(&once, register_fork);
    pthread_rwlock_wrlock(&settings_lock);
    settings_format = options->format;
    settings_sink = options->sink;
    settings_context = options->context;
    for (size_t i = 0; i < LOG_LAYER_COUNT; i++)
        atomic_store_explicit(&log_levels[i], levels[i], memory_order_relaxed);
    atomic_store_explicit(&log_levels[LOG_LAYER_COUNT], highest, memory_order_relaxed);
    pthread_rwlock_unlock(&settings_lock);
    atomic_store_explicit(&is_configured, true, memory_order_release);
    return 0;
}

int log_configure(const mneme_log_options *options, mneme_error *error) {
    static const mneme_log_options off = {.size = sizeof off};
    AUTO_CONFIGURE pthread_mutex_t *held = &configure_mutex;
    pthread_mutex_lock(held);
    return configure(options ? options : &off, error);
}

static int take_format(const char *name, mneme_log_format *format, mneme_error *error) {
    bool json = name && strcmp(name, "json") == 0;
    if (name && *name && !json && strcmp(name, "logfmt") != 0)
        return error_set(error, MNEME_INVALID,
                         "MNEME_LOG_FORMAT: \"%.40s\" is no format; write logfmt or json", name);
    *format = json ? MNEME_LOG_JSON : MNEME_LOG_LOGFMT;
    return 0;
}

int log_configure_once(mneme_error *error) {
    if (LIKELY(atomic_load_explicit(&is_configured, memory_order_acquire)))
        return 0;
    AUTO_CONFIGURE pthread_mutex_t *held = &configure_mutex;
    pthread_mutex_lock(held);
    if (atomic_load_explicit(&is_configured, memory_order_relaxed))
        return 0;
    const char *spec = getenv("MNEME_LOG");
    mneme_log_options options = {.size = sizeof options, .spec = spec && *spec ? spec : NULL};
    TRY(take_format(getenv("MNEME_LOG_FORMAT"), &options.format, error));
    int status = configure(&options, error);
    return status ? error_prefix(error, status, "MNEME_LOG") : 0;
}
