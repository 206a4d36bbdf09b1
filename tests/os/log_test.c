/*
 * log_test.c - the log: specs, lines in both formats, sinks, the environment, threads.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/log_impl.h"

/* ---- Fixture ------------------------------------------------------------------------------- */

static const struct log_head head = {.time_us = INT64_C(1795334400000042),
                                     .level = MNEME_LOG_WARN,
                                     .layer = LOG_LAYER_NET,
                                     .message = "will try again",
                                     .pid = 12,
                                     .tid = 34,
                                     .scope = {.op = 37, .req = 5}};

#define FIELDS(...)                                                                                \
    (const struct log_field[]) {                                                                   \
        __VA_ARGS__, { .type = LOG_END }                                                           \
    }

/* The last line that the sink took, and how many there were. */
static char taken[LOG_LINE_MAX];
static size_t taken_count;
static mneme_log_level taken_level;

static void take(void *context, mneme_log_level level, const char *line, size_t size) {
    assert_ptr_equal(context, &taken_count);
    assert_int_equal(strlen(line), size);
    memcpy(taken, line, size + 1);
    taken_level = level;
    taken_count++;
}

static void log_to_sink(const char *spec, mneme_log_format format) {
    mneme_log_options options = {.size = sizeof options,
                                 .spec = spec,
                                 .format = format,
                                 .sink = take,
                                 .context = &taken_count};
    assert_int_equal(log_configure(&options, NULL), 0);
    taken_count = 0;
}

static int log_off(void **state) {
    (void)state;
    log_scope = (struct log_scope){0};
    return log_configure(NULL, NULL);
}

static const char *line_of(mneme_log_format format, const struct log_field *fields) {
    static char text[LOG_LINE_MAX + 1];
    size_t size = log_line_write(format, &head, fields, text);
    assert_int_equal(strlen(text), size);
    assert_true(size > 0 && text[size - 1] == '\n');
    text[size - 1] = 0;
    assert_null(strchr(text, '\n'));
    assert_true(utf8_valid(slice_of(text, size - 1)));
    return text;
}

/* The value of one text as it stands in a line of logfmt. */
static const char *logfmt_value(const void *bytes, size_t size) {
    mneme_text text = {bytes, size};
    const char *line = line_of(MNEME_LOG_LOGFMT, FIELDS(LOG_TEXT("k", text)));
    const char *value = strstr(line, " k=");
    assert_non_null(value);
    return value + 3;
}

/* ---- Specs --------------------------------------------------------------------------------- */

static uint8_t level_in(const char *spec, enum log_layer layer) {
    uint8_t levels[LOG_LAYER_COUNT];
    mneme_error error = {0};
    if (log_spec_parse(spec, levels, &error))
        fail_msg("%s: %s", spec, error.message);
    return levels[layer];
}

static void os_log__a_spec_sets_each_layer(void **state) {
    (void)state;
    assert_int_equal(level_in("warn", LOG_LAYER_BASE), MNEME_LOG_WARN);
    assert_int_equal(level_in("warn", LOG_LAYER_API), MNEME_LOG_WARN);
    assert_int_equal(level_in("off", LOG_LAYER_NET), MNEME_LOG_OFF);
    assert_int_equal(level_in("info,net=debug,sync=trace", LOG_LAYER_NET), MNEME_LOG_DEBUG);
    assert_int_equal(level_in("info,net=debug,sync=trace", LOG_LAYER_SYNC), MNEME_LOG_TRACE);
    assert_int_equal(level_in("info,net=debug,sync=trace", LOG_LAYER_STORE), MNEME_LOG_INFO);
    /* The order does not matter; what is not spoken of is off; blanks are nothing. */
    assert_int_equal(level_in("net=off,error", LOG_LAYER_NET), MNEME_LOG_OFF);
    assert_int_equal(level_in("net=off,error", LOG_LAYER_OS), MNEME_LOG_ERROR);
    assert_int_equal(level_in("cache=info", LOG_LAYER_NET), MNEME_LOG_OFF);
    assert_int_equal(level_in(" warn , net = trace ", LOG_LAYER_NET), MNEME_LOG_TRACE);
}

