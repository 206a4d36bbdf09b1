/*
 * doctor.c - mneme_doctor: looks at a store from outside, and says what is wrong with it.
 *
 * Each check is one sentence and the next step. A check that cannot be made because an earlier one
 * failed is left out. Nothing is made: a store is opened for reading, and only if it exists.
 */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/calls.h"
#include "api/handle.h"
#include "api/remote.h"

enum { SKEW_MAX_US = 1000 * 1000, READERS_MANY = 900, READERS_MAX = 1024 };

struct doctor {
    struct url url;
    mneme_options options;
    mneme_check_sink *sink;
    void *context;
    mneme_doctor_report report;
    int status; /* of the first check that failed */
    mneme_error *error;
};

/* ---- Telling ------------------------------------------------------------------------------ */

static void tell(struct doctor *d, const mneme_check *check) {
    uint32_t *const counts[] = {&d->report.fine, &d->report.warnings, &d->report.failures};
    ++*counts[check->verdict];
    if (check->verdict == MNEME_CHECK_FAILED && d->status == 0)
        d->status = error_set(d->error, check->code, "%s%s%s", check->text,
                              *check->next ? "; " : "", check->next);
    if (d->sink)
        d->sink(d->context, check);
}

static void fine(struct doctor *d, const char *topic, const char *format, ...) PRINTF_LIKE(3, 4);
static void fine(struct doctor *d, const char *topic, const char *format, ...) {
    char text[MNEME_ERROR_TEXT_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    tell(d, &(mneme_check){.verdict = MNEME_CHECK_FINE, .topic = topic, .text = text, .next = ""});
}

static void warn(struct doctor *d, const char *topic, const char *next, const char *format, ...)
    PRINTF_LIKE(4, 5);
static void warn(struct doctor *d, const char *topic, const char *next, const char *format, ...) {
    char text[MNEME_ERROR_TEXT_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    tell(d, &(mneme_check){
                .verdict = MNEME_CHECK_WARNING, .topic = topic, .text = text, .next = next});
}

static void failed(struct doctor *d, const char *topic, const mneme_error *why, const char *next) {
    tell(d, &(mneme_check){.verdict = MNEME_CHECK_FAILED,
                           .code = why->code,
                           .topic = topic,
                           .text = why->message,
                           .next = next});
}

/* ---- Files -------------------------------------------------------------------------------- */

static void look_at_stats(struct doctor *d, const mneme_stats *stats) {
    uint64_t records = 0;
    for (size_t i = 0; i < MNEME_KIND_COUNT; i++)
        records += stats->kinds[i].records;
    d->report.exists = d->report.reads = true;
    fine(d, "store", "%s is %s: %llu record%s", d->url.path,
         d->url.kind == URL_FILE ? "an SQLite file with tables of mneme" : "a file of mneme's own",
         (unsigned long long)records, records == 1 ? "" : "s");
    fine(d, "size", "%llu bytes, %llu of them in use", (unsigned long long)stats->file_bytes,
         (unsigned long long)stats->used_bytes);
    if (stats->readers > READERS_MANY)
        warn(d, "readers", "end processes that keep the store open without need",
             "%llu of %d places for readers are taken", (unsigned long long)stats->readers,
             READERS_MAX);
    else if (d->url.kind == URL_KV)
        fine(d, "readers", "%llu of %d places for readers are taken",
             (unsigned long long)stats->readers, READERS_MAX);
}

static void look_at_access(struct doctor *d) {
    const char *path = d->url.path;
    struct stat st;
    d->report.writes = faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) == 0;
    if (d->report.writes)
        fine(d, "access", "this user may read and write it");
    else
        warn(d, "access", "to write, change its owner or mode, or run as its owner",
             "this user may only read it");
    if (stat(path, &st) == 0 && st.st_mode & 077)
        warn(d, "privacy", "if they should not, run chmod 600 on it",
             "other users may use the file: its mode is %04o", (unsigned)st.st_mode & 07777);
}

static void look_at_file(struct doctor *d) {
    mneme_error why = {0};
    mneme_stats stats = {.size = sizeof stats};
    struct path_info info;
    mneme *m = NULL;
    if (path_inspect(d->url.path, &info, &why)) {
        failed(d, "store", &why, "give the path of a store");
        return;
    }
    if (info.type == PATH_ABSENT) {
        error_set(&why, MNEME_NOT_FOUND, "there is no file %s", d->url.path);
        failed(d, "store", &why, "make a store there with `mneme init`, or give another path");
        return;
    }
    if (mneme_open(d->url.text, &d->options, &m, &why) == 0 &&
        mneme_stats_get(m, &stats, &why) == 0)
        look_at_stats(d, &stats);
    else
        failed(d, "store", &why, "");
    (void)mneme_close(m, NULL);
    if (d->report.exists)
        look_at_access(d);
}

/* ---- Servers ------------------------------------------------------------------------------ */

static const char *next_step(int status) {
    switch (status) {
    case MNEME_UNAVAILABLE:
    case MNEME_UNCERTAIN:
        return "see that the server runs, and that host, port, proxy and firewall let this "
               "machine reach it";
    case MNEME_UNAUTHORIZED:
        return "give a token that is valid for this database; docs/remote.md tells how";
    case MNEME_NOT_FOUND:
        return "see that the database, or the namespace, exists on the server";
    default:
        return "";
    }
}

static void look_at_settings(struct doctor *d) {
    const mneme_remote_options *o = &d->options.remote;
    struct net_url server;
    if (net_url_parse(d->url.text, &server, NULL))
        return;
    if (!server.tls && !server.loopback)
        warn(d, "encryption", "use the https:// or libsql:// URL, if the server has one",
             "requests go unencrypted to %s, the token with them", server.host);
    else
        fine(d, "encryption",
             server.tls ? "requests to %s are encrypted (TLS)"
                        : "requests to %s stay on this machine, unencrypted",
             server.host);
    fine(d, "token", "%s",
         o->token        ? "a token is given"
         : o->token_file ? "the token file is private, and holds a token"
         : o->basic      ? "user and password are given"
                         : "no token is given");
}

static double ms_of(int64_t us) { return (double)us / 1000; }

static void look_at_clock(struct doctor *d, const struct hrana_probe *probe) {
    if (!probe->skew_known)
        return;
    d->report.skew_us = probe->skew_us;
    if (llabs((long long)probe->skew_us) <= SKEW_MAX_US)
        fine(d, "clock", "the server's clock and this one's agree to a second");
    else
        warn(d, "clock",
             "set both by NTP: the times of records, and which of two versions is the later, "
             "depend on them",
             "the server's clock is %.1f s %s this one's", ms_of(llabs(probe->skew_us)) / 1000,
             probe->skew_us > 0 ? "ahead of" : "behind");
}

static void look_at_rights(struct doctor *d, const struct hrana_probe *probe) {
    mneme_error why = {0};
    d->report.reads = probe->reads;
    d->report.writes = probe->writes;
    if (probe->reads && probe->writes)
        fine(d, "access", "reading and writing are allowed");
    else if (probe->reads)
        warn(d, "access", "to write, give a token with full access", "only reading is allowed");
    else {
        error_set(&why, MNEME_UNAUTHORIZED, "reading is not allowed");
        failed(d, "access", &why, next_step(MNEME_UNAUTHORIZED));
    }
}

static void look_at_probe(struct doctor *d, const struct hrana_probe *probe) {
    const mneme_remote_options *o = &d->options.remote;
    fine(d, "server", "%s answers; it speaks Hrana%s%s%s",
         *probe->server ? probe->server : "the server", probe->v3 ? " 3" : "",
         probe->v2 ? (probe->v3 ? " and 2" : " 2") : "",
         probe->protobuf ? ", in JSON and protobuf" : ", in JSON");
    d->report.connect_us = probe->connect_us;
    d->report.latency_us = probe->latency_us;
    fine(d, "latency", "%.1f ms to connect, %.1f ms for a request on a kept connection",
         ms_of(probe->connect_us), ms_of(probe->latency_us));
    look_at_clock(d, probe);
    look_at_rights(d, probe);
    if (o->replica_url && probe->replica_ok)
        fine(d, "replica", "the replica answers, and reads go there");
    else if (o->replica_url)
        warn(d, "replica", "see that it runs, and that its URL is right",
             "the replica does not answer; reads go to the primary");
    fine(d, "pool",
         "at most %u connections; one is closed when idle for %.0f s or older than %.0f s",
         o->pool_max ? o->pool_max : 8, (o->pool_idle_ms ? o->pool_idle_ms : 30000) / 1000.0,
         (o->pool_age_ms ? o->pool_age_ms : 600000) / 1000.0);
}

/* Takes the driver. */
static void look_at_tables(struct doctor *d, struct sql_driver *driver) {
    struct sql_options tables = {.must_exist = true, .read_only = true};
    struct store_stats stats;
    struct store *store = NULL;
    mneme_error why = {0};
    int status = sql_store_open(driver, &tables, &store, &why);
    if (status)
        driver->operations->close(driver);
    else
        status = store_stats(store, &stats, &why);
    store_close(store);
    if (status == MNEME_NOT_FOUND) {
        warn(d, "tables", "`mneme init` makes them, and so does the first write",
             "there are no tables of mneme in this database");
    } else if (status) {
        failed(d, "tables", &why, next_step(status));
    } else {
        uint64_t records = 0;
        for (size_t i = 0; i < MNEME_KIND_COUNT; i++)
            records += stats.kinds[i].records;
        d->report.exists = true;
        fine(d, "tables", "there are tables of mneme, with %llu record%s",
             (unsigned long long)records, records == 1 ? "" : "s");
    }
}

static void look_at_server(struct doctor *d) {
    struct sql_driver *driver;
    struct hrana_probe probe = {0};
    mneme_error why = {0};
    if (remote_driver_open(&d->url, &d->options, &driver, &why)) {
        failed(d, "settings", &why, "");
        return;
    }
    look_at_settings(d);
    int status = hrana_probe(driver, &probe, &why);
    if (status) {
        failed(d, "server", &why, next_step(status));
        driver->operations->close(driver);
        return;
    }
    look_at_probe(d, &probe);
    if (probe.reads)
        look_at_tables(d, driver);
    else
        driver->operations->close(driver);
}

/* ---- The call ----------------------------------------------------------------------------- */

static void look(struct doctor *d) {
    switch (d->url.kind) {
    case URL_MEM:
        fine(d, "store", "a store in memory; it ends with its handle");
        break;
    case URL_KV:
    case URL_FILE:
        look_at_file(d);
        break;
    case URL_REMOTE:
        look_at_server(d);
        break;
    }
}

int call_doctor(const char *url, const mneme_options *options, mneme_check_sink *sink,
                void *context, mneme_doctor_report *report, mneme_error *error) {
    struct doctor d = {
        .sink = sink, .context = context, .report.size = sizeof d.report, .error = error};
    mneme_error why = {0};
    if (report && report->size != sizeof *report)
        return error_set(error, MNEME_INVALID,
                         "mneme_doctor_report.size is not sizeof(mneme_doctor_report); set it "
                         "before the call");
    if (options_take(options, &d.options, &why) || url_parse(url, &d.url, &why))
        failed(&d, "settings", &why, "");
    else {
        d.options.must_exist = d.options.read_only = true;
        d.options.cache.off = true;
        look(&d);
    }
    if (report)
        *report = d.report;
    return d.status;
}
