/*
 * sqlite_statements_test.c - the prepared statements of a connection: held equal to a simple model,
 * and right after every change of the schema.
 */
#include <sqlite3.h>

#include "store/sql/sqlite/sqlite_impl.h"
#include "store/sql/sqlite_scene.h"
#include "support/random_record.h"

/* ---- Against a model ------------------------------------------------------------------------ */

enum { TEXTS = 24, KEPT_MAX = 20 };

/* The numbers of the texts that are kept, the last used first. */
struct model {
    unsigned kept[KEPT_MAX];
    size_t count, max;
    uint64_t prepared, hits, evictions;
};

static void model_use(struct model *model, unsigned text_number) {
    size_t at = 0;
    while (at < model->count && model->kept[at] != text_number)
        at++;
    if (at < model->count) {
        model->hits++;
    } else {
        model->prepared++;
        if (model->count == model->max)
            model->evictions++;
        else
            model->count++;
        at = model->count - 1;
    }
    memmove(model->kept + 1, model->kept, at * sizeof model->kept[0]);
    model->kept[0] = text_number;
}

/* What is kept, in its order, and every list and count of it. */
static void assert_kept(const struct sqlite_statements *s, const struct model *model,
                        char texts[TEXTS][160]) {
    const struct sqlite_statement *x = s->newest, *newer = NULL;
    size_t in_buckets = 0;
    assert_int_equal(s->count, model->count);
    for (size_t i = 0; i < model->count; i++, newer = x, x = x->older) {
        assert_non_null(x);
        assert_ptr_equal(x->newer, newer);
        assert_true(
            slice_equal(slice_of(x->text, x->size), slice_of_string(texts[model->kept[i]])));
    }
    assert_null(x);
    assert_ptr_equal(s->oldest, newer);
    for (size_t i = 0; i <= s->mask; i++)
        for (x = s->buckets[i]; x; x = x->next)
            in_buckets += (x->hash & s->mask) == i;
    assert_int_equal(in_buckets, s->count);
}

/* Run a text from memory that is used again for the next one. */
static void use_text(struct scene *scene, const char *sql, unsigned number) {
    static char memory[160];
    AUTO_RESULTS struct sql_results results = {0};
    mneme_error error;
    snprintf(memory, sizeof memory, "%s", sql);
    struct sql_step step = {.sql = slice_of_string(memory)};
    OK(scene_run(scene, &step, 1, false, &results, &error), &error);
    memset(memory, '!', sizeof memory);
    assert_int_equal(results.steps[0].outcome, SQL_DONE);
    assert_int_equal(results.steps[0].values[0].integer, number);
}

static void be_as_the_model(struct scene *scene, uint32_t max, uint64_t seed) {
    static char texts[TEXTS][160];
    struct model model = {.max = max};
    struct rng rng = {seed};
    const struct sqlite_options options = {.connections = 1, .statements = max};
    for (unsigned i = 0; i < TEXTS; i++) /* of two lengths only */
        snprintf(texts[i], sizeof texts[i], "SELECT %u, '%0*d'", 100 + i, i % 2 ? 90 : 20, 0);
    scene_open(scene, &options);
    for (unsigned n = 0; n < 1500; n++) {
        /* The texts in front are used more often. */
        unsigned i = (unsigned)rng_below(&rng, 1 + rng_below(&rng, TEXTS));
        use_text(scene, texts[i], 100 + i);
        model_use(&model, i);
        if (rng_chance(&rng, 5)) { /* what cannot be prepared leaves all as it was */
            AUTO_RESULTS struct sql_results results = {0};
            const struct sql_step bad = {SQL("SELECT missing")};
            assert_int_equal(scene_run(scene, &bad, 1, false, &results, NULL), 0);
            assert_int_equal(results.steps[0].outcome, SQL_FAILED);
        }
        struct sql_counters counters = scene_counters(scene);
        assert_int_equal(counters.prepared, model.prepared);
        assert_int_equal(counters.prepare_hits, model.hits);
        assert_int_equal(counters.prepare_evictions, model.evictions);
        assert_int_equal(counters.prepare_refreshes, 0);
        assert_kept(&sqlite_driver_of(scene->driver)->idle->statements, &model, texts);
    }
    scene_close(scene);
}

static void statements__are_kept_as_by_the_model(void **state) {
    static const uint32_t sizes[] = {1, 2, 3, 7, 8, KEPT_MAX};
    struct scene *scene = *state;
    for (size_t i = 0; i < COUNT_OF(sizes); i++)
        be_as_the_model(scene, sizes[i], 77 + i);
}

/* ---- Age ------------------------------------------------------------------------------------ */

