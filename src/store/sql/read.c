/*
 * read.c - reading rows: records by name, the change log, the chunks of long bodies, statistics.
 *
 * Answers of servers are limited (10 MB), so rows are asked for in pages that are meant to stay far
 * below: by the mean size of what was read lately, and by half as many when a page was too large.
 */
#include <stdlib.h>

#include "store/sql/sql_impl.h"

enum {
    NAMES_MAX = 256, /* in one program */
    ROW_OVERHEAD = 512,
    PAGE_WITHOUT_BODIES = 4096
};

int read_run(struct sql *s, struct program *p, struct sql_results *results, bool *too_large,
             mneme_error *error) {
    mneme_error text = {0};
    int status = store_run(s, p, false, results, &text);
    for (size_t i = 0; !status && i < p->count; i++)
        status = step_check(results, i, "the store could not be read", &text);
    *too_large = status == MNEME_TOO_LARGE;
    if (status && error)
        *error = text;
    return *too_large ? 0 : status;
}

size_t read_page(const struct sql *s, size_t wanted, bool without_bodies) {
    size_t each = atomic_load_explicit(&s->record_bytes, memory_order_relaxed);
    size_t page = without_bodies ? PAGE_WITHOUT_BODIES : SQL_ANSWER_BYTES / (each + ROW_OVERHEAD);
    return size_min(wanted, size_max(page, 1));
}

void read_note_sizes(struct sql *s, const struct stored_record *records, size_t count) {
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++)
        bytes += size_min(records[i].body.size, SQL_CHUNK_BYTES);
    if (count == 0)
        return;
    size_t before = atomic_load_explicit(&s->record_bytes, memory_order_relaxed);
    atomic_store_explicit(&s->record_bytes, (before + bytes / count) / 2, memory_order_relaxed);
}

/* ---- Bodies ---------------------------------------------------------------------------------- */

static int changed_or_damaged(struct sql *s, const struct stored_record *record,
                              mneme_error *error) {
    AUTO_ARENA struct arena arena = {0};
    AUTO_RESULTS struct sql_results results = {0};
    struct program p = {.arena = &arena};
    bool too_large;
    char id[ID_TEXT_SIZE];
    struct device_text device = device_format(record->version.device);
    struct sql_value values[] = {
        value_of_string(store_kind_name(record->kind)), value_of_id(&record->id),
        sql_integer((int64_t)record->version.clock), value_of_string(device.text)};
    program_add(&p,
                "SELECT 1 FROM mneme_record WHERE kind = ? AND id = ? AND clock = ? AND device = ?",
                values, COUNT_OF(values));
    TRY(read_run(s, &p, &results, &too_large, error));
    id_format(&record->id, id);
    if (results.count && results.steps[0].rows == 0)
        return error_set(error, MNEME_LOCKED, "%s %s changed while it was read; read it again",
                         store_kind_name(record->kind), id);
    return error_set(error, MNEME_CORRUPT,
                     "the body of %s %s does not match its checksum; restore it from a backup",
                     store_kind_name(record->kind), id);
}

/* Append some chunks from number `first` on; *count tells how many. */
static int chunks_read(struct sql *s, const struct stored_record *record, size_t first,
                       struct buf *body, size_t *count, mneme_error *error) {
    AUTO_ARENA struct arena arena = {0};
    AUTO_RESULTS struct sql_results results = {0};
    struct program p = {.arena = &arena};
    bool too_large;
    struct sql_value values[] = {value_of_string(store_kind_name(record->kind)),
                                 value_of_id(&record->id), sql_integer((int64_t)first),
                                 sql_integer(SQL_CHUNKS_READ)};
    program_add(&p,
                "SELECT data FROM mneme_chunk WHERE kind = ? AND id = ? AND number >= ?"
                " ORDER BY number LIMIT ?",
                values, COUNT_OF(values));
    TRY(read_run(s, &p, &results, &too_large, error));
    if (too_large)
        return error_set(error, MNEME_TOO_LARGE, "the server's limit on answers is under %d MiB",
                         SQL_CHUNKS_READ);
    const struct sql_step_result *rows = &results.steps[0];
    for (size_t i = 0; i < rows->rows && rows->columns == 1; i++)
        if (rows->values[i].type == SQL_BLOB)
            buf_append_slice(body, rows->values[i].bytes);
    *count = rows->rows;
    return body->status ? error_set(error, body->status, "the chunks of a body do not fit its size")
                        : 0;
}

