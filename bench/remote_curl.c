/*
 * remote_curl.c - libcurl's own minimal loop: one easy handle, one request, one buffer.
 */
#include "bench/remote_curl.h"

#include <stdio.h>
#include <strings.h>

enum { REQUEST_MAX = 16 << 20, ANSWER_MAX = 64 << 20, TIMEOUT_MS = 30000 };

static size_t on_body(char *data, size_t size, size_t count, void *context) {
    struct buf *answer = context;
    buf_append(answer, data, size * count);
    return answer->status ? 0 : size * count;
}

/* The next line of the head, ended with NUL; NULL after the last. */
static char *take_line(char **head) {
    char *line = *head, *end = line ? strstr(line, "\r\n") : NULL;
    if (!end)
        return NULL;
    *end = 0;
    *head = end + 2;
    return line;
}

static int take_headers(struct curl_reference *c, char *head, mneme_error *error) {
    bool accepts = false;
    for (char *line; (line = take_line(&head)) && *line;) {
        if (strncasecmp(line, "Host:", 5) == 0 || strncasecmp(line, "Content-Length:", 15) == 0)
            continue;
        accepts = accepts || strncasecmp(line, "Accept:", 7) == 0;
        struct curl_slist *longer = curl_slist_append(c->headers, line);
        if (!longer)
            return error_set(error, MNEME_NO_MEMORY, "no memory for a header");
        c->headers = longer;
    }
    /* libcurl adds one by itself where it is not told otherwise. */
    struct curl_slist *longer = accepts ? c->headers : curl_slist_append(c->headers, "Accept:");
    if (!longer)
        return error_set(error, MNEME_NO_MEMORY, "no memory for a header");
    c->headers = longer;
    return 0;
}

static int prepare(struct curl_reference *c, const char *url, mneme_error *error) {
    c->easy = curl_easy_init();
    bool ok =
        c->easy && curl_easy_setopt(c->easy, CURLOPT_URL, url) == CURLE_OK &&
        curl_easy_setopt(c->easy, CURLOPT_HTTPHEADER, c->headers) == CURLE_OK &&
        curl_easy_setopt(c->easy, CURLOPT_POSTFIELDS, (const char *)c->body.data) == CURLE_OK &&
        curl_easy_setopt(c->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)c->body.size) ==
            CURLE_OK &&
        curl_easy_setopt(c->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) == CURLE_OK &&
        curl_easy_setopt(c->easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
        curl_easy_setopt(c->easy, CURLOPT_TIMEOUT_MS, (long)TIMEOUT_MS) == CURLE_OK &&
        curl_easy_setopt(c->easy, CURLOPT_PROXY, "") == CURLE_OK &&
        curl_easy_setopt(c->easy, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
        curl_easy_setopt(c->easy, CURLOPT_WRITEDATA, &c->answer) == CURLE_OK;
    return ok ? 0 : error_set(error, MNEME_NO_MEMORY, "libcurl cannot be prepared");
}

int curl_reference_init(struct curl_reference *c, const char *origin, struct slice request,
                        mneme_error *error) {
    static const char method[] = "POST ";
    char url[2048];
    c->request = BUF_INIT(REQUEST_MAX);
    c->answer = BUF_INIT(ANSWER_MAX);
    buf_append_slice(&c->request, request);
    buf_append_byte(&c->request, 0);
    TRY(c->request.status);
    char *head = (char *)c->request.data, *body = strstr(head, "\r\n\r\n"), *first;
    char *path = head + sizeof method - 1;
    if (!body || strncmp(head, method, sizeof method - 1) != 0 || !(first = take_line(&head)) ||
        !strchr(path, ' '))
        return error_set(error, MNEME_FAILURE, "the request that was seen is no POST");
    *strchr(path, ' ') = 0;
    c->body = slice_of(body + 4, (size_t)((char *)c->request.data + request.size - (body + 4)));
    if (snprintf(url, sizeof url, "%s%s", origin, path) >= (int)sizeof url)
        return error_set(error, MNEME_FAILURE, "the request that was seen has too long a path");
    TRY(take_headers(c, head, error));
    return prepare(c, url, error);
}

int curl_reference_send(struct curl_reference *c, mneme_error *error) {
    long status = 0;
    buf_reset(&c->answer);
    CURLcode code = curl_easy_perform(c->easy);
    if (code != CURLE_OK)
        return error_set(error, MNEME_UNAVAILABLE, "libcurl: %s", curl_easy_strerror(code));
    curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
    return status == 200 && c->answer.size
               ? 0
               : error_set(error, MNEME_UNAVAILABLE, "libcurl alone got the status %ld", status);
}

void curl_reference_fini(struct curl_reference *c) {
    curl_easy_cleanup(c->easy);
    curl_slist_free_all(c->headers);
    buf_fini(&c->request);
    buf_fini(&c->answer);
}
