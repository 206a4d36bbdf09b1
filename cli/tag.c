/*
 * tag.c - the commands `tag add`, `tag remove` and `tag list`.
 */
#include "commands.h"
#include "display.h"

typedef int tag_change(mneme *m, mneme_kind kind, const mneme_id *id, mneme_text tag,
                       const mneme_write *how, mneme_error *error);

static int change_tag(struct cli *cli, tag_change *change) {
    mneme_kind kind = option_kind(cli, "kind", MNEME_EPISODE);
    mneme_text tag = mneme_text_of(cli->arguments[1]);
    mneme_id id;
    mneme_ticket ticket;
    struct mneme_write write = cli_write(cli, &ticket);
    int status = cli_open(cli, OPEN_TO_CHANGE);
    if (status == 0)
        status = cli_resolve_id(cli, kind, cli->arguments[0], &id);
    if (status == 0)
        status = change(cli->store, kind, &id, tag, &write, &cli->error);
    if (status == 0)
        status = cli_settle(cli, &write);
    if (status == 0 && cli->json) {
        struct json_line line = line_begin(cli->out.stream);
        line_add_id(&line, "id", &id);
        line_add_text(&line, "tag", cli->arguments[1]);
        line_end(&line);
    }
    return status;
}

static int run_add(struct cli *cli) { return change_tag(cli, mneme_tag_add); }
static int run_remove(struct cli *cli) { return change_tag(cli, mneme_tag_remove); }

static mneme_text_list tags_of(const mneme_record *record) {
    if (record->kind == MNEME_PATTERN)
        return record->as.pattern->tags;
    if (record->kind == MNEME_HEURISTIC)
        return record->as.heuristic->tags;
    return record->as.episode->tags;
}

static int run_list_tags(struct cli *cli) {
    mneme_kind kind = option_kind(cli, "kind", MNEME_EPISODE);
    const mneme_record *record;
    int status = cli_open(cli, OPEN_TO_READ);
    if (status == 0)
        status = cli_acquire(cli, kind, cli->arguments[0], &record);
    if (status != 0)
        return status;
    mneme_text_list tags = tags_of(record);
    for (size_t i = 0; i < tags.count; i++) {
        const char *tag = pool_copy(&cli->pool, tags.items[i].data, tags.items[i].size);
        if (!cli->json) {
            display_put(cli->out.stream, tags.items[i], SIZE_MAX);
            fputc('\n', cli->out.stream);
            continue;
        }
        struct json_line line = line_begin(cli->out.stream);
        line_add_id(&line, "id", &record->id);
        line_add_text(&line, "tag", tag);
        line_end(&line);
    }
    mneme_release(cli->store, record);
    return 0;
}

static const struct option options[] = {
    OPTION_CHOICE("kind", "KIND", "of the record, episode if not given",
                  "episode|pattern|heuristic"),
    OPTION_END,
};

static const char *const add_examples[] = {"mneme tag add 0197c0de-5f2b-7d41 flaky", NULL};
const struct command tag_add_command = {
    .name = "tag add",
    .arguments = "ID TAG",
    .summary = "label a record",
    .details = "Adding a tag that is there already is no error.",
    .examples = add_examples,
    .options = options,
    .min_arguments = 2,
    .max_arguments = 2,
    .argument_kind = ARGUMENT_TEXT,
    .run = run_add,
};

static const char *const remove_examples[] = {"mneme tag remove 0197c0de-5f2b-7d41 flaky", NULL};
const struct command tag_remove_command = {
    .name = "tag remove",
    .arguments = "ID TAG",
    .summary = "take a label off",
    .details = "Removing a tag that is not there is no error.",
    .examples = remove_examples,
    .options = options,
    .min_arguments = 2,
    .max_arguments = 2,
    .argument_kind = ARGUMENT_TEXT,
    .run = run_remove,
};

static const char *const list_examples[] = {
    "mneme tag list 0197c0de-5f2b-7d41",
    "mneme query --tag flaky",
    NULL,
};
const struct command tag_list_command = {
    .name = "tag list",
    .arguments = "ID",
    .summary = "print the labels of a record",
    .examples = list_examples,
    .options = options,
    .min_arguments = 1,
    .max_arguments = 1,
    .argument_kind = ARGUMENT_TEXT,
    .run = run_list_tags,
};
