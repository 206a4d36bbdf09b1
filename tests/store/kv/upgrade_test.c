/*
 * upgrade_test.c - a file of format 1, made here byte by byte, is read as it is, and raised to
 * format 2 by the first opening for writing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <lmdb.h>
#include <cmocka.h>

#include "codec/codec.h"
#include "store/kv.h"
#include "support/store_cases.h"
#include "support/store_share.h"

#define LMDB_OK(call) assert_int_equal((call), 0)

enum { DEVICE = 0x1122, STATE_NUMBERS = 2 + 4 * 9, PATTERN_BODY = 4, AFTER_US = 5 };

struct fixture {
    char directory[64], path[96];
};

/* ---- A file of format 1 ------------------------------------------------------------------ */

static MDB_val val(const void *data, size_t size) {
    return (MDB_val){size, (void *)(uintptr_t)data};
}

static void put_value(MDB_txn *txn, MDB_dbi table, struct slice key, struct slice value) {
    MDB_val k = val(key.data, key.size), v = val(value.data, value.size);
    LMDB_OK(mdb_put(txn, table, &k, &v, 0));
}

static void put_number(struct buf *b, uint64_t number) {
    uint8_t bytes[8];
    put_be64(bytes, number);
    buf_append(b, bytes, sizeof bytes);
}

static void put_identity(MDB_txn *txn, MDB_dbi main) {
    uint8_t bytes[32] = "mneme store";
    put_be32(bytes + 12, 1);
    put_be64(bytes + 16, DEVICE);
    put_be64(bytes + 24, XXH3_64bits(bytes, 24));
    put_value(txn, main, slice_of_string("mneme"), slice_of(bytes, sizeof bytes));
}

static void put_state(MDB_txn *txn, MDB_dbi main, uint64_t clock) {
    uint64_t numbers[STATE_NUMBERS] = {1, clock};
    AUTO_BUF struct buf b = BUF_INIT(4096);
    uint64_t *row = numbers + 2 + 4 * MNEME_PATTERN;
    row[0] = 1;
    row[2] = row[3] = PATTERN_BODY;
    for (size_t i = 0; i < STATE_NUMBERS; i++)
        put_number(&b, numbers[i]);
    put_number(&b, XXH3_64bits(b.data, b.size));
    put_value(txn, main, slice_of_string("mneme state"), buf_slice(&b));
}

/* A pattern with the tag x, written at its id's millisecond, AFTER_US later. */
static void put_record(MDB_txn *txn, MDB_dbi records, struct slice key) {
    AUTO_BUF struct buf header = BUF_INIT(4096), rest = BUF_INIT(4096), blob = BUF_INIT(4096);
    wire_put_varint(&header, 0); /* flags */
    buf_append_byte(&header, 0); /* shape */
    wire_put_varint(&header, 1); /* change */
    wire_put_varint(&header, 0); /* clock: the id's millisecond … */
    wire_put_varint(&header, 7); /* … and a counter */
    wire_put_varint(&header, 2 * AFTER_US);
    wire_put_varint(&header, PATTERN_BODY); /* plain size */
    wire_put_varint(&header, 1);            /* one attribute: "tag" is name 5 */
    wire_put_varint(&header, 5);
    wire_put_varint(&header, 1);
    buf_append_string(&header, "x");
    wire_put_varint(&rest, header.size + PATTERN_BODY);
    buf_append_slice(&rest, buf_slice(&header));
    buf_append_string(&rest, "body");
    put_number(&blob, XXH3_64bits_withSeed(rest.data, rest.size, XXH3_64bits(key.data, key.size)));
    buf_append_slice(&blob, buf_slice(&rest));
    put_value(txn, records, key, buf_slice(&blob));
}

static void put_index(MDB_txn *txn, MDB_dbi index, struct slice prefix, const mneme_id *id) {
    AUTO_BUF struct buf key = BUF_INIT(64);
    buf_append_slice(&key, prefix);
    put_number(&key, (id_millis(id) * 1000 + AFTER_US) ^ UINT64_C(1) << 63);
    buf_append_byte(&key, 1); /* the id's first six bytes are that millisecond */
    buf_append(&key, id->bytes + 6, 10);
    put_value(txn, index, buf_slice(&key), slice_of(NULL, 0));
}

