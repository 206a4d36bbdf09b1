/*
 * trace_test.c - reading traces in every format, refusing what is none, and the two known policies
 * that are played over them.
 */

#define ZLIB_CONST /* its input is const */
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include "bench/generate.h"
#include "bench/trace_play.h"
#include "support/api_fixture.h"

/* ---- Helpers ------------------------------------------------------------------------------ */

static void parse(const char *text, struct trace *out) {
    assert_int_equal(trace_parse(slice_of_string(text), "t", out, NULL), 0);
}

static void assert_keys(const struct trace *trace, const uint32_t *keys, size_t count) {
    assert_int_equal(trace->count, count);
    assert_memory_equal(trace->keys, keys, count * sizeof *keys);
}
#define ASSERT_KEYS(trace, ...)                                                                    \
    assert_keys((trace), (const uint32_t[]){__VA_ARGS__},                                          \
                sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

/* The message must name the file and say `word`; what was there stays. */
static void refuse(struct slice bytes, int code, const char *word) {
    struct trace trace = {.count = 77};
    mneme_error error = {0};
    assert_int_equal(trace_parse(bytes, "some.trace", &trace, &error), code);
    assert_non_null(strstr(error.message, "some.trace"));
    assert_non_null(strstr(error.message, word));
    assert_int_equal(trace.count, 77);
}

static void refuse_text(const char *text, const char *word) {
    refuse(slice_of_string(text), MNEME_INVALID, word);
}

/* A file in the home that the case was given, with these bytes. */
static const char *write_file(void **state, const void *bytes, size_t size) {
    const char *path = home_file(*state, "some.trace");
    file_write(path, bytes, size);
    return path;
}

/* Text long enough that every decompressor gives it out in several pieces. */
static struct slice long_text(struct arena *arena, size_t *lines) {
    struct buf text = BUF_INIT(1 << 22);
    *lines = 150000;
    for (size_t i = 0; i < *lines; i++)
        buf_printf(&text, "%llu\n", (unsigned long long)(mix(1, i) % 1000000));
    struct slice copy;
    assert_int_equal(text.status, 0);
    assert_int_equal(arena_copy(arena, buf_slice(&text), &copy), 0);
    buf_fini(&text);
    return copy;
}

typedef size_t compressor(struct slice in, uint8_t *out, size_t room);

static size_t gzip(struct slice in, uint8_t *out, size_t room) {
    z_stream stream = {0};
    assert_int_equal(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    stream.next_in = in.data;
    stream.avail_in = (uInt)in.size;
    stream.next_out = out;
    stream.avail_out = (uInt)room;
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    size_t size = stream.total_out;
    deflateEnd(&stream);
    return size;
}

static size_t xz(struct slice in, uint8_t *out, size_t room) {
    size_t size = 0;
    assert_int_equal(
        lzma_easy_buffer_encode(1, LZMA_CHECK_CRC32, NULL, in.data, in.size, out, &size, room),
        LZMA_OK);
    return size;
}

static size_t zstd(struct slice in, uint8_t *out, size_t room) {
    size_t size = ZSTD_compress(out, room, in.data, in.size, 1);
    assert_false(ZSTD_isError(size));
    return size;
}

static compressor *const compressors[] = {gzip, xz, zstd};

/* ---- Formats ------------------------------------------------------------------------------ */

static void trace_parse__numbers_keys_in_the_order_of_their_first_use(void **state) {
    (void)state;
    AUTO_TRACE struct trace trace = {0};
    parse("900\n5\n900\n18446744073709551615\n5\n", &trace);
    ASSERT_KEYS(&trace, 0, 1, 0, 2, 1);
    assert_int_equal(trace.distinct, 3);
    assert_string_equal(trace.format, "numbers");
}

static void trace_parse__takes_any_line_ends_and_a_last_line_without_one(void **state) {
    (void)state;
    AUTO_TRACE struct trace trace = {0};
    parse("1\r\n\r\n  2 \n\n1", &trace);
    ASSERT_KEYS(&trace, 0, 1, 0);
}

static void trace_parse__spreads_blocks_into_their_keys(void **state) {
    (void)state;
    AUTO_TRACE struct trace trace = {0};
    parse("10 3 0 0\n12 2 0 1\n", &trace);
    ASSERT_KEYS(&trace, 0, 1, 2, 2, 3);
    assert_int_equal(trace.distinct, 4);
    assert_string_equal(trace.format, "blocks");
}

static void trace_parse__reads_big_endian_numbers(void **state) {
    (void)state;
    AUTO_TRACE struct trace trace = {0};
    static const uint8_t bytes[] = {0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 1};
    assert_int_equal(trace_parse(slice_of(bytes, sizeof bytes), "t", &trace, NULL), 0);
    ASSERT_KEYS(&trace, 0, 1, 0);
    assert_string_equal(trace.format, "binary");
}

static void trace_parse__tells_many_keys_apart(void **state) {
    (void)state;
    AUTO_TRACE struct trace trace = {0};
    AUTO_BUF struct buf text = BUF_INIT(1 << 20);
    for (unsigned i = 0; i < 20000; i++)
        buf_printf(&text, "%u\n", i % 10000 * 4096);
    assert_int_equal(trace_parse(buf_slice(&text), "t", &trace, NULL), 0);
    assert_int_equal(trace.count, 20000);
    assert_int_equal(trace.distinct, 10000);
    for (unsigned i = 0; i < 20000; i++)
        assert_int_equal(trace.keys[i], i % 10000);
}

static void trace_parse__refuses_what_is_no_trace_and_says_where(void **state) {
    (void)state;
    static const uint8_t seven_bytes[] = {0, 0, 0, 1, 0, 0, 0};
    refuse_text("", "no requests");
    refuse_text("\n \r\n", "no requests");
    refuse_text("1\n2\nthree\n", "line 3");
    refuse_text("1\n-2\n", "line 2");
    refuse_text("18446744073709551616\n", "line 1");
    refuse_text("1 2\n", "line 1");
    refuse_text("1 1 0 0\n7\n", "line 2");
    refuse_text("1 1 0 0 0\n", "line 1");
    refuse_text("1 0 0 0\n", "line 1");
    refuse_text("18446744073709551615 2 0 0\n", "line 1");
    refuse_text("1 99999999999 0 0\n", "line 1");
    refuse(slice_of(seven_bytes, sizeof seven_bytes), MNEME_INVALID, "7 bytes");
}

/* ---- Files -------------------------------------------------------------------------------- */

static void trace_load__reads_each_compression(void **state) {
    AUTO_ARENA struct arena arena = {0};
    AUTO_TRACE struct trace plain = {0};
    size_t lines;
    struct slice text = long_text(&arena, &lines);
    AUTO_FREE uint8_t *room = mem_alloc(text.size + 1000);
    assert_non_null(room);
    assert_int_equal(trace_parse(text, "t", &plain, NULL), 0);
    assert_int_equal(plain.count, lines);
    for (size_t i = 0; i < COUNT_OF(compressors); i++) {
        AUTO_TRACE struct trace trace = {0};
        const char *path = write_file(state, room, compressors[i](text, room, text.size + 1000));
        assert_int_equal(trace_load(path, &trace, NULL), 0);
        assert_keys(&trace, plain.keys, plain.count);
    }
}

static void trace_load__reads_compressed_files_put_together(void **state) {
    for (size_t i = 0; i < COUNT_OF(compressors); i++) {
        AUTO_TRACE struct trace trace = {0};
        uint8_t bytes[1000];
        size_t size = compressors[i](slice_of_string("7\n8\n"), bytes, 500);
        size += compressors[i](slice_of_string("8\n9\n"), bytes + size, 500);
        const char *path = write_file(state, bytes, size);
        assert_int_equal(trace_load(path, &trace, NULL), 0);
        ASSERT_KEYS(&trace, 0, 1, 1, 2);
    }
}

/* Wherever the file is cut behind the bytes that tell what it is: an error, which names the file.
 */
static void trace_load__refuses_a_compressed_file_that_was_cut(void **state) {
    enum { MAGIC_MAX = 6 };
    for (size_t i = 0; i < COUNT_OF(compressors); i++) {
        uint8_t bytes[1000];
        size_t size = compressors[i](slice_of_string("7\n8\n7\n1000\n"), bytes, sizeof bytes);
        for (size_t cut = MAGIC_MAX; cut < size; cut++) {
            struct trace trace = {0};
            mneme_error error = {0};
            const char *path = write_file(state, bytes, cut);
            assert_int_equal(trace_load(path, &trace, &error), MNEME_CORRUPT);
            assert_non_null(strstr(error.message, path));
            assert_null(trace.keys);
        }
    }
}

static void trace_load__refuses_a_damaged_compressed_file(void **state) {
    AUTO_ARENA struct arena arena = {0};
    size_t lines;
    struct slice text = long_text(&arena, &lines);
    AUTO_FREE uint8_t *room = mem_alloc(text.size + 1000);
    assert_non_null(room);
    for (size_t i = 0; i < 2; i++) { /* zstd wrote no checksum that could tell */
        AUTO_TRACE struct trace trace = {0};
        mneme_error error = {0};
        size_t size = compressors[i](text, room, text.size + 1000);
        room[size / 2] ^= 0xff;
        const char *path = write_file(state, room, size);
        assert_int_equal(trace_load(path, &trace, &error), MNEME_CORRUPT);
        assert_non_null(strstr(error.message, path));
    }
}

static void trace_load__names_a_file_that_is_not_there(void **state) {
    (void)state;
    struct trace trace = {0};
    mneme_error error = {0};
    assert_int_equal(trace_load("/nowhere/some.trace", &trace, &error), MNEME_NOT_FOUND);
    assert_non_null(strstr(error.message, "/nowhere/some.trace"));
}

static void trace_load__refuses_an_empty_file(void **state) {
    struct trace trace = {0};
    mneme_error error = {0};
    const char *path = write_file(state, "", 0);
    assert_int_equal(trace_load(path, &trace, &error), MNEME_INVALID);
    assert_non_null(strstr(error.message, path));
}

/* ---- Policies ----------------------------------------------------------------------------- */

static size_t lru(const struct trace *trace, size_t capacity) {
    size_t hits;
    assert_int_equal(trace_play_lru(trace, capacity, &hits, NULL), 0);
    return hits;
}

static size_t optimum(const struct trace *trace, size_t capacity) {
    size_t hits;
    assert_int_equal(trace_play_optimum(trace, capacity, &hits, NULL), 0);
    return hits;
}

static void trace_play__finds_what_one_can_find_by_hand(void **state) {
    (void)state;
    AUTO_TRACE struct trace loop = {0};
    AUTO_TRACE struct trace same = {0};
    /* A loop of three through two places: LRU always throws away what comes next. The optimum
     * keeps one key for good, and with the other place it can do nothing better than keep another.
     */
    parse("1\n2\n3\n1\n2\n3\n1\n2\n3\n", &loop);
    assert_int_equal(lru(&loop, 2), 0);
    assert_int_equal(optimum(&loop, 2), 4);
    assert_int_equal(lru(&loop, 3), 6);
    assert_int_equal(optimum(&loop, 3), 6);
    assert_int_equal(optimum(&loop, 1), 2);
    parse("4\n4\n4\n5\n4\n", &same);
    assert_int_equal(lru(&same, 1), 2);
    assert_int_equal(optimum(&same, 1), 3); /* 5 is never asked for again, and is not let in */
    assert_int_equal(lru(&same, 100), 3);
    assert_int_equal(optimum(&same, 100), 3);
}

/* LRU as one would write it down: the keys in the order of their last use. */
static size_t plain_lru(const struct trace *trace, size_t capacity) {
    uint32_t order[64];
    size_t used = 0, hits = 0;
    for (size_t t = 0; t < trace->count; t++) {
        size_t at = 0;
        while (at < used && order[at] != trace->keys[t])
            at++;
        hits += at < used;
        if (at == used && used < capacity)
            used++;
        at = size_min(at, used - 1);
        memmove(order + 1, order, at * sizeof *order);
        order[0] = trace->keys[t];
    }
    return hits;
}

/* The most hits of any choice, by trying them all: `cached` is a set of keys, as bits. */
static size_t best_from(const struct trace *trace, size_t t, unsigned cached, size_t capacity) {
    if (t == trace->count)
        return 0;
    unsigned asked = 1U << trace->keys[t];
    if (cached & asked)
        return 1 + best_from(trace, t + 1, cached, capacity);
    size_t best = best_from(trace, t + 1, cached, capacity); /* not let in */
    if ((size_t)__builtin_popcount(cached) < capacity)
        return size_max(best, best_from(trace, t + 1, cached | asked, capacity));
    for (unsigned key = 0; key < trace->distinct; key++)
        if (cached >> key & 1)
            best =
                size_max(best, best_from(trace, t + 1, (cached & ~(1U << key)) | asked, capacity));
    return best;
}

static void make_random(uint64_t seed, size_t count, unsigned keys, struct trace *out) {
    AUTO_BUF struct buf text = BUF_INIT(1 << 20);
    for (size_t i = 0; i < count; i++)
        buf_printf(&text, "%llu\n", (unsigned long long)(mix(seed, i) % keys));
    assert_int_equal(trace_parse(buf_slice(&text), "t", out, NULL), 0);
}

static void trace_play_optimum__equals_the_best_of_all_choices(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 150; seed++) {
        AUTO_TRACE struct trace trace = {0};
        make_random(seed, 12, 5, &trace);
        for (size_t capacity = 1; capacity <= 3; capacity++)
            assert_int_equal(optimum(&trace, capacity), best_from(&trace, 0, 0, capacity));
    }
}

static void trace_play_lru__equals_a_plain_one_and_is_never_over_the_optimum(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        AUTO_TRACE struct trace trace = {0};
        make_random(seed, 5000, 60,
                    &trace); /* long enough for several levels of the set of times */
        for (size_t capacity = 1; capacity <= 60; capacity += 7) {
            size_t hits = lru(&trace, capacity);
            assert_int_equal(hits, plain_lru(&trace, capacity));
            assert_true(hits <= optimum(&trace, capacity));
        }
        assert_int_equal(optimum(&trace, 60), trace.count - trace.distinct);
    }
}

