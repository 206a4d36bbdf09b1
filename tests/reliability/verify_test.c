/*
 * verify_test.c - mneme_verify on files with any kind of damage: it never takes the caller down,
 * and what it calls sound can be read whole.
 *
 * MNEME_MUTANTS is how many damaged files are made; without it, enough for the ordinary run.
 * MNEME_SEED repeats the damage of a run that printed it.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "support/api_fixture.h"
#include "support/random_record.h"
#include "support/store_file.h"

enum { PAGE = 4096, MUTANTS = 400 };

static void make_store(const char *path) {
    static const mneme_kind kinds[] = {MNEME_EPISODE, MNEME_PATTERN, MNEME_HEURISTIC,
                                       MNEME_EMBEDDING, MNEME_RELATION};
    struct rng rng = {11};
    mneme_error error;
    mneme *m = store_open_quiet(path);
    for (unsigned n = 0; n < 60; n++) {
        AUTO_ARENA struct arena arena = {0};
        mneme_record record;
        random_record(&rng, &arena, kinds[n % COUNT_OF(kinds)], &record);
        OK(mneme_put(m, &record, 1, NULL, NULL, &error), &error);
        if (n % 7 == 0)
            OK(mneme_delete(m, record.kind, &record.id, 1, NULL, &error), &error);
    }
    mneme_id episode = start_episode(m, "count to ten");
    for (unsigned n = 0; n < 10; n++)
        append_step(m, &episode, "one more");
    store_close_ok(m);
}

/* ---- Damage --------------------------------------------------------------------------------- */

static void damage(struct rng *rng, struct file_bytes *file, char *what) {
    size_t pages = file->size / PAGE;
    size_t page = rng_below(rng, pages), other = rng_below(rng, pages);
    uint8_t *at = file->data + page * PAGE, swap[PAGE];
    uint64_t kind = rng_below(rng, 6);
    snprintf(what, 100, "damage %u, page %zu, other %zu", (unsigned)kind, page, other);
    if (kind == 0) {
        for (uint64_t n = 1 + rng_below(rng, 8); n; n--)
            file->data[rng_below(rng, file->size)] ^= (uint8_t)(1u << rng_below(rng, 8));
    } else if (kind == 1) {
        memset(at, 0, PAGE);
    } else if (kind == 2) {
        for (size_t i = 0; i < PAGE; i++)
            at[i] = (uint8_t)rng_next(rng);
    } else if (kind == 3) {
        memcpy(swap, at, PAGE);
        memcpy(at, file->data + other * PAGE, PAGE);
        memcpy(file->data + other * PAGE, swap, PAGE);
    } else if (kind == 4) { /* a page that was not written: a copy of another in its place */
        memcpy(at, file->data + other * PAGE, PAGE);
    } else { /* in a page's header or its list of nodes, where it hurts most */
        at[rng_below(rng, 64)] = (uint8_t)rng_next(rng);
    }
}

/* Whether a page has been touched that says which state of the file is the last one (LMDB's two
 * first pages, and that of its main table): then an older, sound state may be what is read, and
 * nothing in the file tells. */
static bool roots_differ(const struct file_bytes *a, const struct file_bytes *b, size_t main_page) {
    return memcmp(a->data, b->data, (size_t)2 * PAGE) != 0 ||
           memcmp(a->data + main_page * PAGE, b->data + main_page * PAGE, PAGE) != 0;
}

struct reading {
    const char *path;
    mneme_bytes expected;
};

static int read_all(void *context) {
    struct reading *reading = context;
    mneme_options options = quiet_options();
    mneme_error error = {0};
    mneme *m = NULL;
    mneme_bytes text;
    int status = mneme_open(reading->path, &options, &m, &error);
    CHILD_CHECK(status == 0, "%s", error.message);
    status = store_text(m, &text, &error);
    CHILD_CHECK(status == 0, "%s", error.message);
    bool same = text.size == reading->expected.size &&
                memcmp(text.data, reading->expected.data, text.size) == 0;
    CHILD_CHECK(same, "verify called a file sound that has lost something");
    mneme_bytes_free(&text);
    return mneme_close(m, &error) == 0 ? 0 : 1;
}

static void damaged_anywhere__verify_says_so_and_lives(void **state) {
    struct home *home = *state;
    const char *option = getenv("MNEME_MUTANTS");
    unsigned long mutants = option ? strtoul(option, NULL, 10) : MUTANTS, sound = 0, refused = 0;
    const char *seed = getenv("MNEME_SEED");
    struct rng rng = {seed ? strtoull(seed, NULL, 10) : (uint64_t)time(NULL)};
    print_message("seed %llu\n", (unsigned long long)rng.state);
    const char *original = home_file(home, "sound.mdb");
    make_store(original);
    mneme *m = store_open_quiet(original);
    struct reading reading = {home->path, store_text_ok(m)};
    store_close_ok(m);
    struct file_bytes good = file_read(original);
    size_t main_page = file_main_value(original, "mneme").offset / PAGE;
    for (unsigned long n = 0; n < mutants; n++) {
        char what[100];
        mneme_error error = {0};
        struct file_bytes bad = file_read(original);
        damage(&rng, &bad, what);
        file_write(home->path, bad.data, bad.size);
        int status = mneme_verify(home->path, NULL, NULL, NULL, &error);
        if (status && (status != MNEME_CORRUPT && status != MNEME_NEWER_FORMAT))
            fail_msg("%s: %s: %s", what, mneme_status_name(status), error.message);
        struct file_bytes after = file_read(home->path);
        assert_int_equal(after.size, bad.size);
        assert_memory_equal(after.data, bad.data, bad.size);
        file_bytes_free(&after);
        refused += status != 0;
        sound += status == 0;
        if (status == 0 && !roots_differ(&good, &bad, main_page) &&
            child_run(read_all, &reading) != 0)
            fail_msg("mutant %lu: %s", n, what);
        file_bytes_free(&bad);
    }
    print_message("%lu damaged files: %lu refused, %lu sound (free or unused bytes)\n", mutants,
                  refused, sound);
    assert_true(refused > 0);
    file_bytes_free(&good);
    mneme_bytes_free(&reading.expected);
}

