/*
 * golden_test.c - one record of each kind and its bytes, as this version writes them. Stores and
 * exports of older versions hold such bytes: a test that fails here means that old data would not
 * be read any more, or would be read as something else. Add rows; never change one.
 */
#include "model_fixture.h"

#define T(literal)                                                                                 \
    { literal, sizeof(literal) - 1 }
#define ITEMS(array)                                                                               \
    { (array), COUNT_OF(array) }
#define UUID(last)                                                                                 \
    {                                                                                              \
        { 1, 0x89, 0x0a, 0x5d, 0xac, 0x96, 0x77, 0x4b, 0xbc, 0xce, 0, 0, 0, 0, 0, last }           \
    }
#define START INT64_C(1763712120000001)

static const mneme_pair metadata[] = {{T("model"), T("m-1")}, {T("empty"), T("")}};
static const mneme_text tags[] = {T("red"), T("caf\xc3\xa9")};
static const mneme_text words[] = {T("one"), T("")};

static const mneme_step steps[] = {
    {.id = UUID(1),
     .number = 1,
     .time_us = START,
     .tool = T("grep"),
     .parameters = T("{\"q\": 1.0}"),
     .result = MNEME_RESULT_SUCCESS,
     .output = T("a\nb\0c"),
     .has_latency = true,
     .has_tokens = true,
     .tokens = 12},
    {.id = UUID(2),
     .number = 2,
     .time_us = START + 1500,
     .action = T("edit"),
     .parameters = T("not json"),
     .result = MNEME_RESULT_ERROR,
     .metadata = ITEMS(metadata)},
    {.id = UUID(3), .number = 9, .time_us = START + 1400, .result = MNEME_RESULT_TIMEOUT},
};
static const mneme_reward_part parts[] = {{T("speed"), 0.1}};
static const mneme_applied_pattern applied[] = {{UUID(4), 2, MNEME_EFFECT_HELPED}};
static const mneme_message messages[] = {{T("user"), T("fix it"), 0, T("{\"n\":null}")},
                                         {T("assistant"), T(""), 2, T("")}};

static const mneme_episode sealed_episode = {
    .id = UUID(5),
    .task = T("fix the test"),
    .task_type = T("debugging"),
    .context = {T("c"), T("cmocka"), T("storage"), T("simple")},
    .start_us = START,
    .end_us = START + 60000000,
    .outcome = {MNEME_SUCCESS, T("good"), T("why"), ITEMS(words), ITEMS(tags), ITEMS(words)},
    .reward = {.present = true, .total = 1, .parts = parts, .part_count = 1},
    .reflection = {ITEMS(words), ITEMS(words), ITEMS(tags)},
    .applied = applied,
    .applied_count = 1,
    .steps = ITEMS(steps),
    .messages = messages,
    .message_count = 2,
    .metadata = ITEMS(metadata),
    .tags = ITEMS(tags),
    .origin = T("tau-bench:00ff"),
    .extra = T("{\"trial\":0}"),
};
static const mneme_episode open_episode = {
    .id = UUID(6), .task = T("go on"), .task_type = T("other"), .start_us = START};
static const mneme_pattern pattern = {
    .id = UUID(7),
    .type = T("tool_sequence"),
    .name = T("look first"),
    .description = T("d"),
    .content = T("[\"grep\",\"edit\"]"),
    .created_us = START,
    .success_rate = 0.75,
    .occurrences = 300,
    .effectiveness = {1, 2, 3, UINT64_MAX, -0.0},
    .context = {T("c"), T(""), T(""), T("")},
    .tags = ITEMS(tags),
    .metadata = ITEMS(metadata),
};
static const mneme_id evidence[] = {UUID(5), UUID(6)};
static const mneme_heuristic heuristic = {
    .id = UUID(8),
    .condition = T("a test fails"),
    .action = T("read it"),
    .confidence = 0.9,
    .created_us = START,
    .evidence = evidence,
    .evidence_count = 2,
    .tags = ITEMS(tags),
    .metadata = ITEMS(metadata),
};
static const mneme_relation relation = {
    .id = UUID(9),
    .type = T("caused_by"),
    .from = UUID(5),
    .to = UUID(7),
    .from_kind = MNEME_EPISODE,
    .to_kind = MNEME_PATTERN,
    .weight = 1e300,
    .created_us = START,
    .metadata = ITEMS(metadata),
};
static const float values[] = {0.5f, -127.0f / 64, 0}; /* exact in every form */
#define EMBEDDING(form)                                                                            \
    {                                                                                              \
        .id = UUID(10), .subject = UUID(5), .subject_kind = MNEME_EPISODE, .model = T("mini"),     \
        .stored_as = (form), .values = values, .count = 3, .created_us = START                     \
    }
