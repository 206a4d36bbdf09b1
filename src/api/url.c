/*
 * url.c - from a URL to the kind of store that it means.
 */
#include "api/url.h"

#include <fcntl.h>
#include <strings.h>
#include <unistd.h>

#include "net/net.h"

static const char mem_url[] = "mem:";
static const char file_scheme[] = "file";

/* "https://…", "libsql:…": letters, digits, + - . and a colon, longer than a drive letter. */
static size_t scheme_size(const char *url) {
    size_t n = strspn(url, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.");
    return n > 1 && url[n] == ':' ? n : 0;
}

static bool scheme_is(const char *url, size_t size, const char *scheme) {
    return strlen(scheme) == size && strncasecmp(url, scheme, size) == 0;
}

static bool scheme_is_of_a_server(const char *url, size_t size) {
    static const char *const schemes[] = {"libsql", "https", "http", "wss", "ws"};
    for (size_t i = 0; i < COUNT_OF(schemes); i++)
        if (scheme_is(url, size, schemes[i]))
            return true;
    return false;
}

/* file:PATH, file:///PATH and file://localhost/PATH (RFC 8089), PATH taken as it is. */
static int parse_file(struct url *out, mneme_error *error) {
    static const char localhost[] = "//localhost/";
    const char *path = out->text + sizeof file_scheme;
    if (strncmp(path, localhost, sizeof localhost - 1) == 0)
        path += sizeof localhost - 2;
    else if (strncmp(path, "///", 3) == 0)
        path += 2;
    else if (strncmp(path, "//", 2) == 0)
        return error_set(error, MNEME_INVALID,
                         "a file URL with two slashes names a machine; write file:memory.db, or "
                         "file:///data/memory.db with three");
    if (!*path)
        return error_set(error, MNEME_INVALID,
                         "the file URL names no file; write file:memory.db, for example");
    out->kind = URL_FILE;
    out->path = path;
    return 0;
}

int url_parse(const char *text, struct url *out, mneme_error *error) {
    if (!text || !*text)
        return error_set(error, MNEME_INVALID,
                         "the store's URL is empty; give a path such as memory.mdb");
    *out = (struct url){.kind = URL_KV, .text = text, .path = text};
    size_t scheme = scheme_size(text);
    if (strcmp(text, mem_url) == 0) {
        out->kind = URL_MEM;
        return 0;
    }
    if (scheme_is(text, scheme, file_scheme))
        return parse_file(out, error);
    if (scheme_is_of_a_server(text, scheme)) {
        struct net_url server;
        out->kind = URL_REMOTE;
        return net_url_parse(text, &server, error);
    }
    /* "odd:name/memory.mdb" is a path; "kind://…" and "kind:name" are not. */
    if (scheme && (text[scheme + 1] == '/' || !strchr(text, '/')))
        return error_set(error, MNEME_INVALID,
                         "this mneme knows no stores of kind \"%.*s:\"; give a path such as "
                         "memory.mdb, file:memory.db for SQLite, the libsql:// or https:// URL of "
                         "a server, or \"mem:\"",
                         (int)scheme, text);
    return 0;
}

/* ---- A file of the other kind ------------------------------------------------------------- */

/* Both formats begin so: sqlite.org/fileformat.html; LMDB's page header of 16 bytes and its magic
 * number, in the machine's own order. */
enum { HEAD_BYTES = 20, LMDB_MAGIC_AT = 16 };
static const char sqlite_head[] = "SQLite format 3";
static const uint32_t lmdb_magic = 0xBEEFC0DE;

static bool read_head(const char *path, uint8_t head[HEAD_BYTES]) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return false;
    bool whole = pread(fd, head, HEAD_BYTES, 0) == HEAD_BYTES;
    close(fd);
    return whole;
}

int url_explain(const struct url *url, int status, mneme_error *error) {
    uint8_t head[HEAD_BYTES];
    if (status != MNEME_CORRUPT || !(url->kind == URL_KV || url->kind == URL_FILE) ||
        !read_head(url->path, head))
        return status;
    if (url->kind == URL_KV && memcmp(head, sqlite_head, sizeof sqlite_head) == 0)
        return error_set(error, status,
                         "%s is an SQLite file and not a mneme file; if it is a store, open it as "
                         "file:%s%s",
                         url->path, url->path[0] == '/' ? "//" : "", url->path);
    if (url->kind == URL_FILE && memcmp(head + LMDB_MAGIC_AT, &lmdb_magic, 4) == 0)
        return error_set(error, status,
                         "%s is no SQLite file but one of mneme's own; open it without \"file:\"",
                         url->path);
    return status;
}
