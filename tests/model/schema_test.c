/*
 * schema_test.c - the rules that the tables of fields must keep.
 */
#include "model/schema.h"
#include "model_fixture.h"

static void check_schema(const struct schema *schema) {
    assert_in_range(schema->count, 1, SCHEMA_FIELDS_MAX);
    for (uint32_t i = 0; i < schema->count; i++) {
        const struct field *f = &schema->fields[i];
        bool nested = f->type == FIELD_MESSAGE || f->type == FIELD_LIST || f->type == FIELD_KEYED;
        assert_int_equal(f->number, i + 1);
        assert_true(f->at < schema->size);
        assert_true(nested == (f->schema != NULL));
        assert_true((f->type == FIELD_ENUM) == (f->names != NULL));
        for (uint32_t j = 0; j < i; j++)
            assert_string_not_equal(f->name, schema->fields[j].name);
        if (f->type == FIELD_KEYED)
            assert_int_equal(f->schema->fields[0].at, 0); /* the name is the first member */
        if (nested)
            check_schema(f->schema);
    }
}

static void schema_fields__are_numbered_by_their_row_and_named_once(void **state) {
    (void)state;
    for (int kind = MNEME_EPISODE; kind < MNEME_KIND_COUNT; kind++) {
        if (kind == MNEME_DICTIONARY)
            continue;
        const struct schema *schema = kind_find((mneme_kind)kind)->schema;
        check_schema(schema);
        assert_string_equal(schema->fields[0].name, "id"); /* model_to_json counts on it */
    }
}

static void kind_find__knows_the_kinds_of_users_only(void **state) {
    (void)state;
    assert_null(kind_find(MNEME_KIND_NONE));
    assert_null(kind_find(MNEME_DICTIONARY));
    assert_null(kind_find((mneme_kind)MNEME_KIND_COUNT));
    assert_null(kind_find((mneme_kind)-1));
    for (int kind = MNEME_EPISODE; kind < MNEME_KIND_COUNT; kind++)
        assert_int_equal(kind_is_public((mneme_kind)kind), kind != MNEME_DICTIONARY);
}

static void kind_name__goes_there_and_back(void **state) {
    (void)state;
    for (int kind = MNEME_EPISODE; kind <= MNEME_SUPERSEDED; kind++)
        assert_int_equal(kind_of_name(text_of(kind_name((mneme_kind)kind))), kind);
    assert_string_equal(kind_name(MNEME_CHECKPOINT), "checkpoint");
    assert_null(kind_name(MNEME_KIND_NONE));
    assert_null(kind_name((mneme_kind)77));
    assert_int_equal(kind_of_name(text_of("episodes")), MNEME_KIND_NONE);
    assert_int_equal(kind_of_name(text_of("")), MNEME_KIND_NONE);
}

static void outcome_name__names_every_outcome(void **state) {
    (void)state;
    assert_string_equal(outcome_name(MNEME_OUTCOME_NONE), "open");
    assert_string_equal(outcome_name(MNEME_SUCCESS), "success");
    assert_string_equal(outcome_name(MNEME_PARTIAL_SUCCESS), "partial_success");
    assert_string_equal(outcome_name(MNEME_FAILED), "failure");
    assert_string_equal(outcome_name(MNEME_ABSTAINED), "abstained");
    assert_null(outcome_name((mneme_outcome_kind)5));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(schema_fields__are_numbered_by_their_row_and_named_once),
        cmocka_unit_test(kind_find__knows_the_kinds_of_users_only),
        cmocka_unit_test(kind_name__goes_there_and_back),
        cmocka_unit_test(outcome_name__names_every_outcome),
    };
    return cmocka_run_group_tests_name("model/schema", tests, NULL, NULL);
}