/*
 * A page of LMDB has a u16 of flags at 10 (2: a leaf), and one at 12 that says where its list of
 * nodes ends; the list begins at 16. An end below that makes LMDB take the list for one without
 * end, which goes round after 65,536 nodes. Here each of these is the same node, with a key of 17
 * bytes and no value. A walk that comes there must not stay for ever.
 */
static void page_without_end__verify_ends(void **state) {
    enum { NODE_AT = 2048, LIST_PAGES = 33, KEY = 17 };
    struct home *home = *state;
    const char *original = home_file(home, "sound.mdb");
    make_store(original);
    struct file_bytes good = file_read(original);
    unsigned refused = 0;
    for (size_t page = 2; page + LIST_PAGES < good.size / PAGE; page++) {
        struct file_bytes bad = file_read(original);
        uint8_t *at = bad.data + page * PAGE;
        for (size_t i = 16; i < (size_t)LIST_PAGES * PAGE; i += 2)
            memcpy(at + i, (uint8_t[]){NODE_AT & 255, NODE_AT >> 8}, 2);
        memcpy(at + 10, (uint8_t[]){2, 0, 12, 0}, 4);
        memcpy(at + NODE_AT, (uint8_t[8 + KEY]){[6] = KEY}, 8 + KEY);
        file_write(home->path, bad.data, bad.size);
        int status = mneme_verify(home->path, NULL, NULL, NULL, NULL);
        assert_true(status == 0 || status == MNEME_CORRUPT);
        refused += status != 0;
        file_bytes_free(&bad);
    }
    assert_true(refused > 0);
    file_bytes_free(&good);
}

/*
 * The table of free pages: who reads has no need of it, and who writes would be ended by it. The
 * meta page of the last transaction says where its root is (the layout is told in preflight.c).
 */
static uint8_t *free_table_root(const struct file_bytes *file) {
    enum { ROOT_AT = 16 + 24 + 40, TXN_AT = 16 + 24 + 2 * 48 + 8 };
    uint64_t txn[2], root;
    for (size_t i = 0; i < 2; i++)
        memcpy(&txn[i], file->data + i * PAGE + TXN_AT, sizeof txn[i]);
    memcpy(&root, file->data + (txn[1] > txn[0] ? PAGE : 0) + ROOT_AT, sizeof root);
    assert_in_range(root, 2, file->size / PAGE - 1);
    return file->data + root * PAGE;
}

static void assert_damage_found(const char *path, const struct file_bytes *bad) {
    mneme_error error = {0};
    file_write(path, bad->data, bad->size);
    REFUSED(mneme_verify(path, NULL, NULL, NULL, &error), MNEME_CORRUPT, &error);
}

static void damaged_table_of_free_pages__is_found(void **state) {
    struct home *home = *state;
    const char *original = home_file(home, "sound.mdb");
    struct rng rng = {23};
    make_store(original);
    struct file_bytes bad = file_read(original);
    uint8_t *page = free_table_root(&bad);
    memset(page + PAGE - 8, 0xff, 6); /* a leaf ends with a list, and this with its last number */
    assert_damage_found(home->path, &bad);
    for (unsigned n = 0; n < 100; n++) {
        for (size_t i = 0; i < PAGE; i++)
            page[i] = (uint8_t)rng_next(&rng);
        assert_damage_found(home->path, &bad);
    }
    file_bytes_free(&bad);
}

/* ---- What verify tells ---------------------------------------------------------------------- */

static void sound_store__is_counted(void **state) {
    struct home *home = *state;
    mneme_verify_report report;
    mneme_error error;
    mneme *m = store_open_quiet(home->path);
    for (unsigned n = 0; n < 5; n++)
        put_pattern(m, "a", "b");
    OK(mneme_verify(home->path, NULL, NULL, &report, &error), &error); /* while it is open */
    store_close_ok(m);
    assert_int_equal(report.records, 5);
    assert_int_equal(report.findings, 0);
    assert_true(report.bytes > 0);
    OK(mneme_verify(home->path, NULL, NULL, NULL, NULL), NULL);
}

static void no_store__is_told_from_a_damaged_one(void **state) {
    struct home *home = *state;
    mneme_error error;
    REFUSED(mneme_verify(home->path, NULL, NULL, NULL, &error), MNEME_NOT_FOUND, &error);
    assert_false(file_exists(home->path));
    REFUSED(mneme_verify(home->directory, NULL, NULL, NULL, &error), MNEME_INVALID, &error);
    REFUSED(mneme_verify("", NULL, NULL, NULL, &error), MNEME_INVALID, &error);
    REFUSED(mneme_verify(NULL, NULL, NULL, NULL, &error), MNEME_INVALID, &error);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(damaged_anywhere__verify_says_so_and_lives, home_setup,
                                        home_teardown),
        cmocka_unit_test_setup_teardown(page_without_end__verify_ends, home_setup, home_teardown),
        cmocka_unit_test_setup_teardown(damaged_table_of_free_pages__is_found, home_setup,
                                        home_teardown),
        cmocka_unit_test_setup_teardown(sound_store__is_counted, home_setup, home_teardown),
        cmocka_unit_test_setup_teardown(no_store__is_told_from_a_damaged_one, home_setup,
                                        home_teardown),
    };
    return cmocka_run_group_tests_name("reliability/verify", tests, NULL, NULL);
}