static void put_tables(MDB_txn *txn) {
    MDB_dbi main, records, index, changes;
    mneme_id id = numbered_id(1);
    uint8_t key[17], change[8], name[17], tag[8], attribute[7] = {'V', MNEME_PATTERN};
    LMDB_OK(mdb_dbi_open(txn, NULL, 0, &main));
    LMDB_OK(mdb_dbi_open(txn, "records", MDB_CREATE, &records));
    LMDB_OK(mdb_dbi_open(txn, "index", MDB_CREATE, &index));
    LMDB_OK(mdb_dbi_open(txn, "changes", MDB_CREATE, &changes));
    memcpy(key, id.bytes, 16);
    key[16] = name[0] = MNEME_PATTERN;
    memcpy(name + 1, id.bytes, 16);
    put_be64(change, 1);
    put_be64(tag, XXH3_64bits_withSeed("x", 1, XXH3_64bits("tag", 3)));
    memcpy(attribute + 2, tag, 5);
    put_identity(txn, main);
    put_state(txn, main, id_millis(&id) << 16 | 7);
    put_record(txn, records, slice_of(key, sizeof key));
    put_index(txn, index, slice_of("T\3", 2), &id);
    put_index(txn, index, slice_of(attribute, sizeof attribute), &id);
    put_value(txn, changes, slice_of(change, 8), slice_of(name, sizeof name));
}

static MDB_env *open_lmdb(const char *path, unsigned flags) {
    MDB_env *env = NULL;
    LMDB_OK(mdb_env_create(&env));
    LMDB_OK(mdb_env_set_maxdbs(env, 8));
    LMDB_OK(mdb_env_open(env, path, MDB_NOSUBDIR | MDB_NOLOCK | flags, 0600));
    return env;
}

static void make_file(const char *path) {
    MDB_env *env = open_lmdb(path, 0);
    MDB_txn *txn = NULL;
    LMDB_OK(mdb_txn_begin(env, NULL, 0, &txn));
    put_tables(txn);
    LMDB_OK(mdb_txn_commit(txn));
    mdb_env_close(env);
}

/* ---- Fixture ----------------------------------------------------------------------------- */

static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    snprintf(f->directory, sizeof f->directory, "/tmp/mneme-upgrade-XXXXXX");
    assert_non_null(mkdtemp(f->directory));
    snprintf(f->path, sizeof f->path, "%s/store.mdb", f->directory);
    make_file(f->path);
    *state = f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    char lock[128];
    snprintf(lock, sizeof lock, "%s-lock", f->path);
    unlink(f->path);
    unlink(lock);
    rmdir(f->directory);
    free(f);
    return 0;
}

static uint32_t format_of(const char *path) {
    MDB_env *env = open_lmdb(path, MDB_RDONLY);
    MDB_txn *txn = NULL;
    MDB_dbi main;
    MDB_val key = val("mneme", 5), value;
    LMDB_OK(mdb_txn_begin(env, NULL, MDB_RDONLY, &txn));
    LMDB_OK(mdb_dbi_open(txn, NULL, 0, &main));
    LMDB_OK(mdb_get(txn, main, &key, &value));
    uint32_t format = get_be32((const uint8_t *)value.mv_data + 12);
    mdb_txn_abort(txn);
    mdb_env_close(env);
    return format;
}

static struct store *open_store(const struct fixture *f, bool read_only) {
    struct kv_options options = {.must_exist = true, .read_only = read_only};
    struct store *store = NULL;
    mneme_error error = {0};
    if (kv_store_open(f->path, &options, &store, &error))
        fail_msg("open: %s", error.message);
    return store;
}

static void tell_finding(void *context, const char *text) {
    (void)context;
    print_error("%s\n", text);
}

static void assert_sound(const struct fixture *f) {
    struct kv_check check = {.finding = tell_finding};
    mneme_error error = {0};
    if (kv_store_check(f->path, &check, &error))
        fail_msg("check: %s", error.message);
}

static void assert_record(struct store *store) {
    AUTO_RECORDS struct record_set set = {0}, listed = {0};
    const struct attribute tag = attribute_of("tag", "x");
    struct store_query query = {
        .kind = MNEME_PATTERN, .filters = &tag, .filter_count = 1, .limit = 10};
    bool more;
    const struct stored_record *record = must_get(store, MNEME_PATTERN, 1, &set);
    assert_true(slice_equal(record->body, slice_of_string("body")));
    assert_int_equal(record->version.device, DEVICE);
    assert_int_equal(store_query(store, &query, &listed, &more, NULL), 0);
    assert_int_equal(listed.count, 1);
    assert_null(record_difference(record, &listed.records[0]));
}

static enum mark mark_now(struct store *store) {
    AUTO_RECORDS struct record_set bases = {0};
    struct record_name name = {MNEME_PATTERN, numbered_id(1)};
    struct shared_mark mark;
    assert_int_equal(shared_marks(store, &name, 1, &mark, &bases, NULL), 0);
    return mark.mark;
}

/* ---- Cases ------------------------------------------------------------------------------- */

