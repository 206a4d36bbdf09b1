/*
 * manual.c - the command `manual`: pages for man(1), made from the tables of commands and settings.
 *
 * There is mneme(1), a page for each first word of a command ("episode": mneme-episode(1)), and
 * mneme-config(5) for the file of settings. mneme(3), on the library, is written by hand (docs/).
 */
#include "manual.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "commands.h"
#include "settings_doc.h"

enum { WORD_SIZE = 32 };
static const char settings_page[] = "mneme-config.5";

static void put_section(FILE *out, const char *title) { fprintf(out, ".SH %s\n", title); }

/* ---- The parts of a page ----------------------------------------------------------------- */

/* `word` is the first of the command's name. */
static bool has_word(const struct command *command, const char *word) {
    return strcmp(command->name, word) == 0 || command_in_group(command, word);
}

static void put_name(FILE *out, const char *page, const char *summary) {
    put_section(out, "NAME");
    manual_put_text(out, page);
    fputs(" \\- ", out);
    manual_put_text(out, summary);
    fputc('\n', out);
}

static void put_options(struct cli *cli, const struct option *table) {
    FILE *out = cli->out.stream;
    for (; table != NULL && table->name != NULL; table++) {
        fputs(".TP\n.B ", out);
        manual_put_text(out, usage_of_option(cli, table));
        fputc('\n', out);
        manual_put_text(out, help_of_option(cli, table));
        fputc('\n', out);
    }
}

static const char *joined(struct cli *cli, const char *const *lines) {
    const char *text = "";
    for (; *lines != NULL; lines++)
        text = pool_format(&cli->pool, "%s%s\n", text, *lines);
    return text;
}

static void put_command(struct cli *cli, const struct command *command) {
    FILE *out = cli->out.stream;
    const char *summary = command->summary;
    fprintf(out, ".SS mneme %s\n", command->name);
    manual_put_text(
        out, pool_format(&cli->pool, "%c%s.", toupper((unsigned char)summary[0]), summary + 1));
    fputc('\n', out);
    if (command->details != NULL) {
        fputs(".PP\n", out);
        manual_put_paragraphs(out, command->details);
    }
    if (command->own_help != NULL) {
        fputs(".PP\n", out);
        manual_put_literal(out, command->own_help);
    }
    put_options(cli, command->options);
    fputs(".PP\nExamples:\n", out);
    manual_put_literal(out, joined(cli, command->examples));
}

static void put_synopsis(struct cli *cli, const struct command *command, bool first) {
    fputs(first ? ".B " : ".br\n.B ", cli->out.stream);
    manual_put_text(cli->out.stream, usage_of_command(cli, command));
    fputc('\n', cli->out.stream);
}

static void put_see_also(FILE *out, const char *others) {
    put_section(out, "SEE ALSO");
    fprintf(out, ".BR mneme (1),\n%s.BR mneme\\-config (5),\n.BR mneme (3)\n", others);
}

/* ---- A page for each first word ---------------------------------------------------------- */

static const char *summary_of_word(struct cli *cli, const char *word) {
    const struct command *command = command_find(word);
    return command != NULL ? command->summary
                           : pool_format(&cli->pool, "%s", words_of_group(cli, word));
}

static void put_page_of_word(struct cli *cli, const char *word) {
    FILE *out = cli->out.stream;
    const char *page = pool_format(&cli->pool, "mneme-%s", word);
    manual_put_title(out, page, "1");
    put_name(out, page, summary_of_word(cli, word));
    put_section(out, "SYNOPSIS");
    bool first = true;
    for (size_t i = 0; commands[i] != NULL; i++)
        if (has_word(commands[i], word)) {
            put_synopsis(cli, commands[i], first);
            first = false;
        }
    put_section(out, "DESCRIPTION");
    fputs("The options of every command, the exit codes and the files are in\n.BR mneme (1).\n",
          out);
    for (size_t i = 0; commands[i] != NULL; i++)
        if (has_word(commands[i], word))
            put_command(cli, commands[i]);
    put_see_also(out, "");
}

/* ---- mneme(1) and mneme-config(5) -------------------------------------------------------- */

