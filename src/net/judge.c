/*
 * judge.c - what an answer means by its HTTP status alone.
 */
#include <stdio.h>

#include "net/net.h"

void net_response_fini(struct net_response *response) {
    buf_fini(&response->body);
    *response = (struct net_response){.body.max = response->body.max};
}

static int status_of_http(int http) {
    switch (http) {
    case 401:
    case 403:
        return MNEME_UNAUTHORIZED;
    case 404:
        return MNEME_NOT_FOUND;
    case 413:
        return MNEME_TOO_LARGE;
    case 429:
        return MNEME_UNAVAILABLE;
    default:
        return http >= 500 && http <= 599 ? MNEME_UNAVAILABLE : MNEME_FAILURE;
    }
}

static enum net_verdict verdict_of_http(int http) {
    switch (http) {
    case 429:
        return NET_AGAIN;
    case 408:
    case 500:
    case 502:
    case 503:
    case 504:
        return NET_AGAIN_IF_IDEMPOTENT;
    default:
        return http >= 200 && http <= 299 ? NET_DONE : NET_FAILED;
    }
}

static bool is_textual(const struct net_response *response) {
    return strncmp(response->content_type, "text/", 5) == 0 ||
           strstr(response->content_type, "json") != NULL;
}

/* The start of a body as one printable line; "" for what is no text. */
static void body_start(const struct net_response *response, char *out, size_t size) {
    struct slice s = slice_of(response->body.data, size_min(response->body.size, size - 1));
    bool cut = s.size < response->body.size;
    out[0] = 0;
    if (!is_textual(response))
        return;
    while (cut && s.size && (response->body.data[s.size] & 0xC0) == 0x80)
        s.size--; /* not through the middle of a character */
    if (!utf8_valid(s))
        return;
    for (size_t i = 0; i < s.size; i++) {
        bool second = i > 0 && s.data[i - 1] == 0xC2 && s.data[i] < 0xA0; /* U+0080 to U+009F */
        out[i] = s.data[i] < ' ' || s.data[i] == 127 || second ? ' ' : (char)s.data[i];
        if (second)
            out[i - 1] = ' ';
    }
    while (s.size && out[s.size - 1] == ' ')
        s.size--;
    out[s.size] = 0;
}

enum net_verdict net_judge_http(void *context, const struct net_response *response, int *status,
                                mneme_error *error) {
    char start[200];
    (void)context;
    enum net_verdict verdict = verdict_of_http(response->status);
    if (verdict == NET_DONE)
        return verdict;
    body_start(response, start, sizeof start);
    *status = error_set(error, status_of_http(response->status), "the server answered %d%s%s",
                        response->status, start[0] ? ": " : "", start);
    return verdict;
}
