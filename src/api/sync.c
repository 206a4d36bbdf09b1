/*
 * sync.c - joining a handle to its remote: settings, the engine, its turns, and how it stands.
 */
#include "api/sync.h"
#include "api/calls.h"

#include <stdio.h>
#include <unistd.h>

#include "api/metrics.h"
#include "api/remote.h"
#include "net/net.h"

enum {
    POLL_MS = 250,
    POLL_MAX_MS = 30000,
    PUSH_MAX = 100,
    GATHER_MS = 100,
    KEEP_DAYS = 90,
    KEEP_DAYS_MAX = 36500,
    LEASE_MS = 30000,
    STOP_US = 2 * 1000 * 1000 /* how long closing waits for a request that is under way */
};
#define DAY_US (INT64_C(86400) * 1000 * 1000)

/* ---- Settings ------------------------------------------------------------------------------ */

static uint32_t or_default(uint32_t value, uint32_t standard) { return value ? value : standard; }

static int check_remote(const char *text, const mneme_remote_options *remote, mneme_error *error) {
    struct url url;
    struct net_url server;
    TRY(url_parse(text, &url, error));
    if (url.kind != URL_FILE && url.kind != URL_REMOTE)
        return error_set(error, MNEME_INVALID,
                         "sync.url, %s, is no remote; give the libsql:// or https:// URL of a "
                         "server, or file:PATH for an SQLite file",
                         text);
    if (url.kind == URL_FILE)
        return 0;
    TRY(net_url_parse(text, &server, error));
    if (!server.tls && !server.loopback && !remote->allow_plain_http)
        return error_set(error, MNEME_INVALID,
                         "%s is not this machine, and plain http sends all in the clear; use "
                         "https, or allow plain http",
                         server.origin);
    return 0;
}

static bool is_known_attribute(const mneme_pair *pair, mneme_error *error) {
    AUTO_ARENA struct arena arena = {0};
    struct attribute attribute;
    for (int kind = 1; kind < MNEME_KIND_COUNT; kind++)
        if (kind_is_public((mneme_kind)kind) &&
            model_attribute((mneme_kind)kind, pair, &arena, &attribute, error) == 0)
            return true;
    return false;
}

static int check_row(const mneme_pair *row, size_t index, mneme_error *error) {
    if ((row->name.size && !row->name.data) || (row->value.size && !row->value.data))
        return error_set(error, MNEME_INVALID, "sync.only[%zu]: has a size but no data", index);
    if (slice_equal(slice_of_text(row->name), slice_of_string("kind"))) {
        if (kind_is_public(kind_of_name(row->value)))
            return 0;
        return error_set(error, MNEME_INVALID, "sync.only[%zu]: there is no kind \"%.*s\"", index,
                         (int)size_min(row->value.size, 60), row->value.data);
    }
    if (is_known_attribute(row, NULL))
        return 0;
    return error_set(error, MNEME_INVALID,
                     "sync.only[%zu]: no kind has the attribute \"%.*s\"; there are kind, type, "
                     "domain, language, framework, outcome, tag, origin and meta.NAME, for example",
                     index, (int)size_min(row->name.size, 60), row->name.data);
}

int sync_check(const mneme_sync_options *o, const mneme_remote_options *remote,
               mneme_error *error) {
    if ((int)o->mode < 0 || o->mode > MNEME_SYNC_MANUAL)
        return error_set(error, MNEME_INVALID, "sync.mode: there is no mode %d", (int)o->mode);
    if (o->name && (!*o->name || strlen(o->name) >= FEED_NAME_MAX))
        return error_set(error, MNEME_INVALID, "sync.name: give a name of 1 to %d bytes",
                         FEED_NAME_MAX - 1);
    if (o->only_count && !o->only)
        return error_set(error, MNEME_INVALID, "sync.only is NULL, and sync.only_count is not 0");
    for (size_t i = 0; i < o->only_count; i++)
        TRY(check_row(&o->only[i], i, error));
    if (or_default(o->poll_ms, POLL_MS) > or_default(o->poll_max_ms, POLL_MAX_MS))
        return error_set(error, MNEME_INVALID, "sync.poll_ms is more than sync.poll_max_ms");
    if (o->push_max > FEED_PULL_MAX)
        return error_set(error, MNEME_INVALID, "sync.push_max, %u, is more than %d", o->push_max,
                         FEED_PULL_MAX);
    if (o->keep_days > KEEP_DAYS_MAX)
        return error_set(error, MNEME_INVALID, "sync.keep_days, %u, is more than %d", o->keep_days,
                         KEEP_DAYS_MAX);
    return o->url ? check_remote(o->url, remote, error) : 0;
}

