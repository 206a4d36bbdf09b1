/*
 * apply_rows.c - batches as rows of INSERTs into mneme_apply.
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

static const char *insert_text(struct arena *arena, size_t rows) {
    static const char start[] = "INSERT INTO mneme_apply VALUES ";
    static const char row[] = "(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)";
    char *text = arena_alloc(arena, sizeof start + rows * sizeof row);
    char *end = text;
    if (!text)
        return NULL;
    end = (char *)memcpy(end, start, sizeof start - 1) + sizeof start - 1;
    for (size_t i = 0; i < rows; i++) {
        if (i)
            *end++ = ',';
        end = (char *)memcpy(end, row, sizeof row - 1) + sizeof row - 1;
    }
    *end = 0;
    return text;
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
        together = apply_rows_together(s, to - from);
        program_then(p, insert_text(p->arena, together), rows->values + from * SQL_MUTATION_COLUMNS,
                     together * SQL_MUTATION_COLUMNS);
    }
}
