/*
 * remote_http.c - see remote_http.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/remote_http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int http_connect(uint16_t port) {
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
    struct timeval patience = {.tv_sec = 30};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

bool http_send(int fd, const char *bytes) {
    size_t size = strlen(bytes);
    while (size > 0) {
        ssize_t sent = send(fd, bytes, size, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        bytes += sent;
        size -= (size_t)sent;
    }
    return true;
}

/* Bytes of the whole answer, as far as its start tells; SIZE_MAX: until the end. */
static size_t whole_size(const char *text) {
    const char *end = strstr(text, "\r\n\r\n"), *length = strcasestr(text, "\r\ncontent-length:");
    if (!end || !length || length > end)
        return SIZE_MAX;
    return (size_t)(end + 4 - text) + strtoull(length + 17, NULL, 10);
}

struct http_answer http_read(int fd) {
    struct http_answer answer = {.status = 0};
    char bytes[4096];
    while (answer.size < whole_size(answer.text)) {
        ssize_t got = recv(fd, bytes, sizeof bytes, 0);
        if (got <= 0) {
            answer.ended = got == 0;
            break;
        }
        for (ssize_t i = 0; i < got; i++, answer.size++)
            if (answer.size + 1 < sizeof answer.text)
                answer.text[answer.size] = bytes[i];
    }
    (void)sscanf(answer.text, "HTTP/1.%*d %d", &answer.status);
    return answer;
}

static struct http_answer ask(uint16_t port, const char *request) {
    struct http_answer answer = {.status = 0};
    int fd = http_connect(port);
    if (fd < 0)
        return answer;
    if (http_send(fd, request))
        answer = http_read(fd);
    close(fd);
    return answer;
}

struct http_answer http_get(uint16_t port, const char *path) {
    char request[512];
    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path);
    return ask(port, request);
}

struct http_answer http_post(uint16_t port, const char *path, const char *body) {
    size_t room = strlen(body) + 512;
    char *request = malloc(room);
    assert_non_null(request);
    snprintf(request, room, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %zu\r\n\r\n%s",
             path, strlen(body), body);
    struct http_answer answer = ask(port, request);
    free(request);
    return answer;
}

struct http_answer http_sql(uint16_t port, const char *sql) {
    char body[2048];
    int size = snprintf(body, sizeof body,
                        "{\"requests\":[{\"type\":\"execute\",\"stmt\":{\"sql\":\"%s\"}},"
                        "{\"type\":\"close\"}]}",
                        sql);
    assert_true(size > 0 && (size_t)size < sizeof body);
    return http_post(port, "/v2/pipeline", body);
}

int64_t http_sql_number(uint16_t port, const char *sql) {
    static const char before[] = "\"rows\":[[{\"type\":\"integer\",\"value\":\"";
    struct http_answer answer = http_sql(port, sql);
    const char *at = strstr(answer.text, before);
    if (!at)
        fail_msg("%s: no number in %s", sql, answer.text);
    return strtoll(at + sizeof before - 1, NULL, 10);
}