static int copy_text(struct arena *arena, const char **text) {
    struct slice copy;
    if (!*text)
        return 0;
    if (arena_copy(arena, slice_of(*text, strlen(*text) + 1), &copy))
        return MNEME_NO_MEMORY;
    *text = (const char *)copy.data;
    return 0;
}

static int copy_rows(struct arena *arena, mneme_sync_options *o) {
    mneme_pair *rows = arena_zalloc(arena, o->only_count, sizeof *rows);
    struct slice name, value;
    if (!rows)
        return MNEME_NO_MEMORY;
    for (size_t i = 0; i < o->only_count; i++) {
        if (arena_copy(arena, slice_of_text(o->only[i].name), &name) ||
            arena_copy(arena, slice_of_text(o->only[i].value), &value))
            return MNEME_NO_MEMORY;
        rows[i] = (mneme_pair){text_of_slice(name), text_of_slice(value)};
    }
    o->only = rows;
    return 0;
}

static int copy_texts(struct arena *arena, struct sync_settings *settings) {
    mneme_remote_options *remote = &settings->remote.remote;
    const char **const texts[] = {
        &settings->sync.url, &settings->sync.name, &remote->token,      &remote->token_file,
        &remote->basic,      &remote->replica_url, &remote->name_space, &remote->ca_file,
    };
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        TRY(copy_text(arena, texts[i]));
    return copy_rows(arena, &settings->sync);
}

/* The copies of secrets need not outlive the handle. */
static void wipe_secrets(const struct sync_settings *settings) {
    const mneme_remote_options *remote = &settings->remote.remote;
    const char *const secrets[] = {remote->token, remote->basic};
    for (size_t i = 0; i < COUNT_OF(secrets); i++) {
        char *own;
        memcpy(&own, &secrets[i], sizeof own);
        if (own)
            explicit_bzero(own, strlen(own));
    }
}

static int settings_make(struct syncer *s, const mneme_options *options, mneme_error *error) {
    mneme_sync_options *o = &s->settings.sync;
    char host[FEED_NAME_MAX] = "";
    *o = options->sync;
    s->settings.remote = (mneme_options){
        .size = sizeof(mneme_options),
        .allow_network_filesystem = options->allow_network_filesystem,
        .remote = options->remote,
    };
    if (!o->name && gethostname(host, sizeof host - 1) == 0 && *host)
        o->name = host;
    if (copy_texts(&s->arena, &s->settings))
        return error_set(error, MNEME_NO_MEMORY, "no memory to sync with a remote");
    o->poll_ms = or_default(o->poll_ms, POLL_MS);
    o->poll_max_ms = or_default(o->poll_max_ms, POLL_MAX_MS);
    o->push_max = or_default(o->push_max, PUSH_MAX);
    o->gather_ms = or_default(o->gather_ms, GATHER_MS);
    o->keep_days = or_default(o->keep_days, KEEP_DAYS);
    o->lease_ms = or_default(o->lease_ms, LEASE_MS);
    return 0;
}

/* ---- Bodies -------------------------------------------------------------------------------- */

static int body_open(void *context, const struct stored_record *stored, struct arena *arena,
                     struct slice *plain, mneme_error *error) {
    mneme *m = context;
    return unpack(m->packer, stored->body, dictionaries_find, m, arena, plain, error);
}

/* Which dictionary a body was compressed with, held; NULL: none. */
struct search {
    mneme *m;
    struct dictionary *found;
};

