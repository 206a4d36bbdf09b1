/*
 * reference_sqlite.c - the same records in SQLite, with statements prepared once.
 *
 * The schema is the best we found: the change number is the row id, so that the change log costs
 * nothing; rows with bodies are not WITHOUT ROWID, which is slow with 2 KB in a row; attributes
 * are, for there all is key. Pages and the checkpoint of the WAL are as SQLite has them.
 */
#include "bench/reference_sqlite.h"

#include <sqlite3.h>

#include "bench/measure.h"

static const char schema[] =
    "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
    "CREATE TABLE record(change INTEGER PRIMARY KEY, kind INTEGER NOT NULL, id BLOB NOT NULL,"
    " flags INTEGER, clock INTEGER, device INTEGER, time INTEGER, plain_size INTEGER, body BLOB);"
    "CREATE UNIQUE INDEX record_id ON record(kind, id);"
    "CREATE INDEX record_time ON record(kind, time);"
    "CREATE TABLE attribute(kind INTEGER, name TEXT, value TEXT, time INTEGER, id BLOB,"
    " PRIMARY KEY(kind, name, value, time, id)) WITHOUT ROWID;";

struct sqlite {
    sqlite3 *db;
    sqlite3_stmt *record, *attribute;
};

static void sqlite_fini(struct sqlite *s) {
    sqlite3_finalize(s->record);
    sqlite3_finalize(s->attribute);
    sqlite3_close(s->db);
}

static int fail(struct sqlite *s, mneme_error *error) {
    return error_set(error, MNEME_FAILURE, "SQLite: %s",
                     s->db ? sqlite3_errmsg(s->db) : "cannot open a file");
}

static int open_database(struct sqlite *s, const struct scratch_path *path, mneme_error *error) {
    bool ok = sqlite3_open(path->text, &s->db) == SQLITE_OK &&
              sqlite3_exec(s->db, schema, NULL, NULL, NULL) == SQLITE_OK &&
              sqlite3_prepare_v2(s->db, "INSERT INTO record VALUES(?,?,?,?,?,?,?,?,?)", -1,
                                 &s->record, NULL) == SQLITE_OK &&
              sqlite3_prepare_v2(s->db, "INSERT INTO attribute VALUES(?,?,?,?,?)", -1,
                                 &s->attribute, NULL) == SQLITE_OK;
    return ok ? 0 : fail(s, error);
}

static bool step(sqlite3_stmt *statement) {
    bool done = sqlite3_step(statement) == SQLITE_DONE;
    sqlite3_reset(statement);
    return done;
}

static bool insert(struct sqlite *s, const struct stored_record *r, size_t change) {
    sqlite3_stmt *row = s->record;
    sqlite3_bind_int64(row, 1, (sqlite3_int64)change);
    sqlite3_bind_int(row, 2, (int)r->kind);
    sqlite3_bind_blob(row, 3, r->id.bytes, sizeof r->id.bytes, SQLITE_STATIC);
    sqlite3_bind_int64(row, 4, r->flags);
    sqlite3_bind_int64(row, 5, (sqlite3_int64)(id_millis(&r->id) << 16));
    sqlite3_bind_int64(row, 6, INT64_C(0x5ca1ab1e5ca1ab1e)); /* as large as a device id */
    sqlite3_bind_int64(row, 7, r->time_us);
    sqlite3_bind_int64(row, 8, r->plain_size);
    sqlite3_bind_blob64(row, 9, r->body.data, r->body.size, SQLITE_STATIC);
    if (!step(row))
        return false;
    row = s->attribute;
    for (size_t i = 0; i < r->attribute_count; i++) {
        const struct attribute *a = &r->attributes[i];
        sqlite3_bind_int(row, 1, (int)r->kind);
        sqlite3_bind_text(row, 2, (const char *)a->name.data, (int)a->name.size, SQLITE_STATIC);
        sqlite3_bind_text(row, 3, (const char *)a->value.data, (int)a->value.size, SQLITE_STATIC);
        sqlite3_bind_int64(row, 4, r->time_us);
        sqlite3_bind_blob(row, 5, r->id.bytes, sizeof r->id.bytes, SQLITE_STATIC);
        if (!step(row))
            return false;
    }
    return true;
}

static bool execute(struct sqlite *s, const char *sql) {
    return sqlite3_exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK;
}

int sqlite_insert(const struct mutation *mutations, size_t count, size_t batch_records,
                  const struct scratch_path *path, double *seconds, mneme_error *error) {
    CLEANUP(sqlite_fini) struct sqlite s = {0};
    scratch_remove_file(path);
    TRY(open_database(&s, path, error));
    double start = seconds_now();
    for (size_t i = 0; i < count; i++) {
        bool ok = (i % batch_records || execute(&s, "BEGIN IMMEDIATE")) &&
                  insert(&s, &mutations[i].record, i + 1) &&
                  ((i + 1) % batch_records || execute(&s, "COMMIT"));
        if (!ok)
            return fail(&s, error);
    }
    *seconds = seconds_now() - start;
    return 0;
}
