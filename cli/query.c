/*
 * query.c - the command `query`, and the listing behind every `list`.
 */
#include <string.h>

#include "commands.h"
#include "display.h"
#include "listing.h"

/* The conditions that options set, as attribute = value. */
static void set_conditions(struct cli *cli, mneme_query *query) {
    static const char *const names[] = {"type",    "domain", "language", "framework",
                                        "outcome", "tag",    "from",     "to"};
    mneme_pair_list metadata = option_pairs(cli, "meta");
    mneme_pair *where = pool_alloc(&cli->pool, cli->given_count + 1, sizeof *where);
    size_t count = 0;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        mneme_text_list values = option_texts(cli, names[i]);
        for (size_t j = 0; j < values.count; j++)
            where[count++] = (mneme_pair){mneme_text_of(names[i]), values.items[j]};
    }
    for (size_t i = 0; i < metadata.count; i++) {
        mneme_text name = metadata.items[i].name;
        const char *attribute = pool_format(&cli->pool, "meta.%.*s", (int)name.size, name.data);
        where[count++] = (mneme_pair){mneme_text_of(attribute), metadata.items[i].value};
    }
    query->where = where;
    query->where_count = count;
}

static int set_parent(struct cli *cli, mneme_query *query) {
    const char *text = option_value(cli, "parent");
    if (text == NULL)
        return 0;
    mneme_id *parent = pool_alloc(&cli->pool, 1, sizeof *parent);
    query->parent = parent;
    return cli_resolve_id(cli, MNEME_EPISODE, text, parent);
}

static int print_records_json(struct cli *cli, const mneme_page *page) {
    int status = 0;
    for (size_t i = 0; i < page->count && status == 0; i++)
        status = json_put_record(cli->out.stream, page->records[i], &cli->error);
    return status;
}

/* How to go on, when there is more. */
static void print_next(struct cli *cli, const mneme_page *page) {
    if (page->next.size == 0)
        return;
    const char *cursor = pool_copy(&cli->pool, page->next.data, page->next.size);
    if (cli->json) {
        struct json_line line = line_begin(cli->out.stream);
        line_add_text(&line, "next", cursor);
        line_end(&line);
        return;
    }
    fflush(cli->out.stream);
    cli_say(cli, "more follow; go on with --after %s", cursor);
}

static int print_page(struct cli *cli, mneme_kind kind, const mneme_page *page) {
    int status = 0;
    if (option_given(cli, "ids"))
        for (size_t i = 0; i < page->count; i++)
            print_id(cli, &page->records[i]->id);
    else if (cli->json)
        status = print_records_json(cli, page);
    else if (page->count > 0)
        print_records(cli, kind, page);
    else if (kind == MNEME_STEP)
        cli_say(cli, "no step matches; those of a completed episode are inside of it, see "
                     "`mneme episode show ID`");
    else
        cli_say(cli, "no %s matches", mneme_kind_name(kind));
    if (status == 0)
        print_next(cli, page);
    return status;
}

/* Newest first, but the steps of an episode in the order in which they were done. */
static mneme_order listing_order(const struct cli *cli) {
    int choice = option_choice(cli, "order");
    bool oldest = choice < 0 ? option_given(cli, "parent") : choice == 1;
    return oldest ? MNEME_OLDEST_FIRST : MNEME_NEWEST_FIRST;
}

int run_list(struct cli *cli) {
    mneme_kind fixed = cli->command->kind;
    mneme_kind kind = fixed != MNEME_KIND_NONE ? fixed : option_kind(cli, "kind", MNEME_EPISODE);
    const mneme_page *page;
    mneme_query query = {
        .kind = kind,
        .since_us = option_time(cli, "since"),
        .until_us = option_time(cli, "until"),
        .order = listing_order(cli),
        .limit = (size_t)option_whole(cli, "limit", 100),
        .after = option_text(cli, "after"),
    };
    set_conditions(cli, &query);
    int status = cli_open(cli, OPEN_TO_READ);
    if (status == 0)
        status = set_parent(cli, &query);
    if (status == 0)
        status = mneme_list(cli->store, &query, &page, &cli->error);
    if (status != 0)
        return status;
    status = print_page(cli, kind, page);
    mneme_page_release(cli->store, page);
    return status;
}

static const char *const examples[] = {
    "mneme query --since 7d --outcome failure",
    "mneme query --type debugging --tag flaky --limit 20",
    "mneme query --meta project=website --json",
    "mneme query --kind step --parent 0197c0de-5f2b-7d41",
    NULL,
};
static const struct option options[] = {
    OPTION_CHOICE("kind", "KIND", "what to list, episode if not given", KIND_CHOICES_ALL),
    LISTING_TYPE_OPTION(TASK_TYPES),
    LISTING_OUTCOME_OPTION,
    LISTING_TAG_OPTION,
    LISTING_CONTEXT_OPTIONS,
    LISTING_OPTIONS,
    OPTION_ID("parent", "ID", "steps or checkpoints of this episode, oldest first"),
    OPTION_END,
};
const struct command query_command = {
    .name = "query",
    .summary = "find records by time, type, outcome, tag, metadata",
    .details = LISTING_DETAILS,
    .examples = examples,
    .options = options,
    .run = run_list,
};
