/*
 * episode.c - the life of an episode on the command line: start, step, show, list, delete. Its
 * completion is in complete.c.
 */
#include <string.h>

#include "commands.h"
#include "listing.h"

/* A text may come from standard input, so that it can be longer than a command line. */
enum { TEXT_MAX_BYTES = 16 << 20 };

static int text_or_input(struct cli *cli, const char *name, mneme_text *text) {
    const char *value = option_value(cli, name);
    if (value != NULL && strcmp(value, "-") == 0)
        return cli_read_file(cli, "-", TEXT_MAX_BYTES, text);
    *text = mneme_text_of(value);
    return 0;
}

/* ---- start ------------------------------------------------------------------------------- */

static int run_start(struct cli *cli) {
    mneme_episode episode = {
        .task_type = option_text(cli, "type"),
        .context = {.language = option_text(cli, "language"),
                    .framework = option_text(cli, "framework"),
                    .domain = option_text(cli, "domain"),
                    .complexity = option_text(cli, "complexity")},
        .start_us = option_time(cli, "time"),
        .tags = option_texts(cli, "tag"),
        .metadata = option_pairs(cli, "meta"),
    };
    mneme_id id;
    mneme_ticket ticket;
    struct mneme_write write = cli_write(cli, &ticket);
    int status = text_or_input(cli, "task", &episode.task);
    if (status == 0 && option_given(cli, "id"))
        status = mneme_id_parse(option_text(cli, "id"), &episode.id, &cli->error);
    if (status == 0)
        status = cli_open(cli, OPEN_OR_CREATE);
    if (status == 0)
        status = mneme_episode_start(cli->store, &episode, &write, &id, &cli->error);
    if (status == 0)
        status = cli_settle(cli, &write);
    if (status == 0)
        print_id(cli, &id);
    return status;
}

static const char *const start_examples[] = {
    "mneme episode start --task \"Fix the login test\" --type debugging",
    "id=$(mneme episode start --task \"Book a flight\" --tag travel --meta user=42)",
    NULL,
};
static const struct option start_options[] = {
    OPTION_TEXT("task", "TEXT", "what is to be done; - reads standard input", .required = true),
    OPTION_WORD("type", "TYPE", "of the task", TASK_TYPES),
    OPTION_TEXT("domain", "DOMAIN", "web, databases, airline, ..."),
    OPTION_TEXT("language", "NAME", "programming language"),
    OPTION_TEXT("framework", "NAME", "framework or library"),
    OPTION_WORD("complexity", "LEVEL", "how hard it is", "simple|moderate|complex"),
    OPTION_TEXT("tag", "TAG", "label it", .repeats = true),
    OPTION_PAIR("meta", "NAME=VALUE", "metadata", .repeats = true),
    OPTION_TIME("time", "TIME", "when it began; now if not given"),
    OPTION_TEXT("id", "ID", "a UUID of your own"),
    OPTION_SWITCH("local-only", "it never leaves this machine, whatever is synced"),
    OPTION_END,
};
const struct command episode_start_command = {
    .name = "episode start",
    .summary = "begin a piece of work; prints its id",
    .examples = start_examples,
    .options = start_options,
    .run = run_start,
};

/* ---- step -------------------------------------------------------------------------------- */

/* The result: at most one of --output, --error and --timeout. */
static int read_result(struct cli *cli, mneme_step *step) {
    bool output = option_given(cli, "output"), error = option_given(cli, "error");
    bool timeout = option_given(cli, "timeout");
    if (output + error + timeout > 1)
        return fail_with(&cli->error, MNEME_INVALID,
                         "a step has one result: --output, --error or --timeout");
    if (timeout)
        step->result = MNEME_RESULT_TIMEOUT;
    else if (error)
        step->result = MNEME_RESULT_ERROR;
    else if (output)
        step->result = MNEME_RESULT_SUCCESS;
    return text_or_input(cli, error ? "error" : "output", &step->output);
}

/* A batched write does not know the number yet; the stored step does. */
static int read_number(struct cli *cli, const mneme_id *id, uint64_t *number) {
    const mneme_record *record;
    if (*number != 0)
        return 0;
    int status = mneme_flush(cli->store, &cli->error);
    if (status == 0)
        status = mneme_acquire(cli->store, MNEME_STEP, id, &record, &cli->error);
    if (status != 0)
        return status;
    *number = record->as.step->number;
    mneme_release(cli->store, record);
    return 0;
}

static int append_step(struct cli *cli, const mneme_step *step, mneme_id *id, uint64_t *number) {
    mneme_id episode;
    mneme_ticket ticket;
    struct mneme_write write = cli_write(cli, &ticket);
    int status = cli_resolve_id(cli, MNEME_EPISODE, cli->arguments[0], &episode);
    if (status == 0)
        status = mneme_step_append(cli->store, &episode, step, &write, id, number, &cli->error);
    if (status == 0)
        status = cli_settle(cli, &write);
    return status == 0 ? read_number(cli, id, number) : status;
}

