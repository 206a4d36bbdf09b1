/*
 * open.c - the handle: opening a store by its URL, closing, statistics, backup.
 */
#include <stdio.h>

#include "api/calls.h"
#include "api/handle.h"
#include "api/levels.h"
#include "api/metrics.h"
#include "api/remote.h"
#include "api/sync.h"
#include "os/log.h"
#include "store/followed.h"
#include "store/kv.h"
#include "store/mem.h"
#include "store/metered.h"

int handle_check(const mneme *m, mneme_error *error) {
    if (!m)
        return error_set(error, MNEME_INVALID, "the handle is NULL; open a store first");
    if (UNLIKELY(m->generation != process_generation_again()))
        return error_set(error, MNEME_FORKED,
                         "this store was opened before fork(); open it again in the child");
    return 0;
}

const char *mneme_version_text(void) { return "0.1.0"; }

static int check_options(const mneme_options *options, mneme_error *error) {
    int most = options->compression == MNEME_COMPRESS_GZIP ? 9 : 19;
    if ((int)options->compression < 0 || options->compression > MNEME_COMPRESS_ZSTD)
        return error_set(error, MNEME_INVALID, "there is no compression %d",
                         (int)options->compression);
    if (options->compression_level < 0 || options->compression_level > most)
        return error_set(error, MNEME_INVALID, "compression level %d is not between 1 and %d",
                         options->compression_level, most);
    TRY(sync_check(&options->sync, &options->remote, error));
    return remote_check(&options->remote, error);
}

int options_take(const mneme_options *given, mneme_options *out, mneme_error *error) {
    *out = (mneme_options){.size = sizeof *out};
    if (!given)
        return 0;
    if (given->size == 0 || given->size > sizeof *out)
        return error_set(error, MNEME_INVALID,
                         "mneme_options.size is %zu; set it to sizeof(mneme_options), and use the "
                         "header of this library",
                         given->size);
    memcpy(out, given, given->size);
    out->size = sizeof *out;
    return check_options(out, error);
}

static int packer_open(const mneme_options *options, struct packer **out, mneme_error *error) {
    static const enum pack_algorithm algorithms[] = {
        [MNEME_COMPRESS_DEFAULT] = PACK_ZSTD_DICTIONARY,
        [MNEME_COMPRESS_NONE] = PACK_RAW,
        [MNEME_COMPRESS_LZ4] = PACK_LZ4,
        [MNEME_COMPRESS_GZIP] = PACK_GZIP,
        [MNEME_COMPRESS_ZSTD] = PACK_ZSTD,
    };
    struct pack_options packing = {.algorithm = algorithms[options->compression],
                                   .level = options->compression_level,
                                   .min_bytes = options->compression_min_bytes};
    return packer_create(&packing, out, error);
}

static int mem_open(struct store **out, mneme_error *error) {
    uint64_t device;
    TRY(random_bytes(&device, sizeof device, error));
    return mem_store_open(device | 1, out, error);
}

static int kv_open(const struct url *url, const mneme_options *options, struct store **out,
                   mneme_error *error) {
    struct kv_options kv = {.must_exist = options->must_exist,
                            .read_only = options->read_only,
                            .allow_network_filesystem = options->allow_network_filesystem,
                            .max_stale_bytes = options->max_stale_bytes};
    return url_explain(url, kv_store_open(url->path, &kv, out, error), error);
}

/* The store that keeps the records. */
static int keeper_open(mneme *m, const struct url *url, struct store **out, mneme_error *error) {
    switch (url->kind) {
    case URL_KV:
        return kv_open(url, &m->options, out, error);
    case URL_MEM:
        return mem_open(out, error);
    case URL_FILE:
    case URL_REMOTE:
        break;
    }
    TRY(remote_store_open(url, &m->options, m->meter, &m->sql, &m->driver, error));
    m->far = url->kind == URL_REMOTE;
    *out = m->sql;
    return 0;
}

