/*
 * sync.c - the commands `sync`, `sync collect` and `sync retry`, and the settings of sync.
 */
#include <signal.h>
#include <string.h>
#include <time.h>

#include "commands.h"
#include "display.h"
#include "progress.h"

/* The signal that asked to stop; 0: none did. */
static volatile sig_atomic_t stop_signal;

static void remember_signal(int number) { stop_signal = number; }

/* The first Ctrl-C stops in good order; SA_RESETHAND lets the second one end the program. */
static void catch_signals(void) {
    struct sigaction action = {.sa_handler = remember_signal, .sa_flags = (int)SA_RESETHAND};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

/* ---- Settings ---------------------------------------------------------------------------- */

static mneme_text trimmed(const char *begin, const char *end) {
    while (begin < end && (*begin == ' ' || *begin == '\t'))
        begin++;
    while (begin < end && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    return (mneme_text){begin, (size_t)(end - begin)};
}

/* "domain=web, tag=work" as pairs. What has no "=" becomes a name without a value. */
static size_t parse_rows(struct cli *cli, const char *text, mneme_pair **rows) {
    size_t room = strlen(text) / 2 + 1, count = 0;
    *rows = pool_alloc(&cli->pool, room, sizeof **rows);
    for (const char *end; *text != '\0'; text = end + (*end == ',')) {
        end = text + strcspn(text, ",");
        const char *equals = memchr(text, '=', (size_t)(end - text));
        mneme_pair row = {trimmed(text, equals != NULL ? equals : end),
                          trimmed(equals != NULL ? equals + 1 : end, end)};
        if (row.name.size + row.value.size > 0)
            (*rows)[count++] = row;
    }
    return count;
}

/* A remote of the settings is for stores that can have one; one that is named on the command line
 * is taken at its word. */
static bool can_have_remote(const struct cli *cli, const char *url) {
    bool is_path =
        strstr(url, "://") == NULL && strncmp(url, "file:", 5) != 0 && strcmp(url, "mem:") != 0;
    return is_path || option_given(cli, "remote");
}

mneme_sync_options sync_options(struct cli *cli, const char *url) {
    mneme_sync_options options = {
        .url = setting_text(cli, SETTING_SYNC_URL),
        .name = setting_text(cli, SETTING_SYNC_NAME),
        .mode = option_given(cli, "watch") ? MNEME_SYNC_BACKGROUND : MNEME_SYNC_MANUAL,
        .poll_ms = setting_number(cli, SETTING_SYNC_POLL_MS),
        .poll_max_ms = setting_number(cli, SETTING_SYNC_POLL_MAX_MS),
        .push_max = setting_number(cli, SETTING_SYNC_PUSH_MAX),
        .gather_ms = setting_number(cli, SETTING_SYNC_GATHER_MS),
        .keep_days = setting_number(cli, SETTING_SYNC_KEEP_DAYS),
        .lease_ms = setting_number(cli, SETTING_SYNC_LEASE_MS),
    };
    if (options.url == NULL || !can_have_remote(cli, url))
        return (mneme_sync_options){.url = NULL};
    mneme_pair *rows;
    options.only_count = parse_rows(cli, cli->settings.values[SETTING_SYNC_ONLY], &rows);
    options.only = rows;
    return options;
}

static int need_remote(struct cli *cli) {
    if (setting_text(cli, SETTING_SYNC_URL) != NULL)
        return 0;
    return fail_with(&cli->error, MNEME_INVALID,
                     "no remote to sync with; name one with --remote URL, in $MNEME_REMOTE, or as "
                     "url in the section [sync] of the settings");
}

/* ---- One run ----------------------------------------------------------------------------- */

enum { LEASE_SPARE_MS = 5000 };

struct run {
    struct cli *cli;
    struct progress progress;
    uint64_t cursor; /* of the remote's feed, at the beginning */
    bool begun, waiting;
};

static int on_progress(void *context, const mneme_sync_report *so_far) {
    struct run *run = context;
    if (so_far->waiting && !run->waiting) {
        run->waiting = true;
        cli_say(run->cli, "another process syncs this store; waiting for it");
    }
    if (so_far->head > 0 && !run->begun) {
        run->begun = true;
        run->cursor = so_far->cursor > so_far->pulled ? so_far->cursor - so_far->pulled : 0;
    }
    uint64_t behind = so_far->head > run->cursor ? so_far->head - run->cursor : 0;
    uint64_t taken = so_far->cursor > run->cursor ? so_far->cursor - run->cursor : 0;
    progress_update_records(&run->progress, so_far->pushed + taken, so_far->pending + behind);
    return stop_signal != 0;
}

static void put_report_json(struct cli *cli, const mneme_sync_report *report) {
    struct json_line line = line_begin(cli->out.stream);
    line_add_count(&line, "pushed", report->pushed);
    line_add_count(&line, "pulled", report->pulled);
    line_add_count(&line, "merged", report->merged);
    line_add_count(&line, "superseded", report->superseded);
    line_add_count(&line, "held", report->held);
    line_add_count(&line, "collected", report->collected);
    line_add_count(&line, "freed", report->freed);
    line_add_bool(&line, "by_other", report->by_other);
    line_end(&line);
}

static void put_report(struct run *run, const mneme_sync_report *report) {
    struct cli *cli = run->cli;
    struct pool *pool = &cli->pool;
    if (cli->json) {
        put_report_json(cli, report);
        return;
    }
    int64_t elapsed_us = (int64_t)progress_elapsed_ms(&run->progress) * 1000;
    if (report->by_other)
        cli_say(cli, "another process syncs this store, and all is in step");
    else
        cli_say(cli, "%s pushed, %s pulled, %s merged, in %s", display_count(pool, report->pushed),
                display_count(pool, report->pulled), display_count(pool, report->merged),
                display_duration(pool, elapsed_us));
    if (report->freed > 0)
        cli_say(cli, "%s tried again", display_records(pool, report->freed));
    if (report->collected > 0)
        cli_say(cli, "%s old deletes forgotten", display_count(pool, report->collected));
    if (report->held > 0)
        cli_say(cli, "%s stay here; `mneme sync status` tells why",
                display_records(pool, report->held));
    if (report->superseded > 0)
        cli_say(cli, "%s edits were overruled; see `mneme conflicts list`",
                display_count(pool, report->superseded));
}

static int run_once(struct cli *cli, mneme_sync_run *how) {
    struct run run = {.cli = cli};
    mneme_sync_report report = {.size = sizeof report};
    int64_t lease_ms = (int64_t)setting_number(cli, SETTING_SYNC_LEASE_MS);
    how->size = sizeof *how;
    how->progress = on_progress;
    how->context = &run;
    /* Who had the lease and died is waited for; who lives and goes on does the work. */
    how->wait_ms = option_whole(cli, "wait-ms", lease_ms + LEASE_SPARE_MS);
    catch_signals();
    progress_begin(&run.progress, cli->quiet);
    int status = mneme_sync(cli->store, how, &report, &cli->error);
    progress_clear(&run.progress);
    if (status == 0 || status == MNEME_CANCELLED)
        put_report(&run, &report);
    if (status != MNEME_CANCELLED)
        return status;
    cli->signal = stop_signal;
    return fail_with(&cli->error, status,
                     "interrupted; what went out stays, and the rest goes with the next run");
}

static int open_and_run(struct cli *cli, mneme_sync_run how) {
    int status = need_remote(cli);
    if (status == 0)
        status = cli_open(cli, OPEN_OR_CREATE);
    return status == 0 ? run_once(cli, &how) : status;
}

/* ---- Watching ---------------------------------------------------------------------------- */

enum { WATCH_MS = 250 };

/* Tell what has changed since the last look. */
static void put_news(struct cli *cli, const mneme_sync_status *before,
                     const mneme_sync_status *now) {
    struct pool *pool = &cli->pool;
    bool moved = now->pushed != before->pushed || now->pulled != before->pulled;
    bool failed = now->error_us != 0 && strcmp(now->error_text, before->error_text) != 0;
    bool well = now->error_us == 0 && before->error_us != 0;
    if (!moved && !failed && !well)
        return;
    if (cli->json) {
        struct json_line line = line_begin(cli->out.stream);
        put_sync_members(&line, now);
        line_end(&line);
        fflush(cli->out.stream);
        return;
    }
    if (well)
        cli_say(cli, "the remote answers again");
    if (moved)
        cli_say(cli, "%s pushed, %s pulled", display_count(pool, now->pushed - before->pushed),
                display_count(pool, now->pulled - before->pulled));
    if (failed)
        cli_say(cli, "%s; it is tried again", now->error_text);
}

static int watch(struct cli *cli) {
    mneme_sync_status before = {.size = sizeof before}, now = {.size = sizeof now};
    int status = mneme_sync_status_get(cli->store, &before, &cli->error);
    before.error_us = 0;
    before.error_text[0] = '\0';
    while (status == 0 && stop_signal == 0) {
        nanosleep(&(struct timespec){0, WATCH_MS * 1000000L}, NULL);
        status = mneme_sync_status_get(cli->store, &now, &cli->error);
        if (status == 0)
            put_news(cli, &before, &now);
        before = now;
    }
    return status;
}

static int run_watch(struct cli *cli) {
    int status = need_remote(cli);
    if (status == 0)
        status = cli_open(cli, OPEN_OR_CREATE);
    if (status != 0)
        return status;
    catch_signals();
    cli_say(cli, "keeping the store in step with %s; Ctrl-C ends it",
            settings_shown(&cli->settings, SETTING_SYNC_URL));
    return watch(cli);
}

/* ---- The commands ------------------------------------------------------------------------ */

static int run_sync(struct cli *cli) {
    return option_given(cli, "watch") ? run_watch(cli) : open_and_run(cli, (mneme_sync_run){0});
}

static int run_collect(struct cli *cli) {
    return open_and_run(cli, (mneme_sync_run){.collect = true});
}

static int run_retry(struct cli *cli) {
    return open_and_run(cli, (mneme_sync_run){.retry_held = true});
}

#define WAIT_OPTION                                                                                \
    OPTION_WHOLE("wait-ms", "N", "wait so long for another process that syncs the store", 0,       \
                 86400000)

static const char *const sync_examples[] = {
    "mneme --remote libsql://memory-me.turso.io sync",
    "mneme sync --watch",
    "mneme sync status",
    NULL,
};
static const struct option sync_command_options[] = {
    OPTION_SWITCH("watch", "go on until interrupted"),
    WAIT_OPTION,
    OPTION_END,
};
const struct command sync_command = {
    .name = "sync",
    .summary = "bring the store and its remote together",
    .details =
        "Sends what is new here, takes what is new there, and merges what was changed on "
        "both sides, until nothing is left to do. The remote is --remote, else "
        "$MNEME_REMOTE, else `url` in the section [sync] of the settings; its token comes as "
        "for any server (see `mneme help config show`). Other commands never wait for the "
        "remote, and never talk to it: what they write goes out with the next `mneme sync`, "
        "or at once while a `mneme sync --watch`, or a program that has opened the store "
        "with its remote, runs. See also sync status, sync collect and sync retry.\n"
        "\n"
        "Exit code 4 when another process syncs the store and does not end, 7 when the "
        "remote is not reached, 8 when it takes no token. Nothing is lost by that.",
    .examples = sync_examples,
    .options = sync_command_options,
    .argument_kind = ARGUMENT_NONE,
    .is_long = true,
    .run = run_sync,
};

static const char *const collect_examples[] = {"mneme sync collect", NULL};
static const struct option run_options[] = {WAIT_OPTION, OPTION_END};
const struct command sync_collect_command = {
    .name = "sync collect",
    .summary = "sync, then forget old deletes",
    .details = "A deleted record leaves a small mark, so that the delete reaches every machine. "
               "Marks older than `keep_days` of the section [sync] that every machine has seen are "
               "removed, on the remote and here. A machine that was away for longer compares what "
               "it has with the remote when it is back, and drops what was deleted.",
    .examples = collect_examples,
    .options = run_options,
    .is_long = true,
    .run = run_collect,
};

static const char *const retry_examples[] = {"mneme sync retry", NULL};
const struct command sync_retry_command = {
    .name = "sync retry",
    .summary = "sync, and try again what was held back",
    .details = "Records that the remote refused, and those that `only` of the section [sync] "
               "excluded, are looked at anew. Records that are local only stay so.",
    .examples = retry_examples,
    .options = run_options,
    .is_long = true,
    .run = run_retry,
};
