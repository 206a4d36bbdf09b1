/*
 * completion.c - the command `completion`: scripts for bash, zsh and fish, made from the command
 * table. They hold everything and never call the program, so that Tab is instant.
 */
#include <string.h>

#include "commands.h"

/* ---- What all three shells need ---------------------------------------------------------- */

enum { GROUP_SIZE = 32 };

/* Step through the groups, whose commands stand together in the table; *at begins as 0. */
static bool next_group(size_t *at, char group[GROUP_SIZE]) {
    while (commands[*at] != NULL) {
        const char *name = commands[(*at)++]->name;
        const char *space = strchr(name, ' ');
        if (space == NULL)
            continue;
        snprintf(group, GROUP_SIZE, "%.*s", (int)(space - name), name);
        while (commands[*at] != NULL && command_in_group(commands[*at], group))
            (*at)++;
        return true;
    }
    return false;
}

/* The groups, with `separator` between them. */
static void put_groups(FILE *out, const char *separator) {
    char group[GROUP_SIZE];
    for (size_t at = 0, n = 0; next_group(&at, group); n++)
        fprintf(out, "%s%s", n > 0 ? separator : "", group);
}

/* What may stand first. */
static void put_first_words(FILE *out) {
    for (size_t i = 0; commands[i] != NULL; i++)
        if (strchr(commands[i]->name, ' ') == NULL && !command_is_group(commands[i]->name))
            fprintf(out, "%s ", commands[i]->name);
    put_groups(out, " ");
}

static void put_words_of_group(FILE *out, const char *group) {
    for (size_t i = 0; commands[i] != NULL; i++)
        if (command_in_group(commands[i], group))
            fprintf(out, "%s ", commands[i]->name + strlen(group) + 1);
}

static void put_choices(FILE *out, const char *choices) {
    mneme_text choice;
    while (value_next_choice(&choices, &choice))
        fprintf(out, "%.*s ", (int)choice.size, choice.data);
}

static void put_option_names(FILE *out, const struct option *table) {
    for (; table != NULL && table->name != NULL; table++)
        fprintf(out, "--%s ", table->name);
}

/* The options that take a value, of all commands, as a pattern of `case`; some come up more
 * than once, which does no harm. */
static void put_value_options(FILE *out) {
    const char *bar = "";
    for (size_t i = 0; commands[i] != NULL; i++)
        for (const struct option *o = commands[i]->options; o != NULL && o->name != NULL; o++)
            if (o->value.type != VALUE_NONE) {
                fprintf(out, "%s--%s", bar, o->name);
                bar = "|";
            }
    for (const struct option *o = global_options; o->name != NULL; o++)
        if (o->value.type != VALUE_NONE) {
            fprintf(out, "%s--%s", bar, o->name);
            bar = "|";
        }
}

/* ---- bash and zsh ------------------------------------------------------------------------ */

/*
 * Both shells share one function that finds the command in the words before the cursor and
 * lists what may follow, one answer in `reply`, or the word "files" in `mode`. Only how the
 * words come in and the answers go out differs.
 */
static void put_group_cases(FILE *out) {
    char group[GROUP_SIZE];
    for (size_t at = 0; next_group(&at, group);) {
        if (command_find(group) != NULL)
            continue; /* it stands among the commands */
        fprintf(out, "    %s) reply='", group);
        put_words_of_group(out, group);
        fputs("' ;;\n", out);
    }
}

static void put_value_cases(FILE *out, const char *command, const struct option *table) {
    for (; table != NULL && table->name != NULL; table++) {
        if (table->value.type == VALUE_NONE)
            continue;
        fprintf(out, "    '%s:--%s') ", command, table->name);
        if (table->value.choices != NULL) {
            fputs("reply='", out);
            put_choices(out, table->value.choices);
            fputs("' ;;\n", out);
        } else {
            fputs(table->value.type == VALUE_FILE ? "mode=files ;;\n" : "mode=none ;;\n", out);
        }
    }
}

