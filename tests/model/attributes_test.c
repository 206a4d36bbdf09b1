/*
 * attributes_test.c - what each kind is indexed under, and what a query may ask for.
 */
#include "codec/codec.h"
#include "model_fixture.h"

/* Encodes the record and checks its attributes, given as "name=value" in their order. */
static void assert_attributes(const mneme_record *record, const char *const *expected,
                              size_t count) {
    AUTO_ARENA struct arena arena = {0};
    AUTO_BUF struct buf body = BUF_INIT(FIXTURE_BUF_MAX);
    struct stored_record stored;
    assert_int_equal(model_encode(record, &arena, &body, &stored, NULL), 0);
    assert_int_equal(stored.attribute_count, count);
    for (size_t i = 0; i < count; i++) {
        AUTO_BUF struct buf pair = BUF_INIT(4096);
        buf_append_slice(&pair, stored.attributes[i].name);
        buf_append_byte(&pair, '=');
        buf_append_slice(&pair, stored.attributes[i].value);
        assert_true(slice_equal(buf_slice(&pair), slice_of_string(expected[i])));
    }
}

static void attributes_of_episode__are_sorted_and_have_the_outcome_always(void **state) {
    (void)state;
    const mneme_text tags[] = {text_of("zeta"), text_of("alpha")};
    const mneme_pair metadata[] = {{text_of("z"), text_of("")}, {text_of("a"), text_of("1")}};
    mneme_episode e = {.task = text_of("t"),
                       .task_type = text_of("debugging"),
                       .context = {.language = text_of("c"), .domain = text_of("storage")},
                       .outcome = {.kind = MNEME_FAILED},
                       .origin = text_of("jsonl:77"),
                       .tags = {tags, 2},
                       .metadata = {metadata, 2}};
    const mneme_record record = RECORD(MNEME_EPISODE, episode, &e);
    const char *const all[] = {"domain=storage", "language=c",      "meta.a=1",
                               "meta.z=",        "origin=jsonl:77", "outcome=failure",
                               "tag=alpha",      "tag=zeta",        "type=debugging"};
    assert_attributes(&record, all, COUNT_OF(all));
    e = (mneme_episode){.task = text_of("t")};
    const char *const none[] = {"outcome=open"};
    assert_attributes(&record, none, COUNT_OF(none));
}

static void attributes_of_other_kinds__are_those_of_the_docstring(void **state) {
    (void)state;
    const mneme_text tag = text_of("x");
    const mneme_pair meta = {text_of("k"), text_of("v")};
    const mneme_step s = {.tool = text_of("t"), .metadata = {&meta, 1}};
    const mneme_pattern p = {.type = text_of("context"),
                             .context = {.framework = text_of("f")},
                             .tags = {&tag, 1},
                             .metadata = {&meta, 1}};
    const mneme_heuristic h = {.tags = {&tag, 1}, .metadata = {&meta, 1}};
    const mneme_checkpoint c = {.episode = id_of(1), .metadata = {&meta, 1}};
    const mneme_relation r = {.type = text_of("caused_by"),
                              .from = {"0123456789abcdef"},
                              .to = {"fedcba9876543210"},
                              .metadata = {&meta, 1}};
    const float value = 1;
    const mneme_embedding e = {
        .subject = {"0123456789abcdef"}, .model = text_of("m"), .values = &value, .count = 1};
    const mneme_superseded lost = {.subject = {"0123456789abcdef"}, .subject_kind = MNEME_PATTERN};
    const mneme_superseded blank = {.subject = {"0123456789abcdef"}};
    const char *const of_superseded[] = {"kind=pattern", "subject=0123456789abcdef"};
    const char *const of_pattern[] = {"framework=f", "meta.k=v", "tag=x", "type=context"};
    const char *const of_heuristic[] = {"meta.k=v", "tag=x"};
    const char *const of_checkpoint[] = {"meta.k=v"};
    const char *const of_relation[] = {"from=0123456789abcdef", "meta.k=v", "to=fedcba9876543210",
                                       "type=caused_by"};
    const char *const of_embedding[] = {"model=m", "subject=0123456789abcdef"};
    assert_attributes(&RECORD(MNEME_STEP, step, &s), NULL, 0);
    assert_attributes(&RECORD(MNEME_SUPERSEDED, superseded, &lost), of_superseded, 2);
    assert_attributes(&RECORD(MNEME_SUPERSEDED, superseded, &blank), of_superseded + 1, 1);
    assert_attributes(&RECORD(MNEME_PATTERN, pattern, &p), of_pattern, COUNT_OF(of_pattern));
    assert_attributes(&RECORD(MNEME_HEURISTIC, heuristic, &h), of_heuristic,
                      COUNT_OF(of_heuristic));
    assert_attributes(&RECORD(MNEME_CHECKPOINT, checkpoint, &c), of_checkpoint,
                      COUNT_OF(of_checkpoint));
    assert_attributes(&RECORD(MNEME_RELATION, relation, &r), of_relation, COUNT_OF(of_relation));
    assert_attributes(&RECORD(MNEME_EMBEDDING, embedding, &e), of_embedding,
                      COUNT_OF(of_embedding));
}

