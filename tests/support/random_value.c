/*
 * random_value.c - the numbers, times, texts and lists that random records are made of.
 */
#include "support/random_value.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- Numbers ----------------------------------------------------------------------------- */

uint64_t rng_next(struct rng *rng) {
    uint64_t z = rng->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

uint64_t rng_below(struct rng *rng, uint64_t limit) { return rng_next(rng) % limit; }

bool rng_chance(struct rng *rng, unsigned percent) { return rng_below(rng, 100) < percent; }

uint64_t random_uint(struct rng *rng) {
    static const uint64_t edges[] = {0,          1,         127,        128,
                                     16383,      16384,     UINT32_MAX, UINT64_MAX,
                                     1ULL << 53, INT64_MAX, 1ULL << 63, (1ULL << 53) + 1};
    return rng_chance(rng, 40) ? edges[rng_below(rng, COUNT_OF(edges))]
                               : rng_next(rng) >> rng_below(rng, 64);
}

int64_t random_int(struct rng *rng) {
    uint64_t value = random_uint(rng);
    int64_t out;
    value = rng_chance(rng, 30) ? 0 - value : value;
    memcpy(&out, &value, sizeof out);
    return out;
}

double random_double(struct rng *rng) {
    static const double edges[] = {
        0.0, -0.0,    1.0,          -1.0, 0.1, 1e300, -1e-300, 5e-324, 1.7976931348623157e308,
        0.5, 1.0 / 3, 123456789.125};
    for (;;) {
        uint64_t bits = rng_next(rng);
        double value;
        memcpy(&value, &bits, sizeof value);
        if (rng_chance(rng, 50))
            return edges[rng_below(rng, COUNT_OF(edges))];
        if (value - value == 0) /* finite */
            return value;
    }
}

double random_fraction(struct rng *rng) {
    static const double edges[] = {0.0, -0.0, 1.0, 0.5, 5e-324};
    return rng_chance(rng, 40) ? edges[rng_below(rng, COUNT_OF(edges))]
                               : (double)(rng_next(rng) >> 11) * 0x1p-53;
}

/* Never 0, which would mean "not given". From the year 0001 to 9999, mostly today. */
int64_t random_time(struct rng *rng) {
    static const int64_t edges[] = {1,
                                    -1,
                                    INT64_C(-62135596800000000),
                                    INT64_C(253402300799999999),
                                    1000000,
                                    INT64_C(1700000000000000)};
    return rng_chance(rng, 20)
               ? edges[rng_below(rng, COUNT_OF(edges))]
               : INT64_C(1600000000000000) + (int64_t)rng_below(rng, UINT64_C(300000000000000));
}

mneme_id random_id(struct rng *rng) {
    mneme_id id;
    put_be64(id.bytes, rng_next(rng));
    put_be64(id.bytes + 8, rng_next(rng) | 1);
    return id;
}

size_t random_count(struct rng *rng) {
    return rng_chance(rng, 30) ? 0 : rng_chance(rng, 5) ? rng_below(rng, 300) : rng_below(rng, 6);
}

/* ---- Texts ------------------------------------------------------------------------------- */

void *must_alloc(struct arena *arena, size_t count, size_t size) {
    void *at = arena_zalloc(arena, count, size);
    if (!at) {
        fprintf(stderr, "random_record: out of memory\n");
        abort();
    }
    return at;
}

static mneme_text keep(struct arena *arena, const void *data, size_t size) {
    char *at = must_alloc(arena, size + 1, 1);
    if (size)
        memcpy(at, data, size);
    return (mneme_text){size ? at : NULL, size};
}

#define TEXT(literal)                                                                              \
    { literal, sizeof(literal) - 1 }

static const mneme_text nasty_texts[] = {
    TEXT("a"),
    TEXT("\0"),
    TEXT("a\0b"),
    TEXT("\"quoted\" \\back\\ /slash/"),
    TEXT("line\nline\r\n\ttab\b\f\x01\x1f\x7f"),
    TEXT("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xef\xbf\xbf\xef\xbb\xbf\xe2\x80\xa8"),
    TEXT("\xf4\x8f\xbf\xbf\xed\x9f\xbf\xee\x80\x80"),
    TEXT("null"),
    TEXT(" leading and trailing "),
    TEXT("\\u0000 </script>"),
    TEXT("find /usr -name '*.h' | xargs grep -n TRY"),
};

static const mneme_text json_texts[] = {
    TEXT("{}"),
    TEXT("[]"),
    TEXT("{\"a\":1}"),
    TEXT("{ \"a\" : [1, 2.50, -0, 1E5, 18446744073709551615] }"),
    TEXT("[1,\n2]"),
    TEXT(" {\"a\":1}"),
    TEXT("{\"a\":1} "),
    TEXT("{\"a\":1}\n"),
    TEXT("{broken"),
    TEXT("{\"a\":1}}"),
    TEXT("{\"a\":1,\"a\":2}"),
    TEXT("{\"a\":1e999}"),
    TEXT("{\"a\":\"\\ud800\"}"),
    TEXT("{\"a\":\"\\u0000\\ud83d\\ude00\"}"),
    TEXT("{\"]\":\"}\\\"[\"}"),
    TEXT("[\"raw\x01\"]"),
    TEXT("[\"\x7f\xe2\x80\xa8\"]"),
    TEXT("{'a':1}"),
    TEXT("[01]"),
    TEXT("[NaN]"),
    TEXT("5"),
    TEXT("\"a string\""),
    TEXT("null"),
};

static const mneme_text object_texts[] = {
    TEXT("{}"),
    TEXT("{\"a\":1}"),
    TEXT(" {\"a\":\n[1, 2]}\t"),
    TEXT("{\"a\":\"\\u0000\",\"b\":{\"c\":[true,false,null]}}"),
    TEXT("{\"n\":9007199254740993}"),
};

static mneme_text random_words(struct rng *rng, struct arena *arena) {
    static const char *const words[] = {"open ",        "file ",       "the ",   "test ",
                                        "fails ",       "\n",          "retry ", "user ",
                                        "caf\xc3\xa9 ", "{\"k\": 1} ", "0"};
    AUTO_BUF struct buf b = BUF_INIT(1 << 20);
    uint64_t count = rng_chance(rng, 2) ? 4000 : rng_below(rng, 40);
    for (uint64_t i = 0; i < count; i++)
        buf_append_string(&b, words[rng_below(rng, COUNT_OF(words))]);
    return keep(arena, b.data, b.size);
}

mneme_text random_text(struct rng *rng, struct arena *arena) {
    uint64_t choice = rng_below(rng, 10);
    if (choice == 0)
        return (mneme_text){NULL, 0};
    if (choice < 4)
        return nasty_texts[rng_below(rng, COUNT_OF(nasty_texts))];
    if (choice < 6)
        return json_texts[rng_below(rng, COUNT_OF(json_texts))];
    return random_words(rng, arena);
}

/* Objects or arrays inside each other, around the depth to which JSON is read. */
static mneme_text random_nesting(struct rng *rng, struct arena *arena, bool objects) {
    AUTO_BUF struct buf b = BUF_INIT(4096);
    size_t depth = 56 + rng_below(rng, objects ? 9 : 16);
    for (size_t i = 1; i < depth; i++)
        buf_append_string(&b, objects ? "{\"a\":" : "[");
    buf_append_string(&b, objects ? "{}" : "[]");
    for (size_t i = 1; i < depth; i++)
        buf_append_byte(&b, objects ? '}' : ']');
    return keep(arena, b.data, b.size);
}

mneme_text random_json(struct rng *rng, struct arena *arena) {
    if (rng_chance(rng, 10))
        return random_nesting(rng, arena, false);
    return rng_chance(rng, 60) ? json_texts[rng_below(rng, COUNT_OF(json_texts))]
                               : random_text(rng, arena);
}

mneme_text random_object(struct rng *rng, struct arena *arena) {
    if (rng_chance(rng, 40))
        return (mneme_text){NULL, 0};
    return rng_chance(rng, 20) ? random_nesting(rng, arena, true)
                               : object_texts[rng_below(rng, COUNT_OF(object_texts))];
}

/* A name of 1 to 1,024 bytes that no other item of its list has, because its index is in it. */
mneme_text random_name(struct rng *rng, struct arena *arena, size_t index) {
    AUTO_BUF struct buf b = BUF_INIT(1024);
    buf_append_slice(&b, slice_of_text(nasty_texts[rng_below(rng, COUNT_OF(nasty_texts))]));
    buf_printf(&b, "%zu", index);
    if (rng_chance(rng, 5))
        while (b.size < 1024)
            buf_append_byte(&b, 'x');
    return keep(arena, b.data, b.size);
}

mneme_text_list random_texts(struct rng *rng, struct arena *arena) {
    size_t count = random_count(rng);
    mneme_text *items = must_alloc(arena, count, sizeof *items);
    for (size_t i = 0; i < count; i++)
        items[i] = random_text(rng, arena);
    return (mneme_text_list){count ? items : NULL, count};
}

mneme_text_list random_tags(struct rng *rng, struct arena *arena) {
    size_t count = random_count(rng);
    mneme_text *items = must_alloc(arena, count, sizeof *items);
    for (size_t i = 0; i < count; i++)
        items[i] = random_name(rng, arena, i);
    return (mneme_text_list){count ? items : NULL, count};
}

mneme_pair_list random_pairs(struct rng *rng, struct arena *arena) {
    size_t count = random_count(rng);
    mneme_pair *items = must_alloc(arena, count, sizeof *items);
    for (size_t i = 0; i < count; i++)
        items[i] = (mneme_pair){random_name(rng, arena, i), random_text(rng, arena)};
    return (mneme_pair_list){count ? items : NULL, count};
}

mneme_context random_context(struct rng *rng, struct arena *arena) {
    if (rng_chance(rng, 30))
        return (mneme_context){.domain = {NULL, 0}};
    return (mneme_context){random_text(rng, arena), random_text(rng, arena),
                           random_text(rng, arena), random_text(rng, arena)};
}
