/*
 * mutation_row.c - a mutation as a row of mneme_apply: the values of its columns.
 */
#include "store/sql/write_impl.h"

size_t mutation_chunks(const struct mutation *mutation) {
    size_t size = mutation->op == MUTATION_PUT ? mutation->record.body.size : 0;
    return size > SQL_CHUNK_BYTES ? (size - 1) / SQL_CHUNK_BYTES : 0;
}

static struct slice chunk_of(struct slice body, size_t chunk) {
    size_t start = size_min(chunk * SQL_CHUNK_BYTES, body.size);
    return slice_of(body.size ? body.data + start : NULL,
                    size_min(SQL_CHUNK_BYTES, body.size - start));
}

static const char *op_text(enum mutation_op op) {
    static const char *const texts[] = {[MUTATION_PUT] = "put",
                                        [MUTATION_DELETE] = "delete",
                                        [MUTATION_PURGE] = "purge",
                                        [MUTATION_CHECK] = "check"};
    return texts[op];
}

static struct sql_value condition_value(enum condition condition) {
    static const char *const texts[] = {[CONDITION_NONE] = NULL,
                                        [CONDITION_ABSENT] = "absent",
                                        [CONDITION_LIVE] = "live",
                                        [CONDITION_OPEN] = "open",
                                        [CONDITION_VERSION] = "version",
                                        [CONDITION_CHILDREN] = "children",
                                        [CONDITION_NO_ATTRIBUTE] = "no_attribute",
                                        [CONDITION_PARENT] = "parent",
                                        [CONDITION_CHANGE] = "change",
                                        [CONDITION_FENCE] = NULL}; /* not of this store */
    return texts[condition] ? value_of_string(texts[condition]) : sql_null();
}

/* What the condition expects, as JSON; a change number as it is; NULL for most. */
static int expect_value(struct arena *arena, const struct mutation *m, struct sql_value *out) {
    AUTO_BUF struct buf b = BUF_INIT(64 << 10);
    struct slice copy;
    switch (m->condition) {
    case CONDITION_VERSION:
        buf_printf(&b, "[%llu,\"%s\"]", (unsigned long long)m->expect_version.clock,
                   device_format(m->expect_version.device).text);
        break;
    case CONDITION_CHILDREN:
        buf_printf(&b, "[\"%s\",%llu,%llu]", store_kind_name(m->expect_kind),
                   (unsigned long long)m->expect_count, (unsigned long long)m->expect_place);
        break;
    case CONDITION_CHANGE:
        *out = sql_integer(m->expect_change > INT64_MAX ? -1 : (int64_t)m->expect_change);
        return 0;
    case CONDITION_NO_ATTRIBUTE:
        TRY(attribute_json(arena, &m->expect_attribute, &copy));
        *out = sql_text(copy);
        return 0;
    case CONDITION_NONE:
    case CONDITION_ABSENT:
    case CONDITION_LIVE:
    case CONDITION_OPEN:
    case CONDITION_PARENT:
    case CONDITION_FENCE:
        *out = sql_null();
        return 0;
    }
    TRY(b.status);
    TRY(arena_copy(arena, buf_slice(&b), &copy));
    *out = sql_text(copy);
    return 0;
}

/* The columns of a put that others leave NULL. */
static int put_values(struct arena *arena, const struct stored_record *record, size_t chunks,
                      struct sql_value *v) {
    struct slice attributes;
    TRY(attributes_text(arena, record, &attributes));
    v[6] = sql_integer(record->time_us);
    v[7] = sql_integer(record->flags);
    v[11] = sql_integer((int64_t)record->place);
    v[12] = sql_text(attributes);
    v[13] = sql_integer(record->plain_size);
    v[14] = sql_integer((int64_t)record->body.size);
    v[15] = sql_integer(body_checksum(record->body));
    v[16] = sql_integer((int64_t)chunks);
    v[17] = sql_blob(chunk_of(record->body, 0));
    return 0;
}

static int version_values(struct arena *arena, mneme_version version, struct sql_value *v) {
    struct device_text device = device_format(version.device);
    struct slice copy;
    if (version_is_zero(version))
        return 0;
    TRY(arena_copy(arena, slice_of_string(device.text), &copy));
    v[8] = sql_integer((int64_t)version.clock);
    v[9] = sql_text(copy);
    return 0;
}

int mutation_row_values(struct arena *arena, const struct mutation_row *row, struct sql_value *v) {
    const struct mutation *m = row->mutation;
    const struct stored_record *record = &m->record;
    for (size_t i = 0; i < SQL_MUTATION_COLUMNS; i++)
        v[i] = sql_null();
    v[0] = sql_integer((int64_t)row->number);
    v[1] = value_of_string(row->chunk ? "chunk" : op_text(m->op));
    v[4] = value_of_string(store_kind_name(record->kind));
    v[5] = value_of_id(&record->id);
    if (row->chunk) {
        v[11] = sql_integer((int64_t)row->chunk);
        v[17] = sql_blob(chunk_of(record->body, row->chunk));
        return 0;
    }
    v[2] = row->passes_over && m->condition == CONDITION_CHANGE ? value_of_string("still")
                                                                : condition_value(m->condition);
    v[10] = value_of_id(&record->parent);
    TRY(expect_value(arena, m, &v[3]));
    if (m->op == MUTATION_PUT || m->op == MUTATION_DELETE)
        TRY(version_values(arena, record->version, v));
    if (m->exact)
        v[18] = sql_integer(1);
    if (m->op == MUTATION_DELETE && m->exact) { /* its tombstone's, when it has a parent */
        v[6] = sql_integer(record->time_us);
        v[11] = sql_integer((int64_t)record->place);
    }
    return m->op == MUTATION_PUT ? put_values(arena, record, mutation_chunks(m), v) : 0;
}

/* A byte is at most six of JSON. */
bool mutation_has_too_many_attributes(const struct mutation *m) {
    AUTO_ARENA struct arena arena = {0};
    struct slice text = {0};
    size_t bytes = 0;
    if (m->op != MUTATION_PUT)
        return false;
    for (size_t i = 0; i < m->record.attribute_count; i++)
        bytes += 8 + m->record.attributes[i].name.size + m->record.attributes[i].value.size;
    if (bytes <= SQL_ATTRIBUTES_BYTES / 6)
        return false;
    return attributes_text(&arena, &m->record, &text) || text.size > SQL_ATTRIBUTES_BYTES;
}
