/*
 * breaker_test.c - the states of the circuit breaker, and what counts for them.
 */
#include "net_fixture.h"

#include "net/breaker.h"

enum { OPEN_US = 500000, OPEN_MAX_US = 1500000 };

static struct net_breaker breaker_make(void) {
    return (struct net_breaker){.failures_max = 3, .open_us = OPEN_US, .open_max_us = OPEN_MAX_US};
}

static void attempt(struct net_breaker *b, int64_t now_us, enum net_pass_end end) {
    uint64_t pass;
    assert_true(net_breaker_ask(b, now_us, &pass));
    net_breaker_end(b, pass, end, now_us, 0.999999999);
}

static void breaker__opens_after_failures_in_a_row(void **state) {
    (void)state;
    struct net_breaker b = breaker_make();
    uint64_t pass;
    for (int i = 0; i < 5; i++) {
        attempt(&b, 0, NET_PASS_FAILURE);
        attempt(&b, 0, NET_PASS_FAILURE);
        attempt(&b, 0, NET_PASS_UNUSED); /* tells nothing */
        attempt(&b, 0, NET_PASS_SUCCESS);
    }
    assert_int_equal(b.state, NET_BREAKER_CLOSED);
    for (int i = 0; i < 3; i++)
        attempt(&b, 0, NET_PASS_FAILURE);
    assert_int_equal(b.state, NET_BREAKER_OPEN);
    assert_int_equal(b.opened, 1);
    assert_false(net_breaker_ask(&b, OPEN_US / 2, &pass));
    assert_int_equal(b.refused, 1);
}

static void breaker__lets_one_through_and_closes(void **state) {
    (void)state;
    struct net_breaker b = breaker_make();
    uint64_t pass, second;
    for (int i = 0; i < 3; i++)
        attempt(&b, 0, NET_PASS_FAILURE);
    assert_false(net_breaker_ask(&b, b.next_try_us - 1, &pass));
    assert_true(net_breaker_ask(&b, b.next_try_us, &pass));
    assert_int_equal(b.state, NET_BREAKER_HALF_OPEN);
    assert_int_equal(b.half_opened, 1);
    assert_false(net_breaker_ask(&b, b.next_try_us + OPEN_MAX_US, &second));
    net_breaker_end(&b, pass, NET_PASS_SUCCESS, OPEN_US, 0);
    assert_int_equal(b.state, NET_BREAKER_CLOSED);
    assert_int_equal(b.closed, 1);
    assert_int_equal(b.refused, 2);
    attempt(&b, OPEN_US, NET_PASS_FAILURE);
    attempt(&b, OPEN_US, NET_PASS_FAILURE);
    assert_int_equal(b.state, NET_BREAKER_CLOSED); /* it counts from the beginning */
}

static void breaker__stays_open_for_twice_as_long_each_time(void **state) {
    (void)state;
    struct net_breaker b = breaker_make();
    static const int64_t times[] = {OPEN_US, 2 * OPEN_US, OPEN_MAX_US, OPEN_MAX_US};
    int64_t now_us = 0;
    for (int i = 0; i < 2; i++)
        attempt(&b, now_us, NET_PASS_FAILURE);
    for (size_t i = 0; i < COUNT_OF(times); i++) {
        attempt(&b, now_us, NET_PASS_FAILURE);
        assert_int_equal(b.state, NET_BREAKER_OPEN);
        assert_in_range(b.next_try_us - now_us, times[i] - 2, times[i]);
        now_us = b.next_try_us;
    }
    attempt(&b, now_us, NET_PASS_SUCCESS);
    for (int i = 0; i < 3; i++)
        attempt(&b, now_us, NET_PASS_FAILURE);
    assert_in_range(b.next_try_us - now_us, OPEN_US - 2, OPEN_US); /* from the beginning again */
    assert_int_equal(b.opened, 5);
}

static void breaker__places_its_next_try_by_chance(void **state) {
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct net_breaker b = breaker_make();
        uint64_t pass;
        b.failures_max = 1;
        assert_true(net_breaker_ask(&b, 0, &pass));
        net_breaker_end(&b, pass, NET_PASS_FAILURE, 0, i ? 0.5 : 0);
        assert_int_equal(b.next_try_us, i ? OPEN_US * 3 / 4 : OPEN_US / 2);
    }
}

static void breaker__takes_a_pass_back_that_was_not_used(void **state) {
    (void)state;
    struct net_breaker b = breaker_make();
    for (int i = 0; i < 3; i++)
        attempt(&b, 0, NET_PASS_FAILURE);
    attempt(&b, OPEN_US, NET_PASS_UNUSED);
    assert_int_equal(b.state, NET_BREAKER_OPEN);
    attempt(&b, OPEN_US, NET_PASS_SUCCESS); /* the next one goes at once */
    assert_int_equal(b.state, NET_BREAKER_CLOSED);
}

