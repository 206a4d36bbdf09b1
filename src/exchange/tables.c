/*
 * tables.c - the format sqlite: the tables of do-memory in an SQLite file, as its local databases
 * and copies of its Turso databases have them.
 *
 * Each row becomes a line of JSON, with columns for members, in a temporary file without a name;
 * from there on it is read as the JSON of do-memory. So the rows are those of one moment, however
 * long the import takes, and threads share the work on them as on any file.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "exchange/do_memory.h"
#include "exchange/tables.h"
#include "os/os.h"

/* What is written at once; and how much more text than file there may be: a damaged tree of pages
 * can be walked in circles of astronomical length. */
enum { FLUSH_BYTES = 1 << 20, TEXT_TIMES = 32, TEXT_MORE = 1 << 20 };

/* A line that is no record but says what is wrong with the file begins with this. */
static const char damage_mark = '!';

/* Read one after the other, so that what is referred to comes first. */
static const struct source_table {
    const char *table, *key, *sql;
} source_tables[] = {
    {"episodes", "episode_id", "SELECT * FROM main.episodes"},
    {"patterns", "pattern_id", "SELECT * FROM main.patterns"},
    {"heuristics", "heuristic_id", "SELECT * FROM main.heuristics"},
    {"episode_relationships", "relationship_id", "SELECT * FROM main.episode_relationships"},
    {"episode_pattern_relationships", "relationship_id",
     "SELECT * FROM main.episode_pattern_relationships"},
#define EMBEDDINGS(name)                                                                           \
    {                                                                                              \
        name, "embedding_id",                                                                      \
            "SELECT embedding_id, item_id, item_type, embedding_data, model, created_at FROM "     \
            "main." name " WHERE item_type IN ('episode', 'pattern')"                              \
    }
    EMBEDDINGS("embeddings"),
    EMBEDDINGS("embeddings_384"),
    EMBEDDINGS("embeddings_1024"),
    EMBEDDINGS("embeddings_1536"),
    EMBEDDINGS("embeddings_3072"),
    EMBEDDINGS("embeddings_other"),
};

/* Columns that hold JSON. */
static const char *const json_columns[] = {
    "context",          "steps",           "outcome",     "reward",       "reflection",
    "patterns",         "heuristics",      "metadata",    "evidence",     "pattern_data",
    "context_tags",     "embedding_data",  "checkpoints", "key_concepts", "key_steps",
    "applied_patterns", "salient_features"};

/* ---- Lines ------------------------------------------------------------------------------- */

struct spool {
    struct tables tables;
    sqlite3_stmt *tags, *summary; /* of an episode; NULL: there is no such table */
    struct buf lines;
    int fd;
    uint64_t written, most; /* bytes */
    mneme_error *error;
};

static int flush(struct spool *spool, size_t least) {
    if (spool->lines.status)
        return error_set(spool->error, spool->lines.status, "%s: no memory for a row of it",
                         spool->tables.path);
    if (spool->lines.size < least)
        return 0;
    TRY(spill_write(spool->fd, buf_slice(&spool->lines), spool->error));
    spool->written += spool->lines.size;
    buf_reset(&spool->lines);
    return 0;
}

static bool is_json(const char *column, struct slice text) {
    for (size_t i = 0; i < COUNT_OF(json_columns); i++)
        if (strcmp(column, json_columns[i]) == 0)
            return json_check(text, NULL) == 0;
    return false;
}

static void put_text(struct buf *b, struct slice key, const char *column, struct slice text) {
    if (is_json(column, text)) {
        object_member(b, key, text);
    } else {
        object_key(b, key);
        json_put_string(b, text);
    }
}

/* The columns as members; those that are NULL, and blobs, are left out. */
static void put_columns(struct buf *b, sqlite3_stmt *row) {
    for (int i = 0; i < sqlite3_column_count(row); i++) {
        const char *column = sqlite3_column_name(row, i);
        struct slice key = slice_of_string(column ? column : "");
        double real;
        switch (sqlite3_column_type(row, i)) {
        case SQLITE_INTEGER:
            object_key(b, key);
            json_put_int(b, sqlite3_column_int64(row, i));
            break;
        case SQLITE_FLOAT:
            real = sqlite3_column_double(row, i);
            if (isfinite(real)) {
                object_key(b, key);
                json_put_double(b, real);
            }
            break;
        case SQLITE_TEXT: {
            const unsigned char *text = sqlite3_column_text(row, i);
            put_text(b, key, column ? column : "",
                     slice_of(text, (size_t)sqlite3_column_bytes(row, i)));
            break;
        }
        default:
            break;
        }
    }
}

