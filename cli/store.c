/*
 * store.c - commands on the store as a whole: init, verify, backup, train.
 */
#include <string.h>
#include <sys/stat.h>

#include "commands.h"
#include "display.h"

/* ---- init -------------------------------------------------------------------------------- */

static int run_init(struct cli *cli) {
    const char *url;
    int status = cli_store_url(cli, &url);
    if (status != 0)
        return status;
    status = cli_open(cli, OPEN_TO_CHANGE);
    bool created = status == MNEME_NOT_FOUND;
    if (created)
        status = cli_open(cli, OPEN_OR_CREATE);
    if (status != 0)
        return status;
    if (!cli->json) {
        cli_say(cli, created ? "made a store at %s" : "there is a store at %s already", url);
        return 0;
    }
    struct json_line line = line_begin(cli->out.stream);
    line_add_text(&line, "store", url);
    line_add_bool(&line, "created", created);
    line_end(&line);
    return 0;
}

static const char *const init_examples[] = {
    "mneme init",
    "mneme --store ./project.mdb init",
    "mneme --store libsql://memory-me.turso.io init",
    NULL,
};
const struct command init_command = {
    .name = "init",
    .summary = "make a store and say where it is",
    .details = "Commands that record something make the store too when there is none. An existing "
               "store is left as it is. In the database of a server the tables are made.",
    .examples = init_examples,
    .run = run_init,
};

/* ---- verify ------------------------------------------------------------------------------ */

static void put_finding(void *context, const char *text) {
    struct cli *cli = context;
    FILE *out = cli->out.stream;
    if (cli->json) {
        struct json_line line = line_begin(out);
        line_add_text(&line, "finding", text);
        line_end(&line);
        return;
    }
    display_put(out, mneme_text_of(text), SIZE_MAX);
    fputc('\n', out);
}

/* A file is checked as such; of a store behind a server the records are read. */
static int verify(struct cli *cli, const char *path, mneme_verify_report *report) {
    int status = mneme_verify(path, put_finding, cli, report, &cli->error);
    if (status != MNEME_UNSUPPORTED)
        return status;
    status = cli_open_url(cli, path, OPEN_TO_READ);
    if (status != 0)
        return status;
    return mneme_verify_records(cli->store, put_finding, cli, report, &cli->error);
}

static int run_verify(struct cli *cli) {
    const char *path;
    mneme_verify_report report = {0};
    int status = 0;
    if (cli->argument_count > 0)
        path = cli->arguments[0];
    else
        status = cli_store_url(cli, &path);
    if (status != 0)
        return status;
    status = verify(cli, path, &report);
    if (status == MNEME_NOT_FOUND && cli->store == NULL && strstr(path, "://") == NULL)
        return missing_store(cli, path);
    if (status != 0 && status != MNEME_CORRUPT)
        return status;
    if (cli->json) {
        struct json_line line = line_begin(cli->out.stream);
        line_add_text(&line, "store", path);
        line_add_count(&line, "records", report.records);
        line_add_count(&line, "bytes", report.bytes);
        line_add_count(&line, "findings", report.findings);
        line_end(&line);
    } else if (status == 0) {
        fprintf(cli->out.stream, "%s is sound: %s checked, %s\n", path,
                display_records(&cli->pool, report.records),
                display_bytes(&cli->pool, report.bytes));
    }
    return status;
}

static const char *const verify_examples[] = {"mneme verify", "mneme verify backup.mdb", NULL};
const struct command verify_command = {
    .name = "verify",
    .arguments = "[FILE]",
    .summary = "check a store deeply",
    .details = "Checks structure, checksums, indices and the content of every record, of the store "
               "or of FILE, and prints what is damaged. The file is only read. Of a store behind "
               "a server every record is fetched and decoded; what lies under them is the server's "
               "to check. Exit code 5 when anything is damaged.",
    .examples = verify_examples,
    .max_arguments = 1,
    .argument_kind = ARGUMENT_FILE,
    .is_long = true,
    .run = run_verify,
};

/* ---- backup ------------------------------------------------------------------------------ */

static int run_backup(struct cli *cli) {
    const char *path = cli->arguments[0];
    struct stat info = {0};
    int status = cli_open(cli, OPEN_TO_READ);
    if (status == 0)
        status = mneme_backup(cli->store, path, &cli->error);
    if (status != 0)
        return status;
    uint64_t bytes = stat(path, &info) == 0 ? (uint64_t)info.st_size : 0;
    if (!cli->json) {
        cli_say(cli, "copied the store to %s, %s", path, display_bytes(&cli->pool, bytes));
        return 0;
    }
    struct json_line line = line_begin(cli->out.stream);
    line_add_text(&line, "path", path);
    line_add_count(&line, "bytes", bytes);
    line_end(&line);
    return 0;
}

static const char *const backup_examples[] = {"mneme backup memory-backup.mdb", NULL};
const struct command backup_command = {
    .name = "backup",
    .arguments = "FILE",
    .summary = "copy the store while it is in use",
    .details = "The copy is a store itself, as of one moment; FILE must not exist. Use it with "
               "--store FILE, check it with `mneme verify FILE`; the copy of a file: store is "
               "--store file:FILE. A store behind a server is copied with `mneme export`.",
    .examples = backup_examples,
    .min_arguments = 1,
    .max_arguments = 1,
    .argument_kind = ARGUMENT_FILE,
    .run = run_backup,
};

/* ---- train ------------------------------------------------------------------------------- */

static int run_train(struct cli *cli) {
    size_t trained = 0;
    int status = cli_open(cli, OPEN_TO_CHANGE);
    if (status == 0)
        status = mneme_train(cli->store, &trained, &cli->error);
    if (status != 0)
        return status;
    if (!cli->json) {
        cli_say(cli, "trained %zu dictionar%s", trained, trained == 1 ? "y" : "ies");
        return 0;
    }
    struct json_line line = line_begin(cli->out.stream);
    line_add_count(&line, "trained", trained);
    line_end(&line);
    return 0;
}

static const char *const train_examples[] = {"mneme train", NULL};
const struct command train_command = {
    .name = "train",
    .summary = "train compression on what is stored",
    .details = "The library does this by itself when there is enough to learn from; this does it "
               "now. Records are compressed with what was learned from then on.",
    .examples = train_examples,
    .is_long = true,
    .run = run_train,
};
