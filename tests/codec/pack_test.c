/*
 * pack_test.c - packed bodies: every algorithm's round trip, damage, lies about sizes, and bombs.
 */
#include <pthread.h>

#include "sample.h"

/* ---- Fixture ----------------------------------------------------------------------------- */

struct fixture {
    struct packer *packer;
    struct dictionary *dictionary;
    struct dictionary *found; /* what the finder gives; NULL: it knows none */
    struct buf packed;
    struct arena arena;
    struct slice plain;
    mneme_error error;
};

/* A dictionary of plain content; training has its own tests. */
static struct dictionary *make_dictionary(uint64_t seed) {
    struct random r = {seed};
    AUTO_BUF struct buf content = BUF_INIT(1 << 20);
    while (content.size < 8192)
        sample_append(&content, &r);
    struct dictionary *dictionary = NULL;
    assert_int_equal(dictionary_create(buf_slice(&content), 3, &dictionary, NULL), 0);
    return dictionary;
}

static void fixture_init(struct fixture *f, enum pack_algorithm algorithm, uint32_t min_bytes) {
    const struct pack_options options = {.algorithm = algorithm, .min_bytes = min_bytes};
    *f = (struct fixture){.packed = BUF_INIT((size_t)PACK_PLAIN_MAX * 2)};
    assert_int_equal(packer_create(&options, &f->packer, NULL), 0);
    f->dictionary = make_dictionary(11);
    f->found = f->dictionary;
}

static void fixture_fini(struct fixture *f) {
    packer_destroy(f->packer);
    dictionary_drop(f->dictionary);
    buf_fini(&f->packed);
    arena_fini(&f->arena);
}
#define FIXTURE(name) CLEANUP(fixture_fini) struct fixture name

static int find(void *context, const uint8_t ref[PACK_REF_SIZE], struct dictionary **out,
                mneme_error *error) {
    struct fixture *f = context;
    if (!f->found)
        return error_set(error, MNEME_NOT_FOUND, "no dictionary %02x%02x%02x%02x", ref[0], ref[1],
                         ref[2], ref[3]);
    *out = dictionary_hold(f->found);
    return 0;
}

static int unpack_bytes(struct fixture *f, const void *bytes, size_t size) {
    /* A block of its own, so that a sanitizer sees a read past its end. */
    AUTO_FREE uint8_t *exact = mem_alloc(size);
    assert_non_null(exact);
    if (size)
        memcpy(exact, bytes, size);
    arena_fini(&f->arena);
    const struct slice untouched = slice_of("untouched", 9);
    struct slice plain = untouched;
    f->error = (mneme_error){0};
    int status = unpack(f->packer, slice_of(exact, size), find, f, &f->arena, &plain, &f->error);
    assert_true(status == 0 || slice_equal(plain, untouched));
    assert_true(status == 0 || f->error.code == status);
    f->plain = (struct slice){0};
    if (status == 0) /* a raw body lies in the block that goes now */
        assert_int_equal(arena_copy(&f->arena, plain, &f->plain), 0);
    return status;
}

static int unpack_packed(struct fixture *f) {
    return unpack_bytes(f, f->packed.data, f->packed.size);
}

static void pack_plain(struct fixture *f, struct slice plain) {
    buf_reset(&f->packed);
    assert_int_equal(pack(f->packer, f->dictionary, plain, &f->packed, NULL), 0);
}

/* A body of records, as it is to be compressed. */
static void put_body(struct buf *b, uint64_t seed, size_t size) {
    struct random r = {seed};
    while (b->size < size)
        sample_append(b, &r);
    b->size = size;
}

static void put_noise(struct buf *b, uint64_t seed, size_t size) {
    struct random r = {seed};
    while (b->size < size)
        buf_append_byte(b, (uint8_t)random_next(&r));
}

static void assert_round_trip(struct fixture *f, struct slice plain) {
    pack_plain(f, plain);
    assert_true(f->packed.size <= plain.size + 1);
    assert_int_equal(unpack_packed(f), 0);
    assert_true(slice_equal(f->plain, plain));
    size_t size = 0;
    assert_int_equal(packed_plain_size(buf_slice(&f->packed), &size, NULL), 0);
    assert_int_equal(size, plain.size);
}

/* ---- Round trips ------------------------------------------------------------------------- */

