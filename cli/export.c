/*
 * export.c - the command `export`: records as jsonl, to standard output or to a file.
 *
 * A file is written under a temporary name, brought to the disk, and only then given its name:
 * nobody ever finds half an export under it, and a failed one leaves what was there before.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "display.h"

static int put_lines(void *context, const char *data, size_t size) {
    struct output *output = context;
    fwrite(data, 1, size, output->stream);
    return output->error != 0;
}

/* Export into an open stream. A write that failed is told as such, not as a cancelled export. */
static int export_to(struct cli *cli, struct output *output, const char *name, uint64_t *records) {
    mneme_kind kind = option_kind(cli, "kind", MNEME_KIND_NONE);
    int status = mneme_export(cli->store, kind, put_lines, output, records, &cli->error);
    int flushed =
        status == 0 || status == MNEME_CANCELLED ? output_flush(output, name, &cli->error) : 0;
    return flushed != 0 ? flushed : status;
}

static int file_failed(struct cli *cli, const char *what, const char *path) {
    int status = errno == ENOSPC || errno == EDQUOT                    ? MNEME_NO_SPACE
                 : errno == ENOENT                                     ? MNEME_NOT_FOUND
                 : errno == EACCES || errno == EROFS || errno == EPERM ? MNEME_PERMISSION
                                                                       : MNEME_IO;
    return fail_with(&cli->error, status, "cannot %s %s: %s", what, path, strerror(errno));
}

static int file_exists(struct cli *cli, const char *path) {
    return fail_with(&cli->error, MNEME_CONFLICT,
                     "%s exists; give another name, or --force to replace it", path);
}

/* The directory of a path, to be synced so that the new name survives a crash too. */
static const char *directory_of(struct cli *cli, const char *path) {
    const char *slash = strrchr(path, '/');
    if (slash == NULL)
        return ".";
    return slash == path ? "/" : pool_copy(&cli->pool, path, (size_t)(slash - path));
}

static void sync_directory(const char *path) {
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    fsync(fd);
    close(fd);
}

/* Give the finished file its name. Without --force, link() refuses a name that came into being
 * meanwhile, which rename() would replace. */
static int publish(struct cli *cli, const char *temporary, const char *path) {
    if (option_given(cli, "force")) {
        if (rename(temporary, path) != 0)
            return file_failed(cli, "write", path);
    } else {
        if (link(temporary, path) != 0)
            return errno == EEXIST ? file_exists(cli, path) : file_failed(cli, "write", path);
        unlink(temporary);
    }
    sync_directory(directory_of(cli, path));
    return 0;
}

static int write_file(struct cli *cli, int fd, const char *path, uint64_t *records) {
    struct output output;
    int status = output_open(&output, fd, &cli->error);
    if (status != 0)
        return status;
    status = export_to(cli, &output, path, records);
    output_close(&output);
    if (status == 0 && fsync(fd) != 0)
        status = file_failed(cli, "write", path);
    return status;
}

static int export_to_file(struct cli *cli, const char *path, uint64_t *records) {
    if (!option_given(cli, "force") && access(path, F_OK) == 0)
        return file_exists(cli, path);
    char *temporary = pool_format(&cli->pool, "%s.XXXXXX", path);
    int fd = mkostemp(temporary, O_CLOEXEC); /* mode 0600 */
    if (fd < 0)
        return file_failed(cli, "write", path);
    int status = write_file(cli, fd, path, records);
    close(fd);
    if (status == 0)
        status = publish(cli, temporary, path);
    if (status != 0)
        unlink(temporary);
    return status;
}

static int run_export(struct cli *cli) {
    const char *path = option_value(cli, "output");
    uint64_t records = 0;
    int status = cli_open(cli, OPEN_TO_READ);
    if (status != 0)
        return status;
    if (path == NULL || strcmp(path, "-") == 0)
        return export_to(cli, &cli->out, "standard output", &records);
    status = export_to_file(cli, path, &records);
    if (status == 0)
        cli_say(cli, "wrote %s to %s", display_records(&cli->pool, records), path);
    return status;
}

static const char *const examples[] = {
    "mneme export > memory.jsonl",
    "mneme export --kind episode --output episodes.jsonl",
    NULL,
};
static const struct option options[] = {
    OPTION_CHOICE("kind", "KIND", "only records of this kind", KIND_CHOICES_ALL),
    OPTION_FILE("output", "FILE", "write to this file, which must not exist"),
    OPTION_SWITCH("force", "replace the file if it exists"),
    OPTION_END,
};
const struct command export_command = {
    .name = "export",
    .summary = "write records as JSON lines",
    .details = "One record a line, oldest first, nothing left out: `mneme import` reads it back to "
               "the same records.",
    .examples = examples,
    .options = options,
    .is_long = true,
    .run = run_export,
};