/* Step through the first words, whose commands stand together in the table; *at begins as 0. */
static bool next_word(size_t *at, char word[WORD_SIZE]) {
    if (commands[*at] == NULL)
        return false;
    const char *name = commands[*at]->name;
    snprintf(word, WORD_SIZE, "%.*s", (int)strcspn(name, " "), name);
    while (commands[*at] != NULL && has_word(commands[*at], word))
        (*at)++;
    return true;
}

static const char introduction[] =
    "mneme keeps what an agent did (episodes of steps, with their outcome) and what was learned "
    "from "
    "it (patterns, heuristics, embeddings), and gives it back fast. The store is one file, which "
    "any number of processes may use at once; an SQLite file or a server does as well. When a "
    "write "
    "returns, it is on disk.\n"
    "\n"
    "A first episode:\n"
    "\n"
    "  id=$(mneme episode start --task \"Fix the login test\" --type debugging)\n"
    "  mneme episode step $id --tool grep --output \"auth.c:120\"\n"
    "  mneme episode complete $id --outcome success\n"
    "  mneme query --since 7d\n";

static const char files_text[] =
    ".TP\n.I \\(ti/.local/share/mneme/memory.mdb\n"
    "The store, in $XDG_DATA_HOME if that is set, unless\n.B \\-\\-store\nor\n.B MNEME_STORE\n"
    "names another.\n"
    ".TP\n.I \\(ti/.config/mneme/config.ini\n"
    "Your settings, in $XDG_CONFIG_HOME if that is set; see\n.BR mneme\\-config (5).\n"
    ".TP\n.I /etc/xdg/mneme/config.ini\nThe settings of the machine.\n";

static void put_exit_codes(FILE *out) {
    put_section(out, "EXIT STATUS");
    for (const struct exit_code *code = exit_codes; code->says != NULL; code++)
        fprintf(out, ".TP\n.B %d\n%s\n", code->code, code->says);
}

static void put_commands(struct cli *cli) {
    FILE *out = cli->out.stream;
    char word[WORD_SIZE];
    put_section(out, "COMMANDS");
    for (size_t at = 0; next_word(&at, word);) {
        fprintf(out, ".TP\n.BR mneme\\-%s (1)\n", word);
        manual_put_text(out, summary_of_word(cli, word));
        fputc('\n', out);
    }
}

static void put_main_page(struct cli *cli) {
    FILE *out = cli->out.stream;
    manual_put_title(out, "mneme", "1");
    put_name(out, "mneme", "memory for agents: what was done, how it went, what was learned");
    put_section(out, "SYNOPSIS");
    fputs(".B mneme\n.RI [ OPTION ]...\n.I COMMAND\n.RI [ ARGUMENT ]...\n", out);
    put_section(out, "DESCRIPTION");
    manual_put_paragraphs(out, introduction);
    put_commands(cli);
    put_section(out, "OPTIONS");
    fputs("Every command takes these, before it or behind it.\n", out);
    put_options(cli, global_options);
    put_exit_codes(out);
    put_section(out, "ENVIRONMENT");
    fputs("Each setting has a variable; see\n.BR mneme\\-config (5).\n", out);
    put_section(out, "FILES");
    fputs(files_text, out);
    put_section(out, "SEE ALSO");
    fputs(".BR mneme\\-config (5),\n.BR mneme (3)\n", out);
}

static const char config_text[] =
    "A file of sections, keys and values. Lines that begin with # are comments. A wrong line is an "
    "error that names it, and nothing is done then.\n"
    "\n"
    "  [store]\n"
    "  durability = batch\n"
    "\n"
    "  [cache]\n"
    "  episodes_bytes = 256 MiB\n"
    "\n"
    "A value comes from the first of these that has one: the option of the command line, the "
    "environment variable, the user's file, the machine's file, the default. Variable and option "
    "stand behind each key below. `mneme config show --origin` prints all values, and where each "
    "comes from. Sizes take K, M, G and T, powers of 1024, with or without iB.\n";

