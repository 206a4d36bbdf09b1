/*
 * sync_status.c - the command `sync status`, and the line on sync in `stats`.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "commands.h"
#include "display.h"

/* From here on a clock that is off is worth a warning. */
#define SKEW_MAX_US (INT64_C(60) * 1000 * 1000)

static int64_t now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* What was saved by compression, and by sending only what changed. */
static uint64_t saved_bytes(const mneme_sync_status *status) {
    uint64_t wire = status->bytes_up + status->bytes_down;
    return status->plain_bytes > wire ? status->plain_bytes - wire : 0;
}

/* ---- JSON -------------------------------------------------------------------------------- */

static void add_time(struct json_line *line, const char *name, int64_t time_us) {
    char text[MNEME_TIME_TEXT_SIZE];
    if (time_us == 0)
        return;
    mneme_time_format(time_us, text);
    line_add_text(line, name, text);
}

static void put_peers_json(FILE *out, const mneme_sync_status *status) {
    fputc('[', out);
    for (size_t i = 0; i < status->peer_count; i++) {
        const mneme_sync_peer *peer = &status->peers[i];
        if (i > 0)
            fputc(',', out);
        struct json_line line = line_begin(out);
        line_add_text(&line, "name", peer->name);
        add_time(&line, "seen", peer->seen_us);
        line_add_count(&line, "behind", peer->behind);
        line_add_bool(&line, "self", peer->self);
        line_close(&line);
    }
    fputc(']', out);
}

static void add_error(struct json_line *line, const mneme_sync_status *status) {
    if (status->error_us == 0)
        return;
    add_time(line, "error_since", status->error_us);
    line_add_text(line, "error", mneme_status_name(status->error_code));
    line_add_text(line, "error_text", status->error_text);
}

void put_sync_members(struct json_line *line, const mneme_sync_status *status) {
    line_add_bool(line, "shared", status->shared);
    line_add_text(line, "remote", status->remote);
    line_add_text(line, "phase", status->phase);
    line_add_count(line, "pending", status->pending);
    line_add_count(line, "pending_bytes", status->pending_bytes);
    add_time(line, "oldest", status->oldest_us);
    line_add_count(line, "held", status->held);
    line_add_count(line, "held_refused", status->held_refused);
    line_add_count(line, "conflicts", status->superseded);
    line_add_count(line, "cursor", status->cursor);
    line_add_count(line, "head", status->head);
    add_time(line, "last_push", status->push_us);
    add_time(line, "last_pull", status->pull_us);
    add_error(line, status);
    add_time(line, "next_try", status->next_us);
    line_add_whole(line, "skew_us", status->skew_us);
    line_add_count(line, "pushed", status->pushed);
    line_add_count(line, "pulled", status->pulled);
    line_add_count(line, "merged", status->merged);
    line_add_count(line, "bytes_up", status->bytes_up);
    line_add_count(line, "bytes_down", status->bytes_down);
    line_add_count(line, "plain_bytes", status->plain_bytes);
    line_add_count(line, "saved_bytes", saved_bytes(status));
    line_add_text(line, "worker", status->worker);
    line_key(line, "peers");
    put_peers_json(line->out, status);
}

/* ---- The page ---------------------------------------------------------------------------- */

/* "5 min 3 s ago", or "in 12 s". */
static const char *age_text(struct cli *cli, int64_t time_us) {
    int64_t age = now_us() - time_us;
    if (age < 0)
        return pool_format(&cli->pool, "in %s", display_duration(&cli->pool, -age));
    return pool_format(&cli->pool, "%s ago", display_duration(&cli->pool, age));
}

static void put_time(struct cli *cli, const char *label, int64_t time_us) {
    if (time_us == 0)
        fprintf(cli->out.stream, "%snever\n", label);
    else
        fprintf(cli->out.stream, "%s%s (%s UTC)\n", label, age_text(cli, time_us),
                display_time(&cli->pool, time_us, 19));
}

static const char *pending_text(struct cli *cli, const mneme_sync_status *status) {
    struct pool *pool = &cli->pool;
    if (status->pending == 0)
        return "nothing";
    return pool_format(pool, "%s, %s; the oldest was written %s",
                       display_records(pool, status->pending),
                       display_bytes(pool, status->pending_bytes),
                       status->oldest_us ? age_text(cli, status->oldest_us) : "at an unknown time");
}

