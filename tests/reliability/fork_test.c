/*
 * fork_test.c - a process that forks while its other threads are busy in the library.
 *
 * Left out of builds with a sanitizer: their allocators hold locks of their own over a fork.
 */
#include <pthread.h>
#include <stdlib.h>

#include "support/api_fixture.h"

/* A fork while other threads write and open must not leave the child with a lock that is held. */
struct busy {
    struct home *home;
    mneme *m;
    _Atomic bool stop;
};

static void *keep_busy(void *context) {
    struct busy *busy = context;
    mneme_options options = quiet_options();
    for (unsigned n = 0; !busy->stop; n++) {
        mneme_error error;
        mneme_pattern pattern = pattern_of("busy", "writing");
        mneme_record put = {.kind = MNEME_PATTERN, .as.pattern = &pattern};
        mneme_id id;
        mneme *second = NULL;
        if (mneme_put(busy->m, &put, 1, NULL, &id, &error) || mneme_id_make(&id, &error) ||
            mneme_open(busy->home->path, &options, &second, &error) ||
            mneme_close(second, &error)) {
            fprintf(stderr, "%s\n", error.message);
            abort();
        }
    }
    return NULL;
}

static int open_and_write(void *context) {
    struct busy *busy = context;
    mneme_error error;
    mneme_options options = quiet_options();
    mneme *own = NULL;
    mneme_pattern pattern = pattern_of("child", "writing");
    mneme_record put = {.kind = MNEME_PATTERN, .as.pattern = &pattern};
    int status = mneme_open(busy->home->path, &options, &own, &error);
    CHILD_CHECK(status == 0, "%s", error.message);
    status = mneme_put(own, &put, 1, NULL, NULL, &error);
    CHILD_CHECK(status == 0, "%s", error.message);
    return mneme_close(own, &error) == 0 ? 0 : 1;
}

static void fork_of_a_busy_process__child_and_verify_find_no_lock_held(void **state) {
    struct home *home = *state;
    struct busy busy = {.home = home, .m = store_open_quiet(home->path)};
    pthread_t threads[2];
    mneme_error error = {0};
    int child = 0, verified = 0;
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, keep_busy, &busy), 0);
    for (unsigned n = 0; n < 20 && child == 0 && verified == 0; n++) {
        child = child_run(open_and_write, &busy);
        verified = mneme_verify(home->path, NULL, NULL, NULL, &error); /* it forks too */
    }
    busy.stop = true;
    for (size_t i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(child, 0);
    OK(verified, &error);
    store_close_ok(busy.m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(fork_of_a_busy_process__child_and_verify_find_no_lock_held,
                                        home_setup, home_teardown),
    };
    return cmocka_run_group_tests_name("reliability/fork", tests, NULL, NULL);
}
