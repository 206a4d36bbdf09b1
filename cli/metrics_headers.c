/*
 * metrics_headers.c - what the headers Host and Accept of a request to `mneme metrics serve` mean.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "metrics_http.h"

/* ---- Host ------------------------------------------------------------------------------------ */

static bool is_name(mneme_text host, const char *name, size_t size) {
    return host.size == size && strncasecmp(host.data, name, size) == 0;
}

/* The name in "NAME:PORT", or the address in "[ADDRESS]:PORT"; false: it is neither. A port is any:
 * it is another one behind a tunnel, and whoever attacks cannot choose the name. */
static bool name_of_host(const char *host, mneme_text *name) {
    const char *rest;
    if (host[0] == '[') {
        *name = (mneme_text){host + 1, strcspn(host + 1, "]")};
        rest = host + 1 + name->size;
        if (*rest++ != ']')
            return false;
    } else {
        *name = (mneme_text){host, strcspn(host, ":")};
        rest = host + name->size;
        /* A name may end with the dot of the root. */
        if (name->size > 0 && host[name->size - 1] == '.')
            name->size--;
    }
    if (name->size == 0)
        return false;
    return *rest == '\0' || (*rest == ':' && rest[1 + strspn(rest + 1, "0123456789")] == '\0');
}

bool http_host_is_ours(const struct http_options *options, const char *host) {
    static const char *const loopback[] = {"localhost", "127.0.0.1", "::1"};
    const struct listener *listener = options->listener;
    mneme_text name;
    if (listener->is_unix)
        return true;
    if (host == NULL || !name_of_host(host, &name))
        return false;
    for (size_t i = 0; i < sizeof loopback / sizeof loopback[0]; i++)
        if (is_name(name, loopback[i], strlen(loopback[i])))
            return true;
    for (size_t i = 0; i < options->names.count; i++)
        if (is_name(name, options->names.items[i].data, options->names.items[i].size))
            return true;
    return is_name(name, listener->host, strlen(listener->host));
}

/* ---- Accept ---------------------------------------------------------------------------------- */

/* One media range: its type, how much it is wanted, and its version, "" for any. */
struct range {
    mneme_text type, version;
    double quality;
};

static mneme_text trimmed(const char *data, size_t size) {
    while (size > 0 && (*data == ' ' || *data == '\t')) {
        data++;
        size--;
    }
    while (size > 0 && (data[size - 1] == ' ' || data[size - 1] == '\t'))
        size--;
    return (mneme_text){data, size};
}

static void take_parameter(struct range *range, mneme_text text) {
    if (text.size > 2 && strncasecmp(text.data, "q=", 2) == 0)
        range->quality = strtod(text.data + 2, NULL);
    if (text.size > 8 && strncasecmp(text.data, "version=", 8) == 0)
        range->version = (mneme_text){text.data + 8, text.size - 8};
}

/* "a/b; version=1; q=0.5" up to the next comma; moves *text behind it. */
static struct range next_range(const char **text) {
    struct range range = {.quality = 1};
    size_t size = strcspn(*text, ",");
    for (size_t at = 0; at <= size;) {
        size_t part = strcspn(*text + at, ";,");
        mneme_text what = trimmed(*text + at, part);
        if (at == 0)
            range.type = what;
        else
            take_parameter(&range, what);
        at += part + 1;
    }
    *text += size + ((*text)[size] == ',');
    return range;
}

static bool range_is(const struct range *range, const char *type) {
    return is_name(range->type, type, strlen(type));
}

enum metrics_format http_format(const char *accept) {
    double open = 0, plain = 0;
    while (accept != NULL && *accept != '\0') {
        struct range range = next_range(&accept);
        bool ours = range.version.size == 0 || is_name(range.version, "1.0.0", 5);
        if (range_is(&range, "application/openmetrics-text") && ours && range.quality > open)
            open = range.quality;
        if (range_is(&range, "text/plain") && range.quality > plain)
            plain = range.quality;
    }
    return open > 0 && open >= plain ? METRICS_OPENMETRICS : METRICS_PROMETHEUS;
}
