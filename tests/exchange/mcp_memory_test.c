/*
 * mcp_memory_test.c - a knowledge graph of the MCP memory server becomes patterns and relations,
 * and nothing of it is lost. The files of data/ were written by the server itself, by a version
 * that keeps unknown members and by one that does not, for a graph made up for this test.
 */
#include "exchange/exchange.h"
#include "exchange_fixture.h"
#include "model/model.h"

#define DATA MNEME_SOURCE_DIR "/tests/exchange/data/"

static const char older[] = DATA "mcp-memory-2025.4.jsonl",
                  newer[] = DATA "mcp-memory-2026.8.jsonl";

/* ---- Helpers ------------------------------------------------------------------------------ */

static mneme_text pair_value(const mneme_pair_list *pairs, const char *name) {
    for (size_t i = 0; i < pairs->count; i++)
        if (text_is(pairs->items[i].name, name))
            return pairs->items[i].value;
    return (mneme_text){NULL, 0};
}

static void put_text(struct buf *b, const char *key, mneme_text text) {
    buf_printf(b, "%s\"%s\":", b->size > 1 ? "," : "", key);
    json_put_string(b, slice_of_text(text));
}

/* The members of a JSON object, behind others. */
static void put_members(struct buf *b, mneme_text object) {
    if (object.size > 2) {
        buf_append_byte(b, ',');
        buf_append(b, object.data + 1, object.size - 2);
    }
}

/* The line that a record was made from. */
static void rebuild(const mneme_record *record, struct buf *b) {
    buf_append_byte(b, '{');
    if (record->kind == MNEME_PATTERN) {
        const mneme_pattern *p = record->as.pattern;
        put_text(b, "type", p->type);
        put_text(b, "name", p->name);
        put_text(b, "entityType", pair_value(&p->metadata, "entityType"));
        put_members(b, p->content);
    } else {
        const mneme_relation *r = record->as.relation;
        bool unnamed = text_is(r->type, "unnamed");
        put_text(b, "type", mneme_text_of("relation"));
        put_text(b, "from", pair_value(&r->metadata, "from"));
        put_text(b, "to", pair_value(&r->metadata, "to"));
        put_text(b, "relationType", unnamed ? pair_value(&r->metadata, "relationType") : r->type);
        put_members(b, pair_value(&r->metadata, "extra"));
    }
    buf_append_byte(b, '}');
}

/* Whether the store has a record of that kind which is rebuilt as this line. */
static bool is_rebuilt(mneme *m, mneme_kind kind, const struct json_node *line,
                       struct arena *arena) {
    mneme_query query = {.kind = kind};
    const mneme_page *page;
    mneme_error error;
    bool found = false;
    OK(mneme_list(m, &query, &page, &error), &error);
    for (size_t i = 0; i < page->count && !found; i++) {
        struct slice copy;
        AUTO_BUF struct buf b = BUF_INIT(JSON_MAX);
        rebuild(page->records[i], &b);
        assert_int_equal(arena_copy(arena, buf_slice(&b), &copy), 0);
        found = json_same(parse_ok(copy, arena), line);
    }
    mneme_page_release(m, page);
    return found;
}

static void assert_all_rebuilt(mneme *m, const char *path) {
    struct file_bytes bytes = file_read(path);
    struct splitter splitter = splitter_of(slice_of(bytes.data, bytes.size));
    const struct format_operations *format;
    struct piece piece;
    mneme_error error;
    OK(format_find("mcp-memory", &format, &error), &error);
    while (format->split(&splitter, &piece, &error) == SPLIT_RECORD) {
        AUTO_ARENA struct arena arena = {0};
        const struct json_node *line = parse_ok(piece.text, &arena);
        bool entity = slice_equal(json_member(line, "type")->text, slice_of_string("entity"));
        if (!is_rebuilt(m, entity ? MNEME_PATTERN : MNEME_RELATION, line, &arena))
            fail_msg("%s:%u is not rebuilt", path, (unsigned)piece.number);
    }
    file_bytes_free(&bytes);
}

static int parse_one(const char *json, struct arena *arena, struct exchange_record *out,
                     mneme_error *error) {
    const struct format_operations *format;
    struct piece piece = {slice_of_string(json), 1, true};
    int status = format_find("mcp-memory", &format, error);
    return status ? status : format->parse(&piece, "x", arena, out, error);
}

/* ---- Cases -------------------------------------------------------------------------------- */

static void exchange_mcp_memory__loses_nothing_of_what_the_server_writes(void **state) {
    (void)state;
    static const char *const paths[] = {older, newer};
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        mneme *m = store_open_quiet("mem:");
        assert_imported(m, paths[i], NULL, 8, 0, 0);
        assert_int_equal(count_records(m, MNEME_PATTERN), 4);
        assert_int_equal(count_records(m, MNEME_RELATION), 4);
        assert_all_rebuilt(m, paths[i]);
        assert_imported(m, paths[i], "mcp-memory", 0, 8, 0);
        store_close_ok(m);
    }
}

