/*
 * access.c - the bodies of `show` and `delete`, for the kind that the command is about.
 */
#include "cli.h"

int run_show(struct cli *cli) {
    const mneme_record *record;
    int status = cli_open(cli, OPEN_TO_READ);
    if (status == 0)
        status = cli_acquire(cli, cli->command->kind, cli->arguments[0], &record);
    if (status != 0)
        return status;
    if (cli->json)
        status = json_put_record(cli->out.stream, record, &cli->error);
    else
        show_record(cli, record);
    mneme_release(cli->store, record);
    return status;
}

int run_delete(struct cli *cli) {
    size_t count = cli->argument_count;
    mneme_kind kind = cli->command->kind;
    mneme_id *ids = pool_alloc(&cli->pool, count, sizeof *ids);
    mneme_ticket ticket;
    struct mneme_write write = cli_write(cli, &ticket);
    int status = cli_open(cli, OPEN_TO_CHANGE);
    for (size_t i = 0; i < count && status == 0; i++)
        status = cli_resolve_id(cli, kind, cli->arguments[i], &ids[i]);
    if (status == 0)
        status = mneme_delete(cli->store, kind, ids, count, &write, &cli->error);
    if (status == 0)
        status = cli_settle(cli, &write);
    if (status != 0)
        return status;
    for (size_t i = 0; i < count && cli->json; i++) {
        struct json_line line = line_begin(cli->out.stream);
        line_add_id(&line, "id", &ids[i]);
        line_add_bool(&line, "deleted", true);
        line_end(&line);
    }
    if (!cli->json)
        cli_say(cli, "deleted %zu %s%s", count, mneme_kind_name(kind), count == 1 ? "" : "s");
    return 0;
}