static void put_argument_case(FILE *out, const struct command *command) {
    fprintf(out, "    '%s') options='", command->name);
    put_option_names(out, command->options);
    fputs("'", out);
    if (command->argument_kind == ARGUMENT_FILE)
        fputs("; mode=files", out);
    if (command->argument_kind == ARGUMENT_COMMAND) {
        fputs("; reply='", out);
        put_first_words(out);
        fputs("'", out);
    }
    if (command->argument_choices != NULL) {
        fputs("; reply='", out);
        put_choices(out, command->argument_choices);
        fputs("'", out);
    }
    if (command_is_group(command->name)) {
        fputs("; reply='", out);
        put_words_of_group(out, command->name);
        fputs("'", out);
    }
    fputs(" ;;\n", out);
}

/* The part that finds the command in the words, passing over options and their values. */
static void put_command_search(FILE *out) {
    fputs("    local word= last= command=\n"
          "    reply= options= mode=\n"
          "    for word in \"$@\"; do\n"
          "        case \"$last\" in\n"
          "        ",
          out);
    put_value_options(out);
    fputs(") last=; continue ;;\n"
          "        esac\n"
          "        last=$word\n"
          "        case \"$word\" in\n"
          "        -*) continue ;;\n"
          "        esac\n"
          "        case \"$command\" in\n"
          "        '') command=$word ;;\n"
          "        ",
          out);
    put_groups(out, "|");
    fputs(") command=\"$command $word\" ;;\n"
          "        esac\n"
          "    done\n",
          out);
}

/* Sets reply, options and mode from the arguments: the words before the cursor. */
static void put_answer_function(FILE *out) {
    fputs("_mneme_answer() {\n", out);
    put_command_search(out);
    fputs("    case \"$command:$last\" in\n"
          "    *:--store|*:--token-file) mode=files; return ;;\n"
          "    *:--remote) mode=none; return ;;\n",
          out);
    for (size_t i = 0; commands[i] != NULL; i++)
        put_value_cases(out, commands[i]->name, commands[i]->options);
    fputs("    esac\n"
          "    [ -n \"$reply$mode\" ] && return\n"
          "    case \"$command\" in\n"
          "    '') reply='",
          out);
    put_first_words(out);
    fputs("' ;;\n", out);
    put_group_cases(out);
    for (size_t i = 0; commands[i] != NULL; i++)
        put_argument_case(out, commands[i]);
    fputs("    esac\n    options=\"$options", out);
    put_option_names(out, global_options);
    fputs("\"\n}\n\n", out);
}

static void put_bash(FILE *out) {
    fputs("# bash completion of mneme. Use it with:  source <(mneme completion bash)\n", out);
    put_answer_function(out);
    fputs("_mneme() {\n"
          "    local reply options mode current=${COMP_WORDS[COMP_CWORD]}\n"
          "    _mneme_answer \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"\n"
          "    case \"$current\" in\n"
          "    -*) reply=$options mode= ;;\n"
          "    esac\n"
          "    COMPREPLY=($(compgen -W \"$reply\" -- \"$current\"))\n"
          "    if [ \"$mode\" = files ]; then\n"
          "        compopt -o filenames 2> /dev/null\n"
          "        COMPREPLY=($(compgen -f -- \"$current\"))\n"
          "    fi\n"
          "}\n"
          "complete -F _mneme mneme\n",
          out);
}

static void put_zsh(FILE *out) {
    fputs("#compdef mneme\n"
          "# zsh completion of mneme. Save it as _mneme in a directory of $fpath.\n",
          out);
    put_answer_function(out);
    fputs("_mneme() {\n"
          "    local reply options mode\n"
          "    _mneme_answer \"${(@)words[2,CURRENT-1]}\"\n"
          "    if [[ \"$words[CURRENT]\" == -* ]]; then\n"
          "        compadd -- ${=options}\n"
          "    elif [[ $mode == files ]]; then\n"
          "        _files\n"
          "    elif [[ -n $reply ]]; then\n"
          "        compadd -- ${=reply}\n"
          "    fi\n"
          "}\n\n"
          "if [ \"$funcstack[1]\" = _mneme ]; then\n"
          "    _mneme \"$@\"\n"
          "else\n"
          "    compdef _mneme mneme\n"
          "fi\n",
          out);
}

/* ---- fish -------------------------------------------------------------------------------- */

