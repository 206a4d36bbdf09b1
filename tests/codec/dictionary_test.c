/*
 * dictionary_test.c - compression dictionaries: their making, their training, and their worth on
 * records they were not trained on.
 */
#include "sample.h"

/* ---- SHA-256 ----------------------------------------------------------------------------- */

static void codec_sha256__gives_the_published_digests(void **state) {
    (void)state;
    uint8_t digest[PACK_SHA256_SIZE]; /* FIPS 180-4 examples */
    sha256(slice_of_string("abc"), digest);
    assert_memory_equal(digest,
                        "\xba\x78\x16\xbf\x8f\x01\xcf\xea\x41\x41\x40\xde\x5d\xae\x22\x23"
                        "\xb0\x03\x61\xa3\x96\x17\x7a\x9c\xb4\x10\xff\x61\xf2\x00\x15\xad",
                        sizeof digest);
    sha256((struct slice){0}, digest);
    assert_memory_equal(digest, "\xe3\xb0\xc4\x42\x98\xfc\x1c\x14", 8);
}

/* ---- Samples ----------------------------------------------------------------------------- */

struct samples {
    struct buf bytes;
    struct slice *list;
    size_t count;
};

static void samples_fini(struct samples *s) {
    buf_fini(&s->bytes);
    mem_free(s->list);
}
#define SAMPLES(name) CLEANUP(samples_fini) struct samples name

static void samples_init(struct samples *s, size_t count) {
    *s = (struct samples){.bytes = BUF_INIT(64 << 20), .count = count};
    s->list = mem_zalloc(count, sizeof *s->list);
    assert_non_null(s->list);
}

/* The bytes have stopped moving: make slices of the sizes kept so far. */
static void samples_settle(struct samples *s) {
    assert_int_equal(s->bytes.status, 0);
    size_t at = 0;
    for (size_t i = 0; i < s->count; i++) {
        s->list[i].data = s->bytes.data + at;
        at += s->list[i].size;
    }
}

static void samples_of_records(struct samples *s, uint64_t seed, size_t count) {
    struct random r = {seed};
    samples_init(s, count);
    for (size_t i = 0; i < count; i++) {
        size_t before = s->bytes.size;
        sample_append(&s->bytes, &r);
        s->list[i].size = s->bytes.size - before;
    }
    samples_settle(s);
}

static void samples_of_noise(struct samples *s, size_t count, size_t size) {
    struct random r = {0x4015e};
    samples_init(s, count);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < size; j++)
            buf_append_byte(&s->bytes, (uint8_t)random_next(&r));
        s->list[i].size = size;
    }
    samples_settle(s);
}

static struct dictionary *train(const struct samples *s, struct training *report) {
    struct dictionary *dictionary = NULL;
    assert_int_equal(dictionary_train(s->list, s->count, 3, &dictionary, report, NULL), 0);
    return dictionary;
}

/* What the samples take when packed. */
static size_t packed_size(const struct samples *s, struct dictionary *dictionary) {
    const struct pack_options options = {.algorithm = PACK_ZSTD_DICTIONARY, .min_bytes = 1};
    struct packer *packer = NULL;
    AUTO_BUF struct buf out = BUF_INIT(64 << 20);
    assert_int_equal(packer_create(&options, &packer, NULL), 0);
    for (size_t i = 0; i < s->count; i++)
        assert_int_equal(pack(packer, dictionary, s->list[i], &out, NULL), 0);
    packer_destroy(packer);
    return out.size;
}

/* ---- Making ------------------------------------------------------------------------------ */

