/*
 * metrics.c - the handle's meter: made, fed, and read.
 */
#include "api/metrics.h"

#include <stdio.h>
#include <xxhash.h>

#include "api/levels.h"
#include "store/describe.h"

/* ---- Making ---------------------------------------------------------------------------------- */

/* A name that every handle of the store makes alike: of a file, where it lies, whatever path led
 * there; of a server, a hash of the URL. */
static int store_name(const struct url *url, char *name, size_t size, mneme_error *error) {
    struct path_info info;
    if (url->kind == URL_REMOTE) {
        XXH128_hash_t hash = XXH3_128bits(url->text, strlen(url->text));
        snprintf(name, size, "u-%016llx%016llx", (unsigned long long)hash.high64,
                 (unsigned long long)hash.low64);
        return 0;
    }
    TRY(path_inspect(url->path, &info, error));
    snprintf(name, size, "%llx-%llx", (unsigned long long)info.device,
             (unsigned long long)info.inode);
    return 0;
}

int metrics_open(mneme *m, const struct url *url, mneme_error *error) {
    char name[64];
    struct meter_options options = {.slow_ns = m->options.slow_us * 1000};
    if (m->options.slow_us > TICKS_NS_MAX / 1000)
        options.slow_ns = TICKS_NS_MAX;
    if (url->kind != URL_MEM) {
        TRY(store_name(url, name, sizeof name, error));
        options.store = name;
    }
    options.observes = m->options.no_metrics;
    return meter_open(&options, options.observes ? &m->observer : &m->meter, error);
}

/* ---- Feeding --------------------------------------------------------------------------------- */

static void tell_slow(mneme *m, enum meter_operation operation, uint64_t begun, int status,
                      size_t records, const struct description *what) {
    struct meter_slow slow = {.operation = operation,
                              .begun = begun,
                              .status = status,
                              .records = records,
                              .detail = description_slice(what)};
    meter_slow(m->meter, &slow);
}

int measure_end(mneme *m, enum meter_operation operation, uint64_t begun, int status,
                const struct subject *about) {
    if (!m || !m->meter || status == MNEME_FORKED)
        return status;
    unsigned told = meter_end(m->meter, operation, begun, status);
    if (UNLIKELY(told & METER_SLOW)) {
        struct description what = {.size = 0};
        if (about && about->text)
            what.size = (size_t)snprintf(what.text, sizeof what.text, "%.400s", about->text);
        else if (about && about->kind)
            describe_record(about->kind, about->id, about->count, &what);
        tell_slow(m, operation, begun, status, about ? about->count : 0, &what);
    }
    if (UNLIKELY(told & METER_DUE))
        levels_tell(m, false);
    return status;
}

void measure_hit_end(mneme *m, uint64_t begun) {
    if (UNLIKELY(meter_hit_end(m->meter, begun) & METER_DUE))
        levels_tell(m, false);
}

int measure_list_end(mneme *m, const struct store_query *query, uint64_t begun, bool hit,
                     size_t records, int status) {
    struct description what;
    if (!m->meter)
        return status;
    describe_form(query, &what);
    meter_query(m->meter, description_slice(&what), begun, hit, status);
    unsigned told = meter_end(m->meter, METER_API_LIST, begun, status);
    if (UNLIKELY(told & METER_SLOW)) {
        describe_query(query, &what);
        tell_slow(m, METER_API_LIST, begun, status, records, &what);
    }
    if (UNLIKELY(told & METER_DUE))
        levels_tell(m, false);
    return status;
}

/* ---- Reading --------------------------------------------------------------------------------- */

int mneme_metrics_read(mneme *m, const mneme_metrics **out, mneme_error *error) {
    TRY(handle_check(m, error));
    if (!out)
        return error_set(error, MNEME_INVALID, "mneme_metrics_read: out is NULL");
    AUTO_ARENA struct arena arena = {0};
    mneme_metrics *metrics = arena_zalloc(&arena, 1, sizeof *metrics);
    struct slice store;
    if (!metrics || arena_copy(&arena, slice_of(m->path, strlen(m->path) + 1), &store))
        return error_set(error, MNEME_NO_MEMORY, "no memory for a picture of the metrics");
    levels_tell(m, true);
    TRY(meter_read(m->meter ? m->meter : m->observer, &arena, metrics, error));
    metrics->store = (const char *)store.data;
    *out = arena_take(&arena);
    return 0;
}

void mneme_metrics_release(const mneme_metrics *metrics) {
    void *block;
    if (!metrics)
        return;
    memcpy(&block, &metrics, sizeof block);
    arena_free_taken(block);
}
