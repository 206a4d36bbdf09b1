/*
 * listen.c - see listen.h.
 */
#include "listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "value.h"

enum { BACKLOG = 64, PORT_MAX = 65535 };

/* ---- Reading --------------------------------------------------------------------------------- */

static int bad_place(const char *text, mneme_error *error) {
    return fail_with(error, MNEME_INVALID,
                     "'%.80s' is no place to listen at; expected one like 127.0.0.1:9464, "
                     "[::1]:9464 or unix:/run/user/1000/mneme.sock",
                     text);
}

static bool parse_port(const char *text, uint16_t *port) {
    size_t size = strlen(text);
    if (size == 0 || size > 5 || text[strspn(text, "0123456789")] != '\0' || atoi(text) > PORT_MAX)
        return false;
    *port = (uint16_t)atoi(text);
    return true;
}

/* "HOST:PORT" or "[HOST]:PORT" in two; false: neither. */
static bool split(const char *text, struct listener *out) {
    const char *host = text, *colon = strrchr(text, ':');
    if (colon == NULL || !parse_port(colon + 1, &out->port))
        return false;
    size_t size = (size_t)(colon - text);
    bool brackets = text[0] == '[';
    if (brackets) {
        if (size < 2 || colon[-1] != ']')
            return false;
        host++;
        size -= 2;
    }
    if (size == 0 || size >= sizeof out->host || (memchr(host, ':', size) != NULL) != brackets)
        return false;
    memcpy(out->host, host, size);
    out->host[size] = '\0';
    if (strcmp(out->host, "localhost") == 0)
        strcpy(out->host, "127.0.0.1");
    return true;
}

static bool take_v4(struct listener *out) {
    struct sockaddr_in *address = (struct sockaddr_in *)&out->address;
    if (inet_pton(AF_INET, out->host, &address->sin_addr) != 1)
        return false;
    address->sin_family = AF_INET;
    address->sin_port = htons(out->port);
    out->address_size = sizeof *address;
    out->is_loopback = ntohl(address->sin_addr.s_addr) >> 24 == 127;
    return true;
}

static bool take_v6(struct listener *out) {
    struct sockaddr_in6 *address = (struct sockaddr_in6 *)&out->address;
    if (inet_pton(AF_INET6, out->host, &address->sin6_addr) != 1)
        return false;
    address->sin6_family = AF_INET6;
    address->sin6_port = htons(out->port);
    out->address_size = sizeof *address;
    out->is_loopback = IN6_IS_ADDR_LOOPBACK(&address->sin6_addr);
    return true;
}

static int take_path(const char *path, struct listener *out, mneme_error *error) {
    struct sockaddr_un *address = (struct sockaddr_un *)&out->address;
    if (path[0] == '\0' || strlen(path) >= sizeof address->sun_path)
        return fail_with(error, MNEME_INVALID,
                         "the path of a socket has 1 to %zu bytes; '%.120s' has %zu",
                         sizeof address->sun_path - 1, path, strlen(path));
    address->sun_family = AF_UNIX;
    strcpy(address->sun_path, path);
    strcpy(out->path, path);
    out->address_size = sizeof *address;
    out->is_unix = out->is_loopback = true;
    return 0;
}

int listen_parse(const char *text, struct listener *out, mneme_error *error) {
    *out = (struct listener){.fd = -1};
    if (strncmp(text, "unix:", 5) == 0)
        return take_path(text + 5, out, error);
    if (!split(text, out) || (!take_v4(out) && !take_v6(out)))
        return bad_place(text, error);
    return 0;
}

/* ---- Opening --------------------------------------------------------------------------------- */

void listen_url(const struct listener *listener, char url[LISTEN_URL_SIZE]) {
    bool is_v6 = listener->address.ss_family == AF_INET6;
    if (listener->is_unix)
        snprintf(url, LISTEN_URL_SIZE, "unix:%s", listener->path);
    else
        snprintf(url, LISTEN_URL_SIZE, "http://%s%s%s:%u", is_v6 ? "[" : "", listener->host,
                 is_v6 ? "]" : "", listener->port);
}

static int listen_failed(const struct listener *listener, mneme_error *error) {
    int why = errno, status = MNEME_IO;
    char url[LISTEN_URL_SIZE];
    listen_url(listener, url);
    if (why == EADDRINUSE)
        return fail_with(error, MNEME_LOCKED,
                         "%s is taken by somebody else; name another place with --listen", url);
    if (why == EACCES || why == EPERM || why == EROFS)
        status = MNEME_PERMISSION;
    return fail_with(error, status, "cannot listen at %s: %s", url, strerror(why));
}

/* Whether a socket lies there at which nobody listens any more. */
static bool is_stale(const struct listener *listener) {
    struct stat info;
    if (lstat(listener->path, &info) != 0 || !S_ISSOCK(info.st_mode))
        return false;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    bool refused =
        connect(fd, (const struct sockaddr *)&listener->address, listener->address_size) != 0 &&
        errno == ECONNREFUSED;
    close(fd);
    return refused;
}

/* Two that find the same stale socket at once could each remove the other's; starting a service
 * twice in the same millisecond is left to whoever starts services. */
static int bind_path(struct listener *listener) {
    const struct sockaddr *address = (const struct sockaddr *)&listener->address;
    struct stat info;
    mode_t old = umask(0177);
    int result = bind(listener->fd, address, listener->address_size);
    if (result != 0 && errno == EADDRINUSE) {
        bool stale = is_stale(listener);
        errno = EADDRINUSE;
        if (stale && unlink(listener->path) == 0)
            result = bind(listener->fd, address, listener->address_size);
    }
    umask(old);
    if (result != 0 || lstat(listener->path, &info) != 0)
        return -1;
    listener->device = info.st_dev;
    listener->inode = info.st_ino;
    return 0;
}

static int bind_address(struct listener *listener) {
    static const int yes = 1;
    struct sockaddr_storage chosen;
    socklen_t size = sizeof chosen;
    /* So that a restart need not wait for old connections to be forgotten. */
    setsockopt(listener->fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (listener->address.ss_family == AF_INET6)
        setsockopt(listener->fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof yes);
    if (bind(listener->fd, (const struct sockaddr *)&listener->address, listener->address_size) !=
            0 ||
        getsockname(listener->fd, (struct sockaddr *)&chosen, &size) != 0)
        return -1;
    /* The port lies at the same place in both kinds of address. */
    listener->port = ntohs(((const struct sockaddr_in *)&chosen)->sin_port);
    return 0;
}

int listen_open(struct listener *listener, mneme_error *error) {
    listener->fd = socket(listener->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener->fd < 0)
        return listen_failed(listener, error);
    int result = listener->is_unix ? bind_path(listener) : bind_address(listener);
    if (result == 0)
        result = listen(listener->fd, BACKLOG);
    if (result == 0)
        return 0;
    int status = listen_failed(listener, error);
    close(listener->fd);
    listener->fd = -1;
    listen_close(listener);
    return status;
}

void listen_close(struct listener *listener) {
    struct stat info;
    if (listener->fd >= 0)
        close(listener->fd);
    listener->fd = -1;
    bool ours = listener->inode != 0 && lstat(listener->path, &info) == 0 &&
                info.st_dev == listener->device && info.st_ino == listener->inode;
    if (ours)
        unlink(listener->path);
    listener->inode = 0;
}