/* What is measured lies right above it; of a server's store others' changes are followed above. */
static int bottom_open(mneme *m, const struct url *url, struct store **out, mneme_error *error) {
    static const enum metered_as as[] = {[URL_KV] = METERED_KV,
                                         [URL_MEM] = METERED_MEM,
                                         [URL_FILE] = METERED_SQL,
                                         [URL_REMOTE] = METERED_SQL};
    struct followed_options follow = {.interval_ms = m->options.remote.refresh_ms};
    struct store *store;
    bool is_file = url->kind == URL_KV || url->kind == URL_FILE; /* known when it is there */
    if (!is_file)
        TRY(metrics_open(m, url, error));
    TRY(keeper_open(m, url, &store, error));
    int status = is_file ? metrics_open(m, url, error) : 0;
    if (status == 0 && m->meter)
        status = metered_open(store, as[url->kind], m->meter, &store, error);
    m->bottom = store;
    if (status == 0 && m->far)
        status = followed_open(store, &follow, &store, error);
    if (status) {
        store_close(store);
        m->bottom = m->sql = NULL;
        return status;
    }
    *out = store;
    return 0;
}

static int store_open(mneme *m, const struct url *url, mneme_error *error) {
    struct store *below;
    TRY(bottom_open(m, url, &below, error));
    struct batched_options group = {.operations = m->options.batch_operations,
                                    .interval_ms = m->options.batch_interval_ms,
                                    .queue_operations = m->options.queue_operations,
                                    .meter = m->meter};
    int status = batched_open(below, &group, &m->queue, error);
    if (status)
        store_close(below);
    else
        m->store = m->queue;
    return status;
}

void handle_destroy(mneme *m) {
    if (!m)
        return;
    syncer_destroy(m->syncer);
    dictionaries_destroy(m->dictionaries);
    store_close(m->store);
    meter_close(m->meter);
    meter_close(m->observer);
    packer_destroy(m->packer);
    mem_free(m->path);
    mem_free(m);
}

/* Texts of the options, secrets among them, are not needed any longer, and need not live. */
static void forget_texts(mneme_options *options) {
    mneme_remote_options *o = &options->remote;
    o->token = o->token_file = o->basic = o->replica_url = o->name_space = o->ca_file = NULL;
    options->sync = (mneme_sync_options){.url = NULL};
}

static int handle_open(mneme *m, const struct url *url, mneme_error *error) {
    size_t size = strlen(url->text) + 1;
    m->path = mem_alloc(size);
    if (!m->path)
        return error_set(error, MNEME_NO_MEMORY, "no memory to open %s", url->text);
    memcpy(m->path, url->text, size);
    TRY(packer_open(&m->options, &m->packer, error));
    TRY(store_open(m, url, error));
    TRY(caches_open(m, error));
    TRY(dictionaries_create(m, &m->dictionaries, error));
    TRY(syncer_open(m, error));
    levels_tell(m, false); /* so that one that does nothing yet is seen, too */
    forget_texts(&m->options);
    return syncer_start(m->syncer, error);
}

/* A query stays out, whatever it says. */
static mneme_text shown_url(const struct url *url) {
    size_t size = url->kind == URL_REMOTE ? strcspn(url->text, "?") : strlen(url->text);
    return (mneme_text){url->text, size};
}

static void log_opening(const mneme *m, const struct url *url, int64_t took_us, int status) {
    if (status)
        LOG(INFO, API, "store not opened", LOG_TEXT("store", shown_url(url)),
            LOG_MS("duration_ms", took_us), LOG_ERROR_TYPE(status));
    else
        LOG(INFO, API, "store opened", LOG_TEXT("store", shown_url(url)),
            LOG_BOOL("read_only", m->options.read_only), LOG_BOOL("cached", m->cached != NULL),
            LOG_BOOL("synced", m->syncer != NULL), LOG_MS("duration_ms", took_us));
}

