/*
 * apply_rows.c - batches as rows of INSERTs into mneme_apply, or mneme_push.
 */
#include "store/sql/write_impl.h"

static size_t rows_needed(const struct batch *batch) {
    size_t rows = 0;
    for (size_t i = 0; i < batch->count; i++)
        rows += 1 + mutation_chunks(&batch->mutations[i]);
    return rows;
}

int apply_rows_make(struct arena *arena, struct batch *const *batches, size_t count,
                    bool passes_over, struct apply_rows *out) {
    size_t needed = 0, made = 0, number = 0;
    for (size_t b = 0; b < count; b++)
        needed += rows_needed(batches[b]);
    struct mutation_row *rows = arena_zalloc(arena, needed, sizeof *rows);
    struct sql_value *values = arena_zalloc(arena, needed, SQL_MUTATION_COLUMNS * sizeof *values);
    if (!rows || !values)
        return MNEME_NO_MEMORY;
    for (size_t b = 0; b < count; b++)
        for (size_t i = 0; i < batches[b]->count; i++, number++)
            for (size_t c = 0; c <= mutation_chunks(&batches[b]->mutations[i]); c++)
                rows[made++] = (struct mutation_row){.mutation = &batches[b]->mutations[i],
                                                     .batch = b,
                                                     .number = number,
                                                     .chunk = c,
                                                     .passes_over = passes_over};
    for (size_t i = 0; i < made; i++)
        TRY(mutation_row_values(arena, &rows[i], values + i * SQL_MUTATION_COLUMNS));
    *out = (struct apply_rows){
        .rows = rows, .count = made, .mutation_count = number, .values = values};
    return 0;
}

enum { DEVICE = 9, PUSH_FIRST = 3, PUSH_COLUMNS = 15 }; /* mneme_push has `expect` to `body` */

static bool is_push(const struct mutation_row *row) {
    return row->passes_over && row->chunk == 0 && row->mutation->op == MUTATION_PUT &&
           row->mutation->condition == CONDITION_CHANGE;
}

static const char *insert_text(struct arena *arena, const char *view, size_t columns, size_t rows) {
    AUTO_BUF struct buf b = BUF_INIT(1 << 20);
    struct slice text;
    buf_printf(&b, "INSERT INTO %s VALUES", view);
    for (size_t i = 0; i < rows; i++)
        for (size_t c = 0; c < columns; c++)
            buf_append_string(&b, c ? ",?" : i ? "),(?" : "(?");
    buf_append(&b, ")", 2);
    return b.status || arena_copy(arena, buf_slice(&b), &text) ? NULL : (const char *)text.data;
}

static void add_pushes(struct program *p, const struct apply_rows *rows, size_t from,
                       size_t count) {
    struct sql_value *values = arena_zalloc(p->arena, count, PUSH_COLUMNS * sizeof *values);
    for (size_t i = 0; values && i < count; i++) {
        struct sql_value *v = values + i * PUSH_COLUMNS;
        memcpy(v, rows->values + (from + i) * SQL_MUTATION_COLUMNS + PUSH_FIRST,
               PUSH_COLUMNS * sizeof *v);
        /* Half as long as its text. */
        v[DEVICE - PUSH_FIRST] =
            sql_integer((int64_t)rows->rows[from + i].mutation->record.version.device);
    }
    program_then(p, insert_text(p->arena, "mneme_push", PUSH_COLUMNS, count), values,
                 count * PUSH_COLUMNS);
}

/* Where statements are kept prepared, only a few lengths: powers of four. */
size_t apply_rows_together(const struct sql *s, size_t left) {
    size_t most = s->driver->operations->rows_max, rows = 1;
    if (most > 256)
        return size_min(left, most);
    while (rows * 4 <= size_min(left, most))
        rows *= 4;
    return rows;
}

void program_apply(struct program *p, const struct sql *s, const struct apply_rows *rows,
                   size_t from, size_t to) {
    for (size_t together; from < to; from += together) {
        bool pushes = is_push(&rows->rows[from]);
        size_t alike = 1;
        while (from + alike < to && is_push(&rows->rows[from + alike]) == pushes)
            alike++;
        together = apply_rows_together(s, alike);
        if (pushes)
            add_pushes(p, rows, from, together);
        else
            program_then(p, insert_text(p->arena, "mneme_apply", SQL_MUTATION_COLUMNS, together),
                         rows->values + from * SQL_MUTATION_COLUMNS,
                         together * SQL_MUTATION_COLUMNS);
    }
}