static int note_found(void *context, const uint8_t ref[PACK_REF_SIZE], struct dictionary **out,
                      mneme_error *error) {
    struct search *search = context;
    TRY(dictionaries_find(search->m, ref, out, error));
    search->found = dictionary_hold(*out);
    return 0;
}

static int dictionary_of(mneme *m, struct slice packed, struct dictionary **out,
                         mneme_error *error) {
    AUTO_ARENA struct arena arena = {0};
    struct search search = {.m = m};
    struct slice plain;
    int status = unpack(m->packer, packed, note_found, &search, &arena, &plain, error);
    if (status)
        dictionary_drop(search.found);
    else
        *out = search.found;
    return status;
}

static int body_close(void *context, mneme_kind kind, struct slice plain, struct slice like,
                      struct arena *arena, struct slice *packed, mneme_error *error) {
    mneme *m = context;
    struct dictionary *dictionary = NULL;
    if (like.size)
        TRY(dictionary_of(m, like, &dictionary, error));
    else
        dictionary = dictionaries_current(m, kind);
    AUTO_BUF struct buf out = BUF_INIT(STORE_BODY_MAX + 64);
    int status = pack(m->packer, dictionary, plain, &out, error);
    dictionary_drop(dictionary);
    TRY(status);
    return arena_copy(arena, buf_slice(&out), packed)
               ? error_set(error, MNEME_NO_MEMORY, "no memory for a record")
               : 0;
}

/* ---- Opening and closing ------------------------------------------------------------------- */

static int engine_open(struct syncer *s, mneme_error *error) {
    const mneme_sync_options *o = &s->settings.sync;
    struct sync_options options = {
        .local = s->local,
        .feed = s->feed,
        .bodies = {.context = s->m, .open = body_open, .close = body_close},
        .remote = o->url,
        .name = o->name ? o->name : "",
        .filter = {.rows = o->only, .count = o->only_count},
        .push_max = o->push_max,
        .lease_us = (int64_t)o->lease_ms * 1000,
        .keep_us = (int64_t)o->keep_days * DAY_US,
        .meter = s->m->meter,
    };
    return sync_open(&options, &s->engine, error);
}

int syncer_open(mneme *m, mneme_error *error) {
    if (!m->options.sync.url || m->options.read_only)
        return 0;
    struct syncer *s = mem_zalloc(1, sizeof *s);
    if (!s)
        return error_set(error, MNEME_NO_MEMORY, "no memory to sync with a remote");
    m->syncer = s;
    s->m = m;
    s->local = m->bottom;
    lock_init(&s->lock, RANK_API);
    signal_init(&s->moved);
    TRY(settings_make(s, &m->options, error));
    TRY(late_feed_open(s->settings.sync.url, &s->settings.remote, m->meter, &s->feed, error));
    return engine_open(s, error);
}

int syncer_start(struct syncer *s, mneme_error *error) {
    if (!s || s->settings.sync.mode == MNEME_SYNC_MANUAL)
        return 0;
    TRY(thread_start(&s->thread, sync_thread, s, error));
    s->has_thread = true;
    return 0;
}

bool syncer_stop(struct syncer *s) {
    if (!s || !s->has_thread)
        return true;
    int64_t until = clock_monotonic_us() + STOP_US;
    atomic_store_explicit(&s->closing, true, memory_order_release);
    feed_wake(s->feed);
    lock_acquire(&s->lock);
    while (!s->ended && clock_monotonic_us() < until)
        (void)signal_wait(&s->moved, &s->lock, until);
    bool ended = s->ended;
    pthread_t thread = s->thread;
    s->left = !ended;
    s->has_thread = false;
    lock_release(&s->lock); /* from here on the thread may free it all */
    if (ended)
        pthread_join(thread, NULL);
    else
        pthread_detach(thread);
    return ended;
}

void syncer_destroy(struct syncer *s) {
    if (!s)
        return;
    sync_close(s->engine);
    feed_close(s->feed);
    wipe_secrets(&s->settings);
    arena_fini(&s->arena);
    signal_fini(&s->moved);
    lock_fini(&s->lock);
    mem_free(s);
}

