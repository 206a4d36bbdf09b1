/*
 * hrana_events_test.c - server-sent events, however they are cut.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/sql/hrana/events.h"

static size_t read_part(struct hrana_events *events, struct slice part) {
    mneme_error error = {0};
    size_t whole = 99;
    if (hrana_events_read(events, part, &whole, &error) != 0)
        fail_msg("%s", error.message);
    return whole;
}

/* The events of a text, which are the same wherever it is cut in three. */
static size_t count_events(struct slice text) {
    struct hrana_events events = {0};
    size_t count = read_part(&events, text);
    for (size_t i = 0; i <= text.size; i++)
        for (size_t k = i; k <= text.size; k++) {
            events = (struct hrana_events){0};
            size_t sum = read_part(&events, slice_of(text.data, i));
            sum += read_part(&events, slice_of(text.data + i, k - i));
            sum += read_part(&events, slice_of(text.data + k, text.size - k));
            assert_int_equal(sum, count);
        }
    return count;
}

static void hrana_events__counts_events_however_they_are_cut(void **state) {
    (void)state;
    static const struct {
        const char *text;
        size_t events;
    } cases[] = {
        {"", 0},
        {"\n", 0},
        {":keep-alive\n\n", 0},
        {"event:changes\ndata:{\"insert\":1}\n\n", 1},
        {"event: changes\r\ndata: {}\r\n\r\n", 1},
        {"event:changes\rdata:{}\r\r", 1},
        {"event:changes\ndata:{}\n", 0}, /* it has not ended */
        {"data\n\n", 1},
        {"data:\n\ndata:\n\n", 2},
        {"data:x\n\n\n\n", 1},
        {"data:x\n\r\n", 1},
        {"data:x\r\n\r\n:ok\r\n\r\ndata:y\r\n\r\n", 2},
        {":data:x\n\n", 0},
        {"id:data\nretry:10\n\n", 0},
        {"dat:x\n\ndatas:x\n\n data:x\n\nData:x\n\nevents\n\n", 0},
        {"eventevent:x\n\n", 0},
        {"event:error\ndata:some changes were lost\n\n", 1},
        {":x\ndata:x\n:y\n\n", 1},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        if (count_events(slice_of_string(cases[i].text)) != cases[i].events)
            fail_msg("case %zu", i);
    assert_int_equal(count_events(slice_of("event\0:x\n\n", 10)), 0);
    assert_int_equal(count_events(slice_of("data:\0\xFF\n\n", 9)), 1);
}

/* A line may be as long as its limit, in whatever pieces, and no longer. */
static void hrana_events__refuses_a_line_without_end(void **state) {
    (void)state;
    static uint8_t line[HRANA_EVENT_LINE_MAX + 1];
    mneme_error error = {0};
    struct hrana_events events = {0};
    size_t whole = 99;
    memset(line, 'x', sizeof line);
    memcpy(line, "data:", 5);
    assert_int_equal(read_part(&events, slice_of(line, HRANA_EVENT_LINE_MAX)), 0);
    assert_int_equal(read_part(&events, slice_of("\n\n", 2)), 1);
    assert_int_equal(read_part(&events, slice_of(line, 10)), 0);
    assert_int_equal(
        hrana_events_read(&events, slice_of(line, HRANA_EVENT_LINE_MAX - 9), &whole, &error),
        MNEME_CORRUPT);
    assert_non_null(strstr(error.message, "65536"));
    assert_int_equal(whole, 99);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hrana_events__counts_events_however_they_are_cut),
        cmocka_unit_test(hrana_events__refuses_a_line_without_end),
    };
    return cmocka_run_group_tests_name("store/sql/hrana_events", tests, NULL, NULL);
}