#define WITH_HOME(test) cmocka_unit_test_setup_teardown(test, home_setup, home_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trace_parse__numbers_keys_in_the_order_of_their_first_use),
        cmocka_unit_test(trace_parse__takes_any_line_ends_and_a_last_line_without_one),
        cmocka_unit_test(trace_parse__spreads_blocks_into_their_keys),
        cmocka_unit_test(trace_parse__reads_big_endian_numbers),
        cmocka_unit_test(trace_parse__tells_many_keys_apart),
        cmocka_unit_test(trace_parse__refuses_what_is_no_trace_and_says_where),
        WITH_HOME(trace_load__reads_each_compression),
        WITH_HOME(trace_load__reads_compressed_files_put_together),
        WITH_HOME(trace_load__refuses_a_compressed_file_that_was_cut),
        WITH_HOME(trace_load__refuses_a_damaged_compressed_file),
        cmocka_unit_test(trace_load__names_a_file_that_is_not_there),
        WITH_HOME(trace_load__refuses_an_empty_file),
        cmocka_unit_test(trace_play__finds_what_one_can_find_by_hand),
        cmocka_unit_test(trace_play_optimum__equals_the_best_of_all_choices),
        cmocka_unit_test(trace_play_lru__equals_a_plain_one_and_is_never_over_the_optimum),
    };
    return cmocka_run_group_tests_name("bench/trace", tests, NULL, NULL);
}