static void codec_pack__every_algorithm_gives_every_size_back(void **state) {
    (void)state;
    static const size_t sizes[] = {0,    1,    2,    3,    17,    100,    1000,    1023,
                                   1024, 1025, 4096, 9999, 65536, 131073, 1000000, 3000000};
    for (int algorithm = PACK_RAW; algorithm <= PACK_ZSTD_DICTIONARY; algorithm++) {
        FIXTURE(f);
        fixture_init(&f, (enum pack_algorithm)algorithm, algorithm == PACK_LZ4 ? 0 : 1);
        for (size_t i = 0; i < COUNT_OF(sizes); i++) {
            AUTO_BUF struct buf text = BUF_INIT(4 << 20), noise = BUF_INIT(4 << 20);
            put_body(&text, i + 1, sizes[i]);
            put_noise(&noise, i + 1, sizes[i]);
            assert_round_trip(&f, buf_slice(&text));
            assert_true(algorithm == PACK_RAW || sizes[i] < 4096 || f.packed.size < sizes[i] / 2);
            assert_round_trip(&f, buf_slice(&noise));
            assert_true(sizes[i] == 0 || f.packed.data[0] == PACK_RAW);
        }
    }
}

static void codec_pack__levels_are_honoured(void **state) {
    (void)state;
    AUTO_BUF struct buf text = BUF_INIT(4 << 20);
    put_body(&text, 5, 300000);
    static const enum pack_algorithm algorithms[] = {PACK_GZIP, PACK_ZSTD};
    for (size_t i = 0; i < COUNT_OF(algorithms); i++) {
        size_t sizes[2];
        for (int high = 0; high < 2; high++) {
            const struct pack_options options = {.algorithm = algorithms[i], .level = high ? 9 : 1};
            FIXTURE(f);
            fixture_init(&f, PACK_RAW, 0);
            packer_destroy(f.packer);
            assert_int_equal(packer_create(&options, &f.packer, NULL), 0);
            assert_round_trip(&f, buf_slice(&text));
            sizes[high] = f.packed.size;
        }
        assert_true(sizes[1] < sizes[0]);
    }
}

static void codec_pack__bad_options_are_refused(void **state) {
    (void)state;
    static const struct pack_options cases[] = {{.algorithm = PACK_GZIP, .level = 10},
                                                {.algorithm = PACK_GZIP, .level = -1},
                                                {.algorithm = PACK_ZSTD, .level = 23},
                                                {.algorithm = (enum pack_algorithm)5},
                                                {.algorithm = (enum pack_algorithm)77}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct packer *packer = NULL;
        assert_int_equal(packer_create(&cases[i], &packer, NULL), MNEME_INVALID);
        assert_null(packer);
    }
    packer_destroy(NULL);
}

static void codec_pack__appends_to_what_the_buffer_holds(void **state) {
    (void)state;
    AUTO_BUF struct buf text = BUF_INIT(1 << 20);
    put_body(&text, 3, 2000);
    for (int algorithm = PACK_RAW; algorithm <= PACK_ZSTD_DICTIONARY; algorithm++) {
        FIXTURE(f);
        fixture_init(&f, (enum pack_algorithm)algorithm, 1);
        buf_append_string(&f.packed, "before");
        assert_int_equal(pack(f.packer, f.dictionary, buf_slice(&text), &f.packed, NULL), 0);
        assert_memory_equal(f.packed.data, "before", 6);
        assert_int_equal(unpack_bytes(&f, f.packed.data + 6, f.packed.size - 6), 0);
        assert_true(slice_equal(f.plain, buf_slice(&text)));
    }
}

/* ---- The format -------------------------------------------------------------------------- */

static void codec_pack__writes_the_documented_header(void **state) {
    (void)state;
    AUTO_BUF struct buf text = BUF_INIT(1 << 20);
    put_body(&text, 3, 300);
    FIXTURE(f);
    fixture_init(&f, PACK_ZSTD_DICTIONARY, 1);
    pack_plain(&f, buf_slice(&text));
    assert_int_equal(f.packed.data[0], PACK_ZSTD_DICTIONARY);
    assert_memory_equal(f.packed.data + 1, "\xac\x02", 2); /* 300 */
    assert_memory_equal(f.packed.data + 3, dictionary_sha256(f.dictionary), PACK_REF_SIZE);
    /* A frame header descriptor without content size, checksum and dictionary id (RFC 8878). */
    assert_int_equal(f.packed.data[7], 0);
    buf_reset(&f.packed);
    assert_int_equal(pack(f.packer, NULL, buf_slice(&text), &f.packed, NULL), 0);
    assert_memory_equal(f.packed.data, "\x03\xac\x02\x00", 4);
}

