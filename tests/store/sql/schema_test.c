/*
 * schema_test.c - the tables of the sql store: made, found, refused, changed from format to format,
 * and kept true by their triggers.
 */
#include <pthread.h>

#include "sql_fixture.h"
#include "store/sql/sql_impl.h"

static int open_again(struct scene *scene, const struct sql_options *options, mneme_error *error) {
    if (scene->store)
        scene_close(scene);
    return shim_open(scene->path, options, &scene->shim, &scene->store, error);
}

static void assert_refused(struct scene *scene, const struct sql_options *options, int status,
                           const char *text) {
    mneme_error error = {0};
    assert_int_equal(open_again(scene, options, &error), status);
    assert_int_equal(error.code, status);
    if (!strstr(error.message, text))
        fail_msg("\"%s\" does not say \"%s\"", error.message, text);
}

static void schema__is_made_once_and_found_again(void **state) {
    struct scene *scene = *state;
    struct mutation put = put_of(MNEME_EPISODE, 1);
    struct store_stats before, after;
    assert_int_equal(apply_one(scene->store, &put), 0);
    assert_int_equal(store_stats(scene->store, &before, NULL), 0);
    assert_int_equal(open_again(scene, NULL, NULL), 0);
    assert_int_equal(store_stats(scene->store, &after, NULL), 0);
    assert_int_equal(after.device, before.device);
    assert_int_equal(after.device, put.record.version.device);
    assert_int_equal(after.changes, 1);
}

static void schema__is_not_made_when_it_must_exist(void **state) {
    struct scene *scene = *state;
    scene_close(scene);
    assert_int_equal(unlink(scene->path), 0);
    assert_refused(scene, &(struct sql_options){.must_exist = true}, MNEME_NOT_FOUND, "no tables");
    assert_refused(scene, &(struct sql_options){.read_only = true}, MNEME_NOT_FOUND, "no tables");
    assert_int_equal(open_again(scene, NULL, NULL), 0);
}

static void schema__of_a_newer_format_is_left_alone(void **state) {
    struct scene *scene = *state;
    assert_int_equal(shim_execute(scene->shim, "UPDATE mneme_store SET format = 99", NULL), 0);
    assert_refused(scene, NULL, MNEME_NEWER_FORMAT, "format 99");
    assert_refused(scene, NULL, MNEME_NEWER_FORMAT, "use a newer mneme");
}

static void schema__of_somebody_else_is_refused(void **state) {
    static const char *const changes[] = {
        "ALTER TABLE mneme_store RENAME COLUMN device TO appliance",
        "UPDATE mneme_store SET device = 'none'", "DELETE FROM mneme_store"};
    struct scene *scene = *state;
    for (size_t i = 0; i < COUNT_OF(changes); i++) {
        assert_int_equal(shim_execute(scene->shim, changes[i], NULL), 0);
        assert_refused(scene, NULL, MNEME_CORRUPT, "mneme_store");
        assert_int_equal(unlink(scene->path), 0);
        assert_int_equal(open_again(scene, NULL, NULL), 0);
    }
}

static void schema__does_not_write_when_read_only(void **state) {
    struct scene *scene = *state;
    struct mutation put = put_of(MNEME_EPISODE, 1), other = put_of(MNEME_EPISODE, 2);
    struct batch batch;
    assert_int_equal(apply_one(scene->store, &put), 0);
    assert_int_equal(open_again(scene, &(struct sql_options){.read_only = true}, NULL), 0);
    assert_int_equal(apply_mutations(scene->store, &other, 1, &batch), MNEME_PERMISSION);
    assert_non_null(strstr(batch.error.message, "reading only"));
    assert_int_equal(scene->shim->writes, 0);
}

/* ---- Migrations ------------------------------------------------------------------------------ */

static const char *const to_2[] = {"CREATE TABLE added(n INTEGER)", "INSERT INTO added VALUES (2)"};
static const char *const to_3[] = {"UPDATE added SET n = n * 10 + 3"};
static const char *const to_3_broken[] = {"UPDATE added SET n = n * 10 + 3",
                                          "INSERT INTO nowhere VALUES (1)"};
static struct sql_migration migrations[3] = {{0}, {to_2, COUNT_OF(to_2)}, {to_3, COUNT_OF(to_3)}};