static void exchange_mcp_memory__goes_through_jsonl_unchanged(void **state) {
    const struct home *home = *state;
    mneme *m = store_open_quiet("mem:"), *copy = store_open_quiet("mem:");
    assert_imported(m, older, NULL, 8, 0, 0);
    struct buf exported = export_all(m);
    const char *path = home_file(home, "graph.jsonl");
    file_write(path, exported.data, exported.size);
    assert_imported(copy, path, NULL, 8, 0, 0);
    assert_all_rebuilt(copy, older);
    assert_imported(copy, older, NULL, 0, 8, 0);
    struct buf again = export_all(copy);
    assert_same_bytes(&exported, &again);
    buf_fini(&exported);
    buf_fini(&again);
    store_close_ok(m);
    store_close_ok(copy);
}

/* The server writes its file anew with each change: what changed is replaced, under its id. */
static void exchange_mcp_memory__takes_a_newer_state_of_the_same_graph(void **state) {
    (void)state;
    mneme *m = store_open_quiet("mem:");
    assert_imported(m, older, NULL, 8, 0, 0);
    assert_imported(m, newer, NULL, 2, 6, 0);
    assert_int_equal(count_records(m, MNEME_PATTERN), 4);
    assert_all_rebuilt(m, newer);
    store_close_ok(m);
}

/* A relation may stand before its ends, and these may come much later. */
static void exchange_mcp_memory__joins_relations_to_entities_by_name(void **state) {
    const struct home *home = *state;
    mneme *m = store_open_quiet("mem:");
    mneme_query query = {.kind = MNEME_RELATION};
    const mneme_record *found;
    const mneme_page *page;
    mneme_error error;
    assert_imported(
        m,
        file_with(home, "r.jsonl",
                  "{\"type\":\"relation\",\"from\":\"a\",\"to\":\"b\",\"relationType\":\"t\"}\n"
                  "{\"type\":\"entity\",\"name\":\"a\",\"entityType\":\"e\",\"observations\":[]}"),
        NULL, 2, 0, 0);
    OK(mneme_list(m, &query, &page, &error), &error);
    const mneme_relation *r = page->records[0]->as.relation;
    OK(mneme_acquire(m, MNEME_PATTERN, &r->from, &found, &error), &error);
    assert_true(text_is(found->as.pattern->name, "a"));
    mneme_release(m, found);
    REFUSED(mneme_acquire(m, MNEME_PATTERN, &r->to, &found, &error), MNEME_NOT_FOUND, &error);
    assert_imported(
        m,
        file_with(home, "b.jsonl", "{\"type\":\"entity\",\"name\":\"b\",\"entityType\":\"e\"}\n"),
        NULL, 1, 0, 0);
    OK(mneme_acquire(m, MNEME_PATTERN, &r->to, &found, &error), &error);
    mneme_release(m, found);
    mneme_page_release(m, page);
    store_close_ok(m);
}

static void exchange_mcp_memory__tells_names_apart_that_look_alike_when_joined(void **state) {
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    struct exchange_record a, b;
    mneme_error error;
    OK(parse_one("{\"type\":\"relation\",\"from\":\"a,\",\"to\":\"b\",\"relationType\":\"t\"}",
                 &arena, &a, &error),
       &error);
    OK(parse_one("{\"type\":\"relation\",\"from\":\"a\",\"to\":\",b\",\"relationType\":\"t\"}",
                 &arena, &b, &error),
       &error);
    assert_false(id_equal(&a.record.id, &b.record.id));
}

static void exchange_mcp_memory__names_what_is_wrong(void **state) {
    (void)state;
    static const struct {
        const char *json, *message;
    } cases[] = {
        {"[]", "expected an object"},
        {"{\"type\":\"note\"}", "type: expected \"entity\" or \"relation\""},
        {"{\"type\":\"entity\",\"entityType\":\"e\"}", "entity: name: expected a text"},
        {"{\"type\":\"entity\",\"name\":\"n\",\"entityType\":7}",
         "entity: entityType: expected a text"},
        {"{\"type\":\"entity\",\"name\":\"n\",\"entityType\":\"e\",\"observations\":\"o\"}",
         "entity: observations: expected a list of texts"},
        {"{\"type\":\"entity\",\"name\":\"n\",\"entityType\":\"e\",\"observations\":[\"\",7]}",
         "entity: observations[1]: expected a text"},
        {"{\"type\":\"relation\",\"from\":\"a\",\"relationType\":\"t\"}",
         "relation: to: expected a text"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_ARENA struct arena arena = {0};
        struct exchange_record record;
        mneme_error error;
        REFUSED(parse_one(cases[i].json, &arena, &record, &error), MNEME_INVALID, &error);
        assert_string_equal(error.message, cases[i].message);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exchange_mcp_memory__loses_nothing_of_what_the_server_writes),
        cmocka_unit_test_setup_teardown(exchange_mcp_memory__goes_through_jsonl_unchanged,
                                        home_setup, home_teardown),
        cmocka_unit_test(exchange_mcp_memory__takes_a_newer_state_of_the_same_graph),
        cmocka_unit_test_setup_teardown(exchange_mcp_memory__joins_relations_to_entities_by_name,
                                        home_setup, home_teardown),
        cmocka_unit_test(exchange_mcp_memory__tells_names_apart_that_look_alike_when_joined),
        cmocka_unit_test(exchange_mcp_memory__names_what_is_wrong),
    };
    return cmocka_run_group_tests_name("exchange/mcp_memory", tests, NULL, NULL);
}