static void statements__that_are_old_are_prepared_anew(void **state) {
    struct scene *scene = *state;
    struct sqlite_connection *c;
    struct sqlite_statement *statement;
    const char *why = NULL;
    const struct slice sql = slice_of_string("SELECT 1");
    const struct sqlite_options options = {.refresh_s = 100};
    int64_t now = 0;
    scene_open(scene, &options);
    struct sqlite_driver *driver = sqlite_driver_of(scene->driver);
    assert_int_equal(sqlite_pool_acquire(driver, false, -1, &now, &c, NULL), 0);
    int64_t begin = clock_monotonic_us();
    assert_int_equal(sqlite_statements_get(c, sql, begin, &statement, &why), SQLITE_OK);
    int64_t end = clock_monotonic_us();
    assert_int_equal(sqlite_statements_get(c, sql, begin + 99999999, &statement, &why), SQLITE_OK);
    assert_int_equal(c->tally.hits, 1);
    assert_int_equal(sqlite_statements_get(c, sql, end + 100000000, &statement, &why), SQLITE_OK);
    assert_int_equal(c->tally.hits, 1);
    assert_int_equal(c->tally.prepared, 2);
    assert_int_equal(c->tally.refreshes, 1);
    assert_int_equal(c->statements.count, 1);
    sqlite_pool_release(driver, false, c);
}

/* ---- Other schemas -------------------------------------------------------------------------- */

