/*
 * bench.c - the command `bench`, which hands its arguments to bench/.
 */
#include "bench/bench.h"

#include <string.h>

#include "commands.h"

static bool asks_for_help(const struct cli *cli) {
    for (size_t i = 0; i < cli->argument_count; i++)
        if (strcmp(cli->arguments[i], "--help") == 0 || strcmp(cli->arguments[i], "-h") == 0)
            return true;
    return false;
}

static int run_bench(struct cli *cli) {
    if (asks_for_help(cli)) {
        fputs(bench_usage, cli->out.stream);
        return 0;
    }
    char **arguments = pool_alloc(&cli->pool, cli->argument_count + 2, sizeof *arguments);
    arguments[0] = pool_copy(&cli->pool, "bench", 5);
    for (size_t i = 0; i < cli->argument_count; i++)
        arguments[i + 1] = pool_copy(&cli->pool, cli->arguments[i], strlen(cli->arguments[i]));
    cli->exit_code = bench_main((int)cli->argument_count + 1, arguments);
    return 0;
}

static const char *const examples[] = {"mneme bench store", "mneme bench codec --json",
                                       "mneme bench --help", NULL};
const struct command bench_command = {
    .name = "bench",
    .arguments = "store|codec|import|cache|remote|sync|metrics|targets|soak|report|generate "
                 "[--json] [--long]",
    .summary = "measure speed and size against references",
    .own_help = bench_usage,
    .examples = examples,
    .argument_choices = "store|codec|import|cache|remote|sync|metrics|targets|soak|report|generate",
    .argument_kind = ARGUMENT_TEXT,
    .takes_rest = true,
    .without_settings = true,
    .run = run_bench,
};
