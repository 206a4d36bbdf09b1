/*
 * proto_decode.c - an answer in Protocol Buffers, read in place.
 *
 * The messages are those of docs/HRANA_3_SPEC.md of libsql (appendix) and of
 * libsql-hrana/src/proto.rs:
 *
 *   Answer         { bytes baton=1, base_url=2; repeated Result results=3 }
 *   Result         { oneof: Response ok=1, Error error=2 }
 *   Response       { oneof: BatchResponse batch=3 }
 *   BatchResponse  { BatchResult result=1 }
 *   BatchResult    { map<uint32, StmtResult> step_results=1; map<uint32, Error> step_errors=2 }
 *   StmtResult     { repeated Col cols=1; repeated Row rows=2 }
 *   Row            { repeated Value values=1 }
 *   Value          { oneof: Null null=1, sint64 integer=2, double real=3, string text=4,
 *                           bytes blob=5 }
 *   Error          { bytes message=1, code=2 }
 *
 * A map is a repeated message of key=1 and value=2. Fields come in any order, and unknown ones are
 * stepped over.
 *
 * An answer is mostly values, often tens of thousands. So there are no objects of the messages:
 * a message is a slice of the body, its fields are walked through, and values go where they stay.
 */
#include "store/sql/hrana/answer.h"

static int corrupt(mneme_error *error, const char *wrong) {
    return error_set(error, MNEME_CORRUPT, "the answer is not of the protocol: %s", wrong);
}

/* ---- Fields ------------------------------------------------------------------------------ */

enum wire { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

/* Number and wire type as they stand before a field. */
#define FIELD(number, wire) ((uint32_t)(number) << 3 | (uint32_t)(wire))

struct field {
    uint32_t key;       /* FIELD(…) */
    uint64_t number;    /* of VARINT, and the bits of FIXED64 */
    struct slice bytes; /* of BYTES */
};

/* What is left of a message. `wrong` sticks. */
struct fields {
    const uint8_t *at, *end;
    bool wrong;
};

static struct fields fields_of(struct slice message) {
    static const uint8_t nothing[1];
    const uint8_t *at = message.size ? message.data : nothing;
    return (struct fields){.at = at, .end = at + message.size};
}

static bool fail(struct fields *f) {
    f->wrong = true;
    f->at = f->end;
    return false;
}

static bool read_long_varint(struct fields *f, uint64_t *out) {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && f->at < f->end; shift += 7) {
        uint8_t byte = *f->at++;
        value |= (uint64_t)(byte & 127) << shift;
        if (byte < 128) {
            *out = value;
            return true;
        }
    }
    return fail(f);
}

static inline bool read_varint(struct fields *f, uint64_t *out) {
    if (UNLIKELY(f->at == f->end || *f->at >= 128))
        return read_long_varint(f, out);
    *out = *f->at++;
    return true;
}

static bool read_bytes(struct fields *f, uint64_t size, struct slice *out) {
    if (size > (size_t)(f->end - f->at))
        return fail(f);
    *out = slice_of(f->at, (size_t)size);
    f->at += size;
    return true;
}

/* Fixed widths are little-endian, as the machines we run on. */
static bool read_fixed64(struct fields *f, uint64_t *out) {
    struct slice bytes;
    if (!read_bytes(f, sizeof *out, &bytes))
        return false;
    memcpy(out, bytes.data, sizeof *out);
    return true;
}

/* The next one. False: there is none, or f->wrong. */
static bool next_field(struct fields *f, struct field *out) {
    enum { KEY_MAX = 0x7fffffff };
    uint64_t key, size;
    if (f->at == f->end || !read_varint(f, &key))
        return false;
    if (key > KEY_MAX || key >> 3 == 0)
        return fail(f);
    out->key = (uint32_t)key;
    switch (key & 7) {
    case WIRE_VARINT:
        return read_varint(f, &out->number);
    case WIRE_FIXED64:
        return read_fixed64(f, &out->number);
    case WIRE_BYTES:
        return read_varint(f, &size) && read_bytes(f, size, &out->bytes);
    case WIRE_FIXED32:
        return read_bytes(f, sizeof(uint32_t), &out->bytes);
    default:
        return fail(f);
    }
}

