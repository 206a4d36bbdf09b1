/*
 * text.c - ids, times, kinds and records as text.
 */
#include "api/handle.h"

_Static_assert(ID_TEXT_SIZE == (int)MNEME_ID_TEXT_SIZE, "one size of an id's text");
_Static_assert(TIME_TEXT_SIZE == (int)MNEME_TIME_TEXT_SIZE, "one size of a time's text");

void mneme_id_format(const mneme_id *id, char text[MNEME_ID_TEXT_SIZE]) { id_format(id, text); }

int mneme_id_parse(mneme_text text, mneme_id *id, mneme_error *error) {
    if (!id || (text.size && !text.data))
        return error_set(error, MNEME_INVALID, "mneme_id_parse: the text or id is NULL");
    return id_parse(text, id, error);
}

int mneme_id_make(mneme_id *id, mneme_error *error) {
    if (!id)
        return error_set(error, MNEME_INVALID, "mneme_id_make: id is NULL");
    return id_make(0, id, error);
}

bool mneme_id_is_zero(const mneme_id *id) { return !id || id_is_zero(id); }

void mneme_time_format(int64_t time_us, char text[MNEME_TIME_TEXT_SIZE]) {
    time_format(time_us, text);
}

int mneme_time_parse(mneme_text text, int64_t *time_us, mneme_error *error) {
    if (!time_us || (text.size && !text.data))
        return error_set(error, MNEME_INVALID, "mneme_time_parse: the text or time_us is NULL");
    return time_parse(text, time_us, error);
}

const char *mneme_kind_name(mneme_kind kind) { return kind_name(kind); }

void mneme_bytes_free(mneme_bytes *bytes) {
    if (!bytes)
        return;
    mem_free(bytes->data);
    *bytes = (mneme_bytes){0};
}

int mneme_record_to_json(const mneme_record *record, mneme_bytes *out, mneme_error *error) {
    if (!record || !out)
        return error_set(error, MNEME_INVALID, "mneme_record_to_json: record or out is NULL");
    struct buf b = {.data = (uint8_t *)out->data,
                    .size = out->size,
                    .capacity = out->capacity,
                    .max = SIZE_MAX};
    int status = model_to_json(record, &b, error);
    out->data = (char *)b.data; /* the block may have moved, whatever came of it */
    out->capacity = b.capacity;
    if (status == 0)
        out->size = b.size;
    return status;
}

int mneme_record_from_json(mneme_text json, mneme_kind kind, const mneme_record **out,
                           mneme_error *error) {
    if (!out || (json.size && !json.data))
        return error_set(error, MNEME_INVALID, "mneme_record_from_json: the text or out is NULL");
    AUTO_ARENA struct arena arena = {.first_size = 4096};
    mneme_record *record = arena_zalloc(&arena, 1, sizeof *record);
    if (!record)
        return error_set(error, MNEME_NO_MEMORY, "no memory for a record");
    TRY(model_from_json(slice_of_text(json), kind, &arena, record, error));
    *out = arena_take(&arena);
    return 0;
}

void mneme_record_free(const mneme_record *record) {
    void *block;
    memcpy(&block, &record, sizeof block);
    arena_free_taken(block);
}
