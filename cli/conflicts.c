/*
 * conflicts.c - the commands `conflicts list`, `show` and `resolve`: edits that were overruled when
 * the memories of two machines met.
 */
#include "commands.h"
#include "listing.h"

static const char *const list_examples[] = {"mneme conflicts list", "mneme conflicts list --ids",
                                            NULL};
static const struct option list_options[] = {
    OPTION_TIME("since", "TIME", "edits not before: 2026-11-21, 36h, 7d, ..."),
    OPTION_TIME("until", "TIME", "edits before this time"),
    OPTION_WHOLE("limit", "N", "how many at most; 100 if not given", 1, 10000),
    OPTION_TEXT("after", "CURSOR", "go on where a listing ended"),
    OPTION_CHOICE("order", "ORDER", "newest first if not given", "newest|oldest"),
    OPTION_SWITCH("ids", "print ids only"),
    OPTION_END,
};
const struct command conflicts_list_command = {
    .name = "conflicts list",
    .summary = "list edits that another machine's overruled",
    .details = "When two machines changed the same part of a record before they met, the later "
               "change stands everywhere, and the other is kept here until it is resolved.",
    .examples = list_examples,
    .options = list_options,
    .kind = MNEME_SUPERSEDED,
    .run = run_list,
};

static const char *const show_examples[] = {"mneme conflicts show 0197c0de-5f2b-7d41", NULL};
const struct command conflicts_show_command = {
    .name = "conflicts show",
    .arguments = "ID",
    .summary = "print an edit that was overruled",
    .details = "Which record it was of, which parts lost, and the whole record as it was on the "
               "losing side. The record as it is now: `mneme episode show`, and so on.",
    .examples = show_examples,
    .min_arguments = 1,
    .max_arguments = 1,
    .argument_kind = ARGUMENT_TEXT,
    .kind = MNEME_SUPERSEDED,
    .run = run_show,
};

static int resolve_one(struct cli *cli, const char *text, bool restore) {
    mneme_id id;
    mneme_ticket ticket;
    struct mneme_write write = cli_write(cli, &ticket);
    int status = cli_resolve_id(cli, MNEME_SUPERSEDED, text, &id);
    if (status == 0)
        status = mneme_conflict_resolve(cli->store, &id, restore, &write, &cli->error);
    if (status == 0)
        status = cli_settle(cli, &write);
    if (status != 0 || !cli->json)
        return status;
    struct json_line line = line_begin(cli->out.stream);
    line_add_id(&line, "id", &id);
    line_add_bool(&line, "restored", restore);
    line_end(&line);
    return 0;
}

static int run_resolve(struct cli *cli) {
    bool restore = option_given(cli, "restore");
    size_t count = cli->argument_count;
    int status = cli_open(cli, OPEN_TO_CHANGE);
    for (size_t i = 0; i < count && status == 0; i++)
        status = resolve_one(cli, cli->arguments[i], restore);
    if (status == 0 && !cli->json)
        cli_say(cli, restore ? "restored %zu edit%s" : "dropped %zu edit%s", count,
                count == 1 ? "" : "s");
    return status;
}

static const char *const resolve_examples[] = {
    "mneme conflicts resolve 0197c0de-5f2b-7d41",
    "mneme conflicts resolve --restore 0197c0de-5f2b-7d41",
    NULL,
};
static const struct option resolve_options[] = {
    OPTION_SWITCH("restore", "write the edit again: the record becomes what it was there"),
    OPTION_END,
};
const struct command conflicts_resolve_command = {
    .name = "conflicts resolve",
    .arguments = "ID...",
    .summary = "drop overruled edits, or restore them",
    .details = "Without --restore the record stays as it is, and the edit is forgotten. With it "
               "the whole record is written again as it was on the losing side, over what others "
               "have made of it since; an episode keeps the steps of both sides, and one that was "
               "deleted is live again. Either way it is settled on every machine.",
    .examples = resolve_examples,
    .options = resolve_options,
    .min_arguments = 1,
    .max_arguments = SIZE_MAX,
    .argument_kind = ARGUMENT_TEXT,
    .kind = MNEME_SUPERSEDED,
    .run = run_resolve,
};
