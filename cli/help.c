/*
 * help.c - help pages, made from the command table. Examples come first.
 */
#include <string.h>

#include "cli.h"
#include "display.h"
#include "settings_doc.h"

enum { WIDTH = 80, OPTION_COLUMN = 28, COMMAND_COLUMN = 20, FOLDED_COLUMN = 14 };

static void put_heading(struct cli *cli, const char *heading) {
    put_bold(cli->out.stream, cli->color, heading);
    fputc('\n', cli->out.stream);
}

/* "  left      text", the text wrapped in its own column. */
static void put_entry(struct cli *cli, const char *left, const char *text, size_t column) {
    FILE *out = cli->out.stream;
    fprintf(out, "  %-*s", (int)column - 2, left);
    if (strlen(left) > column - 3)
        fprintf(out, "\n%*s", (int)column, "");
    display_put_lines(out, mneme_text_of(text), column, WIDTH, 0);
}

static void put_examples(struct cli *cli, const char *const *examples) {
    put_heading(cli, "Examples:");
    for (; *examples != NULL; examples++)
        fprintf(cli->out.stream, "  %s\n", *examples);
    fputc('\n', cli->out.stream);
}

/* Every command, or those of one group. */
static void put_commands(struct cli *cli, const char *group) {
    for (size_t i = 0; commands[i] != NULL; i++)
        if (group == NULL || command_in_group(commands[i], group))
            put_entry(cli, commands[i]->name, commands[i]->summary, COMMAND_COLUMN);
}

const char *words_of_group(struct cli *cli, const char *group) {
    const char *list = "";
    for (size_t i = 0; commands[i] != NULL; i++)
        if (command_in_group(commands[i], group))
            list = pool_format(&cli->pool, "%s%s%s", list, list[0] != '\0' ? ", " : "",
                               commands[i]->name + strlen(group) + 1);
    return list;
}

/* Of a command that is a group as well, its words, too. */
static const char *folded_summary(struct cli *cli, const struct command *command) {
    if (!command_is_group(command->name))
        return command->summary;
    return pool_format(&cli->pool, "%s; %s", command->summary, words_of_group(cli, command->name));
}

/* One line a group, so that all of it fits on a screen. */
static void put_commands_folded(struct cli *cli) {
    const char *group = "";
    for (size_t i = 0; commands[i] != NULL; i++) {
        const char *space = strchr(commands[i]->name, ' ');
        if (space == NULL) {
            group = commands[i]->name;
            put_entry(cli, group, folded_summary(cli, commands[i]), FOLDED_COLUMN);
        } else if (!command_in_group(commands[i], group)) {
            group = pool_copy(&cli->pool, commands[i]->name, (size_t)(space - commands[i]->name));
            put_entry(cli, group, words_of_group(cli, group), FOLDED_COLUMN);
        }
    }
}

/* "one of a, b, c" for choices, the range for numbers. */
static const char *describe_value(struct cli *cli, const struct option *option) {
    const struct value_rule *rule = &option->value;
    if (rule->type == VALUE_WHOLE && rule->max != INT64_MAX)
        return pool_format(&cli->pool, " (%lld to %lld)", (long long)rule->min,
                           (long long)rule->max);
    if (rule->choices == NULL)
        return "";
    const char *list = "", *rest = rule->choices;
    mneme_text choice;
    while (value_next_choice(&rest, &choice))
        list = pool_format(&cli->pool, "%s%s%.*s", list, list[0] != '\0' ? ", " : "",
                           (int)choice.size, choice.data);
    return pool_format(&cli->pool, ": %s%s", list,
                       rule->type == VALUE_TEXT ? " or a word of your own" : "");
}

const char *usage_of_option(struct cli *cli, const struct option *option) {
    return pool_format(&cli->pool, "--%s%s%s", option->name, option->value_name != NULL ? " " : "",
                       option->value_name != NULL ? option->value_name : "");
}

const char *help_of_option(struct cli *cli, const struct option *option) {
    return pool_format(&cli->pool, "%s%s%s%s", option->help, describe_value(cli, option),
                       option->required ? "; required" : "",
                       option->repeats ? "; may be repeated" : "");
}

static void put_options(struct cli *cli, const struct option *table) {
    for (; table != NULL && table->name != NULL; table++)
        put_entry(cli, usage_of_option(cli, table), help_of_option(cli, table), OPTION_COLUMN);
}

