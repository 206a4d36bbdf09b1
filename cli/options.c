/*
 * options.c - from argv to a command, its options and its arguments.
 *
 * Global options may stand anywhere; a command's own come after its name. "--" ends options.
 */
#include <stdlib.h>
#include <string.h>

#include "cli.h"

/* ---- Parsing ----------------------------------------------------------------------------- */

struct parser {
    struct cli *cli;
    int argc;
    char **argv;
    int next; /* index of the argument to read next */
};

static const struct option *find_option(const struct option *table, const char *name, size_t size) {
    for (; table != NULL && table->name != NULL; table++)
        if (strlen(table->name) == size && memcmp(table->name, name, size) == 0)
            return table;
    return NULL;
}

/* What a message calls the command, and how to get its help. */
static const char *help_hint(struct cli *cli) {
    if (cli->command != NULL)
        return pool_format(&cli->pool, "`mneme %s --help`", cli->command->name);
    return "`mneme help`";
}

/* Arguments are seen by every user of the machine, and stay in histories. */
static int refuse_secret(struct cli *cli, const char *shown) {
    return fail_with(
        &cli->error, MNEME_INVALID,
        "%s is not taken, for others can see arguments; put the token into $MNEME_TOKEN, "
        "or into a file of mode 0600 and give --token-file PATH",
        shown);
}