static void attributes_of_random_records__are_a_sorted_set_that_a_store_takes(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 300; seed++) {
        AUTO_ARENA struct arena arena = {0};
        AUTO_BUF struct buf body = BUF_INIT(FIXTURE_BUF_MAX);
        struct rng rng = {seed};
        mneme_record record;
        struct stored_record stored;
        random_record(&rng, &arena, (mneme_kind)(MNEME_EPISODE + seed % 7), &record);
        assert_int_equal(model_encode(&record, &arena, &body, &stored, NULL), 0);
        for (size_t i = 0; i < stored.attribute_count; i++) {
            const struct attribute *a = &stored.attributes[i];
            assert_in_range(a->name.size, 1, STORE_ATTRIBUTE_NAME_MAX);
            assert_in_range(a->value.size, 0, STORE_ATTRIBUTE_VALUE_MAX);
            if (i == 0)
                continue;
            int order = slice_compare(a[-1].name, a->name);
            assert_true(order < 0 || (order == 0 && slice_compare(a[-1].value, a->value) < 0));
        }
    }
}

/* The digest form is the same on both sides, and no text begins as it does. */
static void attribute_value__over_64_bytes_becomes_a_digest(void **state) {
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    AUTO_BUF struct buf body = BUF_INIT(4096);
    char text[65];
    memset(text, 'd', sizeof text);
    const mneme_pair pairs[] = {{text_of("a"), {text, 64}}, {text_of("b"), {text, 65}}};
    const mneme_heuristic h = {.metadata = {pairs, 2}};
    struct stored_record stored;
    uint8_t digest[PACK_SHA256_SIZE];
    assert_int_equal(
        model_encode(&RECORD(MNEME_HEURISTIC, heuristic, &h), &arena, &body, &stored, NULL), 0);
    assert_true(slice_equal(stored.attributes[0].value, slice_of(text, 64)));
    assert_int_equal(stored.attributes[1].value.size, 32);
    assert_int_equal(stored.attributes[1].value.data[0], 0xff);
    sha256(slice_of(text, 65), digest);
    assert_memory_equal(stored.attributes[1].value.data + 1, digest, 31);
    struct attribute asked;
    const mneme_pair query = {text_of("meta.b"), {text, 65}};
    assert_int_equal(model_attribute(MNEME_HEURISTIC, &query, &arena, &asked, NULL), 0);
    assert_true(slice_equal(asked.name, stored.attributes[1].name));
    assert_true(slice_equal(asked.value, stored.attributes[1].value));
}

