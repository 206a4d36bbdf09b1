/*
 * vector_test.c - the stored forms of an embedding.
 */
#include <math.h>

#include "codec/codec.h"
#include "model/schema.h"
#include "model_fixture.h"

static uint32_t bits_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* The next float away from zero (or towards it) of one that is not zero. */
static float neighbour(float value, bool away) {
    uint32_t bits = bits_of(value);
    bits = away ? bits + 1 : bits - 1;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static float power_of_two(int exponent) {
    float value = 1;
    for (; exponent > 0; exponent--)
        value *= 2;
    for (; exponent < 0; exponent++)
        value /= 2;
    return value;
}

/* The embedding as it comes back from its stored form. */
static mneme_embedding stored_form(const float *values, size_t count, mneme_embedding_format format,
                                   struct arena *arena) {
    AUTO_BUF struct buf body = BUF_INIT(FIXTURE_BUF_MAX);
    const mneme_embedding e = {
        .subject = id_of(1), .stored_as = format, .values = values, .count = count};
    struct stored_record stored;
    mneme_record out;
    const mneme_record record = RECORD(MNEME_EMBEDDING, embedding, &e);
    assert_int_equal(model_validate(&record, NULL), 0);
    assert_int_equal(model_encode(&record, arena, &body, &stored, NULL), 0);
    assert_int_equal(model_decode(&stored, buf_slice(&body), arena, &out, NULL), 0);
    assert_int_equal(out.as.embedding->stored_as, format);
    assert_int_equal(out.as.embedding->count, count);
    return *out.as.embedding;
}

static void half__keeps_each_of_its_own_values(void **state) {
    (void)state;
    for (uint32_t half = 0; half <= UINT16_MAX; half++) {
        float value = float_of_half((uint16_t)half);
        if (isnan(value))
            assert_true((half & 0x7c00) == 0x7c00 && (half & 0x3ff) != 0);
        else
            assert_int_equal(half_of_float(value), half);
    }
    assert_true(isnan(float_of_half(half_of_float((float)NAN))));
}

/* Between two neighbours: below the middle down, above it up, on it to the even one. */
static void half__rounds_to_nearest_even(void **state) {
    (void)state;
    for (uint32_t half = 0; half < 0x7bff; half++) {
        float low = float_of_half((uint16_t)half), high = float_of_half((uint16_t)(half + 1));
        float middle = low + (high - low) / 2; /* exact: a float has 13 more bits */
        uint32_t even = half & 1 ? half + 1 : half;
        assert_int_equal(half_of_float(neighbour(middle, false)), half);
        assert_int_equal(half_of_float(neighbour(middle, true)), half + 1);
        assert_int_equal(half_of_float(middle), even);
        assert_int_equal(half_of_float(-middle), even | 0x8000);
    }
    assert_int_equal(half_of_float(neighbour(65520, false)), 0x7bff);
    assert_int_equal(half_of_float(65520), 0x7c00);
    assert_int_equal(half_of_float(1e-30f), 0);
    assert_int_equal(half_of_float(-0.0f), 0x8000);
}

static void vector_f32__is_exact(void **state) {
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    const float values[] = {0.1f, -0.0f, 1e-45f, 3.4028235e38f, -1.0f / 3};
    mneme_embedding e = stored_form(values, COUNT_OF(values), MNEME_F32, &arena);
    for (size_t i = 0; i < COUNT_OF(values); i++)
        assert_int_equal(bits_of(e.values[i]), bits_of(values[i]));
}

static void vector_i8__is_within_half_a_unit_and_keeps_the_greatest(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++) {
        AUTO_ARENA struct arena arena = {0};
        struct rng rng = {seed};
        float values[64], greatest = 0;
        float scale = power_of_two((int)rng_below(&rng, 200) - 100);
        for (size_t i = 0; i < COUNT_OF(values); i++) {
            values[i] = ((float)rng_below(&rng, 1 << 20) - (1 << 19)) * scale;
            greatest = fabsf(values[i]) > greatest ? fabsf(values[i]) : greatest;
        }
        mneme_embedding e = stored_form(values, COUNT_OF(values), MNEME_I8, &arena);
        for (size_t i = 0; i < COUNT_OF(values); i++) {
            assert_true(fabs((double)e.values[i] - (double)values[i]) <=
                        (double)greatest / 127 * 0.500001);
            if (fabsf(values[i]) == greatest)
                assert_int_equal(bits_of(e.values[i]), bits_of(values[i]));
        }
    }
}

/* What was read and is stored again reads the same: an export and import changes nothing. */
static void vector_forms__are_stable_once_stored(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 300; seed++) {
        AUTO_ARENA struct arena arena = {0};
        struct rng rng = {seed};
        float values[32];
        int exponent = seed % 2 ? -140 : -10; /* odd rounds: values that are not normal */
        for (size_t i = 0; i < COUNT_OF(values); i++)
            values[i] = ((float)rng_below(&rng, 2048) - 1024) * power_of_two(exponent);
        mneme_embedding_format format = seed % 3 ? MNEME_I8 : MNEME_F16;
        mneme_embedding once = stored_form(values, COUNT_OF(values), format, &arena);
        mneme_embedding twice = stored_form(once.values, once.count, format, &arena);
        for (size_t i = 0; i < COUNT_OF(values); i++)
            assert_true(once.values[i] == twice.values[i]);
    }
}

static void vector_i8__of_zeros_is_zeros(void **state) {
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    const float values[] = {0, -0.0f};
    mneme_embedding e = stored_form(values, 2, MNEME_I8, &arena);
    assert_true(e.values[0] == 0 && e.values[1] == 0);
}

static void vector_decode__refuses_what_no_encoder_made(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
    } bad[] = {
        {"", 0},                        /* no format */
        {"\x03", 1},                    /* an unknown one */
        {"\x00\x01\x02\x03", 4},        /* three quarters of a float */
        {"\x00\x00\x00\x80\x7f", 5},    /* infinite */
        {"\x01\x00\x7c", 3},            /* an infinite half */
        {"\x01\x00", 2},                /* half a half */
        {"\x02\x00\x00\x00", 4},        /* no whole scale */
        {"\x02\x00\x00\xc0\x7f\x01", 6} /* the scale is not a number */
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        AUTO_ARENA struct arena arena = {0};
        mneme_embedding e = {.count = 0};
        int status = vector_decode(slice_of(bad[i].bytes, bad[i].size), &arena, &e);
        assert_int_equal(status, MNEME_CORRUPT);
        assert_int_equal(e.count, 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(half__keeps_each_of_its_own_values),
        cmocka_unit_test(half__rounds_to_nearest_even),
        cmocka_unit_test(vector_f32__is_exact),
        cmocka_unit_test(vector_i8__is_within_half_a_unit_and_keeps_the_greatest),
        cmocka_unit_test(vector_forms__are_stable_once_stored),
        cmocka_unit_test(vector_i8__of_zeros_is_zeros),
        cmocka_unit_test(vector_decode__refuses_what_no_encoder_made),
    };
    return cmocka_run_group_tests_name("model/vector", tests, NULL, NULL);
}
