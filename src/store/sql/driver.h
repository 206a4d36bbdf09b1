/*
 * driver.h - who runs SQL for the sql store: a local SQLite file (sqlite.h) or a server that
 * speaks Hrana (hrana.h).
 *
 * Model. A program is a list of steps; each is one statement with its values, and perhaps a guard:
 * run it only if an earlier step was done, or was not. All steps run on one connection, in their
 * order, and nothing of it is left behind: a transaction still open at the end is rolled back. A
 * program that writes is one transaction, whose first step is BEGIN IMMEDIATE.
 * A program must be idempotent: a driver may run it again, whole, when it does not know what became
 * of the run before. It does so, too, when a step failed because another writer was in the way.
 * A step that fails does not end the program; what comes after it is up to the guards.
 *
 * Ownership. A program is borrowed for the call. Results live in the set's arena, texts and blobs
 * there or in its body.
 * Threads. Any thread may call at any time; a driver has its own connections.
 * Errors. `run` returns 0 when the program ran, whatever its steps said: see each step's status.
 * Else no step's outcome is known: MNEME_UNAVAILABLE (the server did nothing, or the program does
 * not write), MNEME_UNCERTAIN (it may have), MNEME_UNAUTHORIZED, MNEME_LOCKED (other writers held
 * the lock for too long), MNEME_NO_SPACE, MNEME_PERMISSION, MNEME_TOO_LARGE (the answer is over a
 * limit; a program that only reads may be asked for less), MNEME_CORRUPT (an answer that breaks the
 * protocol, or a damaged file), MNEME_NOT_FOUND (no such database or namespace), MNEME_FAILURE (a
 * statement that a server refuses before it runs any), MNEME_IO, MNEME_NO_MEMORY.
 * What would end a program so is the status of its step where the program had its COMMIT done.
 */
#ifndef MNEME_STORE_SQL_DRIVER_H
#define MNEME_STORE_SQL_DRIVER_H

#include "base/base.h"
#include "net/net.h"

enum sql_type { SQL_NULL, SQL_INTEGER, SQL_REAL, SQL_TEXT, SQL_BLOB };

struct sql_value {
    enum sql_type type;
    int64_t integer;
    double real;
    struct slice bytes; /* of TEXT (valid UTF-8) and BLOB */
};

static inline struct sql_value sql_null(void) { return (struct sql_value){.type = SQL_NULL}; }
static inline struct sql_value sql_integer(int64_t v) {
    return (struct sql_value){.type = SQL_INTEGER, .integer = v};
}
static inline struct sql_value sql_text(struct slice s) {
    return (struct sql_value){.type = SQL_TEXT, .bytes = s};
}
static inline struct sql_value sql_blob(struct slice s) {
    return (struct sql_value){.type = SQL_BLOB, .bytes = s};
}

enum sql_guard { SQL_ALWAYS, SQL_IF_DONE, SQL_IF_NOT_DONE }; /* not done: failed or skipped */

struct sql_step {
    struct slice sql; /* one statement, its parameters "?" in their order */
    const struct sql_value *args;
    size_t arg_count;
    enum sql_guard guard;
    size_t guard_step; /* an earlier one */
};

struct sql_program {
    const struct sql_step *steps;
    size_t count;
    bool writes;
    bool ends; /* it writes, and its last steps end its transaction, whatever became of the others:
                  it may go over a connection that others use after it */
};

enum sql_outcome { SQL_SKIPPED, SQL_DONE, SQL_FAILED };

struct sql_step_result {
    enum sql_outcome outcome;
    size_t columns, rows;
    const struct sql_value *values; /* rows x columns, row after row */
    int status;                     /* of a failed one: MNEME_CONFLICT for a constraint, or as run;
                                       MNEME_FAILURE for a statement that SQL refuses */
    const char *message;            /* of a failed one: the engine's own text */
};

struct sql_results {
    struct arena arena;
    struct buf body;               /* what a server said, which values may point into */
    struct sql_step_result *steps; /* one a step of the program */
    size_t count;
};
void sql_results_fini(struct sql_results *results);
#define AUTO_RESULTS CLEANUP(sql_results_fini)

/* Since the driver was opened. */
struct sql_counters {
    uint64_t programs, repeats;                         /* … that were run again */
    uint64_t prepared, prepare_hits, prepare_evictions; /* sqlite: the statement caches */
    uint64_t prepare_refreshes;                         /* … dropped for age or a new schema */
    uint64_t prepare_us, step_us;                       /* sqlite: time in each */
    uint64_t replica_reads, replica_fallbacks;          /* hrana: … that went to the primary */
    struct net_counters net;                            /* hrana: primary and replica together */
};

struct sql_driver;
struct sql_driver_operations {
    const char *name; /* "sqlite", "hrana" */
    size_t rows_max;  /* rows that one INSERT may have: many where a statement costs a message or
                         a preparation, few where statements are kept prepared by their text */
    int (*run)(struct sql_driver *, const struct sql_program *, struct sql_results *,
               mneme_error *);
    int (*backup)(struct sql_driver *, const char *path, mneme_error *); /* as store_backup */
    void (*counters)(struct sql_driver *, struct sql_counters *out);
    void (*close)(struct sql_driver *);
};
struct sql_driver {
    const struct sql_driver_operations *operations;
};

/* Run a program. Results are replaced; after a failure they are empty. */
int sql_run(struct sql_driver *driver, const struct sql_program *program,
            struct sql_results *results, mneme_error *error);

#endif
