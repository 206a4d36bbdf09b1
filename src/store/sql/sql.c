/*
 * sql.c - the sql store: its table of operations, its life.
 */
#include "store/sql/sql_impl.h"

static int sql_backup(struct store *store, const char *path, mneme_error *error) {
    struct sql_driver *driver = sql_of(store)->driver;
    return driver->operations->backup(driver, path, error);
}

static void sql_close(struct store *store) {
    struct sql *s = sql_of(store);
    s->driver->operations->close(s->driver);
    lock_fini(&s->lock);
    mem_free(s);
}

static const struct store_operations sql_operations = {
    .name = "sql",
    .apply = sql_apply,
    .get = sql_get,
    .query = sql_query,
    .changes = sql_changes,
    .stats = sql_stats,
    .backup = sql_backup,
    .close = sql_close,
};

int sql_store_open(struct sql_driver *driver, const struct sql_options *options, struct store **out,
                   mneme_error *error) {
    static const struct sql_options defaults = {0};
    const struct sql_options *taken = options ? options : &defaults;
    AUTO_FREE struct sql *s = mem_zalloc(1, sizeof *s);
    if (!s)
        return error_set(error, MNEME_NO_MEMORY, "no memory to open a store");
    TRY(schema_open(driver, taken, sql_migrations, SQL_FORMAT, &s->device, error));
    s->base.operations = &sql_operations;
    s->driver = driver;
    s->read_only = taken->read_only;
    atomic_init(&s->record_bytes, 4096);
    atomic_init(&s->unsettled_count, 0);
    lock_init(&s->lock, RANK_LEAF);
    *out = &TAKE(s)->base;
    return 0;
}

void sql_store_counters(struct store *store, struct sql_counters *out) {
    struct sql_driver *driver = sql_of(store)->driver;
    *out = (struct sql_counters){0};
    driver->operations->counters(driver, out);
}