static int run_step(struct cli *cli) {
    mneme_step step = {
        .time_us = option_time(cli, "time"),
        .tool = option_text(cli, "tool"),
        .action = option_text(cli, "action"),
        .parameters = option_text(cli, "params"),
        .has_latency = option_given(cli, "latency-ms"),
        .latency_ms = option_whole(cli, "latency-ms", 0),
        .has_tokens = option_given(cli, "tokens"),
        .tokens = option_whole(cli, "tokens", 0),
        .metadata = option_pairs(cli, "meta"),
    };
    mneme_id id;
    uint64_t number = 0;
    int status = read_result(cli, &step);
    if (status == 0)
        status = cli_open(cli, OPEN_TO_CHANGE);
    if (status == 0)
        status = append_step(cli, &step, &id, &number);
    if (status != 0 || !cli->json) {
        if (status == 0)
            print_id(cli, &id);
        return status;
    }
    struct json_line line = line_begin(cli->out.stream);
    line_add_id(&line, "id", &id);
    line_add_count(&line, "number", number);
    line_end(&line);
    return 0;
}

static const char *const step_examples[] = {
    "mneme episode step $id --tool grep --params '[\"login\"]' --output 3",
    "make test 2>&1 | mneme episode step $id --tool make --output -",
    "mneme episode step $id --tool fetch --error \"no answer\" --latency-ms 3000",
    NULL,
};
static const struct option step_options[] = {
    OPTION_TEXT("tool", "NAME", "the tool used"),
    OPTION_TEXT("action", "TEXT", "what was done with it"),
    OPTION_TEXT("params", "JSON", "what the tool was given"),
    OPTION_TEXT("output", "TEXT", "it worked; - reads standard input"),
    OPTION_TEXT("error", "TEXT", "it failed; - reads standard input"),
    OPTION_SWITCH("timeout", "no answer in time"),
    OPTION_WHOLE("latency-ms", "N", "how long it took, in milliseconds", 0, INT64_MAX),
    OPTION_WHOLE("tokens", "N", "tokens spent", 0, INT64_MAX),
    OPTION_PAIR("meta", "NAME=VALUE", "metadata", .repeats = true),
    OPTION_TIME("time", "TIME", "when; now if not given"),
    OPTION_END,
};
const struct command episode_step_command = {
    .name = "episode step",
    .arguments = "ID",
    .summary = "record one thing done in an open episode",
    .details = "Prints the id of the step; with --json its number too.",
    .examples = step_examples,
    .options = step_options,
    .min_arguments = 1,
    .max_arguments = 1,
    .argument_kind = ARGUMENT_TEXT,
    .run = run_step,
};

/* ---- show, list, delete ------------------------------------------------------------------ */

static const char *const show_examples[] = {
    "mneme episode show 0197c0de-5f2b-7d41",
    "mneme episode show --json 0197c0de-5f2b-7d41",
    NULL,
};
const struct command episode_show_command = {
    .name = "episode show",
    .arguments = "ID",
    .summary = "print an episode with its steps",
    .details = "Long texts are cut; --json prints all. ID may be cut as long as it is unique, to "
               "8 digits at least.",
    .examples = show_examples,
    .min_arguments = 1,
    .max_arguments = 1,
    .argument_kind = ARGUMENT_TEXT,
    .kind = MNEME_EPISODE,
    .run = run_show,
};

static const char *const list_examples[] = {
    "mneme episode list --limit 20",
    "mneme episode list --outcome open",
    NULL,
};
static const struct option list_options[] = {
    LISTING_TYPE_OPTION(TASK_TYPES), LISTING_OUTCOME_OPTION, LISTING_TAG_OPTION,
    LISTING_CONTEXT_OPTIONS,         LISTING_OPTIONS,        OPTION_END,
};
const struct command episode_list_command = {
    .name = "episode list",
    .summary = "list episodes",
    .details = LISTING_DETAILS,
    .examples = list_examples,
    .options = list_options,
    .kind = MNEME_EPISODE,
    .run = run_list,
};

static const char *const delete_examples[] = {"mneme episode delete 0197c0de-5f2b-7d41", NULL};
const struct command episode_delete_command = {
    .name = "episode delete",
    .arguments = "ID...",
    .summary = "delete episodes",
    .details = "All are deleted or none; their steps and checkpoints go with them.",
    .examples = delete_examples,
    .min_arguments = 1,
    .max_arguments = SIZE_MAX,
    .argument_kind = ARGUMENT_TEXT,
    .kind = MNEME_EPISODE,
    .run = run_delete,
};
