/*
 * sql_impl.h - inside the sql store: its state, and what its files share.
 */
#ifndef MNEME_STORE_SQL_IMPL_H
#define MNEME_STORE_SQL_IMPL_H

#include "os/os.h"
#include "store/sql.h"
#include "store/store_impl.h"

enum {
    SQL_FORMAT = 1,
    SQL_CHUNK_BYTES = 1 << 20,      /* of a body, in one row: servers refuse rows of 5 MB */
    SQL_CHUNKS_READ = 7,            /* in one program: servers refuse answers over 10 MB */
    SQL_ATTRIBUTES_BYTES = 4 << 20, /* of a record's attributes as JSON, for the same reason */
    SQL_ANSWER_BYTES = 4 << 20,     /* that a page of records is meant to have, at most */
    SQL_REQUEST_BYTES = 8 << 20,    /* of bodies in one transaction of several batches */
    SQL_REQUEST_MUTATIONS = 2000,   /* … and so many mutations */
    SQL_DEVICE_TEXT = 17,           /* 16 hexadecimal digits and a NUL */
    SQL_TRANSACTION_ID = 16,        /* bytes of its id */
    SQL_UNSETTLED_MAX = 64,
    SQL_MUTATION_COLUMNS = 19 /* of the view mneme_apply */
};

struct sql {
    struct store base;
    struct sql_driver *driver;
    bool read_only;
    uint64_t device;
    struct lock lock; /* of the two that follow; the count is read without */
    uint8_t unsettled[SQL_UNSETTLED_MAX][SQL_TRANSACTION_ID]; /* transactions: see settle.c */
    atomic_size_t unsettled_count;
    atomic_size_t record_bytes; /* mean size of the records read lately, for the size of pages */
};

static inline struct sql *sql_of(struct store *store) { return (struct sql *)(void *)store; }

/* ---- schema.c: the tables -------------------------------------------------------------------- */

/* Statements that lead from one format to the next. */
struct sql_migration {
    const char *const *statements;
    size_t count;
};
extern const struct sql_migration sql_migrations[SQL_FORMAT];

/* Bring the tables to the format `count`, each step in a transaction of its own, whoever else does
 * so at the same time. *device is the store's. Errors as sql_store_open. */
int schema_open(struct sql_driver *driver, const struct sql_options *options,
                const struct sql_migration *migrations, size_t count, uint64_t *device,
                mneme_error *error);

/* ---- program.c: putting programs together ---------------------------------------------------- */

/* Steps in an arena. A lack of memory sticks, and is told by program_run. */
struct program {
    struct arena *arena;
    struct sql_step *steps;
    size_t count, capacity;
    bool failed;
    bool ends; /* of sql_program */
};

/* Add a step, run only if the one before it was done (`then`) or always. `sql` and args must live
 * as long as the program. Returns its index. */
size_t program_add(struct program *p, const char *sql, const struct sql_value *args, size_t count);
size_t program_then(struct program *p, const char *sql, const struct sql_value *args, size_t count);
/* The same for a guard on any step. */
size_t program_guarded(struct program *p, const char *sql, const struct sql_value *args,
                       size_t count, enum sql_guard guard, size_t guard_step);
int program_run(struct program *p, struct sql_driver *driver, bool writes,
                struct sql_results *results, mneme_error *error);
/* The same for a store that was opened, and for what it was opened for: settles first what is not
 * settled; a database that is gone is MNEME_UNAVAILABLE, for MNEME_NOT_FOUND is a record's. */
int store_run(struct sql *s, struct program *p, bool writes, struct sql_results *results,
              mneme_error *error);
/* Copies of values in the program's arena; NULL sticks. */
struct sql_value *program_values(struct program *p, const struct sql_value *values, size_t count);
/* 0, or the failure of a step that should have been done, its text behind `what`. */
int step_check(const struct sql_results *results, size_t step, const char *what,
               mneme_error *error);

/* ---- settle.c -------------------------------------------------------------------------------- */

/* Nobody knows whether this transaction went in. */
void settle_later(struct sql *s, const uint8_t id[SQL_TRANSACTION_ID]);
/* See to it that no such transaction goes in from now on. */
int settle(struct sql *s, mneme_error *error);

/* ---- row.c: records and their values --------------------------------------------------------- */

struct device_text {
    char text[SQL_DEVICE_TEXT];
};
struct device_text device_format(uint64_t device);
bool device_parse(struct slice text, uint64_t *out);

static inline struct sql_value value_of_string(const char *s) {
    return sql_text(slice_of_string(s));
}
static inline struct sql_value value_of_id(const mneme_id *id) {
    return id_is_zero(id) ? sql_null() : sql_blob(slice_of(id->bytes, sizeof id->bytes));
}

/* Text that SQL and JSON can hold of an attribute's name or value: itself when it is valid UTF-8
 * without NUL and does not begin with U+0001; else U+0001 and hexadecimal digits. In the arena, or
 * the bytes themselves. MNEME_NO_MEMORY. */
int attribute_text(struct arena *arena, struct slice bytes, struct slice *out);
/* The attributes of a record as JSON, [["name","value"],…], in the arena. */
int attributes_text(struct arena *arena, const struct stored_record *record, struct slice *out);
/* One of them, as it stands in that text. MNEME_NO_MEMORY. */
int attribute_json(struct arena *arena, const struct attribute *attribute, struct slice *out);

int64_t body_checksum(struct slice body);

/* The columns that reads select, behind "SELECT ", and with an empty body. */
extern const char row_columns[];
extern const char row_columns_without_body[];
enum { ROW_COLUMNS = 15 };

/* Of a body: what row_read did not read or check. */
struct row_rest {
    size_t chunks; /* how many rows of mneme_chunk go on with it */
    size_t size;   /* of all of it */
    int64_t checksum;
};
/* Append the record of one row to a set. MNEME_CORRUPT: what no sql store wrote. */
int row_read(const struct sql_value *values, struct record_set *out, struct row_rest *rest,
             mneme_error *error);

/* ---- write.c, read.c, query.c: the operations ------------------------------------------------ */

int sql_apply(struct store *store, struct batch *const *batches, size_t count);
int sql_get(struct store *store, const struct record_name *names, size_t count,
            struct record_set *out, size_t *found, mneme_error *error);
int sql_query(struct store *store, const struct store_query *query, struct record_set *out,
              bool *more, mneme_error *error);
int sql_changes(struct store *store, uint64_t since, size_t limit, bool without_bodies,
                struct record_set *out, mneme_error *error);
int sql_stats(struct store *store, struct store_stats *out, mneme_error *error);

/* Append the record of one row, with what its chunks hold, checked. MNEME_CORRUPT. */
int row_take(struct sql *s, const struct sql_value *values, bool without_bodies,
             struct record_set *out, mneme_error *error);
/* Take these as the latest for the mean size that read_page goes by. */
void read_note_sizes(struct sql *s, const struct stored_record *records, size_t count);
/* Append the records of a step's rows in the same way. */
int rows_read(struct sql *s, const struct sql_step_result *rows, bool without_bodies,
              struct record_set *out, mneme_error *error);
/* Run a program that reads. *too_large instead of MNEME_TOO_LARGE: ask for fewer rows. */
int read_run(struct sql *s, struct program *p, struct sql_results *results, bool *too_large,
             mneme_error *error);
/* How many rows to ask for at once, when `wanted` are. */
size_t read_page(const struct sql *s, size_t wanted, bool without_bodies);

#endif