static void breaker__ignores_stragglers(void **state) {
    (void)state;
    struct net_breaker b = breaker_make();
    uint64_t late[2], probe;
    assert_true(net_breaker_ask(&b, 0, &late[0]) && net_breaker_ask(&b, 0, &late[1]));
    for (int i = 0; i < 3; i++)
        attempt(&b, 0, NET_PASS_FAILURE);
    net_breaker_end(&b, late[0], NET_PASS_SUCCESS, 1, 0);
    assert_int_equal(b.state, NET_BREAKER_OPEN);
    assert_true(net_breaker_ask(&b, OPEN_US, &probe));
    net_breaker_end(&b, late[1], NET_PASS_FAILURE, OPEN_US, 0);
    assert_int_equal(b.state, NET_BREAKER_HALF_OPEN);
    net_breaker_end(&b, probe, NET_PASS_SUCCESS, OPEN_US, 0);
    assert_int_equal(b.state, NET_BREAKER_CLOSED);
}

/* ---- In the client -------------------------------------------------------------------------- */

static const struct net_options breaking = {
    .attempts_max = 1, .breaker_failures = 2, .breaker_open_ms = 500, .breaker_open_max_ms = 1000};

static void client__fails_at_once_while_its_breaker_is_open(void **state) {
    (void)state;
    FAKE_SCENE(s, &breaking, {.http = 500}, {.http = 0}, {.http = 0}, {.http = 404});
    REFUSED(fake_scene_call(&s, &get_request), MNEME_UNAVAILABLE, &s.error);
    REFUSED(fake_scene_call(&s, &get_request), MNEME_UNAVAILABLE, &s.error);
    struct net_request request = post_of("{}");
    request.writes = true;
    REFUSED(fake_scene_call(&s, &request), MNEME_UNAVAILABLE, &s.error);
    assert_says(&s.error, "due in 375 ms");
    assert_says(&s.error, "the script says so");
    assert_int_equal(s.response.attempts, 0);
    assert_false(s.response.sent);
    assert_int_equal(net_client_counters(s.client).breaker, NET_BREAKER_OPEN);
    net_fake_advance(s.fake, 375000);
    REFUSED(fake_scene_call(&s, &get_request), MNEME_UNAVAILABLE, &s.error); /* the third answer */
    assert_int_equal(s.response.attempts, 1);
    net_fake_advance(s.fake, 750000);
    REFUSED(fake_scene_call(&s, &get_request), MNEME_NOT_FOUND, &s.error); /* an answer is one */
    struct net_counters c = net_client_counters(s.client);
    assert_int_equal(c.breaker, NET_BREAKER_CLOSED);
    assert_int_equal(c.breaker_opened, 2);
    assert_int_equal(c.breaker_half_opened, 2);
    assert_int_equal(c.breaker_closed, 1);
    assert_int_equal(c.breaker_refused, 1);
    assert_int_equal(c.attempts, 4);
    assert_int_equal(c.calls, 5);
    assert_int_equal(c.failures, 5);
}

/* Each of these, often: does the breaker open? */
static void client__tells_its_breaker_what_failed(void **state) {
    (void)state;
    static const struct {
        struct net_fake_answer answer;
        bool opens;
    } cases[] = {
        {{.http = 200}, false},
        {{.http = 400}, false},
        {{.http = 401}, false},
        {{.http = 429}, false},
        {{.http = 307}, false},
        {{.http = 500}, true},
        {{.http = 501}, true},
        {{.http = 503}, true},
        {{.http = 0}, true},
        {{.sent = true}, true},
        {{.hopeless = true}, true},
        {{.failure = MNEME_TOO_LARGE}, false},
        {{.failure = MNEME_INVALID}, false},
        {{.failure = MNEME_NO_MEMORY}, false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        FAKE_SCENE(s, &breaking, cases[i].answer);
        for (int k = 0; k < 4; k++)
            (void)fake_scene_call(&s, &get_request);
        if ((net_client_counters(s.client).breaker == NET_BREAKER_OPEN) != cases[i].opens)
            fail_msg("case %zu", i);
    }
}

/* A retry that the breaker would refuse is not waited for. */
static void client__ends_its_retries_when_the_breaker_opens(void **state) {
    (void)state;
    struct net_options options = breaking;
    options.attempts_max = 5;
    options.breaker_failures = 3;
    FAKE_SCENE(s, &options, {.http = 0});
    struct net_fake_seen seen;
    REFUSED(fake_scene_call(&s, &get_request), MNEME_UNAVAILABLE, &s.error);
    assert_says(&s.error, "attempt 3");
    assert_says(&s.error, "the script says so");
    net_fake_seen(s.fake, &seen);
    assert_int_equal(seen.attempts, 3);
    assert_int_equal(seen.pauses, 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(breaker__opens_after_failures_in_a_row),
        cmocka_unit_test(breaker__lets_one_through_and_closes),
        cmocka_unit_test(breaker__stays_open_for_twice_as_long_each_time),
        cmocka_unit_test(breaker__places_its_next_try_by_chance),
        cmocka_unit_test(breaker__takes_a_pass_back_that_was_not_used),
        cmocka_unit_test(breaker__ignores_stragglers),
        cmocka_unit_test(client__fails_at_once_while_its_breaker_is_open),
        cmocka_unit_test(client__tells_its_breaker_what_failed),
        cmocka_unit_test(client__ends_its_retries_when_the_breaker_opens),
    };
    return cmocka_run_group_tests_name("net/breaker", tests, NULL, NULL);
}
