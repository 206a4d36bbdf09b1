/*
 * log_test.c - mneme_log_set and what the public calls leave in the log.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "support/api_fixture.h"

/* ---- Fixture ------------------------------------------------------------------------------- */

/* All lines that the sink took; background threads log, too. */
static pthread_mutex_t said_mutex = PTHREAD_MUTEX_INITIALIZER;
static char said[1 << 18];
static size_t said_size;

static void take(void *context, mneme_log_level level, const char *line, size_t size) {
    (void)level;
    pthread_mutex_lock(&said_mutex);
    if (context == &said_size && said_size + size + 2 < sizeof said) {
        memcpy(said + said_size, line, size);
        said_size += size;
        memcpy(said + said_size++, "\n", 2);
    }
    pthread_mutex_unlock(&said_mutex);
}

static void log_to_text(const char *spec) {
    const mneme_log_options options = {
        .size = sizeof options, .spec = spec, .sink = take, .context = &said_size};
    mneme_error error;
    OK(mneme_log_set(&options, &error), &error);
    said[said_size = 0] = 0;
}

static int teardown(void **state) {
    mneme_log_set(NULL, NULL);
    return home_teardown(state);
}

/* The line with this in it, NUL-terminated, until the fourth call from now; "": none. */
static const char *line_with(const char *part) {
    static char lines[4][4096];
    static unsigned next;
    char *line = lines[next++ % 4];
    const char *at = strstr(said, part);
    line[0] = 0;
    if (at) {
        while (at > said && at[-1] != '\n')
            at--;
        snprintf(line, sizeof lines[0], "%.*s", (int)strcspn(at, "\n"), at);
    }
    return line;
}

/* The number of the call in a line. */
static const char *op_of(const char *line) {
    static char op[16];
    const char *at = strstr(line, " op=");
    assert_non_null(at);
    snprintf(op, sizeof op, "%.*s", (int)strcspn(at + 4, " "), at + 4);
    return op;
}

/* ---- Settings ------------------------------------------------------------------------------ */

static void log_set__refuses_what_is_wrong_and_keeps_what_was(void **state) {
    (void)state;
    mneme_error error;
    mneme_log_options bad = {.size = 1, .spec = "trace"};
    log_to_text("api=info");
    REFUSED(mneme_log_set(&bad, &error), MNEME_INVALID, &error);
    bad = (mneme_log_options){.size = sizeof bad, .spec = "api=infos"};
    REFUSED(mneme_log_set(&bad, &error), MNEME_INVALID, &error);
    assert_says(&error, "\"infos\"");
    bad = (mneme_log_options){.size = sizeof bad, .spec = "info", .format = (mneme_log_format)5};
    REFUSED(mneme_log_set(&bad, &error), MNEME_INVALID, &error);
    store_close_ok(store_open_quiet("mem:"));
    assert_non_null(strstr(said, "store opened"));
    OK(mneme_log_set(NULL, &error), &error);
    said[said_size = 0] = 0;
    store_close_ok(store_open_quiet("mem:"));
    assert_int_equal(said_size, 0);
}

/* A process that was told wrongly by its environment is told so by mneme_open, until it decides
 * itself. */
static int open_with_bad_environment(void *context) {
    mneme_error error = {0};
    mneme *m = NULL;
    (void)context;
    setenv("MNEME_LOG", "info,net=lots", 1);
    for (int i = 0; i < 2; i++) {
        CHILD_CHECK(mneme_open("mem:", NULL, &m, &error) == MNEME_INVALID, "%s", error.message);
        CHILD_CHECK(!m && strstr(error.message, "MNEME_LOG: \"lots\""), "%s", error.message);
    }
    CHILD_CHECK(mneme_log_set(NULL, &error) == 0, "%s", error.message);
    CHILD_CHECK(mneme_open("mem:", NULL, &m, &error) == 0, "%s", error.message);
    return mneme_close(m, &error) != 0;
}

/* Runs first: afterwards this process has decided. */
static void open__refuses_a_wrong_environment(void **state) {
    (void)state;
    assert_int_equal(child_run(open_with_bad_environment, NULL), 0);
}

/* ---- Calls --------------------------------------------------------------------------------- */

static void calls__are_numbered_through_all_layers(void **state) {
    struct home *home = *state;
    log_to_text("debug");
    mneme *m = store_open_quiet(home->path);
    (void)put_pattern(m, "name c4nary", "description c4nary");
    char open_op[16], put_op[16];
    strcpy(open_op, op_of(line_with("msg=\"store opened\"")));
    assert_string_equal(op_of(line_with("msg=\"file opened\"")), open_op);
    strcpy(put_op, op_of(line_with("code.function.name=mneme_put ")));
    assert_string_equal(op_of(line_with("msg=\"group committed\"")), put_op);
    assert_string_not_equal(open_op, put_op);
    store_close_ok(m);
    assert_null(strstr(said, "c4nary"));
}

static void failures__have_a_code_and_no_sentence(void **state) {
    struct home *home = *state;
    mneme_error error;
    mneme *m = store_open_quiet(home->path);
    mneme_pattern bad = pattern_of("c4nary", "c4nary \xff"); /* no UTF-8 */
    mneme_record record = {.kind = MNEME_PATTERN, .as.pattern = &bad};
    const mneme_record *none;
    mneme_id id;
    OK(mneme_id_make(&id, &error), &error);
    log_to_text("trace,cache=off");
    assert_int_not_equal(mneme_put(m, &record, 1, NULL, NULL, &error), 0);
    const char *line = line_with("msg=\"call failed\"");
    assert_non_null(strstr(line, "level=info layer=api"));
    assert_non_null(strstr(line, " error.type=MNEME_INVALID"));
    REFUSED(mneme_acquire(m, MNEME_PATTERN, &id, &none, &error), MNEME_NOT_FOUND, &error);
    assert_non_null(strstr(said, "code.function.name=mneme_acquire duration_ms="));
    assert_non_null(strstr(said, " error.type=MNEME_NOT_FOUND"));
    assert_null(strstr(said, "c4nary"));
    store_close_ok(m);
}

/* The path that is counted in nanoseconds. */
static void hits__say_nothing(void **state) {
    struct home *home = *state;
    const mneme_record *record;
    mneme_error error;
    mneme_options options = {.size = sizeof options, .no_training = true};
    mneme *m;
    OK(mneme_open(home->path, &options, &m, &error), &error);
    mneme_id id = put_pattern(m, "a", "b");
    for (int i = 0; i < 3; i++) { /* the first may load it */
        log_to_text("trace,cache=off");
        OK(mneme_acquire(m, MNEME_PATTERN, &id, &record, &error), &error);
        mneme_release(m, record);
    }
    assert_string_equal(said, "");
    store_close_ok(m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(open__refuses_a_wrong_environment),
        cmocka_unit_test_setup_teardown(log_set__refuses_what_is_wrong_and_keeps_what_was,
                                        home_setup, teardown),
        cmocka_unit_test_setup_teardown(calls__are_numbered_through_all_layers, home_setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(failures__have_a_code_and_no_sentence, home_setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(hits__say_nothing, home_setup, teardown),
    };
    return cmocka_run_group_tests_name("api/log", tests, NULL, NULL);
}
