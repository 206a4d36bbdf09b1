/*
 * client_test.c - calls over the scripted transport: what is tried again, when, what is returned,
 * and what is counted.
 */
#include "net_fixture.h"

#include "net/retry.h"

/* ---- Pauses and budget ---------------------------------------------------------------------- */

static void retry_pause__doubles_up_to_its_cap(void **state) {
    (void)state;
    static const int64_t half_ms[] = {25, 50, 100, 200, 400, 800, 1600, 2500, 2500};
    for (uint32_t i = 0; i < COUNT_OF(half_ms); i++)
        assert_int_equal(net_retry_pause_us(50, 5000, i + 1, -1, 0.5), half_ms[i] * 1000);
    assert_int_equal(net_retry_pause_us(50, 5000, 3, -1, 0), 0);
    assert_int_equal(net_retry_pause_us(50, 5000, UINT32_MAX, -1, 0.5), 2500000);
    assert_int_equal(net_retry_pause_us(5000, 50, 1, -1, 0.5), 25000);
    assert_int_equal(net_retry_pause_us(UINT32_MAX, UINT32_MAX, 9, -1, 0.5),
                     INT64_C(2147483647500));
}

static void retry_pause__is_at_least_what_the_server_says(void **state) {
    (void)state;
    assert_int_equal(net_retry_pause_us(50, 5000, 1, 3000, 0.5), 3000000);
    assert_int_equal(net_retry_pause_us(50, 5000, 1, 0, 0.5), 25000);
    assert_int_equal(net_retry_pause_us(4000, 5000, 1, 1000, 0.5), 2000000);
}

static void budget__holds_retries_to_a_fraction(void **state) {
    (void)state;
    struct net_budget b;
    net_budget_init(&b, 0.2, 3);
    for (int i = 0; i < 3; i++)
        assert_true(net_budget_spend(&b));
    assert_false(net_budget_spend(&b));
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < 5; i++) {
            assert_false(net_budget_spend(&b));
            net_budget_earn(&b);
        }
        assert_true(net_budget_spend(&b));
    }
    for (int i = 0; i < 1000; i++)
        net_budget_earn(&b);
    for (int i = 0; i < 3; i++)
        assert_true(net_budget_spend(&b));
    assert_false(net_budget_spend(&b));
}

/* ---- The table: one attempt that ends so, and then a good one -------------------------------- */

/* Whether it is tried again: never, always, or when the request is idempotent. */
enum again { NEVER, IDEMPOTENT, ALWAYS };

struct retry_row {
    struct net_fake_answer answer;
    enum again again;
    int read_status, write_status; /* of a request that is not idempotent, when not tried again */
};

static const struct retry_row retry_rows[] = {
    {{.http = 0}, ALWAYS, MNEME_UNAVAILABLE, MNEME_UNAVAILABLE}, /* refused, DNS, TLS handshake */
    {{.hopeless = true}, NEVER, MNEME_UNAVAILABLE, MNEME_UNAVAILABLE}, /* certificate */
    {{.sent = true}, IDEMPOTENT, MNEME_UNAVAILABLE, MNEME_UNCERTAIN},  /* reset, timeout, cut */
    {{.failure = MNEME_TOO_LARGE, .sent = true}, NEVER, MNEME_TOO_LARGE, MNEME_TOO_LARGE},
    {{.failure = MNEME_INVALID}, NEVER, MNEME_INVALID, MNEME_INVALID},
    {{.failure = MNEME_NO_MEMORY}, NEVER, MNEME_NO_MEMORY, MNEME_NO_MEMORY},
    {{.failure = MNEME_NO_MEMORY, .sent = true}, IDEMPOTENT, MNEME_NO_MEMORY, MNEME_UNCERTAIN},
    {{.http = 429}, ALWAYS, MNEME_UNAVAILABLE, MNEME_UNAVAILABLE},
    {{.http = 408}, IDEMPOTENT, MNEME_FAILURE, MNEME_UNCERTAIN},
    {{.http = 500}, IDEMPOTENT, MNEME_UNAVAILABLE, MNEME_UNCERTAIN},
    {{.http = 502}, IDEMPOTENT, MNEME_UNAVAILABLE, MNEME_UNCERTAIN},
    {{.http = 503}, IDEMPOTENT, MNEME_UNAVAILABLE, MNEME_UNCERTAIN},
    {{.http = 504}, IDEMPOTENT, MNEME_UNAVAILABLE, MNEME_UNCERTAIN},
    {{.http = 400}, NEVER, MNEME_FAILURE, MNEME_FAILURE},
    {{.http = 401}, NEVER, MNEME_UNAUTHORIZED, MNEME_UNAUTHORIZED},
    {{.http = 403}, NEVER, MNEME_UNAUTHORIZED, MNEME_UNAUTHORIZED},
    {{.http = 404}, NEVER, MNEME_NOT_FOUND, MNEME_NOT_FOUND},
    {{.http = 413}, NEVER, MNEME_TOO_LARGE, MNEME_TOO_LARGE},
    {{.http = 302}, NEVER, MNEME_FAILURE, MNEME_FAILURE},
    {{.http = 501}, NEVER, MNEME_UNAVAILABLE, MNEME_UNAVAILABLE},
};

