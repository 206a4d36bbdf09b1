/*
 * body_test.c - records to compact bodies and back: nothing is lost, nothing crashes, and the
 * bytes stay what they are.
 */
#include <math.h>

#include "codec/codec.h"
#include "model_fixture.h"

enum { RANDOM_ROUNDS = 400 };

/* What decoding must give: an open episode has no steps in its body. */
static mneme_record without_open_steps(const mneme_record *record, mneme_episode *copy) {
    mneme_record expected = *record;
    if (record->kind == MNEME_EPISODE && !(record->flags & MNEME_FLAG_SEALED)) {
        *copy = *record->as.episode;
        copy->steps = (mneme_step_list){NULL, 0};
        expected.as.episode = copy;
    }
    return expected;
}

static void round_trip(mneme_kind kind, uint64_t seed) {
    AUTO_ARENA struct arena arena = {0};
    AUTO_BUF struct buf body = BUF_INIT(FIXTURE_BUF_MAX), again = BUF_INIT(FIXTURE_BUF_MAX);
    struct rng rng = {seed};
    mneme_record record, decoded;
    mneme_error error;
    mneme_episode copy;
    struct stored_record stored, stored_again;
    random_record(&rng, &arena, kind, &record);
    if (model_validate(&record, &error) != 0)
        fail_msg("seed %llu: %s", (unsigned long long)seed, error.message);
    assert_int_equal(model_encode(&record, &arena, &body, &stored, &error), 0);
    assert_int_equal(stored.plain_size, body.size);
    assert_int_equal(stored.flags, record.flags);
    assert_int_equal(decode_stored(&stored, &body, record.version, &arena, &decoded, &error), 0);
    mneme_record expected = without_open_steps(&record, &copy);
    if (!records_equal(&decoded, &expected))
        fail_msg("a %s of seed %llu came back different", kind_name(kind),
                 (unsigned long long)seed);
    assert_int_equal(model_encode(&decoded, &arena, &again, &stored_again, &error), 0);
    assert_true(slice_equal(buf_slice(&body), buf_slice(&again)));
}

static void body_round_trip__keeps_everything_of_random_records(void **state) {
    (void)state;
    for (int kind = MNEME_EPISODE; kind < MNEME_KIND_COUNT; kind++)
        for (uint64_t seed = 0; seed < RANDOM_ROUNDS && kind != MNEME_DICTIONARY; seed++)
            round_trip((mneme_kind)kind, seed);
}

/* An old reader: fields with numbers it does not know stand before, between and behind. */
static void body_decode__skips_unknown_fields(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 50; seed++) {
        AUTO_ARENA struct arena arena = {0};
        AUTO_BUF struct buf body = BUF_INIT(FIXTURE_BUF_MAX), newer = BUF_INIT(FIXTURE_BUF_MAX);
        struct rng rng = {seed};
        mneme_record record, decoded, plain;
        struct stored_record stored;
        random_record(&rng, &arena, (mneme_kind)(MNEME_EPISODE + seed % 7), &record);
        assert_int_equal(model_encode(&record, &arena, &body, &stored, NULL), 0);
        wire_put_uint(&newer, 900, 7);
        wire_put_bytes(&newer, 60, slice_of_string("from the future"));
        buf_append_slice(&newer, buf_slice(&body));
        wire_put_double(&newer, 65535, 2.5);
        assert_int_equal(decode_stored(&stored, &body, record.version, &arena, &plain, NULL), 0);
        assert_int_equal(decode_stored(&stored, &newer, record.version, &arena, &decoded, NULL), 0);
        assert_true(records_equal(&plain, &decoded));
    }
}

/* Whatever the order of the fields, lists keep the order of their items. */
static void body_decode__takes_list_items_that_lie_apart(void **state) {
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    AUTO_BUF struct buf body = BUF_INIT(4096);
    mneme_record decoded;
    const struct stored_record stored = {.kind = MNEME_HEURISTIC, .id = id_of(1), .time_us = 1};
    wire_put_bytes(&body, 7, slice_of_string("first"));
    wire_put_bytes(&body, 3, slice_of_string("act"));
    wire_put_bytes(&body, 7, slice_of_string("second"));
    wire_put_bytes(&body, 2, slice_of_string("when"));
    assert_int_equal(model_decode(&stored, buf_slice(&body), &arena, &decoded, NULL), 0);
    const mneme_heuristic *h = decoded.as.heuristic;
    assert_int_equal(h->tags.count, 2);
    assert_text(h->tags.items[0], "first");
    assert_text(h->tags.items[1], "second");
    assert_text(h->condition, "when");
    assert_text(h->action, "act");
}