static void codec_pack__short_bodies_without_a_dictionary_stay_raw(void **state) {
    (void)state;
    AUTO_BUF struct buf text = BUF_INIT(1 << 20);
    put_body(&text, 3, 1024);
    for (int algorithm = PACK_LZ4; algorithm <= PACK_ZSTD_DICTIONARY; algorithm++) {
        FIXTURE(f);
        fixture_init(&f, (enum pack_algorithm)algorithm, 0);
        dictionary_drop(f.dictionary);
        f.dictionary = NULL;
        pack_plain(&f, slice_of(text.data, 1023));
        assert_int_equal(f.packed.data[0], PACK_RAW);
        assert_int_equal(f.packed.size, 1024);
        pack_plain(&f, slice_of(text.data, 1024));
        int expected = algorithm == PACK_ZSTD_DICTIONARY ? PACK_ZSTD : algorithm;
        assert_int_equal(f.packed.data[0], expected);
    }
}

static void codec_pack__a_dictionary_pays_for_short_bodies(void **state) {
    (void)state;
    AUTO_BUF struct buf text = BUF_INIT(1 << 20);
    put_body(&text, 77, 400);
    FIXTURE(f);
    fixture_init(&f, PACK_ZSTD_DICTIONARY, 0);
    pack_plain(&f, buf_slice(&text));
    assert_int_equal(f.packed.data[0], PACK_ZSTD_DICTIONARY);
    assert_true(f.packed.size < 300);
    FIXTURE(plain_zstd);
    fixture_init(&plain_zstd, PACK_ZSTD, 1);
    pack_plain(&plain_zstd, buf_slice(&text)); /* given a dictionary, but not told to use it */
    assert_int_equal(plain_zstd.packed.data[0], PACK_ZSTD);
    assert_true(f.packed.size < plain_zstd.packed.size);
}

static void codec_pack__counts_what_it_did(void **state) {
    (void)state;
    AUTO_BUF struct buf text = BUF_INIT(1 << 20), noise = BUF_INIT(1 << 20);
    put_body(&text, 3, 5000);
    put_noise(&noise, 3, 5000);
    FIXTURE(f);
    fixture_init(&f, PACK_ZSTD_DICTIONARY, 0);
    size_t out = 0;
    pack_plain(&f, buf_slice(&text));
    out += f.packed.size;
    pack_plain(&f, buf_slice(&noise));
    out += f.packed.size;
    buf_reset(&f.packed);
    assert_int_equal(pack(f.packer, NULL, buf_slice(&text), &f.packed, NULL), 0);
    out += f.packed.size;
    pack_plain(&f, (struct slice){0});
    struct pack_counters counters = packer_counters(f.packer);
    assert_int_equal(counters.in, 15000);
    assert_int_equal(counters.out, out);
    assert_int_equal(counters.skipped, 1);
    assert_int_equal(counters.with_dictionary, 1);
}

static void codec_pack__a_full_buffer_is_left_as_it_was(void **state) {
    (void)state;
    AUTO_BUF struct buf text = BUF_INIT(1 << 20);
    put_body(&text, 3, 5000);
    for (int algorithm = PACK_RAW; algorithm <= PACK_ZSTD_DICTIONARY; algorithm++) {
        FIXTURE(f);
        fixture_init(&f, (enum pack_algorithm)algorithm, 1);
        pack_plain(&f, buf_slice(&text));
        size_t needed = f.packed.size;
        for (size_t max = 0; max <= text.size + 1; max += max < needed + 40 ? 1 : 97) {
            AUTO_BUF struct buf small = BUF_INIT(max + 2);
            buf_append_string(&small, "<>");
            int status = pack(f.packer, f.dictionary, buf_slice(&text), &small, NULL);
            assert_true(status == (max < needed ? MNEME_TOO_LARGE : 0) ||
                        (status == MNEME_TOO_LARGE && max < needed + 40)); /* zstd wants a margin */
            assert_int_equal(small.size, 2 + (status ? 0 : needed));
            assert_int_equal(small.status, 0);
        }
    }
}

/* ---- Damage ------------------------------------------------------------------------------ */

