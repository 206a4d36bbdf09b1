/*
 * query.c - listings: the SELECT of a query, and its pages.
 *
 * Each of the orders has an index, named in the statement so that it does not depend on what the
 * planner guesses: (kind, time_us, id) of live records; (parent, kind, place, id); (kind, id); and,
 * with a filter, the rows of its attribute, which lie in the order of time too. Records whose
 * attributes were not indexed yet (schema.c, 8) are looked through, and merged in. A page goes on
 * behind the last row of the one before, by its sort key: no row is counted or skipped.
 */
#include "store/sql/sql_impl.h"

struct select {
    struct buf sql;
    struct sql_value values[2 * (4 + 2 * STORE_FILTERS_MAX + 8)];
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

/* Records that have it; `column` is their attributes as JSON, where quotes in texts are escaped, so
 * that it is found nowhere else. */
static int add_filter(struct select *q, struct arena *arena, const char *column,
                      const struct attribute *attribute) {
    struct slice text;
    TRY(attribute_json(arena, attribute, &text));
    buf_printf(&q->sql, " AND instr(%s, ?)", column);
    add_value(q, sql_text(text));
    return 0;
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

static void add_bounds(struct select *q, const struct store_query *query, const char *time,
                       const struct position *after) {
    if (query->has_since) {
        buf_printf(&q->sql, " AND %s >= ?", time);
        add_value(q, sql_integer(query->since_us));
    }
    if (query->has_until) {
        buf_printf(&q->sql, " AND %s < ?", time);
        add_value(q, sql_integer(query->until_us));
    }
    add_position(q, query, after);
}

static void add_order(struct select *q, const struct store_query *query, size_t limit) {
    const char *down = query->order == ORDER_NEWEST_FIRST ? " DESC" : "";
    buf_append_string(&q->sql, " ORDER BY ");
    if (q->sort)
        buf_printf(&q->sql, "%s%s, ", q->sort, down);
    buf_printf(&q->sql, "%s%s LIMIT ?", q->id, down);
    add_value(q, sql_integer((int64_t)limit));
}

/* ---- By attribute ---------------------------------------------------------------------------- */

/* Times and ids of those that are in the index. */
static int add_indexed(struct select *q, struct arena *arena, const struct store_query *query,
                       const struct position *after) {
    buf_append_string(&q->sql, "SELECT a.time_us, a.id FROM mneme_attribute a"
                               " WHERE a.kind = ? AND a.name = ? AND a.value = ?");
    add_value(q, value_of_string(store_kind_name(query->kind)));
    TRY(add_attribute(q, arena, &query->filters[0]));
    for (size_t i = 1; i < query->filter_count; i++) {
        buf_append_string(&q->sql, " AND EXISTS (SELECT 1 FROM mneme_attribute f WHERE"
                                   " f.kind = a.kind AND f.name = ? AND f.value = ?"
                                   " AND f.time_us = a.time_us AND f.id = a.id)");
        TRY(add_attribute(q, arena, &query->filters[i]));
    }
    q->sort = "a.time_us";
    q->id = "a.id";
    add_bounds(q, query, q->sort, after);
    return 0;
}

/* Of those that need not be there yet. */
static int add_unindexed(struct select *q, struct arena *arena, const struct store_query *query,
                         const struct position *after) {
    buf_append_string(&q->sql, "SELECT t.time_us, t.id FROM mneme_record t NOT INDEXED"
                               " WHERE t.change > (SELECT indexed FROM mneme_store)"
                               " AND t.kind = ? AND t.live = 1");
    add_value(q, value_of_string(store_kind_name(query->kind)));
    for (size_t i = 0; i < query->filter_count; i++)
        TRY(add_filter(q, arena, "t.attributes", &query->filters[i]));
    q->sort = "t.time_us";
    q->id = "t.id";
    add_bounds(q, query, q->sort, after);
    return 0;
}

static int build_by_attribute(struct select *q, struct arena *arena,
                              const struct store_query *query, const struct position *after,
                              size_t limit) {
    buf_append_string(&q->sql, "(");
    TRY(add_indexed(q, arena, query, after));
    buf_append_string(&q->sql, " UNION ");
    TRY(add_unindexed(q, arena, query, after));
    q->sort = "1";
    q->id = "2";
    add_order(q, query, limit);
    buf_append_string(&q->sql, ") p CROSS JOIN mneme_record r ON r.kind = ? AND r.id = p.id");
    add_value(q, value_of_string(store_kind_name(query->kind)));
    q->sort = "p.time_us";
    q->id = "p.id";
    add_order(q, query, limit);
    return 0;
}

/* ---- The SELECT ------------------------------------------------------------------------------ */

static int build_by_record(struct select *q, struct arena *arena, const struct store_query *query,
                           const struct position *after, size_t limit) {
    add_table(q, query);
    for (size_t i = 0; i < query->filter_count; i++)
        TRY(add_filter(q, arena, "r.attributes", &query->filters[i]));
    if (query->id_prefix.size)
        TRY(add_prefix(q, arena, query->id_prefix));
    add_bounds(q, query, "r.time_us", after);
    add_order(q, query, limit);
    return 0;
}

static int select_build(struct select *q, struct arena *arena, const struct store_query *query,
                        const struct position *after, size_t limit) {
    bool by_attribute = query->filter_count && !query->has_parent && !query->id_prefix.size;
    buf_printf(&q->sql, "SELECT %s FROM ",
               query->without_bodies ? row_columns_without_body : row_columns);
    TRY(by_attribute ? build_by_attribute(q, arena, query, after, limit)
                     : build_by_record(q, arena, query, after, limit));
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
