/*
 * url.c - the address of a server as people write it, taken apart strictly.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

#include "net/net.h"

/* What is left to read of the URL. */
struct url_reader {
    const char *at;
    mneme_error *error;
};

enum scheme_tls { TLS_NO, TLS_YES, TLS_ASK };

static const struct url_scheme {
    const char *name;
    enum scheme_tls tls;
} url_schemes[] = {
    {"http", TLS_NO}, {"https", TLS_YES}, {"libsql", TLS_ASK}, {"ws", TLS_NO}, {"wss", TLS_YES},
};

static char ascii_lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c; }
static bool ascii_digit(char c) { return c >= '0' && c <= '9'; }
static bool ascii_letter(char c) { return ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z'; }

static bool scheme_is(const char *text, size_t size, const char *name) {
    if (strlen(name) != size)
        return false;
    for (size_t i = 0; i < size; i++)
        if (ascii_lower(text[i]) != name[i])
            return false;
    return true;
}

/* No text below shows the URL itself: it may hold a password, which is why it was refused. */
static int read_scheme(struct url_reader *r, enum scheme_tls *tls) {
    const char *end = strstr(r->at, "://");
    if (!end)
        return error_set(r->error, MNEME_INVALID,
                         "the URL has no scheme: write https://HOST or libsql://HOST");
    size_t size = (size_t)(end - r->at);
    for (size_t i = 0; i < COUNT_OF(url_schemes); i++)
        if (scheme_is(r->at, size, url_schemes[i].name)) {
            *tls = url_schemes[i].tls;
            r->at = end + 3;
            return 0;
        }
    return error_set(r->error, MNEME_INVALID,
                     "the URL's scheme is none of https, http, libsql, wss and ws");
}

/* ---- Host and port ------------------------------------------------------------------------- */

static bool is_loopback(const char *host, bool six) {
    struct in_addr four_address;
    struct in6_addr six_address;
    if (six)
        return inet_pton(AF_INET6, host, &six_address) == 1 && IN6_IS_ADDR_LOOPBACK(&six_address);
    if (strcmp(host, "localhost") == 0)
        return true;
    return inet_pton(AF_INET, host, &four_address) == 1 &&
           ntohl(four_address.s_addr) >> 24 == IN_LOOPBACKNET;
}

static int read_name(struct url_reader *r, struct net_url *out) {
    size_t n = strcspn(r->at, ":/?#");
    if (n == 0)
        return error_set(r->error, MNEME_INVALID, "the URL names no host");
    if (n >= sizeof out->host)
        return error_set(r->error, MNEME_INVALID, "the URL's host has over %zu characters",
                         sizeof out->host - 1);
    for (size_t i = 0; i < n; i++) {
        char c = r->at[i];
        if (!ascii_letter(c) && !ascii_digit(c) && c != '-' && c != '.' && c != '_')
            return error_set(r->error, MNEME_INVALID,
                             "the URL's host has a character that is no letter, digit, '-', '.' or "
                             "'_'; write an international name in its xn-- form");
        out->host[i] = ascii_lower(c);
    }
    out->host[n] = 0;
    r->at += n;
    return 0;
}

static int read_six(struct url_reader *r, struct net_url *out) {
    struct in6_addr address;
    const char *end = strchr(r->at, ']');
    size_t n = end ? (size_t)(end - r->at - 1) : sizeof out->host;
    if (n < sizeof out->host) {
        for (size_t i = 0; i < n; i++)
            out->host[i] = ascii_lower(r->at[1 + i]);
        out->host[n] = 0;
    }
    if (n >= sizeof out->host || inet_pton(AF_INET6, out->host, &address) != 1)
        return error_set(r->error, MNEME_INVALID,
                         "what the URL has in [brackets] is no IPv6 address");
    r->at = end + 1;
    return 0;
}

static int read_port(struct url_reader *r, struct net_url *out) {
    uint32_t port = 0;
    size_t n = 0;
    for (r->at++; ascii_digit(*r->at) && n < 6; r->at++, n++)
        port = port * 10 + (uint32_t)(*r->at - '0');
    if (port == 0 || port > UINT16_MAX || (*r->at && !strchr("/?#", *r->at)))
        return error_set(r->error, MNEME_INVALID, "the URL's port is no number of 1 to 65535");
    out->port = (uint16_t)port;
    return 0;
}

/* ---- Path and query ------------------------------------------------------------------------ */

static int read_path(struct url_reader *r, struct net_url *out) {
    size_t n = strcspn(r->at, "?#");
    for (size_t i = 0; i < n; i++)
        if (r->at[i] <= ' ' || r->at[i] >= 127 || strchr("\"<>\\^`{|}", r->at[i]))
            return error_set(r->error, MNEME_INVALID,
                             "the URL's path has a character that must be written as %%XX");
    const char *path = r->at;
    r->at += n;
    while (n && path[n - 1] == '/')
        n--;
    if (n >= sizeof out->path)
        return error_set(r->error, MNEME_INVALID, "the URL's path has over %zu characters",
                         sizeof out->path - 1);
    memcpy(out->path, path, n);
    out->path[n] = 0;
    return 0;
}

static int read_query(struct url_reader *r, enum scheme_tls *tls) {
    enum scheme_tls asked = *tls;
    if (strcmp(r->at, "?tls=0") == 0)
        asked = TLS_NO;
    else if (strcmp(r->at, "?tls=1") == 0)
        asked = TLS_YES;
    else if (*r->at == '#')
        return error_set(r->error, MNEME_INVALID, "the URL has a #fragment; leave it out");
    else if (*r->at && strcmp(r->at, "?") != 0)
        return error_set(r->error, MNEME_INVALID,
                         "the URL has a query; only tls=0 and tls=1 are known, and a token never "
                         "goes into a URL");
    if (*tls != TLS_ASK && asked != *tls)
        return error_set(r->error, MNEME_INVALID, "the URL's scheme and its query tls=%d disagree",
                         asked == TLS_YES);
    *tls = asked;
    return 0;
}

static int read_authority(struct url_reader *r, struct net_url *out) {
    /* Also behind a '/', which an unescaped password may hold; a path can spell it %40. */
    if (strchr(r->at, '@'))
        return error_set(r->error, MNEME_INVALID,
                         "the URL holds a user name or password; keep secrets out of URLs");
    bool six = *r->at == '[';
    TRY(six ? read_six(r, out) : read_name(r, out));
    out->loopback = is_loopback(out->host, six);
    if (*r->at == ':')
        return read_port(r, out);
    if (*r->at && !strchr("/?#", *r->at))
        return error_set(r->error, MNEME_INVALID, "the URL has something behind its host's ']'");
    return 0;
}

int net_url_parse(const char *url, struct net_url *out, mneme_error *error) {
    struct url_reader r = {.at = url, .error = error};
    struct net_url u = {.tls = false};
    enum scheme_tls tls = TLS_ASK;
    TRY(read_scheme(&r, &tls));
    TRY(read_authority(&r, &u));
    TRY(read_path(&r, &u));
    TRY(read_query(&r, &tls));
    u.tls = tls != TLS_NO;
    bool six = strchr(u.host, ':') != NULL;
    int n = snprintf(u.origin, sizeof u.origin, "%s://%s%s%s", u.tls ? "https" : "http",
                     six ? "[" : "", u.host, six ? "]" : "");
    if (u.port)
        snprintf(u.origin + n, sizeof u.origin - (size_t)n, ":%u", (unsigned)u.port);
    else
        u.port = u.tls ? 443 : 80;
    *out = u;
    return 0;
}