static void codec_unpack__a_cut_body_is_damaged(void **state) {
    (void)state;
    AUTO_BUF struct buf text = BUF_INIT(1 << 20);
    put_body(&text, 9, 3000);
    for (int algorithm = PACK_LZ4; algorithm <= PACK_ZSTD_DICTIONARY; algorithm++) {
        FIXTURE(f);
        fixture_init(&f, (enum pack_algorithm)algorithm, 1);
        pack_plain(&f, buf_slice(&text));
        for (size_t size = 1; size < f.packed.size; size++)
            assert_int_equal(unpack_bytes(&f, f.packed.data, size), MNEME_CORRUPT);
        buf_append_byte(&f.packed, 0x55);
        assert_int_equal(unpack_packed(&f), MNEME_CORRUPT); /* a byte too many */
    }
}

static void codec_unpack__flipped_bits_never_write_past_the_plain_size(void **state) {
    (void)state;
    struct random r = {0xb17f11b5};
    AUTO_BUF struct buf text = BUF_INIT(1 << 20);
    put_body(&text, 9, 3000);
    for (int algorithm = PACK_RAW; algorithm <= PACK_ZSTD_DICTIONARY; algorithm++) {
        FIXTURE(f);
        fixture_init(&f, (enum pack_algorithm)algorithm, 1);
        for (int round = 0; round < 3000; round++) {
            pack_plain(&f, buf_slice(&text));
            for (uint64_t i = 1 + random_below(&r, 3); i > 0; i--)
                f.packed.data[random_below(&r, f.packed.size)] ^=
                    (uint8_t)(1 << random_below(&r, 8));
            int status = unpack_packed(&f);
            assert_true(status == 0 || status == MNEME_CORRUPT);
        }
    }
}

static void codec_unpack__noise_is_an_answer_not_a_crash(void **state) {
    (void)state;
    FIXTURE(f);
    fixture_init(&f, PACK_ZSTD_DICTIONARY, 1);
    for (uint64_t seed = 1; seed < 5000; seed++) {
        AUTO_BUF struct buf noise = BUF_INIT(4096);
        put_noise(&noise, seed, 6 + seed % 90);
        noise.data[0] = (uint8_t)(seed % 6);
        if (noise.data[0] == PACK_ZSTD_DICTIONARY) {
            memcpy(noise.data + 1, "\x50", 1);
            memcpy(noise.data + 2, dictionary_sha256(f.dictionary), PACK_REF_SIZE);
        }
        int status = unpack_bytes(&f, noise.data, noise.size);
        assert_true(status == 0 || status == MNEME_CORRUPT);
    }
}

static void codec_unpack__refuses_bad_headers(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
    } cases[] = {{"\x00", 1},      /* a raw body of nothing */
                 {"\x05\x01x", 3}, /* no such algorithm */
                 {"\xff\x01x", 3},
                 {"\x03", 1},
                 {"\x03\x80", 2},         /* half a varint */
                 {"\x03\x81\x00x", 4},    /* a varint that is too long */
                 {"\x03\x00xyz", 5},      /* a plain size of nothing */
                 {"\x04\x05\x01\x02", 4}, /* half a dictionary's name */
                 {"\x01\x05", 2},
                 {"\x02\x05", 2},
                 {"\x03\x05", 2}};
    FIXTURE(f);
    fixture_init(&f, PACK_ZSTD, 1);
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_int_equal(unpack_bytes(&f, cases[i].bytes, cases[i].size), MNEME_CORRUPT);
    assert_int_equal(unpack_bytes(&f, "", 0), 0);
    size_t size = 77;
    assert_int_equal(packed_plain_size(slice_of("\x03\x81\x00", 3), &size, NULL), MNEME_CORRUPT);
    assert_int_equal(size, 77);
    assert_int_equal(packed_plain_size((struct slice){0}, &size, NULL), 0);
    assert_int_equal(size, 0);
}

/* ---- Lies and bombs ---------------------------------------------------------------------- */

/* Appends "algorithm, plain size" as a packed body begins. */
static void put_header(struct buf *b, enum pack_algorithm algorithm, uint64_t plain_size) {
    buf_append_byte(b, (uint8_t)algorithm);
    wire_put_varint(b, plain_size);
}

