/*
 * check_marks_test.c - the deep check finds marks that break the rules, planted behind the store's
 * back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <lmdb.h>
#include <cmocka.h>

#include "store/kv.h"
#include "support/store_cases.h"
#include "support/store_share.h"

#define LMDB_OK(call) assert_int_equal((call), 0)

static const struct store_maker *kv_maker(void) {
    for (size_t i = 0; i < store_maker_count; i++)
        if (strcmp(store_makers[i].name, "kv") == 0)
            return &store_makers[i];
    fail_msg("there is no kv store");
    return NULL;
}

/* Patterns 1 (clean), 2 (changed), 3 (gone), 4 (new), 5 (clean and held); the store is closed. */
static void make_store(struct store_home *home, bool shared) {
    assert_int_equal(store_home_make(home, kv_maker(), NULL), 0);
    for (unsigned n = 1; n <= 5; n++)
        must_apply_one(home->store, with_body(put_of(MNEME_PATTERN, n), "body"));
    if (shared) {
        must_apply_one(home->store, state_of("state", 1));
        static const unsigned clean[] = {1, 2, 3, 5};
        for (size_t i = 0; i < COUNT_OF(clean); i++)
            must_apply_one(home->store, mark_of(MARK_CLEAN, MNEME_PATTERN, clean[i], 9));
        must_apply_one(home->store, put_of(MNEME_PATTERN, 2));
        must_apply_one(home->store, purge_of(MNEME_PATTERN, 3));
        must_apply_one(home->store, hold_of(MNEME_PATTERN, 5, "why"));
    }
    store_close(TAKE(home->store));
}

/* Put a value into a table of the closed file, or change the first byte behind `at` of what is
 * there (value NULL). */
struct damage {
    const char *table, *value;
    unsigned n, kind, at;
    const char *finding;
};

static void plant(const struct store_home *home, const struct damage *d) {
    MDB_env *env = NULL;
    MDB_txn *txn = NULL;
    MDB_dbi dbi;
    uint8_t bytes[4096], key[17];
    mneme_id id = numbered_id(d->n);
    memcpy(key, id.bytes, 16);
    key[16] = (uint8_t)d->kind;
    MDB_val k = {sizeof key, key}, value;
    if (!d->table)
        k = (MDB_val){strlen("mneme shared"), (void *)(uintptr_t) "mneme shared"};
    LMDB_OK(mdb_env_create(&env));
    LMDB_OK(mdb_env_set_maxdbs(env, 8));
    LMDB_OK(mdb_env_open(env, home->path, MDB_NOSUBDIR | MDB_NOLOCK, 0600));
    LMDB_OK(mdb_txn_begin(env, NULL, 0, &txn));
    LMDB_OK(mdb_dbi_open(txn, d->table, 0, &dbi));
    if (d->value) {
        value = (MDB_val){strlen(d->value), (void *)(uintptr_t)d->value};
    } else {
        LMDB_OK(mdb_get(txn, dbi, &k, &value));
        assert_true(value.mv_size > d->at && value.mv_size <= sizeof bytes);
        memcpy(bytes, value.mv_data, value.mv_size);
        bytes[d->at] ^= 1;
        value.mv_data = bytes;
    }
    LMDB_OK(mdb_put(txn, dbi, &k, &value, 0));
    LMDB_OK(mdb_txn_commit(txn));
    mdb_env_close(env);
}

static void note_finding(void *context, const char *text) {
    struct buf *all = context;
    buf_printf(all, "%s\n", text);
}

static int check(const struct store_home *home, struct buf *findings) {
    struct kv_check check = {.finding = note_finding, .context = findings};
    mneme_error error = {0};
    int status = kv_store_check(home->path, &check, &error);
    buf_append_byte(findings, 0);
    return status;
}

static void check_finds(const struct damage *d, bool shared) {
    AUTO_BUF struct buf findings = BUF_INIT(64 << 10), before = BUF_INIT(64 << 10);
    struct store_home home;
    make_store(&home, shared);
    assert_int_equal(check(&home, &before), 0);
    plant(&home, d);
    assert_int_equal(check(&home, &findings), MNEME_CORRUPT);
    if (!strstr((const char *)findings.data, d->finding))
        fail_msg("\"%s\" is not among: %s", d->finding, (const char *)findings.data);
    store_home_remove(&home);
}

static void check__finds_marks_that_break_the_rules(void **state) {
    (void)state;
    static const struct damage cases[] = {
        {"clean", "\x05", 3, 3, 0, "is marked as clean, and is not there"},
        {"clean", "\x05", 1, 99, 0, "among what is marked as clean is no record's"},
        {"clean", "\x05x", 4, 3, 0, "is marked as clean, and the entry is damaged"},
        {"clean", "\x05", 2, 3, 0, "is marked as changed, and as clean too"},
        {"gone", "\x05", 1, 3, 0, "is marked as gone, and is there"},
        {"gone", "\x85", 8, 3, 0, "is marked as gone, and the entry is damaged"},
        {"held", "x", 8, 3, 0, "is marked as held, and is not there"},
        {"base", "\x05", 4, 3, 0, "is marked as changed, and the entry is damaged"},
        {"base", "\x05not a blob at all", 4, 3, 0, "is marked as changed, and record"},
        {"base", NULL, 2, 3, 20, "is marked as changed, and record"},
        {NULL, NULL, 0, 0, 9, "what the store remembers of sync is damaged"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        check_finds(&cases[i], true);
}

static void check__finds_marks_in_a_store_that_is_not_shared(void **state) {
    (void)state;
    static const struct damage mark = {"clean", "\x05", 1, 3, 0, "this store is not shared"};
    check_finds(&mark, false);
}

/* What is damaged is an error of the calls, too, and never a crash. */
static void marks__that_are_damaged_are_an_error(void **state) {
    (void)state;
    static const struct damage cases[] = {{"base", NULL, 2, 3, 20, ""},
                                          {"clean", "\x05x", 2, 3, 0, ""},
                                          {"base", "\x80", 2, 3, 0, ""}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_RECORDS struct record_set bases = {0};
        struct record_name name = {MNEME_PATTERN, numbered_id(2)};
        struct shared_mark mark;
        struct store_home home;
        make_store(&home, true);
        plant(&home, &cases[i]);
        assert_int_equal(store_home_reopen(&home, NULL), 0);
        assert_int_equal(shared_marks(home.store, &name, 1, &mark, &bases, NULL), MNEME_CORRUPT);
        assert_int_equal(bases.count, 0);
        store_home_remove(&home);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(check__finds_marks_that_break_the_rules),
        cmocka_unit_test(check__finds_marks_in_a_store_that_is_not_shared),
        cmocka_unit_test(marks__that_are_damaged_are_an_error),
    };
    return cmocka_run_group_tests_name("check_marks", tests, NULL, NULL);
}
