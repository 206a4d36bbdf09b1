/*
 * url.h - inside the façade: which store a URL means, and what else a file may be.
 */
#ifndef MNEME_API_URL_H
#define MNEME_API_URL_H

#include "base/base.h"

enum url_kind {
    URL_KV,    /* a path */
    URL_MEM,   /* "mem:" */
    URL_FILE,  /* "file:…": SQLite */
    URL_REMOTE /* a server */
};

struct url {
    enum url_kind kind;
    const char *text; /* as given */
    const char *path; /* of KV and FILE; points into the text */
};

/* `text` is borrowed as long as `out` is used. MNEME_INVALID: no scheme that is known, a file URL
 * with a host, what net_url_parse refuses. The message repeats no text that may hold a secret. */
int url_parse(const char *text, struct url *out, mneme_error *error);

/* The status of a failed opening; when the file is a store of the other kind, the message says with
 * which URL it opens. */
int url_explain(const struct url *url, int status, mneme_error *error);

#endif