static void codec_unpack__a_size_that_is_not_true_is_damage(void **state) {
    (void)state;
    AUTO_BUF struct buf text = BUF_INIT(1 << 20);
    put_body(&text, 9, 3000);
    for (int algorithm = PACK_LZ4; algorithm <= PACK_ZSTD; algorithm++) {
        FIXTURE(f);
        fixture_init(&f, (enum pack_algorithm)algorithm, 1);
        pack_plain(&f, buf_slice(&text));
        static const uint64_t sizes[] = {1, 128, 2999, 3001, 6000, 1 << 20};
        for (size_t i = 0; i < COUNT_OF(sizes); i++) {
            AUTO_BUF struct buf lie = BUF_INIT(1 << 20);
            put_header(&lie, (enum pack_algorithm)algorithm, sizes[i]);
            buf_append(&lie, f.packed.data + 3, f.packed.size - 3);
            assert_int_equal(unpack_bytes(&f, lie.data, lie.size), MNEME_CORRUPT);
        }
    }
}

/* A zstd frame of 1 GiB of zeros in 32 KiB: 8,192 run-length blocks of 128 KiB each. */
static void put_zstd_bomb(struct buf *b) {
    enum { BLOCKS = 8192, BLOCK = 128 << 10, RUN_LENGTH = 1 };
    buf_append(b, "\x00\x58", 2); /* no magic number; a window of 2 MiB */
    for (int i = 1; i <= BLOCKS; i++) {
        uint32_t header = (uint32_t)BLOCK << 3 | RUN_LENGTH << 1 | (i == BLOCKS);
        const uint8_t block[] = {(uint8_t)header, (uint8_t)(header >> 8), (uint8_t)(header >> 16),
                                 0};
        buf_append(b, block, sizeof block);
    }
}

static void codec_unpack__a_bomb_is_refused_before_memory_is_taken(void **state) {
    (void)state;
    static const uint64_t claims[] = {UINT64_C(1) << 30, (uint64_t)PACK_PLAIN_MAX + 1,
                                      PACK_PLAIN_MAX,    UINT64_MAX,
                                      UINT64_C(1) << 40, (32 << 20) + (1 << 19)};
    FIXTURE(f);
    fixture_init(&f, PACK_ZSTD, 1);
    for (size_t i = 0; i < COUNT_OF(claims); i++) {
        AUTO_BUF struct buf bomb = BUF_INIT(1 << 20);
        put_header(&bomb, PACK_ZSTD, claims[i]);
        put_zstd_bomb(&bomb);
        AUTO_ARENA struct arena arena = {0};
        struct slice plain;
        mem_fail_after(0);
        int status = unpack(f.packer, buf_slice(&bomb), find, &f, &arena, &plain, NULL);
        assert_int_equal(status, MNEME_CORRUPT);
        assert_int_equal(mem_fail_after(0), 0); /* allocations */
    }
}

static void codec_unpack__a_bomb_that_claims_little_writes_little(void **state) {
    (void)state;
    static const uint64_t claims[] = {1, 1000, 1 << 17, 1 << 20, 30 << 20};
    FIXTURE(f);
    fixture_init(&f, PACK_ZSTD, 1);
    for (size_t i = 0; i < COUNT_OF(claims); i++) {
        AUTO_BUF struct buf bomb = BUF_INIT(1 << 20);
        put_header(&bomb, PACK_ZSTD, claims[i]);
        put_zstd_bomb(&bomb);
        assert_int_equal(unpack_bytes(&f, bomb.data, bomb.size), MNEME_CORRUPT);
    }
}

static void codec_unpack__a_huge_window_takes_no_memory(void **state) {
    (void)state;
    FIXTURE(f);
    fixture_init(&f, PACK_ZSTD, 1);
    /* Window descriptor 0xA8: 2 GiB; then one raw block, the last, of five bytes. */
    assert_int_equal(unpack_bytes(&f, "\x03\x05\x00\xa8\x29\x00\x00hello", 12), 0);
    assert_true(slice_equal(f.plain, slice_of_string("hello")));
}

static void codec_pack__what_looks_like_a_bomb_is_kept_raw(void **state) {
    (void)state;
    AUTO_BUF struct buf zeros = BUF_INIT(8 << 20);
    assert_non_null(buf_reserve(&zeros, 4 << 20));
    memset(zeros.data, 0, 4 << 20);
    for (int algorithm = PACK_LZ4; algorithm <= PACK_ZSTD_DICTIONARY; algorithm++) {
        FIXTURE(f);
        fixture_init(&f, (enum pack_algorithm)algorithm, 1);
        static const size_t sizes[] = {1 << 20, (1 << 20) + 1, 4 << 20};
        for (size_t i = 0; i < COUNT_OF(sizes); i++)
            assert_round_trip(&f, slice_of(zeros.data, sizes[i]));
        bool zstd = algorithm >= PACK_ZSTD;
        assert_int_equal(f.packed.data[0], zstd || algorithm == PACK_GZIP ? PACK_RAW : PACK_LZ4);
    }
}