/* Another connection, as another process would have it. */
static void elsewhere(struct scene *scene, const char *sql) {
    sqlite3 *db = NULL;
    char *message = NULL;
    assert_int_equal(sqlite3_open(scene->path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s: %s", sql, message);
    sqlite3_close(db);
}

static const struct sqlite_options one = {.connections = 1};

static size_t kept_count(struct scene *scene) {
    return sqlite_driver_of(scene->driver)->idle->statements.count;
}

static size_t columns_of(struct scene *scene, const char *sql) {
    AUTO_RESULTS struct sql_results results = {0};
    scene_do(scene, sql, false, &results);
    return results.steps[0].columns * (results.steps[0].rows ? 1 : 100);
}

/* Change the schema by `change`; every statement is right after it, and no stale one is kept. */
static void follow_changes(struct scene *scene, void (*change)(struct scene *, const char *)) {
    scene_open(scene, &one);
    scene_write(scene, "CREATE TABLE t (a, b)");
    scene_write(scene, "CREATE TABLE u (a)");
    scene_write(scene, "INSERT INTO t VALUES (1, 2)");
    assert_int_equal(columns_of(scene, "SELECT * FROM t"), 2);
    assert_int_equal(columns_of(scene, "SELECT * FROM u"), 100);
    assert_int_equal(scene_number(scene, "SELECT a FROM t"), 1);
    uint64_t refreshed = scene_counters(scene).prepare_refreshes;
    size_t kept = kept_count(scene);
    change(scene, "ALTER TABLE t ADD COLUMN c");
    assert_int_equal(columns_of(scene, "SELECT * FROM t"), 3); /* SQLite prepares it anew */
    assert_int_equal(kept_count(scene), 1);                    /* … and the others are gone */
    assert_true(scene_counters(scene).prepare_refreshes >= refreshed + kept - 1);
    assert_int_equal(scene_number(scene, "SELECT a FROM t"), 1);
    assert_int_equal(kept_count(scene), 2);
    refreshed = scene_counters(scene).prepare_refreshes;
    assert_int_equal(columns_of(scene, "SELECT * FROM t"), 3);
    assert_int_equal(scene_counters(scene).prepare_refreshes, refreshed); /* once a change */
}

static void change_here(struct scene *scene, const char *sql) { scene_write(scene, sql); }

static void statements__follow_a_change_by_this_connection(void **state) {
    follow_changes(*state, change_here);
}

static void statements__follow_a_change_from_elsewhere(void **state) {
    follow_changes(*state, elsewhere);
}

static void statements__of_a_dropped_table__fail_and_come_back(void **state) {
    struct scene *scene = *state;
    AUTO_RESULTS struct sql_results results = {0};
    mneme_error error;
    const struct sql_step step = {SQL("SELECT a FROM t")};
    scene_open(scene, &one);
    scene_write(scene, "CREATE TABLE t (a)");
    scene_write(scene, "INSERT INTO t VALUES (1)");
    assert_int_equal(scene_number(scene, "SELECT a FROM t"), 1);
    elsewhere(scene, "DROP TABLE t");
    OK(scene_run(scene, &step, 1, false, &results, &error), &error);
    assert_int_equal(results.steps[0].outcome, SQL_FAILED);
    assert_int_equal(results.steps[0].status, MNEME_FAILURE);
    assert_non_null(strstr(results.steps[0].message, "no such table"));
    assert_int_equal(kept_count(scene), 0);
    elsewhere(scene, "CREATE TABLE t (a); INSERT INTO t VALUES (7)");
    assert_int_equal(scene_number(scene, "SELECT a FROM t"), 7);
}

static void statements__survive_a_change_that_is_rolled_back(void **state) {
    struct scene *scene = *state;
    AUTO_RESULTS struct sql_results results = {0};
    mneme_error error;
    const struct sql_step steps[] = {{SQL("BEGIN IMMEDIATE")},
                                     {SQL("ALTER TABLE t ADD COLUMN b DEFAULT 5")},
                                     {SQL("SELECT * FROM t")},
                                     {SQL("ROLLBACK")},
                                     {SQL("SELECT * FROM t")}};
    scene_open(scene, &one);
    scene_write(scene, "CREATE TABLE t (a)");
    scene_write(scene, "INSERT INTO t VALUES (1)");
    assert_int_equal(columns_of(scene, "SELECT * FROM t"), 1);
    OK(scene_run(scene, steps, COUNT_OF(steps), true, &results, &error), &error);
    assert_int_equal(results.steps[2].columns, 2);
    assert_int_equal(results.steps[2].values[1].integer, 5);
    assert_int_equal(results.steps[4].columns, 1);
    assert_int_equal(columns_of(scene, "SELECT * FROM t"), 1);
}

static void use_like(struct scene *scene, const char *pattern, int64_t expected) {
    AUTO_RESULTS struct sql_results results = {0};
    mneme_error error;
    const struct sql_step step = {SQL("SELECT count(*) FROM t WHERE a LIKE ?"),
                                  VALUES(sql_text(slice_of_string(pattern)))};
    OK(scene_run(scene, &step, 1, false, &results, &error), &error);
    assert_int_equal(results.steps[0].outcome, SQL_DONE);
    assert_int_equal(results.steps[0].values[0].integer, expected);
}

/* SQLite prepares a LIKE again when its value changes. The schema is the same one. */
static void statements__of_like__do_not_drop_the_others(void **state) {
    struct scene *scene = *state;
    scene_open(scene, &one);
    scene_write(scene, "CREATE TABLE t (a TEXT COLLATE NOCASE)");
    scene_write(scene, "CREATE INDEX i ON t (a)");
    scene_write(scene, "INSERT INTO t VALUES ('abc'), ('bcd')");
    use_like(scene, "a%", 1);
    use_like(scene, "b%", 1); /* from here on the schema above is known */
    assert_int_equal(scene_number(scene, "SELECT 1"), 1);
    size_t kept = kept_count(scene);
    struct sql_counters before = scene_counters(scene);
    use_like(scene, "a%", 1);
    use_like(scene, "%c", 1);
    use_like(scene, "d", 0);
    assert_true(scene_counters(scene).prepared > before.prepared); /* by SQLite */
    assert_int_equal(kept_count(scene), kept);
    assert_int_equal(scene_counters(scene).prepare_refreshes, before.prepare_refreshes);
}

static int change_in_child(void *context) {
    struct scene *scene = context;
    sqlite3 *db = NULL;
    CHILD_CHECK(sqlite3_open(scene->path, &db) == SQLITE_OK, "open");
    sqlite3_busy_timeout(db, 60000);
    for (unsigned i = 0; i < 40; i++) {
        int rc = sqlite3_exec(db, "ALTER TABLE t ADD COLUMN b DEFAULT 5", NULL, NULL, NULL);
        if (rc == SQLITE_OK)
            rc = sqlite3_exec(db, "ALTER TABLE t DROP COLUMN b", NULL, NULL, NULL);
        CHILD_CHECK(rc == SQLITE_OK, "%s", sqlite3_errmsg(db));
    }
    return sqlite3_close(db);
}

/* In the middle of reads and writes, by another process that began before this driver. */
static void statements__stay_right_while_another_process_changes_the_schema(void **state) {
    struct scene *scene = *state;
    uint64_t reads = 0;
    scene_open(scene, NULL);
    scene_write(scene, "CREATE TABLE t (a)");
    scene_write(scene, "INSERT INTO t VALUES (0)");
    scene_close(scene);
    pid_t child = child_start(change_in_child, scene);
    scene_open(scene, NULL);
    for (; reads < 1000; reads++) {
        AUTO_RESULTS struct sql_results results = {0};
        mneme_error error;
        const struct sql_step steps[] = {{SQL("SELECT * FROM t")}, {SQL("SELECT * FROM t")}};
        OK(scene_run(scene, steps, 2, false, &results, &error), &error);
        assert_int_equal(results.steps[0].outcome, SQL_DONE);
        assert_int_equal(results.steps[0].columns, results.steps[1].columns);
        if (results.steps[0].columns == 2)
            assert_int_equal(results.steps[0].values[1].integer, 5);
        if (reads % 20 == 0)
            scene_write(scene, "UPDATE t SET a = a + 1");
    }
    assert_int_equal(child_wait(child), 0);
    assert_int_equal(scene_number(scene, "SELECT a FROM t"), 50);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SCENE_CASE(statements__are_kept_as_by_the_model),
        SCENE_CASE(statements__that_are_old_are_prepared_anew),
        SCENE_CASE(statements__follow_a_change_by_this_connection),
        SCENE_CASE(statements__follow_a_change_from_elsewhere),
        SCENE_CASE(statements__of_a_dropped_table__fail_and_come_back),
        SCENE_CASE(statements__survive_a_change_that_is_rolled_back),
        SCENE_CASE(statements__of_like__do_not_drop_the_others),
        SCENE_CASE(statements__stay_right_while_another_process_changes_the_schema),
    };
    return cmocka_run_group_tests_name("store/sql/sqlite_statements", tests, NULL, NULL);
}