static void put_remote(struct cli *cli, const mneme_sync_status *status) {
    FILE *out = cli->out.stream;
    struct pool *pool = &cli->pool;
    uint64_t behind = status->head > status->cursor ? status->head - status->cursor : 0;
    fprintf(out, "Remote    %s", status->remote);
    fprintf(out, status->phase[0] != '\0' ? ", %s\n" : "%s\n", status->phase);
    fprintf(out, "Pending   %s\n", pending_text(cli, status));
    if (behind > 0)
        fprintf(out, "Behind    %s changes of the remote are still to come\n",
                display_count(pool, behind));
    put_time(cli, "Push      ", status->push_us);
    put_time(cli, "Pull      ", status->pull_us);
    fprintf(out, "So far    %s pushed, %s pulled, %s merged\n", display_count(pool, status->pushed),
            display_count(pool, status->pulled), display_count(pool, status->merged));
    fprintf(out, "Wire      %s up, %s down; %s saved\n", display_bytes(pool, status->bytes_up),
            display_bytes(pool, status->bytes_down), display_bytes(pool, saved_bytes(status)));
}

/* What a person should know of, each only if there is something. */
static void put_troubles(struct cli *cli, const mneme_sync_status *status) {
    FILE *out = cli->out.stream;
    struct pool *pool = &cli->pool;
    if (status->error_us != 0) {
        fputs("Error     ", out);
        display_put(out, mneme_text_of(status->error_text), SIZE_MAX);
        fprintf(out, " (%s)\n", age_text(cli, status->error_us));
    }
    if (status->next_us != 0 && status->error_us != 0)
        put_time(cli, "Next try  ", status->next_us);
    if (status->held > 0)
        fprintf(out,
                "Held      %s stay here, %s of them as the remote refused them; `mneme sync "
                "retry` tries those again\n",
                display_records(pool, status->held), display_count(pool, status->held_refused));
    if (status->superseded > 0)
        fprintf(out, "Conflicts %s to look at: `mneme conflicts list`\n",
                display_count(pool, status->superseded));
    if (llabs(status->skew_us) > SKEW_MAX_US)
        fprintf(out,
                "Clock     this machine's is %s %s the remote's; set it, or the wrong edit may "
                "win\n",
                display_duration(pool, llabs(status->skew_us)),
                status->skew_us > 0 ? "behind" : "ahead of");
    if (status->worker[0] != '\0')
        fprintf(out, "Worker    %s\n", status->worker);
}

static void put_peers(struct cli *cli, const mneme_sync_status *status) {
    static const char *const titles[] = {"MACHINE", "SEEN", "BEHIND", "", NULL};
    struct table table = table_begin(&cli->pool, titles);
    table.right = 4;
    for (size_t i = 0; i < status->peer_count; i++) {
        const mneme_sync_peer *peer = &status->peers[i];
        const mneme_text cells[] = {
            mneme_text_of(peer->name),
            mneme_text_of(peer->seen_us ? age_text(cli, peer->seen_us) : "never"),
            mneme_text_of(display_count(&cli->pool, peer->behind)),
            mneme_text_of(peer->self ? "this machine" : ""),
        };
        table_add(&table, cells);
    }
    if (status->peer_count == 0)
        return;
    fputc('\n', cli->out.stream);
    table_print(&table, cli->out.stream, cli->width, cli->color);
}

void put_sync_line(struct cli *cli, const mneme_sync_status *status) {
    if (!status->shared)
        return;
    fprintf(cli->out.stream, "Sync      %s; to go out: %s\n", status->remote,
            pending_text(cli, status));
    put_troubles(cli, status);
}

/* ---- The command ------------------------------------------------------------------------- */

static void put_page(struct cli *cli, const mneme_sync_status *status) {
    if (!status->shared) {
        fprintf(cli->out.stream, "This store has not been synced yet; %s\n",
                status->remote[0] != '\0' ? "run `mneme sync`"
                                          : "name a remote with --remote URL and run `mneme sync`");
        return;
    }
    put_remote(cli, status);
    put_troubles(cli, status);
    put_peers(cli, status);
}

static int run_status(struct cli *cli) {
    mneme_sync_status status = {.size = sizeof status};
    int failed = cli_open(cli, OPEN_TO_READ);
    if (failed == 0)
        failed = mneme_sync_status_get(cli->store, &status, &cli->error);
    if (failed != 0)
        return failed;
    const char *remote = setting_text(cli, SETTING_SYNC_URL);
    if (status.remote[0] == '\0' && remote != NULL)
        snprintf(status.remote, sizeof status.remote, "%s",
                 settings_shown(&cli->settings, SETTING_SYNC_URL));
    if (cli->json) {
        struct json_line line = line_begin(cli->out.stream);
        put_sync_members(&line, &status);
        line_end(&line);
    } else {
        put_page(cli, &status);
    }
    return 0;
}

static const char *const examples[] = {"mneme sync status", "mneme --json sync status", NULL};
const struct command sync_status_command = {
    .name = "sync status",
    .summary = "how the store and its remote stand",
    .details = "Tells what waits to go out and since when, when something last went out and when "
               "the remote was last looked at, what failed and when it is tried again, what was "
               "held back, conflicts, and which machines sync with the same remote. The remote is "
               "not asked: this is what the store remembers. \"Saved\" is what the records would "
               "have taken uncompressed, less what went over the wire.",
    .examples = examples,
    .run = run_status,
};
