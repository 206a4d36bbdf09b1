/*
 * rows.c - records as rows of a table, the columns of each kind in one place.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "display.h"

enum { COLUMNS = 5, TIME_COLUMNS = 16, ID_SHORT = 18, ID_LONGER = 23 };

static const char *const titles[MNEME_KIND_COUNT][COLUMNS + 1] = {
    [MNEME_EPISODE] = {"ID", "TIME", "TYPE", "OUTCOME", "TASK"},
    [MNEME_STEP] = {"ID", "TIME", "TOOL", "RESULT", "ACTION"},
    [MNEME_PATTERN] = {"ID", "TIME", "TYPE", "SUCCESS", "NAME"},
    [MNEME_HEURISTIC] = {"ID", "TIME", "CONFIDENCE", "", "CONDITION"},
    [MNEME_EMBEDDING] = {"ID", "TIME", "MODEL", "SIZE", "SUBJECT"},
    [MNEME_RELATION] = {"ID", "TIME", "TYPE", "WEIGHT", "FROM AND TO"},
    [MNEME_CHECKPOINT] = {"ID", "TIME", "STEP", "", "NOTE"},
    [MNEME_SUPERSEDED] = {"ID", "TIME", "KIND", "RECORD", "WHY"},
};

static mneme_text first_text(mneme_text a, mneme_text b) { return a.size > 0 ? a : b; }

static mneme_text percent(struct cli *cli, double part) {
    return mneme_text_of(pool_format(&cli->pool, "%.0f %%", part * 100));
}

static mneme_text number(struct cli *cli, double value) {
    return mneme_text_of(pool_format(&cli->pool, "%g", value));
}

static mneme_text count(struct cli *cli, uint64_t value) {
    return mneme_text_of(pool_format(&cli->pool, "%" PRIu64, value));
}

/* Both ends of a relation, cut behind time and counter, or they would fill the line. */
static mneme_text ends(struct cli *cli, const mneme_relation *relation) {
    return mneme_text_of(pool_format(&cli->pool, "%.*s → %.*s", ID_SHORT,
                                     id_text(cli, &relation->from), ID_SHORT,
                                     id_text(cli, &relation->to)));
}

mneme_text superseded_why(struct cli *cli, const mneme_superseded *edit) {
    const char *list = "";
    for (size_t i = 0; i < edit->fields.count; i++)
        list = pool_format(&cli->pool, "%s%s%.*s", list, i > 0 ? ", " : ": ",
                           (int)edit->fields.items[i].size, edit->fields.items[i].data);
    return mneme_text_of(
        pool_format(&cli->pool, "%.*s%s", (int)edit->reason.size, edit->reason.data, list));
}

/* The three cells that differ from kind to kind. */
static void fill_cells(struct cli *cli, const mneme_record *record, mneme_text *cells) {
    switch (record->kind) {
    case MNEME_EPISODE:
        cells[0] = record->as.episode->task_type;
        cells[1] = mneme_text_of(outcome_text(record->as.episode->outcome.kind));
        cells[2] = record->as.episode->task;
        break;
    case MNEME_STEP:
        cells[0] = record->as.step->tool;
        cells[1] = mneme_text_of(result_text(record->as.step->result));
        cells[2] = first_text(record->as.step->action, record->as.step->parameters);
        break;
    case MNEME_PATTERN:
        cells[0] = record->as.pattern->type;
        cells[1] = percent(cli, record->as.pattern->success_rate);
        cells[2] = first_text(record->as.pattern->name, record->as.pattern->description);
        break;
    case MNEME_HEURISTIC:
        cells[0] = percent(cli, record->as.heuristic->confidence);
        cells[2] = record->as.heuristic->condition;
        break;
    case MNEME_EMBEDDING:
        cells[0] = record->as.embedding->model;
        cells[1] = count(cli, record->as.embedding->count);
        cells[2] = mneme_text_of(id_text(cli, &record->as.embedding->subject));
        break;
    case MNEME_RELATION:
        cells[0] = record->as.relation->type;
        cells[1] = number(cli, record->as.relation->weight);
        cells[2] = ends(cli, record->as.relation);
        break;
    case MNEME_CHECKPOINT:
        cells[0] = count(cli, record->as.checkpoint->step);
        cells[2] = first_text(record->as.checkpoint->note, record->as.checkpoint->state);
        break;
    case MNEME_SUPERSEDED:
        cells[0] = mneme_text_of(mneme_kind_name(record->as.superseded->subject_kind));
        cells[1] = mneme_text_of(id_text(cli, &record->as.superseded->subject));
        cells[2] = superseded_why(cli, record->as.superseded);
        break;
    case MNEME_KIND_NONE:
    case MNEME_DICTIONARY:
        break;
    }
}

static int compare_ids(const void *a, const void *b) { return memcmp(a, b, sizeof(mneme_id)); }

/* How many bytes of the ids of this page tell any two of them apart. */
static size_t distinct_bytes(struct cli *cli, const mneme_page *page) {
    mneme_id *ids = pool_alloc(&cli->pool, page->count, sizeof *ids);
    size_t needed = 0;
    for (size_t i = 0; i < page->count; i++)
        ids[i] = page->records[i]->id;
    qsort(ids, page->count, sizeof *ids, compare_ids);
    for (size_t i = 1; i < page->count; i++)
        while (needed < sizeof ids->bytes && memcmp(ids[i - 1].bytes, ids[i].bytes, needed) == 0)
            needed++;
    return needed;
}

/*
 * How many characters of the ids to show. On a terminal an id is cut behind its time and
 * counter, or later if that would make two of this page look alike: what is shown can be given
 * to any command in place of the whole id. Elsewhere ids are whole.
 */
static size_t id_columns(struct cli *cli, const mneme_page *page) {
    if (!isatty(STDOUT_FILENO))
        return MNEME_ID_TEXT_SIZE - 1;
    size_t bytes = distinct_bytes(cli, page);
    /* Two digits a byte, and a dash behind the 4th, 6th, 8th and 10th. */
    return bytes <= 8 ? ID_SHORT : bytes <= 10 ? ID_LONGER : MNEME_ID_TEXT_SIZE - 1;
}

void print_records(struct cli *cli, mneme_kind kind, const mneme_page *page) {
    struct table table = table_begin(&cli->pool, titles[kind]);
    size_t id_size = id_columns(cli, page);
    for (size_t i = 0; i < page->count; i++) {
        const mneme_record *record = page->records[i];
        mneme_text cells[COLUMNS] = {
            {id_text(cli, &record->id), id_size},
            mneme_text_of(display_time(&cli->pool, record->time_us, TIME_COLUMNS)),
        };
        fill_cells(cli, record, cells + 2);
        table_add(&table, cells);
    }
    table_print(&table, cli->out.stream, cli->width, cli->color);
}
