/*
 * proto_decode.c - an answer in Protocol Buffers, by the code that protoc-c makes of hrana.proto.
 */
#include <hrana.pb-c.h>

#include "store/sql/hrana/answer.h"

/*
 * The unpacked messages lie in the results' arena, where the blobs then stay. What a message takes
 * is many times what it takes on the wire: an empty row is two bytes there and 56 here. So it is
 * bounded, above what an honest answer of net's largest size needs.
 */
static const size_t UNPACKED_MAX = (size_t)512 << 20;

struct bounded_arena {
    struct arena *arena;
    size_t left;
    int status; /* of the first allocation that failed */
};

static void *bounded_alloc(void *context, size_t size) {
    struct bounded_arena *bounded = context;
    bool fits = size <= bounded->left;
    void *block = fits ? arena_alloc(bounded->arena, size) : NULL;
    if (block)
        bounded->left -= size;
    else if (!bounded->status)
        bounded->status = fits ? MNEME_NO_MEMORY : MNEME_TOO_LARGE;
    return block;
}

static void bounded_free(void *context, void *block) {
    (void)context;
    (void)block; /* with the arena */
}

static struct slice slice_of_binary(ProtobufCBinaryData data) {
    return slice_of(data.data, data.len);
}

static int corrupt(mneme_error *error, const char *wrong) {
    return error_set(error, MNEME_CORRUPT, "the answer is not of the protocol: %s", wrong);
}

/* ---- Steps ------------------------------------------------------------------------------- */

static int read_value(const Hrana__Value *value, struct sql_value *out, mneme_error *error) {
    switch (value->value_case) {
    case HRANA__VALUE__VALUE_NULL:
        out->type = SQL_NULL;
        return 0;
    case HRANA__VALUE__VALUE_INTEGER:
        out->type = SQL_INTEGER;
        out->integer = value->integer;
        return 0;
    case HRANA__VALUE__VALUE_REAL:
        out->type = SQL_REAL;
        out->real = value->real;
        return 0;
    case HRANA__VALUE__VALUE_TEXT:
        out->type = SQL_TEXT;
        out->bytes = slice_of_binary(value->text);
        return utf8_valid(out->bytes) ? 0 : corrupt(error, "a text that is not UTF-8");
    case HRANA__VALUE__VALUE_BLOB:
        out->type = SQL_BLOB;
        out->bytes = slice_of_binary(value->blob);
        return 0;
    case HRANA__VALUE__VALUE__NOT_SET:
    case _HRANA__VALUE__VALUE__CASE_IS_INT_SIZE:
        break;
    }
    return corrupt(error, "a value of no known type");
}

static int read_rows(const Hrana__StmtResult *from, struct sql_value *values, mneme_error *error) {
    for (size_t i = 0; i < from->n_rows; i++) {
        const Hrana__Row *row = from->rows[i];
        if (row->n_values != from->n_cols)
            return corrupt(error, "a row that is not as wide as there are columns");
        for (size_t k = 0; k < row->n_values; k++)
            TRY(read_value(row->values[k], values++, error));
    }
    return 0;
}

/* Each value was a message of its own, so that rows x columns of them do fit. */
static size_t count_values(const Hrana__StmtResult *from) {
    size_t count = 0;
    for (size_t i = 0; i < from->n_rows; i++)
        count += from->rows[i]->n_values;
    return count;
}

static int read_step_result(const Hrana__StmtResult *from, struct arena *arena,
                            struct sql_step_result *out, mneme_error *error) {
    struct sql_value *values = arena_zalloc(arena, count_values(from), sizeof *values);
    if (!values)
        return error_set(error, MNEME_NO_MEMORY, "no memory for the rows of an answer");
    TRY(read_rows(from, values, error));
    out->outcome = SQL_DONE;
    out->columns = from->n_cols;
    out->rows = from->n_rows;
    out->values = values;
    return 0;
}

/* ---- The batch --------------------------------------------------------------------------- */

static int check_step(const struct sql_results *results, size_t step, bool has_value,
                      mneme_error *error) {
    if (step >= results->count)
        return corrupt(error, "results of more steps than the program has");
    if (!has_value || results->steps[step].outcome != SQL_SKIPPED)
        return corrupt(error, "two results of one step, or an empty one");
    return 0;
}

static int read_error(struct hrana_answer *answer, size_t step, const Hrana__Error *from,
                      mneme_error *error) {
    if (hrana_answer_failed(answer, step, slice_of_binary(from->code),
                            slice_of_binary(from->message)) != 0)
        return error_set(error, MNEME_NO_MEMORY, "no memory for the text of an error");
    return 0;
}

static int read_batch(const Hrana__BatchResult *from, struct hrana_answer *answer,
                      mneme_error *error) {
    struct sql_results *results = answer->results;
    for (size_t i = 0; i < from->n_step_results; i++) {
        const Hrana__StepResult *entry = from->step_results[i];
        TRY(check_step(results, entry->key, entry->value != NULL, error));
        TRY(read_step_result(entry->value, &results->arena, &results->steps[entry->key], error));
    }
    for (size_t i = 0; i < from->n_step_errors; i++) {
        const Hrana__StepError *entry = from->step_errors[i];
        TRY(check_step(results, entry->key, entry->value != NULL, error));
        TRY(read_error(answer, entry->key, entry->value, error));
    }
    return 0;
}

static int read_answer(const Hrana__Answer *from, struct hrana_answer *answer, mneme_error *error) {
    if (from->n_results == 0)
        return corrupt(error, "no results");
    if (from->base_url.len == 0)
        answer->baton = slice_of(from->baton.data, from->baton.len);
    const Hrana__Result *result = from->results[0];
    if (result->result_case == HRANA__RESULT__RESULT_ERROR)
        return read_error(answer, HRANA_REQUEST, result->error, error);
    if (result->result_case != HRANA__RESULT__RESULT_OK || !result->ok->batch ||
        !result->ok->batch->result)
        return corrupt(error, "a result that is neither an answer to a batch nor an error");
    return read_batch(result->ok->batch->result, answer, error);
}

/* Why a body could not be unpacked. */
static int unpack_failed(struct slice body, const struct bounded_arena *bounded,
                         mneme_error *error) {
    if (bounded->status == MNEME_NO_MEMORY)
        return error_set(error, MNEME_NO_MEMORY, "no memory for an answer of %zu bytes", body.size);
    if (bounded->status)
        return error_set(error, MNEME_TOO_LARGE,
                         "an answer of %zu bytes takes more than %zu MB; ask for less at once",
                         body.size, UNPACKED_MAX >> 20);
    char there[61];
    hrana_excerpt(body, there, sizeof there);
    return error_set(error, MNEME_CORRUPT,
                     "the answer is not of the protocol: these %zu bytes are no message in "
                     "Protocol Buffers: %s",
                     body.size, there);
}

int hrana_decode_proto(struct slice body, size_t steps, struct hrana_answer *answer,
                       mneme_error *error) {
    struct bounded_arena bounded = {.arena = &answer->results->arena, .left = UNPACKED_MAX};
    ProtobufCAllocator allocator = {bounded_alloc, bounded_free, &bounded};
    if (hrana_answer_init(answer, steps) != 0)
        return error_set(error, MNEME_NO_MEMORY, "no memory for an answer of %zu bytes", body.size);
    Hrana__Answer *message = hrana__answer__unpack(&allocator, body.size, body.data);
    return message ? read_answer(message, answer, error) : unpack_failed(body, &bounded, error);
}
