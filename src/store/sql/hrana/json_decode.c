/*
 * json_decode.c - an answer in JSON.
 *
 * {"baton":…,"results":[{"type":"ok","response":{"type":"batch","result":
 *  {"step_results":[{"cols":[…],"rows":[[{"type":"integer","value":"1"},…],…],…},null,…],
 *   "step_errors":[null,{"message":…,"code":…},…],"replication_index":…}}},
 *  {"type":"ok","response":{"type":"close"}}]}
 * Members come in any order, and unknown ones are stepped over.
 */
#include <math.h>

#include "codec/json.h"
#include "store/sql/hrana/answer.h"
#include "store/sql/hrana/base64.h"
#include "store/sql/hrana/json_cursor.h"

struct decoder {
    struct json_cursor in;
    struct hrana_answer *answer;
    struct arena *arena;
    struct buf values; /* struct sql_value, of the rows of a step */
    size_t steps;      /* that the program has */
    size_t results_said, errors_said;
    bool answered; /* something was said of the first request */
    int status;    /* MNEME_NO_MEMORY */
};

static bool fail(struct decoder *d, const char *wrong) { return json_cursor_fail(&d->in, wrong); }

static bool fail_memory(struct decoder *d) {
    d->status = MNEME_NO_MEMORY;
    return fail(d, "no memory");
}

/* ---- Values ------------------------------------------------------------------------------ */

/* The members of a value object, as they stand. */
struct raw_value {
    struct json_raw type, text;
    struct slice number;
    enum { CONTENT_NONE, CONTENT_TEXT, CONTENT_NUMBER, CONTENT_NULL } content;
};

static bool read_content(struct decoder *d, struct raw_value *raw) {
    struct json_cursor *in = &d->in;
    if (json_cursor_null(in))
        raw->content = CONTENT_NULL;
    else if (in->at < in->end && *in->at == '"')
        raw->content = json_cursor_string(in, &raw->text) ? CONTENT_TEXT : CONTENT_NONE;
    else
        raw->content = json_cursor_number(in, &raw->number) ? CONTENT_NUMBER : CONTENT_NONE;
    return !in->wrong;
}

static bool raw_value_read(struct decoder *d, struct raw_value *raw) {
    struct slice key;
    bool first = json_cursor_object(&d->in);
    while (json_cursor_member(&d->in, &first, &key)) {
        if (json_key_is(key, "type"))
            json_cursor_string(&d->in, &raw->type);
        else if (json_key_is(key, "value") || json_key_is(key, "base64"))
            read_content(d, raw);
        else
            json_cursor_skip(&d->in);
    }
    return !d->in.wrong;
}

static bool decode_integer(struct decoder *d, const struct raw_value *raw, int64_t *out) {
    struct json_node node = {.type = JSON_NUMBER, .text = raw->text.text};
    return (raw->content == CONTENT_TEXT && node.text.size && json_int64(&node, out)) ||
           fail(d, "an integer that is no string of digits, or does not fit in 64 bits");
}

/* sqld says null for what JSON has no number for: of those SQLite keeps the infinities only, and
 * which of them it was is lost. */
static bool decode_real(struct decoder *d, const struct raw_value *raw, double *out) {
    AUTO_ARENA struct arena arena = {.first_size = 1024};
    const struct json_node *number;
    *out = NAN;
    return raw->content == CONTENT_NULL ||
           (raw->content == CONTENT_NUMBER && json_parse(raw->number, &arena, &number, NULL) == 0 &&
            json_double(number, out)) ||
           fail(d, "a real number that is none, or that no double can hold");
}

static bool decode_text(struct decoder *d, const struct raw_value *raw, struct slice *out) {
    if (raw->content != CONTENT_TEXT)
        return fail(d, "a text that is no string");
    uint8_t *text = arena_alloc(d->arena, raw->text.text.size);
    if (!text)
        return fail_memory(d);
    out->data = text;
    return json_raw_decode(raw->text, text, &out->size) ||
           fail(d, "a text with a bad escape, a control character or bytes that are not UTF-8");
}

static bool decode_blob(struct decoder *d, const struct raw_value *raw, struct slice *out) {
    if (raw->content != CONTENT_TEXT)
        return fail(d, "a blob that is no string");
    uint8_t *bytes = arena_alloc(d->arena, base64_room(raw->text.text.size));
    if (!bytes)
        return fail_memory(d);
    out->data = bytes;
    return base64_get(raw->text.text, bytes, &out->size) || fail(d, "a blob that is not base64");
}

