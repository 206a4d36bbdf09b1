/*
 * corrupt_test.c - a file that is truncated, empty, foreign, newer, or has flipped bytes gets a
 * clear message and the right code, is left as it is, and never ends the process.
 *
 * Damaged files are opened in a child, so that a signal would show as what it is.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "support/api_fixture.h"
#include "support/random_record.h"
#include "support/store_file.h"

enum { PAGE = 4096, REFUSED_AT_OPEN = 5, REFUSED_LATER = 6, READ_WHOLE = 0 };

/* ---- A store to damage ---------------------------------------------------------------------- */

struct sound {
    struct home home; /* home.path is the damaged file */
    char path[320];   /* the sound one */
    struct file_bytes bytes;
    mneme_bytes text;
};

static void put_random(mneme *m, struct rng *rng, mneme_kind kind) {
    AUTO_ARENA struct arena arena = {0};
    mneme_record record;
    mneme_error error;
    random_record(rng, &arena, kind, &record);
    OK(mneme_put(m, &record, 1, NULL, NULL, &error), &error);
}

/* Records of all kinds, small ones and one of many chunks, and pages that are free. */
static void sound_make(struct sound *s) {
    static const mneme_kind kinds[] = {MNEME_EPISODE, MNEME_PATTERN, MNEME_HEURISTIC,
                                       MNEME_EMBEDDING, MNEME_RELATION};
    struct rng rng = {7};
    home_make(&s->home);
    snprintf(s->path, sizeof s->path, "%s", home_file(&s->home, "sound.mdb"));
    mneme_options options = quiet_options();
    mneme *m = NULL;
    mneme_error error;
    options.compression = MNEME_COMPRESS_NONE;
    OK(mneme_open(s->path, &options, &m, &error), &error);
    for (unsigned n = 0; n < 40; n++)
        put_random(m, &rng, kinds[n % COUNT_OF(kinds)]);
    mneme_id episode = start_episode(m, "take the file apart");
    for (unsigned n = 0; n < 10; n++)
        append_step(m, &episode, "a page");
    char *large = calloc(1, 30001);
    assert_non_null(large);
    for (size_t i = 0; i < 30000; i++)
        large[i] = (char)('a' + rng_below(&rng, 26));
    mneme_id gone = put_pattern(m, "gone", large);
    put_pattern(m, "large", large);
    OK(mneme_delete(m, MNEME_PATTERN, &gone, 1, NULL, &error), &error);
    free(large);
    s->text = store_text_ok(m);
    store_close_ok(m);
    s->bytes = file_read(s->path);
    assert_int_equal(s->bytes.size % PAGE, 0);
}

static int sound_setup(void **state) {
    struct sound *s = calloc(1, sizeof *s);
    sound_make(s);
    *state = s;
    return 0;
}

static int sound_teardown(void **state) {
    struct sound *s = *state;
    file_bytes_free(&s->bytes);
    mneme_bytes_free(&s->text);
    home_remove(&s->home);
    free(s);
    return 0;
}

/* The damaged file, a copy of the sound one but for what the caller changes. */
static uint8_t *damage_begin(const struct sound *s) {
    uint8_t *copy = malloc(s->bytes.size);
    assert_non_null(copy);
    memcpy(copy, s->bytes.data, s->bytes.size);
    return copy;
}
static void damage_end(const struct sound *s, uint8_t *copy, size_t size) {
    unlink(s->home.path);
    file_write(s->home.path, copy, size);
    free(copy);
}

/* ---- What becomes of a damaged file --------------------------------------------------------- */

static void check_refusal(int status, const mneme_error *error) {
    CHILD_CHECK(status == MNEME_CORRUPT, "%s: %s", mneme_status_name(status), error->message);
    CHILD_CHECK(error->code == status && strlen(error->message) > 20, "%s", error->message);
}

/* Open, read everything, write. */
static int use_store(void *context) {
    struct sound *s = context;
    mneme_options options = quiet_options();
    mneme_error error = {0};
    mneme *m = NULL;
    mneme_bytes text;
    int status = mneme_open(s->home.path, &options, &m, &error);
    if (status) {
        check_refusal(status, &error);
        return REFUSED_AT_OPEN;
    }
    status = store_text(m, &text, &error);
    if (status) {
        check_refusal(status, &error);
        mneme_close(m, NULL);
        return REFUSED_LATER;
    }
    bool same = text.size == s->text.size && memcmp(text.data, s->text.data, text.size) == 0;
    CHILD_CHECK(same, "the store reads, but not what was written");
    mneme_bytes_free(&text);
    mneme_pattern pattern = pattern_of("more", "written to a damaged file");
    mneme_record record = {.kind = MNEME_PATTERN, .as.pattern = &pattern};
    status = mneme_put(m, &record, 1, NULL, NULL, &error);
    CHILD_CHECK(status == 0, "%s", error.message);
    status = mneme_close(m, &error);
    CHILD_CHECK(status == 0, "%s", error.message);
    return READ_WHOLE;
}

