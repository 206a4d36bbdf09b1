/*
 * record.c - put, show, list and delete of patterns, heuristics and relations.
 */
#include <string.h>

#include "commands.h"
#include "listing.h"

/* ---- put --------------------------------------------------------------------------------- */

/* What --file may hold: records go in as one batch, all or none. */
enum { FILE_MAX_BYTES = 128 << 20 };

static int put_records(struct cli *cli, const mneme_record *records, size_t count) {
    mneme_id *ids = pool_alloc(&cli->pool, count, sizeof *ids);
    mneme_ticket ticket;
    struct mneme_write write = cli_write(cli, &ticket);
    int status = mneme_put(cli->store, records, count, &write, ids, &cli->error);
    if (status == 0)
        status = cli_settle(cli, &write);
    for (size_t i = 0; i < count && status == 0; i++)
        print_id(cli, &ids[i]);
    return status;
}

/* The records of a file, as far as they were read. */
struct parsed {
    const mneme_record **items;
    size_t count;
};

static int parse_line(struct cli *cli, mneme_text line, struct parsed *parsed) {
    mneme_kind kind = cli->command->kind;
    const mneme_record *record;
    int status = mneme_record_from_json(line, kind, &record, &cli->error);
    if (status != 0)
        return status;
    parsed->items[parsed->count++] = record;
    if (record->kind == kind)
        return 0;
    return fail_with(&cli->error, MNEME_INVALID, "this is a record of kind %s, not %s",
                     mneme_kind_name(record->kind), mneme_kind_name(kind));
}

static bool is_blank(mneme_text line) {
    for (size_t i = 0; i < line.size; i++)
        if (memchr(" \t\r", line.data[i], 3) == NULL)
            return false;
    return true;
}

static size_t count_lines(mneme_text text) {
    size_t lines = 1;
    for (size_t i = 0; i < text.size; i++)
        lines += text.data[i] == '\n';
    return lines;
}

static int parse_lines(struct cli *cli, const char *name, mneme_text text, struct parsed *parsed) {
    parsed->items = pool_alloc(&cli->pool, count_lines(text), sizeof *parsed->items);
    for (size_t number = 1; text.size > 0; number++) {
        const char *feed = memchr(text.data, '\n', text.size);
        mneme_text line = {text.data, feed != NULL ? (size_t)(feed - text.data) : text.size};
        int status = is_blank(line) ? 0 : parse_line(cli, line, parsed);
        if (status != 0) {
            mneme_error inner = cli->error;
            return fail_with(&cli->error, status, "%s, line %zu: %.400s", name, number,
                             inner.message);
        }
        size_t taken = line.size + (feed != NULL);
        text.data += taken, text.size -= taken;
    }
    if (parsed->count == 0)
        return fail_with(&cli->error, MNEME_INVALID,
                         "%s holds no record; expected one JSON object a line", name);
    return 0;
}

/* mneme_put takes the records side by side. */
static int put_parsed(struct cli *cli, const struct parsed *parsed) {
    mneme_record *records = pool_alloc(&cli->pool, parsed->count, sizeof *records);
    for (size_t i = 0; i < parsed->count; i++)
        records[i] = *parsed->items[i];
    int status = cli_open(cli, OPEN_OR_CREATE);
    return status == 0 ? put_records(cli, records, parsed->count) : status;
}

static int put_file(struct cli *cli, const char *path) {
    struct parsed parsed = {.count = 0};
    mneme_text text;
    int status = cli_read_file(cli, path, FILE_MAX_BYTES, &text);
    if (status == 0)
        status = parse_lines(cli, strcmp(path, "-") == 0 ? "standard input" : path, text, &parsed);
    if (status == 0)
        status = put_parsed(cli, &parsed);
    for (size_t i = 0; i < parsed.count; i++)
        mneme_record_free(parsed.items[i]);
    return status;
}

/* The record comes from --file, or from the other options, of which `needed` must be there. */
static int put_begin(struct cli *cli, const char *needed, bool *from_file) {
    const char *path = option_value(cli, "file");
    *from_file = path != NULL;
    for (size_t i = 0; path != NULL && i < cli->given_count; i++) {
        const char *name = cli->given[i].option->name;
        for (const struct option *o = cli->command->options; o->name != NULL; o++)
            if (strcmp(name, o->name) == 0 && strcmp(name, "file") != 0 &&
                strcmp(name, "local-only") != 0)
                return fail_with(&cli->error, MNEME_INVALID,
                                 "--%s and --file exclude each other; put it into the file", name);
    }
    if (path != NULL)
        return put_file(cli, path);
    for (mneme_text name; value_next_choice(&needed, &name);)
        if (!option_given(cli, pool_copy(&cli->pool, name.data, name.size)))
            return fail_with(&cli->error, MNEME_INVALID,
                             "'%s' needs --%.*s, or --file; see `mneme %s --help`",
                             cli->command->name, (int)name.size, name.data, cli->command->name);
    return cli_open(cli, OPEN_OR_CREATE);
}