static bool read_value(struct decoder *d, struct sql_value *out) {
    struct raw_value raw = {0};
    if (!raw_value_read(d, &raw))
        return false;
    *out = (struct sql_value){0};
    struct slice type = raw.type.text;
    if (json_key_is(type, "null")) {
        out->type = SQL_NULL;
        return true;
    }
    if (json_key_is(type, "integer")) {
        out->type = SQL_INTEGER;
        return decode_integer(d, &raw, &out->integer);
    }
    if (json_key_is(type, "float")) {
        out->type = SQL_REAL;
        return decode_real(d, &raw, &out->real);
    }
    if (json_key_is(type, "text")) {
        out->type = SQL_TEXT;
        return decode_text(d, &raw, &out->bytes);
    }
    if (json_key_is(type, "blob")) {
        out->type = SQL_BLOB;
        return decode_blob(d, &raw, &out->bytes);
    }
    return fail(d, "a value of a type that is none of null, integer, float, text and blob");
}

/* ---- The result of a step ---------------------------------------------------------------- */

static size_t read_columns(struct decoder *d) {
    size_t count = 0;
    bool first = json_cursor_array(&d->in);
    for (; json_cursor_element(&d->in, &first); count++)
        json_cursor_skip(&d->in);
    return count;
}

/* One row is appended to d->values; how many values it has. */
static size_t read_row(struct decoder *d) {
    size_t count = 0;
    bool first = json_cursor_array(&d->in);
    for (; json_cursor_element(&d->in, &first); count++) {
        struct sql_value value;
        if (!read_value(d, &value))
            break;
        buf_append(&d->values, &value, sizeof value);
        if (d->values.status)
            fail_memory(d);
    }
    return count;
}

/* How many rows; *width is their columns, and stays as it is when there are none. */
static size_t read_rows(struct decoder *d, size_t *width) {
    size_t count = 0;
    bool first = json_cursor_array(&d->in);
    for (; json_cursor_element(&d->in, &first); count++) {
        size_t columns = read_row(d);
        if (count == 0)
            *width = columns;
        else if (columns != *width)
            fail(d, "a row that is not as wide as the one before it");
    }
    return count;
}

static void step_done(struct decoder *d, size_t step, size_t columns, size_t rows) {
    struct slice values;
    if (arena_copy(d->arena, buf_slice(&d->values), &values) != 0) {
        fail_memory(d);
        return;
    }
    struct sql_step_result *result = &d->answer->results->steps[step];
    result->outcome = SQL_DONE;
    result->columns = columns;
    result->rows = rows;
    result->values = (const struct sql_value *)(const void *)values.data;
}

static void read_step_result(struct decoder *d, size_t step) {
    size_t columns = 0, rows = 0, width = SIZE_MAX;
    bool has_columns = false, has_rows = false;
    struct slice key;
    buf_reset(&d->values);
    bool first = json_cursor_object(&d->in);
    while (json_cursor_member(&d->in, &first, &key)) {
        if (json_key_is(key, "cols") && !has_columns) {
            has_columns = true;
            columns = read_columns(d);
        } else if (json_key_is(key, "rows") && !has_rows) {
            has_rows = true;
            rows = read_rows(d, &width);
        } else {
            json_cursor_skip(&d->in);
        }
    }
    if (!has_columns || !has_rows)
        fail(d, "the result of a step without \"cols\" or \"rows\"");
    else if (rows && width != columns)
        fail(d, "rows that are not as wide as there are columns");
    if (!d->in.wrong)
        step_done(d, step, columns, rows);
}

/* ---- Errors ------------------------------------------------------------------------------ */

/* A string that is looked at once; a text that cannot be decoded is taken as it stands. */
static bool read_text(struct decoder *d, struct slice *out) {
    struct json_raw raw;
    if (json_cursor_null(&d->in))
        return true;
    if (!json_cursor_string(&d->in, &raw))
        return false;
    uint8_t *text = arena_alloc(d->arena, raw.text.size);
    if (!text)
        return fail_memory(d);
    *out = slice_of(text, 0);
    if (!json_raw_decode(raw, text, &out->size))
        *out = raw.text;
    return true;
}

static void read_error(struct decoder *d, size_t step) {
    struct slice key, message = {0}, code = {0};
    bool first = json_cursor_object(&d->in);
    while (json_cursor_member(&d->in, &first, &key)) {
        if (json_key_is(key, "message"))
            read_text(d, &message);
        else if (json_key_is(key, "code"))
            read_text(d, &code);
        else
            json_cursor_skip(&d->in);
    }
    if (!d->in.wrong && hrana_answer_failed(d->answer, step, code, message) != 0)
        fail_memory(d);
}

/* ---- The batch ---------------------------------------------------------------------------- */

typedef void read_step(struct decoder *d, size_t step);

/* An array with one element a step, null or what `read` reads. */
static size_t read_steps(struct decoder *d, read_step *read) {
    size_t step = 0;
    bool first = json_cursor_array(&d->in);
    for (; json_cursor_element(&d->in, &first); step++) {
        if (json_cursor_null(&d->in))
            continue;
        if (step >= d->steps)
            fail(d, "results of more steps than the program has");
        else if (d->answer->results->steps[step].outcome != SQL_SKIPPED)
            fail(d, "two results of one step");
        else
            read(d, step);
    }
    return step;
}

