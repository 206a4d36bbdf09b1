/*
 * feed_plain.c - pushes that need no look at what is there: put in by one INSERT, without the
 * trigger of mneme_push, which costs the server more than the rows themselves.
 *
 * A push is plain when nothing is expected, the record is whole in one row, and its place is known.
 * What an exchange begins with of them has the change numbers `plain_from` + 1 and so on, one for
 * each, in its order. What is stale meets a record of its name and is passed over; its number is
 * left out.
 *
 * A server spends most of a statement on its parameters: reading, parsing and binding them. So a
 * row has two. One is a blob: the id, the parent where they differ, the body. The other is a text:
 * what the rows do not share of the other columns, each as wide as the widest, the attributes last.
 * What all rows share is a parameter of the statement. The server cuts out the columns by position.
 */
#include "store/sql/feed_impl.h"

enum { /* columns of mneme_apply */
       KIND = 4,
       ID,
       TIME,
       FLAGS,
       CLOCK,
       DEVICE,
       PARENT,
       PLACE,
       ATTRIBUTES,
       PLAIN_SIZE,
       BODY_SIZE,
       CHECKSUM,
       CHUNKS,
       BODY,
       ID_SIZE = 16
};

static bool is_plain(const struct mutation *m) {
    return m->op == MUTATION_PUT && m->expect_change == 0 && mutation_chunks(m) == 0 &&
           (id_is_zero(&m->record.parent) ? m->record.place == 0 : m->record.place > 0);
}

size_t feed_plain_count(const struct mutation *mutations, size_t count) {
    size_t plain = 0;
    while (plain < count && is_plain(&mutations[plain]))
        plain++;
    return plain < FEED_PLAIN_MIN ? 0 : plain;
}

uint64_t feed_plain_clock(const struct mutation *mutations, size_t count) {
    uint64_t clock = 0;
    for (size_t i = 0; i < count; i++)
        if (mutations[i].record.version.clock > clock)
            clock = mutations[i].record.version.clock;
    return clock;
}

/* ---- What rows share ------------------------------------------------------------------------- */

/* Rows of one INSERT, and where their texts have what they do not share. */
struct layout {
    const struct sql_value *values; /* SQL_MUTATION_COLUMNS a row */
    size_t first, count;            /* the first row's number among the pushes */
    bool differs[SQL_MUTATION_COLUMNS];
    size_t width[SQL_MUTATION_COLUMNS];
    size_t number_width, width_all;
};

static size_t number_width(int64_t number) {
    size_t width = 1 + (number < 0);
    for (; number <= -10 || number >= 10; number /= 10)
        width++;
    return width;
}

static bool is_same(const struct sql_value *a, const struct sql_value *b) {
    return a->type == b->type && a->integer == b->integer && slice_equal(a->bytes, b->bytes);
}

static const struct sql_value *value_at(const struct layout *l, size_t row, size_t column) {
    return &l->values[row * SQL_MUTATION_COLUMNS + column];
}

/* The id and the parent go to the blob, the attributes to the end of the text. */
static bool has_width(size_t column) {
    return column != ID && column != PARENT && column != ATTRIBUTES && column < CHUNKS;
}

static void column_look(struct layout *l, size_t column) {
    for (size_t i = 0; i < l->count; i++) {
        const struct sql_value *v = value_at(l, i, column);
        size_t width = v->type == SQL_INTEGER ? number_width(v->integer) : v->bytes.size;
        l->differs[column] = l->differs[column] || !is_same(v, value_at(l, 0, column));
        l->width[column] = size_max(l->width[column], width);
    }
    if (l->differs[column] && has_width(column))
        l->width_all += l->width[column];
}

static struct layout layout_of(const struct apply_rows *rows, size_t from, size_t to) {
    struct layout l = {.values = rows->values + from * SQL_MUTATION_COLUMNS,
                       .first = from,
                       .count = to - from,
                       .number_width = number_width((int64_t)to)};
    l.width_all = l.number_width;
    for (size_t column = KIND; column < CHUNKS; column++)
        if (column != ID)
            column_look(&l, column);
    return l;
}

/* ---- The statement --------------------------------------------------------------------------- */

static void put_column(struct buf *b, const struct layout *l, size_t column, size_t *at) {
    if (!l->differs[column]) {
        buf_append_string(b, ",?");
    } else if (column == PARENT) {
        buf_append_string(b, ",nullif(substr(column2,17,16),zeroblob(16))");
    } else if (column == ATTRIBUTES) {
        buf_printf(b, ",substr(column1,%zu)", l->width_all + 1);
    } else {
        buf_printf(b,
                   column == KIND ? ",rtrim(substr(column1,%zu,%zu))" : ",substr(column1,%zu,%zu)",
                   *at, l->width[column]);
        *at += l->width[column];
    }
}

