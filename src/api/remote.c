/*
 * remote.c - the sql stores behind a handle: their options, their secrets, their statistics.
 */
#include "api/remote.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SECRET_MAX = 16 << 10, POOL_MAX_DEFAULT = 8 };

/* ---- Secrets ------------------------------------------------------------------------------ */

static void secret_wipe(char (*secret)[SECRET_MAX]) { explicit_bzero(*secret, SECRET_MAX); }
#define AUTO_SECRET CLEANUP(secret_wipe)

/* Visible ASCII, which a header can carry; so a line feed cannot add one. */
static bool is_word(const char *text) {
    for (; *text; text++)
        if (*text <= ' ' || *text > '~')
            return false;
    return true;
}

static int check_secret_file(int fd, const char *path, mneme_error *error) {
    struct stat st;
    if (fstat(fd, &st) != 0)
        return error_set_errno(error, errno, "cannot read the token file %s", path);
    if (!S_ISREG(st.st_mode))
        return error_set(error, MNEME_INVALID, "the token file %s is not a plain file", path);
    if (st.st_uid != geteuid())
        return error_set(error, MNEME_PERMISSION,
                         "the token file %s belongs to another user; make one of your own", path);
    if (st.st_mode & 077)
        return error_set(error, MNEME_PERMISSION,
                         "others may use the token file %s (its mode is %04o); run: chmod 600 %s",
                         path, (unsigned)st.st_mode & 07777, path);
    return 0;
}

static int take_word(const char *path, char *text, size_t size, mneme_error *error) {
    size_t first = strspn(text, " \t\r\n");
    while (size > first && strchr(" \t\r\n", text[size - 1]))
        size--;
    memmove(text, text + first, size - first);
    text[size - first] = 0;
    if (!*text)
        return error_set(error, MNEME_INVALID, "the token file %s is empty", path);
    if (strlen(text) != size - first || !is_word(text))
        return error_set(error, MNEME_INVALID,
                         "the token file %s holds something else than one token; write the token "
                         "and nothing else into it",
                         path);
    return 0;
}