static void check_row(const struct retry_row *row, bool idempotent, bool writes) {
    FAKE_SCENE(s, &(struct net_options){.cap_ms = 10}, row->answer, {.http = 200, .body = "good"});
    struct net_request request = post_of("{}");
    request.idempotent = idempotent;
    request.writes = writes;
    bool again = row->again == ALWAYS || (row->again == IDEMPOTENT && idempotent);
    int expected = again ? 0 : writes ? row->write_status : row->read_status;
    s.error.code = 0;
    int status = fake_scene_call(&s, &request);
    if (status != expected || s.error.code != expected || s.response.attempts != 1U + again)
        fail_msg("row %td, idempotent %d, writes %d: %d after %u attempts: %s", row - retry_rows,
                 idempotent, writes, status, s.response.attempts, s.error.message);
    if (again)
        assert_body(&s.response, "good");
    else
        assert_says(&s.error, "http://localhost:8080: ");
    assert_int_equal(s.response.status, again ? 200 : row->answer.http);
    assert_int_equal(net_client_counters(s.client).retries, again);
    assert_int_equal(net_client_counters(s.client).failures, !again);
}

static void client__retries_by_the_table(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(retry_rows); i++)
        for (int flags = 0; flags < 4; flags++)
            check_row(&retry_rows[i], flags & 1, flags & 2);
}

/* Once an attempt was sent and not answered, only an answer takes the doubt away. */
static void client__stays_uncertain_whatever_comes_after(void **state) {
    (void)state;
    static const struct net_fake_answer later[] = {
        {.http = 0}, {.http = 429}, {.http = 401}, {.sent = true}, {.hopeless = true}};
    for (size_t i = 0; i < COUNT_OF(later); i++) {
        const struct net_options options = {.attempts_max = 2, .base_ms = 1};
        FAKE_SCENE(s, &options, {.sent = true}, later[i]);
        struct net_request request = post_of("{}");
        request.idempotent = request.writes = true;
        REFUSED(fake_scene_call(&s, &request), MNEME_UNCERTAIN, &s.error);
        assert_true(s.response.sent);
        assert_int_equal(s.response.attempts, 2);
    }
}

/* ---- Pauses, budget and time of calls -------------------------------------------------------- */

static void client__pauses_between_attempts(void **state) {
    (void)state;
    struct net_fake_seen seen;
    const struct net_options options = {.attempts_max = 4, .base_ms = 100, .cap_ms = 300};
    FAKE_SCENE(s, &options, {.http = 0}, {.http = 429, .retry_after_ms = 700}, {.http = 0},
               {.http = 0});
    REFUSED(fake_scene_call(&s, &get_request), MNEME_UNAVAILABLE, &s.error);
    assert_says(&s.error, "attempt 4");
    net_fake_seen(s.fake, &seen);
    assert_int_equal(seen.pauses, 3);
    assert_int_equal(seen.pause_us[0], 50000);
    assert_int_equal(seen.pause_us[1], 700000);
    assert_int_equal(seen.pause_us[2], 150000);
}