static void put_settings_page(struct cli *cli) {
    FILE *out = cli->out.stream;
    manual_put_title(out, "mneme-config", "5");
    put_name(out, "mneme-config", "the file of settings, and every setting");
    put_section(out, "SYNOPSIS");
    fputs(".I \\(ti/.config/mneme/config.ini\n.br\n.I /etc/xdg/mneme/config.ini\n", out);
    put_section(out, "DESCRIPTION");
    manual_put_paragraphs(out, config_text);
    settings_put_manual(out, &cli->pool);
    put_section(out, "SEE ALSO");
    fputs(".BR mneme (1)\n", out);
}

/* ---- The command ------------------------------------------------------------------------- */

/* The file names of all pages, "" behind the last; *at begins as 0. */
static const char *next_page(struct cli *cli, size_t *at) {
    char word[WORD_SIZE];
    if (commands[*at] == NULL)
        return "";
    next_word(at, word);
    return pool_format(&cli->pool, "mneme-%s.1", word);
}

/* MNEME_NOT_FOUND: there is no such page. "mneme-episode.1", "mneme-episode" and "episode" are the
 * same. */
static int put_page(struct cli *cli, const char *name) {
    const char *dash = strncmp(name, "mneme-", 6) == 0 ? name + 6 : name;
    size_t size = strlen(dash);
    if (strcmp(name, "mneme.1") == 0 || strcmp(name, "mneme") == 0) {
        put_main_page(cli);
        return 0;
    }
    if (strcmp(name, settings_page) == 0) {
        put_settings_page(cli);
        return 0;
    }
    if (size > 2 && strcmp(dash + size - 2, ".1") == 0)
        size -= 2;
    const char *word = pool_copy(&cli->pool, dash, size);
    if (strchr(word, ' ') != NULL || (command_find(word) == NULL && !command_is_group(word)))
        return fail_with(&cli->error, MNEME_NOT_FOUND,
                         "no page '%.60s'; `mneme manual --list` names all of them", name);
    put_page_of_word(cli, word);
    return 0;
}

/* A page into a file of that directory. */
static int write_page(struct cli *cli, const char *directory, const char *page) {
    const char *path = pool_format(&cli->pool, "%s/%s", directory, page);
    FILE *shown = cli->out.stream, *file = fopen(path, "we");
    if (file == NULL)
        return fail_with(&cli->error, MNEME_IO, "cannot write %s: %s", path, strerror(errno));
    cli->out.stream = file;
    int status = put_page(cli, page);
    cli->out.stream = shown;
    bool failed = ferror(file) != 0;
    if (fclose(file) != 0 || failed)
        return fail_with(&cli->error, MNEME_IO, "cannot write %s: %s", path, strerror(errno));
    return status;
}

/* To the directory, or, when there is none, their names. */
static int each_page(struct cli *cli, const char *directory) {
    const char *page = "mneme.1";
    bool settings = false;
    for (size_t at = 0; page[0] != '\0';) {
        if (directory == NULL)
            fprintf(cli->out.stream, "%s\n", page);
        int status = directory != NULL ? write_page(cli, directory, page) : 0;
        if (status != 0)
            return status;
        page = next_page(cli, &at);
        if (page[0] == '\0' && !settings) {
            page = settings_page;
            settings = true;
        }
    }
    return 0;
}

static int run_manual(struct cli *cli) {
    const char *directory = option_value(cli, "output");
    if (directory != NULL || option_given(cli, "list"))
        return each_page(cli, directory);
    return put_page(cli, cli->argument_count > 0 ? cli->arguments[0] : "mneme.1");
}

static const char *const examples[] = {"mneme manual episode | man -l -",
                                       "mneme manual --output /usr/local/share/man/man1", NULL};
static const struct option options[] = {
    OPTION_FILE("output", "DIRECTORY", "write every page into this directory"),
    OPTION_SWITCH("list", "print the names of all pages"),
    OPTION_END,
};
const struct command manual_command = {
    .name = "manual",
    .arguments = "[PAGE]",
    .summary = "print a page for man",
    .details = "PAGE is a command or the name of a page: episode, mneme-episode.1, "
               "mneme-config.5; without one it is mneme.1. `make install` installs all of them.",
    .examples = examples,
    .options = options,
    .max_arguments = 1,
    .argument_kind = ARGUMENT_COMMAND,
    .without_settings = true,
    .run = run_manual,
};