static void codec_pack__the_largest_body_passes_and_one_byte_more_does_not(void **state) {
    (void)state;
    AUTO_BUF struct buf body = BUF_INIT(PACK_PLAIN_MAX + 1);
    struct random r = {99};
    assert_non_null(buf_reserve(&body, PACK_PLAIN_MAX + 1));
    for (size_t i = 0; i < PACK_PLAIN_MAX + 1; i++) /* a number now and then among zeros */
        body.data[i] = (uint8_t)(i % 64 ? 0 : random_next(&r));
    FIXTURE(f);
    fixture_init(&f, PACK_ZSTD, 1);
    assert_round_trip(&f, slice_of(body.data, PACK_PLAIN_MAX));
    assert_int_equal(f.packed.data[0], PACK_ZSTD);
    buf_reset(&f.packed);
    struct slice larger = slice_of(body.data, PACK_PLAIN_MAX + 1);
    assert_int_equal(pack(f.packer, NULL, larger, &f.packed, NULL), MNEME_TOO_LARGE);
    assert_int_equal(f.packed.size, 0);
}

/* ---- Dictionaries ------------------------------------------------------------------------ */

static void codec_unpack__needs_the_dictionary_it_names(void **state) {
    (void)state;
    AUTO_BUF struct buf text = BUF_INIT(1 << 20);
    put_body(&text, 77, 4000);
    FIXTURE(f);
    fixture_init(&f, PACK_ZSTD_DICTIONARY, 0);
    pack_plain(&f, buf_slice(&text));
    assert_int_equal(unpack_packed(&f), 0);
    f.found = NULL;
    assert_int_equal(unpack_packed(&f), MNEME_NOT_FOUND);
    f.found = make_dictionary(12);
    assert_int_equal(unpack_packed(&f), MNEME_CORRUPT); /* the finder gave another one */
    /* A body whose reference was changed to that of the other dictionary. */
    memcpy(f.packed.data + 3, dictionary_sha256(f.found), PACK_REF_SIZE);
    int status = unpack_packed(&f);
    assert_true(status == MNEME_CORRUPT || !slice_equal(f.plain, buf_slice(&text)));
    dictionary_drop(f.found);
    struct slice plain;
    assert_int_equal(unpack(f.packer, buf_slice(&f.packed), NULL, NULL, &f.arena, &plain, NULL),
                     MNEME_NOT_FOUND);
}

static void codec_pack__outlives_a_dropped_dictionary(void **state) {
    (void)state;
    AUTO_BUF struct buf text = BUF_INIT(1 << 20);
    put_body(&text, 77, 4000);
    FIXTURE(f);
    fixture_init(&f, PACK_ZSTD_DICTIONARY, 0);
    for (uint64_t seed = 1; seed < 6; seed++) {
        dictionary_drop(f.dictionary);
        f.dictionary = make_dictionary(seed);
        f.found = f.dictionary;
        assert_round_trip(&f, buf_slice(&text));
    }
    dictionary_drop(f.dictionary);
    f.dictionary = NULL;
    assert_round_trip(&f, buf_slice(&text));
    assert_int_equal(f.packed.data[0], PACK_ZSTD);
}

/* ---- Memory and threads ------------------------------------------------------------------ */

static int pack_alone(enum pack_algorithm algorithm, struct dictionary *dictionary,
                      struct slice plain) {
    const struct pack_options options = {.algorithm = algorithm, .min_bytes = 1};
    struct packer *packer = NULL;
    AUTO_BUF struct buf out = BUF_INIT(1 << 20);
    int status = packer_create(&options, &packer, NULL);
    assert_int_equal(status == 0, packer != NULL);
    if (status == 0)
        status = pack(packer, dictionary, plain, &out, NULL);
    assert_int_equal(status == 0, out.size != 0);
    assert_int_equal(out.status, 0);
    packer_destroy(packer);
    return status;
}

