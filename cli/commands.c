/*
 * commands.c - the table of all commands, the global options, and the two smallest commands.
 */
#include "commands.h"

#include <string.h>

const struct option global_options[] = {
    OPTION_FILE("store", "URL", "the store: a path, file:PATH, libsql://HOST, https://HOST, mem:"),
    OPTION_FILE("token-file", "PATH", "file of mode 0600 with the token of a server"),
    OPTION_TEXT("remote", "URL",
                "sync the store with this: libsql://HOST, https://HOST, file:PATH"),
    OPTION_SWITCH("json", "print one JSON object a line"),
    OPTION_SWITCH("quiet", "no messages but errors (also -q)"),
    OPTION_TEXT("log", "SPEC",
                "tell what happens on standard error, as MNEME_LOG: info, warn,net=debug, off"),
    OPTION_SWITCH("no-cache", "without caches, as with MNEME_CACHE=off"),
    OPTION_SWITCH("no-color", "no colours, as with NO_COLOR=1"),
    OPTION_SWITCH("help", "explain the command (also -h)"),
    OPTION_SWITCH("version", "print the version (also -V)"),
    OPTION_END,
};

/* ---- version ----------------------------------------------------------------------------- */

static int run_version(struct cli *cli) {
    if (!cli->json) {
        fprintf(cli->out.stream, "mneme %s\n", mneme_version_text());
        return 0;
    }
    struct json_line line = line_begin(cli->out.stream);
    line_add_text(&line, "version", mneme_version_text());
    line_end(&line);
    return 0;
}

static const char *const version_examples[] = {"mneme version", NULL};
static const struct command version_command = {
    .name = "version",
    .summary = "print the version",
    .examples = version_examples,
    .without_settings = true,
    .run = run_version,
};

/* ---- help -------------------------------------------------------------------------------- */

static int run_help(struct cli *cli) {
    if (cli->argument_count == 0) {
        help_general(cli);
        return 0;
    }
    const char *name = cli->arguments[0];
    if (cli->argument_count == 2)
        name = pool_format(&cli->pool, "%s %s", name, cli->arguments[1]);
    const struct command *command = command_find(name);
    const char *meant = suggest_command(name);
    if (command != NULL)
        help_command(cli, command);
    else if (command_is_group(name))
        help_group(cli, name);
    else if (meant != NULL)
        return fail_with(&cli->error, MNEME_INVALID, "no command '%.60s'; did you mean '%s'?", name,
                         meant);
    else
        return fail_with(&cli->error, MNEME_INVALID, "no command '%.60s'; see `mneme help`", name);
    return 0;
}

static const char *const help_examples[] = {"mneme help query", "mneme help episode start", NULL};
static const struct command help_word_command = {
    .name = "help",
    .arguments = "[COMMAND]",
    .summary = "explain a command",
    .examples = help_examples,
    .max_arguments = 2,
    .argument_kind = ARGUMENT_COMMAND,
    .without_settings = true,
    .run = run_help,
};

/* ---- The table --------------------------------------------------------------------------- */

const struct command *const commands[] = {
    &init_command,
    &import_command,
    &export_command,
    &query_command,
    &episode_start_command,
    &episode_step_command,
    &episode_complete_command,
    &episode_show_command,
    &episode_list_command,
    &episode_delete_command,
    &pattern_commands[0],
    &pattern_commands[1],
    &pattern_commands[2],
    &pattern_commands[3],
    &heuristic_commands[0],
    &heuristic_commands[1],
    &heuristic_commands[2],
    &heuristic_commands[3],
    &relation_commands[0],
    &relation_commands[1],
    &relation_commands[2],
    &relation_commands[3],
    &tag_add_command,
    &tag_remove_command,
    &tag_list_command,
    &stats_command,
    &stats_slow_command,
    &stats_queries_command,
    &metrics_serve_command,
    &top_command,
    &doctor_command,
    &verify_command,
    &backup_command,
    &train_command,
    &config_show_command,
    &config_doc_command,
    &sync_command,
    &sync_status_command,
    &sync_collect_command,
    &sync_retry_command,
    &conflicts_list_command,
    &conflicts_show_command,
    &conflicts_resolve_command,
    &bench_command,
    &completion_command,
    &manual_command,
    &help_word_command,
    &version_command,
    NULL,
};

const struct command *command_find(const char *name) {
    for (size_t i = 0; commands[i] != NULL; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

bool command_in_group(const struct command *command, const char *group) {
    size_t size = strlen(group);
    return strncmp(command->name, group, size) == 0 && command->name[size] == ' ';
}

bool command_is_group(const char *group) {
    for (size_t i = 0; commands[i] != NULL; i++)
        if (command_in_group(commands[i], group))
            return true;
    return false;
}
