/*
 * log_fuzz.c - any text as a spec; and any bytes as a value of a line, in both formats: the line is
 * one line, of valid UTF-8 without control characters, within its size, and the JSON can be read.
 */
#include <stdlib.h>

#include "codec/json.h"
#include "os/log_impl.h"

static void require(bool condition) {
    if (!condition)
        abort();
}

static void check_spec(const uint8_t *data, size_t size) {
    uint8_t levels[LOG_LAYER_COUNT] = {99};
    mneme_error error = {0};
    AUTO_BUF struct buf text = BUF_INIT(1 << 20);
    buf_append(&text, data, size);
    buf_append_byte(&text, 0);
    if (text.status)
        return;
    int status = log_spec_parse((const char *)text.data, levels, &error);
    require(status == 0 || (status == MNEME_INVALID && error.message[0] && levels[0] == 99));
    for (size_t i = 0; status == 0 && i < LOG_LAYER_COUNT; i++)
        require(levels[i] <= MNEME_LOG_TRACE);
}

static void check_line(mneme_log_format format, const struct log_field *fields) {
    static const struct log_head head = {.message = "message", .scope = {.op = 1, .req = 2}};
    char line[LOG_LINE_MAX + 1];
    AUTO_ARENA struct arena arena = {0};
    const struct json_node *root;
    size_t size = log_line_write(format, &head, fields, line);
    require(size > 1 && size <= LOG_LINE_MAX && line[size] == 0 && line[size - 1] == '\n');
    size--;
    require(utf8_valid(slice_of(line, size)));
    for (size_t i = 0; i < size; i++)
        require((uint8_t)line[i] >= ' ' && line[i] != 127);
    if (format == MNEME_LOG_JSON) {
        require(json_parse(slice_of(line, size), &arena, &root, NULL) == 0);
        require(root->type == JSON_OBJECT && json_member(root, "ts"));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    mneme_text value = {(const char *)data, size};
    const struct log_field fields[] = {LOG_TEXT("a", value), LOG_WHOLE("n", size),
                                       LOG_TEXT("b", value), LOG_TEXT("c", value),
                                       LOG_TEXT("d", value), {.type = LOG_END}};
    check_spec(data, size);
    check_line(MNEME_LOG_LOGFMT, fields);
    check_line(MNEME_LOG_JSON, fields);
    return 0;
}