static void migration__goes_from_format_to_format(void **state) {
    struct scene *scene = *state;
    uint64_t device = 0, again = 0;
    assert_int_equal(
        schema_open(scene->shim->below, &(struct sql_options){0}, migrations, 3, &device, NULL), 0);
    assert_int_equal(shim_number(scene->shim, "SELECT n FROM added"), 23);
    assert_int_equal(shim_number(scene->shim, "SELECT format FROM mneme_store"), 3);
    assert_int_equal(schema_open(scene->shim->below, &(struct sql_options){.read_only = true},
                                 migrations, 3, &again, NULL),
                     0);
    assert_int_equal(device, again);
    assert_int_equal(shim_number(scene->shim, "SELECT n FROM added"), 23);
}

static void migration__is_taken_back_when_it_fails(void **state) {
    struct scene *scene = *state;
    struct sql_migration broken[3] = {{0}, migrations[1], {to_3_broken, COUNT_OF(to_3_broken)}};
    uint64_t device = 0;
    mneme_error error = {0};
    assert_int_equal(
        schema_open(scene->shim->below, &(struct sql_options){0}, broken, 3, &device, &error),
        MNEME_FAILURE);
    assert_non_null(strstr(error.message, "nowhere"));
    assert_int_equal(shim_number(scene->shim, "SELECT n FROM added"), 2);
    assert_int_equal(shim_number(scene->shim, "SELECT format FROM mneme_store"), 2);
}

static void migration__is_not_done_when_read_only(void **state) {
    struct scene *scene = *state;
    uint64_t device = 0;
    assert_int_equal(schema_open(scene->shim->below, &(struct sql_options){.read_only = true},
                                 migrations, 3, &device, NULL),
                     MNEME_PERMISSION);
    assert_int_equal(shim_number(scene->shim, "SELECT format FROM mneme_store"), 1);
}

struct racer {
    pthread_t thread;
    const char *path;
    uint64_t device;
    int status;
    mneme_error error;
};

static void *race(void *argument) {
    struct racer *racer = argument;
    struct sql_migration all[3] = {sql_migrations[0], migrations[1], migrations[2]};
    struct sql_driver *driver = NULL;
    racer->status = sqlite_driver_open(racer->path, NULL, &driver, &racer->error);
    if (racer->status)
        return NULL;
    racer->status =
        schema_open(driver, &(struct sql_options){0}, all, 3, &racer->device, &racer->error);
    driver->operations->close(driver);
    return NULL;
}

static void migration__of_many_at_once_happens_once(void **state) {
    enum { RACERS = 6, ROUNDS = 5 };
    struct scene *scene = *state;
    for (int round = 0; round < ROUNDS; round++) {
        struct racer racers[RACERS] = {0};
        scene_close(scene);
        assert_int_equal(unlink(scene->path), 0);
        for (size_t i = 0; i < RACERS; i++) {
            racers[i].path = scene->path;
            assert_int_equal(thread_start(&racers[i].thread, race, &racers[i], NULL), 0);
        }
        for (size_t i = 0; i < RACERS; i++)
            pthread_join(racers[i].thread, NULL);
        for (size_t i = 0; i < RACERS; i++) {
            if (racers[i].status)
                fail_msg("%s", racers[i].error.message);
            assert_int_equal(racers[i].device, racers[0].device);
        }
        assert_int_equal(open_again(scene, NULL, NULL), MNEME_NEWER_FORMAT);
    }
    assert_int_equal(unlink(scene->path), 0);
    assert_int_equal(open_again(scene, NULL, NULL), 0);
}

/* ---- What the triggers keep true ------------------------------------------------------------- */