static int put_one(struct cli *cli, mneme_record *record) {
    const char *id = option_value(cli, "id");
    int status = 0;
    record->kind = cli->command->kind;
    if (id != NULL)
        status = mneme_id_parse(mneme_text_of(id), &record->id, &cli->error);
    return status == 0 ? put_records(cli, record, 1) : status;
}

static int run_pattern_put(struct cli *cli) {
    bool from_file;
    int status = put_begin(cli, "type|name", &from_file);
    if (status != 0 || from_file)
        return status;
    mneme_pattern pattern = {
        .type = option_text(cli, "type"),
        .name = option_text(cli, "name"),
        .description = option_text(cli, "description"),
        .content = option_text(cli, "content"),
        .success_rate = option_real(cli, "success-rate", 0),
        .occurrences = (uint64_t)option_whole(cli, "occurrences", 0),
        .context = {.language = option_text(cli, "language"),
                    .framework = option_text(cli, "framework"),
                    .domain = option_text(cli, "domain")},
        .tags = option_texts(cli, "tag"),
        .metadata = option_pairs(cli, "meta"),
    };
    return put_one(cli, &(mneme_record){.as.pattern = &pattern});
}

static int run_heuristic_put(struct cli *cli) {
    bool from_file;
    int status = put_begin(cli, "condition|action", &from_file);
    if (status != 0 || from_file)
        return status;
    mneme_text_list evidence = option_texts(cli, "evidence");
    mneme_id *ids = pool_alloc(&cli->pool, evidence.count + 1, sizeof *ids);
    for (size_t i = 0; i < evidence.count && status == 0; i++)
        status = cli_resolve_id(cli, MNEME_EPISODE, evidence.items[i].data, &ids[i]);
    if (status != 0)
        return status;
    mneme_heuristic heuristic = {
        .condition = option_text(cli, "condition"),
        .action = option_text(cli, "action"),
        .confidence = option_real(cli, "confidence", 0.5),
        .evidence = ids,
        .evidence_count = evidence.count,
        .tags = option_texts(cli, "tag"),
        .metadata = option_pairs(cli, "meta"),
    };
    return put_one(cli, &(mneme_record){.as.heuristic = &heuristic});
}

static int run_relation_put(struct cli *cli) {
    bool from_file;
    int status = put_begin(cli, "type|from|to", &from_file);
    if (status != 0 || from_file)
        return status;
    mneme_relation relation = {
        .type = option_text(cli, "type"),
        .from_kind = option_kind(cli, "from-kind", MNEME_EPISODE),
        .to_kind = option_kind(cli, "to-kind", MNEME_EPISODE),
        .weight = option_real(cli, "weight", 1),
        .metadata = option_pairs(cli, "meta"),
    };
    status = cli_resolve_id(cli, relation.from_kind, option_value(cli, "from"), &relation.from);
    if (status == 0)
        status = cli_resolve_id(cli, relation.to_kind, option_value(cli, "to"), &relation.to);
    return status == 0 ? put_one(cli, &(mneme_record){.as.relation = &relation}) : status;
}

/* ---- The commands ------------------------------------------------------------------------ */

#define PUT_DETAILS                                                                                \
    "Prints the id of what was stored. With --file, each line of the file (or of standard input, " \
    "for -) is one JSON object as `show --json` prints it; all go in or none. A record with an "   \
    "id that exists is replaced."

#define COMMON_PUT_OPTIONS                                                                         \
    OPTION_PAIR("meta", "NAME=VALUE", "metadata", .repeats = true),                                \
        OPTION_TEXT("id", "ID", "store it under this id"),                                         \
        OPTION_SWITCH("local-only", "it never leaves this machine, whatever is synced"),           \
        OPTION_FILE("file", "FILE", "read JSON lines; - is standard input")

#define PATTERN_TYPES "tool_sequence|decision_point|error_recovery|context"