static int body_complete(struct sql *s, struct stored_record *record, const struct row_rest *rest,
                         struct arena *arena, mneme_error *error) {
    if (rest->chunks) {
        AUTO_BUF struct buf body = BUF_INIT(rest->size);
        size_t had = 0, count = 1;
        buf_append_slice(&body, record->body);
        for (; had < rest->chunks && count; had += count) {
            int status = chunks_read(s, record, had + 1, &body, &count, error);
            if (status == MNEME_TOO_LARGE && body.status)
                return changed_or_damaged(s, record, error);
            TRY(status);
        }
        if (arena_copy(arena, buf_slice(&body), &record->body))
            return error_set(error, MNEME_NO_MEMORY, "no memory to read records");
    }
    if (record->body.size != rest->size ||
        (rest->size && body_checksum(record->body) != rest->checksum))
        return changed_or_damaged(s, record, error);
    return 0;
}

int row_take(struct sql *s, const struct sql_value *values, bool without_bodies,
             struct record_set *out, mneme_error *error) {
    struct row_rest rest;
    TRY(row_read(values, out, &rest, error));
    if (without_bodies)
        return 0;
    return body_complete(s, &out->records[out->count - 1], &rest, &out->arena, error);
}

int rows_read(struct sql *s, const struct sql_step_result *rows, bool without_bodies,
              struct record_set *out, mneme_error *error) {
    size_t before = out->count;
    if (rows->rows && rows->columns != ROW_COLUMNS)
        return error_set(error, MNEME_CORRUPT, "%zu columns were asked for, and %zu came",
                         (size_t)ROW_COLUMNS, rows->columns);
    for (size_t i = 0; i < rows->rows; i++)
        TRY(row_take(s, rows->values + i * ROW_COLUMNS, without_bodies, out, error));
    if (!without_bodies)
        read_note_sizes(s, out->records + before, out->count - before);
    return 0;
}

/* ---- By name --------------------------------------------------------------------------------- */

/* A step that reads the records of one kind. The list of ids is filled up with the last one to one
 * of a few lengths, so that few statements serve them all. */
static void add_kind(struct program *p, mneme_kind kind, const struct record_name *names,
                     size_t count) {
    AUTO_BUF struct buf sql = BUF_INIT(4096);
    struct sql_value *values = arena_zalloc(p->arena, NAMES_MAX + 1, sizeof *values);
    size_t used = 1, length = 1;
    struct slice text;
    for (size_t i = 0; values && i < count; i++)
        if (names[i].kind == kind)
            values[used++] = value_of_id(&names[i].id);
    if (values && used == 1)
        return;
    while (length < used - 1)
        length *= 4;
    length = size_min(length, NAMES_MAX);
    for (; values && used <= length; used++)
        values[used] = values[used - 1];
    buf_printf(&sql, "SELECT %s FROM mneme_record r WHERE r.kind = ? AND r.id IN (?", row_columns);
    for (size_t i = 1; i < length; i++)
        buf_append_string(&sql, ",?");
    buf_append(&sql, ")", 2);
    p->failed = p->failed || !values || sql.status || arena_copy(p->arena, buf_slice(&sql), &text);
    if (p->failed)
        return;
    values[0] = value_of_string(store_kind_name(kind));
    program_add(p, (const char *)text.data, values, length + 1);
}

static int get_some(struct sql *s, const struct record_name *names, size_t count,
                    struct record_set *out, bool *too_large, mneme_error *error) {
    AUTO_ARENA struct arena arena = {0};
    AUTO_RESULTS struct sql_results results = {0};
    struct program p = {.arena = &arena};
    for (int kind = MNEME_KIND_NONE + 1; kind < MNEME_KIND_COUNT; kind++)
        add_kind(&p, (mneme_kind)kind, names, count);
    if (p.count == 0 && !p.failed)
        return 0;
    TRY(read_run(s, &p, &results, too_large, error));
    for (size_t i = 0; !*too_large && i < p.count; i++)
        TRY(rows_read(s, &results.steps[i], false, out, error));
    return 0;
}

static size_t find_name(const struct record_set *set, size_t from, const struct record_name *name) {
    for (size_t i = from; i < set->count; i++)
        if (set->records[i].kind == name->kind && id_equal(&set->records[i].id, &name->id))
            return i;
    return SIZE_MAX;
}

static int too_large_alone(mneme_error *error) {
    return error_set(error, MNEME_TOO_LARGE,
                     "the server refuses to answer with even one record; raise its limit");
}

int sql_get(struct store *store, const struct record_name *names, size_t count,
            struct record_set *out, size_t *found, mneme_error *error) {
    struct sql *s = sql_of(store);
    size_t page = read_page(s, NAMES_MAX, false);
    for (size_t at = 0; at < count;) {
        size_t some = size_min(page, count - at), before = out->count;
        bool too_large = false;
        TRY(get_some(s, names + at, some, out, &too_large, error));
        if (too_large) {
            if (some == 1)
                return too_large_alone(error);
            page = some / 2;
            continue;
        }
        for (size_t i = at; i < at + some; i++)
            found[i] = find_name(out, before, &names[i]);
        at += some;
    }
    return 0;
}