static const char *insert_text(struct arena *arena, const struct layout *l) {
    AUTO_BUF struct buf b = BUF_INIT(1 << 20);
    size_t at = l->number_width + 1;
    struct slice text;
    buf_printf(&b, "INSERT INTO mneme_record SELECT plain_from+substr(column1,1,%zu)",
               l->number_width);
    for (size_t column = KIND; column < CHUNKS; column++) {
        if (column == ID)
            buf_append_string(&b, ",substr(column2,1,16)");
        else
            put_column(&b, l, column, &at);
        if (column == TIME)
            buf_append_string(&b, ",1"); /* live */
    }
    buf_printf(&b, ",0,substr(column2,%d)FROM mneme_store,(VALUES",
               1 + ID_SIZE + (l->differs[PARENT] ? ID_SIZE : 0));
    for (size_t i = 0; i < l->count; i++)
        buf_append_string(&b, i ? ",(?,?)" : "(?,?)");
    buf_append_string(&b, ")WHERE true ON CONFLICT(kind,id)DO NOTHING");
    buf_append_byte(&b, 0);
    return b.status || arena_copy(arena, buf_slice(&b), &text) ? NULL : (const char *)text.data;
}

/* ---- Its values ------------------------------------------------------------------------------ */

/* Right-aligned; SQL ignores the spaces of a number. */
static uint8_t *put_number(uint8_t *to, size_t width, int64_t number) {
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    uint8_t *at = to + width;
    memset(to, ' ', width);
    do
        *--at = (uint8_t)('0' + rest % 10);
    while (rest /= 10);
    if (number < 0)
        *--at = '-';
    return to + width;
}

static uint8_t *put_slice(uint8_t *to, size_t width, struct slice bytes) {
    if (bytes.size)
        memcpy(to, bytes.data, bytes.size);
    memset(to + bytes.size, ' ', width - bytes.size);
    return to + width;
}

static int row_text(struct arena *arena, const struct layout *l, size_t row,
                    struct sql_value *out) {
    struct slice attributes = value_at(l, row, ATTRIBUTES)->bytes;
    size_t size = l->width_all + (l->differs[ATTRIBUTES] ? attributes.size : 0);
    uint8_t *text = arena_alloc(arena, size), *end = text;
    if (!text)
        return MNEME_NO_MEMORY;
    end = put_number(end, l->number_width, (int64_t)(l->first + row + 1));
    for (size_t column = KIND; column < CHUNKS; column++) {
        const struct sql_value *v = value_at(l, row, column);
        if (!l->differs[column] || !has_width(column))
            continue;
        end = v->type == SQL_INTEGER ? put_number(end, l->width[column], v->integer)
                                     : put_slice(end, l->width[column], v->bytes);
    }
    if (l->differs[ATTRIBUTES])
        put_slice(end, attributes.size, attributes);
    *out = sql_text(slice_of(text, size));
    return 0;
}

static int row_blob(struct arena *arena, const struct layout *l, size_t row,
                    struct sql_value *out) {
    struct slice parent = value_at(l, row, PARENT)->bytes, body = value_at(l, row, BODY)->bytes;
    size_t head = ID_SIZE + (l->differs[PARENT] ? ID_SIZE : 0);
    uint8_t *blob = arena_alloc(arena, head + body.size);
    if (!blob)
        return MNEME_NO_MEMORY;
    memset(blob, 0, head); /* for no parent */
    memcpy(blob, value_at(l, row, ID)->bytes.data, ID_SIZE);
    if (l->differs[PARENT] && parent.size == ID_SIZE)
        memcpy(blob + ID_SIZE, parent.data, ID_SIZE);
    put_slice(blob + head, body.size, body);
    *out = sql_blob(slice_of(blob, head + body.size));
    return 0;
}

static struct sql_value *values_make(struct arena *arena, const struct layout *l, size_t *count) {
    struct sql_value *values =
        arena_zalloc(arena, SQL_MUTATION_COLUMNS + 2 * l->count, sizeof *values);
    *count = 0;
    for (size_t column = KIND; values && column < CHUNKS; column++)
        if (column != ID && !l->differs[column])
            values[(*count)++] = *value_at(l, 0, column);
    for (size_t i = 0; values && i < l->count; i++, *count += 2)
        if (row_text(arena, l, i, &values[*count]) || row_blob(arena, l, i, &values[*count + 1]))
            return NULL;
    return values;
}

void feed_add_plain(struct program *p, const struct sql *s, const struct apply_rows *rows,
                    size_t count) {
    if (count == 0)
        return;
    for (size_t from = 0, together; from < count; from += together) {
        size_t value_count;
        together = apply_rows_together(s, count - from);
        struct layout l = layout_of(rows, from, from + together);
        struct sql_value *values = values_make(p->arena, &l, &value_count);
        program_then(p, insert_text(p->arena, &l), values, value_count);
    }
    program_then(p, "INSERT INTO mneme_plain VALUES(0)", NULL, 0);
}