static void client__goes_on_at_once_from_a_stale_connection(void **state) {
    (void)state;
    struct net_fake_seen seen;
    FAKE_SCENE(s, &(struct net_options){.base_ms = 100}, {.http = 200}, {.sent = true},
               {.http = 200});
    struct net_request request = post_of("{}");
    request.idempotent = request.writes = true;
    OK(fake_scene_call(&s, &request), &s.error);
    OK(fake_scene_call(&s, &request), &s.error);
    net_fake_seen(s.fake, &seen);
    assert_int_equal(seen.attempts, 3);
    assert_int_equal(seen.pauses, 0);
    assert_int_equal(seen.connects, 2);
}

static void client__retries_no_more_than_its_budget(void **state) {
    (void)state;
    const struct net_options options = {
        .attempts_max = 2, .budget_max = 2, .budget_ratio = 0.5, .breaker_failures = 1000};
    FAKE_SCENE(s, &options, {.http = 0});
    static const uint32_t attempts[] = {2, 2, 2, 1, 2, 1, 2};
    unsigned refused = 0;
    for (size_t i = 0; i < COUNT_OF(attempts); i++) {
        (void)fake_scene_call(&s, &get_request);
        assert_int_equal(s.response.attempts, attempts[i]);
        refused += attempts[i] == 1;
    }
    assert_int_equal(net_client_counters(s.client).retries_refused, refused);
    assert_int_equal(net_client_counters(s.client).retries, COUNT_OF(attempts) - refused);
}

static void client__takes_the_attempts_of_a_request(void **state) {
    (void)state;
    FAKE_SCENE(s, &(struct net_options){.attempts_max = 3}, {.http = 0});
    struct net_request request = get_request;
    request.attempts_max = 1;
    (void)fake_scene_call(&s, &request);
    assert_int_equal(s.response.attempts, 1);
    request.attempts_max = 4;
    (void)fake_scene_call(&s, &request);
    assert_int_equal(s.response.attempts, 4);
}

/* Delays and pauses of all sizes: by the clock, no call is longer than its time. */
static void client__never_exceeds_its_time(void **state) {
    (void)state;
    static const uint32_t totals[] = {1, 10, 99, 100, 101, 250, 1000, 30000};
    static const int64_t delays[] = {0, 1, 999, 10000, 99000, 100000, 3000000, 100000000};
    for (size_t t = 0; t < COUNT_OF(totals); t++)
        for (size_t d = 0; d < COUNT_OF(delays); d++)
            for (int kind = 0; kind < 3; kind++) {
                const struct net_options options = {
                    .attempts_max = 100, .breaker_failures = 1000, .budget_max = 1000};
                FAKE_SCENE(s, &options,
                           {.http = kind == 0 ? 503 : 0,
                            .delay_us = delays[d],
                            .sent = kind == 1,
                            .retry_after_ms = kind == 0 ? 40 : 0});
                struct net_request request = get_request;
                request.idempotent = true;
                request.total_ms = totals[t];
                int64_t begun_us = net_fake_now_us(s.fake);
                REFUSED(fake_scene_call(&s, &request), MNEME_UNAVAILABLE, &s.error);
                int64_t took_us = net_fake_now_us(s.fake) - begun_us;
                if (took_us > totals[t] * INT64_C(1000))
                    fail_msg("%u ms took %lld us", totals[t], (long long)took_us);
            }
}

