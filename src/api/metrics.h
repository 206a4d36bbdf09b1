/*
 * metrics.h - inside the façade: measuring its operations, and telling how the parts stand.
 */
#ifndef MNEME_API_METRICS_H
#define MNEME_API_METRICS_H

#include "api/handle.h"
#include "api/url.h"
#include "metrics/metrics.h"

/* What an operation was about, for when it turns out to be slow. */
struct subject {
    mneme_kind kind;
    const mneme_id *id; /* of the first; NULL: not known */
    size_t count;       /* records */
    const char *text;   /* instead of all that; NULL: none */
};

/* Make m->meter, unless the options say not to; `url` names the store, whose file is there. */
int metrics_open(mneme *m, const struct url *url, mneme_error *error);

/* Of a handle that may be NULL, or another process's. */
static inline uint64_t measure_begin(const mneme *m) {
    return LIKELY(m) ? meter_begin(m->meter) : 0;
}
/* The operation has ended with `status`, which is returned. */
int measure_end(mneme *m, enum meter_operation operation, uint64_t begun, int status,
                const struct subject *about);
/* A hit that was due has ended; see meter_hit_end. */
void measure_hit_end(mneme *m, uint64_t begun);
/* A listing; `hit`: its list came from the cache. */
int measure_list_end(mneme *m, const struct store_query *query, uint64_t begun, bool hit,
                     size_t records, int status);

#endif
