/*
 * query.c - listings: the SELECT of a query, and its pages.
 *
 * Each of the orders has an index, named in the statement so that it does not depend on what the
 * planner guesses: (kind, time_us, id) of live records; (parent, kind, place, id); (kind, id); and,
 * with a filter, the rows of its attribute, which lie in the order of time too. A page goes on
 * behind the last row of the one before, by its sort key: no row is counted or skipped.
 */
#include "store/sql/sql_impl.h"

struct select {
    struct buf sql;
    struct sql_value values[4 + 2 * STORE_FILTERS_MAX + 8];
    size_t count;
    const char *sort, *id; /* the columns of the order; sort NULL: by id alone */
};

static void add_value(struct select *q, struct sql_value value) { q->values[q->count++] = value; }

static int add_attribute(struct select *q, struct arena *arena, const struct attribute *attribute) {
    struct slice name, value;
    TRY(attribute_text(arena, attribute->name, &name));
    TRY(attribute_text(arena, attribute->value, &value));
    add_value(q, sql_text(name));
    add_value(q, sql_text(value));
    return 0;
}

static void add_table(struct select *q, const struct store_query *query) {
    if (query->has_parent) {
        bool none = id_is_zero(&query->parent);
        buf_append_string(&q->sql,
                          none ? "mneme_record r WHERE r.kind = ? AND r.parent IS NULL"
                               : "mneme_record r INDEXED BY mneme_record_parent WHERE r.kind = ?"
                                 " AND r.parent = ?");
        add_value(q, value_of_string(store_kind_name(query->kind)));
        if (!none)
            add_value(q, value_of_id(&query->parent));
        q->sort = "r.place";
    } else {
        buf_append_string(&q->sql, query->id_prefix.size
                                       ? "mneme_record r INDEXED BY mneme_record_name"
                                       : "mneme_record r INDEXED BY mneme_record_time");
        buf_append_string(&q->sql, " WHERE r.kind = ?");
        add_value(q, value_of_string(store_kind_name(query->kind)));
        q->sort = query->id_prefix.size ? NULL : "r.time_us";
    }
    buf_append_string(&q->sql, query->dead ? " AND r.live = 0" : " AND r.live = 1");
    q->id = "r.id";
}

static int add_attribute_table(struct select *q, struct arena *arena,
                               const struct store_query *query) {
    buf_append_string(&q->sql, "mneme_attribute a CROSS JOIN mneme_record r ON r.kind = a.kind"
                               " AND r.id = a.id WHERE a.kind = ? AND a.name = ? AND a.value = ?");
    add_value(q, value_of_string(store_kind_name(query->kind)));
    q->sort = "a.time_us";
    q->id = "a.id";
    return add_attribute(q, arena, &query->filters[0]);
}

/* The ids that begin with a prefix: from it, filled up with zeros, to the next one. */
static int add_prefix(struct select *q, struct arena *arena, struct slice prefix) {
    mneme_id *bounds = arena_zalloc(arena, 2, sizeof *bounds);
    if (!bounds)
        return MNEME_NO_MEMORY;
    memcpy(bounds[0].bytes, prefix.data, prefix.size);
    bounds[1] = bounds[0];
    size_t last = prefix.size;
    while (last > 0 && ++bounds[1].bytes[last - 1] == 0)
        last--;
    buf_append_string(&q->sql, " AND r.id >= ?");
    add_value(q, sql_blob(slice_of(bounds[0].bytes, sizeof bounds[0].bytes)));
    if (last > 0) {
        buf_append_string(&q->sql, " AND r.id < ?");
        add_value(q, sql_blob(slice_of(bounds[1].bytes, sizeof bounds[1].bytes)));
    }
    return 0;
}