static void upgrade__is_not_done_by_a_reader(void **state) {
    const struct fixture *f = *state;
    AUTO_ARENA struct arena arena = {0};
    AUTO_RECORDS struct record_set out = {0};
    struct slice shared;
    struct shared_counts counts;
    struct record_name names[1];
    uint64_t fence, upto, at[1];
    size_t count;
    bool more;
    assert_sound(f);
    struct store *store = open_store(f, true);
    assert_record(store);
    assert_int_equal(mark_now(store), MARK_NONE);
    assert_int_equal(shared_state(store, &arena, &shared, &fence, &counts, NULL), 0);
    assert_int_equal(shared.size + fence + counts.clean + counts.held, 0);
    assert_int_equal(shared_outbox(store, 0, 10, 0, &out, &upto, &more, NULL), 0);
    assert_int_equal(out.count, 1);
    assert_int_equal(
        shared_names(store, MARK_CLEAN, NULL, 1, names, at, NULL, &arena, &count, NULL), 0);
    assert_int_equal(count, 0);
    struct store_stats stats;
    assert_int_equal(store_stats(store, &stats, NULL), 0);
    assert_int_equal(stats.kinds[MNEME_PATTERN].records, 1);
    assert_int_equal(stats.kinds[MNEME_SUPERSEDED].records, 0);
    store_close(store);
    assert_int_equal(format_of(f->path), 1);
}

static void upgrade__is_done_by_the_first_writer(void **state) {
    const struct fixture *f = *state;
    struct store *store = open_store(f, false);
    assert_record(store);
    must_apply_one(store, put_of(MNEME_SUPERSEDED, 2));
    must_apply_one(store, state_of("state", 1));
    must_apply_one(store, mark_of(MARK_CLEAN, MNEME_PATTERN, 1, 9));
    must_apply_one(store, put_of(MNEME_PATTERN, 1));
    store_close(store);
    assert_int_equal(format_of(f->path), 2);
    assert_sound(f);
    store = open_store(f, true);
    assert_int_equal(mark_now(store), MARK_BASE);
    struct store_stats stats;
    assert_int_equal(store_stats(store, &stats, NULL), 0);
    assert_int_equal(stats.device, DEVICE);
    assert_int_equal(stats.changes, 3);
    assert_int_equal(stats.kinds[MNEME_SUPERSEDED].records, 1);
    store_close(store);
}

static void upgrade__serves_readers_of_the_same_process(void **state) {
    const struct fixture *f = *state;
    struct store *reader = open_store(f, true);
    assert_int_equal(mark_now(reader), MARK_NONE);
    struct store *writer = open_store(f, false);
    must_apply_one(writer, state_of("state", 1));
    must_apply_one(writer, mark_of(MARK_CLEAN, MNEME_PATTERN, 1, 9));
    assert_int_equal(mark_now(reader), MARK_CLEAN);
    assert_record(reader);
    store_close(writer);
    assert_record(reader);
    store_close(reader);
}

/* The child: read the file while it has format 1, and again when it is told to. */
static void read_twice(const struct fixture *f, int ready, int go) {
    struct kv_options options = {.must_exist = true, .read_only = true};
    struct record_name name = {MNEME_PATTERN, numbered_id(1)};
    struct record_set bases = {0};
    struct shared_mark before, after;
    struct store *store = NULL;
    char byte;
    bool good = kv_store_open(f->path, &options, &store, NULL) == 0 &&
                shared_marks(store, &name, 1, &before, &bases, NULL) == 0 &&
                write(ready, "", 1) == 1 && read(go, &byte, 1) == 1 &&
                shared_marks(store, &name, 1, &after, &bases, NULL) == 0;
    _exit(good && before.mark == MARK_NONE && after.mark == MARK_CLEAN ? 0 : 1);
}

static void upgrade__is_noticed_by_readers_of_other_processes(void **state) {
    const struct fixture *f = *state;
    int ready[2], go[2], ended = 0;
    char byte;
    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(go), 0);
    pid_t child = fork();
    if (child == 0)
        read_twice(f, ready[1], go[0]);
    assert_true(child > 0);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    struct store *writer = open_store(f, false);
    must_apply_one(writer, state_of("state", 1));
    must_apply_one(writer, mark_of(MARK_CLEAN, MNEME_PATTERN, 1, 9));
    assert_int_equal(write(go[1], "", 1), 1);
    assert_int_equal(waitpid(child, &ended, 0), child);
    assert_true(WIFEXITED(ended) && WEXITSTATUS(ended) == 0);
    store_close(writer);
    for (int i = 0; i < 2; i++) {
        close(ready[i]);
        close(go[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(upgrade__is_not_done_by_a_reader, setup, teardown),
        cmocka_unit_test_setup_teardown(upgrade__is_done_by_the_first_writer, setup, teardown),
        cmocka_unit_test_setup_teardown(upgrade__serves_readers_of_the_same_process, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(upgrade__is_noticed_by_readers_of_other_processes, setup,
                                        teardown),
    };
    return cmocka_run_group_tests_name("upgrade", tests, NULL, NULL);
}