/* ---- Turns --------------------------------------------------------------------------------- */

void syncer_enter(struct syncer *s) {
    AUTO_LOCK(held, &s->lock);
    while (s->busy)
        (void)signal_wait(&s->moved, &s->lock, -1);
    s->busy = true;
}

void syncer_leave(struct syncer *s) {
    AUTO_LOCK(held, &s->lock);
    s->busy = false;
    signal_all(&s->moved);
}

int syncer_step(struct syncer *s, bool quiet, struct sync_progress *out, mneme_error *error) {
    syncer_enter(s);
    uint64_t begun = measure_begin(s->m);
    int status = sync_step(s->engine, quiet, out, error);
    syncer_leave(s);
    return measure_end(s->m, METER_SYNC_STEP, begun, status, NULL);
}

/* The first write since a step, and the one that makes a request full, wake the thread. */
void syncer_wrote(struct syncer *s, size_t count) {
    uint64_t full = s->settings.sync.push_max;
    if (!s->has_thread || count == 0)
        return;
    uint64_t before = atomic_fetch_add_explicit(&s->fresh, count, memory_order_relaxed);
    if (before != 0 && (before >= full || before + count < full))
        return;
    atomic_store_explicit(&s->woken, true, memory_order_release);
    feed_wake(s->feed);
}

/* ---- How it stands ------------------------------------------------------------------------- */

#define COPY_TEXT(to, from) snprintf(to, sizeof(to), "%s", from)

static void copy_status(const struct sync_status *from, mneme_sync_status *to) {
    *to = (mneme_sync_status){.size = sizeof *to,
                              .shared = from->shared,
                              .pending = from->pending,
                              .pending_bytes = from->pending_bytes,
                              .oldest_us = from->oldest_us,
                              .held = from->held,
                              .held_refused = from->held_refused,
                              .superseded = from->superseded,
                              .cursor = from->cursor,
                              .head = from->head,
                              .push_us = from->push_us,
                              .pull_us = from->pull_us,
                              .error_us = from->error_us,
                              .error_code = from->error_code,
                              .next_us = from->next_us,
                              .skew_us = from->skew_us,
                              .pushed = from->pushed,
                              .pulled = from->pulled,
                              .merged = from->merged,
                              .bytes_up = from->bytes_up,
                              .bytes_down = from->bytes_down,
                              .plain_bytes = from->plain_bytes,
                              .peer_count = size_min(from->peer_count, MNEME_SYNC_PEERS_MAX)};
    COPY_TEXT(to->remote, from->remote);
    COPY_TEXT(to->phase, from->phase);
    COPY_TEXT(to->error_text, from->error_text);
    COPY_TEXT(to->worker, from->worker);
    for (size_t i = 0; i < to->peer_count; i++) {
        const struct sync_peer *peer = &from->peers[i];
        to->peers[i] =
            (mneme_sync_peer){.seen_us = peer->seen_us, .behind = peer->behind, .self = peer->self};
        COPY_TEXT(to->peers[i].name, peer->name);
    }
}

int syncer_status(mneme *m, mneme_sync_status *out, mneme_error *error) {
    struct sync_status status = {.shared = false};
    mneme_error why = {0};
    int failed = sync_status(m->bottom, NULL, &status, &why);
    if (failed && failed != MNEME_UNSUPPORTED) { /* which a store is that cannot be synced */
        if (error)
            *error = why;
        return failed;
    }
    copy_status(&status, out);
    if (m->syncer && !out->remote[0])
        COPY_TEXT(out->remote, m->syncer->settings.sync.url);
    return 0;
}

int call_sync_status_get(mneme *m, mneme_sync_status *status, mneme_error *error) {
    TRY(handle_check(m, error));
    if (!status || status->size != sizeof *status)
        return error_set(error, MNEME_INVALID,
                         "mneme_sync_status.size is not sizeof(mneme_sync_status); set it before "
                         "the call");
    return syncer_status(m, status, error);
}