static const struct option pattern_put_options[] = {
    OPTION_WORD("type", "TYPE", "of the pattern", PATTERN_TYPES),
    OPTION_TEXT("name", "TEXT", "short and telling"),
    OPTION_TEXT("description", "TEXT", "what it is good for"),
    OPTION_TEXT("content", "JSON", "the sequence, the decision, ..."),
    OPTION_REAL("success-rate", "RATE", "0 to 1"),
    OPTION_WHOLE("occurrences", "N", "how often it was seen", 0, INT64_MAX),
    OPTION_TEXT("domain", "DOMAIN", "where it applies"),
    OPTION_TEXT("language", "NAME", "where it applies"),
    OPTION_TEXT("framework", "NAME", "where it applies"),
    OPTION_TEXT("tag", "TAG", "label it", .repeats = true),
    COMMON_PUT_OPTIONS,
    OPTION_END,
};
static const struct option heuristic_put_options[] = {
    OPTION_TEXT("condition", "TEXT", "when this is so"),
    OPTION_TEXT("action", "TEXT", "do this"),
    OPTION_REAL("confidence", "RATE", "0 to 1; 0.5 if not given"),
    OPTION_ID("evidence", "ID", "an episode that shows it", .repeats = true),
    OPTION_TEXT("tag", "TAG", "label it", .repeats = true),
    COMMON_PUT_OPTIONS,
    OPTION_END,
};
static const struct option relation_put_options[] = {
    OPTION_TEXT("type", "TYPE", "caused_by, similar_to, ..."),
    OPTION_ID("from", "ID", "record"),
    OPTION_ID("to", "ID", "record"),
    OPTION_CHOICE("from-kind", "KIND", "of the record, episode if not given", KIND_CHOICES),
    OPTION_CHOICE("to-kind", "KIND", "of the record, episode if not given", KIND_CHOICES),
    OPTION_REAL("weight", "NUMBER", "1 if not given"),
    COMMON_PUT_OPTIONS,
    OPTION_END,
};

static const struct option pattern_list_options[] = {
    LISTING_TYPE_OPTION(PATTERN_TYPES),
    LISTING_TAG_OPTION,
    LISTING_CONTEXT_OPTIONS,
    LISTING_OPTIONS,
    OPTION_END,
};
static const struct option heuristic_list_options[] = {
    LISTING_TAG_OPTION,
    LISTING_OPTIONS,
    OPTION_END,
};
static const struct option relation_list_options[] = {
    LISTING_TYPE_OPTION(NULL),
    LISTING_ENDS_OPTIONS,
    LISTING_OPTIONS,
    OPTION_END,
};

#define EXAMPLES(...) ((const char *const[]){__VA_ARGS__, NULL})

/* put, show, list and delete of one kind. */
#define COMMANDS_OF(name_, kind_, put_options_, put_, list_options_, put_example_, list_example_)  \
    {                                                                                              \
        {.name = name_ " put",                                                                     \
         .summary = "store a " name_,                                                              \
         .details = PUT_DETAILS,                                                                   \
         .examples = EXAMPLES(put_example_, "mneme " name_ " put --file " name_ "s.jsonl"),        \
         .options = put_options_,                                                                  \
         .kind = kind_,                                                                            \
         .run = put_},                                                                             \
            {.name = name_ " show",                                                                \
             .arguments = "ID",                                                                    \
             .summary = "print a " name_,                                                          \
             .examples = EXAMPLES("mneme " name_ " show 0197c0de-5f2b-7d41"),                      \
             .min_arguments = 1,                                                                   \
             .max_arguments = 1,                                                                   \
             .kind = kind_,                                                                        \
             .run = run_show},                                                                     \
            {.name = name_ " list",                                                                \
             .summary = "list " name_ "s",                                                         \
             .details = LISTING_DETAILS,                                                           \
             .examples = EXAMPLES(list_example_),                                                  \
             .options = list_options_,                                                             \
             .kind = kind_,                                                                        \
             .run = run_list},                                                                     \
            {.name = name_ " delete",                                                              \
             .arguments = "ID...",                                                                 \
             .summary = "delete " name_ "s",                                                       \
             .details = "All are deleted or none.",                                                \
             .examples = EXAMPLES("mneme " name_ " delete 0197c0de-5f2b-7d41"),                    \
             .min_arguments = 1,                                                                   \
             .max_arguments = SIZE_MAX,                                                            \
             .kind = kind_,                                                                        \
             .run = run_delete},                                                                   \
    }

const struct command pattern_commands[4] = COMMANDS_OF(
    "pattern", MNEME_PATTERN, pattern_put_options, run_pattern_put, pattern_list_options,
    "mneme pattern put --type error_recovery --name \"retry after 429\"",
    "mneme pattern list --type error_recovery");
const struct command heuristic_commands[4] = COMMANDS_OF(
    "heuristic", MNEME_HEURISTIC, heuristic_put_options, run_heuristic_put, heuristic_list_options,
    "mneme heuristic put --condition \"tests are flaky\" --action \"run them twice\"",
    "mneme heuristic list --tag testing");
const struct command relation_commands[4] = COMMANDS_OF(
    "relation", MNEME_RELATION, relation_put_options, run_relation_put, relation_list_options,
    "mneme relation put --type caused_by --from $bug --to $change",
    "mneme relation list --type caused_by");
