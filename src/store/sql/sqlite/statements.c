/*
 * statements.c - the prepared statements that a connection keeps.
 *
 * What SQLite does by itself: when a statement is stepped and the schema is not the one that it was
 * prepared for, whoever changed it, sqlite3_step prepares it again and goes on; its values stay
 * bound, its columns may be others. So nothing here is needed to be right after a change; but the
 * statements that nobody steps any more would stay, and each of the others would pay on its own.
 * That a statement was prepared again says little by itself, for SQLite does that as well when a
 * value bound to a LIKE changes; PRAGMA schema_version tells.
 */
#include <limits.h>
#include <xxhash.h>

#include "store/sql/sqlite/sqlite_impl.h"

int sqlite_statements_init(struct sqlite_statements *s, uint32_t max, int64_t refresh_us) {
    size_t buckets = 1;
    while (buckets < (size_t)max * 2)
        buckets *= 2;
    *s = (struct sqlite_statements){.mask = buckets - 1, .max = max, .refresh_us = refresh_us};
    s->buckets = mem_zalloc(buckets, sizeof(struct sqlite_statement *));
    return s->buckets ? 0 : MNEME_NO_MEMORY;
}

/* ---- The list and the buckets --------------------------------------------------------------- */

static void list_remove(struct sqlite_statements *s, struct sqlite_statement *x) {
    *(x->newer ? &x->newer->older : &s->newest) = x->older;
    *(x->older ? &x->older->newer : &s->oldest) = x->newer;
}

static void list_put_first(struct sqlite_statements *s, struct sqlite_statement *x) {
    x->newer = NULL;
    x->older = s->newest;
    *(s->newest ? &s->newest->newer : &s->oldest) = x;
    s->newest = x;
}

static void statement_free(struct sqlite_statement *x) {
    sqlite3_finalize(x->handle); /* returns what the last step did, which is known */
    mem_free(x);
}

static void drop(struct sqlite_statements *s, struct sqlite_statement *x) {
    struct sqlite_statement **at = &s->buckets[x->hash & s->mask];
    while (*at != x)
        at = &(*at)->next;
    *at = x->next;
    list_remove(s, x);
    s->count--;
    statement_free(x);
}

void sqlite_statements_fini(struct sqlite_statements *s) {
    while (s->oldest)
        drop(s, s->oldest);
    mem_free(s->buckets);
    *s = (struct sqlite_statements){0};
}

/* ---- Finding and preparing ------------------------------------------------------------------ */

static struct sqlite_statement *find(struct sqlite_statements *s, struct slice sql, uint64_t hash) {
    struct sqlite_statement *x = s->buckets[hash & s->mask];
    while (x && !(x->hash == hash && slice_equal(slice_of(x->text, x->size), sql)))
        x = x->next;
    return x;
}

static bool is_blank(const char *text, const char *end) {
    while (text < end && *text && strchr(" \t\r\n;", *text))
        text++;
    return text == end;
}

static int prepare(struct sqlite_connection *c, struct slice sql, sqlite3_stmt **out,
                   const char **why) {
    if (sql.size > INT_MAX)
        return SQLITE_TOOBIG;
    const char *text = (const char *)sql.data, *tail = text;
    sqlite3_stmt *handle = NULL;
    int rc =
        sqlite3_prepare_v3(c->db, text, (int)sql.size, SQLITE_PREPARE_PERSISTENT, &handle, &tail);
    if (rc)
        return rc;
    if (!handle || !is_blank(tail, text + sql.size)) {
        *why = handle ? "more than one statement" : "no statement";
        sqlite3_finalize(handle);
        return SQLITE_ERROR;
    }
    *out = handle;
    return SQLITE_OK;
}

/* NULL: see *rc. */
static struct sqlite_statement *statement_new(struct sqlite_connection *c, struct slice sql,
                                              int *rc, const char **why) {
    AUTO_FREE struct sqlite_statement *x = mem_alloc(sizeof *x + sql.size);
    if (!x) {
        *why = "no memory for a statement";
        *rc = SQLITE_NOMEM;
        return NULL;
    }
    *x = (struct sqlite_statement){.size = sql.size};
    memcpy(x->text, sql.data, sql.size);
    *rc = prepare(c, sql, &x->handle, why);
    return *rc == SQLITE_OK ? TAKE(x) : NULL;
}

/* Prepare, and make room for it; after a failure what was there still is. */
static int add(struct sqlite_connection *c, struct slice sql, uint64_t hash,
               struct sqlite_statement **out, const char **why) {
    struct sqlite_statements *s = &c->statements;
    int rc = SQLITE_OK;
    int64_t begin = clock_monotonic_us(), waited = c->waited_us;
    struct sqlite_statement *x = statement_new(c, sql, &rc, why);
    int64_t end = clock_monotonic_us();
    c->tally.prepare_us += end - begin - (c->waited_us - waited);
    if (!x)
        return rc;
    c->tally.prepared++;
    if (s->count == s->max) {
        drop(s, s->oldest);
        c->tally.evictions++;
    }
    x->hash = hash;
    x->prepared_us = end;
    x->next = s->buckets[hash & s->mask];
    s->buckets[hash & s->mask] = x;
    list_put_first(s, x);
    s->count++;
    *out = x;
    return SQLITE_OK;
}

int sqlite_statements_get(struct sqlite_connection *c, struct slice sql, int64_t now_us,
                          struct sqlite_statement **out, const char **why) {
    struct sqlite_statements *s = &c->statements;
    uint64_t hash = XXH3_64bits(sql.data, sql.size);
    struct sqlite_statement *x = find(s, sql, hash);
    if (x && now_us - x->prepared_us >= s->refresh_us) {
        drop(s, x);
        c->tally.refreshes++;
        x = NULL;
    }
    if (!x)
        return add(c, sql, hash, out, why);
    c->tally.hits++;
    if (s->newest != x) {
        list_remove(s, x);
        list_put_first(s, x);
    }
    *out = x;
    return SQLITE_OK;
}

/* ---- Another schema ------------------------------------------------------------------------- */

static bool schema_changed(struct sqlite_connection *c) {
    int before = c->schema_version;
    if (sqlite3_step(c->schema) == SQLITE_ROW)
        c->schema_version = sqlite3_column_int(c->schema, 0);
    sqlite3_reset(c->schema);
    return c->schema_version != before;
}

void sqlite_statements_used(struct sqlite_connection *c, struct sqlite_statement *used, int rc,
                            int64_t now_us) {
    struct sqlite_statements *s = &c->statements;
    int again = sqlite3_stmt_status(used->handle, SQLITE_STMTSTATUS_REPREPARE, 1);
    bool good = rc == SQLITE_OK;
    if (LIKELY(good && again == 0))
        return;
    if (again > 0) {
        c->tally.prepared += (uint64_t)again;
        used->prepared_us = now_us;
    }
    if (!schema_changed(c))
        return;
    struct sqlite_statement *x = s->oldest;
    while (x) {
        struct sqlite_statement *newer = x->newer;
        if (x != used || !good) { /* a good one is as new as the schema */
            drop(s, x);
            c->tally.refreshes++;
        }
        x = newer;
    }
}