/* Steps of a statement that looks for what belongs to the episode of `row`. */
static int look_up(sqlite3_stmt *statement, sqlite3_stmt *row, int column) {
    sqlite3_reset(statement);
    sqlite3_bind_value(statement, 1, sqlite3_column_value(row, column));
    return sqlite3_step(statement);
}

static int episode_id_column(sqlite3_stmt *row) {
    int i = 0;
    while (i < sqlite3_column_count(row) && strcmp(sqlite3_column_name(row, i), "episode_id") != 0)
        i++;
    return i;
}

/* Tags and summary stand in tables of their own. */
static int put_belongings(struct spool *spool, sqlite3_stmt *row) {
    struct buf *b = &spool->lines;
    int column = episode_id_column(row), rc = SQLITE_DONE;
    if (spool->tags) {
        object_key(b, slice_of_string("tags"));
        buf_append_byte(b, '[');
        rc = look_up(spool->tags, row, column);
        for (bool first = true; rc == SQLITE_ROW; first = false, rc = sqlite3_step(spool->tags)) {
            if (!first)
                buf_append_byte(b, ',');
            const unsigned char *tag = sqlite3_column_text(spool->tags, 0);
            json_put_string(b, slice_of(tag, (size_t)sqlite3_column_bytes(spool->tags, 0)));
        }
        buf_append_byte(b, ']');
    }
    if (rc == SQLITE_DONE && spool->summary &&
        (rc = look_up(spool->summary, row, column)) == SQLITE_ROW) {
        object_key(b, slice_of_string("summary"));
        buf_append_byte(b, '{');
        put_columns(b, spool->summary);
        buf_append_byte(b, '}');
        rc = SQLITE_DONE;
    }
    return rc == SQLITE_DONE ? 0 : rc;
}

/* ---- Tables ------------------------------------------------------------------------------ */

static void put_damage(struct buf *b, const char *message) {
    buf_append_byte(b, (uint8_t)damage_mark);
    for (; *message; message++)
        buf_append_byte(b, (uint8_t)(*message == '\n' ? ' ' : *message));
    buf_append_byte(b, '\n');
}

/* What is complete goes in; a line tells that there was more. */
static int note_damage(struct spool *spool, int rc) {
    mneme_error why;
    int status = tables_fail(&spool->tables, rc, &why);
    if (status != MNEME_CORRUPT && status != MNEME_IO && status != MNEME_TOO_LARGE)
        return error_set(spool->error, status, "%s", why.message);
    put_damage(&spool->lines, why.message);
    return flush(spool, 0);
}

/* SQLite sees nothing wrong with pages that lead in circles. */
static int note_overfull(struct spool *spool) {
    mneme_error why;
    error_set(&why, MNEME_CORRUPT, "%s: a table gives more text than the file can hold: damaged",
              spool->tables.path);
    put_damage(&spool->lines, why.message);
    return flush(spool, 0);
}

static int put_row(struct spool *spool, sqlite3_stmt *row, bool is_episode) {
    struct buf *b = &spool->lines;
    size_t start = b->size;
    buf_append_byte(b, '{');
    put_columns(b, row);
    int rc = is_episode ? put_belongings(spool, row) : 0;
    buf_append_string(b, "}\n");
    bool too_large = b->status == MNEME_TOO_LARGE;
    if (too_large)
        b->status = 0;
    if (rc || too_large)
        b->size = start; /* the damage is told instead */
    if (!rc && too_large)
        put_damage(b, "a row is larger than the 256 MiB that are read of one");
    return rc;
}