static void assert_untouched(const struct sound *s, const struct file_bytes *before) {
    struct file_bytes now = file_read(s->home.path);
    assert_int_equal(now.size, before->size);
    assert_memory_equal(now.data, before->data, now.size);
    file_bytes_free(&now);
}

/* The file must be refused when it is opened, by every way in, and stay as it is. */
static void assert_refused(const struct sound *s, int code, const char *says) {
    struct file_bytes before = file_read(s->home.path);
    mneme_options read_only = {.size = sizeof read_only, .read_only = true};
    mneme *m = NULL;
    mneme_error error;
    REFUSED(mneme_open(s->home.path, NULL, &m, &error), code, &error);
    assert_says(&error, s->home.path);
    assert_says(&error, says);
    REFUSED(mneme_open(s->home.path, &read_only, &m, &error), code, &error);
    assert_null(m);
    assert_int_equal(mneme_status_exit_code(code), 5);
    REFUSED(mneme_verify(s->home.path, NULL, NULL, NULL, &error), code, &error);
    assert_untouched(s, &before);
    file_bytes_free(&before);
}

static void assert_cli_refuses(const struct sound *s, const char *says) {
    char said[1024];
    struct file_bytes before = file_read(s->home.path);
    assert_int_equal(cli_run(s->home.path, said, "stats", NULL), 5);
    assert_non_null(strstr(said, says));
    assert_int_equal(cli_run(s->home.path, said, "verify", NULL), 5);
    assert_int_equal(cli_run(s->home.path, said, "episode", "start", "--task", "x", NULL), 5);
    assert_non_null(strstr(said, says));
    assert_untouched(s, &before);
    file_bytes_free(&before);
}

/* ---- Truncated ------------------------------------------------------------------------------ */

static void truncate_to(const struct sound *s, size_t size, bool must_refuse) {
    struct sound damaged = *s;
    damage_end(s, damage_begin(s), size);
    struct file_bytes before = file_read(s->home.path);
    int code = child_run(use_store, &damaged);
    if (code != REFUSED_AT_OPEN && (must_refuse || code != READ_WHOLE))
        fail_msg("truncated to %zu of %zu bytes: %d", size, s->bytes.size, code);
    if (code == REFUSED_AT_OPEN)
        assert_untouched(s, &before);
    file_bytes_free(&before);
}

static void truncated_at_every_page__is_refused_or_whole(void **state) {
    struct sound *s = *state;
    for (size_t size = 0; size < s->bytes.size; size += PAGE)
        truncate_to(s, size, size < 2 * PAGE);
    truncate_to(s, s->bytes.size, false);
}

static void truncated_at_odd_sizes__is_refused_or_whole(void **state) {
    static const size_t parts[] = {1, 16, 100, 1000, 2048, 4000, 4080, 4095};
    struct sound *s = *state;
    for (size_t i = 0; i < COUNT_OF(parts); i++)
        truncate_to(s, parts[i], true);
    for (size_t page = PAGE, i = 0; page < s->bytes.size; page += PAGE, i++)
        truncate_to(s, page + parts[i % COUNT_OF(parts)], page == PAGE);
}

static void truncated__says_so_everywhere(void **state) {
    struct sound *s = *state;
    damage_end(s, damage_begin(s), s->bytes.size / 2);
    assert_refused(s, MNEME_CORRUPT, "truncated");
    assert_cli_refuses(s, "truncated");
}

static void empty_file__is_refused(void **state) {
    struct sound *s = *state;
    file_write(s->home.path, "", 0);
    assert_refused(s, MNEME_CORRUPT, "empty");
    assert_cli_refuses(s, "empty");
}

/* ---- Foreign -------------------------------------------------------------------------------- */

static void foreign_file__is_refused(void **state) {
    struct sound *s = *state;
    uint8_t random[20000];
    struct rng rng = {1};
    for (size_t i = 0; i < sizeof random; i++)
        random[i] = (uint8_t)rng_next(&rng);
    file_write(s->home.path, "hello, world\n", 13);
    assert_refused(s, MNEME_CORRUPT, "not a mneme store");
    assert_cli_refuses(s, "not a mneme store");
    file_write(s->home.path, random, sizeof random);
    assert_refused(s, MNEME_CORRUPT, "not a mneme store");
    memset(random, 0, sizeof random);
    file_write(s->home.path, random, sizeof random);
    assert_refused(s, MNEME_CORRUPT, "not a mneme store");
    memcpy(random, "SQLite format 3", 16);
    file_write(s->home.path, random, sizeof random);
    assert_refused(s, MNEME_CORRUPT, "an SQLite file and not a mneme file");
}

