/*
 * cli.h - the shape of the command line: commands, their options, and one run of one of them.
 *
 * Model. Each command is one constant `struct command` (commands.h); parsing, help, suggestions
 * and completion are all made from it. A run parses the arguments into a `struct cli`, calls the
 * command's function with it, and ends: main.c prints the error if there is one, and turns the
 * status into the exit code.
 * Ownership. Strings and arrays live in cli->pool until the end of the run.
 * Errors. A command returns 0 or a mneme_status with the sentence in cli->error.
 */
#ifndef MNEME_CLI_CLI_H
#define MNEME_CLI_CLI_H

#include "mneme/mneme.h"
#include "output.h"
#include "pool.h"
#include "settings.h"
#include "value.h"

struct cli;

struct option {
    const char *name;       /* without the dashes; NULL ends a table */
    const char *value_name; /* of its value, in help */
    const char *help;
    struct value_rule value;
    bool repeats;
    bool required;
};

/* The rows of an option table; behind the arguments may follow .required or .repeats = true. */
#define OPTION_SWITCH(name_, help_)                                                                \
    { .name = (name_), .help = (help_) }
#define OPTION_OF(type_, name_, value_name_, ...)                                                  \
    { .name = (name_), .value_name = (value_name_), .value.type = (type_), .help = __VA_ARGS__ }
#define OPTION_TEXT(name, value_name, ...) OPTION_OF(VALUE_TEXT, name, value_name, __VA_ARGS__)
#define OPTION_FILE(name, value_name, ...) OPTION_OF(VALUE_FILE, name, value_name, __VA_ARGS__)
#define OPTION_ID(name, value_name, ...) OPTION_OF(VALUE_ID, name, value_name, __VA_ARGS__)
#define OPTION_TIME(name, value_name, ...) OPTION_OF(VALUE_TIME, name, value_name, __VA_ARGS__)
#define OPTION_REAL(name, value_name, ...) OPTION_OF(VALUE_REAL, name, value_name, __VA_ARGS__)
#define OPTION_PAIR(name, value_name, ...) OPTION_OF(VALUE_PAIR, name, value_name, __VA_ARGS__)
#define OPTION_WHOLE(name, value_name, help, min_, max_)                                           \
    OPTION_OF(VALUE_WHOLE, name, value_name, help, .value.min = (min_), .value.max = (max_))
/* One of the choices; and a word for which there are proposals. */
#define OPTION_CHOICE(name, value_name, help, ...)                                                 \
    OPTION_OF(VALUE_CHOICE, name, value_name, help, .value.choices = __VA_ARGS__)
#define OPTION_WORD(name, value_name, help, choices_)                                              \
    OPTION_OF(VALUE_TEXT, name, value_name, help, .value.choices = choices_)
#define OPTION_END                                                                                 \
    { .name = NULL }

/* What the arguments of a command are, for completion. */
enum argument_kind { ARGUMENT_NONE, ARGUMENT_TEXT, ARGUMENT_FILE, ARGUMENT_COMMAND };

struct command {
    const char *name;      /* "init", "episode start" */
    const char *arguments; /* in the synopsis: "ID", "FILE..."; NULL: none */
    const char *summary;
    const char *details;          /* paragraphs for its help, or NULL */
    const char *own_help;         /* what it prints for --help by itself, or NULL */
    const char *const *examples;  /* ends with NULL */
    const struct option *options; /* ends with an entry without name; NULL: none */
    size_t min_arguments, max_arguments;
    enum argument_kind argument_kind;
    const char *argument_choices; /* "a|b", or NULL */
    mneme_kind kind;              /* of the records it works on, if it is of one kind */
    bool is_long;                 /* handles many records, or tells of the store as such: see
                                     cli_options */
    bool observes;                /* looks at what other processes do, and is none of them */
    bool takes_rest;              /* what follows its name is passed on unread */
    bool lists_settings;          /* its help ends with every setting */
    bool without_settings;        /* works even when they are wrong */
    int (*run)(struct cli *cli);
};