static int read_rows(struct spool *spool, const struct source_table *table) {
    sqlite3_stmt *rows = NULL;
    int status = tables_prepare(&spool->tables, table->sql, &rows, spool->error);
    int rc = SQLITE_ROW;
    bool overfull = false;
    while (status == 0 && !overfull && rc == SQLITE_ROW &&
           (rc = sqlite3_step(rows)) == SQLITE_ROW) {
        int failed = put_row(spool, rows, table == source_tables);
        rc = failed ? failed : rc;
        status = flush(spool, FLUSH_BYTES);
        overfull = spool->written > spool->most;
    }
    if (status == 0 && overfull)
        status = note_overfull(spool);
    else if (status == 0 && rc != SQLITE_DONE)
        status = note_damage(spool, rc);
    sqlite3_finalize(rows);
    return status;
}

static int prepare_belongings(struct spool *spool) {
    bool tags, summary;
    TRY(tables_has(&spool->tables, "episode_tags", "tag", &tags, spool->error));
    TRY(tables_has(&spool->tables, "episode_summaries", "summary_text", &summary, spool->error));
    if (tags)
        TRY(tables_prepare(&spool->tables,
                           "SELECT tag FROM main.episode_tags WHERE episode_id = ?1 ORDER BY tag",
                           &spool->tags, spool->error));
    if (summary)
        TRY(tables_prepare(&spool->tables,
                           "SELECT summary_text, key_concepts, key_steps, created_at "
                           "FROM main.episode_summaries WHERE episode_id = ?1",
                           &spool->summary, spool->error));
    return 0;
}

static int read_tables(struct spool *spool) {
    size_t known = 0;
    TRY(prepare_belongings(spool));
    for (size_t i = 0; i < COUNT_OF(source_tables); i++) {
        bool there;
        TRY(tables_has(&spool->tables, source_tables[i].table, source_tables[i].key, &there,
                       spool->error));
        known += there;
        if (there)
            TRY(read_rows(spool, &source_tables[i]));
    }
    if (known)
        return flush(spool, 0);
    return error_set(spool->error, MNEME_INVALID,
                     "%s has none of the tables this format reads: episodes, patterns, heuristics "
                     "of do-memory; MIGRATION.md tells how to import any other table",
                     spool->tables.path);
}

/* ---- The format -------------------------------------------------------------------------- */

static int spool_file(struct spool *spool, const char *path, struct slice *out) {
    struct slice file;
    TRY(file_map(path, &file, spool->error));
    spool->most = (uint64_t)file.size * TEXT_TIMES + TEXT_MORE;
    file_unmap(file);
    TRY(tables_open(&spool->tables, path, spool->error));
    TRY(spill_create(&spool->fd, spool->error));
    TRY(read_tables(spool));
    return spill_map(spool->fd, out, spool->error);
}

static int tables_load(const char *path, struct slice *out, mneme_error *error) {
    struct spool spool = {.lines = BUF_INIT(JSON_SIZE_MAX), .fd = -1, .error = error};
    int status = spool_file(&spool, path, out);
    spill_close(spool.fd);
    sqlite3_finalize(spool.tags);
    sqlite3_finalize(spool.summary);
    tables_close(&spool.tables);
    buf_fini(&spool.lines);
    return status;
}

static enum guess tables_guess(const struct outline *outline) {
    static const char signature[] = "SQLite format 3"; /* with its NUL */
    bool told = outline->head.size >= sizeof signature &&
                memcmp(outline->head.data, signature, sizeof signature) == 0;
    return told ? GUESS_BY_CONTENT : GUESS_NO;
}

static enum split_result tables_split(struct splitter *s, struct piece *out, mneme_error *error) {
    enum split_result result = split_lines(s, out, error);
    out->is_line = false; /* of no file that the user has */
    return result;
}

static int tables_parse(const struct piece *piece, const char *path, struct arena *arena,
                        struct exchange_record *out, mneme_error *error) {
    if (piece->text.size && piece->text.data[0] == damage_mark)
        return error_set(error, MNEME_INVALID, "%.*s",
                         (int)size_min(piece->text.size - 1, MNEME_ERROR_TEXT_MAX),
                         (const char *)piece->text.data + 1);
    return do_memory_format.parse(piece, path, arena, out, error);
}

const struct format_operations sqlite_format = {.name = "sqlite",
                                                .guess = tables_guess,
                                                .load = tables_load,
                                                .split = tables_split,
                                                .parse = tables_parse};