static void foreign_lmdb_file__is_refused(void **state) {
    static const char *const tables[] = {"users", "sessions", NULL};
    static const char *const ours[] = {"records", "index", "changes", NULL};
    struct sound *s = *state;
    unlink(s->home.path);
    file_foreign_lmdb(s->home.path, NULL, true);
    assert_refused(s, MNEME_CORRUPT, "another program");
    unlink(s->home.path);
    file_foreign_lmdb(s->home.path, tables, false);
    assert_refused(s, MNEME_CORRUPT, "another program");
    unlink(s->home.path);
    file_foreign_lmdb(s->home.path, ours, true);
    assert_refused(s, MNEME_CORRUPT, "not a mneme store");
    unlink(s->home.path);
    file_foreign_lmdb(s->home.path, NULL, false);
    assert_refused(s, MNEME_CORRUPT, "another program");
    assert_cli_refuses(s, "another program");
}

/* ---- Newer ---------------------------------------------------------------------------------- */

static void newer_format__is_refused(void **state) {
    struct sound *s = *state;
    uint8_t identity[64];
    file_copy(s->path, s->home.path);
    struct file_value value = file_main_value(s->home.path, "mneme");
    assert_in_range(value.size, 24, sizeof identity);
    memcpy(identity, s->bytes.data + value.offset, value.size);
    assert_memory_equal(identity, "mneme store", 12);
    identity[15]++;
    file_main_put(s->home.path, "mneme", identity, value.size);
    assert_refused(s, MNEME_NEWER_FORMAT, "newer mneme");
    assert_cli_refuses(s, "newer mneme");
}

static void newer_lmdb__is_refused(void **state) {
    struct sound *s = *state;
    uint8_t *copy = damage_begin(s);
    copy[20] = copy[PAGE + 20] = 3; /* after the page header of 16 bytes and the magic */
    damage_end(s, copy, s->bytes.size);
    assert_refused(s, MNEME_NEWER_FORMAT, "newer mneme");
}

/* ---- Flipped bytes -------------------------------------------------------------------------- */

struct flip {
    struct sound *sound;
    struct file_value value;
    bool live; /* not a tombstone, which no listing reads */
};

/* Reading the record whose bytes were flipped, or listing its kind, says what is wrong. */
static int read_flipped(void *context) {
    struct flip *flip = context;
    mneme_options options = quiet_options();
    mneme_error error = {0};
    mneme *m = NULL;
    const mneme_record *record;
    const mneme_page *page;
    char id[MNEME_ID_TEXT_SIZE];
    mneme_id_format(&flip->value.id, id);
    int status = mneme_open(flip->sound->home.path, &options, &m, &error);
    CHILD_CHECK(status == 0, "%s", error.message);
    status = mneme_acquire(m, flip->value.kind, &flip->value.id, &record, &error);
    check_refusal(status, &error);
    CHILD_CHECK(strstr(error.message, id), "%s does not name %s", error.message, id);
    mneme_query query = {.kind = flip->value.kind, .limit = 10000};
    status = mneme_list(m, &query, &page, &error);
    if (flip->live)
        check_refusal(status, &error);
    else
        mneme_page_release(m, page);
    mneme_query other = {.kind =
                             flip->value.kind == MNEME_RELATION ? MNEME_HEURISTIC : MNEME_RELATION};
    status = mneme_list(m, &other, &page, &error);
    CHILD_CHECK(status == 0 && page->count > 0, "other kinds are readable");
    mneme_page_release(m, page);
    CHILD_CHECK(mneme_close(m, NULL) == 0, "close");
    return 0;
}

struct findings {
    unsigned count;
    const char *wanted; /* text that one of them must have */
    bool found;
};

static void take_finding(void *context, const char *text) {
    struct findings *findings = context;
    findings->count++;
    findings->found = findings->found || strstr(text, findings->wanted);
}

static void assert_verify_names(const char *path, const mneme_id *id) {
    char text[MNEME_ID_TEXT_SIZE];
    struct findings findings = {.wanted = text};
    mneme_verify_report report;
    mneme_error error;
    mneme_id_format(id, text);
    REFUSED(mneme_verify(path, take_finding, &findings, &report, &error), MNEME_CORRUPT, &error);
    assert_true(findings.found);
    assert_int_equal(report.findings, findings.count);
}