static void client__gives_an_attempt_what_time_is_left(void **state) {
    (void)state;
    struct net_fake_seen seen;
    const struct net_options options = {.attempts_max = 2, .base_ms = 100, .total_ms = 1000};
    FAKE_SCENE(s, &options, {.http = 0, .delay_us = 300000}, {.http = 200, .delay_us = 7000});
    OK(fake_scene_call(&s, &get_request), &s.error);
    net_fake_seen(s.fake, &seen);
    assert_int_equal(seen.last_timeout_us, 1000000 - 300000 - 50000);
    assert_int_equal(s.response.total_us, 7000);
}

/* A pause that would outlast the call is not begun. */
static void client__does_not_wait_for_nothing(void **state) {
    (void)state;
    struct net_fake_seen seen;
    FAKE_SCENE(s, &(struct net_options){.total_ms = 1000}, {.http = 429, .retry_after_ms = 2000});
    REFUSED(fake_scene_call(&s, &get_request), MNEME_UNAVAILABLE, &s.error);
    net_fake_seen(s.fake, &seen);
    assert_int_equal(seen.pauses, 0);
    assert_int_equal(s.response.attempts, 1);
    assert_int_equal(net_client_counters(s.client).retries_refused, 0);
}

/* ---- Answers -------------------------------------------------------------------------------- */

static void client__adds_up_all_attempts(void **state) {
    (void)state;
    FAKE_SCENE(s, &(struct net_options){.base_ms = 1}, {.http = 429, .body = "12345"},
               {.http = 200, .body = "ok"});
    struct net_request request = post_of("{}");
    OK(fake_scene_call(&s, &request), &s.error);
    assert_int_equal(s.response.bytes_up, 2 * 102);
    assert_int_equal(s.response.bytes_down, 105 + 102);
    assert_body(&s.response, "ok");
    struct net_counters c = net_client_counters(s.client);
    assert_int_equal(c.bytes_up, s.response.bytes_up);
    assert_int_equal(c.bytes_down, s.response.bytes_down);
    assert_int_equal(c.calls, 1);
    assert_int_equal(c.attempts, 2);
    assert_int_equal(c.connects, 1);
    assert_int_equal(c.reuses, 1);
}

static void client__reuses_a_response_with_another_maximum(void **state) {
    (void)state;
    FAKE_SCENE(s, &(struct net_options){.attempts_max = 1}, {.http = 200, .body = "0123456789"});
    struct net_request request = get_request;
    OK(fake_scene_call(&s, &request), &s.error);
    request.response_max = 9;
    REFUSED(fake_scene_call(&s, &request), MNEME_TOO_LARGE, &s.error);
    assert_int_equal(s.response.body.size, 0);
    request.response_max = 10;
    OK(fake_scene_call(&s, &request), &s.error);
    assert_body(&s.response, "0123456789");
}

/* The judge has the last word on an answer, also on one that looks good. */
static enum net_verdict judge_body(void *context, const struct net_response *response, int *status,
                                   mneme_error *error) {
    ++*(int *)context;
    if (response->body.size && response->body.data[0] == 'g')
        return NET_DONE;
    *status = error_set(error, MNEME_LOCKED, "the body says no");
    return response->body.size ? NET_AGAIN : NET_FAILED;
}

static void client__asks_the_judge(void **state) {
    (void)state;
    int asked = 0;
    FAKE_SCENE(s, &(struct net_options){.base_ms = 1}, {.http = 200, .body = "busy"},
               {.http = 500, .body = "good"}, {.http = 200});
    OK(net_call(s.client, &get_request, judge_body, &asked, &s.response, &s.error), &s.error);
    assert_int_equal(asked, 2);
    REFUSED(net_call(s.client, &get_request, judge_body, &asked, &s.response, &s.error),
            MNEME_LOCKED, &s.error);
    assert_says(&s.error, "http://localhost:8080: the body says no");
    assert_int_equal(asked, 3);
}

/* ---- Options --------------------------------------------------------------------------------- */

