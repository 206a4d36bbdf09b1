/*
 * feed_plain.c - pushes that need no look at what is there: put in by one INSERT, without the
 * trigger of mneme_apply, which costs the server more than the rows themselves.
 *
 * A push is plain when nothing is expected, the record is whole in one row, and its place is known.
 * What an exchange begins with of them has the change numbers `plain_from` + 1 and so on, one for
 * each, in its order. What is stale meets a record of its name and is passed over; its number is
 * left out.
 */
#include "store/sql/feed_impl.h"

enum {
    VALUES = 15,
    FIRST = 4
}; /* a number, then the columns of mneme_apply from `kind` to `body` */

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

static const char *insert_text(struct arena *arena, size_t rows) {
    static const char start[] =
        "INSERT INTO mneme_record SELECT plain_from+column1,column2,column3,"
        "column4,1,column5,column6,column7,column8,column9,column10,"
        "column11,column12,column13,column14,column15 FROM mneme_store,"
        "(VALUES";
    static const char row[] = "(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?),";
    static const char end[] = ")WHERE true ON CONFLICT(kind,id)DO NOTHING";
    AUTO_BUF struct buf b = BUF_INIT(1 << 20);
    struct slice text;
    buf_append(&b, start, sizeof start - 1);
    for (size_t i = 0; i < rows; i++)
        buf_append(&b, row, sizeof row - 1 - (i + 1 == rows));
    buf_append(&b, end, sizeof end);
    return b.status || arena_copy(arena, buf_slice(&b), &text) ? NULL : (const char *)text.data;
}

static void add_rows(struct program *p, const struct apply_rows *rows, size_t from, size_t to) {
    struct sql_value *values = arena_zalloc(p->arena, to - from, VALUES * sizeof *values);
    for (size_t i = from; values && i < to; i++) {
        struct sql_value *v = values + (i - from) * VALUES;
        v[0] = sql_integer((int64_t)i + 1);
        memcpy(v + 1, rows->values + i * SQL_MUTATION_COLUMNS + FIRST, (VALUES - 1) * sizeof *v);
    }
    program_then(p, insert_text(p->arena, to - from), values, (to - from) * VALUES);
}

void feed_add_plain(struct program *p, const struct sql *s, const struct mutation *mutations,
                    const struct apply_rows *rows, size_t count) {
    uint64_t clock = 0;
    if (count == 0)
        return;
    for (size_t i = 0; i < count; i++)
        clock =
            mutations[i].record.version.clock > clock ? mutations[i].record.version.clock : clock;
    struct sql_value values[] = {sql_integer((int64_t)count), sql_integer((int64_t)count),
                                 sql_integer((int64_t)clock)};
    program_then(p,
                 "UPDATE mneme_store SET plain_from=change,plain=?,change=change+?,"
                 "clock=max(clock,?)",
                 program_values(p, values, COUNT_OF(values)), COUNT_OF(values));
    for (size_t from = 0, together; from < count; from += together) {
        together = apply_rows_together(s, count - from);
        add_rows(p, rows, from, from + together);
    }
    program_then(p, "UPDATE mneme_store SET told=(SELECT told FROM mneme_plain)", NULL, 0);
}
