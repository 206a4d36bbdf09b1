/*
 * proxy_frame_test.c - where messages of HTTP end, whatever the pieces they come in.
 */
#include "bench/proxy_frame.h"
#include "support/api_fixture.h"

#define MORE "HTTP/1.1 200 OK\r\n"

/* Feed text in pieces of each size; the message must end after `size` bytes in `state`. */
static void expect(bool is_answer, const char *text, size_t size, enum frame_state state) {
    for (size_t piece = 1; piece <= strlen(text); piece++) {
        struct frame frame = {.state = FRAME_HEAD};
        size_t done = 0, taken = 0;
        frame_begin(&frame, is_answer);
        while (done < strlen(text)) {
            size_t now = size_min(piece, strlen(text) - done);
            size_t fed = frame_feed(&frame, (const uint8_t *)text + done, now);
            taken += fed;
            done += now;
            if (fed < now)
                break;
        }
        assert_int_equal(taken, size);
        assert_int_equal(frame.state, state);
        frame_fini(&frame);
    }
}

static void expect_all(bool is_answer, const char *text, enum frame_state state) {
    expect(is_answer, text, strlen(text), state);
}

static void frame_feed__ends_a_request_without_body(void **state) {
    (void)state;
    expect_all(false, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", FRAME_DONE);
    expect(false, "GET / HTTP/1.1\r\n\r\nGET /2", 18, FRAME_DONE);
}

static void frame_feed__counts_a_length(void **state) {
    (void)state;
    expect_all(false, "POST / HTTP/1.1\r\ncontent-LENGTH:  5\r\n\r\nabcde", FRAME_DONE);
    expect_all(false, "POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nabcd", FRAME_LENGTH);
    expect(true, MORE "Content-Length: 2\r\n\r\nabc", 40, FRAME_DONE);
    expect_all(true, MORE "Content-Length: 0\r\n\r\n", FRAME_DONE);
}

static void frame_feed__follows_chunks(void **state) {
    (void)state;
    static const char head[] = "Transfer-Encoding: chunked\r\n\r\n";
    char text[256];
    snprintf(text, sizeof text, MORE "%s3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n", head);
    expect_all(true, text, FRAME_DONE);
    snprintf(text, sizeof text, MORE "%s1\r\n\n\r\n0\r\nTrailer: 1\r\n\r\n", head);
    expect_all(true, text, FRAME_DONE);
    snprintf(text, sizeof text, MORE "%s3\r\nabc\r\n", head);
    expect_all(true, text, FRAME_CHUNK_SIZE);
    snprintf(text, sizeof text, MORE "%sx\r\n", head);
    expect_all(true, text, FRAME_BROKEN);
}

static void frame_feed__knows_answers_without_length(void **state) {
    (void)state;
    expect_all(true, MORE "\r\nand so on", FRAME_UNTIL_CLOSE);
    expect_all(true, "HTTP/1.1 204 No Content\r\n\r\n", FRAME_DONE);
}

static void frame_feed__refuses_what_is_no_http(void **state) {
    (void)state;
    expect_all(true, "SSH-2.0-x\r\n\r\n", FRAME_BROKEN);
    expect_all(false, "POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n", FRAME_BROKEN);
    struct frame frame = {.state = FRAME_HEAD};
    frame_begin(&frame, false);
    for (size_t i = 0; i <= FRAME_LINE_MAX && frame.state == FRAME_HEAD; i++)
        frame_feed(&frame, (const uint8_t *)"x", 1);
    assert_int_equal(frame.state, FRAME_BROKEN);
    frame_fini(&frame);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frame_feed__ends_a_request_without_body),
        cmocka_unit_test(frame_feed__counts_a_length),
        cmocka_unit_test(frame_feed__follows_chunks),
        cmocka_unit_test(frame_feed__knows_answers_without_length),
        cmocka_unit_test(frame_feed__refuses_what_is_no_http),
    };
    return cmocka_run_group_tests_name("bench/proxy_frame", tests, NULL, NULL);
}