/* A number, or a string of one, as sqld writes it; null when the server keeps no log. */
static void read_replication_index(struct decoder *d) {
    struct raw_value raw = {0};
    if (!read_content(d, &raw) || raw.content == CONTENT_NULL)
        return;
    struct json_node node = {.type = JSON_NUMBER,
                             .text = raw.content == CONTENT_TEXT ? raw.text.text : raw.number};
    if (!json_uint64(&node, &d->answer->replication_index))
        fail(d, "a replication_index that is no number");
}

static void read_batch(struct decoder *d) {
    struct slice key;
    bool first = json_cursor_object(&d->in);
    while (json_cursor_member(&d->in, &first, &key)) {
        if (json_key_is(key, "step_results"))
            d->results_said = read_steps(d, read_step_result);
        else if (json_key_is(key, "step_errors"))
            d->errors_said = read_steps(d, read_error);
        else if (json_key_is(key, "replication_index"))
            read_replication_index(d);
        else
            json_cursor_skip(&d->in);
    }
    if (d->results_said != d->steps || d->errors_said != d->steps)
        fail(d, "results of fewer or more steps than the program has");
    d->answered = true;
}

static void read_response(struct decoder *d) {
    struct slice key;
    bool first = json_cursor_object(&d->in);
    while (json_cursor_member(&d->in, &first, &key)) {
        if (json_key_is(key, "result") && !d->answered)
            read_batch(d);
        else
            json_cursor_skip(&d->in);
    }
}

/* What is said of the batch: {"type":"ok","response":…} or {"type":"error","error":…}. */
static void read_result(struct decoder *d) {
    struct slice key;
    bool first = json_cursor_object(&d->in);
    while (json_cursor_member(&d->in, &first, &key)) {
        if (json_key_is(key, "response") && !d->answered) {
            read_response(d);
        } else if (json_key_is(key, "error") && !d->answered) {
            read_error(d, HRANA_REQUEST);
            d->answered = true;
        } else {
            json_cursor_skip(&d->in);
        }
    }
    if (!d->answered)
        fail(d, "a result that is neither an answer to a batch nor an error");
}

static void read_results(struct decoder *d) {
    bool first = json_cursor_array(&d->in);
    while (json_cursor_element(&d->in, &first)) {
        if (d->answered)
            json_cursor_skip(&d->in); /* of `close`: nothing of it matters */
        else
            read_result(d);
    }
}

/* One with escapes is none that we keep. */
static void read_baton(struct decoder *d) {
    struct json_raw raw;
    if (json_cursor_string(&d->in, &raw) && !raw.escaped &&
        arena_copy(d->arena, raw.text, &d->answer->baton))
        fail_memory(d);
}

static void read_body(struct decoder *d) {
    struct slice key;
    bool first = json_cursor_object(&d->in), elsewhere = false;
    while (json_cursor_member(&d->in, &first, &key)) {
        if (json_key_is(key, "results") && !d->answered)
            read_results(d);
        else if (json_key_is(key, "baton") && !json_cursor_null(&d->in))
            read_baton(d);
        else if (json_key_is(key, "base_url") && !json_cursor_null(&d->in))
            elsewhere = json_cursor_skip(&d->in);
        else if (!json_key_is(key, "baton") && !json_key_is(key, "base_url"))
            json_cursor_skip(&d->in);
    }
    json_cursor_end(&d->in);
    if (elsewhere)
        d->answer->baton = slice_of(NULL, 0);
    if (!d->answered)
        fail(d, "no \"results\"");
}

int hrana_decode_json(struct slice body, size_t steps, struct hrana_answer *answer,
                      mneme_error *error) {
    const uint8_t *start = body.size ? body.data : (const uint8_t *)"";
    struct decoder d = {.in = {start, start, start + body.size, NULL},
                        .answer = answer,
                        .arena = &answer->results->arena,
                        .values = BUF_INIT(SIZE_MAX),
                        .steps = steps};
    if (hrana_answer_init(answer, steps) == 0)
        read_body(&d);
    else
        fail_memory(&d);
    buf_fini(&d.values);
    if (d.status)
        return error_set(error, d.status, "no memory for an answer of %zu bytes", body.size);
    if (!d.in.wrong)
        return 0;
    char there[61];
    size_t at = (size_t)(d.in.at - d.in.start), back = size_min(at, 20);
    hrana_excerpt(slice_of(d.in.at - back, body.size - at + back), there, sizeof there);
    return error_set(error, MNEME_CORRUPT, "the answer is not of the protocol: at byte %zu %s: %s",
                     at, d.in.wrong, body.size ? there : "it is empty");
}