static void assert_tables_true(struct scene *scene) {
    assert_int_equal(
        shim_number(scene->shim,
                    "SELECT count(*) FROM mneme_kind k JOIN (SELECT kind, sum(live) AS l,"
                    " sum(1 - live) AS t, sum(live * body_size) AS s, sum(live * plain_size) AS p"
                    " FROM mneme_record GROUP BY kind) r USING (kind) WHERE (records, tombstones,"
                    " stored_bytes, plain_bytes) <> (l, t, s, p)"),
        0);
    assert_int_equal(
        shim_number(scene->shim,
                    "SELECT count(*) FROM (SELECT kind, name, value, time_us, id FROM"
                    " mneme_attribute EXCEPT SELECT r.kind, a.value->>0, a.value->>1, r.time_us,"
                    " r.id FROM mneme_record r, json_each(r.attributes) a WHERE live = 1)"),
        0);
    assert_int_equal(
        shim_number(scene->shim,
                    "SELECT count(*) FROM (SELECT r.kind, a.value->>0, a.value->>1, r.time_us,"
                    " r.id FROM mneme_record r, json_each(r.attributes) a WHERE live = 1 EXCEPT"
                    " SELECT kind, name, value, time_us, id FROM mneme_attribute)"),
        0);
    assert_int_equal(shim_number(scene->shim,
                                 "SELECT count(*) FROM mneme_chunk c WHERE NOT EXISTS (SELECT 1"
                                 " FROM mneme_record r WHERE r.kind = c.kind AND r.id = c.id AND"
                                 " r.chunks >= c.number)"),
                     0);
}

static void write_at_random(struct scene *scene, struct test_random *random, const uint8_t *body) {
    struct attribute attributes[2] = {attribute_of("domain", "airline"), attribute_of("tag", "a")};
    unsigned n = 1 + test_random_below(random, 20);
    mneme_kind kind = test_random_below(random, 2) ? MNEME_EPISODE : MNEME_STEP;
    struct mutation m = put_of(kind, n);
    switch (test_random_below(random, 5)) {
    case 0:
        m = delete_of(kind, n);
        break;
    case 1:
        m = purge_of(kind, n);
        break;
    default:
        m.record.time_us = test_random_below(random, 100);
        m.record.attributes = attributes;
        m.record.attribute_count = test_random_below(random, 3);
        m.record.body = slice_of(body, test_random_below(random, 10) ? 100 : (2 << 20) + 7);
        m.record.plain_size = 2000;
    }
    (void)apply_one(scene->store, &m);
}

static void triggers__keep_counts_attributes_and_chunks_true(void **state) {
    struct scene *scene = *state;
    struct test_random random = {.state = 20261121};
    AUTO_FREE uint8_t *body = mem_alloc(3 << 20);
    assert_non_null(body);
    test_random_fill(1, body, 3 << 20);
    for (int i = 0; i < 200; i++)
        write_at_random(scene, &random, body);
    assert_tables_true(scene);
    assert_true(shim_number(scene->shim, "SELECT count(*) FROM mneme_chunk") > 0);
    /* A hand that changes the table leaves the others true. */
    assert_int_equal(shim_execute(scene->shim, "DELETE FROM mneme_record WHERE change % 2", NULL),
                     0);
    assert_tables_true(scene);
}

static void view__lists_episodes_as_people_read_them(void **state) {
    struct scene *scene = *state;
    struct attribute attributes[] = {attribute_of("domain", "airline"),
                                     attribute_of("outcome", "success"), attribute_of("tag", "a"),
                                     attribute_of("tag", "b")};
    struct mutation put = put_of(MNEME_EPISODE, 1);
    put.record.time_us = 1700000000000000;
    put.record.attributes = attributes;
    put.record.attribute_count = COUNT_OF(attributes);
    assert_int_equal(apply_one(scene->store, &put), 0);
    assert_int_equal(
        shim_number(scene->shim,
                    "SELECT count(*) FROM mneme_episodes WHERE time = '2023-11-14 22:13:20'"
                    " AND outcome = 'success' AND domain = 'airline' AND tags = 'a,b'"
                    " AND type IS NULL AND length(id) = 36"),
        1);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(schema__is_made_once_and_found_again),
        CASE(schema__is_not_made_when_it_must_exist),
        CASE(schema__of_a_newer_format_is_left_alone),
        CASE(schema__of_somebody_else_is_refused),
        CASE(schema__does_not_write_when_read_only),
        CASE(migration__goes_from_format_to_format),
        CASE(migration__is_taken_back_when_it_fails),
        CASE(migration__is_not_done_when_read_only),
        CASE(migration__of_many_at_once_happens_once),
        CASE(triggers__keep_counts_attributes_and_chunks_true),
        CASE(view__lists_episodes_as_people_read_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