static void codec_dictionary__keeps_its_bytes_and_digest(void **state) {
    (void)state;
    char bytes[] = "content that is referred to as it stands";
    struct dictionary *d = NULL;
    assert_int_equal(dictionary_create(slice_of(bytes, sizeof bytes), 3, &d, NULL), 0);
    uint8_t digest[PACK_SHA256_SIZE];
    sha256(slice_of(bytes, sizeof bytes), digest);
    bytes[0] = 'X'; /* it has its own copy */
    assert_memory_equal(dictionary_sha256(d), digest, sizeof digest);
    assert_int_equal(dictionary_bytes(d).size, sizeof bytes);
    assert_int_equal(dictionary_bytes(d).data[0], 'c');
    assert_ptr_equal(dictionary_hold(d), d);
    dictionary_drop(d);
    assert_int_equal(dictionary_bytes(d).data[0], 'c'); /* one holder is left */
    dictionary_drop(d);
    dictionary_drop(NULL);
}

static void codec_dictionary__damaged_bytes_are_refused(void **state) {
    (void)state;
    SAMPLES(s);
    samples_of_records(&s, 1, 400);
    struct dictionary *good = train(&s, NULL), *bad = NULL;
    assert_non_null(good);
    struct slice bytes = dictionary_bytes(good);
    mneme_error error = {0};
    assert_int_equal(dictionary_create(slice_of(bytes.data, 20), 3, &bad, &error), MNEME_CORRUPT);
    assert_non_null(strstr(error.message, "damaged compression dictionary"));
    assert_int_equal(dictionary_create(slice_of(bytes.data, 7), 3, &bad, NULL), MNEME_CORRUPT);
    assert_int_equal(dictionary_create((struct slice){0}, 3, &bad, NULL), MNEME_CORRUPT);
    AUTO_FREE uint8_t *changed = mem_alloc(bytes.size);
    assert_non_null(changed);
    memcpy(changed, bytes.data, bytes.size);
    memset(changed + 8, 0xff, 40); /* its entropy tables */
    assert_int_equal(dictionary_create(slice_of(changed, bytes.size), 3, &bad, NULL),
                     MNEME_CORRUPT);
    assert_null(bad);
    dictionary_drop(good);
}

static int create_alone(struct slice bytes) {
    struct dictionary *d = NULL;
    int status = dictionary_create(bytes, 3, &d, NULL);
    assert_int_equal(status == 0, d != NULL);
    dictionary_drop(d);
    return status;
}

static void codec_dictionary__making_survives_each_failing_allocation(void **state) {
    (void)state;
    SAMPLES(s);
    samples_of_records(&s, 1, 50);
    ASSERT_SURVIVES_NO_MEMORY(create_alone(buf_slice(&s.bytes)));
}

/* ---- Training ---------------------------------------------------------------------------- */

static void codec_dictionary_train__pays_on_records_it_has_not_seen(void **state) {
    (void)state;
    SAMPLES(seen);
    SAMPLES(unseen);
    samples_of_records(&seen, 1, 2000);
    samples_of_records(&unseen, 2, 500);
    struct training report;
    struct dictionary *d = train(&seen, &report);
    assert_non_null(d);
    size_t without = packed_size(&unseen, NULL), with = packed_size(&unseen, d);
    assert_true(with * 10 < without * 8);
    assert_int_equal(report.samples, 2000);
    assert_int_equal(report.sample_bytes, seen.bytes.size);
    assert_true(report.held_out_bytes < seen.bytes.size);
    assert_true(report.with < report.without && report.without < report.held_out_bytes);
    assert_true(dictionary_bytes(d).size <= seen.bytes.size / 8);
    dictionary_drop(d);
}

static void codec_dictionary_train__reports_what_the_held_out_half_takes(void **state) {
    (void)state;
    SAMPLES(s);
    samples_of_records(&s, 1, 400);
    struct training report;
    struct dictionary *d = train(&s, &report);
    SAMPLES(held_out);
    samples_init(&held_out, s.count / 2);
    for (size_t i = 0; i < held_out.count; i++) {
        held_out.list[i].size = s.list[2 * i + 1].size;
        buf_append_slice(&held_out.bytes, s.list[2 * i + 1]);
    }
    samples_settle(&held_out);
    assert_int_equal(report.held_out_bytes, held_out.bytes.size);
    assert_int_equal(report.without, packed_size(&held_out, NULL));
    assert_int_equal(report.with, packed_size(&held_out, d));
    dictionary_drop(d);
}