static void put_global_options(struct cli *cli) {
    put_heading(cli, "Options of every command:");
    put_options(cli, global_options);
}

static const char *const first_examples[] = {
    "mneme init",
    "mneme import --format tau-bench trajectories.json",
    "mneme episode start --task \"Fix the login test\" --type debugging",
    "mneme query --since 7d --outcome failure",
    "mneme episode show 0197c0de-5f2b-7d41",
    "mneme stats",
    NULL,
};

static void put_introduction(struct cli *cli) {
    fputs("mneme - memory for agents: what was done, how it went, what was learned\n\n",
          cli->out.stream);
    put_examples(cli, first_examples);
    put_heading(cli, "Commands:");
}

void help_short(struct cli *cli) {
    put_introduction(cli);
    put_commands_folded(cli);
    fputs("\n`mneme help COMMAND` explains one of them, `mneme help` lists everything.\n",
          cli->out.stream);
}

const struct exit_code exit_codes[] = {
    {0, "done"},
    {1, "failed"},
    {2, "wrong usage"},
    {3, "not found"},
    {4, "locked, in conflict"},
    {5, "damaged data"},
    {6, "no space left"},
    {7, "server not reached"},
    {8, "not authorized"},
    {9, "done in part"},
    {130, "interrupted"},
    {0, NULL},
};

/* In three columns. */
static void put_exit_codes(FILE *out) {
    enum { ROWS = 4, COUNT = sizeof exit_codes / sizeof exit_codes[0] - 1 };
    for (size_t row = 0; row < ROWS; row++) {
        for (size_t i = row; i < COUNT; i += ROWS)
            fprintf(out, i + ROWS < COUNT ? "  %d %-22s" : "  %d %s", exit_codes[i].code,
                    exit_codes[i].says);
        fputc('\n', out);
    }
}

void help_general(struct cli *cli) {
    FILE *out = cli->out.stream;
    put_introduction(cli);
    put_commands(cli, NULL);
    fputc('\n', out);
    put_global_options(cli);
    fputc('\n', out);
    put_heading(cli, "Settings:");
    display_put_lines(
        out,
        mneme_text_of(
            "  The store is --store, else $MNEME_STORE, else `url` in the file "
            "~/.config/mneme/config.ini, else ~/.local/share/mneme/memory.mdb. `mneme config "
            "show --origin` prints every setting and where it comes from."),
        2, WIDTH, 0);
    fputc('\n', out);
    put_heading(cli, "Exit codes:");
    put_exit_codes(out);
}

void help_group(struct cli *cli, const char *group) {
    fprintf(cli->out.stream, "Commands of mneme %s:\n", group);
    put_commands(cli, group);
    fprintf(cli->out.stream, "\n`mneme help %s COMMAND` explains one of them.\n", group);
}

const char *usage_of_command(struct cli *cli, const struct command *command) {
    struct pool *pool = &cli->pool;
    const char *usage =
        pool_format(pool, "mneme %s%s%s", command->name, command->arguments != NULL ? " " : "",
                    command->arguments != NULL ? command->arguments : "");
    bool has_optional = false;
    for (const struct option *o = command->options; o != NULL && o->name != NULL; o++) {
        has_optional = has_optional || !o->required;
        if (o->required)
            usage = pool_format(pool, "%s --%s %s", usage, o->name, o->value_name);
    }
    return pool_format(pool, "%s%s", usage, has_optional ? " [OPTION]..." : "");
}

void help_command(struct cli *cli, const struct command *command) {
    FILE *out = cli->out.stream;
    bool has_options = command->options != NULL && command->options[0].name != NULL;
    fprintf(out, "mneme %s - %s\n\n", command->name, command->summary);
    put_examples(cli, command->examples);
    put_heading(cli, "Usage:");
    fprintf(out, "  %s\n\n", usage_of_command(cli, command));
    if (command->details != NULL) {
        display_put_lines(out, mneme_text_of(command->details), 0, WIDTH, 0);
        fputc('\n', out);
    }
    if (has_options) {
        put_heading(cli, "Options:");
        put_options(cli, command->options);
        fputc('\n', out);
    }
    put_global_options(cli);
    if (command->lists_settings) {
        fputc('\n', out);
        put_heading(cli, "Settings:");
        settings_put_help(out, &cli->pool);
    }
}