static const mneme_embedding f32 = EMBEDDING(MNEME_F32);
static const mneme_embedding f16 = EMBEDDING(MNEME_F16);
static const mneme_embedding i8 = EMBEDDING(MNEME_I8);
static const mneme_text lost_fields[] = {T("tags"), T("end")};
static const mneme_superseded superseded = {
    .id = UUID(12),
    .subject = UUID(5),
    .subject_kind = MNEME_EPISODE,
    .reason = T("edited elsewhere"),
    .fields = ITEMS(lost_fields),
    .lost = T("{\"kind\":\"episode\"}"),
    .lost_clock = 5,
    .lost_device = UINT64_MAX,
    .kept_clock = 6,
    .kept_device = 1,
    .time_us = START,
};
static const mneme_checkpoint checkpoint = {
    .id = UUID(11),
    .episode = UUID(5),
    .step = 2,
    .note = T("half way"),
    .state = T("{\"open\":[1,2]}"),
    .created_us = START,
    .metadata = ITEMS(metadata),
};

static const struct {
    mneme_record record;
    const char *body; /* in hexadecimal */
    const char *json;
} rows[] = {
    {{.kind = MNEME_EPISODE, .version = {0x19aa6e5f1230001, 255}, .as.episode = &sealed_episode},
     "0a0c6669782074686520746573740e09646562756767696e67121c0601630a06636d6f636b610e077374"
     "6f72616765120673696d706c6518809c9c391e2704010a04676f6f640e0377687912036f6e6512001603"
     "7265641605636166c3a91a036f6e651a00221b05000000000000f03f0a1006057370656564099a999999"
     "9999b93f261a06036f6e6506000a036f6e650a000e037265640e05636166c3a92a16061001890a5dac96"
     "774bbcce00000000000408020c012e037265642e05636166c3a9320c06056d6f64656c0a036d2d313207"
     "0605656d707479360e7461752d62656e63683a303066663a0b7b22747269616c223a307d3e3106100189"
     "0a5dac96774bbcce0000000000011204677265701a0a7b2271223a20312e307d1c012205610a62006324"
     "0028183e3e061001890a5dac96774bbcce0000000000020cb8171604656469741a086e6f74206a736f6e"
     "1c022e0c06056d6f64656c0a036d2d312e070605656d7074793e19061001890a5dac96774bbcce000000"
     "00000308090cc7011c03421a0604757365720a06666978206974120a7b226e223a6e756c6c7d420d0609"
     "617373697374616e740c02",
     "{\"kind\":\"episode\",\"id\":\"01890a5d-ac96-774b-bcce-000000000005\",\"version\":\""
     "019aa6e5f1230001-00000000000000ff\",\"task\":\"fix the test\",\"task_type\":\"debugg"
     "ing\",\"context\":{\"language\":\"c\",\"framework\":\"cmocka\",\"domain\":\"storage"
     "\",\"complexity\":\"simple\"},\"start\":\"2025-11-21T08:02:00.000001Z\",\"end\":\"20"
     "25-11-21T08:03:00.000001Z\",\"outcome\":{\"kind\":\"success\",\"verdict\":\"good\","
     "\"reason\":\"why\",\"completed\":[\"one\",\"\"],\"failed\":[\"red\",\"café\"],\"arti"
     "facts\":[\"one\",\"\"]},\"reward\":{\"total\":1,\"parts\":{\"speed\":0.1}},\"reflect"
     "ion\":{\"successes\":[\"one\",\"\"],\"improvements\":[\"one\",\"\"],\"insights\":[\""
     "red\",\"café\"]},\"applied\":[{\"pattern\":\"01890a5d-ac96-774b-bcce-000000000004\","
     "\"step\":2,\"effect\":\"helped\"}],\"tags\":[\"red\",\"café\"],\"metadata\":{\"model"
     "\":\"m-1\",\"empty\":\"\"},\"origin\":\"tau-bench:00ff\",\"extra\":{\"trial\":0},\"s"
     "teps\":[{\"id\":\"01890a5d-ac96-774b-bcce-000000000001\",\"number\":1,\"time\":\"202"
     "5-11-21T08:02:00.000001Z\",\"tool\":\"grep\",\"parameters\":{\"q\": 1.0},\"result\":"
     "\"success\",\"output\":\"a\\nb\\u0000c\",\"latency_ms\":0,\"tokens\":12},{\"id\":\"0"
     "1890a5d-ac96-774b-bcce-000000000002\",\"number\":2,\"time\":\"2025-11-21T08:02:00.00"
     "1501Z\",\"action\":\"edit\",\"parameters\":\"not json\",\"result\":\"error\",\"metad"
     "ata\":{\"model\":\"m-1\",\"empty\":\"\"}},{\"id\":\"01890a5d-ac96-774b-bcce-00000000"
     "0003\",\"number\":9,\"time\":\"2025-11-21T08:02:00.001401Z\",\"result\":\"timeout\"}"
     "],\"messages\":[{\"role\":\"user\",\"text\":\"fix it\",\"extra\":{\"n\":null}},{\"ro"
     "le\":\"assistant\",\"after_step\":2}]}"},
    {{.kind = MNEME_EPISODE, .as.episode = &open_episode},
     "0a05676f206f6e0e056f74686572",
     "{\"kind\":\"episode\",\"id\":\"01890a5d-ac96-774b-bcce-000000000006\",\"task\":\"go "
     "on\",\"task_type\":\"other\",\"start\":\"2025-11-21T08:02:00.000001Z\"}"},
    {{.kind = MNEME_STEP, .parent = UUID(6), .as.step = &steps[1]},
     "1604656469741a086e6f74206a736f6e1c022e0c06056d6f64656c0a036d2d312e070605656d707479",
     "{\"kind\":\"step\",\"id\":\"01890a5d-ac96-774b-bcce-000000000002\",\"episode\":\"018"
     "90a5d-ac96-774b-bcce-000000000006\",\"number\":2,\"time\":\"2025-11-21T08:02:00.0015"
     "01Z\",\"action\":\"edit\",\"parameters\":\"not json\",\"result\":\"error\",\"metadat"
     "a\":{\"model\":\"m-1\",\"empty\":\"\"}}"},
    {{.kind = MNEME_PATTERN, .as.pattern = &pattern},
     "0a0d746f6f6c5f73657175656e63650e0a6c6f6f6b206669727374120164160f5b2267726570222c2265"
     "646974225d1d000000000000e83f20ac02261a040108020c0310ffffffffffffffffff01150000000000"
     "0000802a030601632e037265642e05636166c3a9320c06056d6f64656c0a036d2d3132070605656d7074"
     "79",
     "{\"kind\":\"pattern\",\"id\":\"01890a5d-ac96-774b-bcce-000000000007\",\"type\":\"too"
     "l_sequence\",\"name\":\"look first\",\"description\":\"d\",\"content\":[\"grep\",\"e"
     "dit\"],\"created\":\"2025-11-21T08:02:00.000001Z\",\"success_rate\":0.75,\"occurrenc"
     "es\":300,\"effectiveness\":{\"retrieved\":1,\"applied\":2,\"success\":3,\"failure\":"
     "18446744073709551615,\"reward_delta\":-0.0},\"context\":{\"language\":\"c\"},\"tags"
     "\":[\"red\",\"café\"],\"metadata\":{\"model\":\"m-1\",\"empty\":\"\"}}"},
    {{.kind = MNEME_HEURISTIC, .as.heuristic = &heuristic},
     "0a0c612074657374206661696c730e077265616420697411cdccccccccccec3f1a2001890a5dac96774b"
     "bcce00000000000501890a5dac96774bbcce0000000000061e037265641e05636166c3a9220c06056d6f"
     "64656c0a036d2d3122070605656d707479",
     "{\"kind\":\"heuristic\",\"id\":\"01890a5d-ac96-774b-bcce-000000000008\",\"condition"
     "\":\"a test fails\",\"action\":\"read it\",\"confidence\":0.9,\"created\":\"2025-11-"
     "21T08:02:00.000001Z\",\"evidence\":[\"01890a5d-ac96-774b-bcce-000000000005\",\"01890"
     "a5d-ac96-774b-bcce-000000000006\"],\"tags\":[\"red\",\"café\"],\"metadata\":{\"model"
     "\":\"m-1\",\"empty\":\"\"}}"},
    {{.kind = MNEME_RELATION, .as.relation = &relation},
     "0a096361757365645f62790e1001890a5dac96774bbcce0000000000051001161001890a5dac96774bbc"
     "ce00000000000718031d9c7500883ce4377e260c06056d6f64656c0a036d2d3126070605656d707479",
     "{\"kind\":\"relation\",\"id\":\"01890a5d-ac96-774b-bcce-000000000009\",\"type\":\"ca"
     "used_by\",\"from\":\"01890a5d-ac96-774b-bcce-000000000005\",\"from_kind\":\"episode"
     "\",\"to\":\"01890a5d-ac96-774b-bcce-000000000007\",\"to_kind\":\"pattern\",\"weight"
     "\":1e300,\"created\":\"2025-11-21T08:02:00.000001Z\",\"metadata\":{\"model\":\"m-1\""
     ",\"empty\":\"\"}}"},
    {{.kind = MNEME_EMBEDDING, .as.embedding = &f32},
     "0a1001890a5dac96774bbcce0000000000050c0112046d696e691e0d000000003f0000febf00000000",
     "{\"kind\":\"embedding\",\"id\":\"01890a5d-ac96-774b-bcce-00000000000a\",\"subject\":"
     "\"01890a5d-ac96-774b-bcce-000000000005\",\"subject_kind\":\"episode\",\"model\":\"mi"
     "ni\",\"created\":\"2025-11-21T08:02:00.000001Z\",\"values\":[0.5,-1.984375,0]}"},
    {{.kind = MNEME_EMBEDDING, .as.embedding = &f16},
     "0a1001890a5dac96774bbcce0000000000050c0112046d696e691e07010038f0bf0000",
     "{\"kind\":\"embedding\",\"id\":\"01890a5d-ac96-774b-bcce-00000000000a\",\"subject\":"
     "\"01890a5d-ac96-774b-bcce-000000000005\",\"subject_kind\":\"episode\",\"model\":\"mi"
     "ni\",\"created\":\"2025-11-21T08:02:00.000001Z\",\"stored_as\":\"f16\",\"values\":[0"
     ".5,-1.984375,0]}"},
    {{.kind = MNEME_EMBEDDING, .as.embedding = &i8},
     "0a1001890a5dac96774bbcce0000000000050c0112046d696e691e08020000fe3f208100",
     "{\"kind\":\"embedding\",\"id\":\"01890a5d-ac96-774b-bcce-00000000000a\",\"subject\":"
     "\"01890a5d-ac96-774b-bcce-000000000005\",\"subject_kind\":\"episode\",\"model\":\"mi"
     "ni\",\"created\":\"2025-11-21T08:02:00.000001Z\",\"stored_as\":\"i8\",\"values\":[0."
     "5,-1.984375,0]}"},
    {{.kind = MNEME_CHECKPOINT, .as.checkpoint = &checkpoint},
     "0c02120868616c6620776179160e7b226f70656e223a5b312c325d7d1e0c06056d6f64656c0a036d2d31"
     "1e070605656d707479",
     "{\"kind\":\"checkpoint\",\"id\":\"01890a5d-ac96-774b-bcce-00000000000b\",\"episode\""
     ":\"01890a5d-ac96-774b-bcce-000000000005\",\"step\":2,\"note\":\"half way\",\"state\""
     ":{\"open\":[1,2]},\"created\":\"2025-11-21T08:02:00.000001Z\",\"metadata\":{\"model"
     "\":\"m-1\",\"empty\":\"\"}}"},
    {{.kind = MNEME_SUPERSEDED, .as.superseded = &superseded},
     "0a1001890a5dac96774bbcce0000000000050c01121065646974656420656c73657768657265"
     "1604746167731603656e641a127b226b696e64223a22657069736f6465227d1c0520ffffffff"
     "ffffffffff0124062801",
     "{\"kind\":\"superseded\",\"id\":\"01890a5d-ac96-774b-bcce-00000000000c\",\"subj"
     "ect\":\"01890a5d-ac96-774b-bcce-000000000005\",\"subject_kind\":\"episode\",\""
     "reason\":\"edited elsewhere\",\"fields\":[\"tags\",\"end\"],\"lost\":{\"kind\":\"epi"
     "sode\"},\"lost_clock\":5,\"lost_device\":18446744073709551615,\"kept_clock\":"
     "6,\"kept_device\":1,\"time\":\"2025-11-21T08:02:00.000001Z\"}"},
};