static bool is_secret(const char *name) {
    static const char *const names[] = {"token", "auth-token", "password", "basic"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

static int unknown_option(struct cli *cli, const char *shown, const char *name) {
    if (is_secret(name))
        return refuse_secret(cli, shown);
    const char *meant = suggest_option(cli->command, name);
    const char *of =
        cli->command != NULL ? pool_format(&cli->pool, " of '%s'", cli->command->name) : "";
    if (meant != NULL)
        return fail_with(&cli->error, MNEME_INVALID, "no option '%.60s'%s; did you mean '--%s'?",
                         shown, of, meant);
    if (cli->command == NULL)
        return fail_with(&cli->error, MNEME_INVALID,
                         "no option '%.60s' before the command; options of a command go behind "
                         "it, see `mneme help`",
                         shown);
    return fail_with(&cli->error, MNEME_INVALID, "no option '%.60s'%s; see %s", shown, of,
                     help_hint(cli));
}

static int store_option(struct cli *cli, const struct option *option, const char *value) {
    const char *shown = pool_format(&cli->pool, "--%s", option->name);
    if (!option->repeats && option->value.type != VALUE_NONE && option_given(cli, option->name))
        return fail_with(&cli->error, MNEME_INVALID, "%s was given twice", shown);
    if (value != NULL) {
        int status = value_check(&option->value, shown, value, &cli->error);
        if (status != 0)
            return status;
    }
    cli->given[cli->given_count++] = (struct given_option){option, value};
    return 0;
}

static int parse_long_option(struct parser *parser, const char *argument) {
    struct cli *cli = parser->cli;
    const char *name = argument + 2;
    size_t size = strcspn(name, "=");
    const char *value = name[size] == '=' ? name + size + 1 : NULL;
    const struct option *option = find_option(global_options, name, size);
    if (option == NULL && cli->command != NULL)
        option = find_option(cli->command->options, name, size);
    if (option == NULL) {
        const char *shown = pool_copy(&cli->pool, argument, size + 2);
        return unknown_option(cli, shown, shown + 2);
    }
    if (option->value.type == VALUE_NONE && value != NULL)
        return fail_with(&cli->error, MNEME_INVALID, "--%s takes no value", option->name);
    if (option->value.type != VALUE_NONE && value == NULL) {
        if (parser->next >= parser->argc)
            return fail_with(&cli->error, MNEME_INVALID, "--%s needs a value: --%s %s",
                             option->name, option->name, option->value_name);
        value = parser->argv[parser->next++];
    }
    return store_option(cli, option, value);
}

/* The few one-letter options. */
static int parse_short_option(struct parser *parser, const char *argument) {
    static const struct {
        const char *letter, *name;
    } letters[] = {{"-h", "help"}, {"-q", "quiet"}, {"-V", "version"}};
    for (size_t i = 0; i < sizeof letters / sizeof letters[0]; i++)
        if (strcmp(argument, letters[i].letter) == 0)
            return store_option(
                parser->cli, find_option(global_options, letters[i].name, strlen(letters[i].name)),
                NULL);
    return unknown_option(parser->cli, argument, argument + 1);
}

/* The first word, or the second one of a group, names the command. */
static int take_command_word(struct cli *cli, const char *word) {
    const char *name =
        cli->group != NULL ? pool_format(&cli->pool, "%s %s", cli->group, word) : word;
    cli->command = command_find(name);
    if (cli->command != NULL)
        return 0;
    if (cli->group == NULL && command_is_group(word)) {
        cli->group = word;
        return 0;
    }
    const char *meant = suggest_command(name);
    if (meant != NULL)
        return fail_with(&cli->error, MNEME_INVALID, "no command '%.60s'; did you mean '%s'?", name,
                         meant);
    return fail_with(&cli->error, MNEME_INVALID, "no command '%.60s'; see `mneme help%s%s`", name,
                     cli->group != NULL ? " " : "", cli->group != NULL ? cli->group : "");
}

/* "sync" is a command, and so is "sync status". */
static bool take_second_word(struct cli *cli, const char *word) {
    if (cli->argument_count > 0 || !command_is_group(cli->command->name))
        return false;
    const struct command *longer =
        command_find(pool_format(&cli->pool, "%s %s", cli->command->name, word));
    if (longer != NULL)
        cli->command = longer;
    return longer != NULL;
}

/* For a command that reads its arguments itself: all that follow, --json included when it
 * stood before. */
static void take_rest(struct parser *parser) {
    struct cli *cli = parser->cli;
    if (option_given(cli, "json"))
        cli->arguments[cli->argument_count++] = "--json";
    while (parser->next < parser->argc)
        cli->arguments[cli->argument_count++] = parser->argv[parser->next++];
}

static int parse_arguments(struct parser *parser) {
    struct cli *cli = parser->cli;
    bool options_ended = false;
    while (parser->next < parser->argc) {
        const char *argument = parser->argv[parser->next++];
        int status = 0;
        if (!options_ended && strcmp(argument, "--") == 0)
            options_ended = true;
        else if (!options_ended && argument[0] == '-' && argument[1] == '-')
            status = parse_long_option(parser, argument);
        else if (!options_ended && argument[0] == '-' && argument[1] != '\0')
            status = parse_short_option(parser, argument);
        else if (cli->command == NULL)
            status = take_command_word(cli, argument);
        else if (options_ended || !take_second_word(cli, argument))
            cli->arguments[cli->argument_count++] = argument;
        if (status != 0)
            return status;
        if (cli->command != NULL && cli->command->takes_rest)
            take_rest(parser);
    }
    return 0;
}

/* Whether what was given is enough for the command, and not too much. */
static int check_completeness(struct cli *cli) {
    const struct command *command = cli->command;
    const char *arguments = command->arguments != NULL ? command->arguments : "";
    if (command->takes_rest)
        return 0;
    if (cli->argument_count < command->min_arguments)
        return fail_with(&cli->error, MNEME_INVALID, "'%s' needs %s; see %s", command->name,
                         arguments, help_hint(cli));
    if (cli->argument_count > command->max_arguments)
        return fail_with(&cli->error, MNEME_INVALID,
                         "'%s' does not know what to do with '%.60s'; see %s", command->name,
                         cli->arguments[command->max_arguments], help_hint(cli));
    for (const struct option *o = command->options; o != NULL && o->name != NULL; o++)
        if (o->required && !option_given(cli, o->name))
            return fail_with(&cli->error, MNEME_INVALID, "'%s' needs --%s %s; see %s",
                             command->name, o->name, o->value_name, help_hint(cli));
    return 0;
}

int cli_parse(struct cli *cli, int argc, char **argv) {
    struct parser parser = {.cli = cli, .argc = argc, .argv = argv, .next = 1};
    size_t room = (size_t)argc + 1;
    cli->given = pool_alloc(&cli->pool, room, sizeof *cli->given);
    cli->arguments = pool_alloc(&cli->pool, room, sizeof *cli->arguments);
    int status = parse_arguments(&parser);
    cli->help = option_given(cli, "help");
    cli->version = option_given(cli, "version");
    cli->json = option_given(cli, "json");
    cli->quiet = option_given(cli, "quiet");
    if (status != 0 || cli->help || cli->version || cli->command == NULL)
        return status;
    return check_completeness(cli);
}

/* ---- Values ------------------------------------------------------------------------------ */

/* The next use of the option at or behind place `*at`, which moves behind it. */
static const struct given_option *next_given(const struct cli *cli, const char *name, size_t *at) {
    while (*at < cli->given_count) {
        const struct given_option *given = &cli->given[(*at)++];
        if (strcmp(given->option->name, name) == 0)
            return given;
    }
    return NULL;
}

bool option_given(const struct cli *cli, const char *name) {
    size_t at = 0;
    return next_given(cli, name, &at) != NULL;
}

const char *option_value(const struct cli *cli, const char *name) {
    size_t at = 0;
    const struct given_option *given = next_given(cli, name, &at);
    return given != NULL ? given->value : NULL;
}

mneme_text option_text(const struct cli *cli, const char *name) {
    return mneme_text_of(option_value(cli, name));
}

mneme_text_list option_texts(struct cli *cli, const char *name) {
    mneme_text *items = pool_alloc(&cli->pool, cli->given_count + 1, sizeof *items);
    const struct given_option *given;
    size_t count = 0;
    for (size_t at = 0; (given = next_given(cli, name, &at)) != NULL;)
        items[count++] = mneme_text_of(given->value);
    return (mneme_text_list){items, count};
}

mneme_pair_list option_pairs(struct cli *cli, const char *name) {
    mneme_text_list texts = option_texts(cli, name);
    mneme_pair *items = pool_alloc(&cli->pool, texts.count + 1, sizeof *items);
    for (size_t i = 0; i < texts.count; i++) {
        size_t size = strcspn(texts.items[i].data, "=");
        items[i].name = (mneme_text){texts.items[i].data, size};
        items[i].value = mneme_text_of(texts.items[i].data + size + 1);
    }
    return (mneme_pair_list){items, texts.count};
}

int64_t option_whole(const struct cli *cli, const char *name, int64_t otherwise) {
    const char *value = option_value(cli, name);
    return value != NULL ? value_whole(value) : otherwise;
}

double option_real(const struct cli *cli, const char *name, double otherwise) {
    const char *value = option_value(cli, name);
    return value != NULL ? value_real(value) : otherwise;
}

int64_t option_time(const struct cli *cli, const char *name) {
    int64_t time_us = 0;
    const char *value = option_value(cli, name);
    if (value != NULL)
        mneme_time_parse(mneme_text_of(value), &time_us, NULL);
    return time_us;
}

int option_choice(const struct cli *cli, const char *name) {
    size_t at = 0;
    const struct given_option *given = next_given(cli, name, &at);
    return given != NULL ? value_choice(given->option->value.choices, given->value) : -1;
}

mneme_kind option_kind(const struct cli *cli, const char *name, mneme_kind otherwise) {
    const char *value = option_value(cli, name);
    for (int kind = 1; value != NULL && kind < MNEME_KIND_COUNT; kind++)
        if (strcmp(value, mneme_kind_name((mneme_kind)kind)) == 0)
            return (mneme_kind)kind;
    return otherwise;
}