int call_open(const char *url, const mneme_options *options, mneme **out, mneme_error *error) {
    mneme_options taken;
    struct url parsed;
    if (!out)
        return error_set(error, MNEME_INVALID, "mneme_open: out is NULL");
    TRY(url_parse(url, &parsed, error));
    TRY(options_take(options, &taken, error));
    if (taken.sync.url && parsed.kind != URL_KV)
        return error_set(
            error, MNEME_INVALID,
            "only a store that is a plain path, such as memory.mdb, can be synced with "
            "a remote; open the remote itself, or give a path");
    mneme *m = mem_zalloc(1, sizeof *m);
    if (!m)
        return error_set(error, MNEME_NO_MEMORY, "no memory to open %s", url);
    int64_t begun_us = clock_monotonic_us();
    m->options = taken;
    m->generation = process_generation();
    int status = handle_open(m, &parsed, error);
    log_opening(m, &parsed, clock_monotonic_us() - begun_us, status);
    if (status) {
        handle_destroy(m);
        return status;
    }
    *out = m;
    return 0;
}

int call_close(mneme *m, mneme_error *error) {
    /* In a child the threads that hold locks are not there: what it inherited is left alone. */
    TRY(handle_check(m, error));
    int status = batched_flush(m->queue, error);
    dictionaries_finish(m);
    struct url url;
    if (log_is_on(LOG_LAYER_API, MNEME_LOG_INFO) && url_parse(m->path, &url, NULL) == 0)
        LOG(INFO, API, "store closed", LOG_TEXT("store", shown_url(&url)), LOG_ERROR_TYPE(status));
    if (syncer_stop(m->syncer)) /* else the thread that is still in a request frees it */
        handle_destroy(m);
    return status;
}

int mneme_default_store(char *path, size_t size, mneme_error *error) {
    if (!path)
        return error_set(error, MNEME_INVALID, "mneme_default_store: path is NULL");
    return path_default_store(path, size, error);
}

int call_flush(mneme *m, mneme_error *error) {
    TRY(handle_check(m, error));
    return batched_flush(m->queue, error);
}

int call_ticket_wait(mneme *m, mneme_ticket ticket, int64_t timeout_ms, mneme_error *error) {
    TRY(handle_check(m, error));
    return batched_wait(m->queue, ticket, timeout_ms, error);
}

int call_stats_get(mneme *m, mneme_stats *stats, mneme_error *error) {
    TRY(handle_check(m, error));
    if (!stats || stats->size != sizeof *stats)
        return error_set(error, MNEME_INVALID,
                         "mneme_stats.size is not sizeof(mneme_stats); set it before the call");
    struct store_stats store;
    mneme_sync_status sync = {.size = sizeof sync};
    TRY(store_stats(m->store, &store, error));
    TRY(syncer_status(m, &sync, error));
    levels_tell_store(m, &store);
    struct pack_counters packed = packer_counters(m->packer);
    *stats = (mneme_stats){.size = sizeof *stats,
                           .file_bytes = store.file_bytes,
                           .used_bytes = store.used_bytes,
                           .commits = store.commits,
                           .readers = store.readers,
                           .changes = store.changes,
                           .device = store.device,
                           .groups = store.groups,
                           .grouped_writes = store.grouped_batches,
                           .compressed_in = packed.in,
                           .compressed_out = packed.out,
                           .compression_skipped = packed.skipped,
                           .dictionary_bodies = packed.with_dictionary};
    caches_stats(m, stats->caches);
    remote_stats(m->sql, m->driver, &stats->remote);
    stats->sync = sync;
    snprintf(stats->path, sizeof stats->path, "%s", m->path);
    for (size_t i = 0; i < MNEME_KIND_COUNT; i++)
        stats->kinds[i] =
            (mneme_kind_stats){store.kinds[i].records, store.kinds[i].tombstones,
                               store.kinds[i].stored_bytes, store.kinds[i].plain_bytes};
    return 0;
}

int call_backup(mneme *m, const char *path, mneme_error *error) {
    TRY(handle_check(m, error));
    if (!path || !*path)
        return error_set(error, MNEME_INVALID, "the backup needs a path");
    struct url url;
    TRY(url_parse(path, &url, error));
    bool fits = url.kind == URL_KV || (url.kind == URL_FILE && m->driver && !m->far);
    if (!fits)
        return error_set(error, MNEME_INVALID,
                         "a backup is a file of the kind of its store; give a plain path, or use "
                         "export and import to bring records into a store of another kind");
    return store_backup(m->store, url.path, error);
}