static void model_attribute__takes_ids_as_text(void **state) {
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    struct attribute out;
    mneme_error error = {0};
    const mneme_id id = id_of(0x57);
    const mneme_pair pair = {text_of("from"), text_of("01890a5d-ac96-774b-bcce-000000000057")};
    assert_int_equal(model_attribute(MNEME_RELATION, &pair, &arena, &out, &error), 0);
    assert_true(slice_equal(out.value, slice_of(id.bytes, 16)));
    const mneme_pair bad = {text_of("subject"), text_of("57")};
    int status = model_attribute(MNEME_EMBEDDING, &bad, &arena, &out, &error);
    assert_refused(status, MNEME_INVALID, &error,
                   "subject: \"57\" is not an id; ids look like "
                   "01890a5d-ac96-774b-bcce-b302099a8057");
}

static void model_attribute__refuses_what_the_kind_has_not(void **state) {
    (void)state;
    static const struct {
        mneme_kind kind;
        const char *name, *value, *message;
    } rows[] = {
        {MNEME_EPISODE, "taks", "x",
         "episode has no attribute \"taks\"; it has type, language, framework, domain, outcome, "
         "tag, meta.NAME, origin"},
        {MNEME_HEURISTIC, "type", "x",
         "heuristic has no attribute \"type\"; it has tag, meta.NAME"},
        {MNEME_PATTERN, "meta.", "x",
         "pattern has no attribute \"meta.\"; it has type, language, framework, domain, tag, "
         "meta.NAME"},
        {MNEME_STEP, "tool", "x", "a step has no attributes to ask for"},
        {MNEME_EPISODE, "outcome", "failed",
         "outcome \"failed\" is none of open, success, partial_success, failure, abstained"},
        {MNEME_EPISODE, "tag", "\xff", "attribute name and value must be valid UTF-8"},
        {MNEME_DICTIONARY, "tag", "x", "kind 8 has no attributes"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_ARENA struct arena arena = {0};
        struct attribute out;
        mneme_error error = {0};
        const mneme_pair pair = {text_of(rows[i].name), text_of(rows[i].value)};
        int status = model_attribute(rows[i].kind, &pair, &arena, &out, &error);
        assert_refused(status, MNEME_INVALID, &error, rows[i].message);
    }
}

static void model_attribute__refuses_names_over_the_limit(void **state) {
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    struct attribute out;
    mneme_error error = {0};
    char name[STORE_ATTRIBUTE_NAME_MAX + 1];
    memset(name, 'n', sizeof name);
    memcpy(name, "meta.", 5);
    mneme_pair pair = {{name, STORE_ATTRIBUTE_NAME_MAX}, text_of("v")};
    assert_int_equal(model_attribute(MNEME_EPISODE, &pair, &arena, &out, &error), 0);
    pair.name.size++;
    assert_refused(model_attribute(MNEME_EPISODE, &pair, &arena, &out, &error), MNEME_TOO_LARGE,
                   &error, "attribute name of 1030 bytes; at most 1029");
}

static void model_attribute__reports_a_failed_allocation(void **state) {
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    struct attribute out;
    mneme_error error = {0};
    const mneme_pair pair = {text_of("to"), text_of("01890a5d-ac96-774b-bcce-000000000057")};
    mem_fail_after(1);
    int status = model_attribute(MNEME_RELATION, &pair, &arena, &out, &error);
    mem_fail_after(0);
    assert_refused(status, MNEME_NO_MEMORY, &error, "out of memory");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attributes_of_episode__are_sorted_and_have_the_outcome_always),
        cmocka_unit_test(attributes_of_other_kinds__are_those_of_the_docstring),
        cmocka_unit_test(attributes_of_random_records__are_a_sorted_set_that_a_store_takes),
        cmocka_unit_test(attribute_value__over_64_bytes_becomes_a_digest),
        cmocka_unit_test(model_attribute__takes_ids_as_text),
        cmocka_unit_test(model_attribute__refuses_what_the_kind_has_not),
        cmocka_unit_test(model_attribute__refuses_names_over_the_limit),
        cmocka_unit_test(model_attribute__reports_a_failed_allocation),
    };
    return cmocka_run_group_tests_name("model/attributes", tests, NULL, NULL);
}