struct given_option {
    const struct option *option;
    const char *value; /* NULL for a switch */
};

struct cli {
    struct pool pool;
    struct output out; /* standard output */
    mneme_error error;

    const struct command *command; /* NULL: none was named */
    const char *group;             /* "episode", when one was named */
    struct given_option *given;
    size_t given_count;
    const char **arguments;
    size_t argument_count;
    bool help, version, json, quiet;

    struct settings settings;
    bool color;    /* standard output takes colour */
    size_t width;  /* columns for tables */
    mneme *store;  /* once opened */
    bool measured; /* a process among others, even if the command only observes */
    int signal;    /* the one that stopped a long command, or 0 */
    int exit_code; /* of a command that decides it itself (bench) */
};

/* ---- Commands (commands.c) --------------------------------------------------------------- */

extern const struct command *const commands[]; /* in the order of help; ends with NULL */
extern const struct option global_options[];

const struct command *command_find(const char *name);
/* Whether some command is named "GROUP something"; GROUP may be a command itself. */
bool command_is_group(const char *group);
/* Whether this command is one of the group's. */
bool command_in_group(const struct command *command, const char *group);

/* ---- Options (options.c) ----------------------------------------------------------------- */

/* Read argv into cli->command, given and arguments. MNEME_INVALID: the user got it wrong. */
int cli_parse(struct cli *cli, int argc, char **argv);

/* The value of an option, or NULL when it was not given. */
const char *option_value(const struct cli *cli, const char *name);
bool option_given(const struct cli *cli, const char *name);
mneme_text option_text(const struct cli *cli, const char *name); /* empty if not given */
/* All values of a repeating option. */
mneme_text_list option_texts(struct cli *cli, const char *name);
mneme_pair_list option_pairs(struct cli *cli, const char *name);
int64_t option_whole(const struct cli *cli, const char *name, int64_t otherwise);
double option_real(const struct cli *cli, const char *name, double otherwise);
int64_t option_time(const struct cli *cli, const char *name); /* 0 if not given */
/* The place of the value among the option's choices, from 0; -1 if not given. */
int option_choice(const struct cli *cli, const char *name);

/* ---- Suggestions (suggest.c) ------------------------------------------------------------- */

/* The command or option that was most likely meant, or NULL. */
const char *suggest_command(const char *word);
const char *suggest_option(const struct command *command, const char *name);

/* ---- Help (help.c) ----------------------------------------------------------------------- */

void help_short(struct cli *cli);   /* `mneme` alone */
void help_general(struct cli *cli); /* `mneme help` */
void help_group(struct cli *cli, const char *group);
/* "start, step, …": the commands of a group by their second word. */
const char *words_of_group(struct cli *cli, const char *group);
void help_command(struct cli *cli, const struct command *command);
/* What the codes of the program mean; ends with an entry without text. */
struct exit_code {
    int code;
    const char *says;
};
extern const struct exit_code exit_codes[];
/* "mneme episode step ID [OPTION]...", "--limit N", and what stands behind that. */
const char *usage_of_command(struct cli *cli, const struct command *command);
const char *usage_of_option(struct cli *cli, const struct option *option);
const char *help_of_option(struct cli *cli, const struct option *option);

/* ---- The store (session.c) --------------------------------------------------------------- */

enum open_mode {
    OPEN_TO_READ,   /* must exist; is not written to */
    OPEN_TO_CHANGE, /* must exist */
    OPEN_OR_CREATE
};
/* Open the store of the settings as cli->store. */
int cli_open(struct cli *cli, enum open_mode mode);
/* The same for a URL that was given to the command. */
int cli_open_url(struct cli *cli, const char *url, enum open_mode mode);
/* The options of the settings, as they are for that URL. A command that ends after one answer of a
 * server does without caches and without asking for protobuf, which are round trips first. */
mneme_options cli_options(struct cli *cli, const char *url, enum open_mode mode);
/* The remote that the settings name for the store of that URL; url NULL: none. A command that ends
 * with its work talks to it only if it is about sync. */
