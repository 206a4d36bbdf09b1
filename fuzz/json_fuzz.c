/*
 * json_fuzz.c - any bytes through the JSON parser; what it takes must be whole and come back.
 */
#include <stdlib.h>

#include "codec/json.h"

static void require(bool condition) {
    if (!condition)
        abort();
}

static void write_number(struct buf *b, const struct json_node *node) {
    int64_t integer;
    double real;
    if (json_int64(node, &integer)) {
        json_put_int(b, integer);
    } else {
        require(json_double(node, &real));
        json_put_double(b, real);
    }
}

static void write_value(struct buf *b, const struct json_node *node) {
    if (node->type == JSON_STRING)
        json_put_string(b, node->text);
    else if (node->type == JSON_NUMBER)
        write_number(b, node);
    else
        buf_append_slice(b, node->raw);
}

/* Every scalar, written and read again, is the same; every value is where it says it is. */
static void check_node(const struct json_node *node, struct slice text) {
    require(node->raw.data >= text.data && node->raw.size > 0);
    require(node->raw.data + node->raw.size <= text.data + text.size);
    require(utf8_valid(node->key) && utf8_valid(node->text));
    size_t size;
    if (node->type == JSON_STRING || node->type == JSON_ARRAY || node->type == JSON_OBJECT)
        require(json_span(node->raw, &size, NULL) == 0 && size == node->raw.size);
    if (node->type == JSON_ARRAY || node->type == JSON_OBJECT)
        return;
    AUTO_BUF struct buf once = BUF_INIT(1 << 24), twice = BUF_INIT(1 << 24);
    AUTO_ARENA struct arena arena = {0};
    const struct json_node *again;
    write_value(&once, node);
    require(json_parse(buf_slice(&once), &arena, &again, NULL) == 0 && again->type == node->type);
    require(node->type != JSON_STRING || slice_equal(again->text, node->text));
    write_value(&twice, again);
    require(slice_equal(buf_slice(&once), buf_slice(&twice)));
}

static void check_children(const struct json_node *node) {
    uint32_t count = 0;
    const struct json_node *end = node + 1;
    for (const struct json_node *c = json_first(node); c; c = json_next(node, c)) {
        require(c == end && c->after > c);
        end = c->after;
        count++;
    }
    require(count == node->count && end == node->after);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice text = slice_of(data, size);
    AUTO_ARENA struct arena arena = {0};
    const struct json_node *root = NULL;
    size_t span = 0;
    int spanned = json_span(text, &span, NULL);
    require(span <= size && (spanned == 0 || span == 0));
    mneme_error error;
    int status = json_parse(text, &arena, &root, &error);
    require(json_check(text, NULL) == status);
    if (status) {
        require(status == MNEME_INVALID || status == MNEME_TOO_LARGE);
        require(error.code == status && error.message[0]);
        return 0;
    }
    for (const struct json_node *node = root; node < root->after; node++) {
        check_node(node, text);
        check_children(node);
    }
    return 0;
}