static void codec_dictionary_train__the_same_samples_give_the_same_dictionary(void **state) {
    (void)state;
    SAMPLES(s);
    samples_of_records(&s, 3, 300);
    struct dictionary *a = train(&s, NULL), *b = train(&s, NULL);
    assert_true(a && b);
    assert_memory_equal(dictionary_sha256(a), dictionary_sha256(b), PACK_SHA256_SIZE);
    dictionary_drop(a);
    dictionary_drop(b);
}

static void codec_dictionary_train__makes_none_of_too_little(void **state) {
    (void)state;
    struct training report;
    SAMPLES(few);
    samples_of_records(&few, 1, 15);
    assert_null(train(&few, &report));
    assert_int_equal(report.samples, 15);
    SAMPLES(small);
    samples_of_records(&small, 1, 60); /* fewer than 32 KiB */
    assert_true(small.bytes.size < 32 << 10);
    assert_null(train(&small, &report));
    const struct samples none = {.count = 0};
    assert_null(train(&none, &report));
    assert_int_equal(report.sample_bytes, 0);
}

static void codec_dictionary_train__makes_none_where_it_does_not_pay(void **state) {
    (void)state;
    SAMPLES(noise);
    samples_of_noise(&noise, 100, 1000);
    struct training report;
    assert_null(train(&noise, &report));
    assert_int_equal(report.with, report.without);
    assert_int_equal(report.without, report.held_out_bytes + 50); /* raw, a byte more each */
}

static void codec_dictionary_train__takes_odd_samples(void **state) {
    (void)state;
    SAMPLES(s);
    samples_of_records(&s, 7, 400);
    for (size_t i = 0; i < s.count; i++)
        if (i % 3 == 0)
            s.list[i].size = i % 2;              /* nothing, or one byte */
    s.list[10] = slice_of(s.bytes.data, 100000); /* and a large one */
    struct training report;
    struct dictionary *d = train(&s, &report);
    assert_true(report.with <= report.without);
    dictionary_drop(d);
    SAMPLES(empty);
    samples_init(&empty, 1000);
    assert_null(train(&empty, &report));
}

static int train_alone(const struct samples *s) {
    struct dictionary *d = NULL;
    struct training report = {.samples = 77};
    int status = dictionary_train(s->list, s->count, 3, &d, &report, NULL);
    assert_int_equal(status == 0, d != NULL);
    assert_int_equal(report.samples, status ? 77 : s->count);
    dictionary_drop(d);
    return status;
}

static void codec_dictionary_train__survives_each_failing_allocation(void **state) {
    (void)state;
    SAMPLES(s);
    samples_of_records(&s, 1, 130);
    assert_true(s.bytes.size >= 32 << 10);
    ASSERT_SURVIVES_NO_MEMORY(train_alone(&s));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codec_sha256__gives_the_published_digests),
        cmocka_unit_test(codec_dictionary__keeps_its_bytes_and_digest),
        cmocka_unit_test(codec_dictionary__damaged_bytes_are_refused),
        cmocka_unit_test(codec_dictionary__making_survives_each_failing_allocation),
        cmocka_unit_test(codec_dictionary_train__pays_on_records_it_has_not_seen),
        cmocka_unit_test(codec_dictionary_train__reports_what_the_held_out_half_takes),
        cmocka_unit_test(codec_dictionary_train__the_same_samples_give_the_same_dictionary),
        cmocka_unit_test(codec_dictionary_train__makes_none_of_too_little),
        cmocka_unit_test(codec_dictionary_train__makes_none_where_it_does_not_pay),
        cmocka_unit_test(codec_dictionary_train__takes_odd_samples),
        cmocka_unit_test(codec_dictionary_train__survives_each_failing_allocation),
    };
    return cmocka_run_group_tests_name("codec/dictionary", tests, NULL, NULL);
}