static void add_position(struct select *q, const struct store_query *query,
                         const struct position *after) {
    const char *beyond = query->order == ORDER_NEWEST_FIRST ? "<" : ">";
    if (!after->set)
        return;
    if (q->sort) {
        buf_printf(&q->sql, " AND (%s, %s) %s (?, ?)", q->sort, q->id, beyond);
        add_value(q, sql_integer(after->sort));
    } else {
        buf_printf(&q->sql, " AND %s %s ?", q->id, beyond);
    }
    add_value(q, sql_blob(slice_of(after->id.bytes, sizeof after->id.bytes)));
}

static int select_build(struct select *q, struct arena *arena, const struct store_query *query,
                        const struct position *after, size_t limit) {
    bool by_attribute = query->filter_count && !query->has_parent && !query->id_prefix.size;
    const char *time = by_attribute ? "a.time_us" : "r.time_us";
    const char *down = query->order == ORDER_NEWEST_FIRST ? " DESC" : "";
    buf_printf(&q->sql, "SELECT %s FROM ",
               query->without_bodies ? row_columns_without_body : row_columns);
    if (by_attribute)
        TRY(add_attribute_table(q, arena, query));
    else
        add_table(q, query);
    for (size_t i = by_attribute ? 1 : 0; i < query->filter_count; i++) {
        buf_append_string(&q->sql, " AND EXISTS (SELECT 1 FROM mneme_attribute f WHERE"
                                   " f.kind = r.kind AND f.name = ? AND f.value = ?"
                                   " AND f.time_us = r.time_us AND f.id = r.id)");
        TRY(add_attribute(q, arena, &query->filters[i]));
    }
    if (query->id_prefix.size)
        TRY(add_prefix(q, arena, query->id_prefix));
    if (query->has_since) {
        buf_printf(&q->sql, " AND %s >= ?", time);
        add_value(q, sql_integer(query->since_us));
    }
    if (query->has_until) {
        buf_printf(&q->sql, " AND %s < ?", time);
        add_value(q, sql_integer(query->until_us));
    }
    add_position(q, query, after);
    buf_append_string(&q->sql, " ORDER BY ");
    if (q->sort)
        buf_printf(&q->sql, "%s%s, ", q->sort, down);
    buf_printf(&q->sql, "%s%s LIMIT ?", q->id, down);
    add_value(q, sql_integer((int64_t)limit));
    buf_append_byte(&q->sql, 0);
    return q->sql.status;
}

static int query_some(struct sql *s, const struct store_query *query, const struct position *after,
                      size_t limit, struct record_set *out, bool *too_large, mneme_error *error) {
    AUTO_ARENA struct arena arena = {0};
    AUTO_RESULTS struct sql_results results = {0};
    struct program p = {.arena = &arena};
    struct select q = {.sql = BUF_INIT(16 << 10)};
    p.failed = select_build(&q, &arena, query, after, limit) != 0;
    program_add(&p, (const char *)q.sql.data, q.values, q.count);
    int status = read_run(s, &p, &results, too_large, error);
    buf_fini(&q.sql);
    TRY(status);
    return *too_large ? 0 : rows_read(s, &results.steps[0], query->without_bodies, out, error);
}

/* One row more than the limit is asked for: it tells whether there are others. */
int sql_query(struct store *store, const struct store_query *query, struct record_set *out,
              bool *more, mneme_error *error) {
    struct sql *s = sql_of(store);
    struct position after = query->after;
    size_t first = out->count, wanted = query->limit + 1;
    size_t page = read_page(s, wanted, query->without_bodies);
    for (bool end = false; !end && wanted > 0;) {
        size_t asked = size_min(page, wanted), before = out->count;
        bool too_large = false;
        TRY(query_some(s, query, &after, asked, out, &too_large, error));
        if (too_large && asked == 1)
            return error_set(error, MNEME_TOO_LARGE,
                             "the server refuses to answer with even one record; raise its limit");
        if (too_large) {
            page = asked / 2;
            continue;
        }
        size_t got = out->count - before;
        end = got < asked;
        wanted -= size_min(wanted, got);
        if (got)
            after = position_after(query, &out->records[out->count - 1]);
    }
    *more = out->count - first > query->limit;
    if (*more)
        out->count--;
    return 0;
}
