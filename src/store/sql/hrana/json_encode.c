/*
 * json_encode.c - a program as JSON (docs/HRANA_3_SPEC.md of libsql, "Hrana over HTTP").
 *
 * Integers are strings, and neither they nor base64 may hold an escape: sqld reads both without
 * copying and refuses the request otherwise.
 */
#include <math.h>

#include "codec/json.h"
#include "store/sql/hrana/base64.h"
#include "store/sql/hrana/encode.h"

static int put_value(struct buf *b, const struct sql_value *value, mneme_error *error) {
    switch (value->type) {
    case SQL_NULL:
        buf_append_string(b, "{\"type\":\"null\"}");
        return 0;
    case SQL_INTEGER:
        buf_append_string(b, "{\"type\":\"integer\",\"value\":\"");
        json_put_int(b, value->integer);
        buf_append_string(b, "\"}");
        return 0;
    case SQL_REAL:
        if (!isfinite(value->real))
            return error_set(error, MNEME_INVALID,
                             "a real number that is not finite cannot be sent as JSON");
        buf_append_string(b, "{\"type\":\"float\",\"value\":");
        json_put_double(b, value->real);
        buf_append_byte(b, '}');
        return 0;
    case SQL_TEXT:
        buf_append_string(b, "{\"type\":\"text\",\"value\":");
        json_put_string(b, value->bytes);
        buf_append_byte(b, '}');
        return 0;
    case SQL_BLOB:
        buf_append_string(b, "{\"type\":\"blob\",\"base64\":\"");
        base64_put(b, value->bytes, true);
        buf_append_string(b, "\"}");
        return 0;
    }
    return 0;
}

static void put_condition(struct buf *b, const struct sql_step *step) {
    if (step->guard == SQL_ALWAYS)
        return;
    bool negated = step->guard == SQL_IF_NOT_DONE;
    buf_append_string(b, "\"condition\":");
    buf_append_string(b, negated ? "{\"type\":\"not\",\"cond\":" : "");
    buf_append_string(b, "{\"type\":\"ok\",\"step\":");
    json_put_uint(b, step->guard_step);
    buf_append_string(b, negated ? "}}," : "},");
}

static int put_step(struct buf *b, const struct sql_step *step, mneme_error *error) {
    buf_append_byte(b, '{');
    put_condition(b, step);
    buf_append_string(b, "\"stmt\":{\"sql\":");
    json_put_string(b, step->sql);
    if (step->arg_count)
        buf_append_string(b, ",\"args\":[");
    for (size_t i = 0; i < step->arg_count; i++) {
        if (i)
            buf_append_byte(b, ',');
        TRY(put_value(b, &step->args[i], error));
    }
    buf_append_string(b, step->arg_count ? "]}}" : "}}");
    return 0;
}

int hrana_encode_json(struct buf *b, const struct sql_program *program, uint64_t replication_index,
                      mneme_error *error) {
    buf_append_string(b, "{\"requests\":[{\"type\":\"batch\",\"batch\":{\"steps\":[");
    for (size_t i = 0; i < program->count; i++) {
        if (i)
            buf_append_byte(b, ',');
        TRY(put_step(b, &program->steps[i], error));
    }
    buf_append_byte(b, ']');
    if (replication_index) {
        buf_append_string(b, ",\"replication_index\":\"");
        json_put_uint(b, replication_index);
        buf_append_byte(b, '"');
    }
    buf_append_string(b, "}},{\"type\":\"close\"}]}");
    return hrana_encode_status(b, error);
}

int hrana_encode_status(const struct buf *b, mneme_error *error) {
    if (b->status == MNEME_TOO_LARGE)
        return error_set(error, MNEME_TOO_LARGE,
                         "a request of more than %zu bytes; write fewer records at once", b->max);
    if (b->status)
        return error_set(error, b->status, "no memory for a request of %zu bytes", b->size);
    return 0;
}
