/*
 * net_url_fuzz.c - any text as a URL; what is taken keeps the promises of net.h, and its origin
 * with its path is taken again as the same.
 */
#include <stdlib.h>

#include "net/net.h"

static void require(bool condition) {
    if (!condition)
        abort();
}

/* Nothing that could end a line of HTTP, or begin another part of a URL. */
static bool is_clean(const char *s) {
    for (; *s; s++)
        if (*s <= ' ' || *s >= 127 || strchr("?#@\\\"<>", *s))
            return false;
    return true;
}

static void check_again(const struct net_url *u) {
    struct net_url again;
    mneme_error error;
    AUTO_BUF struct buf text = BUF_INIT(4096);
    buf_append_string(&text, u->origin);
    buf_append(&text, u->path, strlen(u->path) + 1);
    require(text.status == 0);
    require(net_url_parse((const char *)text.data, &again, &error) == 0);
    require(again.tls == u->tls && again.loopback == u->loopback && again.port == u->port);
    require(strcmp(again.origin, u->origin) == 0 && strcmp(again.host, u->host) == 0);
    require(strcmp(again.path, u->path) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct net_url u;
    mneme_error error = {0};
    AUTO_BUF struct buf text = BUF_INIT(1 << 20);
    buf_append(&text, data, size);
    buf_append_byte(&text, 0);
    if (text.status)
        return 0;
    int status = net_url_parse((const char *)text.data, &u, &error);
    if (status != 0) {
        require(status == MNEME_INVALID && error.code == status && error.message[0]);
        return 0;
    }
    require(u.host[0] && is_clean(u.host) && is_clean(u.origin) && is_clean(u.path) && u.port);
    size_t path = strlen(u.path);
    require(path == 0 || (u.path[0] == '/' && u.path[path - 1] != '/'));
    require(strncmp(u.origin, u.tls ? "https://" : "http://", u.tls ? 8 : 7) == 0);
    check_again(&u);
    return 0;
}