mneme_sync_options sync_options(struct cli *cli, const char *url);
/* Whether the URL is of a server; of others no secret is even looked at. */
bool url_is_of_a_server(const char *url);
/* NULL for a setting that is not made. */
const char *setting_text(const struct cli *cli, enum setting setting);
uint32_t setting_number(const struct cli *cli, enum setting setting);
/* MNEME_NOT_FOUND, with what to do about it. */
int missing_store(struct cli *cli, const char *url);
/* The URL of the store. MNEME_NOT_FOUND: none is set, and there is no home directory. */
int cli_store_url(struct cli *cli, const char **url);

/* How the settings say to write; `ticket` receives the ticket of a batched write. */
struct mneme_write cli_write(const struct cli *cli, mneme_ticket *ticket);
/* Wait for a write made so, as far as the settings ask for it. */
int cli_settle(struct cli *cli, const struct mneme_write *write);

/*
 * The id that `text` means: a whole one, or 8 or more hex digits with which exactly one record
 * of that kind begins. MNEME_INVALID: neither. MNEME_NOT_FOUND: none begins so. MNEME_CONFLICT:
 * several do; the error lists them.
 */
int cli_resolve_id(struct cli *cli, mneme_kind kind, const char *text, mneme_id *id);

/* A record by the id in `text`; released with mneme_release. */
int cli_acquire(struct cli *cli, mneme_kind kind, const char *text, const mneme_record **record);

/* The whole of a file, or of standard input for "-". MNEME_TOO_LARGE: more than max_bytes. */
int cli_read_file(struct cli *cli, const char *path, size_t max_bytes, mneme_text *text);

/* A message for people on standard error, unless --quiet. */
void cli_say(const struct cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- Parts that commands share ----------------------------------------------------------- */

/* The choices of an option --kind, and the kind that it names. */
#define KIND_CHOICES "episode|step|pattern|heuristic|embedding|relation|checkpoint"
#define KIND_CHOICES_ALL KIND_CHOICES "|superseded"
mneme_kind option_kind(const struct cli *cli, const char *name, mneme_kind otherwise);

/* The choices of outcomes, in the order of mneme_outcome_kind from MNEME_SUCCESS. */
#define OUTCOME_CHOICES "success|partial_success|failure|abstained"
/* Proposals for the type of an episode. */
#define TASK_TYPES "code_generation|debugging|refactoring|testing|analysis|documentation|other"

/* Names of enumerations, as in JSON. */
const char *outcome_text(mneme_outcome_kind kind); /* "open" for none */
const char *result_text(mneme_result_kind kind);   /* "" for none */

/* The id of a record as text, for messages and tables. */
const char *id_text(struct cli *cli, const mneme_id *id);
/* Print it on a line of its own. */
void print_id(struct cli *cli, const mneme_id *id);

/* A record as a page for people (show.c). */
void show_record(struct cli *cli, const mneme_record *record);

/* The page or the JSON object of `stats` (stats.c). */
void print_stats(struct cli *cli, const mneme_stats *stats, const mneme_metrics *metrics);

/* The part of it on the server or the SQLite file, if there is one (stats_remote.c). In JSON it is
 * the member "remote". */
void put_remote_page(struct cli *cli, const mneme_stats *stats);
void put_remote_json(struct json_line *line, const mneme_stats *stats);

/* The part of it on sync (sync_status.c), and the whole page of `sync status`. In JSON, the members
 * of an object that was begun. */
void put_sync_line(struct cli *cli, const mneme_sync_status *status);
void put_sync_members(struct json_line *line, const mneme_sync_status *status);

/* "edited elsewhere: task, tags". */
mneme_text superseded_why(struct cli *cli, const mneme_superseded *edit);

/* One page of records as table rows (rows.c). */
void print_records(struct cli *cli, mneme_kind kind, const mneme_page *page);

/* The bodies of `list` (query.c), `show` and `delete` (access.c); cli->command->kind says of
 * what. */
int run_list(struct cli *cli);
int run_show(struct cli *cli);
int run_delete(struct cli *cli);

#endif