static void client__refuses_options(void **state) {
    (void)state;
    static const struct {
        struct net_options options;
        const char *says;
    } cases[] = {
        {{.url = "nonsense"}, "no scheme"},
        {{.url = "http://db.example.com"}, "use https"},
        {{.url = "ws://192.168.0.1"}, "use https"},
        {{.url = "libsql://db.example.com?tls=0"}, "use https"},
        {{.url = "https://h/path"}, "must end with its host"},
        {{.url = "https://h", .pool_min = 9}, "at least 9 connections and at most 8"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        mneme_error error;
        struct net_client *client = NULL;
        REFUSED(net_client_create(&cases[i].options, &client, &error), MNEME_INVALID, &error);
        assert_says(&error, cases[i].says);
        assert_null(client);
    }
    struct net_client *client;
    mneme_error error;
    const struct net_options plain = {.url = "http://db.example.com", .allow_plain_http = true};
    OK(net_client_create(&plain, &client, &error), &error);
    net_client_destroy(client);
    net_client_destroy(NULL);
}

/* ---- Verdicts by HTTP status ------------------------------------------------------------------
 */

static void judge_http__shows_the_start_of_a_text(void **state) {
    (void)state;
    static const struct {
        const char *type, *body, *says;
    } cases[] = {
        {"text/plain", "no\r\nsuch\tthing\x1b[31m\n",
         "the server answered 404: no  such thing [31m"},
        {"application/json; charset=utf-8", "{\"error\":1}", "404: {\"error\":1}"},
        {"text/html", "caf\xC3\xA9 \xC2\x9b!", "404: caf\xC3\xA9   !"},
        {"text/plain", "", "answered 404"},
        {"text/plain", "\xff\xfe", "answered 404"},
        {"application/octet-stream", "secret bytes", "answered 404"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        FAKE_SCENE(s, &(struct net_options){.attempts_max = 1},
                   {.http = 404, .content_type = cases[i].type, .body = cases[i].body});
        REFUSED(fake_scene_call(&s, &get_request), MNEME_NOT_FOUND, &s.error);
        const char *end = s.error.message + strlen(s.error.message) - strlen(cases[i].says);
        assert_string_equal(end, cases[i].says);
    }
}

static void judge_http__cuts_between_characters(void **state) {
    (void)state;
    char body[600];
    for (size_t skip = 0; skip < 3; skip++) {
        memset(body, 'x', skip);
        for (size_t i = skip; i + 3 < sizeof body; i += 3)
            memcpy(body + i, "\xE2\x82\xAC", 4);
        FAKE_SCENE(s, &(struct net_options){.attempts_max = 1}, {.http = 404, .body = body});
        REFUSED(fake_scene_call(&s, &get_request), MNEME_NOT_FOUND, &s.error);
        assert_true(utf8_valid(slice_of_string(s.error.message)));
        assert_says(&s.error, "\xE2\x82\xAC\xE2\x82\xAC");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(retry_pause__doubles_up_to_its_cap),
        cmocka_unit_test(retry_pause__is_at_least_what_the_server_says),
        cmocka_unit_test(budget__holds_retries_to_a_fraction),
        cmocka_unit_test(client__retries_by_the_table),
        cmocka_unit_test(client__stays_uncertain_whatever_comes_after),
        cmocka_unit_test(client__pauses_between_attempts),
        cmocka_unit_test(client__goes_on_at_once_from_a_stale_connection),
        cmocka_unit_test(client__retries_no_more_than_its_budget),
        cmocka_unit_test(client__takes_the_attempts_of_a_request),
        cmocka_unit_test(client__never_exceeds_its_time),
        cmocka_unit_test(client__gives_an_attempt_what_time_is_left),
        cmocka_unit_test(client__does_not_wait_for_nothing),
        cmocka_unit_test(client__adds_up_all_attempts),
        cmocka_unit_test(client__reuses_a_response_with_another_maximum),
        cmocka_unit_test(client__asks_the_judge),
        cmocka_unit_test(client__refuses_options),
        cmocka_unit_test(judge_http__shows_the_start_of_a_text),
        cmocka_unit_test(judge_http__cuts_between_characters),
    };
    return cmocka_run_group_tests_name("net/client", tests, NULL, NULL);
}