/* In single quotes, where only the quote and the backslash need care. */
static void put_fish_text(FILE *out, const char *text) {
    fputc('\'', out);
    for (; *text != '\0'; text++) {
        if (*text == '\'' || *text == '\\')
            fputc('\\', out);
        fputc(*text, out);
    }
    fputc('\'', out);
}

static void put_fish_options(FILE *out, const char *condition, const struct option *table) {
    for (; table != NULL && table->name != NULL; table++) {
        fprintf(out, "complete -c mneme%s -l %s -d ", condition, table->name);
        put_fish_text(out, table->help);
        if (table->value.type == VALUE_FILE)
            fputs(" -r -F", out);
        else if (table->value.type != VALUE_NONE)
            fputs(" -x", out);
        if (table->value.choices != NULL) {
            fputs(" -a '", out);
            put_choices(out, table->value.choices);
            fputc('\'', out);
        }
        fputc('\n', out);
    }
}

/* The words of a command: offered where the words before them stand. */
static void put_fish_command(FILE *out, const struct command *command) {
    const char *space = strchr(command->name, ' ');
    int before = space != NULL ? (int)(space - command->name) : 0;
    char condition[96];
    fprintf(out, "complete -c mneme -n \"__mneme_at '%.*s'\" -a %s -d ", before, command->name,
            space != NULL ? space + 1 : command->name);
    put_fish_text(out, command->summary);
    fputc('\n', out);
    snprintf(condition, sizeof condition, " -n \"__mneme_at '%s'\"", command->name);
    put_fish_options(out, condition, command->options);
    if (command->argument_kind == ARGUMENT_FILE)
        fprintf(out, "complete -c mneme%s -F\n", condition);
    if (command->argument_choices != NULL) {
        fprintf(out, "complete -c mneme%s -a '", condition);
        put_choices(out, command->argument_choices);
        fputs("'\n", out);
    }
}

static void put_fish(FILE *out) {
    fputs("# fish completion of mneme. Save it as ~/.config/fish/completions/mneme.fish\n"
          "# __mneme_at COMMAND: whether the words before the cursor name that command.\n"
          "function __mneme_at\n"
          "    set -l words (commandline -opc)\n"
          "    set -l command\n"
          "    set -l skip 0\n"
          "    for word in $words[2..-1]\n"
          "        if test $skip = 1\n"
          "            set skip 0\n"
          "        else if contains -- $word --store --token-file --remote\n"
          "            set skip 1\n"
          "        else if not string match -q -- '-*' $word\n"
          "            set -a command $word\n"
          "            contains -- \"$command\" ",
          out);
    put_groups(out, " ");
    fputs("; or break\n"
          "        end\n"
          "    end\n"
          "    test \"$command\" = \"$argv[1]\"\n"
          "end\n"
          "complete -c mneme -f\n",
          out);
    fputs("complete -c mneme -n \"__mneme_at ''\" -a '", out);
    put_groups(out, " ");
    fputs("'\n", out);
    put_fish_options(out, "", global_options);
    for (size_t i = 0; commands[i] != NULL; i++)
        put_fish_command(out, commands[i]);
}

/* ---- The command ------------------------------------------------------------------------- */

static int run_completion(struct cli *cli) {
    const struct value_rule rule = {.type = VALUE_CHOICE,
                                    .choices = cli->command->argument_choices};
    const char *shell = cli->arguments[0];
    int status = value_check(&rule, "'completion'", shell, &cli->error);
    if (status != 0)
        return status;
    if (strcmp(shell, "bash") == 0)
        put_bash(cli->out.stream);
    else if (strcmp(shell, "zsh") == 0)
        put_zsh(cli->out.stream);
    else
        put_fish(cli->out.stream);
    return 0;
}

static const char *const examples[] = {
    "source <(mneme completion bash)",
    "mneme completion zsh > ~/.zfunc/_mneme",
    "mneme completion fish > ~/.config/fish/completions/mneme.fish",
    NULL,
};
const struct command completion_command = {
    .name = "completion",
    .arguments = "bash|zsh|fish",
    .summary = "print a completion script for a shell",
    .examples = examples,
    .min_arguments = 1,
    .max_arguments = 1,
    .argument_kind = ARGUMENT_TEXT,
    .argument_choices = "bash|zsh|fish",
    .without_settings = true,
    .run = run_completion,
};
