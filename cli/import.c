/*
 * import.c - the command `import`: many records from files, with progress, to be interrupted.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

/* ---- Standard input ---------------------------------------------------------------------- */

/*
 * An import reads its files more than once (to guess the format, to know how much there is), so
 * what comes from standard input is put into a temporary file first.
 */
struct spool {
    char *path; /* NULL: none */
    int fd;
};

static void spool_end(struct spool *spool) {
    if (spool->path == NULL)
        return;
    close(spool->fd);
    unlink(spool->path);
    spool->path = NULL;
}

static int spool_failed(struct cli *cli, const char *what) {
    int status = errno == ENOSPC ? MNEME_NO_SPACE : MNEME_IO;
    return fail_with(&cli->error, status, "%s: %s", what, strerror(errno));
}

static bool write_all(int fd, const char *data, size_t size) {
    while (size > 0) {
        ssize_t written = write(fd, data, size);
        if (written < 0 && errno != EINTR)
            return false;
        if (written > 0)
            data += written, size -= (size_t)written;
    }
    return true;
}

static int copy_standard_input(struct cli *cli, const struct spool *spool) {
    char block[1 << 16];
    for (;;) {
        ssize_t size = read(STDIN_FILENO, block, sizeof block);
        if (stop_signal != 0)
            return fail_with(&cli->error, MNEME_CANCELLED,
                             "interrupted while reading standard input; nothing was imported");
        if (size == 0)
            return 0;
        if (size < 0 && errno != EINTR)
            return spool_failed(cli, "cannot read standard input");
        if (size > 0 && !write_all(spool->fd, block, (size_t)size))
            return spool_failed(
                cli, pool_format(&cli->pool, "cannot keep standard input in %s", spool->path));
    }
}

static int spool_begin(struct cli *cli, struct spool *spool) {
    const char *directory = getenv("TMPDIR");
    if (directory == NULL || directory[0] == '\0')
        directory = "/tmp";
    if (spool->path != NULL)
        return fail_with(&cli->error, MNEME_INVALID, "'-' was given twice");
    char *path = pool_format(&cli->pool, "%s/mneme-stdin-XXXXXX", directory);
    int fd = mkstemp(path);
    if (fd < 0)
        return spool_failed(
            cli, pool_format(&cli->pool, "cannot make a temporary file in %s", directory));
    *spool = (struct spool){path, fd};
    return copy_standard_input(cli, spool);
}

/* ---- The run ----------------------------------------------------------------------------- */

struct import {
    struct cli *cli;
    struct progress progress;
    struct spool spool;
};

static int on_progress(void *context, const mneme_progress *now) {
    struct import *import = context;
    progress_update(&import->progress, now->bytes_done, now->bytes_total, now->records);
    return stop_signal != 0;
}

/* The library knows the temporary file by its path; to the user it is standard input. */
static void on_rejected(void *context, const char *text) {
    struct import *import = context;
    const char *path = import->spool.path;
    const char *at = path != NULL ? strstr(text, path) : NULL;
    const char *shown = text;
    if (at != NULL)
        shown = pool_format(&import->cli->pool, "%.*sstandard input%s", (int)(at - text), text,
                            at + strlen(path));
    progress_clear(&import->progress);
    fputs("mneme: ", stderr);
    display_put(stderr, mneme_text_of(shown), SIZE_MAX);
    fputc('\n', stderr);
}

static void put_summary(struct import *import, const mneme_progress *total) {
    struct cli *cli = import->cli;
    struct pool *pool = &cli->pool;
    progress_clear(&import->progress);
    if (cli->json) {
        struct json_line line = line_begin(cli->out.stream);
        line_add_count(&line, "imported", total->imported);
        line_add_count(&line, "duplicates", total->duplicates);
        line_add_count(&line, "rejected", total->rejected);
        line_end(&line);
        return;
    }
    int64_t elapsed_us = (int64_t)progress_elapsed_ms(&import->progress) * 1000;
    cli_say(cli, "%s imported, %s there already, %s rejected, in %s",
            display_count(pool, total->imported), display_count(pool, total->duplicates),
            display_count(pool, total->rejected), display_duration(pool, elapsed_us));
}

/* The paths to read, "-" replaced by the temporary file. */
static int input_files(struct import *import, const char ***files) {
    struct cli *cli = import->cli;
    *files = pool_alloc(&cli->pool, cli->argument_count, sizeof **files);
    for (size_t i = 0; i < cli->argument_count; i++) {
        (*files)[i] = cli->arguments[i];
        if (strcmp(cli->arguments[i], "-") != 0)
            continue;
        int status = spool_begin(cli, &import->spool);
        if (status != 0)
            return status;
        (*files)[i] = import->spool.path;
    }
    return 0;
}

static int import_files(struct import *import) {
    struct cli *cli = import->cli;
    const char **files;
    mneme_progress total = {0};
    int status = input_files(import, &files);
    if (status == 0)
        status = cli_open(cli, OPEN_OR_CREATE);
    if (status != 0)
        return status;
    mneme_import_options options = {
        .size = sizeof options,
        .format = option_value(cli, "format"),
        .threads = (unsigned)option_whole(cli, "threads", 1),
        .progress = on_progress,
        .rejected = on_rejected,
        .context = import,
        .local_only = option_given(cli, "local-only"),
    };
    progress_begin_work(&import->progress);
    status = mneme_import(cli->store, files, cli->argument_count, &options, &total, &cli->error);
    progress_clear(&import->progress);
    if (status == 0 || status == MNEME_PARTIAL || status == MNEME_CANCELLED)
        put_summary(import, &total);
    if (status == MNEME_CANCELLED)
        return fail_with(&cli->error, status,
                         "interrupted; what went in stays, and running the same command again "
                         "finishes the import");
    return status;
}

static int run_import(struct cli *cli) {
    struct import import = {.cli = cli};
    catch_signals();
    progress_begin(&import.progress, cli->quiet);
    int status = import_files(&import);
    spool_end(&import.spool);
    if (status == MNEME_CANCELLED)
        cli->signal = stop_signal;
    return status;
}

static const char *const examples[] = {
    "mneme import --format tau-bench gpt-4o-airline.json",
    "mneme import --threads 2 runs/*.traj",
    "ssh host mneme export | mneme import --format jsonl -",
    NULL,
};
static const struct option options[] = {
    OPTION_CHOICE("format", "FORMAT", "of the files; guessed if not given",
                  "jsonl|tau-bench|swe-agent|mcp-memory|do-memory|sqlite"),
    OPTION_WHOLE("threads", "N", "that parse and compress", 1, 64),
    OPTION_SWITCH("local-only", "what is read never leaves this machine"),
    OPTION_END,
};
const struct command import_command = {
    .name = "import",
    .arguments = "FILE...",
    .summary = "read episodes and other records from files",
    .details = "FILE may be - for standard input. Records that are in the store already are passed "
               "over, so an interrupted import is finished by running it again. A bad record is "
               "reported and the rest goes in; the exit code is then 9.",
    .examples = examples,
    .options = options,
    .min_arguments = 1,
    .max_arguments = SIZE_MAX,
    .argument_kind = ARGUMENT_FILE,
    .is_long = true,
    .run = run_import,
};