static int no_message(struct slice body, mneme_error *error) {
    char there[61];
    hrana_excerpt(body, there, sizeof there);
    return error_set(error, MNEME_CORRUPT,
                     "the answer is not of the protocol: %zu bytes are no message in Protocol "
                     "Buffers: %s",
                     body.size, there);
}

/* The message in the field `number` of another; *there: is there one? */
static int find_message(struct slice message, unsigned number, struct slice *out, bool *there,
                        mneme_error *error) {
    struct fields f = fields_of(message);
    struct field field;
    *there = false;
    while (next_field(&f, &field))
        if (field.key == FIELD(number, WIRE_BYTES)) {
            *out = field.bytes;
            *there = true;
        }
    return f.wrong ? no_message(message, error) : 0;
}

/* ---- Rows -------------------------------------------------------------------------------- */

static int64_t signed_of(uint64_t zigzag) {
    uint64_t bits = zigzag >> 1 ^ (0 - (zigzag & 1));
    int64_t value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static void take_value(const struct field *field, struct sql_value *out, bool *known) {
    *known = true;
    switch (field->key) {
    case FIELD(1, WIRE_BYTES):
        *out = sql_null();
        break;
    case FIELD(2, WIRE_VARINT):
        *out = sql_integer(signed_of(field->number));
        break;
    case FIELD(3, WIRE_FIXED64):
        *out = (struct sql_value){.type = SQL_REAL};
        memcpy(&out->real, &field->number, sizeof out->real);
        break;
    case FIELD(4, WIRE_BYTES):
        *out = sql_text(field->bytes);
        break;
    case FIELD(5, WIRE_BYTES):
        *out = sql_blob(field->bytes);
        break;
    default:
        *known = false;
    }
}

static int read_value(struct slice message, struct sql_value *out, mneme_error *error) {
    struct fields f = fields_of(message);
    struct field field;
    bool known = false, any = false;
    while (next_field(&f, &field)) {
        take_value(&field, out, &known);
        any |= known;
    }
    if (f.wrong)
        return no_message(message, error);
    if (!any)
        return corrupt(error, "a value of no known type");
    if (out->type == SQL_TEXT && !utf8_valid(out->bytes))
        return corrupt(error, "a text that is not UTF-8");
    return 0;
}

static int read_row(struct slice message, size_t columns, struct sql_value *values,
                    mneme_error *error) {
    struct fields f = fields_of(message);
    struct field field;
    size_t count = 0;
    while (next_field(&f, &field)) {
        if (field.key != FIELD(1, WIRE_BYTES))
            continue;
        if (count < columns)
            TRY(read_value(field.bytes, &values[count], error));
        count++;
    }
    if (f.wrong)
        return no_message(message, error);
    return count == columns ? 0 : corrupt(error, "a row that is not as wide as there are columns");
}

enum { COLS = FIELD(1, WIRE_BYTES), ROWS = FIELD(2, WIRE_BYTES) };

/* *bytes: of all rows. */
static int count_rows(struct slice message, struct sql_step_result *out, size_t *bytes,
                      mneme_error *error) {
    struct fields f = fields_of(message);
    struct field field;
    *bytes = 0;
    while (next_field(&f, &field)) {
        out->columns += field.key == COLS;
        out->rows += field.key == ROWS;
        *bytes += field.key == ROWS ? field.bytes.size : 0;
    }
    return f.wrong ? no_message(message, error) : 0;
}

/* A value takes two bytes at least, so that memory is asked for only where there is something. */
static int make_values(struct arena *arena, const struct sql_step_result *step, size_t bytes,
                       struct sql_value **out, mneme_error *error) {
    size_t count;
    if (!checked_mul(step->rows, step->columns, &count) || count > bytes / 2)
        return corrupt(error, "a row that is not as wide as there are columns");
    *out = arena_alloc(arena, count * sizeof **out);
    return *out ? 0 : error_set(error, MNEME_NO_MEMORY, "no memory for the rows of an answer");
}

static int read_step_result(struct slice message, struct arena *arena, struct sql_step_result *out,
                            mneme_error *error) {
    struct sql_step_result step = {.outcome = SQL_DONE};
    struct sql_value *values = NULL;
    size_t bytes;
    TRY(count_rows(message, &step, &bytes, error));
    TRY(make_values(arena, &step, bytes, &values, error));
    step.values = values;
    struct fields f = fields_of(message);
    struct field field;
    while (next_field(&f, &field))
        if (field.key == ROWS) {
            TRY(read_row(field.bytes, step.columns, values, error));
            values += step.columns;
        }
    *out = step;
    return 0;
}

/* ---- The batch --------------------------------------------------------------------------- */

/* An entry of a map, of one result of the batch. */
struct entry {
    uint64_t step;
    struct slice value;
    bool has_value;
};

static int read_entry(struct slice message, struct entry *out, mneme_error *error) {
    struct fields f = fields_of(message);
    struct field field;
    *out = (struct entry){0};
    while (next_field(&f, &field))
        if (field.key == FIELD(1, WIRE_VARINT))
            out->step = field.number;
    if (f.wrong)
        return no_message(message, error);
    return find_message(message, 2, &out->value, &out->has_value, error);
}

static int check_entry(const struct sql_results *results, const struct entry *entry,
                       mneme_error *error) {
    if (entry->step >= results->count)
        return corrupt(error, "results of more steps than the program has");
    if (!entry->has_value || results->steps[entry->step].outcome != SQL_SKIPPED)
        return corrupt(error, "two results of one step, or an empty one");
    return 0;
}

static int read_error(struct hrana_answer *answer, size_t step, struct slice message,
                      mneme_error *error) {
    struct slice text = {0}, code = {0};
    bool there;
    TRY(find_message(message, 1, &text, &there, error));
    TRY(find_message(message, 2, &code, &there, error));
    if (hrana_answer_failed(answer, step, code, text) != 0)
        return error_set(error, MNEME_NO_MEMORY, "no memory for the text of an error");
    return 0;
}

static int read_batch(struct slice message, struct hrana_answer *answer, mneme_error *error) {
    struct sql_results *results = answer->results;
    struct fields f = fields_of(message);
    struct field field;
    while (next_field(&f, &field)) {
        struct entry entry;
        bool done = field.key == FIELD(1, WIRE_BYTES), failed = field.key == FIELD(2, WIRE_BYTES);
        if (!done && !failed)
            continue;
        TRY(read_entry(field.bytes, &entry, error));
        TRY(check_entry(results, &entry, error));
        if (done)
            TRY(read_step_result(entry.value, &results->arena, &results->steps[entry.step], error));
        else
            TRY(read_error(answer, entry.step, entry.value, error));
    }
    return f.wrong ? no_message(message, error) : 0;
}

static int read_result(struct slice message, struct hrana_answer *answer, mneme_error *error) {
    enum { BATCH = 3, RESULT = 1 };
    struct slice ok, failure, batch = {0}, result = {0};
    bool is_ok, is_failure, has_batch = false, has_result = false;
    TRY(find_message(message, 1, &ok, &is_ok, error));
    TRY(find_message(message, 2, &failure, &is_failure, error));
    if (is_failure)
        return read_error(answer, HRANA_REQUEST, failure, error);
    if (is_ok)
        TRY(find_message(ok, BATCH, &batch, &has_batch, error));
    if (has_batch)
        TRY(find_message(batch, RESULT, &result, &has_result, error));
    if (!has_result)
        return corrupt(error, "a result that is neither an answer to a batch nor an error");
    return read_batch(result, answer, error);
}

int hrana_decode_proto(struct slice body, size_t steps, struct hrana_answer *answer,
                       mneme_error *error) {
    struct fields f = fields_of(body);
    struct field field;
    struct slice result = {0}, baton = {0};
    bool answered = false, moved = false;
    if (hrana_answer_init(answer, steps) != 0)
        return error_set(error, MNEME_NO_MEMORY, "no memory for an answer of %zu bytes", body.size);
    while (next_field(&f, &field)) {
        if (field.key == FIELD(1, WIRE_BYTES))
            baton = field.bytes;
        moved |= field.key == FIELD(2, WIRE_BYTES) && field.bytes.size > 0;
        if (field.key == FIELD(3, WIRE_BYTES) && !answered) {
            result = field.bytes;
            answered = true;
        }
    }
    if (f.wrong)
        return no_message(body, error);
    if (!answered)
        return corrupt(error, "no results");
    if (!moved)
        answer->baton = baton;
    return read_result(result, answer, error);
}