static void put_hex(struct buf *b, struct slice bytes) {
    for (size_t i = 0; i < bytes.size; i++)
        buf_printf(b, "%02x", bytes.data[i]);
}

static void assert_same(const char *expected, const struct buf *made) {
    assert_int_equal(made->status, 0);
    if (!slice_equal(slice_of_string(expected), buf_slice(made)))
        fail_msg("expected %s\nbut it is %.*s", expected, (int)made->size, (char *)made->data);
}

static void golden_bodies__are_written_as_ever(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_ARENA struct arena arena = {0};
        AUTO_BUF struct buf body = BUF_INIT(4096), hex = BUF_INIT(8192);
        struct stored_record stored;
        assert_int_equal(model_encode(&rows[i].record, &arena, &body, &stored, NULL), 0);
        put_hex(&hex, buf_slice(&body));
        assert_same(rows[i].body, &hex);
    }
}

static uint8_t hex_value(char c) { return (uint8_t)(c <= '9' ? c - '0' : c - 'a' + 10); }

static void golden_bodies__are_read_as_ever(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_ARENA struct arena arena = {0};
        AUTO_BUF struct buf body = BUF_INIT(4096), unused = BUF_INIT(4096), json = BUF_INIT(8192);
        struct stored_record stored;
        mneme_record decoded;
        for (const char *hex = rows[i].body; *hex; hex += 2)
            buf_append_byte(&body, (uint8_t)(hex_value(hex[0]) << 4 | hex_value(hex[1])));
        assert_int_equal(model_encode(&rows[i].record, &arena, &unused, &stored, NULL), 0);
        stored.version = rows[i].record.version;
        assert_int_equal(model_decode(&stored, buf_slice(&body), &arena, &decoded, NULL), 0);
        assert_int_equal(model_to_json(&decoded, &json, NULL), 0);
        assert_same(rows[i].json, &json);
    }
}

static void golden_lines__are_written_and_read_as_ever(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_ARENA struct arena arena = {0};
        AUTO_BUF struct buf json = BUF_INIT(8192), body = BUF_INIT(4096), hex = BUF_INIT(8192);
        struct stored_record stored;
        mneme_record read;
        assert_int_equal(model_to_json(&rows[i].record, &json, NULL), 0);
        assert_same(rows[i].json, &json);
        assert_int_equal(
            model_from_json(slice_of_string(rows[i].json), MNEME_KIND_NONE, &arena, &read, NULL),
            0);
        assert_int_equal(model_encode(&read, &arena, &body, &stored, NULL), 0);
        put_hex(&hex, buf_slice(&body));
        assert_same(rows[i].body, &hex);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_bodies__are_written_as_ever),
        cmocka_unit_test(golden_bodies__are_read_as_ever),
        cmocka_unit_test(golden_lines__are_written_and_read_as_ever),
    };
    return cmocka_run_group_tests_name("model/golden", tests, NULL, NULL);
}