/* ---- The change log and the statistics ------------------------------------------------------- */

static int changes_some(struct sql *s, uint64_t since, size_t limit, bool without_bodies,
                        struct record_set *out, bool *too_large, mneme_error *error) {
    AUTO_ARENA struct arena arena = {0};
    AUTO_BUF struct buf sql = BUF_INIT(1024);
    AUTO_RESULTS struct sql_results results = {0};
    struct program p = {.arena = &arena};
    struct sql_value values[] = {sql_integer((int64_t)since), sql_integer((int64_t)limit)};
    buf_printf(&sql, "SELECT %s FROM mneme_record r WHERE r.change > ? ORDER BY r.change LIMIT ?",
               without_bodies ? row_columns_without_body : row_columns);
    buf_append_byte(&sql, 0);
    program_add(&p, sql.status ? NULL : (const char *)sql.data, values, COUNT_OF(values));
    TRY(read_run(s, &p, &results, too_large, error));
    return *too_large ? 0 : rows_read(s, &results.steps[0], without_bodies, out, error);
}

int sql_changes(struct store *store, uint64_t since, size_t limit, bool without_bodies,
                struct record_set *out, mneme_error *error) {
    struct sql *s = sql_of(store);
    size_t page = read_page(s, limit, without_bodies);
    since = since > INT64_MAX ? INT64_MAX : since;
    for (bool end = false; !end && limit > 0;) {
        size_t asked = size_min(page, limit), before = out->count;
        bool too_large = false;
        TRY(changes_some(s, since, asked, without_bodies, out, &too_large, error));
        if (too_large && asked == 1)
            return too_large_alone(error);
        if (too_large) {
            page = asked / 2;
            continue;
        }
        end = out->count - before < asked;
        limit -= size_min(limit, out->count - before);
        if (out->count > before)
            since = out->records[out->count - 1].change;
    }
    return 0;
}

static uint64_t count_of(const struct sql_value *value) {
    return value->type == SQL_INTEGER && value->integer > 0 ? (uint64_t)value->integer : 0;
}

static int kinds_read(const struct sql_step_result *rows, struct store_stats *out,
                      mneme_error *error) {
    for (size_t i = 0; i < rows->rows && rows->columns == 5; i++) {
        const struct sql_value *v = rows->values + i * 5;
        for (int kind = MNEME_KIND_NONE + 1; kind < MNEME_KIND_COUNT; kind++)
            if (v->type == SQL_TEXT &&
                slice_equal(v->bytes, slice_of_string(store_kind_name((mneme_kind)kind))))
                out->kinds[kind] = (struct kind_stats){count_of(&v[1]), count_of(&v[2]),
                                                       count_of(&v[3]), count_of(&v[4])};
    }
    return rows->rows ? 0
                      : error_set(error, MNEME_CORRUPT,
                                  "the table mneme_kind is empty; restore "
                                  "the store from a backup");
}

/* Servers may refuse to tell the size of their file: then it is 0. */
static void file_size_read(const struct sql_step_result *rows, struct store_stats *out) {
    if (rows->outcome != SQL_DONE || rows->rows != 1 || rows->columns != 3)
        return;
    uint64_t page = count_of(&rows->values[0]), pages = count_of(&rows->values[1]);
    out->file_bytes = page * pages;
    out->used_bytes = page * (pages - size_min(pages, count_of(&rows->values[2])));
}

int sql_stats(struct store *store, struct store_stats *out, mneme_error *error) {
    struct sql *s = sql_of(store);
    AUTO_ARENA struct arena arena = {0};
    AUTO_RESULTS struct sql_results results = {0};
    struct program p = {.arena = &arena};
    size_t head = program_add(&p, "SELECT change, commits FROM mneme_store", NULL, 0);
    size_t kinds = program_add(
        &p, "SELECT kind, records, tombstones, stored_bytes, plain_bytes FROM mneme_kind", NULL, 0);
    size_t size = program_add(&p,
                              "SELECT page_size, page_count, freelist_count FROM"
                              " pragma_page_size, pragma_page_count, pragma_freelist_count",
                              NULL, 0);
    TRY(store_run(s, &p, false, &results, error));
    TRY(step_check(&results, head, "the statistics could not be read", error));
    TRY(step_check(&results, kinds, "the statistics could not be read", error));
    const struct sql_step_result *row = &results.steps[head];
    if (row->rows != 1 || row->columns != 2)
        return error_set(error, MNEME_CORRUPT,
                         "the table mneme_store has not one row; restore the "
                         "store from a backup");
    TRY(kinds_read(&results.steps[kinds], out, error));
    file_size_read(&results.steps[size], out);
    out->changes = count_of(&row->values[0]);
    out->commits = count_of(&row->values[1]);
    out->device = s->device;
    return 0;
}