static void os_log__a_wrong_spec_is_told_with_what_is_allowed(void **state) {
    (void)state;
    static const struct {
        const char *spec, *bad, *allowed;
    } cases[] = {
        {"loud", "\"loud\"", "off, error, warn, info, debug or trace"},
        {"info,net=loud", "\"loud\"", "off, error, warn, info, debug or trace"},
        {"info,nett=debug", "\"nett\"", "base, os, codec, metrics, net, cache, store, model"},
        {"info,net", "\"net\"", "for one layer net=debug"},
        {"", "\"\"", "off, error"},
        {"info,", "\"\"", "off, error"},
        {"info,warn", "\"warn\"", "LAYER=LEVEL"},
        {"net=info,net=info", "\"net\"", "two levels"},
        {"INFO", "\"INFO\"", "info"},
        {"=info", "\"\"", "base, os"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint8_t levels[LOG_LAYER_COUNT] = {77};
        mneme_error error = {0};
        assert_int_equal(log_spec_parse(cases[i].spec, levels, &error), MNEME_INVALID);
        assert_int_equal(levels[0], 77);
        assert_non_null(strstr(error.message, cases[i].bad));
        assert_non_null(strstr(error.message, cases[i].allowed));
    }
}

/* ---- Lines --------------------------------------------------------------------------------- */

static const mneme_id some_id = {{0x01, 0x89, 0x0a, 0x5d, 0xac, 0x96, 0x77, 0x4b, 0xbc, 0xce, 0xb3,
                                  0x02, 0x09, 0x9a, 0x80, 0x57}};

static void os_log__logfmt_has_head_and_typed_fields(void **state) {
    (void)state;
    assert_string_equal(
        line_of(MNEME_LOG_LOGFMT,
                FIELDS(LOG_WHOLE("n", -7), LOG_BOOL("reused", true), LOG_MS("duration_ms", 1234567),
                       LOG_STRING("path", "/v3/pipeline"), LOG_STRING("none", ""),
                       LOG_ID("id", &some_id), LOG_ERROR_TYPE(MNEME_UNAVAILABLE), LOG_ERROR_TYPE(0),
                       LOG_WHOLE_IF("zero", 0), LOG_STRING_IF("null", NULL))),
        "ts=2026-11-22T08:00:00.000042Z level=warn layer=net msg=\"will try again\" pid=12 tid=34 "
        "op=11 req=5 n=-7 reused=true duration_ms=1234.567 path=/v3/pipeline none=\"\" "
        "id=01890a5d-ac96-774b-bcce-b302099a8057 error.type=MNEME_UNAVAILABLE");
}

static void os_log__json_is_one_object(void **state) {
    (void)state;
    assert_string_equal(
        line_of(MNEME_LOG_JSON,
                FIELDS(LOG_WHOLE("n", INT64_MIN), LOG_BOOL("reused", false), LOG_MS("ms", -1),
                       LOG_STRING("text", "a \"b\"\\\n\t\x01"), LOG_STRING("none", NULL))),
        "{\"ts\":\"2026-11-22T08:00:00.000042Z\",\"level\":\"warn\",\"layer\":\"net\","
        "\"msg\":\"will try again\",\"pid\":12,\"tid\":34,\"op\":\"11\",\"req\":\"5\","
        "\"n\":-9223372036854775808,\"reused\":false,\"ms\":-0.001,"
        "\"text\":\"a \\\"b\\\"\\\\\\n\\t\\u0001\",\"none\":\"\"}");
}

static void os_log__logfmt_quotes_what_would_break_it(void **state) {
    (void)state;
#define VALUE(bytes) logfmt_value(bytes, sizeof(bytes) - 1)
    assert_string_equal(VALUE("plain-1.2/x"), "plain-1.2/x");
    assert_string_equal(VALUE(""), "\"\"");
    assert_string_equal(VALUE("a b"), "\"a b\"");
    assert_string_equal(VALUE("a=b"), "\"a=b\"");
    assert_string_equal(VALUE("say \"x\""), "\"say \\\"x\\\"\"");
    assert_string_equal(VALUE("back\\slash"), "\"back\\\\slash\"");
    assert_string_equal(VALUE("two\nlines\r\n"), "\"two\\nlines\\r\\n\"");
    assert_string_equal(VALUE("a\0b"), "\"a\\u0000b\"");
    assert_string_equal(VALUE("\x1b[31mred\x7f"), "\"\\u001b[31mred\\u007f\"");
    assert_string_equal(VALUE("\x1f"), "\"\\u001f\"");
    assert_string_equal(VALUE("gr\xc3\xbc\xc3\x9f"), "\"gr\xc3\xbc\xc3\x9f\"");
    assert_string_equal(VALUE("\xf0\x9f\x90\x8c"), "\"\xf0\x9f\x90\x8c\"");
    assert_string_equal(VALUE("\xc2\x9b"
                              "31m"),
                        "\"\\u009b31m\"");                       /* C1: CSI */
    assert_string_equal(VALUE("a\xe2\x80\xa8"), "\"a\\u2028\""); /* line separator */
    assert_string_equal(VALUE("a\xe2\x80\xae"
                              "b"),
                        "\"a\\u202eb\""); /* right to left */
    assert_string_equal(VALUE("\xff"
                              "a"),
                        "\"\xef\xbf\xbd"
                        "a\"");                                               /* no UTF-8 */
    assert_string_equal(VALUE("a\xe2\x82"), "\"a\xef\xbf\xbd\xef\xbf\xbd\""); /* cut off */
    assert_string_equal(VALUE("\xed\xa0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
}

/* Quotes and braces are closed. */
static bool is_closed(const char *line) {
    int depth = 0;
    bool quoted = false;
    for (const char *p = line; *p; p++) {
        if (quoted && *p == '\\')
            p++;
        else if (*p == '"')
            quoted = !quoted;
        else if (!quoted)
            depth += *p == '{' ? 1 : *p == '}' ? -1 : 0;
    }
    return !quoted && depth == 0 && line[0] == '{';
}

static void os_log__long_values_are_cut_where_one_sees_it(void **state) {
    (void)state;
    char text[3000];
    memset(text, 'x', sizeof text);
    const char *value = logfmt_value(text, sizeof text);
    assert_int_equal(strlen(value), 1024 + 3 + 2);
    assert_string_equal(value + 1024 + 1, "\xe2\x80\xa6\"");
    /* … never within a character. */
    for (size_t i = 0; i + 1 < sizeof text; i += 2)
        memcpy(text + i, "\xc3\xbc", 2);
    memmove(text + 1, text, sizeof text - 1);
    text[0] = 'x';
    value = logfmt_value(text, sizeof text);
    assert_non_null(strstr(value, "\xc3\xbc\xe2\x80\xa6\""));
}

static void os_log__a_line_without_room_leaves_whole_fields_out_and_says_so(void **state) {
    (void)state;
    char text[1024], controls[1000];
    memset(text, 'x', sizeof text);
    memset(controls, 1, sizeof controls); /* each takes six bytes: more than a line */
    mneme_text plain = {text, sizeof text}, wide = {controls, sizeof controls};
    for (int format = 0; format <= MNEME_LOG_JSON; format++) {
        const char *line =
            line_of((mneme_log_format)format,
                    FIELDS(LOG_TEXT("wide", wide), LOG_TEXT("a", plain), LOG_TEXT("b", plain),
                           LOG_TEXT("c", plain), LOG_TEXT("d", plain), LOG_WHOLE("last", 1)));
        assert_true(strlen(line) < LOG_LINE_MAX);
        assert_null(strstr(line, "wide"));
        assert_null(strstr(line, "\\u0001"));
        assert_non_null(strstr(line, format ? "\"c\":" : " c="));
        assert_null(strstr(line, format ? "\"d\":" : " d="));
        assert_non_null(
            strstr(line, format ? "\"last\":1,\"truncated\":true}" : " last=1 truncated=true"));
        assert_true(!format || is_closed(line));
    }
}

static void os_log__numbers_of_scopes_are_base_36(void **state) {
    (void)state;
    char text[LOG_NUMBER_SIZE];
    log_number_text(35, text);
    assert_string_equal(text, "z");
    log_number_text(36 * 36, text);
    assert_string_equal(text, "100");
    log_number_text(UINT64_MAX, text);
    assert_string_equal(text, "3w5e11264sgsf");
}

/* ---- Levels, sinks ------------------------------------------------------------------------- */

static int evaluated;
static int count_evaluation(void) { return ++evaluated; }

static void os_log__what_is_off_evaluates_nothing(void **state) {
    (void)state;
    log_to_sink("info,net=warn", MNEME_LOG_LOGFMT);
    evaluated = 0;
    LOG(INFO, NET, "too fine", LOG_WHOLE("n", count_evaluation()));
    LOG(DEBUG, STORE, "too fine", LOG_WHOLE("n", count_evaluation()));
    assert_int_equal(evaluated + (int)taken_count, 0);
    LOG(WARN, NET, "told", LOG_WHOLE("n", count_evaluation()));
    LOG(INFO, STORE, "told", LOG_WHOLE("n", count_evaluation()));
    assert_int_equal(evaluated, 2);
    assert_int_equal(taken_count, 2);
    assert_int_equal(taken_level, MNEME_LOG_INFO);
    assert_non_null(strstr(taken, "level=info layer=store msg=told"));
    assert_null(strchr(taken, '\n'));
    log_off(NULL);
    assert_false(log_is_on_anywhere());
    LOG(ERROR, NET, "nobody", LOG_WHOLE("n", count_evaluation()));
    assert_int_equal(evaluated, 2);
}

static void os_log__bad_options_leave_what_was_in_force(void **state) {
    (void)state;
    mneme_error error = {0};
    log_to_sink("warn", MNEME_LOG_JSON);
    mneme_log_options bad[] = {{.size = 3, .spec = "trace"},
                               {.size = sizeof bad[0], .spec = "trace,x=1"},
                               {.size = sizeof bad[0], .spec = "trace", .format = 9}};
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(log_configure(&bad[i], &error), MNEME_INVALID);
    assert_false(log_is_on(LOG_LAYER_NET, MNEME_LOG_INFO));
    LOG(WARN, NET, "still", LOG_WHOLE("n", 1));
    assert_int_equal(taken_count, 1);
    assert_int_equal(taken[0], '{');
}

static void os_log__scopes_stand_in_lines_and_errno_stays(void **state) {
    (void)state;
    log_to_sink("trace", MNEME_LOG_LOGFMT);
    LOG(INFO, API, "outside", LOG_WHOLE("n", 1));
    assert_null(strstr(taken, " op="));
    log_scope.op = log_next_op();
    uint64_t before = log_req_begin();
    assert_int_equal(before, 0);
    errno = ENOSPC;
    LOG(INFO, API, "inside", LOG_WHOLE("n", 1));
    assert_int_equal(errno, ENOSPC);
    assert_non_null(strstr(taken, " op="));
    assert_non_null(strstr(taken, " req="));
    log_req_end(before);
    LOG(INFO, API, "between", LOG_WHOLE("n", 1));
    assert_null(strstr(taken, " req="));
}

/* ---- The environment ----------------------------------------------------------------------- */

/* In a child, for a process looks once: the status of each look, and the error of the first. */
static void look_in_child(const char *spec, const char *format, int expect, const char *text) {
    int ends[2];
    mneme_error error = {0};
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        setenv("MNEME_LOG", spec, 1);
        setenv("MNEME_LOG_FORMAT", format, 1);
        dup2(ends[1], STDERR_FILENO);
        int status = log_configure_once(&error);
        bool good = status == expect;
        if (status)
            dprintf(STDERR_FILENO, "%s", error.message);
        LOG(INFO, NET, "hello", LOG_WHOLE("n", 1));
        _exit(good ? 0 : 1);
    }
    close(ends[1]);
    char said[LOG_LINE_MAX + 1];
    ssize_t size = read(ends[0], said, sizeof said - 1);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    close(ends[0]);
    said[size < 0 ? 0 : size] = 0;
    if (!text)
        assert_string_equal(said, "");
    else if (!strstr(said, text))
        fail_msg("%s not in: %s", text, said);
}

/* Runs first: log_configure would be told from the environment's part. */
static void os_log__the_environment_is_looked_at_once(void **state) {
    (void)state;
    look_in_child("", "", 0, NULL);
    look_in_child("off", "json", 0, NULL);
    look_in_child("warn", "", 0, NULL);
    look_in_child("warn,net=info", "", 0, "level=info layer=net msg=hello");
    look_in_child("info", "json", 0, "\"msg\":\"hello\"");
    look_in_child("info", "xml", MNEME_INVALID, "MNEME_LOG_FORMAT: \"xml\"");
    look_in_child("lots", "", MNEME_INVALID, "MNEME_LOG: \"lots\"");
    assert_int_equal(log_configure(NULL, NULL), 0);
    look_in_child("trace", "nonsense", 0, NULL); /* the call was first */
}

/* The next file that is opened would be written to. */
static void os_log__does_not_write_where_standard_error_is_not(void **state) {
    (void)state;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        mneme_log_options options = {.size = sizeof options, .spec = "info"};
        close(STDERR_FILENO);
        bool refused = log_configure(&options, NULL) == MNEME_INVALID;
        options.sink = take;
        _exit(refused && log_configure(&options, NULL) == 0 ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

/* ---- Threads ------------------------------------------------------------------------------- */

enum { THREADS = 8, LINES = 400 };

static void *write_lines(void *argument) {
    char text[600];
    memset(text, 'a' + *(const int *)argument, sizeof text);
    mneme_text value = {text, sizeof text};
    for (int i = 0; i < LINES; i++)
        LOG(INFO, STORE, "many", LOG_WHOLE("thread", *(const int *)argument),
            LOG_TEXT("text", value), LOG_WHOLE("end", i));
    return NULL;
}

static int stderr_to_file(char *path) {
    int fd = mkstemp(path), saved = dup(STDERR_FILENO);
    assert_true(fd >= 0 && saved >= 0);
    dup2(fd, STDERR_FILENO);
    close(fd);
    return saved;
}

static void check_line(char *line, int *next) {
    char *text = strstr(line, "thread=");
    assert_non_null(text);
    int thread = atoi(text + 7);
    assert_in_range(thread, 0, THREADS - 1);
    assert_int_equal(strncmp(line, "ts=", 3), 0);
    text = strstr(text, "text=");
    assert_non_null(text);
    size_t same = strspn(text + 5, (char[]){(char)('a' + thread), 0});
    assert_int_equal(same, 600);
    int end = -1;
    assert_int_equal(sscanf(text + 5 + same, " end=%d\n", &end), 1);
    assert_int_equal(end, next[thread]++);
}

static void os_log__lines_of_eight_threads_are_whole(void **state) {
    (void)state;
    char path[] = "/tmp/mneme-log-XXXXXX", line[LOG_LINE_MAX + 1];
    pthread_t threads[THREADS];
    int numbers[THREADS], next[THREADS] = {0};
    mneme_log_options options = {.size = sizeof options, .spec = "info"};
    int saved = stderr_to_file(path);
    assert_int_equal(log_configure(&options, NULL), 0);
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        assert_int_equal(thread_start(&threads[i], write_lines, &numbers[i], NULL), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    dup2(saved, STDERR_FILENO);
    close(saved);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    unlink(path);
    size_t count = 0;
    for (; fgets(line, sizeof line, file); count++)
        check_line(line, next);
    fclose(file);
    assert_int_equal(count, THREADS * LINES);
}

static void take_slowly(void *context, mneme_log_level level, const char *line, size_t size) {
    atomic_int *inside = context;
    (void)level, (void)line, (void)size;
    atomic_fetch_add(inside, 1);
    usleep(100);
    atomic_fetch_sub(inside, 1);
}

static void os_log__after_a_change_nobody_is_in_the_old_sink(void **state) {
    (void)state;
    pthread_t threads[2];
    int number = 0;
    atomic_int inside;
    atomic_init(&inside, 0);
    mneme_log_options options = {
        .size = sizeof options, .spec = "info", .sink = take_slowly, .context = &inside};
    assert_int_equal(log_configure(&options, NULL), 0);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        assert_int_equal(thread_start(&threads[i], write_lines, &number, NULL), 0);
    usleep(5000);
    assert_int_equal(log_configure(NULL, NULL), 0);
    assert_int_equal(atomic_load(&inside), 0);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        pthread_join(threads[i], NULL);
}

/* A pipe that is full and does not block takes nothing: the next line that gets out says how many
 * did not. */
static void os_log__lines_that_got_lost_are_counted(void **state) {
    (void)state;
    int ends[2], saved = dup(STDERR_FILENO);
    char text[1000], all[1 << 17];
    memset(text, 'x', sizeof text);
    mneme_text value = {text, sizeof text};
    mneme_log_options options = {.size = sizeof options, .spec = "info"};
    assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
    dup2(ends[1], STDERR_FILENO);
    assert_int_equal(log_configure(&options, NULL), 0);
    for (int i = 0; i < 200; i++)
        LOG(INFO, OS, "fill", LOG_TEXT("x", value));
    ssize_t size = read(ends[0], all, sizeof all - 1);
    LOG(INFO, OS, "again", LOG_WHOLE("n", 1));
    ssize_t more = read(ends[0], text, sizeof text - 1);
    dup2(saved, STDERR_FILENO);
    close(saved), close(ends[0]), close(ends[1]);
    assert_true(size > 0 && more > 0);
    all[size] = text[more] = 0;
    int lines = 0;
    for (const char *p = all; (p = strchr(p, '\n')); p++)
        lines++;
    assert_true(lines > 0 && lines < 200);
    const char *dropped = strstr(text, " dropped=");
    assert_non_null(dropped);
    assert_int_equal(atoi(dropped + 9), 200 - lines);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(os_log__the_environment_is_looked_at_once, log_off),
        cmocka_unit_test(os_log__a_spec_sets_each_layer),
        cmocka_unit_test(os_log__a_wrong_spec_is_told_with_what_is_allowed),
        cmocka_unit_test(os_log__logfmt_has_head_and_typed_fields),
        cmocka_unit_test(os_log__json_is_one_object),
        cmocka_unit_test(os_log__logfmt_quotes_what_would_break_it),
        cmocka_unit_test(os_log__long_values_are_cut_where_one_sees_it),
        cmocka_unit_test(os_log__a_line_without_room_leaves_whole_fields_out_and_says_so),
        cmocka_unit_test(os_log__numbers_of_scopes_are_base_36),
        cmocka_unit_test_teardown(os_log__what_is_off_evaluates_nothing, log_off),
        cmocka_unit_test_teardown(os_log__bad_options_leave_what_was_in_force, log_off),
        cmocka_unit_test_teardown(os_log__scopes_stand_in_lines_and_errno_stays, log_off),
        cmocka_unit_test(os_log__does_not_write_where_standard_error_is_not),
        cmocka_unit_test_teardown(os_log__lines_of_eight_threads_are_whole, log_off),
        cmocka_unit_test_teardown(os_log__after_a_change_nobody_is_in_the_old_sink, log_off),
        cmocka_unit_test_teardown(os_log__lines_that_got_lost_are_counted, log_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