static int unpack_alone(struct fixture *f) {
    const struct pack_options options = {.algorithm = PACK_ZSTD};
    struct packer *packer = NULL;
    AUTO_ARENA struct arena arena = {0};
    struct slice plain = {0};
    int status = packer_create(&options, &packer, NULL);
    if (status == 0)
        status = unpack(packer, buf_slice(&f->packed), find, f, &arena, &plain, NULL);
    assert_int_equal(status == 0, plain.size != 0);
    packer_destroy(packer);
    return status;
}

static void codec_pack__survives_each_failing_allocation(void **state) {
    (void)state;
    AUTO_BUF struct buf text = BUF_INIT(1 << 20);
    put_body(&text, 77, 20000);
    for (int algorithm = PACK_RAW; algorithm <= PACK_ZSTD_DICTIONARY; algorithm++) {
        enum pack_algorithm a = (enum pack_algorithm)algorithm;
        FIXTURE(f);
        fixture_init(&f, a, 1);
        ASSERT_SURVIVES_NO_MEMORY(pack_alone(a, f.dictionary, buf_slice(&text)));
        pack_plain(&f, buf_slice(&text));
        ASSERT_SURVIVES_NO_MEMORY(unpack_alone(&f));
    }
}

static void *pack_and_unpack(void *argument) {
    struct fixture *shared = argument;
    for (uint64_t seed = 1; seed < 60; seed++) {
        AUTO_BUF struct buf text = BUF_INIT(1 << 20), packed = BUF_INIT(1 << 20);
        put_body(&text, seed, 200 + seed * 50);
        struct dictionary *dictionary = seed % 3 ? shared->dictionary : NULL;
        AUTO_ARENA struct arena arena = {0};
        struct slice plain;
        if (pack(shared->packer, dictionary, buf_slice(&text), &packed, NULL) != 0 ||
            unpack(shared->packer, buf_slice(&packed), find, shared, &arena, &plain, NULL) != 0 ||
            !slice_equal(plain, buf_slice(&text)))
            return NULL;
    }
    return shared;
}

static void codec_pack__many_threads_share_a_packer(void **state) {
    (void)state;
    enum { THREADS = 20 }; /* more than wait in the pool */
    pthread_t threads[THREADS];
    FIXTURE(f);
    fixture_init(&f, PACK_ZSTD_DICTIONARY, 1);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, pack_and_unpack, &f), 0);
    void *results[THREADS];
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], &results[i]);
    for (int i = 0; i < THREADS; i++)
        assert_ptr_equal(results[i], &f);
    assert_int_equal(packer_counters(f.packer).with_dictionary, THREADS * 40);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codec_pack__every_algorithm_gives_every_size_back),
        cmocka_unit_test(codec_pack__levels_are_honoured),
        cmocka_unit_test(codec_pack__bad_options_are_refused),
        cmocka_unit_test(codec_pack__appends_to_what_the_buffer_holds),
        cmocka_unit_test(codec_pack__writes_the_documented_header),
        cmocka_unit_test(codec_pack__short_bodies_without_a_dictionary_stay_raw),
        cmocka_unit_test(codec_pack__a_dictionary_pays_for_short_bodies),
        cmocka_unit_test(codec_pack__counts_what_it_did),
        cmocka_unit_test(codec_pack__a_full_buffer_is_left_as_it_was),
        cmocka_unit_test(codec_unpack__a_cut_body_is_damaged),
        cmocka_unit_test(codec_unpack__flipped_bits_never_write_past_the_plain_size),
        cmocka_unit_test(codec_unpack__noise_is_an_answer_not_a_crash),
        cmocka_unit_test(codec_unpack__refuses_bad_headers),
        cmocka_unit_test(codec_unpack__a_size_that_is_not_true_is_damage),
        cmocka_unit_test(codec_unpack__a_bomb_is_refused_before_memory_is_taken),
        cmocka_unit_test(codec_unpack__a_bomb_that_claims_little_writes_little),
        cmocka_unit_test(codec_unpack__a_huge_window_takes_no_memory),
        cmocka_unit_test(codec_pack__what_looks_like_a_bomb_is_kept_raw),
        cmocka_unit_test(codec_pack__the_largest_body_passes_and_one_byte_more_does_not),
        cmocka_unit_test(codec_unpack__needs_the_dictionary_it_names),
        cmocka_unit_test(codec_pack__outlives_a_dropped_dictionary),
        cmocka_unit_test(codec_pack__survives_each_failing_allocation),
        cmocka_unit_test(codec_pack__many_threads_share_a_packer),
    };
    return cmocka_run_group_tests_name("codec/pack", tests, NULL, NULL);
}