int secret_read(const char *path, char *text, size_t size, mneme_error *error) {
    /* Not blocking, so that a pipe with this name is told and not waited for. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 && errno == ELOOP)
        return error_set(error, MNEME_INVALID,
                         "the token file %s is a symbolic link; name the file itself", path);
    if (fd < 0)
        return error_set_errno(error, errno, "cannot read the token file %s", path);
    int status = check_secret_file(fd, path, error);
    ssize_t n = status ? 0 : pread(fd, text, size, 0);
    int failed = n < 0 ? errno : 0;
    close(fd);
    if (failed)
        return error_set_errno(error, failed, "cannot read the token file %s", path);
    if (status == 0 && (size_t)n == size)
        return error_set(error, MNEME_INVALID,
                         "the token file %s is over %zu bytes, which no token is", path, size - 1);
    text[n] = 0;
    return status ? status : take_word(path, text, (size_t)n, error);
}

/* ---- Options ------------------------------------------------------------------------------ */

int remote_check(const mneme_remote_options *o, mneme_error *error) {
    int ways = (o->token != NULL) + (o->token_file != NULL) + (o->basic != NULL);
    if (ways > 1)
        return error_set(error, MNEME_INVALID,
                         "remote.token, remote.token_file and remote.basic exclude each other; "
                         "give one of them");
    if (o->token && (!*o->token || strlen(o->token) >= SECRET_MAX || !is_word(o->token)))
        return error_set(error, MNEME_INVALID,
                         "remote.token is no token: it is empty, or has white space or other "
                         "characters in it that no token has");
    if (o->basic && (!strchr(o->basic, ':') || strpbrk(o->basic, "\r\n")))
        return error_set(error, MNEME_INVALID, "remote.basic is not \"user:password\"");
    if ((int)o->encoding < 0 || o->encoding > MNEME_ENCODING_PROTOBUF)
        return error_set(error, MNEME_INVALID, "remote.encoding: there is no encoding %d",
                         (int)o->encoding);
    if (o->pool_min > (o->pool_max ? o->pool_max : POOL_MAX_DEFAULT))
        return error_set(error, MNEME_INVALID,
                         "remote.pool_min, %u, is more than remote.pool_max, %u", o->pool_min,
                         o->pool_max ? o->pool_max : POOL_MAX_DEFAULT);
    return 0;
}

static struct hrana_options hrana_options_of(const struct url *url, const mneme_remote_options *o,
                                             struct meter *meter, const char *token) {
    static const enum hrana_encoding encodings[] = {
        [MNEME_ENCODING_AUTO] = HRANA_AUTO,
        [MNEME_ENCODING_JSON] = HRANA_JSON,
        [MNEME_ENCODING_PROTOBUF] = HRANA_PROTOBUF,
    };
    return (struct hrana_options){.net = {.meter = meter,
                                          .url = url->text,
                                          .token = token,
                                          .basic = o->basic,
                                          .ca_file = o->ca_file,
                                          .allow_plain_http = o->allow_plain_http,
                                          .pool_min = o->pool_min,
                                          .pool_max = o->pool_max,
                                          .idle_ms = o->pool_idle_ms,
                                          .age_ms = o->pool_age_ms,
                                          .acquire_ms = o->acquire_ms,
                                          .connect_ms = o->connect_ms,
                                          .total_ms = o->timeout_ms,
                                          .stall_ms = o->stall_ms,
                                          .attempts_max = o->attempts,
                                          .breaker_failures = o->breaker_failures,
                                          .breaker_open_ms = o->breaker_open_ms},
                                  .replica_url = o->replica_url,
                                  .name_space = o->name_space,
                                  .encoding = encodings[o->encoding],
                                  .no_streams = o->no_streams};
}

static int server_driver_open(const struct url *url, const mneme_remote_options *o,
                              struct meter *meter, struct sql_driver **out, mneme_error *error) {
    AUTO_SECRET char secret[SECRET_MAX];
    secret[0] = 0;
    if (o->token_file)
        TRY(secret_read(o->token_file, secret, sizeof secret, error));
    struct hrana_options hrana = hrana_options_of(url, o, meter, o->token_file ? secret : o->token);
    return hrana_driver_open(&hrana, out, error);
}

int remote_driver_open(const struct url *url, const mneme_options *options, struct sql_driver **out,
                       mneme_error *error) {
    return remote_driver_open_metered(url, options, NULL, out, error);
}

int remote_driver_open_metered(const struct url *url, const mneme_options *options,
                               struct meter *meter, struct sql_driver **out, mneme_error *error) {
    const mneme_remote_options *o = &options->remote;
    if (url->kind == URL_REMOTE)
        return server_driver_open(url, o, meter, out, error);
    struct sqlite_options sqlite = {.must_exist = options->must_exist,
                                    .read_only = options->read_only,
                                    .allow_network_filesystem = options->allow_network_filesystem,
                                    .connections = o->connections,
                                    .statements = o->statements,
                                    .busy_ms = o->busy_ms};
    return url_explain(url, sqlite_driver_open(url->path, &sqlite, out, error), error);
}

/* ---- The store ---------------------------------------------------------------------------- */

int remote_store_open(const struct url *url, const mneme_options *options, struct meter *meter,
                      struct store **sql, struct sql_driver **driver, mneme_error *error) {
    struct sql_options tables = {.must_exist = options->must_exist,
                                 .read_only = options->read_only};
    struct sql_driver *opened;
    TRY(remote_driver_open_metered(url, options, meter, &opened, error));
    int status = sql_store_open(opened, &tables, sql, error);
    if (status) {
        opened->operations->close(opened);
        return url_explain(url, status, error);
    }
    *driver = opened;
    return 0;
}

/* ---- Statistics --------------------------------------------------------------------------- */

static mneme_breaker breaker_of(enum net_breaker_state state) {
    return state == NET_BREAKER_CLOSED ? MNEME_BREAKER_CLOSED
           : state == NET_BREAKER_OPEN ? MNEME_BREAKER_OPEN
                                       : MNEME_BREAKER_TRYING;
}

void remote_stats(struct store *sql, const struct sql_driver *driver, mneme_remote_stats *out) {
    struct sql_counters c;
    if (!sql)
        return;
    sql_store_counters(sql, &c);
    *out = (mneme_remote_stats){.requests = c.net.calls ? c.net.calls : c.programs,
                                .repeats = c.repeats,
                                .retries = c.net.retries,
                                .failures = c.net.failures,
                                .retries_refused = c.net.retries_refused,
                                .bytes_up = c.net.bytes_up,
                                .bytes_down = c.net.bytes_down,
                                .connects = c.net.connects,
                                .reuses = c.net.reuses,
                                .closed_by_idle = c.net.closed_by_idle,
                                .closed_by_age = c.net.closed_by_age,
                                .closed_by_failure = c.net.closed_by_failure,
                                .waits = c.net.waits,
                                .wait_us = c.net.wait_us,
                                .acquire_timeouts = c.net.acquire_timeouts,
                                .open = c.net.open,
                                .idle = c.net.idle,
                                .waiting = c.net.waiting,
                                .target = c.net.target,
                                .breaker = breaker_of(c.net.breaker),
                                .breaker_opened = c.net.breaker_opened,
                                .breaker_refused = c.net.breaker_refused,
                                .replica_reads = c.replica_reads,
                                .replica_fallbacks = c.replica_fallbacks,
                                .prepared = c.prepared,
                                .prepare_hits = c.prepare_hits,
                                .prepare_evictions = c.prepare_evictions,
                                .prepare_refreshes = c.prepare_refreshes};
    snprintf(out->dialect, sizeof out->dialect, "%s", driver->operations->name);
}