/* The body in a block of exactly its size, so that the sanitizer sees a read behind it. */
static int decode_exact(const struct stored_record *stored, struct slice bytes, mneme_record *out,
                        struct arena *arena) {
    mneme_error error;
    AUTO_FREE uint8_t *copy = mem_alloc(bytes.size);
    assert_non_null(copy);
    if (bytes.size)
        memcpy(copy, bytes.data, bytes.size);
    int status = model_decode(stored, slice_of(copy, bytes.size), arena, out, &error);
    if (status)
        assert_int_equal(error.code, status);
    return status;
}

static void body_decode__survives_truncation_at_every_byte(void **state) {
    (void)state;
    for (int kind = MNEME_EPISODE; kind < MNEME_KIND_COUNT; kind++) {
        for (uint64_t seed = 0; seed < 8 && kind != MNEME_DICTIONARY; seed++) {
            AUTO_ARENA struct arena arena = {0};
            AUTO_BUF struct buf body = BUF_INIT(FIXTURE_BUF_MAX);
            struct rng rng = {seed};
            mneme_record record, decoded;
            struct stored_record stored;
            random_record(&rng, &arena, (mneme_kind)kind, &record);
            assert_int_equal(model_encode(&record, &arena, &body, &stored, NULL), 0);
            for (size_t size = 0; size < size_min(body.size, 3000); size++) {
                AUTO_ARENA struct arena scratch = {0};
                int status = decode_exact(&stored, slice_of(body.data, size), &decoded, &scratch);
                assert_true(status == 0 || status == MNEME_CORRUPT);
            }
        }
    }
}

static void body_decode__survives_flipped_bytes(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++) {
        AUTO_ARENA struct arena arena = {0};
        AUTO_BUF struct buf body = BUF_INIT(FIXTURE_BUF_MAX);
        struct rng rng = {seed};
        mneme_record record, decoded;
        struct stored_record stored;
        random_record(&rng, &arena, (mneme_kind)(MNEME_EPISODE + seed % 7), &record);
        assert_int_equal(model_encode(&record, &arena, &body, &stored, NULL), 0);
        for (int i = 0; body.size && i < 50; i++) {
            AUTO_ARENA struct arena scratch = {0};
            body.data[rng_below(&rng, body.size)] ^= (uint8_t)(1 + rng_below(&rng, 255));
            int status = decode_exact(&stored, buf_slice(&body), &decoded, &scratch);
            assert_true(status == 0 || status == MNEME_CORRUPT);
        }
    }
}

/* One field of a heuristic that no reader may accept. */
static void assert_corrupt(mneme_kind kind, const struct buf *body) {
    AUTO_ARENA struct arena arena = {0};
    const struct stored_record stored = {.kind = kind, .id = id_of(9), .time_us = 1};
    mneme_record decoded = {.kind = MNEME_KIND_NONE};
    mneme_error error;
    assert_int_equal(model_decode(&stored, buf_slice(body), &arena, &decoded, &error),
                     MNEME_CORRUPT);
    assert_int_equal(decoded.kind, MNEME_KIND_NONE);
    assert_non_null(strstr(error.message, "01890a5d-ac96-774b-bcce-000000000009"));
}

static void body_decode__refuses_values_that_no_record_has(void **state) {
    (void)state;
    AUTO_BUF struct buf body = BUF_INIT(4096);
    wire_put_bytes(&body, 6, slice_of_string("evidence of 22 bytes..")); /* not whole ids */
    assert_corrupt(MNEME_HEURISTIC, &body);
    buf_reset(&body);
    wire_put_double(&body, 4, (double)INFINITY); /* confidence */
    assert_corrupt(MNEME_HEURISTIC, &body);
    buf_reset(&body);
    wire_put_uint(&body, 2, 5); /* a number where a text belongs */
    assert_corrupt(MNEME_HEURISTIC, &body);
    buf_reset(&body);
    wire_put_uint(&body, 4, MNEME_KIND_COUNT); /* from_kind */
    assert_corrupt(MNEME_RELATION, &body);
    buf_reset(&body);
    wire_put_bytes(&body, 3, slice_of_string("15 bytes, no id")); /* from */
    assert_corrupt(MNEME_RELATION, &body);
}

