/*
 * stats_remote.c - the part of `stats` on the server, or the SQLite file, behind a store.
 */
#include <stddef.h>
#include <string.h>

#include "cli.h"
#include "display.h"

/* ---- JSON -------------------------------------------------------------------------------- */

struct figure {
    const char *name;
    size_t offset, size; /* in mneme_remote_stats */
};

#define FIGURE(field)                                                                              \
    { #field, offsetof(mneme_remote_stats, field), sizeof(((mneme_remote_stats *)0)->field) }

static const struct figure figures[] = {
    FIGURE(requests),
    FIGURE(repeats),
    FIGURE(retries),
    FIGURE(failures),
    FIGURE(retries_refused),
    FIGURE(bytes_up),
    FIGURE(bytes_down),
    FIGURE(connects),
    FIGURE(reuses),
    FIGURE(closed_by_idle),
    FIGURE(closed_by_age),
    FIGURE(closed_by_failure),
    FIGURE(waits),
    FIGURE(wait_us),
    FIGURE(acquire_timeouts),
    FIGURE(open),
    FIGURE(idle),
    FIGURE(waiting),
    FIGURE(target),
    FIGURE(breaker_opened),
    FIGURE(breaker_refused),
    FIGURE(replica_reads),
    FIGURE(replica_fallbacks),
    FIGURE(prepared),
    FIGURE(prepare_hits),
    FIGURE(prepare_evictions),
    FIGURE(prepare_refreshes),
};

static uint64_t figure_value(const struct figure *figure, const mneme_remote_stats *stats) {
    const char *at = (const char *)stats + figure->offset;
    uint64_t wide = 0;
    uint32_t narrow = 0;
    if (figure->size == sizeof narrow) {
        memcpy(&narrow, at, sizeof narrow);
        return narrow;
    }
    memcpy(&wide, at, sizeof wide);
    return wide;
}

static const char *breaker_text(mneme_breaker breaker) {
    return breaker == MNEME_BREAKER_CLOSED ? "closed"
           : breaker == MNEME_BREAKER_OPEN ? "open"
                                           : "trying";
}

void put_remote_json(struct json_line *line, const mneme_stats *stats) {
    const mneme_remote_stats *remote = &stats->remote;
    if (remote->dialect[0] == '\0')
        return;
    line_key(line, "remote");
    struct json_line inner = line_begin(line->out);
    line_add_text(&inner, "dialect", remote->dialect);
    line_add_text(&inner, "breaker", breaker_text(remote->breaker));
    for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++)
        line_add_count(&inner, figures[i].name, figure_value(&figures[i], remote));
    line_add_count(&inner, "compressed_in", stats->compressed_in);
    line_add_count(&inner, "compressed_out", stats->compressed_out);
    line_close(&inner);
}

/* ---- The page ---------------------------------------------------------------------------- */

static void put_file(struct cli *cli, const mneme_remote_stats *r) {
    struct pool *pool = &cli->pool;
    FILE *out = cli->out.stream;
    fprintf(out, "SQLite    %s transactions and reads, %s of them run again\n",
            display_count(pool, r->requests), display_count(pool, r->repeats));
    fprintf(out, "Prepared  %s statements made ready, %s found ready",
            display_count(pool, r->prepared), display_count(pool, r->prepare_hits));
    if (r->prepare_evictions > 0)
        fprintf(out, ", %s dropped for room", display_count(pool, r->prepare_evictions));
    if (r->prepare_refreshes > 0)
        fprintf(out, ", %s for age or new tables", display_count(pool, r->prepare_refreshes));
    fputc('\n', out);
}

static void put_pool(struct cli *cli, const mneme_remote_stats *r) {
    struct pool *pool = &cli->pool;
    FILE *out = cli->out.stream;
    fprintf(out, "Pool      %s open, %s idle; aims at %s; %s made, %s used again\n",
            display_count(pool, r->open), display_count(pool, r->idle),
            display_count(pool, r->target), display_count(pool, r->connects),
            display_count(pool, r->reuses));
    if (r->waits > 0 || r->waiting > 0)
        fprintf(out, "Waits     %s for a connection, %s in all, %s in vain; %s now\n",
                display_count(pool, r->waits), display_duration(pool, (int64_t)r->wait_us),
                display_count(pool, r->acquire_timeouts), display_count(pool, r->waiting));
}

static void put_server(struct cli *cli, const mneme_stats *stats) {
    const mneme_remote_stats *r = &stats->remote;
    struct pool *pool = &cli->pool;
    FILE *out = cli->out.stream;
    fprintf(out, "Server    %s requests, %s tried again, %s failed\n",
            display_count(pool, r->requests), display_count(pool, r->retries),
            display_count(pool, r->failures));
    fprintf(out, "Wire      %s up, %s down\n", display_bytes(pool, r->bytes_up),
            display_bytes(pool, r->bytes_down));
    if (stats->compressed_in > 0)
        fprintf(out, "Bodies    %s written, %s after compression\n",
                display_bytes(pool, stats->compressed_in),
                display_bytes(pool, stats->compressed_out));
    put_pool(cli, r);
    if (r->breaker != MNEME_BREAKER_CLOSED || r->breaker_opened > 0)
        fprintf(out, "Breaker   %s; opened %s times, %s requests failed at once\n",
                breaker_text(r->breaker), display_count(pool, r->breaker_opened),
                display_count(pool, r->breaker_refused));
    if (r->replica_reads > 0 || r->replica_fallbacks > 0)
        fprintf(out, "Replica   %s reads, %s more went to the primary\n",
                display_count(pool, r->replica_reads), display_count(pool, r->replica_fallbacks));
}

void put_remote_page(struct cli *cli, const mneme_stats *stats) {
    if (strcmp(stats->remote.dialect, "sqlite") == 0)
        put_file(cli, &stats->remote);
    else if (stats->remote.dialect[0] != '\0')
        put_server(cli, stats);
}
