/*
 * metrics_source.c - see metrics_source.h.
 */
#include "metrics_source.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum { RETRY_MS = 1000 };

struct metrics_source {
    const char *url;
    const char *path; /* of its file; NULL: a server, or memory */
    mneme_options options;
    mneme_metrics_scope scope;
    pthread_rwlock_t lock; /* scrapes share it; who opens the store anew has it alone */
    mneme *store;          /* NULL: it could not be opened again; `error` says why */
    dev_t device;          /* of the file that is open */
    ino_t inode;
    int64_t tried_ms;
    mneme_error error;
};

/* ---- Text ------------------------------------------------------------------------------------ */

int metrics_text(mneme *store, mneme_metrics_scope scope, enum metrics_format format,
                 mneme_bytes *out, mneme_error *error) {
    const mneme_metrics *metrics;
    int status = mneme_metrics_read(store, &metrics, error);
    if (status != 0)
        return status;
    status = format == METRICS_OPENMETRICS
                 ? mneme_metrics_to_openmetrics(metrics, scope, out, error)
                 : mneme_metrics_to_prometheus(metrics, scope, out, error);
    mneme_metrics_release(metrics);
    return status;
}

/* ---- The store ------------------------------------------------------------------------------- */

static int64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static const char *path_of(struct cli *cli, const char *url) {
    if (url_is_of_a_server(url) || strcmp(url, "mem:") == 0)
        return NULL;
    if (strncmp(url, "file:", 5) != 0)
        return url;
    url += 5;
    if (strncmp(url, "//", 2) == 0)
        url += 2;
    return pool_copy(&cli->pool, url, strcspn(url, "?"));
}

/* Note which file is open; one that cannot be found by its path is not looked for again. */
static void remember_file(struct metrics_source *source) {
    struct stat info;
    if (source->path == NULL || stat(source->path, &info) != 0) {
        source->path = NULL;
        return;
    }
    source->device = info.st_dev;
    source->inode = info.st_ino;
}

/* Whether the store is open, and its path still means the file that is. */
static bool is_current(const struct metrics_source *source) {
    struct stat info;
    if (source->store == NULL || source->path == NULL)
        return source->store != NULL;
    return stat(source->path, &info) == 0 && info.st_dev == source->device &&
           info.st_ino == source->inode;
}

/* With the lock alone. */
static int open_anew(struct metrics_source *source, mneme_error *error) {
    if (is_current(source))
        return 0;
    if (source->error.code == 0 || now_ms() - source->tried_ms >= RETRY_MS) {
        mneme_close(source->store, NULL);
        source->store = NULL;
        source->error.code =
            mneme_open(source->url, &source->options, &source->store, &source->error);
        source->tried_ms = now_ms();
        if (source->error.code == 0)
            remember_file(source);
    }
    *error = source->error;
    return source->error.code;
}

int metrics_source_open(struct cli *cli, mneme_metrics_scope scope, struct metrics_source **out) {
    const char *url;
    int status = cli_store_url(cli, &url);
    if (status == 0)
        status = cli_open(cli, OPEN_TO_READ);
    if (status != 0)
        return status;
    struct metrics_source *source = calloc(1, sizeof *source);
    if (source == NULL || pthread_rwlock_init(&source->lock, NULL) != 0) {
        free(source);
        return fail_with(&cli->error, MNEME_NO_MEMORY, "no memory to serve metrics");
    }
    source->url = url;
    source->path = path_of(cli, url);
    source->options = cli_options(cli, url, OPEN_TO_READ);
    source->scope = scope;
    source->store = cli->store;
    cli->store = NULL;
    remember_file(source);
    *out = source;
    return 0;
}

void metrics_source_close(struct metrics_source *source) {
    if (source == NULL)
        return;
    mneme_close(source->store, NULL);
    pthread_rwlock_destroy(&source->lock);
    free(source);
}

int metrics_source_text(struct metrics_source *source, enum metrics_format format, mneme_bytes *out,
                        mneme_error *error) {
    int status = 0;
    pthread_rwlock_rdlock(&source->lock);
    if (!is_current(source)) {
        pthread_rwlock_unlock(&source->lock);
        pthread_rwlock_wrlock(&source->lock);
        status = open_anew(source, error);
    }
    if (status == 0)
        status = metrics_text(source->store, source->scope, format, out, error);
    pthread_rwlock_unlock(&source->lock);
    return status;
}