static void body_decode__refuses_kinds_it_does_not_have(void **state) {
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    const struct stored_record stored = {.kind = MNEME_DICTIONARY};
    mneme_record decoded;
    mneme_error error;
    int status = model_decode(&stored, (struct slice){NULL, 0}, &arena, &decoded, &error);
    assert_refused(status, MNEME_CORRUPT, &error, "a record of kind 8, which the model has not");
}

static void body_decode__gives_a_tombstone_without_content(void **state) {
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    const struct stored_record stored = {.kind = MNEME_PATTERN,
                                         .flags = MNEME_FLAG_DELETED,
                                         .id = id_of(3),
                                         .version = {5, 6},
                                         .time_us = 77};
    mneme_record decoded;
    assert_int_equal(model_decode(&stored, (struct slice){NULL, 0}, &arena, &decoded, NULL), 0);
    assert_null(decoded.as.pattern);
    assert_int_equal(decoded.flags, MNEME_FLAG_DELETED);
    assert_int_equal(decoded.version.clock, 5);
    assert_int_equal(decoded.time_us, 77);
}

/* The k-th allocation fails, k = 1, 2, …: an error, untouched outputs, no leak. */
static void body_encode_and_decode__report_every_failed_allocation(void **state) {
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    struct rng rng = {4};
    mneme_record record;
    do
        random_record(&rng, &arena, MNEME_EPISODE, &record);
    while (!(record.flags & MNEME_FLAG_SEALED) || record.as.episode->steps.count < 3);
    bool done = false;
    for (uint64_t k = 1; !done; k++) {
        AUTO_ARENA struct arena scratch = {.first_size = 64};
        AUTO_BUF struct buf body = BUF_INIT(FIXTURE_BUF_MAX);
        struct stored_record stored = {.kind = MNEME_KIND_NONE};
        mneme_record decoded = {.kind = MNEME_KIND_NONE};
        mneme_error error;
        mem_fail_after(k);
        int status = model_validate(&record, &error);
        if (status == 0)
            status = model_encode(&record, &scratch, &body, &stored, &error);
        if (status == 0)
            status = decode_stored(&stored, &body, record.version, &scratch, &decoded, &error);
        mem_fail_after(0);
        done = status == 0;
        if (!done) {
            assert_refused(status, MNEME_NO_MEMORY, &error, "out of memory");
            assert_int_equal(decoded.kind, MNEME_KIND_NONE);
            assert_true(body.size == 0 || stored.kind == MNEME_EPISODE);
        }
    }
}

static void body_encode__reports_a_body_over_the_maximum(void **state) {
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    AUTO_BUF struct buf body = BUF_INIT(32);
    const mneme_heuristic h = {.id = id_of(1),
                               .condition = text_of("a condition of more than 32 bytes in all"),
                               .created_us = 1};
    const mneme_record record = RECORD(MNEME_HEURISTIC, heuristic, &h);
    struct stored_record stored;
    mneme_error error;
    buf_append_string(&body, "before");
    int status = model_encode(&record, &arena, &body, &stored, &error);
    assert_refused(status, MNEME_TOO_LARGE, &error, "heuristic: larger than 64 MiB when encoded");
    assert_int_equal(body.size, 6);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(body_round_trip__keeps_everything_of_random_records),
        cmocka_unit_test(body_decode__skips_unknown_fields),
        cmocka_unit_test(body_decode__takes_list_items_that_lie_apart),
        cmocka_unit_test(body_decode__survives_truncation_at_every_byte),
        cmocka_unit_test(body_decode__survives_flipped_bytes),
        cmocka_unit_test(body_decode__refuses_values_that_no_record_has),
        cmocka_unit_test(body_decode__refuses_kinds_it_does_not_have),
        cmocka_unit_test(body_decode__gives_a_tombstone_without_content),
        cmocka_unit_test(body_encode_and_decode__report_every_failed_allocation),
        cmocka_unit_test(body_encode__reports_a_body_over_the_maximum),
    };
    return cmocka_run_group_tests_name("model/body", tests, NULL, NULL);
}