static bool is_live(const struct sound *s, const struct file_value *value) {
    mneme *m = store_open_quiet(s->path);
    const mneme_record *record = NULL;
    bool live = mneme_acquire(m, value->kind, &value->id, &record, NULL) == 0;
    mneme_release(m, record);
    store_close_ok(m);
    return live;
}

static void record_bytes_flipped__are_found_by_every_read(void **state) {
    struct sound *s = *state;
    struct file_value values[2000];
    size_t count = file_values(s->path, "records", values, COUNT_OF(values));
    struct rng rng = {3};
    assert_in_range(count, 50, COUNT_OF(values) - 1);
    for (unsigned n = 0; n < 120; n++) {
        struct flip flip = {.sound = s, .value = values[rng_below(&rng, count)]};
        flip.live = is_live(s, &flip.value);
        size_t at = flip.value.offset + rng_below(&rng, flip.value.size);
        uint8_t *copy = damage_begin(s);
        copy[at] ^= (uint8_t)(1u << rng_below(&rng, 8));
        damage_end(s, copy, s->bytes.size);
        int code = child_run(read_flipped, &flip);
        if (code)
            fail_msg("byte %zu flipped: %d", at, code);
        if (n % 4 == 0)
            assert_verify_names(s->home.path, &flip.value.id);
        if (n == 0) {
            char said[1024], id[MNEME_ID_TEXT_SIZE];
            mneme_id_format(&flip.value.id, id);
            assert_int_equal(cli_run(s->home.path, said, "verify", NULL), 5);
            assert_int_equal(cli_run(s->home.path, said, "export", NULL), 5);
            assert_non_null(strstr(said, id));
        }
    }
}

static void identity_bytes_flipped__are_refused(void **state) {
    struct sound *s = *state;
    struct file_value value = file_main_value(s->path, "mneme");
    for (size_t i = 0; i < value.size; i++) {
        mneme *m = NULL;
        mneme_error error = {0};
        uint8_t *copy = damage_begin(s);
        copy[value.offset + i] ^= 0x10;
        damage_end(s, copy, s->bytes.size);
        int status = mneme_open(s->home.path, NULL, &m, &error);
        if (status != MNEME_CORRUPT && status != MNEME_NEWER_FORMAT)
            fail_msg("byte %zu of the identity flipped: %s", i, mneme_status_name(status));
    }
}

static void state_bytes_flipped__stop_writing_and_leave_reading(void **state) {
    struct sound *s = *state;
    struct file_value value = file_main_value(s->path, "mneme state");
    for (size_t i = 0; i < value.size; i += 7) {
        mneme_stats stats = {.size = sizeof stats};
        mneme_error error;
        uint8_t *copy = damage_begin(s);
        copy[value.offset + i] ^= 0x10;
        damage_end(s, copy, s->bytes.size);
        mneme *m = store_open_quiet(s->home.path);
        mneme_bytes text = store_text_ok(m);
        assert_same_text(&text, &s->text);
        mneme_bytes_free(&text);
        mneme_pattern pattern = pattern_of("a", "b");
        mneme_record record = {.kind = MNEME_PATTERN, .as.pattern = &pattern};
        REFUSED(mneme_put(m, &record, 1, NULL, NULL, &error), MNEME_CORRUPT, &error);
        REFUSED(mneme_stats_get(m, &stats, &error), MNEME_CORRUPT, &error);
        store_close_ok(m);
        REFUSED(mneme_verify(s->home.path, NULL, NULL, NULL, &error), MNEME_CORRUPT, &error);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(truncated_at_every_page__is_refused_or_whole),
        cmocka_unit_test(truncated_at_odd_sizes__is_refused_or_whole),
        cmocka_unit_test(truncated__says_so_everywhere),
        cmocka_unit_test(empty_file__is_refused),
        cmocka_unit_test(foreign_file__is_refused),
        cmocka_unit_test(foreign_lmdb_file__is_refused),
        cmocka_unit_test(newer_format__is_refused),
        cmocka_unit_test(newer_lmdb__is_refused),
        cmocka_unit_test(record_bytes_flipped__are_found_by_every_read),
        cmocka_unit_test(identity_bytes_flipped__are_refused),
        cmocka_unit_test(state_bytes_flipped__stop_writing_and_leave_reading),
    };
    return cmocka_run_group_tests_name("reliability/corrupt", tests, sound_setup, sound_teardown);
}
